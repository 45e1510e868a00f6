/* Connections in another user's name: they hear what that one hears, for as long as both may. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import path from 'node:path'
import { after, before, test } from 'node:test'

import { server, unique, until } from '../lib/server.mjs'
import { listen as connect } from '../lib/ws.mjs'
import { library, read } from './lib.mjs'

let s, p, bob
const today = { 'x-appwrite-response-format': '1.9.5' }
const id = (u) => ({ 'x-appwrite-impersonate-user-id': u.id })
const allow = async (u, impersonator = true) => { const r = await p.call('PATCH', `/users/${u.id}/impersonator`, { headers: today, body: { impersonator } }); assert.equal(r.status, 200, r.text) }
const agent = async () => { const u = await p.user(); await allow(u); return u }
const listen = (u, headers = {}, query = '') => connect(s, `project=${p.id}&channels[]=documents&channels[]=account${query}`, { cookie: u.cookie, headers })

before(async () => {
	s = await server()
	p = await library(s)
	bob = await p.user({ name: 'Bob' })
})
after(() => s.stop?.call(s))

/* Which of two documents it hears: 1, the other's, or 2, its own. What was written before it came may be told late: so each has another number. */
let numbers = 10
async function hears(w, other, own) {
	const n = numbers += 2
	await p.write(n + 1, [read(`user:${other.id}`)])
	await p.write(n + 2, [read(`user:${own.id}`)])
	return (await p.heard(w))[0].map((x) => x - n).filter((x) => x === 1 || x === 2)
}

test('by header, by parameter, and not for others', async () => {
	const a = await agent()
	for (const [headers, query] of [[id(bob), ''], [{}, `&impersonateUserId=${bob.id}`], [{}, `&impersonateuserid=${bob.id}`], [{ 'x-appwrite-impersonate-user-email': bob.email }, ''], [{}, `&impersonateEmail=${bob.email}`]]) {
		const w = await listen(a, headers, query)
		assert.equal(w.hello.data.user.$id, bob.id)
		assert.ok(w.hello.data.channels.includes(`account.${bob.id}`))
		assert.deepEqual(await hears(w, bob, a), [1])
		w.end()
	}
	for (const [u, headers] of [[a, id({ id: 'nobody' })], [await p.user(), id(bob)]]) {
		const w = await listen(u, headers)
		assert.equal(w.hello.data.user.$id, u.id)
		assert.deepEqual(await hears(w, bob, u), [2])
		w.end()
	}
})

test('it stays in that name', async () => {
	const a = await agent(), w = await listen(a, id(bob))
	const r = await w.ask({ type: 'authentication', data: { session: decodeURIComponent(a.cookie.match(/a_session_[^=;]*=([^;]*)/)[1]) } })
	assert.deepEqual([r.type, r.data.code], ['error', 1003])
	assert.deepEqual(await hears(w, bob, a), [1])
	w.end()
})

test('it follows the other\'s roles, and ends with what it stands on', async () => {
	const u = await p.user(), a = await agent(), w = await listen(a, id(u))
	const t = await u.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'x' } })
	await p.write(5, [read(`team:${t.$id}`)])
	assert.ok((await p.heard(w))[0].includes(5))
	/* the other's sessions are not its own */
	await u.ok('DELETE', '/account/sessions')
	assert.deepEqual(await hears(w, u, a), [1])
	w.end()
	for (const end of [(x) => allow(x, false), (x) => x.ok('DELETE', '/account/sessions/current'), (x) => p.ok('PATCH', `/users/${x.id}/status`, { body: { status: false } }),
		(x, y) => p.ok('PATCH', `/users/${y.id}/status`, { body: { status: false } }), (x, y) => p.ok('DELETE', `/users/${y.id}`)]) {
		const x = await agent(), y = await p.user(), v = await listen(x, id(y))
		assert.deepEqual(await hears(v, y, x), [1])
		await end(x, y)
		assert.deepEqual(await hears(v, y, x), [], `${end}`)
		v.end()
	}
})

