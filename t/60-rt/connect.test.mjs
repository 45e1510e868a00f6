/* The handshake: who is let in, what `connected` says, how refusals look. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { after, before, test } from 'node:test'

import { server, until } from '../lib/server.mjs'
import { channels, listen, open } from '../lib/ws.mjs'

let s, p, alice

before(async () => {
	s = await server()
	p = await s.project()
	alice = await p.user({ name: 'Alice' })
	await p.addPlatform({ hostname: '*.example.org' })
	await p.addPlatform({ type: 'apple-macos', key: 'com.example.mac', hostname: undefined })
	await p.addPlatform({ type: 'flutter-ios', key: 'com.example.ios', hostname: undefined })
})
after(() => s.stop?.call(s))

const refused = async (query, options) => {
	const w = await open(s, query, options), f = await w.next()
	return [f, await w.closed]
}
const error = (code, message) => ({ type: 'error', data: { code, message } })

test('connected says what a 1.0 client expects, in its order', async () => {
	const w = await listen(s, `project=${p.id}&${channels('account', 'documents', 'documents', `account.${alice.id}`)}`, { cookie: alice.cookie })
	assert.deepEqual(Object.keys(w.hello), ['type', 'data', ...(w.hello.id ? ['id'] : [])])
	assert.deepEqual(Object.keys(w.hello.data), ['channels', 'user', 'subscriptions'])
	assert.deepEqual(w.hello.data.channels, ['account', 'documents', `account.${alice.id}`])
	assert.deepEqual(Object.keys(w.hello.data.user), ['$id', '$createdAt', '$updatedAt', 'name', 'registration', 'status', 'passwordUpdate', 'email', 'phone', 'emailVerification', 'phoneVerification', 'prefs'])
	assert.equal(w.hello.data.user.name, 'Alice')
	assert.equal(w.hello.data.subscriptions.length, 1)
	assert.deepEqual(await w.close(), { code: 1000, reason: '' })
})

test('connected in message mode', async () => {
	const w = await listen(s, `project=${p.id}`)
	assert.deepEqual(w.hello.data, { channels: [], subscriptions: [], user: null })
	assert.deepEqual(Object.keys(w.hello.data), ['channels', 'subscriptions', 'user'])
	await w.close()
})

for (const [name, query, want] of [
	['numbered channels', 'channels[0]=files&channels[1]=teams', ['files', 'teams']],
	['percent-encoded brackets', 'channels%5B%5D=files', ['files']],
	['an empty name', 'channels[]=', ['']],
	['unknown names', 'channels[]=whatever&channels[]=collections.x', ['whatever', 'collections.x']],
	['account of a guest', 'channels[]=account&channels[]=documents', ['account', 'documents']],
])
	test(`channels: ${name}`, async () => {
		const w = await listen(s, `project=${p.id}&${query}`)
		assert.deepEqual(w.hello.data.channels, want)
		assert.equal(w.hello.data.user, null)
		await w.close()
	})

test('the project: in a header, the console when none is named', async () => {
	const a = await listen(s, channels('documents'), { headers: { 'x-appwrite-project': p.id, cookie: alice.cookie } })
	assert.equal(a.hello.data.user.$id, alice.id)
	const b = await listen(s, channels('documents'), { origin: 'https://evil.example' })
	assert.equal(b.hello.data.user, null)
	await Promise.all([a.close(), b.close()])
})

test('identity: legacy cookie, fallback header, JWT in header and query; garbage is a guest', async () => {
	const token = alice.cookie.match(/a_session_[^=]*=([^;]*)/)[1], { jwt } = await alice.ok('POST', '/account/jwt')
	const q = `project=${p.id}&${channels('account')}`
	for (const [options, query] of [
		[{ cookie: `a_session_${p.id.toLowerCase()}_legacy=${token}` }, q],
		[{ headers: { 'x-fallback-cookies': JSON.stringify({ [`a_session_${p.id}`]: decodeURIComponent(token) }) } }, q],
		[{ headers: { 'x-appwrite-jwt': jwt } }, q],
		[{}, `${q}&jwt=${jwt}`],
	]) {
		const w = await listen(s, query, options)
		assert.deepEqual(w.hello.data.channels, ['account', `account.${alice.id}`])
		await w.close()
	}
	const w = await listen(s, q, { cookie: `a_session_${p.id}=garbage` })
	assert.equal(w.hello.data.user, null)
	await w.close()
	const [f, close] = await refused(q, { headers: { 'x-appwrite-jwt': 'garbage' } })
	assert.equal(f.data.code, 401)
	assert.match(f.data.message, /^Failed to verify JWT/)
	assert.equal(close.code, 1006)
})

test('cookies do not count for a page that hides its origin, nor on the console for one of another site', async () => {
	const token = alice.cookie.match(/a_session_[^=]*=([^;]*)/)[1], who = async (query, options) => {
		const w = await listen(s, `${query}&${channels('documents')}`, options), user = w.hello.data.user
		await w.close()
		return user && user.$id
	}
	const script = { 'x-fallback-cookies': JSON.stringify({ [`a_session_${p.id}`]: decodeURIComponent(token) }) }
	assert.equal(await who(`project=${p.id}`, { cookie: alice.cookie, origin: 'null' }), null)
	assert.equal(await who(`project=${p.id}`, { headers: script, origin: 'null' }), alice.id)
	const me = await s.console()
	for (const [origin, id] of [['https://evil.example', null], ['null', null], ['http://a$b.evil.test', null], ['http://localhost:3000', me.id], [`${s.base.protocol}//${s.base.host}`, me.id], [null, me.id]])
		assert.equal(await who('project=console', { cookie: me.cookie, origin }), id, origin)
})

test('mode admin: members of the owning team only', async () => {
	const q = `project=${p.id}&${channels('documents')}&mode=admin`, stranger = await s.user()
	const a = await listen(s, q, { cookie: p.console.cookie }), b = await listen(s, q, { cookie: stranger.cookie })
	assert.equal(a.hello.data.user.$id, p.console.id)
	assert.equal(b.hello.data.user, null)
	await Promise.all([a.close(), b.close()])
})

test('mode admin: roles of the console are none of the project, whatever their names', async () => {
	const team = p.teamId, me = p.console
	/* a team and a user of the project with the ids of the console's */
	await p.ok('POST', '/teams', { body: { teamId: team, name: 'same' } })
	const twin = await p.user({ id: me.id })
	const q = `project=${p.id}&${channels('teams', 'account', 'memberships')}`
	const admin = await listen(s, `${q}&mode=admin`, { cookie: me.cookie }), user = await listen(s, q, { cookie: twin.cookie })
	assert.equal(admin.hello.data.user.$id, me.id)
	await p.ok('PUT', `/teams/${team}`, { body: { name: 'other' } })
	await twin.ok('PATCH', '/account/name', { body: { name: 'Twin' } })
	await user.event((d) => d.events[0] === `users.${me.id}.update`)	/* it came to who it is for */
	await admin.ask({ type: 'ping' })
	assert.deepEqual(admin.frames, [])
	await Promise.all([admin.close(), user.close()])
})

