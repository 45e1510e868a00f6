/* In a sandbox: tries to reach what its arguments name, "tcp:address:port" or "udp:…", and prints what came of each as one line of JSON: what was answered, the
 * error, or "nothing", which is to wait in vain: for as many seconds as "wait:…" says. */
import dgram from 'node:dgram'
import net from 'node:net'

const args = process.argv.slice(2), WAIT = 1000 * Number(/^wait:(\d+)$/.exec(args[0])?.[1] ?? 30)
const tcp = (host, port) => new Promise((ok) => {
	const s = net.connect(port, host)
	let text = ''
	s.on('data', (d) => { text += d }).on('end', () => ok(text)).on('error', (e) => ok(e.code))
	setTimeout(() => { ok('nothing'); s.destroy() }, WAIT).unref()
})
const udp = (host, port) => new Promise((ok) => {
	const s = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4')
	s.on('error', (e) => ok(e.code)).on('message', (m) => { ok(`${m}`); s.close() })
	s.connect(port, host, (e) => (e ? ok(e.code) : s.send('hello', (f) => f && ok(f.code))))	/* connected, or nobody would tell us of a refusal */
	setTimeout(() => ok('nothing'), WAIT).unref()
})
const all = await Promise.all(args.filter((a) => !a.startsWith('wait:')).map(async (a) => {
	const [, kind, host, port] = /^(\w+):(.*):(\d+)$/.exec(a)
	return [a, await (kind === 'tcp' ? tcp : udp)(host, Number(port))]
}))
console.log(JSON.stringify(Object.fromEntries(all)))
process.exit(0)
