/* Totals of lists are those of SQL at all times, also where they are remembered (src/model/query_total.c). */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { server, until } from '../lib/server.mjs'
import { collection, database, json, list } from './docs.mjs'

let s, p, args, schema, db, user
const psql = (sql) => execFileSync('psql', [...args, '-c', sql], { encoding: 'utf8' }).trim()

before(async () => {
	s = await server({ own: true, conf: { web_processes: 1 } })
	p = await s.project()
	user = await p.user()
	args = ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1']
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	db = await database(p)
})
after(() => s.stop())

/* A collection with `rows` documents n = 1, which users may read, and as its table and column PostgreSQL has them. */
async function filled(rows) {
	const c = await collection(p, db, { permissions: ['create("users")', 'update("users")', 'delete("users")'], documentSecurity: true, attributes: { n: { type: 'integer' }, t: { type: 'string', size: 20 } } })
	const internal = psql(`SELECT internal FROM ${schema}.collections WHERE id = '${c.id}'`)
	c.table = `${schema}.c_${internal}`
	c.column = psql(`SELECT 'a_' || internal FROM ${schema}.attributes WHERE collection = ${internal} AND key = 'n'`)
	c.insert = (from, to, n = 1, role = 'users') => `INSERT INTO ${c.table} (_id, _created, _updated, _perms, _read, ${c.column}) SELECT 's' || i, now(), now(), ARRAY['read("${role}")'], ARRAY['${role}'], ${n} FROM generate_series(${from}, ${to}) i`
	psql(c.insert(1, rows))
	return c
}
const one = json('equal', 'n', [1]), five = json('limit', undefined, [5])
const totalOf = async (c, queries = [one, five], caller = p.call) => {
	const r = await list(caller, c, queries)
	assert.equal(r.status, 200, r.text)
	return r.body.total
}
const truth = (c, roles = []) => Number(psql(`SELECT count(*) FROM ${c.table} WHERE ${c.column} = 1${roles.length ? ` AND _read && ARRAY['${roles.join("','")}']` : ''}`))
const known = async () => Number((await s.call('GET', '/metrics', { root: true })).text.match(/^badal_totals_known_total (\d+)/m)[1])
/* Lists until the total is one that was remembered. */
const warm = (c, queries, caller) => until('the total is known', async () => {
	const was = await known()
	await totalOf(c, queries, caller)
	return await known() > was
})
/* A transaction that has done `sql`; the function it gives ends it. */
async function hold(sql) {
	const c = spawn('psql', args, { stdio: ['pipe', 'pipe', 'inherit'] })
	let out = ''
	c.stdout.on('data', (d) => (out += d))
	c.stdin.write(`BEGIN; ${sql}; SELECT 'held';\n`)
	await until('it is done', () => out.includes('held'))
	return (end) => new Promise((ok) => { c.on('exit', ok); c.stdin.end(`${end};\n`) })
}

test('a total is known until a row changes, whoever changes it', async () => {
	const c = await filled(30), at = (id) => `${c.docs}/${id}`, swap = `ALTER TABLE ${c.table} ALTER ${c.column} TYPE bigint USING 3 - ${c.column}`
	psql(c.insert(51, 60, 2))
	psql(c.insert(61, 68, 1, 'user:other'))
	const changes = {
		'created': () => p.ok('POST', c.docs, { body: { documentId: 'new', data: { n: 1 } } }),
		'created by a user': () => user.ok('POST', c.docs, { body: { documentId: 'own', data: { n: 1 } } }),
		'matches no longer': () => p.ok('PATCH', at('s1'), { body: { data: { n: 2 } } }),
		'matches again': () => p.ok('PATCH', at('s1'), { body: { data: { n: 1 } } }),
		'changed elsewhere': () => p.ok('PATCH', at('s1'), { body: { data: { t: 'x' } } }),
		'read by others': () => p.ok('PATCH', at('s1'), { body: { permissions: ['read("user:other")'] } }),
		'deleted': () => p.ok('DELETE', at('s1')),
		'inserted': () => psql(c.insert(101, 103)),
		'copied': () => execFileSync('psql', [...args, '-c', `COPY ${c.table} (_id, _created, _updated, _perms, _read, ${c.column}) FROM STDIN`], { input: 'copied\t2022-01-01\t2022-01-01\t{}\t{users}\t1\n' }),
		'deleted by a block': () => psql(`DO $$ BEGIN DELETE FROM ${c.table} WHERE _id IN ('s2', 's3'); END $$`),
		'undone': () => psql(`BEGIN; DELETE FROM ${c.table}; ROLLBACK`),
		'undone in part': () => psql(`BEGIN; DELETE FROM ${c.table} WHERE _id = 's4'; SAVEPOINT a; DELETE FROM ${c.table}; ROLLBACK TO a; COMMIT`),
		'as a replica': () => psql(`SET session_replication_role = replica; DELETE FROM ${c.table} WHERE _id = 's5'`),
		'written anew': () => psql(swap),
		'and again': () => psql(swap),
		'emptied': () => psql(`TRUNCATE ${c.table}`),
	}
	for (const [what, change] of Object.entries(changes)) {
		for (const caller of [p.call, user.call]) await warm(c, [one, five], caller)
		await change()
		assert.equal(await totalOf(c), truth(c), what)
		assert.equal(await totalOf(c, [one, five], user.call), truth(c, ['any', 'users', `user:${user.id}`]), what)
	}
})

