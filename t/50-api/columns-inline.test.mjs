/* A collection that is created with its attributes and indexes: all of it, or nothing. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { server, unique } from '../lib/server.mjs'
import { json } from './docs.mjs'
import { fails } from './lib.mjs'

let s, p, db
const today = { headers: { 'x-appwrite-response-format': '1.9.6' } }
const call = (method, path, body, o = {}) => p.call(method, path, { body, ...today, ...o })
async function ok(method, path, body, o) {
	const r = await call(method, path, body, o)
	assert.ok(r.status < 300, r.text)
	return r.body
}
before(async () => {
	s = await server()
	p = await s.project()
	db = (await ok('POST', '/databases', { databaseId: unique('d'), name: 'Test' })).$id
})
const cols = () => `/databases/${db}/collections`
const make = (attributes, indexes, more = {}, o = {}) => call('POST', cols(), { collectionId: unique('c'), name: 'Test', attributes, indexes, ...more }, o)
const made = async (attributes, indexes, more) => { const r = await make(attributes, indexes, more); assert.equal(r.status, 201, r.text); return r.body }
const str = (key, more = {}) => ({ key, type: 'string', size: 20, ...more })

/* definition: [type shown, what is shown besides] */
const kinds = [
	[{ type: 'string', size: 10, default: 'x' }, 'string', { size: 10, default: 'x', encrypt: false }],
	[{ type: 'varchar', size: 200, required: true }, 'varchar', { size: 200, default: null, encrypt: false }],
	[{ type: 'text', size: 5, array: true }, 'text', { default: null, encrypt: false }],
	[{ type: 'mediumtext' }, 'mediumtext', { default: null, encrypt: false }],
	[{ type: 'longtext', default: 'y' }, 'longtext', { default: 'y', encrypt: false }],
	[{ type: 'string', format: 'email', default: 'a@b.test' }, 'string', { format: 'email', default: 'a@b.test' }],
	[{ type: 'email' }, 'string', { format: 'email', default: null }],
	[{ type: 'varchar', format: 'ip' }, 'string', { format: 'ip', default: null }],
	[{ type: 'url', format: 'url', default: 'https://a.test' }, 'string', { format: 'url', default: 'https://a.test' }],
	[{ type: 'enum', elements: ['a', 'b'], default: 'b' }, 'string', { elements: ['a', 'b'], format: 'enum', default: 'b' }],
	[{ type: 'integer', min: 1, max: 5, default: 3 }, 'integer', { min: 1, max: 5, default: 3 }],
	[{ type: 'integer' }, 'integer', { min: null, max: null, default: null }],
	[{ type: 'integer', signed: false }, 'integer', { min: 0, max: null, default: null }],
	[{ type: 'bigint', max: 5 }, 'bigint', { min: null, max: 5, default: null }],
	[{ type: 'double', min: 0.5, default: 1.5 }, 'double', { min: 0.5, max: null, default: 1.5 }],
	[{ type: 'boolean', default: true }, 'boolean', { default: true }],
	[{ type: 'datetime' }, 'datetime', { format: '', default: null }],
]

