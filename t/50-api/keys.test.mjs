/* Keys of organizations and of accounts of the console, what an organization is by its header, and a project that is named twice. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'

import { server, unique, until } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { fails, keysOf } from './lib.mjs'

let s, owner
const format = { 'x-appwrite-response-format': '2.3.0' }

before(async () => {
	s = await server()
	owner = await s.console()
})

const teamOf = async (who = owner) => (await who.ok('POST', '/teams', { body: { teamId: unique('t'), name: 'Org' } })).$id
const headers = (team) => ({ ...format, ...(team ? { 'x-appwrite-organization': team } : {}) })
const org = (who, team) => (m, tail = '', body, o = {}) => who.call(m, `/organization${tail}`, { headers: headers(team), body, ...o })
const mine = (who) => (m, tail = '', body) => who.call(m, `/account/keys${tail}`, { headers: format, body })
const body = (more = {}) => ({ keyId: unique('k'), name: 'K', scopes: ['projects.read'], ...more })
/* by a key of a team, and of a user */
const ofTeam = (secret, team) => (m, target, body, o = {}) => s.call(m, target, { project: 'console', key: secret, headers: { ...headers(team), ...o.headers }, body, ...o.more })
const ofUser = (secret, user) => (m, target, body, o = {}) => s.call(m, target, { project: 'console', key: secret, headers: { ...format, ...(user ? { 'x-appwrite-user': user } : {}) }, body, ...o })
/* Somebody of the console with a team of their own. */
async function people() {
	const one = await s.user({ name: 'One' }), team = await teamOf(one)
	return { one, team, membership: (await one.ok('GET', `/teams/${team}/memberships`)).memberships[0].$id }
}

