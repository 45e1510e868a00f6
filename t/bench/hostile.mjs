/* What attackers cost the honest: 200 requests a second from one address, alone and beside an attack from others; p99 of what they wait, and memory.
 * node t/bench/hostile.mjs [row…]        BADAL: the build; each row has a server of its own (one web process, the limits of production)
 *
 * A row is a line of `rows`: its name, what is done, what to make first (optional), and the attack, which goes on while `on()` and says in a few words what
 * came of it. The goal is a p99 of at most three times the quiet one (and noise: at least 5 ms), and memory within `bytes_max`.
 *
 * What is measured is how long the server lets the honest wait, not what it costs to make an attack: attackers have machines of their own, and here they
 * share the cores with the server. So there are three sessions of processes, as the kernel shares cores among sessions first (sched_autogroup): the
 * server at the usual priority (a supervisor leads a session on every machine), the honest above it (nice -10, as root), who measure and use little, and
 * the attackers below it (nice 19), who use every core that the server leaves. An attack that keeps the server busy is thus slowed by nobody else,
 * and one that does not is as fast as these cores can make it.
 *
 * A second line says what the server saw of itself in that time, which depends less on what else the machine does (turns.c): the longest turn of the
 * loop in CPU time, how many were over 2 and 5 ms, how many there were, the longest by the clock on the wall; what each kind of honest request waited; how long the loop was ready to run and had
 * no core; and CPU seconds of the loop's thread, the web process's others, PostgreSQL, Redis, and the attackers. HOSTILE_STACKS=<ms> keeps the stacks of turns
 * that take longer, and says where. Where others use the machine, too, HOSTILE_SHIFT=-10 (as root) lifts
 * all three above them. */
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const RATE = 200, QUIET_MS = Number(process.env.HOSTILE_QUIET_MS ?? 3000), ATTACK_MS = Number(process.env.HOSTILE_MS ?? 8000), GOAL = 3, NOISE_MS = 5
const SHIFT = Number(process.env.HOSTILE_SHIFT ?? 0), HONEST_NICE = -10 + SHIFT, ATTACK_NICE = Number(process.env.HOSTILE_ATTACK_NICE ?? 19 + SHIFT)
const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms))
const self = fileURLToPath(import.meta.url)

/* ---- processes of their own: this file once more, at another priority ---- */

const sessionNice = (pid, nice) => { try { writeFileSync(`/proc/${pid}/autogroup`, String(nice)) } catch { /* none here, or not ours to say */ } }
function other(role, nice) {
	const child = spawn('nice', ['-n', String(nice), process.execPath, self, role], { detached: true, stdio: ['ignore', 'inherit', 'ignore', 'ipc'] })
	sessionNice(child.pid, nice)
	return child
}
const reply = (child) => new Promise((ok, no) => { child.once('message', ok).once('exit', (code) => no(new Error(`a process of the measurement ended with ${code}`))) })
const told = (child, m) => { const r = reply(child); child.send(m); return r }
const role = process.argv[2]

/* ---- the honest: requests are due by the clock, whatever became of those before ---- */

async function honest({ port, targets }) {
	const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })
	let took = [], failed = 0, n = 0
	const pending = new Map()	/* when they were due, and of which target */
	const begin = performance.now()
	const one = (due) => {
		const k = n++ % targets.length, { path, headers } = targets[k]
		pending.set(due, k)
		const end = (ok) => { if (pending.delete(due)) { took.push([performance.now() - due, k]); failed += ok ? 0 : 1 } }
		const rq = http.get({ port, host: '127.0.0.1', agent, path, headers: { ...headers, 'x-forwarded-for': '198.51.100.7' }, timeout: 30000 }, (rs) => { rs.resume(); rs.on('end', () => end(rs.statusCode === 200)).on('error', () => {}) })
		rq.on('timeout', () => rq.destroy(new Error('late'))).on('error', () => end(false))
	}
	process.on('message', () => {
		const now = performance.now()
		for (const [due, k] of pending) if (now - due > 1000) took.push([now - due, k])	/* so much at least */
		process.send({ took, failed, pending: pending.size })
		took = []
		failed = 0
	})
	for (let due = 0; ; due += 1000 / RATE) {
		const wait = begin + due - performance.now()
		if (wait > 1) await sleep(wait)
		one(begin + due)
	}
}
if (role === '--honest') {
	process.on('disconnect', () => process.exit(0))
	await honest(await new Promise((ok) => process.once('message', ok)))
}

