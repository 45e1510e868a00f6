/* Relationships: definitions, what is written through them, what is shown of them, and what a deletion does. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { server, unique, until } from '../lib/server.mjs'
import { json } from './docs.mjs'
import { fails, keysOf } from './lib.mjs'

let s, p, ada, bob, db
const speaks = (version) => ({ headers: { 'x-appwrite-response-format': version } })
const today = speaks('1.9.6')
const call = (method, path, body, o = {}, who = p) => who.call(method, path, { body, ...today, ...o })
async function ok(method, path, body, o, who) {
	const r = await call(method, path, body, o, who)
	assert.ok(r.status < 300, r.text)
	return r.body
}
before(async () => {
	s = await server()
	p = await s.project()
	ada = await p.user({ name: 'Ada' })
	bob = await p.user({ name: 'Bob' })
	db = (await ok('POST', '/databases', { databaseId: unique('d'), name: 'Test' })).$id
})
const select = (...names) => ({ query: { queries: [json('select', undefined, names)] } })
const ids = (list) => list.map((d) => d.$id)

/* A collection with a text `name` and a number `n`. */
async function place(more = {}) {
	const c = await ok('POST', `/databases/${db}/collections`, { collectionId: unique('c'), name: 'Test', attributes: [{ key: 'name', type: 'string', size: 50 }, { key: 'n', type: 'integer' }], ...more })
	const path = `/databases/${db}/collections/${c.$id}`, docs = `${path}/documents`
	return { id: c.$id, path, docs, doc: (documentId, data, o, who) => ok('POST', docs, { documentId, data }, o, who), get: (id, o, who) => ok('GET', `${docs}/${id}`, undefined, o, who),
		patch: (id, data, o, who) => ok('PATCH', `${docs}/${id}`, { data }, o, who), try: (method, id, body, o, who) => call(method, id ? `${docs}/${id}` : docs, body, o, who),
		all: (o, who) => ok('GET', docs, undefined, o, who), ids: async () => ids((await ok('GET', docs, undefined, { query: { queries: [json('limit', undefined, [100])] } })).documents).sort() }
}
const relate = (a, b, body, o) => call('POST', `${a.path}/attributes/relationship`, { relatedCollectionId: b.id, ...body }, o)
/* Two collections, a.to and (two-way) b.from between them. */
async function pair(type, more = {}, of = {}) {
	const a = await place(of.a), b = of.self ? a : await place(of.b)
	const r = await relate(a, b, { type, key: 'to', twoWayKey: 'from', twoWay: true, ...more })
	assert.equal(r.status, 202, r.text)
	return { a, b }
}
const KINDS = ['oneToOne', 'oneToMany', 'manyToOne', 'manyToMany'], MANY = { oneToMany: ['to'], manyToOne: ['from'], manyToMany: ['to', 'from'], oneToOne: [] }

describe('definitions', () => {
	for (const type of KINDS)
		test(`${type}: both sides, and what is shown of them`, async () => {
			const { a, b } = await pair(type, { onDelete: 'cascade' })
			const to = await ok('GET', `${a.path}/attributes/to`), from = await ok('GET', `${b.path}/attributes/from`)
			keysOf(to, 'key type status error required array $createdAt $updatedAt relatedCollection relationType twoWay twoWayKey onDelete side')
			const base = { type: 'relationship', status: 'available', error: '', required: false, array: false, relationType: type, twoWay: true, onDelete: 'cascade' }
			assert.deepEqual(to, { key: 'to', ...base, $createdAt: to.$createdAt, $updatedAt: to.$createdAt, relatedCollection: b.id, twoWayKey: 'from', side: 'parent' })
			assert.deepEqual(from, { key: 'from', ...base, $createdAt: to.$createdAt, $updatedAt: to.$createdAt, relatedCollection: a.id, twoWayKey: 'to', side: 'child' })
			assert.deepEqual((await ok('GET', a.path)).attributes.at(-1), to)
			assert.deepEqual((await ok('GET', `${b.path}/attributes`)).attributes.at(-1), from)
			keysOf(await ok('GET', `${a.path}/attributes/to`, undefined, speaks('1.3.0')), 'key type status required array relatedCollection relationType twoWay twoWayKey onDelete side')
			assert.equal((await call('DELETE', `${b.path}/attributes/from`)).status, 204)
			for (const [c, key] of [[a, 'to'], [b, 'from']]) fails(await call('GET', `${c.path}/attributes/${key}`), 404, 'attribute_not_found')
			assert.ok(!('to' in await a.doc('x', { n: 1 })))
		})
	test('one-way, by default: keys are ids, restrict; the other side has none', async () => {
		const a = await place(), b = await place(), r = await relate(a, b, { type: 'manyToOne' })
		assert.equal(r.status, 202, r.text)
		assert.equal(r.body.status, 'processing')
		const to = await ok('GET', `${a.path}/attributes/${b.id}`)
		assert.deepEqual([to.twoWay, to.twoWayKey, to.onDelete, to.side, to.status], [false, a.id, 'restrict', 'parent', 'available'])
		assert.equal((await ok('GET', `${b.path}/attributes`)).total, 2)
		const doc = await a.doc('x', { [b.id]: { $id: 'y', name: 'Y' } })
		assert.equal(doc[b.id].name, 'Y')
		fails(await b.try('PATCH', 'y', { data: { [a.id]: 'x' } }), 400, 'document_invalid_structure')
	})
	test('changes: the other side follows', async () => {
		const { a, b } = await pair('oneToMany')
		const put = (c, key, body) => call('PATCH', `${c.path}/attributes/relationship/${key}`, body)
		let r = await put(a, 'to', { onDelete: 'setNull' })
		assert.equal(r.status, 200, r.text)
		assert.deepEqual([r.body.key, r.body.onDelete, (await ok('GET', `${b.path}/attributes/from`)).onDelete], ['to', 'setNull', 'setNull'])
		await a.doc('x', { to: [{ $id: 'y' }] })
		r = await call('PATCH', `${a.path}/attributes/to/relationship`, { newKey: 'items' })
		assert.deepEqual([r.status, r.body.key, r.body.onDelete], [200, 'items', 'setNull'])
		assert.equal((await ok('GET', `${b.path}/attributes/from`)).twoWayKey, 'items')
		assert.deepEqual(ids((await a.get('x', select('items.*'))).items), ['y'])
		r = await put(b, 'from', { newKey: 'owner', onDelete: 'cascade' })
		assert.deepEqual([r.body.key, (await ok('GET', `${a.path}/attributes/items`)).twoWayKey, (await ok('GET', `${a.path}/attributes/items`)).onDelete], ['owner', 'owner', 'cascade'])
		fails(await put(a, 'items', { newKey: 'NAME' }), 409, 'attribute_already_exists')
		fails(await put(a, 'none', {}), 404, 'attribute_not_found')
		fails(await put(a, 'name', {}), 400, 'attribute_type_invalid')
		fails(await put(a, 'items', { onDelete: 'drop' }), 400, 'general_argument_invalid')
		fails(await call('PATCH', `${a.path}/attributes/none/relationship`, {}), 404, 'attribute_not_found')
		fails(await call('PATCH', `${a.path}/attributes/integer/items`, { required: false, default: null }), 400, 'attribute_type_invalid')
	})
	test('refused', async () => {
		const a = await place(), b = await place()
		fails(await relate(a, { id: 'none' }, { type: 'oneToOne' }), 404, 'collection_not_found')
		fails(await call('POST', `/databases/${db}/collections/none/attributes/relationship`, { relatedCollectionId: a.id, type: 'oneToOne' }), 404, 'collection_not_found')
		for (const body of [{}, { type: 'many' }, { type: 'oneToOne', twoWay: 'yes' }, { type: 'oneToOne', key: '!' }, { type: 'oneToOne', onDelete: 'x' }]) fails(await relate(a, b, body), 400, 'general_argument_invalid')
		assert.equal((await relate(a, b, { type: 'manyToMany', key: 'x', twoWayKey: 'y', twoWay: true })).status, 202)
		for (const body of [{ type: 'oneToOne', key: 'NAME', twoWayKey: 'z' }, { type: 'oneToOne', key: 'z', twoWayKey: 'Y' }, { type: 'manyToMany', key: 'z', twoWayKey: 'zz' }, { type: 'oneToOne', key: 'z', twoWay: true, twoWayKey: 'N' }])
			fails(await relate(a, b, body), 409, 'attribute_already_exists')
		fails(await relate(a, a, { type: 'oneToOne', key: 'me', twoWayKey: 'ME', twoWay: true }), 409, 'attribute_already_exists')
		fails(await call('POST', `${a.path}/indexes`, { key: 'i', type: 'key', attributes: ['x'] }), 400, 'attribute_type_invalid')
		const wide = await place({ attributes: [{ key: 'wide', type: 'string', size: 15400 }] })
		assert.equal((await relate(wide, b, { type: 'oneToOne', key: 'fits', twoWayKey: 'fits' })).status, 202)
		assert.equal((await relate(wide, b, { type: 'oneToOne', key: 'still', twoWayKey: 'still' })).status, 202)
		fails(await relate(wide, b, { type: 'oneToOne', key: 'last', twoWayKey: 'last' }), 400, 'attribute_limit_exceeded')
		fails(await relate(b, wide, { type: 'oneToOne', key: 'last', twoWayKey: 'last', twoWay: true }), 400, 'attribute_limit_exceeded')
	})
	test('a collection that goes takes the relationships of others with it', async () => {
		const { a, b } = await pair('manyToOne'), c = await place()
		assert.equal((await relate(c, b, { type: 'manyToMany', key: 'one_way' })).status, 202)
		await a.doc('x', { to: { $id: 'y' } })
		await c.doc('z', { one_way: ['y'] })
		assert.equal((await call('DELETE', b.path)).status, 204)
		for (const one of [a, c]) assert.equal((await ok('GET', `${one.path}/attributes`)).total, 2)
		assert.deepEqual(await a.ids(), ['x'])
		assert.ok(!('to' in await a.get('x')))
		assert.equal((await a.try('DELETE', 'x')).status, 204)
		assert.equal((await c.try('DELETE', 'z')).status, 204)
	})
	test('many at once: none is lost, none is doubled', async () => {
		const a = await place(), b = await place()
		const all = await Promise.all([...Array(6).keys()].flatMap((i) => [relate(a, b, { type: 'oneToOne', key: `k${i % 3}`, twoWayKey: `w${i % 3}`, twoWay: true }), relate(b, a, { type: 'manyToOne', key: `o${i}`, twoWayKey: `p${i}`, twoWay: true })]))
		assert.deepEqual(all.map((r) => r.status).filter((x) => x !== 409), Array(9).fill(202))
		assert.equal((await ok('GET', `${a.path}/attributes`)).total, 2 + 9)
		assert.equal((await ok('GET', `${b.path}/attributes`)).total, 2 + 9)
	})
})

