/* What functions reach: the API by the address in their environment, in both generations, and nothing of this machine. The rest is t/30-sandbox/net.test.mjs. */
import assert from 'node:assert/strict'
import http from 'node:http'
import test, { after } from 'node:test'
import { start } from './executor.mjs'

const seen = []
const api = http.createServer((q, a) => { seen.push([q.url, q.socket.remoteAddress]); a.end('our API') })
await new Promise((ok) => api.listen(0, '127.0.0.1', ok))
after(() => { api.close(); api.closeAllConnections() })
const { port } = api.address(), x = await start({ functions_endpoint: `http://localhost:${port}/v1`, executor_network: '198.18.128.0/20', executor_network_way: process.getuid() === 0 ? 'veth' : 'auto' })
const ask = `(base) => fetch(base + "/health").then((r) => r.text()), direct = () => new Promise((ok) => require("net").connect(${port}, "127.0.0.1").on("connect", () => ok("reached")).on("error", (e) => ok(e.code)))`

test('the API is reached by both generations, and a run says how deep it is', { skip: process.getuid() !== 0 && 'networks are made by root here' }, async () => {
	const old = x.function(`const ask = ${ask}; module.exports = async (req, res) => res.json([await ask(req.variables.APPWRITE_FUNCTION_API_ENDPOINT), await ask(process.env.APPWRITE_FUNCTION_API_ENDPOINT), await direct()])`, { name: 'old' })
	const now = x.function(`const ask = ${ask}; module.exports = async ({ res }) => res.json([await ask(process.env.APPWRITE_FUNCTION_API_ENDPOINT), await direct()])`, { name: 'now' })
	assert.equal((await old({ generation: 1, depth: 3 })).text, '["our API","our API","ECONNREFUSED"]', x.log())
	assert.equal((await now({ generation: 2, depth: 4, variables: { APPWRITE_FUNCTION_API_ENDPOINT: 'http://localhost/v1' } })).text, '["our API","ECONNREFUSED"]')
	assert.deepEqual(seen.map(([url]) => url), ['/~d3/v1/health', '/~d3/v1/health', '/~d4/v1/health'])
	for (const [, from] of seen) assert.match(from, /^127\.66\./)
})

test('a build has a network, too, and the executor says what it lacks', { skip: process.getuid() !== 0 && 'networks are made by root here' }, async () => {
	const got = await x.build({ 'index.js': 'x', 'package.json': JSON.stringify({ name: 'x', version: '1.0.0', scripts: { postinstall: 'node -e "process.exit(Object.keys(os.networkInterfaces()).includes(\'eth0\') ? 0 : 9)"' } }) })
	assert.equal(got.ok, true, got.out + got.err)
	const none = await start({ executor_network_way: 'none', executor_accept: 'processors,identity' })
	assert.match(none.why, /network cannot be guaranteed, it is switched off \(executor_network_way\): functions reach neither/)
	assert.deepEqual(none.runtimes, [])
})
