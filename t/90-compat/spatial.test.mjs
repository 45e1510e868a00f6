/* Points, lines and polygons by the newest server SDK, unmodified: columns, an index, rows and queries. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Client, Query, TablesDB } from 'node-appwrite-new'

import { server as startServer, unique, until } from '../lib/server.mjs'

let server, tables
before(async () => {
	server = await startServer()
	const project = await server.project({ name: 'Places' })
	tables = new TablesDB(new Client().setEndpoint(server.url).setProject(project.id).setKey(await project.addKey(['databases.read', 'databases.write', 'tables.read', 'tables.write', 'rows.read', 'rows.write'])))
})
after(() => server?.stop())

test('places are written, found and changed', async () => {
	const databaseId = unique('d'), tableId = 't', at = { databaseId, tableId }, square = (x, y, n) => [[[x, y], [x + n, y], [x + n, y + n], [x, y + n], [x, y]]]
	await tables.create({ databaseId, name: 'D' })
	await tables.createTable({ databaseId, tableId, name: 'T' })
	assert.equal((await tables.createPointColumn({ ...at, key: 'home', required: true })).type, 'point')
	assert.equal((await tables.createLineColumn({ ...at, key: 'way', required: false })).type, 'linestring')
	assert.deepEqual((await tables.createPolygonColumn({ ...at, key: 'area', required: false, xdefault: square(0, 0, 1) })).default, square(0, 0, 1))
	await until('the columns', async () => (await tables.listColumns(at)).columns.every((c) => c.status === 'available'))
	await tables.createIndex({ ...at, key: 'near', type: 'spatial', columns: ['home'] })
	await until('the index', async () => (await tables.getIndex({ ...at, key: 'near' })).status === 'available')
	const one = await tables.createRow({ ...at, rowId: 'one', data: { home: [8.5, 50], way: [[8, 50], [9, 50]] } })
	assert.deepEqual([one.home, one.way, one.area], [[8.5, 50], [[8, 50], [9, 50]], square(0, 0, 1)])
	await tables.createRow({ ...at, rowId: 'two', data: { home: [-70, -30], area: square(-71, -31, 2) } })
	const found = async (...queries) => (await tables.listRows({ ...at, queries })).rows.map((r) => r.$id).join(' ')
	assert.equal(await found(Query.distanceLessThan('home', [8.5, 50.01], 2000)), 'one')
	assert.equal(await found(Query.distanceGreaterThan('home', [8.5, 50.01], 2000)), 'two')
	assert.equal(await found(Query.distanceEqual('home', [8.5, 51], 1, false)), 'one')
	assert.equal(await found(Query.distanceNotEqual('home', [8.5, 51], 1, false)), 'two')
	assert.equal(await found(Query.intersects('area', [-70, -30])), 'two')
	assert.equal(await found(Query.notIntersects('area', [-70, -30])), 'one')
	assert.equal(await found(Query.crosses('way', [[8.5, 49], [8.5, 51]])), 'one')
	assert.equal(await found(Query.touches('area', [[1, 0], [2, 0]])), 'one')
	assert.equal(await found(Query.overlaps('area', square(0.5, 0.5, 1))), 'one')
	assert.equal(await found(Query.contains('area', [[0.5, 0.5]])), 'one')
	assert.equal(await found(Query.equal('home', [[8.5, 50]])), 'one')
	assert.deepEqual((await tables.updateRow({ ...at, rowId: 'one', data: { home: [9, 51] } })).home, [9, 51])
	await assert.rejects(tables.updateRow({ ...at, rowId: 'one', data: { area: [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]] } }), (e) => e.type === 'row_invalid_structure')
	assert.equal((await tables.updateLineColumn({ ...at, key: 'way', required: false, newKey: 'path' })).key, 'path')
	assert.deepEqual((await tables.getRow({ ...at, rowId: 'one' })).path, [[8, 50], [9, 50]])
})
