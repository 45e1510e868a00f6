/* Bodies: what 60 slow ones hold that are kept, and what 64 uploads of 100 MB cost that are taken in pieces and thrown away, per GB, against cat.
 * node t/bench/bodies.mjs        needs curl; BADAL_BASE: another build, for the kept ones */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'

import { binary, dataDir, start } from '../lib/server.mjs'
import { cpuOf, family, report, run, sleep } from './lib.mjs'

const SLOW = 60, KEPT = 6_000_000, UPLOADS = 64, SIZE = 100_000_000
const dir = dataDir(), file = path.join(dir, 'body')
const web = (s) => family(s.pid).find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').includes('web'))
const kib = (pid, key) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${key}:\\s+(\\d+)`, 'm'))[1])

/* Clients that send all of a body but its end, as far as the server takes it, and then say nothing. */
async function slow(name, program) {
	const s = await start({ program, conf: { web_processes: 1, log_level: 'warn' } }), pid = web(s), before = kib(pid, 'VmRSS'), refused = {}
	const all = Array.from({ length: SLOW }, () => {
		const c = net.connect(s.port, '127.0.0.1')
		c.on('error', () => {})
		c.once('data', (d) => { const status = d.toString('latin1').split(' ')[1]; refused[status] = (refused[status] ?? 0) + 1 })
		c.write(`POST /v1/account HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${KEPT}\r\n\r\n`)
		c.write(Buffer.alloc(KEPT - 1, ' '))
		return c
	})
	await sleep(3000)
	report(`${name}: ${SLOW} bodies of ${KEPT / 1e6} MB that do not end`, (kib(pid, 'VmRSS') - before) / 1024, 'MiB')
	console.log(`${''.padEnd(58)} refused: ${JSON.stringify(refused)}`)
	for (const c of all) c.destroy()
	await s.stop()
}

async function uploads() {
	const s = await start({ conf: { web_processes: 1, log_level: 'warn', env: 'development' } }), pid = web(s), before = kib(pid, 'VmRSS')
	writeFileSync(file, Buffer.alloc(SIZE, 'u'))
	writeFileSync(`/proc/${pid}/clear_refs`, '5')
	const cpu = cpuOf([pid]), began = performance.now()
	const got = await Promise.all(Array.from({ length: UPLOADS }, () => run('curl', ['-sS', '-f', '-H', 'Expect:', '-H', 'Content-Type: application/octet-stream', '--data-binary', `@${file}`, `${s.endpoint}/mock/tests/general/sink`])))
	const gb = UPLOADS * SIZE / 1e9, ms = (cpuOf([pid]) - cpu) / 1000 / gb
	if (got.some((t) => JSON.parse(t).bytes !== SIZE)) throw new Error('bytes were lost')
	console.log(`-- ${UPLOADS} uploads of ${SIZE / 1e6} MB in ${((performance.now() - began) / 1000).toFixed(1)} s`)
	report('peak memory above rest', (kib(pid, 'VmHWM') - before) / 1024, 'MiB', 32)
	report('CPU of the web process per GB', ms, 'ms')
	/* the floor: a process that reads from a socket and throws away */
	const floor = await floorOf()
	report('CPU of cat per GB, from a socket', floor, 'ms')
	report('ratio', ms / floor, '')
	await s.stop()
}

/* cat from a TCP socket, fed by curl's like: the CPU that the kernel and read() alone cost. */
async function floorOf() {
	const out = await run('bash', ['-c', `exec 3<>/dev/tcp/127.0.0.1/$0; cat <&3 >/dev/null; times`, String(await feed())])
	const [m, sec] = out.trim().split('\n')[1].split(' ').map((t) => t.match(/(\d+)m([\d.]+)s/)).reduce(([a, b], x) => [a + Number(x[1]), b + Number(x[2])], [0, 0])
	return (m * 60 + sec) * 1000 / (10 * SIZE / 1e9)
}
function feed() {
	const data = readFileSync(file)
	return new Promise((ok) => {
		const l = net.createServer((c) => { for (let i = 0; i < 10; i++) c.write(data); c.end(); l.close() }).listen(0, '127.0.0.1', () => ok(l.address().port))
	})
}

if (process.env.BADAL_BASE) await slow('base', process.env.BADAL_BASE)
await slow('this', binary)
await uploads()
rmSync(dir, { recursive: true })
