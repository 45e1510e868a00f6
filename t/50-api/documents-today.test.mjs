/* Documents as clients of today write them: upsert, system members that come back, counting, operators, many at once. What 1.0 knows is in documents.test.mjs. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'

import { server, unique } from '../lib/server.mjs'
import { channels, listen } from '../lib/ws.mjs'
import { collection, database } from './docs.mjs'
import { fails, isTime } from './lib.mjs'

const attributes = {
	title: { type: 'string', size: 40, required: true },
	genre: { type: 'string', size: 20, default: 'novel' },
	pages: { type: 'integer', min: -10, max: 1000 },
	big: { type: 'integer' },
	price: { type: 'float' },
	lent: { type: 'boolean' },
	released: { type: 'datetime' },
	state: { type: 'enum', elements: ['new', 'used'] },
	tags: { type: 'string', size: 5, array: true },
	years: { type: 'integer', array: true },
	code: { type: 'string', size: 8 },
}
const own = { documentSecurity: true, permissions: ['create("users")'], attributes, indexes: { bycode: { type: 'unique', attributes: ['code'] } } }
/* A caller that says which format it speaks. */
const speaking = (format, caller) => (method, target, options = {}) => caller(method, target, { ...options, headers: { 'x-appwrite-response-format': format, ...options.headers } })
const ok = (r, status = 200) => (assert.equal(r.status, status, r.text), r.body)
const mine = (u) => ['read', 'update', 'delete'].map((v) => `${v}("user:${u.id}")`)
const later = (ms = 3600e3) => new Date(Date.now() + ms).toISOString(), earlier = () => later(-3600e3)

let s, p, db, books, ada, bob, key, us, them
before(async () => {
	s = await server()
	p = await s.project()
	db = await database(p)
	books = await collection(p, db, own)
	;[ada, bob] = await Promise.all([p.user({ name: 'Ada' }), p.user({ name: 'Bob' })])
	key = speaking('1.9.5', p.call)
	us = speaking('2.3.0', ada.call)
	them = speaking('2.3.0', bob.call)
})
const create = (caller, data, more = {}, c = books) => caller('POST', c.docs, { body: { documentId: unique(), data, ...more } })
const made = async (data = {}, more = {}, caller = key) => ok(await create(caller, { title: 't', ...data }, more), 201)
const put = (caller, id, body, c = books) => caller('PUT', `${c.docs}/${id}`, { body })
const patch = (caller, id, body, headers = {}) => caller('PATCH', `${books.docs}/${id}`, { body, headers })
const get = async (id, caller = key) => ok(await caller('GET', `${books.docs}/${id}`))

describe('$sequence', () => {
	test('counts what was created, as text, as number, or not at all', async () => {
		const c = await collection(p, db, { attributes: { n: { type: 'integer' } } })
		const ids = []
		for (let n = 1; n <= 3; n++) {
			const d = ok(await create(key, { n }, {}, c), 201)
			assert.equal(d.$sequence, `${n}`)
			ids.push(d.$id)
		}
		const one = `${c.docs}/${ids[1]}`
		for (const [format, told] of [['2.3.0', '2'], ['1.9.0', '2'], ['1.8.9', 2], ['1.8.0', 2], ['1.7.0', 2], ['1.6.9', undefined], ['1.0.0', undefined], ['0.15.0', undefined]]) {
			const as = speaking(format, p.call)
			for (const r of [await as('GET', one), await as('PATCH', one, { body: { data: { n: 5 } } })]) assert.deepEqual(ok(r).$sequence, told, format)
			assert.deepEqual(ok(await as('GET', c.docs)).documents[1].$sequence, told, format)
		}
		assert.equal(ok(await create(speaking('1.8.0', p.call), { n: 4 }, {}, c), 201).$sequence, 4)
		ok(await key('DELETE', one), 204)
		assert.equal(ok(await create(key, { n: 5 }, {}, c), 201).$sequence, '5', 'no number comes again')
		const q = (v) => key('GET', c.docs, { query: { queries: [JSON.stringify({ method: 'equal', attribute: '$sequence', values: [v] })] } })
		for (const v of [3, '3']) assert.deepEqual(ok(await q(v)).documents.map((d) => d.$id), [ids[2]])
	})

	test('in events: told to clients of today, not to those that name channels in the URL', async () => {
		const now = await listen(s, `project=${p.id}`), old = await listen(s, `project=${p.id}&${channels('documents')}`)
		await now.ask({ type: 'subscribe', data: [{ subscriptionId: 'one', channels: ['documents'] }] })
		const d = await made({ title: 'a,"$sequence":"9"' }, { permissions: ['read("any")'] })
		for (let want = d; want;) {
			const [{ payload }, { payload: before }] = [await now.event(), await old.event()]
			assert.deepEqual(payload, want)
			const { $sequence, ...rest } = want
			assert.ok($sequence)
			assert.deepEqual(before, rest)
			want = want.title === 'u' ? undefined : ok(await patch(key, d.$id, { data: { title: 'u' } }))
		}
		now.end()
		old.end()
	})
})

