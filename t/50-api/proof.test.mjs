/* Whose account it is: what becomes of an account that somebody made with a stranger's address when the owner comes in, and how long what is sent
 * out is good. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { provider } from '../lib/provider.mjs'
import { cookieOf, server, unique, until } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { code as totp } from '../lib/totp.mjs'
import { channels, listen } from '../lib/ws.mjs'
import { fails } from './lib.mjs'

let s, p, box, g, gate, schema, olga
const got = [], url = 'http://localhost/page', password = 'password-1234'
const mail = () => `${unique('m')}@example.org`
const number = () => `+49${String(BigInt(`0x${unique()}`) % 10n ** 11n).padStart(11, '0')}`
const send = (m, target, body, o = {}) => p.guest(m, target, { body, ...o })
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
/* Locks a user until the function it gives is called, which may first do more. */
async function hold(u) {
	const c = spawn('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1'], { stdio: ['pipe', 'pipe', 'inherit'] })
	let out = ''
	c.stdout.on('data', (d) => (out += d))
	c.stdin.write(`BEGIN; SELECT 'held' FROM ${schema}.users WHERE id = '${u.id}' FOR UPDATE;\n`)
	await until('the lock', () => out.includes('held'))
	return (more = '') => c.stdin.end(`${more} COMMIT;\n`)
}
const waiting = (n) => until(`${n} wait`, () => psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") === String(n))
const metric = async (name) => Number((await s.call('GET', '/metrics', { root: true })).text.match(new RegExp(`^${name} (\\d+)`, 'm'))?.[1] ?? 0)

before(async () => {
	box = await sink()
	g = await provider()
	gate = http.createServer((rq, rs) => {
		let body = ''
		rq.on('data', (d) => (body += d))
		rq.on('end', () => { got.push(JSON.parse(body)); rs.end('{}') })
	})
	await new Promise((ok) => gate.listen(0, '127.0.0.1', ok))
	gate.unref()
	s = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port, oauth_private: 'on', sms_provider: 'sms://u:s@mock', sms_from: '+49', sms_url: `http://127.0.0.1:${gate.address().port}` } })
	p = await s.project()
	await p.console.ok('PATCH', `/projects/${p.id}/oauth2`, { body: { provider: 'gitlab', appId: g.client, secret: g.secret } })
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	olga = await p.user({ name: 'Olga' })
})
after(async () => {
	await s.stop()
	box.stop()
	g.stop()
	gate.close()
})

const code = async (phone) => (await until('the code', () => { const i = got.findIndex((m) => m.to === phone); return i < 0 ? null : got.splice(i, 1)[0] })).message.match(/\d{6}/)[0]
const linkTo = async (email) => Object.fromEntries(new URL((await box.next(email)).link).searchParams)

/* A sign-in at the provider, as far as the redirect step. */
async function oauth(person, cookie) {
	const visit = (u, c) => new URL(u).origin === new URL(s.endpoint).origin ? s.call('GET', new URL(u).pathname + new URL(u).search, { root: true, cookie: c })
		: new Promise((ok) => http.get(u, (rs) => { rs.resume(); ok({ headers: rs.headers }) }))
	g.person = person
	const first = await s.call('GET', '/account/sessions/oauth2/gitlab', { cookie, query: { project: p.id, success: 'http://localhost/ok', failure: 'http://localhost/no' } })
	const all = [cookie, cookieOf(first)].filter(Boolean).join('; ')
	const back = await visit((await visit(first.headers.location)).headers.location, all)
	return { first, finish: () => visit(back.headers.location, all) }
}
const person = (email) => ({ id: Number.parseInt(unique().slice(0, 10), 16), email, name: 'Ada', confirmed_at: '2020-01-01T00:00:00Z' })

