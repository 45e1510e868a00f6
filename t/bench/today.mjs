/* What the API of today costs, as ratios within one run. BADAL may be any build.
 *
 *   row       CPU of a row through /v1/tablesdb against a document through /v1/databases: get, create, update, list
 *   bulk      1,000 documents by requests, until each has its event in the stream, against COPY of the same rows into the same table
 *   upsert    of a document that is there, against the update that sets the same
 *   totals    CPU of a list of 25 of 50,000 matching documents with its total, against the same list with total=false; also beside writes
 *   related   CPU of a list of 25 documents with one relationship loaded, a related document for each, against the list of a collection without relationships
 *   transaction  the commit of 100 staged documents, against the statements that a hand would write for them: the row, and the message of its event
 *   factor    CPU of GET /v1/account of somebody with a second factor, who has proved it, against that of somebody without
 *   signin    CPU of a sign-in by password, web process and all, with a hash that costs next to nothing
 *   format    CPU of GET /v1/account in the newest form, by its header, against the form of 1.0, which has none of the later members
 *
 * node t/bench/today.mjs [part…]        needs wrk and psql */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'

import { binary, server, sleep, until } from '../lib/server.mjs'
import { code } from '../lib/totp.mjs'
import { cpuOf, family, percentile, report, reportAtLeast, run } from './lib.mjs'

const now = () => Number(process.hrtime.bigint()) / 1e6
const q = (method, attribute, ...values) => JSON.stringify({ method, ...(attribute ? { attribute } : {}), ...(values.length ? { values } : {}) })
const headers = { 'x-appwrite-response-format': '1.9.5' }

/* A server with one web process and a project; with psql(input, …sql) beside it. */
async function begin(conf = {}) {
	const s = await server({ own: true, conf: { web_processes: 1, rate_limits: 'off', log_level: 'warn', env: 'production', ...conf } })
	s.checked = process.env.BADAL === undefined || process.env.BADAL === binary
	const psql = (input, ...sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', ...sql.flatMap((x) => ['-c', x])], { encoding: 'utf8', input }).trim()
	const p = await s.project({ name: 'Today' })
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
	return { s, p, psql }
}

/* A collection with these attributes: its paths, its table and the columns of its attributes. */
async function collection({ p, psql }, id, body, attributes) {
	const at = `/databases/d/collections/${id}`
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: id, name: id, ...body } })
	for (const [type, a] of attributes) await p.ok('POST', `${at}/attributes/${type}`, { body: { required: false, ...a } })
	await until('attributes', async () => (await p.ok('GET', at)).attributes.every((a) => a.status === 'available'))
	const schema = psql('', `SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`), internal = psql('', `SELECT internal FROM ${schema}.collections WHERE id = '${id}'`)
	const column = Object.fromEntries(psql('', `SELECT key, 'a_' || internal FROM ${schema}.attributes WHERE collection = ${internal}`).split('\n').map((l) => l.split('|')))
	return { at, docs: `${at}/documents`, rows: `/tablesdb/d/tables/${id}/rows`, table: `${schema}.c_${internal}`, column }
}
const SOME = [['string', { key: 'title', size: 100 }], ['integer', { key: 'n' }], ['float', { key: 'price' }], ['datetime', { key: 'released' }]]

/* CPU of all processes of the server over what f does, PostgreSQL's among them, in milliseconds. */
async function cpuOver(s, f) {
	const pids = family(s.pid), before = cpuOf(pids)
	await f()
	return (cpuOf([...new Set([...pids, ...family(s.pid)])]) - before) / 1000
}

/* Requests of one kind for a while: how many, and their CPU in microseconds. */
async function load(s, url, headers, seconds) {
	let n
	const cpu = await cpuOver(s, async () => {
		const out = await run('wrk', ['-t', '1', '-c', '4', '-d', `${seconds}s`, ...Object.entries(headers).flatMap(([k, v]) => ['-H', `${k}: ${v}`]), `${s.endpoint}${url}`])
		n = Number(out.match(/(\d+) requests in/)[1])
		if (n === 0 || /Non-2xx/.test(out)) throw new Error(`${url}: ${out}`)
	})
	return { n, cpu: cpu * 1000 }
}