describe('keys of an organization', () => {
	test('life', async () => {
		const team = await teamOf(), call = org(owner, team), id = unique('k')
		const r = await call('POST', '/keys', body({ keyId: id, expire: null }))
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, '$id $createdAt $updatedAt name expire scopes secret accessedAt sdks')
		assert.match(r.body.secret, /^organization_[0-9a-f]{256}$/)
		fails(await call('POST', '/keys', body({ keyId: id.toUpperCase() })), 409, 'key_already_exists')
		assert.deepEqual((await call('GET', `/keys/${id}`)).body, r.body)
		assert.deepEqual((await call('GET', '/keys')).body, { total: 1, keys: [r.body] })
		const now = (await call('PUT', `/keys/${id}`, { name: 'L', scopes: ['projects.write'], expire: '2099-01-01' })).body
		assert.deepEqual([now.name, now.scopes, now.expire, now.secret], ['L', ['projects.write'], '2099-01-01T00:00:00.000+00:00', r.body.secret])
		assert.equal((await call('DELETE', `/keys/${id}`)).status, 204)
		for (const m of ['GET', 'DELETE']) fails(await call(m, `/keys/${id}`), 404, 'key_not_found')
		fails(await call('PUT', `/keys/${id}`, { name: 'x', scopes: [] }), 404, 'key_not_found')
		fails(await ofTeam(r.body.secret, team)('GET', '/organization/projects'), 401, 'user_unauthorized')
		for (const bad of [{ keyId: undefined }, { name: undefined }, { scopes: ['users.read'] }, { scopes: ['account'] }, { expire: 'whenever' }])
			fails(await call('POST', '/keys', body(bad)), 400, 'general_argument_invalid')
	})

	test('are for its owners', async () => {
		const team = await teamOf(), k = (await org(owner, team)('POST', '/keys', body())).body, stranger = await s.user()
		const rows = [['GET', '/keys'], ['POST', '/keys', body()], ['GET', `/keys/${k.$id}`], ['PUT', `/keys/${k.$id}`, { name: 'x', scopes: [] }], ['DELETE', `/keys/${k.$id}`]]
		for (const [m, tail, b] of rows) {
			fails(await org(stranger, team)(m, tail, b), 404, 'team_not_found')
			fails(await org(owner)(m, tail, b), 404, 'team_not_found')
			fails(await s.call(m, `/organization${tail}`, { project: 'console', headers: headers(team), body: b }), 401, 'general_unauthorized_scope')
		}
		const { one, team: other, membership } = await people()
		await one.ok('PATCH', `/teams/${other}/memberships/${membership}`, { body: { roles: ['developer', 'admin'] } })
		for (const [m, tail, b] of rows) fails(await org(one, other)(m, tail, b), 401, 'user_unauthorized')
	})

	test('manage projects of it, as far as their scopes go, and of no other', async () => {
		const team = await teamOf(), make = async (...scopes) => ofTeam((await org(owner, team)('POST', '/keys', body({ scopes }))).body.secret, team)
		const read = await make('projects.read'), write = await make('projects.read', 'projects.write'), id = unique('p'), foreign = await s.project()
		fails(await read('POST', '/organization/projects', { projectId: id, name: 'P' }), 401, 'general_unauthorized_scope')
		assert.equal((await write('POST', '/organization/projects', { projectId: id, name: 'P' })).body.teamId, team)
		assert.deepEqual((await read('GET', '/organization/projects')).body.projects.map((p) => p.$id), [id])
		assert.equal((await write('PATCH', `/organization/projects/${id}`, { name: 'Q' })).body.name, 'Q')
		for (const m of ['GET', 'DELETE']) fails(await write(m, `/organization/projects/${foreign.id}`), 404, 'project_not_found')
		/* no secrets of keys that may more than it */
		const { secret } = await owner.ok('POST', `/projects/${id}/keys`, { body: { name: 'k', scopes: ['users.read'] } })
		for (const v of ['1.0.0', '1.8.0', '2.3.0']) assert.ok(!(await write('GET', `/organization/projects/${id}`, undefined, { headers: { 'x-appwrite-response-format': v } })).text.includes(secret), v)
		/* nor what is for people */
		for (const target of ['/projects', `/projects/${id}`, `/projects/${id}/keys`, '/account', '/teams', `/teams/${team}`]) fails(await write('GET', target), 401, 'general_unauthorized_scope')
		fails(await write('POST', `/projects/${id}/keys`, { name: 'k', scopes: [] }), 401, 'general_unauthorized_scope')
		assert.equal((await write('DELETE', `/organization/projects/${id}`)).status, 204)
	})

	test('keys of developers', async () => {
		const team = await teamOf(), id = unique('p'), expire = new Date(Date.now() + 3600e3).toISOString()
		await owner.ok('POST', '/projects', { body: { projectId: id, name: 'P', teamId: team } })
		const make = async (...scopes) => ofTeam((await org(owner, team)('POST', '/keys', body({ scopes }))).body.secret, team), at = `/projects/${id}/dev-keys`
		const read = await make('devKeys.read'), write = await make('devKeys.read', 'devKeys.write'), none = await make('projects.read', 'projects.write')
		const made = await write('POST', at, { name: 'd', expire })
		assert.equal(made.status, 201, made.text)
		assert.equal((await write('GET', `${at}/${made.body.$id}`)).body.secret, made.body.secret)
		for (const tail of ['', `/${made.body.$id}`]) {
			const r = await read('GET', at + tail)
			assert.ok(r.status === 200 && !r.text.includes(made.body.secret), r.text)
			fails(await none('GET', at + tail), 401, 'general_unauthorized_scope')
		}
		fails(await read('DELETE', `${at}/${made.body.$id}`), 401, 'general_unauthorized_scope')
		/* the project may be named twice */
		assert.equal((await write('PUT', `${at}/${made.body.$id}`, { name: 'e', expire }, { more: { project: id } })).body.name, 'e')
		assert.equal((await write('DELETE', `${at}/${made.body.$id}`)).status, 204)
	})

	test('the organization and its members', async () => {
		const team = await teamOf(), make = async (...scopes) => ofTeam((await org(owner, team)('POST', '/keys', body({ scopes }))).body.secret, team)
		const read = await make('organization.read', 'organization.memberships.read'), write = await make('organization.write', 'organization.memberships.write')
		assert.equal((await read('GET', '/organization')).body.$id, team)
		fails(await read('PUT', '/organization', { name: 'x' }), 401, 'general_unauthorized_scope')
		assert.equal((await write('PUT', '/organization', { name: 'By a key' })).body.name, 'By a key')
		const { memberships: [m] } = (await read('GET', '/organization/memberships')).body
		assert.deepEqual([m.userId, m.roles], [owner.id, ['owner']])
		assert.equal((await read('GET', `/organization/memberships/${m.$id}`)).body.$id, m.$id)
		/* an invitation has to be accepted, as one of a person has: without a mail server there is none */
		fails(await write('POST', '/organization/memberships', { email: `${unique('u')}@example.org`, roles: [] }), 400, 'general_argument_invalid')
		assert.deepEqual((await write('PATCH', `/organization/memberships/${m.$id}`, { roles: ['owner', 'x'] })).body.roles, ['owner', 'x'])
		fails(await write('DELETE', `/organization/memberships/${m.$id}`), 400, 'membership_deletion_prohibited')
		fails(await write('DELETE', '/organization/memberships/none'), 404, 'team_invite_not_found')
		assert.equal((await write('DELETE', '/organization')).status, 204)
		fails(await write('PUT', '/organization', { name: 'x' }), 401, 'user_unauthorized')
	})

	test('what is done to the organization is in its log, and which key it was', async () => {
		const team = await teamOf(), call = org(owner, team), m = (await call('GET', '/memberships')).body.memberships[0].$id
		const k = (await call('POST', '/keys', body({ name: 'Mine', scopes: ['organization.write', 'organization.memberships.write'] }))).body, by = ofTeam(k.secret, team)
		await call('PUT', '', { name: 'New' })
		await call('PATCH', `/memberships/${m}`, { roles: ['owner', 'x'] })
		await call('PUT', `/keys/${k.$id}`, { name: 'Mine', scopes: k.scopes })
		await by('PUT', '/organization', { name: 'By a key' })
		await by('PATCH', `/organization/memberships/${m}`, { roles: ['owner'] })
		await call('DELETE', `/keys/${k.$id}`)
		const list = await until('the entries', async () => {
			const r = await owner.ok('GET', `/teams/${team}/logs`)
			return r.total >= 8 && r.logs.reverse()
		})
		assert.deepEqual(list.map((l) => l.event), ['team.create', 'key.create', 'team.update', 'membership.update', 'key.update', 'team.update', 'membership.update', 'key.delete'])
		const mine = list.filter((l) => l.userName === 'Mine')
		assert.deepEqual(mine.map((l) => l.event), ['team.update', 'membership.update'])
		for (const l of mine) assert.match(l.userId, /^key:[0-9]+$/)
		assert.deepEqual(new Set(list.filter((l) => l.userName !== 'Mine').map((l) => l.userId)), new Set([owner.id]))
	})

	test('end, and are remembered', async () => {
		const team = await teamOf(), call = org(owner, team), k = (await call('POST', '/keys', body())).body, by = ofTeam(k.secret, team)
		await call('PUT', `/keys/${k.$id}`, { name: 'K', scopes: k.scopes, expire: '2020-01-01' })
		fails(await by('GET', '/organization/projects'), 401, 'project_key_expired')
		await call('PUT', `/keys/${k.$id}`, { name: 'K', scopes: k.scopes })
		assert.equal((await by('GET', '/organization/projects', undefined, { headers: { 'x-sdk-name': 'Node.js' } })).status, 200)
		const now = (await call('GET', `/keys/${k.$id}`)).body
		assert.ok(now.accessedAt !== '')
		fails(await ofTeam(k.secret)('GET', '/organization/projects'), 403, 'organization_id_missing')
		fails(await ofTeam(k.secret, await teamOf())('GET', '/organization/projects'), 403, 'organization_id_missing')
		fails(await s.call('GET', '/locale/currencies', { project: (await s.project()).id, key: k.secret, headers: headers(team) }), 401, 'user_unauthorized')
	})

	test('are made by no key, and shown to none that may less', async () => {
		const team = await teamOf(), call = org(owner, team)
		const little = (await call('POST', '/keys', body({ scopes: ['organization.keys.read', 'organization.keys.write'] }))).body, great = (await call('POST', '/keys', body())).body
		const by = ofTeam(little.secret, team)
		fails(await by('POST', '/organization/keys', body({ scopes: [] })), 403, 'key_creation_denied')
		fails(await by('PUT', `/organization/keys/${little.$id}`, { name: 'x', scopes: [] }), 403, 'key_creation_denied')
		fails(await by('DELETE', `/organization/keys/${great.$id}`), 403, 'key_creation_denied')
		const seen = (await by('GET', '/organization/keys')).body.keys
		assert.deepEqual([little, great].map((k) => seen.find((x) => x.$id === k.$id).secret), [little.secret, ''])
		assert.equal((await by('GET', `/organization/keys/${great.$id}`)).body.secret, '')
		const person = (await mine(owner)('POST', '', { name: 'K', scopes: ['teams.read', 'teams.write'] })).body
		const r = await s.call('POST', '/organization/keys', { project: 'console', key: person.secret, headers: { ...headers(team), 'x-appwrite-user': owner.id }, body: body() })
		fails(r, 403, 'key_creation_denied')
	})

	test('go with their maker and with the team', async () => {
		const { one, team } = await people(), { secret } = (await org(one, team)('POST', '/keys', body())).body, by = ofTeam(secret, team)
		assert.equal((await by('GET', '/organization/projects')).status, 200)
		await one.ok('PATCH', '/account/status')	/* blocked */
		fails(await by('GET', '/organization/projects'), 401, 'user_unauthorized')
		const x = await people(), k = (await org(x.one, x.team)('POST', '/keys', body())).body
		await x.one.ok('DELETE', `/teams/${x.team}`)
		fails(await ofTeam(k.secret, x.team)('GET', '/organization/projects'), 401, 'user_unauthorized')
		const y = await people(), l = (await org(y.one, y.team)('POST', '/keys', body())).body
		await y.one.ok('PATCH', `/teams/${y.team}/memberships/${y.membership}`, { body: { roles: ['developer'] } })	/* as clients of 1.0 may */
		fails(await ofTeam(l.secret, y.team)('GET', '/organization/projects'), 401, 'user_unauthorized')
	})

	test('there are a hundred at most, whoever hurries', async () => {
		const team = await teamOf(), call = org(owner, team)
		for (let i = 0; i < 9; i++) await Promise.all(Array.from({ length: 11 }, () => call('POST', '/keys', body())))
		const last = await Promise.all(Array.from({ length: 6 }, () => call('POST', '/keys', body())))
		assert.deepEqual(last.map((r) => r.status).sort(), [201, 400, 400, 400, 400, 400])
		assert.equal((await call('GET', '/keys')).body.total, 100)
	})
})

