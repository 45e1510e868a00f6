/* Documents in numbers: 1,000,000 in one collection with document security, three indexed attributes and a full-text index; and 10,000 of
 * the same kind beside them. One half may be read by all users, the other by one of 1,000 others each; guests read 1,000 of each.
 *
 *   1. CPU of badal per request against PostgreSQL's in the same run
 *   2. time of the SQL that is sent against the best that a person would write for the same question, both through pgbench
 *   3. latency of lists over the many against the few
 *
 * node t/bench/documents.mjs [seconds per figure] [documents]        needs wrk, pgbench and psql */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { server, until } from '../lib/server.mjs'
import { cpuOf, family, percentile, report, run } from './lib.mjs'

const seconds = Number(process.argv[2] ?? 6), MANY = Number(process.argv[3] ?? 1000000), FEW = 10000, CLIENTS = 8, ROUNDS = 3, PER_KIND = 2000
const s = await server({ own: true, conf: { rate_limits: 'off', log_level: 'warn' } })
const p = await s.project({ name: 'Documents' }), user = await p.user()
const sockets = path.join(s.dataDir, 'run')
const pg = ['-h', sockets, '-U', 'badal']
const psql = (...sql) => run('psql', [...pg, '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', ...sql.flatMap((q) => ['-c', q])]).then((t) => t.trim())
const postmaster = Number((await psql("SELECT pg_read_file('postmaster.pid')")).split('\n')[0])

/* ---- the documents ---- */

const WORDS = `(ARRAY['amber','basalt','cedar','delta','ember','falcon','granite','harbour','indigo','juniper','kestrel','lagoon','meadow','nectar','obsidian','pebble'])`

/* Filled by SQL, the indexes made as the program would make them, but after the rows. `title` and `body` are text, `kind` has PER_KIND documents
 * per value, `score` is null in one of ten. */
