/* The users service: a project's users for keys and admins. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { server, sleep, unique } from '../lib/server.mjs'
import { fails, isTime, keysOf, session, user } from './lib.mjs'

let s, p
const mail = () => `${unique('m')}@example.org`
const phone = () => `+1${Math.floor(1e12 + Math.random() * 9e12)}`
const password = 'password-1234'
const login = (email, pass, q = p) => q.guest('POST', '/account/sessions/email', { body: { email, password: pass } })

before(async () => {
	s = await server()
	p = await s.project()
})

describe('create', () => {
	test('with everything, with nothing', async () => {
		const email = mail(), number = phone()
		const r = await p.call('POST', '/users', { body: { userId: unique('u'), email: email.toUpperCase(), phone: number, password, name: 'Ada' } })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, user)
		assert.equal(r.body.email, email)
		assert.equal(r.body.phone, number)
		assert.equal(r.body.hash, 'argon2')
		assert.deepEqual(Object.entries(r.body.hashOptions), [['memoryCost', 2048], ['timeCost', 4], ['threads', 3]])
		assert.match(r.body.password, /^\$argon2id\$v=19\$/)
		isTime(r.body.passwordUpdate)
		assert.equal((await login(email, password)).status, 201)
		const bare = (await p.call('POST', '/users', { body: { userId: 'unique()' } })).body
		assert.deepEqual([bare.email, bare.phone, bare.password, bare.passwordUpdate, bare.name], ['', '', '', '', ''])
	})

	test('taken', async () => {
		const id = unique('u'), email = mail(), number = phone()
		await p.ok('POST', '/users', { body: { userId: id, email, phone: number } })
		for (const body of [{ userId: id }, { userId: 'unique()', email }, { userId: 'unique()', phone: number }])
			fails(await p.call('POST', '/users', { body }), 409, 'user_already_exists')
	})

	test('parameters and callers', async () => {
		for (const bad of [{ userId: '$bad' }, {}, { userId: 'unique()', email: 'x' }, { userId: 'unique()', phone: '123' }, { userId: 'unique()', password: 'short' },
			{ userId: 'unique()', name: 'n'.repeat(129) }])
			fails(await p.call('POST', '/users', { body: bad }), 400, 'general_argument_invalid')
		const body = { userId: 'unique()' }, u = await p.user()
		fails(await p.guest('POST', '/users', { body }), 401, 'general_unauthorized_scope')
		fails(await u.call('POST', '/users', { body }), 401, 'general_unauthorized_scope')
		fails(await p.call('POST', '/users', { body, key: await p.addKey(['users.read']) }), 401, 'general_unauthorized_scope')
		assert.equal((await p.admin('POST', '/users', { body })).status, 201)
	})
})

describe('import of hashes', () => {
	const signer = 'XyEKE9RcTDeLEsL/RjwPDBv/RqDl8fb3gpYEOQaPihbxf1ZAtSOHCjuAAa7Q3oHpCYhXSN9tizHgVOwn6krflQ=='
	const kinds = [
		['md5', 'md5', [], { password: '144fa7eaa4904e8ee120651997f70dcc' }],
		['bcrypt', 'bcrypt', [], { password: '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW' }, null],
		['argon2', 'argon2', [], { password: '$argon2i$v=19$m=20,t=3,p=2$YXBwd3JpdGU$A/54i238ed09ZR4NwlACU5XnkjNBZU9QeOEuhjLiexI' }],
		['sha', 'sha', { version: 'sha256' }, { password: '9b6d2c1c2d0bd7fd2cd5b3ee2f5c5a9b7ae7f5c2f9f7f8d3ea4f5d1d3b7fbb0e', passwordVersion: 'sha256' }, null],
		['phpass', 'phpass', [], { password: '$P$Br387rwferoKN7uwHZqNMu98q3U8RO.' }],
		['scrypt', 'scrypt', { salt: 'appwrite', costCpu: 16384, costMemory: 13, costParallel: 2, length: 64 }, {
			password: '3fdef49701bc4cfaacd551fe017283513284b4731e6945c263246ef948d3cf63b5d269c31fd697246085111a428245e24a4ddc6b64c687bc60a8910dbafc1d5b',
			passwordSalt: 'appwrite', passwordCpu: 16384, passwordMemory: 13, passwordParallel: 2, passwordLength: 64 }],
		['scrypt-modified', 'scryptMod', { signerKey: signer, saltSeparator: 'Bw==', salt: 'UxLMreBr6tYyjQ==' }, {
			password: 'UlM7JiXRcQhzAGlaonpSqNSLIz475WMddOgLjej5De9vxTy48K6WtqlEzrRFeK4t0COfMhWCb8wuMHgxOFCHFQ==',
			passwordSalt: 'UxLMreBr6tYyjQ==', passwordSaltSeparator: 'Bw==', passwordSignerKey: signer }],
	]
	for (const [path, hash, options, body, clear = 'appwrite'] of kinds)
		test(path, async () => {
			const email = mail(), r = await p.call('POST', `/users/${path}`, { body: { userId: 'unique()', email, name: 'Old', ...body } })
			assert.equal(r.status, 201, r.text)
			keysOf(r.body, user)
			assert.equal(r.body.hash, hash)
			assert.equal(r.body.password, body.password)
			assert.equal(JSON.stringify(r.body.hashOptions), JSON.stringify(options))
			assert.deepEqual((await p.ok('GET', `/users/${r.body.$id}`, { headers: { 'x-appwrite-response-format': '1.8.0' } })).hashOptions, { type: hash, ...options })
			fails(await login(email, body.password), 401, 'user_invalid_credentials')
			if (clear === null) return
			assert.equal((await login(email, clear)).status, 201)
			const now = await p.ok('GET', `/users/${r.body.$id}`)
			assert.equal(now.hash, 'argon2')
			assert.equal(now.password === body.password, path === 'argon2', 'cheap Argon2 stays')
			if (path !== 'argon2') assert.equal(now.hashOptions.memoryCost, 2048)
			assert.equal((await login(email, clear)).status, 201)
		})

	test('what would hold a thread for long is refused', async () => {
		const make = (path, more) => p.call('POST', `/users/${path}`, { body: { userId: 'unique()', email: mail(), ...more } }), salt = 'CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'
		const scrypt = (passwordCpu, passwordMemory = 8, passwordParallel = 1, passwordLength = 64) => ['scrypt', { password: 'ab'.repeat(32), passwordSalt: 's', passwordCpu, passwordMemory, passwordParallel, passwordLength }]
		const argon2 = (m, t) => ['argon2', { password: `$argon2id$v=19$m=${m},t=${t},p=1$YXBwd3JpdGU$A/54i238ed09ZR4NwlACU5XnkjNBZU9QeOEuhjLiexI` }]
		for (const [path, more] of [['bcrypt', { password: `$2a$16$${salt}` }], ['bcrypt', { password: `$2y$31$${salt}` }], ['argon2', { password: `$2b$20$${salt}` }], ['phpass', { password: `$2b$20$${salt}` }],
			['bcrypt', { password: '$6$rounds=99999999$abcdefgh$xxxxxxxx' }], ['phpass', { password: `$P$${'z'}r387rwferoKN7uwHZqNMu98q3U8RO.` }],
			argon2(1048576, 1), argon2(65536, 100), argon2(99999999999, 1), argon2(1024, 99999999), scrypt(1 << 20), scrypt(16384, 1024), scrypt(16384, 8, 100), scrypt(2 ** 40), scrypt(8, 2 ** 40), scrypt(2, 1, 2 ** 50), scrypt(8, 14, 1, 2 ** 50)])
			fails(await make(path, more), 400, 'general_argument_invalid')
		for (const [path, more] of [['bcrypt', { password: `$2a$15$${salt}` }], argon2(65536, 4), scrypt(16384, 13, 2), ['argon2', { password: 'no hash at all' }], ['bcrypt', { password: `$2a$99` + 'x'.repeat(9) }], scrypt(-5), scrypt(8, 0)])
			assert.equal((await make(path, more)).status, 201, JSON.stringify(more))
	})

	test('Argon2 that takes long gives way, too', async () => {
		/* 'appwrite' with 256 MiB and 3 passes */
		const email = mail(), password = '$argon2id$v=19$m=262144,t=3,p=1$NNq4xkRV7lV4eTflWT6YIw$qF8ex6jAUGw5GQaX9N0DkDhHmgQ+P9djeXcbK+yAofw', r = await p.ok('POST', '/users/argon2', { body: { userId: 'unique()', email, password } })
		assert.equal((await login(email, 'appwrite')).status, 201)
		const now = await p.ok('GET', `/users/${r.$id}`)
		assert.notEqual(now.password, password)
		assert.equal(now.hashOptions.memoryCost, 2048)
		assert.equal((await login(email, 'appwrite')).status, 201)
	})

	test('sha without a version, scrypt without costs', async () => {
		const base = { userId: 'unique()', password: '1234567890' }
		assert.deepEqual((await p.ok('POST', '/users/sha', { body: { ...base, email: mail() } })).hashOptions, [])
		assert.deepEqual((await p.ok('POST', '/users/scrypt', { body: { ...base, email: mail(), passwordSalt: 's' } })).hashOptions,
			{ salt: 's', costCpu: 8, costMemory: 14, costParallel: 1, length: 64 })
	})

	test('errors', async () => {
		const good = () => ({ userId: 'unique()', email: mail(), password: '144fa7eaa4904e8ee120651997f70dcc' })
		const taken = good()
		await p.ok('POST', '/users/md5', { body: taken })
		fails(await p.call('POST', '/users/md5', { body: taken }), 409, 'user_already_exists')
		for (const [path, bad] of [['md5', { email: undefined }], ['md5', { password: 'short' }], ['argon2', { password: 'h'.repeat(16385) }], ['sha', { passwordVersion: 'sha9' }], ['scrypt', {}],
			['scrypt', { passwordSalt: 's', passwordCpu: '8' }], ['scrypt', { passwordSalt: 's'.repeat(129) }], ['scrypt-modified', { passwordSalt: 's' }]])
			fails(await p.call('POST', `/users/${path}`, { body: { ...good(), ...bad } }), 400, 'general_argument_invalid')
		for (const path of ['md5', 'bcrypt', 'argon2', 'sha', 'phpass', 'scrypt', 'scrypt-modified'])
			fails(await p.guest('POST', `/users/${path}`, { body: good() }), 401, 'general_unauthorized_scope')
	})
})

