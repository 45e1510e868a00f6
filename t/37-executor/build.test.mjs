/* Builds: archives of all kinds, commands, and what is told of those that fail. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test, { after } from 'node:test'
import { gzipSync } from 'node:zlib'
import { archive, start } from './executor.mjs'

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'archives-'))
fs.mkdirSync(path.join(dir, 'runtimes'))
for (const f of fs.readdirSync('etc/runtimes.d')) fs.copyFileSync(path.join('etc/runtimes.d', f), path.join(dir, 'runtimes', f))
/* a language whose build is the function's own script */
fs.writeFileSync(path.join(dir, 'runtimes/shell.conf'), 'key = shell\nname = Shell\nversion = echo 1.0\nstart = true\nbuild = sh ./build.sh\n')
const x = await start({ runtimes_dir: path.join(dir, 'runtimes'), functions_unpacked_max: '64m', functions_unpacked_files: 2000 })
after(() => fs.rmSync(dir, { recursive: true }))
const tar = (...args) => execFileSync('tar', args, { cwd: dir, maxBuffer: 1 << 30 })
const listed = (bytes) => execFileSync('tar', ['-tzf', '-'], { input: bytes }).toString().split('\n').filter((l) => l && l !== './').sort()

test('what is in the archive is in the result: dots, bits, links, what the build made', async () => {
	const files = { 'index.js': 'module.exports = (req, res) => res.json(require("fs").readdirSync(".").sort().concat(require("child_process").execSync("./bin/run").toString(), require("./link.js")))', '.hidden/.file': 'x',
		'bin/run': { text: '#!/bin/sh\necho ran', mode: 0o755 }, 'real.js': 'module.exports = "linked"', 'link.js': { link: 'real.js' }, 'private': { text: 'x', mode: 0o600 } }
	const b = await x.build(files)
	assert.deepEqual([b.ok, b.why], [true, ''], b.err)
	const r = await x.function(b.bytes)()
	assert.deepEqual(JSON.parse(r.text), ['.hidden', 'bin', 'index.js', 'link.js', 'private', 'real.js', 'ran\n', 'linked'], r.errors)
	const made = await x.build({ 'main.sh': 'x', 'build.sh': 'mkdir -p .out/.deep && echo made >.out/.deep/x; echo said; echo wrong >&2' }, { runtime: 'shell-1.0', entrypoint: 'main.sh' })
	assert.deepEqual([made.ok, made.out, made.err], [true, 'said\n', 'wrong\n'])
	assert.ok(listed(made.bytes).includes('./.out/.deep/x'))
})

test('variables are byte for byte in the environment of the build', async () => {
	const v = { PEM: '-----BEGIN-----\nä\r\n-----END-----\n', QUOTES: `'"\`$(x) \\n $HOME`, SPACES: '  both ends  ' }
	const b = await x.build({ 'main.sh': 'x', 'build.sh': 'for n in PEM QUOTES SPACES; do eval "printf %s \\"\\$$n\\""; printf "|"; done' }, { runtime: 'shell-1.0', entrypoint: 'main.sh', variables: v })
	assert.equal(b.out, `${v.PEM}|${v.QUOTES}|${v.SPACES}|`)
})

test('the entry point: absent, a folder, in the only folder, a command line', async () => {
	for (const [files, entrypoint, why] of [
		[{ 'other.js': 'x', 'lib/a.js': 'x' }, 'index.js', 'There is no file index.js. What there is: lib/, other.js.'],
		[{ 'index.js/a': 'x' }, 'index.js', 'The entry point index.js is a folder: it must be a file.'],
		[{ 'app/index.js': 'x', 'app/b': 'x' }, 'index.js', 'There is no file index.js: the archive holds nothing but the folder app. Pack what is in the folder, or set the entry point to app/index.js.'],
		[{ 'app/other.js': 'x' }, 'index.js', 'There is no file index.js: the archive holds nothing but the folder app. Pack what is in the folder.'],
		[{ 'index.js': 'x' }, 'node index.js', 'There is no file node index.js. What there is: index.js.'],
		[{}, 'index.js', 'There is no file index.js: the archive is empty.'],
	]) {
		const b = await x.build(files, { entrypoint })
		assert.deepEqual([b.ok, b.why], [false, why])
		assert.ok(b.err.trimEnd().endsWith(why))
	}
})

