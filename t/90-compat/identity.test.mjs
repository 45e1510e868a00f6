/* The unmodified public SDKs through the sign-in life of an app's people, and a server's user management: mails are read from the mail
 * server and their links followed, codes from the provider of short messages. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'

import { server as startServer, unique } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { code as shown, step } from '../lib/totp.mjs'
import { as, serverNew, until, webNew } from './browser.mjs'
import { generations } from './dialects.mjs'

const page = 'http://localhost/welcome', password = 'correct-horse'
const rejects = (promise, type) => assert.rejects(promise, (e) => (assert.equal(e.type, type), true))

let server, box, gate
const texts = []
before(async () => {
	box = await sink()
	gate = http.createServer((rq, rs) => {
		let body = ''
		rq.on('data', (d) => (body += d))
		rq.on('end', () => { texts.push(JSON.parse(body)); rs.end() })
	})
	await new Promise((ok) => gate.listen(0, '127.0.0.1', ok))
	server = await startServer({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port, sms_provider: 'sms://user:secret@mock', sms_from: '+4911223344',
		sms_url: `http://127.0.0.1:${gate.address().port}` } })
})
after(async () => {
	await server.stop()
	box.stop()
	gate.close()
})

const code = (to) => until(`the code for ${to}`, () => { const i = texts.findIndex((t) => t.to === to); return i < 0 ? null : texts.splice(i, 1)[0].message.match(/\d{6}/)[0] })
/* What the page behind a mail's link finds in its address. */
const follow = async (to) => {
	const link = new URL((await box.next(to)).link)
	assert.equal(link.origin + link.pathname, page)
	return Object.fromEntries(link.searchParams)
}

