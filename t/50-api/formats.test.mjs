/* Formats: which one a caller gets, and that a model has the members of its format, in order, and none besides. What each reply of the other tests is held
 * against (lib/shapes.mjs) comes from the server's own tables; the tables here are the contract's. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'

import { server } from '../lib/server.mjs'
import { Misfit, description } from '../lib/shapes.mjs'

let s, p, api
before(async () => {
	s = await server()
	p = await s.project()
	api = await description(s.base)
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
})
const format = (version) => (version ? { 'x-appwrite-response-format': version } : {})
const sdk = (name, version) => ({ 'x-sdk-name': name, 'x-sdk-version': version })

describe('which format', () => {
	/* what a database says of itself tells */
	const ages = [['status', '1.9.6'], ['type', '1.8'], ['enabled', '1.4']]
	const age = (body) => ages.find(([k]) => k in body)?.[1] ?? '1.0'
	const rows = [
		['who says nothing: that of 1.0', {}, '1.0'],
		['the header', format('1.4.0'), '1.4'], ['the header', format('1.7.9'), '1.4'], ['the header', format('1.8.0'), '1.8'], ['the header', format('1.9.5'), '1.8'],
		['the header', format('2.3.0'), '1.9.6'], ['one that is newer than all', format('9.0'), '1.9.6'],
		['the SDK', sdk('Web', '13.0.2'), '1.4'], ['the SDK', sdk('web', '21.5.0'), '1.8'], ['the SDK', sdk('Web', '28.0.0'), '1.9.6'], ['the SDK', sdk('Web', '10.1.0'), '1.0'],
		['the SDK', sdk('Node.js', '11.1.1'), '1.4'], ['the SDK', sdk('Node.js', '27.1.0'), '1.8'], ['the SDK', sdk('React Native', '0.31.0'), '1.8'],
		['the SDK', sdk('Console', '23.0.0'), '1.8'], ['the SDK', sdk('Command Line', '12.0.1'), '1.8'],
		['an SDK that is newer than all', sdk('Web', '99.0.0'), '1.9.6'],
		['an SDK that is older than those', sdk('Web', '1.0.0'), '1.0'], ['an unknown SDK', sdk('Rust', '5.0.0'), '1.0'], ['no version', sdk('Web', ''), '1.0'],
		['the header before the SDK', { ...format('1.8.0'), ...sdk('Web', '28.0.0') }, '1.8'],
		['the SDK before a header that says nothing', { ...format('0'), ...sdk('Web', '21.0.0') }, '1.8'],
	]
	for (const [what, headers, is] of rows)
		test(`${what}: ${JSON.stringify(headers)}`, async () => {
			const r = await p.call('GET', '/databases/d', { headers })
			assert.equal(age(r.body), is)
			assert.equal(r.headers['x-appwrite-warning'], undefined)
		})
	test('on paths that 1.0 did not have, the newest', async () => {
		assert.equal(age(await p.ok('GET', '/v1/tablesdb/d', { root: true })), '1.9.6')
		assert.equal(age(await p.ok('GET', '/v1/tablesdb/d', { root: true, headers: format('1.8.0') })), '1.8')
		assert.equal(age(await p.ok('GET', '/v1/tablesdb/d', { root: true, headers: sdk('Web', '24.0.0') })), '1.8')
	})
	test('the setting, for who says nothing', async () => {
		const own = await server({ own: true, conf: { response_format: 'newest' } })
		try {
			const q = await own.project()
			await q.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
			const of = async (headers) => age(await q.ok('GET', '/databases/d', { headers }))
			assert.deepEqual([await of({}), await of(format('1.8.0')), await of(sdk('Web', '13.0.0')), await of(format('1.0.0'))], ['1.9.6', '1.8', '1.4', '1.0'])
		} finally {
			await own.stop()
		}
	})
})

describe('the description of a format', () => {
	const of = (version) => s.ok('GET', '/openapi.json', { query: version === undefined ? {} : { format: version } })
	test('has its members and no others, each of them required', async () => {
		const [whole, old, later, newest] = await Promise.all([undefined, '1.0.0', '1.7.0', 'newest'].map(of))
		const db = (d) => d.components.schemas.database
		assert.deepEqual(Object.keys(db(old).properties), ['$id', 'name', '$createdAt', '$updatedAt'])
		assert.deepEqual(Object.keys(db(later).properties), ['$id', 'name', '$createdAt', '$updatedAt', 'enabled'])
		assert.deepEqual(db(newest).required, ['$id', 'name', '$createdAt', '$updatedAt', 'enabled', 'type', 'status'])
		assert.deepEqual([db(whole).properties.type['x-since'], db(newest).properties.type['x-since']], ['1.8.0', undefined])
		assert.deepEqual([old, later, newest].map((d) => d.info.version), ['1.0.0', '1.7.0', '2.3.0'])
		assert.deepEqual([whole, old, later, newest].map((d) => '/v1/tablesdb/{databaseId}' in d.paths), [true, false, false, true])
		assert.deepEqual(Object.keys(db(await of('1.8.3')).properties).at(-1), 'type')
		assert.deepEqual(await of('0.15.0'), old)
	})
	test('what is no version is refused', async () => {
		const r = await s.call('GET', '/openapi.json', { query: { format: 'x' } })
		assert.deepEqual([r.status, r.body.type], [400, 'general_argument_invalid'])
	})
	test('each x-since and x-until has a document of its own', async () => {
		const known = new Set(), add = (o) => { for (const k of ['x-since', 'x-until']) if (o[k]) known.add(o[k]) }
		const whole = await of()
		for (const m of Object.values(whole.components.schemas)) for (const k of Object.values(m.properties ?? {})) add(k)
		for (const path of Object.values(whole.paths)) for (const o of Object.values(path)) add(o)
		for (const v of known) assert.equal((await of(v)).info.version, v)
		assert.ok(known.size > 4)
	})
})

test('the check of replies sees a member that came too early, and one that is missing', async () => {
	const get = (version) => p.call('GET', '/databases/d', { headers: format(version) }), url = new URL('/v1/databases/d', s.base)
	const early = await get('1.8.0'), late = await get('1.4.0')
	assert.throws(() => api.reply('GET', url, '1.4.0', early), (e) => e instanceof Misfit && /body\.type is not declared/.test(e.message))
	assert.throws(() => api.reply('GET', url, '1.8.0', late), (e) => e instanceof Misfit && /body\.type is missing/.test(e.message))
})