const { binary, dataDir, start } = await import('../lib/server.mjs')
const { cpuOf, family, percentile, pssOf, turnsEnv, turnsRead, turnsReset } = await import('./lib.mjs')
const h2 = await import('../lib/h2.mjs')

/* ---- the attackers' tools ---- */

let attacker = 0	/* addresses: a few, as of a small farm of machines */
const from = () => `203.0.113.${attacker++ % 8}`
const text = (n) => randomBytes(Math.ceil(n / 2)).toString('hex').slice(0, n)
const sockets = new Set()
function connect(s, onData) {
	const c = net.connect(s.port, '127.0.0.1')
	sockets.add(c)
	c.on('error', () => {}).on('close', () => sockets.delete(c))
	if (onData) c.on('data', onData)
	else c.resume()
	return c
}
/* One request on a connection of its own: the status, 0 when there is none. */
function ask(s, method, path, headers = {}, body = undefined) {
	return new Promise((ok) => {
		const rq = http.request({ port: s.port, host: '127.0.0.1', agent: false, method, path, headers: { 'x-forwarded-for': from(), ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) }, timeout: 20000 },
			(rs) => { rs.resume(); rs.on('end', () => ok(rs.statusCode)).on('error', () => ok(rs.statusCode)) })
		sockets.add(rq)
		rq.on('close', () => sockets.delete(rq)).on('timeout', () => rq.destroy()).on('error', () => ok(0))
		rq.end(body)
	})
}
const json = { 'content-type': 'application/json' }
/* `n` at a time, again and again; what they gave, counted. */
async function flood(on, n, one) {
	const seen = {}
	await Promise.all(Array.from({ length: n }, async (_, i) => {
		for (let k = 0; on(); k++) {
			const r = await one(i, k)
			seen[r] = (seen[r] ?? 0) + 1
		}
	}))
	return JSON.stringify(seen)
}
/* A WebSocket: { send(text), c }, once it is open; null when it is refused. */
function socket(s, query, headers = {}) {
	return new Promise((ok) => {
		const key = randomBytes(16).toString('base64'), lines = Object.entries({ 'X-Forwarded-For': from(), ...headers }).map(([k, v]) => `${k}: ${v}\r\n`).join('')
		const c = connect(s, (d) => { if (/^HTTP\/1.1 101/.test(d.toString('latin1', 0, 20))) ok({ c, send: (t) => c.write(masked(t)) }) })
		c.on('close', () => ok(null))
		c.write(`GET /v1/realtime?${query} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${lines}\r\n`)
	})
}
function masked(t) {
	const p = Buffer.from(t), head = p.length < 126 ? Buffer.from([0x81, 0x80 | p.length]) : Buffer.from([0x81, 0x80 | 126, p.length >> 8, p.length & 255])
	return Buffer.concat([head, Buffer.alloc(4), p])	/* a mask of zeroes */
}
const subscribe = (channels, queries, id) => ({ subscriptionId: id, channels, queries: queries.map((q) => JSON.stringify(q)) })

/* ---- what there is to attack ---- */

const docs = '/databases/d/collections/c/documents'
async function collection(w, size, n, make) {
	const { p } = w
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C', permissions: ['read("any")', 'update("any")'] } })
	for (const [key, length] of [['v', size], ['a', 100], ['b', 100], ['e', 100]]) await p.ok('POST', '/databases/d/collections/c/attributes/string', { body: { key, size: length, required: false } })
	for (let end = Date.now() + 20000; (await p.ok('GET', '/databases/d/collections/c')).attributes.some((a) => a.status !== 'available') && Date.now() < end;) await sleep(20)
	for (let i = 0; i < n; i += 10)
		await Promise.all(Array.from({ length: Math.min(10, n - i) }, (_, k) => p.ok('POST', docs, { body: { documentId: `x${i + k}`, data: { v: make(i + k), a: 'a' } } })))
}
const asGuest = (w) => ({ 'x-appwrite-project': w.p.id })
const list = (queries) => `/v1${docs}?${queries.map((q) => `queries[]=${encodeURIComponent(JSON.stringify(q))}`).join('&')}`

