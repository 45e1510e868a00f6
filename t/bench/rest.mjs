/* REST against what PostgreSQL itself spends: 100,000 documents with document security, a session cookie, two indexes, 16 connections.
 * Prints, for create, get, list of 25 and update: requests a second, CPU of the badal processes and of PostgreSQL per request, their ratio,
 * and the share of what pgbench does with the same SQL at 16 clients.
 * node t/bench/rest.mjs [seconds per figure]        needs wrk, pgbench and psql */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { server, until } from '../lib/server.mjs'
import { cpuOf, family, report, reportAtLeast, run } from './lib.mjs'

const seconds = Number(process.argv[2] ?? 8), ROWS = 100000, CLIENTS = 16
const s = await server({ own: true, conf: { rate_limits: 'off', log_level: 'warn' } })
const p = await s.project({ name: 'REST' }), user = await p.user()
const sockets = path.join(s.dataDir, 'run'), tmp = s.data
const psql = (sql) => run('psql', ['-h', sockets, '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql]).then((t) => t.trim())

/* ---- the collection ---- */

await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C', permissions: ['create("users")'], documentSecurity: true } })
for (const [type, body] of [['string', { key: 'title', size: 100 }], ['integer', { key: 'kind' }], ['boolean', { key: 'done' }]])
	await p.ok('POST', `/databases/d/collections/c/attributes/${type}`, { body: { required: false, ...body } })
await until('attributes', async () => (await p.ok('GET', '/databases/d/collections/c')).attributes.every((a) => a.status === 'available'))
for (const key of ['title', 'kind'])
	await p.ok('POST', '/databases/d/collections/c/indexes', { body: { key: `by_${key}`, type: 'key', attributes: [key] } })
await until('indexes', async () => (await p.ok('GET', '/databases/d/collections/c')).indexes.every((i) => i.status === 'available'), 60000)

const table = await psql("SELECT format('%s.%s', schemaname, tablename) FROM pg_tables WHERE tablename LIKE 'c\\_%' AND schemaname <> 'p_0' LIMIT 1")
const column = Object.fromEntries((await psql(`SELECT key, 'a_' || internal FROM ${table.split('.')[0]}.attributes`)).split('\n').map((l) => l.split('|')))
const own = `{"read(\\"user:${user.id}\\")","update(\\"user:${user.id}\\")","delete(\\"user:${user.id}\\")"}`, readers = `{user:${user.id}}`
await psql(`INSERT INTO ${table} (_id, _created, _updated, _perms, _read, ${column.title}, ${column.kind}, ${column.done})
	SELECT 'doc' || n, now(), now(), '${own}', '${readers}', 'title ' || n, n % 1000, n % 2 = 0 FROM generate_series(1, ${ROWS}) n`)
await psql(`VACUUM ANALYZE ${table}`)

/* ---- both sides of each figure ---- */

const select = `SELECT _id,_created,_updated,_perms,${column.title},${column.kind},${column.done} FROM ${table}`
/* pgbench takes every :word for a variable, in quotes too */
const literal = (text) => `E'${text.replaceAll('\\', '\\\\').replaceAll(':', '\\x3a')}'`
const event = `pg_logical_emit_message(true, 'event', ${literal(`{"p":"${p.id}","e":"databases.[databaseId].collections.[collectionId].documents.[documentId].create","v":["d","c","x"],"c":["documents","databases.d.collections.c.documents"],"r":["user:${user.id}"],"t":1700000000000}`)} || E'\\n' || repeat('x', 400))`
const reader = `${literal(`{any,users,user:${user.id}}`)}::text[]`
const json = 'wrk.headers["Content-Type"] = "application/json"'
const list = encodeURIComponent('{"method":"equal","attribute":"kind","values":[KIND]}'), newest = encodeURIComponent('{"method":"orderDesc","attribute":"$createdAt"}')
const figures = [
	{ name: 'create', cpu: 1, lua: `${json}; local n = 0; request = function() n = n + 1; return wrk.format("POST", nil, nil, string.format('{"documentId":"w%x-%d-%d","data":{"title":"title %d","kind":%d,"done":true}}', SEED, THREAD, n, n, n % 1000)) end`, path: '',
		sql: `\\set n random(1, 2000000000)\nWITH w AS (INSERT INTO ${table} (_id, _created, _updated, _perms, _read, ${column.title}, ${column.kind}, ${column.done}) VALUES ('p' || (:n)::int::text || '-' || random()::text, now(), now(), ${literal(own)}, ${literal(readers)}, 'title', (:n)::int % 1000, true) RETURNING 1) SELECT ${event} FROM w;` },
	{ name: 'get', cpu: 2, lua: `request = function() return wrk.format("GET", wrk.path .. "/doc" .. math.random(1, ${ROWS})) end`, path: '',
		sql: `\\set n random(1, ${ROWS})\n${select} WHERE lower(_id) = 'doc' || (:n)::int::text AND _read && ${reader};` },
	{ name: 'list of 25', cpu: 1.5, lua: `request = function() return wrk.format("GET", wrk.path .. "?queries[0]=" .. string.gsub("${list}", "KIND", math.random(0, 999)) .. "&queries[1]=${newest}") end`, path: '',
		sql: `\\set n random(0, 999)\n${select} WHERE ${column.kind} = :n AND _read && ${reader} ORDER BY _created DESC, _seq DESC LIMIT 25;` },
	{ name: 'update', cpu: 1, lua: `${json}; request = function() return wrk.format("PATCH", wrk.path .. "/doc" .. math.random(1, ${ROWS}), nil, string.format('{"data":{"kind":%d}}', math.random(0, 999))) end`, path: '',
		sql: `\\set n random(1, ${ROWS})\n\\set k random(0, 999)\nBEGIN;\n${select} WHERE lower(_id) = 'doc' || (:n)::int::text FOR NO KEY UPDATE;\nUPDATE ${table} SET _updated = now(), ${column.kind} = :k WHERE lower(_id) = 'doc' || (:n)::int::text;\nSELECT ${event};\nCOMMIT;` },
]

const postmaster = Number((await psql("SELECT pg_read_file('postmaster.pid')")).split('\n')[0])
const postgres = () => family(postmaster)
const nameOf = (pid) => { try { return readFileSync(`/proc/${pid}/comm`, 'utf8') } catch { return '' } }	/* it ended */
const badal = () => family(s.pid).filter((pid) => nameOf(pid).startsWith('badal'))

async function http(f) {
	const script = path.join(tmp, 'wrk.lua')
	writeFileSync(script, `THREADS = 0\nfunction setup(thread) thread:set("THREAD", THREADS); THREADS = THREADS + 1 end\nSEED = ${Math.floor(Math.random() * 1e9)}
function init() math.randomseed(os.time() + (THREAD or 0)) end
wrk.headers["X-Appwrite-Project"] = "${p.id}"; wrk.headers["Cookie"] = "${user.cookie}"
failed = 0
function response(status) if status >= 300 then failed = failed + 1; if failed < 3 then print("status " .. status) end end end
${f.lua}`)
	const before = [cpuOf(badal()), cpuOf(postgres())]
	const out = await run('wrk', ['-t', '1', '-c', String(CLIENTS), '-d', `${seconds}s`, '-s', script, `${s.endpoint}/databases/d/collections/c/documents`])
	const n = Number(out.match(/(\d+) requests in/)[1]), wrong = out.match(/Non-2xx or 3xx responses: (\d+)/)
	if (wrong) throw new Error(`${f.name}: ${wrong[0]}\n${out}`)
	return { rate: n / seconds, badal: (cpuOf(badal()) - before[0]) / n, postgres: (cpuOf(postgres()) - before[1]) / n }
}

async function sql(f) {
	const script = path.join(tmp, 'bench.sql')
	writeFileSync(script, f.sql)
	const before = cpuOf(postgres())
	const out = await run('pgbench', ['-h', sockets, '-U', 'badal', '-n', '-M', 'prepared', '-c', String(CLIENTS), '-j', '1', '-T', String(seconds), '-f', script, 'postgres'])
	const rate = Number(out.match(/tps = ([\d.]+)/)[1]), n = Number(out.match(/actually processed: (\d+)/)[1])
	return { rate, postgres: (cpuOf(postgres()) - before) / n }
}

for (const f of figures) {
	const h = await http(f), q = await sql(f)
	console.log(`${f.name}: ${h.rate.toFixed(0)}/s, CPU badal ${h.badal.toFixed(1)} us, PostgreSQL ${h.postgres.toFixed(1)} us; pgbench ${q.rate.toFixed(0)}/s, PostgreSQL ${q.postgres.toFixed(1)} us`)
	report(`${f.name}: CPU of badal / of PostgreSQL in the same run`, h.badal / h.postgres, 'x', f.cpu)
	report(`${f.name}: CPU of badal / of PostgreSQL under pgbench`, h.badal / q.postgres, 'x', f.cpu)
	reportAtLeast(`${f.name}: share of pgbench's rate`, 100 * h.rate / q.rate, '%', 40)
}
await s.stop()