/* What one of each of two kinds takes, in turns of the first, the second, the second, the first: f(kind) gives { n, cpu }. */
async function inTurns(kinds, rounds, f) {
	const sum = kinds.map(() => ({ n: 0, cpu: 0 }))
	for (let i = 0; i < 2 * rounds; i++) {
		const k = (i + (i >> 1)) % 2, { n, cpu } = await f(kinds[k])
		sum[k].n += n
		sum[k].cpu += cpu
	}
	return sum.map((x) => x.cpu / x.n)
}

async function row() {
	const at = await begin(), { s, p } = at, c = await collection(at, 'c', { permissions: ['read("any")'], documentSecurity: true }, SOME)
	const data = (n) => ({ title: `title of ${n}`, n, price: n / 8, released: '2020-01-01T00:00:00.000+00:00' })
	for (let n = 0; n < 30; n++) await p.ok('POST', c.docs, { headers, body: { documentId: `d${n}`, data: data(n) } })
	const key = { ...headers, 'X-Appwrite-Project': p.id, 'X-Appwrite-Key': p.key }, words = [['rows', 'row'], ['docs', 'document']]
	let made = 0
	const writes = (f) => async ([path, one]) => ({ n: 300, cpu: 1000 * await cpuOver(s, async () => { for (let i = 0; i < 300; i++) await f(c[path], one) }) })
	const kinds = {
		get: ([path]) => load(s, `${c[path]}/d1`, key, 1),
		list: ([path]) => load(s, c[path], key, 1),
		create: writes((path, one) => p.ok('POST', path, { headers, body: { [`${one}Id`]: `n${made++}`, data: data(made) } })),
		update: writes((path) => p.ok('PATCH', `${path}/d2`, { headers, body: { data: data(made++) } })),
	}
	for (const [what, f] of Object.entries(kinds)) {
		const [a, b] = await inTurns(words, 6, f)
		console.log(`${what}: CPU of a row ${a.toFixed(0)} us, of a document ${b.toFixed(0)} us`)
		report(`${what}: a row / a document`, a / b, 'x', 1.05)
	}
	await s.stop()
}

/* How many events the stream of the server has got since this began: f() asks. An entry may have many. */
const behind = `local last, n = ARGV[1], 0
for _, e in ipairs(redis.call('XRANGE', KEYS[1], '(' .. last, '+')) do
	last, n = e[1], n + (e[2][1] == 'n' and tonumber(e[2][2]) or 1)
end
return {last, n}`
async function added(s) {
	const c = net.connect(path.join(s.dataDir, 'run', 'redis.sock')), ask = (...words) => new Promise((ok) => {
		c.once('data', (d) => ok(d.toString()))
		c.write(`*${words.length}\r\n${words.map((w) => `$${w.length}\r\n${w}\r\n`).join('')}`)
	})
	const key = (await ask('KEYS', 'events:{0}:*')).match(/events:\{0\}:\d[^\r]*/)[0]
	let last = (await ask('XREVRANGE', key, '+', '-', 'COUNT', '1')).match(/\r\n(\d+-\d+)\r\n/)[1], n = 0
	const f = async () => {
		const m = (await ask('EVAL', behind, '1', key, last)).match(/\r\n(\d+-\d+)\r\n:(\d+)/)
		last = m[1]
		return n += Number(m[2])
	}
	return { f, end: () => c.destroy() }
}

/* Bodies are made before the clock runs, as psql's text is; it stops when the last event is in the stream. COPY of the same rows is timed as a whole, and in as many
 * commits as there are requests. */
