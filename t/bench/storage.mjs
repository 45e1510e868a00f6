/* Storage, each figure as a ratio to a floor of the same run: uploads against cat and a hash, downloads against nginx, small files against GET /v1/account, other
 * requests beside many uploads, and memory: of transfers under way, and at rest.
 * node t/bench/storage.mjs [upload download small beside flight rest]        needs curl, wrk and nginx (found at run time)
 * Where others use the machine, times (beside) say what it does, and not the server; as root: setsid sh -c 'echo -12 >/proc/self/autogroup; node t/bench/storage.mjs beside' */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'

import { form, part, upload } from '../lib/form.mjs'
import { dataDir, start } from '../lib/server.mjs'
import { cpuOf, family, percentile, pssOf, report, reportAtLeast, run, sleep, turnsEnv, turnsRead, turnsReset } from './lib.mjs'

const CHUNK = 5 * 1024 * 1024, GB = 205 * CHUNK, BIG = 100_000_000
const wanted = process.argv.slice(2), does = (name) => wanted.length === 0 || wanted.includes(name)
const dir = isMainThread ? dataDir() : undefined
let s, p, alice
const server = () => family(s.pid)
const pick = (name) => family(s.pid).filter((pid) => { try { return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith(name) } catch { return false } })

async function world(conf = {}, env = {}) {
	s = await start({ env, conf: { web_processes: 1, log_level: 'warn', storage_limit: '2g', ...conf } })
	s.checked = false
	p = await s.project()
	alice = await p.user()
}
const bucket = async (more) => (await p.ok('POST', '/storage/buckets', { body: { bucketId: 'unique()', name: 'B', antivirus: false, permissions: ['create("users")', 'read("any")'], ...more } })).$id

/* A file in chunks, as the SDKs send it. */
async function oneGB(b) {
	const chunk = Buffer.alloc(CHUNK, 'bytes ')
	let id
	for (let at = 0; at < GB; at += CHUNK) {
		const r = await upload(p.call, b, 'unique()', part('film.mp4', chunk), { start: at, total: GB, id, ms: 120000 })
		if (r.status !== 201) throw new Error(r.text)
		id = r.body.$id
	}
	return id
}
/* Microseconds of the web process. */
async function sendFile(b) {
	const before = cpuOf(pick('badal-web'))
	await oneGB(b)
	return cpuOf(pick('badal-web')) - before
}

/* cat into a file, and fsync: the CPU of children that have ended. */
function catCost() {
	const from = path.join(dir, 'from'), to = path.join(dir, 'to')
	writeFileSync(from, Buffer.alloc(GB / 5, 'bytes '))
	const out = execFileSync('bash', ['-c', `cat "$0" "$0" "$0" "$0" "$0" > "$1"; sync "$1"; times`, from, to]).toString().trim().split('\n')[1]
	rmSync(from)
	rmSync(to)
	return out.split(' ').map((t) => t.match(/(\d+)m([\d.]+)s/)).reduce((sum, x) => sum + (Number(x[1]) * 60 + Number(x[2])) * 1e6, 0)
}
/* The cipher alone over so many MiB: microseconds to encrypt, to decrypt, by libsodium, and the same two by OpenSSL. */
function cipherCost(mib) {
	const build = process.env.BADAL ? path.dirname(process.env.BADAL) : new URL('../../build', import.meta.url).pathname
	execFileSync('make', ['-C', build, 't/bench/cipher'], { stdio: ['ignore', 'ignore', 'inherit'] })
	return execFileSync(path.join(build, 't/bench/cipher'), [mib]).toString().split(' ').map(Number)
}
const timed = (fn) => { const before = process.cpuUsage(); fn(); const t = process.cpuUsage(before); return t.user + t.system }
const md5Cost = () => timed(() => { const h = createHash('md5'), b = Buffer.alloc(1 << 20, 'x'); for (let i = 0; i < GB; i += b.length) h.update(b); h.digest() })

