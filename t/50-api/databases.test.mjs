/* Databases, collections, attributes, indexes: what each endpoint answers, each error, life cycles, limits, scopes, logs and usage. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { server, unique, until } from '../lib/server.mjs'
import { json } from './docs.mjs'
import { fails, isTime, keysOf } from './lib.mjs'

const collectionKeys = '$id $createdAt $updatedAt $permissions databaseId name enabled documentSecurity attributes indexes'
let s, p, ada
before(async () => {
	s = await server()
	p = await s.project()
	ada = await p.user({ name: 'Ada' })
})

const q = (...queries) => ({ query: { queries } })
const newDb = async (name = 'Test', id = unique('d')) => (await p.ok('POST', '/databases', { body: { databaseId: id, name } })).$id
const newCol = async (db, more = {}) => (await p.ok('POST', `/databases/${db}/collections`, { body: { collectionId: unique('c'), name: 'Test', ...more } })).$id
async function place(more) {
	const db = await newDb(), col = await newCol(db, more), path = `/databases/${db}/collections/${col}`
	return { db, col, path, attr: (type, body) => p.call('POST', `${path}/attributes/${type}`, { body: { required: false, ...body } }),
		index: (body) => p.call('POST', `${path}/indexes`, { body: { type: 'key', ...body } }) }
}
const attrs = async (c, o) => { for (const [key, [type, more]] of Object.entries(o)) { const r = await c.attr(type, { key, ...more }); assert.equal(r.status, 202, r.text) } }
const settled = (c, key, status, what = 'indexes') => until(`${key} is ${status}`, async () => (await p.ok('GET', `${c.path}/${what}/${key}`)).status === status)

describe('databases', () => {
	test('create', async () => {
		const id = unique('D'), r = await p.call('POST', '/databases', { body: { databaseId: id, name: 'Älpha' } })
		assert.equal(r.status, 201)
		keysOf(r.body, '$id name $createdAt $updatedAt')
		assert.equal(r.body.$id, id)
		isTime(r.body.$createdAt)
		assert.equal(r.body.$createdAt, r.body.$updatedAt)
		fails(await p.call('POST', '/databases', { body: { databaseId: id.toLowerCase(), name: 'x' } }), 409, 'database_already_exists')
		assert.match((await p.ok('POST', '/databases', { body: { databaseId: 'unique()', name: 'x' } })).$id, /^[0-9a-f]{20}$/)
		for (const body of [{ databaseId: '_x', name: 'x' }, { databaseId: 'x'.repeat(37), name: 'x' }, { databaseId: '$id', name: 'x' }, { databaseId: 5, name: 'x' }, { name: 'x' }, { databaseId: unique() },
			{ databaseId: unique(), name: '' }, { databaseId: unique(), name: 'x'.repeat(129) }, { databaseId: unique(), name: 5 }])
			fails(await p.call('POST', '/databases', { body }), 400, 'general_argument_invalid')
	})
	test('get and rename, whatever the case of the id', async () => {
		const id = await newDb('Old', unique('Db')), up = id.toUpperCase()
		const r = await p.ok('PUT', `/databases/${up}`, { body: { name: 'New' } })
		assert.equal(r.$id, id)
		assert.equal(r.name, 'New')
		assert.deepEqual(await p.ok('GET', `/databases/${up}`), r)
		fails(await p.call('PUT', `/databases/${id}`, { body: {} }), 400, 'general_argument_invalid')
		for (const [m, t, body] of [['GET', ''], ['PUT', '', { name: 'x' }], ['DELETE', ''], ['GET', '/logs'], ['GET', '/collections']])
			fails(await p.call(m, `/databases/${unique()}${t}`, { body }), 404, 'database_not_found')
	})
	test('list: filters, orders, search, cursors', async () => {
		const own = await s.project(), ids = []
		for (const name of ['beta', 'Alpha', 'gamma ray']) ids.push((await own.ok('POST', '/databases', { body: { databaseId: 'unique()', name } })).$id)
		const names = async (o) => (await own.ok('GET', '/databases', o)).databases.map((d) => d.name)
		assert.deepEqual(await names(), ['beta', 'Alpha', 'gamma ray'])
		assert.deepEqual(await names(q('orderAsc("name")')), ['Alpha', 'beta', 'gamma ray'])
		assert.deepEqual(await names(q('orderDesc("")', 'limit(2)')), ['gamma ray', 'Alpha'])
		assert.deepEqual(await names(q('equal("name", ["ALPHA"])')), ['Alpha'])
		assert.deepEqual(await names(q(json('startsWith', 'name', ['gam']))), ['gamma ray'])
		assert.deepEqual(await names(q(`cursorAfter("${ids[0]}")`)), ['Alpha', 'gamma ray'])
		assert.deepEqual(await names(q(`cursorBefore("${ids[2]}")`, 'limit(1)')), ['Alpha'])
		assert.deepEqual(await names({ query: { search: 'ray' } }), ['gamma ray'])
		assert.deepEqual(await names(q('offset(1)', 'limit(1)')), ['Alpha'])
		assert.deepEqual(await own.ok('GET', '/databases', q('limit(0)')), { total: 3, databases: [] })
		assert.equal((await own.ok('GET', '/databases', { query: { queries: ['limit(1)'], total: 'false' } })).total, 0)
		fails(await own.call('GET', '/databases', q('cursorAfter("none")')), 400, 'general_cursor_not_found')
		for (const bad of ['equal("x", ["y"])', 'equal("name", [1])', 'limit(101)', 'limit(-1)', 'offset(5001)', 'nonsense', '{"method":"x"}', 'search("name", ["a"])'])
			fails(await own.call('GET', '/databases', q(bad)), 400, 'general_argument_invalid')
		fails(await own.call('GET', '/databases', { query: { queries: 'x' } }), 400, 'general_argument_invalid')
	})
	test('delete: everything below is gone at once, and the id is free', async () => {
		const c = await place()
		assert.equal((await p.call('DELETE', `/databases/${c.db}`)).status, 204)
		fails(await p.call('DELETE', `/databases/${c.db}`), 404, 'database_not_found')
		fails(await p.call('GET', c.path), 404, 'database_not_found')
		fails(await p.call('GET', `${c.path}/documents`), 404, 'database_not_found')
		await newDb('Again', c.db)
		fails(await p.call('GET', c.path), 404, 'collection_not_found')
	})
	test('a database that has the id of an earlier one has none of its log', async () => {
		const id = await newDb(), events = async () => (await p.ok('GET', `/databases/${id}/logs`)).logs.map((l) => l.event)
		await p.admin('PUT', `/databases/${id}`, { body: { name: 'x' } })
		await until('its log', async () => (await events()).length === 1)
		await p.ok('DELETE', `/databases/${id}`)
		await newDb('Again', id)
		assert.deepEqual(await events(), [])
		await p.admin('PUT', `/databases/${id}`, { body: { name: 'y' } })
		await until('its log', async () => (await events()).length === 1)
	})
})

describe('collections', () => {
	test('create', async () => {
		const db = await newDb(), id = unique('C')
		const r = await p.call('POST', `/databases/${db}/collections`, { body: { collectionId: id, name: 'Books', permissions: ['write("any")', 'read("users")', 'read("users")'], documentSecurity: true } })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, collectionKeys)
		assert.deepEqual({ ...r.body, $createdAt: 0, $updatedAt: 0 }, { $id: id, $createdAt: 0, $updatedAt: 0, $permissions: ['create("any")', 'update("any")', 'delete("any")', 'read("users")'],
			databaseId: db, name: 'Books', enabled: true, documentSecurity: true, attributes: [], indexes: [] })
		assert.deepEqual(await p.ok('GET', `/databases/${db}/collections/${id}`), r.body)
		fails(await p.call('POST', `/databases/${db}/collections`, { body: { collectionId: id.toLowerCase(), name: 'x' } }), 409, 'collection_already_exists')
		fails(await p.call('POST', `/databases/${unique()}/collections`, { body: { collectionId: id, name: 'x' } }), 404, 'database_not_found')
		for (const body of [{ collectionId: '$x', name: 'x' }, { collectionId: 'x' }, { name: 'x' }, { collectionId: 'x', name: 'x'.repeat(129) }, { collectionId: 'x', name: 'x', documentSecurity: 'maybe' },
			...['fly("any")', 'read("everyone")', 'read("any:x")', 'read("user")', 'read("user:a/tall")', "read('any')", 'read("*")', 1].map((one) => ({ collectionId: 'x', name: 'x', permissions: [one] })),
			{ collectionId: 'x', name: 'x', permissions: 'read("any")' }, { collectionId: 'x', name: 'x', permissions: Array(101).fill('read("any")') }])
			fails(await p.call('POST', `/databases/${db}/collections`, { body }), 400, 'general_argument_invalid')
	})
	test('the same id in two databases', async () => {
		const a = await newDb(), b = await newDb(), id = unique('c')
		for (const db of [a, b]) await p.ok('POST', `/databases/${db}/collections`, { body: { collectionId: id, name: db } })
		assert.equal((await p.ok('GET', `/databases/${b}/collections/${id}`)).name, b)
		await p.ok('DELETE', `/databases/${a}/collections/${id}`)
		assert.equal((await p.ok('GET', `/databases/${b}/collections/${id}`)).name, b)
	})
	test('update resets what is left out, but for permissions', async () => {
		const c = await place({ permissions: ['read("any")'], documentSecurity: true })
		let r = await p.ok('PUT', c.path, { body: { name: 'A', documentSecurity: true, enabled: false } })
		assert.deepEqual([r.name, r.documentSecurity, r.enabled, r.$permissions], ['A', true, false, ['read("any")']])
		r = await p.ok('PUT', c.path, { body: { name: 'B' } })
		assert.deepEqual([r.name, r.documentSecurity, r.enabled, r.$permissions], ['B', false, true, ['read("any")']])
		r = await p.ok('PUT', c.path, { body: { name: 'B', permissions: [] } })
		assert.deepEqual(r.$permissions, [])
		assert.deepEqual(await p.ok('GET', c.path), r)
		for (const body of [{}, { name: 'x', enabled: 'true' }, { name: 'x', permissions: ['x'] }])
			fails(await p.call('PUT', c.path, { body }), 400, 'general_argument_invalid')
		fails(await p.call('PUT', `/databases/${c.db}/collections/none`, { body: { name: 'x' } }), 404, 'collection_not_found')
	})
	test('permissions and the switch count for the very next request', async () => {
		const c = await place()
		await attrs(c, { n: ['integer'] })
		fails(await ada.call('GET', `${c.path}/documents`), 401, 'user_unauthorized')
		for (let i = 0; i < 20; i++) {
			await p.ok('PUT', c.path, { body: { name: 'x', permissions: ['read("any")'] } })
			assert.equal((await ada.call('GET', `${c.path}/documents`)).status, 200)
			await p.ok('PUT', c.path, { body: { name: 'x', enabled: false } })
			fails(await ada.call('GET', `${c.path}/documents`), 404, 'collection_not_found')
		}
	})
	test('list', async () => {
		const db = await newDb(), P = `/databases/${db}/collections`, ids = []
		for (const [name, documentSecurity] of [['One', true], ['Two', false], ['Three', false]]) ids.push(await newCol(db, { name, documentSecurity }))
		await p.ok('PUT', `${P}/${ids[2]}`, { body: { name: 'Three', enabled: false } })
		await p.ok('POST', `${P}/${ids[0]}/attributes/boolean`, { body: { key: 'b', required: false } })
		const names = async (...x) => (await p.ok('GET', P, q(...x))).collections.map((c) => c.name)
		const all = await p.ok('GET', P)
		assert.equal(all.total, 3)
		for (const c of all.collections) keysOf(c, collectionKeys)
		assert.equal(all.collections[0].attributes[0].key, 'b')
		assert.deepEqual(await names('equal("enabled", [false])'), ['Three'])
		assert.deepEqual(await names('equal("documentSecurity", [false])', 'orderDesc("$createdAt")'), ['Three', 'Two'])
		assert.deepEqual(await names('equal("name", ["one"])'), ['One'])
		assert.deepEqual(await names(`cursorAfter("${ids[0]}")`, 'limit(1)'), ['Two'])
		assert.equal((await p.ok('GET', P, { query: { search: 'three' } })).total, 1)
		fails(await p.call('GET', P, q('cursorAfter("none")')), 400, 'general_cursor_not_found')
		for (const bad of ['equal("x", [1])', 'equal("enabled", ["true"])', 'limit(101)']) fails(await p.call('GET', P, q(bad)), 400, 'general_argument_invalid')
	})
	test('delete', async () => {
		const c = await place()
		assert.equal((await p.call('DELETE', c.path)).status, 204)
		fails(await p.call('DELETE', c.path), 404, 'collection_not_found')
		for (const t of ['', '/attributes', '/indexes', '/documents', '/logs', '/usage']) fails(await p.call('GET', c.path + t), 404, 'collection_not_found')
		await p.ok('POST', `/databases/${c.db}/collections`, { body: { collectionId: c.col, name: 'x' } })
		assert.equal((await p.ok('GET', `${c.path}/attributes`)).total, 0)
	})
	test('the older paths mean the database "default"', async () => {
		const own = await s.project(), P = '/database/collections'
		fails(await own.call('GET', P), 404, 'database_not_found')
		await own.ok('POST', '/databases', { body: { databaseId: 'default', name: 'x' } })
		await own.ok('POST', P, { body: { collectionId: 'c', name: 'x', databaseId: 'other' } })
		await own.ok('POST', `${P}/c/attributes/string`, { body: { key: 's', size: 5, required: false } })
		await own.ok('POST', `${P}/c/indexes`, { body: { key: 'x', type: 'key', attributes: ['s'] } })
		assert.equal((await own.ok('GET', `${P}/c`)).databaseId, 'default')
		for (const t of ['', '/attributes', '/attributes/s', '/indexes', '/indexes/x', '/logs']) await own.ok('GET', `${P}/c${t}`)
		await own.ok('GET', '/database/c/usage')
		assert.equal((await own.ok('PUT', `${P}/c`, { body: { name: 'y' } })).name, 'y')
		assert.equal((await own.ok('GET', P)).total, 1)
		for (const t of ['/indexes/x', '/attributes/s', '']) await own.ok('DELETE', `${P}/c${t}`)
	})
	test('every operation of the older paths does the same, and fails the same', async () => {
		const own = await s.project(), P = '/database/collections'
		await own.ok('POST', '/databases', { body: { databaseId: 'default', name: 'x' } })
		await own.ok('POST', P, { body: { collectionId: 'c', name: 'x' } })
		for (const [i, [type, body, base, added]] of kinds.entries())
			assert.deepEqual(await own.ok('POST', `${P}/c/attributes/${type}`, { body: { key: `k${i}`, required: false, ...body } }),
				{ key: `k${i}`, type: base.type, status: 'processing', required: base.required ?? false, array: base.array ?? false, ...added })
		await until('attributes', async () => (await own.ok('GET', `${P}/c/attributes`)).attributes.every((a) => a.status === 'available'))
		const ada = await own.user()
		await own.ok('POST', `${P}/c/documents`, { body: { documentId: 'd', data: Object.fromEntries(kinds.flatMap(([, body], i) => (body.required ? [[`k${i}`, 'x']] : []))) } })
		assert.equal((await own.ok('GET', `${P}/c/documents/d/logs`)).total, 0)
		for (const [type, body] of kinds) fails(await own.call('POST', `${P}/none/attributes/${type}`, { body: { key: 'k', required: false, ...body } }), 404, 'collection_not_found')
		for (const [method, tail, body] of [['GET', ''], ['PUT', '', { name: 'x' }], ['DELETE', ''], ['GET', '/logs'], ['GET', '/attributes'], ['GET', '/attributes/k'], ['DELETE', '/attributes/k'],
			['POST', '/indexes', { key: 'i', type: 'key', attributes: ['k0'] }], ['GET', '/indexes'], ['GET', '/indexes/i'], ['DELETE', '/indexes/i'], ['POST', '/documents', { documentId: 'x', data: { k0: 'x' } }],
			['GET', '/documents'], ['GET', '/documents/x'], ['PATCH', '/documents/x', { data: { k0: 'x' } }], ['DELETE', '/documents/x'], ['GET', '/documents/x/logs']])
			fails(await own.call(method, `${P}/none${tail}`, { body }), 404, 'collection_not_found')
		fails(await own.call('GET', '/database/none/usage'), 404, 'collection_not_found')
		fails(await own.call('POST', P, { body: { collectionId: 'c', name: 'x' } }), 409, 'collection_already_exists')
		fails(await ada.call('GET', P), 401, 'general_unauthorized_scope')
	})
})

/* type of the path, body, what the reply adds to the base */
const kinds = [
	['string', { size: 10 }, { type: 'string' }, { size: 10, default: null }],
	['string', { size: 10, default: 'x' }, { type: 'string' }, { size: 10, default: 'x' }],
	['string', { size: '10', array: true }, { type: 'string', array: true }, { size: 10, default: null }],
	['string', { size: 10, required: true }, { type: 'string', required: true }, { size: 10, default: null }],
	['email', {}, { type: 'string' }, { format: 'email', default: null }],
	['email', { default: 'a@example.org' }, { type: 'string' }, { format: 'email', default: 'a@example.org' }],
	['enum', { elements: ['a', 'b'], default: 'b' }, { type: 'string' }, { elements: ['a', 'b'], format: 'enum', default: 'b' }],
	['enum', {}, { type: 'string' }, { elements: [], format: 'enum', default: null }],
	['ip', { default: '::1' }, { type: 'string' }, { format: 'ip', default: '::1' }],
	['url', { default: 'https://example.org/' }, { type: 'string' }, { format: 'url', default: 'https://example.org/' }],
	['integer', { min: -5, max: 5, default: 0 }, { type: 'integer' }, { min: -5, max: 5, default: 0 }],
	['integer', { min: 3, max: 3 }, { type: 'integer' }, { min: 3, max: 3, default: null }],
	['float', {}, { type: 'double' }, { min: -1.7976931348623157e308, max: 1.7976931348623157e308, default: null }],
	['float', { min: 0.5, max: 100, default: 2 }, { type: 'double' }, { min: 0.5, max: 100, default: 2 }],
	['boolean', { default: false }, { type: 'boolean' }, { default: false }],
	['datetime', { default: '2020-01-02T03:04:05.678+02:00' }, { type: 'datetime' }, { format: '', default: '2020-01-02T03:04:05.678+02:00' }],
]
/* type, body, status, error */
const refused = [
	['string', { size: 0 }, 400, 'general_argument_invalid'],
	['string', { size: 1073741825 }, 400, 'general_argument_invalid'],
	['string', {}, 400, 'general_argument_invalid'],
	['string', { size: 3, default: 'long' }, 400, 'attribute_value_invalid'],
	['string', { size: 3, default: 5 }, 400, 'general_argument_invalid'],
	['string', { size: 3, default: 'x', required: true }, 400, 'attribute_default_unsupported'],
	['string', { size: 3, default: 'x', array: true }, 400, 'attribute_default_unsupported'],
	['string', { size: 20000, default: 'x'.repeat(17000) }, 400, 'attribute_value_invalid'],
	['string', { size: 16009 }, 400, 'attribute_limit_exceeded'],
	['string', { size: 3, required: 'true' }, 400, 'general_argument_invalid'],
	['string', { size: 3, required: null }, 400, 'general_argument_invalid'],
	['string', { size: 3, array: 'true' }, 400, 'general_argument_invalid'],
	['string', { size: 3, key: '$id' }, 400, 'general_argument_invalid'],
	['string', { size: 3, key: '_x' }, 400, 'general_argument_invalid'],
	['string', { size: 3, key: 'a b' }, 400, 'general_argument_invalid'],
	['string', { size: 3, key: 'k'.repeat(37) }, 400, 'general_argument_invalid'],
	['string', { size: 3, key: '' }, 400, 'general_argument_invalid'],
	['email', { default: 'nobody' }, 400, 'general_argument_invalid'],
	['ip', { default: '300.1.1.1' }, 400, 'general_argument_invalid'],
	['url', { default: 'nowhere' }, 400, 'general_argument_invalid'],
	['datetime', { default: 'tomorrowish' }, 400, 'general_argument_invalid'],
	['boolean', { default: 'true' }, 400, 'general_argument_invalid'],
	['integer', { min: 5, max: 1 }, 400, 'attribute_value_invalid'],
	['integer', { min: 1, max: 5, default: 9 }, 400, 'attribute_value_invalid'],
	['integer', { default: 1.5 }, 400, 'general_argument_invalid'],
	['integer', { min: '1' }, 400, 'general_argument_invalid'],
	['float', { min: 5, max: 1.5 }, 400, 'attribute_value_invalid'],
	['float', { min: 1, max: 5, default: 9.5 }, 400, 'attribute_value_invalid'],
	['float', { max: '1' }, 400, 'general_argument_invalid'],
	['enum', { elements: ['a'], default: 'b' }, 400, 'attribute_value_invalid'],
	['enum', { elements: ['a', ''] }, 400, 'attribute_value_invalid'],
	['enum', { elements: 'a' }, 400, 'general_argument_invalid'],
	['enum', { elements: Array(101).fill('a') }, 400, 'general_argument_invalid'],
	['enum', { elements: ['x'.repeat(4097)] }, 400, 'general_argument_invalid'],
	['enum', { elements: Array(5).fill('x'.repeat(4000)) }, 400, 'attribute_value_invalid'],
]