/* ---- the attacks ---- */

const rows = {
	a: {
		what: 'WebSocket handshakes of 15.6 kB: 100 slots of queries, channels again and again',
		async attack({ s, p }, on) {
			const slots = Array.from({ length: 100 }, (_, i) => `documents[${i}][]=${encodeURIComponent(`{"method":"equal","attribute":"a","values":["${i}"]}`)}`).join('&')
			const query = `project=${p.id}&${slots}`.padEnd(15600, '&channels[]=documents')
			return flood(on, 16, async () => { const k = await socket(s, query); k?.c.destroy(); return k ? 'open' : 'refused' })
		},
	},
	b: {
		what: 'messages of 55 kB with many (un)subscribes, 30 on each of 20 sockets',
		async attack({ s, p }, on) {
			const many = []
			for (let i = 0, n = 0; n < 54000; i++) { many.push(subscribe([`databases.d.collections.c.documents.x${i}`], [], `s${i % 200}`)); n += JSON.stringify(many.at(-1)).length + 1 }
			const put = JSON.stringify({ type: 'subscribe', data: many.slice(0, 200) }), all = JSON.stringify({ type: 'subscribe', data: many }), away = JSON.stringify({ type: 'unsubscribe', data: many.map((x) => ({ subscriptionId: x.subscriptionId })) })
			return flood(on, 20, async () => {
				const k = await socket(s, `project=${p.id}&channels[]=files`)
				for (let i = 0; k && i < 30 && on() && !k.c.destroyed; i++) { k.send([put, all, away][i % 3]); await sleep(20) }
				await sleep(200)
				k?.c.destroy()
				return k ? 'socket' : 'refused'
			})
		},
	},
	c: {
		what: 'filters of 50,000 values on an event with 300,000 digits',
		make: (w) => collection(w, 400_000, 1, () => '1'),
		async attack({ s, p }, on) {
			const values = Array.from({ length: 13000 }, (_, i) => String(i % 10)), filter = { method: 'notEqual', attribute: 'v', values: [1] }, ks = []
			for (let i = 0; i < 20; i++) {
				const k = await socket(s, `project=${p.id}&channels[]=files`)
				if (!k) continue
				ks.push(k)
				k.send(JSON.stringify({ type: 'subscribe', data: [subscribe(['documents'], [{ method: 'equal', attribute: 'v', values }], 'one'), subscribe(['documents'], [filter], 'two')] }).slice(0, 63000))
			}
			const body = JSON.stringify({ data: { v: '7'.repeat(300_000) } })
			return `${ks.length} sockets, updates ${await flood(on, 2, () => ask(s, 'PATCH', `/v1${docs}/x0`, { ...asGuest({ p }), ...json }, body))}`
		},
	},
	d: {
		what: 'somebody in 1,000 teams with 100 roles each signs in and opens sockets',
		async make(w) {
			w.user = await w.p.user()
			const roles = Array.from({ length: 100 }, (_, i) => `role${i}`)
			for (let i = 0; i < 1000; i += 20)
				await Promise.all(Array.from({ length: 20 }, (_, k) => w.s.call('POST', '/teams', { project: w.p.id, cookie: w.user.cookie, body: { teamId: `t${i + k}`, name: 'T', roles } })))
		},
		async attack({ s, p, user }, on) {
			return flood(on, 8, async (i) => {
				if (i < 2) return ask(s, 'POST', '/v1/account/sessions/email', { 'x-appwrite-project': p.id, ...json }, JSON.stringify({ email: user.email, password: user.password }))
				if (i < 4) return ask(s, 'PATCH', '/v1/account/prefs', { 'x-appwrite-project': p.id, cookie: user.cookie, ...json }, '{"prefs":{"a":1}}')
				const k = await socket(s, `project=${p.id}&channels[]=teams&channels[]=memberships`, { cookie: user.cookie })
				k?.c.destroy()
				return k ? 'open' : 'refused'
			})
		},
	},
	e: {
		what: 'JSON bodies of 6 MB of tiny values from nobody',
		attack: ({ s }, on) => flood(on, 8, () => ask(s, 'POST', '/v1/account', json, tiny)),
	},
	f: {
		what: 'search and contains with 500 values on long texts, 40 at once',
		make: (w) => collection(w, 100_000, 300, (i) => `${i} ${'lorem ipsum dolor sit amet '.repeat(3500)}`),
		attack: (w, on) => flood(on, 40, (i, k) => ask(w.s, 'GET', list([{ method: i % 2 ? 'contains' : 'notContains', attribute: 'v', values: Array.from({ length: 100 }, (_, n) => `nothing ${n} ${k}`) }]).slice(0, 60000), asGuest(w))),
	},
	g: {
		what: 'ever new shapes of queries: memory of the backends of PostgreSQL',
		make: (w) => collection(w, 1000, 10, () => 'x'),
		attack: (w, on) => flood(on, 8, (i, k) => {
			let n = 1 + k * 8 + i
			const parts = []
			for (let d = 0; n > 0 && d < 12; d++, n = Math.floor(n / 5))
				if (n % 5) parts.push({ method: ['equal', 'notEqual', 'lessThan', 'greaterThan'][n % 5 - 1], attribute: ['a', 'b', 'e', 'v'][d % 4], values: Array.from({ length: 1 + (d % 3) }, () => 'x').slice(0, n % 5 < 3 ? undefined : 1) })
			return ask(w.s, 'GET', list(parts), asGuest(w))
		}),
	},
	h: {
		what: '300 sign-ins in flight, and hashes of bcrypt with cost 16 of another project',
		async make(w) {
			w.user = await w.p.user()
			w.other = await w.s.project()
			const hash = '$2y$16$abcdefghijklmnopqrstuuJ3hqF6sd2K1xV1V0QvX3o9XkMZ0Y3gG'
			w.imported = `${text(10)}@example.org`
			await w.other.call('POST', '/users/bcrypt', { body: { userId: 'unique()', email: w.imported, password: hash } })
		},
		attack: ({ s, p, user, other, imported }, on) => flood(on, 300, (i) => {
			const [project, email] = i % 10 ? [p.id, i % 2 ? user.email : `${text(8)}@example.org`] : [other.id, imported]
			return ask(s, 'POST', '/v1/account/sessions/email', { 'x-appwrite-project': project, ...json }, JSON.stringify({ email, password: 'wrong-password' }))
		}),
	},
	i: {
		what: 'lists of 60 MB that nobody reads, over HTTP/1.1 and 2, in today\'s and an older format',
		make: (w) => collection(w, 700_000, 100, () => 'y'.repeat(600_000)),
		async attack(w, on) {
			const path = list([{ method: 'limit', values: [100] }]), old = 'X-Appwrite-Response-Format: 0.15.0\r\n'
			for (let i = 0; i < 20; i++) {
				const c = connect(w.s)
				c.pause()
				c.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${from()}\r\nX-Appwrite-Project: ${w.p.id}\r\n${i % 2 ? old : ''}\r\n`)
			}
			for (let i = 0; i < 4; i++) {
				const c = connect(w.s), headers = [['x-appwrite-project', w.p.id], ['x-forwarded-for', from()], ...(i % 2 ? [['x-appwrite-response-format', '0.15.0']] : [])]
				c.write(h2.preface())
				for (let k = 0; k < 20; k++) c.write(h2.request(2 * k + 1, headers, { path }))
				const ping = setInterval(() => c.write(Buffer.concat([h2.frame(h2.T.ping, 0, 0, Buffer.alloc(8)), h2.frame(h2.T.window, 0, 1, h2.u32(1))])), 100)
				c.on('close', () => clearInterval(ping))
			}
			/* and some that read, so that pages are made all the time */
			return flood(on, 4, (i) => ask(w.s, 'GET', path, { ...asGuest(w), ...(i % 2 ? { 'x-appwrite-response-format': '0.15.0' } : {}) }))
		},
	},
	j: {
		what: '2,000 bodies and frames of WebSockets that drip',
		async attack({ s, p }, on) {
			const all = []
			for (let i = 0; i < 1000; i++) {
				const c = connect(s)
				c.write(`POST /v1/account HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${from()}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{`)
				all.push(c)
			}
			for (let i = 0; i < 1000; i += 50)
				for (const k of await Promise.all(Array.from({ length: 50 }, () => socket(s, `project=${p.id}&channels[]=files`)))) if (k) { k.c.write(Buffer.from([0x81, 0xfe, 0xf0, 0])); all.push(k.c) }
			while (on()) { for (const c of all) if (!c.destroyed) c.write(' '); await sleep(1000) }
			return `${all.filter((c) => c.destroyed).length} of ${all.length} were closed meanwhile`
		},
	},
	k: {
		what: 'invalid requests with ever new e-mails, ids and addresses: memory of Redis',
		attack: ({ s, p }, on) => flood(on, 16, (i) => {
			const headers = { 'x-appwrite-project': p.id, 'x-forwarded-for': `2001:db8:${text(4)}:${text(4)}::1`, ...json }
			if (i % 4 === 0) return ask(s, 'POST', '/v1/account/sessions/email', headers, JSON.stringify({ email: text(400), password: 'x' }))
			if (i % 4 === 1) return ask(s, 'PUT', '/v1/account/recovery', headers, JSON.stringify({ userId: text(400), secret: 's' }))
			if (i % 4 === 2) return ask(s, 'POST', '/v1/account/sessions/magic-url', headers, JSON.stringify({ userId: 'unique()', email: `${text(300)}@` }))
			return ask(s, 'GET', '/v1/account', { ...headers, cookie: `a_session_${p.id}=${Buffer.from(JSON.stringify({ id: text(20), secret: text(256) })).toString('base64')}` })
		}),
	},
	l: {
		what: '200 sockets that keep 1,000 channels and their queries each',
		async attack({ s, p }, on) {
			const ks = []
			for (let i = 0; i < 200 && on(); i++) {
				const k = await socket(s, `project=${p.id}&channels[]=files`)
				if (!k) continue
				ks.push(k)
				for (let b = 0; b < 10; b++) k.send(JSON.stringify({ type: 'subscribe', data: Array.from({ length: 20 }, (_, n) => subscribe(Array.from({ length: 10 }, (_, c) => `databases.d.collections.c.documents.${i}x${b}x${n}x${c}`), [{ method: 'equal', attribute: 'a', values: [text(300)] }], `s${b}-${n}`)) }))
			}
			while (on()) await sleep(50)
			return `${ks.filter((k) => !k.c.destroyed).length} sockets stay`
		},
	},
	m: {
		what: 'short requests with long paths, as fast as they can be sent: bytes of log',
		async attack({ s, logBytes }, on) {
			const before = logBytes(), began = performance.now(), path = `/v1/${'x'.repeat(2000)}`
			const seen = await flood(on, 16, () => new Promise((ok) => {
				let n = 0
				const c = connect(s, (d) => { n += d.toString('latin1').split('HTTP/1.1 ').length - 1; if (n >= 50 || !on()) { c.destroy(); ok('50') } else c.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`) })
				c.on('close', () => ok('closed'))
				c.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
			}))
			return `${seen}, ${((logBytes() - before) / 1e6 / (performance.now() - began) * 1000).toFixed(2)} MB of log a second`
		},
	},
}
const tiny = Buffer.from(`[${'0,'.repeat(3_100_000)}0]`.slice(0, 6_200_000))

