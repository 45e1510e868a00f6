/* Webhooks as the public library of Standard Webhooks verifies them, with the key as it is shown. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { receiver } from '../lib/receiver.mjs'
import { server, unique } from '../lib/server.mjs'

let s, p
before(async () => {
	s = await server({ own: true, conf: { web_processes: 1, webhook_private: 'on' } })
	p = await s.project()
})
after(() => s.stop())

test('the triple is accepted with the key as shown, bare and with its prefix; another body, id or time is not', async () => {
	const r = await receiver(), w = await p.console.ok('POST', `/projects/${p.id}/webhooks`, { body: { name: 'Hook', events: ['teams.*'], url: r.url, security: false } })
	const t = await p.ok('POST', '/teams', { body: { teamId: unique(), name: 'Ünï/😀' } })
	const d = await r.next(), { 'webhook-id': id, 'webhook-timestamp': at } = d.headers
	for (const key of [w.signatureKey, `whsec_${w.signatureKey}`]) {
		const v = new Webhook(key)
		assert.equal(v.verify(d.text, d.headers).$id, t.$id)
		assert.throws(() => v.verify(d.text.replace('name', 'nbme'), d.headers))
		assert.throws(() => v.verify(d.text, { ...d.headers, 'webhook-id': `${id}x` }))
		assert.throws(() => v.verify(d.text, { ...d.headers, 'webhook-timestamp': String(Number(at) - 1) }))
		assert.throws(() => v.verify(d.text, { ...d.headers, 'webhook-timestamp': String(Number(at) - 3600) }))
	}
	/* a new key counts at once */
	const again = await p.console.ok('PATCH', `/projects/${p.id}/webhooks/${w.$id}/signature`)
	await p.ok('PUT', `/teams/${t.$id}`, { body: { name: 'B' } })
	const e = await r.next()
	assert.throws(() => new Webhook(w.signatureKey).verify(e.text, e.headers))
	assert.equal(new Webhook(again.signatureKey).verify(e.text, e.headers).name, 'B')
	assert.notEqual(e.headers['webhook-id'], id)
	await r.stop()
})
