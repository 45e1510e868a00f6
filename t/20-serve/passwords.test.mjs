/* The processes that hash passwords, as an operator sees them: who they are, what they have, when they come and go. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'

import { children, run, start, unique, until } from '../lib/server.mjs'

test('nobody else starts one', async () => {
	const r = await run(['password-worker'])
	assert.equal(r.code, 2)
	assert.match(r.err, /started by badal serve/)
})

describe('beside a running server', () => {
	let s, p
	const workers = () => children(s, 'badal-password')
	const status = (pid, key) => readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${key}:\\s+(\\S+)`, 'm'))[1]
	const metric = async (name) => Number((await s.call('GET', '/metrics', { root: true })).text.match(new RegExp(`^${name} (\\d+)`, 'm'))[1])
	const user = async () => {
		const body = { userId: 'unique()', email: `${unique()}@example.org`, password: unique() }
		return { ...body, made: await p.guest('POST', '/account', { body }) }
	}
	const signIn = ({ email, password }) => p.guest('POST', '/account/sessions/email', { body: { email, password } })
	before(async () => {
		/* hashes that take long enough to be seen, one at a time; one more may wait */
		s = await start({ conf: { password_idle: '5s', web_processes: 1, argon2_memory: '32m', argon2_time: 10, offload_password_threads: 1, offload_password_queue: 1 } })
		p = await s.project()
		await until('none is left of the making', () => workers().length === 0)
	})
	after(() => s.stop())

	test('one comes with the first password, has nothing of ours, and ends when there is no other', async () => {
		assert.equal((await user()).made.status, 201)
		const [pid, ...more] = workers(), web = children(s, 'badal-web')[0]
		assert.ok(pid > 0)
		assert.deepEqual(more, [])
		assert.equal(status(pid, 'Uid'), status(web, 'Uid'))
		assert.equal(status(pid, 'NoNewPrivs'), '1')
		const open = readdirSync(`/proc/${pid}/fd`).map((n) => readlinkSync(`/proc/${pid}/fd/${n}`))
		assert.equal(open.filter((f) => f.startsWith('socket:')).length, 1)
		assert.ok(open.every((f) => f.startsWith('socket:') || f === '/dev/null' || f.includes('.log')), open.join(' '))
		await until('it ends', () => workers().length === 0)
	})

	test('one that is killed in the middle costs nobody a sign-in', async () => {
		const lost = await metric('badal_password_workers_lost_total'), u = await user()
		assert.equal(u.made.status, 201)
		for (const pid of workers()) process.kill(pid, 'SIGSTOP')	/* so that it is not done before we see it */
		const asked = signIn(u)
		await until('one is at work', async () => (await metric('badal_password_workers_busy')) === 1)
		for (const pid of workers()) process.kill(pid, 'SIGKILL')
		assert.equal((await asked).status, 201)
		assert.equal(await metric('badal_password_workers_lost_total'), lost + 1)
		assert.equal((await signIn({ ...u, password: 'another one' })).status, 401)
	})

	test('who leaves does not stop it; who finds too many waiting is told', async () => {
		const u = await user(), lost = await metric('badal_password_workers_lost_total')
		assert.equal(u.made.status, 201)
		await assert.rejects(p.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password }, ms: 30 }))
		const all = await Promise.all(Array.from({ length: 6 }, () => signIn(u))), refused = all.filter((r) => r.status === 503)
		assert.ok(refused.length > 0, all.map((r) => r.status).join(' '))
		assert.equal(all.filter((r) => r.status === 201).length + refused.length, 6)
		assert.equal(await metric('badal_passwords_refused_total'), refused.length)
		assert.equal(await metric('badal_password_workers_lost_total'), lost)
	})
})
