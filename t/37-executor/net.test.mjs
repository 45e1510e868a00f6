/* What functions reach: the API by the address in their environment, in both generations, and nothing of this machine. The rest is t/30-sandbox/net.test.mjs. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import test, { after } from 'node:test'
import { start, until } from './executor.mjs'

const seen = []
const api = http.createServer((q, a) => { seen.push([q.url, q.socket.remoteAddress]); a.end('our API') })
seen.connections = 0
api.on('connection', (c) => { seen.connections++; c.on('close', () => { seen.connections-- }) })
await new Promise((ok) => api.listen(0, '127.0.0.1', ok))
after(() => { api.close(); api.closeAllConnections() })
const third = 128 + process.pid % 64, pool = `198.18.${third}.0/24`	/* of this process alone */
const { port } = api.address(), x = await start({ functions_endpoint: `http://localhost:${port}/v1`, executor_network: pool, executor_network_way: process.getuid() === 0 ? 'veth' : 'auto' })
const ask = `(base) => fetch(base + "/health").then((r) => r.text()), direct = () => new Promise((ok) => require("net").connect(${port}, "127.0.0.1").on("connect", () => ok("reached")).on("error", (e) => ok(e.code)))`

/* The outer ends of networks have their addresses in their names. */
const slots = () => fs.readdirSync('/sys/class/net').map((name) => /^bdl([0-9a-f]{8})$/.exec(name)?.[1]).filter((a) => a?.startsWith(`c612${third.toString(16)}`)).map((a) => parseInt(a.slice(6), 16) >> 2)
/* How many of them the executor has: the outer end is there a moment before that. */
const held = () => fs.readdirSync(`/proc/${x.pid()}/fd`).filter((fd) => { try { return fs.readlinkSync(`/proc/${x.pid()}/fd/${fd}`).startsWith('net:[') } catch { return false } }).length
const slotOf = (text) => Number(text.split('.')[3]) >> 2

test('the network of the next process is there before it is asked for, and none that is lost is taken', { skip: process.getuid() !== 0 && 'networks are made by root here' }, async () => {
	const where = () => x.function('module.exports = async (req, res) => res.send(require("os").networkInterfaces().eth0[0].address)')
	const used = new Set()
	for (let i = 0; i < 3; i++) {
		await until(() => slots().length === used.size + 1 && held() === used.size + 1, 'the next one')
		const next = slots().find((n) => !used.has(n)), r = await where()({ generation: 1 })
		assert.deepEqual([r.why, slotOf(r.text)], ['done', next], x.log())
		used.add(next)
	}
	await until(() => slots().length === used.size + 1, 'the next one')
	const [net] = execFileSync('pgrep', ['-P', String(x.pid()), '-x', 'badal-net'], { encoding: 'utf8' }).trim().split('\n')
	process.kill(Number(net), 'SIGKILL')
	await until(() => x.processes() === 0, 'the end of those whose network is gone')
	assert.equal((await where()({ generation: 1 })).why, 'done', x.log())
	assert.equal((await where()({ generation: 1 })).why, 'done', x.log())
})

test('the API is reached by both generations, and a run says how deep it is', { skip: process.getuid() !== 0 && 'networks are made by root here' }, async () => {
	const old = x.function(`const ask = ${ask}; module.exports = async (req, res) => res.json([await ask(req.variables.APPWRITE_FUNCTION_API_ENDPOINT), await ask(process.env.APPWRITE_FUNCTION_API_ENDPOINT), await direct()])`, { name: 'old' })
	const now = x.function(`const ask = ${ask}; module.exports = async ({ res }) => res.json([await ask(process.env.APPWRITE_FUNCTION_API_ENDPOINT), await direct()])`, { name: 'now' })
	assert.equal((await old({ generation: 1, depth: 3 })).text, '["our API","our API","ECONNREFUSED"]', x.log())
	assert.equal((await now({ generation: 2, depth: 4, variables: { APPWRITE_FUNCTION_API_ENDPOINT: 'http://localhost/v1' } })).text, '["our API","ECONNREFUSED"]')
	assert.deepEqual(seen.map(([url]) => url), ['/~d3/v1/health', '/~d3/v1/health', '/~d4/v1/health'])
	for (const [, from] of seen) assert.match(from, /^127\.66\./)
})

test('one that takes all connections that it may have, and floods the name server, holds up no other', { skip: process.getuid() !== 0 && 'networks are made by root here' }, async () => {
	const hog = x.function(`const net = require("net"), dgram = require("dgram"); module.exports = async (req, res) => { const s = dgram.createSocket("udp4"), q = Buffer.from("000101000001000000000000016101780000010001", "hex"), all = []
		for (let i = 0; i < 100; i++) all.push(net.connect(80, "127.0.0.54").on("error", () => {}))
		const flood = setInterval(() => { for (let i = 0; i < 200; i++) s.send(q, 53, "127.0.0.53", () => {}) }, 5)
		await Promise.race(all.map((c) => new Promise((ok) => c.on("close", ok)))); clearInterval(flood); for (const c of all) c.destroy(); s.close(); res.send("done") }`, { name: 'hog', limit_ms: 120000 })
	const other = x.function(`const ask = ${ask}; module.exports = async (req, res) => { const got = []; for (let i = 0; i < 20; i++) got.push(await ask(req.variables.APPWRITE_FUNCTION_API_ENDPOINT)); res.json(got) }`, { name: 'other' })
	assert.equal((await other({ generation: 1 })).why, 'done')
	let over = false
	const hogs = hog({ generation: 1 }).then((r) => { over = true; return r })
	await until(() => seen.connections > 60, 'the connections')
	const got = JSON.parse((await other({ generation: 1 })).text)
	assert.equal(over, false, 'it was answered meanwhile')
	assert.deepEqual(got, Array(20).fill('our API'))
	api.closeAllConnections()
	assert.equal((await hogs).text, 'done')
})

test('a build has a network, too, and the executor says what it lacks', { skip: process.getuid() !== 0 && 'networks are made by root here' }, async () => {
	const got = await x.build({ 'index.js': 'x', 'package.json': JSON.stringify({ name: 'x', version: '1.0.0', scripts: { postinstall: 'node -e "process.exit(Object.keys(os.networkInterfaces()).includes(\'eth0\') ? 0 : 9)"' } }) })
	assert.equal(got.ok, true, got.out + got.err)
	const none = await start({ executor_network_way: 'none', executor_accept: 'processors,identity' })
	assert.match(none.why, /network cannot be guaranteed, it is switched off \(executor_network_way\): functions reach neither/)
	assert.deepEqual(none.runtimes, [])
})
