/* Indexes on many collections at once: from the last request to the last index that can be used, with 8, 16 and 24 collections of some documents.
 * BADAL_BEFORE names the sources of another version, built in build/check, to compare with in the same run (with its own t/lib: replies are checked
 * against what the server says of itself).
 * node t/bench/indexes.mjs [documents of each collection] */
import { execFile } from 'node:child_process'
import path from 'node:path'

import { report } from './lib.mjs'

const { start, until } = await import(process.env.BENCH_LIB ?? '../lib/server.mjs')

const DOCUMENTS = Number(process.argv[2] ?? 1000), COUNTS = [8, 16, 24]

async function measure(env) {
	const s = await start({ conf: { log_level: 'warn' }, env }), p = await s.project({ name: 'Indexes' })
	const psql = (sql) => new Promise((ok, no) => execFile('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-c', sql],
		(e, out, err) => (e ? no(new Error(err || e.message)) : ok(out.trim()))))
	const schema = await psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`), seconds = {}
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
	for (const count of COUNTS) {
		const at = (i) => `/databases/d/collections/c${count}-${i}`, each = (fn) => Promise.all(Array.from({ length: count }, (_, i) => fn(i)))
		for (let i = 0; i < count; i++) {
			await p.ok('POST', '/databases/d/collections', { body: { collectionId: `c${count}-${i}`, name: 'C' } })
			await p.ok('POST', `${at(i)}/attributes/integer`, { body: { key: 'n', required: false } })
		}
		await psql(`DO $$DECLARE t text; BEGIN FOR t IN SELECT c.internal FROM ${schema}.collections c WHERE c.id LIKE 'c${count}-%' LOOP
			EXECUTE format('INSERT INTO ${schema}.c_%s (_id, _created, _updated, _perms, _read) SELECT i::text, now(), now(), ''{}'', ''{}'' FROM generate_series(1, ${DOCUMENTS}) i', t); END LOOP; END$$`)
		const begin = Date.now()
		await each((i) => p.ok('POST', `${at(i)}/indexes`, { body: { key: 'n', type: 'key', attributes: ['n'] } }))
		await until(`${count} indexes`, async () => (await psql(`SELECT count(*) FROM ${schema}.indexes i JOIN ${schema}.collections c ON c.internal = i.collection
			WHERE c.id LIKE 'c${count}-%' AND i.status = 'available'`)) === String(count), 300000)
		seconds[count] = (Date.now() - begin) / 1000
	}
	await s.stop()
	return seconds
}

/* the binary is chosen when lib/server.mjs is loaded, so that the other one is measured by a process of its own */
const now = await measure()
if (process.env.BENCH_JSON) {
	console.log(JSON.stringify(now))
} else {
	const before = process.env.BADAL_BEFORE ? JSON.parse(await new Promise((ok, no) => execFile(process.execPath, [process.argv[1], String(DOCUMENTS)],
		{ env: { ...process.env, BADAL: `${process.env.BADAL_BEFORE}/build/check/badal`, BENCH_LIB: `${process.env.BADAL_BEFORE}/t/lib/server.mjs`, BENCH_JSON: '1' } }, (e, out) => (e ? no(e) : ok(out))))) : {}
	for (const count of COUNTS) {
		report(`${count} collections: until the last index can be used`, now[count], 's')
		if (before[count]) report(`${count} collections: before / now`, before[count] / now[count], 'x')
	}
}
