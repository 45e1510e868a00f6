/* Signing in through a provider: the whole way with a provider of our own, and every way it can fail. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { provider } from '../lib/provider.mjs'
import { cookieOf, server, unique, until } from '../lib/server.mjs'
import { channels, listen } from '../lib/ws.mjs'
import { fails, keysOf, session } from './lib.mjs'

let s, p, g, schema
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
const mail = () => `${unique('m')}@example.org`, password = 'password-1234'
const person = (more = {}) => ({ id: Number.parseInt(randomBytes(5).toString('hex'), 16), email: mail(), name: 'Ada Lovelace', confirmed_at: '2020-01-01T00:00:00Z', ...more })
const setup = (project, key = 'gitlab', appId = g.client, secret = g.secret) =>
	project.console.ok('PATCH', `/projects/${project.id}/oauth2`, { body: { provider: key, appId, secret } })

before(async () => {
	g = await provider()
	s = await server({ own: true, conf: { oauth_private: 'on', web_processes: 1 } })
	p = await s.project()
	await setup(p)
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
})
after(async () => {
	await s.stop()
	g.stop()
})

/* An error of these routes is a page. */
function page(r, status, words) {
	assert.equal(r.status, status, r.text)
	assert.match(r.headers['content-type'], /^text\/html/)
	assert.match(r.text, new RegExp(`Error ${status}`))
	if (words) assert.match(r.text, words)
	assert.equal(r.headers['set-cookie'], undefined)
}

/* What goes wrong once it is known where to go on leads to the app's failure page. */
function denied(r, status, words) {
	assert.equal(r.status, 301, r.text)
	const u = new URL(r.headers.location), error = JSON.parse(u.searchParams.get('error'))
	assert.equal(u.origin + u.pathname, 'http://localhost/no')
	assert.deepEqual(Object.keys(error), ['message', 'type', 'code'])
	assert.equal(error.code, status, u.href)
	if (words) assert.match(error.message, words)
	assert.equal(r.headers['set-cookie'], undefined)
	return error
}

/* Follows one Location, ours or the provider's, without a browser's help. */
function visit(url, cookie) {
	const u = new URL(url)
	if (u.origin === new URL(s.endpoint).origin) return s.call('GET', u.pathname + u.search, { root: true, cookie })
	return new Promise((ok, no) => http.get(u, (rs) => { rs.resume(); ok({ status: rs.statusCode, headers: rs.headers }) }).on('error', no))
}

const begin = (o = {}) => s.call('GET', `/account/${o.token ? 'tokens' : 'sessions'}/oauth2/${o.provider ?? 'gitlab'}`, {
	cookie: o.cookie, key: o.key, query: { project: (o.project ?? p).id, success: 'http://localhost/ok', failure: 'http://localhost/no', ...o.query } })

/* To the redirect step and not further: its address and the cookies. */
async function way(who, o = {}) {
	g.person = who
	const first = await begin(o)
	assert.equal(first.status, 301, first.text)
	const cookies = [o.cookie, first.headers['set-cookie'] ? cookieOf(first) : undefined].filter(Boolean).join('; ')
	const there = await visit(first.headers.location), back = await visit(there.headers.location, cookies)
	return { first, back, cookies, url: back.headers.location }
}

async function signIn(who, o = {}) {
	const w = await way(who, o)
	assert.equal(w.back.status, 301, w.back.text)
	const r = await visit(w.url, w.cookies)
	r.cookie = r.headers['set-cookie'] ? cookieOf(r) : undefined
	return r
}
async function signedIn(who, o = {}) {
	const r = await signIn(who, o)
	assert.equal(r.status, 301, r.text)
	assert.ok(r.cookie, 'a session')
	const project = (o.project ?? p).id, at = { project, cookie: r.cookie }
	return { ...at, reply: r, account: await s.ok('GET', '/account', at), sessions: (await s.ok('GET', '/account/sessions', at)).sessions }
}

