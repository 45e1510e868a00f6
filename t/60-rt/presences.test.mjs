/* What connections say of their users: presences come, are seen by whom they are for, and end with the connections. */
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'

import { receiver } from '../lib/receiver.mjs'
import { server, unique, until } from '../lib/server.mjs'
import { listen as connect } from '../lib/ws.mjs'

let s, p, alice, bob, schema
const today = { 'x-appwrite-response-format': '1.9.5' }
const read = (role) => `read("${role}")`
const listen = (u, query = '') => connect(s, `project=${p.id}${query}`, { cookie: u?.cookie })
const watch = (u = bob) => listen(u, '&channels[]=presences')
const say = (w, data) => w.ask({ type: 'presence', data })
const shared = { permissions: [read('users')] }
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
const of = (u) => (d) => d.payload.userId === u.id
const list = async (u) => (await bob.call('GET', '/presences?queries[]=' + encodeURIComponent(JSON.stringify({ method: 'equal', attribute: 'userId', values: [u.id] })), { headers: today })).body.presences

before(async () => {
	s = await server({ own: true, conf: { web_processes: 2, webhook_private: 'on' } })
	p = await s.project()
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	alice = await p.user()
	bob = await p.user()
})
after(() => s.stop())

test('it is said, answered, heard, listed, and ends with the connection', async () => {
	const u = await p.user(), w = await listen(u), ears = await watch()
	const r = await say(w, { status: 'online', presenceId: unique(), ...shared, metadata: { room: 'a' } }), one = r.data.presence
	assert.deepEqual([r.type, r.data.to, r.data.success], ['response', 'presence', true])
	assert.deepEqual(Object.keys(one), ['$id', '$sequence', '$createdAt', '$updatedAt', '$permissions', 'userId', 'status', 'source', 'expiresAt', 'metadata'])
	assert.deepEqual([one.userId, one.status, one.source, one.metadata, one.$permissions], [u.id, 'online', 'realtime', { room: 'a' }, [read('users')]])
	const days = (Date.parse(one.expiresAt) - Date.parse(one.$updatedAt)) / 86400000
	assert.ok(Math.abs(days - 30) < 0.01, `${days}`)
	const e = await ears.event(of(u))
	assert.deepEqual([e.events[0], e.payload.status], [`presences.${one.$id}.upsert`, 'online'])
	assert.deepEqual((await list(u)).map((x) => x.$id), [one.$id])
	const again = (await say(w, { status: 'away' })).data.presence
	assert.deepEqual([again.$id, again.status, again.metadata, again.$permissions], [one.$id, 'away', {}, [read('users')]])
	await ears.event((d) => of(u)(d) && d.payload.status === 'away')
	w.end()
	assert.equal((await ears.event(of(u))).events[0], `presences.${one.$id}.delete`)
	assert.deepEqual(await list(u), [])
	ears.end()
})

test('of several connections the last one ends it', async () => {
	const u = await p.user(), tabs = await Promise.all([1, 2, 3, 4].map(() => listen(u))), ears = await watch()
	const ids = new Set()
	for (const w of tabs) ids.add((await say(w, { status: 'on', ...shared })).data.presence.$id)
	assert.equal(ids.size, 1)
	for (const w of tabs.slice(1)) await w.close()
	await until('three have left', () => psql(`SELECT count(*) FROM ${schema}.presence_sockets k JOIN ${schema}.presences s ON s.internal = k.presence WHERE s.user_id = '${u.id}'`) === '1')
	assert.equal((await list(u)).length, 1)
	tabs[0].end()
	await ears.event((d) => of(u)(d) && d.events[0].endsWith('.delete'))
	ears.end()
})

test('what a request says is not the connection\'s any more', async () => {
	const u = await p.user(), w = await listen(u), id = (await say(w, { status: 'on', ...shared })).data.presence.$id
	assert.equal((await u.call('PUT', `/presences/${id}`, { body: { status: 'by request' }, headers: today })).body.source, 'rest')
	await w.close()
	const v = await listen(u)	/* what leaves is told in order: when this one has ended it, the first is done with */
	await say(v, { status: 'on' })
	assert.equal((await list(u))[0].source, 'realtime')
	v.end()
	await until('it has ended', async () => (await list(u)).length === 0)
})

test('it ends with its user\'s identity: another one, a sign-out, a block', async () => {
	const token = (x) => decodeURIComponent(x.cookie.match(/a_session_[^=;]*=([^;]*)/)[1])
	for (const end of [
		(u, w) => w.ask({ type: 'authentication', data: { session: token(alice) } }),
		(u) => u.ok('DELETE', '/account/sessions/current'),
		(u) => p.ok('PATCH', `/users/${u.id}/status`, { body: { status: false } }),
		(u) => p.ok('DELETE', `/users/${u.id}`),
	]) {
		const u = await p.user(), w = await listen(u), ears = await watch()
		await say(w, { status: 'on', ...shared })
		await end(u, w)
		await ears.event((d) => of(u)(d) && d.events[0].endsWith('.delete'))
		ears.end()
		w.end()
	}
})