async function uploads() {
	await world()
	const plain = await sendFile(await bucket({ encryption: false })), sealed = await sendFile(await bucket({ encryption: true })), cat = catCost(), md5 = md5Cost(), [cipher, , quick] = cipherCost(GB / (1 << 20))
	report('1 GB in chunks of 5 MiB, plain: CPU of the web process', plain / 1e6, 's')
	report('  cat into a file and sync', cat / 1e6, 's')
	report('  one MD5 of it, which the contract wants', md5 / 1e6, 's')
	report('  plain / cat', plain / cat, '×', 2)
	report('  plain / (cat + MD5)', plain / (cat + md5), '×', 2)	/* where pages are at hand cat costs less than MD5 alone: then this is the floor */
	report('the same, sealed', sealed / 1e6, 's')
	report('  the cipher alone, by libsodium', cipher / 1e6, 's')
	report('  sealed / (plain + cipher)', sealed / (plain + cipher), '×', 1.3)
	report('  the same, the cipher by OpenSSL', sealed / (plain + quick), '×', 1.3)
	await s.stop()
}

/* Bytes per second of CPU that a server takes for 16 downloads at a time. */
async function fetched(url, pids, headers = []) {
	const before = cpuOf(pids()), n = 64
	await Promise.all(Array.from({ length: 16 }, async () => { for (let i = 0; i < n / 16; i++) await run('curl', ['-sS', '-f', '-o', '/dev/null', ...headers, url]) }))
	return n * BIG / (cpuOf(pids()) - before)	/* MB/s of CPU */
}

/* What `measure` says of Debian's nginx serving the file; it gets a URL and what tells the pids. */
async function nginx(file, measure) {
	const conf = path.join(dir, 'nginx.conf'), port = 20000 + Math.floor(Math.random() * 20000)
	writeFileSync(conf, `daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log; user root;
events { worker_connections 256; }
http { access_log off; sendfile on; open_file_cache max=100; keepalive_requests 100000000; client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
server { listen 127.0.0.1:${port}; root ${path.dirname(file)}; } }`)
	const child = spawn('nginx', ['-c', conf, '-p', dir], { stdio: 'ignore' })
	await sleep(500)
	const rate = await measure(`http://127.0.0.1:${port}/${path.basename(file)}`, () => family(child.pid))
	child.kill()
	return rate
}

async function downloads() {
	await world({ body_max: '200m' })
	const bytes = Buffer.alloc(BIG, 'bytes '), file = path.join(dir, 'big.bin'), rates = {}
	writeFileSync(file, bytes)
	const fd = openSync(file, 'r')
	fsyncSync(fd)
	closeSync(fd)
	for (const [name, more] of [['plain', { encryption: false }], ['sealed', { encryption: true }]]) {
		const b = await bucket(more), f = (await upload(p.call, b, 'unique()', part('big.bin', bytes), { ms: 120000 })).body
		rates[name] = await fetched(`${s.endpoint}/storage/buckets/${b}/files/${f.$id}/download?project=${p.id}`, server)
	}
	const floor = await nginx(file, fetched)
	report('100 MB, 16 connections, plain: bytes per CPU second', rates.plain, 'MB/s')
	report('  nginx', floor, 'MB/s')
	reportAtLeast('  plain / nginx', rates.plain / floor, '×', 0.7)
	const costs = cipherCost(1000), alone = 1000 * (1 << 20) / costs[1], quick = 1000 * (1 << 20) / costs[3]
	report('the same, sealed', rates.sealed, 'MB/s')
	report('  the cipher alone, by libsodium', alone, 'MB/s')
	reportAtLeast('  sealed / cipher', rates.sealed / alone, '×', 0.6)
	report('  the cipher alone, by OpenSSL, as the server has it', quick, 'MB/s')
	report('  sealed / that', rates.sealed / quick, '×')
	await s.stop()
}

/* Requests per second of CPU. */
async function wrk(url, pids, headers = []) {
	const before = cpuOf(pids()), out = await run('wrk', ['-t1', '-c32', '-d4s', ...headers.flatMap((h) => ['-H', h]), url])
	if (/Non-2xx/.test(out)) throw new Error(out)
	return Number(out.match(/(\d+) requests in/)[1]) / ((cpuOf(pids()) - before) / 1e6)
}

