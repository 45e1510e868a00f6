/* Users who act as others: who may, as whom, and what it does not give. On sockets: t/60-rt/impersonation.test.mjs. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'

import { server, until } from '../lib/server.mjs'
import { fails } from './lib.mjs'

let s, p, agent, bob, team
const today = { 'x-appwrite-response-format': '1.9.5' }
const id = (u) => ({ 'x-appwrite-impersonate-user-id': u.id })
const call = (u, m, target, headers, body, o = {}) => u.call(m, target, { body, headers: { ...today, ...headers }, ...o })
const me = async (u, headers, query = '') => { const r = await call(u, 'GET', `/account${query}`, headers); assert.equal(r.status, 200, r.text); return r.body }
const allow = (u, impersonator = true) => call(p, 'PATCH', `/users/${u.id}/impersonator`, {}, { impersonator })
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()

before(async () => {
	s = await server({ own: true })
	p = await s.project()
	agent = await p.user({ name: 'Agent' })
	bob = await p.user({ name: 'Bob' })
	const r = await allow(agent)
	assert.equal(r.status, 200, r.text)
	assert.equal(r.body.impersonator, true)
	team = (await bob.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'Bob\'s' } })).$id
})
after(() => s.stop())

describe('as another', () => {
	test('by id, e-mail, phone; by header and parameter; the first that is there counts', async () => {
		const phone = '+4930901820'
		await p.ok('PATCH', `/users/${bob.id}/phone`, { body: { number: phone } })
		for (const headers of [id(bob), { 'x-appwrite-impersonate-user-email': bob.email.toUpperCase() }, { 'x-appwrite-impersonate-user-phone': phone }, { ...id(bob), 'x-appwrite-impersonate-user-email': 'nobody@example.org' }]) {
			const u = await me(agent, headers)
			assert.deepEqual([u.$id, u.impersonatorUserId, u.impersonator], [bob.id, agent.id, false], JSON.stringify(headers))
		}
		for (const query of [`impersonateUserId=${bob.id}`, `impersonateEmail=${bob.email}`, `impersonatePhone=${encodeURIComponent(phone)}`])
			assert.equal((await me(agent, {}, `?${query}`)).$id, bob.id)
		const own = await me(agent, {})
		assert.deepEqual([own.$id, own.impersonator, own.impersonatorUserId], [agent.id, true, null])
	})

	test('an unknown one, oneself, and who may not: nothing', async () => {
		for (const headers of [id({ id: 'nobody' }), id({ id: 'no no' }), { 'x-appwrite-impersonate-user-email': 'nobody@example.org' }, id(agent)])
			assert.deepEqual([(await me(agent, headers)).$id, (await me(agent, headers)).impersonatorUserId], [agent.id, null])
		assert.equal((await me(bob, id(agent))).$id, bob.id)
		fails(await p.guest('GET', '/account', { headers: { ...today, ...id(bob) } }), 401, 'general_unauthorized_scope')
		/* of another project */
		const q = await s.project(), eve = await q.user()
		assert.equal((await me(agent, id(eve))).$id, agent.id)
		assert.equal((await call(eve, 'GET', '/account', id(eve))).body.$id, eve.id)
	})

	test('what the other may see and do', async () => {
		fails(await call(agent, 'GET', `/teams/${team}`, {}), 404, 'team_not_found')
		assert.equal((await call(agent, 'GET', `/teams/${team}`, id(bob))).status, 200)
		assert.deepEqual((await call(agent, 'GET', '/teams', id(bob))).body.teams.map((t) => t.$id), [team])
		assert.equal((await call(agent, 'PUT', `/teams/${team}`, id(bob), { name: 'Renamed' })).body.name, 'Renamed')
		/* and not what it may itself */
		const own = (await agent.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'x' } })).$id
		fails(await call(agent, 'GET', `/teams/${own}`, id(bob)), 404, 'team_not_found')
	})

	test('its account stays its own', async () => {
		assert.equal((await call(agent, 'PATCH', '/account/name', id(bob), { name: 'Agent S' })).body.$id, agent.id)
		assert.equal((await p.ok('GET', `/users/${bob.id}`)).name, 'Bob')
		assert.equal((await call(agent, 'GET', '/account/sessions', id(bob))).body.sessions[0].userId, agent.id)
		const jwt = (await call(agent, 'POST', '/account/jwts', id(bob))).body.jwt
		assert.equal((await p.guest('GET', '/account', { jwt })).body.$id, agent.id)
	})

	test('where the other can be reached is not told', async () => {
		assert.equal((await me(bob, {})).targets.length, 2)
		assert.deepEqual((await me(agent, id(bob))).targets, [])
		assert.equal((await me(bob, {})).targets.length, 2)
	})

	test('one who is blocked, and blocked oneself', async () => {
		const u = await p.user(), a = await p.user()
		await allow(a)
		await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: false } })
		fails(await call(a, 'GET', '/account', id(u)), 403, 'user_blocked')
		await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: true } })
		assert.equal((await me(a, id(u))).$id, u.id)
		await p.ok('PATCH', `/users/${a.id}/status`, { body: { status: false } })
		fails(await call(a, 'GET', '/account', id(u)), 403, 'user_blocked')
	})

	test('it ends at once, and is no chain', async () => {
		const a = await p.user(), b = await p.user()
		await allow(a)
		await allow(b)
		assert.equal((await me(a, { ...id(b), 'x-appwrite-impersonate-user-email': bob.email })).$id, b.id)
		await allow(a, false)
		assert.equal((await me(a, id(b))).$id, a.id)
		fails(await call(a, 'GET', '/users', id(b)), 401, 'general_unauthorized_scope')
		/* as one who may, somebody who may not has no more */
		await allow(a)
		await allow(b, false)
		assert.equal((await me(a, id(b))).impersonator, false)
	})

	test('its use is not the other\'s, and is written down', async () => {
		const u = await p.user(), schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
		psql(`UPDATE ${schema}.users SET accessed = '2001-01-01' WHERE id = '${u.id}'`)
		const t = (await call(agent, 'POST', '/teams', id(u), { teamId: 'unique()', name: 'In her name' })).body.$id
		assert.match((await p.ok('GET', `/users/${u.id}`, { headers: today })).accessedAt, /^2001/)
		await until('the entry', async () => (await p.ok('GET', `/teams/${t}/logs`)).total > 0)
		const [log] = (await p.ok('GET', `/teams/${t}/logs`)).logs
		assert.equal(log.userId, u.id)
		assert.equal(psql(`SELECT impersonator FROM ${schema}.audit WHERE resource = 'team/${t}'`), agent.id)
	})
})

