/* Webhooks of today: /v1/webhooks for members and keys, and the words of each format on the paths of before. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'

import { server, unique } from '../lib/server.mjs'
import { fails, keysOf } from './lib.mjs'

let s, p, q, owner
const at = (version) => ({ 'x-appwrite-response-format': version })
const newest = at('2.3.0'), url = 'https://example.org/hook'
const body = (more = {}) => ({ webhookId: unique('w'), name: 'W', url, events: ['users.*.create'], ...more })
const by = (scopes, of = p) => async (m, tail = '', b, o = {}) => of.guest(m, `/webhooks${tail}`, { key: await of.addKey(scopes), headers: newest, body: b, ...o })
const admin = (m, tail = '', b, o = {}) => p.admin(m, `/webhooks${tail}`, { headers: newest, body: b, ...o })

before(async () => {
	s = await server()
	p = await s.project()
	q = await s.project()
	owner = p.console
})

describe('webhooks of the own project', () => {
	test('life', async () => {
		const id = unique('w'), call = by(['webhooks.read', 'webhooks.write'])
		const r = await call('POST', '', body({ webhookId: id, tls: true, authUsername: 'u', authPassword: 'hush-hush', secret: 'eight888', enabled: false }))
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, '$id $createdAt $updatedAt name url events tls authUsername authPassword secret enabled logs attempts')
		assert.deepEqual([r.body.$id, r.body.tls, r.body.authUsername, r.body.authPassword, r.body.secret, r.body.enabled], [id, true, 'u', 'hush-hush', 'eight888', false])
		fails(await call('POST', '', body({ webhookId: id.toUpperCase() })), 409, 'webhook_already_exists')
		for (const c of [call, admin]) assert.deepEqual((await c('GET', `/${id}`)).body, r.body)
		const now = (await call('PUT', `/${id}`, { name: 'V', url, events: [], authUsername: '', authPassword: '' })).body
		assert.deepEqual([now.name, now.events, now.tls, now.authPassword, now.enabled, now.secret], ['V', [], false, '', true, 'eight888'])
		assert.equal((await call('PATCH', `/${id}/secret`, { secret: 'another-one' })).body.secret, 'another-one')
		assert.match((await call('PATCH', `/${id}/secret`)).body.secret, /^[0-9a-f]{128}$/)
		assert.match((await admin('POST', '', body())).body.secret, /^[0-9a-f]{128}$/)
		/* each project has names of its own */
		assert.equal((await by(['webhooks.write'], q)('POST', '', body({ webhookId: id }))).status, 201)
		assert.equal((await by(['webhooks.write'], q)('DELETE', `/${id}`)).status, 204)
		assert.equal((await call('GET', `/${id}`)).status, 200)
		assert.equal((await call('DELETE', `/${id}`)).status, 204)
		for (const [m, tail, b] of [['GET', ''], ['DELETE', ''], ['PUT', '', { name: 'x', url, events: [] }], ['PATCH', '/secret']]) fails(await call(m, `/${id}${tail}`, b), 404, 'webhook_not_found')
	})

	test('lists', async () => {
		const name = unique('n'), one = (await admin('POST', '', body({ name }))).body, two = (await admin('POST', '', body({ name, enabled: false, tls: true, events: ['teams.*.create'] }))).body
		const list = async (...queries) => (await admin('GET', '', undefined, { query: { queries: queries.map((x) => JSON.stringify(x)) } })).body, named = { method: 'equal', attribute: 'name', values: [name] }
		assert.deepEqual((await list(named)).webhooks, [one, two])
		assert.deepEqual((await list(named, { method: 'equal', attribute: 'enabled', values: [false] })).webhooks, [two])
		assert.deepEqual((await list(named, { method: 'equal', attribute: 'security', values: [true] })).webhooks, [two])
		assert.deepEqual((await list(named, { method: 'contains', attribute: 'events', values: ['users.*.create'] })).webhooks, [one])
		assert.deepEqual((await list(named, { method: 'equal', attribute: 'attempts', values: [0] }, { method: 'limit', values: [1] })).webhooks, [one])
		assert.equal((await admin('GET', '', undefined, { query: { total: 'false' } })).body.total, 0)
		for (const attribute of ['secret', 'authPassword', 'httpPass', 'signatureKey'])
			fails(await admin('GET', '', undefined, { query: { queries: [JSON.stringify({ method: 'equal', attribute, values: ['x'] })] } }), 400, 'general_argument_invalid')
		const former = await owner.ok('GET', `/projects/${p.id}/webhooks`, { query: { queries: [JSON.stringify(named)] }, headers: at('1.9.0') })
		assert.deepEqual(former.webhooks.map((w) => [w.$id, w.signatureKey]), [one, two].map((w) => [w.$id, w.secret]))
	})

	test('secrets are for who may change them', async () => {
		const { $id, secret } = (await admin('POST', '', body({ authUsername: 'u', authPassword: 'hush-hush' }))).body, read = by(['webhooks.read'])
		for (const query of [{}, { queries: [JSON.stringify({ method: 'limit', values: [100] })] }])
			for (const tail of ['', `/${$id}`]) {
				const r = await read('GET', tail, undefined, tail ? {} : { query })
				assert.ok(r.status === 200 && r.text.includes($id) && !r.text.includes(secret) && !r.text.includes('hush-hush'), r.text)
			}
		const write = await by(['webhooks.read', 'webhooks.write'])('GET', `/${$id}`)
		assert.deepEqual([write.body.secret, write.body.authPassword], [secret, 'hush-hush'])
	})

	test('what is refused', async () => {
		const { $id } = (await admin('POST', '', body())).body
		for (const bad of [{ webhookId: undefined }, { webhookId: 'a b' }, { name: undefined }, { name: 'n'.repeat(129) }, { url: 'ftp://example.org/' }, { url: undefined }, { events: ['nothing'] }, { events: undefined }, { secret: 'short' }, { secret: 's'.repeat(257) }])
			fails(await admin('POST', '', body(bad)), 400, 'general_argument_invalid')
		fails(await admin('PUT', `/${$id}`, { url, events: [] }), 400, 'general_argument_invalid')
		for (const secret of ['short', 'ééééééé']) fails(await admin('PATCH', `/${$id}/secret`, { secret }), 400, 'general_argument_invalid')
		assert.equal((await admin('PATCH', `/${$id}/secret`, { secret: 'éééééééé' })).body.secret, 'éééééééé')
		const rows = [['GET', ''], ['POST', '', body()], ['GET', `/${$id}`], ['PUT', `/${$id}`, { name: 'x', url, events: [] }], ['PATCH', `/${$id}/secret`], ['DELETE', `/${$id}`]]
		const user = await p.user()
		for (const [m, tail, b] of rows) {
			fails(await user.call(m, `/webhooks${tail}`, { headers: newest, body: b }), 401, 'general_unauthorized_scope')
			fails(await p.guest(m, `/webhooks${tail}`, { headers: newest, body: b }), 401, 'general_unauthorized_scope')
			fails(await by([m === 'GET' ? 'webhooks.write' : 'webhooks.read'])(m, tail, b), 401, 'general_unauthorized_scope')
			if (tail !== '') fails(await by(['webhooks.read', 'webhooks.write'], q)(m, tail, b), 404, 'webhook_not_found')
		}
	})

	test('the words of each format', async () => {
		const made = async (version, more) => (await owner.call('POST', `/projects/${p.id}/webhooks`, { headers: at(version), body: { name: 'W', url, events: [], ...more } })).body
		const old = await made('1.9.0', { security: true, httpUser: 'u', httpPass: 'hush-hush' }), now = await made('1.9.1', { tls: true, authUsername: 'u', authPassword: 'hush-hush' })
		assert.deepEqual([old.security, old.httpUser, old.httpPass], [true, 'u', 'hush-hush'])
		assert.deepEqual([now.tls, now.authUsername, now.authPassword], [true, 'u', 'hush-hush'])
		/* clients that know the new ones may say the former ones, too */
		assert.deepEqual([(await made('2.3.0', { security: true, httpUser: 'v' })).authUsername, (await made('2.3.0', { security: true })).tls], ['v', true])
	})
})