describe('attributes', () => {
	test('each type: processing in the reply, available after', async () => {
		const c = await place()
		for (const [i, [type, body, base, added]] of kinds.entries()) {
			const key = `k${i}`, r = await c.attr(type, { key, ...body })
			const want = { key, type: base.type, status: 'processing', required: base.required ?? false, array: base.array ?? false, ...added }
			assert.equal(r.status, 202, r.text)
			assert.deepEqual(r.body, want)
			assert.deepEqual(Object.keys(r.body), Object.keys(want))
			await settled(c, key, 'available', 'attributes')
			assert.deepEqual(await p.ok('GET', `${c.path}/attributes/${key.toUpperCase()}`), { ...want, status: 'available' })
		}
		const list = await p.ok('GET', `${c.path}/attributes`)
		assert.equal(list.total, kinds.length)
		assert.deepEqual(list.attributes.map((a) => a.key), kinds.map((_, i) => `k${i}`))
		assert.deepEqual((await p.ok('GET', c.path)).attributes, list.attributes)
	})
	test('bounds at the edge of 64 bits keep their digits', async () => {
		const c = await place(), r = await p.call('POST', `${c.path}/attributes/integer`, { headers: { 'content-type': 'application/json' }, body: '{"key":"n","required":false,"min":-9223372036854775808,"default":9223372036854775807}' })
		assert.equal(r.status, 202, r.text)
		assert.match(r.text, /"min":-9223372036854775808,"max":9223372036854775807,"default":9223372036854775807/)
		/* what JavaScript makes of the bounds that an attribute shows */
		const raw = (key, more) => p.call('POST', `${c.path}/attributes/integer`, { headers: { 'content-type': 'application/json' }, body: `{"key":"${key}","required":false,${more}}` })
		const js = JSON.stringify(JSON.parse('{"min":-9223372036854775808,"max":9223372036854775807,"default":9223372036854775807}')).slice(1, -1)
		assert.match(js, /9223372036854776000/)
		assert.match((await raw('js', js)).text, /"min":-9223372036854775808,"max":9223372036854775807,"default":9223372036854775807/)
		for (const bad of ['"max":9223372036854775808', '"max":9223372036854776001', '"min":-9223372036854775809', '"default":18446744073709551615', '"max":1e3', '"min":-9.3e18'])
			fails(await raw('bad', bad), 400, 'general_argument_invalid')
		const floats = (key, more) => p.call('POST', `${c.path}/attributes/float`, { headers: { 'content-type': 'application/json' }, body: `{"key":"${key}","required":false,${more}}` })
		for (const [key, more] of [['f1', '"min":-1.7976931348623157e+308,"max":1.7976931348623157e+308,"default":1e308'], ['f2', '"min":-0.0,"max":9223372036854776000,"default":-0'], ['f3', '"min":-9223372036854775808,"max":5e-324']]) {
			const { status, body } = await floats(key, more)
			assert.equal(status, 202)
			const { min, max, default: def } = JSON.parse(`{${more}}`)
			assert.deepEqual([body.min, body.max, body.default].map((v) => v === 0 ? 0 : v), [min, max, def ?? null].map((v) => v === 0 ? 0 : v))
		}
		fails(await floats('f4', '"max":1e309'), 400, 'general_argument_invalid')
	})
	for (const [type, body, status, error] of refused)
		test(`refused: ${type} ${JSON.stringify(body).slice(0, 60)}`, async () => {
			const c = await place()
			fails(await c.attr(type, { key: 'x', ...body }), status, error)
			assert.equal((await p.ok('GET', `${c.path}/attributes`)).total, 0)
		})
	test('taken, unknown, gone', async () => {
		const c = await place()
		await attrs(c, { Title: ['boolean'] })
		fails(await c.attr('string', { key: 'TITLE', size: 5 }), 409, 'attribute_already_exists')
		fails(await p.call('POST', `/databases/none/collections/${c.col}/attributes/boolean`, { body: { key: 'x', required: false } }), 404, 'database_not_found')
		fails(await p.call('POST', `/databases/${c.db}/collections/none/attributes/boolean`, { body: { key: 'x', required: false } }), 404, 'collection_not_found')
		for (const m of ['GET', 'DELETE']) {
			fails(await p.call(m, `${c.path}/attributes/none`), 404, 'attribute_not_found')
			fails(await p.call(m, `${c.path}/attributes/_x`), 400, 'general_argument_invalid')
		}
		assert.equal((await p.call('DELETE', `${c.path}/attributes/title`)).status, 204)
		await until('gone', async () => (await p.call('GET', `${c.path}/attributes/title`)).status === 404)
	})
	test('a row has a width', async () => {
		const c = await place()
		for (let i = 0; i < 8; i++) assert.equal((await c.attr('url', { key: `u${i}` })).status, 202)
		fails(await c.attr('url', { key: 'u8' }), 400, 'attribute_limit_exceeded')
		assert.equal((await c.attr('string', { key: 'outside', size: 16384 })).status, 202)
	})
	test('documents follow the schema from one request to the next', async () => {
		const c = await place(), D = `${c.path}/documents`
		await attrs(c, { a: ['integer', { default: 7 }] })
		const id = (await p.ok('POST', D, { body: { documentId: 'unique()', data: { a: 1 } } })).$id
		for (let i = 0; i < 10; i++) {
			await attrs(c, { b: ['string', { size: 5 }] })
			await settled(c, 'b', 'available', 'attributes')
			assert.equal((await p.ok('GET', `${D}/${id}`)).b, null)
			await p.ok('PATCH', `${D}/${id}`, { body: { data: { b: 'x' } } })
			await p.ok('DELETE', `${c.path}/attributes/b`)
			await until('b is gone', async () => (await p.call('GET', `${c.path}/attributes/b`)).status === 404)
			assert.ok(!('b' in await p.ok('GET', `${D}/${id}`)))
			fails(await p.call('PATCH', `${D}/${id}`, { body: { data: { b: 'x' } } }), 400, 'document_invalid_structure')
		}
	})
	test('many at once: each is there, once', async () => {
		const c = await place(), keys = [...Array(12).keys()].map((i) => `k${i % 6}`)
		const all = await Promise.all(keys.map((key) => c.attr('boolean', { key })))
		assert.deepEqual(all.map((r) => r.status).sort(), [...Array(6).fill(202), ...Array(6).fill(409)])
		assert.equal((await p.ok('GET', `${c.path}/attributes`)).total, 6)
	})
})