for (const g of generations) {
	describe(g.name, () => {
		const { ID } = g.web
		let project, users

		const person = (name) => {
			const client = new g.web.Client().setEndpoint(server.url).setProject(project.id), id = unique(name)
			as(id)
			return { id, client, account: new g.web.Account(client), teams: new g.web.Teams(client), email: `${id}@example.org` }
		}
		const member = async (name) => {
			const p = person(name)
			p.id = (await g.signUp(p.account, ID.unique(), p.email, password, name)).$id
			await g.signIn(p.account, p.email, password)
			return p
		}

		before(async () => {
			project = await server.project({ name: 'Identity' })
			users = new g.server.Users(new g.server.Client().setEndpoint(server.url).setProject(project.id).setKey(await project.addKey(['users.read', 'users.write'])))
		})

		test('a link in a mail signs in', async () => {
			const p = person('mia'), t = await g.magicStart(p.account, ID.unique(), p.email, page), { userId, secret } = await follow(p.email)
			assert.equal(userId, t.userId)
			await rejects(g.magicFinish(p.account, userId, 'wrong'), 'user_invalid_token')
			assert.equal((await g.magicFinish(p.account, userId, secret)).provider, 'magic-url')
			const me = await p.account.get()
			assert.deepEqual([me.$id, me.email, me.emailVerification], [userId, p.email, true])
			await rejects(g.magicFinish(person('noa').account, userId, secret), 'user_invalid_token')
		})

		test('a code by SMS signs in; the number can be verified', async () => {
			const p = person('kim'), phone = `+49${String(Date.now()).slice(-9)}${Math.floor(Math.random() * 90 + 10)}`
			const { userId } = await g.phoneStart(p.account, ID.unique(), phone), secret = await code(phone)
			await rejects(g.phoneFinish(p.account, userId, secret === '000000' ? '000001' : '000000'), 'user_invalid_token')
			assert.equal((await g.phoneFinish(p.account, userId, secret)).provider, 'phone')
			assert.equal((await p.account.get()).phone, phone)
			await users.updatePhoneVerification(userId, false)
			await p.account.createPhoneVerification()
			await p.account.updatePhoneVerification(userId, await code(phone))
			assert.equal((await p.account.get()).phoneVerification, true)
		})

		test('an address is verified', async () => {
			const p = await member('vera')
			assert.equal((await p.account.get()).emailVerification, false)
			await g.verify(p.account, page)
			const { userId, secret } = await follow(p.email)
			await g.verified(p.account, userId, secret)
			assert.equal((await p.account.get()).emailVerification, true)
		})

		test('a forgotten password', async () => {
			const p = await member('rob')
			as(unique('elsewhere'))
			await p.account.createRecovery(p.email, page)
			const { userId, secret } = await follow(p.email)
			await g.recovered(p.account, userId, secret, 'another-horse')
			await rejects(g.recovered(p.account, userId, secret, 'third-horse'), 'user_invalid_token')
			await rejects(g.signIn(p.account, p.email, password), 'user_invalid_credentials')
			assert.equal((await g.signIn(p.account, p.email, 'another-horse')).userId, p.id)
		})

		test('one\'s own account', async () => {
			const p = await member('otto'), { account } = p, mail = `new-${p.email}`
			assert.equal((await account.updateName('Otto II')).name, 'Otto II')
			await rejects(account.updatePassword('new-horse-1', 'wrong-horse'), 'user_invalid_credentials')
			await account.updatePassword('new-horse-1', password)
			assert.equal((await account.updateEmail(mail, 'new-horse-1')).email, mail)
			await rejects(account.updateEmail('x', 'new-horse-1'), 'general_argument_invalid')
			const phone = `+1${String(Date.now()).slice(-10)}${Math.floor(Math.random() * 90 + 10)}`
			assert.equal((await account.updatePhone(phone, 'new-horse-1')).phone, phone)
			/* who has a session signs in elsewhere */
			const { account: other } = person('otto'), second = await g.signIn(other, mail, 'new-horse-1')
			const all = await other.listSessions()
			assert.equal(all.total, 2)
			assert.equal((await other.getSession('current')).$id, second.$id)
			await other.deleteSession(all.sessions.find((s) => !s.current).$id)
			assert.equal((await other.listSessions()).total, 1)
			await other.updateStatus()
			await rejects(other.get(), 'general_unauthorized_scope')
			await rejects(g.signIn(other, mail, 'new-horse-1'), 'user_blocked')
		})

		test('an anonymous guest becomes somebody', async () => {
			const p = person('anna')
			await p.account.createAnonymousSession()
			const made = await p.account.updateEmail(p.email, password)
			assert.equal(made.email, p.email)
			as(unique('elsewhere'))
			assert.equal((await g.signIn(p.account, p.email, password)).userId, made.$id)
		})

		test('a team: invitation, acceptance, roles, leaving', async () => {
			const olga = await member('olga'), guest = person('ned'), id = unique('team')
			as(olga.id)
			const seat = unique('olga')
			await g.signIn(olga.account, olga.email, password)
			assert.equal((await olga.teams.create(id, 'Red')).total, 1)
			await g.invite(olga.teams, id, guest.email, ['player'], page, 'Ned')
			const { membershipId, userId, secret, teamId } = await follow(guest.email)
			assert.equal(teamId, id)
			as(seat)
			await rejects(guest.teams.updateMembershipStatus(id, membershipId, userId, 'wrong'), 'team_invalid_secret')
			assert.equal((await guest.teams.updateMembershipStatus(id, membershipId, userId, secret)).confirm, true)
			assert.equal((await guest.account.get()).$id, userId)
			assert.deepEqual((await guest.teams.list()).teams.map((t) => t.$id), [id])
			await rejects(guest.teams.updateMembership?.(id, membershipId, ['owner']) ?? guest.teams.updateMembershipRoles(id, membershipId, ['owner']), 'user_unauthorized')
			as(olga.id)
			const list = await olga.teams.listMemberships(id)
			assert.deepEqual([list.total, list.memberships.map((m) => m.roles)], [2, [['owner'], ['player']]])
			await (olga.teams.updateMembership?.(id, membershipId, ['captain']) ?? olga.teams.updateMembershipRoles(id, membershipId, ['captain']))
			assert.deepEqual((await olga.teams.getMembership(id, membershipId)).roles, ['captain'])
			as(seat)
			await guest.teams.deleteMembership(id, membershipId)
			await rejects(guest.teams.get(id), 'team_not_found')
			as(olga.id)
			assert.equal((await olga.teams.get(id)).total, 1)
			await olga.teams.delete(id)
			await rejects(olga.teams.get(id), 'team_not_found')
		})

		test('a server manages users', async () => {
			const { Query } = g.server, id = unique('u'), email = `${id}@example.org`
			assert.equal((await users.create(id, email, undefined, password, 'Uma')).$id, id)
			await rejects(users.create(id, `x${email}`, undefined, password), 'user_already_exists')
			assert.equal((await users.get(id)).email, email)
			await rejects(users.get('nobody'), 'user_not_found')
			assert.equal((await users.list([Query.equal('email', email)])).users[0].$id, id)
			assert.equal((await users.list([Query.limit(1), Query.orderDesc('name')])).users.length, 1)
			assert.equal((await users.list([], id)).total, 1)
			assert.equal((await users.updateName(id, 'Uma II')).name, 'Uma II')
			assert.equal((await users.updateEmail(id, `2${email}`)).email, `2${email}`)
			const phone = `+2${String(Date.now()).slice(-10)}${Math.floor(Math.random() * 90 + 10)}`
			assert.equal((await users.updatePhone(id, phone)).phone, phone)
			assert.equal((await users.updateEmailVerification(id, true)).emailVerification, true)
			assert.equal((await users.updatePhoneVerification(id, true)).phoneVerification, true)
			await users.updatePassword(id, 'another-horse')
			assert.deepEqual({ ...await users.updatePrefs(id, { a: 1 }) }, { a: 1 })
			assert.deepEqual({ ...await users.getPrefs(id) }, { a: 1 })
			const p = person('uma')
			await g.signIn(p.account, `2${email}`, 'another-horse')
			const { sessions } = await users.listSessions(id)
			assert.equal(sessions.length, 1)
			assert.equal((await users.listMemberships(id)).total, 0)
			await until('the audit log has entries', async () => (await users.listLogs(id)).total > 0)
			assert.equal((await users.updateStatus(id, false)).status, false)
			await rejects(p.account.get(), 'user_blocked')
			await users.updateStatus(id, true)
			await users.deleteSession(id, sessions[0].$id)
			await rejects(p.account.get(), 'general_unauthorized_scope')
			await users.deleteSessions(id)
			await users.delete(id)
			await rejects(users.get(id), 'user_not_found')
		})

		/* vectors of the contract; the password is "appwrite" */
		const imports = {
			argon2: (id, email) => users.createArgon2User(id, email, '$argon2i$v=19$m=20,t=3,p=2$YXBwd3JpdGU$A/54i238ed09ZR4NwlACU5XnkjNBZU9QeOEuhjLiexI', 'x'),
			md5: (id, email) => users.createMD5User(id, email, '144fa7eaa4904e8ee120651997f70dcc', 'x'),
			phpass: (id, email) => users.createPHPassUser(id, email, '$P$Br387rwferoKN7uwHZqNMu98q3U8RO.', 'x'),
			sha: (id, email) => users.createSHAUser(id, email, 'ece375199f9118cf29e19e171742f668b6b13367dc1797d11da1c74795e758cc', 'sha256', 'x'),
			scrypt: (id, email) => users.createScryptUser(id, email, '3fdef49701bc4cfaacd551fe017283513284b4731e6945c263246ef948d3cf63b5d269c31fd697246085111a428245e24a4ddc6b64c687bc60a8910dbafc1d5b',
				'appwrite', 16384, 13, 2, 64, 'x'),
			scryptMod: (id, email) => users.createScryptModifiedUser(id, email, 'UlM7JiXRcQhzAGlaonpSqNSLIz475WMddOgLjej5De9vxTy48K6WtqlEzrRFeK4t0COfMhWCb8wuMHgxOFCHFQ==', 'UxLMreBr6tYyjQ==', 'Bw==',
				'XyEKE9RcTDeLEsL/RjwPDBv/RqDl8fb3gpYEOQaPihbxf1ZAtSOHCjuAAa7Q3oHpCYhXSN9tizHgVOwn6krflQ==', 'x'),
		}
		for (const [name, make] of Object.entries(imports)) {
			test(`a user with a ${name} hash signs in`, async () => {
				const id = unique('h'), email = `${id}@example.org`, made = await make(id, email)
				assert.equal(made.hash, name)
				const p = person('hash')
				await rejects(g.signIn(p.account, email, 'something-else'), 'user_invalid_credentials')
				assert.equal((await g.signIn(p.account, email, 'appwrite')).userId, id)
				assert.equal((await users.get(id)).hash, 'argon2')
			})
		}
	})
}

