/* The avatars service: marks and flags, codes, initials, and what is fetched from elsewhere, where a hostile web server plays the rest of the world. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { png, pngOf } from '../lib/png.mjs'
import { dataDir, server, unique } from '../lib/server.mjs'

const cards = 'amex argencard cabal censosud diners discover elo hipercard jcb mastercard naranja targeta-shopping union-china-pay visa mir maestro'.split(' ')
const browsers = 'aa an ch ci cm cr ff sf mf ps oi om op on'.split(' ')
const flags = [...readFileSync(new URL('../../include/tbl/countries.h', import.meta.url), 'utf8').matchAll(/^COUNTRY\("(..)"/gm)].map((m) => m[1])

/* The rest of the world: paths and what they answer. */
const world = new Map()
let web, silent, s, p, closed
before(async () => {
	web = http.createServer((q, r) => {
		const a = world.get(q.url.split('?')[0])
		if (!a) return r.writeHead(404).end('nothing')
		a.asked = (a.asked ?? 0) + 1
		a.agent = q.headers['user-agent']
		if (a.handle) return a.handle(q, r)
		r.writeHead(a.status ?? 200, { 'content-type': a.type ?? 'image/png', ...a.headers }).end(a.body)
	})
	silent = net.createServer(() => {})
	await Promise.all([web, silent].map((x) => new Promise((ok) => x.listen(0, '127.0.0.1', ok))))
	s = await server({ own: true, conf: { web_processes: 1, avatar_private: 'on', avatar_bytes_max: '200k' } })
	closed = await server({ own: true, conf: { web_processes: 1 } })
	p = await s.project({ scopes: ['avatars.read'] })
})
after(async () => {
	web.closeAllConnections()
	web.close()
	silent.close()
	await Promise.all([s.stop(), closed.stop()])
})

const url = (path) => `http://127.0.0.1:${web.address().port}${path}`
const get = (path, query = {}, more = {}) => p.guest('GET', `/avatars/${path}`, { query, ...more })
async function shown(path, query, more) {
	const r = await get(path, query, more)
	assert.equal(r.status, 200, r.text)
	assert.equal(r.headers['content-type'], 'image/png')
	assert.equal(r.headers['x-content-type-options'], 'nosniff')
	return Object.assign(png(r.raw), { r })
}
async function refused(path, query, status, type, more) {
	const r = await get(path, query, more)
	assert.deepEqual([r.status, r.body?.type], [status, type], r.text)
	assert.equal(r.headers['cache-control'], 'no-cache, no-store, must-revalidate')
	return r
}
const days = (r) => Math.round((Date.parse(r.headers.expires) - Date.now()) / 86400e3)

