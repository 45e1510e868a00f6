/* Live tails: who runs a project hears on the console that something happened in it, never what. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { cookieOf, server, unique, until } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { channels, listen, open } from '../lib/ws.mjs'
import { library, read } from './lib.mjs'

let s, p, box, me
const old = { headers: { 'x-appwrite-response-format': '1.8.0' } }
const of = (id) => `console.tail.${id}`
const refusal = { type: 'error', data: { code: 1008, message: 'The live tail of a project is for members of the team that owns it, on the console' } }
const equal = (attribute, ...values) => JSON.stringify({ method: 'equal', attribute, values })
/* By messages, with one subscription. */
async function follow(who = me, project = p.id, { queries = [], id = 'a' } = {}) {
	const w = await listen(s, 'project=console', { cookie: who?.cookie })
	w.answer = await w.ask({ type: 'subscribe', data: [{ subscriptionId: id, channels: [of(project)], queries }] })
	return w
}
/* What is told, one at a time, until one fits. */
async function happened(w, fits) {
	for (w.told ??= [];;) {
		while (w.told.length > 0) {
			const x = w.told.shift()
			if (fits(x)) return x
		}
		w.told.push(...(await w.event((e) => e.events[0] === 'console.tail')).payload)
	}
}
const metric = async (name) => [...(await s.call('GET', '/metrics', { root: true })).text.matchAll(new RegExp(`^badal_${name} (\\d+)`, 'gm'))].reduce((n, m) => n + Number(m[1]), 0)

before(async () => {
	box = await sink()
	s = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port, rt_tails_max: 12, web_processes: 1 } })
	p = await library(s)
	me = p.console
})
after(async () => { await s?.stop(); box?.stop() })

/* A member of the project's team, by invitation. */
async function member(project = p) {
	const u = await s.user(), m = await me.ok('POST', `/teams/${project.teamId}/memberships`, { body: { email: u.email, roles: ['developer'], url: 'http://localhost/x' } })
	const link = new URL((await box.next(u.email)).link)
	/* who has the mail has the account: the session is another */
	const cookie = cookieOf(await s.call('PATCH', `/teams/${project.teamId}/memberships/${m.$id}/status`, { project: 'console', body: { userId: link.searchParams.get('userId'), secret: link.searchParams.get('secret') } }))
	return { ...u, cookie, membership: m.$id, ok: (method, t, o) => u.ok(method, t, { ...o, cookie }) }
}

