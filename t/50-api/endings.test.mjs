/* What ends which credential: each that opens an account, after each act that ends some. What is no longer good opens nothing at once, over HTTP and on connections that are open, and
 * stays so when the act is taken back, or somebody else gets the id. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { library, read } from '../60-rt/lib.mjs'
import { cookieOf, server, unique } from '../lib/server.mjs'
import { listen } from '../lib/ws.mjs'
import { fails } from './lib.mjs'

const headers = { 'x-appwrite-response-format': '1.9.5' }
let s, loose, strict	/* projects: with one of them a new password ends sessions */

before(async () => {
	s = await server()
	loose = await library(s)
	strict = await library(s)
	await strict.console.ok('PATCH', `/projects/${strict.id}/auth/session-invalidation`, { body: { enabled: true } })
	for (const p of [loose, strict]) {
		p.bob = await p.user({ name: 'Bob' })
		p.agent = await p.user({ name: 'Agent' })
		await p.ok('PATCH', `/users/${p.agent.id}/impersonator`, { headers, body: { impersonator: true } })
	}
})
after(() => s.stop())

const as = (u) => ({ ...headers, 'x-appwrite-impersonate-user-id': u.id })

/* A user with everything; of each credential, how a request and a connection come by it, and whose they are. */
async function full(p) {
	const email = `${unique('m')}@example.org`, password = 'correct-horse', userId = unique('u'), here = { project: p.id, headers }
	await p.ok('POST', '/users', { body: { userId, email, password, name: 'Ada' } })
	const signIn = async () => { const r = await p.guest('POST', '/account/sessions/email', { body: { email, password } }); return { cookie: cookieOf(r), session: r.body.$id } }
	const lent = (body) => p.ok('POST', `/users/${userId}/jwts`, { headers, body, status: 201 }).then((r) => ({ ...headers, 'x-appwrite-jwt': r.jwt }))
	const server_ = await lent({}), one = await signIn(), two = await signIn()
	await p.ok('PATCH', `/users/${userId}/impersonator`, { headers, body: { impersonator: true } })
	const { secret } = await p.ok('POST', `/users/${userId}/tokens`, { headers, status: 201, body: { length: 64 } })
	const ways = {
		session: { cookie: one.cookie, headers }, 'other session': { cookie: two.cookie, headers },
		JWT: { headers: await lent({ sessionId: one.session }) }, 'other JWT': { headers: await lent({ sessionId: two.session }) }, 'JWT without session': { headers: server_ },
		'in its name': { cookie: p.agent.cookie, headers: as({ id: userId }), user: userId }, 'as another': { cookie: one.cookie, headers: as(p.bob), user: p.bob.id },
	}
	for (const w of Object.values(ways)) {
		w.user ??= userId
		w.socket = await listen(s, `project=${p.id}&channels[]=documents`, w)
		assert.equal(w.socket.hello.data.user.$id, w.user)
	}
	return { id: userId, email, password, ways, secret, two: two.session, own: (m, target, body) => s.ok(m, target, { ...here, cookie: one.cookie, body }) }
}

/* The names of those that are good still; so are their connections, but for that of who is not there any more (`gone`), whoever has the id. */
async function good(p, u, gone) {
	const left = [], heard = []
	for (const [name, w] of Object.entries(u.ways)) {
		const r = await p.guest('GET', '/account', w)
		if (r.status === 200 && r.body.$id === w.user) left.push(name)
		else assert.ok([401, 403].includes(r.status) || r.body.impersonatorUserId === null, r.text)
	}
	await p.write(1, [read(`user:${u.id}`)])
	await p.write(2, [read(`user:${p.bob.id}`)])
	const all = await p.heard(...Object.values(u.ways).map((w) => w.socket))
	Object.entries(u.ways).forEach(([name, w], i) => { if (all[i].includes(w.user === p.bob.id ? 2 : 1)) heard.push(name); w.socket.end() })
	assert.deepEqual(heard, gone ? [] : left, 'connections')
	const r = await p.guest('POST', '/account/sessions/token', { headers, body: { userId: u.id, secret: u.secret } })
	if (r.status === 201) left.push('token')
	else assert.equal(r.status, 401, r.text)
	return left
}

