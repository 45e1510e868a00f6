/* Who of a project's team may do what, on each route of the console's project API, and what secrets are shown to whom. And that people of the
 * console have no roles in a project but their rank. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { server, unique, until } from '../lib/server.mjs'
import { fails } from './lib.mjs'

let s
const url = 'https://example.org/hook', soon = () => new Date(Date.now() + 86400e3).toISOString()

before(async () => {
	s = await server()
})

/* Another team of the console, whose members have that rank: made by an owner who gives the rank to themselves and goes down to it. */
async function projectOf(rank) {
	const who = await s.user({ name: rank }), teamId = unique('t'), id = unique('p')
	await who.ok('POST', '/teams', { body: { teamId, name: rank } })
	await who.ok('POST', '/projects', { body: { projectId: id, name: rank, teamId } })
	const key = await who.ok('POST', `/projects/${id}/keys`, { body: { name: 'k', scopes: ['users.read'] } })
	const hook = await who.ok('POST', `/projects/${id}/webhooks`, { body: { name: 'w', events: ['users.*.create'], url, httpUser: 'u', httpPass: 'hush-hush' } })
	const platform = await who.ok('POST', `/projects/${id}/platforms`, { body: { type: 'web', name: 'w', hostname: 'a.example.org' } })
	const domain = await who.ok('POST', `/projects/${id}/domains`, { body: { domain: `${unique('d')}.example.org` } })
	await who.ok('PATCH', `/projects/${id}/oauth2`, { body: { provider: 'github', appId: 'app', secret: 'provider-secret' } })
	const dev = await who.ok('POST', `/projects/${id}/dev-keys`, { body: { name: 'd', expire: soon() }, headers: { 'x-appwrite-response-format': '1.8.0' } })
	const [m] = (await who.ok('GET', `/teams/${teamId}/memberships`)).memberships
	if (rank !== 'owner') await who.ok('PATCH', `/teams/${teamId}/memberships/${m.$id}`, { body: { roles: rank === 'reader' ? [] : [rank] } })
	return { who, id, teamId, key, hook, platform, domain, dev, secrets: [key.secret, hook.signatureKey, 'hush-hush', 'provider-secret'] }
}