describe('what comes back among the data', () => {
	test('is passed over', async () => {
		const d = await made()
		const back = { ...d, $id: 'other', $sequence: '99', $databaseId: 'x', $collectionId: 'x', $tableId: 'x', $permissions: ['read("any")'], title: 'u' }
		const r = ok(await patch(key, d.$id, { data: back }))
		assert.equal(r.title, 'u')
		for (const k of ['$id', '$sequence', '$databaseId', '$collectionId']) assert.equal(r[k], d[k], k)
		assert.deepEqual(r.$permissions, [])
		const again = await create(key, { ...back, code: null })
		assert.notEqual(ok(again, 201).$id, 'other')
		fails(await create(speaking('1.0.0', p.call), { title: 't', $id: 'other' }), 400, 'document_invalid_structure')
		fails(await create(key, { title: 't', $other: 1 }), 400, 'document_invalid_structure')
	})

	test('dates count from keys, and from nobody else', async () => {
		const dates = { $createdAt: '2001-02-03T04:05:06.789+00:00', $updatedAt: '2002-02-03 04:05:06+01:00' }
		const kept = ['2001-02-03T04:05:06.789+00:00', '2002-02-03T03:05:06.000+00:00'], of = (d) => [d.$createdAt, d.$updatedAt]
		const d = await made(dates)
		assert.deepEqual(of(d), kept)
		assert.deepEqual(of(await get(d.$id)), kept)
		const moved = ok(await patch(key, d.$id, { data: { title: 'u', $updatedAt: '2003-01-01' } }))
		assert.deepEqual(of(moved), [kept[0], '2003-01-01T00:00:00.000+00:00'])
		assert.deepEqual(of(ok(await patch(key, d.$id, { data: { $createdAt: '1999-01-01' } })))[0], '1999-01-01T00:00:00.000+00:00')
		assert.deepEqual(of(ok(await put(key, unique(), { data: { title: 't', ...dates } }))), kept)
		fails(await create(key, { title: 't', $createdAt: 'some day' }), 400, 'document_invalid_structure')
		fails(await create(key, { title: 't', $updatedAt: 5 }), 400, 'document_invalid_structure')
		for (const r of [await create(us, { title: 't', ...dates }), await create(speaking('1.7.0', p.call), { title: 't', ...dates })])
			for (const t of of(ok(r, 201))) assert.ok(Date.parse(t) > Date.now() - 3600e3, t)
	})

	test('data as a text of JSON', async () => {
		const d = ok(await create(key, JSON.stringify({ title: 'text' })), 201)
		assert.equal(ok(await patch(key, d.$id, { data: '{"title":"other"}' })).title, 'other')
		assert.equal(ok(await put(key, d.$id, { data: '{"title":"third"}' })).title, 'third')
	})

	test('nothing', async () => {
		for (const data of [undefined, {}, '{}']) {
			fails(await create(key, data), 400, 'document_missing_data')
			fails(await create(speaking('1.3.0', p.call), data), 400, 'document_missing_payload')
			fails(await patch(key, unique(), { data }), 400, 'document_missing_payload')
			fails(await put(key, unique(), { data }), 400, 'document_missing_payload')
		}
		const d = await made({}, { permissions: ['read("any")'] })
		assert.deepEqual(ok(await patch(key, d.$id, { data: {}, permissions: [] })).$permissions, [])
	})
})

