/* The storage service: buckets, what is known of files, who may do what, downloads and views. Uploads: storage-uploads.test.mjs. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { form, part, upload, uploadChunks } from '../lib/form.mjs'
import { server, unique, until } from '../lib/server.mjs'
import { bucket, fails, file, isTime, keysOf } from './lib.mjs'

let s, p, alice, bob
const md5 = (b) => createHash('md5').update(b).digest('hex')
const text = 'The quick brown fox jumps over the lazy dog.\n'.repeat(20)
const makeBucket = (more = {}) => p.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name: 'Bucket', encryption: false, permissions: ['read("any")', 'create("users")', 'update("users")', 'delete("users")'], ...more } })
async function makeFile(b, more = {}, call = alice.call, f = part('note.txt', text)) {
	const r = await upload(call, b.$id, 'unique()', f, more)
	assert.equal(r.status, 201, r.text)
	return r.body
}

before(async () => {
	s = await server()
	p = await s.project()
	;[alice, bob] = await Promise.all([p.user({ name: 'Alice' }), p.user({ name: 'Bob' })])
})

describe('buckets', () => {
	test('create, with defaults and with everything', async () => {
		const plain = await p.ok('POST', '/storage/buckets', { status: 201, body: { bucketId: unique('b'), name: 'Plain' } })
		keysOf(plain, bucket)
		isTime(plain.$createdAt)
		assert.deepEqual({ ...plain, $id: 0, $createdAt: 0, $updatedAt: 0 }, { $id: 0, $createdAt: 0, $updatedAt: 0, $permissions: [], fileSecurity: false, name: 'Plain',
			enabled: true, maximumFileSize: 30000000, allowedFileExtensions: [], compression: 'none', encryption: true, antivirus: true })
		const all = { bucketId: unique('b'), name: 'All', permissions: ['write("users")'], fileSecurity: true, enabled: false, maximumFileSize: 5000,
			allowedFileExtensions: ['txt'], compression: 'GZIP', encryption: false, antivirus: false }
		const r = await p.ok('POST', '/storage/buckets', { status: 201, body: all })
		assert.deepEqual(r.$permissions, ['create("users")', 'update("users")', 'delete("users")'])
		assert.equal(r.compression, 'gzip')
		assert.deepEqual([r.fileSecurity, r.enabled, r.maximumFileSize, r.allowedFileExtensions, r.encryption, r.antivirus], [true, false, 5000, ['txt'], false, false])
		fails(await p.call('POST', '/storage/buckets', { body: { ...all, bucketId: all.bucketId.toUpperCase() } }), 409, 'storage_bucket_already_exists')
	})

	test('what a bucket cannot be', async () => {
		const good = { bucketId: 'unique()', name: 'x' }
		for (const [bad, words] of [[{ bucketId: '_x' }], [{ name: undefined }, /"name" is not optional/], [{ name: 'n'.repeat(129) }], [{ permissions: ['read("role:all")'] }],
			[{ maximumFileSize: 0 }, /between 1 and 30,000,000/], [{ maximumFileSize: 30000001 }, /between 1 and 30,000,000/], [{ compression: 'rar' }, /none, gzip, zstd/],
			[{ allowedFileExtensions: 'png' }], [{ allowedFileExtensions: ['e'.repeat(65)] }], [{ fileSecurity: 'maybe' }], [{ enabled: 'no way' }]]) {
			const r = await p.call('POST', '/storage/buckets', { body: { ...good, ...bad } })
			fails(r, 400, 'general_argument_invalid')
			if (words) assert.match(r.body.message, words)
		}
		for (const call of [alice.call, p.guest]) fails(await call('POST', '/storage/buckets', { body: good }), 401, 'general_unauthorized_scope')
		const f = form({ bucketId: 'unique()', name: 'x', enabled: 'false' })
		assert.equal((await p.ok('POST', '/storage/buckets', f)).enabled, false)
	})

	test('get, list, update, delete', async () => {
		const q = await s.project(), ids = []
		for (const [name, more] of [['Pictures', { encryption: false }], ['Music', { maximumFileSize: 1000 }], ['Videos', {}]])
			ids.push((await q.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name, ...more } })).$id)
		const list = async (query) => (await q.ok('GET', '/storage/buckets', { query })).buckets.map((b) => b.name)
		assert.deepEqual(await list({}), ['Pictures', 'Music', 'Videos'])
		assert.deepEqual(await list({ queries: ['orderDesc("name")', 'limit(2)'] }), ['Videos', 'Pictures'])
		assert.deepEqual(await list({ queries: ['lessThan("maximumFileSize", 2000)'] }), ['Music'])
		assert.deepEqual(await list({ queries: ['equal("encryption", false)'] }), ['Pictures'])
		assert.deepEqual(await list({ queries: [`cursorAfter("${ids[0]}")`] }), ['Music', 'Videos'])
		assert.deepEqual(await list({ search: 'music' }), ['Music'])
		fails(await q.call('GET', '/storage/buckets', { query: { queries: ['equal("compression", "gzip")'] } }), 400, 'general_argument_invalid')
		fails(await q.call('GET', '/storage/buckets', { query: { queries: ['cursorAfter("none")'] } }), 400, 'general_cursor_not_found')
		fails(await alice.call('GET', '/storage/buckets'), 401, 'general_unauthorized_scope')
		assert.equal((await q.ok('GET', `/storage/buckets/${ids[1]}`)).name, 'Music')
		const full = { name: 'New', permissions: ['read("any")'], fileSecurity: true, enabled: false, maximumFileSize: 7, allowedFileExtensions: ['a'], compression: 'zstd', encryption: false, antivirus: false }
		assert.equal((await q.ok('PUT', `/storage/buckets/${ids[1]}`, { body: full })).compression, 'zstd')
		const r = await q.ok('PUT', `/storage/buckets/${ids[1]}`, { body: { name: 'Newer' } })	/* omitted ones go back, but for two */
		assert.deepEqual([r.$permissions, r.maximumFileSize, r.fileSecurity, r.enabled, r.allowedFileExtensions, r.compression, r.encryption, r.antivirus],
			[['read("any")'], 7, false, true, [], 'none', true, true])
		fails(await q.call('PUT', `/storage/buckets/${ids[1]}`, { body: {} }), 400, 'general_argument_invalid')
		await q.ok('DELETE', `/storage/buckets/${ids[1]}`, { status: 204 })
		for (const [method, body] of [['GET'], ['DELETE'], ['PUT', { name: 'x' }]])
			fails(await q.call(method, `/storage/buckets/${ids[1]}`, { body }), 404, 'storage_bucket_not_found')
	})

	test('older clients say permission instead of fileSecurity', async () => {
		const headers = { 'x-appwrite-response-format': '0.15.0' }
		const b = await p.ok('POST', '/storage/buckets', { headers, body: { bucketId: unique('b'), name: 'Old', permission: 'file', read: ['role:all'], write: ['role:member'] } })
		assert.equal(b.permission, 'file')
		assert.deepEqual([b.$read, b.$write, b.compression], [['role:all'], ['role:member'], undefined])
		const now = await p.ok('GET', `/storage/buckets/${b.$id}`)
		assert.equal(now.fileSecurity, true)
		assert.deepEqual(now.$permissions, ['read("any")', 'create("users")', 'update("users")', 'delete("users")'])
	})
})

