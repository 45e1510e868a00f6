/* Image workers as an operator sees them: who they are, what they have, when they come and go. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'

import { part, upload } from '../lib/form.mjs'
import { bomb, look, quarters } from '../lib/picture.mjs'
import { pngBy } from '../lib/png.mjs'
import { children, run, sleep, start, until } from '../lib/server.mjs'
import { family } from './lib.mjs'

const probe = await run(['picture-worker', 'probe']), sanitized = /no filter/.test(probe.out) && 'sanitizers have needs of their own'

test('what the process of a picture may ask the kernel for', { skip: sanitized }, async () => {
	const r = probe
	assert.equal(r.code, 0, r.out)
	for (const what of ['open', 'create', 'socket', 'fork', 'exec', 'kill', 'trace', 'limit', 'code']) assert.match(r.out, new RegExp(`^${what}: refused$`, 'm'))
	assert.match(r.out, /^memory: works$/m)
	for (const what of ['create', 'change', 'socket', 'fork', 'exec', 'kill', 'trace', 'limit', 'code']) assert.match(r.out, new RegExp(`^${what} with files: refused$`, 'm'))
	assert.match(r.out, /^font with files: works$/m)
	if (/^fence: works$/m.test(r.out)) assert.match(r.out, /^open with files: refused$/m)
	const hand = await run(['picture-worker'])
	assert.equal(hand.code, 2)
	assert.match(hand.err, /started by badal serve/)
})

test('doctor names the formats', async () => {
	const r = await run(['doctor'])
	assert.match(r.out, /^ok +pictures: reads JPEG, PNG, GIF, WebP.*; writes JPEG, PNG, GIF, WebP/m)
	for (const set of ['flags', 'browsers', 'credit-cards']) assert.match(r.out, new RegExp(`ok +${set} of avatars: (\\d+) of \\1 in `))	/* all that the service has, and no others */
})

describe('beside a running server', () => {
	let s, p, small, heavy
	const workers = () => children(s, 'badal-picture')
	const status = (pid, key) => readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${key}:\\s+(\\S+)`, 'm'))[1]
	const preview = (path, query) => p.call('GET', `${path}/preview`, { query })
	const metric = async (name) => Number((await s.call('GET', '/metrics', { root: true })).text.match(new RegExp(`^${name} (\\d+)`, 'm'))[1])
	before(async () => {
		s = await start({ conf: { picture_idle: '5s', web_processes: 1, storage_preview_limit: '20k' } })
		p = await s.project()
		await p.ok('POST', '/storage/buckets', { body: { bucketId: 'b', name: 'b' } })
		for (const [id, bytes] of [['small', quarters(40, 30)], ['heavy', bomb(3000, 3000)]]) assert.equal((await upload(p.call, 'b', id, part(`${id}.png`, bytes))).status, 201)
		;[small, heavy] = ['small', 'heavy'].map((id) => `/storage/buckets/b/files/${id}`)
	})
	after(() => s.stop())

	test('one comes with the first picture, has nothing of ours, and ends when there is no other', async () => {
		assert.deepEqual(workers(), [])
		assert.equal((await preview(small, { width: 10 })).status, 200)
		const [pid] = workers(), web = children(s, 'badal-web')[0]
		assert.ok(pid > 0)
		assert.equal(status(pid, 'Uid'), status(web, 'Uid'))	/* nobody of importance */
		assert.equal(status(pid, 'NoNewPrivs'), '1')
		const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
		assert.ok(!/BADAL|PG|PATH|KEY|SECRET/.test(environment), environment)
		const open = readdirSync(`/proc/${pid}/fd`).map((n) => readlinkSync(`/proc/${pid}/fd/${n}`))
		assert.equal(open.filter((f) => f.startsWith('socket:')).length, 1)
		assert.ok(open.every((f) => f.startsWith('socket:') || f === '/dev/null' || f.includes('.log')), open.join(' '))
		await until('it ends', () => workers().length === 0)
		assert.equal((await preview(small, { width: 11 })).status, 200)
		assert.equal(await metric('badal_picture_workers_lost_total'), 0)
	})

	/* Asks for pictures that take their time, one after the other, until one is seen in the making: its answer is still to come. */
	let turn = 0
	const atWork = (seen) => until('one is at work', async () => {
		let over = false
		const asked = preview(heavy, { width: 1500, rotation: ++turn }).finally(() => { over = true })
		for (; !over; await sleep(1)) if (seen()) return { asked }
		assert.equal((await asked).status, 200)
		return null
	})

	test('a picture is made behind the filter, by a process of its own', { skip: sanitized }, async () => {
		const { asked } = await atWork(() => workers().some((w) => [...family(w).keys()].some((child) => { try { return status(child, 'Seccomp') === '2' } catch { return false } })))
		assert.equal((await asked).status, 200)
	})

	test('a worker that dies costs one picture, and nobody else anything', async () => {
		const web = children(s, 'badal-web'), lost = await metric('badal_picture_workers_lost_total')
		let r
		do {
			const { asked } = await atWork(() => workers().some((w) => family(w).size > 0))
			for (const w of workers()) process.kill(w, 'SIGKILL')
			r = await asked
		} while (r.status === 200)	/* it was done a moment before */
		assert.deepEqual([r.status, r.body.type], [400, 'general_picture_invalid'])
		assert.equal((await preview(small, { width: 12 })).status, 200)
		assert.deepEqual(children(s, 'badal-web'), web)
		assert.ok(await metric('badal_picture_workers_lost_total') > lost)
	})

	test('a file over storage_preview_limit is shown by an icon', async () => {
		const large = pngBy(100, 100, (x, y) => [x * 37 % 256, y * 53 % 256, (x * y * 91) % 256, 255])
		assert.ok(large.length > 20480)
		assert.equal((await upload(p.call, 'b', 'large', part('large.png', large))).status, 201)
		const icon = async (id) => { const r = await preview(`/storage/buckets/b/files/${id}`, {}); assert.deepEqual([r.status, look(r.raw).w, look(r.raw).h], [200, 1200, 800]); return r.raw }
		assert.equal((await upload(p.call, 'b', 'text', part('text.txt', 'x'))).status, 201)
		assert.ok(!(await icon('large')).equals(await icon('text')))
	})

	test('pictures of a deleted file are not kept', async () => {
		const kept = () => readdirSync(`${s.dataDir}/cache/pictures`, { recursive: true, withFileTypes: true }).filter((e) => e.isFile() && !e.name.startsWith('.')).length
		assert.equal((await upload(p.call, 'b', 'gone', part('gone.png', quarters(40, 30)))).status, 201)
		const before = kept()
		for (const width of [10, 11, 12]) assert.equal((await preview('/storage/buckets/b/files/gone', { width })).status, 200)
		assert.equal(kept(), before + 3)
		await p.ok('DELETE', '/storage/buckets/b/files/gone', { status: 204 })
		assert.equal(kept(), before)
	})

	test('they end with who they work for', async () => {
		assert.equal((await preview(small, { width: 13 })).status, 200)
		const [worker] = workers(), [web] = children(s, 'badal-web')
		process.kill(web, 'SIGKILL')
		await until('it ends', () => !workers().includes(worker))
		await until('another serves', async () => (await preview(small, { width: 14 }).catch(() => ({}))).status === 200)
	})
})
