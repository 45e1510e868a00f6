/* What consoles ask of one project besides its settings: that somebody looks at it, its schedules, and how far on the way into it its team is. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'

import { server, unique, until } from '../lib/server.mjs'
import { fails, keysOf } from './lib.mjs'

let s, owner, stranger, psql
const format = { 'x-appwrite-response-format': '2.3.0' }
const ask = (p, who = owner) => (m, tail, body, o = {}) => who.call(m, `/projects/${p.id}/${tail}`, { headers: format, body, ...o })

before(async () => {
	s = await server({ own: true, conf: { roles: 'web,relay,jobs,executor' } })
	owner = await s.console()
	stranger = await s.user()
	psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
})
after(() => s.stop())

/* A member without a rank, and one of the developers. */
async function members(p) {
	const of = async (roles) => {
		const who = await s.user()
		psql(`INSERT INTO p_0.memberships (id, user_internal, user_id, team_internal, team_id, roles, invited, joined, confirm, created, updated) SELECT '${unique('m')}', u.internal, u.id, t.internal, t.id, '{${roles}}', now(), now(), true, now(), now() FROM p_0.users u, p_0.teams t WHERE u.id = '${who.id}' AND t.id = '${p.teamId}'`)
		await who.ok('POST', '/account/sessions/email', { body: { email: who.email, password: who.password } })	/* so that what was kept of them is read anew */
		return who
	}
	return { reader: await of(''), developer: await of('developer') }
}

describe('that somebody looks at it', () => {
	const when = async (p) => (await owner.ok('GET', `/projects/${p.id}`, { headers: format })).consoleAccessedAt
	test('is noted once a day: in admin mode, and when a console says so', async () => {
		for (const look of [(p) => p.admin('GET', '/users'), (p) => ask(p)('PATCH', 'console-access')]) {
			const p = await s.project()
			await p.call('GET', '/users')
			assert.equal(await when(p), '')
			await Promise.all([look(p), look(p), look(p)])
			const first = await until('the note', () => when(p))	/* which comes after the answer */
			assert.ok(Math.abs(Date.parse(first) - Date.now()) < 600e3, first)
			await look(p)
			assert.equal(await when(p), first)
			const twoDays = Date.now() - 2 * 86400e3
			psql(`UPDATE badal.projects SET console_accessed = now() - interval '2 days' WHERE id = '${p.id}'`)
			await owner.ok('PATCH', `/projects/${p.id}`, { body: { name: 'anew' } })	/* what was kept is read again */
			assert.ok(Math.abs(Date.parse(await when(p)) - twoDays) < 600e3)
			assert.ok((await look(p)).status < 300)
			await until('another note', async () => Date.parse(await when(p)) > twoDays + 86400e3)
			/* lists may be asked by it */
			const { projects } = await owner.ok('GET', '/projects', { headers: format, query: { queries: [JSON.stringify({ method: 'isNotNull', attribute: 'accessedAt' })], search: p.id } })
			assert.deepEqual(projects.map((x) => x.$id), [p.id])
		}
	})
	test('which no answer waits for', async () => {
		const p = await s.project(), c = spawn('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq'], { stdio: ['pipe', 'pipe', 'inherit'] })
		let out = ''
		c.stdout.on('data', (d) => (out += d))
		c.stdin.write(`BEGIN; SELECT 'held' FROM badal.projects WHERE id = '${p.id}' FOR UPDATE;\n`)
		await until('the lock', () => out.includes('held'))
		assert.equal((await p.admin('GET', '/users')).status, 200)
		assert.equal(psql(`SELECT console_accessed IS NULL FROM badal.projects WHERE id = '${p.id}'`), 't')
		c.stdin.end('COMMIT;\n')
		await until('the note', () => when(p))
	})
	test('by its members alone', async () => {
		const p = await s.project(), { reader } = await members(p)
		fails(await ask(p, stranger)('PATCH', 'console-access'), 404, 'project_not_found')
		fails(await s.call('PATCH', `/projects/${p.id}/console-access`, { project: 'console', headers: format }), 401, 'general_unauthorized_scope')
		await s.call('GET', '/users', { project: p.id, mode: 'admin', cookie: stranger.cookie, headers: format })
		assert.equal(await when(p), '')
		assert.equal((await ask(p, reader)('PATCH', 'console-access')).status, 204)
		assert.ok(await when(p) !== '')
	})
})

test('its status is to be active, and is', async () => {
	const p = await s.project(), { reader, developer } = await members(p)
	for (const who of [owner, developer]) assert.equal((await ask(p, who)('PATCH', 'status', { status: 'active' })).status, 204)
	assert.equal((await owner.ok('GET', `/projects/${p.id}`, { headers: format })).status, 'active')
	for (const body of [{}, { status: 'paused' }, { status: null }]) fails(await ask(p)('PATCH', 'status', body), 400, 'general_argument_invalid')
	fails(await ask(p, reader)('PATCH', 'status', { status: 'active' }), 401, 'user_unauthorized')
	fails(await ask(p, stranger)('PATCH', 'status', { status: 'active' }), 404, 'project_not_found')
})