describe('an update that changes nothing', () => {
	test('writes nothing, and needs no more than to read', async () => {
		const d = await made({ tags: ['a', null], price: 1e20, released: '2020-01-01', lent: true, pages: 7 }, { permissions: ['read("any")'] })
		const same = { title: 't', tags: ['a', null], price: 1e20, released: '2020-01-01T00:00:00.000Z', lent: true, pages: 7, years: [], code: null }
		for (const caller of [key, us]) assert.deepEqual(ok(await patch(caller, d.$id, { data: same })), d)
		assert.deepEqual(ok(await patch(us, d.$id, { data: d })), d, 'as it was read')
		assert.deepEqual(ok(await patch(key, d.$id, { data: {}, permissions: ['read("any")'] })), d)
		for (const [k, v] of Object.entries({ title: 'T', tags: ['a'], price: 1, released: '2020-01-02', lent: false, pages: 8, code: 'x' }))
			fails(await patch(us, d.$id, { data: { ...same, [k]: v } }), 401, 'user_unauthorized')
		fails(await patch(speaking('1.7.0', ada.call), d.$id, { data: same }), 401, 'user_unauthorized')
		const hidden = await made()
		fails(await patch(us, hidden.$id, { data: { title: 't' } }), 401, 'user_unauthorized')
		const old = ok(await patch(speaking('1.7.0', p.call), d.$id, { data: same }))
		assert.ok(old.$updatedAt > d.$updatedAt, 'clients of before see it move')
	})
})

test('what is not there is said before what is not allowed, to whom the collection can be read', async () => {
	const open = await collection(p, db, { permissions: ['read("users")'], attributes: { n: { type: 'integer' } } }), shut = await collection(p, db, { permissions: [], attributes: { n: { type: 'integer' } } })
	const tries = [['PATCH', '', { data: { n: 2 } }], ['DELETE', ''], ['PATCH', '/n/increment', {}], ['PATCH', '/n/decrement', {}]]
	for (const c of [open, shut]) {
		const { $id: id } = await c.doc({ n: 1 })
		for (const [method, more, body] of tries) {
			const at = (which, caller = us) => caller(method, `${c.docs}/${which}${more}`, { body })
			fails(await at(id), 401, 'user_unauthorized')
			fails(await at('none'), ...c === open ? [404, 'document_not_found'] : [401, 'user_unauthorized'])
			if (more === '') fails(await at('none', speaking('1.0.0', ada.call)), 401, 'user_unauthorized')
		}
		assert.equal((await p.ok('GET', `${c.docs}/${id}`)).n, 1)
	}
})

describe('X-Appwrite-Timestamp', () => {
	test('what was changed since is not written', async () => {
		const d = await made({}, { permissions: mine(ada) }), at = (t) => ({ 'x-appwrite-timestamp': t })
		for (const caller of [key, us]) fails(await patch(caller, d.$id, { data: { title: 'u' } }, at(earlier())), 409, 'document_update_conflict')
		fails(await us('DELETE', `${books.docs}/${d.$id}`, { headers: at(earlier()) }), 409, 'document_update_conflict')
		fails(await patch(us, d.$id, { data: { title: 'u' } }, at('some day')), 400, 'general_argument_invalid')
		fails(await patch(them, d.$id, { data: { title: 'u' } }, at(earlier())), 401, 'user_unauthorized')
		assert.equal(ok(await patch(us, d.$id, { data: { title: 'u' } }, at(d.$updatedAt))).title, 'u')
		ok(await us('DELETE', `${books.docs}/${d.$id}`, { headers: at(later()) }), 204)
	})
})

describe('what is taken', () => {
	test('a unique index says that it is it, and which', async () => {
		const code = unique().slice(0, 8), d = await made({ code }), other = await made()
		for (const r of [await create(key, { title: 't', code }), await create(us, { title: 't', code }), await patch(key, other.$id, { data: { code } }), await put(key, unique(), { data: { title: 't', code } })]) {
			fails(r, 409, 'document_unique_constraint_violation')
			assert.match(r.body.message, /"bycode" \(code\)/)
		}
		for (const format of ['1.9.4', '1.8.0', '1.0.0']) {
			const r = await create(speaking(format, p.call), { title: 't', code })
			fails(r, 409, 'document_already_exists')
			assert.match(r.body.message, /"bycode"/)
		}
		fails(await key('POST', books.docs, { body: { documentId: d.$id, data: { title: 't' } } }), 409, 'document_already_exists')
	})
})

