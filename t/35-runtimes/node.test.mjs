/* The runtime server of Node.js: both generations of handlers, what they get, what of theirs is taken, and what they get wrong. */
import assert from 'node:assert/strict'
import http from 'node:http'
import test, { after } from 'node:test'
import { contextIsKept, runsAreApart, start, textsAreKept, timeIsTold } from './runtime.mjs'

const command = [process.execPath, '@node/server.mjs']
const run = (files, how = {}) => start(command, typeof files === 'string' ? { 'index.js': files } : files, { entrypoint: 'index.js', ...how })

test('a handler is taken for what it is', async () => {
	for (const [text, generation, file = 'index.js'] of [
		['module.exports = async (req, res) => { res.send("yes") }', 'v2'],
		['module.exports = async (context) => context.res.text("yes")', 'v5'],
		['module.exports = async ({ req, res, log }) => res.text("yes")', 'v5'],
		['export default async ({ res }) => res.text("yes")', 'v5', 'index.mjs'],
		['export default async (req, res) => { res.send("yes") }', 'v2', 'index.mjs'],
		['"use strict"; Object.defineProperty(exports, "__esModule", { value: true }); exports.default = async ({ res }) => res.text("yes")', 'v5'],
		['exports.default = function (req, res) { res.send("yes") }', 'v2', 'src/main.cjs'],
	]) {
		const f = await run({ [file]: text }, { entrypoint: file })
		assert.deepEqual(f.told, { generation }, text)
		assert.equal(generation === 'v2' ? (await f.old()).response : (await f.ask('GET', '/')).text, 'yes', text)
	}
	const said = await run('module.exports = async (context) => context.res.send("the function says so")', { generation: 'v5' })
	assert.equal((await said.ask('POST', '/')).text, 'the function says so')
})

test('(req, res): what comes, and what goes', async () => {
	const g = await run({ 'index.js': `const fs = require('fs'), beside = require('./lib/beside')
module.exports = async (req, res) => {
	console.log('log', 1, { a: [1] }, null); console.info('info'); console.error('error %d', 7); process.stdout.write('raw\\n')
	const what = JSON.parse(req.payload || '{}')
	if (what.send !== undefined) return res.send(what.send, what.status)
	res.json({ payload: req.payload, v: req.variables.NAME, env: process.env.NAME, header: req.headers.x, file: fs.readFileSync('data.txt', 'utf8'), dir: __dirname === process.cwd(), beside }, what.status)
}`, 'data.txt': 'data', 'lib/beside.js': 'module.exports = "beside"' }, { variables: { NAME: 'ä "quoted"\n$(x)' } })
	const r = await g.old('{"status":201}', { headers: { x: 'y' } })
	assert.deepEqual(r, { status: 201, response: { payload: '{"status":201}', v: 'ä "quoted"\n$(x)', env: 'ä "quoted"\n$(x)', header: 'y', file: 'data', dir: true, beside: 'beside' }, stdout: 'log 1 {"a":[1]} null\ninfo\nraw', stderr: 'error 7' })
	await textsAreKept(g)
})

test('(context): what comes, and what goes', async () => {
	const f = await run({ 'index.mjs': `export default async ({ req, res, log, error }) => {
	log('one', { a: 1 }); error('two'); console.log('three')
	if (req.path === '/binary') return res.binary(Buffer.from(Array.from({ length: 256 }, (_, i) => i)), 200, { 'content-type': 'application/octet-stream', 'x-mine': 'yes', 'X-Open-Runtimes-Log-Id': 'no' })
	if (req.path === '/empty') return res.empty()
	if (req.path === '/to') return res.redirect('https://example.test/', 302)
	if (req.path === '/text') return res.text(req.bodyText, 418)
	if (req.path === '/echo') return res.binary(req.bodyBinary)
	return res.json({ method: req.method, path: req.path, url: req.url, query: req.query, queryString: req.queryString, host: req.host, port: req.port, scheme: req.scheme, headers: req.headers, body: req.body, env: process.env.NAME })
}` }, { entrypoint: 'index.mjs', variables: { NAME: 'value' } })
	await contextIsKept(f)
	assert.equal((await f.send('GET', '/__opr/health')).bytes.toString(), 'OK')
})

