/* Previews: parameters, what is shown of which file, who may see it, what is kept, and files that want to harm. What becomes of each pixel is in t/10-module/test_picture.c. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { part, upload } from '../lib/form.mjs'
import { bomb, look, near, quarters, withExif } from '../lib/picture.mjs'
import { chunk, pngBy, pngFile, png as readPng } from '../lib/png.mjs'
import { server, unique } from '../lib/server.mjs'
import { fails } from './lib.mjs'

let s, p, alice, bob, open
const makeBucket = (more = {}) => p.ok('POST', '/storage/buckets', { body: { bucketId: unique('b'), name: 'Bucket', permissions: ['read("any")', 'create("users")', 'delete("users")'], ...more } })
async function put(name, bytes, b = open, more = {}) {
	const r = await upload(alice.call, b.$id, more.id ?? 'unique()', part(name, bytes), more)
	assert.equal(r.status, 201, r.text)
	return `/storage/buckets/${b.$id}/files/${r.body.$id}`
}
/* A preview that must be a picture of this type and size. */
async function shows(path, query, type, w, h, call = p.guest, headers = {}) {
	const r = await call('GET', `${path}/preview`, { query, headers })
	assert.equal(r.status, 200, r.text.slice(0, 300))
	assert.equal(r.headers['content-type'], type)
	const seen = look(r.raw)
	assert.equal(seen.type, type)
	if (w !== undefined && seen.w !== undefined) assert.deepEqual([seen.w, seen.h], [w, h])
	return r
}
const cached = (r) => r.headers['x-appwrite-cache']

before(async () => {
	s = await server()
	p = await s.project()
	;[alice, bob] = await Promise.all([p.user({ name: 'Alice' }), p.user({ name: 'Bob' })])
	open = await makeBucket()
})

