/* The network of sandboxes: what can be reached from one, and what cannot, tried from within. As root with interfaces of our own, and as a user without rights
 * with pasta and slirp4netns. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import test, { after, before } from 'node:test'
import { fileURLToPath } from 'node:url'
import { here, ip, there, world } from './net_world.mjs'

const build = path.resolve(path.dirname(process.env.BADAL ?? 'build/check/badal')), built = path.join(build, 't/30-sandbox'), init = path.join(build, 'badal-init')
const probe = fileURLToPath(new URL('probe.mjs', import.meta.url)), node = process.execPath
const able = process.getuid() !== 0 ? 'network namespaces for a test are made by root' : spare('nft') ?? spare('ip') ?? false
function spare(program) { return ['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((d) => fs.existsSync(path.join(d, program))) ? null : `${program} is not installed` }
const ways = { veth: able, pasta: able || (spare('pasta') ?? false), slirp4netns: able || (spare('slirp4netns') ?? false) }

const place = fs.mkdtempSync(path.join(os.tmpdir(), 'net-'))
fs.chmodSync(place, 0o755)
fs.copyFileSync(probe, path.join(place, 'probe.mjs'))
let on, off, boxes = 0
before(async () => {
	if (able) return
	on = await world(`bt${process.pid}`)
	off = await world(`bu${process.pid}`, { v6: false })
	execFileSync('mknod', ['-m', '666', path.join(place, 'tun'), 'c', '10', '200'])
})
after(async () => {
	await on?.stop()
	await off?.stop()
	fs.rmSync(place, { recursive: true })
})

/* Starts a command in a sandbox of a world with a network: { child, dir, said, done }. Without root it is nobody's, and /dev/net/tun is as open as on other machines. */
function begin(w, way, options, ...command) {
	const dir = path.join(place, `${boxes++}`), user = way === 'veth' ? 0 : 65534
	fs.mkdirSync(dir, { recursive: true })
	fs.chownSync(dir, user, user)
	const settings = Object.entries({ name: `net-${process.pid}-${boxes}`, way, dns: '127.0.0.53', api: 'http://localhost:8080/v1', memory: 512 << 20, ro: place, ...options }).map(([k, v]) => `${k}=${v}`)
	const box = [path.join(built, 'box'), dir, init, ...settings, '--', ...command]
	const child = w.run(user === 0 ? box : ['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /dev/net/tun; exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"', path.join(place, 'tun'), ...box],
		{ stdio: ['ignore', 'pipe', 'pipe', 'pipe'] }), texts = ['', '', '']
	for (const i of [1, 2, 3]) child.stdio[i].setEncoding('utf8').on('data', (d) => { texts[i - 1] += d })
	const done = new Promise((ok) => child.on('close', () => ok({ out: texts[0], err: texts[1], end: texts[2] ? JSON.parse(texts[2]) : null })))
	const said = (re) => new Promise((ok, no) => { const look = () => { const m = re.exec(texts[0]); if (m) ok(m) }; child.stdio[1].on('data', look); done.then(() => no(new Error(JSON.stringify(texts)))); look() })
	return { child, dir, said, done }
}
const box = (w, way, options, ...command) => begin(w, way, options, ...command).done
async function tried(w, way, options, ...targets) {
	const { out, err, end } = await box(w, way, options, node, path.join(place, 'probe.mjs'), ...targets)
	assert.ok(out, `${err}${JSON.stringify(end)}`)
	return JSON.parse(out)
}
/* Refused, and at once: neither reached nor left waiting. An address that is the sandbox's own is no way out: nobody is there. */
const refused = /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EACCES|EADDRNOTAVAIL|EINVAL|EPERM)$/
function all_refused(got) {
	for (const [what, came] of Object.entries(got)) assert.match(came, refused, what)
}
const private4 = there.private.flatMap((a) => [`tcp:${a}:80`, `udp:${a}:5000`]), private6 = there.private6.flatMap((a) => [`tcp:${a}:80`, `udp:${a}:5001`])

