/* Under load, the relay, all web processes, Redis and PostgreSQL are killed at random moments, in turn or several at a time. Then: every
 * acknowledged write is in the database and in the stream exactly once, in an order that agrees with what writers saw, and a client that resumed
 * saw each event once and was never told of a gap, because there was none. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'

import { children, server, sleep, until } from '../lib/server.mjs'
import { eventsOf } from '../lib/stream.mjs'
import { open } from '../lib/ws.mjs'

const WRITERS = 8, READERS = 5
const EACH = [['badal-relay'], ['badal-web'], ['redis-server'], ['postgres']], ONE_BY_ONE = [...EACH, ...EACH]
const MIXED = [['badal-web', 'redis-server'], ['badal-relay', 'redis-server'], ['badal-relay', 'badal-web'], ['redis-server', 'badal-relay', 'badal-web'],
	['postgres', 'redis-server'], ['badal-web', 'postgres', 'badal-relay'],
	/* each time it takes longer to come back, and the web begins without it */
	['redis-server', 'redis-server', 'redis-server', 'redis-server', 'badal-web'], ['redis-server', 'badal-relay', 'badal-web']]
const DOCUMENTS = '/databases/d/collections/c/documents'
let s, p

async function begin(conf) {
	s = await server({ own: true, conf: { web_processes: 2, ...conf } })
	p = await s.project({ name: 'Fault' })
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C', permissions: ['read("any")'], documentSecurity: false } })
	await p.ok('POST', '/databases/d/collections/c/attributes/string', { body: { key: 'text', size: 100, required: true } })
	await until('the attribute is available', async () => (await p.ok('GET', '/databases/d/collections/c/attributes/text')).status === 'available')
}

/* Writes one document after the other, or some of them by each request; what was acknowledged is kept with its times. */
async function writer(no, state) {
	const many = no % 4 === 3
	for (let n = 0; state.writing; n++) {
		const id = `w${no}-${n}`, ids = many ? Array.from({ length: 7 }, (_, i) => `${id}-${i}`) : [id], sent = process.hrtime.bigint()
		const body = many ? { documents: ids.map((x) => ({ $id: x, text: x, $permissions: [] })) } : { documentId: id, data: { text: id } }
		try {
			const r = await p.call('POST', DOCUMENTS, { body, ms: 15000 })
			if (r.status === 201) for (const x of ids) state.acked.push({ id: x, sent, acked: process.hrtime.bigint() })
			else if (r.status < 500) state.problems.push(`${id}: ${r.status} ${r.text}`)
		} catch { /* the process that served it was killed: nobody knows */ }
	}
}

/* A client that comes back after each loss with the place it had reached. */
async function reader(state, r) {
	let last, ws
	while (!state.done) {
		try {
			ws = await open(s, `project=${p.id}&channels[]=documents${last ? `&since=${last}` : ''}`)
			r.drop = () => ws.socket.destroy()
			for (;;) {
				const f = await ws.next(undefined, undefined, 15000)
				last = f.id ?? last
				if (f.type === 'connected') {
					if (f.data.gap) state.problems.push(`told of a gap at ${last}`)
					r.connects++
				} else if (f.type === 'event') {
					r.seen.push(f.data.payload.$id)
					r.seenOnce.add(f.data.payload.$id)
				}
			}
		} catch {	/* lost, or nothing came for a while */
			ws?.socket.destroy()
			await sleep(20)
		}
	}
}

/* The processes of these names, a moment after each other: so one begins while another is away, and the other way round. */
async function kill(names, state) {
	await sleep(150 + Math.random() * 700)
	const killed = new Map()
	for (const name of names) {
		const pids = await until(`${name} runs`, () => { const v = children(s, name); return v.length > 0 && !v.some((pid) => killed.get(name)?.includes(pid)) && v }, 60000)
		killed.set(name, pids)
		for (const pid of pids) process.kill(pid, 'SIGKILL')	/* of the web, all: so every client has to come back */
		await sleep(Math.random() * 100)	/* while another is away */
	}
	for (const [name, pids] of killed)
		await until(`${name} is back`, () => children(s, name).filter((q) => !pids.includes(q)).length >= pids.length, 60000)
	const before = state.acked.length
	await until(`writes go on after ${names.join(', ')} were killed`, () => state.acked.length > before + WRITERS, 60000)
}

