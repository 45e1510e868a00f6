/* What a caller may make a process do or keep, where the bound is no limit of a parameter. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'

import { sink } from '../lib/smtp.mjs'
import { cookieOf, server, unique, until } from '../lib/server.mjs'
import { listen } from '../lib/ws.mjs'
import { collection, database } from './docs.mjs'
import { fails } from './lib.mjs'

let s, p
before(async () => {
	s = await server({ own: true, conf: { web_processes: 1, rate_limits: 'off', bytes_per_address: '1m', avatar_private: 'on', bulk_rows_max: 100, bulk_bytes_max: '64k' } })
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

test('what is fetched for somebody counts as what it sends', async () => {
	const web = http.createServer((q, r) => r.end(Buffer.alloc(Number(q.url.slice(1)), 'x')))
	await new Promise((ok) => web.listen(0, '127.0.0.1', ok))
	const get = (what, n) => p.guest('GET', `/avatars/${what}`, { query: { url: `http://127.0.0.1:${web.address().port}/${n}` } })
	const metric = async (name) => Number((await (await fetch(new URL('/metrics', s.base))).text()).match(new RegExp(`^badal_${name} (\\d+)`, 'm'))[1])
	const before = await metric('bytes_refused_address_total')
	fails(await get('image', 200_000), 404, 'avatar_image_not_found')	/* it is none */
	assert.equal(await metric('bytes_refused_address_total'), before)
	assert.equal((await get('image', 600_000)).status, 429)
	assert.equal(await metric('bytes_refused_address_total'), before + 1)
	assert.equal(await metric('bytes_held'), 0)
	web.close()
	web.closeAllConnections()
})

/* What is kept for a user in rows. */
describe('sessions and links of one user', () => {
	let own, q, box
	before(async () => {
		box = await sink({})
		own = await server({ own: true, conf: { web_processes: 1, sessions_per_user_max: 3, tokens_per_user_max: 2, smtp_host: '127.0.0.1', smtp_port: box.port } })
		q = await own.project()
	})
	after(async () => {
		await own?.stop()
		box?.stop()
	})

	test('the oldest session ends, as by sign-out', async () => {
		const u = await q.user(), as = { cookie: u.cookie }, w = await listen(own, `project=${q.id}&channels[]=account`, { headers: { cookie: u.cookie } })
		assert.equal(w.hello.data.user?.$id, u.id)
		const signIn = async () => cookieOf(await q.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password } }))
		const others = [await signIn(), await signIn()]
		assert.equal((await q.guest('GET', '/account', as)).status, 200)
		others.push(await signIn())
		fails(await q.guest('GET', '/account', as), 401, 'general_unauthorized_scope')
		for (const cookie of others) assert.equal((await q.guest('GET', '/account/sessions', { cookie })).body.total, 3)
		await w.next((f) => f.type === 'event' && f.data.events.includes(`users.${u.id}.sessions.${u.session.$id}.delete`))
		w.end()
		/* signing in at once leaves no more */
		const all = await Promise.all(Array.from({ length: 8 }, signIn))
		const list = (await q.ok('GET', `/users/${u.id}/sessions`)).sessions
		assert.equal(list.length, 3)
		assert.equal((await Promise.all(all.map((cookie) => q.guest('GET', '/account', { cookie })))).filter((r) => r.status === 200).length, 3)
	})

	test('of links of one kind the newest count, and those of other kinds are left alone', async () => {
		const u = await q.user(), url = 'http://localhost/page'
		const link = async (what, path, body) => {
			const n = box.mails.length, r = await q.guest('POST', path, { body, cookie: u.cookie })
			assert.equal(r.status, 201, r.text)
			await until(what, () => box.mails.length > n)
			return Object.fromEntries(new URL(box.mails.at(-1).link).searchParams)
		}
		const verification = await link('verification', '/account/verification', { url })
		const recovery = []
		for (let i = 0; i < 3; i++) recovery.push(await link('recovery', '/account/recovery', { url, email: u.email }))
		const redeem = ({ userId, secret }) => q.guest('PUT', '/account/recovery', { body: { userId, secret, password: 'password-1234', passwordAgain: 'password-1234' } })
		const verified = await q.guest('PUT', '/account/verification', { body: verification, cookie: u.cookie })
		assert.equal(verified.status, 200, verified.text)
		fails(await redeem(recovery[0]), 401, 'user_invalid_token')
		assert.equal((await redeem(recovery[1])).status, 200)
	})
})

