/* Documents: what each endpoint answers, each error, and who may do what. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'
import { server, sleep, unique, until } from '../lib/server.mjs'
import { collection, database, json, list } from './docs.mjs'
import { fails, isTime } from './lib.mjs'

const system = ['$id', '$createdAt', '$updatedAt', '$permissions', '$collectionId', '$databaseId']
const attributes = {
	title: { type: 'string', size: 20, required: true },
	genre: { type: 'string', size: 20, default: 'novel' },
	pages: { type: 'integer', min: -10, max: 1000 },
	big: { type: 'integer' },
	price: { type: 'float', min: -1000, max: 1e20 },
	lent: { type: 'boolean' },
	released: { type: 'datetime' },
	mail: { type: 'email' },
	host: { type: 'ip' },
	link: { type: 'url' },
	state: { type: 'enum', elements: ['new', 'used'] },
	tags: { type: 'string', size: 5, array: true },
	years: { type: 'integer', array: true },
}
let s, p, db, books, ada, bob
const post = (caller, c, body) => caller('POST', c.docs, { body })
const patch = (caller, c, id, body) => caller('PATCH', `${c.docs}/${id}`, { body })

before(async () => {
	s = await server()
	p = await s.project()
	db = await database(p)
	books = await collection(p, db, { permissions: ['read("any")', 'create("users")', 'update("users")', 'delete("users")'], documentSecurity: true, attributes })
	;[ada, bob] = await Promise.all([p.user({ name: 'Ada' }), p.user({ name: 'Bob' })])
})

describe('create', () => {
	test('the reply: what was sent, then the system members, then what was filled in', async () => {
		const id = unique(), r = await post(ada.call, books, { documentId: id, data: { pages: 5, title: 'Alpha' } })
		assert.equal(r.status, 201, r.text)
		assert.deepEqual(Object.keys(r.body), ['pages', 'title', '$id', '$permissions', '$createdAt', '$updatedAt', 'genre', 'big', 'price', 'lent', 'released', 'mail',
			'host', 'link', 'state', 'tags', 'years', '$collectionId', '$databaseId'])
		assert.equal(r.body.$id, id)
		assert.equal(r.body.genre, 'novel')
		assert.equal(r.body.big, null)
		assert.deepEqual(r.body.tags, [])
		assert.equal(r.body.$collectionId, books.id)
		assert.equal(r.body.$databaseId, db)
		isTime(r.body.$createdAt)
		assert.equal(r.body.$createdAt, r.body.$updatedAt)
		assert.deepEqual(r.body.$permissions, ['read', 'update', 'delete'].map((v) => `${v}("user:${ada.id}")`))
		const got = await p.ok('GET', `${books.docs}/${id}`)
		assert.deepEqual(Object.keys(got), [...Object.keys(attributes), ...system])
		assert.deepEqual(got, r.body)
	})

	test('values come back in their one form', async () => {
		const rows = [
			['title', '', ''], ['title', 'é/"\\\n\u{1F600}', 'é/"\\\n\u{1F600}'], ['title', '\u{1F600}'.repeat(20), '\u{1F600}'.repeat(20)], ['genre', null, 'novel'],
			['pages', '7', 7], ['pages', -10, -10], ['pages', null, null], ['price', 5, 5], ['price', 9.5, 9.5], ['price', '2.5', 2.5], ['price', 0.1, 0.1],
			['price', 123456.789, 123456.789], ['price', 1e20, 1e20], ['price', 1e-7, 1e-7], ['price', -0.5, -0.5], ['lent', true, true], ['lent', false, false],
			['released', '2020-01-01T00:00:00+05:30', '2019-12-31T18:30:00.000+00:00'], ['released', '2020-01-01 10:11:12.123456', '2020-01-01T10:11:12.123+00:00'],
			['released', '2020-07-01 12:00 Europe/Paris', '2020-07-01T10:00:00.000+00:00'],
			['released', '1969-12-31', '1969-12-31T00:00:00.000+00:00'], ['released', '0001-01-01', '0001-01-01T00:00:00.000+00:00'],
			['released', '9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999+00:00'], ['mail', 'A.b+c@example.org', 'A.b+c@example.org'], ['host', '2001:db8::1', '2001:db8::1'],
			['link', 'https://example.org/1?q#f', 'https://example.org/1?q#f'], ['state', 'used', 'used'], ['tags', [], []], ['tags', '', []], ['tags', null, []],
			['tags', ['a', null, '', 'NULL', '"\\{},'], ['a', null, '', 'NULL', '"\\{},']], ['years', ['1', 2, null], [1, 2, null]],
		]
		for (const [key, sent, kept] of rows) {
			const r = await post(p.call, books, { documentId: 'unique()', data: { title: 't', [key]: sent } })
			assert.equal(r.status, 201, `${key} ${JSON.stringify(sent)}: ${r.text}`)
			assert.deepEqual(r.body[key], kept, key)
			assert.deepEqual((await p.ok('GET', `${books.docs}/${r.body.$id}`))[key], kept, `${key} as it is stored`)
		}
		const big = await p.call('POST', books.docs, { headers: { 'content-type': 'application/json' }, body: '{"documentId":"unique()","data":{"title":"t","big":9223372036854775807}}' })
		assert.match(big.text, /"big":9223372036854775807[,}]/)
		for (const [said, kept] of [['9223372036854776000', '9223372036854775807'], ['-9223372036854776000', '-9223372036854775808'], ['"9223372036854776000"', '9223372036854775807']])
			assert.match((await p.call('POST', books.docs, { headers: { 'content-type': 'application/json' }, body: `{"documentId":"unique()","data":{"title":"x","big":${said}}}` })).text, new RegExp(`"big":${kept}[,}]`))
		for (const said of ['9223372036854775808', '9223372036854776001', '-9223372036854775809', '1e19', '"9223372036854775808"'])
			fails(await p.call('POST', books.docs, { headers: { 'content-type': 'application/json' }, body: `{"documentId":"unique()","data":{"title":"x","big":${said}}}` }), 400, 'document_invalid_structure')
	})

	test('what does not fit', async () => {
		const rows = [
			['title', 5], ['title', null], ['title', 'x'.repeat(21)], ['title', ['x']], ['title', { a: 1 }], ['pages', 'many'], ['pages', 1.5],
			['pages', '5.0'], ['pages', 1001], ['pages', -11], ['pages', true], ['big', 1e19], ['price', 'cheap'], ['price', 1e21], ['price', '0x10'],
			['price', false], ['lent', 'true'], ['lent', 1], ['released', 'some day'], ['released', ''], ['released', []], ['released', {}],
			['released', '2020-13-01'], ['released', '10000-01-01'], ['released', '+500000 weeks'], ['released', '-500000 weeks'], ['mail', 'nobody'], ['mail', 'a@localhost'], ['mail', ''], ['host', '1.2.3'], ['link', 'nowhere'], ['state', 'burnt'],
			['state', 'NEW'], ['tags', 'one'], ['tags', {}], ['tags', ['a', 5]], ['tags', ['sixsix']], ['tags', [['a']]], ['years', [1.5]], ['colour', 'red'], ['Title', 'x'],
			['$x', 1], ['$id', 'other'],
		]
		for (const [key, value] of rows) {
			const r = await post(ada.call, books, { documentId: 'unique()', data: { title: 't', [key]: value } })
			fails(r, 400, 'document_invalid_structure')
			assert.ok(r.body.message.includes(`"${key}`), `${key}: ${r.body.message}`)
		}
		fails(await post(ada.call, books, { documentId: 'unique()', data: { title: 'a\0b' } }), 400, 'general_argument_invalid')	/* no body has a NUL */
		const r = await post(ada.call, books, { documentId: 'unique()', data: { tags: 'one', colour: 1 } })
		assert.match(r.body.message, /"title"/, 'required attributes come first')
		fails(await post(ada.call, books, { documentId: 'unique()', data: [1, 2] }), 400, 'document_invalid_structure')
		assert.match((await post(ada.call, books, { documentId: 'unique()', data: { title: 't', tags: ['a', 5] } })).body.message, /"tags\['1'\]"/)
	})

	test('a default date of words is the moment it is filled in', async () => {
		const c = await collection(p, db, { attributes: { n: { type: 'integer' }, at: { type: 'datetime', default: 'now' }, day: { type: 'datetime', default: '2020-01-01T00:00:00+05:30' } } })
		const near = (d) => assert.ok(Math.abs(Date.parse(d.at) - Date.parse(d.$updatedAt)) < 500, `${d.at} and ${d.$updatedAt}`)
		const first = await c.doc({ n: 1 })
		near(first)
		assert.equal(first.day, '2019-12-31T18:30:00.000+00:00')
		await sleep(600)
		near(await c.doc({ n: 2 }))
		near(await p.ok('PATCH', `${c.docs}/${first.$id}`, { body: { data: { at: null } } }))
	})

	test('system members in the data are ignored', async () => {
		const r = await post(p.call, books, { documentId: 'unique()', data: { $createdAt: '2000-01-01', $updatedAt: 5, $permissions: ['x'], $collection: 'x', $internalId: 1, $collectionId: 'x', $databaseId: 'x', $tableId: 'x', $sequence: 1, title: 't', $id: null } })
		assert.equal(r.status, 201, r.text)
		assert.ok(Date.parse(r.body.$createdAt) > Date.now() - 3600e3)
		assert.deepEqual(r.body.$permissions, [])
		assert.equal(Object.keys(r.body).length, Object.keys(attributes).length + system.length)
		/* what was read goes back as it is */
		/* and as each format shows it */
		for (const format of ['0.11.0', '0.12.0', '0.13.0', '0.14.0', '0.15.0', '1.0.0', '1.4.0', '1.8.0']) {
			const headers = { 'x-appwrite-response-format': format }, read = await p.ok('GET', `${books.docs}/${r.body.$id}`, { headers })
			const back = await p.call('PATCH', `${books.docs}/${r.body.$id}`, { headers, body: { data: read } })
			assert.equal(back.status, 200, `${format}: ${back.text}`)
		}
		const again = await p.call('PATCH', `${books.docs}/${r.body.$id}`, { body: { data: { ...r.body, $sequence: 7, $tableId: 'x', title: 'u' } } })
		assert.equal(again.status, 200, again.text)
		assert.deepEqual({ ...again.body, $updatedAt: '' }, { ...r.body, title: 'u', $updatedAt: '' })
		fails(await p.call('PATCH', `${books.docs}/${r.body.$id}`, { body: { data: { $other: 1 } } }), 400, 'document_invalid_structure')
	})

	test('data', async () => {
		for (const data of [undefined, null, {}, [], ''])
			fails(await post(ada.call, books, { documentId: 'unique()', data }), 400, 'document_missing_payload')
		for (const data of ['{}', '[]', 'null', 'false', '0', '""']) {
			fails(await post(ada.call, books, { documentId: 'unique()', data }), 400, 'document_missing_payload')
			fails(await patch(ada.call, books, unique(), { data }), 400, 'document_missing_payload')
		}
		for (const data of ['hello', 5, 0, false, true, '5', 'true', '"x"', ' ', '{']) fails(await post(ada.call, books, { documentId: 'unique()', data }), 400, 'general_argument_invalid')
		assert.equal((await post(ada.call, books, { documentId: 'unique()', data: '{"title":"Iota"}' })).body.title, 'Iota')
	})

	test('ids', async () => {
		const id = unique('Mixed')
		assert.equal((await post(ada.call, books, { documentId: id, data: { title: 't' } })).body.$id, id)
		for (const taken of [id, id.toLowerCase(), id.toUpperCase()])
			fails(await post(ada.call, books, { documentId: taken, data: { title: 't' } }), 409, 'document_already_exists')
		for (const bad of ['_x', '.x', '-x', 'x y', 'x'.repeat(37), '$x', undefined, 5])
			fails(await post(ada.call, books, { documentId: bad, data: { title: 't' } }), 400, 'general_argument_invalid')
		assert.match((await post(ada.call, books, { documentId: 'unique()', data: { title: 't' } })).body.$id, /^[0-9a-f]{20}$/)
		assert.equal((await p.ok('GET', `${books.docs}/${id.toUpperCase()}`)).$id, id)
	})

	test('permissions: given, empty, expanded, somebody else\'s', async () => {
		const made = async (permissions, caller = ada.call) => post(caller, books, { documentId: 'unique()', data: { title: 't' }, permissions })
		assert.deepEqual((await made([])).body.$permissions, [])
		assert.deepEqual((await made(['read("any")', 'write("users")', 'read("any")'])).body.$permissions, ['read("any")', 'update("users")', 'delete("users")'])
		for (const role of ['guests', `user:${bob.id}`, 'team:x', `user:${ada.id}/verified`, 'users/verified'])
			fails(await made([`read("${role}")`]), 401, 'user_unauthorized')
		assert.deepEqual((await made([`read("user:${ada.id}/unverified")`, 'update("users/unverified")'])).status, 201)
		assert.deepEqual((await made([`read("user:${bob.id}")`, 'read("guests")'], p.call)).body.$permissions, [`read("user:${bob.id}")`, 'read("guests")'])
		for (const bad of ['create("any")', 'read("nobody")', 'read(any)', 'readx("any")', 'read("user")', 'read("any:x")', 'read("users/x")', "read('any')", '*', 'role:all', 5])
			fails(await made([bad]), 400, 'general_argument_invalid')
		fails(await made('read("any")'), 400, 'general_argument_invalid')
		fails(await made(Array(101).fill('read("any")')), 400, 'general_argument_invalid')
		assert.equal((await made(undefined, p.call)).body.$permissions.length, 0)
		assert.deepEqual((await made(undefined, p.admin)).body.$permissions, ['read', 'update', 'delete'].map((v) => `${v}("user:${p.console.id}")`))
	})

	test('places that are not there', async () => {
		const body = { documentId: 'unique()', data: { title: 't' } }
		fails(await p.call('POST', `/databases/${unique()}/collections/${books.id}/documents`, { body }), 404, 'database_not_found')
		fails(await p.call('POST', `/databases/${db}/collections/${unique()}/documents`, { body }), 404, 'collection_not_found')
		fails(await p.call('POST', `/databases/_x/collections/${books.id}/documents`, { body }), 400, 'general_argument_invalid')
		fails(await p.call('POST', books.docs, { body, key: await p.addKey(['documents.read']) }), 401, 'general_unauthorized_scope')
		fails(await p.guest('POST', books.docs, { body }), 401, 'user_unauthorized')
		const bare = await collection(p, db)
		fails(await post(p.call, bare, body), 400, 'document_invalid_structure')
	})

	test('a unique index', async () => {
		const c = await collection(p, db, { attributes: { link: { type: 'string', size: 100 }, n: { type: 'integer' } }, indexes: { u: { type: 'unique', attributes: ['link'] } } })
		await c.doc({ link: 'Éa' }, { id: 'one' })
		await c.doc({ n: 1 })
		await c.doc({ n: 2 })	/* nulls never conflict */
		for (const link of ['Éa', 'ea', 'EA'])
			fails(await post(p.call, c, { documentId: 'unique()', data: { link } }), 409, 'document_already_exists')
		await c.doc({ link: 'b' }, { id: 'two' })
		fails(await patch(p.call, c, 'two', { data: { link: 'EA' } }), 409, 'document_already_exists')
		assert.equal((await p.ok('GET', `${c.docs}/two`)).link, 'b')
	})
})

