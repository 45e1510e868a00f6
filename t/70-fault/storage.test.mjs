/* Under a load of uploads and deletes, all processes are killed at random moments. Then: every acknowledged file reads back with its MD5, no complete row lacks its
 * bytes, no deleted file is back, and after `badal storage check --repair` no bytes lack a row. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, utimesSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { part, upload } from '../lib/form.mjs'
import { children, run, server, sleep, unique, until } from '../lib/server.mjs'

const md5 = (b) => createHash('md5').update(b).digest('hex')
const VICTIMS = [['badal-web'], ['postgres'], ['badal-jobs'], ['redis-server'], ['badal-web', 'postgres'], ['badal-relay'], ['badal-web'], ['badal-jobs', 'badal-web']]
const CHUNK = 40000

/* Uploads whole files and chunked ones, and deletes every third; what was acknowledged is kept. */
async function writer(p, buckets, no, state) {
	for (let n = 0; state.writing; n++) {
		const b = buckets[n % buckets.length], id = unique(`w${no}-`), bytes = Buffer.alloc(n % 2 ? 100000 : 3000, `${id} `)
		const send = (start, end) => upload(p.call, b, id, part('a.bin', bytes.subarray(start, end)), { start, total: bytes.length, id, ms: 15000 }).catch(() => ({ status: 0 }))
		let r
		for (let at = 0; at < bytes.length && state.writing; ) {
			r = await send(at, Math.min(bytes.length, at + CHUNK))
			if (r.status === 201) at += CHUNK
			else if (r.status === 409) break	/* it was there, and its answer was lost */
			else await sleep(30)
		}
		if (r?.status === 201 && r.body.chunksUploaded === r.body.chunksTotal) state.acked.set(id, { b, sum: md5(bytes) })
		if (n % 3 === 0 && state.acked.has(id)) {
			state.acked.delete(id)
			const d = await p.call('DELETE', `/storage/buckets/${b}/files/${id}`, { ms: 15000 }).catch(() => ({ status: 0 }))
			if (d.status === 204) state.deleted.set(id, b)
		}
	}
}

const files = (dir) => readdirSync(dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => path.join(e.parentPath ?? e.path, e.name))

test('acknowledged files survive, deleted ones stay away, nothing is left over', { timeout: 300000 }, async (t) => {
	const s = await server({ own: true, conf: { web_processes: 2 } })
	try {
		const p = await s.project(), state = { writing: true, acked: new Map(), deleted: new Map() }, buckets = []
		for (const more of [{ encryption: false }, { encryption: true }, { encryption: true, compression: 'zstd' }])
			buckets.push((await p.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name: 'B', ...more } })).$id)
		const writers = Array.from({ length: 6 }, (_, i) => writer(p, buckets, i, state))
		for (const names of VICTIMS) {
			await sleep(300 + Math.random() * 700)
			for (const name of names) for (const pid of children(s, name)) process.kill(pid, 'SIGKILL')
			const before = state.acked.size
			await until(`uploads go on after ${names.join(', ')} were killed`, () => state.acked.size > before + 5, 60000)
		}
		await until('there are many files', () => state.acked.size > 100)
		state.writing = false
		await Promise.all(writers)
		for (const [id, { b, sum }] of state.acked) {
			const r = await p.call('GET', `/storage/buckets/${b}/files/${id}/download`, { unseen: true })
			assert.equal(r.status, 200, id)
			assert.equal(md5(r.raw), sum, id)
		}
		for (const [id, b] of state.deleted) assert.equal((await p.call('GET', `/storage/buckets/${b}/files/${id}`, { unseen: true })).status, 404, id)
		/* what is older than any upload can be, and has no row, goes; nothing else does */
		const root = path.join(s.dataDir, 'storage')
		for (const f of files(root)) utimesSync(f, 0, Date.now() / 1000 - 3 * 86400)
		await run(['storage', 'check', '--repair', `--data-dir=${s.dataDir}`])
		await until('the waste is gone', async () => (await run(['storage', 'check', '--deep', `--data-dir=${s.dataDir}`])).code === 0)
		/* as many blobs as there are parts */
		let parts = 0
		for (const b of buckets)
			for (let offset = 0, n = 100; n === 100; offset += 100) {
				const { files } = await p.ok('GET', `/storage/buckets/${b}/files`, { query: { queries: ['limit(100)', `offset(${offset})`] }, unseen: true })
				n = files.length
				for (const f of files) parts += f.chunksTotal === f.chunksUploaded ? f.chunksTotal : 0
			}
		assert.ok(files(root).length >= parts)
		t.diagnostic(`${state.acked.size} files, ${state.deleted.size} deleted`)
	} finally {
		await s.stop()
	}
})