describe('marks and flags', () => {
	test('all of them are there, in the size that is asked for', async () => {
		for (const [set, codes] of [['credit-cards', cards], ['browsers', browsers], ['flags', flags]]) {
			const seen = new Set()
			for (const code of codes) {
				const i = await shown(`${set}/${code}`, { width: 24, height: 18 })
				assert.deepEqual([i.width, i.height], [24, 18], `${set}/${code}`)
				seen.add(i.r.headers.etag)
			}
			assert.ok(seen.size > codes.length * 0.8, `${set}: ${seen.size} different ones`)
		}
		assert.equal(flags.length, 194)
		for (const later of ['credit-cards/cencosud', 'credit-cards/unionpay', 'credit-cards/rupay', 'flags/pf']) assert.equal((await shown(later)).width, 100)
	})
	test('sizes: both, one, none; the middle of it', async () => {
		for (const [query, ...size] of [[{}, 100, 100], [{ width: 40, height: 30, quality: 30 }, 40, 30], [{ width: 0, height: 50 }, 66, 50], [{ width: 64, height: 0 }, 64, 48], [{ width: 0, height: 0 }, 640, 480],
			[{ width: 2000, height: 1 }, 2000, 1], [{ quality: -1 }, 100, 100], [{ width: '7' }, 7, 100]]) {
			const i = await shown('flags/fr', query)
			assert.deepEqual([i.width, i.height], size, JSON.stringify(query))
		}
		const cut = await shown('flags/fr', { width: 100, height: 100 })
		const [left, middle, right] = [5, 50, 95].map((x) => cut.at(x, 50))
		assert.ok(left[2] > 100 && left[0] < 60, `${left}`)
		assert.ok(middle.slice(0, 3).every((v) => v > 240), `${middle}`)
		assert.ok(right[0] > 180 && right[2] < 100, `${right}`)
		assert.deepEqual([(await shown('credit-cards/visa', { width: 0, height: 0 })).width, (await shown('browsers/ff', { width: 0, height: 0 })).width], [1200, 512])
	})
	test('codes in capitals; what is none', async () => {
		assert.equal((await shown('flags/DE')).r.headers.etag, (await shown('flags/de')).r.headers.etag)
		assert.notEqual((await shown('flags/lt')).r.headers.etag, (await shown('flags/ls')).r.headers.etag)
		for (const path of ['flags/xx', 'flags/eu', 'flags/de.png', 'flags/%2e%2e%2fbrowsers%2fff', 'browsers/none', 'credit-cards/none', 'flags/%00']) await refused(path, {}, 400, 'general_argument_invalid')
		for (const query of [{ width: 2001 }, { height: 2001 }, { width: -1 }, { quality: 101 }, { quality: -2 }, { width: 'x' }, { width: '1e2' }, { height: '10.0' }]) await refused('flags/de', query, 400, 'general_argument_invalid')
	})
	test('kept for thirty days, here and there', async () => {
		const query = { width: 31, height: 17 }
		const first = await shown('flags/it', query), second = await shown('flags/it', query)
		assert.deepEqual([first.r.headers['x-appwrite-cache'], second.r.headers['x-appwrite-cache']], ['miss', 'hit'])
		assert.deepEqual(first.r.raw, second.r.raw)
		assert.equal(first.r.headers.etag, second.r.headers.etag)
		for (const { r } of [first, second]) assert.equal(days(r), 30)
		const sides = await Promise.all([shown('flags/it', { width: 90 }), shown('flags/it', { height: 90 })])
		assert.deepEqual(sides.map((i) => [i.width, i.height]), [[90, 100], [100, 90]])
	})
	test('who has it already gets 304', async () => {
		const { r } = await shown('browsers/ff'), tag = r.headers.etag
		assert.match(tag, /^"[0-9a-f]+"$/)
		for (const given of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
			const again = await get('browsers/ff', {}, { headers: { 'if-none-match': given } })
			assert.deepEqual([again.status, again.text, again.headers.etag], [304, '', tag], given)
		}
		assert.equal((await get('browsers/ff', {}, { headers: { 'if-none-match': '"x"' } })).status, 200)
		const head = await p.guest('HEAD', '/avatars/browsers/ff')
		assert.deepEqual([head.status, head.text, head.headers.etag, head.headers['content-type']], [200, '', tag, 'image/png'])
	})
	test('a set that is not installed', async () => {
		const empty = dataDir(), bare = await server({ own: true, conf: { web_processes: 1, icon_dir: empty } })
		try {
			const q = await bare.project()
			const r = await q.guest('GET', '/avatars/flags/de')
			assert.deepEqual([r.status, r.body.type], [404, 'avatar_not_found'])
		} finally {
			await bare.stop()
			rmSync(empty, { recursive: true })
		}
	})
})

