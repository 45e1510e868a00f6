/* What cannot be read is said to be so, with the place, whatever its kind and whichever route it is sent to: nobody is told to look for a parameter that
 * is there, nothing is done by halves, and nothing of it is an error of ours. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { server, unique, until } from '../lib/server.mjs'
import { fails } from './lib.mjs'

const bytes = (text) => Buffer.from(text, 'latin1')
const part = (name, value) => bytes(`--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n--XX--\r\n`)
const json = /^It is not valid JSON: .* at byte (\d+)\.$/s, escape = 'It has a percent sign without two hexadecimal digits', utf8 = 'It is not valid UTF-8', nul = 'It holds a NUL', parts = 'It is not valid multipart/form-data'
const big = '1'.repeat(40)

/* body, what is said, byte (undefined: any) */
const broken = {
	'application/json': [
		['{"name":"x",}', json, 13], ['{"name":', json, 8], ['{"name":"\\ud83d"}', json], ['{"name":"\\udc00x"}', json], ['{"name":1e999}', json], ['{"name":-1e999}', json], ['{"name":"x"} y', json], ['{"name":"a\0b"}', json],
		['{"na\\u0000me":"x"}', json], ['{"name":"\xff"}', json], ['\xff', json], ['\0', json], ["{'name':1}", json], ['{"name":NaN}', json], ['{"name":01}', json], ['[1,]', json, 4], ['   ', json], ['nul', json],
		[`{"a":${'['.repeat(100)}`, json, 69], [`{"a":${big},"b":9223372036854775808,}`, json, 71], [`{"a":"${'x'.repeat(40000)}",}`, json, 40009],
	],
	'application/x-www-form-urlencoded': [
		['name=%', escape, 6], ['name=%4', escape, 6], ['name=100%&x=1', escape, 9], ['na%me=x', escape, 3], ['a=1&name=%zz', escape, 10], ['name=%ff', utf8, 6], ['name=%c3%a4%c3', utf8, 12], ['name=\xff', utf8, 6], ['%ff=x', utf8, 1],
		['name=%ed%a0%80', utf8, 6], ['name=a%00b', nul, 7], ['name=a\0b', nul, 7], ['na%00me=x', nul, 3], ['=%ff', utf8, 2], [`name${'[a]'.repeat(20)}=x`, "A field's name is too long or nested too deeply", 1],
		['a&'.repeat(1001), 'It has too many fields', 2001], [`${'x'.repeat(40000)}=1&name=%`, "A field's name is too long or nested too deeply", 1],
	],
	'multipart/form-data; boundary=XX': [
		['no parts', parts, 8], [part('name', 'x').subarray(0, -6), parts, part('name', 'x').length - 6], ['--XXnonsense', parts, 5], [part('name', 'a\xff'), utf8, 55], [part('name', 'a\0b'), nul, 55],
		[part('na\xffme', 'x'), 'The head of a part is not valid UTF-8 or holds a NUL', 7], [part('na\0me', 'x'), 'The head of a part is not valid UTF-8 or holds a NUL', 7],
		[part('f"; filename="\xff', 'x'), 'The head of a part is not valid UTF-8 or holds a NUL', 7],
	],
	'multipart/form-data': [[part('name', 'x'), /^It is not valid multipart\/form-data: its Content-Type names no boundary\.$/]],
}
/* what can be written in a URL */
const queries = broken['application/x-www-form-urlencoded'].filter(([q]) => !/[\0\xff]/.test(q) && q.length < 8000)
let s, p, u, team

function unreadable(r, what, byte, why) {
	fails(r, 400, 'general_argument_invalid')
	const words = r.body.message.replace(/^The parameters cannot be read\. /, '')
	assert.notEqual(words, r.body.message, why)
	if (what instanceof RegExp) {
		assert.match(words, what, why)
		if (byte !== undefined) assert.equal(Number(words.match(what)[1]), byte, words)
	} else assert.equal(words, `${what} at byte ${byte}.`, why)
}

