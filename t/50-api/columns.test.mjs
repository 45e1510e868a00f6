/* Databases, collections, attributes and indexes as clients of later versions have them: what came since 1.0, by the version that they speak. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { server, unique, until } from '../lib/server.mjs'
import { json } from './docs.mjs'
import { fails, isTime, keysOf } from './lib.mjs'

let s, p, ada
before(async () => {
	s = await server()
	p = await s.project()
	ada = await p.user({ name: 'Ada' })
})

const speaks = (version) => ({ headers: { 'x-appwrite-response-format': version } })
const today = speaks('1.9.6')
/* Calls in the words of today; `v`: of another version. */
const call = (method, path, body, o = {}, who = p) => who.call(method, path, { body, ...today, ...o })
async function ok(method, path, body, o, who) {
	const r = await call(method, path, body, o, who)
	assert.ok(r.status < 300, r.text)
	return r.body
}
const newDb = async (more = {}) => (await ok('POST', '/databases', { databaseId: unique('d'), name: 'Test', ...more })).$id
async function place(more) {
	const db = await newDb(), { $id: col } = await ok('POST', `/databases/${db}/collections`, { collectionId: unique('c'), name: 'Test', ...more }), path = `/databases/${db}/collections/${col}`
	return { db, col, path, docs: `${path}/documents`, attr: (type, body, o) => call('POST', `${path}/attributes/${type}`, { required: false, ...body }, o),
		patch: (type, key, body, o) => call('PATCH', `${path}/attributes/${type}/${key}`, { required: false, default: null, ...body }, o),
		index: (body, o) => call('POST', `${path}/indexes`, { type: 'key', ...body }, o), get: (key, o) => ok('GET', `${path}/attributes/${key}`, undefined, o) }
}

describe('databases', () => {
	test('members by version', async () => {
		for (const [version, keys] of [['1.3.0', ''], ['1.4.0', ' enabled'], ['1.6.0', ' enabled policies archives'], ['1.8.0', ' enabled type policies archives'], ['1.9.5', ' enabled type policies archives'], ['1.9.6', ' enabled type status'], ['2.3.0', ' enabled type status']]) {
			const o = speaks(version), d = await ok('POST', '/databases', { databaseId: unique(), name: 'x' }, o)
			keysOf(d, '$id name $createdAt $updatedAt' + keys)
			assert.deepEqual(await ok('GET', `/databases/${d.$id}`, undefined, o), d)
		}
		const d = await ok('GET', `/databases/${await newDb()}`)
		assert.deepEqual([d.enabled, d.type, d.status], [true, process.env.BADAL_FAMILY === 'tables' ? 'tablesdb' : 'legacy', 'ready'])
		assert.ok((await ok('GET', '/databases')).databases.every((one) => one.status === 'ready'))
	})
	test('an update may leave the name out, and switches on what it does not mention', async () => {
		const id = await newDb({ enabled: false, name: 'Name' }), path = `/databases/${id}`
		assert.equal((await ok('GET', path)).enabled, false)
		let d = await ok('PUT', path, {})
		assert.deepEqual([d.name, d.enabled], ['Name', true])
		d = await ok('PUT', path, { name: 'Other', enabled: false })
		assert.deepEqual([d.name, d.enabled], ['Other', false])
		assert.deepEqual(await ok('GET', path), d)
		fails(await call('PUT', path, { enabled: false }, speaks('1.8.0')), 400, 'general_argument_invalid')
		fails(await call('PUT', path, { enabled: 'false' }), 400, 'general_argument_invalid')
		fails(await call('POST', '/databases', { databaseId: unique(), name: 'x', enabled: 1 }), 400, 'general_argument_invalid')
	})
	test('switched off: its documents are there for keys and admins alone, from one request to the next', async () => {
		const c = await place({ permissions: ['read("any")', 'create("any")', 'update("any")', 'delete("any")'] })
		await ok('POST', `${c.path}/attributes/integer`, { key: 'n', required: false })
		await ok('POST', c.docs, { documentId: 'a', data: { n: 1 } }, {}, ada)
		const routes = [['GET', ''], ['POST', '', { documentId: 'b', data: { n: 1 } }], ['GET', '/a'], ['PATCH', '/a', { data: { n: 2 } }], ['DELETE', '/a']]
		for (let i = 0; i < 3; i++) {
			await ok('PUT', `/databases/${c.db}`, { enabled: false })
			for (const [m, t, body] of routes) fails(await call(m, c.docs + t, body, {}, ada), 404, 'database_not_found')
			assert.equal((await ok('GET', `${c.docs}/a`)).n, 1)
			assert.equal((await p.admin('GET', `${c.docs}/a`)).status, 200)
			assert.equal((await p.call('GET', `${c.docs}/a`)).status, 200)
			await ok('PUT', `/databases/${c.db}`, {})
			assert.equal((await ok('GET', c.docs, undefined, {}, ada)).total, 1)
		}
	})
})

