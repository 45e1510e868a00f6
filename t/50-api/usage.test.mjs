/* Usage: what counts as what, for whom, and how the charts answer. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { form, part } from '../lib/form.mjs'
import { cookieOf, dataDir, server, unique, until } from '../lib/server.mjs'
import { fails, isTime, keysOf } from './lib.mjs'

const ranges = [['24h', 48, 1800], ['7d', 7, 86400], ['30d', 30, 86400], ['90d', 90, 86400]]
const projectKeys = 'requests network executions documents collections users storage'
const userKeys = 'usersCount usersCreate usersRead usersUpdate usersDelete sessionsCreate sessionsProviderCreate sessionsDelete'
let s, p, u
before(async () => {
	s = await server({ own: true, conf: { usage_interval: '100ms' } })
	p = await s.project()
	u = await p.user()
})
after(() => s?.stop())

/* A range may end between two questions: sums over it do not care. */
const sum = (list) => list.reduce((a, x) => a + x.value, 0)
const asOwner = (q, path, range = '30d') => q.console.ok('GET', `/projects/${q.id}${path}`, { query: { range } })
const ofUsers = async (q, query = {}) => Object.fromEntries(Object.entries(await q.ok('GET', '/users/usage', { query })).filter(([k]) => k !== 'range').map(([k, v]) => [k, k === 'usersCount' ? v.at(-1).value : sum(v)]))
const becomes = (q, expected, query) => until(JSON.stringify(expected), async () => {
	const now = await ofUsers(q, query)
	return Object.entries(expected).every(([k, v]) => now[k] === v)
})

function isSeries(body, names, range, points, step) {
	keysOf(body, `range ${names}`)
	assert.equal(body.range, range)
	for (const name of names.split(' ')) {
		assert.equal(body[name].length, points)
		for (const [i, x] of body[name].entries()) {
			keysOf(x, 'value date')
			isTime(x.date)
			assert.ok(Number.isInteger(x.value))
			if (i) assert.equal(new Date(x.date) - new Date(body[name][i - 1].date), step * 1000)
		}
		assert.ok(Math.abs(Date.now() - new Date(body[name].at(-1).date)) <= (step + 5) * 1000)
	}
}

