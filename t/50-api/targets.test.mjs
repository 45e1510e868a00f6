/* Where users can be reached: the addresses of their accounts, what servers add, and push tokens, which end with their sessions. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { cookieOf, server, unique } from '../lib/server.mjs'
import { fails, keysOf } from './lib.mjs'

let s, p, schema
const phone = '$id $createdAt $updatedAt name userId providerId providerType identifier expired'
const today = { headers: { 'x-appwrite-response-format': '1.9.5' } }
const mail = () => `${unique('m')}@example.org`, number = () => `+49155${String(Math.random()).slice(2, 11)}`
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
const key = (m, target, body, o = {}) => p.call(m, target, { body, ...today, ...o })
const targets = async (id) => (await p.ok('GET', `/users/${id}/targets`, today)).targets
const kinds = async (id) => (await targets(id)).map((t) => `${t.providerType} ${t.identifier}`)

before(async () => {
	s = await server({ own: true })
	p = await s.project()
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
})
after(() => s.stop())

describe('the addresses of an account', () => {
	test('are targets from the start, and told with it', async () => {
		const email = mail(), tel = number(), u = (await key('POST', '/users', { userId: 'unique()', email: email.toUpperCase(), phone: tel })).body
		assert.deepEqual(u.targets.map((t) => [t.providerType, t.identifier, t.userId, t.providerId, t.name, t.expired]), [['email', email, u.$id, null, '', false], ['sms', tel, u.$id, null, '', false]])
		keysOf(u.targets[0], phone)
		assert.deepEqual((await p.ok('GET', `/users/${u.$id}`, today)).targets, u.targets)
		assert.deepEqual(await targets(u.$id), u.targets)
		const ada = await p.user()
		assert.deepEqual((await ada.ok('GET', '/account', today)).targets.map((t) => t.identifier), [ada.email])
		assert.equal((await ada.ok('GET', '/account')).targets, undefined)
		assert.deepEqual((await p.ok('GET', '/users', { ...today, query: { queries: [JSON.stringify({ method: 'equal', attribute: '$id', values: [u.$id] })] } })).users[0].targets, u.targets)
	})

	test('move with it, and go with it', async () => {
		const u = await p.user(), was = (await targets(u.id))[0], next = mail(), tel = number()
		assert.deepEqual((await u.ok('PATCH', '/account/email', { ...today, body: { email: next, password: u.password } })).targets.map((t) => [t.$id, t.identifier]), [[was.$id, next]])
		assert.deepEqual((await u.ok('PATCH', '/account/phone', { ...today, body: { phone: tel, password: u.password } })).targets.map((t) => t.identifier), [next, tel])
		assert.deepEqual((await u.ok('GET', '/account', today)).targets.map((t) => t.identifier), [next, tel])
		const again = number()
		assert.equal((await key('PATCH', `/users/${u.id}/phone`, { number: again })).status, 200)
		assert.deepEqual(await kinds(u.id), [`email ${next}`, `sms ${again}`])
		/* one that was made for the new address is the account's then */
		const third = mail()
		assert.equal((await key('POST', `/users/${u.id}/targets`, { targetId: 'unique()', providerType: 'email', identifier: third })).status, 201)
		assert.equal((await key('PATCH', `/users/${u.id}/email`, { email: third })).status, 200)
		assert.deepEqual(await kinds(u.id), [`email ${third}`, `sms ${again}`])
		assert.equal((await key('DELETE', `/users/${u.id}`)).status, 204)
		assert.equal(psql(`SELECT count(*) FROM ${schema}.targets WHERE user_id = '${u.id}'`), '0')
	})

	test('that are somebody else\'s targets stay theirs at a sign-up, and are refused later', async () => {
		const ada = await p.user(), grace = await p.user(), email = mail(), tel = number()
		for (const [providerType, identifier] of [['email', email], ['sms', tel]]) assert.equal((await key('POST', `/users/${ada.id}/targets`, { targetId: 'unique()', providerType, identifier })).status, 201)
		const u = (await key('POST', '/users', { userId: 'unique()', email })).body
		assert.deepEqual(u.targets, [])
		const r = await key('PATCH', `/users/${u.$id}/email`, { email: mail() })
		assert.deepEqual(r.body.targets.map((t) => t.providerType), ['email'])
		fails(await grace.call('PATCH', '/account/email', { ...today, body: { email, password: grace.password } }), 409, 'user_target_already_exists')
		fails(await grace.call('PATCH', '/account/phone', { ...today, body: { phone: tel, password: grace.password } }), 409, 'user_target_already_exists')
		fails(await key('PATCH', `/users/${grace.id}/email`, { email }), 409, 'user_target_already_exists')
		assert.equal((await grace.ok('GET', '/account')).email, grace.email)
	})
})