describe('collections', () => {
	test('members by version', async () => {
		const old = '$id $createdAt $updatedAt $permissions databaseId name enabled documentSecurity attributes indexes', db = await newDb()
		for (const [version, keys] of [['1.7.0', old], ['1.8.0', old + ' bytesMax bytesUsed'], ['1.9.0', old + ' bytesMax bytesUsed']]) {
			const o = speaks(version), P = `/databases/${db}/collections`, c = await ok('POST', P, { collectionId: unique(), name: 'x' }, o)
			keysOf(c, keys)
			assert.deepEqual(await ok('GET', `${P}/${c.$id}`, undefined, o), c)
			assert.deepEqual((await ok('GET', P, undefined, o)).collections.at(-1), c)
			keysOf(await ok('PUT', `${P}/${c.$id}`, { name: 'y' }, o), keys)
		}
	})
	test('a new one may be switched off; a change may leave the name out', async () => {
		const c = await place({ enabled: false, permissions: ['read("any")'], documentSecurity: true })
		assert.equal((await ok('GET', c.path)).enabled, false)
		fails(await call('GET', c.docs, undefined, {}, ada), 404, 'collection_not_found')
		assert.equal((await ok('GET', c.docs)).total, 0)
		fails(await call('GET', c.docs, undefined, speaks('1.3.0')), 404, 'collection_not_found')
		const r = await ok('PUT', c.path, { purge: true })
		assert.deepEqual([r.name, r.enabled, r.documentSecurity, r.$permissions], ['Test', true, false, ['read("any")']])
		assert.equal((await ok('GET', `/databases/${c.db}/collections`, undefined, { query: { search: 'Test' } })).total, 1)
		fails(await call('PUT', c.path, {}, speaks('1.8.1')), 400, 'general_argument_invalid')
		fails(await call('PUT', c.path, { purge: 'perhaps' }), 400, 'general_argument_invalid')
		fails(await call('POST', `/databases/${c.db}/collections`, { collectionId: 'x', name: 'x', enabled: 'true' }), 400, 'general_argument_invalid')
	})
	test('the width of its rows grows with its attributes, up to what is refused', async () => {
		const c = await place(), used = async () => (await ok('GET', c.path)).bytesUsed, none = await used()
		assert.equal((await ok('GET', c.path)).bytesMax, 65535)
		await c.attr('string', { key: 'a', size: 100 })
		assert.equal(await used(), none + 401)
		await c.attr('integer', { key: 'b', max: 5 })
		assert.equal(await used(), none + 405)
		const left = 65535 - await used(), fits = Math.floor((left - 1 - 2) / 4)
		fails(await c.attr('string', { key: 'c', size: fits + 1 }), 400, 'attribute_limit_exceeded')
		assert.equal((await c.attr('string', { key: 'c', size: fits })).status, 202)
		assert.ok(await used() < 65535)
		assert.equal((await ok('GET', `/databases/${c.db}/collections`)).collections[0].bytesUsed, await used())
	})
})

const TEXTS = ['text', 'mediumtext', 'longtext']
/* path segment: [what a new one is asked for, type shown, what is shown besides] */
const kinds = {
	string: [{ size: 10, default: 'x' }, 'string', { size: 10, default: 'x', encrypt: false }],
	varchar: [{ size: 200, default: '' }, 'varchar', { size: 200, default: '', encrypt: false }],
	text: [{ default: 'x' }, 'text', { default: 'x', encrypt: false }],
	mediumtext: [{ array: true }, 'mediumtext', { default: null, encrypt: false }],
	longtext: [{ required: true }, 'longtext', { default: null, encrypt: false }],
	email: [{}, 'string', { format: 'email', default: null }],
	enum: [{ elements: ['a', 'b'], default: 'a' }, 'string', { elements: ['a', 'b'], format: 'enum', default: 'a' }],
	ip: [{}, 'string', { format: 'ip', default: null }],
	url: [{}, 'string', { format: 'url', default: null }],
	integer: [{ min: 1, max: 5 }, 'integer', { min: 1, max: 5, default: null }],
	bigint: [{ max: 5, default: -7 }, 'bigint', { min: -9223372036854775808, max: 5, default: -7 }],
	float: [{ default: 0.5 }, 'double', { min: -1.7976931348623157e308, max: 1.7976931348623157e308, default: 0.5 }],
	boolean: [{ default: true }, 'boolean', { default: true }],
	datetime: [{}, 'datetime', { format: '', default: null }],
}

