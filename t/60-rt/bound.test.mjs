/* A stream that is bounded in bytes: who asks for what was trimmed is told of the gap, who has seen it is not. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { server, until } from '../lib/server.mjs'
import { library, read } from './lib.mjs'

let s, p
before(async () => {
	s = await server({ own: true, conf: { rt_resume_bytes: '64k' } })
	p = await library(s)
})
after(() => s?.stop())

const trimmed = async () => Number((await (await fetch(new URL('/metrics', s.base))).text()).match(/^badal_relay_trimmed_total (\d+)/m)[1])

test('the gap is told where entries are gone', { timeout: 60000 }, async () => {
	const w = await p.listen(['documents']), first = w.hello.id
	let last
	for (let n = 0; n < 400 || (await trimmed()) <= 100; n++) {	/* nothing is trimmed of a stream that does not grow */
		await p.write(n, [read('any')])
		last = (await w.next((f) => f.type === 'event')).id
	}
	w.end()
	const old = await p.listen(['documents'], { query: `&since=${first}` })
	assert.equal(old.hello.gap, true)
	const now = await p.listen(['documents'], { query: `&since=${last}` })
	assert.equal(now.hello.gap, false)
	await p.write(1000, [read('any')])
	assert.equal((await old.event()).payload.n, 1000)
	assert.equal((await now.event()).payload.n, 1000)
	old.end()
	now.end()
})

test('sockets of one user that read nothing have one bound together, and others hear on', { timeout: 60000 }, async () => {
	const s = await server({ own: true, conf: { web_processes: 1, rt_bytes_per_client: '1m', rt_ping_interval: 0 } })
	const p = await library(s), [u, v] = [await p.user(), await p.user()], N = 6
	const count = async (name) => Number((await (await fetch(new URL('/metrics', s.base))).text()).match(new RegExp(`^badal_${name} (\\d+)`, 'm'))[1])
	await p.ok('POST', '/databases/d/collections/c/attributes/string', { body: { key: 'text', size: 1000000, required: false } })
	await until('the attribute is there', async () => (await p.ok('GET', '/databases/d/collections/c/attributes/text')).status === 'available')
	await p.ok('POST', '/databases/d/collections/c/documents', { body: { documentId: 'x', data: { n: 0 }, permissions: [read('any')] } })
	const lazy = await Promise.all(Array.from({ length: N }, () => p.listen(['documents'], { as: u }))), keen = await p.listen(['documents'], { as: v })
	for (const w of lazy) w.socket.pause()
	let n = 0
	while (await count('rt_slow_closed_total') < N && n < 100) {
		await p.ok('PATCH', p.path('x'), { body: { data: { n: ++n, text: String(n % 10).repeat(900000) } } })
		assert.equal((await keen.event()).payload.n, n)
	}
	assert.equal(await count('rt_slow_closed_total'), N)
	assert.ok(await count('rt_bytes_refused_total') > 0)
	assert.equal(keen.open, true)
	for (const w of [...lazy, keen]) w.end()
	await s.stop()
})
