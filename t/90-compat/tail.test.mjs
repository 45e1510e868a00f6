/* The newest web SDK, signed in on the console, follows what happens in a project. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { server as startServer, unique } from '../lib/server.mjs'
import { as, until, webNew } from './browser.mjs'

const { Account, Client, Query, Realtime } = webNew
let server, project

before(async () => {
	server = await startServer({ own: true })
	project = await server.project()
})
after(() => server.stop())

test('a live tail, with a query of it', async (t) => {
	const owner = await server.console(), client = new Client().setEndpoint(server.url).setProject('console'), realtime = new Realtime(client), seen = []
	t.after(() => realtime.disconnect())
	as(owner.id)
	await new Account(client).createEmailPasswordSession({ email: owner.email, password: owner.password })
	await realtime.subscribe(`console.tail.${project.id}`, (e) => seen.push(e), [Query.equal('type', 'users'), Query.equal('action', 'update')])
	const { $id: userId } = await project.ok('POST', '/users', { body: { userId: unique(), name: 'Nobody hears it' } })
	/* subscribed means: something comes */
	const e = await until('it is heard', async () => {
		await project.ok('PATCH', `/users/${userId}/name`, { body: { name: unique() } })
		return seen[0]
	})
	assert.deepEqual([e.events, e.channels], [['console.tail'], [`console.tail.${project.id}`]])
	const { timestamp, ...one } = e.payload[0]
	assert.deepEqual(one, { event: `users.${userId}.update`, type: 'users', action: 'update', userId: null, resourceId: userId })
	assert.ok(Date.parse(timestamp) > 0)
	assert.ok(!JSON.stringify(seen).includes('Nobody'))
})
