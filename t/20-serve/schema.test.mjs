/* The background work on schemas ends, whatever is killed in the middle of it: what was asked for is there, and no half of it is left. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, test } from 'node:test'

import { until } from '../lib/server.mjs'
import { psqlArgs, schemaServer } from './lib.mjs'

let s, p, psql, halves, children
before(async () => { ({ s, p, psql, halves, children } = await schemaServer()) })
const holders = new Set()
after(() => { holders.forEach((c) => c.kill()); return s?.stop() })

/* A transaction that keeps a lock on a table, until the function it gives is called. */
async function hold(table, mode) {
	const c = spawn('psql', psqlArgs(s), { stdio: ['pipe', 'pipe', 'inherit'] })
	holders.add(c)
	let out = ''
	c.stdout.on('data', (d) => (out += d))
	c.stdin.write(`BEGIN; LOCK TABLE ${table} IN ${mode} MODE; SELECT 'held';\n`)
	await until('the lock', () => out.includes('held'))
	return () => new Promise((ok) => { holders.delete(c); c.on('exit', ok); c.stdin.end('COMMIT;\n') })
}

/* Until each of these statements was seen waiting for a lock: a job gives up after a while and comes again, so they do not all wait at one time. */
async function waited(...statements) {
	const missing = new Set(statements)
	await until('the jobs wait', async () => {
		const now = await psql("SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
		for (const one of missing) if (now.includes(one)) missing.delete(one)
		return missing.size === 0
	}, 60000)
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
test('no index on an attribute that is not there yet', { timeout: 100000 }, async () => {
	const c = await small('early'), go = await hold(c.table, 'ACCESS SHARE'), index = { key: 'early', type: 'key', attributes: ['new'] }
	await p.ok('POST', `${c.at}/attributes/boolean`, { body: { key: 'new', required: false } })
	const r = await p.call('POST', `${c.at}/indexes`, { body: index })
	assert.deepEqual([r.status, r.body.type], [400, 'attribute_not_available'], r.text)
	await go()
	await until('the attribute', async () => (await answer(`${c.at}/attributes/new`)).body?.status === 'available', 60000)
	assert.equal((await p.call('POST', `${c.at}/indexes`, { body: index })).status, 202)
})
test('the jobs process is killed in the middle of everything', { timeout: 200000 }, async () => {
	const all = Object.entries(steps).map(([what, step]) => ({ what, id: what.replaceAll(' ', '-'), ...step }))
	for (const one of all) {
		if (one.db) await p.ok('POST', '/databases', { body: { databaseId: one.id, name: 'D' } })
		one.c = await small(one.id, one.db ? one.id : 'd')
		one.go = await hold(one.c.table, one.mode)
	}
	await Promise.all(all.map(({ ask, c }) => ask(c)))
	await waited('ADD COLUMN', 'DROP COLUMN', 'CREATE UNIQUE INDEX', 'DROP INDEX', 'DROP TABLE')
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
	await waited('CREATE INDEX')
	await p.ok('DELETE', c.at)
	const d = await small('again')
	assert.equal(await d.built(), '2')
	assert.ok(await exists(c.table))
	await go()
	await until('the old table is gone', async () => !(await exists(c.table)), 90000)
	assert.equal(await d.built(), '2')
})
