/* Executions over the API: both forms, who may, what they are shown, in the background, put off, by events and schedules. The functions are real ones. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { psqlArgs } from '../20-serve/lib.mjs'
import { deploy } from '../lib/functions.mjs'
import { binary, dataDir, run, server, unique, until } from '../lib/server.mjs'
import { fails, isTime, keysOf } from './lib.mjs'

const first = '$id $createdAt $updatedAt $permissions functionId trigger status statusCode response stdout stderr duration'
const later = '$id $createdAt $updatedAt $permissions functionId deploymentId trigger status requestMethod requestPath requestHeaders responseStatusCode responseBody responseHeaders logs errors duration scheduledAt'
const as = { headers: { 'x-appwrite-response-format': '1.5.0' } }
/* What it is given, it answers; what the payload says in JSON, it does. */
const echo = `module.exports = async (req, res) => {
	let o = {}
	try { o = JSON.parse(req.payload) } catch {}
	if (o.out) console.log(o.out)
	if (o.err) console.error(o.err)
	if (o.ms) await new Promise((ok) => setTimeout(ok, o.ms))
	if (o.exit !== undefined) process.exit(o.exit)
	if (o.fail) throw new Error(o.fail)
	res.json({ payload: req.payload, user: req.variables.APPWRITE_FUNCTION_USER_ID, jwt: req.variables.APPWRITE_FUNCTION_JWT, trigger: req.variables.APPWRITE_FUNCTION_TRIGGER,
		event: req.variables.APPWRITE_FUNCTION_EVENT, data: req.variables.APPWRITE_FUNCTION_EVENT_DATA }, o.status)
}`
const today = `module.exports = async ({ req, res, log, error }) => {
	log('logged'); error('told')
	if (req.path === '/bytes') return res.binary(Buffer.from(Array.from({ length: 256 }, (_, i) => i)), 200, { 'content-type': 'application/octet-stream' })
	return res.json({ method: req.method, path: req.path, query: req.query, mine: req.headers['x-mine'], trigger: req.headers['x-appwrite-trigger'], from: req.headers['x-appwrite-client-ip'], eu: req.headers['x-appwrite-continent-eu'], user: req.headers['x-appwrite-user-id'], body: req.bodyText }, 201, { 'x-own': 'yes' })
}`
const answer = (e) => JSON.parse(e.response)
const dir = dataDir(), file = path.join(dir, 'badal.conf')
let s, p, f, alice, bob

before(async () => {
	writeFileSync(file, '', { mode: 0o644 })
	s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor' }, args: ['--config', file] })
	p = await s.project({ name: 'Runs' })
	alice = await p.user({ name: 'Alice' })
	bob = await p.user({ name: 'Bob' })
	f = await deploy(p, echo, { execute: ['users'], version: 'v2' })
})
after(async () => {
	await s.stop()
	rmSync(dir, { recursive: true })
})

test('gets the variables of its project, and its own before them; a change counts at once', async () => {
	const admin = (m, target, body) => p.admin(m, target, { body, headers: { 'x-appwrite-response-format': '1.9.5' } })
	const make = async (key, value) => { const r = await admin('POST', '/project/variables', { variableId: unique('v'), key, value }); assert.equal(r.status, 201, r.text); return r.body.$id }
	const g = await deploy(p, 'module.exports = async (req, res) => res.json({ all: process.env.OF_ALL ?? null, both: process.env.BOTH ?? null, id: process.env.APPWRITE_FUNCTION_ID })', { execute: ['users'], version: 'v2', vars: { BOTH: 'own' } })
	const run = async () => answer(await alice.ok('POST', `${g.path}/executions`, { body: {} }))
	assert.deepEqual(await run(), { all: null, both: 'own', id: g.id })
	const id = await make('OF_ALL', 'one')
	await make('BOTH', 'of all')
	await make('APPWRITE_FUNCTION_ID', 'forged')
	assert.deepEqual(await run(), { all: 'one', both: 'own', id: g.id })
	assert.equal((await admin('PUT', `/project/variables/${id}`, { value: 'two' })).status, 200)
	assert.equal((await run()).all, 'two')
	assert.equal((await admin('DELETE', `/project/variables/${id}`)).status, 204)
	assert.equal((await run()).all, null)
})