describe('attributes', () => {
	test('every type, with the members of today in their order', async () => {
		const c = await place()
		for (const [path, [body, type, more]] of Object.entries(kinds)) {
			const r = await c.attr(path, { key: path, ...body })
			assert.equal(r.status, 202, r.text)
			keysOf(r.body, 'key type status error required array $createdAt $updatedAt ' + Object.keys(more).join(' '))
			isTime(r.body.$createdAt)
			assert.deepEqual(r.body, { key: path, type, status: 'processing', error: '', required: body.required ?? false, array: body.array ?? false, $createdAt: r.body.$createdAt, $updatedAt: r.body.$createdAt, ...more })
			assert.deepEqual(await c.get(path), { ...r.body, status: 'available' })
		}
		assert.deepEqual((await ok('GET', c.path)).attributes, (await ok('GET', `${c.path}/attributes`)).attributes)
	})
	test('members by version', async () => {
		const c = await place(), base = 'key type status required array size default'
		await c.attr('string', { key: 's', size: 5 })
		for (const [version, keys] of [['1.3.0', base], ['1.4.0', 'key type status error required array size default'], ['1.6.0', 'key type status error required array $createdAt $updatedAt size default'],
			['1.8.0', 'key type status error required array $createdAt $updatedAt size default encrypt']]) {
			keysOf(await c.get('s', speaks(version)), keys)
			keysOf((await ok('GET', `${c.path}/attributes`, undefined, speaks(version))).attributes[0], keys)
			keysOf((await ok('GET', c.path, undefined, speaks(version))).attributes[0], keys)
		}
		keysOf((await p.call('GET', `${c.path}/attributes/s`)).body, base)
	})
	test('what the texts hold: characters of those with a size, bytes of the others', async () => {
		const c = await place()
		await c.attr('varchar', { key: 'v', size: 3 })
		for (const type of TEXTS) await c.attr(type, { key: type })
		await c.attr('text', { key: 'list', array: true })
		const put = (data) => call('POST', c.docs, { documentId: 'unique()', data })
		const d = await ok('POST', c.docs, { documentId: 'a', data: { v: 'äöü', text: 'ä'.repeat(32767), mediumtext: 'x'.repeat(70000), longtext: 'y'.repeat(70000), list: ['a', null, 'b'] } })
		const r = await ok('GET', `${c.docs}/a`)
		for (const k of ['v', ...TEXTS, 'list']) assert.deepEqual(r[k], d[k])
		for (const data of [{ v: 'äöüx' }, { text: 'ä'.repeat(32768) }, { text: 5 }, { list: ['x'.repeat(65536)] }, { list: 'x' }]) fails(await put(data), 400, 'document_invalid_structure')
		assert.deepEqual((await ok('GET', c.docs, undefined, { query: { queries: [json('equal', 'v', ['ÄÖÜ']), json('startsWith', 'text', ['ä'])] } })).total, 1)
	})
	test('bigint: 64 bits, also as text', async () => {
		const c = await place()
		await c.attr('bigint', { key: 'n' })
		const raw = (v) => p.call('POST', c.docs, { headers: { 'content-type': 'application/json' }, body: `{"documentId":"unique()","data":{"n":${v}}}` })
		for (const v of ['9223372036854775807', '-9223372036854775808', '"9007199254740993"']) {
			const r = await raw(v)
			assert.equal(r.status, 201)
			assert.ok(r.text.includes(`"n":${v.replaceAll('"', '')},`), r.text)
		}
		for (const v of ['9223372036854775808', '"x"', '1.5', 'true']) fails(await raw(v), 400, 'document_invalid_structure')
	})
	for (const [type, body, status, error] of [
		['varchar', { size: 16382 }, 400, 'general_argument_invalid'], ['varchar', { size: 0 }, 400, 'general_argument_invalid'], ['varchar', {}, 400, 'general_argument_invalid'],
		['varchar', { size: 3, default: 'long' }, 400, 'attribute_value_invalid'], ['varchar', { size: 16381 }, 400, 'attribute_limit_exceeded'], ['varchar', { size: 149, encrypt: true }, 400, 'general_bad_request'],
		['string', { size: 149, encrypt: true }, 400, 'general_bad_request'], ['string', { size: 200, encrypt: 'true' }, 400, 'general_argument_invalid'], ['string', { size: 200, default: '', required: true }, 400, 'attribute_default_unsupported'],
		...TEXTS.flatMap((t) => [[t, { default: 'x', required: true }, 400, 'attribute_default_unsupported'], [t, { default: 5 }, 400, 'general_argument_invalid'], [t, { required: null }, 400, 'general_argument_invalid']]),
		['text', { default: 'x'.repeat(65536) }, 400, 'attribute_value_invalid'], ['text', { default: 'x', array: true }, 400, 'attribute_default_unsupported'],
		['bigint', { min: 5, max: 1 }, 400, 'attribute_value_invalid'], ['bigint', { max: 5, default: 6 }, 400, 'attribute_value_invalid'], ['bigint', { default: '5' }, 400, 'general_argument_invalid'],
		['enum', { elements: ['a', ''] }, 400, 'general_argument_invalid'], ['enum', { elements: ['x'.repeat(256)] }, 400, 'general_argument_invalid'], ['enum', { elements: ['a'], default: 'b' }, 400, 'attribute_value_invalid'],
	])
		test(`refused: ${type} ${JSON.stringify(body).slice(0, 60)}`, async () => {
			const c = await place()
			fails(await c.attr(type, { key: 'x', ...body }), status, error)
			assert.equal((await ok('GET', `${c.path}/attributes`)).total, 0)
		})
	test('what 1.0 took of elements and defaults', async () => {
		const c = await place(), old = { headers: {} }
		assert.equal((await c.attr('enum', { key: 'e', elements: ['x'.repeat(300)] }, old)).status, 202)
		fails(await c.attr('enum', { key: 'f', elements: [''] }, old), 400, 'attribute_value_invalid')
		assert.equal((await c.attr('string', { key: 's', size: 5, default: '' }, old)).body.default, null)
		assert.equal((await c.attr('string', { key: 't', size: 5, default: '' })).body.default, '')
	})
})

