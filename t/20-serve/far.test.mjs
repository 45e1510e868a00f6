/* An executor that is reached as one of another machine is: over its address, with a proof in each request, in clear and over TLS. Its socket is taken away. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { after, test } from 'node:test'

import { authority } from '../lib/authority.mjs'
import { deploy } from '../lib/functions.mjs'
import { dataDir, run, server, settings, until } from '../lib/server.mjs'

/* Of an address that no other test uses, so that none takes the port meanwhile. */
const address = `127.${64 + process.pid % 64}.${process.pid >> 6 & 255}.9`
const freePort = () => new Promise((ok) => { const s = net.createServer().listen(0, address, () => { const { port } = s.address(); s.close(() => ok(port)) }) })

const dir = dataDir(), ours = authority(dir, 'ours', `IP:${address}`), other = authority(dir, 'other', `IP:${address}`)
const secure = { executor_tls_cert: ours.cert, executor_tls_key: ours.key }
after(() => rmSync(dir, { recursive: true, force: true }))

for (const [what, conf, ca, other_ca, words] of [['in clear', {}, '', ours.ca, /the executor speaks no TLS/], ['over TLS', secure, ours.ca, other.ca, /an executor does not take a run.*certificate/]])
	test(`builds, runs and what is retired go to an executor elsewhere, ${what}, and nothing to whom certificates do not show`, { timeout: 180000 }, async () => {
		const place = path.join(dir, what.replace(' ', '-')), file = `${place}.conf`, look = (at) => writeFileSync(file, `executor_tls_ca = ${at}\n`, { mode: 0o644 })
		look(ca)
		const s = await server({ own: true, args: ['--config', file],
			conf: { web_processes: 1, roles: 'web,relay,jobs,executor', executor_dir: place, executor_listen: `${address}:${await freePort()}`, ...conf } })
		try {
			const p = await s.project({ name: 'Far' }), metrics = async () => (await s.call('GET', '/metrics', { root: true })).text
			rmSync(path.join(place, 'executor.sock'))
			const f = await deploy(p, { 'index.js': 'module.exports = async (req, res) => res.send(req.payload)', data: 'x'.repeat(300000) }, { version: 'v2' })
			for (let i = 0; i < 3; i++) assert.equal((await f.run({ data: `run ${i}` })).response, `run ${i}`)
			look(other_ca)
			s.kill('SIGHUP')
			await until('the settings are read', () => s.log().split('configuration read again').length > 1)
			await until('nothing is sent', async () => (await p.call('POST', `${f.path}/executions`, { body: {}, ms: 60000 })).status === 503)
			assert.match(s.log(), words)
			look(ca)
			s.kill('SIGHUP')
			await until('it is sent again', async () => (await p.call('POST', `${f.path}/executions`, { body: { data: 'again' }, ms: 60000 })).body.response === 'again')
			await p.ok('DELETE', f.path, { status: 204 })
			assert.match(await metrics(), /^badal_executor_unproved_total 0$/m)
			if (!/functions reach no network/.test(s.log())) assert.match(await metrics(), /^badal_networks_made_total [1-9]/m)
			assert.match(await metrics(), /^badal_networks_failed_total 0$/m)
		} finally {
			await s.stop()
		}
	})

/* One that everybody asks first, and that ends each connection once the question is there. What was asked says what it says afterwards. */
test('a run whose answer is lost on its way is run elsewhere only when it has not begun', { timeout: 180000 }, async () => {
	const s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor' } }), asked = new Map()
	const redis = (...a) => execFileSync('redis-cli', ['-s', path.join(s.dataDir, 'run/redis.sock'), '--raw', ...a])
	const liar = http.createServer((rq, rs) => {
		const parts = []
		rq.on('data', (d) => parts.push(d))
		rq.on('end', () => {
			const body = Buffer.concat(parts).toString('latin1'), of = (name) => { const [, n] = new RegExp(`(?:^|.*)${name} (\\d+)\n`).exec(body), at = body.indexOf(`${name} ${n}\n`) + name.length + n.length + 2; return body.slice(at, at + Number(n)) }
			if (rq.url === '/run') asked.set(of('execution'), of('data'))
			const status = rq.url === '/begun' && { begun: 200, not: 204, unknown: 410 }[asked.get(of('execution'))]
			if (!status) return rq.socket.destroy()
			rs.writeHead(status)
			rs.end()
		})
	})
	await new Promise((ok) => liar.listen(0, address, ok))
	try {
		const p = await s.project({ name: 'Lost' }), f = await deploy(p, 'module.exports = async (req, res) => res.send(`ran ${req.payload}`)', { version: 'v2' })
		const record = (name, value) => `${name} ${Buffer.byteLength(value)}\n${value}`, real = redis('SMEMBERS', '{executors}').toString().trim(), text = redis('GET', `{executors}:${real}`).toString()
		const fields = { name: 'liar', local: '', address: `${address}:${liar.address().port}`, tls: '0', why: '', busy: '-1000000000', room: '0', warm: '', kept: '' }
		assert.match(text, /runtime \d+\n/)
		redis('SET', '{executors}:liar', Object.entries(fields).map(([k, v]) => record(k, v)).join('') + text.slice(text.search(/runtime \d+\n/), -1))
		redis('SADD', '{executors}', 'liar')
		await until('it is asked', async () => { await f.run({ data: 'not' }); return asked.size > 0 })
		const all = ['begun', 'not', 'unknown', 'gone'].map((data) => f.run({ data }))
		await Promise.all(all.slice(0, 3))
		redis('DEL', '{executors}:liar')	/* until then it is asked again */
		const [begun, not, unknown, gone] = await Promise.all(all)
		assert.deepEqual([not.status, not.response], ['completed', 'ran not'])
		for (const e of [begun, unknown, gone]) assert.deepEqual([e.status, e.stderr], ['failed', 'The executor was lost, and may have run the function.'])
	} finally {
		liar.close()
		await s.stop()
	}
})

test('doctor says what comes in clear', async () => {
	const said = async (conf) => (await run(['doctor', ...settings({ data_dir: path.join(dir, 'none'), ...conf })])).out
	assert.match(await said({ executor_listen: '10.0.0.5:9100' }), /warn +executor: code, variables and data of functions come to 10\.0\.0\.5:9100 in clear/)
	const fine = await said({ executor_listen: '10.0.0.5:9100', ...secure })
	assert.match(fine, /ok +executor: 10\.0\.0\.5:9100, TLS/)
	assert.match(fine, new RegExp(`ok +TLS: ${ours.cert}`))
})