describe('codes', () => {
	const zbar = existsSync('/usr/bin/zbarimg')
	const read = (bytes) => execFileSync('zbarimg', ['--raw', '-q', '--nodbus', '-'], { input: bytes, stdio: ['pipe', 'pipe', 'ignore'] }).toString().replace(/\n$/, '')
	test('say what they were given', { skip: !zbar && 'zbar-tools is not installed' }, async () => {
		for (const text of ['hello', '0', '007', '+49 30', 'https://example.org/?a=b&c=d', 'HELLO WORLD 1/2', 'x'.repeat(512), '😀'.repeat(512), 'Grüße, Jürgen'])
			assert.equal(read((await shown('qr', { text })).r.raw), text)
		assert.equal(read((await shown('qr', { text: 'small', size: 100, margin: 0 })).r.raw), 'small')
	})
	test('exact sizes, margins in modules', async () => {
		for (const [query, size] of [[{}, 400], [{ size: 200 }, 200], [{ size: 1 }, 1], [{ size: 999, margin: 10 }, 999], [{ size: 1000 }, 1000]]) {
			const i = await shown('qr', { text: 'hello', ...query })
			assert.deepEqual([i.width, i.height], [size, size])
		}
		/* 21 modules of 10 pixels each, and the margin around them */
		for (const margin of [0, 1, 4, 10]) {
			const side = (21 + 2 * margin) * 10, i = await shown('qr', { text: 'hello', size: side, margin }), m = margin * 10
			assert.deepEqual(i.at(m, m), [0, 0, 0, 255])
			assert.deepEqual(i.at(m + 69, m + 69), [0, 0, 0, 255])
			assert.deepEqual(i.at(m + 15, m + 15), [255, 255, 255, 255])
			if (margin) for (const [x, y] of [[m - 1, m], [m, m - 1], [0, 0], [side - 1, side - 1], [m + 210, m]]) assert.deepEqual(i.at(x, y), [255, 255, 255, 255])
		}
	})
	test('a download only when it is asked for', async () => {
		for (const download of ['1', 'true']) assert.equal((await shown('qr', { text: 'a', download })).r.headers['content-disposition'], 'attachment; filename="qr.png"')
		for (const download of ['0', 'false', undefined]) assert.equal((await shown('qr', { text: 'a', ...(download && { download }) })).r.headers['content-disposition'], undefined)
		assert.equal(days((await shown('qr', { text: 'a' })).r), 45)
	})
	test('what is refused', async () => {
		for (const query of [{}, { text: '' }, { text: 'x'.repeat(513) }, { text: '😀'.repeat(513) }, { text: 'a', size: 0 }, { text: 'a', size: 1001 }, { text: 'a', margin: 11 }, { text: 'a', margin: -1 }, { text: 'a', download: 'maybe' }])
			await refused('qr', query, 400, 'general_argument_invalid')
	})
})

