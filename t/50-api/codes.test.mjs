/* Codes by mail instead of a link: recovery and verification; how often a code may be tried, and that one of a kind is none of another. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { cookieOf, server, unique, until } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { fails, keysOf } from './lib.mjs'

let s, p, box, schema, args
const today = { headers: { 'x-appwrite-response-format': '2.3.0' } }, url = 'http://localhost/page', password = 'password-5678'
const guest = (m, target, body, o = {}) => p.guest(m, target, { body, ...today, ...o })
const psql = (sql) => execFileSync('psql', [...args, '-c', sql], { encoding: 'utf8' }).trim()
const other = (code) => (code === '000000' ? '000001' : '000000')
const token = '$id $createdAt userId secret expire phrase'

before(async () => {
	box = await sink()
	s = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port } })
	args = ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1']
	p = await s.project({ name: 'Codes' })
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
})
after(async () => {
	await s.stop()
	box.stop()
})

const codeOf = (m) => {
	assert.ok(!m.link && !/href/.test(m.html) && !m.text.includes('{{'), m.html)
	const code = m.text.match(/^\d{6}$/m)[0]
	assert.ok(m.html.includes(`>${code}<`))
	return code
}
async function recovery(u, body = {}, o = {}) {
	const r = await guest('POST', '/account/recovery/otp', { email: u.email, ...body }, o)
	assert.equal(r.status, 201, r.text)
	const m = await box.next(u.email)
	return { t: r.body, m, code: codeOf(m) }
}
async function verification(u, body = {}) {
	const r = await u.call('POST', '/account/verifications/email/otp', { body, ...today })
	assert.equal(r.status, 201, r.text)
	const m = await box.next(u.email)
	return { t: r.body, m, code: codeOf(m) }
}
const recover = (userId, secret, more = {}) => guest('PUT', '/account/recovery/otp', { userId, secret, password, ...more })
const verify = (userId, secret, o) => guest('PUT', '/account/verifications/email/otp', { userId, secret }, o)
const me = async (u, pass = u.password) => (await p.guest('GET', '/account', { cookie: cookieOf(await p.guest('POST', '/account/sessions/email', { body: { email: u.email, password: pass } })) })).body

describe('recovery', () => {
	test('sets a new password, once, and ends the sessions', async () => {
		const u = await p.user({ name: 'Ada' }), { t, m, code } = await recovery(u, { email: u.email.toUpperCase() })
		keysOf(t, token)
		assert.deepEqual([t.userId, t.secret, t.phrase], [u.id, '', ''])
		assert.equal(Date.parse(t.expire) - Date.parse(t.$createdAt), 15 * 60000)
		assert.equal(m.headers.subject, 'Code to reset your password')
		assert.ok(m.text.includes('Hello Ada') && m.text.includes('new password for Codes'), m.text)
		fails(await recover('unknown', code), 404, 'user_not_found')
		fails(await recover(u.id, other(code)), 401, 'user_invalid_token')
		for (const bad of [{ password: 'short' }, { password: undefined }, { secret: undefined }, { secret: 'x'.repeat(257) }]) fails(await recover(u.id, code, bad), 400, 'general_argument_invalid')
		const rs = await Promise.all([1, 2, 3].map(() => recover(u.id, code)))
		assert.deepEqual(rs.map((r) => r.status).sort(), [200, 401, 401])
		const used = rs.find((r) => r.status === 200).body
		keysOf(used, token)
		assert.deepEqual([used.$id, used.secret], [t.$id, ''])
		fails(await u.call('GET', '/account'), 401, 'general_unauthorized_scope')
		assert.equal((await me(u, password)).emailVerification, true)
		assert.equal(psql(`SELECT password_mailed FROM ${schema}.users WHERE id = '${u.id}'`), 't', 'a code by mail is no second factor beside it')
	})

	test('as the project wants passwords', async () => {
		const q = await s.project(), u = await q.user(), r = (secret, pass) => q.guest('PUT', '/account/recovery/otp', { body: { userId: u.id, secret, password: pass }, ...today })
		const at = (policy, body) => q.admin('PATCH', `/project/policies/${policy}`, { body, ...today })
		assert.equal((await at('password-history', { total: 3 })).status, 200)
		assert.equal((await at('password-dictionary', { enabled: true })).status, 200)
		assert.equal((await q.guest('POST', '/account/recovery/otp', { body: { email: u.email }, ...today })).status, 201)
		const code = codeOf(await box.next(u.email))
		fails(await r(other(code), 'password-1'), 401, 'user_invalid_token')
		fails(await r(code, 'password'), 400, 'general_argument_invalid')
		assert.equal((await r(code, password)).status, 200)
		assert.equal((await q.guest('POST', '/account/recovery/otp', { body: { email: u.email }, ...today })).status, 201)
		const again = codeOf(await box.next(u.email))
		fails(await r(other(again), password), 401, 'user_invalid_token')
		fails(await r(again, password), 400, 'password_recently_used')
	})

	test('errors, and who sees the code', async () => {
		const u = await p.user()
		fails(await guest('POST', '/account/recovery/otp', { email: `${unique()}@example.org` }), 404, 'user_not_found')
		for (const bad of [{ email: 'x' }, { email: undefined }, { phrase: 'maybe' }]) fails(await guest('POST', '/account/recovery/otp', { email: u.email, ...bad }), 400, 'general_argument_invalid')
		fails(await p.call('POST', '/account/recovery/otp', { body: { email: u.email }, ...today }), 401, 'general_unauthorized_scope')
		const r = await p.admin('POST', '/account/recovery/otp', { body: { email: u.email }, ...today })
		assert.match(r.body.secret, /^\d{6}$/)
		await box.next(u.email)
		assert.equal((await recover(u.id, r.body.secret)).status, 200)
		assert.equal((await u.call('GET', '/account')).status, 200, 'what the team was shown proves nothing')
		await u.ok('PATCH', '/account/status', { body: {} })
		fails(await guest('POST', '/account/recovery/otp', { email: u.email }), 403, 'user_blocked')
	})

	test('words to compare, in the language of the request', async () => {
		const u = await p.user(), { t, m } = await recovery(u, { phrase: true }, { headers: { ...today.headers, 'x-appwrite-locale': 'de' } })
		assert.match(t.phrase, /^[A-Z][a-z]+ [a-z]+$/)
		assert.ok(m.text.includes(`„${t.phrase}“`) && m.headers.subject === 'Code zum Zurücksetzen des Passworts', m.text)
	})

	test('is over after a while, and with another address', async () => {
		const u = await p.user(), { t, code } = await recovery(u)
		psql(`UPDATE ${schema}.tokens SET expire = now() - interval '1 second' WHERE id = '${t.$id}'`)
		fails(await recover(u.id, code), 401, 'user_invalid_token')
		const v = await p.user(), second = (await recovery(v)).code
		await v.ok('PATCH', '/account/email', { body: { email: `${unique()}@example.org`, password: v.password } })
		fails(await recover(v.id, second), 401, 'user_invalid_token')
	})
})

describe('verification', () => {
	test('by its user, once', async () => {
		const u = await p.user(), { t, m, code } = await verification(u, { phrase: true })
		keysOf(t, token)
		assert.equal(t.secret, '')
		assert.ok(m.headers.subject === 'Code to verify your address' && m.text.includes(t.phrase), m.text)
		fails(await verify('unknown', code), 404, 'user_not_found')
		fails(await verify(u.id, other(code)), 401, 'user_invalid_token')
		fails(await verify(u.id, undefined), 400, 'general_argument_invalid')
		const rs = await Promise.all([1, 2, 3].map(() => verify(u.id, code, { cookie: u.cookie })))
		assert.deepEqual(rs.map((r) => r.status).sort(), [200, 401, 401])
		assert.equal(rs.find((r) => r.status === 200).body.secret, '')
		assert.equal((await u.ok('GET', '/account')).emailVerification, true)
		assert.equal(psql(`SELECT email_proved FROM ${schema}.users WHERE id = '${u.id}'`), 't')
		fails(await u.call('POST', '/account/verifications/email/otp', today), 409, 'user_email_already_verified')
	})

	test('by anybody who has the code: verified, and no more', async () => {
		const u = await p.user(), { code } = await verification(u)
		assert.equal((await verify(u.id, code)).status, 200)
		assert.equal((await u.ok('GET', '/account')).emailVerification, true)
		assert.equal(psql(`SELECT email_proved FROM ${schema}.users WHERE id = '${u.id}'`), 'f')
	})

	test('errors', async () => {
		fails(await guest('POST', '/account/verifications/email/otp', {}), 401, 'general_unauthorized_scope')
		const u = await p.user(), a = await p.guest('POST', '/account/sessions/anonymous'), cookie = cookieOf(a)
		fails(await p.guest('POST', '/account/verifications/email/otp', { cookie, ...today }), 400, 'user_email_not_found')
		fails(await u.call('POST', '/account/verifications/email/otp', { body: { phrase: 'maybe' }, ...today }), 400, 'general_argument_invalid')
		fails(await p.admin('POST', '/account/verifications/email/otp', today), 401, 'user_unauthorized')
	})

	test('of a blocked user', async () => {
		const u = await p.user(), { code } = await verification(u), r = await recovery(u)
		psql(`UPDATE ${schema}.users SET status = false WHERE id = '${u.id}'`)
		for (const x of [await verify(u.id, code), await recover(u.id, r.code)]) fails(x, 403, 'user_blocked')
	})
})

test('a session that lacks its second factor asks for no code', async () => {
	const u = await p.user(), { code } = await verification(u)
	assert.equal((await verify(u.id, code, { cookie: u.cookie })).status, 200)
	assert.equal((await u.call('PATCH', '/account/mfa', { body: { mfa: true }, ...today })).status, 200)
	const cookie = cookieOf(await p.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password } }))
	fails(await p.guest('POST', '/account/verifications/email/otp', { cookie, ...today }), 401, 'user_more_factors_required')
	/* recovery leaves the second factor */
	const r = await recovery(u)
	assert.equal((await recover(u.id, r.code)).status, 200)
	const half = cookieOf(await p.guest('POST', '/account/sessions/email', { body: { email: u.email, password } }))
	fails(await p.guest('GET', '/account', { cookie: half, ...today }), 401, 'user_more_factors_required')
})

