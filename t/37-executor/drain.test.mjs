/* An executor that drains: what runs ends, and who writes into a connection that it has kept is answered. An end without an answer would pass for that of
 * a run which had begun (src/io/fetch_local.c). */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import nodeNet from 'node:net'
import path from 'node:path'
import test from 'node:test'
import { start, until } from './executor.mjs'

test('a kept connection is no more closed before its writer than after an answer', { timeout: 120000 }, async () => {
	const x = await start(), socket = nodeNet.connect(path.join(x.place, 'executor.sock')), asks = 'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n'
	let heard = '', ended = false
	socket.on('data', (d) => { heard += d })
	socket.on('end', () => { ended = true })
	socket.on('error', () => { ended = true })
	const answers = () => heard.split('HTTP/1.1 ').length - 1
	socket.write(asks)
	await until(() => answers() === 1, 'the first answer')
	/* until the process that it waits for is ended from here */
	const marker = `${5e6 + process.pid}.5`, f = x.function(`module.exports = async (req, res) => { if (req.payload === 'slow') await new Promise((ok) => require('child_process').spawn('sleep', ['${marker}']).on('exit', ok)); res.send('all') }`, { generation: 1, limit_ms: 100000 })
	assert.equal((await f({ data: 'quick' })).text, 'all')
	const busy = () => Number(new Map(x.announced()).get('busy'))
	await until(() => busy() === 0, 'the first run is announced no more')
	const run = f({ data: 'slow' })
	await until(() => busy() > 0, 'the run is announced as one')
	x.badal.kill('SIGTERM')
	await until(() => x.announced() === null, 'it drains')
	assert.equal(ended, false, 'nothing is said to who has asked nothing')
	socket.write(asks)
	await until(() => ended, 'the end')
	assert.equal(answers(), 2, heard)
	execFileSync('pkill', ['-f', `^sleep ${marker}`])
	const r = await run
	assert.deepEqual([r.why, r.text, r.reason], ['done', 'all', ''])
})

test('a connection that nobody needs ends for both sides at once', { timeout: 120000 }, async () => {
	const x = await start({ keepalive_timeout: '20ms' }), socket = nodeNet.connect({ path: path.join(x.place, 'executor.sock'), allowHalfOpen: true }), asks = 'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n'
	let ended = false, told = null
	socket.on('data', () => { })
	socket.on('end', () => { ended = true })
	socket.on('error', (e) => { told = e.code })
	socket.write(asks)
	await until(() => ended, 'the end')
	socket.write(asks)
	await until(() => told !== null, 'who writes into it is told that it was not taken')
	assert.match(told, /EPIPE|ECONNRESET/)
})
