/* Signing in by an ID token: who it is, every way a token can be forged, and tokens that are used twice. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { provider } from '../lib/provider.mjs'
import { cookieOf, server, unique, until } from '../lib/server.mjs'
import { channels, listen } from '../lib/ws.mjs'
import { fails } from './lib.mjs'

let s, p, g, schema
const headers = { 'x-appwrite-response-format': '2.3.0' }, bundle = 'com.example.app'
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
const mail = () => `${unique('m')}@example.org`, now = () => Math.floor(Date.now() / 1000), sha256 = (text) => createHash('sha256').update(text).digest('hex')
const setup = (q, key, on = true) => q.console.ok('PATCH', `/projects/${q.id}/oauth2`, { body: { provider: key, appId: `${key}-app`, secret: '{"p8":"x","keyID":"k","teamID":"t"}', enabled: on } })

/* What the two put into a token. */
const google = (more = {}) => ({ iss: 'https://accounts.google.com', aud: 'google-app', azp: 'google-app', sub: unique('g'), email: mail(), email_verified: true, name: 'Ada Lovelace', iat: now(), exp: now() + 3600, ...more })
const apple = (more = {}) => ({ iss: 'https://appleid.apple.com', aud: bundle, sub: unique('a'), email: mail(), email_verified: 'true', nonce: sha256('raw'), iat: now(), exp: now() + 600, ...more })
const post = (body, o = {}) => s.call('POST', '/account/sessions/id-token', { project: (o.project ?? p).id, headers, body, ...o, ...(o.project ? { project: o.project.id } : {}) })
const byGoogle = (claims, more = {}, o = {}) => post({ provider: 'google', idToken: g.idToken(claims, o.token), ...more }, o)
const byApple = (claims, more = {}, o = {}) => post({ provider: 'apple', idToken: g.idToken(claims, { kid: 'ec', ...o.token }), nonce: 'raw', ...more }, o)
async function made(r) {
	assert.equal(r.status, 201, r.text)
	const cookie = cookieOf(r), at = { project: p.id, cookie, headers }
	return { ...at, session: r.body, account: await s.ok('GET', '/account', at), identities: (await s.ok('GET', '/account/identities', at)).identities }
}
const refused = (r) => fails(r, 401, 'user_invalid_token')

before(async () => {
	g = await provider()
	g.addKey('rsa')
	g.addKey('ec', 'ES256')
	s = await server({ own: true, conf: { oauth_private: 'on', oauth_keys_url: g.url, oauth_keys_pause: '1h', web_processes: 1 } })
	p = await s.project({ scopes: ['users.read', 'users.write', 'sessions.write', 'policies.write'] })
	for (const key of ['google', 'apple']) await setup(p, key)
	await p.console.ok('PATCH', `/projects/${p.id}/oauth2`, { body: { provider: 'gitlab', appId: g.client, secret: g.secret } })
	await p.addPlatform({ type: 'flutter-ios', name: 'App', key: bundle })
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
})
after(async () => {
	await s.stop()
	g.stop()
})

