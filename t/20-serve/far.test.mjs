/* An executor that is reached as one of another machine is: over its address, with a proof in each request, in clear and over TLS. Its socket is taken away. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { after, test } from 'node:test'

import { authority } from '../lib/authority.mjs'
import { deploy } from '../lib/functions.mjs'
import { dataDir, server, until } from '../lib/server.mjs'

/* Of an address that no other test uses, so that none takes the port meanwhile. */
const address = `127.${64 + process.pid % 64}.${process.pid >> 6 & 255}.9`
const freePort = () => new Promise((ok) => { const s = net.createServer().listen(0, address, () => { const { port } = s.address(); s.close(() => ok(port)) }) })

const dir = dataDir(), ours = authority(dir, 'ours', `IP:${address}`), other = authority(dir, 'other', `IP:${address}`)
const secure = { executor_tls_cert: ours.cert, executor_tls_key: ours.key }
after(() => rmSync(dir, { recursive: true, force: true }))

let n = 0
async function far(conf, fn) {
	const place = path.join(dir, `executor-${n++}`)
	const s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor', executor_dir: place, executor_listen: `${address}:${await freePort()}`, ...conf } })
	try {
		const p = await s.project({ name: 'Far' })
		rmSync(path.join(place, 'executor.sock'))
		await fn(s, p)
		assert.match((await s.call('GET', '/metrics', { root: true })).text, /^badal_executor_unproved_total 0$/m)
	} finally {
		await s.stop()
	}
}

for (const [what, conf] of [['in clear', {}], ['over TLS', { ...secure, executor_tls_ca: ours.ca }]])
	test(`builds, runs and what is retired go to an executor elsewhere, ${what}`, { timeout: 180000 }, () => far(conf, async (s, p) => {
		const f = await deploy(p, { 'index.js': 'module.exports = async (req, res) => res.send(req.payload)', data: 'x'.repeat(300000) }, { version: 'v2' })
		for (let i = 0; i < 3; i++) assert.equal((await f.run({ data: `run ${i}` })).response, `run ${i}`)
		await p.ok('DELETE', f.path, { status: 204 })
		const metrics = (await s.call('GET', '/metrics', { root: true })).text
		if (!/functions reach no network/.test(s.log())) assert.match(metrics, /^badal_networks_made_total [1-9]/m)
		assert.match(metrics, /^badal_networks_failed_total 0$/m)
	}))

/* Nothing of a function goes to whom the certificates do not show. */
for (const [what, conf, words] of [['an authority that is not ours', { ...secure, executor_tls_ca: other.ca }, /certificate/],
	['nobody: it speaks in clear', { executor_tls_ca: ours.ca }, /the executor speaks no TLS/]])
	test(`an executor whose certificate is of ${what} is sent nothing`, { timeout: 180000 }, () => far(conf, async (s, p) => {
		deploy(p, 'module.exports = async (req, res) => res.send("x")').catch(() => {})	/* it is waited for in vain */
		await until('it is said why', () => words.test(s.log()))
	}))