async function small() {
	await world()
	const b = await bucket({ encryption: false }), f = (await upload(p.call, b, 'unique()', part('a.jpg', Buffer.alloc(100_000, 'x')))).body
	const account = await wrk(`${s.endpoint}/account`, server, [`X-Appwrite-Project: ${p.id}`, `Cookie: ${alice.cookie}`])
	const view = await wrk(`${s.endpoint}/storage/buckets/${b}/files/${f.$id}/view?project=${p.id}`, server)
	const file = path.join(dir, 'small.bin')
	writeFileSync(file, Buffer.alloc(100_000, 'x'))
	const floor = await nginx(file, wrk)
	report('GET /v1/account: requests per CPU second', account, '/s')
	report('100 kB viewed: requests per CPU second', view, '/s')
	reportAtLeast('  ratio', view / account, '×', 0.5)
	report('  nginx, the same 100 kB', floor, '/s')
	reportAtLeast('  view / nginx', view / floor, '×', 0.7)
	report('  nginx / account', floor / account, '×')
	await s.stop()
}

/* Times of GET /v1/account, 100 a second, in a thread of its own: who sends the uploads must not wait for itself. */
function pace({ port, headers, ms }) {
	const times = [], agent = new http.Agent({ keepAlive: true, maxSockets: 64 }), end = Date.now() + ms
	const one = () => new Promise((ok) => {
		const began = performance.now()
		http.get({ port, host: '127.0.0.1', path: '/v1/account', agent, headers }, (r) => { r.resume(); r.on('end', () => { times.push(performance.now() - began); ok(r.statusCode) }) }).on('error', ok)
	})
	const all = []
	const timer = setInterval(async () => {
		if (Date.now() < end) return void all.push(one())
		clearInterval(timer)
		const wrong = (await Promise.all(all)).filter((status) => status !== 200).length
		agent.destroy()
		parentPort.postMessage({ times, wrong })
	}, 10)
}

async function paced(ms) {
	const worker = new Worker(new URL(import.meta.url), { workerData: { port: s.port, headers: { 'x-appwrite-project': p.id, cookie: alice.cookie }, ms } })
	const [{ times, wrong }] = await once(worker, 'message')
	if (wrong > 0) throw new Error(`${wrong} requests failed`)
	return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) }
}

/* Uploads that trickle: 1,000 connections, each with a chunk under way, 25 MB/s in all. */
async function beside() {
	const tools = dataDir()
	await world({}, turnsEnv(tools))
	const web = pick('badal-web')[0], seen = path.join(tools, String(web)), waited = () => Number(readFileSync(`/proc/${web}/task/${web}/schedstat`, 'utf8').split(' ')[1]) / 1e9
	const b = await bucket({ encryption: false }), quiet = await paced(8000), calm = turnsRead(seen), f = form({ fileId: 'unique()', file: part('a.bin', Buffer.alloc(300_000, 'x')) })
	let done = 0, failed = 0
	const all = Array.from({ length: 1000 }, () => new Promise((ok) => {
		const rq = http.request({ port: s.port, host: '127.0.0.1', method: 'POST', path: `/v1/storage/buckets/${b}/files`, headers: { ...f.headers, 'content-length': f.body.length, 'x-appwrite-project': p.id, 'x-appwrite-key': p.key } }, (r) => { r.resume(); if (r.statusCode === 201) done++; else failed++; r.on('end', ok) })
		rq.on('error', () => { failed++; ok() })
		let at = 0
		const more = () => { if (at >= f.body.length) return rq.end(); rq.write(f.body.subarray(at, at + 25_000)); at += 25_000; setTimeout(more, 500 + Math.random() * 1000) }
		setTimeout(more, Math.random() * 1000)
	}))
	await sleep(2000)
	turnsReset(seen)
	const before = cpuOf(pick('badal-web')), from = waited(), busy = await paced(8000), cpu = cpuOf(pick('badal-web')) - before, late = waited() - from, turns = turnsRead(seen)
	await Promise.all(all)
	report('p50, p99 of GET /v1/account, quiet', quiet.p50, `${quiet.p99.toFixed(2)} ms`)
	report('  beside 1,000 uploads', busy.p50, `${busy.p99.toFixed(2)} ms`)
	report('  p99 / p99', busy.p99 / quiet.p99, '×', 2)
	report('  the web process meanwhile', cpu / 8e4, '% of a core')
	report('  longest turn of its loop, CPU', turns.longest / 1e6, `ms (quiet ${(calm.longest / 1e6).toFixed(2)}); ${turns.overTwo} of ${turns.turns} over 2 ms, ${turns.over} over 5 ms`)
	report('  its loop was ready and had no core', late, 's of 8')
	report('  uploads done', done, `of 1000, ${failed} failed`)
	await s.stop()
	rmSync(tools, { recursive: true, force: true })
}

