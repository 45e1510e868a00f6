/* Transactions: what is staged is done together or not at all, and only when nothing of what it rests on has changed. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'

import { server, unique } from '../lib/server.mjs'
import { listen } from '../lib/ws.mjs'
import { collection, database } from './docs.mjs'
import { fails, isTime, keysOf } from './lib.mjs'

const attributes = { title: { type: 'string', size: 40, required: true }, genre: { type: 'string', size: 20, default: 'novel' }, n: { type: 'integer', min: -100, max: 1000 }, tags: { type: 'string', size: 8, array: true } }
const speaking = (format, caller) => (method, target, options = {}) => caller(method, target, { ...options, headers: { 'x-appwrite-response-format': format, ...options.headers } })
const ok = (r, status = 200) => (assert.equal(r.status, status, r.text), r.body)
const q = (method, attribute, ...values) => JSON.stringify({ method, attribute, values: values.flat() })
const lim = (n) => JSON.stringify({ method: 'limit', values: [n] })
const at = '/databases/transactions'

let s, p, db, ada, bob, key, us, them, guest
before(async () => {
	s = await server()
	p = await s.project()
	db = await database(p)
	ada = await p.user({ name: 'Ada' })
	bob = await p.user({ name: 'Bob' })
	key = speaking('1.9.5', p.call)
	us = speaking('2.3.0', ada.call)
	them = speaking('2.3.0', bob.call)
	guest = speaking('2.3.0', p.guest)
})
const shelf = (more = {}) => collection(p, db, { permissions: ['read("any")', 'create("users")', 'update("users")', 'delete("users")'], attributes, ...more })
const begin = async (caller = key, body = {}) => ok(await caller('POST', at, { body }), 201)
const commit = (t, caller = key) => caller('PATCH', `${at}/${t.$id}`, { body: { commit: true } })
const rollback = (t, caller = key) => caller('PATCH', `${at}/${t.$id}`, { body: { rollback: true } })
const look = async (t, caller = key) => ok(await caller('GET', `${at}/${t.$id}`))
const stage = (t, operations, caller = key) => caller('POST', `${at}/${t.$id}/operations`, { body: { operations } })
const get = (c, id, t, caller = key) => caller('GET', `${c.docs}/${id}`, { query: t ? { transactionId: t.$id } : {} })
const list = async (c, queries = [], t, caller = key) => ok(await caller('GET', c.docs, { query: { queries, ...t && { transactionId: t.$id } } }))
const titles = async (c, queries, t, caller) => (await list(c, queries, t, caller)).documents.map((d) => d.title)
const make = async (c, $id, data = {}, caller = key) => ok(await caller('POST', c.docs, { body: { documentId: $id, data: { title: $id, ...data } } }), 201)
const patch = (c, id, data, t, caller = key, more = {}) => caller('PATCH', `${c.docs}/${id}`, { body: { data, ...t && { transactionId: t.$id }, ...more } })
/* Operations of this collection. */
const ops = (c) => (action, documentId, data) => ({ action, databaseId: c.db, collectionId: c.id, ...documentId && { documentId }, ...data && { data } })
async function ears(c) {
	const w = await listen(s, `project=${p.id}`)
	await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'one', channels: [`databases.${db}.collections.${c.id}.documents`] }] })
	return { end: () => w.end(), next: async () => { const e = await w.event(); return [e.events[0].split('.').at(-1), e.payload.$id, e.payload.title] } }
}

describe('transactions', () => {
	test('begin, look at, list, forget', async () => {
		const t = await begin(us, { ttl: 60 })
		keysOf(t, '$id $createdAt $updatedAt status operations expiresAt')
		assert.deepEqual([t.status, t.operations], ['pending', 0])
		for (const k of ['$createdAt', '$updatedAt', 'expiresAt']) isTime(t[k])
		assert.equal(Date.parse(t.expiresAt) - Date.parse(t.$createdAt), 60000)
		const u = await begin(us)
		assert.equal(Date.parse(u.expiresAt) - Date.parse(u.$createdAt), 300000)
		assert.deepEqual(await look(t, us), t)
		assert.deepEqual(await look(t), t, 'keys see all')
		const mine = async (queries = []) => ok(await us('GET', at, { query: { queries } })).transactions.map((x) => x.$id)
		assert.ok((await mine()).includes(t.$id) && (await mine()).includes(u.$id))
		assert.deepEqual(await mine([q('equal', '$id', [t.$id])]), [t.$id])
		assert.ok((await mine([q('equal', 'status', ['pending']), q('greaterThan', 'expiresAt', u.$createdAt)])).includes(u.$id))
		assert.deepEqual(await mine([q('equal', 'status', ['failed']), q('equal', '$id', [t.$id])]), [])
		keysOf(ok(await us('GET', at)), 'total transactions')
		fails(await us('GET', at, { query: { queries: [q('equal', 'operations', [1])] } }), 400, 'general_argument_invalid')
		assert.deepEqual((ok(await them('GET', at))).transactions.filter((x) => x.$id === t.$id), [])
		for (const r of [await them('GET', `${at}/${t.$id}`), await them('DELETE', `${at}/${t.$id}`), await commit(t, them), await rollback(t, them), await guest('GET', `${at}/${t.$id}`),
			await key('GET', `${at}/none`), await key('DELETE', `${at}/none`), await key('PATCH', `${at}/none`, { body: { commit: true } }), await stage(t, [ops({ db, id: 'c' })('delete', 'x')], guest)]) {
			if (r.body.type === 'database_not_found' || r.body.type === 'collection_not_found') continue
			fails(r, 404, 'transaction_not_found')
		}
		assert.equal((await us('DELETE', `${at}/${t.$id}`)).status, 204)
		fails(await us('GET', `${at}/${t.$id}`), 404, 'transaction_not_found')
		for (const ttl of [59, 3601, 0, 'x']) fails(await us('POST', at, { body: { ttl } }), 400, 'general_argument_invalid')
		for (const body of [{}, { commit: false }, { commit: true, rollback: true }, { commit: false, rollback: false }]) fails(await us('PATCH', `${at}/${u.$id}`, { body }), 400, 'general_bad_request')
		for (const body of [{ commit: 'yes' }, { rollback: 1 }]) fails(await us('PATCH', `${at}/${u.$id}`, { body }), 400, 'general_argument_invalid')
	})

	test('a guest begins what only a key can use', async () => {
		const c = await shelf({ permissions: ['create("any")'] }), t = await begin(guest)
		fails(await guest('GET', `${at}/${t.$id}`), 404, 'transaction_not_found')
		fails(await stage(t, [ops(c)('create', unique(), { title: 'x' })], guest), 404, 'transaction_not_found')
		ok(await stage(t, [ops(c)('create', unique(), { title: 'x' })]), 201)
		assert.equal(ok(await commit(t)).status, 'committed')
		assert.deepEqual(ok(await guest('GET', at)), { total: 0, transactions: [] })
	})

	test('scopes', async () => {
		const read = await p.addKey(['documents.read']), rows = await p.addKey(['rows.read']), write = await p.addKey(['documents.write']), t = await begin()
		for (const k of [read, rows]) ok(await key('GET', `${at}/${t.$id}`, { key: k }))
		fails(await key('POST', at, { key: read }), 401, 'general_unauthorized_scope')
		fails(await key('GET', at, { key: write }), 401, 'general_unauthorized_scope')
		ok(await key('POST', at, { key: write }), 201)
	})

	test('nothing staged: committed at once; what is over stays so', async () => {
		const c = await shelf()
		for (const [end, status] of [[commit, 'committed'], [rollback, 'failed']]) {
			const t = await begin(), done = ok(await end(t))
			assert.equal(done.status, status)
			assert.deepEqual(await look(t), done)
			fails(await commit(t), 400, 'transaction_not_ready')
			fails(await rollback(t), 400, 'transaction_not_ready')
			fails(await stage(t, [ops(c)('create', 'x', { title: 'x' })]), 400, 'general_bad_request')
			fails(await key('POST', c.docs, { body: { documentId: 'x', data: { title: 'x' }, transactionId: t.$id } }), 400, 'transaction_not_ready')
			fails(await get(c, 'x', t), 400, 'transaction_not_ready')
			fails(await key('GET', c.docs, { query: { transactionId: t.$id } }), 400, 'transaction_not_ready')
			fails(await key('DELETE', c.docs, { body: { transactionId: t.$id } }), 400, 'general_bad_request')
			fails(await key('PUT', c.docs, { body: { documents: [{ title: 'x' }], transactionId: t.$id } }), 400, 'general_bad_request')
			assert.equal((await key('DELETE', `${at}/${t.$id}`)).status, 204)
		}
	})
})

