/* What the edge tells and to whom: log lines that strangers cause, refused origins, headers that depend on the origin, TLS of our own. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:http2'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'

import { dataDir, server, start, until } from '../lib/server.mjs'

const lines = (s, words) => s.log().split('\n').filter((l) => l.includes(words))
const metric = async (s, name) => Number((await s.call('GET', '/metrics', { root: true })).text.match(new RegExp(`^${name} (\\d+)`, 'm'))[1])

describe('log lines', () => {
	let s
	before(async () => { s = await server({ own: true, conf: { web_processes: 1, log_client_rate: 5, log_rate: 0, trust_proxy: 'on' } }) })
	after(() => s?.stop())
	const from = (ip, path_ = '/health/version', method = 'GET') => s.call(method, path_, { headers: { 'x-forwarded-for': ip } })

	test('a client that asks fast writes few, the rest is one line; others are not concerned', async () => {
		const before_ = await metric(s, 'badal_log_left_out_total'), marked = () => lines(s, ' request ').length
		const n = marked()
		for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 20 }, () => from('192.0.2.1', i % 2 ? '/nowhere' : '/health/version')))
		assert.ok(marked() - n <= 100, `${marked() - n} lines`)	/* as many seconds as it took */
		const m = marked()
		await from('192.0.2.2')
		await until('the other has its line', () => marked() === m + 1)
		assert.ok((await metric(s, 'badal_log_left_out_total')) - before_ >= 100)
		await until('it is summed up', () => lines(s, 'lines left out').some((l) => / of=192\.0\.2\.1 lines=\d+/.test(l)))
	})
	test('addresses of one /64 are one client', async () => {
		for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 20 }, (_, k) => from(`2001:db8:5:6::${(20 * i + k).toString(16)}`)))
		await until('it is summed up', () => lines(s, 'lines left out').some((l) => / of=2001:db8:5:6::\/64 lines=/.test(l)))
	})
	test('a long path is cut', async () => {
		await from('192.0.2.3', `/nowhere/${'x'.repeat(5000)}`)
		const line = await until('it is there', () => lines(s, 'path=/v1/nowhere/xxx')[0])
		assert.ok(line.length < 700, `${line.length}`)
		assert.match(line, /\.\.\. bytes=5012 /)
	})
	test('the bound of all', async () => {
		const t = await server({ own: true, conf: { web_processes: 1, log_client_rate: 0, log_rate: 10, trust_proxy: 'on' } })
		for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 20 }, (_, k) => t.call('GET', '/health/version', { headers: { 'x-forwarded-for': `198.51.100.${20 * i + k}` } })))
		await until('it is summed up', () => lines(t, 'lines left out').some((l) => / of=all lines=/.test(l)))
		await t.stop()
	})
})

describe('a refused origin', () => {
	test('is logged by its name, with what to add, and not again and again', async () => {
		const s = await server({ own: true, conf: { web_processes: 1 } }), p = await s.project()
		for (const origin of ['https://Shop.example.org:8443', 'https://shop.example.org', 'appwrite-android://com.example.app', 'gopher://old.example'])
			for (let i = 0; i < 3; i++) assert.equal((await p.guest('POST', '/account', { headers: { origin }, body: {} })).status, 403)
		await until('the log has them', () => lines(s, 'origin refused').length >= 3)
		const got = lines(s, 'origin refused')
		assert.equal(got.length, 4, got.join('\n'))
		for (const words of [/origin="https:\/\/Shop\.example\.org:8443" add="a platform of type Web with the hostname Shop\.example\.org"/, /add="a platform of type Android with the package name com\.example\.app"/,
			/origin="gopher:\/\/old\.example" why="no platform has such origins"/])
			assert.ok(got.some((l) => words.test(l) && l.includes(`project=${p.id}`)), `${words}\n${got.join('\n')}`)
		assert.equal(await metric(s, 'badal_origins_refused_total'), 12)
		await s.stop()
	})
})

