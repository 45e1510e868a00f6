/* Write to delivery: from sending a create request until its frame is received, at 300 writes a second, fsync on.
 * node t/bench/latency.mjs [seconds] */
import http from 'node:http'

import { server as startServer } from '../lib/server.mjs'
import { listen } from '../lib/ws.mjs'
import { percentile, report } from './lib.mjs'

const seconds = Number(process.argv[2] ?? 10), RATE = 300
const server = await startServer({ own: true, conf: { rate_limits: 'off', console_signup: 'open' } })
const project = await server.project({ name: 'Latency' })
const key = await project.addKey(['databases.write', 'collections.write', 'collections.read', 'documents.write'])
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })

function post(path, body) {
	return new Promise((ok, no) => {
		const text = JSON.stringify(body)
		const rq = http.request(`${server.endpoint}${path}`, { agent, method: 'POST', headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), 'x-appwrite-project': project.id, 'x-appwrite-key': key } }, (rs) => {
			rs.resume()
			rs.on('end', () => rs.statusCode < 300 ? ok() : no(new Error(`${path}: ${rs.statusCode}`)))
		})
		rq.on('error', no)
		rq.end(text)
	})
}

await post('/databases', { databaseId: 'd', name: 'D' })
await post('/databases/d/collections', { collectionId: 'c', name: 'C', permissions: ['read("any")'] })
await post('/databases/d/collections/c/attributes/string', { key: 'text', size: 1000, required: true })

const sent = new Map(), took = []
const ws = await listen(server, `project=${project.id}&channels[]=documents`)
const receiving = (async () => {
	while (ws.open) {
		const frame = await ws.next().catch(() => ({})), id = frame.data?.payload?.$id, at = sent.get(id)
		if (at !== undefined) { took.push(performance.now() - at); sent.delete(id) }
	}
})()

const text = 'x'.repeat(300), begin = performance.now()
let n = 0, failed = 0
await new Promise((ok) => {
	const timer = setInterval(() => {
		const due = Math.floor((performance.now() - begin) / 1000 * RATE)
		for (; n < due && n < seconds * RATE; n++) {
			const id = `w${n}`
			sent.set(id, performance.now())
			post('/databases/d/collections/c/documents', { documentId: id, data: { text } }).catch(() => failed++)
		}
		if (n >= seconds * RATE) { clearInterval(timer); ok() }
	}, 1)
})
const end = performance.now() + 5000
while (sent.size > 0 && performance.now() < end) await new Promise((ok) => setTimeout(ok, 5))
console.log(`writes ${n}, delivered ${took.length}, failed ${failed}`)
report('write to delivery, p50', percentile(took, 0.5), 'ms', 4)
report('write to delivery, p99', percentile(took, 0.99), 'ms', 15)
ws.end()
await receiving
agent.destroy()
await server.stop()