/* An entry of an index holds 2.7 kB; texts, words and elements of lists are longer. */
describe('no index refuses what its attribute takes', () => {
	const word = (n) => Array.from({ length: n }, (_, i) => i.toString(36).padStart(4, 'w')).join(' ')
	const noise = (n, from) => Array.from({ length: n }, (_, i) => String.fromCodePoint(0x4e00 + ((i * 7919 + from * 104729) % 20000))).join('')
	const rows = [
		['a list of long elements', { type: 'string', size: 10000, array: true }, [noise(10000, 1), noise(9000, 2), '']],
		['a long list', { type: 'string', size: 100, array: true }, Array.from({ length: 3000 }, (_, i) => noise(90, i))],
		['a list of numbers', { type: 'integer', array: true }, Array.from({ length: 20000 }, (_, i) => i * 1e9)],
		['a long text', { type: 'string', size: 16000 }, noise(16000, 3)],
		['a text at the bound', { type: 'string', size: 650 }, '\u{2070E}'.repeat(650)],
		['a long address', { type: 'url' }, `http://x/${'y'.repeat(1990)}`],
		['a giant word', { type: 'string', size: 300000 }, 'x'.repeat(300000), ['key', 'fulltext']],
		['characters that fold to many', { type: 'string', size: 300000 }, '\ufdfa '.repeat(150000), ['key', 'fulltext']],
		['many words', { type: 'string', size: 1000000 }, word(190000), ['key', 'fulltext']],
	]
	for (const [what, attribute, value, types = ['key', 'unique', 'fulltext']] of rows)
		test(what, async () => {
			for (const type of types) {
				if (type === 'fulltext' && attribute.type === 'integer') continue
				const c = await collection(p, db, { attributes: { a: attribute }, indexes: { x: { type, attributes: ['a'] } } })
				const d = await c.doc({ a: value }, { id: 'one' })
				assert.deepEqual(d.a, value)
				await c.doc({ a: Array.isArray(value) ? value.slice(1) : attribute.type === 'url' ? 'http://y' : 'short' }, { id: 'two' })
				if (type === 'unique') fails(await post(p.call, c, { documentId: 'three', data: { a: value } }), 409, 'document_already_exists')
				if (!Array.isArray(value)) continue
				const [first] = value, found = await p.ok('GET', c.docs, { query: { queries: [JSON.stringify({ method: 'contains', attribute: 'a', values: [typeof first === 'string' ? first.slice(0, 3000) : first] })] } })
				assert.equal(found.total, typeof first === 'string' && first.length > 3000 ? 0 : 1)
			}
		})

	test('the index of long elements finds them without regard to case', async () => {
		const c = await collection(p, db, { attributes: { a: { type: 'string', size: 700, array: true } }, indexes: { x: { type: 'key', attributes: ['a'] } } })
		await c.doc({ a: ['É'.repeat(690), 'straße', null] }, { id: 'one' })
		await c.doc({ a: null }, { id: 'two' })
		const found = async (method, ...values) => (await p.ok('GET', c.docs, { query: { queries: [JSON.stringify({ method, attribute: 'a', values })] } })).documents.map((d) => d.$id)
		assert.deepEqual(await found('contains', 'e'.repeat(690)), ['one'])
		assert.deepEqual(await found('contains', 'STRASSE'), ['one'])
		assert.deepEqual(await found('containsAll', 'STRASSE', 'e'.repeat(690)), ['one'])
		assert.deepEqual(await found('containsAll', 'STRASSE', 'e'.repeat(691)), [])
		assert.deepEqual(await found('notContains', 'x'), ['one'])
	})
})

