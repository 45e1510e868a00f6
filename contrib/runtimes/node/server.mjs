/* The runtime server of Node.js functions: loads a function and serves runs of it over HTTP, in both generations of handlers.
 *
 *   (req, res)                 req.variables, req.payload, req.headers; res.send(text, status), res.json(object, status)
 *   (context)                  context.req, context.res, context.log, context.error; what res.text() and the like give is returned
 *
 * It listens on the Unix socket that BADAL_SOCKET names, else on port 3000. The first request is POST /__badal/start: JSON { variables, entrypoint, generation,
 * secret, code }. The variables become the environment before any code of the function is loaded, so that they never pass through execve. The answer,
 * { generation }, says which of the two contracts runs are then asked for by:
 *   v2   POST / with x-internal-challenge: { variables, payload, headers, timeout } in, { response, stdout, stderr } out
 *   v5   any method and path with x-open-runtimes-secret; the answer is the function's own. With "x-badal-logs: inline" the request is a
 *        POST whose method is x-badal-method, and the answer is 200, with its own status in x-badal-status, its body followed by what was logged and by the
 *        errors, and by three lengths of 16 hexadecimal digits (body, logs, errors): so HEAD and 204 have output, too
 * Runs overlap: what is written while a run is served belongs to that run.
 * An answer with x-badal-left says that work of the run goes on in this process: it is to serve no other run. */
import { AsyncLocalStorage } from 'node:async_hooks'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { format } from 'node:util'
import threads from 'node:worker_threads'

const BODY_MAX = 20 * 1024 * 1024, OUTPUT_MAX = 4 * 1024 * 1024	/* characters of each output of a run; the server keeps a million */
const runs = new AsyncLocalStorage()

/* ---- what a run writes ---- */

/* With x-badal-run the executor wants to have what a run writes at once as well, should the process end before the answer: "\x1erun which length\n" and the bytes,
 * on the process's own output. */
function witness(number, which, text) {
	const bytes = Buffer.from(text), all = Buffer.concat([Buffer.from(`\x1e${number} ${which} ${bytes.length}\n`), bytes])
	for (let at = 0; at < all.length; )
		try { at += fs.writeSync(1, all, at) } catch (e) { if (e.code !== 'EAGAIN') return }
}
class Output {
	parts = []
	length = 0
	dropped = 0
	constructor(number, which) { this.number = number; this.which = which }
	add(text) {
		const room = OUTPUT_MAX - this.length
		if (text.length > room) {
			this.dropped += text.length - room
			text = text.slice(0, room)
		}
		if (!text) return
		this.parts.push(text)
		this.length += text.length
		if (this.number) witness(this.number, this.which, text)
	}
	toString() { return this.parts.join('') + (this.dropped ? `\n[${this.dropped} more characters were dropped]` : '') }
}
class Run {
	constructor(rq) {
		const number = Number(rq.headers['x-badal-run'])
		this.logs = new Output(number, 'l')
		this.errors = new Output(number, 'e')
		this.thrown.catch(() => {})
	}
	over = false	/* it was answered: what comes now belongs to nobody */
	left = ''	/* what of it goes on, for people */
	/* what is thrown where nobody waits for it, in a timer or a callback */
	thrown = new Promise((_, no) => { this.fail = no })
	/* the handler, or what is thrown beside it */
	first(work) { return Promise.race([work, this.thrown]) }
}
const word = (v) => (typeof v === 'string' ? v : v instanceof Error ? v.stack : format(typeof v === 'object' && v !== null ? json(v) : v))
const line = (args) => (typeof args[0] === 'string' && args[0].includes('%') ? format(...args) : args.map(word).join(' ')) + '\n'
function json(v) {
	try { return JSON.stringify(v) ?? String(v) } catch { return format('%o', v) }
}
const reason = (e) => (e instanceof Error ? e.stack ?? String(e) : e === undefined ? 'undefined was thrown' : typeof e === 'string' ? e : `thrown: ${json(e)}`)

