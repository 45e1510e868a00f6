/* Points, lines and polygons: attributes, documents, queries and indexes; and a database that has no PostGIS. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { before, describe, test } from 'node:test'

import { run, server, settings, unique, until } from '../lib/server.mjs'
import { listen } from '../lib/ws.mjs'
import { fails, keysOf } from './lib.mjs'

const base = 'key type status error required array $createdAt $updatedAt default'
const types = { point: 'point', line: 'linestring', polygon: 'polygon' }
const square = (x, y, size) => [[[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]]
const bow = [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]
const hole = [[[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]], [[1, 1], [1, 2], [2, 2], [2, 1], [1, 1]]]
const samples = { point: [8.25, -50.123456789], line: [[0, 0], [1.5, 1], [-180, 90]], polygon: hole }

const speaking = (format, caller) => (method, target, o = {}) => caller(method, target, { ...o, headers: { 'x-appwrite-response-format': format } })
const ok = (r, status) => (assert.ok(status ? r.status === status : r.status < 300, r.text), r.body)
const q = (method, attribute, ...values) => JSON.stringify({ method, attribute, values })

let s, p, key, db
before(async () => {
	s = await server()
	p = await s.project()
	key = speaking('1.9.6', p.call)
	db = ok(await key('POST', '/databases', { body: { databaseId: unique('d'), name: 'Places' } })).$id
})
async function collection(attributes = {}, { call = key, database = db, ...more } = {}) {
	const { $id: id } = ok(await call('POST', `/databases/${database}/collections`, { body: { collectionId: unique('c'), name: 'Places', permissions: ['read("any")'], ...more } }))
	const at = `/databases/${database}/collections/${id}`
	const c = { id, path: at, docs: `${at}/documents`,
		attr: (type, body, o) => call('POST', `${at}/attributes/${type}`, { body: { required: false, ...body }, ...o }),
		patch: (type, name, body) => call('PATCH', `${at}/attributes/${type}/${name}`, { body: { required: false, ...body } }),
		index: (body) => call('POST', `${at}/indexes`, { body: { type: 'spatial', ...body } }),
		get: (name) => call('GET', `${at}/attributes/${name}`).then(ok),
		add: (data, more) => call('POST', `${at}/documents`, { body: { documentId: unique(), data, ...more } }),
		find: async (...queries) => ok(await call('GET', `${at}/documents`, { query: { queries } })).documents.map((d) => d.$id).sort().join(' '),
		asks: (...queries) => call('GET', `${at}/documents`, { query: { queries } }) }
	for (const [name, type] of Object.entries(attributes)) ok(await c.attr(type, { key: name }), 202)
	if (Object.keys(attributes).length) await until('attributes', async () => ok(await call('GET', `${at}/attributes`)).attributes.every((a) => a.status === 'available'))
	return c
}
const all = { p: 'point', l: 'line', g: 'polygon' }

describe('attributes', () => {
	for (const [segment, type] of Object.entries(types)) {
		test(`${segment}: made, shown, changed`, async () => {
			const c = await collection(), value = samples[segment]
			const a = ok(await c.attr(segment, { key: 'one', default: value }), 202)
			keysOf(a, base)
			assert.deepEqual([a.key, a.type, a.status, a.required, a.array, a.default], ['one', type, 'processing', false, false, value])
			assert.deepEqual(await c.get('one'), { ...a, status: 'available' })
			assert.deepEqual(ok(await key('GET', c.path)).attributes, [{ ...a, status: 'available' }])
			assert.deepEqual(ok(await c.attr(segment, { key: 'two', required: true }), 202).default, null)
			const changed = ok(await c.patch(segment, 'one', { default: value, newKey: 'uno' }), 200)
			assert.deepEqual([changed.key, changed.default], ['uno', value])
			assert.equal(ok(await c.patch(segment, 'uno', {}), 200).default, null, 'left out: none')
			assert.equal(ok(await c.patch(segment, 'uno', { required: true, default: null }), 200).required, true)
			fails(await c.patch(segment, 'uno', { required: true, default: value }), 400, 'attribute_default_unsupported')
			fails(await c.attr(segment, { key: 'three', required: true, default: value }), 400, 'attribute_default_unsupported')
			fails(await c.attr(segment, { key: 'UNO' }), 409, 'attribute_already_exists')
			for (const wrong of ['x', 1, {}, [], [1], ['a', 'b'], [181, 0], [0, -90.5], [[1, 2]], [[[0, 0], [1, 0], [1, 1], [0, 1]]], [[[0, 0], [1, 0], [0, 0]]], [[[[0, 0]]]], [null, 1], [true, 1]])
				fails(await c.attr(segment, { key: 'four', default: wrong }), 400, 'general_argument_invalid')
			fails(await c.patch(segment, 'uno', { default: 'x' }), 400, 'general_argument_invalid')
			fails(await c.patch(segment, 'none', {}), 404, 'attribute_not_found')
			const other = { point: 'line', line: 'polygon', polygon: 'point' }[segment]
			fails(await c.patch(other, 'uno', {}), 400, 'attribute_type_invalid')
			fails(await c.patch('boolean', 'uno', { default: null }), 400, 'attribute_type_invalid')
		})
	}
	test('numbers as text, and a polygon of one ring', async () => {
		const c = await collection()
		assert.deepEqual(ok(await c.attr('point', { key: 'p', default: ['1.50', ' -2e1 '] })).default, [1.5, -20])
		assert.deepEqual(ok(await c.attr('polygon', { key: 'g', default: square(0, 0, 1)[0] })).default, square(0, 0, 1))
		fails(await c.attr('polygon', { key: 'h', default: bow }), 400, 'attribute_value_invalid')
		fails(await c.patch('polygon', 'g', { default: bow }), 400, 'attribute_value_invalid')
		assert.deepEqual(ok(await c.add({ p: [3, 3] })).g, square(0, 0, 1), 'the default is filled in')
		assert.deepEqual(ok(await key('POST', c.docs, { body: { documents: [{ p: [4, 4] }] } })).documents[0].g, square(0, 0, 1))
	})
	test('their width counts', async () => {
		const c = await collection(), used = async () => ok(await key('GET', c.path)).bytesUsed, none = await used()
		for (const [segment, bytes] of [['point', 25], ['line', 20], ['polygon', 20]]) {
			const last = await used()
			ok(await c.attr(segment, { key: segment }))
			assert.equal(await used() - last, bytes)
		}
		assert.equal(await used() - none, 65)
	})
	test('with their collection', async () => {
		const attributes = Object.entries(types).map(([segment, type]) => ({ key: segment, type, default: samples[segment] }))
		const c = await collection({}, { attributes: [...attributes, { key: 'at', type: 'point', required: true }], indexes: [{ key: 'x', type: 'spatial', attributes: ['at'] }] })
		assert.deepEqual(ok(await key('GET', c.path)).attributes.map((a) => [a.type, a.default]), [...attributes.map((a) => [a.type, a.default]), ['point', null]])
		const { $id, at, ...d } = ok(await c.add({ at: [1, 2] }))
		assert.deepEqual([at, d.point, d.line, d.polygon], [[1, 2], samples.point, samples.line, samples.polygon])
		fails(await c.add({ at: [1, 2], polygon: bow }), 400, 'document_invalid_structure')
		assert.equal(await c.find(q('equal', 'at', [1, 2])), $id)
		const make = (...list) => key('POST', `/databases/${db}/collections`, { body: { collectionId: unique('c'), name: 'x', attributes: list } })
		fails(await make({ key: 'p', type: 'point', array: true }), 400, 'general_argument_invalid')
		fails(await make({ key: 'p', type: 'point', format: 'email' }), 400, 'general_argument_invalid')
		fails(await make({ key: 'p', type: 'line' }), 400, 'general_argument_invalid')
		fails(await make({ key: 'p', type: 'polygon', default: [[1, 2]] }), 400, 'general_argument_invalid')
		fails(await make({ key: 'p', type: 'polygon', default: bow }), 400, 'attribute_value_invalid')
	})
})

describe('documents', () => {
	test('values come back as they were', async () => {
		const c = await collection(all), one = { p: [0.1, -0.30000000000000004], l: [[1e-7, 5e-12], [179.99999999999997, 89.99999999999999], [-1, 2]], g: hole }
		const d = ok(await c.add(one), 201)
		const shown = (x) => ({ p: x.p, l: x.l, g: x.g })
		assert.deepEqual(shown(d), one)
		assert.deepEqual(ok(await key('GET', `${c.docs}/${d.$id}`)), d)
		assert.deepEqual(ok(await c.asks()).documents, [d])
		assert.deepEqual(ok(await c.asks(q('select', undefined, 'g'))).documents[0].g, hole)
		assert.ok(!('p' in ok(await c.asks(q('select', undefined, 'g'))).documents[0]))
		const at = ok(await key('PATCH', `${c.docs}/${d.$id}`, { body: { data: { p: ['1', '-0'], l: null } } }))
		assert.deepEqual([at.p, at.l, at.g], [[1, 0], null, hole])
		const idle = ok(await key('PATCH', `${c.docs}/${d.$id}`, { body: { data: { p: [1.0, 0], g: hole } } }))
		assert.deepEqual(idle, at, 'nothing changes')
		assert.deepEqual(shown(ok(await key('PUT', `${c.docs}/${d.$id}`, { body: { data: { l: samples.line } } }))), { p: [1, 0], l: samples.line, g: hole })
		assert.deepEqual(shown(ok(await key('PUT', `${c.docs}/${unique()}`, { body: { data: { g: square(0, 0, 1)[0] } } }))), { p: null, l: null, g: square(0, 0, 1) })
	})
	test('what is no value', async () => {
		const c = await collection(all), d = ok(await c.add({ p: [0, 0] }))
		for (const [name, v] of [['p', 'x'], ['p', [1]], ['p', [1, 2, 3]], ['p', [181, 1]], ['p', [1, 90.01]], ['p', ['nan', 1]], ['p', ['0x1', 1]], ['p', ['', 1]], ['p', [[1, 1]]], ['p', {}], ['p', [null, null]], ['l', [[1, 1]]], ['l', []],
			['l', [1, 2]], ['l', [[1, 1], [1]]], ['g', []], ['g', [[]]], ['g', [[[0, 0], [1, 0], [1, 1], [0, 1]]]], ['g', [[[0, 0], [1, 0], [0, 0]]]], ['g', [[0, 0], [1, 0], [1, 1]]], ['g', [square(0, 0, 1)]], ['g', [...square(0, 0, 1), 5]], ['g', bow],
			['g', [...square(0, 0, 1), ...square(5, 5, 1)]]]) {
			fails(await c.add({ [name]: v }), 400, 'document_invalid_structure')
			fails(await key('PATCH', `${c.docs}/${d.$id}`, { body: { data: { [name]: v } } }), 400, 'document_invalid_structure')
			fails(await key('PUT', `${c.docs}/${d.$id}`, { body: { data: { [name]: v } } }), 400, 'document_invalid_structure')
			fails(await key('POST', c.docs, { body: { documents: [{ p: [1, 1] }, { [name]: v }] } }), 400, 'document_invalid_structure')
			fails(await key('PUT', c.docs, { body: { documents: [{ $id: d.$id, [name]: v }] } }), 400, 'document_invalid_structure')
			fails(await key('PATCH', c.docs, { body: { data: { [name]: v } } }), 400, 'document_invalid_structure')
		}
		assert.deepEqual(ok(await c.asks()).total, 1)
		fails(await key('PATCH', `${c.docs}/${d.$id}/p/increment`, { body: {} }), 400, 'attribute_type_invalid')
		fails(await key('PATCH', `${c.docs}/${d.$id}`, { body: { data: { p: { method: 'increment', values: [1] } } } }), 400, 'document_invalid_structure')
	})
	test('a required one must be there', async () => {
		const c = await collection()
		ok(await c.attr('point', { key: 'p', required: true }))
		ok(await c.attr('integer', { key: 'n' }))
		for (const data of [{ n: 1 }, { n: 1, p: null }]) fails(await c.add(data), 400, 'document_invalid_structure')
		ok(await c.add({ p: [0, 0] }))
	})
	test('ten thousand points and no more', async () => {
		const c = await collection(all), line = (n) => Array.from({ length: n }, (_, i) => [i / 100, (i % 90) + 0.5])
		const d = ok(await c.add({ l: line(10000) }))
		assert.equal(ok(await key('GET', `${c.docs}/${d.$id}`)).l.length, 10000)
		fails(await c.add({ l: line(10001) }), 400, 'document_invalid_structure')
	})
	/* PostgreSQL holds each edge of a polygon against each other one, whenever the row is written */
	test('a polygon has fewer, and those of a document are one sum', async () => {
		const ring = (n) => [[...Array.from({ length: n - 1 }, (_, i) => [Math.cos(2 * Math.PI * i / (n - 1)), Math.sin(2 * Math.PI * i / (n - 1))]), [1, 0]]]
		const c = await collection({ ...all, n: 'integer' }), line = (n) => Array.from({ length: n }, (_, i) => [i / 100, (i % 90) + 0.5])
		ok(await c.add({ g: ring(1000) }))
		fails(await c.add({ g: ring(1001) }), 400, 'document_invalid_structure')
		fails(await c.add({ l: line(9951), g: square(0, 0, 1) }), 400, 'document_invalid_structure')
		fails(await c.add({ l: line(10000), p: [1, 1] }), 400, 'document_invalid_structure')
		const { $id } = ok(await c.add({ l: line(9950), g: square(0, 0, 1) })), one = `${c.docs}/${$id}`
		for (const data of [{ g: [...square(0, 0, 9), ...square(1, 1, 1)] }, { p: [1, 1] }]) {
			fails(await key('PATCH', one, { body: { data } }), 400, 'document_invalid_structure')
			fails(await key('PUT', one, { body: { data } }), 400, 'document_invalid_structure')
			fails(await key('PUT', c.docs, { body: { documents: [{ $id, ...data }] } }), 400, 'document_invalid_structure')
			fails(await key('PATCH', c.docs, { body: { data, queries: [q('equal', '$id', $id)] } }), 400, 'document_invalid_structure')
		}
		assert.equal(ok(await key('PATCH', one, { body: { data: { n: 1 } } })).n, 1)
		assert.deepEqual(ok(await key('PATCH', one, { body: { data: { p: [1, 1], l: null } } })).p, [1, 1])
	})
	test('what is next to nothing is nothing', async () => {
		const c = await collection(all)
		assert.deepEqual(ok(await c.add({ p: [1e-280, -1e-13] })).p, [0, 0])
		assert.deepEqual(ok(await c.add({ p: ['1e-11', 0] })).p, [1e-11, 0])
	})
	test('many at once', async () => {
		const c = await collection(all), ids = [unique(), unique(), unique()]
		const made = ok(await key('POST', c.docs, { body: { documents: [{ $id: ids[0], ...{ p: [1, 1], l: samples.line, g: hole } }, { $id: ids[1], p: null }, { $id: ids[2], g: square(3, 3, 1) }] } }), 201).documents
		assert.deepEqual(made.map((d) => [d.p, d.l, d.g]), [[[1, 1], samples.line, hole], [null, null, null], [null, null, square(3, 3, 1)]])
		assert.deepEqual(ok(await c.asks()).documents, made)
		const put = ok(await key('PUT', c.docs, { body: { documents: [{ $id: ids[0], p: [2, 2] }, { $id: ids[1], p: [3, 3] }, { p: [4, 4], l: samples.line }] } }))
		assert.deepEqual(put.documents.map((d) => [d.p, d.g === null]), [[[2, 2], false], [[3, 3], true], [[4, 4], true]])
		const patched = ok(await key('PATCH', c.docs, { body: { data: { g: square(7, 7, 1) }, queries: [q('distanceLessThan', 'p', [[2, 2], 1.5])] } }))
		assert.deepEqual(patched.documents.map((d) => [d.$id, d.g]), ids.slice(0, 2).map((id) => [id, square(7, 7, 1)]))
		assert.equal(ok(await key('DELETE', c.docs, { body: { queries: [q('intersects', 'g', [7.5, 7.5])] } })).total, 2)
	})
	test('within a transaction', async () => {
		const c = await collection(all), begin = async () => ok(await key('POST', '/databases/transactions', { body: {} })).$id, d = ok(await c.add({ p: [1, 1] }))
		const commit = (id) => key('PATCH', `/databases/transactions/${id}`, { body: { commit: true } })
		let t = await begin()
		ok(await c.add({ p: [5, 5], g: hole }, { transactionId: t }))
		ok(await key('PATCH', `${c.docs}/${d.$id}`, { body: { data: { p: [6, 6] }, transactionId: t } }))
		const seen = ok(await key('GET', c.docs, { query: { queries: [q('distanceLessThan', 'p', [[5, 5], 3])], transactionId: t } })).documents
		assert.deepEqual(seen.map((x) => x.p).sort(), [[5, 5], [6, 6]])
		assert.equal(await c.find(q('equal', 'p', [6, 6])), '')
		ok(await commit(t))
		assert.equal(await c.find(q('equal', 'p', [6, 6])), d.$id)
		t = await begin()
		ok(await c.add({ g: bow }, { transactionId: t }))
		fails(await commit(t), 400, 'document_invalid_structure')
		assert.equal(ok(await key('GET', `/databases/transactions/${t}`)).status, 'failed')
	})
	test('in events', async () => {
		const c = await collection(all), w = await listen(s, `project=${p.id}`)
		await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'one', channels: [`databases.${db}.collections.${c.id}.documents`] }] })
		ok(await c.add({ p: [1, 2], g: hole }, { permissions: ['read("any")'] }))
		const { payload } = await w.event()
		assert.deepEqual([payload.p, payload.l, payload.g], [[1, 2], null, hole])
		w.end()
	})
	test('of related documents', async () => {
		const c = await collection(all), o = await collection({ n: 'integer' })
		ok(await key('POST', `${o.path}/attributes/relationship`, { body: { relatedCollectionId: c.id, type: 'manyToOne', key: 'at' } }))
		await until('the relationship', async () => (await o.get('at')).status === 'available')
		const d = ok(await o.add({ n: 1, at: { p: [1, 1], g: hole } })), far = ok(await o.add({ n: 2, at: { p: [50, 50] } }))
		assert.deepEqual([d.at.p, d.at.l, d.at.g], [[1, 1], null, hole])
		fails(await o.add({ n: 3, at: { g: bow } }), 400, 'document_invalid_structure')
		assert.equal(await o.find(q('distanceLessThan', 'at.p', [[1, 1.001], 1000, true])), d.$id)
		assert.equal(await o.find(q('notEqual', 'at.p', [1, 1])), far.$id)
		assert.equal(await o.find(q('contains', 'at.g', [5, 5], [100, 80])), d.$id)
		assert.deepEqual(ok(await o.asks(q('select', undefined, 'n', 'at.g'), q('equal', 'n', 1))).documents[0].at.g, hole)
	})
})

