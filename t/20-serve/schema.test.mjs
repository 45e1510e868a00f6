/* The background work on schemas ends, whatever is killed in the middle of it: the index is there and used, and no half of one is left. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'

import { server, until } from '../lib/server.mjs'

const ROWS = 200000
let s, p

const psql = (sql) => new Promise((ok, no) => execFile('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql],
	(e, out, err) => (e ? no(new Error(err || e.message)) : ok(out.trim()))))

function children(name) {
	const found = []
	for (const pid of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
		try {
			const stat = readFileSync(`/proc/${pid}/stat`, 'latin1'), end = stat.lastIndexOf(')')
			if (Number(stat.slice(end + 2).split(' ')[1]) === s.pid && stat.slice(stat.indexOf('(') + 1, end) === name && stat[end + 2] !== 'Z') found.push(Number(pid))
		} catch { /* it went meanwhile */ }
	}
	return found
}

before(async () => {
	s = await server({ own: true })
	p = await s.project({ name: 'Schema' })
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
})
after(() => s?.stop())

/* A collection with many documents, and where its table is. */
async function filled(id) {
	const at = `/databases/d/collections/${id}`
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: id, name: id, permissions: ['read("any")'], documentSecurity: false } })
	await p.ok('POST', `${at}/attributes/string`, { body: { key: 'text', size: 200, required: false } })
	const known = await until('the attribute', async () => {
		const a = await p.ok('GET', `${at}/attributes/text`)
		return a.status === 'available'
	})
	assert.ok(known)
	const schema = await psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	const [internal, column] = (await psql(`SELECT collection, 'a_' || a.internal FROM ${schema}.attributes a JOIN ${schema}.collections c ON c.internal = a.collection WHERE c.id = '${id}'`)).split('|')
	const table = `${schema}.c_${internal}`
	await psql(`INSERT INTO ${table} (_id, _created, _updated, _perms, _read, ${column})
		SELECT 'doc' || n, now(), now(), '{}', '{}', 'number' || n || ' of many words that are alike' FROM generate_series(1, ${ROWS}) n`)
	return { at, table }
}

const halves = (table) => psql(`SELECT count(*) FROM pg_index WHERE indrelid = '${table}'::regclass AND NOT (indisvalid AND indisready)`)

for (const victim of ['badal-jobs', 'postgres'])
	test(`${victim} is killed while an index is built`, { timeout: 300000 }, async () => {
		const { at, table } = await filled(victim)
		await p.ok('POST', `${at}/indexes`, { body: { key: 'words', type: 'fulltext', attributes: ['text'] } })
		await until('the build is on its way', async () =>
			(await psql(`SELECT count(*) FROM pg_stat_progress_create_index WHERE relid = '${table}'::regclass AND phase LIKE 'building%'`)) !== '0', 60000)
		assert.equal(await halves(table), '1')
		const pids = children(victim)
		assert.ok(pids.length > 0, `${victim} runs`)
		for (const pid of pids) process.kill(pid, 'SIGKILL')
		/* writers do not wait for any of it */
		await until('a write', async () =>
			(await p.call('POST', `${at}/documents`, { body: { documentId: 'late', data: { text: 'afterwards' } } }).catch(() => ({}))).status === 201, 60000)
		await until('the index is available', async () => (await p.ok('GET', `${at}/indexes/words`).catch(() => ({}))).status === 'available', 240000)
		assert.equal(await halves(table), '0')
		assert.equal(await psql(`SELECT count(*) FROM pg_indexes WHERE schemaname || '.' || tablename = '${table}' AND indexname LIKE 'i\\_%'`), '1')
		for (const [word, id] of [['afterwards', 'late'], ['number777', 'doc777']]) {
			const found = await p.ok('GET', `${at}/documents`, { query: { queries: [`search("text", "${word}")`, 'limit(1)'] } })
			assert.deepEqual(found.documents.map((d) => d.$id), [id])
		}
		const plan = await p.ok('GET', `${at}/documents`, { query: { queries: ['search("text", "afterwards")'], explain: '1' } })
		assert.ok(plan.indexes.includes('words'), JSON.stringify(plan.indexes))
	})

/* A transaction that keeps a lock on a table, until the function it gives is called. */
async function hold(table, mode) {
	const c = spawn('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1'], { stdio: ['pipe', 'pipe', 'inherit'] })
	let out = ''
	c.stdout.on('data', (d) => (out += d))
	c.stdin.write(`BEGIN; LOCK TABLE ${table} IN ${mode} MODE; SELECT 'held';\n`)
	await until('the lock', () => out.includes('held'))
	return () => new Promise((ok) => { c.on('exit', ok); c.stdin.end('COMMIT;\n') })
}

const answer = async (target) => (await p.call('GET', target).catch(() => ({}))) ?? {}
const exists = async (table) => (await psql(`SELECT to_regclass('${table}') IS NOT NULL`)) === 't'