describe('get', () => {
	test('unknown, malformed, elsewhere', async () => {
		fails(await p.call('GET', `${books.docs}/${unique()}`), 404, 'document_not_found')
		fails(await p.call('GET', `${books.docs}/_x`), 400, 'general_argument_invalid')
		fails(await p.call('GET', `/databases/${db}/collections/${unique()}/documents/x`), 404, 'collection_not_found')
		fails(await p.call('GET', `/databases/${unique()}/collections/x/documents/x`), 404, 'database_not_found')
		fails(await p.call('GET', `${books.docs}/x`, { key: await p.addKey(['documents.write']) }), 401, 'general_unauthorized_scope')
	})

	test('select', async () => {
		const { $id: id } = await books.doc({ title: 'Alpha', pages: 3 })
		const get = (...queries) => p.call('GET', `${books.docs}/${id}`, { query: { queries } })
		assert.deepEqual(Object.keys((await get(json('select', undefined, ['pages', 'title']))).body), ['title', 'pages', ...system])
		assert.deepEqual(Object.keys((await get(json('select', undefined, ['$id']))).body), system)
		assert.equal(Object.keys((await get(json('select', undefined, ['*']))).body).length, 19)
		for (const bad of [json('select', undefined, ['x']), json('select', undefined, []), json('limit', undefined, [1]), '{'])
			fails(await get(bad), 400, 'general_query_invalid')
		fails(await get('limit(1)'), 400, 'general_argument_invalid')
	})

	test('by the older path', async () => {
		fails(await p.call('GET', `/database/collections/${books.id}/documents`), 404, 'database_not_found')
		await p.call('POST', '/databases', { body: { databaseId: 'default', name: 'Default' } })
		const c = await collection(p, 'default', { attributes: { n: { type: 'integer' } } }), old = `/database/collections/${c.id}/documents`
		const made = await p.ok('POST', old, { body: { documentId: 'x', data: { n: 1 }, databaseId: db } })
		assert.equal(made.$databaseId, 'default')
		assert.equal((await p.ok('GET', `${old}/x`)).n, 1)
		assert.equal((await p.ok('GET', old)).total, 1)
		assert.equal((await p.ok('PATCH', `${old}/x`, { body: { data: { n: 2 } } })).n, 2)
		assert.equal((await p.call('DELETE', `${old}/x`)).status, 204)
	})
})

