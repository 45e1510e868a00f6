/* Deployments: archives whole and in parts, what is refused, builds, which one is the active one, and what becomes of their bytes. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { form, part } from '../lib/form.mjs'
import { receiver } from '../lib/receiver.mjs'
import { children, server, unique, until } from '../lib/server.mjs'
import { archive } from '../lib/tar.mjs'
import { channels, listen } from '../lib/ws.mjs'
import { fails, isTime, keysOf } from './lib.mjs'

const keys = '$id $createdAt $updatedAt resourceId resourceType entrypoint size buildId activate status buildStdout buildStderr'
const later = { headers: { 'x-appwrite-response-format': '1.4.0' } }
const code = archive({ 'index.js': 'module.exports = async (req, res) => res.send("hello")\n' })
let s, p, runtime

before(async () => {
	s = await server({ own: true, conf: { roles: 'web,relay,jobs,executor', functions_size_limit: 20000, usage_interval: '100ms', webhook_private: 'on' } })
	p = await s.project()
	runtime = await until('a runtime for node', async () => (await p.ok('GET', '/functions/runtimes')).runtimes.find((r) => /^node/.test(r.$id))?.$id)
})
after(() => s?.stop())

const make = (more = {}) => p.ok('POST', '/functions', { body: { functionId: unique('f'), name: 'Function', runtime, ...more } })
/* `file`: bytes or a part; `at`: { start, total, id, old } of one. */
/* entrypoint null: left out. */
function send(f, file = code, { entrypoint = 'index.js', activate, start, total, id, old, call = p.call, headers = {} } = {}) {
	const one = Buffer.isBuffer(file) ? part('code.tar.gz', file) : file, m = form({ entrypoint: entrypoint ?? undefined, activate, code: one })
	if (start !== undefined) {
		const end = start + one.bytes.length
		m.headers['content-range'] = `bytes ${start}-${old && end === total ? end : end - 1}/${total}`
	}
	if (id !== undefined) m.headers['x-appwrite-id'] = id
	return call('POST', `/functions/${f.$id}/deployments`, { body: m.body, headers: { ...m.headers, ...headers } })
}
async function deploy(f, file, more) {
	const r = await send(f, file, more)
	assert.equal(r.status, 202, r.text)
	return r.body
}
const listed = async (f, id) => (await p.ok('GET', `/functions/${f.$id}/deployments`, { query: { queries: ['limit(100)'] } })).deployments.find((d) => d.$id === id)
const built = (f, d) => until('the build ends', async () => { const now = await listed(f, d.$id); return /ready|failed/.test(now.status) && now }, 60000)
const active = async (f) => (await p.ok('GET', `/functions/${f.$id}`)).deployment

