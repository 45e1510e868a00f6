/* What events cause: 10,000 webhooks to one local receiver, against curl --parallel sending as many of the same requests; the same with a dead receiver
 * beside; what an event costs the jobs role that is nobody's; and runs (functions_runs.mjs).
 * node t/bench/functions.mjs [webhooks] [warm] [cold] [events] [idle] */
import { execFile, fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { children, server, unique, until } from '../lib/server.mjs'
import { measureRuns } from './functions_runs.mjs'
import { cpuOf, report, reportAtLeast } from './lib.mjs'

const N = Number(process.env.N ?? 10000), AT_ONCE = 16

/* The receiver, a process of its own: counts, and answers; the first request it holds back until it is told to go. */
if (process.argv[2] === 'receiver') {
	let n = 0, held = null, holding = false
	const tell = () => process.send({ n })
	const s = http.createServer((rq, rs) => {
		rq.resume()
		rq.on('end', () => {
			n++
			if (holding && held === null) { held = rs; return tell() }
			rs.end('ok')
			if (n % 100 === 0 || n === Number(process.argv[3])) tell()
		})
	})
	s.keepAliveTimeout = 60000
	s.listen(0, '127.0.0.1', () => process.send({ port: s.address().port }))
	process.on('message', (m) => {
		if (m === 'hold') holding = true
		if (m === 'go') { holding = false; held?.end('ok'); held = null }
		if (m === 'zero') n = 0
	})
	process.on('disconnect', () => process.exit())
} else {
	const which = process.argv.slice(2)
	if (which.length === 0 || which.includes('webhooks')) await measure()
	await measureRuns(which)
	process.exit()
}

async function startReceiver() {
	const child = fork(fileURLToPath(import.meta.url), ['receiver', String(N)]), r = { n: 0, send: (m) => child.send(m), stop: () => child.disconnect() }
	child.on('message', (m) => Object.assign(r, m))
	await until('the receiver', () => r.port)
	r.url = `http://127.0.0.1:${r.port}/`
	return r
}

async function measure() {
	const s = await server({ own: true, conf: { web_processes: 1, webhook_private: 'on', webhook_queue_size: '256m', webhook_timeout: '5m' } }), p = await s.project({ name: 'Bench' })
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C', permissions: [], documentSecurity: false } })
	await p.ok('POST', '/databases/d/collections/c/attributes/string', { body: { key: 'text', size: 200, required: true } })
	await until('the attribute', async () => (await p.ok('GET', '/databases/d/collections/c/attributes/text')).status === 'available')
	const hooks = `/projects/${p.id}/webhooks`, hook = (url, events = ['databases.*.collections.*.documents.*.create']) => p.console.ok('POST', hooks, { body: { name: 'Hook', events, url, security: false } })
	const [jobs] = children(s, 'badal-jobs'), metrics = async () => Object.fromEntries((await (await fetch(new URL('/metrics', s.base))).text()).split('\n').filter((l) => l.startsWith('badal_')).map((l) => l.split(' ')))
	const write = async (n) => {
		let left = n
		await Promise.all(Array.from({ length: 16 }, async () => { while (left-- > 0) await p.ok('POST', '/databases/d/collections/c/documents', { body: { documentId: unique(), data: { text: 'some text / ü' } } }) }))
	}
	const heard = async () => Number((await metrics()).badal_triggers_events_total)

	/* events of a project without subscribers, and of one whose subscribers listen to something else */
	for (const [what, events] of [['of a project without subscribers', null], ['that the project\'s webhooks do not listen to', ['teams.*']]]) {
		const w = events && await hook('http://127.0.0.1:1/', events)
		const idle = async (ms) => { const at = cpuOf([jobs]); await new Promise((ok) => setTimeout(ok, ms)); return cpuOf([jobs]) - at }
		for (const [how, stopped] of [['as they come', false], ['in full batches', true]]) {
			await write(200)
			await until('quiet', async () => { const a = await heard(); await new Promise((ok) => setTimeout(ok, 1500)); return a === await heard() })
			const before = await heard()
			let at = cpuOf([jobs]), t = Date.now()
			if (stopped) process.kill(jobs, 'SIGSTOP')
			await write(N)
			if (stopped) { process.kill(jobs, 'SIGCONT'); at = cpuOf([jobs]); t = Date.now() }
			await until('all were looked at', async () => await heard() >= before + N)
			const cpu = cpuOf([jobs]) - at
			report(`an event ${what}, ${how}: CPU of jobs`, (cpu - await idle(Date.now() - t)) / N, 'us', stopped ? 2 : undefined)
		}
		if (w) await p.console.ok('DELETE', `${hooks}/${w.$id}`)
	}

	const r = await startReceiver()
	let sample = ''
	async function drain(what, dead = 0) {
		const w = await hook(r.url)
		r.send('zero')
		r.send('hold')
		r.n = 0
		await write(N)
		await until('they wait', async () => (await s.ok('GET', '/health/queue/webhooks', { project: p.id, key: p.key })).size >= N + dead, 120000)
		const cpu = cpuOf([jobs]), t = performance.now()
		r.send('go')
		await until('all have come', () => r.n >= N, 120000)
		const ms = performance.now() - t
		await until('none waits', async () => (await s.ok('GET', '/health/queue/webhooks', { project: p.id, key: p.key })).size <= dead, 60000)
		reportAtLeast(`webhooks ${what}`, N / ms * 1000, '/s', 3000)
		await p.console.ok('DELETE', `${hooks}/${w.$id}`)
		return (cpuOf([jobs]) - cpu) / N
	}
	const cpu = await drain('to one receiver')
	const body = path.join(s.data, 'body')
	writeFileSync(body, JSON.stringify({ $id: unique(), $createdAt: new Date(), $updatedAt: new Date(), $permissions: [], text: 'some text \\/ \\u00fc', $databaseId: 'd', $collectionId: 'c' }))
	const headers = ['Content-Type: application/json', `User-Agent: ${'x'.repeat(75)}`, `X-Appwrite-Webhook-Events: ${'x'.repeat(1100)}`, `X-Appwrite-Webhook-Id: ${unique()}`, 'X-Appwrite-Webhook-Name: Hook', `X-Appwrite-Webhook-Project-Id: ${p.id}`,
		`X-Appwrite-Webhook-Signature: ${'x'.repeat(28)}`, `Webhook-Id: ${'x'.repeat(40)}`, 'Webhook-Timestamp: 1700000000', `Webhook-Signature: v1,${'x'.repeat(44)}`]
	const curl = await new Promise((ok, no) => execFile('bash', ['-c', `TIMEFORMAT='%R %U %S'; time curl -s -o /dev/null --parallel --parallel-max ${AT_ONCE} --data-binary @${body} ${headers.map((h) => `-H '${h}'`).join(' ')} '${r.url}[1-${N}]'`], (e, out, err) => (e ? no(e) : ok(err.trim().split('\n').at(-1).split(' ').map(Number)))))
	console.log(`curl --parallel: ${(N / curl[0]).toFixed(0)}/s, CPU ${((curl[1] + curl[2]) * 1e6 / N).toFixed(0)} us; jobs: CPU ${cpu.toFixed(0)} us`)
	report('a webhook: CPU of jobs / CPU of curl --parallel', cpu / ((curl[1] + curl[2]) * 1e6 / N), '', 1.5)
	const silent = net.createServer(() => {})
	await new Promise((ok) => silent.listen(0, '127.0.0.1', ok))
	await hook(`http://127.0.0.1:${silent.address().port}/`)
	const beside = await drain('with a dead receiver beside', N)
	report('the same: CPU of jobs / without it', beside / cpu, '', 1.2)
	r.stop()
	silent.close()
	await s.stop()
}
