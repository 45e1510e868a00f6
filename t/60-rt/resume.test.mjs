/* Resuming: drop the link at any moment, come back with the last id, and nothing is missing, doubled or out of order.
 *
 * The server is its own, because its relay is held up: what is committed meanwhile is not in the stream when a client comes back. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'

import { children, server, sleep, unique, until } from '../lib/server.mjs'
import { library, read } from './lib.mjs'

let s, p, alice

before(async () => {
	s = await server({ own: true })
	p = await library(s)
	alice = await p.user({ name: 'Alice' })
	const w = await p.listen(['documents'])
	await p.heard(w)	/* the stream exists */
	w.end()
})
after(() => s?.stop())

const since = (id) => ({ query: `&since=${id}` })

/* Runs `work` while nothing that is committed reaches the stream. */
async function held(work, of = s) {
	const [pid] = children(of, 'badal-relay')
	process.kill(pid, 'SIGSTOP')
	try {
		await until('the relay to stand still', () => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
		return await work()
	} finally { process.kill(pid, 'SIGCONT') }
}

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

test('many documents of one request are many events, and each is a place to come back from', async () => {
	const ALL = 700, EACH = 100	/* those of a request are one entry of the stream */
	let w = await p.listen(['documents'], { as: alice }), last = w.hello.id
	const got = [], ids = new Set()
	const writing = (async () => {
		for (let n = 0; n < ALL; n += EACH) {
			const documents = Array.from({ length: EACH }, (_, i) => ({ $id: unique(), n: n + i, $permissions: [read((n + i) % 10 === 9 ? 'guests' : 'users')] }))
			await p.ok('POST', '/databases/d/collections/c/documents', { headers: { 'x-appwrite-response-format': '1.9.5' }, body: { documents } })
		}
	})()
	while (got.length < ALL * 0.9) {
		for (let i = 0; i < 37 && got.length < ALL * 0.9; i++) {
			const f = await w.next((x) => x.type === 'event')
			got.push(f.data.payload.n)
			assert.ok(!ids.has(f.id))
			ids.add(last = f.id)
		}
		w.socket.destroy()
		w = await p.listen(['documents'], { as: alice, ...since(last) })
		assert.equal(w.hello.gap, false)
	}
	await writing
	assert.deepEqual(got, Array.from({ length: ALL }, (_, n) => n).filter((n) => n % 10 !== 9))
	assert.deepEqual(await p.heard(w), [[]])
	w.end()
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

/* Somebody was here, goes, and `meanwhile` happens: what he gets when he comes back. Twice: when all of it is in the stream by then, and when nothing is. */
async function back(as, meanwhile, expected, as2 = as) {
	for (const late of [false, true]) {
		const w = await p.listen(['documents', 'memberships'], { as }), { id } = w.hello
		w.end()
		let again
		const work = async () => {
			await meanwhile()
			if (!late) {
				const watch = await p.listen(['documents'])
				await p.heard(watch)
				watch.end()
			}
			again = await p.listen(['documents', 'memberships'], { as: typeof as2 === 'function' ? as2() : as2, ...since(id) })
			assert.equal(again.hello.gap, false)
			if (late) assert.deepEqual(again.frames, [], 'nothing is shown before it is known what is past')
		}
		await (late ? held(work) : work())
		const [got] = await p.heard(again)
		again.end()
		assert.deepEqual(got.filter((n) => !(n >= 1000000)), typeof expected === 'function' ? expected() : expected, late ? 'before the stream has it' : 'from the stream')
	}
}
const patch = (id, body, collection) => p.ok('PATCH', p.path(id, collection), { body: { data: {}, ...body } })

test('a document that one may not read any more is not told of, nor what it said before', async () => {
	await back(alice, async () => {
		const d = await p.write(1, [read('users')]), e = await p.write(2, [read('users')])
		await patch(d.$id, { permissions: [read('user:nobody')] })
		await patch(e.$id, { data: { n: 3 } })
	}, [2, 3])
})

test('of a document that is gone, only that it went, and only to who could read it', async () => {
	await back(alice, async () => {
		const d = await p.write(1, [read('users')]), e = await p.write(2, [read('users')])
		await patch(d.$id, { data: { n: 11 } })
		await patch(e.$id, { permissions: [read('user:nobody')] })
		for (const x of [d, e]) await p.ok('DELETE', p.path(x.$id))
	}, [11])
})

test('another document with the same id does not open what the former said', async () => {
	await back(alice, async () => {
		const d = await p.write(1, [read('users')])
		await patch(d.$id, { permissions: [read('user:nobody')] })
		await p.ok('DELETE', p.path(d.$id))
		await p.write(2, [read('users')], d.$id)
	}, [2])
})

test('dates that keys set make no other document of one, nor one of two', async () => {
	const dated = (id, body) => p.ok('PATCH', p.path(id), { headers: { 'x-appwrite-response-format': '1.9.5' }, body: { data: { $createdAt: '2020-01-01' }, ...body } })
	await back(alice, async () => {
		const d = await p.write(1, [read('users')]), e = await p.write(3, [read('users')])
		await dated(d.$id)
		await dated(e.$id, { permissions: [read('user:nobody')] })
		await p.ok('DELETE', p.path(e.$id))
		await p.write(4, [read('users')], e.$id)
		assert.match((await dated(e.$id)).$createdAt, /^2020/)
	}, [1, 1, 4, 4])
})

test('what the collection no longer lets read is not told of: documents that are there, that are gone, and the collection itself', async () => {
	let round = 0
	const made = []
	for (let i = 0; i < 2; i++)
		for (const c of made[i] = ['open', 'gone', 'off'].map((c) => `${c}${i}`)) await p.collection(c, [read('users')], false)
	await back(alice, async () => {
		const [open, gone, off] = made[round++], put = (id, body) => p.ok('PUT', `/databases/d/collections/${id}`, { body: { name: id, documentSecurity: false, ...body } })
		await p.write(1, undefined, undefined, open)
		const d = await p.write(2, undefined, undefined, open)
		await p.ok('DELETE', p.path(d.$id, open))
		await p.write(3, undefined, undefined, gone)
		await p.write(4, undefined, undefined, off)
		await put(open, { permissions: [read('user:nobody')] })
		await p.ok('DELETE', `/databases/d/collections/${gone}`)
		await put(off, { permissions: [read('users')], enabled: false })
	}, [])
})

test('a team: nothing from before one joined, nothing after one left, and no membership that is gone', async () => {
	const team = unique(), u = await p.user(), other = await p.user(), join = (email) => p.ok('POST', `/teams/${team}/memberships`, { body: { email, roles: [], url: 'http://localhost' } })
	let m, o
	await p.ok('POST', '/teams', { body: { teamId: team, name: 'T' } })
	const name = (x, what) => `teams.${team}.memberships.${x.$id}.${what}`, leave = (x) => p.ok('DELETE', `/teams/${team}/memberships/${x.$id}`)
	await back(u, async () => {
		if (m) await leave(m)
		await p.write(1, [read(`team:${team}`)])
		m = await join(u.email)
		await p.write(2, [read(`team:${team}`)])
		o = await join(other.email)
		await leave(o)
	}, () => [name(m, 'create'), 2, name(o, 'delete')])
	await back(u, async () => {
		m ??= await join(u.email)
		await p.write(3, [read(`team:${team}`)])
		await leave(m)
		m = undefined
	}, [])
})

test('who was not there yet when it happened is not shown it', async () => {
	let u
	const meanwhile = async () => {
		await p.write(1, [read('users')])
		await p.write(2, [read('any')])
		u = await p.user()
		await p.write(3, [read('users')])
	}
	await back(undefined, meanwhile, [2])
	await back(undefined, meanwhile, [2, 3], () => u)
})

/* ---- what the stream does not have yet ---- */

test('what is committed after one came back comes behind the past', async () => {
	const w = await p.listen(['documents'], { as: alice }), { id } = w.hello
	w.end()
	const again = await held(async () => {
		const d = await p.write(1, [read('users')]), e = await p.write(2, [read('users')])
		await patch(d.$id, { permissions: [read('user:nobody')] })
		const x = await p.listen(['documents'], { as: alice, ...since(id) })
		await p.write(3, [read('users')])
		await patch(e.$id, { data: { n: 4 } })
		return x
	})
	assert.deepEqual(await p.heard(again), [[2, 3, 4]])
	again.end()
})

test('in message mode the past ends with the first subscription', async () => {
	const w = await p.listen([], { as: alice }), { id } = w.hello
	w.end()
	const again = await held(async () => {
		const x = await p.listen([], { as: alice, ...since(id) })
		assert.equal((await x.ask({ type: 'ping' })).type, 'pong')
		const d = await p.write(1, [read('users')])
		await p.write(2, [read('users')])
		await patch(d.$id, { permissions: [read('user:nobody')] })
		assert.equal((await x.ask({ type: 'subscribe', data: [{ channels: ['documents'] }] })).type, 'response')
		return x
	})
	assert.deepEqual(await p.heard(again), [[2]])
	again.end()
})

test('many that come back at once are all served, and each entry once', async () => {
	const w = await p.listen(['documents'], { as: alice }), { id } = w.hello, n = 200
	w.end()
	const all = await held(async () => {
		await p.write(1, [read('users')])
		const d = await p.write(2, [read('users')])
		await patch(d.$id, { permissions: [read('user:nobody')] })
		return Promise.all(Array.from({ length: n }, () => p.listen(['documents'], { as: alice, ...since(id) })))
	})
	assert.deepEqual(await p.heard(...all), Array(n).fill([1]))
	all.forEach((x) => x.end())
})

test('who connects afresh waits for nothing', async () => {
	const w = await held(async () => {
		const x = await p.listen(['documents'], { as: alice })
		assert.equal((await x.ask({ type: 'ping' })).type, 'pong')
		return x
	})
	await p.write(1, [read('users')])
	assert.equal((await w.event((e) => e.payload.n === 1)).payload.n, 1)
	w.end()
})

test('a database that is written to without events keeps nobody waiting', async () => {
	const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql])
	const w = await p.listen(['documents'], { as: alice }), { id } = w.hello
	w.end()
	psql('CREATE TABLE public.noise AS SELECT g FROM generate_series(1, 100000) g')
	const x = await p.listen(['documents'], { as: alice, ...since(id) })
	assert.equal((await x.ask({ type: 'ping' })).type, 'pong')
	psql('DROP TABLE public.noise')
	x.end()
})

test('when the stream does not get there in time the socket ends, and the next one has all of it', async () => {
	const other = await server({ own: true, conf: { request_timeout: '8s' } })
	try {
		const q = await library(other), w = await q.listen(['documents']), { id } = w.hello
		w.end()
		await held(async () => {
			await q.write(1, [read('any')])
			const x = await q.listen(['documents'], since(id))
			assert.equal(x.hello.gap, false)
			assert.deepEqual(await x.closed, { code: 1013, reason: 'try again later' })
			assert.deepEqual(x.frames, [])
		}, other)
		const x = await q.listen(['documents'], since(id))
		assert.deepEqual(await q.heard(x), [[1]])
		x.end()
	} finally { await other.stop() }
})