/* A collection of two attributes with an index over both and one over the first. */
async function small(id, db = 'd') {
	const at = `/databases/${db}/collections/${id}`
	await p.ok('POST', `/databases/${db}/collections`, { body: { collectionId: id, name: id } })
	for (const key of ['a', 'b']) await p.ok('POST', `${at}/attributes/integer`, { body: { key, required: false } })
	await p.ok('POST', `${at}/documents`, { body: { documentId: 'one', data: { a: 1, b: 2 } } })
	for (const [key, attributes] of [['ab', ['b', 'a']], ['just', ['b']]]) await p.ok('POST', `${at}/indexes`, { body: { key, type: 'key', attributes } })
	await until('the indexes', async () => (await p.ok('GET', `${at}/indexes`)).indexes.every((x) => x.status === 'available'))
	const schema = await psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	const table = await psql(`SELECT 'c_' || c.internal FROM ${schema}.collections c JOIN ${schema}.databases d ON d.internal = c.database WHERE c.id = '${id}' AND d.id = '${db}'`)
	const columns = () => psql(`SELECT count(*) FROM pg_attribute WHERE attrelid = '${schema}.${table}'::regclass AND attname LIKE 'a\\_%' AND NOT attisdropped`)
	const built = () => psql(`SELECT count(*) FROM pg_indexes WHERE schemaname = '${schema}' AND tablename = '${table}' AND indexname LIKE 'i\\_%'`)
	return { at, table: `${schema}.${table}`, columns, built }
}

/* what is asked for while somebody uses the table, the lock that this somebody has, and what must be true in the end */
const steps = {
	'an attribute is made': { mode: 'ACCESS SHARE', ask: (c) => p.ok('POST', `${c.at}/attributes/boolean`, { body: { key: 'new', required: false } }),
		done: async (c) => (await answer(`${c.at}/attributes/new`)).body?.status === 'available', columns: 3, indexes: 2 },
	'an attribute is deleted': { mode: 'ACCESS SHARE', ask: (c) => p.ok('DELETE', `${c.at}/attributes/b`),
		done: async (c) => (await answer(`${c.at}/attributes/b`)).status === 404 && (await answer(`${c.at}/indexes`)).body?.indexes?.every((x) => x.status === 'available'),
		columns: 1, indexes: 1 },
	'an index is made': { mode: 'ROW EXCLUSIVE', ask: (c) => p.ok('POST', `${c.at}/indexes`, { body: { key: 'new', type: 'unique', attributes: ['a'] } }),
		done: async (c) => (await answer(`${c.at}/indexes/new`)).body?.status === 'available', columns: 2, indexes: 3 },
	'an index is deleted': { mode: 'ROW EXCLUSIVE', ask: (c) => p.ok('DELETE', `${c.at}/indexes/ab`),
		done: async (c) => (await answer(`${c.at}/indexes/ab`)).status === 404, columns: 2, indexes: 1 },
	'a collection is deleted': { mode: 'ACCESS SHARE', ask: (c) => p.ok('DELETE', c.at), done: async (c) => !(await exists(c.table)) },
	'a database is deleted': { mode: 'ACCESS SHARE', db: true, ask: (c) => p.ok('DELETE', c.at.split('/collections')[0]), done: async (c) => !(await exists(c.table)) },
}
test('the jobs process is killed in the middle of everything', { timeout: 200000 }, async () => {
	const all = Object.entries(steps).map(([what, step]) => ({ what, id: what.replaceAll(' ', '-'), ...step }))
	for (const one of all) {
		if (one.db) await p.ok('POST', '/databases', { body: { databaseId: one.id, name: 'D' } })
		one.c = await small(one.id, one.db ? one.id : 'd')
		one.go = await hold(one.c.table, one.mode)
	}
	await Promise.all(all.map(({ ask, c }) => ask(c)))
	/* one worker drops the tables of all that is deleted */
	await until('the jobs wait', async () => (await psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")) === '5', 60000)
	const [pid, ...more] = children('badal-jobs')
	assert.deepEqual(more, [])
	process.kill(pid, 'SIGKILL')
	await until('another one', () => children('badal-jobs').some((other) => other !== pid))
	for (const { what, done, c } of all) assert.equal(await done(c), false, what)
	await Promise.all(all.map(({ go }) => go()))
	for (const { what, done, c, columns, indexes } of all) {
		await until(what, () => done(c), 120000)
		if (columns === undefined) continue
		assert.equal(await halves(c.table), '0', what)
		assert.equal(await c.columns(), String(columns), what)
		assert.equal(await c.built(), String(indexes), what)
		await p.ok('POST', `${c.at}/documents`, { body: { documentId: 'two', data: { a: 5 } } })
	}
})

test('a unique index that cannot be leaves nothing behind', async () => {
	const c = await small('twins')
	await p.ok('POST', `${c.at}/documents`, { body: { documentId: 'two', data: { a: 1 } } })
	await p.ok('POST', `${c.at}/indexes`, { body: { key: 'new', type: 'unique', attributes: ['a'] } })
	await until('it fails', async () => (await p.ok('GET', `${c.at}/indexes/new`)).status === 'failed')
	assert.equal(await halves(c.table), '0')
	assert.equal(await c.built(), '2')
})

test('a collection that is made anew does not wait for an index of the one that had its id', { timeout: 120000 }, async () => {
	const c = await small('again'), go = await hold(c.table, 'ROW EXCLUSIVE')
	await p.ok('POST', `${c.at}/indexes`, { body: { key: 'new', type: 'key', attributes: ['a'] } })
	await until('the job waits', async () => (await psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")) === '1')
	await p.ok('DELETE', c.at)
	const d = await small('again')
	assert.equal(await d.built(), '2')
	assert.ok(await exists(c.table))
	await go()
	await until('the old table is gone', async () => !(await exists(c.table)), 90000)
	assert.equal(await d.built(), '2')
})
