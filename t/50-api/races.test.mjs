/* Users, teams, memberships and collections that change at once. Somebody else's lock on a row or a table holds one request in the middle while another runs. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { cookieOf, server, unique, until } from '../lib/server.mjs'
import { channels, listen } from '../lib/ws.mjs'
import { collection, database } from './docs.mjs'
import { fails } from './lib.mjs'

let s, p, args, schema
const url = 'http://localhost/join', secret = 'known'
const psql = (sql) => execFileSync('psql', [...args, '-c', sql], { encoding: 'utf8' }).trim()

before(async () => {
	s = await server({ own: true })
	p = await s.project()
	args = ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1']
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
})
after(() => s.stop())

/* Locks rows until the function it gives is called, which may first do more. */
async function hold(sql) {
	const c = spawn('psql', args, { stdio: ['pipe', 'pipe', 'inherit'] })
	let out = ''
	c.stdout.on('data', (d) => (out += d))
	c.stdin.write(`BEGIN; ${sql}; SELECT 'held';\n`)
	await until('the lock', () => out.includes('held'))
	return (more = '') => new Promise((ok) => { c.on('exit', ok); c.stdin.end(`${more} COMMIT;\n`) })
}
const waiting = (n) => until(`${n} wait`, () => Number(psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")) === n)

const add = (t, u) => p.call('POST', `/teams/${t}/memberships`, { body: { email: u.email, roles: [], url } })
const accept = ({ t, m, u }) => p.guest('PATCH', `/teams/${t}/memberships/${m}/status`, { body: { userId: u.id, secret } })
const remove = ({ u }) => p.call('DELETE', `/users/${u.id}`)

async function team() {
	const id = unique('t')
	await p.ok('POST', '/teams', { body: { teamId: id, name: 'Team' } })
	return id
}

/* Somebody who is invited, as if by mail. */
async function invited() {
	const u = await p.user(), t = await team(), m = (await add(t, u)).body.$id
	psql(`UPDATE ${schema}.memberships SET confirm = false, joined = NULL, secret_hash = '${createHash('sha256').update(secret).digest('hex')}' WHERE id = '${m}';
		UPDATE ${schema}.teams SET total = 0 WHERE id = '${t}'`)
	return { u, t, m }
}

/* The total is the number of those who are in. */
async function counted(t, n) {
	const list = await p.ok('GET', `/teams/${t}/memberships`)
	assert.equal((await p.ok('GET', `/teams/${t}`)).total, n)
	assert.equal(list.memberships.filter((m) => m.confirm).length, n)
}

test('one invitation, accepted many times at once: one session, one member', async () => {
	const i = await invited(), sessions = async () => (await p.ok('GET', `/users/${i.u.id}/sessions`)).total, was = await sessions()
	const all = await Promise.all(Array.from({ length: 6 }, () => accept(i)))
	assert.equal(all.filter((r) => r.status === 200).length, 1)
	for (const r of all) if (r.status !== 200) fails(r, 409, 'membership_already_confirmed')
	assert.equal(await sessions(), was + 1)
	await counted(i.t, 1)
})

test('of two sign-ins at once where one session is allowed one works', async () => {
	const q = await s.project(), space = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${q.id}'`)
	assert.equal((await q.console.call('PATCH', `/projects/${q.id}/auth/max-sessions`, { body: { limit: 1 } })).status, 200)
	for (let i = 0; i < 10; i++) {
		const u = await q.user(), go = await hold(`SELECT 1 FROM ${space}.users WHERE id = '${u.id}' FOR UPDATE`)
		const two = [1, 2].map(() => q.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password } }))
		await waiting(2)
		await go()
		const in_ = []
		for (const r of await Promise.all(two)) {
			assert.equal(r.status, 201, r.text)
			in_.push((await q.guest('GET', '/account', { cookie: cookieOf(r) })).status)
		}
		assert.deepEqual(in_.sort(), [200, 401])
		assert.equal((await u.call('GET', '/account')).status, 401)
	}
})

test('a membership that is ended twice at once', async () => {
	const i = await invited(), del = () => p.call('DELETE', `/teams/${i.t}/memberships/${i.m}`)
	const go = await hold(`SELECT 1 FROM ${schema}.memberships WHERE id = '${i.m}' FOR UPDATE`), two = [del(), del()]
	await waiting(2)
	await go()
	const [first, second] = (await Promise.all(two)).sort((a, b) => a.status - b.status)
	assert.equal(first.status, 204)
	fails(second, 404, 'team_invite_not_found')
	await counted(i.t, 0)
})

