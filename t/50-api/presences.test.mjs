/* Presences by requests: who is there, who may see and change it, how it ends. What connections say of themselves: t/60-rt/presences.test.mjs. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'

import { allScopes, server, unique, until } from '../lib/server.mjs'
import { listen } from '../lib/ws.mjs'
import { fails } from './lib.mjs'

let s, p, alice, bob, schema
const today = { 'x-appwrite-response-format': '1.9.5' }
const as = (u, m, target, body, o = {}) => u.call(m, target, { body, headers: today, ...o })
const put = async (u, id, body) => { const r = await as(u, 'PUT', `/presences/${id}`, body); assert.equal(r.status, 200, r.text); return r.body }
const read = (role) => `read("${role}")`
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()

before(async () => {
	s = await server({ own: true })
	p = await s.project({ scopes: [...new Set([...allScopes, 'presences.read', 'presences.write'])] })
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	alice = await p.user()
	bob = await p.user()
})
after(() => s.stop())

describe('one presence a user', () => {
	test('it comes, is changed, keeps its id, and goes', async () => {
		const u = await p.user(), id = unique(), one = await put(u, id, { status: 'online', metadata: { room: 'a' } })
		assert.deepEqual(Object.keys(one), ['$id', '$createdAt', '$updatedAt', '$permissions', 'userId', 'status', 'source', 'expiresAt', 'metadata'])
		assert.deepEqual([one.$id, one.userId, one.status, one.source, one.metadata], [id, u.id, 'online', 'rest', { room: 'a' }])
		assert.deepEqual(one.$permissions, ['read', 'update', 'delete'].map((v) => `${v}("user:${u.id}")`))
		const life = Date.parse(one.expiresAt) - Date.parse(one.$createdAt)
		assert.ok(Math.abs(life - 15 * 60000) < 10000, `${life}`)
		const two = await put(u, unique(), { status: 'away', permissions: [read('users')], expiresAt: '2100-01-01T00:00:00.000+00:00' })
		assert.deepEqual([two.$id, two.status, two.metadata, two.$permissions, two.$createdAt, two.expiresAt], [id, 'away', {}, [read('users')], one.$createdAt, '2100-01-01T00:00:00.000+00:00'])
		assert.deepEqual((await put(u, id, { status: 'back' })).$permissions, [read('users')], 'permissions stay when nothing is said of them')
		assert.deepEqual((await as(u, 'GET', `/presences/${id.toUpperCase()}`)).body.status, 'back')
		const three = (await as(u, 'PATCH', `/presences/${id}`, { metadata: { x: 1 }, purge: true })).body
		assert.deepEqual([three.status, three.metadata], ['back', { x: 1 }])
		assert.equal((await as(u, 'PATCH', `/presences/${id}`, { status: 'gone soon' })).body.status, 'gone soon')
		assert.equal((await as(u, 'DELETE', `/presences/${id}`)).status, 204)
		fails(await as(u, 'DELETE', `/presences/${id}`), 404, 'presence_not_found')
		fails(await as(u, 'GET', `/presences/${id}`), 404, 'presence_not_found')
		fails(await as(u, 'PATCH', `/presences/${id}`, { status: 'x' }), 404, 'presence_not_found')
	})

	test('of several that say so at once there is one', async () => {
		const u = await p.user(), got = await Promise.all([1, 2, 3, 4, 5].map((n) => put(u, unique(), { status: `${n}` })))
		assert.equal(new Set(got.map((x) => x.$id)).size, 1)
		assert.equal((await as(u, 'GET', '/presences?queries[]=' + encodeURIComponent(JSON.stringify({ method: 'equal', attribute: 'userId', values: [u.id] })))).body.total, 1)
	})

	test('an id is one presence\'s', async () => {
		const id = unique(), u = await p.user()
		await put(u, id, { status: 'on' })
		fails(await as(await p.user(), 'PUT', `/presences/${id}`, { status: 'on' }), 409, 'presence_already_exists')
		assert.match((await put(await p.user(), 'unique()', { status: 'on' })).$id, /^[0-9a-f]{20}$/)
	})
})

describe('who may', () => {
	test('see it: those of its permissions, and the user', async () => {
		const id = unique(), u = await p.user()
		await put(u, id, { status: 'on' })
		fails(await as(bob, 'GET', `/presences/${id}`), 404, 'presence_not_found')
		fails(await as(bob, 'DELETE', `/presences/${id}`), 404, 'presence_not_found')
		await put(u, id, { status: 'on', permissions: [read('users')] })
		assert.equal((await as(bob, 'GET', `/presences/${id}`)).status, 200)
		fails(await as(bob, 'PATCH', `/presences/${id}`, { status: 'x' }), 401, 'user_unauthorized')
		fails(await as(bob, 'DELETE', `/presences/${id}`), 401, 'user_unauthorized')
		await put(u, id, { status: 'on', permissions: ['read("users")', 'write("users")'] })
		assert.equal((await as(bob, 'PATCH', `/presences/${id}`, { status: 'by bob' })).body.status, 'by bob')
		fails(await as(bob, 'PATCH', `/presences/${id}`, { permissions: [read(`user:${u.id}`)] }), 401, 'user_unauthorized')
		assert.equal((await as(bob, 'DELETE', `/presences/${id}`)).status, 204)
	})

	test('lists have what may be seen', async () => {
		const room = unique(), hidden = await p.user(), seen = await p.user()
		await put(hidden, unique(), { status: room })
		await put(seen, unique(), { status: room, permissions: [read('users')] })
		const of = async (u, o) => (await as(u, 'GET', '/presences?queries[]=' + encodeURIComponent(JSON.stringify({ method: 'equal', attribute: 'status', values: [room] })), undefined, o)).body
		assert.deepEqual((await of(alice)).presences.map((x) => x.userId), [seen.id])
		assert.deepEqual((await of(hidden)).presences.map((x) => x.userId).sort(), [hidden.id, seen.id].sort())
		assert.equal((await of(p)).total, 2)
		assert.equal((await as(p, 'GET', '/presences?ttl=60&total=false')).body.total, 0)
	})

	test('grant roles: those that are held', async () => {
		const r = await as(alice, 'PUT', `/presences/${unique()}`, { status: 'on', permissions: [read(`user:${bob.id}`)] })
		fails(r, 401, 'user_unauthorized')
		assert.match(r.body.message, /^Permissions must be one of: \(any, users, /)
		assert.deepEqual((await put(alice, unique(), { status: 'on', permissions: [read('any')] })).$permissions, [read('any')])
	})

	test('guests nothing; servers say it of anybody', async () => {
		for (const [m, target] of [['GET', '/presences'], ['GET', '/presences/x'], ['PUT', '/presences/x'], ['PATCH', '/presences/x'], ['DELETE', '/presences/x']])
			fails(await p.guest(m, target, { headers: today, body: m === 'GET' ? undefined : { status: 'on' } }), 401, 'general_unauthorized_scope')
		const u = await p.user(), id = unique()
		fails(await as(p, 'PUT', `/presences/${id}`, { status: 'on' }), 400, 'general_argument_invalid')
		fails(await as(p, 'PUT', `/presences/${id}`, { status: 'on', userId: 'nobody' }), 404, 'user_not_found')
		const one = (await as(p, 'PUT', `/presences/${id}`, { status: 'on', userId: u.id, permissions: [read(`user:${bob.id}`)] })).body
		assert.deepEqual([one.userId, one.$permissions], [u.id, [read(`user:${bob.id}`)]])
		assert.equal((await as(u, 'GET', `/presences/${id}`)).status, 200, 'one\'s own may be seen')
		assert.equal((await put(u, id, { status: 'mine' })).status, 'mine')
		fails(await as(u, 'PUT', `/presences/${id}`, { status: 'on', userId: bob.id }), 401, 'user_unauthorized')
		fails(await as(u, 'PATCH', `/presences/${id}`, { userId: u.id }), 401, 'user_unauthorized')
		const v = await p.user()
		assert.equal((await as(p, 'PATCH', `/presences/${id}`, { userId: v.id })).body.userId, v.id)
		const other = await put(u, unique(), { status: 'on' })
		fails(await as(p, 'PATCH', `/presences/${other.$id}`, { userId: v.id }), 409, 'presence_already_exists')
		fails(await as(p, 'PATCH', `/presences/${other.$id}`, { userId: 'nobody' }), 404, 'user_not_found')
		assert.equal((await p.admin('GET', `/presences/${id}`, { headers: today })).status, 200)
		const key = await p.addKey(['users.read'])
		fails(await p.call('GET', '/presences', { key: key.secret ?? key, headers: today }), 401, 'general_unauthorized_scope')
	})
})

test('errors', async () => {
	for (const bad of [{}, { status: 'x'.repeat(256) }, { status: 5 }, { status: 'on', expiresAt: '2001-01-01T00:00:00.000+00:00' }, { status: 'on', expiresAt: 'soon' }, { status: 'on', permissions: ['create("any")'] },
		{ status: 'on', permissions: Array(101).fill(read('any')) }, { status: 'on', metadata: 'x' }, { status: 'on', metadata: { x: 'x'.repeat(70000) } }])
		fails(await as(alice, 'PUT', `/presences/${unique()}`, bad), 400, 'general_argument_invalid')
	fails(await as(alice, 'PUT', '/presences/no%20no', { status: 'on' }), 400, 'general_argument_invalid')
	fails(await as(alice, 'GET', '/presences?ttl=86401'), 400, 'general_argument_invalid')
	fails(await as(alice, 'GET', '/presences?queries[]=' + encodeURIComponent(JSON.stringify({ method: 'equal', attribute: 'metadata', values: ['x'] }))), 400, 'general_argument_invalid')
	const one = await put(alice, unique(), { status: 'on' })
	fails(await as(alice, 'PATCH', `/presences/${one.$id}`, { expiresAt: '2001-01-01T00:00:00.000+00:00' }), 400, 'general_argument_invalid')
})

describe('the end', () => {
	const gone = (id) => until(`presence ${id} is swept`, () => psql(`SELECT count(*) FROM ${schema}.presences WHERE id = '${id}'`) === '0')

	test('what is over is not there, and who could see it is told', async () => {
		const u = await p.user(), one = await put(u, unique(), { status: 'on', permissions: [read('users')] }), w = await listen(s, `project=${p.id}&channels[]=presences`, { cookie: bob.cookie })
		psql(`UPDATE ${schema}.presences SET expires = now() - interval '1 second' WHERE id = '${one.$id}'`)
		fails(await as(u, 'GET', `/presences/${one.$id}`), 404, 'presence_not_found')
		assert.ok(!(await as(bob, 'GET', '/presences')).body.presences.some((x) => x.$id === one.$id))
		const two = await put(u, unique(), { status: 'again' })
		assert.notEqual(two.$id, one.$id)
		const e = await w.event((d) => d.events[0] === `presences.${one.$id}.delete`)
		assert.equal(e.payload.userId, u.id)
		psql(`UPDATE ${schema}.presences SET expires = now() - interval '1 second', read = '{users}' WHERE id = '${two.$id}'`)
		await gone(two.$id)
		await w.event((d) => d.events[0] === `presences.${two.$id}.delete`)
		w.end()
	})

	test('an id of what is over may be taken by another', async () => {
		const u = await p.user(), v = await p.user(), id = unique()
		await put(u, id, { status: 'on' })
		psql(`UPDATE ${schema}.presences SET expires = now() - interval '1 second' WHERE id = '${id}'`)
		assert.deepEqual([(await put(v, id, { status: 'on' })).userId, (await as(u, 'PUT', `/presences/${id}`, { status: 'on' })).status], [v.id, 409])
	})

	test('of who may not read it any more it is gone', async () => {
		const u = await p.user(), w = await listen(s, `project=${p.id}&channels[]=presences`, { cookie: bob.cookie })
		for (const method of ['PUT', 'PATCH']) {
			const { $id } = await put(u, unique(), { status: 'seen', permissions: [read('users'), read(`user:${u.id}`)] })
			await w.event((d) => d.events[0] === `presences.${$id}.upsert`)
			const r = await as(u, method, `/presences/${$id}`, { status: 'unseen', permissions: [read(`user:${u.id}`)] })
			assert.equal(r.status, 200, r.text)
			const e = await w.event()
			assert.deepEqual([e.events[0], e.payload.status], [`presences.${$id}.delete`, 'seen'])
			assert.equal((await as(u, 'GET', `/presences/${$id}`)).body.status, 'unseen')
		}
		w.end()
	})

	test('a user who is deleted is not there', async () => {
		const u = await p.user(), one = await put(u, unique(), { status: 'on', permissions: [read('users')] })
		await p.ok('DELETE', `/users/${u.id}`)
		await gone(one.$id)
	})
})

test('usage: how many are there, for servers alone', async () => {
	const q = await s.project({ scopes: ['presences.read', 'presences.write', 'users.write'] }), users = [await q.user(), await q.user(), await q.user()]
	const of = async (range) => (await as(q, 'GET', `/presences/usage${range ? `?range=${range}` : ''}`)).body
	const none = await of()
	assert.deepEqual([Object.keys(none), none.range, none.usersOnlineTotal, none.presences.length, none.presences.at(-1).value], [['range', 'usersOnlineTotal', 'presences'], '30d', 0, 30, 0])
	for (const u of users) await put(u, unique(), { status: 'on' })
	const schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${q.id}'`), internal = psql(`SELECT internal FROM ${schema}.users WHERE id = '${users[0].id}'`)
	/* it is over, whether it was swept or not */
	psql(`UPDATE ${schema}.presences SET expires = now() - interval '1 second' WHERE user_internal = ${internal}`)
	await until('it is counted', async () => (await of()).usersOnlineTotal === 2)	/* what takes its time is not counted for every reader */
	for (const [range, points] of [['24h', 48], ['30d', 30], ['90d', 90]]) {
		const now = await of(range)
		assert.deepEqual([now.range, now.usersOnlineTotal, now.presences.length, now.presences.at(-1).value], [range, 2, points, 2])
	}
	assert.equal((await q.admin('GET', '/presences/usage', { headers: today })).body.usersOnlineTotal, 2)
	fails(await as(q, 'GET', '/presences/usage?range=1y'), 400, 'general_argument_invalid')
	fails(await as(users[0], 'GET', '/presences/usage'), 401, 'user_unauthorized')
	fails(await q.guest('GET', '/presences/usage', { headers: today }), 401, 'general_unauthorized_scope')
	fails(await q.call('GET', '/presences/usage', { key: await q.addKey(['users.read']), headers: today }), 401, 'general_unauthorized_scope')
})

test('events by their names and channels', async () => {
	const u = await p.user(), w = await listen(s, `project=${p.id}&channels[]=presences&channels[]=presences.upsert&channels[]=presences.update`, { cookie: bob.cookie }), id = unique()
	await put(u, id, { status: 'unseen' })
	await put(u, id, { status: 'seen', permissions: [read('users')], metadata: {} })
	const e = await w.event()
	assert.deepEqual([e.payload.status, e.payload.$id, e.payload.metadata], ['seen', id, []])
	assert.deepEqual(e.events, [`presences.${id}.upsert`, 'presences.*.upsert', `presences.${id}`, 'presences.*'].filter((x) => e.events.includes(x)))
	assert.deepEqual(e.channels.sort(), ['presences', `presences.${id}`, 'presences.upsert', `presences.${id}.upsert`].sort())
	await as(u, 'PATCH', `/presences/${id}`, { status: 'changed' })
	assert.ok((await w.event()).channels.includes('presences.update'))
	await as(u, 'DELETE', `/presences/${id}`)
	assert.equal((await w.event()).events[0], `presences.${id}.delete`)
	w.end()
})
