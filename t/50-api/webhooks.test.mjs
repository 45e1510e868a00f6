/* Webhooks: what a receiver gets, byte for byte. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { signatureOf, receiver } from '../lib/receiver.mjs'
import { server, unique, until } from '../lib/server.mjs'

let s, p
const hooks = () => `/projects/${p.id}/webhooks`
const hook = (url, events, more = {}) => p.console.ok('POST', hooks(), { body: { name: 'Hook', events, url, security: false, ...more } })

before(async () => {
	s = await server({ own: true, conf: { web_processes: 1, webhook_private: 'on' } })
	p = await s.project()
})
after(() => s.stop())

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