describe('writing and reading', () => {
	for (const type of KINDS)
		for (const self of [false, true])
			test(`${type}${self ? ' to itself' : ''}: made, linked, merged, unlinked, from both sides`, async () => {
				const { a, b } = await pair(type, { onDelete: 'setNull' }, { self }), many = MANY[type].includes('to'), manyBack = MANY[type].includes('from')
				const v = (...x) => (many ? x : x[0] ?? null), w = (...x) => (manyBack ? x : x[0] ?? null), shown = (x) => (Array.isArray(x) ? ids(x) : x?.$id ?? null)
				const to = async (id) => shown((await a.get(id, select('to.*'))).to), from = async (id) => shown((await b.get(id, select('from.*'))).from)
				let d = await a.doc('a1', { name: 'A1', to: v({ $id: 'b1', name: 'B1' }) })
				const one = many ? d.to[0] : d.to
				assert.deepEqual([one.$id, one.name, one.n, one.$collectionId, one.$databaseId], ['b1', 'B1', null, b.id, db])
				for (const key of ['$sequence', '$createdAt', '$updatedAt', '$permissions']) assert.ok(key in one, key)
				assert.ok(!('from' in one), 'what led here')
				assert.deepEqual([await to('a1'), await from('b1')], [v('b1'), w('a1')])
				/* merged into what is there; what is made has an id */
				d = await a.patch('a1', { to: v({ $id: 'b1', n: 5 }) })
				assert.deepEqual([await to('a1'), (await b.get('b1')).n, (await b.get('b1')).name], [v('b1'), 5, 'B1'])
				d = await a.doc('a2', { to: v({ name: 'new' }) })
				const made = shown(many ? d.to[0] : d.to)
				assert.equal((await b.get(made)).name, 'new')
				/* by id: others are left where the other side has one */
				await a.patch('a2', { to: v('b1') })
				assert.deepEqual([await to('a2'), await from('b1')], [v('b1'), type === 'manyToMany' ? ['a1', 'a2'] : type === 'manyToOne' ? ['a1', 'a2'] : w('a2')])
				assert.deepEqual(await to('a1'), type === 'oneToOne' || type === 'oneToMany' ? v() : v('b1'))
				/* from the other side */
				await b.doc('b3', { from: w('a1') })
				assert.deepEqual([await from('b3'), await to('a1')], [w('a1'), type === 'manyToMany' ? ['b1', 'b3'] : v('b3')])
				/* a key that is absent leaves it, what is not there is passed over, nothing takes it away */
				await a.patch('a1', { name: 'other' })
				assert.deepEqual(await from('b3'), w('a1'))
				await b.patch('b3', { from: w('none') })
				assert.deepEqual([await from('b3'), await to('a1')], [w(), type === 'manyToMany' ? ['b1'] : v()])
				await a.patch('a2', { to: many ? [] : null })
				assert.deepEqual([await to('a2'), await b.ids().then((l) => l.includes('b1'))], [v(), true])
				await a.patch('a2', { to: v('B3') })
				if (many) {
					await a.patch('a2', { to: ['b3', made, 'b3'] })
					assert.deepEqual((await to('a2')).sort(), ['b3', made].sort())
					await a.patch('a2', { to: [made] })
					assert.deepEqual([await to('a2'), (await b.get('b3')).$id], [[made], 'b3'])
					await a.patch('a2', { to: null })
					assert.deepEqual(await to('a2'), [])
				}
			})
	test('what is no value', async () => {
		const one = await pair('manyToOne'), many = await pair('manyToMany')
		for (const v of [5, true, ['x'], [], '!', { $id: '_x' }, { $id: 5 }, '']) fails(await one.a.try('POST', '', { documentId: 'bad', data: { to: v } }), 400, 'relationship_value_invalid')
		for (const v of [5, 'x', { name: 'x' }, [5], [null], [['x']], [{ $id: '!' }]]) fails(await many.a.try('POST', '', { documentId: 'bad', data: { name: 'x', to: v } }), 400, 'relationship_value_invalid')
		fails(await one.a.try('POST', '', { documentId: 'bad', data: { to: { n: 'x' } } }), 400, 'document_invalid_structure')
		fails(await one.a.try('POST', '', { documentId: 'bad', data: { to: { none: 1 } } }), 400, 'document_invalid_structure')
		for (const { a, b } of [one, many]) assert.deepEqual([await a.ids(), await b.ids()], [[], []], 'nothing of it was written')
		await one.a.doc('a', { to: { $id: 'b', $createdAt: '2020-01-01T00:00:00.000+00:00', name: '{"method":"increment","values":[1]}' } })
		assert.equal((await one.b.get('b')).name, '{"method":"increment","values":[1]}', 'no operator')
		fails(await one.a.try('PATCH', 'a', { data: { n: 1, to: { $id: 'b', n: 'x' } } }), 400, 'document_invalid_structure')
		assert.equal((await one.a.get('a')).n, null)
		assert.equal((await one.a.patch('a', { n: JSON.stringify({ method: 'increment', values: [2] }), to: { $id: 'b', n: 7 } })).to.n, 7)
		assert.equal((await one.a.get('a')).n, 2)
	})
	test('two levels are written, three are shown; deeper keys are dropped', async () => {
		const a = await place(), b = await place(), c = await place(), e = await place()
		for (const [x, y] of [[a, b], [b, c], [c, e]]) assert.equal((await relate(x, y, { type: 'oneToMany', key: 'to', twoWay: true, twoWayKey: 'from' })).status, 202)
		const d = await a.doc('a', { to: [{ $id: 'b', to: [{ $id: 'c', name: 'C', to: [{ $id: 'e' }] }] }] })
		assert.equal(d.to[0].to[0].name, 'C')
		assert.ok(!('to' in d.to[0].to[0]) && !('from' in d.to[0].to[0]))
		assert.deepEqual([await b.ids(), await c.ids(), await e.ids()], [['b'], ['c'], []])
		await c.patch('c', { to: [{ $id: 'e' }] })
		const r = await a.get('a', select('name', 'to.name', 'to.to.name', 'to.to.to.name', 'to.none', 'to.from.name', 'to.to.n'))
		assert.deepEqual([r.name, r.to[0].name, r.to[0].to[0].name, r.to[0].to[0].n], [null, null, 'C', null])
		assert.deepEqual(['n' in r, 'n' in r.to[0], 'to' in r.to[0].to[0], 'from' in r.to[0]], [false, false, false, false])
		assert.deepEqual(ids((await c.get('c', select('from.from.*'))).from.from ? [(await c.get('c', select('from.from.*'))).from.from] : []), ['a'])
		assert.deepEqual((await a.patch('a', { to: [{ $id: 'b', n: 3, to: [{ $id: 'c', n: 4 }] }] })).to[0].to[0].n, 4)
	})
	test('what is shown without select, and by which version', async () => {
		const { a, b } = await pair('oneToMany'), x = await place()
		assert.equal((await relate(b, x, { type: 'manyToOne', key: 'x' })).status, 202)
		assert.equal((await relate(b, x, { type: 'oneToOne', key: 'alone', twoWayKey: 'other' })).status, 202)
		await a.doc('a', { name: 'A', to: [{ $id: 'b', x: { $id: 'x1', name: 'X' } }, { $id: 'b2' }] })
		for (const o of [today, speaks('1.8.0'), speaks('2.3.0')]) {
			const [one, of] = [await a.get('a', o), await b.get('b', o)]
			assert.ok(!('to' in one))
			assert.deepEqual([of.from, of.x, of.alone], ['a', 'x1', null])
			assert.deepEqual((await b.all(o)).documents.map((d) => [d.from, d.x]), [['a', 'x1'], ['a', null]])
		}
		const named = await b.get('b', select('name'))
		assert.deepEqual(['from' in named, 'x' in named], [false, false])
		const some = await b.get('b', select('*', 'x.name'))
		assert.deepEqual([some.from, some.x.name, 'n' in some.x, some.x.$id], ['a', 'X', false, 'x1'])
		const dotted = await b.get('b', select('x.*'))
		assert.deepEqual([dotted.name, dotted.from, dotted.x.n], [null, 'a', null])
		for (const path of [b.docs, `${b.docs}/b`]) {
			const r = await call('GET', path, undefined, select('x'))
			fails(r, 400, 'general_query_invalid')
			assert.match(r.body.message, /Cannot select attributes: x/)
			fails(await call('GET', path, undefined, select('none.x')), 400, 'general_query_invalid')
		}
		if (process.env.BADAL_FAMILY === 'tables') return
		const old = await a.get('a', speaks('1.7.0'))
		assert.deepEqual([old.to[0].x.name, old.to[1].x, old.to[0].alone, 'from' in old.to[0]], ['X', null, null, false])
		assert.deepEqual(ids((await a.all(speaks('1.5.0'))).documents[0].to), ['b', 'b2'])
		assert.ok(!('to' in await a.get('a', { ...speaks('1.7.0'), ...select('name') })))
	})
	test('keys with dots: of attributes, of relationships, and of what those lead to', async () => {
		const dotted = { attributes: [{ key: 'a.b', type: 'integer' }, { key: 'n', type: 'integer' }] }, plain = await place(dotted), a = await place(dotted), b = await place(dotted), c = await place(dotted)
		await plain.doc('x', { 'a.b': 1, n: 2 })
		for (const d of [await plain.get('x', select('a.b')), (await plain.all(select('a.b'))).documents[0]]) assert.deepEqual([d['a.b'], 'n' in d], [1, false])
		for (const [x, y, key] of [[a, b, 'my.to'], [a, c, 'my'], [b, c, 'my.to']]) assert.equal((await relate(x, y, { type: 'manyToOne', key })).status, 202)
		await a.doc('a', { n: 1, 'a.b': 2, my: { $id: 'c1', n: 3 }, 'my.to': { $id: 'b', n: 4, 'a.b': 5, 'my.to': { $id: 'c2', 'a.b': 6, n: 7 } } })
		const d = await a.get('a', select('a.b', 'my.to.a.b', 'my.to.my.to.a.b', 'my.n'))
		assert.deepEqual([d['a.b'], 'n' in d, d.my.n, d['my.to']['a.b'], 'n' in d['my.to'], d['my.to']['my.to']['a.b'], 'n' in d['my.to']['my.to']], [2, false, 3, 5, false, 6, false])
		assert.deepEqual((await a.all(select('my.to.*'))).documents.map((x) => [x.n, x['my.to'].n, x['my.to']['a.b'], x['my.to']['my.to']]), [[1, 4, 5, undefined]])
		assert.deepEqual(ids((await a.all({ query: { queries: [json('equal', 'my.to.a.b', [5])] } })).documents), ['a'])
	})
	test('of many rows at once', async () => {
		const { a, b } = await pair('manyToOne')
		for (let i = 0; i < 10; i++) await a.doc(`a${i}`, { n: i, to: i % 3 ? { $id: `b${i % 3}`, n: i } : null })
		const r = await a.all({ query: { queries: [json('select', undefined, ['*', 'to.n']), json('orderDesc', 'n'), json('limit', undefined, [7])] } })
		assert.deepEqual([r.total, r.documents.map((d) => [d.n, d.to?.$id ?? null])], [10, [9, 8, 7, 6, 5, 4, 3].map((i) => [i, i % 3 ? `b${i % 3}` : null])])
		assert.deepEqual(r.documents[1].to.n, 8)
		const back = await b.all({ query: { queries: [json('select', undefined, ['n', 'from.n']), json('orderAsc', '$id')] } })
		assert.deepEqual(back.documents.map((d) => d.from.map((x) => x.n)), [[1, 4, 7], [2, 5, 8]])
	})
	test('upsert: made and changed with what is related', async () => {
		const { a, b } = await pair('oneToMany')
		let r = await call('PUT', `${a.docs}/a`, { data: { name: 'A', to: [{ $id: 'b', name: 'B' }] } })
		assert.equal(r.status, 200, r.text)
		assert.equal(r.body.to[0].name, 'B')
		r = await call('PUT', `${a.docs}/a`, { data: { to: ['b', { $id: 'c' }] } })
		assert.deepEqual([r.body.name, ids(r.body.to)], ['A', ['b', 'c']])
		assert.deepEqual((await b.get('c')).from, 'a')
		r = await call('PATCH', `${a.docs}/a/n/increment`, {})
		assert.deepEqual([r.status, r.body.n, 'to' in r.body], [200, 1, false])
	})
	test('the same document twice, the second time beside the first or within it: it is made once', async () => {
		const { a } = await pair('manyToMany', {}, { self: true }), link = (d) => ids(d.to)
		assert.deepEqual(link(await a.doc('a', { to: [{ $id: 'b', to: [{ $id: 'c', n: 1 }] }, { $id: 'c', n: 2 }] })), ['b', 'c'])
		assert.deepEqual([(await a.get('c')).n, link(await a.get('b', select('to.*')))], [2, ['c']])
		let r = await call('PUT', `${a.docs}/d`, { data: { to: [{ $id: 'e', to: [{ $id: 'f' }] }, 'f', { $id: 'E' }] } })
		assert.deepEqual([r.status, ids(r.body.to).sort()], [200, ['e', 'f']], r.text)
		r = await a.patch('d', { to: [{ $id: 'g' }, { $id: 'h', to: [{ $id: 'g', n: 7 }] }] })
		assert.deepEqual([link(r), (await a.get('g')).n], [['g', 'h'], 7])
	})
	test('an id and a document of that id in one list: the document counts, wherever it stands', async () => {
		const { a, b } = await pair('manyToMany'), both = async (d, id) => [ids(d.to), (await b.get(id)).n]
		assert.deepEqual(await both(await a.doc('a', { to: ['new', { $id: 'new', n: 5 }, 'new'] }), 'new'), [['new'], 5])
		assert.deepEqual(await both(await a.patch('a', { to: ['nobody', 'new', { $id: 'NEW', n: 6 }] }), 'new'), [['new'], 6])
		assert.deepEqual(await both(await a.patch('a', { to: [{ $id: 'new', n: 7 }, 'new', { $id: 'new', n: 8 }] }), 'new'), [['new'], 7])
	})
	test('the same document at two depths: it is written in the order in which it is named; in one list the first counts', async () => {
		const { a } = await pair('manyToMany', {}, { self: true }), both = async (id) => { const d = await a.get(id); return [d.n, d.name] }
		for (const id of ['c', 'e']) await a.doc(id, { n: 0, name: 'was' })
		await a.doc('a', { to: [{ $id: 'b', to: [{ $id: 'c', n: 1, name: 'below' }] }, { $id: 'c', n: 0 }] })
		assert.deepEqual(await both('c'), [0, 'below'], 'back to what it was, and nothing else')
		await a.patch('a', { to: [{ $id: 'c', n: 2 }, { $id: 'b', to: [{ $id: 'c', n: 3 }, { $id: 'C', n: 4 }, { $id: 'e', name: 'too' }] }, { $id: 'e', n: 5 }] })
		assert.deepEqual([await both('c'), await both('e')], [[3, 'below'], [5, 'too']])
	})
	test('what a write says of its own document further down is passed over, but for the link', async () => {
		const { a } = await pair('manyToMany', {}, { self: true }), links = async (id) => ids((await a.get(id, select('to.*'))).to)
		await a.doc('a', { n: 1, name: 'a', to: [{ $id: 'b', to: [{ $id: 'A', n: 2, to: ['b'] }] }, { $id: 'a', n: 3 }] })
		let d = await a.get('a')
		assert.deepEqual([d.n, d.name, await links('a'), await links('b')], [1, 'a', ['a', 'b'], ['a']])
		await a.patch('a', { name: 'A', to: [{ $id: 'b', to: [{ $id: 'a', name: 'no' }] }] })
		d = await a.get('a')
		assert.deepEqual([d.n, d.name, await links('a')], [1, 'A', ['b']])
	})
	test('what is taken is said of the document that it is taken for', async () => {
		const { a, b } = await pair('manyToOne'), c = await place({ attributes: [{ key: 'code', type: 'string', size: 20 }], indexes: [{ key: 'codes', type: 'unique', attributes: ['code'] }] })
		assert.equal((await relate(b, c, { type: 'manyToOne', key: 'c' })).status, 202)
		await c.doc('c', { code: 'one' })
		const tries = [['POST', '', { documentId: 'new' }], ['PUT', 'new', {}], ['PATCH', 'a', {}]]
		await a.doc('a', { n: 1 })
		for (const [method, id, more] of tries) {
			const r = await a.try(method, id, { ...more, data: { to: { c: { $id: 'other', code: 'one' } } } })
			fails(r, 409, 'document_unique_constraint_violation')
			assert.match(r.body.message, /codes/)
		}
		assert.deepEqual([await a.ids(), await b.ids(), await c.ids()], [['a'], [], ['c']])
		fails(await a.try('POST', '', { documentId: 'a', data: { to: { $id: 'x' } } }), 409, 'document_already_exists')
	})
	test('a related document that several make at once is made by one, and linked by all', async () => {
		const { a, b } = await pair('manyToOne')
		for (let i = 0; i < 4; i++) {
			const all = await Promise.all([0, 1, 2].map((k) => a.try('POST', '', { documentId: `a${i}_${k}`, data: { to: { $id: `b${i}`, n: k } } })))
			assert.deepEqual(all.map((r) => r.status), [201, 201, 201], all.map((r) => r.text).join())
			assert.equal((await b.get(`b${i}`, select('from.*'))).from.length, 3)
		}
	})
	test('a relationship is no number to be counted', async () => {
		const { a } = await pair('manyToOne')
		await a.doc('a', { to: { $id: 'b' } })
		for (const verb of ['increment', 'decrement']) {
			fails(await call('PATCH', `${a.docs}/a/to/${verb}`, {}), 400, 'attribute_type_invalid')
			fails(await call('PATCH', `${a.docs}/a/none/${verb}`, {}), 404, 'attribute_not_found')
		}
	})
	test('many at once are refused', async () => {
		const { a, b } = await pair('oneToMany', { twoWay: false })
		for (const [method, body] of [['POST', { documents: [{ $id: 'x' }] }], ['PUT', { documents: [{ $id: 'x' }] }], ['PATCH', { data: { n: 1 } }], ['DELETE', {}]]) fails(await a.try(method, '', body), 400, 'general_bad_request')
		fails(await b.try('DELETE', '', {}), 400, 'general_bad_request')
		assert.equal((await b.try('POST', '', { documents: [{ $id: 'x', n: 1 }] })).status, 201)
	})
})

