/* Every reply that a test sees is held against the server's own description, GET /v1/openapi.json: the model of the route and status, each
 * member with its type and form, and none besides. What does not fit throws in the test that saw it.
 *
 *   const api = await description(base)        the document, compiled; read once per process
 *   api.reply(method, url, speaks, { status, headers, text })    throws Misfit; `speaks`: the version that was asked for, or
 *                                              { header, sdk: [name, version], setting }
 *   api.event(frame.data)                      the payload of an event of realtime
 *   seen()                                     what was seen so far: { operation: { "200": how often, "404 user_not_found": … } }
 *
 * A client is told the members that its version has (x-since, x-until of the document), each of them and none besides. Formats before 1.0 are checked by
 * the same models, with what the document's x-formats says, and `older` below. */
import { appendFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'

import { languages, typedSchema } from './typed.mjs'

export class Misfit extends Error {}

/* ---- what is not checked, and why ---- */

/* Answers that no route gives. */
export const besides = [
	{ is: (m) => m === 'OPTIONS', why: 'a preflight is answered for any path: 204 without a body' },
	{ is: (m, url, r) => r.status === 301 && /^https:/.test(r.headers.location ?? '') && url.protocol === 'http:' && r.headers.location.slice(6) === `//${url.hostname}${url.pathname}`, why: 'force_https sends every reader on' },
	{ is: (m, url, r) => url.pathname.startsWith('/v1/realtime') && r.status === 101, why: 'an upgrade: the rest is frames' },
]

// A type as declared: "image/*" stands for all pictures, "*/*" for anything.
const mediaFits = (type, declared) => type === declared || declared === '*/*' || (declared.endsWith('/*') && type.startsWith(declared.slice(0, -1)))

/* ---- one schema, compiled: a function of the value and its path that gives what is wrong, or undefined ---- */

const types = {
	string: (v) => typeof v === 'string',
	boolean: (v) => typeof v === 'boolean',
	integer: (v) => Number.isInteger(v),
	number: (v) => typeof v === 'number',
	array: (v) => Array.isArray(v),
	object: (v) => typeof v === 'object' && v !== null && !Array.isArray(v),
	null: (v) => v === null,
}
const date = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}\+00:00$/
const formats = { 'date-time': (v) => date.test(v) && !Number.isNaN(Date.parse(v)) }
const show = (v) => { const t = JSON.stringify(v) ?? 'nothing'; return t.length > 80 ? `${t.slice(0, 80)}…` : t }

/* `resolve` gives the check of a model by its name: models may name each other. */
function compile(schema, resolve) {
	if (schema.$ref) { const name = schema.$ref.split('/').at(-1); return (v, at) => resolve(name)(v, at) }
	const tests = []
	for (const key of Object.keys(schema)) if (!known.has(key) && !key.startsWith('x-')) throw new Error(`a schema says ${key}, which is not understood here`)
	if (schema.type) {
		const is = types[schema.type]
		tests.push((v, at) => (is(v) ? undefined : `${at}: ${show(v)} is no ${schema.type}`))
	}
	if (schema.enum) { const all = new Set(schema.enum.map((v) => JSON.stringify(v))); tests.push((v, at) => (all.has(JSON.stringify(v)) ? undefined : `${at}: ${show(v)} is none of ${schema.enum.join(' ')}`)) }
	if (schema.pattern) { const re = new RegExp(schema.pattern); tests.push((v, at) => (re.test(v) ? undefined : `${at}: ${show(v)} does not match ${schema.pattern}`)) }
	if (schema.format) tests.push((v, at) => (formats[schema.format](v) ? undefined : `${at}: ${show(v)} is no ${schema.format}`))
	if (schema.minimum !== undefined) tests.push((v, at) => (v >= schema.minimum ? undefined : `${at}: ${show(v)} is less than ${schema.minimum}`))
	if (schema.minLength !== undefined) tests.push((v, at) => (v.length >= schema.minLength ? undefined : `${at}: ${show(v)} is too short`))
	if (schema.maxItems !== undefined) tests.push((v, at) => (v.length <= schema.maxItems ? undefined : `${at}: ${show(v)} is too long`))
	if (schema.maxLength !== undefined) tests.push((v, at) => (v.length <= schema.maxLength ? undefined : `${at}: ${show(v)} is too long`))
	if (schema.items) {
		const item = compile(schema.items, resolve)
		tests.push((v, at) => { for (let i = 0; i < v.length; i++) { const why = item(v[i], `${at}[${i}]`); if (why) return why } })
	}
	if (schema.properties || schema.additionalProperties !== undefined) tests.push(members(schema, resolve))
	for (const several of [schema.anyOf, schema.oneOf])
		if (several) tests.push(alternatives(several.map((s) => compile(s, resolve))))
	return (v, at) => {
		if (v === null && schema.nullable) return
		for (const t of tests) { const why = t(v, at); if (why) return why }
	}
}
const known = new Set(['type', 'enum', 'pattern', 'format', 'minimum', 'minLength', 'maxLength', 'maxItems', 'items', 'properties', 'required', 'additionalProperties', 'anyOf', 'oneOf', 'nullable', 'description'])

