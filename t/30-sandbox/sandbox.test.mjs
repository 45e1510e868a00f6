/* Sandboxes: what must not be possible in one, and what must. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import test, { after } from 'node:test'

const build = path.resolve(path.dirname(process.env.BADAL ?? 'build/check/badal')), built = path.join(build, 't/30-sandbox'), init = path.join(build, 'badal-init')
const place = fs.mkdtempSync(path.join(os.tmpdir(), 'box-'))
fs.chmodSync(place, 0o755)
const shown = path.join(place, 'shown')
fs.mkdirSync(shown)
fs.copyFileSync(path.join(built, 'try'), path.join(shown, 'try'))
fs.writeFileSync(path.join(shown, 'code'), 'the code\n')
after(() => fs.rmSync(place, { recursive: true }))

let boxes = 0
/* Starts one: { child, done }; done gives { out, err, end }. */
function begin(options, ...command) {
	const at = path.join(place, `${boxes++}`), settings = Object.entries({ name: `box-${process.pid}-${boxes}`, ...options }).flatMap(([k, v]) => [v].flat().map((x) => `${k}=${x}`))
	fs.mkdirSync(at)
	const child = spawn(path.join(built, 'box'), [at, init, ...settings, '--', ...command], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] }), texts = ['', '', '']
	for (const i of [1, 2, 3]) child.stdio[i].setEncoding('utf8').on('data', (d) => { texts[i - 1] += d })
	const done = new Promise((ok) => child.on('close', () => ok({ out: texts[0], err: texts[1], end: texts[2] ? JSON.parse(texts[2]) : null })))
	return { child, done, said: (word) => new Promise((ok) => { const look = () => texts[0].includes(word) && ok(); child.stdio[1].on('data', look); look() }) }
}
const box = (options, ...command) => begin(options, ...command).done
const sh = (script, options = {}) => box(options, 'sh', '-c', script)

test('what it is: nobody with no rights, in a place of its own', async () => {
	const { out, end } = await sh('id -u; hostname; pwd; env | sort; ls -A / | tr "\\n" " "; ls -A /tmp /dev/shm; grep -h -E "^(CapBnd|CapEff|NoNewPrivs|Seccomp):" /proc/self/status; echo "$$"')
	assert.deepEqual(end, { why: 'exit', number: 0, text: 'ended with exit code 0', out: out.length, err: 0 })
	assert.match(out, /^1000\nbox-\d+-\d+\n\/tmp\nPATH=[^\n]*\nPWD=\/tmp\n\.init bin dev etc lib[^\n]*proc sbin tmp usr \/dev\/shm:\n\n\/tmp:\nCapEff:\t0+\nCapBnd:\t0+\nNoNewPrivs:\t1\nSeccomp:\t2\n2\n$/)
})

test('the kernel gives it what programs need, and nothing that leads out', async () => {
	const { out } = await box({ ro: shown }, path.join(shown, 'try'))
	const got = Object.fromEntries(out.trim().split('\n').map((l) => [l.slice(0, l.lastIndexOf(' ')), l.slice(l.lastIndexOf(' ') + 1)]))
	const ok = ['clone', 'tcp socket', 'tcp6 socket', 'udp socket', 'unix socket', 'netlink socket'], none = ['clone user', 'clone3', 'io_uring', 'personality', 'a call to come']
	for (const [call, answer] of Object.entries(got)) {
		if (ok.includes(call)) assert.equal(answer, 'ok', call)
		else if (none.includes(call)) assert.equal(answer, 'ENOSYS', call)	/* libraries go on with what they did before */
		else assert.match(answer, /^(EPERM|EACCES|EINVAL|EAFNOSUPPORT)$/, call)
	}
	assert.equal(Object.keys(got).length, 37)
})

