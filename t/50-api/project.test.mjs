/* The project of today: /v1/project for its members and keys, the same settings below /v1/projects with the names of each format, and what they do at once. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'

import { server, unique } from '../lib/server.mjs'
import { fails } from './lib.mjs'

let s, p, q, owner, stranger
const psql = (of, sql) => execFileSync('psql', ['-h', join(of.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
const at = (version) => ({ 'x-appwrite-response-format': version })
const newest = at('2.3.0')
const scopes = ['project.read', 'project.write', 'project.policies.read', 'project.policies.write', 'project.oauth2.read', 'project.oauth2.write', 'mocks.read', 'mocks.write', 'users.read', 'users.write', 'sessions.write']

before(async () => {
	s = await server()
	p = await s.project({ scopes })
	q = await s.project({ scopes: ['users.read'] })
	owner = p.console
	stranger = await s.user({ name: 'Stranger' })
})
const get = (version = '2.3.0', of = p) => owner.ok('GET', `/projects/${of.id}`, { headers: at(version) })
const enabled = (list, id) => list.find((x) => x.$id === id).enabled

describe('the project in each format', () => {
	const flat = ['authEmailPassword', 'authLimit', 'description', 'serviceStatusForAccount', 'platforms', 'keys', 'webhooks', 'legalTaxId']
	const lists = ['authMethods', 'services', 'protocols'], kept = ['blocks', 'region', 'consoleAccessedAt', 'labels', 'status']	/* from nobody since 1.8.0, which consoles of today say */
	const rows = [	/* format, members that are there, members that are not */
		['1.0.0', [...flat, 'domains', 'providerAmazonAppid'], [...lists, 'authDuration', 'providers', 'oAuthProviders', 'pingCount', 'labels', 'status']],
		['1.3.0', [...flat, 'domains', 'providers', 'authDuration', 'authSessionsLimit', 'authPasswordHistory', 'authPasswordDictionary'], [...lists, 'providerAmazonAppid', 'authPersonalDataCheck']],
		['1.4.0', [...flat, 'providers', 'authPersonalDataCheck', 'serviceStatusForGraphql'], [...lists, 'domains', 'oAuthProviders']],
		['1.5.0', [...flat, 'oAuthProviders', 'authEmailOtp'], [...lists, 'providers', 'authMockNumbers', 'authSessionAlerts', 'authMembershipsUserName', 'pingCount', 'region']],
		['1.6.0', [...flat, 'authMockNumbers', 'authSessionAlerts', 'authMembershipsUserName', 'authMembershipsMfa', 'pingCount', 'pingedAt', 'region'], [...lists, 'authMembershipsUserId', 'labels', 'blocks']],
		['1.8.0', [...flat, 'authMembershipsUserName', 'authMembershipsMfa', 'authInvalidateSessions', 'pingCount', 'pingedAt', 'authDisposableEmails', 'authMembershipsUserAccessedAt', 'serviceStatusForAdvisor', ...kept], [...lists, 'protocolStatusForRest', 'authMembershipsUserId', 'authMembershipsUserPhone']],
		['1.9.1', [...flat, 'protocolStatusForRest', 'labels', 'status', 'authDisposableEmails'], [...lists, 'authMembershipsUserId']],
		['1.9.2', [...flat, 'authMembershipsUserId', 'authMembershipsUserPhone', 'authMembershipsUserAccessedAt'], [...lists, 'onboarding', 'wafEnabled']],
		['1.9.5', [...lists, ...kept, 'pingCount', 'pingedAt', 'onboarding', 'wafEnabled'], [...flat, 'oAuthProviders', 'authDuration', 'protocolStatusForRest']],
		['2.3.0', lists, [...flat, 'oAuthProviders', 'authMockNumbers']],
	]
	for (const [version, there, missing] of rows)
		test(version, async () => {
			const one = await get(version), list = (await owner.ok('GET', '/projects', { headers: at(version), query: { search: p.id } })).projects[0]
			for (const body of [one, list]) {
				for (const k of there) assert.ok(k in body, `${k} is missing`)
				for (const k of missing) assert.ok(!(k in body), `${k} is there`)
			}
		})

	test('lists of what can be switched, and providers', async () => {
		const now = await get()
		assert.deepEqual(now.authMethods.map((m) => m.$id), ['email-password', 'magic-url', 'email-otp', 'anonymous', 'invites', 'jwt', 'phone'])
		assert.deepEqual(now.services.map((m) => m.$id), ['account', 'avatars', 'databases', 'tablesdb', 'locale', 'health', 'project', 'storage', 'teams', 'users', 'vcs', 'sites', 'functions', 'proxy', 'graphql', 'migrations', 'messaging', 'advisor'])
		assert.deepEqual(now.protocols, ['rest', 'graphql', 'websocket'].map(($id) => ({ $id, enabled: true })))
		assert.ok([...now.authMethods, ...now.services].every((m) => m.enabled))
		assert.deepEqual([now.region, now.status, now.labels, now.pingCount, now.pingedAt, now.blocks, now.consoleAccessedAt, now.onboarding, now.wafEnabled], ['default', 'active', [], 0, '', [], '', {}, false])
		await owner.ok('PATCH', `/projects/${q.id}/oauth2`, { body: { provider: 'github', appId: 'app', secret: 's3cret' } })
		const [of13, of15] = [(await get('1.3.0', q)).providers, (await get('1.5.0', q)).oAuthProviders]
		assert.deepEqual(of13.find((x) => x.name === 'Github'), { name: 'Github', appId: 'app', secret: '', enabled: true })
		assert.deepEqual(of15.find((x) => x.key === 'github'), { key: 'github', name: 'Github', appId: 'app', secret: '', enabled: true })
		assert.equal(of15.find((x) => x.key === 'amazon').enabled, false)
	})

	test('what a new project has set depends on whether its maker knows of it', async () => {
		const made = async (version) => {
			const id = unique('p')
			await owner.ok('POST', '/projects', { headers: version ? at(version) : {}, body: { projectId: id, name: 'N', teamId: p.teamId } })
			const now = await owner.ok('GET', `/projects/${id}`, { headers: at('1.9.2') })
			return [now.authSessionsLimit, now.authInvalidateSessions, now.authMembershipsUserName, now.authMembershipsUserEmail, now.authMembershipsUserId, now.authMembershipsMfa, now.authMembershipsUserPhone]
		}
		assert.deepEqual(await made(), [0, false, true, true, true, true, false])
		assert.deepEqual(await made('1.6.0'), [0, false, true, true, true, true, false])
		assert.deepEqual(await made('1.6.1'), [10, true, false, false, false, false, false])
		assert.deepEqual(await made('2.3.0'), [10, true, false, false, false, false, false])
	})
})

