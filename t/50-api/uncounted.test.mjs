/* Whoever does not ask how many there are (total=false) gets the same members and a total of 0, from every list that the description gives the parameter,
 * and nothing is counted for it. The table below is the contract's; a list more in the description wants its row. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { allScopes, server, unique, until } from '../lib/server.mjs'
import { description } from '../lib/shapes.mjs'
import { fails } from './lib.mjs'

const json = (method, attribute, values) => JSON.stringify({ method, attribute, values }), first = json('limit', undefined, [1])
const today = { 'x-appwrite-response-format': '1.9.5' }
let s, p, at, callers, operations

before(async () => {
	s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor' } })
	operations = Object.entries((await description(s.base)).document.paths).filter(([, methods]) => methods.get?.parameters?.some((x) => x.name === 'total'))
	p = await s.project({ scopes: [...allScopes, 'presences.read', 'presences.write', 'tables.read', 'rows.read', 'targets.write', 'topics.read', 'sites.read', 'rules.read'] })
	const user = await p.user(), other = await p.user(), email = `${unique('e')}@example.org`, admin = async (method, target, body) => {
		const r = await p.admin(method, target, { body, headers: today })
		assert.equal(Math.floor(r.status / 100), 2, r.text)
		return r.body
	}
	const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
	const schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`), make = (target, body, headers) => p.ok('POST', target, { body, headers })
	for (const provider of ['github', 'gitlab'])
		psql(`INSERT INTO ${schema}.identities (user_internal, provider, provider_uid, created, email, id) SELECT internal, '${provider}', '${unique()}', now(), '${email}', '${unique()}' FROM ${schema}.users WHERE id = '${user.id}'`)
	await s.ok('POST', '/account/sessions/email', { project: p.id, body: { email: user.email, password: user.password } })
	await user.ok('PATCH', '/account/prefs', { body: { prefs: { a: 1 } } })
	await make(`/users/${user.id}/targets`, { targetId: unique(), providerType: 'sms', identifier: '+15550001234' }, today)
	const teams = []
	for (const n of [1, 2]) {
		const team = (await make('/teams', { teamId: unique(), name: `Team ${n}` })).$id
		teams.push(team)
		for (const u of [user, other]) await make(`/teams/${team}/memberships`, { email: u.email, roles: ['r'], url: 'http://localhost/x' })
	}
	const databaseId = unique('d'), collectionId = unique('c'), functionId = unique('f'), bucketId = unique('b')
	for (const id of [databaseId, unique('d')]) await make('/databases', { databaseId: id, name: 'D' })
	for (const id of [collectionId, unique('c')]) await make(`/databases/${databaseId}/collections`, { collectionId: id, name: 'C', permissions: [] })
	const c = `/databases/${databaseId}/collections/${collectionId}`
	for (const key of ['a', 'b']) await make(`${c}/attributes/integer`, { key, required: false })
	await until('attributes', async () => (await p.ok('GET', `${c}/attributes`)).attributes.every((a) => a.status === 'available'))
	for (const key of ['a', 'b']) await make(`${c}/indexes`, { key, type: 'key', attributes: [key] })
	for (const a of [1, 2]) await make(`${c}/documents`, { documentId: unique(), data: { a } })
	/* of the paths of 0.x: one database for all */
	const former = 'default', cf = unique('c')
	await make('/databases', { databaseId: former, name: 'D' })
	await make(`/databases/${former}/collections`, { collectionId: cf, name: 'C', permissions: [] })
	const runtime = await until('a runtime', async () => (await p.ok('GET', '/functions/runtimes')).runtimes[0]?.$id)
	for (const id of [functionId, unique('f')]) await make('/functions', { functionId: id, name: 'F', runtime, execute: [] })
	for (const key of ['A', 'B']) await make(`/functions/${functionId}/variables`, { key, value: 'x' })
	for (const id of [bucketId, unique('b')]) await make('/storage/buckets', { bucketId: id, name: 'B', permissions: [] })
	for (const name of ['one', 'two']) {
		const form = new FormData()
		form.append('fileId', unique())
		form.append('file', new Blob([name]), `${name}.txt`)
		const r = await fetch(`${p.endpoint}/storage/buckets/${bucketId}/files`, { method: 'POST', headers: { 'x-appwrite-project': p.id, 'x-appwrite-key': p.key }, body: form })
		assert.equal(r.status, 201, await r.text())
	}
	for (const u of [user, other]) assert.equal((await u.call('PUT', `/presences/${unique()}`, { headers: today, body: { status: 'on', permissions: ['read("users")'] } })).status, 200)
	for (const n of [1, 2]) {
		await admin('POST', '/project/variables', { variableId: unique(), key: `V${n}`, value: 'x' })
		await admin('POST', '/project/mock-phones', { number: `+1555000111${n}`, otp: '123456' })
		await p.console.ok('POST', `/projects/${p.id}/keys`, { body: { name: 'k', scopes: ['users.read'] } })
		await p.addPlatform({ name: `W${n}`, hostname: `w${n}.example.org` })
		await p.console.ok('POST', `/projects/${p.id}/webhooks`, { body: { name: 'w', events: ['users.*'], url: 'https://example.org', security: true } })
		await p.console.ok('POST', `/projects/${p.id}/dev-keys`, { headers: { 'x-appwrite-response-format': '1.8.0' }, body: { name: 'k', expire: new Date(Date.now() + 3600e3).toISOString() } })
		await p.console.ok('POST', '/account/keys', { headers: today, body: { keyId: unique(), name: 'k', scopes: ['account'] } })
		await p.console.ok('POST', '/organization/keys', { headers: { ...today, 'x-appwrite-organization': p.teamId }, body: { keyId: unique(), name: 'k', scopes: ['projects.read'] } })
	}
	await s.project()
	at = { userId: user.id, teamId: teams[0], databaseId, collectionId, tableId: collectionId, functionId, bucketId, projectId: p.id, former: cf }
	callers = { key: p.call, user: user.call, admin: p.admin, console: p.console.call,
		organization: (m, t, o) => p.console.call(m, t, { ...o, headers: { ...o.headers, 'x-appwrite-organization': p.teamId } }) }
})
after(() => s.stop())

