/* The functions service: functions, runtimes, variables, usage. Deployments: functions-deployments.test.mjs. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { server, unique, until } from '../lib/server.mjs'
import { fails, isTime, keysOf } from './lib.mjs'

const keys = '$id $createdAt $updatedAt execute name enabled runtime deployment vars events schedule scheduleNext schedulePrevious timeout'
const variableKeys = '$id $createdAt $updatedAt key value functionId'
const laterKeys = `${keys} version entrypoint commands logging keepWarm installationId providerRepositoryId providerBranch providerRootDirectory providerSilentMode live`
let s, p, alice, runtime

const make = (more = {}, call = p.ok) => call('POST', '/functions', { body: { functionId: unique('f'), name: 'Function', runtime, ...more } })
const later = { headers: { 'x-appwrite-response-format': '1.4.0' } }

before(async () => {
	s = await server(process.env.BADAL_ENDPOINT ? {} : { own: true, conf: { roles: 'web,relay,jobs,executor' } })
	p = await s.project()
	alice = await p.user({ name: 'Alice' })
	runtime = await until('a runtime for node', async () => (await p.ok('GET', '/functions/runtimes')).runtimes.find((r) => /^node/.test(r.$id))?.$id)
})

test('runtimes', async () => {
	const r = await p.ok('GET', '/functions/runtimes')
	assert.equal(r.total, r.runtimes.length)
	for (const one of r.runtimes) {
		keysOf(one, '$id name version base image logo supports')
		assert.deepEqual(one.supports, ['x86', 'arm'])
		assert.match(one.$id, new RegExp(`-${one.version.replaceAll('.', '\\.')}$`))
	}
	assert.deepEqual(new Set(r.runtimes.map((one) => one.$id)).size, r.total)
	const now = await p.ok('GET', '/functions/runtimes', { headers: { 'x-appwrite-response-format': '1.5.0' } })
	assert.equal(now.runtimes.find((one) => one.$id === runtime).key, 'node')
	for (const call of [alice.call, p.guest]) fails(await call('GET', '/functions/runtimes'), 401, 'general_unauthorized_scope')
})

test('specifications: one, that functions tell of themselves', async () => {
	const headers = { 'x-appwrite-response-format': '1.8.0' }, ask = (call) => call('GET', '/functions/specifications', { headers })
	assert.deepEqual((await ask(p.call)).body, { total: 1, specifications: [{ memory: 512, cpus: 1, enabled: true, slug: '' }] })
	const f = await p.ok('POST', '/functions', { status: 201, headers, body: { functionId: 'unique()', name: 'F', runtime, specification: '' } })
	assert.equal(f.specification, '')
	for (const call of [alice.call, p.guest]) fails(await ask(call), 401, 'general_unauthorized_scope')
})

describe('functions', () => {
	test('create, with defaults and with everything', async () => {
		const bare = await p.ok('POST', '/functions', { status: 201, body: { functionId: 'unique()', name: 'Bare', runtime } })
		keysOf(bare, keys)
		isTime(bare.$createdAt)
		assert.deepEqual({ ...bare, $id: 0, $createdAt: 0, $updatedAt: 0 }, { $id: 0, $createdAt: 0, $updatedAt: 0, execute: [], name: 'Bare', enabled: true, runtime,
			deployment: '', vars: [], events: [], schedule: '', scheduleNext: '', schedulePrevious: '', timeout: 15 })
		const all = { functionId: unique('f'), name: 'All', execute: ['any', `user:${alice.id}`], events: ['users.*.create', 'buckets.*.files.*.create'], schedule: '0 0 * * *',
			timeout: 900, enabled: true }
		const f = await p.ok('POST', '/functions', { status: 201, body: { ...all, runtime } })
		assert.deepEqual([f.execute, f.events, f.schedule, f.timeout], [all.execute, all.events, all.schedule, 900])
		const next = new Date(f.scheduleNext)
		assert.ok(next > Date.now() && next - Date.now() <= 864e5 && next.getUTCHours() === 0 && next.getUTCMinutes() === 0, f.scheduleNext)
		fails(await p.call('POST', '/functions', { body: { ...all, runtime, functionId: all.functionId.toUpperCase() } }), 409, 'function_already_exists')
		assert.equal((await p.admin('POST', '/functions', { body: { functionId: unique('f'), name: 'By an admin', runtime } })).status, 201)
		for (const call of [alice.call, p.guest]) fails(await call('POST', '/functions', { body: { ...all, runtime } }), 401, 'general_unauthorized_scope')
		fails(await s.call('POST', '/functions', { project: p.id, key: await p.addKey(['functions.read']), body: { ...all, runtime } }), 401, 'general_unauthorized_scope')
	})

	test('what a function cannot be', async () => {
		const good = { functionId: 'unique()', name: 'x', runtime }
		for (const [bad, words] of [[{ functionId: '_x' }], [{ name: undefined }, /"name" is not optional/], [{ name: 'n'.repeat(129) }], [{ runtime: undefined }, /"runtime" is not optional/],
			[{ runtime: 'cobol-1' }, new RegExp(`Invalid runtime: .*${runtime}`)], [{ runtime: runtime.toUpperCase() }], [{ execute: 'any' }], [{ execute: ['role:all'] }, /Invalid execute/],
			[{ execute: ['everyone'] }, /Invalid execute/], [{ execute: Array(101).fill('any') }], [{ events: ['nothing.*'] }, /Invalid events/], [{ events: ['users'] }], [{ events: Array(101).fill('users.*') }],
			[{ schedule: 'often' }, /Invalid schedule/], [{ schedule: '0 0 30 2 *' }, /Invalid schedule/], [{ schedule: '* * * * * *' }], [{ timeout: 0 }, /between 1 and 900/], [{ timeout: 901 }, /between 1 and 900/],
			[{ enabled: 'true' }, /Invalid enabled/], [{ version: 'v3' }, /v2, v5/], [{ entrypoint: 'e'.repeat(1029) }], [{ keepWarm: 1 }]]) {
			const r = await p.call('POST', '/functions', { body: { ...good, ...bad } })
			fails(r, 400, 'general_argument_invalid')
			if (words) assert.match(r.body.message, words)
		}
	})

	test('get, list', async () => {
		const q = await s.project(), made = []
		for (const [name, more] of [['Greet', { schedule: '*/5 * * * *' }], ['Bare', { timeout: 20 }], ['Off', { enabled: false, schedule: '0 0 * * *' }]])
			made.push(await make({ name, ...more }, q.ok))
		await q.ok('POST', `/functions/${made[1].$id}/variables`, { body: { key: 'A', value: 'b' } })
		const list = async (query) => (await q.ok('GET', '/functions', { query })).functions.map((f) => f.name)
		assert.deepEqual(await list({}), ['Greet', 'Bare', 'Off'])
		assert.deepEqual(await list({ queries: ['orderDesc("name")', 'limit(2)'] }), ['Off', 'Greet'])
		assert.deepEqual(await list({ queries: ['equal("enabled", false)'] }), ['Off'])
		assert.deepEqual(await list({ queries: ['equal("timeout", 20)'] }), ['Bare'])
		assert.deepEqual(await list({ queries: [`equal("runtime", "${runtime}")`, 'equal("deployment", "")'] }), ['Greet', 'Bare', 'Off'])
		assert.deepEqual(await list({ queries: ['equal("schedule", "*/5 * * * *")'] }), ['Greet'])
		assert.deepEqual(await list({ queries: [`greaterThan("scheduleNext", "${new Date(Date.now() - 1000).toISOString()}")`] }), ['Greet'])
		assert.deepEqual(await list({ queries: [`cursorAfter("${made[0].$id}")`] }), ['Bare', 'Off'])
		assert.deepEqual(await list({ search: 'greet' }), ['Greet'])
		assert.deepEqual((await q.ok('GET', '/functions')).functions.map((f) => f.vars.length), [0, 1, 0])
		assert.equal((await q.ok('GET', '/functions', { query: { total: 'false' } })).total, 0)
		fails(await q.call('GET', '/functions', { query: { queries: ['equal("execute", "x")'] } }), 400, 'general_argument_invalid')
		const r = await q.call('GET', '/functions', { query: { queries: ['cursorAfter("none")'] } })
		fails(r, 400, 'general_cursor_not_found')
		assert.equal(r.body.message, "Function 'none' for the 'cursor' value not found.")
		assert.deepEqual(await q.ok('GET', `/functions/${made[0].$id}`), made[0])
		assert.equal((await q.ok('GET', `/functions/${made[1].$id.toUpperCase()}`)).vars[0].value, 'b')
		fails(await q.call('GET', '/functions/none'), 404, 'function_not_found')
		for (const path of ['/functions', `/functions/${made[0].$id}`]) fails(await alice.call('GET', path), 401, 'general_unauthorized_scope')
	})

	test('update: what is left out goes back, but for what older clients do not know', async () => {
		const f = await make({ execute: ['users'], events: ['users.*'], schedule: '0 0 * * *', timeout: 5, version: 'v5', entrypoint: 'src/main.js', keepWarm: true })
		await p.ok('POST', `/functions/${f.$id}/variables`, { body: { key: 'A', value: '1' } })
		const full = await p.ok('PUT', `/functions/${f.$id}`, { body: { name: 'New', execute: ['any'], events: ['buckets.*'], schedule: '*/5 * * * *', timeout: 20, enabled: true } })
		keysOf(full, keys)
		assert.deepEqual([full.name, full.execute, full.events, full.schedule, full.timeout, full.vars.length, full.$id], ['New', ['any'], ['buckets.*'], '*/5 * * * *', 20, 1, f.$id])
		assert.ok(full.$updatedAt > f.$updatedAt)
		const bare = await p.ok('PUT', `/functions/${f.$id}`, { body: { name: 'Newer' }, ...later })
		keysOf(bare, laterKeys)
		assert.deepEqual([bare.execute, bare.events, bare.schedule, bare.scheduleNext, bare.timeout, bare.enabled, bare.runtime], [[], [], '', '', 15, true, runtime])
		assert.deepEqual([bare.version, bare.entrypoint, bare.keepWarm], ['v5', 'src/main.js', true])
		const changed = await p.ok('PUT', `/functions/${f.$id}`, { body: { name: 'Newest', version: '', keepWarm: false, entrypoint: '', runtime }, ...later })
		assert.deepEqual([changed.version, changed.entrypoint, changed.keepWarm], ['', '', false])
		for (const bad of [{}, { name: 'x', timeout: 1000 }, { name: 'x', runtime: 'none' }, { name: 'x', events: ['x'] }, { name: 'x', schedule: 'x' }])
			fails(await p.call('PUT', `/functions/${f.$id}`, { body: bad }), 400, 'general_argument_invalid')
		fails(await p.call('PUT', '/functions/none', { body: { name: 'x' } }), 404, 'function_not_found')
		fails(await alice.call('PUT', `/functions/${f.$id}`, { body: { name: 'x' } }), 401, 'general_unauthorized_scope')
	})

	test('a schedule: the next run is kept by the same one, and none is left where it is cleared or switched off', async () => {
		const f = await make({ schedule: '30 4 * * *' }), put = (body) => p.ok('PUT', `/functions/${f.$id}`, { body: { name: 'x', ...body } })
		assert.equal((await put({ schedule: '30 4 * * *' })).scheduleNext, f.scheduleNext)
		assert.notEqual((await put({ schedule: '31 4 * * *' })).scheduleNext, f.scheduleNext)
		assert.equal((await put({ schedule: '31 4 * * *', enabled: false })).scheduleNext, '')
		assert.notEqual((await put({ schedule: '31 4 * * *' })).scheduleNext, '')
		assert.equal((await put({})).scheduleNext, '')
	})

	test('the generation of its handler is that of the client that made it', async () => {
		for (const [format, version] of [[undefined, ''], ['1.0.0', 'v2'], ['1.3.0', 'v2'], ['1.4.0', 'v5'], ['1.9.0', 'v5']]) {
			const f = await p.ok('POST', '/functions', { headers: format ? { 'x-appwrite-response-format': format } : {}, body: { functionId: 'unique()', name: 'x', runtime } })
			assert.equal((await p.ok('GET', `/functions/${f.$id}`, later)).version, version, format)
		}
		const chosen = await p.ok('POST', '/functions', { ...later, body: { functionId: 'unique()', name: 'x', runtime, version: 'v2' } })
		assert.equal(chosen.version, 'v2')
		assert.equal((await p.ok('GET', `/functions/${chosen.$id}`, { headers: { 'x-appwrite-response-format': '1.7.0' } })).deploymentId, '')
	})

	test('older clients: times in seconds, ids that they do not choose', async () => {
		const f = await make({ schedule: '0 0 * * *', execute: ['any'] })
		await p.ok('POST', `/functions/${f.$id}/variables`, { body: { key: 'A', value: 'one' } })
		const old = await p.ok('GET', `/functions/${f.$id}`, { headers: { 'x-appwrite-response-format': '0.15.0' } })
		assert.equal(old.scheduleNext, new Date(f.scheduleNext) / 1000)
		assert.equal(old.schedulePrevious, 0)
		assert.deepEqual([old.execute, old.status, old.vars, old.enabled], [['role:all'], 'enabled', { A: 'one' }, undefined])
		const made = await p.ok('POST', '/functions', { status: 201, headers: { 'x-appwrite-response-format': '0.11.0' }, body: { name: 'Old', execute: ['role:all', 'role:guest', 'team:x'], runtime } })
		assert.deepEqual((await p.ok('GET', `/functions/${made.$id}`)).execute, ['users', 'team:x'])
		assert.equal((await p.ok('GET', `/functions/${f.$id}`, { headers: { 'x-appwrite-response-format': '0.12.0' } })).tag, '')
	})

	test('delete', async () => {
		const f = await make()
		await p.ok('POST', `/functions/${f.$id}/variables`, { body: { key: 'A', value: '1' } })
		fails(await alice.call('DELETE', `/functions/${f.$id}`), 401, 'general_unauthorized_scope')
		await p.ok('DELETE', `/functions/${f.$id}`, { status: 204 })
		for (const [method, path, body] of [['GET', ''], ['DELETE', ''], ['PUT', '', { name: 'x' }], ['GET', '/usage'], ['GET', '/variables'], ['POST', '/variables', { key: 'a', value: 'b' }],
			['GET', '/variables/x'], ['PUT', '/variables/x', { key: 'a' }], ['DELETE', '/variables/x'], ['GET', '/deployments'], ['GET', '/deployments/x'], ['PATCH', '/deployments/x'],
			['DELETE', '/deployments/x'], ['POST', '/deployments/x/builds/y']])
			fails(await p.call(method, `/functions/${f.$id}${path}`, { body }), 404, 'function_not_found')
		assert.equal((await make({ functionId: f.$id })).$id, f.$id)
	})
})