describe('files', () => {
	test('upload, get, list', async () => {
		const b = await makeBucket(), f = await makeFile(b)
		keysOf(f, file)
		assert.deepEqual({ ...f, $id: 0, $createdAt: 0, $updatedAt: 0, bucketId: 0 }, { $id: 0, bucketId: 0, $createdAt: 0, $updatedAt: 0,
			$permissions: ['read', 'update', 'delete'].map((v) => `${v}("user:${alice.id}")`), name: 'note.txt', signature: md5(text), mimeType: 'text/plain',
			sizeOriginal: text.length, chunksTotal: 1, chunksUploaded: 1 })
		assert.deepEqual(await alice.ok('GET', `/storage/buckets/${b.$id}/files/${f.$id}`), f)
		const more = await makeFile(b, {}, alice.call, part('zebra.bin', [0, 1, 2, 255]))
		const list = async (query) => (await alice.ok('GET', `/storage/buckets/${b.$id}/files`, { query }))
		assert.deepEqual(await list({}), { total: 2, files: [f, more] })
		assert.deepEqual((await list({ queries: ['orderDesc("name")', 'limit(1)'] })).files, [more])
		assert.deepEqual((await list({ queries: [`equal("signature", "${f.signature}")`] })).files, [f])
		assert.deepEqual((await list({ queries: ['greaterThan("sizeOriginal", 100)'] })).files, [f])
		assert.deepEqual((await list({ search: 'zebra' })).files, [more])
		for (const [query, type] of [[{ queries: ['equal("bucketId", "x")'] }, 'general_argument_invalid'], [{ queries: ['cursorAfter("none")'] }, 'general_cursor_not_found']])
			fails(await alice.call('GET', `/storage/buckets/${b.$id}/files`, { query }), 400, type)
		assert.deepEqual((await p.ok('GET', `/storage/buckets/${b.$id}/files`)).total, 2)
	})

	test('permissions of a new file', async () => {
		const b = await makeBucket({ permissions: ['create("any")'], fileSecurity: true })
		assert.deepEqual((await makeFile(b, {}, p.call)).$permissions, [])
		assert.deepEqual((await makeFile(b, {}, p.guest)).$permissions, [])
		assert.deepEqual((await makeFile(b, {}, p.admin)).$permissions, ['read', 'update', 'delete'].map((v) => `${v}("user:${p.console.id}")`))
		assert.deepEqual((await makeFile(b, { permissions: [`read("user:${alice.id}")`, `write("user:${alice.id}")`] })).$permissions,
			['read', 'update', 'delete'].map((v) => `${v}("user:${alice.id}")`))
		assert.deepEqual((await makeFile(b, { permissions: [`read("user:${bob.id}")`] }, p.call)).$permissions, [`read("user:${bob.id}")`])
		const r = await upload(alice.call, b.$id, 'unique()', part('a', 'a'), { permissions: [`read("user:${bob.id}")`] })
		fails(r, 401, 'user_unauthorized')
		assert.match(r.body.message, new RegExp(`^Permissions must be one of: \\(any, users, user:${alice.id}, `))
		for (const permissions of [['create("any")'], ['read("x")']]) fails(await upload(alice.call, b.$id, 'unique()', part('a', 'a'), { permissions }), 400, 'general_argument_invalid')
	})

	test('who may do what', async () => {
		const own = (u) => ['read', 'update', 'delete'].map((v) => `${v}("user:${u.id}")`)
		const cases = [
			/* bucket's permissions, file security, file's, then for alice (owner), bob, guest: get, list, update, delete */
			{ perms: ['read("any")'], security: false, file: [], get: '200 200 200', list: '1 1 1', update: '401 401 401', del: '401 401 401' },
			{ perms: [], security: false, file: own, get: '401 401 401', list: '401 401 401', update: '200 401 401', del: '204 401 401' },
			{ perms: [], security: true, file: own, get: '200 404 404', list: '1 0 0', update: '200 401 401', del: '204 401 401' },
			{ perms: ['update("users")', 'delete("users")'], security: true, file: () => [], get: '404 404 404', list: '0 0 0', update: '200 200 401', del: '204 204 401' },
			{ perms: ['read("users")'], security: true, file: () => ['read("any")'], get: '200 200 200', list: '1 1 1', update: '401 401 401', del: '401 401 401' },
		]
		for (const c of cases) {
			const b = await makeBucket({ permissions: [...c.perms, 'create("users")'], fileSecurity: c.security })
			const callers = [alice.call, bob.call, p.guest]
			for (const [i, call] of callers.entries()) {
				const f = await makeFile(b, { permissions: typeof c.file === 'function' ? c.file(alice) : [] }, p.call), at = `/storage/buckets/${b.$id}/files`
				const status = async (method, target, o) => String((await call(method, target, o)).status)
				assert.equal(await status('GET', `${at}/${f.$id}`), c.get.split(' ')[i], `get ${JSON.stringify(c)} ${i}`)
				for (const how of ['download', 'view']) assert.equal(await status('GET', `${at}/${f.$id}/${how}`), c.get.split(' ')[i], `${how} ${JSON.stringify(c)} ${i}`)
				const list = await call('GET', at), want = c.list.split(' ')[i]
				assert.equal(list.status === 200 ? String(Math.min(1, list.body.total)) : String(list.status), want, `list ${JSON.stringify(c)} ${i}`)
				assert.equal(await status('PUT', `${at}/${f.$id}`, { body: { permissions: undefined } }), c.update.split(' ')[i], `update ${JSON.stringify(c)} ${i}`)
				assert.equal(await status('DELETE', `${at}/${f.$id}`), c.del.split(' ')[i], `delete ${JSON.stringify(c)} ${i}`)
				if (c.del.split(' ')[i] !== '204') assert.equal((await p.call('GET', `${at}/${f.$id}/download`)).text, text)
				assert.equal(await status('PUT', `${at}/none`, { body: {} }), '404')
				assert.equal(await status('DELETE', `${at}/none`), '404')
			}
		}
	})

	test('update: permissions alone', async () => {
		const b = await makeBucket({ fileSecurity: true }), f = await makeFile(b), at = `/storage/buckets/${b.$id}/files/${f.$id}`
		assert.deepEqual((await alice.ok('PUT', at, { body: {} })).$permissions, f.$permissions)
		assert.deepEqual((await alice.ok('PUT', at, { body: { permissions: [] } })).$permissions, [])
		const permissions = ['read("any")', `update("user:${alice.id}")`]
		const r = await alice.ok('PUT', at, { body: { permissions, name: 'no.txt' } })
		assert.deepEqual([r.$permissions, r.name], [permissions, 'note.txt'])
		fails(await alice.call('PUT', at, { body: { permissions: [`read("user:${bob.id}")`] } }), 401, 'user_unauthorized')
		fails(await alice.call('PUT', at, { body: { permissions: ['read("x")'] } }), 400, 'general_argument_invalid')
		fails(await alice.call('PUT', `/storage/buckets/none/files/${f.$id}`, { body: {} }), 404, 'storage_bucket_not_found')
	})

	test('to update is not to read, nor to give away', async () => {
		const b = await makeBucket({ permissions: ['create("users")', 'update("users")'], fileSecurity: true }), f = await makeFile(b), at = `/storage/buckets/${b.$id}/files/${f.$id}`
		const r = await bob.ok('PUT', at, { body: {} })
		assert.deepEqual([r.$id, r.name, r.signature, r.mimeType, r.sizeOriginal, r.$permissions], [f.$id, '', '', '', 0, []])
		for (const verb of ['read', 'delete', 'write']) fails(await bob.call('PUT', at, { body: { permissions: [`${verb}("user:${bob.id}")`] } }), 401, 'user_unauthorized')
		assert.deepEqual((await bob.ok('PUT', at, { body: { permissions: [`update("user:${bob.id}")`] } })).$permissions, [`update("user:${bob.id}")`])
		assert.equal((await alice.call('GET', at)).status, 404)
	})

	test('delete, and the id is free', async () => {
		const b = await makeBucket(), id = unique('f'), at = `/storage/buckets/${b.$id}/files/${id}`
		for (let i = 0; i < 3; i++) {
			assert.equal((await upload(alice.call, b.$id, id, part('a.txt', `bytes ${i}`))).status, 201)
			assert.equal((await alice.call('GET', `${at}/download`)).text, `bytes ${i}`)
			await alice.ok('DELETE', at, { status: 204 })
			for (const method of ['GET', 'DELETE']) fails(await alice.call(method, at), 404, 'storage_file_not_found')
		}
		await upload(alice.call, b.$id, id, part('a.txt', 'x'))
		const all = await Promise.all(Array.from({ length: 8 }, () => alice.call('DELETE', at)))
		assert.deepEqual(all.map((r) => r.status).sort(), [204, ...Array(7).fill(404)])
	})

	test('a bucket that is switched off', async () => {
		const b = await makeBucket(), f = await makeFile(b), at = `/storage/buckets/${b.$id}`
		await p.ok('PUT', at, { body: { name: 'off', enabled: false } })
		for (const call of [alice.call, p.call])
			for (const [method, target] of [['GET', '/files'], ['GET', `/files/${f.$id}`], ['GET', `/files/${f.$id}/view`], ['DELETE', `/files/${f.$id}`]])
				fails(await call(method, at + target), 404, 'storage_bucket_not_found')
		fails(await upload(alice.call, b.$id, 'unique()', part('a', 'a')), 404, 'storage_bucket_not_found')
		fails(await alice.call('GET', `${at}/files`, { mode: 'admin' }), 404, 'storage_bucket_not_found')	/* the word alone makes nobody an admin */
		assert.equal((await p.admin('GET', `${at}/files`)).status, 200)
		assert.equal((await p.call('GET', at)).status, 200)
	})

	test('deleting a bucket takes its files, and no others', async () => {
		const name = unique('foo'), ids = [name, `${name}bar`, `${name}.x`, `${name}-1`, `x${name}`], at = (b) => `/storage/buckets/${b}/files/one`
		for (const bucketId of ids) {
			await makeBucket({ bucketId })
			await upload(alice.call, bucketId, 'one', part('a.txt', bucketId))
		}
		await p.ok('DELETE', `/storage/buckets/${name}`, { status: 204 })
		await makeBucket({ bucketId: name })
		assert.equal((await alice.ok('GET', `/storage/buckets/${name}/files`)).total, 0)
		await upload(alice.call, name, 'one', part('a.txt', 'new'))
		for (const b of ids) assert.equal((await alice.call('GET', `${at(b)}/download`)).text, b === name ? 'new' : b)
	})

	test('the paths of one bucket', async () => {
		const q = await s.project(), u = await q.user()
		const send = () => { const f = form({ fileId: 'one', file: part('a.txt', 'hello') }); return u.call('POST', '/storage/files', f) }
		fails(await send(), 404, 'storage_bucket_not_found')
		await q.ok('POST', '/storage/buckets', { body: { bucketId: 'default', name: 'Default', permissions: ['create("users")', 'read("users")', 'update("users")', 'delete("users")'] } })
		assert.equal((await send()).status, 201)
		assert.equal((await u.ok('GET', '/storage/files')).total, 1)
		assert.equal((await u.ok('GET', '/storage/files/one')).bucketId, 'default')
		for (const how of ['view', 'download']) assert.equal((await u.call('GET', `/storage/files/one/${how}`)).text, 'hello')
		await u.ok('PUT', '/storage/files/one', { body: { permissions: [] } })
		await u.ok('DELETE', '/storage/files/one', { status: 204 })
		assert.equal((await p.console.ok('GET', '/storage/buckets/default/files')).total >= 0, true)	/* the console has one from the start */
	})
})

