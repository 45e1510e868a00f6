/* Events of people: that a user was made is told once, whatever way made it; that all sessions of a user were ended. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import http from 'node:http'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { provider } from '../lib/provider.mjs'
import { receiver } from '../lib/receiver.mjs'
import { cookieOf, server, unique } from '../lib/server.mjs'
import { channels, listen } from '../lib/ws.mjs'
import { sink } from '../lib/smtp.mjs'
import { fails } from './lib.mjs'

let s, p, g, box, owner, team
const today = { headers: { 'x-appwrite-response-format': '1.9.5' } }, password = 'password-1234', url = 'http://localhost/page'
const mail = () => `${unique('m')}@example.org`, number = () => `+4915${String(BigInt(`0x${unique()}`) % 10n ** 9n).padStart(9, '0')}`
const good = async (r, status = 201) => { r = await r; assert.equal(r.status, status, r.text); return r }
const guest = async (target, body) => (await good(p.guest('POST', target, { body, ...today }))).body
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()

before(async () => {
	g = await provider()
	box = await sink()
	s = await server({ own: true, conf: { oauth_private: 'on', webhook_private: 'on', smtp_host: '127.0.0.1', smtp_port: box.port } })
	p = await s.project()
	await p.console.ok('PATCH', `/projects/${p.id}/oauth2`, { body: { provider: 'gitlab', appId: g.client, secret: g.secret } })
	owner = await p.user({ name: 'Olga' })
	team = (await owner.ok('POST', '/teams', { body: { teamId: unique(), name: 'Team' } })).$id
})
after(async () => {
	await s.stop()
	g.stop()
	box.stop()
	for (const r of receivers) await r.stop()
})
const receivers = []
async function heard() {
	const r = await receiver()
	receivers.push(r)
	return r
}

const hook = (to, events) => p.console.ok('POST', `/projects/${p.id}/webhooks`, { body: { name: 'Hook', events, url: to, security: false } })
const nameOf = (d) => d.headers['x-appwrite-webhook-events'].split(',')[0]
/* What the receiver got until a user of that id was made, which is left out. */
async function upTo(r, id) {
	const list = []
	for (;;) {
		const d = await r.next()
		if (nameOf(d) === `users.${id}.create`) return list
		list.push(d)
	}
}
const mark = async () => { const userId = unique('mark'); await p.ok('POST', '/users', { body: { userId } }); return userId }

function visit(where, cookie) {
	const u = new URL(where)
	if (u.origin === new URL(s.endpoint).origin) return s.call('GET', u.pathname + u.search, { root: true, cookie })
	return new Promise((ok, no) => http.get(u, (rs) => { rs.resume(); ok({ status: rs.statusCode, headers: rs.headers }) }).on('error', no))
}
/* The whole way through the provider; the id of who comes out of it. */
async function through(way, who) {
	g.person = who
	const first = await s.call('GET', `/account/${way}/oauth2/gitlab`, { query: { project: p.id, success: 'http://localhost/ok', failure: 'http://localhost/no' } })
	const there = await visit(first.headers.location), back = await visit(there.headers.location, cookieOf(first)), r = await visit(back.headers.location, cookieOf(first))
	assert.equal(r.status, 301, r.text)
	if (way === 'tokens') return new URL(r.headers.location).searchParams.get('userId')
	return (await p.guest('GET', '/account', { cookie: cookieOf(r) })).body.$id
}
const person = () => ({ id: Number.parseInt(unique().slice(0, 8), 16), email: mail(), name: 'Ada', confirmed_at: '2020-01-01T00:00:00Z' })
async function mocked() {
	const phone = number()
	await good(p.admin('POST', '/project/mock-phones', { body: { number: phone, otp: '424242' }, ...today }))
	return phone
}
async function invited(body) {
	return (await good(owner.call('POST', `/teams/${team}/memberships`, { body: { roles: [], url, ...body }, ...today }))).body
}