test('without a mail server', async () => {
	const bare = await server({ own: true }), q = await bare.project(), u = await q.user()
	try {
		for (const r of [await q.guest('POST', '/account/recovery/otp', { body: { email: u.email }, ...today }), await u.call('POST', '/account/verifications/email/otp', today)])
			fails(r, 503, 'general_smtp_disabled')
	} finally {
		await bare.stop()
	}
})

/* SDKs of servers have both methods. */
test('a recovery by link is begun and ended by a key that may sign people in, and by no other', async () => {
	const u = await p.user(), key = await p.addKey(['sessions.write']), body = { email: u.email, url }, o = (more) => ({ ...today, ...more })
	const r = await p.guest('POST', '/account/recovery', o({ key, body }))
	assert.equal(r.status, 201, r.text)
	assert.equal(new URL((await box.next(u.email)).link).searchParams.get('secret'), r.body.secret)
	const end = { userId: u.id, secret: r.body.secret, password }
	fails(await p.call('POST', '/account/recovery', o({ body })), 401, 'general_unauthorized_scope')
	fails(await p.call('PUT', '/account/recovery', o({ body: end })), 401, 'general_unauthorized_scope')
	assert.equal((await p.guest('PUT', '/account/recovery', o({ key, body: end }))).status, 200)
	assert.equal((await me(u, password)).$id, u.id)
})