describe('the whole way', () => {
	test('a new user, with what the provider said', async () => {
		const who = person({ email: mail().toUpperCase() }), w = await way(who, { query: { scopes: ['read_user', 'api'] } })
		assert.equal(w.first.headers['cache-control'], 'no-store, no-cache, must-revalidate, max-age=0')
		assert.equal(w.first.headers['content-type'], 'text/html')
		const there = new URL(w.first.headers.location)
		assert.equal(there.origin + there.pathname, `${g.url}/oauth/authorize`)
		assert.deepEqual([...there.searchParams.keys()], ['client_id', 'redirect_uri', 'response_type', 'scope', 'state'])
		assert.equal(there.searchParams.get('redirect_uri'), `${s.endpoint.replace(/\/v1$/, '')}/v1/account/sessions/oauth2/callback/gitlab/${p.id}`)
		assert.equal(there.searchParams.get('scope'), 'read_user api')
		assert.match(w.first.headers['set-cookie'][0], /; path=\/v1\/account\/sessions\/oauth2; httponly; samesite=Lax$/)
		const r = await visit(w.url, w.cookies)
		assert.equal(r.status, 301, r.text)
		assert.equal(r.headers.location, 'http://localhost/ok')
		assert.equal(r.headers['set-cookie'].length, 2)
		assert.deepEqual(Object.keys(JSON.parse(r.headers['x-fallback-cookies'])), [`a_session_${p.id}`])
		const at = { project: p.id, cookie: cookieOf(r) }, account = await s.ok('GET', '/account', at)
		assert.deepEqual([account.email, account.name, account.emailVerification, account.passwordUpdate, account.status], [who.email.toLowerCase(), who.name, true, '', true])
		const current = await s.ok('GET', '/account/sessions/current', at)
		keysOf(current, session)
		assert.deepEqual([current.provider, current.providerUid, current.current], ['gitlab', String(who.id), true])
		assert.match(current.providerAccessToken, /^[0-9a-f]{16}$/)
		assert.match(current.providerRefreshToken, /^[0-9a-f]{16}$/)
		const left = Date.parse(current.providerAccessTokenExpiry) - Date.parse(current.$createdAt)
		assert.ok(left > 7190e3 && left < 7210e3, left)
		const call = g.asked.filter((a) => a.path === '/oauth/token').at(-1)
		assert.deepEqual(Object.keys(call.query).sort(), ['client_id', 'client_secret', 'code', 'grant_type', 'redirect_uri'])
		assert.equal(call.query.redirect_uri, there.searchParams.get('redirect_uri'))
	})

	test('coming back is the same user, by id, whatever the address is now', async () => {
		const who = person(), first = await signedIn(who), again = await signedIn({ ...who, email: mail() })
		assert.equal(again.account.$id, first.account.$id)
		assert.equal(again.account.email, who.email)
		assert.equal(again.sessions.length, 2)
	})

	test('a user without an address, and another one', async () => {
		const a = person({ email: null }), b = person({ email: '' }), bad = person({ email: 'not an address' })
		const ids = []
		for (const who of [a, b, bad]) {
			const u = await signedIn(who)
			assert.deepEqual([u.account.email, u.account.emailVerification], ['', false])
			ids.push(u.account.$id)
		}
		assert.equal(new Set(ids).size, 3)
		assert.equal((await signedIn(a)).account.$id, ids[0])
	})

	test('two at once make one user', async () => {
		const who = person(), ways = [await way(who), await way(who)]
		const rs = await Promise.all(ways.map((w) => visit(w.url, w.cookies)))
		assert.deepEqual(rs.map((r) => r.status), [301, 301])
		const ids = await Promise.all(rs.map(async (r) => (await s.ok('GET', '/account', { project: p.id, cookie: cookieOf(r) })).$id))
		assert.equal(ids[0], ids[1])
	})

	test('a provider that posts to the callback, from its own site', async () => {
		g.person = person()
		const first = await begin(), there = await visit(first.headers.location), back = new URL(there.headers.location)
		const r = await s.call('POST', back.pathname, { root: true, body: back.searchParams.toString(), headers: { origin: 'https://provider.example', 'content-type': 'application/x-www-form-urlencoded' } })
		assert.equal(r.status, 301, r.text)
		assert.equal((await visit(r.headers.location, cookieOf(first))).status, 301)
	})

	test('the default success page of ours gets the session for an app; no other page does', async () => {
		g.person = person()
		const first = await s.call('GET', '/account/sessions/oauth2/gitlab', { query: { project: p.id } })
		const there = await visit(first.headers.location), back = await visit(there.headers.location)
		const r = await visit(back.headers.location, cookieOf(first)), u = new URL(r.headers.location)
		assert.equal(u.origin + u.pathname, `${new URL(s.endpoint).origin}/v1/auth/oauth2/success`)
		assert.deepEqual([...u.searchParams.keys()], ['project', 'key', 'secret'])
		assert.equal(u.searchParams.get('key'), `a_session_${p.id}`)
		assert.equal((await s.call('GET', '/account', { project: p.id, cookie: `a_session_${p.id}=${encodeURIComponent(u.searchParams.get('secret'))}` })).status, 200)
		const html = await visit(r.headers.location)
		assert.equal(html.status, 200)
		assert.match(html.text, /appwrite-callback-/)
		assert.equal(html.headers['referrer-policy'], 'no-referrer')
		const other = await signIn(person(), { query: { success: 'http://localhost/v1/auth/oauth2/success' } })
		assert.equal(other.headers.location, 'http://localhost/v1/auth/oauth2/success')
		const { host, hostname, port } = new URL(s.endpoint)
		for (const url of [`http://${hostname}:${Number(port) ^ 1}/v1/auth/oauth2/success`, `http://${hostname}/v1/auth/oauth2/success`, `http://${host}/x/v1/auth/oauth2/success`,
			`http://${host}/x?/v1/auth/oauth2/success`, `http://${host}/x#/v1/auth/oauth2/success`, `https://${hostname}:443/v1/auth/oauth2/success`, `httpx://${host}/v1/auth/oauth2/success`])
			assert.equal((await signIn(person(), { query: { success: url } })).headers.location, url)
		for (const tail of ['', '?a=b', '#c', '?a=b#c'])
			assert.match((await signIn(person(), { query: { success: `http://${host}/v1/auth/oauth2/success${tail}` } })).headers.location, /[?&]secret=/)
	})

	test('the host and the scheme of a proxy', async () => {
		const r = await s.call('GET', '/account/sessions/oauth2/gitlab', { query: { project: p.id }, headers: { 'x-forwarded-host': 'api.example.org', 'x-forwarded-proto': 'https' } })
		assert.equal(new URL(r.headers.location).searchParams.get('redirect_uri'), `https://api.example.org/v1/account/sessions/oauth2/callback/gitlab/${p.id}`)
		assert.match(r.headers['set-cookie'][0], /; secure;/)
		const host = await s.call('GET', '/account/sessions/oauth2/gitlab', { query: { project: p.id }, headers: { host: 'x.example:443@evil.example/' } })
		assert.equal(new URL(new URL(host.headers.location).searchParams.get('redirect_uri')).host, 'x.example')
	})
})

