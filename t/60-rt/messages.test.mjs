/* What clients say: authentication, subscriptions, errors, limits, slow readers. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { early, server, until, unique } from '../lib/server.mjs'
import { library, read } from './lib.mjs'

let s, p, alice, bob

before(async () => {
	s = await server()
	p = await library(s)
	alice = await p.user({ name: 'Alice' })
	bob = await p.user({ name: 'Bob' })
	/* events come in order: those of their sessions are past */
	const w = await p.listen(['documents'])
	await p.write(0, [read('any')])
	await w.event((d) => d.payload.n === 0)
	w.end()
})
after(() => s.stop?.call(s))

const token = (u) => decodeURIComponent(u.cookie.match(/a_session_[^=;]*=([^;]*)/)[1])
const error = (code, message) => ({ type: 'error', data: { code, message } })

test('late authentication; another user replaces the first', async () => {
	const w = await p.listen(['account', 'documents'])
	const r = await w.ask({ type: 'authentication', data: { session: token(alice) } })
	assert.deepEqual([r.type, r.data.to, r.data.success, r.data.user.$id], ['response', 'authentication', true, alice.id])
	assert.deepEqual(Object.keys(r.data), ['to', 'success', 'user'])
	await p.write(1, [read(`user:${alice.id}`)])
	await p.until(w, 1)	/* roles are read as they are by then, so it must have come before they change; what was there before it is behind it */
	await w.ask({ type: 'authentication', data: { session: token(bob) } })
	await p.write(2, [read(`user:${alice.id}`)])
	await p.write(3, [read(`user:${bob.id}`)])
	await alice.ok('PATCH', '/account/prefs', { body: { prefs: { a: 1 } } })
	assert.deepEqual(await p.heard(w), [[3]])
	assert.deepEqual(await w.ask({ type: 'authentication', data: { session: 'garbage' } }), error(1003, 'Session is not valid.'))
	await p.write(4, [read(`user:${bob.id}`)])
	assert.deepEqual(await p.heard(w), [[4]])
	w.end()
})

test('authentication and subscribe back to back are done in order', async () => {
	const w = await p.listen([])
	w.send({ type: 'authentication', data: { session: token(alice) } }).send({ type: 'subscribe', data: [{ subscriptionId: 'x', channels: ['account', 'account.update'] }] })
	assert.equal((await w.next()).data.to, 'authentication')
	assert.deepEqual((await w.next()).data.subscriptions, [{ subscriptionId: 'x', channels: ['account', `account.${alice.id}.update`, `account.${alice.id}`], queries: [] }])
	w.end()
})

const format = 'Message format is not valid.', kind = 'Message type is not valid.'
for (const [name, message, want] of [
	['no JSON', 'hello', format], ['null', 'null', format], ['an empty object', {}, format], ['a number', '1', format], ['a text', '"x"', format],
	['an unknown type', { type: 'absence', data: {} }, kind], ['data without type', { data: {} }, kind],
	['authentication without data', { type: 'authentication' }, 'Payload is not valid.'],
	['authentication without session', { type: 'authentication', data: {} }, 'Payload is not valid.'],
	['subscribe without items', { type: 'subscribe' }, 'Payload is not valid. Items is required'],
	['subscribe to no list', { type: 'subscribe', data: [{ channels: 1 }] }, 'items: channels is not a valid array.'],
	['a query that is not supported', { type: 'subscribe', data: [{ channels: [], queries: ['{"method":"search","attribute":"a","values":["x"]}'] }] },
		"Invalid query: Query method 'search' is not supported in Realtime queries. Allowed: equal, notEqual, lessThan, lessThanEqual, greaterThan, greaterThanEqual, isNull, isNotNull, and, or, select"],
])
	test(`error: ${name}`, async () => {
		const w = await p.listen(['documents'])
		assert.deepEqual(await w.ask(message), error(1003, want))
		assert.deepEqual(await w.ask({ type: 'ping' }), { type: 'pong' })
		w.end()
	})