describe('staging by the routes', () => {
	test('each answers, writes nothing, and is done by the commit', async () => {
		const c = await shelf({ documentSecurity: true }), t = await begin(us), ear = await ears(c)
		await make(c, 'u', { n: 1 }); await make(c, 'd'); await make(c, 'i', { n: 5 }); await make(c, 'k', { n: 5 })
		for (let i = 0; i < 4; i++) await ear.next()
		const before = await list(c)
		const made = ok(await us('POST', c.docs, { body: { documentId: 'unique()', data: { title: 'new', n: 7 }, transactionId: t.$id } }), 201)
		assert.match(made.$id, /^[0-9a-f]{20}$/)
		assert.deepEqual([made.title, made.n, made.$collectionId, made.$databaseId, made.$sequence], ['new', 7, c.id, db, ''])
		assert.deepEqual(made.$permissions, [`read("user:${ada.id}")`, `update("user:${ada.id}")`, `delete("user:${ada.id}")`])
		const changed = ok(await patch(c, 'u', { n: 2 }, t, us))
		assert.deepEqual([changed.title, changed.n, changed.genre, changed.$sequence], ['u', 2, 'novel', '1'])
		assert.deepEqual(ok(await patch(c, 'u', { genre: 'poem' }, t, us)).n, 2, 'with what was staged before')
		const put = ok(await us('PUT', `${c.docs}/p`, { body: { data: { title: 'put' }, permissions: [`read("user:${ada.id}")`], transactionId: t.$id } }), 201)
		assert.deepEqual([put.$id, put.title, put.$permissions], ['p', 'put', [`read("user:${ada.id}")`]])
		assert.equal((await us('DELETE', `${c.docs}/d`, { body: { transactionId: t.$id } })).status, 204)
		const inc = ok(await us('PATCH', `${c.docs}/i/n/increment`, { body: { value: 3, max: 10, transactionId: t.$id } }))
		assert.deepEqual([inc.$id, inc.n], ['i', 3], 'the step, not the sum')
		assert.equal(ok(await us('PATCH', `${c.docs}/k/n/decrement`, { body: { transactionId: t.$id } })).n, 1)
		assert.deepEqual(await list(c), before, 'nothing is written')
		assert.equal((await look(t, us)).operations, 7)
		assert.equal(ok(await commit(t, us)).status, 'committed')
		assert.deepEqual((await list(c)).documents.map((d) => [d.title, d.n, d.genre]), [['u', 2, 'poem'], ['i', 8, 'novel'], ['k', 4, 'novel'], ['new', 7, 'novel'], ['put', null, 'novel']])
		const want = [['create', made.$id, 'new'], ['update', 'u', 'u'], ['update', 'u', 'u'], ['update', 'p', 'put'], ['delete', 'd', 'd'], ['update', 'i', 'i'], ['update', 'k', 'k']]
		for (const w of want) assert.deepEqual(await ear.next(), w)
		await make(c, 'mark')
		assert.deepEqual(await ear.next(), ['create', 'mark', 'mark'], 'and each once')
		ear.end()
	})

	test('many at once, for keys', async () => {
		const c = await shelf(), t = await begin(), body = (more) => ({ body: { ...more, transactionId: t.$id } }), ear = await ears(c)
		await make(c, 'a', { n: 1 }); await make(c, 'b', { n: 2 }); await make(c, 'old', { n: 50 })
		for (let i = 0; i < 3; i++) await ear.next()
		for (const r of [await us('POST', c.docs, body({ documents: [{ title: 'x' }] })), await us('PUT', c.docs, body({ documents: [{ title: 'x' }] })), await us('PATCH', c.docs, body({ data: { n: 1 } })), await us('DELETE', c.docs, body({}))])
			fails(r, 401, 'general_unauthorized_scope')
		assert.deepEqual(ok(await key('POST', c.docs, body({ documents: [{ $id: 'x', title: 'x', n: 3 }, { $id: 'y', title: 'y', n: 4 }] })), 201), { total: 2, documents: [] })
		assert.deepEqual(ok(await key('PUT', c.docs, body({ documents: [{ $id: 'a', title: 'a2' }, { $id: 'z', title: 'z', $permissions: ['read("any")'] }] }))), { total: 2, documents: [] })
		assert.deepEqual(ok(await key('PATCH', c.docs, body({ data: { genre: 'poem' }, queries: [q('lessThan', 'n', [4])] }))), { total: 0, documents: [] })
		assert.deepEqual(ok(await key('DELETE', c.docs, body({ queries: [q('greaterThan', 'n', [10])] }))), { total: 0, documents: [] })
		fails(await key('POST', c.docs, body({ documents: [] })), 400, 'document_missing_data')
		fails(await key('PATCH', c.docs, body({ data: {} })), 400, 'document_missing_payload')
		fails(await key('POST', c.docs, body({ documents: [{ title: 'x', $permissions: ['fly("any")'] }] })), 400, 'general_bad_request')
		assert.deepEqual(await titles(c), ['a', 'b', 'old'])
		assert.equal((await look(t)).operations, 4)
		assert.equal(ok(await commit(t)).operations, 4)
		assert.deepEqual((await list(c)).documents.map((d) => [d.title, d.genre]), [['a2', 'poem'], ['b', 'poem'], ['x', 'poem'], ['y', 'novel'], ['z', 'novel']])
		assert.deepEqual((ok(await get(c, 'z'))).$permissions, ['read("any")'])
		const events = []
		for (let i = 0; i < 8; i++) events.push((await ear.next()).slice(0, 2).join(' '))
		assert.deepEqual(events, ['create x', 'create y', 'upsert a', 'upsert z', 'update a', 'update b', 'update x', 'delete old'])
		ear.end()
	})

	test('who may', async () => {
		const c = await shelf({ permissions: ['read("any")', 'create("users")'], documentSecurity: true }), t = await begin(us)
		await make(c, 'theirs')
		fails(await patch(c, 'theirs', { n: 1 }, t, us), 401, 'user_unauthorized')
		fails(await us('DELETE', `${c.docs}/theirs`, { body: { transactionId: t.$id } }), 401, 'user_unauthorized')
		fails(await us('PUT', `${c.docs}/theirs`, { body: { data: { title: 'x' }, transactionId: t.$id } }), 401, 'user_unauthorized')
		fails(await us('PATCH', `${c.docs}/theirs/n/increment`, { body: { transactionId: t.$id } }), 401, 'user_unauthorized')
		fails(await us('POST', c.docs, { body: { documentId: 'x', data: { title: 'x' }, permissions: [`read("user:${bob.id}")`], transactionId: t.$id } }), 401, 'user_unauthorized')
		fails(await patch(c, 'none', { n: 1 }, t, us), 404, 'document_not_found')
		fails(await us('DELETE', `${c.docs}/none`, { body: { transactionId: t.$id } }), 404, 'document_not_found')
		fails(await us('PATCH', `${c.docs}/none/n/increment`, { body: { transactionId: t.$id } }), 404, 'document_not_found')
		fails(await us('PATCH', `${c.docs}/theirs/none/increment`, { body: { transactionId: t.$id } }), 404, 'attribute_not_found')
		fails(await us('PATCH', `${c.docs}/theirs/title/increment`, { body: { transactionId: t.$id } }), 400, 'attribute_type_invalid')
		fails(await us('PATCH', `${c.docs}/theirs/n/increment`, { body: { value: 0, transactionId: t.$id } }), 400, 'general_argument_invalid')
		fails(await us('POST', c.docs, { body: { documentId: 'x', data: {}, transactionId: t.$id } }), 400, 'document_missing_data')
		fails(await patch(c, 'theirs', {}, t, us), 400, 'document_missing_payload')
		ok(await us('POST', c.docs, { body: { documentId: 'mine', data: { title: 'mine' }, transactionId: t.$id } }), 201)
		assert.equal(ok(await patch(c, 'mine', { n: 4 }, t, us)).n, 4, 'by the permissions that were staged')
		ok(await patch(c, 'mine', {}, t, us, { permissions: [`read("user:${ada.id}")`] }))
		fails(await patch(c, 'mine', { n: 5 }, t, us), 401, 'user_unauthorized')
		for (const target of [t, { $id: 'none' }]) fails(await patch(c, 'theirs', { n: 1 }, target, them), 404, 'transaction_not_found')
		assert.equal((await look(t, us)).operations, 3)
		fails(await key('PATCH', `${c.docs}/theirs`, { body: { data: { n: 1 }, transactionId: t.$id }, headers: { 'x-appwrite-timestamp': '2001-01-01' } }), 409, 'document_update_conflict')
		ok(await commit(t, us))
		assert.equal(ok(await get(c, 'mine', null, us)).n, 4)
	})

	test('dates are for keys to give, whoever commits', async () => {
		const c = await shelf(), t = await begin(us)
		ok(await us('POST', c.docs, { body: { documentId: 'a', data: { title: 'a', $createdAt: '2001-01-01' }, transactionId: t.$id } }), 201)
		ok(await stage(t, [ops(c)('create', 'b', { title: 'b', $createdAt: '2001-01-01' })]), 201)
		ok(await commit(t))
		assert.ok(!ok(await get(c, 'a')).$createdAt.startsWith('2001'))
		assert.ok(ok(await get(c, 'b')).$createdAt.startsWith('2001'))
	})
})