describe('uploads', () => {
	test('whole: the row, and what is told of it', async () => {
		const f = await make(), d = await deploy(f)
		keysOf(d, keys)
		isTime(d.$createdAt)
		assert.deepEqual({ ...d, $id: 0, $createdAt: 0, $updatedAt: 0 }, { $id: 0, $createdAt: 0, $updatedAt: 0, resourceId: f.$id, resourceType: 'functions', entrypoint: 'index.js',
			size: code.length, buildId: '', activate: false, status: '', buildStdout: '', buildStderr: '' })
		const now = await built(f, d)
		assert.equal(now.status, 'ready', now.buildStderr)
		assert.match(now.buildId, /^[0-9a-f]{20}$/)
		assert.ok(now.buildStdout.length > 0)
		const one = await p.ok('GET', `/functions/${f.$id}/deployments/${d.$id}`)
		assert.deepEqual([one.status, one.buildStdout, one.buildId], ['', '', now.buildId], 'older clients find it in the list alone')
		const told = await p.ok('GET', `/functions/${f.$id}/deployments/${d.$id}`, later)
		assert.deepEqual([told.status, told.buildLogs.length > 0, told.type], ['ready', true, 'manual'])
		assert.equal(await active(f), '', 'it was not to be activated')
	})

	test('the function tells its newest one, and its active one', async () => {
		const now = { headers: { 'x-appwrite-response-format': '1.9.6' } }, f = await make()
		const told = (x) => [x.deploymentId, x.deploymentCreatedAt, x.latestDeploymentId, x.latestDeploymentCreatedAt, x.latestDeploymentStatus]
		const get = () => p.ok('GET', `/functions/${f.$id}`, now), none = told(await get())
		assert.deepEqual([none[0], none[2], none[4]], ['', '', ''])
		const first = await deploy(f, code, { activate: 'true' })
		await until('it is active', async () => (await active(f)) === first.$id)
		const one = told(await get())
		assert.deepEqual(one, [first.$id, first.$createdAt, first.$id, first.$createdAt, 'ready'])
		const second = await deploy(f)
		await built(f, second)
		assert.deepEqual(told(await get()), [first.$id, first.$createdAt, second.$id, second.$createdAt, 'ready'])
		const list = await p.ok('GET', '/functions', { ...now, query: { queries: [JSON.stringify({ method: 'equal', attribute: '$id', values: [f.$id] })] } })
		assert.deepEqual(told(list.functions[0]), told(await get()))
		const renamed = await p.ok('PUT', `/functions/${f.$id}`, { ...now, body: { name: 'Other' } })
		assert.deepEqual(told(renamed), told(await get()))
		await p.ok('DELETE', `/functions/${f.$id}/deployments/${second.$id}`)
		assert.deepEqual(told(await get()), one)
	})

	test('in parts, in any order, twice, marked as then and as today', async () => {
		const f = await make(), cut = [0, 50, 100, code.length]
		const piece = (i, more) => send(f, code.subarray(cut[i], cut[i + 1]), { start: cut[i], total: code.length, ...more })
		for (const old of [true, false]) {
			const first = (await piece(0, { old })).body, seen = [first]
			for (const i of [2, 1, 1, 2]) {
				const r = await piece(i, { old, id: first.$id })
				assert.equal(r.status, 202, r.text)
				seen.push(r.body)
			}
			assert.equal(new Set(seen.map((d) => d.$id)).size, 1)
			const now = await built(f, first)
			assert.deepEqual([now.status, now.size], ['ready', code.length])
		}
		assert.equal((await p.ok('GET', `/functions/${f.$id}/deployments`)).total, 2)
	})

	test('what is refused', async () => {
		const f = await make()
		const no = async (status, type, ...args) => fails(await send(f, ...args), status, type)
		await no(400, 'storage_file_type_unsupported', part('code.zip', code))
		await no(400, 'storage_file_type_unsupported', part('gz', code))
		await no(400, 'storage_invalid_file_size', Buffer.alloc(20001))
		await no(400, 'storage_invalid_file_size', Buffer.alloc(10), { start: 0, total: 20001 })
		for (const range of ['bytes x', 'bytes 0-8/25', 'bytes 20-9/25']) await no(400, 'storage_invalid_content_range', Buffer.alloc(10), { headers: { 'content-range': range } })
		for (const entrypoint of ['', null]) {
			const r = await send(f, code, { entrypoint })
			fails(r, 400, 'general_argument_invalid')
			assert.match(r.body.message, /"entrypoint" is not optional/)
		}
		for (const entrypoint of ['src/', '/index.js', '../index.js', 'a/../../b.js', 'npm start', 'node index.js', '..', 'a\nb', 'e'.repeat(1029)]) {
			const r = await send(f, code, { entrypoint })
			fails(r, 400, 'general_argument_invalid')
			assert.match(r.body.message, /Invalid entrypoint/)
		}
		await no(400, 'general_argument_invalid', code, { activate: 'perhaps' })
		await no(400, 'general_argument_invalid', Buffer.alloc(10), { start: 0, total: 20, id: '../../x' })
		for (const fields of [{ entrypoint: 'index.js' }, { entrypoint: 'index.js', code: 'text' }]) {
			const m = form(fields), r = await p.call('POST', `/functions/${f.$id}/deployments`, m)
			fails(r, 400, 'storage_file_empty')
			assert.equal(r.body.message, 'No file sent')
		}
		fails(await p.call('POST', `/functions/${f.$id}/deployments`, { body: { entrypoint: 'index.js' } }), 400, 'storage_file_empty')
		fails(await send({ $id: 'none' }), 404, 'function_not_found')
		fails(await send(f, code, { call: p.guest }), 401, 'general_unauthorized_scope')
		const other = await make(), begun = (await send(other, code.subarray(0, 50), { start: 0, total: code.length })).body
		fails(await send(f, code.subarray(50), { start: 50, total: code.length, id: begun.$id }), 404, 'deployment_not_found')
		fails(await send(other, code.subarray(40, 60), { start: 40, total: code.length, id: begun.$id }), 400, 'storage_invalid_content_range')
		fails(await send(other, code.subarray(50), { start: 50, total: code.length + 1, id: begun.$id }), 400, 'storage_invalid_content_range')
		const whole = await deploy(f)
		fails(await send(f, code.subarray(0, 10), { start: 0, total: code.length, id: whole.$id }), 400, 'storage_invalid_content_range')
		assert.equal((await p.ok('GET', `/functions/${f.$id}/deployments`)).total, 1)
	})

	test('the entrypoint of the function stands in for one that is left out', async () => {
		const f = await make({ entrypoint: 'index.js' })
		assert.equal((await deploy(f, code, { entrypoint: null })).entrypoint, 'index.js')
	})
})