describe('documents at once', () => {
	test('more than bulk_rows_max or bulk_bytes_max are refused before one is written', async () => {
		const c = await collection(p, await database(p), { attributes: { n: { type: 'integer' }, t: { type: 'string', size: 4000 } } })
		const write = (method, body) => p.call(method, c.docs, { body }), many = (n, more) => Array.from({ length: n }, (_, i) => ({ $id: `d${i}`, n: i, ...more }))
		const total = async () => (await p.ok('GET', c.docs)).total
		fails(await write('POST', { documents: many(30, { t: 'x'.repeat(3000) }) }), 400, 'general_bad_request')
		fails(await write('PUT', { documents: many(30, { t: 'x'.repeat(3000) }) }), 400, 'general_bad_request')
		assert.equal(await total(), 0)
		assert.equal((await write('POST', { documents: many(100) })).status, 201)
		assert.equal((await write('PATCH', { data: { n: 5 }, queries: [] })).body.total, 100)
		fails(await write('PATCH', { data: { t: 'x'.repeat(3000) }, queries: [] }), 400, 'general_bad_request')
		assert.equal((await write('PUT', { documents: [{ $id: 'more', n: 1 }] })).status, 200)
		for (const [method, body] of [['PATCH', { data: { n: 6 }, queries: [] }], ['DELETE', { queries: [] }], ['DELETE', { queries: [JSON.stringify({ method: 'limit', values: [101] })] }]]) fails(await write(method, body), 400, 'general_bad_request')
		assert.equal((await p.ok('GET', `${c.docs}/d7`)).n, 5)
		assert.equal((await write('DELETE', { queries: [JSON.stringify({ method: 'limit', values: [100] })] })).body.total, 100)
		assert.equal(await total(), 1)
	})

	test('what the operations of a transaction write counts together', async () => {
		const c = await collection(p, await database(p), { attributes: { n: { type: 'integer' }, t: { type: 'string', size: 4000 } } })
		const many = (from, n, more) => Array.from({ length: n }, (_, i) => ({ $id: `d${from + i}`, n: i, ...more })), o = (action, data) => ({ action, databaseId: c.db, collectionId: c.id, data })
		async function commit(...operations) {
			const t = await p.ok('POST', '/databases/transactions', { body: {} })
			await p.ok('POST', `/databases/transactions/${t.$id}/operations`, { body: { operations } })
			return p.call('PATCH', `/databases/transactions/${t.$id}`, { body: { commit: true } })
		}
		const total = async () => (await p.ok('GET', c.docs)).total, long = { t: 'x'.repeat(1500) }
		assert.equal((await commit(o('bulkCreate', many(0, 60)), o('bulkUpdate', { queries: [], data: { n: 3 } }))).status, 400, 'documents')
		for (const two of [[o('bulkCreate', many(0, 30, long)), o('bulkCreate', many(30, 30, long))], [o('bulkUpsert', many(0, 30, long)), o('bulkUpsert', many(30, 30, long))],
			[o('bulkCreate', many(0, 30, long)), o('bulkUpdate', { queries: [], data: { t: 'y'.repeat(1000) } })], [o('bulkCreate', many(0, 30, long)), o('bulkDelete', { queries: [] })]]) {
			const r = await commit(...two)
			fails(r, 400, 'general_bad_request')
			assert.match(r.body.message, /bytes/)
			assert.equal(await total(), 0)
			assert.equal((await commit(two[0])).status, 200, 'one of them does')
			assert.equal((await p.call('DELETE', c.docs, { body: { queries: [] } })).body.total, 30)
		}
		assert.equal((await commit(o('bulkCreate', many(0, 50)), o('bulkUpdate', { queries: [], data: { n: 3 } }))).status, 200)
	})

	test('what is there, and what operators make of it, counts', async () => {
		const c = await collection(p, await database(p), { attributes: { n: { type: 'integer' }, t: { type: 'string', size: 1000000 } } })
		const write = (method, body) => p.call(method, c.docs, { body }), concat = { t: { method: 'stringConcat', values: ['y'.repeat(1500)] } }
		const some = (from, n, more) => Array.from({ length: n }, (_, i) => ({ $id: `d${from + i}`, n: i, ...more }))
		const ns = async () => (await p.ok('GET', c.docs, { query: { queries: [JSON.stringify({ method: 'limit', values: [100] })] } })).documents.map((d) => `${d.n} ${d.t.length}`)
		for (const from of [0, 15]) assert.equal((await write('POST', { documents: some(from, 15, { t: 'x'.repeat(1800) }) })).status, 201)
		const before = await ns()
		fails(await write('PATCH', { data: concat, queries: [] }), 400, 'general_bad_request')
		fails(await write('PUT', { documents: some(0, 30, concat) }), 400, 'general_bad_request')
		assert.deepEqual(await ns(), before)
		assert.equal((await write('PATCH', { data: concat, queries: [JSON.stringify({ method: 'limit', values: [1] })] })).status, 200)
		/* what might come to much is written in parts, though nothing comes of it */
		const queries = async () => Number((await s.call('GET', '/metrics', { root: true })).text.match(/^badal_db_query_seconds_count (\d+)/m)[1]), was = await queries()
		assert.equal((await write('PATCH', { data: { t: { method: 'stringReplace', values: ['z', 'y'.repeat(100)] } }, queries: [] })).body.total, 30)
		assert.ok(await queries() - was >= 10, `${await queries() - was} statements`)
		/* as large as they are, no thirty of them can be read at a time */
		for (let i = 10; i < 20; i++) assert.equal((await p.call('PATCH', `${c.docs}/d${i}`, { body: { data: { t: 'x'.repeat(4000) } } })).status, 200)
		fails(await write('PUT', { documents: some(0, 30) }), 400, 'general_bad_request')
		assert.equal((await write('PUT', { documents: some(0, 10, { n: 70 }) })).body.total, 10)
	})
})
