/* A project goes, and another is made under its id: who listened to the first hears nothing of the second, and who listens to the second nothing of the first, however late
 * the relay is. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'

import { server, unique } from '../lib/server.mjs'
import { channels, listen } from '../lib/ws.mjs'

let s, relay
const today = { 'x-appwrite-response-format': '2.3.0' }
const drop = (p) => p.console.ok('DELETE', `/projects/${p.id}`, { headers: today, status: 204 })
const account = (u, query = '') => listen(s, `project=${u.project}&${channels('account')}${query}`, { cookie: u.cookie })
const ada = async (p, name) => ({ ...await p.user({ id: 'ada', name }), project: p.id })
const rename = (p, name) => p.ok('PATCH', '/users/ada/name', { body: { name } })
const late = async (work) => {
	process.kill(relay, 'SIGSTOP')
	try { return await work() } finally { process.kill(relay, 'SIGCONT') }
}

before(async () => {
	s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay' } })
	const children = execFileSync('pgrep', ['-P', String(s.pid)], { encoding: 'utf8' }).trim().split('\n')
	relay = Number(children.find((k) => readFileSync(`/proc/${k}/comm`, 'utf8').trim() === 'badal-relay'))
	assert.ok(relay > 0)
})
after(() => s?.stop())

test('sockets', async () => {
	const id = unique('p'), first = await s.project({ id }), old = await account(await ada(first, 'First'))
	const [second, fresh, u] = await late(async () => {
		await rename(first, 'Secret of the first')
		await drop(first)
		const second = await s.project({ id }), u = await ada(second, 'Second')
		return [second, await account(u), u]
	})
	assert.equal((await old.next((f) => f.type === 'error')).data.code, 1008)
	await old.closed
	await rename(second, 'Last')
	const last = await fresh.event((e) => e.payload.name === 'Last')
	assert.equal(last.payload.$id, 'ada')
	assert.ok(!fresh.text.includes('Secret of the first'))
	assert.ok(!old.text.includes('Second'))
	/* nor who asks for what was before */
	const back = await account(u, `&since=${old.hello.id}`)
	await back.event((e) => e.payload.name === 'Last')
	assert.ok(!back.text.includes('Secret of the first'))
	for (const w of [fresh, back]) w.end()
	await drop(second)
})

test('a live tail', async () => {
	const id = unique('p'), first = await s.project({ id }), me = first.console
	const follow = async (who) => {
		const w = await listen(s, 'project=console', { cookie: who.cookie })
		assert.equal((await w.ask({ type: 'subscribe', data: [{ subscriptionId: 'a', channels: [`console.tail.${id}`] }] })).data.success, true)
		return w
	}
	const old = await follow(me)
	const fresh = await late(async () => {
		await first.user({ id: 'one' })
		await drop(first)
		const second = await s.project({ id })
		await second.user({ id: 'two' })
		return follow(me)
	})
	assert.equal((await old.next((f) => f.type === 'error')).data.code, 1008)
	const of = async (w, who) => { for (;;) { const e = await w.event((d) => d.events[0] === 'console.tail'); if (e.payload.some((x) => x.resourceId === who)) return } }
	await of(fresh, 'two')
	assert.ok(!fresh.text.includes('"one"'))
	assert.ok(!old.text.includes('"two"'))
	fresh.end()
})
