/* Uploads: whole files and chunks, in any order, at once, twice, cut off, and by whom. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import net from 'node:net'
import { before, describe, test } from 'node:test'
import { form, part, upload, uploadChunks } from '../lib/form.mjs'
import { server, unique, until } from '../lib/server.mjs'
import { fails } from './lib.mjs'

let s, p, alice, bob
const md5 = (b) => createHash('md5').update(b).digest('hex')
const MiB = 1 << 20, chunk = 5 * MiB
const bytesOf = (n, seed = 1) => { const b = Buffer.alloc(n); for (let i = 0; i < n; i += 4096) b.writeUInt32LE((i * 2654435761 + seed) >>> 0, Math.min(i, Math.max(0, n - 4))); return b }
const makeBucket = (more = {}) => p.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name: 'Bucket', encryption: false, permissions: ['read("users")', 'create("users")', 'update("users")', 'delete("users")'], ...more } })
const download = async (b, id, call = alice.call) => (await call('GET', `/storage/buckets/${b.$id}/files/${id}/download`))

before(async () => {
	s = await server()
	p = await s.project()
	;[alice, bob] = await Promise.all([p.user({ name: 'Alice' }), p.user({ name: 'Bob' })])
})

describe('what is refused', () => {
	test('before and behind the bytes', async () => {
		const b = await makeBucket({ allowedFileExtensions: ['jpg', 'PNG', '.pdf'], maximumFileSize: 1000 })
		const send = (fields, headers = {}, call = alice.call) => { const f = form(fields); return call('POST', `/storage/buckets/${b.$id}/files`, { body: f.body, headers: { ...f.headers, ...headers } }) }
		const ok = part('a.jpg', 'x')
		for (const name of ['IMG.JPG', 'a.png', 'a.pdf']) assert.equal((await send({ fileId: 'unique()', file: part(name, 'x') })).status, 201, name)
		for (const name of ['a.jpg.exe', 'a.jpg.', 'jpg', '']) {
			const r = await send({ fileId: 'unique()', file: part(name, 'x') })
			fails(r, 400, 'storage_file_type_unsupported')
			assert.equal(r.body.message, 'File extension not allowed')
		}
		fails(await send({ fileId: 'unique()', file: part('a.exe', 'x') }, { 'content-range': 'bytes 0-0/900' }), 400, 'storage_file_type_unsupported')
		for (const size of [1001, 200000]) {
			const r = await send({ fileId: 'unique()', file: part('a.jpg', Buffer.alloc(size)) })
			fails(r, 400, 'storage_invalid_file_size')
			assert.equal(r.body.message, 'File size not allowed')
		}
		fails(await send({ fileId: 'unique()', file: ok }, { 'content-range': 'bytes 0-0/1001' }), 400, 'storage_invalid_file_size')
		for (const fields of [{ fileId: 'x' }, { fileId: 'x', file: 'hello' }, { fileId: 'x', other: ok }]) fails(await send(fields), 400, 'storage_file_empty')
		fails(await alice.call('POST', `/storage/buckets/${b.$id}/files`, { body: { fileId: 'x', file: 'x' } }), 400, 'storage_file_empty')
		for (const [fields, words] of [[{ fileId: '_x', file: ok }, /Invalid fileId/], [{ fileId: '', file: ok }, /"fileId" is not optional/], [{ file: ok }, /"fileId" is not optional/],
			[{ file: ok, fileId: 'x', permissions: Array(101).fill('read("any")') }, /permissions/]]) {
			const r = await send(fields)
			fails(r, 400, 'general_argument_invalid')
			assert.match(r.body.message, words)
		}
		fails(await send({ fileId: 'x', file: ok }, { 'x-appwrite-id': '../../etc', 'content-range': 'bytes 0-0/9' }), 400, 'general_argument_invalid')
		fails(await send({ fileId: 'x', file: ok }, {}, p.guest), 401, 'user_unauthorized')
		fails(await upload(alice.call, 'none', 'x', ok), 404, 'storage_bucket_not_found')
		fails(await send({ fileId: 'x', pad: 'x'.repeat(200000), file: ok }), 413, 'general_request_too_large')
		const parts = { body: '--b\r\nno part', headers: { 'content-type': 'multipart/form-data; boundary=b' } }
		fails(await alice.call('POST', `/storage/buckets/${b.$id}/files`, parts), 400, 'general_argument_invalid')
		assert.equal((await alice.ok('GET', `/storage/buckets/${b.$id}/files`)).total, 3)
	})

	test('content ranges', async () => {
		const b = await makeBucket(), send = (range, n = 10) => upload(alice.call, b.$id, 'unique()', part('a.bin', Buffer.alloc(n)), { headers: { 'content-range': range } })
		for (const range of ['bytes 0-9', '0-9/25', 'bytes 9-0/25', 'bytes 0-30/25', 'bytes a-b/c', 'bytes 5-2/10', 'bytes 0-19/10', 'bytes 0-9/*', 'bytes  0-9/25', 'bytes -9/25',
			'bytes 0-9/-25', 'bytes +0-9/25', 'bytes 0-9/99999999999999999999', '', 'bytes 0-8/25', 'bytes 0-10/25', 'bytes 20-25/25', 'bytes 25-25/25'])
			fails(await send(range), 400, 'storage_invalid_content_range')
		for (const range of ['bytes 0-9/10', 'bytes 0-10/10', 'chunks 0-9/10']) {
			const r = await send(range)
			assert.equal(r.status, 201, `${range}: ${r.text}`)
			assert.deepEqual([r.body.chunksTotal, r.body.chunksUploaded, r.body.sizeOriginal], [1, 1, 10])
		}
		assert.equal((await alice.ok('GET', `/storage/buckets/${b.$id}/files`)).total, 3)
	})

	test('a body of more than a request may have', async () => {
		const b = await makeBucket()
		fails(await upload(alice.call, b.$id, 'unique()', part('a.bin', Buffer.alloc(6291456))), 413, 'general_request_too_large')
	})
})

test('the type of a file, whether it is larger than what is looked at or not', async () => {
	const b = await makeBucket(), png = Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489', 'hex')
	for (const size of [0, 33, 262143, 262144, 262145, 300000]) {
		const bytes = Buffer.concat([png, Buffer.alloc(Math.max(0, size - png.length))]).subarray(0, size), type = size > 0 ? 'image/png' : 'application/x-empty'
		for (const at of [{}, ...(size > 0 ? [{ start: 0, total: size }] : [])]) {
			const f = (await upload(alice.call, b.$id, 'unique()', part('a.png', bytes), at)).body
			assert.deepEqual([f.mimeType, f.sizeOriginal, f.signature], [type, size, md5(bytes)], String(size))
		}
		if (size > 33) assert.deepEqual((await uploadChunks(alice.call, b.$id, 'unique()', 'a.png', bytes, size - 10)).body.mimeType, type)
	}
})

describe('chunks', () => {
	test('one after the other, as clients of 2022 and of today mark them', async () => {
		for (const kind of [{}, { encryption: true }, { compression: 'gzip' }, { compression: 'zstd', encryption: true }])
			for (const old of [true, false]) {
				const b = await makeBucket(kind), bytes = bytesOf(2 * chunk + 1), id = unique('f'), seen = []
				let r
				for (let at = 0; at < bytes.length; at += chunk) {
					r = await upload(alice.call, b.$id, old ? id : 'unique()', part('big.bin', bytes.subarray(at, at + chunk)), { start: at, total: bytes.length, id: at > 0 || !old ? id : undefined, old })
					assert.equal(r.status, 201, r.text)
					seen.push(`${r.body.chunksUploaded}/${r.body.chunksTotal}`)
				}
				assert.deepEqual(seen, ['1/3', '2/3', '3/3'])
				assert.equal(r.body.sizeOriginal, bytes.length)
				if (!kind.encryption && !kind.compression) assert.equal(r.body.signature, md5(bytes))
				assert.ok((await download(b, id)).raw.equals(bytes))
				for (const at of [chunk - 10, 2 * chunk - 1, bytes.length - 20]) {
					const part_ = await alice.call('GET', `/storage/buckets/${b.$id}/files/${id}/view`, { headers: { range: `bytes=${at}-${at + 19}` } })
					assert.ok(part_.raw.equals(bytes.subarray(at, at + 20)), `range at ${at}`)
				}
			}
	})

	test('in any order and at once; every one twice', async () => {
		const b = await makeBucket(), size = 64 * 1024, bytes = bytesOf(15 * size + 7), n = 16
		const send = (id, i) => upload(alice.call, b.$id, 'unique()', part('a.bin', bytes.subarray(i * size, (i + 1) * size)), { start: i * size, total: bytes.length, id })
		const backwards = unique('f')
		for (let i = n - 1; i >= 0; i--) {
			const r = await send(backwards, i)
			assert.equal(r.status, 201, r.text)
			assert.equal(r.body.chunksUploaded, i === 0 ? n : 0)
		}
		assert.ok((await download(b, backwards)).raw.equals(bytes))
		/* whoever completes it may read bytes that the same part, come again, has just replaced */
		for (let round = 0; round < 8; round++) {
			const id = unique('f'), first = await send(id, 0)
			assert.equal(first.body.chunksUploaded, 1)
			const rest = await Promise.all([...Array(n - 1).keys()].flatMap((i) => Array(i >= n - 3 ? 1 + round : 1).fill(i + 1)).map((i) => send(id, i)))
			assert.deepEqual(rest.filter((r) => r.status !== 201).map((r) => r.text), [])
			assert.ok(rest.some((r) => r.body.chunksUploaded === n && r.body.chunksTotal === n))
			assert.ok((await download(b, id)).raw.equals(bytes))
			assert.equal((await alice.ok('GET', `/storage/buckets/${b.$id}/files/${id}`)).signature, md5(bytes))
		}
	})

	test('the arithmetic of each generation, around multiples of a chunk', async () => {
		const b = await makeBucket(), size = 1000
		for (const total of [size - 1, size, size + 1, size + 2, 2 * size - 1, 2 * size, 2 * size + 1, 3 * size, 9 * size + 1])
			for (const how of ['2022', 'clamped to the size', 'today', 'today, at once']) {
				const bytes = bytesOf(total, total), n = Math.ceil(total / size), what = `${total} bytes, ${how}`
				const send = (i, id) => {
					const start = i * size, end = Math.min(start + size, total), last = how === '2022' ? Math.min(start + size - 1, total) : how.startsWith('clamped') && end === total ? total : end - 1
					return upload(alice.call, b.$id, 'unique()', part('a.bin', bytes.subarray(start, end)), { id, headers: { 'content-range': `bytes ${start}-${last}/${total}` } })
				}
				const all = [await send(0)], { $id } = all[0].body
				if (how.endsWith('once')) all.push(...await Promise.all(Array.from({ length: n - 1 }, (_, i) => send(i + 1, $id))))
				else for (let i = 1; i < n; i++) all.push(await send(i, $id))
				assert.ok(all.every((r) => r.status === 201 && r.body.chunksTotal === n), what)
				assert.equal(all.filter((r) => r.body.chunksUploaded === n).length, 1, what)
				assert.ok((await download(b, $id)).raw.equals(bytes), what)
			}
	})

	test('six first chunks of one id', async () => {
		const b = await makeBucket(), id = unique('f'), bytes = bytesOf(30000), send = (at) => upload(alice.call, b.$id, id, part('a.bin', bytes.subarray(at, at + 10000)), { start: at, total: 30000, id: at ? id : undefined })
		for (const r of await Promise.all(Array.from({ length: 6 }, () => send(0)))) assert.ok([201, 409].includes(r.status), r.text)
		assert.equal((await send(10000)).status, 201)
		assert.equal((await send(20000)).body.chunksUploaded, 3)
		assert.ok((await download(b, id)).raw.equals(bytes))
	})

	test('the same chunk again: before the end its bytes count, behind it nothing does', async () => {
		const b = await makeBucket(), id = unique('f'), one = bytesOf(10000, 1), two = bytesOf(10000, 2), end = bytesOf(5000, 3)
		const send = (bytes, start) => upload(alice.call, b.$id, 'unique()', part('a.bin', bytes), { start, total: 25000, id })
		await send(one, 0)
		assert.equal((await send(one, 0)).body.chunksUploaded, 1)
		assert.equal((await send(two, 0)).body.chunksUploaded, 1)
		await send(one, 10000)
		const done = await send(end, 20000), whole = Buffer.concat([two, one, end])
		assert.equal(done.body.chunksUploaded, 3)
		assert.ok((await download(b, id)).raw.equals(whole))
		const again = await send(bytesOf(5000, 9), 20000)
		assert.equal(again.status, 201, again.text)
		assert.deepEqual(again.body, done.body)
		assert.ok((await download(b, id)).raw.equals(whole))
		fails(await send(one, 5000), 409, 'document_already_exists')
		fails(await upload(alice.call, b.$id, id, part('a.bin', 'x')), 409, 'document_already_exists')
	})

	test('a part that is the whole file again, for its answer was lost', async () => {
		const b = await makeBucket(), id = unique('f'), bytes = bytesOf(30000), send = (more = {}, call = alice.call) => upload(call, b.$id, id, part('a.bin', more.bytes ?? bytes), { start: 0, total: 30000, id, ...more })
		const one = await send(), again = await send(), other = await send({ bytes: bytesOf(30000, 9) })
		for (const r of [again, other]) assert.deepEqual([r.status, r.body], [201, one.body])
		for (const r of await Promise.all(Array.from({ length: 6 }, () => send()))) assert.equal(r.status, 201, r.text)
		fails(await send({}, bob.call), 401, 'user_unauthorized')
		fails(await send({ bytes: bytesOf(100), total: 100 }), 409, 'document_already_exists')
		fails(await upload(alice.call, b.$id, id, part('a.bin', bytes)), 409, 'document_already_exists')	/* a file that is sent whole is a new one */
		assert.ok((await download(b, id)).raw.equals(bytes))
		const half = unique('f')
		await upload(alice.call, b.$id, half, part('a.bin', bytes.subarray(0, 9)), { start: 0, total: 30000, id: half })
		fails(await upload(alice.call, b.$id, half, part('a.bin', bytes), { start: 0, total: 30000, id: half }), 400, 'storage_invalid_content_range')
	})

	test('deleted while it is completed, read and shown', async () => {
		const b = await makeBucket(), id = unique('f'), at = `/storage/buckets/${b.$id}/files/${id}`, seen = new Set(), rounds = 60
		let done = false
		const again = async (what, statuses, act) => {
			while (!done) {
				const r = await act()
				assert.ok(statuses.includes(r.status), `${what}: ${r.status} ${r.text}`)
				seen.add(`${what} ${r.status}`)
			}
		}
		const bytesBy = (k) => Buffer.from(`${k}`.repeat(27000))
		await Promise.all([
			Promise.all([1, 2, 3].map(async (k) => {
				for (let i = 0; i < rounds; i++) {
					const r = i % 3 ? await upload(alice.call, b.$id, id, part('a.txt', bytesBy(k))) : await uploadChunks(alice.call, b.$id, id, 'a.txt', bytesBy(k), 9000)
					assert.ok([201, 400, 404, 409].includes(r.status), r.text)
					seen.add(`upload ${r.status}`)
				}
			})).finally(() => { done = true }),
			...[1, 2].map(() => again('delete', [204, 404], () => alice.call('DELETE', at))),
			...[1, 2, 3].map(() => again('download', [200, 404], async () => {
				const r = await alice.call('GET', `${at}/download`)
				assert.ok(r.status !== 200 || [0, 1, 2].every((i) => /^(\d)\1{8999}$/.test(r.text.slice(i * 9000, (i + 1) * 9000))), 'each part is of one of them')
				return r
			})),
			again('preview', [200, 404], () => alice.call('GET', `${at}/preview`, { query: { width: 5 } })),
		])
		for (const what of ['upload 201', 'delete 204']) assert.ok(seen.has(what), what)
	})

	test('what does not fit what is there', async () => {
		const b = await makeBucket(), id = unique('f'), send = (n, start, total) => upload(alice.call, b.$id, id, part('a.bin', Buffer.alloc(n)), { start, total, id })
		assert.equal((await send(1000, 1000, 5000)).body.chunksUploaded, 0)
		for (const [n, start, total] of [[1000, 500, 5000], [3000, 0, 5000], [1000, 1999, 5000], [1000, 0, 6000]]) fails(await send(n, start, total), 400, 'storage_invalid_content_range')
		assert.equal((await send(1000, 0, 5000)).body.chunksUploaded, 2)
	})

	test('a connection that is cut within a chunk', async () => {
		const b = await makeBucket(), id = unique('f'), bytes = bytesOf(300000)
		const f = form({ fileId: 'unique()', file: part('a.bin', bytes.subarray(0, 200000)) })
		const socket = net.connect(s.port, '127.0.0.1')
		socket.write(`POST /v1/storage/buckets/${b.$id}/files HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: ${p.id}\r\nX-Appwrite-Key: ${p.key}\r\nX-Appwrite-ID: ${id}\r\n` +
			`Content-Type: ${f.headers['content-type']}\r\nContent-Range: bytes 0-199999/300000\r\nContent-Length: ${f.body.length}\r\n\r\n`)
		await new Promise((ok) => socket.write(f.body.subarray(0, 150000), ok))
		socket.destroy()
		fails(await p.call('GET', `/storage/buckets/${b.$id}/files/${id}`), 404, 'storage_file_not_found')
		const send = (from, to) => upload(p.call, b.$id, 'unique()', part('a.bin', bytes.subarray(from, to)), { start: from, total: 300000, id })
		assert.equal((await send(0, 200000)).body.chunksUploaded, 1)
		assert.equal((await send(200000, 300000)).body.chunksUploaded, 2)
		assert.ok((await download(b, id)).raw.equals(bytes))
	})

	test('an unfinished file', async () => {
		const b = await makeBucket(), id = unique('f'), at = `/storage/buckets/${b.$id}/files/${id}`, send = (start, n = 10000) => upload(alice.call, b.$id, 'unique()', part('a.bin', bytesOf(n)), { start, total: 25000, id })
		await send(0)
		const f = await alice.ok('GET', at)
		assert.deepEqual([f.signature, f.mimeType, f.chunksTotal, f.chunksUploaded, f.sizeOriginal], ['', '', 3, 1, 25000])
		assert.equal((await alice.ok('GET', `/storage/buckets/${b.$id}/files`)).total, 1)
		for (const how of ['download', 'view']) fails(await alice.call('GET', `${at}/${how}`), 404, 'storage_file_not_found')
		await alice.ok('DELETE', at, { status: 204 })
		fails(await alice.call('DELETE', at), 404, 'storage_file_not_found')
		assert.equal((await send(10000)).body.chunksUploaded, 0)	/* a new one: the old parts are gone */
		assert.equal((await send(20000, 5000)).body.chunksUploaded, 0)
		assert.equal((await send(0)).body.chunksUploaded, 3)
	})

	test('whose upload it is', async () => {
		const b = await makeBucket({ permissions: ['create("users")'], fileSecurity: true }), id = unique('f')
		const send = (call, start, o = {}) => upload(call, b.$id, 'unique()', part('a.bin', Buffer.alloc(100)), { start, total: 300, id, ...o })
		await send(alice.call, 0, { permissions: [] })
		fails(await send(bob.call, 100), 409, 'document_already_exists')
		assert.equal((await send(alice.call, 100)).status, 201)	/* whoever began may finish, whatever the file grants */
		const shown = unique('f')
		await upload(alice.call, b.$id, 'unique()', part('a.bin', Buffer.alloc(100)), { start: 0, total: 300, id: shown, permissions: ['read("users")'] })
		fails(await upload(bob.call, b.$id, 'unique()', part('a.bin', Buffer.alloc(100)), { start: 100, total: 300, id: shown }), 401, 'user_unauthorized')
		assert.equal((await send(p.call, 200)).body.chunksUploaded, 3)	/* keys may anyway */
		const last = await p.ok('GET', `/storage/buckets/${b.$id}/files/${id}`)
		assert.deepEqual(last.$permissions, [])	/* of the request that completed it */
	})

	test('guests go on with what they began', async () => {
		const b = await makeBucket({ permissions: ['create("any")', 'read("any")'] }), id = unique('f')
		const send = (call, start) => upload(call, b.$id, 'unique()', part('a.bin', Buffer.alloc(100)), { start, total: 200, id })
		assert.equal((await send(p.guest, 0)).status, 201)
		fails(await send(alice.call, 100), 401, 'user_unauthorized')
		assert.equal((await send(p.guest, 100)).body.chunksUploaded, 2)
	})

	test('an own id without the header is gone on with', async () => {
		const b = await makeBucket(), id = unique('f'), send = (start) => upload(alice.call, b.$id, id, part('a.bin', Buffer.alloc(100)), { start, total: 200 })
		await send(0)
		assert.equal((await send(100)).body.chunksUploaded, 2)
	})

	test('one id eight times', async () => {
		const b = await makeBucket(), id = unique('f'), all = await Promise.all(Array.from({ length: 8 }, (_, i) => upload(alice.call, b.$id, id, part(`${i}.txt`, `bytes of ${i}`.repeat(i + 1)))))
		assert.equal(all.filter((r) => r.status === 201).length, 1)
		for (const r of all) if (r.status !== 201) fails(r, 409, 'document_already_exists')
		const f = all.find((r) => r.status === 201).body, bytes = (await download(b, id)).raw
		assert.deepEqual([md5(bytes), bytes.length, bytes.toString()], [f.signature, f.sizeOriginal, `bytes of ${f.name[0]}`.repeat(Number(f.name[0]) + 1)])
	})

	test('settings of the bucket change, old files stay readable', async () => {
		const b = await makeBucket({ encryption: true, compression: 'gzip' }), bytes = Buffer.from('compressible '.repeat(20000)), one = await uploadChunks(alice.call, b.$id, 'unique()', 'a.txt', bytes, 100000)
		await p.ok('PUT', `/storage/buckets/${b.$id}`, { body: { name: 'now', encryption: false, compression: 'zstd' } })
		const two = await uploadChunks(alice.call, b.$id, 'unique()', 'b.txt', bytes, 100000)
		for (const f of [one.body, two.body]) assert.ok((await download(b, f.$id)).raw.equals(bytes))
	})

	/* One that has begun keeps to what the bucket said then; each part is judged by what it says now. */
	test('settings of the bucket change while an upload is under way', async () => {
		const bytes = Buffer.from('compressible '.repeat(20000))
		async function within(b, change) {
			const id = unique('f'), f = form({ fileId: id, file: part('a.bin', bytes) }), socket = net.connect(s.port, '127.0.0.1'), got = []
			socket.on('data', (d) => got.push(d))
			const ended = new Promise((ok) => socket.on('close', ok)), half = f.body.length >> 1
			socket.write(`POST /v1/storage/buckets/${b.$id}/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\nX-Appwrite-Project: ${p.id}\r\nCookie: ${alice.cookie}\r\n` +
				`Content-Type: ${f.headers['content-type']}\r\nContent-Length: ${f.body.length}\r\n\r\n`)
			await until('the handler waits for the body', () => /^HTTP\/1\.1 100/.test(Buffer.concat(got).toString()))
			await new Promise((ok) => socket.write(f.body.subarray(0, half), ok))
			await change()
			socket.write(f.body.subarray(half))
			await ended
			return { id, status: Number(/HTTP\/1\.1 ([2-5]\d\d)/.exec(Buffer.concat(got).toString())?.[1]) }
		}
		const open = { permissions: ['read("users")', 'create("users")'] }, size = Math.ceil(bytes.length / 3)
		for (const [to, refused] of [[{ encryption: true, ...open }], [{ compression: 'gzip', ...open }], [{ compression: 'zstd', encryption: true, ...open }], [{ antivirus: false, ...open }],
			[{ maximumFileSize: 10, ...open }, [400, 'storage_invalid_file_size']], [{ allowedFileExtensions: ['jpg'], ...open }, [400, 'storage_file_type_unsupported']],
			[{ enabled: false, ...open }, [404, 'storage_bucket_not_found']], [{ permissions: ['read("users")'] }, [401, 'user_unauthorized']]]) {
			const what = JSON.stringify(to), put = (b, more) => p.ok('PUT', `/storage/buckets/${b.$id}`, { body: { name: 'now', encryption: false, ...more } })
			const b = await makeBucket(open), one = await within(b, () => put(b, to))
			assert.equal(one.status, 201, what)
			const id = unique('f'), c = await makeBucket(open), send = (i) => upload(alice.call, c.$id, 'unique()', part('a.bin', bytes.subarray(i * size, (i + 1) * size)), { start: i * size, total: bytes.length, id })
			assert.equal((await send(0)).status, 201)
			await put(c, to)
			for (const i of [1, 2]) {
				const r = await send(i)
				if (refused) fails(r, ...refused)
				else assert.equal(r.status, 201, what)
			}
			for (const x of [b, c]) await put(x, { maximumFileSize: 30000000, ...open })
			for (const i of [1, 2]) assert.equal((await send(i)).status, 201, what)	/* nothing was lost, nor counted twice */
			assert.ok((await download(b, one.id)).raw.equals(bytes), what)
			assert.ok((await download(c, id)).raw.equals(bytes), what)
		}
		const b = await makeBucket(), gone = await within(b, async () => { await p.ok('DELETE', `/storage/buckets/${b.$id}`, { status: 204 }); await makeBucket({ bucketId: b.$id }) })
		assert.equal(gone.status, 404)
		assert.equal((await alice.ok('GET', `/storage/buckets/${b.$id}/files`)).total, 0)
	})

	test('a bucket that is deleted under uploads', async () => {
		const b = await makeBucket(), sent = Array.from({ length: 12 }, () => upload(alice.call, b.$id, 'unique()', part('a.bin', Buffer.alloc(100000))))
		await p.ok('DELETE', `/storage/buckets/${b.$id}`, { status: 204 })
		for (const r of await Promise.all(sent)) assert.ok(r.status === 201 || r.status === 404, r.text)
	})
})
