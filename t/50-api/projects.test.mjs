/* The projects service: for people of the console; what a change of a project does at once to the calls of its own callers. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { allScopes, server, unique, until } from '../lib/server.mjs'
import { fails, isTime, keysOf } from './lib.mjs'

let s, p, owner, stranger
const url = 'https://example.org/hook'

before(async () => {
	s = await server()
	p = await s.project({ name: 'Projects' })
	owner = p.console
	stranger = await s.user({ name: 'Stranger' })
})

describe('projects', () => {
	test('create, get, list, update, delete', async () => {
		const id = unique('p'), body = { projectId: id, name: 'One', teamId: p.teamId, description: 'd', logo: 'l', url: 'https://example.org', legalName: 'n', legalCountry: 'c', legalState: 's', legalCity: 'y', legalAddress: 'a', legalTaxId: 't' }
		const made = await owner.ok('POST', '/projects', { body, status: 201 })
		isTime(made.$createdAt)
		for (const [k, v] of Object.entries(body)) assert.equal(made[k === 'projectId' ? '$id' : k], v)
		assert.deepEqual(Object.keys(made).slice(0, 20), ['$id', '$createdAt', '$updatedAt', 'name', 'description', 'teamId', 'logo', 'url', 'legalName', 'legalCountry', 'legalState', 'legalCity', 'legalAddress', 'legalTaxId', 'authLimit', 'platforms', 'webhooks', 'keys', 'domains', 'providerAmazonAppid'])
		assert.equal(Object.keys(made).length, 19 + 2 * 37 + 6 + 9)
		assert.deepEqual([made.authLimit, made.authJWT, made.serviceStatusForFunctions, made.keys], [0, true, true, []])
		assert.deepEqual(await owner.ok('GET', `/projects/${id}`), made)
		assert.deepEqual(await owner.ok('GET', `/projects/${id.toUpperCase()}`), made)
		const changed = await owner.ok('PATCH', `/projects/${id}`, { body: { name: 'Two' } })
		assert.deepEqual([changed.name, changed.description, changed.legalTaxId], ['Two', '', ''])
		const list = await owner.ok('GET', '/projects', { query: { queries: ['equal("name", "Two")'] } })
		assert.ok(list.projects.some((x) => x.$id === id))
		assert.equal((await owner.ok('GET', '/projects', { query: { queries: ['limit(1)'] } })).projects.length, 1)
		const [{ $id: one, teamId }] = list.projects, of = async (query) => (await owner.ok('GET', '/projects', { query: { queries: [query] } })).projects.map((x) => x.$id)
		assert.ok((await of(`equal("teamId", "${teamId.toUpperCase()}")`)).includes(one))
		assert.ok((await of(JSON.stringify({ method: 'equal', attribute: 'teamId', values: [teamId] }))).includes(one))
		assert.deepEqual(await of('equal("teamId", "nobodys")'), [])
		assert.ok((await owner.ok('GET', '/projects', { query: { search: 'Two' } })).projects.some((x) => x.$id === id))
		assert.equal((await stranger.ok('GET', '/projects')).total, 0)
		fails(await owner.call('DELETE', `/projects/${id}`, { body: {} }), 400, 'general_argument_invalid')
		fails(await owner.call('DELETE', `/projects/${id}`, { body: { password: 'wrong-password' } }), 401, 'user_invalid_credentials')
		fails(await stranger.call('DELETE', `/projects/${id}`, { body: { password: stranger.password } }), 404, 'project_not_found')
		assert.equal((await owner.call('DELETE', `/projects/${id}`, { body: { password: owner.password } })).status, 204)
		fails(await owner.call('GET', `/projects/${id}`), 404, 'project_not_found')
		fails(await s.call('GET', '/account', { project: id }), 404, 'project_not_found')
		/* its team has another project, so it stays */
		assert.equal((await owner.call('GET', `/teams/${p.teamId}`)).status, 200)
	})

	test('the last project takes its team along, and an id is free again', async () => {
		const id = unique('p'), q = await s.project({ id })
		await owner.ok('DELETE', `/projects/${id}`, { body: { password: owner.password } })
		fails(await owner.call('GET', `/teams/${q.teamId}`), 404, 'team_not_found')
		await s.project({ id })
	})

	test('create: what is refused', async () => {
		const good = () => ({ projectId: unique('p'), name: 'x', teamId: p.teamId })
		for (const bad of [{ projectId: undefined }, { name: undefined }, { teamId: undefined }, { projectId: 'a b' }, { name: 'n'.repeat(129) }, { url: 'nowhere' }, { description: 'd'.repeat(257) }, { logo: 'l'.repeat(1025) }, { legalName: 'n'.repeat(257) }])
			fails(await owner.call('POST', '/projects', { body: { ...good(), ...bad } }), 400, 'general_argument_invalid')
		fails(await owner.call('POST', '/projects', { body: { ...good(), teamId: 'nosuchteam' } }), 404, 'team_not_found')
		fails(await stranger.call('POST', '/projects', { body: good() }), 404, 'team_not_found')
		fails(await owner.call('POST', '/projects', { body: { ...good(), projectId: 'Console' } }), 400, 'project_reserved_project')
		fails(await owner.call('POST', '/projects', { body: { ...good(), projectId: p.id } }), 409, 'project_already_exists')
		fails(await s.call('POST', '/projects', { project: 'console', body: good() }), 401, 'general_unauthorized_scope')
	})

	test('only on the console, only for those who see it', async () => {
		fails(await p.call('GET', '/projects'), 401, 'general_unauthorized_scope')
		const u = await p.user()
		fails(await u.call('GET', '/projects'), 401, 'general_access_forbidden')
		for (const path of ['', '/keys', '/platforms', '/webhooks', '/domains'])
			fails(await stranger.call('GET', `/projects/${p.id}${path}`), 404, 'project_not_found')
		for (const [method, path, body] of [['PATCH', '', { name: 'x' }], ['PATCH', '/service', { service: 'users', status: true }], ['PATCH', '/auth/limit', { limit: 1 }], ['PATCH', '/auth/jwt', {}], ['PATCH', '/oauth2', { provider: 'mock' }]])
			fails(await stranger.call(method, `/projects/${p.id}${path}`, { body }), 404, 'project_not_found')
	})

	test('list: bad queries', async () => {
		for (const q of ['limit(101)', 'offset(5001)', 'equal("url", "x")', 'equal("name", 1)', 'foo("name")', 'hello', 'orderAsc("nothing")'])
			fails(await owner.call('GET', '/projects', { query: { queries: [q] } }), 400, 'general_argument_invalid')
		fails(await owner.call('GET', '/projects', { query: { queries: ['cursorAfter("nothing")'] } }), 400, 'general_cursor_not_found')
	})
})

