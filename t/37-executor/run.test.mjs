/* Runs: what a function gets, what of it comes back, and what is told when it does not end well. The real executor and the real interpreters. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { cpus } from 'node:os'
import test from 'node:test'
import { start, until } from './executor.mjs'

const x = await start({ functions_memory: '160m', functions_tmp: '32m', functions_instances_max: 4 })
const OLD = 1, NEW = 2
/* The processes of this machine with this word in their command. */
const named = (word) => fs.readdirSync('/proc').filter((d) => { try { return fs.readFileSync(`/proc/${d}/cmdline`, 'latin1').split('\0').includes(word) } catch { return false } })

test('what is installed is listed, and names of former versions mean it', async () => {
	assert.equal(x.why, '')
	const node = x.runtimes.find((r) => r.key === 'node')
	assert.match(node.id, /^node-\d+(\.0)?$/)
	assert.deepEqual({ ...node, id: '', version: '' }, { id: '', key: 'node', name: 'Node.js', version: '', base: 'host', image: '', logo: 'node.png', entrypoint: 'index.js' })
	const f = x.function('module.exports = async (req, res) => res.send(process.version)', { runtime: 'node-18.0' })
	assert.match((await f()).text, /^v\d+/)
	const none = await x.function('x', { runtime: 'cobol-85.0' })()
	assert.deepEqual([none.why, none.reason], ['failed', 'The runtime "cobol-85.0" is not installed here.'])
})

test('(req, res): variables, payload, trigger, and the environment', async () => {
	const odd = { PEM: '-----BEGIN X-----\nab\r\n-----END X-----\n', QUOTES: `'"\`$(x) \\n %s`, SPACES: '  both ends  ', EMPTY: '' }
	const f = x.function('module.exports = async (req, res) => { console.log("out"); console.error("err"); res.json({ v: req.variables, p: req.payload, env: process.env.PEM, dir: process.cwd(), beside: require("fs").readdirSync(__dirname) }, 201) }', { generation: OLD, variables: odd })
	const r = await f({ data: 'ä💥\u2028\u0000\r12345678901234567890', trigger: 'event', event: 'users.U.create', event_data: '{"a":1}', user: 'u', jwt: 'j' }), got = JSON.parse(r.text)
	assert.deepEqual([r.why, r.status, r.logs, r.errors], ['done', 201, 'out', 'err'])
	for (const [k, v] of Object.entries(odd)) assert.equal(got.v[k], v, k)
	assert.equal(got.p, 'ä💥\u2028\u0000\r12345678901234567890')
	assert.equal(got.env, odd.PEM)
	assert.deepEqual([got.dir, got.beside], ['/code', ['index.js']])
	assert.deepEqual(['TRIGGER', 'EVENT', 'EVENT_DATA', 'USER_ID', 'JWT'].map((k) => got.v[`APPWRITE_FUNCTION_${k}`]), ['event', 'users.U.create', '{"a":1}', 'u', 'j'])
})

test('(context): any method and path, headers, bytes', async () => {
	const f = x.function('module.exports = async ({ req, res, log, error }) => { log("a"); error("b"); return req.method === "PUT" ? res.binary(req.bodyBinary, 200, { "content-type": "application/octet-stream", "x-mine": "yes" }) : res.json({ m: req.method, p: req.path, q: req.query, h: req.headers }) }', { generation: NEW })
	const r = await f({ method: 'PATCH', path: '/a/b?c=d', headers: { 'x-own': 'one', 'x-appwrite-trigger': 'http' } }), got = JSON.parse(r.text)
	assert.deepEqual([r.why, r.status, r.logs, r.errors, got.m, got.p, got.q], ['done', 200, 'a\n', 'b\n', 'PATCH', '/a/b', { c: 'd' }])
	assert.deepEqual([got.h['x-own'], got.h['x-appwrite-trigger'], got.h['x-badal-run']], ['one', 'http', undefined])
	const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i)), b = await f({ method: 'PUT', body: bytes })
	assert.ok(b.body.equals(bytes))
	assert.deepEqual([b.headers['x-mine'], b.headers['content-type']], ['yes', 'application/octet-stream; charset=utf-8'])
})

