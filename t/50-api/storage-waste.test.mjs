/* What becomes of bytes: those of deleted files and buckets go, uploads that nobody goes on with end, and parts of an upload cost no rate. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { part, upload } from '../lib/form.mjs'
import { server, unique, until } from '../lib/server.mjs'
import { fails } from './lib.mjs'

let s, p, alice
before(async () => {
	s = await server({ own: true, conf: { rate_limits: 'on', storage_limit: '60m' } })
	p = await s.project()
	alice = await p.user()
})
after(() => s?.stop())

/* A directory may go while it is looked at: then nothing is known, and `until` looks again. */
function blobs() {
	try {
		return readdirSync(path.join(s.dataDir, 'storage'), { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).length
	} catch (e) {
		if (e.code !== 'ENOENT') throw e
		return undefined
	}
}
const makeBucket = (more = {}) => p.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name: 'B', permissions: ['create("users")', 'read("users")', 'delete("users")'], ...more } })

test('the bytes of deleted files, replaced parts and buckets go', async () => {
	const b = await makeBucket(), id = unique('f'), send = (start) => upload(p.call, b.$id, 'unique()', part('a.bin', Buffer.alloc(1000, 'x')), { start, total: 3000, id })
	const rest = blobs()
	await upload(p.call, b.$id, 'one', part('a', 'x'))
	for (const start of [0, 0, 1000, 1000, 2000]) await send(start)
	await until('replaced parts are gone', () => blobs() === rest + 4)
	await p.ok('DELETE', `/storage/buckets/${b.$id}/files/${id}`, { status: 204 })
	await until('the file is gone', () => blobs() === rest + 1)
	await send(0)
	await p.ok('DELETE', `/storage/buckets/${b.$id}`, { status: 204 })
	await until('the bucket is gone', () => blobs() === rest)
})

test('parts of an upload that has begun cost no rate, a new file does', async () => {
	const b = await makeBucket({ maximumFileSize: 50000000 }), total = 205 * 1000
	let id
	for (let i = 0; i < 205; i++) {
		const r = await upload(alice.call, b.$id, 'unique()', part('a.bin', Buffer.alloc(1000)), { start: i * 1000, total, id })
		assert.equal(r.status, 201, r.text)
		assert.equal(r.headers['x-ratelimit-limit'], '60')
		id = r.body.$id
	}
	/* a window may end meanwhile: then a second one is needed for it to be full */
	let refused
	for (let i = 0; i < 125 && !refused; i++) {
		const r = await upload(alice.call, b.$id, 'unique()', part('a.bin', 'x'))
		if (r.status === 429) refused = r
	}
	fails(refused, 429, 'general_rate_limit_exceeded')
	/* nor does a made-up id of an upload help */
	fails(await upload(alice.call, b.$id, 'unique()', part('a.bin', 'x'), { start: 5, total: 10, id: unique('no') }), 429, 'general_rate_limit_exceeded')
	for (let i = 0; i < 70; i++) assert.equal((await upload(p.call, b.$id, 'unique()', part('a.bin', 'x'))).status, 201)	/* keys are not limited */
})
