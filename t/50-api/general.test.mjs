/* What every route shares: routing, the order of checks, origins, bodies, cookies, errors, rate limits, the description of the API,
 * metrics, the mock service, hostile input. */
import { after, before, describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import { collection, database } from './docs.mjs'
import { cookieOf, dataDir, server, start, unique, until } from '../lib/server.mjs'

const envelope = ['message', 'code', 'type', 'version']
const noCache = { 'cache-control': 'no-cache, no-store, must-revalidate', expires: '0', pragma: 'no-cache' }
let s, p, alice

const childOf = (pid, name) => execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' }).trim().split('\n').find((k) => readFileSync(`/proc/${k}/comm`, 'utf8').trim() === name)

function assertError(r, status, type, message) {
	assert.equal(r.status, status, r.text)
	assert.deepEqual(Object.keys(r.body), envelope)
	assert.equal(r.body.type, type)
	assert.equal(r.body.code, status)
	if (message !== undefined) assert.equal(r.body.message, message)
	for (const [k, v] of Object.entries(noCache)) assert.equal(r.headers[k], v)
	assert.match(r.headers['content-type'], /^application\/json; charset=UTF-8$/)
}

before(async () => {
	s = await server()
	p = await s.project()
	alice = await p.user({ name: 'Alice' })
})

describe('routing', () => {
	test('what no route serves is 404, without the headers of the lifecycle', async () => {
		for (const [m, path] of [['GET', '/v1/nothing'], ['POST', '/v1/nothing'], ['GET', '/nothing'], ['DELETE', '/v1/health'], ['PATCH', '/v1/users'],
			['GET', '/v1/accountx'], ['GET', '/foo/v1/account'], ['GET', '/v1/account/prefs/more']]) {
			const r = await s.call(m, path, { root: true, project: p.id })
			assertError(r, 404, 'general_route_not_found', 'Not Found')
			assert.equal(r.headers['access-control-allow-origin'], undefined)
		}
	})
	test('what later versions have does not pass for an id', async () => {
		for (const [m, path] of [['GET', '/users/x/unknown'], ['GET', '/account/sessions/x/y']])
			assertError(await p.call(m, path, { body: m === 'GET' ? undefined : {} }), 404, 'general_route_not_found')
		assertError(await p.call('GET', '/users/identity'), 404, 'user_not_found')
		assertError(await p.call('DELETE', '/users/identities'), 404, 'user_not_found')
	})
	test('another path of a request', async () => {
		const email = `${unique()}@example.org`, r = await p.guest('POST', '/account/anonymous', { body: { userId: 'unique()', email, password: 'password-1234' } })
		assert.equal(r.status, 201, r.text)
		assert.equal(r.body.email, email)
		assertError(await p.guest('POST', '/account/anonymous', { body: {} }), 400, 'general_argument_invalid')
	})
	test('one slash at the end is forgiven', async () => {
		assert.equal((await s.call('GET', '/health/version/')).status, 200)
		assert.equal((await s.call('GET', '/health/version//')).status, 404)
	})
	test('a marked path is the path without its mark', async () => {
		for (const mark of ['/~d3', '/~', '/~x.y-z%20']) {
			assert.equal((await s.call('GET', `${mark}/v1/health/version`, { root: true })).status, 200, mark)
			assert.deepEqual((await s.call('GET', `${mark}/v1/account?x=1`, { root: true, project: p.id, cookie: alice.cookie })).body.$id, alice.id)
		}
		for (const path of ['/~d3', '/~d3/~d3/v1/health/version', '/v1/~d3/health/version', '/v1~d3/health/version']) assertError(await s.call('GET', path, { root: true, project: p.id }), 404, 'general_route_not_found')
	})
	test('HEAD is GET without the body', async () => {
		const get = await s.call('GET', '/health/version'), head = await s.call('HEAD', '/health/version')
		assert.equal(head.status, 200)
		assert.equal(head.text, '')
		assert.equal(head.headers['content-length'], get.headers['content-length'])
		assert.equal((await s.call('HEAD', '/account')).status, 401)
	})
	test('ids in paths are raw', async () => {
		assertError(await p.call('GET', '/users/a%20b'), 400, 'general_argument_invalid')
		assertError(await p.call('GET', '/users/%ff%fe'), 400, 'general_argument_invalid')
	})
})

describe('projects and callers', () => {
	test('an unknown project comes before everything else', async () => {
		for (const project of ['nosuchproject', '', 'a b', 'x'.repeat(400)])
			assertError(await s.call('POST', '/account', { project, body: {} }), 404, 'project_not_found')
	})
	test('no header is the console', async () => {
		assert.equal((await s.call('GET', '/health/version')).status, 200)
	})
	test('project and mode: from the query of a GET, from the body else', async () => {
		const owner = await s.console()
		assertError(await s.call('GET', `/account?project=nosuchproject`), 404, 'project_not_found')
		assert.equal((await s.call('GET', `/users?project=${p.id}&mode=admin`, { cookie: owner.cookie })).status, 200)
		assertError(await s.call('POST', '/account/sessions/email', { body: { project: 'nosuchproject' } }), 404, 'project_not_found')
		assertError(await s.call('POST', '/account/sessions/email?project=nosuchproject', { project: p.id, body: {} }), 400, 'general_argument_invalid')
	})
	test('scopes by role', async () => {
		const words = (who, role, scope) => `${who} (role: ${role}) missing scope (${scope})`
		assertError(await p.guest('GET', '/users'), 401, 'general_unauthorized_scope', words('User', 'guests', 'users.read'))
		assertError(await alice.call('GET', '/users'), 401, 'general_unauthorized_scope', words(alice.email, 'users', 'users.read'))
		const none = await p.addKey([])
		const host = new URL(s.endpoint).hostname
		assertError(await p.guest('GET', '/users', { key: none }), 401, 'general_unauthorized_scope',
			words(`app.${p.id}@service.${host}`, 'applications', 'users.read'))
		assert.equal((await p.guest('GET', '/health', { key: none })).status, 200)
		assertError(await p.guest('GET', '/health/version', { key: none }), 401, 'general_unauthorized_scope')
		assertError(await p.admin('GET', '/health/stats'), 401, 'general_unauthorized_scope')
		assert.equal((await p.admin('GET', '/users')).status, 200)
	})
	test('an unknown key is a guest, an expired one is refused, a session wins over a key', async () => {
		assertError(await p.guest('GET', '/users', { key: 'x' }), 401, 'general_unauthorized_scope')
		const old = await p.addKey(['users.read'], { expire: '2020-01-01T00:00:00.000+00:00' })
		assertError(await p.guest('GET', '/users', { key: old }), 401, 'project_key_expired')
		assert.equal((await alice.call('GET', '/account', { key: p.key })).status, 200)
	})
	test('admin mode is for members of the team that owns the project', async () => {
		const other = await s.user({ project: 'console' })
		assertError(await p.guest('GET', '/users', { mode: 'admin', cookie: other.cookie }), 401, 'general_unauthorized_scope')
		assertError(await p.guest('GET', '/users', { mode: 'admin' }), 401, 'general_unauthorized_scope')
		assertError(await p.guest('GET', '/users', { mode: 'admin', cookie: alice.cookie }), 401, 'general_unauthorized_scope')
		const owner = await s.console()
		assertError(await s.call('GET', '/account', { mode: 'admin', cookie: owner.cookie, project: 'console' }), 401, 'general_unauthorized_scope')
	})
	test('the projects service only on the console', async () => {
		assertError(await p.admin('GET', '/projects'), 401, 'general_access_forbidden')
		assertError(await p.guest('GET', '/projects'), 401, 'general_unauthorized_scope')
	})
	test('JWT: what does not verify is refused, everywhere', async () => {
		for (const jwt of ['garbage', 'a.b.c', 'x'.repeat(5000)])
			assertError(await p.guest('GET', '/health/version', { jwt }), 401, 'user_jwt_invalid')
		const { jwt } = await alice.ok('POST', '/account/jwt')
		assert.equal((await p.guest('GET', '/account', { jwt })).status, 200)
		const cut = jwt.slice(0, -2) + (jwt.endsWith('AA') ? 'BB' : 'AA')
		assertError(await p.guest('GET', '/account', { jwt: cut }), 401, 'user_jwt_invalid')
	})
	test('a service that is off: not for keys and admins; before the scope', async () => {
		const q = await s.project(), owner = await s.console()
		await owner.ok('PATCH', `/projects/${q.id}/service`, { body: { service: 'users', status: false } })
		assertError(await q.guest('GET', '/users'), 503, 'general_service_disabled')
		assert.equal((await q.call('GET', '/users')).status, 200)
		assert.equal((await q.admin('GET', '/users')).status, 200)
	})
	test('a sign-in method that is off: before the parameters', async () => {
		const q = await s.project(), owner = await s.console()
		await owner.ok('PATCH', `/projects/${q.id}/auth/email-password`, { body: { status: false } })
		assertError(await q.guest('POST', '/account/sessions/email', { body: {} }), 501, 'user_auth_method_unsupported',
			'Email / Password authentication is disabled for this project')
	})
	test('a blocked user is refused, also on public routes', async () => {
		const bob = await p.user()
		await p.ok('PATCH', `/users/${bob.id}/status`, { body: { status: false } })
		assertError(await bob.call('GET', '/account'), 401, 'user_blocked')
		assertError(await bob.call('GET', '/health/version'), 401, 'user_blocked')
	})
	test('the origin comes before key and scope', async () => {
		assertError(await p.guest('DELETE', '/users/x', { headers: { origin: 'https://evil.example' } }), 403, 'general_unknown_origin')
	})
	test('a bad parameter of an unauthorised caller is a matter of scope', async () => {
		assertError(await p.guest('POST', '/users', { body: { userId: '_' } }), 401, 'general_unauthorized_scope')
	})
})

describe('origins and CORS', () => {
	const allow = (r) => r.headers['access-control-allow-origin']
	test('every answer of the lifecycle has the headers', async () => {
		for (const r of [await s.call('GET', '/health/version'), await p.guest('GET', '/users')]) {
			assert.equal(r.headers['access-control-allow-methods'], 'GET, POST, PUT, PATCH, DELETE')
			assert.equal(r.headers['access-control-allow-credentials'], 'true')
			assert.equal(r.headers['access-control-expose-headers'], 'X-Fallback-Cookies')
			assert.match(r.headers['access-control-allow-headers'], /^Origin, Cookie, .*, Expires, Pragma$/)
			assert.equal(r.headers['x-content-type-options'], 'nosniff')
			assert.equal(r.headers.server, 'Appwrite')
		}
	})
	test('clients of today are told of today\'s headers', async () => {
		const r = await p.guest('GET', '/users', { headers: { 'x-appwrite-response-format': '1.9.5' } })
		assert.match(r.headers['access-control-allow-headers'], /^Accept, Origin, .*, X-Appwrite-Dev-Key, .*, X-Forwarded-User-Agent, Authorization$/)
		assert.equal(r.headers['access-control-expose-headers'], 'X-Appwrite-Session, X-Fallback-Cookies, X-Appwrite-Warning')
	})
	test('a time that is none is refused, of clients of today', async () => {
		const at = (x, format) => s.call('GET', '/health/version', { headers: { 'x-appwrite-timestamp': x, 'x-appwrite-response-format': format } })
		assertError(await at('yesterday-ish', '1.9.5'), 400, 'general_argument_invalid', 'Invalid X-Appwrite-Timestamp header value')
		for (const [x, format] of [['yesterday-ish', '1.8.0'], ['2026-01-01T00:00:00.000Z', '1.9.5'], ['', '1.9.5']]) assert.equal((await at(x, format)).status, 200, x)
	})
	test('preflight: always 204, without lifecycle', async () => {
		for (const [path, origin, echo = origin] of [['/account', 'https://evil.example'], ['/nothing', 'http://localhost'], ['/account', undefined], ['/account', 'http://a$b.evil.test', '']]) {
			const r = await s.call('OPTIONS', path, { project: 'nosuchproject', headers: origin ? { origin } : {} })
			assert.equal(r.status, 204)
			assert.equal(allow(r) ?? '', echo ?? '')
			assert.match(r.headers['access-control-allow-headers'], /, Pragma, X-Fallback-Cookies$/)
			assert.equal(r.headers['x-content-type-options'], undefined)
		}
	})
	test('preflight: what the server honours may be sent, when it is asked for', async () => {
		const ask = async (names) => (await s.call('OPTIONS', '/account', { headers: { origin: 'http://localhost', 'access-control-request-headers': names } })).headers['access-control-allow-headers']
		const usual = await ask('')
		const honoured = ['authorization', 'x-forwarded-for', 'x-sdk-graphql', 'if-none-match', 'accept-language', 'x-appwrite-session', 'x-appwrite-dev-key', 'x-sdk-later']
		assert.equal(await ask(honoured.join(',')), usual.replace(/, X-Fallback-Cookies$/, `, ${honoured.join(', ')}, X-Fallback-Cookies`))
		for (const names of ['x-forwarded-host', 'x-evil, host', 'x-appwrite-a b', ',,', '*', 'x-appwrite-(']) assert.equal(await ask(names), usual, names)
	})
	test('the allowed origin', async () => {
		const q = await s.project()
		await q.addPlatform({ hostname: '*.example.org' })
		await q.addPlatform({ type: 'android', hostname: '', key: 'com.example.app' })
		await q.addPlatform({ type: 'apple-macos', hostname: '', key: 'com.example.mac' })
		const rows = [	/* origin, allow-origin, may write, what a refusal calls it */
			[undefined, 'http://localhost', true],
			['http://localhost', 'http://localhost', true],
			['http://localhost:3000', 'http://localhost:3000', true],
			['https://a.example.org', 'https://a.example.org', true],
			['https://a.b.example.org', 'https://localhost', false, 'Web'],
			['https://evil.example:8443', 'https://localhost:8443', false, 'Web'],
			['http://localhost@evil.example', 'http://localhost', false, 'Web'],
			['appwrite-android://com.example.app', 'appwrite-android://localhost', true],
			['appwrite-android://com.example.other', 'appwrite-android://localhost', false, 'Android'],
			['appwrite-macos://com.example.mac', 'appwrite-macos://localhost', false, 'macOS'],
			['gopher://evil.example', 'gopher://localhost', false],
			['http://a$b.evil.test', 'http://localhost', false],
			['http://localhost:x', 'http://localhost', false],
			['null', 'http://localhost', true],
			['evil.example', 'http://localhost', true],
		]
		for (const [origin, allowed, writes, kind] of rows) {
			const headers = origin === undefined ? {} : { origin }
			const get = await q.guest('GET', '/health/version', { headers }), post = await q.guest('POST', '/account', { headers, body: {} })
			assert.equal(get.status, 200)
			assert.equal(allow(get), allowed, origin)
			assert.equal(allow(post), allowed, origin)
			if (writes) assertError(post, 400, 'general_argument_invalid')
			else assertError(post, 403, 'general_unknown_origin', kind ? `Invalid Origin. Register your new client (${new URL(origin).host.split('@').pop().split(':')[0]}) as a new ${kind} platform on your project console dashboard` : 'Unsupported platform')
		}
		const evil = { origin: 'https://evil.example' }
		assertError(await q.guest('POST', '/account', { headers: { referer: 'https://evil.example/page' }, body: {} }), 403, 'general_unknown_origin')
		assertError(await q.guest('POST', '/account', { headers: evil, key: 'whatever', body: {} }), 400, 'general_argument_invalid')
		assertError(await q.guest('DELETE', '/account/sessions', { headers: evil }), 403, 'general_unknown_origin')
		/* a key's header does not let a page ride on the cookie of who looks at it, nor sign that browser in */
		const u = await q.user()
		for (const headers of [evil, { origin: 'http://a$b.evil.test' }, { referer: 'http://a$b.evil.test/' }])
			assertError(await u.call('PATCH', '/account/name', { headers, key: 'whatever', body: { name: 'Eve' } }), 403, 'general_unknown_origin')
		assert.equal((await u.call('PATCH', '/account/name', { headers: { origin: 'http://localhost' }, key: 'whatever', body: { name: 'Ada' } })).status, 200)
		const signIn = (more) => q.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password }, ...more })
		for (const [more, cookies] of [[{ headers: evil, key: 'whatever' }, undefined], [{ headers: { origin: 'http://localhost' }, key: 'whatever' }, 2], [{ key: 'whatever' }, 2]]) {
			const r = await signIn(more)
			assert.equal(r.status, 201, r.text)
			assert.equal(r.headers['set-cookie']?.length, cookies)
		}
	})
	test('a forwarded scheme', async () => {
		assert.equal(allow(await s.call('GET', '/health/version', { headers: { 'x-forwarded-proto': 'https' } })), 'https://localhost')
	})
})