describe('answers', () => {
	test('ranges', async () => {
		for (const [range, points, step] of ranges) {
			isSeries(await p.ok('GET', '/users/usage', { query: { range } }), userKeys, range, points, step)
			isSeries(await asOwner(p, '/usage', range), projectKeys, range, points, step)
		}
		assert.equal((await p.ok('GET', '/users/usage')).range, '30d')
		assert.equal((await p.console.ok('GET', `/projects/${p.id}/usage`)).range, '30d')
	})
	test('of clients since 1.5: totals, and how many there were', async () => {
		const q = await s.project(), o = { headers: { 'x-appwrite-response-format': '1.9.6' } }
		for (let i = 0; i < 3; i++) await q.user()
		await q.ok('POST', '/users', { body: { userId: unique() } })
		for (const [range, points, step] of ranges) {
			const body = await q.ok('GET', '/users/usage', { query: { range }, ...o })
			keysOf(body, 'range usersTotal sessionsTotal users sessions')
			const { usersTotal, sessionsTotal, ...rest } = body
			isSeries(rest, 'users sessions', range, points, step)
			assert.deepEqual([usersTotal, sessionsTotal], [4, 3])
			assert.deepEqual([body.users.at(-1).value, body.sessions.at(-1).value], [4, 3])
		}
	})
	test('of storage and of a bucket, to clients since 1.5: totals, and how many there were', async () => {
		const q = await s.project(), o = { headers: { 'x-appwrite-response-format': '1.8.0' } }, id = unique(), m = form({ fileId: 'unique()', file: part('a.txt', Buffer.alloc(1234, 'x')) })
		await q.ok('POST', '/storage/buckets', { body: { bucketId: id, name: 'B', permission: 'bucket' } })
		await q.ok('POST', '/storage/buckets', { body: { bucketId: unique(), name: 'B', permission: 'bucket' } })
		for (let i = 0; i < 2; i++) await q.ok('POST', `/storage/buckets/${id}/files`, { body: m.body, headers: m.headers })
		for (const [range, points, step] of ranges) {
			const { bucketsTotal, filesTotal, filesStorageTotal, ...rest } = await q.ok('GET', '/storage/usage', { query: { range }, ...o })
			isSeries(rest, 'buckets files storage', range, points, step)
			assert.deepEqual([bucketsTotal, filesTotal, filesStorageTotal], [2, 2, 2468])
			assert.deepEqual(['buckets', 'files', 'storage'].map((k) => rest[k].at(-1).value), [2, 2, 2468])
			const one = await q.ok('GET', `/storage/${id}/usage`, { query: { range }, ...o }), { imageTransformationsTotal, ...held } = one
			assert.deepEqual([held.filesTotal, held.filesStorageTotal, imageTransformationsTotal], [2, 2468, 0])
			delete held.filesTotal
			delete held.filesStorageTotal
			isSeries(held, 'files storage imageTransformations', range, points, step)
		}
		const was = await q.ok('GET', '/storage/usage', { headers: { 'x-appwrite-response-format': '1.4.0' } })
		assert.ok('bucketsCount' in was && !('bucketsTotal' in was))
	})
	test('a bucket is as large as its usage says, to clients since 1.8', async () => {
		const q = await s.project(), o = { headers: { 'x-appwrite-response-format': '1.9.6' } }, id = unique(), m = form({ fileId: 'unique()', file: part('a.txt', Buffer.alloc(1234, 'x')) })
		assert.equal((await q.ok('POST', '/storage/buckets', { ...o, body: { bucketId: id, name: 'B', permission: 'bucket' } })).totalSize, 0)
		await q.ok('POST', `/storage/buckets/${id}/files`, { body: m.body, headers: m.headers })
		await q.ok('GET', '/storage/usage')	/* counts */
		assert.equal((await q.ok('GET', `/storage/buckets/${id}`, o)).totalSize, 1234)
		assert.deepEqual((await q.ok('GET', '/storage/buckets', o)).buckets.map((b) => b.totalSize), [1234])
		assert.equal((await q.ok('PUT', `/storage/buckets/${id}`, { ...o, body: { name: 'C' } })).totalSize, 1234)
		for (const [version, told] of [['1.8.0', true], ['1.7.0', false]]) assert.equal('totalSize' in await q.ok('GET', `/storage/buckets/${id}`, { headers: { 'x-appwrite-response-format': version } }), told, version)
	})
	test('of a project, as since 1.5: totals, and series between two dates', async () => {
		const q = await s.project(), o = { headers: { 'x-appwrite-response-format': '1.9.6' } }, day = 864e5, key = await q.addKey(['project.read'])
		const own = (query, more = o) => q.call('GET', '/project/usage', { key, query, ...more })
		await q.user()
		const at = (ms) => new Date(ms).toISOString(), now = Date.now()
		const r = await own({ startDate: at(now - 6 * day), endDate: at(now) })
		assert.equal(r.status, 200, r.text)
		assert.deepEqual([r.body.usersTotal, r.body.databasesTotal, r.body.documentsdbTotal, r.body.authPhoneCountryBreakdown, r.body.embeddingsText], [1, 0, 0, [], []])
		for (const k of ['requests', 'network', 'users', 'executions', 'databasesReads', 'databasesWrites']) {
			assert.equal(r.body[k].length, 7, k)
			for (const [i, x] of r.body[k].entries()) if (i) assert.equal(new Date(x.date) - new Date(r.body[k][i - 1].date), day)
			assert.ok(new Date(r.body[k].at(-1).date) <= now && now - new Date(r.body[k].at(-1).date) < 2 * day)
		}
		assert.ok(r.body.users.some((x) => x.value === 1) && r.body.requests.some((x) => x.value > 0))
		assert.ok(!('range' in r.body) && !('documents' in r.body))
		const hours = (await own({ startDate: at(now - 3 * 36e5), endDate: at(now + 36e5), period: '1h' })).body
		assert.equal(hours.users.length, 5)
		assert.ok(hours.users.every((x) => x.value <= 1 && x.date.endsWith(':00:00.000+00:00')), 'two half-hours are no two users')
		assert.equal(hours.usersTotal, 1, 'also when the end is to come')
		assert.ok(!('documentsdbTotal' in (await own({ startDate: at(now), endDate: at(now) }, { headers: { 'x-appwrite-response-format': '1.7.0' } })).body))
		const other = await q.console.ok('GET', `/projects/${q.id}/usage`, { query: { range: '7d' }, ...o })
		assert.deepEqual([other.usersTotal, other.users.length], [1, 7])
		for (const query of [{}, { startDate: at(now) }, { endDate: at(now) }, { startDate: at(now), endDate: at(now - 2 * day) }, { startDate: at(now - 800 * day), endDate: at(now) }, { startDate: at(now - 40 * day), endDate: at(now), period: '1h' },
			{ startDate: at(now), endDate: at(now), period: '1w' }, { startDate: 'x', endDate: at(now) }])
			fails(await own(query), 400, 'general_argument_invalid')
		const query = { startDate: at(now), endDate: at(now) }
		for (const call of [q.guest, (await q.user()).call]) fails(await call('GET', '/project/usage', { query, ...o }), 401, 'general_unauthorized_scope')
		fails(await q.call('GET', '/project/usage', { key: await q.addKey(['users.read']), query, ...o }), 401, 'general_unauthorized_scope')
		assert.equal((await q.admin('GET', '/project/usage', { query, ...o })).status, 200)
	})
	test('errors and callers', async () => {
		for (const range of ['1y', '24H', '7']) {
			fails(await p.call('GET', '/users/usage', { query: { range } }), 400, 'general_argument_invalid')
			fails(await p.console.call('GET', `/projects/${p.id}/usage`, { query: { range } }), 400, 'general_argument_invalid')
		}
		for (const provider of ['github', 'oauth-', 'oauth-nothing', '$all']) fails(await p.call('GET', '/users/usage', { query: { provider } }), 400, 'general_argument_invalid')
		const named = (await p.call('GET', '/users/usage', { query: { provider: 'x' } })).body.message.match(/\((.*)\)/)[1].split(', ')
		assert.equal(new Set(named).size, named.length, 'each provider once')
		for (const provider of ['email', 'anonymous', 'oauth-github', 'oauth-paypalSandbox', 'oauth-mock', '']) await p.ok('GET', '/users/usage', { query: { provider } })
		for (const call of [p.guest, u.call]) fails(await call('GET', '/users/usage'), 401, 'general_unauthorized_scope')
		fails(await p.call('GET', '/users/usage', { key: await p.addKey(['users.write']) }), 401, 'general_unauthorized_scope')
		assert.equal((await p.admin('GET', '/users/usage')).status, 200)
		fails(await p.console.call('GET', `/projects/${unique()}/usage`), 404, 'project_not_found')
		fails(await p.console.call('GET', '/projects/console/usage'), 404, 'project_not_found')
		fails(await s.call('GET', `/projects/${p.id}/usage`, { project: 'console' }), 401, 'general_unauthorized_scope')
		const stranger = await s.user()
		fails(await stranger.call('GET', `/projects/${p.id}/usage`), 404, 'project_not_found')
		assert.ok((await p.call('GET', `/projects/${p.id}/usage`)).status >= 400)
	})
})