describe('read', () => {
	test('one', async () => {
		const u = await p.user()
		keysOf(await p.ok('GET', `/users/${u.id}`), user)
		assert.equal((await p.ok('GET', `/users/${u.id.toUpperCase()}`)).$id, u.id)
		assert.equal((await p.admin('GET', `/users/${u.id}`)).status, 200)
		for (const tail of ['', '/prefs', '/sessions', '/memberships']) {
			fails(await p.call('GET', `/users/unknown${tail}`), 404, 'user_not_found')
			fails(await p.call('GET', `/users/_x${tail}`), 400, 'general_argument_invalid')
			fails(await u.call('GET', `/users/${u.id}${tail}`), 401, 'general_unauthorized_scope')
			fails(await p.guest('GET', `/users/${u.id}${tail}`), 401, 'general_unauthorized_scope')
		}
	})

	test('sessions and memberships', async () => {
		const u = await p.user(), list = await p.ok('GET', `/users/${u.id}/sessions`)
		keysOf(list, 'total sessions')
		keysOf(list.sessions[0], session)
		assert.deepEqual(list.sessions.map((x) => [x.$id, x.current]), [[u.session.$id, false]])
		assert.deepEqual(await p.ok('GET', `/users/${u.id}/memberships`), { total: 0, memberships: [] })
		await u.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'Mine' } })
		const m = await p.ok('GET', `/users/${u.id}/memberships`)
		assert.equal(m.total, 1)
		assert.equal(m.memberships[0].teamName, 'Mine')
	})

	test('a list with select has what it names, and what has no size', async () => {
		const today = { 'x-appwrite-response-format': '1.9.5' }, q = await s.project(), email = mail()
		const u = await q.ok('POST', '/users', { headers: today, body: { userId: unique('u'), email, phone: phone(), password, name: 'Ada' } })
		await q.ok('PATCH', `/users/${u.$id}/prefs`, { body: { prefs: { a: 1 } } })
		await q.ok('PUT', `/users/${u.$id}/labels`, { headers: today, body: { labels: ['red'] } })
		const whole = await q.ok('GET', `/users/${u.$id}`, { headers: today })
		const ask = (...keys) => q.call('GET', '/users', { headers: today, query: { queries: [JSON.stringify({ method: 'select', values: keys })] } })
		const one = async (...keys) => { const r = await ask(...keys); assert.equal(r.status, 200, r.text); assert.equal(r.body.total, 1); return r.body.users[0] }
		const spared = { labels: [], email: '', phone: '', prefs: {}, targets: [], emailCanonical: null, emailIsFree: null, emailIsDisposable: null, emailIsCorporate: null, emailIsCanonical: null }
		const name = await one('name'), hashed = { hash: 0, password: 0, hashOptions: 0 }
		assert.deepEqual({ ...name, ...hashed }, { ...whole, ...spared, name: 'Ada', ...hashed })
		assert.ok(!name.password && !name.hash)
		assert.deepEqual((await one('targets')).targets, whole.targets)
		assert.equal((await one('emailIsFree')).emailIsFree, whole.emailIsFree)
		assert.deepEqual((await one('hashOptions')).hashOptions, whole.hashOptions)
		assert.deepEqual((await one('$id', 'prefs', 'labels')).prefs, { a: 1 })
		for (const all of [['*'], ['*', 'name']]) assert.deepEqual(await one(...all), whole)
		for (const bad of [['nothing'], ['internal'], ['epoch'], [''], [], ['name', 'name']]) fails(await ask(...bad), 400, 'general_argument_invalid')
		fails(await q.call('GET', '/teams', { query: { queries: [JSON.stringify({ method: 'select', values: ['name'] })] } }), 400, 'general_argument_invalid')
	})

	test('list', async () => {
		const q = await s.project(), ids = ['ann', 'ben', 'cid', 'dan']
		for (const id of ids) {
			await q.ok('POST', '/users', { body: { userId: id, email: `${id}@example.org`, name: `User ${id}`, phone: id === 'cid' ? '+49301' : undefined } })
			await sleep(2)	/* one time each */
		}
		await q.ok('PATCH', '/users/ben/status', { body: { status: false } })
		await q.ok('PATCH', '/users/ann/verification', { body: { emailVerification: true } })
		const all = await q.ok('GET', '/users')
		keysOf(all, 'total users')
		assert.equal(all.total, 4)
		const of = async (queries, more = {}) => (await q.ok('GET', '/users', { query: { queries, ...more } })).users.map((u) => u.$id).join()
		const rows = [[[], 'ann,ben,cid,dan'], [['limit(2)', 'offset(1)'], 'ben,cid'], [['cursorAfter("ben")'], 'cid,dan'], [['limit(1)', 'cursorBefore("cid")'], 'ben'],
			[['equal("email", "ann@example.org")'], 'ann'], [['equal("name", ["User ann", "User dan"])'], 'ann,dan'], [['equal("status", false)'], 'ben'],
			[['equal("emailVerification", true)'], 'ann'], [['equal("phone", "+49301")'], 'cid'],
			[['equal("email", "ANN@Example.org")'], 'ann'], [['equal("email", ["CID@example.org", "dan@example.ORG"])'], 'cid,dan'], [['equal("name", "USER ánn")'], 'ann'],
			[['orderAsc("email")', 'cursorAfter("ben")'], 'cid,dan'], [['orderDesc("email")'], 'dan,cid,ben,ann'],
			[['orderDesc("")', 'limit(1)'], 'dan'], [['orderDesc("$createdAt")', 'limit(1)'], 'dan'], [['greaterThan("registration", "2020-01-01 00:00:00")', 'limit(1)'], 'ann'],
			[['lessThan("registration", "2020-01-01")'], ''], [['notEqual("$id", "ann")'], 'ben,cid,dan'], [['orderDesc("name")', 'cursorAfter("cid")'], 'ben,ann'],
			[['{"method":"equal","attribute":"$id","values":["cid"]}'], 'cid']]
		for (const [queries, want] of rows) assert.equal(await of(queries), want, queries.join())
		assert.equal(await of([], { search: 'ben' }), 'ben')
		assert.equal(await of([], { search: 'zzzzz' }), '')
		for (const bad of ['orderAsc("password")', 'equal("prefs", "x")', 'equal("status", "true")', 'limit(101)', 'limit(-1)', 'limit("abc")', 'offset(5001)', 'near("email", "x")',
			'search("name", "User")', 'contains("name", "User")', '', 'name.equal("x")'])
			fails(await q.call('GET', '/users', { query: { queries: [bad] } }), 400, 'general_argument_invalid')
		fails(await q.call('GET', '/users', { query: { queries: ['cursorAfter("nobody")'] } }), 400, 'general_cursor_not_found')
		fails(await q.call('GET', '/users', { query: { queries: 'limit(1)' } }), 400, 'general_argument_invalid')
		fails(await q.guest('GET', '/users'), 401, 'general_unauthorized_scope')
	})
})

