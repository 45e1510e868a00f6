/* A runtime server of contrib/runtimes without a sandbox, on a socket of its own: start(language, files, { entrypoint, generation, variables }) loads a function and gives
 * old(payload, more) for (req, res), ask(method, path, { headers, body }) for (context). */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'

const top = fileURLToPath(new URL('../../contrib/runtimes/', import.meta.url))
const places = fs.mkdtempSync(path.join(os.tmpdir(), 'runtime-'))
const running = new Set()
after(() => { for (const c of running) c.kill('SIGKILL'); fs.rmSync(places, { recursive: true }) })
let count = 0

export async function start(command, files, { entrypoint, generation, variables = {}, environment = {} }) {
	const place = path.join(places, `${count++}`), code = path.join(place, 'code'), socketPath = path.join(place, 's')
	for (const [name, text] of Object.entries(files)) {
		fs.mkdirSync(path.dirname(path.join(code, name)), { recursive: true })
		fs.writeFileSync(path.join(code, name), text)
	}
	const child = spawn(command[0], command.slice(1).map((a) => a.replace(/^@/, top)), { env: { PATH: process.env.PATH, BADAL_SOCKET: socketPath, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
	running.add(child)
	let said = ''
	for (const s of [child.stdout, child.stderr]) s.on('data', (d) => { said += d })
	const agent = new http.Agent({ keepAlive: true })
	const send = (method, at, headers = {}, body = '') => new Promise((ok, no) => {
		const rq = http.request({ socketPath, agent, method, path: at, headers: { ...headers, 'content-length': Buffer.byteLength(body) } }, (rs) => {
			const parts = []
			rs.on('data', (d) => parts.push(d)).on('end', () => ok({ status: rs.statusCode, headers: rs.headers, bytes: Buffer.concat(parts) })).on('error', no)
		})
		rq.on('error', no).end(body)
	})
	for (const end = Date.now() + 30000; !(await send('GET', '/__opr/health').catch(() => null));) {
		if (Date.now() > end || child.exitCode !== null) throw new Error(`it does not listen: ${said}`)
		await new Promise((ok) => setTimeout(ok, 5))
	}
	const secret = 'a secret', told = JSON.parse((await send('POST', '/__badal/start', { 'content-type': 'application/json' }, JSON.stringify({ variables, entrypoint, generation, secret, code }))).bytes)
	return {
		child, told, send, place,
		said: () => said,
		async old(payload = '', more = {}) {
			const r = await send('POST', '/', { 'content-type': 'application/json', 'x-internal-challenge': secret }, JSON.stringify({ variables, payload, ...more }))
			return { status: r.status, ...JSON.parse(r.bytes) }
		},
		async ask(method, at, { headers = {}, body = '', timeout = 15 } = {}) {
			const r = await send('POST', at, { 'x-badal-method': method, 'x-open-runtimes-secret': secret, 'x-open-runtimes-timeout': `${timeout}`, 'x-badal-logs': 'inline', ...headers }, body)
			const [b, l, e] = [48, 32, 16].map((n) => parseInt(r.bytes.subarray(r.bytes.length - n, r.bytes.length - n + 16), 16))
			if (b + l + e + 48 !== r.bytes.length) throw new Error('the lengths do not add up')
			return { status: Number(r.headers['x-badal-status']), headers: r.headers, bytes: r.bytes.subarray(0, b), text: r.bytes.subarray(0, b).toString(), logs: r.bytes.subarray(b, b + l).toString(), errors: r.bytes.subarray(b + l, b + l + e).toString() }
		},
	}
}
