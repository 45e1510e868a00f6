/* Transactions whose time is over, their bounds, what is kept of them, and what a crash leaves. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import path from 'node:path'
import { after, before, test } from 'node:test'

import { children, server, unique, until } from '../lib/server.mjs'
import { listen } from '../lib/ws.mjs'
import { collection, database } from './docs.mjs'
import { fails } from './lib.mjs'

const ok = (r, status = 200) => (assert.equal(r.status, status, r.text), r.body)
const at = '/tablesdb/transactions'
let s, p, ada, db, c, args, schema
const psql = (sql) => execFileSync('psql', [...args, '-c', sql], { encoding: 'utf8' }).trim()

before(async () => {
	s = await server({ own: true, conf: { web_processes: 1, db_lock_timeout: '100s', db_statement_timeout: '100s', request_timeout: '120s', transactions_user_max: 3, transactions_max: 8, transaction_documents_max: 100, transaction_bytes_max: '2k', transactions_bytes_max: '64k', relation_rows_max: 10, list_whole_max: '10k' } })
	p = await s.project()
	ada = await p.user({ name: 'Ada' })
	args = ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1']
	schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	db = await database(p)
	c = await collection(p, db, { permissions: ['read("any")', 'create("users")', 'update("users")', 'delete("users")'], attributes: { title: { type: 'string', size: 10000 }, n: { type: 'integer' } } })
	c.rows = `/tablesdb/${db}/tables/${c.id}/rows`
})
after(() => s.stop())

const begin = async (caller = ada.call) => ok(await caller('POST', at, { body: {} }), 201)
const stage = (t, operations, caller = ada.call) => caller('POST', `${at}/${t.$id}/operations`, { body: { operations } })
const op = (action, rowId, data) => ({ action, databaseId: db, tableId: c.id, rowId, data })
const commit = (t, caller = ada.call) => caller('PATCH', `${at}/${t.$id}`, { body: { commit: true } })
const none = () => psql(`DELETE FROM ${schema}.transactions`)
const kept = (t) => psql(`SELECT (SELECT count(*) FROM ${schema}.transaction_operations o WHERE o.transaction = t.internal), (SELECT count(*) FROM ${schema}.transaction_documents d WHERE d.transaction = t.internal) FROM ${schema}.transactions t WHERE id = '${t.$id}'`)
const metric = async (name) => Number((await s.call('GET', '/metrics', { root: true })).text.match(new RegExp(`^badal_transactions_${name}_total (\\d+)`, 'm'))[1])

test('an expired one is of no use, and goes with the clean-up', async () => {
	const t = await begin(), id = unique()
	ok(await stage(t, [op('create', id, { title: 'x' })]), 201)
	psql(`UPDATE ${schema}.transactions SET expires = now() - interval '1 second' WHERE id = '${t.$id}'`)
	for (const r of [await commit(t), await ada.call('PATCH', `${at}/${t.$id}`, { body: { rollback: true } }), await stage(t, [op('delete', id)]), await ada.call('GET', c.rows, { query: { transactionId: t.$id } }),
		await ada.call('GET', `${c.rows}/${id}`, { query: { transactionId: t.$id } }), await ada.call('POST', c.rows, { body: { rowId: id, data: { title: 'x' }, transactionId: t.$id } })]) fails(r, 410, 'transaction_expired')
	assert.equal(ok(await ada.call('GET', `${at}/${t.$id}`)).status, 'pending')
	assert.equal(kept(t), '1|1')
	for (let i = 0; i < 3; i++) await begin()	/* it is not open any more */
	psql(`UPDATE ${schema}.transactions SET expires = now() - interval '11 minutes' WHERE id = '${t.$id}'`)
	fails(await ada.call('POST', at), 400, 'transaction_limit_exceeded')
	assert.equal(ok(await ada.call('GET', `${at}/${t.$id}`)).$id, t.$id, 'what is refused changes nothing')
	none()
})