/* A root of its own: a directory with what this machine's shell needs beside it. */
const low = path.join(place, 'low')
for (const d of ['', 'dir', 'usr', 'etc', 'proc', 'dev', 'tmp']) fs.mkdirSync(path.join(low, d), { recursive: true })
for (const d of ['bin', 'lib', 'lib64']) fs.symlinkSync(`usr/${d}`, path.join(low, d))
for (const f of ['dir/a', 'b', '.init', ...['passwd', 'group', 'nsswitch.conf', 'hosts', 'resolv.conf'].map((n) => `etc/${n}`)]) fs.writeFileSync(path.join(low, f), 'of the root\n')
if (process.getuid() === 0) execFileSync('chown', ['-R', '712345:712345', low])	/* somebody's, as images are */
const layered = 'cat /b; echo mine >/b; rm -r /dir; mkdir /dir; ls /dir; chmod 700 /dir; echo x >/new; cat /b; head -c 3m /dev/zero >/big 2>/dev/null || echo full; stat -c %u /b; grep -h -E "^(CapBnd|NoNewPrivs):" /proc/self/status; mount -o remount,rw / 2>/dev/null || echo no; echo $SHARED'
const layers = { layer: 1, root: low, ro: '/usr', tmp: 2 << 20, dir: '/' }, asSeen = (shared) => `of the root\nmine\nfull\n1000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nno\n${shared}\n`
const stacked = process.getuid() === 0 && fs.statfsSync(place).type === 0x794c7630	/* overlayfs, as in containers: it has no mounts with mapped ids */
const untouched = () => assert.deepEqual([fs.readFileSync(path.join(low, 'b'), 'utf8'), fs.readdirSync(path.join(low, 'dir')), fs.existsSync(path.join(low, 'new'))], ['of the root\n', ['a'], false])

test('a root with a layer over it can be written to, by one sandbox and for its life', async () => {
	const all = await Promise.all([sh(layered, layers), sh(layered, layers)])
	for (const { out, end, err } of all) assert.equal(out, asSeen(stacked ? 'yes' : 'no'), `${err} ${JSON.stringify(end)}`)
	untouched()
	if (process.getuid() !== 0) return
	/* what it holds is memory of the sandbox, where that is bounded */
	const { end } = await sh('head -c 48m /dev/zero >/big; echo done', { ...layers, tmp: 64 << 20, file: 64 << 20, memory: 32 << 20 })
	assert.equal(end.why, 'memory', JSON.stringify(end))
})

test('where files cannot be shown as another user\'s, sandboxes with layers are the user whose files they are', { skip: process.getuid() !== 0 ? 'it is one user' : stacked && 'so it is here' }, async () => {
	/* overlayfs itself has no mounts with mapped ids */
	const dir = path.join(place, 'over')
	for (const d of ['up', 'work', 'all', 'all/run']) fs.mkdirSync(path.join(dir, d), { recursive: true })
	const settings = Object.entries({ name: `over-${process.pid}`, ...layers, root: path.join(dir, 'all/low') }).map(([k, v]) => `${k}=${v}`)
	const out = execFileSync('unshare', ['-m', 'sh', '-c', `cd ${dir} && mount -t tmpfs tmpfs up && mkdir up/up up/work && mount -t overlay -o lowerdir=${place},upperdir=up/up,workdir=up/work overlay all && mkdir all/run && exec "$@" 3>&2`, 'sh',
		path.join(built, 'box'), path.join(dir, 'all/run'), init, ...settings, '--', 'sh', '-c', layered], { encoding: 'utf8' })
	assert.equal(out, asSeen('yes'))
	untouched()
})

test('nothing of this machine is there but its programs', async () => {
	const secret = path.join(place, 'master.key')
	fs.writeFileSync(secret, randomBytes(16).toString('hex'))
	for (const file of ['/etc/shadow', '/root', '/home', '/var', '/run', '/srv', '/sys', '/etc/hostname', '/etc/machine-id', secret, place, '/proc/1/root/../etc/shadow', '/dev/mem', '/dev/sda', '/dev/vda', '/dev/kmsg']) {
		const { end } = await box({}, 'cat', file)
		assert.equal(end.number, 1, file)
	}
	const { out } = await sh('ls /proc | grep -c "^[0-9]"; cat /proc/sys/kernel/hostname; ls /proc/1/fd 2>&1 | wc -l')
	assert.match(out, /^[3-6]\nbox-/)
})