describe('downloads and views', () => {
	const kinds = [{ encryption: false }, { encryption: true }, { encryption: false, compression: 'gzip' }, { encryption: true, compression: 'zstd' }]
	test('bytes, whole and in ranges, however they are kept', async () => {
		for (const kind of kinds)
			for (const size of [0, 1, 65535, 65536, 65537, 2097153]) {
				const bytes = Buffer.alloc(size, 'abcdefghijklmnopqrstuvwxyz0123456789 '), b = await makeBucket(kind)
				const f = await makeFile(b, {}, alice.call, part('a.bin', bytes)), at = `/storage/buckets/${b.$id}/files/${f.$id}`
				if (!kind.encryption && !kind.compression) assert.equal(f.signature, md5(bytes))
				for (const how of ['download', 'view']) {
					const r = await alice.call('GET', `${at}/${how}`)
					assert.equal(r.status, 200)
					assert.ok(r.raw.equals(bytes), `${JSON.stringify(kind)} ${size}`)
					assert.equal(r.headers['content-length'], String(size))
					assert.equal(r.headers['accept-ranges'], 'bytes')
				}
				for (const [range, first, last] of [['0-1', 0, 1], ['0-0', 0, 0], [`${size >> 1}-`, size >> 1, size - 1], [`${Math.max(0, size - 40)}-${size + 1000}`, Math.max(0, size - 40), size - 1]]) {
					if (size < 2) continue
					const r = await alice.call('GET', `${at}/download`, { headers: { range: `bytes=${range}` } })
					assert.equal(r.status, 206, `${range} of ${size}: ${r.status}`)
					assert.ok(r.raw.equals(bytes.subarray(first, last + 1)))
					assert.equal(r.headers['content-range'], `bytes ${first}-${last}/${size}`)
					assert.equal(r.headers['content-length'], String(last - first + 1))
				}
			}
	})

	test('21 MB, and the one byte "0"', async () => {
		const large = Buffer.alloc(21000000), pieces = 5 << 20
		for (let i = 0; i < large.length; i += 3) large[i] = (i * 31) >> 7
		for (const kind of [...kinds, { encryption: true, compression: 'gzip' }]) {
			const b = await makeBucket(kind), of = (f, how, o) => alice.call('GET', `/storage/buckets/${b.$id}/files/${f.$id}/${how}`, o)
			const f = (await uploadChunks(alice.call, b.$id, 'unique()', 'large.bin', large, pieces)).body, zero = await makeFile(b, {}, alice.call, part('0', '0'))
			assert.deepEqual([f.sizeOriginal, f.chunksTotal], [large.length, 5])
			const r = await of(f, 'download')
			assert.deepEqual([r.status, r.headers['content-length']], [200, String(large.length)])
			assert.ok(r.raw.equals(large), JSON.stringify(kind))
			for (const at of [large.length - 1000, 4 * pieces - 500, 10000000]) assert.ok((await of(f, 'view', { headers: { range: `bytes=${at}-${at + 999}` } })).raw.equals(large.subarray(at, at + 1000)), `${JSON.stringify(kind)} ${at}`)
			for (const how of ['view', 'download']) assert.deepEqual([(await of(zero, how)).text, (await of(zero, how)).headers['content-length']], ['0', '1'])
		}
	})

	test('deleted under a download: whole bytes, or none', async () => {
		for (const kind of kinds) {
			const b = await makeBucket(kind), bytes = Buffer.alloc(5 << 20, 'abcdefghijklmnopqrstuvwxyz ')
			for (let round = 0; round < 4; round++) {
				const f = await makeFile(b, {}, alice.call, part('a.bin', bytes)), at = `/storage/buckets/${b.$id}/files/${f.$id}`
				const reads = Array.from({ length: 6 }, (_, i) => alice.call('GET', `${at}/${i % 2 ? 'view' : 'download'}`))
				if (round % 2) await Promise.race(reads)
				await alice.ok('DELETE', at, { status: 204 })
				for (const r of await Promise.all(reads)) assert.ok(r.status === 404 || (r.status === 200 && r.raw.equals(bytes)), `${JSON.stringify(kind)} ${r.status} ${r.raw.length}`)
				fails(await alice.call('GET', `${at}/view`), 404, 'storage_file_not_found')
			}
		}
	})

	test('ranges that cannot be served', async () => {
		const b = await makeBucket(), f = await makeFile(b), at = `/storage/buckets/${b.$id}/files/${f.$id}`
		for (const how of ['download', 'view'])
			for (const range of ['bytes=-10', 'lines=0-9', 'bytes=9-0', 'bytes=0-1,4-5', 'bytes=a-b', 'bytes=5000-6000', 'bytes=900-', 'bytes=988', 'bytes=+1-5', 'bytes=1-99999999999999999999', 'bytes',
				'bytes=', 'bytes=-', 'bytes=-0', 'bytes=0 - 5', 'bytes = 0-5', 'bytes 0-5', 'bytes=0x0-0x5', 'bytes=9223372036854775807-', 'bytes=--5', 'bytes=1-2-3'])
				fails(await alice.call('GET', `${at}/${how}`, { headers: { range } }), 416, 'storage_invalid_range')
		assert.equal((await alice.call('GET', `${at}/view`, { headers: { range: '' } })).status, 200)
		for (const range of ['Bytes=2-5', 'bytes= 2-5', ' bytes=2-5 ', 'bytes=02-05']) assert.equal((await alice.call('GET', `${at}/view`, { headers: { range } })).headers['content-range'], `bytes 2-5/${text.length}`, range)
	})

	test('heads', async () => {
		const b = await makeBucket(), f = await makeFile(b), at = `/storage/buckets/${b.$id}/files/${f.$id}`
		const view = await alice.call('GET', `${at}/view`), down = await alice.call('GET', `${at}/download`)
		assert.equal(view.headers['content-disposition'], 'inline; filename="note.txt"')
		assert.equal(down.headers['content-disposition'], 'attachment; filename="note.txt"')
		assert.equal(view.headers['content-security-policy'], "script-src 'none'")
		assert.equal(view.headers['x-content-type-options'], 'nosniff')
		assert.ok(Date.parse(view.headers.expires) > Date.now() + 44 * 86400000)
		assert.equal(view.headers['cache-control'], undefined)
		const head = await alice.call('HEAD', `${at}/view`)
		assert.equal(head.status, 200)
		assert.deepEqual([head.raw.length, head.headers['content-length'], head.headers.etag], [0, String(text.length), view.headers.etag])
		const secret = await makeBucket({ permissions: ['create("users")'], fileSecurity: true }), own = await makeFile(secret)
		for (const how of ['view', 'download']) {
			const path = `/storage/buckets/${secret.$id}/files/${own.$id}/${how}`
			assert.equal((await alice.call('GET', path)).headers['cache-control'], 'private')
			assert.equal((await alice.call('GET', path, { headers: { range: 'bytes=0-1' } })).headers['cache-control'], 'private')
			for (const r of [await bob.call('GET', path), await p.guest('GET', path), await alice.call('GET', path, { headers: { range: 'bytes=9999-' } })]) {
				assert.match(r.headers['cache-control'], /no-store/)
				assert.equal(r.headers.etag, undefined)
			}
		}
	})

	test('names in heads', async () => {
		const b = await makeBucket()
		for (const [name, want] of [['a b.txt', 'filename="a b.txt"'], ['naïve €.txt', `filename="na_ve _.txt"; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.txt`],
			['日本.txt', `filename="__.txt"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.txt`], ['/etc/passwd.txt', 'filename="passwd.txt"']]) {
			const f = await makeFile(b, {}, alice.call, part(name, 'x'))
			assert.equal((await alice.call('GET', `/storage/buckets/${b.$id}/files/${f.$id}/download`)).headers['content-disposition'], `attachment; ${want}`)
		}
		const f = form({ fileId: 'unique()', file: { ...part('', 'x'), filename: 'x"; filename*=UTF-8\'\'%e2%82%ac%22%0d%0a.txt' } })
		const r = await alice.call('POST', `/storage/buckets/${b.$id}/files`, f)
		assert.equal(r.status, 201, r.text)
		const d = (await alice.call('GET', `/storage/buckets/${b.$id}/files/${r.body.$id}/download`)).headers['content-disposition']
		assert.equal(d, `attachment; filename="_\\"__.txt\\""; filename*=UTF-8''%E2%82%AC%22%0D%0A.txt%22`)
	})

	test('names that are long: what a head can carry, with the extension', async () => {
		const b = await makeBucket(), send = (name) => upload(alice.call, b.$id, 'unique()', part(name, 'x'))
		for (const [name, told] of [['x'.repeat(2044) + '.txt'], ['é'.repeat(512), 512], ['é'.repeat(2044) + '.txt', 511], ['😀'.repeat(2044) + '.txt', 255], [`${'日'.repeat(1000)}.${'本'.repeat(1000)}`, 341], ['日'.repeat(341) + '.png', 340]]) {
			const r = await send(name), points = [...name]
			assert.deepEqual([r.status, r.body.name], [201, name])
			const d = (await alice.call('GET', `/storage/buckets/${b.$id}/files/${r.body.$id}/view`)).headers['content-disposition'], long = /filename\*=UTF-8''(.*)$/.exec(d)?.[1]
			assert.ok(d.length < 4000, `${d.length} bytes`)
			const end = /\.(txt|png)$/.exec(name)?.[0] ?? ''
			if (told) assert.equal(decodeURIComponent(long), points.slice(0, told).join('') + (points.length > told ? end : ''), name.slice(-9))
			else assert.equal(d, `inline; filename="${name}"`)
		}
		for (const name of ['x'.repeat(2049), '😀'.repeat(2049), `${'x'.repeat(2045)}.txt`]) fails(await send(name), 400, 'document_invalid_structure')
	})

	test('HEAD tells what GET would, on every route that reads', async () => {
		const b = await makeBucket({ permissions: ['read("any")', 'create("users")'] }), f = await makeFile(b), of = `/storage/buckets/${b.$id}`
		const varies = new Set(['date', 'expires', 'connection', 'keep-alive', 'transfer-encoding', 'x-request-id', 'x-debug-speed', 'x-appwrite-cache'])
		const heads = (r) => Object.fromEntries(Object.entries(r.headers).filter(([name]) => !varies.has(name)))
		for (const target of ['/storage/buckets', of, `${of}/files`, `${of}/files/${f.$id}`, `${of}/files/${f.$id}/view`, `${of}/files/${f.$id}/download`, `${of}/files/${f.$id}/preview`, `${of}/files/none/view`, '/storage/usage', `/storage/${b.$id}/usage`,
			'/avatars/flags/de', '/avatars/browsers/ff', '/avatars/credit-cards/visa', '/avatars/qr?text=a', '/avatars/initials?name=a', '/avatars/flags/none', '/locale/countries', '/locale/countries/eu', '/locale/countries/phones',
			'/locale/continents', '/locale/currencies', '/locale/languages', '/health', '/health/anti-virus', '/health/queue/webhooks', '/health/queue/logs', '/health/version'])
			for (const headers of [{}, { range: 'bytes=2-5' }]) {
				const get = await p.call('GET', target, { headers }), head = await p.call('HEAD', target, { headers })
				assert.deepEqual([head.status, head.raw.length, heads(head)], [get.status, 0, heads(get)], target)
			}
	})

	test('conditions', async () => {
		const b = await makeBucket(), id = unique('f'), at = `/storage/buckets/${b.$id}/files/${id}/view`
		await upload(alice.call, b.$id, id, part('a.txt', text))
		const tag = (await alice.call('GET', at)).headers.etag
		assert.match(tag, /^"[!-~]+"$/)
		for (const given of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
			const r = await alice.call('GET', at, { headers: { 'if-none-match': given, range: 'bytes=5000-' } })
			assert.deepEqual([r.status, r.raw.length, r.headers.etag], [304, 0, tag], given)
		}
		assert.equal((await alice.call('GET', at, { headers: { 'if-none-match': '"other"' } })).status, 200)
		for (const [given, status] of [[tag, 206], [`W/${tag}`, 200], ['"other"', 200], ['', 200], ['Sat, 29 Oct 1994 19:43:31 GMT', 200], ['Sat, 29 Oct 2094 19:43:31 GMT', 200], [`${tag}, ${tag}`, 200]])
			assert.equal((await alice.call('GET', at, { headers: { 'if-range': given, range: 'bytes=0-9' } })).status, status, given)
		await alice.ok('DELETE', at.slice(0, -5), { status: 204 })
		await upload(alice.call, b.$id, id, part('a.txt', text))
		const again = await alice.call('GET', at, { headers: { 'if-none-match': tag } })
		assert.equal(again.status, 200)
		assert.notEqual(again.headers.etag, tag)
	})

	test('what a browser might run is never shown as what it is', async () => {
		const b = await makeBucket()
		const svg = '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
		const bare = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', generator = '<!-- Generator: of some program, > and < -->'
		const svgs = [bare, `${generator}\n${bare}`, `\ufeff${bare}`, `\n\t ${bare}`, `<?xml version="1.0"?>\n${generator}\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd" [\n<!ENTITY x "http://x/">\n]>\n${generator}${bare}`,
			'<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:script>alert(1)</s:script></s:svg>', `<!--${'x'.repeat(100000)}-->${bare}`]
		const no = ['<!DOCTYPE html><svg></svg><script>alert(1)</script>'.replace('<svg>', '<p><svg>'), '<!-- <svg></svg>', '<?xml <svg/>', '<x><svg xmlns="http://www.w3.org/2000/svg"/></x>', ':svg ', '<', '<!DOCTYPE x [ <svg/>', `<!DOCTYPE html>${'<!DOCTYPE html>'.repeat(17000)}${bare}`, `<!DOCTYPE html><!DOCTYPE html>${bare}`]
		for (const [name, bytes, type, csp] of [...svgs.map((x) => ['picture', x, 'image/svg+xml', /sandbox/]), ...no.map((x) => ['a.svg', x, 'text/plain', "script-src 'none'"]),
			['a.mht', 'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>\r\n--b--\r\n', 'text/plain', "script-src 'none'"],
			['a.xhtml', '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>', 'text/plain', "script-src 'none'"], ['a.html', '<!DOCTYPE html><html><script>alert(1)</script></html>', 'text/plain', "script-src 'none'"],
			['a.png', '<!DOCTYPE html><html><body>x</body></html>', 'text/plain', "script-src 'none'"], ['a.svg', svg, 'image/svg+xml', /sandbox/],
			['a.xml', '<?xml version="1.0"?><x/>', 'text/plain', "script-src 'none'"], ['a.js', 'function f() { return 1 }', 'text/plain', "script-src 'none'"]]) {
			const f = await makeFile(b, {}, alice.call, part(name, bytes)), at = `/storage/buckets/${b.$id}/files/${f.$id}`
			const r = await alice.call('GET', `${at}/view`), d = await alice.call('GET', `${at}/download`)
			assert.equal(r.headers['content-type'], type, name)
			if (csp instanceof RegExp) assert.match(r.headers['content-security-policy'], csp)
			else assert.equal(r.headers['content-security-policy'], csp)
			assert.equal(r.headers['x-content-type-options'], 'nosniff')
			assert.match(d.headers['content-disposition'], /^attachment/)
			assert.equal(d.text, bytes)
		}
	})

	test('not found', async () => {
		const b = await makeBucket()
		for (const how of ['download', 'view']) {
			fails(await alice.call('GET', `/storage/buckets/${b.$id}/files/none/${how}`), 404, 'storage_file_not_found')
			fails(await alice.call('GET', `/storage/buckets/none/files/none/${how}`), 404, 'storage_bucket_not_found')
			fails(await alice.call('GET', `/storage/buckets/${b.$id}/files/_x/${how}`), 400, 'general_argument_invalid')
		}
	})
})

