/* Many documents at once: as a whole or not at all, with an event for each. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'

import { server, unique } from '../lib/server.mjs'
import { listen } from '../lib/ws.mjs'
import { collection, database } from './docs.mjs'
import { fails } from './lib.mjs'

const attributes = {
	title: { type: 'string', size: 40, required: true },
	genre: { type: 'string', size: 20, default: 'novel' },
	n: { type: 'integer', min: -100, max: 100000 },
	price: { type: 'float' },
	lent: { type: 'boolean' },
	released: { type: 'datetime' },
	tags: { type: 'string', size: 8, array: true },
	years: { type: 'integer', array: true },
	code: { type: 'string', size: 8 },
}
const speaking = (format, caller) => (method, target, options = {}) => caller(method, target, { ...options, headers: { 'x-appwrite-response-format': format, ...options.headers } })
const ok = (r, status = 200) => (assert.equal(r.status, status, r.text), r.body)
const q = (method, attribute, ...values) => JSON.stringify({ method, attribute, values })
const lim = (n) => JSON.stringify({ method: 'limit', values: [n] })

let s, p, db, ada, key, us
before(async () => {
	s = await server()
	p = await s.project()
	db = await database(p)
	ada = await p.user({ name: 'Ada' })
	key = speaking('1.9.5', p.call)
	us = speaking('2.3.0', ada.call)
})
const shelf = (more = {}) => collection(p, db, { permissions: ['read("any")', 'create("users")', 'update("users")', 'delete("users")'], attributes, ...more })
const unq = { indexes: { bycode: { type: 'unique', attributes: ['code'] } } }
const post = (c, documents, caller = key, more = {}) => caller('POST', c.docs, { body: { documents, ...more } })
const put = (c, documents, caller = key) => caller('PUT', c.docs, { body: { documents } })
const patch = (c, data, queries, caller = key) => caller('PATCH', c.docs, { body: { data, queries } })
const del = (c, queries, caller = key) => caller('DELETE', c.docs, { body: { queries } })
const all = async (c) => ok(await key('GET', c.docs, { query: { queries: [lim(5000)] } })).documents
/* Hears the events of a collection, or of one action there: those of the past may still be on their way. */
async function ears(c, action) {
	const w = await listen(s, `project=${p.id}`)
	await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'one', channels: [`databases.${db}.collections.${c.id}.documents${action ? `.${action}` : ''}`] }] })
	return { end: () => w.end(), next: async () => { const e = await w.event(); return [e.events[0].split('.').at(-1), e.payload] } }
}

