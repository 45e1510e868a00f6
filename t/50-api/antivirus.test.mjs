/* The virus scanner: signatures of our own in a directory, the real library, a process per connection. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { after, before, describe, test } from 'node:test'
import { part, upload, uploadChunks } from '../lib/form.mjs'
import { server, unique, until } from '../lib/server.mjs'
import { fails } from './lib.mjs'

/* In two pieces, so that no scanner takes this file for one. */
const eicar = Buffer.from('X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD' + '-ANTIVIRUS-TEST-FILE!$H+H*')
const dir = mkdtempSync(path.join(os.tmpdir(), 'badal-signatures-'))
const sign = (name, bytes, file = 'own.ndb') => writeFileSync(path.join(dir, file), `${name}:0:*:${bytes.toString('hex')}\n`, { flag: 'a' })
let s, p, b, plain

before(async () => {
	chmodSync(dir, 0o755)
	sign('Test.Eicar', eicar)
	s = await server({ own: true, conf: { antivirus_db: dir, storage_limit: '60m' } })
	p = await s.project()
	b = await p.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name: 'B', compression: 'gzip' } })
	plain = await p.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name: 'Plain', antivirus: false } })
})
after(async () => {
	await s?.stop()
	rmSync(dir, { recursive: true, force: true })
})

/* A ZIP archive of one stored file. */
function zip(name, bytes) {
	const head = Buffer.alloc(30), central = Buffer.alloc(46), end = Buffer.alloc(22), n = Buffer.from(name), crc = crc32(bytes)
	head.writeUInt32LE(0x04034b50, 0)
	head.writeUInt16LE(20, 4)
	head.writeUInt32LE(crc, 14)
	head.writeUInt32LE(bytes.length, 18)
	head.writeUInt32LE(bytes.length, 22)
	head.writeUInt16LE(n.length, 26)
	central.writeUInt32LE(0x02014b50, 0)
	central.writeUInt16LE(20, 6)
	central.writeUInt32LE(crc, 16)
	central.writeUInt32LE(bytes.length, 20)
	central.writeUInt32LE(bytes.length, 24)
	central.writeUInt16LE(n.length, 28)
	end.writeUInt32LE(0x06054b50, 0)
	end.writeUInt16LE(1, 8)
	end.writeUInt16LE(1, 10)
	end.writeUInt32LE(46 + n.length, 12)
	end.writeUInt32LE(30 + n.length + bytes.length, 16)
	return Buffer.concat([head, n, bytes, central, n, end])
}

const scanners = () => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
	try { return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'badal-scan\n' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dir) } catch { return false }
})
async function refused(id, r) {
	fails(r, 403, 'storage_invalid_file')
	fails(await p.call('GET', `/storage/buckets/${b.$id}/files/${id}`), 404, 'storage_file_not_found')
	assert.equal((await upload(p.call, b.$id, id, part('clean.txt', 'clean'))).status, 201)	/* the id is free */
}

describe('what is found', () => {
	test('plain, zipped, zipped twice, far behind the start, between two chunks', async () => {
		const behind = (n) => Buffer.concat([Buffer.alloc(n, 'x'), eicar])
		for (const [what, bytes, chunk] of [['plain', eicar], ['zipped', zip('a.com', eicar)], ['twice', zip('b.zip', zip('a.com', eicar))], ['behind 12 MB', behind(12 << 20), 5 << 20],
			['behind 22 MB', behind(22 << 20), 5 << 20], ['between chunks', behind(100000 - 30), 100000]]) {
			const id = unique('f'), r = chunk ? await uploadChunks(p.call, b.$id, id, 'a.bin', bytes, chunk) : await upload(p.call, b.$id, id, part('a.bin', bytes))
			assert.equal(r.status, 403, what)
			await refused(id, r)
		}
	})

	test('clean files are taken, whole and in chunks', async () => {
		const bytes = Buffer.alloc(5.4 * (1 << 20), 'clean '), r = await uploadChunks(p.call, b.$id, unique('f'), 'a.bin', bytes, 5 << 20)
		assert.equal(r.body.chunksUploaded, 2)
		assert.ok((await p.call('GET', `/storage/buckets/${b.$id}/files/${r.body.$id}/download`)).raw.equals(bytes))
		assert.equal((await upload(p.call, b.$id, unique('f'), part('empty', ''))).status, 201)
		const locked = zip('secret.txt', Buffer.from('0123456789abcdef'))
		locked.writeUInt16LE(1, 6)	/* a password is no virus */
		assert.equal((await upload(p.call, b.$id, unique('f'), part('a.zip', locked))).status, 201)
	})

	test('a bucket that does not ask for it stores anything', async () => {
		const r = await upload(p.call, plain.$id, unique('f'), part('a.com', eicar))
		assert.equal(r.status, 201)
		assert.ok((await p.call('GET', `/storage/buckets/${plain.$id}/files/${r.body.$id}/download`)).raw.equals(eicar))
	})

	test('the last part to come decides, and what the bucket says by then', async () => {
		const bytes = Buffer.concat([eicar, Buffer.alloc(20000, 'x')]), size = 7000, send = (bucket, id, i) => upload(p.call, bucket.$id, 'unique()', part('a.bin', bytes.subarray(i * size, (i + 1) * size)), { start: i * size, total: bytes.length, id })
		const backwards = unique('f')
		for (const i of [2, 1]) assert.equal((await send(b, backwards, i)).status, 201)
		await refused(backwards, await send(b, backwards, 0))
		for (const [before, now] of [[true, false], [false, true]]) {
			const c = await p.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name: 'C', antivirus: before } }), id = unique('f')
			for (const i of [0, 1]) assert.equal((await send(c, id, i)).status, 201)
			await p.ok('PUT', `/storage/buckets/${c.$id}`, { body: { name: 'C', antivirus: now } })
			const r = await send(c, id, 2)
			if (!now) assert.equal(r.status, 201, r.text)
			else fails(r, 403, 'storage_invalid_file')
			assert.equal((await p.call('GET', `/storage/buckets/${c.$id}/files/${id}`)).status, now ? 404 : 200)
		}
	})

	test('many at once', async () => {
		const all = await Promise.all(Array.from({ length: 24 }, (_, i) => upload(p.call, b.$id, unique('f'), part('a.bin', i % 3 ? Buffer.alloc(200000, `${i}`) : eicar))))
		for (const [i, r] of all.entries()) assert.ok([i % 3 ? 201 : 403, 503].includes(r.status), r.text)
		assert.ok(all.some((r) => r.status === 201) && all.some((r) => r.status === 403))
	})
})