/* The document events of the stream: [id, …] in order. All of them are in one of its shards. */
function stream() {
	const redis = (...args) => JSON.parse(execFileSync('redis-cli', ['-s', path.join(s.dataDir, 'run', 'redis.sock'), '--json', ...args], { maxBuffer: 1 << 29 }))
	const found = []
	for (const key of redis('KEYS', 'events:{*}:*').filter((k) => /^events:\{\d+\}:\d+$/.test(k))) {
		const ids = []
		let last = [0n, -1n]
		for (const { at, head: text } of eventsOf(redis('XRANGE', key, '-', '+'))) {
			const head = JSON.parse(text)
			assert.ok(at[0] > last[0] || (at[0] === last[0] && at[1] > last[1]), 'positions grow')
			last = at
			if (head.e?.endsWith('documents.[documentId].create')) ids.push(head.v[2])
		}
		if (ids.length > 0) found.push(ids)
	}
	assert.equal(found.length, 1)
	return found[0]
}

async function underFire(victims) {
	const state = { writing: true, done: false, acked: [], problems: [] }
	const readers = Array.from({ length: READERS }, () => ({ seen: [], seenOnce: new Set(), connects: 0 }))
	const reading = readers.map((r) => reader(state, r))
	try {
		return await fight(victims, state, readers)
	} finally {
		state.writing = false
		state.done = true
		for (const r of readers) r.drop?.()
		await Promise.all(reading)
	}
}

async function fight(victims, state, readers) {
	await until('the readers are connected', () => readers.every((r) => r.connects > 0))
	const writers = Array.from({ length: WRITERS }, (_, i) => writer(i, state))
	for (const names of victims) await kill(names, state)
	await until('there are many writes', () => state.acked.length > 500)
	state.writing = false
	await Promise.all(writers)
	assert.deepEqual(state.problems, [])

	/* everything acknowledged is in the database */
	for (const { id } of state.acked) assert.equal((await p.call('GET', `${DOCUMENTS}/${id}`)).status, 200, id)

	await until('the readers have seen every acknowledged write', () => readers.every((r) => state.acked.every(({ id }) => r.seenOnce.has(id))), 60000)
	/* one more write, so that whatever might still come has come before it */
	await p.ok('POST', DOCUMENTS, { body: { documentId: 'end', data: { text: 'end' } } })
	await until('the readers have seen the end', () => readers.every((r) => r.seenOnce.has('end')))

	const ids = stream(), place = new Map(ids.map((id, i) => [id, i]))
	assert.equal(place.size, ids.length, 'no event is in the stream twice')
	for (const { id } of state.acked) assert.ok(place.has(id), `${id} is in the stream`)
	for (const id of ids.filter((x) => x !== 'end')) assert.equal((await p.call('GET', `${DOCUMENTS}/${id}`)).status, 200, `${id} of the stream was written`)

	/* whatever was acknowledged before another write was sent comes before it */
	const byAck = [...state.acked].sort((a, b) => (a.acked < b.acked ? -1 : 1))
	let k = 0, newest = -1
	for (let i = 1; i < state.acked.length; i++)	/* those of one request stand together */
		if (state.acked[i].sent === state.acked[i - 1].sent) assert.equal(place.get(state.acked[i].id), place.get(state.acked[i - 1].id) + 1)
	for (const w of [...state.acked].sort((a, b) => (a.sent < b.sent ? -1 : 1))) {
		for (; k < byAck.length && byAck[k].acked < w.sent; k++) newest = Math.max(newest, place.get(byAck[k].id))
		assert.ok(place.get(w.id) > newest, `${w.id} is behind what was acknowledged before it`)
	}

	/* each client: every event once, in the order of the stream, none left out */
	for (const r of readers) {
		assert.equal(new Set(r.seen).size, r.seen.length, 'no event was delivered twice')
		assert.deepEqual(r.seen, ids.slice(ids.indexOf(r.seen[0])))
		assert.ok(r.connects > 1, 'the reader had to resume')
	}
	return { writes: state.acked.length, connects: readers.reduce((n, r) => n + r.connects, 0) }
}

for (const [what, conf, victims] of [
	['one by one', {}, ONE_BY_ONE],
	['one by one, with a stream of four shards', { event_shards: 4 }, ONE_BY_ONE],
	['several at a time', { rt_resume_window: '1h' }, MIXED],
])
	test(`no event is lost, doubled or reordered, and no gap is told: killed ${what}`, { timeout: 300000 }, async (t) => {
		await begin(conf)
		try {
			const r = await underFire(victims)
			t.diagnostic(`${r.writes} writes, ${r.connects} connections`)
		} finally {
			await s.stop()
		}
	})