describe('parameters', () => {
	let pic
	before(async () => { pic = await put('pic.png', quarters(64, 48)) })

	test('size, gravity and all the rest', async () => {
		for (const [query, w, h] of [[{}, 64, 48], [{ width: 32 }, 32, 24], [{ height: 24 }, 32, 24], [{ width: 20, height: 30 }, 20, 30], [{ width: 128 }, 128, 96],
			[{ width: '' }, 64, 48], [{ width: 20, height: 20, gravity: 'top-left' }, 20, 20], [{ width: 20, height: 20, gravity: 'BOTTOM-Right' }, 20, 20],
			[{ width: 22, borderWidth: 2, borderColor: 'ff0000' }, 26, 20], [{ width: 22, borderWidth: 2, borderColor: 'F00' }, 26, 20], [{ width: 24, borderRadius: 5 }, 24, 18],
			[{ width: 25, opacity: 0.5 }, 25, 18], [{ width: 25, opacity: 0 }, 25, 18], [{ width: 26, rotation: 90 }, 19, 26], [{ width: 26, rotation: -360 }, 26, 19],
			[{ width: 28, background: '00ff00' }, 28, 21], [{ width: 29, quality: -1 }, 29, 21], [{ width: 29, quality: 0 }, 29, 21], [{ width: 30, rotation: '-0' }, 30, 22], [{ width: 30, rotation: 359 }, 31, 23]])
			await shows(pic, query, 'image/png', w, h)
		const corner = async (query) => readPng((await shows(pic, query, 'image/png')).raw).at(2, 2)
		assert.ok(near(await corner({ width: 20, height: 20, gravity: 'top-left' }), [255, 0, 0, 255]))
		assert.ok(near(await corner({ width: 10, height: 20, gravity: 'right' }), [0, 255, 0, 255]))
		assert.ok(near(await corner({ width: 20, height: 20, gravity: 'bottom', rotation: 90 }), [0, 0, 255, 255]))
		assert.ok(near(await corner({ width: 16, borderWidth: 3, borderColor: 'f80' }), [255, 136, 0, 255], 0))
		assert.ok(near(await corner({ width: 16, opacity: 0.5 }), [255, 0, 0, 128], 2))
	})

	test('what they cannot be', async () => {
		for (const [bad, words] of [[{ width: 4001 }, /between 0 and 4,000/], [{ width: -1 }], [{ height: 'tall' }], [{ width: '1e2' }], [{ gravity: 'up' }, /center, top-left/],
			[{ quality: 101 }, /between -1 and 100/], [{ quality: -2 }], [{ borderWidth: 101 }], [{ borderColor: '#ff0000' }, /valid Hex color/], [{ borderColor: 'ff00' }], [{ background: 'zzz' }], [{ borderRadius: 4001 }],
			[{ opacity: 2 }, /between 0 and 1/], [{ opacity: 'half' }], [{ opacity: '0.5x' }], [{ opacity: 'nan' }], [{ rotation: 400 }, /between -360 and 360/], [{ output: 'bmp' }, /jpg, jpeg/], [{ output: 'PNG' }],
			[{ borderWidth: 2 }, /borderColor/]]) {
			const r = await p.guest('GET', `${pic}/preview`, { query: bad })
			fails(r, 400, 'general_argument_invalid')
			if (words) assert.match(r.body.message, words)
			assert.equal(cached(r), 'miss')
			assert.match(r.headers['cache-control'], /no-store/)
		}
	})

	test('formats: asked for, or those of the name, or of the file', async () => {
		const jpg = (await shows(pic, { output: 'jpg' }, 'image/jpeg', 64, 48)).raw
		await shows(pic, { output: 'jpeg', quality: 1 }, 'image/jpeg', 64, 48)
		await shows(pic, { output: 'gif' }, 'image/gif', 64, 48)
		const accepting = { accept: 'image/avif,image/webp,*/*' }
		for (const [output, headers, type] of [['webp', {}, 'image/jpeg'], ['webp', { accept: '*/*' }, 'image/jpeg'], ['webp', accepting, 'image/webp'],
			['avif', { accept: 'image/webp' }, 'image/webp'], ['avif', {}, 'image/jpeg'], ['jpg', accepting, 'image/jpeg']]) {
			const r = await shows(pic, { output, width: 30 }, type, undefined, undefined, p.guest, headers)
			assert.match(r.headers.vary, /\bAccept\b/)
		}
		const avif = await p.guest('GET', `${pic}/preview`, { query: { output: 'avif' }, headers: accepting })
		assert.equal(avif.headers['content-type'], look(avif.raw).type)	/* where it can be written */
		const webp = (await shows(pic, { output: 'webp' }, 'image/webp', undefined, undefined, p.guest, accepting)).raw, gif = (await shows(pic, { output: 'gif' }, 'image/gif')).raw
		for (const [name, bytes, type] of [['a.png', quarters(9, 9), 'png'], ['A.PNG', quarters(9, 9), 'png'], ['a.jpg', jpg, 'jpeg'], ['A.JPEG', jpg, 'jpeg'], ['a.jfif', jpg, 'jpeg'], ['a.dat', jpg, 'jpeg'],
			['a', jpg, 'jpeg'], ['a.', jpg, 'jpeg'], ['a.dat', quarters(9, 9), 'png'], ['a.gif', gif, 'gif'], ['a', gif, 'gif'], ['a.webp', webp, 'webp'], ['a.bin', webp, 'webp'], ['a.jpg', quarters(9, 9), 'jpeg'],
			['a.png', jpg, 'png']])
			await shows(await put(name, bytes), {}, `image/${type}`)
	})
})

