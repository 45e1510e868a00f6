/* Codes by SMS: sign-in and verification, and the exact request of each provider, as a server in its place receives it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { cookieOf, dataDir, server, unique, until } from '../lib/server.mjs'
import { fails, keysOf, session } from './lib.mjs'

let s, p, gate, file, dir, refuse = 0, refusal = 503, asked = 0
const got = []
const number = () => `+49${String(BigInt(`0x${unique()}`) % 10n ** 11n).padStart(11, '0')}`
const send = (m, target, body, o = {}) => p.guest(m, target, { body, ...o })

/* The settings of the next messages. What comes with them has the provider's name before its path. */
function use(provider, secret = 'se:cr@t', from = '+4911223344') {
	const url = `http://127.0.0.1:${gate.address().port}/${provider}`
	writeFileSync(file, `sms_provider = "sms://AC1:${secret}@${provider}"\nsms_from = "${from}"\nsms_url = "${url}"\n`, { mode: 0o644 })
}

/* A request that carries the code for `phone`: asks until one came by the new settings. */
async function ask(provider, phone, o) {
	for (;;) {
		const r = await send('POST', '/account/sessions/phone', { userId: 'unique()', phone }, o)
		assert.equal(r.status, 201, r.text)
		const one = await until('a message', () => got.shift())
		if (one.url.startsWith(`/${provider}/`)) return { ...one, url: one.url.slice(provider.length + 1), userId: r.body.userId }
	}
}

before(async () => {
	gate = http.createServer((rq, rs) => {
		let body = ''
		rq.on('data', (d) => (body += d))
		rq.on('end', () => {
			asked++
			rs.statusCode = refuse-- > 0 ? refusal : 200
			if (rs.statusCode === 200) got.push({ method: rq.method, url: rq.url, headers: rq.headers, body })
			rs.end('{"error":"not se:cr@t"}')
		})
	})
	await new Promise((ok) => gate.listen(0, '127.0.0.1', ok))
	gate.unref()
	dir = dataDir()
	file = path.join(dir, 'badal.conf')
	use('mock')
	s = await server({ own: true, conf: { web_processes: 1 }, args: ['--config', file] })
	p = await s.project({ name: 'SMS' })
})
after(async () => {
	await s.stop()
	gate.close()
	rmSync(dir, { recursive: true })
})

const today = { headers: { 'x-appwrite-response-format': '1.9.5' } }
const form = (list) => ({ type: 'application/x-www-form-urlencoded', read: (text) => [...new URLSearchParams(text)].map(([k, v]) => `${k}=${v}`), list })
const json = (list, type) => ({ type, read: (text) => Object.entries(JSON.parse(text)).map(([k, v]) => `${k}=${v}`), list })
const basic = `Basic ${Buffer.from('AC1:se:cr@t').toString('base64')}`
const providers = {
	twilio: { url: '/2010-04-01/Accounts/AC1/Messages.json', body: form(['Body=CODE', 'From=+4911223344', 'To=+TO']), headers: { authorization: basic } },
	'text-magic': { url: '/api/v2/messages', body: form(['text=CODE', 'from=4911223344', 'phones=TO']), headers: { 'x-tm-username': 'AC1', 'x-tm-key': 'se:cr@t' } },
	telesign: { url: '/v1/messaging', body: form(['message=CODE', 'message_type=otp', 'phone_number=TO']), headers: { authorization: basic } },
	msg91: { url: '/api/v5/flow/', body: json(['sender=AC1', 'otp=CODE', 'flow_id=+4911223344', 'mobiles=TO'], 'application/JSON'), headers: { authkey: 'se:cr@t' } },
	vonage: { url: '/sms/json', body: form(['text=CODE', 'from=+4911223344', 'to=TO', 'api_key=AC1', 'api_secret=se:cr@t']), headers: {} },
	mock: { url: '/mock-sms', body: json(['message=CODE', 'from=+4911223344', 'to=+TO'], 'application/json'), headers: { 'x-username': 'AC1', 'x-key': 'se:cr@t' } },
}