describe('change', () => {
	test('unknown users and callers', async () => {
		const u = await p.user()
		for (const [tail, body] of [['status', { status: true }], ['verification', { emailVerification: true }], ['verification/phone', { phoneVerification: true }],
			['name', { name: 'x' }], ['password', { password }], ['email', { email: mail() }], ['phone', { number: phone() }], ['prefs', { prefs: {} }]]) {
			fails(await p.call('PATCH', `/users/unknown/${tail}`, { body }), 404, 'user_not_found')
			fails(await u.call('PATCH', `/users/${u.id}/${tail}`, { body }), 401, 'general_unauthorized_scope')
			fails(await p.guest('PATCH', `/users/${u.id}/${tail}`, { body }), 401, 'general_unauthorized_scope')
		}
	})

	test('status blocks at once, and back', async () => {
		const u = await p.user(), set = (status) => p.call('PATCH', `/users/${u.id}/status`, { body: { status } })
		assert.equal((await u.call('GET', '/account')).status, 200)
		const r = await set(false)
		keysOf(r.body, user)
		assert.equal(r.body.status, false)
		fails(await u.call('GET', '/account'), 401, 'user_blocked')
		fails(await login(u.email, u.password), 401, 'user_blocked')
		assert.equal((await set('1')).body.status, true)
		assert.equal((await u.call('GET', '/account')).status, 200)
		assert.equal((await set('0')).body.status, false)
		assert.equal((await set('false')).body.status, false)
		for (const bad of [undefined, 'off', 2]) fails(await set(bad), 400, 'general_argument_invalid')
	})

	test('verification', async () => {
		const u = await p.user(), set = (tail, body) => p.call('PATCH', `/users/${u.id}/verification${tail}`, { body })
		assert.equal((await set('', { emailVerification: true })).body.emailVerification, true)
		assert.equal((await set('/phone', { phoneVerification: true })).body.phoneVerification, true)
		assert.equal((await u.ok('GET', '/account')).emailVerification, true)
		assert.equal((await set('', {})).body.emailVerification, false)
		assert.equal((await set('/phone', {})).body.phoneVerification, false)
		fails(await set('', { emailVerification: 'yes' }), 400, 'general_argument_invalid')
		fails(await set('/phone', { phoneVerification: 1 }), 400, 'general_argument_invalid')
	})

	test('name, password, e-mail, phone', async () => {
		const u = await p.user(), other = await p.user(), set = (tail, body, id = u.id) => p.call('PATCH', `/users/${id}/${tail}`, { body })
		assert.equal((await set('name', { name: 'New' })).body.name, 'New')
		fails(await set('name', {}), 400, 'general_argument_invalid')
		isTime((await set('password', { password: 'password-5678' })).body.passwordUpdate)
		assert.equal((await login(u.email, 'password-5678')).status, 201)
		fails(await login(u.email, u.password), 401, 'user_invalid_credentials')
		fails(await set('password', { password: 'short' }), 400, 'general_argument_invalid')
		const email = mail(), number = phone()
		await set('verification', { emailVerification: true })
		const e = await set('email', { email: email.toUpperCase() })
		assert.equal(e.body.email, email)
		assert.equal(e.body.emailVerification, false)
		assert.equal((await login(email, 'password-5678')).status, 201)
		fails(await set('email', { email: other.email }), 409, 'user_email_already_exists')
		fails(await set('email', { email: 'x' }), 400, 'general_argument_invalid')
		await set('verification/phone', { phoneVerification: true })
		const n = await set('phone', { number })
		assert.equal(n.body.phone, number)
		assert.equal(n.body.phoneVerification, false)
		fails(await set('phone', { number }, other.id), 409, 'user_email_already_exists')
		for (const bad of [{}, { number: 'x' }, { phone: phone() }]) fails(await set('phone', bad), 400, 'general_argument_invalid')
	})

	test('preferences', async () => {
		const u = await p.user(), set = (prefs) => p.call('PATCH', `/users/${u.id}/prefs`, { body: { prefs } })
		assert.equal((await p.call('GET', `/users/${u.id}/prefs`)).text, '{}')
		assert.deepEqual((await set({ a: 1, b: 'x' })).body, { a: 1, b: 'x' })
		assert.deepEqual(await u.ok('GET', '/account/prefs'), { a: 1, b: 'x' })
		assert.equal((await set({})).text, '{}')
		for (const bad of [undefined, 'x', [1], '']) fails(await set(bad), 400, 'general_argument_invalid')
	})
})

