/* What the writes of today cost, as ratios within one run.
 *
 *   bulk      1,000 documents by ten requests of 100, an event each in the stream, against COPY of the same rows into the same table
 *   upsert    of a document that is there, against the update that sets the same
 *
 * node t/bench/today_writes.mjs [bulk|upsert…]        needs psql */
import { execFileSync } from 'node:child_process'
import path from 'node:path'

import { server, until } from '../lib/server.mjs'
import { cpuOf, family, percentile, report, reportAtLeast } from './lib.mjs'

const parts = process.argv.slice(2), wanted = (part) => parts.length === 0 || parts.includes(part)
const s = await server({ own: true, conf: { web_processes: 1, rate_limits: 'off', log_level: 'warn', env: 'production' } })
s.checked = false
const p = await s.project({ name: 'Writes' }), at = '/databases/d/collections/c', docs = `${at}/documents`
const psql = (input, ...sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', ...sql.flatMap((x) => ['-c', x])], { encoding: 'utf8', input }).trim()
await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'c', permissions: ['read("any")'], documentSecurity: true } })
for (const [type, body] of [['string', { key: 'title', size: 100 }], ['integer', { key: 'n' }], ['float', { key: 'price' }], ['datetime', { key: 'released' }]])
	await p.ok('POST', `${at}/attributes/${type}`, { body: { required: false, ...body } })
await until('attributes', async () => (await p.ok('GET', at)).attributes.every((a) => a.status === 'available'))
const schema = psql('', `SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`), internal = psql('', `SELECT internal FROM ${schema}.collections WHERE id = 'c'`)
const column = Object.fromEntries(psql('', `SELECT key, 'a_' || internal FROM ${schema}.attributes WHERE collection = ${internal}`).split('\n').map((l) => l.split('|')))
const table = `${schema}.c_${internal}`, columns = `_id,_created,_updated,_perms,_read,${column.title},${column.n},${column.price},${column.released}`

const now = () => Number(process.hrtime.bigint()) / 1e6
const headers = { 'x-appwrite-response-format': '1.9.5' }
/* CPU of all processes of the server over what f does, PostgreSQL's among them, in milliseconds. */
async function cpuOver(f) {
	const pids = family(s.pid), before = cpuOf(pids)
	await f()
	return (cpuOf([...new Set([...pids, ...family(s.pid)])]) - before) / 1000
}

if (wanted('bulk')) {
	const ROWS = 1000, ROUNDS = 24, bulk = [], atOnce = [], copy = [], cpu = { bulk: 0, copy: 0 }
	const row = (k, n) => ({ $id: `r${k}_${n}`, title: `title of ${n}`, n, price: n / 8, released: '2020-01-01T00:00:00.000+00:00', $permissions: ['read("users")'] })
	for (let k = 0; k < ROUNDS; k++) {
		cpu.bulk += await cpuOver(async () => {
			const begun = now()
			const bodies = Array.from({ length: ROWS / 100 }, (_, i) => ({ documents: Array.from({ length: 100 }, (_, j) => row(k, i * 100 + j)) }))
			if (k % 2) await Promise.all(bodies.map((body) => p.ok('POST', docs, { headers, body })))
			else for (const body of bodies) await p.ok('POST', docs, { headers, body })
			;(k % 2 ? atOnce : bulk).push(now() - begun)
		})
		/* the same rows once more, by the time that psql says: starting it is no part */
		const text = Array.from({ length: ROWS }, (_, n) => { const d = row(k, n); return [`c${d.$id}`, '2026-01-01', '2026-01-01', '{"read(\\\\"users\\\\")"}', '{users}', d.title, d.n, d.price, d.released].join('\t') }).join('\n')
		cpu.copy += await cpuOver(async () => {
			const out = psql(`\\timing on\nCOPY ${table} (${columns}) FROM STDIN;\n${text}\n\\.\n`)
			copy.push(Number(out.match(/Time: ([\d.]+) ms/)[1]))
		})
	}
	const b = percentile(bulk, 0.5), a = percentile(atOnce, 0.5), c = percentile(copy, 0.5)
	console.log(`bulk: ${ROWS} documents in ${b.toFixed(1)} ms one request after the other, ${a.toFixed(1)} ms all ten at once, COPY in ${c.toFixed(1)} ms (medians of ${ROUNDS}); CPU ${(cpu.bulk / ROUNDS).toFixed(1)} and ${(cpu.copy / ROUNDS).toFixed(1)} ms`)
	reportAtLeast('bulk create at once, rate over that of COPY', c / a, 'x', 0.5)
	reportAtLeast('bulk create one by one, rate over that of COPY', c / b, 'x', 0.5)
}

if (wanted('upsert')) {
	const TURNS = 40, EACH = 50, cpu = { PATCH: 0, PUT: 0 }, took = { PATCH: [], PUT: [] }
	await p.ok('PUT', `${docs}/one`, { headers, body: { data: { title: 'x', n: 0 } } })
	for (let k = 0; k < TURNS; k++) {
		const method = (k + (k >> 1)) % 2 ? 'PUT' : 'PATCH'
		cpu[method] += await cpuOver(async () => {
			for (let i = 0; i < EACH; i++) {
				const begun = now()
				await p.ok(method, `${docs}/one`, { headers, body: { data: { title: `title ${k} ${i}`, n: i } } })
				took[method].push(now() - begun)
			}
		})
	}
	const [u, d] = ['PUT', 'PATCH'].map((m) => percentile(took[m], 0.5))
	console.log(`upsert: ${u.toFixed(2)} ms, update ${d.toFixed(2)} ms (medians of ${took.PUT.length}); CPU ${((cpu.PUT / took.PUT.length) * 1000).toFixed(0)} and ${((cpu.PATCH / took.PATCH.length) * 1000).toFixed(0)} us`)
	report('upsert over update, time', u / d, 'x', 1.2)
	report('upsert over update, CPU', cpu.PUT / cpu.PATCH, 'x', 1.2)
}
await s.stop()