test('python, php and ruby, both generations', async () => {
	for (const [key, entrypoint, old, now] of [
		['python', 'main.py', 'def main(req, res):\n    print("out")\n    return res.send(req.payload + req.variables["V"])', 'def main(context):\n    context.log("out")\n    return context.res.text(context.req.body_text + "v")'],
		['php', 'index.php', '<?php return function ($req, $res) { echo "out\\n"; return $res->send($req["payload"] . $req["variables"]["V"]); };', '<?php return function ($context) { $context->log("out"); return $context->res->text($context->req->bodyText . "v"); };'],
		['ruby', 'index.rb', 'def main(req, res)\n  puts "out"\n  res.send(req.payload + req.variables["V"])\nend', 'def main(context)\n  context.log("out")\n  context.res.text(context.req.body_text + "v")\nend'],
	]) {
		const runtime = x.runtimes.find((r) => r.key === key)?.id
		if (!runtime) continue	/* this machine has none */
		const a = await x.function(old, { runtime, entrypoint, variables: { V: 'v' } })({ data: '💥 ' }), b = await x.function(now, { runtime, entrypoint })({ body: '💥 ' })
		assert.deepEqual([a.why, a.text, a.logs, b.why, b.text, b.logs], ['done', '💥 v', 'out', 'done', '💥 v', 'out\n'], `${key}: ${a.errors} ${b.errors}`)
	}
})

test('where the API is may be another address in each run', async () => {
	const at = (n) => ({ depth: n, variables: { APPWRITE_FUNCTION_API_ENDPOINT: `http://api.test/~d${n}/v1` } })
	for (const [key, entrypoint, text] of [
		['node', 'index.js', 'module.exports = async ({ res }) => res.text(process.env.APPWRITE_FUNCTION_API_ENDPOINT)'], ['node', 'index.js', 'module.exports = async (req, res) => res.send(process.env.APPWRITE_FUNCTION_API_ENDPOINT)'],
		['python', 'main.py', 'import os\ndef main(context):\n    return context.res.text(os.environ["APPWRITE_FUNCTION_API_ENDPOINT"])'], ['php', 'index.php', '<?php return fn ($context) => $context->res->text(getenv("APPWRITE_FUNCTION_API_ENDPOINT"));'],
		['ruby', 'index.rb', 'def main(context)\n  context.res.text(ENV["APPWRITE_FUNCTION_API_ENDPOINT"])\nend'],
	]) {
		const runtime = x.runtimes.find((r) => r.key === key)?.id
		if (!runtime) continue
		const f = x.function(text, { runtime, entrypoint })
		for (const n of [1, 2]) assert.match((await f(at(n))).text, new RegExp(`^http://[^/]+/~d${n}/v1$`), key)
	}
})

test('a process is kept; with another revision the old one is not asked any more', async () => {
	const f = x.function('let n = 0; module.exports = async (req, res) => res.send(`${++n} ${process.env.V}`)')
	const a = await f({ variables: { V: '1' } }), b = await f({ variables: { V: '1' } })
	assert.deepEqual([a.text, a.cold, b.text, b.cold], ['1 1', true, '2 1', false])
	const c = await f({ variables: { W: '2' }, revision: '2' })
	assert.deepEqual([c.text, c.cold], ['1 undefined', true])
	await x.retire({ deployment: f.deployment })
	assert.equal((await f({ variables: { W: '2' }, revision: '2' })).cold, true)
})

test('what is retired is forgotten, with what was unpacked', async () => {
	const f = x.function('module.exports = async (req, res) => res.send("x")', { name: 'retired' }), codes = () => fs.readdirSync(x.place).filter((d) => /^code-\d+$/.test(d)).length
	const before = codes()
	await f()
	assert.equal(codes(), before + 1)
	await until(async () => { await x.retire({ function: 'retired' }); return codes() === before }, 'its code')
	assert.deepEqual([(await f()).text, codes()], ['x', before + 1])
})

