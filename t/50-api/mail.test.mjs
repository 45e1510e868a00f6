/* What is proved by a mail: magic URL, recovery, verification, invitations; the mail is read from the server and its link followed. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { cookieOf, dataDir, server, unique, until } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { fails, keysOf, membership, session } from './lib.mjs'

let s, p, box, refuse = 0, never = ''
const password = 'password-1234', url = 'http://localhost/page?x=1#f'
const mail = () => `${unique('m')}@example.org`
const send = (m, path, body, o = {}) => p.guest(m, path, { body, ...o })
const token = '$id $createdAt userId secret expire'

before(async () => {
	box = await sink({ reply: (line) => (!/^RCPT/i.test(line) ? null : never && line.includes(never) ? '550 nobody here' : refuse-- > 0 ? '451 later' : null) })
	s = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port, web_processes: 1 } })
	p = await s.project({ name: 'Ünïted & <Co>' })
})
after(async () => {
	await s.stop()
	box.stop()
})

/* The mail's link, which must be the given page with the parameters, in order. */
function follow(m, page, names) {
	const link = new URL(m.link)
	assert.equal(`${link.origin}${link.pathname}`, page)
	assert.deepEqual([...link.searchParams.keys()], names)
	assert.match(link.searchParams.get('secret'), /^[0-9a-f]{256}$/)
	assert.ok(m.html.includes(m.link.replaceAll('&', '&amp;')))
	return Object.fromEntries(link.searchParams)
}

describe('recovery', () => {
	test('sets a new password, once', async () => {
		const u = await p.user({ name: 'Ada <b>' }), r = await send('POST', '/account/recovery', { email: u.email.toUpperCase(), url })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, token)
		assert.equal(r.body.secret, '')
		assert.equal(Date.parse(r.body.expire) - Date.parse(r.body.$createdAt), 3600000)
		const m = await box.next(u.email)
		assert.equal(m.headers.subject, 'Password Reset')
		assert.equal(m.headers.from, 'Ünïted & <Co> Team <team@localhost.test>')
		assert.ok(m.text.includes('Hello Ada <b>') && m.html.includes('Hello <bdi>Ada &lt;b&gt;</bdi>'))
		assert.match(m.link, /#f$/)
		const { userId, secret, expire } = follow(m, 'http://localhost/page', ['x', 'userId', 'secret', 'expire'])
		assert.equal(userId, u.id)
		assert.match(expire, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/)
		const good = { userId, secret, password: 'password-5678', passwordAgain: 'password-5678' }
		fails(await send('PUT', '/account/recovery', { ...good, passwordAgain: 'password-0000' }), 400, 'user_password_mismatch')
		fails(await send('PUT', '/account/recovery', { ...good, userId: 'unknown' }), 404, 'user_not_found')
		fails(await send('PUT', '/account/recovery', { ...good, secret: 'wrong' }), 401, 'user_invalid_token')
		fails(await send('PUT', '/account/recovery', { ...good, secret: undefined }), 400, 'general_argument_invalid')
		fails(await send('PUT', '/account/recovery', { ...good, password: 'short', passwordAgain: 'short' }), 400, 'general_argument_invalid')
		/* the secret is good for nothing else */
		fails(await send('PUT', '/account/verification', { userId, secret }), 401, 'user_invalid_token')
		fails(await send('PUT', '/account/sessions/magic-url', { userId, secret }), 401, 'user_invalid_token')
		const rs = await Promise.all([1, 2, 3].map(() => send('PUT', '/account/recovery', good)))
		assert.deepEqual(rs.map((x) => x.status).sort(), [200, 401, 401])
		keysOf(rs.find((x) => x.status === 200).body, token)
		const cookie = cookieOf(await send('POST', '/account/sessions/email', { email: u.email, password: 'password-5678' }))
		assert.equal((await p.guest('GET', '/account', { cookie })).body.emailVerification, true)
	})

	test('errors', async () => {
		const u = await p.user()
		fails(await send('POST', '/account/recovery', { email: mail(), url }), 404, 'user_not_found')
		for (const bad of [{ url: undefined }, { url: 'http://evil.example' }, { url: 'nowhere' }, { email: 'x' }])
			fails(await send('POST', '/account/recovery', { email: u.email, url, ...bad }), 400, 'general_argument_invalid')
		fails(await p.call('POST', '/account/recovery', { body: { email: u.email, url } }), 401, 'general_unauthorized_scope')
		await u.ok('PATCH', '/account/status', { body: {} })
		fails(await send('POST', '/account/recovery', { email: u.email, url }), 401, 'user_blocked')
	})

	test('the team of the project sees the secret', async () => {
		const u = await p.user(), r = await p.admin('POST', '/account/recovery', { body: { email: u.email, url } })
		assert.match(r.body.secret, /^[0-9a-f]{256}$/)
		assert.equal(new URL((await box.next(u.email)).link).searchParams.get('secret'), r.body.secret)
	})
})