describe('who it is', () => {
	test('a new user of Google', async () => {
		const claims = google(), token = g.idToken(claims)
		const o = await made(await post({ provider: 'google', idToken: token, accessToken: 'access', accessTokenExpiry: 3600, name: 'Not this' }))
		assert.deepEqual([o.account.email, o.account.name, o.account.emailVerification, o.account.passwordUpdate], [claims.email, 'Ada Lovelace', true, ''])
		assert.deepEqual([o.session.provider, o.session.providerUid, o.session.providerAccessToken, o.session.providerRefreshToken, o.session.secret, o.session.factors],
			['google', claims.sub, 'access', '', '', ['email', 'oauth2']])
		assert.ok(Math.abs(Date.parse(o.session.providerAccessTokenExpiry) - Date.now() - 3600000) < 60000)
		const [i] = o.identities
		assert.deepEqual([i.provider, i.providerUid, i.providerEmail, i.providerAccessToken, i.providerRefreshToken, i.providerIdToken], ['google', claims.sub, claims.email, 'access', '', token])
		assert.match(psql(`SELECT id_token FROM ${schema}.identities WHERE id = '${i.$id}'`), /^v1:/)
		const before = (await s.ok('GET', '/account/identities', { ...o, headers: { 'x-appwrite-response-format': '1.9.5' } })).identities[0]
		assert.ok(!('providerIdToken' in before))
	})
	test('a new user of Apple, whose app knows the name', async () => {
		const claims = apple(), o = await made(await byApple(claims, { name: 'Grace' }))
		assert.deepEqual([o.account.email, o.account.name, o.account.emailVerification, o.session.provider], [claims.email, 'Grace', true, 'apple'])
		assert.deepEqual([o.session.providerAccessToken, o.session.providerAccessTokenExpiry], ['', ''])
		/* for the service id as well, and by a key of the other kind */
		const again = await made(await byApple({ ...claims, aud: 'apple-app', jti: unique() }, { name: 'Other' }, { token: { kid: 'rsa' } }))
		assert.deepEqual([again.account.$id, again.account.name], [o.account.$id, 'Grace'])
	})
	test('a token that comes later takes nothing away that the browser\'s sign-in gave', async () => {
		const claims = google(), first = await made(await byGoogle(claims, { accessToken: 'kept', accessTokenExpiry: 3600 }))
		psql(`UPDATE ${schema}.identities SET refresh_token = access_token WHERE provider_uid = '${claims.sub}'`)
		const [i] = (await made(await byGoogle({ ...claims, jti: unique() }))).identities
		assert.deepEqual([i.providerAccessToken, i.providerRefreshToken, i.$id, i.providerAccessTokenExpiry], ['kept', 'kept', first.identities[0].$id, first.identities[0].providerAccessTokenExpiry])
	})
	test('nor the address, by one that has none: it is still nobody else\'s', async () => {
		const u = await p.user(), claims = google(), taken = () => p.guest('POST', '/account', { headers, body: { userId: 'unique()', email: claims.email, password: 'password-1234' } })
		await made(await byGoogle(claims, {}, { cookie: u.cookie }))
		fails(await taken(), 400, 'general_bad_request')
		for (const email of [undefined, '', 'no address']) {
			const [i] = (await made(await byGoogle({ ...claims, email, email_verified: undefined, jti: unique() }))).identities
			assert.equal(i.providerEmail, claims.email)
			fails(await taken(), 400, 'general_bad_request')
		}
		/* while another one takes its place */
		assert.equal((await made(await byGoogle({ ...claims, email: mail(), jti: unique() }))).account.$id, u.id)
		assert.equal((await taken()).status, 201)
	})
	test('the identity, whatever the address is now; a proven address; an address that nobody vouches for', async () => {
		const claims = google(), o = await made(await byGoogle(claims))
		assert.equal((await made(await byGoogle({ ...claims, email: mail() }))).account.$id, o.account.$id)
		const u = await p.user()
		await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		assert.equal((await made(await byGoogle(google({ email: u.email })))).account.$id, u.id)
		const v = await p.user()
		for (const email_verified of [false, 'false', 'yes', 1, undefined]) fails(await byGoogle(google({ email: v.email, email_verified })), 400, 'general_bad_request')
	})
	test('who is signed in keeps the account', async () => {
		const u = await p.user(), claims = google(), o = await made(await byGoogle(claims, {}, { cookie: u.cookie }))
		assert.deepEqual([o.account.$id, o.account.email], [u.id, u.email])
		assert.equal((await s.call('GET', '/account', { project: p.id, cookie: u.cookie })).status, 401, 'the session before it has ended')
		const other = await p.user()
		fails(await byGoogle({ ...claims, jti: unique() }, {}, { cookie: other.cookie }), 409, 'user_already_exists')
		const anonymous = cookieOf(await s.call('POST', '/account/sessions/anonymous', { project: p.id })), who = google()
		assert.equal((await made(await byGoogle(who, {}, { cookie: anonymous }))).account.email, who.email)
	})
	test('a blocked user, a limit of users, an address that the project does not take', async () => {
		const claims = google(), o = await made(await byGoogle(claims))
		await p.ok('PATCH', `/users/${o.account.$id}/status`, { body: { status: false } })
		fails(await byGoogle({ ...claims, jti: unique() }), 403, 'user_blocked')
		const q = await s.project({ scopes: ['policies.write'] })
		await setup(q, 'google')
		await q.ok('PATCH', '/project/policies/deny-disposable-email', { headers, body: { enabled: true } })
		fails(await byGoogle(google({ email: `${unique('m')}@mailinator.com` }), {}, { project: q }), 400, 'user_email_disposable')
		await q.ok('PATCH', '/project/policies/user-limit', { headers, body: { total: 1 } })
		assert.equal((await byGoogle(google(), {}, { project: q })).status, 201)
		fails(await byGoogle(google(), {}, { project: q }), 400, 'user_count_exceeded')
	})
	test('a server gets the secret; listeners are not told the token', async () => {
		const claims = google(), r = await byGoogle(claims, {}, { key: p.key })
		assert.equal(r.status, 201, r.text)
		const me = await s.ok('GET', '/account', { project: p.id, headers: { ...headers, 'x-appwrite-session': r.body.secret } }), at = { project: p.id, cookie: cookieOf(r), headers }
		const l = await listen(s, `project=${p.id}&${channels('account')}`, { cookie: at.cookie }), [i] = (await s.ok('GET', '/account/identities', at)).identities
		assert.equal((await s.call('DELETE', `/account/identities/${i.$id}`, at)).status, 204)
		const e = await l.event((e) => e.events.includes(`users.${me.$id}.identities.${i.$id}.delete`))
		assert.ok(e.payload.$id === i.$id && !e.payload.providerIdToken)
		l.socket.destroy()
	})
})

