/* The account and users services as clients of today know them: errors that hide whose an address is, values that are taken away, mock numbers, ends of accounts. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { cookieOf, server, unique } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { listen } from '../lib/ws.mjs'
import { fails } from './lib.mjs'

let s, p, box, schema
const today = { headers: { 'x-appwrite-response-format': '1.9.5' } }
const mail = () => `${unique('m')}@example.org`, number = () => `+49155${String(Math.random()).slice(2, 11)}`
const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
const guest = (m, at, body, o = {}) => p.guest(m, at, { body, ...today, ...o })
const key = (m, at, body, o = {}) => p.call(m, at, { body, ...today, ...o })
/* Somebody has this address at a provider (which says so, or not), and another one here. */
async function linked(vouched = true) {
	const u = await p.user(), email = mail()
	psql(`INSERT INTO ${schema}.identities (user_internal, provider, provider_uid, created, email, email_vouched) SELECT internal, 'github', '${unique()}', now(), '${email}', ${vouched} FROM ${schema}.users WHERE id = '${u.id}'`)
	return { u, email }
}

before(async () => {
	box = await sink()
	s = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port } })
	p = await s.project()
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
})
after(async () => {
	await s.stop()
	box.stop()
})

test('who has to set a password first is nobody: 412, and a guest on connections', async () => {
	const u = await p.user(), v = await p.user()
	psql(`UPDATE ${schema}.users SET reset = true WHERE id = '${u.id}'`)
	await p.ok('PATCH', `/users/${u.id}/name`, { body: { name: 'Reset' } })	/* so that it is read anew */
	fails(await u.call('GET', '/account'), 412, 'user_password_reset_required')
	for (const [who, id] of [[u, undefined], [v, v.id]]) {
		const w = await listen(s, `project=${p.id}&channels[]=account`, { cookie: who.cookie })
		assert.equal(w.hello.data.user?.$id, id)
		w.end()
	}
})

test('an address that somebody has at a provider is nobody\'s to sign up with', async () => {
	const { u, email } = await linked(), body = { userId: 'unique()', email, password: 'correct-horse' }
	fails(await guest('POST', '/account', body), 400, 'general_bad_request')
	fails(await guest('POST', '/account/tokens/email', { userId: 'unique()', email }), 400, 'general_bad_request')
	fails(await guest('POST', '/account/tokens/magic-url', { userId: 'unique()', email, url: 'http://localhost/m' }), 409, 'user_email_already_exists')
	fails(await key('POST', '/users', body), 409, 'user_email_already_exists')
	const other = await p.user()
	fails(await key('PATCH', `/users/${other.id}/email`, { email }), 409, 'user_email_already_exists')
	fails(await other.call('PATCH', '/account/email', { ...today, body: { email, password: other.password } }), 400, 'general_bad_request')
	assert.equal((await u.call('PATCH', '/account/email', { ...today, body: { email, password: u.password } })).status, 200)
})

test('but one that the provider does not vouch for is nobody\'s', async () => {
	const bodies = []
	for (let i = 0; i < 4; i++) bodies.push({ userId: 'unique()', email: (await linked(false)).email, password: 'correct-horse' })
	assert.equal((await guest('POST', '/account', bodies[0])).status, 201)
	assert.equal((await guest('POST', '/account/tokens/email', { userId: 'unique()', email: bodies[1].email })).status, 201)
	assert.equal((await key('POST', '/users', bodies[2])).status, 201)
	const u = await p.user()
	assert.equal((await u.call('PATCH', '/account/email', { ...today, body: { email: bodies[3].email, password: u.password } })).status, 200)
})

test('a taken address is not told of, but to servers and clients of before', async () => {
	const u = await p.user(), other = await p.user(), body = { email: other.email, password: u.password }
	fails(await u.call('PATCH', '/account/email', { ...today, body }), 400, 'general_bad_request')
	fails(await u.call('PATCH', '/account/email', { body }), 409, 'user_email_already_exists')
	fails(await key('PATCH', `/users/${u.id}/email`, { email: other.email }), 409, 'user_email_already_exists')
	const tel = number()
	assert.equal((await key('PATCH', `/users/${other.id}/phone`, { number: tel })).status, 200)
	fails(await key('PATCH', `/users/${u.id}/phone`, { number: tel }), 409, 'user_phone_already_exists')
	fails(await p.call('PATCH', `/users/${u.id}/phone`, { body: { number: tel } }), 409, 'user_email_already_exists')
})

test('the password of somebody who was anonymous is one', async () => {
	const cookie = cookieOf(await guest('POST', '/account/sessions/anonymous', {})), email = mail(), password = 'password-1234', change = (body) => guest('PATCH', '/account/password', body, { cookie })
	const r = await guest('PATCH', '/account/email', { email, password }, { cookie })
	assert.equal(r.status, 200, r.text)
	assert.notEqual(r.body.passwordUpdate, '')
	assert.equal((await guest('POST', '/account/sessions/email', { email, password })).status, 201)
	fails(await change({ password: 'password-5678' }), 401, 'user_invalid_credentials')
	assert.equal((await change({ password: 'password-5678', oldPassword: password })).status, 200)
})