describe('verification', () => {
	test('of the own address, logged in or not', async () => {
		const u = await p.user(), r = await u.call('POST', '/account/verification', { body: { url } })
		assert.equal(r.status, 201, r.text)
		assert.equal(Date.parse(r.body.expire) - Date.parse(r.body.$createdAt), 7 * 86400000)
		const m = await box.next(u.email), { userId, secret } = follow(m, 'http://localhost/page', ['x', 'userId', 'secret', 'expire'])
		assert.equal(m.headers.subject, 'Account Verification')
		fails(await send('PUT', '/account/verification', { userId, secret: 'wrong' }), 401, 'user_invalid_token')
		fails(await send('PUT', '/account/verification', { userId: 'unknown', secret }), 404, 'user_not_found')
		assert.equal((await u.ok('GET', '/account')).emailVerification, false)
		assert.equal((await send('PUT', '/account/verification', { userId, secret })).status, 200)
		assert.equal((await u.ok('GET', '/account')).emailVerification, true)
		fails(await send('PUT', '/account/verification', { userId, secret }), 401, 'user_invalid_token')
	})

	test('errors', async () => {
		const u = await p.user(), cookie = cookieOf(await send('POST', '/account/sessions/anonymous', {}))
		fails(await send('POST', '/account/verification', { url }), 401, 'general_unauthorized_scope')
		fails(await u.call('POST', '/account/verification', { body: {} }), 400, 'general_argument_invalid')
		fails(await u.call('POST', '/account/verification', { body: { url: 'http://evil.example' } }), 400, 'general_argument_invalid')
		fails(await send('POST', '/account/verification', { url }, { cookie }), 400, 'general_argument_invalid')
	})
})

describe('magic URL', () => {
	test('signs a new person in, once', async () => {
		const email = mail(), id = unique('u'), r = await send('POST', '/account/sessions/magic-url', { userId: id, email })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, token)
		assert.equal(r.body.userId, id)
		const m = await box.next(email), q = follow(m, new URL('/auth/magic-url', s.base).href, ['userId', 'secret', 'expire', 'project'])
		assert.equal(q.project, p.id)
		fails(await send('PUT', '/account/sessions/magic-url', { userId: id, secret: 'wrong' }), 401, 'user_invalid_token')
		for (const userId of ['unknown', 'unique()']) fails(await send('PUT', '/account/sessions/magic-url', { userId, secret: q.secret }), 404, 'user_not_found')
		const done = await send('PUT', '/account/sessions/magic-url', { userId: id, secret: q.secret })
		assert.equal(done.status, 201, done.text)
		keysOf(done.body, session)
		assert.equal(done.body.provider, 'magic-url')
		const cookie = cookieOf(done), me = await p.guest('GET', '/account', { cookie })
		assert.equal(me.body.emailVerification, true)
		assert.equal(me.body.passwordUpdate, '')
		assert.equal((await send('PATCH', '/account/password', { password }, { cookie })).status, 200)
		fails(await send('PUT', '/account/sessions/magic-url', { userId: id, secret: q.secret }), 401, 'user_invalid_token')
		/* again, for somebody who is known: the id is not looked at */
		assert.equal((await send('POST', '/account/sessions/magic-url', { userId: 'unique()', email, url })).body.userId, id)
		follow(await box.next(email), 'http://localhost/page', ['x', 'userId', 'secret', 'expire', 'project'])
	})

	test('errors', async () => {
		for (const bad of [{ userId: undefined }, { email: 'x' }, { url: 'http://evil.example' }])
			fails(await send('POST', '/account/sessions/magic-url', { userId: 'unique()', email: mail(), ...bad }), 400, 'general_argument_invalid')
		const u = await p.user()
		fails(await send('POST', '/account/sessions/magic-url', { userId: u.id, email: mail() }), 409, 'user_already_exists')
	})
})

