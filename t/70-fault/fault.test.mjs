/* Under load, the relay, all web processes, Redis and PostgreSQL are killed in turn at random moments. Then: every acknowledged write is in the
 * database and in the stream exactly once, in an order that agrees with what writers saw, and a client that resumed saw each event once. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, test } from 'node:test'

import { children, server, sleep, until } from '../lib/server.mjs'
import { open } from '../lib/ws.mjs'

const WRITERS = 8, ROUNDS = 2, VICTIMS = ['badal-relay', 'badal-web', 'redis-server', 'postgres']
const DOCUMENTS = '/databases/d/collections/c/documents'
let s, p

before(async () => {
	s = await server({ own: true, conf: { web_processes: 2 } })
	p = await s.project({ name: 'Fault' })
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C', permissions: ['read("any")'], documentSecurity: false } })
	await p.ok('POST', '/databases/d/collections/c/attributes/string', { body: { key: 'text', size: 100, required: true } })
	await until('the attribute is available', async () => (await p.ok('GET', '/databases/d/collections/c/attributes/text')).status === 'available')
})
after(() => s?.stop())

/* Writes one document after the other; what was acknowledged is kept with its times. */
async function writer(no, state) {
	for (let n = 0; state.writing; n++) {
		const id = `w${no}-${n}`, sent = process.hrtime.bigint()
		try {
			const r = await p.call('POST', DOCUMENTS, { body: { documentId: id, data: { text: id } }, ms: 15000 })
			if (r.status === 201) state.acked.push({ id, sent, acked: process.hrtime.bigint() })
			else if (r.status < 500) state.problems.push(`${id}: ${r.status} ${r.text}`)
		} catch { /* the process that served it was killed: nobody knows */ }
	}
}

/* A client that comes back after each loss with the place it had reached. */
async function reader(state) {
	let last, ws
	while (!state.done) {
		try {
			ws = await open(s, `project=${p.id}&channels[]=documents${last ? `&since=${last}` : ''}`)
			state.drop = () => ws.socket.destroy()
			for (;;) {
				const f = await ws.next()
				last = f.id ?? last
				if (f.type === 'connected') {
					if (f.data.gap) state.problems.push(`told of a gap at ${last}`)
					state.connects++
				} else if (f.type === 'event') {
					state.seen.push(f.data.payload.$id)
					state.seenOnce.add(f.data.payload.$id)
				}
			}
		} catch {	/* lost, or nothing came for a while */
			ws?.socket.destroy()
			await sleep(20)
		}
	}
}

async function killOne(name, state) {
	await sleep(150 + Math.random() * 700)
	const pids = children(s, name)
	assert.ok(pids.length > 0, `${name} runs`)
	for (const pid of pids) process.kill(pid, 'SIGKILL')	/* of the web, all: so every client has to come back */
	await until(`${name} is back`, () => children(s, name).filter((q) => !pids.includes(q)).length === pids.length, 60000)
	const before = state.acked.length
	await until(`writes go on after ${name} was killed`, () => state.acked.length > before + WRITERS, 60000)
}

/* The document events of the stream: [id, …] in order. */
function stream() {
	const redis = (...args) => JSON.parse(execFileSync('redis-cli', ['-s', path.join(s.dataDir, 'run', 'redis.sock'), '--json', ...args], { maxBuffer: 1 << 29 }))
	const keys = redis('KEYS', 'events:0:*').filter((k) => redis('TYPE', k) === 'stream' && /^events:0:\d+$/.test(k))
	assert.equal(keys.length, 1)
	const ids = []
	let last = [0n, -1n]
	for (const [pos, fields] of redis('XRANGE', keys[0], '-', '+')) {
		const at = pos.split('-').map(BigInt), head = JSON.parse(fields[fields.indexOf('h') + 1])
		assert.ok(at[0] > last[0] || (at[0] === last[0] && at[1] > last[1]), 'positions grow')
		last = at
		if (head.e?.endsWith('documents.[documentId].create')) ids.push(head.v[2])
	}
	return ids
}

test('no event is lost, doubled or reordered, whatever is killed', { timeout: 300000 }, async () => {
	const state = { writing: true, done: false, acked: [], problems: [], seen: [], seenOnce: new Set(), connects: 0 }
	const reading = reader(state)
	await until('the reader is connected', () => state.connects > 0)
	const writers = Array.from({ length: WRITERS }, (_, i) => writer(i, state))
	for (let round = 0; round < ROUNDS; round++)
		for (const name of VICTIMS) await killOne(name, state)
	state.writing = false
	await Promise.all(writers)
	assert.deepEqual(state.problems, [])
	assert.ok(state.acked.length > 500, `${state.acked.length} writes`)

	/* everything acknowledged is in the database */
	for (const { id } of state.acked) assert.equal((await p.call('GET', `${DOCUMENTS}/${id}`)).status, 200, id)

	await until('the reader has seen every acknowledged write', () => state.acked.every(({ id }) => state.seenOnce.has(id)), 60000)
	/* one more write, so that whatever might still come has come before it */
	await p.ok('POST', DOCUMENTS, { body: { documentId: 'end', data: { text: 'end' } } })
	await until('the reader has seen the end', () => state.seenOnce.has('end'))
	state.done = true

	const ids = stream(), place = new Map(ids.map((id, i) => [id, i]))
	assert.equal(place.size, ids.length, 'no event is in the stream twice')
	for (const { id } of state.acked) assert.ok(place.has(id), `${id} is in the stream`)
	for (const id of ids.filter((x) => x !== 'end')) assert.equal((await p.call('GET', `${DOCUMENTS}/${id}`)).status, 200, `${id} of the stream was written`)

	/* whatever was acknowledged before another write was sent comes before it */
	const byAck = [...state.acked].sort((a, b) => (a.acked < b.acked ? -1 : 1))
	let k = 0, newest = -1
	for (const w of [...state.acked].sort((a, b) => (a.sent < b.sent ? -1 : 1))) {
		for (; k < byAck.length && byAck[k].acked < w.sent; k++) newest = Math.max(newest, place.get(byAck[k].id))
		assert.ok(place.get(w.id) > newest, `${w.id} is behind what was acknowledged before it`)
	}

	/* the client: each event once, in the order of the stream, none left out */
	assert.equal(new Set(state.seen).size, state.seen.length, 'no event was delivered twice')
	assert.deepEqual(state.seen, ids.slice(ids.indexOf(state.seen[0])))
	assert.ok(state.connects > 1, 'the reader had to resume')
	state.drop()
	await reading
})