describe('update', () => {
	test('members replace, others stay, null clears or brings the default back', async () => {
		const before_ = await books.doc({ title: 'Alpha', genre: 'poetry', pages: 3, tags: ['a'] }), id = before_.$id
		let r = await patch(ada.call, books, id, { data: { pages: 4, tags: ['b', 'c'] } })
		assert.equal(r.status, 200, r.text)
		assert.deepEqual(Object.keys(r.body), [...Object.keys(attributes), ...system])
		assert.deepEqual([r.body.title, r.body.genre, r.body.pages, r.body.tags], ['Alpha', 'poetry', 4, ['b', 'c']])
		assert.equal(r.body.$createdAt, before_.$createdAt)
		assert.ok(r.body.$updatedAt >= before_.$updatedAt)
		r = await patch(ada.call, books, id, { data: { pages: null, genre: null, tags: null } })
		assert.deepEqual([r.body.genre, r.body.pages, r.body.tags], ['novel', null, []])
		assert.deepEqual(await p.ok('GET', `${books.docs}/${id}`), r.body)
		r = await patch(ada.call, books, id, { data: '{"pages":9}' })
		assert.equal(r.body.pages, 9)
		r = await patch(ada.call, books, id, { data: { $id: 'other', $createdAt: '2000-01-01', $permissions: [] } })
		assert.equal(r.status, 200, r.text)
		assert.deepEqual([r.body.$id, r.body.$createdAt], [id, before_.$createdAt])
	})

	test('permissions: kept, replaced, cleared', async () => {
		const { $id: id } = await post(ada.call, books, { documentId: 'unique()', data: { title: 't' } }).then((r) => r.body)
		const after = async (body, caller = ada.call) => (await patch(caller, books, id, body)).body.$permissions
		assert.equal((await after({ data: { pages: 1 } })).length, 3)
		assert.deepEqual(await after({ permissions: ['read("any")', 'write("users")'] }), ['read("any")', 'update("users")', 'delete("users")'])
		assert.deepEqual(await after({ permissions: [] }), [])
		assert.deepEqual(await after({ permissions: ['read("team:x")'] }, p.call), ['read("team:x")'])
		fails(await patch(ada.call, books, id, { permissions: ['read("any")', 'read("team:x")'] }), 401, 'user_unauthorized')
		assert.deepEqual(await after({ data: { pages: 2 } }), ['read("team:x")'], 'grants that are there already stay')
		fails(await patch(ada.call, books, id, { permissions: ['create("any")'] }), 400, 'general_argument_invalid')
	})

	test('errors', async () => {
		const { $id: id } = await books.doc({ title: 't' })
		for (const body of [{}, { data: {} }, { data: [] }, { data: null }]) fails(await patch(ada.call, books, id, body), 400, 'document_missing_payload')
		for (const data of [{ title: null }, { title: 5 }, { colour: 1 }, { $other: 'x' }, { pages: 'many' }, [1]])
			fails(await patch(ada.call, books, id, { data }), 400, 'document_invalid_structure')
		fails(await patch(ada.call, books, unique(), { data: { pages: 1 } }), 404, 'document_not_found')
		fails(await patch(ada.call, books, unique(), { permissions: ['read("guests")'] }), 404, 'document_not_found')
		fails(await patch(p.guest, books, id, { data: { pages: 1 } }), 401, 'user_unauthorized')
		fails(await p.call('PATCH', `/databases/${db}/collections/${unique()}/documents/${id}`, { body: { data: { a: 1 } } }), 404, 'collection_not_found')
	})

	test('patches of many at once are all there', async () => {
		const keys = Array.from({ length: 10 }, (_, i) => `n${i}`)
		const c = await collection(p, db, { attributes: Object.fromEntries(keys.map((k) => [k, { type: 'integer' }])) })
		const { $id: id } = await c.doc({ n0: 0 })
		await Promise.all(keys.map((k, i) => p.ok('PATCH', `${c.docs}/${id}`, { body: { data: { [k]: i + 1 } } })))
		const d = await p.ok('GET', `${c.docs}/${id}`)
		assert.deepEqual(keys.map((k) => d[k]), keys.map((_, i) => i + 1))
	})

	test('an attribute that became required, one that is gone', async () => {
		const c = await collection(p, db, { attributes: { a: { type: 'string', size: 5 }, b: { type: 'string', size: 5 } } })
		const { $id: id } = await c.doc({ a: 'x', b: 'y' })
		await p.ok('POST', `${c.path}/attributes/string`, { body: { key: 'isbn', size: 5, required: true } })
		const has = async (key) => (await p.ok('GET', `${c.path}/attributes`)).attributes.some((a) => a.key === key && a.status === 'available')
		await until('isbn', () => has('isbn'))
		assert.equal((await p.ok('GET', `${c.docs}/${id}`)).isbn, null)
		fails(await patch(p.call, c, id, { data: { a: 'z' } }), 400, 'document_invalid_structure')
		assert.equal((await patch(p.call, c, id, { data: { isbn: '1' } })).body.isbn, '1')
		await p.ok('DELETE', `${c.path}/attributes/b`)
		await until('b', async () => !(await has('b')))
		assert.ok(!('b' in (await p.ok('GET', `${c.docs}/${id}`))))
		fails(await patch(p.call, c, id, { data: { b: 'z' } }), 400, 'document_invalid_structure')
	})
})

