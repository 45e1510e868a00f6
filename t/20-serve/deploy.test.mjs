/* Whose the database and the files are, what the service manager hears, and what its unit lets the server do. */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { chownSync, linkSync, lstatSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { dataDir, run, settings, start, until } from '../lib/server.mjs'
import { family, psqlArgs } from './lib.mjs'

const dirs = []
const fresh = () => { const d = dataDir(); dirs.push(d); return d }
after(() => { for (const d of dirs) rmSync(d, { recursive: true, force: true }) })

const as = (s, role, sql) => {
	const args = psqlArgs(s)
	args[args.indexOf('badal')] = role
	const r = spawnSync('psql', [...args, '-c', sql], { encoding: 'utf8' })
	return r.status === 0 ? r.stdout.trim() : `ERROR ${r.stderr}`
}
const roles = (s) => as(s, 'badal', "SELECT rolname, rolsuper, rolreplication, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname LIKE 'badal\\_%' ORDER BY 1")
const wanted = 'badal_app|f|f|f|f|f\nbadal_relay|f|t|f|f|f'
const strangers = (s) => as(s, 'badal', `SELECT count(*) FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid LEFT JOIN pg_proc p ON p.pronamespace = n.oid
	WHERE nspname ~ '^(badal|p_\\d+)$' AND 'badal_app' <> ANY (ARRAY[pg_get_userbyid(nspowner), coalesce(pg_get_userbyid(relowner), 'badal_app'), coalesce(pg_get_userbyid(proowner), 'badal_app')])`)
const connected = (s) => as(s, 'badal', "SELECT string_agg(DISTINCT usename || CASE WHEN backend_type = 'walsender' THEN ' replicates' ELSE '' END, ', ') FROM pg_stat_activity WHERE backend_type IN ('client backend', 'walsender') AND pid <> pg_backend_pid()")

async function works(s, p) {
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C', permissions: ['read("any")'] } })
	await p.ok('POST', '/databases/d/collections/c/attributes/string', { body: { key: 't', size: 100, required: false } })
	await until('the attribute', async () => (await p.ok('GET', '/databases/d/collections/c/attributes/t')).status === 'available')
	await p.ok('POST', '/databases/d/collections/c/indexes', { body: { key: 'i', type: 'fulltext', attributes: ['t'] } })
	await until('the index', async () => (await p.ok('GET', '/databases/d/collections/c/indexes/i')).status === 'available')
	await p.ok('POST', '/databases/d/collections/c/documents', { body: { documentId: 'one', data: { t: 'hello' } } })
}

describe('the database', () => {
	test('who serves is no superuser, and the relay alone replicates', async () => {
		const s = await start()
		assert.equal(roles(s), wanted)
		assert.equal(strangers(s), '0')
		await works(s, await s.project())
		await until('the relay is there', () => connected(s) === 'badal_app, badal_relay replicates')
		for (const sql of ["COPY (SELECT 1) TO PROGRAM 'true'", "COPY (SELECT 1) TO '/tmp/badal-t-copy'", "SELECT pg_read_file('/etc/passwd')", "CREATE ROLE other SUPERUSER", "ALTER ROLE badal_app SUPERUSER", 'SET ROLE badal',
			'ALTER SYSTEM SET fsync = off', "SELECT pg_create_logical_replication_slot('other', 'pgoutput')", 'SELECT rolpassword FROM pg_authid', 'CREATE DATABASE other', 'CREATE EXTENSION file_fdw']) {
			assert.match(as(s, 'badal_app', sql), /^ERROR .*(permission denied|must be)/s, sql)
			if (!sql.includes('slot')) assert.match(as(s, 'badal_relay', sql), /^ERROR .*(permission denied|must be)/s, sql)
		}
		/* the relay reads no row */
		assert.match(as(s, 'badal_relay', 'SELECT * FROM badal.projects'), /^ERROR .*permission denied/s)
		const doctor = await run(['doctor', ...settings({ data_dir: s.dataDir })])
		assert.match(doctor.out, /ok +database role badal_app: no superuser, no replication/)
		await s.stop()
	})

	test('a database that the superuser served changes hands at the start, also one that was left in the middle', async () => {
		const data = fresh()
		let s = await start({ data })
		const p = await s.project()
		await works(s, p)
		const back = (more) => as(s, 'badal', `ALTER PUBLICATION badal OWNER TO badal; REASSIGN OWNED BY badal_app TO badal; ${more}`)
		assert.doesNotMatch(back(''), /ERROR/)
		await s.stop()
		s = await start({ data })
		assert.match(s.log(), /serves by a role that is no superuser role=badal_app objects=\d{2,}/)
		assert.equal(strangers(s), '0')
		const at = { project: p.id, key: p.key }
		assert.equal((await s.ok('GET', '/databases/d/collections/c/documents/one', at)).t, 'hello')
		await s.ok('POST', '/databases/d/collections/c/attributes/string', { ...at, body: { key: 'more', size: 10, required: false } })
		await until('the schema can be changed', async () => (await s.ok('GET', '/databases/d/collections/c/attributes/more', at)).status === 'available')
		/* as before there were such roles at all; and one schema was done already */
		assert.doesNotMatch(back('DROP OWNED BY badal_app, badal_relay;'), /ERROR/)
		assert.doesNotMatch(as(s, 'badal', 'CREATE ROLE half LOGIN; ALTER SCHEMA p_0 OWNER TO half; ALTER TABLE p_0.users OWNER TO half; ALTER ROLE badal_relay NOREPLICATION; ALTER ROLE badal_app SUPERUSER'), /ERROR/)
		await s.stop()
		s = await start({ data })
		assert.equal(roles(s), wanted)
		assert.equal(strangers(s), '0')
		assert.equal((await s.ok('GET', '/databases/d/collections/c/documents/one', at)).t, 'hello')
		await until('the relay is there', () => /badal_relay replicates/.test(connected(s)))
		await s.stop()
		s = await start({ data })
		assert.doesNotMatch(s.log(), /serves by a role/)
		await s.stop()
	})

	test('outside: a superuser in db_url is said, a role for the relay is taken', async () => {
		const inner = await start(), key = readFileSync(path.join(inner.dataDir, 'master.key'), 'utf8'), at = (role) => `host=${inner.dataDir}/run user=${role} dbname=postgres`
		const conf = { roles: 'web', master_key: key, redis_url: `unix://${inner.dataDir}/run/redis.sock` }
		const outer = await start({ conf: { ...conf, db_url: at('badal') } })
		assert.match(outer.log(), /the database role that serves is a superuser role=badal/)
		await outer.stop()
		const quiet = await start({ conf: { ...conf, db_url: at('badal_app'), relay_db_url: at('badal_relay') } })
		assert.doesNotMatch(quiet.log(), /superuser/)
		await quiet.stop()
		as(inner, 'badal', 'ALTER ROLE badal_app REPLICATION')
		for (const [role, words] of [['badal', /WRONG database role badal is a superuser/], ['badal_app', /warn +database role badal_app may replicate/]])
			assert.match((await run(['doctor', ...settings({ ...conf, db_url: at(role), data_dir: inner.dataDir })])).out, words)
		await inner.stop()
	})
})

const root = process.getuid() === 0
const id = (name) => { const r = spawnSync('id', ['-u', name], { encoding: 'utf8' }); return r.status === 0 ? Number(r.stdout) : null }
/* Below a server that runs, files come and go. */
const gone = (e) => { if (e.code !== 'ENOENT') throw e; return [] }
const list = (dir) => { try { return readdirSync(dir, { withFileTypes: true }) } catch (e) { return gone(e) } }
const every = (dir) => list(dir).flatMap((e) => [path.join(dir, e.name), ...(e.isDirectory() ? every(path.join(dir, e.name)) : [])])
const owners = (dir) => every(dir).flatMap((f) => { try { return [[f, lstatSync(f).uid]] } catch (e) { return gone(e) } })

describe('the files', { skip: !root && 'needs root' }, () => {
	test('all of it runs as the user badal', async () => {
		const s = await start()
		for (const [pid, name] of family(s.pid))
			if (/^(badal-|postgres|redis)/.test(name)) assert.equal(statSync(`/proc/${pid}`).uid, id('badal'), name)
		for (const [f, uid] of owners(s.dataDir)) assert.ok([id('badal'), 0].includes(uid), f)
		await s.stop()
	})

	test('what ran as postgres is taken over; what somebody else owns in it is not', { skip: id('postgres') === null && 'no such user' }, async () => {
		const data = fresh()
		let s = await start({ data })
		const person = await s.user({ project: 'console' }), dir = s.dataDir
		await s.stop()
		execFileSync('chown', ['-R', 'postgres:', dir])
		const mine = path.join(data, 'mine'), outside = path.join(data, 'outside')
		writeFileSync(mine, 'of root', { mode: 0o600 })
		writeFileSync(outside, 'of postgres, elsewhere')
		chownSync(outside, id('postgres'), 0)
		linkSync(mine, path.join(dir, 'log', 'hard'))
		symlinkSync(outside, path.join(dir, 'log', 'soft'))
		symlinkSync(data, path.join(dir, 'log', 'up'))
		/* not while it is served: a lock of that user's */
		const holder = spawn('setpriv', ['--reuid', 'postgres', '--clear-groups', 'perl', '-MFcntl', '-e', `open(F, "+>>", "${dir}/badal.lock") or die; my $l = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die; $| = 1; print "held"; sleep 60`],
			{ stdio: ['ignore', 'pipe', 'inherit'] })
		await new Promise((ok) => holder.stdout.once('data', ok))
		await assert.rejects(start({ data }), (e) => (assert.match(e.log, /another badal serves this data directory/), true))
		holder.kill()
		await new Promise((ok) => holder.once('exit', ok))
		assert.equal(statSync(dir).uid, id('postgres'))
		s = await start({ data })
		assert.match(s.log(), /taking over the data directory of a former user/)
		assert.equal((await s.call('GET', '/account', { project: 'console', cookie: person.cookie })).status, 200)
		assert.equal(statSync(mine).uid, 0)
		assert.equal(statSync(outside).uid, id('postgres'))
		for (const [f, uid] of owners(dir)) assert.notEqual(uid, id('postgres'), f)
		await s.stop()
	})

	test('a directory that its user makes a link of leads root to nothing of others', async () => {
		const s = await start(), log = s.log, target = fresh(), file = path.join(target, 'redis.log'), size = 9 << 20
		const asBadal = (script) => execFileSync('setpriv', ['--reuid', 'badal', '--regid', 'badal', '--clear-groups', 'sh', '-ec', script], { cwd: '/' })
		const ended = () => log().match(/an embedded server ended.*server=redis/g)?.length ?? 0
		writeFileSync(file, Buffer.alloc(size), { mode: 0o644 })
		execFileSync('chmod', ['755', target])
		asBadal(`cd ${s.dataDir}; mv log log2; ln -s ${target} log`)
		process.kill([...family(s.pid)].find(([, name]) => name.startsWith('redis'))[0], 'SIGKILL')
		await until('it was tried again', () => ended() > 1 || statSync(file).size !== size)
		assert.deepEqual([statSync(file).size, statSync(file).uid], [size, 0])
		asBadal(`cd ${s.dataDir}; rm log; mv log2 log`)
		await until('it is back', async () => (await s.call('GET', '/health/version')).status === 200 && [...family(s.pid)].some(([, name]) => name.startsWith('redis')))
		await s.stop()
	})

	test('a directory of somebody else is left alone, and so is one that is none of ours', async () => {
		for (const prepare of [(d) => chownSync(d, 12345, 12345), (d) => { writeFileSync(path.join(d, 'theirs'), ''); execFileSync('chown', ['-R', 'postgres:', d]) }]) {
			const data = fresh(), dir = path.join(data, 'data')
			execFileSync('mkdir', [dir])
			prepare(dir)
			const before = statSync(dir).uid
			await assert.rejects(start({ data }), (e) => (assert.match(e.log, /belongs to another user|cannot take over/), true))
			assert.equal(statSync(dir).uid, before)
		}
	})
})

describe('the service manager', () => {
	test('hears of readiness, reloads with their mistakes, life and the end', async () => {
		const dir = mkdtempSync(path.join(os.tmpdir(), 'badal-t-notify-')), at = path.join(dir, 'socket'), file = path.join(dir, 'badal.conf'), heard = []
		dirs.push(dir)
		execFileSync('chmod', ['755', dir])
		writeFileSync(file, 'locale = en\n')
		const ear = spawn('perl', ['-MIO::Socket::UNIX', '-e', 'my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die; chmod 0777, $ARGV[0]; $| = 1; print "up\n"; while (defined $s->recv(my $m, 4096)) { $m =~ s/\n/|/g; print "$m\n" }', at],
			{ stdio: ['ignore', 'pipe', 'inherit'] })
		ear.stdout.on('data', (d) => heard.push(...String(d).trim().split('\n')))
		await until('the ear', () => heard.includes('up'))
		const s = await start({ env: { NOTIFY_SOCKET: at, WATCHDOG_USEC: '200000' }, args: ['--config', file] })
		try {
			await until('it is ready', () => heard.some((m) => m.startsWith('READY=1|STATUS=serving')))
			for (const name of ['postgres', 'redis']) {	/* they would speak to it, too */
				const [pid] = [...family(s.pid)].find(([, n]) => n.startsWith(name))
				assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, 'utf8'), /NOTIFY_SOCKET|WATCHDOG/)
			}
			await until('it lives', () => heard.filter((m) => m === 'WATCHDOG=1').length > 3)
			writeFileSync(file, 'locale = de\n')
			s.kill('SIGHUP')
			await until('it was reloaded', () => heard.findIndex((m) => /^RELOADING=1\|MONOTONIC_USEC=\d+$/.test(m)) >= 0 && heard.filter((m) => m === 'READY=1|STATUS=serving').length === 2)
			writeFileSync(file, 'locale = nowhere\n')
			s.kill('SIGHUP')
			await until('it was not applied', () => heard.some((m) => /^READY=1\|STATUS=.*was not applied/.test(m)))
			await s.stop()
			await until('it ends', () => heard.includes('STOPPING=1'))
		} finally {
			ear.kill()
		}
	})

	const analyze = (...args) => spawnSync('systemd-analyze', args, { encoding: 'utf8' })
	test('the unit lets through what files, pictures and scans need', () => {
		const unit = readFileSync(fileURLToPath(new URL('../../etc/badal.service.in', import.meta.url)), 'utf8')
		assert.doesNotMatch(unit, /^RestrictSUIDSGID=(yes|true|on|1)$/m)	/* refuses openat2 with ENOSYS */
		const last = unit.match(/^SystemCallFilter=(.*)$/gm).at(-1)
		for (const call of ['seccomp', 'landlock_create_ruleset', 'landlock_add_rule', 'landlock_restrict_self']) assert.match(last, new RegExp(`[= ]${call}( |$)`))
	})

	test('the unit is confined', { skip: analyze('--version').status !== 0 && 'no systemd-analyze' }, () => {
		const dir = mkdtempSync(path.join(os.tmpdir(), 'badal-t-unit-')), unit = path.join(dir, 'badal.service')
		dirs.push(dir)
		writeFileSync(unit, readFileSync(fileURLToPath(new URL('../../etc/badal.service.in', import.meta.url)), 'utf8').replaceAll('@bindir@', '/bin').replace('/bin/badal serve', '/bin/true serve'))
		assert.doesNotMatch(analyze('verify', unit).stderr, /Unknown|Failed to parse|Invalid/)
		const level = Number(analyze('security', '--offline=yes', '--no-pager', unit).stdout.match(/exposure level for badal\.service: ([\d.]+)/)?.[1])
		assert.ok(level <= 2, `exposure ${level}`)
	})
})