describe('operations', () => {
	test('each action, in order, over collections and in both vocabularies', async () => {
		const c = await shelf(), d = await shelf(), t = await begin(), o = ops(c), ear = await ears(c)
		await make(c, 'u'); await make(c, 'd')
		for (let i = 0; i < 2; i++) await ear.next()
		const r = ok(await stage(t, [o('create', 'a', { title: 'a', n: 1, $permissions: ['read("any")', 'write("users")'] }), o('update', 'a', { n: 2 }), o('increment', 'a', { attribute: 'n', value: 5, max: 100 }),
			o('increment', 'a', { column: 'n' }), o('decrement', 'a', { attribute: 'n', value: 2, min: 0 }), o('upsert', 'u', { title: 'u2' }), o('upsert', 'p', { title: 'p' }), o('delete', 'd'),
			{ action: 'create', databaseId: db, tableId: d.id, rowId: 'row', data: { title: 'row' } },
			o('bulkCreate', null, [{ $id: 'x', title: 'x', n: 1 }, { title: 'y', n: 1 }]), o('bulkUpsert', null, [{ $id: 'x', title: 'x2' }, { $id: 'w', title: 'w' }]),
			o('bulkUpdate', null, { queries: [q('equal', 'n', [1])], data: { genre: 'poem' } }), o('bulkDelete', null, { queries: [q('equal', 'title', ['w'])] })]), 201)
		assert.equal(r.operations, 13)
		assert.deepEqual(await titles(c), ['u', 'd'])
		assert.equal(ok(await commit(t)).status, 'committed')
		assert.deepEqual((await list(c)).documents.map((x) => [x.title, x.n, x.genre]), [['u2', null, 'novel'], ['a', 6, 'novel'], ['p', null, 'novel'], ['x2', 1, 'poem'], ['y', 1, 'poem']])
		assert.deepEqual(ok(await get(c, 'a')).$permissions, ['read("any")', 'update("users")', 'delete("users")'])
		assert.deepEqual(await titles(d), ['row'])
		const events = []
		for (let i = 0; i < 15; i++) events.push((await ear.next())[0])
		assert.deepEqual(events, ['create', 'update', 'update', 'update', 'update', 'update', 'update', 'delete', 'create', 'create', 'upsert', 'upsert', 'update', 'update', 'delete'])
		ear.end()
	})

	test('what is staged over it does not make a document readable', async () => {
		const c = await shelf({ documentSecurity: true, permissions: ['create("users")'] }), t = await begin(us), o = ops(c)
		ok(await them('POST', c.docs, { body: { documentId: 'bobs', data: { title: 'secret', genre: 'mine', n: 7 } } }), 201)
		fails(await patch(c, 'bobs', { n: 1 }, t, us), 401, 'user_unauthorized')
		ok(await us('POST', c.docs, { body: { documentId: 'BOBS', data: { title: 'own' }, transactionId: t.$id } }), 201)
		const shown = ok(await patch(c, 'bobs', { n: 1 }, t, us))
		assert.deepEqual([shown.title, shown.genre, shown.n], ['own', undefined, 1])
		assert.deepEqual(shown.$permissions, [`read("user:${ada.id}")`, `update("user:${ada.id}")`, `delete("user:${ada.id}")`])
		fails(await get(c, 'bobs', t, us), 409, 'transaction_conflict')
		fails(await commit(t, us), 409, 'transaction_conflict')
		assert.equal(ok(await get(c, 'bobs')).title, 'secret')
		const u = await begin(us)
		ok(await stage(u, [o('create', 'free', { title: 'own' })], us), 201)
		ok(await them('POST', c.docs, { body: { documentId: 'free', data: { title: 'secret', genre: 'mine' } } }), 201)
		const late = ok(await patch(c, 'free', { n: 1 }, u, us))
		assert.deepEqual([late.title, late.genre], ['own', undefined], 'nor one that was made meanwhile')
	})

	test('of what many make, their own permissions count', async () => {
		const c = await shelf({ documentSecurity: true, permissions: ['create("users")'] }), t = await begin(us), o = ops(c)
		ok(await stage(t, [o('bulkCreate', null, [{ $id: 'hers', title: 'hers', $permissions: [`update("user:${ada.id}")`] }, { $id: 'nobodys', title: 'x' }])]), 201)
		ok(await stage(t, [o('update', 'hers', { n: 1 })], us), 201)
		fails(await stage(t, [o('update', 'nobodys', { n: 1 })], us), 401, 'user_unauthorized')
		ok(await commit(t))
		assert.equal(ok(await get(c, 'hers')).n, 1)
	})

	test('operators, and ids that are made', async () => {
		const c = await shelf(), t = await begin(), o = ops(c), op = (method, ...values) => JSON.stringify({ method, values })
		await make(c, 'a', { n: 1, tags: ['x'] })
		ok(await stage(t, [o('update', 'a', { n: op('multiply', 5), tags: op('arrayAppend', 'y') }), o('upsert', 'b', { title: 'b', n: op('increment', 2) }), o('create', 'unique()', { title: 'made' })]), 201)
		ok(await commit(t))
		assert.deepEqual((await list(c)).documents.map((x) => [x.title, x.n, x.tags]), [['a', 5, ['x', 'y']], ['b', 2, []], ['made', null, []]])
		assert.match((await list(c)).documents[2].$id, /^[0-9a-f]{20}$/)
	})

	test('related documents are made, linked and deleted with them', async () => {
		const [a, b] = [await shelf(), await shelf()], t = await begin(), o = ops(a), show = JSON.stringify({ method: 'select', values: ['*', 'to.*'] })
		ok(await key('POST', `${a.path}/attributes/relationship`, { body: { relatedCollectionId: b.id, type: 'oneToMany', key: 'to', onDelete: 'cascade' } }), 202)
		const to = async (id, x) => ok(await key('GET', `${a.docs}/${id}`, { query: { queries: [show], ...x && { transactionId: x.$id } } })).to.map((d) => d.$id)
		await make(b, 'old'); await make(a, 'gone', { to: [{ $id: 'with', title: 'with' }] })
		ok(await stage(t, [o('create', 'a', { title: 'a', to: ['old', { $id: 'new', title: 'new' }] }), o('update', 'a', { n: 1 }), o('delete', 'gone')]), 201)
		assert.deepEqual(await to('a', t), ['old', 'new'])
		assert.deepEqual([await titles(a), await titles(b)], [['gone'], ['old', 'with']])
		for (const [action, data] of [['bulkCreate', [{ title: 'x' }]], ['bulkUpsert', [{ title: 'x' }]], ['bulkUpdate', { queries: [], data: { n: 1 } }], ['bulkDelete', { queries: [] }]]) fails(await stage(t, [o(action, null, data)]), 400, 'general_bad_request')
		ok(await commit(t))
		assert.deepEqual([await titles(a), await titles(b), await to('a')], [['a'], ['old', 'new'], ['old', 'new']])
		const u = await begin()
		ok(await stage(u, [o('update', 'a', { to: 5 })]), 201)
		fails(await commit(u), 400, 'relationship_value_invalid')
		assert.equal((await look(u)).status, 'failed')
	})

	test('what is none', async () => {
		const c = await shelf(), t = await begin(), o = ops(c)
		await make(c, 'a', { n: 1 })
		fails(await stage(t, []), 400, 'general_bad_request')
		fails(await key('POST', `${at}/${t.$id}/operations`, { body: {} }), 400, 'general_bad_request')
		for (const wrong of [{}, o('fly', 'a'), o('create', 'a'), o('create', null, { title: 'x' }), o('create', '$x', { title: 'x' }), { ...o('create', 'x', { title: 'x' }), databaseId: undefined }, { ...o('delete', 'a'), collectionId: '' },
			o('update', 'a', 'x'), o('increment', 'a'), o('increment', 'a', { attribute: 'n', value: 'x' }), o('increment', 'a', { attribute: 'n', value: 0 }), o('increment', 'a', { value: 1 }), o('decrement', 'a', { attribute: 'n', min: [] }),
			o('bulkCreate', null, []), o('bulkCreate', null, { title: 'x' }), o('bulkCreate', null, ['x']), o('bulkCreate', null, [{ $id: '$x' }]), o('bulkUpsert', null), o('bulkUpdate', null, { queries: [] }), o('bulkUpdate', null, { queries: 'x', data: { n: 1 } }),
			o('bulkDelete', null), o('bulkDelete', null, { queries: [1] }), 'x', 7, { ...o('delete', 'a'), documentId: 5 }])
			fails(await stage(t, [wrong]), 400, 'general_argument_invalid')
		fails(await stage(t, 'x'), 400, 'general_argument_invalid')
		fails(await stage(t, [{ ...o('delete', 'a'), databaseId: 'none' }]), 404, 'database_not_found')
		fails(await stage(t, [o('delete', 'none')]), 404, 'document_not_found')
		fails(await stage(t, [o('delete', 'a'), o('update', 'a', { n: 1 })]), 404, 'document_not_found')
		fails(await stage(t, [o('bulkDelete', null, { queries: [] })], us), 401, 'user_unauthorized')
		assert.equal((await look(t)).operations, 0, 'all or none')
		fails(await stage(t, [...Array(101)].map((_, i) => o('create', `x${i}`, { title: 'x' }))), 400, 'general_argument_invalid')
		ok(await stage(t, [...Array(99)].map((_, i) => o('create', `x${i}`, { title: 'x' }))), 201)
		fails(await stage(t, [o('create', 'y', { title: 'y' }), o('create', 'z', { title: 'z' })]), 400, 'transaction_limit_exceeded')
		ok(await stage(t, [o('bulkCreate', null, [{ title: 'y' }, { title: 'z' }])]), 201)
		fails(await stage(t, [o('delete', 'a')]), 400, 'transaction_limit_exceeded')
		fails(await patch(c, 'a', { n: 3 }, t), 400, 'transaction_limit_exceeded')
		ok(await commit(t))
		assert.equal((await list(c)).total, 102)
	})
})

