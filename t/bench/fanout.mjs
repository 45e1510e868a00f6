/* Fan-out: the server's CPU for one delivery against a bare send() loop in the same run; selectivity; memory of an idle socket.
 *
 *   node t/bench/fanout.mjs [sockets…]	default: 1000 5000; FANLOAD names the load generator, else build/t/bench/fanload, which is made when it is not there */
import { execFileSync, spawn } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'

import { library, read } from '../60-rt/lib.mjs'
import { cookieOf, server, unique, until } from '../lib/server.mjs'
import { listen } from '../lib/ws.mjs'
import { cpuOf, family, report } from './lib.mjs'

const build = new URL('../../build', import.meta.url).pathname, fanload = process.env.FANLOAD || path.join(build, 't/bench/fanload')
if (!process.env.FANLOAD) execFileSync('make', ['-C', build, 't/bench/fanload'], { stdio: ['ignore', 'ignore', 'inherit'] })	/* contrib/up makes the server alone */
const sizes = process.argv.slice(2).map(Number)
if (!sizes.length) sizes.push(1000, 5000)

const s = await server({ own: true, conf: { web_processes: 1, log_level: 'warn', rt_queue_hard: '64m' } }), p = await library(s)
/* The web process: the one that grows with the sockets; its title says so. */
const web = family(s.pid).find((pid) => / web/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')) || /web/.test(readFileSync(`/proc/${pid}/comm`, 'latin1')))
if (!web) throw new Error('which process is the web role?')

class Load {
	static async open(n, query, cookies) {
		const l = new Load(), file = cookies && path.join(os.tmpdir(), `fanload-${unique()}`)
		if (file) writeFileSync(file, `${cookies.join('\n')}\n`)
		l.child = spawn(fanload, ['connect', '127.0.0.1', s.port, `v1/realtime?${query}`, n, ...(file ? [file] : [])], { stdio: ['pipe', 'pipe', 'inherit'] })
		l.lines = createInterface({ input: l.child.stdout })[Symbol.asyncIterator]()
		await l.lines.next()
		if (file) rmSync(file)
		return l
	}
	async stat() {
		this.child.stdin.write('stat\n')
		const [frames, bytes] = (await this.lines.next()).value.split(' ').map(Number)
		return { frames, bytes }
	}
	async close() {
		this.child.stdin.end()
		await new Promise((ok) => this.child.once('exit', ok))
	}
}

const rss = () => Number(readFileSync(`/proc/${web}/status`, 'utf8').match(/^VmRSS:\s+(\d+)/m)[1])

/* `writes` documents for `role`, each heard by `each` sockets; CPU of the web process for all of it. */
async function measure(load, writes, permissions, each) {
	await load.stat()
	const before = cpuOf([web])
	let frames = 0, bytes = 0
	for (let n = 0; n < writes; n++) {
		await p.write(n, permissions)
		await until('the deliveries', async () => { const r = await load.stat(); frames += r.frames; bytes += r.bytes; return frames >= (n + 1) * each })
	}
	return { cpu: cpuOf([web]) - before, frames, size: Math.round(bytes / frames) }
}

/* What the writes themselves cost with nobody listening. */
async function writesAlone(writes) {
	const before = cpuOf([web])
	for (let n = 0; n < writes; n++) await p.write(n, [read('any')])
	return cpuOf([web]) - before
}

const query = (names) => `project=${p.id}&${names.map((c) => `channels[]=${c}`).join('&')}`
const MANY = 10000

/* Users without a password are made quickly. */
const people = []
await Promise.all(Array.from({ length: 32 }, async () => {
	while (people.length < MANY) {
		const at = people.push(null) - 1, r = await s.call('POST', '/account/sessions/anonymous', { project: p.id })
		if (r.status !== 201) throw new Error(r.text)
		people[at] = { id: r.body.userId, cookie: cookieOf(r) }
	}
}))
const cookies = people.map((u) => u.cookie)

/* ---- memory: first, while the process has had no sockets whose memory could be used again ---- */

{
	const few = await Load.open(200, query(['documents', 'files', 'account']), cookies), before = rss()
	const all = await Load.open(MANY, query(['documents', 'files', 'account']), cookies)
	report('memory of an idle socket of a user with three channels', (rss() - before) / MANY, 'KiB', 6)
	await few.close()
	await all.close()
}

await writesAlone(200)
const one = (await writesAlone(400)) / 400

for (const n of sizes) {
	const load = await Load.open(n, query(['documents'])), writes = Math.max(20, Math.ceil(200000 / n))
	await measure(load, 5, [read('any')], n)
	const m = await measure(load, writes, [read('any')], n)
	const floor = Number(execFileSync(fanload, ['floor', n, m.size, writes]).toString())
	const each = (m.cpu - one * writes) / m.frames
	report(`${n} sockets: CPU of one delivery of ${m.size} bytes`, each, 'us')
	report(`${n} sockets: bare send() of as much`, floor, 'us')
	report(`${n} sockets: delivery / bare send()`, each / floor, '', 1.25)
	await load.close()
}

/* ---- live tails: what they add to events of their project, and to those of others ---- */

{
	const load = await Load.open(100, query(['documents'])), writes = 500, other = await s.project(), best = { none: Infinity, elsewhere: Infinity, here: Infinity }
	const run = async (name, id) => {
		const tails = await Promise.all(Array.from({ length: id ? 10 : 0 }, () => listen(s, `project=console&channels[]=console.tail.${id}`, { cookie: p.console.cookie })))
		best[name] = Math.min(best[name], (await measure(load, writes, [read('any')], 100)).cpu / writes)
		for (const w of tails) w.end()
	}
	for (let round = 0; round < 4; round++) {	/* in turns, the best of each: a machine has other work */
		await run('none')
		await run('elsewhere', other.id)
		await run('here', p.id)
	}
	report('event for 100 sockets', best.none, 'us')
	report('10 live tails of another project / none', best.elsewhere / best.none, '', 1.15)
	report('10 live tails of the project / none', best.here / best.none, '', 1.2)
	await load.close()
}

/* ---- selectivity: an event for one of many users ---- */

const selective = async (n) => {
	const load = await Load.open(n, query(['documents']), cookies), chosen = people[n >> 1]
	const run = async (writes) => {
		let frames = 0
		const before = cpuOf([web])
		for (let i = 0; i < writes; i++) {
			await p.write(i, [read(`user:${chosen.id}`)])
			await until('the delivery', async () => (frames += (await load.stat()).frames) > i)
		}
		return (cpuOf([web]) - before) / writes
	}
	await run(100)
	const cpu = await run(1000)
	await load.close()
	return cpu
}
const few = await selective(100), many = await selective(MANY)
report('write and event for one user of 100', few, 'us')
report(`write and event for one user of ${MANY}`, many, 'us')
report(`selectivity: ${MANY} / 100`, many / few, '', 1.2)

await s.stop()
process.exit(0)
