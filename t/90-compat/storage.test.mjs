/* The storage of the unmodified server SDKs: buckets, files whole and in chunks, resumed, read back, deleted. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'

import { server as startServer } from '../lib/server.mjs'
import { serverNew, serverOld } from './browser.mjs'

const require = createRequire(import.meta.url), { InputFile } = require('node-appwrite-new/file')
const dir = mkdtempSync(path.join(os.tmpdir(), 'badal-files-'))
let server
before(async () => { server = await startServer({ own: true, conf: { storage_limit: '60m' } }) })
after(async () => {
	await server?.stop()
	rmSync(dir, { recursive: true, force: true })
})

const generations = [
	/* what it makes of more than a chunk in memory has lost the rest before it is sent, and an upload that it goes on with stays where it was: both are its own */
	{ name: 'node-appwrite 8.2.0', memory: 5 * 1024 * 1024, sdk: serverOld, files: serverOld.InputFile, bucket: (s, id, name) => s.createBucket(id, name, undefined, undefined, undefined, 60000000),
		create: (s, b, id, file, progress) => s.createFile(b, id, file, undefined, progress), get: (s, b, id) => s.getFile(b, id), list: (s, b) => s.listFiles(b),
		download: (s, b, id) => s.getFileDownload(b, id), update: (s, b, id, p) => s.updateFile(b, id, p), remove: (s, b, id) => s.deleteFile(b, id) },
	{ name: 'node-appwrite 27.1.0', memory: Infinity, resumes: true, sdk: serverNew, files: InputFile, bucket: (s, bucketId, name) => s.createBucket({ bucketId, name, maximumFileSize: 60000000 }),
		create: (s, bucketId, fileId, file, onProgress) => s.createFile({ bucketId, fileId, file, onProgress }), get: (s, bucketId, fileId) => s.getFile({ bucketId, fileId }),
		list: (s, bucketId) => s.listFiles({ bucketId }), download: (s, bucketId, fileId) => s.getFileDownload({ bucketId, fileId }),
		update: (s, bucketId, fileId, permissions) => s.updateFile({ bucketId, fileId, permissions }), remove: (s, bucketId, fileId) => s.deleteFile({ bucketId, fileId }) },
]

for (const g of generations)
	describe(g.name, () => {
		let storage, project
		before(async () => {
			project = await server.project({ name: 'Files' })
			storage = new g.sdk.Storage(new g.sdk.Client().setEndpoint(server.url).setProject(project.id).setKey(project.key))
			await g.bucket(storage, 'files', 'Files')
		})

		test('files of many sizes, from memory and from disk', async () => {
			for (const size of [1, 65536, 5 * 1024 * 1024, 5 * 1024 * 1024 + 1, 17 * 1024 * 1024 + 3]) {
				const bytes = Buffer.alloc(size, `${size} bytes `), name = path.join(dir, `${size}.bin`), seen = []
				writeFileSync(name, bytes)
				for (const file of [size <= g.memory ? g.files.fromBuffer(bytes, 'memory.bin') : g.files.fromPath(name, 'again.bin'), g.files.fromPath(name, 'disk.bin')]) {
					const f = await g.create(storage, 'files', g.sdk.ID.unique(), file, (p) => seen.push(p.chunksUploaded))
					assert.equal(f.sizeOriginal, size)
					assert.equal(f.chunksUploaded, f.chunksTotal)
					const back = Buffer.from(await g.download(storage, 'files', f.$id))
					assert.ok(back.equals(bytes), `${size}`)
				}
				if (size > 5 * 1024 * 1024) assert.ok(seen.length > 2, 'progress is told')
			}
			assert.equal((await g.list(storage, 'files')).total, 10)
		})

		test('an upload that was interrupted goes on', { skip: !g.resumes }, async () => {
			const bytes = Buffer.alloc(12 * 1024 * 1024, 'again and '), id = 'resumed'
			/* the connection breaks behind the first chunk: its progress throws */
			await assert.rejects(g.create(storage, 'files', id, g.files.fromBuffer(bytes, 'a.bin'), () => { throw new Error('unplugged') }))
			const half = await g.get(storage, 'files', id)
			assert.ok(half.chunksUploaded >= 1 && half.chunksUploaded < 3, `${half.chunksUploaded}`)
			const f = await g.create(storage, 'files', id, g.files.fromBuffer(bytes, 'a.bin'))
			assert.equal(f.chunksUploaded, 3)
			assert.ok(Buffer.from(await g.download(storage, 'files', id)).equals(bytes))
		})

		test('update and delete', async () => {
			const f = await g.create(storage, 'files', 'one', g.files.fromPlainText('hello', 'a.txt'))
			assert.equal(f.mimeType, 'text/plain')
			assert.deepEqual((await g.update(storage, 'files', 'one', ['read("any")'])).$permissions, ['read("any")'])
			await g.remove(storage, 'files', 'one')
			await assert.rejects(g.get(storage, 'files', 'one'), (e) => e.type === 'storage_file_not_found')
		})
	})