describe('reading within', () => {
	test('filters, orders, limits, cursors, totals and permissions are those of any list', async () => {
		const c = await shelf({ documentSecurity: true, permissions: ['create("users")', 'update("users")', 'delete("users")'] }), t = await begin(us), mine = [`read("user:${ada.id}")`], o = ops(c)
		for (const [id, n] of [['a', 1], ['b', 2], ['d', 4]]) ok(await us('POST', c.docs, { body: { documentId: id, data: { title: id, n }, permissions: mine } }), 201)
		ok(await them('POST', c.docs, { body: { documentId: 'bobs', data: { title: 'bobs', n: 2 } } }), 201)
		ok(await stage(t, [o('create', 'c', { title: 'c', n: 3 }), o('update', 'a', { n: 9 }), o('delete', 'b'), o('create', 'e', { title: 'e', n: 5, tags: ['t'], $permissions: mine })], us), 201)
		assert.deepEqual(await titles(c, [], t, us), ['a', 'd', 'c', 'e'])
		assert.deepEqual(await titles(c, [], null, us), ['a', 'b', 'd'])
		assert.deepEqual(await titles(c, [q('orderDesc', 'n')], t, us), ['a', 'e', 'd', 'c'])
		assert.deepEqual(await titles(c, [q('greaterThan', 'n', [4]), q('orderAsc', 'n')], t, us), ['e', 'a'])
		assert.deepEqual(await titles(c, [q('orderAsc', 'n'), lim(2)], t, us), ['c', 'd'])
		assert.deepEqual(await titles(c, [q('orderAsc', 'n'), JSON.stringify({ method: 'cursorAfter', values: ['d'] })], t, us), ['e', 'a'])
		assert.deepEqual(await titles(c, [JSON.stringify({ method: 'cursorAfter', values: ['c'] })], t, us), ['e'], 'a cursor that is staged alone')
		assert.deepEqual(await titles(c, [q('contains', 'tags', ['t'])], t, us), ['e'])
		const two = await list(c, [lim(1)], t, us)
		assert.deepEqual([two.total, two.documents.length], [4, 1])
		assert.deepEqual(Object.keys((await list(c, [JSON.stringify({ method: 'select', values: ['n'] }), lim(1)], t, us)).documents[0]).filter((k) => k[0] !== '$'), ['n'])
		assert.deepEqual([ok(await get(c, 'a', t, us)).n, ok(await get(c, 'c', t, us)).genre, ok(await get(c, 'a', null, us)).n], [9, 'novel', 1])
		fails(await get(c, 'b', t, us), 404, 'document_not_found')
		fails(await get(c, 'bobs', t, us), 404, 'document_not_found')
		fails(await get(c, 'none', t, us), 404, 'document_not_found')
		fails(await get(c, 'a', t, them), 404, 'transaction_not_found')
		fails(await us('GET', c.docs, { query: { transactionId: t.$id, queries: [q('equal', 'colour', [1])] } }), 400, 'general_query_invalid')
		assert.equal(ok(await commit(t, us)).status, 'committed')
		assert.deepEqual(await titles(c, [], null, us), ['a', 'd', 'c', 'e'])
	})

	test('what many do, and what cannot be done', async () => {
		const c = await shelf({ indexes: { one: { type: 'unique', attributes: ['title'] } } }), t = await begin(), o = ops(c)
		for (const id of ['a', 'b', 'd']) await make(c, id, { n: 1 })
		ok(await stage(t, [o('bulkUpdate', null, { queries: [q('equal', 'title', ['a', 'b'])], data: { n: 5 } }), o('bulkDelete', null, { queries: [q('equal', 'title', ['b'])] }), o('increment', 'a', { attribute: 'n' })]), 201)
		assert.deepEqual((await list(c, [], t)).documents.map((x) => [x.title, x.n]), [['a', 6], ['d', 1]])
		fails(await get(c, 'b', t), 404, 'document_not_found')
		const u = await begin()
		ok(await stage(u, [o('create', 'x', { title: 'a' })]), 201)
		fails(await key('GET', c.docs, { query: { transactionId: u.$id } }), 409, 'transaction_conflict')
		const v = await begin()
		ok(await stage(v, [o('update', 'a', { colour: 'red' })]), 201)
		fails(await get(c, 'd', v), 400, 'document_invalid_structure')
		assert.equal((await look(v)).status, 'pending', 'a question changes nothing')
		ok(await commit(t))
		assert.deepEqual(await titles(c), ['a', 'd'])
	})
})