/* id, bodies that are taken with what the policy says then, bodies that are not, the former path and its rows: format, body, what the policy says */
const policies = [
	['password-dictionary', [[{ enabled: true }, { enabled: true }], [{ enabled: false }, { enabled: false }]], [{}, { enabled: 1 }, { enabled: null }], 'password-dictionary',
		[['1.3.0', { enabled: true }, { enabled: true }], ['1.8.0', {}, { enabled: false }], [undefined, { enabled: true }, { enabled: true }]]],
	['password-history', [[{ total: 20 }, { total: 20 }], [{ total: null }, { total: 0 }]], [{}, { total: 0 }, { total: 21 }, { total: 'x' }, { limit: 3 }], 'password-history',
		[['1.8.0', { limit: 5 }, { total: 5 }], ['1.8.0', { limit: 0 }, { total: 0 }], ['1.9.2', { total: 4 }, { total: 4 }], ['1.9.2', { total: null }, { total: 0 }], [undefined, { total: 3 }, { total: 3 }], ['1.8.0', {}, { total: 0 }]]],
	['password-strength', [[{ min: 12, uppercase: true, symbols: true }, { min: 12, uppercase: true, lowercase: false, number: false, symbols: true }], [{ number: true }, { min: 12, uppercase: true, lowercase: false, number: true, symbols: true }],
		[{ min: 8, uppercase: false, number: false, symbols: false }, { min: 8, uppercase: false, lowercase: false, number: false, symbols: false }]], [{ min: 7 }, { min: 257 }, { uppercase: 'x' }]],
	['password-personal-data', [[{ enabled: true }, { enabled: true }], [{ enabled: false }, { enabled: false }]], [{}], 'personal-data', [['1.4.0', { enabled: true }, { enabled: true }], ['1.9.5', { enabled: false }, { enabled: false }]]],
	['session-alert', [[{ enabled: true }, { enabled: true }], [{ enabled: false }, { enabled: false }]], [{}, { alerts: true }], 'session-alerts',
		[['1.8.0', { alerts: true }, { enabled: true }], ['1.8.0', { alerts: 'false' }, { enabled: false }], ['1.9.2', { enabled: true }, { enabled: true }], ['1.8.0', {}, { enabled: false }]]],
	['session-duration', [[{ duration: 60 }, { duration: 60 }], [{ duration: 31536000 }, { duration: 31536000 }]], [{}, { duration: 59 }, { duration: 31536001 }, { duration: null }], 'duration',
		[['1.1.0', { duration: 3600 }, { duration: 3600 }], ['1.8.0', {}, { duration: 31536000 }]]],
	['session-invalidation', [[{ enabled: true }, { enabled: true }], [{ enabled: false }, { enabled: false }]], [{}], 'session-invalidation', [['1.8.0', { enabled: true }, { enabled: true }]]],
	['session-limit', [[{ total: 1 }, { total: 1 }], [{ total: 100 }, { total: 100 }]], [{}, { total: 0 }, { total: 101 }, { total: null }], 'max-sessions',
		[['1.8.0', { limit: 7 }, { total: 7 }], ['1.9.2', { total: 8 }, { total: 8 }]]],
	['user-limit', [[{ total: 5 }, { total: 5 }], [{ total: null }, { total: 0 }]], [{}, { total: -1 }, { total: 10001 }], 'limit',
		[['1.0.0', { limit: 9 }, { total: 9 }], [undefined, { limit: 0 }, { total: 0 }], ['1.9.2', { total: 10 }, { total: 10 }], ['1.9.2', { total: null }, { total: 0 }]]],
	['membership-privacy', [[{ userId: true, userEmail: true, userPhone: true, userName: true, userMFA: true, userAccessedAt: true }, { userId: true, userEmail: true, userPhone: true, userName: true, userMFA: true, userAccessedAt: true }],
		[{ userEmail: false }, { userId: true, userEmail: false, userPhone: true, userName: true, userMFA: true, userAccessedAt: true }]], [{ userId: 'x' }], 'memberships-privacy',
	[['1.8.0', { userName: true, userEmail: true, mfa: false }, { userId: false, userEmail: true, userPhone: false, userName: true, userMFA: false, userAccessedAt: true }],
		['1.8.0', {}, { userId: false, userEmail: true, userPhone: false, userName: true, userMFA: true, userAccessedAt: true }],
		['1.9.2', { userMFA: false, userPhone: true }, { userId: false, userEmail: true, userPhone: true, userName: true, userMFA: false, userAccessedAt: true }]]],
	['mfa-factors', [[{ custom: true, phone: false }, { totp: true, email: true, phone: false, custom: true }], [{ custom: false, phone: true }, { totp: true, email: true, phone: true, custom: false }]], [{ totp: 'x' }]],
]