/* ---- measuring ---- */

const known = new Set(execFileSync(binary, ['config']).toString().match(/\b[a-z][a-z0-9_]+(?=\s*=)/g))
/* What the tests switch off is on; builds that lack a setting do without. */
function conf() {
	const want = { web_processes: 1, rate_limits: 'on', env: 'production', argon2_memory: '64m', argon2_time: 3, log_client_rate: 50, log_rate: 2000 }
	return Object.fromEntries(Object.entries(want).map(([k, v]) => [k, known.has(k) ? v : undefined]))
}
const comm = (pid) => { try { return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() } catch { return '' } }
function memory(s) {
	const all = family(s.pid), of = (re) => all.filter((pid) => re.test(comm(pid)))
	return { web: pssOf(of(/web/)) / 1024, postgres: pssOf(of(/postgres/)) / 1024, redis: pssOf(of(/redis/)) / 1024 }
}
const ms = (v) => v.toFixed(1).padStart(8)

/* ---- the server's own view ---- */

const tools = dataDir()
let preload	/* what makes the server see itself */
process.on('exit', () => rmSync(tools, { recursive: true, force: true }))
/* Nanoseconds of CPU so far, by kind; `waited`: the loop was ready and had no core. */
function used(s, web, attackers) {
	const all = family(s.pid), seconds = (re) => cpuOf(all.filter((pid) => re.test(comm(pid)))) / 1e6
	const [loop, waited] = readFileSync(`/proc/${web}/task/${web}/schedstat`, 'utf8').split(' ').map(Number)
	return { loop: loop / 1e9, threads: cpuOf([web]) / 1e6 - loop / 1e9, postgres: seconds(/postgres/), redis: seconds(/redis/), attackers: cpuOf([attackers]) / 1e6, waited: waited / 1e9 }
}
function seenReset(file) {
	turnsReset(file)
	if (existsSync(`${file}.stacks`)) truncateSync(`${file}.stacks`)
}
/* Where the long turns were: the innermost frames of our own with their callers, most frequent first. */
function stacks(text) {
	const all = text.split(/^-- .*\n/m).slice(1).map((t) => [...t.matchAll(/^(\S*?)\((?:(\S*?)\+)?(0x[0-9a-f]+)?\)/gm)].map((m) => ({ file: m[1], name: m[2], at: m[3] })).filter((f) => !f.file.endsWith('turns.so')))
	const ours = [...new Set(all.flat().filter((f) => f.file === binary && !f.name).map((f) => f.at))]
	const names = ours.length ? execFileSync('addr2line', ['-f', '-e', binary, ...ours]).toString().split('\n') : [], name = new Map(ours.map((at, i) => [at, names[2 * i]]))
	const count = new Map()
	for (const t of all) {
		const line = t.map((f) => f.name || name.get(f.at) || path.basename(f.file)).filter((x, i, l) => x !== l[i - 1]).slice(1, 12).join(' < ')
		count.set(line, (count.get(line) ?? 0) + 1)
	}
	return [...count].sort((a, b) => b[1] - a[1]).slice(0, Number(process.env.HOSTILE_STACKS_SHOWN ?? 12)).map(([line, n]) => `        ${String(n).padStart(4)} ${line}`).join('\n')
}