describe('settings', () => {
	test('services', async () => {
		const q = await s.project(), path = `/projects/${q.id}/service`
		const off = await owner.ok('PATCH', path, { body: { service: 'users', status: false } })
		assert.equal(off.serviceStatusForUsers, false)
		fails(await q.guest('GET', '/users'), 503, 'general_service_disabled')
		assert.equal((await q.admin('GET', '/users')).status, 200)
		assert.equal((await owner.ok('PATCH', path, { body: { service: 'users', status: true } })).serviceStatusForUsers, true)
		assert.equal((await q.call('GET', '/users')).status, 200)
		for (const body of [{ service: 'nothing', status: true }, { service: 'users' }, { service: 'users', status: 'true' }])
			fails(await owner.call('PATCH', path, { body }), 400, 'general_argument_invalid')
	})

	test('a family of paths has a switch of its own', async () => {
		const q = await s.project(), path = `/projects/${q.id}/service`, headers = { 'x-appwrite-response-format': '1.8.0' }
		const states = { '/databases/none/collections/none/documents': true, '/tablesdb/none/tables/none/rows': true }
		const is = async () => {
			for (const [where, on] of Object.entries(states)) {
				const r = await q.guest('GET', where)
				assert.equal(r.body.type, on ? 'database_not_found' : 'general_service_disabled', where)
			}
		}
		await is()
		let made = await owner.ok('PATCH', path, { body: { service: 'tablesdb', status: false }, headers })
		assert.deepEqual([made.serviceStatusForTablesdb, made.serviceStatusForDatabases], [false, true])
		states['/tablesdb/none/tables/none/rows'] = false
		await is()
		made = await owner.ok('PATCH', path, { body: { service: 'databases', status: false }, headers })
		assert.deepEqual([made.serviceStatusForTablesdb, made.serviceStatusForDatabases], [false, false])
		states['/databases/none/collections/none/documents'] = false
		await is()
		await owner.ok('PATCH', path, { body: { service: 'tablesdb', status: true }, headers })
		states['/tablesdb/none/tables/none/rows'] = true
		await is()
		assert.ok(!('serviceStatusForTablesdb' in await owner.ok('GET', `/projects/${q.id}`, { headers: { 'x-appwrite-response-format': '1.7.0' } })))
	})

	test('sign-in methods', async () => {
		const q = await s.project(), path = (m) => `/projects/${q.id}/auth/${m}`
		assert.equal((await owner.ok('PATCH', path('anonymous'), { body: { status: false } })).authAnonymous, false)
		fails(await q.guest('POST', '/account/sessions/anonymous', { body: {} }), 501, 'user_auth_method_unsupported')
		assert.equal((await owner.ok('PATCH', path('anonymous'), { body: { status: '1' } })).authAnonymous, true)
		assert.equal((await owner.ok('PATCH', path('email-password'), { body: {} })).authEmailPassword, false)
		fails(await q.guest('POST', '/account', { body: { userId: 'unique()', email: 'a@example.org', password: 'password-1' } }), 501, 'user_auth_method_unsupported')
		fails(await owner.call('PATCH', path('nothing'), { body: { status: true } }), 400, 'general_argument_invalid')
	})

	test('user limit', async () => {
		const q = await s.project(), path = `/projects/${q.id}/auth/limit`, sign = (n) => q.guest('POST', '/account', { body: { userId: 'unique()', email: `${n}@example.org`, password: 'password-1' } })
		assert.equal((await owner.ok('PATCH', path, { body: { limit: 1 } })).authLimit, 1)
		/* two at once: only one gets the last place */
		const both = await Promise.all([sign('a'), sign('b')])
		assert.deepEqual(both.map((r) => r.status).sort(), [201, 501])
		fails(both.find((r) => r.status === 501), 501, 'user_count_exceeded')
		for (const limit of [10001, -1, 'many', undefined, 1.5])
			fails(await owner.call('PATCH', path, { body: { limit } }), 400, 'general_argument_invalid')
		await owner.ok('PATCH', path, { body: { limit: 0 } })
		assert.equal((await sign('c')).status, 201)
	})

	test('OAuth2 apps', async () => {
		const path = `/projects/${p.id}/oauth2`
		let r = await owner.ok('PATCH', path, { body: { provider: 'paypalSandbox', appId: 'app', secret: 's3cret' } })
		assert.deepEqual([r.providerPaypalSandboxAppid, r.providerPaypalSandboxSecret], ['app', 's3cret'])
		r = await owner.ok('PATCH', path, { body: { provider: 'paypalSandbox' } })
		assert.deepEqual([r.providerPaypalSandboxAppid, r.providerPaypalSandboxSecret], ['', ''])
		for (const body of [{ provider: 'nothing' }, {}, { provider: 'github', appId: 'x'.repeat(257) }, { provider: 'github', secret: 'x'.repeat(513) }])
			fails(await owner.call('PATCH', path, { body }), 400, 'general_argument_invalid')
	})
})

