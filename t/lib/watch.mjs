/* For clients that are not ours: what fetch, http, https and WebSockets bring from a server of the tests is held against its description (shapes.mjs), as
 * the helper's own calls are. Import it before the client. A misfit fails the client's request, so it fails the test that made it. */
import { createRequire } from 'node:module'
import zlib from 'node:zlib'

import { served } from './server.mjs'
import { description } from './shapes.mjs'

const VERSION = 'x-appwrite-response-format'
const unpack = { gzip: zlib.gunzipSync, deflate: zlib.inflateSync, br: zlib.brotliDecompressSync }

/* ---- fetch ---- */

/* Of globalThis, or of a library that brings its own. */
export function watch(holder) {
	const fetched = holder.fetch
	holder.fetch = async (input, init) => {
		const reply = await fetched(input, init), url = new URL(reply.url)
		if (!served.has(url.origin)) return reply
		const text = await reply.clone().text(), api = await description(url), version = new Headers(init?.headers ?? input.headers).get(VERSION)
		api.reply(reply.redirected ? 'GET' : (init?.method ?? input.method ?? 'GET').toUpperCase(), url, version, { status: reply.status, headers: Object.fromEntries(reply.headers), text })
		return reply
	}
}
watch(globalThis)

/* ---- WebSocket ---- */

/* The class of the package ws, looking at the events that its sockets get. */
export const watchSocket = (WebSocket) => class extends WebSocket {
	constructor(address, ...more) {
		super(address, ...more)
		const url = new URL(String(address).replace(/^ws/, 'http'))
		if (!served.has(url.origin)) return
		this.on('message', async (text) => {	/* who throws here ends the test's process */
			const frame = JSON.parse(text)
			if (frame.type === 'event') (await description(url)).event(frame.data)
		})
	}
}

/* ---- http, https ---- */

/* The body is passed on when it was looked at. */
function look(rq, url, rs) {
	const parts = [], push = rs.push
	rs.push = function (chunk) {
		if (chunk !== null) return parts.push(chunk) > 0
		description(url).then((api) => {
			const raw = Buffer.concat(parts), plain = unpack[rs.headers['content-encoding']]
			api.reply(rq.method, url, [rq.getHeader(VERSION)].flat()[0], { status: rs.statusCode, headers: rs.headers, text: (plain ? plain(raw) : raw).toString() })
		}).catch((e) => {
			console.error(e.message)	/* clients have their own words for it */
			parts.splice(0, parts.length, Buffer.from(e.message))
			rq.emit('error', e)
		}).then(() => {
			for (const p of parts) push.call(this, p)
			push.call(this, null)
		})
		return false
	}
}

const require = createRequire(import.meta.url)
for (const name of ['http', 'https']) {
	const lib = require(name), request = lib.request
	lib.request = function (...args) {
		const rq = request.apply(this, args), url = new URL(rq.path, `${rq.protocol}//${rq.getHeader('host') ?? rq.host}`)
		if (served.has(url.origin)) rq.prependListener('response', (rs) => look(rq, url, rs))
		return rq
	}
	lib.get = (...args) => { const rq = lib.request(...args); rq.end(); return rq }
}
