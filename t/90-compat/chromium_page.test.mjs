/* The page at the server's address in a real browser: it looks as it is meant to, complains of nothing, and its links lead somewhere. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { chromium } from 'playwright-core'

import { server as startServer } from '../lib/server.mjs'

let server, browser
before(async () => {
	server = await startServer()
	browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
})
after(async () => { await browser?.close(); await server?.stop() })

test('the first page', async () => {
	const page = await (await browser.newContext()).newPage(), complaints = []
	page.on('console', (m) => complaints.push(m.text()))
	page.on('pageerror', (e) => complaints.push(String(e)))
	await page.goto(`${server.base.origin}/`)
	assert.equal(await page.title(), 'Badal')
	assert.match(await page.textContent('pre'), /badal init/)
	/* the style was let through by the policy */
	assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('pre')).borderTopWidth), '1px')
	/* what is injected is not */
	assert.equal(await page.evaluate(() => { const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s); return window.ran }), undefined)
	assert.ok(complaints.every((c) => c.includes('Content Security Policy') || c.includes('favicon')), complaints.join('\n'))
	for (const to of ['/v1', '/v1/openapi.json', '/v1/health/version']) {
		await page.goto(`${server.base.origin}/`)
		const [reply] = await Promise.all([page.waitForResponse((r) => new URL(r.url()).pathname === to), page.click(`a[href="${to}"]`)])
		assert.equal(reply.status(), 200)
	}
})