test('what a function gets wrong is told', async () => {
	for (const [body, told] of [
		['throw new Error("broken")', /Error: broken\n +at .*index\.js:1/], ['throw undefined', /undefined was thrown/], ['throw "text"', /^text$/], ['throw { code: 7 }', /thrown: \{"code":7\}/],
		['', /ended without an answer/], ['return 5', /ended without an answer/],
	]) {
		const f = await run(`module.exports = async (req, res) => { console.log("before"); ${body} }`), r = await f.old()
		assert.deepEqual([r.status, r.response, r.stdout], [500, '', 'before'], body)
		assert.match(r.stderr, told)
		const g = await run(`module.exports = async (context) => { context.log("before"); ${body} }`), s = await g.ask('GET', '/')
		assert.deepEqual([s.status, s.text, s.logs], [500, '', 'before\n'], body)
		assert.match(s.errors.trimEnd(), /ended/.test(told) ? /returned no answer/ : told)
	}
	/* where nobody waits for it */
	for (const body of ['setTimeout(() => { throw new Error("late") }, 1); await new Promise(() => {})', 'await new Promise(() => process.nextTick(() => { throw new Error("late") }))']) {
		const f = await run(`module.exports = async (req, res) => { console.log("before"); ${body} }`), r = await f.old()
		assert.deepEqual([r.status, r.response, r.stdout], [500, '', 'before'], body)
		assert.match(r.stderr, /^Error: late\n +at .*index\.js:1/)
		const g = await run(`module.exports = async (context) => { context.log("before"); ${body} }`), s = await g.ask('GET', '/')
		assert.deepEqual([s.status, s.text, s.logs], [500, '', 'before\n'], body)
		assert.match(s.errors, /^Error: late\n/)
	}
	/* what is no answer */
	for (const [answer, told] of [['res.send("x", 1000)', /status/i], ['const a = {}; a.a = a; res.json(a)', /circular/], ['res.json({ a: 1n })', /BigInt/]]) {
		const f = await run(`module.exports = async (req, res) => { console.log("before"); ${answer} }`), r = await f.old()
		assert.deepEqual([r.status, r.response, r.stdout], [500, '', 'before'], answer)
		assert.match(r.stderr, told)
	}
	for (const [answer, told] of [['text("x", 200, { "x-a": "b\\r\\nset-cookie: c=d" })', /x-a/], ['text("x", 200, { "x a": "b" })', /x a/], ['text("x", 99)', /status/], ['text("x", "ok")', /status/]]) {
		const f = await run(`module.exports = async ({ res, log }) => { log("before"); return res.${answer} }`), r = await f.ask('GET', '/')
		assert.deepEqual([r.status, r.text, r.logs], [500, '', 'before\n'], answer)
		assert.match(r.errors, told)
	}
	const half = await run('module.exports = async (req, res) => { console.log("a\\ud800b", "\\\\ud800"); res.send("\\udc00\\ud83d\\ude00") }'), h = await half.old()
	assert.deepEqual([h.stdout, h.response], ['a\ufffdb \\ud800', '\ufffd😀'])
	const twice = await run('module.exports = async (req, res) => { res.send("first"); res.send("second") }'), r = await twice.old()
	assert.deepEqual([r.status, r.response], [200, 'first'])
	assert.match(r.stderr, /the first answer counts/)
	for (const [files, told] of [
		[{ 'other.js': '' }, /no file index\.js.*other\.js/], [{ 'index.js': 'syntax error here' }, /SyntaxError/], [{ 'index.js': 'throw new Error("at the beginning")' }, /at the beginning/],
		[{ 'index.js': 'module.exports = 5' }, /exports no function/], [{ 'index.js': 'require("left-pad-not-there")' }, /Cannot find module 'left-pad-not-there'/],
	]) {
		const f = await run(files, { generation: 'v2' })
		assert.match(f.told.error, told)
		assert.match((await f.old()).stderr, told)
	}
	await timeIsTold(() => run('module.exports = async (context) => { context.log("begun"); await new Promise(() => {}) }'))
})

test('runs that overlap have answers and output of their own', async () => {
	const f = await run(`module.exports = async (req, res) => { const n = req.payload; for (let i = 0; i < 20; i++) { console.log(n); await new Promise((ok) => setImmediate(ok)) } setTimeout(() => console.log('late ' + n), 1); res.send(n) }`)
	await runsAreApart(f)
	const g = await run(`module.exports = async ({ req, res, log }) => { for (let i = 0; i < 20; i++) { i % 2 ? log(req.bodyText) : console.log(req.bodyText); await new Promise((ok) => setImmediate(ok)) } return res.text(req.bodyText) }`)
	const more = await Promise.all(Array.from({ length: 24 }, (_, i) => g.ask('POST', '/', { body: `${i}` })))
	more.forEach((r, i) => assert.deepEqual([r.text, r.logs], [`${i}`, `${i}\n`.repeat(20)]))
})

test('output without an end is cut, and told', async () => {
	const f = await run('module.exports = (req, res) => { const x = "é".repeat(1000); for (let i = 0; i < 8000; i++) { process.stdout.write(x); process.stderr.write(x) } res.send("done") }'), r = await f.old()
	assert.equal(r.response, 'done')
	for (const o of [r.stdout, r.stderr]) assert.match(o, /é\n\[3805696 more characters were dropped\]$/)
})

