/* Requests that lose against others in the database, or take too long there: what was undone is done again, else the answer is 503 and nothing is kept. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { server, sleep, until } from '../lib/server.mjs'
import { collection, database } from './docs.mjs'
import { fails } from './lib.mjs'

let s, p, args, schema, db
const psql = (sql) => execFileSync('psql', [...args, '-c', sql], { encoding: 'utf8' }).trim()

async function begin(conf) {
	s = await server({ own: true, conf: { web_processes: 1, ...conf } })
	p = await s.project()
	args = ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1']
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	db = await database(p)
}
before(() => begin({}))
after(() => s.stop())

/* A transaction that has done `sql`; the function it gives does more and ends it. In a deadlock it is the other one that gives in. */
async function hold(sql) {
	const c = spawn('psql', args, { stdio: ['pipe', 'pipe', 'inherit'] })
	let out = ''
	c.stdout.on('data', (d) => (out += d))
	c.stdin.write(`SET deadlock_timeout = '100s'; BEGIN; ${sql}; SELECT 'held';\n`)
	await until('the lock', () => out.includes('held'))
	return (more = '') => new Promise((ok) => { c.on('exit', ok); c.stdin.end(`${more} COMMIT;\n`) })
}
const waiting = (n) => until(`${n} wait`, () => Number(psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")) === n)
const retries = async () => Number((await s.call('GET', '/metrics', { root: true })).text.match(/^badal_db_retries_total (\d+)/m)[1])

/* A collection with a unique value, and its table as PostgreSQL knows it. */
async function unique() {
	const c = await collection(p, db, { attributes: { u: { type: 'string', size: 20 } }, indexes: { u: { type: 'unique', attributes: ['u'] } } })
	const [table, column] = psql(`SELECT 'c_' || c.internal, 'a_' || a.internal FROM ${schema}.attributes a JOIN ${schema}.collections c
		ON c.internal = a.collection WHERE c.id = '${c.id}'`).split('|')
	c.table = `${schema}.${table}`
	c.column = column
	c.insert = (id, u) => `INSERT INTO ${c.table} (_id, _created, _updated, _perms, _read, ${column}) VALUES ('${id}', now(), now(), '{}', '{}', '${u}')`
	c.update = (id, u) => p.call('PATCH', `${c.docs}/${id}`, { body: { data: { u } } })
	c.create = (id, u) => p.call('POST', c.docs, { body: { documentId: id, data: { u } } })
	c.all = async () => (await p.ok('GET', c.docs)).documents.map((d) => `${d.$id}=${d.u}`).sort()
	return c
}

test('a transaction that loses a deadlock is done again', async () => {
	const c = await unique(), was = await retries()
	await c.doc({ u: 'old' }, { id: 'a' })
	const go = await hold(c.insert('other', 'new')), reply = c.update('a', 'new')	/* has the row, wants the value */
	await waiting(1)
	await go(`SELECT 1 FROM ${c.table} WHERE _id = 'a' FOR UPDATE; DELETE FROM ${c.table} WHERE _id = 'other';`)
	const r = await reply
	assert.equal(r.status, 200, r.text)
	assert.equal(r.body.u, 'new')
	assert.deepEqual(await c.all(), ['a=new'])
	assert.equal(await retries(), was + 1)
})

test('a transaction that loses a deadlock and then meets what the other has done', async () => {
	const c = await unique()
	await c.doc({ u: 'old' }, { id: 'a' })
	const go = await hold(c.insert('other', 'new')), reply = c.update('a', 'new')
	await waiting(1)
	await go(`SELECT 1 FROM ${c.table} WHERE _id = 'a' FOR UPDATE;`)
	fails(await reply, 409, 'document_already_exists')
	assert.deepEqual(await c.all(), ['a=old', 'other=new'])
})

test('a single statement that loses a deadlock is done again', async () => {
	const c = await unique(), was = await retries()
	const go = await hold(c.insert('other', 'new')), reply = c.create('a', 'new')	/* has the id, wants the value */
	await waiting(1)
	await go(`${c.insert('a', 'x')}; DELETE FROM ${c.table};`)
	const r = await reply
	assert.equal(r.status, 201, r.text)
	assert.deepEqual(await c.all(), ['a=new'])
	assert.equal(await retries(), was + 1)
})

test('serialization failures: again, a bounded number of times', async () => {
	const c = await unique(), fail = (times) => psql(`CREATE SEQUENCE IF NOT EXISTS public.tries; SELECT setval('public.tries', 1, false);
		CREATE OR REPLACE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
			IF nextval('public.tries') <= ${times} THEN RAISE 'no' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$;
		DROP TRIGGER IF EXISTS fail ON ${c.table}; CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON ${c.table} FOR EACH ROW EXECUTE FUNCTION public.fail()`)
	fail(2)
	assert.equal((await c.create('a', 'one')).status, 201)
	fail(2)
	assert.equal((await c.update('a', 'two')).status, 200)
	fail(1000)
	fails(await c.create('b', 'x'), 503, 'general_busy')
	fails(await c.update('a', 'x'), 503, 'general_busy')
	assert.ok(Number(psql('SELECT last_value FROM public.tries')) <= 12)
	assert.deepEqual(await c.all(), ['a=two'])
})

/* The tests before wait for locks in their midst, and are not to be late: the ones from here on are. */
test('a lock that is not given in time', async () => {
	await s.stop()
	await begin({ db_statement_timeout: '3s', db_lock_timeout: '2s' })
	const c = await unique()
	await c.doc({ u: 'old' }, { id: 'a' })
	const go = await hold(`SELECT 1 FROM ${c.table} WHERE _id = 'a' FOR UPDATE`)
	fails(await c.update('a', 'new'), 503, 'general_busy')
	await go()
	assert.deepEqual(await c.all(), ['a=old'])
	assert.equal((await c.update('a', 'new')).status, 200)
})

test('a statement that takes too long', async () => {
	const c = await unique()
	psql(`CREATE OR REPLACE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3600); RETURN NEW; END $$;
		CREATE TRIGGER slow BEFORE INSERT ON ${c.table} FOR EACH ROW EXECUTE FUNCTION public.slow()`)
	fails(await c.create('a', 'one'), 503, 'general_timeout')
	assert.equal(psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), '0')
	psql(`DROP TRIGGER slow ON ${c.table}`)
	assert.deepEqual(await c.all(), [])
	assert.equal((await c.create('a', 'one')).status, 201)
})

test('the build of an index may take its time, and wait for others', async () => {
	const c = await unique(), go = await hold(`LOCK TABLE ${c.table} IN ROW EXCLUSIVE MODE`)
	await p.ok('POST', `${c.path}/indexes`, { body: { key: 'k', type: 'key', attributes: ['u'] } })
	await waiting(1)
	await sleep(4000)
	assert.equal((await p.ok('GET', `${c.path}/indexes/k`)).status, 'processing')
	await go()
	await until('the index', async () => (await p.ok('GET', `${c.path}/indexes/k`)).status === 'available')
})

/* Whatever PostgreSQL refuses, and however: the client gets words of ours. */
test('what PostgreSQL says stays inside', async () => {
	const own = await server({ own: true, conf: { env: 'development' } }), q = await own.project()
	const sql = (text) => execFileSync('psql', ['-h', path.join(own.dataDir, 'run'), ...args.slice(2), '-c', text], { encoding: 'utf8' }).trim()
	const space = sql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${q.id}'`), c = await collection(q, await database(q), { attributes: { n: { type: 'integer' } } })
	const table = `${space}.${sql(`SELECT 'c_' || internal FROM ${space}.collections WHERE id = '${c.id}'`)}`, u = await q.user()
	await c.doc({ n: 1 }, { id: 'one' })
	await c.doc({ n: 1 }, { id: 'two' })
	for (const state of ['P0001', '22001', '22P02', '22012', '23502', '23503', '23505', '23514', '25P02', '42501', '42601', '42P01', '42703', '42883', '53100', '54000', '54011', '57014', '58030', 'XX000', '0A000', '40001', '55P03']) {
		sql(`CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'INNER relation "%" violates', TG_TABLE_NAME
			USING ERRCODE = '${state}', CONSTRAINT = 'INNER_key', TABLE = 'INNER', COLUMN = 'INNER', DETAIL = 'INNER', HINT = 'INNER'; END $$`)
		for (const t of [table, `${space}.users`, `${space}.databases`, `${space}.collections`, `${space}.attributes`, `${space}.indexes`, `${space}.teams`])
			sql(`CREATE OR REPLACE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON ${t} FOR EACH ROW EXECUTE FUNCTION public.refuse()`)
		for (const [method, target, body] of [['POST', c.docs, { documentId: 'x', data: { n: 1 } }], ['PATCH', `${c.docs}/one`, { data: { n: 2 } }], ['DELETE', `${c.docs}/one`],
			['POST', '/users', { userId: 'unique()', email: `${state}@example.org` }], ['PATCH', `/users/${u.id}/name`, { name: 'x' }], ['POST', '/databases', { databaseId: 'x', name: 'x' }],
			['PUT', c.path, { name: 'x' }], ['DELETE', c.path], ['POST', `${c.path}/attributes/boolean`, { key: 'x', required: false }], ['POST', `${c.path}/indexes`, { key: 'x', type: 'key', attributes: ['n'] }],
			['POST', '/teams', { teamId: 'x', name: 'x' }]]) {
			const r = await q.call(method, target, { body, unseen: true })	/* they are mistakes of ours on purpose */
			assert.ok(r.status >= 400, `${state} ${method} ${target}: ${r.status}`)
			assert.doesNotMatch(r.text + JSON.stringify(r.headers), /INNER|violates|refuse/, `${state} ${method} ${target}`)
			assert.deepEqual(r.body.trace, [])
		}
	}
	for (const t of [table, `${space}.users`, `${space}.databases`, `${space}.collections`, `${space}.attributes`, `${space}.indexes`, `${space}.teams`]) sql(`DROP TRIGGER refuse ON ${t}`)
	/* and what is kept of it */
	await q.ok('POST', `${c.path}/indexes`, { body: { key: 'dup', type: 'unique', attributes: ['n'] } })
	await until('it fails', async () => (await q.ok('GET', `${c.path}/indexes/dup`)).status === 'failed')
	assert.equal(sql(`SELECT error FROM ${space}.indexes WHERE key = 'dup'`), 'documents have equal values')
	await own.stop()
})
