/* Pages of documents that may be old (`ttl`): what is kept, for whom, and until when. Processes keep their own, so that a reply's header says which it is. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'

import { server, unique, until } from '../lib/server.mjs'
import { collection, database, json } from './docs.mjs'
import { fails } from './lib.mjs'

const attributes = { n: { type: 'integer' }, t: { type: 'string', size: 5000 } }
const page = (caller, c, query, headers) => caller('GET', c.docs, { query, headers })
const cache = (r) => (assert.equal(r.status, 200, r.text), r.headers['x-appwrite-cache'] ?? null)
const ids = (r) => r.body.documents.map((d) => d.$id).join(' ')
/* Asks until it is answered from what was kept; all that was read on the way says what it should. */
async function hit(caller, c, query, headers, expected) {
	let r
	await until('a page that was kept', async () => {
		r = await page(caller, c, query, headers)
		if (expected !== undefined) assert.equal(ids(r), expected)
		return cache(r) === 'hit'
	})
	return r
}

describe('lists with ttl', () => {
	let p, db, ada, bob
	before(async () => {
		p = await (await server()).project()
		db = await database(p)
		;[ada, bob] = [await p.user({ name: 'Ada' }), await p.user({ name: 'Bob' })]
	})
	const place = async (more) => {
		const c = await collection(p, db, { attributes, permissions: ['read("any")', 'create("any")'], ...more })
		await c.doc({ n: 1 }, { id: 'a' })
		return c
	}

	test('0, and nothing: it is read', async () => {
		const c = await place()
		for (const query of [{}, { ttl: 0 }, { ttl: '' }]) assert.equal(cache(await page(p.call, c, query)), null)
		for (const ttl of [-1, 86401, 'x', 1.5]) fails(await page(p.call, c, { ttl }), 400, 'general_argument_invalid')
		assert.ok(['miss', 'hit'].includes(cache(await page(p.call, c, { ttl: 86400 }))))
	})

	test('a page stays as it was, whatever is written; with its total', async () => {
		const c = await place()
		let n = 0
		await until('an old page', async () => {
			const ttl = 3600 - n, was = await hit(p.call, c, { ttl })	/* how old it may be is no part of what it is found by */
			await c.doc({ n: 2 })
			n++
			const now = await page(p.call, c, { ttl })
			if (cache(now) === 'miss') return assert.equal(now.body.total, n + 1)	/* another process, or it was dropped */
			assert.deepEqual(now.body, was.body)
			return now.body.total === n
		})
		assert.equal((await page(p.call, c, {})).body.total, n + 1)
	})

	test('other queries, another total, another format are another page', async () => {
		const c = await place()
		await c.doc({ n: 2 }, { id: 'b' })
		const q = (...queries) => ({ ttl: 3600, queries })
		for (const [query, headers, expected] of [[q(), {}, 'a b'], [q(json('equal', 'n', [2])), {}, 'b'], [q(json('orderDesc', 'n')), {}, 'b a'], [q(json('equal', 'n', [2]), json('limit', undefined, [1])), {}, 'b'],
			[q(json('select', undefined, ['n'])), {}, 'a b']])
			await hit(p.call, c, query, headers, expected)
		assert.deepEqual(Object.keys((await hit(p.call, c, q(json('select', undefined, ['n'])))).body.documents[0]).filter((k) => !k.startsWith('$')), ['n'])
		const formats = { '1.0.0': 'undefined', '1.8.0': 'number', '1.9.6': 'string' }
		for (let i = 0; i < 2; i++)
			for (const [version, type] of Object.entries(formats)) assert.equal(typeof (await hit(p.call, c, q(), { 'x-appwrite-response-format': version })).body.documents[0].$sequence, type)
		assert.equal((await hit(p.call, c, { ...q(), total: 'false' })).body.total, 0)
		assert.equal((await hit(p.call, c, q())).body.total, 2)
		fails(await page(p.call, c, q(json('equal', 'none', [1]))), 400, 'general_query_invalid')
	})

	test('nobody is shown another\'s', async () => {
		const c = await place({ permissions: ['create("users")'], documentSecurity: true })
		await c.doc({ n: 1 }, { id: 'ada', permissions: [`read("user:${ada.id}")`] })
		await c.doc({ n: 1 }, { id: 'bob', permissions: [`read("user:${bob.id}")`] })
		for (let i = 0; i < 2; i++) {
			await hit(ada.call, c, { ttl: 3600 }, {}, 'ada')
			await hit(bob.call, c, { ttl: 3600 }, {}, 'bob')
			await hit(p.call, c, { ttl: 3600 }, {}, 'a ada bob')
			await hit(p.guest, c, { ttl: 3600 }, {}, '')
		}
	})

	test('whoever may not ask any more is not answered; a change of the collection drops all pages', async () => {
		const c = await place()
		await hit(ada.call, c, { ttl: 3600 }, {}, 'a')
		await p.ok('PUT', c.path, { body: { name: 'x', permissions: [] } })
		for (let i = 0; i < 4; i++) fails(await page(ada.call, c, { ttl: 3600 }), 401, 'user_unauthorized')
		await p.ok('PUT', c.path, { body: { name: 'x', permissions: ['read("any")'] } })
		await hit(ada.call, c, { ttl: 3600 }, {}, 'a')
		await c.doc({ n: 2 }, { id: 'b' })
		for (const change of [() => p.ok('PUT', c.path, { body: { name: 'x', purge: true } }), () => p.ok('POST', `${c.path}/attributes/boolean`, { body: { key: unique('k'), required: false } })]) {
			await change()
			await hit(ada.call, c, { ttl: 3600 }, {}, ids(await page(p.call, c, {})))	/* none of them shows less */
			await c.doc({ n: 3 })
		}
		await p.ok('PUT', c.path, { body: { name: 'x', enabled: false } })
		fails(await page(ada.call, c, { ttl: 3600 }), 404, 'collection_not_found')
	})

	test('no older than who asks allows', async () => {
		const c = await place()
		await hit(p.call, c, { ttl: 3600 })
		await new Promise((done) => setTimeout(done, 1100))
		for (const d of ['b', 'c', 'd']) await c.doc({ n: 1 }, { id: d })
		assert.equal(ids(await page(p.call, c, { ttl: 1 })), 'a b c d')
	})

	test('what is too large is read each time, and the oldest give way', { skip: process.env.BADAL_FAMILY === 'tables' && 'the same for both' }, async () => {
		const own = await server({ own: true, conf: { lists_kept_bytes: '64k', web_processes: 1 } }), q = await own.project(), c = await collection(q, await database(q), { attributes })
		await c.doc({ t: 'x'.repeat(5000) }, { id: 'a' })
		await c.doc({ t: 'y'.repeat(5000) }, { id: 'b' })
		const large = { ttl: 3600 }, small = (i) => ({ ttl: 3600, queries: [json('limit', undefined, [1]), json('select', undefined, ['n']), json('notEqual', 't', [`${i}`])] })
		for (let i = 0; i < 3; i++) assert.equal(cache(await page(q.call, c, large)), 'miss')
		await hit(q.call, c, small(0))
		for (let i = 1; i < 200; i++) assert.equal(cache(await page(q.call, c, small(i))), 'miss')
		await hit(q.call, c, small(199))
		assert.equal(cache(await page(q.call, c, small(0))), 'miss')
		const { text } = await own.call('GET', '/metrics', { root: true })
		assert.match(text, /badal_lists_kept_hits_total [1-9]/)
		assert.match(text, /badal_lists_kept_misses_total 2\d\d/)
	})
})