test('a request ends it, and the connection says it again', async () => {
	const u = await p.user(), w = await listen(u), id = (await say(w, { status: 'on', ...shared })).data.presence.$id
	assert.equal((await u.call('DELETE', `/presences/${id}`, { headers: today })).status, 204)
	assert.deepEqual(await list(u), [])
	assert.notEqual((await say(w, { status: 'on', ...shared })).data.presence.$id, id)
	assert.equal((await list(u)).length, 1)
	w.end()
	await until('it has ended', async () => (await list(u)).length === 0)
})

test('errors leave the connection', async () => {
	const w = await listen(alice), code = async (data) => { const r = await say(w, data); assert.equal(r.type, 'error', JSON.stringify(r)); return [r.data.code, r.data.message] }
	assert.deepEqual(await code({}), [1003, 'Payload is not valid. Status is required'])
	assert.deepEqual(await code(undefined), [1003, 'Payload is not valid. Status is required'])
	for (const [bad, field] of [[{ status: 'x'.repeat(2049) }, 'status'], [{ status: 5 }, 'status'], [{ status: 'on', presenceId: 'no no' }, 'presenceId'], [{ status: 'on', permissions: ['create("any")'] }, 'permissions'], [{ status: 'on', metadata: 'x' }, 'metadata']]) {
		const [n, message] = await code(bad)
		assert.equal(n, 1003)
		assert.ok(message.startsWith(`${field}: `), message)
	}
	assert.equal((await code({ status: 'on', permissions: [read(`user:${bob.id}`)] }))[0], 401)
	assert.deepEqual(await w.ask({ type: 'ping' }), { type: 'pong' })
	assert.equal((await say(w, { status: 'x'.repeat(2048), permissions: [read('any')] })).type, 'response')
	w.end()
	const g = await listen(null)
	assert.deepEqual(await say(g, { status: 'on' }), { type: 'error', data: { code: 401, message: 'User must be authorized' } })
	g.end()
	const c = await connect(s, 'project=console')
	assert.equal((await say(c, { status: 'on' })).data.code, 1008)
	await c.closed
})

/* Nobody can subscribe to events of presences, so the row is written by hand. */
test('who is shut out hears of an end; webhooks and live tails, to which it has not ended, do not', async () => {
	const r = await receiver(), q = p.console, hook = await q.ok('POST', `/projects/${p.id}/webhooks`, { body: { name: 'H', events: ['users.*.create'], url: r.url, security: false } })
	psql(`UPDATE badal.webhooks SET events = ARRAY['presences.*'] WHERE id = '${hook.$id}'`)
	const next = await q.ok('POST', `/projects/${p.id}/webhooks`, { body: { name: 'so that it is read anew', events: ['users.*.create'], url: r.url, security: false } })
	await q.ok('DELETE', `/projects/${p.id}/webhooks/${next.$id}`)
	const tail = await connect(s, `project=console&channels[]=console.tail.${p.id}`, { cookie: q.cookie })
	const u = await p.user(), ears = await watch(), id = unique(), last = unique(), put = (u, id) => u.ok('PUT', `/presences/${id}`, { body: { status: 'on', ...shared }, headers: today })
	await put(u, id)
	await u.ok('PATCH', `/presences/${id}`, { body: { permissions: [read(`user:${u.id}`)] }, headers: today })
	const heard = [await ears.event(of(u)), await ears.event(of(u))].map((d) => d.events[0])
	await u.ok('DELETE', `/presences/${id}`, { headers: today })
	await put(alice, last)
	const want = [`presences.${id}.upsert`, `presences.${id}.update`, `presences.${id}.delete`, `presences.${last}.upsert`], told = [], sent = []
	assert.deepEqual(heard, [want[0], want[2]])
	while (told.at(-1) !== want[3]) told.push(...(await tail.event()).payload.filter((x) => x.type === 'presences').map((x) => x.event))
	while (![want[2], want[3]].every((e) => sent.includes(e))) sent.push((await r.next()).headers['x-appwrite-webhook-events'].split(',')[0])
	assert.deepEqual(told, want)
	/* deliveries keep the order of one resource; that of another may be quicker */
	assert.deepEqual([sent.filter((e) => e !== want[3]), sent.length], [want.slice(0, 3), 4])
	await alice.ok('DELETE', `/presences/${last}`, { headers: today })
	await q.ok('DELETE', `/projects/${p.id}/webhooks/${hook.$id}`)
	for (const w of [tail, ears]) w.end()
	await r.stop()
})

test('an id that is somebody else\'s', async () => {
	const w = await listen(await p.user()), v = await listen(await p.user()), presenceId = unique()
	await say(w, { status: 'on', presenceId })
	assert.equal((await say(v, { status: 'on', presenceId })).data.code, 409)
	w.end()
	v.end()
})