const to = (which, real) => (...args) => { const run = runs.getStore(); run ? run.over || run[which].add(line(args)) : real.write(line(args)) }
const out = to('logs', process.stdout), err = to('errors', process.stderr)
Object.assign(console, { log: out, info: out, debug: out, dir: (v) => out(v), error: err, warn: err, trace: (...args) => err(new Error(line(args).trimEnd()).stack) })
for (const [stream, which] of [[process.stdout, 'logs'], [process.stderr, 'errors']]) {
	const write = stream.write.bind(stream)
	stream.write = (chunk, encoding, done) => {
		const run = runs.getStore()
		if (!run) return write(chunk, encoding, done)
		if (!run.over) run[which].add(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())
		const call = typeof encoding === 'function' ? encoding : done
		if (call) process.nextTick(call)
		return true
	}
}

/* ---- work that goes on after the answer ---- */

/* What would keep a process alive (Node's own sense of work: no timers that were unref'd) and was not there before. Connections of other protocols than HTTP are no
 * work: databases keep theirs. Who runs beside others is looked at with the last of them. */
const WAIT_MS = 25, TURNS = 10 /* looks at least, for a machine may be busy */, NAMES = { Timeout: 'timer', Immediate: 'immediate', ProcessWrap: 'child process', TCPServerWrap: 'server', HTTP: 'request', FSEventWrap: 'watcher' }
const NO_WORK = new Set(['TCPSocketWrap', 'TLSWrap', 'TTYWrap', 'SignalWrap', 'CloseReq'])
const connections = new Set(), workers = new Set()
class Worker extends threads.Worker {
	constructor(...args) {
		super(...args)
		workers.add(this)
		this.on('exit', () => workers.delete(this))
	}
}
threads.Worker = Worker
syncBuiltinESMExports()
let busy = 0, before = {}, few = 0	/* few: no more than so many resources are no work */
/* A client of HTTP that waits for an answer, of node:http or of fetch; one that is kept for the next request is unref'd. */
const asks = (h) => !connections.has(h) && (h._httpMessage || Object.getOwnPropertySymbols(h).some((s) => s.description === 'parser'))
function alive() {
	const n = { PipeWrap: -connections.size, worker: workers.size }
	let sockets = false
	for (const kind of process.getActiveResourcesInfo?.() ?? []) {
		sockets ||= kind === 'TCPSocketWrap' || kind === 'TLSWrap'
		if (!NO_WORK.has(kind)) n[kind] = (n[kind] ?? 0) + 1
	}
	if (sockets) n.HTTP = process._getActiveHandles().filter(asks).length
	return n
}
/* Runs that leave nothing are most: they are told by a number. */
const count = () => (process.getActiveResourcesInfo?.().length ?? 0) - connections.size
function remember(now = alive()) {
	before = now
	few = count()
}
function enter() {
	if (busy++ > 0 || count() >= few) return
	const now = alive()
	remember(Object.fromEntries(Object.entries(before).map(([kind, n]) => [kind, Math.min(n, now[kind] ?? 0)])))
}
function more() {
	const now = alive()
	return Object.keys(now).filter((kind) => now[kind] > (before[kind] ?? 0)).map((kind) => `${now[kind] - (before[kind] ?? 0)} × ${NAMES[kind] ?? kind}`)
}
/* What ends by itself in a moment (a file that is being closed) is waited for. */
function leave(run) {
	if (busy > 1 || (count() <= few && !workers.size)) busy--
	else return leaveMore(run)
}
async function leaveMore(run) {
	let left = more()
	for (let turns = 0, end = Date.now() + WAIT_MS; left.length && busy === 1 && (turns < TURNS || Date.now() < end); turns++, left = more())
		await new Promise((ok) => setTimeout(ok, 1))
	if (left.length && busy === 1) {
		run.left = left.join(', ')
		run.errors.add(`The function went on with work after its answer (${run.left}): that ends with the run.\n`)
	}
	busy--
}

