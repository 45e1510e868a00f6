/* serve --dev: mails and short messages are shown to this machine, and to nobody else. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'

import { dataDir, run, server, settings, start, unique, until } from '../lib/server.mjs'

const box = (s, headers = {}) => s.call('GET', '/dev/messages', { root: true, headers })
const shows = (s, words) => until(`the page shows ${words}`, async () => { const r = await box(s); return words.test(r.text) ? r.text : null })
const unescape = (t) => t.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

describe('with --dev', () => {
	let s, p
	before(async () => {
		s = await start({ args: ['--dev'] })
		p = await s.project({ name: 'Try' })
	})
	after(() => s?.stop())

	test('a link that signs in, an invitation, a code: all can be followed', async () => {
		assert.match(s.log(), /development: mails and short messages are not sent .*\/dev\/messages/)
		const email = `${unique('m')}@example.org`, userId = unique()
		await p.guest('POST', '/account/sessions/magic-url', { body: { userId, email, url: 'http://localhost/in' } })
		const page = await shows(s, new RegExp(`to <b>${email}</b>`))
		const link = new URL(unescape(page.match(/<a rel="noopener noreferrer" href="(http:\/\/localhost\/in\?[^"]*)"/)[1]))
		const signed = await p.guest('PUT', '/account/sessions/magic-url', { body: { userId: link.searchParams.get('userId'), secret: link.searchParams.get('secret') } })
		assert.equal(signed.status, 201)
		const phone = `+49${String(Date.now()).slice(-9)}1`
		await p.guest('POST', '/account/sessions/phone', { body: { userId: unique(), phone } })
		const code = (await shows(s, new RegExp(`short message to <b>\\${phone}</b>`))).match(/<pre>(\d{6})<\/pre>/)[1]
		assert.match(code, /^\d{6}$/)
	})

	test('what strangers write is text', async () => {
		const owner = await p.user({ name: '<script>alert(1)</script>"\'&' }), name = '<img src=x onerror=alert(1)>'
		const team = await owner.ok('POST', '/teams', { body: { teamId: unique(), name: `"><script>${name}` } })
		await owner.ok('POST', `/teams/${team.$id}/memberships`, { body: { email: `${unique('i')}@example.org`, roles: ['x'], url: "http://localhost/'onmouseover='x", name } }).catch(() => {})
		const text = await shows(s, /&lt;script&gt;/)
		assert.doesNotMatch(text, /<script|<img|href="(?!http)/)
	})

	test('this machine alone: not by a proxy, not under the name of another site', async () => {
		const r = await box(s)
		assert.equal(r.status, 200)
		assert.equal(r.headers['content-security-policy'], "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		assert.equal(r.headers['cache-control'], 'no-store')
		assert.equal(r.headers['access-control-allow-origin'], undefined)
		for (const headers of [{ host: 'evil.example' }, { host: `evil.example:${s.port}` }, { host: 'localhost.evil.example' }, { host: '127.0.0.1.evil.example' }, { 'x-forwarded-for': '127.0.0.1' }])
			assert.equal((await box(s, headers)).status, 404, JSON.stringify(headers))
		for (const host of ['localhost', `localhost:${s.port}`, '127.0.0.1', `[::1]:${s.port}`]) assert.equal((await box(s, { host })).status, 200, host)
	})

	test('a bounded number is kept', async () => {
		const last = []
		for (let i = 0; i < 60; i++) {
			last.push(`${unique('n')}@example.org`)
			await p.guest('POST', '/account/sessions/magic-url', { body: { userId: unique(), email: last[i], url: 'http://localhost/in' } })
		}
		await until('all were sent', async () => { const t = (await box(s)).text; return last.slice(-40).every((m) => t.includes(m)) })
		assert.equal((await box(s)).text.split('<article>').length - 1, 50)
		const cli = (...a) => execFileSync('redis-cli', ['-s', path.join(s.dataDir, 'run/redis.sock'), ...a], { encoding: 'utf8' }).trim()
		assert.equal(cli('LLEN', '{dev}:messages'), '50')
		assert.ok(Number(cli('TTL', '{dev}:messages')) > 0)
	})

	test('doctor says so', async () => {
		assert.match((await run(['doctor', ...settings({ data_dir: s.dataDir, dev: 'on', listen: '127.0.0.1' })])).out, /warn +development: /)
	})
})

test('without --dev there is no such page, and what needs a mail is refused', async () => {
	const s = await server(), p = await s.project()
	assert.equal((await box(s)).status, 404)
	assert.equal((await p.guest('POST', '/account/sessions/magic-url', { body: { userId: unique(), email: 'a@example.org', url: 'http://localhost/in' } })).status, 503)
})

test('a server that others reach does not start so', async () => {
	const data = path.join(dataDir(), 'data')
	for (const [args, words] of [[['--listen=0.0.0.0'], /dev: .*loopback address in listen/], [['--listen=*'], /loopback/], [['--listen='], /loopback/], [['--listen=192.0.2.1'], /loopback/], [['--domain=api.example.org'], /not for a server with a domain/]])
		for (const dev of ['--dev', '--dev=on']) {
			const r = await run(['serve', dev, `--data-dir=${data}`, ...args])
			assert.equal(r.code, 2, r.err)
			assert.match(r.err, words)
		}
	assert.ok(!existsSync(data))
	/* where nothing is said, it is this machine */
	const s = await start({ args: ['--dev', '--listen=::'] })
	assert.match(s.endpoint, /^http:\/\/127\.0\.0\.1:/)
	await s.stop()
})
