/* An executor that is reached as one of another machine is: over its address, with a proof in each request. Its socket is taken away. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { test } from 'node:test'

import { deploy } from '../lib/functions.mjs'
import { dataDir, server } from '../lib/server.mjs'

/* Of an address that no other test uses, so that none takes the port meanwhile. */
const address = `127.${64 + process.pid % 64}.${process.pid >> 6 & 255}.9`
const freePort = () => new Promise((ok) => { const s = net.createServer().listen(0, address, () => { const { port } = s.address(); s.close(() => ok(port)) }) })

test('builds, runs and what is retired go to an executor elsewhere', { timeout: 180000 }, async () => {
	const dir = dataDir(), port = await freePort()
	const s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor', executor_dir: path.join(dir, 'executor'), executor_listen: `${address}:${port}` } }), p = await s.project({ name: 'Far' })
	try {
		rmSync(path.join(dir, 'executor', 'executor.sock'))
		const f = await deploy(p, 'module.exports = async (req, res) => res.send(req.payload)', { version: 'v2' })
		for (let i = 0; i < 3; i++) assert.equal((await f.run({ data: `run ${i}` })).response, `run ${i}`)
		await p.ok('DELETE', f.path, { status: 204 })
		const metrics = (await s.call('GET', '/metrics', { root: true })).text
		assert.match(metrics, /^badal_executor_unproved_total 0$/m)
		if (!/functions reach no network/.test(s.log())) assert.match(metrics, /^badal_networks_made_total [1-9]/m)
		assert.match(metrics, /^badal_networks_failed_total 0$/m)
	} finally {
		await s.stop()
		rmSync(dir, { recursive: true, force: true })
	}
})
