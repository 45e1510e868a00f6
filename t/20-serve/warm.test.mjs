/* keepWarm: the active deployment of such a function is ready before it is called, whatever happens to it; and no other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { form, part } from '../lib/form.mjs'
import { deploy } from '../lib/functions.mjs'
import { children, server, until } from '../lib/server.mjs'
import { archive } from '../lib/tar.mjs'

const code = (version) => `global.born = Date.now(); module.exports = async (req, res) => res.json({ born: global.born, pid: process.pid, version: ${version}, v: process.env.V })`

test('ready from the activation on, after a change of variables, a new deployment, a restart; until it is switched off', { timeout: 120000 }, async () => {
	const s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor', functions_idle: '1s' } }), p = await s.project({ name: 'Warm' })
	try {
		const sandboxes = async (name = 'badal_functions_kept_warm') => {
			const m = await s.call('GET', '/metrics', { root: true })
			return Number(m.text.match(new RegExp(`^${name} (\\d+)$`, 'm'))[1])
		}
		const kept = (n) => until(`${n} kept warm`, async () => await sandboxes() === n)
		/* Its process began before this moment. */
		const ready = (f, ok = () => true) => until('a process that is there', async () => {
			const now = Date.now(), r = JSON.parse((await f.run()).response)
			return r.born < now && ok(r) && r
		})
		const f = await deploy(p, code(1), { keepWarm: true, vars: { V: 'a' }, version: 'v2' })
		await kept(1)
		assert.deepEqual((({ version, v }) => [version, v])(await ready(f)), [1, 'a'])

		/* variables */
		const [variable] = (await p.ok('GET', `${f.path}/variables`)).variables
		await p.ok('PUT', `${f.path}/variables/${variable.$id}`, { body: { key: 'V', value: 'b' } })
		await ready(f, (r) => r.v === 'b')
		await kept(1)

		/* the executor ends */
		const [executor] = children(s, 'badal-executor')
		process.kill(executor, 'SIGKILL')
		await until('another executor', () => children(s, 'badal-executor').some((pid) => pid !== executor))
		await kept(1)
		await ready(f)

		/* another deployment takes its place: one process, of the new one */
		const b = form({ entrypoint: 'index.js', code: part('code.tar.gz', archive({ 'index.js': code(2) })), activate: 'true' })
		await p.ok('POST', `${f.path}/deployments`, { body: b.body, headers: b.headers, status: 202 })
		await ready(f, (r) => r.version === 2)
		await until('one process alone', async () => await sandboxes('badal_sandboxes') === 1 && await sandboxes() === 1)

		/* off, on, not to be kept, deleted */
		const change = (more) => p.ok('PUT', f.path, { body: { name: 'f', version: 'v2', ...more }, headers: { 'x-appwrite-response-format': '1.4.0' } })
		await change({ enabled: false })
		await kept(0)
		await until('no process', async () => await sandboxes('badal_sandboxes') === 0)
		await change({ enabled: true })
		await kept(1)
		await change({ keepWarm: false })
		await kept(0)
		await change({ keepWarm: true })
		await kept(1)
		await p.ok('DELETE', f.path, { status: 204 })
		await kept(0)
		await until('no process', async () => await sandboxes('badal_sandboxes') === 0)
	} finally {
		await s.stop()
	}
})

test('more than there is room for: told', { timeout: 180000 }, async () => {
	const s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor', executor_warm_max: '1' } }), p = await s.project({ name: 'Warm' })
	try {
		const metric = async (name) => Number((await s.call('GET', '/metrics', { root: true })).text.match(new RegExp(`^${name} (\\d+)$`, 'm'))[1])
		await Promise.all([1, 2].map((n) => deploy(p, code(n), { keepWarm: true, version: 'v2' })))
		await until('one is kept, one is not', async () => await metric('badal_functions_kept_warm') === 1 && await metric('badal_functions_not_kept_warm') === 1)
		await until('it is told', () => s.log().split('\n').some((l) => /functions are not kept warm .*executor_warm_max/.test(l)))
	} finally {
		await s.stop()
	}
})
