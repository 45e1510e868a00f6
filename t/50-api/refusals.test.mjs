/* Refusals outside the lifecycle: a page of the project's platform can read them, and they reach who is still sending. */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import http2 from 'node:http2'
import net from 'node:net'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import tls from 'node:tls'

import { server, sleep, start, until } from '../lib/server.mjs'

const conf = { env: 'development', web_processes: 1, body_max: '1m', bytes_max: '8m', bytes_per_address: '4m', head_timeout: '1s', head_max: '16k', linger_bytes: '32m' }
const page = 'https://app.example.org'
let s, p, secure, dir
before(async () => {
	s = await server({ own: true, conf })
	dir = s.data
	const [cert, key] = ['cert.pem', 'key.pem'].map((f) => path.join(dir, f))
	execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' })
	execFileSync('chmod', ['644', cert, key])
	secure = await start({ conf: { ...conf, tls_cert: cert, tls_key: key } })
	p = await s.project()
	await p.addPlatform({ hostname: 'app.example.org' })
	await p.guest('GET', '/health/version')		/* the process has seen it */
})
after(async () => { await secure?.stop(); await s?.stop() })

const parse = (d) => {
	const at = d.indexOf('\r\n\r\n')
	if (at < 0) return undefined
	const [line, ...rest] = d.subarray(0, at).toString('latin1').split('\r\n')
	const headers = Object.fromEntries(rest.map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 2)]))
	const n = Number(headers['content-length'] ?? 0)
	return d.length < at + 4 + n ? undefined : { status: Number(line.split(' ')[1]), headers, body: JSON.parse(d.subarray(at + 4, at + 4 + n)) }
}

/* Writes the pieces as fast as they are taken, and reads nothing before all is written, as simple clients do; then the answer. */
function raw(pieces, { port = s.port, encrypted = false, pause = 0, first = false } = {}) {
	return new Promise((ok, no) => {
		const c = encrypted ? tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }) : net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
		let d = Buffer.alloc(0)
		const read = () => c.on('data', (x) => { d = Buffer.concat([d, x]); const r = parse(d); if (r) { c.destroy(); ok(r) } }).resume()
		c.on('error', no).on('close', () => no(new Error(`closed: ${d}`)))
		c.once(encrypted ? 'secureConnect' : 'connect', async () => {
			if (!encrypted) c.pause()
			if (first) read()
			for (const x of pieces) {
				await new Promise((done) => c.write(x, done))
				if (pause) await sleep(pause)
			}
			if (!first) read()
		})
	})
}

const head = (line, ...more) => `${line}\r\nHost: localhost\r\nOrigin: ${page}\r\nX-Appwrite-Project: ${p.id}\r\n${more.map((l) => `${l}\r\n`).join('')}\r\n`
const readable = (r, status, type) => {
	assert.equal(r.status, status, JSON.stringify(r))
	assert.equal(r.body.code, status)
	assert.equal(r.body.type, type)
	assert.equal(r.headers['access-control-allow-origin'], page)
	assert.equal(r.headers['access-control-allow-credentials'], 'true')
	assert.match(r.headers['content-type'], /^application\/json/)
	assert.match(r.headers['cache-control'], /no-store/)
}