/* Relationships lead from one collection to another: what is staged for one is seen from the other. */
test('reading what is related, as the commit will leave it', async () => {
	const [a, b] = await pair('cascade'), alone = await shelf(), t = await begin(), [in_a, in_b, apart] = [a, b, alone].map(ops)
	const shown = async (u) => (await list(a, [JSON.stringify({ method: 'select', values: ['title', 'to.n'] })], u)).documents.map((d) => [d.title, ...d.to.map((x) => [x.$id, x.n])])
	const found = async (u) => [await titles(a, [q('greaterThan', 'to.n', [4])], u), (await list(b, [], u)).documents.map((d) => [d.title, d.n])]
	for (const id of ['b1', 'b2', 'b3']) await make(b, id, { n: 1 })
	await make(a, 'a1', { to: ['b1'] })
	await make(a, 'a2', { to: ['b2'] })
	ok(await stage(t, [in_b('update', 'b1', { n: 5 }), in_b('create', 'new', { title: 'new', n: 6 }), in_a('create', 'a3', { title: 'a3', to: ['new', { $id: 'b3', n: 7 }, { $id: 'below', title: 'below', n: 8 }] }), in_a('delete', 'a2')]), 201)
	assert.deepEqual(await shown(), [['a1', ['b1', 1]], ['a2', ['b2', 1]]])
	const will = [[['a1', ['b1', 5]], ['a3', ['b3', 7], ['new', 6], ['below', 8]]], [['a1', 'a3'], [['b1', 5], ['b3', 7], ['new', 6], ['below', 8]]]]
	assert.deepEqual([await shown(t), await found(t)], will)
	fails(await get(b, 'b2', t), 404, 'document_not_found')
	assert.equal(ok(await get(b, 'below', t)).n, 8)
	ok(await commit(t))
	assert.deepEqual([await shown(), await found()], will)

	/* where nothing leads anywhere, what cannot be done elsewhere is no matter of a read */
	const u = await begin()
	ok(await stage(u, [apart('update', (await make(alone, 'x')).$id, { n: 3 }), ops(await shelf())('create', 'y', { colour: 'none' })]), 201)
	assert.equal(ok(await get(alone, 'x', u)).n, 3)
	fails(await commit(u), 400, 'document_invalid_structure')
})