test('an invitation that is withdrawn while it is accepted', async () => {
	const i = await invited(), go = await hold(`SELECT 1 FROM ${schema}.memberships WHERE id = '${i.m}' FOR UPDATE`), a = accept(i)
	await waiting(1)
	await go(`DELETE FROM ${schema}.memberships WHERE id = '${i.m}';`)
	fails(await a, 404, 'membership_not_found')
	await counted(i.t, 0)
})

test('replies and events have what changed meanwhile', async () => {
	const i = await invited(), roles = (list) => p.call('PATCH', `/teams/${i.t}/memberships/${i.m}`, { body: { roles: list } })
	const held = async (ask, table, change) => {
		const id = table === 'teams' ? i.t : i.m, go = await hold(`SELECT 1 FROM ${schema}.${table} WHERE id = '${id}' FOR UPDATE`), r = ask()
		await waiting(1)
		await go(`UPDATE ${schema}.${table} SET ${change} WHERE id = '${id}';`)
		return (await r).body
	}
	assert.deepEqual((await held(() => accept(i), 'memberships', "roles = '{late}'")).roles, ['late'])
	assert.equal((await held(() => roles(['a']), 'memberships', 'confirm = false')).confirm, false)
	assert.equal((await held(() => roles(['b']), 'memberships', 'confirm = true')).confirm, true)
	assert.equal((await held(() => p.call('PUT', `/teams/${i.t}`, { body: { name: 'New' } }), 'teams', 'total = 7')).total, 7)
	psql(`UPDATE ${schema}.teams SET total = 1 WHERE id = '${i.t}'`)
	assert.equal((await p.ok('GET', `/teams/${i.t}`)).name, 'New')
	assert.deepEqual((await p.ok('GET', '/teams', { query: { search: 'New' } })).teams.map((t) => t.$id), [i.t])
	await counted(i.t, 1)
	const other = await p.user()
	await add(i.t, other)
	const w = await listen(s, `project=${p.id}&${channels('memberships')}`, { cookie: other.cookie })
	await held(() => p.call('DELETE', `/teams/${i.t}/memberships/${i.m}`), 'memberships', "roles = '{last}'")
	const { payload } = await w.event((e) => e.events.includes(`teams.${i.t}.memberships.${i.m}.delete`))
	assert.deepEqual([payload.$id, payload.roles, payload.confirm], [i.m, ['last'], true])
	await w.close()
	await counted(i.t, 1)
})

test('what a team was when it was deleted', async () => {
	const t = await team(), u = await p.user()
	await add(t, u)
	const w = await listen(s, `project=${p.id}&${channels('teams')}`, { cookie: u.cookie })
	const go = await hold(`SELECT 1 FROM ${schema}.teams WHERE id = '${t}' FOR UPDATE`), d = p.call('DELETE', `/teams/${t}`)
	await waiting(1)
	await go(`UPDATE ${schema}.teams SET name = 'Late' WHERE id = '${t}';`)
	assert.equal((await d).status, 204)
	const { payload } = await w.event((e) => e.events.includes(`teams.${t}.delete`))
	assert.deepEqual([payload.$id, payload.name, payload.total], [t, 'Late', 1])
	await w.close()
})

test('a collection is answered as it was written, not as it was known', async () => {
	const db = await database(p), c = await collection(p, db), row = `${schema}.collections WHERE id = '${c.id}'`
	const go = await hold(`SELECT 1 FROM ${row} FOR NO KEY UPDATE`), r = p.call('PUT', c.path, { body: { name: 'New', documentSecurity: true } })
	await waiting(1)
	await go(`UPDATE ${schema}.collections SET permissions = ARRAY['read("any")'], enabled = false WHERE id = '${c.id}';
		INSERT INTO ${schema}.attributes (collection, key, type, format, size, width, required, "array", elements, status)
		SELECT internal, 'late', 'boolean', '', 0, 1, false, false, '{}', 'failed' FROM ${row};`)
	const now = (await r).body
	assert.deepEqual([now.name, now.documentSecurity, now.$permissions], ['New', true, ['read("any")']])
	assert.deepEqual(now.attributes.map((a) => `${a.key} ${a.status}`), ['late failed'])
	assert.deepEqual(await p.ok('GET', c.path), now)
})