describe('indexes', () => {
	test('life of an index', async () => {
		const c = await place()
		await attrs(c, { n: ['integer'], s: ['string', { size: 50 }] })
		const r = await c.index({ key: 'by_n', attributes: ['n', 's'], orders: ['desc'] })
		assert.equal(r.status, 202, r.text)
		const want = { key: 'by_n', type: 'key', status: 'processing', attributes: ['n', 's'], orders: ['desc'] }
		assert.deepEqual(r.body, want)
		assert.deepEqual(Object.keys(r.body), Object.keys(want))
		await settled(c, 'by_n', 'available')
		assert.deepEqual(await p.ok('GET', `${c.path}/indexes/BY_N`), { ...want, status: 'available' })
		assert.deepEqual(await p.ok('GET', `${c.path}/indexes`), { total: 1, indexes: [{ ...want, status: 'available' }] })
		assert.deepEqual((await p.ok('GET', c.path)).indexes, [{ ...want, status: 'available' }])
		fails(await c.index({ key: 'By_N', attributes: ['n'] }), 409, 'index_already_exists')
		assert.equal((await p.call('DELETE', `${c.path}/indexes/by_n`)).status, 204)
		await until('gone', async () => (await p.call('GET', `${c.path}/indexes/by_n`)).status === 404)
		fails(await p.call('DELETE', `${c.path}/indexes/by_n`), 404, 'index_not_found')
	})
	test('refused at once', async () => {
		const c = await place()
		await attrs(c, { n: ['integer'] })
		for (const body of [{ key: '_x', attributes: ['n'] }, { key: 'x', type: 'hash', attributes: ['n'] }, { key: 'x', type: null, attributes: ['n'] }, { key: 'x' }, { key: 'x', attributes: ['_n'] },
			{ key: 'x', attributes: ['n'], orders: ['UP'] }, { key: 'x', attributes: 'n' }, { key: 'x', attributes: Array(101).fill('n') }])
			fails(await c.index(body), 400, 'general_argument_invalid')
		fails(await c.index({ key: 'x', attributes: ['N'] }), 400, 'attribute_unknown')
		fails(await c.index({ key: 'x', attributes: ['n', 'none'] }), 400, 'attribute_unknown')
		fails(await p.call('POST', `/databases/${c.db}/collections/none/indexes`, { body: { key: 'x', type: 'key', attributes: ['n'] } }), 404, 'collection_not_found')
		fails(await p.call('POST', `/databases/none/collections/${c.col}/indexes`, { body: { key: 'x', type: 'key', attributes: ['n'] } }), 404, 'database_not_found')
		fails(await p.call('GET', `${c.path}/indexes/none`), 404, 'index_not_found')
	})
	test('definitions that cannot work end failed, and can be deleted', async () => {
		const c = await place()
		await attrs(c, { n: ['integer'], s: ['string', { size: 700 }], t: ['string', { size: 100 }], huge: ['string', { size: 20000 }] })
		const bad = { ft: ['fulltext', ['n']], date: ['fulltext', ['$createdAt']], sp: ['spatial', ['n']], arr: ['array', ['n']], ci: ['case-insensitive', ['t']], none: ['key', []], twice: ['key', ['n', 'n']], wide: ['key', ['s', 't']],
			big: ['unique', ['huge']], up: ['KEY', ['n']] }
		for (const [key, [type, attributes]] of Object.entries(bad)) assert.equal((await c.index({ key, type, attributes })).status, 202)
		for (const key of Object.keys(bad)) await settled(c, key, 'failed')
		for (const key of Object.keys(bad)) await p.ok('DELETE', `${c.path}/indexes/${key}`)
		await until('all gone', async () => (await p.ok('GET', `${c.path}/indexes`)).total === 0)
	})
	test('unique: existing duplicates fail it, later ones are refused', async () => {
		const c = await place(), D = `${c.path}/documents`
		await attrs(c, { s: ['string', { size: 2000 }], t: ['string', { size: 20 }] })
		const put = (data) => p.call('POST', D, { body: { documentId: 'unique()', data } })
		for (const t of ['a', 'A']) assert.equal((await put({ s: 'same', t })).status, 201)
		await c.index({ key: 's', type: 'unique', attributes: ['s'] })
		await settled(c, 's', 'failed')
		await c.index({ key: 't', type: 'unique', attributes: ['t'] })
		await settled(c, 't', 'failed')		/* without regard to case */
		const e = await place(), E = `${e.path}/documents`
		await attrs(e, { s: ['string', { size: 2000 }] })
		await e.index({ key: 's', type: 'unique', attributes: ['s'] })
		await settled(e, 's', 'available')
		const add = (text) => p.call('POST', E, { body: { documentId: 'unique()', data: { s: text } } })
		const long = 'é'.repeat(1990)
		assert.equal((await add(long)).status, 201)
		fails(await add(long.toUpperCase()), 409, 'document_already_exists')
		fails(await add('E'.repeat(1990)), 409, 'document_already_exists')
		assert.equal((await add('x')).status, 201)
		for (let i = 0; i < 2; i++) assert.equal((await add(null)).status, 201)
	})
	test('at most 59', async () => {
		const c = await place()
		await attrs(c, { n: ['integer'] })
		for (let i = 0; i < 59; i++) assert.equal((await c.index({ key: `i${i}`, attributes: ['n'] })).status, 202)
		fails(await c.index({ key: 'i59', attributes: ['n'] }), 400, 'index_limit_exceeded')
	})
	test('an attribute leaves its indexes', async () => {
		const c = await place()
		await attrs(c, { a: ['integer'], b: ['integer'] })
		for (const [key, type, attributes] of [['a', 'key', ['a']], ['ab', 'key', ['a', 'b']], ['b', 'key', ['b']], ['ba', 'unique', ['b', 'a']]]) {
			await c.index({ key, type, attributes })
			await settled(c, key, 'available')
		}
		await p.ok('DELETE', `${c.path}/attributes/b`)
		await settled(c, 'b', 'stuck', 'attributes')
		await p.ok('DELETE', `${c.path}/indexes/ba`)
		await until('ba is gone', async () => (await p.call('GET', `${c.path}/indexes/ba`)).status === 404)
		await p.ok('DELETE', `${c.path}/attributes/b`)
		await until('one index is left', async () => (await p.ok('GET', `${c.path}/indexes`)).total === 1)
		await settled(c, 'a', 'available')
		fails(await c.index({ key: 'x', attributes: ['b'] }), 400, 'attribute_unknown')
	})
	test('writers go on while an index is built', async () => {
		const c = await place(), D = `${c.path}/documents`
		await attrs(c, { n: ['integer'] })
		let on = true, written = 0
		const writers = [...Array(4)].map(async () => { while (on) { await p.ok('POST', D, { body: { documentId: 'unique()', data: { n: written++ % 100 } } }) } })
		await until('documents', () => written > 50)
		await c.index({ key: 'n', attributes: ['n'] })
		await settled(c, 'n', 'available')
		on = false
		await Promise.all(writers)
		assert.equal((await p.ok('GET', D, q('equal("n", [5])'))).documents.every((d) => d.n === 5), true)
	})
})

