/* Files at a provider that speaks S3: a real server from npm, and between it and us a proxy that spoils what it is told to. Whatever happens there, nobody is told that
 * a file is stored that is not, nobody gets a short file that looks whole, and nobody sees the provider's words. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'

import { part, upload, uploadChunks } from '../lib/form.mjs'
import { provider } from '../lib/s3.mjs'
import { dataDir, run, settings, start, unique, until } from '../lib/server.mjs'

const MiB = 1 << 20
let store, s, p, bucket, made = 0

const makeBucket = (more = {}) => p.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name: 'Bucket', encryption: false, antivirus: false, permissions: ['read("any")'], ...more } })
const send = async (bytes, { b = bucket, id = `f${++made}`, ...more } = {}) => upload(p.call, b.$id, id, part('a.bin', bytes), more)
const download = (id, { b = bucket, ...more } = {}) => p.call('GET', `/storage/buckets/${b.$id}/files/${id}/download`, more)
const metric = async (name) => Number(new RegExp(`^badal_${name} (\\d+)`, 'm').exec((await s.call('GET', '/metrics', { root: true })).text)[1])
const stored = () => store.objects().length

/* Nothing of the provider's own words. */
function ours(r, status) {
	assert.equal(r.status, status, r.text)
	assert.doesNotMatch(r.text, /<|Words of|secret|NoSuch|SlowDown|p_\d+\/files/)
}

before(async () => {
	store = await provider({ prefix: 'some/where' })
	s = await start({ conf: { ...store.conf, storage_s3_part: '5m', storage_s3_tries: 4 } })
	p = await s.project({ scopes: ['files.read', 'files.write', 'buckets.read', 'buckets.write'] })
	bucket = await makeBucket()
})
beforeEach(() => { store.heal(); store.seen.length = 0 })
after(async () => { await s?.stop(); await store?.stop() })

