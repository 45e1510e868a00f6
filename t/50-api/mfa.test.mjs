/* The second factor: when it is asked for, what a session that lacks it may do (nothing), and each way to prove it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { cookieOf, early, server, unique, until } from '../lib/server.mjs'
import { description } from '../lib/shapes.mjs'
import { code, step } from '../lib/totp.mjs'
import { listen } from '../lib/ws.mjs'
import { fails, isTime } from './lib.mjs'

let s, p, schema
const today = { 'x-appwrite-response-format': '1.9.5' }, password = 'correct-horse'
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
const more = (r) => fails(r, 401, 'user_more_factors_required')
const other = (otp) => otp === '000000' ? '000001' : '000000'

before(async () => {
	s = await server({ own: true, conf: { dev: 'on', web_processes: 1 } })	/* mails and short messages are kept */
	p = await s.project()
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
})
after(() => s?.stop())

/* Somebody who calls with this cookie, in today's format. */
const as = (cookie, project = p.id, base = {}) => (m, target, body, o = {}) => s.call(m, target, { project, cookie, body, ...base, ...o, headers: { ...today, ...o.headers } })
async function signIn(u) {
	const r = await p.guest('POST', '/account/sessions/email', { body: { email: u.email, password }, headers: today })
	assert.equal(r.status, 201, r.text)
	return { session: r.body, cookie: cookieOf(r), call: as(cookieOf(r)) }
}
const person = async (o = {}) => { const u = await p.user({ password, ...o }); return { ...u, call: as(u.cookie) } }
const used = (u) => psql(`UPDATE ${schema}.users SET totp_step = 0 WHERE id = '${u.id}'`)	/* as if a while ago */
const good = async (reply, status = 200) => { const r = await reply; assert.equal(r.status, status, r.text); return r.body }
/* With an app, and asked for it from now on. */
async function enrol(u) {
	u.secret = (await good(u.call('POST', '/account/mfa/authenticators/totp'))).secret
	await good(u.call('PUT', '/account/mfa/authenticators/totp', { otp: code(u.secret) }))
	await good(u.call('PATCH', '/account/mfa', { mfa: true }))
	used(u)
	return u
}
const ask = async (who, factor) => (await good(who.call('POST', '/account/mfa/challenges', { factor }), 201)).$id
const answer = (who, challengeId, otp) => who.call('PUT', '/account/mfa/challenges', { challengeId, otp })
const prove = async (who, secret) => good(answer(who, await ask(who, 'totp'), code(secret)))
/* The code of the newest message to that address. */
const message = (to) => until(`a message to ${to}`, async () => {
	const page = (await s.call('GET', '/dev/messages', { root: true, unseen: true })).text
	const one = page.split('<article>').find((a) => a.includes(`<b>${to}</b>`))
	return one?.match(/\b\d{6}\b/)?.[0]
})
const another = (to, but) => until('another code', async () => { const c = await message(to); return c !== but && c })

test('a token does not act as somebody whose second factor it has not met', async () => {
	const u = await enrol(await person()), a = await person(), as_ = { headers: { 'x-appwrite-impersonate-user-id': u.id } }
	await p.ok('PATCH', `/users/${a.id}/impersonator`, { body: { impersonator: true }, headers: today })
	more(await a.call('GET', '/account', undefined, as_))
	const jwtOf = async (who) => (await good(who.call('POST', '/account/jwts'), 201)).jwt
	const by = (jwt) => s.call('GET', '/account', { project: p.id, jwt, headers: { ...today, ...as_.headers } })
	const hears = async (o, query = '') => { const w = await listen(s, `project=${p.id}&channels[]=account${query}`, o), { user } = w.hello.data; w.end(); return user?.$id }
	const jwt = await jwtOf(a)
	more(await by(jwt))
	more(await by((await p.ok('POST', `/users/${a.id}/jwts`, { body: {}, status: 201, headers: today })).jwt))
	assert.equal(await hears({ headers: { 'x-appwrite-jwt': jwt, ...as_.headers } }), a.id)
	/* who has proved two factors may, by a session and by a token of it */
	await enrol(a)
	const two = await signIn(a)
	await prove(two, a.secret)
	assert.equal((await good(two.call('GET', '/account', undefined, as_))).$id, u.id)
	const met = await jwtOf(two)
	assert.equal((await good(by(met))).$id, u.id)
	assert.equal(await hears({ headers: { 'x-appwrite-jwt': met, ...as_.headers } }), u.id)
})

test('what a session stayed in with was not shown: it acts as nobody whose second factor it has not met', async () => {
	const u = await enrol(await person()), a = await person(), as_ = { headers: { 'x-appwrite-impersonate-user-id': u.id } }
	await p.ok('PATCH', `/users/${a.id}/impersonator`, { body: { impersonator: true }, headers: today })
	await p.ok('PATCH', `/users/${a.id}/verification`, { body: { emailVerification: true }, headers: today })
	const refused = async (who) => {
		more(await who.call('GET', '/account', undefined, as_))
		const { jwt } = await good(who.call('POST', '/account/jwts'), 201)
		more(await s.call('GET', '/account', { project: p.id, jwt, headers: { ...today, ...as_.headers } }))
		const w = await listen(s, `project=${p.id}&channels[]=account`, { cookie: who.cookie, headers: as_.headers })
		assert.equal(w.hello.data.user?.$id, a.id)
		w.end()
	}
	await good(a.call('PATCH', '/account/mfa', { mfa: true }))
	assert.deepEqual((await good(a.call('GET', '/account/sessions/current'))).factors, ['password', 'email'])
	await refused(a)
	await enrol(a)	/* an app of its own is set up, not shown */
	await refused(a)
	/* a sign-in by mail that proves the mail again */
	await good(a.call('PATCH', '/account/mfa', { mfa: false }))
	const t = await p.ok('POST', '/account/tokens/email', { key: await p.addKey(['sessions.write']), body: { userId: a.id, email: a.email }, headers: today })
	const first = await message(a.email), cookie = cookieOf(await p.guest('POST', '/account/sessions/token', { body: { userId: t.userId, secret: first }, headers: today })), mailed = { cookie, call: as(cookie) }
	await good(answer(mailed, await ask(mailed, 'email'), await another(a.email, first)))
	await good(mailed.call('PATCH', '/account/mfa', { mfa: true }))
	assert.deepEqual((await good(mailed.call('GET', '/account/sessions/current'))).factors, ['email', 'totp'])
	await refused(mailed)
	await prove(mailed, a.secret)
	assert.equal((await good(mailed.call('GET', '/account', undefined, as_))).$id, u.id)
})