/* ---- the function ---- */

let secret, handler, generation, broken	/* why there is no handler; shown with every run */
const serving = new Set()

async function load({ code = '/code', entrypoint }) {
	const root = fs.realpathSync(code), file = path.join(root, entrypoint)
	if (!fs.existsSync(file)) throw new Error(`There is no file ${entrypoint}. What there is: ${fs.readdirSync(root).slice(0, 20).join(', ')}`)
	let loaded
	try {
		loaded = await import(pathToFileURL(file))
	} catch (e) {
		if (!/require is not defined|Cannot use import|Unexpected token 'export'/.test(String(e))) throw e
		loaded = createRequire(file)(file)
	}
	for (let at = loaded, i = 0; i < 3 && at; i++, at = at.default)	/* module.exports, export default, and what compilers make of that */
		if (typeof at === 'function') return at
	for (const name of ['main', 'handler']) if (typeof loaded?.[name] === 'function') return loaded[name]
	throw new Error(`${entrypoint} exports no function: module.exports = async (…) => {…}, or export default`)
}

async function start(rq) {
	const told = JSON.parse(await collect(rq))
	Object.assign(process.env, told.variables)
	process.chdir(told.code ?? '/code')
	secret = told.secret
	try {
		handler = await load(told)
	} catch (e) {
		broken = reason(e)
	}
	/* A parameter with a default does not count, nor does what is taken apart: ({ req, res }) is one. */
	remember()
	generation = told.generation && told.generation !== 'arity' ? told.generation : handler?.length >= 2 ? 'v2' : 'v5'
	return { generation, error: broken }
}

/* ---- (req, res) ---- */

async function runOld(asked, run) {
	let answer
	const once = (response, status = 200) => {
		if (answer) run.errors.add('The function has answered already: the first answer counts.\n')
		answer ??= { response, status }
	}
	const req = { variables: asked.variables ?? {}, payload: asked.payload ?? '', headers: asked.headers ?? {} }
	const res = { send: (text, status) => once(text === undefined ? '' : typeof text === 'string' ? text : String(text), status), json: (v, status) => once(v === undefined ? null : v, status) }
	try {
		if (!handler) throw broken
		await run.first(handler(req, res))
		if (!answer) throw new Error('The function ended without an answer: it calls res.send(…) or res.json(…) before it ends.')
	} catch (e) {
		if (!answer) {
			run.errors.add(reason(e) + '\n')
			answer = { response: '', status: 500 }
		} else run.errors.add(reason(e) + '\n')
	}
	return answer
}
const trimmed = (o) => o.toString().replace(/\n$/, '')

async function serveOld(rq, rs) {
	if (rq.headers['x-internal-challenge'] !== secret) return reply(rs, 500, { stderr: 'Unauthorized' })
	const asked = JSON.parse((await collect(rq)) || '{}'), run = new Run(rq)
	Object.assign(process.env, Object.fromEntries(Object.entries(asked.variables ?? {}).filter(([k]) => !/^APPWRITE_FUNCTION_(DATA|EVENT_DATA)$/.test(k)).map(([k, v]) => [k, String(v)])))
	enter()
	const { response, status } = await runs.run(run, () => runOld(asked, run))
	run.over = true
	const leaving = leave(run)
	if (leaving) await leaving
	const told = (response, status) => reply(rs, status, { response, stdout: trimmed(run.logs), stderr: trimmed(run.errors) }, run.left && { 'x-badal-left': '1' })
	try {
		told(response, status)
	} catch (e) {	/* no JSON, or no status */
		run.errors.add(reason(e) + '\n')
		told('', 500)
	}
}

/* ---- (context) ---- */

