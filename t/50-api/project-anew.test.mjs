/* A project is deleted, and another is made under its id, with the same names in it: nothing of the first is in the second, kept in memory or waiting in lines. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { form, part } from '../lib/form.mjs'
import { deploy } from '../lib/functions.mjs'
import { receiver } from '../lib/receiver.mjs'
import { server, unique, until } from '../lib/server.mjs'
import { fails } from './lib.mjs'

let s
const today = { 'x-appwrite-response-format': '2.3.0' }
const redis = (...args) => execFileSync('redis-cli', ['-s', path.join(s.dataDir, 'run', 'redis.sock'), ...args], { encoding: 'utf8' }).trim()
const made = (id) => s.project({ id })
const drop = (p) => p.console.ok('DELETE', `/projects/${p.id}`, { headers: today, status: 204 })
const team = (p, teamId = unique()) => p.ok('POST', '/teams', { body: { teamId, name: 'T' } })

before(async () => { s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor', webhook_private: 'on' } }) })
after(() => s.stop())

test('what is kept in memory', async () => {
	const id = unique('p'), code = 'module.exports = async (req, res) => res.send("first")', any = ['read("any")', 'create("any")']
	const first = await made(id)
	await first.ok('POST', '/storage/buckets', { body: { bucketId: 'main', name: 'B', permissions: any, fileSecurity: true } })
	const f = form({ fileId: 'one', file: part('a.txt', Buffer.from('secret of the first')) })
	await first.ok('POST', '/storage/buckets/main/files', { body: f.body, headers: f.headers })
	await first.ok('POST', '/databases', { body: { databaseId: 'main', name: 'D' } })
	await first.ok('POST', '/databases/main/collections', { body: { collectionId: 'main', name: 'C', permissions: any } })
	await first.ok('POST', '/databases/main/collections/main/attributes/string', { body: { key: 'a', size: 20, required: false } })
	await until('there is a column', async () => (await first.ok('GET', '/databases/main/collections/main/attributes/a')).status === 'available')
	await first.ok('POST', '/databases/main/collections/main/documents', { body: { documentId: 'one', data: { a: 'x' } } })
	const g = await deploy(first, code, { id: 'main', execute: ['any'] })
	assert.equal((await g.run({})).status, 'completed')
	const look = (p, bucket = '/storage/buckets/main') => [[`${bucket}`, 'storage_bucket_not_found'], [`${bucket}/files/one`, 'storage_bucket_not_found'], [`${bucket}/files`, 'storage_bucket_not_found'],
		['/databases/main/collections/main', 'database_not_found'], ['/databases/main/collections/main/documents', 'database_not_found'], ['/databases/main/collections/main/documents/one', 'database_not_found']]
	for (const [at] of look(first)) await first.ok('GET', at)
	await first.ok('GET', '/storage/buckets/main/files/one/view', { raw: true })
	await drop(first)
	const second = await made(id)
	for (const [at, type] of look(second)) fails(await second.call('GET', at), 404, type)
	fails(await second.call('POST', '/functions/main/executions', { body: {} }), 404, 'function_not_found')
	/* the bucket of the second has the number that the first's had, and its file's name */
	await second.ok('POST', '/storage/buckets', { body: { bucketId: 'main', name: 'B', permissions: any, fileSecurity: true } })
	fails(await second.call('GET', '/storage/buckets/main/files/one'), 404, 'storage_file_not_found')
	fails(await second.call('GET', '/storage/buckets/main/files/one/view'), 404, 'storage_file_not_found')
	await drop(second)
})