describe('the scanner itself', () => {
	test('health tells its version', async () => {
		const r = await p.ok('GET', '/health/anti-virus')
		assert.equal(r.status, 'pass')
		assert.match(r.version, /^ClamAV \d.*, \d+ signatures$/)
	})

	test('it has no connection, no secret and no right', () => {
		const pids = scanners()
		assert.ok(pids.length > 0)
		for (const pid of pids) {
			assert.equal(readFileSync(`/proc/${pid}/environ`, 'latin1').includes('BADAL'), false)
			for (const fd of readdirSync(`/proc/${pid}/fd`)) {
				let to = ''
				try { to = execFileSync('readlink', [`/proc/${pid}/fd/${fd}`]).toString() } catch { continue }
				assert.doesNotMatch(to, /TCP|postgres|redis/)
			}
		}
		const jailed = pids.filter((pid) => /^Seccomp:\t2$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
		assert.ok(process.env.BADAL_SANITIZED || jailed.length >= pids.length - 1, 'all but the one that forks')
	})

	test('killed in the middle: refused or scanned anew, never taken unseen', async () => {
		const sent = Array.from({ length: 6 }, (_, i) => upload(p.call, b.$id, unique('f'), part('a.bin', Buffer.concat([Buffer.alloc(2000000, `${i}`), eicar]))))
		for (let i = 0; i < 5; i++) {
			await new Promise((ok) => setTimeout(ok, 20))
			for (const pid of scanners()) try { process.kill(Number(pid), 'SIGKILL') } catch { /* it went meanwhile */ }
		}
		for (const r of await Promise.all(sent)) assert.ok([403, 503].includes(r.status), r.text)
		await until('it is back', async () => (await upload(p.call, b.$id, unique('f'), part('a', 'clean'))).status === 201)
	})

	test('signatures that change on disk count from then on', async () => {
		const bad = Buffer.from('something that nobody knew to be bad yesterday')
		assert.equal((await upload(p.call, b.$id, unique('f'), part('a.bin', bad))).status, 201)
		sign('Test.New', bad, 'new.ndb')
		fails(await upload(p.call, b.$id, unique('f'), part('a.bin', bad)), 403, 'storage_invalid_file')
	})
})

test('signatures that cannot be read: nothing is taken unseen', async () => {
	const broken = mkdtempSync(path.join(os.tmpdir(), 'badal-signatures-'))
	chmodSync(broken, 0o755)
	writeFileSync(path.join(broken, 'own.ndb'), 'this is no signature\n')
	const t = await server({ own: true, conf: { antivirus_db: broken } })
	try {
		const q = await t.project(), c = await q.ok('POST', '/storage/buckets', { body: { bucketId: 'b', name: 'B' } })
		fails(await upload(q.call, c.$id, 'f', part('a', 'clean')), 503, 'general_antivirus_down')
		fails(await q.call('GET', `/storage/buckets/${c.$id}/files/f`), 404, 'storage_file_not_found')
		assert.equal((await q.ok('GET', '/health/anti-virus')).status, 'fail')
	} finally {
		await t.stop()
		rmSync(broken, { recursive: true, force: true })
	}
})

test('without signatures: required refuses, on does not, health says so', async () => {
	for (const [antivirus, status, health] of [['required', 503, 'fail'], ['on', 201, 'disabled'], ['off', 201, 'disabled']]) {
		const t = await server({ own: true, conf: { antivirus } })
		try {
			const q = await t.project(), c = await q.ok('POST', '/storage/buckets', { body: { bucketId: 'b', name: 'B' } })
			const r = await upload(q.call, c.$id, 'f', part('a', eicar))
			assert.equal(r.status, status, r.text)
			if (status === 503) assert.equal(r.body.type, 'general_antivirus_missing')
			assert.equal((await q.ok('GET', '/health/anti-virus')).status, health)
		} finally {
			await t.stop()
		}
	}
})