/* A server that answers /now, /never never, and /seen?x once /never?x was asked for. */
async function slowServer() {
	const seen = new Set(), waiting = new Map(), s = http.createServer((rq, rs) => {
		const [at, which] = rq.url.split('?')
		if (at === '/now') rs.end('now')
		else if (at === '/never') { seen.add(which); waiting.get(which)?.end() }
		else if (seen.has(which)) rs.end()
		else waiting.set(which, rs)
	})
	await new Promise((ok) => s.listen(0, '127.0.0.1', ok))
	after(() => { s.closeAllConnections(); s.close() })
	return `http://127.0.0.1:${s.address().port}`
}

test('work that goes on after the answer is told, and that the process is not to serve again', async () => {
	const url = await slowServer()
	for (const [what, kind] of [
		['setInterval(() => {}, 10)', '1 × timer'], ['setTimeout(() => {}, 60000); setTimeout(() => {}, 60000)', '2 × timer'], [`fetch("${url}/never?a").catch(() => {}); await (await fetch("${url}/seen?a")).text()`, '1 × request'],
		[`require("http").get("${url}/never?b").on("error", () => {}); await (await fetch("${url}/seen?b")).text()`, '1 × request'], ['require("child_process").spawn("sleep", ["60"], { stdio: "ignore" })', '1 × child process'],
		['new (require("worker_threads").Worker)("setInterval(() => {}, 10)", { eval: true })', '1 × worker'], ['await new Promise((ok) => require("net").createServer().listen(0, "127.0.0.1", ok))', '1 × server'],
		['(function again() { setImmediate(again) })()', '1 × immediate'],
	]) {
		for (const [args, answer, ask] of [['{ req, res }', 'return res.text("yes")', (f) => f.ask('GET', '/')], ...(/^setInterval/.test(what) ? [['req, res', 'res.send("yes")', (f) => f.old()]] : [])]) {
			const f = await run(`module.exports = async (${args}) => { ${what}; ${answer} }`), r = await ask(f), told = r.errors ?? r.stderr
			assert.equal(r.text ?? r.response, 'yes', what)
			assert.match(told, /^The function went on with work after its answer \(.*\): that ends with the run\.\n?$/, what)
			assert.ok(told.includes(kind), `${what}: ${told}`)
			if (r.headers) assert.equal(r.headers['x-badal-left'], '1')
			f.child.kill('SIGKILL')
		}
	}
})

test('what is no such work', async () => {
	const url = await slowServer(), port = new URL(url).port
	for (const [what, before = ''] of [
		['await new Promise((ok) => setTimeout(ok, 5))'], ['setTimeout(() => {}, 60000).unref()'], ['setTimeout(() => {}, 5)'], ['', 'setInterval(() => {}, 10)'],
		['await (await fetch(URL + "/now")).text()'], ['await new Promise((ok) => require("http").get(URL + "/now", { agent: new (require("http").Agent)({ keepAlive: true }) }, (r) => r.resume().on("end", ok)))'],
		['for await (const x of require("fs").createReadStream(__filename)) x'], ['require("fs").createWriteStream("/dev/null").end("x")'],
		['global.db = require("net").connect(PORT, "127.0.0.1"); await new Promise((ok) => db.on("connect", ok))'], ['await new Promise((ok) => require("child_process").exec("true", ok))'],
	]) {
		let said
		for (let tries = 0; tries < 20 && said !== ''; tries++) {	/* a moment may be long on a busy machine */
			const f = await run(`const URL = "${url}", PORT = ${port}; ${before}; module.exports = async ({ req, res }) => { ${what}; return res.text("yes") }`)
			said = ''
			for (let i = 0; i < 2; i++) {
				const r = await f.ask('GET', '/')
				assert.equal(r.text, 'yes', what)
				said += r.errors + (r.headers['x-badal-left'] ?? '')
			}
			f.child.kill('SIGKILL')
		}
		assert.equal(said, '', what)
	}
})

test('of runs that overlap the last one tells what is left of all', async () => {
	const f = await run(`let open, begun; const first = new Promise((ok) => { open = ok }), second = new Promise((ok) => { begun = ok })
		module.exports = async ({ req, res }) => {
			if (req.path === "/a") { await second; setInterval(() => {}, 10) }
			else if (req.path === "/b") { begun(); await first }
			else open()
			return res.text("yes")
		}`)
	const second = f.ask('GET', '/b')
	assert.equal((await f.ask('GET', '/a')).headers['x-badal-left'], undefined)
	assert.equal((await f.ask('GET', '/c')).headers['x-badal-left'], undefined)
	assert.equal((await second).headers['x-badal-left'], '1')
})