/* Documents of `a` that lead to those of `b`, which are their owners' alone. */
async function pair(onDelete = 'setNull', of_b = {}) {
	const a = await shelf({ documentSecurity: true, permissions: ['create("users")'] }), b = await shelf({ documentSecurity: true, permissions: [], ...of_b })
	ok(await key('POST', `${a.path}/attributes/relationship`, { body: { relatedCollectionId: b.id, type: 'oneToMany', key: 'to', onDelete } }), 202)
	return [a, b]
}
const own = async (c, user, documentId, data = {}) => ok(await key('POST', c.docs, { body: { documentId, data: { title: documentId, ...data }, permissions: [`read("user:${user.id}")`, `update("user:${user.id}")`, `delete("user:${user.id}")`] } }), 201)

describe('whose permissions', () => {
	test('a read carries out nothing that its caller may not do', async () => {
		const [a, b] = await pair(), t = await begin(us), mine = [`read("user:${ada.id}")`], show = { queries: [JSON.stringify({ method: 'select', values: ['*', 'to.*'] })], transactionId: t.$id }
		await own(b, bob, 'secret', { genre: 'hidden' })
		ok(await us('POST', a.docs, { body: { documentId: 'a', data: { title: 'a', to: [{ $id: 'secret', $permissions: mine }] }, transactionId: t.$id } }), 201)
		for (const target of [`${a.docs}/a`, a.docs]) fails(await us('GET', target, { query: show }), 401, 'user_unauthorized')
		for (const target of [`${a.docs}/a`, a.docs]) fails(await key('GET', target, { query: show }), 401, 'user_unauthorized')
		fails(await commit(t, us), 401, 'user_unauthorized')
		assert.deepEqual(ok(await get(b, 'secret')).$permissions[0], `read("user:${bob.id}")`)
	})

	test('nor anything with documents that are others by now', async () => {
		const c = await shelf({ documentSecurity: true, permissions: ['create("users")', 'update("users")'] }), o = ops(c), mine = [`read("user:${ada.id}")`], t = await begin(us), u = await begin(us)
		ok(await stage(t, [o('upsert', 'free', { title: 'own', $permissions: mine })], us), 201)
		ok(await them('POST', c.docs, { body: { documentId: 'free', data: { title: 'secret', genre: 'mine' } } }), 201)
		fails(await get(c, 'free', t, us), 409, 'transaction_conflict')
		fails(await us('GET', c.docs, { query: { transactionId: t.$id } }), 409, 'transaction_conflict')
		await own(c, ada, 'shared')
		ok(await patch(c, 'shared', { n: 1 }, u, us))
		ok(await key('PATCH', `${c.docs}/shared`, { body: { data: { genre: 'new' }, permissions: [`read("user:${bob.id}")`] } }))
		fails(await get(c, 'shared', u, us), 409, 'transaction_conflict')
		assert.equal((await key('DELETE', `${c.docs}/shared`)).status, 204)
		fails(await get(c, 'shared', u, us), 409, 'transaction_conflict')
		assert.equal((await look(u, us)).status, 'pending')
	})

	test('a key that commits does not do for a user what the user may not', async () => {
		const [a, b] = await pair('cascade', { permissions: ['create("users")'] })
		const mine = [`read("user:${ada.id}")`, `update("user:${ada.id}")`, `delete("user:${ada.id}")`], before = '2001-01-01T00:00:00.000+00:00'
		await own(b, bob, 'bobs')
		await own(a, ada, 'a', { to: [{ $id: 'gone', title: 'gone', $permissions: [`read("user:${bob.id}")`] }] })
		const staged = async (...operations) => { const t = await begin(us); ok(await stage(t, operations, us), 201); return t }, o = ops(a)
		for (const t of [await staged(o('create', 'x', { title: 'x', to: [{ $id: 'bobs', title: 'taken', $permissions: mine }] })), await staged(o('update', 'a', { to: [{ $id: 'new', title: 'new', $permissions: [`read("user:${bob.id}")`] }] })),
			await staged(o('upsert', 'a', { title: 'a', to: ['gone', { $id: 'bobs', title: 'taken' }] })), await staged(o('delete', 'a'))]) {
			fails(await commit(t), 401, 'user_unauthorized')
			assert.equal((await look(t)).status, 'failed')
		}
		assert.deepEqual([await titles(a), await titles(b)], [['a'], ['bobs', 'gone']])
		const t = await staged(o('create', 'y', { title: 'y', to: [{ $id: 'z', title: 'z', $createdAt: before, $updatedAt: before, $permissions: mine }] }))
		ok(await stage(t, [ops(b)('update', 'bobs', { n: 5 })]), 201)
		ok(await commit(t), 200)
		assert.deepEqual([await titles(a), await titles(b), ok(await get(b, 'bobs')).n], [['a', 'y'], ['bobs', 'gone', 'z'], 5], 'its own it does')
		assert.notEqual(ok(await get(b, 'z')).$createdAt, before)
		assert.notEqual(ok(await get(b, 'z')).$updatedAt, before)
		const none = await begin(us)
		ok(await stage(none, [o('update', 'y', { n: 1 })], us), 201)
		ok(await stage(none, [ops(b)('update', 'bobs', { n: 6 })]), 201)
		fails(await commit(none, us), 401, 'user_unauthorized')
	})
})