describe('reading', () => {
	test('list and get', async () => {
		const f = await make(), a = await deploy(f), b = await deploy(f, archive({ 'src/main.js': 'module.exports = () => {}\n', 'pad.txt': 'x'.repeat(3000) }), { entrypoint: 'src/main.js' })
		await Promise.all([built(f, a), built(f, b)])
		const list = async (query) => (await p.ok('GET', `/functions/${f.$id}/deployments`, { query })).deployments.map((d) => d.$id)
		assert.deepEqual(await list({}), [a.$id, b.$id])
		assert.deepEqual(await list({ queries: ['limit(1)', 'orderDesc("$createdAt")'] }), [b.$id])
		assert.deepEqual(await list({ queries: ['equal("entrypoint", "src/main.js")'] }), [b.$id])
		assert.deepEqual(await list({ queries: [`equal("size", ${a.size})`, 'equal("activate", false)'] }), a.size === b.size ? [a.$id, b.$id] : [a.$id])
		assert.deepEqual(await list({ queries: [`equal("buildId", "${(await listed(f, a.$id)).buildId}")`] }), [a.$id])
		assert.deepEqual(await list({ queries: [`cursorAfter("${a.$id}")`] }), [b.$id])
		assert.deepEqual(await list({ search: 'main.js' }), [b.$id])
		fails(await p.call('GET', `/functions/${f.$id}/deployments`, { query: { queries: ['equal("path", "x")'] } }), 400, 'general_argument_invalid')
		fails(await p.call('GET', `/functions/${f.$id}/deployments`, { query: { queries: ['cursorAfter("none")'] } }), 400, 'general_cursor_not_found')
		fails(await p.call('GET', `/functions/${f.$id}/deployments/none`), 404, 'deployment_not_found')
		fails(await p.call('GET', `/functions/${(await make()).$id}/deployments/${a.$id}`), 404, 'deployment_not_found')
		for (const at of ['', `/${a.$id}`]) fails(await p.guest('GET', `/functions/${f.$id}/deployments${at}`), 401, 'general_unauthorized_scope')
	})
})