describe('what is shown', () => {
	test('upright, without its place', async () => {
		const jpg = (await shows(await put('q.png', quarters(64, 48)), { output: 'jpg' }, 'image/jpeg')).raw
		const corners = { 1: [255, 0, 0], 2: [0, 255, 0], 3: [255, 255, 0], 4: [0, 0, 255], 5: [255, 0, 0], 6: [0, 0, 255], 7: [255, 255, 0], 8: [0, 255, 0], 77: [255, 0, 0] }
		for (const [o, corner] of Object.entries(corners)) {
			const path = await put('photo.jpg', withExif(jpg, Number(o))), turned = o >= 5 && o <= 8
			for (const [query, w, h] of [[{}, turned ? 48 : 64, turned ? 64 : 48], [{ width: 24 }, 24, turned ? 32 : 18], [{ height: 24 }, turned ? 18 : 32, 24], [{ width: 20, height: 20 }, 20, 20],
				[{ width: 20, height: 10, gravity: 'top-left' }, 20, 10]]) {
				const r = await shows(path, { ...query, output: 'png' }, 'image/png', w, h)
				assert.ok(near(readPng(r.raw).at(1, 1).slice(0, 3), corner, 60), `orientation ${o}: ${readPng(r.raw).at(1, 1)}`)
				for (const output of ['jpg', 'png', 'gif']) {
					const raw = (await shows(path, { ...query, output }, `image/${output === 'jpg' ? 'jpeg' : output}`)).raw.toString('latin1')
					assert.ok(!raw.includes('GPSPLACE') && !raw.includes('Exif') && !raw.includes('eXIf'))
				}
			}
		}
	})

	test('of what is transparent', async () => {
		const path = await put('clear.png', pngBy(20, 20, () => [0, 255, 0, 0]))
		assert.equal(readPng((await shows(path, {}, 'image/png')).raw).at(9, 9)[3], 0)
		const jpg = await put('flat.jpg', (await shows(path, { output: 'jpg' }, 'image/jpeg')).raw)
		assert.ok(near(readPng((await shows(jpg, { output: 'png' }, 'image/png')).raw).at(9, 9), [255, 255, 255, 255], 3))
		assert.ok(near(readPng((await shows(path, { background: '102030' }, 'image/png')).raw).at(9, 9), [16, 32, 48, 255], 0))
	})

	test('of what has one colour that is transparent, in every kind of PNG', async () => {
		const side = 40, half = (depth, samples, left, right) => {	/* of bytes: the left half, the right half */
			const width = (side * samples * depth) >> 3, lines = Buffer.alloc((width + 1) * side)
			for (let y = 0; y < side; y++) lines.fill(Buffer.from(left), y * (width + 1) + 1, y * (width + 1) + 1 + (width >> 1)).fill(Buffer.from(right), y * (width + 1) + 1 + (width >> 1), (y + 1) * (width + 1))
			return lines
		}
		for (const [what, depth, kind, lines, key, colours] of [
			['grey of 1 bit', 1, 0, half(1, 1, [0xff], [0]), [0, 1]], ['grey of 4 bits', 4, 0, half(4, 1, [0x55], [0xaa]), [0, 5]], ['grey of 8 bits', 8, 0, half(8, 1, [100], [200]), [0, 100]],
			['grey of 16 bits', 16, 0, half(16, 1, [100, 100], [200, 200]), [100, 100]], ['RGB of 8 bits', 8, 2, half(8, 3, [255, 0, 255], [10, 200, 30]), [0, 255, 0, 0, 0, 255]],
			['RGB of 16 bits', 16, 2, half(16, 3, [255, 255, 0, 0, 255, 255], [10, 10, 200, 200, 30, 30]), [255, 255, 0, 0, 255, 255]],
			['a palette', 8, 3, half(8, 1, [0], [1]), [0], [255, 0, 0, 10, 200, 30]]]) {
			const chunks = [...(colours ? [chunk('PLTE', Buffer.from(colours))] : []), chunk('tRNS', Buffer.from(key))], path = await put('keyed.png', pngFile(side, side, depth, kind, lines, chunks))
			for (const width of [side, side >> 1, side * 2]) {
				const i = readPng((await shows(path, { width }, 'image/png', width, width)).raw)
				assert.deepEqual([i.at(width >> 3, width >> 1)[3], i.at(width - 1 - (width >> 3), width >> 1)[3]], [0, 255], `${what} at ${width}`)
			}
			const flat = await put('flat.jpg', (await shows(path, { output: 'jpg' }, 'image/jpeg')).raw)
			assert.ok(near(readPng((await shows(flat, { output: 'png' }, 'image/png')).raw).at(4, 20), [255, 255, 255, 255], 6), what)
		}
	})

	test('an icon of what is no picture', async () => {
		const text = await put('note.png', 'no picture at all'), video = await put('film.mp4', Buffer.concat([Buffer.from('00000018667479706d703432000000006d70343269736f6d', 'hex'), Buffer.alloc(100)]))
		const a = await shows(text, {}, 'image/png', 1200, 800), b = await shows(video, {}, 'image/png', 1200, 800)
		assert.ok(!a.raw.equals(b.raw))
		assert.ok(near(readPng(a.raw).at(3, 3), [0xec, 0xef, 0xf1, 255], 0))
		assert.ok(near(readPng((await shows(text, { width: 60, background: 'ff0000' }, 'image/png', 60, 40)).raw).at(1, 1), [255, 0, 0, 255], 0))
		await shows(text, { width: 30, height: 30, output: 'jpg' }, 'image/jpeg', 30, 30)
		for (const [name, bytes] of [['a.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'], ['a.bmp', Buffer.from('424d3e000000000000003e00000028000000', 'hex')], ['empty.png', '']])
			await shows(await put(name, bytes), {}, 'image/png', 1200, 800)
	})

	test('an icon of half an upload, which nobody keeps', async () => {
		const whole = quarters(400, 300), id = unique('half'), b = await makeBucket()
		assert.equal((await upload(alice.call, b.$id, id, part('half.png', whole.subarray(0, 1000)), { start: 0, total: whole.length })).status, 201)
		const path = `/storage/buckets/${b.$id}/files/${id}`, r = await shows(path, {}, 'image/png', 1200, 800)
		assert.match(r.headers['cache-control'], /no-store/)
		assert.equal((await p.guest('GET', `${path}/preview`, { headers: { 'if-none-match': r.headers.etag } })).status, 200)
		assert.equal((await upload(alice.call, b.$id, id, part('half.png', whole.subarray(1000)), { start: 1000, total: whole.length, id })).status, 201)
		const done = await shows(path, {}, 'image/png', 400, 300)
		assert.notEqual(done.headers.etag, r.headers.etag)
	})

	test('through every kind of keeping', async () => {
		for (const compression of ['none', 'gzip', 'zstd'])
			for (const encryption of [false, true]) {
				const b = await makeBucket({ compression, encryption }), path = await put('q.png', quarters(300, 200), b)
				const a = await shows(path, { width: 30 }, 'image/png', 30, 20), again = await shows(path, { width: 30 }, 'image/png', 30, 20)
				assert.deepEqual([cached(a), cached(again)], ['miss', 'hit'])
				assert.ok(a.raw.equals(again.raw))
			}
	})
})