function members({ properties = {}, required = [], additionalProperties = true }, resolve) {
	const checks = new Map(Object.entries(properties).map(([k, s]) => [k, compile(s, resolve)]))
	return (v, at) => {
		for (const k of required) if (!Object.hasOwn(v, k)) return `${at}.${k} is missing`
		for (const k of Object.keys(v)) {
			const check = checks.get(k)
			if (!check && !additionalProperties) return `${at}.${k} is not declared`
			const why = check?.(v[k], `${at}.${k}`)
			if (why) return why
		}
	}
}

/* The words are those of the alternative that came closest: the longest path of what is wrong. */
function alternatives(checks) {
	return (v, at) => {
		let worst
		for (const c of checks) { const why = c(v, at); if (!why) return; if (!worst || why.split(': ')[0].length > worst.split(': ')[0].length) worst = why }
		return `${worst} (none of ${checks.length} alternatives fits)`
	}
}

/* ---- older formats ---- */

const number = (version) => version.split('.').reduce((n, part) => n * 1000 + (/^\d{1,3}$/.test(part) ? Number(part) : NaN), 0)
const seconds = { type: 'integer', minimum: 0 }
const texts = { type: 'array', items: { type: 'string' } }

/* A version as a number that sorts; none: 0. */
export function versionOf(version) {
	if (!version || version === '0') return 0
	if (version === 'newest') return 999999999
	const n = number([...version.split('.'), '0', '0'].slice(0, 3).join('.'))
	return n > 0 ? n : 1
}

/* What a client of that version is told of the model: the members that it has, each of them required. */
function told(schema, n) {
	if (!schema.properties) return schema
	const s = { ...schema, properties: {}, required: [...schema.required ?? []] }
	for (const [k, p] of Object.entries(schema.properties)) {
		const since = versionOf(p['x-since']), until = p['x-until'] ? versionOf(p['x-until']) : Infinity
		if (n < since || n >= until) continue
		s.properties[k] = p
		if ((since > 0 || until < Infinity) && !p['x-sometimes']) s.required.push(k)
	}
	return s
}

/* The format that a caller gets who says it speaks `version`; undefined: today's. What is no version is the oldest. */
export function formatOf(described, version) {
	if (!version || version === '0') return
	const parts = version.split('.'), n = number([...parts, '0', '0'].slice(0, Math.max(3, parts.length)).slice(0, 3).join('.'))
	return described.find((f) => !(n > number(f.upTo)))
}

/* The schema of an object of `model` in that format. Objects inside of it stay as they are today. */
function older(format, model, schema) {
	if (schema.anyOf) return { anyOf: schema.anyOf.map((s) => (s.$ref ? { older: s.$ref.split('/').at(-1) } : s)) }
	const s = structuredClone(schema), p = s.properties
	const drop = (k) => { delete p[k]; s.required = s.required?.filter((r) => r !== k) }
	const rename = (k, to, as = p[k]) => { drop(k); p[to] = as; s.required.push(to) }
	for (const [m, key, to] of format.renames)
		if (m === model && p?.[key]) { if (to) rename(key, to); else drop(key) }
	if (format.name === '0.11' && model === 'user') p.status = { type: 'integer', enum: [0, 1, 2] }
	if (format.name === '0.13' && model === 'project') { p.providers = { type: 'null' }; s.required.push('providers') }
	if (format.name !== '0.15' || !p) return s
	for (const k of Object.keys(p)) {
		if (k === '$createdAt' || k === '$updatedAt' || (model !== 'document' && format.unixSeconds.includes(k) && p[k].type === 'string')) p[k] = seconds
		if (model.startsWith('usage') && p[k].type === 'array') p[k] = { type: 'array', items: { older: 'metric' } }
	}
	if (p.$permissions)
		for (const k of (drop('$permissions'), model === 'execution' ? ['$read'] : ['$read', '$write'])) { p[k] = texts; s.required.push(k) }
	if (p.documentSecurity && model !== 'document') rename('documentSecurity', 'permission', { type: 'string', enum: ['document', 'collection'] })
	if (model === 'function') { p.status = { type: 'string', enum: ['enabled', 'disabled'] }; p.vars = { type: 'object', additionalProperties: { type: 'string' } } }
	if (p.fileSecurity) rename('fileSecurity', 'permission', { type: 'string', enum: ['file', 'bucket'] })
	if (model === 'document') { drop('$databaseId'); rename('$collectionId', '$collection') }
	return s
}

