/* The account service: signing up and in, sessions, changes of the own account. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import net from 'node:net'
import { before, describe, test } from 'node:test'
import { cookieOf, dataDir, server, unique } from '../lib/server.mjs'
import { account, fails, isTime, keysOf, session } from './lib.mjs'

let s, p
const mail = () => `${unique('m')}@example.org`
const password = 'password-1234'
const post = (path, body, o = {}) => p.guest('POST', path, { body, ...o })

before(async () => {
	s = await server()
	p = await s.project()
})

describe('sign-up', () => {
	test('gives the account and no session', async () => {
		const email = mail(), r = await post('/account', { userId: 'unique()', email: email.toUpperCase(), password, name: 'Ada' })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, account)
		assert.match(r.body.$id, /^[0-9a-f]{20}$/)
		assert.equal(r.body.email, email)
		assert.equal(r.body.status, true)
		assert.deepEqual(r.body.prefs, {})
		assert.equal(r.body.emailVerification, false)
		for (const k of ['$createdAt', '$updatedAt', 'registration', 'passwordUpdate']) isTime(r.body[k])
		assert.equal(r.headers['set-cookie'], undefined)
	})

	test('an id or e-mail that is taken, in any case of letters', async () => {
		const id = unique('ID'), email = mail()
		assert.equal((await post('/account', { userId: id, email, password })).status, 201)
		fails(await post('/account', { userId: 'unique()', email, password }), 409, 'user_already_exists')
		fails(await post('/account', { userId: 'unique()', email: email.toUpperCase(), password }), 409, 'user_already_exists')
		fails(await post('/account', { userId: id.toLowerCase(), email: mail(), password }), 409, 'user_already_exists')
	})

	test('each parameter', async () => {
		const good = () => ({ userId: 'unique()', email: mail(), password, name: 'x' })
		const bad = [{ userId: undefined }, { userId: '_x' }, { userId: '.x' }, { userId: 'x'.repeat(37) }, { userId: 'a b' }, { email: undefined }, { email: 'a@localhost' },
			{ email: 'nobody' }, { email: 5 }, { password: undefined }, { password: '1234567' }, { password: 12345678 }, { name: 'n'.repeat(129) }, { name: 5 }]
		for (const b of bad) fails(await post('/account', { ...good(), ...b }), 400, 'general_argument_invalid')
		fails(await p.guest('POST', '/account'), 400, 'general_argument_invalid')
		for (const g of [{ userId: unique('x-_.9') }, { name: '' }, { name: null }, { name: 'ü'.repeat(128) }, { password: 'üüüü' }])
			assert.equal((await post('/account', { ...good(), ...g })).status, 201, JSON.stringify(g))
	})

	test('callers: keys may not, users may', async () => {
		const body = { userId: 'unique()', email: mail(), password }
		fails(await p.call('POST', '/account', { body }), 401, 'general_unauthorized_scope')
		const u = await p.user()
		assert.equal((await u.call('POST', '/account', { body })).status, 201)
	})

	test('two at once: one gets the address', async () => {
		const email = mail()
		const rs = await Promise.all(Array.from({ length: 6 }, () => post('/account', { userId: 'unique()', email, password })))
		assert.deepEqual(rs.map((r) => r.status).sort(), [201, 409, 409, 409, 409, 409])
	})
})

/* As proxies speak that were not told otherwise. */
const old = (own, body) => new Promise((ok, no) => {
	const socket = net.connect(own.port, '127.0.0.1'), got = []
	socket.on('data', (d) => got.push(d)).on('error', no).on('close', () => ok(Buffer.concat(got).toString()))
	socket.write(`POST /v1/account HTTP/1.0\r\nHost: 127.0.0.1:${own.port}\r\nConnection: close\r\nX-Appwrite-Project: console\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
})
const signUpToken = (own) => own.log().match(/^sign-up token ([0-9a-f]{32})$/m)?.[1]

describe('console sign-up', () => {
	test('the first takes the token that serve prints, unless it comes from this machine', async () => {
		const data = dataDir(), conf = { smtp_host: '127.0.0.1', smtp_port: 1, console_signup: 'open' }
		let own = await server({ own: true, data, conf })
		try {
			const token = signUpToken(own)
			assert.ok(token)
			const up = (headers) => own.call('POST', '/account', { body: { userId: 'unique()', email: mail(), password }, headers })
			const magic = (headers) => own.call('POST', '/account/sessions/magic-url', { body: { userId: 'unique()', email: mail(), url: 'http://localhost/x' }, headers })
			/* from elsewhere, by whatever a proxy leaves; and a page whose name leads here */
			const far = [{ 'x-forwarded-for': '203.0.113.7' }, { 'x-forwarded-for': '127.0.0.1' }, { 'x-forwarded-host': 'localhost' }, { 'x-forwarded-proto': 'https' }, { 'x-real-ip': '127.0.0.1' },
				{ forwarded: 'for=127.0.0.1' }, { via: '1.1 x' }, { host: 'evil.example', origin: 'http://evil.example' }]
			for (const headers of far)
				for (const wrong of [undefined, '', 'x'.repeat(32), token.toUpperCase() === token ? `${token}0` : token.toUpperCase(), token.slice(1)])
					fails(await up({ ...headers, ...(wrong === undefined ? {} : { 'x-appwrite-signup-token': wrong }) }), 401, 'user_signup_token_invalid')
			fails(await magic(far[0]), 401, 'user_signup_token_invalid')
			assert.match(await old(own, `{"userId":"unique()","email":"${mail()}","password":"${password}"}`), /^HTTP\/1\.[01] 401 [^]*user_signup_token_invalid/, 'a proxy that adds nothing')
			assert.equal((await up({ ...far[0], 'x-appwrite-signup-token': token })).status, 201)
			assert.equal((await up(far[0])).status, 201, 'the next need none')
			await own.stop()
			own = await server({ own: true, data, conf })
			assert.equal(signUpToken(own), undefined, 'nor is one printed')
		} finally {
			await own.stop()
			rmSync(data, { recursive: true, force: true })
		}
		own = await server({ own: true, conf: { domain: 'api.example.org' } })
		try {
			const up = (headers) => own.call('POST', '/account', { body: { userId: 'unique()', email: mail(), password }, headers })
			fails(await up({}), 401, 'user_signup_token_invalid')	/* it is for others, and may be behind whatever proxy */
			assert.equal((await up({ 'x-appwrite-signup-token': signUpToken(own) })).status, 201)
		} finally {
			await own.stop()
		}
		own = await server({ own: true })
		try {
			assert.equal((await own.call('POST', '/account', { body: { userId: 'unique()', email: mail(), password } })).status, 201, 'from this machine')
		} finally {
			await own.stop()
		}
	})

	test('only the first person, unless it is open; lists of addresses', async () => {
		const own = await server({ own: true, conf: { console_signup: 'first', console_emails: 'root@example.org,second@example.org', smtp_host: '127.0.0.1', smtp_port: 1 } })
		try {
			const up = (email) => own.call('POST', '/account', { body: { userId: 'unique()', email, password } })
			const magic = (email) => own.call('POST', '/account/sessions/magic-url', { body: { userId: 'unique()', email } })
			fails(await up('other@example.org'), 401, 'user_email_not_whitelisted')
			fails(await magic('other@example.org'), 401, 'user_email_not_whitelisted')
			assert.equal((await up('ROOT@example.org')).status, 201)
			fails(await up('second@example.org'), 501, 'user_count_exceeded')
			fails(await magic('second@example.org'), 501, 'user_count_exceeded')
			assert.equal((await magic('root@example.org')).status, 201)
		} finally {
			await own.stop()
		}
	})
	test('from listed client addresses only', async () => {
		const own = await server({ own: true, conf: { console_ips: '203.0.113.7' } })
		try {
			const up = (headers) => own.call('POST', '/account', { body: { userId: 'unique()', email: mail(), password }, headers })
			fails(await up({}), 401, 'user_ip_not_whitelisted')
			assert.equal((await up({ 'x-forwarded-for': '203.0.113.7, 10.0.0.1', 'x-appwrite-signup-token': signUpToken(own) })).status, 201)
		} finally {
			await own.stop()
		}
	})
})

describe('sign-in by e-mail', () => {
	test('gives the session, both cookies and the fallback header', async () => {
		const email = mail(), id = unique('u')
		await post('/account', { userId: id, email, password })
		const r = await post('/account/sessions/email', { email: email.toUpperCase(), password }, { headers: { 'user-agent': 'curl/7.85.0' } })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, session)
		assert.equal(r.body.userId, id)
		assert.equal(r.body.provider, 'email')
		assert.equal(r.body.providerUid, email)
		assert.equal(r.body.current, true)
		assert.equal(r.body.clientName, 'curl')
		assert.equal(r.body.countryCode, '--')
		const year = Date.parse(r.body.expire) - Date.parse(r.body.$createdAt)
		assert.equal(year, 31536000000)
		const [legacy, now] = r.headers['set-cookie'], name = `a_session_${p.id.toLowerCase()}`
		assert.match(legacy, new RegExp(`^${name}_legacy=[^;]+; expires=[^;]+ GMT; path=/; httponly$`))
		assert.match(now, new RegExp(`^${name}=[^;]+; expires=[^;]+ GMT; path=/; httponly; samesite=None$`))
		const token = decodeURIComponent(now.split(';')[0].split('=').slice(1).join('='))
		assert.deepEqual(JSON.parse(r.headers['x-fallback-cookies']), { [`a_session_${p.id}`]: token })
		const inside = JSON.parse(Buffer.from(token, 'base64'))
		assert.deepEqual(Object.keys(inside), ['id', 'secret'])
		assert.match(inside.secret, /^[0-9a-f]{256}$/)
		for (const headers of [{ cookie: `${name}=${encodeURIComponent(token)}` }, { cookie: `x=1; ${name}_legacy=${token}` }, { 'x-fallback-cookies': r.headers['x-fallback-cookies'] }])
			assert.equal((await p.guest('GET', '/account', { headers })).body.$id, id, JSON.stringify(headers))
	})

	test('the cookie of a named host over HTTPS', async () => {
		const u = await p.user()
		const r = await post('/account/sessions/email', u, { headers: { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'api.example.org', origin: 'https://api.example.org' } })
		assert.match(r.headers['set-cookie'][1], /; path=\/; domain=\.api\.example\.org; secure; httponly; samesite=None$/)
		assert.equal(r.headers['x-fallback-cookies'], undefined)
	})

	test('the former path', async () => {
		const u = await p.user()
		assert.equal((await post('/account/sessions', { email: u.email, password: u.password })).status, 201)
	})

	test('wrong, unknown, malformed', async () => {
		const u = await p.user()
		fails(await post('/account/sessions/email', { email: u.email, password: 'wrong-password' }), 401, 'user_invalid_credentials')
		fails(await post('/account/sessions/email', { email: mail(), password }), 401, 'user_invalid_credentials')
		fails(await post('/account/sessions/email', { email: 'x', password }), 400, 'general_argument_invalid')
		fails(await post('/account/sessions/email', { email: u.email, password: 'short' }), 400, 'general_argument_invalid')
		fails(await post('/account/sessions/email', { email: u.email }), 400, 'general_argument_invalid')
	})

	test('unknown and wrong are told alike', async () => {
		const u = await p.user()
		const a = await post('/account/sessions/email', { email: u.email, password: 'wrong-password' })
		const b = await post('/account/sessions/email', { email: mail(), password: 'wrong-password' })
		assert.deepEqual(a.body, b.body)
	})

	test('an account without a password', async () => {
		const email = mail()
		await p.ok('POST', '/users', { body: { userId: 'unique()', email } })
		fails(await post('/account/sessions/email', { email, password }), 401, 'user_invalid_credentials')
	})

	test('a page that hides its origin rides on no cookie and gets none', async () => {
		const u = await p.user(), headers = { origin: 'null' }, token = decodeURIComponent(u.cookie.match(/=([^;]*)/)[1])
		const rename = (o) => p.guest('PATCH', '/account/name', { body: { name: 'Mallory' }, ...o })
		fails(await rename({ cookie: u.cookie, headers }), 403, 'general_unknown_origin')
		fails(await rename({ cookie: u.cookie, headers, key: 'x' }), 403, 'general_unknown_origin')
		/* what its own script adds is as good as ever */
		assert.equal((await rename({ headers: { ...headers, 'x-fallback-cookies': JSON.stringify({ [`a_session_${p.id}`]: token }) } })).status, 200)
		const r = await post('/account/sessions/email', { email: u.email, password: u.password }, { headers })
		assert.deepEqual([r.status, r.headers['set-cookie']], [201, undefined])
	})

	test('a bad cookie makes a guest', async () => {
		const name = `a_session_${p.id}`
		for (const v of ['', 'x', 'eyJpZCI6IngifQ==', Buffer.from('{"id":"x","secret":"y"}').toString('base64'), Buffer.from('[]').toString('base64')])
			fails(await p.guest('GET', '/account', { cookie: `${name}=${v}` }), 401, 'general_unauthorized_scope')
	})
})

describe('anonymous', () => {
	test('a session for nobody yet', async () => {
		const r = await post('/account/sessions/anonymous', {})
		assert.equal(r.status, 201, r.text)
		assert.equal(r.body.provider, 'anonymous')
		assert.equal(r.body.providerUid, '')
		const cookie = cookieOf(r), me = await p.guest('GET', '/account', { cookie })
		assert.equal(me.body.email, '')
		assert.equal(me.body.passwordUpdate, '')
		fails(await post('/account/sessions/anonymous', {}, { cookie }), 401, 'user_session_already_exists')
	})

	test('becomes an account with e-mail and password', async () => {
		const cookie = cookieOf(await post('/account/sessions/anonymous', {})), email = mail(), other = await p.user()
		fails(await p.guest('PATCH', '/account/email', { cookie, body: { email: other.email, password } }), 409, 'user_email_already_exists')
		const r = await p.guest('PATCH', '/account/email', { cookie, body: { email, password } })
		assert.equal(r.status, 200, r.text)
		assert.equal(r.body.passwordUpdate, '')
		assert.equal((await post('/account/sessions/email', { email, password })).status, 201)
		/* none was set before, so none is asked for */
		assert.equal((await p.guest('PATCH', '/account/password', { cookie, body: { password: 'password-5678' } })).status, 200)
		assert.equal((await post('/account/sessions/email', { email, password: 'password-5678' })).status, 201)
	})

	test('a phone does not set a password', async () => {
		const cookie = cookieOf(await post('/account/sessions/anonymous', {})), phone = `+49${Date.now()}`.slice(0, 15)
		const r = await p.guest('PATCH', '/account/phone', { cookie, body: { phone, password } })
		assert.equal(r.status, 200, r.text)
		assert.equal(r.body.phone, phone)
	})

	test('not on the console', async () => {
		fails(await s.call('POST', '/account/sessions/anonymous', { body: {} }), 401, 'user_anonymous_console_prohibited')
	})
})

describe('switches and limits of the project', () => {
	const auth = (q, path, status) => q.console.ok('PATCH', `/projects/${q.id}/auth/${path}`, { body: { status } })

	test('a sign-in method that is off', async () => {
		const q = await s.project(), u = await q.user()
		await auth(q, 'email-password', false)
		fails(await q.guest('POST', '/account', { body: { userId: 'unique()', email: mail(), password } }), 501, 'user_auth_method_unsupported')
		fails(await q.guest('POST', '/account/sessions/email', { body: u }), 501, 'user_auth_method_unsupported')
		await auth(q, 'anonymous', false)
		fails(await q.guest('POST', '/account/sessions/anonymous', { body: {} }), 501, 'user_auth_method_unsupported')
		await auth(q, 'jwt', false)
		fails(await u.call('POST', '/account/jwt', { body: {} }), 501, 'user_auth_method_unsupported')
		await auth(q, 'email-password', true)
		assert.equal((await q.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password } })).status, 201)
	})

	test('the service that is off', async () => {
		const q = await s.project(), u = await q.user()
		await q.console.ok('PATCH', `/projects/${q.id}/service`, { body: { service: 'account', status: false } })
		fails(await u.call('GET', '/account'), 503, 'general_service_disabled')
	})

	test('the limit of users', async () => {
		const q = await s.project()
		await q.user()
		await q.console.ok('PATCH', `/projects/${q.id}/auth/limit`, { body: { limit: 2 } })
		await q.user()
		fails(await q.guest('POST', '/account', { body: { userId: 'unique()', email: mail(), password } }), 501, 'user_count_exceeded')
		fails(await q.guest('POST', '/account/sessions/anonymous', { body: {} }), 501, 'user_count_exceeded')
		assert.equal((await q.call('POST', '/users', { body: { userId: 'unique()' } })).status, 201)
	})
})

describe('the account', () => {
	test('get', async () => {
		const u = await p.user(), r = await u.call('GET', '/account')
		assert.equal(r.status, 200)
		keysOf(r.body, account)
		fails(await p.guest('GET', '/account'), 401, 'general_unauthorized_scope')
		fails(await p.call('GET', '/account'), 401, 'general_unauthorized_scope')
		/* a session beats a key */
		assert.equal((await u.call('GET', '/account', { key: p.key })).body.$id, u.id)
	})

	test('preferences', async () => {
		const u = await p.user()
		assert.equal((await u.call('GET', '/account/prefs')).text, '{}')
		fails(await p.guest('GET', '/account/prefs'), 401, 'general_unauthorized_scope')
		const prefs = { theme: 'dark', size: 12, ratio: 1.5, on: true, nested: { list: [1, 'two', null] }, 'ключ': 'ü/"' }
		const r = await u.call('PATCH', '/account/prefs', { body: { prefs } })
		keysOf(r.body, account)
		assert.deepEqual(r.body.prefs, prefs)
		assert.deepEqual(Object.keys((await u.ok('GET', '/account/prefs'))), Object.keys(prefs))
		/* an object stays one, but for clients of 1.0 and those that do not say what they are */
		const given = { a: {}, b: [], c: { d: {}, e: [{}] }, t: 'x{}"{}\\', '{}': 1 }, lists = { a: [], b: [], c: { d: [], e: [[]] }, t: 'x{}"{}\\', '{}': 1 }
		for (const [format, want] of [[undefined, lists], ['1.0.0', lists], ['1.4.0', given], ['1.8.0', given]]) {
			const headers = format ? { 'x-appwrite-response-format': format } : {}, o = { headers }
			assert.deepEqual((await u.ok('PATCH', '/account/prefs', { body: { prefs: given }, headers })).prefs, want, format)
			assert.deepEqual(await u.ok('GET', '/account/prefs', o), want)
			assert.deepEqual((await u.ok('GET', '/account', o)).prefs, want)
			assert.deepEqual(await p.ok('GET', `/users/${u.id}/prefs`, o), want)
			assert.deepEqual(await p.ok('PATCH', `/users/${u.id}/prefs`, { body: { prefs: given }, headers }), want)
			assert.deepEqual((await p.ok('GET', '/users', { ...o, query: { queries: [`equal("email", "${u.email}")`] } })).users[0].prefs, want)
			assert.deepEqual((await u.ok('PATCH', '/account/prefs', { body: { prefs: {} }, headers })).prefs, {}, 'and preferences are one for all')
		}
		for (const bad of [[1, 2], 'dark', 5, { 0: 'a' }, { a: 'x'.repeat(65536) }, { a: 'ü'.repeat(11000) }])
			fails(await u.call('PATCH', '/account/prefs', { body: { prefs: bad } }), 400, 'general_argument_invalid')
		assert.deepEqual((await u.ok('PATCH', '/account/prefs', { body: {} })).prefs, {})
		fails(await p.guest('PATCH', '/account/prefs', { body: { prefs: {} } }), 401, 'general_unauthorized_scope')
	})

	test('name', async () => {
		const u = await p.user()
		assert.equal((await u.ok('PATCH', '/account/name', { body: { name: 'Ada L' } })).name, 'Ada L')
		assert.equal((await u.ok('GET', '/account')).name, 'Ada L')
		for (const name of [undefined, '', 5, 'n'.repeat(129)]) fails(await u.call('PATCH', '/account/name', { body: { name } }), 400, 'general_argument_invalid')
		fails(await p.guest('PATCH', '/account/name', { body: { name: 'x' } }), 401, 'general_unauthorized_scope')
	})

	test('password', async () => {
		const u = await p.user(), next = 'password-5678'
		fails(await u.call('PATCH', '/account/password', { body: { password: next } }), 401, 'user_invalid_credentials')
		fails(await u.call('PATCH', '/account/password', { body: { password: next, oldPassword: 'wrong-password' } }), 401, 'user_invalid_credentials')
		fails(await u.call('PATCH', '/account/password', { body: { password: 'short', oldPassword: u.password } }), 400, 'general_argument_invalid')
		fails(await u.call('PATCH', '/account/password', { body: { oldPassword: u.password } }), 400, 'general_argument_invalid')
		fails(await p.guest('PATCH', '/account/password', { body: { password: next } }), 401, 'general_unauthorized_scope')
		await u.ok('PATCH', '/account/password', { body: { password: next, oldPassword: u.password } })
		fails(await post('/account/sessions/email', u), 401, 'user_invalid_credentials')
		assert.equal((await post('/account/sessions/email', { email: u.email, password: next })).status, 201)
		assert.equal((await u.call('GET', '/account')).status, 200)	/* sessions stay */
	})

	test('e-mail', async () => {
		const u = await p.user(), other = await p.user(), email = mail()
		fails(await u.call('PATCH', '/account/email', { body: { email: other.email, password: u.password } }), 409, 'user_email_already_exists')
		fails(await u.call('PATCH', '/account/email', { body: { email, password: 'wrong-password' } }), 401, 'user_invalid_credentials')
		fails(await u.call('PATCH', '/account/email', { body: { email } }), 400, 'general_argument_invalid')
		fails(await u.call('PATCH', '/account/email', { body: { email: 'x', password: u.password } }), 400, 'general_argument_invalid')
		fails(await p.guest('PATCH', '/account/email', { body: { email, password } }), 401, 'general_unauthorized_scope')
		await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		const r = await u.ok('PATCH', '/account/email', { body: { email: email.toUpperCase(), password: u.password } })
		assert.equal(r.email, email)
		assert.equal(r.emailVerification, false)
		assert.equal((await post('/account/sessions/email', { email, password: u.password })).status, 201)
	})

	test('phone', async () => {
		const u = await p.user(), other = await p.user(), phone = `+1${String(Date.now()).slice(-9)}`
		assert.equal((await u.ok('PATCH', '/account/phone', { body: { phone, password: u.password } })).phone, phone)
		fails(await other.call('PATCH', '/account/phone', { body: { phone, password: other.password } }), 409, 'user_phone_already_exists')
		/* SDKs before 1.0 call it the number; of both, the phone counts */
		const was = { headers: { 'x-appwrite-response-format': '0.15.0' } }, number = `${phone}9`
		assert.equal((await u.ok('PATCH', '/account/phone', { ...was, body: { number, password: u.password } })).phone, number)
		assert.equal((await u.ok('PATCH', '/account/phone', { ...was, body: { number, phone, password: u.password } })).phone, phone)
		fails(await u.call('PATCH', '/account/phone', { body: { number, password: u.password } }), 400, 'general_argument_invalid')
		fails(await u.call('PATCH', '/account/phone', { body: { phone: '+4930', password: 'wrong-password' } }), 401, 'user_invalid_credentials')
		for (const bad of ['030123456', '+0123', '+1', '+1234567890123456', 'x', undefined])
			fails(await u.call('PATCH', '/account/phone', { body: { phone: bad, password: u.password } }), 400, 'general_argument_invalid')
		fails(await p.guest('PATCH', '/account/phone', { body: { phone, password } }), 401, 'general_unauthorized_scope')
	})

	test('blocking oneself', async () => {
		const u = await p.user()
		const r = await u.call('PATCH', '/account/status', { body: {} })
		assert.equal(r.status, 200, r.text)
		assert.equal(r.body.status, false)
		assert.equal(r.headers['x-fallback-cookies'], '[]')
		fails(await u.call('GET', '/account'), 401, 'user_blocked')
		fails(await post('/account', { userId: 'unique()', email: mail(), password }, { cookie: u.cookie }), 401, 'user_blocked')
		fails(await post('/account/sessions/email', u), 401, 'user_blocked')
		fails(await post('/account/sessions/email', { ...u, password: 'wrong-password' }), 401, 'user_invalid_credentials')
		fails(await p.guest('PATCH', '/account/status', { body: {} }), 401, 'general_unauthorized_scope')
		await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: true } })
		assert.equal((await u.call('GET', '/account')).status, 200)	/* the old session works again */
	})

	test('in admin mode it is the one of the console', async () => {
		const me = await p.console.ok('GET', '/account')
		assert.equal((await p.admin('GET', '/account')).body.$id, me.$id)
		assert.ok((await p.admin('GET', '/account/sessions')).body.total >= 1)
	})
})

describe('sessions', () => {
	async function two() {
		const u = await p.user(), r = await post('/account/sessions/email', { email: u.email, password: u.password })
		return { u, cookie: cookieOf(r), second: r.body }
	}

	test('list and get', async () => {
		const { u, second } = await two()
		const list = await u.ok('GET', '/account/sessions')
		keysOf(list, 'total sessions')
		assert.equal(list.total, 2)
		assert.deepEqual(list.sessions.map((x) => x.$id), [u.session.$id, second.$id])
		assert.deepEqual(list.sessions.map((x) => x.current), [true, false])
		keysOf(list.sessions[0], session)
		assert.equal((await u.ok('GET', `/account/sessions/${second.$id}`)).current, false)
		assert.equal((await u.ok('GET', '/account/sessions/current')).$id, u.session.$id)
		fails(await u.call('GET', '/account/sessions/unknown'), 404, 'user_session_not_found')
		const other = await p.user()
		fails(await other.call('GET', `/account/sessions/${second.$id}`), 404, 'user_session_not_found')
		for (const path of ['/account/sessions', '/account/sessions/current']) fails(await p.guest('GET', path), 401, 'general_unauthorized_scope')
	})

	test('delete one', async () => {
		const { u, cookie, second } = await two(), other = await p.user()
		fails(await other.call('DELETE', `/account/sessions/${second.$id}`), 404, 'user_session_not_found')
		const r = await u.call('DELETE', `/account/sessions/${second.$id}`)
		assert.equal(r.status, 204, r.text)
		assert.equal(r.headers['set-cookie'], undefined)
		fails(await p.guest('GET', '/account', { cookie }), 401, 'general_unauthorized_scope')
		fails(await u.call('DELETE', `/account/sessions/${second.$id}`), 404, 'user_session_not_found')
		assert.equal((await u.call('GET', '/account')).status, 200)
		fails(await p.guest('DELETE', '/account/sessions/current'), 401, 'general_unauthorized_scope')
	})

	test('delete the current one', async () => {
		const { u, cookie } = await two()
		const r = await u.call('DELETE', '/account/sessions/current')
		assert.equal(r.status, 204, r.text)
		assert.equal(r.headers['x-fallback-cookies'], '[]')
		assert.equal(r.headers['set-cookie'].length, 2)
		for (const c of r.headers['set-cookie']) assert.match(c, /=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; path=\//)
		fails(await u.call('GET', '/account'), 401, 'general_unauthorized_scope')
		assert.equal((await p.guest('GET', '/account', { cookie })).status, 200)
	})

	test('delete all', async () => {
		const { u, cookie } = await two()
		const r = await u.call('DELETE', '/account/sessions')
		assert.equal(r.status, 204, r.text)
		assert.equal(r.headers['x-fallback-cookies'], '[]')
		for (const c of [u.cookie, cookie]) fails(await p.guest('GET', '/account', { cookie: c }), 401, 'general_unauthorized_scope')
		fails(await p.guest('DELETE', '/account/sessions'), 401, 'general_unauthorized_scope')
	})

	test('delete all by a JWT: the cookies are another sign-in\'s', async () => {
		const u = await p.user(), { jwt } = await u.ok('POST', '/account/jwt'), r = await p.guest('DELETE', '/account/sessions', { jwt })
		assert.equal(r.status, 204, r.text)
		assert.deepEqual([r.headers['x-fallback-cookies'], r.headers['set-cookie']], ['[]', undefined])
		fails(await u.call('GET', '/account'), 401, 'general_unauthorized_scope')
	})

	test('a session that has nothing to refresh', async () => {
		const u = await p.user()
		fails(await u.call('PATCH', '/account/sessions/current', { body: {} }), 501, 'project_provider_unsupported')
		fails(await u.call('PATCH', '/account/sessions/unknown', { body: {} }), 404, 'user_session_not_found')
	})

	test('a session of one project is nothing in another', async () => {
		const u = await p.user(), q = await s.project()
		fails(await q.guest('GET', '/account', { cookie: u.cookie.replaceAll(p.id, q.id) }), 401, 'general_unauthorized_scope')
	})
})

describe('JWT', () => {
	test('stands for the session until it ends', async () => {
		const u = await p.user(), r = await u.call('POST', '/account/jwt', { body: {} })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, 'jwt')
		const jwt = r.body.jwt, by = (m, t, o = {}) => p.guest(m, t, { jwt, ...o })
		const payload = JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'))
		assert.deepEqual(Object.keys(payload), ['userId', 'sessionId', 'exp'])
		assert.equal(payload.sessionId, u.session.$id)
		assert.equal((await by('GET', '/account')).body.$id, u.id)
		assert.ok((await by('GET', '/account/sessions')).body.sessions.every((x) => !x.current))
		fails(await by('GET', '/account/sessions/current'), 404, 'user_session_not_found')
		fails(await by('POST', '/account/jwt', { body: {} }), 404, 'user_session_not_found')
		fails(await p.guest('POST', '/account/jwt', { body: {} }), 401, 'general_unauthorized_scope')
		await u.ok('DELETE', '/account/sessions/current')
		fails(await by('GET', '/account'), 401, 'general_unauthorized_scope')
	})

	test('anything else is refused, on public routes too', async () => {
		const u = await p.user(), { jwt } = await u.ok('POST', '/account/jwt', { body: {} }), [h, b, sig] = jwt.split('.')
		const none = Buffer.from('{"typ":"JWT","alg":"none"}').toString('base64url')
		for (const bad of ['x', 'a.b.c', `${h}.${b}`, `${h}.${b}.${sig}x`, `${none}.${b}.`, `${none}.${b}.${sig}`, `${h}.${Buffer.from('{}').toString('base64url')}.${sig}`]) {
			fails(await p.guest('GET', '/account', { jwt: bad }), 401, 'user_jwt_invalid')
			fails(await post('/account/sessions/email', u, { jwt: bad }), 401, 'user_jwt_invalid')
		}
	})
})
