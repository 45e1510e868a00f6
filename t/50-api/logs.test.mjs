/* The audit log: what each change writes, about whom, and who may read it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { cookieOf, server, unique, until } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { fails, isTime, keysOf } from './lib.mjs'

const keys = 'event userId userEmail userName mode ip time osCode osName osVersion clientType clientCode clientName clientVersion clientEngine clientEngineVersion deviceName deviceBrand deviceModel countryCode countryName'
const q = (...queries) => ({ query: { queries } })
let s, p
before(async () => {
	s = await server()
	p = await s.project()
})

/* Entries come a moment later: the events, newest first, once there are as many as expected. Each process writes its own, so that those of two that came within
 * a moment may be listed the other way round. */
const logs = (ask, n) => until(`${n} entries`, async () => {
	const r = await ask()
	assert.equal(r.status, 200, r.text)
	assert.ok(r.body.total <= n, r.text)
	return r.body.total === n && r.body.logs.sort((a, b) => (a.time < b.time) - (a.time > b.time))
})
const events = async (ask, expected) => assert.deepEqual((await logs(ask, expected.length)).map((l) => l.event), expected.toReversed())
const ofUser = (id) => () => p.call('GET', `/users/${id}/logs`)

describe('an account', () => {
	test('each change of it', async () => {
		const u = await p.user(), password = 'password-1234', steps = [
			['PATCH', '/account/name', { name: 'N' }, 'user.update'],
			['PATCH', '/account/password', { password, oldPassword: u.password }, 'user.update'],
			['PATCH', '/account/email', { email: `${unique('m')}@example.org`, password }, 'user.update'],
			['PATCH', '/account/phone', { phone: `+49${Date.now()}`, password }, 'user.update'],
			['PATCH', '/account/prefs', { prefs: { a: 1 } }, 'user.update'],
			['POST', '/account/jwt', {}, null],
			['GET', '/account', undefined, null],
			['DELETE', '/account/sessions/current', undefined, 'session.delete'],
		]
		for (const [method, path, body] of steps) await u.ok(method, path, { body })
		await events(ofUser(u.id), ['user.create', 'session.create', ...steps.map((x) => x[3]).filter((x) => x)])
	})
	test('the last ones: all sessions, the status', async () => {
		const u = await p.user()
		await u.ok('PATCH', '/account/status')
		await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: true } })
		await u.ok('DELETE', '/account/sessions')
		await events(ofUser(u.id), ['user.create', 'session.create', 'user.update', 'user.update', 'session.delete'])
	})
	test('without an account', async () => {
		const r = await p.guest('POST', '/account/sessions/anonymous')
		await events(ofUser(r.body.userId), ['session.create'])
	})
	test('what fails leaves nothing', async () => {
		const u = await p.user()
		for (const [m, path, body] of [['PATCH', '/account/name', {}], ['PATCH', '/account/password', { password: 'password-1', oldPassword: 'password-2' }], ['PATCH', '/account/sessions/current', {}],
			['DELETE', '/account/sessions/none', undefined]])
			assert.ok((await u.call(m, path, { body })).status >= 400)
		await p.guest('POST', '/account/sessions/email', { body: { email: u.email, password: 'password-wrong' } })
		await u.ok('PATCH', '/account/name', { body: { name: 'Last' } })
		await events(ofUser(u.id), ['user.create', 'session.create', 'user.update'])
	})
	test('an entry: who, where from, with what', async () => {
		const u = await p.user({ name: 'Ada' }), chrome = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/105.0.0.0 Safari/537.36'
		await u.ok('PATCH', '/account/prefs', { body: { prefs: {} }, headers: { 'user-agent': chrome, 'x-forwarded-for': 'junk, 198.51.100.1, 203.0.113.7:51022' } })
		await logs(() => u.call('GET', '/account/logs'), 3)
		await u.ok('PATCH', '/account/prefs', { body: { prefs: {} }, headers: { 'user-agent': 'AppwriteCLI/1.0.0' } })
		const [cli, web, , first] = await logs(() => u.call('GET', '/account/logs'), 4)
		keysOf(web, keys)
		isTime(web.time)
		assert.deepEqual([web.userId, web.userEmail, web.userName, web.mode, web.ip], [u.id, u.email, 'Ada', 'default', '203.0.113.7'])
		assert.deepEqual([web.osCode, web.osName, web.osVersion, web.clientType, web.clientCode, web.clientName, web.deviceName], ['WIN', 'Windows', '10', 'browser', 'CH', 'Chrome', 'desktop'])
		assert.match(web.clientVersion, /^105/)
		assert.deepEqual([cli.clientType, cli.clientCode, cli.clientName, cli.clientVersion], ['desktop', 'cli', 'Appwrite CLI', '1.0.0'])
		assert.deepEqual([first.event, first.userName, first.osCode, first.clientName, first.countryCode, first.countryName], ['user.create', 'Ada', '', '', '--', 'Unknown'])
	})
	test('a user agent that is no text takes nobody\'s entry along', async () => {
		const u = await p.user(), other = await p.user(), body = Buffer.from('{"prefs":{}}')	/* a buffer: else the head is sent as UTF-8 */
		const send = (who, ua) => who.ok('PATCH', '/account/prefs', { body, headers: { 'content-type': 'application/json', 'user-agent': ua } })
		await Promise.all([send(u, 'curl/7.85.0 \xff\xfe'), send(other, 'curl/7.85.0'), send(u, '\xc3')])
		await logs(ofUser(other.id), 3)
		const mine = await logs(ofUser(u.id), 4)
		assert.deepEqual(mine.slice(0, 2).map((l) => l.clientName).sort(), ['', 'curl'])
		const r = await p.guest('POST', '/account/sessions/anonymous', { headers: { 'user-agent': 'curl/7.85.0 \xe4' } })
		assert.deepEqual([r.status, r.body.clientName], [201, 'curl'])
	})
	test('pages', async () => {
		const u = await p.user()
		for (let i = 0; i < 4; i++) await u.ok('PATCH', '/account/prefs', { body: { prefs: { i } } })
		const all = await logs(() => u.call('GET', '/account/logs'), 6)
		const page = async (...queries) => { const r = await u.ok('GET', '/account/logs', q(...queries)); assert.equal(r.total, 6); return r.logs }
		assert.deepEqual(await page('limit(2)'), all.slice(0, 2))
		assert.deepEqual(await page('limit(2)', 'offset(3)'), all.slice(3, 5))
		assert.deepEqual(await page('offset(5)'), all.slice(5))
		assert.deepEqual(await page('limit(0)'), [])
		for (let i = 1; i < all.length; i++) assert.ok(all[i - 1].time >= all[i].time)
	})
	test('errors and callers', async () => {
		const u = await p.user(), paths = ['/account/logs', `/users/${u.id}/logs`]
		for (const bad of ['limit(101)', 'limit(-1)', 'offset(5001)', 'equal("event", ["x"])', 'orderAsc("time")', 'cursorAfter("x")', 'search("event", ["x"])', 'nonsense', ''])
			for (const path of paths) fails(await (path === paths[0] ? u : p).call('GET', path, q(bad)), 400, 'general_argument_invalid')
		for (const path of paths) fails(await (path === paths[0] ? u : p).call('GET', path, { query: { queries: 'limit(1)' } }), 400, 'general_argument_invalid')
		fails(await p.guest('GET', '/account/logs'), 401, 'general_unauthorized_scope')
		fails(await p.call('GET', '/account/logs'), 401, 'general_unauthorized_scope')
		for (const caller of [p.guest, u.call]) fails(await caller('GET', `/users/${u.id}/logs`), 401, 'general_unauthorized_scope')
		fails(await p.call('GET', `/users/${u.id}/logs`, { key: await p.addKey(['users.write']) }), 401, 'general_unauthorized_scope')
		fails(await p.call('GET', `/users/${unique()}/logs`), 404, 'user_not_found')
		fails(await p.call('GET', '/users/$x/logs'), 400, 'general_argument_invalid')
		assert.equal((await p.admin('GET', `/users/${u.id}/logs`)).status, 200)
	})
	test('nobody sees what another did', async () => {
		const a = await p.user(), b = await p.user()
		await a.ok('PATCH', '/account/prefs', { body: { prefs: {} } })
		for (const [who, n] of [[a, 3], [b, 2]]) for (const l of await logs(() => who.call('GET', '/account/logs'), n)) assert.equal(l.userId, who.id)
		const other = await s.project(), c = await other.user({ id: a.id })
		await logs(() => c.call('GET', '/account/logs'), 2)
	})
})

