/* The limit of every route that has one: how many, counted by what, and who is not counted (spec identity.md 3.5, databases.md 1.3). */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { allScopes, cookieOf, early, server, unique } from '../lib/server.mjs'
import { description } from '../lib/shapes.mjs'
import { collection, database } from './docs.mjs'
import { fails } from './lib.mjs'

let s, p, docs
before(async () => {
	s = await server({ own: true, conf: { rate_limits: 'on' } })
	p = await s.project()
	const c = await collection(p, await database(p), { permissions: ['create("any")', 'update("any")', 'delete("any")'], attributes: { a: { type: 'integer' } } })
	docs = c.docs
})
after(() => s?.stop())

let addresses = 0
const address = () => `198.51.100.${++addresses}`
const mail = () => ({ body: { email: `${unique()}@example.org` } })
const person = () => ({ body: { userId: unique() } })
const phone = () => ({ body: { phone: `+1555${String(Math.random()).slice(2, 9)}` } })
const nobody = () => ({})
async function user() {
	const email = mail().body.email, password = 'password-1234'
	await p.ok('POST', '/users', { body: { userId: unique(), email, password } })	/* signing up is limited itself */
	return { cookie: cookieOf(await p.guest('POST', '/account/sessions/email', { body: { email, password } })) }
}

/* Counted by the address of the client ('ip'), by what or who `subject` makes ('subject'), or by either ('both'). What the requests lack does not
 * matter: limits count before parameters are looked at. */
const rows = [
	['POST', '/account', 10, 'ip', nobody],
	['POST', '/account/sessions/email', 10, 'subject', mail],
	['POST', '/account/sessions', 10, 'subject', mail],
	['POST', '/account/sessions/anonymous', 50, 'ip', nobody],
	['POST', '/account/sessions/magic-url', 10, 'subject', mail],
	['PUT', '/account/sessions/magic-url', 10, 'subject', person],
	['POST', '/account/sessions/phone', 10, 'subject', phone],
	['PUT', '/account/sessions/phone', 10, 'subject', person],
	['POST', '/account/tokens/email', 10, 'subject', mail],
	['POST', '/account/sessions/token', 10, 'subject', person],
	['GET', '/account/sessions/oauth2/github', 50, 'ip', nobody],
	['POST', '/account/sessions/id-token', 50, 'ip', nobody],
	['POST', '/account/recovery', 10, 'both', mail],
	['PUT', '/account/recovery', 10, 'subject', person],
	['POST', '/account/recovery/otp', 10, 'both', mail],
	['PUT', '/account/recovery/otp', 10, 'subject', person],
	['POST', '/account/verifications/email/otp', 10, 'subject', user],
	['PUT', '/account/verifications/email/otp', 10, 'subject', person],
	['PUT', '/account/verification', 10, 'subject', person],
	['PUT', '/account/verification/phone', 10, 'subject', person],
	['POST', '/account/jwt', 100, 'subject', user],
	['POST', '/account/jwts', 120, 'subject', user, 60],
	['PUT', '/account/mfa/challenges', 10, 'subject', async () => ({ ...await user(), body: { challengeId: unique(), otp: '123456' } })],
	['POST', '/account/verification', 10, 'subject', user],
	['POST', '/account/verification/phone', 10, 'subject', user],
	['PATCH', '/account/sessions/none', 10, 'ip', user],
	['DELETE', '/account/sessions/none', 100, 'ip', user],
	['POST', '/teams', 300, 'subject', user],
	['POST', '/teams/none/memberships', 10, 'ip', user],
	['POST', () => docs, 120, 'ip', nobody, 60],
	['PATCH', () => `${docs}/none`, 120, 'ip', nobody, 60],
	['DELETE', () => `${docs}/none`, 60, 'ip', nobody, 60],
]

const ask = (method, path, subject, ip) =>
	s.call(method, path, { project: p.id, ...subject, headers: { 'x-forwarded-for': ip } })