test('no more than so many, of a user, of guests, of the project', async () => {
	const refused = await metric('refused')
	for (let i = 0; i < 3; i++) await begin()
	fails(await ada.call('POST', at), 400, 'transaction_limit_exceeded')
	for (let i = 0; i < 3; i++) await begin(p.guest)
	fails(await p.guest('POST', at), 400, 'transaction_limit_exceeded')
	for (let i = 0; i < 2; i++) await begin(p.call)
	fails(await p.call('POST', at), 400, 'transaction_limit_exceeded')
	const { transactions } = ok(await ada.call('GET', at))
	ok(await commit(transactions[0]))
	ok(await ada.call('POST', at), 201)
	assert.equal(await metric('refused'), refused + 3)
	none()
})

test('bytes and documents of one, bytes of all', async () => {
	const t = await begin(p.call), long = 'x'.repeat(1500)
	ok(await stage(t, [op('create', 'a', { title: long })], p.call), 201)
	fails(await stage(t, [op('create', 'b', { title: long })], p.call), 400, 'transaction_limit_exceeded')
	const many = await begin(p.call), docs = (from, n) => ({ ...op('bulkCreate'), data: [...Array(n)].map((_, i) => ({ $id: `${from + i}` })) })
	ok(await stage(many, [docs(0, 60)], p.call), 201)
	fails(await stage(many, [docs(60, 41)], p.call), 400, 'transaction_limit_exceeded')
	ok(await stage(many, [docs(60, 40)], p.call), 201)
	ok(await p.call('POST', c.rows, { body: { rowId: 'there', data: { n: 1 } } }), 201)
	fails(await p.call('GET', `${c.rows}/there`, { query: { transactionId: many.$id } }), 400, 'transaction_limit_exceeded')
	fails(await p.call('GET', `${c.rows}/nothere`, { query: { transactionId: many.$id } }), 400, 'transaction_limit_exceeded')
	assert.equal(ok(await commit(many, p.call)).operations, 2)
	assert.equal(kept(many), '0|0', 'what was staged is gone at once')
	psql(`UPDATE ${schema}.transactions SET bytes = 65000 WHERE id = '${t.$id}'`)
	const u = await begin(p.call)
	fails(await stage(u, [op('create', 'c', { title: long })], p.call), 400, 'transaction_limit_exceeded')
	none()
})

test('records of those that are over do not pile up', async () => {
	const t = await begin()
	psql(`INSERT INTO ${schema}.transactions (id, owner, guest, status, created, updated, expires) SELECT 'old' || i, owner, false, 'failed', now(), now(), now() + interval '1 hour' FROM ${schema}.transactions, generate_series(1, 120) i WHERE id = '${t.$id}'`)
	await begin()
	assert.equal(psql(`SELECT count(*), min(substr(id, 4)::int) FROM ${schema}.transactions WHERE status = 'failed'`), '100|21')
	none()
})

test('what is encrypted is so while it is staged, too', async () => {
	const e = await collection(p, db, { attributes: { secret: { type: 'string', size: 200, encrypt: true }, n: { type: 'integer' } } }), t = await begin(p.call), rows = `/tablesdb/${db}/tables/${e.id}/rows`
	ok(await p.call('POST', rows, { body: { rowId: 'a', data: { secret: 'opensesame' }, transactionId: t.$id } }), 201)
	assert.equal(ok(await p.call('PATCH', `${rows}/a`, { body: { data: { n: 1 }, transactionId: t.$id } })).secret, 'opensesame')
	assert.doesNotMatch(psql(`SELECT * FROM ${schema}.transaction_operations`), /opensesame/)
	assert.equal(ok(await p.call('GET', `${rows}/a`, { query: { transactionId: t.$id } })).secret, 'opensesame')
	ok(await commit(t, p.call))
	assert.deepEqual([ok(await p.call('GET', `${rows}/a`)).secret, ok(await p.call('GET', `${rows}/a`)).n], ['opensesame', 1])
	none()
})

