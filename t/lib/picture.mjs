/* Pictures for tests: what bytes are, photos with EXIF, and files of sizes that nobody should believe. PNG: png.mjs; other formats are what the server makes of one. */
import { deflateSync } from 'node:zlib'

import { chunk, pngBy, pngFile } from './png.mjs'

/* What the bytes are, and their size where it is easy to tell. */
export function look(b) {
	if (b.toString('latin1', 0, 4) === '\x89PNG') return { type: 'image/png', w: b.readUInt32BE(16), h: b.readUInt32BE(20) }
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
export const quarters = (w, h) => pngBy(w, h, (x, y) => (y < h / 2 ? x < w / 2 ? [255, 0, 0, 255] : [0, 255, 0, 255] : x < w / 2 ? [0, 0, 255, 255] : [255, 255, 0, 255]))
export const near = (a, b, by = 24) => a.every((v, i) => Math.abs(v - b[i]) <= by)

/* A PNG of zeros, one bit a pixel; `text`: zeros in a compressed text. */
export const bomb = (w, h, text = 0) => pngFile(w, h, 1, 0, Buffer.alloc((Math.ceil(w / 8) + 1) * h), text ? [chunk('zTXt', Buffer.concat([Buffer.from('Comment\0\0'), deflateSync(Buffer.alloc(text))]))] : [])
