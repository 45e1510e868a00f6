/* Which of the sessions that a request comes with counts, over HTTP and WebSockets alike; and getting rid of those that are over. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { cookieOf, server, unique } from '../lib/server.mjs'
import { listen } from '../lib/ws.mjs'
import { fails } from './lib.mjs'

let s, p, name
const token = (cookie) => cookie.match(/a_session_[^=;]+=([^;]+)/)[1]
const plain = (cookie) => decodeURIComponent(token(cookie))
const encoded = (o) => Buffer.from(JSON.stringify(o)).toString('base64')

before(async () => {
	s = await server()
	p = await s.project({ id: unique('Proj') })
	name = `a_session_${p.id.toLowerCase()}`
})

/* A session that is over. */
async function dead() {
	const u = await p.user()
	await u.ok('DELETE', '/account/sessions/current')
	return u
}
async function blocked() {
	const u = await p.user()
	await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: false } })
	return u
}

describe('each is tried until one is valid', () => {
	test('cookies of one name, the legacy twin, the fallback header, X-Appwrite-Session', async () => {
		const good = await p.user(), other = await dead(), off = await blocked(), g = token(good.cookie), d = token(other.cookie), b = token(off.cookie)
		const json = (v) => JSON.stringify({ [`a_session_${p.id}`]: v }), nothing = encodeURIComponent(encoded({ id: good.id, secret: 'x'.repeat(256) }))
		const rows = {
			'a dead one before it': { cookie: `${name}=${d}; ${name}=${g}` },
			'behind it': { cookie: `${name}=${g}; ${name}=${d}` },
			'of a blocked user before it': { cookie: `${name}=${b}; ${name}=${g}` },
			'no token at all': { cookie: `${name}=nonsense; ${name}=deleted; ${name}=; ${name}=${g}` },
			'the legacy twin': { cookie: `${name}=${d}; ${name}_legacy=${g}` },
			'two twins': { cookie: `${name}_legacy=${d}; ${name}=${nothing}; ${name}_legacy=${g}` },
			'the fallback header': { cookie: `${name}=${d}; ${name}_legacy=${d}`, 'x-fallback-cookies': json(plain(good.cookie)) },
			'the legacy twin in it': { cookie: `${name}=${d}`, 'x-fallback-cookies': JSON.stringify({ [`a_session_${p.id}`]: plain(other.cookie), [`a_session_${p.id}_legacy`]: plain(good.cookie) }) },
			'X-Appwrite-Session': { cookie: `${name}=${d}`, 'x-fallback-cookies': json(plain(other.cookie)), 'x-appwrite-session': plain(good.cookie) },
			'X-Appwrite-Session alone': { 'x-appwrite-session': plain(good.cookie) },
			'the same one often, and then it': { cookie: Array(50).fill(`${name}=${d}`).join('; ') + `; ${name}=${g}` },
		}
		for (const [what, headers] of Object.entries(rows)) {
			const r = await p.guest('GET', '/account', { headers })
			assert.equal(r.body.$id, good.id, what)
			assert.equal(r.headers['x-debug-fallback'], String(!Object.values({ c: headers.cookie ?? '' })[0].includes(g)), what)
			const w = await listen(s, `project=${p.id}&channels[]=account`, { headers })
			assert.equal(w.hello.data.user?.$id, good.id, `${what}, on a WebSocket`)
			w.end()
		}
		/* not more than a few are looked at */
		const many = Array.from({ length: 20 }, () => `${name}=${encodeURIComponent(encoded({ id: good.id, secret: unique() }))}`).join('; ')
		fails(await p.guest('GET', '/account', { headers: { cookie: `${many}; ${name}=${g}` } }), 401, 'general_unauthorized_scope')
		const w = await listen(s, `project=${p.id}&channels[]=account`, { headers: { cookie: `${many}; ${name}=${g}` } })
		assert.equal(w.hello.data.user, null)
		w.end()
	})

	test('only a blocked one: that is said', async () => {
		const off = await blocked(), other = await dead()
		fails(await p.guest('GET', '/account', { cookie: `${name}=${token(other.cookie)}; ${name}=${token(off.cookie)}` }), 401, 'user_blocked')
		fails(await p.guest('GET', '/account', { headers: { 'x-appwrite-session': plain(off.cookie) } }), 401, 'user_blocked')
	})

	test('on the console, too', async () => {
		const a = await s.user(), b = await s.user(), both = `a_session_console=${token(a.cookie)}; a_session_console=${token(b.cookie)}`
		assert.equal((await s.ok('GET', '/account', { cookie: both })).$id, a.id)
		await a.ok('DELETE', '/account/sessions/current')
		assert.equal((await s.ok('GET', '/account', { cookie: both })).$id, b.id)
		const own = p.console.cookie
		assert.equal((await s.call('GET', '/users', { project: p.id, mode: 'admin', cookie: `a_session_console=${token(a.cookie)}; ${own}` })).status, 200)
	})
})

