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
