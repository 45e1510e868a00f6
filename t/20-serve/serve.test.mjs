/* The program as an operator meets it: first and second start, crashes, signals, wrong settings. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { after, describe, test } from 'node:test'

import { dataDir, gone, run, settings, start, until } from '../lib/server.mjs'
import { family } from './lib.mjs'

const dirs = []
function fresh() {
	const d = dataDir()
	dirs.push(d)
	return d
}
after(() => { for (const d of dirs) rmSync(d, { recursive: true, force: true }) })

const named = (s, name) => [...family(s.pid)].filter(([, n]) => n === name).map(([p]) => p)
/* null: it ended after it was listed */
const parent = (p) => {
	try {
		return Number(readFileSync(`/proc/${p}/stat`, 'latin1').split(') ')[1].split(' ')[1])
	} catch { return null }
}
const children = (s) => [...family(s.pid)].filter(([p]) => parent(p) === s.pid)
const health = async (s) => (await s.call('GET', '/health/version')).status
const answers = (s) => until('it answers', async () => (await s.call('GET', '/health/version').catch(() => ({}))).status === 200)

describe('start and stop', () => {
	test('from nothing, with everything in the data directory; a second start keeps what was there', async () => {
		const data = fresh()
		let s = await start({ data })
		assert.equal(await health(s), 200)
		const person = await s.user({ project: 'console' })
		const roles = [...family(s.pid).values()]
		for (const role of ['badal-web', 'badal-relay', 'badal-jobs', 'redis-server', 'postgres']) assert.ok(roles.includes(role), role)
		assert.equal(named(s, 'badal-web').length, 2)
		assert.equal(statSync(path.join(s.dataDir)).mode & 0o777, 0o700)
		assert.equal(statSync(path.join(s.dataDir, 'master.key')).mode & 0o777, 0o600)
		const key = readFileSync(path.join(s.dataDir, 'master.key'), 'utf8')
		const all = [...family(s.pid).keys()]
		await s.stop()
		await until('nothing is left', () => all.every(gone))
		s = await start({ data })
		assert.equal(readFileSync(path.join(s.dataDir, 'master.key'), 'utf8'), key)
		assert.equal((await s.call('GET', '/account', { project: 'console', cookie: person.cookie })).body.$id, person.id)
		await s.stop()
	})

	test('a data directory with a long name, blanks and quotes', async () => {
		const data = path.join(fresh(), "a long name with blanks, quotes ' and more ".repeat(4))
		mkdirSync(data, { recursive: true })
		const s = await start({ data })
		assert.equal(await health(s), 200)
		const version = await run(['doctor', ...settings({ data_dir: s.dataDir })])
		assert.match(version.out, /PostgreSQL \d+.* answers/)
		await s.stop()
	})

	test('a half-made database of a first start that was killed is made anew', async () => {
		const data = fresh(), half = path.join(data, 'data', 'postgres.new')
		mkdirSync(path.join(half, 'base', '1'), { recursive: true })
		writeFileSync(path.join(half, 'PG_VERSION'), '99\n')
		if (process.getuid() === 0) execFileSync('chown', ['-R', 'badal:', path.dirname(half)])	/* as it would be */
		const s = await start({ data })
		assert.equal(await health(s), 200)
		assert.ok(!existsSync(half))
		await s.stop()
	})
})

describe('crashes', () => {
	test('a killed role, Redis and PostgreSQL come back, and what was written is there', async () => {
		const s = await start()
		const person = await s.user({ project: 'console' })
		for (const name of ['badal-web', 'badal-relay', 'badal-jobs', 'redis-server', 'postgres']) {
			const [pid] = children(s).filter(([, n]) => n === name)[0]
			process.kill(pid, 'SIGKILL')
			await until(`${name} is back`, () => children(s).some(([p, n]) => n === name && p !== pid))
			await until('the account is there', async () => (await person.call('GET', '/account').catch(() => ({}))).status === 200)
		}
		await s.stop()
	})

	test('kill -9 of everything at once: the next start recovers by itself', async () => {
		const data = fresh()
		let s = await start({ data })
		const person = await s.user({ project: 'console' })
		const all = [s.pid, ...family(s.pid).keys()]
		for (const p of all) try { process.kill(p, 'SIGKILL') } catch { /* went with its parent */ }
		await s.exit
		s = await start({ data })
		assert.equal((await s.call('GET', '/account', { project: 'console', cookie: person.cookie })).status, 200)
		await s.stop()
	})

	test('kill -9 of the supervisor alone: everything else ends, the next start works', async () => {
		const data = fresh()
		let s = await start({ data })
		const all = [...family(s.pid).keys()]
		s.kill('SIGKILL')
		await s.exit
		s = await start({ data })
		assert.equal(await health(s), 200)
		await until('the former run is gone', () => all.every(gone))
		await s.stop()
	})

	test('a server of the former run that still works there is ended first; pids of strangers are not believed', async () => {
		const data = fresh()
		let s = await start({ data })
		await s.stop()
		writeFileSync(path.join(s.dataDir, 'postgres', 'postmaster.pid'), `${process.pid}\n${s.dataDir}/postgres\n0\n5432\n\n\n\n`)
		writeFileSync(path.join(s.dataDir, 'run', '.s.PGSQL.5432.lock'), `${process.pid}\n`)
		s = await start({ data })
		assert.equal(await health(s), 200)
		await s.stop()
	})
})