describe('secrets by mail', () => {
	let own, box, x
	before(async () => {
		box = await sink()
		own = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port, web_processes: 1 } })
		x = await own.project()
	})
	after(async () => { await own?.stop(); box?.stop() })
	const secret = async (to) => Object.fromEntries(new URL((await box.next(to)).link).searchParams)

	test('magic URL, recovery, verification', async () => {
		const email = `${unique('m')}@example.org`, url = 'http://localhost/x'
		const t = (await x.guest('POST', '/account/sessions/magic-url', { body: { userId: 'unique()', email, url } })).body
		const r = await x.guest('PUT', '/account/sessions/magic-url', { body: { userId: t.userId, secret: (await secret(email)).secret } })
		assert.equal(r.status, 201, r.text)
		const cookie = cookieOf(r), u = (m, path, body) => own.ok(m, path, { project: x.id, cookie, body })
		await u('POST', '/account/verification', { url })
		await u('PUT', '/account/verification', { userId: t.userId, secret: (await secret(email)).secret })
		await u('POST', '/account/recovery', { email, url })
		await u('PUT', '/account/recovery', { userId: t.userId, secret: (await secret(email)).secret, password: 'password-1', passwordAgain: 'password-1' })
		const again = cookieOf(await x.guest('POST', '/account/sessions/email', { body: { email, password: 'password-1' } }))	/* the recovery ended all sessions */
		const list = await logs(() => own.call('GET', '/account/logs', { project: x.id, cookie: again }), 7)
		assert.deepEqual(list.map((l) => l.event), ['session.create', 'session.update', 'verification.create', 'verification.update', 'recovery.create', 'recovery.update', 'session.create'].toReversed())
		for (const l of list) assert.deepEqual([l.userId, l.userEmail], [t.userId, email])
	})
	test('a verification by nobody in particular leaves no entry', async () => {
		const u = await x.user()
		await u.ok('POST', '/account/verification', { body: { url: 'http://localhost/x' } })
		const r = await x.guest('PUT', '/account/verification', { body: { userId: u.id, secret: (await secret(u.email)).secret } })
		assert.equal(r.status, 200, r.text)
		await u.ok('PATCH', '/account/prefs', { body: { prefs: {} } })
		const list = await logs(() => u.call('GET', '/account/logs'), 4)
		assert.deepEqual(list.map((l) => l.event), ['user.update', 'verification.create', 'session.create', 'user.create'])
	})
	test('an invitation is told of who accepts it', async () => {
		const owner = await x.user(), email = `${unique('m')}@example.org`
		const team = await owner.ok('POST', '/teams', { body: { teamId: unique('t'), name: 'T' } })
		const m = await owner.ok('POST', `/teams/${team.$id}/memberships`, { body: { email, roles: [], url: 'http://localhost/x' } })
		const link = await secret(email)
		assert.deepEqual(Object.keys(link), ['membershipId', 'userId', 'secret', 'teamId'])
		await own.ok('PATCH', `/teams/${team.$id}/memberships/${m.$id}/status`, { project: x.id, body: { userId: link.userId, secret: link.secret } })
		const list = await logs(() => owner.call('GET', `/teams/${team.$id}/logs`), 2)
		assert.deepEqual(list.map((l) => [l.event, l.userId]), [['membership.update', link.userId], ['team.create', owner.id]])
	})
})

