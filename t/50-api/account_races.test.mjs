/* Accounts that change at once, and secrets that are used twice at once. Somebody else's lock on a user holds requests in the middle. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { cookieOf, server, sleep, unique, until } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { listen } from '../lib/ws.mjs'
import { fails } from './lib.mjs'

let s, p, box, args, schema
const url = 'http://localhost/page'
const psql = (sql) => execFileSync('psql', [...args, '-c', sql], { encoding: 'utf8' }).trim()

before(async () => {
	box = await sink()
	s = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port } })
	p = await s.project()
	args = ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1']
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
})
after(async () => {
	await s.stop()
	box.stop()
})

/* Locks a user until the function it gives is called, which may first do more. */
async function holdUser(id, space = schema) {
	const c = spawn('psql', args, { stdio: ['pipe', 'pipe', 'inherit'] })
	let out = ''
	c.stdout.on('data', (d) => (out += d))
	c.stdin.write(`BEGIN; SELECT 1 FROM ${space}.users WHERE id = '${id}' FOR UPDATE; SELECT 'held';\n`)
	await until('the lock', () => out.includes('held'))
	return (more = '') => new Promise((ok) => { c.on('exit', ok); c.stdin.end(`${more} COMMIT;\n`) })
}
const waiting = (n) => until(`${n} wait`, () => Number(psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")) === n)

const statuses = async (list) => (await Promise.all(list)).map((r) => r.status).sort()
const signIn = (email, password) => p.guest('POST', '/account/sessions/email', { body: { email, password } })
const sessionsOf = async (id) => (await p.ok('GET', `/users/${id}/sessions`)).total

test('changes of an account at once: each reply has those before it', async () => {
	const u = await p.user(), go = await holdUser(u.id)
	const all = [['name', { name: 'Grace' }], ['prefs', { prefs: { theme: 'dark' } }]].map(([tail, body]) => u.call('PATCH', `/account/${tail}`, { body }))
	await waiting(2)
	await go(`UPDATE ${schema}.users SET phone = '+4915550002' WHERE id = '${u.id}';`)
	const replies = (await Promise.all(all)).map((r) => r.body)
	for (const r of replies) assert.equal(r.phone, '+4915550002')
	assert.equal(replies.filter((r) => r.name === 'Grace' && r.prefs.theme === 'dark').length, 1)
})

test('one password that is changed twice at once: one of them wins', async () => {
	const u = await p.user(), go = await holdUser(u.id), next = ['password-one', 'password-two']
	const all = next.map((password) => u.call('PATCH', '/account/password', { body: { password, oldPassword: u.password } }))
	await waiting(2)
	await go()
	assert.deepEqual(await statuses(all), [200, 401])
	assert.deepEqual(await statuses(next.map((password) => signIn(u.email, password))), [201, 401])
})

test('an anonymous user who becomes two persons at once is one of them', async () => {
	const r = await p.guest('POST', '/account/sessions/anonymous'), cookie = cookieOf(r), go = await holdUser(r.body.userId)
	const all = [1, 2].map((i) => p.guest('PATCH', '/account/email', { cookie, body: { email: `${unique('m')}@example.org`, password: `password-${i}` } }))
	await waiting(2)
	await go()
	assert.deepEqual(await statuses(all), [200, 401])
})

test('a password that changes while it signs in, or changes the address', async () => {
	const u = await p.user(), go = await holdUser(u.id)
	const all = [signIn(u.email, u.password), u.call('PATCH', '/account/email', { body: { email: `${unique('m')}@example.org`, password: u.password } })]
	await waiting(2)
	await go(`UPDATE ${schema}.users SET password = 'another' WHERE id = '${u.id}';`)
	for (const r of await Promise.all(all)) fails(r, 401, 'user_invalid_credentials')
	assert.equal(await sessionsOf(u.id), 1)
})

test('keys of the console that are made or changed while the password changes', async () => {
	const who = await s.user(), k = { name: 'K', scopes: [] }, team = (await who.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'T' } })).$id
	const headers = { 'x-appwrite-response-format': '1.9.5', 'x-appwrite-organization': team }
	const made = await who.ok('POST', '/organization/keys', { headers, status: 201, body: { keyId: 'unique()', ...k } })
	for (const [m, target, body] of [['POST', '/account/keys', k], ['POST', '/organization/keys', { keyId: 'unique()', ...k }], ['PUT', `/organization/keys/${made.$id}`, { name: 'More', scopes: ['projects.read'] }]]) {
		const thief = cookieOf(await s.call('POST', '/account/sessions/email', { body: { email: who.email, password: who.password } }))
		const go = await holdUser(who.id, 'p_0'), next = unique('password'), change = who.call('PATCH', '/account/password', { body: { password: next, oldPassword: who.password } })
		await waiting(1)
		const late = s.call(m, target, { project: 'console', cookie: thief, headers, body })
		await waiting(2)
		await go()
		assert.equal((await change).status, 200)
		who.password = next
		fails(await late, 401, 'user_unauthorized')
	}
	assert.equal((await who.ok('GET', '/account/keys', { headers })).total, 0)
	assert.deepEqual((await who.ok('GET', '/organization/keys', { headers })).keys.map((x) => x.name), ['K'])
})