test('binary frames are read like text', async () => {
	const w = await p.listen(['documents'])
	w.raw(2, '{"type":"ping"}')
	assert.deepEqual(await w.next(), { type: 'pong' })
	w.end()
})

test('subscriptions come, change and go', async () => {
	const w = await p.listen([], { as: alice }), q = (method, ...values) => JSON.stringify({ method, attribute: 'n', values })
	const r = await w.ask({ type: 'subscribe', data: [{ channels: ['documents'], queries: [q('greaterThan', 10), q('lessThan', 20)] }, { subscriptionId: 'b', channels: ['files'] }] })
	const id = r.data.subscriptions[0].subscriptionId
	assert.match(id, /^[0-9a-f]{20}$/)
	assert.deepEqual(r.data.subscriptions[0].queries, [q('greaterThan', 10), q('lessThan', 20)])
	for (const n of [5, 15, 25]) await p.write(n, [read('users')])
	await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'end', channels: ['documents'], queries: [q('greaterThanEqual', 1000000)] }] })
	assert.deepEqual(await p.heard(w), [[15]])
	await w.ask({ type: 'subscribe', data: [{ subscriptionId: id, channels: ['teams'] }] })
	await p.write(15, [read('users')])
	assert.deepEqual(await p.heard(w), [[]], 'the same id replaces')
	assert.deepEqual((await w.ask({ type: 'unsubscribe', data: [{ subscriptionId: 'end' }, { subscriptionId: 'nosuch' }] })).data.subscriptions,
		[{ subscriptionId: 'end', removed: true }, { subscriptionId: 'nosuch', removed: false }])
	await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'z', channels: ['documents'] }] })
	assert.deepEqual(await p.heard(w), [[]], 'it is still the same user')
	w.end()
})

test('slots of a URL have queries of their own', async () => {
	const q = (n) => encodeURIComponent(JSON.stringify({ method: 'equal', attribute: 'n', values: [n] }))
	const w = await p.listen(['documents', 'files'], { query: `&documents[0][]=${q(1)}&documents[2][]=${q(2)}` })
	assert.deepEqual(Object.keys(w.hello.data.subscriptions), ['0', '2'])
	await p.write(3, [read('any')])
	await p.write(2, [read('any')])
	const e = await w.event()
	assert.equal(e.payload.n, 2)
	assert.deepEqual(e.subscriptions, [w.hello.data.subscriptions[2]])
	w.end()
})

test('a dotted channel has its queries under its name, with dots or without', async () => {
	const name = 'databases.d.collections.c.documents', q = encodeURIComponent(JSON.stringify({ method: 'equal', attribute: 'n', values: [1] }))
	for (const form of [name, name.replaceAll('.', '_')]) {
		const w = await p.listen([name], { query: `&${form}[1][]=${q}` })
		assert.deepEqual(Object.keys(w.hello.data.subscriptions), ['1'])
		await p.write(2, [read('any')])
		await p.write(1, [read('any')])
		const e = await w.event()
		assert.equal(e.payload.n, 1)
		assert.deepEqual(e.subscriptions, [w.hello.data.subscriptions[1]])
		w.end()
	}
})

test('a URL with the name of an action: the name is among the channels of the event', async () => {
	const name = 'databases.d.collections.c.documents.create', w = await p.listen(['documents', name])
	await p.write(1, [read('any')])
	assert.ok((await w.event()).channels.includes(name))
	w.end()
})