describe('who may see it, and who may keep it', () => {
	test('permission goes before what is kept', async () => {
		const b = await makeBucket({ permissions: ['create("users")'], fileSecurity: true })
		const path = await put('mine.png', quarters(30, 30), b, { permissions: [`read("user:${alice.id}")`] })
		await shows(path, {}, 'image/png', 30, 30, alice.call)
		const r = await shows(path, {}, 'image/png', 30, 30, alice.call)
		assert.equal(cached(r), 'hit')
		assert.match(r.headers['cache-control'], /private/)
		for (const call of [bob.call, p.guest]) {
			const no = await call('GET', `${path}/preview`)
			fails(no, 404, 'storage_file_not_found')
			assert.match(no.headers['cache-control'], /no-store/)
			fails(await call('GET', `${path}/preview`, { headers: { 'if-none-match': r.headers.etag } }), 404, 'storage_file_not_found')
		}
		const closed = await makeBucket({ permissions: ['create("users")'] }), other = await put('a.png', quarters(9, 9), closed)
		fails(await bob.call('GET', `${other}/preview`), 401, 'user_unauthorized')
		await shows(other, {}, 'image/png', 9, 9, p.call)
		fails(await p.guest('GET', `/storage/buckets/${unique('no')}/files/x/preview`), 404, 'storage_bucket_not_found')
		fails(await p.guest('GET', `/storage/buckets/${open.$id}/files/none/preview`), 404, 'storage_file_not_found')
		fails(await p.guest('GET', '/storage/files/none/preview'), 404, 'storage_bucket_not_found')
	})

	test('one tag for what is made and what was kept; conditions', async () => {
		const path = await put('t.png', quarters(40, 30)), a = await shows(path, { width: 20 }, 'image/png', 20, 15), b = await shows(path, { width: 20 }, 'image/png', 20, 15)
		assert.deepEqual([cached(a), cached(b), a.headers.etag], ['miss', 'hit', b.headers.etag])
		assert.match(a.headers.etag, /^"[^"]+"$/)
		assert.ok(a.raw.equals(b.raw))
		assert.ok(new Date(a.headers.expires) - Date.now() > 29 * 86400e3)
		assert.equal(a.headers['cache-control'], undefined)
		for (const tag of [a.headers.etag, `W/${a.headers.etag}`, `"x", ${a.headers.etag}`, '*']) {
			const r = await p.guest('GET', `${path}/preview`, { query: { width: 20 }, headers: { 'if-none-match': tag } })
			assert.deepEqual([r.status, r.raw.length, r.headers.etag], [304, 0, a.headers.etag])
		}
		for (const query of [{ height: 20 }, { width: 21 }, { width: 20, output: 'gif' }, { width: 20, rotation: 1 }]) {	/* other parameters, whatever their values */
			const r = await p.guest('GET', `${path}/preview`, { query, headers: { 'if-none-match': a.headers.etag } })
			assert.deepEqual([r.status, cached(r)], [200, 'miss'])
		}
		assert.equal(cached(await shows(path, { height: 15, width: 20 }, 'image/png')), 'miss')
		assert.equal(cached(await shows(path, { width: 20, height: 15, gravity: 'Center', quality: '100' }, 'image/png')), 'hit')
		for (const query of [{ width: 20 }, { width: 23 }]) {
			const r = await p.guest('HEAD', `${path}/preview`, { query }), g = await p.guest('GET', `${path}/preview`, { query })
			assert.deepEqual([r.status, r.raw.length, r.headers.etag, r.headers['content-length'], r.headers['content-type']], [200, 0, g.headers.etag, String(g.raw.length), 'image/png'])
		}
	})

	test('another file under the same id is another picture', async () => {
		const b = await makeBucket(), id = unique('f'), path = await put('a.png', quarters(40, 30), b, { id }), old = await shows(path, { width: 20 }, 'image/png', 20, 15)
		await alice.ok('DELETE', path, { status: 204 })
		fails(await p.guest('GET', `${path}/preview`, { query: { width: 20 } }), 404, 'storage_file_not_found')
		await put('a.png', pngBy(40, 40, () => [9, 9, 9, 255]), b, { id })
		const r = await p.guest('GET', `${path}/preview`, { query: { width: 20 }, headers: { 'if-none-match': old.headers.etag } })
		assert.deepEqual([r.status, look(r.raw).h], [200, 20])
		assert.notEqual(r.headers.etag, old.headers.etag)
	})

	test('the same id in two buckets, and in two projects', async () => {
		const id = unique('f'), [a, b] = [await makeBucket(), await makeBucket()]
		const [x, y] = [await put('a.png', pngBy(10, 10, () => [1, 1, 1, 255]), a, { id }), await put('a.png', pngBy(10, 10, () => [200, 1, 1, 255]), b, { id })]
		for (let i = 0; i < 2; i++) {
			assert.ok(near(readPng((await shows(x, {}, 'image/png')).raw).at(5, 5), [1, 1, 1, 255], 1))
			assert.ok(near(readPng((await shows(y, {}, 'image/png')).raw).at(5, 5), [200, 1, 1, 255], 1))
		}
	})
})

