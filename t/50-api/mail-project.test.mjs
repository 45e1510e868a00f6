/* A project's own mail server and its own words of mails. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import net from 'node:net'
import { server, unique, until } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { fails, keysOf } from './lib.mjs'

const old = { 'x-appwrite-response-format': '1.8.0' }, now = { 'x-appwrite-response-format': '1.9.5' }, url = 'http://localhost/page'
const scopes = ['project.read', 'project.write', 'templates.read', 'templates.write', 'users.write', 'users.read']
let s, all
const boxes = []
const boxOf = async (options) => boxes[boxes.push(await sink(options)) - 1]
before(async () => {
	all = await sink()
	s = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: all.port, smtp_private: 'on', web_processes: 1, mail_template_max: '2k' } })
})
after(async () => {
	await s.stop()
	for (const b of [all, ...boxes]) b.stop()
})

const named = (p, method, path, body, headers = old, more = {}) => s.call(method, `/projects/${p.id}${path}`, { project: 'console', cookie: p.console.cookie, headers, body, ...more })
const own = (p, method, path, body, headers = now, more = {}) => p.call(method, `/project${path}`, { body, headers, ...more })
const recover = async (p, u, headers = {}) => assert.equal((await p.guest('POST', '/account/recovery', { body: { email: u.email, url }, headers })).status, 201)

/* A project whose mails go to a server of its own. */
async function withServer(options, more = {}) {
	const box = await boxOf(options), p = await s.project({ scopes, name: 'Blue' })
	const r = await own(p, 'PATCH', '/smtp', { host: '127.0.0.1', port: box.port, senderEmail: 'blue@example.org', ...more })
	assert.equal(r.status, 200, r.text)
	return { box, p, r }
}