/* Of each kind: how its secret comes about, and where it is good. */
const ways = {
	'POST /account/sessions/token': {}, 'PUT /account/sessions/magic-url': {}, 'PUT /account/sessions/phone': {}, 'PUT /account/verifications/phone': {},
	'PUT /account/recovery': { password, passwordAgain: password }, 'PUT /account/recovery/otp': { password },
	'PUT /account/verifications/email': {}, 'PUT /account/verifications/email/otp': {},
}
const shown = async (u, m, target, body) => { const r = await p.admin(m, target, { body, ...today }); assert.equal(r.status, 201, r.text); return r.body.secret }
const mailed = async (u, target) => { assert.equal((await u.call('POST', target, { body: { url }, ...today })).status, 201); return new URL((await box.next(u.email)).link).searchParams.get('secret') }
const kinds = {
	recovery: { make: (u) => shown(u, 'POST', '/account/recovery', { email: u.email, url }), good: ['PUT /account/recovery'] },
	'recovery code': { make: async (u) => (await recovery(u)).code, good: ['PUT /account/recovery/otp'] },
	verification: { make: (u) => mailed(u, '/account/verifications/email'), good: ['PUT /account/verifications/email'] },
	'verification code': { make: async (u) => (await verification(u)).code, good: ['PUT /account/verifications/email/otp'] },
	'magic URL': { make: (u) => shown(u, 'POST', '/account/tokens/magic-url', { userId: u.id, email: u.email, url }), good: ['POST /account/sessions/token', 'PUT /account/sessions/magic-url'] },
	'code that signs in': { make: (u) => shown(u, 'POST', '/account/tokens/email', { userId: u.id, email: u.email }), good: ['POST /account/sessions/token'] },
	'phone code': { make: (u) => shown(u, 'POST', '/account/tokens/phone', { userId: u.id, phone: u.phone }), good: ['POST /account/sessions/token', 'PUT /account/sessions/phone', 'PUT /account/verifications/phone'] },
	'token of a server': { make: async (u) => (await p.ok('POST', `/users/${u.id}/tokens`, { body: { length: 6 }, ...today })).secret, good: ['POST /account/sessions/token'] },
}
async function person() {
	const u = await p.user(), phone = `+4915${String(BigInt(`0x${unique()}`) % 10n ** 9n).padStart(9, '0')}`
	assert.equal((await p.admin('POST', '/project/mock-phones', { body: { number: phone, otp: '424242' }, ...today })).status, 201)
	await u.ok('PATCH', '/account/phone', { body: { phone, password: u.password } })
	return Object.assign(u, { phone })
}
const use = (way, u, secret) => guest(...way.split(' '), { userId: u.id, secret, ...ways[way] })