test('the second factor, as the newest SDKs have it', async () => {
	const project = await server.project({ name: 'Factors' }), { Client, Account, AuthenticationFactor, AuthenticatorType } = webNew, client = new Client().setEndpoint(server.url).setProject(project.id)
	const account = new Account(client), id = unique('mfa'), email = `${id}@example.org`
	as(id)
	await account.create({ userId: id, email, password })
	await account.createEmailPasswordSession({ email, password })
	const { secret } = await account.createMFAAuthenticator({ type: AuthenticatorType.Totp })
	await account.updateMFAAuthenticator({ type: AuthenticatorType.Totp, otp: shown(secret, step() - 1) })
	assert.equal((await account.updateMFA({ mfa: true })).mfa, true)
	const { recoveryCodes } = await account.createMFARecoveryCodes()
	await account.deleteSession({ sessionId: 'current' })

	await account.createEmailPasswordSession({ email, password })
	await rejects(account.get(), 'user_more_factors_required')
	assert.deepEqual({ ...await account.listMFAFactors() }, { totp: true, phone: false, email: false, recoveryCode: true, custom: false })
	const challenge = await account.createMFAChallenge({ factor: AuthenticationFactor.Recoverycode })
	await account.updateMFAChallenge({ challengeId: challenge.$id, otp: recoveryCodes[0] })
	assert.equal((await account.get()).$id, id)
	assert.deepEqual((await account.getMFARecoveryCodes()).recoveryCodes, recoveryCodes.slice(1))
	const byApp = await account.createMFAChallenge({ factor: AuthenticationFactor.Totp })
	assert.deepEqual((await account.updateMFAChallenge({ challengeId: byApp.$id, otp: shown(secret) })).factors, ['password', 'recoveryCode', 'totp'])

	const users = new serverNew.Users(new serverNew.Client().setEndpoint(server.url).setProject(project.id).setKey(project.key))
	assert.equal((await users.listMFAFactors({ userId: id })).totp, true)
	assert.equal((await users.updateMFARecoveryCodes({ userId: id })).recoveryCodes.length, 6)
	await users.deleteMFAAuthenticator({ userId: id, type: 'totp' })
	assert.equal((await users.updateMFA({ userId: id, mfa: false })).mfa, false)
})