describe('finding people', () => {
	test('is open to who may act as others, without what opens accounts', async () => {
		const u = (await call(agent, 'GET', `/users/${bob.id}`, {})).body
		assert.deepEqual([u.$id, u.email, u.password, u.hash], [bob.id, bob.email, '', ''])
		const list = (await call(agent, 'GET', '/users', {})).body
		assert.ok(list.total > 1 && list.users.every((x) => x.password === '' && x.hash === ''))
		assert.equal((await call(agent, 'GET', `/users/${bob.id}/memberships`, id(bob))).body.memberships[0].teamId, team)
		assert.equal((await call(agent, 'GET', `/users/${bob.id}/prefs`, {})).status, 200)
		for (const target of ['sessions', 'logs'])
			fails(await call(agent, 'GET', `/users/${bob.id}/${target}`, {}), 401, 'general_unauthorized_scope')
		fails(await call(agent, 'PATCH', `/users/${bob.id}/name`, {}, { name: 'x' }), 401, 'general_unauthorized_scope')
		fails(await call(bob, 'GET', '/users', {}), 401, 'general_unauthorized_scope')
	})
})

test('who may is set by servers', async () => {
	fails(await call(agent, 'PATCH', `/users/${bob.id}/impersonator`, {}, { impersonator: true }), 401, 'general_unauthorized_scope')
	fails(await call(p, 'PATCH', '/users/nobody/impersonator', {}, { impersonator: true }), 404, 'user_not_found')
	fails(await call(p, 'PATCH', `/users/${bob.id}/impersonator`, {}, {}), 400, 'general_argument_invalid')
	fails(await call(p, 'PATCH', `/users/${bob.id}/impersonator`, {}, { impersonator: 'maybe' }), 400, 'general_argument_invalid')
	const q = '?queries[]=' + encodeURIComponent(JSON.stringify({ method: 'equal', attribute: 'impersonator', values: [true] }))
	assert.ok((await call(p, 'GET', `/users${q}`, {})).body.users.some((u) => u.$id === agent.id))
})