describe('an execution', () => {
	test('as 1.0 has it', async () => {
		const r = await alice.call('POST', `${f.path}/executions`, { body: { data: 'there' } })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, first)
		isTime(r.body.$createdAt)
		assert.deepEqual(r.body.$permissions, [`read("user:${alice.id}")`])
		assert.deepEqual([r.body.functionId, r.body.trigger, r.body.status, r.body.statusCode, r.body.stdout, r.body.stderr], [f.id, 'http', 'completed', 200, '', ''])
		assert.ok(r.body.duration > 0 && r.body.duration < 30)
		const a = answer(r.body)
		assert.deepEqual([a.payload, a.user, a.trigger], ['there', alice.id, 'http'])
		assert.equal((await s.call('GET', '/account', { project: p.id, jwt: a.jwt })).body.$id, alice.id)
		assert.deepEqual((await f.get(r.body.$id)).response, r.body.response)
	})
	test('as 0.15 and before have it: who may read it is a list of roles, and nobody writes', async () => {
		const r = await alice.call('POST', `${f.path}/executions`, { body: { data: 'x' }, headers: { 'x-appwrite-response-format': '0.15.0' } })
		assert.equal(r.status, 201, r.text)
		assert.deepEqual([r.body.$read, r.body.$write, r.body.$permissions, 'time' in r.body, 'stdout' in r.body], [[`user:${alice.id}`], undefined, undefined, true, false])
		const listed = (await p.ok('GET', `${f.path}/executions`, { headers: { 'x-appwrite-response-format': '0.15.0' } })).executions
		assert.ok(listed.length > 0 && listed.every((e) => Array.isArray(e.$read) && !('$permissions' in e) && !('$write' in e)), JSON.stringify(listed[0]))
	})
	test('by a key has no reader, no user and no JWT; output is for keys', async () => {
		const e = await f.run({ data: JSON.stringify({ out: 'one', err: 'two' }) }), a = answer(e)
		assert.deepEqual([e.$permissions, a.user, a.jwt, e.stdout, e.stderr], [[], '', '', 'one', 'two'])
	})
	for (const [what, data] of [['emoji', '😀 é'], ['line and paragraph separators', 'a\u2028b\u2029'], ['NUL', 'a\0b\0'], ['U+0001', '\x01\x02\x01\x01'], ['CR', 'a\rb\r\n'], ['long digits', '12345678901234567890123'], ['nothing', '']])
		test(`${what} goes through unchanged`, async () => {
			const e = await f.run({ data })
			assert.equal(answer(e).payload, data)
			assert.equal(answer(await f.get(e.$id)).payload, data)
			const back = await f.run({ data: JSON.stringify({ out: data }) })
			assert.ok([data, `${data}\n`, ''].includes((await f.get(back.$id)).stdout), JSON.stringify(back.stdout))
			if (data.trim() !== '') assert.notEqual(back.stdout, '')
		})
	test('NULs are for what is data alone', async () => {
		fails(await p.call('POST', `${f.path}/executions`, { body: { data: 'x', path: '/a\0b' } }), 400, 'general_argument_invalid')
		fails(await p.call('POST', `${f.path}/executions`, { body: { headers: { a: 'b\0c' } } }), 400, 'general_argument_invalid')
	})
	test('of a code that fails is a failed one, answered as any', async () => {
		for (const [what, why] of [[{ fail: 'on purpose', out: 'before' }, /on purpose/], [{ exit: 7 }, /7/]]) {
			const r = await p.call('POST', `${f.path}/executions`, { body: { data: JSON.stringify(what) } })
			assert.equal(r.status, 201, r.text)
			assert.deepEqual([r.body.status, r.body.response], ['failed', ''])
			assert.match(r.body.stderr, why)
		}
		assert.equal((await f.run({ data: 'next' })).status, 'completed')
	})
	test('in the background waits, runs, and ends with an event', async () => {
		const r = await alice.call('POST', `${f.path}/executions`, { body: { data: 'later', async: true } })
		assert.equal(r.status, 202, r.text)
		assert.deepEqual([r.body.status, r.body.statusCode, r.body.response, r.body.duration], ['waiting', 0, '', 0])
		const e = await f.ended(r.body.$id)
		assert.equal(e.status, 'completed')
		const a = answer(e)
		assert.deepEqual([a.payload, a.user, a.trigger], ['later', alice.id, 'http'])
		assert.equal((await s.call('GET', '/account', { project: p.id, jwt: a.jwt })).body.$id, alice.id)
	})
	test('of whoever left comes to its end', async () => {
		const before = (await f.list()).total
		await p.call('POST', `${f.path}/executions`, { body: { data: JSON.stringify({ ms: 4000 }) }, ms: 2000 }).catch(() => {})
		const e = await until('it ended', async () => { const l = await f.list({ query: { queries: ['orderDesc("$createdAt")', 'limit(1)'] } }); return l.total > before && l.executions[0].status === 'completed' && l.executions[0] })
		assert.ok(e.duration >= 3.9)
	})
	test('has the variables as they are now, byte for byte, also in the environment of a process that has run before', async () => {
		const kept = { PEM: '-----BEGIN-----\r\nab+/=\r\n-----END-----\r\n', SPACES: '  \t both ends ', LITERAL: '\\n $(id) `id` "\'${x}' }
		const g = await deploy(p, `module.exports = async (req, res) => { const of = (v) => Object.fromEntries('CHANGED GONE ADDED PEM SPACES LITERAL'.split(' ').map((k) => [k, v[k]])); res.json([of(req.variables), of(process.env)]) }`, { version: 'v2', vars: { ...kept, CHANGED: '1', GONE: '1' } })
		const seen = async (want) => assert.deepEqual(answer(await g.run()), [want, want])
		await seen({ ...kept, CHANGED: '1', GONE: '1' })
		const { variables } = await p.ok('GET', `${g.path}/variables`), of = (key) => `${g.path}/variables/${variables.find((v) => v.key === key).$id}`
		for (const [key, value] of Object.entries(kept)) assert.equal(variables.find((v) => v.key === key).value, value)
		await p.ok('PUT', of('CHANGED'), { body: { key: 'CHANGED', value: '2' } })
		await seen({ ...kept, CHANGED: '2', GONE: '1' })
		await p.ok('DELETE', of('GONE'))
		await p.ok('POST', `${g.path}/variables`, { body: { key: 'ADDED', value: '1' } })
		await seen({ ...kept, CHANGED: '2', ADDED: '1' })
	})
	test('keeps a million characters of an answer and of output, and says so', async () => {
		const g = await deploy(p, 'module.exports = async (req, res) => { console.log("é".repeat(1000001)); res.send("😀".repeat(1000001)) }', { version: 'v2' })
		for (const e of [await g.run(), await g.ended((await g.run({ async: true })).$id)]) {
			assert.deepEqual([e.status, e.response === '😀'.repeat(1000000)], ['completed', true])
			assert.match(e.stdout, /^é{999000,}\n\[the rest was dropped: 1,000,000 characters of an output are kept\]\n$/)
			assert.equal(e.stderr, 'The answer was cut to 1000000 characters.\n')
		}
	})
	test('takes no longer than the function may', async () => {
		const g = await deploy(p, echo, { timeout: 1, version: 'v2' }), e = await g.run({ data: JSON.stringify({ ms: 600000, out: 'begun' }) })
		assert.equal(e.status, 'failed')
		assert.ok(e.duration >= 0.9, e.duration)
	})
})