describe('bodies', () => {
	const sign = (headers, body) => p.guest('POST', '/account/sessions/email', { headers, body })
	const missing = 'Param "email" is not optional.', fields = { email: 'nobody@example.org', password: 'password-1234' }
	const json = { 'content-type': 'application/json' }
	test('what gives no parameters', async () => {
		for (const [headers, body] of [[json, '[1,2]'], [json, 'null'], [json, 'false'], [json, ''], [{ 'content-type': 'text/plain' }, JSON.stringify(fields)],
			[{}, JSON.stringify(fields)]])
			assertError(await sign(headers, body), 400, 'general_argument_invalid', missing)
		assertError(await p.guest('POST', '/account/sessions/email?email=a@b.co&password=password', { body: {} }), 400, 'general_argument_invalid', missing)
	})
	test('what cannot be read is said to be so, not that something is missing', async () => {
		const form = { 'content-type': 'application/x-www-form-urlencoded' }, parts = (boundary) => ({ 'content-type': `multipart/form-data${boundary}` })
		for (const [headers, body, why] of [[json, '{"email":', /not valid JSON: .* at byte 9\.$/], [json, '{"email":"a@b.co",}', /not valid JSON: .* at byte 19\.$/],
			[json, '{"email":"\\ud83d"}', /not valid JSON: .* at byte \d+\.$/], [json, '{"email":1e999}', /not valid JSON: .* at byte \d+\.$/],
			[json, '\xff', /not valid JSON: .* at byte \d+\.$/], [json, '['.repeat(5000), /not valid JSON: nested too deeply/], [json, '5', /no JSON object/],
			[json, '"hello"', /no JSON object/], [form, 'email=%ff', /not valid UTF-8/], [parts('; boundary=x'), 'no parts', /not valid multipart/],
			[parts(''), '--x--', /not valid multipart/]]) {
			const r = await sign(headers, body)
			assertError(r, 400, 'general_argument_invalid')
			assert.match(r.body.message, /^The parameters cannot be read\. /)
			assert.match(r.body.message, why)
		}
	})
	test('so is a parameter that is JSON once more', async () => {
		const r = await p.call('POST', '/databases/x/collections/y/documents', { body: { documentId: 'z', data: '{"a":1,}' } })
		assertError(r, 400, 'general_argument_invalid')
		assert.match(r.body.message, /^Invalid data: It is not valid JSON: .* at byte 8\.$/)
	})
	const broken = [['{"a":1,}', 8], ['{"a":"\\ud83d"}', null], ['{"a":"\\udc00"}', null], ['{"a":1e999}', null], ['{"a":1} x', null], ['{"a"', null], ['{"a":01}', null], ['{"a":\'x\'}', null], ['{"a":NaN}', null], ['[1,]', 4]]
	test('half a character, a number without end, a comma too many: in data', async () => {
		for (const [method, where] of [['POST', ''], ['PATCH', '/z']])
			for (const [data, at] of broken) {
				const r = await p.call(method, `/databases/x/collections/y/documents${where}`, { body: { documentId: 'z', data } })
				assertError(r, 400, 'general_argument_invalid')
				assert.match(r.body.message, at ? new RegExp(`^Invalid data: It is not valid JSON: .* at byte ${at}\\.$`, 's') : /^Invalid data: It is not valid JSON: .* at byte \d+\.$/s)
			}
	})
	test('and in queries, of every list', async () => {
		const q = await s.project(), db = await database(q), c = await collection(q, db, { attributes: { n: { type: 'integer' } } }), { $id: team } = await q.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'T' } }), u = await q.user()
		await c.doc({ n: 1 }, { id: 'one' })
		const lists = [[q.call, '/databases'], [q.call, `/databases/${db}/collections`], [q.call, `${c.path}/attributes`], [q.call, `${c.path}/indexes`], [q.call, c.docs, 'general_query_invalid'],
			[q.call, `${c.docs}/one`, 'general_query_invalid'], [q.call, `${c.docs}/one/logs`], [q.call, `${c.path}/logs`], [q.call, `/databases/${db}/logs`], [q.call, '/users'], [q.call, `/users/${u.id}/logs`],
			[q.call, '/teams'], [q.call, `/teams/${team}/memberships`], [q.call, `/teams/${team}/logs`], [u.call, '/account/logs']]
		for (const [call, path, type = 'general_argument_invalid'] of lists)
			for (const [text] of broken.filter(([t]) => t[0] === '{')) {
				const r = await call('GET', path, { query: { queries: [text] } })
				assertError(r, 400, type)
				assert.match(r.body.message, /^(Invalid queries: )?Invalid query: .* at byte \d+\.?$/s)
			}
	})
	test('a broken body does not pass for an empty one', async () => {
		for (const body of ['{"name":', '5', '"x"']) {
			const r = await alice.call('PATCH', '/account/name', { headers: json, body })
			assertError(r, 400, 'general_argument_invalid')
		}
		assert.equal((await alice.ok('GET', '/account')).name, 'Alice')
	})
	test('JSON, forms and multipart', async () => {
		const form = new URLSearchParams(fields).toString()
		const parts = Object.entries(fields).map(([k, v]) => `--XX\r\nContent-Disposition: form-data; name="${k}"\r\n\r\n${v}\r\n`).join('') + '--XX--\r\n'
		for (const [type, body] of [['application/json', JSON.stringify(fields)], ['application/json; charset=utf-8', JSON.stringify(fields)],
			['application/x-www-form-urlencoded', form], ['Application/X-WWW-Form-Urlencoded; charset=x', form], ['multipart/form-data; boundary=XX', parts],
			['multipart/form-data; boundary="XX"', parts]])
			assertError(await sign({ 'content-type': type }, body), 401, 'user_invalid_credentials')
	})
	test('null and the empty text count as missing, more fields are ignored', async () => {
		assertError(await sign({}, { ...fields, email: null }), 400, 'general_argument_invalid', missing)
		assertError(await sign({}, { ...fields, email: '' }), 400, 'general_argument_invalid', missing)
		assertError(await sign({}, { ...fields, more: { deep: [1] } }), 401, 'user_invalid_credentials')
		assertError(await sign({}, { ...fields, password: 12345678 }), 400, 'general_argument_invalid')
	})
	test('the first violation answers, alone', async () => {
		const r = await p.guest('POST', '/account', { body: { userId: '_', email: 'x', password: 'x' } })
		assertError(r, 400, 'general_argument_invalid')
		assert.match(r.body.message, /^Invalid userId: /)
	})
	test('brackets in query strings', async () => {
		for (const q of ['queries[]=limit(1)', 'queries[0]=limit(1)', 'queries%5B%5D=limit(1)', 'queries[]=limit(1)&queries[]=offset(0)'])
			assert.equal((await p.call('GET', `/users?${q}`)).body.users?.length, 1, q)
		for (const q of ['queries=limit(1)', 'queries[x]=limit(1)', 'queries[1]=limit(1)', 'queries[][]=limit(1)', 'queries[]=%ff'])
			assertError(await p.call('GET', `/users?${q}`), 400, 'general_argument_invalid')
		assertError(await p.call('GET', '/users?' + 'a=1&'.repeat(1001)), 400, 'general_argument_invalid')
	})
	test('over 6 MiB', async () => {
		const r = await s.call('POST', '/teams', { project: p.id, key: p.key, headers: { ...json, connection: 'close' }, body: 'x'.repeat(6300000) }).catch((e) => e)
		assert.ok(r.status === 413 || /ECONNRESET|EPIPE/.test(r.code), String(r.status ?? r))
	})
})