test('what is written and not committed yet is counted from its commit on, and never remembered as missing', async () => {
	const c = await filled(30)
	for (const [end, n] of [['COMMIT', 28], ['ROLLBACK', 28], ['COMMIT', 26]]) {
		const was = truth(c), go = await hold(`DELETE FROM ${c.table} WHERE _id IN (SELECT _id FROM ${c.table} WHERE ${c.column} = 1 LIMIT 2)`)
		/* it has its numbers: whoever looks now finds none later */
		for (let i = 0; i < 8; i++) assert.equal(await totalOf(c), was)
		if (n === 26) psql("SELECT pg_logical_emit_message(true, 'test', 'one that ends meanwhile')")
		for (let i = 0; i < 4; i++) assert.equal(await totalOf(c), was)
		await go(end)
		assert.equal(await totalOf(c), n, end)
		await warm(c, [one, five])
		assert.equal(await totalOf(c), n, end)
	}
})

test('one that writes after the total was remembered changes it with its commit', async () => {
	const c = await filled(30)
	await warm(c, [one, five])
	const go = await hold(`DELETE FROM ${c.table} WHERE _id = 's1'`)
	for (let i = 0; i < 4; i++) assert.equal(await totalOf(c), 30)
	await go('COMMIT')
	assert.equal(await totalOf(c), 29)
})

test('what is known belongs to filters and caller, not to the page', async () => {
	const c = await filled(30)
	psql(c.insert(51, 60, 2, 'user:other'))
	await warm(c, [one, five])
	for (const more of [[json('orderDesc', '$createdAt'), five], [json('limit', undefined, [3]), json('offset', undefined, [7])], [json('cursorAfter', undefined, ['s3']), five], [json('cursorBefore', undefined, ['s20']), five], [json('limit', undefined, [30])]]) {
		const was = await known()
		assert.equal(await totalOf(c, [one, ...more]), 30, `${more}`)
		assert.equal(await known(), was + 1, `${more}`)
	}
	for (const [queries, caller, n] of [[[five], p.call, 40], [[json('equal', 'n', [2]), five], p.call, 10], [[five], user.call, 30]])
		for (let i = 0; i < 5; i++) assert.equal(await totalOf(c, queries, caller), n, `${queries}`)
	assert.equal((await list(p.call, c, [one, five], { total: 'false' })).body.total, 0)
})

test('more than are told of stay known while few rows change', async () => {
	const c = await filled(6500)
	await warm(c, [one, five])
	/* a page that is too large to learn from */
	assert.equal((await list(p.call, c, [one, json('limit', undefined, [150])])).body.total, 5000)
	psql(`UPDATE ${c.table} SET _updated = now()`)
	assert.equal((await list(p.call, c, [one, json('limit', undefined, [150])])).body.total, 5000)
	await warm(c, [one, five])
	/* the first may have counted no more than it tells of */
	psql(`UPDATE ${c.table} SET _updated = now() WHERE _id = 's1'`)
	assert.equal(await totalOf(c), 5000)
	await warm(c, [one, five])
	for (const rows of [1, 300, 300]) {
		const was = await known()
		psql(`DELETE FROM ${c.table} WHERE _seq IN (SELECT _seq FROM ${c.table} ORDER BY _seq LIMIT ${rows})`)
		assert.equal(await totalOf(c), 5000)
		assert.equal(await known(), was + 1)
	}
	psql(`DELETE FROM ${c.table} WHERE _seq IN (SELECT _seq FROM ${c.table} ORDER BY _seq LIMIT 898)`)
	assert.equal(await totalOf(c), 5000)
	assert.equal(truth(c), 5001)
	await warm(c, [one, five])
	for (const n of [5000, 4999, 4998]) {
		await p.ok('DELETE', `${c.docs}/${psql(`SELECT _id FROM ${c.table} LIMIT 1`)}`)
		assert.equal(await totalOf(c), n)
	}
})