test('what a session stayed in with ends where another one asks for it', async () => {
	const u = await person(), thief = await signIn(u), whole = await signIn(u)
	await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true }, headers: today })
	for (const mfa of [true, false]) await good(thief.call('PATCH', '/account/mfa', { mfa }))
	await good(answer(whole, await ask(whole, 'email'), await message(u.email)))
	await enrol(u)
	more(await thief.call('GET', '/account'))
	for (const one of [u, whole]) await good(one.call('GET', '/account'))
	await good(u.call('PATCH', '/account/mfa', { mfa: true }))	/* asked for already */
	await good(whole.call('GET', '/account'))
})

describe('a mailbox alone', () => {
	/* A new password by the code of a mail. */
	const recover = async (u) => {
		const t = await good(p.guest('POST', '/account/recovery/otp', { body: { email: u.email }, headers: today }), 201)
		u.mailed = await message(u.email)
		await good(p.guest('PUT', '/account/recovery/otp', { body: { userId: t.userId, secret: u.mailed, password }, headers: today }))
		return signIn(u)
	}
	const owner = async () => {
		const u = await person()
		await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true }, headers: today })
		return u
	}
	test('is no second factor after it has set the password, until another one was shown', async () => {
		const u = await enrol(await owner()), half = await recover(u)
		assert.deepEqual([(await good(half.call('GET', '/account/mfa/factors'))).email, (await good(half.call('GET', '/account/mfa/factors'))).totp], [false, true])
		fails(await half.call('POST', '/account/mfa/challenges', { factor: 'email' }), 401, 'user_more_factors_required')
		await prove(half, u.secret)
		const next = await signIn(u)
		assert.equal((await good(next.call('GET', '/account/mfa/factors'))).email, true)
		await good(answer(next, await ask(next, 'email'), await another(u.email, u.mailed)))
		await good(next.call('GET', '/account'))
	})

	test('a password that is set otherwise since then is no matter', async () => {
		const u = await enrol(await owner())
		await recover(u)
		await p.ok('PATCH', `/users/${u.id}/password`, { body: { password }, headers: today })
		await ask(await signIn(u), 'email')
	})

	test('is asked who has no other', async () => {
		const u = await owner()
		await good(u.call('PATCH', '/account/mfa', { mfa: true }))
		const half = await recover(u)
		more(await half.call('GET', '/account'))
		await good(answer(half, await ask(half, 'email'), await another(u.email, u.mailed)))
		await good(half.call('GET', '/account'))
	})
})