describe('lists of attributes and indexes', () => {
	let c
	const keys = async (what, queries, more = {}) => {
		const r = await p.ok('GET', `${c.path}/${what}`, { query: { queries, ...more } })
		return [r.total, r[what].map((x) => x.key).join(' ')]
	}
	before(async () => {
		c = await place()
		await attrs(c, { title: ['string', { size: 30 }], year: ['integer', { required: true }], tags: ['string', { size: 10, array: true }], draft: ['boolean'] })
		await until('attributes', async () => (await p.ok('GET', `${c.path}/attributes`)).attributes.every((a) => a.status === 'available'))
		for (const [key, type, attributes] of [['by_year', 'key', ['year']], ['words', 'fulltext', ['title']], ['both', 'key', ['title', 'year']]]) await c.index({ key, type, attributes })
		for (const key of ['by_year', 'words', 'both']) await settled(c, key, 'available')
	})

	test('without queries: all', async () => {
		assert.deepEqual(await keys('attributes', []), [4, 'title year tags draft'])
		assert.deepEqual(await keys('indexes', []), [3, 'by_year words both'])
		assert.deepEqual(await keys('indexes', [], { total: 'false' }), [0, 'by_year words both'])
	})
	test('a page of 25 for who speaks 1.5 or later', async () => {
		const many = await place(), names = Array.from({ length: 27 }, (_, i) => `k${i}`)
		await attrs(many, Object.fromEntries(names.map((k) => [k, ['boolean']])))
		await until('attributes', async () => (await p.ok('GET', `${many.path}/attributes`, q(json('limit', undefined, [100])))).attributes.every((a) => a.status === 'available'))
		await Promise.all(names.map((k) => many.index({ key: k, type: 'key', attributes: [k] })))
		await until('indexes', async () => (await p.ok('GET', `${many.path}/indexes`, q(json('limit', undefined, [100])))).indexes.every((x) => x.status === 'available'))
		for (const what of ['attributes', 'indexes']) {
			for (const [version, n] of [['1.0.0', 27], ['1.4.0', 27], ['1.5.0', 25], ['1.9.6', 25], ['2.3.0', 25]]) {
				const headers = { 'x-appwrite-response-format': version }, r = await p.ok('GET', `${many.path}/${what}`, { headers })
				assert.deepEqual([r.total, r[what].length], [27, n], `${what} ${version}`)
				const rest = await p.ok('GET', `${many.path}/${what}`, { headers, ...q(json('cursorAfter', undefined, [r[what][24].key])) })
				assert.deepEqual([rest.total, rest[what].length], [27, 2])
			}
			const all = await p.ok('GET', `${many.path}/${what}`, { headers: { 'x-appwrite-response-format': '1.9.6' }, ...q(json('limit', undefined, [5000])) })
			assert.equal(all[what].length, 27)
		}
	})
	test('filters, orders, pages', async () => {
		for (const [what, queries, total, expected] of [
			['attributes', [json('equal', 'type', ['string'])], 2, 'title tags'],
			['attributes', [json('equal', 'array', [true])], 1, 'tags'],
			['attributes', [json('equal', 'required', [true])], 1, 'year'],
			['attributes', [json('greaterThan', 'size', [10])], 1, 'title'],
			['attributes', [json('orderDesc', 'key'), json('limit', undefined, [2])], 4, 'year title'],
			['attributes', [json('limit', undefined, [2]), json('offset', undefined, [1])], 4, 'year tags'],
			['attributes', [json('cursorAfter', undefined, ['year'])], 4, 'tags draft'],
			['attributes', [json('equal', 'status', ['failed'])], 0, ''],
			['attributes', ['equal("key", ["draft"])'], 1, 'draft'],
			['attributes', [json('equal', 'error', ['']), json('limit', undefined, [1])], 4, 'title'],
			['indexes', [json('equal', 'error', ['none'])], 0, ''],
			['indexes', [json('equal', 'type', ['fulltext'])], 1, 'words'],
			['indexes', [json('contains', 'attributes', ['year'])], 2, 'by_year both'],
			['indexes', [json('orderAsc', 'key'), json('limit', undefined, [1])], 3, 'both'],
		])
			assert.deepEqual(await keys(what, queries), [total, expected], queries.join())
	})
	test('errors', async () => {
		for (const what of ['attributes', 'indexes'])
			for (const bad of [json('equal', 'nothing', ['x']), json('limit', undefined, ['x']), 'nonsense', json('equal', 'key', [1])])
				fails(await p.call('GET', `${c.path}/${what}`, q(bad)), 400, 'general_argument_invalid')
		fails(await p.call('GET', `${c.path}/attributes`, q(json('cursorAfter', undefined, ['nowhere']))), 400, 'general_cursor_not_found')
	})
})