describe('headers', () => {
	test('what depends on the origin says so; how long it took is not said', async () => {
		const s = await server(), p = await s.project(), origin = 'http://localhost'
		for (const r of [await p.guest('GET', '/health/version'), await p.guest('GET', '/health/version', { headers: { origin } }), await p.guest('GET', '/users', { headers: { origin } }), await s.call('OPTIONS', '/account', { headers: { origin } })]) {
			assert.match(r.headers.vary, /\bOrigin\b/)
			assert.equal(r.headers['x-debug-speed'], undefined)
			assert.equal(r.headers['strict-transport-security'], undefined)
		}
	})
	test('with debug_speed it is', async () => {
		const s = await server({ own: true, conf: { debug_speed: 'on' } })
		assert.match((await s.call('GET', '/health/version')).headers['x-debug-speed'], /^\d+\.\d+$/)
		await s.stop()
	})
	test('our own host with the dot at its end is our own', async () => {
		const s = await server(), p = await s.project()
		for (const [host, origin] of [['api.example.org.', 'https://api.example.org.'], ['api.example.org', 'https://api.example.org.'], ['api.example.org.:8443', 'https://api.example.org']]) {
			const r = await p.guest('POST', '/account', { headers: { 'x-forwarded-host': host, origin }, body: {} })
			assert.equal(r.status, 400, r.text)
			assert.equal(r.headers['access-control-allow-origin'], origin)
		}
	})
})

describe('TLS of our own', () => {
	let dir, tls
	before(() => {
		dir = dataDir()
		const [cert, key] = ['cert.pem', 'key.pem'].map((f) => path.join(dir, f))
		execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' })
		execFileSync('chmod', ['644', cert, key])
		tls = { tls_cert: cert, tls_key: key }
		process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
	})
	after(() => execFileSync('rm', ['-rf', dir]))
	const hsts = async (conf, headers) => {
		const s = await start({ conf: { ...tls, ...conf } })
		const r = await fetch(`https://localhost:${s.port}/v1/health/version`, { headers })
		await s.stop()
		return r.headers.get('strict-transport-security')
	}
	test('HSTS', async () => {
		assert.equal(await hsts({}), 'max-age=10886400')
		assert.equal(await hsts({ hsts_max_age: '1h' }), 'max-age=3600')
		assert.equal(await hsts({ hsts_max_age: 0 }), null)
	})
	test('HSTS with whatever is answered', async () => {
		const s = await start({ conf: tls })
		s.checked = false
		const said = []
		for (const [method, target, body] of [['GET', '/'], ['GET', '/v1'], ['GET', '/v1/nosuch'], ['GET', '/robots.txt'], ['GET', '/metrics'], ['GET', '/v1/health/version'], ['HEAD', '/v1/health/version'], ['OPTIONS', '/v1/account'],
			['GET', '/v1/account'], ['POST', '/v1/account', '{'], ['GET', '/v1/realtime'], ['GET', '/.well-known/acme-challenge/x'], ['GET', `/${'x'.repeat(100000)}`]]) {
			const r = await s.call(method, target, { root: true, body, headers: body ? { 'content-type': 'application/json' } : {} })
			said.push([method, target.slice(0, 40), 1, r.headers['strict-transport-security']])
			if (target.length > 100) continue
			const h2 = connect(`https://localhost:${s.port}`, { rejectUnauthorized: false }), rq = h2.request({ ':method': method, ':path': target, ...(body ? { 'content-type': 'application/json' } : {}) })
			rq.end(body)
			const [head] = await once(rq, 'response')
			said.push([method, target.slice(0, 40), 2, head['strict-transport-security']])
			h2.destroy()
		}
		await s.stop()
		assert.deepEqual(said.filter((x) => x[3] !== 'max-age=10886400'), [])
	})
})

describe('/metrics without a token', () => {
	test('is for the machine itself: not behind a proxy on it, not for a page whose name leads here', async () => {
		const s = await server()
		const of = async (headers) => (await s.call('GET', '/metrics', { root: true, headers })).status
		assert.equal(await of({}), 200)
		for (const h of [{ 'x-forwarded-for': '127.0.0.1' }, { 'x-forwarded-for': '' }, { 'x-forwarded-proto': 'https' }, { 'x-forwarded-host': 'localhost' }, { 'x-real-ip': '127.0.0.1' }, { forwarded: 'for=127.0.0.1' }, { via: '1.1 proxy' }, { 'cf-connecting-ip': '127.0.0.1' }, { 'cf-ray': '1' }, { 'true-client-ip': '127.0.0.1' }, { 'fly-client-ip': '' },
			{ host: 'api.example.org' }, { host: 'rebound.example' }])
			assert.equal(await of(h), 404, JSON.stringify(h))
	})
})