/* Uses a limit up: the replies of one window. The window may turn meanwhile: then once more, with somebody else. */
async function used(method, path, limit, make) {
	for (;;) {
		const subject = await make(), ip = address(), replies = []
		for (let i = 0; i <= limit; i++) replies.push(await ask(method, path, subject, ip))
		if (new Set(replies.map((r) => r.headers['x-ratelimit-reset'])).size === 1) return { subject, ip, replies }
	}
}

describe('each limit', () => {
	for (const [method, where, limit, by, make, seconds = 3600] of rows) {
		test(`${method} ${typeof where === 'string' ? where : 'documents'}: ${limit} in ${seconds} s`, async () => {
			const path = typeof where === 'string' ? where : where()
			const u = await used(method, path, limit, make), last = u.replies.pop()
			u.replies.forEach((r, i) => {
				assert.notEqual(r.status, 429, `request ${i}`)
				assert.equal(r.headers['x-ratelimit-limit'], String(limit))
				assert.equal(r.headers['x-ratelimit-remaining'], String(limit - 1 - i))
				assert.equal(r.headers['x-ratelimit-reset'] % seconds, 0)
			})
			assert.equal(last.status, 429)
			if (/json/.test(last.headers['content-type'])) fails(last, 429, 'general_rate_limit_exceeded')
			assert.equal(last.headers['x-ratelimit-remaining'], '0')
			const otherPlace = await ask(method, path, u.subject, address()), somebody = await ask(method, path, await make(), u.ip)
			assert.equal(otherPlace.status === 429, by !== 'ip', 'from another address')
			if (make !== nobody) assert.equal(somebody.status === 429, by !== 'subject', 'somebody else from the same address')
		})
	}

	/* in 1.0 recoveries counted as what begins sessions, and letters to a phone as tries at their code */
	test('routes count apart', async () => {
		const ip = address(), u = await user()
		for (let i = 0; i < 10; i++) assert.notEqual((await ask('POST', '/account/sessions/anonymous', {}, ip)).status, 429)
		assert.equal((await ask('POST', '/account/recovery', mail(), ip)).headers['x-ratelimit-remaining'], '9')
		assert.equal((await ask('POST', '/account/sessions/id-token', {}, ip)).headers['x-ratelimit-remaining'], '49')
		for (let i = 0; i < 10; i++) assert.notEqual((await ask('POST', '/account/verification/phone', u, ip)).status, 429)
		const { $id: userId } = (await s.call('GET', '/account', { project: p.id, ...u })).body
		assert.equal((await ask('PUT', '/account/verification/phone', { ...u, body: { userId, secret: '000000' } }, ip)).headers['x-ratelimit-remaining'], '9')
	})

	test('another project counts for itself', async () => {
		const u = await used('POST', '/account', 10, nobody), other = await s.project()
		assert.notEqual((await other.guest('POST', '/account', { headers: { 'x-forwarded-for': u.ip } })).status, 429)
	})
})

/* All limits there are, as the description has them. Those of today's servers, but: guesses at secrets are braked by person and by client, letters go to one
 * address ten times an hour and from one client a hundred or fifty times (doc/security.md), teams are made three hundred times an hour. */