/* Each kind of secret that travels: sends one out to the user, gives how it is used. */
const secrets = {
	recovery: async (u) => {
		await send('POST', '/account/recovery', { email: u.email, url })
		const { userId, secret } = await linkTo(u.email)
		return (o = {}) => send('PUT', '/account/recovery', { userId, secret, password: 'password-5678', passwordAgain: 'password-5678' }, o)
	},
	verification: async (u) => {
		assert.equal((await send('POST', '/account/verification', { url }, { cookie: u.cookie })).status, 201)
		const { userId, secret } = await linkTo(u.email)
		return (o = {}) => send('PUT', '/account/verification', { userId, secret }, o)
	},
	'phone verification': async (u) => {
		assert.equal((await send('POST', '/account/verification/phone', {}, { cookie: u.cookie })).status, 201)
		const secret = await code(u.phone)
		return (o = {}) => send('PUT', '/account/verification/phone', { userId: u.id, secret }, { cookie: u.cookie, ...o })
	},
	'magic URL': async (u) => {
		await send('POST', '/account/sessions/magic-url', { userId: 'unique()', email: u.email })
		const { userId, secret } = await linkTo(u.email)
		return (o = {}) => send('PUT', '/account/sessions/magic-url', { userId, secret }, o)
	},
	invitation: async (u) => {
		const teamId = unique('t')
		await olga.ok('POST', '/teams', { body: { teamId, name: 'Red' } })
		await olga.ok('POST', `/teams/${teamId}/memberships`, { body: { email: u.email, roles: ['x'], url } })
		const { userId, secret, membershipId } = await linkTo(u.email)
		const use = (o = {}) => send('PATCH', `/teams/${teamId}/memberships/${membershipId}/status`, { userId, secret }, o)
		return Object.assign(use, { membershipId, again: () => olga.call('POST', `/teams/${teamId}/memberships`, { body: { email: u.email, roles: ['y'], url } }) })
	},
	phone: async (u) => {
		const r = await send('POST', '/account/sessions/phone', { userId: 'unique()', phone: u.phone }), secret = await code(u.phone)
		return (o = {}) => send('PUT', '/account/sessions/phone', { userId: r.body.userId, secret }, o)
	},
}

/* Somebody's account with a stranger's address (or number), and all they can put there. */
async function squatted(own) {
	const u = await p.user()
	u.phone = number()
	u.identity = person(own === 'phone' ? null : mail())
	const linked = await (await oauth(u.identity, u.cookie)).finish()
	u.cookie = cookieOf(linked)
	assert.equal((await send('PATCH', '/account/phone', { phone: u.phone, password: u.password }, { cookie: u.cookie })).status, 200)
	u.extra = cookieOf(await send('POST', '/account/sessions/email', { email: u.email, password: u.password }))
	u.jwt = (await send('POST', '/account/jwt', {}, { cookie: u.cookie })).body.jwt
	return u
}
/* Nothing of it opens the account any more. */
async function shut(u, { mine, socket }) {
	for (const by of [{ cookie: u.cookie }, { cookie: u.extra }, { jwt: u.jwt }]) fails(await p.guest('GET', '/account', by), 401, 'general_unauthorized_scope')
	fails(await send('POST', '/account/sessions/email', { email: u.email, password: u.password }), 401, 'user_invalid_credentials')
	const back = await (await oauth(u.identity)).finish()
	const r = await p.guest('GET', '/account', { cookie: cookieOf(back) })
	assert.notEqual(r.body.$id, u.id, 'the identity is not the account any more')
	const account = await p.ok('GET', `/users/${u.id}`)
	await p.ok('PATCH', `/users/${u.id}/name`, { body: { name: 'Changed' } })
	if (mine) {
		const w = await listen(s, `project=${p.id}&${channels('account')}`, { cookie: mine })
		assert.equal(w.hello.data.user?.$id, u.id)
		await p.ok('PATCH', `/users/${u.id}/prefs`, { body: { prefs: { mine: 'true' } } })
		await w.event((e) => e.payload.mine || e.payload.prefs?.mine)
		w.end()
	}
	await socket.ask({ type: 'ping' })
	assert.ok(!socket.texts.some((t) => t.includes('Changed') || t.includes('mine')), 'the socket hears no more')
	const logs = await until('the log', async () => { const l = await p.ok('GET', `/users/${u.id}/logs`); return l.logs.some((e) => e.event === 'user.takeover') && l })
	assert.ok(logs.total > 0)
	return account
}