describe('upsert', () => {
	test('makes what is not there', async () => {
		const id = unique(), d = ok(await put(us, id, { data: { title: 't', pages: 3 } }))
		assert.equal(d.$id, id)
		assert.deepEqual([d.title, d.pages, d.genre, d.tags, d.big], ['t', 3, 'novel', [], null])
		assert.deepEqual(d.$permissions, mine(ada))
		isTime(d.$createdAt)
		assert.deepEqual(await get(id), d)
		assert.deepEqual(ok(await put(key, unique(), { data: { title: 't' } })).$permissions, [])
		assert.match(ok(await put(key, 'unique()', { data: { title: 't' } })).$id, /^[0-9a-f]{20}$/)
		fails(await put(key, unique(), { data: { pages: 1 } }), 400, 'document_invalid_structure')
		fails(await put(key, unique(), { permissions: ['read("any")'] }), 400, 'document_invalid_structure')
		fails(await put(us, unique(), { data: { title: 't' }, permissions: ['read("guests")'] }), 401, 'user_unauthorized')
		fails(await put(key, unique(), { data: { title: 't' }, permissions: ['create("any")'] }), 400, 'general_argument_invalid')
		const shut = await collection(p, db, { permissions: ['update("users")'], attributes: { n: { type: 'integer' } } })
		fails(await put(us, unique(), { data: { n: 1 } }, shut), 401, 'user_unauthorized')
		assert.equal(ok(await put(key, unique(), { data: { n: 1 } }, shut)).n, 1)
	})

	test('changes what is there', async () => {
		const d = await made({ pages: 3, tags: ['a'] }, { permissions: mine(ada) })
		const r = ok(await put(us, d.$id, { data: { title: 'u', tags: ['b'] } }))
		assert.deepEqual({ ...r, $updatedAt: '' }, { ...d, title: 'u', tags: ['b'], $updatedAt: '' })
		assert.ok(r.$updatedAt > d.$updatedAt)
		assert.deepEqual(ok(await put(us, d.$id, { data: { title: 'u' } })), r, 'nothing was changed')
		fails(await put(us, d.$id, { data: { pages: 4 } }), 400, 'document_invalid_structure')
		fails(await put(them, d.$id, { data: { title: 'v' } }), 401, 'user_unauthorized')
		assert.deepEqual(ok(await put(us, d.$id, { data: { title: 'u' }, permissions: ['read("users")', `update("user:${ada.id}")`] })).$permissions, ['read("users")', `update("user:${ada.id}")`])
		fails(await put(them, d.$id, { data: { title: 'u' } }), 401, 'user_unauthorized')
	})

	test('each tells of it as upsert', async () => {
		const w = await listen(s, `project=${p.id}`), id = unique()
		await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'one', channels: ['documents.upsert', `tablesdb.${db}.tables.${books.id}.rows.${id}`] }] })
		const permissions = ['read("any")'], states = []
		for (const title of ['a', 'b', 'b']) states.push(ok(await put(key, id, { data: { title }, permissions })))
		for (const d of states) {
			const e = await w.event()
			assert.equal(e.events.filter((n) => !n.startsWith('tablesdb.'))[0], `databases.${db}.collections.${books.id}.documents.${id}.upsert`)
			assert.ok(e.events.includes(`databases.${db}.tables.${books.id}.rows.${id}.upsert`))
			for (const c of ['documents', 'rows']) for (const name of [c, `${c}.upsert`]) assert.ok(e.channels.includes(name), name)
			assert.deepEqual(e.payload, d)
		}
		w.end()
	})

	test('of many at a time one makes it', async () => {
		const id = unique(), all = await Promise.all([...Array(8).keys()].map((n) => put(key, id, { data: { title: `${n}`, big: n } })))
		for (const r of all) ok(r)
		assert.equal(new Set(all.map((r) => r.body.$sequence)).size, 1)
	})
})