describe('an authenticator app', () => {
	test('is set up, asked for at the next sign-in, and lets in', async () => {
		const u = await person()
		assert.equal((await good(u.call('GET', '/account'))).mfa, false)
		assert.deepEqual(await good(u.call('GET', '/account/mfa/factors')), { totp: false, phone: false, email: false, recoveryCode: false, custom: false })
		fails(await u.call('PUT', '/account/mfa/authenticators/totp', { otp: '123456' }), 404, 'user_authenticator_not_found')
		const first = await good(u.call('POST', '/account/mfa/authenticators/totp')), again = await good(u.call('POST', '/account/mfa/authenticators/TOTP'))
		assert.match(again.secret, /^[A-Z2-7]{32}$/)
		assert.notEqual(first.secret, again.secret)
		assert.equal(again.uri, `otpauth://totp/Test:${encodeURIComponent(u.email)}?issuer=Test&secret=${again.secret}&algorithm=SHA1&digits=6&period=30`)
		fails(await u.call('PUT', '/account/mfa/authenticators/totp', { otp: other(code(again.secret)) }), 401, 'user_invalid_token')
		assert.equal((await good(u.call('PUT', '/account/mfa/authenticators/totp', { otp: code(again.secret) }))).mfa, false)
		for (const [m, body] of [['POST'], ['PUT', { otp: code(again.secret) }]]) fails(await u.call(m, '/account/mfa/authenticators/totp', body), 409, 'user_authenticator_already_verified')
		assert.deepEqual((await good(u.call('GET', '/account/sessions/current'))).factors, ['password', 'totp'])
		assert.equal((await good(u.call('PATCH', '/account/mfa', { mfa: true }))).mfa, true)
		assert.equal((await good(u.call('GET', '/account'))).mfa, true)
		used(u)

		const half = await signIn(u)
		assert.deepEqual([half.session.factors, half.session.mfaUpdatedAt], [['password'], ''])
		const refused = await half.call('GET', '/account')
		more(refused)
		assert.equal(refused.body.message, 'More factors are required to complete the sign in process.')
		assert.equal((await good(half.call('GET', '/account/mfa/factors'))).totp, true)
		const c = await good(half.call('POST', '/account/mfa/challenge', { factor: 'TOTP' }), 201)
		assert.deepEqual([Object.keys(c), c.userId, Date.parse(c.expire) - Date.parse(c.$createdAt)], [['$id', '$createdAt', 'userId', 'expire'], u.id, 3600000])
		const otp = code(u.secret = again.secret)
		fails(await answer(half, c.$id, other(otp)), 401, 'user_invalid_token')
		more(await half.call('GET', '/account'))
		const whole = await good(half.call('PUT', '/account/mfa/challenge', { challengeId: c.$id, otp }))
		assert.deepEqual([whole.$id, whole.factors, whole.current, whole.secret], [half.session.$id, ['password', 'totp'], true, ''])
		isTime(whole.mfaUpdatedAt)
		assert.equal((await good(half.call('GET', '/account'))).$id, u.id)
		assert.deepEqual((await good(half.call('GET', '/account/sessions/current'))).mfaUpdatedAt, whole.mfaUpdatedAt)
		fails(await answer(half, c.$id, otp), 401, 'user_invalid_token')
		fails(await answer(half, await ask(half, 'totp'), otp), 401, 'user_invalid_token')	/* used */
	})

	test('its clock may be a step off, either way; no code of the past comes back', async () => {
		const u = await enrol(await person())
		await early(30000, 12000)
		const now = step()
		for (const [at, ok] of [[-3, false], [-2, false], [2, false], [3, false], [-1, true], [0, true], [1, true], [0, false], [-1, false]]) {
			const half = await signIn(u), r = await answer(half, await ask(half, 'totp'), code(u.secret, now + at))
			assert.equal(r.status, ok ? 200 : 401, `${at}: ${r.text}`)
		}
	})

	test('one code serves once, however many try at a time', async () => {
		const u = await enrol(await person()), halves = await Promise.all([1, 2, 3, 4].map(() => signIn(u))), ids = []
		for (const h of halves) ids.push(await ask(h, 'totp'))
		await early(30000, 10000)
		const otp = code(u.secret), rs = await Promise.all(halves.map((h, i) => answer(h, ids[i], otp)))
		assert.deepEqual(rs.map((r) => r.status).sort(), [200, 401, 401, 401])
	})

	test('removed while a challenge of it is open, and another one in its place: the challenge proves nothing', async () => {
		const u = await enrol(await person()), half = await signIn(u), id = await ask(half, 'totp')
		await prove(u, u.secret)
		await good(u.call('DELETE', '/account/mfa/authenticators/totp'), 204)
		fails(await u.call('DELETE', '/account/mfa/authenticators/totp'), 404, 'user_authenticator_not_found')
		used(u)
		fails(await answer(half, id, code(u.secret)), 401, 'user_invalid_token')
		await enrol(u)
		fails(await answer(half, id, code(u.secret)), 401, 'user_invalid_token')
	})

	test('removing it and an answer by it at once: whichever comes first, nothing is half done', async () => {
		for (let i = 0; i < 4; i++) {
			const u = await enrol(await person()), half = await signIn(u), id = await ask(half, 'totp')
			await prove(u, u.secret)
			used(u)
			const [removed, proved] = await Promise.all([u.call('DELETE', '/account/mfa/authenticators/totp'), answer(half, id, code(u.secret))])
			assert.equal(removed.status, 204)
			assert.ok([200, 401].includes(proved.status), proved.text)
			assert.equal((await good(u.call('GET', '/account/mfa/factors'))).totp, false)
			await good(half.call('GET', '/account'))	/* there is no factor any more that it could lack */
		}
	})

	test('parameters', async () => {
		const u = await person()
		for (const [m, target, body] of [['PATCH', '', {}], ['PATCH', '', { mfa: 'yes' }], ['POST', '/authenticators/sms'], ['PUT', '/authenticators/totp', {}], ['PUT', '/authenticators/totp', { otp: 'x'.repeat(257) }],
			['POST', '/challenges', {}], ['POST', '/challenges', { factor: 'sms' }], ['PUT', '/challenges', { otp: '1' }], ['PUT', '/challenges', { challengeId: 'x' }]])
			fails(await u.call(m, `/account/mfa${target}`, body), 400, 'general_argument_invalid')
		fails(await answer(u, 'nobody', '123456'), 401, 'user_invalid_token')
		fails(await p.guest('GET', '/account/mfa/factors', { headers: today }), 401, 'general_unauthorized_scope')
		fails(await u.call('POST', '/account/mfa/challenges', { factor: 'totp' }), 404, 'user_authenticator_not_found')
		fails(await u.call('POST', '/account/mfa/challenges', { factor: 'email' }), 400, 'user_email_not_verified')
		fails(await u.call('POST', '/account/mfa/challenges', { factor: 'phone' }), 400, 'user_phone_not_found')
		fails(await u.call('POST', '/account/mfa/challenges', { factor: 'recoverycode' }), 404, 'user_recovery_codes_not_found')
		fails(await u.call('POST', '/account/mfa/challenges', { factor: 'custom' }), 501, 'user_auth_method_unsupported')
		await p.ok('PATCH', `/users/${u.id}/phone`, { body: { number: `+1555${String(Math.random()).slice(2, 9)}` } })
		fails(await u.call('POST', '/account/mfa/challenges', { factor: 'phone' }), 400, 'user_phone_not_verified')
		const ghost = as(cookieOf(await p.guest('POST', '/account/sessions/anonymous', { headers: today })))
		fails(await ghost('POST', '/account/mfa/challenges', { factor: 'email' }), 400, 'user_email_not_found')
		/* of a JSON web token there is no session that could prove anything */
		const jwt = (await u.ok('POST', '/account/jwt')).jwt, by = (m, target, body) => s.call(m, target, { project: p.id, jwt, body, headers: today })
		fails(await by('POST', '/account/mfa/challenges', { factor: 'totp' }), 404, 'user_session_not_found')
		fails(await by('PUT', '/account/mfa/challenges', { challengeId: 'x', otp: 'x' }), 404, 'user_session_not_found')
		fails(await by('GET', '/account/mfa/recovery-codes'), 401, 'user_challenge_required')
	})
})

