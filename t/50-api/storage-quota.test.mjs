/* What unfinished uploads may hold: of one user, and of all of a project. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { part, upload } from '../lib/form.mjs'
import { server, unique } from '../lib/server.mjs'
import { fails } from './lib.mjs'

/* Each upload counts as 64 KiB more than what has come: five of one user fit, or seven of all. */
const total = 1_000_000, most = 2_500_000, all = 3_500_000
let s, p, b, alice, bob
const open = (call, n = 400_000, id = unique('f')) => upload(call, b.$id, id, part('a.bin', Buffer.alloc(n)), { start: 0, total })
const go_on = (call, id, start, n) => upload(call, b.$id, 'unique()', part('a.bin', Buffer.alloc(n)), { start, total, id })
const metric = async () => Number((await (await fetch(new URL('/metrics', s.base))).text()).match(/^badal_storage_open_refused_total (\d+)/m)[1])
const drop = (id) => p.ok('DELETE', `/storage/buckets/${b.$id}/files/${id}`, { status: 204 })

before(async () => {
	s = await server({ own: true, conf: { web_processes: 1, storage_limit: total, storage_open_user: most, storage_open_project: all } })
	p = await s.project()
	;[alice, bob] = await Promise.all([p.user(), p.user()])
	b = await p.ok('POST', '/storage/buckets', { body: { bucketId: 'b', name: 'Bucket', antivirus: false, permissions: ['read("users")', 'create("any")'] } })
})
after(() => s?.stop())

describe('unfinished uploads', () => {
	test('of one user hold a sum; completing one, and whole files, are not refused', async () => {
		const ids = []
		for (let i = 0; i < 5; i++) ids.push((await open(alice.call)).body.$id)
		const before = await metric(), late = unique('late'), r = await open(alice.call, 400_000, late)
		fails(r, 429, 'general_rate_limit_exceeded')
		assert.match(r.body.message, /not complete/)
		fails(await p.call('GET', `/storage/buckets/${b.$id}/files/${late}`), 404, 'storage_file_not_found')	/* nothing stays of it */
		fails(await go_on(alice.call, ids[0], 400_000, 400_000), 429, 'general_rate_limit_exceeded')
		assert.equal(await metric(), before + 2)
		assert.equal((await go_on(alice.call, ids[0], 0, 400_000)).status, 201)	/* the same part again is no more than it was */

		assert.equal((await open(bob.call)).status, 201)	/* others have their own */
		assert.equal((await upload(alice.call, b.$id, 'unique()', part('a.bin', Buffer.alloc(total)))).status, 201)
		const last = await go_on(alice.call, ids[0], 400_000, 600_000)
		assert.equal(last.status, 201, last.text)
		assert.notEqual((await p.ok('GET', `/storage/buckets/${b.$id}/files/${ids[0]}`)).signature, '')	/* it is complete */
		const next = await open(alice.call)
		assert.equal(next.status, 201)
		fails(await open(alice.call), 429, 'general_rate_limit_exceeded')
		for (const id of [next.body.$id, ...ids.slice(1)]) await drop(id)
		assert.equal((await open(alice.call, 100)).status, 201)
	})

	test('however little has come of each', async () => {
		const own = await p.user(), ids = []
		let r
		while ((r = await open(own.call, 100)).status === 201 && ids.length < 100) ids.push(r.body.$id)
		fails(r, 429, 'general_rate_limit_exceeded')
		assert.equal(ids.length, Math.floor(most / (65536 + 100)))
		for (const id of ids) await drop(id)
	})

	test('of guests go by their address, and keys have the project\'s bound alone', async () => {
		const ids = []
		let r
		while ((r = await open(p.guest)).status === 201 && ids.length < 100) ids.push(r.body.$id)
		fails(r, 429, 'general_rate_limit_exceeded')
		assert.ok(ids.length >= 4)
		while ((r = await open(p.call)).status === 201 && ids.length < 100) ids.push(r.body.$id)
		fails(r, 503, 'general_busy')
		fails(await open(alice.call), 503, 'general_busy')
		for (const id of ids) await drop(id)
		assert.equal((await open(p.call)).status, 201)
	})
})