describe('who it is', () => {
	test('a proven address links to the user that proved it', async () => {
		const u = await p.user()
		await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		const o = await signedIn(person({ email: u.email.toUpperCase() }))
		assert.equal(o.account.$id, u.id)
		assert.equal((await u.call('GET', '/account')).status, 200, 'the other session stays')
		assert.equal((await s.call('POST', '/account/sessions/email', { project: p.id, body: { email: u.email, password: u.password } })).status, 201)
	})

	test('who proves an address takes over from who never did', async () => {
		const u = await p.user(), who = person({ email: u.email })
		const phone = '4915' + String(Math.floor(Math.random() * 1e9)).padStart(9, '0'), found = async (search) => (await p.ok('GET', '/users', { query: { search } })).users.map((x) => x.$id)
		await p.ok('PATCH', `/users/${u.id}/phone`, { body: { number: `+${phone}` } })
		assert.deepEqual(await found(phone), [u.id])
		const w = await listen(s, `project=${p.id}&${channels('account')}`, { cookie: u.cookie })
		assert.equal(w.hello.data.user.$id, u.id)
		const o = await signedIn(who), mine = await listen(s, `project=${p.id}&${channels('account')}`, { cookie: o.cookie })
		await s.ok('PATCH', '/account/prefs', { project: p.id, cookie: o.cookie, body: { prefs: { mine: true } } })
		await mine.next((f) => f.data.payload?.prefs?.mine)
		await w.ask({ type: 'ping' })
		assert.equal(w.frames.find((f) => f.data?.payload?.prefs?.mine), undefined, 'nor does a connection of the squatter hear any more')
		w.end()
		mine.end()
		assert.deepEqual([await found(phone), await found(u.email.split('@')[0])], [[], [u.id]], 'lists find it by what it has, not by what it had')
		assert.deepEqual([o.account.$id, o.account.emailVerification, o.account.phone], [u.id, true, ''])
		assert.equal(o.sessions.length, 1)
		assert.equal((await u.call('GET', '/account')).status, 401, 'the squatter is out')
		fails(await s.call('POST', '/account/sessions/email', { project: p.id, body: { email: u.email, password: u.password } }), 401, 'user_invalid_credentials')
		assert.equal((await s.call('PATCH', '/account/password', { project: p.id, cookie: o.cookie, body: { password } })).status, 200, 'a new password needs no old one')
		assert.equal((await signedIn(who)).account.$id, u.id)
	})

	test('an address that the provider does not vouch for links nothing', async () => {
		const u = await p.user()
		denied(await signIn(person({ email: u.email, confirmed_at: null })), 400)
		assert.equal((await u.call('GET', '/account')).status, 200)
		const who = person({ confirmed_at: null }), o = await signedIn(who)
		assert.deepEqual([o.account.email, o.account.emailVerification], [who.email, false])
		assert.equal((await signedIn(who)).account.$id, o.account.$id)
	})

	test('a user who is signed in keeps the account and gets another session', async () => {
		const u = await p.user(), who = person(), o = await signedIn(who, { cookie: u.cookie })
		assert.deepEqual([o.account.$id, o.account.email, o.account.name], [u.id, u.email, u.name])
		assert.deepEqual(o.sessions.map((x) => x.provider), ['gitlab'])
		assert.equal((await u.call('GET', '/account')).status, 401, 'the former session is over')
		assert.equal((await signedIn(who)).account.$id, u.id, 'and may come back that way')
		const other = await p.user()
		denied(await signIn(who, { cookie: other.cookie }), 409)
		assert.equal((await other.call('GET', '/account')).status, 200)
	})

	test('nobody signs in as another on the way back', async () => {
		const u = await p.user(), other = await p.user(), who = person(), today = { 'x-appwrite-response-format': '1.9.5' }
		await p.ok('PATCH', `/users/${u.id}/impersonator`, { headers: today, body: { impersonator: true } })
		const w = await way(who, { cookie: u.cookie }), r = await visit(`${w.url}&impersonateUserId=${other.id}`, w.cookies)
		assert.equal(r.headers.location, 'http://localhost/ok')
		assert.equal((await s.ok('GET', '/account', { project: p.id, cookie: cookieOf(r) })).$id, u.id)
		assert.equal((await signedIn(who)).account.$id, u.id)
	})

	test('an anonymous user becomes a person', async () => {
		const anonymous = async () => cookieOf(await s.call('POST', '/account/sessions/anonymous', { project: p.id }))
		const cookie = await anonymous(), id = (await s.ok('GET', '/account', { project: p.id, cookie })).$id
		const who = person(), o = await signedIn(who, { cookie })
		assert.deepEqual([o.account.$id, o.account.email, o.account.name, o.account.emailVerification], [id, who.email, who.name, false])
		assert.ok((await p.ok('GET', '/users', { query: { search: who.email.split('@')[0] } })).users.some((u) => u.$id === id), 'lists find the address')
		const taken = await p.user(), again = await anonymous()
		denied(await signIn(person({ email: taken.email }), { cookie: again }), 409)
		assert.equal((await s.call('GET', '/account', { project: p.id, cookie: again })).status, 200)
	})

	/* What `sql` does to the user's row, and `more` besides, while the sign-in waits for it. */
	async function meanwhile($id, sql, signIn, more = '') {
		const args = ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq']
		const schema = execFileSync('psql', [...args, '-c', `SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`], { encoding: 'utf8' }).trim()
		const c = spawn('psql', args, { stdio: ['pipe', 'ignore', 'inherit'] }), gone = new Promise((ok) => c.on('exit', ok))
		c.stdin.write(`BEGIN; UPDATE ${schema}.users SET ${sql} WHERE id = '${$id}'; ${more}\n`)
		const count = (sql) => Number(execFileSync('psql', [...args, '-c', `SELECT count(*) FROM pg_stat_activity WHERE ${sql}`], { encoding: 'utf8' }))
		await until('the change', () => count("state = 'idle in transaction'") === 1)
		const r = signIn()
		await until('the sign-in waits', () => count("wait_event_type = 'Lock'") === 1)
		c.stdin.end('COMMIT;\n')
		await gone
		return r
	}

	test('an identity that is another\'s meanwhile, without an address: no second user is made', async () => {
		const u = await p.user(), who = person({ email: null }), users = async () => (await p.ok('GET', '/users')).total, n = await users()
		const w = await way(who), r = await meanwhile(u.id, 'name = name', () => visit(w.url, w.cookies),
			`INSERT INTO ${schema}.identities (user_internal, provider, provider_uid, created, id) SELECT internal, 'gitlab', '${who.id}', now(), '${unique()}' FROM ${schema}.users WHERE id = '${u.id}';`)
		assert.equal(r.headers.location, 'http://localhost/ok')
		assert.equal((await s.ok('GET', '/account', { project: p.id, cookie: cookieOf(r) })).$id, u.id)
		assert.equal(await users(), n)
	})

	test('an anonymous user who becomes somebody else meanwhile stays that', async () => {
		const cookie = cookieOf(await s.call('POST', '/account/sessions/anonymous', { project: p.id })), { $id } = await s.ok('GET', '/account', { project: p.id, cookie })
		const w = await way(person(), { cookie }), email = mail(), r = await meanwhile($id, `email = '${email}', password = 'x'`, () => visit(w.url, w.cookies))
		assert.equal(r.status, 301)
		assert.equal((await p.ok('GET', `/users/${$id}`)).email, email)
	})

	test('a user whose address moves, or is proven, meanwhile is nobody else\'s', async () => {
		for (const [proven, change, status] of [[false, 'email_verification = true', 409], [true, `email = '${mail()}'`, 409], [true, 'email_verification = false', 409], [true, 'status = false', 401]]) {
			const u = await p.user()
			await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: proven } })
			const w = await way(person({ email: u.email })), before = await p.ok('GET', `/users/${u.id}`)
			denied(await meanwhile(u.id, change, () => visit(w.url, w.cookies)), status)
			assert.equal((await p.ok('GET', `/users/${u.id}`)).password, before.password, change)
			assert.equal((await p.ok('GET', `/users/${u.id}/sessions`)).total, 1)
		}
	})

	test('a blocked user', async () => {
		const who = person(), o = await signedIn(who)
		await p.ok('PATCH', `/users/${o.account.$id}/status`, { body: { status: false } })
		denied(await signIn(who), 401, /blocked/)
		const u = await p.user()
		await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: false } })
		denied(await signIn(person({ email: u.email })), 401)
	})

	test('the user limit', async () => {
		const q = await s.project()
		await setup(q)
		await q.console.ok('PATCH', `/projects/${q.id}/auth/limit`, { body: { limit: 1 } })
		const who = person(), first = await signedIn(who, { project: q })
		denied(await signIn(person(), { project: q }), 501)
		assert.equal((await signedIn(who, { project: q })).account.$id, first.account.$id)
	})

	test('an address that the project does not take', async () => {
		const q = await s.project({ scopes: ['policies.write', 'users.write'] }), at = (name) => person({ email: `${unique('m')}@${name}` }), old = at('mailinator.com')
		await setup(q)
		const first = await signedIn(old, { project: q })
		await q.ok('PATCH', '/project/policies/deny-disposable-email', { headers: { 'x-appwrite-response-format': '1.9.5' }, body: { enabled: true } })
		assert.equal(denied(await signIn(at('mailinator.com'), { project: q }), 400).type, 'user_email_disposable')
		assert.equal((await signedIn(old, { project: q })).account.$id, first.account.$id)
		const cookie = cookieOf(await s.call('POST', '/account/sessions/anonymous', { project: q.id }))
		assert.equal(denied(await signIn(at('mailinator.com'), { project: q, cookie }), 400).type, 'user_email_disposable')
		assert.equal((await s.ok('GET', '/account', { project: q.id, cookie })).email, '')
		await signedIn(at('gmail.com'), { project: q, cookie })
	})

	test('a deleted user is a new one', async () => {
		const who = person(), o = await signedIn(who)
		await p.ok('DELETE', `/users/${o.account.$id}`)
		assert.notEqual((await signedIn(who)).account.$id, o.account.$id)
	})
})