describe('queries', () => {
	let c
	const rows = { a: { p: [0, 0], l: [[0, 0], [4, 4]], g: square(0, 0, 4) }, b: { p: [3, 4], l: [[0, 4], [4, 0]], g: square(4, 0, 4) }, c: { p: [0, 89], l: [[10, 10], [11, 11]], g: hole }, d: { p: [179.999, 0] }, n: {} }
	before(async () => {
		c = await collection({ ...all, n: 'integer' })
		for (const [id, data] of Object.entries(rows)) ok(await key('POST', c.docs, { body: { documentId: id, data: { n: 1, ...data } } }))
		for (const k of Object.keys(all)) ok(await c.index({ key: k, attributes: [k] }), 202)
		await until('indexes', async () => ok(await key('GET', `${c.path}/indexes`)).indexes.every((x) => x.status === 'available'))
	})
	for (const [found, ...query] of [
		['a', 'equal', 'p', [0, 0]], ['a b', 'equal', 'p', [0, 0], [3, 4]], ['a', 'equal', 'p', ['0', '0.0']], ['b c d', 'notEqual', 'p', [0, 0]], ['', 'equal', 'p', [[0, 0], [1, 1]]], ['a', 'equal', 'l', [[4, 4], [0, 0]]],
		['a', 'equal', 'g', square(0, 0, 4)], ['b c', 'notEqual', 'g', square(0, 0, 4)],
		['n', 'isNull', 'p'], ['a b c d', 'isNotNull', 'p'],
		['a c', 'contains', 'g', [3, 3]], ['a', 'contains', 'g', [1.5, 1.5]], ['a b c', 'contains', 'g', [4, 2]], ['a b c', 'containsAny', 'g', [1.5, 1.5], [7, 3.5], [80, 80]], ['a c', 'contains', 'g', [[2, 3], [3, 3]]], ['b', 'notContains', 'g', [3, 3]],
		['', 'notContains', 'g', [1.5, 1.5], [5, 1]], ['a b', 'contains', 'l', [2, 2]], ['a', 'contains', 'p', [0, 0]],
		['a b', 'intersects', 'l', [2, 2]], ['c', 'notIntersects', 'l', [2, 2]], ['a', 'intersects', 'p', square(-1, -1, 2)], ['a b c', 'intersects', 'g', [[0, 1], [9, 1]]],
		['a', 'crosses', 'l', [[0, 4], [4, 0]]], ['b c', 'notCrosses', 'l', [[0, 4], [4, 0]]],
		['a b c', 'overlaps', 'g', square(2, -2, 4)], ['c', 'overlaps', 'g', square(0, 0, 4)], ['b', 'notOverlaps', 'g', square(-2, -2, 3)],
		['a b', 'touches', 'g', [4, 4]], ['c', 'notTouches', 'g', [4, 4]], ['b', 'touches', 'g', square(8, 0, 1)],
		['a', 'distanceLessThan', 'p', [[0, 0], 5]], ['a b', 'distanceLessThan', 'p', [[0, 0], 5.001, false]], ['', 'distanceLessThan', 'p', [[0, 0], 0]], ['', 'distanceLessThan', 'p', [[0, 0], -1]], ['b', 'distanceEqual', 'p', [[0, 0], 5]],
		['a c d', 'distanceNotEqual', 'p', [[0, 0], 5]], ['c d', 'distanceGreaterThan', 'p', [[0, 0], 5]], ['b', 'distanceLessThan', 'l', [[0, 3], 1]], ['a c', 'distanceLessThan', 'g', [[[-1, 1], [-1, 2]], 1.5]],
		/* a degree of the equator is 111 195 m on the sphere */
		['a', 'distanceLessThan', 'p', [[0, 1], 111196, true]], ['', 'distanceLessThan', 'p', [[0, 1], 111194, true]], ['b c d', 'distanceGreaterThan', 'p', [[0, 1], 111196, true]],
		/* across the date line, and about a pole */
		['d', 'distanceLessThan', 'p', [[-179.999, 0], 300, true]], ['c', 'distanceLessThan', 'p', [[180, 89], 230000, true]], ['a b c d', 'distanceLessThan', 'p', [[0, 0], 3e7, true]],
	])
		test(`${query[0]} ${JSON.stringify(query.slice(1))}: ${found || 'none'}`, async () => assert.equal(await c.find(q(...query)), found))
	test('with others', async () => {
		const near = JSON.parse(q('distanceLessThan', 'p', [[0, 0], 1]))
		assert.equal(await c.find(JSON.stringify({ method: 'or', values: [near, JSON.parse(q('isNull', 'p'))] })), 'a n')
		assert.equal(await c.find(JSON.stringify({ method: 'and', values: [near, JSON.parse(q('equal', 'n', 1))] })), 'a')
		assert.equal(ok(await c.asks(q('intersects', 'l', [2, 2]), JSON.stringify({ method: 'limit', values: [1] }))).total, 2)
	})
	for (const [words, ...query] of [
		[/because it is spatial/, 'lessThan', 'p', [0, 0]], [/because it is spatial/, 'between', 'p', [0, 0], [1, 1]], [/because it is spatial/, 'containsAll', 'g', [0, 0]], [/because it is spatial/, 'startsWith', 'p', 'x'], [/because it is spatial/, 'search', 'l', 'x'],
		[/because it is not spatial/, 'intersects', 'n', [0, 0]], [/because it is not spatial/, 'distanceLessThan', '$id', [[0, 0], 1]], [/invalid for attribute "n"/, 'equal', 'n', [1]],
		[/invalid for attribute/, 'equal', 'p', 'x'], [/invalid for attribute/, 'equal', 'p', 1], [/invalid for attribute/, 'equal', 'p', null], [/invalid for attribute/, 'equal', 'p', []], [/invalid for attribute/, 'equal', 'p', [[0, 0]]],
		[/invalid for attribute/, 'intersects', 'p', [181, 0]], [/invalid for attribute/, 'intersects', 'p', [[[0, 0], [1, 0], [1, 1]]]], [/invalid for attribute/, 'intersects', 'p', [square(0, 0, 1)]], [/takes 1 value/, 'intersects', 'p', [0, 0], [1, 1]], [/takes 1 value/, 'touches', 'p'],
		[/invalid for attribute/, 'distanceLessThan', 'p', [0, 0]], [/invalid for attribute/, 'distanceLessThan', 'p', [[0, 0]]], [/invalid for attribute/, 'distanceLessThan', 'p', [[0, 0], '1']], [/invalid for attribute/, 'distanceLessThan', 'p', [[0, 0], 1, 'true']],
		[/invalid for attribute/, 'distanceLessThan', 'p', [[0, 0], 1, true, 4]], [/meters is not supported between polygon and point/, 'distanceLessThan', 'g', [[0, 0], 1, true]], [/meters is not supported between point and linestring/, 'distanceGreaterThan', 'p', [[[0, 0], [1, 1]], 1, true]],
		[/cross each other/, 'intersects', 'p', bow], [/cross each other/, 'notContains', 'g', [0, 0], bow], [/Cannot order by spatial/, 'orderAsc', 'p'],
	])
		test(`refused: ${query[0]} ${JSON.stringify(query.slice(1))}`, async () => {
			const r = await c.asks(q(...query))
			fails(r, 400, 'general_query_invalid')
			assert.match(r.body.message, words)
		})
	test('a cursor, and a total', async () => {
		const r = ok(await c.asks(q('isNotNull', 'p'), JSON.stringify({ method: 'cursorAfter', values: ['b'] })))
		assert.deepEqual(r.documents.map((d) => d.$id), ['c', 'd'])
		assert.equal(r.total, 4)
	})
	test('what is near is looked up in the index', async () => {
		const plan = async (...query) => JSON.stringify(ok(await key('GET', c.docs, { query: { queries: [q(...query)], explain: '1' } })).plan)
		for (const query of [['intersects', 'l', [2, 2]], ['equal', 'p', [0, 0]], ['contains', 'g', [3, 3]], ['distanceLessThan', 'p', [[0, 0], 5]], ['distanceLessThan', 'p', [[0, 0], 5000, true]]])
			assert.match(await plan(...query), /&&|~|@|st_expand/i, query[0])
	})
})