describe('codes that are sent', () => {
	test('by mail', async () => {
		const u = await person()
		await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		await good(u.call('PATCH', '/account/mfa', { mfa: true }))
		assert.deepEqual((await good(u.call('GET', '/account/sessions/current'))).factors, ['password', 'email'])
		const half = await signIn(u)
		more(await half.call('GET', '/account'))
		const id = await ask(half, 'email'), otp = await message(u.email)
		fails(await answer(half, id, other(otp)), 401, 'user_invalid_token')
		const elsewhere = await signIn(u)
		fails(await answer(elsewhere, id, otp), 401, 'user_invalid_token')	/* it is for the session that asked */
		assert.deepEqual((await good(answer(half, id, otp))).factors, ['password', 'email'])
		await good(half.call('GET', '/account'))
		/* over */
		const late = await ask(elsewhere, 'email'), code2 = await another(u.email, otp)
		psql(`UPDATE ${schema}.challenges SET expire = now() - interval '1 second' WHERE id = '${late}'`)
		fails(await answer(elsewhere, late, code2), 401, 'user_invalid_token')
	})

	test('to an address that is not the user\'s any more: no good', async () => {
		const u = await person(), from = u.email
		await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		await enrol(u)
		const half = await signIn(u), id = await ask(half, 'email'), otp = await message(from)
		await p.ok('PATCH', `/users/${u.id}/email`, { body: { email: `${unique()}@example.org` } })
		await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		fails(await answer(half, id, otp), 401, 'user_invalid_token')
	})

	test('by short message', async () => {
		const u = await person(), number = `+1555${String(Math.random()).slice(2, 9)}`
		await p.ok('PATCH', `/users/${u.id}/phone`, { body: { number } })
		await p.ok('PATCH', `/users/${u.id}/verification/phone`, { body: { phoneVerification: true } })
		await p.ok('PATCH', `/users/${u.id}/mfa`, { body: { mfa: true }, headers: today })
		more(await u.call('GET', '/account'))
		const id = await ask(u, 'phone')
		assert.deepEqual((await good(answer(u, id, await message(number)))).factors, ['password', 'phone'])
		await good(u.call('GET', '/account'))
	})

	test('five wrong ones end a challenge, and a session has three open', async () => {
		const u = await enrol(await person()), half = await signIn(u), id = await ask(half, 'totp')
		for (let i = 0; i < 5; i++) fails(await answer(half, id, other(code(u.secret))), 401, 'user_invalid_token')
		fails(await answer(half, id, code(u.secret)), 401, 'user_invalid_token')
		const ids = []
		for (let i = 0; i < 4; i++) ids.push(await ask(half, 'totp'))
		fails(await answer(half, ids[0], code(u.secret)), 401, 'user_invalid_token')
		await good(answer(half, ids[1], code(u.secret)))
	})

	test('two factors proved at once with one session both count', async () => {
		const u = await person()
		await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		await enrol(u)
		const half = await signIn(u), byMail = await ask(half, 'email'), byApp = await ask(half, 'totp'), otp = await message(u.email)
		const rs = await Promise.all([answer(half, byMail, otp), answer(half, byApp, code(u.secret))])
		assert.deepEqual(rs.map((r) => r.status), [200, 200])
		assert.deepEqual((await good(half.call('GET', '/account/sessions/current'))).factors.sort(), ['email', 'password', 'totp'])
	})

	test('the same factor twice is one: a sign-in by mail is not completed by mail', async () => {
		const u = await person()
		await enrol(u)
		await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		const t = await p.ok('POST', '/account/tokens/email', { key: await p.addKey(['sessions.write']), body: { userId: u.id, email: u.email }, headers: today })
		const r = await p.guest('POST', '/account/sessions/token', { body: { userId: t.userId, secret: await message(u.email) }, headers: today }), half = { call: as(cookieOf(r)) }
		assert.deepEqual([r.status, r.body.factors], [201, ['email']], r.text)
		const first = await message(u.email), id = await ask(half, 'email'), otp = await another(u.email, first)
		await good(answer(half, id, otp))
		more(await half.call('GET', '/account'))
		used(u)
		await prove(half, u.secret)
		await good(half.call('GET', '/account'))
	})
})

describe('recovery codes', () => {
	test('each is good once, and they are seen and made anew only a short while after a challenge', async () => {
		const u = await enrol(await person())
		const { recoveryCodes } = await good(u.call('POST', '/account/mfa/recovery-codes'), 201)
		assert.equal(new Set(recoveryCodes).size, 6)
		for (const c of recoveryCodes) assert.match(c, /^[2-9a-z]{10}$/)
		assert.ok(!psql(`SELECT code FROM ${schema}.recovery_codes`).includes(recoveryCodes[0]), 'they are sealed')
		assert.ok(!psql(`SELECT totp_secret FROM ${schema}.users`).includes(u.secret))
		fails(await u.call('POST', '/account/mfa/recovery-codes'), 409, 'user_recovery_codes_already_exists')
		for (const [m, target] of [['GET', 'recovery-codes'], ['PATCH', 'recovery-codes'], ['DELETE', 'authenticators/totp']])
			fails(await u.call(m, `/account/mfa/${target}`), 401, 'user_challenge_required')

		const half = await signIn(u)
		assert.equal((await good(half.call('GET', '/account/mfa/factors'))).recoveryCode, true)
		for (const [m, target] of [['GET', 'recovery-codes'], ['PATCH', 'recovery-codes'], ['DELETE', 'authenticators/totp']]) more(await half.call(m, `/account/mfa/${target}`))
		fails(await answer(half, await ask(half, 'recoverycode'), 'aaaaaaaaaa'), 401, 'user_invalid_token')
		const whole = await good(answer(half, await ask(half, 'recoverycode'), ` ${recoveryCodes[2].toUpperCase().slice(0, 5)}-${recoveryCodes[2].slice(5)}`))
		assert.deepEqual(whole.factors, ['password', 'recoveryCode'])
		assert.deepEqual((await good(half.call('GET', '/account/mfa/recovery-codes'))).recoveryCodes, recoveryCodes.filter((c) => c !== recoveryCodes[2]))
		fails(await answer(half, await ask(half, 'recoveryCode'), recoveryCodes[2]), 401, 'user_invalid_token')

		const anew = (await good(half.call('PATCH', '/account/mfa/recovery-codes'))).recoveryCodes
		assert.equal(anew.filter((c) => !recoveryCodes.includes(c)).length, 6)
		fails(await answer(half, await ask(half, 'recoveryCode'), recoveryCodes[0]), 401, 'user_invalid_token')
		/* half an hour later */
		psql(`UPDATE ${schema}.sessions SET mfa_updated = now() - interval '31 minutes' WHERE id = '${whole.$id}'`)
		await p.ok('PATCH', `/users/${u.id}/name`, { body: { name: 'Anew' } })	/* so that it is read again */
		fails(await half.call('GET', '/account/mfa/recovery-codes'), 401, 'user_challenge_required')
		await good(half.call('GET', '/account'))
		const none = await enrol(await person())
		await prove(none, none.secret)
		for (const m of ['GET', 'PATCH']) fails(await none.call(m, '/account/mfa/recovery-codes'), 404, 'user_recovery_codes_not_found')
	})

	test('one of them by many at once: one gets in', async () => {
		const u = await enrol(await person()), [one] = (await good(u.call('POST', '/account/mfa/recovery-codes'), 201)).recoveryCodes
		const halves = await Promise.all([1, 2, 3].map(() => signIn(u))), ids = []
		for (const h of halves) ids.push(await ask(h, 'recoveryCode'))
		assert.deepEqual((await Promise.all(halves.map((h, i) => answer(h, ids[i], one)))).map((r) => r.status).sort(), [200, 401, 401])
	})

	test('made by many at once: one set is there', async () => {
		const u = await person(), rs = await Promise.all([1, 2, 3].map(() => u.call('POST', '/account/mfa/recovery-codes')))
		assert.deepEqual(rs.map((r) => r.status).sort(), [201, 409, 409])
	})
})

