/* An app whose pages a server makes, as tutorials of today build it: the newest server SDK signs people in with a key, the session's secret is in a cookie of
 * the app's own, and the server speaks with it for whoever comes. The browser never meets the backend. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'

import { chromium } from 'playwright-core'

import { server as startServer, unique } from '../lib/server.mjs'
import { watch } from '../lib/watch.mjs'

const require = createRequire(import.meta.url)
watch(require('undici'))
const { Account, Client, ID } = require('node-appwrite-new')
const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
let server, pages, browser, project, origin, key

const client = () => new Client().setEndpoint(server.url).setProject(project.id)
const admin = () => new Account(client().setKey(key))
const visitor = (session) => new Account(client().setSession(session))
const cookie = (rq) => /(?:^|; )app=([^;]*)/.exec(rq.headers.cookie ?? '')?.[1]
const form = (action, ...fields) => `<form method="post" action="${action}">${fields.map((f) => `<input name="${f}">`).join('')}<button>${action.slice(1)}</button></form>`

async function body(rq) {
	let text = ''
	for await (const part of rq) text += part
	return Object.fromEntries(new URLSearchParams(text))
}
const enter = (rs, session) => rs.writeHead(303, { location: '/', 'set-cookie': `app=${session.secret}; Path=/; HttpOnly; SameSite=Strict` }).end()

const actions = {
	async '/signup'(rq, rs) {
		const { name, email, password } = await body(rq)
		await admin().create({ userId: ID.unique(), email, password, name })
		enter(rs, await admin().createEmailPasswordSession({ email, password }))
	},
	async '/signin'(rq, rs) {
		enter(rs, await admin().createEmailPasswordSession(await body(rq)))
	},
	async '/rename'(rq, rs) {
		await visitor(cookie(rq)).updateName(await body(rq))
		rs.writeHead(303, { location: '/' }).end()
	},
	async '/signout'(rq, rs) {
		await visitor(cookie(rq)).deleteSession({ sessionId: 'current' })
		rs.writeHead(303, { location: '/', 'set-cookie': 'app=; Path=/; Max-Age=0' }).end()
	},
}

async function home(rq) {
	const session = cookie(rq), forms = form('/signup', 'name', 'email', 'password') + form('/signin', 'email', 'password')
	if (!session) return forms
	try {
		const me = await visitor(session).get()
		return `<h1>${escape(me.name)}</h1>${form('/rename', 'name')}${form('/signout')}`
	} catch (e) {
		return `<p>${escape(e.type)}</p>${forms}`
	}
}

async function serve(rq, rs) {
	try {
		if (rq.method === 'POST') return await actions[rq.url](rq, rs)
		rs.setHeader('content-type', 'text/html; charset=utf-8')
		rs.end(`<!doctype html><title>app</title>${rq.url === '/' ? await home(rq) : ''}`)
	} catch (e) {
		rs.writeHead(400, { 'content-type': 'text/html; charset=utf-8' }).end(`<!doctype html><p>${escape(e.type ?? e.message)}</p>`)
	}
}

before(async () => {
	server = await startServer({ own: true, conf: { web_processes: 2 } })
	project = await server.project({ name: 'Pages' })
	key = await project.addKey(['sessions.write'])
	pages = http.createServer(serve)
	await new Promise((ok) => pages.listen(0, '127.0.0.1', ok))
	origin = `http://localhost:${pages.address().port}`
	browser = await chromium.launch({ executablePath: '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
})
after(async () => {
	await browser?.close()
	pages?.close()
	await server?.stop()
})

const ada = { name: 'Ada <Lovelace>', email: `${unique('m')}@example.org`, password: 'correct-horse-7' }
async function submit(page, action, values = {}) {
	const at = page.locator(`form[action="${action}"]`)
	for (const [name, value] of Object.entries(values)) await at.locator(`[name=${name}]`).fill(value)
	await Promise.all([page.waitForNavigation(), at.locator('button').click()])
}
const shown = (page, what) => page.locator(what).textContent()

test('sign up, come back, change, sign out', async () => {
	const context = await browser.newContext(), page = await context.newPage(), asked = []
	page.on('request', (r) => asked.push(new URL(r.url()).origin))
	await page.goto(origin)
	await submit(page, '/signup', ada)
	assert.equal(await shown(page, 'h1'), ada.name)
	const other = await context.newPage()
	await other.goto(origin)
	await submit(other, '/rename', { name: 'Ada' })
	await page.reload()
	assert.equal(await shown(page, 'h1'), 'Ada')
	const [kept] = await context.cookies()
	assert.deepEqual([kept.name, kept.httpOnly, (await context.cookies()).length], ['app', true, 1])
	await submit(page, '/signout')
	assert.equal(await page.locator('h1').count(), 0)
	assert.deepEqual([...new Set(asked)], [origin])
	/* what was taken along before is worth nothing now */
	const thief = await browser.newContext()
	await thief.addCookies([kept])
	const there = await thief.newPage()
	await there.goto(origin)
	assert.equal(await shown(there, 'p'), 'general_unauthorized_scope')
})

test('two browsers are two people, and what is wrong is said', async () => {
	const bob = { name: 'Bob', email: `${unique('m')}@example.org`, password: 'correct-horse-8' }
	const [first, second] = await Promise.all([1, 2].map(async () => (await browser.newContext()).newPage()))
	await first.goto(origin)
	await second.goto(origin)
	await submit(first, '/signin', { email: ada.email, password: 'wrong-horse-7' })
	assert.equal(await shown(first, 'p'), 'user_invalid_credentials')
	await first.goto(origin)
	await submit(first, '/signin', { email: ada.email, password: ada.password })
	await submit(second, '/signup', bob)
	await Promise.all([first.reload(), second.reload()])
	assert.deepEqual([await shown(first, 'h1'), await shown(second, 'h1')], ['Ada', 'Bob'])
	await second.goto(origin)
	await submit(second, '/signout')
	await submit(second, '/signup', bob)
	assert.equal(await shown(second, 'p'), 'user_already_exists')
	await first.reload()
	assert.equal(await shown(first, 'h1'), 'Ada')
})
