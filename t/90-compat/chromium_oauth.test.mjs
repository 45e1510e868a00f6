/* Signing in through a provider in a real browser, with the newest web SDK on a page of another origin: the provider is on another site, and
 * nothing but cookies and addresses comes along. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'

import { chromium } from 'playwright-core'

import { provider } from '../lib/provider.mjs'
import { server as startServer, unique } from '../lib/server.mjs'

const sdk = readFileSync(new URL('./node_modules/appwrite-new/dist/iife/sdk.js', import.meta.url))
let server, pages, browser, project, idp, origin, endpoint

before(async () => {
	idp = await provider()
	server = await startServer({ own: true, conf: { oauth_private: 'on', web_processes: 1 } })
	pages = http.createServer((rq, rs) => {
		const js = rq.url === '/sdk.js'
		rs.setHeader('content-type', js ? 'text/javascript' : 'text/html')
		rs.end(js ? sdk : '<!doctype html><title>app</title><script src="/sdk.js"></script>')
	})
	await new Promise((ok) => pages.listen(0, '127.0.0.1', ok))
	origin = `http://localhost:${pages.address().port}`
	endpoint = `http://localhost:${server.port}/v1`
	browser = await chromium.launch({ executablePath: '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
	project = await server.project({ name: 'Browser' })
	await project.console.ok('PATCH', `/projects/${project.id}/oauth2`, { body: { provider: 'gitlab', appId: idp.client, secret: idp.secret } })
})
after(async () => {
	await browser?.close()
	pages?.close()
	await server?.stop()
	idp?.stop()
})

const person = () => ({ id: unique(), name: 'Ada', email: `${unique('m')}@example.org`, confirmed_at: '2020-01-01' })

/* The page sends its own window away, as apps do. */
async function leave(page, method, wait) {
	await page.goto(`${origin}/start`)
	const arrived = page.waitForURL(wait)
	await page.evaluate(({ endpoint, projectId, origin, method }) => {
		const { Client, Account } = window.Appwrite
		new Account(new Client().setEndpoint(endpoint).setProject(projectId))[method]({ provider: 'gitlab', success: `${origin}/ok`, failure: `${origin}/no`, scopes: ['read_user', 'api'] })
	}, { endpoint, projectId: project.id, origin, method })
	await arrived
}
const run = (page, body) => page.evaluate(({ endpoint, projectId, body }) => {
	const account = new window.Appwrite.Account(new window.Appwrite.Client().setEndpoint(endpoint).setProject(projectId))
	return new Function('account', `return (async () => { ${body} })()`)(account)
}, { endpoint, projectId: project.id, body })

/* The app's failure page says why. */
function refused(page, why, code = 400) {
	const at = new URL(page.url()), error = JSON.parse(at.searchParams.get('error'))
	assert.equal(at.origin + at.pathname, `${origin}/no`)
	assert.equal(error.code, code)
	assert.match(error.message, why)
}

test('there and back: the cookie signs in', async () => {
	idp.person = person()
	const page = await (await browser.newContext()).newPage()
	await leave(page, 'createOAuth2Session', `${origin}/ok`)
	const got = await run(page, 'const s = await account.getSession({ sessionId: "current" }); return { email: (await account.get()).email, provider: s.provider, uid: s.providerUid }')
	assert.deepEqual(got, { email: idp.person.email, provider: 'gitlab', uid: idp.person.id })
	const refreshed = await run(page, 'const a = await account.getSession({ sessionId: "current" }), b = await account.updateSession({ sessionId: "current" }); return a.providerAccessToken !== b.providerAccessToken')
	assert.equal(refreshed, true)
	assert.equal(idp.asked.find((a) => a.path === '/oauth/authorize').query.scope, 'read_user api')
})

test('somebody else\'s way back signs nobody in', async () => {
	idp.person = person()
	const mallory = await (await browser.newContext()).newPage(), victim = await (await browser.newContext()).newPage()
	await mallory.goto(`${origin}/start`)
	const seen = mallory.waitForRequest((r) => r.url().includes('/callback/'))
	await mallory.evaluate(({ endpoint, projectId, origin }) => { location = `${endpoint}/account/sessions/oauth2/gitlab?project=${projectId}&success=${origin}/ok&failure=${origin}/no` }, { endpoint, projectId: project.id, origin })
	await victim.goto((await seen).url())
	refused(victim, /state/i)
	assert.deepEqual((await victim.context().cookies()).filter((c) => c.name.startsWith('a_session')), [])
})

test('a refusal leads to the app\'s page, which is told', async () => {
	idp.person = null
	const page = await (await browser.newContext()).newPage()
	await leave(page, 'createOAuth2Session', `${origin}/no?*`)
	refused(page, /access_denied/, 424)
})

test('a token for a page that makes the session itself', async () => {
	idp.person = person()
	const page = await (await browser.newContext()).newPage()
	await leave(page, 'createOAuth2Token', `${origin}/ok?*`)
	const got = await run(page, 'const q = new URLSearchParams(location.search); await account.createSession({ userId: q.get("userId"), secret: q.get("secret") }); return (await account.get()).email')
	assert.equal(got, idp.person.email)
	idp.person = null
	await leave(page, 'createOAuth2Token', `${origin}/no?*`)
	refused(page, /access_denied/, 424)
})

test('a server that begins on the browser\'s behalf', async () => {
	const { Client, Account } = createRequire(import.meta.url)('node-appwrite-new')
	const account = new Account(new Client().setEndpoint(server.url).setProject(project.id).setKey(project.key))
	idp.person = person()
	const url = await account.createOAuth2Token({ provider: 'gitlab', success: `${origin}/ok`, failure: `${origin}/no` })
	const page = await (await browser.newContext()).newPage()
	await page.goto(url)
	const q = new URL(page.url()).searchParams
	assert.match(q.get('secret'), /^[\w-]+\.[\w-]+\.[\w-]+$/)
	const session = await new Account(new Client().setEndpoint(server.url).setProject(project.id)).createSession({ userId: q.get('userId'), secret: q.get('secret') })
	assert.equal(session.userId, q.get('userId'))
})