describe('usage', () => {
	test('of all buckets and of one', async () => {
		const b = await makeBucket()
		await makeFile(b)
		const one = await until('it is counted', async () => {
			const now = await p.ok('GET', `/storage/${b.$id}/usage`, { query: { range: '7d' } })
			return now.filesCount.at(-1).value === 1 && now.filesCreate.at(-1).value === 1 && now
		})
		const all = await p.ok('GET', '/storage/usage', { query: { range: '24h' } })
		assert.equal(all.storage.length, 48)
		assert.ok(all.storage.at(-1).value >= text.length)
		assert.equal(one.filesCount.at(-1).value, 1)
		assert.equal(one.filesStorage.at(-1).value, text.length)
		assert.equal(one.filesCreate.at(-1).value, 1)
		assert.equal((await p.admin('GET', '/storage/usage')).status, 200)
		for (const call of [alice.call, p.guest]) {
			fails(await call('GET', '/storage/usage'), 401, 'user_unauthorized')
			fails(await call('GET', `/storage/${b.$id}/usage`), 401, 'user_unauthorized')
		}
		fails(await p.call('GET', '/storage/usage', { query: { range: 'x' } }), 400, 'general_argument_invalid')
		fails(await p.call('GET', '/storage/none/usage'), 404, 'storage_bucket_not_found')
	})
})