describe('encrypted attributes', () => {
	test('are clear to clients', async () => {
		const c = await place(), secret = 'the quick brown fox', more = { s: secret, list: ['one', secret, null], t: secret.repeat(50) }
		await c.attr('string', { key: 's', size: 150, encrypt: true })
		await c.attr('varchar', { key: 'list', size: 150, array: true, encrypt: true })
		await c.attr('text', { key: 't', encrypt: true })
		await c.attr('text', { key: 'd', encrypt: true, default: 'by default' })
		assert.equal((await c.get('s')).encrypt, true)
		const d = await ok('POST', c.docs, { documentId: 'a', data: more })
		for (const doc of [d, await ok('GET', `${c.docs}/a`), (await ok('GET', c.docs)).documents[0]]) assert.deepEqual({ s: doc.s, list: doc.list, t: doc.t, d: doc.d }, { ...more, d: 'by default' })
		assert.equal((await ok('PATCH', `${c.docs}/a`, { data: { s: 'other' } })).s, 'other')
		const r = await ok('GET', `${c.docs}/a`)
		assert.deepEqual([r.s, r.t], ['other', more.t])
		assert.equal((await ok('PATCH', `${c.docs}/a`, { data: { s: null } })).s, null)
		fails(await call('POST', c.docs, { documentId: 'b', data: { s: 'x'.repeat(151) } }), 400, 'document_invalid_structure')
	})
	test('a patch with what is there is none, and no operator works on them', async () => {
		const c = await place()
		await c.attr('string', { key: 's', size: 150, encrypt: true })
		await c.attr('text', { key: 'l', encrypt: true, array: true })
		const d = await ok('POST', c.docs, { documentId: 'a', data: { s: 'x', l: ['y'] } })
		assert.equal((await ok('PATCH', `${c.docs}/a`, { data: { s: 'x', l: ['y'] } })).$updatedAt, d.$updatedAt)
		for (const [key, method] of [['s', 'stringConcat'], ['l', 'arrayAppend']])
			fails(await call('PATCH', `${c.docs}/a`, { data: { [key]: JSON.stringify({ method, values: ['z'] }) } }), 400, 'document_invalid_structure')
		const r = await ok('GET', `${c.docs}/a`)
		assert.deepEqual([r.s, r.l], ['x', ['y']])
		const many = await ok('POST', c.docs, { documents: [{ $id: 'b', s: 'many', l: ['of', null] }, { $id: 'c', s: null }] })
		assert.deepEqual(many.documents.map((one) => [one.s, one.l]), [['many', ['of', null]], [null, []]])
		assert.deepEqual((await ok('GET', `${c.docs}/b`)).l, ['of', null])
	})
	test('nothing can be asked of them, and no index is made', async () => {
		const c = await place()
		await c.attr('string', { key: 's', size: 150, encrypt: true })
		await ok('POST', c.docs, { documentId: 'a', data: { s: 'x' } })
		for (const query of [json('equal', 's', ['x']), json('isNull', 's'), json('orderAsc', 's'), { method: 'or', values: [JSON.parse(json('equal', 's', ['x'])), JSON.parse(json('equal', '$id', ['x']))] }]) {
			const r = await call('GET', c.docs, undefined, { query: { queries: [typeof query === 'string' ? query : JSON.stringify(query)] } })
			fails(r, 400, 'general_query_invalid')
			assert.match(r.body.message, /Cannot query encrypted attribute: s/)
		}
		assert.equal((await ok('GET', `${c.docs}/a`, undefined, { query: { queries: [json('select', undefined, ['s'])] } })).s, 'x')
		for (const type of ['key', 'unique', 'fulltext']) fails(await c.index({ key: 'x', type, attributes: ['s'] }), 400, 'index_invalid')
		assert.equal((await c.index({ key: 'x', attributes: ['s'] }, { headers: {} })).status, 202)
		await until('failed', async () => (await ok('GET', `${c.path}/indexes/x`)).status === 'failed')
		assert.match((await ok('GET', `${c.path}/indexes/x`)).error, /encrypted/)
	})
})