describe('indexes', () => {
	test('spatial: one attribute, a spatial one; the others have none of these', async () => {
		const c = await collection({ ...all, n: 'integer' })
		const x = ok(await c.index({ key: 'x', attributes: ['p'] }), 202)
		assert.deepEqual([x.type, x.attributes, x.lengths], ['spatial', ['p'], [null]])
		for (const attributes of [['n'], ['p', 'g'], ['p', 'n'], ['$createdAt']]) fails(await c.index({ key: 'y', attributes }), 400, 'index_invalid')
		for (const type of ['key', 'unique', 'fulltext']) fails(await c.index({ key: 'y', type, attributes: ['p'] }), 400, 'index_invalid')
		fails(await c.index({ key: 'y', type: 'key', attributes: ['n', 'g'] }), 400, 'index_invalid')
		fails(await c.index({ key: 'y', attributes: ['p'], lengths: [5] }), 400, 'index_invalid')
		fails(await c.index({ key: 'x', attributes: ['g'] }), 409, 'index_already_exists')
		await until('the index', async () => ok(await key('GET', `${c.path}/indexes/x`)).status === 'available')
		ok(await c.patch('point', 'p', { newKey: 'place' }))
		assert.deepEqual(ok(await key('GET', `${c.path}/indexes/x`)).attributes, ['place'])
		ok(await key('DELETE', `${c.path}/attributes/place`))
		await until('the index is gone', async () => ok(await key('GET', `${c.path}/indexes`)).total === 0)
	})
	test('one of 1.0, of whom nothing is asked, ends failed', async () => {
		const c = await collection(all), old = speaking('1.0.0', p.call)
		for (const [name, type, attributes] of [['a', 'key', ['p']], ['b', 'spatial', ['p', 'g']]]) ok(await old('POST', `${c.path}/indexes`, { body: { key: name, type, attributes } }), 202)
		await until('both', async () => ok(await key('GET', `${c.path}/indexes`)).indexes.every((x) => x.status === 'failed'))
	})
})