describe('sessions', () => {
	test('cookies and the fallback header', async () => {
		const u = await p.user(), sign = (headers = {}) => p.guest('POST', '/account/sessions/email', { headers, body: { email: u.email, password: u.password } })
		const r = await sign(), [legacy, cookie] = r.headers['set-cookie'], name = `a_session_${p.id}`.toLowerCase()
		const form = (n, more) => new RegExp(`^${n}=[A-Za-z0-9%]+; expires=\\w{3}, \\d\\d-\\w{3}-\\d{4} \\d\\d:\\d\\d:\\d\\d GMT; path=/; httponly${more}$`)
		assert.match(legacy, form(`${name}_legacy`, ''))
		assert.match(cookie, form(name, '; samesite=None'))
		const token = decodeURIComponent(cookie.slice(name.length + 1, cookie.indexOf(';')))
		assert.deepEqual(JSON.parse(r.headers['x-fallback-cookies']), { [`a_session_${p.id}`]: token })
		assert.deepEqual(Object.keys(JSON.parse(Buffer.from(token, 'base64'))), ['id', 'secret'])

		const by = (o) => p.guest('GET', '/account', o)
		for (const o of [{ cookie: `${name}=${encodeURIComponent(token)}` }, { cookie: `x=y;  ${name}_legacy=${encodeURIComponent(token)}` }]) {
			const got = await by(o)
			assert.equal(got.status, 200)
			assert.equal(got.headers['x-debug-fallback'], 'false')
		}
		const fallback = await by({ headers: { 'x-fallback-cookies': r.headers['x-fallback-cookies'] } })
		assert.equal(fallback.status, 200)
		assert.equal(fallback.headers['x-debug-fallback'], 'true')
		assert.equal((await by({ headers: { 'x-appwrite-session': token } })).status, 200)
		for (const o of [{ cookie: `${name}=garbage` }, { cookie: `${name}=${encodeURIComponent(token)}x` }, { headers: { 'x-fallback-cookies': '[' } },
			{ headers: { 'x-fallback-cookies': '{"a":1}' } }, { cookie: ';;==;' }])
			assertError(await by(o), 401, 'general_unauthorized_scope')

		const out = await p.guest('DELETE', '/account/sessions/current', { cookie: cookieOf(r) })
		assert.equal(out.status, 204)
		assert.equal(out.headers['x-fallback-cookies'], '[]')
		assert.match(out.headers['set-cookie'][1], new RegExp(`^${name}=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/; httponly; samesite=None$`))
	})
	test('behind a proxy: domain, secure, and no fallback where cookies do', async () => {
		const u = await p.user(), body = { email: u.email, password: u.password }
		const q = await s.project()
		await q.addPlatform({ hostname: '*.example.org' })
		const v = await q.user()
		const headers = { 'x-forwarded-host': 'api.example.org', 'x-forwarded-proto': 'https', origin: 'https://app.example.org' }
		const r = await q.guest('POST', '/account/sessions/email', { headers, body: { email: v.email, password: v.password } })
		assert.equal(r.status, 201, r.text)
		assert.match(r.headers['set-cookie'][1], /; path=\/; domain=\.api\.example\.org; secure; httponly; samesite=None$/)
		assert.equal(r.headers['x-fallback-cookies'], undefined)
		const elsewhere = await p.guest('POST', '/account/sessions/email', { headers: { 'x-forwarded-host': 'a.test', origin: 'http://a.test' }, body })
		assert.match(elsewhere.headers['set-cookie'][1], /domain=\.a\.test/)
		assert.ok(elsewhere.headers['x-fallback-cookies'])
		const odd = await p.guest('POST', '/account/sessions/email', { headers: { 'x-forwarded-host': 'a.test; secure' }, body })
		assert.doesNotMatch(odd.headers['set-cookie'][1], /domain/)
	})
})