describe('filters', () => {
	const q = (...v) => ({ query: { queries: v.map((x) => (Array.isArray(x) ? json(...x) : JSON.stringify(x))).concat(json('orderAsc', '$id')) } })
	const find = async (c, ...v) => ids((await c.all(q(...v))).documents).join(' ')
	test('by the id of a related document, or that there is one', async () => {
		const { a, b } = await pair('manyToOne')
		for (const [id, to] of [['a1', 'b1'], ['a2', 'b2'], ['a3', 'b1'], ['a4', null]]) await a.doc(id, { n: 1, to: to && { $id: to } })
		for (const [v, want] of [[['equal', 'to', ['B1']], 'a1 a3'], [['equal', 'to', ['b1', 'b2']], 'a1 a2 a3'], [['notEqual', 'to', ['b1']], 'a2'], [['isNull', 'to'], 'a4'], [['isNotNull', 'to'], 'a1 a2 a3'],
			[{ method: 'and', values: [{ method: 'isNull', attribute: 'to' }, { method: 'equal', attribute: 'to', values: ['b1'] }] }, ''], [{ method: 'and', values: [{ method: 'isNotNull', attribute: 'to' }, { method: 'isNull', attribute: 'to' }] }, ''],
			[{ method: 'or', values: [{ method: 'isNull', attribute: 'to' }, { method: 'equal', attribute: 'to', values: ['b2'] }] }, 'a2 a4']]) assert.equal(await find(a, v), want, JSON.stringify(v))
		/* a total that is remembered knows nothing of links */
		for (let i = 0; i < 3; i++) assert.equal((await a.all({ query: { queries: [json('isNull', 'to'), json('limit', undefined, [1])] } })).total, 1)
		await b.patch('b2', { from: [] })
		for (let i = 0; i < 3; i++) assert.equal((await a.all({ query: { queries: [json('isNull', 'to'), json('limit', undefined, [1])] } })).total, 2)
		for (const v of [['equal', 'from', ['a1']], ['isNull', 'from']]) {
			const r = await call('GET', b.docs, undefined, q(v))
			fails(r, 400, 'general_query_invalid')
			assert.match(r.body.message, /Cannot query on virtual relationship attribute/)
		}
		for (const v of [['equal', 'to', [5]], ['contains', 'to', ['b']], ['startsWith', 'to', ['b']], ['containsAll', 'to', ['b1']], ['orderAsc', 'to'], ['orderDesc', 'to.n']]) fails(await call('GET', a.docs, undefined, { query: { queries: [json(...v)] } }), 400, 'general_query_invalid')
	})
	test('by what related documents are', async () => {
		const { a, b } = await pair('oneToMany')
		await a.doc('a1', { to: [{ $id: 'b1', name: 'x', n: 1 }, { $id: 'b2', name: 'y', n: 2 }] })
		await a.doc('a2', { to: [{ $id: 'b3', name: 'x', n: 2 }, { $id: 'b4', n: 5 }] })
		await a.doc('a3', { name: 'none', to: [] })
		for (const [v, want] of [[[['equal', 'to.name', ['X']]], 'a1 a2'], [[['equal', 'to.name', ['y', 'z']]], 'a1'], [[['equal', 'to.name', ['x']], ['equal', 'to.n', [2]]], 'a2'], [[['containsAll', 'to.name', ['x', 'y']]], 'a1'], [[['containsAll', 'to.name', ['y', 'X', 'x', 'Y']]], 'a1'], [[['containsAll', 'to.name', ['x', 'z']]], ''],
			[[['containsAll', 'to.$id', ['B1', 'b2', 'b1']]], 'a1'], [[['containsAll', 'to.n', [2, 5]]], 'a2'], [[['containsAll', 'to.n', [1, 2]], ['equal', 'to.name', ['y']]], 'a1'], [[['containsAll', 'to.name', [...Array(100).keys()].map((i) => `x${i}`)]], ''],
			[[['greaterThan', 'to.n', [2]]], 'a2'], [[['between', 'to.n', [0, 1]]], 'a1'], [[['isNull', 'to.name']], 'a2'], [[['notEqual', 'to.name', ['x']]], 'a1'], [[['equal', 'to.$id', ['b4']]], 'a2'],
			[[['greaterThan', 'to.$createdAt', ['2020-01-01']], ['isNull', 'name']], 'a1 a2'], [[{ method: 'and', values: [{ method: 'equal', attribute: 'to.name', values: ['x'] }, { method: 'equal', attribute: 'to.n', values: [1] }] }], 'a1'],
			[[{ method: 'or', values: [{ method: 'equal', attribute: 'to.n', values: [5] }, { method: 'equal', attribute: 'name', values: ['none'] }] }], 'a2 a3']]) assert.equal(await find(a, ...v), want, JSON.stringify(v))
		assert.equal(await find(b, ['equal', 'from.$id', ['a2']]), 'b3 b4')
		assert.equal(await find(b, ['isNull', 'from.name'], ['equal', 'n', [2]]), 'b2 b3')
		for (const v of [[['equal', 'to.none', ['x']]], [['equal', 'to.name', [5]]], [['search', 'to.name', ['x']]], [['equal', 'to.from', ['a1']]], [['equal', 'to.name', ['x']], ['equal', 'to.name', ['y']]]])
			fails(await call('GET', a.docs, undefined, q(...v)), 400, 'general_query_invalid')
		assert.match((await call('GET', a.docs, undefined, q(['equal', 'to.name', ['x']], ['equal', 'to.name', ['y']]))).body.message, /containsAll/)
		const named = (v) => ({ method: 'equal', attribute: 'to.name', values: [v] }), of = (method, ...values) => ({ method, values })
		for (const v of [of('and', named('x'), named('y')), of('or', named('none'), of('and', named('x'), named('y'))), of('and', named('x'), of('or', of('and', named('x'), named('y')), named('z')))])
			fails(await call('GET', a.docs, undefined, q(v)), 400, 'general_query_invalid')
		assert.equal(await find(a, of('or', named('x'), named('y')), named('y')), 'a1')
	})
	test('by their texts', async () => {
		const { a, b } = await pair('oneToMany'), fulltext = { key: 'words', type: 'fulltext', attributes: ['name'] }
		await a.doc('a1', { to: [{ $id: 'b1', name: 'Red apple', n: 1 }, { $id: 'b2', name: 'green pear' }] })
		await a.doc('a2', { to: [{ $id: 'b3', name: 'Reddish plum' }, { $id: 'b4' }] })
		await a.doc('a3', { to: [] })
		fails(await call('GET', a.docs, undefined, q(['search', 'to.name', ['apple']])), 400, 'general_query_invalid')
		assert.equal((await call('POST', `${b.path}/indexes`, fulltext)).status, 202)
		await until('the index', async () => (await ok('GET', `${b.path}/indexes/words`)).status === 'available')
		for (const [v, want] of [[[['startsWith', 'to.name', ['red']]], 'a1 a2'], [[['endsWith', 'to.name', ['PEAR']]], 'a1'], [[['notStartsWith', 'to.name', ['red']]], 'a1'], [[['notEndsWith', 'to.name', ['plum']]], 'a1'],
			[[['contains', 'to.name', ['PLU']]], 'a2'], [[['contains', 'to.name', ['plu', 'pple']]], 'a1 a2'], [[['containsAny', 'to.name', ['none', 'neither']]], ''], [[['notContains', 'to.name', ['red', 'pear']]], ''],
			[[['notContains', 'to.name', ['red']]], 'a1'], [[['contains', 'to.name', ['red']], ['equal', 'to.n', [1]]], 'a1'], [[['search', 'to.name', ['apple']]], 'a1'], [[['search', 'to.name', ['red*']]], 'a1 a2'], [[['notSearch', 'to.name', ['apple pear']]], 'a2']])
			assert.equal(await find(a, ...v), want, JSON.stringify(v))
		for (const v of [['startsWith', 'to.n', ['x']], ['contains', 'to.n', ['x']], ['contains', 'to.$sequence', ['1']]]) fails(await call('GET', a.docs, undefined, q(v)), 400, 'general_query_invalid')
	})
	test('by what is two levels away', async () => {
		const a = await place(), b = await place(), c = await place({ documentSecurity: true, permissions: [] }), e = await place(), open = { permissions: ['read("any")'] }
		for (const [x, y, type] of [[a, b, 'manyToOne'], [b, c, 'oneToMany'], [c, e, 'manyToOne']]) assert.equal((await relate(x, y, { type, key: 'to', twoWay: true, twoWayKey: 'from' })).status, 202)
		for (const x of [a, b]) await ok('PUT', x.path, { name: 'x', ...open })
		await a.doc('a1', { to: { $id: 'b1', name: 'B', to: [{ $id: 'c1', name: 'x', n: 1, $permissions: [`read("user:${ada.id}")`] }, { $id: 'c2', name: 'y', $permissions: [] }] } })
		await a.doc('a2', { to: { $id: 'b2', name: 'B', to: [{ $id: 'c3', name: 'x', n: 2, $permissions: [] }] } })
		await a.doc('a3', { to: null })
		for (const [v, want] of [[[['equal', 'to.to.name', ['x']]], 'a1 a2'], [[['equal', 'to.to.name', ['x']], ['equal', 'to.to.n', [2]]], 'a2'], [[['containsAll', 'to.to.name', ['x', 'y']]], 'a1'], [[['equal', 'to.to.$id', ['c3']], ['equal', 'to.name', ['b']]], 'a2'],
			[[['isNull', 'to.to.n']], 'a1'], [[{ method: 'or', values: [{ method: 'equal', attribute: 'to.to.n', values: [2] }, { method: 'isNull', attribute: 'to' }] }], 'a2 a3'], [[['startsWith', 'to.to.name', ['y']]], 'a1']])
			assert.equal(await find(a, ...v), want, JSON.stringify(v))
		assert.equal(await find(c, ['equal', 'from.from.$id', ['a2']]), 'c3')
		const seen = async (who) => ids((await a.all(q(['equal', 'to.to.name', ['x']]), who)).documents)
		assert.deepEqual([await seen(ada), await seen(bob)], [['a1'], []])
		for (const v of [['equal', 'to.to.none', ['x']], ['equal', 'to.from.name', ['x']], ['equal', 'to.to.to.name', ['x']], ['equal', 'to.to', ['c1']], ['orderAsc', 'to.to.n']]) fails(await call('GET', a.docs, undefined, q(v)), 400, 'general_query_invalid')
	})
	test('how often may be asked', async () => {
		const { a } = await pair('oneToMany'), of = (n) => q({ method: 'or', values: [...Array(n).keys()].map((i) => ({ method: 'equal', attribute: 'to.n', values: [i] })) })
		await a.doc('a', { to: [{ $id: 'b', n: 19 }] })
		assert.deepEqual(ids((await a.all(of(20))).documents), ['a'])
		const r = await call('GET', a.docs, undefined, of(21))
		fails(r, 400, 'general_query_limit_exceeded')
		assert.match(r.body.message, /21 times .* 20 times/)
	})
	test('by what related documents are: the plan', async () => {
		const { a } = await pair('oneToMany')
		assert.equal((await p.admin('GET', a.docs, { ...today, query: { explain: 1, queries: [json('equal', 'to.name', ['x'])] } })).status, 200)
	})
	test('with what the caller may read', async () => {
		const open = { permissions: ['read("any")'] }, { a, b } = await pair('oneToMany', {}, { a: open, b: { documentSecurity: true, permissions: [] } })
		await a.doc('a1', { to: [{ $id: 'b1', n: 1, $permissions: [`read("user:${ada.id}")`] }] })
		await a.doc('a2', { to: [{ $id: 'b2', n: 1, $permissions: [] }] })
		const seen = async (who) => ids((await a.all(q(['equal', 'to.n', [1]]), who)).documents)
		assert.deepEqual([await seen(p), await seen(ada), await seen(bob)], [['a1', 'a2'], ['a1'], []])
		await ok('PUT', b.path, { name: 'x', permissions: [] })
		assert.deepEqual(await seen(ada), [])
	})
	test('of a collection that is related to itself', async () => {
		const c = await place()
		assert.equal((await relate(c, c, { type: 'manyToOne', key: 'boss', twoWay: true, twoWayKey: 'team', onDelete: 'setNull' })).status, 202)
		await c.doc('top', { name: 'Top' })
		for (const id of ['x', 'y']) await c.doc(id, { name: id, boss: 'top' })
		assert.equal(await find(c, ['equal', 'boss', ['top']]), 'x y')
		assert.equal(await find(c, ['equal', 'boss.name', ['top']], ['equal', 'name', ['y']]), 'y')
		assert.equal(await find(c, ['equal', 'team.name', ['x']]), 'top')
		assert.equal(await find(c, ['isNull', 'boss']), 'top')
	})
})