describe('what is told', () => {
	test('that a document was written, where and by whom, and nothing of what it says', async () => {
		const w = await follow(), u = await p.user(), id = unique()
		assert.deepEqual(w.answer.data, { to: 'subscribe', success: true, subscriptions: [{ subscriptionId: 'a', channels: [of(p.id)], queries: [] }] })
		await p.collection('written', [read('any'), 'create("users")'])
		const e = w.event((d) => d.payload.some?.((x) => x.resourceId === id))
		await u.ok('POST', '/databases/d/collections/written/documents', { body: { documentId: id, data: { n: 918273645 }, permissions: [`update("user:${u.id}")`] } })
		const d = await e, one = d.payload.find((x) => x.resourceId === id)
		assert.deepEqual(Object.keys(d), ['events', 'channels', 'timestamp', 'payload', 'subscriptions'])
		assert.deepEqual([d.events, d.channels, d.subscriptions], [['console.tail'], [of(p.id)], ['a']])
		assert.deepEqual(one, { event: `databases.d.collections.written.documents.${id}.create`, type: 'documents', action: 'create', userId: u.id, timestamp: one.timestamp, resourceId: id, databaseId: 'd', collectionId: 'written' })
		assert.match(one.timestamp, /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/)
		assert.ok(!w.text.includes('918273645') && !w.text.includes('update('))
		w.end()
	})

	test('by a key it is nobody\'s; of users, sessions, teams and their members too', async () => {
		const w = await follow(), u = await p.user(), t = await u.ok('POST', '/teams', { body: { teamId: unique(), name: 'T' } })
		for (const [fits, want] of [
			[(x) => x.type === 'users' && x.resourceId === u.id && x.action === 'create', { event: `users.${u.id}.create`, userId: null }],
			[(x) => x.type === 'sessions' && x.event.startsWith(`users.${u.id}.`), { action: 'create' }],
			[(x) => x.type === 'teams' && x.resourceId === t.$id, { action: 'create', teamId: t.$id, userId: u.id }],
		]) {
			const got = await happened(w, fits)
			for (const [k, v] of Object.entries(want)) assert.equal(got[k], v, k)
		}
		await p.ok('PATCH', `/users/${u.id}/name`, { body: { name: 'Secret name' } })
		const got = await happened(w, (x) => x.type === 'users' && x.action === 'update')
		assert.deepEqual([got.event, got.resourceId, got.userId], [`users.${u.id}.update`, u.id, null])
		assert.ok(!w.text.includes('Secret name'))
		await p.ok('POST', '/functions', { body: { functionId: 'f', name: 'f', execute: [], runtime: 'node-18.0' } }).catch(() => {})
		await p.ok('POST', '/storage/buckets', { body: { bucketId: 'b', name: 'b' } })
		assert.equal((await happened(w, (x) => x.type === 'buckets')).bucketId, 'b')
		w.end()
	})

	test('a row is called as its paths call it', async () => {
		const w = await follow(), today = { headers: { 'x-appwrite-response-format': '1.9.5' } }
		await p.ok('POST', '/tablesdb', { body: { databaseId: 'td', name: 'td' }, ...today })
		await p.ok('POST', '/tablesdb/td/tables', { body: { tableId: 't', name: 't', columns: [{ key: 'n', type: 'integer' }] }, ...today })
		await p.ok('POST', '/tablesdb/td/tables/t/rows', { body: { rowId: 'r', data: { n: 1 } }, ...today })
		const got = await happened(w, (x) => x.resourceId === 'r')
		assert.deepEqual([got.event, got.type, got.databaseId, got.collectionId], ['tablesdb.td.tables.t.rows.r.create', 'documents', 'td', 't'])
		w.end()
	})

	test('in the URL, with queries of it, and in the words of 1.0', async () => {
		const name = of(p.id), [a, b] = [await p.user(), await p.user()]
		const w = await listen(s, `project=console&${channels(name)}&${name.replaceAll('.', '_')}[0][]=${encodeURIComponent(equal('type', 'users'))}&${name.replaceAll('.', '_')}[0][]=${encodeURIComponent(equal('resourceId', b.id))}`, { cookie: me.cookie })
		assert.deepEqual(w.hello.data.channels, [name])
		await p.ok('PATCH', `/users/${a.id}/name`, { body: { name: 'x' } })
		await p.ok('PATCH', `/users/${b.id}/name`, { body: { name: 'x' } })
		const d = await w.event()
		assert.match(d.timestamp, /^\d{4}-\d\d-\d\d /)
		assert.deepEqual(d.payload.map((x) => x.resourceId), [b.id])
		w.end()
	})

	test('of one project alone, and of settings nothing', async () => {
		const w = await follow(), q = await s.project(), u = await p.user()
		await q.user()
		await me.ok('PATCH', `/projects/${p.id}`, { body: { name: 'Test' } })
		await p.addKey(['users.read'])
		await p.ok('PATCH', `/users/${u.id}/name`, { body: { name: 'last' } })
		const all = []
		while (!all.some((x) => x.resourceId === u.id && x.action === 'update')) all.push(...(await w.event()).payload)
		assert.deepEqual([...new Set(all.map((x) => x.type))].sort(), ['sessions', 'users'])
		assert.ok(all.every((x) => x.event.includes(u.id)))
		w.end()
	})
})

