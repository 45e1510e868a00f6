/* A country database of MaxMind's format, as small as it can be: mmdb([['81.2.69.0/24', { iso_code: 'GB' }, 'EU'], …]); the continent may be missing. */
import net from 'node:net'

const control = (type, n) => {
	const head = type > 7 ? [0, type - 7] : [type << 5]
	if (n < 29) head[0] |= n
	else { head[0] |= 29; head.push(n - 29) }	/* up to 284 */
	return Buffer.from(head)
}
const uint = (type, v, bytes = v < 256 ? 1 : v < 65536 ? 2 : 4) => {
	const b = Buffer.alloc(8)
	b.writeBigUInt64BE(BigInt(v))
	return Buffer.concat([control(type, bytes), b.subarray(8 - bytes)])
}
const text = (s) => Buffer.concat([control(2, Buffer.byteLength(s)), Buffer.from(s)])
const map = (o) => Buffer.concat([control(7, Object.keys(o).length), ...Object.entries(o).flatMap(([k, v]) => [text(k), Buffer.isBuffer(v) ? v : typeof v === 'string' ? text(v) : map(v)])])

function bits(address) {
	if (net.isIPv4(address)) return '0'.repeat(96) + address.split('.').map((n) => Number(n).toString(2).padStart(8, '0')).join('')
	const [a, b] = address.split('::'), left = a ? a.split(':') : [], right = b ? b.split(':') : []
	const all = b === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill('0'), ...right]
	return all.map((n) => parseInt(n, 16).toString(2).padStart(16, '0')).join('')
}

export function mmdb(rows) {
	const nodes = [[null, null]], data = []
	let at = 0
	for (const [network, country, continent] of rows) {
		const [address, length] = network.split('/'), path = bits(address).slice(0, (net.isIPv4(address) ? 96 : 0) + Number(length)), record = map({ country, ...(continent && { continent: { code: continent } }) })
		let node = 0
		for (const bit of path.slice(0, -1)) {
			if (typeof nodes[node][bit] !== 'number') { nodes.push([null, null]); nodes[node][bit] = nodes.length - 1 }
			node = nodes[node][bit]
		}
		nodes[node][path.at(-1)] = { data: at }
		data.push(record)
		at += record.length
	}
	const record = (r) => { const b = Buffer.alloc(3); b.writeUIntBE(r === null ? nodes.length : typeof r === 'number' ? r : nodes.length + 16 + r.data, 0, 3); return b }
	const meta = map({ binary_format_major_version: uint(5, 2), binary_format_minor_version: uint(5, 0), build_epoch: uint(9, 1700000000, 8), database_type: 'Test-Country',
		description: { en: 'test' }, ip_version: uint(5, 6), languages: Buffer.concat([control(11, 1), text('en')]), node_count: uint(6, nodes.length), record_size: uint(5, 24) })
	return Buffer.concat([...nodes.flat().map(record), Buffer.alloc(16), ...data, Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'), meta])
}