/* A JSON web token is lent for minutes. Whoever has one must not get in for longer, in any way to sign in: each row is one of those that there are (ROUTE_SIGN_IN), with what lets somebody else in. */
describe('by a JSON web token of somebody', () => {
	const own = { url: 'http://localhost/x' }, trip = { success: 'http://localhost/ok', failure: 'http://localhost/no' }
	const rows = [
		['POST', '/account/sessions/email', (t) => ({ email: t.email, password: t.password })],
		['POST', '/account/sessions', (t) => ({ email: t.email, password: t.password })],
		['POST', '/account/sessions/anonymous', () => ({})],
		['POST', '/account/sessions/id-token', () => ({ provider: 'google', idToken: g.idToken(google()) }), 401],
		['POST', '/account/sessions/magic-url', (t) => ({ userId: t.id, email: t.email, ...own })],
		['PUT', '/account/sessions/magic-url', (t) => ({ userId: t.id, secret: t.secret })],
		['POST', '/account/sessions/phone', (t) => ({ userId: t.id, phone: '+4915512345678' })],
		['PUT', '/account/sessions/phone', (t) => ({ userId: t.id, secret: t.secret })],
		['POST', '/account/tokens/email', (t) => ({ userId: t.id, email: t.email })],
		['POST', '/account/sessions/token', (t) => ({ userId: t.id, secret: t.secret })],
		['PUT', '/account/sessions/token', (t) => ({ userId: t.id, secret: t.secret })],
		['POST', '/account/recovery', (t) => ({ email: t.email, ...own })],
		['PUT', '/account/recovery', (t) => ({ userId: t.id, secret: t.secret, password: t.password, passwordAgain: t.password })],
		['PUT', '/account/verification', (t) => ({ userId: t.id, secret: t.secret })],
		['PUT', '/account/verification/phone', (t) => ({ userId: t.id, secret: t.secret })],
		['POST', '/account/recovery/otp', (t) => ({ email: t.email })],
		['PUT', '/account/recovery/otp', (t) => ({ userId: t.id, secret: t.secret, password: t.password })],
		['PUT', '/account/verifications/email/otp', (t) => ({ userId: t.id, secret: t.secret })],
		['GET', '/account/sessions/oauth2/gitlab', () => trip, 401],
		['GET', '/account/sessions/oauth2/callback/gitlab/PROJECT', (t) => t.back],
		['POST', '/account/sessions/oauth2/callback/gitlab/PROJECT', (t) => t.back],
		['GET', '/account/sessions/oauth2/gitlab/redirect', (t) => t.back, 301],
		['GET', '/account/tokens/oauth2/gitlab', () => trip],
		['PATCH', '/teams/none/memberships/none/status', (t) => ({ userId: t.id, secret: t.secret })],
	]
	async function thief() {
		const t = await p.user(), { secret } = await p.ok('POST', `/users/${t.id}/tokens`, { headers, status: 201 })
		g.person = { id: Number(`${Date.now()}`.slice(4)), email: mail(), name: 'Thief', confirmed_at: '2020-01-01T00:00:00Z' }
		const begun = await s.call('GET', '/account/sessions/oauth2/gitlab', { query: { project: p.id, ...trip } })
		const there = await fetch(begun.headers.location, { redirect: 'manual' })
		return { ...t, secret, back: Object.fromEntries(new URL(there.headers.get('location')).searchParams), cookie: cookieOf(begun) }
	}
	test('each way in is here', () => {
		const files = readdirSync(new URL('../../src/svc', import.meta.url), { recursive: true }).filter((f) => f.endsWith('.c'))
		const n = files.map((f) => readFileSync(new URL(`../../src/svc/${f}`, import.meta.url), 'utf8').split('ROUTE_SIGN_IN').length - 1).reduce((a, b) => a + b)
		assert.equal(n, rows.length)
	})
	for (const [method, where, make, status] of rows)
		for (const format of ['1.0.0', '2.3.0'])
			test(`${method} ${where} of ${format}`, async () => {
				const u = await p.user(), t = await thief(), at = { project: p.id, cookie: u.cookie, headers: { ...headers } }
				const { jwt } = await s.ok('POST', '/account/jwts', { ...at, status: 201 }), values = make(t), plain = method === 'GET'
				const r = await s.call(method, where.replace('PROJECT', p.id), { project: p.id, [plain ? 'query' : 'body']: values, cookie: /redirect/.test(where) ? t.cookie : undefined,
					headers: { 'x-appwrite-response-format': where === '/account/sessions/id-token' ? '2.3.0' : format, 'x-appwrite-jwt': jwt } })
				if (status) assert.equal(r.status, status, r.text)
				if (status === 301) assert.match(decodeURIComponent(r.headers.location), /Invalid\+state/)
				if (r.headers['set-cookie'] && !plain) assert.notEqual((await s.call('GET', '/account', { project: p.id, cookie: cookieOf(r), headers })).body.$id, u.id)
				assert.equal((await s.ok('GET', '/account/sessions', at)).total, 1, 'the session that was')
				assert.equal((await s.ok('GET', '/account/identities', at)).total, 0, 'no identity')
			})
	test('nor does the way back from a provider, whoever began it', async () => {
		const u = await p.user(), { jwt } = await s.ok('POST', '/account/jwts', { project: p.id, cookie: u.cookie, headers, status: 201 })
		g.person = { id: Number(`${Date.now()}`.slice(4)), email: mail(), name: 'Thief', confirmed_at: '2020-01-01T00:00:00Z' }
		const begun = await s.call('GET', '/account/sessions/oauth2/gitlab', { cookie: u.cookie, query: { project: p.id, ...trip } }), there = await fetch(begun.headers.location, { redirect: 'manual' })
		const r = await s.call('GET', '/account/sessions/oauth2/gitlab/redirect', { project: p.id, cookie: cookieOf(begun), query: Object.fromEntries(new URL(there.headers.get('location')).searchParams), headers: { 'x-appwrite-jwt': jwt } })
		assert.match(r.headers.location, /user_session_already_exists/)
		assert.equal(r.headers['set-cookie'], undefined)
		assert.equal((await s.ok('GET', '/account/identities', { project: p.id, cookie: u.cookie, headers })).total, 0)
	})
})