describe('create', () => {
	test('all of them, in order, with what each says', async () => {
		const c = await shelf(), ear = await ears(c), id = unique()
		const sent = [{ $id: id, title: 'a', n: 1, tags: ['x', null, '"\\{},'], years: [1, 2], $permissions: ['read("any")', 'write("users")'] }, { title: 'b\u{1F600}\n\\', price: 1e20, lent: true, released: '2020-01-01' },
			{ $id: 'unique()', title: '', genre: null, $createdAt: '2001-01-01', $updatedAt: '2002-01-01', $sequence: '77', $collectionId: 'x', $databaseId: 'y', $tableId: 'z', code: 'NULL' }]
		const r = ok(await post(c, sent), 201)
		assert.deepEqual(Object.keys(r), ['total', 'documents'])
		assert.equal(r.total, 3)
		assert.deepEqual(r.documents.map((d) => [d.title, d.$sequence, d.genre]), [['a', '1', 'novel'], ['b\u{1F600}\n\\', '2', 'novel'], ['', '3', 'novel']])
		assert.equal(r.documents[0].$id, id)
		assert.deepEqual(r.documents[0].$permissions, ['read("any")', 'update("users")', 'delete("users")'])
		assert.deepEqual(r.documents[1].$permissions, [])
		assert.deepEqual([r.documents[2].$createdAt, r.documents[2].$updatedAt], ['2001-01-01T00:00:00.000+00:00', '2002-01-01T00:00:00.000+00:00'])
		assert.equal(r.documents[2].code, 'NULL')
		assert.deepEqual(await all(c), r.documents)
		for (const d of r.documents) assert.deepEqual(await ear.next(), ['create', d])
		ear.end()
		assert.deepEqual(ok(await post(c, [{ title: 'c' }], speaking('1.8.0', p.call)), 201).documents[0].$sequence, 4)
		assert.ok(!('$sequence' in ok(await post(c, [{ title: 'd' }], p.call), 201).documents[0]))
	})

	test('their events are as if each had been made alone', async () => {
		const c = await shelf({ documentSecurity: true }), w = await listen(s, `project=${p.id}`)
		await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'one', channels: [`databases.${db}.collections.${c.id}.documents`] }] })
		ok(await key('POST', c.docs, { body: { documentId: 'alone', data: { title: 'a' }, permissions: ['read("users")'] } }), 201)
		ok(await post(c, [{ $id: 'b-1', title: 'b', $permissions: ['read("users")'] }, { $id: 'C_2', title: 'c', $permissions: ['read("users")'] }, { $id: 'Dd-3', title: 'd'.repeat(40), $permissions: ['read("any")'] }]), 201)
		const told = (e, id) => ({ events: e.events.map((x) => x.replaceAll(id, '*')), channels: e.channels.map((x) => x.replaceAll(id, '*')) })
		const want = told(await w.event(), 'alone')
		for (const id of ['b-1', 'C_2', 'Dd-3']) {
			const e = await w.event()
			assert.equal(e.payload.$id, id)
			assert.deepEqual(told(e, id), want)
		}
		w.end()
	})

	test('all or none', async () => {
		const c = await shelf(unq), code = unique().slice(0, 8), ear = await ears(c)
		await post(c, [{ $id: 'there', title: 'x', code }])
		await ear.next()
		const rows = [[[{ title: 'a' }, { n: 1 }], 'document_invalid_structure', 400], [[{ title: 'a' }, { title: 'b', n: 'x' }], 'document_invalid_structure', 400], [[{ title: 'a' }, { title: 'b', colour: 1 }], 'document_invalid_structure', 400],
			[[{ title: 'a' }, { title: 'b', code }], 'document_unique_constraint_violation', 409], [[{ title: 'a' }, { $id: 'There', title: 'b' }], 'document_already_exists', 409],
			[[{ $id: 'same', title: 'a' }, { $id: 'SAME', title: 'b' }], 'document_already_exists', 409], [[{ title: 'a' }, { title: 'b', $permissions: ['fly("any")'] }], 'general_bad_request', 400],
			[[{ title: 'a' }, { $id: '$x', title: 'b' }], 'general_argument_invalid', 400], [[{ title: 'a' }, 'b'], 'general_argument_invalid', 400], [[], 'document_missing_data', 400],
			[Array(101).fill({ title: 'a' }), 'general_argument_invalid', 400], [{ title: 'a' }, 'general_argument_invalid', 400], [[{ title: 'a', $createdAt: 'some day' }], 'document_invalid_structure', 400]]
		for (const [documents, type, status] of rows) fails(await post(c, documents), status, type)
		assert.deepEqual((await all(c)).map((d) => d.$id), ['there'])
		const marks = ok(await post(c, [{ title: 'mark' }]), 201).documents
		assert.deepEqual(await ear.next(), ['create', marks[0]], 'no event of what was not done')
		ear.end()
	})

	test('with nothing beside, and by keys alone', async () => {
		const c = await shelf(), documents = [{ title: 'a' }]
		for (const more of [{ documentId: unique() }, { data: { title: 'b' } }, { permissions: ['read("any")'] }]) fails(await post(c, documents, key, more), 400, 'general_bad_request')
		fails(await key('POST', c.docs, { body: { data: { title: 'a' } } }), 400, 'document_missing_data')
		fails(await p.call('POST', c.docs, { body: { data: { title: 'a' } }, headers: { 'x-appwrite-response-format': '1.0.0' } }), 400, 'general_argument_invalid')
		for (const r of [await post(c, documents, us), await put(c, documents, us), await patch(c, { title: 'x' }, [], us), await del(c, [], us)]) fails(r, 401, 'general_unauthorized_scope')
		assert.deepEqual(await all(c), [])
		fails(await key('PUT', `/databases/${db}/collections/none/documents`, { body: { documents } }), 404, 'collection_not_found')
	})

	test('a hundred', async () => {
		const c = await shelf(), r = ok(await post(c, [...Array(100).keys()].map((n) => ({ title: `${n}`, n }))), 201)
		assert.equal(r.total, 100)
		assert.deepEqual(r.documents.map((d) => d.n), [...Array(100).keys()])
		assert.deepEqual(r.documents.map((d) => d.$sequence), [...Array(100).keys()].map((n) => `${n + 1}`))
	})
})