describe('keys of an account', () => {
	const keyOf = async (who, scopes = ['account'], more = {}) => (await mine(who)('POST', '', { name: 'K', scopes, ...more })).body

	test('life', async () => {
		const who = await s.user(), call = mine(who), r = await call('POST', '', { name: 'K', scopes: ['account'], expire: null })
		assert.equal(r.status, 201, r.text)
		assert.match(r.body.secret, /^account_[0-9a-f]{256}$/)
		assert.deepEqual((await call('GET')).body, { total: 1, keys: [r.body] })
		assert.equal((await who.call('GET', '/account/keys', { headers: format, query: { total: 'false' } })).body.total, 0)
		assert.deepEqual((await call('GET', `/${r.body.$id}`)).body, r.body)
		assert.deepEqual((await call('PUT', `/${r.body.$id}`, { name: 'L', scopes: ['teams.read'] })).body.scopes, ['teams.read'])
		const other = mine(await s.user())
		for (const [m, b] of [['GET'], ['PUT', { name: 'x', scopes: [] }], ['DELETE']]) fails(await other(m, `/${r.body.$id}`, b), 404, 'key_not_found')
		assert.equal((await call('DELETE', `/${r.body.$id}`)).status, 204)
		for (const bad of [{ scopes: ['projects.read'] }, { scopes: ['organization.read'] }, { name: undefined }, { scopes: undefined }])
			fails(await call('POST', '', { name: 'K', scopes: [], ...bad }), 400, 'general_argument_invalid')
		const p = await s.project(), user = await p.user()
		fails(await user.call('GET', '/account/keys', { headers: format }), 401, 'general_access_forbidden')
		for (const [m, tail, b] of [['GET', ''], ['POST', '', { name: 'K', scopes: [] }], ['GET', '/x'], ['PUT', '/x', { name: 'K', scopes: [] }], ['DELETE', '/x']])
			fails(await s.call(m, `/account/keys${tail}`, { project: 'console', headers: format, body: b }), 401, 'general_unauthorized_scope')
	})

	test('are that person, as far as they go', async () => {
		const who = await s.user(), team = await teamOf(who), k = await keyOf(who), by = ofUser(k.secret, who.id)
		assert.equal((await by('GET', '/account')).body.$id, who.id)
		assert.equal((await by('PATCH', '/account/name', { name: 'By a key' })).body.name, 'By a key')
		fails(await by('GET', '/teams'), 401, 'general_unauthorized_scope')
		const t = ofUser((await keyOf(who, ['teams.read'])).secret, who.id)
		assert.deepEqual((await t('GET', '/teams')).body.teams.map((x) => x.$id), [team])
		assert.equal((await s.call('GET', '/organization', { project: 'console', key: (await keyOf(who, ['teams.read'])).secret, headers: { ...headers(team), 'x-appwrite-user': who.id } })).body.$id, team)
		fails(await t('PUT', `/teams/${team}`, { name: 'x' }), 401, 'general_unauthorized_scope')
		fails(await t('GET', '/account'), 401, 'general_unauthorized_scope')
		fails(await t('GET', '/projects'), 401, 'general_unauthorized_scope')
		/* nothing that decides who signs in */
		for (const [m, target, b] of [['POST', '/account/jwts'], ['PATCH', '/account/password', { password: 'another-horse' }], ['PATCH', '/account/email', { email: 'x@example.org', password: 'correct-horse' }],
			['PATCH', '/account/mfa', { mfa: false }], ['DELETE', '/account/sessions'], ['DELETE', '/account'], ['POST', '/account/mfa/authenticators/totp']])
			fails(await by(m, target, b), 401, 'general_unauthorized_scope')
		fails(await by('POST', '/account/sessions/email', { email: who.email, password: who.password }), 401, 'general_unauthorized_scope')
		const little = await keyOf(who, []), seen = (await by('GET', '/account/keys')).body.keys
		assert.deepEqual(seen.map((x) => x.secret !== '').sort(), [false, false, true, true])
		for (const [m, tail, b] of [['POST', '', { name: 'K', scopes: [] }], ['PUT', `/${little.$id}`, { name: 'K', scopes: [] }], ['DELETE', `/${little.$id}`]])
			fails(await by(m, `/account/keys${tail}`, b), 403, 'key_creation_denied')
	})

	test('have to be named, end, and go with the account', async () => {
		const who = await s.user(), k = await keyOf(who), by = ofUser(k.secret, who.id)
		fails(await ofUser(k.secret)('GET', '/account'), 403, 'user_id_missing')
		fails(await ofUser(k.secret, owner.id)('GET', '/account'), 403, 'user_id_missing')
		fails(await by('GET', '/account', undefined, { cookie: who.cookie }), 403, 'user_api_key_and_session_set')
		await mine(who)('PUT', `/${k.$id}`, { name: 'K', scopes: ['account'], expire: '2020-01-01' })
		fails(await by('GET', '/account'), 401, 'account_key_expired')
		await mine(who)('PUT', `/${k.$id}`, { name: 'K', scopes: ['account'] })
		assert.equal((await by('GET', '/account')).status, 200)
		await who.ok('PATCH', '/account/status')
		fails(await by('GET', '/account'), 403, 'user_blocked')
		const other = await s.user(), l = await keyOf(other)
		await other.ok('DELETE', '/account', { headers: format })
		fails(await ofUser(l.secret, other.id)('GET', '/account'), 401, 'user_unauthorized')
	})
})

