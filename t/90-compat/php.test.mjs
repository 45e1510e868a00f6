/* JSON in the form of webhooks: byte for byte what PHP makes of the same text, read and written anew. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import test from 'node:test'

import { binary } from '../lib/server.mjs'

const options = { maxBuffer: 1 << 30 }
const lines = (out) => out.toString().slice(0, -1).split('\n')
const ours = (texts) => lines(execFileSync(path.join(path.dirname(binary), 't/90-compat/php_lines'), { ...options, input: texts.join('\n') + '\n' }))
const theirs = (texts) => lines(execFileSync('php', ['-n', '-d', 'serialize_precision=-1', '-r', 'while (($l = fgets(STDIN)) !== false) echo json_encode(json_decode(rtrim($l, "\\n"), true, 4096), 0, 4096), "\\n";'], { ...options, input: texts.join('\n') + '\n' }))

function compare(texts) {
	const want = theirs(texts), got = ours(texts)
	assert.equal(got.length, texts.length)
	texts.forEach((t, i) => assert.equal(got[i], want[i], t))
}

test('what the contract names', () => {
	compare(['{"a":"😀/é\\u2028\u2029\\u0000\\r\\n\\t\\b\\f\\"\\\\\x7f<>&\'"}', '[1.0,1e21,5e-324,[],null,{},true,false]', '{"prefs":{},"b":{"c":{}}}', '""', '"\\ud83d\\ude00\\uD83D\\uDE00\\u00E9\\u002F"',
		'[9223372036854775807,-9223372036854775808,9223372036854775808,12345678901234567890123,-0.0,0,-1]', '{"0":1,"1":{"0":{"0":{}},"1":[]},"2":{"1":0}}', '{"0":1,"2":2}', '{"1":1}', '{"0":[]}',
		' { "a" : [ 1 , 2 ] , "b" : { } } ', '[{"0":{"0":{"0":{"0":1}}}},{"00":1},{"0":{"1":1}}]', '{"0":"a","1":{"0":2,"x":1}}', '{"":1}',
		'{"\\u0030":1}', '{"\\u0030":1,"\\u0031":{"0":2},"2":{"\\u0030":3,"1":4}}', '{"0":1,"\\u003a":2}', '{"\\u003A":1}', '{"\\u0030\\u0030":1}', '{"\\u0041":1}', '{"\\u00300":1}', '{"\\u0660":1}', '{"\\\\u0030":1}',
		`{${Array.from({ length: 11 }, (_, i) => `"${String(i).replace(/\d/g, '\\u003$&')}":${i}`).join(',')}}`])
	/* the number without a fraction is 0 to PHP when it reads; what is written as -0 is a float that was -0 */
	assert.deepEqual(ours(['-0', '-0.0']), ['-0', '-0'])
	assert.deepEqual(ours(['{', '{"a"}', '[1', '"', '', '}', '{"a":1]', '"\\x"', '\xff', '{"0":1']), Array(10).fill('?'))
})

test('numbers: the bounds of each form, and at random', () => {
	const view = new DataView(new ArrayBuffer(8)), all = []
	for (let e = -330; e <= 308; e++) for (const m of ['1', '1.5', '9.999999999999999', '1.2345678901234567', '-3']) all.push(`${m}e${e}`)
	for (const v of ['1e14', '999999999999999', '1e15', '123456789012345678', '1e16', '99999999999999984', '1e17', '0.0001', '0.00012345', '0.00009999', '4.9e-324', '2.2250738585072014e-308', '1.7976931348623157e308', '0.1', '0.30000000000000004', '100.25', '-0.5', '123456.789e3'])
		all.push(v)
	let state = 88172645463325252n
	const next = () => (state ^= (state << 13n) & 0xffffffffffffffffn, state ^= state >> 7n, state ^= (state << 17n) & 0xffffffffffffffffn, state)
	for (let i = 0; i < 20000; i++) {
		view.setBigUint64(0, next())
		const d = view.getFloat64(0)
		if (Number.isFinite(d)) all.push(String(d))
	}
	compare(all.filter((v) => Number.isFinite(Number(v)) && !/^-?0+$/.test(v)).map((v) => `[${v}]`))
})

test('trees at random', () => {
	let state = 20221004
	const below = (n) => (state = (state * 48271) % 2147483647) % n, pick = (...v) => v[below(v.length)]
	const text = () => Array.from({ length: below(8) }, () => pick('a', '/', '"', '\\', 'é', '\u2028', '😀', '\u0001', '\x7f', '\n', 'ß', '0')).join('')
	const key = (i) => pick(String(i), String(i), String(below(4)), text(), `k${i}`)
	const tree = (depth) => {
		const what = depth > 0 ? below(8) : 4 + below(4)
		if (what < 2) return Array.from({ length: below(4) }, () => tree(depth - 1))
		if (what < 4) {
			const keys = new Map()		/* in this order, which an object of JavaScript would not keep */
			for (let i = 0, n = below(4); i < n; i++) keys.set(key(i), tree(depth - 1))
			return keys
		}
		return pick(text(), below(1000), below(1000) / 7, -below(100), null, true, 1e17 * below(9))
	}
	const name = (k) => (below(4) === 0 && /^\d+$/.test(k) ? `"${k.replace(/\d/g, '\\u003$&')}"` : JSON.stringify(k))
	const write = (v) => (v instanceof Map ? `{${[...v].map(([k, x]) => `${name(k)}:${write(x)}`).join(',')}}` : Array.isArray(v) ? `[${v.map(write).join(',')}]` : JSON.stringify(v))
	compare(Array.from({ length: 5000 }, () => write(tree(5))).filter((t) => !/-0(?![.\d])/.test(t)))
})

test('a text that is nested deeply takes its size alone', () => {
	const n = 3000, deep = '{"0":'.repeat(n) + '1' + '}'.repeat(n)
	assert.deepEqual(ours([deep]), ['['.repeat(n) + '1' + ']'.repeat(n)])
})