describe('a session is prolonged', () => {
	const as = (format, more = {}) => ({ headers: { 'x-appwrite-response-format': format, ...more } })
	test('for clients of 1.5 and later, whatever made it', async () => {
		const own = await server({ own: true, conf: { life_session: '10d' } })
		try {
			const q = await own.project(), u = await q.user()
			const anonymous = cookieOf(await q.guest('POST', '/account/sessions/anonymous'))
			for (const [cookie, format] of [[u.cookie, '1.5.0'], [anonymous, '1.8.0']]) {
				const before = await q.guest('GET', '/account/sessions/current', { cookie })
				const r = await q.guest('PATCH', '/account/sessions/current', { cookie, ...as(format) })
				assert.equal(r.status, 200, r.text)
				assert.ok(r.body.expire > before.body.expire)
				assert.deepEqual([r.body.$id, r.body.current, r.body.provider], [before.body.$id, true, before.body.provider])
				const now = await q.guest('GET', '/account/sessions/current', { cookie })
				assert.equal(now.body.expire, r.body.expire)
			}
			const second = await q.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password } })
			const r = await u.call('PATCH', `/account/sessions/${second.body.$id}`, as('1.6.0'))
			assert.deepEqual([r.status, r.body.current, r.body.expire > second.body.expire], [200, false, true])
			const jwt = (await u.ok('POST', '/account/jwt')).jwt
			fails(await q.guest('PATCH', '/account/sessions/current', { jwt, ...as('1.6.0') }), 404, 'user_session_not_found')
			fails(await u.call('PATCH', '/account/sessions/nothing', as('1.6.0')), 404, 'user_session_not_found')
			fails(await u.call('PATCH', `/account/sessions/${(await q.user()).session.$id}`, as('1.6.0')), 404, 'user_session_not_found')
		} finally {
			await own.stop()
		}
	})
	test('and for those of before it is as it was', async () => {
		const u = await p.user()
		for (const o of [{}, as('1.0.0'), as('1.4.0')]) fails(await u.call('PATCH', '/account/sessions/current', o), 501, 'project_provider_unsupported')
	})
})

const clears = (r) => {
	assert.deepEqual(r.headers['set-cookie'].map((c) => c.split(';')[0]), [`${name}_legacy=deleted`, `${name}=deleted`])
	assert.equal(r.headers['x-fallback-cookies'], '[]')
}

describe('signing out', () => {
	test('with a session that is over', async () => {
		const u = await dead()
		for (const headers of [{ cookie: u.cookie }, { 'x-appwrite-session': plain(u.cookie) }]) {
			const r = await p.guest('DELETE', '/account/sessions/current', { headers })
			assert.equal(r.status, 204)
			clears(r)
			for (const path of ['/account/sessions', `/account/sessions/${u.session.$id}`]) {
				const all = await p.guest('DELETE', path, { headers })
				fails(all, 401, 'general_unauthorized_scope')
				clears(all)
			}
		}
		const r = await p.guest('DELETE', '/account/sessions/current')
		fails(r, 401, 'general_unauthorized_scope')
		assert.equal(r.headers['set-cookie'], undefined, 'who has none has none to clear')
		assert.equal((await p.guest('DELETE', '/account/sessions/current', { cookie: `${name}=nonsense` })).status, 401)
	})

	test('as a blocked user', async () => {
		const u = await blocked(), two = await blocked()
		const r = await u.call('DELETE', '/account/sessions/current')
		assert.equal(r.status, 204)
		clears(r)
		assert.equal((await p.ok('GET', `/users/${u.id}/sessions`)).total, 0)
		assert.equal((await two.call('DELETE', '/account/sessions')).status, 204)
		fails(await p.guest('GET', '/account', { cookie: u.cookie }), 401, 'general_unauthorized_scope')
	})
})

describe('signing in', () => {
	test('as somebody else, while the browser has a session of a blocked user', async () => {
		const off = await blocked(), u = await p.user(), cookie = off.cookie
		const r = await p.guest('POST', '/account/sessions/email', { cookie, body: { email: u.email, password: u.password } })
		assert.equal(r.status, 201, r.text)
		assert.equal((await p.guest('GET', '/account', { cookie: cookieOf(r) })).body.$id, u.id)
		assert.equal((await p.guest('POST', '/account/sessions/anonymous', { cookie })).status, 201)
		fails(await p.guest('POST', '/account', { cookie, body: { userId: 'unique()', email: `${unique('m')}@example.org`, password: u.password } }), 401, 'user_blocked')
		fails(await p.guest('POST', '/account/sessions/email', { cookie, body: { email: off.email, password: off.password } }), 401, 'user_blocked')
		for (const [m, t, body, status, type] of [['POST', '/account/recovery', { email: u.email, url: 'http://localhost' }, 503, 'general_smtp_disabled'],
			['POST', '/account/sessions/magic-url', { userId: 'unique()', email: u.email }, 503, 'general_smtp_disabled'],
			['PUT', '/account/sessions/magic-url', { userId: u.id, secret: 'x' }, 401, 'user_invalid_token'], ['PUT', '/account/sessions/phone', { userId: u.id, secret: 'x' }, 401, 'user_invalid_token'],
			['POST', '/account/sessions/token', { userId: u.id, secret: 'x' }, 401, 'user_invalid_token'], ['PUT', '/account/verification', { userId: u.id, secret: 'x' }, 401, 'user_invalid_token'],
			['PATCH', '/teams/none/memberships/none/status', { userId: u.id, secret: 'x' }, 404, 'membership_not_found']])
			fails(await p.guest(m, t, { cookie, body }), status, type)
		assert.equal((await p.guest('GET', '/account/sessions/oauth2/github', { cookie })).status, 412)
		fails(await p.guest('GET', '/account/sessions', { cookie }), 401, 'user_blocked')
	})
})