test('in a session of its own the server goes before its databases', { skip: (process.getuid() !== 0 || !existsSync('/proc/self/autogroup')) && 'priorities are given by root' }, async () => {
	const nice = (pid) => Number(/nice (-?\d+)/.exec(readFileSync(`/proc/${pid}/autogroup`, 'utf8'))[1])
	const s = await start({ session: true, conf: { web_processes: 1 } })
	try {
		assert.equal(nice(s.pid), -5)
		assert.equal(nice(children(s).find(([, n]) => n === 'postgres')[0]), 0)
	} finally { await s.stop() }
})

describe('signals', () => {
	test('SIGHUP applies settings of the file, says what needs a restart, and keeps the old ones when the file is wrong', async () => {
		const data = fresh(), file = path.join(data, 'badal.conf')
		writeFileSync(file, 'body_max = 6m\n', { mode: 0o644 })
		const s = await start({ data, conf: { web_processes: 1 }, args: ['--config', file] })	/* one: what holds in it holds */
		const big = { project: 'console', body: { userId: 'x', email: 'no', password: 'x'.repeat(100000) } }
		const status = async () => (await s.call('POST', '/account', { ...big, headers: { connection: 'close' } }).catch(() => ({ status: 413 }))).status
		assert.equal(await status(), 400)
		writeFileSync(file, 'body_max = 50k\nport = 1\n')
		s.kill('SIGHUP')
		await until('the new limit holds', async () => (await status()) === 413)
		writeFileSync(file, 'body_max = 6m\nnonsense = 1\n')
		s.kill('SIGHUP')
		await until('the mistake is in the log', () => /nonsense/.test(s.log()))
		assert.equal(await status(), 413)
		assert.equal(await health(s), 200)
		await s.stop()
	})

	test('SIGTERM: a request in flight is answered, no new ones are taken, all processes end with 0', async () => {
		const s = await start({ conf: { web_processes: 1 } })
		const all = [...family(s.pid).keys()]
		const body = JSON.stringify({ userId: 'x', email: 'no', password: 'x' })
		const c = net.connect(s.port, '127.0.0.1')
		let got = ''
		c.on('data', (d) => (got += d))
		c.on('error', () => {})
		await new Promise((ok) => c.once('connect', ok))
		c.write(`POST /v1/account HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: console\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`)
		await until('the head was read', () => /^HTTP\/1\.1 100 .*\r\n\r\n$/s.test(got))
		got = ''
		c.write(body.slice(0, 10))
		s.kill('SIGTERM')
		await until('it is draining', () => /stopping/.test(s.log()))
		await until('nobody listens', () => new Promise((ok) => net.connect(s.port, '127.0.0.1').on('connect', function () { this.destroy(); ok(false) }).on('error', () => ok(true))))
		c.write(body.slice(10))
		await until('the answer', () => /^HTTP\/1\.1 400 /.test(got))
		assert.match(got, /connection: close/i)
		assert.deepEqual(await s.exit, { code: 0, signal: null })
		await until('nothing is left', () => all.every(gone))
		await s.stop()
	})

	test('SIGINT stops it, too', async () => {
		const s = await start()
		s.kill('SIGINT')
		assert.deepEqual(await s.exit, { code: 0, signal: null })
		await s.stop()
	})
})

describe('refusals', () => {
	test('a port that somebody listens on', async () => {
		const other = net.createServer().listen(0, '127.0.0.1')
		await new Promise((ok) => other.once('listening', ok))
		await assert.rejects(start({ conf: { port: other.address().port } }), (e) => (assert.equal(e.exit.code, 1), assert.match(e.log, /cannot listen .*in use/), true))
		other.close()
	})
	test('a data directory that another one serves', async () => {
		const s = await start()
		await assert.rejects(start({ data: s.data }), (e) => (assert.equal(e.exit.code, 1), assert.match(e.log, /another badal serves this data directory/), true))
		assert.equal(await health(s), 200)
		await s.stop()
	})
})

describe('outside servers', () => {
	test('db_url and redis_url switch the embedded ones off', async () => {
		const inner = await start()
		const person = await inner.user({ project: 'console' })
		const key = readFileSync(path.join(inner.dataDir, 'master.key'), 'utf8')
		const outer = await start({ conf: { roles: 'web,jobs', master_key: key, db_url: `host=${inner.dataDir}/run user=badal dbname=postgres`, redis_url: `unix://${inner.dataDir}/run/redis.sock` } })
		assert.deepEqual([...new Set(family(outer.pid).values())].sort(), ['badal-jobs', 'badal-web'])
		assert.equal((await outer.call('GET', '/account', { project: 'console', cookie: person.cookie })).status, 200)
		await outer.stop()
		await inner.stop()
	})
})