test('who leaves the console while they get a team stays', async () => {
	const u = await s.user(), headers = { 'x-appwrite-response-format': '1.9.5' }, teamId = unique('t'), go = await holdUser(u.id, 'p_0')
	const made = u.call('POST', '/teams', { body: { teamId, name: 'T' } })
	await waiting(1)
	const gone = u.call('DELETE', '/account', { headers })
	await waiting(2)
	await go()
	assert.equal((await made).status, 201)
	fails(await gone, 400, 'user_deletion_prohibited')
	assert.equal((await u.ok('GET', `/teams/${teamId}`)).total, 1)
})

test('a user who is deleted while something is made for them', async () => {
	const headers = { 'x-appwrite-response-format': '1.9.5' }
	for (const [ask, status, type] of [
		[(u) => p.guest('POST', '/account/sessions/magic-url', { body: { userId: 'unique()', email: u.email } }), 404, 'user_not_found'],
		[(u) => u.call('POST', '/account/verification', { body: { url } }), 404, 'user_not_found'],
		[(u) => p.call('POST', `/users/${u.id}/tokens`, { headers, body: {} }), 404, 'user_not_found'],
		[(u) => p.call('POST', `/users/${u.id}/sessions`, { headers }), 404, 'user_not_found'],
		[(u) => u.call('POST', '/account/mfa/recovery-codes', { headers }), 404, 'user_not_found'],
		[(u) => u.call('POST', '/account/targets/push', { headers, body: { targetId: 'unique()', identifier: unique() } }), 404, 'user_not_found'],
		[(u) => u.call('POST', '/teams', { body: { teamId: 'unique()', name: 'T' } }), 404, 'user_not_found'],
		[(u) => u.call('POST', '/databases/transactions', { headers, body: {} }), 401, 'user_unauthorized'],
	]) {
		const u = await p.user(), go = await holdUser(u.id), gone = p.call('DELETE', `/users/${u.id}`)
		await waiting(1)
		const r = ask(u)
		await waiting(2)
		await go()
		assert.equal((await gone).status, 204)
		fails(await r, status, type)
	}
})

test('first sign-ins of an imported user at once', async () => {
	const email = `${unique('m')}@example.org`
	await p.ok('POST', '/users/md5', { body: { userId: 'unique()', email, password: '144fa7eaa4904e8ee120651997f70dcc' } })
	assert.deepEqual(await statuses(Array.from({ length: 4 }, () => signIn(email, 'appwrite'))), [201, 201, 201, 201])
})