describe('a session that lacks a factor', () => {
	test('may call nothing but what completes or ends it', async () => {
		const u = await enrol(await person()), half = await signIn(u), api = await description(s.base)
		/* what is asked of a project by its path is asked of the console */
		const boss = await s.user({ project: 'console', password })
		boss.call = as(boss.cookie, 'console')
		await enrol(boss)
		const owner = await s.call('POST', '/account/sessions/email', { project: 'console', body: { email: boss.email, password }, headers: today })
		const open = ['GET /v1/account/mfa/factors', 'POST /v1/account/mfa/challenges', 'PUT /v1/account/mfa/challenges', 'DELETE /v1/account/sessions/{sessionId}']
		const page = ({ name }) => !name.includes(' /v1/') || /^GET \/v1\/auth\//.test(name)
		const plain = ['GET /v1']	/* where the API is */
		let seen = 0
		for (const { name } of api.operations.filter((o) => !open.includes(o.name) && !page(o) && !plain.includes(o.name))) {
			const [m, target] = name.split(' '), url = target.replace('{provider}', 'github').replace(/\{\w+\}/g, 'x')
			const who = name.includes('{projectId}') ? { project: 'console', cookie: cookieOf(owner) } : { project: p.id, cookie: half.cookie }
			const r = await s.call(m, url, { ...who, root: true, unseen: true, ...(m === 'GET' || m === 'DELETE' ? {} : { body: {} }) })
			assert.ok(r.status === 401 && r.text.includes(/html/.test(r.headers['content-type']) ? 'More factors' : 'user_more_factors_required'), `${name}: ${r.status} ${r.text.slice(0, 200)}`)
			seen++
		}
		assert.ok(seen > 200, `${seen}`)
		for (const name of ['/', '/versions', '/robots.txt']) assert.equal((await s.call('GET', name, { project: p.id, cookie: half.cookie, root: true })).status, 200)
	})

	test('by whatever it is sent, with a key beside it, on storage views and by HEAD', async () => {
		const u = await enrol(await person()), half = await signIn(u), secret = decodeURIComponent(half.cookie.match(/a_session_\w+=([^;]+)/)[1])
		for (const headers of [{ 'x-appwrite-session': secret }, { 'x-fallback-cookies': JSON.stringify({ [`a_session_${p.id}`]: secret }) }])
			for (const target of ['/account', '/account/prefs', '/storage/buckets/b/files/f/view', '/teams']) {
				more(await p.guest('GET', target, { headers: { ...today, ...headers } }))
				assert.equal((await p.guest('HEAD', target, { headers: { ...today, ...headers }, unseen: true })).status, 401)
			}
		for (const target of ['/account', '/account/sessions']) more(await p.call('GET', target, { cookie: half.cookie, headers: today }))	/* a key is not asked, and is nobody there */
		more(await half.call('PATCH', '/account/mfa', { mfa: false }))
		more(await half.call('POST', '/account/jwts', {}))
		more(await half.call('POST', '/account/mfa/authenticators/totp'))
		more(await half.call('DELETE', '/account/sessions'))
	})

	test('ends itself, and nobody else\'s', async () => {
		const u = await enrol(await person()), half = await signIn(u)
		more(await half.call('DELETE', `/account/sessions/${u.session.$id}`))
		await good(u.call('GET', '/account'))
		await good(half.call('DELETE', '/account/sessions/current'), 204)
		fails(await half.call('GET', '/account'), 401, 'general_unauthorized_scope')
	})

	test('ends none that has it, and goes before them', async () => {
		const q = await s.project(), u = { ...await q.user({ password }) }
		assert.equal((await q.console.call('PATCH', `/projects/${q.id}/auth/max-sessions`, { body: { limit: 2 } })).status, 200)
		const space = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${q.id}'`), fresh = () => psql(`UPDATE ${space}.users SET totp_step = 0 WHERE id = '${u.id}'`)
		const there = async () => (await q.ok('GET', `/users/${u.id}/sessions`)).sessions.map((x) => x.$id)
		const begin = async () => {
			const r = await q.guest('POST', '/account/sessions/email', { body: { email: u.email, password }, headers: today })
			assert.equal(r.status, 201, r.text)
			return { id: r.body.$id, call: as(cookieOf(r), q.id) }
		}
		const prove = async (who) => { fresh(); return good(answer(who, await ask(who, 'totp'), code(u.secret))) }
		u.call = as(u.cookie, q.id)
		u.secret = (await good(u.call('POST', '/account/mfa/authenticators/totp'))).secret
		await good(u.call('PUT', '/account/mfa/authenticators/totp', { otp: code(u.secret) }))
		await good(u.call('PATCH', '/account/mfa', { mfa: true }))
		const first = (await good(u.call('GET', '/account/sessions/current'))).$id, second = await begin()
		await prove(second)
		const thief = []
		for (let i = 0; i < 5; i++) thief.push(await begin())
		assert.deepEqual(await there(), [first, second.id, thief[3].id, thief[4].id], 'so many that lack it, besides')
		await good(u.call('GET', '/account'))
		/* the owner comes in once more: the oldest that has it goes, and what lacks it */
		const third = await begin()
		assert.deepEqual(await there(), [first, second.id, thief[4].id, third.id])
		await begin()
		await prove(third)
		assert.deepEqual(await there(), [second.id, third.id])
	})

	test('ends none that a provider let in before it was kept what sessions have shown', async () => {
		const q = await s.project(), u = { ...await q.user({ password }) }, space = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${q.id}'`)
		assert.equal((await q.console.call('PATCH', `/projects/${q.id}/auth/max-sessions`, { body: { limit: 1 } })).status, 200)
		u.call = as(u.cookie, q.id)
		const { secret } = await good(u.call('POST', '/account/mfa/authenticators/totp'))
		await good(u.call('PUT', '/account/mfa/authenticators/totp', { otp: code(secret) }))
		await good(u.call('PATCH', '/account/mfa', { mfa: true }))
		psql(`UPDATE ${space}.sessions SET provider = 'github', factors = NULL, mfa_updated = NULL, two_shown = false WHERE user_id = '${u.id}'`)
		const half = await q.guest('POST', '/account/sessions/email', { body: { email: u.email, password }, headers: today })
		assert.equal(half.status, 201, half.text)
		assert.deepEqual((await q.ok('GET', `/users/${u.id}/sessions`)).sessions.map((x) => x.provider), ['github', 'email'])
		await good(u.call('GET', '/account'))
	})

	test('an answer counts wholly or not at all, and a sign-in whatever becomes of the old sessions', async () => {
		const q = await s.project(), u = { ...await q.user({ password }) }, space = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${q.id}'`)
		assert.equal((await q.console.call('PATCH', `/projects/${q.id}/auth/max-sessions`, { body: { limit: 1 } })).status, 200)
		await q.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		u.call = as(u.cookie, q.id)
		await good(u.call('PATCH', '/account/mfa', { mfa: true }))
		const begin = async () => {
			const r = await q.guest('POST', '/account/sessions/email', { body: { email: u.email, password }, headers: today })
			assert.equal(r.status, 201, r.text)
			return { call: as(cookieOf(r), q.id) }
		}
		const half = await begin(), id = await ask(half, 'email'), otp = await message(u.email)
		psql(`CREATE FUNCTION ${space}.no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not now''; END'; CREATE TRIGGER no BEFORE DELETE ON ${space}.sessions FOR EACH ROW EXECUTE FUNCTION ${space}.no()`)
		assert.equal((await answer(half, id, otp)).status, 500)
		more(await half.call('GET', '/account'))
		const next = await begin()
		more(await half.call('GET', '/account'))
		psql(`DROP TRIGGER no ON ${space}.sessions`)
		await good(answer(half, id, otp))
		await good(half.call('GET', '/account'))
		for (const gone of [u, next]) fails(await gone.call('GET', '/account'), 401, 'general_unauthorized_scope')
	})

	test('two that get it at once, where one session is allowed: one is left', async () => {
		const q = await s.project(), u = { ...await q.user({ password }) }
		await q.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		await good(as(u.cookie, q.id)('PATCH', '/account/mfa', { mfa: true }))
		for (let i = 0; i < 4; i++) {
			const halves = []
			for (let j = 0; j < 2; j++) {
				const half = { call: as(cookieOf(await q.guest('POST', '/account/sessions/email', { body: { email: u.email, password }, headers: today })), q.id) }
				half.id = await ask(half, 'email')
				half.otp = u.last = await another(u.email, u.last)
				halves.push(half)
			}
			assert.equal((await q.console.call('PATCH', `/projects/${q.id}/auth/max-sessions`, { body: { limit: 1 } })).status, 200)
			const rs = await Promise.all(halves.map((h) => answer(h, h.id, h.otp)))
			const in_ = []
			for (const h of halves) in_.push((await h.call('GET', '/account')).status)
			assert.equal(in_.filter((x) => x === 200).length, 1, `${rs.map((r) => r.status)} ${in_}`)
			assert.equal((await q.console.call('PATCH', `/projects/${q.id}/auth/max-sessions`, { body: { limit: 10 } })).status, 200)
		}
	})

	test('whoever would shut himself out is told so before', async () => {
		const u = await person(), t = await p.ok('POST', '/account/tokens/email', { key: await p.addKey(['sessions.write']), body: { userId: u.id, email: u.email }, headers: today })
		const by = { call: as(cookieOf(await p.guest('POST', '/account/sessions/token', { body: { userId: t.userId, secret: await message(u.email) }, headers: today }))) }
		more(await by.call('PATCH', '/account/mfa', { mfa: true }))
		assert.equal((await good(by.call('GET', '/account'))).mfa, false)
		const { secret } = await good(by.call('POST', '/account/mfa/authenticators/totp'))
		await good(by.call('PUT', '/account/mfa/authenticators/totp', { otp: code(secret) }))
		await good(by.call('PATCH', '/account/mfa', { mfa: true }))
		await good(by.call('GET', '/account'))
	})

	test('one from before lacks it from then on; a JSON web token of a server is not asked', async () => {
		const u = await person(), before = await signIn(u)
		await enrol(u)
		more(await before.call('GET', '/account'))
		await good(u.call('GET', '/account'))
		const { jwt } = await p.ok('POST', `/users/${u.id}/jwts`, { body: {}, headers: today })
		assert.equal((await s.call('GET', '/account', { project: p.id, jwt, headers: today })).status, 200)
		const made = await p.ok('POST', `/users/${u.id}/sessions`, { headers: today })
		assert.deepEqual(made.factors, ['server'])
		more(await p.guest('GET', '/account', { headers: { ...today, 'x-appwrite-session': made.secret } }))
	})

	test('of the console is nobody in admin mode', async () => {
		const boss = await s.user({ project: 'console', password }), team = await s.ok('POST', '/teams', { project: 'console', cookie: boss.cookie, body: { teamId: unique(), name: 'T' } })
		const id = unique('p')
		await boss.ok('POST', '/projects', { body: { projectId: id, name: 'P', teamId: team.$id } })
		const admin = { call: as(boss.cookie, id, { mode: 'admin' }) }
		const { secret } = await good(admin.call('POST', '/account/mfa/authenticators/totp'))
		await good(admin.call('PUT', '/account/mfa/authenticators/totp', { otp: code(secret) }))
		await good(admin.call('PATCH', '/account/mfa', { mfa: true }))
		psql(`UPDATE p_0.users SET totp_step = 0 WHERE id = '${boss.id}'`)
		assert.equal((await admin.call('GET', '/users')).status, 200)
		const r = await s.call('POST', '/account/sessions/email', { project: 'console', body: { email: boss.email, password }, headers: today })
		const half = { call: as(cookieOf(r), id, { mode: 'admin' }) }
		for (const target of ['/users', '/account', '/databases']) more(await half.call('GET', target))
		more(await as(cookieOf(r), 'console')('GET', '/projects'))
		await prove(half, secret)
		assert.equal((await half.call('GET', '/users')).status, 200)
	})
})