describe('invitation', () => {
	test('is accepted with the secret of its mail, and signs in', async () => {
		const owner = await p.user({ name: 'Olga' }), email = mail(), id = unique('t')
		await owner.ok('POST', '/teams', { body: { teamId: id, name: 'Red' } })
		const invite = (body, who = owner) => who.call('POST', `/teams/${id}/memberships`, { body: { email, roles: ['player'], url, ...body } })
		const r = await invite({ name: 'Ned' })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, membership)
		assert.deepEqual([r.body.confirm, r.body.joined, r.body.userName], [false, '', 'Ned'])
		fails(await invite({}), 409, 'team_invite_already_exists')
		assert.equal((await owner.ok('GET', `/teams/${id}`)).total, 1)
		assert.equal((await owner.ok('GET', `/teams/${id}/memberships`)).total, 2)
		const first = follow(await box.next(email), 'http://localhost/page', ['x', 'membershipId', 'userId', 'secret', 'teamId'])
		/* later clients may send it again: what was sent before is over */
		const later = { headers: { 'x-appwrite-response-format': '1.9.0' } }
		assert.equal((await owner.call('POST', `/teams/${id}/memberships`, { ...later, body: { email, roles: ['player'], url, name: 'Ned' } })).status, 201)
		const m = await box.next(email), q = follow(m, 'http://localhost/page', ['x', 'membershipId', 'userId', 'secret', 'teamId', 'teamName'])
		assert.deepEqual([q.membershipId, q.teamName], [first.membershipId, 'Red'])
		fails(await p.guest('PATCH', `/teams/${id}/memberships/${q.membershipId}/status`, { body: { userId: q.userId, secret: first.secret } }), 401, 'team_invalid_secret')
		assert.equal(m.headers.subject, 'Invitation to Red Team at Ünïted & <Co>')
		assert.ok(m.text.includes('Olga'))
		const accept = (body, who = p.guest, t = id) => who('PATCH', `/teams/${t}/memberships/${q.membershipId}/status`, { body: { userId: q.userId, secret: q.secret, ...body } })
		const other = await p.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'x' } })
		fails(await accept({}, p.guest, other.$id), 404, 'team_membership_mismatch')
		fails(await accept({ secret: 'wrong' }), 401, 'team_invalid_secret')
		fails(await accept({ userId: owner.id }), 401, 'team_invite_mismatch')
		fails(await accept({}, owner.call), 401, 'team_invite_mismatch')
		const rs = await Promise.all([1, 2, 3].map(() => accept({})))
		assert.deepEqual(rs.map((x) => x.status).sort(), [200, 409, 409])
		const done = rs.find((x) => x.status === 200), cookie = cookieOf(done)
		assert.equal(done.body.confirm, true)
		assert.equal((await p.guest('GET', `/teams/${id}`, { cookie })).body.total, 2)
		fails(await accept({}), 409, 'membership_already_confirmed')
		/* a plain member may not invite */
		fails(await p.guest('POST', `/teams/${id}/memberships`, { cookie, body: { email: mail(), roles: [], url } }), 401, 'user_unauthorized')
		/* declining what one is not yet part of */
		const late = await owner.ok('POST', `/teams/${id}/memberships`, { body: { email: owner.email.replace('@', '+x@'), roles: [], url } })
		assert.equal((await owner.call('DELETE', `/teams/${id}/memberships/${late.$id}`)).status, 204)
		assert.equal((await owner.ok('GET', `/teams/${id}`)).total, 2)
	})
})