test('the first 30 calls in one moment, and 24 that overlap: each its own answer and output', async () => {
	const f = x.function('module.exports = async (req, res) => { console.log(req.payload); await new Promise((ok) => setTimeout(ok, 20)); console.log(req.payload); res.send(req.payload) }')
	const all = await Promise.all(Array.from({ length: 30 }, (_, i) => f({ data: `${i}` })))
	all.forEach((r, i) => assert.deepEqual([r.why, r.text, r.logs], ['done', `${i}`, `${i}\n${i}`]))
	const g = x.function('module.exports = async ({ req, res, log }) => { log(req.bodyText); await new Promise((ok) => setTimeout(ok, 200)); log(req.bodyText); return res.text(req.bodyText) }')
	const more = await Promise.all(Array.from({ length: 24 }, (_, i) => g({ body: `${i}` })))
	more.forEach((r, i) => assert.deepEqual([r.why, r.text, r.logs], ['done', `${i}`, `${i}\n${i}\n`]))
})

test('a process that ends in a run is told, with what it wrote before; the next run works', async () => {
	for (const [what, why, reason] of [
		['process.exit(7)', 'died', 'The process of the function ended with exit code 7.'],
		['process.abort()', 'died', /signal 6/],
		['process.kill(process.pid, "SIGKILL")', 'died', /signal 9/],
		['require("child_process").execSync("kill -9 -1")', 'died', /ended/],
	]) {
		for (const generation of [OLD, NEW]) {
			const f = x.function(`module.exports = async (...args) => { const [a, res] = args, c = res ? null : a; const fatal = res ? a.payload : c.req.bodyText; console.log("before ä"); console.error("wrong"); if (fatal) { ${what}; await new Promise(() => {}) } return res ? res.send("fine") : c.res.text("fine") }`, { generation })
			const r = await f({ data: 'x', body: 'x' })
			assert.deepEqual([r.why, r.logs, r.status], [why, 'before ä\n', 500], `${what}: ${JSON.stringify(r)}`)
			reason instanceof RegExp ? assert.match(r.reason, reason) : assert.equal(r.reason, reason)
			assert.ok(r.errors.startsWith('wrong\n') && r.errors.endsWith(r.reason), r.errors)
			assert.equal((await f({ data: '', body: '' })).text, 'fine')
		}
	}
})

test('an answer that makes no sense is told, with what was written before, and ends nobody', async () => {
	for (const generation of [OLD, NEW]) {
		const f = x.function(`const { ServerResponse: R } = require("http"), { writeHead, end } = R.prototype; let n = 0
			module.exports = async (...a) => { const res = a[1]; if (!n++) { console.log("before"); R.prototype.writeHead = function (s) { return writeHead.call(this, s, {}) }; R.prototype.end = function () { Object.assign(R.prototype, { writeHead, end }); return end.call(this, "nonsense") } } return res ? res.send("fine " + n) : a[0].res.text("fine " + n) }`, { generation })
		const r = await f()
		assert.deepEqual([r.why, r.status, r.text, r.logs, r.errors], ['failed', 500, '', 'before\n', 'What the function answered cannot be read.'])
		assert.equal((await f()).text, 'fine 2')	/* of the same process */
	}
})

test('one that takes too long ends as a whole, on time, and its output is kept', async () => {
	/* the time of a run begins when its process is there, which the first one sees to */
	const f = x.function(`const { spawn } = require("child_process"); module.exports = async (req, res) => {
		if (req.payload === "fine") return res.send("fine")
		console.log("begun"); spawn("sh", ["-c", "sleep 1; while :; do echo late; done"], { detached: true, stdio: "inherit" }).unref(); await new Promise(() => {}) }`)
	assert.equal((await f({ data: 'fine' })).text, 'fine')
	const r = await f({ data: '', limit_ms: 1500 })
	assert.deepEqual([r.why, r.reason, r.logs], ['time', 'The function did not end within its time of 1.5 s.', 'begun\n'])
	assert.ok(r.seconds >= 1.5, `${r.seconds}`)
	assert.equal((await f({ data: 'fine' })).text, 'fine')
	const spin = x.function('module.exports = async (req, res) => { if (req.payload) return res.send(""); console.log("spins"); for (;;); }')
	await spin({ data: 'x' })
	const s = await spin({ limit_ms: 1500 })
	assert.deepEqual([s.why, s.logs], ['time', 'spins\n'])
})