describe('a collection with attributes and indexes', () => {
	test('every type: available at once, in their order, and used', async () => {
		const c = await made(kinds.map(([o], i) => ({ key: `k${i}`, ...o })), [
			{ key: 'by_num', type: 'key', attributes: ['k10', 'k15'], orders: ['DESC', null] }, { key: 'one', type: 'unique', attributes: ['k1'], lengths: [50] },
			{ key: 'words', type: 'fulltext', attributes: ['k0'], orders: [''] }, { key: 'of_system', type: 'key', attributes: ['$createdAt'] }])
		assert.equal(c.attributes.length, kinds.length)
		for (const [i, [o, type, more]] of kinds.entries()) {
			const { $createdAt, $updatedAt, ...rest } = c.attributes[i]
			assert.deepEqual(rest, { key: `k${i}`, type, status: 'available', error: '', required: o.required ?? false, array: o.array ?? false, ...more })
			assert.equal($createdAt, c.$createdAt)
			assert.equal($updatedAt, c.$createdAt)
		}
		assert.deepEqual(c.indexes.map((x) => [x.key, x.type, x.status, x.orders, x.lengths]), [['by_num', 'key', 'available', ['DESC', 'ASC'], [null, null]],
			['one', 'unique', 'available', [], [50]], ['words', 'fulltext', 'available', ['ASC'], [null]], ['of_system', 'key', 'available', [], [null]]])
		const path = `${cols()}/${c.$id}`, docs = `${path}/documents`
		assert.deepEqual(await ok('GET', path), c)
		assert.deepEqual((await ok('GET', `${path}/attributes`)).attributes, c.attributes)
		await ok('POST', docs, { documentId: 'a', data: { k1: 'x', k0: 'some words' } })
		const d = await ok('GET', `${docs}/a`)
		assert.deepEqual([d.k5, d.k9, d.k10, d.k14, d.k15, d.k2], ['a@b.test', 'b', 3, 1.5, true, []])
		fails(await call('POST', docs, { documentId: 'b', data: { k1: 'x' } }), 409, 'document_unique_constraint_violation')
		fails(await call('POST', docs, { documentId: 'b', data: { k1: 'y', k12: -1 } }), 400, 'document_invalid_structure')
		assert.equal((await ok('GET', docs, undefined, { query: { queries: [json('search', 'k0', ['words'])] } })).total, 1)
		/* they are as any others from here on */
		assert.equal((await call('PATCH', `${path}/attributes/integer/k10`, { required: false, default: 4 })).body.default, 4)
		assert.equal((await call('POST', `${path}/attributes/boolean`, { key: 'later', required: false })).status, 202)
		assert.equal((await call('DELETE', `${path}/indexes/one`)).status, 204)
		assert.equal((await call('DELETE', `${path}/attributes/k10`)).status, 204)
		assert.deepEqual((await ok('GET', path)).indexes.map((x) => x.attributes), [['k15'], ['k0'], ['$createdAt']])
	})
	test('empty lists are none', async () => {
		const c = await made([], [])
		assert.deepEqual([c.attributes, c.indexes], [[], []])
		assert.deepEqual((await made(undefined, [{ key: 'i', type: 'key', attributes: ['$updatedAt', '$id'] }])).indexes[0].status, 'available')
	})
	test('as many as there may be', async () => {
		const c = await made(Array.from({ length: 100 }, (_, i) => ({ key: `k${i}`, type: 'integer' })), Array.from({ length: 59 }, (_, i) => ({ key: `i${i}`, type: 'key', attributes: [`k${i}`, `k${i + 1}`] })))
		assert.deepEqual([c.attributes.length, c.indexes.length, c.indexes.every((x) => x.status === 'available')], [100, 59, true])
	})
})

