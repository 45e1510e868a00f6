/* What a project may hold, where its operator says so: documents, files and their bytes, functions, deployments. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { form, part, upload } from '../lib/form.mjs'
import { deploy } from '../lib/functions.mjs'
import { server, unique, until } from '../lib/server.mjs'
import { archive } from '../lib/tar.mjs'
import { fails } from './lib.mjs'

let s, p, other
const full = (r) => fails(r, 403, 'general_quota_exceeded')
const metric = async () => Number((await (await fetch(new URL('/metrics', s.base))).text()).match(/^badal_project_full_total (\d+)/m)[1])
/* Until it is refused: how many were taken. */
async function fill(one, most = 100) {
	for (let n = 0; n < most; n++) {
		const r = await one(n)
		if (r.status >= 400) { full(r); return n }
	}
	throw new Error('it is never refused')
}
const again = (what, one) => until(what, async () => (await one()).status < 300)

before(async () => {
	s = await server({ own: true, conf: { roles: 'web,relay,jobs,executor', web_processes: 1, documents_max: 5, storage_files_max: 4, storage_project_size: 100000, functions_project_size: '150k', functions_max: 3, functions_deployments_max: 4, functions_deployments_size: 100000 } })
	;[p, other] = await Promise.all([s.project(), s.project()])
})
after(() => s?.stop())

