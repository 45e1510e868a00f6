/* Queries of documents against a model of their meaning in plain JavaScript, on data that are drawn: every method on every type of attribute, every
 * order, pages by offset and by cursor in both directions. The same are drawn each time; SEED=n draws others. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import http from 'node:http'
import path from 'node:path'
import { before, describe, test } from 'node:test'
import { server, unique } from '../lib/server.mjs'
import { collection, database, json, list } from './docs.mjs'
import { fails } from './lib.mjs'

const seed = Number(process.env.SEED ?? 1)
let state = seed
function random() {	/* mulberry32 */
	state = (state + 0x6d2b79f5) | 0
	let t = Math.imul(state ^ (state >>> 15), 1 | state)
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
	return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}
const below = (n) => Math.floor(random() * n), one = (v) => v[below(v.length)]

/* Values of each type, few enough to meet again; the first ones come more often. */
const pools = {
	s: ['', 'a', 'A', 'ab', 'Ab', 'éa', 'ea', 'Zeta', 'zeta', 'über', 'uber', 'x1', 'x10', 'x2', '50% off', 'a_b', 'quo"te', 'back\\slash', "it's", 'a,b[c](d)', '日本',
		'%', '_', '100%', '\\', '\\\\', '\\%', 'a\\_b', '"', '""', "''", '\u{1F600}', 'a\u{1F600}b', '\u{1F468}\u200d\u{1F469}\u200d\u{1F467}', 'ﬁn', 'fin', '①', '1', 'ｆ', 'Ω', 'ω', 'か', 'が',
		'İ', 'ı', 'ß', 'ss', ' a', 'a ', '\t', '\n', 'a\u0001b', 'e\u0301a', '\u0301', '\u202e', '\ufeff', 'NULL', 'null', 'true', '5', '{"method":"limit"}', "');--", '$1', '{a,b}', 'ab'.repeat(25), '\u{1F600}'.repeat(50)],
	i: [-5, -1, 0, 1, 2, 3, 10, 100, 2147483648, -9007199254740991, 9007199254740991],
	f: [-1.5, 0.1, 0.5, 1.25, 2.5, 1e-7, 1e20, 3.14159265, 123456789.5, 0, 5, 0.3, 0.30000000000000004, 1e15, 123456789012345680, 5e-324, -5e-324, 1.7976931348623157e308, -1.7976931348623157e308],
	b: [true, false],
	d: ['1969-07-20T20:17:40.000+00:00', '2000-01-01T00:00:00.000+00:00', '2020-02-29T12:00:00.001+00:00', '2020-02-29T12:00:00.002+00:00', '2038-01-19T03:14:08.000+00:00', '0001-01-01T00:00:00.000+00:00', '9999-12-31T23:59:59.999+00:00'],
	e: ['new', 'used', 'lost', 'Éa', '50%', ' '],
	m: ['a@b.co', 'A@b.co', 'ada.l+x@example.org', "o'neil@example.org", '100%_x@example.org', 'x@[127.0.0.1]'],
	h: ['127.0.0.1', '10.0.0.1', '::1', '2001:db8::1', '2001:DB8::1', '::ffff:1.2.3.4'],
	v: ['', 'v', 'V', 'vé', 'Ve', 'w10', 'w2', '%', '\\', '\u{1F600}'],
	w: ['', 'text', 'Text', 'ünder', 'under', '_', 'x'.repeat(300), `${'x'.repeat(300)}Y`],
	g: [-1, 0, 1, 5, 7, 2147483648, -2147483649, 9007199254740991, -9007199254740991],
	n: [-2147483647, -7, 0, 1, 2, 3, 99, 100],
	u: ['http://x', 'https://example.org/a?b=c&d[]=e#f', 'https://example.org/A?b=c&d[]=e#f', 'mailto:a@b.co', 'foo://bar/%25_', `http://x/${'y'.repeat(200)}`],
}
const scalars = Object.keys(pools), texts = ['s', 'e', 'm', 'h', 'u', 'v', 'w']
const arrays = Object.fromEntries(scalars.map((k) => [k + k, k]))
const kinds = { s: { type: 'string', size: 100 }, i: { type: 'integer' }, f: { type: 'float' }, b: { type: 'boolean' }, d: { type: 'datetime' }, e: { type: 'enum', elements: pools.e },
	m: { type: 'email' }, h: { type: 'ip' }, u: { type: 'url' }, v: { type: 'varchar', size: 20 }, w: { type: 'text' }, g: { type: 'bigint' }, n: { type: 'integer', max: 100 } }
const attributes = { ...kinds, ...Object.fromEntries(Object.entries(arrays).map(([k, of]) => [k, { ...kinds[of], array: true }])) }

/* ---- the model ---- */

const collator = new Intl.Collator('und', { sensitivity: 'base' })
const fold = (s) => s.normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase()
const kind = (key) => (key in arrays ? arrays[key] : key.startsWith('$') ? (key === '$id' ? 'id' : 'd') : key)
function compare(key, a, b) {
	if (texts.includes(kind(key))) return collator.compare(a, b)
	switch (kind(key)) {
	case 'id': return a.toLowerCase() < b.toLowerCase() ? -1 : Number(a.toLowerCase() > b.toLowerCase())
	case 'd': return Date.parse(a) - Date.parse(b)
	default: return Number(a) < Number(b) ? -1 : Number(a > b)
	}
}
/* Lists: the first elements that differ decide, null is the greatest one, and the end comes before any. */
function compareLists(key, a, b) {
	for (let i = 0; i < a.length && i < b.length; i++) {
		const c = a[i] === null || b[i] === null ? Number(a[i] === null) - Number(b[i] === null) : compare(key, a[i], b[i])
		if (c !== 0) return c
	}
	return a.length - b.length
}
const compareWhole = (key, a, b) => (key in arrays ? compareLists : compare)(key, a, b)
const same = (key) => (a, b) => compare(key, a, b) === 0
const has = (key, listed, v) => listed.some((x) => x !== null && same(key)(x, v))

/* true, false, or null: neither it nor its negation holds */
const methods = {
	equal: (k, x, v) => v.some((y) => compare(k, x, y) === 0),
	notEqual: (k, x, v) => v.some((y) => compare(k, x, y) !== 0),
	lessThan: (k, x, v) => v.some((y) => compare(k, x, y) < 0),
	lessThanEqual: (k, x, v) => v.some((y) => compare(k, x, y) <= 0),
	greaterThan: (k, x, v) => v.some((y) => compare(k, x, y) > 0),
	greaterThanEqual: (k, x, v) => v.some((y) => compare(k, x, y) >= 0),
	between: (k, x, [l, h]) => compare(k, x, l) >= 0 && compare(k, x, h) <= 0,
	notBetween: (k, x, v) => !methods.between(k, x, v),
	startsWith: (k, x, [v]) => fold(x).startsWith(fold(v)),
	notStartsWith: (k, x, v) => !methods.startsWith(k, x, v),
	endsWith: (k, x, [v]) => fold(x).endsWith(fold(v)),
	notEndsWith: (k, x, v) => !methods.endsWith(k, x, v),
	contains: (k, x, v) => (Array.isArray(x) ? v.some((y) => has(k, x, y)) : v.some((y) => fold(x).includes(fold(y)))),
	notContains: (k, x, v) => !methods.contains(k, x, v),
	containsAll: (k, x, v) => v.every((y) => has(k, x, y)),
}
methods.containsAny = methods.contains
function holds(d, { method, attribute, values }) {
	const x = d[attribute]
	if (method === 'and') return values.every((q) => holds(d, q))
	if (method === 'or') return values.some((q) => holds(d, q))
	if (method === 'isNull') return x === null
	if (method === 'isNotNull') return x !== null
	return x !== null && methods[method](attribute, x, values)
}
function sorted(docs, orders) {
	const at = new Map(all.map((d, i) => [d.$id, i]))
	return [...docs].sort((a, b) => {
		for (const { attribute: k, desc } of orders) {
			const x = a[k], y = b[k]
			const c = x === null || y === null ? Number(x !== null) - Number(y !== null) : compareWhole(k, x, y)
			if (c !== 0) return desc ? -c : c
		}
		const led = orders[0]?.desc && ['$createdAt', '$updatedAt'].includes(orders[0].attribute) ? -1 : 1
		return led * (at.get(a.$id) - at.get(b.$id))
	})
}

/* ---- the data ---- */