describe('permissions', () => {
	const open = { permissions: ['read("any")', 'create("any")', 'update("any")', 'delete("any")'] }
	test('related documents that may not be read are not shown', async () => {
		const hidden = { documentSecurity: true, permissions: ['create("users")'] }, { a, b } = await pair('oneToMany', {}, { a: open, b: hidden })
		await a.doc('a', { to: [{ $id: 'b1', $permissions: [`read("user:${ada.id}")`] }, { $id: 'b2', $permissions: [] }] })
		const seen = async (who) => ids((await a.get('a', select('to.*'), who)).to)
		assert.deepEqual([await seen(p), await seen(ada), await seen(bob)], [['b1', 'b2'], ['b1'], []])
		const one = await pair('manyToOne', {}, { a: open, b: { permissions: [] } })
		await one.a.doc('a', { to: { $id: 'b' } })
		assert.equal((await one.a.get('a', select('to.*'), ada)).to, null)
		await ok('PUT', b.path, { name: 'x', enabled: false, permissions: ['read("any")'] })
		assert.deepEqual([await seen(ada), await seen(p)], [[], ['b1', 'b2']])
	})
	test('to make needs create, to merge update; an id needs it where the link is kept there', async () => {
		const closed = { permissions: ['read("any")'] }, { a, b } = await pair('oneToMany', {}, { a: open, b: closed }), other = await pair('manyToOne', {}, { a: open, b: closed })
		for (const x of [b, other.b]) await x.doc('b', { n: 1 })
		const no = async (c, to) => { fails(await c.try('POST', '', { documentId: 'x', data: { to } }, {}, ada), 401, 'user_unauthorized'); assert.deepEqual(await c.ids(), []) }
		await no(a, [{ $id: 'new' }])
		await no(a, [{ $id: 'b', n: 2 }])
		await no(a, ['b'])
		await no(other.a, { $id: 'new' })
		await no(other.a, { $id: 'b', n: 2 })
		assert.equal((await other.a.doc('x', { to: 'b' }, {}, ada)).to.n, 1)
		assert.deepEqual([await b.ids(), (await b.get('b')).n], [['b'], 1])
		await ok('PUT', b.path, { name: 'x', permissions: ['create("users")', 'update("users")', 'read("users")'] })
		const d = await a.doc('x', { to: ['b', { $id: 'new' }] }, {}, ada)
		assert.deepEqual(ids(d.to), ['b', 'new'])
	})
	const mine = (...verbs) => verbs.map((v) => `${v}("user:${ada.id}")`), own = (permissions = []) => ({ permissions, documentSecurity: true })
	const create = (c, documentId, permissions, data = { n: 1 }) => ok('POST', c.docs, { documentId, permissions, data })
	test('to merge asks what an update of its own asks: nobody grants what is not held', async () => {
		const { a, b } = await pair('manyToOne', {}, { a: open, b: own() }), refused = async (to) => fails(await a.try('PATCH', 'a', { data: { to } }, {}, ada), 401, 'user_unauthorized')
		await a.doc('a', { n: 1 })
		await create(b, 'b', mine('update'))
		for (const v of ['read', 'delete']) {
			await refused({ $id: 'b', $permissions: mine('update', v) })
			await refused({ $id: 'b', n: 2, $permissions: mine(v) })
			fails(await b.try('PATCH', 'b', { permissions: mine('update', v) }, {}, ada), 401, 'user_unauthorized')
		}
		assert.deepEqual([(await b.get('b')).$permissions, (await b.get('b')).n], [mine('update'), 1])
		await a.patch('a', { to: { $id: 'b', n: 3, $permissions: mine('update') } }, {}, ada)
		assert.equal((await b.get('b')).n, 3)
		await create(b, 'all', mine('read', 'update', 'delete'))
		await a.patch('a', { to: { $id: 'all', $permissions: mine('read', 'update') } }, {}, ada)
		assert.deepEqual((await b.get('all')).$permissions, mine('read', 'update'))
		await a.patch('a', { to: { $id: 'b', $permissions: mine('read', 'delete') } })
		assert.deepEqual((await b.get('b')).$permissions, mine('read', 'delete'), 'keys grant what they like')
	})
	test('to merge asks what an update of its own asks: a state that the client has not seen is not written over', async () => {
		const { a, b } = await pair('manyToOne', {}, { a: open, b: open })
		await a.doc('a', { to: { $id: 'b', n: 1 } })
		const old = { headers: { ...today.headers, 'x-appwrite-timestamp': '2020-01-01T00:00:00.000+00:00' } }, late = { headers: { ...today.headers, 'x-appwrite-timestamp': '2120-01-01T00:00:00.000+00:00' } }
		await create(a, 'dated', undefined, { n: 1, $updatedAt: '2019-01-01T00:00:00.000+00:00' })
		fails(await a.try('PATCH', 'dated', { data: { to: { $id: 'b', n: 2 } } }, old), 409, 'document_update_conflict')
		assert.equal((await b.get('b')).n, 1)
		assert.equal((await a.try('PATCH', 'dated', { data: { to: { $id: 'b', n: 2 } } }, late)).status, 200)
	})
	test('in a collection that is switched off nothing is made, merged, linked or deleted by way of another', async () => {
		const { a, b } = await pair('manyToMany', { onDelete: 'cascade' }, { a: open, b: open }), off = async (enabled) => ok('PUT', b.path, { name: 'x', enabled, ...open })
		const c = await place(open)
		assert.equal((await relate(c, a, { type: 'manyToOne', key: 'a' })).status, 202)
		await a.doc('a', { to: [{ $id: 'b', n: 1 }] })
		await off(false)
		for (const one of [{ $id: 'new' }, { $id: 'b', n: 2 }, 'b']) {
			fails(await a.try('PATCH', 'a', { data: { to: [one] } }, {}, ada), 404, 'collection_not_found')
			fails(await a.try('POST', '', { documentId: 'x', data: { to: [one] } }, {}, ada), 404, 'collection_not_found')
			fails(await a.try('PUT', 'x', { data: { to: [one] } }, {}, ada), 404, 'collection_not_found')
			fails(await c.try('POST', '', { documentId: 'x', data: { a: { $id: 'deep', to: [one] } } }, {}, ada), 404, 'collection_not_found')
		}
		fails(await a.try('DELETE', 'a', undefined, {}, ada), 404, 'collection_not_found')
		assert.deepEqual([await a.ids(), await b.ids(), await c.ids(), (await b.get('b')).n], [['a'], ['b'], [], 1])
		assert.deepEqual((await a.patch('a', { to: [{ $id: 'new' }, { $id: 'b', n: 5 }] })).to.map((d) => d.n), [5, null], 'keys and admins')
		await a.patch('a', { to: [] }, {}, ada)
		assert.equal((await a.try('DELETE', 'a', undefined, {}, ada)).status, 204, 'it is linked to nothing there')
		await off(true)
		assert.deepEqual(await b.ids(), ['b', 'new'])
	})
	test('one to one: who is taken is changed, and so is who loses it where that one alone holds the link', async () => {
		const closed = { permissions: ['create("users")', 'read("any")'], documentSecurity: true }
		for (const twoWay of [true, false]) {
			const { a, b } = await pair('oneToOne', { twoWay, onDelete: 'setNull' }, { a: closed, b: closed }), holder = async () => (await a.get('theirs', select('to.*'))).to?.$id
			await create(b, 'b', [])
			await create(b, 'free', mine('update'))
			await create(a, 'theirs', [], { to: 'b' })
			await create(a, 'mine', mine('update'))
			for (const to of ['b', { $id: 'b' }, { $id: 'b', n: 1 }]) {
				fails(await a.try('PATCH', 'mine', { data: { to } }, {}, ada), 401, 'user_unauthorized')
				fails(await a.try('POST', '', { documentId: 'new', data: { to } }, {}, ada), 401, 'user_unauthorized')
			}
			assert.deepEqual([await holder(), await a.ids()], ['b', ['mine', 'theirs']])
			await a.patch('mine', { to: 'free' }, {}, ada)
			await ok('PATCH', `${a.docs}/theirs`, { permissions: mine('update') })
			if (twoWay) await ok('PATCH', `${b.docs}/b`, { permissions: mine('update') })
			assert.equal((await a.patch('mine', { to: 'b' }, {}, ada)).to.$id, 'b')
			assert.equal(await holder(), undefined)
		}
	})
	test('what is sent back as it was loaded asks to be read alone, and changes nothing', async () => {
		const readable = { permissions: ['read("any")'] }, { a, b } = await pair('oneToMany', {}, { a: open, b: readable }), c = await place(readable)
		assert.equal((await relate(b, c, { type: 'manyToOne', key: 'c', twoWay: true, twoWayKey: 'bs' })).status, 202)
		await create(a, 'a', ['read("team:none")'], { to: [{ $id: 'b1', n: 1, c: { $id: 'c', n: 1 } }, { $id: 'b2', n: 2 }] })
		const at = async () => [await a.get('a'), await b.get('b1'), await b.get('b2'), await c.get('c')].map((d) => d.$updatedAt), before = await at()
		const loaded = await a.get('a', select('*', 'to.*', 'to.c.*'), ada), all = structuredClone(loaded.to)
		assert.deepEqual([all[0].c.n, all[0].$permissions], [1, ['read("team:none")']])
		assert.deepEqual(ids((await a.patch('a', { to: all }, {}, ada)).to), ['b1', 'b2'])
		await a.patch('a', { to: ['b2', 'b1'] }, {}, ada)
		await a.patch('a', { n: null, to: [{ $id: 'b2', n: 2 }, 'b1'] }, {}, ada)
		assert.deepEqual(await at(), before)
		for (const to of [[{ ...all[0], n: 5 }, all[1]], [{ ...all[0], c: { ...all[0].c, n: 5 } }, all[1]], [{ ...all[0], c: null }, all[1]], [...all, { $id: 'new' }]])
			fails(await a.try('PATCH', 'a', { data: { to } }, {}, ada), 401, 'user_unauthorized')
		assert.deepEqual(await at(), before)
		const shut = await pair('manyToOne', {}, { a: readable, b: open })
		await shut.a.doc('a', { to: { $id: 'b', n: 1 } })
		assert.equal((await shut.a.patch('a', { to: 'b' }, {}, ada)).to.$id, 'b')
		for (const to of [null, { $id: 'b', n: 2 }, { $id: 'other' }]) fails(await shut.a.try('PATCH', 'a', { data: { to } }, {}, ada), 401, 'user_unauthorized')
		assert.equal((await shut.b.get('b')).n, 1)
		const was = (await shut.a.get('a')).$updatedAt
		await shut.a.patch('a', { to: { $id: 'b', n: 3 } })
		assert.notEqual((await shut.a.get('a')).$updatedAt, was, 'what was changed with it changes it')
	})
	test('a new one has the permissions of who it belongs to, unless it says its own', async () => {
		const { a, b } = await pair('oneToMany', {}, { a: { ...open, documentSecurity: true }, b: { ...open, documentSecurity: true } })
		const reads = mine('read'), r = await call('POST', a.docs, { documentId: 'a', permissions: reads, data: { to: [{ $id: 'b' }, { $id: 'c', $permissions: [`update("user:${ada.id}")`] }, { $id: 'd', $permissions: ['write("any")'] }] } }, {}, ada)
		assert.equal(r.status, 201, r.text)
		assert.deepEqual([(await b.get('b')).$permissions, (await b.get('c')).$permissions, (await b.get('d')).$permissions], [reads, [`update("user:${ada.id}")`], ['update("any")', 'delete("any")']])
		fails(await a.try('POST', '', { documentId: 'x', data: { to: [{ $permissions: ['read("team:none")'] }] } }, {}, ada), 401, 'user_unauthorized')
		fails(await a.try('POST', '', { documentId: 'x', data: { to: [{ $permissions: ['look("any")'] }] } }, {}, ada), 400, 'general_bad_request')
	})
})

