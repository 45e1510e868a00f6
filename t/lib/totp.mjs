/* An authenticator app. */
import { createHmac } from 'node:crypto'

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
function bytes(text) {
	let bits = 0, n = 0
	const out = []
	for (const c of text) {
		bits = (bits << 5 | letters.indexOf(c)) & 0xffff
		n += 5
		if (n >= 8) out.push(bits >> (n -= 8) & 255)
	}
	return Buffer.from(out)
}

export const step = () => Math.floor(Date.now() / 30000)
/* What it shows in that step. */
export function code(secret, at = step()) {
	const count = Buffer.alloc(8)
	count.writeBigUInt64BE(BigInt(at))
	const mac = createHmac('sha1', bytes(secret)).update(count).digest(), from = mac[19] & 15
	return String((mac.readUInt32BE(from) & 0x7fffffff) % 1000000).padStart(6, '0')
}
