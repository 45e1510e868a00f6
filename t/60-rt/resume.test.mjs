/* Resuming: drop the link at any moment, come back with the last id, and nothing is missing, doubled or out of order. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { server, sleep, unique } from '../lib/server.mjs'
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

/* ---- what may be read now ---- */

/* Somebody was here, goes, and `meanwhile` happens: what he gets when he comes back. */
async function back(as, meanwhile, as2 = as) {
	const w = await p.listen(['documents', 'memberships'], { as }), { id } = w.hello
	w.end()
	await meanwhile()
	/* what is in the stream by then is the past; what was not relayed yet is news to who comes */
	const watch = await p.listen(['documents'])
	await p.heard(watch)
	watch.end()
	const again = await p.listen(['documents', 'memberships'], { as: as2, ...since(id) })
	assert.equal(again.hello.gap, false)
	const [got] = await p.heard(again)
	again.end()
	return got.filter((n) => !(n >= 1000000))
}
const patch = (id, body, collection) => p.ok('PATCH', p.path(id, collection), { body: { data: {}, ...body } })

test('a document that one may not read any more is not told of, nor what it said before', async () => {
	assert.deepEqual(await back(alice, async () => {
		const d = await p.write(1, [read('users')]), e = await p.write(2, [read('users')])
		await patch(d.$id, { permissions: [read('user:nobody')] })
		await patch(e.$id, { data: { n: 3 } })
	}), [2, 3])
})

test('of a document that is gone, only that it went, and only to who could read it', async () => {
	let d, e
	assert.deepEqual(await back(alice, async () => {
		d = await p.write(1, [read('users')])
		e = await p.write(2, [read('users')])
		await patch(d.$id, { data: { n: 11 } })
		await patch(e.$id, { permissions: [read('user:nobody')] })
		for (const x of [d, e]) await p.ok('DELETE', p.path(x.$id))
	}), [11])
})

test('another document with the same id does not open what the former said', async () => {
	assert.deepEqual(await back(alice, async () => {
		const d = await p.write(1, [read('users')])
		await patch(d.$id, { permissions: [read('user:nobody')] })
		await p.ok('DELETE', p.path(d.$id))
		await p.write(2, [read('users')], d.$id)
	}), [2])
})

test('what the collection no longer lets read is not told of: documents that are there, that are gone, and the collection itself', async () => {
	await p.collection('open', [read('users')], false)
	await p.collection('gone', [read('users')], false)
	await p.collection('off', [read('users')], false)
	assert.deepEqual(await back(alice, async () => {
		await p.write(1, undefined, undefined, 'open')
		const d = await p.write(2, undefined, undefined, 'open')
		await p.ok('DELETE', p.path(d.$id, 'open'))
		await p.write(3, undefined, undefined, 'gone')
		await p.write(4, undefined, undefined, 'off')
		await p.ok('PUT', '/databases/d/collections/open', { body: { name: 'open', permissions: [read('user:nobody')], documentSecurity: false } })
		await p.ok('DELETE', '/databases/d/collections/gone')
		await p.ok('PUT', '/databases/d/collections/off', { body: { name: 'off', permissions: [read('users')], documentSecurity: false, enabled: false } })
	}), [])
})

test('a team: nothing from before one joined, nothing after one left, and no membership that is gone', async () => {
	const team = unique(), u = await p.user(), other = await p.user(), join = (email) => p.ok('POST', `/teams/${team}/memberships`, { body: { email, roles: [], url: 'http://localhost' } })
	let m, o
	await p.ok('POST', '/teams', { body: { teamId: team, name: 'T' } })
	const name = (x, what) => `teams.${team}.memberships.${x.$id}.${what}`
	assert.deepEqual(await back(u, async () => {
		await p.write(1, [read(`team:${team}`)])
		m = await join(u.email)
		await p.write(2, [read(`team:${team}`)])
		o = await join(other.email)
		await p.ok('DELETE', `/teams/${team}/memberships/${o.$id}`)
	}), [name(m, 'create'), 2, name(o, 'delete')])
	assert.deepEqual(await back(u, async () => {
		await p.write(3, [read(`team:${team}`)])
		await p.ok('DELETE', `/teams/${team}/memberships/${m.$id}`)
	}), [])
})

test('who was not there yet when it happened is not shown it', async () => {
	let u
	assert.deepEqual(await back(undefined, async () => {
		await p.write(1, [read('users')])
		await p.write(2, [read('any')])
		u = await p.user()
		await p.write(3, [read('users')])
	}), [2])
	const w = await p.listen(['documents']), { id } = w.hello
	w.end()
	await p.write(1, [read('users')])
	u = await p.user()
	await p.write(3, [read('users')])
	const again = await p.listen(['documents'], { as: u, ...since(id) })
	assert.deepEqual(await p.heard(again), [[3]])
	again.end()
})
