/* Rows and documents are one: who listens to either hears of what was written through both families of paths. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { server, unique } from '../lib/server.mjs'
import { library, read } from './lib.mjs'

test('what is written as a row is heard as a document, and the other way round', async () => {
	const s = await server(), p = await library(s), rows = '/tablesdb/d/tables/c/rows'
	const old = await p.listen(['databases.d.collections.c.documents']), late = await p.listen(['tablesdb.d.tables.c.rows'])
	for (const [write, id] of [
		[(id) => p.ok('POST', rows, { body: { rowId: id, data: { n: 1 }, permissions: [read('any')] } }), unique()],
		[(id) => p.write(2, [read('any')], id), unique()],
	]) {
		await write(id)
		for (const w of [old, late]) {
			const e = await w.event()
			assert.equal(e.payload.$id, id)
			assert.equal(e.payload.$collectionId, 'c', 'a client of the first vocabulary knows it by this')
			assert.ok(e.events.includes(`databases.d.collections.c.documents.${id}.create`))
		}
	}
	old.end()
	late.end()
})

test('the name of the family that made the database comes first', async () => {
	const s = await server(), p = await library(s), db = unique(), path = `/tablesdb/${db}/tables/t`
	await p.ok('POST', '/tablesdb', { body: { databaseId: db, name: 'D' } })
	await p.ok('POST', `/tablesdb/${db}/tables`, { body: { tableId: 't', name: 'T', permissions: [read('any')] } })
	await p.ok('POST', `${path}/columns/integer`, { body: { key: 'n', required: false } })
	const w = await p.listen(['rows']), group = (d, r, rest) => [`databases.${d}.collections.${rest[0]}.documents.${r}${rest[1]}`, `databases.${d}.tables.${rest[0]}.rows.${r}${rest[1]}`]
	for (const [m, at, body, action] of [['POST', `${path}/rows`, { rowId: 'x', data: { n: 1 } }, 'create'], ['PUT', `/databases/${db}/collections/t/documents/x`, { data: { n: 2 } }, 'upsert'], ['PATCH', `${path}/rows`, { data: { n: 3 } }, 'update'],
		['PATCH', `${path}/rows/x/n/increment`, {}, 'update'], ['DELETE', `${path}/rows/x`, undefined, 'delete']]) {
		await p.ok(m, at, { body })
		const { events } = await w.event()
		assert.deepEqual(events.slice(0, 3), [`tablesdb.${db}.tables.t.rows.x.${action}`, ...group(db, 'x', ['t', `.${action}`])])
		assert.deepEqual(events.slice(-4), [`tablesdb.${db}`, `databases.${db}`, 'tablesdb.*', 'databases.*'])
		assert.equal(new Set(events).size, events.length)
		assert.deepEqual(events.filter((e) => e.startsWith('tablesdb.')).map((e) => e.replace('tablesdb', 'databases')), events.filter((e) => e.startsWith('databases.') && !/collections|documents/.test(e)))
	}
	await p.write(1, [read('any')], 'y')
	const { events } = await w.event()
	assert.deepEqual(events.slice(0, 2), group('d', 'y', ['c', '.create']))
	assert.ok(!events.some((e) => e.startsWith('tablesdb.')))
	w.end()
})

test('the payload of a row has its table', async () => {
	const s = await server(), p = await library(s), w = await p.listen(['rows'])
	await p.ok('POST', '/tablesdb/d/tables/c/rows', { body: { rowId: 'r', data: { n: 1 }, permissions: [read('any')] } })
	assert.equal((await w.event()).payload.$tableId, 'c')
	await p.ok('PATCH', '/tablesdb/d/tables/c/rows/r', { body: { data: { n: 2 } } })
	assert.equal((await w.event()).payload.$tableId, 'c')
	await p.ok('DELETE', '/tablesdb/d/tables/c/rows/r')
	const gone = await w.event()
	assert.equal(gone.payload.$tableId, 'c')
	assert.ok(gone.events[0].endsWith('.delete'))
	w.end()
})