describe('nonces', () => {
	test('of Google are asked for where the token has one or the app made one', async () => {
		assert.equal((await byGoogle(google(), { nonce: '' })).status, 201)
		refused(await byGoogle(google(), { nonce: 'n-1' }))
		assert.equal((await byGoogle(google({ nonce: 'n-1' }), { nonce: 'n-1' })).status, 201)
		assert.equal((await byGoogle(google({ nonce: sha256('n-1') }), { nonce: 'n-1' })).status, 201)
		for (const more of [{}, { nonce: '' }, { nonce: 'n-2' }, { nonce: 'n-' }]) refused(await byGoogle(google({ nonce: 'n-1' }), more))
		for (const nonce of ['', 7, null, ['n-1']]) refused(await byGoogle(google({ nonce }), { nonce: 'n-1' }))
	})
	test('of Apple are always asked for, and hashed', async () => {
		refused(await byApple(apple(), { nonce: undefined }))
		refused(await byApple(apple({ nonce: undefined })))
		refused(await byApple(apple({ nonce: 'raw' })))
		refused(await byApple(apple(), { nonce: sha256('raw') }))
		assert.equal((await byApple(apple())).status, 201)
	})
})

describe('forged tokens', () => {
	const users = async () => (await p.ok('GET', '/users')).total
	const all = {
		'no signature': () => g.idToken(google(), { head: { alg: 'none' }, sign: () => '' }),
		'alg none with a signature': () => g.idToken(google(), { head: { alg: 'none' } }),
		'the public key as a secret': () => g.idToken(google(), { head: { alg: 'HS256' }, sign: (t) => createHmac('sha256', g.keys.rsa.publicKey.export({ type: 'spki', format: 'pem' })).update(t).digest() }),
		'no alg': () => g.idToken(google(), { head: { alg: undefined } }),
		'another alg': () => g.idToken(google(), { head: { alg: 'RS512' } }),
		'an alg of another kind of key': () => g.idToken(google(), { head: { alg: 'ES256' } }),
		'the other key of the two': () => g.idToken(google(), { kid: 'ec', head: { kid: 'rsa', alg: 'ES256' } }),
		'a key of its own in the header': () => g.idToken(google(), { kid: 'rsa', head: { kid: 'mine', jwk: { kty: 'RSA' } } }),
		'no key': () => g.idToken(google(), { head: { kid: undefined } }),
		'a key that is no text': () => g.idToken(google(), { head: { kid: 7 } }),
		'a key with a long name': () => g.idToken(google(), { head: { kid: 'k'.repeat(300) } }),
		'what must be understood': () => g.idToken(google(), { head: { crit: ['x'], x: 1 } }),
		'a changed payload': () => { const [h, , m] = g.idToken(google()).split('.'); return `${h}.${Buffer.from(JSON.stringify(google())).toString('base64url')}.${m}` },
		'a signature that is cut': () => g.idToken(google()).slice(0, -8),
		'zeros for a signature of P-256': () => g.idToken(google(), { kid: 'ec', sign: () => Buffer.alloc(64) }),
		'two parts': () => g.idToken(google()).split('.').slice(0, 2).join('.'),
		'four parts': () => `${g.idToken(google())}.x`,
		'padding': () => `${g.idToken(google())}=`,
		'nothing': () => '..',
		'text': () => 'not a token',
		'a list': () => g.idToken([1]),
		'another issuer': () => g.idToken(google({ iss: 'https://accounts.google.com.example' })),
		'the other provider\'s': () => g.idToken(apple({ aud: 'google-app' })),
		'no issuer': () => g.idToken(google({ iss: undefined })),
		'another app': () => g.idToken(google({ aud: 'other-app' })),
		'several apps': () => g.idToken(google({ aud: ['google-app', 'other-app'] })),
		'a bundle of Apple\'s': () => g.idToken(google({ aud: bundle })),
		'no app': () => g.idToken(google({ aud: undefined })),
		'it has expired': () => g.idToken(google({ exp: now() - 120 })),
		'it never expires': () => g.idToken(google({ exp: undefined })),
		'an end that is a text': () => g.idToken(google({ exp: `${now() + 60}` })),
		'an end that is far': () => g.idToken(google({ exp: now() + 30 * 86400 })),
		'it is of tomorrow': () => g.idToken(google({ iat: now() + 86400 })),
		'no begin': () => g.idToken(google({ iat: undefined })),
		'not yet': () => g.idToken(google({ nbf: now() + 86400 })),
	}
	for (const [what, token] of Object.entries(all))
		test(what, async () => {
			const n = await users(), r = await post({ provider: 'google', idToken: token() })
			refused(r)
			assert.equal(r.headers['set-cookie'], undefined)
			assert.equal(await users(), n)
		})
	test('nobody\'s', async () => {
		for (const sub of [undefined, '', null, {}, 'x'.repeat(600)]) fails(await byGoogle(google({ sub })), 400, 'user_missing_id')
	})
	test('too large, or none', async () => {
		fails(await post({ provider: 'google', idToken: 'x'.repeat(8193) }), 400, 'general_argument_invalid')
		fails(await post({ provider: 'google' }), 400, 'general_argument_invalid')
		fails(await post({ provider: 'github', idToken: 'x' }), 400, 'general_argument_invalid')
		fails(await byGoogle(google(), { accessTokenExpiry: -1 }), 400, 'general_argument_invalid')
		fails(await byGoogle(google(), { name: 'n'.repeat(129) }), 400, 'general_argument_invalid')
	})
	test('a project without the provider, or where it is off', async () => {
		const q = await s.project()
		fails(await byGoogle(google(), {}, { project: q }), 412, 'project_provider_disabled')
		await setup(q, 'google', false)
		fails(await byGoogle(google(), {}, { project: q }), 412, 'project_provider_disabled')
		fails(await byGoogle(google(), {}, { project: { id: 'console' } }), 412, 'project_provider_disabled')
	})
	test('a key without the scope', async () => {
		const q = await s.project({ scopes: ['users.read'] })
		fails(await byGoogle(google(), {}, { project: q, key: q.key }), 401, 'general_unauthorized_scope')
	})
})