async function fill(id, rows) {
	const at = `/databases/d/collections/${id}`
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: id, name: id, permissions: ['create("users")'], documentSecurity: true } })
	for (const [type, body] of [['string', { key: 'title', size: 100 }], ['integer', { key: 'kind' }], ['float', { key: 'score' }], ['string', { key: 'body', size: 200 }], ['boolean', { key: 'done' }]])
		await p.ok('POST', `${at}/attributes/${type}`, { body: { required: false, ...body } })
	const { attributes } = await until('attributes', async () => {
		const c = await p.ok('GET', at)
		return c.attributes.every((a) => a.status === 'available') && c
	})
	if (attributes.length !== 5) throw new Error('attributes')
	for (const [key, type, list] of [['by_title', 'key', ['title']], ['by_kind', 'key', ['kind']], ['by_score', 'key', ['score']], ['words', 'fulltext', ['body']]])
		await p.ok('POST', `${at}/indexes`, { body: { key, type, attributes: list } })
	await until('indexes', async () => (await p.ok('GET', at)).indexes.every((i) => i.status === 'available'), 60000)

	const [schema, internal] = (await psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`).then(async (sc) => [sc, await psql(`SELECT internal FROM ${sc}.collections WHERE id = '${id}'`)]))
	const table = `${schema}.c_${internal}`
	const column = Object.fromEntries((await psql(`SELECT key, 'a_' || internal FROM ${schema}.attributes WHERE collection = ${internal}`)).split('\n').map((l) => l.split('|')))
	const indexes = (await psql(`SELECT indexrelid::regclass || '|' || pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = '${table}'::regclass AND NOT indisprimary`)).split('\n').map((l) => l.split('|'))
	const kinds = Math.max(1, rows / PER_KIND)
	await psql("SET maintenance_work_mem = '512MB'", ...indexes.map(([name]) => `DROP INDEX ${name}`),
		`INSERT INTO ${table} (_id, _created, _updated, _perms, _read, ${column.title}, ${column.kind}, ${column.score}, ${column.body}, ${column.done})
		SELECT 'doc' || n, t, t, ARRAY['read("' || r || '")', 'update("users")'] || CASE WHEN g THEN ARRAY['read("guests")'] END, ARRAY[r] || CASE WHEN g THEN ARRAY['guests'] END,
			'title ' || n % 50000, (n / 2 * 7919::bigint) % ${kinds}, CASE WHEN n % 10 <> 3 THEN (n * 104729::bigint) % 1000003 END, b, n % 2 = 0
		FROM (SELECT n, now() - make_interval(secs => (${rows} - n) / 100.0) AS t, n % ${rows / 1000} = 1 AS g,
			CASE WHEN n * 31 % 2 = 0 THEN 'users' ELSE 'user:other' || n % 1000 END AS r,
			${WORDS}[1 + n % 16] || ' ' || ${WORDS}[1 + n / 16 % 16] || ' number' || n % ${rows / 100} || ' text' AS b FROM generate_series(1, ${rows}) n) AS x`,
		...indexes.map(([, definition]) => definition))
	await psql(`VACUUM ANALYZE ${table}`)
	return { id, table, schema, column, rows, kinds, path: `/databases/d/collections/${id}/documents` }
}
const begun = Date.now()
await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
const few = await fill('few', FEW), many = await fill('many', MANY)
console.log(`filled in ${((Date.now() - begun) / 1000).toFixed(0)} s`)
await psql('CHECKPOINT')

/* ---- the questions ---- */

const q = (method, attribute, ...values) => JSON.stringify({ method, ...(attribute ? { attribute } : {}), ...(values.length ? { values } : {}) })
const KIND = '@kind@', NUMBER = '@number@', DEEP = '@deep@'
/* Each with the SQL a person would write; the better of prepared and planned each time counts. :roles are the caller's, :word what is searched. */
const hand = (c, where, order, all = where) => `SELECT ${columns(c)}, (SELECT count(*) FROM (SELECT 1 FROM ${c.table} WHERE ${all} AND ${readable} LIMIT 5000) x) FROM ${c.table} WHERE ${where} AND ${readable} ORDER BY ${order} LIMIT 25`
const columns = (c) => `_id,_created,_updated,_perms,${Object.values(c.column).join(',')}`
const readable = '(_read && :roles::text[]) IS NOT FALSE'	/* a check of each row: not a question for the index of readers */
const lists = [
	{ name: 'list of 25 of 1,000', queries: [q('equal', 'kind', KIND)], hand: (c) => hand(c, `${c.column.kind} = 5`, '_seq') },
	{ name: 'list of 25 of 1,000, newest first', queries: [q('equal', 'kind', KIND), q('orderDesc', '$createdAt')], hand: (c) => hand(c, 'true', '_created DESC, _seq', `${c.column.kind} = 5`).replace(` FROM ${c.table} WHERE true AND ${readable} ORDER`, ` FROM (SELECT * FROM ${c.table} WHERE ${c.column.kind} = 5 AND ${readable} OFFSET 0) x ORDER`) },
	{ name: 'list of 25 of 1,000, by score', queries: [q('equal', 'kind', KIND), q('orderAsc', 'score')],
		hand: (c) => hand(c, 'true', `${c.column.score} NULLS FIRST, _seq`, `${c.column.kind} = 5`).replace(` FROM ${c.table} WHERE true AND ${readable} ORDER`, ` FROM (SELECT * FROM ${c.table} WHERE ${c.column.kind} = 5 AND ${readable} OFFSET 0) x ORDER`) },
	{ name: 'list of 25 of half of all', queries: [q('equal', 'done', true), q('orderDesc', '$createdAt')], hand: (c) => hand(c, `${c.column.done}`, '_created DESC, _seq') },
	{ name: 'list of 25 of all', queries: [], hand: (c) => hand(c, 'true', '_seq') },
	{ name: 'deep page, newest first', queries: [q('orderDesc', '$createdAt'), q('cursorAfter', null, DEEP)],
		hand: (c) => hand(c, `_created <= (SELECT _created FROM ${c.table} WHERE lower(_id) = '${deep(c)}') AND (_created, -_seq) < (SELECT _created, -_seq FROM ${c.table} WHERE lower(_id) = '${deep(c)}')`, '_created DESC, _seq', 'true') },
	{ name: 'deep page, by score', queries: [q('orderAsc', 'score'), q('cursorAfter', null, DEEP)],
		hand: (c) => hand(c, `(${c.column.score}, _seq) > (SELECT ${c.column.score}, _seq FROM ${c.table} WHERE lower(_id) = '${deep(c)}')`, `${c.column.score} NULLS FIRST, _seq`, 'true') },
	{ name: 'deep page, by score, descending', queries: [q('orderDesc', 'score'), q('cursorAfter', null, DEEP)],
		hand: (c) => hand(c, `${c.column.score} <= (SELECT ${c.column.score} FROM ${c.table} WHERE lower(_id) = '${deep(c)}') AND (${c.column.score}, -_seq) < (SELECT ${c.column.score}, -_seq FROM ${c.table} WHERE lower(_id) = '${deep(c)}')`, `${c.column.score} DESC NULLS LAST, _seq`, 'true') },
	{ name: 'deep page of a kind, before', queries: [q('equal', 'kind', KIND), q('cursorBefore', null, '@member@')],
		hand: (c) => `SELECT * FROM (${hand(c, `${c.column.kind} = 5 AND _seq < (SELECT _seq FROM ${c.table} WHERE lower(_id) = '@member@')`, '_seq DESC', `${c.column.kind} = 5`)}) x ORDER BY _id` },
	{ name: 'search, a word of 100', word: (c) => word(c), queries: [q('search', 'body', NUMBER)], hand: (c) => hand(c, `${c.schema}.words(${c.column.body}) @@ :word::tsquery`, '_seq') },
	{ name: 'search, a word of every eighth', word: () => 'cedar', queries: [q('search', 'body', 'cedar')], grows: true,	/* what matches, which the index gives all at once */
		hand: (c) => hand(c, `${c.schema}.words(${c.column.body}) @@ :word::tsquery`, '_seq') },
	{ name: 'guest, list of 25 of 1,000', guest: true, queries: [q('orderDesc', '$createdAt')],
		hand: (c) => `SELECT ${columns(c)}, (SELECT count(*) FROM (SELECT 1 FROM ${c.table} WHERE _read && :roles::text[] LIMIT 5000) x) FROM ${c.table} WHERE _read && :roles::text[] ORDER BY _created DESC, _seq LIMIT 25` },
]
const deep = (c) => `doc${(c.rows * 3) / 4}`	/* far inside every order, and readable: its number is even */
const word = (c) => `number${c.rows / 100 - 2}`	/* of 100 documents, and no beginning of another word */
const member = {}
for (const c of [few, many])
	member[c.id] = await psql(`SELECT _id FROM ${c.table} WHERE ${c.column.kind} = 5 % ${c.kinds} AND 'users' = ANY (_read) ORDER BY _seq OFFSET 300 LIMIT 1`)

const queriesOf = (f, c, kind = 5) => f.queries.map((text) => text.replace(`"${KIND}"`, kind % c.kinds).replace(NUMBER, word(c)).replace(DEEP, deep(c)).replace('@member@', member[c.id]))
const target = (f, c) => `${c.path}?${queriesOf(f, c).map((text, i) => `queries[${i}]=${encodeURIComponent(text)}`).join('&')}`
const cookie = { Cookie: user.cookie, 'X-Appwrite-Project': p.id }
const headersOf = (f) => (f.guest ? { 'X-Appwrite-Project': p.id } : cookie)

/* ---- 1. CPU ---- */

const postgres = () => family(postmaster)
const badal = () => family(s.pid).filter((pid) => !postgres().includes(pid) && process.pid !== pid)

async function cpu(f) {
	const script = path.join(s.data, 'wrk.lua')
	writeFileSync(script, `THREADS = 0\nfunction setup(thread) thread:set("THREAD", THREADS); THREADS = THREADS + 1 end\nSEED = ${Math.floor(Math.random() * 1e9)}
${Object.entries(headersOf(f)).map(([k, v]) => `wrk.headers["${k}"] = "${v}"`).join('\n')}
function init() math.randomseed(os.time() + (THREAD or 0)) end
${f.lua}`)
	const ours = badal().filter((pid) => /^badal/.test(commOf(pid))), theirs = postgres()
	const before = [cpuOf(ours), cpuOf(postgres())]
	const out = await run('wrk', ['-t', '1', '-c', String(CLIENTS), '-d', `${seconds}s`, '-s', script, `${s.endpoint}${f.path}`])
	const n = Number(out.match(/(\d+) requests in/)[1]), wrong = out.match(/Non-2xx or 3xx responses: (\d+)/)
	if (wrong || n === 0) throw new Error(`${f.name}: ${out}`)
	const spent = [(cpuOf(ours) - before[0]) / n, (cpuOf([...new Set([...theirs, ...postgres()])]) - before[1]) / n]
	console.log(`${f.name}: ${(n / seconds).toFixed(0)}/s, CPU badal ${spent[0].toFixed(1)} us, PostgreSQL ${spent[1].toFixed(1)} us`)
	report(`${f.name}: CPU of badal / of PostgreSQL`, spent[0] / spent[1], 'x', 1)
}

/* ---- 2. the SQL ---- */

const pgLog = () => readFileSync(path.join(s.dataDir, 'log', 'postgres.log'), 'latin1')
/* What PostgreSQL got for one request: [{ sql, params }] that name the table. */
async function sent(f, c) {
	const from = pgLog().length
	const r = await s.call('GET', target(f, c), { headers: headersOf(f) })
	if (r.status !== 200) throw new Error(`${f.name}: ${r.status} ${r.text}`)
	const mark = `mark ${Math.random()}`
	await psql(`SELECT '${mark}'`)
	const text = await until('the log', () => { const t = pgLog().slice(from); return t.includes(mark) && t })
	const found = []
	for (const m of text.matchAll(/execute [^:]*: ((?:\/\*[^*]*\*\/ )?SELECT [^\n]*)\n(?:[^\n]*DETAIL: {2}parameters: ([^\n]*)\n)?/g)) {
		if (!m[1].includes(`${c.table} `)) continue
		found.push({ sql: m[1], params: [...(m[2] ?? '').matchAll(/\$(\d+) = (?:'((?:[^']|'')*)'|NULL)/g)].map((x) => (x[2] ?? '').replaceAll("''", "'")) })
	}
	if (found.length === 0) throw new Error(`${f.name}: no statement in the log`)
	return { found, body: r.body }
}

let files = 0
/* Milliseconds of one execution. */
async function timed(statements, roles, mode, word = 'none') {
	const file = path.join(s.data, `q${files++}.sql`), variables = []
	const name = (v) => { variables.push(`v${variables.length}=${v}`); return `:v${variables.length - 1}` }
	const text = statements.map(({ sql, params }) => {
		/* pgbench takes every :word for a variable */
		const known = params.map(name)
		return `${sql.replace(/\$(\d+)/g, (_, i) => known[i - 1])};`
	}).join('\n')
	const r = name(roles), w = name(word)
	writeFileSync(file, `${text.replaceAll(':roles', r).replaceAll(':word', w)}\n`)
	const out = await run('pgbench', [...pg, '-n', '-M', mode, '-c', '1', '-T', String(Math.max(1, Math.round(seconds / 4))), '-f', file, ...variables.flatMap((v) => ['-D', v]), 'postgres'])
	return Number(out.match(/latency average = ([\d.]+)/)[1])
}

async function compare(f, c) {
	const { found, body } = await sent(f, c)
	const roles = f.guest ? '{any,guests}' : `{any,users,user:${user.id}}`
	const best = [{ sql: f.hand(c).replaceAll('@member@', member[c.id]), params: [] }]
	const word = f.word ? `('${f.word(c)}':*)` : 'none', literal = (text) => `'${text.replaceAll("'", "''")}'`
	const rows = await psql(best[0].sql.replaceAll(':roles', literal(roles)).replaceAll(':word', literal(word))), ids = rows.split('\n').map((l) => l.split('|')[0])
	if (ids.join() !== body.documents.map((d) => d.$id).join()) throw new Error(`${f.name}: the SQL by hand gives other rows:\n${ids}\n${body.documents.map((d) => d.$id)}`)
	const ours = [], theirs = []
	for (let i = 0; i < ROUNDS; i++) {
		ours.push(await timed(found, roles, found.some(({ sql }) => sql.startsWith('/*')) ? 'extended' : 'prepared'))
		for (const mode of ['prepared', 'extended']) theirs.push(await timed(best, roles, mode, word))
	}
	console.log(`${f.name}: ${body.documents.length} of ${body.total}; sent ${Math.min(...ours).toFixed(3)} ms, by hand ${Math.min(...theirs).toFixed(3)} ms`)
	report(`${f.name}: time of the SQL sent / by hand`, Math.min(...ours) / Math.min(...theirs), 'x', 1.3)
}