describe('an organization by its header', () => {
	test('for its members', async () => {
		const team = await teamOf(), call = org(owner, team), stranger = await s.user()
		assert.equal((await call('GET')).body.$id, team)
		assert.equal((await call('PUT', '', { name: 'New' })).body.name, 'New')
		fails(await call('PUT', '', {}), 400, 'general_argument_invalid')
		const { memberships: [m] } = (await call('GET', '/memberships')).body
		assert.equal((await call('GET', `/memberships/${m.$id}`)).body.userId, owner.id)
		assert.deepEqual((await call('PATCH', `/memberships/${m.$id}`, { roles: ['owner', 'b'] })).body.roles, ['owner', 'b'])
		fails(await call('PATCH', `/memberships/${m.$id}`, { roles: [] }), 400, 'membership_downgrade_prohibited')
		fails(await call('POST', '/memberships', { roles: [] }), 400, 'general_argument_invalid')
		for (const [m2, tail, b] of [['GET', ''], ['PUT', '', { name: 'x' }], ['DELETE', ''], ['GET', '/memberships'], ['POST', '/memberships', { userId: stranger.id, roles: [], url: 'http://localhost/x' }],
			['GET', `/memberships/${m.$id}`], ['PATCH', `/memberships/${m.$id}`, { roles: [] }]]) {
			fails(await org(stranger, team)(m2, tail, b), 404, 'team_not_found')
			fails(await org(owner)(m2, tail, b), 404, 'team_not_found')
			fails(await s.call(m2, `/organization${tail}`, { project: 'console', headers: headers(team), body: b }), 401, 'general_unauthorized_scope')
		}
		for (const named of ['%', 'a b', '\xff', "'"]) fails(await owner.call('GET', '/organization', { headers: headers(named) }), 404, 'team_not_found')
		fails(await org(stranger, team)('DELETE', `/memberships/${m.$id}`), 404, 'team_not_found')
		fails(await org(owner, await teamOf())('DELETE', `/memberships/${m.$id}`), 404, 'team_membership_mismatch')
		assert.equal((await call('DELETE')).status, 204)
	})
})