describe('deletion', () => {
	const cases = { oneToOne: 'to', oneToMany: 'to', manyToMany: 'to', manyToOne: 'from' }	/* whose end matters */
	for (const type of KINDS)
		for (const twoWay of [true, false])
			for (const onDelete of ['restrict', 'setNull', 'cascade'])
				test(`${type}, ${twoWay ? 'two-way' : 'one-way'}, ${onDelete}`, async () => {
					const { a, b } = await pair(type, { twoWay, onDelete }), many = MANY[type].includes('to'), to = (...x) => (many ? x : x[0])
					await a.doc('a', { to: to({ $id: 'b' }) })
					await a.doc('a2', { to: to({ $id: 'b2' }) })
					const [one, other] = cases[type] === 'to' ? [[a, 'a'], [b, 'b']] : [[b, 'b'], [a, 'a']], there = async ([c, id]) => (await c.ids()).includes(id)
					/* the side that does not matter, first: it is unlinked */
					const [c2, id2] = [other[0], `${other[1]}2`]
					assert.equal((await c2.try('DELETE', id2)).status, 204)
					assert.ok(await there([one[0], `${one[1]}2`]))
					assert.equal((await one[0].try('DELETE', `${one[1]}2`)).status, 204, 'nothing is related to it any more')
					const r = await one[0].try('DELETE', one[1])
					if (onDelete === 'restrict') {
						fails(r, 403, 'document_delete_restricted')
						assert.deepEqual([await there(one), await there(other)], [true, true])
						await a.patch('a', { to: many ? [] : null })
						assert.equal((await one[0].try('DELETE', one[1])).status, 204)
						assert.ok(await there(other))
					} else {
						assert.equal(r.status, 204)
						assert.deepEqual([await there(one), await there(other)], [false, onDelete === 'setNull'])
						if (onDelete === 'setNull' && cases[type] === 'from') assert.equal((await a.get('a')).to, null)
						if (onDelete === 'setNull' && twoWay && type !== 'manyToMany' && cases[type] === 'to') assert.equal((await b.get('b')).from, null)
					}
				})
	test('a chain goes as a whole, with the caller\'s permissions, within a bound', async () => {
		const c = await place({ permissions: ['read("any")', 'delete("users")'], documentSecurity: true })
		assert.equal((await relate(c, c, { type: 'oneToMany', key: 'next', twoWay: true, twoWayKey: 'last', onDelete: 'cascade' })).status, 202)
		for (let i = 0; i < 12; i++) await c.doc(`d${i}`, { next: [] })
		for (let i = 0; i < 11; i++) await c.patch(`d${i}`, { next: [`d${i + 1}`] })
		await c.patch('d11', { next: ['d0'] })
		assert.equal((await c.try('DELETE', 'd5', undefined, {}, ada)).status, 204)
		assert.deepEqual(await c.ids(), [])
		const b = await place({ permissions: ['read("any")'] })
		assert.equal((await relate(c, b, { type: 'oneToMany', key: 'kept', onDelete: 'cascade' })).status, 202)
		await c.doc('x', { kept: [{ $id: 'k' }], next: [{ $id: 'y' }] })
		fails(await c.try('DELETE', 'x', undefined, {}, ada), 401, 'user_unauthorized')
		assert.deepEqual([await c.ids(), await b.ids()], [['x', 'y'], ['k']])
		assert.equal((await c.try('DELETE', 'x')).status, 204)
		assert.deepEqual([await c.ids(), await b.ids()], [[], []])
	})
	test('restricted further on: nothing is deleted', async () => {
		const { a, b } = await pair('oneToMany', { onDelete: 'cascade' }), c = await place()
		assert.equal((await relate(b, c, { type: 'oneToOne', key: 'held', onDelete: 'restrict' })).status, 202)
		await a.doc('a', { to: [{ $id: 'b', held: { $id: 'c' } }, { $id: 'b2' }] })
		fails(await a.try('DELETE', 'a'), 403, 'document_delete_restricted')
		assert.deepEqual([await a.ids(), await b.ids(), await c.ids()], [['a'], ['b', 'b2'], ['c']])
	})
})