const guesses = 'guess_client/3600 ~-guess,ip:{ip}', proofs = 'guess_client/3600 -proofs,ip:{ip}', day = '20/86400 ~-codes,userId:{param-userId}', mine = 'guess_session/3600 -guess,userId:{userId},session:{session}', each = 'ip:{ip},method:{method},url:{url},userId:{userId}'
const texts = [
	['10/3600 url:{url},ip:{ip}', 'POST /account', 'PATCH /account/sessions/{sessionId}'],
	['10/3600 !url:{url},ip:{ip}', 'POST /teams/{teamId}/memberships', 'POST /organization/memberships'],
	[`10/3600 ~url:{url},email:{param-email};${guesses}`, 'POST /account/sessions/email'],
	[`10/3600 ~url:/v1/account/sessions/email,email:{param-email};${guesses}`, 'POST /account/sessions'],
	['100/3600 url:{url},ip:{ip}', 'DELETE /account/sessions', 'DELETE /account/sessions/{sessionId}'],
	['50/3600 url:{url},ip:{ip}', 'POST /account/sessions/id-token'],
	['50/3600 ip:{ip}', 'POST /account/sessions/anonymous', 'GET /account/sessions/oauth2/{provider}', 'GET /account/sessions/oauth2/{provider}/redirect', 'GET /account/tokens/oauth2/{provider}'],
	['100/3600 url:{url},userId:{userId}', 'POST /account/jwt'],
	['120/60 url:{url},userId:{userId}', 'POST /account/jwts'],
	[`${mine};10/3600 !url:{url},ip:{ip}`, 'PATCH /account/password'],
	[`${mine}`, 'PATCH /account/email', 'PATCH /account/phone', 'DELETE /projects/{projectId}'],
	['10/3600 ~url:{url},email:{param-email};100/3600 url:{url},ip:{ip}', 'POST /account/sessions/magic-url', 'POST /account/tokens/email'],
	[`10/3600 ~url:{url},userId:{param-userId};${guesses}`, 'PUT /account/sessions/magic-url', 'PUT /account/sessions/phone', 'PUT /account/recovery', 'PUT /account/verification'],
	[`10/3600 ~url:{url},userId:{param-userId};${guesses};${day}`, 'PUT /account/recovery/otp'],
	[`10/3600 ~url:{url},userId:{param-userId};${guesses};${proofs};${day}`, 'PUT /account/verifications/email/otp'],
	['10/3600 ~url:{url},phone:{param-phone};50/3600 url:{url},ip:{ip}', 'POST /account/sessions/phone'],
	[`10/3600 ~url:/v1/account/sessions/phone,userId:{param-userId};${guesses}`, 'POST /account/sessions/token', 'PUT /account/sessions/token'],
	['10/3600 ~url:{url},email:{param-email};10/3600 url:{url},ip:{ip}', 'POST /account/recovery'],
	['10/3600 !url:{url},userId:{userId}', 'POST /account/verification'],
	['10/3600 !url:{url},userId:{userId};50/3600 url:{url},ip:{ip}', 'POST /account/verification/phone', 'POST /account/verifications/email/otp'],
	[`10/3600 ~userId:{param-userId};${guesses};${proofs};${day}`, 'PUT /account/verification/phone'],
	['10/3600 ~url:{url},email:{param-email};10/3600 url:/v1/account/recovery,ip:{ip}', 'POST /account/recovery/otp'],
	['10/3600 ~url:{url},userId:{userId}', 'POST /account/mfa/challenges'],
	['10/3600 url:{url},challengeId:{param-challengeId};20/86400 ~-mfa,userId:{userId};60/2592000 ~-mfa-month,userId:{userId}', 'PUT /account/mfa/challenges'],
	['60/3600 !url:{url},ip:{ip}', 'GET /avatars/screenshots'],
	[`120/60 ${each}`, 'POST /databases/{databaseId}/collections/{collectionId}/documents', 'PUT /databases/{databaseId}/collections/{collectionId}/documents', 'PATCH /databases/{databaseId}/collections/{collectionId}/documents', 'POST /database/collections/{collectionId}/documents', 'PUT /database/collections/{collectionId}/documents', 'PATCH /database/collections/{collectionId}/documents', 'POST /tablesdb/{databaseId}/tables/{tableId}/rows', 'PUT /tablesdb/{databaseId}/tables/{tableId}/rows', 'PATCH /tablesdb/{databaseId}/tables/{tableId}/rows', 'PATCH /databases/{databaseId}/collections/{collectionId}/documents/{documentId}', 'PUT /databases/{databaseId}/collections/{collectionId}/documents/{documentId}', 'PATCH /database/collections/{collectionId}/documents/{documentId}', 'PUT /database/collections/{collectionId}/documents/{documentId}', 'PATCH /tablesdb/{databaseId}/tables/{tableId}/rows/{rowId}', 'PUT /tablesdb/{databaseId}/tables/{tableId}/rows/{rowId}', 'PATCH /databases/{databaseId}/collections/{collectionId}/documents/{documentId}/{attribute}/increment', 'PATCH /database/collections/{collectionId}/documents/{documentId}/{attribute}/increment', 'PATCH /tablesdb/{databaseId}/tables/{tableId}/rows/{rowId}/{column}/increment', 'PATCH /databases/{databaseId}/collections/{collectionId}/documents/{documentId}/{attribute}/decrement', 'PATCH /database/collections/{collectionId}/documents/{documentId}/{attribute}/decrement', 'PATCH /tablesdb/{databaseId}/tables/{tableId}/rows/{rowId}/{column}/decrement'],
	[`60/60 ${each}`, 'DELETE /databases/{databaseId}/collections/{collectionId}/documents', 'DELETE /database/collections/{collectionId}/documents', 'DELETE /tablesdb/{databaseId}/tables/{tableId}/rows', 'DELETE /databases/{databaseId}/collections/{collectionId}/documents/{documentId}', 'DELETE /database/collections/{collectionId}/documents/{documentId}', 'DELETE /tablesdb/{databaseId}/tables/{tableId}/rows/{rowId}', 'POST /storage/buckets/{bucketId}/files', 'PUT /storage/buckets/{bucketId}/files/{fileId}', 'DELETE /storage/buckets/{bucketId}/files/{fileId}'],
	['300/3600 url:{url},userId:{userId}', 'POST /teams'],
	[`20/3600 ~-url:{url},userId:{param-userId};${guesses}`, 'PATCH /teams/{teamId}/memberships/{membershipId}/status'],
	['60/60 ip:{ip},userId:{userId}', 'POST /functions/{functionId}/executions'],
	['120/60 userId:{userId},url:{url}', 'GET /console/resources'],
]
test('every route with a limit has its own, and no other has one', async () => {
	const { document } = await description(s.base), told = Object.entries(document.paths).flatMap(([path, item]) => Object.entries(item).map(([method, o]) => [`${method.toUpperCase()} ${path.slice(3)}`, o['x-rate-limit']])).filter(([, limit]) => limit)
	assert.deepEqual(Object.fromEntries(told.sort()), Object.fromEntries(texts.flatMap(([limit, ...names]) => names.map((name) => [name, limit])).sort()))
})

