/* contrib/up says what cannot be before it works for minutes. (That it leads to a running server is what every other test of this folder needs.) */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const top = mkdtempSync(path.join(os.tmpdir(), 'badal-t-up-')), root = process.getuid() === 0
after(() => rmSync(top, { recursive: true, force: true }))
cpSync(fileURLToPath(new URL('../../contrib', import.meta.url)), path.join(top, 'contrib'), { recursive: true })
for (const d of ['', 'build']) { mkdirSync(path.join(top, d), { recursive: true }); chmodSync(path.join(top, d), 0o777) }
const up = (args, wrap = []) => {
	const [program, ...rest] = [...wrap, 'bash', path.join(top, 'contrib/up'), ...args]
	return spawnSync(program, rest, { encoding: 'utf8', env: { PATH: process.env.PATH, HOME: top }, timeout: 60000 })
}

test('wrong usage', () => {
	for (const args of [['--port'], ['--port', 'many'], ['--port=80x'], ['--data-dir'], ['--data-dir', '--port'], ['--prot', '1'], ['extra']]) {
		const r = up(args)
		assert.equal(r.status, 2, args.join(' '))
		assert.match(r.stderr, /usage:|is not a port/)
	}
	assert.equal(up(['--help']).status, 0)
})

test('a port that is in use is said before anything is installed or built', async () => {
	const other = net.createServer().listen(0, '127.0.0.1')
	await new Promise((ok) => other.once('listening', ok))
	writeFileSync(path.join(top, 'contrib/packages'), 'run badal-no-such-package -\n')
	const r = up(['--port', String(other.address().port)])
	other.close()
	assert.equal(r.status, 1)
	assert.match(r.stderr, /^port \d+ is in use.*--port\n$/)
})

test('without root, what is missing is said once, as a command to paste', { skip: !root && 'needs root, to be somebody else' }, () => {
	writeFileSync(path.join(top, 'contrib/packages'), 'build badal-no-such-package -\nrun badal-nor-this -\ntest badal-not-asked-for -\n')
	const bin = path.join(top, 'bin')	/* no sudo there */
	mkdirSync(bin)
	for (const p of ['bash', 'dirname', 'id', 'grep', 'tr', 'dpkg-query', 'mkdir', 'cat']) spawnSync('ln', ['-s', `/usr/bin/${p}`, bin])
	chmodSync(top, 0o755)
	rmSync(path.join(top, 'build/up.log'), { force: true })	/* of the ones before, root's */
	const r = up(['--port', '0'], ['setpriv', '--reuid', 'nobody', '--clear-groups', 'env', `PATH=${bin}`])
	assert.equal(r.status, 1)
	assert.equal(r.stderr, 'packages are missing, and installing them needs root. As root, once:\n    apt-get install --no-install-recommends badal-no-such-package badal-nor-this \n')
})