describe('delete', () => {
	test('it is gone, and its id free', async () => {
		const { $id: id } = await books.doc({ title: 't' })
		const r = await ada.call('DELETE', `${books.docs}/${id}`)
		assert.equal(r.status, 204)
		assert.equal(r.text, '')
		fails(await p.call('GET', `${books.docs}/${id}`), 404, 'document_not_found')
		fails(await ada.call('DELETE', `${books.docs}/${id}`), 404, 'document_not_found')
		await books.doc({ title: 'again' }, { id })
	})

	test('errors', async () => {
		const { $id: id } = await books.doc({ title: 't' })
		fails(await p.guest('DELETE', `${books.docs}/${id}`), 401, 'user_unauthorized')
		fails(await p.guest('DELETE', `${books.docs}/${unique()}`), 404, 'document_not_found')
		fails(await p.call('DELETE', `${books.docs}/_x`), 400, 'general_argument_invalid')
		fails(await p.call('DELETE', `/databases/${db}/collections/${unique()}/documents/x`), 404, 'collection_not_found')
		fails(await p.call('DELETE', `${books.docs}/x`, { key: await p.addKey(['documents.read']) }), 401, 'general_unauthorized_scope')
	})
})

test('a collection that is switched off is there for admins only', async () => {
	const c = await collection(p, db, { permissions: ['read("any")', 'create("any")', 'update("any")', 'delete("any")'], attributes: { n: { type: 'integer' } } })
	await c.doc({ n: 1 }, { id: 'x' })
	await p.ok('PUT', c.path, { body: { name: 'Test', enabled: false } })
	for (const caller of [p.guest, ada.call, p.call]) {
		fails(await caller('GET', c.docs), 404, 'collection_not_found')
		fails(await caller('GET', `${c.docs}/x`), 404, 'collection_not_found')
		fails(await post(caller, c, { documentId: 'y', data: { n: 1 } }), 404, 'collection_not_found')
		fails(await patch(caller, c, 'x', { data: { n: 1 } }), 404, 'collection_not_found')
		fails(await caller('DELETE', `${c.docs}/x`), 404, 'collection_not_found')
	}
	assert.equal((await p.admin('GET', c.docs)).body.total, 1)
	assert.equal((await patch(p.admin, c, 'x', { data: { n: 2 } })).body.n, 2)
	assert.equal((await p.admin('DELETE', `${c.docs}/x`)).status, 204)
})

test('explain: for keys and admins', async () => {
	const c = await collection(p, db, { permissions: ['read("any")'], attributes: { n: { type: 'integer' } } })
	const r = await p.call('GET', c.docs, { query: { explain: '1', queries: [json('equal', 'n', [5]), json('equal', '$id', ["x'y"])] } })
	assert.equal(r.status, 200, r.text)
	assert.deepEqual(Object.keys(r.body), ['sql', 'role', 'access', 'indexes', 'plan'])
	assert.equal(r.body.role, 'apps')
	assert.equal(r.body.access, 'bypass')
	assert.ok(r.body.plan.Plan['Node Type'])
	assert.ok(!r.body.sql.includes("x'y"))
	assert.equal((await p.admin('GET', c.docs, { query: { explain: 'true' } })).body.access, 'bypass')
	const sql = async (queries, more) => (await p.call('GET', c.docs, { query: { explain: '1', queries, ...more } })).body.sql
	assert.match(await sql(['limit(0)']), /^SELECT count/)
	assert.match(await sql([], { total: 'false' }), /^SELECT q\.\*, -1 FROM/)
	fails(await ada.call('GET', c.docs, { query: { explain: '1' } }), 401, 'user_unauthorized')
	fails(await p.guest('GET', c.docs, { query: { explain: '1' } }), 401, 'user_unauthorized')
	fails(await p.call('GET', c.docs, { query: { explain: '1', queries: [json('equal', 'x', [5])] } }), 400, 'general_query_invalid')
})