describe('realtime', () => {
	/* Told to a whole connection, too: then it is past. Roles are those of when an event comes. */
	async function rename(u, name) {
		const w = await listen(s, `project=${p.id}&channels[]=account`, { cookie: u.cookie })
		await p.ok('PATCH', `/users/${u.id}/name`, { body: { name } })
		await w.event((d) => d.payload.name === name)
		w.end()
	}
	const heardAlone = async (w) => {
		for (;;) {
			const { payload } = await w.event()
			assert.notEqual(payload.name, 'Unheard')
			if (payload.name === 'Heard') return
		}
	}
	test('is a guest\'s until the factor comes, and the user\'s then', async () => {
		const u = await enrol(await person()), half = await signIn(u)
		const w = await listen(s, `project=${p.id}&channels[]=account&channels[]=documents`, { cookie: half.cookie })
		const present = () => w.ask({ type: 'presence', data: { status: 'here' } })
		assert.equal(w.hello.data.user, null)
		assert.equal((await present()).data.code, 401, 'it says nothing of the user either')
		await rename(u, 'Unheard')
		await prove(half, u.secret)
		await p.ok('PATCH', `/users/${u.id}/name`, { body: { name: 'Heard' } })
		await heardAlone(w)
		assert.equal((await present()).data.presence.userId, u.id)
	})

	test('neither is a session that is brought by a message, nor is an account told by it', async () => {
		const u = await enrol(await person()), half = await signIn(u), secret = decodeURIComponent(half.cookie.match(/a_session_\w+=([^;]+)/)[1])
		const w = await listen(s, `project=${p.id}&channels[]=account`)
		w.send({ type: 'authentication', data: { session: secret } })
		const r = await w.next((m) => m.type === 'response')
		assert.deepEqual([r.data.success, r.data.user], [true, null])
		await rename(u, 'Unheard')
		await prove(half, u.secret)
		await p.ok('PATCH', `/users/${u.id}/name`, { body: { name: 'Heard' } })
		await heardAlone(w)
	})

	test('one that was whole is a guest\'s as soon as a factor is wanted', async () => {
		const u = await person(), before = await signIn(u), w = await listen(s, `project=${p.id}&channels[]=account`, { cookie: before.cookie })
		assert.equal(w.hello.data.user.$id, u.id)
		await enrol(u)
		more(await before.call('GET', '/account'))
		await rename(u, 'Unheard')
		await prove(before, u.secret)
		await p.ok('PATCH', `/users/${u.id}/name`, { body: { name: 'Heard' } })
		await heardAlone(w)
	})
})

