/* What a caller may make a process do or keep, where the bound is no limit of a parameter. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { server } from '../lib/server.mjs'

let s, p
before(async () => {
	s = await server({ own: true, conf: { web_processes: 1, rate_limits: 'off' } })
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