/* Each role as a grant of the collection and as one of the document, for every caller and operation, against the rules written down once more. */
describe('who may do what', () => {
	const callers = {}
	let grants

	before(async () => {
		const [ann, ben, cid] = await Promise.all([p.user(), p.user(), p.user()])
		const team = await ann.ok('POST', '/teams', { body: { teamId: unique('t'), name: 'T' } })
		const own = (await ann.ok('GET', `/teams/${team.$id}/memberships`)).memberships[0]
		const other = await p.ok('POST', `/teams/${team.$id}/memberships`, { body: { email: cid.email, roles: ['player'], url: 'http://localhost/' } })
		await p.ok('PATCH', `/users/${ann.id}/verification`, { body: { emailVerification: true } })
		const user = (u, dim) => ['any', 'users', `user:${u.id}`, `user:${u.id}/${dim}`, `users/${dim}`]
		Object.assign(callers, {
			guest: { call: p.guest, roles: ['any', 'guests'] },
			ann: { call: ann.call, roles: [...user(ann, 'verified'), `team:${team.$id}`, `team:${team.$id}/owner`, `member:${own.$id}`] },
			ben: { call: ben.call, roles: user(ben, 'unverified') },
			cid: { call: cid.call, roles: [...user(cid, 'unverified'), `team:${team.$id}`, `team:${team.$id}/player`, `member:${other.$id}`] },
			key: { call: p.call, bypass: true },
			admin: { call: p.admin, bypass: true },
		})
		grants = ['any', 'guests', 'users', 'users/verified', 'users/unverified', `user:${ann.id}`, `user:${ann.id}/verified`, `user:${ben.id}/verified`,
			`team:${team.$id}`, `team:${team.$id}/owner`, `member:${own.$id}`, null]
	})

	for (const documentSecurity of [false, true])
		for (const level of ['collection', 'document'])
			test(`documentSecurity ${documentSecurity}, granted by the ${level}`, async () => {
				for (const grant of grants) {
					const on = (l) => (l === level && grant !== null ? grant : undefined)
					const permissions = on('collection') ? ['create', 'read', 'update', 'delete'].map((v) => `${v}("${grant}")`) : []
					const given = on('document') ? ['read', 'update', 'delete'].map((v) => `${v}("${grant}")`) : []
					const c = await collection(p, db, { permissions, documentSecurity, attributes: { n: { type: 'integer' } } })
					for (const [name, who] of Object.entries(callers)) {
						const { $id: id } = await c.doc({ n: 1 }, { permissions: given })
						const holds = who.bypass || who.roles.includes(grant)
						const byCollection = who.bypass || (level === 'collection' && holds), byDocument = documentSecurity && level === 'document' && holds
						const what = `${name}, ${grant}`, may = byCollection || byDocument
						const statusOf = async (r) => (await r).status
						assert.equal(await statusOf(post(who.call, c, { documentId: 'unique()', data: { n: 1 }, permissions: [] })), byCollection ? 201 : 401, `create: ${what}`)
						assert.equal(await statusOf(who.call('GET', `${c.docs}/${id}`)), may ? 200 : documentSecurity ? 404 : 401, `get: ${what}`)
						const l = await list(who.call, c, ['limit(100)'])
						assert.equal(l.status, byCollection || documentSecurity ? 200 : 401, `list: ${what}`)
						if (l.status === 200) {
							assert.equal(l.body.documents.some((d) => d.$id === id), may, `list: ${what}`)
							assert.equal(l.body.total, l.body.documents.length, `total: ${what}`)
							assert.equal(await statusOf(list(who.call, c, [`cursorBefore("${id}")`])), may ? 200 : 400, `cursor: ${what}`)
						}
						assert.equal(await statusOf(patch(who.call, c, id, { data: { n: 2 } })), may ? 200 : 401, `update: ${what}`)
						assert.equal(await statusOf(patch(who.call, c, 'missing', { data: { n: 2 } })), byCollection || documentSecurity ? 404 : 401, `update of none: ${what}`)
						assert.equal(await statusOf(who.call('DELETE', `${c.docs}/${id}`)), may ? 204 : 401, `delete: ${what}`)
					}
				}
			})

	test('what a collection or document no longer grants is refused at once', async () => {
		const c = await collection(p, db, { permissions: ['read("users")'], documentSecurity: true, attributes: { n: { type: 'integer' } } })
		await c.doc({ n: 1 }, { id: 'x' })
		assert.equal((await ada.call('GET', `${c.docs}/x`)).status, 200)
		await p.ok('PUT', c.path, { body: { name: 'Test', permissions: [], documentSecurity: true } })
		fails(await ada.call('GET', `${c.docs}/x`), 404, 'document_not_found')
		await p.ok('PATCH', `${c.docs}/x`, { body: { permissions: [`read("user:${ada.id}")`] } })
		assert.equal((await ada.call('GET', `${c.docs}/x`)).status, 200)
		fails(await bob.call('GET', `${c.docs}/x`), 404, 'document_not_found')
		fails(await ada.call('DELETE', `${c.docs}/x`), 401, 'user_unauthorized')
		await p.ok('PATCH', `${c.docs}/x`, { body: { permissions: [] } })
		fails(await ada.call('GET', `${c.docs}/x`), 404, 'document_not_found')
	})

	/* What each verb alone, from the collection or the document, lets a user read back and give away. */
	for (const documentSecurity of [false, true])
		for (const level of ['collection', 'document'])
			test(`update alone: documentSecurity ${documentSecurity}, granted by the ${level}`, async () => {
				const mine = (v) => `${v}("user:${ada.id}")`, verbs = ['read', 'update', 'delete']
				for (const held of [['update'], ['update', 'read'], ['update', 'delete'], verbs]) {
					if (level === 'document' && !documentSecurity) continue
					const c = await collection(p, db, { permissions: level === 'collection' ? held.map(mine) : [], documentSecurity,
						attributes: { n: { type: 'integer' }, secret: { type: 'string', size: 100 }, tags: { type: 'string', size: 10, array: true } } })
					const stored = [...(level === 'document' ? held.map(mine) : []), `read("user:${bob.id}")`], reads = held.includes('read')
					const fresh = async () => (await c.doc({ n: 1, secret: 'hidden', tags: ['t'] }, { permissions: stored })).$id
					const r = await patch(ada.call, c, await fresh(), { data: { n: 2 } })
					assert.equal(r.status, 200, r.text)
					assert.equal(r.body.n, 2)
					assert.equal(r.text.includes('hidden'), reads)
					assert.equal('secret' in r.body, reads)
					assert.equal('tags' in r.body, reads)
					assert.deepEqual(r.body.$permissions, reads ? stored : [])
					for (const verb of [...verbs, 'write'])
						for (const role of ['any', 'users', `user:${ada.id}`]) {
							const needs = verb === 'write' ? ['update', 'delete'] : [verb], id = await fresh()
							const may = needs.every((v) => held.includes(v))
							const given = await patch(ada.call, c, id, { permissions: [`${verb}("${role}")`] })
							if (!may) fails(given, 401, 'user_unauthorized')
							else assert.equal(given.status, 200, given.text)
							assert.equal(given.text.includes('hidden'), may && reads)
							const { $permissions } = await p.ok('GET', `${c.docs}/${id}`)
							assert.deepEqual($permissions, may ? needs.map((v) => `${v}("${role}")`) : stored)
						}
					/* what is there may stay, or go */
					const id = await fresh()
					if (level === 'document') assert.equal((await patch(ada.call, c, id, { permissions: held.map(mine) })).status, 200)
					assert.deepEqual((await patch(ada.call, c, id, { permissions: [] })).body.$permissions, [])
				}
			})

	test('keys and admins give what they like', async () => {
		const c = await collection(p, db, { documentSecurity: true, attributes: { n: { type: 'integer' } } })
		const { $id: id } = await c.doc({ n: 1 })
		for (const call of [p.call, p.admin]) {
			const r = await patch(call, c, id, { permissions: ['read("any")', 'delete("guests")'] })
			assert.deepEqual([r.body.n, r.body.$permissions], [1, ['read("any")', 'delete("guests")']])
		}
	})

	test('a guest may create where the collection lets it, and owns nothing', async () => {
		const c = await collection(p, db, { permissions: ['create("guests")'], documentSecurity: true, attributes: { n: { type: 'integer' } } })
		const r = await post(p.guest, c, { documentId: 'unique()', data: { n: 1 } })
		assert.equal(r.status, 201, r.text)
		assert.deepEqual(r.body.$permissions, [])
		fails(await p.guest('GET', `${c.docs}/${r.body.$id}`), 404, 'document_not_found')
		fails(await post(ada.call, c, { documentId: 'unique()', data: { n: 1 } }), 401, 'user_unauthorized')
		fails(await post(p.guest, c, { documentId: 'unique()', data: { n: 1 }, permissions: ['read("users")'] }), 401, 'user_unauthorized')
		assert.equal((await post(p.guest, c, { documentId: 'unique()', data: { n: 1 }, permissions: ['read("any")', 'read("guests")'] })).status, 201)
	})
})