test('who takes the id of a deleted user or team does not see its log', async () => {
	const u = await p.user(), team = unique('t'), body = { teamId: team, name: 'T' }
	await u.ok('POST', '/teams', { body })
	await events(ofUser(u.id), ['user.create', 'session.create', 'team.create'])
	await u.ok('DELETE', `/teams/${team}`)
	await events(ofUser(u.id), ['user.create', 'session.create', 'team.create', 'team.delete'])
	await p.ok('DELETE', `/users/${u.id}`)
	const v = await p.user({ id: u.id })
	await v.ok('POST', '/teams', { body })
	await events(() => v.call('GET', '/account/logs'), ['user.create', 'session.create', 'team.create'])
	await events(() => v.call('GET', `/teams/${team}/logs`), ['team.create'])
})

describe('users, by a key and by an admin', () => {
	const changes = [['status', { status: false }, 'user.update'], ['status', { status: true }, 'user.update'], ['name', { name: 'N' }, 'user.update'], ['password', { password: 'password-2' }, 'user.update'],
		['verification', { emailVerification: true }, 'verification.update']]
	test('changes are told of the user, whoever makes them', async () => {
		const u = await p.user()
		for (const by of [p.call, p.admin])
			for (const [path, body] of changes) assert.equal((await by('PATCH', `/users/${u.id}/${path}`, { body })).status, 200)
		assert.equal((await p.call('PATCH', `/users/${u.id}/email`, { body: { email: `${unique('m')}@example.org` } })).status, 200)
		const expected = changes.map((c) => c[2])
		const list = await logs(ofUser(u.id), 13)
		assert.deepEqual(list.map((l) => l.event), ['user.create', 'session.create', ...expected, ...expected, 'user.update'].toReversed())
		for (const l of list) assert.deepEqual([l.userId, l.userEmail, l.userName, l.mode], ['', '', '', ''])
		const mine = await logs(() => u.call('GET', '/account/logs'), 13)
		assert.deepEqual(mine.map((l) => l.mode), ['default', ...Array(5).fill('admin'), ...Array(7).fill('default')])
	})
	test('others are told of who makes them, and a key is nobody', async () => {
		const owner = await p.console, admin = await s.project(), id = unique('u'), path = `/users/${id}`
		assert.equal((await admin.admin('POST', '/users', { body: { userId: id, email: `${unique('m')}@example.org`, password: 'password-1' } })).status, 201)
		for (const [m, t, body] of [['PATCH', '/phone', { number: `+49${Date.now()}` }], ['PATCH', '/verification/phone', { phoneVerification: true }], ['PATCH', '/prefs', { prefs: {} }], ['DELETE', '/sessions', undefined]])
			for (const by of [admin.call, admin.admin]) assert.ok((await by(m, path + t, { body })).status < 300)
		const login = await admin.guest('POST', '/account/sessions/email', { body: { email: (await admin.ok('GET', path)).email, password: 'password-1' } })
		assert.equal((await admin.admin('DELETE', `${path}/sessions/${login.body.$id}`)).status, 204)
		assert.equal((await admin.admin('DELETE', path)).status, 204)
		/* the console's user is none of the project, but its own log in admin mode is the project's */
		const list = await logs(() => admin.admin('GET', '/account/logs'), 5)
		assert.deepEqual(list.map((l) => l.event), ['user.delete', 'session.delete', 'verification.update', 'user.update', 'user.create'])
		for (const l of list) assert.deepEqual([l.userId, l.userEmail, l.mode], [owner.id, owner.email, 'admin'])
	})
})

