/* Who hears what, against a plain model of the permissions: random writes, and roles that come and go between them, over clients with random
 * channels in both dialects. Each must hear just what it may read, in the order of the writes. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, test } from 'node:test'

import { server } from '../lib/server.mjs'
import { library, read } from './lib.mjs'

const WRITES = 400, PERSONS = 5, CLIENTS = 24, IDS = ['a', 'b', 'c', 'e', 'f']
const collections = { c: { security: true, read: [] }, teamed: { security: true, read: ['team:red'] }, open: { security: false, read: ['users'] } }

let s, p, seed, persons
before(async () => {
	s = await server()
	p = await library(s)
	for (const team of ['red', 'blue']) await p.ok('POST', '/teams', { body: { teamId: team, name: team } })
	for (const [id, c] of Object.entries(collections)) if (id !== 'c') await p.collection(id, c.read.map(read), c.security)
	persons = await Promise.all(Array.from({ length: PERSONS }, async () => ({ ...await p.user(), verified: false, members: {} })))
})
after(() => s.stop?.call(s))

/* ---- chance, repeatable ---- */

function random() {
	seed = (seed + 0x6d2b79f5) | 0
	let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
	return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}
const upTo = (n) => Math.floor(random() * n)
const pick = (list) => list[upTo(list.length)]
const some = (list, n) => [...new Set(Array.from({ length: n }, () => pick(list)))]

/* ---- the model ---- */

function rolesOf(who) {
	if (!who) return ['any', 'guests']
	const v = who.verified ? 'verified' : 'unverified'
	return ['any', 'users', `users/${v}`, `user:${who.id}`, `user:${who.id}/${v}`,
		...Object.entries(who.members).flatMap(([team, m]) => [`team:${team}`, `member:${m.id}`, ...m.roles.map((r) => `team:${team}/${r}`)])]
}
const rolesThere = () => ['any', 'guests', 'users', 'users/verified', 'users/unverified', ...['red', 'blue'].flatMap((t) => [`team:${t}`, `team:${t}/editor`]),
	...persons.flatMap((x) => [`user:${x.id}`, `user:${x.id}/verified`, ...Object.values(x.members).map((m) => `member:${m.id}`)])]
const channelsOf = (col, id) => ['documents', `databases.d.collections.${col}.documents`, `databases.d.collections.${col}.documents.${id}`]

/* ---- what happens ---- */

const documents = new Map()
let written = 0

async function write() {
	const col = pick(Object.keys(collections)), id = pick(IDS), key = `${col}/${id}`, d = documents.get(key), path = p.path(id, col), n = ++written
	const readers = collections[col].security ? some(rolesThere(), upTo(3)) : [], permissions = collections[col].security ? readers.map(read) : undefined
	const tell = (kind, now) => ({ what: `${kind} ${col}/${id} ${now.n}`, channels: channelsOf(col, id), readers: [...collections[col].read, ...now.readers] })
	if (!d) {
		documents.set(key, { n, readers })
		await p.write(n, permissions, id, col)
		return tell('create', { n, readers })
	}
	if (random() < 0.3) {
		documents.delete(key)
		await p.ok('DELETE', path)
		return tell('delete', d)
	}
	documents.set(key, { n, readers })
	await p.ok('PATCH', path, { body: { data: { n }, permissions } })
	return tell('update', { n, readers })
}

async function changeRoles() {
	const who = pick(persons), team = pick(['red', 'blue']), m = who.members[team], roles = some(['editor', 'owner'], upTo(3))
	if (random() < 0.3) {
		who.verified = !who.verified
		await p.ok('PATCH', `/users/${who.id}/verification`, { body: { emailVerification: who.verified } })
	} else if (!m) {
		const r = await p.ok('POST', `/teams/${team}/memberships`, { body: { email: who.email, roles, url: 'http://localhost' } })
		who.members[team] = { id: r.$id, roles }
	} else if (random() < 0.5) {
		delete who.members[team]
		await p.ok('DELETE', `/teams/${team}/memberships/${m.id}`)
	} else {
		m.roles = roles
		await p.ok('PATCH', `/teams/${team}/memberships/${m.id}`, { body: { roles } })
	}
	return who
}

async function client() {
	const who = pick([undefined, ...persons]), names = some([...channelsOf(pick(Object.keys(collections)), pick(IDS)), ...channelsOf(pick(Object.keys(collections)), pick(IDS))], 1 + upTo(3))
	const all = [...names, 'databases.d.collections.c.documents.mark'], later = random() < 0.5, w = await p.listen(later ? [] : all, { as: who })
	if (later) await w.ask({ type: 'subscribe', data: all.map((c, i) => ({ subscriptionId: `s${i}`, channels: [c] })) })
	return { who, names, w, expected: [], heard: [] }
}

/* What a client heard up to the mark, a document that has a channel of its own. */
async function heard(c, mark) {
	for (;;) {
		const e = await c.w.event(), [, kind] = e.events[0].match(/\.(\w+)$/), { $collectionId: col, $id: id, n } = e.payload
		if (id !== 'mark') c.heard.push(`${kind} ${col}/${id} ${n}`)
		else if (n === mark) return
	}
}
async function mark(reader, clients) {
	await p.ok('PATCH', p.path('mark'), { body: { data: { n: ++written }, permissions: [read(reader)] } })
	for (const c of clients) await heard(c, written)
}

test('each client hears what it may read, in order', { timeout: 120000 }, async (t) => {
	seed = Number(process.env.SEED ?? randomInt(2 ** 31))
	t.diagnostic(`SEED=${seed}`)
	await p.write(0, [], 'mark')
	const clients = []
	for (let i = 0; i < CLIENTS; i++) clients.push(await client())
	while (written < WRITES) {
		if (random() < 0.15) {
			const who = await changeRoles()
			/* roles are read anew, so those of two changes close together are the later ones: not what this model says */
			await mark(`user:${who.id}`, clients.filter((c) => c.who === who))
		}
		const e = await write()
		for (const c of clients)
			if (c.names.some((name) => e.channels.includes(name)) && rolesOf(c.who).some((r) => e.readers.includes(r))) c.expected.push(e.what)
	}
	await mark('any', clients)
	for (const c of clients) assert.deepEqual(c.heard, c.expected, `${c.who?.id ?? 'guest'} on ${c.names} (SEED=${seed})`)
	assert.ok(clients.every((c) => c.expected.length < WRITES) && clients.some((c) => c.expected.length > 10))
	for (const c of clients) c.w.end()
})