describe('changes of attributes', () => {
	test('every type: members of today, and what is left out stays', async () => {
		const c = await place()
		for (const [path, [body, type, more]] of Object.entries(kinds)) {
			await c.attr(path, { key: path, ...body })
			const before = await c.get(path), r = await c.patch(path, path, { required: true, ...(path === 'enum' ? { elements: ['z'] } : {}) })
			assert.equal(r.status, 200, r.text)
			keysOf(r.body, 'key type status error required array $createdAt $updatedAt ' + Object.keys(more).join(' '))
			assert.deepEqual(r.body, { ...before, required: true, default: null, $updatedAt: r.body.$updatedAt, ...(path === 'enum' ? { elements: ['z'] } : {}) })
			assert.ok(r.body.$updatedAt >= before.$updatedAt)
			assert.deepEqual(await c.get(path), r.body)
		}
	})
	test('defaults count for documents that come', async () => {
		const c = await place()
		await c.attr('integer', { key: 'n', default: 1 })
		await c.attr('string', { key: 's', size: 10 })
		const old = await ok('POST', c.docs, { documentId: 'a', data: { s: 'x' } })
		assert.equal((await c.patch('integer', 'n', { default: 2 })).body.default, 2)
		assert.equal((await c.patch('string', 's', { default: '' })).body.default, '')
		const d = await ok('POST', c.docs, { documentId: 'b', data: { n: null } })
		assert.deepEqual([old.n, d.n, d.s, (await ok('GET', `${c.docs}/a`)).n], [1, 2, '', 1])
		assert.equal((await c.patch('integer', 'n', {})).body.default, null)
		assert.equal((await ok('POST', c.docs, { documentId: 'c', data: { s: 'x' } })).n, null)
	})
	test('required does not look at what is stored, but at what is written', async () => {
		const c = await place()
		await c.attr('boolean', { key: 'b' })
		await c.attr('integer', { key: 'n' })
		await ok('POST', c.docs, { documentId: 'a', data: { n: 1 } })
		assert.equal((await c.patch('boolean', 'b', { required: true })).status, 200)
		assert.equal((await ok('GET', `${c.docs}/a`)).b, null)
		fails(await call('PATCH', `${c.docs}/a`, { data: { n: 2 } }), 400, 'document_invalid_structure')
		fails(await call('POST', c.docs, { documentId: 'b', data: { n: 2 } }), 400, 'document_invalid_structure')
		assert.equal((await ok('PATCH', `${c.docs}/a`, { data: { b: true } })).b, true)
	})
	test('bounds and elements', async () => {
		const c = await place(), put = (data) => call('POST', c.docs, { documentId: 'unique()', data })
		await c.attr('integer', { key: 'n', min: 0, max: 10 })
		await c.attr('float', { key: 'f', max: 1 })
		await c.attr('enum', { key: 'e', elements: ['a', 'b'] })
		await ok('POST', c.docs, { documentId: 'a', data: { n: 10, e: 'a' } })
		const r = await c.patch('integer', 'n', { max: 5, default: 3 })
		assert.deepEqual([r.body.min, r.body.max, r.body.default], [0, 5, 3])
		assert.equal((await c.patch('float', 'f', { min: 0.5, max: 2.5 })).body.min, 0.5)
		assert.deepEqual((await c.patch('enum', 'e', { elements: ['b', 'c'], default: 'c' })).body.elements, ['b', 'c'])
		fails(await put({ n: 6 }), 400, 'document_invalid_structure')
		fails(await put({ f: 0.4 }), 400, 'document_invalid_structure')
		fails(await put({ e: 'a' }), 400, 'document_invalid_structure')
		assert.equal((await put({ n: 5, f: 2, e: 'c' })).status, 201)
		assert.equal((await ok('GET', `${c.docs}/a`)).e, 'a')
		fails(await c.patch('integer', 'n', { min: 6 }), 400, 'attribute_value_invalid')
		fails(await c.patch('integer', 'n', { default: 7 }), 400, 'attribute_value_invalid')
		fails(await c.patch('float', 'f', { min: 3 }), 400, 'attribute_value_invalid')
		fails(await c.patch('enum', 'e', { elements: ['x'], default: 'c' }), 400, 'attribute_value_invalid')
		fails(await c.patch('enum', 'e', { elements: [] }), 400, 'attribute_value_invalid')
		fails(await c.patch('enum', 'e', { elements: ['', 'x'] }), 400, 'general_argument_invalid')
		fails(await c.patch('enum', 'e', {}), 400, 'general_argument_invalid')
	})
	test('sizes: larger, smaller, and not smaller than what is stored', async () => {
		const c = await place(), at = `${c.docs}/a`
		await c.attr('string', { key: 's', size: 10 })
		await c.attr('varchar', { key: 'l', size: 10, array: true })
		await c.attr('string', { key: 'x', size: 500, encrypt: true })
		await ok('POST', c.docs, { documentId: 'a', data: { s: 'äöüÄÖÜß', l: ['a', null, '12345'], x: 'ä'.repeat(160) } })
		for (const [type, key, bad, good] of [['string', 's', 6, 7], ['varchar', 'l', 4, 5], ['string', 'x', 159, 160]]) {
			fails(await c.patch(type, key, { size: bad }), 400, 'attribute_invalid_resize')
			assert.notEqual((await c.get(key)).size, bad)
			assert.equal((await c.patch(type, key, { size: good })).body.size, good)
			assert.equal((await c.patch(type, key, { size: good + 100 })).body.size, good + 100)
			assert.equal((await c.patch(type, key, {})).body.size, good + 100)
		}
		assert.equal((await ok('PATCH', at, { data: { s: 'x'.repeat(107) } })).s.length, 107)
		fails(await call('PATCH', at, { data: { s: 'x'.repeat(108) } }), 400, 'document_invalid_structure')
		fails(await c.patch('string', 'x', { size: 149 }), 400, 'general_bad_request')
		fails(await c.patch('string', 's', { size: 16200 }), 400, 'attribute_limit_exceeded')
		fails(await c.patch('varchar', 'l', { size: 16382 }), 400, 'general_argument_invalid')
		assert.equal((await c.patch('string', 's', { size: 20000 })).status, 200)
		assert.equal((await ok('GET', at)).s.length, 107)
	})
	test('a size that an index does not hold is refused; one that it holds otherwise makes it anew', async () => {
		const c = await place()
		await c.attr('string', { key: 's', size: 100 })
		await ok('POST', c.docs, { documentId: 'a', data: { s: 'x' } })
		assert.equal((await c.index({ key: 'i', type: 'unique', attributes: ['s'] })).status, 202)
		const available = () => until('available', async () => (await ok('GET', `${c.path}/indexes/i`)).status === 'available')
		await available()
		const r = await c.patch('string', 's', { size: 769 })
		fails(r, 400, 'index_invalid')
		assert.equal(r.body.message, 'Index length is longer than the maximum: 768')
		assert.equal((await c.patch('string', 's', { size: 768 })).status, 200)
		await available()
		const long = '€'.repeat(760)
		assert.equal((await call('POST', c.docs, { documentId: 'b', data: { s: long } })).status, 201)
		assert.equal((await call('POST', c.docs, { documentId: 'c', data: { s: long } })).status, 409)
		assert.equal((await ok('GET', c.docs, undefined, { query: { queries: [json('equal', 's', [long])] } })).total, 1)
	})
	test('another key: values, indexes and queries go with it', async () => {
		const c = await place()
		await c.attr('string', { key: 'title', size: 50 })
		await c.attr('integer', { key: 'year' })
		await ok('POST', c.docs, { documentId: 'a', data: { title: 'Emma', year: 1815 } })
		await c.index({ key: 'i', attributes: ['title', 'year'], orders: ['ASC', 'DESC'] })
		await until('available', async () => (await ok('GET', `${c.path}/indexes/i`)).status === 'available')
		assert.equal((await c.patch('string', 'title', { newKey: 'name' })).body.key, 'name')
		fails(await call('GET', `${c.path}/attributes/title`), 404, 'attribute_not_found')
		const d = await ok('GET', `${c.docs}/a`)
		assert.deepEqual([d.name, 'title' in d], ['Emma', false])
		const i = await ok('GET', `${c.path}/indexes/i`)
		assert.deepEqual([i.attributes, i.status], [['name', 'year'], 'available'])
		assert.equal((await ok('GET', c.docs, undefined, { query: { queries: [json('equal', 'name', ['emma'])] } })).total, 1)
		fails(await call('PATCH', `${c.docs}/a`, { data: { title: 'x' } }), 400, 'document_invalid_structure')
		fails(await c.patch('string', 'name', { newKey: 'YEAR' }), 409, 'attribute_already_exists')
		fails(await c.patch('string', 'name', { newKey: '_x' }), 400, 'general_argument_invalid')
		assert.equal((await c.patch('string', 'name', { newKey: 'name' })).status, 200)
		assert.equal((await c.patch('string', 'name', { newKey: 'Name' })).body.key, 'Name')
		assert.equal((await c.attr('boolean', { key: 'title' })).status, 202)
		assert.equal((await ok('GET', `${c.docs}/a`)).title, null)
	})
	test('errors', async () => {
		const c = await place()
		await c.attr('string', { key: 's', size: 10 })
		await c.attr('integer', { key: 'l', array: true })
		for (const [path, [body]] of Object.entries(kinds)) {
			const more = path === 'enum' ? { elements: ['a'] } : {}
			fails(await c.patch(path, 'none', more), 404, 'attribute_not_found')
			fails(await call('PATCH', `/databases/${c.db}/collections/none/attributes/${path}/s`, { required: false, default: null, ...more }), 404, 'collection_not_found')
			if (path !== 'string') fails(await c.patch(path, 's', more), 400, 'attribute_type_invalid')
			fails(await call('PATCH', `${c.path}/attributes/${path}/s`, { required: false, ...more }), 400, 'general_argument_invalid')
			fails(await call('PATCH', `${c.path}/attributes/${path}/s`, { default: null, ...more }), 400, 'general_argument_invalid')
		}
		fails(await call('PATCH', `/databases/none/collections/${c.col}/attributes/string/s`, { required: false, default: null }), 404, 'database_not_found')
		fails(await c.patch('string', 's', { required: true, default: 'x' }), 400, 'attribute_default_unsupported')
		fails(await c.patch('integer', 'l', { default: 1 }), 400, 'attribute_default_unsupported')
		fails(await c.patch('string', 's', { default: 'x'.repeat(11) }), 400, 'attribute_value_invalid')
		fails(await c.patch('string', 's', { default: 5 }), 400, 'general_argument_invalid')
	})
	test('many at once: each is made, none is lost', async () => {
		const c = await place()
		await c.attr('integer', { key: 'n' })
		for (let i = 0; i < 8; i++) await c.attr('boolean', { key: `b${i}` })
		const all = await Promise.all([...Array(8).keys()].map((i) => c.patch('boolean', `b${i}`, { newKey: `c${i}` })))
		assert.deepEqual(all.map((r) => r.status), Array(8).fill(200))
		assert.deepEqual((await ok('GET', `${c.path}/attributes`)).attributes.map((a) => a.key), ['n', ...[...Array(8).keys()].map((i) => `c${i}`)])
	})
})

