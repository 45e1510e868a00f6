/* The teams service: who sees what, who may change what, and that roles follow at once. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { server, unique } from '../lib/server.mjs'
import { fails, isTime, keysOf, membership, team } from './lib.mjs'

let s, p, owner, member, stranger
const url = 'http://localhost/join'
const mail = () => `${unique('m')}@example.org`
const add = (t, body, call = p.call) => call('POST', `/teams/${t}/memberships`, { body: { roles: [], url, ...body } })

async function makeTeam(roles) {
	const id = unique('t')
	await owner.ok('POST', '/teams', { body: { teamId: id, name: 'Team', roles } })
	const m = await add(id, { email: member.email, roles: ['player'] })
	assert.equal(m.status, 201, m.text)
	return { id, m: m.body }
}

before(async () => {
	s = await server()
	p = await s.project()
	;[owner, member, stranger] = await Promise.all([p.user({ name: 'Owner' }), p.user({ name: 'Member' }), p.user({ name: 'Stranger' })])
})

describe('teams', () => {
	test('create as a user', async () => {
		const id = unique('t'), r = await owner.call('POST', '/teams', { body: { teamId: id, name: 'Red', roles: ['player'] } })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, team)
		assert.equal(r.body.total, 1)
		isTime(r.body.$createdAt)
		const list = await owner.ok('GET', `/teams/${id}/memberships`)
		keysOf(list, 'total memberships')
		keysOf(list.memberships[0], membership)
		assert.deepEqual(list.memberships[0].roles, ['player', 'owner'])
		assert.equal(list.memberships[0].confirm, true)
		assert.equal(list.memberships[0].joined, list.memberships[0].invited)
		fails(await owner.call('POST', '/teams', { body: { teamId: id.toUpperCase(), name: 'x' } }), 409, 'team_already_exists')
	})

	test('create as a key: without members', async () => {
		const r = await p.call('POST', '/teams', { body: { teamId: 'unique()', name: 'Blue' } })
		assert.equal(r.body.total, 0)
		assert.match(r.body.$id, /^[0-9a-f]{20}$/)
		assert.equal((await p.ok('GET', `/teams/${r.body.$id}/memberships`)).total, 0)
	})

	test('create: parameters and callers', async () => {
		const good = { teamId: 'unique()', name: 'x' }
		for (const bad of [{ teamId: '-x' }, { teamId: undefined }, { name: undefined }, { name: 'n'.repeat(129) }, { roles: 'player' }, { roles: ['bad role!'] },
			{ roles: [5] }, { roles: Array(101).fill('x') }])
			fails(await owner.call('POST', '/teams', { body: { ...good, ...bad } }), 400, 'general_argument_invalid')
		fails(await p.guest('POST', '/teams', { body: good }), 401, 'general_unauthorized_scope')
		fails(await p.call('POST', '/teams', { body: good, key: await p.addKey(['teams.read']) }), 401, 'general_unauthorized_scope')
		assert.equal((await p.admin('POST', '/teams', { body: good })).status, 201)
	})

	test('get, for members, keys and admins', async () => {
		const { id } = await makeTeam()
		for (const call of [owner.call, member.call, p.call, p.admin]) {
			const r = await call('GET', `/teams/${id}`)
			assert.equal(r.status, 200, r.text)
			assert.equal(r.body.total, 2)
		}
		fails(await stranger.call('GET', `/teams/${id}`), 404, 'team_not_found')
		fails(await p.guest('GET', `/teams/${id}`), 401, 'general_unauthorized_scope')
		fails(await p.call('GET', '/teams/unknown'), 404, 'team_not_found')
		fails(await p.call('GET', '/teams/_x'), 400, 'general_argument_invalid')
	})

	test('list', async () => {
		const q = await s.project(), ann = await q.user(), ben = await q.user(), ids = []
		for (const name of ['Alpha one', 'Beta two', 'Gamma one']) ids.push((await ann.ok('POST', '/teams', { body: { teamId: 'unique()', name } })).$id)
		await q.ok('POST', '/teams', { body: { teamId: 'keys', name: 'Keys' } })
		const of = async (call, query) => (await call('GET', '/teams', { query })).body
		assert.equal((await of(ann.call)).total, 3)
		assert.deepEqual(await of(ben.call), { total: 0, teams: [] })
		assert.equal((await of(q.call)).total, 4)
		const names = async (queries, more = {}) => (await of(q.call, { queries, ...more })).teams.map((t) => t.name)
		assert.deepEqual(await names(['limit(1)', 'offset(1)']), ['Beta two'])
		assert.deepEqual(await names(['equal("name", "Keys")']), ['Keys'])
		assert.deepEqual(await names(['equal("name", "KEYS")']), ['Keys'])
		assert.deepEqual(await names(['greaterThanEqual("total", 1)', 'orderDesc("name")']), ['Gamma one', 'Beta two', 'Alpha one'])
		assert.deepEqual(await names([`cursorAfter("${ids[1]}")`]), ['Gamma one', 'Keys'])
		assert.deepEqual(await names([`cursorBefore("${ids[1]}")`]), ['Alpha one'])
		assert.deepEqual(await names([], { search: 'one' }), ['Alpha one', 'Gamma one'])
		assert.equal((await of(ann.call, { search: 'Keys' })).total, 0)
		for (const bad of ['equal("total", "1")', 'equal("color", "x")', 'orderAsc("color")', 'limit(101)', 'offset(5001)', 'nonsense'])
			fails(await q.call('GET', '/teams', { query: { queries: [bad] } }), 400, 'general_argument_invalid')
		fails(await q.call('GET', '/teams', { query: { queries: ['cursorAfter("none")'] } }), 400, 'general_cursor_not_found')
		fails(await q.call('GET', '/teams', { query: { search: 'x'.repeat(257) } }), 400, 'general_argument_invalid')
		fails(await q.guest('GET', '/teams'), 401, 'general_unauthorized_scope')
	})

	test('rename', async () => {
		const { id } = await makeTeam(), put = (call, name, t = id) => call('PUT', `/teams/${t}`, { body: { name } })
		assert.equal((await put(owner.call, 'New')).body.name, 'New')
		assert.equal((await put(p.call, 'Newer')).body.name, 'Newer')
		fails(await put(member.call, 'x'), 401, 'user_unauthorized')
		fails(await put(stranger.call, 'x'), 404, 'team_not_found')
		fails(await put(p.guest, 'x'), 401, 'general_unauthorized_scope')
		fails(await put(owner.call, undefined), 400, 'general_argument_invalid')
		fails(await put(p.call, 'x', 'unknown'), 404, 'team_not_found')
	})

	test('delete', async () => {
		const { id } = await makeTeam()
		fails(await member.call('DELETE', `/teams/${id}`), 401, 'user_unauthorized')
		fails(await stranger.call('DELETE', `/teams/${id}`), 404, 'team_not_found')
		fails(await p.guest('DELETE', `/teams/${id}`), 401, 'general_unauthorized_scope')
		assert.equal((await owner.call('DELETE', `/teams/${id}`)).status, 204)
		fails(await owner.call('GET', `/teams/${id}`), 404, 'team_not_found')
		fails(await p.call('DELETE', `/teams/${id}`), 404, 'team_not_found')
		const again = await owner.call('POST', '/teams', { body: { teamId: id, name: 'Again' } })
		assert.equal(again.status, 201)
		fails(await member.call('GET', `/teams/${id}`), 404, 'team_not_found')	/* the old membership does not open the new team */
	})
})

