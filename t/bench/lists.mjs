/* Six large lists at once beside 200 other requests a second: what the others wait, the longest turn of the loop (CPU time), memory.
 * node t/bench/lists.mjs [kind…]        needs cc and curl; BADAL_BASE: another build to compare with, in the same run
 *
 * Kinds: of 54 MB (texts), in an older format (old), and of many values (numbers, old-numbers). */
import { execFileSync } from 'node:child_process'
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { binary, dataDir, start } from '../lib/server.mjs'
import { family, percentile, report, run, sleep } from './lib.mjs'

const LISTS = 6, RATE = 200
const text = { docs: 500, type: 'string', attribute: { key: 'v', size: 200000, required: true }, value: 'x'.repeat(108000) }
const numbers = { docs: 30, type: 'integer', attribute: { key: 'v', required: false, array: true }, value: Array(25000).fill(7) }
const kinds = { texts: text, old: { ...text, format: '0.15.0' }, numbers, 'old-numbers': { ...numbers, format: '0.15.0' } }
const dir = dataDir(), preload = path.join(dir, 'turns.so'), turns = path.join(dir, 'turns')
mkdirSync(turns)
chmodSync(turns, 0o777)
execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', preload, fileURLToPath(new URL('turns.c', import.meta.url)), '-ldl'])

function get(endpoint, target, headers, agent) {
	return new Promise((ok, no) => {
		const rq = http.get(`${endpoint}${target}`, { agent, headers }, (rs) => { rs.resume(); rs.on('end', () => rs.statusCode === 200 ? ok() : no(new Error(`${target}: ${rs.statusCode}`))) })
		rq.on('error', no)
	})
}

/* What the others wait, in ms, until `done` ends. */
async function others(s, headers, done) {
	const agent = new http.Agent({ keepAlive: true, maxSockets: 64 }), took = [], begin = performance.now()
	let n = 0, running = true, pending = 0, failed = 0
	done.then(() => { running = false })
	while (running) {
		for (const due = (performance.now() - begin) / 1000 * RATE; n < due; n++) {
			const at = performance.now()
			pending++
			get(s.endpoint, '/account', headers, agent).then(() => took.push(performance.now() - at), (e) => { failed++; took.push(performance.now() - at); if (failed === 1) console.log(`others: ${e.message}`) }).finally(() => pending--)
		}
		await sleep(1)
	}
	while (pending > 0) await sleep(5)
	agent.destroy()
	return took
}

async function measure(name, program, kind) {
	const { docs, type, attribute, value, format } = kinds[kind]
	const s = await start({ program, conf: { web_processes: 1, log_level: 'warn', env: 'production' }, env: { LD_PRELOAD: preload, TURNS: turns } })
	s.checked = program === binary
	const p = await s.project(), user = await p.user()
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C', permissions: ['read("any")'] } })
	await p.ok('POST', `/databases/d/collections/c/attributes/${type}`, { body: attribute })
	for (let end = Date.now() + 20000; (await p.ok('GET', '/databases/d/collections/c')).attributes[0]?.status !== 'available' && Date.now() < end;) await sleep(20)
	for (let i = 0; i < docs; i += 10)
		await Promise.all(Array.from({ length: 10 }, (_, k) => p.ok('POST', '/databases/d/collections/c/documents', { body: { documentId: `x${i + k}`, data: { v: value } } })))
	const web = family(s.pid).find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').includes('web')), file = path.join(turns, String(web))
	const headers = { 'x-appwrite-project': p.id, cookie: user.cookie }, status = (key) => Number(readFileSync(`/proc/${web}/status`, 'utf8').match(new RegExp(`^${key}:\\s+(\\d+)`, 'm'))[1])
	const list = () => run('curl', ['-sS', '-f', '-g', '-o', '/dev/null', '-w', '%{size_download}', '-H', `x-appwrite-project: ${p.id}`, '-H', `x-appwrite-key: ${p.key}`, ...(format ? ['-H', `x-appwrite-response-format: ${format}`] : []), `${s.endpoint}/databases/d/collections/c/documents?queries[]=${encodeURIComponent(JSON.stringify({ method: 'limit', values: [docs] }))}`])
	const alone = await others(s, headers, sleep(2000))
	const before = status('VmRSS')
	writeFileSync(`/proc/${web}/clear_refs`, '5')
	const fd = openSync(file, 'r+')	/* not truncated: it is mapped */
	writeSync(fd, Buffer.alloc(16), 0, 16, 0)
	closeSync(fd)
	const began = performance.now(), all = Promise.all(Array.from({ length: LISTS }, list)), done = all.catch((e) => [e.message]), beside = await others(s, headers, done), sizes = await done
	const seen = readFileSync(file)
	if (sizes.length !== LISTS) throw new Error(`${sizes[0]}\n${s.log().slice(-3000)}`)
	console.log(`-- ${name}, ${kind}: ${LISTS} lists of ${(Number(sizes[0]) / 1e6).toFixed(1)} MB in ${((performance.now() - began) / 1000).toFixed(1)} s, ${beside.length} others`)
	report('others alone, p50', percentile(alone, 0.5), 'ms')
	report('others alone, p99', percentile(alone, 0.99), 'ms')
	report('others beside the lists, p50', percentile(beside, 0.5), 'ms')
	report('others beside the lists, p99', percentile(beside, 0.99), 'ms')
	report('longest turn of the loop (CPU)', Number(seen.readBigUInt64LE(0)) / 1e6, 'ms', 5)
	report('turns over 5 ms', Number(seen.readBigUInt64LE(8)), '', 0)
	report('peak memory above rest', (status('VmHWM') - before) / 1024, 'MiB')
	for (let i = 0; i < 40 && status('VmRSS') > before + 40000; i++) await sleep(250)
	if (sizes.length !== LISTS) console.log(s.log().slice(-3000))
	report('memory above rest, at most ten seconds later', (status('VmRSS') - before) / 1024, 'MiB')
	await s.stop().catch((e) => console.log(e.message.slice(-1500)))
}

for (const kind of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(kinds)) {
	if (process.env.BADAL_BASE) await measure('base', process.env.BADAL_BASE, kind)
	await measure('this', binary, kind)
}
rmSync(dir, { recursive: true })