const all = ['session', 'other session', 'JWT', 'other JWT', 'JWT without session', 'in its name', 'as another', 'token'], less = (...names) => all.filter((x) => !names.includes(x))
const sessions = ['session', 'other session', 'JWT', 'other JWT', 'as another'], secrets = ['JWT', 'other JWT', 'JWT without session', 'token']
const key = (p, m, u, tail, body) => p.ok(m, `/users/${u.id}${tail}`, { headers, body })
const anew = (p, u) => p.ok('POST', '/users', { body: { userId: u.id, email: u.email, password: u.password, name: 'Eve' } })
const acts = [
	['nothing', () => {}, all],
	['a name, preferences, labels and verification', async (p, u) => { for (const [tail, body] of [['/name', { name: 'x' }], ['/prefs', { prefs: { a: 'b' } }], ['/verification', { emailVerification: true }]]) await key(p, 'PATCH', u, tail, body)
		await key(p, 'PUT', u, '/labels', { labels: ['vip'] }) }, all],
	['signing out of one', (p, u) => u.own('DELETE', `/account/sessions/${u.two}`), less('other session', 'other JWT')],
	['signing out', (p, u) => u.own('DELETE', '/account/sessions/current'), less('session', 'JWT', 'as another')],
	['signing out everywhere', (p, u) => u.own('DELETE', '/account/sessions'), less(...sessions)],
	['a server that ends one session', (p, u) => key(p, 'DELETE', u, `/sessions/${u.two}`), less('other session', 'other JWT')],
	['a server that ends all', (p, u) => key(p, 'DELETE', u, '/sessions'), less(...sessions)],
	['a new address', (p, u) => key(p, 'PATCH', u, '/email', { email: `${unique('m')}@example.org` }), less(...secrets)],
	['a new number', (p, u) => key(p, 'PATCH', u, '/phone', { number: `+49155${String(parseInt(unique().slice(0, 7), 16) % 1e8).padStart(8, '0')}` }), less(...secrets)],
	['a new password', (p, u) => key(p, 'PATCH', u, '/password', { password: 'another-horse' }), less(...secrets)],
	['no password any more', (p, u) => key(p, 'PATCH', u, '/password', { password: '' }), less(...secrets)],
	['a new password of its own', (p, u) => u.own('PATCH', '/account/password', { password: 'another-horse', oldPassword: u.password }), less(...secrets)],
	['a new password, strictly', (p, u) => key(p, 'PATCH', u, '/password', { password: 'another-horse' }), ['in its name'], () => strict],
	['a new password of its own, strictly', (p, u) => u.own('PATCH', '/account/password', { password: 'another-horse', oldPassword: u.password }), ['session', 'in its name', 'as another'], () => strict],
	['not acting as others any more', (p, u) => key(p, 'PATCH', u, '/impersonator', { impersonator: false }), less('as another')],
	['blocking', (p, u) => key(p, 'PATCH', u, '/status', { status: false }), []],
	['blocking oneself', (p, u) => u.own('PATCH', '/account/status'), []],
	['deleting, when the id is somebody else\'s then', async (p, u) => { await key(p, 'DELETE', u, ''); await anew(p, u) }, ['in its name'], () => loose, true],
	['deleting oneself, when the id is somebody else\'s then', async (p, u) => { await u.own('DELETE', '/account'); await anew(p, u) }, ['in its name'], () => loose, true],
]
describe('what is good after', () => {
	for (const [what, act, want, where = () => loose, gone = false] of acts)
		test(what, async () => {
			const p = where(), u = await full(p)
			await act(p, u)
			assert.deepEqual(await good(p, u, gone), want)
		})
})

