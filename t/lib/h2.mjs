/* HTTP/2 in frames, for what no client would send: headers as literals, so that nothing is compressed or checked. */
export const T = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, window: 8, continuation: 9 }
export const F = { end: 1, ack: 1, headers: 4 }

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
	const p = Buffer.from(payload), head = Buffer.alloc(9)
	head.writeUIntBE(p.length, 0, 3)
	head[3] = type
	head[4] = flags
	head.writeUInt32BE(stream, 5)
	return Buffer.concat([head, p])
}

const length = (n) => {
	if (n < 127) return [n]
	const out = [127]
	for (n -= 127; n >= 128; n >>= 7) out.push((n & 127) | 128)
	return [...out, n]
}
/* [[name, value], …] as a header block. */
export const block = (pairs) => Buffer.concat(pairs.flatMap(([k, v]) => [Buffer.from([0, ...length(Buffer.byteLength(k))]), Buffer.from(k), Buffer.from(length(Buffer.byteLength(v))), Buffer.from(v)]))
export const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n >>> 0); return b }
export const settings = (pairs = []) => frame(T.settings, 0, 0, Buffer.concat(pairs.map(([id, v]) => Buffer.concat([Buffer.from([0, id]), u32(v)]))))
export const preface = (pairs) => Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings(pairs)])
export const request = (stream, pairs, { method = 'GET', path = '/', authority = 'a', scheme = 'http', end = true } = {}) =>
	frame(T.headers, F.headers | (end ? F.end : 0), stream, block([[':method', method], [':path', path], [':scheme', scheme], [':authority', authority], ...pairs]))

/* The frames of d: [{ type, flags, stream, payload }], and how many bytes they are. */
export function parse(d) {
	const all = []
	let at = 0
	while (d.length >= at + 9) {
		const n = d.readUIntBE(at, 3)
		if (d.length < at + 9 + n) break
		all.push({ type: d[at + 3], flags: d[at + 4], stream: d.readUInt32BE(at + 5) & 0x7fffffff, payload: d.subarray(at + 9, at + 9 + n) })
		at += 9 + n
	}
	return { all, size: at }
}