const at = '/projects/{id}'
/* route, body, and who may: "c" owners and developers, "r" every member, "d" owners */
const table = [
	['POST', '/projects', (x) => ({ projectId: unique('p'), name: 'x', teamId: x.teamId }), 'c'],
	['GET', '/projects', null, 'r'],
	['GET', at, null, 'r'],
	['GET', `${at}/usage`, null, 'r'],
	['PATCH', at, () => ({ name: 'x' }), 'c'],
	['PATCH', `${at}/service`, () => ({ service: 'users', status: true }), 'c'],
	['PATCH', `${at}/oauth2`, () => ({ provider: 'gitlab', appId: 'a', secret: 's' }), 'c'],
	['PATCH', `${at}/auth/limit`, () => ({ limit: 0 }), 'c'],
	['PATCH', `${at}/auth/jwt`, () => ({ status: true }), 'c'],
	['PATCH', `${at}/service/all`, () => ({ status: true }), 'c'],
	['PATCH', `${at}/api`, () => ({ api: 'graphql', status: true }), 'c'],
	['PATCH', `${at}/api/all`, () => ({ status: true }), 'c'],
	['PATCH', `${at}/auth/duration`, () => ({ duration: 31536000 }), 'c'],
	['PATCH', `${at}/auth/max-sessions`, () => ({ limit: 10 }), 'c'],
	['PATCH', `${at}/auth/password-history`, () => ({ limit: 0 }), 'c'],
	['PATCH', `${at}/auth/password-dictionary`, () => ({ enabled: false }), 'c'],
	['PATCH', `${at}/auth/personal-data`, () => ({ enabled: false }), 'c'],
	['PATCH', `${at}/auth/session-alerts`, () => ({ alerts: false }), 'c'],
	['PATCH', `${at}/auth/session-invalidation`, () => ({ enabled: true }), 'c'],
	['PATCH', `${at}/auth/memberships-privacy`, () => ({ userName: true, userEmail: true, mfa: true }), 'c'],
	['PATCH', `${at}/auth/mock-numbers`, () => ({ numbers: [] }), 'c'],
	['PUT', `${at}/labels`, () => ({ labels: ['a'] }), 'c'],
	['PATCH', `${at}/console-access`, () => ({}), 'r'],
	['PATCH', `${at}/status`, () => ({ status: 'active' }), 'c'],
	['GET', `${at}/stages`, null, 'r'],
	['PATCH', `${at}/stages/key`, () => ({}), 'c'],
	['PATCH', `${at}/team`, (x) => ({ teamId: x.teamId }), 'd'],
	['PATCH', `${at}/smtp`, () => ({ enabled: false }), 'c'],
	['POST', `${at}/platforms`, () => ({ type: 'web', name: 'x', hostname: 'evil.example' }), 'c'],
	['GET', `${at}/platforms`, null, 'r'],
	['GET', `${at}/platforms/{platform}`, null, 'r'],
	['PUT', `${at}/platforms/{platform}`, () => ({ name: 'x', hostname: '*' }), 'c'],
	['POST', `${at}/keys`, () => ({ name: 'x', scopes: ['users.write'] }), 'c'],
	['GET', `${at}/keys`, null, 'r'],
	['GET', `${at}/keys/{key}`, null, 'r'],
	['PUT', `${at}/keys/{key}`, () => ({ name: 'x', scopes: ['users.write'] }), 'c'],
	['POST', `${at}/webhooks`, () => ({ name: 'x', events: ['users.*.create'], url }), 'c'],
	['GET', `${at}/webhooks`, null, 'r'],
	['GET', `${at}/webhooks/{hook}`, null, 'r'],
	['PUT', `${at}/webhooks/{hook}`, () => ({ name: 'x', events: [], url, httpUser: 'u', httpPass: 'hush-hush' }), 'c'],
	['POST', `${at}/domains`, () => ({ domain: `${unique('d')}.example.org` }), 'c'],
	['GET', `${at}/domains`, null, 'r'],
	['GET', `${at}/domains/{domain}`, null, 'r'],
	['PATCH', `${at}/domains/{domain}/verification`, () => ({}), 'c', 401],
	['PATCH', `${at}/webhooks/{hook}/signature`, () => ({}), 'c'],
	['GET', `${at}/webhooks/{hook}/deliveries`, null, 'r'],
	['POST', `${at}/webhooks/{hook}/deliveries`, () => ({}), 'c'],
	['POST', `${at}/jwts`, () => ({ scopes: [] }), 'c'],
	['POST', `${at}/dev-keys`, () => ({ name: 'x', expire: soon() }), 'c'],
	['GET', `${at}/dev-keys`, null, 'r'],
	['GET', `${at}/dev-keys/{dev}`, null, 'r'],
	['PUT', `${at}/dev-keys/{dev}`, () => ({ name: 'x', expire: soon() }), 'c'],
	['DELETE', `${at}/dev-keys/{dev}`, null, 'c'],
	['DELETE', `${at}/platforms/{platform}`, null, 'c'],
	['DELETE', `${at}/keys/{key}`, null, 'c'],
	['DELETE', `${at}/webhooks/{hook}`, null, 'c'],
	['DELETE', `${at}/domains/{domain}`, null, 'c'],
	['DELETE', at, (x) => ({ password: x.who.password }), 'd'],
]

