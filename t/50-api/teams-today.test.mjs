/* Teams as clients of today know them: members by id, e-mail and phone; who is shown whom; owners that must stay. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'

import { cookieOf, dataDir, server, unique, until } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { listen } from '../lib/ws.mjs'
import { fails } from './lib.mjs'

let s, p, box, gate, dir, owner
const texts = []
const url = 'http://localhost/join'
const mail = () => `${unique('m')}@example.org`
const number = () => `+49${String(BigInt(`0x${unique()}`) % 10n ** 11n).padStart(11, '0')}`
const today = { 'x-appwrite-response-format': '1.9.5' }
const as = (u, m, target, body, o = {}) => u.call(m, target, { body, headers: today, ...o })
const guest = (m, target, body, o = {}) => p.guest(m, target, { body, headers: today, ...o })
const ok = async (r, status = 201) => { r = await r; assert.equal(r.status, status, r.text); return r.body }
const team = async (u = owner) => (await u.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'Red' } })).$id
const invite = (u, t, body) => as(u, 'POST', `/teams/${t}/memberships`, { roles: [], url, ...body })
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
const parts = (text) => Object.fromEntries(new URL(text.match(/http\S+/)[0]).searchParams)
const text = (to) => until(`a message to ${to}`, () => { const i = texts.findIndex((x) => x.To === to); return i >= 0 && texts.splice(i, 1)[0] })
const accept = (q, who = guest) => who('PATCH', `/teams/${q.teamId}/memberships/${q.membershipId}/status`, { userId: q.userId, secret: q.secret })

before(async () => {
	gate = http.createServer((rq, rs) => {
		let body = ''
		rq.on('data', (d) => (body += d))
		rq.on('end', () => { texts.push(Object.fromEntries(new URLSearchParams(body))); rs.end('{}') })
	})
	await new Promise((done) => gate.listen(0, '127.0.0.1', done))
	gate.unref()
	box = await sink()
	dir = dataDir()
	const file = path.join(dir, 'badal.conf')
	writeFileSync(file, `sms_provider = "sms://AC1:secret@twilio"\nsms_from = "+4911223344"\nsms_url = "http://127.0.0.1:${gate.address().port}"\n`, { mode: 0o644 })
	s = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port }, args: ['--config', file] })
	p = await s.project()
	owner = await p.user({ name: 'Olga' })
})
after(async () => {
	await s.stop()
	box.stop()
	gate.close()
	rmSync(dir, { recursive: true })
})

describe('who is invited', () => {
	test('by id: the mail goes to the address of the user, the message to the phone of one without', async () => {
		const t = await team(), u = await p.user({ name: 'Ned' }), m = await ok(invite(owner, t, { userId: u.id, roles: ['player'] }))
		assert.deepEqual([m.userId, m.confirm, m.roles, m.userPhone], [u.id, false, ['player'], ''])
		assert.equal((await ok(accept(parts((await box.next(u.email)).link)), 200)).confirm, true)
		const phone = number(), v = await ok(p.call('POST', '/users', { body: { userId: 'unique()', phone } }))
		await ok(invite(owner, t, { userId: v.$id }))
		const q = parts((await text(phone)).Body)
		assert.deepEqual([q.teamId, q.userId], [t, v.$id])
		const r = await accept(q)
		assert.equal(r.status, 200, r.text)
		const me = (await guest('GET', '/account', undefined, { cookie: cookieOf(r) })).body, now = (await guest('GET', '/account/sessions/current', undefined, { cookie: cookieOf(r) })).body
		assert.deepEqual([me.phone, me.phoneVerification, now.provider, now.providerUid, now.factors], [phone, true, 'phone', phone, ['phone']])
		fails(await accept(q), 409, 'membership_already_confirmed')
	})

	test('an e-mail address may begin with +', async () => {
		const t = await team(), email = `+${mail()}`
		await ok(invite(owner, t, { email }))
		const r = await accept(parts((await box.next(email)).link))
		assert.equal(r.status, 200, r.text)
		const at = { cookie: cookieOf(r) }, me = (await guest('GET', '/account', undefined, at)).body, now = (await guest('GET', '/account/sessions/current', undefined, at)).body
		assert.deepEqual([me.email, me.emailVerification, now.provider, now.providerUid, now.factors], [email, true, 'email', email, ['email']])
	})

	test('by phone: whoever has none yet gets an account', async () => {
		const t = await team(), phone = number(), m = await ok(invite(owner, t, { phone, name: 'Pam' }))
		assert.deepEqual([m.userName, m.userEmail, m.confirm], ['Pam', '', false])
		const q = parts((await text(phone)).Body), u = await p.ok('GET', `/users/${q.userId}`)
		assert.deepEqual([u.phone, u.phoneVerification], [phone, false])
		assert.equal((await accept({ ...q, secret: 'x' })).body.type, 'team_invalid_secret')
		/* another one renews it */
		await ok(invite(owner, t, { phone }))
		const again = parts((await text(phone)).Body)
		assert.equal(again.membershipId, q.membershipId)
		fails(await accept(q), 401, 'team_invalid_secret')
		assert.equal((await accept(again)).status, 200)
	})

	test('a message has room for a page, ids and the secret; a long name of a team is left out', async () => {
		const t = await team(), phone = number(), page = `${url}?x=${'y'.repeat(300 - url.length - 3)}`
		for (const long of [`${page}y`, `${url}?x=${'y'.repeat(8000)}`]) {
			const r = await invite(owner, t, { phone, url: long })
			fails(r, 400, 'general_argument_invalid')
			assert.equal(r.body.message, 'Invalid `url` param: It has at most 300 bytes in a short message')
		}
		await ok(invite(owner, t, { phone, url: page }))
		const plain = parts((await text(phone)).Body)
		assert.deepEqual([plain.teamId, plain.teamName, plain.x.length], [t, 'Red', 300 - url.length - 3])
		const long = (await owner.ok('POST', '/teams', { body: { teamId: 'unique()', name: '\u{1f600}'.repeat(60) } })).$id
		await ok(invite(owner, long, { phone, url: page }))
		const { Body } = await text(phone), q = parts(Body)
		assert.ok(Body.length < 1100, Body)
		assert.deepEqual([q.teamId, q.teamName], [long, undefined])
		assert.equal((await accept(q)).status, 200)
		/* a mail has room, and who is named by id may have a number alone */
		await ok(invite(owner, t, { email: mail(), url: `${page}y` }))
		const v = await ok(p.call('POST', '/users', { body: { userId: 'unique()', phone: number() } }))
		fails(await invite(owner, t, { userId: v.$id, url: `${page}y` }), 400, 'general_argument_invalid')
	})

	test('a number that is another\'s by now opens nothing', async () => {
		const t = await team(), phone = number()
		await ok(invite(owner, t, { phone }))
		const q = parts((await text(phone)).Body)
		await p.ok('PATCH', `/users/${q.userId}/phone`, { body: { number: number() } })
		fails(await accept(q), 401, 'team_invalid_secret')
	})

	test('of two addresses an account that is made has the one that is proved', async () => {
		const t = await team(), email = mail(), phone = number()
		await ok(invite(owner, t, { email, phone }))
		await ok(invite(owner, t, { email, phone }))
		const u = await p.ok('GET', `/users/${(await box.next(email), parts((await box.next(email)).link)).userId}`)
		assert.deepEqual([u.email, u.phone], [email, ''])
		const m = await ok(invite(p, t, { email: mail(), phone, url: undefined }))
		assert.equal(m.userPhone, phone, 'a server may say both')
		fails(await invite(owner, t, { email: m.userEmail, phone: number() }), 409, 'user_already_exists')
	})

	test('errors', async () => {
		const t = await team(), u = await p.user(), bare = await ok(p.call('POST', '/users', { body: { userId: 'unique()' } }))
		for (const [body, message] of [[{}, 'At least one of userId, email, or phone is required'], [{ email: mail(), url: undefined }, 'URL is required']]) {
			const r = await invite(owner, t, body)
			fails(r, 400, 'general_argument_invalid')
			assert.equal(r.body.message, message)
		}
		fails(await invite(owner, t, { userId: 'nobody' }), 404, 'user_not_found')
		fails(await invite(owner, t, { userId: u.id, email: mail() }), 409, 'user_already_exists')
		fails(await invite(owner, t, { userId: u.id, phone: number() }), 409, 'user_already_exists')
		fails(await invite(owner, t, { userId: bare.$id }), 400, 'general_argument_invalid')
		for (const bad of [{ phone: '123' }, { email: 'x' }, { userId: 'no no' }, { userId: u.id, roles: ['x'.repeat(82)] }, { userId: u.id, roles: ['ok', 'not ok'] }])
			fails(await invite(owner, t, bad), 400, 'general_argument_invalid')
		assert.deepEqual((await ok(invite(p, t, { userId: u.id, url: undefined, roles: ['x'.repeat(81)] }))).roles, ['x'.repeat(81)])
		const old = await owner.call('POST', `/teams/${t}/memberships`, { body: { userId: u.id, roles: [], url } })
		fails(old, 400, 'general_argument_invalid')
		assert.equal(old.body.message, 'Param "email" is not optional.')
	})

	test('a server adds at once, also who is only invited so far', async () => {
		const t = await team(), u = await p.user()
		assert.equal((await ok(invite(owner, t, { userId: u.id }))).confirm, false)
		assert.equal((await p.ok('GET', `/teams/${t}`)).total, 1)
		const m = await ok(invite(p, t, { userId: u.id, roles: ['player'] }))
		assert.deepEqual([m.confirm, m.roles], [true, ['player']])
		assert.equal((await p.ok('GET', `/teams/${t}`)).total, 2)
		assert.equal((await u.call('GET', `/teams/${t}`)).status, 200)
		fails(await invite(p, t, { userId: u.id }), 409, 'membership_already_confirmed')
		fails(await invite(owner, t, { userId: u.id }), 409, 'membership_already_confirmed')
		fails(await accept(parts((await box.next(u.email)).link)), 409, 'membership_already_confirmed')
		const v = await p.user()
		const rs = await Promise.all([1, 2, 3, 4].map(() => invite(p, t, { userId: v.id })))
		assert.deepEqual(rs.map((r) => r.status).sort(), [201, 409, 409, 409])
		assert.equal((await p.ok('GET', `/teams/${t}`)).total, 3)
	})

	test('who is signed in stays so', async () => {
		const t = await team(), u = await p.user()
		const before_ = (await u.ok('GET', '/account/sessions')).total
		await ok(invite(owner, t, { userId: u.id }))
		await p.ok('PATCH', `/users/${u.id}/verification`, { body: { emailVerification: true } })
		psql(`UPDATE p_${psql(`SELECT internal FROM badal.projects WHERE id = '${p.id}'`)}.users SET email_proved = true WHERE id = '${u.id}'`)
		const r = await accept(parts((await box.next(u.email)).link), (m, target, body) => as(u, m, target, body))
		assert.equal(r.status, 200, r.text)
		assert.equal(r.headers['set-cookie'], undefined)
		assert.equal((await u.ok('GET', '/account/sessions')).total, before_)
	})
})