test('a mail that is refused is sent again', async () => {
	const u = await p.user()
	refuse = 1
	await send('POST', '/account/recovery', { email: u.email, url })
	assert.equal((await box.next(u.email)).headers.subject, 'Password Reset')
})

test('without a mail server or an SMS provider', async () => {
	const bare = await server(), q = await bare.project(), u = await q.user(), phone = { userId: 'unique()', phone: '+4930123456' }
	fails(await q.guest('POST', '/account/recovery', { body: { email: u.email, url } }), 503, 'general_smtp_disabled')
	fails(await u.call('POST', '/account/verification', { body: { url } }), 503, 'general_smtp_disabled')
	fails(await q.guest('POST', '/account/sessions/magic-url', { body: { userId: 'unique()', email: u.email } }), 503, 'general_smtp_disabled')
	fails(await q.guest('POST', '/account/sessions/phone', { body: phone }), 503, 'general_phone_disabled')
	/* an invitation: before anything is made; a key needs no mail */
	const teamId = unique('t'), email = mail(), invite = (call) => call('POST', `/teams/${teamId}/memberships`, { body: { email, roles: [], url } })
	await u.ok('POST', '/teams', { body: { teamId, name: 'Red' } })
	fails(await invite(u.call), 503, 'general_smtp_disabled')
	assert.equal((await u.ok('GET', `/teams/${teamId}/memberships`)).total, 1)
	assert.equal((await q.ok('GET', '/users', { query: { queries: [`equal("email", "${email}")`] } })).total, 0)
	assert.equal((await invite(q.call)).status, 201)
	fails(await q.guest('POST', '/account/sessions/phone', { body: { ...phone, phone: '1' } }), 400, 'general_argument_invalid')
	fails(await u.call('POST', '/account/verification/phone', { body: {} }), 503, 'general_phone_disabled')
	fails(await q.guest('POST', '/account/verification/phone', { body: {} }), 401, 'general_unauthorized_scope')
	for (const path of ['/account/sessions/phone', '/account/verification/phone']) {
		fails(await u.call('PUT', path, { body: { userId: u.id, secret: '000000' } }), 401, 'user_invalid_token')
		fails(await u.call('PUT', path, { body: { userId: 'unknown', secret: '000000' } }), 404, 'user_not_found')
		fails(await u.call('PUT', path, { body: { userId: u.id } }), 400, 'general_argument_invalid')
	}
	fails(await q.guest('PUT', '/account/verification/phone', { body: { userId: u.id, secret: '000000' } }), 401, 'user_invalid_token')
})

test('a host that anybody can write into a request is none for mails', async () => {
	const own = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port, domain: 'api.example.org' } })
	try {
		const q = await own.project(), u = await q.user(), evil = 'https://evil.example/page'
		await q.addPlatform({ hostname: 'app.example.org' })
		for (const headers of [{ host: 'evil.example' }, { 'x-forwarded-host': 'evil.example' }]) {
			const ask = (path, body) => q.guest('POST', path, { body, headers })
			fails(await ask('/account/recovery', { email: u.email, url: evil }), 400, 'general_argument_invalid')
			fails(await ask('/account/sessions/magic-url', { userId: 'unique()', email: u.email, url: evil }), 400, 'general_argument_invalid')
			fails(await u.call('POST', '/account/verification', { body: { url: evil }, headers }), 400, 'general_argument_invalid')
			assert.equal((await ask('/account/sessions/magic-url', { userId: 'unique()', email: u.email })).status, 201)
			assert.match((await box.next(u.email)).link, /^http:\/\/api\.example\.org\/auth\/magic-url\?/)
		}
		for (const good of ['https://api.example.org/page', 'https://app.example.org/page', 'http://localhost/page']) {
			assert.equal((await q.guest('POST', '/account/recovery', { body: { email: u.email, url: good } })).status, 201, good)
			assert.ok((await box.next(u.email)).link.startsWith(`${good}?`))
		}
	} finally {
		await own.stop()
	}
})

