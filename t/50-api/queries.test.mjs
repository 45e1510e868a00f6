/* Queries of documents against a model of their meaning in plain JavaScript, on random data: every method on every type of attribute, every
 * order, pages by offset and by cursor in both directions. SEED=n repeats a run. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { server, unique } from '../lib/server.mjs'
import { collection, database, json, list } from './docs.mjs'
import { fails } from './lib.mjs'

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
let state = seed
function random() {	/* mulberry32 */
	state = (state + 0x6d2b79f5) | 0
	let t = Math.imul(state ^ (state >>> 15), 1 | state)
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
	return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}
const below = (n) => Math.floor(random() * n), one = (v) => v[below(v.length)]

/* Values of each type, few enough to meet again. */
const pools = {
	s: ['', 'a', 'A', 'ab', 'Ab', 'éa', 'ea', 'Zeta', 'zeta', 'über', 'uber', 'x1', 'x10', 'x2', '50% off', 'a_b', 'quo"te', 'back\\slash', "it's", 'a,b[c](d)', '日本'],
	i: [-5, -1, 0, 1, 2, 3, 10, 100, 2147483648, -9007199254740991, 9007199254740991],
	f: [-1.5, 0.1, 0.5, 1.25, 2.5, 1e-7, 1e20, 3.14159265, 123456789.5],
	b: [true, false],
	d: ['1969-07-20T20:17:40.000+00:00', '2000-01-01T00:00:00.000+00:00', '2020-02-29T12:00:00.001+00:00', '2020-02-29T12:00:00.002+00:00', '2038-01-19T03:14:08.000+00:00'],
	e: ['new', 'used', 'lost'],
}
const scalars = Object.keys(pools)
const arrays = { ss: 's', ii: 'i', ff: 'f', bb: 'b', dd: 'd' }
const attributes = {
	s: { type: 'string', size: 50 }, i: { type: 'integer' }, f: { type: 'float' }, b: { type: 'boolean' }, d: { type: 'datetime' }, e: { type: 'enum', elements: pools.e },
	ss: { type: 'string', size: 50, array: true }, ii: { type: 'integer', array: true }, ff: { type: 'float', array: true },
	bb: { type: 'boolean', array: true }, dd: { type: 'datetime', array: true },
}

/* ---- the model ---- */

const collator = new Intl.Collator('und', { sensitivity: 'base' })
const fold = (s) => s.normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase()
const kind = (key) => (key in arrays ? arrays[key] : key.startsWith('$') ? (key === '$id' ? 'id' : 'd') : key)
function compare(key, a, b) {
	switch (kind(key)) {
	case 's': case 'e': return collator.compare(a, b)
	case 'id': return a.toLowerCase() < b.toLowerCase() ? -1 : Number(a.toLowerCase() > b.toLowerCase())
	case 'd': return Date.parse(a) - Date.parse(b)
	default: return Number(a) < Number(b) ? -1 : Number(a > b)
	}
}
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
			const c = x === null || y === null ? Number(x !== null) - Number(y !== null) : compare(k, x, y)
			if (c !== 0) return desc ? -c : c
		}
		return at.get(a.$id) - at.get(b.$id)
	})
}

/* ---- the data ---- */

let s, p, c, ada, all	/* all: in the order of creation, arrays that were left out as null */

before(async () => {
	s = await server()
	p = await s.project()
	ada = await p.user()
	c = await collection(p, await database(p), {
		documentSecurity: true, attributes,
		indexes: { ...Object.fromEntries(scalars.map((k) => [`k_${k}`, { type: 'key', attributes: [k] }])), k_ss: { type: 'key', attributes: ['ss'] },
			si: { type: 'key', attributes: ['s', 'i'] }, bd: { type: 'key', attributes: ['b', 'd'], orders: ['DESC', 'ASC'] } },
	})
	all = []
	for (let n = 0; n < 70; n++) {
		const data = {}
		for (const k of scalars) if (random() < 0.8) data[k] = one(pools[k])
		for (const [k, of] of Object.entries(arrays)) if (random() < 0.8) data[k] = Array.from({ length: below(4) }, () => (random() < 0.1 ? null : one(pools[of])))
		if (Object.keys(data).length === 0) data.i = 1
		const permissions = [[], [`read("user:${ada.id}")`], ['read("users")', 'update("any")'], ['read("team:x")']][below(4)]
		const d = await c.doc(data, { id: (random() < 0.5 ? 'D' : 'd') + unique(), permissions })
		for (const k of [...scalars, ...Object.keys(arrays)]) if (!(k in data)) d[k] = null
		all.push(d)
	}
})