/* A user has at most roles_max roles by its memberships: for each the team, the membership, and the roles in it. */
test('the roles of one user are bounded, by whatever way it gets them', async () => {
	const u = await p.user(), roles = (n) => Array.from({ length: n }, (_, i) => `role-${i}`), teams = []
	const created = async (n, call = p.call) => (await call('POST', '/teams', { body: { teamId: unique(), name: 'T', roles: roles(n) } })).body.$id
	const limit = (r) => fails(r, 400, 'membership_limit_exceeded')
	for (let i = 0; i < 9; i++) {
		teams.push(await created(1))
		assert.equal((await add(teams[i], { email: u.email, roles: roles(100) })).status, 201)
	}	/* 918 */
	const last = await created(1)
	limit(await add(last, { email: u.email, roles: roles(81) }))
	const m = await add(last, { email: u.email, roles: roles(80) })	/* 1000 */
	assert.equal(m.status, 201)
	limit(await u.call('POST', '/teams', { body: { teamId: unique(), name: 'T' } }))
	const set = (n) => p.call('PATCH', `/teams/${last}/memberships/${m.body.$id}`, { body: { roles: roles(n) } })
	limit(await set(81))
	assert.equal((await set(79)).status, 200)
	assert.equal((await set(80)).status, 200)
	assert.equal((await p.call('DELETE', `/teams/${teams[0]}/memberships/${(await p.ok('GET', `/teams/${teams[0]}/memberships`)).memberships[0].$id}`)).status, 204)
	/* at once: never more than fit */
	const at = await Promise.all([created(1), created(1), created(1)])
	const all = await Promise.all(at.map((t) => add(t, { email: u.email, roles: roles(99) })))
	assert.deepEqual(all.map((r) => r.status).sort(), [201, 400, 400])
	assert.equal((await u.call('GET', '/account')).status, 200)
})