describe('logs', () => {
	test('updates and deletions of users; the creation is the collection\'s', async () => {
		const { $id: id } = (await post(ada.call, books, { documentId: 'unique()', data: { title: 't' } })).body
		const logs = (caller, queries = []) => caller('GET', `${books.docs}/${id}/logs`, { query: { queries } })
		assert.equal((await logs(ada.call)).body.total, 0)
		await patch(ada.call, books, id, { data: { pages: 1 } })
		await patch(p.call, books, id, { data: { pages: 2 } })	/* keys leave no entry */
		await patch(ada.call, books, id, { data: { pages: 3 } })
		const r = await until('entries', async () => { const l = (await logs(ada.call)).body; return l.total === 2 && l })
		assert.deepEqual(r.logs.map((l) => [l.event, l.userId, l.mode]), Array(2).fill(['document.update', ada.id, 'default']))
		assert.ok(r.logs[0].time >= r.logs[1].time)
		assert.equal((await logs(p.call, ['limit(1)', 'offset(1)'])).body.logs.length, 1)
		const ofCollection = await until('the creation', async () => (await p.ok('GET', `${books.path}/logs`)).logs.find((l) => l.event === 'document.create' && l.userId === ada.id))
		assert.equal(ofCollection.userName, 'Ada')
		/* who may read the document sees who changed it; where from and by what address is for keys, admins, and one's own */
		const open = await collection(p, db, { permissions: ['read("any")', 'update("users")'], documentSecurity: true, attributes: { n: { type: 'integer' } } })
		await open.doc({ n: 1 }, { id: 'x', permissions: ['read("any")'] })
		await ada.call('PATCH', `${open.docs}/x`, { body: { data: { n: 2 } } })
		await bob.call('PATCH', `${open.docs}/x`, { body: { data: { n: 3 } } })
		const seen = async (call) => (await call('GET', `${open.docs}/x/logs`)).body.logs
		await until('both', async () => (await seen(p.call)).length === 2)
		for (const [call, shown] of [[p.call, [bob, ada]], [p.admin, [bob, ada]], [ada.call, [ada]], [bob.call, [bob]], [p.guest, []]]) {
			const list = await seen(call)
			assert.deepEqual(list.map((l) => l.userId), [bob.id, ada.id])
			for (const l of list) {
				const u = shown.find((x) => x.id === l.userId)
				assert.deepEqual([l.userEmail, l.ip !== '', l.countryCode], [u?.email ?? '', !!u, '--'])
			}
		}
		for (const bad of ['equal("event", "x")', 'limit(101)', 'orderAsc("")']) fails(await logs(p.call, [bad]), 400, 'general_argument_invalid')
		fails(await p.call('GET', `${books.docs}/${unique()}/logs`), 404, 'document_not_found')
		fails(await logs(bob.call), 404, 'document_not_found')
		fails(await logs(p.guest), 404, 'document_not_found')
		fails(await p.call('GET', `/databases/${db}/collections/${unique()}/documents/x/logs`), 404, 'collection_not_found')
		const hidden = await collection(p, db, { documentSecurity: true, attributes: { n: { type: 'integer' } } })
		await hidden.doc({ n: 1 }, { id: 'x', permissions: ['read("any")'] })
		fails(await ada.call('GET', `${hidden.docs}/x/logs`), 404, 'collection_not_found')
	})
})

describe('pages have a bound in bytes', () => {
	let own, q
	before(async () => {
		own = await server({ own: true, conf: { list_bytes_max: '90k' } })
		q = await own.project()
	})
	after(() => own?.stop())

	for (const [what, attribute, value] of [
		['texts', { type: 'string', size: 50000 }, 'ä'.repeat(10000)],
		['lists', { type: 'string', size: 1000, array: true }, Array.from({ length: 20 }, () => 'x'.repeat(1000))],
		['texts that compress well', { type: 'string', size: 1000000 }, ' '.repeat(20000)],
		['lists that compress well', { type: 'integer', array: true }, Array(10000).fill(1)],
		['lists of which little is stored', { type: 'string', size: 1000, array: true }, Array(20).fill(' '.repeat(1000))],
	])
		test(what, async () => {
			const c = await collection(q, await database(q), { permissions: ['read("any")'], attributes: { v: attribute } })
			for (let i = 0; i < 6; i++) await c.doc({ v: value }, { id: `d${i}` })
			const ask = (...queries) => list(q.guest, c, queries)
			fails(await ask(), 400, 'general_argument_invalid')
			fails(await ask(json('limit', undefined, [6])), 400, 'general_argument_invalid')
			fails(await ask(json('cursorBefore', undefined, ['d5']), json('orderAsc', '$createdAt'), json('limit', undefined, [30]), json('notEqual', '$id', ['x'])), 400, 'general_argument_invalid')
			const r = await ask(json('limit', undefined, [4]))
			assert.equal(r.status, 200, r.text)
			assert.deepEqual([r.body.total, r.body.documents.map((d) => d.$id)], [6, ['d0', 'd1', 'd2', 'd3']])
			assert.deepEqual(r.body.documents[0].v, value)
			assert.equal((await ask(json('cursorAfter', undefined, ['d3']))).body.documents.length, 2)
		})
	test('many short texts', async () => {
		const names = Array.from({ length: 20 }, (_, i) => `t${i}`), value = '😀'.repeat(100)
		const c = await collection(q, await database(q), { permissions: ['read("any")'], attributes: Object.fromEntries(names.map((k) => [k, { type: 'string', size: 100 }])) })
		for (let i = 0; i < 15; i++) await c.doc(Object.fromEntries(names.map((k) => [k, value])), { id: `d${i}` })
		fails(await list(q.guest, c), 400, 'general_argument_invalid')
		assert.equal((await list(q.guest, c, [json('limit', undefined, [10])])).body.documents.length, 10)
		for (let i = 0; i < 15; i++) await q.ok('PATCH', `${c.docs}/d${i}`, { body: { data: Object.fromEntries(names.map((k) => [k, 'short'])) } })
		assert.equal((await list(q.guest, c)).body.documents.length, 15, 'what they are counts, not what they could be')
	})
	test('users with much in their preferences', async () => {
		for (let i = 0; i < 3; i++) {
			const u = await q.user()
			await u.ok('PATCH', '/account/prefs', { body: { prefs: { a: 'x'.repeat(60000) } } })
		}
		fails(await q.call('GET', '/users'), 400, 'general_argument_invalid')
		assert.equal((await q.ok('GET', '/users', { query: { queries: [json('limit', undefined, [1])] } })).users.length, 1)
	})
})