/* ---- the description ---- */

const seenHere = new Map()	/* operation -> status and type of an error -> how often */
export const seen = () => Object.fromEntries([...seenHere].map(([op, m]) => [op, Object.fromEntries(m)]))
function note(op, answer) {
	const m = seenHere.get(op) ?? seenHere.set(op, new Map()).get(op)
	m.set(answer, (m.get(answer) ?? 0) + 1)
}
/* lib/shared.mjs gathers what all its processes saw. */
if (process.env.BADAL_SEEN) process.on('exit', () => appendFileSync(process.env.BADAL_SEEN, `${JSON.stringify(seen())}\n`))

/* Words of PostgreSQL and names of ours, which no error tells. */
const inner = /sqlstate|\bp_\d+\.|\bc_\d+_|\b[ai]_\d+\b|\$\d+::|::(text|bigint)\b|\blower\(|violates|duplicate key|relation "|column "|syntax error at or near|invalid input syntax|\bSELECT .* FROM\b|pg_\w+\(/

export class Description {
	#checks = new Map()		/* "format model" or "language version model" -> check */
	#routes = { kids: new Map() }
	#events = []
	constructor(document) {
		this.document = document
		this.models = document.components.schemas
		this.formats = document['x-formats']
		this.operations = []
		for (const [path, item] of Object.entries(document.paths))
			for (const [method, operation] of Object.entries(item)) this.#add(method.toUpperCase(), path, operation)
		for (const [method, alias, path, later] of document['x-aliases']) this.#place(method, alias).found = { ...this.#place(method, path).found, later }
		for (const [name, e] of Object.entries(document['x-events'])) this.#events.push([name.split('.').map((s) => (s.startsWith('[') ? null : s)), e])
	}

	#place(method, path) {
		let node = this.#routes
		for (const segment of path.slice(1).split('/')) {
			const key = segment.startsWith('{') ? '{}' : segment
			node = node.kids.get(key) ?? node.kids.set(key, { kids: new Map() }).get(key)
		}
		return (node[method] ??= {})
	}

	#add(method, path, operation) {
		this.operations.push(this.#place(method, path).found = { name: `${method} ${path}`, operation })
	}

	/* As the router does: static segments before placeholders, one slash at the end does not count. */
	find(method, pathname) {
		const walk = (node, rest) => {
			if (rest.length === 0) return node[method]?.found
			const [s, ...more] = rest, kid = node.kids.get(s)
			return (kid && walk(kid, more)) ?? (s !== '' && node.kids.has('{}') ? walk(node.kids.get('{}'), more) : undefined)
		}
		return walk(this.#routes, pathname.replace(/^\//, '').replace(/\/$/, '').split('/'))
	}

	/* `n`: the version that the client speaks; undefined: what any may be told. */
	#check(model, format, n) {
		const key = `${format?.name ?? ''} ${n} ${model}`
		if (!this.#checks.has(key)) {
			const whole = this.models[model], schema = n === undefined || !whole ? whole : told(whole, n)
			if (!schema) throw new Misfit(`the description has no model ${model}`)
			this.#checks.set(key, format ? this.#olderCheck(model, schema, format, n) : compile(schema, (name) => this.#check(name, undefined, n)))
		}
		return this.#checks.get(key)
	}

	#olderCheck(model, schema, format, n) {
		const now = (name) => this.#check(name, undefined, n)
		const of = model.match(/^(.*)List$/)?.[1]
		const swap = (s) => (s.older ? { $ref: `/older:${s.older}` } : s)
		const resolve = (name) => (name.startsWith('older:') ? this.#check(name.slice(6), format, n) : now(name))
		const deep = (s) => JSON.parse(JSON.stringify(s), (k, v) => (v && typeof v === 'object' && v.older ? swap(v) : v))
		if (!of || !schema.properties?.total || Object.keys(schema.properties).length !== 2) return compile(deep(older(format, model, schema)), resolve)
		if (format.name === '0.14' && of === 'session') return compile(schema, now)
		const s = structuredClone(schema), [list] = Object.keys(s.properties).filter((k) => k !== 'total')
		s.properties[list].items = { $ref: `/older:${of}` }
		if (format.name === '0.12') { s.properties.sum = s.properties.total; delete s.properties.total; s.required = [list, 'sum'] }
		return compile(s, resolve)
	}

	/* What is wrong with a value of a model, or undefined. */
	misfit(model, value, format, at = 'body', n = undefined) {
		return this.#check(model, format, n)(value, at)
	}

	/* The version that a reply of the operation is in (gate/compat.c). */
	spoken(op, { header, sdk = [], setting }) {
		const said = versionOf(header), of = this.document['x-sdks'].filter(([name, since]) => name.toLowerCase() === sdk[0]?.toLowerCase() && versionOf(sdk[1]) >= versionOf(since)).at(-1)
		if (said > 0) return said >= 1000000 && said < 1003000 && of && versionOf(of[2]) >= 1003000 ? '1.3.0' : header
		return of?.[2] ?? (op?.later || op?.operation['x-since'] ? 'newest' : header ? undefined : setting)
	}

	#content(content, reply, { body, format, n, url } = {}) {
		const type = reply.headers['content-type']
		if (!content) return reply.text === '' ? undefined : `a body of ${reply.text.length} characters where none is declared`
		const json = content['application/json']
		if (!json) return mediaFits(type, Object.keys(content)[0]) ? undefined : `type ${type} instead of ${Object.keys(content)[0]}`
		if (type !== 'application/json; charset=UTF-8') return `type ${type} instead of JSON`
		const models = (json.schema.oneOf ?? [json.schema]).map((s) => s.$ref.split('/').at(-1)), wrong = models.map((m) => this.misfit(m, body, format, 'body', n))
		const fits = wrong.indexOf(undefined)
		return fits < 0 ? wrong[0] : this.#total(body, url) ?? (format || n < versionOf('1.4.0') ? undefined : this.#typed(models[fits], body, n))
	}

	/* What an SDK with classes could not read; what those of 1.0 read is in the recorded exchanges. */
	#typed(model, body, n) {
		for (const language of Object.keys(languages)) {
			const why = this.#reader(model, language, n)(body, 'body')
			if (why) return `${why}: ${language} reads it as ${model}`
		}
	}

	#reader(model, language, n) {
		const key = `${language} ${n} ${model}`
		if (!this.#checks.has(key)) {
			const schema = typedSchema(model, language, n, versionOf)
			this.#checks.set(key, schema ? compile(schema, (name) => this.#reader(name, language, n)) : () => undefined)
		}
		return this.#checks.get(key)
	}

	/* A list says how many there are in all, not fewer than it shows; or 0, when nobody wants to know. */
	#total(body, url) {
		const keys = Object.keys(body), total = body.total ?? body.sum, list = keys.map((k) => body[k]).find(Array.isArray)
		if (keys.length !== 2 || typeof total !== 'number' || !list) return
		const wanted = !['0', 'false'].includes(url.searchParams.get('total'))
		if (wanted ? total < Math.min(list.length, 5000) : total !== 0) return `body.total is ${total} for ${list.length} in the list`
	}

	/* The statuses that go with the type for clients of that version. */
	statusesOf(type, n) {
		const later = this.models.error['x-later-statuses'].find(([t]) => t === type)
		return later && n >= versionOf(later[2]) ? [later[1]] : this.models.error['x-statuses'][type]
	}

	#error(status, body, format, n) {
		for (const text of [body.message, ...(body.trace ?? [])]) if (inner.test(text)) return `it tells what is ours alone: ${text}`
		const why = this.misfit('error', body, undefined)
		if (format?.name === '0.12') return this.#errorOf12(status, body, n)
		if (why) return why
		if (body.code !== status) return `body.code is ${body.code}`
		if (!this.statusesOf(body.type, n).includes(status)) return `body.type ${body.type} does not go with the status`
	}

	/* It had no type. */
	#errorOf12(status, body, n) {
		if (Object.hasOwn(body, 'type')) return 'body.type is not declared'
		return this.#error(status, { ...body, type: Object.keys(this.models.error['x-statuses']).find((t) => this.models.error['x-statuses'][t].includes(status)) }, undefined, n)
	}

	/* Throws when the reply is not as described. `unseen`: do not count it. */
	reply(method, url, speaks, reply, unseen = false) {
		if (besides.some((b) => b.is(method, url, reply))) return
		const op = this.find(method === 'HEAD' ? 'GET' : method, url.pathname.replace(/^\/~[^\/]*(?=\/)/, ''))	/* without the mark of a marked address */
		const version = this.spoken(op, typeof speaks === 'object' ? speaks ?? {} : { header: speaks }), n = versionOf(version)
		/* the models say what clients of 1.9 are told: a text */
		if (n >= 1007000 && n < 1009000) reply = { ...reply, text: reply.text.replace(/"\$sequence":(\d+)(?=[,}])/g, '"$sequence":"$1"') }
		const wrong = this.#reply(method, url, op, version === 'newest' ? undefined : formatOf(this.formats, version), n, reply)
		if (!unseen) note(op?.name ?? 'none', reply.status < 400 ? `${reply.status}` : `${reply.status} ${/"type":"(\w+)"/.exec(reply.text)?.[1] ?? ''}`)
		if (wrong) throw new Misfit(`${method} ${url.pathname}: ${reply.status}: ${wrong}\n${reply.text.slice(0, 500)}`)
	}

	#reply(method, url, op, format, n, reply) {
		const { status, text } = reply, declared = op?.operation.responses[status]
		if (method === 'HEAD') return text === '' ? undefined : 'a body for HEAD'
		if (!op && status < 400) return 'a path that is not described'
		if (!declared && status < 400) return 'a status that is not declared'
		const content = declared ? declared.content : op && op.operation.responses.default.content
		if (content && !content['application/json']) {
			/* an error of the transport is JSON whatever the route */
			if (declared || mediaFits(reply.headers['content-type'], Object.keys(content)[0])) return this.#content(content, reply)
		}
		if (declared && !content) return this.#content(undefined, reply)
		let body
		try { body = JSON.parse(text) } catch { return 'the body is no JSON' }
		if (declared) return this.#content(content, reply, { body, format, n, url })
		if (reply.headers['content-type'] !== 'application/json; charset=UTF-8') return `type ${reply.headers['content-type']} instead of JSON`
		return this.#error(status, body, op && format, n)
	}

	/* The description of the event with one of these names; undefined: none. The exact one is the longest: "teams.x.update.prefs" comes behind "teams.x.update". */
	eventOf(names) {
		const parts = (name) => name.split('.').length
		for (const name of [...names].sort((a, b) => parts(b) - parts(a))) {
			const s = name.split('.')
			for (const [pattern, e] of this.#events)
				if (s.length === pattern.length && pattern.every((part, i) => part === null || part === s[i])) return e
		}
	}

	/* The data of a frame of type event: throws when the payload is of none of the event's models. */
	event(data) {
		for (const k of ['events', 'channels']) if (!Array.isArray(data[k]) || !data[k].every((v) => typeof v === 'string')) throw new Misfit(`an event: ${k} is ${show(data[k])}`)
		if (data.events.some((e) => /^(test\.event|stats\.|console\.tail)/.test(e))) return	/* of the console, about the server itself */
		const e = this.eventOf(data.events)
		if (!e) throw new Misfit(`an event that is not described: ${data.events[0]}`)
		const wrong = e.models.map((m) => this.misfit(m, data.payload, undefined, 'payload'))
		if (wrong.length > 0 && !wrong.includes(undefined)) throw new Misfit(`event ${data.events[0]}: ${wrong.join('; or ')}\n${show(data.payload)}`)
	}
}

/* ---- reading it ---- */

/* Before lib/watch.mjs may have put itself in between. */
const getters = { 'http:': http.request, 'https:': https.request }
function get(url) {
	return new Promise((ok, no) => {
		const rq = getters[url.protocol](url, { rejectUnauthorized: false, agent: false }, (rs) => {
			const parts = []
			rs.on('data', (d) => parts.push(d))
			rs.on('error', no)
			rs.on('end', () => (rs.statusCode === 200 ? ok(JSON.parse(Buffer.concat(parts))) : no(new Error(`${url}: ${rs.statusCode}`))))
		})
		rq.on('error', no)
		rq.setTimeout(60000, () => rq.destroy(new Error(`${url}: no answer`)))
		rq.end()
	})
}

let described
/* All servers that one process talks to are the same program. */
export function description(base) {
	described ??= get(new URL('/v1/openapi.json', base)).then((d) => new Description(d))
	described.catch(() => { described = undefined })
	return described
}