describe('policies', () => {
	const look = (id) => p.ok('GET', `/project/policies/${id}`)
	for (const [id, good, bad, former, formerly] of policies) {
		test(id, async () => {
			for (const [body, says] of good) {
				const r = await p.ok('PATCH', `/project/policies/${id}`, { body })
				assert.equal(r.$id, id === 'password-strength' ? id : p.id)
				assert.deepEqual(await look(id), { $id: id, ...says })
			}
			const was = await look(id)
			for (const body of bad) fails(await p.call('PATCH', `/project/policies/${id}`, { body }), 400, 'general_argument_invalid')
			assert.deepEqual(await look(id), was)
			assert.deepEqual((await p.admin('PATCH', `/project/policies/${id}`, { body: good[0][0] })).status, 200)
			assert.deepEqual(await look(id), { $id: id, ...good[0][1] })
			for (const who of [q.call, p.guest]) fails(await who('PATCH', `/project/policies/${id}`, { body: good[0][0] }), 401, 'general_unauthorized_scope')
		})
		if (former)
			test(`${id}, formerly ${former}`, async () => {
				const path = `/projects/${p.id}/auth/${former}`
				for (const [version, body, says] of formerly) {
					await owner.ok('PATCH', path, { headers: version ? at(version) : {}, body })
					assert.deepEqual(await look(id), { $id: id, ...says }, `${version} ${JSON.stringify(body)}`)
				}
				fails(await stranger.call('PATCH', path, { headers: at(formerly[0][0] ?? '1.8.0'), body: formerly[0][1] }), 404, 'project_not_found')
				fails(await p.call('PATCH', path, { headers: at('1.8.0'), body: formerly[0][1] }), 401, 'general_unauthorized_scope')
			})
	}
	for (const what of ['aliased', 'corporate', 'disposable', 'free'])
		test(`deny-${what}-email`, async () => {
			const path = `/project/policies/deny-${what}-email`, member = { aliased: 'Canonical', corporate: 'Corporate', disposable: 'Disposable', free: 'Free' }[what]
			for (const on of [true, false]) {
				await p.ok('PATCH', path, { body: { enabled: on } })
				assert.equal((await get('1.9.2'))[`auth${member}Emails`], on)
			}
			fails(await p.call('PATCH', path, { body: {} }), 400, 'general_argument_invalid')
		})
	test('all of them, some of them', async () => {
		const all = await p.ok('GET', '/project/policies')
		assert.equal(all.total, 10)	/* typed clients know no list with the factors */
		assert.deepEqual(all.policies.map((x) => x.$id), policies.map(([id]) => id).filter((id) => id !== 'mfa-factors').sort((a, b) => all.policies.findIndex((x) => x.$id === a) - all.policies.findIndex((x) => x.$id === b)))
		const page = await p.ok('GET', '/project/policies', { query: { queries: ['{"method":"limit","values":[2]}', '{"method":"offset","values":[3]}'], total: 'false' } })
		assert.deepEqual([page.total, page.policies.map((x) => x.$id)], [0, all.policies.slice(3, 5).map((x) => x.$id)])
		assert.deepEqual((await p.ok('GET', '/project/policies', { query: { queries: ['{"method":"offset","values":[10]}'] } })).policies, [])
		fails(await p.call('GET', '/project/policies', { query: { queries: ['{"method":"orderAsc","attribute":"$id"}'] } }), 400, 'general_argument_invalid')
		fails(await p.call('GET', '/project/policies/nothing'), 400, 'general_argument_invalid')
		fails(await q.call('GET', '/project/policies'), 401, 'general_unauthorized_scope')
		fails(await q.call('GET', '/project/policies/user-limit'), 401, 'general_unauthorized_scope')
	})
	test('the console has none', async () => {
		fails(await s.call('GET', '/project', { project: 'console', cookie: owner.cookie }), 401, 'general_unauthorized_scope')
		fails(await s.call('GET', '/project/policies', { project: 'console', cookie: owner.cookie, mode: 'admin' }), 401, 'general_unauthorized_scope')
	})
})

describe('switches', () => {
	test('a service', async () => {
		const r = await s.project({ scopes }), off = await r.ok('PATCH', '/project/services/users', { body: { enabled: false } })
		assert.equal(enabled(off.services, 'users'), false)
		fails(await r.guest('GET', '/users', { headers: newest }), 403, 'general_service_disabled')
		fails(await r.guest('GET', '/users'), 503, 'general_service_disabled')
		for (const who of [r.call, r.admin]) assert.equal((await who('GET', '/users')).status, 200)
		assert.equal(enabled((await r.ok('PATCH', '/project/services/users/status', { body: { enabled: true } })).services, 'users'), true)
		for (const [id, body] of [['nothing', { enabled: true }], ['users', {}], ['users', { enabled: 'x' }], ['users', { status: true }]])
			fails(await r.call('PATCH', `/project/services/${id}`, { body }), 400, 'general_argument_invalid')
		fails(await q.call('PATCH', '/project/services/users', { body: { enabled: true } }), 401, 'general_unauthorized_scope')
		/* by the former path, in the words of each format */
		const path = `/projects/${r.id}/service`
		assert.equal((await owner.ok('PATCH', path, { headers: at('1.8.0'), body: { service: 'graphql', status: false } })).serviceStatusForGraphql, false)
		assert.equal(enabled((await owner.ok('PATCH', path, { headers: newest, body: { serviceId: 'graphql', enabled: true } })).services, 'graphql'), true)
		fails(await owner.call('PATCH', path, { headers: newest, body: { serviceId: 'nothing', enabled: true } }), 400, 'general_argument_invalid')
		const all = await owner.ok('PATCH', `${path}/all`, { headers: at('1.8.0'), body: { status: false } })
		assert.ok(Object.keys(all).filter((k) => k.startsWith('serviceStatusFor')).every((k) => all[k] === false))
		assert.ok((await owner.ok('PATCH', `${path}/all`, { headers: newest, body: { status: true } })).services.every((x) => x.enabled))
		fails(await owner.call('PATCH', `${path}/all`, { headers: at('1.8.0'), body: {} }), 400, 'general_argument_invalid')
	})

	test('a way to sign in', async () => {
		const r = await s.project({ scopes }), body = { email: 'a@example.org', password: 'password-1' }
		await r.ok('POST', '/users', { body: { userId: 'a', ...body } })
		const off = await r.ok('PATCH', '/project/auth-methods/email-password', { body: { enabled: false } })
		assert.equal(enabled(off.authMethods, 'email-password'), false)
		fails(await r.guest('POST', '/account/sessions/email', { body }), 501, 'user_auth_method_unsupported')
		assert.equal((await r.call('POST', '/account/sessions/email', { body })).status, 201)
		const path = (m) => `/projects/${r.id}/auth/${m}`
		assert.equal((await owner.ok('PATCH', path('email-password'), { headers: at('1.8.0'), body: { status: true } })).authEmailPassword, true)
		assert.equal(enabled((await owner.ok('PATCH', path('email-otp'), { headers: newest, body: { enabled: false } })).authMethods, 'email-otp'), false)
		/* each of them is off when it is switched off */
		const cookie = (await r.user()).cookie, form = { userId: 'unique()', email: 'b@example.org', phone: '+15550001111', secret: 'x' }
		for (const [id, ...routes] of [['magic-url', ['POST', '/account/sessions/magic-url'], ['PUT', '/account/sessions/magic-url'], ['POST', '/account/tokens/magic-url']], ['email-otp', ['POST', '/account/tokens/email']],
			['phone', ['POST', '/account/sessions/phone'], ['PUT', '/account/sessions/phone'], ['POST', '/account/tokens/phone'], ['POST', '/account/verification/phone']], ['anonymous', ['POST', '/account/sessions/anonymous']], ['jwt', ['POST', '/account/jwt']]]) {
			await r.ok('PATCH', `/project/auth-methods/${id}`, { body: { enabled: false } })
			for (const [m, target] of routes) fails(await r.guest(m, target, { body: form, ...(/jwt|verification/.test(target) ? { cookie } : {}) }), 501, 'user_auth_method_unsupported')
		}
		for (const [id, b] of [['nothing', { enabled: true }], ['phone', {}]]) fails(await r.call('PATCH', `/project/auth-methods/${id}`, { body: b }), 400, 'general_argument_invalid')
		fails(await q.call('PATCH', '/project/auth-methods/phone', { body: { enabled: true } }), 401, 'general_unauthorized_scope')
	})

	test('a protocol', async () => {
		const r = await s.project({ scopes }), is = (body, id) => enabled(body.protocols, id)
		assert.equal(is(await r.ok('PATCH', '/project/protocols/graphql', { body: { enabled: false } }), 'graphql'), false)
		const path = `/projects/${r.id}/api`
		assert.equal((await owner.ok('PATCH', path, { headers: at('1.9.1'), body: { protocolId: 'graphql', enabled: true } })).protocolStatusForGraphql, true)
		await owner.ok('PATCH', path, { headers: at('1.8.0'), body: { api: 'realtime', status: false } })
		assert.equal(is(await get('2.3.0', r), 'websocket'), false)
		assert.deepEqual((await owner.ok('PATCH', `${path}/all`, { headers: newest, body: { status: true } })).protocols.map((x) => x.enabled), [true, true, true])
		for (const [id, body] of [['nothing', { enabled: true }], ['realtime', { enabled: true }], ['rest', {}]]) fails(await r.call('PATCH', `/project/protocols/${id}`, { body }), 400, 'general_argument_invalid')
		fails(await owner.call('PATCH', path, { headers: at('1.8.0'), body: { api: 'smoke', status: true } }), 400, 'general_argument_invalid')
		fails(await owner.call('PATCH', `${path}/all`, { headers: at('1.8.0'), body: {} }), 400, 'general_argument_invalid')
		fails(await q.call('PATCH', '/project/protocols/rest', { body: { enabled: true } }), 401, 'general_unauthorized_scope')
	})
})