describe('what ends by itself', () => {
	/* Every route that makes or changes a key. */
	async function all(who) {
		const team = await teamOf(who), project = unique('p'), at = `/projects/${project}`, expire = new Date(Date.now() + 3600e3).toISOString(), k = { name: 'K', scopes: [] }
		await who.ok('POST', '/projects', { body: { projectId: project, name: 'P', teamId: team } })
		const one = (await mine(who)('POST', '', k)).body, two = (await org(who, team)('POST', '/keys', body())).body
		const three = await who.ok('POST', `${at}/keys`, { body: k }), four = await who.ok('POST', `${at}/dev-keys`, { headers: format, body: { name: 'K', expire } })
		const writes = [['POST', '/account/keys', k], ['PUT', `/account/keys/${one.$id}`, k], ['DELETE', `/account/keys/${one.$id}`], ['POST', '/organization/keys', body()], ['PUT', `/organization/keys/${two.$id}`, k],
			['DELETE', `/organization/keys/${two.$id}`], ['POST', `${at}/keys`, k], ['PUT', `${at}/keys/${three.$id}`, k], ['POST', `${at}/jwts`, { scopes: [] }], ['POST', `${at}/dev-keys`, { name: 'K', expire }],
			['PUT', `${at}/dev-keys/${four.$id}`, { name: 'K', expire }]]
		const hook = { name: 'H', events: ['users.*.create'], url: 'https://example.org/', security: true, httpUser: 'u', httpPass: unique('pass') }
		const five = await who.ok('POST', `${at}/webhooks`, { body: hook }), secret = five.signatureKey
		const reads = [[`${at}/webhooks`, { secret }], [`${at}/webhooks/${five.$id}`, { secret }], [`${at}/webhooks`, { secret: hook.httpPass }], ['/account/keys', one], [`/account/keys/${one.$id}`, one], ['/organization/keys', two], [`/organization/keys/${two.$id}`, two], [`${at}/keys`, three], [`${at}/keys/${three.$id}`, three], [`${at}/dev-keys`, four],
			[`${at}/dev-keys/${four.$id}`, four]]
		return { team, project, writes, reads, three, secret, hook: [`${at}/webhooks/${five.$id}`, hook] }
	}
	const told = async (call, a, shown) => {
		for (const [target, k] of a.reads) {
			const r = await call('GET', target)
			assert.equal(r.status, 200, r.text)
			assert.ok(k.secret !== '' && r.text.includes(k.secret) === shown, target)
		}
		for (const v of ['1.0.0', '1.8.0']) assert.equal((await call('GET', `/projects/${a.project}`, undefined, { 'x-appwrite-response-format': v })).text.includes(a.three.secret), shown, v)
	}

	test('makes no key, and is shown the secret of none', async () => {
		const who = await s.user(), a = await all(who), { jwt } = await who.ok('POST', '/account/jwts', { headers: format, body: {} })
		const by = (m, target, b, h) => s.call(m, target, { project: 'console', jwt, headers: { ...headers(a.team), ...h }, body: b })
		for (const [m, target, b] of a.writes) fails(await by(m, target, b), 403, 'key_creation_denied')
		await told((m, target, b, h) => who.call(m, target, { headers: { ...headers(a.team), ...h } }), a, true)
		await told(by, a, false)
		/* of webhooks neither, whatever else it does with them */
		for (const [call, shown] of [[by, false], [(m, target, b) => who.call(m, target, { headers: headers(a.team), body: b }), true]]) {
			const r = await call('PUT', ...a.hook)
			assert.equal(r.status, 200, r.text)
			assert.equal(r.text.includes(a.secret), shown)
		}
		const r = await by('PATCH', `${a.hook[0]}/signature`)
		assert.deepEqual([r.status, r.body.secret], [200, ''], r.text)
	})
})