describe('at the same time', () => {
	test('a restricted document is deleted, or linked to: never both', async () => {
		const { a, b } = await pair('manyToOne', { twoWay: false })
		for (let i = 0; i < 6; i++) {
			await b.doc(`b${i}`, { n: i })
			const [gone, ...made] = await Promise.all([b.try('DELETE', `b${i}`), ...[0, 1].map((k) => a.try('POST', '', { documentId: `a${i}_${k}`, data: { to: `b${i}` } }))])
			assert.ok(made.every((r) => r.status === 201))
			assert.ok([204, 403].includes(gone.status), gone.text)
			const links = (await Promise.all([0, 1].map((k) => a.get(`a${i}_${k}`)))).map((d) => d.to)
			if (gone.status === 204) assert.deepEqual(links, [null, null])
			else assert.ok(links.includes(`b${i}`))
		}
	})
	test('one to one: whoever comes last has it, and both sides agree', async () => {
		const { a, b } = await pair('oneToOne', { onDelete: 'setNull' })
		for (let i = 0; i < 4; i++) {
			await a.doc(`a${i}`, { n: i })
			await b.doc(`b${i}`, { n: i })
		}
		const all = await Promise.all([...Array(24).keys()].map((i) => (i % 2 ? a.try('PATCH', `a${i % 4}`, { data: { to: `b${(i * 7) % 4}` } }) : b.try('PATCH', `b${i % 4}`, { data: { from: `a${(i * 5) % 4}` } }))))
		for (const r of all) assert.equal(r.status, 200, r.text)
		const to = new Map((await a.all()).documents.map((d) => [d.$id, d.to])), from = new Map((await b.all()).documents.map((d) => [d.$id, d.from]))
		for (const [x, y] of to) if (y) assert.equal(from.get(y), x)
		for (const [y, x] of from) if (x) assert.equal(to.get(x), y)
	})
	test('sets of many to many from both sides', async () => {
		const { a, b } = await pair('manyToMany')
		for (const [c, k] of [[a, 'a'], [b, 'b']]) for (let i = 0; i < 3; i++) await c.doc(`${k}${i}`, { n: i })
		const all = await Promise.all([...Array(12).keys()].map((i) => (i % 2 ? a.try('PATCH', `a${i % 3}`, { data: { to: ['b0', 'b1', 'b2'] } }) : b.try('PATCH', `b${i % 3}`, { data: { from: ['a0', 'a1', 'a2'] } }))))
		for (const r of all) assert.equal(r.status, 200, r.text)
		for (const d of (await a.all(select('to.n'))).documents) assert.deepEqual(ids(d.to), ['b0', 'b1', 'b2'])
	})
})

