/* badal-unpack does what tar does, or says no and leaves it to tar. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test, { after } from 'node:test'
import { gzipSync } from 'node:zlib'

const program = path.join(path.dirname(path.resolve(process.env.BADAL ?? 'build/check/badal')), 'badal-unpack')
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'unpack-'))
after(() => fs.rmSync(dir, { recursive: true }))

let n = 0
const fresh = () => { const at = path.join(dir, `${n++}`); fs.mkdirSync(at); return at }
/* What is in a directory, with modes, contents, links and the seconds of files. */
function seen(at, under = '') {
	return fs.readdirSync(at).sort().flatMap((name) => {
		const file = path.join(at, name), st = fs.lstatSync(file), is = path.join(under, name), mode = (st.mode & 0o7777).toString(8)
		if (st.isDirectory()) return [[is, mode], ...seen(file, is)]
		if (st.isSymbolicLink()) return [[is, 'link', fs.readlinkSync(file)]]
		return [[is, mode, st.nlink, Math.floor(st.mtimeMs / 1000), fs.readFileSync(file, 'latin1')]]
	})
}
function unpack(archive, { bytes = 1 << 26, files = 1000 } = {}) {
	const at = fresh(), file = path.join(dir, `${n++}.tar.gz`)
	fs.writeFileSync(file, archive)
	const { status, stdout } = spawnSync(program, [file, String(bytes), String(files)], { cwd: at, encoding: 'utf8' })
	return { status, out: stdout, seen: seen(at), file }
}
function asTar(file) {
	const at = fresh()
	execFileSync('sh', ['-c', 'umask 022; tar -xz --numeric-owner --no-same-owner --no-same-permissions -f "$0" && chmod -R u+rwX,go+rX .', file], { cwd: at })
	return seen(at)
}

const source = fresh(), long = `${'d'.repeat(90)}/${'e'.repeat(120)}`
for (const d of ['a/b', '.hidden', path.dirname(long), 'empty']) fs.mkdirSync(path.join(source, d), { recursive: true })
for (const [name, text, mode] of [['a/b/c', 'text', 0o644], ['run', '#!/bin/sh\n', 0o4755], ['private', 'x', 0o600], ['only-run', 'x', 0o100], ['open', 'x', 0o666], ['.hidden/.file', '', 0o644], [long, 'long', 0o644], ['ünï', 'x', 0o644], ['big', 'y'.repeat(200001), 0o644]]) {
	fs.writeFileSync(path.join(source, name), text)
	fs.chmodSync(path.join(source, name), mode)
	fs.utimesSync(path.join(source, name), 1e9, 1e9)
}
fs.chmodSync(path.join(source, 'empty'), 0o700)
fs.linkSync(path.join(source, 'a/b/c'), path.join(source, 'hard'))
fs.symlinkSync('a/b/c', path.join(source, 'soft'))
fs.symlinkSync(`../${long}`, path.join(source, 'a/long-link'))
fs.symlinkSync('/etc/passwd', path.join(source, 'out'))
const tar = (...args) => execFileSync('tar', [...args, '.'], { cwd: source, maxBuffer: 1 << 26 })

test('what is there is what tar makes of it', () => {
	const python = `import sys, tarfile\nt = tarfile.open(fileobj=sys.stdout.buffer, mode='w|gz')\nt.add('.')\nt.close()`
	for (const [what, bytes] of [['GNU', tar('-cz')], ['POSIX', tar('-cz', '--format=posix')], ['Python', execFileSync('python3', ['-c', python], { cwd: source })],
		['names from ./', execFileSync('sh', ['-c', 'tar -cz ./run ././a .hidden'], { cwd: source })], ['ustar', execFileSync('sh', ['-c', 'tar -cz --format=ustar run a/b hard'], { cwd: source })],
		['one twice', execFileSync('sh', ['-c', 'tar -cz --hard-dereference run run'], { cwd: source })]]) {
		const got = unpack(bytes)
		assert.equal(got.status, 0, what)
		assert.deepEqual(got.seen, asTar(got.file), what)
		assert.ok(Number(got.out) > 0, what)
	}
})

test('what it does not know is left to tar', () => {
	const all = tar('-c'), whole = gzipSync(all), bad = Buffer.from(all)
	bad[100] ^= 1
	fs.truncateSync(path.join(source, 'open'), 1 << 20)
	const sparse = tar('-cz', '-S', '--format=posix')
	fs.truncateSync(path.join(source, 'open'), 1)
	for (const [what, bytes, how] of [['a cut one', whole.subarray(0, whole.length - 20)], ['two members', Buffer.concat([gzipSync(all.subarray(0, 700)), gzipSync(all.subarray(700))])], ['something behind', Buffer.concat([whole, Buffer.from('x')])],
		['a wrong sum', gzipSync(bad)], ['no tar', gzipSync('no tar')], ['nothing', gzipSync('')], ['zeros', gzipSync(Buffer.alloc(10240))], ['holes', sparse], ['v7', tar('-cz', '--format=v7', '--exclude=./d*', '--exclude=long-link')],
		['more bytes', whole, { bytes: 100000 }], ['more files', whole, { files: 5 }], ['more folders', execFileSync('sh', ['-c', 'tar -cz run a/b/c'], { cwd: source }), { files: 3 }], ['no gzip', all], ['a wrong sum of gzip', Buffer.concat([whole.subarray(0, whole.length - 8), Buffer.alloc(8)])]])
		assert.deepEqual([unpack(bytes, how).status, what], [1, what])
})

test('no name leads out', () => {
	const make = `import io, sys, tarfile
t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|gz', format=int(sys.argv[2]))
def add(name, type=tarfile.REGTYPE, link='', data=b''):
    i = tarfile.TarInfo(name)
    i.type, i.linkname, i.size = type, link, len(data)
    t.addfile(i, io.BytesIO(data))
exec(sys.argv[1])
t.close()`
	const outside = fresh(), far = `${'x/'.repeat(80)}..${'/..'.repeat(90)}/up`
	for (const format of [0, 1, 2])
		for (const [script, ok] of [[`add('../up')`], [`add('${outside}/theirs', data=b'x')`], [`add('a/../../up')`], [`add('${far}')`], [`add('l', tarfile.SYMTYPE, '${outside}'); add('l/through', data=b'x')`], [`add('h', tarfile.LNKTYPE, '/etc/passwd')`],
			[`add('h', tarfile.LNKTYPE, '../../../etc/passwd')`], [`add('d', tarfile.CHRTYPE)`], [`add('p', tarfile.FIFOTYPE)`], [`add('l', tarfile.SYMTYPE, '${outside}'); add('l', tarfile.DIRTYPE)`], [`add('l', tarfile.SYMTYPE, '..'); add('x', data=b'x')`, true]]) {
			if (format === 0 && script.includes(far)) continue	/* ustar has no such names */
			const got = unpack(execFileSync('python3', ['-c', make, script, String(format)]))
			assert.deepEqual([got.status, script], [ok ? 0 : 1, script])
			assert.deepEqual(fs.readdirSync(outside), [])
			assert.ok(!fs.existsSync(path.join(dir, 'up')))
		}
})
