/* Webhooks: what a receiver gets, byte for byte, when, and how often; what is remembered of it, and sent again. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { signatureOf, receiver } from '../lib/receiver.mjs'
import { run, server, sleep, unique, until } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { fails, keysOf } from './lib.mjs'

let s, p, box
const hooks = () => `/projects/${p.id}/webhooks`
const hook = (url, events, more = {}) => p.console.ok('POST', hooks(), { body: { name: 'Hook', events, url, security: false, ...more } })

before(async () => {
	box = await sink()
	s = await server({ own: true, conf: { web_processes: 1, webhook_private: 'on', webhook_timeout: '5s', webhook_attempts_max: 3, smtp_host: '127.0.0.1', smtp_port: box.port } })
	p = await s.project({ name: 'Hooked & co' })
})
after(async () => {
	await s.stop()
	box.stop()
})

const drop = (w) => p.console.ok('DELETE', `${hooks()}/${w.$id}`)
const team = (name = 'A') => p.ok('POST', '/teams', { body: { teamId: unique(), name } })
const state = (w, as = '1.5.0') => p.console.ok('GET', `${hooks()}/${w.$id}`, { headers: { 'x-appwrite-response-format': as } })
const log = async (w) => (await p.console.ok('GET', `${hooks()}/${w.$id}/deliveries`)).deliveries

describe('a delivery', () => {
	test('has the headers of the contract, and the payload', async () => {
		const r = await receiver({ path: '/hook%20one?x=%2Fa' }), w = await hook(r.url, ['users.*.create'], { httpUser: 'me', httpPass: 'p:w', name: 'Ünï' })
		const u = await p.ok('POST', '/users', { body: { userId: unique(), email: `${unique()}@example.org`, password: 'password-1234', name: 'A/B é 😀' } })
		const d = await r.next()
		assert.equal(d.method, 'POST')
		assert.equal(d.url, '/hook%20one?x=%2Fa')
		assert.deepEqual(d.body, { ...u, prefs: [] })
		const h = d.headers
		assert.equal(h['content-type'], 'application/json')
		assert.equal(h['content-length'], String(d.raw.length))
		assert.equal(h['x-appwrite-webhook-id'], w.$id)
		assert.equal(h['x-appwrite-webhook-events'], `users.${u.$id}.create,users.*.create,users.${u.$id},users.*`)
		assert.equal(Buffer.from(h['x-appwrite-webhook-name'], 'latin1').toString(), 'Ünï')
		assert.equal('x-appwrite-webhook-user-id' in h, false)
		assert.equal(h['x-appwrite-webhook-project-id'], p.id)
		assert.equal(h['x-appwrite-webhook-signature'], signatureOf(w.signatureKey, r.url, d.raw))
		assert.equal(h['user-agent'], 'Appwrite-Server v1.0.2. Please report abuse at team@localhost.test')
		assert.equal(h.authorization, `Basic ${Buffer.from('me:p:w').toString('base64')}`)
		assert.equal('expect' in h, false)
		await p.console.ok('DELETE', `${hooks()}/${w.$id}`)
		await r.stop()
	})
})

describe('who gets what', () => {
	test('the acting user is named, a guest and a key are not', async () => {
		const r = await receiver(), w = await hook(r.url, ['users.*'])
		const u = await p.user()
		for (const what of ['create', 'sessions.create']) {
			const d = await r.next()
			assert.match(d.headers['x-appwrite-webhook-events'], new RegExp(`^users\\.${u.id}\\.${what === 'create' ? 'create' : 'sessions\\.[^.]+\\.create'},`))
			assert.equal('x-appwrite-webhook-user-id' in d.headers, false)
		}
		await u.ok('PATCH', '/account/name', { body: { name: 'B' } })
		const d = await r.next()
		assert.equal(d.headers['x-appwrite-webhook-user-id'], u.id)
		assert.equal(d.headers['x-appwrite-webhook-events'], `users.${u.id}.update,users.*.update,users.${u.id}.update.name,users.*.update.name,users.${u.id},users.*`)
		assert.equal('authorization' in d.headers, false)
		await p.ok('PATCH', `/users/${u.id}/prefs`, { body: { prefs: { a: {}, b: [], n: { 0: 'x', 1: 'y' } } } })
		assert.equal((await r.next()).text, '{"a":[],"b":[],"n":["x","y"]}')
		await p.ok('DELETE', `/users/${u.id}/sessions/${u.session.$id}`)
		assert.equal((await r.next()).text, '[]')
		await drop(w)
		await r.stop()
	})

	test('one event comes once to each webhook that has one of its names, and to no other', async () => {
		const all = await Promise.all([['teams.*', 'teams.*.create'], ['users.*'], ['teams.*.update'], ['teams.nobody.create']].map(async (events) => {
			const r = await receiver()
			return { r, w: await hook(r.url, events) }
		}))
		const t = await team(), own = await hook(all[1].r.url, [`teams.${t.$id}.delete`])
		await p.ok('PUT', `/teams/${t.$id}`, { body: { name: 'B' } })
		await p.ok('DELETE', `/teams/${t.$id}`)
		assert.equal((await all[1].r.next()).body.$id, t.$id)
		for (let i = 0; i < 3; i++) await all[0].r.next()
		assert.deepEqual(all[0].r.all.map((d) => d.headers['x-appwrite-webhook-events'].split(',')[0].split('.').at(-1)), ['create', 'update', 'delete'])
		assert.deepEqual(all.map(({ r }) => r.all.length), [3, 1, 1, 0])
		assert.equal(new Set(all.flatMap(({ r }) => r.all.map((d) => d.headers['webhook-id']))).size, 5)
		for (const { r, w } of all) { await drop(w); await r.stop() }
		await drop(own)
	})

	test('a webhook that is off hears nothing; 1.0 clients do not see that members were added, later ones do', async () => {
		const r = await receiver(), w = await hook(r.url, ['teams.*'], { enabled: false })
		assert.equal('enabled' in w, false)
		const told = await state(w)
		assert.deepEqual([told.enabled, told.attempts, told.logs], [false, 0, ''])
		assert.equal('enabled' in await state(w, '1.4.0'), false)
		assert.equal((await p.console.ok('GET', hooks(), { headers: { 'x-appwrite-response-format': '1.6.0' } })).webhooks.at(-1).enabled, false)
		const probe = await receiver(), other = await hook(probe.url, ['teams.*'])
		await team('unheard')
		await probe.next()
		await p.console.ok('PUT', `${hooks()}/${w.$id}`, { body: { name: 'Hook', events: ['teams.*'], url: r.url, security: false } })
		assert.equal((await state(w)).enabled, true)
		await team('heard')
		assert.equal((await r.next()).body.name, 'heard')
		assert.equal(r.all.length, 1)
		for (const x of [w, other]) await drop(x)
		await r.stop()
		await probe.stop()
	})

	test('400 writes reach two webhooks, each once, in the order of each document', async () => {
		const [a, b] = [await receiver({ answer: () => (rq, rs) => setTimeout(() => rs.end(), Math.random() * 5) }), await receiver()]
		const events = 'databases.*.collections.*.documents.*'
		const list = [await hook(a.url, [events]), await hook(b.url, [events, `${events}.update`])]
		const db = unique(), c = unique()
		await p.ok('POST', '/databases', { body: { databaseId: db, name: 'D' } })
		await p.ok('POST', `/databases/${db}/collections`, { body: { collectionId: c, name: 'C', permissions: [], documentSecurity: false } })
		await p.ok('POST', `/databases/${db}/collections/${c}/attributes/integer`, { body: { key: 'n', required: false } })
		await until('the attribute', async () => (await p.ok('GET', `/databases/${db}/collections/${c}/attributes/n`)).status === 'available')
		const documents = Array.from({ length: 20 }, () => unique())
		await Promise.all(documents.map(async (id) => {
			await p.ok('POST', `/databases/${db}/collections/${c}/documents`, { body: { documentId: id, data: { n: 0 } } })
			for (let n = 1; n < 20; n++) await p.ok('PATCH', `/databases/${db}/collections/${c}/documents/${id}`, { body: { data: { n } } })
		}))
		await until('all of them', () => a.all.length >= 400 && b.all.length >= 400)
		for (const r of [a, b]) {
			const twice = r.all.filter((d, i) => r.all.findIndex((x) => x.headers['webhook-id'] === d.headers['webhook-id']) < i)
			assert.deepEqual(twice.map((d) => d.headers['webhook-id']), [], JSON.stringify([await log(list[0]), await log(list[1])].flat().filter((x) => twice.some((d) => d.headers['webhook-id'] === x.$id))))
			for (const id of documents) assert.deepEqual(r.all.filter((d) => d.body.$id === id).map((d) => d.body.n), Array.from({ length: 20 }, (_, n) => n))
			assert.equal(r.all.length, 400)
		}
		for (const w of list) await drop(w)
		for (const r of [a, b]) await r.stop()
	})

	test('rows by whichever name they are subscribed to', async () => {
		const names = ['databases.*.collections.*.documents.*.create', 'databases.*.tables.*.rows.*.create', 'tablesdb.*.tables.*.rows.*.create'], heard = []
		for (const name of names) { const r = await receiver(); heard.push([r, await hook(r.url, [name])]) }
		const db = unique(), path = `/tablesdb/${db}/tables/t`
		await p.ok('POST', '/tablesdb', { body: { databaseId: db, name: 'D' } })
		await p.ok('POST', `/tablesdb/${db}/tables`, { body: { tableId: 't', name: 'T' } })
		await p.ok('POST', `${path}/columns/integer`, { body: { key: 'n', required: false } })
		await until('the column', async () => (await p.ok('GET', `${path}/columns/n`)).status === 'available')
		await p.ok('POST', `${path}/rows`, { body: { rowId: 'x', data: { n: 1 } } })
		for (const [r, w] of heard) {
			const d = await r.next()
			assert.deepEqual([d.body.$id, d.body.n], ['x', 1])
			assert.deepEqual(d.headers['x-appwrite-webhook-events'].split(',').slice(0, 4), [`tablesdb.${db}.tables.t.rows.x.create`, `databases.${db}.collections.t.documents.x.create`, `databases.${db}.tables.t.rows.x.create`, `tablesdb.*.tables.*.rows.*.create`])
			await drop(w)
			await r.stop()
		}
		for (const name of ['tablesdb.*.rows.*.create', 'tables.*', 'tablesdb.*.tables.*.lines.*'])
			fails(await p.console.call('POST', hooks(), { body: { name: 'Hook', events: [name], url: 'https://example.org', security: false } }), 400, 'general_argument_invalid')
	})

	/* What the console is told when something that takes its time is done is nothing that anybody asked for. In the end somebody uses the table, so that jobs do it. */
	test('what is asked of a schema, once each, a change as well', async () => {
		const r = await receiver(), db = unique(), c = unique(), path = `/databases/${db}/collections/${c}`, asked = []
		await p.ok('POST', '/databases', { body: { databaseId: db, name: 'D' } })
		await p.ok('POST', `/databases/${db}/collections`, { body: { collectionId: c, name: 'C', permissions: [], documentSecurity: false } })
		const w = await hook(r.url, [`databases.${db}.collections.${c}.attributes.*`, `databases.${db}.tables.${c}.indexes.*`, `databases.${db}.collections.${c}.update`])
		const ask = async (name, method, target, body) => { await p.ok(method, `${path}/${target}`, { body }); asked.push(name) }
		const becomes = (what, status) => until(`${what} is ${status}`, async () => ((await p.call('GET', `${path}/${what}`)).body.status ?? 'gone') === status)
		const integer = (key) => ask(`attributes.${key}.create`, 'POST', 'attributes/integer', { key, required: false })
		const remove = (what, key) => ask(`${what}.${key}.delete`, 'DELETE', `${what}/${key}`)

		await integer('a')
		await ask('attributes.b.update', 'PATCH', 'attributes/integer/a', { required: false, default: null, newKey: 'b' })
		for (const key of ['x', 'y']) {
			await ask(`indexes.${key}.create`, 'POST', 'indexes', { key, type: 'key', attributes: ['b'] })
			await becomes(`indexes/${key}`, 'available')
		}
		await remove('indexes', 'x')
		await ask('attributes.r.create', 'POST', 'attributes/relationship', { relatedCollectionId: c, type: 'oneToOne', key: 'r' })
		await ask('attributes.r.update', 'PATCH', 'attributes/r/relationship', { onDelete: 'cascade' })
		await remove('attributes', 'r')

		const psql = ['-h', `${s.dataDir}/run`, '-U', 'badal', '-d', 'postgres', '-Atq'], sql = (text) => execFileSync('psql', [...psql, '-c', text], { encoding: 'utf8' }).trim()
		const schema = sql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`), holder = spawn('psql', psql, { stdio: ['pipe', 'pipe', 'inherit'] })
		holder.stdin.write(`BEGIN; LOCK TABLE ${schema}.c_${sql(`SELECT internal FROM ${schema}.collections WHERE id = '${c}'`)} IN ACCESS SHARE MODE; SELECT 'held';\n`)
		await once(holder.stdout, 'data')
		await integer('late')
		await remove('indexes', 'y')
		await remove('attributes', 'b')
		holder.stdin.end('COMMIT;\n')
		await becomes('attributes/late', 'available')
		for (const what of ['indexes/y', 'attributes/b']) await becomes(what, 'gone')
		await p.ok('PUT', path, { body: { name: 'the last' } })
		await until('the last', () => r.all.some((d) => d.body.name === 'the last'))
		const heard = r.all.map((d) => d.headers['x-appwrite-webhook-events'].split(',')[0].split('.').slice(4)).filter((v) => v.length === 3)
		assert.deepEqual(heard.map(([what, id, action]) => `${what}.${id.split('_')[2]}.${action}`).sort(), asked.sort())
		await drop(w)
		await r.stop()
	})

	test('numbers, signs and texts as PHP has them, over which both signatures are', async () => {
		const r = await receiver(), w = await hook(r.url, ['databases.*.collections.*.documents.*.create'])
		const db = unique(), c = unique(), path = `/databases/${db}/collections/${c}`
		await p.ok('POST', '/databases', { body: { databaseId: db, name: 'D' } })
		await p.ok('POST', `/databases/${db}/collections`, { body: { collectionId: c, name: 'C', permissions: [], documentSecurity: false } })
		await p.ok('POST', `${path}/attributes/float`, { body: { key: 'f', required: false, array: true } })
		await p.ok('POST', `${path}/attributes/string`, { body: { key: 's', required: false, size: 100 } })
		await until('the attributes', async () => (await p.ok('GET', path)).attributes.every((a) => a.status === 'available'))
		const body = '{"documentId":"x","data":{"f":[1.0,1e21,5e-324,-0.0,1e17,1e16,123456789012345680,0.0001,0.00001,0.1,1.5e-7],"s":"😀/\\u2028\\u007f\\"é"}}'
		await p.ok('POST', `${path}/documents`, { headers: { 'content-type': 'application/json' }, body })
		const d = await r.next()
		assert.ok(d.text.includes('"f":[1,1.0e+21,5.0e-324,-0,1.0e+17,10000000000000000,1.2345678901234568e+17,0.0001,1.0e-5,0.1,1.5e-7]'), d.text)
		assert.ok(d.text.includes(String.raw`"s":"\ud83d\ude00\/\u2028` + '\x7f' + String.raw`\"\u00e9"`), d.text)
		assert.ok(/^[\x00-\x7f]*$/.test(d.text) && d.text.includes('"$permissions":[]'))
		assert.equal(d.headers['x-appwrite-webhook-signature'], signatureOf(w.signatureKey, r.url, d.raw))
		const s = 'é'.repeat(50)
		await p.ok('POST', `${path}/attributes/string`, { body: { key: 'big', required: false, size: 1100000 } })
		await until('the attribute', async () => (await p.ok('GET', `${path}/attributes/big`)).status === 'available')
		await p.ok('POST', `${path}/documents`, { body: { documentId: 'y', data: { big: 'x'.repeat(1000000), s } } })
		const big = await r.next()
		assert.equal(big.body.big.length, 1000000)
		assert.equal(big.body.s, s)
		await drop(w)
		await r.stop()
	})
})

describe('a receiver that fails', () => {
	test('500, 500, 200: three tries under one id, each signed anew; what comes later waits; then the count is 0', async () => {
		const r = await receiver({ answer: (d, n) => (n <= 2 ? 500 : 200) }), w = await hook(r.url, ['teams.*'])
		const first = await team('first'), second = await team('second')
		for (const n of [1, 2]) {
			await r.next()
			await until('it is counted', async () => (await state(w)).attempts === n)
			assert.equal((await state(w)).logs, 'The receiver answered 500.')
		}
		const [a, b, c, d] = [...r.all, await r.next(), await r.next()]
		assert.deepEqual([a, b, c, d].map((x) => x.body.$id), [first.$id, first.$id, first.$id, second.$id])
		assert.equal(new Set([a, b, c].map((x) => x.headers['webhook-id'])).size, 1)
		assert.equal(new Set([a, b, c].map((x) => x.headers['webhook-timestamp'])).size, 3)
		assert.equal(new Set([a, b, c].map((x) => x.headers['webhook-signature'])).size, 3)
		await until('it is forgiven', async () => (await state(w)).attempts === 0)
		await until('it is remembered', async () => (await log(w)).length === 4)
		assert.deepEqual((await log(w)).map((x) => [x.status, x.responseCode, x.attempts]), [['delivered', 200, 1], ['delivered', 200, 3], ['failed', 500, 2], ['failed', 500, 1]])
		await drop(w)
		await r.stop()
	})

	test('is switched off after so many tries, its owners are told, and what waited can be sent again', async () => {
		const r = await receiver({ answer: () => 503 }), w = await hook(r.url, ['teams.*'], { name: 'Bad <b>' })
		const first = await team('first'), second = await team('second')
		await until('it is off', async () => !(await state(w)).enabled, 60000)
		const off = await state(w)
		assert.deepEqual([off.attempts, off.logs], [3, 'The receiver answered 503.'])
		const m = await box.next(p.console.email)
		assert.equal(m.headers.subject, 'Webhook switched off at Hooked & co')
		assert.ok(m.text.includes('The webhook Bad <b> of Hooked & co is switched off') && m.text.includes(r.url))
		await until('both are put away', async () => (await log(w)).filter((x) => x.status === 'disabled').length === 2)
		assert.deepEqual(r.all.map((d) => d.body.$id), [first.$id, first.$id, first.$id])
		assert.equal((await s.ok('GET', '/health/queue/webhooks', { project: p.id, key: p.key })).size, 0)
		/* what comes while it is off is not heard; saved again, it is on */
		r.answer(() => 200)
		await p.console.ok('PUT', `${hooks()}/${w.$id}`, { body: { name: 'Good', events: ['teams.*'], url: r.url, security: false } })
		assert.deepEqual([(await state(w)).enabled, (await state(w)).attempts], [true, 0])
		await p.console.ok('POST', `${hooks()}/${w.$id}/deliveries`, { status: 204 })
		await until('both have come', () => r.all.length === 5)
		assert.deepEqual(r.all.slice(3).map((d) => d.body.$id), [first.$id, second.$id])
		assert.equal(r.all[3].headers['webhook-id'], r.all[0].headers['webhook-id'])
		await until('it is remembered', async () => (await log(w)).filter((x) => x.status === 'delivered').length === 2)
		/* nothing is left to send again, but one delivery may be, by its id; also from the shell */
		await p.console.ok('POST', `${hooks()}/${w.$id}/deliveries`)
		const one = (await log(w))[0]
		keysOf(one, '$id $createdAt event sentAt status attempts responseCode duration error replayable')
		assert.equal(one.event, `teams.${second.$id}.create`)
		await p.console.ok('POST', `${hooks()}/${w.$id}/deliveries`, { body: { deliveryId: one.$id } })
		await until('it has come', () => r.all.length === 6)
		assert.deepEqual([r.all[5].body.$id, r.all[5].headers['webhook-id']], [second.$id, one.$id])
		const shell = (...words) => run(['webhook', ...words, `--data-dir=${s.dataDir}`, `--project=${p.id}`])
		const again = await shell('replay', `--id=${w.$id}`, `--delivery=${one.$id}`)
		assert.deepEqual([again.code, again.out, again.err.replace(/^.*ASan doesn't fully support.*\n/gm, '')], [0, '1\n', ''])
		await until('it has come', () => r.all.length === 7)
		assert.match((await shell('list')).out, new RegExp(`^${w.$id}\tGood\ton\t0\t${r.url}\tThe receiver answered 503\\.$`, 'm'))
		await until('it is remembered', async () => (await log(w)).length >= 9)
		assert.match((await shell('log', `--id=${w.$id}`)).out, new RegExp(`^${one.$id}\t\\S+\tteams\\.${second.$id}\\.create\tdelivered\t1\t200\t\\d+ ms\t$`, 'm'))
		assert.match((await shell('replay', `--id=${w.$id}`, '--delivery=none')).err, /No delivery/)
		fails(await p.console.call('POST', `${hooks()}/${w.$id}/deliveries`, { body: { deliveryId: 'none' } }), 404, 'webhook_delivery_not_found')
		fails(await p.console.call('GET', `${hooks()}/unknown/deliveries`), 404, 'webhook_not_found')
		await drop(w)
		await r.stop()
	})

	test('silent, dripping, refusing, redirecting, endless, cut: each has its reason, and the one beside is not kept waiting', async () => {
		const sockets = new Set(), raw = async (onRequest) => {
			const n = net.createServer((c) => { sockets.add(c); c.on('error', () => {}); c.once('data', () => onRequest(c)) })
			await new Promise((ok) => n.listen(0, '127.0.0.1', ok))
			return { url: `http://127.0.0.1:${n.address().port}/`, stop: () => n.close() }
		}
		const elsewhere = await receiver()
		const bad = {
			silent: [await raw(() => {}), /^No answer within 5 seconds\.$/],
			dripping: [await raw((c) => { const text = 'HTTP/1.1 200 OK\r\n'; let i = 0; const t = setInterval(() => { if (i < text.length) c.write(text[i++]); else clearInterval(t) }, 500); t.unref() }), /^No answer within 5 seconds\.$/],
			refusing: [{ url: 'http://127.0.0.1:1/', stop() {} }, /^No answer: .*[Cc]onnect/],
			redirecting: [await raw((c) => c.end(`HTTP/1.1 302 Found\r\nLocation: ${elsewhere.url}\r\nContent-Length: 0\r\n\r\n`)), /^The receiver answered 302; redirects are not followed\.$/],
			cut: [await raw((c) => c.end('HTTP/1.1 2')), /^No answer: /],
			strange: [await raw((c) => c.end('220 mail.example ESMTP\r\n')), /^No answer: /],
		}
		const endless = await raw((c) => { c.write('HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n'); const more = () => { while (!c.destroyed && c.write(Buffer.alloc(65536))); }; c.on('drain', more); more() })
		const short = await raw((c) => c.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'))
		const list = []
		for (const [name, [r, why]] of Object.entries(bad)) list.push({ w: await hook(r.url, ['teams.*'], { name }), why })
		const fine = await Promise.all([endless, short].map((r) => hook(r.url, ['teams.*'])))
		const good = await receiver(), w = await hook(good.url, ['teams.*']), times = []
		for (let i = 0; i < 30; i++) {
			const began = Date.now()
			await team()
			await good.next()
			times.push(Date.now() - began)
		}
		times.sort((a, b) => a - b)
		assert.ok(times[15] < 5000, times.join(' '))	/* as long as one that says nothing is waited for */
		for (const { w: b, why } of list)
			await until(`${b.name} has its reason`, async () => why.test((await state(b)).logs)).catch(async (e) => { throw new Error(`${e.message}: ${(await state(b)).logs}`) })
		for (const f of fine) {
			await until('a good status counts, whatever follows', async () => (await log(f)).filter((x) => x.status === 'delivered').length >= 1)
			assert.equal((await state(f)).attempts, 0)
		}
		assert.equal(elsewhere.all.length, 0)
		for (const x of [w, ...fine, ...list.map((l) => l.w)]) await drop(x)
		for (const c of sockets) c.destroy()
		for (const [r] of Object.values(bad)) r.stop()
		for (const r of [endless, short]) r.stop()
		for (const r of [good, elsewhere]) await r.stop()
	})

	test('a certificate that nobody vouches for does only with security off; https to a plain port is an error', async () => {
		execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', path.join(s.data, 'key.pem'), '-out', path.join(s.data, 'cert.pem'), '-days', '2', '-subj', '/CN=localhost'], { stdio: 'ignore' })
		const r = await receiver({ tls: { key: readFileSync(path.join(s.data, 'key.pem')), cert: readFileSync(path.join(s.data, 'cert.pem')) } }), plain = await receiver()
		const strict = await hook(r.url, ['teams.*'], { security: true }), lax = await hook(r.url, ['teams.*']), wrong = await hook(plain.url.replace('http', 'https'), ['teams.*'])
		const t = await team()
		const d = await r.next()
		assert.deepEqual([d.body.$id, d.headers['x-appwrite-webhook-id']], [t.$id, lax.$id])
		for (const w of [strict, wrong]) await until('it failed', async () => /^No answer: .*(certificate|SSL)/i.test((await state(w)).logs))
		assert.equal(r.all.length, 1)
		for (const w of [strict, lax, wrong]) await drop(w)
		await r.stop()
		await plain.stop()
	})
})