let s, p, c, ada, all	/* all: in the order of creation, arrays that were left out as null */

before(async () => {
	s = await server({ own: true })
	p = await s.project()
	ada = await p.user()
	c = await collection(p, await database(p), {
		documentSecurity: true, attributes,
		indexes: { ...Object.fromEntries(scalars.map((k) => [`k_${k}`, { type: 'key', attributes: [k], ...(k === 'w' && { lengths: [100] }) }])), k_ss: { type: 'key', attributes: ['ss'] },
			si: { type: 'key', attributes: ['s', 'i'] }, bd: { type: 'key', attributes: ['b', 'd'], orders: ['DESC', 'ASC'] } },
	})
	all = []
	const some = (k) => one(random() < 0.5 ? pools[k].slice(0, 6) : pools[k])
	for (let n = 0; n < 70; n++) {
		const data = {}
		for (const k of scalars) if (random() < 0.8) data[k] = some(k)
		for (const [k, of] of Object.entries(arrays)) if (random() < 0.8) data[k] = Array.from({ length: below(4) }, () => (random() < 0.1 ? null : some(of)))
		if (Object.keys(data).length === 0) data.i = 1
		const permissions = [[], [`read("user:${ada.id}")`], ['read("users")', 'update("any")'], ['read("team:x")']][below(4)]
		const d = await c.doc(data, { id: (random() < 0.5 ? 'D' : 'd') + unique(), permissions })
		for (const k of [...scalars, ...Object.keys(arrays)]) if (!(k in data)) d[k] = null
		all.push(d)
	}
	for (let n = 0; n < 20; n++) {	/* their $updatedAt is another order than that of creation */
		const d = one(all)
		d.$updatedAt = (await p.ok('PATCH', `${c.docs}/${d.$id}`, { body: { data: { i: d.i } } })).$updatedAt
	}
	/* where statistics say that a caller reads few documents, its lists are other statements */
	if (s.dataDir && seed % 2) execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-q', '-c', 'ANALYZE'])
})

