/* A fresh database for a private server, copied from one that initdb made once per machine: initdb takes a second of processor time, a
 * copy a twentieth. The embedded server finds a data directory that it would have made itself. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const versions = '/usr/lib/postgresql'

/* As root, who `run_user` is by default. */
function owner() {
	if (process.getuid() !== 0) return null
	const line = (spawnSync('getent', ['passwd', 'badal'], { encoding: 'utf8' }).stdout ?? '').split('\n')[0].split(':')
	if (line.length < 4) throw new Error('there is no user badal: contrib/check makes it')
	return { uid: Number(line[2]), gid: Number(line[3]) }
}

function newest() {
	if (!existsSync(versions)) return null
	const n = readdirSync(versions).map(Number).filter(Boolean).sort((a, b) => b - a)[0]
	return n ? { n, initdb: `${versions}/${n}/bin/initdb` } : null
}

/* The template; made when it is missing, by whoever comes first: the others find it, or copy nothing. */
function template(pg, own) {
	const dir = path.join(os.tmpdir(), `badal-seed-${pg.n}-${own ? own.uid : process.getuid()}`)
	if (existsSync(dir)) {
		const s = statSync(dir)	/* the place is anybody's */
		return s.isDirectory() && s.uid === (own ? own.uid : process.getuid()) ? dir : null
	}
	const made = mkdtempSync(path.join(os.tmpdir(), 'badal-seed-'))
	if (own) chownSync(made, own.uid, own.gid)
	/* the same arguments as src/main/embed_postgres.c */
	const r = spawnSync(pg.initdb, ['-D', `${made}/new`, '-U', 'badal', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--data-checksums', '--no-sync', '--no-instructions'],
		{ ...own, stdio: 'ignore', cwd: '/' })
	try {
		if (r.status === 0) renameSync(`${made}/new`, dir)
	} catch { /* somebody was quicker */ }
	rmSync(made, { recursive: true, force: true })
	return existsSync(dir) ? dir : null
}

/* Puts a database into the data directory of a server that was never started. Where that is not possible, the server makes its own. */
export function seed(data) {
	const pg = newest()
	if (!pg) return
	const own = owner(), from = template(pg, own)
	if (!from) return
	mkdirSync(data, { recursive: true })
	if (own) chownSync(data, own.uid, own.gid)
	execFileSync('cp', ['-a', '--reflink=auto', from, path.join(data, 'postgres')])
}