for (const [kind, { make, good }] of Object.entries(kinds)) {
	test(`a ${kind} is good for nothing else`, async () => {
		const u = await person(), secret = await make(u)
		for (const way of Object.keys(ways)) if (!good.includes(way)) fails(await use(way, u, secret), 401, 'user_invalid_token')
		for (const way of good) {
			const v = await person(), r = await use(way, v, await make(v))
			assert.ok(r.status < 300, `${way}: ${r.text}`)
		}
		assert.ok((await use(good[0], u, secret)).status < 300)
	})
}

describe('tries', () => {
	for (const [kind, { make, good: [way] }] of Object.entries(kinds).filter(([name]) => name.includes('code'))) {
		test(`at a ${kind}: few`, async () => {
			for (const [wrong, goes] of [[4, true], [5, false]]) {
				const u = await person(), secret = await make(u)
				for (let i = 0; i < 7; i++) fails(await use(way, u, ['x', '12345', '1234567', '12345a', 'abcdef', '１２', ' 12345'][i]), 401, 'user_invalid_token')	/* no codes */
				for (let i = 0; i < wrong; i++) fails(await use(way, u, other(secret)), 401, 'user_invalid_token')
				const r = await use(way, u, secret)
				if (goes) {
					assert.ok(r.status < 300, r.text)
					continue
				}
				fails(r, 401, 'user_invalid_token')
				const next = await make(u)
				assert.ok((await use(way, u, next)).status < 300, 'the next code has tries of its own')
			}
		})

		test(`at a ${kind}: those at once see each other`, async () => {
			const u = await person(), secret = await make(u), c = spawn('psql', args, { stdio: ['pipe', 'pipe', 'inherit'] })
			const waiting = (n) => until(`${n} wait`, () => Number(psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")) === n)
			psql(`UPDATE ${schema}.tokens SET tries = 4 WHERE user_id = '${u.id}'`)
			let out = ''
			c.stdout.on('data', (d) => (out += d))
			c.stdin.write(`BEGIN; SELECT 1 FROM ${schema}.users WHERE id = '${u.id}' FOR UPDATE; SELECT 'held';\n`)
			await until('the lock', () => out.includes('held'))
			const wrong = use(way, u, other(secret))
			await waiting(1)
			const right = use(way, u, secret)
			await waiting(2)
			c.stdin.end('COMMIT;\n')
			for (const r of [await wrong, await right]) fails(r, 401, 'user_invalid_token')
		})
	}
})
