/* What a project asks of sessions and passwords, as clients of today know it: limits, lengths, alerts, what a new password ends, and what one has to be. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { cookieOf, server, unique } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { fails } from './lib.mjs'

let s, p, box
const today = { headers: { 'x-appwrite-response-format': '1.9.5' } }
const mail = () => `${unique('m')}@example.org`
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
const policy = (q, id, body) => q.admin('PATCH', `/project/policies/${id}`, { ...today, body }).then((r) => assert.equal(r.status, 200, r.text))
const signIn = (q, u, o = {}) => q.guest('POST', '/account/sessions/email', { ...today, body: { email: u.email, password: u.password }, ...o })
const sessions = async (q, u) => (await q.ok('GET', `/users/${u.id}/sessions`, today)).sessions
const link = (m) => Object.fromEntries(new URL(m.text.match(/https?:\S+/)[0]).searchParams)

before(async () => {
	box = await sink()
	s = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port } })
	p = await s.project()
})
after(async () => {
	await s.stop()
	box.stop()
})

describe('sessions', () => {
	test('are not begun by who has one, but for clients of before and the console\'s people', async () => {
		const u = await p.user(), body = { email: u.email, password: u.password }
		const r = await u.call('POST', '/account/sessions/email', { ...today, body })
		fails(r, 401, 'user_session_already_exists')
		assert.equal(r.body.message, 'Creation of a session is prohibited when a session is active.')
		fails(await u.call('POST', '/account/sessions/anonymous', today), 401, 'user_session_already_exists')
		fails(await u.call('POST', '/account/sessions/email', { ...today, body: {} }), 401, 'user_session_already_exists')	/* before anything of the body is looked at */
		for (const [m, at] of [['POST', 'token'], ['PUT', 'magic-url'], ['PUT', 'phone']]) fails(await u.call(m, `/account/sessions/${at}`, { ...today, body: { userId: u.id, secret: 'x' } }), 401, 'user_session_already_exists')
		assert.equal((await u.call('POST', '/account/sessions/email', { body })).status, 201)
		assert.equal((await p.admin('POST', '/account/sessions/email', { ...today, body })).status, 201)
	})

	test('are as many as the project lets them, however many begin at once', async () => {
		const q = await s.project(), u = await q.user()
		await policy(q, 'session-limit', { total: 2 })
		for (let i = 0; i < 3; i++) assert.equal((await signIn(q, u)).status, 201)
		const now = await sessions(q, u)
		assert.equal(now.length, 2)
		assert.ok((await Promise.all(Array.from({ length: 6 }, () => signIn(q, u)))).every((r) => r.status === 201))
		const then = await sessions(q, u)
		assert.equal(then.length, 2)
		assert.ok(then.every((x) => !now.some((y) => y.$id === x.$id)))
		/* those that a server begins are its own affair */
		for (let i = 0; i < 2; i++) assert.equal((await q.call('POST', `/users/${u.id}/sessions`, today)).status, 201)
		assert.equal((await sessions(q, u)).length, 4)
	})

	test('last as long as the project says, and so do their cookies', async () => {
		const q = await s.project(), u = await q.user()
		await policy(q, 'session-duration', { duration: 3600 })
		const r = await signIn(q, u), lasts = (x) => Math.abs(Date.parse(x.expire) - Date.now() - 3600000) < 60000
		assert.ok(lasts(r.body))
		const [, until] = String(r.headers['set-cookie']).match(/expires=([^;]+);/)
		assert.ok(Math.abs(Date.parse(until.replaceAll('-', ' ')) - Date.now() - 3600000) < 60000, until)
		const schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${q.id}'`)
		psql(`UPDATE ${schema}.sessions SET expire = now() + interval '1 minute' WHERE id = '${r.body.$id}'`)
		assert.ok(lasts(await q.guest('PATCH', '/account/sessions/current', { ...today, cookie: cookieOf(r) }).then((x) => x.body)))
	})

	test('are told by mail, where the project has it so', async () => {
		const q = await s.project(), u = { email: mail(), password: 'correct-horse' }
		await q.ok('POST', '/users', { body: { userId: 'unique()', ...u } })
		await policy(q, 'session-alert', { enabled: true })
		assert.equal((await signIn(q, u)).status, 201)	/* the only one */
		const r = await signIn(q, u, { headers: { ...today.headers, 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0' } })
		const m = await box.next(u.email)
		assert.equal(m.headers.subject, 'New sign-in to your account')
		assert.ok(m.text.includes("127.0.0.1") && m.text.includes(r.body.clientName), `${r.body.clientName} ${m.text}`)
		/* a code by mail tells of itself */
		const t = await q.guest('POST', '/account/tokens/email', { ...today, body: { userId: 'unique()', email: u.email } }), code = (await box.next(u.email)).text.match(/^\d{6}$/m)[0]
		assert.equal((await q.guest('POST', '/account/sessions/token', { ...today, body: { userId: t.body.userId, secret: code } })).status, 201)
		assert.equal((await q.guest('POST', '/account/recovery', { body: { email: u.email, url: 'http://localhost/r' } })).status, 201)
		assert.equal((await box.next(u.email)).headers.subject, 'Password Reset')
		assert.equal(r.status, 201)
	})

	test('end by a new password, but for the one that it came with, where the project has it so', async () => {
		for (const ends of [true, false]) {
			const q = await s.project(), u = await q.user()
			await policy(q, 'session-invalidation', { enabled: ends })
			await signIn(q, u)
			await u.ok('PATCH', '/account/password', { ...today, body: { password: 'another-horse', oldPassword: u.password } })
			assert.equal((await sessions(q, u)).length, ends ? 1 : 2)
			assert.equal((await u.call('GET', '/account')).status, 200)
			await q.ok('PATCH', `/users/${u.id}/password`, { ...today, body: { password: 'a-third-horse' } })
			assert.equal((await sessions(q, u)).length, ends ? 0 : 2)
			assert.equal((await u.call('GET', '/account')).status, ends ? 401 : 200)
		}
	})
})

describe('a new password', () => {
	/* Everywhere one is set. */
	async function everywhere(q, bad, check, begin = async () => {}) {
		const u = await q.user()
		await begin()
		const make = (password) => ({ userId: 'unique()', email: mail(), password })
		await q.guest('POST', '/account/recovery', { body: { email: u.email, url: 'http://localhost/r' } })
		const proof = link(await box.next(u.email)), anonymous = cookieOf(await q.guest('POST', '/account/sessions/anonymous'))
		const all = (password, o = today) => Promise.all([
			q.guest('POST', '/account', { ...o, body: make(password) }), q.call('POST', '/users', { ...o, body: make(password) }),
			u.call('PATCH', '/account/password', { ...o, body: { password, oldPassword: u.password } }), q.call('PATCH', `/users/${u.id}/password`, { ...o, body: { password } }),
			q.guest('PUT', '/account/recovery', { ...o, body: { userId: proof.userId, secret: proof.secret, password, passwordAgain: password } }),
			q.guest('PATCH', '/account/email', { ...o, cookie: anonymous, body: { email: mail(), password } }),
		])
		for (const r of await all(bad)) check(r)
		return { u, all }
	}
	const refused = (words) => (r) => { fails(r, 400, 'general_argument_invalid'); assert.match(r.body.message, words) }

	test('has 8 to 256 bytes; clients of before have no upper bound', async () => {
		const { u } = await everywhere(p, 'x'.repeat(257), refused(/^Invalid `password` param: Password must be between 8 and 265 characters long\.$/))
		assert.equal((await p.call('PATCH', `/users/${u.id}/password`, { body: { password: 'x'.repeat(257) } })).status, 200)
		assert.equal((await p.call('PATCH', `/users/${u.id}/password`, { ...today, body: { password: 'x'.repeat(256) } })).status, 200)
	})

	test('is none of the most common ones', async () => {
		const q = await s.project(), words = /Password must be between 8 and 265 characters long, and should not be one of the commonly used password\.$/
		assert.equal((await q.call('POST', '/users', { ...today, body: { userId: 'unique()', email: mail(), password: 'password' } })).status, 201)
		await policy(q, 'password-dictionary', { enabled: true })
		await everywhere(q, 'password', refused(words))
		const set = (password, o) => q.call('POST', '/users', { ...o, body: { userId: 'unique()', email: mail(), password } })
		for (const one of ['00000000', 'baseball', 'zzzzzzzz', 'password1']) refused(words)(await set(one, today))
		for (const one of ['Password', 'password ', 'zzzzzzzzzzzzzzzz1', '!!!!!!!!~', 'correct-horse']) assert.equal((await set(one, today)).status, 201, one)
		const old = await set('password')
		refused(/^Invalid password: /)(old)
	})

	test('has what the project wants to be in it', async () => {
		const q = await s.project()
		await everywhere(q, 'aB3-5678', refused(/between 10 and 265/), () => policy(q, 'password-strength', { min: 10, uppercase: true, lowercase: true, number: true, symbols: true }))
		const set = (password) => q.call('POST', '/users', { ...today, body: { userId: 'unique()', email: mail(), password } })
		for (const [bad, words] of [['ab3-567890', /uppercase/], ['AB3-567890', /lowercase/], ['aBc-defghi', /number/], ['aB34567890', /special/], ['aB3 567890', /special/]]) refused(words)(await set(bad))
		assert.equal((await set('aB3-567890')).status, 201)
	})

	test('contains nothing that says whose it is', async () => {
		const q = await s.project()
		await policy(q, 'password-personal-data', { enabled: true })
		const set = (password, more) => q.call('POST', '/users', { ...today, body: { userId: unique('Who'), email: mail(), name: 'Ada Byron', phone: `+49155${String(Math.random()).slice(2, 11)}`, password, ...more } })
		for (const [more, password] of [[{ userId: 'Countess' }, 'my-countess-1'], [{ email: 'lovelace@example.org' }, 'xLoveLacex'], [{ email: 'ada1815@example.org' }, '-ada1815@EXAMPLE.org-'], [{}, 'i-am-ADA byron'],
			[{ phone: '+4915550009' }, 'call-4915550009'], [{ phone: '+4915550009' }, 'call+4915550009']]) fails(await set(password, more), 400, 'password_personal_data')
		assert.equal((await set('correct-horse')).status, 201)
		assert.equal((await set('a-new-horse', { name: 'ho' })).status, 201)
		const u = await q.user()
		fails(await u.call('PATCH', '/account/password', { ...today, body: { password: `-${u.email}`, oldPassword: u.password } }), 400, 'password_personal_data')
		fails(await q.guest('POST', '/account', { ...today, body: { userId: 'unique()', email: 'somebody@example.org', password: 'Somebody-1' } }), 400, 'password_personal_data')
	})

	test('is none that was used before, as far as the project remembers', async () => {
		const q = await s.project(), u = await q.user()
		await policy(q, 'password-history', { total: 2 })
		let now = u.password
		const set = async (password) => { const r = await u.call('PATCH', '/account/password', { ...today, body: { password, oldPassword: now } }); if (r.status === 200) now = password; return r }
		fails(await set(u.password), 400, 'password_recently_used')
		for (const one of ['first-horse', 'second-horse']) assert.equal((await set(one)).status, 200)
		for (const one of ['first-horse', 'second-horse']) fails(await set(one), 400, 'password_recently_used')
		fails(await q.call('PATCH', `/users/${u.id}/password`, { ...today, body: { password: 'first-horse' } }), 400, 'password_recently_used')
		/* whoever has no token is not told */
		await q.guest('POST', '/account/recovery', { body: { email: u.email, url: 'http://localhost/r' } })
		const proof = link(await box.next(u.email)), recover = (secret, password) => q.guest('PUT', '/account/recovery', { ...today, body: { userId: u.id, secret, password } })
		fails(await recover('wrong', 'first-horse'), 401, 'user_invalid_token')
		fails(await recover(proof.secret, 'first-horse'), 400, 'password_recently_used')
		assert.equal((await recover(proof.secret, 'third-horse')).status, 200)
		now = 'third-horse'
		const r = await signIn(q, { email: u.email, password: now })
		u.call = (m, t, o) => q.guest(m, t, { ...o, cookie: cookieOf(r) })
		assert.equal((await set('first-horse')).status, 200)
		/* nor while there is none, nor by an account that gets one with its address */
		assert.equal((await q.call('PATCH', `/users/${u.id}/password`, { ...today, body: { password: '' } })).status, 200)
		fails(await q.call('PATCH', `/users/${u.id}/password`, { ...today, body: { password: 'third-horse' } }), 400, 'password_recently_used')
		assert.equal((await q.call('PATCH', `/users/${u.id}/email`, { ...today, body: { email: '' } })).status, 200)
		const move = (password) => u.call('PATCH', '/account/email', { ...today, body: { email: mail(), password } })
		fails(await move('first-horse'), 400, 'password_recently_used')
		assert.equal((await move('fourth-horse')).status, 200)
		now = 'fourth-horse'
		await policy(q, 'password-history', { total: null })
		assert.equal((await set('third-horse')).status, 200)
		assert.equal(psql(`SELECT count(*) FROM p_${psql(`SELECT internal FROM badal.projects WHERE id = '${q.id}'`)}.passwords`), '0')
	})
})
