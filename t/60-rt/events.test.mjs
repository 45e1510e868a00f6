/* Events: who receives them, in both dialects; roles that change, sessions and users that end, while connected. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { cookieOf, server, unique, until } from '../lib/server.mjs'
import { library, read } from './lib.mjs'

let s, p, alice, bob

before(async () => {
	s = await server()
	p = await library(s)
	alice = await p.user({ name: 'Alice' })
	bob = await p.user({ name: 'Bob' })
})
after(() => s.stop?.call(s))

const arrived = (w, n) => until(`document ${n}`, () => w.frames.some((f) => f.data.payload?.n === n))
const end = (...sockets) => sockets.forEach((w) => w.end())

test('an event of a document, as 1.0 sends it', async () => {
	const w = await p.listen(['documents']), id = unique(), x = `databases.d.collections.c.documents.${id}`
	await p.write(7, [read('any')], id)
	const f = await w.next()
	assert.deepEqual(Object.keys(f), ['type', 'data', 'id'])
	assert.deepEqual(Object.keys(f.data), ['events', 'channels', 'timestamp', 'payload', 'subscriptions'])
	assert.deepEqual(f.data.channels, ['documents', 'databases.d.collections.c.documents', x])
	assert.equal(f.data.events.length, 22)
	assert.deepEqual(f.data.events.slice(0, 3), [`${x}.create`, 'databases.*.collections.*.documents.*.create', `databases.d.collections.*.documents.${id}.create`])
	assert.equal(f.data.events.at(-1), 'databases.*')
	assert.match(f.data.timestamp, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/)
	assert.deepEqual(f.data.payload, await p.ok('GET', p.path(id)))
	assert.ok(w.text.startsWith('{"type":"event","data":{"events":['))
	end(w)
})

test('an event of a document, as later clients get it', async () => {
	const w = await p.listen([]), id = unique()
	await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'one', channels: ['rows.create'] }, { subscriptionId: 'two', channels: ['documents', 'files'] }, { subscriptionId: 'three', channels: ['rows.update'] }] })
	await p.write(1, [read('any')], id)
	const { data } = await w.next()
	assert.deepEqual(data.subscriptions, ['one', 'two'])
	assert.match(data.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/)
	for (const c of ['documents', 'rows', `databases.d.tables.c.rows.${id}`, `tablesdb.d.tables.c.rows.${id}.create`, 'documents.create'])
		assert.ok(data.channels.includes(c), c)
	assert.equal(data.events[1], `databases.d.tables.c.rows.${id}.create`)
	assert.equal(data.events.length, 42)
	end(w)
})

test('a label is a role of who has it, while it has it', async () => {
	const u = await p.user({ name: 'Label' }), w = await p.listen(['documents'], { as: u })
	const label = (labels) => p.ok('PUT', `/users/${u.id}/labels`, { body: { labels } })
	await p.write(1, [read('label:vip')])
	await label(['vip', 'x'])
	for (const n of [2, 3]) await until('the role has come', async () => { await p.write(n, [read('label:vip')]); return w.frames.some((f) => f.data.payload?.n === n) })
	const of = w.frames.filter((f) => f.data.payload?.n === 1)
	assert.deepEqual(of, [])
	await label(['x'])
	await until('the role has gone', async () => { await p.write(4, [read('label:vip')]); await p.write(5, [read(`user:${u.id}`)]); await arrived(w, 5); return w.frames.filter((f) => f.data.payload?.n === 4).length < w.frames.filter((f) => f.data.payload?.n === 5).length })
	end(w)
})

test('permissions decide: user, users, guests, any', async () => {
	const all = await Promise.all([p.listen(['documents'], { as: alice }), p.listen(['documents'], { as: bob }), p.listen(['documents'])])
	await p.write(1, [read(`user:${alice.id}`)])
	await p.write(2, [read('users')])
	await p.write(3, [read('guests')])
	await p.write(4, [])
	await p.write(5, [read(`user:${alice.id}`), read(`user:${bob.id}`)])
	assert.deepEqual(await p.heard(...all), [[1, 2, 5], [2, 5], [3]])
	end(...all)
})

test('permissions of the collection; its documents have none of their own', async () => {
	const id = unique(), all = await Promise.all([p.listen([`databases.d.collections.${id}.documents`, 'documents'], { as: alice }), p.listen(['documents'])])
	await p.collection(id, [read('users')], false)
	await p.write(1, undefined, unique(), id)
	assert.deepEqual(await p.heard(...all), [[1], []])
	end(...all)
})

test('an update goes to those who may read the new state, a delete to the last readers', async () => {
	const all = await Promise.all([p.listen(['documents'], { as: alice }), p.listen(['documents'], { as: bob })]), id = unique()
	await p.write(1, [read(`user:${alice.id}`)], id)
	await p.ok('PATCH', p.path(id), { body: { data: { n: 2 }, permissions: [read(`user:${bob.id}`)] } })
	await p.ok('DELETE', p.path(id))
	assert.deepEqual(await p.heard(...all), [[1], [2, 2]])
	end(...all)
})

test('one channel of a document; nothing of other projects', async () => {
	const id = unique(), other = await library(s), w = await p.listen([`databases.d.collections.c.documents.${id}`]), far = await other.listen(['documents'])
	await p.write(1, [read('any')])
	await p.write(2, [read('any')], id)
	assert.equal((await w.event()).payload.n, 2)
	assert.deepEqual(await other.heard(far), [[]])
	end(w, far)
})

test('the account channel: a user and nobody else; no secrets', async () => {
	const u = await p.user(), all = await Promise.all([p.listen(['account'], { as: u }), p.listen(['account'], { as: bob })])
	await u.ok('PATCH', '/account/name', { body: { name: 'New' } })
	const update = (d) => d.events[0] === `users.${u.id}.update`, e = await all[0].event(update)
	assert.deepEqual(e.channels, ['account', `account.${u.id}`])
	assert.equal(e.payload.name, 'New')
	assert.deepEqual(e.payload.prefs, [])
	await p.ok('PATCH', `/users/${u.id}/name`, { body: { name: 'Newer' } })
	const f = await all[0].event(update)
	assert.equal(f.payload.name, 'Newer')
	for (const key of ['password', 'hash', 'hashOptions']) assert.equal(f.payload[key], undefined)
	await p.ok('PATCH', `/users/${u.id}/prefs`, { body: { prefs: { password: 'mine' } } })
	assert.deepEqual((await all[0].event(update)).payload, { password: 'mine' })
	assert.equal(all[1].frames.filter((x) => x.data.events[0].includes(u.id)).length, 0)
	end(...all)
})

test('a team: its creator hears of it, members from their event on, former members no more', async () => {
	const team = unique(), [a, b] = await Promise.all([p.listen(['teams', 'memberships', 'documents'], { as: alice }), p.listen(['teams', 'memberships', 'documents'], { as: bob })])
	await alice.ok('POST', '/teams', { body: { teamId: team, name: 'T' } })
	assert.equal((await a.event()).events[0], `teams.${team}.create`)
	await p.write(1, [read(`team:${team}`)])
	const m = await p.ok('POST', `/teams/${team}/memberships`, { body: { email: bob.email, roles: ['editor'], url: 'http://localhost' } })
	await p.write(2, [read(`team:${team}`)])
	await p.write(3, [read(`team:${team}/editor`)])
	await arrived(b, 3)	/* roles are read as they are by then: one step after the other */
	await p.ok('PATCH', `/teams/${team}/memberships/${m.$id}`, { body: { roles: ['viewer'] } })
	await p.write(4, [read(`team:${team}/editor`)])
	await p.write(5, [read(`member:${m.$id}`)])
	await arrived(b, 5)
	await p.ok('DELETE', `/teams/${team}/memberships/${m.$id}`)
	await p.write(6, [read(`team:${team}`)])
	const of = (what) => `teams.${team}.memberships.${m.$id}.${what}`
	const [forA, forB] = await p.heard(a, b)
	assert.deepEqual(forA, [1, of('create'), 2, of('update'), of('delete'), 6])
	assert.deepEqual(forB, [of('create'), 2, 3, of('update'), 5, of('delete')])
	await p.ok('DELETE', `/teams/${team}`)
	await p.write(7, [read(`team:${team}`)])
	assert.deepEqual(await p.heard(a, b), [[`teams.${team}.delete`], []])
	end(a, b)
})