describe('initials', () => {
	/* Where holes are: their bounds, and how many pixels. */
	function holes(i) {
		const b = { n: 0, left: i.width, right: -1, top: i.height, bottom: -1 }
		for (let y = 0; y < i.height; y++)
			for (let x = 0; x < i.width; x++)
				if (i.at(x, y)[3] < 128) {
					b.n++
					b.left = Math.min(b.left, x); b.right = Math.max(b.right, x); b.top = Math.min(b.top, y); b.bottom = Math.max(b.bottom, y)
				}
		return b
	}
	const hex = (i) => i.at(0, 0).slice(0, 3).map((v) => v.toString(16).padStart(2, '0')).join('').toUpperCase()
	const size = { width: 100, height: 100 }

	test('holes in a colour that the letters choose', async () => {
		for (const [name, color] of [['W W', 'FFA1CE'], ['John Doe', '94DBD1'], ['a', 'CBB1FC'], ['ada_lovelace', 'FDC584'], ['Cher', 'FDC584'], ['a D', 'A1C4FF']]) {
			const i = await shown('initials', { name, ...size })
			assert.equal(hex(i), color, name)
			assert.equal(i.at(0, 0)[3], 255)
			assert.ok(holes(i).n > 50, name)
		}
		assert.equal(hex(await shown('initials', { name: 'x', background: '000000', ...size })), '000000')
		assert.equal(hex(await shown('initials', { name: 'x', background: 'F80', ...size })), 'FF8800')
		assert.deepEqual([holes(await shown('initials', { name: ' ', ...size })).n, hex(await shown('initials', { name: ' ', ...size }))], [0, 'FFA1CE'])
	})
	test('something drawn, in the middle, in any script', async () => {
		const boxes = new Set()
		for (const name of ['John Doe', 'W W', 'Иван Петров', 'محمد علي', 'דוד כהן', '王 小明', '山田 太郎', '김 철수', 'राम शर्मा', 'สมชาย ใจดี', 'Αλέξης Ωμέγα', 'নাম', 'தமிழ்', 'తెలుగు', 'ગુજરાતી', 'ಕನ್ನಡ', 'മലയാളം', 'ਪੰਜਾਬੀ', 'ଓଡ଼ିଆ', 'සිංහල', 'ខ្មែរ', 'ລາວ', 'မြန်မာ', 'ქართული', 'Հայերեն', 'አማርኛ', '😀 😎', '👩‍👩‍👧‍👦', '@ada', '(x)', 'E\u0301 A\u030a', 'Ö', 'q', 'i', '1 2', 'क्षि',
			'Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́', '\u202eabc def', '\u200bfoo bar']) {
			const i = await shown('initials', { name, width: 200, height: 200 }), b = holes(i)
			assert.ok(b.n > 60, `${name}: nothing drawn`)
			const x = (b.left + b.right) / 2, y = (b.top + b.bottom) / 2
			assert.ok(Math.abs(x - 200 / 1.97) <= 4, `${name}: centre at ${x}`)
			assert.ok(Math.abs(y - 100) <= 14, `${name}: middle at ${y}`)
			assert.ok(b.left >= 4 && b.right <= 196 && b.top >= 4 && b.bottom <= 196, `${name}: ${JSON.stringify(b)}`)
			boxes.add(i.r.headers.etag)
		}
		assert.ok(boxes.size >= 25, `${boxes.size} different ones`)
	})
	test('right to left: the first letter stands on the right', async () => {
		const one = holes(await shown('initials', { name: 'ו', ...size, background: '000' })), two = await shown('initials', { name: 'ו ש', ...size, background: '000' })
		const b = holes(two), middle = (b.left + b.right) / 2
		let left = 0, right = 0
		for (let y = b.top; y <= b.bottom; y++) for (let x = b.left; x <= b.right; x++) if (two.at(x, y)[3] < 128) x < middle ? left++ : right++
		assert.ok(left > right, `a narrow letter on the right: ${left} ${right}`)
		assert.ok(one.right - one.left < b.right - b.left)
	})
	test('blanks, marks and capitals make no difference', async () => {
		const tag = async (name) => (await shown('initials', { name, ...size, background: 'abc' })).r.headers.etag
		for (const [a, b] of [['John Doe', '  john   doe  '], ['John Doe', 'john\tdoe'], ['John Doe', 'John Ronald'.replace('Ronald', 'Doe') + ' Smith'], ['иван', 'И'], ['É A', 'é a'], ['a_b', 'A B'], ['__a__b__', 'A B'], ['a_b c', 'A C'], ['John\u00a0Doe', 'J D']])
			assert.equal(await tag(a), await tag(b), `${a} | ${b}`)
		assert.notEqual(await tag('John Doe'), await tag('Jane'))
	})
	test('sizes, at their ends', async () => {
		for (const [width, height] of [[1, 1], [2, 2000], [2000, 2], [50, 40], [2000, 2000], [3, 3]]) {
			const i = await shown('initials', { name: 'WM', width, height })
			assert.deepEqual([i.width, i.height], [width, height])
		}
		assert.equal((await shown('initials', { name: 'a' })).width, 500)
		for (const query of [{ width: 0 }, { height: 0 }, { width: 2001 }, { height: -1 }, { background: 'zzz' }, { background: '#fff' }, { background: 'ffff' }, { background: '12345g' }, { name: 'x'.repeat(129) }])
			await refused('initials', { name: 'x', ...query }, 400, 'general_argument_invalid')
		assert.equal((await shown('initials', { name: '王'.repeat(128), ...size })).width, 100)
	})
	test('without a name those of the caller, and no other caller\'s', async () => {
		const [ada, bob, none] = [await p.user({ name: 'Ada Lovelace' }), await p.user({ name: 'Bob Kahn' }), await p.user({ name: '' })]
		const of = async (u, query = {}) => {
			const r = await u.call('GET', '/avatars/initials', { query: { ...size, ...query } })
			assert.equal(r.status, 200)
			return r
		}
		const named = async (name) => (await shown('initials', { name, ...size })).r
		assert.deepEqual((await of(ada)).raw, (await named('Ada Lovelace')).raw)
		assert.deepEqual((await of(bob)).raw, (await named('Bob Kahn')).raw)
		assert.deepEqual((await of(ada)).raw, (await named('Ada Lovelace')).raw)
		assert.deepEqual((await of(none)).raw, (await named(none.email[0])).raw)
		assert.deepEqual((await of(ada, { name: '0' })).raw, (await named('Ada Lovelace')).raw)
		assert.equal(holes(png((await get('initials', size)).raw)).n, 0)
		for (const r of [await of(ada), await get('initials', size)]) assert.equal(r.headers['cache-control'], 'private, no-cache')
		assert.equal((await named('Ada Lovelace')).headers['cache-control'], undefined)
		assert.equal(days(await named('Ada Lovelace')), 45)
	})
})