describe('the start refuses', () => {
	const get = (path, query, o = {}) => s.call('GET', `/account/sessions/oauth2/${path}`, { query: { project: p.id, ...query }, ...o })

	test('what is no provider, and those without an app', async () => {
		page(await get('nothing'), 400)
		page(await get('Gitlab'), 400)
		page(await get('github'), 412)
		const q = await s.project()
		await setup(q, 'github', 'id', '')
		page(await begin({ project: q, provider: 'github' }), 412)
		for (const [key, secret] of [['gitlab', 'plain'], ['gitlab', '{}'], ['okta', '{"clientSecret":"x"}'], ['okta', '{"clientSecret":"x","oktaDomain":"a b"}'], ['auth0', '{"clientSecret":"x","auth0Domain":"evil.example?x="}'],
			['gitlab', '{"clientSecret":"x","endpoint":"javascript:alert(1)"}'], ['gitlab', '{"clientSecret":"x","endpoint":"ftp://x"}']]) {
			await setup(q, key, 'id', secret)
			page(await begin({ project: q, provider: key }), 412)
		}
	})

	test('pages of strangers', async () => {
		for (const url of ['http://evil.example', 'nowhere', '//localhost', 'http://localhost.evil.example/', 'http://localhost@evil.example/',
			/* browsers go to evil.example, take out the tab, run the script */
			'http://evil.example\\@localhost/', 'http://evil.example\t@localhost/', 'http://évil.example@localhost/', 'javascript://localhost/%0aalert(1)', 'Data://localhost/,x',
			'http://localhost:80@evil.example/', 'http:\\\\localhost/', 'http://localhost%2eevil.example/', 'http:///evil.example/']) {
			page(await get('gitlab', { success: url }), 400)
			page(await get('gitlab', { failure: url }), 400)
		}
		await p.addPlatform({ hostname: 'app.example.org' })
		assert.equal((await get('gitlab', { success: 'https://app.example.org/x' })).status, 301)
		page(await get('gitlab', { success: 'http://localhost/' + 'x'.repeat(2000) }), 400, /too long/)
	})

	test('scopes', async () => {
		page(await get('gitlab', { scopes: Array.from({ length: 101 }, () => 'x') }), 400)
		page(await get('gitlab', { scopes: ['x'.repeat(4097)] }), 400)
		page(await get('gitlab', { scopes: 'x' }), 400)
	})

	test('keys, and a service that is off', async () => {
		page(await get('gitlab', {}, { key: p.key }), 401)
		const q = await s.project()
		await setup(q)
		await q.console.ok('PATCH', `/projects/${q.id}/service`, { body: { service: 'account', status: false } })
		page(await begin({ project: q }), 503)
	})
})

describe('the way back refuses', () => {
	test('a refusal of the provider', async () => {
		const w = await way(null)
		assert.equal(denied(await visit(w.url, w.cookies), 424, /code.*access_denied/).type, 'user_oauth2_provider_error')
		page(await s.call('GET', `/account/sessions/oauth2/callback/gitlab/${p.id}`, { query: { error: '<script>' } }), 400, /&lt;script&gt;/)
		page(await s.call('GET', '/account/sessions/oauth2/gitlab/redirect', { query: { project: p.id, state: 'x' } }), 400)
		page(await s.call('GET', `/account/sessions/oauth2/callback/nothing/${p.id}`, { query: { code: 'x' } }), 400)
		page(await s.call('POST', `/account/sessions/oauth2/callback/nothing/${p.id}`, { body: { code: 'x' } }), 400)
		/* with a good state but no code the provider is not even asked */
		const v = await way(person()), u = new URL(v.url), asked = g.asked.length
		u.searchParams.delete('code')
		u.searchParams.set('error', 'access_denied')
		denied(await visit(u.href, v.cookies), 424, /code.*access_denied/)
		assert.equal(g.asked.length, asked)
	})

	test('what a provider says may be long: the app hears of it', async () => {
		for (const token of [false, true])
			for (const [said, words] of [[{ error: 'é'.repeat(3000) }, /The provider said: é{128}$/], [{ error: 'x'.repeat(257) }, /The provider said: x{256}$/], [{ error: 'no', error_description: 'Not\u00a0<today>' }, /The provider said: no: Not\u00a0<today>$/], [{ code: 'x'.repeat(5000) }, /too long/]]) {
				const w = await way(person(), { token }), url = new URL(w.first.headers.location), asked = g.asked.length
				const callback = await s.call('GET', `/account/sessions/oauth2/callback/gitlab/${p.id}`, { query: { state: url.searchParams.get('state'), ...said } })
				assert.equal(callback.status, 301, callback.text)
				denied(await visit(callback.headers.location, w.cookies), 424, words)
				const straight = new URL(w.url)
				straight.searchParams.delete('code')
				for (const [name, value] of Object.entries(said)) straight.searchParams.set(name, value)
				denied(await visit(straight.href, w.cookies), 424, words)
				assert.equal(g.asked.length, asked)
			}
	})

	test('the failure page is ours where the app named none, and no audit entry says that somebody signed in', async () => {
		const u = await p.user(), before = await u.ok('GET', '/account/logs')
		const w = await way(null, { cookie: u.cookie, query: { failure: '' } }), r = await visit(w.url, w.cookies), to = new URL(r.headers.location)
		assert.equal(r.status, 301)
		assert.deepEqual([to.pathname, to.searchParams.get('project'), JSON.parse(to.searchParams.get('error')).code], ['/v1/auth/oauth2/failure', p.id, 424])
		await u.ok('PATCH', '/account/name', { body: { name: 'After' } })
		const logs = await until('the log', async () => { const l = await u.ok('GET', '/account/logs'); return l.logs.some((e) => e.event === 'user.update') && l })
		assert.equal(logs.total, before.total + 1)
		assert.equal((await u.call('GET', '/account')).status, 200, 'nor does it end the session')
	})

	test('a state that is not ours, or is another one\'s', async () => {
		const w = await way(person()), u = new URL(w.url), good = u.searchParams.get('state')
		const redirect = (change, cookie = w.cookies, path = u.pathname) => s.call('GET', path, { root: true, cookie, query: { ...Object.fromEntries(u.searchParams), ...change } })
		const flipped = good.slice(0, 40) + (good[40] === 'A' ? 'B' : 'A') + good.slice(41)
		for (const state of ['', '{}', JSON.stringify({ success: 'http://localhost/ok', failure: '' }), flipped, good.slice(0, -1), good + 'AAAA', 'A', 'x'.repeat(2048)])
			page(await redirect({ state }), 400, /Invalid state/)
		page(await redirect({ state: 'x'.repeat(2049) }), 400)
		const asked = g.asked.length
		denied(await redirect({ code: '', error: 'access_denied' }), 424, /code/)
		assert.equal(g.asked.length, asked, 'without a code nobody is asked for tokens')
		denied(await redirect({}, ''), 400, /Invalid state/)
		denied(await redirect({}, `a_oauth2_${p.id}=${'0'.repeat(32)}`), 400, /Invalid state/)
		const u2 = await p.user()
		denied(await redirect({}, `${w.cookies}; ${u2.cookie}`), 400, /Invalid state/)
		const q = await s.project()
		await setup(q)
		page(await redirect({ project: q.id }), 400, /Invalid state/)
		await setup(p, 'google', 'a', 'b')
		page(await redirect({}, w.cookies, u.pathname.replace('gitlab', 'google')), 400, /Invalid state/)
		assert.equal((await redirect({})).status, 301, 'none of these used it up')
	})

	test('a code twice', async () => {
		const w = await way(person())
		assert.equal((await visit(w.url, w.cookies)).status, 301)
		assert.equal(denied(await visit(w.url, w.cookies), 424).type, 'user_oauth2_provider_failure')
	})

	test('pages that are no platform any more', async () => {
		const q = await s.project()
		await setup(q)
		const f = await q.addPlatform({ hostname: 'gone.example.org' })
		const a = await way(person(), { project: q, query: { success: 'http://gone.example.org/' } }), b = await way(person(), { project: q, query: { failure: 'http://gone.example.org/' } })
		await q.console.ok('DELETE', `/projects/${q.id}/platforms/${f.$id}`)
		denied(await visit(a.url, a.cookies), 400, /success URL/)
		page(await visit(b.url, b.cookies), 400, /failure URL/)
	})

	test('an app that is gone', async () => {
		const q = await s.project()
		await setup(q)
		const w = await way(person(), { project: q })
		await setup(q, 'gitlab', '', '')
		denied(await visit(w.url, w.cookies), 412)
	})

	test('a provider that misbehaves', async () => {
		const html = (rq, rs) => { rs.writeHead(200, { 'content-type': 'text/html' }); rs.end('<h1>no</h1>') }
		const body = (text, status = 200) => (rq, rs) => { rs.writeHead(status); rs.end(text) }
		for (const token of [html, body(''), body('[]'), body('{}'), body('"x"'), body('{"access_token":5.5}'), body('{"access_token":"a\\u0000b"}'), body('{"access_token":"a\\r\\nX: y"}'), body('{"error":"x"}', 400),
			(rq, rs) => rs.destroy(), body('x'.repeat(2 << 20)), body('', 302)]) {
			const w = await way(person())
			g.answer.token = token
			denied(await visit(w.url, w.cookies), 424)
			delete g.answer.token
		}
		for (const [user, status] of [[body('{}'), 400], [body('{"id":null}'), 400], [body('{"id":""}'), 400], [body('{"id":{"a":1}}'), 400], [body(JSON.stringify({ id: 'x'.repeat(600) })), 400], [html, 424], [body('[]'), 424], [body('{"id":1}', 403), 424]]) {
			const w = await way(person())
			g.answer.user = user
			denied(await visit(w.url, w.cookies), status)
			delete g.answer.user
		}
	})

	test('odd but harmless profiles', async () => {
		g.answer.user = (rq, rs) => { rs.writeHead(200); rs.end(JSON.stringify({ id: unique('ä'), name: 'ü'.repeat(500), email: { a: 1 }, confirmed_at: 'x' })) }
		const w = await way(person()), r = await visit(w.url, w.cookies)
		delete g.answer.user
		assert.equal(r.status, 301, r.text)
		const account = await s.ok('GET', '/account', { project: p.id, cookie: cookieOf(r) })
		assert.deepEqual([account.name, account.email], ['ü'.repeat(128), ''])
	})

	test('a provider inside, when that is not allowed', async () => {
		const strict = await server({ own: true, conf: { web_processes: 1 } })
		try {
			const q = await strict.project()
			await setup(q)
			g.person = person()
			const first = await strict.call('GET', '/account/sessions/oauth2/gitlab', { query: { project: q.id } })
			const there = await visit(first.headers.location), back = new URL(there.headers.location)
			const r = await strict.call('GET', back.pathname + back.search, { root: true }), on = new URL(r.headers.location)
			assert.match(JSON.parse(new URL((await strict.call('GET', on.pathname + on.search, { root: true, cookie: cookieOf(first) })).headers.location).searchParams.get('error')).message, /could not be reached/)
		} finally { await strict.stop() }
	})
})