before(async () => {
	s = await server()
	p = await s.project()
	u = await p.user()
	team = unique('t')
	await p.ok('POST', '/teams', { body: { teamId: team, name: 'T' } })
})

describe('bodies', () => {
	const routes = () => [[p.guest, 'POST', '/account'], [p.guest, 'PUT', '/account/recovery'], [u.call, 'PATCH', '/account/name'], [p.call, 'POST', '/teams'], [p.call, 'PUT', `/teams/${team}`], [p.call, 'DELETE', `/teams/${team}`],
		[p.call, 'POST', '/databases/x/collections/y/documents'], [p.console.call, 'PATCH', `/projects/${p.id}/service`]]
	for (const [type, rows] of Object.entries(broken))
		test(type, async () => {
			for (const [call, method, path] of routes())
				for (const [body, what, byte] of rows)
					unreadable(await call(method, path, { headers: { 'content-type': type }, body: Buffer.isBuffer(body) ? body : bytes(body) }), what, byte, `${method} ${path} ${String(body).slice(0, 80)}`)
			assert.equal((await p.ok('GET', `/teams/${team}`)).name, 'T')
		})
	test('with GET they are nobody\'s', async () => {
		for (const [type, rows] of Object.entries(broken))
			for (const [body] of rows) {
				const r = await p.call('GET', `/teams/${team}`, { headers: { 'content-type': type }, body: Buffer.isBuffer(body) ? body : bytes(body) })
				assert.equal(r.status, 200, r.text)
			}
	})
})

describe('queries', () => {
	const rows = queries
	test('of reads', async () => {
		for (const [call, method, path] of [[p.call, 'GET', '/users'], [u.call, 'GET', '/account'], [p.call, 'GET', `/teams/${team}/memberships`], [p.call, 'GET', '/databases/x/collections/y/documents'], [p.call, 'GET', '/teams']])
			for (const [query, what, byte] of rows)
				unreadable(await call(method, `${path}?${query}`), what, byte, `${method} ${path}?${query.slice(0, 80)}`)
	})
	test('of writes are ignored', async () => {
		for (const [query] of rows) assert.equal((await p.call('PUT', `/teams/${team}?${query}`, { body: { name: 'T' } })).status, 200, query)
	})
})

describe('routes that take their body in pieces', () => {
	const root = '/mock/tests/general', type = 'multipart/form-data; boundary=XX'
	let own
	before(async () => { own = await server({ own: true, conf: { env: 'development', web_processes: 1 } }) })
	after(() => own?.stop())
	const says = async (path, body, error, message, kind = type) => {
		const r = await own.call('POST', `${root}${path}`, { headers: { 'content-type': kind }, body })
		assert.deepEqual([r.status, r.body.type], [400, error])
		const words = r.body.message.replace(/^The parameters cannot be read\. /, '')
		assert.notEqual(words, r.body.message)
		if (message instanceof RegExp) assert.match(words, message)
		else assert.equal(words, message)
	}
	test('the query', async () => {
		for (const path of ['/sink', '/parts'])
			for (const [query, what, byte] of queries) await says(`${path}?${query}`, part('name', 'x'), 'general_argument_invalid', `${what} at byte ${byte}.`)
	})
	test('the body', async () => {
		for (const [body, message] of [[bytes('no parts'), `${parts} at byte 8.`], [bytes('--XXnonsense'), `${parts} at byte 5.`],
			...['na\xffme', 'na\0me', 'f"; filename="\xff', 'f"; filename="a\0b', 'f"; filename*=UTF-8\'\'a%00b; x="'].map((name) => [part(name, 'x'), /^The head of a part is not valid UTF-8 or holds a NUL, before byte \d+\.$/])])
			await says('/parts', body, 'general_argument_invalid', message)
		await says('/parts', part('name', 'x'), 'general_argument_invalid', `${parts}: its Content-Type names no boundary.`, 'multipart/form-data')
	})
})