test('the worlds are as the tests need them: from this machine all of it can be reached', { skip: able }, () => {
	const targets = [...private4, ...private6, `tcp:${there.v4}:80`, `udp:${there.v4}:5000`, `tcp:${there.v6}:80`, ...[here.v4, here.other, '127.0.0.1'].flatMap((a) => [`tcp:${a}:5432`, `udp:${a}:5000`]), `tcp:${here.v6}:6379`]
	for (const [what, came] of Object.entries(JSON.parse(on.exec(node, probe, ...targets)))) assert.match(came, /^(here|there) /, what)
})

for (const [way, skip] of Object.entries(ways)) {
	test(`${way}: the Internet can be reached, by address and by name`, { skip }, async () => {
		const got = await tried(on, way, {}, `tcp:${there.v4}:80`, `tcp:${there.v4}:22`, `udp:${there.v4}:5000`, 'tcp:some.example:80', `tcp:${there.v6}:80`)
		const six = got[`tcp:${there.v6}:80`]
		delete got[`tcp:${there.v6}:80`]
		assert.deepEqual(got, { [`tcp:${there.v4}:80`]: `there ::ffff:${there.v4}`, [`tcp:${there.v4}:22`]: `there ::ffff:${there.v4}`, [`udp:${there.v4}:5000`]: 'there hello', 'tcp:some.example:80': got['tcp:some.example:80'] })
		assert.match(got['tcp:some.example:80'], /^there /)
		if (way !== 'slirp4netns') assert.equal(six, `there ${there.v6}`)
	})

	test(`${way}: this machine, private networks and the metadata service cannot be reached`, { skip }, async () => {
		const host = [here.v4, here.other].flatMap((a) => [`tcp:${a}:5432`, `tcp:${a}:6379`, `tcp:${a}:8080`, `udp:${a}:5000`])
		all_refused(await tried(on, way, {}, ...host, `tcp:${here.v6}:5432`, `udp:${here.v6}:5001`, ...private4, ...private6, 'tcp:127.0.0.1:5432', 'tcp:127.0.0.1:5433', 'tcp:::1:6379', 'tcp:::ffff:10.9.9.9:80',
			'tcp:198.19.0.1:5432', 'tcp:198.19.0.1:6379', 'udp:198.19.0.1:5000', 'tcp:10.0.2.2:5432', 'tcp:10.0.2.3:53', 'tcp:0.0.0.0:5432', 'tcp:203.0.113.255:80', 'udp:224.0.0.251:5353', 'udp:255.255.255.255:5000', 'tcp:fd62:6164:616c::c613:1:5432'))
	})

	test(`${way}: every gateway and neighbour that it can see refuses`, { skip }, async () => {
		const script = `const { execFileSync: x } = require('child_process'), os = require('os'), fs = require('fs'); const own = Object.entries(os.networkInterfaces()).flatMap(([dev, all]) => all.filter((a) => !a.internal).map((a) => ({ dev, ...a }))), to = [];
			for (const l of fs.readFileSync('/proc/net/route', 'latin1').split('\\n').slice(1)) { const g = l.split('\\t')[2]; if (g && g !== '00000000') to.push(g.match(/../g).reverse().map((b) => parseInt(b, 16)).join('.')) }
			for (const a of own.filter((a) => a.family === 'IPv6' && a.address.startsWith('fe80'))) to.push('fe80::1%' + a.dev, 'ff02::1%' + a.dev)
			console.log(x(process.execPath, ['${place}/probe.mjs', 'wait:${way === 'veth' ? 30 : 3}', ...to.flatMap((a) => ['tcp:' + a + ':5432', 'tcp:' + a + ':6379', 'udp:' + a + (a.includes(':') ? ':5001' : ':5000')])], { encoding: 'utf8' }))`
		const { out, err } = await box(on, way, {}, node, '-e', script)
		assert.ok(out, err)
		const got = JSON.parse(out)
		assert.ok(Object.keys(got).length >= 3)
		if (way === 'veth') all_refused(got)
		else for (const [what, came] of Object.entries(got)) assert.doesNotMatch(came, /here|there/, what)	/* the gateway is the router of this machine, on the Internet */
	})

	test(`${way}: our API is at the address in the environment, and nobody is taken for a client of this machine`, { skip }, async () => {
		for (const api of ['http://localhost:8080/v1', 'http://127.0.0.1:8081/v1', `http://${here.v4}:8081/v1`]) {
			const { out, err } = await box(on, way, { api }, node, '-e', 'fetch(process.env.API + "/health", { method: "PUT" }).then((r) => r.text()).then((t) => console.log(process.env.API, t))')
			assert.match(out, /^http:\/\/127\.0\.0\.54\/v1 PUT \/v1\/health from 127\.66\.\d+\.\d+\n$/, `${api} ${err}`)
		}
		const { out } = await box(on, way, { api: 'https://api.example:8443/v1' }, 'sh', '-c', 'echo $API; grep 127.0.0.54 /etc/hosts')
		assert.equal(out, 'https://api.example:8443/v1\n127.0.0.54 api.example\n')
	})

	test(`${way}: its own loopback is its own, names come by TCP too, certificates are there`, { skip }, async () => {
		const { out, err } = await box(on, way, {}, 'sh', '-c', `cat /etc/resolv.conf; test -s /etc/ssl/certs/ca-certificates.crt && echo roots; ${node} -e '
			const net = require("net"), dns = require("dns"); const s = net.createServer((c) => c.end("mine")).listen(3000, "127.0.0.1", () => net.connect(3000, "localhost").on("data", (d) => { console.log(String(d)); s.close(); dns.resolve4("big", (e, a) => console.log(e ? e.code : a.length)) }))'`)
		assert.equal(out, 'nameserver 127.0.0.53\noptions timeout:3 attempts:3\nroots\nmine\n60\n', err)
	})

	test(`${way}: where this machine has no IPv6, a sandbox has none, and does not wait for it`, { skip }, async () => {
		const { out, err } = await box(off, way, {}, node, '-e', `const net = require('net'), os = require('os'); console.log(Object.values(os.networkInterfaces()).flat().filter((a) => a.family === 'IPv6' && !a.internal).length);
			net.connect(80, '${there.v6}').on('error', (e) => { console.log(e.code); net.connect(80, 'some.example').on('data', (d) => console.log(String(d))).on('error', (f) => console.log(f.code)) })`)
		assert.match(out, /^0\n(ENETUNREACH|EADDRNOTAVAIL|EHOSTUNREACH|EACCES)\nthere /, err)
	})

	test(`${way}: what settings allow can be reached, and no more`, { skip }, async () => {
		const got = await tried(on, way, { allow: `10.9.9.9:80 192.168.0.0/16 [fd00:9::]/32:80 ${here.other}:5432` }, `tcp:${here.other}:5432`, `tcp:${here.other}:6379`, 'tcp:10.9.9.9:80', 'tcp:10.9.9.9:22', 'tcp:192.168.9.9:22', 'udp:192.168.9.9:5000', 'tcp:172.16.9.9:80', 'tcp:fd00:9::9:22')
		assert.match(got['tcp:10.9.9.9:80'], /^there/)
		assert.match(got[`tcp:${here.other}:5432`], /^here/)
		assert.match(got['tcp:192.168.9.9:22'], /^there/)
		assert.match(got['udp:192.168.9.9:5000'], /^there/)
		for (const a of [`tcp:${here.other}:5432`, 'tcp:10.9.9.9:80', 'tcp:192.168.9.9:22', 'udp:192.168.9.9:5000']) delete got[a]
		all_refused(got)
	})

	test(`${way}: one sandbox does not reach another`, { skip }, async () => {
		const serve = 'const s = require("net").createServer((c) => c.end("neighbour")).listen(7777, "::", () => require("dgram").createSocket("udp4").on("message", function (m, f) { this.send("neighbour", f.port, f.address) }).bind(7777, () => console.log("up", process.env.ADDRESS)))'
		const one = begin(on, way, {}, node, '-e', serve), [, address] = await one.said(/up (\S*)\n/)
		const low = address ? Number(address.split('.')[3]) : 0
		const targets = [address || here.v4, ...(address ? [address.replace(/\d+$/, low - 1), `fd62:6164:616c::${address.split('.').map((n, i) => Number(n).toString(16).padStart(2, '0') + (i === 1 ? ':' : '')).join('')}`] : [])]
		all_refused(await tried(on, way, {}, ...targets.flatMap((a) => [`tcp:${a}:7777`, ...(a.includes(':') ? [] : [`udp:${a}:7777`])]), `tcp:${here.v4}:7777`))
		one.child.kill('SIGKILL')
		await one.done
	})

	test(`${way}: who connects to the bridge reaches port 3000 in there`, { skip }, async () => {
		const shared = path.join(place, `bridge-${way}`), sock = path.join(shared, 's')
		fs.mkdirSync(shared)
		fs.chmodSync(shared, 0o777)
		const one = begin(on, way, { bridge: sock }, node, '-e', 'require("http").createServer((q, a) => { let n = 0; q.on("data", (d) => { n += d.length }).on("end", () => a.end(q.url + " " + n)) }).listen(3000, () => console.log("up"))')
		await one.said(/up\n/)
		const ask = (i) => new Promise((ok, no) => http.request({ socketPath: sock, path: `/${i}`, method: 'POST' }, (a) => { let t = ''; a.on('data', (d) => { t += d }).on('end', () => ok(t)) }).on('error', no).end(Buffer.alloc(i * 100000)))
		assert.deepEqual(await Promise.all(Array.from({ length: 20 }, (_, i) => ask(i))), Array.from({ length: 20 }, (_, i) => `/${i} ${i * 100000}`))
		one.child.kill('SIGKILL')
		await one.done
	})
}

