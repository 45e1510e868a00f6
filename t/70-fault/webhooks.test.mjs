/* Documents are written and changed while jobs, relay and Redis are killed, in turn and together. Then: each committed write has reached both
 * receivers, those of one document in their order, each under one id that no other has, whoever sent it again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { receiver } from '../lib/receiver.mjs'
import { children, server, sleep, until } from '../lib/server.mjs'

const WRITERS = 4
const VICTIMS = [['badal-jobs'], ['badal-relay'], ['redis-server'], ['badal-jobs'], ['badal-jobs', 'badal-relay'], ['redis-server', 'badal-jobs'], ['badal-relay', 'redis-server'],
	['badal-jobs', 'redis-server', 'badal-relay'], ['badal-jobs']]
const DOCUMENTS = '/databases/d/collections/c/documents'

/* One document after the other, or some of them by each request: made, and changed twice. What was acknowledged is kept; after an answer that was lost nobody knows, and
 * others begin. */
async function writer(p, no, state) {
	const many = no % 4 === 3, one = (id, n) => (n === 0 ? p.call('POST', DOCUMENTS, { body: { documentId: id, data: { n } }, ms: 15000 }) : p.call('PATCH', `${DOCUMENTS}/${id}`, { body: { data: { n } }, ms: 15000 }))
	const all = (ids, n) => p.call(n === 0 ? 'POST' : 'PUT', DOCUMENTS, { body: { documents: ids.map(($id) => ({ $id, n })) }, ms: 15000 })
	for (let k = 0; state.writing; k++) {
		const ids = many ? Array.from({ length: 9 }, (_, i) => `w${no}-${k}-${i}`) : [`w${no}-${k}`]
		for (const id of ids) state.acked.set(id, [])
		for (let n = 0; n < 3 && state.writing; n++) {
			const r = await (many ? all(ids, n) : one(ids[0], n)).catch(() => null)
			if (r === null || r.status >= 500) break
			assert.ok(r.status < 300, r.text)
			for (const id of ids) state.acked.get(id).push(n)
			state.count += ids.length
		}
	}
}

async function kill(s, names, state) {
	await sleep(200 + Math.random() * 600)
	for (const name of names) {
		const [pid] = await until(`${name} runs`, () => { const v = children(s, name); return v.length > 0 && v }, 60000)
		process.kill(pid, 'SIGKILL')
		await until(`${name} is back`, () => children(s, name).some((q) => q !== pid), 60000)
	}
	const before = state.count
	await until(`writes go on after ${names.join(', ')} were killed`, () => state.count > before + 9 * WRITERS, 60000)
}

test('each committed write reaches the receivers, in the order of its document, whoever is killed', { timeout: 300000 }, async () => {
	const s = await server({ own: true, conf: { web_processes: 1, webhook_private: 'on' } }), p = await s.project({ name: 'Fault' })
	const receivers = [await receiver({ answer: () => (rq, rs) => setTimeout(() => rs.end(), Math.random() * 10) }), await receiver()]
	try {
		await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
		await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C', permissions: [], documentSecurity: false } })
		await p.ok('POST', '/databases/d/collections/c/attributes/integer', { body: { key: 'n', required: true } })
		await until('the attribute is available', async () => (await p.ok('GET', '/databases/d/collections/c/attributes/n')).status === 'available')
		for (const r of receivers)
			await p.console.ok('POST', `/projects/${p.id}/webhooks`, { body: { name: 'Hook', events: ['databases.d.collections.c.documents.*'], url: r.url, security: false } })
		const state = { writing: true, acked: new Map(), count: 0 }, writers = Array.from({ length: WRITERS }, (_, i) => writer(p, i, state))
		for (const names of VICTIMS) await kill(s, names, state)
		state.writing = false
		await Promise.all(writers)
		for (const r of receivers) {
			const got = new Map([...state.acked.keys()].map((id) => [id, []]))	/* changes of each document, as they came at first */
			let seen = 0
			const missing = () => {
				for (const { body } of r.all.slice(seen)) if (!got.get(body.$id).includes(body.n)) got.get(body.$id).push(body.n)
				seen = r.all.length
				return [...state.acked].flatMap(([id, done]) => done.filter((n) => !got.get(id).includes(n)).map((n) => `${id}.${n}`))
			}
			await until('all have come', async () => { await sleep(100); return missing().length === 0 }, 120000).catch((e) => { throw new Error(`${e.message}: ${missing().slice(0, 10)} of ${state.count}\n${s.log().split('\n').filter((l) => !/ request id=/.test(l)).slice(-40).join('\n')}`) })
			const events = new Map()	/* Webhook-Id -> document and change */
			for (const d of r.all) {
				const what = `${d.body.$id}.${d.body.n}`
				assert.equal(events.get(d.headers['webhook-id']) ?? what, what, 'an id stands for one event')
				events.set(d.headers['webhook-id'], what)
			}
			assert.equal(new Set(events.values()).size, events.size, 'an event has one id')
			for (const [id, first] of got) assert.deepEqual(first, [...first].sort((a, b) => a - b), id)
			console.log(`${events.size} events, ${r.all.length} deliveries`)
		}
	} finally {
		for (const r of receivers) await r.stop()
		await s.stop()
	}
})
