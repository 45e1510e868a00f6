/* What events cost that nobody listens to, and what shards add: processor time of relay, Redis and each web process per event, with 1, 4 and 16
 * shards in one run, as a burst and one by one; and of an idle web process per second. Every web process follows every shard.
 * BADAL_BEFORE names another binary, to compare one shard with in the same run.
 * node t/bench/shards.mjs [events] */
import { execFile } from 'node:child_process'
import path from 'node:path'

import { children, start, until } from '../lib/server.mjs'
import { cpuOf, report, sleep } from './lib.mjs'

const EVENTS = Number(process.argv[2] ?? 40000), ONE_BY_ONE = 3000, IDLE_S = 5

async function measure(shards) {
	const s = await start({ conf: { log_level: 'warn', web_processes: 2, ...shards } })
	const psql = (sql) => new Promise((ok, no) => execFile('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-c', sql],
		(e, out, err) => (e ? no(new Error(err || e.message)) : ok(out.trim()))))
	const relayed = async () => Number((await (await fetch(new URL('/metrics', s.base))).text()).match(/^badal_relay_events_total (\d+)/m)[1])
	const who = { relay: children(s, 'badal-relay'), redis: children(s, 'redis-server'), web: children(s, 'badal-web') }
	const cpu = () => Object.fromEntries(Object.entries(who).map(([k, pids]) => [k, cpuOf(pids) / pids.length]))
	const spent = async (work, n) => {
		const before = cpu()
		await work()
		const after = cpu()
		return Object.fromEntries(Object.keys(who).map((k) => [k, (after[k] - before[k]) / n]))
	}
	const emit = `SELECT pg_logical_emit_message(true, 'event', '{"p":"project' || i % 100 || '","e":"users.[userId].update","v":["u"],"c":["account"],"r":["user:u"],"t":1}' || chr(10) || repeat('x', 300))`
	const events = async (sql, n) => {
		const before = await relayed()
		await psql(sql)
		await until('the events', async () => (await relayed()) >= before + n, 120000)
		await sleep(500)	/* the web reads them */
	}
	await sleep(2000)
	const r = {
		burst: await spent(() => events(`${emit} FROM generate_series(1, ${EVENTS}) i`, EVENTS), EVENTS),
		single: await spent(() => events(`DO $$BEGIN FOR i IN 1..${ONE_BY_ONE} LOOP PERFORM ${emit.slice(7)}; COMMIT; END LOOP; END$$`, ONE_BY_ONE), ONE_BY_ONE),
		idle: await spent(() => sleep(IDLE_S * 1000), IDLE_S),
	}
	await s.stop()
	return r
}

if (process.env.BENCH_JSON) {
	console.log(JSON.stringify(await measure({})))
} else {
	const { run } = await import('./lib.mjs'), rows = new Map()
	if (process.env.BADAL_BEFORE)
		rows.set('before', JSON.parse((await run('node', process.argv.slice(1), { env: { ...process.env, BADAL: process.env.BADAL_BEFORE, BENCH_JSON: '1' } })).trim().split('\n').at(-1)))
	for (const n of [1, 4, 16]) rows.set(`${n} shards`, await measure({ event_shards: n }))
	for (const [what, unit] of [['burst', 'us per event'], ['single', 'us per event'], ['idle', 'us per second']])
		for (const process of ['relay', 'redis', 'web'])
			for (const [name, r] of rows) report(`${what}, ${process}, ${name}`, r[what][process], unit)
}
