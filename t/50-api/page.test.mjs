/* What somebody finds who opens the server's address, or the endpoint, by hand. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'

import { server } from '../lib/server.mjs'

test('/ is a page of text, the same for everybody', async () => {
	const s = await server(), r = await s.call('GET', '/', { root: true })
	assert.equal(r.status, 200)
	assert.equal(r.headers['content-type'], 'text/html; charset=UTF-8')
	const policy = r.headers['content-security-policy'], style = r.text.match(/<style>(.*?)<\/style>/s)[1]
	assert.match(policy, /^default-src 'none'; style-src 'sha256-/)
	assert.ok(policy.includes(createHash('sha256').update(style).digest('base64')), 'the style is the one that the policy names')
	assert.doesNotMatch(r.text, /<script|\son\w+=|javascript:|http:\/\/|https:\/\//)
	assert.match(r.text, /version \d+\.\d+\.\d+/)
	for (const [, to] of r.text.matchAll(/href="(.*?)"/g)) assert.equal((await s.call('GET', to, { root: true })).status, 200, to)
	/* neither host, origin, project nor query changes a byte of it */
	for (const [target, headers] of [['/?<script>', {}], ['/', { 'x-appwrite-project': '<b>' }], ['/', { origin: 'http://evil.test', host: 'evil.test' }], ['/', { 'x-forwarded-host': '"><script>' }]])
		assert.equal((await s.call('GET', target, { root: true, headers })).text, r.text, target)
	const head = await s.call('HEAD', '/', { root: true })
	assert.deepEqual([head.status, head.text], [200, ''])
	assert.equal((await s.call('POST', '/', { root: true, body: {} })).status, 404)
})

test('/v1 says where to go on', async () => {
	const s = await server()
	for (const at of ['/v1', '/v1/']) {
		const r = await s.call('GET', at, { root: true })
		assert.equal(r.status, 200)
		assert.equal(r.body.name, 'Badal')
		for (const to of [r.body.openapi, r.body.health]) assert.equal((await s.call('GET', to, { root: true })).status, 200)
	}
	assert.equal((await s.call('GET', '/v2', { root: true })).status, 404)
})

test('a query that cannot be read, and a page that is for development', async () => {
	const s = await server()
	for (const at of ['/?a=%FF', '/v1?a=%FF']) assert.equal((await s.call('GET', at, { root: true })).status, 400, at)
	assert.equal((await s.call('GET', '/dev/messages', { root: true })).status, 404)
})