describe('the owner of an address comes in', () => {
	const ways = {
		recovery: { by: secrets.recovery, gone: 'phone' },
		'magic URL': { by: secrets['magic URL'], gone: 'phone' },
		invitation: { by: secrets.invitation, gone: 'phone' },
		'OAuth2': { by: async (u) => (await oauth(person(u.email))).finish, gone: 'phone' },
		phone: { by: secrets.phone, gone: 'email' },
	}
	for (const [name, way] of Object.entries(ways)) {
		test(`by ${name}: whatever else opens the account goes`, async () => {
			const u = await squatted(name), others = []
			for (const [kind, make] of Object.entries(secrets)) others.push([kind, await make(u)])
			const use = await way.by(u), was = await metric('badal_accounts_taken_over_total')
			const socket = await listen(s, `project=${p.id}&${channels('account')}`, { cookie: u.cookie })
			assert.equal(socket.hello.data.user.$id, u.id)
			socket.api = null	/* an event of a token has no secret here, whatever its model says */
			const r = await use(), mine = name === 'recovery' ? null : cookieOf(r)
			assert.ok([200, 201, 301].includes(r.status), r.text)
			const account = await shut(u, { mine, socket })
			socket.end()
			assert.equal(account[way.gone], '')
			assert.equal(account[way.gone === 'phone' ? 'emailVerification' : 'phoneVerification'], true)
			for (const [kind, other] of others) assert.equal((await other()).status, 401, `${kind} is over`)
			assert.equal((await p.ok('GET', `/users/${u.id}/sessions`)).total, name === 'recovery' ? 0 : 1)
			if (name === 'recovery') assert.equal((await send('POST', '/account/sessions/email', { email: u.email, password: 'password-5678' })).status, 201)
			else assert.equal((await send('PATCH', '/account/password', { password }, { cookie: mine })).status, 200, 'a new password needs no old one')
			assert.ok(await metric('badal_accounts_taken_over_total') > was)
			/* and once it is theirs, the same proof ends nothing */
			if (!mine) return
			const again = await (await way.by({ ...u, ...(await p.ok('GET', `/users/${u.id}`)) }))()
			assert.ok([200, 201, 301].includes(again.status), again.text)
			assert.equal((await p.guest('GET', '/account', { cookie: mine })).status, 200)
			if (way.gone === 'phone') assert.equal((await send('POST', '/account/sessions/email', { email: u.email, password })).status, 201)
		})
	}

	test('the second factor of the squatter goes with it, and its recovery codes', async () => {
		const today = { headers: { 'x-appwrite-response-format': '1.9.5' } }
		for (const kind of ['magic URL', 'invitation', 'OAuth2', 'recovery']) {
			const u = await p.user(), own = (m, target, body) => u.ok(m, target, { body, ...today })
			const { secret } = await own('POST', '/account/mfa/authenticators/totp')
			await own('PUT', '/account/mfa/authenticators/totp', { otp: totp(secret) })
			psql(`UPDATE ${schema}.sessions SET mfa_updated = now() WHERE user_id = '${u.id}'`)
			await own('POST', '/account/mfa/recovery-codes')
			await own('PATCH', '/account/mfa', { mfa: true })
			await own('POST', '/account/mfa/challenges', { factor: 'totp' })
			const left = () => psql(`SELECT mfa, totp, totp_secret <> '', (SELECT count(*) FROM ${schema}.recovery_codes c WHERE c.user_internal = u.internal), ` +
				`(SELECT count(*) FROM ${schema}.challenges c WHERE c.user_internal = u.internal) FROM ${schema}.users u WHERE id = '${u.id}'`)
			assert.equal(left(), 't|t|t|6|1')
			const use = kind === 'OAuth2' ? (await oauth(person(u.email))).finish : await secrets[kind](u)
			let cookie = cookieOf(await use())
			assert.equal(left(), 'f|f|f|0|0', kind)
			if (kind === 'recovery') cookie = cookieOf(await send('POST', '/account/sessions/email', { email: u.email, password: 'password-5678' }))
			const r = await p.guest('GET', '/account', { cookie, ...today })
			assert.deepEqual([r.status, r.body.$id, r.body.mfa], [200, u.id, false], kind)
		}
	})

	test('the app stays where the address was verified by anybody, but for who comes with two factors', async () => {
		const today = { headers: { 'x-appwrite-response-format': '1.9.5' } }
		for (const kind of ['magic URL', 'invitation', 'recovery', 'OAuth2']) {
			const u = await p.user(), own = (m, target, body) => u.ok(m, target, { body, ...today })
			assert.equal((await (await secrets.verification(u))()).status, 200)
			const { secret } = await own('POST', '/account/mfa/authenticators/totp')
			await own('PUT', '/account/mfa/authenticators/totp', { otp: totp(secret) })
			await own('PATCH', '/account/mfa', { mfa: true })
			const use = kind === 'OAuth2' ? (await oauth(person(u.email))).finish : await secrets[kind](u), was = await metric('badal_accounts_taken_over_total')
			let cookie = cookieOf(await use())
			assert.equal(await metric('badal_accounts_taken_over_total'), was + 1)
			if (kind === 'recovery') cookie = cookieOf(await send('POST', '/account/sessions/email', { email: u.email, password: 'password-5678' }))
			fails(await u.call('GET', '/account'), 401, 'general_unauthorized_scope')
			const r = await p.guest('GET', '/account', { cookie, ...today })
			if (kind === 'OAuth2') assert.deepEqual([r.status, r.body.$id, r.body.mfa], [200, u.id, false])
			else fails(r, 401, 'user_more_factors_required')
		}
	})

	test('a code of the second factor proves the address to be the holder\'s', async () => {
		const today = { headers: { 'x-appwrite-response-format': '1.9.5' } }, u = await p.user(), own = (m, target, body) => u.ok(m, target, { body, ...today })
		u.phone = number()
		await own('PATCH', '/account/phone', { phone: u.phone, password: u.password })
		assert.equal((await (await secrets.verification(u))()).status, 200)
		psql(`UPDATE ${schema}.users SET phone_verification = true WHERE id = '${u.id}'`)
		const proved = () => psql(`SELECT email_proved, phone_proved FROM ${schema}.users WHERE id = '${u.id}'`)
		assert.equal(proved(), 'f|f')
		let c = await own('POST', '/account/mfa/challenges', { factor: 'email' })
		await own('PUT', '/account/mfa/challenges', { challengeId: c.$id, otp: (await box.next(u.email)).text.match(/\b\d{6}\b/)[0] })
		assert.equal(proved(), 't|f')
		c = await own('POST', '/account/mfa/challenges', { factor: 'phone' })
		await own('PUT', '/account/mfa/challenges', { challengeId: c.$id, otp: await code(u.phone) })
		assert.equal(proved(), 't|t')
		await (await secrets['magic URL'](u))()
		await own('GET', '/account')
	})

	test('one that the provider\'s account does not get into is not taken over', async () => {
		const u = await p.user(), x = await p.user(), who = person(u.email), was = await metric('badal_accounts_taken_over_total'), { finish } = await oauth(who)
		const go = await hold(u)
		const reply = finish()
		await waiting(1)
		/* meanwhile the identity becomes another account's */
		go(`INSERT INTO ${schema}.identities (user_internal, provider, provider_uid, created) SELECT internal, 'gitlab', '${who.id}', now() FROM ${schema}.users WHERE id = '${x.id}';`)
		const me = await p.guest('GET', '/account', { cookie: cookieOf(await reply) })
		assert.equal(me.body.$id, x.id, me.text)
		assert.equal(await metric('badal_accounts_taken_over_total'), was)
		await u.ok('GET', '/account')
		await x.ok('PATCH', '/account/name', { body: { name: 'After' } })
		const { logs } = await until('the log', async () => { const l = await p.ok('GET', `/users/${x.id}/logs`); return l.logs.length > 1 && l })
		assert.ok(!logs.some((e) => e.event === 'user.takeover'), JSON.stringify(logs.map((e) => e.event)))
	})

	/* By a session, and by a token that needs none; each waits behind the owner. `left`: what there would be of it. */
	const late = {
		'recovery codes': { ask: (u) => u.late('POST', '/account/mfa/recovery-codes'), left: ['recovery_codes'] },
		'an app': { ask: (u) => u.late('POST', '/account/mfa/authenticators/totp'), left: ['users', "totp_secret <> ''"] },
		'a wish for a second factor': { ask: (u) => u.lent('PATCH', '/account/mfa', { mfa: true }), left: ['users', 'mfa'] },
		'a first password': { ask: (u) => u.late('PATCH', '/account/password', { password: 'password-9' }), left: ['users', 'password IS NOT NULL'] },
		'a device': { ask: (u) => u.lent('POST', '/account/targets/push', { targetId: 'unique()', identifier: unique('push') }), left: ['targets', "provider_type = 'push'"] },
		'an identity': { ask: (u) => u.going.finish(), left: ['identities'] },
	}
	for (const [what, { ask, left: [table, when = 'true'] }] of Object.entries(late))
		test(`nothing of the squatter's comes behind: ${what}`, async () => {
			const u = await p.user(), headers = { 'x-appwrite-response-format': '1.9.5' }
			psql(`UPDATE ${schema}.users SET password = NULL, password_update = NULL WHERE id = '${u.id}'`)
			const { jwt } = await u.ok('POST', '/account/jwt')
			u.late = (m, target, body) => p.guest(m, target, { cookie: u.cookie, headers, body })
			u.lent = (m, target, body) => p.guest(m, target, { jwt, headers, body })
			u.going = await oauth(person(null), u.cookie)
			const use = await secrets['magic URL'](u), go = await hold(u), owner = use()
			await waiting(1)
			const squatter = ask(u)
			await waiting(2)
			go()
			assert.equal((await owner).status, 201)
			const r = await squatter
			if (what === 'an identity') assert.match(r.headers.location, /^http:\/\/localhost\/no\?error=/)
			else fails(r, 401, what === 'a first password' ? 'user_invalid_credentials' : 'user_unauthorized')
			const whose = `${table === 'users' ? 'internal' : 'user_internal'} = (SELECT internal FROM ${schema}.users WHERE id = '${u.id}')`
			assert.equal(psql(`SELECT count(*) FROM ${schema}.${table} WHERE ${whose} AND ${when}`), '0')
			assert.equal(psql(`SELECT count(*) FROM ${schema}.sessions WHERE user_id = '${u.id}'`), '1')
			assert.equal((await p.guest('GET', '/account', { cookie: cookieOf(await owner) })).body.$id, u.id)
		})

	test('with a session of the squatter: it ends like the others', async () => {
		for (const kind of ['magic URL', 'invitation']) {
			const u = await p.user(), use = await secrets[kind](u), r = await use({ cookie: u.cookie })
			assert.ok([200, 201].includes(r.status), r.text)
			fails(await u.call('GET', '/account'), 401, 'general_unauthorized_scope')
			assert.equal((await p.guest('GET', '/account', { cookie: cookieOf(r) })).body.$id, u.id)
		}
	})

	test('an account that is theirs already: only a new password ends sessions', async () => {
		for (const kind of ['magic URL', 'invitation', 'recovery']) {
			const u = await p.user()
			await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
			const use = await secrets[kind](u), other = await secrets.recovery(u)
			assert.ok([200, 201].includes((await use()).status))
			assert.equal((await u.call('GET', '/account')).status, kind === 'recovery' ? 401 : 200, kind)
			assert.equal((await other()).status, kind === 'recovery' ? 401 : 200, kind)
		}
	})

	test('a recovery whose secret the console was shown is a new password, and proves nothing', async () => {
		const u = await p.user(), r = await p.admin('POST', '/account/recovery', { body: { email: u.email, url } })
		assert.equal(r.body.secret.length, 256)
		assert.equal((await send('PUT', '/account/recovery', { userId: u.id, secret: r.body.secret, password: 'console-1234', passwordAgain: 'console-1234' })).status, 200)
		assert.equal((await u.ok('GET', '/account')).emailVerification, true)
		assert.equal((await send('POST', '/account/sessions/email', { email: u.email, password: 'console-1234' })).status, 201)
		const { userId, secret } = await (async () => { await send('POST', '/account/recovery', { email: u.email, url }); await linkTo(u.email); return linkTo(u.email) })()
		assert.equal((await send('PUT', '/account/recovery', { userId, secret, password, passwordAgain: password })).status, 200)
		fails(await u.call('GET', '/account'), 401, 'general_unauthorized_scope')	/* the owner of the address still takes over */
	})

	test('a sign-in whose secret the console was shown proves nothing, and ends nothing', async () => {
		const phone = number(), u = await p.user()
		await u.ok('PATCH', '/account/phone', { body: { phone, password: u.password } })
		for (const [way, body] of [['magic-url', { email: u.email, url }], ['phone', { phone }]]) {
			const r = await p.admin('POST', `/account/sessions/${way}`, { body: { userId: 'unique()', ...body } })
			assert.notEqual(r.body.secret, '')
			assert.equal((await send('PUT', `/account/sessions/${way}`, { userId: u.id, secret: r.body.secret })).status, 201)
			assert.equal((await u.ok('GET', '/account')).phone, phone)
			assert.equal((await send('POST', '/account/sessions/email', { email: u.email, password: u.password })).status, 201)
		}
		assert.equal(psql(`SELECT email_proved OR phone_proved FROM ${schema}.users WHERE id = '${u.id}'`), 'f')
		for (const [way, body] of [['magic-url', { email: mail(), url }], ['phone', { phone: number() }]]) {	/* one that is made by it is nobody's yet */
			const made = await p.admin('POST', `/account/sessions/${way}`, { body: { userId: 'unique()', ...body } })
			assert.equal(psql(`SELECT email_proved OR phone_proved FROM ${schema}.users WHERE id = '${made.body.userId}'`), 'f')
		}
	})

	test('what was made by the secret itself has nobody to take it from', async () => {
		const email = mail(), u = { email }
		const [one, two] = [await secrets['magic URL'](u), await secrets['magic URL'](u)], first = cookieOf(await one())
		assert.equal((await two()).status, 201)
		assert.equal((await p.guest('GET', '/account', { cookie: first })).status, 200)
	})
})