describe('increment and decrement', () => {
	const count = (caller, id, attribute, what, body = {}) => caller('PATCH', `${books.docs}/${id}/${attribute}/${what}`, { body })

	test('a number goes up and down', async () => {
		const d = await made({ pages: 5 }, { permissions: mine(ada) })
		assert.equal(ok(await count(us, d.$id, 'pages', 'increment')).pages, 6)
		assert.equal(ok(await count(us, d.$id, 'pages', 'decrement', { value: 10 })).pages, -4)
		assert.equal(ok(await count(us, d.$id, 'big', 'increment', { value: 3 })).big, 3, 'nothing counts as 0')
		assert.equal(ok(await count(us, d.$id, 'price', 'increment', { value: 0.5 })).price, 0.5)
		const r = ok(await count(us, d.$id, 'price', 'decrement', { value: 2, min: -1.5 }))
		assert.equal(r.price, -1.5)
		assert.ok(r.$updatedAt > d.$updatedAt)
		assert.deepEqual(await get(d.$id), r)
		const body = { headers: { 'content-type': 'application/json' }, body: '{"value":9007199254740993}' }
		await patch(key, d.$id, { data: { big: null } })
		assert.match((await key('PATCH', `${books.docs}/${d.$id}/big/increment`, body)).text, /"big":9007199254740993,/)
	})

	test('not beyond what is said, nor beyond the attribute', async () => {
		const d = await made({ pages: 5, big: 5 })
		fails(await count(key, d.$id, 'pages', 'increment', { value: 4, max: 8 }), 400, 'attribute_limit_exceeded')
		assert.match((await count(key, d.$id, 'pages', 'increment', { value: 4, max: 8 })).body.message, /"pages" has reached the maximum value of 8/)
		assert.equal(ok(await count(key, d.$id, 'pages', 'increment', { value: 3, max: 8 })).pages, 8)
		fails(await count(key, d.$id, 'pages', 'decrement', { value: 9, min: 0 }), 400, 'attribute_limit_exceeded')
		fails(await count(key, d.$id, 'pages', 'increment', { value: 993 }), 400, 'attribute_limit_exceeded')
		fails(await count(key, d.$id, 'pages', 'decrement', { value: 19 }), 400, 'attribute_limit_exceeded')
		assert.equal(ok(await count(key, d.$id, 'big', 'increment', { value: 9007199254740000 })).big, 9007199254740005)
		const far = { headers: { 'content-type': 'application/json' }, body: '{"value":9223372036854775807}' }
		fails(await key('PATCH', `${books.docs}/${d.$id}/big/increment`, far), 400, 'attribute_limit_exceeded')
	})

	test('what cannot be', async () => {
		const d = await made({}, { permissions: ['read("any")'] })
		for (const value of [0, -1]) fails(await count(key, d.$id, 'pages', 'increment', { value }), 400, 'general_argument_invalid')
		fails(await count(key, d.$id, 'pages', 'increment', { value: 1.5 }), 400, 'general_argument_invalid')
		fails(await count(key, d.$id, 'pages', 'increment', { value: 'x' }), 400, 'general_argument_invalid')
		for (const k of ['title', 'lent', 'years']) fails(await count(key, d.$id, k, 'decrement'), 400, 'attribute_type_invalid')
		fails(await count(key, d.$id, 'nothing', 'increment'), 404, 'attribute_not_found')
		fails(await count(key, unique(), 'pages', 'increment'), 404, 'document_not_found')
		fails(await count(us, d.$id, 'pages', 'increment'), 401, 'user_unauthorized')
		fails(await p.call('PATCH', `${books.docs}/${d.$id}/pages/increment`, { body: {}, headers: { 'x-appwrite-key': '' } }), 401, 'user_unauthorized')
	})

	test('whoever may only write sees what it has written', async () => {
		const d = await made({ pages: 5 }, { permissions: [`update("user:${ada.id}")`] }), r = ok(await count(us, d.$id, 'pages', 'increment'))
		assert.equal(r.pages, 6)
		assert.ok(!('title' in r))
		assert.deepEqual(r.$permissions, [])
	})

	test('of many at a time none is lost', async () => {
		const d = await made({ big: 0 })
		const all = await Promise.all([...Array(12).keys()].map((n) => count(key, d.$id, 'big', n % 3 ? 'increment' : 'decrement', { value: n % 3 ? 2 : 1 })))
		for (const r of all) ok(r)
		assert.equal((await get(d.$id)).big, 12)
		assert.equal(new Set(all.map((r) => r.body.$updatedAt + r.body.big)).size, 12)
	})
})