class Body {
	constructor(bytes, type) { this.bytes = bytes; this.type = type }
	get text() { return this.bytes.toString() }
	get json() { return JSON.parse(this.text || '{}') }
	get any() {
		if (/^application\/json/i.test(this.type)) return this.bytes.length ? this.json : ''
		return /^(application\/octet-stream|image\/|audio\/|video\/)/i.test(this.type) ? this.bytes : this.text
	}
}
function request(rq, bytes) {
	const headers = Object.fromEntries(Object.entries(rq.headers).filter(([k]) => !/^x-(open-runtimes|badal)-/.test(k)))
	const forced = process.env.OPEN_RUNTIMES_HEADERS ? JSON.parse(process.env.OPEN_RUNTIMES_HEADERS) : {}
	for (const [k, v] of Object.entries(forced)) headers[k.toLowerCase()] = String(v)
	const scheme = headers['x-forwarded-proto'] ?? 'http', host = headers.host ?? '', [name, port] = host.split(/:(?=\d+$)/), [at, queryString = ''] = rq.url.split(/\?(.*)/s)
	const body = new Body(bytes, headers['content-type'] ?? '')
	return {
		method: rq.headers['x-badal-method'] ?? rq.method, scheme, host: name, port: Number(port ?? (scheme === 'https' ? 443 : 80)), path: at, queryString, query: Object.fromEntries(new URLSearchParams(queryString)),
		url: `${scheme}://${host}${rq.url}`, headers,
		bodyBinary: bytes, get bodyText() { return body.text }, get bodyRaw() { return body.text }, get bodyJson() { return body.json }, get body() { return body.any },
	}
}
const answer = (body, statusCode = 200, headers = {}) => ({ body, statusCode, headers })
const res = {
	text: (body, status, headers) => answer(body, status, headers),
	send: (body, status, headers) => answer(body, status, headers),
	binary: (bytes, status, headers) => answer(bytes, status, headers),
	json: (v, status, headers = {}) => answer(JSON.stringify(v), status, { ...headers, 'content-type': 'application/json' }),
	empty: () => answer('', 204),
	redirect: (url, status = 301, headers = {}) => answer('', status, { ...headers, location: url }),
}

async function runNew(rq, bytes, run) {
	const context = { req: request(rq, bytes), res, log: (...args) => run.over || run.logs.add(line(args)), error: (...args) => run.over || run.errors.add(line(args)) }
	try {
		if (!handler) { run.errors.add(broken + '\n'); return answer('', 503) }
		const given = await run.first(handler(context))
		if (given && typeof given === 'object' && 'statusCode' in given) return given
		run.errors.add('The function returned no answer: return context.res.text(…), json(…), binary(…), empty() or redirect(…).\n')
	} catch (e) {
		run.errors.add(reason(e) + '\n')
	}
	return answer('', 500)
}
function timed(ms, run, work) {
	let timer
	const over = new Promise((ok) => { timer = setTimeout(() => { run.errors.add('Execution timed out.\n'); ok(answer('', 500)) }, ms) })
	return Promise.race([work, over]).finally(() => clearTimeout(timer))
}
const bytesOf = (body) => (body instanceof Uint8Array ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : body instanceof ArrayBuffer ? Buffer.from(body) : Buffer.from(body === undefined || body === null ? '' : typeof body === 'string' ? body : json(body)))
function headersOf(given) {
	const headers = {}
	for (const [k, v] of Object.entries(given ?? {})) if (!/^x-(open-runtimes|badal)-/i.test(k)) headers[k.toLowerCase()] = Array.isArray(v) ? v.map(String) : String(v)
	headers['content-type'] ??= 'text/plain'
	if (!headers['content-type'].startsWith('multipart/') && !/charset=/i.test(headers['content-type'])) headers['content-type'] += '; charset=utf-8'
	return headers
}