describe('REST that is switched off', () => {
	test('is for keys and members of the team alone', async () => {
		const r = await s.project({ scopes }), u = await r.user()
		await r.ok('PATCH', '/project/protocols/rest', { body: { enabled: false } })
		for (const who of [r.guest, u.call]) fails(await who('GET', '/account'), 403, 'general_api_disabled')
		for (const who of [r.call, r.admin]) assert.equal((await who('GET', '/users')).status, 200)
		await r.ok('PATCH', '/project/protocols/rest', { body: { enabled: true } })
		assert.equal((await u.call('GET', '/account')).status, 200)
	})
})

describe('phone numbers with a code of their own', () => {
	const path = '/project/mock-phones', one = { number: '+15550001111', otp: '123456' }
	test('life', async () => {
		const made = await p.ok('POST', path, { body: one, status: 201 })
		assert.deepEqual(Object.keys(made), ['number', 'otp', '$createdAt', '$updatedAt'])
		assert.deepEqual([made.number, made.otp], [one.number, one.otp])
		fails(await p.call('POST', path, { body: one }), 409, 'mock_number_already_exists')
		for (const number of ['+15550001111', '15550001111', '%2B15550001111']) assert.deepEqual(await p.ok('GET', `${path}/${number}`), made)
		await p.ok('POST', path, { body: { number: '+15550002222', otp: '000000' } })
		const list = await p.ok('GET', path)
		assert.deepEqual([list.total, list.mockNumbers.map((m) => m.number)], [2, [one.number, '+15550002222']])
		assert.deepEqual((await p.ok('GET', path, { query: { queries: ['{"method":"limit","values":[1]}', '{"method":"offset","values":[1]}'], total: 'false' } })), { total: 0, mockNumbers: [list.mockNumbers[1]] })
		assert.equal((await p.ok('PUT', `${path}/15550001111`, { body: { otp: '654321' } })).otp, '654321')
		assert.equal((await p.ok('GET', `${path}/${one.number}`)).otp, '654321')
		for (const n of [one.number, '+15550002222']) assert.equal((await p.call('DELETE', `${path}/${n}`)).status, 204)
		for (const [m, body] of [['GET'], ['DELETE'], ['PUT', { otp: '111111' }]]) fails(await p.call(m, `${path}/${one.number}`, { body }), 404, 'mock_number_not_found')
	})
	test('what is refused', async () => {
		for (const bad of [{ number: undefined }, { number: '5550' }, { number: '+0' }, { otp: undefined }, { otp: '12345' }, { otp: '1234567' }, { otp: '12345a' }, { otp: 123456 }])
			fails(await p.call('POST', path, { body: { ...one, ...bad } }), 400, 'general_argument_invalid')
		for (const m of ['GET', 'DELETE', 'PUT']) fails(await p.call(m, `${path}/nothing`, { body: m === 'PUT' ? { otp: '111111' } : undefined }), 400, 'general_argument_invalid')
		fails(await p.call('PUT', `${path}/15550001111`, { body: { otp: 'x' } }), 400, 'general_argument_invalid')
		for (const [m, tail] of [['GET', ''], ['POST', ''], ['GET', '/+15550001111'], ['PUT', '/+15550001111'], ['DELETE', '/+15550001111']])
			fails(await q.call(m, path + tail, { body: m === 'GET' ? undefined : one }), 401, 'general_unauthorized_scope')
	})
	test('one is made once, by however many', async () => {
		const rs = await Promise.all([1, 2, 3, 4].map(() => p.call('POST', path, { body: { number: '+15550003333', otp: '111111' } })))
		assert.deepEqual(rs.map((r) => r.status).sort(), [201, 409, 409, 409])
		await p.ok('DELETE', `${path}/+15550003333`)
	})
	test('as clients before 1.9.5 know them', async () => {
		const r = await s.project({ scopes }), headers = at('1.8.0'), set = (numbers, who = owner) => who.call('PATCH', `/projects/${r.id}/auth/mock-numbers`, { headers, body: { numbers } })
		await r.ok('POST', path, { body: one })
		const now = await set([{ phone: '+15550004444', otp: '444444' }, { phone: '+15550005555', otp: '555555' }])
		assert.deepEqual(now.body.authMockNumbers, [{ phone: '+15550004444', otp: '444444' }, { phone: '+15550005555', otp: '555555' }])
		assert.deepEqual((await r.ok('GET', path)).mockNumbers.map((m) => m.number), ['+15550004444', '+15550005555'])
		for (const bad of [undefined, 'x', [{ phone: '+15550004444' }], [{ phone: 'x', otp: '444444' }], [{ phone: '+15550004444', otp: '4' }], Array.from({ length: 11 }, (_, i) => ({ phone: `+1555000${1000 + i}`, otp: '111111' })),
			[{ phone: '+15550004444', otp: '444444' }, { phone: '+15550004444', otp: '444444' }]]) fails(await set(bad), 400, 'general_argument_invalid')
		fails(await set([], stranger), 404, 'project_not_found')
		assert.deepEqual((await set([])).body.authMockNumbers, [])
		/* keys see a project, but not the codes */
		await set([{ phone: '+15550004444', otp: '444444' }])
		assert.deepEqual((await r.ok('GET', '/project', { headers })).authMockNumbers, [])
	})
	test('there is a bound', async () => {
		const own = await server({ own: true }), r = await own.project({ scopes })
		psql(own, `INSERT INTO badal.mock_numbers (project, id, otp, created, updated) SELECT internal, '+1555' || (1000000 + i), '111111', now(), now() FROM badal.projects, generate_series(1, 5000) i WHERE id = '${r.id}'`)
		fails(await r.call('POST', path, { body: one }), 400, 'mock_number_limit_exceeded')
		await own.stop()
	})
})

