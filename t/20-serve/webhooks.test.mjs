/* Webhooks across restarts: nothing that was written is forgotten, and nothing comes twice, also when the event stream is another one afterwards; and
 * private addresses are refused unless they are allowed. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'

import { receiver } from '../lib/receiver.mjs'
import { dataDir, server, start, unique, until } from '../lib/server.mjs'

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

test('addresses of private networks are refused, however they are written, and the reason is told', async () => {
	const s = await server({ own: true, conf: { web_processes: 1 } }), p = await s.project(), r = await receiver()
	const list = []
	for (const host of ['127.0.0.1', 'localhost', '0x7f.1', '2130706433', '[::ffff:127.0.0.1]', '[::1]']) {
		const w = await p.console.call('POST', `/projects/${p.id}/webhooks`, { body: { name: 'Hook', events: ['teams.*'], url: `http://${host}:${r.port}/`, security: false } })
		if (w.status === 201) list.push(w.body)
		else assert.equal(w.status, 400, w.text)
	}
	assert.ok(list.length >= 3)
	await p.ok('POST', '/teams', { body: { teamId: unique(), name: 'A' } })
	for (const w of list)
		await until(`${w.url} is refused`, async () => /private network/.test((await p.console.ok('GET', `/projects/${p.id}/webhooks/${w.$id}`, { headers: { 'x-appwrite-response-format': '1.5.0' } })).logs))
	assert.equal(r.all.length, 0)
	await s.stop()
	await r.stop()
})
