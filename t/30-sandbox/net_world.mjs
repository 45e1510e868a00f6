/* What a test of networks is made of, all of it in network namespaces of its own: this machine ("here", with services that nobody in a sandbox may reach) and
 * the Internet ("there", with a web server, a name server, and addresses that are private: whoever is let through does reach them).
 *
 * node net_world.mjs here|there: the servers of one of them; they say "up". */
import { execFileSync, spawn } from 'node:child_process'
import dgram from 'node:dgram'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const here = { v4: '203.0.113.2', v6: '2001:db8:1::2', other: '203.0.113.3' }
export const there = { v4: '198.51.100.7', v6: '2001:db8:2::7', private: ['169.254.169.254', '10.9.9.9', '172.16.9.9', '192.168.9.9', '100.64.9.9', '198.18.9.9'], private6: ['fd00:9::9', 'fec0::9'] }
export const ip = (...args) => execFileSync('ip', args, { encoding: 'utf8' })

/* Makes both; `v6` false: this machine has no way to the Internet by IPv6. Returns { run, stop }: run(argv, options) spawns in "here". */
export async function world(name, { v6 = true } = {}) {
	const h = `${name}h`, t = `${name}t`, servers = []
	for (const [old, pid] of ip('netns', 'list').matchAll(/^b[tu](\d+)[ht]\b/gm)) if (!fs.existsSync(`/proc/${pid}`)) try { ip('netns', 'delete', old) } catch { /* another test has */ }
	for (const ns of [h, t]) {
		ip('netns', 'add', ns)
		ip('-n', ns, 'link', 'set', 'lo', 'up')
	}
	ip('-n', h, 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'down0', 'netns', t)
	for (const [ns, dev, last] of [[h, 'up0', 2], [t, 'down0', 1]]) {
		ip('-n', ns, 'address', 'add', `203.0.113.${last}/24`, 'dev', dev)
		ip('-n', ns, 'address', 'add', `2001:db8:1::${last}/64`, 'dev', dev, 'nodad')
		ip('-n', ns, 'link', 'set', dev, 'up')
	}
	ip('-n', h, 'address', 'add', `${here.other}/32`, 'dev', 'lo')
	ip('-n', h, 'route', 'add', 'default', 'via', '203.0.113.1')
	if (v6) ip('-n', h, '-6', 'route', 'add', 'default', 'via', '2001:db8:1::1')
	for (const a of [there.v4, ...there.private]) ip('-n', t, 'address', 'add', `${a}/32`, 'dev', 'lo')
	for (const a of [there.v6, ...there.private6]) ip('-n', t, 'address', 'add', `${a}/128`, 'dev', 'lo', 'nodad')
	/* names are asked of the server of "here", not of this machine's, which cannot be reached from there: that takes ten seconds each */
	const names = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'names-')), 'resolv.conf')
	fs.writeFileSync(names, 'nameserver 127.0.0.53\n')
	fs.chmodSync(path.dirname(names), 0o755)
	const run = (ns, argv, options = {}) => spawn('ip', ['netns', 'exec', ns, 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf 2>/dev/null; exec "$@"', names, ...argv], options)
	const stop = async () => {
		await Promise.all(servers.map((s) => new Promise((ok) => { if (s.exitCode !== null || s.signalCode !== null) return ok(); s.on('exit', ok); s.kill('SIGKILL') })))
		for (const ns of [h, t]) ip('netns', 'delete', ns)
		fs.rmSync(path.dirname(names), { recursive: true })
	}
	for (const [ns, side] of [[h, 'here'], [t, 'there']]) {
		const server = run(ns, [process.execPath, fileURLToPath(import.meta.url), side], { stdio: ['pipe', 'pipe', 'inherit'] })
		servers.push(server)
		await new Promise((ok, no) => { server.stdout.once('data', ok); server.once('exit', () => no(new Error(`the servers of ${side} have ended`))) }).catch(async (e) => { await stop(); throw e })
	}
	return { ns: h, run: (argv, options) => run(h, argv, options), exec: (...argv) => execFileSync('ip', ['netns', 'exec', h, ...argv], { encoding: 'utf8' }),
		stop }
}

/* A name server: every name is there.v4 and there.v6; "big." is longer than a datagram, and is told by TCP. */
function names(query, tcp) {
	const end = query.indexOf(0, 12) + 5, name = query.subarray(13, 13 + query[12]).toString(), type = query.readUInt16BE(end - 4), big = name === 'big'
	const one = Buffer.from(type === 28 ? '20010db8000200000000000000000007' : 'c6336407', 'hex'), count = type !== 1 && type !== 28 ? 0 : big && tcp ? 60 : big ? 0 : 1
	const head = Buffer.alloc(12)
	query.copy(head, 0, 0, 2)
	head.writeUInt16BE(big && !tcp ? 0x8380 : 0x8180, 2)
	head.writeUInt16BE(1, 4)
	head.writeUInt16BE(count, 6)
	const answer = Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, one.length]), one])
	return Buffer.concat([head, query.subarray(12, end), ...Array(count).fill(answer)])
}

async function serve(side) {
	const tcp = (port, host) => new Promise((ok) => net.createServer((c) => c.on('error', () => {}).end(`${side} ${c.localAddress}`)).listen(port, host, ok))
	const udp = (port, host, kind = 'udp4') => new Promise((ok) => { const s = dgram.createSocket(kind).on('message', (m, from) => s.send(`${side} ${m}`, from.port, from.address)); s.bind(port, host, ok) })
	const dns = (host) => Promise.all([
		new Promise((ok) => { const s = dgram.createSocket('udp4').on('message', (m, from) => s.send(names(m, false), from.port, from.address)); s.bind(53, host, ok) }),
		new Promise((ok) => net.createServer((c) => c.on('error', () => {}).on('data', (d) => { const a = names(d.subarray(2), true), n = Buffer.alloc(2); n.writeUInt16BE(a.length); c.end(Buffer.concat([n, a])) })).listen(53, host, ok)),
	])
	/* one a name: a datagram is answered from the address that it went to */
	if (side === 'here') await Promise.all([tcp(5432, '::'), tcp(6379, '::'), tcp(5433, '127.0.0.1'), ...[here.v4, here.other, '127.0.0.1'].map((a) => udp(5000, a)), udp(5001, here.v6, 'udp6'), dns('127.0.0.53'),
		...[['127.0.0.1', 8080], ['0.0.0.0', 8081]].map(([host, port]) => new Promise((ok) => http.createServer((q, a) => a.end(`${q.method} ${q.url} from ${q.socket.remoteAddress}`)).listen(port, host, ok)))])
	else await Promise.all([tcp(80, '::'), tcp(22, '::'), ...[there.v4, ...there.private].map((a) => udp(5000, a)), ...[there.v6, ...there.private6].map((a) => udp(5001, a, 'udp6'))])
	process.stdin.resume().on('end', () => process.exit())	/* whoever has started us is gone */
	console.log('up')
}
if (process.argv[1] === fileURLToPath(import.meta.url)) await serve(process.argv[2])
