/* Sign-in by codes and by what an app's server makes for its user: tokens, sessions, JSON web tokens; keys that may sign people in. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { allScopes, cookieOf, server, unique } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { fails, keysOf, session } from './lib.mjs'

let s, p, box, schema
const mail = () => `${unique()}@example.org`
const today = { headers: { 'x-appwrite-response-format': '1.9.5' } }
const guest = (m, target, body, o = {}) => p.guest(m, target, { body, ...today, ...o })
const key = (m, target, body, o = {}) => p.call(m, target, { body, ...today, ...o })
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
const by = (secret) => p.guest('GET', '/account', { headers: { ...today.headers, 'x-appwrite-session': secret } })

before(async () => {
	box = await sink()
	s = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port } })
	p = await s.project()
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
})
after(async () => {
	await s.stop()
	box.stop()
})

describe('a code by mail', () => {
	const code = (m) => m.text.match(/^\d{6}$/m)[0]
	const ask = async (body, o) => { const r = await guest('POST', '/account/tokens/email', body, o); assert.equal(r.status, 201, r.text); return r.body }

	test('makes the user, signs in once, and proves the address', async () => {
		const email = mail(), t = await ask({ userId: 'unique()', email })
		assert.deepEqual([t.secret, t.phrase], ['', ''])
		const m = await box.next(email), secret = code(m)
		assert.ok(m.html.includes(`>${secret}<`) && !/href/.test(m.html) && !m.text.includes('{{'), m.html)
		fails(await guest('POST', '/account/sessions/token', { userId: t.userId, secret: secret === '000000' ? '000001' : '000000' }), 401, 'user_invalid_token')
		fails(await guest('PUT', '/account/sessions/phone', { userId: t.userId, secret }), 401, 'user_invalid_token')
		for (const [m, route, o, ...told] of [['POST', 'token', today, 401, 'user_invalid_token'], ['POST', 'token', {}, 401, 'user_invalid_token'], ['PUT', 'phone', today, 401, 'user_invalid_token'], ['PUT', 'phone', {}, 404, 'user_not_found']])
			fails(await p.guest(m, `/account/sessions/${route}`, { body: { userId: unique(), secret }, ...o }), ...told)
		const rs = await Promise.all([1, 2, 3].map(() => guest('POST', '/account/sessions/token', { userId: t.userId, secret })))
		assert.deepEqual(rs.map((r) => r.status).sort(), [201, 401, 401])
		const r = rs.find((x) => x.status === 201), me = (await p.guest('GET', '/account', { cookie: cookieOf(r) })).body
		assert.deepEqual([r.body.provider, r.body.secret, me.email, me.emailVerification], ['token', '', email, true])
	})

	test('of an address that is known is its user\'s; words to compare are in mail and answer', async () => {
		const u = await p.user(), t = await ask({ userId: 'unique()', email: u.email, phrase: true }), m = await box.next(u.email)
		assert.equal(t.userId, u.id)
		assert.match(t.phrase, /^[A-Z][a-z]+ [a-z]+$/)
		assert.ok(m.text.includes(t.phrase) && m.html.includes(t.phrase))
		const de = await ask({ userId: 'unique()', email: u.email, phrase: true }, { headers: { ...today.headers, 'x-appwrite-locale': 'de' } }), n = await box.next(u.email)
		assert.ok(n.headers.subject === 'Anmeldecode' && n.text.includes(`„${de.phrase}“`), n.text)
	})

	test('is over after a while', async () => {
		const email = mail(), t = await ask({ userId: 'unique()', email }), secret = code(await box.next(email))
		psql(`UPDATE ${schema}.tokens SET expire = now() - interval '1 second' WHERE id = '${t.$id}'`)
		fails(await guest('POST', '/account/sessions/token', { userId: t.userId, secret }), 401, 'user_invalid_token')
	})

	test('the newest alone is good, of those asked for at once too', async () => {
		const email = mail(), first = await ask({ userId: 'unique()', email }), secrets = [code(await box.next(email))]
		const t = await ask({ userId: 'unique()', email }), last = code(await box.next(email))
		if (secrets[0] !== last) fails(await guest('POST', '/account/sessions/token', { userId: first.userId, secret: secrets[0] }), 401, 'user_invalid_token')
		assert.equal((await guest('POST', '/account/sessions/token', { userId: t.userId, secret: last })).status, 201)
		await Promise.all(Array.from({ length: 8 }, () => ask({ userId: 'unique()', email })))
		assert.equal(psql(`SELECT count(*) FROM ${schema}.tokens WHERE user_id = '${t.userId}'`), '1')
	})

	test('errors', async () => {
		for (const bad of [{ email: 'x' }, { email: undefined }, { userId: 'no no' }, { phrase: 'yes' }])
			fails(await guest('POST', '/account/tokens/email', { userId: 'unique()', email: mail(), ...bad }), 400, 'general_argument_invalid')
		await p.console.ok('PATCH', `/projects/${p.id}/auth/email-otp`, { body: { status: false } })
		const r = await guest('POST', '/account/tokens/email', { userId: 'unique()', email: mail() })
		fails(r, 501, 'user_auth_method_unsupported')
		assert.equal(r.body.message, 'Email OTP authentication is disabled for this project')
		assert.equal((await p.console.ok('GET', `/projects/${p.id}`, { headers: { 'x-appwrite-response-format': '1.8.0' } })).authEmailOtp, false)
		await p.console.ok('PATCH', `/projects/${p.id}/auth/email-otp`, { body: { status: true } })
	})
})

describe('tokens that a server makes', () => {
	test('sign their user in, once', async () => {
		const u = await p.user(), t = (await key('POST', `/users/${u.id}/tokens`, {})).body
		assert.match(t.secret, /^[0-9a-f]{6}$/)
		assert.ok(Math.abs(Date.parse(t.expire) - Date.parse(t.$createdAt) - 900000) < 1000)
		const rs = await Promise.all([1, 2].map(() => guest('POST', '/account/sessions/token', { userId: u.id, secret: t.secret })))
		assert.deepEqual(rs.map((r) => r.status).sort(), [201, 401])
		assert.equal(rs.find((r) => r.status === 201).body.provider, 'token')
	})

	test('are as long as is said, and good as long', async () => {
		const u = await p.user()
		for (const [length, expire] of [[4, 60], [7, 61], [128, 31536000]]) {
			const t = (await key('POST', `/users/${u.id}/tokens`, { length, expire })).body
			assert.equal(t.secret.length, length)
			assert.ok(Math.abs(Date.parse(t.expire) - Date.parse(t.$createdAt) - expire * 1000) < 1000)
			assert.equal((await guest('POST', '/account/sessions/token', { userId: u.id, secret: t.secret })).status, 201)
		}
		for (const bad of [{ length: 3 }, { length: 129 }, { expire: 59 }, { expire: 31536001 }, { length: 'x' }])
			fails(await key('POST', `/users/${u.id}/tokens`, bad), 400, 'general_argument_invalid')
	})

	test('for nobody else, and not of somebody blocked', async () => {
		const u = await p.user(), other = await p.user(), t = (await key('POST', `/users/${u.id}/tokens`, { length: 64 })).body
		fails(await guest('POST', '/account/sessions/token', { userId: other.id, secret: t.secret }), 401, 'user_invalid_token')
		fails(await key('POST', '/users/nobody/tokens', {}), 404, 'user_not_found')
		fails(await u.call('POST', `/users/${u.id}/tokens`, { body: {} }), 401, 'general_unauthorized_scope')
		await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: false } })
		fails(await guest('POST', '/account/sessions/token', { userId: u.id, secret: t.secret }), 401, 'user_invalid_token')
	})
})

describe('sessions that a server begins', () => {
	test('are their user in X-Appwrite-Session, until they end', async () => {
		const u = await p.user(), r = await key('POST', `/users/${u.id}/sessions`)
		assert.equal(r.status, 201)
		assert.deepEqual([r.body.provider, r.body.current, r.body.userId], ['server', false, u.id])
		assert.equal((await by(r.body.secret)).body.$id, u.id)
		assert.ok((await p.ok('GET', `/users/${u.id}/sessions`, today)).sessions.every((x) => x.secret === ''))
		await p.ok('DELETE', `/users/${u.id}/sessions/${r.body.$id}`)
		fails(await by(r.body.secret), 401, 'general_unauthorized_scope')
		fails(await key('POST', '/users/nobody/sessions'), 404, 'user_not_found')
	})

	test('clients of before are told no secret', async () => {
		const u = await p.user(), r = await p.call('POST', `/users/${u.id}/sessions`, { headers: { 'x-appwrite-response-format': '1.0.0' } })
		keysOf(r.body, session)
	})
})

describe('JSON web tokens that a server makes', () => {
	const as = (jwt) => p.guest('GET', '/account', { headers: { 'x-appwrite-jwt': jwt } })

	test('stand for the user: of the newest session, of one, or of none', async () => {
		const u = await p.user({ session: false }), none = (await key('POST', `/users/${u.id}/jwts`, {})).body
		assert.equal((await as(none.jwt)).body.$id, u.id)
		const [a, b] = [(await key('POST', `/users/${u.id}/sessions`)).body, (await key('POST', `/users/${u.id}/sessions`)).body]
		const newest = (await key('POST', `/users/${u.id}/jwts`, {})).body, first = (await key('POST', `/users/${u.id}/jwts`, { sessionId: a.$id, duration: 3600 })).body
		await p.ok('DELETE', `/users/${u.id}/sessions/${b.$id}`)
		fails(await as(newest.jwt), 401, 'general_unauthorized_scope')
		assert.equal((await as(first.jwt)).body.$id, u.id)
		const { exp } = JSON.parse(Buffer.from(first.jwt.split('.')[1], 'base64url'))
		assert.ok(Math.abs(exp - Date.now() / 1000 - 3600) < 60)
		await p.ok('PATCH', `/users/${u.id}/password`, { body: { password: 'another-horse' } })
		fails(await as(none.jwt), 401, 'general_unauthorized_scope')
	})

	test('are their user alone, whoever else has the id, elsewhere or later', async () => {
		const id = unique('u'), other = await s.project(), made = { userId: id, password: 'correct-horse' }
		for (const [q, email] of [[p, mail()], [other, mail()]]) await q.ok('POST', '/users', { body: { ...made, email } })
		await s.call('POST', '/account', { project: 'console', body: { ...made, email: mail() } })
		const { jwt } = (await key('POST', `/users/${id}/jwts`, {})).body, headers = { 'x-appwrite-jwt': jwt }
		assert.equal((await as(jwt)).body.$id, id)
		fails(await other.guest('GET', '/account', { headers }), 401, 'general_unauthorized_scope')
		fails(await s.call('GET', '/account', { project: 'console', headers }), 401, 'general_unauthorized_scope')
		await p.ok('DELETE', `/users/${id}`)
		await p.ok('POST', '/users', { body: { ...made, email: mail() } })
		fails(await as(jwt), 401, 'general_unauthorized_scope')
	})

	test('errors', async () => {
		const u = await p.user()
		fails(await key('POST', `/users/${u.id}/jwts`, { sessionId: 'nowhere' }), 404, 'user_session_not_found')
		for (const duration of [-1, 3601, 'x']) {
			fails(await key('POST', `/users/${u.id}/jwts`, { duration }), 400, 'general_argument_invalid')
			fails(await u.call('POST', '/account/jwts', { body: { duration } }), 400, 'general_argument_invalid')
		}
		fails(await key('POST', '/users/nobody/jwts', {}), 404, 'user_not_found')
	})
})

describe('keys that may sign people in', () => {
	test('get the secret of the session, which the server shows as its user\'s', async () => {
		const u = await p.user(), may = await p.addKey(['sessions.write']), body = { email: u.email, password: u.password }
		const r = await guest('POST', '/account/sessions/email', body, { headers: { ...today.headers, 'x-appwrite-key': may } })
		assert.equal(r.status, 201, r.text)
		assert.equal((await by(r.body.secret)).body.$id, u.id)
		assert.equal((await guest('POST', '/account/sessions/email', body)).body.secret, '')
		const made = await guest('POST', '/account/sessions/anonymous', {}, { headers: { ...today.headers, 'x-appwrite-key': may } })
		assert.equal((await by(made.body.secret)).body.$id, made.body.userId)
	})

	test('let people who forgot it set a password', async () => {
		const u = await p.user(), may = await p.addKey(['sessions.write']), as = { headers: { ...today.headers, 'x-appwrite-key': may } }, url = 'http://localhost/new'
		const r = await guest('POST', '/account/recovery', { email: u.email, url }, as)
		assert.equal(r.status, 201, r.text)
		const letter = await box.next(u.email), secret = new URL(letter.link).searchParams.get('secret')
		assert.equal(r.body.secret, secret, 'the server is told it')
		assert.equal((await guest('PUT', '/account/recovery', { userId: u.id, secret, password: 'another-horse' }, as)).status, 200)
		assert.equal((await guest('POST', '/account/sessions/email', { email: u.email, password: 'another-horse' })).status, 201)
		const code = await guest('POST', '/account/recovery/otp', { email: u.email }, as)
		assert.equal(code.status, 201, code.text)
		assert.equal((await guest('PUT', '/account/recovery/otp', { userId: u.id, secret: code.body.secret, password: 'a-third-horse' }, as)).status, 200)
		const none = { headers: { ...today.headers, 'x-appwrite-key': await p.addKey(['users.write']) } }
		fails(await guest('POST', '/account/recovery', { email: u.email, url }, none), 401, 'general_unauthorized_scope')
		fails(await guest('PUT', '/account/recovery', { userId: u.id, secret: 'x', password: 'another-horse' }, none), 401, 'general_unauthorized_scope')
	})

	test('others may not', async () => {
		const u = await p.user(), may = await p.addKey(allScopes.filter((x) => x !== 'sessions.write')), body = { email: u.email, password: u.password }
		const r = await guest('POST', '/account/sessions/email', body, { headers: { ...today.headers, 'x-appwrite-key': may } })
		fails(r, 401, 'general_unauthorized_scope')
		assert.match(r.body.message, /missing scopes \(\["sessions.write"\]\)$/)
	})
})
