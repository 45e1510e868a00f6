/* A running Badal for tests.
 *
 *   const s = await server()                       the shared one: BADAL_ENDPOINT, else a private one for this process
 *   const s = await server({ own: true, conf: {} })   always a private one, with settings; s.stop() ends it
 *
 * The program is the one BADAL names, else build/badal. A private server lives in a data directory of its own under the
 * temporary directory, and both are gone when the process ends, however it ends. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { seed } from './seed.mjs'

import { description } from './shapes.mjs'
import { bodyIn, isOurs, pathIn, queryIn, said } from './tables.mjs'

export const binary = process.env.BADAL || fileURLToPath(new URL('../../build/badal', import.meta.url))
export const unique = (prefix = '') => prefix + randomBytes(8).toString('hex')
export const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms))

/* Waits until `test` gives something true. */
export async function until(what, test, ms = 60000) {
	const end = Date.now() + ms
	for (;;) {
		const v = await test()
		if (v) return v
		if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`)
		await sleep(10)
	}
}

/* Windows of the clock, as limits and schedules have them, turn meanwhile unless one begins when some of theirs is left: both in ms. */
export const early = (window, left) => until('a while before the window turns', () => Date.now() % window < window - left, left + 60000)

/* For a program that is told its port: one of a loopback address that is this process's alone, so that nobody takes it before the program does. "address:port". */
export async function ownPort(fits = () => true) {
	const n = process.pid, host = `127.${64 + (n & 63)}.${n >> 6 & 255}.${2 + (n >> 14 & 127)}`
	for (;;) {
		const port = await new Promise((ok) => { const s = net.createServer().listen(0, host, () => { const { port: p } = s.address(); s.close(() => ok(p)) }) })
		if (fits(port)) return `${host}:${port}`
	}
}

/* ---- processes ---- */

const running = new Set()

/* Gone, or only waiting to be reaped. */
export function gone(pid) {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
		return stat.slice(stat.lastIndexOf(')') + 2)[0] === 'Z'
	} catch {
		return true
	}
}

function nap(ms) {
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/* At the end of the process nothing asynchronous runs any more. */
function cleanUp() {
	for (const r of running)
		if (!gone(r.pid)) process.kill(r.pid, 'SIGTERM')
	const end = Date.now() + 15000
	for (const r of running) {
		while (!gone(r.pid) && Date.now() < end) nap(20)
		if (!gone(r.pid)) process.kill(r.pid, 'SIGKILL')
		if (r.remove) rmSync(r.data, { recursive: true, force: true })
	}
	running.clear()
}
process.on('exit', cleanUp)
for (const [name, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]])
	process.on(name, () => process.exit(code))

export function dataDir() {
	const dir = mkdtempSync(path.join(os.tmpdir(), 'badal-t-'))
	chmodSync(dir, 0o755)	/* as root, the servers run as somebody else */
	return dir
}

function cleanEnv(extra) {
	const env = {}
	for (const [k, v] of Object.entries(process.env))
		if (!k.startsWith('BADAL_')) env[k] = v
	return { ...env, ...extra }
}

/* `badal` with arguments, to its end: { code, signal, out, err }. */
export function run(args, { env, ms = 60000, input } = {}) {
	return new Promise((ok, no) => {
		const child = spawn(binary, args, { env: cleanEnv(env), stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] })
		let out = '', err = ''
		const timer = setTimeout(() => child.kill('SIGKILL'), ms)
		child.stdout.on('data', (d) => (out += d))
		child.stderr.on('data', (d) => (err += d))
		if (input !== undefined) child.stdin.end(input)
		child.on('error', no)
		child.on('close', (code, signal) => { clearTimeout(timer); ok({ code, signal, out, err }) })
	})
}

/* Sandboxes are tried by a start with the executor: only who runs functions has one. */
const testSettings = { port: 0, roles: 'web,relay,jobs', listen: '127.0.0.1', rate_limits: 'off', console_signup: 'open', web_processes: 2, log_level: 'info', log_client_rate: 0, log_rate: 0, argon2_memory: '8m', argon2_time: 1 }
export const settings = (conf) => Object.entries(conf).filter(([, v]) => v !== undefined).map(([k, v]) => `--${k.replaceAll('_', '-')}=${v}`)

/* Starts `badal serve` and waits for its ready line. `session`: it leads one of its own. */
export async function start({ data, conf = {}, env, args = [], ms = 90000, remove = data === undefined, program = binary, session = false } = {}) {
	data ??= dataDir()
	if (remove) seed(path.join(data, 'data'))
	const logFile = path.join(remove ? data : os.tmpdir(), `badal-${unique()}.log`), fd = openSync(logFile, 'w')
	const argv = ['serve', ...settings({ ...testSettings, data_dir: path.join(data, 'data'), ...conf }), ...args]
	/* the kernel ends it when we are killed */
	const child = spawn('setpriv', ['--pdeathsig', 'TERM', program, ...argv], { detached: session, env: cleanEnv(env), stdio: ['ignore', 'pipe', fd] })
	const r = { pid: child.pid, data, remove }
	let out = ''
	const log = () => { try { return readFileSync(logFile, 'utf8') } catch { return '' } }
	running.add(r)
	closeSync(fd)
	const exit = new Promise((ok) => child.once('exit', (code, signal) => {
		if (!remove) { r.log = log(); rmSync(logFile, { force: true }) }
		ok({ code, signal })
	}))
	const ready = new Promise((ok) => child.stdout.on('data', (d) => {
		out += d
		const m = out.match(/^ready (\S+)$/m)
		if (m) ok(m[1])
	}))
	let timer
	const late = new Promise((ok) => { timer = setTimeout(ok, ms, null) })
	const endpoint = await Promise.race([ready, late, exit.then((e) => ({ e }))])
	clearTimeout(timer)
	if (endpoint === null || endpoint.e) {
		const why = endpoint === null ? `badal serve: not ready within ${ms} ms` : `badal serve ended with ${JSON.stringify(endpoint.e)}`
		const error = new Error(`${why}\n${(r.log ?? log()).slice(-4000)}`)
		error.log = r.log ?? log()
		error.exit = endpoint?.e
		if (endpoint === null) { child.kill('SIGTERM'); await exit }
		running.delete(r)
		if (remove) rmSync(data, { recursive: true, force: true })
		throw error
	}
	child.unref()
	child.stdout.unref()
	const s = new Server(endpoint)
	Object.assign(s, { responseFormat: conf.response_format, pid: child.pid, data, dataDir: path.join(data, 'data'), log: () => r.log ?? log(), kill: (signal) => process.kill(child.pid, signal) })
	/* who waits for the end keeps the process alive until then */
	Object.defineProperty(s, 'exit', { get() { child.ref(); return exit } })
	/* SIGTERM, and the status it ended with must be 0: a sanitizer's report makes it another. */
	s.stop = async () => {
		child.ref()
		if (!gone(child.pid)) child.kill('SIGTERM')
		let patience
		const e = await Promise.race([exit, new Promise((ok) => { patience = setTimeout(ok, 60000, null) })])
		clearTimeout(patience)
		const text = s.log()
		if (e === null) { child.kill('SIGKILL'); await exit }
		running.delete(r)
		if (remove) rmSync(data, { recursive: true, force: true })
		if (e === null || e.code !== 0) throw new Error(`badal serve ended with ${JSON.stringify(e)}\n${text.slice(-4000)}`)
	}
	return s
}

/* The own children of a server's supervisor, by the name of their process. */
export function children(s, name) {
	const found = []
	for (const pid of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
		try {
			const stat = readFileSync(`/proc/${pid}/stat`, 'latin1'), end = stat.lastIndexOf(')')
			if (Number(stat.slice(end + 2).split(' ')[1]) === s.pid && stat.slice(stat.indexOf('(') + 1, end) === name && stat[end + 2] !== 'Z') found.push(Number(pid))
		} catch { /* it went meanwhile */ }
	}
	return found
}

/* ---- requests ---- */

const agents = { 'http:': new http.Agent({ keepAlive: true, maxSockets: 64 }), 'https:': new https.Agent({ keepAlive: true, rejectUnauthorized: false }) }

/* "a=b; c=d" of a reply's Set-Cookie lines, as a browser would send it back. */
export const cookieOf = (reply) => (reply.headers['set-cookie'] ?? []).map((c) => c.split(';')[0]).filter((c) => !c.endsWith('=') && !c.endsWith('=deleted')).join('; ')

function encode(body, headers) {
	if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return body
	headers['content-type'] ??= 'application/json'
	return JSON.stringify(body)
}

/* Where servers of this process are: lib/watch.mjs looks at what other clients get from them. */
export const served = new Set()

export class Server {
	#console
	checked = true	/* off: another build, which describes itself otherwise (bench) */
	constructor(endpoint) {
		this.endpoint = this.url = endpoint
		this.base = new URL(endpoint)
		served.add(this.base.origin)
		this.port = Number(this.base.port)
	}

	/* Throws when the reply is not as the server describes it (shapes.mjs).
	 * Path below the endpoint ("/account"), or from the root when it begins with "/v1/" or `root` is set. `body`: an object is sent as
	 * JSON, text and buffers as they are. `query`: an object of parameters, lists as name[]. `unseen`: it is no test of the operation (50-api/coverage). The body of the reply is parsed when it is JSON. */
	call(method, target, { project, key, cookie, jwt, mode, headers = {}, body, query, root = false, ms = 60000, unseen = false } = {}) {
		const h = Object.fromEntries(Object.entries(headers).map(([k, v]) => [k.toLowerCase(), v]))
		const path = (root || target.startsWith('/v1/') ? '' : '/v1') + target, tables = process.env.BADAL_FAMILY === 'tables' && isOurs(path)
		const data = encode(tables ? bodyIn(body) : body, h), url = new URL(tables ? pathIn(path) : path, this.base)
		for (const [name, value] of Object.entries({ 'x-appwrite-project': project, 'x-appwrite-key': key, 'x-appwrite-jwt': jwt, 'x-appwrite-mode': mode, cookie }))
			if (value !== undefined) h[name] ??= value
		for (const [k, v] of Object.entries(query ?? {}))
			for (const one of [v].flat()) url.searchParams.append(Array.isArray(v) ? `${k}[]` : k, tables ? queryIn(one) : one)
		if (tables) h['x-appwrite-response-format'] ??= this.responseFormat ?? '1.0.0'	/* the rules that the tests of documents know */
		if (data !== undefined) h['content-length'] ??= Buffer.byteLength(data)
		return new Promise((ok, no) => {
			const rq = (url.protocol === 'https:' ? https : http).request(url, { method, headers: h, agent: agents[url.protocol], timeout: ms }, (rs) => {
				const parts = []
				rs.on('data', (d) => parts.push(d))
				rs.on('error', no)
				rs.on('end', () => {
					const raw = Buffer.concat(parts), text = raw.toString(), json = /json/.test(rs.headers['content-type'] ?? '')
					try { ok({ status: rs.statusCode, headers: rs.headers, raw, text, body: json && text !== '' ? JSON.parse(text) : text }) } catch (e) { no(e) }
				})
			})
			rq.on('timeout', () => rq.destroy(new Error(`${method} ${target}: no answer within ${ms} ms`)))
			rq.on('error', no)
			rq.end(data)
		}).then(async (reply) => {
			if (!this.checked) return reply
			const api = await description(this.base)
			api.reply(method, url, { header: h['x-appwrite-response-format'], sdk: [h['x-sdk-name'], h['x-sdk-version']], setting: this.responseFormat }, reply, unseen)
			return tables ? { ...reply, body: said(reply.body) } : reply
		})
	}

	/* The same, and the status must be the expected one (default: any 2xx); gives the body. */
	async ok(method, target, options = {}) {
		const r = await this.call(method, target, options)
		if (options.status ? r.status !== options.status : r.status < 200 || r.status > 299)
			throw new Error(`${method} ${target}: ${r.status} ${r.text.slice(0, 500)}`)
		return r.body
	}

	/* The first user of a server with a domain brings the token that it printed. */
	signUp() {
		const token = this.log?.().match(/^sign-up token ([0-9a-f]{32})$/m)?.[1]
		return token ? { 'x-appwrite-signup-token': token } : {}
	}

	/* A person with an account and a session in `project`. */
	async user({ project = 'console', name = 'Ada', email = `${unique('u')}@example.org`, password = 'correct-horse', id = unique() } = {}) {
		await this.ok('POST', '/account', { project, headers: project === 'console' ? this.signUp() : {}, body: { userId: id, email, password, name } })
		const r = await this.call('POST', '/account/sessions/email', { project, body: { email, password } })
		if (r.status !== 201) throw new Error(`session: ${r.status} ${r.text}`)
		const cookie = cookieOf(r), as = { project, cookie }
		return { id, email, password, name, cookie, session: r.body,
			call: (m, t, o = {}) => this.call(m, t, { ...as, ...o }), ok: (m, t, o = {}) => this.ok(m, t, { ...as, ...o }) }
	}

	/* The console user of this process. */
	console() {
		return this.#console ??= this.user({ project: 'console', name: 'Console' })
	}

	/* A fresh project of the console user: id, key (a secret with all scopes, or `scopes`), and helpers. */
	async project({ name = 'Test', scopes = allScopes, id = unique('p') } = {}) {
		const owner = await this.console()
		const team = await owner.ok('POST', '/teams', { body: { teamId: unique(), name } })
		await owner.ok('POST', '/projects', { body: { projectId: id, name, teamId: team.$id } })
		const p = { id, name, teamId: team.$id, console: owner, endpoint: this.endpoint }
		p.addKey = async (list = allScopes, more = {}) =>
			(await owner.ok('POST', `/projects/${id}/keys`, { body: { name: 'key', scopes: list, ...more } })).secret
		p.addPlatform = (body) => owner.ok('POST', `/projects/${id}/platforms`, { body: { type: 'web', name: 'Web', ...body } })
		p.key = await p.addKey(scopes)
		p.user = (o = {}) => this.user({ ...o, project: id })
		/* with the key; as the console's owner in admin mode; as a guest */
		p.call = (m, t, o = {}) => this.call(m, t, { project: id, key: p.key, ...o })
		p.ok = (m, t, o = {}) => this.ok(m, t, { project: id, key: p.key, ...o })
		p.admin = (m, t, o = {}) => this.call(m, t, { project: id, mode: 'admin', cookie: owner.cookie, ...o })
		p.guest = (m, t, o = {}) => this.call(m, t, { project: id, ...o })
		return p
	}

	async stop() {}
}

export const allScopes = [
	'users.read', 'users.write', 'teams.read', 'teams.write', 'databases.read', 'databases.write', 'collections.read', 'collections.write',
	'attributes.read', 'attributes.write', 'indexes.read', 'indexes.write', 'documents.read', 'documents.write', 'files.read', 'files.write',
	'buckets.read', 'buckets.write', 'functions.read', 'functions.write', 'execution.read', 'execution.write', 'locale.read', 'avatars.read',
	'health.read',
]

/* ---- the door ---- */

let shared
export function server({ own = false, conf, ...options } = {}) {
	if (own || conf) return start({ conf, ...options })
	return shared ??= process.env.BADAL_ENDPOINT ? Promise.resolve(new Server(process.env.BADAL_ENDPOINT.replace(/\/$/, ''))) : start()
}