describe('platforms', () => {
	const path = () => `/projects/${p.id}/platforms`

	test('life', async () => {
		const made = await owner.ok('POST', path(), { body: { type: 'web', name: 'Web', hostname: 'life.example.org' }, status: 201 })
		keysOf(made, '$id $createdAt $updatedAt name type key store hostname httpUser httpPass')
		const origin = 'https://life.example.org'
		assert.equal((await p.guest('GET', '/account', { headers: { origin } })).headers['access-control-allow-origin'], origin)
		assert.equal((await p.guest('POST', '/account/sessions/anonymous', { headers: { origin }, body: {} })).status, 201)
		assert.deepEqual(await owner.ok('GET', `${path()}/${made.$id}`), made)
		/* its pages do not bring the console's cookie: in mode admin they would be somebody who may do everything */
		const admin = (o) => p.guest('GET', '/users', { cookie: owner.cookie, mode: 'admin', headers: o ? { origin: o } : {} })
		assert.equal((await admin()).status, 200)
		assert.equal((await admin('http://localhost')).status, 200)
		for (const o of [origin, 'null', 'https://evil.example']) fails(await admin(o), 401, 'general_unauthorized_scope')
		const now = await owner.ok('PUT', `${path()}/${made.$id}`, { body: { name: 'Two', key: 'k' } })
		assert.deepEqual([now.name, now.type, now.key, now.hostname], ['Two', 'web', 'k', ''])
		fails(await p.guest('POST', '/account/sessions/anonymous', { headers: { origin }, body: {} }), 403, 'general_unknown_origin')
		assert.ok((await owner.ok('GET', path())).platforms.some((x) => x.$id === made.$id))
		assert.equal((await owner.call('DELETE', `${path()}/${made.$id}`)).status, 204)
		for (const m of ['GET', 'DELETE']) fails(await owner.call(m, `${path()}/${made.$id}`), 404, 'platform_not_found')
		fails(await owner.call('PUT', `${path()}/${made.$id}`, { body: { name: 'x' } }), 404, 'platform_not_found')
	})

	test('a host name is stored as browsers write it; what can never match is refused', async () => {
		for (const [asked, stored] of [[' Spelt.Example.ORG. ', 'spelt.example.org'], ['*', '*'], ['*.Example.org', '*.example.org'], ['B\u00fccher.example', 'xn--bcher-kva.example'], ['*.stra\u00dfe.example.', '*.xn--strae-oqa.example'], ['bu\u0308cher\uff61example', 'xn--bcher-kva.example'], ['127.0.0.1', '127.0.0.1'], ['a_b.-c.example', 'a_b.-c.example'], ['Localhost:3000', 'localhost'], ['app.example.:8443 ', 'app.example'], ['*.B\u00fccher.example:80', '*.xn--bcher-kva.example'], ['127.0.0.1:', '127.0.0.1'], ['app.*.example', 'app.*.example']])
			assert.equal((await owner.ok('POST', path(), { body: { type: 'web', name: 'x', hostname: asked }, status: 201 })).hostname, stored)
		for (const hostname of ['a b', 'a*.example.org', '.example.org', 'a..b', 'a:80:80', 'a:b', 'a:65536', 'a:-1', ':80', '[::1]', '[::1]:80', '::1', '*.*', '*.*.example', '*.a.*', 'http://a', 'http://a:80', 'a:80/', 'a:80/x', 'a$b', '.', 'a\u0000b', 'xn--a.example', `${'a'.repeat(64)}.example`, '1.2.3', '0x7f.1', '1.2.3.4.5', 'a.0x7f', '*.1', '256.1.1.1', 'a\u200d.example', '\u2028'])
			fails(await owner.call('POST', path(), { body: { type: 'web', name: 'x', hostname } }), 400, 'general_argument_invalid')
	})

	test('refused', async () => {
		for (const body of [{ name: 'x' }, { type: 'phone', name: 'x' }, { type: 'web' }, { type: 'web', name: 'n'.repeat(129) }, { type: 'web', name: 'x', key: 'k'.repeat(257) }, { type: 'web', name: 'x', hostname: 'h'.repeat(300) }])
			fails(await owner.call('POST', path(), { body }), 400, 'general_argument_invalid')
	})
})