describe('at rest', () => {
	test('tokens are sealed, and each seal is another one', async () => {
		const o = await signedIn(person()), now = o.sessions[0]
		const stored = () => psql(`SELECT provider_access_token || ' ' || provider_refresh_token FROM ${schema}.sessions WHERE id = '${now.$id}'`)
		const first = stored()
		assert.match(first, /^v1:\S+ v1:\S+$/)
		for (const token of [now.providerAccessToken, now.providerRefreshToken]) assert.ok(!first.includes(token) && !first.includes(Buffer.from(token).toString('base64').slice(0, 16)))
		await s.ok('PATCH', '/account/sessions/current', o)
		const second = stored()
		assert.match(second, /^v1:\S+ v1:\S+$/)
		assert.notEqual(second, first)
	})
})

describe('identities', () => {
	const today = { headers: { 'x-appwrite-response-format': '1.9.5' } }, members = '$id $createdAt $updatedAt userId provider providerUid providerEmail providerAccessToken providerAccessTokenExpiry providerRefreshToken'
	const mine = (cookie, query) => s.call('GET', '/account/identities', { project: p.id, cookie, ...today, query })
	const query = (q) => ({ queries: [JSON.stringify(q)] })

	test('tell their owner what the provider gave, anew at each sign-in, and are sealed at rest', async () => {
		const who = person(), o = await signedIn(who), r = await mine(o.cookie)
		assert.deepEqual([r.status, r.body.total], [200, 1], r.text)
		const [i] = r.body.identities
		keysOf(i, members)
		assert.deepEqual([i.userId, i.provider, i.providerUid, i.providerEmail], [o.account.$id, 'gitlab', String(who.id), who.email])
		assert.ok(i.providerAccessToken !== '' && i.providerRefreshToken !== '')
		assert.ok(Math.abs(Date.parse(i.providerAccessTokenExpiry) - Date.now() - 7200000) < 60000)
		assert.match(psql(`SELECT access_token || ' ' || refresh_token FROM ${schema}.identities WHERE id = '${i.$id}'`), /^v1:\S+ v1:\S+$/)
		const next = await signedIn(who), [n] = (await mine(next.cookie)).body.identities
		assert.deepEqual([n.$id, n.providerAccessToken !== i.providerAccessToken, n.$updatedAt > i.$updatedAt], [i.$id, true, true])
		assert.equal((await mine(next.cookie, query({ method: 'equal', attribute: 'provider', values: ['github'] }))).body.total, 0)
		assert.equal((await mine(next.cookie, query({ method: 'equal', attribute: 'providerUid', values: [String(who.id)] }))).body.identities[0].$id, i.$id)
		assert.equal((await mine(next.cookie, { total: false })).body.total, 0)
		fails(await mine(), 401, 'general_unauthorized_scope')
	})

	test('are deleted by their owner, with an event that tells no token', async () => {
		const who = person(), o = await signedIn(who), [i] = (await mine(o.cookie)).body.identities, other = await signedIn(person())
		const remove = (cookie, id) => s.call('DELETE', `/account/identities/${id}`, { project: p.id, cookie, ...today })
		fails(await remove(other.cookie, i.$id), 404, 'user_identity_not_found')
		fails(await remove(undefined, i.$id), 401, 'general_unauthorized_scope')
		const l = await listen(s, `project=${p.id}&${channels('account')}`, { cookie: o.cookie })
		assert.equal((await remove(o.cookie, i.$id)).status, 204)
		const e = await l.event((e) => e.events.includes(`users.${o.account.$id}.identities.${i.$id}.delete`))
		assert.deepEqual([e.payload.$id, e.payload.providerAccessToken, e.payload.providerRefreshToken], [i.$id, '', ''])
		l.socket.destroy()
		assert.equal((await mine(o.cookie)).body.total, 0)
		fails(await remove(o.cookie, i.$id), 404, 'user_identity_not_found')
		/* the provider vouches for the address, so it is the same account all the same */
		assert.equal((await signedIn(who)).account.$id, o.account.$id)
		assert.notEqual((await mine(o.cookie)).body.identities[0].$id, i.$id)
	})

	test('of all users are listed, found and deleted by servers', async () => {
		const who = person(), o = await signedIn(who), list = (q) => p.call('GET', '/users/identities', { ...today, query: q })
		const r = await list(query({ method: 'equal', attribute: 'userId', values: [o.account.$id] })), [i] = r.body.identities
		keysOf(i, members)
		assert.equal((await list({ search: String(who.id) })).body.identities[0].$id, i.$id)
		assert.equal((await list(query({ method: 'equal', attribute: 'providerEmail', values: [who.email] }))).body.total, 1)
		assert.ok((await list({})).body.total > 1)
		fails(await list(query({ method: 'equal', attribute: 'nothing', values: ['x'] })), 400, 'general_argument_invalid')
		fails(await s.call('GET', '/users/identities', { project: p.id, cookie: o.cookie, ...today }), 401, 'general_unauthorized_scope')
		fails(await s.call('DELETE', `/users/identities/${i.$id}`, { project: p.id, cookie: o.cookie, ...today }), 401, 'general_unauthorized_scope')
		assert.equal((await p.call('DELETE', `/users/identities/${i.$id}`, today)).status, 204)
		fails(await p.call('DELETE', `/users/identities/${i.$id}`, today), 404, 'user_identity_not_found')
	})

	test('an address that is somebody else\'s, here or at a provider, comes into no second account', async () => {
		const u = await p.user(), other = await p.user(), who = person(), o = await signedIn(who)
		denied(await signIn(person({ email: other.email }), { cookie: u.cookie }), 409)
		denied(await signIn(person({ email: who.email }), { cookie: u.cookie }), 409)
		assert.equal((await p.call('PATCH', `/users/${o.account.$id}/email`, { body: { email: mail() } })).status, 200)
		denied(await signIn(person({ email: who.email }), { cookie: u.cookie }), 409)
		denied(await signIn(person({ email: who.email })), 400)
	})

	test('but what no provider vouches for is in nobody\'s way, whenever it was said', async () => {
		const squatter = person(), email = mail(), later = mail(), vouched = (who) => psql(`SELECT email_vouched FROM ${schema}.identities WHERE provider_uid = '${who.id}'`)
		const u = await p.user(), o = await signedIn({ ...squatter, email, confirmed_at: null }, { cookie: u.cookie })
		assert.equal(o.account.$id, u.id)
		assert.equal(vouched(squatter), 'f')
		const body = { userId: 'unique()', email, password: 'correct-horse' }
		assert.equal((await p.guest('POST', '/account', { ...today, body })).status, 201)
		/* with another address each time: as a guest by a provider that vouches, and linked to an account */
		await signedIn({ ...squatter, email: later, confirmed_at: null })
		const owner = person({ email: later })
		assert.notEqual((await signedIn(owner)).account.$id, u.id)
		assert.equal(vouched(owner), 't')
		const third = mail(), v = await p.user()
		await signedIn({ ...squatter, email: third, confirmed_at: null })
		assert.equal((await signedIn(person({ email: third }), { cookie: v.cookie })).account.$id, v.id)
		/* and it becomes theirs as soon as it is vouched for */
		const fourth = mail()
		await signedIn({ ...squatter, email: fourth })
		assert.equal(vouched(squatter), 't')
		fails(await p.guest('POST', '/account', { ...today, body: { ...body, email: fourth } }), 400, 'general_bad_request')
	})

	test('push tokens go on with the session that takes the place of the only one that there may be', async () => {
		const q = await s.project(), u = await q.user()
		await q.console.ok('PATCH', `/projects/${q.id}/oauth2`, { body: { provider: 'gitlab', appId: g.client, secret: g.secret } })
		assert.equal((await q.console.call('PATCH', `/projects/${q.id}/auth/max-sessions`, { body: { limit: 1 } })).status, 200)
		await u.ok('POST', '/account/targets/push', { ...today, body: { targetId: 'unique()', identifier: unique('token') } })
		const o = await signedIn(person(), { cookie: u.cookie, project: q })
		assert.deepEqual((await s.ok('GET', '/account', { project: q.id, cookie: o.cookie, ...today })).targets.map((t) => t.providerType), ['email', 'push'])
		assert.equal(o.sessions.length, 1)
	})

	test('push tokens go on with the session that takes the place of the former one', async () => {
		const u = await p.user()
		await u.ok('POST', '/account/targets/push', { ...today, body: { targetId: 'unique()', identifier: unique('token') } })
		const o = await signedIn(person(), { cookie: u.cookie })
		assert.deepEqual((await s.ok('GET', '/account', { project: p.id, cookie: o.cookie, ...today })).targets.map((t) => t.providerType), ['email', 'push'])
	})
})