describe('a page can read', () => {
	test('a head that is too large, whole and without end', async () => {
		for (const more of [[`X-A: ${'a'.repeat(20_000)}`], Array(200).fill('X: y')])
			readable(await raw([head('GET /v1/account HTTP/1.1', ...more)]), 431, 'general_headers_too_large')
		readable(await raw([head('GET /v1/account HTTP/1.1').slice(0, -2) + `X-A: ${'a'.repeat(20_000)}`]), 431, 'general_headers_too_large')
	})
	test('a request line and headers that cannot be read', async () => {
		readable(await raw([head('GET /a b HTTP/1.1')]), 400, 'general_bad_request')
		readable(await raw([head('GET / HTTP/1.1', 'Nonsense')]), 400, 'general_bad_request')
		readable(await raw([head('POST / HTTP/1.1', 'Content-Length: 1', 'Transfer-Encoding: chunked')]), 400, 'general_bad_request')
	})
	test('what no route serves', async () => {
		for (const line of ['GET /v1/nowhere HTTP/1.1', 'POST /v1/account/nothing/challenge HTTP/1.1', 'PURGE /v1/account HTTP/1.1']) readable(await raw([head(line, 'Content-Length: 0')]), 404, 'general_route_not_found')
	})
	test('a body that is too large, said and chunked', async () => {
		readable(await raw([head('POST /v1/account HTTP/1.1', 'Content-Length: 2000000')]), 413, 'general_request_too_large')
		readable(await raw([head('POST /v1/account HTTP/1.1', 'Transfer-Encoding: chunked'), 'fffff\r\n', Buffer.alloc(0xfffff, 32), '\r\n10\r\n']), 413, 'general_request_too_large')
	})
	test('a head and a body that do not come', async () => {
		readable(await raw([head('POST /v1/account HTTP/1.1').slice(0, -2)]), 408, 'general_request_timeout')
		readable(await raw([head('POST /v1/account HTTP/1.1', 'Content-Length: 5'), 'ab']), 408, 'general_request_timeout')
	})
	test('no room: of the address, of all', async () => {
		const busy = (n) => Promise.all(Array.from({ length: n }, () => new Promise((ok) => {
			const c = net.connect(s.port, '127.0.0.1', () => c.write(`POST /v1/account HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n${' '.repeat(990_000)}`, () => ok(c)))
			c.on('error', () => {})
		})))
		/* a body takes more room than has come, but never more than was said: so they say little more. They are read in some order, and end after a second */
		const r = await until('no room', async () => {
			const held = await busy(5)
			let one
			for (let i = 0; i < 20 && one?.status !== 429; i++) one = await raw([head('POST /v1/account HTTP/1.1', 'Content-Length: 900000'), ' '.repeat(900_000)])
			held.forEach((c) => c.destroy())
			return one.status === 429 && one
		})
		readable(r, 429, 'general_rate_limit_exceeded')
	})
	test('another origin, no origin, another project: it is not for them', async () => {
		const of = async (line) => (await raw([head('GET /a b HTTP/1.1').replace(`Origin: ${page}`, line)])).headers['access-control-allow-origin']
		assert.equal(await of('Origin: https://evil.example'), 'https://localhost')
		assert.equal(await of('Origin: http://localhost:3000'), 'http://localhost:3000')
		assert.equal(await of('X-A: b'), 'http://localhost')
		assert.equal((await raw([head('GET /a b HTTP/1.1').replace(p.id, 'another')])).headers['access-control-allow-origin'], 'https://localhost')
	})
	test('over HTTP/2', async () => {
		const c = http2.connect(`http://127.0.0.1:${s.port}`)
		const ask = (headers, body) => new Promise((ok, no) => {
			const st = c.request({ ':method': 'POST', ':path': '/v1/account', origin: page, 'x-appwrite-project': p.id, ...headers }), got = []
			let h
			st.on('response', (x) => (h = x)).on('data', (d) => got.push(d)).on('error', no).on('end', () => ok({ status: h[':status'], headers: h, body: JSON.parse(Buffer.concat(got)) }))
			if (body) st.write(body)
		})
		readable(await ask({ 'content-length': '2000000' }), 413, 'general_request_too_large')
		readable(await ask({}, Buffer.alloc(1_100_000, 32)), 413, 'general_request_too_large')
		readable(await ask({ 'x-a': 'a'.repeat(15_000), 'x-b': 'b'.repeat(3_000) }), 431, 'general_headers_too_large')
		readable(await ask({ 'content-length': '5' }, 'ab'), 408, 'general_request_timeout')
		c.close()
	})
	test('a request in the lifecycle that fails before its project is known', async () => {
		const own = await server({ own: true, conf: { web_processes: 1, requests_max: 1, env: 'development' } })
		const held = await until('the one request', () => new Promise((ok) => {	/* it is asked for its body, and does not send it */
			const c = net.connect(own.port, '127.0.0.1', () => c.write('POST /v1/mock/tests/general/sink HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: console\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n'))
			c.once('data', (d) => ok(/^HTTP\/1.1 100/.test(d) ? c : (c.destroy(), false))).on('error', () => ok(false))
		}))
		const r = await raw([`GET /v1/account HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n`], { port: own.port })
		held.destroy()
		assert.deepEqual([r.status, r.body.type, r.headers['access-control-allow-origin']], [503, 'general_busy', 'http://localhost'])
		await own.stop()
	})
})

/* 401, 404 and 413 are known at the head; the rest of 20 MB is thrown away. */
const big = Buffer.alloc(64 * 1024, 'x'), pieces = 320
const refused = [
	['too large', '/v1/account', 413],
	['no such route', '/v1/nowhere', 404],
	['no such project', '/v1/mock/tests/general/sink', 404, 'nobody'],
]
for (const [how, encrypted] of [['in the clear', false], ['over TLS', true]])
	describe(`who is still sending, ${how}`, () => {
		const port = () => (encrypted ? secure : s).port
		for (const [what, to, status, project = 'console'] of refused) {
			const start_ = (extra) => `POST ${to} HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: ${project}\r\n${extra}\r\n`
			test(`${what}: a client that reads when it has sent all`, async () => {
				const r = await raw([start_(`Content-Length: ${pieces * big.length}\r\n`), ...Array(pieces).fill(big)], { port: port(), encrypted })
				assert.equal(r.status, status)
			})
			test(`${what}: the same in chunks`, async () => {
				const chunk = Buffer.concat([Buffer.from('10000\r\n'), big, Buffer.from('\r\n')])
				const r = await raw([start_('Transfer-Encoding: chunked\r\n'), ...Array(pieces).fill(chunk)], { port: port(), encrypted })
				assert.equal(r.status, status)
			})
			test(`${what}: a slow one`, async () => {
				const r = await raw([start_(`Content-Length: ${pieces * big.length}\r\n`), ...Array(20).fill('y'.repeat(1000))], { port: port(), encrypted, pause: 150 })
				assert.equal(r.status, status)
			})
			test(`${what}: fetch()`, async () => {
				process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
				const r = await fetch(`${encrypted ? 'https' : 'http'}://localhost:${port()}${to}`, { method: 'POST', headers: { 'x-appwrite-project': project }, body: Buffer.alloc(pieces * big.length, 'x') })
				assert.equal(r.status, status)
				assert.equal((await r.json()).code, status)
			})
			for (const version of ['--http1.1', ...(encrypted ? ['--http2'] : ['--http2-prior-knowledge'])])
				test(`${what}: curl ${version}`, { skip: !existsSync('/usr/bin/curl') }, async () => {
					const out = await new Promise((ok, no) => {
						const child = execFile('curl', ['-sk', version, '-X', 'POST', '-H', `x-appwrite-project: ${project}`, '-H', 'Expect:', '--data-binary', '@-', `${encrypted ? 'https' : 'http'}://localhost:${port()}${to}`],
							(e, text, err) => (e ? no(new Error(`${e.message} ${err}`)) : ok(text)))
						child.stdin.on('error', () => {})
						child.stdin.end(Buffer.alloc(pieces * big.length, 'x'))
					})
					assert.equal(JSON.parse(out).code, status)
				})
		}
	})