test('nothing but /tmp and what is its own can be written, and runtimes stay as they are', async () => {
	const { out, err } = await sh(`for f in /x /usr/x /usr/bin/sh /etc/passwd /bin/x /dev/x /.init /proc/sysrq-trigger /proc/sys/kernel/core_pattern ${shown}/code; do (echo x >"$f") 2>/dev/null && echo "$f"; done; echo x >/tmp/x && cat /tmp/x; (rm -rf /usr/share/doc ${shown}) 2>/dev/null; cat ${shown}/code`, { ro: shown })
	assert.equal(out, 'x\nthe code\n', err)
	assert.equal(fs.readFileSync(path.join(shown, 'code'), 'utf8'), 'the code\n')
	const mine = path.join(place, 'mine')
	fs.mkdirSync(mine)
	fs.chmodSync(mine, 0o777)
	await sh(`echo hello >${mine}/x; ln -s /etc/shadow ${mine}/link; mkfifo ${mine}/pipe; mknod ${mine}/disk b 8 0 2>/dev/null; cp /bin/sh ${mine}/sh; chmod 4755 ${mine}/sh`, { rw: mine })
	assert.deepEqual(fs.readdirSync(mine).sort(), ['link', 'pipe', 'sh', 'x'])
	if (process.getuid() === 0) assert.ok(fs.statSync(path.join(mine, 'x')).uid >= 700000, 'written as somebody who is nobody here')
})

test('it reaches no address of this machine', async (t) => {
	const server = net.createServer((c) => c.end('inside')).listen(0, '0.0.0.0'), local = net.createServer((c) => c.end('inside')).listen(path.join(place, 'db.sock'))
	await new Promise((ok) => server.on('listening', ok))
	t.after(() => { server.close(); local.close() })
	const addresses = ['127.0.0.1', ...Object.values(os.networkInterfaces()).flat().filter((i) => i.family === 'IPv4').map((i) => i.address)]
	const script = `const net = require('net'); for (const host of ${JSON.stringify(addresses)}) net.connect(${server.address().port}, host).on('connect', () => console.log(host)).on('error', () => {}); net.connect(${JSON.stringify(path.join(place, 'db.sock'))}).on('connect', () => console.log('socket')).on('error', () => {}); setTimeout(() => {}, 500)`
	const { out, err, end } = await box({ memory: 512 << 20 }, process.execPath.startsWith('/usr') ? process.execPath : 'node', '-e', script)
	assert.deepEqual([out, err, end.number], ['', '', 0])
})

test('too much of anything ends it, is told, and harms nobody', async () => {
	const limits = { limit_ms: 2000, memory: 64 << 20, processes: 32 }
	const memory = { why: 'memory', text: 'ended for want of memory: it may use 64 MiB' }
	await Promise.all([
		['memory of one', 'tail /dev/zero', memory, { limit_ms: 60000 }],
		['memory of its children', 'for i in 1 2 3 4 5 6 7 8; do (head -c 20m /dev/zero | sort -z >/dev/null) & done; wait; sleep 5', {}],
		['files in memory', 'head -c 100m /dev/zero >/dev/shm/x; echo "$?"; head -c 100m /dev/zero >/tmp/x; echo "$?"', { why: 'exit' }, { limit_ms: 60000 }],
		['processes', 'f() { f | f & }; f; sleep 10', {}],
		['time', 'sleep 60', { why: 'time', text: 'ended after its time of 2 s' }],
		['time, of who does not listen', 'trap "" TERM INT HUP QUIT; while :; do :; done', { why: 'time' }],
		['output', 'yes', { why: 'time' }],
		['one file', 'head -c 20m /dev/zero >/tmp/x; echo "$?"', { why: 'exit' }, { limit_ms: 60000 }],
	].map(async ([what, script, want, more]) => {
		const { out, end } = await sh(script, { ...limits, file: 4 << 20, most: 1000, ...more })
		assert.ok(out.length <= 1000 + 65536, what)
		for (const [k, v] of Object.entries(want)) assert.equal(end[k], v, `${what}: ${JSON.stringify(end)}`)
		assert.notEqual(end.why, 'broken', what)
	}))
	assert.equal((await sh('echo fine')).out, 'fine\n')
})