test('mode admin: the cookie is the console\'s, so a page of the project does not bring it', async () => {
	const q = `project=${p.id}&${channels('documents')}&mode=admin`, me = p.console
	const token = me.cookie.match(/a_session_console=([^;]*)/)[1], script = { 'x-fallback-cookies': JSON.stringify({ a_session_console: decodeURIComponent(token) }) }
	for (const [options, id] of [[{ cookie: me.cookie, origin: 'https://app.example.org' }, null], [{ cookie: me.cookie, origin: 'null' }, null], [{ headers: script, origin: 'https://app.example.org' }, me.id],
		[{ cookie: me.cookie, origin: 'http://localhost:3000' }, me.id], [{ cookie: me.cookie, origin: null }, me.id]]) {
		const w = await listen(s, q, options)
		assert.equal(w.hello.data.user && w.hello.data.user.$id, id, JSON.stringify(options))
		await w.close()
	}
})

test('realtime that is switched off is for members of the team alone, and ends for others at once', async () => {
	const q = await s.project(), off = error(1008, 'Realtime is switched off for the project'), owner = { cookie: q.console.cookie }
	const put = (status) => s.ok('PATCH', `/projects/${q.id}/api`, { ...owner, body: { api: 'realtime', status }, headers: { 'x-appwrite-response-format': '1.8.0' } })
	const at = (more = '') => `project=${q.id}${more}&${channels('documents')}`
	const guest = await listen(s, at()), member = await listen(s, at('&mode=admin'), owner)
	await put(false)
	assert.deepEqual(await guest.next(), off)
	assert.deepEqual((await refused(at()))[0], off)
	await (await listen(s, at('&mode=admin'), owner)).close()
	assert.deepEqual(await member.ask({ type: 'ping' }), { type: 'pong' })
	await put(true)
	await Promise.all([(await listen(s, at())).close(), member.close()])
})