describe('once', () => {
	test('a token makes one session', async () => {
		const token = g.idToken(google())
		assert.equal((await post({ provider: 'google', idToken: token })).status, 201)
		refused(await post({ provider: 'google', idToken: token }))
	})
	test('also of many at once, and signed in another way', async () => {
		const claims = apple(), one = g.idToken(claims, { kid: 'ec' }), text = one.slice(0, one.lastIndexOf('.')), [r, half] = [one.split('.')[2], 32]
		const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'), raw = Buffer.from(r, 'base64url')
		const other = Buffer.concat([raw.subarray(0, half), Buffer.from((order - BigInt(`0x${raw.subarray(half).toString('hex')}`)).toString(16).padStart(64, '0'), 'hex')])
		const body = (idToken) => ({ provider: 'apple', idToken, nonce: 'raw' })
		const all = await Promise.all([one, `${text}.${other.toString('base64url')}`, one, one, one].map((t) => post(body(t))))
		assert.deepEqual(all.map((r) => r.status).sort(), [201, 401, 401, 401, 401])
		for (const r of all.filter((r) => r.status === 401)) refused(r)
	})
	test('the first sign-ins of somebody, at once, make one user', async () => {
		const claims = google(), all = await Promise.all([0, 1, 2, 3].map((i) => byGoogle({ ...claims, jti: `${i}` })))
		assert.deepEqual(all.map((r) => r.status), [201, 201, 201, 201])
		assert.equal(new Set(all.map((r) => r.body.userId)).size, 1)
	})
	test('but once in each project', async () => {
		const q = await s.project(), token = g.idToken(google())
		await setup(q, 'google')
		for (const project of [p, q]) assert.equal((await post({ provider: 'google', idToken: token }, { project })).status, 201)
	})
})