describe('pictures of other sites', () => {
	test('cut to a size, as PNG', async () => {
		world.set('/red.png', { body: pngOf(60, 30, [200, 0, 0]) })
		for (const [query, ...size] of [[{}, 400, 400], [{ width: 20, height: 10 }, 20, 10], [{ width: 0, height: 15 }, 30, 15], [{ width: 0, height: 0 }, 60, 30]]) {
			const i = await shown('image', { url: url('/red.png'), ...query })
			assert.deepEqual([i.width, i.height], size)
			assert.deepEqual(i.at(size[0] >> 1, size[1] >> 1), [200, 0, 0, 255])
		}
		assert.match(world.get('/red.png').agent, /^Badal\//)
		const asked = world.get('/red.png').asked, again = await shown('image', { url: url('/red.png'), width: 20, height: 10 })
		assert.deepEqual([again.r.headers['x-appwrite-cache'], world.get('/red.png').asked], ['hit', asked])
		assert.equal(days(again.r), 30)
	})
	test('behind redirects', async () => {
		world.set('/blue.png', { body: pngOf(8, 8, [0, 0, 200]) })
		world.set('/away', { status: 302, headers: { location: '/blue.png' } })
		assert.deepEqual((await shown('image', { url: url('/away'), width: 4, height: 4 })).at(1, 1), [0, 0, 200, 255])
		world.set('/round', { status: 302, headers: { location: '/round' } })
		world.set('/file', { status: 302, headers: { location: 'file:///etc/passwd' } })
		for (const path of ['/round', '/file']) await refused('image', { url: url(path) }, 404, 'avatar_image_not_found')
	})
	test('what is none', async () => {
		world.set('/text', { body: 'no picture', type: 'image/png' })
		world.set('/empty', { body: '' })
		world.set('/gone', { status: 410, body: pngOf(8, 8, [1, 1, 1]) })
		world.set('/broken.png', { body: pngOf(400, 400, [1, 2, 3]).subarray(0, 50) })
		world.set('/svg', { body: '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', type: 'image/svg+xml' })
		world.set('/mvg', { body: 'push graphic-context\nviewbox 0 0 640 480\nimage over 0,0 0,0 "/etc/passwd"\npop graphic-context', type: 'image/png' })
		for (const path of ['/text', '/empty', '/gone', '/nothing', '/broken.png', '/svg', '/mvg']) await refused('image', { url: url(path) }, 404, 'avatar_image_not_found')
		await refused('image', { url: 'http://127.0.0.1:9/none.png' }, 404, 'avatar_image_not_found')
		await refused('image', { url: 'http://nobody.invalid/x.png' }, 404, 'avatar_image_not_found')
		for (const bad of [undefined, '', 'none', 'ftp://127.0.0.1/x.png', 'file:///etc/passwd', '//127.0.0.1/x', 'http://', 'javascript:alert(1)', 'gopher://127.0.0.1/x'])
			await refused('image', bad === undefined ? {} : { url: bad }, 400, 'general_argument_invalid')
		for (const query of [{ width: 2001 }, { height: -1 }]) await refused('image', { url: url('/red.png'), ...query }, 400, 'general_argument_invalid')
	})
	test('what is too large, never ends, or never begins is given up', async () => {
		world.set('/large', { body: Buffer.alloc(300 * 1024, 1) })
		world.set('/endless', { handle: (q, r) => { r.writeHead(200, { 'content-type': 'image/png' }); r.write('\x89PNG') } })
		await refused('image', { url: url('/large') }, 404, 'avatar_image_not_found')
		await refused('image', { url: url('/endless') }, 404, 'avatar_image_not_found')
		await refused('image', { url: `http://127.0.0.1:${silent.address().port}/x.png` }, 404, 'avatar_image_not_found')
	})
	test('not many at once for one client', async () => {
		const all = await Promise.all(Array.from({ length: 12 }, (_, i) => get('image', { url: `http://127.0.0.1:${silent.address().port}/${i}.png` })))
		const busy = all.filter((r) => r.status === 503)
		assert.equal(busy.length, 8)
		for (const r of busy) assert.equal(r.body.type, 'general_busy')
		for (const r of all) if (r.status !== 503) assert.equal(r.body.type, 'avatar_image_not_found')
		assert.equal((await get('image', { url: url('/red.png'), width: 3 })).status, 200)
	})
	test('we do not ask ourselves what is elsewhere', async () => {
		const own = (path) => `${s.base.origin}/v1/avatars/${path}${path.includes('?') ? '&' : '?'}project=${p.id}`
		assert.equal((await shown('image', { url: own('flags/fr'), width: 10 })).width, 10)
		await refused('image', { url: own(`image?url=${encodeURIComponent(url('/red.png'))}`) }, 404, 'avatar_image_not_found')
		await refused('favicon', { url: own(`favicon?url=${encodeURIComponent(url('/red.png'))}`) }, 404, 'avatar_icon_not_found')
	})
	test('private addresses are out of reach, by whatever way', async () => {
		const q = await closed.project(), before = [...world.values()].reduce((n, a) => n + (a.asked ?? 0), 0)
		const { port } = web.address()
		for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '10.0.0.1', '169.254.169.254', '192.168.0.1', '[fd00::1]', '[fe80::1]', '[64:ff9b::7f00:1]',
			'0', '0x7f.1', '017700000001', '127.00.00.01', '127.0.0.1.', '127.255.255.254', 'LOCALHOST', 'localhost.', 'a@127.0.0.1', '%31%32%37.0.0.1', '①②⑦.0.0.1', '127。0。0。1', '[::]', '[::7f00:1]', '[::ffff:7f00:1]',
			'[::ffff:0:127.0.0.1]', '[2002:7f00:1::]', '[2001:0:7f00:1::]', '[64:ff9b:1::7f00:1]', '[fec0::1]', '[fe80::1%25lo]', '[ff02::1]', '100.64.0.1', '172.31.255.255', '192.0.0.1', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'])
			for (const what of ['image', 'favicon']) {
				const r = await q.guest('GET', `/avatars/${what}`, { query: { url: `http://${host}:${port}/red.png` } })
				const none = what === 'image' ? 'avatar_image_not_found' : 'avatar_remote_url_failed'
				assert.ok((r.status === 404 && r.body.type === none) || (r.status === 400 && r.body.type === 'general_argument_invalid'), `${host} ${r.text}`)
			}
		assert.equal([...world.values()].reduce((n, a) => n + (a.asked ?? 0), 0), before, 'nobody was asked')
	})
})

describe('icons of pages', () => {
	const ico = (n = 1) => { const b = Buffer.alloc(6 + 16 * n + 40, 7); b.writeUInt32LE(0x00010000, 0); b.writeUInt16LE(n, 4); return b }
	const page = (path, body, type = 'text/html') => world.set(path, { body, type })
	let n = 0
	const fresh = () => `/page/${++n}${unique()}`
	/* The page's icon is the one of that colour. */
	async function finds(html, color, path = fresh()) {
		page(path, html)
		const i = await shown('favicon', { url: url(path) })
		assert.deepEqual([i.width, i.height], [56, 56])
		assert.deepEqual(i.at(28, 28).slice(0, 3), color, html)
		return i
	}
	const red = [210, 0, 0], green = [0, 190, 0], blue = [0, 0, 220]

	test('the largest, of equals the last; relative as browsers have it', async () => {
		world.set('/red.png', { body: pngOf(60, 30, red) })
		world.set('/green.png', { body: pngOf(16, 16, green) })
		world.set('/page/blue.png', { body: pngOf(99, 99, blue) })
		await finds('<link rel="icon" href="/red.png">', red)
		await finds('<link rel="shortcut icon" href="/red.png">', red)
		await finds('<LINK REL="Shortcut  ICON" HREF=\'/red.png\'>', red)
		await finds('<link rel=icon href=/red.png sizes=16x16><link rel=icon href=/green.png sizes=64x64><link rel=icon href=/red.png sizes=32x32>', green)
		await finds('<link rel="icon" href="/red.png"><link rel="icon" href="/green.png">', green)
		await finds('<link rel="icon" href="/green.png" sizes="9x9"><link rel="icon" href="/red.png">', green)
		await finds('<link rel="icon" href="blue.png">', blue)
		await finds('<link rel="icon" href="./x/../blue.png?v=1#y">', blue)
		await finds(`<link rel="icon" href="//127.0.0.1:${web.address().port}/red.png">`, red)
		await finds('<base href="/page/"><link rel="icon" href="blue.png">', blue, `/${unique()}`)
		await finds('<head><title>x</title><script>var a = "<link rel=icon href=/red.png>"</script><!-- <link rel=icon href=/red.png sizes=99x99> --><link rel="icon" href="/green.png"></head>', green)
		await finds('<body><p>late<link rel="icon" href=" /red.png\n">', red)
		await finds('<link rel="apple-touch-icon" href="/red.png" sizes="180x180"><link rel="mask-icon" href="/red.png"><link rel="icon" href="/green.png">', green)
		await finds('<link rel="icon" href="/x.svg" sizes="999x999"><link rel="icon" href="/green.png">', green)
		await finds('<link rel="icon" href="data:image/png;base64,AAAA" sizes="999x999"><link rel="icon" href="/green.png">', green)
	})
	test('an ICO as it is, whatever it is called; a PNG that is called one is one', async () => {
		world.set('/a.ico', { body: ico(), type: 'image/x-icon' })
		world.set('/b.ico', { body: pngOf(16, 16, red), type: 'image/x-icon' })
		const path = fresh()
		page(path, '<link rel="icon" href="/a.ico">')
		for (const cache of ['miss', 'hit']) {
			const r = await get('favicon', { url: url(path) })
			assert.deepEqual([r.status, r.headers['content-type'], r.headers['x-appwrite-cache'], r.headers['content-security-policy']], [200, 'image/x-icon', cache, "default-src 'none'"], r.text)
			assert.deepEqual(r.raw, ico())
			assert.equal(days(r), 30)
		}
		await finds('<link rel="icon" href="/b.ico">', red)
	})
	test('none is named: /favicon.ico of the same host and port', async () => {
		world.set('/favicon.ico', { body: pngOf(16, 16, green) })
		try {
			await finds('<p>nothing', green)
			await finds('', green, (() => { const f = fresh(); return f })()).catch((e) => assert.match(e.message, /avatar_remote_url_failed/))
			await finds('<link rel="icon">', green)
			await finds('<link rel="stylesheet" href="/red.png">', green)
			world.set('/moved', { status: 302, headers: { location: '/elsewhere/index.html' } })
			page('/elsewhere/index.html', '<link rel="icon" href="near.png">')
			world.set('/elsewhere/near.png', { body: pngOf(16, 16, blue) })
			assert.deepEqual((await shown('favicon', { url: url('/moved') })).at(9, 9).slice(0, 3), blue)
		} finally {
			world.delete('/favicon.ico')
		}
	})
	test('what is none', async () => {
		world.set('/html.ico', { body: '<html>not found</html>', type: 'text/html' })
		world.set('/half.ico', { body: ico(9).subarray(0, 60), type: 'image/x-icon' })
		for (const html of ['<p>nothing', '<link rel="icon" href="/none.png">', '<link rel="icon" href="/html.ico">', '<link rel="icon" href="/half.ico">', '<link rel="icon" href="file:///etc/passwd.png">', '<link rel="icon" href="http://127.0.0.1:9/x.png">', `<link rel="icon" href="/${'x'.repeat(3000)}.png">`]) {
			const path = fresh()
			page(path, html)
			await refused('favicon', { url: url(path) }, 404, 'avatar_icon_not_found')
		}
		for (const bad of [url('/'), 'http://127.0.0.1:9/']) await refused('favicon', { url: bad }, 404, bad.endsWith(':9/') ? 'avatar_remote_url_failed' : 'avatar_icon_not_found')
		for (const bad of [undefined, 'none', 'ftp://127.0.0.1/']) await refused('favicon', bad ? { url: bad } : {}, 400, 'general_argument_invalid')
	})
	test('hostile pages cost a bounded time, and the next one works', async () => {
		const deep = '<div>'.repeat(100000), many = '<link rel="icon" href="/green.png" sizes="1x1">'.repeat(10000), long = `<a ${'x'.repeat(500000)}`
		for (const html of [deep, long, '<'.repeat(500000), '<!--'.repeat(100000), '&'.repeat(500000), '\0'.repeat(500000), '<link '.repeat(80000), `<link rel="icon" href="${'%'.repeat(400000)}">`, Buffer.from([0xff, 0xfe, ...Buffer.alloc(1000, 0x3c)]), '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>']) {
			const path = fresh()
			page(path, html)
			await refused('favicon', { url: url(path) }, 404, 'avatar_icon_not_found')
		}
		await finds(many, green)
		await finds(`<link rel="icon" href="/red.png">${'x'.repeat(1000000)}`, red)
	})
})

describe('callers', () => {
	test('guests, users, keys with the scope, and members', async () => {
		const u = await p.user(), none = await s.project({ scopes: ['users.read'] })
		for (const path of ['/avatars/flags/de', '/avatars/browsers/ff', '/avatars/credit-cards/visa', '/avatars/qr?text=a', '/avatars/initials?name=a', `/avatars/image?url=${encodeURIComponent(url('/green.png'))}`]) {
			for (const r of [await u.call('GET', path), await p.call('GET', path), await p.admin('GET', path), await s.call('GET', path)]) assert.equal(r.status, 200, path + r.text)
			const r = await none.call('GET', path)
			assert.deepEqual([r.status, r.body.type], [401, 'general_unauthorized_scope'])
		}
		assert.equal((await none.call('GET', '/avatars/favicon', { query: { url: url('/') } })).status, 401)
	})
	test('not where the project has switched it off', async () => {
		const q = await s.project({ scopes: ['avatars.read'] })
		await q.console.ok('PATCH', `/projects/${q.id}/service`, { body: { service: 'avatars', status: false } })
		assert.deepEqual([(await q.guest('GET', '/avatars/flags/de')).status, (await q.guest('GET', '/avatars/qr?text=a')).body.type], [503, 'general_service_disabled'])
		assert.equal((await q.call('GET', '/avatars/flags/de')).status, 200)
	})
})