test('values, subscriptions and channels that are too many', async () => {
	const w = await p.listen([]), ask = (data) => w.ask({ type: 'subscribe', data })
	const values = JSON.stringify({ method: 'equal', attribute: 'n', values: Array.from({ length: 5001 }, (_, i) => i) })
	assert.deepEqual(await ask([{ channels: ['documents'], queries: [values] }]), error(1003, 'Invalid query: There are too many values.'))
	assert.deepEqual(await ask(Array.from({ length: 201 }, () => ({ channels: ['a'] }))), error(1003, 'items: There are too many subscriptions.'))
	assert.deepEqual(await ask([{ channels: Array.from({ length: 1001 }, (_, i) => `${i}`) }]), error(1003, 'items: There are too many channels.'))
	const query = JSON.stringify({ method: 'or', values: Array.from({ length: 40 }, () => ({ method: 'isNull', attribute: 'n' })) })
	assert.deepEqual(await ask([{ channels: ['a'], queries: Array.from({ length: 13 }, () => query) }]), error(1003, 'Invalid query: There are too many queries.'))
	for (let i = 0; ; i++) {
		assert.ok(i < 20)
		const r = await ask([{ subscriptionId: `s${i}`, channels: ['a'], queries: Array.from({ length: 12 }, () => query) }])
		if (r.type === 'response') continue
		assert.deepEqual(r, error(1003, 'items: There are too many queries.'))
		break
	}
	w.end()
})

test('a frame of 64,000 bytes and more ends the connection', async () => {
	const w = await p.listen(['documents'])
	assert.deepEqual(await w.ask('x'.repeat(63992)), error(1003, format))
	w.raw(1, 'x'.repeat(63993))
	assert.equal((await w.closed).code, 1006)
})

test('limits of messages and connects, counted exactly', async () => {
	const own = await server({ conf: { rate_limits: 'on', rt_message_rate: 5, rt_connect_rate: 10 } })
	try {
		const { listen, open, channels } = await import('../lib/ws.mjs')
		await early(60000, 20000)	/* all of it in one minute of the clock */
		const w = await listen(own, `project=console&${channels('documents')}`), seen = []
		for (let i = 0; i < 7; i++) seen.push((await w.ask({ type: 'ping' })).type)
		assert.deepEqual(seen, ['pong', 'pong', 'pong', 'pong', 'pong', 'error', 'error'])
		assert.deepEqual(await w.ask({ type: 'ping' }), error(1013, 'Too many messages'))
		const rest = await Promise.all(Array.from({ length: 12 }, async () => { const x = await open(own, `project=console&${channels('a')}`), f = await x.next(); x.end(); return f }))
		assert.equal(rest.filter((f) => f.type === 'connected').length, 9)
		assert.deepEqual(rest.find((f) => f.type === 'error'), error(1013, 'Too many requests'))
		w.end()
	} finally {
		await own.stop()
	}
})

test('without channels a server of level 1.0 refuses; a Close frame where it is asked for', async () => {
	const own = await server({ conf: { rt_compat: '1.0', rt_close_policy: 'on' } })
	try {
		const { open } = await import('../lib/ws.mjs'), w = await open(own, 'project=console')
		assert.deepEqual(await w.next(), error(1008, 'Missing channels'))
		assert.deepEqual(await w.closed, { code: 1008, reason: 'Missing channels' })
	} finally {
		await own.stop()
	}
})

test('who reads too slowly is closed with 1013 and counted; the others lose nothing', async () => {
	const own = await server({ conf: { rt_queue_soft: '64k', rt_queue_hard: '256k', web_processes: 1 } })
	try {
		const lib = await library(own), slow = await lib.listen(['documents']), fast = await lib.listen(['documents'])
		await lib.ok('POST', '/databases/d/collections/c/attributes/string', { body: { key: 't', size: 1000000, required: false } })
		await until('the attribute', async () => (await lib.ok('GET', '/databases/d/collections/c/attributes/t')).status === 'available')
		slow.socket.pause()
		const metric = async (name) => Number((await own.call('GET', '/metrics', { root: true })).text.match(new RegExp(`^${name} (\\d+)`, 'm'))[1])
		let n = 0
		await until('the slow one is dropped', async () => {
			await lib.ok('POST', '/databases/d/collections/c/documents', { body: { documentId: unique(), data: { n: n++, t: 'x'.repeat(200000) }, permissions: [read('any')] } })
			return await metric('badal_rt_slow_closed_total') === 1
		}, 60000)
		for (let i = 0; i < n; i++) assert.equal((await fast.event()).payload.n, i)
		slow.socket.resume()
		assert.equal((await slow.closed).code, 1013)
		fast.end()
	} finally {
		await own.stop()
	}
})
