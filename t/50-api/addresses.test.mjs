/* Addresses of e-mail: the mailbox behind aliases, what kind of provider they are of, and projects that do not take each. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { server, unique } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { fails } from './lib.mjs'

let s, p, box
const format = '1.9.5', headers = { 'x-appwrite-response-format': format }
const password = 'correct-horse'

before(async () => {
	box = await sink()
	s = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port } })
	p = await s.project()
})
after(async () => {
	await s.stop()
	box.stop()
})

const told = (u) => [u.emailCanonical, u.emailIsCanonical, u.emailIsFree, u.emailIsDisposable, u.emailIsCorporate]
describe('what is told of them', () => {
	for (const [name, domain, mailbox, domainOf, free, disposable] of [
		['Ada', 'Example.org', 'ada', 'example.org', false, false],
		['ada+News', 'example.org', 'ada', 'example.org', false, false],
		['ada.b', 'example.org', 'ada.b', 'example.org', false, false],
		['a.d.a+x+y', 'gmail.com', 'ada', 'gmail.com', true, false],
		['a.da', 'googlemail.com', 'ada', 'gmail.com', true, false],
		['ada.b', 'outlook.com', 'ada.b', 'outlook.com', true, false],
		['ada-shop', 'yahoo.co.uk', 'ada', 'yahoo.co.uk', true, false],
		['ada-b', 'example.org', 'ada-b', 'example.org', false, false],
		['ada', 'me.com', 'ada', 'icloud.com', true, false],
		['a.d-a_+x', 'pm.me', 'ada', 'proton.me', true, false],
		['+tag', 'example.org', '+tag', 'example.org', false, false],
		['ada', 'mailinator.com', 'ada', 'mailinator.com', false, true],
		['ada', 'a.b.mailinator.com', 'ada', 'a.b.mailinator.com', false, true],
		['ada', 'notmailinatorx.example', 'ada', 'notmailinatorx.example', false, false],
		['ada', 'mail.gmail.com', 'ada', 'mail.gmail.com', false, false],
	])
		test(`${name}@${domain}`, async () => {
			const mark = unique('').replace(/[^a-z0-9]/g, ''), at = name.startsWith('+') ? `${name}${mark}` : `${mark}${name}`
			const email = `${at}@${domain}`, is = `${name.startsWith('+') ? `${mailbox}${mark}` : `${mark}${mailbox}`}@${domainOf}`
			const u = await p.ok('POST', '/users', { headers, body: { userId: 'unique()', email, password } })
			assert.deepEqual(told(u), [is, email.toLowerCase() === is, free, disposable, !free && !disposable])
			assert.deepEqual(told(await p.ok('GET', `/users/${u.$id}`, { headers })), told(u))
			const old = await p.ok('GET', `/users/${u.$id}`, { headers: { 'x-appwrite-response-format': '1.7.0' } })
			assert.ok(!Object.keys(old).some((k) => /^email(Is|Canonical)/.test(k)))
		})
	test('nothing of who has none', async () => {
		const u = await p.ok('POST', '/users', { headers, body: { userId: 'unique()' } })
		assert.deepEqual(told(u), [null, null, null, null, null])
	})
	test('users are told of their own', async () => {
		const u = await p.user(), me = await u.ok('GET', '/account', { headers })
		assert.deepEqual(told(me), [u.email, true, false, false, true])
	})
})

const kinds = {	/* policy: an address that it refuses, one that it takes, the error */
	'deny-disposable-email': [(m) => `${m}@mailinator.com`, (m) => `${m}@gmail.com`, 'user_email_disposable'],
	'deny-free-email': [(m) => `${m}@gmail.com`, (m) => `${m}@mailinator.com`, 'user_email_free'],
	'deny-aliased-email': [(m) => `${m}+x@example.org`, (m) => `${m}@gmail.com`, 'user_email_not_canonical'],
	'deny-corporate-email': [(m) => `${m}@gmail.com`, (m) => `${m}@example.org`, 'user_email_not_corporate'],
}
describe('policies', () => {
	let q
	beforeEach(async () => { q = await s.project({ scopes: ['policies.write', 'users.write', 'teams.write'] }) })
	const set = (policy, enabled) => q.ok('PATCH', `/project/policies/${policy}`, { headers, body: { enabled } })
	const local = () => unique('m').replace(/[^a-z0-9]/g, '')
	for (const [policy, [bad, good, type]] of Object.entries(kinds))
		test(policy, async () => {
			const was = bad(local()), old = await q.guest('POST', '/account', { headers, body: { userId: 'unique()', email: was, password } })
			assert.equal(old.status, 201, old.text)
			await set(policy, true)
			const ways = [
				(email) => q.guest('POST', '/account', { headers, body: { userId: 'unique()', email, password } }),
				(email) => q.guest('POST', '/account/tokens/email', { headers, body: { userId: 'unique()', email } }),
				(email) => q.guest('POST', '/account/tokens/magic-url', { headers, body: { userId: 'unique()', email, url: 'http://localhost/m' } }),
				async (email) => (await q.user({ email: good(local()) })).call('PATCH', '/account/email', { headers, body: { email, password } }),
				async (email) => {
					const anonymous = await q.guest('POST', '/account/sessions/anonymous', { headers })
					return q.guest('PATCH', '/account/email', { headers: { ...headers, 'x-fallback-cookies': anonymous.headers['x-fallback-cookies'] }, body: { email, password } })
				},
				async (email) => {
					const ada = await q.user({ email: good(local()) }), team = await ada.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'T' } })
					return ada.call('POST', `/teams/${team.$id}/memberships`, { body: { email, roles: ['member'], url: 'http://localhost/t' } })
				},
			]
			for (const way of ways) {
				fails(await way(bad(local())), 400, type)
				const taken = await way(good(local()))
				assert.ok(taken.status === 200 || taken.status === 201, taken.text)
			}
			/* who manages users is asked nothing, and who is here already comes in */
			const made = await q.ok('POST', '/users', { headers, body: { userId: 'unique()', email: bad(local()), password } })
			await q.ok('PATCH', `/users/${made.$id}/email`, { headers, body: { email: bad(local()) } })
			assert.equal((await q.guest('POST', '/account/sessions/email', { headers, body: { email: was, password } })).status, 201)
			assert.equal((await q.guest('POST', '/account/tokens/email', { headers, body: { userId: 'unique()', email: was } })).status, 201)
			await set(policy, false)
			assert.equal((await ways[0](bad(local()))).status, 201)
		})
	test('an address with dots or of a domain that has another name is nobody\'s alias', async () => {
		await set('deny-aliased-email', true)
		const up = (email) => q.guest('POST', '/account', { headers, body: { userId: 'unique()', email, password } })
		for (const [name, domain] of [['john.doe', 'gmail.com'], ['ada', 'googlemail.com'], ['ada', 'me.com'], ['ada', 'mac.com'], ['a_d-a.b', 'pm.me'], ['ada-b', 'example.org'], ['ada_b', 'yahoo.com']]) {
			const taken = await up(`${local()}${name}@${domain}`)
			assert.equal(taken.status, 201, `${name}@${domain}: ${taken.text}`)
			assert.equal(taken.body.emailIsCanonical, ['example.org', 'yahoo.com'].includes(domain))
		}
		for (const [name, domain] of [['john.doe+x', 'gmail.com'], ['ada+', 'googlemail.com'], ['ada+x', 'me.com'], ['ada-b', 'yahoo.com'], ['ada+b', 'ymail.com']])
			fails(await up(`${local()}${name}@${domain}`), 400, 'user_email_not_canonical')
	})
})
