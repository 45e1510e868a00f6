/* Teams are made, and executions asked for, while jobs, executor, relay and Redis are killed. Then: each committed write has run the function that listens,
 * as one execution; each execution that was asked for has ended, once; nothing says that it still runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { deploy } from '../lib/functions.mjs'
import { children, server, sleep, unique, until } from '../lib/server.mjs'

const WRITERS = 3
const VICTIMS = [['badal-jobs'], ['badal-executor'], ['badal-relay'], ['redis-server'], ['badal-jobs', 'badal-executor'], ['badal-executor', 'redis-server'], ['badal-web']]
const code = `module.exports = async (req, res) => { await new Promise((ok) => setTimeout(ok, Math.random() * 20)); res.send(req.payload || JSON.parse(req.variables.APPWRITE_FUNCTION_EVENT_DATA).$id) }`

async function writer(p, f, state) {
	while (state.writing) {
		const teamId = unique('t')
		state.tried.add(teamId)
		const r = await p.call('POST', '/teams', { body: { teamId, name: 'T' }, ms: 15000 }).catch(() => null)
		if (r?.status === 201) state.made.push(teamId)
		const e = await p.call('POST', `${f.path}/executions`, { body: { data: 'asked', async: Math.random() < 0.7 }, ms: 30000 }).catch(() => null)
		if (e !== null && e.status < 300) state.asked.push(e.body.$id)
		await sleep(5)
	}
}

async function kill(s, names, state) {
	await sleep(300 + Math.random() * 600)
	for (const name of names) {
		const [pid] = await until(`${name} runs`, () => { const v = children(s, name); return v.length > 0 && v }, 60000)
		process.kill(pid, 'SIGKILL')
		await until(`${name} is back`, () => children(s, name).some((q) => q !== pid), 60000)
	}
	const before = state.made.length
	await until(`writes go on after ${names.join(', ')} were killed`, () => state.made.length > before + WRITERS, 60000)
}

async function everything(p, path) {
	const all = []
	for (let after; ;) {
		const { executions } = await p.ok('GET', path, { query: { queries: ['limit(100)', ...(after ? [`cursorAfter("${after}")`] : [])] } })
		all.push(...executions)
		if (executions.length < 100) return all
		after = executions.at(-1).$id
	}
}

test('no event without its execution, none that was asked for without its end, whoever is killed', { timeout: 400000 }, async () => {
	const s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor' } }), p = await s.project({ name: 'Fault' })
	try {
		const hears = await deploy(p, code, { events: ['teams.*.create'], version: 'v2' }), called = await deploy(p, code, { version: 'v2' })
		const state = { writing: true, made: [], asked: [], tried: new Set() }, writers = Array.from({ length: WRITERS }, () => writer(p, called, state))
		for (const names of VICTIMS) await kill(s, names, state)
		state.writing = false
		await Promise.all(writers)
		/* what was committed, whether it was acknowledged or not */
		const { total } = await p.ok('GET', '/teams', { query: { queries: ['limit(1)'] } }), over = (e) => ['completed', 'failed'].includes(e.status)
		let all = []
		assert.ok(total >= state.made.length && total < 5000, `${total} teams`)
		await until('every team has an execution', async () => { await sleep(500); all = await everything(p, `${hears.path}/executions`); return all.length >= total && all.every(over) }, 180000).catch((e) => {
			throw new Error(`${e.message}: ${all.length} of ${total}; ${all.filter((x) => !over(x)).map((x) => `${x.$id} ${x.status}`).slice(0, 10)}\n${all.filter((x) => x.status === 'failed').map((x) => x.stderr).slice(0, 5).join('\n')}\n${s.log().split('\n').filter((l) => !/ request id=/.test(l)).slice(-40).join('\n')}`)
		})
		const ran = all.filter((e) => e.status === 'completed').map((e) => e.response)
		assert.equal(all.length, total, 'an event is one execution')
		assert.equal(new Set(ran).size, ran.length)
		assert.ok(ran.every((id) => state.tried.has(id)))
		for (const e of all) if (e.status === 'failed') assert.match(e.stderr, /\S/, 'a failed one says why')
		let calls = []
		await until('every execution has ended', async () => { await sleep(500); calls = await everything(p, `${called.path}/executions`); return calls.every(over) }, 120000)
		const by = new Map(calls.map((e) => [e.$id, e]))
		assert.equal(by.size, calls.length)
		for (const id of state.asked) assert.ok(by.has(id), id)
		for (const e of calls) if (e.status === 'failed') assert.match(e.stderr, /\S/, 'a failed one says why')
		console.log(`${state.made.length} teams, ${all.length} executions of events, ${calls.length} asked for, ${calls.filter((e) => e.status === 'failed').length} of them failed`)
	} finally {
		await s.stop()
	}
})