/* Each makes a user and uses what it made, as far as that lets in; the id. `actor`: who is named. */
const bcrypt = '$2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'
const ways = {
	'a sign-up': async () => { const email = mail(), u = await guest('/account', { userId: unique(), email, password }); await guest('/account/sessions/email', { email, password }); return u.$id },
	'a server': async () => (await p.ok('POST', '/users', { body: { userId: unique(), email: mail(), password } })).$id,
	'an import': async () => (await p.ok('POST', '/users/bcrypt', { body: { userId: unique(), email: mail(), password: bcrypt } })).$id,
	'an anonymous session': async () => (await guest('/account/sessions/anonymous', {})).userId,
	'a code by mail': async () => {
		const email = mail(), t = await guest('/account/tokens/email', { userId: unique(), email })
		await box.next(email)
		await guest('/account/tokens/email', { userId: unique(), email })
		const secret = (await box.next(email)).text.match(/^\d{6}$/m)[0]
		await guest('/account/sessions/token', { userId: t.userId, secret })
		return t.userId
	},
	'a magic URL': async () => {
		const email = mail(), t = await guest('/account/tokens/magic-url', { userId: unique(), email, url })
		await guest('/account/sessions/token', { userId: t.userId, secret: new URL((await box.next(email)).link).searchParams.get('secret') })
		return t.userId
	},
	'a code by phone': async () => {
		const t = await guest('/account/tokens/phone', { userId: unique(), phone: await mocked() })
		await guest('/account/sessions/token', { userId: t.userId, secret: '424242' })
		return t.userId
	},
	'a provider': async () => { const who = person(), id = await through('sessions', who); assert.equal(await through('sessions', who), id); return id },
	'a provider, for a token': () => through('tokens', person()),
	'an invitation': async () => {
		const email = mail()
		await invited({ email, name: 'Ida' })
		const q = Object.fromEntries(new URL((await box.next(email)).link).searchParams)
		await good(p.guest('PATCH', `/teams/${team}/memberships/${q.membershipId}/status`, { body: { userId: q.userId, secret: q.secret }, ...today }), 200)
		return q.userId
	},
	'an invitation by a server': async () => (await good(p.call('POST', `/teams/${team}/memberships`, { body: { email: mail(), roles: [], url }, ...today }))).body.userId,
}
const actors = { 'an invitation': () => owner.id }
const secrets = ['password', 'hash', 'hashOptions']

for (const [name, make] of Object.entries(ways)) {
	test(`a user by ${name}`, async () => {
		const r = await heard(), w = await hook(r.url, ['users.*.create']), id = await make()
		const all = await upTo(r, await mark())
		assert.deepEqual(all.map(nameOf), [`users.${id}.create`])
		const [d] = all, u = (await p.ok('GET', `/users/${id}`)), keys = Object.keys(u), account = name === 'a sign-up'
		assert.equal(d.headers['x-appwrite-webhook-user-id'], actors[name]?.())
		assert.deepEqual(Object.keys(d.body).filter((k) => keys.includes(k)), account ? keys.filter((k) => !secrets.includes(k)) : keys)
		for (const k of ['$id', '$createdAt', 'name', 'email', 'phone']) assert.equal(d.body[k], u[k], k)
		if (!account && !/^(a server|an import)$/.test(name)) {
			assert.equal(d.body.password, '')
			assert.equal(Object.keys(d.body.hashOptions).length, 0)
		}
		await p.console.ok('DELETE', `/projects/${p.id}/webhooks/${w.$id}`)
		})
}

