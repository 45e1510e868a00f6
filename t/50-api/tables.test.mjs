/* The later family of paths: /v1/tablesdb, tables, columns, rows. What the tests of databases and documents say is tried once more in its
 * words (lib/tables.mjs); here is how the two go together. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { before, describe, test } from 'node:test'

import { server, unique, until } from '../lib/server.mjs'
import { keysOf } from './lib.mjs'

process.env.BADAL_FAMILY = 'tables'
for (const f of readdirSync(import.meta.dirname).sort()) if (/^(databases|documents|columns|spatial)(-.*)?\.test\.mjs$/.test(f)) await import(`./${f}`)

/* Sent as it is written. */
async function direct(run) {
	delete process.env.BADAL_FAMILY
	try { return await run() } finally { process.env.BADAL_FAMILY = 'tables' }
}

describe('two families, one store', () => {
	let s, p, d, t, rows, ada
	const base = '$id $createdAt $updatedAt $permissions databaseId name enabled'
	before(() => direct(async () => {
		s = await server()
		p = await s.project()
		ada = await p.user({ name: 'Ada' })
		d = (await p.ok('POST', '/tablesdb', { body: { databaseId: unique('d'), name: 'D' } })).$id
		t = `/tablesdb/${d}/tables/t`
		rows = `${t}/rows`
		await p.ok('POST', `/tablesdb/${d}/tables`, { body: { tableId: 't', name: 'T', rowSecurity: true, permissions: ['create("users")', 'read("any")'] } })
		await p.ok('POST', `${t}/columns/string`, { body: { key: 'title', size: 20, required: true } })
		await p.ok('POST', `${t}/columns/integer`, { body: { key: 'n', required: false } })
		await until('the columns', async () => (await p.ok('GET', `${t}/columns`)).columns.every((c) => c.status === 'available'))
		await p.ok('POST', `${t}/indexes`, { body: { key: 'by_n', type: 'key', columns: ['n'] } })
		await until('the index', async () => (await p.ok('GET', `${t}/indexes/by_n`)).status === 'available')
	}))

	test('errors that have one name in both', () => direct(async () => {
		await p.ok('POST', `${t}/columns/integer`, { body: { key: 'list', required: false, array: true } })
		await until('the column', async () => (await p.ok('GET', `${t}/columns/list`)).status === 'available')
		const { $id: row } = await p.ok('POST', rows, { body: { rowId: unique(), data: { title: 't' } } })
		for (const column of ['title', 'list', '$id']) {
			const r = await p.call('PATCH', `${rows}/${row}/${column}/increment`, { body: {} })
			assert.deepEqual([r.status, r.body.type], column === '$id' ? [400, 'general_argument_invalid'] : [400, 'attribute_type_invalid'], r.text)
		}
		const r = await p.call('POST', `${t}/indexes`, { body: { key: 'l', type: 'key', columns: ['list'] } })
		assert.deepEqual([r.status, r.body.type], [400, 'index_invalid'])
		const spread = await p.call('POST', `${t}/indexes`, { body: { key: 'l', type: 'fulltext', columns: ['n'] } })
		assert.deepEqual([spread.status, spread.body.type], [400, 'column_index_invalid'])
	}))
	test('what a count says of its bound', () => direct(async () => {
		const { $id: row } = await p.ok('POST', rows, { body: { rowId: unique(), data: { title: 't', n: 1 } } })
		for (const [path, name] of [[rows, 'tablesDB'], [`/databases/${d}/collections/t/documents`, 'databases']])
			assert.equal((await p.call('PATCH', `${path}/${row}/n/increment`, { body: { value: 8, max: 8 } })).body.message, `${name} "n" has reached the maximum value of 8`)
	}))
	test('which family made a database', () => direct(async () => {
		const made = await p.ok('POST', '/databases', { body: { databaseId: unique('d'), name: 'Old' } }), late = { headers: { 'x-appwrite-response-format': '2.3.0' } }
		assert.equal((await p.ok('GET', `/databases/${made.$id}`, late)).type, 'legacy')
		assert.equal((await p.ok('GET', `/databases/${d}`, late)).type, 'tablesdb')
		assert.equal((await p.ok('GET', `/tablesdb/${made.$id}`)).type, 'legacy')
	}))

	test('names of members, and what the other family shows of them', () => direct(async () => {
		const table = await p.ok('GET', t), collection = await p.ok('GET', `/databases/${d}/collections/t`, { headers: { 'x-appwrite-response-format': '2.3.0' } })
		assert.ok(Object.keys(table).join(' ').startsWith(`${base} rowSecurity columns indexes`), Object.keys(table).join(' '))
		assert.ok(Object.keys(collection).join(' ').startsWith(`${base} documentSecurity attributes indexes`), Object.keys(collection).join(' '))
		assert.deepEqual(table.columns, collection.attributes)
		assert.deepEqual(table.indexes[0].columns, ['n'])
		assert.deepEqual(collection.indexes[0].attributes, ['n'])
		const row = await ada.ok('POST', rows, { body: { rowId: 'r', data: { title: 'a', $collectionId: 'x', $tableId: 'y' } } })
		assert.equal(row.$tableId, 't')
		assert.ok(!('$collectionId' in row))
		const doc = await ada.ok('GET', `/databases/${d}/collections/t/documents/r`)
		const without = ({ $tableId, $collectionId, $sequence, ...more }) => more
		assert.deepEqual(without(row), without(doc), 'one row')
		assert.equal(doc.$collectionId, 't')
		assert.match(row.$sequence, /^\d+$/, 'the newest form, where the request does not say')
		keysOf(await p.ok('GET', rows), 'total rows')
		keysOf(await p.ok('GET', `/tablesdb/${d}/tables`), 'total tables')
		keysOf(await p.ok('GET', `${t}/columns`), 'total columns')
		keysOf(await p.ok('GET', `${t}/indexes`), 'total indexes')
	}))

	test('an error has the name that the request gives the thing', () => direct(async () => {
		const none = { table: 'none', column: 'none', index: 'none', row: 'none' }
		for (const [method, path, body, status, type] of [
			['GET', `/tablesdb/${d}/tables/${none.table}`, undefined, 404, 'table_not_found'],
			['GET', `/databases/${d}/collections/${none.table}`, undefined, 404, 'collection_not_found'],
			['GET', `${rows}/${none.row}`, undefined, 404, 'row_not_found'],
			['GET', `/databases/${d}/collections/t/documents/none`, undefined, 404, 'document_not_found'],
			['GET', `${t}/columns/none`, undefined, 404, 'column_not_found'],
			['GET', `${t}/indexes/none`, undefined, 404, 'column_index_not_found'],
			['GET', `/tablesdb/none`, undefined, 404, 'database_not_found'],
			['POST', `/tablesdb/${d}/tables`, { tableId: 't', name: 'T' }, 409, 'table_already_exists'],
			['POST', `${t}/columns/boolean`, { key: 'title', required: false }, 409, 'column_already_exists'],
			['POST', `${t}/indexes`, { key: 'by_n', type: 'key', columns: ['title'] }, 409, 'column_index_already_exists'],
			['POST', `${t}/indexes`, { key: 'x', type: 'key', columns: ['none'] }, 400, 'column_unknown'],
			['POST', rows, { rowId: 'x', data: { title: 5 } }, 400, 'row_invalid_structure'],
			['POST', rows, { rowId: 'r', data: { title: 'b' } }, 409, 'row_already_exists'],
		]) {
			const r = await p.call(method, path, { body })
			assert.deepEqual([r.status, r.body.type], [status, type], `${method} ${path}: ${r.text}`)
			/* what the table of errors says; the reasons that a check gives are one for both */
			if (path.startsWith('/tablesdb') && !/invalid|unknown/.test(type)) assert.doesNotMatch(r.body.message, /collection|document|attribute/i)
		}
		assert.match((await p.call('POST', rows, { body: { rowId: 'x', data: { title: 5 } } })).body.message, /^Invalid document structure: Attribute "title"/)
		assert.match((await p.call('POST', rows, { body: { rowId: '!', data: { title: 'x' } } })).body.message, /^Invalid `rowId` param: /)
		assert.equal((await p.call('GET', `/tablesdb/${d}/collections`)).body.type, 'general_route_not_found')
		assert.equal((await p.call('GET', `/databases/${d}/tables`)).body.type, 'general_route_not_found')
	}))

	test('any one of a route\'s scopes is enough', () => direct(async () => {
		const may = async (scope, method, path, body) => (await p.call(method, path, { body, key: await p.addKey([scope]) })).status !== 401
		for (const scope of ['tables.read', 'collections.read', 'columns.read', 'attributes.read']) assert.ok(await may(scope, 'GET', `${t}/columns`), scope)
		for (const scope of ['tables.read', 'collections.read', 'indexes.read']) assert.ok(await may(scope, 'GET', `${t}/indexes`), scope)
		for (const scope of ['rows.read', 'documents.read']) assert.ok(await may(scope, 'GET', rows), scope)
		for (const scope of ['tables.read', 'collections.read']) assert.ok(await may(scope, 'GET', t), scope)
		for (const scope of ['rows.read', 'indexes.read', 'tables.write', 'columns.write', 'databases.read']) assert.ok(!await may(scope, 'GET', `${t}/columns`), scope)
		for (const scope of ['rows.read', 'attributes.read']) assert.ok(!await may(scope, 'GET', t), scope)
		for (const [scope, path] of [['rows.read', `/databases/${d}/collections/t/documents`], ['tables.read', `/databases/${d}/collections`], ['columns.read', `/databases/${d}/collections/t/attributes`]])
			assert.ok(!await may(scope, 'GET', path), `${scope} is of the later family alone`)
		const r = await p.call('GET', rows, { key: await p.addKey(['tables.read']) })
		assert.match(r.body.message, /missing scopes \(\["rows\.read","documents\.read"\]\)$/)
		assert.equal((await p.guest('GET', t)).body.type, 'general_unauthorized_scope')
	}))

	test('queries ask by its names', () => direct(async () => {
		const q = (method, attribute, values) => JSON.stringify({ method, attribute, values })
		assert.equal((await p.ok('GET', `/tablesdb/${d}/tables`, { query: { queries: [q('equal', 'rowSecurity', [true])] } })).total, 1)
		assert.equal((await p.ok('GET', `${t}/indexes`, { query: { queries: [q('contains', 'columns', ['n'])] } })).total, 1)
		const one = await p.ok('GET', rows, { query: { queries: [q('select', undefined, ['n', '$tableId'])] } })
		assert.equal(one.rows[0].$tableId, 't')
		const lost = await p.call('GET', rows, { query: { queries: [q('cursorAfter', undefined, ['none'])] } })
		assert.match(lost.body.message, /^Row 'none' for the 'cursor' value not found/)
	}))
})