const idsOf = (docs) => docs.map((d) => d.$id)
const query = async (queries, caller = p.call) => {
	const r = await list(caller, c, queries)
	assert.equal(r.status, 200, `seed ${seed}: ${queries.join(' ')}: ${r.text}`)
	return r.body
}
async function agrees(queries, expected, caller) {
	const page = queries.some((q) => q.includes('limit')) ? [] : [json('limit', undefined, [1000])]
	const body = await query([...queries, ...page], caller)
	assert.deepEqual(idsOf(body.documents), idsOf(expected), `seed ${seed}: ${queries.join(' ')}`)
	assert.equal(body.total, expected.length, `seed ${seed}: total of ${queries.join(' ')}`)
}

/* A value of the pool, or near one. */
function valueFor(key, method) {
	const v = one(pools[kind(key)] ?? pools.d)
	if (kind(key) === 's' && /With|ontain/.test(method) && !(key in arrays) && v.length > 1) {
		const from = below(v.length), chars = [...v].slice(method.includes('tarts') ? 0 : from, method.includes('nds') ? undefined : from + 2)
		return one([v, v.toUpperCase(), chars.join('')])
	}
	return kind(key) === 's' ? one([v, v.toUpperCase()]) : v
}
const arity = { between: 2, notBetween: 2, equal: 3, contains: 2, notContains: 2, containsAny: 2, containsAll: 2 }
const valuesFor = (key, method, most = arity[method] ?? 1) =>
	Array.from({ length: ['between', 'notBetween'].includes(method) ? 2 : 1 + below(most) }, () => valueFor(key, method))
const textual = ['startsWith', 'notStartsWith', 'endsWith', 'notEndsWith'], listed = ['contains', 'containsAny', 'notContains'], compared = ['equal', 'notEqual',
	'lessThan', 'lessThanEqual', 'greaterThan', 'greaterThanEqual', 'between', 'notBetween']
function goesWith(method, key) {
	if (['isNull', 'isNotNull'].includes(method)) return true
	if (key in arrays) return [...listed, 'containsAll'].includes(method)
	if (kind(key) === 's' || kind(key) === 'e') return [...compared, ...textual, ...listed].includes(method)
	return compared.includes(method)
}
const everything = [...compared, ...textual, ...listed, 'containsAll', 'isNull', 'isNotNull'], keys = [...scalars, ...Object.keys(arrays)]
const filter = (method, attribute) => ({ method, attribute, values: method.startsWith('is') ? [] : valuesFor(attribute, method) })

describe('the JSON grammar', () => {
	for (const key of keys)
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
		for (const method of compared) {
			const q = { method, attribute: '$createdAt', values: method.endsWith('etween') ? [all[20].$createdAt, all[40].$createdAt] : [all[30].$createdAt] }
			await agrees([JSON.stringify(q)], all.filter((d) => holds(d, q)))
		}
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
		const wrong = { s: [5, true, null], i: ['5', 5.5, true, null], f: ['x', true, null], b: ['true', 1, null], d: ['some day', 5, null], e: [5] }
		for (const [key, values] of Object.entries(wrong))
			for (const v of values) fails(await list(p.call, c, [json('equal', key, [v])]), 400, 'general_query_invalid')
		for (const bad of ['{', '{}', '{"method":5}', json('near', 'i', [1]), json('equal', 'x', [1]), json('equal', 'i', []), json('notEqual', 'i', [1, 2]), json('limit', undefined, [0]),
			json('limit', undefined, ['5']), json('offset', undefined, [-1]), json('or', undefined, [{ method: 'isNull', attribute: 'i' }]), json('search', 's', ['x']),
			json('or', undefined, ['x', 'y']), json('cursorAfter', undefined, ['_x']), json('select', undefined, ['x']), json('equal', '$permissions', ['x']),
			json('equal', 'i', Array(501).fill(1)), json('isNull', 'i\0s'), json('orderAsc', 'i\0'), '{"method":"equal","attribute":"s","values":["\\ud800"]}',
			'{"method":"equal","attribute":"f","values":[1e400]}', nested(64), json('select', undefined, [])])
			fails(await list(p.call, c, [bad]), 400, 'general_query_invalid')
		await agrees([nested(25)], all.filter((d) => d.i === null))
		await agrees([json('equal', 'f', [100, 0.5])], all.filter((d) => d.f === 0.5))
	})

	test('orders that are random hold every row once', async () => {
		const body = await query([json('orderRandom'), json('limit', undefined, [100])])
		assert.deepEqual(idsOf(body.documents).sort(), idsOf(all).sort())
	})

	test('select', async () => {
		const body = await query([json('select', undefined, ['i', 'ss']), json('limit', undefined, [2])])
		assert.deepEqual(Object.keys(body.documents[0]), ['i', 'ss', '$id', '$createdAt', '$updatedAt', '$permissions', '$collectionId', '$databaseId'])
		assert.equal(body.total, all.length)
	})

	test('total=false', async () => assert.equal((await list(p.call, c, [], { total: 'false' })).body.total, 0))
})

