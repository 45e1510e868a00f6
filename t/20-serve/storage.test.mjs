/* What an operator does with stored files: compare rows and bytes, and move them to another device under a server that works. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'

import { part, upload, uploadChunks } from '../lib/form.mjs'
import { dataDir, run, settings, start, unique, until } from '../lib/server.mjs'

/* The files of blobs; whose the storage is says another one. */
const below = (dir) => (existsSync(dir) ? readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? below(path.join(dir, e.name)) : e.name === 'installation' ? [] : [path.join(dir, e.name)])) : [])
const makeBucket = (p, more = {}) => p.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name: 'Bucket', antivirus: false, permissions: ['read("any")'], ...more } })
const send = async (p, b, id, bytes) => assert.equal((await upload(p.call, b.$id, id, part('a.bin', bytes))).status, 201)
const badal = (s, ...args) => run([...args, ...settings({ data_dir: s.dataDir, ...s.more })])

describe('check', () => {
	let s, p, b
	before(async () => {
		s = await start()
		p = await s.project()
		b = await makeBucket(p)
	})
	after(async () => { await s?.stop() })

	test('finds what is wrong, and removes what is nobody\'s', async () => {
		for (const id of ['fine', 'missing', 'short', 'spoiled']) await send(p, b, id, randomBytes(5000))
		let r = await badal(s, 'storage', 'check', '--deep')
		assert.equal(r.code, 0, r.out + r.err)
		assert.match(r.out, /4 blobs promised, 0 missing, 0 of another size, 0 damaged/)

		const files = below(path.join(s.dataDir, 'storage')), of = async (id) => {
			/* by its bytes: each file has a blob of its own */
			for (const f of files) {
				const whole = readFileSync(f)
				rmSync(f)
				const gone = (await p.call('GET', `/storage/buckets/${b.$id}/files/${id}/download`)).status !== 200
				writeFileSync(f, whole)
				if (gone) return f
			}
		}
		const [missing, short, spoiled] = [await of('missing'), await of('short'), await of('spoiled')]
		rmSync(missing)
		truncateSync(short, 100)
		const bytes = readFileSync(spoiled)
		bytes[2000] ^= 1
		writeFileSync(spoiled, bytes)
		const dir = path.dirname(spoiled), orphan = path.join(dir, `${path.basename(dir)}${'0'.repeat(30)}`), young = path.join(dir, `${path.basename(dir)}${'1'.repeat(30)}`)
		for (const f of [orphan, young]) writeFileSync(f, 'nobody\'s')
		utimesSync(orphan, new Date(Date.now() - 2 * 86400e3), new Date(Date.now() - 2 * 86400e3))

		r = await badal(s, 'storage', 'check')
		assert.equal(r.code, 1)
		assert.match(r.out, /missing +p_\d+\/files\/\S+ of file missing in bucket/)
		assert.match(r.out, /size +p_\d+\/files\/\S+ of file short in bucket/)
		assert.match(r.out, new RegExp(`orphan +\\S+${path.basename(orphan)}`))
		assert.doesNotMatch(r.out, /damaged +p_|1{30}/)
		r = await badal(s, 'storage', 'check', '--deep', '--repair')
		assert.equal(r.code, 1)
		assert.match(r.out, /damaged +p_\d+\/files\/\S+ of file spoiled in bucket/)
		assert.match(r.out, /1 of nobody, 1 removed/)
		const whose = path.join(s.dataDir, 'storage', 'installation'), own = readFileSync(whose, 'utf8')
		for (const other of ['of another database', own.replace(/.$/, (c) => (c === '1' ? '2' : '1'))]) {
			writeFileSync(whose, other)
			const foreign = await badal(s, 'storage', 'check', '--repair')
			assert.equal(foreign.code, 1)
			assert.match(foreign.err, /another database/)
		}
		assert.doesNotMatch((await badal(s, 'storage', 'check', '--repair', '--claim')).err, /another database/)
		assert.equal(readFileSync(whose, 'utf8'), own)
		assert.ok(!existsSync(orphan) && existsSync(young))
		for (const id of ['missing', 'short', 'spoiled']) assert.equal((await p.call('DELETE', `/storage/buckets/${b.$id}/files/${id}`)).status, 204)
		r = await badal(s, 'storage', 'check', '--deep')
		assert.equal(r.code, 0, r.out)
		assert.match(r.out, /1 blobs promised/)
	})

	test('knows parts that have no MD5 of their own', async () => {
		const plain = await makeBucket(p, { encryption: false }), bytes = randomBytes(25000), before = below(path.join(s.dataDir, 'storage'))
		const f = (await uploadChunks(p.call, plain.$id, 'parts', 'a.bin', bytes, 10000)).body
		assert.equal(f.signature, createHash('md5').update(bytes).digest('hex'))
		let r = await badal(s, 'storage', 'check', '--deep')
		assert.equal(r.code, 0, r.out + r.err)
		const one = below(path.join(s.dataDir, 'storage')).filter((f) => !before.includes(f))[0], spoiled = readFileSync(one)
		spoiled[2000] ^= 1
		writeFileSync(one, spoiled)
		r = await badal(s, 'storage', 'check', '--deep')
		assert.equal(r.code, 1)
		assert.match(r.out, new RegExp(`damaged +\\S+${path.basename(one)} of file parts in bucket`))
		assert.match(r.out, / 1 damaged/)
	})
})

