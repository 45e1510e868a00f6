/* A page on another origin in a real browser: preflights, cookies, WebSocket. The page uses the newest web SDK as published. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'

import { chromium } from 'playwright-core'

import { server as startServer } from '../lib/server.mjs'
import { move, page as readmePage } from './readme.mjs'

const sdk = readFileSync(new URL('./node_modules/appwrite-new/dist/iife/sdk.js', import.meta.url))
let server, pages, browser, project, example

/* The page runs this: everything a small app does, reported as one object. */
async function app({ endpoint, projectId }) {
	const { Client, Account, Databases, Realtime, ID } = window.Appwrite
	const client = new Client().setEndpoint(endpoint).setProject(projectId), account = new Account(client), databases = new Databases(client)
	const out = {}
	const email = `u${Date.now()}${Math.random()}@example.org`.replace('0.', '')
	await account.create({ userId: ID.unique(), email, password: 'correct-horse' })
	await account.createEmailPasswordSession({ email, password: 'correct-horse' })
	out.email = (await account.get()).email === email
	/* without the SDK's fallback header only a cookie can say who we are */
	const bare = await fetch(`${endpoint}/account`, { credentials: 'include', headers: { 'X-Appwrite-Project': projectId } })
	out.cookie = bare.status
	const realtime = new Realtime(client), events = []
	await realtime.subscribe(['documents'], (e) => events.push(e))
	const end = Date.now() + 60000
	for (let n = 0; events.length === 0 && Date.now() < end; n++) {
		await databases.createDocument({ databaseId: 'd', collectionId: 'c', documentId: ID.unique(), data: { text: `hello ${n}` } })
		await new Promise((ok) => setTimeout(ok, 100))
	}
	out.event = events[0]?.payload.text?.startsWith('hello')
	await realtime.disconnect?.()
	return out
}

before(async () => {
	server = await startServer()
	pages = http.createServer((rq, rs) => {
		const js = rq.url.endsWith('/sdk.js')
		rs.setHeader('content-type', js ? 'text/javascript' : 'text/html')
		rs.end(js ? sdk : rq.url === '/readme' ? example : '<!doctype html><title>app</title><script src="/sdk.js"></script>')
	})
	await new Promise((ok) => pages.listen(0, '127.0.0.1', ok))
	browser = await chromium.launch({ executablePath: '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
	project = await server.project({ name: 'Browser' })
	const key = await project.addKey(['databases.write', 'collections.write', 'collections.read'])
	const { serverNew } = { serverNew: createRequire(import.meta.url)('node-appwrite-new') }
	const databases = new serverNew.Databases(new serverNew.Client().setEndpoint(server.url).setProject(project.id).setKey(key))
	await databases.create('d', 'D')
	await databases.createCollection('d', 'c', 'C', [serverNew.Permission.create(serverNew.Role.users())], true)
	await databases.createStringAttribute('d', 'c', 'text', 100, true)
})
after(async () => {
	await browser?.close()
	pages?.close()
	await server?.stop()
})

async function run(origin, endpoint) {
	const page = await (await browser.newContext()).newPage()
	await page.goto(origin)
	return page.evaluate(app, { endpoint, projectId: project.id })
}

test('a page on another port of the same host: the cookie is kept', async () => {
	const port = pages.address().port
	const out = await run(`http://localhost:${port}/`, `http://localhost:${server.port}/v1`)
	assert.deepEqual(out, { email: true, cookie: 200, event: true })
})

test('a page on another site that is a platform: the fallback header takes the place of the cookie', async () => {
	await project.addPlatform({ type: 'web', name: 'Page', hostname: '127.0.0.1' })
	const port = pages.address().port
	const out = await run(`http://127.0.0.1:${port}/`, `http://localhost:${server.port}/v1`)
	assert.equal(out.email, true)
	assert.equal(out.event, true)
})

test('a page on a site that is no platform is refused', async () => {
	const other = await server.project({ name: 'Strict' }), port = pages.address().port
	const page = await (await browser.newContext()).newPage()
	await page.goto(`http://foreign.localhost:${port}/`)	/* a browser finds it here */
	const refused = await page.evaluate(async ({ endpoint, projectId }) => {
		const { Client, Account, ID } = window.Appwrite
		const account = new Account(new Client().setEndpoint(endpoint).setProject(projectId))
		try { await account.create({ userId: ID.unique(), email: 'a@example.org', password: 'correct-horse' }); return 'accepted' } catch (e) { return String(e.message) }
	}, { endpoint: `http://localhost:${server.port}/v1`, projectId: other.id })
	assert.notEqual(refused, 'accepted')
})

test('the page of the README: what one tab writes, both show', async () => {
	await project.ok('POST', '/databases', { body: { databaseId: 'app', name: 'App' } })
	await project.ok('POST', '/databases/app/collections', { body: { collectionId: 'notes', name: 'Notes', permissions: ['create("users")'], documentSecurity: true } })
	await project.ok('POST', '/databases/app/collections/notes/attributes/string', { body: { key: 'text', size: 200, required: true } })
	example = move(readmePage(server), "'demo'", `'${project.id}'`)
	const context = await browser.newContext(), tabs = []
	for (let i = 0; i < 2; i++) {
		const tab = await context.newPage()
		await tab.goto(`http://localhost:${pages.address().port}/readme`)
		await tab.waitForFunction(() => document.querySelector('button').onclick !== null)
		tabs.push(tab)
	}
	const notes = async (tab) => (await tab.textContent('pre')).split('Hello, cloud').length - 1, end = Date.now() + 60000
	while (!(await notes(tabs[0]) > 0 && await notes(tabs[1]) > 0) && Date.now() < end) {
		await tabs[0].click('button')
		await new Promise((ok) => setTimeout(ok, 100))
	}
	assert.ok(await notes(tabs[0]) > 0 && await notes(tabs[1]) > 0)
})