describe('who may', () => {
	const refused = async (query, cookie, then) => {
		const w = await open(s, query, { cookie }), first = await w.next()
		if (!then) return [first, (await w.closed).code]
		return [await w.ask(then), (await w.closed).code]
	}
	test('members of the team that owns it, on the console alone', async () => {
		const stranger = await s.user(), q = await s.project(), u = await p.user(), sub = (id) => ({ type: 'subscribe', data: [{ channels: ['x', of(id)] }] })
		for (const [cookie, id, project] of [[undefined, p.id, 'console'], [stranger.cookie, p.id, 'console'], [me.cookie, 'none', 'console'], [me.cookie, '', 'console'], [me.cookie, 'console', 'console'],
			[u.cookie, p.id, p.id], [me.cookie, p.id, `${p.id}&mode=admin`], [me.cookie, `${p.id}.x`, 'console'], [me.cookie, q.id, q.id]]) {
			assert.deepEqual(await refused(`project=${project}&${channels('x', of(id))}`, cookie), [refusal, 1006], `${project} ${id}`)
			assert.deepEqual(await refused(`project=${project}`, cookie, sub(id)), [refusal, 1006], `${project} ${id}`)
		}
		const m = await member(), w = await follow(m)
		assert.equal(w.answer.data.success, true)
		w.end()
	})

	for (const [name, lose] of [
		['a member who is removed', (m) => me.ok('DELETE', `/teams/${p.teamId}/memberships/${m.membership}`)],
		['a member who signs out', (m) => m.ok('DELETE', '/account/sessions/current')],
	])
		test(`${name} is told why, and hears nothing more`, async () => {
			const m = await member(), w = await follow(m), url = await listen(s, `project=console&${channels(of(p.id))}`, { cookie: m.cookie }), mine = await follow(), u = await p.user()
			for (const x of [w, url, mine]) await happened(x, (e) => e.resourceId === u.id)
			await lose(m)
			for (const x of [w, url]) {
				assert.deepEqual(await x.next((f) => f.type === 'error'), refusal)
				assert.equal((await x.closed).code, 1006)
			}
			const v = await p.user()
			await happened(mine, (e) => e.resourceId === v.id)
			for (const x of [w, url]) assert.ok(!x.texts.some((t) => t.includes(v.id)))
			mine.end()
		})

	test('a member who becomes somebody else on the same socket', async () => {
		const stranger = await s.user(), w = await follow()
		w.send({ type: 'authentication', data: { session: decodeURIComponent(stranger.cookie.match(/a_session_[^=;]*=([^;]*)/)[1]) } })
		assert.deepEqual(await w.next((f) => f.type !== 'event'), refusal)
		await w.closed
	})

	test('a project that goes to another team takes those along who are in it', async () => {
		const q = await s.project(), m = await member(q), other = await me.ok('POST', '/teams', { body: { teamId: unique(), name: 'Other' } })
		const mine = await follow(me, q.id), theirs = await follow(m, q.id)
		await me.ok('PATCH', `/projects/${q.id}/team`, { body: { teamId: other.$id }, ...old })
		assert.deepEqual(await theirs.next((f) => f.type === 'error'), refusal)
		const u = await q.user()
		await happened(mine, (e) => e.resourceId === u.id)
		await me.ok('DELETE', `/projects/${q.id}`, { body: { password: me.password } })
		assert.deepEqual(await mine.next((f) => f.type === 'error'), refusal)
		await Promise.all([mine.closed, theirs.closed])
	})
})