test('distances that are not the least look at every row', async () => {
	const own = await server({ own: true, conf: { query_cost_max: '1' } }), there = await own.project(), call = speaking('1.9.6', there.call)
	try {
		const database = ok(await call('POST', '/databases', { body: { databaseId: unique('d'), name: 'Places' } })).$id, c = await collection({ p: 'point' }, { call, database })
		for (let i = 0; i < 30; i++) ok(await call('POST', c.docs, { body: { documents: Array.from({ length: 100 }, (_, k) => ({ p: [k, i] })) } }), 201)
		for (const method of ['distanceEqual', 'distanceNotEqual', 'distanceGreaterThan']) fails(await c.asks(q(method, 'p', [[0, 0], 1])), 400, 'general_query_limit_exceeded')
		ok(await c.asks(q('distanceLessThan', 'p', [[0, 0], 1])))
		ok(await c.asks(q('distanceEqual', 'p', [[0, 0], 1]), q('equal', '$id', 'x')))
	} finally {
		await own.stop()
	}
})

test('boxes count for less where they hold alone, and are compared before anything else', async () => {
	const own = await server({ own: true, conf: { query_cost_max: '6' } }), there = await own.project(), call = speaking('1.9.6', there.call)
	const psql = (sql) => execFileSync('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
	try {
		const database = ok(await call('POST', '/databases', { body: { databaseId: unique('d'), name: 'Places' } })).$id, c = await collection({ l: 'line', n: 'integer' }, { call, database })
		const line = Array.from({ length: 500 }, (_, i) => [i / 5 - 50, 40 * Math.sin(i)]), part = (n) => line.slice(0, n)
		for (let i = 0; i < 4; i++) ok(await call('POST', c.docs, { body: { documents: Array.from({ length: 25 }, () => ({ l: line, n: i })) } }), 201)
		psql('ANALYZE')
		const round = square(-80, -80, 160), away = square(100, 60, 1), far = [170, 80]
		for (const query of [['intersects', 'l', round], ['notIntersects', 'l', round], ['notContains', 'l', [0, 0]], ['notTouches', 'l', round], ['notOverlaps', 'l', part(50)], ['notCrosses', 'l', part(50)], ['notEqual', 'l', part(50)],
			['notIntersects', 'l', away], ['distanceLessThan', 'l', [far, 500]], ['distanceLessThan', 'l', [far, 1e300]], ['contains', 'l', [0, 0]], ['contains', 'l', [0, 0], [1, 1]], ['equal', 'l', part(3), part(4), part(5)], ['equal', 'l', far, part(50)]])
			fails(await c.asks(q(...query)), 400, 'general_query_limit_exceeded')
		for (const query of [['intersects', 'l', away], ['distanceLessThan', 'l', [far, 1]], ['contains', 'l', far], ['contains', 'l', far, [-170, 80]], ['equal', 'l', far, [far, [171, 81]]], ['distanceLessThan', 'l', [[0, 0], -1]]])
			assert.equal(ok(await c.asks(q(...query))).total, 0, query[0])
		const filters = (plan) => Object.entries(plan).flatMap(([k, v]) => k === 'Filter' || k === 'Index Cond' ? [v] : v !== null && typeof v === 'object' ? filters(v) : [])
		const { plan } = ok(await call('GET', c.docs, { query: { queries: [q('notIntersects', 'l', round), q('notContains', 'l', far), q('contains', 'l', far, [1, 1]), q('intersects', 'l', away)], explain: '1' } }))
		const text = filters(plan)[0], last = text.lastIndexOf('&&')
		assert.ok(last > 0 && last < text.search(/\(NOT|st_/i), text)
	} finally {
		await own.stop()
	}
})

test('boxes cost by rows, values and filters, and are refused before any is looked at', async () => {
	const own = await server({ own: true, conf: { query_cost_max: '4' } }), there = await own.project(), call = speaking('1.9.6', there.call)
	const psql = (sql) => execFileSync('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
	try {
		const database = ok(await call('POST', '/databases', { body: { databaseId: unique('d'), name: 'Places' } })).$id, c = await collection({ l: 'line', n: 'integer' }, { call, database })
		for (let i = 0; i < 4; i++) ok(await call('POST', c.docs, { body: { documents: Array.from({ length: 25 }, (_, k) => ({ l: [[i, k], [-i, k], [i, -k]], n: i })) } }), 201)
		psql('ANALYZE')
		const away = (n) => Array.from({ length: n }, (_, i) => [100 + i % 50, 60]), corners = [[-100, -60], [100, 60]]
		for (const values of [away(1), away(100), [...corners, ...away(98)]]) assert.equal(ok(await c.asks(q('contains', 'l', ...values))).total, 0, `${values.length}`)
		/* they meet nothing, and count */
		fails(await c.asks(q('contains', 'l', ...corners, ...away(385))), 400, 'general_query_limit_exceeded')
		fails(await c.asks(...Array.from({ length: 4 }, (_, k) => q('contains', 'l', ...corners, ...away(100 + k)))), 400, 'general_query_limit_exceeded')
		const { plan } = ok(await call('GET', c.docs, { query: { queries: [q('contains', 'l', ...corners, [1, 1])], explain: '1' } }))
		assert.match(JSON.stringify(plan), /_boxes/, 'a place is unpacked once for all values')
		/* an index finds them, one by one */
		ok(await c.index({ key: 'x', attributes: ['l'] }), 202)
		await until('the index', async () => ok(await call('GET', `${c.path}/indexes/x`)).status === 'available')
		psql('ANALYZE')
		assert.equal(ok(await c.asks(q('contains', 'l', ...corners, ...away(385)))).total, 0)
	} finally {
		await own.stop()
	}
})

test('a database without PostGIS refuses what needs it, until it has it', async () => {
	const own = await server({ own: true }), there = await own.project(), call = speaking('1.9.6', there.call)
	const psql = (sql) => execFileSync('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
	try {
		psql('DROP SCHEMA badal_geo CASCADE')	/* nobody makes it now */
		const database = ok(await call('POST', '/databases', { body: { databaseId: unique('d'), name: 'Places' } })).$id, c = await collection({ n: 'integer' }, { call, database })
		for (const segment of Object.keys(types)) {
			fails(await c.attr(segment, { key: segment }), 400, 'general_feature_unsupported')
			fails(await c.patch(segment, 'n', {}), 400, 'attribute_type_invalid')
		}
		fails(await call('POST', `/databases/${database}/collections`, { body: { collectionId: unique('c'), name: 'x', attributes: [{ key: 'p', type: 'point' }] } }), 400, 'general_feature_unsupported')
		fails(await c.index({ key: 'x', attributes: ['n'] }), 400, 'index_invalid')
		ok(await c.add({ n: 1 }))
		fails(await c.asks(q('intersects', 'n', [0, 0])), 400, 'general_query_invalid')
		/* one that cannot be made, and one that is not for us */
		psql('CREATE SCHEMA badal_geo; GRANT USAGE ON SCHEMA badal_geo TO PUBLIC; CREATE FUNCTION badal_geo.make() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION $m$no disk$m$; END $$')
		for (let i = 0; i < 2; i++) fails(await c.attr('point', { key: 'p' }), 400, 'general_feature_unsupported')
		psql('DROP SCHEMA badal_geo CASCADE; CREATE SCHEMA hidden; CREATE EXTENSION postgis SCHEMA hidden')
		for (const segment of Object.keys(types)) fails(await c.attr(segment, { key: segment }), 400, 'general_feature_unsupported')
		if (!process.env.BADAL_SANITIZED)	/* it forks beside threads, where their allocator may hang */
			assert.match((await run(['doctor', ...settings({ data_dir: own.dataDir })])).out, /badal may not use[^]*GRANT USAGE/)
		psql('DROP EXTENSION postgis; DROP SCHEMA hidden')
		psql('CREATE SCHEMA "Odd place"; GRANT USAGE ON SCHEMA "Odd place" TO PUBLIC; CREATE EXTENSION postgis SCHEMA "Odd place"')
		await until('it is found', async () => (await c.attr('point', { key: 'p' })).status !== 400)
		ok(await c.attr('polygon', { key: 'g' }))
		await until('attributes', async () => ok(await call('GET', `${c.path}/attributes`)).attributes.every((a) => a.status === 'available'))
		ok(await c.index({ key: 'x', attributes: ['p'] }))
		await until('the index', async () => ok(await call('GET', `${c.path}/indexes/x`)).status === 'available')
		const d = ok(await c.add({ p: [1, 2], g: hole }))
		fails(await c.add({ g: bow }), 400, 'document_invalid_structure')
		ok(await call('PUT', c.docs, { body: { documents: [{ p: [50, 50] }, { $id: d.$id, g: square(0, 0, 3) }] } }))
		for (const query of [q('equal', 'p', [1, 2]), q('distanceLessThan', 'p', [[1, 2.001], 500, true]), q('distanceLessThan', 'p', [[1, 2], 1]), q('contains', 'g', [1, 1], [2, 2]), q('touches', 'g', [3, 3]), q('intersects', 'g', square(1, 1, 1))])
			assert.equal(await c.find(query), d.$id)
		psql('DROP EXTENSION postgis CASCADE; CREATE SCHEMA elsewhere; GRANT USAGE ON SCHEMA elsewhere TO PUBLIC; CREATE EXTENSION postgis SCHEMA elsewhere')
		const moved = await collection({ n: 'integer' }, { call, database })
		ok(await moved.attr('polygon', { key: 'g', default: square(0, 0, 1) }))
		await until('it is made', async () => (await moved.get('g')).status === 'available')
		assert.deepEqual(ok(await moved.add({ n: 1 })).g, square(0, 0, 1))
	} finally {
		await own.stop()
	}
})