describe('large lists go out in pieces', () => {
	let p, c, value
	before(async () => {
		p = await (await server()).project()
		c = await collection(p, await database(p), { permissions: ['read("any")'], attributes: { v: { type: 'string', size: 20000 } } })
		value = (i) => `"${i}/\\ü`.repeat(1500)
		for (let i = 0; i < 30; i++) await c.doc({ v: value(i) }, { id: `d${String(i).padStart(2, '0')}` })
	})

	test('chunked, whole, and with the same headers as small ones', async () => {
		const r = await list(p.guest, c, [json('limit', undefined, [30])]), small = await list(p.guest, c, [json('limit', undefined, [1])])
		assert.deepEqual([r.status, r.headers['transfer-encoding'], r.headers['content-length']], [200, 'chunked', undefined])
		assert.deepEqual([small.headers['transfer-encoding'], small.headers['content-length']], [undefined, String(small.raw.length)])
		const names = (x) => Object.keys(x.headers).filter((k) => !['transfer-encoding', 'content-length'].includes(k))
		assert.deepEqual(names(r), names(small))
		assert.equal(r.body.total, 30)
		r.body.documents.forEach((d, i) => assert.equal(d.v, value(i)))
		assert.equal(JSON.stringify(Object.keys(r.body)), '["total","documents"]')
	})
	/* which know no tables */
	test('in older formats member by member', { skip: process.env.BADAL_FAMILY === 'tables' }, async () => {
		for (const [format, keys, member] of [['0.15.0', ['total', 'documents'], '$collection'], ['0.12.0', ['documents', 'sum'], '$collectionId']]) {
			const r = await p.call('GET', c.docs, { headers: { 'x-appwrite-response-format': format }, query: { limit: 30 } })
			assert.equal(r.status, 200, r.text.slice(0, 300))
			assert.deepEqual(Object.keys(r.body), keys)
			assert.equal(r.body.documents.length, 30)
			assert.equal(r.headers['transfer-encoding'], 'chunked')
			r.body.documents.forEach((d, i) => assert.equal(d.v, value(i)))
			assert.ok(member in r.body.documents[0], member)
		}
	})
	test('a large document alone has its length, in every format', async () => {
		const big = await collection(p, await database(p), { permissions: ['read("any")'], attributes: { v: { type: 'string', size: 1000000 } } }), text = 'ä'.repeat(150000)
		await big.doc({ v: text }, { id: 'x' })
		for (const format of ['1.4.0', '0.15.0']) {
			const r = await p.call('GET', `${big.docs}/x`, { headers: { 'x-appwrite-response-format': format } })
			assert.deepEqual([r.status, r.body.v === text, r.headers['content-length']], [200, true, String(r.raw.length)])
		}
	})
})

/* 40 documents of 100 kB, read a MiB at a time. */
describe('a large page is read in slices', () => {
	let own, q, c
	const text = (i) => `${i}:`.padEnd(100000, 'ä'), n = 40
	before(async () => {
		own = await server({ own: true, conf: { list_whole_max: '10k' } })
		q = await own.project()
		c = await collection(q, await database(q), { permissions: ['create("users")'], documentSecurity: true, attributes: { v: { type: 'string', size: 200000 }, i: { type: 'integer' } } })
		for (let i = 0; i < n; i++) await c.doc({ v: text(i), i }, { id: `d${i}`, permissions: i % 4 === 3 ? ['read("users")'] : ['read("any")'] })
	})
	after(() => own?.stop())
	const ids = (r) => r.body.documents.map((d) => d.$id)
	const all = Array.from({ length: n }, (_, i) => `d${i}`)

	test('whole and in order, either way', async () => {
		const r = await list(q.call, c, [json('limit', undefined, [100])])
		assert.equal(r.status, 200, r.text.slice(0, 300))
		assert.deepEqual([r.body.total, ids(r)], [n, all])
		for (const [i, d] of r.body.documents.entries()) assert.ok(d.v === text(i) && d.i === i)
		assert.deepEqual(ids(await list(q.call, c, [json('orderDesc', 'i'), json('limit', undefined, [25])])), all.toReversed().slice(0, 25))
		assert.deepEqual(ids(await list(q.call, c, [json('cursorBefore', undefined, ['d30']), json('limit', undefined, [25])])), all.slice(5, 30))
	})
	test('only what the caller may read', async () => {
		const r = await list(q.guest, c, [json('limit', undefined, [100])])
		assert.deepEqual([r.body.total, ids(r)], [30, all.filter((_, i) => i % 4 !== 3)])
	})
	test('in an older format', async () => {
		const r = await q.call('GET', c.docs, { query: { limit: 30 }, headers: { 'x-appwrite-response-format': '0.15.0' } })
		assert.equal(r.body.documents.length, 30)
		assert.ok(r.body.documents[29].$read && r.body.documents[29].v === text(29))
	})
	test('documents of many values are turned into an older format on a thread, however short they are', async () => {
		const many = await collection(q, await database(q), { permissions: ['read("any")'], attributes: { v: { type: 'integer', array: true } } }), v = Array.from({ length: 2000 }, (_, i) => i % 10)
		const jobs = async () => Number((await own.call('GET', '/metrics', { root: true })).text.match(/^badal_offload_jobs_total (\d+)/m)[1])
		for (let i = 0; i < 4; i++) await many.doc({ v }, { id: `d${i}` })
		const of = async (headers) => {
			const before = await jobs(), r = await q.call('GET', many.docs, { headers })
			assert.deepEqual(r.body.documents.map((d) => d.v), [v, v, v, v])
			return await jobs() - before
		}
		assert.ok(await of({ 'x-appwrite-response-format': '0.15.0' }) >= 4)
		assert.ok(await of({}) < 4)
	})
	test('what goes away meanwhile is left out', async () => {
		const url = new URL(`${own.endpoint}${c.docs}?queries[]=${encodeURIComponent(json('limit', undefined, [100]))}`)
		const reply = await new Promise((ok, no) => http.get(url, { headers: { 'x-appwrite-project': q.id, 'x-appwrite-key': q.key } }, ok).on('error', no))
		reply.pause()
		await q.ok('DELETE', `${c.docs}/d39`)
		const parts = []
		for await (const part of reply) parts.push(part)
		const left = JSON.parse(Buffer.concat(parts)).documents.map((d) => d.$id)
		assert.ok(left.length === 39 || left.length === 40, `${left.length}`)
		assert.deepEqual(left.slice(0, 39), all.slice(0, 39))
		assert.equal((await list(q.call, c, [json('limit', undefined, [100])])).body.total, 39)
	})
})