describe('bounds', () => {
	test('what is too much is counted and said', async () => {
		const w = await follow(me, p.id, { queries: [equal('collectionId', 'many')] }), N = 400
		await p.collection('many')
		await until('the collection and its attribute have been told', () => w.frames.some((f) => f.data.payload?.some?.((x) => x.type === 'attributes' && x.action === 'update')))
		const earlier = w.frames.reduce((n, f) => n + f.data.payload.length, 0)
		w.frames.length = w.texts.length = 0
		const before = await metric('rt_tail_dropped_total')
		for (let i = 0; i < N / 100; i++) await p.ok('POST', '/databases/d/collections/many/documents', { body: { documents: Array.from({ length: 100 }, (_, n) => ({ $id: unique(), n })) }, headers: { 'x-appwrite-response-format': '1.9.5' } })
		let delivered = 0, dropped = 0, said = 0, frames = 0
		while (delivered + dropped < N) {
			const d = await w.event()
			if (d.events[0] === 'console.tail') { frames++; delivered += d.payload.length; assert.ok(d.payload.length <= 200) }
			else {
				assert.deepEqual([d.events, d.channels, d.subscriptions], [['console.tail.stats'], [of(p.id)], ['a']])
				assert.deepEqual(Object.keys(d.payload), ['$type', 'delivered', 'dropped'])
				assert.equal(d.payload.$type, 'tail.stats')
				dropped += d.payload.dropped
				said += d.payload.delivered
			}
		}
		assert.equal(delivered + dropped, N)
		assert.ok(dropped > 0 && said <= delivered + earlier && frames <= delivered)
		assert.equal(await metric('rt_tail_dropped_total') - before, dropped)
		w.end()
	})

	test('a socket has ten, a process as many as it is told; who goes makes room', async () => {
		await until('all have gone', async () => await metric('rt_tails') === 0)
		const w = await follow(me, p.id, { id: 'a0' }), sub = (n, id = 's') => ({ type: 'subscribe', data: Array.from({ length: n }, (_, i) => ({ subscriptionId: `${id}${i}`, channels: [of(p.id)] })) })
		assert.deepEqual(await w.ask(sub(10)), { type: 'error', data: { code: 1003, message: 'items: There are too many channels.' } })
		assert.equal((await w.ask(sub(9))).data.success, true)
		assert.equal((await w.ask(sub(9))).data.success, true)	/* the same again */
		assert.equal(await metric('rt_tails'), 10)
		const name = of(p.id), slots = (n) => Array.from({ length: n }, (_, i) => `${name.replaceAll('.', '_')}[${i}][]=${encodeURIComponent(equal('type', `${i}`))}`).join('&')
		const many = await open(s, `project=console&${channels(name)}&${slots(11)}`, { cookie: me.cookie })
		assert.deepEqual((await many.next()).data, { code: 1013, message: 'Try again later' })
		await many.closed
		const v = await listen(s, 'project=console', { cookie: me.cookie })
		assert.deepEqual(await v.ask(sub(3)), { type: 'error', data: { code: 1013, message: 'Try again later' } })
		await v.closed
		assert.deepEqual(await w.ask({ type: 'unsubscribe', data: Array.from({ length: 9 }, (_, i) => ({ subscriptionId: `s${i}` })) }).then((r) => r.data.subscriptions.every((x) => x.removed)), true)
		assert.equal(await metric('rt_tails'), 1)
		const full = await open(s, `project=console&${channels(name)}&${slots(11)}`, { cookie: me.cookie })
		assert.deepEqual((await full.next()).data, { code: 1008, message: 'Too many channels' })
		await full.closed
		const u = await p.user(), d = await w.event((e) => e.payload.some((x) => x.resourceId === u.id))
		assert.deepEqual(d.subscriptions, ['a0'])
		w.end()
		await until('all have gone', async () => await metric('rt_tails') === 0)
	})

	test('a user has an eighth of a process, but ten: the rest is for others', async () => {
		await until('all have gone', async () => await metric('rt_tails') === 0)
		const w = await follow(), sub = (n, id = 's') => ({ type: 'subscribe', data: Array.from({ length: n }, (_, i) => ({ subscriptionId: `${id}${i}`, channels: [of(p.id)] })) })
		assert.equal((await w.ask(sub(9))).data.success, true)
		const more = async (who, n = 1) => {
			const v = await listen(s, 'project=console', { cookie: who.cookie })
			v.answer = await v.ask(sub(n))
			return v
		}
		const over = await more(me)
		assert.deepEqual(over.answer, { type: 'error', data: { code: 1013, message: 'Try again later' } })
		await over.closed
		const other = await more(await member(), 2)
		assert.equal(other.answer.data.success, true)
		assert.equal(await metric('rt_tails'), 12)
		other.end()
		w.end()
		await until('all have gone', async () => await metric('rt_tails') === 0)
	})

	test('what was opened counts for who opened it, whoever is on the socket by then', async () => {
		await until('all have gone', async () => await metric('rt_tails') === 0)
		const m = await member(), w = await follow(m), v = await follow(), sub = { type: 'subscribe', data: Array.from({ length: 9 }, (_, i) => ({ subscriptionId: `s${i}`, channels: [of(p.id)] })) }
		assert.equal((await w.ask(sub)).data.success, true)
		w.send({ type: 'authentication', data: { session: decodeURIComponent(me.cookie.match(/a_session_[^=;]*=([^;]*)/)[1]) } })
		assert.equal((await w.next((f) => f.type === 'response' && f.data.to === 'authentication')).data.user.$id, me.id)
		assert.equal(await metric('rt_tails'), 11)
		const over = await follow(m), mine = await follow()
		assert.deepEqual(over.answer, { type: 'error', data: { code: 1013, message: 'Try again later' } })
		assert.equal(mine.answer.data.success, true)
		await over.closed
		for (const x of [w, v, mine]) x.end()
		await until('all have gone', async () => await metric('rt_tails') === 0)
	})

	test('a subscription that is replaced loses nothing', async () => {
		const w = await follow(), ids = []
		for (let i = 0; i < 8; i++) {
			ids.push((await p.user()).id)
			w.send({ type: 'subscribe', data: [{ subscriptionId: 'a', channels: [of(p.id)] }] })
		}
		const made = []
		while (made.length < ids.length) made.push(...(await w.event()).payload.filter((x) => x.type === 'users').map((x) => x.resourceId))
		assert.deepEqual(made, ids)
		w.end()
	})
})