async function bulk() {
	const at = await begin(), { s, p, psql } = at, c = await collection(at, 'c', { permissions: ['read("any")'], documentSecurity: true }, SOME)
	s.checked = false
	const columns = `_id,_created,_updated,_perms,_read,${['title', 'n', 'price', 'released'].map((k) => c.column[k]).join()}`, stream = await added(s)
	const ROWS = 1000, SLICE = 100, ROUNDS = 24, took = { bulk: [], answered: [], atOnce: [], atOnceAnswered: [], copy: [], copies: [] }, cpu = { bulk: 0, copy: 0 }
	const row = (k, n) => ({ $id: `r${k}_${n}`, title: `title of ${n}`, n, price: n / 8, released: '2020-01-01T00:00:00.000+00:00', $permissions: ['read("users")'] })
	const post = (body) => p.ok('POST', c.docs, { headers: { ...headers, 'content-type': 'application/json' }, body })
	/* the same rows once more, by the time that psql says: starting it is no part */
	function copy(k, each) {
		let text = '\\timing on\n'
		for (let n = 0; n < ROWS; n++) {
			const d = row(k, n)
			if (n % each === 0) text += `COPY ${c.table} (${columns}) FROM STDIN;\n`
			text += [`c${each}${d.$id}`, '2026-01-01', '2026-01-01', '{"read(\\\\"users\\\\")"}', '{users}', d.title, d.n, d.price, d.released].join('\t') + '\n'
			if (n % each === each - 1) text += '\\.\n'
		}
		return [...psql(text).matchAll(/Time: ([\d.]+) ms/g)].reduce((sum, m) => sum + Number(m[1]), 0)
	}
	for (let k = 0; k < ROUNDS; k++) {
		const bodies = Array.from({ length: ROWS / SLICE }, (_, i) => JSON.stringify({ documents: Array.from({ length: SLICE }, (_, j) => row(k, i * SLICE + j)) }))
		const want = await stream.f() + ROWS
		cpu.bulk += await cpuOver(s, async () => {
			const begun = now()
			if (k % 2) await Promise.all(bodies.map(post))
			else for (const body of bodies) await post(body)
			const answered = now() - begun
			while (await stream.f() < want) await sleep(1)
			took[k % 2 ? 'atOnceAnswered' : 'answered'].push(answered)
			took[k % 2 ? 'atOnce' : 'bulk'].push(now() - begun)
		})
		cpu.copy += await cpuOver(s, async () => took.copy.push(copy(k, ROWS)))
		took.copies.push(copy(k, SLICE))
	}
	stream.end()
	const m = Object.fromEntries(Object.entries(took).map(([k, v]) => [k, percentile(v, 0.5)]))
	console.log(`bulk: ${ROWS} documents and events in ${m.bulk.toFixed(1)} ms one request after the other (answered in ${m.answered.toFixed(1)}), ${m.atOnce.toFixed(1)} ms all ten at once (${m.atOnceAnswered.toFixed(1)}); ` +
		`COPY in ${m.copy.toFixed(1)} ms, in ten commits ${m.copies.toFixed(1)} ms (medians of ${ROUNDS}); CPU ${(cpu.bulk / ROUNDS).toFixed(1)} and ${(cpu.copy / ROUNDS).toFixed(1)} ms`)
	reportAtLeast('bulk create at once, rate over that of COPY', m.copy / m.atOnce, 'x', 0.5)
	reportAtLeast('bulk create one by one, rate over that of COPY in ten commits', m.copies / m.bulk, 'x', 0.5)
	report('bulk create one by one, rate over that of COPY', m.copy / m.bulk, 'x')
	await s.stop()
}

async function upsert() {
	const TURNS = 40, EACH = 50, took = { PATCH: [], PUT: [] }
	const at = await begin(), { s, p } = at, c = await collection(at, 'c', { permissions: ['read("any")'], documentSecurity: true }, SOME)
	s.checked = false
	await p.ok('PUT', `${c.docs}/one`, { headers, body: { data: { title: 'x', n: 0 } } })
	let k = 0
	const [put, patch] = await inTurns(['PUT', 'PATCH'], TURNS / 2, async (method) => ({ n: EACH, cpu: 1000 * await cpuOver(s, async () => {
		for (let i = 0; i < EACH; i++) {
			const begun = now()
			await p.ok(method, `${c.docs}/one`, { headers, body: { data: { title: `title ${k++}`, n: i } } })
			took[method].push(now() - begun)
		}
	}) }))
	const [u, d] = ['PUT', 'PATCH'].map((m) => percentile(took[m], 0.5))
	console.log(`upsert: ${u.toFixed(2)} ms, update ${d.toFixed(2)} ms (medians of ${took.PUT.length}); CPU ${put.toFixed(0)} and ${patch.toFixed(0)} us`)
	report('upsert over update, time', u / d, 'x', 1.2)
	report('upsert over update, CPU', put / patch, 'x', 1.2)
	await s.stop()
}

