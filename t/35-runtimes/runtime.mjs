/* A runtime server of contrib/runtimes without a sandbox, on a socket of its own: start(language, files, { entrypoint, generation, variables }) loads a function and gives
 * old(payload, more) for (req, res), ask(method, path, { headers, body }) for (context). */
import assert from 'node:assert/strict'
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
		if (Date.now() > end || child.exitCode !== null) {
			child.kill('SIGKILL')	/* whoever is left keeps the file of tests alive */
			throw new Error(`it does not listen: ${said}`)
		}
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

/* A function of (context) that logs "one" with an object, "two" as an error and prints "three", and answers by its path: what comes, and what goes. */
export async function contextIsKept(f) {
	const r = await f.ask('PATCH', '/a/b?x=1&y=%20z', { headers: { host: 'f.example.test:8080', 'content-type': 'application/json', 'x-forwarded-proto': 'https' }, body: '{"k":[1]}' }), j = JSON.parse(r.text)
	assert.deepEqual([r.status, r.headers['content-type'], r.logs, r.errors], [200, 'application/json; charset=utf-8', 'one {"a":1}\nthree\n', 'two\n'])
	assert.ok(Object.keys(j.headers).every((k) => !/^x-(open-runtimes|badal)/.test(k)))
	delete j.headers
	assert.deepEqual(j, { method: 'PATCH', path: '/a/b', url: 'https://f.example.test:8080/a/b?x=1&y=%20z', query: { x: '1', y: ' z' }, queryString: 'x=1&y=%20z', host: 'f.example.test', port: 8080, scheme: 'https', body: { k: [1] }, env: 'value' })
	const b = await f.ask('GET', '/binary')
	assert.deepEqual([...b.bytes], Array.from({ length: 256 }, (_, i) => i))
	assert.deepEqual([b.headers['x-mine'], b.headers['x-open-runtimes-log-id']], ['yes', undefined])
	assert.deepEqual([(await f.ask('GET', '/empty')).status, (await f.ask('GET', '/to')).headers.location, (await f.ask('POST', '/text', { body: 'é' })).text, (await f.ask('POST', '/text')).status], [204, 'https://example.test/', 'é', 418])
	const bytes = Buffer.from(Array.from({ length: 100000 }, (_, i) => i * 7 & 255))
	assert.ok((await f.ask('POST', '/echo', { body: bytes, headers: { 'content-type': 'application/octet-stream' } })).bytes.equals(bytes))
	assert.equal((await f.send('GET', '/', { 'x-open-runtimes-secret': 'wrong' })).status, 500)
}
/* A function of (req, res) that prints its payload 20 times, giving way in between, and answers with it: 24 runs at once. */
export async function runsAreApart(f) {
	const all = await Promise.all(Array.from({ length: 24 }, (_, i) => f.old(`${i}`)))
	all.forEach((r, i) => assert.deepEqual(r, { status: 200, response: `${i}`, stdout: Array(20).fill(i).join('\n'), stderr: '' }))
}
/* A function of (req, res) that answers with what the payload's `send` says. */
export async function textsAreKept(f) {
	for (const text of ['', '0', '😀 \u2028 \u0000 \r\n 12345678901234567890', 'x'.repeat(100000)]) assert.equal((await f.old(JSON.stringify({ send: text }))).response, text)
}
/* The answer to one question. What ends in a moment (`left` is not said) is not told of where the moment is as short as it is meant to be: on a busy machine, in one of some tries. */
export async function once(make, left) {
	for (let i = 1; ; i++) {
		const f = await make(), r = await f.ask('GET', '/')
		f.child.kill('SIGKILL')
		if (left || r.errors === '' || i === 20) return r
	}
}
/* A function of (context) that logs "begun" and never ends: of its run, what it wrote within its time. On a busy machine it may not have got to that: then it has more. */
export async function timeIsTold(make) {
	for (let timeout = 0.2; ; timeout *= 4) {
		const f = await make(), r = await f.ask('GET', '/', { timeout })
		f.child.kill('SIGKILL')
		if (r.logs === '' && timeout < 50) continue
		assert.deepEqual([r.status, r.logs, r.errors], [500, 'begun\n', 'Execution timed out.\n'])
		return
	}
}