test('a socket ends with the platform that its page is of, and with its project', async () => {
	const q = await s.project(), f = await q.addPlatform({ hostname: 'gone.example' })
	const page = await listen(s, `project=${q.id}&${channels('documents')}`, { origin: 'https://gone.example' }), app = await listen(s, `project=${q.id}&${channels('documents')}`)
	await s.ok('DELETE', `/projects/${q.id}/platforms/${f.$id}`, { cookie: q.console.cookie })
	assert.deepEqual(await page.next(), error(1008, kind('gone.example', 'Web')))
	assert.equal((await page.closed).code, 1006)
	await s.ok('DELETE', `/projects/${q.id}`, { cookie: q.console.cookie, body: { password: q.console.password } })
	assert.deepEqual(await app.next(), error(1008, 'Missing or unknown project ID'))
	await app.closed
})

test('a socket ends with its JWT; a new authentication has its own time', async () => {
	const own = await server({ own: true, conf: { life_jwt: '1s' } })
	try {
		const pr = await own.project(), u = await pr.user(), q = `project=${pr.id}&${channels('documents')}`
		const { jwt } = await u.ok('POST', '/account/jwt')	/* good for a second, and ten more for clocks that differ */
		const one = await listen(own, `${q}&jwt=${jwt}`), two = await listen(own, `${q}&jwt=${jwt}`), three = await listen(own, q, { cookie: u.cookie })
		assert.equal(one.hello.data.user.$id, u.id)
		const r = await two.ask({ type: 'authentication', data: { session: decodeURIComponent(u.cookie.match(/a_session_[^=;]*=([^;]*)/)[1]) } })
		assert.equal(r.data.success, true)
		assert.deepEqual(await one.closed, { code: 3000, reason: 'what it was opened with has expired' })
		for (const w of [two, three]) assert.deepEqual(await w.ask({ type: 'ping' }), { type: 'pong' })
		assert.match((await own.call('GET', '/metrics', { root: true })).text, /^badal_rt_expired_total 1$/m)
	} finally {
		await own.stop()
	}
})

test('a JWT of before a change of password is nobody on a socket, either; a session stays', async () => {
	const u = await p.user(), q = `project=${p.id}&${channels('account')}`, { jwt } = await u.ok('POST', '/account/jwt')
	const byJwt = await listen(s, `${q}&jwt=${jwt}`), bySession = await listen(s, q, { cookie: u.cookie }), named = (n) => (d) => d.payload.name === n
	await u.ok('PATCH', '/account/name', { body: { name: 'One' } })
	await Promise.all([byJwt.event(named('One')), bySession.event(named('One'))])
	await p.ok('PATCH', `/users/${u.id}/password`, { body: { password: 'another-password' } })
	await u.ok('PATCH', '/account/name', { body: { name: 'Two' } })
	await bySession.event(named('Two'))
	await byJwt.ask({ type: 'ping' })
	assert.ok(!byJwt.frames.some((f) => f.data.payload.name === 'Two'))
	await Promise.all([byJwt.close(), bySession.close()])
})