test('memory, by itself, by its children, in files of memory: told, neighbours unharmed', { skip: process.getuid() !== 0 && 'without rights there may be no control groups' }, async () => {
	const beside = x.function('module.exports = async (req, res) => { await new Promise((ok) => setTimeout(ok, 1000)); res.send("beside") }'), there = beside()
	for (const what of ['const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1))', 'await Promise.all([1, 2, 3, 4].map(() => new Promise((ok) => require("child_process").exec("head -c 60m /dev/zero | tail >/dev/null", ok))))',
		'require("fs").writeFileSync("/dev/shm/x", Buffer.alloc(1)); for (let i = 0; i < 8; i++) try { require("fs").appendFileSync("/dev/shm/" + i, Buffer.alloc(30 << 20, 1)); require("fs").appendFileSync("/tmp/" + i, Buffer.alloc(30 << 20, 1)) } catch {} ; const all = []; for (let i = 0; i < 20; i++) all.push(Buffer.alloc(8 << 20, 1))']) {
		const f = x.function(`module.exports = async (req, res) => { if (req.payload) { console.log("begun"); ${what} } res.send("fine") }`), r = await f({ data: 'x' })
		assert.deepEqual([r.why, r.reason, r.logs.trimEnd()], ['memory', 'The function was ended for want of memory: it may use 160 MiB.', 'begun'], what)
		assert.equal((await f({ data: '' })).text, 'fine')
	}
	const r = await there
	assert.deepEqual([r.why, r.text, r.errors], ['done', 'beside', ''])
})

test('what cannot be loaded is told, and loaded anew the next time', async () => {
	const missing = await x.function({ 'other.js': 'x' }, { generation: OLD })()
	assert.equal(missing.why, 'entrypoint')
	assert.match(missing.errors, /no file index\.js.*other\.js/)
	const broken = await x.function('syntax error')()
	assert.deepEqual([broken.why, broken.status], ['failed', 503])
	assert.match(broken.errors, /SyntaxError/)
	const dies = await x.function('console.error("on my way"); process.exit(3)')()
	assert.deepEqual([dies.why, dies.reason], ['died', 'The process of the function ended with exit code 3.'])
	assert.match(dies.errors, /^on my way\n/)
})

test('output without an end is cut at a character, and told; others go on', async () => {
	const f = x.function('module.exports = async (req, res) => { const n = Number(req.payload); for (let i = 0; i < n; i++) { process.stdout.write("é".repeat(10000)); process.stderr.write("é".repeat(10000)) } res.send("done") }')
	const most = await f({ data: '100' })
	assert.deepEqual([most.why, most.logs.length, most.errors.length], ['done', 1000000, 1000000])
	assert.equal(most.logs, 'é'.repeat(1000000))
	const [more, beside] = await Promise.all([f({ data: '3200' }), x.function('module.exports = async (req, res) => res.send("beside")')()])
	assert.equal(beside.text, 'beside')
	assert.deepEqual([more.why, more.text], ['done', 'done'])
	for (const o of [more.logs, more.errors]) {
		assert.ok([...o].length <= 1000000 && [...o].length > 999000)
		assert.match(o, /é\n\[the rest was dropped: 1,000,000 characters of an output are kept\]\n$/)
	}
})