describe('operators', () => {
	const op = (method, ...values) => ({ method, values })
	/* [attribute, before, operator, after]; after undefined: refused as a structure. */
	const rows = [
		['pages', 5, op('increment'), 6], ['pages', null, op('increment', 3), 3], ['pages', 5, op('increment', 4, 8), 5], ['pages', 5, op('increment', 3, 8), 8],
		['pages', 5, op('decrement', 2), 3], ['pages', 5, op('decrement', 4, 2), 5], ['pages', 5, op('multiply', 3), 15], ['pages', 5, op('multiply', 3, 14), 5],
		['pages', 15, op('divide', 3), 5], ['pages', 15, op('divide', 3, 6), 15], ['pages', 17, op('modulo', 5), 2], ['pages', -7, op('modulo', 5), -2],
		['pages', 3, op('power', 4), 81], ['pages', 3, op('power', 4, 80), 3], ['pages', 0, op('power', -1), 0], ['pages', -8, op('power', 0.5), -8],
		['pages', 999, op('increment', 2), undefined], ['pages', 10, op('power', 1000), undefined], ['pages', 10, op('power', 1000, 900), 10],
		['big', 2147483647, op('increment'), undefined], ['big', 2147483647, op('increment', 1, 9e15), 2147483648], ['big', 5, op('increment', null), 'bad'],
		['price', 1.5, op('increment', 0.25), 1.75], ['price', null, op('multiply', 2), 0], ['price', 7.5, op('modulo', 2), 1.5], ['price', 9, op('power', 0.5), 3],
		['price', 1e300, op('multiply', 1e300), undefined], ['price', 1, op('divide', 8), 0.125], ['price', 1e300, op('power', 9, 1e308), 1e300], ['price', 1e-300, op('power', 9), 0],
		['code', 'ab', op('stringConcat', 'cd'), 'abcd'], ['code', null, op('stringConcat', 'x'), 'x'], ['code', 'abcdef', op('stringConcat', 'ghi'), undefined],
		['code', 'aXbx', op('stringReplace', 'x', 'yy'), 'aXbyy'], ['code', null, op('stringReplace', 'x', 'y'), null], ['code', 'xxxx', op('stringReplace', 'x', 'yyy'), undefined],
		['code', 'abc', op('stringReplace', '', 'y'), 'abc'], ['code', '\u{1F600}a', op('stringReplace', 'a', '\u{1F600}'), '\u{1F600}\u{1F600}'],
		['state', 'new', op('stringReplace', 'new', 'used'), 'used'], ['state', 'new', op('stringConcat', 'er'), undefined],
		['lent', true, op('toggle'), false], ['lent', null, op('toggle'), true],
		['tags', ['a'], op('arrayAppend', 'b', null), ['a', 'b', null]], ['tags', null, op('arrayAppend', 'b'), ['b']], ['tags', ['a'], op('arrayPrepend', 'b', 'c'), ['b', 'c', 'a']],
		['tags', ['a', 'b'], op('arrayInsert', 1, 'x'), ['a', 'x', 'b']], ['tags', ['a'], op('arrayInsert', 1, 'x'), ['a', 'x']], ['tags', ['a'], op('arrayInsert', 2, 'x'), undefined],
		['tags', [], op('arrayInsert', 0, 'x'), ['x']], ['tags', ['a', 'A', 'a', null], op('arrayRemove', 'a'), ['A', null]], ['tags', ['b', 'a', 'B', 'a', null, null], op('arrayUnique'), ['b', 'a', 'B', null]],
		['tags', ['a', 'b', 'A', 'b'], op('arrayIntersect', 'b', 'A'), ['b', 'A', 'b']], ['tags', ['a', 'b', null], op('arrayDiff', 'b'), ['a', null]], ['tags', ['a', 'b'], op('arrayFilter', 'equal', 'b'), ['b']],
		['tags', ['a', null, 'b', null], op('arrayRemove', null), ['a', 'b']], ['tags', ['a', null], op('arrayRemove', 'b'), ['a', null]], ['tags', ['a', null, 'b'], op('arrayIntersect', 'b', null), [null, 'b']],
		['tags', ['a', null, 'b'], op('arrayIntersect', 'b'), ['b']], ['tags', ['a', null, 'b'], op('arrayDiff', null, 'a'), ['b']], ['tags', ['a', null], op('arrayDiff'), ['a', null]],
		['years', [3, null, 1], op('arrayRemove', null), [3, 1]], ['years', [3, null, 1], op('arrayIntersect', null), [null]], ['years', null, op('arrayDiff', null), []],
		['years', [3, 1, 3, 2], op('arrayUnique'), [3, 1, 2]], ['years', [3, 1, 2], op('arrayFilter', 'greaterThan', 1), [3, 2]], ['years', [3, null], op('arrayFilter', 'isNull'), [null]],
		['years', [3, null], op('arrayFilter', 'isNotNull'), [3]], ['years', [1, 2, 3], op('arrayFilter', 'lessThanEqual', 2), [1, 2]], ['years', [1, 2], op('arrayFilter', 'notEqual', 2), [1]],
		['years', [9007199254740991], op('arrayAppend', 1), [9007199254740991, 1]],
		['released', '2020-02-28', op('dateAddDays', 2), '2020-03-01T00:00:00.000+00:00'], ['released', '2020-03-01', op('dateSubDays', 1), '2020-02-29T00:00:00.000+00:00'],
		['released', '9999-12-31', op('dateAddDays', 1), undefined], ['released', '2020-01-01', op('dateAddDays', 9999999), undefined],
		/* what is malformed */
		['pages', 1, op('increment', 'x'), 'bad'], ['pages', 1, op('divide', 0), 'bad'], ['pages', 1, op('modulo'), 'bad'], ['pages', 1, { method: 'increment', values: 5 }, 'bad'], ['pages', 1, { method: 'increment' }, 'bad'],
		['code', 'a', op('stringConcat', 5), 'bad'], ['code', 'a', op('stringReplace', 'a'), 'bad'], ['tags', ['a'], op('arrayAppend', 5), 'bad'], ['tags', ['a'], op('arrayAppend', 'sixsix'), 'bad'],
		['tags', ['a'], op('arrayInsert', -1, 'x'), 'bad'], ['tags', ['a'], op('arrayFilter', 'contains', 'x'), 'bad'], ['tags', ['a'], op('arrayFilter', 'equal'), 'bad'], ['released', '2020-01-01', op('dateAddDays', 1.5), 'bad'],
		/* on what it is not for */
		['code', 'a', op('increment'), undefined], ['pages', 1, op('stringConcat', 'x'), undefined], ['pages', 1, op('toggle'), undefined], ['code', 'a', op('arrayUnique'), undefined],
		['years', [1], op('increment'), undefined], ['pages', 1, op('dateSetNow'), undefined],
	]

	test('each on each', async () => {
		for (const [k, before, what, after] of rows) {
			const d = await made({ [k]: before })
			const said = `${k} ${JSON.stringify(before)} ${JSON.stringify(what)}`
			const r = await patch(key, d.$id, { data: { [k]: JSON.stringify(what) } })
			if (after === undefined || after === 'bad') {
				assert.equal(r.status, 400, `${said}: ${r.text}`)
				fails(r, 400, after ? 'general_bad_request' : 'document_invalid_structure')
				assert.deepEqual(await get(d.$id), d, said)
			} else {
				assert.deepEqual(r.body[k], after, `${said}: ${r.text}`)
				assert.deepEqual(await get(d.$id), r.body, said)
			}
			ok(await key('DELETE', `${books.docs}/${d.$id}`), 204)
		}
	})

	test('several, beside plain values, as objects and as texts; what is none is a text', async () => {
		const d = await made({ pages: 1, tags: ['a'] }, { permissions: mine(ada) })
		const r = ok(await patch(us, d.$id, { data: { title: 'u', pages: op('increment', 2), tags: JSON.stringify(op('arrayAppend', 'b')), lent: op('toggle') } }))
		assert.deepEqual([r.title, r.pages, r.tags, r.lent], ['u', 3, ['a', 'b'], true])
		assert.ok(Math.abs(Date.parse(ok(await patch(us, d.$id, { data: { released: op('dateSetNow') } })).released) - Date.now()) < 60e3)
		for (const genre of ['{"method":"fly"}', '{"method":', '{"a":1}']) assert.equal(ok(await patch(us, d.$id, { data: { genre } })).genre, genre)
		fails(await patch(us, d.$id, { data: { pages: op('fly') } }), 400, 'document_invalid_structure')
		fails(await patch(them, d.$id, { data: { pages: op('increment', 'x') } }), 401, 'user_unauthorized')
		const text = '{"method":"toggle"}'
		assert.equal(ok(await patch(speaking('1.7.0', ada.call), d.$id, { data: { genre: text } })).genre, text, 'clients of before mean the text')
		assert.equal(ok(await create(us, { title: text }), 201).title, text, 'what is created is not there yet')
	})

	test('in an upsert, of what is there and of what is not', async () => {
		const id = unique(), data = { title: 't', pages: op('increment', 4), tags: op('arrayAppend', 'x'), genre: op('stringConcat', 's') }
		const first = ok(await put(key, id, { data }))
		assert.deepEqual([first.pages, first.tags, first.genre], [4, ['x'], 'novels'])
		assert.deepEqual(await get(id), first)
		const second = ok(await put(key, id, { data }))
		assert.deepEqual([second.pages, second.tags, second.genre], [8, ['x', 'x'], 'novelss'])
		fails(await put(key, unique(), { data: { title: 't', pages: op('increment', 1001) } }), 400, 'document_invalid_structure')
	})

	test('of many at a time none is lost, and each sees its own', async () => {
		const d = await made({ big: 0 }), all = await Promise.all([...Array(10)].map(() => patch(key, d.$id, { data: { big: op('increment', 1) } })))
		assert.deepEqual(all.map((r) => ok(r).big).sort((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
	})

	test('the date of now, of a document that is not there', async () => {
		const id = unique(), before = Date.now(), first = ok(await put(key, id, { data: { title: 't', released: op('dateSetNow') } }))
		assert.ok(Math.abs(Date.parse(first.released) - before) < 600e3, first.released)
	})

	test('no value grows past what a request could bring', async () => {
		const wide = await collection(p, db, { permissions: [], attributes: { t: { type: 'string', size: 1073741824 }, l: { type: 'string', size: 1073741824, array: true } } })
		const id = (await wide.doc({ t: 'a'.repeat(1e6), l: [] })).$id, change = (data) => key('PATCH', `${wide.docs}/${id}`, { body: { data } })
		fails(await change({ t: op('stringReplace', 'a', 'b'.repeat(20)) }), 400, 'document_invalid_structure')
		for (let i = 0, size = 1e6; ; i++) {
			const r = await change({ t: op('stringConcat', 'c'.repeat(3e6)) })
			if (r.status === 400) { fails(r, 400, 'document_invalid_structure'); break }
			size += 3e6
			assert.equal(ok(r).t.length, size)
			assert.ok(i < 3)
		}
		ok(await change({ l: op('arrayAppend', 'x'.repeat(5e6)) }))
		fails(await change({ l: op('arrayAppend', 'x'.repeat(5e6)) }), 400, 'document_invalid_structure')
		ok(await change({ l: op('arrayRemove', 'x'.repeat(5e6)) }))
	})

	test('who may not read learns nothing by one', async () => {
		const shut = await collection(p, db, { permissions: ['update("users")'], attributes: { secret: { type: 'string', size: 20 }, n: { type: 'integer' } } })
		const id = (await shut.doc({ secret: 'of others', n: 7 })).$id
		for (const data of [{ secret: op('stringConcat', '') }, { n: op('increment', 1) }])
			assert.doesNotMatch(JSON.stringify(ok(await them('PATCH', `${shut.docs}/${id}`, { body: { data } }))), /of others|"n":8/)
		assert.equal((await p.ok('GET', `${shut.docs}/${id}`)).n, 8)
	})

	test('the event has what came of it', async () => {
		const w = await listen(s, `project=${p.id}`), d = await made({ pages: 1 }, { permissions: ['read("any")'] })
		await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'one', channels: [`databases.${db}.collections.${books.id}.documents.${d.$id}.update`] }] })
		const r = ok(await patch(key, d.$id, { data: { pages: op('increment', 2) } })), e = await w.event()
		assert.deepEqual(e.payload, r)
		assert.equal(r.pages, 3)
		w.end()
	})
})