describe('variables', () => {
	test('create, list, get, update, delete', async () => {
		const f = await make(), at = `/functions/${f.$id}/variables`
		assert.deepEqual(await p.ok('GET', at), { total: 0, variables: [] })
		const colour = await p.ok('POST', at, { status: 201, body: { key: 'COLOUR', value: 'red' } }), size = await p.ok('POST', at, { body: { key: 'SIZE', value: '0' } })
		keysOf(colour, variableKeys)
		assert.deepEqual([colour.key, colour.value, colour.functionId, size.value], ['COLOUR', 'red', f.$id, '0'])
		assert.deepEqual(await p.ok('GET', at), { total: 2, variables: [colour, size] })
		assert.deepEqual(await p.ok('GET', `${at}/${colour.$id}`), colour)
		assert.deepEqual((await p.ok('GET', `/functions/${f.$id}`)).vars, [colour, size])
		const tint = await p.ok('PUT', `${at}/${colour.$id}`, { body: { key: 'TINT' } })
		assert.deepEqual([tint.key, tint.value], ['TINT', 'red'])
		assert.equal((await p.ok('PUT', `${at}/${colour.$id}`, { body: { key: 'TINT', value: 'green' } })).value, 'green')
		fails(await p.call('POST', at, { body: { key: 'TINT', value: 'x' } }), 409, 'variable_already_exists')
		fails(await p.call('PUT', `${at}/${size.$id}`, { body: { key: 'TINT' } }), 409, 'variable_already_exists')
		await p.ok('POST', at, { body: { key: 'tint', value: 'another' } })
		await p.ok('DELETE', `${at}/${size.$id}`, { status: 204 })
		for (const [method, body] of [['GET'], ['PUT', { key: 'X' }], ['DELETE']]) fails(await p.call(method, `${at}/${size.$id}`, { body }), 404, 'variable_not_found')
		const other = await make()
		for (const [method, body] of [['GET'], ['PUT', { key: 'X' }], ['DELETE']]) fails(await p.call(method, `/functions/${other.$id}/variables/${colour.$id}`, { body }), 404, 'variable_not_found')
		for (const [method, path, body] of [['GET', at], ['POST', at, { key: 'K', value: 'v' }], ['GET', `${at}/${colour.$id}`], ['PUT', `${at}/${colour.$id}`, { key: 'K' }], ['DELETE', `${at}/${colour.$id}`]])
			fails(await alice.call(method, path, { body }), 401, 'general_unauthorized_scope')
		assert.equal((await p.ok('GET', `${at}/${colour.$id}`, later)).resourceId, f.$id)
	})

	test('has the id that its maker chose', async () => {
		const f = await make(), at = `/functions/${f.$id}/variables`, id = unique(), make1 = (key, variableId) => p.call('POST', at, { body: { key, value: 'v', variableId } })
		assert.equal((await make1('A', id)).body.$id, id)
		assert.equal((await p.ok('GET', `${at}/${id}`)).key, 'A')
		assert.match((await make1('B', 'unique()')).body.$id, /^[0-9a-f]{20}$/)
		for (const taken of [id, id.toUpperCase()]) fails(await make1('C', taken), 409, 'variable_already_exists')
		for (const bad of ['no id', 'x'.repeat(37), '_x']) fails(await make1('D', bad), 400, 'general_argument_invalid')
		assert.equal((await p.ok('GET', at)).total, 2)
	})

	test('what a variable cannot be', async () => {
		const f = await make(), at = `/functions/${f.$id}/variables`, good = { key: 'K', value: 'v' }
		for (const bad of [{ key: undefined }, { value: undefined }, { value: '' }, { key: 'K'.repeat(256) }, { value: 'v'.repeat(8193) }, { key: '' }, { key: 'A=B' }, { key: '1A' }, { key: 'A B' }, { value: 7 }])
			fails(await p.call('POST', at, { body: { ...good, ...bad } }), 400, 'general_argument_invalid')
		const made = await p.ok('POST', at, { body: good })
		fails(await p.call('PUT', `${at}/${made.$id}`, { body: { value: 'x' } }), 400, 'general_argument_invalid')
		fails(await p.call('PUT', `${at}/${made.$id}`, { body: { key: '' } }), 400, 'general_argument_invalid')
	})

	test('values come back byte for byte', async () => {
		const f = await make(), at = `/functions/${f.$id}/variables`
		const values = ['-----BEGIN KEY-----\nMIIE+/=\n-----END KEY-----\n', '"quoted" \'too\'', '\\n stays two characters', '$(id) `id` $HOME', '  spaces at the ends  ', 'line\r\nline', 'ünïcödé 🎈 \u2028', 'v'.repeat(8192)]
		for (const [i, value] of values.entries()) assert.equal((await p.ok('POST', at, { body: { key: `K${i}`, value } })).value, value)
		assert.deepEqual((await p.ok('GET', at)).variables.map((v) => v.value), values)
	})
})

test('usage', async () => {
	const f = await make(), names = 'executionsTotal executionsFailure executionsSuccess executionsTime buildsTotal buildsFailure buildsSuccess buildsTime'
	for (const path of ['/functions/usage', `/functions/${f.$id}/usage`]) {
		for (const [range, points] of [['24h', 48], ['7d', 7], ['30d', 30], ['90d', 90]]) {
			const r = await p.ok('GET', path, { query: { range } })
			keysOf(r, `range ${names}`)
			for (const name of names.split(' ')) assert.equal(r[name].length, points)
		}
		assert.equal((await p.ok('GET', path)).range, '30d')
		fails(await p.call('GET', path, { query: { range: '1y' } }), 400, 'general_argument_invalid')
		fails(await alice.call('GET', path), 401, 'general_unauthorized_scope')
	}
	fails(await p.call('GET', '/functions/none/usage'), 404, 'function_not_found')
})