describe('apps at providers of OAuth2', () => {
	const path = '/project/oauth2', look = (id) => p.ok('GET', `${path}/${id}`)
	/* provider, what is set, what is shown then */
	const rows = [
		['github', { clientId: 'app', clientSecret: 'hidden-1' }, { clientId: 'app', clientSecret: '' }],
		['dropbox', { appKey: 'k', appSecret: 'hidden-1' }, { appKey: 'k', appSecret: '' }],
		['paypalSandbox', { clientId: 'c', secretKey: 'hidden-1' }, { clientId: 'c', secretKey: '' }],
		['tradeshiftBox', { oauth2ClientId: 'c', oauth2ClientSecret: 'hidden-1' }, { oauth2ClientId: 'c', oauth2ClientSecret: '' }],
		['apple', { serviceId: 's', keyId: 'k', teamId: 't', p8File: 'hidden-1' }, { serviceId: 's', keyId: 'k', teamId: 't', p8File: '' }],
		['auth0', { clientId: 'c', clientSecret: 'hidden-1', endpoint: 'https://x.auth0.com/' }, { clientId: 'c', clientSecret: '', endpoint: 'x.auth0.com' }],
		['gitlab', { applicationId: 'c', secret: 'hidden-1', endpoint: 'https://git.example.org' }, { applicationId: 'c', secret: '', endpoint: 'https://git.example.org' }],
		['google', { clientId: 'c', clientSecret: 'hidden-1', prompt: ['consent', 'select_account'] }, { clientId: 'c', clientSecret: '', prompt: ['consent', 'select_account'] }],
		['keycloak', { clientId: 'c', clientSecret: 'hidden-1', endpoint: 'kc.example.org', realmName: 'r' }, { clientId: 'c', clientSecret: '', endpoint: 'kc.example.org', realmName: 'r' }],
		['microsoft', { applicationId: 'c', applicationSecret: 'hidden-1', tenant: 'common' }, { applicationId: 'c', applicationSecret: '', tenant: 'common' }],
		['oidc', { clientId: 'c', clientSecret: 'hidden-1', authorizationURL: 'https://id.example.org/a', tokenURL: 'https://id.example.org/t', userInfoURL: 'https://id.example.org/u', prompt: ['login'], maxAge: 60 },
			{ clientId: 'c', clientSecret: '', wellKnownURL: '', authorizationURL: 'https://id.example.org/a', tokenURL: 'https://id.example.org/t', userInfoURL: 'https://id.example.org/u', prompt: ['login'], maxAge: 60 }],
		['okta', { clientId: 'c', clientSecret: 'hidden-1', domain: 'o.okta.com', authorizationServerId: 'srv' }, { clientId: 'c', clientSecret: '', domain: 'o.okta.com', authorizationServerId: 'srv' }],
	]
	for (const [provider, body, shown] of rows)
		test(provider, async () => {
			const r = await p.call('PATCH', `${path}/${provider}`, { body })
			assert.equal(r.status, 200, r.text)
			assert.deepEqual(r.body, { $id: provider, enabled: false, ...shown })
			assert.ok(!r.text.includes('hidden-1'))
			assert.equal((await p.ok('PATCH', `${path}/${provider}`, { body: { enabled: true } })).enabled, true)
			assert.deepEqual(await look(provider), { $id: provider, enabled: true, ...shown })
		})
	test('of OpenID Connect two members were called otherwise up to 1.9.3', async () => {
		const r = await s.project({ scopes }), path = '/project/oauth2/oidc', was = { tokenUrl: 'https://id.example.org/t', userInfoUrl: 'https://id.example.org/u' }, is = { tokenURL: was.tokenUrl, userInfoURL: was.userInfoUrl }
		const body = async (version, more = {}) => { const a = await r.call(more.body ? 'PATCH' : 'GET', path, { headers: at(version), ...more }); assert.equal(a.status, 200, a.text); return a.body }
		const some = ({ tokenURL, userInfoURL, tokenUrl, userInfoUrl }) => JSON.parse(JSON.stringify({ tokenURL, userInfoURL, tokenUrl, userInfoUrl }))
		assert.deepEqual(some(await body('1.8.0', { body: was })), was)
		for (const [version, like] of [['1.8.0', was], ['1.9.3', was], ['1.9.4', is], ['2.3.0', is]]) assert.deepEqual(some(await body(version)), like)
		assert.deepEqual(some((await r.call('GET', '/project/oauth2', { headers: at('1.9.2'), query: { queries: ['{"method":"limit","values":[100]}'] } })).body.providers.find((x) => x.$id === 'oidc')), was)
	})
	test('users are sent there, when it is on', async () => {
		const start = (provider, of = p) => of.guest('GET', `/account/sessions/oauth2/${provider}`, { query: { project: of.id } })
		const google = await start('google'), oidc = await start('oidc'), kc = await start('keycloak')
		assert.deepEqual([google.status, oidc.status, kc.status], [301, 301, 301])
		const [g, o] = [new URL(google.headers.location), new URL(oidc.headers.location)]
		assert.deepEqual([g.searchParams.get('client_id'), g.searchParams.get('prompt')], ['c', 'consent select_account'])
		assert.deepEqual([o.origin + o.pathname, o.searchParams.get('prompt'), o.searchParams.get('max_age')], ['https://id.example.org/a', 'login', '60'])
		assert.ok(kc.headers.location.startsWith('https://kc.example.org/realms/r/protocol/openid-connect/auth?'))
		/* what is kept of a project is all its own: others come and go between */
		for (let i = 0; i < 20; i++) {
			await Promise.all([p.ok('GET', '/project'), q.call('GET', '/users')])
			assert.deepEqual((await Promise.all(['google', 'oidc', 'keycloak', 'okta'].map((x) => start(x)))).map((r) => r.status), [301, 301, 301, 301])
		}
		await p.ok('PATCH', `${path}/google`, { body: { enabled: false } })
		assert.equal((await start('google')).status, 412)
		await p.ok('PATCH', `${path}/google`, { body: { enabled: true } })
		assert.equal((await start('google')).status, 301)
	})
	test('what is not given stays; an empty text empties', async () => {
		await p.ok('PATCH', `${path}/gitlab`, { body: { applicationId: 'd', secret: null } })
		assert.deepEqual(await look('gitlab'), { $id: 'gitlab', enabled: true, applicationId: 'd', secret: '', endpoint: 'https://git.example.org' })
		await p.ok('PATCH', `${path}/gitlab`, { body: { endpoint: '' } })
		assert.equal((await look('gitlab')).endpoint, '')
		await p.ok('PATCH', `${path}/gitlab`, { body: { applicationId: '' } })
		assert.equal((await look('gitlab')).enabled, false)
	})
	test('the secret goes nowhere but where it was told for', async () => {
		const names = { auth0: 'endpoint', gitlab: 'endpoint', keycloak: 'endpoint', okta: 'domain', oidc: 'tokenURL' }, secrets = { gitlab: 'secret' }
		for (const [provider, name] of Object.entries(names)) {
			const set = (body) => p.call('PATCH', `${path}/${provider}`, { body }), secret = secrets[provider] ?? 'clientSecret', was = await look(provider)
			for (const more of [{}, { [secret]: null }]) fails(await set({ [name]: 'https://evil.example/t', ...more }), 400, 'general_argument_invalid')
			assert.deepEqual(await look(provider), was)
			assert.equal((await set({ [name]: was[name] || null })).status, 200)
			assert.equal((await set({ [name]: 'https://other.example/t', [secret]: 'hidden-1' })).status, 200)
		}
		for (const name of ['wellKnownURL', 'tokenUrl', 'userInfoURL', 'authorizationURL']) fails(await p.call('PATCH', `${path}/oidc`, { body: { [name]: 'https://evil.example/' } }), 400, 'general_argument_invalid')
		/* where there is none yet, none is lost */
		const r = await s.project({ scopes })
		assert.equal((await r.call('PATCH', `${path}/oidc`, { body: { tokenURL: 'https://id.example.org/t' } })).status, 200)
		assert.equal((await r.call('PATCH', `${path}/oidc`, { body: { clientSecret: 'hidden-1' } })).status, 200)
		fails(await r.call('PATCH', `${path}/oidc`, { body: { tokenURL: 'https://evil.example/t' } }), 400, 'general_argument_invalid')
		await owner.ok('PATCH', `/projects/${r.id}/oauth2`, { body: { provider: 'gitlab', appId: 'a', secret: 'as-it-was-once' } })
		fails(await r.call('PATCH', `${path}/gitlab`, { body: { endpoint: 'https://evil.example' } }), 400, 'general_argument_invalid')
	})
	test('changes at the same time are all there', async () => {
		await Promise.all([{ authorizationURL: 'https://a.example.org/1' }, { tokenURL: 'https://a.example.org/2' }, { userInfoURL: 'https://a.example.org/3' }, { clientId: 'many' }].map((body) => p.ok('PATCH', `${path}/oidc`, { body: { clientSecret: 'hidden-1', ...body } })))
		const now = await look('oidc')
		assert.deepEqual([now.authorizationURL, now.tokenURL, now.userInfoURL, now.clientId], ['https://a.example.org/1', 'https://a.example.org/2', 'https://a.example.org/3', 'many'])
	})
	test('all of them, some of them, and what is refused', async () => {
		const all = await p.ok('GET', path)
		assert.equal(all.total, all.providers.length)
		assert.ok(all.total >= 42 && !JSON.stringify(all).includes('hidden-1'))
		assert.equal(new Set(all.providers.map((x) => x.$id)).size, all.total)
		const page = await p.ok('GET', path, { query: { queries: ['{"method":"limit","values":[2]}'], total: 'false' } })
		assert.deepEqual([page.total, page.providers.length], [0, 2])
		for (const [provider, body] of [['nothing', {}], ['github', { enabled: 'x' }], ['github', { clientId: 'x'.repeat(257) }], ['github', { clientSecret: 'x'.repeat(513) }], ['gitlab', { endpoint: 'nowhere' }], ['google', { prompt: ['login'] }], ['oidc', { maxAge: -1 }]])
			fails(await p.call('PATCH', `${path}/${provider}`, { body }), 400, 'general_argument_invalid')
		fails(await p.call('GET', `${path}/nothing`), 400, 'general_argument_invalid')
		fails(await p.call('GET', path, { query: { queries: ['{"method":"orderAsc","attribute":"$id"}'] } }), 400, 'general_argument_invalid')
		for (const [m, tail] of [['GET', ''], ['GET', '/github'], ['PATCH', '/github']]) fails(await q.call(m, path + tail, { body: m === 'GET' ? undefined : {} }), 401, 'general_unauthorized_scope')
	})
	test('as former clients set them', async () => {
		const r = await s.project({ scopes }), set = (version, body) => owner.ok('PATCH', `/projects/${r.id}/oauth2`, { headers: at(version), body: { provider: 'github', ...body } }), one = (v) => v.oAuthProviders.find((x) => x.key === 'github')
		assert.deepEqual([one(await set('1.8.0', { appId: 'a', secret: 's' })).enabled, one(await set('1.8.0', { enabled: true })).enabled], [false, true])
		assert.deepEqual(one(await set('1.8.0', { secret: 't' })), { key: 'github', name: 'Github', appId: 'a', secret: '', enabled: true })
		const old = await set('1.0.0', { appId: 'b' })
		assert.deepEqual([old.providerGithubAppid, old.providerGithubSecret], ['b', ''])
	})
})