describe('the line', () => {
	test('deliveries that are soon answered share a connection; of one user one goes after the other', async () => {
		let most = 0, now = 0
		const r = await receiver({ answer: () => (rq, rs) => { most = Math.max(most, ++now); setTimeout(() => { now--; rs.end('ok') }, 20) } })
		const w = await hook(r.url, ['users.*']), connections = new Set()
		r.server.on('request', (rq) => connections.add(rq.socket))
		const u = await p.user()
		for (let i = 0; i < 8; i++) await u.ok('PATCH', '/account/name', { body: { name: `n${i}` } })
		await until('all of them', () => r.all.length === 10)
		assert.deepEqual(r.all.slice(2).map((d) => d.body.name), Array.from({ length: 8 }, (_, i) => `n${i}`))
		assert.equal(most, 1)
		assert.ok(connections.size <= 2, `${connections.size} connections`)
		await drop(w)
		await r.stop()
	})

	test('what waits is counted, what is deleted is forgotten', async () => {
		let release
		const held = new Promise((ok) => { release = ok }), r = await receiver({ answer: (d, n) => (n === 1 ? (rq, rs) => held.then(() => rs.end()) : () => {}) }), w = await hook(r.url, ['teams.*'])	/* the next may be under way before it is known that nobody wants it */
		for (let i = 0; i < 5; i++) await team()
		await until('they wait', async () => (await s.ok('GET', '/health/queue/webhooks', { project: p.id, key: p.key })).size === 5)
		await drop(w)
		release()
		await until('nothing waits', async () => (await s.ok('GET', '/health/queue/webhooks', { project: p.id, key: p.key })).size === 0)
		assert.ok(r.all.length < 5)
		await r.stop()
	})
})

describe('an end in order', () => {
	test('does not wait for a receiver that does not answer, whatever webhook_timeout says, and the deliveries are made later', async () => {
		const own = await server({ own: true, conf: { web_processes: 1, webhook_private: 'on', webhook_timeout: '5m', drain_timeout: '1s' } })
		const q = await own.project({ name: 'Slow' }), held = []
		const dead = await receiver({ answer: () => (rq, rs) => held.push(rs) })
		for (let i = 0; i < 3; i++)
			await q.console.ok('POST', `/projects/${q.id}/webhooks`, { body: { name: `Hook ${i}`, events: ['teams.*.create'], url: `${dead.url}${i}`, security: false } })
		for (let i = 0; i < 3; i++) await q.ok('POST', '/teams', { body: { teamId: unique(), name: 'A' } })
		await until('each line waits for its receiver', () => new Set(dead.all.map((d) => d.url)).size === 3)
		own.kill('SIGTERM')
		const e = await own.exit, log = own.log()
		assert.equal(e.code, 0, log.slice(-3000))
		assert.doesNotMatch(log, /roles do not end in time|does not end in order/)
		await own.stop()
		await dead.stop()
	})
})