const idsOf = (docs) => docs.map((d) => d.$id)
const query = async (queries, caller = p.call) => {
	const r = await list(caller, c, queries)
	assert.equal(r.status, 200, `seed ${seed}: ${queries.join(' ')}: ${r.text}`)
	return r.body
}
async function agrees(queries, expected, caller) {
	const page = queries.some((q) => /^limit\(|"method":"limit"/.test(q)) ? [] : [json('limit', undefined, [1000])]
	const body = await query([...queries, ...page], caller)
	assert.deepEqual(idsOf(body.documents), idsOf(expected), `seed ${seed}: ${queries.join(' ')}`)
	assert.equal(body.total, expected.length, `seed ${seed}: total of ${queries.join(' ')}`)
}

/* A value of the pool, or near one. */
function valueFor(key, method) {
	const v = kind(key) === 'id' ? one(all).$id : one(pools[kind(key)]), text = texts.includes(kind(key)) || kind(key) === 'id'
	if (text && /With|ontain/.test(method) && !(key in arrays) && v.length > 1) {
		const from = below(v.length), chars = [...v].slice(method.includes('tarts') ? 0 : from, method.includes('nds') ? undefined : from + 2)
		return one([v, v.toUpperCase(), chars.join('')])
	}
	return text ? one([v, v.toUpperCase(), v.toLowerCase()]) : v
}
const arity = { between: 2, notBetween: 2, equal: 3, contains: 2, notContains: 2, containsAny: 2, containsAll: 2 }
const valuesFor = (key, method, most = arity[method] ?? 1) =>
	Array.from({ length: ['between', 'notBetween'].includes(method) ? 2 : 1 + below(most) }, () => valueFor(key, method))
const textual = ['startsWith', 'notStartsWith', 'endsWith', 'notEndsWith'], listed = ['contains', 'containsAny', 'notContains'], compared = ['equal', 'notEqual',
	'lessThan', 'lessThanEqual', 'greaterThan', 'greaterThanEqual', 'between', 'notBetween']
function goesWith(method, key) {
	if (['isNull', 'isNotNull'].includes(method)) return true
	if (key in arrays) return [...listed, 'containsAll'].includes(method)
	if (texts.includes(kind(key)) || kind(key) === 'id') return [...compared, ...textual, ...listed].includes(method)
	return compared.includes(method)
}
const everything = [...compared, ...textual, ...listed, 'containsAll', 'isNull', 'isNotNull'], keys = [...scalars, ...Object.keys(arrays)]
const filter = (method, attribute) => ({ method, attribute, values: method.startsWith('is') ? [] : valuesFor(attribute, method) })

describe('the JSON grammar', () => {
	for (const key of [...keys, '$id'])
		test(`filters on ${key}`, async () => {
			for (const method of everything)
				if (goesWith(method, key))
					for (let n = 0; n < 4; n++) {
						const q = filter(method, key)
						await agrees([JSON.stringify(q)], all.filter((d) => holds(d, q)))
					}
				else
					fails(await list(p.call, c, [JSON.stringify(filter(method, key))]), 400, 'general_query_invalid')
		})

	test('filters on $id and the dates of the system', async () => {
		const some = [one(all), one(all)]
		await agrees([json('equal', '$id', idsOf(some).map((x) => x.toUpperCase()))], all.filter((d) => some.includes(d)))
		for (const attribute of ['$createdAt', '$updatedAt'])
			for (const method of compared) {
				const q = { method, attribute, values: Array.from({ length: method.endsWith('etween') ? 2 : 1 }, () => one(all)[attribute]) }
				await agrees([JSON.stringify(q)], all.filter((d) => holds(d, q)))
			}
		const t = all[30].$createdAt, local = new Date(Date.parse(t) + 5.5 * 3600e3).toISOString().replace('Z', '+05:30')
		await agrees([json('lessThan', '$createdAt', [local])], all.filter((d) => d.$createdAt < t))
		await agrees([json('isNull', '$updatedAt')], [])
	})

	test('and, or, several at once', async () => {
		const leaf = () => {
			for (;;) {
				const key = one(keys), method = one(everything)
				if (goesWith(method, key)) return filter(method, key)
			}
		}
		const tree = (depth) => (depth === 0 || random() < 0.3 ? leaf() : { method: one(['and', 'or']), values: Array.from({ length: 2 + below(2) }, () => tree(depth - 1)) })
		for (let n = 0; n < 60; n++) {
			const several = Array.from({ length: 1 + below(2) }, () => tree(3))
			await agrees(several.map((q) => JSON.stringify(q)), all.filter((d) => several.every((q) => holds(d, q))))
		}
	})

	/* or(or(… isNull, isNull), isNull) */
	const leaf = { method: 'isNull', attribute: 'i' }
	const nested = (depth) => JSON.stringify(Array.from({ length: depth }).reduce((q) => ({ method: 'or', values: [q, leaf] }), leaf))

	test('types that do not fit', async () => {
		const wrong = { s: [5, true, null], i: ['5', 5.5, true, null], f: ['x', true, null], b: ['true', 1, null], d: ['some day', 5, null], e: [5], v: [5], w: [5, null], g: ['x', '', '1.5', 5.5, null],
			n: ['5', 2147483648, -2147483648], $sequence: [0, -1, 'x', '0'] }
		for (const [key, values] of Object.entries(wrong))
			for (const v of values) fails(await list(p.call, c, [json('equal', key, [v])]), 400, 'general_query_invalid')
		for (const bad of ['{', '{}', '{"method":5}', json('near', 'i', [1]), json('equal', 'x', [1]), json('equal', 'i', []), json('notEqual', 'i', [1, 2]), json('limit', undefined, [0]),
			json('limit', undefined, ['x']), json('limit', undefined, ['5', '6']), json('offset', undefined, [-1]), json('or', undefined, [{ method: 'isNull', attribute: 'i' }]), json('search', 's', ['x']),
			json('or', undefined, ['x', 'y']), json('cursorAfter', undefined, ['_x']), json('select', undefined, ['x']), json('equal', '$permissions', ['x']),
			json('equal', 'i', Array(501).fill(1)), json('isNull', 'i\0s'), json('orderAsc', 'i\0'), '{"method":"equal","attribute":"s","values":["\\ud800"]}',
			'{"method":"equal","attribute":"f","values":[1e400]}', '{"method":"\\é"}', nested(64), json('select', undefined, [])])
			fails(await list(p.call, c, [bad]), 400, 'general_query_invalid')
		await agrees([nested(25)], all.filter((d) => d.i === null))
		await agrees([json('equal', 'f', [100, 0.5])], all.filter((d) => d.f === 0.5))
	})

	test('what a refusal says', async () => {
		const f = { method: 'isNull', attribute: 'i' }
		for (const [bad, says] of [['{"method"', /^Invalid query: /], [json('regex', 's', ['(a+)+$']), 'Invalid query method: regex'], [json('near', 's', ['x']), 'Invalid query method: near'],
			['{"method":5}', 'Invalid query method. Must be a string, got integer'], ['{"method":"equal","attribute":5,"values":[1]}', 'Invalid query attribute. Must be a string, got integer'],
			['{"method":"equal","attribute":"i","values":5}', 'Invalid query values. Must be an array, got integer'],
			[json('equal', 'none', [1]), 'Invalid query: Attribute not found in schema: none'], [json('equal', 'I', [1]), 'Invalid query: Attribute not found in schema: I'],
			[json('orderAsc', 'none'), 'Invalid query: Attribute not found in schema: none'], [json('equal', '$permissions', ['x']), 'Invalid query: Attribute not found in schema: $permissions'],
			[json('equal', 'i', [null]), 'Invalid query: Query value is invalid for attribute "i"'], [json('equal', 'd', ['never']), 'Invalid query: Query value is invalid for attribute "d"'],
			[json('equal', 'i', Array(501).fill(1)), 'Invalid query: Query on attribute has greater than 500 values: i'],
			[json('equal', 'ss', ['a']), 'Invalid query: Cannot query equal on attribute "ss" because it is an array.'],
			[json('notBetween', 'ii', [1, 2]), 'Invalid query: Cannot query notBetween on attribute "ii" because it is an array.'],
			[json('contains', 'i', [1]), 'Invalid query: Cannot query contains on attribute "i" because it is not an array, string, or object.'],
			[json('containsAll', 's', ['a']), 'Invalid query: Cannot query containsAll on attribute "s" because it is not an array.'],
			[json('or', undefined, [f]), 'Invalid query: Or queries require at least two queries'], [json('and', undefined, []), 'Invalid query: And queries require at least two queries'],
			[json('or', undefined, [f, { method: 'limit', values: [1] }]), 'Invalid query: Or queries can only contain filter queries'],
			[json('and', undefined, [f, { method: 'or', values: [f, { method: 'select', values: ['i'] }] }]), 'Invalid query: Or queries can only contain filter queries'],
			[json('select', undefined, []), 'Invalid query: No attributes selected'], [json('select', undefined, ['i', 's', 'i']), 'Invalid query: Duplicate attributes selected'],
			[json('select', undefined, ['none']), 'Invalid query: Attribute not found in schema: none'],
			[json('exists', undefined, ['i']), 'Invalid query: Attribute not found in schema: '], [json('notExists', undefined, ['i']), 'Invalid query: Attribute not found in schema: '],
			[json('elemMatch', 'ss', [f]), 'Invalid query: elemMatch is not supported by the database'], [json('vectorDot', 'ff', [[1, 2]]), 'Invalid query: Vector queries can only be used on vector attributes'],
			[json('search', 's', ['x']), 'Invalid query: Searching by attribute "s" requires a fulltext index.']]) {
			const r = await list(p.call, c, [bad])
			fails(r, 400, 'general_query_invalid')
			if (typeof says === 'string') assert.equal(r.body.message, says)
			else assert.match(r.body.message, says)
		}
		/* lists whose queries are a parameter */
		for (const path of ['/databases', `/databases/${c.db}/collections`, `${c.path}/attributes`, `${c.path}/indexes`])
			for (const bad of [json('regex', 'key', ['x']), json('equal', 'none', [1]), json('limit', undefined, [0])])
				fails(await p.call('GET', path, { query: { queries: [bad] } }), 400, 'general_argument_invalid')
		for (const what of ['attributes', 'indexes']) {
			fails(await p.call('GET', `${c.path}/${what}`, { query: { queries: [json('cursorAfter', undefined, ['_x'])] } }), 400, 'general_query_invalid')
			fails(await p.call('GET', `${c.path}/${what}`, { query: { queries: [json('cursorAfter', undefined, ['none'])] } }), 400, 'general_cursor_not_found')
		}
		/* and what finds the rows of a bulk write, or one document */
		for (const bad of [json('regex', 's', ['x']), json('equal', 'none', [1])]) {
			fails(await p.call('DELETE', c.docs, { body: { queries: [bad] } }), 400, 'general_query_invalid')
			fails(await p.call('PATCH', c.docs, { body: { data: { i: 1 }, queries: [bad] } }), 400, 'general_query_invalid')
			fails(await p.call('GET', `${c.docs}/${all[0].$id}`, { query: { queries: [bad] } }), 400, 'general_query_invalid')
		}
		for (const q of [f, { method: 'limit', values: [1] }]) fails(await p.call('GET', `${c.docs}/${all[0].$id}`, { query: { queries: [JSON.stringify(q)] } }), 400, 'general_query_invalid')
	})

	test('numbers that come as digits', async () => {
		for (const k of [-1, 5, 2147483648, 9007199254740991]) await agrees([json('equal', 'g', [String(k), 1])], all.filter((d) => d.g === k || d.g === 1))
		await agrees([json('greaterThan', 'n', [2147483647])], [])
		await agrees([json('between', 'i', [2147483648, 9007199254740991])], all.filter((d) => d.i >= 2147483648))
		await agrees([json('contains', 'gg', ['5'])], all.filter((d) => d.gg?.includes(5)))
		assert.equal((await query([json('limit', undefined, ['3']), json('offset', undefined, ['2'])])).documents.length, 3)
	})

	test('a date of the system that leads takes the creation number along', async () => {
		const w = await collection(p, await database(p), { attributes: { n: { type: 'integer' } } }), at = ['2020-01-01T00:00:00.000+00:00', '2021-01-01T00:00:00.000+00:00']
		for (let i = 0; i < 6; i++) await p.ok('POST', w.docs, { headers: { 'x-appwrite-response-format': '1.9.6' }, body: { documentId: `x${i}`, data: { n: 0, $createdAt: at[i % 2], $updatedAt: at[i % 2] } } })
		const found = async (...queries) => (await list(p.call, w, queries)).body.documents.map((d) => d.$id.slice(1)).join('')
		for (const key of ['$createdAt', '$updatedAt']) {
			assert.equal(await found(json('orderDesc', key)), '531420')
			assert.equal(await found(json('orderAsc', key)), '024135')
			assert.equal(await found(json('orderDesc', key), json('cursorAfter', undefined, ['x3'])), '1420')
			assert.equal(await found(json('orderDesc', key), json('cursorBefore', undefined, ['x4']), json('limit', undefined, [2])), '31')
			assert.equal(await found(json('orderDesc', 'n'), json('orderDesc', key)), '135024', 'it does not lead')
		}
		assert.equal(await found('orderDesc("$createdAt")'), '135024', 'as 1.0 has it')
	})

	test('a cursor without a place in the order', async () => {
		const d = all.find((x) => x.i === null), queries = [json('orderAsc', 'i'), json('cursorAfter', undefined, [d.$id])]
		const as = (version) => list((m, path, o) => p.call(m, path, { ...o, headers: { 'x-appwrite-response-format': version } }), c, queries)
		for (const version of ['1.7.0', '1.9.6', '2.3.0']) fails(await as(version), 400, 'database_query_order_null')
		for (const version of ['1.5.0', '1.6.2']) assert.equal((await as(version)).status, 200)
		assert.equal((await list(p.call, c, [json('orderAsc', 'i'), `cursorAfter("${d.$id}")`])).status, 200)
	})

	test('orders that are random hold every row once', async () => {
		const body = await query([json('orderRandom'), json('limit', undefined, [100])])
		assert.deepEqual(idsOf(body.documents).sort(), idsOf(all).sort())
	})

	test('select', async () => {
		const body = await query([json('select', undefined, ['i', 'ss']), json('limit', undefined, [2])])
		assert.deepEqual(Object.keys(body.documents[0]), ['i', 'ss', '$id', '$createdAt', '$updatedAt', '$permissions', '$collectionId', '$databaseId'])
		assert.equal(body.total, all.length)
		const both = await query([json('select', undefined, ['i', '$id']), json('select', undefined, ['s', 'i', '$databaseId']), json('limit', undefined, [1])])
		assert.deepEqual(Object.keys(both.documents[0]).slice(0, 3), ['s', 'i', '$id'])
		assert.deepEqual(Object.keys((await query([json('select', undefined, ['i']), json('select', undefined, ['*']), json('limit', undefined, [1])])).documents[0]).length, keys.length + 6)
	})

	test('integers of 64 bits', async () => {
		const n = ['-9223372036854775808', '-9223372036854775807', '0', '9223372036854775806', '9223372036854775807']
		const w = await collection(p, await database(p), { attributes: { n: { type: 'integer' }, nn: { type: 'integer', array: true } }, indexes: { n: { type: 'key', attributes: ['n'] } } })
		for (const [k, v] of n.entries())
			await p.ok('POST', w.docs, { headers: { 'content-type': 'application/json' }, body: `{"documentId":"x${k}","data":{"n":${v},"nn":["${v}"]}}` })
		const found = async (...queries) => {
			const r = await list(p.call, w, queries)
			assert.equal(r.status, 200, r.text)
			for (const d of r.body.documents) assert.ok(r.text.includes(`"n":${n[d.$id.slice(1)]},"nn":[${n[d.$id.slice(1)]}]`), r.text)
			return r.body.documents.map((d) => Number(d.$id.slice(1)))
		}
		for (const [k, v] of n.entries()) {
			const after = n.map((_, i) => i).slice(k + 1), before = n.map((_, i) => i).slice(0, k)
			assert.deepEqual(await found(`{"method":"greaterThan","attribute":"n","values":[${v}]}`), after)
			assert.deepEqual(await found(`lessThan("n", ${v})`), before)
			assert.deepEqual(await found(`{"method":"equal","attribute":"n","values":[${v},${v}]}`), [k])
			assert.deepEqual(await found(`{"method":"contains","attribute":"nn","values":[${v}]}`), [k])
			assert.deepEqual(await found('orderAsc("n")', `cursorAfter("x${k}")`), after)
			assert.deepEqual(await found('orderDesc("n")', `cursorBefore("x${k}")`), [...after].reverse())
		}
		for (const [said, k] of [['9223372036854776000', n.length - 1], ['-9223372036854776000', 0]]) {
			assert.deepEqual(await found(`{"method":"equal","attribute":"n","values":[${said}]}`), [k])
			assert.deepEqual(await found(`equal("n", ${said})`), [k])
			assert.deepEqual(await found(`between("n", ${said}, ${said})`), [k])
		}
		fails(await list(p.call, w, ['equal("n", 1e999)']), 400, 'general_argument_invalid')
		for (const v of ['9223372036854775808', '-9223372036854775809', '1e3'])
			fails(await list(p.call, w, [`{"method":"equal","attribute":"n","values":[${v}]}`]), 400, 'general_query_invalid')
	})

	test('totals end at 5000, lists where they are asked to', async (t) => {
		if (!s.dataDir) return t.skip('needs the database')
		const w = await collection(p, await database(p), { attributes: { n: { type: 'integer' } } }), psql = (sql) =>
			execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atqc', sql], { encoding: 'utf8' }).trim()
		const schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
		const [table, column] = psql(`SELECT '${schema}.c_' || collection, 'a_' || a.internal FROM ${schema}.attributes a JOIN ${schema}.collections c ON c.internal = a.collection WHERE c.id = '${w.id}'`).split('|')
		psql(`INSERT INTO ${table} (_id, _created, _updated, _perms, _read, ${column}) SELECT 'd' || g, now(), now(), '{}', '{}', g FROM generate_series(1, 5100) g`)
		const rows = [[[], 25], [['limit(100)', 'offset(5000)'], 100], [[json('limit', undefined, [5001])], 5001], [[json('limit', undefined, [20000])], 5100], [[json('cursorBefore', undefined, ['d5100']), json('limit', undefined, [6000])], 5099], [[json('orderDesc', 'n'), json('cursorAfter', undefined, ['d5099']), json('offset', undefined, [10]), json('limit', undefined, [6000])], 5088],
			[[json('orderAsc', 'n'), json('cursorAfter', undefined, ['d1']), json('offset', undefined, [9007199254740991])], 0], [[json('offset', undefined, [5095])], 5], [[json('offset', undefined, [6000])], 0],
			[['cursorAfter("d5098")'], 2], [['limit(0)'], 0], [[json('greaterThan', 'n', [50])], 25]]
		for (const [queries, n] of rows) {
			const { body } = await list(p.call, w, queries)
			assert.deepEqual([body.total, body.documents.length], [5000, n], queries.join(' '))
		}
		for (const limit of [20001, 1000000, 9007199254740991]) {
			const r = await list(p.call, w, [json('limit', undefined, [limit])])
			fails(r, 400, 'general_query_invalid')
			assert.match(r.body.message, /limit is a whole number from 1 to 20000/)
			fails(await p.call('GET', '/users', { query: { queries: [json('limit', undefined, [limit])] } }), 400, 'general_argument_invalid')
			fails(await p.call('GET', `${w.path}/logs`, { query: { queries: [json('limit', undefined, [limit])] } }), 400, 'general_argument_invalid')
		}
		assert.equal((await list(p.call, w, [json('greaterThan', 'n', [101])])).body.total, 4999)
	})

	test('many values look once at each text', async () => {
		const w = await collection(p, await database(p), { attributes: { t: { type: 'string', size: 100000 }, l: { type: 'string', size: 5000, array: true } } })
		await w.doc({ t: `Zwei Äpfel ${'x'.repeat(50000)} END`, l: ['É'.repeat(4000), 'b', null] }, { id: 'one' })
		await w.doc({ t: 'nothing' }, { id: 'two' })
		await w.doc({ l: [] }, { id: 'three' })
		const many = (k) => Array.from({ length: 400 }, (_, i) => `n${i}`).concat(k), found = async (...queries) => (await list(p.call, w, queries)).body.documents.map((d) => d.$id)
		assert.deepEqual(await found(json('contains', 't', many('APFEL'))), ['one'])
		assert.deepEqual(await found(json('notContains', 't', many('apfel'))), ['two'])
		assert.deepEqual(await found(json('contains', 't', many('apfex'))), [])
		assert.deepEqual(await found(json('contains', 't', ['zwei']), json('endsWith', 't', ['end']), json('startsWith', 't', ['zwei a'])), ['one'])
		assert.deepEqual(await found(json('contains', 'l', many('B'))), ['one'])
		assert.deepEqual(await found(json('containsAll', 'l', ['b', 'É'.repeat(3990)])), [])
		const or = (n) => JSON.stringify({ method: 'or', values: Array.from({ length: n }, () => ({ method: 'isNull', attribute: 't' })) })
		assert.deepEqual(await found(or(60)), ['three'])
		const refused = await list(p.call, w, Array.from({ length: 10 }, () => or(60)))
		fails(refused, 400, 'general_query_limit_exceeded')
		assert.match(refused.body.message, /more than 500 filters/)
	})

	test('what has too much to compare is refused before it starts', async (t) => {
		if (!s.dataDir) return t.skip('needs a server of its own')
		const own = await server({ own: true, conf: { query_cost_max: '1' } }), q = await own.project()
		const w = await collection(q, await database(q), { attributes: { t: { type: 'string', size: 100000 }, n: { type: 'integer' }, l: { type: 'string', size: 30, array: true } }, indexes: { n: { type: 'key', attributes: ['n'] } } })
		const lots = Array.from({ length: 300 }, (_, i) => `v${i}`)
		await w.doc({ t: 'x'.repeat(100000), n: 1, l: Array.from({ length: 1000 }, (_, i) => `e${i}`) })
		for (const queries of [[json('contains', 't', lots)], [json('or', undefined, [{ method: 'startsWith', attribute: 't', values: ['x'] }, { method: 'contains', attribute: 't', values: lots }])],
			[json('notContains', 'l', lots)], [json('contains', 't', ['a']), json('orderAsc', 't')], [json('notEqual', 'n', [2]), json('endsWith', 't', ['a'])]]) {
			const r = await list(q.call, w, queries)
			fails(r, 400, 'general_query_limit_exceeded')
			assert.doesNotMatch(r.body.message, /SELECT|_o\d/)
		}
		assert.equal((await list(q.call, w, [json('equal', 'n', [1])])).body.total, 1)
		assert.equal((await list(q.call, w, [json('contains', 'l', ['e5'])])).body.total, 1)
		/* groups that leave everything, of each of which PostgreSQL expects less: what four rows take is not what one does */
		const v = await collection(q, w.db, { attributes: { t: { type: 'string', size: 10000 }, n: { type: 'integer' } } })
		for (let i = 0; i < 4; i++) await v.doc({ t: 'x'.repeat(10000), n: 1 })
		const groups = Array.from({ length: 10 }, (_, i) => ({ method: 'or', values: [{ method: 'greaterThan', attribute: 'n', values: [0] }, { method: 'equal', attribute: 'n', values: [100 + i] }] }))
		const all = [json('endsWith', 't', ['a']), ...groups.map((x) => JSON.stringify(x))]
		fails(await list(q.call, v, all), 400, 'general_query_limit_exceeded')
		fails(await list(q.call, v, [all[0], json('and', undefined, groups)]), 400, 'general_query_limit_exceeded')
		const { text } = await own.call('GET', '/metrics', { root: true })
		assert.match(text, /badal_db_queries_refused_total [1-9]/)
	})

	test('what PostgreSQL believes of a table that has grown does not make a list cheap', async (t) => {
		if (!s.dataDir) return t.skip('needs a server of its own')
		const own = await server({ own: true, conf: { query_cost_max: '1' } }), q = await own.project()
		const w = await collection(q, await database(q), { attributes: { t: { type: 'string', size: 1000 }, n: { type: 'integer' } } })
		const sql = (text) => execFileSync('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', text], { encoding: 'utf8' }).trim()
		const fill = async () => {
			for (let i = 0; i < 4; i++) await q.ok('POST', w.docs, { body: { documents: Array.from({ length: 100 }, (_, k) => ({ t: 'x'.repeat(500), n: 100 * i + k })) }, status: 201 })
		}
		await fill()
		const table = sql(`SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname LIKE 'p\\_%' AND c.relname ~ '^c_[0-9]+$' AND c.relkind = 'r'`)
		const column = sql(`SELECT attname FROM pg_attribute WHERE attrelid = '${table}'::regclass AND attname LIKE 'a\\_%' AND atttypid IN ('int4'::regtype, 'int8'::regtype)`)
		sql(`ALTER TABLE ${table} SET (autovacuum_enabled = off); DELETE FROM ${table} WHERE ${column} > 0; ANALYZE ${table}`)
		await fill()
		assert.ok(Number(JSON.parse(sql(`EXPLAIN (FORMAT JSON) SELECT 1 FROM ${table}`))[0].Plan['Plan Rows']) < 10)
		fails(await list(q.call, w, [json('endsWith', 't', ['a'])]), 400, 'general_query_limit_exceeded')
		assert.equal((await list(q.call, w, [json('equal', 'n', [1])])).body.total, 1)
	})

	test('total=false', async () => assert.equal((await list(p.call, c, [], { total: 'false' })).body.total, 0))
})