for (const [name, query, code, message] of [
	['an unknown project', () => `project=nosuch&${channels('a')}`, 1008, 'Missing or unknown project ID'],
	['an empty project', () => `project=&${channels('a')}`, 1008, 'Missing or unknown project ID'],
	['only the channel of somebody else', () => `project=${p.id}&${channels('account.x')}`, 1008, 'Missing channels'],
	['a scalar', () => `project=${p.id}&channels=documents`, 1008, 'Channels must be a list'],
	['too many channels', () => `project=${p.id}&${Array.from({ length: 1001 }, (_, i) => `channels[]=${i}`).join('&')}`, 1008, 'Too many channels'],
	['a bad query', () => `project=${p.id}&${channels('a')}&a[0][]=x`, 1008, 'Invalid query: A query is no JSON.'],
	['a query of no channel', () => `project=${p.id}&${channels('a')}&b[0][]=x`, 1008, 'Invalid query: The parameter b is of no channel that is subscribed to.'],
	['a slot that is none', () => `project=${p.id}&${channels('a')}&a[100][]=x`, 1008, 'Invalid query: Slots are numbers from 0 to 99.'],
	['too many parameters', () => `project=${p.id}&${'&'.repeat(5000)}${channels('a')}`, 1008, 'Too many parameters'],
	['channels times slots', () => `project=${p.id}&${Array.from({ length: 512 }, (_, i) => `channels[]=a${[...i.toString(2).padStart(9, '0')].map((b) => (b === '1' ? '.a' : '_a')).join('')}`).join('&')}&${Array.from({ length: 100 }, (_, i) => `${'a_'.repeat(9)}a[${i}][]=x`).join('&')}`, 1008, 'Too many queries'],
	['an escape that is none', () => `project=${p.id}&${channels('a')}&channels[]=100%`, 1008, /^The parameters cannot be read\. It has a percent sign without two hexadecimal digits at byte \d+\.$/],
	['bytes that are no text', () => `project=${p.id}&channels[]=a%ff`, 1008, /^The parameters cannot be read\. It is not valid UTF-8 at byte \d+\.$/],
	['a NUL', () => `project=${p.id}&channels[]=a%00b`, 1008, /^The parameters cannot be read\. It holds a NUL at byte \d+\.$/],
	['a NUL in a query', () => `project=${p.id}&${channels('a')}&a[0][]=${encodeURIComponent('{"method":"equal","attribute":"a","values":["\\u0000"]}')}`, 1008, 'Invalid query: A query is no JSON.'],
	['a place that is none', () => `project=${p.id}&${channels('a')}&since=x`, 1008, 'Invalid since'],
])
	test(`refused: ${name}`, async () => {
		const got = await refused(query())
		if (message instanceof RegExp) assert.match(got[0].data.message, message)
		assert.deepEqual(got, [error(code, message instanceof RegExp ? got[0].data.message : message), { code: 1006, reason: '' }])
	})

const kind = (host, k) => `Invalid Origin. Register your new client (${host}) as a new ${k} platform on your project console dashboard`
for (const [origin, want] of [
	['http://localhost', null],
	['https://app.example.org', null],
	['appwrite-ios://com.example.ios', null],
	[undefined, null],
	['example.com', null],
	['https://evil.example', kind('evil.example', 'Web')],
	['http://127.0.0.1', null],
	['http://127.0.0.2', kind('127.0.0.2', 'Web')],
	['appwrite-android://com.unknown', kind('com.unknown', 'Android')],
	['gopher://evil.example', 'Unsupported platform'],
	['http://a$b.evil.test', 'Unsupported platform'],
	['http://user@app.example.org', kind('app.example.org', 'Web')],
	['HTTPS://APP.example.org', null],
	['Appwrite-IOS://com.example.ios', null],
	['Appwrite-iOS://app.example.org', kind('app.example.org', 'iOS')],
])
	test(`origin ${origin}: ${want ? 'refused' : 'accepted'}`, async () => {
		const w = await open(s, `project=${p.id}&${channels('documents')}`, { origin: origin ?? null }), f = await w.next()
		if (want) assert.deepEqual(f, error(1008, want))
		else assert.equal(f.type, 'connected')
		w.end()
	})