const id = (key) => ({ key, type: 'integer' })
const INVALID = [400, 'general_argument_invalid'], INDEX = [400, 'index_invalid']
describe('what is refused', () => {
	for (const [name, attributes, indexes, [status, type]] of [
		['no list', 'x', undefined, INVALID], ['no object', ['x'], undefined, INVALID], ['too many', Array.from({ length: 101 }, (_, i) => id(`k${i}`)), undefined, INVALID],
		['no key', [{ type: 'integer' }], undefined, INVALID], ['a bad key', [id('!')], undefined, INVALID], ['a key twice', [id('a'), id('a')], undefined, INVALID], ['but for its case', [id('a'), id('A')], undefined, INVALID],
		['no type', [{ key: 'a' }], undefined, INVALID], ['the name of a route', [{ key: 'a', type: 'float' }], undefined, INVALID], ['a relationship', [{ key: 'a', type: 'relationship' }], undefined, INVALID],
		['a format that is none', [str('a', { format: 'phone' })], undefined, INVALID], ['a format of a number', [{ ...id('a'), format: 'email' }], undefined, INVALID],
		['no size', [{ key: 'a', type: 'string' }], undefined, INVALID], ['size 0', [str('a', { size: 0 })], undefined, INVALID], ['too large', [str('a', { size: 1073741825 })], undefined, INVALID],
		['required that is no boolean', [str('a', { required: 'yes' })], undefined, INVALID], ['a default beside required', [str('a', { required: true, default: 'x' })], undefined, INVALID],
		['a default of a list', [str('a', { array: true, default: 'x' })], undefined, INVALID], ['a default that is too long', [str('a', { default: 'x'.repeat(21) })], undefined, INVALID],
		['a default of another type', [{ ...id('a'), default: 'x' }], undefined, INVALID], ['a default out of range', [{ ...id('a'), max: 5, default: 6 }], undefined, INVALID],
		['bounds the wrong way', [{ ...id('a'), min: 5, max: 1 }], undefined, INVALID], ['below zero, unsigned', [{ ...id('a'), signed: false, default: -1 }], undefined, INVALID],
		['no elements', [{ key: 'a', type: 'enum' }], undefined, INVALID], ['empty elements', [{ key: 'a', type: 'enum', elements: [] }], undefined, INVALID], ['an empty element', [{ key: 'a', type: 'enum', elements: [''] }], undefined, INVALID],
		['a long element', [{ key: 'a', type: 'enum', elements: ['x'.repeat(256)] }], undefined, INVALID], ['a default that is no element', [{ key: 'a', type: 'enum', elements: ['x'], default: 'y' }], undefined, INVALID],
		['an e-mail that is none', [{ key: 'a', type: 'email', default: 'x' }], undefined, INVALID],
		['an index without attributes', [id('a')], [{ key: 'i', type: 'key' }], INVALID], ['with none', [id('a')], [{ key: 'i', type: 'key', attributes: [] }], INVALID], ['without a key', [id('a')], [{ type: 'key', attributes: ['a'] }], INVALID],
		['of another type', [id('a')], [{ key: 'i', type: 'array', attributes: ['a'] }], INVALID], ['in capitals', [id('a')], [{ key: 'i', type: 'KEY', attributes: ['a'] }], INVALID],
		['fewer orders', [id('a'), id('b')], [{ key: 'i', type: 'key', attributes: ['a', 'b'], orders: ['ASC'] }], INVALID], ['more lengths', [str('a')], [{ key: 'i', type: 'key', attributes: ['a'], lengths: [1, 2] }], INVALID],
		['another order', [id('a')], [{ key: 'i', type: 'key', attributes: ['a'], orders: ['up'] }], INVALID], ['a negative length', [str('a')], [{ key: 'i', type: 'key', attributes: ['a'], lengths: [-1] }], INVALID],
		['an index twice', [id('a')], [{ key: 'i', type: 'key', attributes: ['a'] }, { key: 'I', type: 'key', attributes: ['a'] }], INVALID],
		['too many indexes', [id('a')], Array.from({ length: 60 }, (_, i) => ({ key: `i${i}`, type: 'key', attributes: ['a'] })), INVALID],
		['an unknown attribute', [id('a')], [{ key: 'i', type: 'key', attributes: ['b'] }], INDEX], ['a list', [str('a', { array: true })], [{ key: 'i', type: 'key', attributes: ['a'] }], INDEX],
		['words of a number', [id('a')], [{ key: 'i', type: 'fulltext', attributes: ['a'] }], INDEX], ['too long', [{ key: 'a', type: 'text' }], [{ key: 'i', type: 'key', attributes: ['a'] }], INDEX],
		['a length of a number', [id('a')], [{ key: 'i', type: 'key', attributes: ['a'], lengths: [3] }], INDEX], ['spatial', [id('a')], [{ key: 'i', type: 'spatial', attributes: ['a'] }], INDEX],
		['a row that is too wide', Array.from({ length: 5 }, (_, i) => str(`k${i}`, { size: 4000 })), undefined, [400, 'collection_limit_exceeded']],
	])
		test(name, async () => {
			const collectionId = unique('c'), total = (await ok('GET', cols())).total
			fails(await make(attributes, indexes, { collectionId }), status, type)
			fails(await call('GET', `${cols()}/${collectionId}`), 404, 'collection_not_found')
			assert.equal((await ok('GET', cols())).total, total)
		})
	test('in the order of the contract, and nothing is left', async () => {
		const bad = [{ key: 'a', type: 'none' }], badIndex = [{ key: 'i', type: 'none', attributes: ['a'] }], c = await made([id('a')])
		fails(await call('POST', `/databases/none/collections`, { collectionId: 'x', name: 'x', attributes: bad }), 404, 'database_not_found')
		fails(await make(bad, badIndex, { collectionId: c.$id }), 409, 'collection_already_exists')
		assert.match((await make(bad, badIndex)).body.message, /definition 0: Invalid type/)
		assert.match((await make([id('ok'), { key: 'x', type: 'string' }], [])).body.message, /definition 1: .*"size"/)
		assert.match((await make([id('a')], badIndex)).body.message, /Invalid `indexes` param: definition 0/)
		fails(await make(Array.from({ length: 5 }, (_, i) => str(`k${i}`, { size: 4000 })), [{ key: 'i', type: 'key', attributes: ['k0'] }]), 400, 'index_invalid')
	})
	test('of several requests for one id one makes it, with all that it asked for', async () => {
		const collectionId = unique('c')
		const all = await Promise.all(Array.from({ length: 6 }, (_, i) => make([id(`a${i}`)], [{ key: `i${i}`, type: 'unique', attributes: [`a${i}`] }], { collectionId })))
		const [one, ...more] = all.filter((r) => r.status === 201)
		assert.deepEqual([all.filter((r) => r.status === 409).length, more.length], [5, 0])
		assert.deepEqual(await ok('GET', `${cols()}/${collectionId}`), one.body)
	})
})