test('a process that dies takes its presences with it', async () => {
	const u = await p.user(), w = await listen(u)
	await say(w, { status: 'on', ...shared })
	const process_ = psql(`SELECT k.process FROM ${schema}.presence_sockets k JOIN ${schema}.presences s ON s.internal = k.presence WHERE s.user_id = '${u.id}'`)
	const ears = await watch()
	/* another name: nobody shows life for it, and it was missed long ago */
	psql(`UPDATE ${schema}.presence_sockets SET process = 'dead-${process_}'`)
	execFileSync('redis-cli', ['-s', path.join(s.dataDir, 'run/redis.sock'), 'SET', `socket:{dead-${process_}}:missed`, '1'])
	await ears.event((d) => of(u)(d) && d.events[0].endsWith('.delete'))
	ears.end()
	w.end()
})

/* The end of connections cannot be noted while somebody holds the table. */
test('while ends are not noted, there is a bound to those who begin', async (t) => {
	const own = await server({ own: true, conf: { web_processes: 1, rt_farewells_max: 2 } })
	t.after(() => own.stop())
	const q = await own.project(), sockets = await Promise.all([1, 2, 3, 4].map(async () => connect(own, `project=${q.id}`, { cookie: (await q.user()).cookie })))
	const metric = async (name) => Number((await own.call('GET', '/metrics', { root: true })).text.match(new RegExp(`^badal_${name} (\\d+)`, 'm'))[1]), on = { status: 'on' }
	for (const w of sockets.slice(0, 3)) assert.equal((await say(w, on)).type, 'response')
	const holder = spawn('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq'], { stdio: ['pipe', 'pipe', 'inherit'] })
	t.after(() => { holder.kill(); holder.stdout.destroy() })
	holder.stdin.write(`SELECT format('BEGIN; LOCK TABLE p_%s.presence_sockets; SELECT 1', internal) FROM badal.projects WHERE id = '${q.id}' \\gexec\n`)
	await once(holder.stdout, 'data')
	for (const w of sockets.slice(0, 2)) await w.close()
	await until('two are gone', async () => await metric('rt_connections') === 2)
	assert.deepEqual(await say(sockets[3], on), { type: 'error', data: { code: 503, message: 'Error: Server Error' } })
	assert.equal(await metric('rt_work_refused_total'), 1)
	const again = say(sockets[2], { status: 'away' })	/* it has begun, and may go on */
	holder.stdin.end()
	assert.equal((await again).type, 'response')
	await until('there is room again', async () => (await say(sockets[3], on)).type === 'response')
	for (const w of sockets) w.end()
})

/* A machine of an older version, in an upgrade. */
test('a project that another version has migrated holds up the ends of no other', async (t) => {
	const own = await server({ own: true, conf: { web_processes: 1 } })
	t.after(() => own.stop())
	const sql = (q) => execFileSync('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', q], { encoding: 'utf8' }).trim()
	const [a, b] = [await own.project(), await own.project()], version = sql(`SELECT version FROM badal.projects WHERE id = '${a.id}'`)
	const begin = async (q) => { const w = await connect(own, `project=${q.id}`, { cookie: (await q.user()).cookie }); assert.equal((await say(w, { status: 'on' })).type, 'response'); return w }
	const left = (q) => sql(`SELECT count(*) FROM ${sql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${q.id}'`)}.presence_sockets`)
	const migrated = async (to) => {
		sql(`UPDATE badal.projects SET version = ${to}, needs = ${to} WHERE id = '${a.id}'`)
		await a.console.ok('PATCH', `/projects/${a.id}`, { body: { name: `at ${to}` } })	/* what was kept is read again */
		await until('it is known', async () => (await a.call('GET', '/users')).status === (to === version ? 200 : 503))
	}
	const sockets = [await begin(a), await begin(b), await begin(b)]
	await migrated(9999)
	for (const w of sockets.slice(0, 2)) await w.close()
	await until('of the other it is noted', () => left(b) === '1')
	await sockets[2].close()
	await until('and once more', () => left(b) === '0')
	assert.equal(left(a), '1')
	/* and then of this one, too, however many of the other go on to end */
	let ends = 0, over = false
	const user = await b.user(), come = async () => { for (; !over; ends++) { const w = await connect(own, `project=${b.id}`, { cookie: user.cookie }); await say(w, { status: 'on' }); await w.close() } }
	const space = sql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${a.id}'`), asked = ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atqc', `SELECT count(*) FROM ${space}.presence_sockets`]
	const crowd = Array.from({ length: 8 }, come)
	try {
		await until('they come and go', () => ends > 20)
		await migrated(version)
		await until('it is noted', async () => (await promisify(execFile)('psql', asked)).stdout.trim() === '0')
	} finally {
		over = true
		await Promise.all(crowd)
	}
})
