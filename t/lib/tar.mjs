/* Archives as clients deploy them: archive({ 'index.js': 'text', … }) is a .tar.gz. An entry may be text, bytes, or { bytes, mode, type, link }. */
import { gzipSync } from 'node:zlib'

const octal = (n, size) => n.toString(8).padStart(size - 1, '0') + '\0'

function header(name, { size = 0, mode = 0o644, type = '0', link = '' }) {
	const h = Buffer.alloc(512)
	h.write(name, 0, 100)
	h.write(octal(mode, 8), 100)
	h.write(octal(0, 8), 108)
	h.write(octal(0, 8), 116)
	h.write(octal(size, 12), 124)
	h.write(octal(0, 12), 136)
	h.write('        ', 148)
	h.write(type, 156)
	h.write(link, 157, 100)
	h.write('ustar\x0000', 257)
	h.write(octal(h.reduce((a, b) => a + b, 0), 7), 148)
	return h
}

export function tar(entries) {
	const pieces = []
	for (const [name, v] of Object.entries(entries)) {
		const e = typeof v === 'string' || Buffer.isBuffer(v) ? { bytes: v } : v, bytes = Buffer.from(e.bytes ?? '')
		pieces.push(header(name, { ...e, size: bytes.length }), bytes, Buffer.alloc(-bytes.length & 511))
	}
	return Buffer.concat([...pieces, Buffer.alloc(1024)])
}

export const archive = (entries) => gzipSync(tar(entries))