test('a membership tells it, where the project shows it', async () => {
	const u = await person(), other = await person(), team = await p.ok('POST', '/teams', { body: { teamId: unique(), name: 'T' } }), ids = []
	for (const one of [u, other]) ids.push((await p.ok('POST', `/teams/${team.$id}/memberships`, { body: { userId: one.id, email: one.email, roles: ['r'], url: 'http://localhost/x' }, headers: today })).$id)
	const seen = async (call) => (await good(call('GET', `/teams/${team.$id}/memberships/${ids[0]}`))).mfa, server = (m, target) => p.call(m, target, { headers: today })
	assert.equal(await seen(server), false)
	await good(u.call('PATCH', '/account/mfa', { mfa: true }))
	assert.equal(await seen(server), false)	/* there is no factor */
	await enrol(u)
	for (const shown of [false, true]) {
		await p.ok('PATCH', '/project/policies/membership-privacy', { key: await p.addKey(['policies.write']), body: { userMFA: shown }, headers: today })
		assert.deepEqual([await seen(server), await seen(other.call)], [true, shown])
	}
})

describe('the users service', () => {
	test('sees factors, gives and renews codes, and ends the need at once', async () => {
		const u = await enrol(await person()), half = await signIn(u), key = (m, tail, body) => p.call(m, `/users/${u.id}/mfa${tail}`, { body, headers: today })
		assert.deepEqual((await good(key('GET', '/factors'))).totp, true)
		fails(await key('GET', '/recovery-codes'), 404, 'user_recovery_codes_not_found')
		fails(await key('PUT', '/recovery-codes'), 404, 'user_recovery_codes_not_found')
		const { recoveryCodes } = await good(key('PATCH', '/recovery-codes'), 201)
		fails(await key('PATCH', '/recovery-codes'), 409, 'user_recovery_codes_already_exists')
		assert.deepEqual((await good(key('GET', '/recovery-codes'))).recoveryCodes, recoveryCodes)
		const anew = (await good(key('PUT', '/recovery-codes'))).recoveryCodes
		assert.notDeepEqual(anew, recoveryCodes)
		await good(answer(half, await ask(half, 'recoveryCode'), anew[0]))
		const second = await signIn(u), id = await ask(second, 'totp')
		assert.deepEqual((await good(key('GET', `/challenges/${id}`))).code, '')
		fails(await key('GET', '/challenges/nobody'), 401, 'user_invalid_token')
		more(await second.call('GET', '/account'))
		assert.equal((await good(key('PATCH', '', { mfa: false }))).mfa, false)
		await good(second.call('GET', '/account'))
		await good(key('PATCH', '', { mfa: true }))
		more(await second.call('GET', '/account'))
		await good(key('DELETE', '/authenticators/totp'), 204)
		await good(second.call('GET', '/account'))	/* there is none that it could prove */
		fails(await key('DELETE', '/authenticators/totp'), 404, 'user_authenticator_not_found')
		for (const [m, tail] of [['PATCH', ''], ['GET', '/factors'], ['GET', '/recovery-codes'], ['PATCH', '/recovery-codes'], ['PUT', '/recovery-codes'], ['DELETE', '/authenticators/totp'], ['GET', '/challenges/x']]) {
			fails(await p.call(m, `/users/nobody/mfa${tail}`, { body: m === 'PATCH' ? { mfa: true } : undefined, headers: today }), 404, 'user_not_found')
			fails(await u.call(m, `/users/${u.id}/mfa${tail}`), 401, 'general_unauthorized_scope')
		}
		fails(await key('DELETE', '/authenticators/sms'), 400, 'general_argument_invalid')
		fails(await key('PATCH', '', { mfa: 5 }), 400, 'general_argument_invalid')
	})

	test('brings codes of the factor custom itself, where the project allows it', async () => {
		const u = await enrol(await person()), half = await signIn(u)
		psql(`UPDATE badal.projects SET factor_custom = true, factor_totp = false WHERE id = '${p.id}'`)
		await p.console.ok('PATCH', `/projects/${p.id}`, { body: { name: 'Test' } })	/* so that it is read again */
		try {
			assert.deepEqual(await good(half.call('GET', '/account/mfa/factors')), { totp: false, phone: false, email: false, recoveryCode: false, custom: true })
			fails(await half.call('POST', '/account/mfa/challenges', { factor: 'totp' }), 501, 'user_auth_method_unsupported')
			const id = await ask(half, 'custom'), c = await good(p.call('GET', `/users/${u.id}/mfa/challenges/${id}`, { headers: today }))
			assert.match(c.code, /^\d{6}$/)
			fails(await answer(half, id, other(c.code)), 401, 'user_invalid_token')
			assert.deepEqual((await good(answer(half, id, c.code))).factors, ['password', 'custom'])
		} finally {
			psql(`UPDATE badal.projects SET factor_custom = false, factor_totp = true WHERE id = '${p.id}'`)
			await p.console.ok('PATCH', `/projects/${p.id}`, { body: { name: 'Test' } })
		}
	})
})