test('what is no archive is told', async () => {
	const whole = archive({ 'index.js': 'x'.repeat(100000) + Math.random() })
	fs.writeFileSync(path.join(dir, 'x'), 'x')
	for (const [bytes, why] of [
		[Buffer.from('PK\x03\x04 and so on'), /is a zip file: a tar archive, compressed with gzip/], [tar('-cf', '-', 'x'), /is not compressed/], [Buffer.from('hello'), /no gzip file/], [Buffer.alloc(0), /archive is empty/],
		[whole.subarray(0, whole.length - 20), /damaged: gzip: stdin: unexpected end of file/], [gzipSync('no tar'), /damaged: tar/], [gzipSync(''), /empty|damaged/],
	]) {
		const b = await x.build(bytes)	/* a reason, not the end of its time */
		assert.equal(b.ok, false, `${why}`)
		assert.match(b.why, why)
	}
})

test('two gzip members and zeros behind are read as tar reads them', async () => {
	const all = execFileSync('tar', ['-cf', '-', 'x'], { cwd: dir }), two = Buffer.concat([gzipSync(all.subarray(0, 700)), gzipSync(all.subarray(700)), Buffer.alloc(1024)])
	const b = await x.build(two, { entrypoint: 'x' })
	assert.deepEqual([b.ok, b.why], [true, ''], b.err)
})

test('what our unpacker leaves to tar begins anew', async () => {
	/* through a link that the archive has made: ours makes links last, so that a folder is in its place */
	const make = `import io, sys, tarfile
t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|gz')
for name, how in [('real', {'type': tarfile.DIRTYPE, 'mode': 0o755}), ('l', {'type': tarfile.SYMTYPE, 'linkname': 'real'}), ('l/index.js', {'size': 1})]:
    i = tarfile.TarInfo(name)
    for k, v in how.items(): setattr(i, k, v)
    t.addfile(i, io.BytesIO(b'x'))
t.close()`
	const b = await x.build(execFileSync('python3', ['-c', make]), { entrypoint: 'real/index.js' })
	assert.deepEqual([b.ok, b.why], [true, ''], b.err)
	assert.deepEqual(listed(b.bytes), ['./l', './real/', './real/index.js'])
})

test('bombs end at their bound, and a small build beside them is not held up', async () => {
	const big = execFileSync('sh', ['-c', 'head -c 300m /dev/zero >"$0/zeros" && tar -C "$0" -cz zeros; rm "$0/zeros"', dir], { maxBuffer: 1 << 30 })
	const many = archive(Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`f${i}`, ''])))
	const [a, b, c] = await Promise.all([x.build(big), x.build(many), x.build({ 'index.js': 'x' })])
	assert.deepEqual([a.ok, a.why], [false, 'The archive unpacks to more than 64 MiB.'])
	assert.deepEqual([b.ok, b.why], [false, 'The archive has more than 2000 files.'])
	assert.equal(c.ok, true, c.err)
	const disk = await x.build({ 'main.sh': 'x', 'build.sh': 'i=0; while :; do head -c 8m /dev/zero >f$i; i=$((i+1)); done' }, { runtime: 'shell-1.0', entrypoint: 'main.sh' })
	assert.deepEqual([disk.ok, disk.why], [false, 'The build makes more than 64 MiB of files.'])
})

test('folders are files, also those that only a name speaks of', async () => {
	const names = (make) => execFileSync('python3', ['-c', `import io, sys, tarfile\nt = tarfile.open(fileobj=sys.stdout.buffer, mode='w|gz', format=tarfile.GNU_FORMAT)\nfor name in ['index.js'] + ${make}: t.addfile(tarfile.TarInfo(name), io.BytesIO())\nt.close()`], { maxBuffer: 1 << 30 })
	for (const [make, why] of [[`['%d/' % i * 20 + 'x' for i in range(100)]`, 'The archive has more than 2000 files.'], [`['%d/' % (i % 90) * 20 + 'x%d' % i for i in range(100)]`, ''], [`['f%d' % i for i in range(2100)]`, 'The archive has more than 2000 files.']]) {
		const b = await x.build(names(make))
		assert.deepEqual([b.ok, b.why], [why === '', why], b.err)
	}
})

test('what a build makes can be unpacked again, or it fails', async () => {
	for (const [script, why] of [['i=0; while [ $i -lt 2000 ]; do : >f$i; i=$((i+1)); done', 'The build makes more than 2000 files.'], ['for f in a b; do head -c 1 /dev/zero | dd of=$f bs=1 seek=40000000 2>/dev/null; done', 'The build makes more than 64 MiB of files.']]) {
		const b = await x.build({ 'main.sh': 'x', 'build.sh': script }, { runtime: 'shell-1.0', entrypoint: 'main.sh' })
		assert.deepEqual([b.ok, b.why], [false, why], b.err)
	}
})