test('a push token takes nobody\'s address, nor does an address take a token', async () => {
	const [squatter, u] = [await p.user(), await p.user()], email = mail(), tel = number(), later = mail()
	const push = (identifier) => squatter.call('POST', '/account/targets/push', { ...today, body: { targetId: 'unique()', identifier } })
	for (const one of [email, tel, later]) assert.equal((await push(one)).status, 201)
	fails(await push(email), 409, 'user_target_already_exists')
	assert.equal((await u.call('PATCH', '/account/email', { ...today, body: { email, password: u.password } })).status, 200)
	assert.equal((await u.call('PATCH', '/account/phone', { ...today, body: { phone: tel, password: u.password } })).status, 200)
	assert.deepEqual(await kinds(u.id), [`email ${email}`, `sms ${tel}`])
	assert.deepEqual((await key('POST', '/users', { userId: 'unique()', email: later })).body.targets.map((t) => t.identifier), [later])
	/* a token of one's own stays when the address becomes the same */
	const own = mail(), token = (await u.call('POST', '/account/targets/push', { ...today, body: { targetId: 'unique()', identifier: own } })).body
	assert.equal((await u.call('PATCH', '/account/email', { ...today, body: { email: own, password: u.password } })).status, 200)
	assert.deepEqual(await kinds(u.id), [`email ${own}`, `sms ${tel}`, `push ${token.identifier}`])
	assert.equal((await push(u.email)).status, 201)
})

describe('targets of the users service', () => {
	test('are made, listed, changed and deleted', async () => {
		const u = await p.user(), t = (await key('POST', `/users/${u.id}/targets`, { targetId: 'tablet', providerType: 'push', identifier: 'token-1', providerId: 'nobody', name: 'Tablet' })).body
		assert.deepEqual([t.$id, t.providerType, t.identifier, t.providerId, t.name, t.expired], ['tablet', 'push', 'token-1', null, 'Tablet', false])
		assert.deepEqual((await key('GET', `/users/${u.id}/targets/tablet`)).body, t)
		psql(`UPDATE ${schema}.targets SET expired = true WHERE id = 'tablet'`)
		assert.equal((await key('PATCH', `/users/${u.id}/targets/tablet`, { name: 'Phone' })).body.expired, true)
		const n = (await key('PATCH', `/users/${u.id}/targets/tablet`, { identifier: 'token-2' })).body
		assert.deepEqual([n.identifier, n.name, n.expired], ['token-2', 'Phone', false])
		const list = (queries, more = {}) => p.ok('GET', `/users/${u.id}/targets`, { ...today, query: { queries: queries.map((q) => JSON.stringify(q)), ...more } })
		const push = { method: 'equal', attribute: 'providerType', values: ['push'] }
		assert.deepEqual([(await list([push])).total, (await list([push])).targets[0].$id, (await list([push], { total: false })).total], [1, 'tablet', 0])
		assert.equal((await list([{ method: 'isNull', attribute: 'providerId' }])).total, 2)
		assert.equal((await key('DELETE', `/users/${u.id}/targets/tablet`)).status, 204)
		fails(await key('GET', `/users/${u.id}/targets/tablet`), 404, 'user_target_not_found')
	})

	test('errors', async () => {
		const u = await p.user(), other = await p.user(), [own] = await targets(u.id)
		const make = (body) => key('POST', `/users/${u.id}/targets`, { targetId: 'unique()', providerType: 'push', identifier: unique('token'), ...body })
		const t = (await make({})).body
		fails(await make({ targetId: t.$id }), 409, 'user_target_already_exists')
		fails(await make({ identifier: t.identifier }), 409, 'user_target_already_exists')
		fails(await make({ providerType: 'email', identifier: 'x' }), 400, 'general_invalid_email')
		fails(await make({ providerType: 'sms', identifier: '123' }), 400, 'general_invalid_phone')
		for (const bad of [{ providerType: 'fax' }, { identifier: 'x'.repeat(256) }, { identifier: undefined }, { targetId: 'no no' }, { name: 'x'.repeat(129) }]) fails(await make(bad), 400, 'general_argument_invalid')
		const at = `/users/${u.id}/targets/${t.$id}`
		fails(await key('PATCH', at, { identifier: (await make({})).body.identifier }), 409, 'user_target_already_exists')
		fails(await key('PATCH', at, { providerId: 'nobody' }), 404, 'provider_not_found')
		fails(await key('PATCH', `/users/${u.id}/targets/${own.$id}`, { identifier: 'x' }), 400, 'general_invalid_email')
		for (const m of ['GET', 'PATCH', 'DELETE']) {
			fails(await key(m, `/users/${other.id}/targets/${t.$id}`, m === 'PATCH' ? { name: 'x' } : undefined), 404, 'user_target_not_found')
			fails(await key(m, `/users/nobody/targets/${t.$id}`, m === 'PATCH' ? { name: 'x' } : undefined), 404, 'user_not_found')
			fails(await u.call(m, at, { ...today, body: m === 'PATCH' ? { name: 'x' } : undefined }), 401, 'general_unauthorized_scope')
		}
		fails(await key('POST', '/users/nobody/targets', { targetId: 'unique()', providerType: 'push', identifier: 'x' }), 404, 'user_not_found')
		fails(await key('GET', '/users/nobody/targets'), 404, 'user_not_found')
		fails(await u.call('GET', `/users/${u.id}/targets`, today), 401, 'general_unauthorized_scope')
		fails(await u.call('POST', `/users/${u.id}/targets`, { ...today, body: { targetId: 'unique()', providerType: 'push', identifier: 'x' } }), 401, 'general_unauthorized_scope')
		psql(`INSERT INTO ${schema}.targets (user_internal, user_id, provider_type, identifier, created, updated) SELECT internal, id, 'push', 'many-' || id || n, now(), now() FROM ${schema}.users, generate_series(1, 98) n WHERE id = '${u.id}'`)
		fails(await make({}), 400, 'general_bad_request')
	})
})