test('a block that is taken back: sessions are good again, what was lent or sent is not, nor do connections come back', async () => {
	const p = loose, u = await full(p)
	for (const status of [false, true]) await key(p, 'PATCH', u, '/status', { status })
	const now = []
	for (const [name, w] of Object.entries(u.ways)) if ((await p.guest('GET', '/account', w)).body.$id === w.user) now.push(name)
	assert.deepEqual(now, ['session', 'other session', 'in its name', 'as another'])
	await p.write(1, [read(`user:${u.id}`)])
	await p.write(2, [read(`user:${p.bob.id}`)])
	assert.deepEqual(await p.heard(...Object.values(u.ways).map((w) => w.socket)), Object.keys(u.ways).map(() => []))
	fails(await p.guest('POST', '/account/sessions/token', { headers, body: { userId: u.id, secret: u.secret } }), 401, 'user_invalid_token')
})

/* The contract gives them the scope account: where nothing is asked for, a token sets a first password or address; what there is is asked for as of a session. */
test('what a JWT changes of the account it stands for', async () => {
	const p = strict, r = await p.guest('POST', '/account/sessions/anonymous'), cookie = cookieOf(r), email = `${unique('m')}@example.org`
	const by = async (m, target, body) => p.guest(m, target, { jwt: (await s.ok('POST', '/account/jwt', { project: p.id, cookie })).jwt, body })
	assert.equal((await by('PATCH', '/account/email', { email, password: 'correct-horse' })).status, 200)
	for (const [target, body] of [['email', { email: `${unique('m')}@example.org`, password: 'guessed-horse' }], ['phone', { phone: '+4915550001', password: 'guessed-horse' }]]) fails(await by('PATCH', `/account/${target}`, body), 401, 'user_invalid_credentials')
	assert.equal((await p.guest('GET', '/account', { cookie })).body.email, email)
	const u = await p.user(), lent = (await u.ok('POST', '/account/jwt')).jwt, change = (o) => p.guest('PATCH', '/account/password', { ...o, body: { password: 'another-horse', oldPassword: o.old } })
	fails(await change({ jwt: lent }), 401, 'user_invalid_credentials')
	fails(await change({ jwt: lent, old: 'guessed-horse' }), 401, 'user_invalid_credentials')
	assert.equal((await change({ jwt: lent, old: u.password })).status, 200)
	/* it came with no session, so none of those that there are is the one that stays */
	for (const o of [{ jwt: lent }, { cookie: u.cookie }]) fails(await p.guest('GET', '/account', o), 401, 'general_unauthorized_scope')
})

/* Keys of the console are for programs, which sign in nowhere: what ends sessions leaves them. */
test('keys of an account and of a team', async () => {
	const k = { name: 'K', scopes: ['account'] }
	for (const [act, account, team] of [
		[(u) => u.ok('DELETE', '/account/sessions'), 200, 200],
		[(u) => u.ok('PATCH', '/account/email', { body: { email: `${unique('m')}@example.org`, password: u.password } }), 200, 200],
		[(u) => u.ok('PATCH', '/account/password', { body: { password: 'another-horse', oldPassword: u.password } }), 401, 200],
		[(u) => u.ok('PATCH', '/account/status'), 403, 401],
	]) {
		const u = await s.user(), teamId = (await u.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'T' } })).$id, of = { ...headers, 'x-appwrite-organization': teamId, 'x-appwrite-user': u.id }
		const own = await u.ok('POST', '/account/keys', { headers: of, status: 201, body: k }), ours = await u.ok('POST', '/organization/keys', { headers: of, status: 201, body: { keyId: 'unique()', name: 'K', scopes: ['organization.read'] } })
		const by = (key, target) => s.call('GET', target, { project: 'console', key, headers: { ...of, 'x-appwrite-project': 'console' } }), both = async () => [(await by(own.secret, '/account')).status, (await by(ours.secret, '/organization')).status]
		assert.deepEqual(await both(), [200, 200])
		await act(u)
		assert.deepEqual(await both(), [account, team], `${act}`)
	}
})