describe('keys of the provider', () => {
	const fetched = (h) => h.asked.filter((a) => a.path === '/oauth2/v3/certs').length
	async function world(conf, use) {
		const h = await provider(), t = await server({ own: true, conf: { oauth_private: 'on', oauth_keys_url: h.url, web_processes: 1, ...conf } })
		try {
			h.addKey('one')
			const q = await t.project()
			await setup(q, 'google')
			await use(h, (o) => t.call('POST', '/account/sessions/id-token', { project: q.id, headers, body: { provider: 'google', idToken: h.idToken(google(), o) } }))
		} finally {
			await t.stop()
			h.stop()
		}
	}
	test('are fetched once for all, and names that are made up fetch nothing', () => world({ oauth_keys_pause: '1h' }, async (h, come) => {
		const all = await Promise.all(Array.from({ length: 8 }, () => come()))
		assert.deepEqual(all.map((r) => r.status), Array(8).fill(201))
		for (let i = 0; i < 8; i++) refused(await come({ kid: 'one', head: { kid: `made-up-${i}` } }))
		h.addKey('two')
		refused(await come({ kid: 'two' }))
		assert.equal(fetched(h), 1)
	}))
	test('are fetched anew for one that is new', () => world({ oauth_keys_pause: '0' }, async (h, come) => {
		assert.equal((await come()).status, 201)
		h.addKey('two', 'ES256')
		assert.equal((await come({ kid: 'two' })).status, 201)
		assert.equal((await come()).status, 201)
		assert.equal(fetched(h), 2)
	}))
	test('that are there do, while a made-up name makes somebody wait for a provider that is slow', () => world({ oauth_keys_pause: '0' }, async (h, come) => {
		let held
		assert.equal((await come()).status, 201)
		h.answer.keys = (rq, rs) => { held = rs }
		const bad = come({ kid: 'one', head: { kid: 'made-up' } })
		await until('the keys are asked for', () => held)
		for (let i = 0; i < 3; i++) assert.equal((await come()).status, 201)
		assert.ok(!held.destroyed, 'nobody waited until that was given up')
		held.writeHead(503)
		held.end()
		refused(await bad)
	}))
	test('are good still when what comes instead has none', () => world({ oauth_keys_pause: '0' }, async (h, come) => {
		assert.equal((await come()).status, 201)
		for (const text of ['{"error":"later"}', '{"keys":[]}', '<html>', '']) {
			h.answer.keys = (rq, rs) => { rs.writeHead(200); rs.end(text) }
			refused(await come({ kid: 'one', head: { kid: 'made-up' } }))
			assert.equal((await come()).status, 201, text)
		}
	}))
	test('that are no keys', () => world({ oauth_keys_pause: '0' }, async (h, come) => {
		const jwk = (kid) => h.keys[kid].publicKey.export({ format: 'jwk' }), cut = (text) => text.slice(0, -2), send = (keys) => { h.answer.keys = (rq, rs) => { rs.writeHead(200); rs.end(JSON.stringify({ keys })) } }
		h.addKey('ec', 'ES256')
		h.addKey('short', 'RS256', { modulusLength: 1024 })
		const rsa = { kid: 'one', ...jwk('one') }, ec = { kid: 'ec', ...jwk('ec') }
		for (const keys of [null, 'x', [], [7], [{ kid: 'one' }], [{ ...rsa, use: 'enc' }], [{ ...rsa, alg: 'RS512' }], [{ ...rsa, kty: 'oct', k: 'eA' }], [{ ...rsa, n: '' }], [{ ...rsa, n: '*' }], [{ ...rsa, n: 'A'.repeat(9000) }],
			[{ ...rsa, e: 'AQ' }], [{ ...rsa, e: 'A'.repeat(400) }], [{ ...rsa, e: undefined }], [{ ...rsa, kty: 'EC' }]]) {
			send(keys)
			refused(await come())
		}
		for (const one of [{ ...ec, x: cut(ec.x) }, { ...ec, y: ec.x }, { ...ec, crv: 'P-384' }, { ...ec, x: 'A'.repeat(43), y: 'A'.repeat(43) }]) {
			send([one])
			refused(await come({ kid: 'ec' }))
		}
		send([{ kid: 'short', ...jwk('short') }])
		refused(await come({ kid: 'short' }))
		send([{ kid: 'x' }, ec, rsa])
		assert.equal((await come()).status, 201)
	}))
	test('of a provider that is down, too long or inside', async () => {
		for (const [conf, answer] of [[{}, (rq, rs) => { rs.writeHead(503); rs.end() }], [{}, (rq, rs) => { rs.writeHead(302, { location: '/auth/keys' }); rs.end() }], [{}, (rq, rs) => { rs.writeHead(200); rs.end('x'.repeat(70000)) }],
			[{}, (rq) => rq.socket.destroy()], [{ oauth_private: 'off' }, undefined]])
			await world(conf, async (h, come) => {
				h.answer.keys = answer
				fails(await come(), 500, 'user_oauth2_provider_failure')
				const n = h.asked.length
				fails(await come(), 500, 'user_oauth2_provider_failure')
				assert.equal(h.asked.length, n, 'it is left alone for a while')
			})
	})
})