describe('the server', () => {
	test('is asked, then mails go by it, with its sender', async () => {
		const { box, p, r } = await withServer({ login: { user: 'me', password: 'pass word' } }, { username: 'me', password: 'pass word', senderName: 'The Blues', replyToEmail: 'answers@example.org', replyToName: 'Answers' })
		assert.ok(box.commands.some((c) => /^NOOP/.test(c)))
		const of = (b) => Object.fromEntries(Object.entries(b).filter(([k]) => k.startsWith('smtp')))
		assert.deepEqual(of(r.body), { smtpEnabled: true, smtpSenderName: 'The Blues', smtpSenderEmail: 'blue@example.org', smtpReplyToName: 'Answers', smtpReplyToEmail: 'answers@example.org',
			smtpHost: '127.0.0.1', smtpPort: box.port, smtpUsername: 'me', smtpPassword: '', smtpSecure: '' })
		assert.deepEqual(of((await named(p, 'GET', '')).body), { smtpEnabled: true, smtpSenderName: 'The Blues', smtpSenderEmail: 'blue@example.org', smtpReplyTo: 'answers@example.org',
			smtpHost: '127.0.0.1', smtpPort: box.port, smtpUsername: 'me', smtpPassword: '', smtpSecure: '' })
		const u = await p.user()
		await recover(p, u)
		const m = await box.next(u.email)
		assert.equal(m.from, 'blue@example.org')
		assert.equal(m.headers.from, 'The Blues <blue@example.org>')
		assert.equal(m.headers['reply-to'], 'Answers <answers@example.org>')
		assert.equal(m.headers.subject, 'Password Reset')
		assert.ok(m.login)
		assert.equal(all.mails.length, 0)
		/* off again, by one member */
		assert.equal((await own(p, 'PATCH', '/smtp', { enabled: false })).body.smtpEnabled, false)
		await recover(p, u)
		assert.equal((await all.next(u.email)).from, 'team@localhost.test')
		/* and on again, with what is still there: the password too */
		assert.equal((await own(p, 'PATCH', '/smtp', { enabled: true })).body.smtpHost, '127.0.0.1')
		await recover(p, u)
		assert.ok((await box.next(u.email)).login)
		/* another project's are not touched by it */
		const other = await s.project(), v = await other.user()
		await recover(other, v)
		await all.next(v.email)
	})

	test('the password is for the server that it was given for', async () => {
		const login = { user: 'me', password: 'right' }, { box, p } = await withServer({ login }, { username: 'me', password: 'right' }), other = await boxOf({ login }), set = (body) => own(p, 'PATCH', '/smtp', body)
		for (const change of [{ host: 'localhost' }, { port: other.port }, { username: 'you' }, { secure: 'tls' }, { port: other.port, enabled: false }, { port: other.port, enabled: true }]) {
			const r = await set(change)
			fails(r, 400, 'general_argument_invalid')
			assert.match(r.body.message, /^Param "password" is not optional when host/)
		}
		assert.deepEqual(other.commands, [])
		assert.equal((await set({ host: '127.0.0.1', port: box.port, username: 'me', secure: '', senderName: 'x' })).status, 200)
		/* of no server there is none, which takes no password, and the next one gets none */
		assert.equal((await set({ enabled: false, host: '', username: '', secure: '' })).status, 200)
		assert.equal((await set({ host: '127.0.0.1', port: other.port, username: 'me', enabled: true })).status, 200)
		assert.ok(!other.commands.some((c) => /^AUTH/i.test(c)), other.commands.join())
		other.commands.length = 0
		assert.equal((await set({ host: '127.0.0.1', port: box.port, username: 'me', password: 'right' })).status, 200)
		/* said to be none, or given again */
		assert.equal((await set({ port: other.port, password: '' })).status, 200)
		assert.ok(other.commands.some((c) => /^NOOP/.test(c)) && !other.commands.some((c) => /^AUTH/i.test(c)), other.commands.join())
		assert.equal((await set({ password: 'right' })).status, 200)
		assert.ok(other.commands.some((c) => /^AUTH/i.test(c)), other.commands.join())
	})

	test('a project has few looked at at once', async () => {
		const held = new Set(), mute = net.createServer((c) => { held.add(c.unref()); c.on('close', () => held.delete(c)); c.on('error', () => {}) })
		await new Promise((ok) => mute.listen(0, '127.0.0.1', ok))
		mute.unref()
		const { p, box } = await withServer(), { p: other } = await withServer(), body = { host: '127.0.0.1', port: mute.address().port, senderEmail: 'x@example.org', enabled: true }
		const slow = [own(p, 'PATCH', '/smtp', body), named(p, 'POST', '/smtp/tests', { ...body, enabled: undefined, emails: ['a@example.org'] })]
		await until('both wait', () => held.size === 2)
		for (const r of [await own(p, 'PATCH', '/smtp', body), await named(p, 'PATCH', '/smtp', body), await own(p, 'POST', '/smtp/tests', { emails: ['a@example.org'] }),
			await p.call('GET', '/health/certificate', { query: { domain: 'localhost' }, headers: now, key: await p.addKey(['health.read']) })]) fails(r, 503, 'general_busy')
		assert.equal(held.size, 2)
		assert.equal((await own(p, 'PATCH', '/smtp', { enabled: false })).status, 200)
		assert.equal((await own(other, 'PATCH', '/smtp', { senderName: 'x' })).status, 200)
		await own(p, 'PATCH', '/smtp', { enabled: true, port: box.port }).then((r) => fails(r, 503, 'general_busy'))
		/* nor has who has many projects */
		const from = { ...now, 'x-forwarded-for': '192.0.2.99' }, many = []
		for (let i = 0; i < 3; i++) many.push((await withServer()).p)
		slow.push(own(many[0], 'PATCH', '/smtp', body, from), own(many[0], 'PATCH', '/smtp', body, from), own(many[1], 'PATCH', '/smtp', body, from), own(many[1], 'PATCH', '/smtp', body, from))
		await until('four more wait', () => held.size === 6)
		fails(await own(many[2], 'PATCH', '/smtp', body, from), 503, 'general_busy')
		for (const c of held) c.destroy()
		for (const r of await Promise.all(slow)) fails(r, 400, 'project_smtp_config_invalid')
		assert.equal((await own(p, 'PATCH', '/smtp', { enabled: true })).status, 200)
		mute.close()
	})

	test('what cannot be used is refused', async () => {
		const box = await boxOf({ login: { user: 'me', password: 'right' } }), p = await s.project({ scopes }), set = (body, more) => own(p, 'PATCH', '/smtp', body, now, more)
		const good = { host: '127.0.0.1', port: box.port, senderEmail: 'a@example.org' }
		for (const lack of ['host', 'port', 'senderEmail']) {
			const r = await set({ ...good, [lack]: undefined, enabled: true })
			fails(r, 400, 'general_argument_invalid')
			assert.equal(r.body.message, `Param "${lack}" is not optional.`)
		}
		const closed = net.createServer(), port = await new Promise((ok) => closed.listen(0, '127.0.0.1', () => ok(closed.address().port)))
		await new Promise((ok) => closed.close(ok))
		fails(await set({ ...good, port, enabled: true }), 400, 'project_smtp_config_invalid')
		fails(await set({ ...good, username: 'me', password: 'wrong', enabled: true }), 400, 'project_smtp_config_invalid')
		fails(await set({ ...good, secure: 'tls', enabled: true }), 400, 'project_smtp_config_invalid')
		for (const bad of [{ port: 0 }, { port: 70000 }, { host: 'a b' }, { senderEmail: 'x' }, { secure: 'none' }, { senderName: 'x'.repeat(257) }, { enabled: 'yes' }])
			fails(await set({ ...good, ...bad }), 400, 'general_argument_invalid')
		/* not asked to be on, it is kept and stays off */
		const r = await set({ ...good, port })
		assert.deepEqual([r.status, r.body.smtpEnabled, r.body.smtpPort], [200, false, port])
		assert.equal((await set({ host: '' })).body.smtpHost, '')
		assert.equal((await set({ senderName: 'x\r\nBcc: b@example.org', ...good, username: 'me', password: 'right' })).body.smtpEnabled, true)
		const u = await p.user()
		await recover(p, u)
		assert.ok(!('bcc' in (await box.next(u.email)).headers))
	})

	test('two changes at once: neither is lost', async () => {
		const { box, p } = await withServer()
		const rs = await Promise.all([{ senderName: 'One' }, { replyToName: 'Two' }, { username: 'three' }].map((body) => own(p, 'PATCH', '/smtp', body)))
		const good = rs.filter((r) => r.status === 200)
		assert.ok(good.length >= 2 && rs.every((r) => [200, 503].includes(r.status)), rs.map((r) => r.text).join())
		const { smtpSenderName: a, smtpReplyToName: b, smtpUsername: c } = (await named(p, 'GET', '', undefined, now)).body
		assert.deepEqual([a, b, c].map((x) => x !== ''), rs.map((r) => r.status === 200))
	})

	test('who may', async () => {
		const { box, p } = await withServer(), key = await p.addKey(['users.read']), u = await p.user(), stranger = await s.user()
		for (const [method, path] of [['PATCH', '/smtp'], ['POST', '/smtp/tests'], ['GET', '/templates/email'], ['PATCH', '/templates/email'], ['GET', '/templates/email/recovery']]) {
			const body = method === 'GET' ? undefined : {}
			fails(await own(p, method, path, body, now, { key }), 401, 'general_unauthorized_scope')
			fails(await u.call(method, `/project${path}`, { body, headers: now }), 401, 'general_unauthorized_scope')
		}
		assert.equal((await p.admin('PATCH', '/project/smtp', { body: { senderName: 'Admin' }, headers: now })).body.smtpSenderName, 'Admin')
		for (const [method, path] of [['PATCH', '/smtp'], ['POST', '/smtp/tests'], ['GET', '/templates/email/recovery/en'], ['PATCH', '/templates/email/recovery/en'], ['DELETE', '/templates/email/recovery/en']]) {
			const body = { GET: undefined, POST: { emails: ['a@example.org'] }, PATCH: { subject: 'x', message: 'y' }, DELETE: undefined }[method]
			fails(await named(p, method, path, body, old, { cookie: stranger.cookie }), 404, 'project_not_found')
			fails(await named(p, method, path, body, old, { cookie: undefined }), 401, 'general_unauthorized_scope')
		}
	})

	test('is tried', async () => {
		const { box, p } = await withServer(), bare = await s.project({ scopes }), emails = ['one@example.org', 'two@example.org']
		assert.equal((await own(p, 'POST', '/smtp/tests', { emails })).status, 204)
		for (const to of emails) assert.equal((await box.next(to)).headers.subject, 'Test of your mail server')
		fails(await own(bare, 'POST', '/smtp/tests', { emails }), 503, 'general_smtp_disabled')
		for (const bad of [{}, { emails: [] }, { emails: ['x'] }, { emails: Array(11).fill(emails[0]) }]) fails(await own(p, 'POST', '/smtp/tests', bad), 400, 'general_argument_invalid')
		/* clients before 1.9.2 say by which */
		const inline = { emails: ['three@example.org'], senderName: 'S', senderEmail: 's@example.org', replyTo: 'r@example.org', host: '127.0.0.1', port: box.port }
		assert.equal((await named(bare, 'POST', '/smtp/tests', inline)).status, 204)
		const m = await box.next('three@example.org')
		assert.deepEqual([m.headers.from, m.headers['reply-to']], ['S <s@example.org>', '<r@example.org>'])
		fails(await named(bare, 'POST', '/smtp/tests', { ...inline, secure: 'tls' }), 400, 'project_smtp_config_invalid')
		/* and name it as they did */
		const r = await named(bare, 'PATCH', '/smtp', { enabled: true, senderName: 'S', senderEmail: 's@example.org', replyTo: 'r@example.org', host: '127.0.0.1', port: box.port, username: '', password: '', secure: '' })
		assert.equal(r.status, 200, r.text)
		assert.equal(r.body.smtpReplyTo, 'r@example.org')
		assert.equal((await named(bare, 'PATCH', '/smtp', { enabled: false })).body.smtpEnabled, false)
	})

	test('one that never answers holds nobody else up', async () => {
		const held = new Set(), slow = net.createServer((c) => { held.add(c); most = Math.max(most, held.size); c.on('close', () => held.delete(c)); c.on('error', () => {}); if (easy) c.write('220 x\r\n') ; c.on('data', () => { if (easy) c.write('250 ok\r\n') }) })
		let most = 0, easy = true
		await new Promise((ok) => slow.listen(0, '127.0.0.1', ok))
		const p = await s.project({ scopes }), { box, p: quick } = await withServer()
		assert.equal((await own(p, 'PATCH', '/smtp', { host: '127.0.0.1', port: slow.address().port, senderEmail: 'x@example.org' })).body.smtpEnabled, true)
		await until('the check is over', () => held.size === 0)
		easy = false
		most = 0
		const u = await p.user(), v = await quick.user()
		for (let i = 0; i < 40; i++) await recover(p, u)
		await until('its first mails are under way', () => held.size >= 2)
		await recover(quick, v)
		await box.next(v.email)
		assert.ok(held.size > 0, 'they still wait')
		assert.equal(most, 2)
		easy = true
		for (const c of held) c.destroy()
		slow.close()
		slow.unref()
	})
})