/* Path of the list, who asks, and least members that it has here; "paged": it takes queries. */
const lists = `
/v1/account/identities user 2 paged
/v1/account/logs user 1 paged
/v1/users key 2 paged
/v1/users/identities key 2 paged
/v1/users/{userId}/logs key 1 paged
/v1/users/{userId}/memberships key 2 paged
/v1/users/{userId}/sessions key 2
/v1/users/{userId}/targets key 2 paged
/v1/teams key 2 paged
/v1/teams/{teamId}/logs key 0 paged
/v1/teams/{teamId}/memberships key 2 paged
/v1/databases key 2 paged
/v1/databases/{databaseId}/collections key 2 paged
/v1/databases/{databaseId}/collections/{collectionId}/attributes key 2 paged
/v1/databases/{databaseId}/collections/{collectionId}/indexes key 2 paged
/v1/databases/{databaseId}/collections/{collectionId}/documents key 2 paged
/v1/database/collections key 0 paged
/v1/database/collections/{collectionId}/attributes key 0 paged
/v1/database/collections/{collectionId}/indexes key 0 paged
/v1/database/collections/{collectionId}/documents key 0 paged
/v1/tablesdb key 2 paged
/v1/tablesdb/{databaseId}/tables key 2 paged
/v1/tablesdb/{databaseId}/tables/{tableId}/columns key 2 paged
/v1/tablesdb/{databaseId}/tables/{tableId}/indexes key 2 paged
/v1/tablesdb/{databaseId}/tables/{tableId}/rows key 2 paged
/v1/storage/buckets key 2 paged
/v1/storage/buckets/{bucketId}/files key 2 paged
/v1/functions key 2 paged
/v1/functions/{functionId}/deployments key 0 paged
/v1/functions/{functionId}/executions key 0 paged
/v1/functions/{functionId}/variables key 2
/v1/presences user 2 paged
/v1/project/keys admin 2 paged
/v1/project/mock-phones admin 2 paged
/v1/project/oauth2 admin 2 paged
/v1/project/platforms admin 2 paged
/v1/project/policies admin 2 paged
/v1/project/templates/email admin 0 paged
/v1/project/variables admin 2 paged
/v1/organization/projects organization 1 paged
/v1/organization/keys organization 2 paged
/v1/organization/memberships organization 1 paged
/v1/account/keys console 2 paged
/v1/projects console 2 paged
/v1/projects/{projectId}/dev-keys console 2 paged
/v1/projects/{projectId}/keys console 2 paged
/v1/projects/{projectId}/platforms console 2 paged
/v1/projects/{projectId}/schedules console 0 paged
/v1/projects/{projectId}/webhooks console 2 paged
/v1/webhooks admin 2 paged
/v1/messaging/topics key 0 paged
/v1/sites key 0 paged
/v1/proxy/rules key 0 paged
`.trim().split('\n').map((row) => row.split(' '))

const counted = async () => Number((await s.call('GET', '/metrics', { root: true })).text.match(/^badal_totals_counted_total (\d+)/m)[1])
const membersOf = (body) => Object.entries(body).find(([, v]) => Array.isArray(v))[1]
/* What changes by itself: when somebody was seen last. */
const plain = (members) => JSON.stringify(members, (k, v) => (k === 'accessedAt' || k === 'userAccessedAt' ? undefined : v))

test('the table has all lists that have the parameter', () => {
	assert.deepEqual(lists.map(([at]) => at).sort(), operations.map(([at]) => at).sort())
})

describe('total=false', () => {
	for (const [target, who, least, paged] of lists) test(target, async () => {
		const where = target.startsWith('/v1/database/') ? { ...at, collectionId: at.former } : at
		const ask = (query) => callers[who]('GET', target.replace(/\{(\w+)\}/g, (_, name) => where[name]), { headers: today, query })
		const good = async (query) => { const r = await ask(query); assert.equal(r.status, 200, r.text); return r.body }
		const whole = await good({}), n = membersOf(whole).length
		assert.ok(n >= Number(least), `${n} members`)
		assert.ok(whole.total >= n)
		for (const total of ['false', '0']) {
			const body = await good({ total })
			assert.equal(body.total, 0)
			assert.equal(plain(membersOf(body)), plain(membersOf(whole)))
		}
		for (const total of ['true', '1', '']) assert.equal((await good({ total })).total, whole.total)
		fails(await ask({ total: 'none' }), 400, 'general_argument_invalid')
		if (!paged) return
		assert.equal((await good({ queries: [json('limit', undefined, [20000])] })).total, whole.total)	/* a page that may be large has its bytes summed up */
		const one = await good({ queries: [first] }), before = await counted(), without = await good({ queries: [first], total: 'false' })
		assert.equal(one.total, whole.total)
		assert.equal(without.total, 0)
		assert.equal(plain(membersOf(without)), plain(membersOf(one)))
		assert.equal((await good({ queries: [first, json('offset', undefined, [1000])], total: 'false' })).total, 0)
		assert.equal(await counted(), before, 'nothing was counted')
	})
})