describe('teams', () => {
	test('changes by members; a key is nobody', async () => {
		const u = await p.user(), other = await p.user(), id = unique('t')
		await u.ok('POST', '/teams', { body: { teamId: id, name: 'T' } })
		await u.ok('PUT', `/teams/${id}`, { body: { name: 'U' } })
		await p.ok('PUT', `/teams/${id}`, { body: { name: 'V' } })
		const m = await p.ok('POST', `/teams/${id}/memberships`, { body: { email: other.email, roles: ['a'], url: 'http://localhost/' } })
		await u.ok('PATCH', `/teams/${id}/memberships/${m.$id}`, { body: { roles: ['b'] } })
		await other.ok('DELETE', `/teams/${id}/memberships/${m.$id}`)
		const list = await logs(() => u.call('GET', `/teams/${id}/logs`), 4)
		for (const l of list) assert.deepEqual([l.userEmail, l.ip !== ''], l.userId === u.id ? [u.email, true] : ['', false])
		assert.deepEqual(list.map((l) => [l.event, l.userId]), [['membership.delete', other.id], ['membership.update', u.id], ['team.update', u.id], ['team.create', u.id]])
		keysOf(list[0], keys)
		assert.deepEqual(await p.ok('GET', `/teams/${id.toUpperCase()}/logs`, q('limit(1)', 'offset(2)')), { total: 4, logs: [list[2]] })
		for (const bad of ['limit(101)', 'equal("event", ["x"])', 'x']) fails(await u.call('GET', `/teams/${id}/logs`, q(bad)), 400, 'general_argument_invalid')
		fails(await other.call('GET', `/teams/${id}/logs`), 404, 'team_not_found')
		fails(await p.guest('GET', `/teams/${id}/logs`), 401, 'general_unauthorized_scope')
		fails(await p.call('GET', `/teams/${unique()}/logs`), 404, 'team_not_found')
		fails(await p.call('GET', `/teams/${id}/logs`, { key: await p.addKey(['teams.write']) }), 401, 'general_unauthorized_scope')
		await u.ok('DELETE', `/teams/${id}`)
		await events(() => u.call('GET', '/account/logs'), ['user.create', 'session.create', 'team.create', 'team.update', 'membership.update', 'team.delete'])
	})
	test('an id that is made for it', async () => {
		const u = await p.user(), team = await u.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'T' } })
		await events(() => u.call('GET', `/teams/${team.$id}/logs`), ['team.create'])
	})
})