/* Every order, walked forwards and backwards in pages of seven, by cursor and by offset. */
describe('orders and pages', () => {
	const order = (o) => json(o.desc ? 'orderDesc' : 'orderAsc', o.attribute)
	const shapes = []
	for (const attribute of [...keys.filter((k) => !['vv', 'ww', 'gg', 'nn'].includes(k)), '$id', '$createdAt', '$updatedAt']) for (const desc of [false, true]) shapes.push([{ attribute, desc }])
	for (const [x, y] of [['b', 'e'], ['e', 'i'], ['s', 'd'], ['f', 'b'], ['b', '$createdAt'], ['e', '$id'], ['d', 's']])
		for (const dx of [false, true]) for (const dy of [false, true]) shapes.push([{ attribute: x, desc: dx }, { attribute: y, desc: dy }])
	for (const [x, y] of [['bb', 'i'], ['e', 'ii'], ['ee', 'ss']]) for (const desc of [false, true]) shapes.push([{ attribute: x, desc }, { attribute: y, desc: true }])
	shapes.push([{ attribute: 'b' }, { attribute: 'e', desc: true }, { attribute: 'd' }, { attribute: 'i', desc: true }])
	shapes.push([...'behmusdif'].map((attribute, n) => ({ attribute, desc: n % 2 === 1 })))	/* more than are worth a step each */

	/* A cursor whose document has nothing to be ordered by is refused by today's servers; the text of 1.0 goes on. */
	const lost = (orders, d) => orders.some((q) => { const { method, attribute } = JSON.parse(q); return method.startsWith('order') && attribute && d[attribute] === null })
	async function cursor(queries, method, d, caller = p.call) {
		if (!lost(queries, d)) return json(method, undefined, [d.$id])
		const refused = await list(caller, c, [...queries, json(method, undefined, [d.$id])])
		fails(refused, 400, 'database_query_order_null')
		return `${method}("${d.$id}")`
	}

	async function walk(queries, expected, caller) {
		const size = json('limit', undefined, [7])
		for (let n = 0; n < expected.length; n += 7)
			assert.deepEqual(idsOf((await query([...queries, size, json('offset', undefined, [n])], caller)).documents), idsOf(expected.slice(n, n + 7)), `seed ${seed}: ${queries} offset ${n}`)
		for (const [method, from] of [['cursorAfter', 0], ['cursorBefore', expected.length - 1]]) {
			let at = from, more = true
			while (more) {
				const body = await query([...queries, size, await cursor(queries, method, expected[at], caller)], caller)
				const want = method === 'cursorAfter' ? expected.slice(at + 1, at + 8) : expected.slice(Math.max(0, at - 7), at)
				assert.deepEqual(idsOf(body.documents), idsOf(want), `seed ${seed}: ${queries} ${method} ${at}`)
				assert.equal(body.total, expected.length)
				at += method === 'cursorAfter' ? 7 : -7
				more = at >= 0 && at < expected.length
			}
		}
	}

	test('creation order', async () => {
		await walk([], all)
		const reversed = [...all].reverse()
		await agrees([json('orderDesc')], reversed)
		const body = await query([json('orderDesc'), json('cursorAfter', undefined, [reversed[3].$id]), json('limit', undefined, [4])])
		assert.deepEqual(idsOf(body.documents), idsOf(reversed.slice(4, 8)))
		const back = await query([json('orderDesc'), json('cursorBefore', undefined, [reversed[5].$id]), json('limit', undefined, [4])])
		assert.deepEqual(idsOf(back.documents), idsOf(reversed.slice(1, 5)))
	})

	for (const shape of shapes)
		test(shape.map((o) => `${o.attribute}${o.desc ? ' desc' : ''}`).join(', '), async () => {
			await walk(shape.map(order), sorted(all, shape))
			const q = filter('isNotNull', one(scalars))
			await walk([JSON.stringify(q), ...shape.map(order)], sorted(all.filter((d) => holds(d, q)), shape))
		})

	test('a user sees its own part of everything', async () => {
		const mine = all.filter((d) => d.$permissions.some((x) => [`read("user:${ada.id}")`, 'read("users")'].includes(x)))
		await walk([], mine, ada.call)
		for (let n = 0; n < 12; n++) {
			const shape = one(shapes)
			await walk(shape.map(order), sorted(mine, shape), ada.call)
		}
		for (let n = 0; n < 20; n++) {
			const q = filter(one(compared), one(scalars))
			await agrees([JSON.stringify(q)], mine.filter((d) => holds(d, q)), ada.call)
		}
		const hidden = all.find((d) => !mine.includes(d))
		fails(await list(ada.call, c, [json('cursorAfter', undefined, [hidden.$id])]), 400, 'general_cursor_not_found')
		fails(await list(ada.call, c, [`cursorAfter("${unique()}")`]), 400, 'general_cursor_not_found')
	})
})

