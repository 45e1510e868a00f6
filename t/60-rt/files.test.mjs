/* Events of files: one when a file is complete, to whoever may read it then; and it can be read when it comes. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { part, upload, uploadChunks } from '../lib/form.mjs'
import { server, unique } from '../lib/server.mjs'
import { library, read } from './lib.mjs'

let s, p, alice, bob

before(async () => {
	s = await server()
	p = await library(s)
	;[alice, bob] = await Promise.all([p.user({ name: 'Alice' }), p.user({ name: 'Bob' })])
})
after(() => s.stop?.call(s))

const bucket = (more = {}) => p.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name: 'B', permissions: ['create("users")', 'update("users")', 'delete("users")'], fileSecurity: true, ...more } })

test('channels and names', async () => {
	const b = await bucket({ permissions: ['create("users")', 'read("any")'] }), id = unique('f')
	const all = await Promise.all([p.listen(['files']), p.listen([`buckets.${b.$id}.files`]), p.listen([`buckets.${b.$id}.files.${id}`])])
	await upload(alice.call, b.$id, id, part('a.txt', 'x'))
	const heard = await Promise.all(all.map((w) => w.event()))
	for (const e of heard) {
		assert.deepEqual(e.channels, ['files', `buckets.${b.$id}.files`, `buckets.${b.$id}.files.${id}`])
		const x = `buckets.${b.$id}.files.${id}`
		assert.deepEqual(e.events, [`${x}.create`, 'buckets.*.files.*.create', `buckets.${b.$id}.files.*.create`, `buckets.*.files.${id}.create`,
			x, 'buckets.*.files.*', `buckets.${b.$id}.files.*`, `buckets.*.files.${id}`, `buckets.${b.$id}`, 'buckets.*'])
		assert.deepEqual(e.payload, await p.ok('GET', `/storage/buckets/${b.$id}/files/${id}`))
	}
	for (const w of all) w.end()
})

test('chunks: one event, of the whole file, which can be read by then', async () => {
	const b = await bucket(), bytes = Buffer.alloc(25000, 'x'), w = await p.listen(['files'], { as: alice }), guest = await p.listen(['files', 'documents'])
	const r = await uploadChunks(alice.call, b.$id, 'unique()', 'a.bin', bytes, 10000)
	const e = await w.event()
	assert.deepEqual(e.payload, r.body)
	assert.equal(e.payload.chunksUploaded, 3)
	assert.ok((await alice.call('GET', `/storage/buckets/${b.$id}/files/${r.body.$id}/download`)).raw.equals(bytes))
	await alice.ok('PUT', `/storage/buckets/${b.$id}/files/${r.body.$id}`, { body: { permissions: [`read("user:${alice.id}")`, `delete("user:${alice.id}")`] } })
	await alice.ok('DELETE', `/storage/buckets/${b.$id}/files/${r.body.$id}`, { status: 204 })
	assert.match((await w.event()).events[0], /\.update$/)
	assert.match((await w.event()).events[0], /\.delete$/)
	assert.deepEqual(await p.heard(guest), [[]])	/* guests hear nothing of private files */
	w.end()
	guest.end()
})

test('parts at once, the last ones doubled: one event of the whole file', async () => {
	const b = await bucket(), bytes = Buffer.alloc(16 * 5000, 'abc'), w = await p.listen([`buckets.${b.$id}.files`], { as: alice })
	for (let round = 0; round < 3; round++) {
		const id = unique('f'), send = (i) => upload(alice.call, b.$id, 'unique()', part('a.bin', bytes.subarray(i * 5000, (i + 1) * 5000)), { start: i * 5000, total: bytes.length, id })
		await send(0)
		for (const r of await Promise.all([...Array(15).keys(), 12, 13, 14].map((i) => send(i + 1)))) assert.equal(r.status, 201, r.text)
		await send(15)	/* its answer was lost */
		await upload(alice.call, b.$id, `${id}.end`, part('a', 'x'))
		const heard = [await w.event(), await w.event()]
		assert.deepEqual(heard.map((e) => [e.payload.$id, e.payload.chunksUploaded, e.events[0].split('.').at(-1)]), [[id, 16, 'create'], [`${id}.end`, 1, 'create']])
	}
	w.end()
})

test('an upload that is never finished makes no event', async () => {
	const b = await bucket({ permissions: ['create("users")', 'delete("users")', 'read("any")'] }), id = unique('f'), w = await p.listen(['files', 'documents'])
	await upload(alice.call, b.$id, 'unique()', part('a.bin', Buffer.alloc(10)), { start: 0, total: 30, id })
	assert.deepEqual((await p.heard(w))[0], [])
	w.end()
})

test('who hears of a file: its bucket\'s readers, and with file security its own', async () => {
	const all = await Promise.all([p.listen(['files', 'documents'], { as: alice }), p.listen(['files', 'documents'], { as: bob }), p.listen(['files', 'documents'])])
	const open = await bucket({ permissions: ['create("users")', 'read("users")'], fileSecurity: false }), own = await bucket()
	await upload(alice.call, open.$id, unique('f'), part('a', '1'), { permissions: [read('any')] })	/* not the file's to grant */
	await upload(alice.call, own.$id, unique('f'), part('a', '2'))
	await upload(alice.call, own.$id, unique('f'), part('a', '3'), { permissions: [read('any')] })
	assert.deepEqual((await p.heard(...all)).map((g) => g.length), [3, 2, 1])
	for (const w of all) w.end()
})

test('who resumes is shown what he may read now', async () => {
	const b = await bucket(), w = await p.listen(['files', 'documents'])
	const send = async (id, permissions) => (await upload(p.call, b.$id, id, part('a', id), { permissions })).body
	const since = w.hello.id
	await send('open', [read('any')])
	await send('closed', [read('any')])
	await send('gone', [read('any')])
	await send('private', [read('users')])
	await p.ok('PUT', `/storage/buckets/${b.$id}/files/closed`, { body: { permissions: [] } })
	await p.ok('DELETE', `/storage/buckets/${b.$id}/files/gone`, { status: 204 })
	w.end()
	const again = await p.listen(['files', 'documents'], { query: `&since=${since}` })
	const heard = (await p.heard(again))[0]
	assert.deepEqual(heard.filter((e) => typeof e === 'string').map((e) => e.split('.').slice(3).join('.')), ['open.create', 'gone.delete'])
	again.end()
})