/* Every order, walked forwards and backwards in pages of seven, by cursor and by offset. */
describe('orders and pages', () => {
	const order = (o) => json(o.desc ? 'orderDesc' : 'orderAsc', o.attribute)
	const shapes = []
	for (const attribute of [...scalars, '$id', '$createdAt', '$updatedAt']) for (const desc of [false, true]) shapes.push([{ attribute, desc }])
	for (const [x, y] of [['b', 'e'], ['e', 'i'], ['s', 'd'], ['f', 'b'], ['b', '$createdAt'], ['e', '$id'], ['d', 's']])
		for (const dx of [false, true]) for (const dy of [false, true]) shapes.push([{ attribute: x, desc: dx }, { attribute: y, desc: dy }])
	shapes.push([{ attribute: 'b' }, { attribute: 'e', desc: true }, { attribute: 'd' }, { attribute: 'i', desc: true }])

	async function walk(queries, expected, caller) {
		const size = json('limit', undefined, [7])
		for (let n = 0; n < expected.length; n += 7)
			assert.deepEqual(idsOf((await query([...queries, size, json('offset', undefined, [n])], caller)).documents), idsOf(expected.slice(n, n + 7)), `seed ${seed}: ${queries} offset ${n}`)
		for (const [method, from] of [['cursorAfter', 0], ['cursorBefore', expected.length - 1]]) {
			let at = from, more = true
			while (more) {
				const body = await query([...queries, size, json(method, undefined, [expected[at].$id])], caller)
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

	test('an order by a list holds every row once', async () => {
		const seen = []
		for (;;) {
			const body = await query([json('orderDesc', 'ss'), json('limit', undefined, [9]), ...(seen.length ? [json('cursorAfter', undefined, [seen.at(-1)])] : [])])
			if (body.documents.length === 0) break
			seen.push(...idsOf(body.documents))
		}
		assert.deepEqual([...seen].sort(), idsOf(all).sort())
	})

	test('a user sees its own part of everything', async () => {
		const mine = all.filter((d) => d.$permissions.some((x) => [`read("user:${ada.id}")`, 'read("users")'].includes(x)))
		await walk([], mine, ada.call)
		await walk([json('orderDesc', 'i')], sorted(mine, [{ attribute: 'i', desc: true }]), ada.call)
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
	const literal = (key, v) => (kind(key) === 'f' && Number.isInteger(v) ? `${v}.0` : typeof v === 'string' ? `"${v.replace(/["]/g, '\\"')}"` : String(v))
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
		for (const queries of [[], [json('orderDesc', 'i'), json('cursorAfter', undefined, [all[1].$id])], [json('orderAsc', 'e'), json('orderDesc', 'i'), json('cursorBefore', undefined, [all[1].$id])]]) {
			const none = await query([...queries, '{"method":"offset","values":[9223372036854775807]}'])
			assert.deepEqual([none.total, none.documents.length], [all.length, 0])
		}
		const both = await query([`cursorAfter("${all[1].$id.toUpperCase()}")`, 'offset(1)', 'limit(1)'])
		assert.deepEqual(idsOf(both.documents), [all[3].$id])
		for (const bad of ['limit(101)', 'limit(-1)', 'limit(1.5)', 'offset(5001)', 'offset(-1)', 'limit("x")'])
			fails(await list(p.call, c, [bad]), 400, 'general_argument_invalid')
	})

	test('what is no query', async () => {
		for (const bad of ['', 'limit', ' limit(1)', 'near("i", 1)', 'contains("ss", "a")', 'isNull("i")', 'between("i", 1, 2)', 'select(["i"])', 'i.equal(1)', 'equal("x", 1)',
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