/* Whoever lists sees what was answered before the list was asked for, and nothing that was begun after its answer. */
describe('beside writers', () => {
	const seed = Math.floor(Math.random() * 1e9)
	let state = seed
	const random = (n) => (state = (state * 1103515245 + 12345) % 2147483648, Math.floor(state / 65536) % n)

	test(`totals are of a moment while the list was made (seed ${seed})`, async () => {
		const c = await filled(40), ends = { low: 40, high: 40, lists: new Set() }, mine = { low: 40, high: 40, lists: new Set() }
		let running = true, lists = 0
		/* each list that is being made is told of the lowest and the highest until its end */
		const move = (x, side, by) => {
			x[side] += by
			for (const l of x.lists) l[side] = (side === 'low' ? Math.min : Math.max)(l[side], x[side])
		}
		/* by how much a change moves the total of the key, and of the user */
		async function changing(all, readable, change) {
			for (const [x, by] of [[ends, all], [mine, readable]]) move(x, by > 0 ? 'high' : 'low', by)
			await change()
			for (const [x, by] of [[ends, all], [mine, readable]]) move(x, by > 0 ? 'low' : 'high', by)
		}
		/* bursts with time between, so that some totals come to be known */
		const rest = async () => { const from = lists; await until('others list', () => lists > from + random(20)) }
		async function writer(name) {
			for (let i = 0; i < 12; i++) {
				const id = `${name}${i}`, at = `${c.docs}/${id}`, hidden = random(2), permissions = [hidden ? 'read("user:other")' : 'read("users")'], by = hidden ? 0 : 1
				await changing(1, by, () => p.ok('POST', c.docs, { body: { documentId: id, data: { n: 1 }, permissions } }))
				if (random(3) === 0) await changing(-1, -by, () => p.ok('PATCH', at, { body: { data: { n: 2 } } }))
				else if (random(2) === 0) await changing(-1, -by, () => p.ok('DELETE', at))
				if (random(2) === 0) await rest()
			}
		}
		async function transactions() {
			for (let i = 0; i < 10; i++) {
				const go = await hold(`${c.insert(10000 + 10 * i, 10002 + 10 * i)}; DELETE FROM ${c.table} WHERE _id = 's${i + 1}'`)
				await rest()
				if (random(3) === 0) await go('ROLLBACK')
				else await changing(2, 2, () => go('COMMIT'))
				await rest()
			}
		}
		async function reader(caller, x, ...queries) {
			while (running) {
				const made = { low: x.low, high: x.high }
				x.lists.add(made)
				const n = await totalOf(c, [one, ...queries], caller)
				x.lists.delete(made)
				assert.ok(made.low <= n && n <= made.high, `${made.low} <= ${n} <= ${made.high}, ${queries}`)
				lists++
			}
		}
		const readers = [reader(p.call, ends, five), reader(p.call, ends, json('orderDesc', '$createdAt'), five), reader(user.call, mine, five), reader(user.call, mine, json('offset', undefined, [3]), five)]
		const was = await known(), watched = Promise.all(readers)
		await Promise.race([Promise.all([writer('a'), writer('b'), transactions()]), watched])
		running = false
		await watched
		assert.ok(await known() > was)
		assert.equal(await totalOf(c), truth(c))
		assert.equal(ends.low, truth(c))
		assert.equal(await totalOf(c, [one, five], user.call), truth(c, ['any', 'users', `user:${user.id}`]))
	})
})

