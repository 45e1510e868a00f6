/* Limits that must hold: a bucket cannot be left by spelling its values differently, and a process takes only so many requests at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { server, unique } from '../lib/server.mjs'

test('the name of the host and the case of an address choose no other bucket', async (t) => {
	const s = await server({ own: true, conf: { rate_limits: 'on' } })
	t.after(() => s.stop())
	const name = unique('a'), resets = new Set(), codes = []
	for (let i = 0; i < 14; i++) {
		const email = [...name].map((c, k) => (k + i) % 3 ? c : c.toUpperCase()).join('') + '@example.org'
		const r = await s.call('POST', '/account/sessions/email', {
			body: { email, password: 'password-1234' }, headers: { host: `h${i}.example.org`, 'x-forwarded-host': i % 2 ? `f${i}.example.org` : '' } })
		codes.push(r.status)
		resets.add(r.headers['x-ratelimit-reset'])
	}
	/* the window may turn meanwhile */
	if (resets.size === 1) assert.deepEqual(codes, [...Array(10).fill(401), ...Array(4).fill(429)])
})

test('more requests than a process may work on are refused, and the others answered', async (t) => {
	const s = await server({ own: true, conf: { requests_max: 2, web_processes: 1 } })
	t.after(() => s.stop())
	const one = () => s.call('POST', '/account', { body: { userId: 'unique()', email: `${unique()}@example.org`, password: 'password-1234' } })
	const all = await Promise.all(Array.from({ length: 60 }, one))
	const of = (status) => all.filter((r) => r.status === status)
	assert.equal(of(201).length + of(503).length, all.length)
	assert.ok(of(201).length > 0 && of(503).length > 0, `${of(201).length} answered, ${of(503).length} refused`)
	assert.equal(of(503)[0].body.type, 'general_busy')
	assert.equal((await one()).status, 201)
})