for (const [name, want] of Object.entries(providers)) {
	test(`what ${name} is sent`, async () => {
		use(name)
		s.kill('SIGHUP')
		const phone = number(), m = await ask(name, phone)
		assert.equal(m.method, 'POST')
		assert.equal(m.url, want.url)
		assert.equal(m.headers['content-type'], want.body.type)
		assert.equal(m.headers['user-agent'], 'Appwrite Phone Authentication')
		assert.equal(Number(m.headers['content-length']), m.body.length)
		for (const [k, v] of Object.entries(want.headers)) assert.equal(m.headers[k], v)
		assert.equal(m.headers.authorization, want.headers.authorization)
		const code = m.body.match(/\b\d{6}\b/)[0]
		assert.deepEqual(want.body.read(m.body), want.body.list.map((v) => v.replace('CODE', code).replace('TO', phone.slice(1))))
		/* clients of today have words around it, where the provider sends a text of ours */
		const other = number(), worded = await ask(name, other, today), secret = want.body.read(worded.body).join().match(/=(\d{6})\b/)[1]
		assert.deepEqual(want.body.read(worded.body), want.body.list.map((v) => v.replace('CODE', name === 'msg91' ? secret : `${secret} is your verification code for SMS.`).replace('TO', other.slice(1))))
		/* and it is the code */
		const r = await send('PUT', '/account/sessions/phone', { userId: m.userId, secret: code })
		assert.equal(r.status, 201, r.text)
	})
}