describe('a project holds no more than it may', { concurrency: true }, () => {
	test('documents, by the statistics of their tables', async () => {
		await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
		const c = async (id) => {
			await p.ok('POST', '/databases/d/collections', { body: { collectionId: id, name: id, permissions: ['create("users")'], documentSecurity: false } })
			await p.ok('POST', `/databases/d/collections/${id}/attributes/integer`, { body: { key: 'n', required: false } })
			await until('the attribute', async () => (await p.ok('GET', `/databases/d/collections/${id}/attributes/n`)).status === 'available')
		}
		await Promise.all([c('a'), c('b')])
		const make = (col, call = p.call) => call('POST', `/databases/d/collections/${col}/documents`, { body: { documentId: unique(), data: { n: 1 } } })
		assert.ok(await fill((n) => make(n % 2 ? 'a' : 'b')) >= 5)
		fails(await make('a', p.guest), 401, 'user_unauthorized')	/* who may not is told that, and no more */
		full(await make('a', (await p.user()).call))
		await p.ok('DELETE', '/databases/d/collections/a')
		await again('there is room', () => make('b'))
	})

	test('documents that a write of another one makes', async () => {
		const one = await s.project(), path = '/databases/d/collections', make = (n) => ({ data: { to: Array.from({ length: n }, () => ({ n: 1 })) } })
		await one.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
		for (const collectionId of ['a', 'b']) await one.ok('POST', path, { body: { collectionId, name: 'C', attributes: [{ key: 'n', type: 'integer' }] } })
		assert.equal((await one.call('POST', `${path}/a/attributes/relationship`, { body: { relatedCollectionId: 'b', type: 'oneToMany', key: 'to' } })).status, 202)
		for (const id of ['x', 'y']) await one.ok('PUT', `${path}/a/documents/${id}`, { body: { data: { n: 1 } } })
		for (const method of ['PATCH', 'PUT']) full(await one.call(method, `${path}/a/documents/x`, { body: make(6) }))
		await one.ok('PATCH', `${path}/a/documents/x`, { body: make(2) })
		await one.ok('PUT', `${path}/a/documents/y`, { body: make(1) })
		full(await one.call('PATCH', `${path}/a/documents/x`, { body: make(5) }))
	})

	describe('documents that transactions make', () => {
		const op = (action, rest) => ({ action, databaseId: 'd', collectionId: 'a', ...rest }), row = () => ({ $id: unique(), n: 1 })
		const ops = {
			create: (n) => Array.from({ length: n }, () => op('create', { documentId: unique(), data: { n: 1 } })),
			upsert: (n) => Array.from({ length: n }, () => op('upsert', { documentId: unique(), data: { n: 1 } })),
			bulkCreate: (n) => [op('bulkCreate', { data: Array.from({ length: n }, row) })],
			bulkUpsert: (n) => [op('bulkUpsert', { data: Array.from({ length: n }, row) })],
			'bulkUpsert, one each': (n) => Array.from({ length: n }, () => op('bulkUpsert', { data: [row()] })),
			'of another one': (n) => [op('create', { documentId: unique(), data: { to: Array.from({ length: n - 1 }, row) } })],
			'of one that is there': (n) => [op('update', { documentId: 'there', data: { to: Array.from({ length: n }, row) } })]
		}
		for (const [what, some] of Object.entries(ops))
			test(what, async () => {
				const one = await s.project(), path = '/databases/d/collections', there = what === 'of one that is there'
				await one.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
				for (const collectionId of ['a', 'b']) await one.ok('POST', path, { body: { collectionId, name: 'C', attributes: [{ key: 'n', type: 'integer' }] } })
				if (what.startsWith('of ')) await one.ok('POST', `${path}/a/attributes/relationship`, { status: 202, body: { relatedCollectionId: 'b', type: 'manyToMany', key: 'to' } })
				if (there) await one.ok('POST', `${path}/a/documents`, { body: { documentId: 'there', data: { n: 1 } } })
				const commit = async (operations) => {
					const { $id } = await one.ok('POST', '/databases/transactions', { body: {} })
					await one.ok('POST', `/databases/transactions/${$id}/operations`, { body: { operations } })
					return one.call('PATCH', `/databases/transactions/${$id}`, { body: { commit: true } })
				}
				full(await commit(some(6)))	/* together, not each for itself */
				assert.equal((await commit(some(there ? 4 : 5))).status, 200)
				await fill(() => commit(there ? ops.upsert(1) : some(1)))
			})
	})

	test('files, and their bytes', async () => {
		await p.ok('POST', '/storage/buckets', { body: { bucketId: 'b', name: 'B', antivirus: false, permissions: ['create("any")'] } })
		const make = (n, id = unique()) => upload(p.call, 'b', id, part('a.bin', Buffer.alloc(n)))
		const first = unique('f')
		assert.equal((await make(10, first)).status, 201)
		assert.equal(await fill(() => make(10)), 3)
		full(await upload(p.guest, 'b', unique(), part('a.bin', Buffer.alloc(10))))
		full(await upload(p.call, 'b', unique(), part('a.bin', Buffer.alloc(10)), { start: 0, total: 20 }))	/* a part, too */
		await p.ok('DELETE', `/storage/buckets/b/files/${first}`)
		full(await make(100000))
		await again('there is room', () => make(90000))
		await other.ok('POST', '/storage/buckets', { body: { bucketId: 'b', name: 'B', antivirus: false } })
		assert.equal((await upload(other.call, 'b', unique(), part('a.bin', Buffer.alloc(10)))).status, 201)	/* others have their own */
	})

	test('calls that are put off, whoever asks for them', async () => {
		const g = await deploy(other, 'module.exports = (req, res) => res.send("")', { execute: ['any'] }), scheduledAt = new Date(Date.now() + 3600000).toISOString()
		const ask = (n) => other.guest('POST', `${g.path}/executions`, { headers: { 'x-appwrite-response-format': '1.5.0' }, body: { async: true, scheduledAt, body: 'x'.repeat(n) } })
		assert.equal((await ask(60000)).status, 202)
		fails(await ask(60000), 503, 'general_busy')
		assert.equal((await ask(100)).status, 202)
	})

	test('functions, deployments and their bytes', async () => {
		const make = (id = unique()) => p.call('POST', '/functions', { body: { functionId: id, name: 'F', runtime: 'node-18.0' } })
		const f = unique('f')
		assert.equal((await make(f)).status, 201)
		assert.equal(await fill(() => make()), 2)
		await p.ok('DELETE', `/functions/${(await p.ok('GET', '/functions')).functions.find((x) => x.$id !== f).$id}`)
		await again('there is room', () => make())

		const code = (bytes, more = {}) => { const b = form({ entrypoint: 'index.js', code: part('code.tar.gz', bytes) }); return p.call('POST', `/functions/${f}/deployments`, { body: b.body, headers: { ...b.headers, ...more } }) }
		const small = archive({ 'index.js': 'x' }), d = (await code(small)).body.$id
		assert.equal(await fill(() => code(small)), 3)
		full(await code(small, { 'content-range': `bytes 0-${small.length - 1}/${small.length + 10}` }))
		await p.ok('DELETE', `/functions/${f}/deployments/${d}`)
		full(await code(Buffer.alloc(100000)))
		await again('there is room', () => code(small))
		assert.ok(await metric() >= 8)
	})
})
