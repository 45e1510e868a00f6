/* What another machine asks, at the wire: the proof in the head, the seal behind the body, TLS around both. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import https from 'node:https'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import test, { after } from 'node:test'
import tls from 'node:tls'

import { authority } from '../lib/authority.mjs'
import { archive, net, record, start, until } from './executor.mjs'

/* Of an address that no other test uses, so that none takes the port meanwhile. */
const address = `127.${128 + process.pid % 64}.${process.pid >> 6 & 255}.9`
const freePort = () => new Promise((ok) => { const s = net.createServer().listen(0, address, () => { const { port } = s.address(); s.close(() => ok(port)) }) })
const key = createHmac('sha256', 'k'.repeat(64)).update('executors').digest('hex')
const nameOf = (y) => y.announced()?.find(([n]) => n === 'name')[1].toString()
const end = Buffer.from('end 0\n')

/* A request as another machine makes it, or with something of it another. The status. */
function asker(y, port, { secure } = {}) {
	const prove = ({ k = key, method = 'POST', url = '/retire', body = end, length = body.length + 64, time = Date.now(), nonce = randomBytes(16).toString('hex'), at = `${address}:${port}`, name = nameOf(y) } = {}) =>
		`Badal ${time}.${nonce}.${createHmac('sha256', k).update(`${method} ${url} ${at} ${name}\n${length}\n${time}\n${nonce}`).digest('hex')}`
	const seal = (field, body, k = key) => Buffer.from(createHmac('sha256', k).update(`${field}\n`).update(body).digest('hex'))
	const send = (field, body, { method = 'POST', url = '/retire', ...more } = {}) => new Promise((ok, no) => {
		const rq = (secure ? https : http).request({ host: address, port, method, path: url, agent: false, headers: { 'content-length': body.length, ...(field ? { authorization: field } : {}) }, ...secure, ...more }, (rs) => {
			rs.resume()
			rs.on('end', () => ok(rs.statusCode))
		})
		rq.on('error', no)
		rq.end(body)
	})
	const ask = (how = {}) => { const { body = end } = how, field = prove({ ...how, body }); return send(field, Buffer.concat([body, seal(field, body)]), how) }
	return { prove, seal, send, ask }
}

test('a proof of the key made from the master key, for this executor, now, once', async () => {
	const port = await freePort(), y = await start({ executor_listen: `${address}:${port}` }), { prove, seal, send, ask } = asker(y, port)
	const said = Object.fromEntries(y.announced().map(([k, v]) => [k, v.toString()]))
	assert.deepEqual([said.address, said.tls], [`${address}:${port}`, '0'])
	const asked = async () => [await send(undefined, end), await send(`Bearer ${key}`, end), await ask({ k: '0'.repeat(64) }), await ask()]
	assert.deepEqual(await asked(), [401, 401, 401, 204])
	const one = prove(), whole = Buffer.concat([end, seal(one, end)])
	assert.deepEqual([await send(one, whole), await send(one, whole)], [204, 409], 'once')
	for (const wrong of [{ time: Date.now() - 90000 }, { time: Date.now() + 90000 }, { length: 7 }, { length: 71 }, { at: '127.0.0.2:1' }, { name: 'another' }, { nonce: 'short' }, { time: 'x' }])
		assert.equal(await ask(wrong), 401, JSON.stringify(wrong))
	for (const other of [{ url: '/build' }, { method: 'PUT' }]) assert.equal(await send(prove(), whole, other), 401, JSON.stringify(other))
	/* the settings that it has forgotten stay so when they are read anew, and nothing is said of them */
	y.badal.kill('SIGHUP')
	await until(() => y.log().includes('configuration read again'), 'the settings')
	assert.deepEqual(await asked(), [401, 401, 401, 204])
	assert.doesNotMatch(y.log(), /changes at the next start/)
})

