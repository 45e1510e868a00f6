/* Which executor keeps which function warm, where there are several with room for some: executors of the test's own, which say what they keep and run nothing. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'

import { deploy } from '../lib/functions.mjs'
import { server, until } from '../lib/server.mjs'
import { archive } from '../lib/tar.mjs'

const record = (name, value) => { const bytes = Buffer.from(value); return Buffer.concat([Buffer.from(`${name} ${bytes.length}\n`), bytes]) }
const records = (all) => Buffer.concat(Object.entries(all).flatMap(([k, v]) => [v].flat().map((one) => record(k, one))))
function fields(bytes) {
	const out = {}
	while (bytes.length) {
		const nl = bytes.indexOf(10), [name, n] = bytes.subarray(0, nl).toString().split(' '), end = nl + 1 + Number(n)
		if (name === 'end') break
		out[name] = bytes.subarray(nl + 1, end).toString()
		bytes = bytes.subarray(end)
	}
	return out
}

/* An executor: `room` functions, `refuses` { status, text } for each that it is to keep; `asked`: when each such answer left, and which function it was about. */
async function executor(s, dir, name, room, runtime = 'node') {
	const local = path.join(dir, name), bus = path.join(s.dataDir, 'run/redis.sock'), codes = new Set()
	const redis = (args, input) => execFileSync('redis-cli', ['-s', bus, ...args], { input })
	const x = { kept: new Map(), asked: [], refuses: null, room }
	x.announce = () => {
		const runtimes = records({ id: `${runtime}-18.0`, key: runtime, name: runtime, version: '18.0', base: 'host', image: '', logo: '', entrypoint: 'index.js' })
		const all = { name, local, address: '', why: '', busy: '0', room: String(x.room - x.kept.size), warm: '', kept: records({ kept: [...x.kept.keys()] }), runtime: runtimes, end: '' }
		redis(['-x', 'SET', `{executors}:${name}`], records(all))
		redis(['SADD', '{executors}', name])
	}
	x.leave = () => { x.gone = true; redis(['DEL', `{executors}:${name}`]); x.kept.clear() }
	x.back = () => { x.gone = false; x.announce() }
	const answers = {
		'/build': () => [200, Buffer.concat([records({ seconds: '0.1', ok: '1', end: '' }), archive({ 'index.js': '' })])],
		'/retire': () => [204],
		'/warm': (body) => {
			const q = fields(body), key = `${q.project}/${q.code}/${q.revision}`, on = q.keep_warm === '1'
			let answer = [204]
			if (x.gone) return [503, 'it ends']
			if (on && x.refuses) answer = [x.refuses.status, x.refuses.text]
			else if (on && !codes.has(`/code/${q.project}/${q.code}`)) return [404]
			else if (on && !x.kept.has(key) && x.kept.size >= x.room) answer = [503, 'executor_warm_max is reached']
			else if (on) x.kept.set(key, q.function)
			else x.kept.delete(key)
			x.announce()
			if (on) x.asked.push({ key, at: performance.now() })
			return answer
		},
	}
	const web = http.createServer((rq, rs) => {
		const parts = []
		rq.on('data', (d) => parts.push(d)).on('end', () => {
			if (rq.url.startsWith('/code/')) codes.add(rq.url)
			const [status, body = ''] = rq.url.startsWith('/code/') ? [204] : answers[rq.url](Buffer.concat(parts))
			rs.writeHead(status, status === 204 ? {} : { 'content-length': Buffer.byteLength(body) }).end(body)
		})
	})
	await new Promise((ok) => web.listen(local, ok))
	chmodSync(local, 0o777)
	x.announce()
	x.stop = () => { web.close(); web.closeAllConnections() }
	return x
}

async function world(run) {
	const s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs' } }), dir = mkdtempSync(path.join(os.tmpdir(), 'keeps-')), all = []
	chmodSync(dir, 0o755)
	try {
		await run(s, async (...of) => { const x = await executor(s, dir, ...of); all.push(x); return x })
	} finally {
		for (const x of all) x.stop()
		await s.stop()
		rmSync(dir, { recursive: true, force: true })
	}
}

test('the reason is what the executor says, and it is asked later and later', { timeout: 180000 }, () => world(async (s, make) => {
	const x = await make('a', 5), p = await s.project({ name: 'Warm' })
	x.refuses = { status: 409, text: 'The archive is damaged: so it is.' }
	const f = await deploy(p, '', { keepWarm: true })
	await until('three tries', () => x.asked.length >= 3, 60000)
	const told = () => s.log().split('\n').filter((l) => /functions are not kept warm/.test(l))
	assert.match(told()[0], new RegExp(`first=${p.id}/${f.id} reason="The archive is damaged: so it is\\."`))
	assert.equal(told().length, 1, 'once')
	/* from an answer to the next question: 1, 2, 4 s */
	assert.ok(x.asked[2].at - x.asked[1].at > 1500, `${x.asked.map((a) => a.at)}`)
	/* another revision is asked for at once */
	await p.ok('POST', `${f.path}/variables`, { body: { key: 'V', value: 'b' } })
	await until('the new one', () => x.asked.at(-1).key !== x.asked[0].key, 60000)
	x.refuses = { status: 507, text: 'the executor cannot write' }
	await until('the other reason', () => told().some((l) => /reason="the executor cannot write"/.test(l)), 60000)
	x.refuses = null
	await until('it is kept', () => x.kept.size === 1, 60000)
}))

test('where there is no room for all, projects take turns, over all executors', { timeout: 180000 }, () => world(async (s, make) => {
	const [a, b, c] = [await make('a', 1), await make('b', 1), await make('c', 9, 'ruby')], [p, q] = [await s.project({ name: 'P' }), await s.project({ name: 'Q' })]
	const kept = () => [a, b].flatMap((x) => [...x.kept.values()]).sort(), are = (...fs) => fs.map((f) => f.id).sort().join()
	const metric = async () => Number((await s.call('GET', '/metrics', { root: true })).text.match(/^badal_functions_not_kept_warm (\d+)$/m)[1])
	const one = await deploy(p, '', { keepWarm: true }), two = await deploy(p, '', { keepWarm: true })
	await until('both are kept, each by one', () => a.kept.size === 1 && b.kept.size === 1 && kept().join() === are(one, two), 60000)
	await deploy(p, '', { keepWarm: true })
	await until('the third has no place', async () => await metric() === 1, 60000)
	assert.equal(kept().join(), are(one, two))
	/* the first of another project goes before the second of one */
	const other = await deploy(q, '', { keepWarm: true })
	await until('it has the place of the second', () => kept().join() === are(one, other), 60000)
	await until('two have none', async () => await metric() === 2, 60000)
	/* an executor ends, and comes back with nothing */
	a.leave()
	await until('three have none', async () => await metric() === 3, 60000)
	assert.ok(['one', 'other'].includes({ [one.id]: 'one', [other.id]: 'other' }[kept().join()]), kept().join())
	a.back()
	await until('as before', () => kept().join() === are(one, other), 60000)
	assert.deepEqual(c.asked, [], 'it has no such runtime')
}))