async function totals() {
	const DOCS = 100000
	const at = await begin(), { s, p, psql } = at, user = await p.user()
	/* half of all match each filter, 2,500 `few`; of `mine` every second document may be read by users */
	async function fill(id, body) {
		const c = await collection(at, id, body, [['integer', { key: 'indexed' }], ['integer', { key: 'plain' }], ['integer', { key: 'few' }], ['string', { key: 'text', size: 200 }]])
		for (const key of ['indexed', 'few']) {
			await p.ok('POST', `${c.at}/indexes`, { body: { key, type: 'key', attributes: [key] } })
			await until('the index', async () => (await p.ok('GET', `${c.at}/indexes/${key}`)).status === 'available')
		}
		psql('', `INSERT INTO ${c.table} (_id, _created, _updated, _perms, _read, ${c.column.indexed}, ${c.column.plain}, ${c.column.few}, ${c.column.text})
			SELECT 'doc' || n, t, t, ARRAY['read("' || r || '")'], ARRAY[r], n % 2, n % 2, n % 40, 'text of document ' || n FROM
			(SELECT n, now() - make_interval(secs => n) AS t, CASE WHEN n % 4 < 2 THEN 'users' ELSE 'user:other' || n % 1000 END AS r FROM generate_series(1, ${DOCS}) n) x`,
		`VACUUM ANALYZE ${c.table}`)
		return c.docs
	}
	const all = await fill('all', { permissions: ['read("any")', 'update("any")'], documentSecurity: false }), mine = await fill('mine', { permissions: [], documentSecurity: true })
	const key = { 'X-Appwrite-Project': p.id, 'X-Appwrite-Key': p.key }, cookie = { 'X-Appwrite-Project': p.id, Cookie: user.cookie }
	const plain = [q('equal', 'plain', 1)], few = [q('equal', 'few', 1)]
	const kinds = [['no filter', all, key], ['equal, with an index', all, key, q('equal', 'indexed', 1)], ['equal, without an index', all, key, ...plain],
		['equal, newest first', all, key, ...plain, q('orderDesc', '$createdAt')], ['as user, by documents', mine, cookie], ['as user, by documents, equal', mine, cookie, ...plain]]
	const urlOf = (docs, queries, total) => `${docs}?total=${total}${queries.map((x, i) => `&queries[${i}]=${encodeURIComponent(x)}`).join('')}`
	async function compare(name, docs, headers, queries, target) {
		for (const total of [true, false])
			for (let i = 0; i < 20; i++) await s.ok('GET', urlOf(docs, queries, total), { headers })
		const [a, b] = await inTurns([true, false], 2, (total) => load(s, urlOf(docs, queries, total), headers, 1))
		console.log(`${name}: CPU of a list with total ${a.toFixed(0)} us, without ${b.toFixed(0)} us`)
		report(`${name}: with total / without`, a / b, 'x', target)
	}
	for (const [name, docs, headers, ...queries] of kinds) await compare(name, docs, headers, queries, 1.2)
	/* beside updates: its own CPU is in both */
	for (const [name, queries, each, target] of [['50,000, beside 20 updates a second', plain, 50, 1.2], ['50,000, beside 200 updates a second', plain, 5], ['2,500, beside 1 update a second', few, 1000], ['2,500, beside 20 updates a second', few, 50]]) {
		let writing = true
		const writer = (async () => { for (let i = 0; writing; i++) { await p.ok('PATCH', `${all}/doc${1 + i % 1000}`, { body: { data: { text: `t${i}` } } }); await sleep(each) } })()
		await compare(name, all, key, queries, target)
		writing = false
		await writer
	}
	/* each list after an update of its own */
	let made = 0
	for (const [name, queries] of [['50,000', plain], ['2,500', few]]) {
		const [a, b] = await inTurns([true, false], 3, async (total) => ({ n: 100, cpu: 1000 * await cpuOver(s, async () => {
			for (let i = 0; i < 100; i++) {
				await p.ok('PATCH', `${all}/doc${1 + i}`, { body: { data: { text: `u${made++}` } } })
				await s.ok('GET', urlOf(all, queries, total), { headers: key })
			}
		}) }))
		console.log(`${name}, an update before each list: CPU of both with total ${a.toFixed(0)} us, without ${b.toFixed(0)} us`)
		report(`${name}, an update before each list: with / without`, a / b, 'x')
	}
	await s.stop()
}