describe('end', () => {
	test('one session, all sessions', async () => {
		const u = await p.user(), other = await p.user()
		await login(u.email, u.password)
		const del = (id, tail = '') => p.call('DELETE', `/users/${id}/sessions${tail}`)
		fails(await del(u.id, '/unknown'), 404, 'user_session_not_found')
		fails(await del('unknown', '/unknown'), 404, 'user_not_found')
		fails(await del(other.id, `/${u.session.$id}`), 404, 'user_session_not_found')
		assert.equal((await del(u.id, `/${u.session.$id}`)).status, 204)
		fails(await u.call('GET', '/account'), 401, 'general_unauthorized_scope')
		assert.equal((await p.ok('GET', `/users/${u.id}/sessions`)).total, 1)
		assert.equal((await del(u.id)).status, 204)
		assert.equal((await p.ok('GET', `/users/${u.id}/sessions`)).total, 0)
		fails(await del('unknown'), 404, 'user_not_found')
		fails(await other.call('DELETE', `/users/${u.id}/sessions`), 401, 'general_unauthorized_scope')
	})

	test('the user: nothing of it is left', async () => {
		const u = await p.user()
		assert.equal((await u.call('GET', '/account')).status, 200)
		fails(await u.call('DELETE', `/users/${u.id}`), 401, 'general_unauthorized_scope')
		assert.equal((await p.call('DELETE', `/users/${u.id}`)).status, 204)
		fails(await u.call('GET', '/account'), 401, 'general_unauthorized_scope')
		fails(await login(u.email, u.password), 401, 'user_invalid_credentials')
		fails(await p.call('GET', `/users/${u.id}`), 404, 'user_not_found')
		fails(await p.call('DELETE', `/users/${u.id}`), 404, 'user_not_found')
		/* id and address are free again, and the new user has nothing of the old */
		assert.equal((await p.call('POST', '/users', { body: { userId: u.id, email: u.email } })).status, 201)
		fails(await u.call('GET', '/account'), 401, 'general_unauthorized_scope')
	})
})

test('the console has no users service', async () => {
	const owner = await s.console()
	fails(await owner.call('GET', '/users'), 401, 'general_unauthorized_scope')
})
