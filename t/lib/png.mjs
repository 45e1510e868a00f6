/* Reading PNG for tests: png(bytes) gives { width, height, at(x, y) → [red, green, blue, opacity] }. Eight bits a sample or fewer, not interlaced. */
import assert from 'node:assert/strict'
import zlib, { deflateSync, inflateSync } from 'node:zlib'

const { crc32 } = zlib	/* of newer versions of Node */

const samples = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }
const magic = Buffer.from('89504e470d0a1a0a', 'hex')

export function png(bytes) {
	const b = Buffer.from(bytes), chunks = {}
	assert.deepEqual(b.subarray(0, 8), magic, 'no PNG')
	for (let at = 8; at < b.length;) {
		const n = b.readUInt32BE(at), type = b.toString('latin1', at + 4, at + 8), data = b.subarray(at + 8, at + 8 + n)
		assert.equal(b.readUInt32BE(at + 8 + n), crc(b.subarray(at + 4, at + 8 + n)), type)
		chunks[type] = chunks[type] ? Buffer.concat([chunks[type], data]) : data
		at += n + 12
	}
	const head = chunks.IHDR, width = head.readUInt32BE(0), height = head.readUInt32BE(4), depth = head[8], kind = head[9], n = samples[kind]
	assert.ok(depth <= 8 && head[12] === 0, 'a kind of PNG that is not read here')
	const stride = Math.ceil((width * n * depth) / 8), step = Math.max(1, (n * depth) >> 3), raw = inflateSync(chunks.IDAT), px = Buffer.alloc(stride * height)
	assert.equal(raw.length, (stride + 1) * height)
	for (let y = 0; y < height; y++)
		for (let x = 0; x < stride; x++) {
			const a = x >= step ? px[y * stride + x - step] : 0, up = y > 0 ? px[(y - 1) * stride + x] : 0, c = x >= step && y > 0 ? px[(y - 1) * stride + x - step] : 0
			const p = a + up - c, pa = Math.abs(p - a), pb = Math.abs(p - up), pc = Math.abs(p - c)
			const guess = [0, a, up, (a + up) >> 1, pa <= pb && pa <= pc ? a : pb <= pc ? up : c][raw[y * (stride + 1)]]
			px[y * stride + x] = raw[y * (stride + 1) + 1 + x] + guess
		}
	const sample = (x, y, i) => {
		const bit = (x * n + i) * depth
		return (px[y * stride + (bit >> 3)] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1)
	}
	const scale = 255 / ((1 << depth) - 1)
	return { width, height, kind, depth, chunks, at(x, y) {
		const s = (i) => Math.round(sample(x, y, i) * scale)
		if (kind === 3) { const i = sample(x, y, 0); return [...chunks.PLTE.subarray(i * 3, i * 3 + 3), chunks.tRNS?.[i] ?? 255] }
		if (kind === 0) return [s(0), s(0), s(0), 255]
		if (kind === 4) return [s(0), s(0), s(0), s(1)]
		return [s(0), s(1), s(2), kind === 6 ? s(3) : 255]
	} }
}

export function chunk(type, data = Buffer.alloc(0)) {
	const c = Buffer.alloc(12 + data.length)
	c.writeUInt32BE(data.length, 0)
	c.write(type, 4, 'latin1')
	data.copy(c, 8)
	c.writeUInt32BE(crc(c.subarray(4, 8 + data.length)), 8 + data.length)
	return c
}

/* A file of these lines, each with its filter in front; `more`: chunks before the pixels. */
export function pngFile(width, height, depth, kind, lines, more = []) {
	const head = Buffer.alloc(13)
	head.writeUInt32BE(width, 0)
	head.writeUInt32BE(height, 4)
	head.set([depth, kind], 8)
	return Buffer.concat([magic, chunk('IHDR', head), ...more, chunk('IDAT', deflateSync(lines)), chunk('IEND')])
}

/* A PNG of one colour. */
export const pngOf = (width, height, [r, g, b]) => pngFile(width, height, 8, 2, Buffer.concat(Array(height).fill(Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, Buffer.from([r, g, b]))]))))

/* `at(x, y)` gives [red, green, blue, opacity]. */
export function pngBy(width, height, at) {
	const lines = Buffer.alloc((4 * width + 1) * height)
	for (let y = 0; y < height; y++)
		for (let x = 0; x < width; x++) lines.set(at(x, y), y * (4 * width + 1) + 1 + 4 * x)
	return pngFile(width, height, 8, 6, lines)
}

/* As zlib has it. */
function crc(b) {
	if (crc32) return crc32(b)
	let c = ~0
	for (const byte of b) {
		c ^= byte
		for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1
	}
	return ~c >>> 0
}
