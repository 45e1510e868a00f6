/* The small services of today: ping that is noted, health of all queues, certificates, photos of the caller. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import https from 'node:https'
import { after, before, describe, test } from 'node:test'
import { dataDir, server } from '../lib/server.mjs'
import { listen } from '../lib/ws.mjs'
import { png } from '../lib/png.mjs'
import { fails } from './lib.mjs'

const now = { headers: { 'x-appwrite-response-format': '1.9.5' } }
let s, p
before(async () => {
	s = await server({ own: true, conf: { web_processes: 1, health_private: 'on' } })
	p = await s.project({ scopes: ['health.read', 'avatars.read'] })
})
after(() => s.stop())

test('the first ping of a project is noted, once, and told on the console', async () => {
	const q = await s.project(), told = async () => { const { pingCount, pingedAt } = await s.ok('GET', `/projects/${q.id}`, { project: 'console', cookie: q.console.cookie, ...now }); return { pingCount, pingedAt } }
	const ws = await listen(s, `project=console&channels[]=projects.${q.id}`, { cookie: q.console.cookie })
	assert.deepEqual(await told(), { pingCount: 0, pingedAt: '' })
	const all = await Promise.all(Array.from({ length: 8 }, () => q.guest('GET', '/ping')))
	assert.ok(all.every((r) => r.text === 'Pong!'))
	const first = await told()
	assert.equal(first.pingCount, 1)
	assert.match(first.pingedAt, /^\d{4}-/)
	assert.ok((await ws.next((f) => f.type === 'event')).data.events.includes(`projects.${q.id}.ping`))
	assert.equal((await q.guest('GET', '/ping')).text, 'Pong!')
	assert.deepEqual(await told(), first)
})

describe('health', () => {
	const queues = ['audits', 'builds', 'certificates', 'databases', 'deletes', 'functions', 'logs', 'mails', 'messaging', 'migrations', 'stats-resources', 'stats-usage', 'webhooks']
	const failed = 'database deletes audits mails functions stats-resources stats-usage webhooks certificates builds screenshots messaging migrations notifications'.split(' ')

	test('queues, and more than a client thinks right', async () => {
		for (const path of [...queues, ...failed.map((f) => `failed/v1-${f}`)]) {
			assert.deepEqual((await p.ok('GET', `/health/queue/${path}`, now)), { size: 0 }, path)
			assert.deepEqual((await p.ok('GET', `/health/queue/${path}`, { ...now, query: { threshold: '1' } })), { size: 0 }, path)
			const r = await p.call('GET', `/health/queue/${path}`, { ...now, query: { threshold: '0' } })
			fails(r, 503, 'health_queue_size_exceeded')
			assert.equal(r.body.message, 'Queue size threshold hit. Current size is 0 and threshold is 0.')
			fails(await p.guest('GET', `/health/queue/${path}`, now), 401, 'general_unauthorized_scope')
		}
		fails(await p.call('GET', '/health/queue/failed/mails', now), 400, 'general_argument_invalid')
		fails(await p.call('GET', '/health/queue/mails', { ...now, query: { threshold: 'x' } }), 400, 'general_argument_invalid')
		assert.deepEqual(await p.ok('GET', '/health/queue/databases', { ...now, query: { name: 'database_db_main' } }), { size: 0 })
	})

	test('what answers', async () => {
		const { total, statuses } = await p.ok('GET', '/health/pubsub', now)
		assert.deepEqual([total, statuses[0].name, statuses[0].status], [1, 'pubsub', 'pass'])
		assert.deepEqual(Object.keys(await p.ok('GET', '/health/pubsub', { headers: { 'x-appwrite-response-format': '1.4.0' } })), ['name', 'ping', 'status'])
		assert.deepEqual(await p.ok('GET', '/health/storage', now), { name: 'storage', ping: 0, status: 'pass' })
		assert.deepEqual(await p.ok('GET', '/health/storage/local', now), { name: 'local', ping: 0, status: 'pass' })
		for (const path of ['pubsub', 'storage', 'certificate']) fails(await p.guest('GET', `/health/${path}`, now), 401, 'general_unauthorized_scope')
	})

	test('certificates', async () => {
		const dir = dataDir(), file = (name) => path.join(dir, name), ask = (domain, q = p) => q.call('GET', '/health/certificate', { ...now, query: { domain } })
		const serve = async (name, days) => {
			execFileSync('openssl', ['req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/C=US/O=Some Makers/CN=localhost', '-keyout', file(`${name}.key`), '-out', file(`${name}.csr`)], { stdio: 'ignore' })
			execFileSync('openssl', ['x509', '-req', '-in', file(`${name}.csr`), '-days', days, '-signkey', file(`${name}.key`), '-out', file(`${name}.pem`)], { stdio: 'ignore' })
			const srv = https.createServer({ key: readFileSync(file(`${name}.key`)), cert: readFileSync(file(`${name}.pem`)) }, (q, r) => r.end())
			await new Promise((ok) => srv.listen(0, '127.0.0.1', ok))
			srv.unref()
			return srv
		}
		const good = await serve('good', '2'), r = await ask(`https://localhost:${good.address().port}`)
		assert.equal(r.status, 200, r.text)
		const { validFrom, validTo, signatureTypeSN, ...rest } = r.body
		assert.deepEqual(rest, { name: '/CN=localhost', subjectSN: 'localhost', issuerOrganisation: 'Some Makers' })
		assert.ok(validTo - validFrom === 2 * 86400 && Math.abs(validFrom - Date.now() / 1000) < 600, r.text)
		assert.match(signatureTypeSN, /sha256/i)
		assert.deepEqual((await ask(`https://localhost:${good.address().port}`)).body, r.body, 'again, where the first connection would still be open')
		const over = await serve('over', '-1')
		fails(await ask(`https://localhost:${over.address().port}`), 404, 'health_certificate_expired')
		const port = good.address().port
		await Promise.all([good, over].map((x) => new Promise((ok) => { x.closeAllConnections(); x.close(ok) })))
		fails(await ask(`https://localhost:${port}`), 404, 'health_invalid_host')
		for (const bad of ['', 'ftp://localhost', 'a b', 'x'.repeat(2049)]) fails(await ask(bad), 400, 'general_argument_invalid')
		const strict = await server(), q = await strict.project({ scopes: ['health.read'] })
		for (const host of ['localhost', '127.0.0.1', 'https://10.0.0.1']) fails(await ask(host, q), 404, 'health_invalid_host')
	})
})

test('what there is none of, to who asks for it in passing', async () => {
	const key = await p.addKey(['sites.read', 'topics.read', 'rules.read'])
	for (const [path, list] of [['/sites', 'sites'], ['/messaging/topics', 'topics'], ['/proxy/rules', 'rules']]) {
		assert.deepEqual(await p.ok('GET', path, { ...now, key, query: { queries: ['{"method":"limit","values":[100]}'] } }), { total: 0, [list]: [] })
		fails(await p.call('GET', path, now), 401, 'general_unauthorized_scope')
	}
})

describe('avatars', () => {
	test('a photo of the caller', async () => {
		const u = await p.user({ name: 'Ada Lovelace' }), r = await u.call('GET', '/avatars/photo', { ...now, query: { width: '60', height: '40' } })
		assert.equal(r.status, 200, r.text)
		assert.equal(r.headers['content-type'], 'image/png')
		assert.equal(r.headers['cache-control'], 'private, no-store')
		assert.deepEqual([png(r.raw).width, png(r.raw).height], [60, 40])
		const other = await (await p.user({ name: 'Bob' })).call('GET', '/avatars/photo', { ...now, query: { width: '60', height: '40' } })
		assert.notDeepEqual(other.raw, r.raw)
		for (const call of [p.guest, p.call, p.admin]) assert.equal((await call('GET', '/avatars/photo', now)).headers['content-type'], 'image/png')
		assert.equal((await u.call('GET', '/avatars/photo', { ...now, query: { output: 'jpg', quality: '50' } })).headers['content-type'], 'image/jpeg')
		for (const query of [{ width: '0' }, { width: '2001' }, { output: 'gif' }, { rating: 'y' }, { quality: '101' }]) fails(await u.call('GET', '/avatars/photo', { ...now, query }), 400, 'general_argument_invalid')
		fails(await p.guest('GET', '/avatars/photo', { ...now, key: await p.addKey(['users.read']) }), 401, 'general_unauthorized_scope')
	})
	test('pictures of pages need a browser', async () => {
		fails(await p.guest('GET', '/avatars/screenshots', { ...now, query: { url: 'https://example.org' } }), 405, 'general_not_implemented')
		fails(await p.guest('GET', '/avatars/screenshots', { ...now, query: { url: 'x' } }), 400, 'general_argument_invalid')
	})
})