test('a user that was not made is not told of', async () => {
	const r = await heard(), w = await hook(r.url, ['users.*.create']), email = owner.email, there = await p.user({ name: 'There' })
	fails(await p.guest('POST', '/account', { body: { userId: unique(), email, password } }), 409, 'user_already_exists')
	await guest('/account/tokens/email', { userId: unique(), email })
	await invited({ email: there.email })
	await p.admin('PATCH', '/project/policies/user-limit', { body: { total: 1 }, ...today })
	fails(await p.guest('POST', '/account/sessions/anonymous', today), 400, 'user_count_exceeded')
	fails(await p.guest('POST', '/account/tokens/email', { body: { userId: unique(), email: mail() }, ...today }), 400, 'user_count_exceeded')
	await p.admin('PATCH', '/project/policies/user-limit', { body: { total: 0 }, ...today })
	assert.deepEqual((await upTo(r, await mark())).map((d) => d.body.name), ['There'])
	await p.console.ok('DELETE', `/projects/${p.id}/webhooks/${w.$id}`)
})

test('all sessions of a user are ended by a server: one event, with the user and without secrets', async () => {
	const u = await p.user({ name: 'Uma' }), r = await heard(), hooks = [await hook(r.url, ['users.*']), await hook(r.url, ['users.*.sessions.*.delete'])]
	const second = cookieOf(await p.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password } }))
	await good(p.call('DELETE', `/users/${u.id}/sessions`), 204)
	for (const cookie of [u.cookie, second]) fails(await p.guest('GET', '/account', { cookie }), 401, 'general_unauthorized_scope')
	/* there are none any more: nothing is told */
	await good(p.call('DELETE', `/users/${u.id}/sessions`), 204)
	const all = (await upTo(r, await mark())).filter((d) => d.headers['x-appwrite-webhook-events'].includes('.delete'))
	assert.deepEqual(all.map((d) => d.headers['x-appwrite-webhook-events']), [`users.${u.id}.sessions,users.*.sessions,users.${u.id}.sessions.delete,users.*.sessions.delete,users.${u.id},users.*`])
	assert.deepEqual([all[0].body.$id, all[0].body.password, Object.keys(all[0].body.hashOptions)], [u.id, '', []])
	for (const w of hooks) await p.console.ok('DELETE', `/projects/${p.id}/webhooks/${w.$id}`)
})

test('the same on realtime: who is signed in hears of it', async () => {
	const q = await s.project(), u = await q.user({ name: 'Uma' }), second = cookieOf(await q.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password } }))
	const sockets = await Promise.all([u.cookie, second].map((cookie) => listen(s, `project=${q.id}&${channels('account', 'account.delete')}`, { cookie })))
	await q.ok('PATCH', `/users/${u.id}/name`, { body: { name: 'Una' } })
	for (const x of sockets) await x.event((d) => d.payload.name === 'Una')
	await good(q.call('DELETE', `/users/${u.id}/sessions`), 204)
	for (const x of sockets) {
		const d = await x.event((e) => e.events.includes('users.*.sessions.delete'))
		assert.deepEqual(d.channels, ['account', `account.${u.id}`])
		assert.deepEqual([d.payload.$id, d.payload.name], [u.id, 'Una'])
		for (const k of secrets) assert.equal(d.payload[k], undefined)
	}
	for (const x of sockets) x.end()
})

test('what a server does to the second factor and to one session is told as it is described', async () => {
	const u = await p.user(), w = await listen(s, `project=${p.id}&${channels('account')}`, { cookie: u.cookie }), told = (tail) => w.event((e) => e.events[0] === `users.${u.id}.${tail}`)
	const key = (m, tail) => p.call(m, `/users/${u.id}/${tail}`, today)
	await good(key('PATCH', 'mfa/recovery-codes'))
	assert.equal((await told('create.mfa.recovery-codes')).payload.$id, u.id)
	await good(key('PUT', 'mfa/recovery-codes'), 200)
	assert.equal((await told('update.mfa.recovery-codes')).payload.password, undefined)
	const other = (await good(key('POST', 'sessions'))).body
	await told(`sessions.${other.$id}.create`)
	await good(key('DELETE', `sessions/${other.$id}`), 204)
	assert.deepEqual((await told(`sessions.${other.$id}.delete`)).payload, [])
	await w.close()
})