test('processes, shared memory, threads and a shell work in there', async () => {
	const runtime = x.runtimes.find((r) => r.key === 'python')?.id
	if (runtime) {
		const p = await x.function('import multiprocessing, subprocess, threading\ndef square(n):\n    return n * n\ndef main(req, res):\n    with multiprocessing.Pool(2) as pool:\n        squares = pool.map(square, range(4))\n    return res.json([squares, subprocess.check_output(["sh", "-c", "echo $((6*7))"]).decode()])', { runtime, entrypoint: 'main.py' })()
		assert.deepEqual([p.why, JSON.parse(p.text)], ['done', [[0, 1, 4, 9], '42\n']], p.errors)
	}
	const w = await x.function('const { Worker } = require("worker_threads"); module.exports = (req, res) => new Promise((ok) => new Worker("require(\'worker_threads\').parentPort.postMessage(new SharedArrayBuffer(8).byteLength)", { eval: true }).on("message", (m) => { res.send(String(m)); ok() }))')()
	assert.equal(w.text, '8', w.errors)
})

test('nothing of this machine can be reached or written from a function', async () => {
	const f = x.function(`const fs = require("fs"), net = require("net"); module.exports = async (req, res) => { const got = {}
		for (const file of ["/etc/shadow", ${JSON.stringify(x.dir)}, "/run/badal/../../etc/shadow"]) try { fs.statSync(file); fs.readFileSync(file); got[file] = "read" } catch (e) { }
		for (const file of ["/code/x", "/runtime/x", "/runtime/server.mjs", "/usr/x", "/run/badal/x", "/run/x"]) try { fs.writeFileSync(file, "x"); got[file] = "written" } catch (e) { }
		await Promise.all([${JSON.stringify(`${x.dir}/redis.sock`)}, ${JSON.stringify(`${x.place}/executor.sock`)}].map((s) => new Promise((ok) => net.connect(s).on("connect", () => { got[s] = "connected"; ok() }).on("error", ok))))
		res.json(got) }`)
	const got = JSON.parse((await f()).text)
	if (process.getuid() !== 0) delete got['/run/badal/x']	/* without rights of ours the directory of its socket is its own */
	assert.deepEqual(got, {})
})

test('nothing of a run goes on behind a socket that is none', async () => {
	/* what an evil server puts in place of its socket is not followed to this machine's */
	const f = x.function(`const fs = require("fs"); try { fs.unlinkSync("/run/badal/s"); fs.symlinkSync(${JSON.stringify(`${x.dir}/redis.sock`)}, "/run/badal/s") } catch {} ; module.exports = async (req, res) => res.send("mine")`)
	assert.equal((await f()).text, 'mine')
	assert.equal((await f()).text, 'mine')
})

test('an executor that is killed takes its sandboxes along, and the next one serves', async () => {
	const y = await start()
	y.killed = true
	const marker = `${2e6 + process.pid}.125`, f = y.function(`module.exports = async (req, res) => { if (!req.payload) return res.send("fine"); require("child_process").spawn("sleep", ["${marker}"], { detached: true }); await new Promise(() => {}) }`)
	const hanging = f({ data: 'x' }).then(() => 'answered', () => 'lost')
	await until(() => named(marker).length > 0, 'the run')
	const before = y.announced().find(([n]) => n === 'name')[1].toString()
	process.kill(y.pid(), 'SIGKILL')
	assert.equal(await hanging, 'lost')
	await until(() => named(marker).length === 0, 'the end of its processes')
	await until(() => { try { return execFileSync('redis-cli', ['-s', `${y.dir}/redis.sock`, 'SMEMBERS', '{executors}']).toString().split('\n').some((n) => n && n !== before) } catch { return false } }, 'the next one')
	const next = await f({ data: '' })
	assert.equal(next.text, 'fine', `${next.why} ${next.reason} ${next.errors}`)
})

test('what a run has begun ends with it', { skip: process.getuid() !== 0 && 'without rights there may be no control groups' }, async () => {
	const f = x.function('const { spawn } = require("child_process"); let child; module.exports = async (req, res) => { if (req.payload) { child = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }); child.on("exit", () => { child = null }) } else for (let i = 0; child && i < 500; i++) await new Promise((ok) => setTimeout(ok, 10)); res.send(child ? "there" : "gone") }')
	assert.equal((await f({ data: 'x' })).text, 'there')
	assert.equal((await f({ data: '' })).text, 'gone')
})