test('what opens the other\'s account is not for it', async () => {
	const u = await p.user(), a = await agent(), identifier = unique('token')
	await u.ok('POST', '/account/targets/push', { headers: today, body: { targetId: 'unique()', identifier } })
	const w = await listen(a, id(u)), v = await listen(u)
	for (const x of [w, v]) assert.equal(x.hello.data.user.targets, undefined)
	const [target] = (await u.ok('GET', '/account', { headers: today })).targets.filter((x) => x.providerType === 'push')
	await u.ok('PUT', `/account/targets/${target.$id}/push`, { headers: today, body: { identifier: `${identifier}-2` } })
	const [session] = (await u.ok('GET', '/account/sessions')).sessions
	await u.ok('PATCH', `/account/sessions/${session.$id}`, { headers: today, body: {} })
	await u.ok('PATCH', '/account/name', { body: { name: 'Una' } })
	const again = await listen(a, id(u), `&since=${encodeURIComponent(w.hello.id)}`)
	for (const x of [w, again]) {
		const e = await x.event()
		assert.deepEqual([e.events[0], e.payload.name, e.payload.targets], [`users.${u.id}.update`, 'Una', undefined])
		x.end()
	}
	/* its user hears all of it */
	await v.event((d) => d.payload.identifier === `${identifier}-2`)	/* that it was made may come late, too */
	assert.equal((await v.event()).payload.$id, session.$id)
	assert.equal((await v.event()).payload.name, 'Una')
	v.end()
})

test('who signs out while the other is looked up does not come in as the other', async (t) => {
	const own = await server({ own: true, conf: { web_processes: 1 } }), sessions = []
	t.after(async () => { for (const c of sessions) c.stdin.end(); await own.stop() })
	const psql = () => {
		const c = spawn('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1'])
		let out = ''
		c.stdout.on('data', (d) => { out += d })
		sessions.push(c)
		return async (sql, what) => { out = ''; c.stdin.write(`${sql}; SELECT 'done';\n`); if (what) await until(what, () => out.includes('done')); return out.replace('done\n', '').trim() }
	}
	const q = await own.project(), a = await q.user(), b = await q.user(), [look, one, two] = [psql(), psql(), psql()]
	await q.ok('PATCH', `/users/${a.id}/impersonator`, { body: { impersonator: true }, headers: today })
	const table = `p_${await look(`SELECT internal FROM badal.projects WHERE id = '${q.id}'`, 'the number')}.users`
	const waiting = (n) => until(`${n} that wait`, async () => Number(await look(`SELECT count(*) FROM pg_locks WHERE relation = '${table}'::regclass AND NOT granted`, 'locks')) >= n)
	/* it is known, so that what waits is the look at the other, of which there are two */
	for (let i = 0; i < 3; i++) assert.equal((await a.call('GET', '/account', { headers: { ...today, 'x-appwrite-impersonate-user-email': b.email } })).body.$id, b.id)
	const before = await connect(own, `project=${q.id}&channels[]=account`, { cookie: a.cookie })
	await one(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`, 'the first lock')
	const coming = connect(own, `project=${q.id}&channels[]=account`, { cookie: a.cookie, headers: { 'x-appwrite-impersonate-user-email': b.email } })
	await waiting(1)
	two(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`)
	await waiting(2)
	one('COMMIT')
	await until('the second lock', async () => (await look(`SELECT count(*) FROM pg_locks WHERE relation = '${table}'::regclass AND granted AND mode = 'AccessExclusiveLock'`, 'locks')) === '1')
	await waiting(1)
	assert.equal((await a.call('DELETE', '/account/sessions/current', { headers: today })).status, 204)
	await Promise.race([before.closed, before.next()])	/* it has been told here */
	two('COMMIT')
	const w = await coming
	assert.equal(w.hello.data.user, null)
	w.end()
})