test('an organization that has projects stays, whoever would delete it', async () => {
	const { one, team } = await people(), id = unique('p')
	await one.ok('POST', '/projects', { body: { projectId: id, name: 'P', teamId: team } })
	const by = ofTeam((await org(one, team)('POST', '/keys', body({ scopes: ['organization.write'] }))).body.secret, team)
	for (const del of [() => by('DELETE', '/organization'), () => org(one, team)('DELETE'), () => one.call('DELETE', `/teams/${team}`)]) fails(await del(), 409, 'team_not_empty')
	assert.equal((await one.ok('GET', `/projects/${id}`)).teamId, team)
	assert.equal((await one.call('DELETE', `/projects/${id}`, { headers: format })).status, 204)
	assert.equal((await org(one, team)('DELETE')).status, 204)
})

describe('a project that is named twice', () => {
	test('by the path and by the header is the console\'s to answer', async () => {
		const p = await s.project(), q = await s.project(), as = (v, o = {}) => owner.call('GET', `/projects/${p.id}`, { headers: { 'x-appwrite-response-format': v }, ...o })
		for (const v of ['1.8.0', '2.3.0']) {
			assert.equal((await as(v, { project: p.id })).body.$id, p.id, v)
			assert.equal((await as(v, { project: p.id, mode: 'admin' })).body.$id, p.id, v)
		}
		assert.deepEqual((await owner.call('PATCH', `/projects/${p.id}/auth/limit`, { project: p.id, headers: { 'x-appwrite-response-format': '1.8.0' }, body: { limit: 7 } })).body.authLimit, 7)
		fails(await as('2.3.0', { project: q.id }), 401, 'user_unauthorized')
		fails(await as('1.8.0', { project: q.id }), 401, 'general_unauthorized_scope')
		/* what the project knows of people and keys counts for nothing */
		const user = await p.user(), key = await p.addKey()
		fails(await user.call('GET', `/projects/${p.id}`, { headers: format }), 401, 'general_unauthorized_scope')
		for (const v of ['1.8.0', '2.3.0']) fails(await p.guest('GET', `/projects/${p.id}`, { key, headers: { 'x-appwrite-response-format': v } }), 401, 'general_unauthorized_scope')
		const stranger = await s.user()
		fails(await stranger.call('GET', `/projects/${p.id}`, { project: p.id, headers: format }), 404, 'project_not_found')
		/* a page of the project gets nothing by the console's cookie */
		await p.addPlatform({ hostname: 'app.example.org' })
		fails(await as('2.3.0', { project: p.id, headers: { ...format, origin: 'https://app.example.org' } }), 403, 'general_unknown_origin')
		/* clients of 1.0 name the console */
		fails(await as('1.0.0', { project: p.id }), 401, 'general_unauthorized_scope')
	})
})

