/* An upgrade with many projects: a file in sql/project that adds eight tables. Time until the server answers, until the first request to a
 * project is answered, until all projects are migrated, and how requests to another project fare meanwhile; time to create a project.
 * BEFORE (a binary) and BEFORE_SQL (its sql directory) name an older version: it makes the data, and is measured on a copy of it first.
 * node t/bench/start.mjs [projects]        needs psql; 500 projects take 0.5 GB and some minutes */
import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { binary, dataDir, start, unique, until } from '../lib/server.mjs'
import { cpuOf, family, percentile, report, sleep } from './lib.mjs'

const N = Number(process.argv[2] ?? 500), CREATIONS = 50
const now = { program: binary, sql: fileURLToPath(new URL('../../sql', import.meta.url)) }
const before = process.env.BEFORE ? { program: process.env.BEFORE, sql: process.env.BEFORE_SQL } : undefined
const psqlArgs = (s) => ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1']
const psql = (s, sql) => execFileSync('psql', psqlArgs(s), { encoding: 'utf8', input: sql }).trim()
const tables = Array.from({ length: 8 }, (_, i) => `CREATE TABLE :schema.extra${i} (internal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL, search text NOT NULL DEFAULT '');
CREATE UNIQUE INDEX extra${i}_id ON :schema.extra${i} (lower(id));`).join('\n')

const dirs = []
function fresh() {
	dirs.push(dataDir())
	return dirs.at(-1)
}
process.on('exit', () => { for (const d of dirs) rmSync(d, { recursive: true, force: true }) })

/* The version's migrations, with one more. */
function later(v) {
	const to = path.join(fresh(), 'sql')
	cpSync(v.sql, to, { recursive: true })
	writeFileSync(path.join(to, 'project', '0901_users.sql'), tables)
	return to
}

const post = (s, owner, body) => s.ok('POST', '/projects', { project: 'console', cookie: owner.cookie, body })

/* Milliseconds of each of the creations; `ready` is waited for before each. */
async function creations(s, owner, teamId, ready = async () => {}) {
	const took = []
	for (let i = 0; i < CREATIONS; i++) {
		await ready()
		const began = performance.now()
		await post(s, owner, { projectId: unique('n'), name: 'N', teamId })
		took.push(performance.now() - began)
	}
	return took
}
const tell = (name, took) => { report(`${name}, p50 of ${CREATIONS}`, percentile(took, 0.5), 'ms'); report(`${name}, p90`, percentile(took, 0.9), 'ms') }

/* ---- the data: projects of the older version ---- */

const old = before ?? now, seed = fresh()
let s = await start({ data: seed, conf: { sql_dir: old.sql, log_level: 'warn' }, program: old.program, remove: false })
const owner = await s.console(), team = await owner.ok('POST', '/teams', { body: { teamId: 'crew', name: 'Crew' } })
const first = await s.project(), second = await s.project()
if (before) tell('before: creating a project', await creations(s, owner, team.$id))
const files = readdirSync(path.join(old.sql, 'project')).sort().map((f) => [Number(f.slice(0, 4)), readFileSync(path.join(old.sql, 'project', f), 'utf8')])
const have = Number(psql(s, 'SELECT count(*) FROM badal.projects')), newest = files.at(-1)[0]
for (let i = have; i < N; i++) {
	const internal = psql(s, `INSERT INTO badal.projects (id, name, team_id, created, updated) VALUES ('many${i}', 'Many', 'crew', now(), now()) RETURNING internal`)
	psql(s, `SET synchronous_commit = off; BEGIN; ${files.map(([n, text]) => `${text.replaceAll(':schema', `p_${internal}`)}; INSERT INTO badal.project_migrations (schema, number) VALUES ('p_${internal}', ${n});`).join('\n')} COMMIT;`)
}
if (!before) psql(s, `UPDATE badal.projects SET version = ${newest}, needs = ${newest}`)
psql(s, 'CHECKPOINT')
await s.stop()

/* ---- nothing to do: the floor ---- */

async function timed(v, data, sql_dir) {
	const began = performance.now()
	const r = await start({ data, conf: { sql_dir, log_level: 'info' }, program: v.program, remove: false, ms: 600000 })
	return [r, performance.now() - began]
}
let floor
if (before) {
	const copy = fresh()
	execFileSync('cp', ['-a', `${seed}/.`, copy])
	let ms
	;[s, floor] = await timed(before, copy, before.sql)
	await s.stop()
	;[s, ms] = await timed(before, copy, later(before))
	report(`before: start with ${N} projects, nothing to migrate`, floor, 'ms')
	report('before: until ready = until all are migrated', ms, 'ms')
	report('before: so the migrations hold up a start by', ms - floor, 'ms')
	psql(s, 'CHECKPOINT')
	await s.stop()
	rmSync(copy, { recursive: true, force: true })
}

/* ---- now ---- */

;[s, floor] = await timed(now, seed, now.sql)
report(`now: start with ${N} projects, ${before ? "the platform's migrations of this version" : 'nothing to migrate'}`, floor, 'ms')
await until('the background is idle', () => psql(s, `SELECT count(*) FROM badal.projects WHERE version < ${newest}`) === '0', 300000)
await s.stop()
const sql = later(now)
let ms
;[s, ms] = await timed(now, seed, sql)
const ready = performance.now(), behind = () => Number(psql(s, 'SELECT count(*) FROM badal.projects WHERE version < 901'))
report('now: until ready', ms, 'ms')
const as = (p) => s.ok('GET', '/users', { project: p.id, key: p.key })
let began = performance.now()
await as(first)
report('now: first request to a project, with its migration', performance.now() - began, 'ms')
await as(second)
const took = []
let cpu = cpuOf(family(s.pid))
for (let look = 0, left = behind(); left > 0; look++) {
	began = performance.now()
	await as(second)
	took.push(performance.now() - began)
	await sleep(25)
	if (look % 40 === 39) left = behind()
}
report('now: until all are migrated, from ready', performance.now() - ready, 'ms')
report('now: CPU of all processes for that, per project', (cpuOf(family(s.pid)) - cpu) / 1000 / N, 'ms')
report('now: requests to another project meanwhile, p50', percentile(took, 0.5), 'ms')
report('now: requests to another project meanwhile, p99', percentile(took, 0.99), 'ms')
const idle = []
for (let i = 0; i < 200; i++) { began = performance.now(); await as(second); idle.push(performance.now() - began); await sleep(5) }
report('now: the same when nothing is left, p50', percentile(idle, 0.5), 'ms')
report('now: the same when nothing is left, p99', percentile(idle, 0.99), 'ms')
const spares = () => Number(psql(s, 'SELECT count(*) FROM badal.spares WHERE version = 901'))
await until('spares', () => spares() >= 8, 100000)
tell('now: creating a project', await creations(s, owner, team.$id, () => until('a spare', () => spares() > 0)))
await until('spares', () => spares() >= 8, 60000)
tell('now: creating projects without a pause', await creations(s, owner, team.$id))
psql(s, 'CHECKPOINT')	/* thousands of new files: it may take longer than a stop waits for */
await s.stop()