/* PostgreSQL keeps no NUL, and a C string ends there: none comes in, whichever way and whoever would keep it. */
describe('U+0000', () => {
	const said = (r, why, type = 'general_argument_invalid') => {
		fails(r, 400, type)
		assert.match(r.body.message, /a text holds a NUL \(\\u0000\) .*at byte \d+|It holds a NUL at byte \d+/, `${why}: ${r.text}`)
	}
	let path
	before(async () => {
		const database = unique('d'), collection = unique('c')
		await p.ok('POST', '/databases', { body: { databaseId: database, name: 'd' } })
		await p.ok('POST', `/databases/${database}/collections`, { body: { collectionId: collection, name: 'c', permissions: ['read("any")', 'create("any")'], documentSecurity: false } })
		path = `/databases/${database}/collections/${collection}`
		for (const [key, more] of [['text', {}], ['list', { array: true }]]) await p.ok('POST', `${path}/attributes/string`, { body: { key, size: 100, required: false, ...more } })
		await until('attributes', async () => (await p.ok('GET', path)).attributes.every((a) => a.status === 'available'))
	})
	test('in a body of JSON: values, keys, lists, what is kept as JSON, what nobody asked for', async () => {
		for (const [call, method, where, body] of [[u.call, 'PATCH', '/account/prefs', { prefs: { a: '\0' } }], [u.call, 'PATCH', '/account/prefs', { prefs: { 'a\0': 1 } }], [p.call, 'PATCH', `/users/${u.id}/prefs`, { prefs: { a: { b: ['x\0'] } } }],
			[p.call, 'POST', '/teams', { teamId: 'unique()', name: 'a\0b' }], [p.call, 'POST', '/teams', { teamId: 'a\0b', name: 'a' }], [p.call, 'PATCH', `/users/${u.id}/name`, { name: '\0' }], [p.call, 'POST', '/teams', { teamId: 'unique()', name: 'a', other: '\0' }],
			[p.call, 'POST', `${path}/documents`, { documentId: 'unique()', data: { text: 'a\0b' } }], [p.call, 'POST', `${path}/documents`, { documentId: 'unique()', data: { list: ['a', '\0'] } }], [p.call, 'POST', `${path}/documents`, { documentId: 'unique()', data: { '\0': 1 } }],
			[p.call, 'POST', `${path}/documents`, { documentId: 'unique()', data: JSON.stringify({ text: '\0' }) }],
			[p.call, 'POST', `${path}/attributes/string`, { key: 'x', size: 10, required: false, default: '\0' }], [p.call, 'POST', `${path}/attributes/enum`, { key: 'x', elements: ['a', '\0'], required: false }],
			[p.console.call, 'PATCH', `/projects/${p.id}`, { name: '\0' }], [p.console.call, 'POST', `/projects/${p.id}/keys`, { name: '\0', scopes: [] }], [p.guest, 'POST', '/account/sessions/email', { email: 'a\0@example.org', password: 'password\0' }]])
			said(await call(method, where, { body }), `${method} ${where} ${JSON.stringify(body)}`)
	})
	test('in a query, as JSON and as text, and in what is searched', async () => {
		for (const where of [`${path}/documents`, '/users', '/teams']) {
			said(await p.call('GET', where, { query: { queries: ['{"method":"equal","attribute":"text","values":["\\u0000"]}'] } }), where, where.endsWith('documents') ? 'general_query_invalid' : undefined)
			said(await p.call('GET', `${where}?queries[]=${encodeURIComponent('equal("text", ["a')}%00${encodeURIComponent('b"])')}`), where)
			const r = await p.call('GET', where, { query: { queries: ['equal("text", ["a\\u0000b"])'] } })	/* the text form has no such escape */
			assert.ok([200, 400].includes(r.status), r.text)
		}
		for (const where of ['/users', '/teams', '/databases']) said(await p.call('GET', `${where}?search=a%00b`), where)
	})
	test('a return address that says it keeps what is added to it', async () => {
		const r = await p.call('GET', '/account/sessions/oauth2/mock', { query: { success: 'http://localhost/?a=%00b', failure: 'http://localhost/?a=%00b' } })
		assert.ok(r.status < 500, r.text)
	})
})