test('without a domain no mail leads to the host of a request', async () => {
	const q = await s.project(), u = await q.user(), evil = 'http://evil.example/page'
	await q.addPlatform({ hostname: 'app.example.org' })
	for (const headers of [{ host: 'evil.example' }, { 'x-forwarded-host': 'evil.example' }]) {
		const ask = (path, body) => q.guest('POST', path, { body, headers })
		const teamId = unique('t'), email = mail(), invite = (to) => u.call('POST', `/teams/${teamId}/memberships`, { body: { email, roles: [], url: to }, headers })
		await u.ok('POST', '/teams', { body: { teamId, name: 'Red' } })
		fails(await invite(evil), 503, 'general_smtp_disabled')
		assert.equal((await q.ok('GET', '/users', { query: { queries: [`equal("email", "${email}")`] } })).total, 0)
		assert.equal((await invite('https://app.example.org/page')).status, 201)
		for (const r of [await ask('/account/recovery', { email: u.email, url: evil }), await ask('/account/sessions/magic-url', { userId: 'unique()', email: u.email }),
			await u.call('POST', '/account/verification', { body: { url: evil }, headers })])
			fails(r, 503, 'general_smtp_disabled')
		assert.equal((await ask('/account/recovery', { email: u.email, url: 'https://app.example.org/page' })).status, 201)
		assert.ok((await box.next(u.email)).link.startsWith('https://app.example.org/page?'))
	}
})

test('a secret proves the address that it was sent to, and no other', async () => {
	const u = await p.user(), next = mail(), sent = async (path, body) => {
		assert.equal((await u.call('POST', `/account/${path}`, { body })).status, 201)
		return { userId: u.id, secret: new URL((await box.next(u.email)).link).searchParams.get('secret') }
	}
	const all = { verification: await sent('verification', { url }), recovery: await sent('recovery', { url, email: u.email }),
		'sessions/magic-url': await sent('sessions/magic-url', { userId: 'unique()', email: u.email }) }
	await u.ok('PATCH', '/account/email', { body: { email: next, password: u.password } })
	for (const [path, body] of Object.entries(all))
		fails(await send('PUT', `/account/${path}`, { ...body, password: 'password-9', passwordAgain: 'password-9' }), 401, 'user_invalid_token')
	assert.deepEqual(await u.ok('GET', '/account').then((a) => [a.email, a.emailVerification]), [next, false])
	await p.ok('PATCH', `/users/${u.id}/email`, { body: { email: u.email } })
	fails(await send('PUT', '/account/verification', all.verification), 401, 'user_invalid_token')
})

/* The English words, for those languages that are not there; each other language in its own. */
describe('languages', () => {
	const recovery = { en: 'Password Reset', de: 'Passwort zurücksetzen', fr: 'Réinitialisation du mot de passe', es: 'Restablecer la contraseña', hi: 'पासवर्ड रीसेट',
		ar: 'إعادة تعيين كلمة المرور', he: 'איפוס סיסמה', sv: 'Password Reset' }
	for (const [locale, subject] of Object.entries(recovery)) {
		test(locale, async () => {
			const u = await p.user({ name: 'Zoë' }), r = await send('POST', '/account/recovery', { email: u.email, url }, { headers: { 'X-Appwrite-Locale': locale } })
			assert.equal(r.status, 201, r.text)
			const m = await box.next(u.email), rtl = ['ar', 'he'].includes(locale)
			assert.equal(m.headers.subject, subject)
			assert.ok(m.html.includes(`dir="${rtl ? 'rtl' : 'ltr'}"`))
			assert.ok(m.html.includes(`lang="${locale === 'sv' ? 'en' : locale}"`))
			assert.ok(m.text.includes('Zoë') && m.html.includes('Ünïted &amp; &lt;Co&gt;'))
			for (const part of [m.text, m.html, m.headers.from]) assert.ok(!part.includes('{{'), part)
			assert.ok(!/[^\r]\n/.test(m.text))
			follow(m, 'http://localhost/page', ['x', 'userId', 'secret', 'expire'])
		})
	}
	test('each kind in each language', async () => {
		const owner = await p.user({ name: 'Olga' }), id = unique('t')
		await owner.ok('POST', '/teams', { body: { teamId: id, name: 'Red {{name}} {{link}}' } })
		for (const locale of Object.keys(recovery)) {
			const headers = { 'X-Appwrite-Locale': locale }, email = mail()
			await send('POST', '/account/sessions/magic-url', { userId: 'unique()', email }, { headers })
			assert.ok((await box.next(email)).text.includes('/auth/magic-url'))
			const other = mail()
			await owner.ok('POST', `/teams/${id}/memberships`, { body: { email: other, roles: [], url }, headers })
			const m = await box.next(other)
			assert.ok(m.text.includes('Olga') && m.headers.subject.includes('Red {{name}} {{link}}'), m.text)
		}
	})
})