test('an address that changes while it is verified', async () => {
	const u = await p.user()
	await u.ok('POST', '/account/verification', { body: { url } })
	const secret = new URL((await box.next(u.email)).link).searchParams.get('secret'), go = await holdUser(u.id)
	const r = p.guest('PUT', '/account/verification', { body: { userId: u.id, secret } })
	await waiting(1)
	await go(`UPDATE ${schema}.users SET email = '${unique('m')}@example.org' WHERE id = '${u.id}';`)
	fails(await r, 401, 'user_invalid_token')
	assert.equal((await u.ok('GET', '/account')).emailVerification, false)
})

test('each kind of secret that is used many times at once is used once', async () => {
	const u = await p.user(), link = async (m, path, body) => {
		assert.equal((await u.call(m, path, { body })).status, 201)
		const q = new URL((await box.next(u.email)).link).searchParams
		return { userId: q.get('userId'), secret: q.get('secret') }
	}
	for (const [path, start, more, good] of [['verification', { url }, {}, 200], ['recovery', { url, email: u.email }, { password: 'password-9', passwordAgain: 'password-9' }, 200],
		['sessions/magic-url', { userId: 'unique()', email: u.email }, {}, 201]]) {
		const body = { ...await link('POST', `/account/${path}`, start), ...more }, was = await sessionsOf(u.id)
		assert.deepEqual(await statuses(Array.from({ length: 5 }, () => p.guest('PUT', `/account/${path}`, { body }))), [good, 401, 401, 401, 401], path)
		assert.equal(await sessionsOf(u.id), path === 'recovery' ? 0 : was + (good === 201))
	}
})

test('a session that has expired, and its JWT, known before or not', async () => {
	const named = (name) => (e) => e.payload.name === name
	for (let seconds = 4; ; seconds *= 4) {	/* on a busy machine it may have expired before it was known */
		const known = await beforeItExpires(seconds, named)
		if (known) return whenItHasExpired(known, named)
		assert.ok(seconds < 60)
	}
})
async function beforeItExpires(seconds, named) {
	const u = await p.user(), jwt = [(await u.ok('POST', '/account/jwt')).jwt, (await u.ok('POST', '/account/jwt')).jwt]
	const session = `${schema}.sessions WHERE id = '${u.session.$id}'`, expired = () => psql(`SELECT expire <= now() FROM ${session}`) === 't'
	psql(`UPDATE ${session.replace(' WHERE', ` SET expire = now() + interval '${seconds} seconds' WHERE`)}`)
	const rename = (name) => p.ok('PATCH', `/users/${u.id}/name`, { body: { name } })
	await rename('Read again')
	const on = (o) => listen(s, `project=${p.id}&channels[]=account`, o), w = await on({ headers: { 'x-appwrite-jwt': jwt[0] } }).catch(() => null)
	const other = await on({ cookie: cookieOf(await signIn(u.email, u.password)) })
	await rename('Heard')
	await other.event(named('Heard'))
	const heard = w !== null && await until('it is heard, or too late', () => (w.frames.some((f) => f.type === 'event' && f.data.payload.name === 'Heard') ? 'yes' : expired() && 'no')) === 'yes'
	const r = await p.guest('GET', '/account', { jwt: jwt[0] })
	if (expired()) return null
	assert.deepEqual([heard, r.status], [true, 200])
	return { u, jwt, w, other, rename, expired }
}
async function whenItHasExpired({ u, jwt, w, other, rename, expired }, named) {
	await until('it has expired', expired)
	for (const by of [{ jwt: jwt[0] }, { jwt: jwt[1] }, { cookie: u.cookie }]) fails(await p.guest('GET', '/account', by), 401, 'general_unauthorized_scope')
	/* read anew; a connection that began with it hears no more, which it is told within a second or so */
	let n = 0
	await until('nothing is heard', async () => {
		const name = `Not heard ${++n}`
		await rename(name)
		fails(await p.guest('GET', '/account', { jwt: jwt[1] }), 401, 'general_unauthorized_scope')
		await other.event(named(name))
		await sleep(200)
		return !w.texts.some((text) => text.includes(name))
	})
	await Promise.all([w.close(), other.close()])
}
