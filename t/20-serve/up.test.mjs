/* contrib/up says what cannot be before it works for minutes. (That it leads to a running server is what every other test of this folder needs.) */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

/* Programs of ours instead of those that install and build: each waits for the other, so that neither comes to its end where one is done after the other. */
const wait = (file) => `i=0; while [ ! -e ${file} ]; do i=$((i + 1)); [ $i -lt 600 ] || exit 9; sleep 0.05; done\n`
function scene(install, download = 'touch badal-of-headers_1_all.deb') {
	const bin = mkdtempSync(path.join(top, 'bin-')), build = path.join(top, 'build'), said = path.join(bin, 'said')
	const script = (name, text) => writeFileSync(path.join(bin, name), `#!/bin/sh\n${text}`, { mode: 0o755 })
	rmSync(build, { recursive: true, force: true })
	mkdirSync(build)
	writeFileSync(path.join(top, 'contrib/packages'), 'build badal-to-build -\nheaders badal-of-headers -\nrun badal-to-run -\ntest badal-to-test -\n')
	writeFileSync(path.join(top, 'configure.ac'), '')
	writeFileSync(path.join(top, 'configure'), '#!/bin/sh\ntouch Makefile\n', { mode: 0o755 })
	script('sudo', '[ "$1" = -v ] || exec "$@"\n')
	script('dpkg-query', 'exit 1\n')
	script('apt-get', `echo "apt-get $*" >>${said}\ncase "$*" in *" download "*) ${download} ;; *" badal-to-run"*) ${wait(`${bin}/compiling`)}${install} ;; esac\n`)
	script('dpkg-deb', `echo "dpkg-deb $*" >>${said}\n`)
	script('make', `echo "make $*" >>${said}\ntouch ${bin}/compiling\n${wait(`${bin}/over`)}printf '#!/bin/sh\\necho ready\\n' >${build}/badal\nchmod 755 ${build}/badal\n`)
	const r = spawnSync('bash', [path.join(top, 'contrib/up'), '--port', '0'], { encoding: 'utf8', env: { PATH: `${bin}:${process.env.PATH}`, HOME: top }, timeout: 60000 })
	return { ...r, said: readFileSync(said, 'utf8').trim().split('\n'), bin }
}

test('what it takes to run is installed while the compiler works, and lists are fetched once', () => {
	const r = scene('touch $(dirname $0)/over')
	assert.equal(r.status, 0, r.stderr)
	assert.match(r.stderr, /^packages: installing 2\nbuild: the first time, some minutes\ndatabase: starting; /)
	assert.match(r.stdout, /^ready$/m)
	assert.equal(r.said.filter((l) => / update$/.test(l)).length, 1)
	const at = (what) => r.said.findIndex((l) => what.test(l))
	assert.match(r.said[0], /update$/)
	assert.match(r.said[1], /install badal-to-build *$/)
	assert.ok(at(/install badal-to-run *$/) > 1 && at(/ badal$/) > 1 && at(/^make .* all$/) === r.said.length - 1, r.said.join('\n'))
	assert.ok(at(/badal-to-test/) < 0)
})

test('what is needed for its headers alone is unpacked, not installed; where that cannot be, it is installed', () => {
	let r = scene('touch $(dirname $0)/over')
	assert.equal(r.status, 0, r.stderr)
	assert.ok(r.said.includes('apt-get -q download badal-of-headers'), r.said.join('\n'))
	assert.ok(r.said.some((l) => /^dpkg-deb -x \S+\/badal-of-headers_1_all\.deb \S+\/build\/headers$/.test(l)))
	assert.ok(!r.said.some((l) => /install .*badal-of-headers/.test(l)))
	r = scene('touch $(dirname $0)/over', 'exit 100')
	assert.equal(r.status, 0, r.stderr)
	assert.ok(r.said.some((l) => /install badal-of-headers *$/.test(l)), r.said.join('\n'))
})

test('when packages cannot be installed beside the build, that is said, and nothing is started', () => {
	const r = scene('touch $(dirname $0)/over; echo "E: no room"; exit 100')
	assert.equal(r.status, 1)
	assert.match(r.stderr, /E: no room\n[^]*installing packages failed: see /)
	assert.doesNotMatch(r.stdout, /ready/)
})