async function related() {
	const at = await begin(), { s, p } = at, rules = { permissions: ['read("any")'] }
	const [plain, c, author] = [await collection(at, 'plain', rules, SOME), await collection(at, 'c', rules, SOME), await collection(at, 'author', rules, SOME.slice(0, 2))]
	await p.ok('POST', `${c.at}/attributes/relationship`, { body: { relatedCollectionId: 'author', type: 'manyToOne', key: 'author' } })
	const data = (n) => ({ title: `title of ${n}`, n, price: n / 8, released: '2020-01-01T00:00:00.000+00:00' })
	for (let n = 0; n < 60; n++) {
		await p.ok('POST', plain.docs, { headers, body: { documentId: `d${n}`, data: data(n) } })
		await p.ok('POST', c.docs, { headers, body: { documentId: `d${n}`, data: { ...data(n), author: { $id: `a${n}`, title: `author of ${n}`, n } } } })
	}
	const key = { ...headers, 'X-Appwrite-Project': p.id, 'X-Appwrite-Key': p.key }, page = (...more) => `?${[q('limit', '', 25), ...more].map((x) => `queries[]=${encodeURIComponent(x)}`).join('&')}&total=false`
	const list = await p.ok('GET', `${c.docs}${page(q('select', '', '*', 'author.*'))}`, { headers })
	if (list.documents.length !== 25 || list.documents.some((d) => d.author?.title !== `author of ${d.n}`)) throw new Error('the relationship is not loaded')
	const [loaded, bare] = await inTurns([`${c.docs}${page(q('select', '', '*', 'author.*'))}`, `${plain.docs}${page()}`], 6, (url) => load(s, url, key, 1))
	console.log(`related: CPU of the list ${loaded.toFixed(0)} us, of the plain one ${bare.toFixed(0)} us`)
	report('related: a list with a relationship / a plain list', loaded / bare, 'x', 2)
	await s.stop()
}

async function transaction() {
	const OPERATIONS = 100, ROUNDS = 20, took = { commit: [], hand: [] }
	const at = await begin(), { s, p, psql } = at, c = await collection(at, 'c', { permissions: ['read("any")'], documentSecurity: true }, SOME)
	s.checked = false
	const row = (k, n) => ({ title: `title of ${n}`, n, price: n / 8, released: '2020-01-01T00:00:00.000+00:00' })
	const columns = `_id,_created,_updated,_perms,_read,${['title', 'n', 'price', 'released'].map((k) => c.column[k]).join()}`
	for (let k = 0; k < ROUNDS; k++) {
		const { $id } = await p.ok('POST', '/databases/transactions', { headers, body: {} }), t = `/databases/transactions/${$id}`
		await p.ok('POST', `${t}/operations`, { headers, body: { operations: Array.from({ length: OPERATIONS }, (_, n) =>
			({ action: 'create', databaseId: 'd', collectionId: 'c', documentId: `t${k}_${n}`, data: { ...row(k, n), $permissions: ['read("users")'] } })) } })
		const begun = now()
		if ((await p.ok('PATCH', t, { headers, body: { commit: true } })).status !== 'committed') throw new Error('not committed')
		took.commit.push(now() - begun)
		const sql = Array.from({ length: OPERATIONS }, (_, n) => {
			const d = row(k, n), json = JSON.stringify({ $id: `h${k}_${n}`, ...d })
			return `INSERT INTO ${c.table} (${columns}) VALUES ('h${k}_${n}', now(), now(), '{"read(\\"users\\")"}', '{users}', '${d.title}', ${d.n}, ${d.price}, '${d.released}');\nSELECT pg_logical_emit_message(true, 'bench', '${json}');`
		})
		const out = psql(`\\timing on\nBEGIN;\n${sql.join('\n')}\nCOMMIT;\n`)
		took.hand.push([...out.matchAll(/Time: ([\d.]+) ms/g)].reduce((sum, m) => sum + Number(m[1]), 0))
	}
	const [a, b] = [took.commit, took.hand].map((v) => percentile(v, 0.5))
	console.log(`transaction: ${OPERATIONS} documents committed in ${a.toFixed(1)} ms, by hand in ${b.toFixed(1)} ms (medians of ${ROUNDS})`)
	report('transaction: a commit / the same by hand', a / b, 'x', 1.3)
	await s.stop()
}