test('a server in our own networks is refused, unless the operator allows it', async () => {
	const strict = await server(), box = await boxOf(), p = await strict.project({ scopes })
	for (const host of ['127.0.0.1', 'localhost', '10.0.0.1', 'nobody.invalid']) {
		const r = await p.call('PATCH', '/project/smtp', { headers: now, body: { host, port: box.port, senderEmail: 'a@example.org', enabled: true } })
		fails(r, 400, 'project_smtp_config_invalid')
		assert.equal(r.body.message, 'The mail server cannot be used: it has no public address.')
	}
	fails(await p.call('POST', '/project/smtp/tests', { headers: old, body: { host: '127.0.0.1', port: box.port, emails: ['a@example.org'] } }), 400, 'project_smtp_config_invalid')
	assert.deepEqual(box.commands, [])
	fails(await strict.call('PATCH', '/project/smtp', { project: 'console', cookie: p.console.cookie, mode: 'admin', headers: now, body: {} }), 401, 'general_unauthorized_scope')
})

describe('words', () => {
	const message = '<p title="{{user}}">Hello {{user}} of {{project}}</p><style>p {}</style><p>Go to <a href="{{redirect}}">this page</a> &amp; {{nothing}}</p>'

	test('everybody\'s, with slots', async () => {
		const p = await s.project({ scopes })
		const ours = await own(p, 'GET', '/templates/email/recovery')
		keysOf(ours.body, 'templateId locale message senderName senderEmail replyToEmail replyToName subject')
		assert.deepEqual([ours.body.templateId, ours.body.locale, ours.body.subject], ['recovery', 'en', 'Password Reset'])
		for (const slot of ['user', 'redirect', 'project']) assert.ok(ours.body.message.includes(`{{${slot}}}`), ours.body.message)
		for (const [kind, slot] of [['otpSession', 'otp'], ['mfaChallenge', 'otp'], ['sessionAlert', 'ipAddress'], ['invitation', 'team'], ['verification', 'redirect'], ['magicSession', 'redirect']])
			assert.ok((await own(p, 'GET', `/templates/email/${kind}`)).body.message.includes(`{{${slot}}}`), kind)
		assert.equal((await own(p, 'GET', '/templates/email/recovery', undefined, now, { query: { locale: 'de' } })).body.subject, 'Passwort zurücksetzen')
		const before = await named(p, 'GET', '/templates/email/recovery/de')
		keysOf(before.body, 'type locale message senderName senderEmail replyTo subject')
		assert.deepEqual([before.body.type, before.body.locale], ['recovery', 'de'])
		const guest = await s.call('GET', '/console/templates/email/recovery', { project: 'console', headers: now, query: { locale: 'fr' } })
		assert.equal(guest.body.subject, 'Réinitialisation du mot de passe')
		fails(await s.call('GET', '/console/templates/email/other', { project: 'console', headers: now }), 400, 'general_argument_invalid')
		for (const path of ['/templates/email/other', '/templates/email/recovery?locale=xx']) fails(await own(p, 'GET', path), 400, 'general_argument_invalid')
		for (const path of ['/templates/email/other/en', '/templates/email/recovery/xx']) fails(await named(p, 'GET', path), 400, 'general_argument_invalid')
	})

	test('a project\'s own, which go out by its own server alone', async () => {
		const { box, p } = await withServer(), set = (body) => own(p, 'PATCH', '/templates/email', { templateId: 'recovery', ...body })
		const r = await set({ subject: 'For {{user}}', message, senderName: 'Words', senderEmail: 'words@example.org', replyToEmail: 'r@example.org' })
		assert.equal(r.status, 200, r.text)
		assert.deepEqual(r.body, { templateId: 'recovery', locale: 'en', message, senderName: 'Words', senderEmail: 'words@example.org', replyToEmail: 'r@example.org', replyToName: '', subject: 'For {{user}}' })
		assert.deepEqual((await own(p, 'GET', '/templates/email/recovery')).body, r.body)
		assert.deepEqual((await own(p, 'GET', '/templates/email')).body, { total: 1, templates: [r.body] })
		assert.deepEqual((await own(p, 'GET', '/templates/email', undefined, now, { query: { total: 'false', queries: ['{"method":"limit","values":[5]}'] } })).body, { total: 0, templates: [r.body] })
		fails(await own(p, 'GET', '/templates/email', undefined, now, { query: { queries: ['{"method":"equal","attribute":"locale","values":["en"]}'] } }), 400, 'general_argument_invalid')
		const evil = '"><script>x</script>\r\nBcc: v@example.org\'{{redirect}}', u = await p.user({ name: evil })
		await recover(p, u)
		const m = await box.next(u.email)
		assert.equal(m.headers.from, 'Words <words@example.org>')
		assert.equal(m.from, 'words@example.org')
		assert.deepEqual(Object.keys(m.headers), ['from', 'to', 'reply-to', 'subject', 'date', 'message-id', 'x-mailer', 'mime-version', 'content-type'])
		assert.equal(m.headers.subject, `For ${evil.replace('\r\n', '  ')}`)
		assert.ok(!m.html.includes('<script>') && m.html.includes('title="&quot;&gt;&lt;script&gt;') && m.html.includes('&#39;{{redirect}}"'), m.html)
		assert.match(m.html, /href="http:\/\/localhost\/page\?userId=\w+&amp;secret=/)
		assert.ok(m.html.includes('{{nothing}}'))
		assert.ok(m.text.startsWith('Hello "><script>') && m.text.includes('Go to this page & {{nothing}}') && !m.text.includes('p {}'), m.text)
		/* a reader of another language gets those of whoever names none, unless there are some */
		await recover(p, u, { 'x-appwrite-locale': 'de' })
		assert.equal((await box.next(u.email)).headers.from, 'Words <words@example.org>')
		assert.equal((await set({ locale: 'de-at', subject: 'Servus', message: 'x' })).status, 200)
		await recover(p, u, { 'x-appwrite-locale': 'de' })
		assert.equal((await box.next(u.email)).headers.subject, 'Servus')
		await recover(p, u, { 'x-appwrite-locale': 'fr' })
		assert.match((await box.next(u.email)).headers.subject, /^For /)
		/* one member alone */
		assert.deepEqual((await set({ senderName: '' })).body, { ...r.body, senderName: '' })
		/* not without the server */
		await own(p, 'PATCH', '/smtp', { enabled: false })
		fails(await set({ subject: 'x' }), 503, 'general_smtp_disabled')
		await recover(p, u)
		assert.equal((await all.next(u.email)).headers.subject, 'Password Reset')
	})

	test('that slots make too long go out in ours', async () => {
		const { box, p } = await withServer(), u = await p.user(), link = (n) => `http://localhost/?${'x'.repeat(n - 18)}`
		const ask = (n) => p.guest('POST', '/account/recovery', { body: { email: u.email, url: link(n) } })
		assert.equal((await own(p, 'PATCH', '/templates/email', { templateId: 'recovery', subject: 'Mine', message: '{{redirect}}'.repeat(150) })).status, 200)
		fails(await ask(8193), 400, 'general_argument_invalid')
		assert.equal((await ask(8192)).status, 201)
		assert.equal((await box.next(u.email)).headers.subject, 'Password Reset')
		assert.equal((await ask(100)).status, 201)
		assert.equal((await box.next(u.email)).headers.subject, 'Mine')
		assert.equal((await own(p, 'PATCH', '/templates/email', { templateId: 'recovery', subject: '{{redirect}}{{redirect}}', message: 'x' })).status, 200)
		assert.equal((await ask(4000)).status, 201)
		assert.equal((await box.next(u.email)).headers.subject, 'Password Reset')
	})

	test('codes say what asked for them', async () => {
		const { box, p } = await withServer(), email = `${unique('c')}@example.org`
		assert.equal((await own(p, 'PATCH', '/templates/email', { templateId: 'otpSession', subject: '{{otp}}', message: '{{otp}} by {{agentClient}} on {{agentOs}}, {{phrase}}' })).status, 200)
		const r = await p.guest('POST', '/account/tokens/email', { body: { userId: 'unique()', email, phrase: true }, headers: { ...now, 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0' } })
		assert.equal(r.status, 201, r.text)
		const m = await box.next(email)
		assert.match(m.headers.subject, /^\d{6}$/)
		assert.match(m.text, new RegExp(`^${m.headers.subject} by Firefox on .*Linux, ${r.body.phrase}$`))
	})

	test('of a link are those of the code, where they have a place for it', async () => {
		const { box, p } = await withServer(), u = await p.user(), set = (templateId, subject, message) => own(p, 'PATCH', '/templates/email', { templateId, subject, message })
		const ask = async () => { assert.equal((await p.guest('POST', '/account/recovery/otp', { body: { email: u.email }, unseen: true })).status, 201); return box.next(u.email) }
		assert.equal((await set('recovery', 'Mine', '{{redirect}}')).status, 200)
		assert.equal((await ask()).headers.subject, 'Code to reset your password')
		assert.equal((await set('recovery', 'Mine', '<p>{{redirect}}{{otp}}.</p>')).status, 200)
		const m = await ask()
		assert.equal(m.headers.subject, 'Mine')
		assert.match(m.text, /^\d{6}\.$/m)
		assert.equal((await set('verification', 'Yours', '{{otp}}')).status, 200)
		assert.equal((await u.call('POST', '/account/verifications/email/otp', { unseen: true })).status, 201)
		assert.equal((await box.next(u.email)).headers.subject, 'Yours')
	})

	test('as clients before 1.9.2 have them', async () => {
		const p = await s.project({ scopes }), at = '/templates/email/magicsession/pt-br'
		const r = await named(p, 'PATCH', at, { subject: 'Oi', message: 'x', replyTo: 'r@example.org' })
		assert.deepEqual(r.body, { type: 'magicSession', locale: 'pt-br', message: 'x', senderName: '', senderEmail: '', replyTo: 'r@example.org', subject: 'Oi' })
		assert.deepEqual((await named(p, 'GET', at)).body, r.body)
		assert.deepEqual((await named(p, 'DELETE', at)).body, r.body)
		fails(await named(p, 'DELETE', at), 401, 'project_template_default_deletion')
		assert.equal((await named(p, 'GET', at)).body.subject, 'Login')
		for (const path of ['/templates/email/other/en', '/templates/email/recovery/xx']) fails(await named(p, 'DELETE', path), 400, 'general_argument_invalid')
		for (const method of ['GET', 'PATCH', 'DELETE']) {
			fails(await named(p, method, '/templates/sms/login/en', method === 'GET' ? undefined : {}), 405, 'general_not_implemented')
			fails(await named(p, method, '/templates/sms/other/en', method === 'GET' ? undefined : {}), 400, 'general_argument_invalid')
		}
	})

	test('what is refused', async () => {
		const { box, p } = await withServer(), good = { templateId: 'recovery', subject: 'x', message: 'y' }
		for (const bad of [{ templateId: undefined }, { templateId: 'webhookOff' }, { locale: 'xx' }, { subject: undefined }, { message: undefined }, { subject: 'x'.repeat(256) }, { message: 'x'.repeat(2049) }, { senderEmail: 'x' }])
			fails(await own(p, 'PATCH', '/templates/email', { ...good, ...bad }), 400, 'general_argument_invalid')
		for (const bad of [{ subject: undefined }, { message: undefined }]) fails(await named(p, 'PATCH', '/templates/email/recovery/en', { ...good, ...bad }), 400, 'general_argument_invalid')
		assert.equal((await own(p, 'GET', '/templates/email')).body.total, 0)
	})

	test('go with their project', async () => {
		const { box, p } = await withServer()
		assert.equal((await own(p, 'PATCH', '/templates/email', { templateId: 'recovery', subject: 'x', message: 'y' })).status, 200)
		assert.equal((await named(p, 'DELETE', '', { password: 'correct-horse' }, {})).status, 204)
		fails(await named(p, 'GET', '/templates/email/recovery/en'), 404, 'project_not_found')
	})
})