test('names that lead out, links, devices: nothing of this machine is touched or shown', async () => {
	fs.writeFileSync(path.join(dir, 'outside'), 'mine')
	const evil = path.join(dir, 'evil.py')
	fs.writeFileSync(evil, `import io, tarfile, sys
t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|gz')
def add(name, **how):
    i = tarfile.TarInfo(name)
    data = how.pop('data', b'')
    for k, v in how.items(): setattr(i, k, v)
    i.size = len(data)
    t.addfile(i, io.BytesIO(data))
add('index.js', data=b'x')
add('../../up', data=b'x')
add('${path.join(dir, 'outside')}', data=b'theirs')
add('shadow', type=tarfile.SYMTYPE, linkname='/etc/shadow')
add('root', type=tarfile.SYMTYPE, linkname='/')
add('root/tmp/through', data=b'x')
if len(sys.argv) > 1: add('disk', type=tarfile.BLKTYPE, devmajor=8, devminor=0)
t.close()`)
	const b = await x.build(execFileSync('python3', [evil]), { entrypoint: 'index.js' })
	assert.equal(fs.readFileSync(path.join(dir, 'outside'), 'utf8'), 'mine')
	assert.ok(!fs.existsSync('/tmp/through') && !fs.existsSync(path.join(x.place, 'up')))
	if (b.ok) assert.equal(execFileSync('tar', ['-xOzf', '-', './shadow'], { input: b.bytes }).toString(), '')
	const device = await x.build(execFileSync('python3', [evil, 'device']), { entrypoint: 'index.js' })
	assert.equal(device.ok, false)
	const own = await x.build({ 'main.sh': 'x', 'build.sh': `cat /etc/shadow ${path.join(x.dir, 'log-0')} 2>/dev/null; ls ${x.place} 2>/dev/null; ln -s /etc/shadow stolen; mkfifo pipe; true` }, { runtime: 'shell-1.0', entrypoint: 'main.sh' })
	assert.equal(own.out, '')
})

test('output of a build comes on both pipes, is cut at a character, and how it ended is told', async () => {
	const b = await x.build({ 'main.sh': 'x', 'build.sh': 'i=0; while [ $i -lt 400 ]; do printf "%04000d" 0 | tr 0 é >/dev/null; head -c 4000 /dev/zero | sed "s/\\x00/é/g"; head -c 4000 /dev/zero | sed "s/\\x00/é/g" >&2; i=$((i+1)); done; exit 3' }, { runtime: 'shell-1.0', entrypoint: 'main.sh' })
	assert.deepEqual([b.ok, b.why], [false, 'The build ended with exit code 3.'])
	assert.match(b.out, /^é+$/)
	assert.ok(b.out.length >= 499000 && b.out.length <= 1000000, `${b.out.length}`)
	assert.match(b.err, /^é+\nThe build ended with exit code 3\.\n$/)
})

test('a build whose asker leaves ends, and leaves nothing', async () => {
	const { request } = await import('node:http'), marker = `${3e6 + process.pid}.5`
	const body = Buffer.concat([...[['project', 'p'], ['code', 'gone'], ['function', 'f'], ['deployment', 'd'], ['runtime', 'shell-1.0'], ['entrypoint', 'main.sh'], ['end', '']].map(([k, v]) => Buffer.from(`${k} ${v.length}\n${v}`)), archive({ 'main.sh': 'x', 'build.sh': `echo begun; sleep ${marker}` })])
	const rq = request({ socketPath: path.join(x.place, 'executor.sock'), method: 'POST', path: '/build', headers: { 'content-length': body.length } })
	rq.on('error', () => {})
	rq.end(body)
	const rs = await new Promise((ok) => rq.on('response', ok))
	rs.on('error', () => {})
	await new Promise((ok) => rs.on('data', (d) => String(d).includes('begun') && ok()))
	rs.destroy()
	const alive = () => fs.readdirSync('/proc').some((d) => { try { return fs.readFileSync(`/proc/${d}/cmdline`, 'latin1').split('\0').includes(marker) } catch { return false } })
	for (const end = Date.now() + 60000; alive() || fs.readdirSync(x.place).some((f) => /^build-/.test(f)); ) {
		assert.ok(Date.now() < end, 'it ends')
		await new Promise((ok) => setTimeout(ok, 20))
	}
})