describe('indexes', () => {
	const settled = (c, key, status = 'available') => until(`${key} is ${status}`, async () => (await ok('GET', `${c.path}/indexes/${key}`)).status === status)
	const schema = { s: ['string', { size: 100 }], wide: ['string', { size: 769 }], v: ['varchar', { size: 700 }], t: ['text', {}], n: ['integer', {}], f: ['float', {}], b: ['boolean', {}], d: ['datetime', {}], list: ['string', { size: 10, array: true }] }
	let c
	before(async () => {
		c = await place()
		for (const [key, [type, body]] of Object.entries(schema)) assert.equal((await c.attr(type, { key, ...body })).status, 202)
	})
	test('members by version', async () => {
		const r = await c.index({ key: 'm', attributes: ['s', 'n', 't'], orders: ['ASC', 'desc'], lengths: [20, null, 30] })
		assert.equal(r.status, 202, r.text)
		keysOf(r.body, '$id $createdAt $updatedAt key type status error attributes lengths orders')
		assert.match(r.body.$id, /^\d+_\d+_m$/)
		isTime(r.body.$createdAt)
		assert.deepEqual({ ...r.body, $id: '', $createdAt: '', $updatedAt: '' }, { $id: '', $createdAt: '', $updatedAt: '', key: 'm', type: 'key', status: 'processing', error: '', attributes: ['s', 'n', 't'], lengths: [20, null, 30], orders: ['ASC', 'desc'] })
		await settled(c, 'm')
		assert.deepEqual(await ok('GET', `${c.path}/indexes/m`), { ...r.body, status: 'available' })
		for (const [version, keys] of [['1.3.0', 'key type status attributes orders'], ['1.4.0', 'key type status error attributes orders'], ['1.6.0', '$createdAt $updatedAt key type status error attributes orders'], ['1.7.0', '$createdAt $updatedAt key type status error attributes lengths orders']]) {
			keysOf(await ok('GET', `${c.path}/indexes/m`, undefined, speaks(version)), keys)
			keysOf((await ok('GET', `${c.path}/indexes`, undefined, speaks(version))).indexes[0], keys)
			keysOf((await ok('GET', c.path, undefined, speaks(version))).indexes[0], keys)
		}
		assert.equal((await call('DELETE', `${c.path}/indexes/m`)).status, 204)
	})
	for (const [body, words] of [
		[{ attributes: [] }, 'No attributes provided for index'], [{ attributes: ['n', 'n'] }, 'Duplicate attributes provided'], [{ key: 'primary', attributes: ['n'] }, 'Index key name is reserved'],
		[{ type: 'fulltext', attributes: ['n'] }, 'Attribute "n" cannot be part of a fulltext index, must be of type string'], [{ type: 'fulltext', attributes: ['$createdAt'] }, 'must be of type string'],
		[{ attributes: ['n'], lengths: [5] }, 'Cannot set a length on "integer" attributes'], [{ attributes: ['b'], lengths: [5] }, 'Cannot set a length on "boolean" attributes'],
		[{ attributes: ['s'], lengths: [-1] }, 'Negative index length provided for s'], [{ attributes: ['s'], lengths: [101] }, 'Index length 101 is larger than the size for s: 100'],
		[{ attributes: ['s'], lengths: [1, 2] }, 'lengths'], [{ attributes: ['wide'] }, 'Index length is longer than the maximum: 768'], [{ type: 'unique', attributes: ['wide'] }, 'maximum: 768'],
		[{ attributes: ['t'] }, 'maximum: 768'], [{ attributes: ['s', 'v'] }, 'maximum: 768'], [{ attributes: ['s', 'v'], lengths: [69, null] }, 'maximum: 768'], [{ attributes: ['list'] }, 'array'],
		[{ type: 'spatial', attributes: ['n'] }, 'exactly one attribute'],
	])
		test(`refused: ${JSON.stringify(body)}`, async () => {
			const r = await c.index({ key: 'x', ...body })
			fails(r, 400, 'index_invalid')
			assert.ok(r.body.message.includes(words), r.body.message)
		})
	test('refused as before', async () => {
		for (const body of [{ type: 'KEY', attributes: ['n'] }, { type: 'array', attributes: ['n'] }, { attributes: ['n'], lengths: ['5'] }, { attributes: ['n'], lengths: 5 }, { attributes: ['n'], lengths: Array(101).fill(null) }, { attributes: ['n'], orders: ['UP'] }])
			fails(await c.index({ key: 'x', ...body }), 400, 'general_argument_invalid')
		fails(await c.index({ key: 'x', attributes: ['none', 'n', 'n'] }), 400, 'attribute_unknown')
	})
	test('what the rules allow works', async () => {
		const good = [{ attributes: ['v', 'f', 'n'] }, { attributes: ['t'], lengths: [768] }, { attributes: ['wide', 's'], lengths: [600, 0] }, { type: 'fulltext', attributes: ['t'] }, { type: 'fulltext', attributes: ['t'] }, { type: 'unique', attributes: ['wide', '$id'], lengths: [700] },
			{ attributes: ['$createdAt', '$updatedAt', '$id'] }, { attributes: ['d', 'b'], orders: [] }]
		for (const [i, body] of good.entries()) assert.equal((await c.index({ key: `good${i}`, ...body })).status, 202)
		for (const i of good.keys()) await settled(c, `good${i}`)
		assert.deepEqual((await ok('GET', `${c.path}/indexes/good2`)).lengths, [600, null])
		await ok('POST', c.docs, { documentId: 'a', data: { t: 'x'.repeat(60000), wide: 'y'.repeat(769), v: '€'.repeat(700), n: 1, list: ['a'] } })
		for (const [k, v] of [['t', 'x'.repeat(60000)], ['wide', 'y'.repeat(769)]]) assert.equal((await call('GET', c.docs, undefined, { query: { queries: [json('startsWith', k, [v.slice(0, 100)])] } })).body.total, 1)
	})
	test('unique by the first characters', async () => {
		const own = await place(), put = (s) => call('POST', own.docs, { documentId: 'unique()', data: { s } })
		await own.attr('string', { key: 's', size: 3000 })
		await own.index({ key: 'u', type: 'unique', attributes: ['s'], lengths: [5] })
		await settled(own, 'u')
		assert.equal((await put('abcde1')).status, 201)
		assert.equal((await put('ABCDE2')).status, 409)
		assert.equal((await put('abcdf')).status, 201)
		assert.equal((await put(null)).status, 201)
		assert.equal((await put(null)).status, 201)
	})
	test('why it failed is said', async () => {
		const own = await place()
		await own.attr('integer', { key: 'n' })
		for (const id of ['a', 'b']) await ok('POST', own.docs, { documentId: id, data: { n: 1 } })
		await own.index({ key: 'u', type: 'unique', attributes: ['n'] })
		await settled(own, 'u', 'failed')
		const x = await ok('GET', `${own.path}/indexes/u`)
		assert.equal(x.error, 'documents have equal values')
		assert.deepEqual((await ok('GET', own.path)).indexes[0], x)
		assert.equal((await call('DELETE', `${own.path}/indexes/u`)).status, 204)
	})
	test('an attribute that goes takes its length along', async () => {
		const own = await place()
		for (const key of ['a', 'b', 'c']) await own.attr('string', { key, size: 50 })
		await own.index({ key: 'i', attributes: ['a', 'b', 'c'], orders: ['ASC', 'DESC', 'ASC'], lengths: [10, 20, 30] })
		await settled(own, 'i')
		await ok('DELETE', `${own.path}/attributes/a`)
		await until('it is shorter', async () => (await ok('GET', `${own.path}/indexes/i`)).attributes.length === 2)
		const x = await ok('GET', `${own.path}/indexes/i`)
		assert.deepEqual([x.attributes, x.orders, x.lengths], [['b', 'c'], ['DESC', 'ASC'], [20, 30]])
		await settled(own, 'i')
	})
})
