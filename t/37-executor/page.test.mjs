/* Pictures of pages: a real browser in a sandbox. The pages are those of the API's host, which sandboxes reach; what a page sees of its reader it tells that host. */
import assert from 'node:assert/strict'
import http from 'node:http'
import test, { after } from 'node:test'

import { record, records, start, until } from './executor.mjs'

const page = `<!doctype html><body style="margin:0;height:2000px"><h1>Hello</h1><script>
alert('nobody closes this')
const told = { language: navigator.language, zone: Intl.DateTimeFormat().resolvedOptions().timeZone, dark: matchMedia('(prefers-color-scheme: dark)').matches, agent: navigator.userAgent,
	width: innerWidth, height: innerHeight, ratio: devicePixelRatio, touch: navigator.maxTouchPoints }
const tell = (more) => { const q = new XMLHttpRequest(); q.open('POST', '/told', false); q.send(JSON.stringify({ ...told, ...more })) }
if (location.search === '?place') navigator.geolocation.getCurrentPosition((p) => tell({ latitude: p.coords.latitude }), (e) => tell({ refused: e.message }))
else tell()
</script></body>`
const noise = '<!doctype html><body style="margin:0"><canvas width=1900 height=1000></canvas><script>const c = document.querySelector("canvas").getContext("2d"), i = c.createImageData(1900, 1000); for (let k = 0; k < i.data.length; k++) i.data[k] = k % 4 === 3 ? 255 : Math.random() * 256; c.putImageData(i, 0, 0)</script></body>'
const seen = [], told = []
const site = http.createServer(async (q, a) => {
	seen.push({ url: q.url, host: q.headers.host, headers: q.headers })
	if (q.method === 'POST') {
		let text = ''
		for await (const piece of q) text += piece
		told.push(JSON.parse(text))
		return a.end()
	}
	if (q.url === '/never') return
	if (q.url === '/slow-part') return a.end('<img src="/never"><p>here')
	if (q.url === '/file') return a.writeHead(302, { location: 'file:///etc/passwd' }).end()
	a.setHeader('content-type', 'text/html')
	if (q.url === '/elsewhere') return a.end('<img src="http://[::ffff:127.0.0.54]/picture">')
	a.end(q.url === '/noise' ? noise : page)
})
await new Promise((ok) => site.listen(0, '127.0.0.1', ok))
after(() => { site.close(); site.closeAllConnections() })
const settings = { functions_endpoint: `http://localhost:${site.address().port}/v1` }, third = 192 + process.pid % 64
const x = await start({ ...settings, page_browsers: '1', page_time: '10m', executor_network: `198.18.${third}.0/25` })

const whys = ['done', 'failed', 'time', 'memory', 'died', 'none', 'lost']
const usual = { theme: 'light', userAgent: '', locale: '', timezone: '', width: 800, height: 600, scale: 1, latitude: 0, longitude: 0, accuracy: 0, sleep: 0, fullpage: false, touch: false, permissions: [] }
async function shoot(where, how = {}, { limit_ms = 500000, on = x, from = '192.0.2.1' } = {}) {
	const body = Buffer.concat([record('user', from), record('body', JSON.stringify({ url: `http://127.0.0.54${where}`, ...usual, ...how })), record('limit_ms', limit_ms), record('end', '')]), r = await on.request('POST', '/page', body)
	if (r.status !== 200) return { status: r.status, text: r.body.toString() }
	const { all } = records(r.body), of = (name) => Buffer.concat(all.filter(([n]) => n === name).map(([, v]) => v)), png = of('body')
	return { why: whys[Number(of('why'))], reason: of('reason').toString(), png, size: png.subarray(1, 4).toString() === 'PNG' ? [png.readUInt32BE(16), png.readUInt32BE(20)] : [] }
}
const skip = process.getuid() !== 0 && 'networks are made by root here'