describe('counts', () => {
	test('accounts and sessions', async () => {
		const q = await s.project(), a = await q.user(), b = await q.user()
		await a.ok('GET', '/account')
		await a.ok('GET', '/account/sessions')
		await a.ok('PATCH', '/account/prefs', { body: { prefs: {} } })
		const anonymous = await q.guest('POST', '/account/sessions/anonymous')
		await s.ok('DELETE', '/account/sessions/current', { project: q.id, cookie: cookieOf(anonymous) })
		await b.ok('PATCH', '/account/status')
		await becomes(q, { usersCount: 3, usersCreate: 2, usersRead: 2, usersUpdate: 1, usersDelete: 1, sessionsCreate: 3, sessionsProviderCreate: 3, sessionsDelete: 1 })
		await becomes(q, { sessionsProviderCreate: 2 }, { provider: 'email' })
		await becomes(q, { sessionsProviderCreate: 1, sessionsCreate: 3 }, { provider: 'anonymous', range: '24h' })
		await becomes(q, { sessionsProviderCreate: 0 }, { provider: 'oauth-github' })
	})
	test('sign-ins by OAuth2', async () => {
		const q = await s.project()
		await q.console.ok('PATCH', `/projects/${q.id}/oauth2`, { body: { provider: 'mock', appId: '1', secret: '123456' } })
		const query = { success: 'http://localhost/yes', failure: 'http://localhost/no' }, jar = { project: q.id, cookie: '' }
		let r = await q.guest('GET', '/account/sessions/oauth2/mock', { query })
		for (let i = 0; i < 6 && r.status === 301 && !r.headers.location.startsWith(query.success); i++) {
			jar.cookie ||= cookieOf(r)
			const to = new URL(r.headers.location, s.endpoint)
			r = await s.call('GET', to.pathname + to.search, { cookie: jar.cookie })
		}
		assert.ok(r.headers.location?.startsWith(query.success), r.text)
		await becomes(q, { sessionsCreate: 1, sessionsProviderCreate: 1 }, { provider: 'oauth-mock' })
		await becomes(q, { sessionsProviderCreate: 0 }, { provider: 'oauth-github' })
	})
	test('users, by a key', async () => {
		const q = await s.project(), id = unique()
		await q.ok('POST', '/users', { body: { userId: id } })
		await q.ok('POST', '/users/md5', { body: { userId: 'unique()', email: `${id}@example.org`, password: '0123456789abcdef' } })
		await q.ok('GET', '/users')
		for (const path of ['', '/prefs', '/logs']) await q.ok('GET', `/users/${id}${path}`)
		await q.ok('PATCH', `/users/${id}/name`, { body: { name: 'x' } })
		await q.ok('DELETE', `/users/${id}/sessions`)
		await q.ok('DELETE', `/users/${id}`)
		await becomes(q, { usersCount: 1, usersCreate: 2, usersRead: 4, usersUpdate: 1, usersDelete: 1, sessionsCreate: 0, sessionsDelete: 1 })
	})
	test('admin mode and failures are not counted, whatever the letter case', async () => {
		const q = await s.project()
		await q.admin('GET', '/users')
		await q.call('GET', '/users/none')
		await q.call('POST', '/users', { body: {} })
		await q.guest('GET', '/account')
		await q.ok('GET', '/users')
		await becomes(q, { usersRead: 1, usersCreate: 0 })
		const db = await q.ok('POST', '/databases', { body: { databaseId: 'Db', name: 'x' } })
		await q.ok('POST', '/databases/DB/collections', { body: { collectionId: 'Col', name: 'x' } })
		await q.ok('GET', '/databases/db/collections/COL')
		await until('both', async () => {
			const one = await q.ok('GET', '/databases/dB/usage')
			return sum(one.collectionsCreate) === 1 && sum(one.collectionsRead) === 1 && one.collectionsCount.at(-1).value === 1
		})
		assert.equal(db.$id, 'Db')
	})
	test('a project: requests, bytes, what there is', async () => {
		const q = await s.project(), name = 'n'.repeat(120)
		await q.ok('POST', '/users', { body: { userId: unique(), name } })
		await q.ok('POST', '/databases', { body: { databaseId: 'd', name: 'x' } })
		await q.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'x', permissions: [] } })
		/* not counted */
		await q.admin('POST', '/databases/d/collections/c/attributes/integer', { body: { key: 'n', required: false } })
		await until('the attribute', async () => (await q.admin('GET', '/databases/d/collections/c/attributes/n')).body.status === 'available')
		await q.ok('POST', '/databases/d/collections/c/documents', { body: { documentId: 'x', data: { n: 1 } } })
		await q.ok('GET', '/teams')
		await q.admin('GET', '/teams')
		await q.call('GET', '/teams/none')
		const now = await until('requests', async () => { const r = await asOwner(q, '/usage', '7d'); return sum(r.requests) === 5 && r.documents.at(-1).value === 1 && r })
		assert.ok(sum(now.network) > 2 * name.length && sum(now.network) < 10000, `${sum(now.network)}`)
		for (const [key, n] of [['users', 1], ['collections', 1], ['executions', 0], ['storage', 0]]) assert.equal(now[key].at(-1).value, n, key)
		assert.equal(sum((await asOwner(await s.project(), '/usage', '7d')).requests), 0)
	})
})

