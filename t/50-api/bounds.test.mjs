/* What a caller may make a process do or keep, where the bound is no limit of a parameter. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { server } from '../lib/server.mjs'

let s, p
before(async () => {
	s = await server({ own: true, conf: { web_processes: 1, rate_limits: 'off', bytes_per_address: '1m' } })
	p = await s.project()
})
after(() => s?.stop())

describe('headers that are read as JSON', () => {
	test('a list of tokens that nobody has is not read', async () => {
		const u = await p.user(), [name, token] = u.cookie.split('; ')[0].split('=').map(decodeURIComponent)
		const as = (n) => p.guest('GET', '/account', { headers: { 'x-fallback-cookies': JSON.stringify({ ...Object.fromEntries(Array.from({ length: n }, (_, i) => [`a_session_${i}`, 'x'])), [name.replace('_legacy', '')]: token }) } })
		assert.equal((await as(100)).status, 200)
		assert.equal((await as(1000)).status, 401)
	})
})

describe('bodies of tiny values', () => {
	const metric = async (name) => Number((await (await fetch(new URL('/metrics', s.base))).text()).match(new RegExp(`^badal_${name} (\\d+)`, 'm'))[1])
	const tiny = {
		'empty objects': JSON.stringify({ x: Array.from({ length: 9000 }, () => ({})) }),
		'empty lists': JSON.stringify({ x: Array.from({ length: 9000 }, () => []) }),
		'objects in a form': Array.from({ length: 900 }, (_, i) => `a[${i}][][][]=1`).join('&'),
	}
	for (const [what, body] of Object.entries(tiny))
		test(`${what} count for what is made of them`, async () => {
			const before = await metric('bytes_refused_address_total'), type = body[0] === '{' ? 'application/json' : 'application/x-www-form-urlencoded'
			const r = await p.guest('POST', '/account', { body, headers: { 'content-type': type } })
			assert.equal(r.status, 429)
			assert.equal(await metric('bytes_refused_address_total'), before + 1)
		})
	test('as much text does not, and nothing is left', async () => {
		const r = await p.guest('POST', '/account', { body: { x: 'a'.repeat(29000) } })
		assert.equal(r.status, 400)
		assert.equal(await metric('bytes_held'), 0)
	})
	test('what is read on a thread is read as ever', async () => {
		const r = await p.guest('POST', '/account', { body: { userId: 'many', email: 'many@example.org', password: 'correct-horse', x: Array.from({ length: 3000 }, (_, i) => i) } })
		assert.equal(r.status, 201)
		assert.ok(await metric('offload_jobs_total') > 0)
	})
})