describe('the text grammar', () => {
	const literal = (key, v) => (kind(key) === 'f' && /^-?\d+$/.test(v) ? `${v}.0` : typeof v === 'string' ? `"${v.replace(/["]/g, '\\"')}"` : String(v))
	const text = (method, key, values) => `${method}("${key}", [${values.map((v) => literal(key, v)).join(', ')}])`
	/* a backslash cannot be said in this grammar but before other characters */
	const sayable = (v) => typeof v !== 'string' || !/\\[,[\]"']|\\$/.test(v)

	for (const key of scalars)
		test(`filters on ${key}`, async () => {
			for (const method of ['equal', 'notEqual', 'lessThan', 'lessThanEqual', 'greaterThan', 'greaterThanEqual'])
				for (let n = 0; n < 4; n++) {
					const values = valuesFor(key, method, 3).filter(sayable)
					if (values.length === 0) continue
					await agrees([text(method, key, values), 'limit(100)'], all.filter((d) => holds(d, { method, attribute: key, values })))
				}
		})

	test('filters on $id and the dates of the system, next to others in JSON', async () => {
		for (const key of ['$id', '$createdAt', '$updatedAt'])
			for (const method of ['equal', 'notEqual', 'lessThan', 'lessThanEqual', 'greaterThan', 'greaterThanEqual']) {
				const values = [one(all)[key]], q = filter('notEqual', one(scalars))
				await agrees([text(method, key, values), JSON.stringify(q), 'limit(100)'], all.filter((d) => holds(d, { method, attribute: key, values }) && holds(d, q)))
			}
	})

	test('orders with an index, and without', async () => {
		for (const key of scalars) {
			await agrees([`orderAsc("${key}")`, 'limit(100)'], sorted(all, [{ attribute: key }]))
			await agrees([`orderDesc("${key}")`, 'limit(100)'], sorted(all, [{ attribute: key, desc: true }]))
		}
		await agrees(['orderDesc("s")', 'orderAsc("i")', 'limit(100)'], sorted(all, [{ attribute: 's', desc: true }, { attribute: 'i' }]))
		await agrees(['orderDesc("")', 'limit(100)'], [...all].reverse())
		for (const bad of [['orderAsc("i")', 'orderAsc("s")'], ['orderAsc("ii")'], ['orderAsc("$createdAt")', 'orderAsc("$id")']])
			fails(await list(p.call, c, bad), 400, 'general_argument_invalid')
	})

	/* Clients of 1.3 and 1.4 say so; their text knows some methods more, and needs indexes for a search only. */
	describe('of clients of 1.3 and 1.4', () => {
		const later = (m, t, o = {}) => p.call(m, t, { ...o, headers: { 'x-appwrite-response-format': '1.4.0' } })
		const said = ({ method, attribute, values }) => {
			if (method.startsWith('is')) return `${method}("${attribute}")`
			return method === 'between' ? `${method}("${attribute}", ${values.map((v) => literal(attribute, v)).join(', ')})` : text(method, attribute, values)
		}

		for (const key of [...keys, '$id'])
			test(`filters on ${key}`, async () => {
				for (const method of ['equal', 'notEqual', 'lessThan', 'lessThanEqual', 'greaterThan', 'greaterThanEqual', 'between', 'startsWith', 'endsWith', 'isNull', 'isNotNull'])
					for (let n = 0; n < 3; n++) {
						const q = filter(method, key)
						if (!q.values.every(sayable)) continue
						if (goesWith(method, key)) await agrees([said(q), 'limit(1000)'], all.filter((d) => holds(d, q)), later)
						else fails(await list(later, c, [said(q)]), 400, 'general_argument_invalid')
					}
			})

		test('without an index, in any order, with whole numbers for floats', async () => {
			const q = [{ method: 'greaterThan', attribute: 'f', values: [0] }, { method: 'isNotNull', attribute: 'uu', values: [] }]
			const expected = sorted(all.filter((d) => q.every((x) => holds(d, x))), [{ attribute: 'ii', desc: true }, { attribute: 'u' }])
			await agrees(['greaterThan("f", [0])', 'isNotNull("uu")', 'orderDesc("ii")', 'orderAsc("u")', 'limit(1000)', 'offset(0)'], expected, later)
			const after = await query(['greaterThan("f", [0])', 'isNotNull("uu")', 'orderDesc("ii")', 'orderAsc("u")', `cursorAfter("${expected[0].$id}")`, 'limit(2)'], later)
			assert.deepEqual(idsOf(after.documents), idsOf(expected.slice(1, 3)))
			assert.equal((await query(['limit(0)'], later)).documents.length, 0)
		})

		test('select', async () => {
			const d = (await query(['select(["i","ss"])', 'limit(1)'], later)).documents[0]
			assert.deepEqual(Object.keys(d).slice(0, 3), ['i', 'ss', '$id'])
			const one = await later('GET', `${c.docs}/${d.$id}`, { query: { queries: ['select(["i"])'] } })
			assert.deepEqual(Object.keys(one.body).slice(0, 2), ['i', '$id'])
		})

		test('what is no query, here or elsewhere', async () => {
			for (const bad of ['contains("ss", ["a"])', 'or("i", 1)', 'notBetween("i", 1, 2)', 'between("i", 1)', 'between("i", [1, 2], 3)', 'isNull("i", 1)', 'isNull()', 'startsWith("s", ["a", "b"])',
				'startsWith("i", "a")', 'select([])', 'select(["x"])', 'select()', 'search("s", "a")', 'limit(-1)', 'offset(-1)', 'notEqual("i", [1, 2])', 'between("i", null, 2)', 'isNull(["i"])'])
				fails(await list(later, c, [bad]), 400, 'general_argument_invalid')
		})

		/* They contradict nothing that 1.0 knew, so they do not ask who comes. */
		test('their methods are everybody\'s', async () => {
			const since = all[20].$createdAt, of = (f) => all.filter(f)
			for (const headers of [{}, ...['1.0.0', '1.2.0', '1.4.0', '1.5.0', '1.9.5'].map((v) => ({ 'x-appwrite-response-format': v }))]) {
				const call = (m, t, o = {}) => p.call(m, t, { ...o, headers })
				await agrees(['isNull("f")', 'limit(100)'], of((d) => d.f === null), call)
				await agrees(['isNotNull("i")', 'limit(100)'], of((d) => d.i !== null), call)
				await agrees(['between("f", 0, 3)', 'limit(100)'], of((d) => holds(d, { method: 'between', attribute: 'f', values: [0, 3] })), call)
				await agrees(['startsWith("s", "A")', 'endsWith("s", "b")', 'limit(100)'], of((d) => ['startsWith', 'endsWith'].every((method, k) => holds(d, { method, attribute: 's', values: ['ab'[k]] }))), call)
				assert.deepEqual(Object.keys((await list(call, c, ['select(["i"])', 'limit(1)'])).body.documents[0]).filter((k) => !k.startsWith('$')), ['i'])
				for (const [queries, holding] of [[[`createdAfter("${since}")`], (d) => d.$createdAt > since], [[json('createdBefore', undefined, [since])], (d) => d.$createdAt < since],
					[[`updatedBetween("${since}", "${since}")`], (d) => d.$updatedAt === since], [[json('updatedAfter', undefined, [since])], (d) => d.$updatedAt > since],
					[[`updatedBefore("${since}")`, json('createdBetween', undefined, ['2000-01-01', since])], (d) => d.$updatedAt < since && d.$createdAt <= since]])
					await agrees([...queries, 'limit(100)'], of(holding), call)
			}
			fails(await list(p.call, c, ['createdAfter("no date")']), 400, 'general_argument_invalid')
			fails(await list(p.call, c, [json('createdBetween', undefined, ['2020-01-01'])]), 400, 'general_query_invalid')
		})

		test('SDKs of the 1.3 generation are known by their name and version', async () => {
			const as = (name, version, format = '1.0.0') => p.call('GET', c.docs, { query: { queries: ['greaterThan("f", 0)', 'equal("i", 1)'] },
				headers: { ...(format && { 'x-appwrite-response-format': format }), 'x-sdk-name': name, 'x-sdk-version': version } })
			for (const [name, version] of [['Web', '11.0.0'], ['Web', '11.0.1'], ['Node.js', '9.0.0'], ['Flutter', '9.0.1'], ['Python', '2.0.2'], ['Command Line', '2.0.2']])
				for (const format of ['1.0.0', '']) assert.equal((await as(name, version, format)).status, 200, name)
			for (const [name, version, format] of [['Web', '10.2.0'], ['Node.js', '8.2.0'], ['Web', ''], ['Web', 'x'], ['Other', '11.0.0'], ['', '11.0.0'], ['Web', '11.0.0', '1.5.0'], ['Flutter', '8.3.0']])
				fails(await as(name, version, format), 400, format === '1.5.0' ? 'general_query_invalid' : 'general_argument_invalid')
		})

		test('what is no query is said in words of its client', async () => {
			for (const [format, type] of [['1.0.0', 'general_argument_invalid'], ['1.4.13', 'general_argument_invalid'], ['1.5.0', 'general_query_invalid'], ['2.3.0', 'general_query_invalid']])
				for (const bad of ['i = 1', '[]', 'null', '5', 'equal("i", "x")', 'limit(-1)']) {
					const headers = { 'x-appwrite-response-format': format }
					fails(await p.call('GET', c.docs, { query: { queries: [bad] }, headers }), 400, type)
					fails(await p.call('GET', '/teams', { query: { queries: [bad.replace('"i"', '"total"')] }, headers }), 400, 'general_argument_invalid')
				}
		})

		test('and by nothing else: names and versions that pretend, contradict or overflow', async () => {
			const send = (name, version, format) => new Promise((ok, no) => { // several of a name, and bytes that fetch does not send
				const list = (k, v) => [v].flat().filter((x) => x !== null).flatMap((x) => [k, x])
				const u = new URL(s.base), rq = http.request({ host: u.hostname, port: u.port, method: 'GET', path: `/v1${c.docs}?queries[]=${encodeURIComponent('greaterThan("f", 0)')}&queries[]=${encodeURIComponent('equal("i", 1)')}`,
					headers: [...list('Host', u.host), ...list('X-Appwrite-Project', p.id), ...list('X-Appwrite-Key', p.key), ...list('X-Appwrite-Response-Format', format), ...list('X-SDK-Name', name), ...list('X-SDK-Version', version)] })
				rq.on('response', (r) => { r.resume(); r.on('end', () => ok(r.statusCode)) })
				rq.on('error', no)
				rq.end()
			})
			for (const [name, version, format, status] of [
				['WEB', '11.0.0', '1.0.0', 200], ['web', '11.0.0', '1.2.9', 200], [' Web ', ' 11.0.0 ', '1.0.0', 200], ['Web', '11', '1.0.0', 200], ['Web', '11.0', '1.0.0', 200], ['Web', '11.0.0.1', '1.0.0', 200],
				['Web', '11.0.0-rc.1', '1.0.0', 200], ['Web', '11.0.1+build.5', '1.0.0', 200], ['Web', '999999999999999999999.0.0', '1.0.0', 200], ['Web', '1000.0.0', null, 400],
				['Web', '10.999.999', '1.0.0', 400], ['Web', '10.1000.1000', '1.0.0', 400], ['Web', '10.99999999999999999999.0', '1.0.0', 400], ['Web', '-11.0.0', '1.0.0', 400], ['Web', '+11.0.0', '1.0.0', 400], ['Web', 'v11.0.0', '1.0.0', 400],
				['Web', '1 1.0.0', '1.0.0', 400], ['Web', '.11.0.0', '1.0.0', 400], ['Web', '0x11.0.0', '1.0.0', 400], ['Web', '\u00b9\u00b9.0.0', '1.0.0', 400], ['Web', '9.0.0', '1.0.0', 400],
				['Webb', '11.0.0', '1.0.0', 400], ['Web Node.js', '11.0.0', '1.0.0', 400], ['Web, Node.js', '11.0.0', '1.0.0', 400], ['Console', '0.1.0', '1.0.0', 200], ['Console', '0.0.9', '1.0.0', 400], ['x'.repeat(5000), '11.0.0', '1.0.0', 400],
				[['Other', 'Web'], '11.0.0', '1.0.0', 200], [['Web', 'Other'], '11.0.0', '1.0.0', 400], ['Web', ['10.0.0', '11.0.0'], '1.0.0', 200], ['Web', ['11.0.0', '10.0.0'], '1.0.0', 400], // the last counts
				[null, '11.0.0', '1.0.0', 400], ['Web', null, '1.0.0', 400], ['Web', '11.0.0', null, 200], ['Web', '11.0.0', '', 200], ['Web', '11.0.0', '0', 200],
				// a format that tells: 1.3 and 1.4 are that generation whoever sends them, older and newer ones are not
				['Other', '1.0.0', '1.3.0', 200], ['Web', '1.0.0', '1.4.13', 200], ['Other', '', '1.4.0-RC1', 200], ['Web', '11.0.0', '1.5.0', 400], ['Web', '11.0.0', '1000.0.0', 400], ['Web', '11.0.0', '1.5.0-RC1', 400], ['Web', '11.0.0', '99999999999999999999.0.0', 400],
			])
				assert.equal(await send(name, version, format), status, JSON.stringify([String(name).slice(0, 20), version, format]))
		})

		test('the creation number, as number or text', async () => {
			await agrees([json('greaterThan', '$sequence', [30]), json('lessThan', '$sequence', ['40']), json('limit', undefined, [100])], all.slice(30, 39))
			await agrees([json('orderDesc', '$sequence'), json('limit', undefined, [100])], [...all].reverse())
			fails(await list(p.call, c, [json('equal', '$sequence', ['x'])]), 400, 'general_query_invalid')
		})
	})

	test('filters need an index over exactly their attributes', async () => {
		const q = [{ method: 'greaterThan', attribute: 'i', values: [0] }, { method: 'notEqual', attribute: 's', values: ['a'] }]
		await agrees(['greaterThan("i", 0)', 'notEqual("s", "a")', 'limit(100)'], all.filter((d) => q.every((x) => holds(d, x))))
		await agrees(['greaterThan("i", 0)', 'lessThan("i", 10)', 'limit(100)'], all.filter((d) => d.i !== null && d.i > 0 && d.i < 10))
		for (const bad of [['equal("i", 1)', 'equal("f", 1.5)'], ['equal("ii", 1)'], ['search("s", "x")']])
			fails(await list(p.call, c, bad), 400, 'general_argument_invalid')
	})

	test('a list as a whole never equals a value', async () => {
		await agrees(['equal("ss", "a")', 'limit(100)'], [])
		await agrees(['notEqual("ss", "a")', 'limit(100)'], all.filter((d) => d.ss !== null))
	})

	test('pages', async () => {
		const zero = await query(['limit(0)'])
		assert.deepEqual([zero.total, zero.documents.length], [all.length, 0])
		assert.equal((await query([])).documents.length, 25)
		const far = await query(['limit(100)', 'offset(5000)'])
		assert.deepEqual([far.total, far.documents.length], [all.length, 0])
		const first = await query(['limit("2")', 'limit(9)', 'offset("3")'])
		assert.deepEqual(idsOf(first.documents), idsOf(all.slice(3, 5)))
		for (const queries of [[], [json('orderDesc', 'i'), `cursorAfter("${all[1].$id}")`], [json('orderAsc', 'e'), json('orderDesc', 'i'), `cursorBefore("${all[1].$id}")`]]) {
			const none = await query([...queries, '{"method":"offset","values":[9223372036854775807]}'])
			assert.deepEqual([none.total, none.documents.length], [all.length, 0])
		}
		const both = await query([`cursorAfter("${all[1].$id.toUpperCase()}")`, 'offset(1)', 'limit(1)'])
		assert.deepEqual(idsOf(both.documents), [all[3].$id])
		for (const bad of ['limit(101)', 'limit(-1)', 'limit(1.5)', 'offset(5001)', 'offset(-1)', 'limit("x")'])
			fails(await list(p.call, c, [bad]), 400, 'general_argument_invalid')
	})

	test('what is no query', async () => {
		for (const bad of ['', 'limit', ' limit(1)', 'near("i", 1)', 'contains("ss", "a")', 'isNull("x")', 'isNull("i", 1)', 'between("i", 1)', 'between("i", "a", "b")', 'select(["x"])', 'select([])', 'i.equal(1)', 'equal("x", 1)',
			'equal("i", "1")', 'equal("i", 1.5)', 'equal("f", 5)', 'equal("b", "true")', 'equal("d", "some day")', 'equal("i", null)', 'equal("i")', 'equal("i", [])',
			'equal("$permissions", "x")', 'equal(["i"], 1)', 'cursorAfter("_x")', 'cursorAfter(7)', 'equal("s", "a"é)', 'equal("d", "a"é)', 'equal("s"é, "a")', 'orderAsc("s"é)', 'equal("s", é', `equal("i", [${Array(101).fill(1)}])`])
			fails(await list(p.call, c, [bad]), 400, 'general_argument_invalid')
		fails(await list(p.call, c, Array(101).fill('limit(1)')), 400, 'general_argument_invalid')
		fails(await list(p.call, c, [`equal("s", "${'x'.repeat(4090)}")`]), 400, 'general_argument_invalid')
		fails(await p.call('GET', `${c.docs}?queries=limit(1)`), 400, 'general_argument_invalid')
		assert.equal((await p.call('GET', `${c.docs}?queries[0]=limit(1)&queries[1]=offset(1)`)).body.documents[0].$id, all[1].$id)
	})
})

describe('search', () => {
	const texts = ['Spider-Man: Far From Home', 'Captain America', "The Captain's Log", 'hello_world again', 'Über Éclair', 'the of and', 'red green blue', 'green red']
	let w
	const found = async (queries) => (await p.ok('GET', w.docs, { query: { queries } })).documents.map((d) => texts.indexOf(d.t))

	before(async () => {
		w = await collection(p, await database(p), { attributes: { t: { type: 'string', size: 100 }, n: { type: 'integer' } }, indexes: { words: { type: 'fulltext', attributes: ['t'] } } })
		for (const t of texts) await w.doc({ t })
		await w.doc({ n: 1 })	/* null: nothing finds it, and nothing that is negated */
	})

	test('words, the last one as a prefix', async () => {
		const long = 'x'.repeat(3000)	/* longer than any word of an index */
		const rows = [[long, []], [`captain ${long}`, [1, 2]], ['日'.repeat(700), []], [`"${long}"`, []], ["'", []], ['%', []], ['spid%', [0]], ['!|&:*', []], ['spid:*', [0]],
			['man <-> spider', [0]], ['spider \u{1F577}', [0]], ['"', []], ['""x', []], ['spider', [0]], ['man', [0]], ['hom', [0]], ['spider-man', [0]], ['zzz home', [0]], ['ider', []], ["captain's", [0, 1, 2]], ['captain', [1, 2]], ['world', []],
			['hello_wor', [3]], ['UBER', [4]], ['ecl', [4]], ['', []], ['+++', []], ['red blue', [6, 7]], ['"red green"', [6]], ['the', []], ['gre)(re<', [6, 7]]]
		for (const [q, want] of rows) {
			assert.deepEqual(await found([`search("t", "${q.replaceAll('"', '\\"')}")`]), want, q)
			assert.deepEqual(await found([json('search', 't', [q])]), want, `${q} as JSON`)
		}
		assert.deepEqual(await found([json('notSearch', 't', ['captain'])]), [0, 3, 4, 5, 6, 7])
		assert.deepEqual(await found([json('search', 't', ['red']), json('orderDesc')]), [7, 6])
	})

	/* Any of the words, the last one as a beginning; what stands in quotes is a phrase. */
	const stop = ['the', 'and'], word = /[\p{L}\p{M}\p{Nd}_]+/gu, tokens = (t) => fold(t).match(word) ?? []
	const kept = (w) => [...w].length >= 3 && [...w].length <= 84 && !stop.includes(w)
	function terms(q, isJson) {
		let t = q.replace(/[@+\-*()<>~]/g, ' ').trim()
		if (isJson && !/^".*"$/s.test(t)) t = t.replaceAll('"', ' ')
		const parts = t.split('"').map((x, k) => ({ phrase: k % 2 === 1, words: tokens(x).map((w, at) => ({ w, at })) })), last = parts.findLast((x) => x.words.length)
		if (last && !last.phrase) last.words.at(-1).prefix = true
		return parts.flatMap(({ phrase, words }) => {
			const all = words.filter((x) => x.prefix || kept(x.w))
			return phrase ? (all.length ? [all] : []) : all.map((x) => [x])
		})
	}
	function matches(t, q, isJson) {
		const have = tokens(t).map((w) => (kept(w) ? w : null))
		return terms(q, isJson).some((term) => have.some((_, at) =>
			term.every(({ w, at: place, prefix }) => { const x = have[at + place - term[0].at]; return x && (prefix ? x.startsWith(w) : x === w) })))
	}

	test('random texts', async () => {
		const vocabulary = ['alpha', 'Beta', 'gämma', 'gamma', 'the', 'and', 'xy', 'a', 'delta_1', 'delta', 'Ωmega', 'ωμεγα', '日本語', "it's", '50%', 'al', 'ALPHABET', 'बादल', '\u{1F600}', 'x'.repeat(85), '"', '\\', "o'neil"]
		const some = (n, glue) => Array.from({ length: below(n) }, () => one(vocabulary) + one(glue)).join('')
		const w = await collection(p, await database(p), { attributes: { t: { type: 'string', size: 1000 }, n: { type: 'integer' } }, indexes: { words: { type: 'fulltext', attributes: ['t'] } } }), docs = []
		for (let n = 0; n < 40; n++) {
			const t = random() < 0.15 ? null : some(8, [' ', ' ', ', ', '-', '. ', "'", '/'])
			docs.push(await w.doc({ t, n: below(5) }))
		}
		for (let n = 0; n < 150; n++) {
			let q = some(4, [' ', ' ', ' +', '"', '" ', '*', ')', ' | ', ' & ', ':* ']).slice(0, random() < 0.3 ? -1 : undefined)
			if (random() < 0.3) q = `"${q}"`
			const order = random() < 0.5 ? { attribute: 'n', desc: true } : null, at = new Map(docs.map((d, i) => [d.$id, i]))
			const inOrder = (v) => (order ? [...v].sort((a, b) => b.n - a.n || at.get(a.$id) - at.get(b.$id)) : v)
			const asked = async (query) => {
				const r = await list(p.call, w, [query, ...(order ? [json('orderDesc', 'n')] : []), json('limit', undefined, [100])])
				assert.equal(r.status, 200, `seed ${seed}: ${query}: ${r.text}`)
				return r.body
			}
			for (const method of ['search', 'notSearch']) {
				const want = inOrder(docs.filter((d) => d.t !== null && matches(d.t, q, true) === (method === 'search'))), body = await asked(json(method, 't', [q]))
				assert.deepEqual(idsOf(body.documents), idsOf(want), `seed ${seed}: ${method} ${JSON.stringify(q)}`)
				assert.equal(body.total, want.length)
			}
			if (q.includes('\\')) continue
			const body = await asked(`search("t", "${q.replaceAll('"', '\\"')}")`)
			assert.deepEqual(idsOf(body.documents), idsOf(inOrder(docs.filter((d) => d.t !== null && matches(d.t, q, false)))), `seed ${seed}: text ${JSON.stringify(q)}`)
		}
	})

	test('words of other scripts', async () => {
		const c = await collection(p, await database(p), { attributes: { t: { type: 'string', size: 100 } }, indexes: { words: { type: 'fulltext', attributes: ['t'] } } })
		const texts = ['बादल साफ है', 'ที่บ้านสวย', 'مُحَمَّد رسول', 'שָׁלוֹם עולם', 'தமிழ் மொழி', '한국어 검색', '日本語検索', 'かばんとがっこう', 'Αθήνα ΟΔΟΣ', 'кофе Ёлка', 'Tiếng Việt', 'ﬁnal ①②③', 'বাংলা ভাষা', 'සිංහල', 'မြန်မာ']
		const rows = [['बादल', 0], ['साफ', 0], ['बाद', 0], ['ที่บ้าน', 1], ['مُحَمَّد', 2], ['محمد', 2], ['"محمد رسول"', 2], ['שָׁלוֹם', 3], ['שלום', 3], ['தமிழ்', 4], ['மொழி', 4], ['한국', 5], ['검색', 5], ['日本', 6], ['検索'],
			['かばん', 7], ['αθηνα', 8], ['ЕЛКА', 9], ['viet', 10], ['final', 11], ['123', 11], ['বাংলা', 12], ['ভাষা', 12], ['සිංහ', 13], ['မြန်မာ', 14], ['।'], ['ा']]
		for (const t of texts) await c.doc({ t })
		for (const [q, ...want] of rows)
			for (const text of [json('search', 't', [q]), `search("t", '${q}')`])
				assert.deepEqual((await p.ok('GET', c.docs, { query: { queries: [text] } })).documents.map((d) => texts.indexOf(d.t)), want, text)
	})

	test('without an index', async () => {
		fails(await p.call('GET', w.docs, { query: { queries: [json('search', 'n', ['x'])] } }), 400, 'general_query_invalid')
		fails(await p.call('GET', w.docs, { query: { queries: ['search("n", "x")'] } }), 400, 'general_argument_invalid')
	})
})