describe('errors', () => {
	test('of a 500 nobody learns the reason', async () => {
		assertError(await s.call('GET', '/mock/tests/general/500-error'), 500, 'general_mock', 'Server Error')
		assertError(await s.call('GET', '/mock/tests/general/400-error'), 400, 'general_mock', 'Mock 400 error')
	})
	test('a failing handler leaves no cookie behind', async () => {
		const r = await p.guest('POST', '/account/sessions/email', { body: { email: 'no@example.org', password: 'password-1234' } })
		assert.equal(r.headers['set-cookie'], undefined)
	})
})

describe('the mock service', () => {
	const args = { x: 'a', y: 12, z: ['q'] }, others = { required: 'a', default: 12, z: ['q'] }
	for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
		test(method, async () => {
			for (const [name, values] of [['foo', args], ['bar', others]]) {
				const r = await s.call(method, `/mock/tests/${name}`, method === 'GET' ? { query: values } : { body: values })
				assert.equal(r.status, 200, r.text)
				assert.deepEqual(r.body, { result: `${method}:/v1/mock/tests/${name}:passed` })
				assert.match(r.text, /\\\/v1\\\//)
				assertError(await s.call(method, `/mock/tests/${name}`, method === 'GET' ? { query: { z: ['q'] } } : { body: { ...values, z: 5 } }), 400, 'general_argument_invalid')
			}
		})
	test('general', async () => {
		const get = (path, o) => s.call('GET', `/mock/tests/general/${path}`, o)
		assertError(await s.call('GET', '/mock/tests/foo', { query: { ...args, y: 'b' } }), 400, 'general_argument_invalid')
		assert.equal((await get('download')).text, 'GET:/v1/mock/tests/general/download:passed')
		assert.equal((await get('redirect')).headers.location, '/v1/mock/tests/general/redirect/done')
		assert.deepEqual((await get('redirect/done')).body, { result: 'GET:/v1/mock/tests/general/redirect/done:passed' })
		assert.equal((await get('empty')).status, 204)
		assert.equal((await get('502-error')).status, 502)
		assertError(await get('get-cookie'), 400, 'general_mock')
		assert.equal((await get('get-cookie', { cookie: 'a=b; cookiename=cookieValue' })).status, 200)
		assert.match((await get('set-cookie')).headers['set-cookie'][0], /^cookiename=cookieValue; /)
		for (const path of ['headers', 'download', 'redirect', 'redirect/done', 'set-cookie', 'empty', 'oauth2/success']) assertError(await get(path, { project: 'nothing' }), 404, 'project_not_found')
		assert.equal((await get('headers', { headers: { 'x-sdk-name': 'n"' } })).body.result, 'x-sdk-name: n"; x-sdk-platform: ; x-sdk-language: ; x-sdk-version: ')
	})
	test('its OAuth2', async () => {
		const get = (path, query) => s.call('GET', `/mock/tests/general/oauth2${path}`, { query })
		const ask = { client_id: '1', redirect_uri: 'http://localhost/x', scope: 'a', state: 'b&c' }
		assert.equal((await get('', ask)).headers.location, 'http://localhost/x?code=abcdef&state=b%26c')
		assertError(await get('', { ...ask, redirect_uri: 'http://evil.example/x' }), 400, 'general_argument_invalid')
		const token = { client_id: '1', client_secret: '123456', code: 'abcdef' }
		assert.deepEqual((await get('/token', token)).body, { access_token: '123456', refresh_token: 'tuvwxyz', expires_in: 14400 })
		for (const bad of [{ client_id: '2' }, { client_secret: 'x' }, { code: 'x' }, { grant_type: 'refresh_token' }])
			assertError(await get('/token', { ...token, ...bad }), 400, 'general_mock')
		assert.equal((await get('/user', { token: '123456' })).body.name, 'User Name')
		assertError(await get('/user', { token: 'x' }), 400, 'general_mock')
		assert.deepEqual((await get('/success')).body, { result: 'success' })
		assert.equal((await get('/failure')).status, 400)
	})
})

describe('files and metadata', () => {
	test('robots, humans, manifest, versions', async () => {
		for (const at of ['', '/v1']) {
			assert.match((await s.call('GET', `${at}/robots.txt`, { root: true })).text, /^# robotstxt\.org\/[^]*\nUser-agent: \*\n/)
			assert.match((await s.call('GET', `${at}/humans.txt`, { root: true })).text, /^# humanstxt\.org\//)
			assert.equal((await s.call('GET', `${at}/manifest.json`, { root: true })).body.display, 'standalone')
			const v = await s.call('GET', `${at}/versions`, { root: true })
			assert.equal(Object.keys(v.body)[0], 'server')
			assert.equal(v.headers['cache-control'], 'public, max-age=3888000')
		}
	})
	test('they are there for projects that are, and for nobody else', async () => {
		for (const path of ['/robots.txt', '/humans.txt', '/manifest.json', '/versions'])
			for (const at of ['', '/v1']) assertError(await s.call('GET', at + path, { root: true, project: 'nothing' }), 404, 'project_not_found')
		assertError(await s.call('GET', '/openapi.json', { project: 'nothing' }), 404, 'project_not_found')
		for (const path of ['/auth/oauth2/success', '/auth/oauth2/failure', '/auth/magic-url'])
			for (const at of ['', '/v1']) {
				const r = await s.call('GET', at + path, { root: true, project: 'nothing' })
				assert.equal(r.status, 404)
				assert.match(r.text, /<h1>Error 404<\/h1>/)
			}
	})
	test('ping: a project that is there answers everybody; the console is none', async () => {
		const none = await p.addKey([])
		for (const call of [p.guest, p.call, alice.call, p.admin, (m, path) => p.guest(m, path, { key: none })]) {
			const r = await call('GET', '/ping')
			assert.equal(r.status, 200, r.text)
			assert.equal(r.text, 'Pong!')
			assert.match(r.headers['content-type'], /^text\/plain\b/)
		}
		for (const project of ['console', 'nothing', undefined]) assertError(await s.call('GET', '/ping', { project }), 404, 'project_not_found')
	})
	test('challenges of certificate authorities: malformed ones, and none that is there', async () => {
		const ask = (token) => s.call('GET', `/.well-known/acme-challenge/${token}`, { root: true })
		for (const token of ['a', 'A-z_0', 'x'.repeat(100)]) assertError(await ask(token), 404, 'general_route_not_found', 'Unknown path')
		for (const token of ['a.b', 'a%2Fb', '%ff', 'x'.repeat(101), 'x'.repeat(5000), 'a/', 'a/b', 'a/b/c', 'a//b', '/a']) assertError(await ask(token), 400, 'general_argument_invalid', 'Invalid challenge token.')
		for (const path of ['', '/']) assertError(await s.call('GET', `/.well-known/acme-challenge${path}`, { root: true }), 400, 'general_argument_invalid')
		for (const [method, path] of [['POST', '/.well-known/acme-challenge/a'], ['GET', '/.well-known/acme'], ['GET', '/.well-known'], ['GET', '/.well-known/acme-challenges/a']])
			assertError(await s.call(method, path, { root: true }), 404, 'general_route_not_found', 'Not Found')
	})
	test('GraphQL is not there yet', async () => {
		assertError(await s.call('POST', '/graphql', { body: { query: '{a}' } }), 503, 'general_server_error', 'GraphQL support is coming soon!')
	})
	test('health', async () => {
		for (const path of ['', '/db', '/cache', '/storage/local']) {
			const r = await p.call('GET', `/health${path}`)
			assert.equal(r.status, 200, path + r.text)
			assert.deepEqual(Object.keys(r.body), ['ping', 'status'])
			assert.equal(r.body.status, 'pass')
		}
		for (const path of ['', '/db', '/cache', '/storage/local', '/time', '/projects', '/anti-virus', '/queue/webhooks', '/queue/logs', '/queue/certificates', '/queue/functions', '/queue/mail'])
			assertError(await p.guest('GET', `/health${path}`), 401, 'general_unauthorized_scope')
		for (const queue of ['webhooks', 'logs', 'certificates', 'functions', 'sweep', 'schema'])
			assert.equal(typeof (await p.ok('GET', `/health/queue/${queue}`)).size, 'number', queue)
		assertError(await p.call('GET', '/health/queue/none'), 400, 'general_argument_invalid')
		assert.deepEqual(Object.keys(await p.ok('GET', '/health/projects')), ['behind', 'newer', 'failed', 'projects'])
		assert.deepEqual(await p.ok('GET', '/health/anti-virus'), { version: '', status: 'disabled' })
		assert.deepEqual(Object.keys(await p.ok('GET', '/health/time')), ['remoteTime', 'localTime', 'diff'])
		assert.deepEqual(await s.ok('GET', '/health/version'), { version: '1.0.2' })
	})
	test('OpenAPI documents are made once, on a thread, whoever leaves meanwhile', async () => {
		const own = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay' } })
		try {
			const url = `${own.endpoint}/openapi.json?format=1.8.0`, web = childOf(own.pid, 'badal-web'), threads = () => readdirSync(`/proc/${web}/task`).length, before = threads()
			const leaving = new AbortController(), gone = fetch(url, { signal: leaving.signal }).then((r) => r.text(), () => '')
			const all = await Promise.all(Array.from({ length: 40 }, async (_, i) => {
				if (i === 20) leaving.abort()
				const r = await fetch(url)
				assert.equal(r.status, 200)
				return r.text()
			}))
			await gone
			assert.equal(new Set(all).size, 1)
			assert.equal(JSON.parse(all[0]).info.version, '1.8.0')
			assert.equal(threads(), before + 1)
		} finally {
			await own.stop()
		}
	})
	test('OpenAPI says what runs', async () => {
		const d = await s.ok('GET', '/openapi.json')
		assert.match(d.openapi, /^3\./)
		const ids = new Set()
		let n = 0
		for (const [path, methods] of Object.entries(d.paths))
			for (const [method, op] of Object.entries(methods)) {
				n++
				assert.match(method, /^(get|post|put|patch|delete)$/)
				const named = [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort()
				const given = op.parameters.filter((x) => x.in === 'path').map((x) => x.name).sort()
				assert.deepEqual(given.filter((x) => named.includes(x)), given, `${method} ${path}`)
				if (op.operationId) assert.ok(!ids.has(op.operationId), `${op.operationId} twice`)
				ids.add(op.operationId)
				for (const r of Object.values(op.responses))
					for (const [type, { schema }] of Object.entries(r.content ?? {}))
						for (const one of type === 'application/json' ? schema.oneOf ?? [schema] : []) assert.ok(d.components.schemas[one.$ref.split('/').pop()], one.$ref)
				/* every route of the document answers: not with 404 for want of a route, but for what only the setting dev shows */
				const real = path.replace(/\{\w+\}/g, '_')
				if (path === '/metrics' || path.startsWith('/dev/') || path.startsWith('/.well-known/acme-challenge/')) continue
				const r = await s.call(method.toUpperCase(), real, { root: true, project: p.id, unseen: true })
				if (r.status === 404) assert.notEqual(r.body.type, 'general_route_not_found', `${method} ${path}`)
			}
		assert.ok(n > 80, `${n} operations`)
		assert.ok(d.components.schemas.error.properties.type.enum.includes('general_unknown'))
	})
})

describe('hostile input', () => {
	const raw = (bytes) => new Promise((ok) => {
		const c = net.connect(s.port, s.base.hostname), parts = []
		c.on('data', (d) => parts.push(d))
		c.on('error', () => {})
		c.on('close', () => ok(Buffer.concat(parts).toString('latin1')))
		c.end(bytes)
	})
	test('headers that are no UTF-8', async () => {
		for (const h of ['x-appwrite-project', 'x-appwrite-key', 'x-appwrite-jwt', 'x-appwrite-mode', 'x-appwrite-locale', 'x-fallback-cookies', 'cookie',
			'origin', 'referer', 'user-agent', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-sdk-name', 'content-type']) {
			const r = await raw(Buffer.from(`GET /v1/mock/tests/general/headers HTTP/1.1\r\nHost: a\r\n${h}: \xff\xfe"\x80{\r\nConnection: close\r\n\r\n`, 'latin1'))
			assert.match(r, /^HTTP\/1\.1 (200|40[0134]) /, h)
		}
		assert.equal((await s.call('GET', '/health/version')).status, 200)
	})
	test('paths and queries of every byte', async () => {
		for (const path of ['/v1/users/\xff', '/v1/\x7f', '/v1//', '//', '/v1/users?\xff=\xff', '/v1/users?[]=1', '/v1/users?a[b=1', `/v1/${'a/'.repeat(2000)}`,
			`/v1/users?${'a'.repeat(5000)}[]=1`, '/v1/users/%00', '/v1/account/../users', '/?' + '['.repeat(3000)]) {
			const r = await raw(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, 'latin1'))
			assert.match(r, /^HTTP\/1\.1 4\d\d /, path.slice(0, 40))
		}
	})
	test('a client that leaves in the middle', async () => {
		for (let i = 0; i < 20; i++) {
			const c = net.connect(s.port, s.base.hostname)
			c.on('error', () => {})
			const body = JSON.stringify({ email: alice.email, password: 'wrong-password' })
			c.write(`POST /v1/account/sessions/email HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: ${p.id}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
			await new Promise((ok) => setImmediate(ok))
			c.destroy()
		}
		assert.equal((await s.call('GET', '/health/version')).status, 200)
	})
	test('a body nested too deeply', async () => {
		const r = await p.call('POST', '/teams', { headers: { 'content-type': 'application/json' }, body: `{"name":${'['.repeat(100)}${']'.repeat(100)}}` })
		assertError(r, 400, 'general_argument_invalid')
	})
	test('what is large is read like what is small', async () => {
		const pad = 'x'.repeat(100000), want = { result: 'POST:/v1/mock/tests/foo:passed' }, foo = (body, type) => s.call('POST', '/mock/tests/foo', { body, headers: { 'content-type': type } })
		const part = (name, value) => `--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
		for (const [type, body] of [['application/json', JSON.stringify({ x: 'a', y: 1, z: ['q'], pad })], ['application/x-www-form-urlencoded', `pad=${pad}&x=a&y=1&z[]=q`],
			['multipart/form-data; boundary=XX', `${part('pad', pad)}${part('x', 'a')}${part('y', 1)}${part('z[]', 'q')}--XX--\r\n`]])
			assert.deepEqual((await foo(body, type)).body, want, type)
		assertError(await foo(`{"x":"a","y":1,"z":["q"],"pad":"${pad}`, 'application/json'), 400, 'general_argument_invalid')
		assertError(await foo(`[${JSON.stringify(pad)}]`, 'application/json'), 400, 'general_argument_invalid')
	})
	test('more values than a body may have, more fields, numbers in the way of a list', async () => {
		const foo = (body, type) => s.call('POST', '/mock/tests/foo', { body, headers: { 'content-type': type } })
		const json = await foo(`{"x":"a","y":1,"z":["q"],"more":[1${',1'.repeat(100000)}]}`, 'application/json')
		assertError(json, 400, 'general_argument_invalid')
		assert.match(json.body.message, /Param "x" is not optional|more than 100000 values/)
		assert.equal((await foo(`{"x":"a","y":1,"z":["q"],"more":[1${',1'.repeat(90000)}]}`, 'application/json')).status, 200)
		for (const form of [`x=a&y=1&z[]=q${'&'.repeat(40000)}`, `x=a&y=1&${Array.from({ length: 30 }, (_, i) => `z[${i + 20}]=q&`).join('')}z[]=q`])
			assertError(await foo(form, 'application/x-www-form-urlencoded'), 400, 'general_argument_invalid')
	})
	test('JSON in a text has no more values than a body', async () => {
		const create = (data) => p.call('POST', '/databases/none/collections/none/documents', { body: { documentId: 'x', data } })
		assertError(await create(`[1${',1'.repeat(100000)}]`), 400, 'general_argument_invalid')
		assertError(await create(`{"a":"${'x'.repeat(100000)}"}`), 404, 'database_not_found')
	})
	test('preferences and old lists that are far too long', async () => {
		assertError(await alice.call('PATCH', '/account/prefs', { body: { prefs: { a: 'é'.repeat(1000000) } } }), 400, 'general_argument_invalid')
		const old = { 'x-appwrite-response-format': '0.14.0' }, none = '/databases/none/collections/none/documents'
		assertError(await p.call('POST', none, { headers: old, body: { documentId: 'x', data: { a: 1 }, read: Array(101).fill('role:all') } }), 400, 'general_argument_invalid')
		assertError(await p.call('POST', none, { headers: old, body: { documentId: 'x', data: { a: 1 }, read: Array(100).fill('role:all') } }), 404, 'database_not_found')
		assertError(await p.call('GET', none, { headers: old, query: { queries: Array(101).fill('a.equal(1)') } }), 400, 'general_argument_invalid')
	})
})

describe('the audit log', () => {
	test('tells what a user did', async () => {
		const u = await p.user()
		await u.ok('PATCH', '/account/name', { body: { name: 'Other' } })
		const logs = await until('log entries', async () => {
			const r = await u.call('GET', '/account/logs')
			return r.status === 200 && r.body.total >= 3 ? r.body.logs : undefined
		})
		const l = logs[0]
		assert.deepEqual(Object.keys(l), ['event', 'userId', 'userEmail', 'userName', 'mode', 'ip', 'time', 'osCode', 'osName', 'osVersion', 'clientType',
			'clientCode', 'clientName', 'clientVersion', 'clientEngine', 'clientEngineVersion', 'deviceName', 'deviceBrand', 'deviceModel', 'countryCode', 'countryName'])
		assert.equal(l.event, 'user.update')
		assert.equal(l.userId, u.id)
		assert.equal(l.mode, 'default')
		assert.equal((await u.ok('GET', '/account/logs', { query: { queries: ['limit(1)'] } })).logs.length, 1)
		assertError(await u.call('GET', '/account/logs', { query: { queries: ['orderAsc("event")'] } }), 400, 'general_argument_invalid')
	})
})

describe('older formats', () => {
	const old = (v) => ({ headers: { 'x-appwrite-response-format': v } })
	const unix = (v) => Number.isInteger(v) && v > 1.6e9
	test('0.15: dates are Unix seconds', async () => {
		for (const v of ['0.15.3', '0.15.0']) {
			const a = await alice.ok('GET', '/account', old(v))
			assert.deepEqual([unix(a.$createdAt), unix(a.$updatedAt), unix(a.registration), unix(a.passwordUpdate)], [true, true, true, true])
			const u = await p.ok('GET', `/users/${alice.id}`, old(v))
			assert.deepEqual([u.password, u.hash, u.hashOptions, unix(u.$createdAt)], [undefined, undefined, undefined, true])
			assert.ok(unix((await p.ok('GET', '/users', old(v))).users[0].registration))
		}
		await alice.ok('PATCH', '/account/prefs', { body: { prefs: { expire: '2020-01-01', date: '' } } })
		assert.deepEqual(await alice.ok('GET', '/account/prefs', old('0.15.0')), { expire: '2020-01-01', date: '' })
		assert.deepEqual((await alice.ok('GET', '/account', old('0.15.0'))).prefs, { expire: '2020-01-01', date: '' })
	})
	test('0.14 and before', async () => {
		const u = await p.user(), team = await u.ok('POST', '/teams', { body: { teamId: unique(), name: 'T' } })
		assert.deepEqual(await u.ok('GET', `/teams/${team.$id}`, old('0.14.0')), { $id: team.$id, name: 'T', total: 1 })
		assert.deepEqual(Object.keys((await u.ok('GET', `/teams/${team.$id}/memberships`, old('0.13.0'))).memberships[0]).filter((k) => /name|email/i.test(k)), ['name', 'email'])
		assert.deepEqual(Object.keys(await u.ok('GET', '/teams', old('0.12.0'))).sort(), ['sum', 'teams'])
	})
	test('0.12: sums at the end, errors without a type', async () => {
		const v = old('0.12.4'), u = await p.user(), team = await u.ok('POST', '/teams', { body: { teamId: unique(), name: 'T' } })
		assert.deepEqual(Object.keys(await u.ok('GET', '/teams', v)), ['teams', 'sum'])
		assert.deepEqual(Object.keys(await u.ok('GET', `/teams/${team.$id}`, v)), ['$id', '$createdAt', '$updatedAt', 'name', 'sum'])
		const session = await u.ok('GET', '/account/sessions/current', v)
		assert.deepEqual(Object.keys(session).filter((k) => k.startsWith('provider')), ['provider', 'providerUid', 'providerToken'])
		assert.deepEqual(Object.keys((await u.call('GET', '/teams/none', v)).body), ['message', 'code', 'version'])
		assert.deepEqual(Object.keys((await u.call('GET', '/teams/none', old('0.13.0'))).body), ['message', 'code', 'type', 'version'])
	})
	test('0.13, 0.14: projects and sessions', async () => {
		const owner = await s.console()
		assert.equal((await owner.ok('GET', `/projects/${p.id}`, old('0.13.4'))).providers, null)
		assert.equal((await owner.ok('GET', `/projects/${p.id}`, old('0.14.0'))).providers, undefined)
		assert.equal((await alice.ok('GET', '/account/sessions/current', old('0.14.0'))).$createdAt, undefined)
		assert.ok((await alice.ok('GET', '/account/sessions', old('0.14.0'))).sessions[0].$createdAt)
	})
	test('0.11: status by number, logs without names, ids that are made', async () => {
		const v = old('0.11.0'), email = `${unique()}@example.org`
		const u = await p.ok('POST', '/users', { body: { userId: 'ignored', email, password: 'password-1' }, ...v })
		assert.deepEqual([u.$id.length, u.status], [20, 0])
		assert.equal((await p.ok('PATCH', `/users/${u.$id}/status`, { body: { status: 2 }, ...v })).status, 2)
		assert.equal((await p.ok('PATCH', `/users/${u.$id}/status`, { body: { status: 1 }, ...v })).status, 0)
		await p.ok('PATCH', `/users/${u.$id}/verification`, { body: { emailVerification: true } })
		assert.equal((await p.ok('GET', `/users/${u.$id}`, v)).status, 1)
		assert.equal((await p.ok('GET', '/users', v)).users.at(-1).status, 1)
		const a = await p.guest('POST', '/account', { body: { email: `${unique()}@example.org`, password: 'password-1', name: 'x' }, ...v })
		assert.deepEqual([a.status, a.body.$id?.length, a.body.status], [201, 20, true])
		assert.match((await p.ok('POST', '/teams', { body: { name: 'T' }, ...v })).$id, /^[0-9a-f]{20}$/)
		const logs = await until('entries', async () => (await alice.ok('GET', '/account/logs', v)).logs[0])
		assert.deepEqual(Object.keys(logs).slice(0, 3), ['event', 'ip', 'time'])
	})
	test('0.15: usage', async () => {
		const owner = await s.console(), of = await owner.ok('GET', `/projects/${p.id}/usage`, { query: { range: '7d' }, ...old('0.15.0') })
		assert.deepEqual(Object.keys(of), ['range', 'requests', 'network', 'documents', 'collections', 'users', 'storage', 'functions'])
		for (const path of ['/users/usage', '/databases/usage'])
			for (const list of Object.values(await p.ok('GET', path, old('0.15.0'))).filter(Array.isArray)) assert.ok(unix(list.at(-1).date))
		assert.match((await p.ok('GET', '/users/usage', old('0.14.0'))).usersCount[0].date, /^\d{4}-/)
	})
	test('1.0, nothing and nonsense', async () => {
		for (const v of ['1.0.0', '0.15.4', '', '0']) assert.match((await alice.ok('GET', '/account', old(v))).$createdAt, /^\d{4}-/)
		assert.equal((await alice.call('GET', '/account', old('abc'))).status, 200)
		assert.equal((await alice.call('GET', '/account', old('0.15.9999999999999999999'))).status, 200)
	})
	test('lists by parameters', async () => {
		const list = (query) => p.ok('GET', '/users', { query, ...old('0.15.0') })
		const all = (await list({ limit: 100 })).users.map((u) => u.$id)
		assert.deepEqual((await list({ limit: 1, offset: 1 })).users.map((u) => u.$id), all.slice(1, 2))
		assert.deepEqual((await list({ limit: 1, cursor: all[0] })).users.map((u) => u.$id), all.slice(1, 2))
		assert.deepEqual((await list({ limit: 1, cursor: all[1], cursorDirection: 'before' })).users.map((u) => u.$id), all.slice(0, 1))
		assert.deepEqual((await list({ limit: 1, orderType: 'DESC' })).users.map((u) => u.$id), all.slice(-1))
		assertError(await p.call('GET', '/users', { query: { limit: '1) or (' }, ...old('0.15.0') }), 400, 'general_argument_invalid')
		assertError(await p.call('GET', '/users?queries=x', old('0.15.0')), 400, 'general_argument_invalid')
	})
	test('documents', async () => {
		const v = old('0.15.0'), db = unique(), path = `/databases/${db}/collections/c`
		await p.ok('POST', '/databases', { body: { databaseId: db, name: 'D' } })
		const c = await p.ok('POST', `/databases/${db}/collections`, { body: { collectionId: 'c', name: 'C', permission: 'document', read: ['role:all'], write: ['role:member', 'role:guest'] }, ...v })
		assert.deepEqual([c.permission, c.$read, c.$write, unix(c.$createdAt)], ['document', ['role:all'], ['role:member'], true])
		await p.ok('POST', `${path}/attributes/integer`, { body: { key: 'n', required: false } })
		await until('attribute', async () => (await p.ok('GET', `${path}/attributes/n`)).status === 'available')
		await p.ok('POST', `${path}/indexes`, { body: { key: 'n', type: 'key', attributes: ['n'] } })
		await until('index', async () => (await p.ok('GET', `${path}/indexes/n`)).status === 'available')
		for (const n of [1, 2, 3]) await p.ok('POST', `${path}/documents`, { body: { documentId: `d${n}`, data: { n }, read: ['role:all'], write: ['user:a'] }, ...v })
		const d = await p.ok('GET', `${path}/documents/d1`, v)
		assert.deepEqual([d.$collection, d.$databaseId, d.$permissions, d.$read, d.$write, unix(d.$createdAt)], ['c', undefined, undefined, ['role:all'], ['user:a'], true])
		const list = async (query) => (await p.ok('GET', `${path}/documents`, { query, ...v })).documents.map((x) => x.n)
		assert.deepEqual(await list({ orderAttributes: ['n'], orderTypes: ['DESC'], limit: 2 }), [3, 2])
		assert.deepEqual(await list({ queries: ['n.greater(1)'], offset: 1 }), [3])
		assert.deepEqual(await list({ queries: ['n.equal(2)'] }), [2])
	})
	test('keys by seconds', async () => {
		const owner = await s.console()
		const k = await owner.ok('POST', `/projects/${p.id}/keys`, { body: { name: 'k', scopes: [], expire: 1900000000 }, ...old('0.15.0') })
		assert.equal(k.expire, 1900000000)
		assert.equal((await owner.ok('POST', `/projects/${p.id}/keys`, { body: { name: 'k', scopes: [], expire: 0 }, ...old('0.15.0') })).expire, 0)
	})
})

describe('logs of users and teams', () => {
	const entries = (ask, n) => until(`${n} log entries`, async () => {
		const r = await ask()
		assert.equal(r.status, 200, r.text)
		return r.body.total >= n && r.body.logs
	})
	test('changes by a key are told of the user; the list hides who', async () => {
		const u = await p.user()
		await p.ok('PATCH', `/users/${u.id}/name`, { body: { name: 'Renamed' } })
		const logs = await entries(() => p.call('GET', `/users/${u.id}/logs`), 3)
		assert.deepEqual(logs.map((l) => l.event), ['user.update', 'session.create', 'user.create'])
		for (const l of logs) assert.deepEqual([l.userId, l.userEmail, l.userName, l.mode], ['', '', '', ''])
		assertError(await p.call('GET', '/users/nobody/logs'), 404, 'user_not_found')
		assertError(await u.call('GET', `/users/${u.id}/logs`), 401, 'general_unauthorized_scope')
	})
	test('a team, for its members', async () => {
		const u = await p.user(), team = await u.ok('POST', '/teams', { body: { teamId: unique(), name: 'T' } })
		await u.ok('PUT', `/teams/${team.$id}`, { body: { name: 'U' } })
		const logs = await entries(() => u.call('GET', `/teams/${team.$id}/logs`), 2)
		assert.deepEqual(logs.map((l) => [l.event, l.userId]), [['team.update', u.id], ['team.create', u.id]])
		await p.ok('PUT', `/teams/${team.$id}`, { body: { name: 'V' } })
		assert.equal((await p.ok('GET', `/teams/${team.$id}/logs`)).total, 2)
		assertError(await alice.call('GET', `/teams/${team.$id}/logs`), 404, 'team_not_found')
		assertError(await p.call('GET', '/teams/nothing/logs'), 404, 'team_not_found')
	})
	test('what failed leaves no entry', async () => {
		const u = await p.user()
		await u.call('PATCH', '/account/name', { body: {} })
		await u.ok('PATCH', '/account/prefs', { body: { prefs: {} } })
		const logs = await entries(() => u.call('GET', '/account/logs'), 3)
		assert.equal(logs.length, 3)
	})
})

describe('settings of its own', () => {
	let own
	before(async () => { own = await server({ own: true, conf: { rate_limits: 'on', web_processes: 2, metrics_token: 'secret', env: 'development' } }) })
	after(() => own?.stop())

	test('limits hold for all processes together', async () => {
		const email = `${unique()}@example.org`, body = { email, password: 'password-1234' }
		const codes = [], left = []
		for (let i = 0; i < 12; i++) {
			const r = await own.call('POST', '/account/sessions/email', { body, headers: { connection: 'close' } })
			codes.push(r.status)
			left.push(r.headers['x-ratelimit-remaining'])
			assert.equal(r.headers['x-ratelimit-limit'], '10')
			const reset = Number(r.headers['x-ratelimit-reset'])
			assert.equal(reset % 3600, 0)
			assert.ok(reset > Date.now() / 1000 - 2 && reset <= Date.now() / 1000 + 3602)
		}
		/* the window may turn meanwhile: then fewer are refused */
		if (left[11] === '0') {
			assert.deepEqual(codes, [...Array(10).fill(401), 429, 429])
			assert.deepEqual(left, ['9', '8', '7', '6', '5', '4', '3', '2', '1', '0', '0', '0'])
			const r = await own.call('POST', '/account/sessions/email', { body })
			assert.equal(r.body.type, 'general_rate_limit_exceeded')
		}
		assert.notEqual((await own.call('POST', '/account/sessions/email', { body: { ...body, email: `x${email}` } })).status, 429)
	})
	test('neither another host nor another case of letters is another limit', async () => {
		const id = unique('u'), codes = []
		for (let i = 0; i < 12; i++) {
			const userId = [...id].map((c, k) => ((i >> k % 4) & 1 ? c.toUpperCase() : c)).join(''), headers = { host: `h${i}.example.org`, 'x-forwarded-host': `f${i}.example.org` }
			codes.push((await own.call('PUT', '/account/sessions/phone', { body: { userId, secret: String(i).padStart(6, '0') }, headers })).status)
		}
		/* the later request for a code is no second row of tries */
		codes.push((await own.call('POST', '/account/sessions/token', { body: { userId: id, secret: '000000' } })).status)
		assert.ok(codes.filter((c) => c === 429).length === 3 || new Date().getMinutes() === 0, String(codes))
	})
	test('limits count before parameters are looked at', async () => {
		const codes = []
		for (let i = 0; i < 12; i++) codes.push((await own.call('POST', '/account/sessions/email', { body: { email: 'bad' } })).status)
		assert.ok(codes.includes(429) || new Date().getMinutes() === 0, String(codes))
	})
	test('errors tell more in development', async () => {
		const r = await own.call('GET', '/nothing')
		assert.deepEqual(Object.keys(r.body), [...envelope, 'file', 'line', 'trace'])
	})
	test('metrics with the token only', async () => {
		const get = (headers) => own.call('GET', '/metrics', { root: true, headers })
		assert.equal((await get({})).status, 404)
		assert.equal((await get({ authorization: 'Bearer wrong' })).status, 404)
		const r = await get({ authorization: 'Bearer secret' })
		assert.equal(r.status, 200)
		assert.match(r.headers['content-type'], /^text\/plain; version=0\.0\.4/)
		assert.match(r.text, /^badal_http_requests_total \d+$/m)
		assert.match(r.text, /^badal_rate_limited_total [1-9]/m)
	})
	test('metrics without a token: this machine only', async () => {
		assert.equal((await s.call('GET', '/metrics', { root: true })).status, 200)
		assert.equal((await s.call('GET', '/metrics', { root: true, headers: { 'x-forwarded-for': '192.0.2.1' } })).status, 404)
	})
})

describe('stopping', () => {
	test('a drained server has written its log', async () => {
		const data = dataDir()
		try {
			const first = await start({ data })
			const u = await first.user()
			await first.stop()
			const second = await start({ data })
			const r = await second.call('GET', '/account/logs', { project: 'console', cookie: u.cookie })
			assert.deepEqual(r.body.logs.map((l) => l.event), ['session.create', 'user.create'])
			await second.stop()
		} finally { rmSync(data, { recursive: true, force: true }) }
	})
})

describe('forced HTTPS', () => {
	let own
	before(async () => { own = await server({ own: true, conf: { force_https: 'on' } }) })
	after(() => own?.stop())
	test('redirects reads, refuses writes', async () => {
		const r = await own.call('GET', '/health/version?a=b')
		assert.equal(r.status, 301)
		assert.equal(r.headers.location, `https://${own.base.hostname}/v1/health/version`)
		assertError(await own.call('POST', '/account', { body: {} }), 500, 'general_protocol_unsupported', 'Server Error')
		const tls = await own.call('GET', '/health/version', { headers: { 'x-forwarded-proto': 'https' } })
		assert.equal(tls.status, 200)
		assert.equal(tls.headers['strict-transport-security'], 'max-age=10886400')
	})
})
