/* A server whose database and processes are looked at from outside. */
import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'

import { children, server } from '../lib/server.mjs'

export const psqlArgs = (s) => ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1']

/* A server and a project with the database "d". */
export async function schemaServer(conf = {}) {
	const s = await server({ own: true, conf }), p = await s.project({ name: 'Schema' })
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
	const psql = (sql) => new Promise((ok, no) => execFile('psql', [...psqlArgs(s), '-c', sql], (e, out, err) => (e ? no(new Error(err || e.message)) : ok(out.trim()))))
	/* indexes of a table that are not whole */
	const halves = (table) => psql(`SELECT count(*) FROM pg_index WHERE indrelid = '${table}'::regclass AND NOT (indisvalid AND indisready)`)
	return { s, p, psql, halves, children: (name) => children(s, name) }
}

/* pid -> name of everything that descends from `pid`. */
export function family(pid) {
	const all = new Map()
	for (const p of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
		try {
			const stat = readFileSync(`/proc/${p}/stat`, 'latin1'), f = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
			if (f[0] !== 'Z') all.set(Number(p), { parent: Number(f[1]), name: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')) })
		} catch { /* gone meanwhile */ }
	}
	const found = new Map(), walk = (p) => { for (const [q, x] of all) if (x.parent === p) { found.set(q, x.name); walk(q) } }
	walk(pid)
	return found
}