describe('hostile files', () => {
	let jpg, gif
	before(async () => {
		const pic = await put('p.png', quarters(64, 48))
		jpg = (await shows(pic, { output: 'jpg' }, 'image/jpeg')).raw
		gif = (await shows(pic, { output: 'gif' }, 'image/gif')).raw
	})
	const patched = (b, at, hex) => { const c = Buffer.from(b); c.write(hex, at, 'hex'); return c }
	async function harmless(name, bytes, b = open) {
		const path = await put(name, bytes, b), r = await p.guest('GET', `${path}/preview`, { query: { width: 50 } })
		assert.ok(r.status === 200 || (r.status >= 400 && r.status < 500), `${name}: ${r.status} ${r.text.slice(0, 200)}`)
		assert.ok(!r.text.includes('root:'), name)
		assert.deepEqual((await p.guest('GET', `${path}/download`)).raw, Buffer.from(bytes))
		return r
	}

	test('bombs', async () => {
		const sof = jpg.indexOf(Buffer.from('ffc0', 'hex'))
		fails(await harmless('huge.png', bomb(40000, 40000)), 400, 'general_picture_too_large')
		fails(await harmless('huge.jpg', patched(jpg, sof + 5, 'fafafafa')), 400, 'general_picture_too_large')
		fails(await harmless('huge.gif', patched(gif, 6, 'ffffffff')), 400, 'general_picture_too_large')
		assert.equal((await harmless('text.png', bomb(64, 48, 100e6))).status, 200)
		assert.equal((await s.call('GET', '/general/version')).status < 500, true)
	})

	test('cut off, damaged, of no size', async () => {
		const whole = quarters(300, 200)
		for (const [name, bytes] of [['cut.png', whole.subarray(0, whole.length >> 1)], ['cut.jpg', jpg.subarray(0, jpg.length >> 1)], ['cut.gif', gif.subarray(0, gif.length >> 1)],
			['crc.png', patched(whole, 29, '01020304')], ['data.png', patched(whole, 60, '0000000000')], ['zero.png', patched(whole, 16, '0000000000000000')], ['zero.gif', patched(gif, 6, '00000000')],
			['head.png', whole.subarray(0, 8)], ['head.jpg', jpg.subarray(0, 3)]])
			await harmless(name, bytes)
		fails(await harmless('none.png', patched(whole, 16, '0000000000000000')), 400, 'general_picture_invalid')
	})

	test('what calls itself a picture', async () => {
		for (const [name, text] of [['a.jpg', 'push graphic-context\nviewbox 0 0 640 480\nimage over 0,0 0,0 \'/etc/passwd\'\npop graphic-context'],
			['b.png', '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="file:///etc/passwd" width="9" height="9"/></svg>'],
			['c.gif', '%!PS\n(/etc/passwd) (r) file 999 string readstring pop show showpage'], ['d.png', '%PDF-1.4\n'], ['e.jpg', 'text:/etc/passwd'], ['f.png', '<?xml version="1.0"?><image><read filename="/etc/passwd"/></image>'],
			['msl:/etc/passwd.png', 'x'], ['http:example.org.png', 'x'], ['|id.png', 'x'], ['a.png[0]', 'x']])
			assert.equal(look((await harmless(name, text)).raw).w, 50)	/* the icon */
		for (const [name, bytes] of [['poly.gif', Buffer.concat([gif, Buffer.from('/*<script>alert(1)</script>*/')])], ['poly.jpg', Buffer.concat([jpg, Buffer.from('PK\x03\x04<html>')])]])
			assert.ok(!(await harmless(name, bytes)).text.includes('script'))
	})

	test('many large ones at once: some may be refused, and the next small one works', async () => {
		const path = await put('large.png', bomb(4000, 4000)), small = await put('small.png', quarters(20, 20))
		const all = await Promise.all(Array.from({ length: 24 }, (_, i) => p.guest('GET', `${path}/preview`, { query: { width: 100 + i } })))
		for (const r of all) assert.ok([200, 429, 503].includes(r.status), `${r.status} ${r.text.slice(0, 200)}`)
		await shows(small, {}, 'image/png', 20, 20)
	})
})