describe('commits that fail', () => {
	const rows = async () => {
		const c = await shelf({ indexes: { one: { type: 'unique', attributes: ['genre'] } } }), o = ops(c)
		await make(c, 'a', { n: 1, genre: 'g' })
		return [
			['changed meanwhile', c, [o('update', 'a', { n: 2 })], () => patch(c, 'a', { n: 3 }), 409, 'transaction_conflict'],
			['counted meanwhile', c, [o('increment', 'a', { attribute: 'n' })], () => key('PATCH', `${c.docs}/a/n/increment`), 409, 'transaction_conflict'],
			['to be deleted, and changed', c, [o('delete', 'a')], () => patch(c, 'a', { n: 40 }), 409, 'transaction_conflict'],
			['changed, and back again', c, [o('update', 'a', { n: 2 })], async () => { await patch(c, 'a', { n: 41 }); return patch(c, 'a', { n: 40 }) }, 409, 'transaction_conflict'],
			['made meanwhile', c, [o('create', 'new', { title: 'x' })], () => make(c, 'NEW', { genre: 'h' }), 409, 'transaction_conflict'],
			['made there is', c, [o('create', 'a', { title: 'x' })], null, 409, 'transaction_conflict'],
			['made twice', c, [o('create', 'y', { title: 'y', genre: 'y' }), o('create', 'Y', { title: 'y', genre: 'z' })], null, 409, 'transaction_conflict'],
			['a value that is taken', c, [o('create', 'z', { title: 'z', genre: 'g' })], null, 409, 'transaction_conflict'],
			['many that are there', c, [o('bulkCreate', null, [{ $id: 'a', title: 'x', genre: 'q' }])], null, 409, 'transaction_conflict'],
			['an unknown attribute', c, [o('update', 'a', { colour: 1 })], null, 400, 'document_invalid_structure'],
			['a required one', c, [o('create', 'z', { n: 1 })], null, 400, 'document_invalid_structure'],
			['a bound', c, [o('increment', 'a', { attribute: 'n', max: 1 })], null, 400, 'attribute_limit_exceeded'],
			['a query', c, [o('bulkDelete', null, { queries: [q('equal', 'colour', [1])] })], null, 400, 'general_query_invalid'],
			['an operator', c, [o('update', 'a', { n: JSON.stringify({ method: 'divide', values: [0] }) })], null, 400, 'general_bad_request'],
			['gone meanwhile', c, [o('update', 'a', { n: 2 })], () => key('DELETE', `${c.docs}/a`), 404, 'document_not_found'],
		]
	}
	test('each for its reason, in the words of documents, and nothing of it is done', async () => {
		for (const [what, c, operations, meanwhile, status, type] of await rows()) {
			const t = await begin(), ear = await ears(c), o = ops(c)
			ok(await stage(t, [o('create', 'first', { title: 'first', genre: 'first' }), ...operations]), 201)
			await meanwhile?.()
			const before = await list(c), r = await commit(t)
			assert.deepEqual([r.status, r.body.type], [status, type], `${what}: ${r.text}`)
			assert.deepEqual(await list(c), before, what)
			assert.equal((await look(t)).status, 'failed', what)
			fails(await commit(t), 400, 'transaction_not_ready')
			ear.end()
		}
	})

	test('by who may no more', async () => {
		const c = await shelf(), t = await begin(us), u = await begin(us)
		await make(c, 'a')
		for (const x of [t, u]) ok(await patch(c, 'a', { n: 2 }, x, us))
		ok(await stage(u, [ops(c)('bulkUpdate', null, { queries: [], data: { n: 1 } })]), 201)
		fails(await commit(u, us), 401, 'user_unauthorized')
		ok(await key('PUT', c.path, { body: { name: 'Test', permissions: ['read("any")'] } }))
		fails(await commit(t, us), 401, 'user_unauthorized')
		assert.equal((await look(t)).status, 'failed')
		assert.equal(ok(await get(c, 'a')).n, null)
	})

	test('of collections and databases that are gone, and others of their name', async () => {
		for (const again of [false, true]) {
			const c = await shelf(), t = await begin()
			await make(c, 'a')
			ok(await stage(t, [ops(c)('update', 'a', { n: 1 })]), 201)
			assert.equal((await key('DELETE', c.path)).status, 204)
			if (again) ok(await key('POST', `/databases/${db}/collections`, { body: { collectionId: c.id, name: 'Again' } }), 201)
			fails(await commit(t), 404, 'collection_not_found')
			assert.equal((await look(t)).status, 'failed')
		}
		const other = await database(p), c = await collection(p, other, { attributes }), t = await begin()
		ok(await stage(t, [ops(c)('create', 'a', { title: 'a' })]), 201)
		assert.equal((await key('DELETE', `/databases/${other}`)).status, 204)
		fails(await commit(t), 404, 'database_not_found')
	})
})

