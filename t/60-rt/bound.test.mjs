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
	for (let n = 0; n < 400 || (await trimmed()) === 0; n++) {
		await p.write(n, [read('any')])
		last = (await w.next((f) => f.type === 'event')).id
	}
	w.end()
	await until('the stream is within its bound', async () => {
		const before = await trimmed()
		return before > 100
	})
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