/* 100 uploads and 100 downloads of 1 GB, half of them sealed, all of them under way at once: what each holds of memory. A download is read slowly, an upload has
 * sent 20 MB and goes on sending slowly. */
async function flight() {
	const MANY = 50, SENT = 20_000_000, piece = Buffer.alloc(250_000, 'x')
	await world({ body_max: '1g', requests_max: 1000, connections_max: 2000 })
	const plain = await bucket({ encryption: false }), sealed = await bucket({ encryption: true }), files = []
	for (const b of [plain, sealed]) files.push([b, await oneGB(b)])
	const key = { 'x-appwrite-project': p.id, 'x-appwrite-key': p.key }, open = [], memory = () => pssOf(pick('badal-web'))
	const begin = memory(), f = form({ fileId: 'unique()', file: part('a.bin', '') })
	const at = f.body.indexOf('\r\n--badal-test-boundary--'), head = f.body.subarray(0, at), tail = f.body.subarray(at)
	let peak = 0, wrong = 0, ready = 0
	const looks = setInterval(() => { peak = Math.max(peak, memory()) }, 200)
	for (const [b, id] of files) for (let i = 0; i < MANY; i++) {
		const get = http.get({ port: s.port, host: '127.0.0.1', path: `/v1/storage/buckets/${b}/files/${id}/download`, headers: key }, (r) => {
			if (r.statusCode !== 200) wrong++
			ready++
			r.pause()
			const timer = setInterval(() => { r.read(); r.pause() }, 100)
			r.on('close', () => clearInterval(timer))
			r.on('error', () => {})
		})
		get.on('error', () => {})
		const post = http.request({ port: s.port, host: '127.0.0.1', method: 'POST', path: `/v1/storage/buckets/${b}/files`, headers: { ...f.headers, ...key, 'content-length': head.length + 1e9 + tail.length } }, (r) => { if (!wrong++) r.on('data', (t) => console.error(`an upload was refused: ${t}`)) })
		post.on('error', () => {})
		post.write(head)
		let sent = 0
		const more = () => {
			if (post.destroyed) return
			post.write(piece, () => {
				sent += piece.length
				if (sent === SENT) ready++
				setTimeout(more, sent < SENT ? 0 : 250)
			})
		}
		more()
		open.push(get, post)
	}
	for (let i = 0; i < 1200 && ready < 4 * MANY; i++) await sleep(100)
	await sleep(2000)
	clearInterval(looks)
	const all = open.length
	report('transfers of 1 GB under way', ready, `of ${all}, ${wrong} refused`)
	report('  memory of the web process at rest', begin / 1024, 'MiB')
	report('  at most', peak / 1024, 'MiB')
	report('  for each transfer', (peak - begin) / 1024 / all, 'MiB', 1)
	for (const rq of open) rq.destroy()
	await sleep(1000)
	await s.stop()
}

async function rest() {
	await world({ web_processes: 2, db_idle: '5s' })	/* as a minute later without it */
	await sleep(15000)
	report('resident memory of all processes at rest (PSS)', pssOf(family(s.pid)) / 1024, 'MiB', 60)
	await s.stop()
}

if (!isMainThread) pace(workerData)
else for (const [name, fn] of Object.entries({ upload: uploads, download: downloads, small, beside, flight, rest })) if (does(name)) await fn()
if (isMainThread) rmSync(dir, { recursive: true, force: true })