describe('bounds', () => {
	const max = 12, list = (n, prefix = 'b') => [...Array(n).keys()].map((i) => `${prefix}${i}`)
	let own, others
	before(async () => {
		others = [p, db]
		own = await server({ own: true, conf: { relation_rows_max: max, list_bytes_max: '100k', query_cost_max: 5 } })
		p = await own.project()
		db = (await ok('POST', '/databases', { databaseId: unique('d'), name: 'Test' })).$id
	})
	after(async () => {
		[p, db] = others
		await own?.stop()
	})
	const wide = { attributes: [{ key: 'text', type: 'string', size: 30000 }, { key: 'n', type: 'integer' }] }

	test('a document that many lead to is written as often, within a bound of bytes', async () => {
		const { a, b } = await pair('manyToOne'), c = await place(wide)
		assert.equal((await relate(b, c, { type: 'manyToOne', key: 'of' })).status, 202)
		await b.doc('b', { of: { $id: 'c', text: 'x'.repeat(20000) } })
		for (const id of list(6, 'a')) await a.doc(id, { to: 'b' })
		const some = (n, key = 'text') => ({ query: { queries: [json('select', undefined, ['$id', `to.of.${key}`]), json('limit', undefined, [n])] } })
		assert.deepEqual((await a.all(some(4))).documents.map((d) => d.to.of.text.length), Array(4).fill(20000))
		const r = await call('GET', a.docs, undefined, some(6))
		fails(r, 400, 'general_query_limit_exceeded')
		assert.match(r.body.message, /bytes of related documents/)
		assert.equal((await a.all(some(6, 'n'))).documents.length, 6, 'what is not shown has no bytes')
	})
	test('texts of related documents are looked through within the bound of filters', async () => {
		const { a, b } = await pair('manyToOne', {}, { b: wide }), has = (word) => ({ query: { queries: [json('contains', 'to.text', [word])] } })
		for (const id of list(3)) await a.doc(id, { to: { $id: id, text: 'x'.repeat(10000) } })
		assert.equal((await a.all(has('x'))).total, 3)
		const other = await pair('manyToOne', {}, { b: wide })
		for (const id of list(3)) await other.a.doc(id, { to: { $id: id, text: 'x'.repeat(30000) }, n: 1 })
		for (const id of list(3, 'c')) await other.b.doc(id, { text: 'x'.repeat(30000) })
		const r = await call('GET', other.a.docs, undefined, has('x'))
		fails(r, 400, 'general_query_limit_exceeded')
		assert.match(r.body.message, /too much to look through/)
	})
	test('links are not followed beyond the bound', async () => {
		const { a, b } = await pair('oneToMany')
		await a.doc('a', { to: list(max).map(($id) => ({ $id })) })
		assert.equal((await a.get('a', select('to.*'))).to.length, max)
		await b.doc('more', { from: 'a' })
		const r = await call('GET', `${a.docs}/a`, undefined, select('to.*'))
		fails(r, 400, 'general_query_limit_exceeded')
		assert.match(r.body.message, /more than 12 related documents/)
		/* nor are that many unlinked */
		await a.patch('a', { to: ['b0'] })
		for (let i = 0; i < max; i++) await b.doc(`c${i}`, { from: 'a' })
		assert.equal((await b.all({ query: { queries: [json('equal', 'from', ['a'])] } })).total, max + 1)
		fails(await a.try('PATCH', 'a', { data: { to: [] } }), 400, 'general_bad_request')
		assert.equal((await a.patch('a', { to: ['c0'] })).to.length, 1)
	})
	test('a deletion takes so many documents with it, and so many links', async () => {
		const { a, b } = await pair('oneToMany', { onDelete: 'cascade' }), some = (n) => list(n).map(($id) => ({ $id }))
		await a.doc('a', { to: some(max) })
		await b.doc('more', { from: 'a' })
		const r = await a.try('DELETE', 'a')
		fails(r, 400, 'general_bad_request')
		assert.match(r.body.message, /more than 12 related ones/)
		assert.equal((await b.try('DELETE', 'more')).status, 204)
		assert.equal((await a.try('DELETE', 'a')).status, 204)
		assert.deepEqual(await b.ids(), [])
		const { a: x, b: y } = await pair('oneToMany', { onDelete: 'setNull' }), links = 50 * max
		await x.doc('x', { n: 1 })
		for (let i = 0; i <= links; i += 100) await Promise.all([...Array(Math.min(100, links + 1 - i)).keys()].map((k) => y.doc(`y${i + k}`, { from: 'x' })))
		const no = await x.try('DELETE', 'x')
		fails(no, 400, 'general_bad_request')
		assert.match(no.body.message, /more than 600 links/)
		/* those of a transaction's deletions are one sum */
		await x.doc('x2', { n: 1 })
		await y.patch('y0', { from: 'x2' })
		const t = (await ok('POST', '/databases/transactions', {})).$id
		await ok('POST', `/databases/transactions/${t}/operations`, { operations: ['x', 'x2'].map((documentId) => ({ action: 'delete', databaseId: db, collectionId: x.id, documentId })) })
		const both = await call('PATCH', `/databases/transactions/${t}`, { commit: true })
		fails(both, 400, 'general_bad_request')
		assert.match(both.body.message, /more than 600 links/)
		await y.patch('y0', { from: null })
		assert.equal((await x.try('DELETE', 'x')).status, 204)
		assert.equal((await y.get('y1')).from, null)
	})
	test('a deletion reaches so many collections', async () => {
		const chain = [await place()]
		for (let i = 0; i < 100; i++) {
			chain.push(await place())
			assert.equal((await relate(chain[i], chain[i + 1], { type: 'oneToOne', key: 'to', onDelete: 'cascade' })).status, 202)
		}
		for (const i of [0, 1]) await chain[i].doc('d', { n: i })
		const r = await chain[0].try('DELETE', 'd')
		fails(r, 400, 'general_bad_request')
		assert.match(r.body.message, /at most 100 collections/)
		assert.equal((await chain[1].try('DELETE', 'd')).status, 204)
	})
	test('a read names so many relationships', async () => {
		const c = await place()
		for (let i = 0; i < 11; i++) assert.equal((await relate(c, c, { type: 'manyToOne', key: `r${i}`, twoWayKey: `w${i}` })).status, 202)
		await c.doc('c', { n: 1 })
		const names = (n) => [...Array(n).keys()].flatMap((i) => [`r${i}.*`, ...[...Array(11).keys()].map((k) => `r${i}.r${k}.*`)])
		assert.equal((await c.get('c', select('*', ...names(8)))).n, 1)
		const r = await call('GET', `${c.docs}/c`, undefined, select('*', ...names(9)))
		fails(r, 400, 'general_query_limit_exceeded')
		assert.match(r.body.message, /100 relationships/)
	})
	test('who asks for nothing is shown what fits', async () => {
		if (process.env.BADAL_FAMILY === 'tables') return
		const a = await place(), b = await place(), c = await place(), old = speaks('1.7.0')
		for (const [x, y, type] of [[a, b, 'oneToMany'], [b, c, 'oneToMany']]) assert.equal((await relate(x, y, { type, key: 'to', twoWay: true, twoWayKey: 'from' })).status, 202)
		await a.doc('a', { n: 1, to: list(2).map(($id) => ({ $id, to: list(3, $id).map((x) => ({ $id: x })) })) })
		assert.equal((await a.get('a', old)).to[1].to.length, 3)
		for (let i = 0; i < 6; i++) await c.doc(`more${i}`, { from: 'b0' })
		let d = await a.get('a', old)
		assert.deepEqual([d.to.length, 'to' in d.to[0], d.n], [2, false, 1])
		for (let i = 0; i < max; i++) await b.doc(`more${i}`, { from: 'a' })
		for (d of [await a.get('a', old), (await a.all(old)).documents[0]]) assert.deepEqual(['to' in d, d.n], [false, 1])
		d = await b.get('more1', old)
		assert.equal(d.from.$id, 'a')
	})
	test('what is changed is read within a bound of bytes, what is linked without its attributes', async () => {
		const { a, b } = await pair('manyToMany', {}, { b: wide })
		for (const id of list(6)) await b.doc(id, { text: 'x'.repeat(20000) })
		await a.doc('a', { to: list(6) })
		const each = () => Promise.all(list(6).map((id) => b.get(id, select('n', 'from.n'))))
		for (const d of await each()) assert.deepEqual(ids(d.from), ['a'])
		const r = await a.try('PATCH', 'a', { data: { to: list(6).map(($id) => ({ $id, n: 1 })) } })
		fails(r, 400, 'general_bad_request')
		assert.match(r.body.message, /bytes/)
		await a.patch('a', { to: list(4).map(($id) => ({ $id, n: 1 })) })
		assert.deepEqual((await each()).map((d) => d.n), [1, 1, 1, 1, null, null])
	})
	test('how many are named, and in which order', async () => {
		const { a, b } = await pair('manyToMany')
		for (const id of list(max)) await b.doc(id, { n: 1 })
		const r = await a.try('POST', '', { documentId: 'x', data: { to: Array(max + 1).fill(1) } })
		fails(r, 400, 'general_bad_request')
		assert.match(r.body.message, /at most 12 related documents/)
		await a.doc('a', { to: list(max).reverse() })
		assert.deepEqual(ids((await a.get('a', select('to.n'))).to), list(max))
		await a.patch('a', { to: [{ $id: 'B3', n: 3 }, 'none', 'b2', { $id: 'b3', n: 4 }, { $id: 'NEW', n: 5 }, 'b2', { $id: 'new', n: 6 }] })
		assert.deepEqual((await a.get('a', select('to.n'))).to.map((d) => [d.$id, d.n]), [['b2', 1], ['b3', 3], ['NEW', 5]])
	})
})

describe('room', () => {
	test('a user writes a hundred related documents at once, a key more', async () => {
		const open = { permissions: ['read("any")', 'create("any")', 'update("any")'] }, { a } = await pair('oneToMany', {}, { a: open, b: open }), parts = (n) => [...Array(n).keys()].map((n) => ({ n }))
		fails(await a.try('POST', '', { documentId: 'x', data: { to: parts(101) } }, {}, ada), 400, 'general_bad_request')
		assert.equal((await a.try('POST', '', { documentId: 'x', data: { to: parts(100) } }, {}, ada)).status, 201)
		assert.equal((await a.try('POST', '', { documentId: 'y', data: { to: parts(101) } })).status, 201)
	})
})