test('the archive comes back, byte for byte, to whom may read functions', async () => {
	const f = await make(), d = await deploy(f), at = (id, of = f.$id) => `/functions/${of}/deployments/${id}/download`, r = await p.call('GET', at(d.$id), later)
	assert.equal(r.status, 200, r.text)
	assert.deepEqual(r.raw, code)
	assert.deepEqual([r.headers['content-type'], r.headers['content-disposition'], r.headers['content-length'], r.headers['cache-control']],
		['application/gzip', `attachment; filename="${d.$id}.tar.gz"`, String(code.length), 'private, no-store'])
	assert.deepEqual((await p.call('GET', at(d.$id), { ...later, query: { type: 'source' } })).raw, code)
	assert.equal((await p.call('HEAD', at(d.$id), later)).raw.length, 0)
	fails(await p.call('GET', at(d.$id), { ...later, query: { type: 'output' } }), 400, 'general_argument_invalid')
	fails(await p.guest('GET', at(d.$id), later), 401, 'general_unauthorized_scope')
	fails(await p.call('GET', at(d.$id), { ...later, key: await p.addKey(['execution.read']) }), 401, 'general_unauthorized_scope')
	fails(await p.call('GET', at('nothere'), later), 404, 'deployment_not_found')
	fails(await p.call('GET', at(d.$id, (await make()).$id), later), 404, 'deployment_not_found')
	fails(await p.call('GET', at(d.$id, 'nothere'), later), 404, 'function_not_found')
	/* in parts: not before all of them are there, then as they belong */
	const half = code.length >> 1, piece = (from, to) => part('code.tar.gz', code.subarray(from, to)), first = await deploy(f, piece(0, half), { start: 0, total: code.length })
	fails(await p.call('GET', at(first.$id), later), 404, 'deployment_not_found')
	await deploy(f, piece(half), { start: half, total: code.length, id: first.$id })
	assert.deepEqual((await p.call('GET', at(first.$id), later)).raw, code)
})

describe('which one is run', () => {
	test('the newest that was to be, and what is chosen by hand', async () => {
		const f = await make()
		fails(await p.call('PATCH', `/functions/${f.$id}/deployments/none`), 404, 'deployment_not_found')
		const a = await deploy(f, code, { activate: true })
		await built(f, a)
		assert.equal(await active(f), a.$id)
		const b = await deploy(f, code, { activate: true })
		await built(f, b)
		assert.equal(await active(f), b.$id)
		assert.deepEqual([(await listed(f, a.$id)).activate, (await listed(f, b.$id)).activate], [false, true])
		const r = await p.ok('PATCH', `/functions/${f.$id}/deployments/${a.$id}`, { status: 200 })
		assert.deepEqual([r.$id, r.deployment], [f.$id, a.$id])
		const c = await deploy(f)
		await built(f, c)
		assert.equal(await active(f), a.$id)
		fails(await p.call('PATCH', `/functions/${(await make()).$id}/deployments/${a.$id}`), 404, 'deployment_not_found')
		fails(await p.guest('PATCH', `/functions/${f.$id}/deployments/${a.$id}`), 401, 'general_unauthorized_scope')
		await p.ok('DELETE', `/functions/${f.$id}/deployments/${a.$id}`, { status: 204 })
		assert.equal(await active(f), '')
	})

	test('chosen by the path that SDKs since 1.7 have', async () => {
		const f = await make(), at = `/functions/${f.$id}/deployment`, a = await deploy(f), body = { deploymentId: a.$id }
		await built(f, a)
		assert.equal(await active(f), '')
		const r = await p.ok('PATCH', at, { body, status: 200 })
		assert.deepEqual([r.$id, r.deploymentId], [f.$id, a.$id])
		assert.equal(await active(f), a.$id)
		for (const bad of [{}, { deploymentId: 'no id' }]) fails(await p.call('PATCH', at, { body: bad }), 400, 'general_argument_invalid')
		fails(await p.call('PATCH', at, { body: { deploymentId: 'none' } }), 404, 'deployment_not_found')
		fails(await p.call('PATCH', '/functions/none/deployment', { body }), 404, 'function_not_found')
		fails(await p.call('PATCH', `/functions/${(await make()).$id}/deployment`, { body }), 404, 'deployment_not_found')
		fails(await p.guest('PATCH', at, { body }), 401, 'general_unauthorized_scope')
		const bad = await deploy(f, Buffer.from('this is no archive'))
		await built(f, bad)
		fails(await p.call('PATCH', at, { body: { deploymentId: bad.$id } }), 400, 'build_not_ready')
		assert.equal(await active(f), a.$id)
	})

	test('a build that failed leaves the active one, and can be tried again', async () => {
		const f = await make(), good = await deploy(f, code, { activate: true })
		await built(f, good)
		const bad = await deploy(f, Buffer.from('this is no archive'), { activate: true }), now = await built(f, bad)
		assert.equal(now.status, 'failed')
		assert.ok(now.buildStderr.length > 0)
		assert.equal(await active(f), good.$id)
		fails(await p.call('PATCH', `/functions/${f.$id}/deployments/${bad.$id}`), 400, 'build_not_ready')
		const begun = (await send(f, code.subarray(0, 50), { start: 0, total: code.length })).body
		fails(await p.call('PATCH', `/functions/${f.$id}/deployments/${begun.$id}`), 404, 'build_not_found')
		const again = (d, build) => p.call('POST', `/functions/${f.$id}/deployments/${d.$id}/builds/${build}`)
		fails(await again(bad, 'none'), 404, 'build_not_found')
		fails(await again({ $id: 'none' }, now.buildId), 404, 'deployment_not_found')
		const r = await again(good, (await listed(f, good.$id)).buildId)
		fails(r, 400, 'build_in_progress')
		assert.equal(r.body.message, 'Build not failed')
		fails(await p.guest('POST', `/functions/${f.$id}/deployments/${bad.$id}/builds/${now.buildId}`), 401, 'general_unauthorized_scope')
		assert.equal((await again(bad, now.buildId)).status, 204)
		const later_ = await until('another try ends', async () => { const d = await listed(f, bad.$id); return d.status === 'failed' && d.$updatedAt > now.$updatedAt && d })
		assert.equal(later_.buildId, now.buildId)
	})
})