describe('labels and team', () => {
	test('labels', async () => {
		assert.deepEqual((await p.ok('PUT', '/project/labels', { body: { labels: ['b', 'a1', 'b'] } })).labels, ['b', 'a1'])
		assert.deepEqual((await owner.ok('PUT', `/projects/${p.id}/labels`, { headers: newest, body: { labels: ['c'] } })).labels, ['c'])
		for (const labels of [undefined, ['a b'], ['x'.repeat(37)], 'a', Array.from({ length: 1001 }, (_, i) => `l${i}`)])
			fails(await p.call('PUT', '/project/labels', { body: { labels } }), 400, 'general_argument_invalid')
		fails(await owner.call('PUT', `/projects/${p.id}/labels`, { headers: newest, body: { labels: ['-'] } }), 400, 'general_argument_invalid')
		fails(await stranger.call('PUT', `/projects/${p.id}/labels`, { headers: newest, body: { labels: [] } }), 404, 'project_not_found')
		fails(await q.call('PUT', '/project/labels', { body: { labels: [] } }), 401, 'general_unauthorized_scope')
		assert.deepEqual((await p.ok('PUT', '/project/labels', { body: { labels: [] } })).labels, [])
	})

	test('the team', async () => {
		const r = await s.project(), path = `/projects/${r.id}/team`, headers = at('1.8.0'), move = (who, teamId) => who.call('PATCH', path, { headers, body: { teamId } })
		const theirs = await stranger.ok('POST', '/teams', { body: { teamId: unique(), name: 'Theirs' } })
		fails(await move(owner, theirs.$id), 404, 'team_not_found')
		fails(await move(owner, 'none'), 404, 'team_not_found')
		fails(await move(owner, undefined), 400, 'general_argument_invalid')
		fails(await move(stranger, theirs.$id), 404, 'project_not_found')
		assert.equal((await move(owner, p.teamId)).body.teamId, p.teamId)
		assert.equal((await get('2.3.0', r)).teamId, p.teamId)
		assert.equal((await owner.call('GET', `/teams/${r.teamId}`)).status, 200)
	})
})