/* What requests of today are let in from. In the URL the words are those of 1.0. */
const callback = () => `appwrite-callback-${p.id}`
for (const [origin, want] of [
	[() => `${callback()}://`, null],
	[() => `${callback()}://any.where/x`, null],
	[() => 'appwrite-macos://com.example.mac', null],
	[() => 'appwrite-tvos://com.example.mac', kind('com.example.mac', 'tvOS')],
	[() => 'appwrite-callback-other://', 'Invalid Scheme. The scheme used (appwrite-callback-other) in the Origin (appwrite-callback-other://) is not supported. If you are using a custom scheme, please change it to `appwrite-callback-<PROJECT_ID>`'],
	[() => 'gopher://evil.example', 'Invalid Scheme. The scheme used (gopher) in the Origin (gopher://evil.example) is not supported. If you are using a custom scheme, please change it to `appwrite-callback-<PROJECT_ID>`'],
	[() => 'http://a$b.evil.test', 'Invalid Origin.'],
	[() => 'https://evil.example', kind('evil.example', 'Web')],
	[() => 'tauri://app.example.org', null],
	[() => 'example.com', null],
])
	test(`origin ${String(origin).slice(6)} of a client that speaks by messages: ${want ? 'refused' : 'accepted'}`, async () => {
		for (const [query, text] of [[`project=${p.id}`, want], [`project=${p.id}&${channels('documents')}`, want && (/Invalid (Scheme|Origin\.$)/.test(want) ? 'Unsupported platform' : want)]]) {
			const w = await open(s, query, { origin: origin() }), f = await w.next()
			if (text) assert.deepEqual(f, error(1008, text))
			else assert.equal(f.type, 'connected')
			w.end()
		}
	})

test('a page of the server itself is let in, as requests of it are, and of a domain that is verified, with its cookies', async (t) => {
	const own = await server({ own: true })
	t.after(() => own.stop())
	const q = await own.project(), u = await q.user(), name = 'shop.example.org'
	const as = async (origin, host) => { const w = await open(own, `project=${q.id}`, { origin, cookie: u.cookie, headers: host ? { host } : {} }), f = await w.next(); w.end(); return f.data.message ?? f.data.user?.$id ?? null }
	assert.equal(await as('https://api.example.net', 'api.example.net'), u.id)
	assert.equal(await as('https://api.example.net', 'other.example.net'), kind('api.example.net', 'Web'))
	await q.console.ok('POST', `/projects/${q.id}/domains`, { body: { domain: name } })
	assert.equal(await as(`https://${name}`), kind(name, 'Web'))
	execFileSync('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-q', '-c', 'UPDATE badal.domains SET verification = true'])
	await q.console.ok('PATCH', `/projects/${q.id}`, { body: { name: 'read anew' } })
	assert.equal(await as(`https://${name}`), u.id)
})