describe('what members are shown of each other', () => {
	const columns = ['user_name', 'user_email', 'user_phone', 'user_id', 'accessed', 'mfa']
	let q, t, a, b, m
	const show = (list) => {
		psql(`UPDATE badal.projects SET ${columns.map((c) => `members_${c} = ${list.includes(c)}`).join(', ')} WHERE id = '${q.id}'`)
		return q.console.ok('PATCH', `/projects/${q.id}`, { body: { name: unique() } })	/* so that it is read anew */
	}
	const get = (u) => ok(as(u, 'GET', `/teams/${t}/memberships/${m.$id}`), 200)
	const list = (u, query = '') => as(u, 'GET', `/teams/${t}/memberships${query}`)
	const filter = (attribute, ...values) => '?queries[]=' + encodeURIComponent(JSON.stringify({ method: 'equal', attribute, values }))

	before(async () => {
		q = await s.project()
		a = await q.user({ name: 'Ann' })
		b = await q.user({ name: 'Ben' })
		await q.ok('PATCH', `/users/${b.id}/phone`, { body: { number: number() } })
		t = await team(a)
		m = await ok(as(q, 'POST', `/teams/${t}/memberships`, { userId: b.id, roles: [] }))
	})

	test('nothing, each, all', async () => {
		const members = { user_name: 'userName', user_email: 'userEmail', user_phone: 'userPhone', user_id: 'userId', accessed: 'userAccessedAt' }
		const full = await get(q)
		for (const key of Object.values(members)) assert.ok(full[key], key)
		for (const shown of [[], ...Object.keys(members).map((k) => [k]), Object.keys(members)]) {
			await show(shown)
			const want = Object.fromEntries(Object.entries(members).map(([k, key]) => [key, shown.includes(k) ? full[key] : '']))
			for (const x of [await get(a), (await ok(list(a), 200)).memberships.find((y) => y.$id === m.$id)])
				assert.deepEqual(Object.fromEntries(Object.values(members).map((key) => [key, x[key]])), want, shown.join())
			assert.deepEqual(await get(q), full)
			assert.deepEqual((await ok(as({ call: q.admin }, 'GET', `/teams/${t}/memberships/${m.$id}`), 200)), full)
		}
	})

	test('who invites hears what it named, and no more', async () => {
		await show([])
		const c = await q.user({ name: 'Cleo' }), d = await q.user({ name: 'Dan' }), red = await team(a), blue = await team(a), whole = (x) => [x.userId, x.userName, x.userEmail]
		const by = async (body) => { const r = await invite(a, red, body); assert.equal(r.status, 201, r.text); return r.body }
		const one = await by({ userId: c.id }), email = mail()
		assert.deepEqual(whole(one), [c.id, '', ''])
		assert.deepEqual(whole(await ok(as(a, 'POST', `/teams/${blue}/memberships`, { userId: c.id, roles: [], url }, { headers: { 'x-appwrite-response-format': '1.8.0' } }))), [c.id, '', ''])
		assert.deepEqual(whole(await by({ userId: c.id, email: c.email })), [c.id, '', c.email])
		/* whether there was an account is not said: a name is the caller's own word */
		for (const who of [d.email, email]) assert.deepEqual(whole(await by({ email: who, name: 'Eve' })).slice(1), ['Eve', who])
		const unnamed = mail()
		for (const who of [(await q.user({ name: 'Finn' })).email, unnamed]) assert.deepEqual(whole(await by({ email: who })).slice(1), ['', who])
		const change = async (who) => whole(await ok(as(who, 'PATCH', `/teams/${red}/memberships/${one.$id}`, { roles: [unique('r')] }), 200))
		assert.deepEqual(await change(a), ['', '', ''])
		assert.deepEqual(await change(q), [c.id, 'Cleo', c.email])
		await show(['user_name', 'user_email', 'user_id'])
		assert.deepEqual(await change(a), [c.id, 'Cleo', c.email])
		assert.deepEqual(whole(await by({ userId: c.id })), [c.id, 'Cleo', c.email])
	})

	test('logs of a team say who acted where members see each other', async () => {
		const red = await team(a), n = await ok(as(q, 'POST', `/teams/${red}/memberships`, { userId: b.id, roles: ['owner'] }))
		await ok(as(b, 'PATCH', `/teams/${red}/memberships/${n.$id}`, { roles: ['owner', 'x'] }, { headers: { ...today, 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' } }), 200)
		const logs = async (who) => (await until('both', async () => { const r = (await ok(as(who, 'GET', `/teams/${red}/logs`), 200)).logs; return r.length === 2 && r })).map((l) => [l.userId, l.userName, l.clientName])
		for (const [shown, ...want] of [[[], '', ''], [['user_id'], b.id, ''], [['user_name'], '', 'Ben'], [['user_id', 'user_name'], b.id, 'Ben']]) {
			await show(shown)
			assert.deepEqual(await logs(a), [[...want, ''], [a.id, 'Ann', '']], shown.join())
			assert.deepEqual(await logs(q), [[b.id, 'Ben', 'Firefox'], [a.id, 'Ann', '']])
		}
	})

	test('what is hidden cannot be asked for', async () => {
		await show(['user_id'])
		assert.equal((await ok(list(a, filter('userId', b.id)), 200)).total, 1)
		assert.equal((await ok(list(a, `?search=${b.id}`), 200)).total, 1)
		await show([])
		fails(await list(a, filter('userId', b.id)), 400, 'general_argument_invalid')
		fails(await list(a, '?queries[]=' + encodeURIComponent(JSON.stringify({ method: 'orderAsc', attribute: 'userId', values: [] }))), 400, 'general_argument_invalid')
		assert.equal((await ok(list(a, `?search=${b.id}`), 200)).total, 0)
		assert.equal((await ok(list(a, `?search=${m.$id}`), 200)).total, 1)
		assert.equal((await ok(list(a, filter('$id', m.$id)), 200)).total, 1)
		assert.equal((await ok(list(q, filter('userId', b.id)), 200)).total, 1)
	})

	test('sockets are told no more, by frames and by what their queries find', async () => {
		const question = (attribute, value) => JSON.stringify({ method: 'equal', attribute, values: [value] })
		const change = () => as(q, 'PATCH', `/teams/${t}/memberships/${m.$id}`, { roles: [unique('r')] })
		for (const shown of [['user_name'], []]) {
			await show(shown)
			const w = await listen(s, `project=${q.id}`, { cookie: a.cookie })
			await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'all', channels: ['memberships'] }, { subscriptionId: 'email', channels: ['memberships'], queries: [question('userEmail', b.email)] },
				{ subscriptionId: 'name', channels: ['memberships'], queries: [question('userName', 'Ben')] }, { subscriptionId: 'id', channels: ['memberships'], queries: [question('userId', b.id)] }] })
			await change()
			const e = await w.event()
			assert.deepEqual([e.payload.userName, e.payload.userEmail, e.payload.userId], [shown.length ? 'Ben' : '', '', ''])
			assert.ok(!w.text.includes(b.email) && !w.text.includes(b.id), w.text)
			assert.deepEqual(e.subscriptions.sort(), shown.length ? ['all', 'name'] : ['all'])
			w.end()
		}
	})
})