test('bytes of one user, and of those whose time is over', async () => {
	const t = await begin(), u = await begin(), eve = await begin(p.call), x = () => [op('create', unique(), { title: 'x'.repeat(700) })]
	ok(await stage(t, x()), 201)
	psql(`UPDATE ${schema}.transactions SET bytes = 7500 WHERE id = '${t.$id}'`)
	fails(await stage(u, x()), 400, 'transaction_limit_exceeded')
	ok(await stage(eve, x(), p.call), 201)
	psql(`UPDATE ${schema}.transactions SET bytes = 65000, expires = now() - interval '1 second' WHERE id = '${t.$id}'`)
	ok(await stage(u, x()), 201)
	const roles = [...Array(60)].map((_, i) => `read("user:${'u'.repeat(25)}${i}")`)
	fails(await p.call('POST', c.rows, { body: { rowId: 'list', data: { title: 'x' }, permissions: roles, transactionId: eve.$id } }), 400, 'transaction_limit_exceeded')
	none()
})

/* Each step tells the whole row, which is ten thousand bytes. */
test('a read within writes no events to the log of the database', async () => {
	const t = await begin(p.call), id = unique(), bytes = async (f) => { const at = psql('SELECT pg_current_wal_insert_lsn()'); await f(); return Number(psql(`SELECT pg_current_wal_insert_lsn() - '${at}'`)) }
	ok(await p.call('POST', c.rows, { body: { rowId: id, data: { n: 0, title: 'x'.repeat(10000) } } }), 201)
	ok(await stage(t, [...Array(40)].map(() => op('increment', id, { attribute: 'n' })), p.call), 201)
	const read = await bytes(async () => assert.equal(ok(await p.call('GET', `${c.rows}/${id}`, { query: { transactionId: t.$id } })).n, 40)), done = await bytes(async () => ok(await commit(t, p.call)))
	assert.ok(done > 400000 && read < done / 2, `${read} of ${done}`)
	none()
})

test('what says "try again" leaves it as it was', async () => {
	const t = await begin(), id = unique(), table = psql(`SELECT '${schema}.c_' || internal FROM ${schema}.collections WHERE id = '${c.id}'`)
	ok(await stage(t, [op('create', id, { title: 'x' })]), 201)
	psql(`CREATE FUNCTION ${schema}.waited() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'waited' USING ERRCODE = '55P03'; END$$; CREATE TRIGGER waited BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${schema}.waited()`)
	const r = await commit(t), read = await ada.call('GET', c.rows, { query: { transactionId: t.$id } })
	psql(`DROP FUNCTION ${schema}.waited CASCADE`)
	assert.deepEqual([r.status, read.status], [503, 503], r.text)
	assert.equal(ok(await commit(t)).status, 'committed')
	none()
})