test('a picture, and what the page sees of its reader', { skip }, async () => {
	const r = await shoot('/')
	assert.deepEqual([r.why, r.size], ['done', [800, 600]], r.reason + x.log())
	const { agent, ...first } = told.pop()
	assert.deepEqual(first, { language: 'en-US', zone: first.zone, dark: false, width: 800, height: 600, ratio: 1, touch: 0 })
	assert.match(agent, /Chrome/)
	const all = await shoot('/?place', { theme: 'dark', userAgent: 'Reader/1', locale: 'de-DE', timezone: 'Asia/Tokyo', width: 640, height: 400, scale: 2, touch: true, latitude: 12.5, longitude: 3, accuracy: 10,
		permissions: ['geolocation'], fullpage: true, sleep: 2 })
	assert.deepEqual([all.why, all.size[0], all.size[1] >= 4000], ['done', 1280, true], all.reason)
	assert.deepEqual(told.pop(), { language: 'de-DE', zone: 'Asia/Tokyo', dark: true, agent: 'Reader/1', width: 640, height: 400, ratio: 2, touch: 1, latitude: 12.5 })
	await shoot('/?place', { sleep: 2 })
	assert.match(told.pop().refused, /denied/)
})

test('headers go to the host of the page and to no other', { skip }, async () => {
	assert.equal((await shoot('/elsewhere', { headers: { 'X-Secret': 's', 'Accept-Language': 'tlh' } })).why, 'done')
	const own = seen.findLast((q) => q.url === '/elsewhere'), other = seen.findLast((q) => q.url === '/picture')
	assert.deepEqual([own.headers['x-secret'], own.headers['accept-language']], ['s', 'tlh'])
	for (const [url, name] of [['http://127.0.0.54:80/elsewhere', 'user-agent'], ['HTTP://me@127.0.0.54/elsewhere', 'USER-AGENT']]) {
		assert.equal((await shoot('', { url, headers: { 'X-Secret': url, [name]: 'Mine' } })).why, 'done')
		const { headers } = seen.findLast((q) => q.url === '/elsewhere')
		assert.deepEqual([headers['x-secret'], headers['user-agent']], [url, 'Mine'])
	}
	assert.deepEqual([other?.host, other?.headers['x-secret']], ['[::ffff:7f00:36]', undefined])
})

test('what there is no picture of', { skip }, async () => {
	const refused = await shoot('/', { timezone: 'Nowhere/Land' })
	assert.deepEqual([refused.why, /imezone/.test(refused.reason)], ['failed', true], refused.reason)
	for (const [url, why] of [['http://127.0.0.1:1000/', /ERR_/], ['http://10.0.0.1/', /ERR_/], ['http://nothing.invalid/', /ERR_NAME/], ['file:///etc/passwd', /address/], ['chrome://version', /address/], ['http://127.0.0.54/file', /ERR_/]]) {
		const r = await shoot('', { url })
		assert.ok(['none', 'failed'].includes(r.why) && why.test(r.reason) && r.png.length === 0, JSON.stringify([url, r.why, r.reason, r.png.length]))
	}
	const r = await shoot('/never', {}, { limit_ms: 5000 })
	assert.deepEqual([r.why, r.reason], ['none', 'the page took too long'])
})

test('a page that never ends loading is seen as it is then; a large picture is none', { skip }, async () => {
	assert.deepEqual((await shoot('/slow-part')).size, [800, 600])
	const r = await shoot('/noise', { width: 1900, height: 1000, scale: 3 })
	assert.deepEqual([r.why, r.png.length, r.reason], ['none', 0, 'the picture of the page is too large'])
})

test('as many browsers as may run at once; who leaves ends his', { skip }, async () => {
	const away = new AbortController(), body = Buffer.concat([record('body', JSON.stringify({ url: 'http://127.0.0.54/never', ...usual })), record('limit_ms', 500000), record('end', '')])
	const before = seen.filter((q) => q.url === '/never').length
	const first = x.request('POST', '/page', body, undefined, away.signal).catch((e) => e.name)
	await until(() => seen.filter((q) => q.url === '/never').length > before, 'the page')
	assert.equal((await shoot('/')).status, 503)
	away.abort()
	assert.equal(await first, 'AbortError')
	assert.equal((await until(async () => { const r = await shoot('/'); return r.status === 503 ? null : r }, 'the next one')).why, 'done')
})

test('none are run unless the configuration says so', { skip }, async () => {
	const y = await start({ ...settings, executor_network: `198.18.${third}.128/25` })
	assert.equal((await shoot('/', {}, { on: y })).status, 503)
	assert.equal(y.announced().find(([n]) => n === 'browsers')[1].toString(), '0')
	assert.equal(x.announced().find(([n]) => n === 'browsers')[1].toString(), '1')
})