test('two changes of a collection at once, and a new attribute: each answer has the rows of its moment', async () => {
	const db = await database(p), c = await collection(p, db), go = await hold(`SELECT 1 FROM ${schema}.collections WHERE id = '${c.id}' FOR UPDATE`)
	const first = p.call('PUT', c.path, { body: { name: 'First', permissions: ['read("any")'] } })
	await waiting(1)
	const attribute = p.call('POST', `${c.path}/attributes/boolean`, { body: { key: 'flag', required: false } })
	await waiting(2)
	const second = p.call('PUT', c.path, { body: { name: 'Second' } })
	await waiting(3)
	await go()
	assert.equal((await attribute).status, 202)
	const [a, b] = [(await first).body, (await second).body], now = await p.ok('GET', c.path)
	assert.deepEqual([a.name, a.$permissions], ['First', ['read("any")']])
	assert.deepEqual([b.name, b.$permissions], ['Second', ['read("any")']])
	assert.deepEqual([now.$permissions, now.attributes.map((x) => x.key)], [['read("any")'], ['flag']])
	assert.deepEqual(now.name === 'First' ? now.$updatedAt : b.$updatedAt, now.$updatedAt)
})

/* Two requests for other members of one row, which somebody holds: the answer of each has what it wrote, the later one what both wrote, and
 * so has the row. */
async function both(row, ask, members, read) {
	const go = await hold(`SELECT 1 FROM ${row} FOR UPDATE`), first = ask[0]()
	await waiting(1)
	const second = ask[1]()
	await waiting(2)
	await go()
	const [a, b] = [await first, await second].map((r) => { assert.equal(r.status, 200, r.text); return r.body }), now = await read()
	for (const [key, value] of Object.entries(members[0])) assert.equal(a[key], value)
	for (const [key, value] of Object.entries(members[1])) assert.equal(b[key], value)
	for (const [key, value] of Object.entries({ ...members[0], ...members[1] })) assert.equal(now[key], value)
	assert.equal([a, b].filter((x) => Object.entries({ ...members[0], ...members[1] }).every(([k, v]) => x[k] === v)).length, 1)
	return [a, b]
}

test('two changes of a user at once: answers and events have whole rows', async () => {
	const u = await p.user(), email = `${unique('e')}@example.com`, w = await listen(s, `project=${p.id}&${channels('account')}`, { cookie: u.cookie })
	const answers = await both(`${schema}.users WHERE id = '${u.id}'`,
		[() => p.call('PATCH', `/users/${u.id}/name`, { body: { name: 'Both' } }), () => p.call('PATCH', `/users/${u.id}/email`, { body: { email } })],
		[{ name: 'Both' }, { email }], () => p.ok('GET', `/users/${u.id}`))
	for (const [i, what] of ['name', 'email'].entries()) {
		const { payload } = await w.event((e) => e.events.includes(`users.${u.id}.update.${what}`))
		assert.deepEqual([payload.name, payload.email, payload.$updatedAt], [answers[i].name, answers[i].email, answers[i].$updatedAt])
	}
	await w.close()
})

test('two changes of a webhook at once', async () => {
	const root = `/projects/${p.id}/webhooks`, body = { name: 'First', events: ['users.*.create'], url: 'https://example.org/', security: true }
	const h = await p.console.ok('POST', root, { body })
	const go = await hold(`SELECT 1 FROM badal.webhooks WHERE id = '${h.$id}' FOR UPDATE`)
	const first = p.console.call('PUT', `${root}/${h.$id}`, { body: { ...body, name: 'Second', httpPass: 'secret' } })
	await waiting(1)
	const second = p.console.call('PATCH', `${root}/${h.$id}/signature`, { body: {} })
	await waiting(2)
	await go()
	const [a, b, now] = [(await first).body, (await second).body, (await p.console.call('GET', `${root}/${h.$id}`)).body]
	assert.deepEqual([a.name, a.httpPass], ['Second', 'secret'])
	assert.notEqual(b.signatureKey, h.signatureKey)
	assert.deepEqual([now.name, now.httpPass, now.signatureKey], ['Second', 'secret', b.signatureKey])
	/* whoever came second has both */
	assert.equal([a, b].filter((x) => x.name === 'Second' && x.signatureKey === b.signatureKey).length, 1)
})

