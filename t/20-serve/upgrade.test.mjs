/* A database of an earlier version: what is brought up to date when, what its indexes held is built anew, and what is refused. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { dataDir, run, server, settings, until } from '../lib/server.mjs'
import { family } from './lib.mjs'

const at = '/databases/d/collections/c', search = (word) => ({ query: { queries: [JSON.stringify({ method: 'search', attribute: 't', values: [word] })] } })
const psql = (s, sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()

/* The migrations as they were before this one of the projects. */
function before(number, to) {
	cpSync(fileURLToPath(new URL('../../sql', import.meta.url)), to, { recursive: true })
	for (const f of readdirSync(path.join(to, 'project'))) if (Number(f.slice(0, 4)) >= number) rmSync(path.join(to, 'project', f))
	return to
}

/* The migrations, and later ones of the projects: { '0901_users': 'SQL' }. */
function after(files, to) {
	cpSync(fileURLToPath(new URL('../../sql', import.meta.url)), to, { recursive: true })
	for (const [name, text] of Object.entries(files)) writeFileSync(path.join(to, 'project', `${name}.sql`), text)
	return to
}
const known = fileURLToPath(new URL('../../sql/project', import.meta.url)), files = readdirSync(known), numberOf = (f) => Number(f.slice(0, 4))
const newest = Math.max(...files.map(numberOf))
const needed = Math.max(...files.filter((f) => !readFileSync(path.join(known, f), 'utf8').startsWith('-- compatible')).map(numberOf))	/* by older programs */
/* "1 8" … in the order they were made */
const versions = (s) => psql(s, 'SELECT version FROM badal.projects ORDER BY internal').split('\n').map(Number)
const schemaOf = (s, p) => psql(s, `SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
const has = (s, p, table) => psql(s, `SELECT to_regclass('${schemaOf(s, p)}.${table}') IS NOT NULL`) === 't'
const as = (s, p) => (method, target, more) => s.call(method, target, { project: p.id, key: p.key, ...more })
const healthKey = ['health.read', 'users.read', 'teams.read', 'teams.write']

/* A data directory of this version with n projects in it. */
async function filled(n, use = async () => {}) {
	const data = dataDir(), s = await server({ own: true, data, conf: { project_spares: 0 } }), projects = []
	for (let i = 0; i < n; i++) projects.push(await s.project({ scopes: healthKey }))
	await use(s, projects)
	await s.stop()
	return { data, projects }
}

test('a start waits for no project: one is migrated when it is used, the others in the background', { timeout: 120000 }, async () => {
	const { data, projects: [a, b, c] } = await filled(3)
	try {
		const conf = { sql_dir: after({ '0901_users': 'CREATE TABLE :schema.one (a int);', '0902_users': 'CREATE TABLE :schema.two (a int);' }, path.join(data, 'sql')) }
		let s = await server({ own: true, data, conf: { ...conf, roles: 'web,relay' } })
		assert.deepEqual(versions(s), [newest, newest, newest])
		assert.equal((await as(s, a)('GET', '/users')).status, 200)
		assert.deepEqual(versions(s), [902, newest, newest])
		assert.ok(has(s, a, 'one') && has(s, a, 'two') && !has(s, b, 'one'))
		/* many at once, in both processes */
		const all = await Promise.all(Array.from({ length: 40 }, () => as(s, b)('GET', '/users', { headers: { connection: 'close' } })))
		assert.ok(all.every((r) => r.status === 200))
		assert.equal(psql(s, `SELECT count(*) FROM badal.project_migrations WHERE schema = '${schemaOf(s, b)}' AND number > ${newest}`), '2')
		/* its settings do not need its data space */
		const owner = { cookie: c.console.cookie, project: 'console' }
		assert.ok((await s.ok('GET', '/projects', owner)).projects.some((p) => p.$id === c.id))
		assert.equal((await s.ok('GET', `/projects/${c.id}`, owner)).$id, c.id)
		assert.equal((await s.ok('PATCH', `/projects/${c.id}`, { ...owner, body: { name: 'Later' } })).name, 'Later')
		assert.deepEqual(versions(s), [902, 902, newest])
		assert.deepEqual((await as(s, a)('GET', '/health/projects')).body, { behind: 1, newer: 0, failed: 0, projects: [] })
		assert.match((await run(['doctor', ...settings({ data_dir: s.dataDir, ...conf })])).out, /warn +projects to bring up to date: 1/)
		await s.stop()

		s = await server({ own: true, data, conf })
		await until('the background has done the rest', () => versions(s).every((v) => v === 902))
		assert.ok(has(s, c, 'two'))
		await until('the log says so', () => / projects brought up to date .*done=1 failed=0 left=0/.test(s.log()))
		await until('the gauge says so', async () => /^badal_projects_to_migrate 0$/m.test((await s.call('GET', '/metrics', { root: true })).text))
		assert.equal((await as(s, c)('GET', '/users')).status, 200)
		await s.stop()
	} finally {
		rmSync(data, { recursive: true, force: true })
	}
})

/* A session that keeps what the statements lock until it is ended. */
async function keep(s, sql) {
	const held = spawn('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq'], { stdio: ['pipe', 'pipe', 'ignore'] })
	held.stdin.write(`${sql}\nSELECT 'held';\n`)
	await new Promise((ok) => held.stdout.on('data', (d) => String(d).includes('held') && ok()))
	return () => new Promise((ok) => { held.on('exit', ok); held.stdin.end() })
}
const waits = (s) => Number(psql(s, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 77"))

test('kill -9 in the middle of a project: what was applied stays, the rest follows', { timeout: 120000 }, async () => {
	const { data, projects: [a, b] } = await filled(2)
	try {
		const conf = { sql_dir: after({
			'0901_users': 'CREATE TABLE :schema.one (a int);',
			'0902_users': 'CREATE TABLE :schema.two (a int); SELECT pg_advisory_xact_lock_shared(77) WHERE \':schema\' <> \'p_0\'; CREATE TABLE :schema.three (a int);',
		}, path.join(data, 'sql')), migrate_wait: '300ms', log_level: 'debug' }
		let s = await server({ own: true, data, conf: { ...conf, roles: 'web,relay' } })
		const release = await keep(s, 'SELECT pg_advisory_lock(77);')
		const late = await as(s, a)('GET', '/users')
		assert.equal(late.status, 503)
		assert.equal(late.body.type, 'general_project_migrating')
		assert.equal(late.headers['retry-after'], '5')
		await until('a migration stands in the middle of its second file', () => waits(s) > 0)
		assert.deepEqual(versions(s), [901, newest])
		for (const p of [s.pid, ...family(s.pid).keys()]) try { process.kill(p, 'SIGKILL') } catch { /* went with its parent */ }
		await s.exit
		await release()

		s = await server({ own: true, data, conf })
		await until('all are up to date', () => versions(s).every((v) => v === 902))
		for (const p of [a, b]) {
			assert.ok(has(s, p, 'one') && has(s, p, 'two') && has(s, p, 'three'))
			assert.equal((await as(s, p)('GET', '/users')).status, 200)
		}
		await s.stop()
	} finally {
		rmSync(data, { recursive: true, force: true })
	}
})

test('a migration that fails stops its project alone, and is named', { timeout: 120000 }, async () => {
	const { data, projects: [a, b] } = await filled(2, async (s, [p]) => {
		for (const teamId of ['one', 'two']) await p.ok('POST', '/teams', { body: { teamId, name: 'Same' } })
	})
	try {
		const conf = { sql_dir: after({ '0901_teams': "CREATE UNIQUE INDEX teams_name ON :schema.teams (name) WHERE name = 'Same';" }, path.join(data, 'sql')) }
		const s = await server({ own: true, data, conf }), verb = (name) => run([name, ...settings({ data_dir: s.dataDir, ...conf })])
		await until('the background has tried both', () => versions(s)[1] === 901 && psql(s, 'SELECT count(*) FROM badal.projects WHERE stuck_at IS NOT NULL') === '1')
		for (let i = 0; i < 3; i++) {
			const r = await as(s, a)('GET', '/teams')
			assert.equal(r.status, 503)
			assert.equal(r.body.type, 'general_project_stuck')
			assert.equal(r.headers['retry-after'], '60')
			assert.ok(!r.text.includes('teams_name'))
		}
		assert.equal((await as(s, b)('GET', '/teams')).status, 200)
		assert.deepEqual((await as(s, b)('GET', '/health/projects')).body, { behind: 1, newer: 0, failed: 1, projects: [] })
		await until('the log says so', () => new RegExp(`error jobs\\S* a project cannot be migrated .*project=${a.id} .*teams_name`).test(s.log()))
		await until('the gauge says so', async () => /^badal_projects_stuck 1$/m.test((await s.call('GET', '/metrics', { root: true })).text))
		assert.match((await run(['doctor', ...settings({ data_dir: s.dataDir, ...conf })])).out, new RegExp(`WRONG project ${a.id} \\(p_\\d+, at migration ${newest}\\) cannot be brought up to date: .*teams_name`))
		const failed = await verb('migrate')
		assert.equal(failed.code, 1)
		assert.match(failed.err, /1 projects cannot be brought up to date/)
		/* the owner still reaches its settings */
		assert.equal((await s.call('GET', `/projects/${a.id}`, { cookie: a.console.cookie, project: 'console' })).status, 200)

		psql(s, `DELETE FROM ${schemaOf(s, a)}.teams WHERE id = 'two'`)
		assert.equal((await verb('migrate')).code, 0)
		await until('it answers', async () => (await as(s, a)('GET', '/teams')).status === 200)
		assert.doesNotMatch(s.log(), / a role ended /)
		await s.stop()
	} finally {
		rmSync(data, { recursive: true, force: true })
	}
})

test('a project that a newer program has migrated is refused, unless that is declared compatible', { timeout: 120000 }, async () => {
	const { data, projects: [a, b] } = await filled(2)
	const later = after({ '0901_users': '-- compatible: a table of its own\nCREATE TABLE :schema.one (a int);' }, path.join(data, 'sql901'))
	const latest = after({ '0901_users': readFileSync(path.join(later, 'project', '0901_users.sql')), '0902_users': 'CREATE TABLE :schema.two (a int);' }, path.join(data, 'sql902'))
	try {
		let s = await server({ own: true, data, conf: { sql_dir: later } })
		await until('all are up to date', () => versions(s).every((v) => v === 901))
		assert.equal(psql(s, 'SELECT DISTINCT needs FROM badal.projects'), String(needed))
		/* as an older machine of a rolling upgrade finds it, which was started before */
		psql(s, "DELETE FROM badal.project_migrations WHERE schema = 'p_0' AND number > 900")
		await s.stop()
		s = await server({ own: true, data })
		assert.equal((await as(s, a)('GET', '/users')).status, 200)
		psql(s, "DROP TABLE p_0.one")
		await s.stop()

		s = await server({ own: true, data, conf: { sql_dir: latest, roles: 'web,relay' } })
		assert.equal((await as(s, a)('GET', '/users')).status, 200)
		psql(s, "DELETE FROM badal.project_migrations WHERE schema = 'p_0' AND number > 900")
		await s.stop()
		s = await server({ own: true, data, conf: { roles: 'web,relay' } })
		const r = await as(s, a)('GET', '/users')
		assert.equal(r.status, 503)
		assert.equal(r.body.type, 'general_project_newer')
		assert.equal(r.headers['retry-after'], '60')
		await until('the log says so', () => new RegExp(`PROJECT_NEWER detail=project=${a.id} is at migration 902 and needs a program that knows 902, this one knows ${newest}`).test(s.log()))
		assert.equal((await as(s, b)('GET', '/users')).status, 200)
		assert.equal((await as(s, b)('GET', '/health/projects')).body.newer, 1)
		await s.stop()
	} finally {
		rmSync(data, { recursive: true, force: true })
	}
})

/* All that pg_dump knows of a schema, without its name. */
const shapeOf = (s, schema) => execFileSync('pg_dump', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-s', '-n', schema, 'postgres'], { encoding: 'utf8' })
	.split('\n').filter((l) => !l.startsWith('\\')).join('\n').replaceAll(new RegExp(`\\b${schema}\\b`, 'g'), 'SPACE')

test('a data space is the same however it came about', { timeout: 120000 }, async () => {
	const data = dataDir()
	try {
		let s = await server({ own: true, data, conf: { project_spares: 0 } })
		const old = await s.project()
		/* this program cannot make users in a space of then, so the project's is put in its place */
		const space = schemaOf(s, old), sql = before(5, path.join(data, 'sql')), files = readdirSync(path.join(sql, 'project')).sort()
		psql(s, [`DROP SCHEMA ${space} CASCADE`, ...files.map((f) => readFileSync(path.join(sql, 'project', f), 'utf8').replaceAll(':schema', space)),
			`DELETE FROM badal.project_migrations WHERE schema = '${space}' AND number > 4`, `UPDATE badal.projects SET version = 4, needs = 4 WHERE id = '${old.id}'`].join(';\n'))
		assert.deepEqual(versions(s), [4])
		await s.stop()
		s = await server({ own: true, data })
		await until('it is migrated', () => versions(s).every((v) => v === newest))
		const spares = () => psql(s, 'SELECT count(*) FROM badal.spares')
		const made = await s.project()	/* without one: there is none yet */
		await until('data spaces are there in advance', () => spares() === '2')
		const spare = psql(s, "SELECT 'p_' || min(internal) FROM badal.spares"), taken = await s.project()
		assert.equal(schemaOf(s, taken), spare)
		await until('there are enough again', () => spares() === '3')
		/* lists are in the order of creation, whatever the numbers are */
		const release = await keep(s, 'BEGIN; SELECT FROM badal.spares FOR UPDATE;'), high = await s.project()
		await release()
		const low = await s.project(), owner = { cookie: old.console.cookie, project: 'console' }, everybody = { cookie: (await s.console()).cookie, project: 'console' }
		assert.ok(Number(schemaOf(s, low).slice(2)) < Number(schemaOf(s, high).slice(2)))
		assert.deepEqual([...(await s.ok('GET', '/projects', owner)).projects, ...(await s.ok('GET', '/projects', everybody)).projects].map((p) => p.$id), [old, made, taken, high, low].map((p) => p.id))
		/* what is of no use any more is given up */
		await until('there are enough', () => spares() === '5')
		psql(s, 'UPDATE badal.spares SET version = 1')
		await s.project()
		await until('the old ones are in the trash, and there are others', () => psql(s, 'SELECT count(*) FROM badal.trash') === '5' && spares() === '6')
		const shape = shapeOf(s, schemaOf(s, made))
		assert.ok(shape.length > 10000 && /CREATE FUNCTION SPACE\.wanted/.test(shape) && /CREATE UNIQUE INDEX users_id/.test(shape))
		for (const schema of ['p_0', schemaOf(s, old), schemaOf(s, taken)]) assert.equal(shapeOf(s, schema), shape)
		await s.stop()
	} finally {
		rmSync(data, { recursive: true, force: true })
	}
})

test('addresses of users are targets after an upgrade, and identities have ids', { timeout: 120000 }, async () => {
	const data = dataDir()
	try {
		let s = await server({ own: true, data, conf: { project_spares: 0 } })
		const old = await s.project({ scopes: ['users.read', 'users.write'] }), space = schemaOf(s, old), sql = before(27, path.join(data, 'sql')), kept = readdirSync(path.join(sql, 'project')).sort()
		const user = (id, email, phone) => `INSERT INTO ${space}.users (id, email, phone, hash_options, registration, created, updated) VALUES ('${id}', ${email}, ${phone}, '{}', now(), now(), now())`
		psql(s, [`DROP SCHEMA ${space} CASCADE`, ...kept.map((f) => readFileSync(path.join(sql, 'project', f), 'utf8').replaceAll(':schema', space)),
			`DELETE FROM badal.project_migrations WHERE schema = '${space}' AND number >= 27`, `UPDATE badal.projects SET version = 26 WHERE id = '${old.id}'`,
			user('ada', "'Ada@example.org'", "'+4915550001'"), user('grace', 'NULL', 'NULL'),
			`INSERT INTO ${space}.identities (user_internal, provider, provider_uid, created) SELECT internal, 'github', 'uid-1', now() FROM ${space}.users WHERE id = 'ada'`,
			`INSERT INTO ${space}.identities (user_internal, provider, provider_uid, created) SELECT internal, v, 'uid-2', now() FROM ${space}.users, unnest('{google,zoom}'::text[]) v WHERE id = CASE v WHEN 'zoom' THEN 'grace' ELSE 'ada' END`].join(';\n'))
		await s.stop()
		s = await server({ own: true, data, conf: { project_spares: 0 } })
		const today = { headers: { 'x-appwrite-response-format': '1.9.5' } }, get = async (at) => (await as(s, old)('GET', at, today)).body
		assert.deepEqual((await get('/users/ada')).targets.map((t) => [t.providerType, t.identifier, t.userId]), [['email', 'ada@example.org', 'ada'], ['sms', '+4915550001', 'ada']])
		assert.deepEqual((await get('/users/grace')).targets, [])
		const { identities } = await get('/users/identities'), [i] = identities
		for (const x of identities) assert.match(x.$id, /^[0-9a-f]{20}$/)
		assert.equal(new Set(identities.map((x) => x.$id)).size, 3)
		assert.deepEqual(identities.map((x) => x.providerEmail), ['ada@example.org', 'ada@example.org', ''])
		/* by their ids; and each row was written anew no more than once */
		for (const x of identities) assert.equal((await as(s, old)('GET', '/users/identities', { ...today, query: { search: x.$id } })).body.total, 1)
		assert.equal(psql(s, `SELECT string_agg(ctid::text, ' ' ORDER BY ctid) FROM ${space}.identities`), '(0,4) (0,5) (0,6)')
		assert.deepEqual([i.userId, i.provider, i.providerUid, i.providerEmail, i.providerAccessToken], ['ada', 'github', 'uid-1', 'ada@example.org', ''])
		/* of the address no provider has said anything, and a push token takes none */
		assert.equal(psql(s, `SELECT DISTINCT email_vouched FROM ${space}.identities`), 'f')
		const put = (type) => psql(s, `INSERT INTO ${space}.targets (user_internal, user_id, provider_type, identifier, created, updated) SELECT internal, id, '${type}', 'ada@example.org', now(), now() FROM ${space}.users WHERE id = 'grace'`)
		put('push')
		assert.throws(() => put('email'), /targets_identifier/)
		await s.stop()
	} finally {
		rmSync(data, { recursive: true, force: true })
	}
})

test('words of every script are found after an upgrade', { timeout: 120000 }, async () => {
	const data = dataDir()
	try {
		/* all but those words: this program needs the columns of later files */
		const without = after({}, path.join(data, 'sql')), only = after({}, path.join(data, 'sql8'))
		for (const f of readdirSync(path.join(without, 'project'))) {
			if (/_search/.test(f)) rmSync(path.join(without, 'project', f))
			if (Number(f.slice(0, 4)) > 8) writeFileSync(path.join(only, 'project', f), '')
		}
		let s = await server({ own: true, data, conf: { sql_dir: without, project_spares: 0 } })
		const p = await s.project()
		await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
		await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C' } })
		await p.ok('POST', `${at}/attributes/string`, { body: { key: 't', size: 100, required: false } })
		await until('the attribute', async () => (await p.ok('GET', `${at}/attributes/t`)).status === 'available')
		await p.ok('POST', `${at}/indexes`, { body: { key: 'words', type: 'fulltext', attributes: ['t'] } })
		await until('the index', async () => (await p.ok('GET', `${at}/indexes/words`)).status === 'available')
		for (const t of ['बादल', 'cloud']) await p.ok('POST', `${at}/documents`, { body: { documentId: 'unique()', data: { t } } })
		assert.equal((await p.ok('GET', `${at}/documents`, search('बादल'))).total, 0)
		psql(s, 'DELETE FROM badal.project_migrations WHERE number > 7; UPDATE badal.projects SET version = 7, needs = 7')
		await s.stop()

		s = await server({ own: true, data, conf: { sql_dir: only } })
		for (const word of ['बादल', 'cloud'])
			assert.deepEqual((await s.ok('GET', `${at}/documents`, { project: p.id, key: p.key, ...search(word) })).documents.map((d) => d.t), [word])
		/* by the index alone */
		const schema = psql(s, `SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
		const [table, column] = psql(s, `SELECT '${schema}.c_' || collection, 'a_' || internal FROM ${schema}.attributes`).split('|')
		assert.equal(psql(s, `SET enable_seqscan = off; SELECT count(*) FROM ${table} WHERE ${schema}.words(${column}) @@ ${schema}.wanted('बादल')`), '1')
		await s.stop()
	} finally {
		rmSync(data, { recursive: true, force: true })
	}
})