describe('who is not counted', () => {
	test('keys and admins', async () => {
		for (const caller of [p.call, p.admin]) {
			for (let i = 0; i < 12; i++) {
				const r = await caller('POST', '/teams/none/memberships', { body: { email: 'a@example.org', roles: [], url: 'http://localhost' } })
				fails(r, 404, 'team_not_found')
				assert.equal(r.headers['x-ratelimit-remaining'], '9')
			}
		}
	})
	test('a route without a limit says nothing of one', async () => {
		const r = await p.guest('GET', docs)
		assert.ok(!Object.keys(r.headers).some((h) => h.startsWith('x-ratelimit')))
	})
})

describe('guesses', () => {
	before(() => early(3600e3, 60e3))
	const signIn = (email, password, ip) => s.call('POST', '/account/sessions/email', { project: p.id, body: { email, password }, headers: { 'x-forwarded-for': ip } })
	const right = 'password-1234', wrong = 'password-0000'
	async function person() {
		const email = mail().body.email, id = unique()
		await p.ok('POST', '/users', { body: { userId: id, email, password: right } })
		return { id, email }
	}
	const metric = async (name) => Number((await s.call('GET', '/metrics', { root: true })).text.match(new RegExp(`^${name} (\\d+)`, 'm'))?.[1] ?? 0)
	/* Until the shared bucket is full. */
	async function use(make, n = 11) {
		let last
		for (let i = 0; i < n; i++) last = await make(i)
		fails(last, 429, 'general_rate_limit_exceeded')
	}

	test('nobody is locked out where they are known: by their client', async () => {
		const u = await person(), home = address(), was = await metric('badal_guesses_known_total')
		assert.equal((await signIn(u.email, right, home)).status, 201)
		const ip = address()
		await use(() => signIn(u.email, wrong, ip))
		fails(await signIn(u.email, right, address()), 429, 'general_rate_limit_exceeded')
		assert.equal((await signIn(u.email.toUpperCase(), right, home)).status, 201)
		assert.ok(await metric('badal_guesses_known_total') > was)
		assert.ok(await metric('badal_guesses_braked_total') > 0)
		/* and from there it is no free way either */
		await use(() => signIn(u.email, wrong, home), 20)
		/* a client that is known to one is a stranger to others */
		const other = await person(), from = address()
		await use(() => signIn(other.email, wrong, from))
		fails(await signIn(other.email, right, home), 429, 'general_rate_limit_exceeded')
	})

	test('by a session of theirs, wherever they are', async () => {
		const u = await person(), cookie = cookieOf(await signIn(u.email, right, address())), ip = address()
		const confirm = (more = {}) => s.call('PUT', '/account/verification', { project: p.id, body: { userId: u.id, secret: 'wrong' }, headers: { 'x-forwarded-for': ip }, ...more })
		await use(() => confirm())
		fails(await confirm({ cookie }), 401, 'user_invalid_token')
		fails(await confirm({ cookie: cookieOf(await signIn((await person()).email, wrong, address())) }), 429, 'general_rate_limit_exceeded')
	})

	test('who is guessed at is known by nothing else that the request names', async () => {
		const u = await person(), me = await person(), home = address(), other = phone().body.phone
		const at = (method, path, body, more = {}) => s.call(method, path, { project: p.id, body, headers: { 'x-forwarded-for': home, 'x-appwrite-response-format': '1.0.0' }, ...more })
		assert.equal((await signIn(me.email, right, home)).status, 201)
		const nobody = await at('POST', '/account/sessions/anonymous', {}), cookie = cookieOf(nobody), guess = { userId: u.id, secret: '000000' }
		for (const path of ['/account/sessions/phone', '/account/sessions/magic-url', '/account/verification/phone']) {
			const tries = [[{ ...guess, email: me.email }], [{ ...guess, email: nobody.body.userId }, { cookie }], [{ ...guess, phone: me.id }], [{ ...guess, email: me.id, phone: me.email }]]
			await use((i) => at('PUT', path, ...tries[i % 2]))
			for (const one of tries) fails(await at('PUT', path, ...one), 429, 'general_rate_limit_exceeded')
		}
		await use(() => at('POST', '/account/sessions/phone', { phone: other, email: me.email, userId: me.id }))
	})

	test('mails to somebody are not used up by strangers', async () => {
		const u = await person(), home = address(), start = (ip) => s.call('POST', '/account/recovery', { project: p.id, body: { email: u.email, url: 'http://localhost' }, headers: { 'x-forwarded-for': ip } })
		await signIn(u.email, right, home)
		await use(() => start(address()))
		fails(await start(home), 503, 'general_smtp_disabled')
	})

	test('by one client, whosever secrets: only wrong ones count, and an IPv6 client is its /64', async () => {
		const own = await server({ own: true, conf: { rate_limits: 'on', guess_client: 5 } })
		try {
			const q = await own.project(), people = []
			for (let i = 0; i < 8; i++) {
				const email = mail().body.email
				await q.ok('POST', '/users', { body: { userId: unique(), email, password: right } })
				people.push(email)
			}
			const at = (ip) => (email, password) => own.call('POST', '/account/sessions/email', { project: q.id, body: { email, password }, headers: { 'x-forwarded-for': ip } })
			let n = 0
			const host = () => at(`2001:db8:0:1::${(++n).toString(16)}`)
			for (let round = 0; round < 2; round++) for (const email of people) assert.equal((await host()(email, right)).status, 201)
			const unknown = () => own.call('PUT', '/account/recovery', { project: q.id, body: { userId: unique(), secret: 'x', password: right, passwordAgain: right }, headers: { 'x-forwarded-for': '2001:db8:0:1::99' } })
			for (let i = 0; i < 3; i++) fails(await unknown(), 404, 'user_not_found')
			for (let i = 0; i < 2; i++) fails(await host()(mail().body.email, wrong), 401, 'user_invalid_credentials')
			fails(await host()(mail().body.email, wrong), 429, 'general_rate_limit_exceeded')
			fails(await unknown(), 429, 'general_rate_limit_exceeded')
			assert.equal((await host()(people[0], right)).status, 201, 'who is known here gets in')
			assert.equal((await at('2001:db8:0:2::1')(people[1], right)).status, 201, 'and so does the neighbour')
		} finally {
			await own.stop()
		}
	})

	test('at what is to be proved of accounts that are one\'s own: no session gives tries of its own by client', async () => {
		const own = await server({ own: true, conf: { rate_limits: 'on', guess_client: 6 } })
		try {
			const q = await own.project({ scopes: [...allScopes, 'sessions.write'] }), people = [], today = { 'x-appwrite-response-format': '2.3.0' }
			for (let i = 0; i < 4; i++) {
				const u = await q.ok('POST', '/users', { body: { userId: unique(), email: mail().body.email, password: right } })
				people.push({ id: u.$id, session: (await q.ok('POST', `/users/${u.$id}/sessions`, { headers: today })).secret })
			}
			const at = (u, path, ip) => own.call('PUT', path, { project: q.id, body: { userId: u.id, secret: '000000' }, headers: { ...today, 'x-appwrite-session': u.session, 'x-forwarded-for': ip } })
			const ip = address(), paths = ['/account/verifications/email/otp', '/account/verification/phone']
			for (let i = 0; i < 6; i++) fails(await at(people[i % 3], paths[i % 2], ip), 401, 'user_invalid_token')
			for (const u of people) for (const path of paths) fails(await at(u, path, ip), 429, 'general_rate_limit_exceeded')
			fails(await at(people[3], paths[0], address()), 401, 'user_invalid_token')
		} finally {
			await own.stop()
		}
	})

	test('at codes of one person: so many a day, of whatever kind; sessions of theirs have as many together', async () => {
		await early(86400e3, 60e3)
		const u = await person(), cookies = [], paths = ['/account/recovery/otp', '/account/verifications/email/otp', '/account/verification/phone']
		for (let i = 0; i < 2; i++) cookies.push(cookieOf(await signIn(u.email, right, address())))
		const at = (path, more) => s.call('PUT', path, { project: p.id, body: { userId: u.id, secret: '000000', password: right }, headers: { 'x-forwarded-for': address(), 'x-appwrite-response-format': '2.3.0' }, ...more })
		for (const [i, more] of [() => ({}), (n) => ({ cookie: cookies[n % 2] })].entries()) {
			for (let n = 0; n < 20; n++) fails(await at(paths[Math.floor(n / 10)], more(n)), 401, 'user_invalid_token')
			for (const path of paths) fails(await at(path, more(i)), 429, 'general_rate_limit_exceeded')
		}
	})

	test('by an app\'s server with a key: those at one person brake nobody else', async () => {
		const own = await server({ own: true, conf: { rate_limits: 'on', guess_client: 5 } })
		try {
			const q = await own.project({ scopes: [...allScopes, 'sessions.write'] }), [a, b] = [mail().body.email, mail().body.email]
			for (const email of [a, b]) await q.ok('POST', '/users', { body: { userId: unique(), email, password: right } })
			const by = (email, password) => q.call('POST', '/account/sessions/email', { body: { email, password } })
			for (let i = 0; i < 5; i++) fails(await by(i % 2 ? a.toUpperCase() : a, wrong), 401, 'user_invalid_credentials')
			fails(await by(a, wrong), 429, 'general_rate_limit_exceeded')
			assert.equal((await by(b, right)).status, 201)
		} finally {
			await own.stop()
		}
	})

	test('with a session: passwords that changes ask for, of whoever, in admin mode too', async () => {
		const u = await person(), cookie = cookieOf(await signIn(u.email, right, address())), second = cookieOf(await signIn(u.email, right, address()))
		const change = (c, i, oldPassword, to = wrong) => s.call('PATCH', `/account/${['password', 'email', 'phone'][i % 3]}`, { project: p.id, cookie: c,
			body: [{ password: to, oldPassword }, { email: mail().body.email, password: oldPassword }, { phone: '+15551234567', password: oldPassword }][i % 3], headers: { 'x-forwarded-for': address() } })
		for (let i = 0; i < 12; i++) assert.equal((await change(cookie, 0, right, right)).status, 200, 'right ones do not count')
		for (let i = 0; i < 10; i++) fails(await change(cookie, i, 'password-9999'), 401, 'user_invalid_credentials')
		fails(await change(cookie, 0, right), 429, 'general_rate_limit_exceeded')
		assert.equal((await change(second, 0, right)).status, 200, 'another session is not braked')

		const boss = await s.user({ name: 'Boss' }), teamId = unique('t'), id = unique('p')
		await boss.ok('POST', '/teams', { body: { teamId, name: 'x' } })
		await boss.ok('POST', '/projects', { body: { projectId: id, name: 'x', teamId } })
		const admin = (i) => s.call('PATCH', '/account/password', { project: id, mode: 'admin', cookie: boss.cookie, body: { password: right, oldPassword: wrong } })
		for (let i = 0; i < 5; i++) fails(await admin(i), 401, 'user_invalid_credentials')
		for (let i = 0; i < 5; i++) fails(await boss.call('DELETE', `/projects/${id}`, { body: { password: wrong } }), 401, 'user_invalid_credentials')
		fails(await boss.call('DELETE', `/projects/${id}`, { body: { password: boss.password } }), 429, 'general_rate_limit_exceeded')
	})

	test('of many at once no more are let through', async () => {
		const u = await person(), cookie = cookieOf(await signIn(u.email, right, address()))
		const rs = await Promise.all(Array.from({ length: 40 }, () => s.call('PATCH', '/account/password', { project: p.id, cookie, body: { password: right, oldPassword: wrong } })))
		assert.equal(rs.filter((r) => r.status === 401).length, 10)
		assert.equal(rs.filter((r) => r.status === 429).length, 30)
	})

	test('a new password is work: of one client so many an hour, right ones too', async () => {
		const u = await person(), cookie = cookieOf(await signIn(u.email, right, address())), ip = address()
		const set = () => s.call('PATCH', '/account/password', { project: p.id, cookie, body: { password: right, oldPassword: right }, headers: { 'x-forwarded-for': ip } })
		await use(set)
		const v = await person(), theirs = cookieOf(await signIn(v.email, right, address()))
		fails(await s.call('PATCH', '/account/password', { project: p.id, cookie: theirs, body: { password: right, oldPassword: right }, headers: { 'x-forwarded-for': ip } }), 429, 'general_rate_limit_exceeded')
	})

	test('secrets of invitations', async () => {
		const u = await person(), ip = address()
		const accept = () => s.call('PATCH', `/teams/none/memberships/none/status`, { project: p.id, body: { userId: u.id, secret: unique() }, headers: { 'x-forwarded-for': ip } })
		await use(accept, 21)
	})
})