test('a collection that an older program made is counted each time, until its changes take numbers', async () => {
	/* a project of its own: the migration is of all collections of one */
	const q = await s.project(), schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${q.id}'`)
	const c = await collection(q, await database(q), { attributes: { n: { type: 'integer' } } }), internal = psql(`SELECT internal FROM ${schema}.collections`)
	const table = `${schema}.c_${internal}`, insert = (id) => psql(`INSERT INTO ${table} (_id, _created, _updated, _perms, _read) SELECT '${id}' || i, now(), now(), '{}', '{}' FROM generate_series(1, 20) i`)
	insert('a')
	await warm(c, [five], q.call)
	psql(`DROP FUNCTION ${schema}.counted CASCADE; DROP SEQUENCE ${schema}.v_${internal}`)
	const was = await known()
	for (const n of [20, 40, 60]) {
		for (let i = 0; i < 4; i++) assert.equal(await totalOf(c, [five], q.call), n)
		insert(`b${n}`)
	}
	assert.equal(await known(), was)
	const owner = psql(`SELECT tableowner FROM pg_tables WHERE schemaname = '${schema}' AND tablename = 'c_${internal}'`)
	psql(`SET ROLE "${owner}";` + readFileSync(new URL('../../sql/project/0019_totals.sql', import.meta.url), 'utf8').replaceAll(':schema', schema))
	await q.ok('PUT', c.path, { body: { name: 'Read anew' } })
	await warm(c, [five], q.call)
	insert('c')
	assert.equal(await totalOf(c, [five], q.call), 100)
	/* what belongs to the table goes with it */
	await q.ok('DELETE', c.path)
	await until('it is gone', () => psql(`SELECT count(*) FROM pg_class WHERE relnamespace = '${schema}'::regnamespace AND relname IN ('c_${internal}', 'v_${internal}')`) === '0')
})

/* It is read in a transaction of PostgreSQL's, which sees what is staged. */
test('what a transaction of a client shows is counted, and nothing of it remembered', async () => {
	const c = await filled(30), at = '/tablesdb/transactions', headers = { 'x-appwrite-response-format': '1.9.5' }
	await warm(c, [one, five])
	const t = await p.ok('POST', at, { headers, body: {} }), rows = `/tablesdb/${db}/tables/${c.id}/rows`
	await p.ok('POST', rows, { headers, body: { rowId: 'staged', data: { n: 1 }, transactionId: t.$id } })
	for (let i = 0; i < 4; i++) {
		const was = await known()
		assert.equal((await p.ok('GET', rows, { headers, query: { queries: [one, five], transactionId: t.$id } })).total, 31)
		assert.equal(await known(), was)
		assert.equal(await totalOf(c), 30)
	}
	await p.ok('PATCH', `${at}/${t.$id}`, { headers, body: { rollback: true } })
	for (let i = 0; i < 4; i++) assert.equal(await totalOf(c), 30)
})

/* (spec databases.md 10.6) */
test('total=false on every list: nothing is counted', async () => {
	const c = await filled(30)
	await p.ok('POST', `${c.path}/indexes`, { body: { key: 'i', type: 'key', attributes: ['n'] } })
	for (const target of ['/databases', `/databases/${db}/collections`, `${c.path}/attributes`, `${c.path}/indexes`, c.docs]) {
		assert.ok((await p.ok('GET', target)).total > 0, target)
		for (const [value, counted] of [['false', false], ['0', false], ['true', true], ['1', true]]) {
			const { total, ...more } = await p.ok('GET', target, { query: { total: value } })
			assert.equal(total > 0, counted, `${target} ${value}`)
			assert.ok(Object.values(more)[0].length > 0)
		}
		assert.equal((await p.call('GET', target, { query: { total: 'maybe' } })).body.type, 'general_argument_invalid', target)
	}
})

/* Numbers that were given out before a crash of PostgreSQL may be given out again after it, for other changes. The last: it ends connections. */
test('what was counted before a crash is not known after it', async () => {
	const c = await filled(33)	/* as many numbers as a sequence logs at once */
	psql("ALTER SYSTEM SET wal_writer_delay = '10s'")
	psql('SELECT pg_reload_conf()')
	psql(`SET synchronous_commit = off; ${c.insert(101, 103)}`)
	await warm(c, [one, five])
	const was = await known(), begun = 'SELECT stats_reset FROM pg_stat_bgwriter', before = psql(begun)
	process.kill(Number(psql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'")), 'SIGKILL')
	await until('PostgreSQL is there again', () => {
		const now = spawnSync('psql', [...args, '-c', begun], { encoding: 'utf8' }).stdout.trim()
		return now !== '' && now !== before
	})
	psql(`DELETE FROM ${c.table} WHERE _id IN ('s1', 's2', 's3')`)
	await until('lists are', async () => (await list(p.call, c, [one, five])).status === 200)
	assert.equal(await known(), was)
	assert.equal(await totalOf(c), truth(c))
})