async function serveNew(rq, rs) {
	const h = rq.headers, seconds = Number(h['x-open-runtimes-timeout'] || 0)
	if (secret && h['x-open-runtimes-secret'] !== secret) return reply(rs, 500, { message: 'Unauthorized' })
	if (!(seconds >= 0)) return reply(rs, 500, { message: 'x-open-runtimes-timeout is a number of seconds' })
	if (h['x-badal-endpoint']) process.env.APPWRITE_FUNCTION_API_ENDPOINT = h['x-badal-endpoint']	/* of this run: it says how deep in a chain it is */
	const bytes = await collect(rq), run = new Run(rq)
	enter()
	const work = runs.run(run, () => runNew(rq, bytes, run))
	const given = await (seconds > 0 ? timed(seconds * 1000, run, work) : work)
	run.over = true
	const leaving = leave(run)
	if (leaving) await leaving
	try {
		finish(rs, h, run, given)
	} catch (e) {	/* no status, no header */
		run.errors.add(reason(e) + '\n')
		finish(rs, h, run, answer('', 500))
	}
}
function finish(rs, h, run, given) {
	if (!Number.isInteger(given.statusCode) || given.statusCode < 200 || given.statusCode > 599) throw new RangeError(`The status of an answer is a number from 200 to 599, not ${given.statusCode}.`)
	const body = bytesOf(given.body), headers = headersOf(given.headers)
	if (h['x-badal-logs'] !== 'inline') return rs.writeHead(given.statusCode, { ...headers, 'content-length': body.length }).end(body)
	const logging = h['x-open-runtimes-logging'] !== 'disabled', logs = Buffer.from(logging ? run.logs.toString() : ''), errors = Buffer.from(logging ? run.errors.toString() : '')
	const lengths = Buffer.from([body, logs, errors].map((b) => b.length.toString(16).padStart(16, '0')).join(''))
	delete headers['content-length']
	delete headers['transfer-encoding']
	rs.writeHead(200, { ...headers, 'x-badal-status': given.statusCode, ...(run.left && { 'x-badal-left': '1' }), 'content-length': body.length + logs.length + errors.length + lengths.length }).end(Buffer.concat([body, logs, errors, lengths]))
}

/* ---- serving ---- */

async function collect(rq) {
	const parts = []
	let n = 0
	for await (const part of rq) {
		if ((n += part.length) > BODY_MAX) throw new Error(`A body has at most ${BODY_MAX} bytes.`)
		parts.push(part)
	}
	return Buffer.concat(parts)
}
function reply(rs, status, object, headers) {
	let body = JSON.stringify(object)
	/* half of a pair is no character, and nobody else reads it */
	if (body.includes('\\ud')) body = body.replace(/\\(\\|ud[89a-f][0-9a-f]{2})/g, (m, what) => (what === '\\' ? m : '\ufffd'))
	rs.writeHead(status, { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}
async function serve(rq, rs) {
	if (rq.url === '/__opr/health') return rs.end('OK')
	if (rq.url === '/__badal/start' && generation === undefined) return reply(rs, 200, await start(rq))
	if (generation === undefined) return reply(rs, 503, { stderr: 'The function has not been started.' })
	return generation === 'v2' ? serveOld(rq, rs) : serveNew(rq, rs)
}
const server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (rq, rs) => {
	serving.add(rs)
	rs.on('close', () => serving.delete(rs))
	serve(rq, rs).catch((e) => { if (!rs.headersSent) reply(rs, 500, { stderr: reason(e), stdout: '', response: '' }); else rs.destroy() })
})
server.on('connection', (c) => { connections.add(c); c.on('close', () => connections.delete(c)) })
/* What is thrown outside of every run: it belongs to the run in whose time it was begun, if that is known. */
for (const what of ['uncaughtException', 'unhandledRejection'])
	process.on(what, (e) => {
		const run = runs.getStore()
		if (!run || run.over) process.stderr.write(reason(e) + '\n')
		else if (what === 'uncaughtException') run.fail(e)	/* nobody may come to answer it now */
		else run.errors.add(reason(e) + '\n')
	})
server.listen(process.env.BADAL_SOCKET ?? 3000)