describe('new tokens', () => {
	const patch = (o, id = 'current') => s.call('PATCH', `/account/sessions/${id}`, { project: p.id, cookie: o.cookie })

	test('replace the old ones', async () => {
		const o = await signedIn(person()), before = o.sessions[0], r = await patch(o)
		assert.equal(r.status, 200, r.text)
		keysOf(r.body, session)
		assert.notEqual(r.body.providerAccessToken, before.providerAccessToken)
		assert.notEqual(r.body.providerRefreshToken, before.providerRefreshToken)
		assert.deepEqual([r.body.current, r.body.countryName], [false, ''])
		const call = g.asked.filter((a) => a.path === '/oauth/token').at(-1)
		assert.deepEqual(call.query, { client_id: g.client, client_secret: g.password, grant_type: 'refresh_token', refresh_token: before.providerRefreshToken })
		const now = await s.ok('GET', '/account/sessions/current', o)
		assert.deepEqual([now.providerAccessToken, now.providerRefreshToken, now.current], [r.body.providerAccessToken, r.body.providerRefreshToken, true])
		assert.equal((await patch(o, before.$id)).status, 200)
	})

	test('a reply without a refresh token keeps the old one', async () => {
		const o = await signedIn(person())
		g.answer.token = (rq, rs) => { rs.writeHead(200); rs.end('{"access_token":"new","expires_in":"60"}') }
		const r = await patch(o)
		delete g.answer.token
		assert.deepEqual([r.body.providerAccessToken, r.body.providerRefreshToken], ['new', o.sessions[0].providerRefreshToken])
	})

	test('sessions that have none, and those of others', async () => {
		const u = await p.user()
		fails(await patch(u), 501, 'project_provider_unsupported')
		fails(await patch(u, 'nothing'), 404, 'user_session_not_found')
		const o = await signedIn(person())
		fails(await patch(u, o.sessions[0].$id), 404, 'user_session_not_found')
		g.answer.token = (rq, rs) => { rs.writeHead(400); rs.end('{}') }
		fails(await patch(o), 500, 'general_server_error')
		g.answer.token = (rq, rs) => { rs.writeHead(200); rs.end('{"access_token":"only"}') }
		g.answer.user = (rq, rs) => { rs.writeHead(200); rs.end(`{"id":"${unique()}"}`) }
		const poor = await signedIn(person())
		g.answer = {}
		fails(await patch(poor), 400, 'general_argument_invalid')
	})
})