test('the body is what was proved, of each kind of question, and nothing is begun before', async () => {
	const port = await freePort(), y = await start({ executor_listen: `${address}:${port}`, functions_start_timeout: '90s' }), { prove, seal, send, ask } = asker(y, port)
	const runtime = y.runtimes.find((r) => r.key === 'node').id, code = archive({ 'index.js': 'module.exports = async (req, res) => res.send("here")' })
	const question = Buffer.concat([...Object.entries({ project: 'p', code: 'far', function: 'f', deployment: 'far', runtime, entrypoint: 'index.js', generation: 1, revision: '1', execution: 'e', method: 'POST', path: '/', limit_ms: 60000, trigger: 'http' })
		.map(([k, v]) => record(k, v)), end])
	const altered = (b) => { const c = Buffer.from(b); c[Math.floor(c.length / 2)] ^= 1; return c }
	for (const [method, url, body] of [['POST', '/run', question], ['POST', '/retire', question], ['POST', '/warm', question], ['PUT', '/code/p/far', code], ['POST', '/build', Buffer.concat([question, code])]]) {
		const how = { method, url }
		for (const [what, make] of [['altered', (f) => [altered(body), seal(f, body)]], ['an altered seal', (f) => [body, altered(seal(f, body))]],
			['the seal of another', (f) => [body, seal(prove({ ...how, body }), body)]], ['with another key', (f) => [body, seal(f, body, '0'.repeat(64))]]]) {
			const field = prove({ ...how, body }), status = await send(field, Buffer.concat(make(field)), how)
			/* a question that makes no sense is not looked at further */
			assert.ok(status === 401 || (what === 'altered' && status === 503), `${url} ${what}: ${status}`)
		}
		assert.equal(await send(prove({ ...how, body, length: body.length }), body, how), 401, `${url} without a seal`)
	}
	await until(() => fs.readdirSync(y.place).every((n) => !/^(in|code|fn|build)-/.test(n)), 'nothing of it left')
	assert.equal(await ask({ url: '/run', body: question }), 404, 'the code is not there')
	assert.equal(await ask({ method: 'PUT', url: '/code/p/far', body: code }), 204)
	assert.equal(await ask({ url: '/run', body: question }), 200)
	assert.equal(await ask({ url: '/build', body: Buffer.concat([question, code]) }), 200)
	/* what comes behind the question is none of it */
	assert.equal(await ask({ url: '/retire', body: Buffer.concat([end, Buffer.from('more')]) }), 503)
})

test('whether a run has begun is told to who lost its answer, and one that has not never will', async () => {
	const port = await freePort(), y = await start({ executor_listen: `${address}:${port}`, functions_start_timeout: '90s' }), { ask } = asker(y, port)
	const runtime = y.runtimes.find((r) => r.key === 'node').id, code = archive({ 'index.js': 'module.exports = async (req, res) => res.send("here")' })
	const question = (fields) => Buffer.concat([...Object.entries(fields).map(([k, v]) => record(k, v)), end])
	const run = (execution) => ask({ url: '/run', body: question({ project: 'p', code: 'far', function: 'f', deployment: 'far', runtime, entrypoint: 'index.js', generation: 1, revision: '1', execution, method: 'POST', path: '/', limit_ms: 60000, trigger: 'http' }) })
	const begun = (execution, ago = 0, project = 'p') => ask({ url: '/begun', body: question({ project, execution, limit_ms: ago }) })
	assert.equal(await run('one'), 404)
	assert.equal(await ask({ method: 'PUT', url: '/code/p/far', body: code }), 204)
	assert.equal(await run('one'), 200)
	assert.deepEqual([await begun('one'), await begun('one', 1e9)], [200, 200])
	assert.deepEqual([await begun('two'), await run('two')], [204, 503], 'it was called off')
	assert.deepEqual([await begun('three', 1e9), await run('three'), await begun('three')], [410, 200, 200], 'so long ago that nobody knows')
	assert.deepEqual([await begun('one', 0, 'q'), await begun('one')], [204, 200], 'another project\'s')
})