const { skip } = { skip: ways.veth }
const links = (w) => JSON.parse(ip('-n', w.ns, '-j', 'link')).map((l) => l.ifname).filter((n) => n.startsWith('bdl'))
const tables = (w) => w.exec('nft', 'list', 'tables').split('\n').filter((l) => l.includes('badal_'))
const until = async (what) => { for (const stop = Date.now() + 60000; !(await what()) && Date.now() < stop;) await new Promise((ok) => setTimeout(ok, 20)); assert.ok(await what()) }

const netd = (dir) => Number(fs.readdirSync('/proc').find((d) => { try { return fs.readFileSync(`/proc/${d}/cmdline`, 'latin1').includes(`\0${dir}\0`) && fs.readFileSync(`/proc/${d}/stat`, 'latin1').includes('(badal-net)') } catch { return false } }))

test('raw sockets, packets and spoofed addresses are nothing that a sandbox can make', { skip }, async () => {
	const { out } = await box(on, 'veth', {}, 'python3', '-c', `
import socket
for family, kind, proto in ((2, 3, 1), (10, 3, 58), (17, 3, 3), (17, 2, 3), (2, 2, 1), (16, 3, 0)):
    try: socket.socket(family, kind, proto); print('ok', end=' ')
    except OSError as e: print(e.errno, end=' ')
for level, option in ((0, 19), (41, 75), (1, 36), (1, 25)):	# transparent, marks, another interface
    try: socket.socket(2, 1).setsockopt(level, option, b'lo' if option == 25 else 1); print('ok', end=' ')
    except OSError as e: print(e.errno, end=' ')
s = socket.socket(2, 2); s.setsockopt(0, 15, 1); s.bind(('${there.v4}', 4000))	# any address may be bound to, but is not sent from
try: s.sendto(b'x', ('${there.v4}', 5000)); print('ok')
except OSError as e: print(e.errno)`)
	const got = out.trim().split(' ')
	assert.deepEqual(got.slice(0, 5).filter((g) => g === 'ok'), [], out)
	assert.deepEqual(got.slice(6, 9).filter((g) => g === 'ok'), [], out)
	assert.notEqual(got.at(-1), 'ok', out)
	const { out: changed } = await box(on, 'veth', {}, 'sh', '-c', '(ip link set eth0 down; ip route add 10.0.0.0/8 dev eth0; nft flush ruleset; ip addr add 10.1.1.1/8 dev eth0) >/dev/null 2>&1 && echo changed; echo done')
	assert.equal(changed, 'done\n')
})