describe('a provider that tells where its routes are', () => {
	const today = { headers: { 'x-appwrite-response-format': '1.9.5' } }, document = () => `${g.url}/.well-known/openid-configuration`
	const asked = () => g.asked.filter((a) => a.path.startsWith('/.well-known/')).length
	const oidc = (q, body) => q.call('PATCH', '/project/oauth2/oidc', { ...today, body })
	const project = () => s.project({ scopes: ['project.oauth2.write', 'project.oauth2.read'] })
	const someone = () => ({ sub: unique('s'), email: mail(), name: 'Ada Lovelace', email_verified: true })

	test('is asked once, and signs in', async () => {
		const q = await project(), n = asked(), r = await oidc(q, { clientId: g.client, clientSecret: g.password, wellKnownURL: document(), enabled: true })
		assert.equal(r.status, 200, r.text)
		assert.deepEqual([r.body.wellKnownURL, r.body.authorizationURL, r.body.tokenURL, r.body.userInfoURL], [document(), '', '', ''])
		const who = someone(), first = await signedIn(who, { project: q, provider: 'oidc' })
		assert.deepEqual([first.account.email, first.account.name, first.sessions[0].provider, first.sessions[0].providerUid], [who.email, who.name, 'oidc', who.sub])
		assert.equal((await signedIn(who, { project: q, provider: 'oidc' })).account.$id, first.account.$id)
		assert.equal((await s.call('PATCH', '/account/sessions/current', { project: q.id, cookie: first.cookie, ...today })).status, 200)
		assert.equal(asked(), n + 1)
	})
	test('what is said by hand goes before', async () => {
		const q = await project()
		assert.equal((await oidc(q, { clientId: g.client, clientSecret: g.password, wellKnownURL: document(), authorizationURL: 'https://id.example.org/a', enabled: true })).status, 200)
		const r = await begin({ project: q, provider: 'oidc' })
		assert.ok(r.headers.location.startsWith('https://id.example.org/a?'), r.headers.location)
		const n = g.asked.length, all = { authorizationURL: `${g.url}/a`, tokenURL: `${g.url}/t`, userInfoURL: `${g.url}/u` }
		assert.equal((await oidc(q, { clientSecret: g.password, wellKnownURL: `${g.url}/nothing-there`, ...all, enabled: true })).status, 200)
		assert.equal(g.asked.length, n, 'nothing is lacking')
	})
	test('with addresses that have parameters, said by it or by hand', async () => {
		const q = await project(), who = someone(), at = (path) => `${g.url}${path}?p=b2c_1%20policy&x=y`
		const routes = { authorization: at('/oauth/authorize'), token: at('/oauth/token'), userinfo: at('/api/v4/user') }
		g.answer.metadata = (rq, rs) => { rs.writeHead(200); rs.end(JSON.stringify(Object.fromEntries(Object.entries(routes).map(([k, v]) => [`${k}_endpoint`, v])))) }
		assert.equal((await oidc(q, { clientId: g.client, clientSecret: g.password, wellKnownURL: `${document()}?p=b2c_1`, enabled: true })).status, 200)
		delete g.answer.metadata
		const first = await signedIn(who, { project: q, provider: 'oidc' })
		assert.equal(first.account.email, who.email)
		const seen = ['/oauth/authorize', '/oauth/token', '/api/v4/user'].map((path) => g.asked.findLast((a) => a.path === path).query)
		for (const query of seen) assert.deepEqual([query.p, query.x], ['b2c_1 policy', 'y'])
		assert.equal(seen[0].client_id, g.client)
		assert.equal((await oidc(q, { wellKnownURL: '', authorizationURL: routes.authorization, tokenURL: routes.token, userInfoURL: routes.userinfo, clientSecret: g.password, enabled: true })).status, 200)
		assert.equal((await signedIn(who, { project: q, provider: 'oidc' })).account.$id, first.account.$id)
	})
	test('is looked at before it is relied on', async () => {
		const q = await project(), app = { clientId: g.client, clientSecret: g.password }
		const bad = (body) => oidc(q, body).then((r) => fails(r, 400, 'general_argument_invalid'))
		await bad({ ...app, wellKnownURL: `${g.url}/nothing`, enabled: true })
		await bad({ ...app, wellKnownURL: 'http://127.0.0.1:1/x', enabled: true })
		const said = { authorization_endpoint: `${g.url}/oauth/authorize`, token_endpoint: `${g.url}/oauth/token`, userinfo_endpoint: `${g.url}/api/v4/user` }
		const wrong = ['x', '[]', '{}', 'y'.repeat(70000), ...Object.keys(said).flatMap((k) => [undefined, 7, '', 'javascript:alert(1)', 'ftp://id.example.org/', `${g.url}/a?b=c#d`, `${g.url}/a?b={c}`, `${g.url}/a#b`, `https://u@id.example.org/`].map((v) => JSON.stringify({ ...said, [k]: v })))]
		for (const [i, text] of wrong.entries()) {
			g.answer.metadata = (rq, rs) => { rs.writeHead(200); rs.end(text) }
			await bad({ ...app, wellKnownURL: `${document()}?${i}`, enabled: true })
		}
		delete g.answer.metadata
		assert.equal((await q.ok('GET', '/project/oauth2/oidc', today)).enabled, false)
		/* kept while it is off, and looked at when it is switched on, or is changed */
		assert.equal((await oidc(q, { ...app, wellKnownURL: `${g.url}/nothing`, enabled: false })).status, 200)
		await bad({ enabled: true })
		assert.equal((await oidc(q, { ...app, wellKnownURL: document(), enabled: true })).status, 200)
		await bad({ ...app, wellKnownURL: `${g.url}/nothing` })
		assert.equal((await q.ok('GET', '/project/oauth2/oidc', today)).wellKnownURL, document())
	})
	test('of one project takes nothing from others', async () => {
		const victim = await project(), evil = await project(), app = { clientId: g.client, clientSecret: g.password, enabled: true }, at = (i) => `${document()}?share-${unique()}-${i}`
		assert.equal((await oidc(victim, { ...app, wellKnownURL: at('victim') })).status, 200)
		const comes = async () => assert.equal((await begin({ project: victim, provider: 'oidc' })).status, 301)
		/* many that are good: it has its share, and those before are asked anew */
		const own = Array.from({ length: 6 }, (_, i) => at(i)), n = asked()
		for (const wellKnownURL of own) assert.equal((await oidc(evil, { ...app, wellKnownURL })).status, 200)
		assert.equal(asked(), n + 6)
		assert.equal((await oidc(evil, { ...app, wellKnownURL: own[5] })).status, 200)
		assert.equal(asked(), n + 6)
		assert.equal((await oidc(evil, { ...app, wellKnownURL: own[0] })).status, 200)
		assert.equal(asked(), n + 7)
		/* many that never come: two are looked at, at a time */
		const held = [], all = []
		g.answer.metadata = (rq, rs) => held.push(rs)
		const many = Array.from({ length: 40 }, (_, i) => oidc(evil, { ...app, wellKnownURL: at(i) }).then((r) => all.push(r)))
		await until('the others were refused', () => all.length === 38 && held.length === 2)
		for (const r of all) fails(r, 503, 'general_busy')
		await comes()
		assert.equal(asked(), n + 9, 'the document of the other project is kept')
		for (const rs of held) { rs.writeHead(500); rs.end() }
		await Promise.all(many)
		for (const r of all.slice(38)) fails(r, 400, 'general_argument_invalid')
		delete g.answer.metadata
	})
	test('and what breaks later is told', async () => {
		const q = await project(), at = `${document()}?later`
		assert.equal((await oidc(q, { clientId: g.client, clientSecret: g.password, wellKnownURL: at, enabled: false })).status, 200)
		await q.console.ok('PATCH', `/projects/${q.id}/oauth2`, { headers: { 'x-appwrite-response-format': '1.8.0' }, body: { provider: 'oidc', enabled: true } })
		g.answer.metadata = (rq, rs) => { rs.writeHead(500); rs.end() }
		page(await begin({ project: q, provider: 'oidc' }), 500)
		delete g.answer.metadata
	})
	test('inside, when that is not allowed', async () => {
		const t = await server({ own: true, conf: { web_processes: 1 } }), q = await t.project({ scopes: ['project.oauth2.write'] }), n = asked()
		fails(await oidc(q, { clientId: g.client, clientSecret: g.password, wellKnownURL: document(), enabled: true }), 400, 'general_argument_invalid')
		assert.equal(asked(), n)
		await t.stop()
	})
})

