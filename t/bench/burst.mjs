/* Bursts: 1,000 WebSocket handshakes in flight at once, all served, none mixed up; 5,000 logins in flight, while other requests go on.
 * node t/bench/burst.mjs */
import http from 'node:http'

import { server as startServer } from '../lib/server.mjs'
import { listen } from '../lib/ws.mjs'
import { percentile, report, sleep } from './lib.mjs'

const server = await startServer({ own: true, conf: { rate_limits: 'off', console_signup: 'open', argon2_memory: '64m', argon2_time: 3, head_timeout: '60s', request_timeout: '600s',
	offload_password_queue: 100000, offload_wait: 0 } })
const project = await server.project({ name: 'Burst' })
const agent = new http.Agent({ keepAlive: true, maxSockets: 5200 }), side = new http.Agent({ keepAlive: true, maxSockets: 4 })

function send(method, path, body, headers = {}, through = agent) {
	return new Promise((ok, no) => {
		const text = body ? JSON.stringify(body) : ''
		const rq = http.request(`${server.endpoint}${path}`, { agent: through, method, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), 'x-appwrite-project': project.id, ...headers } }, (rs) => {
			const parts = []
			rs.on('data', (d) => parts.push(d))
			rs.on('end', () => ok({ status: rs.statusCode, headers: rs.headers, body: Buffer.concat(parts).toString() }))
		})
		rq.on('error', no)
		rq.end(text)
	})
}

/* handshakes: each asks for a channel of its own, so a mix-up shows */
const at = performance.now()
const sockets = await Promise.all(Array.from({ length: 1000 }, async (_, i) => {
	const ws = await listen(server, `project=${project.id}&channels[]=own.${i}`)
	return { ws, right: ws.hello.data.channels[0] === `own.${i}` }
}))
console.log(`handshakes in flight 1000, served ${sockets.length}, mixed up ${sockets.filter((s) => !s.right).length}, all within ${(performance.now() - at).toFixed(0)} ms`)
for (const s of sockets) s.ws.end()

/* logins */
await send('POST', '/account', { userId: 'u', email: 'u@example.org', password: 'correct-horse' })
const login = await send('POST', '/account/sessions/email', { email: 'u@example.org', password: 'correct-horse' })
const fallback = login.headers['x-fallback-cookies']
const calm = [], busy = []
async function probe(into, until) {
	while (!until()) {
		const t = performance.now()
		const r = await send('GET', '/account', null, { 'x-fallback-cookies': fallback }, side)
		if (r.status !== 200) throw new Error(`probe: ${r.status}`)
		into.push(performance.now() - t)
		await sleep(5)
	}
}
let calmEnd = performance.now() + 1500
await probe(calm, () => performance.now() > calmEnd)
let open = 5000, refused = 0, failed = 0
const logins = Array.from({ length: 5000 }, () => send('POST', '/account/sessions/email', { email: 'u@example.org', password: 'wrong-password' }).then((r) => { if (r.status !== 401) refused++ }, () => failed++).finally(() => open--))
await sleep(500)	/* the generator's own work of opening 5,000 connections is not the server's latency */
const busyEnd = performance.now() + 15000
await probe(busy, () => open === 0 || performance.now() > busyEnd)
console.log(`logins in flight 5000, answered while measuring ${5000 - open}, refused as busy ${refused}, failed ${failed}`)
report('other requests, p99 without logins', percentile(calm, 0.99), 'ms')
report('other requests, p99 with 5,000 logins in flight', percentile(busy, 0.99), 'ms', 20)
agent.destroy()
side.destroy()
await Promise.allSettled(logins)
await server.stop()