describe('each route, by rank', () => {
	test('the table has all of them', async () => {
		const api = await s.ok('GET', '/openapi.json'), all = new Set(), besides = /\/templates\/|\/smtp\/tests$|\/schedules/	/* they need a mail server: mail-project.test.mjs; or functions: looks.test.mjs */
		for (const [route, ops] of Object.entries(api.paths))
			if (/^(\/v1)?\/projects(\/|$)/.test(route) && !besides.test(route)) for (const m of Object.keys(ops)) all.add(`${m.toUpperCase()} ${route.replace(/^\/v1/, '')}`)
		const have = new Set(table.map(([m, r]) => `${m} ${r.replace('{id}', '{projectId}').replace('/auth/jwt', '/auth/{method}').replace('/stages/key', '/stages/{stageId}').replace('{hook}', '{webhookId}').replace('{dev}', '{keyId}').replace(/\{(platform|key|domain)\}/, '{$1Id}')}`))
		assert.deepEqual([...have].sort(), [...all].sort())
	})

	for (const [rank, may] of Object.entries({ owner: 'rcd', developer: 'rc', admin: 'r', reader: 'r', stranger: '' })) {
		test(rank, async () => {
			const x = await projectOf(rank === 'stranger' ? 'owner' : rank), who = rank === 'stranger' ? await s.user() : x.who
			for (const [method, route, body, needs, own] of table) {
				const target = route.replace('{id}', x.id).replace('{platform}', x.platform.$id).replace('{key}', x.key.$id).replace('{hook}', x.hook.$id).replace('{dev}', x.dev.$id).replace('{domain}', x.domain.$id)
				const sent = body?.({ ...x, who }), r = await who.call(method, target, sent ? { body: sent } : {})
				const clear = x.secrets.filter((t) => r.text.includes(t))
				if (may.includes(needs)) {
					if (own) fails(r, own, 'domain_verification_failed')
					else assert.ok(r.status >= 200 && r.status < 300, `${method} ${target}: ${r.text}`)
				} else if (may === '' && target === '/projects' && method === 'GET') assert.equal(r.body.total, 0)
				else if (may === '') fails(r, 404, target === '/projects' ? 'team_not_found' : 'project_not_found')
				else fails(r, 401, 'user_unauthorized')
				if (!may.includes('c')) assert.deepEqual(clear, [], `${method} ${target} shows no secret`)
				else if (method === 'GET' && target === `/projects/${x.id}`) assert.equal(clear.length, 4)
			}
		})
	}
})