test('the channels of what concerns people and teams: those of an action where the event is of the resource itself', async () => {
	const u = await p.user(), team = unique(), today = { headers: { 'x-appwrite-response-format': '1.9.5' } }, w = await p.listen([], { as: u })
	await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'a', channels: ['account', 'teams', 'memberships'] }] })
	const heard = async (name, action, ...bases) => {
		const d = await w.event((e) => e.events.includes(name))
		assert.deepEqual(d.channels.toSorted(), [...bases, ...(action ? bases.map((c) => `${c}.${action}`) : [])].sort(), name)
		return d.payload
	}
	const mine = ['account', `account.${u.id}`], its = (m) => ['memberships', `memberships.${m.$id}`]
	await u.ok('PATCH', '/account/name', { body: { name: 'N' } })
	await heard(`users.${u.id}.update.name`, 'update', ...mine)
	const other = (await s.call('POST', '/account/sessions/email', { project: p.id, body: { email: u.email, password: u.password } })).body
	await heard(`users.${u.id}.sessions.${other.$id}.create`, null, ...mine)
	await u.ok('DELETE', `/account/sessions/${other.$id}`)
	await heard(`users.${u.id}.sessions.${other.$id}.delete`, null, ...mine)
	const token = await p.ok('POST', `/users/${u.id}/tokens`, { body: {}, ...today })
	assert.equal((await heard(`users.${u.id}.tokens.${token.$id}.create`, null, ...mine)).secret, '')
	const target = await p.ok('POST', `/users/${u.id}/targets`, { body: { targetId: unique(), providerType: 'email', identifier: `${unique()}@example.org` }, ...today })
	await heard(`users.${u.id}.targets.${target.$id}.create`, null, ...mine)
	await u.ok('POST', '/teams', { body: { teamId: team, name: 'T' } })
	await heard(`teams.${team}.create`, 'create', 'teams', `teams.${team}`)
	await u.ok('PUT', `/teams/${team}`, { body: { name: 'U' } })
	await heard(`teams.${team}.update`, 'update', 'teams', `teams.${team}`)
	await u.ok('PUT', `/teams/${team}/prefs`, { body: { prefs: { a: 1 } }, ...today })
	await heard(`teams.${team}.update.prefs`, 'update', 'teams', `teams.${team}`)
	const m = await p.ok('POST', `/teams/${team}/memberships`, { body: { email: bob.email, roles: [], url: 'http://localhost' } })
	await heard(`teams.${team}.memberships.${m.$id}.create`, 'create', ...its(m))
	await p.ok('PATCH', `/teams/${team}/memberships/${m.$id}`, { body: { roles: ['x'] } })
	await heard(`teams.${team}.memberships.${m.$id}.update`, 'update', ...its(m))
	await p.ok('DELETE', `/teams/${team}/memberships/${m.$id}`)
	await heard(`teams.${team}.memberships.${m.$id}.delete`, 'delete', ...its(m))
	await p.ok('DELETE', `/teams/${team}`)
	await heard(`teams.${team}.delete`, 'delete', 'teams', `teams.${team}`)
	end(w)
})

