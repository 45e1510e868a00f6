/* The server in an image that a test makes, which speaks the start contract of the public runtime images, of both generations, as far as functions of Node.js
 * go. It is begun with the function unpacked: v2 in /usr/code, v5 in function/ below its own directory. */
import { AsyncLocalStorage } from 'node:async_hooks'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'

const key = process.env.INTERNAL_RUNTIME_KEY, secret = process.env.OPEN_RUNTIMES_SECRET, entry = process.env.INTERNAL_RUNTIME_ENTRYPOINT ?? process.env.OPEN_RUNTIMES_ENTRYPOINT
const load = () => createRequire(import.meta.url)(`${key ? '/usr/code' : '/usr/local/server/function'}/${entry}`)
const collect = async (rq) => { const parts = []; for await (const p of rq) parts.push(p); return Buffer.concat(parts) }
const json = (rs, status, o) => rs.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(o))

async function old(rq, rs) {
	if (rq.method !== 'POST' || rq.url !== '/') return rs.writeHead(404).end()
	if (rq.headers['x-internal-challenge'] !== key) return json(rs, 500, { stderr: 'Unauthorized' })
	const { variables = {}, payload = '', headers = {} } = JSON.parse(await collect(rq)), out = [], log = console.log
	console.log = (...args) => out.push(args.join(' '))
	let answer = { response: '', status: 200 }
	try {
		await load()({ variables, payload, headers }, { send: (response, status = 200) => { answer = { response, status } }, json: (response, status = 200) => { answer = { response, status } } })
		json(rs, answer.status, { response: answer.response, stdout: out.join('\n'), stderr: 'noted' })
	} catch (e) {
		json(rs, 500, { stdout: out.join('\n'), stderr: e.stack })
	} finally {
		console.log = log
	}
}

const ids = new AsyncLocalStorage(), write = (which, text) => fs.appendFileSync(`/mnt/logs/${ids.getStore()}_${which}.log`, text + '\n')
async function current(rq, rs) {
	if (rq.url === '/__opr/health') return rs.end('OK')
	const { 'x-open-runtimes-secret': told, 'x-open-runtimes-timeout': timeout, 'x-open-runtimes-logging': logging, 'x-open-runtimes-log-id': id } = rq.headers
	if (told !== secret || !(Number(timeout) > 0) || logging !== 'enabled') return rs.writeHead(500).end('the contract is not kept')
	const headers = Object.fromEntries(Object.entries(rq.headers).filter(([k]) => !k.startsWith('x-open-runtimes-'))), body = await collect(rq)
	const give = ({ body: b = '', status = 200, headers: h = {} }) => rs.writeHead(status, { ...h, 'x-open-runtimes-log-id': id, 'x-open-runtimes-own': 'hidden' }).end(b)
	let handler
	await ids.run(id, async () => {
		try { handler = load() } catch (e) { write('errors', e.message); return give({ status: 503 }) }
		try {
			give(await handler({ req: { method: rq.method, url: rq.url, headers, bodyText: body.toString() }, res: { text: (b, status, h) => ({ body: b, status, headers: h }) }, log: (t) => write('logs', t), error: (t) => write('errors', t) }))
		} catch (e) {
			write('errors', e.stack)
			give({ status: 500 })
		}
	})
}
http.createServer(key ? old : current).listen(3000)