describe('people of the console in admin mode', () => {
	test('are what the best of their ranks is', async () => {
		const { who, id, teamId } = await projectOf('owner'), [m] = (await who.ok('GET', `/teams/${teamId}/memberships`)).memberships
		await who.ok('PATCH', `/teams/${teamId}/memberships/${m.$id}`, { body: { roles: ['owner', 'admin', 'developer'] } })
		const r = await s.call('DELETE', '/project', { project: id, mode: 'admin', cookie: who.cookie, headers: { 'x-appwrite-response-format': '1.9.5' } })
		assert.equal(r.status, 204, r.text)
	})

	test('may have a rank for one project of the team alone', async () => {
		const { who: owner, id, teamId } = await projectOf('owner'), [m] = (await owner.ok('GET', `/teams/${teamId}/memberships`)).memberships, other = `${id.slice(0, 20)}-2`
		const headers = { 'x-appwrite-response-format': '1.9.5' }
		for (const projectId of [other, `${id.slice(0, 20)}-3`]) await owner.ok('POST', '/projects', { body: { projectId, name: 'x', teamId } })
		const be = (...roles) => owner.ok('PATCH', `/teams/${teamId}/memberships/${m.$id}`, { body: { roles } })
		const admin = (method, project, target, body) => s.call(method, target, { project, mode: 'admin', cookie: owner.cookie, headers, body })
		const named = (project) => owner.call('PATCH', `/projects/${project}`, { headers, body: { name: 'y' } })
		/* an owner of the team goes down to it; there is nobody who could give more back */
		await be(`project-${id}-developer`, `project-${other}-owner`, `project-${id}-nobody`, 'project-owner', `project--${id}-owner`)
		for (const project of [id, other]) {
			assert.equal((await admin('GET', project, '/users')).status, 200)
			assert.equal((await named(project)).status, 200)
			assert.equal((await admin('GET', project, '/project')).status, 200)
		}
		assert.notEqual((await admin('GET', id, '/project/keys')).body.keys[0].secret, '')
		fails(await admin('DELETE', id, '/project'), 401, 'user_unauthorized')
		fails(await admin('GET', `${id.slice(0, 20)}-3`, '/users'), 401, 'general_unauthorized_scope')
		fails(await named(`${id.slice(0, 20)}-3`), 401, 'user_unauthorized')
		fails(await owner.call('POST', '/projects', { headers, body: { projectId: unique('p'), name: 'x', teamId } }), 401, 'user_unauthorized')
		fails(await owner.call('PUT', `/teams/${teamId}`, { headers, body: { name: 'y' } }), 401, 'user_unauthorized')
		assert.equal((await admin('DELETE', other, '/project')).status, 204)
	})

	test('have no roles in the project: a team of the same id there is another one', async () => {
		const x = await projectOf('reader'), ranked = await projectOf('developer')
		for (const [y, status] of [[x, 404], [ranked, 200]]) {
			const owner = y.who, secret = (await s.call('POST', `/projects/${y.id}/keys`, { project: 'console', cookie: owner.cookie, body: { name: 'k', scopes: ['teams.read'] } })).body.secret
			/* the project's users make a team of the id that the console's has, with what only it may read */
			const as = { project: y.id }, email = `${unique('m')}@example.org`, user = await s.user({ project: y.id, email })
			await user.ok('POST', '/teams', { body: { teamId: y.teamId, name: 'the same' } })
			const admin = (m, t, o = {}) => s.call(m, t, { ...as, mode: 'admin', cookie: owner.cookie, ...o })
			const r = await admin('GET', `/teams/${y.teamId}`)
			assert.equal(r.status, status, r.text)
			if (status === 404) {
				assert.equal((await admin('GET', '/teams')).body.total, 0)
				fails(await admin('PUT', `/teams/${y.teamId}`, { body: { name: 'mine' } }), 404, 'team_not_found')
				fails(await admin('DELETE', `/teams/${y.teamId}`), 404, 'team_not_found')
				assert.equal(secret, undefined)
			}
		}
	})

	test('read no documents by the ids of the console\'s teams, members and users', async () => {
		const who = await s.user(), teamId = unique('t'), id = unique('p')
		await who.ok('POST', '/teams', { body: { teamId, name: 'x' } })
		await who.ok('POST', '/projects', { body: { projectId: id, name: 'x', teamId } })
		const key = (await who.ok('POST', `/projects/${id}/keys`, { body: { name: 'k', scopes: ['databases.write', 'collections.write', 'collections.read', 'documents.write', 'documents.read'] } })).secret
		const [m] = (await who.ok('GET', `/teams/${teamId}/memberships`)).memberships, by = { project: id, key }
		await s.ok('POST', '/databases', { ...by, body: { databaseId: 'd', name: 'D' } })
		await s.ok('POST', '/databases/d/collections', { ...by, body: { collectionId: 'c', name: 'C', documentSecurity: true, permissions: ['create("users")'] } })
		await s.ok('POST', '/databases/d/collections/c/attributes/string', { ...by, body: { key: 't', size: 9, required: false } })
		await until('the attribute', async () => (await s.ok('GET', '/databases/d/collections/c/attributes/t', by)).status === 'available')
		const doc = (documentId, role) => s.ok('POST', '/databases/d/collections/c/documents', { ...by, body: { documentId, data: { t: 'x' }, permissions: [`read("${role}")`] } })
		for (const [n, role] of [`team:${teamId}`, `team:${teamId}/owner`, `member:${m.$id}`, `user:${who.id}`].entries()) await doc(`n${n}`, role)
		await doc('all', 'any')
		await who.ok('PATCH', `/teams/${teamId}/memberships/${m.$id}`, { body: { roles: [] } })
		const admin = { project: id, mode: 'admin', cookie: who.cookie }
		const seen = await s.ok('GET', '/databases/d/collections/c/documents', admin)
		assert.deepEqual(seen.documents.map((d) => d.$id), ['all'])
		/* nor do they leave documents to a user of the project who has their id */
		const made = await s.ok('POST', '/databases/d/collections/c/documents', { ...admin, body: { documentId: 'theirs', data: { t: 'x' } } })
		assert.deepEqual(made.$permissions, [])
	})
})