test('a team that is deleted while an invitation is accepted', async () => {
	const i = await invited(), go = await hold(`SELECT 1 FROM ${schema}.teams WHERE id = '${i.t}' FOR UPDATE`), d = p.call('DELETE', `/teams/${i.t}`)
	await waiting(1)
	const a = accept(i)
	await waiting(2)
	await go()
	assert.equal((await d).status, 204)
	fails(await a, 404, 'membership_not_found')
	assert.equal((await p.ok('GET', `/users/${i.u.id}/memberships`)).total, 0)
})

test('a user who is deleted while accepting does not stay in the total', async () => {
	const i = await invited(), go = await hold(`SELECT 1 FROM ${schema}.teams WHERE id = '${i.t}' FOR UPDATE`), a = accept(i)
	await waiting(1)
	const d = remove(i)
	await waiting(2)
	await go()
	assert.equal((await d).status, 204)
	const r = await a	/* the session came before the end, or too late */
	if (r.status !== 200) fails(r, 404, 'user_not_found')
	await counted(i.t, 0)
})

test('a user who is deleted while being added does not stay in the total', async () => {
	const u = await p.user(), one = await team(), two = await team()
	await add(one, u)
	const go = await hold(`SELECT 1 FROM ${schema}.teams WHERE id = '${one}' FOR UPDATE`), d = remove({ u })
	await waiting(1)
	const a = add(two, u)
	await waiting(2)
	await go()
	assert.equal((await d).status, 204)
	fails(await a, 404, 'user_not_found')
	await counted(one, 0)
	await counted(two, 0)
})

test('users and teams that share memberships go at once', async () => {
	const teams = await Promise.all(Array.from({ length: 6 }, team)), users = await Promise.all(Array.from({ length: 6 }, () => p.user()))
	for (const t of teams) await Promise.all(users.map((u) => add(t, u)))
	const all = await Promise.all([...users.slice(0, 5).map((u) => remove({ u })), ...teams.slice(0, 2).map((t) => p.call('DELETE', `/teams/${t}`))])
	assert.deepEqual(all.map((r) => r.status), Array(7).fill(204))
	for (const t of teams.slice(2)) await counted(t, 1)
})

test('members who are added while their team goes', async () => {
	for (let i = 0; i < 3; i++) {
		const t = await team(), users = await Promise.all(Array.from({ length: 8 }, () => p.user()))
		const [gone, ...all] = await Promise.all([p.call('DELETE', `/teams/${t}`), ...users.map((u) => add(t, u))])
		assert.equal(gone.status, 204)
		for (const r of all) if (r.status !== 201) fails(r, 404, 'team_not_found')
		for (const u of users) assert.equal((await p.ok('GET', `/users/${u.id}/memberships`)).total, 0)
	}
})

test('name, e-mail and phone that change at once are all found', async () => {
	const u = await p.user(), go = await hold(`SELECT 1 FROM ${schema}.users WHERE id = '${u.id}' FOR UPDATE`), found = async (search) =>
		(await p.ok('GET', '/users', { query: { search } })).users.map((x) => x.$id)
	const all = [['name', { name: 'Zyxwvu' }], ['email', { email: 'qqwwee@example.org' }], ['phone', { number: '+4915550001' }]]
		.map(([tail, body]) => p.call('PATCH', `/users/${u.id}/${tail}`, { body }))
	await waiting(3)
	await go()
	assert.deepEqual((await Promise.all(all)).map((r) => r.status), [200, 200, 200])
	for (const word of ['Zyxwvu', 'qqwwee', '4915550001']) assert.deepEqual(await found(word), [u.id], word)
})