test('of a project its team hears the first ping on the console, and of its settings nobody does', async () => {
	const q = await library(s), stranger = await s.user(), names = ['console', `projects.${q.id}`], { listen } = await import('../lib/ws.mjs')
	const [old, now, other] = await Promise.all([listen(s, `project=console&channels[]=console`, { cookie: q.console.cookie }), listen(s, 'project=console', { cookie: q.console.cookie }), listen(s, 'project=console', { cookie: stranger.cookie })])
	for (const w of [now, other]) await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'a', channels: [`projects.${q.id}`] }] })
	const set = (method, target, body) => q.admin(method, target, { body, headers: { 'x-appwrite-response-format': '1.9.5' } }).then((r) => assert.ok(r.status < 300, `${target}: ${r.text}`))
	await set('PUT', '/project/labels', { labels: ['a'] })
	await set('PATCH', '/project/services/teams', { enabled: true })
	await set('PATCH', '/project/protocols/rest', { enabled: true })
	await set('PATCH', '/project/auth-methods/email-password', { enabled: true })
	await q.addKey(['users.read'])
	await q.addPlatform({ hostname: 'example.org' })
	for (let i = 0; i < 2; i++) assert.equal((await q.guest('GET', '/ping', { headers: { 'x-appwrite-response-format': '1.9.5' } })).status, 200)
	await q.collection('last')	/* what its team hears, too */
	const of = (d) => d.channels.includes(`projects.${q.id}`)
	const first = await now.event(of), second = await now.event(of)
	assert.ok(first.events.includes(`projects.${q.id}.ping`), first.events.join())
	assert.deepEqual([first.channels, first.payload], [names, []])
	assert.ok(second.events.some((e) => e.includes('.attributes.')), second.events.join())
	const told = await old.event((d) => d.events.some((e) => e.startsWith(`projects.${q.id}`)))
	assert.deepEqual(told.channels, ['console'])
	assert.deepEqual(await other.ask({ type: 'ping' }), { type: 'pong' })
	assert.deepEqual(other.frames, [])
	end(old, now, other)
})

