/* The newest web SDK and presences: said by a connection and by requests, seen by others, gone with the page. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { allScopes, server as startServer, unique } from '../lib/server.mjs'
import { as, serverNew, until, webNew } from './browser.mjs'

const { Account, Channel, Client, ID, Permission, Presences, Query, Realtime, Role, Teams } = webNew
const password = 'correct-horse'
let server, project

before(async () => {
	server = await startServer({ own: true })
	project = await server.project({ scopes: [...new Set([...allScopes, 'presences.read', 'presences.write'])] })
})
after(() => server.stop())

async function person(name) {
	const client = new Client().setEndpoint(server.url).setProject(project.id), id = unique(name), email = `${id}@example.org`, account = new Account(client)
	as(id)
	await account.create({ userId: id, email, password, name })
	await account.createEmailPasswordSession({ email, password })
	return { id, client, email, account, presences: new Presences(client), realtime: new Realtime(client), teams: new Teams(client) }
}

test('a page says that its user is there; others see it, until the page goes', async (t) => {
	const ann = await person('ann'), seen = []
	t.after(() => ann.realtime.disconnect())
	const s = await ann.realtime.subscribe(Channel.presences(), (e) => seen.push(e))
	/* subscribed and signed in means: what she says herself comes back; who signs in next has another window */
	ann.realtime.upsertPresence({ presenceId: ann.id, status: 'here', permissions: [Permission.read(Role.users())] })
	await until('ann hears herself', () => seen.find((x) => x.payload.userId === ann.id))
	const bob = await person('bob')
	t.after(() => bob.realtime.disconnect())
	await bob.realtime.subscribe('presences', () => {})
	bob.realtime.upsertPresence({ presenceId: bob.id, status: 'online', permissions: [Permission.read(Role.users())], metadata: { room: 'a' } })
	const e = await until('ann hears of bob', () => seen.find((x) => x.payload.userId === bob.id))
	assert.deepEqual([e.payload.status, e.payload.source, { ...e.payload.metadata }], ['online', 'realtime', { room: 'a' }])
	as(ann.id)
	const list = await ann.presences.list({ queries: [Query.equal('userId', bob.id)] })
	assert.deepEqual([list.total, list.presences[0].status], [1, 'online'])
	assert.equal((await ann.presences.get({ presenceId: list.presences[0].$id })).userId, bob.id)
	as(bob.id)
	await bob.realtime.disconnect()
	await until('ann hears that bob went', () => seen.find((x) => x.payload.userId === bob.id && x.events.some((n) => n.endsWith('.delete'))))
	as(ann.id)
	assert.equal((await ann.presences.list({ queries: [Query.equal('userId', bob.id)] })).total, 0)
	await s.unsubscribe()
})

test('by requests, of the page and of a server', async () => {
	const eve = await person('eve'), presenceId = ID.unique()
	const one = await eve.presences.upsert({ presenceId, status: 'busy', metadata: { x: 1 } })
	assert.deepEqual([one.$id, one.userId, one.status, one.source], [presenceId, eve.id, 'busy', 'rest'])
	assert.equal((await eve.presences.update({ presenceId, status: 'free' })).status, 'free')
	const client = new serverNew.Client().setEndpoint(server.url).setProject(project.id).setKey(project.key), presences = new serverNew.Presences(client)
	assert.equal((await presences.list()).presences.find((x) => x.$id === presenceId).status, 'free')
	assert.equal((await presences.upsert({ presenceId, userId: eve.id, status: 'by the server' })).status, 'by the server')
	await eve.presences.delete({ presenceId })
	await assert.rejects(eve.presences.get({ presenceId }), (x) => x.type === 'presence_not_found')
})

test('members are added by id, and one acts as another', async () => {
	const client = new serverNew.Client().setEndpoint(server.url).setProject(project.id).setKey(project.key)
	const teams = new serverNew.Teams(client), users = new serverNew.Users(client), a = await person('a'), b = await person('b')
	const t = await teams.create({ teamId: serverNew.ID.unique(), name: 'Red' })
	assert.equal((await teams.createMembership({ teamId: t.$id, roles: ['player'], userId: b.id })).confirm, true)
	assert.equal((await users.listMemberships({ userId: b.id, queries: [serverNew.Query.equal('teamId', t.$id)] })).total, 1)
	assert.equal((await users.updateImpersonator({ userId: a.id, impersonator: true })).impersonator, true)
	as(a.id)
	await assert.rejects(a.teams.get({ teamId: t.$id }), (x) => x.code === 404)
	a.client.setImpersonateUserId(b.id)
	assert.equal((await a.teams.get({ teamId: t.$id })).name, 'Red')
	assert.deepEqual([(await a.account.get()).$id, (await a.account.get()).impersonatorUserId], [b.id, a.id])
})