test('names cannot add headers, lines or markup', async () => {
	const evil = 'Eve\r\nBcc: victim@example.org\r\n\r\n<script>alert(1)</script>\u202e" ', u = await p.user({ name: evil })
	await send('POST', '/account/recovery', { email: u.email, url })
	const m = await box.next(u.email)
	assert.deepEqual(m.to, [u.email])
	assert.deepEqual(Object.keys(m.headers), ['from', 'to', 'subject', 'date', 'message-id', 'x-mailer', 'mime-version', 'content-type'])
	assert.ok(!m.html.includes('<script>'))
	assert.ok(m.text.startsWith('Hello Eve  Bcc: victim'))
	for (const line of m.raw.split('\r\n')) assert.ok(line.length <= 998)
})

test('a mail that can never be delivered is given up at once', async () => {
	const u = await p.user()
	never = u.email
	await send('POST', '/account/recovery', { email: u.email, url })
	await until('it is given up', () => /job given up.*kind=mail.*550/.test(s.log()))
	assert.equal(box.commands.filter((c) => c.includes(u.email)).length, 1)
})

describe('a mail server with TLS and a login', () => {
	const dir = dataDir(), file = (name) => path.join(dir, name)
	let strict, t, q
	const make = (name) => execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
		'-addext', 'subjectAltName=DNS:localhost', '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)], { stdio: 'ignore' })
	/* the settings, then a mail; read again because a running process is told of a change by a signal only */
	const set = (more) => {
		const all = { smtp_host: 'localhost', smtp_port: strict.port, smtp_secure: 'tls', smtp_username: 'badal', smtp_password: 'pass word', smtp_ca: file('good.pem'), ...more }
		writeFileSync(file('badal.conf'), Object.entries(all).map(([k, v]) => `${k} = "${v}"\n`).join(''), { mode: 0o644 })
	}
	const sent = async (more, want) => {
		set(more)
		t.kill('SIGHUP')
		const u = await q.user()
		return until('a mail by the new settings', async () => {
			const before = strict.mails.length, log = t.log().length
			await q.guest('POST', '/account/recovery', { body: { email: u.email, url } })
			const r = await until('sent or refused', () => (strict.mails.length > before ? strict.mails.at(-1) : t.log().slice(log).match(/job failed.*kind=mail.* why=(.*)/)?.[1]))
			return want(r) ? r : null
		})
	}
	before(async () => {
		make('good')
		make('other')
		strict = await sink({ tls: { key: readFileSync(file('good.key')), cert: readFileSync(file('good.pem')) }, login: { user: 'badal', password: 'pass word' } })
		set({})
		t = await server({ own: true, conf: { web_processes: 1 }, args: ['--config', file('badal.conf')] })
		q = await t.project({ name: 'TLS' })
	})
	after(async () => {
		await t.stop()
		strict.stop()
		rmSync(dir, { recursive: true })
	})

	test('STARTTLS, then the login', async () => {
		const m = await sent({}, (r) => r.secure)
		assert.deepEqual([m.secure, m.login], [true, true])
		assert.equal(m.from, 'team@localhost.test')
	})
	test('a certificate of somebody else is refused', async () => {
		await sent({ smtp_ca: file('other.pem') }, (r) => /certificate/.test(r))
	})
	test('a wrong password fails', async () => {
		await sent({ smtp_password: 'wrong' }, (r) => /535|denied/.test(r))
	})
	test('where TLS is only tried, any certificate will do', async () => {
		assert.equal((await sent({ smtp_secure: '', smtp_ca: '' }, (r) => r.secure)).login, true)
	})
})