test('who asks the process that counted gets it at once; what is not written goes out when it stops', async () => {
	const data = dataDir(), options = { own: true, data, conf: { usage_interval: '1h', web_processes: 1 } }
	const first = await server(options), q = await first.project()
	await q.ok('GET', '/users')
	assert.equal((await ofUsers(q)).usersRead, 1)
	for (let i = 0; i < 3; i++) await q.ok('GET', '/users')
	await first.stop()
	const second = await server({ ...options, remove: true })
	try {
		const body = await second.ok('GET', '/users/usage', { project: q.id, key: q.key })
		assert.equal(sum(body.usersRead), 4)
	} finally {
		await second.stop()
	}
})

describe('usage off', () => {
	let off, q
	before(async () => {
		off = await server({ own: true, conf: { usage: 'off', web_processes: 1, usage_interval: '50ms' } })
		q = await off.project()
	})
	after(() => off?.stop())
	test('nothing is counted and the answer is zero', async () => {
		const a = await q.user()
		await a.ok('GET', '/account')
		await q.ok('POST', '/databases', { body: { databaseId: 'd', name: 'x' } })
		for (const [range, points, step] of ranges) {
			const users = await q.ok('GET', '/users/usage', { query: { range } }), all = await asOwner(q, '/usage', range)
			isSeries(users, userKeys, range, points, step)
			isSeries(all, projectKeys, range, points, step)
			for (const list of [...Object.values(users), ...Object.values(all)].filter(Array.isArray)) assert.equal(sum(list), 0)
		}
		for (const path of ['/databases/usage', '/databases/d/usage'])
			for (const list of Object.values(await q.ok('GET', path)).filter(Array.isArray)) assert.equal(sum(list), 0)
		fails(await q.call('GET', '/users/usage', { query: { range: '1y' } }), 400, 'general_argument_invalid')
	})
})