test('nothing is left behind: at the end, when the executor is killed, and when badal-net is', { skip }, async () => {
	await box(on, 'veth', {}, 'true')
	await until(() => links(on).length === 0 && tables(on).length === 0)	/* the kernel takes its time, and badal-net ends behind the executor */
	const one = begin(on, 'veth', {}, 'sh', '-c', 'echo up; sleep 600')
	await one.said(/up/)
	await until(() => links(on).length === 1)	/* that of the trial before it may still be there */
	assert.equal(tables(on).length, 1)
	process.kill(netd(one.dir), 'SIGTERM')	/* a service that stops: it is the last to end, and cleans up */
	one.child.kill('SIGKILL')
	await until(() => links(on).length === 0 && tables(on).length === 0)
	await one.done

	const two = begin(on, 'veth', {}, 'sh', '-c', 'echo up; sleep 600')
	await two.said(/up/)
	process.kill(netd(two.dir), 'SIGKILL')
	assert.equal((await two.done).end.why, 'killed')	/* a sandbox whose network nobody looks after is ended */
	await until(() => links(on).length === 0)
	assert.equal(tables(on).length, 1)	/* what only the next start can take away */
	boxes--
	await box(on, 'veth', {}, 'true')
	await until(() => tables(on).length === 0)
})