test('how it ended is told', async () => {
	for (const [script, why, number, text] of [
		['exit 7', 'exit', 7, 'ended with exit code 7'],
		['kill -SEGV $$', 'signal', 11, 'ended by signal 11 (Segmentation fault)'],
		['kill -9 $$', 'signal', 9, 'ended by signal 9 (Killed)'],
		['kill -9 1; exit 3', 'exit', 3, 'ended with exit code 3'],
	]) {
		const { end } = await sh(script)
		assert.deepEqual([end.why, end.number, end.text], [why, number, text], script)
	}
	const { end, err } = await box({}, 'no-such-program')
	assert.deepEqual([end.why, end.text, err], ['no command', 'could not be started: No such file or directory', 'no-such-program: No such file or directory\n'])
	assert.equal((await box({ dir: '/nowhere' }, 'true')).end.why, 'no command')
})

const alive = (marker) => fs.readdirSync('/proc').filter((d) => /^\d+$/.test(d)).filter((d) => { try { return fs.readFileSync(`/proc/${d}/cmdline`, 'latin1').split('\0').includes(marker) } catch { return false } }).length

test('nothing of it outlives its command, or us', async () => {
	const marker = `${1e6 + process.pid}.25`
	const { end } = await sh(`setsid sleep ${marker} >/dev/null 2>&1 </dev/null & (nohup sleep ${marker} >/dev/null 2>&1 &) ; exit 0`)
	assert.deepEqual([end.why, alive(marker)], ['exit', 0])
	const one = begin({}, 'sh', '-c', `echo up; setsid sleep ${marker} & sleep ${marker}`)
	await one.said('up')
	one.child.kill('SIGKILL')
	for (const stop = Date.now() + 60000; alive(marker) > 0 && Date.now() < stop;) await new Promise((ok) => setImmediate(ok))
	assert.equal(alive(marker), 0)
	await one.done
})

test('what it is told in its environment is seen nowhere outside', async () => {
	const secret = randomBytes(8).toString('hex'), one = begin({ env: `SECRET=${secret}` }, 'sh', '-c', 'echo "$SECRET"; sleep 60')
	await one.said(secret)
	const seen = fs.readdirSync('/proc').filter((d) => /^\d+$/.test(d) && Number(d) !== one.child.pid && Number(d) !== process.pid).filter((d) => { try { return fs.readFileSync(`/proc/${d}/cmdline`, 'latin1').includes(secret) } catch { return false } })
	assert.deepEqual(seen, [])
	one.child.kill('SIGKILL')
	await one.done
})

test('as a user without rights it holds as well', { skip: process.getuid() !== 0 && 'we have none' }, async () => {
	const at = path.join(place, 'of-nobody')
	fs.mkdirSync(at)
	fs.chownSync(at, 65534, 65534)
	const end = path.join(at, 'end'), out = execFileSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c', `exec "$0" "$@" 3>${end}`, path.join(built, 'box'), at, init, 'name=nobody', '--', 'sh', '-c', 'id -u; cat /etc/shadow; unshare -U true'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
	assert.equal(out, '1000\n')
	assert.equal(JSON.parse(fs.readFileSync(end)).why, 'exit')
})