/* npm runs the scripts of the package that it installs, and shows what they say. */
const npm = spawnSync('npm', ['--version']).status === 0
const slow = (script) => archive({ 'index.js': 'module.exports = (req, res) => res.send("slow")\n', '.npmrc': 'foreground-scripts=true\n', 'package.json': JSON.stringify({ name: 'slow', version: '1.0.0', scripts: { preinstall: script } }) })
const waits = slow('echo it has begun; sleep 5; echo it goes on')

describe('builds that take long', { skip: !npm && 'npm is not there', concurrency: 3 }, () => {
	test('the newer one stays, whichever is built last; what is said can be read meanwhile', async () => {
		const f = await make(), older = await deploy(f, waits, { activate: true })
		await until('its output', async () => { const d = await listed(f, older.$id); return d.status === 'building' && d.buildStdout.includes('it has begun') })
		const newer = await deploy(f, code, { activate: true }), b = await built(f, newer)
		assert.equal(await active(f), newer.$id)
		const a = await built(f, older)
		assert.deepEqual([a.status, b.status], ['ready', 'ready'])
		assert.match(a.buildStdout, /it has begun[^]*it goes on/)
		assert.equal(await active(f), newer.$id)
	})

	test('one that is chosen by hand meanwhile stays', async () => {
		const f = await make(), chosen = await deploy(f)
		await built(f, chosen)
		const other = await deploy(f, waits, { activate: true })
		await until('its build', async () => (await listed(f, other.$id)).status === 'building')
		await p.ok('PATCH', `/functions/${f.$id}/deployments/${chosen.$id}`)
		assert.equal((await built(f, other)).status, 'ready')
		assert.equal(await active(f), chosen.$id)
	})

	test('the newer one cannot be built: then it is the older', async () => {
		const f = await make(), older = await deploy(f, waits, { activate: true }), newer = await deploy(f, Buffer.from('no archive'), { activate: true })
		assert.equal((await built(f, newer)).status, 'failed')
		assert.equal((await built(f, older)).status, 'ready')
		assert.equal(await active(f), older.$id)
	})
})

test('an executor that dies in the middle of a build: it is built again', { skip: !npm && 'npm is not there' }, async () => {
	const f = await make(), d = await deploy(f, waits, { activate: true })
	await until('its output', async () => (await listed(f, d.$id)).buildStdout.includes('it has begun'))
	for (const pid of children(s, 'badal-executor')) process.kill(pid, 'SIGKILL')
	assert.equal((await built(f, d)).status, 'ready')
	assert.equal(await active(f), d.$id)
})