test('a key of a developer lets any page in without its cookies and ten times as often, as long as it lasts', async (t) => {
	const own = await server({ own: true, conf: { rate_limits: 'on', rt_connect_rate: 3 } })
	t.after(() => own.stop())
	const q = await own.project(), u = await q.user(), old = { headers: { 'x-appwrite-response-format': '1.8.0' } }, at = `/projects/${q.id}/dev-keys`, later = () => new Date(Date.now() + 3600e3).toISOString()
	const made = async (expire = later()) => q.console.ok('POST', at, { body: { name: 'D', expire }, ...old })
	const [one, two, over] = [await made(), await made(), await made('2020-01-01')], origin = 'https://preview.example', foreign = kind('preview.example', 'Web')
	const come = (query, o) => listen(own, `project=${q.id}${query}`, { origin, cookie: u.cookie, ...o })
	const socket = await come(`&devKey=${one.secret}`), urls = await come(`&${channels('documents')}`, { headers: { 'x-appwrite-dev-key': one.secret } }), page = await come(`&devKey=${one.secret}`, { origin: 'http://localhost' }), other = await come(`&devKey=${two.secret}`)
	for (const w of [socket, urls, other]) assert.equal(w.hello.data.user, null)
	assert.equal(page.hello.data.user.$id, u.id)
	for (let i = 0; i < 5; i++) (await come(`&devKey=${one.secret}`)).end()	/* more than the limit */
	const told = []
	for (let i = 0; i < 31; i++) {
		const w = await open(own, `project=${q.id}&devKey=${one.secret}`, { origin, headers: { 'x-forwarded-for': '192.0.2.7' } })
		told.push((await w.next()).data.message)
		w.end()
	}
	assert.ok(told.includes('Too many requests'), 'ten times the limit is one, too')
	await q.console.ok('DELETE', `${at}/${one.$id}`, old)
	for (const w of [socket, urls]) assert.deepEqual(await w.next(), error(1008, foreign))
	for (const w of [page, other]) assert.deepEqual(await w.ask({ type: 'ping' }), { type: 'pong' })
	/* it ends earlier by now: so do its sockets */
	await q.console.ok('PUT', `${at}/${two.$id}`, { body: { name: 'D', expire: new Date(Date.now() + 3000).toISOString() }, ...old })
	assert.ok([1006, 3000].includes((await other.closed).code))
	assert.equal(page.open, true)
	page.end()
	for (const secret of ['x', over.secret, one.secret]) {
		const w = await open(own, `project=${q.id}&devKey=${secret}`, { origin, headers: { 'x-forwarded-for': '192.0.2.1' } }), f = await w.next()
		assert.ok(f.data.message === foreign || f.data.message === 'Too many requests', f.data.message)
		w.end()
	}
})

test('a plain request to the endpoint is a bad one', async () => {
	assert.equal((await s.call('GET', '/realtime', { project: p.id })).status, 400)
})

/* After an upgrade all clients of a project come at once, while it is being migrated. */
test('who waits for the migration of a project holds up nobody else', async (t) => {
	const own = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay', migrate_wait: '30m', request_timeout: '10m', requests_max: 1100 } })
	const sql = (q) => execFileSync('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', q], { encoding: 'utf8' }).trim()
	const [a, b] = [await own.project(), await own.project()], schema = sql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${a.id}'`)
	const holder = spawn('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq'], { stdio: ['pipe', 'pipe', 'inherit'] })
	t.after(() => { holder.kill(); holder.stdout.destroy(); return own.stop() })
	holder.stdin.write(`SELECT pg_advisory_lock(hashtextextended('${schema}', 2)); SELECT 'held';\n`)
	await once(holder.stdout, 'data')
	sql(`UPDATE badal.projects SET version = 1 WHERE id = '${a.id}'`)
	await a.console.ok('PATCH', `/projects/${a.id}`, { body: { name: 'behind' } })	/* what was kept is read again */
	const waiting = await Promise.all(Array.from({ length: 200 }, () => open(own, `project=${a.id}`)))
	await until('they have come', async () => Number((await own.call('GET', '/metrics', { root: true })).text.match(/^badal_rt_connections (\d+)/m)[1]) > 100)
	const w = await listen(own, `project=${b.id}`)
	assert.equal(w.hello.type, 'connected')
	/* those who would be too many are told to come again */
	await until('some are refused', () => waiting.some((v) => v.frames.some((f) => f.type === 'error' && f.data.code === 503)))
	/* nor do requests take all places: an eighth is for one project, of which those have most */
	const asked = Array.from({ length: 30 }, () => a.call('GET', '/users')), first = await Promise.race([...asked, new Promise((ok) => setTimeout(ok, 60000, null).unref())])
	assert.deepEqual([first?.status, first?.body.type], [503, 'general_project_migrating'])
	assert.equal((await b.call('GET', '/users')).status, 200)
	holder.stdin.end()
	assert.ok((await Promise.all(asked)).some((r) => r.status === 200))
	await until('the others are let in', () => waiting.some((v) => v.frames.some((f) => f.type === 'connected')))
	for (const v of [w, ...waiting]) v.end()
})