describe('the later form', () => {
	test('has method, path, headers and body; the answer is whole', async () => {
		const g = await deploy(p, today, { version: 'v5', execute: ['any'] })
		const r = await alice.call('POST', `${g.path}/executions`, { ...as, body: { method: 'PUT', path: '/a/b?c=d', headers: { 'X-Mine': '1', 'content-type': 'text/plain', 'x-appwrite-user-id': 'somebody' }, body: 'text' } })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, later)
		const e = r.body
		assert.deepEqual([e.requestMethod, e.requestPath, e.responseStatusCode, e.status, e.logs, e.errors, e.deploymentId, e.scheduledAt], ['PUT', '/a/b?c=d', 201, 'completed', '', '', g.deployment, ''])
		assert.deepEqual(JSON.parse(e.responseBody), { method: 'PUT', path: '/a/b', query: { c: 'd' }, mine: '1', trigger: 'http', from: '127.0.0.1', eu: 'false', user: alice.id, body: 'text' })
		assert.deepEqual(e.requestHeaders, [{ name: 'content-type', value: 'text/plain' }])
		const of = (name) => e.responseHeaders.find((h) => h.name === name)?.value
		assert.deepEqual([of('x-own'), of('x-appwrite-execution-id')], ['yes', e.$id])
		assert.match(of('content-type'), /^application\/json/)
		const again = await p.ok('GET', `${g.path}/executions/${e.$id}`, as)
		assert.deepEqual([again.responseBody, again.logs.trim(), again.errors.trim(), again.responseHeaders.map((h) => h.name)], ['', 'logged', 'told', again.responseHeaders.map((h) => h.name).filter((n) => /^content-(type|length)$/.test(n))])
		assert.equal((await p.ok('GET', `${g.path}/executions`, as)).executions[0].$id, e.$id)
	})
	test('as a form has all bytes', async () => {
		const g = await deploy(p, today, { version: 'v5' })
		const r = await fetch(new URL(`/v1${g.path}/executions`, s.base), { method: 'POST', body: JSON.stringify({ path: '/bytes', method: 'GET' }),
			headers: { ...as.headers, accept: 'multipart/form-data', 'content-type': 'application/json', 'x-appwrite-project': p.id, 'x-appwrite-key': p.key } })
		assert.equal(r.status, 201)
		const raw = Buffer.from(await r.arrayBuffer()), head = 'name="responseBody"\r\n\r\n', at = raw.indexOf(head) + head.length, boundary = r.headers.get('content-type').match(/boundary=(.*)$/)[1]
		assert.deepEqual([...raw.subarray(at, at + 256)], Array.from({ length: 256 }, (_, i) => i))
		assert.ok(raw.subarray(at + 256).toString().startsWith(`\r\n--${boundary}`))
	})
	test('put off', async () => {
		const body = (ms, more = {}) => ({ async: true, scheduledAt: new Date(Date.now() + ms).toISOString(), body: 'x', ...more })
		fails(await p.call('POST', `${f.path}/executions`, { ...as, body: body(3600000, { async: false }) }), 400, 'general_argument_invalid')
		fails(await p.call('POST', `${f.path}/executions`, { ...as, body: body(1000) }), 400, 'general_argument_invalid')
		const r = await p.call('POST', `${f.path}/executions`, { ...as, body: body(3600000) })
		assert.equal(r.status, 202, r.text)
		assert.equal(r.body.status, 'scheduled')
		isTime(r.body.scheduledAt)
		assert.equal((await p.call('DELETE', `${f.path}/executions/${r.body.$id}`, as)).status, 204)
		fails(await p.call('GET', `${f.path}/executions/${r.body.$id}`), 404, 'execution_not_found')
	})
	test('nobody waits longer than functions_sync_timeout', async () => {
		const read = () => s.log().split('configuration read again').length, set = async (text) => {
			const n = read()
			writeFileSync(file, text)
			s.kill('SIGHUP')
			await until('the settings are read', () => read() > n)
		}
		await set('functions_sync_timeout = 2s\n')
		/* the process that serves hears of it a moment later */
		await until('it holds', async () => {
			const r = await p.call('POST', `${f.path}/executions`, { ...as, body: { body: JSON.stringify({ ms: 5000 }) } })
			if (r.status === 201) return false
			fails(r, 408, 'function_synchronous_timeout')
			return true
		})
		await set('')
		const [e] = (await f.list({ query: { queries: ['orderDesc("$createdAt")', 'limit(1)'] } })).executions
		assert.equal(e.status, 'failed')
	})
	test('what waits or runs is not forgotten', async () => {
		for (let ms = 1500; ; ms *= 4) {	/* on a busy machine it may have ended before we ask */
			const e = await f.run({ data: JSON.stringify({ ms }), async: true }), r = await p.call('DELETE', `${f.path}/executions/${e.$id}`, as)
			if (r.status === 204 && ms < 10000) continue
			fails(r, 400, 'execution_in_progress')
			assert.equal((await f.ended(e.$id)).status, 'completed')
			break
		}
	})
	test('what has ended can be forgotten', async () => {
		const e = await f.run()
		assert.equal((await p.call('DELETE', `${f.path}/executions/${e.$id}`, as)).status, 204)
		fails(await p.call('GET', `${f.path}/executions/${e.$id}`), 404, 'execution_not_found')
		fails(await p.call('DELETE', `${f.path}/executions/${e.$id}`, as), 404, 'execution_not_found')
	})
})