/* ---- 3. latency ---- */

async function latencies(f, c, n) {
	const times = [], url = target(f, c)
	for (let i = 0; i < n; i++) {
		const t = process.hrtime.bigint()
		await s.ok('GET', url, { headers: headersOf(f) })
		times.push(Number(process.hrtime.bigint() - t) / 1e6)
	}
	return times
}

/* In small turns, so that whatever else the machine does meets both. */
async function scale(f) {
	const times = { few: [], many: [] }
	await latencies(f, few, 20)
	await latencies(f, many, 20)
	for (let i = 0; i < 20; i++)
		for (const c of [few, many]) times[c.id].push(...(await latencies(f, c, 25)))
	const at = (x) => [percentile(times.few, x), percentile(times.many, x)]
	console.log(`${f.name}: median ${at(0.5).map((x) => x.toFixed(2)).join(' and ')} ms, p99 ${at(0.99).map((x) => x.toFixed(2)).join(' and ')} ms`)
	report(`${f.name}: p99 of ${MANY} / of ${FEW} documents`, at(0.99)[1] / at(0.99)[0], 'x', f.grows ? undefined : 2)
}

/* ---- run ---- */

const commOf = (pid) => { try { return readFileSync(`/proc/${pid}/comm`, 'utf8') } catch { return '' } }
const json = 'wrk.headers["Content-Type"] = "application/json"'
/* of "@kind@" a random number */
const listLua = (f) => `local base = ${JSON.stringify(target({ ...f, queries: f.queries }, many).replace(/%22kind%22%2C%22values%22%3A%5B\d+/, '%22kind%22%2C%22values%22%3A%5BRANDOM'))}
request = function() return wrk.format("GET", "/v1" .. string.gsub(base, "RANDOM", math.random(0, ${many.kinds - 1}))) end`
const byName = (name) => lists.find((f) => f.name.startsWith(name))
await psql('ALTER SYSTEM SET log_statement = \'all\'', 'SELECT pg_reload_conf()')
for (const f of lists) await compare(f, many)
await psql('ALTER SYSTEM RESET log_statement', 'SELECT pg_reload_conf()')
for (const f of lists) await scale(f)
const even = `(2 * math.random(1, ${MANY / 2}))`
for (const f of [
	{ name: 'get', path: many.path, lua: `request = function() return wrk.format("GET", wrk.path .. "/doc" .. ${even}) end` },
	...['list of 25 of 1,000, newest', 'deep page, newest', 'search, a word of 100'].map(byName).map((f) => ({ ...f, path: many.path, lua: listLua(f) })),
	{ name: 'create', path: many.path, lua: `${json}; local n = 0; request = function() n = n + 1; return wrk.format("POST", nil, nil, string.format('{"documentId":"w%x-%d","data":{"title":"title %d","kind":%d,"score":%d.5,"body":"amber number%d text","done":true}}', SEED, n, n, n % 1000, n, n)) end` },
	{ name: 'update', path: many.path, lua: `${json}; request = function() return wrk.format("PATCH", wrk.path .. "/doc" .. ${even}, nil, string.format('{"data":{"kind":%d}}', math.random(0, 999))) end` },
]) await cpu(f)
await s.stop()