test('a user agent that was cut in the middle of a character is kept', async () => {
	const q = await (await server()).project(), raw = (bytes) => Buffer.from(bytes).toString('latin1')
	const euro = Buffer.from('\u20ac'), firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:105.0) Gecko/20100101 Firefox/105.0 '
	for (const [what, bytes] of Object.entries({
		'by who sent it': Buffer.concat([Buffer.from(firefox), euro.subarray(0, 2)]),
		'at the bounds of ours': Buffer.concat([Buffer.from(firefox), ...Array(6000).fill(euro)]),
		'shifted by one': Buffer.concat([Buffer.from(`${firefox}x`), ...Array(6000).fill(euro)]),
		'and by two': Buffer.concat([Buffer.from(`${firefox}xy`), ...Array(6000).fill(euro)]),
		'no text at all': Buffer.concat([Buffer.from(firefox), Buffer.from([0xff, 0xfe, 0xc3, 0x28])]) })) {
		const u = await q.user(), headers = { 'user-agent': raw(bytes) }
		const r = await q.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password }, headers })
		assert.equal(r.status, 201, `${what}: ${r.text}`)
		assert.equal(r.body.clientName, 'Firefox', what)
		await u.ok('PATCH', '/account/name', { body: { name: 'Changed' }, headers })
		const logs = await until('the log', async () => { const l = await u.ok('GET', '/account/logs'); return l.logs.some((e) => e.event === 'user.update') && l })
		for (const e of logs.logs.filter((l) => l.event !== 'user.create').slice(0, 2)) assert.equal(e.clientName, 'Firefox', what)
	}
})