describe('schedules', () => {
	test('are those of functions and of executions that are put off', async () => {
		const p = await s.project(), call = ask(p), q = await s.project()
		const runtime = await until('a runtime', async () => (await p.ok('GET', '/functions/runtimes')).runtimes[0]?.$id)
		const make = (more) => p.ok('POST', '/functions', { body: { functionId: unique('f'), name: 'F', runtime, ...more } })
		assert.deepEqual((await call('GET', 'schedules')).body, { total: 0, schedules: [] })
		const one = await make({ schedule: '5 * * * *' }), off = await make({ schedule: '0 0 * * *', enabled: false }), none = await make({})
		const schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
		psql(`INSERT INTO ${schema}.executions (function, id, created, updated, permissions, read, deployment, trigger, event, cause, depth, user_id, status, status_code, response, stdout, stderr, duration, method, path, request_headers, response_headers, scheduled) SELECT internal, 'later', now(), now(), '{}', '{}', '', 'http', '', '', 0, '', 'scheduled', 0, '', '', '', 0, 'GET', '/', '[]', '[]', '2099-01-02T03:04:05Z' FROM ${schema}.functions WHERE id = '${one.$id}'`)
		const { total, schedules } = (await call('GET', 'schedules')).body, by = (id) => schedules.find((x) => x.resourceId === id)
		assert.equal(total, 3)
		keysOf(by(one.$id), '$id $createdAt $updatedAt resourceType resourceId resourceUpdatedAt projectId schedule data active region')
		assert.deepEqual([by(one.$id).resourceType, by(one.$id).schedule, by(one.$id).active, by(one.$id).projectId, by(one.$id).region, by(one.$id).data], ['function', '5 * * * *', true, p.id, 'default', {}])
		assert.equal(by(off.$id).active, false)
		assert.deepEqual([by('later').resourceType, by('later').schedule, by('later').data], ['execution', '2099-01-02T03:04:05.000+00:00', { functionId: one.$id }])
		for (const x of schedules) assert.deepEqual((await call('GET', `schedules/${x.$id}`)).body, x)
		const list = async (...queries) => (await call('GET', 'schedules', undefined, { query: { queries: queries.map((x) => JSON.stringify(x)) } })).body
		assert.deepEqual((await list({ method: 'equal', attribute: 'resourceType', values: ['execution'] })).schedules.map((x) => x.resourceId), ['later'])
		assert.deepEqual((await list({ method: 'equal', attribute: 'active', values: [false] })).schedules.map((x) => x.resourceId), [off.$id])
		assert.deepEqual((await list({ method: 'limit', values: [1] }, { method: 'cursorAfter', values: [schedules[0].$id] })).schedules.map((x) => x.$id), [schedules[1].$id])
		assert.equal((await call('GET', 'schedules', undefined, { query: { total: 'false' } })).body.total, 0)
		fails(await call('GET', 'schedules', undefined, { query: { queries: ['{"method":"equal","attribute":"data","values":["x"]}'] } }), 400, 'general_argument_invalid')
		/* whatever is asked of an attribute is answered, or refused */
		const asked = ['resourceType', 'resourceId', 'projectId', 'schedule', 'active', 'region', '$id', '$createdAt', '$updatedAt', 'data']
		for (const attribute of asked)
			for (const method of ['equal', 'notEqual', 'lessThan', 'greaterThanEqual', 'contains', 'notContains', 'startsWith', 'notStartsWith', 'endsWith', 'notEndsWith', 'search', 'notSearch', 'isNull', 'isNotNull', 'between', 'orderAsc', 'orderDesc']) {
				const values = method === 'between' ? ['a', 'b'] : method.startsWith('is') || method.startsWith('order') ? [] : ['x']
				const r = await call('GET', 'schedules', undefined, { query: { queries: [JSON.stringify({ method, attribute, values })] } })
				assert.ok(r.status === 200 || r.status === 400, `${method} ${attribute}: ${r.text}`)
			}
		assert.deepEqual((await list({ method: 'startsWith', attribute: 'resourceId', values: ['lat'] })).schedules.map((x) => x.resourceId), ['later'])
		assert.equal((await list({ method: 'contains', attribute: 'resourceType', values: ['unctio'] })).total, 2)
		assert.equal((await call('GET', `schedules/${schedules[0].$id.toUpperCase()}`)).body.$id, schedules[0].$id)
		for (const id of ['function-', 'function-00', 'function-1x', 'execution-9999999999999999999', 'function-0', 'x', `FUNCTION-1-`]) fails(await call('GET', `schedules/${id}`), 404, 'schedule_not_found')
		fails(await ask(q)('GET', `schedules/${schedules[0].$id}`), 404, 'schedule_not_found')

		/* made: it is the function's from then on */
		const body = (more = {}) => ({ resourceType: 'function', resourceId: none.$id, schedule: '*/5 * * * *', active: true, ...more })
		const made = await call('POST', 'schedules', body())
		assert.equal(made.status, 201, made.text)
		assert.deepEqual([made.body.resourceId, made.body.schedule, made.body.active], [none.$id, '*/5 * * * *', true])
		const now = await p.ok('GET', `/functions/${none.$id}`)
		assert.ok(now.schedule === '*/5 * * * *' && now.scheduleNext !== '')
		assert.equal(psql(`SELECT count(*) FROM badal.schedules s JOIN ${schema}.functions f ON f.internal = s.what WHERE s.schema = '${schema}' AND s.kind = 'function' AND f.id = '${none.$id}'`), '1')
		const still = await call('POST', 'schedules', body({ resourceId: off.$id, active: undefined }))
		assert.deepEqual([still.status, still.body.active, still.body.schedule], [201, false, '*/5 * * * *'])
		assert.equal((await call('POST', 'schedules', body({ active: undefined }))).body.active, true)
		for (const bad of [{ active: false }, { schedule: 'often' }, { schedule: '0 0 30 2 *' }, { schedule: undefined }, { resourceType: 'site' }, { resourceId: undefined }, { data: { a: 1 } }])
			fails(await call('POST', 'schedules', body(bad)), 400, 'general_argument_invalid')
		fails(await call('POST', 'schedules', body({ resourceId: 'none' })), 404, 'function_not_found')
		for (const resourceType of ['execution', 'message']) fails(await call('POST', 'schedules', body({ resourceType })), 405, 'general_not_implemented')

		const { reader, developer } = await members(p)
		assert.equal((await ask(p, reader)('GET', 'schedules')).status, 200)
		fails(await ask(p, reader)('POST', 'schedules', body()), 401, 'user_unauthorized')
		assert.equal((await ask(p, developer)('POST', 'schedules', body())).status, 201)
		for (const [m, tail, b] of [['GET', 'schedules'], ['GET', `schedules/${schedules[0].$id}`], ['POST', 'schedules', body()]]) fails(await ask(p, stranger)(m, tail, b), 404, 'project_not_found')
	})
})