describe('upsert', () => {
	test('makes, changes, and leaves alone', async () => {
		const c = await shelf(), [a, b, same] = ok(await post(c, [{ $id: 'a', title: 'a', n: 1, tags: ['x'] }, { $id: 'b', title: 'b', n: 2, $permissions: ['read("users")'] }, { $id: 'same', title: 's' }]), 201).documents
		const ear = await ears(c, 'upsert')
		const r = ok(await put(c, [{ $id: 'B', title: 'b2', n: 3 }, { $id: 'new', title: 'new', $permissions: ['read("any")'] }, { $id: 'same', title: 's', genre: 'novel', tags: [] }, { $id: 'a', title: 'a', code: 'c', $permissions: ['read("any")'] }, { title: 'made' }]))
		assert.equal(r.total, 4)
		const [b2, made, a2, unnamed] = r.documents
		assert.deepEqual({ ...b2, $updatedAt: '' }, { ...b, title: 'b2', n: 3, $updatedAt: '' })
		assert.deepEqual({ ...a2, $updatedAt: '' }, { ...a, code: 'c', $permissions: ['read("any")'], $updatedAt: '' })
		assert.deepEqual([made.$id, made.$sequence, made.genre, made.$permissions], ['new', '4', 'novel', ['read("any")']])
		assert.match(unnamed.$id, /^[0-9a-f]{20}$/)
		for (const d of r.documents) assert.deepEqual(await ear.next(), ['upsert', d])
		assert.deepEqual(await all(c), [a2, b2, same, made, unnamed])
		assert.deepEqual(ok(await put(c, [])), { total: 0, documents: [] })
		assert.deepEqual(ok(await put(c, [{ $id: 'same', title: 's' }])), { total: 0, documents: [] })
		ear.end()
	})

	test('those that set the same, and those that do not; dates, lists and nothing', async () => {
		const c = await shelf()
		ok(await post(c, [...Array(6).keys()].map((n) => ({ $id: `d${n}`, title: `${n}`, n, tags: ['x'], released: '2020-01-01', price: 0.1, lent: true, years: [1] }))), 201)
		const sent = [{ $id: 'd0', title: 'x0', n: 10 }, { $id: 'd1', title: 'x1', n: 11 }, { $id: 'd2', title: 'x2', tags: ['"', '\\', null], years: [], released: null, price: 2.5, lent: false },
			{ $id: 'd3', title: 'x3', $updatedAt: '2003-01-01', $createdAt: '2001-01-01' }, { $id: 'd4', title: 'x4', n: { method: 'increment', values: [5] } }, { $id: 'd6', title: 'x6', n: { method: 'increment', values: [5] } }]
		const r = ok(await put(c, sent))
		assert.deepEqual(r.documents.map((d) => [d.title, d.n]), [['x0', 10], ['x1', 11], ['x2', 2], ['x3', 3], ['x4', 9], ['x6', 5]])
		assert.deepEqual((({ tags, years, released, price, lent }) => [tags, years, released, price, lent])(r.documents[2]), [['"', '\\', null], [], null, 2.5, false])
		assert.deepEqual([r.documents[3].$createdAt, r.documents[3].$updatedAt], ['2001-01-01T00:00:00.000+00:00', '2003-01-01T00:00:00.000+00:00'])
		const there = await all(c), of = (id) => there.find((d) => d.$id === id)
		for (const d of r.documents) assert.deepEqual(of(d.$id), d)
		assert.deepEqual(of('d5').tags, ['x'])
	})

	test('all or none', async () => {
		const c = await shelf(unq)
		ok(await post(c, [{ $id: 'a', title: 'a', code: 'one' }, { $id: 'b', title: 'b', code: 'two' }]), 201)
		const before = await all(c)
		const rows = [[[{ $id: 'a', title: 'x' }, { $id: 'new' }], 'document_invalid_structure', 400], [[{ $id: 'new', title: 'x' }, { $id: 'b', n: 5 }], 'document_invalid_structure', 400],
			[[{ $id: 'new', title: 'x' }, { $id: 'b', title: 'b', code: 'one' }], 'document_unique_constraint_violation', 409], [[{ $id: 'a', title: 'x' }, { $id: 'new', title: 'n', code: 'two' }], 'document_unique_constraint_violation', 409],
			[[{ $id: 'a', title: 'x' }, { $id: 'A', title: 'y' }], 'document_already_exists', 409], [[{ $id: 'a', title: 'x' }, { $id: 'b', title: 'b', n: { method: 'increment', values: [1e6] } }], 'document_invalid_structure', 400],
			[[{ $id: 'a', title: 'x' }, { $id: 'b', title: 'b', n: { method: 'increment', values: ['x'] } }], 'general_bad_request', 400]]
		for (const [documents, type, status] of rows) fails(await put(c, documents), status, type)
		assert.deepEqual(await all(c), before)
	})

	test('of many at a time', async () => {
		const c = await shelf(), ids = [...Array(20).keys()].map((n) => `d${n}`)
		const rs = await Promise.all([...Array(6).keys()].map((k) => put(c, (k % 2 ? ids : [...ids].reverse()).map((id) => ({ $id: id, title: `${k}` })))))
		for (const r of rs) ok(r)
		const there = await all(c)
		assert.equal(there.length, 20)
		assert.equal(new Set(there.map((d) => d.title)).size, 1, 'the last one wrote all of them')
	})
})

