/* Health: what fails says so, and none of it waits for long. What answers is in general.test.mjs. */
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { readFileSync, readdirSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { server, until } from '../lib/server.mjs'

/* An NTP server on loopback; `answer` makes of a question what comes back, or nothing. */
const ntp = { answer: () => undefined, asked: 0 }
let socket, s, p
before(async () => {
	socket = dgram.createSocket('udp4')
	socket.on('message', (q, from) => {
		ntp.asked++
		for (const a of [ntp.answer(q)].flat()) if (a) socket.send(a, from.port, from.address)
	})
	await new Promise((ok) => socket.bind(0, '127.0.0.1', ok))
	s = await server({ own: true, conf: { web_processes: 1, time_server: `127.0.0.1:${socket.address().port}` } })
	p = await s.project({ scopes: ['users.read'] })
})
after(async () => {
	socket.close()
	await s.stop()
})

function stamp(ms) {
	const b = Buffer.alloc(8), s = Math.floor(ms / 1000)
	b.writeUInt32BE((s + 2208988800) % 2 ** 32, 0)
	b.writeUInt32BE(Math.floor(((ms - s * 1000) / 1000) * 2 ** 32), 4)
	return b
}
/* What a server whose clock is `ahead` says. */
function right(q, { ahead = 0, mode = 4, stratum = 2, leap = 0, origin = q.subarray(40, 48), length = 48 } = {}) {
	const a = Buffer.alloc(48)
	a[0] = leap << 6 | 4 << 3 | mode
	a[1] = stratum
	origin.copy(a, 24)
	stamp(Date.now() + ahead).copy(a, 32)
	stamp(Date.now() + ahead).copy(a, 40)
	return a.subarray(0, length)
}
const clock = () => p.call('GET', '/health/time')
const broken = (r) => assert.deepEqual([r.status, r.body.type, r.body.message], [500, 'general_server_error', 'Server Error'], r.text)

describe('time', () => {
	test('what the server says, in seconds', async () => {
		for (const ahead of [0, 30000, -30000, 59000, -59000]) {
			ntp.answer = (q) => right(q, { ahead })
			const r = await clock()
			assert.equal(r.status, 200, r.text)
			assert.deepEqual(Object.keys(r.body), ['remoteTime', 'localTime', 'diff'])
			assert.ok(Math.abs(r.body.diff - ahead / 1000) <= 1, r.text)
			assert.equal(r.body.remoteTime, r.body.localTime + r.body.diff)
			assert.ok(Math.abs(r.body.localTime - Date.now() / 1000) < 10)
		}
	})
	test('more than a minute off is a failure', async () => {
		for (const ahead of [62000, -62000, 86400e3, -3e12]) {
			ntp.answer = (q) => right(q, { ahead })
			broken(await clock())
		}
	})
	test('who is not synchronised, or refuses, tells no time', async () => {
		for (const how of [{ stratum: 0 }, { stratum: 16 }, { leap: 3 }]) {
			ntp.answer = (q) => right(q, how)
			broken(await clock())
		}
	})
	test('an answer to another question is none; the right one still counts', async () => {
		ntp.answer = (q) => [right(q, { ahead: 1e6, origin: Buffer.alloc(8) }), right(q, { ahead: 1e6, length: 47 }), right(q, { ahead: 1e6, mode: 3 }), Buffer.alloc(0), Buffer.alloc(400, 0xff), right(q)]
		const r = await clock()
		assert.equal(r.status, 200, r.text)
		assert.ok(Math.abs(r.body.diff) <= 1, r.text)
	})
	test('a question tells nothing of our clock', async () => {
		const seen = []
		ntp.answer = (q) => { seen.push(q.subarray(40).toString('hex')); return right(q) }
		for (let i = 0; i < 3; i++) assert.equal((await clock()).status, 200)
		assert.equal(new Set(seen).size, 3)
		for (const q of seen) assert.notEqual(q.slice(0, 6), stamp(Date.now()).toString('hex').slice(0, 6))
	})
	test('who says nothing is given up; there are not many questions at once', async () => {
		ntp.answer = () => undefined
		const all = await Promise.all(Array.from({ length: 20 }, clock)), busy = all.filter((r) => r.status === 503)
		for (const r of all.filter((x) => !busy.includes(x))) broken(r)
		assert.equal(busy.length, 4)
		for (const r of busy) assert.equal(r.body.type, 'general_busy')
		ntp.answer = (q) => right(q)
		assert.equal((await clock()).status, 200)
	})
	test('a name that nobody has, a port that nobody listens on', async () => {
		for (const time_server of ['nobody.invalid', '127.0.0.1:1', '[::1]:1', ':1', 'x'.repeat(300)]) {
			const t = await server({ own: true, conf: { web_processes: 1, time_server } })
			try {
				const q = await t.project({ scopes: ['users.read'] })
				broken(await q.call('GET', '/health/time'))
			} finally {
				await t.stop()
			}
		}
	})
})

test('a Redis that does not answer', async () => {
	const parent = (pid) => { try { return readFileSync(`/proc/${pid}/stat`, 'latin1') } catch { return '' } }
	const redis = readdirSync('/proc').filter((n) => /^\d+$/.test(n)).find((n) => parent(n).includes('(redis-server)') && parent(n).split(') ')[1].split(' ')[1] === String(s.pid))
	assert.ok(redis, 'no Redis')
	assert.equal((await p.call('GET', '/health/cache')).status, 200)
	process.kill(Number(redis), 'SIGSTOP')
	try {
		broken(await p.call('GET', '/health/cache'))
		assert.equal((await p.call('GET', '/health')).status, 200)
		assert.equal((await p.call('GET', '/health/db')).status, 200)
	} finally {
		process.kill(Number(redis), 'SIGCONT')
	}
	await until('it answers again', async () => (await p.call('GET', '/health/cache', { unseen: true })).status === 200)
})