test('as a user without rights it serves as well', { skip: process.getuid() !== 0 && 'we have none' }, async () => {
	const y = await start({ executor_accept: 'memory,processes,processors,identity,network' }, { user: 65534 })	/* with a network, if this user can make one */
	assert.equal(y.why, '')
	const b = await y.build({ 'index.js': 'module.exports = async (req, res) => { console.log("out"); res.send(req.payload) }' })
	assert.deepEqual([b.ok, b.why], [true, ''])
	const f = y.function(b.bytes), r = await f({ data: 'x' })
	assert.deepEqual([r.why, r.text, r.logs], ['done', 'x', 'out'], r.errors)
	const dies = await y.function('module.exports = async (req, res) => { console.log("before"); process.exit(7) }')()
	assert.deepEqual([dies.why, dies.logs, dies.reason], ['died', 'before\n', 'The process of the function ended with exit code 7.'])
	/* what it fills its directory with ends it */
	const g = y.function('const fs = require("fs"); module.exports = async (req, res) => { for (let i = 0; req.payload && i < 100; i++) fs.writeFileSync(`/run/badal/${i}`, "x"); res.send(String(fs.readdirSync("/run/badal").length)) }')
	const filled = await g({ data: 'x' })
	assert.ok(filled.text === '101' || filled.why === 'died', `${filled.why} ${filled.text}`)	/* it is looked at once a second, which may be then */
	await until(async () => (await g({ data: '' })).text === '1', 'a new one')
})

test('a run for which there is no room harms none that is under way', async () => {
	const y = await start({ fetches_max: 16, functions_instances_max: 1, functions_overlap_max: 32 })
	/* all that there is room for wait for the last of them, and a while for those that there is none for */
	const f = y.function('let n = 0, last; const all = new Promise((ok) => { last = ok }); module.exports = async (req, res) => { const me = ++n; if (me === 17) setTimeout(last, 3000); if (req.payload) await all; res.send(String(me)) }', { generation: OLD, limit_ms: 60000 })
	assert.equal((await f({ data: '' })).text, '1')
	const all = Array.from({ length: 20 }, () => f({ data: 'x' })), ran = await Promise.all(all)
	const of = (why) => ran.filter((r) => r.why === why)
	assert.deepEqual(of('done').map((r) => Number(r.text)).sort((i, k) => i - k), Array.from({ length: 16 }, (_, i) => i + 2))
	assert.deepEqual(of('failed').map((r) => r.reason), Array(4).fill('The function could not be asked: too much is under way.'))
	assert.equal((await f({ data: '' })).text, '18')
})

test('what was unpacked has a bound: who was used longest ago goes, and is brought again', async () => {
	const y = await start({ executor_code_max: '1m', functions_idle: '1s' }), codes = () => fs.readdirSync(y.place).filter((d) => /^code-\d+$/.test(d)).length
	const make = () => y.function({ 'index.js': 'module.exports = async (req, res) => res.send("x")', data: randomBytes(600 << 10) }), first = make()
	let made = 1
	assert.equal((await first()).text, 'x')
	await until(async () => { made++; assert.equal((await make()()).text, 'x'); return codes() < made - 1 }, 'the first ones gone')
	assert.equal((await first()).text, 'x')
})