async function format() {
	const { s, p } = await begin(), ada = await p.user({ name: 'Ada' }), by = { cookie: ada.cookie, 'X-Appwrite-Project': p.id }
	const [a, b] = await inTurns([{ ...by, 'x-appwrite-response-format': '2.3.0' }, { ...by, 'x-appwrite-response-format': '1.0.0' }], 8, (h) => load(s, '/account', h, 1))
	console.log(`CPU of the newest form ${a.toFixed(1)} us, of that of 1.0 ${b.toFixed(1)} us`)
	report('the newest form / that of 1.0', a / b, 'x', 1.03)
	await s.stop()
}

async function factor() {
	const { s, p } = await begin(), one = await p.user({ name: 'Ada' }), two = await p.user({ name: 'Ada' }), by = (u) => ({ cookie: u.cookie, 'X-Appwrite-Project': p.id, ...headers })
	const { secret } = await two.ok('POST', '/account/mfa/authenticators/totp')
	await two.ok('PUT', '/account/mfa/authenticators/totp', { body: { otp: code(secret) } })
	await two.ok('PATCH', '/account/mfa', { body: { mfa: true } })
	const [a, b] = await inTurns([by(two), by(one)], 16, (h) => load(s, '/account', h, 1))
	console.log(`CPU with a second factor ${a.toFixed(1)} us, without ${b.toFixed(1)} us`)
	report('with a second factor / without', a / b, 'x', 1.05)
	await s.stop()
}

/* Eight kilobytes and one pass: the hash is some microseconds of it. Each sign-in ends the oldest session, as the project's limit asks. */
async function signin() {
	const { s, p } = await begin({ argon2_memory: '8k', argon2_time: 1 }), email = 'ada@example.org', password = 'password-1234'
	await p.ok('POST', '/users', { body: { userId: 'ada', email, password } })
	const web = family(s.pid).filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').includes('web')), script = path.join(s.data, 'wrk.lua')
	writeFileSync(script, `wrk.method = "POST"; wrk.body = '${JSON.stringify({ email, password })}'; wrk.headers["Content-Type"] = "application/json"; wrk.headers["X-Appwrite-Project"] = "${p.id}"; wrk.headers["X-Appwrite-Response-Format"] = "1.9.5"`)
	const sign = (time) => run('wrk', ['-t', '1', '-c', '4', '-d', time, '-s', script, `${s.endpoint}/account/sessions/email`])
	await sign('2s')
	const before = cpuOf(web)
	let out
	const all = await cpuOver(s, async () => { out = await sign('5s') }), mine = cpuOf(web) - before, n = Number(out.match(/(\d+) requests in/)[1])
	if (n === 0 || /Non-2xx/.test(out)) throw new Error(out)
	console.log(`CPU of a sign-in: web process ${(mine / n).toFixed(0)} us, all processes ${(all * 1000 / n).toFixed(0)} us`)
	report('signin: CPU of the web process', mine / n, 'us', 300)
	await s.stop()
}

const parts = { row, bulk, upsert, totals, related, transaction, factor, signin, format }
for (const part of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts)) await parts[part]()