describe('memberships', () => {
	test('a key adds a member at once, and makes an account where there is none', async () => {
		const { id, m } = await makeTeam(), email = mail()
		keysOf(m, membership)
		assert.equal(m.userId, member.id)
		assert.equal(m.userName, 'Member')
		assert.equal(m.confirm, true)
		isTime(m.joined)
		const r = await add(id, { email: email.toUpperCase(), name: 'New Person' })
		assert.equal(r.status, 201, r.text)
		assert.equal(r.body.userEmail, email)
		assert.equal(r.body.userName, 'New Person')
		assert.equal((await p.ok('GET', `/teams/${id}`)).total, 3)
		const u = await p.ok('GET', `/users/${r.body.userId}`)
		assert.equal(u.passwordUpdate, '')
		assert.match(u.password, /^\$argon2id\$/)
	})

	test('add: errors', async () => {
		const { id } = await makeTeam(), email = mail()
		fails(await add(id, { email: member.email }), 409, 'team_invite_already_exists')
		fails(await add('unknown', { email }), 404, 'team_not_found')
		for (const bad of [{ email: 'x' }, { email, url: undefined }, { email, url: 'http://evil.example' }, { email, url: 'nowhere' }, { email, roles: ['bad role'] },
			{ email, roles: 'x' }, { email, name: 'n'.repeat(129) }])
			fails(await add(id, bad), 400, 'general_argument_invalid')
		fails(await add(id, { email }, p.guest), 401, 'general_unauthorized_scope')
		fails(await add(id, { email }, (m, t, o) => p.call(m, t, { ...o, key: '' , cookie: undefined })), 401, 'general_unauthorized_scope')
	})

	test('no mail server: nobody can be invited by a user', async () => {
		const { id } = await makeTeam()
		fails(await add(id, { email: mail() }, owner.call), 503, 'general_smtp_disabled')
	})

	test('invitations that are switched off', async () => {
		const q = await s.project(), u = await q.user()
		const t = await u.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'x' } })
		await q.console.ok('PATCH', `/projects/${q.id}/auth/invites`, { body: { status: false } })
		fails(await add(t.$id, { email: mail() }, u.call), 501, 'user_auth_method_unsupported')
		assert.equal((await add(t.$id, { email: mail() }, q.call)).status, 201)
	})

	test('the limit of users counts for new people', async () => {
		const q = await s.project(), u = await q.user()
		const t = await u.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'x' } })
		await q.console.ok('PATCH', `/projects/${q.id}/auth/limit`, { body: { limit: 1 } })
		fails(await add(t.$id, { email: mail() }, q.call), 501, 'user_count_exceeded')
	})

	test('list and get', async () => {
		const { id, m } = await makeTeam(), other = await makeTeam()
		const list = (queries, more = {}, call = p.call) => call('GET', `/teams/${id}/memberships`, { query: { queries, ...more } })
		assert.equal((await list([], {}, member.call)).body.total, 2)
		assert.equal((await list(['limit(1)'])).body.memberships.length, 1)
		for (const of of [member.id, member.id.toUpperCase()])
			assert.deepEqual((await list([`equal("userId", "${of}")`])).body.memberships.map((x) => x.$id), [m.$id])
		assert.equal((await list(['equal("confirm", true)', 'orderDesc("joined")'])).body.memberships[0].$id, m.$id)
		assert.equal((await list([`cursorBefore("${m.$id}")`])).body.memberships.length, 1)
		assert.equal((await list([], { search: member.id })).body.total, 1)
		fails(await list(['cursorAfter("none")']), 400, 'general_cursor_not_found')
		fails(await list(['equal("roles", "player")']), 400, 'general_argument_invalid')
		for (const [role, found] of [['owner', 1], ['nobody', 0]])
			assert.equal((await list([JSON.stringify({ method: 'contains', attribute: 'roles', values: [role] })])).body.total, found)
		fails(await list([], {}, stranger.call), 404, 'team_not_found')
		fails(await list([], {}, p.guest), 401, 'general_unauthorized_scope')
		fails(await p.call('GET', '/teams/unknown/memberships'), 404, 'team_not_found')
		const get = (call, t, k) => call('GET', `/teams/${t}/memberships/${k}`)
		assert.equal((await get(member.call, id, m.$id)).body.teamName, 'Team')
		fails(await get(member.call, id, 'unknown'), 404, 'membership_not_found')
		fails(await get(p.call, other.id, m.$id), 404, 'membership_not_found')
		fails(await get(stranger.call, id, m.$id), 404, 'team_not_found')
		fails(await get(p.guest, id, m.$id), 401, 'general_unauthorized_scope')
	})

	test('roles change at once what their holder may do', async () => {
		const { id, m } = await makeTeam(), set = (call, roles, t = id, k = m.$id) => call('PATCH', `/teams/${t}/memberships/${k}`, { body: { roles } })
		fails(await set(member.call, ['owner']), 401, 'user_unauthorized')
		fails(await set(stranger.call, ['owner']), 404, 'team_not_found')
		fails(await set(p.guest, ['owner']), 401, 'general_unauthorized_scope')
		fails(await set(p.call, 'x'), 400, 'general_argument_invalid')
		fails(await set(p.call, [], id, 'unknown'), 404, 'membership_not_found')
		fails(await set(p.call, [], 'unknown'), 404, 'team_not_found')
		const r = await set(owner.call, ['owner', 'x', 'x'])
		assert.deepEqual(r.body.roles, ['owner', 'x', 'x'])
		assert.equal((await member.call('PUT', `/teams/${id}`, { body: { name: 'Mine' } })).status, 200)
		assert.equal((await set(p.call, undefined)).body.roles.length, 0)
		fails(await member.call('PUT', `/teams/${id}`, { body: { name: 'x' } }), 401, 'user_unauthorized')
	})

	test('leave and remove', async () => {
		const { id, m } = await makeTeam(), other = await makeTeam(), del = (call, t, k) => call('DELETE', `/teams/${t}/memberships/${k}`)
		const mine = (await owner.ok('GET', `/teams/${id}/memberships`)).memberships[0]
		fails(await del(member.call, id, mine.$id), 401, 'user_unauthorized')
		fails(await del(stranger.call, id, m.$id), 404, 'team_not_found')
		fails(await del(p.guest, id, m.$id), 401, 'general_unauthorized_scope')
		fails(await del(p.call, id, 'unknown'), 404, 'team_invite_not_found')
		fails(await del(p.call, other.id, m.$id), 404, 'team_membership_mismatch')
		assert.equal((await del(member.call, id, m.$id)).status, 204)
		fails(await member.call('GET', `/teams/${id}`), 404, 'team_not_found')
		assert.equal((await p.ok('GET', `/teams/${id}`)).total, 1)
		assert.equal((await del(owner.call, other.id, other.m.$id)).status, 204)
		assert.equal((await del(owner.call, id, mine.$id)).status, 204)	/* the last owner may go */
		assert.equal((await p.ok('GET', `/teams/${id}`)).total, 0)
	})

	test('accepting: errors', async () => {
		const { id, m } = await makeTeam(), other = await makeTeam()
		const accept = (call, body, t = id, k = m.$id) => call('PATCH', `/teams/${t}/memberships/${k}/status`, { body })
		fails(await accept(p.guest, { userId: member.id, secret: 'x' }, id, 'unknown'), 404, 'membership_not_found')
		fails(await accept(p.guest, { userId: member.id, secret: 'x' }, other.id), 404, 'team_membership_mismatch')
		fails(await accept(p.guest, { userId: member.id, secret: 'x' }), 401, 'team_invalid_secret')
		fails(await accept(p.guest, { userId: member.id }), 400, 'general_argument_invalid')
		fails(await accept(p.guest, { userId: member.id, secret: '' }), 400, 'general_argument_invalid')
		fails(await accept(p.guest, { secret: 'x' }), 400, 'general_argument_invalid')
		fails(await accept(p.call, { userId: member.id, secret: 'x' }), 401, 'general_unauthorized_scope')
	})

	test('totals follow a user who is deleted', async () => {
		const { id } = await makeTeam(), gone = await p.user()
		await add(id, { email: gone.email })
		assert.equal((await p.ok('GET', `/teams/${id}`)).total, 3)
		await p.ok('DELETE', `/users/${gone.id}`)
		assert.equal((await p.ok('GET', `/teams/${id}`)).total, 2)
		assert.equal((await p.ok('GET', `/teams/${id}/memberships`)).total, 2)
	})

	test('many join and leave at once: the total is right', async () => {
		const { id } = await makeTeam(), people = await Promise.all(Array.from({ length: 8 }, () => p.user()))
		const ms = await Promise.all(people.map((u) => add(id, { email: u.email })))
		assert.deepEqual(ms.map((r) => r.status), Array(8).fill(201))
		assert.equal((await p.ok('GET', `/teams/${id}`)).total, 10)
		await Promise.all(ms.slice(0, 5).map((r, i) => people[i].call('DELETE', `/teams/${id}/memberships/${r.body.$id}`)))
		assert.equal((await p.ok('GET', `/teams/${id}`)).total, 5)
	})
})

describe('the service that is off', () => {
	test('for users, not for keys', async () => {
		const q = await s.project(), u = await q.user()
		await q.console.ok('PATCH', `/projects/${q.id}/service`, { body: { service: 'teams', status: false } })
		fails(await u.call('GET', '/teams'), 503, 'general_service_disabled')
		assert.equal((await q.call('GET', '/teams')).status, 200)
	})
})