for (const [what, ask, status] of [
	['a list', (c) => p.call('GET', c.docs), 200],
	['a new document', (c) => p.call('POST', c.docs, { body: { documentId: 'new', data: { kept: 1 } } }), 201],
	['an update', (c) => p.call('PATCH', `${c.docs}/old`, { body: { data: { kept: 2 } } }), 200],
])
	test(`${what} that waits behind one dropped attribute and then behind the next`, async () => {
		const c = await collection(p, await database(p), { attributes: { kept: { type: 'integer' }, one: { type: 'integer' }, two: { type: 'integer' } } })
		await c.doc({ kept: 0 }, { id: 'old' })
		const drop = (key) => {
			const [table, column, internal] = psql(`SELECT 'c_' || c.internal, 'a_' || a.internal, a.internal FROM ${schema}.attributes a
				JOIN ${schema}.collections c ON c.internal = a.collection WHERE c.id = '${c.id}' AND a.key = '${key}'`).split('|')
			return `ALTER TABLE ${schema}.${table} DROP COLUMN ${column}; DELETE FROM ${schema}.attributes WHERE internal = ${internal}`
		}
		const sql = [drop('one'), drop('two')], first = await hold(sql[0]), reply = ask(c)
		await waiting(1)
		const second = hold(sql[1])
		await waiting(2)
		await first()
		await (await second)()
		const r = await reply
		assert.equal(r.status, status, r.text)
		assert.ok(!('one' in r.body) && !('two' in r.body))
	})

/* The table of a collection is in use until the function it gives is called: changes of its schema are left to the jobs. */
const busy = (c) => hold(`LOCK TABLE ${schema}.c_${psql(`SELECT internal FROM ${schema}.collections WHERE id = '${c.id}'`)} IN ACCESS SHARE MODE`)
const left = async (c) => Object.fromEntries((await p.ok('GET', `${c.path}/indexes`)).indexes.map((x) => [x.key, `${x.status} ${x.attributes}`]))
const gone = (target) => until(`${target} is gone`, async () => (await p.call('GET', target)).status === 404)
const two = { a: { type: 'integer' }, b: { type: 'integer' } }

test('an index that is deleted before one of its attributes stays deleted', async () => {
	const c = await collection(p, await database(p), { attributes: two, indexes: { ab: { type: 'key', attributes: ['a', 'b'] }, u: { type: 'unique', attributes: ['b', 'a'] } } })
	const go = await busy(c)
	await p.ok('DELETE', `${c.path}/indexes/ab`)
	await p.ok('DELETE', `${c.path}/indexes/u`)
	await p.ok('DELETE', `${c.path}/attributes/b`)
	assert.equal((await p.ok('GET', `${c.path}/attributes/b`)).status, 'deleting')
	await go()
	await gone(`${c.path}/attributes/b`)
	await gone(`${c.path}/indexes/ab`)
	await gone(`${c.path}/indexes/u`)
	assert.deepEqual(await left(c), {})
})

test('an attribute leaves indexes that become equal, and one that had failed', async () => {
	const c = await collection(p, await database(p), { attributes: two, indexes: { ab: { type: 'key', attributes: ['a', 'b'] }, ba: { type: 'key', attributes: ['b', 'a'] } } })
	for (const n of [1, 2]) await c.doc({ a: 5, b: 5 })
	await p.ok('POST', `${c.path}/indexes`, { body: { key: 'u', type: 'unique', attributes: ['b', 'a'], orders: ['DESC', 'DESC'] } })
	await until('it fails', async () => (await p.ok('GET', `${c.path}/indexes/u`)).status === 'failed')
	psql(`DELETE FROM ${schema}.c_${psql(`SELECT internal FROM ${schema}.collections WHERE id = '${c.id}'`)} WHERE _seq = 1`)
	await p.ok('DELETE', `${c.path}/attributes/b`)
	await gone(`${c.path}/attributes/b`)
	await until('one of the two is left', async () => JSON.stringify(await left(c)) === '{"ab":"available a","u":"failed a"}')
	for (const id of ['x', 'y']) await c.doc({ a: 7 }, { id })
})

test('an attribute that is deleted before it could be made', async () => {
	const c = await collection(p, await database(p), { attributes: two }), go = await busy(c), at = `${c.path}/attributes/new`
	await p.ok('POST', `${c.path}/attributes/integer`, { body: { key: 'new', required: false } })
	assert.equal((await p.ok('GET', at)).status, 'processing')
	assert.equal((await p.call('POST', c.docs, { body: { documentId: 'x', data: { new: 1 } } })).status, 400)
	await p.ok('DELETE', at)
	fails(await p.call('GET', at), 404, 'attribute_not_found')
	await c.doc({ a: 1 }, { id: 'one' })	/* meanwhile documents are as before */
	assert.equal((await p.ok('GET', c.docs)).total, 1)
	await go()
	await p.ok('POST', `${c.path}/attributes/boolean`, { body: { key: 'new', required: false } })
	await until('another is made', async () => (await p.ok('GET', at)).status === 'available')
	assert.equal((await p.ok('GET', `${c.docs}/one`)).new, null)
})