test('servers take address, number, name and password away', async () => {
	const u = await p.user()
	assert.equal((await key('PATCH', `/users/${u.id}/phone`, { number: number() })).status, 200)
	const r = await key('PATCH', `/users/${u.id}/phone`, { number: '' })
	assert.deepEqual([r.status, r.body.phone, r.body.targets.length], [200, '', 1])
	const e = await key('PATCH', `/users/${u.id}/email`, { email: '' })
	assert.deepEqual([e.status, e.body.email, e.body.emailVerification, e.body.targets], [200, '', false, []])
	assert.equal((await key('PATCH', `/users/${u.id}/name`, { name: '' })).body.name, '')
	assert.equal((await key('PATCH', `/users/${u.id}/email`, { email: u.email })).status, 200)
	const w = await key('PATCH', `/users/${u.id}/password`, { password: '' })
	assert.deepEqual([w.status, w.body.password, w.body.passwordUpdate], [200, '', ''])
	fails(await guest('POST', '/account/sessions/email', { email: u.email, password: u.password }), 401, 'user_invalid_credentials')
	for (const [at, body] of [['phone', { number: '' }], ['email', { email: '' }], ['password', { password: '' }], ['name', { name: '' }]]) fails(await p.call('PATCH', `/users/${u.id}/${at}`, { body }), 400, 'general_argument_invalid')
})

test('verification: what there is none of, and what is verified already', async () => {
	const u = await p.user(), url = 'http://localhost/v', ask = (at, body) => u.call('POST', `/account/verifications/${at}`, { ...today, body })
	assert.equal((await key('PATCH', `/users/${u.id}/verification`, { emailVerification: true })).status, 200)
	fails(await ask('email', { url }), 409, 'user_email_already_verified')
	assert.equal((await key('PATCH', `/users/${u.id}/email`, { email: '' })).status, 200)
	fails(await ask('email', { url }), 400, 'user_email_not_found')
	const tel = number()
	assert.equal((await p.admin('POST', '/project/mock-phones', { ...today, body: { number: tel, otp: '123456' } })).status, 201)
	assert.equal((await key('PATCH', `/users/${u.id}/phone`, { number: tel })).status, 200)
	const t = await ask('phone')
	assert.equal(t.status, 201, t.text)
	/* a code may be confirmed by anybody who has it */
	fails(await guest('PUT', '/account/verifications/phone', { userId: u.id, secret: '654321' }), 401, 'user_invalid_token')
	assert.equal((await guest('PUT', '/account/verifications/phone', { userId: u.id, secret: '123456' })).status, 200)
	assert.equal((await key('GET', `/users/${u.id}`)).body.phoneVerification, true)
	fails(await ask('phone'), 409, 'user_phone_already_verified')
})

test('the code of a mock number signs in, is sent nowhere, and takes no account over', async () => {
	const tel = number(), other = number()
	fails(await guest('POST', '/account/tokens/phone', { userId: 'unique()', phone: other }), 503, 'general_phone_disabled')
	assert.equal((await p.admin('POST', '/project/mock-phones', { ...today, body: { number: tel, otp: '424242' } })).status, 201)
	const u = await p.user()
	assert.equal((await key('PATCH', `/users/${u.id}/phone`, { number: tel })).status, 200)
	const t = await guest('POST', '/account/tokens/phone', { userId: 'unique()', phone: tel })
	assert.deepEqual([t.status, t.body.userId, t.body.secret], [201, u.id, ''], t.text)
	const rs = await Promise.all([1, 2, 3].map(() => guest('POST', '/account/sessions/token', { userId: u.id, secret: '424242' })))
	assert.deepEqual(rs.map((r) => r.status).sort(), [201, 401, 401])
	assert.equal(rs.find((r) => r.status === 201).body.provider, 'phone')
	assert.equal((await u.call('GET', '/account')).status, 200)
	assert.equal((await guest('POST', '/account/sessions/email', { email: u.email, password: u.password })).status, 201)
})

test('a mock number needs no calling code that is in use', async () => {
	const tel = `+999${number().slice(-9)}`, start = () => guest('POST', '/account/tokens/phone', { userId: 'unique()', phone: tel })
	fails(await start(), 400, 'general_argument_invalid')
	assert.equal((await p.admin('POST', '/project/mock-phones', { headers: { 'x-appwrite-response-format': '1.0.0' }, body: { number: tel, otp: '424242' } })).status, 201)
	const t = await start()
	assert.equal(t.status, 201, t.text)
	assert.equal((await guest('POST', '/account/sessions/token', { userId: t.body.userId, secret: '424242' })).status, 201)
	const at = `/project/mock-phones/${encodeURIComponent(tel)}`
	assert.equal((await p.admin('PUT', at, { ...today, body: { otp: '424243' } })).status, 200)
	assert.equal((await p.admin('DELETE', at, today)).status, 204)
	fails(await start(), 400, 'general_argument_invalid')
})

test('links are good for an hour, and show words when that is wanted', async () => {
	const email = mail(), r = await guest('POST', '/account/tokens/magic-url', { userId: 'unique()', email, url: 'http://localhost/m', phrase: true })
	assert.equal(r.status, 201, r.text)
	assert.match(r.body.phrase, /^[A-Z][a-z]+ [a-z]+$/)
	assert.ok(Math.abs(Date.parse(r.body.expire) - Date.now() - 3600000) < 60000)
	const m = await box.next(email)
	assert.ok(m.text.includes(r.body.phrase) && m.html.includes(r.body.phrase))
})

test('an account is deleted by its user, with all that it has; on the console by who is in no team', async () => {
	const u = await p.user()
	assert.equal((await u.call('DELETE', '/account', today)).status, 204)
	assert.equal((await u.call('GET', '/account')).status, 401)
	fails(await key('GET', `/users/${u.id}`), 404, 'user_not_found')
	fails(await guest('DELETE', '/account'), 401, 'general_unauthorized_scope')
	fails(await p.console.call('DELETE', '/account', today), 400, 'user_deletion_prohibited')
})