describe('who may', () => {
	test('run it: by its roles, exactly', async () => {
		const team = (await p.ok('POST', '/teams', { body: { teamId: unique(), name: 'T' } })).$id
		await p.ok('POST', `/teams/${team}/memberships`, { body: { email: bob.email, roles: ['dev'], url: 'http://localhost/', userId: bob.id } }).catch(() => {})
		const rows = [[['any'], [201, 201, 201]], [['users'], [401, 201, 201]], [['guests'], [201, 401, 401]], [[`user:${alice.id}`], [401, 201, 401]], [[`team:${team}`], [401, 401, 201]], [[], [401, 401, 401]]]
		for (const [execute, want] of rows) {
			await p.ok('PUT', f.path, { body: { name: 'F', execute } })
			const got = []
			for (const call of [p.guest, alice.call, bob.call]) got.push((await call('POST', `${f.path}/executions`, { body: {} })).status)
			assert.deepEqual(got, want, JSON.stringify(execute))
			assert.equal((await p.call('POST', `${f.path}/executions`, { body: {} })).status, 201)
		}
		await p.ok('PUT', f.path, { body: { name: 'F', execute: ['users'] } })
		const r = await p.guest('POST', `${f.path}/executions`, { body: {} })
		fails(r, 401, 'user_unauthorized')
		assert.equal(r.body.message, 'Missing "execute" permission for role "users". Only "["any","guests"]" scopes are allowed and "["users"]" was given.')
	})
	test('see it: who ran it, without its output', async () => {
		const mine = (await alice.call('POST', `${f.path}/executions`, { body: { data: JSON.stringify({ out: 'secret', err: 'secret' }) } })).body
		const seen = (await alice.call('GET', `${f.path}/executions/${mine.$id}`)).body
		assert.deepEqual([seen.$id, seen.stdout, seen.stderr], [mine.$id, '', ''])
		fails(await bob.call('GET', `${f.path}/executions/${mine.$id}`), 404, 'execution_not_found')
		fails(await p.guest('GET', `${f.path}/executions/${mine.$id}`), 401, 'general_unauthorized_scope')
		assert.equal((await f.get(mine.$id)).stdout.trim(), 'secret')
		const ids = async (call) => (await call('GET', `${f.path}/executions`, { query: { queries: ['limit(100)'] } })).body.executions
		assert.ok((await ids(alice.call)).every((e) => e.$permissions[0] === `read("user:${alice.id}")` && e.stdout === ''))
		assert.ok((await ids(alice.call)).some((e) => e.$id === mine.$id))
		assert.ok(!(await ids(bob.call)).some((e) => e.$id === mine.$id))
		assert.ok((await ids(p.call)).some((e) => e.$id === mine.$id && e.stdout.trim() === 'secret'))
	})
	test('forget it: keys and admins alone', async () => {
		const mine = (await alice.call('POST', `${f.path}/executions`, { body: {} })).body, forget = (call) => call('DELETE', `${f.path}/executions/${mine.$id}`, as)
		fails(await forget(alice.call), 401, 'user_unauthorized')
		for (const call of [bob.call, p.guest]) fails(await forget(call), 404, 'execution_not_found')
		assert.equal((await f.get(mine.$id)).$id, mine.$id)
		assert.equal((await forget(p.admin)).status, 204)
	})
	test('errors come in the order of the contract', async () => {
		const bare = unique('f')
		await p.ok('POST', '/functions', { body: { functionId: bare, name: 'Bare', runtime: 'node-18.0', execute: [] } })
		const none = await alice.call('POST', `/functions/${bare}/executions`, { body: {} })
		fails(none, 404, 'deployment_not_found')
		assert.equal(none.body.message, 'Deployment not found. Create a deployment before trying to execute a function')
		fails(await alice.call('POST', '/functions/unknown/executions', { body: {} }), 404, 'function_not_found')
		await p.ok('PUT', `/functions/${bare}`, { body: { name: 'Bare', enabled: false, execute: [] } })
		for (const call of [alice.call, p.call]) fails(await call('POST', `/functions/${bare}/executions`, { body: {} }), 404, 'function_not_found')
		fails(await p.admin('POST', `/functions/${bare}/executions`, { body: {} }), 404, 'deployment_not_found')
		const long = await alice.call('POST', `${f.path}/executions`, { body: { data: 'x'.repeat(8193) } })
		fails(long, 400, 'general_argument_invalid')
		assert.equal(long.body.message, 'Invalid data: Value must be a valid string and no longer than 8192 chars')
		assert.equal((await alice.call('POST', `${f.path}/executions`, { body: { data: { a: 1 } } })).body.message, long.body.message)
		assert.equal((await alice.call('POST', `${f.path}/executions`, { body: { async: 'true' } })).body.message, 'Invalid async: Value must be a valid boolean')
		for (const h of ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset']) assert.ok(long.headers[h], h)
		assert.equal(long.headers['x-ratelimit-limit'], '60')
		for (const q of ['equal("response", "x")', 'equal("stdout", "x")']) fails(await p.call('GET', `${f.path}/executions`, { query: { queries: [q] } }), 400, 'general_argument_invalid')
		const cursor = await p.call('GET', `${f.path}/executions`, { query: { queries: ['cursorAfter("none")'] } })
		fails(cursor, 400, 'general_cursor_not_found')
		assert.equal(cursor.body.message, "Execution 'none' for the 'cursor' value not found.")
		fails(await alice.call('GET', '/functions/unknown/executions'), 404, 'function_not_found')
		fails(await alice.call('GET', `${f.path}/executions/unknown`), 404, 'execution_not_found')
	})
	test('call it from a page', async () => {
		await p.addPlatform({ hostname: 'app.example.org' })
		const origin = 'https://app.example.org', path = `${f.path}/executions`
		const pre = await p.guest('OPTIONS', path, { headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type,x-appwrite-project' } })
		const good = await alice.call('POST', path, { headers: { origin }, body: {} }), bad = await p.guest('POST', path, { headers: { origin }, body: {} })
		for (const r of [pre, good, bad]) assert.equal(r.headers['access-control-allow-origin'], origin)
		assert.deepEqual([good.status, bad.status], [201, 401])
	})
	test('filter and order lists', async () => {
		const g = await deploy(p, echo, { version: 'v2' })
		for (const status of [200, 201, 500]) await g.run({ data: JSON.stringify({ status }) })
		const codes = async (...queries) => (await g.list({ query: { queries } })).executions.map((e) => e.statusCode)
		assert.deepEqual(await codes('equal("status", "completed")', 'orderAsc("statusCode")'), [200, 201])
		assert.deepEqual(await codes('greaterThan("statusCode", 200)', 'orderDesc("statusCode")'), [500, 201])
		assert.deepEqual(await codes('equal("trigger", "http")', 'limit(1)', 'offset(1)'), [201])
		assert.equal((await g.list({ query: { search: g.id } })).total, 3)
		const one = (await g.list()).executions[1]
		assert.deepEqual((await g.list({ query: { search: one.$id } })).executions, [one])
	})
})

describe('events', () => {
	const listening = (events, code = echo, more = {}) => deploy(p, code, { events, version: 'v2', ...more })
	test('run who listens, with the event and its payload', async () => {
		const g = await listening(['teams.*.create']), team = await p.ok('POST', '/teams', { body: { teamId: unique(), name: 'Née 😀' } })
		const [e] = await g.all(1), a = answer(e)
		assert.deepEqual([e.trigger, e.$permissions, a.event, a.trigger, a.user, a.jwt], ['event', [], `teams.${team.$id}.create`, 'event', '', ''])
		assert.deepEqual(JSON.parse(a.data), team)
		await p.ok('PUT', `/teams/${team.$id}`, { body: { name: 'Other' } })
		const other = await listening(['teams.*'])
		await p.ok('PUT', `/teams/${team.$id}`, { body: { name: 'Again' } })
		await other.all(1)
		assert.equal((await g.list()).total, 1)
		for (const x of [g, other]) await p.ok('DELETE', x.path)
	})
	test('of a user are theirs', async () => {
		const g = await listening(['users.*.update.prefs'])
		await alice.ok('PATCH', '/account/prefs', { body: { prefs: { a: 1 } } })
		const [e] = await g.all(1)
		assert.deepEqual(e.$permissions, [`read("user:${alice.id}")`])
		assert.equal((await alice.call('GET', `${g.path}/executions/${e.$id}`)).body.stdout, '')
		await p.ok('DELETE', g.path)
	})
	test('reach the good one beside those that are off, empty, crashing and hanging', async () => {
		const events = ['teams.*.create'], off = await listening(events, echo, { enabled: false }), bare = unique('f')
		await p.ok('POST', '/functions', { body: { functionId: bare, name: 'Bare', runtime: 'node-18.0', execute: [], events } })
		const crash = await listening(events, 'module.exports = () => process.abort()'), hang = await listening(events, 'module.exports = () => new Promise(() => setInterval(() => {}, 1000))', { timeout: 5 })
		const good = await listening(events), n = 10
		for (let i = 0; i < n; i++) await p.ok('POST', '/teams', { body: { teamId: unique(), name: `T${i}` } })
		const all = await good.all(n)
		assert.ok(all.every((e) => e.status === 'completed'))
		assert.equal(new Set(all.map((e) => e.$id)).size, n)
		assert.ok((await crash.all(n)).every((e) => e.status === 'failed'))
		assert.ok((await hang.all(n)).every((e) => e.status === 'failed'))
		assert.equal((await p.ok('GET', `/functions/${off.id}/executions`, { mode: 'admin', key: undefined, cookie: p.console.cookie })).total, 0)
		assert.equal((await p.ok('GET', `/functions/${bare}/executions`)).total, 0)
		for (const x of [off, crash, hang, good]) await p.ok('DELETE', x.path)
		await p.ok('DELETE', `/functions/${bare}`)
	})
	test('a run of an event can be seen while it lasts', async () => {
		const g = await listening(['teams.*.create'], `const hang = module.exports = (req, res) => JSON.parse(req.variables.APPWRITE_FUNCTION_EVENT_DATA).name === 'Hang' ? new Promise(() => setInterval(() => {}, 1000)) : res.send('')`, { timeout: 300 })
		await p.ok('POST', '/teams', { body: { teamId: unique(), name: 'Hang' } })
		const [e] = await until('it is seen', async () => { const { executions } = await g.list(); return executions.length === 1 && executions })
		assert.deepEqual([e.status, e.trigger, e.statusCode, e.duration], ['processing', 'event', 0, 0])
		await p.ok('DELETE', g.path)
	})
	test('of a document of a megabyte come whole', async () => {
		const g = await listening(['databases.*.collections.*.documents.*.create'], 'module.exports = (req, res) => res.json({ n: JSON.parse(req.variables.APPWRITE_FUNCTION_EVENT_DATA).text.length })')
		await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
		await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C', permissions: [], documentSecurity: false } })
		await p.ok('POST', '/databases/d/collections/c/attributes/string', { body: { key: 'text', size: 1100000, required: true } })
		await until('the attribute is available', async () => (await p.ok('GET', '/databases/d/collections/c/attributes/text')).status === 'available')
		await p.ok('POST', '/databases/d/collections/c/documents', { body: { documentId: 'x', data: { text: 'x'.repeat(1048576) } } })
		assert.equal(answer((await g.all(1))[0]).n, 1048576)
		await p.ok('DELETE', g.path)
	})
	test('of one resource run in their order', async () => {
		const g = await listening(['teams.*.update'], `module.exports = async (req, res) => { const t = JSON.parse(req.variables.APPWRITE_FUNCTION_EVENT_DATA); await new Promise((ok) => setTimeout(ok, Math.random() * 30)); res.send(t.name) }`)
		const team = await p.ok('POST', '/teams', { body: { teamId: unique(), name: '0' } }), names = []
		for (let i = 1; i <= 12; i++) { names.push(String(i)); await p.ok('PUT', `/teams/${team.$id}`, { body: { name: String(i) } }) }
		const all = await g.all(12)
		assert.deepEqual([...all].sort((a, b) => a.$updatedAt < b.$updatedAt ? -1 : a.$updatedAt > b.$updatedAt ? 1 : 0).map((e) => e.response), names)
		await p.ok('DELETE', g.path)
	})
})

describe('many', () => {
	test('a hundred and fifty that wait end, each once, beside a function that hangs and one that floods', { timeout: 300000 }, async () => {
		const hang = await deploy(p, 'module.exports = () => new Promise(() => setInterval(() => {}, 1000))', { timeout: 2, version: 'v2' })
		const flood = await deploy(p, `module.exports = async (req, res) => { const line = 'x'.repeat(1000); for (let i = 0; i < 2000; i++) console.log(line); res.send('') }`, { version: 'v2', timeout: 120 })
		const good = await deploy(p, echo, { version: 'v2', timeout: 120 }), asked = []
		for (let i = 0; i < 20; i++) for (const g of [hang, flood]) await g.run({ async: true })
		for (let i = 0; i < 150; i++) asked.push((await good.run({ data: String(i), async: true })).$id)
		const all = []
		for (const id of asked) all.push(await good.ended(id))
		assert.deepEqual(all.map((e) => [e.status, answer(e).payload]), asked.map((_, i) => ['completed', String(i)]))
		assert.equal((await good.list()).total, 150)
		assert.ok((await hang.all(20)).every((e) => e.status === 'failed'))
		const loud = await flood.all(20)
		assert.ok(loud.every((e) => e.status === 'completed' && e.stdout.length <= 1000100), `${loud.map((e) => e.stdout.length)}`)
		for (const x of [hang, flood, good]) await p.ok('DELETE', x.path)
	})
})

test('what is over soon is written once, with its end; what is not is written as it runs', async () => {
	const sql = (text) => execFileSync('psql', [...psqlArgs(s), '-c', text]).toString().trim(), schema = sql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	sql(`CREATE TABLE ${schema}.noted (id text, what text);
		CREATE FUNCTION ${schema}.note() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ${schema}.noted VALUES (NEW.id, TG_OP || ' ' || NEW.status); RETURN NEW; END $$;
		CREATE TRIGGER note AFTER INSERT OR UPDATE ON ${schema}.executions FOR EACH ROW EXECUTE FUNCTION ${schema}.note()`)
	const g = await deploy(p, echo, { version: 'v2' }), noted = (e) => sql(`SELECT string_agg(what, ', ') FROM ${schema}.noted WHERE id = '${e.$id}'`)
	await until('a run that is over soon', async () => noted(await g.run()) === 'INSERT completed', 60000)
	const slow = await g.run({ data: JSON.stringify({ ms: 300 }) }), crash = await g.run({ data: JSON.stringify({ ms: 300, exit: 3 }) })
	assert.deepEqual([slow.status, noted(slow), crash.status, noted(crash)], ['completed', 'INSERT processing, UPDATE completed', 'failed', 'INSERT processing, UPDATE failed'])
	sql(`DROP TRIGGER note ON ${schema}.executions; DROP FUNCTION ${schema}.note; DROP TABLE ${schema}.noted`)
	await p.ok('DELETE', g.path)
})

test('an end that cannot be written is a failed execution as soon as it can', async () => {
	const sql = (text) => execFileSync('psql', [...psqlArgs(s), '-c', text]).toString().trim(), schema = sql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	const g = await deploy(p, echo, { version: 'v2' })
	sql(`CREATE FUNCTION ${schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$;
		CREATE TRIGGER refuse BEFORE UPDATE ON ${schema}.executions FOR EACH ROW EXECUTE FUNCTION ${schema}.refuse()`)
	assert.equal((await p.call('POST', `${g.path}/executions`, { body: { data: JSON.stringify({ ms: 300 }) } })).status, 500)
	const [e] = (await g.list()).executions
	assert.equal(e.status, 'processing')
	sql(`DROP TRIGGER refuse ON ${schema}.executions; DROP FUNCTION ${schema}.refuse`)
	assert.match((await g.ended(e.$id)).stderr, /could not write its end/)
	await p.ok('DELETE', g.path)
})

test('a runtime that is here no more: neither in the foreground nor in the background', async () => {
	const g = await deploy(p, echo, { version: 'v2' }), sql = (text) => execFileSync('psql', [...psqlArgs(s), '-c', text]).toString().trim()
	const schema = sql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	sql(`UPDATE ${schema}.functions SET runtime = 'cobol-85.0' WHERE id = '${g.id}'`)
	await p.ok('PUT', g.path, { body: { name: 'read anew', execute: [] } })
	for (const async of [true, false]) {
		const r = await p.call('POST', `${g.path}/executions`, { body: { async } })
		fails(r, 404, 'function_runtime_unsupported')
		assert.match(r.body.message, /cobol-85\.0/)
	}
	assert.equal((await g.list()).total, 0)
	await p.ok('DELETE', g.path)
})

test('what waits for all functions of a project together has a bound, and what does not fit is counted and told', { timeout: 180000 }, async () => {
	const own = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor', functions_project_size: '2k', functions_concurrency: 1, drain_timeout: '1s' } })
	try {
		const q = await own.project({ name: 'Crowded' }), other = await own.project({ name: 'Quiet' }), slow = 'module.exports = async (req, res) => { await new Promise((ok) => setTimeout(ok, 600000)); res.send("") }'
		const [g, h] = await Promise.all([1, 2].map(() => deploy(q, slow, { timeout: 600, version: 'v2' }))), k = await deploy(other, echo, { version: 'v2' })
		const asked = []
		for (let i = 0; i < 16; i++) for (const x of [g, h]) asked.push(await x.run({ async: true }))
		/* both lines are filled, and neither is by itself */
		const refused = await until('some are refused', async () => {
			const all = [...(await g.list({ query: { queries: ['limit(100)'] } })).executions, ...(await h.list({ query: { queries: ['limit(100)'] } })).executions]
			return all.length === asked.length && all.filter((e) => e.status === 'failed').length > 0 && all.filter((e) => e.status === 'failed')
		})
		for (const e of refused) assert.match(e.stderr, /functions_project_size/)
		assert.ok(refused.length < asked.length - 4, `${refused.length} of ${asked.length}`)
		const e = await k.run({ async: true })
		assert.equal((await k.ended(e.$id)).status, 'completed', 'another project has a bound of its own')
	} finally {
		await own.stop()
	}
})

describe('chains', () => {
	test('what a marked address does carries its depth, and the end of a chain is told', async () => {
		const g = await deploy(p, echo, { events: ['teams.*.create'], version: 'v2' }), team = () => ({ teamId: unique(), name: 'T' })
		for (const depth of [0, 3, 7]) await p.ok('POST', `/~d${depth}/v1/teams`, { root: true, unseen: true, body: team() })
		assert.ok((await g.all(3)).every((e) => e.status === 'completed'))
		await p.ok('POST', '/~d8/v1/teams', { root: true, unseen: true, body: team() })
		const told = (await g.all(4)).find((e) => e.status === 'failed')
		assert.match(told.stderr, /functions_depth_max/)
		await p.ok('POST', '/~d9/v1/teams', { root: true, unseen: true, body: team() })
		await p.ok('POST', '/teams', { body: team() })
		assert.equal((await g.all(5)).length, 5)
		assert.equal((await p.call('POST', `/~d8/v1${g.path}/executions`, { root: true, unseen: true, body: {} })).body.status, 'failed')
		await p.ok('DELETE', g.path)
	})
	test('a function that changes what woke it stops, and the next change of a person is served', async () => {
		const team = await p.ok('POST', '/teams', { body: { teamId: unique(), name: '0' } }), key = await p.addKey(['teams.write'])
		const g = await deploy(p, `module.exports = async (req, res) => {
	const t = JSON.parse(req.variables.APPWRITE_FUNCTION_EVENT_DATA), headers = { 'content-type': 'application/json', 'x-appwrite-project': '${p.id}', 'x-appwrite-key': '${key}' }
	const r = await fetch(req.variables.APPWRITE_FUNCTION_API_ENDPOINT + '/teams/' + t.$id, { method: 'PUT', headers, body: JSON.stringify({ name: String(Number(t.name) + 1) }) })
	res.send(r.status + ' ' + t.name)
}`, { events: [`teams.${team.$id}.update`], version: 'v2' })
		for (const [at, n] of [[100, 1], [200, 2]]) {
			await p.ok('PUT', `/teams/${team.$id}`, { body: { name: String(at) } })
			const all = await g.all(9 * n), told = all.filter((e) => e.status === 'failed')
			assert.deepEqual([all.length, told.length], [9 * n, n])
			for (const e of told) assert.match(e.stderr, /functions_depth_max/)
			assert.equal((await p.ok('GET', `/teams/${team.$id}`)).name, String(at + 8))
			assert.equal(all.filter((e) => e.response === `200 ${at + 7}`).length, 1)
		}
		await p.ok('DELETE', g.path)
	})
	test('a function that hears itself stops', async () => {
		const g = await deploy(p, echo, { events: ['functions.*.executions.*.update'], version: 'v2' })
		await g.run({ async: true })
		const told = await until('the chain ends', async () => (await g.list({ query: { queries: ['equal("status", "failed")'] } })).executions[0])
		assert.match(told.stderr, /functions_depth_max/)
		assert.equal((await g.all(9)).length, 9)
		await p.ok('DELETE', g.path)
	})
})

describe('schedules', () => {
	test('run a function each minute, once; what is off or cleared does not', async () => {
		const g = await deploy(p, echo, { schedule: '* * * * *', version: 'v2' }), off = await deploy(p, echo, { schedule: '* * * * *', version: 'v2' }), cleared = await deploy(p, echo, { schedule: '* * * * *', version: 'v2' })
		/* a minute may begin at any moment of this: what began before a change was right to */
		await p.ok('PUT', off.path, { body: { name: 'off', schedule: '* * * * *', enabled: false, execute: [] } })
		await p.ok('PUT', cleared.path, { body: { name: 'cleared', execute: [] } })
		const began = Date.now()
		let due
		for (const schedule of ['*/2 * * * *', '0 0 1 1 *', '@hourly', '5 * * * *', '* * * * *']) due = Date.parse((await p.ok('PUT', g.path, { body: { name: 'g', schedule, execute: [] } })).scheduleNext)
		assert.ok(due > began && due <= Date.now() + 60000)
		const ran = async (f) => (await p.ok('GET', `${f.path}/executions`, { mode: 'admin', key: undefined, cookie: p.console.cookie })).executions.filter((e) => Date.parse(e.$createdAt) >= due)
		const e = await until('it ran', async () => (await ran(g)).find((x) => x.status === 'completed'), 180000)
		assert.deepEqual([e.trigger, e.$permissions], ['schedule', []])
		const now = await p.ok('GET', g.path), next = Date.parse(now.scheduleNext), all = await ran(g)
		/* another minute may have begun by now */
		assert.ok(all.length <= Math.floor((Date.now() - due) / 60000) + 1, JSON.stringify(all))
		assert.ok(next > due && next % 60000 === 0, now.scheduleNext)
		assert.ok(Date.parse(now.schedulePrevious) >= due)
		assert.deepEqual([await ran(off), await ran(cleared)], [[], []])
		for (const x of [g, off, cleared]) await p.ok('DELETE', x.path)
	})
})

describe('the operator', () => {
	test('follows what a function writes', async () => {
		const g = await deploy(p, echo, { version: 'v2' }), child = spawn(binary, ['function', 'logs', '--project', p.id, '--id', g.id, '--follow', `--data-dir=${s.dataDir}`])
		let out = ''
		child.stdout.on('data', (d) => (out += d))
		try {
			for (const line of ['first', 'second']) {
				await g.run({ data: JSON.stringify({ out: line }), async: line === 'second' })
				await until(`it says ${line}`, () => out.includes(`\n  ${line}\n`))
			}
			assert.equal(out.match(/ completed /g).length, 2)
		} finally {
			child.kill()
		}
	})
	test('sees what waits, and what functions wrote', async () => {
		const e = await f.run({ data: JSON.stringify({ out: 'to the operator\nin two lines', err: 'and an error' }) })
		assert.equal(typeof (await p.ok('GET', '/health/queue/functions')).size, 'number')
		const { code, out } = await run(['function', 'logs', '--project', p.id, '--id', f.id, `--data-dir=${s.dataDir}`])
		assert.equal(code, 0)
		assert.match(out, new RegExp(`^\\S+ ${e.$id} http completed 200 \\d+\\.\\d{3} s\\n {2}to the operator\\n {2}in two lines\\n! and an error$`, 'm'))
		const usage = await until('usage is written', async () => { const u = await p.ok('GET', `${f.path}/usage`, { query: { range: '24h' } }); return u.executionsTotal.at(-1).value > 0 && u }, 60000)
		assert.ok(usage.executionsTime.at(-1).value > 0)
	})
})