test('small files take the disk\'s blocks, which are what is bounded', async () => {
	const y = await start({ functions_unpacked_max: '1m' }), small = (n) => y.function({ 'index.js': 'module.exports = async (req, res) => res.send("x")', ...Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}`, 'x'])) })
	assert.equal((await small(100)()).text, 'x')
	assert.equal((await small(400)()).reason, 'The archive unpacks to more than 1 MiB.')
})

test('a run that waits for a process ends with who asked: it would be asked for again', async () => {
	const y = await start({ functions_instances_max: 1, functions_overlap_max: 1 }), marker = `${4e6 + process.pid}.5`
	/* until the process that it waits for is ended from here */
	const f = y.function(`let n = 0; module.exports = async (req, res) => { n++; if (req.payload === 'long') await new Promise((ok) => require('child_process').spawn('sleep', ['${marker}']).on('exit', ok)); res.send(String(n)) }`, { generation: OLD, limit_ms: 300000 })
	const all = (n) => until(() => Number(y.announced()?.find(([k]) => k === 'busy')[1]) === Math.floor(n * 100 / cpus().length), `${n} runs and waiting`)
	assert.equal((await f({ data: '0' })).text, '1')
	const first = f({ data: 'long' })
	await all(1)
	const left = new AbortController(), second = f({ data: '0', signal: left.signal })
	await all(2)
	left.abort()
	await assert.rejects(second)
	await all(1)
	for (const pid of named(marker)) process.kill(Number(pid), 'SIGKILL')
	assert.equal((await first).text, '2')
	assert.equal((await f({ data: '0' })).text, '3')
})

test('work that goes on after the answer ends with the run, and is told', { skip: process.getuid() !== 0 && 'without rights there may be no control groups' }, async () => {
	const write = 'fs.appendFileSync("/tmp/late", "x")', look = 'await new Promise((ok) => setTimeout(ok, 300)); res.json({ born, late: fs.existsSync("/tmp/late") })'
	for (const [what, told] of [
		[`setInterval(() => ${write}, 50)`, /^The function went on with work after its answer \(1 × timer\): that ends with the run\.$/],
		['require("child_process").spawn("sh", ["-c", "sleep 0.2; echo x >/tmp/late"], { detached: true, stdio: "ignore" }).unref()', /^(A process|2 processes) that the run had begun went on after/],
		['require("child_process").spawn("sh", ["-c", "setsid sh -c \\"sleep 0.2; echo x >/tmp/late\\" & sleep 0.2; echo x >/tmp/late"], { stdio: "ignore" })', /1 × child process/],
	]) {
		const f = x.function(`const fs = require("fs"), born = Math.random(); module.exports = async (req, res) => { if (req.payload === "begin") { ${what}; res.json({ born }) } else { ${look} } }`)
		const first = await f({ data: 'begin' }), second = await f()
		assert.deepEqual([first.why, second.why, JSON.parse(second.text).late, second.errors], ['done', 'done', false, ''], what)
		assert.match(first.errors, told, what)
		/* another process where something went on in it, the same one where it did not */
		assert.equal(JSON.parse(first.text).born === JSON.parse(second.text).born, /^(A process|2 processes) that/.test(first.errors), what)
	}
	/* and where nothing goes on the process stays */
	const calm = x.function('module.exports = async (req, res) => { await new Promise((ok) => require("child_process").exec("true", ok)); res.send("") }')
	const a = await calm(), b = await calm()
	assert.deepEqual([a.errors, b.errors, b.cold], ['', '', false])
})

test('each of very many processes that a run began ends with it', { skip: process.getuid() !== 0 && 'without rights there may be no control groups' }, async () => {
	const y = await start({ functions_processes: 2000, functions_memory: '1g', functions_start_timeout: '60s' })
	const f = y.function(`const { spawn } = require("child_process"), processes = () => require("fs").readdirSync("/proc").filter((n) => Number(n)).length
		module.exports = async (req, res) => {
			if (!req.payload) return res.send(String(processes()))
			const c = spawn("sh", ["-c", "i=0; while [ $i -lt 1000 ]; do (read x <&3) & i=$((i+1)); done; echo all; read x <&3"], { detached: true, stdio: ["ignore", "pipe", "inherit", "pipe"] })
			await new Promise((ok) => c.stdout.once("data", ok))
			for (const s of [c.stdout, c.stdio[3], c]) s.unref()
			res.send(String(processes()))
		}`, { generation: OLD, limit_ms: 60000 })
	const few = Number((await f({ data: '' })).text), many = await f({ data: 'x' })
	assert.equal(Number(many.text), few + 1001)
	assert.match(many.errors, /^1001 processes that the run had begun went on after/)
	/* the same process serves on, alone */
	await until(async () => Number((await f({ data: '' })).text) === few, 'all gone')
	assert.equal((await f({ data: '' })).cold, false)
})