describe('update', () => {
	test('what queries find, in their order', async () => {
		const c = await shelf()
		ok(await post(c, [...Array(10).keys()].map((n) => ({ $id: `d${n}`, title: `${n}`, n, $permissions: ['read("users")'] }))), 201)
		const ear = await ears(c, 'update')
		const r = ok(await patch(c, { genre: 'new', $permissions: ['read("any")'] }, [q('greaterThan', 'n', 3), q('orderDesc', 'n'), lim(4)]))
		assert.equal(r.total, 4)
		assert.deepEqual(r.documents.map((d) => [d.n, d.genre, d.$permissions]), [9, 8, 7, 6].map((n) => [n, 'new', ['read("any")']]))
		for (const d of r.documents) assert.deepEqual(await ear.next(), ['update', d])
		assert.deepEqual((await all(c)).filter((d) => d.genre === 'new').map((d) => d.n), [6, 7, 8, 9])
		const cursor = [q('orderAsc', 'n'), JSON.stringify({ method: 'cursorAfter', values: ['d7'] }), JSON.stringify({ method: 'offset', values: [1] })]
		assert.deepEqual(ok(await patch(c, { genre: 'last' }, cursor)).documents.map((d) => d.$id), ['d9'])
		await ear.next()
		assert.deepEqual(ok(await patch(c, { $updatedAt: '2003-01-01' }, [q('equal', 'n', 1)])).documents.map((d) => d.$updatedAt), ['2003-01-01T00:00:00.000+00:00'])
		await ear.next()
		assert.equal(ok(await patch(c, { n: { method: 'increment', values: [100] } }, undefined)).total, 10)
		assert.deepEqual((await all(c)).map((d) => d.n), [...Array(10).keys()].map((n) => n + 100))
		assert.deepEqual(ok(await patch(c, { genre: 'x' }, [q('equal', 'n', 5)])), { total: 0, documents: [] })
		ear.end()
	})

	test('all or none', async () => {
		const c = await shelf(unq)
		ok(await post(c, [{ $id: 'a', title: 'a', n: 99999 }, { $id: 'b', title: 'b', n: 5, code: 'two' }, { $id: 'c', title: 'c' }]), 201)
		const before = await all(c)
		for (const [data, type, status] of [[{ title: null }, 'document_invalid_structure', 400], [{ n: 'x' }, 'document_invalid_structure', 400], [{ colour: 1 }, 'document_invalid_structure', 400], [{}, 'document_missing_payload', 400],
			[undefined, 'document_missing_payload', 400], [{ n: { method: 'increment', values: [2] } }, 'document_invalid_structure', 400], [{ code: 'same' }, 'document_unique_constraint_violation', 409],
			[{ genre: { method: 'stringReplace', values: ['novel', 'x'.repeat(30)] } }, 'document_invalid_structure', 400], [{ $permissions: ['fly("any")'] }, 'general_bad_request', 400]])
			fails(await patch(c, data, []), status, type)
		for (const queries of [['nonsense'], [q('equal', 'colour', 1)], [JSON.stringify({ method: 'select', values: ['n'] })], [JSON.stringify({ method: 'cursorAfter', values: ['none'] })]])
			assert.equal((await patch(c, { n: 1 }, queries)).status, 400)
		assert.deepEqual(await all(c), before)
		ok(await patch(c, { code: { method: 'stringReplace', values: ['two', 'three'] } }, []))
		assert.deepEqual((await all(c)).map((d) => d.code), [null, 'three', null])
	})

	test('more than a slice, and more than the answer shows', async () => {
		const c = await shelf(), ear = await ears(c)
		for (let k = 0; k < 7; k++) ok(await post(c, [...Array(100).keys()].map((n) => ({ title: `${k * 100 + n}`, n: k * 100 + n }))), 201)
		for (let n = 0; n < 700; n++) assert.equal((await ear.next())[1].n, n)
		const r = ok(await patch(c, { genre: 'x' }, [q('orderDesc', 'n')]))
		assert.equal(r.total, 700)
		assert.deepEqual(r.documents.map((d) => d.n), [...Array(100).keys()].map((n) => 699 - n))
		for (let n = 699; n >= 0; n--) {
			const [action, d] = await ear.next()
			assert.deepEqual([action, d.n, d.genre], ['update', n, 'x'])
		}
		fails(await patch(c, { n: { method: 'increment', values: [99400] } }, []), 400, 'document_invalid_structure')
		const gone = ok(await del(c, [q('lessThan', 'n', 600)]))
		assert.equal(gone.total, 600)
		assert.equal(gone.documents.length, 100)
		for (let n = 0; n < 600; n++) {
			const [action, d] = await ear.next()
			assert.deepEqual([action, d.n, d.genre], ['delete', n, 'x'], 'nothing of what was refused')
		}
		assert.equal((await all(c)).length, 100)
		ear.end()
	})

	test('at the same time as others: none is lost, and none waits for ever', async () => {
		const c = await shelf()
		ok(await post(c, [...Array(30).keys()].map((n) => ({ $id: `d${n}`, title: 't', n: 0 }))), 201)
		const up = { n: { method: 'increment', values: [1] } }
		const rs = await Promise.all([...Array(6).keys()].map((k) => patch(c, up, [q(k % 2 ? 'orderAsc' : 'orderDesc', '$sequence')])))
		for (const r of rs) assert.equal(ok(r).total, 30)
		assert.deepEqual(new Set((await all(c)).map((d) => d.n)), new Set([6]))
	})
})

describe('delete', () => {
	test('what queries find, as it was', async () => {
		const c = await shelf(), made = ok(await post(c, [...Array(5).keys()].map((n) => ({ title: `${n}`, n }))), 201).documents
		const ear = await ears(c, 'delete'), r = ok(await del(c, [q('orderDesc', 'n'), lim(2)]))
		assert.deepEqual(r, { total: 2, documents: [made[4], made[3]] })
		for (const d of r.documents) assert.deepEqual(await ear.next(), ['delete', d])
		assert.equal((await del(c, [q('equal', 'n', 'x')])).status, 400)
		assert.equal(ok(await del(c, undefined)).total, 3)
		assert.deepEqual(await all(c), [])
		assert.deepEqual(ok(await del(c, [])), { total: 0, documents: [] })
		ear.end()
	})
})