describe('a verification', () => {
	test('opened by a guest changes hands of nothing, and keeps nobody from coming in later', async () => {
		const u = await p.user(), use = await secrets.verification(u)
		assert.equal((await use()).status, 200)
		assert.equal((await u.ok('GET', '/account')).emailVerification, true)
		assert.equal((await (await secrets['magic URL'](u))()).status, 201)
		fails(await u.call('GET', '/account'), 401, 'general_unauthorized_scope')
		fails(await send('POST', '/account/sessions/email', { email: u.email, password: u.password }), 401, 'user_invalid_credentials')
	})

	test('opened by somebody else, too', async () => {
		const u = await p.user(), use = await secrets.verification(u)
		assert.equal((await use({ cookie: (await p.user()).cookie })).status, 200)
		assert.equal((await (await secrets['magic URL'](u))()).status, 201)
		fails(await u.call('GET', '/account'), 401, 'general_unauthorized_scope')
	})

	test('opened by who holds the account proves it theirs', async () => {
		const u = await p.user(), use = await secrets.verification(u)
		assert.equal((await use({ cookie: u.cookie })).status, 200)
		assert.equal((await (await secrets['magic URL'](u))()).status, 201)
		assert.equal((await u.call('GET', '/account')).status, 200)
		assert.equal((await send('POST', '/account/sessions/email', { email: u.email, password: u.password })).status, 201)
	})

	test('another address begins anew', async () => {
		const u = await p.user(), next = mail()
		await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		await u.ok('PATCH', '/account/email', { body: { email: next, password: u.password } })
		assert.equal((await (await secrets['magic URL']({ email: next }))()).status, 201)
		fails(await u.call('GET', '/account'), 401, 'general_unauthorized_scope')
	})
})