describe('keys', () => {
	const path = () => `/projects/${p.id}/keys`

	test('life', async () => {
		const made = await owner.ok('POST', path(), { body: { name: 'K', scopes: ['users.read'] }, status: 201 })
		keysOf(made, '$id $createdAt $updatedAt name expire scopes secret accessedAt sdks')
		assert.match(made.secret, /^[0-9a-f]{256}$/)
		assert.equal((await p.call('GET', '/users', { key: made.secret, headers: { 'x-sdk-name': 'go' } })).status, 200)
		fails(await p.call('GET', '/teams', { key: made.secret }), 401, 'general_unauthorized_scope')
		const used = await until('the use is noted', async () => { const k = await owner.ok('GET', `${path()}/${made.$id}`); return k.accessedAt !== '' && k })
		assert.deepEqual(used.sdks, ['go'])
		const now = await owner.ok('PUT', `${path()}/${made.$id}`, { body: { name: 'L', scopes: ['teams.read'], expire: '2099-01-01' } })
		assert.deepEqual([now.name, now.scopes, now.expire, now.secret, now.sdks], ['L', ['teams.read'], '2099-01-01T00:00:00.000+00:00', made.secret, ['go']])
		assert.equal((await p.call('GET', '/teams', { key: made.secret })).status, 200)
		fails(await p.call('GET', '/users', { key: made.secret }), 401, 'general_unauthorized_scope')
		await owner.ok('PUT', `${path()}/${made.$id}`, { body: { name: 'L', scopes: ['teams.read'], expire: '2020-01-01' } })
		fails(await p.call('GET', '/teams', { key: made.secret }), 401, 'project_key_expired')
		assert.equal((await owner.ok('PUT', `${path()}/${made.$id}`, { body: { name: 'L', scopes: ['teams.read'] } })).expire, '')
		assert.ok((await owner.ok('GET', path())).keys.some((k) => k.$id === made.$id))
		assert.equal((await owner.call('DELETE', `${path()}/${made.$id}`)).status, 204)
		fails(await p.call('GET', '/teams', { key: made.secret }), 401, 'general_unauthorized_scope')
		for (const m of ['GET', 'DELETE']) fails(await owner.call(m, `${path()}/${made.$id}`), 404, 'key_not_found')
		fails(await owner.call('PUT', `${path()}/${made.$id}`, { body: { name: 'x', scopes: [] } }), 404, 'key_not_found')
	})

	test('every scope there is, none, and what is refused', async () => {
		assert.deepEqual((await owner.ok('POST', path(), { body: { name: 'all', scopes: allScopes } })).scopes, allScopes)
		assert.deepEqual((await owner.ok('POST', path(), { body: { name: 'none', scopes: [] } })).scopes, [])
		for (const body of [{ name: 'x' }, { scopes: [] }, { name: 'x', scopes: ['everything'] }, { name: 'x', scopes: 'users.read' }, { name: 'x', scopes: [], expire: 'whenever' }, { name: 'n'.repeat(129), scopes: [] }])
			fails(await owner.call('POST', path(), { body }), 400, 'general_argument_invalid')
	})
})