test('a team of the console is not deleted behind a project that it just got, and who makes one anew does not come by projects', async () => {
	const one = await s.user(), two = await s.user(), q = await s.project(), t = unique('t')
	await one.ok('POST', '/teams', { body: { teamId: t, name: 'T' } })
	const go = await hold(`SELECT 1 FROM p_0.teams WHERE id = '${t}' FOR SHARE; UPDATE badal.projects SET team_id = '${t}' WHERE id = '${q.id}'`), d = one.call('DELETE', `/teams/${t}`)
	await waiting(1)
	await go()
	fails(await d, 409, 'team_not_empty')
	/* of a team that went before this was looked at */
	psql(`DELETE FROM p_0.memberships WHERE team_id = '${t}'; DELETE FROM p_0.teams WHERE id = '${t}'`)
	for (const id of [t, t.toUpperCase()]) fails(await two.call('POST', '/teams', { body: { teamId: id, name: 'Mine' } }), 409, 'team_already_exists')
	/* teams of projects have none */
	await q.ok('POST', '/teams', { body: { teamId: t, name: 'T' } })
	assert.equal((await q.call('DELETE', `/teams/${t}`)).status, 204)
})

test('a large team that goes: each of its members is told', async () => {
	const t = await team(), u = [await p.user(), await p.user()], n = 1000
	assert.equal((await add(t, u[0])).status, 201)
	const columns = (table) => psql(`SELECT string_agg(quote_ident(attname), ',') FROM pg_attribute WHERE attrelid = '${schema}.${table}'::regclass AND attnum > 0 AND NOT attisdropped
		AND attname NOT IN ('internal', 'id', 'email', 'phone', 'user_internal', 'user_id')`)
	const of = { users: columns('users'), memberships: columns('memberships') }
	psql(`INSERT INTO ${schema}.users (id, ${of.users}) SELECT '${t}-' || g, ${of.users} FROM ${schema}.users, generate_series(1, ${n}) g WHERE id = '${u[0].id}';
		INSERT INTO ${schema}.memberships (id, user_internal, user_id, ${of.memberships}) SELECT x.id, x.internal, x.id, ${of.memberships.split(',').map((c) => `m.${c}`)}
		FROM ${schema}.memberships m, ${schema}.users x WHERE x.id LIKE '${t}-%' AND m.user_id = '${u[0].id}'`)
	assert.equal((await add(t, u[1])).status, 201)	/* the last one */
	const sockets = await Promise.all(u.map((x) => listen(s, `project=${p.id}&${channels('teams')}`, { cookie: x.cookie })))
	for (const x of u) assert.equal((await x.ok('GET', `/teams/${t}`)).$id, t)
	await p.ok('PUT', `/teams/${t}`, { body: { name: 'Before' } })	/* who has heard that has the roles of the last one to come */
	for (const w of sockets) await w.event((e) => e.payload.name === 'Before')
	assert.equal((await p.call('DELETE', `/teams/${t}`)).status, 204)
	for (const w of sockets) assert.equal((await w.event((e) => e.events.includes(`teams.${t}.delete`))).payload.$id, t)
	/* whoever makes one of that id has none of them in it */
	await p.ok('POST', '/teams', { body: { teamId: t, name: 'Anew' } })
	for (const x of u) fails(await x.call('GET', `/teams/${t}`), 404, 'team_not_found')
	await p.ok('PUT', `/teams/${t}`, { body: { name: 'Other' } })
	const mine = (await u[1].ok('POST', '/teams', { body: { teamId: 'unique()', name: 'Mine' } })).$id, ours = (await u[0].ok('POST', '/teams', { body: { teamId: 'unique()', name: 'Ours' } })).$id
	for (const [i, id] of [ours, mine].entries()) {
		await sockets[i].event((e) => e.events.includes(`teams.${id}.create`))
		assert.ok(!sockets[i].texts.some((x) => x.includes('Other')), 'the role is gone')
		sockets[i].end()
	}
})