describe('a secret that travels', () => {
	const changes = {
		'the password': (u) => u.ok('PATCH', '/account/password', { body: { password: 'password-9', oldPassword: u.password } }),
		'the password, by a key': (u) => p.ok('PATCH', `/users/${u.id}/password`, { body: { password: 'password-9' } }),
		'the address': (u) => u.ok('PATCH', '/account/email', { body: { email: mail(), password: u.password } }),
		'the address, there and back': async (u) => { for (const email of [mail(), u.email]) await p.ok('PATCH', `/users/${u.id}/email`, { body: { email } }) },
		'the number': (u) => u.ok('PATCH', '/account/phone', { body: { phone: number(), password: u.password } }),
		'the status': async (u) => { for (const status of [false, true]) await p.ok('PATCH', `/users/${u.id}/status`, { body: { status } }) },
	}
	for (const [what, change] of Object.entries(changes)) {
		test(`ends with a change of ${what}`, async () => {
			const u = await p.user(), all = []
			u.phone = number()
			await p.ok('PATCH', `/users/${u.id}/phone`, { body: { number: u.phone } })
			for (const [kind, make] of Object.entries(secrets)) all.push([kind, await make(u)])
			const jwt = (await u.ok('POST', '/account/jwt')).jwt, going = await oauth(person(mail()), u.cookie)
			assert.equal((await p.guest('GET', '/account', { jwt })).status, 200)
			await change(u)
			for (const [kind, use] of all) assert.equal((await use()).status, 401, kind)
			fails(await p.guest('GET', '/account', { jwt }), 401, 'general_unauthorized_scope')
			assert.notEqual((await going.finish()).headers.location, 'http://localhost/ok')
			assert.equal((await u.ok('GET', '/account/sessions')).total, 1, 'the session stays')
		})
	}

	test('is good once, of however many at once', async () => {
		for (const [kind, make] of Object.entries(secrets)) {
			const u = await p.user()
			u.phone = number()
			await p.ok('PATCH', `/users/${u.id}/phone`, { body: { number: u.phone } })
			const use = await make(u)
			const all = await Promise.all(Array.from({ length: 5 }, () => use()))
			assert.deepEqual(all.map((r) => r.status < 300 ? 'good' : r.status >= 400 && r.status < 500).sort(), ['good', true, true, true, true].sort(), `${kind}: ${all.map((r) => r.status)}`)
			assert.ok((await use()).status >= 400, `${kind}, once more`)
		}
	})

	test('ends with its time', async () => {
		const u = await p.user()
		u.phone = number()
		await p.ok('PATCH', `/users/${u.id}/phone`, { body: { number: u.phone } })
		for (const [kind, make] of Object.entries(secrets)) {
			const use = await make(u)
			psql(`UPDATE ${schema}.tokens SET expire = now() - interval '1 second' WHERE user_id = '${u.id}'; UPDATE ${schema}.memberships SET expire = now() - interval '1 second' WHERE user_id = '${u.id}'`)
			assert.equal((await use()).status, 401, kind)
		}
	})

	test('a blocked user gets no session by one', async () => {
		const u = await p.user()
		u.phone = number()
		await p.ok('PATCH', `/users/${u.id}/phone`, { body: { number: u.phone } })
		await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: false } })
		for (const kind of ['magic URL', 'phone', 'invitation']) fails(await (await secrets[kind](u))(), 401, 'user_blocked')
		await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: true } })
		assert.equal((await u.ok('GET', '/account/sessions')).total, 1)
	})

	test('an invitation that is over is sent again, one that is not is not', async () => {
		const u = await p.user(), use = await secrets.invitation(u)
		fails(await use.again(), 409, 'team_invite_already_exists')
		psql(`UPDATE ${schema}.memberships SET expire = now() - interval '1 second' WHERE id = '${use.membershipId}'`)
		const r = await use.again()
		assert.equal(r.status, 201, r.text)
		assert.deepEqual([r.body.$id, r.body.roles, r.body.confirm], [use.membershipId, ['y'], false])
		fails(await use(), 401, 'team_invalid_secret')
		const { userId, secret, membershipId, teamId } = await linkTo(u.email)
		assert.equal((await send('PATCH', `/teams/${teamId}/memberships/${membershipId}/status`, { userId, secret })).status, 200)
		fails(await use.again(), 409, 'team_invite_already_exists')
	})

	test('an invitation of a former version: a week, and it proves no address', async () => {
		const u = await p.user(), use = await secrets.invitation(u), old = (invited) =>
			psql(`UPDATE ${schema}.memberships SET expire = NULL, sent_to = NULL, epoch = 0, invited = now() - interval '${invited}' WHERE id = '${use.membershipId}'`)
		old('8 days')
		fails(await use(), 401, 'team_invalid_secret')
		old('6 days')
		assert.equal((await use()).status, 200)
		assert.equal((await u.ok('GET', '/account')).emailVerification, false)
	})
})