describe('two at a time', () => {
	test('no update is lost: a hundred steps of ten transactions', async () => {
		const c = await shelf(), o = ops(c)
		await make(c, 'n', { n: 0 })
		let tries = 0
		await Promise.all([...Array(10)].map(async () => {
			for (let done = false; !done; tries++) {
				const t = await begin()
				ok(await stage(t, [...Array(10)].map(() => o('increment', 'n', { attribute: 'n' }))), 201)
				const r = await commit(t)
				assert.ok(r.status === 200 || r.body.type === 'transaction_conflict', r.text)
				done = r.status === 200
			}
		}))
		assert.equal(ok(await get(c, 'n')).n, 100)
		assert.ok(tries >= 10)
	})

	test('nor one that rests on what was read', async () => {
		const c = await shelf()
		await make(c, 'n', { n: 0 })
		await Promise.all([...Array(5)].map(async () => {
			for (let done = false; !done;) {
				const t = await begin(), { n } = ok(await get(c, 'n', t))
				ok(await patch(c, 'n', { n: n + 1 }, t))
				const r = await commit(t)
				assert.ok(r.status === 200 || r.body.type === 'transaction_conflict', r.text)
				done = r.status === 200
			}
		}))
		assert.equal(ok(await get(c, 'n')).n, 5)
	})

	/* Each reads what the other writes: one after the other, either order, the second would have seen it. */
	test('no write skew', async () => {
		for (const read of ['get', 'list']) {
			const c = await shelf(), turns = 6
			for (let i = 0; i < turns; i++) {
				await make(c, `x${i}`, { n: 1 }); await make(c, `y${i}`, { n: 1 })
				const seen = async (t) => read === 'get' ? [ok(await get(c, `x${i}`, t)).n, ok(await get(c, `y${i}`, t)).n] : (await list(c, [q('equal', '$id', [`x${i}`, `y${i}`])], t)).documents.map((d) => d.n)
				const ends = await Promise.all(['x', 'y'].map(async (which) => {
					const t = await begin(), sum = (await seen(t)).reduce((a, b) => a + b)
					if (sum === 2) ok(await patch(c, `${which}${i}`, { n: 0 }, t))
					return [t, await commit(t)]
				}))
				for (const [, r] of ends) assert.ok(r.status === 200 || r.body.type === 'transaction_conflict', r.text)
				const now = ok(await get(c, `x${i}`)).n + ok(await get(c, `y${i}`)).n
				assert.ok(now >= 1, 'both went on from two, and none is left')
			}
		}
		const c = await shelf(), both = await Promise.all([begin(), begin()])
		await make(c, 'x', { n: 1 }); await make(c, 'y', { n: 1 })
		for (const t of both) for (const id of ['x', 'y']) ok(await get(c, id, t))
		ok(await patch(c, 'x', { n: 0 }, both[0])); ok(await patch(c, 'y', { n: 0 }, both[1]))
		const ends = await Promise.all(both.map((t) => commit(t)))
		assert.deepEqual(ends.map((r) => r.status).sort(), [200, 409])
	})

	test('nor by what was found missing', async () => {
		const c = await shelf(), both = await Promise.all([begin(), begin()])
		for (const t of both) for (const id of ['x', 'y']) fails(await get(c, id, t), 404, 'document_not_found')
		for (const [i, id] of ['x', 'y'].entries()) ok(await stage(both[i], [ops(c)('create', id, { title: id })]), 201)
		const ends = await Promise.all(both.map((t) => commit(t)))
		assert.deepEqual(ends.map((r) => r.status).sort(), [200, 409])
		assert.equal((await list(c)).total, 1)
	})

	test('what was only read may not have changed or gone', async () => {
		const c = await shelf(), o = ops(c)
		for (const meanwhile of [() => patch(c, 'a', { n: 9 }), () => key('DELETE', `${c.docs}/a`)]) {
			await key('PUT', `${c.docs}/a`, { body: { data: { title: 'a', n: 1 } } })
			const t = await begin(), u = await begin()
			ok(await get(c, 'a', t))
			ok(await stage(t, [o('create', unique(), { title: 'x' })]), 201)
			await meanwhile()
			fails(await commit(t), 409, 'transaction_conflict')
			ok(await stage(u, [o('create', unique(), { title: 'x' })]), 201)
			ok(await commit(u))
		}
	})
})
