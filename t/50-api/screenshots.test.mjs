/* Pictures of pages: GET /v1/avatars/screenshots, with a real browser. What the page sees of its reader is t/37-executor/page.test.mjs. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'

import { png } from '../lib/png.mjs'
import { server, until } from '../lib/server.mjs'
import { fails } from './lib.mjs'

const now = { headers: { 'x-appwrite-response-format': '1.9.6' } }
let s, p, site
const seen = [], held = []
before(async () => {
	site = http.createServer((q, a) => {
		seen.push(q)
		if (q.url === '/held') return held.push(a)
		a.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><body style="margin:0;background:rgb(0,128,255);height:1500px">')
	})
	await new Promise((ok) => site.listen(0, '127.0.0.1', ok))
	s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor', page_browsers: '4', page_time: '4m', request_timeout: '5m', functions_endpoint: `http://localhost:${site.address().port}/v1` } })
	p = await s.project({ scopes: ['users.read'] })
})
after(async () => { await s.stop(); site.close(); site.closeAllConnections() })
const shoot = (query, o) => p.guest('GET', '/avatars/screenshots', { ...now, query: { url: 'http://127.0.0.54/', ...query }, ms: 240000, ...o })
const type = (r, bytes) => (assert.equal(r.status, 200, r.text), assert.ok(r.raw.subarray(0, 16).toString('latin1').includes(bytes), r.raw.subarray(0, 16).toString('latin1')), r.headers['content-type'])

describe('pictures of pages', { skip: process.getuid() !== 0 && 'networks are made by root here' }, () => {
	test('as the window is, and in a part of it', async () => {
		const r = await shoot({})
		assert.equal(type(r, 'PNG'), 'image/png')
		const { width, height, at } = png(r.raw)
		assert.deepEqual([width, height, at(5, 5).slice(0, 3)], [1280, 720, [0, 128, 255]])
		assert.equal(r.headers['cache-control'], 'private, no-cache')
		const part = png((await shoot({ viewportWidth: 400, viewportHeight: 300, scale: '1.5', fullpage: true, width: 200 })).raw)
		assert.deepEqual([part.width, part.height], [200, 750])
	})
	test('in every format', async () => {
		for (const [output, bytes, media] of [['jpg', '\xff\xd8', 'image/jpeg'], ['jpeg', '\xff\xd8', 'image/jpeg'], ['webp', 'WEBP', 'image/webp'], ['gif', 'GIF8', 'image/gif'], ['avif', 'ftypavif', 'image/avif']])
			assert.equal(type(await shoot({ output, quality: 50, viewportWidth: 64, viewportHeight: 48 }), bytes), media)
	})
	test('headers, permissions and who the browser says it is', async () => {
		type(await shoot({ 'headers[X-One]': 'a', 'headers[X-Two]': 'b', permissions: ['geolocation', 'camera', 'usb'], userAgent: 'Reader/2', latitude: '1.5', longitude: '-2.5', accuracy: '3', touch: 'true', theme: 'dark',
			locale: 'de-DE', timezone: 'Europe/Berlin', sleep: 1 }), 'PNG')
		const q = seen.findLast((q) => q.url === '/')
		assert.deepEqual([q.headers['x-one'], q.headers['x-two'], q.headers['user-agent'], q.headers['accept-language']], ['a', 'b', 'Reader/2', 'de-DE'])
	})
	test('what is refused', async () => {
		for (const query of [{ url: 'ftp://127.0.0.54/' }, { url: 'file:///etc/passwd' }, { url: 'x' }, { viewportWidth: 0 }, { viewportWidth: 1921 }, { viewportHeight: 1081 }, { scale: '0.05' }, { scale: '3.5' }, { theme: 'blue' },
			{ userAgent: 'x'.repeat(513) }, { locale: 'x'.repeat(11) }, { timezone: 'x'.repeat(65) }, { timezone: 'No/Where' }, { latitude: '91' }, { longitude: '181' }, { accuracy: '100001' }, { sleep: 11 }, { width: 2001 }, { height: 2001 },
			{ quality: 101 }, { output: 'bmp' }, { permissions: ['root'] }, { 'headers[X Y]': 'a' }, { 'headers[X]': 'a\nb' }, { headers: ['a'] }, Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`headers[X${i}]`, 'a']))])
			fails(await shoot(query), 400, 'general_argument_invalid')
		assert.match((await shoot({ timezone: 'No/Where' })).body.message, /^The browser refuses: [^\n]+$/)
		fails(await shoot({}, { key: await p.addKey(['users.read']) }), 401, 'general_unauthorized_scope')
		fails(await shoot({ url: 'http://10.1.2.3/' }), 404, 'avatar_remote_url_failed')
		fails(await shoot({ url: 'http://127.0.0.1:9000/' }), 404, 'avatar_remote_url_failed')
	})
	test('a page that is a picture of itself ends there', async (t) => {
		const own = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor', page_browsers: '4', page_time: '4m', request_timeout: '5m' } })
		t.after(() => own.stop())
		const q = await own.project(), asked = async () => Number((await own.call('GET', '/metrics', { root: true })).text.match(/^badal_pages_total (\d+)/m)[1])
		const inner = `http://127.0.0.54/v1/avatars/screenshots?project=${q.id}&url=${encodeURIComponent('http://127.0.0.54/v1/health/version')}`
		type(await q.guest('GET', '/avatars/screenshots', { ...now, query: { url: inner }, ms: 240000 }), 'PNG')
		assert.equal(await asked(), 1)
	})
	test('a client has one browser at a time', async () => {
		const first = shoot({ url: 'http://127.0.0.54/held' })
		await until('the page', () => held.length > 0)
		const second = shoot({ sleep: 0 }), other = shoot({}, { headers: { ...now.headers, "x-forwarded-for": "192.0.2.77" } })
		type(await other, 'PNG')
		fails(await second, 503, 'general_busy')	/* it has waited for its turn */
		held[0].end('<p>here')
		type(await first, 'PNG')
		type(await shoot({}), 'PNG')
	})
})
