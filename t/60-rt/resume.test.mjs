/* Resuming: drop the link at any moment, come back with the last id, and nothing is missing, doubled or out of order. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { server, sleep } from '../lib/server.mjs'
import { library, read } from './lib.mjs'

let s, p, alice

before(async () => {
	s = await server()
	p = await library(s)
	alice = await p.user({ name: 'Alice' })
	const w = await p.listen(['documents'])
	await p.heard(w)	/* the stream exists */
	w.end()
})
after(() => s.stop?.call(s))

const since = (id) => ({ query: `&since=${id}` })

test('what was missed comes first, then what is new', async () => {
	const w = await p.listen(['documents'], { as: alice })
	await p.write(1, [read('users')])
	await p.write(2, [read('users')])
	assert.equal((await w.event()).payload.n, 1)
	const f = await w.next()
	assert.equal(f.data.payload.n, 2)
	w.end()
	await p.write(3, [read('users')])
	await p.write(4, [read('guests')])
	await p.write(5, [read(`user:${alice.id}`)])
	const back = await p.listen(['documents'], { as: alice, ...since(f.id) })
	assert.equal(back.hello.gap, false)
	assert.equal(back.hello.id, f.id)
	await p.write(6, [read('users')])
	assert.deepEqual(await p.heard(back), [[3, 5, 6]])
	back.end()
})

test('from the id of connected, in message mode with the first subscription', async () => {
	const w = await p.listen([])
	w.end()
	await p.write(1, [read('any')])
	const back = await p.listen([], since(w.hello.id))
	await p.write(2, [read('any')])
	await back.ask({ type: 'subscribe', data: [{ channels: ['documents'] }] })
	assert.deepEqual(await p.heard(back), [[1, 2]])
	back.end()
})

test('a broken link under load loses and doubles nothing', async () => {
	let w = await p.listen(['documents'], { as: alice }), last = w.hello.id, writing = true, written = 0, breaks = 0
	const got = [], gaps = []
	const writer = (async () => {
		while (written < 1500) {
			await Promise.all(Array.from({ length: 4 }, () => p.write(written++, [read('users')])))
			if (written % 100 === 0) await sleep(1)
		}
		await p.write(999999, [read('users')])
		writing = false
	})()
	for (let done = false; !done;) {
		/* read a few, then break the link in the middle of whatever is on its way */
		for (let i = 0; i < 40 && !done; i++) {
			const f = await w.next((x) => x.type === 'event')
			last = f.id
			if (f.data.payload.n === 999999) done = true
			else got.push(f.data.payload.n)
		}
		w.end()
		if (done) break
		breaks++
		w = await p.listen(['documents'], { as: alice, ...since(last) })
		gaps.push(w.hello.gap)
	}
	await writer
	assert.ok(!writing && breaks > 10)
	assert.ok(gaps.every((g) => g === false))
	assert.deepEqual([...got].sort((a, b) => a - b), Array.from({ length: written }, (_, i) => i))
	got.forEach((n, at) => assert.ok(Math.abs(n - at) < 8, `${n} at ${at}`))
})

test('roles are those of now', async () => {
	const u = await p.user(), w = await p.listen(['documents'], { as: u })
	w.end()
	await p.write(1, [read(`user:${u.id}`)])
	await p.write(2, [read('any')])
	const guest = await p.listen(['documents'], since(w.hello.id))
	assert.deepEqual(await p.heard(guest), [[2]])
	guest.end()
})

test('an id of another stream is a gap, one from before all that is in this stream is none', async () => {
	const w = await p.listen(['documents'], since('00000000-1-0'))
	assert.equal(w.hello.gap, true)
	assert.notEqual(w.hello.id, '00000000-1-0')
	await p.write(1, [read('any')])
	assert.deepEqual(await p.heard(w), [[1]])
	w.end()
	const old = await p.listen(['documents'], since(w.hello.id.replace(/-.*/, '-1-0')))
	assert.equal(old.hello.gap, false)
	old.end()
})