describe('the memberships of a user', () => {
	test('pages and filters', async () => {
		const u = await p.user(), teams = []
		for (let i = 0; i < 3; i++) {
			teams.push(await team())
			await ok(invite(p, teams[i], { userId: u.id, roles: [`r${i}`] }))
		}
		const list = (query) => as(p, 'GET', `/users/${u.id}/memberships${query}`), q = (...v) => '?' + v.map((x) => `queries[]=${encodeURIComponent(JSON.stringify(x))}`).join('&')
		const whole = (await list('')).body
		assert.deepEqual([whole.total, whole.memberships.map((m) => m.teamId)], [3, teams])
		assert.ok(whole.memberships.every((m) => m.userEmail === u.email && m.teamName === 'Red'))
		assert.deepEqual((await list(q({ method: 'equal', attribute: 'teamId', values: [teams[1]] }))).body.memberships.map((m) => m.teamId), [teams[1]])
		const page = (await list(q({ method: 'limit', values: [1] }, { method: 'offset', values: [1] }))).body
		assert.deepEqual([page.total, page.memberships.map((m) => m.teamId)], [3, [teams[1]]])
		assert.equal((await list(`?search=${whole.memberships[2].$id}`)).body.total, 1)
		fails(await list(q({ method: 'equal', attribute: 'userEmail', values: ['x'] })), 400, 'general_argument_invalid')
		fails(await as(p, 'GET', '/users/nobody/memberships'), 404, 'user_not_found')
		assert.equal((await p.ok('GET', `/users/${u.id}/memberships`)).total, 3)
	})
})

describe('a team of the console keeps an owner', () => {
	test('the only one cannot go, nor be less', async () => {
		const c = p.console, t = (await c.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'Org' } })).$id
		const call = (m, target, body) => c.call(m, target, { body, headers: today })
		const mine = (await call('GET', `/teams/${t}/memberships`)).body.memberships[0]
		fails(await call('PATCH', `/teams/${t}/memberships/${mine.$id}`, { roles: ['developer'] }), 400, 'membership_downgrade_prohibited')
		fails(await call('DELETE', `/teams/${t}/memberships/${mine.$id}`), 400, 'membership_deletion_prohibited')
		assert.equal((await call('PATCH', `/teams/${t}/memberships/${mine.$id}`, { roles: ['owner', 'developer'] })).status, 200)
		/* a client of 1.0 goes as it did */
		assert.equal((await c.call('DELETE', `/teams/${t}/memberships/${mine.$id}`)).status, 204)
	})
})
