/* Webhooks across restarts: nothing that was written is forgotten, and nothing comes twice, also when the event stream is another one afterwards; and
 * private addresses are refused unless they are allowed. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { receiver } from '../lib/receiver.mjs'
import { children, dataDir, server, start, unique, until } from '../lib/server.mjs'

test('a restart in between, with another number of shards, loses nothing and repeats nothing', async () => {
	const data = dataDir(), names = []
	let go
	const hold = new Promise((ok) => { go = ok }), r = await receiver({ answer: (d, n) => (n === 1 ? (rq, rs) => hold.then(() => rs.end()) : 200) })
	let s = await start({ data, conf: { webhook_private: 'on', web_processes: 1 } })
	const p = await s.project(), write = async (n) => {
		for (let i = 0; i < n; i++) {
			const name = unique()
			await s.ok('POST', '/teams', { project: p.id, key: p.key, body: { teamId: unique(), name } })
			names.push(name)
		}
	}
	await p.console.ok('POST', `/projects/${p.id}/webhooks`, { body: { name: 'Hook', events: ['teams.*'], url: r.url, security: false } })
	for (const shards of [3, 1]) {
		await write(30)
		const stopped = s.stop()	/* while deliveries wait, and the first is under way */
		go()
		await stopped
		s = await start({ data, conf: { webhook_private: 'on', web_processes: 1, event_shards: shards } })
		await write(30)
	}
	await until('all have come', () => new Set(r.all.map((d) => d.body.name)).size >= names.length, 60000)
	assert.deepEqual([...new Set(r.all.map((d) => d.body.name))].sort(), [...names].sort())
	assert.equal(new Set(r.all.map((d) => d.headers['webhook-id'])).size, names.length)
	await s.stop()
	await r.stop()
	rmSync(data, { recursive: true, force: true })
})

test('addresses of private networks are refused, however they are written, in the words for names that are none', async () => {
	const s = await server({ own: true, conf: { web_processes: 1 } }), p = await s.project(), r = await receiver()
	const list = []
	for (const host of ['127.0.0.1', 'localhost', '0x7f.1', '2130706433', '[::ffff:127.0.0.1]', '[::1]', 'nothing.invalid']) {
		const w = await p.console.call('POST', `/projects/${p.id}/webhooks`, { body: { name: 'Hook', events: ['teams.*'], url: `http://${host}:${r.port}/`, security: false } })
		if (w.status === 201) list.push(w.body)
		else assert.equal(w.status, 400, w.text)
	}
	assert.ok(list.length >= 3)
	await p.ok('POST', '/teams', { body: { teamId: unique(), name: 'A' } })
	for (const w of list)
		await until(`${w.url} is refused`, async () => /there is no public address of that name/.test((await p.console.ok('GET', `/projects/${p.id}/webhooks/${w.$id}`, { headers: { 'x-appwrite-response-format': '1.5.0' } })).logs))
	assert.equal(r.all.length, 0)
	await s.stop()
	await r.stop()
})

test('events that are together in the stream cause their deliveries one by one, and a reader goes on in the middle of them', async () => {
	const s = await server({ own: true, conf: { web_processes: 1, webhook_private: 'on' } }), p = await s.project(), r = await receiver()
	const redis = (...args) => execFileSync('redis-cli', ['-s', path.join(s.dataDir, 'run', 'redis.sock'), ...args], { encoding: 'utf8' }).trim()
	const write = (from) => p.ok('POST', '/databases/d/collections/c/documents', { body: { documents: Array.from({ length: 50 }, (_, i) => ({ $id: unique(), n: from + i })) } })
	const come = async (n, what) => {
		await until(what, () => new Set(r.all.map((d) => d.body.n)).size >= n, 60000)
		return [...new Set(r.all.map((d) => d.body.n))].sort((a, b) => a - b)
	}
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C', permissions: [], documentSecurity: false } })
	await p.ok('POST', '/databases/d/collections/c/attributes/integer', { body: { key: 'n', required: true } })
	await until('the attribute is available', async () => (await p.ok('GET', '/databases/d/collections/c/attributes/n')).status === 'available')
	await p.console.ok('POST', `/projects/${p.id}/webhooks`, { body: { name: 'Hook', events: ['databases.d.collections.c.documents.*'], url: r.url, security: false } })
	await write(0)
	assert.deepEqual(await come(50, 'all of the first'), Array.from({ length: 50 }, (_, i) => i))
	assert.equal(new Set(r.all.map((d) => d.headers['webhook-id'])).size, 50)

	/* as if it had got to the middle of the next, and ended */
	const [jobs] = children(s, 'badal-jobs'), key = redis('KEYS', 'relay:{0}:pos:*'), was = redis('GET', key)
	process.kill(jobs, 'SIGSTOP')
	await write(100)
	await until('the stream has them', () => redis('GET', key) !== was)
	const [lsn, index] = redis('GET', key).split('-')
	assert.equal(index, '49')
	redis('HSET', '{jobs}:triggers', 'p0', `${lsn}-29`)
	process.kill(jobs, 'SIGKILL')
	await write(200)
	assert.deepEqual(await come(120, 'what is behind it'), [...Array.from({ length: 50 }, (_, i) => i), ...Array.from({ length: 20 }, (_, i) => 130 + i), ...Array.from({ length: 50 }, (_, i) => 200 + i)])
	await s.stop()
	await r.stop()
})