test('indexes of lists take longer elements after an upgrade', { timeout: 120000 }, async () => {
	const data = dataDir()
	try {
		let s = await server({ own: true, data, conf: { project_spares: 0 } })
		const p = await s.project(), post = (id, a) => s.call('POST', `${at}/documents`, { project: p.id, key: p.key, body: { documentId: id, data: { a } } })
		await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
		await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C' } })
		await p.ok('POST', `${at}/attributes/string`, { body: { key: 'a', size: 5000, required: false, array: true } })
		await until('the attribute', async () => (await p.ok('GET', `${at}/attributes/a`)).status === 'available')
		await p.ok('POST', `${at}/indexes`, { body: { key: 'x', type: 'key', attributes: ['a'] } })
		await until('the index', async () => (await p.ok('GET', `${at}/indexes/x`)).status === 'available')
		assert.equal((await post('one', ['short'])).status, 201)
		/* as it was before */
		const schema = schemaOf(s, p), [table, column, index] = psql(s, `SELECT 'c_' || a.collection, 'a_' || a.internal, 'i_' || i.internal FROM ${schema}.attributes a, ${schema}.indexes i`).split('|')
		psql(s, `DROP INDEX ${schema}.${index}; CREATE INDEX ${index} ON ${schema}.${table} USING gin (${column}); DROP FUNCTION ${schema}.hashes; DROP FUNCTION p_0.hashes;
			${[schema, 'p_0'].map((p) => `ALTER TABLE ${p}.users DROP COLUMN labels, DROP COLUMN labelled, DROP COLUMN accessed, DROP COLUMN mfa, DROP COLUMN totp, DROP COLUMN totp_secret, DROP COLUMN totp_step, DROP COLUMN impersonator, DROP COLUMN password_mailed; ALTER TABLE ${p}.audit DROP COLUMN impersonator; ALTER TABLE ${p}.sessions DROP COLUMN updated, DROP COLUMN factors, DROP COLUMN mfa_updated, DROP COLUMN two_shown; ALTER TABLE ${p}.teams DROP COLUMN prefs; ALTER TABLE ${p}.identities DROP COLUMN id, DROP COLUMN updated, DROP COLUMN email, DROP COLUMN email_vouched, DROP COLUMN access_token, DROP COLUMN access_token_expiry, DROP COLUMN refresh_token, DROP COLUMN id_token, DROP COLUMN search;`).join(' ')}
			${[schema, 'p_0'].map((p) => `DROP FUNCTION ${p}.counted CASCADE; ALTER TABLE ${p}.tokens DROP COLUMN shown, DROP COLUMN tries; ALTER TABLE ${p}.databases DROP COLUMN enabled, DROP COLUMN type;
				ALTER TABLE ${p}.attributes DROP COLUMN encrypt, DROP COLUMN created, DROP COLUMN updated, DROP COLUMN relation, DROP COLUMN related, DROP COLUMN relation_type, DROP COLUMN two_way, DROP COLUMN two_way_key, DROP COLUMN on_delete, DROP COLUMN side; ALTER TABLE ${p}.indexes DROP COLUMN lengths, DROP COLUMN created, DROP COLUMN updated; DROP TABLE ${['executions', 'build_waste', 'deployment_waste', 'deployment_parts', 'deployments', 'variables', 'functions', 'file_waste', 'file_parts', 'files', 'buckets', 'data_keys', 'transaction_operations', 'transaction_documents', 'transactions', 'presence_sockets', 'presences', 'challenges', 'recovery_codes', 'targets', 'passwords', 'id_tokens'].map((t) => `${p}.${t}`).join(', ')} CASCADE;`).join(' ')}
			DELETE FROM badal.project_migrations WHERE number > 9; UPDATE badal.projects SET version = 9, needs = 9`)
		await s.stop()
		s = await server({ own: true, data })
		const long = Array.from({ length: 5000 }, (_, i) => String.fromCodePoint(0x4e00 + ((i * 7919) % 20000))).join('')
		assert.equal((await post('two', [long])).status, 201)
		const { documents } = await s.ok('GET', `${at}/documents`, { project: p.id, key: p.key, query: { queries: [JSON.stringify({ method: 'contains', attribute: 'a', values: ['SHORT'] })] } })
		assert.deepEqual(documents.map((d) => d.$id), ['one'])
		assert.match(psql(s, `SELECT indexdef FROM pg_indexes WHERE indexname = '${index}'`), /hashes/)
		await s.stop()
	} finally {
		rmSync(data, { recursive: true, force: true })
	}
})