describe('move', () => {
	test('under a server that works, stopped and gone on with', async () => {
		const data = dataDir(), other = path.join(data, 'data', 'other')
		let s = await start({ data })
		try {
			const p = await s.project(), contents = new Map(), buckets = [await makeBucket(p), await makeBucket(p, { encryption: false, compression: 'gzip' })]
			const put = async (n) => { const id = `f${contents.size}`, bytes = randomBytes(n); contents.set(id, { bytes, b: buckets[contents.size % 2] }); await send(p, contents.get(id).b, id, bytes) }
			for (let i = 0; i < 60; i++) await put(20000 + i)
			const all = async (server) => {
				for (const [id, { bytes, b }] of contents) {
					const r = await server.call('GET', `/storage/buckets/${b.$id}/files/${id}/download`, { project: p.id, key: p.key })
					assert.ok(r.status === 200 && r.raw.equals(bytes), `${id}: ${r.status}`)
				}
			}

			assert.equal((await badal(s, 'storage', 'move')).code, 2)
			for (const [to, words] of [['local:relative', /absolute path/], ['nowhere://a:b@c', /no such device/], ['s3://a:b@c?colour=red', /not colour/], ['s3:x', /not a device/],
				[`local:${path.join(s.dataDir, 'storage')}`, /where they are/]]) {
				const r = await badal(s, 'storage', 'move', '--to', to)
				assert.equal(r.code, 1, to)
				assert.match(r.err, words)
			}
			/* ahead, while more comes */
			let r = await badal(s, 'storage', 'move', '--to', `local:${other}`)
			assert.equal(r.code, 0, r.out + r.err)
			assert.match(r.out, /60 copied/)
			await put(30000)
			/* one at a time: the lock is the directory's, and goes with who has it */
			const holder = spawn('flock', [path.join(s.dataDir, 'storage'), 'sh', '-c', 'echo held; read end'], { stdio: ['pipe', 'pipe', 'inherit'] })
			await once(holder.stdout, 'data')
			r = await badal(s, 'storage', 'move', '--to', `local:${other}`)
			assert.deepEqual([r.code, r.out, r.err], [1, '', 'badal: another badal storage move is at work\n'])
			holder.stdin.end('\n')
			await once(holder, 'exit')
			r = await badal(s, 'storage', 'move', '--to', `local:${other}`)
			assert.match(r.out, /1 copied \(0 MiB\), 60 were there/)
			for (let i = 0; i < 10; i++) await put(40000)
			await s.stop()

			/* the other one is the device now; what it lacks is read from the former one, and what is deleted goes at both */
			const former = path.join(s.dataDir, 'storage'), more = { storage_dir: other, storage_also: `local:${former}` }
			s = await start({ data, conf: more })
			s.more = more
			await all(s)
			const gone = contents.get('f1')
			contents.delete('f1')
			assert.equal((await s.call('DELETE', `/storage/buckets/${gone.b.$id}/files/f1`, { project: p.id, key: p.key })).status, 204)
			await until('it goes at both', () => below(former).length === 70 && below(other).length === 60)
			let reading = true
			const readers = [1, 2].map(async () => { while (reading) await all(s) })
			for (;;) {	/* killed again and again */
				const killed = await run(['storage', 'move', ...settings({ data_dir: s.dataDir, ...more })], { ms: 60 })
				if (killed.signal === null || below(former).length < 40) break
				if (below(former).length === 70) break	/* too slow a machine: it never began */
			}
			r = await badal(s, 'storage', 'move')
			assert.equal(r.code, 0, r.out + r.err)
			reading = false
			await Promise.all(readers)
			assert.equal(below(former).length, 0)
			assert.equal(below(other).length, 70)
			assert.equal(statSync(below(other)[0]).uid, statSync(other).uid)

			/* of two that differ neither is touched */
			const twin = below(other)[0], one = twin.replace(other, former), bytes = readFileSync(twin)
			mkdirSync(path.dirname(one), { recursive: true })
			writeFileSync(one, 'ten bytes.')
			r = await badal(s, 'storage', 'move')
			assert.equal(r.code, 1)
			assert.match(r.err, /another size there[^]*1 were not moved/)
			assert.ok(readFileSync(twin).equals(bytes) && statSync(one).size === 10)
			rmSync(one)
			await s.stop()

			s = await start({ data, conf: { storage_dir: other } })
			s.more = { storage_dir: other }
			await all(s)
			r = await badal(s, 'storage', 'check', '--deep')
			assert.equal(r.code, 0, r.out + r.err)
		} finally {
			await s.stop()
			rmSync(data, { recursive: true, force: true })
		}
	})
})