describe('the project itself', () => {
	test('is seen by its members and keys, without secrets by keys', async () => {
		const r = await s.project({ scopes })
		await owner.ok('PATCH', `/projects/${r.id}/oauth2`, { body: { provider: 'github', appId: 'app', secret: 's3cret' } })
		await owner.ok('POST', `/projects/${r.id}/webhooks`, { body: { name: 'w', events: ['users.*.create'], url: 'http://hook.test/', security: true, httpUser: 'u', httpPass: 'pass-w' } })
		assert.equal((await r.ok('GET', '/project')).$id, r.id)
		const admin = await r.admin('GET', '/project', { headers: at('1.8.0') })
		assert.equal(admin.body.keys[0].secret, r.key)
		for (const version of ['1.0.0', '1.8.0', '1.9.2', '2.3.0']) {
			const { text } = await r.call('GET', '/project', { headers: at(version) })
			for (const secret of [r.key, 's3cret', 'pass-w']) assert.ok(!text.includes(secret), version)
		}
		fails(await q.call('GET', '/project'), 401, 'general_unauthorized_scope')
		fails(await r.guest('GET', '/project'), 401, 'general_unauthorized_scope')
	})

	test('is deleted', async () => {
		const r = await s.project({ scopes }), kept = await s.project()
		fails(await q.call('DELETE', '/project'), 401, 'general_unauthorized_scope')
		/* not by keys: who is no owner makes them, and reads them */
		fails(await r.call('DELETE', '/project'), 401, 'user_unauthorized')
		for (const path of ['/project/keys/ephemeral', `/projects/${r.id}/jwts`]) {
			const { secret } = path.startsWith('/projects/') ? await owner.ok('POST', path, { body: { scopes: ['project.write'], duration: 60 }, headers: newest }) : (await r.admin('POST', path, { body: { scopes: ['project.write'], duration: 60 }, headers: newest })).body
			fails(await r.guest('DELETE', '/project', { key: secret }), 401, 'user_unauthorized')
		}
		assert.equal((await r.admin('DELETE', '/project')).status, 204)
		fails(await r.call('GET', '/project'), 404, 'project_not_found')
		assert.equal((await owner.call('GET', `/teams/${r.teamId}`)).status, 200)
		/* without a password, and its team stays: so it is since 1.4 */
		assert.equal((await owner.call('DELETE', `/projects/${kept.id}`, { headers: at('1.8.0') })).status, 204)
		assert.equal((await owner.call('GET', `/teams/${kept.teamId}`)).status, 200)
		fails(await owner.call('DELETE', `/projects/${kept.id}`, { headers: at('1.8.0') }), 404, 'project_not_found')
	})

})