describe('what goes right', () => {
	for (const kind of [{}, { encryption: true }, { compression: 'gzip' }, { compression: 'zstd', encryption: true }])
		test(`there and back: ${JSON.stringify(kind)}`, async () => {
			const b = await makeBucket(kind)
			for (const n of [0, 1, 65536, 65537, 1000000]) {
				const bytes = kind.compression ? Buffer.from('some words '.repeat(n / 11 + 1)).subarray(0, n) : randomBytes(n), id = `n${n}`
				assert.equal((await send(bytes, { b, id })).status, 201)
				const r = await download(id, { b })
				assert.equal(r.status, 200)
				assert.ok(r.raw.equals(bytes), `${n} bytes`)
				for (const [from, to] of [[0, 0], [65530, 65545], [n - 40, n - 1]])
					if (from >= 0 && to < n) {
						const cut = await download(id, { b, headers: { range: `bytes=${from}-${to}` } })
						assert.equal(cut.status, 206)
						assert.ok(cut.raw.equals(bytes.subarray(from, to + 1)), `${from}-${to} of ${n}`)
					}
			}
			assert.ok(store.objects().every((o) => o.key.startsWith('some/where/p_')))
		})

	test('parts of equal size, put together', async () => {
		const bytes = randomBytes(5.6 * MiB)
		assert.equal((await send(bytes, { id: 'parts' })).status, 201)
		const asked = store.seen.map((r) => `${r.method} ${r.url.replace(/uploadId=.*/, 'uploadId=')} ${r.headers['content-length'] ?? ''}`.replace(/\/files\S*\//, ''))
		assert.deepEqual(asked.map((a) => a.replace(/[0-9a-f]{32}/, '')), ['POST ?uploads= 0', `PUT ?partNumber=1&uploadId= ${5 * MiB}`, `PUT ?partNumber=2&uploadId= ${bytes.length - 5 * MiB}`,
			asked[3].replace(/[0-9a-f]{32}/, '')])
		assert.match(asked[3], /^POST [0-9a-f]+\?uploadId= \d+$/)
		assert.ok(store.seen.filter((r) => r.method === 'PUT').every((r) => r.headers['content-md5'] && /^[0-9a-f]{64}$/.test(r.headers['x-amz-content-sha256'])))
		assert.ok(store.seen.every((r) => !Object.keys(r.headers).some((h) => /checksum|acl/.test(h))))
		assert.ok((await download('parts')).raw.equals(bytes))
	})

	test('a file in chunks', async () => {
		const bytes = randomBytes(11 * MiB), b = await makeBucket({ encryption: true })
		const r = await uploadChunks(p.call, b.$id, 'chunks', 'a.bin', bytes, 5 * MiB)
		assert.equal(r.status, 201)
		assert.ok((await download('chunks', { b })).raw.equals(bytes))
	})

	test('a file in 400 chunks, in any order and eight at once', { timeout: 240000 }, async () => {
		const size = 1000, bytes = randomBytes(399 * size + 1), order = [...Array(400).keys()].sort((a, b) => ((a * 7919) % 400) - ((b * 7919) % 400)), n = stored()
		const send_ = (i) => upload(p.call, bucket.$id, 'unique()', part('a.bin', bytes.subarray(i * size, (i + 1) * size)), { start: i * size, total: bytes.length, id: 'many' })
		assert.equal((await send_(order[0])).status, 201)
		let at = 1, done
		await Promise.all(Array.from({ length: 8 }, async () => {
			while (at < order.length) {
				const r = await send_(order[at++])
				assert.equal(r.status, 201, r.text)
				if (r.body.chunksUploaded === r.body.chunksTotal) done = r.body
			}
		}))
		assert.deepEqual([done.chunksTotal, done.sizeOriginal], [400, bytes.length])
		assert.ok((await download('many')).raw.equals(bytes))
		assert.ok((await download('many', { headers: { range: 'bytes=199990-200009' } })).raw.equals(bytes.subarray(199990, 200010)))
		assert.equal((await p.call('DELETE', `/storage/buckets/${bucket.$id}/files/many`)).status, 204)
		await until('its objects go', () => stored() === n)
	})

	test('what is removed is gone there', async () => {
		const n = stored()
		assert.equal((await send(randomBytes(1000), { id: 'gone' })).status, 201)
		assert.equal(stored(), n + 1)
		assert.equal((await p.call('DELETE', `/storage/buckets/${bucket.$id}/files/gone`)).status, 204)
		await until('the object goes', () => stored() === n)
	})

	test('a bucket is removed, and none beside it', async () => {
		const [one, other] = [await makeBucket(), await makeBucket()], n = stored()
		for (let i = 0; i < 30; i++) assert.equal((await send(Buffer.from('x'), { b: one, id: `x${i}` })).status, 201)
		assert.equal((await send(Buffer.from('y'), { b: other, id: 'y' })).status, 201)
		assert.equal((await p.call('DELETE', `/storage/buckets/${one.$id}`)).status, 204)
		await until('its objects go', () => stored() === n + 1)
		assert.equal((await download('y', { b: other })).text, 'y')
	})
})

describe('the operator', () => {
	const badal = (...args) => run([...args, ...settings({ data_dir: s.dataDir, ...store.conf, storage_s3_tries: 2 })])

	test('doctor tries it', async () => {
		let r = await run(['doctor', ...settings({ data_dir: s.dataDir, ...store.conf })])
		assert.match(r.out, /storage s3 http:\S+ can be written and read/)
		r = await run(['doctor', ...settings({ data_dir: s.dataDir, ...store.conf, storage_s3_secret: 'wrong' })])
		assert.match(r.out, /storage s3 \S+: PUT \S+: status 403, code SignatureDoesNotMatch/)
		assert.equal(r.code, 1)
		for (const [more, words] of [[{ storage_s3_bucket: '' }, /storage_s3_bucket is missing/], [{ storage_s3_key: '' }, /storage_s3_key and/], [{ storage_s3_region: 'a b' }, /no name of a region/],
			[{ storage_s3_endpoint: 'ftp://x' }, /storage_s3_endpoint is not/], [{ storage_s3_prefix: '../x' }, /storage_s3_prefix is not/]]) {
			r = await run(['doctor', ...settings({ data_dir: s.dataDir, ...store.conf, ...more })])
			assert.match(r.out + r.err, words)
			assert.notEqual(r.code, 0)
		}
		assert.ok(!store.objects().some((o) => /probe/.test(o.key)))
	})

	test('check and the end of old uploads', async () => {
		let r = await badal('storage', 'check', '--deep')
		assert.equal(r.code, 0, r.out + r.err)
		store.spoil('stale', { method: 'GET', url: /uploads=/ })
		r = await badal('storage', 'check', '--repair')
		assert.equal(r.code, 0, r.out + r.err)
		assert.deepEqual(store.seen.filter((q) => q.method === 'DELETE').map((q) => q.url), ['/files/some/where/p_1/files/1/aa/aaold?uploadId=old%26id'])
		store.spoil('alien', { method: 'GET', url: /uploads=/ })
		assert.equal((await badal('storage', 'check', '--repair')).code, 0)
	})

	test('a provider that cannot remove many at once', async () => {
		const one = await makeBucket(), n = stored()
		for (let i = 0; i < 5; i++) assert.equal((await send(Buffer.from('x'), { b: one, id: `x${i}` })).status, 201)
		store.spoil('alien', { method: 'POST', url: /delete=/, times: 99 })
		assert.equal((await p.call('DELETE', `/storage/buckets/${one.$id}`)).status, 204)
		await until('its objects go', () => stored() === n)
	})

	test('from a directory to a provider', async () => {
		const data = dataDir()
		let local = await start({ data })
		try {
			const q = await local.project(), b = await q.ok('POST', '/storage/buckets', { body: { bucketId: 'b', name: 'b', antivirus: false, permissions: ['read("any")'] } }), bytes = randomBytes(5.2 * MiB)
			assert.equal((await upload(q.call, b.$id, 'f', part('a.bin', bytes))).status, 201)
			assert.equal((await upload(q.call, b.$id, 'empty', part('a.bin', ''))).status, 201)
			store.spoil('500', { method: 'PUT', times: 1 })
			const r = await run(['storage', 'move', '--to', '-', ...settings({ data_dir: local.dataDir, storage_s3_part: '5m' })], { input: `s3://S3RVER:S3RVER@files/moved?region=us-east-1&endpoint=http://127.0.0.1:${store.port}\n` })
			assert.equal(r.code, 0, r.out + r.err)
			assert.match(r.out, /2 copied/)
			await local.stop()
			rmSync(path.join(local.dataDir, 'storage', 'p_1'), { recursive: true })
			local = await start({ data, conf: { ...store.conf, storage_s3_prefix: 'moved' } })
			assert.ok((await local.call('GET', `/storage/buckets/b/files/f/download`, { project: q.id, key: q.key })).raw.equals(bytes))
			assert.equal((await local.call('GET', `/storage/buckets/b/files/empty/download`, { project: q.id, key: q.key })).raw.length, 0)
		} finally {
			await local.stop()
			rmSync(data, { recursive: true, force: true })
		}
	})
})

describe('a provider that stumbles', () => {
	for (const kind of ['500', '503', '429', 'cut', 'unanswered', 'slow', 'skew', 'hang'])
		test(`upload: ${kind}`, async () => {
			const bytes = randomBytes(200000), id = unique('u'), again = await metric('storage_retries_total')
			store.spoil(kind, { method: 'PUT', times: kind === 'hang' ? 1 : 2 })
			assert.equal((await send(bytes, { id })).status, 201)
			assert.equal(await metric('storage_retries_total') - again, kind === 'slow' ? 0 : kind === 'hang' ? 1 : 2)
			store.heal()
			assert.ok((await download(id)).raw.equals(bytes))
		})

	for (const [what, rule] of Object.entries({ 'no id': { kind: '500', method: 'POST', url: /uploads=$/ }, 'a part': { kind: 'cut', method: 'PUT', url: /partNumber=2/ },
		'putting together': { kind: '503', method: 'POST', url: /\?uploadId=/ }, 'an error after the head': { kind: 'late', method: 'POST', url: /\?uploadId=/ },
		'a lost answer': { kind: 'unanswered', method: 'POST', url: /\?uploadId=/ } }))
		test(`parts: ${what}`, async () => {
			const bytes = randomBytes(5.2 * MiB), id = unique('m')
			store.spoil(rule.kind, rule)
			assert.equal((await send(bytes, { id })).status, 201)
			assert.ok((await download(id)).raw.equals(bytes))
		})

	for (const kind of ['500', '503', 'cut', 'half', 'slow', 'skew', 'hang'])
		test(`download: ${kind}`, async () => {
			const bytes = randomBytes(3 * MiB), id = unique('d')
			assert.equal((await send(bytes, { id })).status, 201)
			store.spoil(kind, { method: 'GET', url: /\/p_\d+\/files\/\d+\//, times: kind === 'hang' ? 1 : 2 })
			const r = await download(id)
			assert.equal(r.status, 200)
			assert.ok(r.raw.equals(bytes))
			if (kind === 'half') assert.deepEqual(store.seen.filter((q) => q.method === 'GET' && q.headers.range).map((q) => Boolean(q.headers['if-match'])), [false, true, true])
		})
})

describe('a provider that fails', () => {
	for (const kind of ['500', '403', '400', 'bucket', 'cut'])
		test(`upload: ${kind}`, async () => {
			const id = unique('f'), n = stored()
			store.spoil(kind, { method: 'PUT', times: 99 })
			ours(await send(randomBytes(1000), { id }), 503)
			store.heal()
			assert.equal((await p.call('GET', `/storage/buckets/${bucket.$id}/files/${id}`)).status, 404)
			assert.equal((await send(Buffer.from('now'), { id })).status, 201)
			assert.equal((await download(id)).text, 'now')
			assert.equal(stored(), n + 1)
		})

	test('a clock that is wrong by an hour', async () => {
		store.skew = 3600e3
		const r = await send(randomBytes(1000)), puts = store.seen.filter((q) => q.method === 'PUT')	/* what the one before left is still removed */
		store.skew = 0
		ours(r, 503)
		assert.deepEqual(puts.map((q) => q.wrong), Array(4).fill('RequestTimeTooSkewed'))
		assert.equal((await send(randomBytes(1000))).status, 201)
	})

	test('upload: full', async () => {
		store.spoil('full', { method: 'PUT', times: 99 })
		const r = await send(randomBytes(1000))
		ours(r, 507)
		assert.equal(r.body.type, 'general_storage_full')
		assert.equal(store.seen.filter((q) => q.method === 'PUT').length, 1)
	})

	test('parts are aborted', async () => {
		store.spoil('500', { method: 'PUT', url: /partNumber=2/, times: 99 })
		ours(await send(randomBytes(5.2 * MiB)), 503)
		await until('it is aborted', () => store.seen.some((q) => q.method === 'DELETE' && /uploadId=/.test(q.url)))
	})

	test('the upload is lost there', async () => {
		store.spoil('lost', { method: 'POST', url: /\?uploadId=/, times: 99 })
		const id = unique('l')
		ours(await send(randomBytes(5.2 * MiB), { id }), 503)
		store.heal()
		assert.equal((await p.call('GET', `/storage/buckets/${bucket.$id}/files/${id}`)).status, 404)
		assert.equal((await send(Buffer.from('now'), { id })).status, 201)
	})

	test('download: down', async () => {
		const id = unique('d')
		assert.equal((await send(randomBytes(1000), { id })).status, 201)
		for (const kind of ['500', '403', 'bucket']) {
			store.spoil(kind, { method: 'GET', times: 99 })
			ours(await download(id), 503)
			store.heal()
		}
		assert.equal((await download(id)).status, 200)
	})

	test('the object is gone', async () => {
		const id = unique('g'), before = stored()
		assert.equal((await send(randomBytes(1000), { id })).status, 201)
		const known = store.seen.find((q) => q.method === 'PUT').url.split('/').at(-1)
		for (const o of store.objects().filter((x) => x.key.endsWith(known))) rmSync(o.file)
		assert.equal(stored(), before)
		ours(await download(id), 404)
		assert.equal((await p.call('DELETE', `/storage/buckets/${bucket.$id}/files/${id}`)).status, 204)
		assert.equal((await p.call('GET', `/storage/buckets/${bucket.$id}/files/${id}`)).status, 404)
	})

	test('a download may take longer than a request, as long as bytes come', async () => {
		const bytes = randomBytes(MiB), hasty = await start({ conf: { ...store.conf, storage_s3_timeout: '20s', request_timeout: '5s' } })
		try {
			const q = await hasty.project({ scopes: ['files.write', 'files.read', 'buckets.write'] })
			const b = await q.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name: 'Bucket', encryption: true, antivirus: false, permissions: ['read("any")'] } })
			assert.equal((await upload(q.call, b.$id, 'f', part('a.bin', bytes))).status, 201)
			store.spoil('drip', { method: 'GET', times: 100 })
			const r = await q.call('GET', `/storage/buckets/${b.$id}/files/f/download`)
			assert.ok(r.raw.equals(bytes), `${r.status}, ${r.raw.length} bytes`)
		} finally { await hasty.stop() }
	})

	test('a download that is cut again and again breaks, and does not end', async () => {
		const id = unique('c'), bytes = randomBytes(4 * MiB)
		assert.equal((await send(bytes, { id })).status, 201)
		store.spoil('half', { method: 'GET', url: /\/files\//, times: 1 })
		store.spoil('cut', { method: 'GET', url: /\/files\//, times: 99 })
		const got = await new Promise((ok) => {
			let n = 0
			http.get(`${s.endpoint}/storage/buckets/${bucket.$id}/files/${id}/download`, { headers: { 'x-appwrite-project': p.id } }, (r) => {
				r.on('data', (d) => (n += d.length))
				r.on('end', () => ok({ n, whole: r.complete }))
				r.on('error', () => ok({ n, whole: false }))
			}).on('error', () => ok({ n, whole: false }))
		})
		assert.ok(!got.whole && got.n < bytes.length, JSON.stringify(got))
	})

	test('a range that the provider does not know is no damage to us', async () => {
		const id = unique('w'), bytes = randomBytes(100000)
		assert.equal((await send(bytes, { id })).status, 201)
		store.spoil('whole', { method: 'GET', url: /\/files\//, times: 9 })
		assert.ok((await download(id)).raw.equals(bytes))
		ours(await download(id, { headers: { range: 'bytes=500-999' } }), 503)
	})
})