describe('stages', () => {
	test('are taken by what the project has, or passed over', async () => {
		const id = unique('p'), p = { id }, call = ask(p), other = await s.project(), all = async () => (await call('GET', 'stages')).body.stages
		await owner.ok('POST', '/projects', { headers: format, body: { projectId: id, name: 'New', teamId: other.teamId } })
		const pending = (x) => ({ id: x, sdk: '', status: 'pending', at: '', actorType: '' })
		assert.deepEqual(await all(), ['platform', 'key', 'ping'].map(pending))
		const skipped = (await call('PATCH', 'stages/key')).body
		assert.deepEqual([skipped.id, skipped.status, skipped.actorType], ['key', 'skipped', 'user'])
		assert.ok(Math.abs(Date.parse(skipped.at) - Date.now()) < 600e3)
		assert.deepEqual((await call('PATCH', 'stages/key', { skip: true })).body, skipped)
		assert.deepEqual((await all())[1], skipped)
		assert.deepEqual((await call('PATCH', 'stages/key', { skip: false })).body, pending('key'))
		await call('PATCH', 'stages/ping')
		/* what is there was not passed over */
		const platform = await owner.ok('POST', `/projects/${id}/platforms`, { body: { type: 'web', name: 'w', hostname: 'a.example.org' } })
		const { secret } = await owner.ok('POST', `/projects/${id}/keys`, { body: { name: 'k', scopes: ['users.read'] } })
		await s.ok('GET', '/users', { project: id, key: secret, headers: { 'x-sdk-name': 'python' } })
		await s.ok('GET', '/ping', { project: id })
		const now = await all()
		assert.deepEqual(now.map((x) => [x.id, x.status, x.actorType, x.sdk]), [['platform', 'completed', 'user', ''], ['key', 'completed', 'user', 'python'], ['ping', 'completed', 'client', '']])
		assert.equal(Date.parse(now[0].at), Date.parse(platform.$createdAt))
		fails(await call('PATCH', 'stages/other'), 400, 'general_argument_invalid')
		fails(await call('PATCH', 'stages/key', { skip: 'yes' }), 400, 'general_argument_invalid')
		const { reader } = await members(other), of = ask(other, reader)
		assert.equal((await of('GET', 'stages')).status, 200)
		fails(await of('PATCH', 'stages/key'), 401, 'user_unauthorized')
		for (const [m, tail] of [['GET', 'stages'], ['PATCH', 'stages/key']]) fails(await ask(p, stranger)(m, tail), 404, 'project_not_found')
	})
})