describe('projects of a person of the console', () => {
	test('are found by labels and words, told whole whatever is selected, and need not be counted', async () => {
		const label = unique('l'), r = await s.project({ scopes })
		await r.ok('PUT', '/project/labels', { body: { labels: [label] } })
		const of = async (...queries) => (await owner.ok('GET', '/projects', { headers: newest, query: { queries: queries.map((x) => JSON.stringify(x)) } }))
		const found = { method: 'contains', attribute: 'labels', values: [label] }
		assert.deepEqual((await of(found)).projects.map((x) => x.$id), [r.id])
		assert.deepEqual((await of(found, { method: 'select', values: ['$id', 'name', 'platforms'] })).projects.map((x) => x.name), ['Test'])
		assert.equal((await of({ method: 'equal', attribute: 'search', values: [`${r.id} Test`] })).total, 1)
		assert.equal((await of(found, { method: 'isNull', attribute: 'accessedAt' })).total, 1)
		assert.equal((await owner.ok('GET', '/projects', { headers: newest, query: { total: 'false' } })).total, 0)
	})
	test('are made with ids of today, in the one region there is', async () => {
		const make = (version, body) => owner.call('POST', '/projects', { headers: at(version), body: { projectId: unique('p'), name: 'R', teamId: p.teamId, ...body } })
		for (const projectId of ['Upper', '-x', 'a_b', 'a.b']) fails(await make('2.3.0', { projectId }), 400, 'general_argument_invalid')
		assert.equal((await make('1.8.0', { projectId: unique('Upper_') })).status, 201)
		fails(await make('1.8.0', { region: 'fra' }), 400, 'project_region_unsupported')
		assert.equal((await make('2.3.0', { region: 'default' })).body.region, 'default')
	})
})

describe('an organization', () => {
	const path = '/organization/projects', as = (who, id) => (m, tail = '', body) => who.call(m, path + tail, { headers: id === undefined ? {} : { 'x-appwrite-organization': id }, body })
	test('its projects', async () => {
		const team = await owner.ok('POST', '/teams', { body: { teamId: unique(), name: 'O' } }), org = as(owner, team.$id), id = unique('p')
		const made = await org('POST', '', { projectId: id, name: 'In it' })
		assert.deepEqual([made.status, made.body.teamId, made.body.name], [201, team.$id, 'In it'])
		const list = await org('GET')
		assert.deepEqual([list.body.total, list.body.projects.map((x) => x.$id)], [1, [id]])
		assert.equal((await org('GET', `/${id}`)).body.$id, id)
		assert.equal((await org('PATCH', `/${id}`, { name: 'Other' })).body.name, 'Other')
		for (const m of ['GET', 'PATCH', 'DELETE']) fails(await org(m, `/${p.id}`, m === 'PATCH' ? { name: 'x' } : undefined), 404, 'project_not_found')
		fails(await org('POST', '', { projectId: id, name: 'x' }), 409, 'project_already_exists')
		fails(await org('POST', '', { name: 'x' }), 400, 'general_argument_invalid')
		fails(await org('PATCH', `/${id}`, {}), 400, 'general_argument_invalid')
		for (const other of [as(owner), as(owner, 'none'), as(stranger, team.$id)])
			for (const [m, tail, body] of [['GET', ''], ['POST', '', { projectId: unique('p'), name: 'x' }], ['GET', `/${id}`], ['PATCH', `/${id}`, { name: 'x' }], ['DELETE', `/${id}`]])
				fails(await other(m, tail, body), 404, 'team_not_found')
		assert.equal((await org('DELETE', `/${id}`)).status, 204)
		fails(await org('GET', `/${id}`), 404, 'project_not_found')
		assert.equal((await owner.call('GET', `/teams/${team.$id}`)).status, 200)
	})
})

describe('what consoles ask of the server', () => {
	test('how it is set', async () => {
		const now = await owner.ok('GET', '/console/variables', { headers: newest }), old = await owner.ok('GET', '/console/variables', { headers: at('1.4.0') })
		assert.deepEqual([now._APP_STORAGE_LIMIT, now._APP_COMPUTE_BUILD_TIMEOUT, now._APP_USAGE_STATS, now._APP_DB_ADAPTER, now.supportForRelationships], [30000000, 900, 'enabled', 'postgresql', true])
		assert.deepEqual(Object.keys(old), ['_APP_STORAGE_LIMIT', '_APP_USAGE_STATS', '_APP_VCS_ENABLED', '_APP_DOMAIN_ENABLED', '_APP_ASSISTANT_ENABLED', '_APP_DOMAIN_TARGET', '_APP_FUNCTIONS_SIZE_LIMIT'])
		assert.equal(old._APP_FUNCTIONS_SIZE_LIMIT, now._APP_COMPUTE_SIZE_LIMIT)
		assert.ok(!('_APP_FUNCTIONS_SIZE_LIMIT' in now) && !('_APP_DOMAIN_TARGET' in now))
		for (const what of ['', '_WITH_REPOSITORY_CREATION', '_WITH_PUBLIC_REPOSITORIES']) assert.deepEqual([now[`_APP_VCS_PROVIDERS${what}`], old[`_APP_VCS_PROVIDERS${what}`]], [[], undefined])
		fails(await s.call('GET', '/console/variables', { project: 'console' }), 401, 'general_unauthorized_scope')
	})
	test('scopes and providers', async () => {
		const guest = (target) => s.call('GET', target, { project: 'console' }), scopesOf = async (t) => (await guest(`/console/scopes/${t}`)).body.scopes
		const project = await scopesOf('project')
		assert.ok(project.length >= 87)
		assert.deepEqual(project.find((x) => x.$id === 'project.policies.write'), { $id: 'project.policies.write', description: 'May write project.policies.', category: 'project.policies', deprecated: false })
		assert.equal(project.find((x) => x.$id === 'collections.read').deprecated, true)
		assert.deepEqual((await scopesOf('organization')).map((x) => x.$id), ['projects', 'devKeys', 'organization', 'organization.keys', 'organization.memberships', 'organization.installations', 'domains', 'keys'].flatMap((x) => [`${x}.read`, `${x}.write`]))
		const { oAuth2Providers } = (await guest('/console/oauth2-providers')).body
		assert.deepEqual(oAuth2Providers.find((x) => x.$id === 'okta').parameters.map((x) => x.$id), ['clientId', 'clientSecret', 'domain', 'authorizationServerId'])
		for (const target of ['/console/scopes/project', '/console/scopes/organization', '/console/oauth2-providers']) fails(await p.call('GET', target), 401, 'general_unauthorized_scope')
	})
	test('whether a name is free', async () => {
		const ask = (value, type = 'rules') => owner.call('GET', '/console/resources', { query: { value, type } }), name = `${unique('d')}.example.org`
		assert.equal((await ask(name)).status, 204)
		await owner.ok('POST', `/projects/${p.id}/domains`, { body: { domain: name } })
		fails(await ask(name), 409, 'resource_already_exists')
		fails(await ask(name, 'nothing'), 400, 'general_argument_invalid')
	})
})