describe('below what is absent', () => {
	const kinds = { boolean: {}, datetime: {}, email: {}, enum: { elements: ['a'] }, float: {}, integer: {}, ip: {}, string: { size: 9 }, url: {} }
	const routes = [
		['GET', ''], ['PUT', '', { name: 'x' }], ['DELETE', ''], ['GET', '/logs'], ['GET', '/usage'],
		['GET', '/attributes'], ['GET', '/attributes/a'], ['DELETE', '/attributes/a'],
		...Object.entries(kinds).map(([kind, more]) => ['POST', `/attributes/${kind}`, { key: 'a', required: false, ...more }]),
		['GET', '/indexes'], ['GET', '/indexes/a'], ['DELETE', '/indexes/a'], ['POST', '/indexes', { key: 'a', type: 'key', attributes: ['a'] }],
		['GET', '/documents'], ['POST', '/documents', { documentId: 'a', data: { a: 1 } }], ['GET', '/documents/a'], ['PATCH', '/documents/a', { data: { a: 1 } }],
		['DELETE', '/documents/a'], ['GET', '/documents/a/logs'],
	]
	for (const [method, tail, body] of routes)
		test(`${method} …/collections/{collectionId}${tail}`, async () => {
			const db = await newDb()
			fails(await p.call(method, `/databases/none/collections/none${tail}`, { body }), 404, 'database_not_found')
			fails(await p.call(method, `/databases/${db}/collections/none${tail}`, { body }), 404, 'collection_not_found')
			fails(await p.admin(method, `/databases/${db}/collections/none${tail}`, { body }), 404, 'collection_not_found')
		})
})