test('what was asked of an executor is nothing to the one after it', async () => {
	const port = await freePort(), y = await start({ executor_listen: `${address}:${port}` }), { prove, seal, send, ask } = asker(y, port), name = nameOf(y)
	const before = prove(), whole = Buffer.concat([end, seal(before, end)])
	assert.equal(await send(before, whole), 204)
	y.killed = true
	process.kill(y.pid(), 'SIGKILL')
	const next = await until(() => y.redis('SMEMBERS', '{executors}').toString().split('\n').find((n) => n && n !== name), 'another executor')
	assert.equal(await ask({ name: next }), 204)
	assert.equal(await send(before, whole), 401)
	assert.equal(await ask({ name }), 401)
})

test('TLS: nothing older than 1.2, nothing in clear, and a certificate that is looked at', async () => {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'far-')), port = await freePort()
	after(() => fs.rmSync(dir, { recursive: true }))
	fs.chmodSync(dir, 0o755)
	const ours = authority(dir, 'ours', `IP:${address}`), other = authority(dir, 'other', `IP:${address}`)
	const y = await start({ executor_listen: `${address}:${port}`, executor_tls_cert: ours.cert, executor_tls_key: ours.key })
	assert.equal(y.announced().find(([n]) => n === 'tls')[1].toString(), '1')
	for (const minVersion of ['TLSv1.2', 'TLSv1.3']) assert.equal(await asker(y, port, { secure: { ca: fs.readFileSync(ours.ca), minVersion, maxVersion: minVersion } }).ask(), 204, minVersion)
	await assert.rejects(asker(y, port, { secure: { ca: fs.readFileSync(other.ca) } }).ask(), { code: /VERIFY|SELF_SIGNED/ })
	await assert.rejects(new Promise((ok, no) => tls.connect({ host: address, port, rejectUnauthorized: false, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }, ok).on('error', no)))
	const clear = await asker(y, port).ask().catch((e) => e.code)
	assert.ok(clear === 400 || typeof clear === 'string', `in clear: ${clear}`)
})

test('where it may listen', () => {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'far-'))
	after(() => fs.rmSync(dir, { recursive: true }))
	const { cert, key: k } = authority(dir, 'ours', 'DNS:executor.test'), secure = [`--executor-tls-cert=${cert}`, `--executor-tls-key=${k}`]
	const check = (...args) => { try { return execFileSync(path.resolve(process.env.BADAL ?? 'build/check/badal'), ['config', 'check', ...args], { stdio: ['ignore', 'pipe', 'pipe'] }).toString().trim() } catch (e) { return e.stderr.toString().trim() } }
	for (const at of ['10.0.0.5:9100', '[fd00::5]:9100', 'executor.test:9100', '127.0.0.1:1']) assert.equal(check(`--executor-listen=${at}`), 'ok', at)
	for (const at of ['8.8.8.8:9100', '[2001:4860:4860::8888]:9100']) {
		assert.match(check(`--executor-listen=${at}`), /executor_listen.*in a public network it needs executor_tls_cert/, at)
		assert.equal(check(`--executor-listen=${at}`, ...secure), 'ok', at)
	}
	for (const at of ['0.0.0.0:9100', '[::]:9100']) for (const more of [[], secure]) assert.match(check(`--executor-listen=${at}`, ...more), /one address of this machine/, at)
	for (const at of ['10.0.0.5', '10.0.0.5:', ':9100', '10.0.0.5:0', '10.0.0.5:70000', 'fd00::5:9100', '[fd00::5]']) assert.match(check(`--executor-listen=${at}`), /must be address:port/, at)
	assert.match(check(secure[0]), /needs executor_tls_key/)
	assert.match(check(secure[1]), /needs executor_tls_cert/)
})

test('an executor that does not start leaves nothing behind', async () => {
	const children = () => fs.readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8'), before = children()
	await assert.rejects(start({ executor_listen: '0.0.0.0:9100' }), /it ended/)
	assert.equal(children(), before)
})
