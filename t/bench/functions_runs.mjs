/* Runs of functions, against the same runtime server begun by hand: what a warm run costs more than a request on the server's own socket, what a cold start takes
 * longer than the interpreter's start, executions that events cause, and the memory of processes that wait. Part of functions.mjs. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { deploy } from '../lib/functions.mjs'
import { children, server, until } from '../lib/server.mjs'
import { family, percentile, pssOf, report, reportAtLeast, sleep } from './lib.mjs'

const runtimes = fileURLToPath(new URL('../../contrib/runtimes', import.meta.url))
const languages = {
	node: { runtime: 'node-18.0', entrypoint: 'index.js', server: ['node', 'node/server.mjs'], empty: 'module.exports = async ({ res }) => res.text("")' },
	php: { runtime: 'php-8.0', entrypoint: 'index.php', server: ['php', 'php/server.php'], empty: '<?php\nreturn function ($context) { return $context->res->text(""); };' },
	python: { runtime: 'python-3.9', entrypoint: 'main.py', server: ['python3', 'python/server.py'], empty: 'def main(context):\n    return context.res.text("")' },
}
const median = (v) => percentile(v, 0.5), ms = (since) => performance.now() - since

/* ---- the server of a runtime, as a process of nobody ---- */

function ask(socketPath, agent, method, target, headers, body) {
	return new Promise((ok, no) => {
		const rq = http.request({ socketPath, agent, method, path: target, headers: { ...headers, 'content-length': Buffer.byteLength(body) } }, (rs) => {
			rs.resume()
			rs.on('end', () => ok(rs.statusCode))
		})
		rq.on('error', no)
		rq.end(body)
	})
}
/* What sandboxes have for PATH, so that it is the same interpreter. */
async function alone(dir, l) {
	const place = mkdtempSync(path.join(dir, 'alone-')), at = path.join(place, 's'), agent = new http.Agent({ keepAlive: true })
	writeFileSync(path.join(place, l.entrypoint), l.empty)
	const child = spawn(l.server[0], [path.join(runtimes, l.server[1])], { stdio: 'ignore', cwd: place, env: { PATH: '/usr/local/bin:/usr/bin:/bin', BADAL_SOCKET: at, PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1' } })
	for (;;) {
		try { await ask(at, agent, 'POST', '/__badal/start', {}, JSON.stringify({ variables: {}, entrypoint: l.entrypoint, generation: 'v5', secret: 's', code: place })); break } catch { await sleep(1) }
	}
	return {
		pid: child.pid,
		run: () => ask(at, agent, 'POST', '/', { 'x-open-runtimes-secret': 's', 'x-badal-logs': 'inline', 'x-badal-run': '1', 'x-badal-method': 'POST' }, ''),
		stop: () => new Promise((ok) => { child.once('exit', ok); agent.destroy(); child.kill('SIGKILL') }),
	}
}

/* ---- processor time, in microseconds: of all threads, as the scheduler counts it ---- */

function spent(pids) {
	let ns = 0
	for (const pid of pids) {
		try {
			for (const t of readdirSync(`/proc/${pid}/task`)) ns += Number(readFileSync(`/proc/${pid}/task/${t}/schedstat`, 'utf8').split(' ')[0])
		} catch { /* gone */ }
	}
	return ns / 1000
}

const deployed = (p, l, more = {}) => deploy(p, { [l.entrypoint]: more.code ?? l.empty }, { runtime: l.runtime, entrypoint: l.entrypoint, version: 'v5', ms: 120000, ...more })

/* ---- rows ---- */

async function warm(s, p, dir) {
	const f = await deployed(p, languages.node), own = await alone(dir, languages.node), agent = new http.Agent({ keepAlive: true }), N = Number(process.env.N ?? 1500)
	const headers = { 'x-appwrite-project': p.id, 'x-appwrite-key': p.key, 'content-type': 'application/json', 'x-appwrite-response-format': '1.5.0' }, body = '{}'
	const execute = () => new Promise((ok, no) => {
		const rq = http.request({ host: s.base.hostname, port: s.port, agent, method: 'POST', path: `/v1${f.path}/executions`, headers: { ...headers, 'content-length': body.length } }, (rs) => { rs.resume(); rs.on('end', () => (rs.statusCode === 201 ? ok() : no(new Error(`${rs.statusCode}`)))) })
		rq.on('error', no)
		rq.end(body)
	})
	const roles = { web: children(s, 'badal-web'), executor: children(s, 'badal-executor') }
	roles.net = family(roles.executor[0]).filter((pid) => { try { return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'badal-net\n' } catch { return false } })
	for (let i = 0; i < 300; i++) { await own.run(); await execute() }
	const direct = [], through = []
	for (let i = 0; i < N; i++) {
		let t = performance.now()
		await own.run()
		direct.push(ms(t))
		t = performance.now()
		await execute()
		through.push(ms(t))
	}
	report('warm run, node: p50 over a request on its own socket', median(through) - median(direct), 'ms', 2)
	/* alone, so that what idles meanwhile is not counted twice */
	const before = Object.fromEntries(Object.entries(roles).map(([k, v]) => [k, spent(v)]))
	for (let i = 0; i < N; i++) await execute()
	const used = Object.fromEntries(Object.entries(roles).map(([k, v]) => [k, (spent(v) - before[k]) / N]))
	console.log(Object.entries(used).map(([k, v]) => `${k} ${v.toFixed(0)} us`).join(', '))
	report('warm run, node: CPU of web, executor and network', Object.values(used).reduce((a, b) => a + b), 'us', 150)
	agent.destroy()
	await own.stop()
}

/* Functions that were deployed before the executor began. */
async function cold(s, p, dir) {
	const N = Number(process.env.COLD ?? 9), made = {}
	for (const [name, l] of Object.entries(languages)) {
		made[name] = []
		for (let i = 0; i < N; i++) made[name].push(await deployed(p, l))
	}
	const [old] = children(s, 'badal-executor')
	process.kill(old, 'SIGKILL')
	await until('another executor', () => { const [now] = children(s, 'badal-executor'); return now && now !== old }, 60000)
	await until('it is there', async () => (await p.ok('GET', '/functions/runtimes')).total > 0, 60000)
	await sleep(2500)	/* what was announced by the former one is forgotten */
	for (const [name, l] of Object.entries(languages)) {
		const own = [], through = []
		for (const f of made[name]) {
			let t = performance.now()
			const a = await alone(dir, l)
			await a.run()
			own.push(ms(t))
			await a.stop()
			await sleep(300)	/* one function after the other, on a machine at rest */
			t = performance.now()
			const e = await f.run({}, { headers: { 'x-appwrite-response-format': '1.5.0' } })
			through.push(ms(t))
			if (e.status !== 'completed') throw new Error(JSON.stringify(e))
		}
		console.log(`${name}: alone ${median(own).toFixed(1)} ms, as a function ${median(through).toFixed(1)} ms`)
		report(`cold start, ${name}: over the interpreter's own start`, median(through) - median(own), 'ms', 30)
	}
}

async function events(s, p) {
	const N = Number(process.env.EVENTS ?? 4000)
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C', permissions: [], documentSecurity: false } })
	await p.ok('POST', '/databases/d/collections/c/attributes/string', { body: { key: 'text', size: 200, required: true } })
	await until('the attribute', async () => (await p.ok('GET', '/databases/d/collections/c/attributes/text')).status === 'available')
	const f = await deployed(p, languages.node, { events: ['databases.*.collections.*.documents.*.create'], execute: ['any'],
		code: 'module.exports = async ({ req, res }) => { const at = Date.now(); return res.text(String(at - Number(req.bodyJson.text))) }' })
	let n = 0
	const write = () => p.ok('POST', '/databases/d/collections/c/documents', { body: { documentId: `n${n++}`, data: { text: String(Date.now()) } } })
	const ended = async (q = []) => (await p.ok('GET', `${f.path}/executions`, { query: { queries: [...q, 'limit(1)'] } })).total
	await f.run({ body: '{"text":"0"}' })
	for (let i = 0; i < 20; i++) await write()
	await until('the first', async () => (await ended(['equal("status", ["completed"])'])) === 21)
	/* one at a time: from before the write to the first line of the function */
	const delays = [], seen = new Set((await f.list({ query: { queries: ['limit(100)'] } })).executions.map((e) => e.$id))
	for (let i = 0; i < 90; i++) { await write(); await sleep(25) }
	await until('these', async () => (await ended(['equal("status", ["completed"])'])) === 111)
	for (const e of (await f.list({ query: { queries: ['limit(100)'] } })).executions) if (!seen.has(e.$id) && e.trigger === 'event') delays.push(Number(e.response))
	report('write to the start of the function, p50', median(delays), 'ms', 10)
	/* what has come while nobody looked */
	const [jobs] = children(s, 'badal-jobs'), pids = { jobs: [jobs], executor: children(s, 'badal-executor'), web: children(s, 'badal-web'), relay: children(s, 'badal-relay') }
	process.kill(jobs, 'SIGSTOP')
	let left = N
	await Promise.all(Array.from({ length: 16 }, async () => { while (left-- > 0) await write() }))
	const before = Object.fromEntries(Object.entries(pids).map(([k, v]) => [k, spent(v)])), all = family(s.pid), was = spent(all)
	const each = new Map(all.map((pid) => [pid, spent([pid])]))
	const t = performance.now()
	process.kill(jobs, 'SIGCONT')
	await until('all were run', async () => { await sleep(100); return (await ended(['equal("status", ["completed"])'])) >= N + 111 }, 300000)	/* lists count to 5,000 */
	const took = ms(t)
	if (process.env.WHO) {
		const who = {}
		for (const pid of family(s.pid)) { try { const c = readFileSync(`/proc/${pid}/comm`, 'utf8').trim(), k = c === 'postgres' ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').slice(0, 40).replaceAll('\0', ' ') : c; who[k] = (who[k] ?? 0) + spent([pid]) - (each.get(pid) ?? 0) } catch { /* gone */ } }
		console.log(Object.entries(who).sort((a, b) => b[1] - a[1]).slice(0, 14).map(([k, v]) => `${k}: ${(v / N).toFixed(0)} us`).join('\n'))
	}
	console.log(`${N} in ${(took / 1000).toFixed(1)} s; CPU each: ${Object.entries(pids).map(([k, v]) => `${k} ${((spent(v) - before[k]) / N).toFixed(0)} us`).join(', ')}, all ${((spent(family(s.pid)) - was) / N).toFixed(0)} us`)
	reportAtLeast('executions by events', N / took * 1000, '/s', 1000)
	for (const state of ['completed', 'failed', 'waiting', 'processing']) console.log(`  ${state}: ${await ended([`equal("status", ["${state}"])`])}`)
}

async function idle(s, p, dir) {
	const N = Number(process.env.IDLE ?? 200), l = languages.python
	const f = await deployed(p, l, { timeout: 300, execute: ['any'], code: 'import time\ndef main(context):\n    time.sleep(float(context.req.body_raw or 0))\n    return context.res.text("")' })
	const [executor] = children(s, 'badal-executor'), sandboxes = () => family(executor).filter((pid) => { try { return /python/.test(readFileSync(`/proc/${pid}/comm`, 'utf8')) } catch { return false } })
	const count = () => sandboxes().length
	await f.run({ body: '0' })
	const basic = pssOf(family(executor)) - pssOf(sandboxes())
	/* more at once than the connections of the tests' client */
	const agent = new http.Agent({ keepAlive: false, maxSockets: Infinity }), body = JSON.stringify({ body: '25' })
	await Promise.all(Array.from({ length: N }, () => new Promise((ok, no) => {
		const rq = http.request({ host: s.base.hostname, port: s.port, agent, method: 'POST', path: `/v1${f.path}/executions`, headers: { 'x-appwrite-project': p.id, 'x-appwrite-key': p.key, 'content-type': 'application/json', 'content-length': body.length } }, (rs) => { rs.resume(); rs.on('end', ok) })
		rq.on('error', no)
		rq.end(body)
	})))
	if (count() !== N) console.log(`there are ${count()} processes instead of ${N}`)
	const all = pssOf(family(executor)), n = count()
	process.kill(executor, 'SIGKILL')
	await until('they end', () => count() === 0)
	const own = await Promise.all(Array.from({ length: n }, () => alone(dir, l)))
	await Promise.all(own.map((a) => a.run()))
	const theirs = pssOf(own.map((a) => a.pid))
	await Promise.all(own.map((a) => a.stop()))
	console.log(`${n} processes: ${(all / 1024).toFixed(0)} MiB with the executor's ${(basic / 1024).toFixed(0)}, alone ${(theirs / 1024).toFixed(0)} MiB`)
	report('memory of a sandbox that waits, over the interpreter\'s', (all - theirs) / n / 1024, 'MiB', 2)
}

const rows = { warm, cold, events, idle }

export async function measureRuns(which) {
	const dir = mkdtempSync(path.join(os.tmpdir(), 'badal-b-'))
	mkdirSync(dir, { recursive: true })
	for (const name of Object.keys(rows).filter((k) => which.length === 0 || which.includes(k))) {
		const s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor', ...(name === 'idle' ? { functions_instances_max: 200, functions_overlap_max: 1, functions_idle: '10m', functions_queue_max: 1000 } : {}) } })
		s.checked = false
		await rows[name](s, await s.project({ name: 'Bench' }), dir)
		await s.stop()
	}
	rmSync(dir, { recursive: true, force: true })
}