describe('who may', () => {
	const calls = [['GET', '/databases', 'databases.read'], ['POST', '/databases', 'databases.write'], ['GET', '/databases/x', 'databases.read'], ['PUT', '/databases/x', 'databases.write'],
		['DELETE', '/databases/x', 'databases.write'], ['GET', '/databases/x/logs', 'databases.read'], ['GET', '/databases/usage', 'collections.read'], ['GET', '/databases/x/usage', 'collections.read'],
		['GET', '/databases/x/collections', 'collections.read'], ['POST', '/databases/x/collections', 'collections.write'], ['GET', '/databases/x/collections/c', 'collections.read'],
		['PUT', '/databases/x/collections/c', 'collections.write'], ['DELETE', '/databases/x/collections/c', 'collections.write'], ['GET', '/databases/x/collections/c/logs', 'collections.read'],
		['GET', '/databases/x/collections/c/usage', 'collections.read'], ['GET', '/databases/x/collections/c/attributes', 'collections.read'],
		...['string', 'email', 'enum', 'ip', 'url', 'integer', 'float', 'boolean', 'datetime'].map((t) => ['POST', `/databases/x/collections/c/attributes/${t}`, 'collections.write']),
		['GET', '/databases/x/collections/c/attributes/k', 'collections.read'], ['DELETE', '/databases/x/collections/c/attributes/k', 'collections.write'],
		['GET', '/databases/x/collections/c/indexes', 'collections.read'], ['POST', '/databases/x/collections/c/indexes', 'collections.write'],
		['GET', '/databases/x/collections/c/indexes/k', 'collections.read'], ['DELETE', '/databases/x/collections/c/indexes/k', 'collections.write']]
	test('guests and users: nobody; keys: with the scope', async () => {
		const others = 'databases.read databases.write collections.read collections.write attributes.write indexes.write documents.write'.split(' ')
		const none = {}
		/* of tables, the scopes of columns and indexes would do instead */
		const instead = process.env.BADAL_FAMILY === 'tables' ? ['attributes.write', 'indexes.write'] : []
		for (const scope of new Set(calls.map((c) => c[2]))) none[scope] = await p.addKey(others.filter((o) => o !== scope && !instead.includes(o)))
		for (const [m, t, scope] of calls) {
			const body = m === 'POST' || m === 'PUT' ? {} : undefined
			fails(await p.guest(m, t, { body }), 401, 'general_unauthorized_scope')
			fails(await ada.call(m, t, { body }), 401, 'general_unauthorized_scope')
			fails(await p.call(m, t, { body, key: none[scope] }), 401, 'general_unauthorized_scope')
			assert.notEqual((await p.call(m, t, { body })).status, 401, `${m} ${t}`)
			assert.notEqual((await p.admin(m, t, { body })).status, 401, `${m} ${t}`)
		}
	})
})