test('what is committed while it is read is not shown as staged as well', async () => {
	const t = await begin(), id = unique(), holder = spawn('psql', args, { stdio: ['pipe', 'pipe', 'inherit'] })
	let out = ''
	ok(await p.call('POST', c.rows, { body: { rowId: id, data: { n: 1 } } }), 201)
	ok(await stage(t, [op('increment', id, { attribute: 'n' })]), 201)
	holder.stdout.on('data', (d) => (out += d))
	holder.stdin.write(`BEGIN; UPDATE ${schema}.transactions SET status = 'committed' WHERE id = '${t.$id}'; SELECT 'held';\n`)
	await until('the lock', () => out.includes('held'))
	const read = ada.call('GET', `${c.rows}/${id}`, { query: { transactionId: t.$id } })
	await until('it waits', () => psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") === '1')
	const ended = new Promise((r) => holder.once('exit', r))
	holder.stdin.end('COMMIT;\n')
	await ended
	fails(await read, 400, 'transaction_not_ready')
	none()
})

test('related documents of all operations are one sum', async () => {
	const b = await collection(p, db, { permissions: ['read("any")'], attributes: { n: { type: 'integer' } } }), t = await begin(p.call), rows = (from) => ({ to: [...Array(6)].map((_, i) => ({ $id: `r${from}${i}` })) })
	ok(await p.call('POST', `${c.path}/attributes/relationship`, { body: { relatedCollectionId: b.id, type: 'oneToMany', key: 'to' } }), 202)
	ok(await stage(t, [op('create', unique(), rows('a'))], p.call), 201)
	ok(await stage(t, [op('create', unique(), rows('b'))], p.call), 201)
	fails(await commit(t, p.call), 400, 'general_bad_request')
	const u = await begin(p.call)
	ok(await stage(u, [op('create', unique(), rows('a'))], p.call), 201)
	ok(await commit(u, p.call))
	none()
})

test('they go with their user', async () => {
	const eve = await p.user({ name: 'Eve' }), t = await begin(eve.call), left = unique()
	ok(await stage(t, [op('create', left, { title: 'x' })], eve.call), 201)
	assert.equal((await p.call('DELETE', `/users/${eve.id}`)).status, 204)
	fails(await commit(t, p.call), 404, 'transaction_not_found')
	fails(await p.call('GET', `${c.rows}/${left}`), 404, 'row_not_found')
})

test('the log has what was done, when it is done', async () => {
	const t = await begin(), id = unique(), logs = async () => ok(await p.call('GET', `/databases/${db}/collections/${c.id}/documents/${id}/logs`)).logs.map((l) => l.event)
	ok(await p.call('POST', c.rows, { body: { rowId: id, data: { n: 1 } } }), 201)
	ok(await ada.call('PATCH', `${c.rows}/${id}`, { body: { data: { n: 2 }, transactionId: t.$id } }))
	ok(await stage(t, [op('upsert', id, { n: 3 })]), 201)
	ok(await ada.call('PATCH', `${c.rows}/${id}`, { body: { data: { title: 'now' } } }))
	await until('the entry of what was not staged', async () => (await logs()).length > 0)
	assert.deepEqual(await logs(), ['row.update'], 'nothing of what is staged')
	fails(await commit(t), 409, 'transaction_conflict')
	const u = await begin()
	ok(await ada.call('PATCH', `${c.rows}/${id}`, { body: { data: { n: 2 }, transactionId: u.$id } }))
	ok(await stage(u, [op('upsert', id, { n: 3 })]), 201)
	ok(await commit(u))
	await until('the entries', async () => (await logs()).length === 3)
	assert.deepEqual(await logs(), ['row.upsert', 'row.update', 'row.update'])
	none()
})

/* A commit waits within its transaction of PostgreSQL, and its process is killed there. */
test('a crash leaves all of a commit or nothing', async () => {
	const t = await begin(), [a, b] = [unique(), unique()], channels = `project=${p.id}&channels[]=databases.${db}.tables.${c.id}.rows`, first = await listen(s, channels)
	first.end()
	ok(await p.call('POST', c.rows, { body: { rowId: a, data: { n: 1 } } }), 201)
	ok(await stage(t, [op('create', b, { n: 1 }), op('update', a, { n: 2 })]), 201)
	const table = psql(`SELECT 'c_' || internal FROM ${schema}.collections WHERE id = '${c.id}'`), holder = spawn('psql', args, { stdio: ['pipe', 'pipe', 'inherit'] })
	let out = ''
	holder.stdout.on('data', (d) => (out += d))
	/* the last thing that a commit writes is its own record's status: this lets it come so far, and no further */
	holder.stdin.write(`BEGIN; LOCK TABLE ${schema}.transaction_operations IN SHARE MODE; SELECT 'held';\n`)
	await until('the lock', () => out.includes('held'))
	const lost = commit(t).catch((e) => e)
	await until('it waits', () => psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") === '1')
	const [web] = children(s, 'badal-web')
	process.kill(web, 'SIGKILL')
	await lost
	await until('another one', () => children(s, 'badal-web').some((pid) => pid !== web))
	const ended = new Promise((r) => holder.once('exit', r))
	holder.stdin.end('COMMIT;\n')
	await ended
	/* its backend finds out that nobody is there any more, before or after what it was at: either is one of the two */
	await until('nobody is in a transaction', () => psql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()") === '0')
	const now = ok(await until('an answer', async () => { try { return await p.call('GET', `${at}/${t.$id}`) } catch { return undefined } })).status
	const row = async (id) => (await p.call('GET', `${c.rows}/${id}`)).body.n
	assert.deepEqual([await row(a), await row(b)], now === 'committed' ? [2, 1] : [1, undefined], now)
	if (now === 'pending') ok(await commit(t))
	else fails(await commit(t), 400, 'transaction_not_ready')
	assert.deepEqual([await row(a), await row(b)], [2, 1])
	assert.equal(psql(`SELECT count(*) FROM ${schema}.${table} WHERE lower(_id) IN ('${a}', '${b}')`), '2')
	ok(await p.call('POST', c.rows, { body: { rowId: 'mark', data: { n: 1 } } }), 201)
	const w = await listen(s, `${channels}&since=${first.hello.id}`), events = []
	while (events.at(-1) !== 'create mark') { const e = await w.event(); events.push(`${e.events[0].split('.').at(-1)} ${e.payload.$id}`) }
	assert.deepEqual(events, [`create ${a}`, `create ${b}`, `update ${a}`, 'create mark'], 'once')
	w.end()
})

test('what is staged while a commit comes to it is committed as well', async () => {
	const t = await begin(), [one, two] = [unique(), unique()]
	ok(await stage(t, [op('create', one, { title: 'x' })]), 201)
	const own = `FROM ${schema}.transactions WHERE id = '${t.$id}'`, other = spawn('psql', args, { stdio: ['pipe', 'pipe', 'inherit'] }), over = new Promise((done) => other.on('exit', done))
	let out = ''
	other.stdout.on('data', (d) => (out += d))
	other.stdin.write(`BEGIN; SELECT 'held' ${own} FOR UPDATE;\n`)
	await until('the lock', () => out.includes('held'))
	const asked = commit(t)
	await until('the commit waits for it', () => psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") === '1')
	/* as staging does it: what the commit has read is not all of it any more */
	const columns = 'action, database, collection, collection_internal, data, permissions, rows, sealed, roles'
	other.stdin.end(`INSERT INTO ${schema}.transaction_operations (transaction, n, document, ${columns}) SELECT transaction, n + 1, '${two}', ${columns} FROM ${schema}.transaction_operations WHERE transaction = (SELECT internal ${own});
		INSERT INTO ${schema}.transaction_documents (transaction, collection, document, version, written, there) SELECT transaction, collection, '${two}', NULL, true, true FROM ${schema}.transaction_documents WHERE transaction = (SELECT internal ${own});
		UPDATE ${schema}.transactions SET operations = operations + 1 WHERE id = '${t.$id}'; COMMIT;\n`)
	await over
	assert.equal(ok(await asked).operations, 2)
	for (const id of [one, two]) assert.equal(ok(await p.call('GET', `${c.rows}/${id}`)).title, 'x')
	none()
})

test('a page within a transaction holds so many bytes', async () => {
	const mine = { title: 'x'.repeat(3000), n: 77 }, t = await begin(p.call), page = (n) => p.call('GET', c.rows, { query: { transactionId: t.$id, queries: [JSON.stringify({ method: 'equal', attribute: 'n', values: [77] }), JSON.stringify({ method: 'limit', values: [n] })] } })
	for (let i = 0; i < 4; i++) ok(await p.call('POST', c.rows, { body: { rowId: unique(), data: mine } }), 201)
	ok(await stage(t, [op('create', unique(), { title: 'staged', n: 1 })], p.call), 201)
	const r = await page(4)
	fails(r, 400, 'general_bad_request')
	assert.match(r.body.message, /a page within a transaction holds 10\d* bytes at most/i)
	assert.equal(ok(await page(2)).rows.length, 2)
	none()
})

test('what is shown of a document that is large, and staged again and again', async () => {
	const id = unique(), t = await begin(p.call), long = 'x'.repeat(9000)
	ok(await p.call('POST', c.rows, { body: { rowId: id, data: { title: long, n: 1 } } }), 201)
	for (let n = 2; n < 6; n++) {
		const d = ok(await p.call('PATCH', `${c.rows}/${id}`, { body: { data: { n }, transactionId: t.$id } }))
		assert.deepEqual([d.title, d.n, d.$tableId], [long, n, c.id])
	}
	assert.equal(ok(await p.call('PATCH', `${c.rows}/${id}`, { body: { data: { title: 'short' }, transactionId: t.$id } })).n, 5, 'what was staged before is in it')
	none()
})