test('every change reaches all connections of the user, of whatever session', async () => {
	const u = await p.user(), team = unique(), again = await s.call('POST', '/account/sessions/email', { project: p.id, body: { email: u.email, password: u.password } })
	const all = await Promise.all([u, u, u, { cookie: cookieOf(again) }].map((as) => p.listen(['documents'], { as })))
	await all[2].ask({ type: 'authentication', data: { session: u.cookie.match(/=(.*?)(;|$)/)[1].replaceAll('%3D', '=') } })
	const tell = async (...want) => {
		const roles = [`team:${team}`, `team:${team}/editor`, `team:${team}/viewer`, 'users', `user:${u.id}`]
		for (const [n, r] of roles.entries()) await p.write(n, [read(r)])
		const lists = await p.heard(...all)
		for (const list of lists) assert.deepEqual(list, want)
	}
	await p.ok('POST', '/teams', { body: { teamId: team, name: 'T' } })
	await tell(3, 4)
	const member = await p.ok('POST', `/teams/${team}/memberships`, { body: { email: u.email, roles: ['editor'], url: 'http://localhost' } })
	await tell(0, 1, 3, 4)
	await p.ok('PATCH', `/teams/${team}/memberships/${member.$id}`, { body: { roles: ['viewer'] } })
	await tell(0, 2, 3, 4)
	await p.ok('DELETE', `/teams/${team}/memberships/${member.$id}`)
	await tell(3, 4)
	await p.ok('POST', `/teams/${team}/memberships`, { body: { email: u.email, roles: ['editor'], url: 'http://localhost' } })
	await tell(0, 1, 3, 4)
	await p.ok('DELETE', `/teams/${team}`)
	await tell(3, 4)
	await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: false } })
	await tell()
	await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: true } })
	const two = [await p.listen(['documents'], { as: u }), await p.listen(['documents'], { as: { cookie: cookieOf(again) } })]
	end(...all.splice(0, all.length, ...two))
	await tell(3, 4)
	await p.ok('DELETE', `/users/${u.id}/sessions`)
	await tell()
	end(...all)
})

test('verification gives and takes the roles it names', async () => {
	const u = await p.user(), w = await p.listen(['documents'], { as: u })
	await p.write(1, [read('users/verified')])
	await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
	await p.write(2, [read('users/verified')])
	await p.write(3, [read(`user:${u.id}/unverified`)])
	assert.deepEqual(await p.heard(w), [[2]])
	end(w)
})

test('the end of a session takes what it gave; other sessions stay', async () => {
	const u = await p.user(), r = await s.call('POST', '/account/sessions/email', { project: p.id, body: { email: u.email, password: u.password } })
	const cookie = r.headers['set-cookie'].map((c) => c.split(';')[0]).join('; '), [one, two] = await Promise.all([p.listen(['documents', 'account'], { as: u }), p.listen(['documents', 'account'], { as: { cookie } })])
	await u.ok('DELETE', '/account/sessions/current')
	await p.write(1, [read(`user:${u.id}`)])
	await p.write(2, [read('guests')])
	const gone = `users.${u.id}.sessions.${u.session.$id}.delete`
	/* that the second session began may have been told before or after the sockets were there */
	assert.deepEqual((await p.heard(one, two)).map((l) => l.filter((x) => !`${x}`.endsWith('.create'))), [[gone, 2], [gone, 1]])
	end(one, two)
})

test('a user who is blocked or deleted is nobody', async () => {
	const u = await p.user(), v = await p.user(), [a, b] = await Promise.all([p.listen(['documents'], { as: u }), p.listen(['documents'], { as: v })])
	await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: false } })
	await p.ok('DELETE', `/users/${v.id}`)
	await p.write(1, [read('users')])
	await p.write(2, [read(`user:${u.id}`), read('guests')])
	assert.deepEqual(await p.heard(a, b), [[2], [2]])
	const again = await p.listen(['documents'], { as: u })
	assert.equal(again.hello.data.user, null)
	end(a, b, again)
})

test('the console hears of attributes and indexes, the project does not', async () => {
	const id = unique(), { listen, channels } = await import('../lib/ws.mjs')
	const w = await listen(s, `project=console&${channels('console')}`, { cookie: p.console.cookie }), user = await p.listen(['console', 'documents'], { as: alice })
	await p.collection(id)
	const e = await w.event((d) => d.payload.key === 'n' && d.events[0].endsWith('.create'))
	assert.deepEqual(e.channels, ['console'])
	assert.match(e.events[0], new RegExp(`^databases\\.d\\.collections\\.${id}\\.attributes\\.`))
	assert.deepEqual(await p.heard(user), [[]])
	end(w, user)
})

test('order: a thousand writes arrive once and in order, at every socket', async () => {
	const all = await Promise.all(Array.from({ length: 5 }, () => p.listen(['documents'], { as: alice })))
	for (let n = 0; n < 1000; n += 20) {
		/* twenty at a time: their order is the commits' */
		await Promise.all(Array.from({ length: 20 }, (_, i) => p.write(n + i, [read('users')])))
	}
	const lists = await p.heard(...all)
	for (const list of lists) assert.deepEqual(list, lists[0])
	assert.equal(new Set(lists[0]).size, 1000)
	lists[0].forEach((n, at) => assert.ok(Math.abs(n - at) < 20, `${n} at ${at}`))
	end(...all)
})