test('deliveries of a webhook, those that wait and those that are remembered', { timeout: 120000 }, async () => {
	const id = unique('p'), refusing = await receiver({ answer: () => 500 }), r = await receiver()
	const hook = (p, url) => p.admin('POST', '/webhooks', { headers: today, body: { webhookId: 'main', name: 'W', url, events: ['teams.*.create'] } })
	const log = async (p) => (await p.console.ok('GET', `/projects/${id}/webhooks/main/deliveries`)).deliveries
	const first = await made(id), a = await team(first) && await hook(first, refusing.url)
	assert.equal(a.status, 201, a.text)
	const of = [await team(first), await team(first)].map((t) => t.$id)
	await refusing.next()
	const old = await until('the try is remembered', async () => (await log(first))[0])
	/* the same webhook made anew, and then the same project */
	for (const anew of [async () => { assert.equal((await first.admin('DELETE', '/webhooks/main', { headers: today })).status, 204); return first }, async () => { await drop(first); return made(id) }]) {
		const p = await anew()
		assert.equal((await hook(p, r.url)).status, 201)
		assert.deepEqual(await log(p), [])
		for (const body of [{}, { deliveryId: old.$id }]) await p.console.call('POST', `/projects/${id}/webhooks/main/deliveries`, { body })
		const t = await team(p)
		/* what waited stands before it in the line, and the job that comes back for it begins the line */
		assert.equal((await r.next()).body.$id, t.$id)
		await until('the line is empty', () => redis('EXISTS', `{jobs}:webhooks:line:${id}/main`) === '0')
		assert.deepEqual((await log(p)).map((d) => d.status), ['delivered'])
		if (p !== first) await drop(p)
	}
	assert.ok(r.all.length === 2 && r.all.every((d) => !of.includes(d.body.$id)))
	await Promise.all([r.stop(), refusing.stop()])
})

test('what waits for a webhook and what is remembered goes with it, and with its project', { timeout: 120000 }, async () => {
	const id = unique('p'), refusing = await receiver({ answer: () => 500 }), p = await made(id), key = (what, hook) => `{jobs}:webhooks:${what}:${id}/${hook}`
	const hook = (webhookId) => p.admin('POST', '/webhooks', { headers: today, body: { webhookId, name: 'W', url: refusing.url, events: ['teams.*.create'] } })
	for (const w of ['One', 'two', 'three']) assert.equal((await hook(w)).status, 201)
	await team(p)
	await team(p)
	for (const w of ['One', 'two', 'three']) {
		await until('the try is remembered', () => redis('EXISTS', key('log', w)) === '1')
		assert.deepEqual([redis('EXISTS', key('line', w)), redis('HEXISTS', '{jobs}:webhooks:sizes', `${id}/${w}`)], ['1', '1'])
	}
	const gone = (w) => until(`nothing is left of ${w}`, () => ['line', 'log'].every((what) => redis('EXISTS', key(what, w)) === '0') && redis('EXISTS', `${key('log', w)}:bytes`) === '0' &&
		redis('HEXISTS', '{jobs}:webhooks:sizes', `${id}/${w}`) === '0')
	assert.equal((await p.admin('DELETE', '/webhooks/one', { headers: today })).status, 204)
	await gone('One')
	assert.deepEqual([redis('EXISTS', key('log', 'two')), redis('EXISTS', key('line', 'three'))], ['1', '1'])
	await drop(p)
	for (const w of ['two', 'three']) await gone(w)
	await refusing.stop()
})

test('events that wait for a function', { timeout: 120000 }, async () => {
	const id = unique('p'), first = await made(id), t = await team(first), time = Date.now()
	await drop(first)
	redis('XADD', `{jobs}:functions:line:${id}/main`, '*', 'h', ['e', time, '0-1', '', 0, 'teams.[teamId].create', t.$id].join('\t'), 'b', JSON.stringify({ $id: t.$id }))
	const second = await made(id), g = await deploy(second, 'module.exports = async (req, res) => res.send(process.env.APPWRITE_FUNCTION_EVENT_DATA ?? "")', { id: 'main', events: ['teams.*.create'], version: 'v2' })
	await team(second)
	await g.all(1)
	await until('the line is empty', () => redis('EXISTS', `{jobs}:functions:line:${id}/main`) === '0')
	assert.equal((await g.list()).total, 1)
	/* nor does what a function of the first left to be deleted take the executions of one with the same number */
	redis('XADD', '{jobs}:function_delete', '*', 'h', `${unique()} 0 ${time} ${id}`, 'b', JSON.stringify({ project: id, internal: 1, function: 'other', deployment: '' }))
	await until('the job is done', () => redis('XLEN', '{jobs}:function_delete') === '0')
	assert.equal((await g.list()).total, 1)
	await drop(second)
})

test('JWTs that name no session', async () => {
	const id = unique('p'), boss = (p) => p.ok('POST', '/users', { body: { userId: 'boss', email: 'boss@example.org', password: 'password-1234' } })
	const first = await made(id)
	await boss(first)
	const { jwt } = await first.ok('POST', '/users/boss/jwts', { body: {}, headers: today }), call = () => s.call('GET', '/account', { project: id, jwt, headers: today })
	assert.equal((await call()).status, 200)
	await drop(first)
	const second = await made(id)
	await boss(second)
	assert.equal((await call()).status, 401)
	await drop(second)
})