test('without the rules of this machine those inside still hold', { skip }, async () => {
	const one = begin(on, 'veth', {}, 'sh', '-c', `echo up; while ! test -e ${place}/go; do sleep 0.05; done; ${node} ${place}/probe.mjs tcp:${here.v4}:5432 tcp:198.19.0.1:5432 tcp:10.9.9.9:80 tcp:169.254.169.254:80 udp:10.9.9.9:5000 tcp:fd00:9::9:80`)
	await one.said(/up\n/)
	on.exec('nft', 'flush', 'ruleset')
	fs.writeFileSync(path.join(place, 'go'), '')
	const { out, err } = await one.done
	fs.rmSync(path.join(place, 'go'))
	assert.ok(out.length > 10, err)
	all_refused(JSON.parse(out.slice(3)))
})

test('and without those inside, those of this machine', { skip }, async () => {
	const one = begin(on, 'veth', {}, 'sh', '-c', `echo up; while ! test -e ${place}/go; do sleep 0.05; done; ${node} ${place}/probe.mjs tcp:${here.v4}:5432 tcp:${here.other}:6379 tcp:198.19.0.1:5432 tcp:10.9.9.9:80 tcp:169.254.169.254:80 udp:10.9.9.9:5000 tcp:fd00:9::9:80 tcp:${here.v6}:5432`)
	await one.said(/up\n/)
	const inside = fs.readdirSync('/proc').filter((d) => /^\d+$/.test(d)).find((d) => { try { return fs.readFileSync(`/proc/${d}/cmdline`, 'latin1').startsWith(`sh\0-c\0echo up; while ! test -e ${place}/go`) && fs.readlinkSync(`/proc/${d}/ns/net`) !== fs.readlinkSync('/proc/self/ns/net') } catch { return false } })
	execFileSync('nsenter', [`--net=/proc/${inside}/ns/net`, 'nft', 'flush', 'ruleset'])
	fs.writeFileSync(path.join(place, 'go'), '')
	const { out, err } = await one.done
	fs.rmSync(path.join(place, 'go'))
	assert.ok(out.length > 10, err)
	all_refused(JSON.parse(out.slice(3)))
})

