/* Pictures for tests: PNG files made and read here; other formats are what the server makes of them. */
import { crc32, deflateSync, inflateSync } from 'node:zlib'

const crc = crc32 ?? ((b) => {	/* Node 18 has none */
	let c = ~0
	for (const x of b) { c ^= x; for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1 }
	return ~c >>> 0
})

export function chunk(type, data = Buffer.alloc(0)) {
	const b = Buffer.alloc(12 + data.length)
	b.writeUInt32BE(data.length)
	b.write(type, 4, 'latin1')
	data.copy(b, 8)
	b.writeUInt32BE(crc(b.subarray(4, 8 + data.length)), 8 + data.length)
	return b
}
export const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
export const head = (w, h, depth, type) => { const b = Buffer.alloc(13); b.writeUInt32BE(w); b.writeUInt32BE(h, 4); b[8] = depth; b[9] = type; return chunk('IHDR', b) }

/* `at(x, y)` gives [r, g, b, a]; `more` are chunks before the pixels. */
export function png(w, h, at, more = []) {
	const raw = Buffer.alloc((4 * w + 1) * h)
	for (let y = 0; y < h; y++)
		for (let x = 0; x < w; x++) raw.set(at(x, y), y * (4 * w + 1) + 1 + 4 * x)
	return Buffer.concat([signature, head(w, h, 8, 6), ...more, chunk('IDAT', deflateSync(raw)), chunk('IEND')])
}

/* Of 8 bits a channel, or with a palette, not interlaced: what the server writes. */
export function readPng(b) {
	const w = b.readUInt32BE(16), h = b.readUInt32BE(20), depth = b[24], type = b[25], bytes = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[type], data = [], chunks = []
	let palette, trns
	for (let at = 8; at < b.length; at += 12 + b.readUInt32BE(at)) {
		const name = b.toString('latin1', at + 4, at + 8), body = b.subarray(at + 8, at + 8 + b.readUInt32BE(at))
		chunks.push(name)
		if (name === 'IDAT') data.push(body)
		if (name === 'PLTE') palette = body
		if (name === 'tRNS') trns = body
	}
	const line = Math.ceil(w * bytes * depth / 8), raw = inflateSync(Buffer.concat(data)), px = Buffer.alloc(line * h), back = Math.max(1, bytes * depth / 8)
	for (let y = 0; y < h; y++)
		for (let x = 0; x < line; x++) {
			const a = x >= back ? px[y * line + x - back] : 0, u = y ? px[(y - 1) * line + x] : 0, c = y && x >= back ? px[(y - 1) * line + x - back] : 0
			const p = a + u - c, d = [Math.abs(p - a), Math.abs(p - u), Math.abs(p - c)]
			const guess = [0, a, u, (a + u) >> 1, d[0] <= d[1] && d[0] <= d[2] ? a : d[1] <= d[2] ? u : c][raw[y * (line + 1)]]
			px[y * line + x] = raw[y * (line + 1) + 1 + x] + guess
		}
	const at = (x, y) => {
		if (depth === 16) { const o = y * line + x * bytes * 2, v = (k) => px[o + 2 * k]; return type === 2 ? [v(0), v(1), v(2), 255] : [v(0), v(1), v(2), v(3)] }
		const bit = depth < 8 ? (px[y * line + (x * depth >> 3)] >> (8 - depth - (x * depth & 7))) & ((1 << depth) - 1) : 0, o = y * line + x * bytes
		if (type === 3) { const i = depth < 8 ? bit : px[o]; return [palette[3 * i], palette[3 * i + 1], palette[3 * i + 2], trns?.[i] ?? 255] }
		if (type === 0) { const v = depth < 8 ? bit * 255 / ((1 << depth) - 1) : px[o], key = trns?.readUInt16BE(0); return [v, v, v, (depth < 8 ? bit : v) === key ? 0 : 255] }
		return type === 4 ? [px[o], px[o], px[o], px[o + 1]] : type === 2 ? [px[o], px[o + 1], px[o + 2], 255] : [px[o], px[o + 1], px[o + 2], px[o + 3]]
	}
	return { w, h, at, chunks }
}

/* What the bytes are, and their size where it is easy to tell. */
export function look(b) {
	if (b.subarray(0, 8).equals(signature)) return { type: 'image/png', w: b.readUInt32BE(16), h: b.readUInt32BE(20) }
	if (b.toString('latin1', 0, 4) === 'GIF8') return { type: 'image/gif', w: b.readUInt16LE(6), h: b.readUInt16LE(8) }
	if (b.toString('latin1', 8, 12) === 'WEBP') return { type: 'image/webp' }
	if (b.toString('latin1', 4, 12) === 'ftypavif') return { type: 'image/avif' }
	if (b[0] !== 0xff || b[1] !== 0xd8) return { type: 'none' }
	for (let at = 2; at < b.length; at += 2 + b.readUInt16BE(at + 2))
		if (b[at + 1] >= 0xc0 && b[at + 1] <= 0xc2) return { type: 'image/jpeg', w: b.readUInt16BE(at + 7), h: b.readUInt16BE(at + 5) }
	return { type: 'image/jpeg' }
}

/* A JPEG with EXIF: an orientation, and a place. */
export function withExif(jpeg, orientation) {
	const tiff = Buffer.from('4949 2a00 08000000 0200 1201 0300 01000000 00000000 2588 0400 01000000 26000000 00000000 0100 0100 0200 02000000 4e000000 00000000'.replace(/ /g, ''), 'hex')
	tiff.writeUInt16LE(orientation, 18)
	const body = Buffer.concat([Buffer.from('Exif\0\0'), tiff, Buffer.from('GPSPLACE')]), seg = Buffer.alloc(4)
	seg.writeUInt16BE(0xffe1)
	seg.writeUInt16BE(body.length + 2, 2)
	return Buffer.concat([jpeg.subarray(0, 2), seg, body, jpeg.subarray(2)])
}

/* Quarters of red, green, blue and yellow. */
export const quarters = (w, h) => png(w, h, (x, y) => (y < h / 2 ? x < w / 2 ? [255, 0, 0, 255] : [0, 255, 0, 255] : x < w / 2 ? [0, 0, 255, 255] : [255, 255, 0, 255]))
export const near = (a, b, by = 24) => a.every((v, i) => Math.abs(v - b[i]) <= by)

/* A PNG of zeros, one bit a pixel, of a size that nobody should believe; `text`: zeros in a compressed text. */
export function bomb(w, h, text = 0) {
	const more = text ? [chunk('zTXt', Buffer.concat([Buffer.from('Comment\0\0'), deflateSync(Buffer.alloc(text))]))] : []
	return Buffer.concat([signature, head(w, h, 1, 0), ...more, chunk('IDAT', deflateSync(Buffer.alloc((Math.ceil(w / 8) + 1) * h))), chunk('IEND')])
}