async function measure(name, row) {
	const s = await start({ conf: conf(), session: true, env: { ...preload, ...(process.env.HOSTILE_STACKS ? { TURNS_STACKS: process.env.HOSTILE_STACKS } : {}) } })
	s.checked = false
	const w = { s, p: await s.project() }, others = []
	try {
		await row.make?.(w)
		const targets = [{ path: '/v1/health/version', headers: {} }, { path: '/v1/health/version', headers: { 'x-appwrite-project': w.p.id } }, { path: '/v1/teams', headers: { 'x-appwrite-project': w.p.id, 'x-appwrite-key': w.p.key } }]
		if (SHIFT !== 0) for (const pid of family(s.pid)) sessionNice(pid, SHIFT)
		const good = other('--honest', HONEST_NICE), bad = other('--attack', ATTACK_NICE)
		others.push(good, bad)
		good.send({ port: s.port, targets })
		await told(bad, { name, w: { s: { port: s.port, pid: s.pid }, p: { id: w.p.id, key: w.p.key }, user: w.user, other: w.other && { id: w.other.id }, imported: w.imported } })
		await sleep(500)
		await told(good, 'so far')
		await sleep(QUIET_MS)
		const web = family(s.pid).find((pid) => /web/.test(comm(pid))), file = path.join(tools, String(web))
		const quiet = await told(good, 'so far'), calm = turnsRead(file), rest = memory(s), peak = { ...rest }, end = performance.now() + ATTACK_MS, on = () => performance.now() < end
		seenReset(file)
		if (SHIFT !== 0) for (const pid of family(s.pid)) sessionNice(pid, SHIFT)
		const before = used(s, web, bad.pid), ended = reply(bad)
		bad.send({ ms: ATTACK_MS })
		while (on()) {
			const m = memory(s)
			for (const k in m) peak[k] = Math.max(peak[k], m[k])
			await sleep(Math.min(250, Math.max(1, end - performance.now())))
		}
		const after = used(s, web, bad.pid), turns = turnsRead(file), where = existsSync(`${file}.stacks`) ? stacks(readFileSync(`${file}.stacks`, 'latin1')) : ''
		const under = await told(good, 'so far'), held = Number((await s.call('GET', '/metrics', { root: true, ms: 5000 }).catch(() => ({ text: '' }))).text.match(/^badal_bytes_held (\d+)/m)?.[1] ?? NaN)
		bad.send('enough')	/* who waits for an answer waits no longer */
		const what = await ended
		const p99 = (took, of) => percentile(took.filter(([, k]) => of === undefined || k === of).map(([t]) => t), 0.99)
		const a = p99(quiet.took), b = under.took.length ? p99(under.took) : ATTACK_MS, fine = b <= Math.max(GOAL * a, NOISE_MS) && under.failed === 0
		console.log(`${name}  ${ms(a)} ${ms(b)} ${(b / a).toFixed(1).padStart(7)} ${String(under.failed + under.pending).padStart(6)}  ${['web', 'postgres', 'redis'].map((k) => `${rest[k].toFixed(0)}+${(peak[k] - rest[k]).toFixed(0)}`.padStart(9)).join(' ')} ${(held / 1e6).toFixed(0).padStart(5)}  ${fine ? 'ok  ' : 'OVER'} ${row.what}: ${what}`)
		const cpu = Object.fromEntries(Object.keys(after).map((k) => [k, (after[k] - before[k]).toFixed(2)]))
		console.log(`     server: longest turn ${(turns.longest / 1e6).toFixed(1)} ms (quiet ${(calm.longest / 1e6).toFixed(1)}), ${turns.overTwo} over 2 ms, ${turns.over} over 5 ms, of ${turns.turns}; by the wall ${(turns.wall / 1e6).toFixed(1)} ms; p99 ${targets.map((t, k) => `${path.basename(t.path)} ${p99(under.took, k).toFixed(1)}`).join(', ')} ms; no core for ${cpu.waited} s; CPU s: loop ${cpu.loop}, threads ${cpu.threads}, PostgreSQL ${cpu.postgres}, Redis ${cpu.redis}, attackers ${cpu.attackers}`)
		if (where) console.log(where)
	} finally {
		for (const c of others) c.kill('SIGKILL')
		await s.stop().catch((e) => console.log(`${name}  the server did not end well: ${e.message.slice(-3000)}`))
	}
}

if (role === '--attack') {
	const next = () => new Promise((ok) => process.once('message', ok))
	process.on('disconnect', () => process.exit(0))
	const { name, w } = await next(), begin = next()
	w.logBytes = () => { try { return statSync(`/proc/${w.s.pid}/fd/2`).size } catch { return 0 } }
	process.send('')
	const end = performance.now() + (await begin).ms
	next().then(() => { for (const c of sockets) c.destroy() })
	process.send(await rows[name].attack(w, () => performance.now() < end))
	await new Promise(() => {})
}

const asked = process.argv.slice(2)
for (const a of asked) if (!rows[a]) throw new Error(`no row ${a}: ${Object.keys(rows).join(' ')}`)
preload = turnsEnv(tools)
console.log(`${binary}\n   p99 quiet, under attack (ms), ratio (goal ${GOAL}), failed or late; MiB at rest + more: web, PostgreSQL, Redis; MB held`)
for (const [name, row] of Object.entries(rows)) if (asked.length === 0 || asked.includes(name)) await measure(name, row)
process.exit(0)
