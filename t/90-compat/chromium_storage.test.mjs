/* A page in a real browser uploads a video with progress by the unmodified web SDKs; another page hears of it over realtime, sees a photo made smaller and
 * plays the video by ranges. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'
import { deflateSync, crc32 } from 'node:zlib'

import { chromium } from 'playwright-core'

import { server as startServer } from '../lib/server.mjs'

const sdks = Object.fromEntries(['old', 'new'].map((g) => [g, readFileSync(new URL(`./node_modules/appwrite-${g}/dist/iife/sdk.js`, import.meta.url))]))
let server, pages, browser, project

/* A photo: a PNG of one colour with some noise. */
function png(w, h) {
	const chunk = (type, data) => {
		const b = Buffer.alloc(12 + data.length)
		b.writeUInt32BE(data.length, 0)
		b.write(type, 4, 'latin1')
		data.copy(b, 8)
		b.writeUInt32BE(crc32(b.subarray(4, 8 + data.length)), 8 + data.length)
		return b
	}
	const head = Buffer.alloc(13), rows = Buffer.alloc(h * (1 + w * 3))
	head.writeUInt32BE(w, 0)
	head.writeUInt32BE(h, 4)
	head.set([8, 2, 0, 0, 0], 8)
	for (let i = 0; i < rows.length; i++) rows[i] = i % (1 + w * 3) === 0 ? 0 : (i * 7) & 255
	return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))])
}

before(async () => {
	server = await startServer({ own: true, conf: { storage_limit: '100m' } })
	pages = http.createServer((rq, rs) => {
		const g = /^\/(old|new)\.js$/.exec(rq.url)?.[1]
		rs.setHeader('content-type', g ? 'text/javascript' : 'text/html')
		rs.end(g ? sdks[g] : `<!doctype html><title>app</title><script src="/${rq.url.slice(1)}.js"></script><img id="photo"><img id="icon">`)
	})
	await new Promise((ok) => pages.listen(0, '127.0.0.1', ok))
	browser = await chromium.launch({ executablePath: '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
	project = await server.project({ name: 'Films' })
})
after(async () => {
	await browser?.close()
	pages?.close()
	await server?.stop()
})

/* In the page: signs up and in, uploads, and tells what it saw. */
async function publish({ endpoint, projectId, bucket, old, size, photo }) {
	const { Client, Account, Storage, ID } = window.Appwrite
	const client = new Client().setEndpoint(endpoint).setProject(projectId), account = new Account(client), storage = new Storage(client)
	const email = `u${String(Math.random()).slice(2)}@example.org`, password = 'correct-horse'
	await (old ? account.create(ID.unique(), email, password) : account.create({ userId: ID.unique(), email, password }))
	await (old ? account.createEmailSession(email, password) : account.createEmailPasswordSession({ email, password }))
	const film = new File([new Uint8Array(size).map((_, i) => i * 31)], 'film.mp4', { type: 'video/mp4' }), seen = []
	const create = (file) => (old ? storage.createFile(bucket, ID.unique(), file, undefined, (p) => seen.push(p.progress))
		: storage.createFile({ bucketId: bucket, fileId: ID.unique(), file, onProgress: (p) => seen.push(p.progress) }))
	const f = await create(film)
	const n = seen.length
	const picture = await create(new File([new Uint8Array(photo)], 'photo.png', { type: 'image/png' }))
	return { film: f.$id, size: f.sizeOriginal, chunks: f.chunksUploaded, progress: n, photo: picture.$id }
}

/* In the other page: what it hears, and the pictures that it can show. */
async function listen({ endpoint, projectId, old }) {
	const { Client, Realtime } = window.Appwrite
	const client = new Client().setEndpoint(endpoint).setProject(projectId)
	window.heard = []
	const hear = (e) => window.heard.push(e)
	if (old) client.subscribe('files', hear)
	else await new Realtime(client).subscribe(['files'], hear)
}

async function show({ endpoint, projectId, bucket, photo, old }) {
	const { Client, Storage } = window.Appwrite
	const client = new Client().setEndpoint(endpoint).setProject(projectId), storage = new Storage(client)
	const url = old ? storage.getFilePreview(bucket, photo, 120) : storage.getFilePreview({ bucketId: bucket, fileId: photo, width: 120 })
	const img = document.getElementById('photo')
	img.src = String(url)
	await img.decode()
	return [img.naturalWidth, img.naturalHeight]
}

for (const [g, old] of [['old', true], ['new', false]])
	describe(`web SDK, ${g}`, () => {
		test('a film with progress, heard of and read on another page; a photo made smaller', async () => {
			const bucket = (await project.ok('POST', '/storage/buckets', { body: { bucketId: `films-${g}`, name: 'Films', maximumFileSize: 100000000, permissions: ['read("any")', 'create("users")'] } })).$id
			const origin = `http://localhost:${pages.address().port}/${g}`, endpoint = `http://localhost:${server.port}/v1`, size = 32 * 1024 * 1024 + 5
			const open = async () => { const page = await (await browser.newContext()).newPage(); await page.goto(origin); return page }
			const there = await open(), here = await open(), say = { endpoint, projectId: project.id, bucket, old }
			await there.evaluate(listen, say)
			/* until the subscription stands: what is published before is not heard */
			for (let n = 0; !(await there.evaluate(() => window.heard.length > 0)); n++) {
				await project.call('POST', `/storage/buckets/${bucket}/files`, { ...(await import('../lib/form.mjs')).form({ fileId: `probe-${g}-${n}`, file: { filename: 'a', bytes: Buffer.from('a'), type: 'text/plain' } }) })
				await new Promise((ok) => setTimeout(ok, 50))
			}
			const out = await here.evaluate(publish, { ...say, size, photo: [...png(600, 400)] })
			assert.equal(out.size, size)
			assert.equal(out.chunks, 7)
			assert.ok(out.progress >= 6, `${out.progress} steps of progress`)
			await there.waitForFunction((id) => window.heard.some((e) => e.payload.$id === id && e.events.some((n) => n.endsWith('.create'))), out.film)
			assert.equal(await there.evaluate((id) => window.heard.filter((e) => e.payload.$id === id).length, out.film), 1)
			const range = await there.evaluate(async ({ url, projectId }) => {
				const r = await fetch(url, { headers: { range: 'bytes=20000000-20000009', 'x-appwrite-project': projectId } })
				return [r.status, [...new Uint8Array(await r.arrayBuffer())]]
			}, { url: `${endpoint}/storage/buckets/${bucket}/files/${out.film}/view`, projectId: project.id })
			assert.deepEqual(range, [206, Array.from({ length: 10 }, (_, i) => ((20000000 + i) * 31) & 255)])
			assert.deepEqual(await there.evaluate(show, { ...say, photo: out.photo }), [120, 80])
		})
	})
