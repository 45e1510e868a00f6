/* The limit of every route that has one: how many, counted by what, and who is not counted (spec identity.md 3.5, databases.md 1.3). */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { cookieOf, server, unique } from '../lib/server.mjs'
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
	['GET', '/account/sessions/oauth2/github', 50, 'ip', nobody],
	['POST', '/account/recovery', 10, 'both', mail],
	['PUT', '/account/recovery', 10, 'subject', person],
	['PUT', '/account/verification', 10, 'subject', person],
	['PUT', '/account/verification/phone', 10, 'subject', person],
	['POST', '/account/jwt', 100, 'subject', user],
	['POST', '/account/verification', 10, 'subject', user],
	['POST', '/account/verification/phone', 10, 'subject', user],
	['PATCH', '/account/sessions/none', 10, 'ip', user],
	['DELETE', '/account/sessions/none', 100, 'ip', user],
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

	test('another project counts for itself', async () => {
		const u = await used('POST', '/account', 10, nobody), other = await s.project()
		assert.notEqual((await other.guest('POST', '/account', { headers: { 'x-forwarded-for': u.ip } })).status, 429)
	})
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