test('codes by mail, as the newest SDK has them', async () => {
	const project = await server.project({ name: 'Codes' }), { Client, Account } = webNew, account = new Account(new Client().setEndpoint(server.url).setProject(project.id))
	const id = unique('code'), email = `${id}@example.org`, mailed = async () => (await box.next(email)).text.match(/\b\d{6}\b/)[0]
	as(id)
	await account.create({ userId: id, email, password })
	await account.createEmailPasswordSession({ email, password })
	const sent = await account.createEmailVerificationOTP({}), secret = await mailed()
	assert.equal(sent.userId, id)
	await rejects(account.updateEmailVerificationOTP({ userId: id, secret: secret === '000000' ? '000001' : '000000' }), 'user_invalid_token')
	await account.updateEmailVerificationOTP({ userId: id, secret })
	assert.equal((await account.get()).emailVerification, true)
	await account.deleteSession({ sessionId: 'current' })
	await account.createRecoveryOTP({ email, phrase: true })
	await account.updateRecoveryOTP({ userId: id, secret: await mailed(), password: 'another-password' })
	assert.equal((await account.createEmailPasswordSession({ email, password: 'another-password' })).userId, id)
})

test('a key of an organization, as the newest server SDK has it', async () => {
	const owner = await server.user({ project: 'console' }), today = { 'x-appwrite-response-format': '1.9.6' }, teamId = unique('org')
	const ask = async (method, path, body, headers) => { const r = await server.call(method, path, { project: 'console', cookie: owner.cookie, body, headers: { ...today, ...headers } }); assert.ok(r.status < 300, r.text); return r.body }
	await ask('POST', '/teams', { teamId, name: 'Org' })
	const { secret } = await ask('POST', '/organization/keys', { keyId: 'unique()', name: 'K', scopes: ['projects.read', 'projects.write', 'organization.read'] }, { 'x-appwrite-organization': teamId })
	const client = new serverNew.Client().setEndpoint(server.url).setProject('console').setKey(secret)
	client.headers['X-Appwrite-Organization'] = teamId
	const organization = new serverNew.Organization(client), projectId = unique('p')
	assert.equal((await organization.createProject({ projectId, name: 'Made by a key' })).$id, projectId)
	assert.deepEqual((await organization.listProjects()).projects.map((p) => p.$id), [projectId])
	await organization.deleteProject({ projectId })
	assert.equal((await organization.listProjects()).total, 0)
})