test('what is wrong with an archive is said', async () => {
	const f = await make(), handler = 'module.exports = () => {}\n'
	for (const [file, words] of [[archive({ 'other.js': handler }), /index\.js/], [archive({ 'index.js': { type: '5', mode: 0o755 }, 'index.js/a.js': handler }), /index\.js/], [archive({}), /index\.js|empty/i],
		[archive({ 'index.js': handler }).subarray(0, 60), /./], [Buffer.alloc(0), /./], [Buffer.from('PK\x03\x04 a zip'), /./]]) {
		const now = await built(f, await deploy(f, file, { activate: true }))
		assert.equal(now.status, 'failed')
		assert.match(now.buildStderr, words)
	}
	assert.equal(await active(f), '')
})

test('events: one for a deployment, when it is whole; the build on the way', async (t) => {
	const hook = await receiver(), f = await make()
	t.after(() => hook.stop())
	const w = await p.console.ok('POST', `/projects/${p.id}/webhooks`, { body: { name: 'w', events: ['functions.*.deployments.*'], url: hook.url, security: false } })
	assert.ok(w.$id)
	const c = await listen(s, `project=console&${channels('console')}`, { cookie: p.console.cookie })
	t.after(() => c.end())
	const first = (await send(f, code.subarray(0, 50), { start: 0, total: code.length })).body
	const last = (await send(f, code.subarray(50), { start: 50, total: code.length, id: first.$id })).body
	await built(f, last)
	await p.ok('DELETE', `/functions/${f.$id}/deployments/${last.$id}`, { status: 204 })
	await until('the deletion is told', () => hook.all.some((d) => /\.delete$/.test(d.headers['x-appwrite-webhook-events'].split(',')[0])))
	const names = hook.all.map((d) => d.headers['x-appwrite-webhook-events'].split(',')[0])
	const at = `functions.${f.$id}.deployments.${last.$id}`
	assert.deepEqual(names, [`${at}.create`, `${at}.update`, `${at}.update`, `${at}.delete`])
	assert.deepEqual(JSON.parse(hook.all[0].raw).$id, last.$id)
	assert.equal(hook.all[3].raw.toString(), '[]')
	const told = []
	while (told.length < 4) {
		const frame = await c.next()
		if (frame.type === 'event' && frame.data.events[0].startsWith(at)) told.push(frame.data.events[0].split('.').at(-1))
	}
	assert.deepEqual(told, ['create', 'update', 'update', 'delete'])
})

test('builds are counted', async () => {
	const q = await s.project(), was = p
	p = q
	try {
		const f = await make(), good = await deploy(f), bad = await deploy(f, Buffer.from('no archive'))
		await Promise.all([built(f, good), built(f, bad)])
		for (const at of ['', `/${f.$id}`])
			await until('the counts', async () => {
				const r = await q.ok('GET', `/functions${at}/usage`, { query: { range: '24h' } }), sum = (k) => r[k].reduce((a, x) => a + x.value, 0)
				return sum('buildsTotal') === 2 && sum('buildsSuccess') === 1 && sum('buildsFailure') === 1
			})
	} finally { p = was }
})

test('the bytes of deleted deployments and functions go', async () => {
	/* A directory may go while it is looked at: then nothing is known, and `until` looks again. */
	const files = () => {
		try {
			return readdirSync(path.join(s.dataDir, 'storage'), { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => e.name)
		} catch (e) {
			if (e.code !== 'ENOENT') throw e
			return undefined
		}
	}
	const f = await make(), old = new Set(await until('what is there', files)), mine = () => files()?.filter((name) => !old.has(name)).length
	const a = await deploy(f), b = await deploy(f)
	await Promise.all([built(f, a), built(f, b)])
	await until('two archives and two builds', () => mine() === 4)
	await p.ok('DELETE', `/functions/${f.$id}/deployments/${a.$id}`, { status: 204 })
	await until('archive and build of the deployment are gone', () => mine() === 2)
	fails(await p.call('DELETE', `/functions/${f.$id}/deployments/${a.$id}`), 404, 'deployment_not_found')
	fails(await p.guest('DELETE', `/functions/${f.$id}/deployments/${b.$id}`), 401, 'general_unauthorized_scope')
	await send(f, code.subarray(0, 50), { start: 0, total: code.length })
	await p.ok('DELETE', `/functions/${f.$id}`, { status: 204 })
	await until('those of the function are gone', () => mine() === 0)
})