describe('webhooks', () => {
	const path = () => `/projects/${p.id}/webhooks`

	test('life', async () => {
		const made = await owner.ok('POST', path(), { body: { name: 'W', events: ['users.*.create'], url, security: true, httpUser: 'u', httpPass: 'p' }, status: 201 })
		keysOf(made, '$id $createdAt $updatedAt name url events security httpUser httpPass signatureKey')
		assert.match(made.signatureKey, /^[0-9a-f]{128}$/)
		assert.equal(made.httpPass, 'p')
		assert.deepEqual(await owner.ok('GET', `${path()}/${made.$id}`), made)
		const now = await owner.ok('PUT', `${path()}/${made.$id}`, { body: { name: 'X', events: [], url } })
		assert.deepEqual([now.name, now.events, now.security, now.httpUser, now.httpPass, now.signatureKey], ['X', [], false, '', '', made.signatureKey])
		const signed = await owner.ok('PATCH', `${path()}/${made.$id}/signature`, { body: {} })
		assert.notEqual(signed.signatureKey, made.signatureKey)
		assert.ok((await owner.ok('GET', path())).webhooks.some((w) => w.$id === made.$id))
		assert.equal((await owner.call('DELETE', `${path()}/${made.$id}`)).status, 204)
		for (const [m, tail, body] of [['GET', ''], ['DELETE', ''], ['PATCH', '/signature', {}], ['PUT', '', { name: 'x', events: [], url }]])
			fails(await owner.call(m, `${path()}/${made.$id}${tail}`, { body }), 404, 'webhook_not_found')
	})

	test('refused', async () => {
		const good = { name: 'x', events: ['users.*'], url }
		for (const bad of [{ name: undefined }, { events: undefined }, { url: undefined }, { url: 'ftp://example.org' }, { events: ['users'] }, { events: ['users.*.vanish'] }, { events: Array(101).fill('users.*') }, { httpUser: 'u'.repeat(257) }])
			fails(await owner.call('POST', path(), { body: { ...good, ...bad } }), 400, 'general_argument_invalid')
	})
})

describe('domains', () => {
	const path = () => `/projects/${p.id}/domains`

	test('life', async () => {
		const made = await owner.ok('POST', path(), { body: { domain: 'Api.example.co.uk' }, status: 201 })
		keysOf(made, '$id $createdAt $updatedAt domain registerable tld verification certificateId')
		assert.deepEqual([made.domain, made.registerable, made.tld, made.verification], ['api.example.co.uk', 'example.co.uk', 'co.uk', false])
		fails(await owner.call('POST', path(), { body: { domain: 'api.example.co.uk' } }), 409, 'domain_already_exists')
		assert.deepEqual(await owner.ok('GET', `${path()}/${made.$id}`), made)
		assert.equal((await owner.ok('GET', path())).total, 1)
		fails(await owner.call('PATCH', `${path()}/${made.$id}/verification`, { body: {} }), 401, 'domain_verification_failed')
		assert.equal((await owner.call('DELETE', `${path()}/${made.$id}`)).status, 204)
		for (const [m, tail] of [['GET', ''], ['DELETE', ''], ['PATCH', '/verification']])
			fails(await owner.call(m, `${path()}/${made.$id}${tail}`), 404, 'domain_not_found')
	})

	test('refused', async () => {
		for (const domain of [undefined, '', 'a..b', 'x'.repeat(64) + '.org', 'a b.org'])
			fails(await owner.call('POST', path(), { body: { domain } }), 400, 'general_argument_invalid')
	})
})
