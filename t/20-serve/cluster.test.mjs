/* The server on a Redis in cluster mode: one node that holds all slots is served like any Redis; a node of several is refused at the start. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'

import { library, read } from '../60-rt/lib.mjs'
import { ownPort, run, server, settings, until } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'

const nodes = []
after(() => {
	for (const n of nodes) {
		n.child.kill('SIGKILL')
		rmSync(n.dir, { recursive: true, force: true })
	}
})

async function node() {
	const dir = mkdtempSync(path.join(os.tmpdir(), 'badal-t-cluster-')), [host, port] = (await ownPort((n) => n < 55000)).split(':')	/* its bus is 10000 above */
	/* nodes that meet tell each other what they have when they ask: after half of their timeout */
	const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'redis-server', '--port', port, '--bind', host, '--bind-source-addr', host, '--cluster-announce-ip', host, '--cluster-node-timeout', '4000', '--dir', dir, '--cluster-enabled', 'yes',
		'--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''].map(String), { stdio: 'ignore' })
	const n = { dir, host, port, child, url: `redis://${host}:${port}`, cli: (...a) => execFileSync('redis-cli', ['-h', host, '-p', port, ...a.map(String)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }) }
	child.unref()
	nodes.push(n)
	await until('the node answers', () => { try { return n.cli('PING') } catch { return false } })
	return n
}

const ready = (n) => until('the cluster is whole', () => /cluster_state:ok/.test(n.cli('CLUSTER', 'INFO')))

test('one node: events, resuming, jobs, limits, and a restart', { timeout: 120000 }, async () => {
	const redis = await node(), box = await sink()
	redis.cli('CLUSTER', 'ADDSLOTSRANGE', 0, 16383)
	await ready(redis)
	const conf = { redis_url: redis.url, event_shards: 4, smtp_host: '127.0.0.1', smtp_port: box.port, rate_limits: 'on', rt_resume_window: '5m', web_processes: 2 }
	const s = await server({ own: true, conf })
	const shards = () => redis.cli('KEYS', 'events:*').split('\n').filter((k) => /^events:\{\d\}:\d+$/.test(k)).length
	try {
		const p = await library(s), q = await library(s), alice = await p.user()
		const w = await p.listen(['documents'], { as: alice }), other = await q.listen(['documents'])
		await p.write(1, [read('users')])
		const first = await w.next((f) => f.type === 'event')
		assert.equal(first.data.payload.n, 1)
		await q.write(1, [read('any')])
		assert.equal((await other.event()).payload.n, 1)
		/* ids are drawn: the first two may share a shard, these all do once in 4^20 */
		for (let i = 0; i < 20 && shards() < 2; i++) {
			const more = await library(s), heard = await more.listen(['documents'])
			await more.write(1, [read('any')])
			assert.equal((await heard.event()).payload.n, 1)
			heard.end()
		}
		assert.ok(shards() > 1, 'projects are in several shards')
		w.end()
		await p.write(2, [read('users')])
		/* killed under load: what is written meanwhile comes */
		redis.cli('CLIENT', 'KILL', 'TYPE', 'normal')
		await p.write(3, [read('users')])
		const back = await until('resuming', () => p.listen(['documents'], { as: alice, query: `&since=${first.id}` }).catch(() => null))
		assert.equal(back.hello.gap, false)
		assert.deepEqual(await p.heard(back), [[2, 3]])
		back.end()

		/* a job: mail of a recovery; its rate limit counts */
		await p.addPlatform({ hostname: 'localhost' })
		await p.guest('POST', '/account/recovery', { body: { email: alice.email, url: 'http://localhost/r' } })
		await until('the mail', () => box.mails.length > 0)
		const limited = await until('the limit', async () => {
			const r = await p.guest('POST', '/account/recovery', { body: { email: alice.email, url: 'http://localhost/r' } })
			return r.status === 429 ? r : null
		})
		assert.equal(limited.headers['x-ratelimit-remaining'], '0')

		/* schema jobs, health, statistics of connections */
		await p.ok('POST', '/databases/d/collections/c/indexes', { body: { key: 'by_n', type: 'key', attributes: ['n'] } })
		await until('the index', async () => (await p.ok('GET', '/databases/d/collections/c/indexes/by_n')).status === 'available')
		await p.ok('GET', '/health/queue/mail')
		const metrics = await (await fetch(new URL('/metrics', s.base))).text()
		assert.match(metrics, /badal_relay_leader 1/)
		assert.doesNotMatch(s.log(), /CROSSSLOT|undeclared|MOVED|could not be trimmed/)

		/* every key of a stream has its shard's tag, and the jobs have theirs */
		const keys = redis.cli('KEYS', '*').trim().split('\n')
		for (const k of keys) assert.match(k, /^(events:\{\d\}:|relay:\{\d\}:|relay:(streams|packs)$|\{jobs\}:|limit:|known:\{[^}]*\}:|turn:|rt:connections$)/, k)
	} finally {
		await s.stop()
		box.close?.()
	}
})

test('several nodes are refused at the start', { timeout: 180000 }, async () => {
	const a = await node(), b = await node()
	a.cli('CLUSTER', 'ADDSLOTSRANGE', 0, 8191)
	b.cli('CLUSTER', 'ADDSLOTSRANGE', 8192, 16383)
	b.cli('CLUSTER', 'SET-CONFIG-EPOCH', 2)
	await until('they know each other', () => a.cli('CLUSTER', 'MEET', b.host, b.port) && [a, b].every((n) => n.cli('CLUSTER', 'SLOTS').split('\n').filter((l) => l === a.host).length >= 2))
	await assert.rejects(server({ own: true, conf: { redis_url: a.url } }), (e) => {
		assert.match(e.log, /cannot use Redis.*one node must hold all slots/)
		assert.notEqual(e.exit?.code, 0)
		return true
	})
	const doctor = await run(['doctor', ...settings({ redis_url: a.url, db_url: 'host=/nowhere', data_dir: path.join(a.dir, 'data') })])
	assert.match(doctor.out, /one node must hold all slots/)
})