describe('push tokens of devices', () => {
	const agent = 'Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.0 Mobile/15E148 Safari/604.1'
	const push = (u, body, o = {}) => u.call('POST', '/account/targets/push', { headers: { ...today.headers, 'user-agent': agent }, body: { targetId: 'unique()', identifier: unique('token'), ...body }, ...o })

	test('belong to their user, are named by the device, and get another token', async () => {
		const u = await p.user(), r = await push(u, { providerId: 'nobody' })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, phone)
		assert.deepEqual([r.body.userId, r.body.providerType, r.body.providerId], [u.id, 'push', null])
		assert.match(r.body.name, /iPhone/)
		psql(`UPDATE ${schema}.targets SET expired = true WHERE id = '${r.body.$id}'`)
		const n = await u.call('PUT', `/account/targets/${r.body.$id}/push`, { ...today, body: { identifier: `${r.body.identifier}-2` } })
		assert.deepEqual([n.status, n.body.identifier, n.body.expired], [200, `${r.body.identifier}-2`, false])
		assert.equal((await u.ok('GET', '/account', today)).targets.at(-1).identifier, n.body.identifier)
		assert.equal((await u.call('DELETE', `/account/targets/${r.body.$id}/push`, today)).status, 204)
		assert.equal((await u.ok('GET', '/account', today)).targets.length, 1)
	})

	test('end with their session, and with no other', async () => {
		const u = await p.user(), first = (await push(u)).body
		const r = await p.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password } }), cookie = cookieOf(r)
		const second = (await push({ call: (m, t, o) => p.guest(m, t, { ...o, cookie }) })).body
		assert.deepEqual((await kinds(u.id)).slice(1), [`push ${first.identifier}`, `push ${second.identifier}`])
		assert.equal((await p.guest('DELETE', '/account/sessions/current', { cookie })).status, 204)
		assert.deepEqual((await kinds(u.id)).slice(1), [`push ${first.identifier}`])
		assert.deepEqual((await u.ok('GET', '/account', today)).targets.length, 2)
		await p.ok('DELETE', `/users/${u.id}/sessions`)
		assert.deepEqual(await kinds(u.id), [`email ${u.email}`])
	})

	test('errors', async () => {
		const u = await p.user(), other = await p.user(), t = (await push(u)).body, [email] = await targets(u.id)
		fails(await push(other, { targetId: t.$id }), 409, 'user_target_already_exists')
		fails(await push(other, { identifier: t.identifier }), 409, 'user_target_already_exists')
		fails(await push(u, { identifier: '' }), 400, 'general_argument_invalid')
		fails(await push(u, { identifier: 'x'.repeat(256) }), 400, 'general_argument_invalid')
		fails(await push({ call: p.guest }), 401, 'general_unauthorized_scope')
		const keyed = await s.project({ scopes: ['targets.write'] })
		fails(await push(keyed), 401, 'user_unauthorized')
		for (const [m, body] of [['PUT', { identifier: unique('token') }], ['DELETE', undefined]]) {
			fails(await other.call(m, `/account/targets/${t.$id}/push`, { ...today, body }), 404, 'user_target_not_found')
			fails(await u.call(m, `/account/targets/${email.$id}/push`, { ...today, body }), 404, 'user_target_not_found')
			fails(await p.guest(m, `/account/targets/${t.$id}/push`, { ...today, body }), 401, 'general_unauthorized_scope')
		}
		fails(await other.call('PUT', `/account/targets/${(await push(other)).body.$id}/push`, { ...today, body: { identifier: t.identifier } }), 409, 'user_target_already_exists')
	})
})