describe('logs', () => {
	const logKeys = 'event userId userEmail userName mode ip time osCode osName osVersion clientType clientCode clientName clientVersion clientEngine clientEngineVersion deviceName deviceBrand deviceModel countryCode countryName'
	test('admins and users leave entries, keys do not', async () => {
		const c = await place({ permissions: ['read("any")', 'create("users")', 'update("users")'], documentSecurity: true }), D = `${c.path}/documents`
		await attrs(c, { n: ['integer'] })
		await p.admin('PUT', `/databases/${c.db}`, { body: { name: 'x' } })
		await p.admin('PUT', c.path, { body: { name: 'x', documentSecurity: true, permissions: ['read("any")', 'create("users")', 'update("users")'] } })
		await p.admin('POST', `${c.path}/attributes/boolean`, { body: { key: 'b', required: false } })
		await p.admin('POST', `${c.path}/indexes`, { body: { key: 'i', type: 'key', attributes: ['n'] } })
		await p.admin('DELETE', `${c.path}/attributes/b`)
		const doc = await ada.ok('POST', D, { body: { documentId: 'unique()', data: { n: 1 } } })
		await ada.ok('PATCH', `${D}/${doc.$id}`, { body: { data: { n: 2 } } })
		const events = async (path) => (await p.ok('GET', `${path}/logs`)).logs.map((l) => l.event)
		await until('the log of the document', async () => (await events(`${D}/${doc.$id}`)).length === 1)
		assert.deepEqual(await events(`${D}/${doc.$id}`), ['document.update'])
		await until('the log of the collection', async () => (await events(c.path)).length === 5)
		assert.deepEqual(await events(c.path), ['document.create', 'attribute.delete', 'index.create', 'attribute.create', 'collection.update'])
		assert.deepEqual(await events(`/databases/${c.db}`), ['database.update'])
		const all = await p.ok('GET', `${c.path}/logs`, q('limit(1)', 'offset(1)'))
		assert.equal(all.total, 5)
		assert.equal(all.logs.length, 1)
		keysOf(all.logs[0], logKeys)
		assert.equal(all.logs[0].mode, 'admin')
		assert.equal((await ada.ok('GET', `${D}/${doc.$id}/logs`)).total, 1)
		fails(await p.guest('GET', `${D}/none/logs`), 404, 'document_not_found')
		for (const path of [`/databases/${c.db}`, c.path, `${D}/${doc.$id}`])
			for (const bad of ['limit(101)', 'equal("event", ["x"])', 'orderAsc("time")', 'x']) fails(await p.call('GET', `${path}/logs`, q(bad)), 400, 'general_argument_invalid')
	})
	test('what may not be read has no log', async () => {
		const c = await place()
		await attrs(c, { n: ['integer'] })
		const doc = await p.ok('POST', `${c.path}/documents`, { body: { documentId: 'unique()', data: { n: 1 } } })
		fails(await ada.call('GET', `${c.path}/documents/${doc.$id}/logs`), 404, 'collection_not_found')
		await p.ok('PUT', c.path, { body: { name: 'x', permissions: ['read("any")'] } })
		fails(await ada.call('GET', `${c.path}/documents/${doc.$id}/logs`), 404, 'document_not_found')
		assert.equal((await p.ok('GET', `${c.path}/documents/${doc.$id}/logs`)).total, 0)
	})
})