test('addresses are bounded, two executors share them, and one too many is told', { skip }, async () => {
	const { end } = await box(on, 'veth', { pool: '198.19.7.0/28', nets: 5 }, 'true')
	assert.match(end.why, /all 4 addresses of sandboxes are in use/)
	await until(() => !on.exec('cat', '/proc/net/unix').includes('@badal-net/'))	/* the first one's keeper ends a moment behind it */
	const all = [], addresses = []
	for (let i = 0; i < 4; i++) {	/* one after the other: each tries a network before it makes its own */
		all.push(begin(on, 'veth', { pool: '198.19.7.0/28' }, 'sh', '-c', 'echo "up $ADDRESS"; sleep 600'))
		addresses.push((await all[i].said(/up (\S+)\n/))[1])
	}
	assert.equal(new Set(addresses).size, 4)
	assert.match((await box(on, 'veth', { pool: '198.19.7.0/28' }, 'true')).end.why, /all 4 addresses/)
	for (const b of all) b.child.kill('SIGKILL')
	await Promise.all(all.map((b) => b.done))
})

test('a machine that did not forward does so for sandboxes alone, and no longer than there are any', { skip }, async () => {
	const all = '/proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding'
	const forwards = () => on.exec('cat', ...all.split(' ')), only = /iifname != "bdl\*" drop/
	on.exec('sh', '-c', `for f in ${all}; do echo 0 >$f; done`)
	for (const end of ['executor', 'badal-net', 'executor']) {	/* after badal-net was killed the machine is as it was left; the next one knows that it is ours */
		const one = begin(on, 'veth', {}, 'sh', '-c', 'echo up; sleep 600')
		await one.said(/up/)
		assert.equal(forwards(), '1\n1\n')
		assert.match(on.exec('nft', 'list', 'ruleset'), only)
		if (end === 'executor') one.child.kill('SIGKILL')
		else process.kill(netd(one.dir), 'SIGKILL')
		await one.done
		await until(() => (tables(on).length === 0) === (end === 'executor'))
		assert.equal(forwards(), end === 'executor' ? '0\n0\n' : '1\n1\n')
		boxes--
	}
	on.exec('sh', '-c', `for f in ${all}; do echo 1 >$f; done`)
	const one = begin(on, 'veth', {}, 'sh', '-c', 'echo up; sleep 600')
	await one.said(/up/)
	assert.doesNotMatch(on.exec('nft', 'list', 'ruleset'), only)
	one.child.kill('SIGKILL')
	await one.done
	await until(() => tables(on).length === 0)
	assert.equal(forwards(), '1\n1\n')
})

test('connections to the API are bounded: with too many open, the next waits for one of them', { skip }, async () => {
	const script = `const net = require("net"), all = []; const up = () => new Promise((ok, no) => { const s = net.connect(80, "127.0.0.54").on("connect", () => ok(s)).on("error", no); all.push(s) });
		const ask = (ms) => fetch(process.env.API + "/x", { signal: AbortSignal.timeout(ms) }).then(() => "served", (e) => e.name);
		Promise.all(Array.from({ length: 100 }, up)).then(() => ask(1500)).then((got) => { console.log(got); process.stdin.resume(); console.log("full"); setTimeout(() => { for (const s of all) s.destroy(); ask(10000).then((last) => { console.log(last); process.exit() }) }, 2500) })`
	const one = begin(on, 'veth', {}, node, '-e', script)
	await one.said(/full/)
	assert.equal((await one.done).out, 'TimeoutError\nfull\nserved\n')
})

test('a name server that says nothing is passed over', { skip }, async () => {
	const got = await tried(on, 'veth', { dns: '203.0.113.77 127.0.0.53' }, 'tcp:some.example:80')
	assert.match(got['tcp:some.example:80'], /^(there|nothing)/)
	const { out } = await box(on, 'veth', { dns: '203.0.113.77 127.0.0.53' }, node, '-e', 'require("dns").resolve4("a.example", (e, a) => console.log(e ? e.code : a))')
	assert.equal(out, `[ '${there.v4}' ]\n`)
})

test('what it is asked for and cannot be is said', { skip }, async () => {
	assert.match((await box(on, 'none', {}, 'true')).end.why, /switched off/)
	assert.match((await box(on, 'veth', { pool: '198.19.0.0/8' }, 'true')).end.why, /no network of \/16 to \/28/)
	assert.match((await box(on, 'veth', { api: 'ftp://x' }, 'true')).end.why, /the address of the API is none/)
})