describe('who has a key made by somebody else', () => {
	let own, box
	const psql = (sql) => execFileSync('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
	const link = async (email) => Object.fromEntries(new URL((await box.next(email)).link).searchParams)
	const ask = (m, target, o = {}) => own.call(m, target, { project: 'console', ...o })
	async function keysOfBoth(who, team) {
		const one = await who.ok('POST', '/account/keys', { headers: format, body: { name: 'K', scopes: ['account'] } })
		const two = await who.ok('POST', '/organization/keys', { headers: headers(team), body: body() })
		return { account: () => ask('GET', '/account', { key: one.secret, headers: { ...format, 'x-appwrite-user': who.id } }), team: () => ask('GET', '/organization/projects', { key: two.secret, headers: headers(team) }) }
	}

	before(async () => {
		box = await sink()
		own = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port } })
	})
	after(async () => {
		await own.stop()
		box.stop()
	})

	test('the owner of an address ends the keys of who signed up with it', async () => {
		const who = await own.user(), team = await teamOf(who), keys = await keysOfBoth(who, team)
		assert.deepEqual([(await keys.account()).status, (await keys.team()).status], [200, 200])
		await ask('POST', '/account/tokens/magic-url', { headers: format, body: { userId: unique(), email: who.email, url: 'http://localhost/x' } })
		const { userId, secret } = await link(who.email), r = await ask('PUT', '/account/sessions/magic-url', { body: { userId, secret } })
		assert.equal(r.status, 201, r.text)
		fails(await keys.account(), 401, 'user_unauthorized')
		fails(await keys.team(), 401, 'user_unauthorized')
		/* a forgotten password ends those of the account; others work with those of the team */
		const session = { ...who, cookie: r.headers['set-cookie'][0].split(';')[0] }
		session.ok = (m, t, o = {}) => own.ok(m, t, { project: 'console', cookie: session.cookie, ...o })
		const later = await keysOfBoth(session, team)
		await ask('POST', '/account/recovery', { body: { email: who.email, url: 'http://localhost/x' } })
		const again = await link(who.email)
		assert.equal((await ask('PUT', '/account/recovery', { body: { userId: again.userId, secret: again.secret, password: 'another-horse', passwordAgain: 'another-horse' } })).status, 200)
		fails(await later.account(), 401, 'user_unauthorized')
		assert.equal((await later.team()).status, 200)
	})

	test('a new password ends those of the account, as it ends sessions', async () => {
		const who = await own.user(), keys = await keysOfBoth(who, await teamOf(who))
		assert.equal((await keys.account()).status, 200)
		await who.ok('PATCH', '/account/password', { headers: format, body: { password: 'another-horse', oldPassword: who.password } })
		assert.deepEqual([(await keys.account()).status, (await keys.team()).status], [401, 200])
	})

	test('who acts as somebody else makes none for their teams, and sees none', async () => {
		const agent = await own.user(), who = await own.user(), team = await teamOf(who), k = (await who.ok('POST', '/organization/keys', { headers: headers(team), body: body() }))
		psql(`UPDATE p_0.users SET impersonator = true WHERE id = '${agent.id}'`)
		const by = (m, tail, b) => agent.call(m, `/organization/keys${tail}`, { headers: { ...headers(team), 'x-appwrite-impersonate-user-id': who.id }, body: b })
		assert.equal((await by('GET', `/${k.$id}`)).body.secret, '')
		for (const [m, tail, b] of [['POST', '', body()], ['PUT', `/${k.$id}`, { name: 'x', scopes: [] }], ['DELETE', `/${k.$id}`]]) fails(await by(m, tail, b), 403, 'key_creation_denied')
	})

	test('one of an account does not see what opens that at a provider', async () => {
		const who = await own.user(), { secret } = await who.ok('POST', '/account/keys', { headers: format, body: { name: 'K', scopes: ['account'] } })
		/* the key's secret is sealed as tokens are */
		psql(`UPDATE p_0.sessions SET provider = 'github', provider_access_token = k.secret, provider_refresh_token = k.secret FROM badal.account_keys k WHERE k.user_internal = sessions.user_internal AND user_id = '${who.id}'`)
		const [session] = (await who.ok('GET', '/account/sessions', { headers: format })).sessions
		assert.deepEqual([session.providerAccessToken, session.providerRefreshToken], [secret, secret])
		for (const target of ['/account/sessions', `/account/sessions/${session.$id}`]) {
			const r = await ask('GET', target, { key: secret, headers: { ...format, 'x-appwrite-user': who.id } })
			assert.ok(r.status === 200 && r.text.includes(session.$id) && !r.text.includes(secret), r.text)
		}
	})

	test('one of a team ends with the membership of its maker, and who is no owner any more makes none', async () => {
		const one = await own.user(), two = await own.user(), team = await teamOf(one)
		psql(`INSERT INTO p_0.memberships (id, user_internal, user_id, team_internal, team_id, roles, invited, joined, confirm, created, updated) SELECT '${unique('m')}', u.internal, u.id, t.internal, t.id, '{owner}', now(), now(), true, now(), now() FROM p_0.users u, p_0.teams t WHERE u.id = '${two.id}' AND t.id = '${team}'`)
		const keys = await keysOfBoth(two, team), members = (await one.ok('GET', `/teams/${team}/memberships`)).memberships, id = members.find((m) => m.userId === two.id).$id
		assert.equal((await keys.team()).status, 200)
		/* its other owners see and change it, too */
		const [k] = (await one.ok('GET', '/organization/keys', { headers: headers(team) })).keys
		assert.equal((await one.ok('PUT', `/organization/keys/${k.$id}`, { headers: headers(team), body: { name: 'M', scopes: k.scopes } })).name, 'M')
		await one.ok('PATCH', `/teams/${team}/memberships/${id}`, { headers: format, body: { roles: ['developer'] } })
		fails(await keys.team(), 401, 'user_unauthorized')
		for (const [m, tail, b] of [['GET', ''], ['POST', '', body()], ['GET', `/${k.$id}`], ['PUT', `/${k.$id}`, { name: 'x', scopes: [] }], ['DELETE', `/${k.$id}`]])
			fails(await two.call(m, `/organization/keys${tail}`, { headers: headers(team), body: b }), 401, 'user_unauthorized')
		await one.ok('PATCH', `/teams/${team}/memberships/${id}`, { headers: format, body: { roles: ['owner'] } })
		assert.equal((await keys.team()).status, 200)
		await one.ok('DELETE', `/organization/memberships/${id}`, { headers: headers(team) })
		fails(await keys.team(), 401, 'user_unauthorized')
		assert.equal(psql('SELECT count(*) FROM badal.organization_keys k JOIN p_0.users u ON u.internal = k.user_internal WHERE u.id = \'' + two.id + '\''), '0')
		assert.equal((await keys.account()).status, 200)
	})

	test('whoever a key invites accepts as others do', async () => {
		const one = await own.user(), two = await own.user(), team = await teamOf(one), by = async (scopes) => (await one.ok('POST', '/organization/keys', { headers: headers(team), body: body({ scopes }) })).secret
		const key = await by(['organization.memberships.read', 'organization.memberships.write']), invite = (b) => ask('POST', '/organization/memberships', { key, headers: headers(team), body: { roles: ['developer'], url: 'http://localhost/x', ...b } })
		const r = await invite({ email: two.email })
		assert.deepEqual([r.status, r.body.confirm, r.body.teamId], [201, false, team], r.text)
		const { membershipId, userId, secret } = await link(two.email)
		assert.equal((await two.call('PATCH', `/teams/${team}/memberships/${membershipId}/status`, { body: { userId, secret } })).body.confirm, true)
		fails(await invite({ email: undefined, userId: two.id }), 409, 'membership_already_confirmed')
		const { total } = (await ask('GET', '/organization/memberships', { key, headers: headers(team) })).body
		assert.equal(total, 2)
		fails(await ask('GET', '/organization/memberships/none', { key, headers: headers(team) }), 404, 'membership_not_found')
	})
})