test('a provider that gives nothing to renew tokens by', async () => {
	const o = await signedIn(person()), today = { headers: { 'x-appwrite-response-format': '1.9.5' } }, patch = () => s.call('PATCH', '/account/sessions/current', { project: p.id, cookie: o.cookie, ...today })
	const before = await s.ok('GET', '/account/sessions/current', o)
	for (const provider of ['facebook', 'wordpress', 'yammer', 'bitly', 'slack']) {
		psql(`UPDATE ${schema}.sessions SET provider = '${provider}', provider_refresh_token = '' WHERE id = '${before.$id}'`)
		fails(await patch(), 400, 'project_provider_unsupported')
	}
	assert.equal((await s.ok('GET', '/account/sessions/current', o)).expire, before.expire)
	psql(`UPDATE ${schema}.sessions SET provider = 'github' WHERE id = '${before.$id}'`)
	const later = await patch()
	assert.equal(later.status, 200, later.text)
	assert.ok(later.body.expire > before.expire)
})

describe('a token instead of a session', () => {
	const redeem = (body, method = 'POST', o = {}) => s.call(method, '/account/sessions/token', { project: p.id, body, ...o })

	test('is given to the success page, and makes a session once', async () => {
		for (const method of ['POST', 'PUT']) {
			const who = person(), r = await signIn(who, { token: true, key: p.key, query: { success: 'http://localhost/ok?a=b#c' } })
			assert.equal(r.status, 301, r.text)
			assert.equal(r.cookie, undefined)
			const u = new URL(r.headers.location)
			assert.equal(u.origin + u.pathname + u.hash, 'http://localhost/ok#c')
			assert.deepEqual([...u.searchParams.keys()], ['a', 'userId', 'secret'])
			const proof = { userId: u.searchParams.get('userId'), secret: u.searchParams.get('secret') }
			fails(await redeem({ ...proof, secret: 'wrong' }, method), 401, 'user_invalid_token')
			fails(await redeem({ ...proof, userId: 'nobody' }, method), 401, 'user_invalid_token')
			const made = await redeem(proof, method)
			assert.equal(made.status, 201, made.text)
			keysOf(made.body, session)
			assert.deepEqual([made.body.provider, made.body.providerUid, made.body.providerAccessToken !== ''], ['gitlab', String(who.id), true])
			assert.equal((await s.ok('GET', '/account', { project: p.id, cookie: cookieOf(made) })).email, who.email)
			fails(await redeem(proof, method), 401, 'user_invalid_token')
		}
		fails(await redeem({ userId: 'x' }), 400, 'general_argument_invalid')
	})

	const given = async (who = person()) => { const u = new URL((await signIn(who, { token: true })).headers.location); return { userId: u.searchParams.get('userId'), secret: u.searchParams.get('secret') } }
	test('is signed, and good for a minute, once, and as long as the identity is there', async () => {
		const proof = await given(), [head, body, mac] = proof.secret.split('.'), said = JSON.parse(Buffer.from(body, 'base64url'))
		assert.deepEqual([Object.keys(said), said.provider, Math.abs(said.exp - Date.now() / 1000 - 60) < 30], [['secret', 'provider', 'exp'], 'gitlab', true])
		fails(await redeem({ ...proof, secret: said.secret }), 401, 'user_invalid_token')
		fails(await redeem({ ...proof, secret: `${head}.${Buffer.from(JSON.stringify({ ...said, provider: 'github' })).toString('base64url')}.${mac}` }), 401, 'user_invalid_token')
		const rs = await Promise.all([1, 2, 3, 4].map(() => redeem(proof)))
		assert.deepEqual(rs.map((r) => r.status).sort(), [201, 401, 401, 401])
		const who = person(), gone = await given(who), [identity] = psql(`SELECT id FROM ${schema}.identities WHERE provider_uid = '${who.id}'`).split('\n')
		assert.equal((await p.call('DELETE', `/users/identities/${identity}`)).status, 204)
		fails(await redeem(gone), 401, 'user_invalid_token')
		fails(await redeem({ userId: 'nobody', secret: 'x' }, 'POST', { headers: { 'x-appwrite-response-format': '1.9.5' } }), 401, 'user_invalid_token')
	})

	test('ends in the browser that began, unless a server did', async () => {
		const w = await way(person(), { token: true }), of = async (cookie) => new URL((await visit(w.url, cookie)).headers.location).searchParams
		assert.equal(JSON.parse((await of()).get('error')).type, 'general_argument_invalid')
		assert.equal(JSON.parse((await of((await way(person(), { token: true })).cookies)).get('error')).type, 'general_argument_invalid')
		assert.ok((await of(w.cookies)).get('secret'))
		const begun = await way(person(), { token: true, key: p.key })
		assert.equal(begun.first.headers['set-cookie'], undefined)
		assert.ok(new URL((await visit(begun.url)).headers.location).searchParams.get('secret'))
	})

	test('failures go to the failure page', async () => {
		const error = (r) => { assert.equal(r.status, 301, r.text); const u = new URL(r.headers.location); assert.equal(u.origin + u.pathname, 'http://localhost/no'); return JSON.parse(u.searchParams.get('error')) }
		const denied = await signIn(null, { token: true })
		assert.deepEqual([error(denied).type, error(denied).code], ['user_oauth2_provider_error', 424])
		const u = await p.user()
		assert.equal(error(await signIn(person({ email: u.email, confirmed_at: null }), { token: true })).type, 'general_bad_request')
		page(await s.call('GET', '/account/tokens/oauth2/github', { query: { project: p.id } }), 412)
	})
})

describe('the provider for trials', () => {
	test('signs in and refreshes', async () => {
		const q = await s.project()
		await setup(q, 'mock', '1', '123456')
		const first = await begin({ project: q, provider: 'mock' })
		const there = new URL(first.headers.location)
		assert.equal(there.pathname, '/v1/mock/tests/general/oauth2')
		assert.deepEqual([...there.searchParams.keys()], ['client_id', 'redirect_uri', 'scope', 'state'])
		const back = await visit((await visit(there)).headers.location), r = await visit(back.headers.location, cookieOf(first))
		assert.equal(r.status, 301, r.text)
		const at = { project: q.id, cookie: cookieOf(r) }, account = await s.ok('GET', '/account', at), now = await s.ok('GET', '/account/sessions/current', at)
		assert.deepEqual([account.email, account.name, account.emailVerification], ['useroauth@localhost.test', 'User Name', true])
		assert.deepEqual([now.provider, now.providerUid, now.providerAccessToken, now.providerRefreshToken], ['mock', '1', '123456', 'tuvwxyz'])
		assert.equal((await s.call('PATCH', '/account/sessions/current', at)).status, 200)
		const wrong = new URL(back.headers.location)
		wrong.searchParams.set('code', 'wrong')
		denied(await visit(wrong.toString(), cookieOf(first)), 424)
	})

	test('pages of a sign-in', async () => {
		for (const path of ['/auth/oauth2/success', '/auth/oauth2/failure', '/auth/magic-url'])
			for (const r of [await s.call('GET', path, { root: true }), await s.call('GET', path)]) {
				assert.equal(r.status, 200, path)
				assert.match(r.headers['content-type'], /^text\/html/)
				assert.equal(r.headers['cache-control'], 'no-store')
			}
	})
})
