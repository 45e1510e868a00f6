/* Requests whose handler reads the body itself: who may is decided at the head; multipart/form-data part by part. */
import assert from 'node:assert/strict'
import http from 'node:http'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'

import { server } from '../lib/server.mjs'

let s
before(async () => { s = await server({ own: true, conf: { env: 'development', web_processes: 1, body_max: '1m', bytes_max: '32m' } }) })
after(() => s?.stop())

const root = '/v1/mock/tests/general'
const form = (parts, boundary = 'XX') => Buffer.concat([...parts.flatMap(([head, data]) => [Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`), Buffer.from(data), Buffer.from('\r\n')]), Buffer.from(`--${boundary}--\r\n`)])
const post = (body, boundary = 'XX') => s.call('POST', `${root}/parts`, { project: 'console', headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }, body })
const CD = 'Content-Disposition: form-data; '

/* Sends a head and, if ever, a body; the status line that comes before the body has been sent. */
function atHead(lines) {
	return new Promise((ok, no) => {
		const c = net.connect(s.port, '127.0.0.1')
		c.on('error', no)
		c.once('data', (d) => { c.destroy(); ok(Number(d.toString('latin1').split(' ')[1])) })
		c.write(`${lines.join('\r\n')}\r\n\r\n`)
	})
}

describe('at the head', () => {
	for (const [what, path, headers, status] of [
		['no such route', '/v1/nowhere', ['Content-Length: 1000000'], 404],
		['too large for a kept body', '/v1/account', ['Content-Length: 1000000000'], 413],
		['a length and chunks', `${root}/sink`, ['Transfer-Encoding: chunked', 'Content-Length: 5'], 400],
		['another coding', '/v1/account', ['Transfer-Encoding: gzip, chunked'], 400],
		['the origin of a stream', `${root}/sink`, ['Content-Length: 5', 'Origin: http://evil.example'], 403],
		['the project of a stream', `${root}/sink`, ['Content-Length: 5', 'X-Appwrite-Project: nobody'], 404],
		['the kind of a form', `${root}/parts`, ['Content-Length: 5', 'Content-Type: text/plain'], 400],
	])
		test(what, async () => assert.equal(await atHead([`POST ${path} HTTP/1.1`, 'Host: localhost', ...headers]), status))

	test('the project may be a parameter', async () => assert.equal(await atHead([`POST ${root}/sink?project=nobody HTTP/1.1`, 'Host: localhost', 'Content-Length: 5']), 404))
	test('only development has these routes', async () => assert.equal((await (await server()).call('POST', `${root}/sink`, { body: 'x' })).status, 503))
})

test('a body of any size', async () => {
	for (const n of [0, 1, 70000, 20_000_000]) {
		const r = await s.call('POST', `${root}/sink`, { body: Buffer.alloc(n, 'z') })
		assert.deepEqual([r.status, r.body], [200, { bytes: n }])
	}
})

describe('in chunks, as proxies and tunnels send bodies', () => {
	/* Node sends chunks when it is not told the length. */
	const chunked = (method, path, type, ...pieces) => new Promise((ok, no) => {
		const rq = http.request({ port: s.port, host: '127.0.0.1', method, path, headers: { 'content-type': type, 'x-appwrite-project': 'console' } }, (r) => {
			const got = []
			r.on('data', (d) => got.push(d)).on('end', () => ok({ status: r.statusCode, body: JSON.parse(Buffer.concat(got)) }))
		})
		rq.on('error', no)
		for (const p of pieces) rq.write(p)
		rq.end()
	})

	test('JSON, a form, multipart: the parameters of a route', async () => {
		const email = () => `c${Math.random().toString(36).slice(2)}@example.org`
		const e = [email(), email(), email()]
		const r = [
			await chunked('POST', '/v1/account', 'application/json', '{"userId":"unique()","email":"', e[0], '","password":"chunked-chunked"}'),
			await chunked('POST', '/v1/account', 'application/x-www-form-urlencoded', `userId=unique()&email=${encodeURIComponent(e[1])}`, '&password=chunked-chunked'),
			await chunked('POST', '/v1/account', 'multipart/form-data; boundary=XX', form([[`${CD}name="userId"`, 'unique()'], [`${CD}name="email"`, e[2]], [`${CD}name="password"`, 'chunked-chunked']])),
		]
		assert.deepEqual(r.map((x) => [x.status, x.body.email]), e.map((x) => [201, x]))
	})
	test('a body and parts that the handler reads itself', async () => {
		assert.deepEqual((await chunked('POST', `${root}/sink`, 'text/plain', 'a'.repeat(70_000), 'b')).body, { bytes: 70_001 })
		const r = await chunked('POST', `${root}/parts`, 'multipart/form-data; boundary=XX', form([[`${CD}name="a"`, 'one']]))
		assert.deepEqual(r.body.parts, [{ name: 'a', filename: '', type: '', size: 3 }])
	})
	test('over body_max', async () => assert.equal((await chunked('POST', '/v1/account', 'application/json', ...Array(3).fill(' '.repeat(400_000)))).status, 413))
	test('a body that ends too soon is none', async () => assert.equal(await atHead(['POST /v1/account HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked', '', 'zz']), 400))
})

describe('parts', () => {
	test('names, files, types, sizes; those that are not read to their end; more than is kept of any body', async () => {
		const r = await post(form([
			[`${CD}name="a"`, 'one'], [`${CD}name="file"; filename="x \\"y\\".txt"\r\nContent-Type: text/plain`, 'z'.repeat(5_000_000)], [`${CD}name="skipped"; filename="s"`, 's'.repeat(3_000_000)],
			[`${CD}name="ü"; filename="ü.bin"`, Buffer.from('\r\n--X\r\n--XY'.slice(0, -4))], [`${CD}name="b"; filename="n"; filename*=UTF-8''%e2%82%ac%20rates`, ''],
		]))
		assert.equal(r.status, 200, r.text)
		const got = r.body.parts
		assert.ok(got[2].size > 0 && got[2].size < 3_000_000)
		got[2].size = 0
		assert.deepEqual(got, [
			{ name: 'a', filename: '', type: '', size: 3 }, { name: 'file', filename: 'x "y".txt', type: 'text/plain', size: 5_000_000 }, { name: 'skipped', filename: 's', type: '', size: 0 },
			{ name: 'ü', filename: 'ü.bin', type: '', size: 7 }, { name: 'b', filename: '€ rates', type: '', size: 0 },
		])
	})
	test('what is none', async () => {
		const good = form([[`${CD}name="a"`, '1']])
		for (const [body, boundary] of [[good.subarray(0, -6), 'XX'], [good, 'YY'], ['', 'XX'], ['nonsense', 'XX'], [good, ''], [good, 'X'.repeat(300)], [form([[`${CD}name="a"\r\nX: ${'x'.repeat(90_000)}`, '1']]), 'XX'],
			[form([[`${CD}name="@"`, '1']]).map((c) => (c === 64 ? 255 : c)), 'XX']]) {
			const r = await post(body, boundary)
			assert.deepEqual([r.status, r.body.type], [400, 'general_argument_invalid'], boundary)
		}
	})
	test('too many', async () => {
		const r = await post(form(Array.from({ length: 101 }, (_, i) => [`${CD}name="p${i}"`, ''])))
		assert.deepEqual([r.status, r.body.type], [413, 'general_request_too_large'])
	})
})

test('nothing is held afterwards', async () => {
	const metric = async (name) => Number((await s.call('GET', '/metrics', { root: true })).text.match(new RegExp(`^${name} (\\d+)`, 'm'))[1])
	assert.equal(await metric('badal_bytes_held'), 0)
	assert.equal(await metric('badal_bytes_refused_total'), 0)
})