describe('with a provider', () => {
	before(async () => {
		use('mock')
		s.kill('SIGHUP')
		await ask('mock', number())
		got.length = 0
	})
	const text = async (phone) => JSON.parse((await until('the message', () => {
		const i = got.findIndex((m) => JSON.parse(m.body).to === phone)
		return i < 0 ? null : got.splice(i, 1)[0]
	})).body).message
	const code = async (phone) => (await text(phone)).match(/\d{6}/)[0]

	test('SDKs before 1.0 call the phone its number', async () => {
		const phone = number(), body = { userId: 'unique()', number: phone }
		const r = await send('POST', '/account/sessions/phone', body, { headers: { 'x-appwrite-response-format': '0.15.0' } })
		assert.equal(r.status, 201, r.text)
		assert.match(await code(phone), /^\d{6}$/)
		fails(await send('POST', '/account/sessions/phone', body), 400, 'general_argument_invalid')
	})

	test('words around the code: of clients of today, in the language of the request', async () => {
		const headers = { 'x-appwrite-locale': 'de' }, bare = /^\d{6}$/, en = /^\d{6} is your verification code for SMS\.$/, de = /^\d{6} ist Ihr Bestätigungscode für SMS\.$/
		for (const [route, o, want] of [['sessions/phone', {}, bare], ['sessions/phone', { headers }, bare], ['tokens/phone', {}, en], ['tokens/phone', { headers }, de],
			['tokens/phone', { headers: { 'x-appwrite-response-format': '1.0.0' } }, bare], ['sessions/phone', { headers: { ...headers, ...today.headers } }, de]]) {
			const phone = number()
			assert.equal((await send('POST', `/account/${route}`, { userId: 'unique()', phone }, o)).status, 201)
			assert.match(await text(phone), want)
		}
		const u = await p.user(), phone = number()
		await u.ok('PATCH', '/account/phone', { body: { phone, password: u.password } })
		for (const [route, want] of [['verification/phone', bare], ['verifications/phone', en]]) {
			assert.equal((await u.call('POST', `/account/${route}`, { body: {} })).status, 201)
			assert.match(await text(phone), want)
		}
		await p.ok('PATCH', `/users/${u.id}/verification/phone`, { body: { phoneVerification: true } })
		assert.equal((await u.call('POST', '/account/mfa/challenges', { body: { factor: 'phone' } })).status, 201)
		assert.match(await text(phone), en)
		const team = await u.ok('POST', '/teams', { body: { teamId: unique(), name: 'Team' } }), invited = number()
		assert.equal((await u.call('POST', `/teams/${team.$id}/memberships`, { body: { phone: invited, roles: [], url: 'http://localhost/in' }, ...today })).status, 201)
		assert.match(await text(invited), /^Invitation to a team of SMS: http:\/\/localhost\/in\?membershipId=\w+&userId=\w+&secret=\w+&teamId=\w+&teamName=Team$/)
	})

	test('a name of a project is words, on one line', async () => {
		const q = await s.project({ name: '{{secret}}\r\n{{project}} x' }), phone = number()
		assert.equal((await q.guest('POST', '/account/tokens/phone', { body: { userId: 'unique()', phone } })).status, 201)
		assert.match(await text(phone), /^\d{6} is your verification code for \{\{secret\}\}  \{\{project\}\} x\.$/)
	})

	test('a job that a former program left goes out as it is', async () => {
		const phone = number()
		execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atqc', `SELECT pg_logical_emit_message(true, 'job', E'sms ${unique()} 0 ${Date.now()}\\n${JSON.stringify({ to: phone, text: '123456' })}')`])
		assert.equal(await text(phone), '123456')
	})

	test('a new person signs in, once', async () => {
		const phone = number(), id = unique('u'), r = await send('POST', '/account/sessions/phone', { userId: id, phone })
		assert.equal(r.status, 201, r.text)
		assert.equal(r.body.secret, '')
		assert.equal(r.body.userId, id)
		assert.equal(Date.parse(r.body.expire) - Date.parse(r.body.$createdAt), 15 * 60000)
		const secret = await code(phone)
		assert.match(secret, /^\d{6}$/)
		const wrong = secret === '000000' ? '000001' : '000000'
		fails(await send('PUT', '/account/sessions/phone', { userId: id, secret: wrong }), 401, 'user_invalid_token')
		fails(await send('POST', '/account/sessions/token', { userId: id, secret: wrong }), 401, 'user_invalid_token')
		const rs = await Promise.all([1, 2, 3].map(() => send('PUT', '/account/sessions/phone', { userId: id, secret })))
		assert.deepEqual(rs.map((x) => x.status).sort(), [201, 401, 401])
		const done = rs.find((x) => x.status === 201)
		keysOf(done.body, session)
		assert.deepEqual([done.body.provider, done.body.providerUid], ['phone', ''])
		const me = (await p.guest('GET', '/account', { cookie: cookieOf(done) })).body
		assert.deepEqual([me.phone, me.phoneVerification, me.email], [phone, true, ''])
		/* again, and by the later request */
		assert.equal((await send('POST', '/account/tokens/phone', { userId: 'unique()', phone })).body.userId, id)
		const later = await send('POST', '/account/sessions/token', { userId: id, secret: await code(phone) })
		assert.equal(later.status, 201, later.text)
		assert.equal(later.body.provider, 'phone')
	})

	test('the own number is verified by its owner', async () => {
		const u = await p.user(), phone = number()
		fails(await u.call('POST', '/account/verification/phone', { body: {} }), 400, 'user_phone_not_found')
		await u.ok('PATCH', '/account/phone', { body: { phone, password: u.password } })
		const r = await u.call('POST', '/account/verification/phone', { body: {} })
		assert.equal(r.status, 201, r.text)
		const body = { userId: u.id, secret: await code(phone) }
		fails(await send('PUT', '/account/verification/phone', body), 401, 'user_invalid_token')
		fails(await (await p.user()).call('PUT', '/account/verification/phone', { body }), 401, 'user_invalid_token')
		assert.equal((await u.ok('GET', '/account')).phoneVerification, false)
		assert.equal((await u.call('PUT', '/account/verification/phone', { body })).status, 200)
		assert.equal((await u.ok('GET', '/account')).phoneVerification, true)
	})

	test('a code that verifies signs in as well, so it is good for an hour; clients of before have a week', async () => {
		for (const [version, hours] of [['1.9.5', 1], ['1.0.0', 168]]) {
			const u = await p.user(), phone = number()
			await u.ok('PATCH', '/account/phone', { body: { phone, password: u.password } })
			const r = await u.call('POST', '/account/verification/phone', { headers: { 'x-appwrite-response-format': version }, body: {} })
			assert.equal(r.status, 201, r.text)
			assert.ok(Math.abs(Date.parse(r.body.expire) - Date.now() - hours * 3600000) < 60000, r.body.expire)
		}
	})

	test('the newest code counts, and ends the one before it', async () => {
		const phone = number(), codes = []
		let userId
		for (let i = 0; i < 2; i++) {
			userId = (await send('POST', '/account/sessions/phone', { userId: 'unique()', phone })).body.userId
			codes.push(await code(phone))
		}
		const use = (i) => send('PUT', '/account/sessions/phone', { userId, secret: codes[i] })
		if (codes[0] !== codes[1]) fails(await use(0), 401, 'user_invalid_token')
		assert.equal((await use(1)).status, 201)
	})

	test('a code proves the number that it was sent to, and no other', async () => {
		const u = await p.user(), phone = number()
		await u.ok('PATCH', '/account/phone', { body: { phone, password: u.password } })
		assert.equal((await u.call('POST', '/account/verification/phone', { body: {} })).status, 201)
		const body = { userId: u.id, secret: await code(phone) }
		await u.ok('PATCH', '/account/phone', { body: { phone: number(), password: u.password } })
		fails(await u.call('PUT', '/account/verification/phone', { body }), 401, 'user_invalid_token')
		fails(await send('PUT', '/account/sessions/phone', body), 401, 'user_invalid_token')
		assert.equal((await u.ok('GET', '/account')).phoneVerification, false)
	})

	test('the team of the project sees the code', async () => {
		const phone = number(), r = await p.admin('POST', '/account/sessions/phone', { body: { userId: 'unique()', phone } })
		assert.equal(r.body.secret, await code(phone))
	})

	test('a message that is refused is sent again', async () => {
		for (refusal of [503, 429, 401]) {
			const phone = number()
			refuse = 1
			assert.equal((await send('POST', '/account/sessions/phone', { userId: 'unique()', phone })).status, 201)
			assert.match(await code(phone), /^\d{6}$/)
			assert.ok(refuse <= 0)
		}
	})

	test('a message that no number can get is given up at once; the log names neither number nor code nor secret', async () => {
		for (refusal of [400, 422]) {
			const phone = number(), was = asked
			refuse = 1
			const r = await p.admin('POST', '/account/sessions/phone', { body: { userId: 'unique()', phone } })
			await until('it is given up', () => new RegExp(`job given up.*kind=sms tries=1 .*the provider said ${refusal}`).test(s.log()))
			assert.equal(asked - was, 1)
			for (const text of [phone.slice(1), r.body.secret, 'se:cr@t']) assert.ok(!s.log().includes(text), text)
		}
	})

	test('numbers that are none', async () => {
		const was = asked
		for (const phone of ['', '+', '+1', '+0123456', '491234567', '+49 1234', ' +491234', '+491234 ', '+49-1234', '+49123;x', '+49123&to=+1', '+49123\n4', '+49123\u0000', '+4912345678901234', '+\u0664\u0669123456', 5, null, ['+491234'], { a: '+491234' }])
			fails(await send('POST', '/account/sessions/phone', { userId: 'unique()', phone }), 400, 'general_argument_invalid')
		assert.equal(asked, was)
	})

	test('numbers of today begin with a calling code; those of 1.0 need none', async () => {
		const was = asked, tail = () => number().slice(-8), old = { headers: { 'x-appwrite-response-format': '1.0.0' } }
		const key = await p.addKey(['users.write', 'mocks.write']), u = await p.user(), team = (await u.ok('POST', '/teams', { body: { teamId: unique(), name: 'T' } })).$id
		const by = (m, target, body, o) => s.call(m, target, { project: p.id, key, body, ...o }), ways = (phone, o) => [
			send('POST', '/account/tokens/phone', { userId: 'unique()', phone }, o), by('POST', '/users', { userId: 'unique()', phone }, o), by('PATCH', `/users/${u.id}/phone`, { number: phone }, o),
			u.call('PATCH', '/account/phone', { body: { phone, password: u.password }, ...o }), u.call('POST', `/teams/${team}/memberships`, { body: { phone, roles: [], url: 'http://localhost' }, ...o }),
			by('POST', '/project/mock-phones', { number: phone, otp: '123456' }, o)]
		for (const code of ['999', '210', '215', '384', '801', '28', '83', '89'])
			for (const r of await Promise.all(ways(`+${code}${tail()}`, today))) fails(r, 400, 'general_argument_invalid')
		fails(await by('POST', `/users/${u.id}/targets`, { targetId: 'unique()', providerType: 'sms', identifier: `+999${tail()}` }, today), 400, 'general_invalid_phone')
		assert.equal(asked, was)
		for (const code of ['1', '7', '20', '49', '211', '800', '998'])
			assert.equal((await by('POST', '/users', { userId: 'unique()', phone: `+${code}${tail()}` }, today)).status, 201, code)
		assert.equal((await by('POST', '/users', { userId: 'unique()', phone: `+999${tail()}` }, old)).status, 201)
		assert.equal((await send('POST', '/account/sessions/phone', { userId: 'unique()', phone: `+210${tail()}` })).status, 201)
	})

	test('a number in use by another id', async () => {
		const u = await p.user()
		fails(await send('POST', '/account/sessions/phone', { userId: u.id, phone: number() }), 409, 'user_already_exists')
		fails(await send('POST', '/account/sessions/phone', { userId: 'unique()', phone: '12' }), 400, 'general_argument_invalid')
	})
})

test('without a sender nothing is sent; a provider that nobody knows is no setting', async () => {
	use('mock', 'x', '')
	s.kill('SIGHUP')
	await until('the line', async () => {
		assert.equal((await send('POST', '/account/sessions/phone', { userId: 'unique()', phone: number() })).status, 201)
		return s.log().includes('short message not sent')
	})
	use('nobody', 'x')
	s.kill('SIGHUP')
	await until('the refusal', () => s.log().includes('configuration not applied'))
	assert.match(s.log(), /sms_provider is not valid: .*one of the providers there are/)
	assert.doesNotMatch(s.log(), /:x@nobody/)
})