describe('usage', () => {
	const ops = (kind) => ['Create', 'Read', 'Update', 'Delete'].map((o) => kind + o)
	const all = ['range', 'databasesCount', 'documentsCount', 'collectionsCount', ...ops('databases'), ...ops('documents'), ...ops('collections')]
	const old = { headers: { 'x-appwrite-response-format': '1.4.0' } }, sum = (list) => list.reduce((a, b) => a + b.value, 0)
	const points = { '24h': [48, 1800e3], '7d': [7, 86400e3], '30d': [30, 86400e3], '90d': [90, 86400e3] }
	for (const [range, [n, step]] of Object.entries(points))
		test(`${range}: ${n} points`, async () => {
			const r = await p.ok('GET', '/databases/usage', { query: { range }, ...old })
			keysOf(r, all.join(' '))
			assert.equal(r.range, range)
			for (const name of all.slice(1)) {
				assert.equal(r[name].length, n)
				for (const [i, { value, date }] of r[name].entries()) {
					assert.equal(typeof value, 'number')
					isTime(date)
					if (i) assert.equal(Date.parse(date) - Date.parse(r[name][i - 1].date), step)
				}
			}
		})
	test('members by version', async () => {
		const c = await place(), as = (version) => ({ headers: { 'x-appwrite-response-format': version } }), tables = process.env.BADAL_FAMILY === 'tables'
		const members = (v, db) => {
			const held = ['collections', ...(v >= '1.8' ? ['tables'] : []), 'documents', ...(v >= '1.8' ? ['rows'] : []), ...(v >= '1.6' ? ['storage', `${db}Reads`, `${db}Writes`] : [])]
			if (db === 'databases') held.unshift('databases')
			return ['range', ...held.map((k) => `${k}Total`), ...held]
		}
		const keys = async (path, o, range = '24h') => {
			const r = await p.ok('GET', `${path}/usage`, { query: { range }, ...o })
			for (const [k, v] of Object.entries(r)) if (k !== 'range') assert.ok(k.endsWith('Total') ? Number.isInteger(v) : v.length === 48 && v.every((x) => Number.isInteger(x.value)), k)
			return Object.keys(r)
		}
		const said = (v) => (tables ? v.map((k) => k.replace('documents', 'rows')) : v)
		for (const v of ['1.5.0', '1.6.0', '1.7.0', '1.8.0', '1.9.6', '2.3.0']) {
			assert.deepEqual(await keys('/databases', as(v)), members(v, 'databases'), v)
			assert.deepEqual(await keys(`/databases/${c.db}`, as(v)), members(v, 'database'), v)
			assert.deepEqual(await keys(c.path, as(v)), said(['range', 'documentsTotal', 'documents']), v)
		}
	})
	test('scopes and errors', async () => {
		const c = await place()
		assert.equal((await p.ok('GET', '/databases/usage', old)).range, '30d')
		keysOf(await p.ok('GET', `/databases/${c.db}/usage`, old), ['range', 'documentsCount', 'collectionsCount', ...ops('documents'), ...ops('collections')].join(' '))
		keysOf(await p.ok('GET', `${c.path}/usage`, old), ['range', 'documentsCount', ...ops('documents')].join(' '))
		await p.ok('GET', '/databases/none/usage')
		fails(await p.call('GET', '/databases/none/collections/c/usage'), 404, 'database_not_found')
		fails(await p.call('GET', `/databases/${c.db}/collections/none/usage`), 404, 'collection_not_found')
		for (const path of ['/databases', `/databases/${c.db}`, c.path]) fails(await p.call('GET', `${path}/usage`, { query: { range: '1y' } }), 400, 'general_argument_invalid')
	})
	test('requests are counted, those of admins are not', async () => {
		const own = await server({ own: true, conf: { usage_interval: '100ms' } })
		try {
			const x = await own.project()
			await x.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
			await x.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C' } })
			await x.ok('POST', '/databases/d/collections/c/attributes/integer', { body: { key: 'n', required: false } })
			for (let i = 0; i < 3; i++) await x.ok('POST', '/databases/d/collections/c/documents', { body: { documentId: `i${i}`, data: { n: i } } })
			await x.ok('DELETE', '/databases/d/collections/c/documents/i0')
			for (let i = 0; i < 5; i++) await x.admin('GET', '/databases/d')
			fails(await x.call('GET', '/databases/none'), 404, 'database_not_found')
			const r = await until('counts', async () => {
				const u = await x.ok('GET', '/databases/usage', { query: { range: '24h' }, ...old })
				return sum(u.documentsCreate) === 3 && sum(u.documentsDelete) === 1 && sum(u.collectionsUpdate) === 1 && u
			})
			assert.equal(sum(r.databasesCreate), 1)
			assert.equal(sum(r.databasesRead), 0)
			assert.equal(sum(r.collectionsCreate), 1)
			assert.equal(r.databasesCount.at(-1).value, 1)
			assert.equal(r.collectionsCount.at(-1).value, 1)
			assert.equal(sum((await x.ok('GET', '/databases/d/collections/c/usage', old)).documentsCreate), 3)
			assert.equal(sum((await x.ok('GET', '/databases/d/usage', old)).documentsCreate), 3)
			await until('documents', async () => (await x.ok('GET', '/databases/d/usage', old)).documentsCount.at(-1).value === 2, 90000)	/* backends tell their statistics within a minute */
			/* the same, as servers since 1.5 have it */
			const today = { headers: { 'x-appwrite-response-format': '2.3.0' } }, now = await x.ok('GET', '/databases/usage', { query: { range: '24h' }, ...today })
			assert.deepEqual([now.databasesTotal, now.collectionsTotal, now.tablesTotal, now.documentsTotal, now.rowsTotal], [1, 1, 1, 2, 2])
			assert.ok(now.storageTotal >= 8192 && now.storageTotal === now.storage.at(-1).value)
			assert.deepEqual([now.databasesReadsTotal, now.databasesWritesTotal, sum(now.databasesReads), sum(now.databasesWrites)], [0, 4, 0, 4])
			for (const [k, n] of [['databases', 1], ['collections', 1], ['tables', 1], ['documents', 2], ['rows', 2]]) assert.equal(now[k].at(-1).value, n, k)
			const one = await x.ok('GET', '/databases/d/usage', { query: { range: '90d' }, ...today }), inner = await x.ok('GET', '/databases/d/collections/c/usage', today)
			assert.deepEqual([one.databaseReadsTotal, one.databaseWritesTotal, sum(one.databaseWrites), one.databaseWrites.length, one.rowsTotal, one.storageTotal], [0, 4, 4, 90, 2, now.storageTotal])
			assert.deepEqual([process.env.BADAL_FAMILY === 'tables' ? inner.rowsTotal : inner.documentsTotal, (inner.rows ?? inner.documents).at(-1).value], [2, 2])
		} finally {
			await own.stop()
		}
	})
})
