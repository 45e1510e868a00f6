/* A stream of several shards: projects are spread over them, and each of them is as good as the only one. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, test } from 'node:test'

import { dataDir, server, until } from '../lib/server.mjs'
import { eventsOf } from '../lib/stream.mjs'
import { library, read } from './lib.mjs'
import { rmSync } from 'node:fs'

const PROJECTS = 6
let s, projects, data = dataDir()
const conf = { event_shards: 4, rt_resume_window: '10m' }
const redis = (...a) => JSON.parse(execFileSync('redis-cli', ['-s', path.join(s.dataDir, 'run', 'redis.sock'), '--json', ...a], { encoding: 'utf8' }))
const since = (id) => ({ query: `&since=${id}` })

before(async () => {
	s = await server({ own: true, data, conf })
	projects = []
	for (let i = 0; i < PROJECTS; i++) projects.push(await library(s))
})
after(async () => {
	await s?.stop()
	rmSync(data, { recursive: true, force: true })
})

test('each project is in one shard, and all shards are used', async () => {
	for (const p of projects) await p.write(1, [read('any')])
	const seen = new Map()
	await until('all events', () => {
		for (const k of redis('KEYS', 'events:{*}:*').filter((x) => !x.endsWith(':current')))
			for (const { head } of eventsOf(redis('XRANGE', k, '-', '+'))) {
				const id = JSON.parse(head).p
				if (!seen.has(id)) seen.set(id, new Set())
				seen.get(id).add(k)
			}
		return projects.every((p) => seen.has(p.id))
	})
	for (const [id, shards] of seen) assert.equal(shards.size, 1, `${id} is in ${[...shards]}`)
})

test('events arrive in order, and who breaks off resumes without loss', async () => {
	await Promise.all(projects.map(async (p) => {
		const w = await p.listen(['documents']), got = []
		let last = w.hello.id, back = w
		for (let i = 1; i <= 60; i++) {
			await p.write(i, [read('any')])
			if (i % 20 !== 0) continue
			for (let k = 0; k < 7; k++) {
				const f = await back.next((x) => x.type === 'event')
				last = f.id
				got.push(f.data.payload.n)
			}
			back.end()
			back = await p.listen(['documents'], since(last))
			assert.equal(back.hello.gap, false)
		}
		got.push(...(await p.heard(back))[0])
		assert.deepEqual(got, Array.from({ length: 60 }, (_, i) => i + 1))
		back.end()
	}))
})

test('who looks at a project as its owner hears it, whatever shard the console is in', async () => {
	for (const p of projects) {
		const w = await p.listen(['documents'], { as: p.console, query: '&mode=admin' })
		await p.write(7, [read('any')])
		assert.equal((await w.event()).payload.n, 7)
		w.end()
	}
})

test('other processes see a change at once', async () => {
	for (const p of projects) {
		const u = await p.user()
		assert.equal((await u.call('GET', '/account')).status, 200)
		await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: false } })
		for (let i = 0; i < 8; i++) assert.equal((await u.call('GET', '/account', { headers: { connection: 'close' } })).status, 401)
	}
})

test('after a change of their number it goes on, and who resumes is told', async () => {
	const [p] = projects
	const w = await p.listen(['documents'])
	await p.write(1, [read('any')])
	const { id } = await w.next((f) => f.type === 'event')
	w.end()
	await s.stop()
	s = await server({ own: true, data, conf: { ...conf, event_shards: 2 } })
	p.listen2 = (query) => import('../lib/ws.mjs').then(({ channels, listen }) => listen(s, `project=${p.id}&${channels('documents')}${query}`))
	/* who comes before the relay has changed the stream is still let in by the old one, and sent away with 1012 */
	const back = await until('the new stream', async () => {
		const w2 = await p.listen2(`&since=${id}`).catch(() => null)
		if (w2 && !w2.hello.gap) w2.end()
		return w2?.hello.gap && w2
	})
	await s.ok('POST', '/databases/d/collections/c/documents', { project: p.id, key: p.key, body: { documentId: 'again', data: { n: 8 }, permissions: [read('any')] } })
	assert.equal((await back.next((f) => f.type === 'event' && f.data.payload.$id === 'again')).data.payload.n, 8)
	back.end()
})