test('guesses: so many a day over all challenges; who has signed in wholly from there goes on', async () => {
	const own = await server({ own: true, conf: { rate_limits: 'on', dev: 'on' } })
	try {
		const q = await own.project(), email = `${unique()}@example.org`, from = (ip) => ({ ...today, 'x-forwarded-for': ip })
		await q.ok('POST', '/users', { body: { userId: unique(), email, password } })
		let addresses = 0
		const enter = async (ip = `198.51.100.${++addresses}`) => {
			const r = await q.guest('POST', '/account/sessions/email', { body: { email, password }, headers: from(ip) }), cookie = cookieOf(r)
			assert.equal(r.status, 201, r.text)
			return { call: (m, target, body) => own.call(m, target, { project: q.id, cookie, body, headers: from(ip) }) }
		}
		const home = '203.0.113.9', owner = await enter(home)
		const { secret } = await good(owner.call('POST', '/account/mfa/authenticators/totp'))
		await good(owner.call('PUT', '/account/mfa/authenticators/totp', { otp: code(secret, step() - 1) }))
		await good(owner.call('PATCH', '/account/mfa', { mfa: true }))
		/* whoever the thief is known as says nothing */
		const mine = { email: `${unique()}@example.org`, password }, known = await q.ok('POST', '/users', { body: { userId: unique(), ...mine } })
		let wrong = 0, full
		await early(3600000, 60000)
		for (let session = 0; session < 9 && !full; session++) {
			const thief = await enter()
			assert.equal((await q.guest('POST', '/account/sessions/email', { body: mine, headers: from(`198.51.100.${addresses}`) })).status, 201)
			const r = await thief.call('POST', '/account/mfa/challenges', { factor: 'totp' })
			assert.equal(r.status, 201, r.text)
			for (let i = 0; i < 4 && !full; i++) {
				const a = await thief.call('PUT', '/account/mfa/challenges', { challengeId: r.body.$id, otp: '0000000', userId: known.$id })
				full = a.status === 429
				wrong += !full
			}
		}
		assert.deepEqual([full, wrong], [true, 20])
		/* nor is the right one taken from there, nor do the sign-ins of a thief make it known */
		const thief = await enter('198.51.100.1'), t = await good(thief.call('POST', '/account/mfa/challenges', { factor: 'totp' }), 201)
		fails(await answer(thief, t.$id, code(secret)), 429, 'general_rate_limit_exceeded')
		const back = await enter(home), c = await good(back.call('POST', '/account/mfa/challenges', { factor: 'totp' }), 201)
		await good(answer(back, c.$id, code(secret, step() + 1)))
		await good(back.call('GET', '/account'))
	} finally {
		await own.stop()
	}
})
