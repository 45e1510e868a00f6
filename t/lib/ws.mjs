/* A WebSocket client for tests: nothing between the test and the frames.
 *
 *   const w = await listen(server, 'project=…&channels[]=…', { cookie, headers })
 *   await w.next()            the next frame, parsed; w.next(test) the next one that fits
 *   w.send({ type: 'ping' })  a text frame;  await w.closed  ->  { code, reason }: 1006 when there was no Close frame */
import { createHash, randomBytes } from 'node:crypto'
import net from 'node:net'

import { description } from './shapes.mjs'

const DEADLINE = 60000

function within(promise, what, ms = DEADLINE) {
	let timer
	const late = new Promise((_, no) => { timer = setTimeout(() => no(new Error(`${what}: not within ${ms} ms`)), ms) })
	return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

export class Socket {
	frames = []		/* parsed, not yet taken */
	texts = []		/* the same as they came */
	#data = Buffer.alloc(0)
	#wake = () => {}
	#upgraded = false
	#code = 1006
	#reason = ''
	#wrong		/* what a frame had that is not described */
	from = 0	/* ms: events of before are not taken down. A connection may be told of what was written just before it came, and whether it is hangs on who is quicker */
	constructor(socket, api) {
		this.socket = socket
		this.api = api
		this.open = true
		this.up = new Promise((ok, no) => { this.#resolveUp = ok; this.#rejectUp = no })
		this.#closed = new Promise((ok) => socket.on('close', () => { this.open = false; this.#rejectUp(new Error('closed before the upgrade')); this.#wake(); ok({ code: this.#code, reason: this.#reason }) }))
		this.up.catch(() => {})
		socket.unref()	/* a test that failed must not hold up the others */
		socket.on('error', () => {})
		socket.on('data', (d) => { this.#data = Buffer.concat([this.#data, d]); this.#take() })
	}
	#resolveUp
	#rejectUp
	#closed
	get closed() {
		return within(this.#closed, 'the end of the connection')
	}

	#take() {
		if (!this.#upgraded) {
			const end = this.#data.indexOf('\r\n\r\n')
			if (end < 0) return
			const head = this.#data.subarray(0, end).toString()
			if (!head.startsWith('HTTP/1.1 101 ')) return this.#rejectUp(new Error(head))
			this.#data = this.#data.subarray(end + 4)
			this.#upgraded = true
			this.#resolveUp(head)
		}
		for (;;) {
			const d = this.#data
			if (d.length < 2) return
			let n = d[1] & 127, at = 2
			if (n === 126) { if (d.length < 4) return; n = d.readUInt16BE(2); at = 4 }
			else if (n === 127) { if (d.length < 10) return; n = Number(d.readBigUInt64BE(2)); at = 10 }
			if (d.length < at + n) return
			const payload = d.subarray(at, at + n)
			this.#data = d.subarray(at + n)
			if ((d[0] & 15) === 8) {
				this.#code = n >= 2 ? payload.readUInt16BE(0) : 1005
				this.#reason = payload.subarray(2).toString()
				this.socket.end()
			} else if ((d[0] & 15) === 9)
				this.raw(10, payload)
			else if ((d[0] & 15) === 1) {
				this.#keep(payload.toString())
			}
			this.#wake()
		}
	}

	#keep(text) {
		const frame = JSON.parse(text)
		this.#look(frame)
		if (frame.type === 'event' && Date.parse(`${frame.data.timestamp.replace(' ', 'T').replace(/(\+00:00|Z)?$/, 'Z')}`) < this.from) return
		this.texts.push(text)
		this.frames.push(frame)
	}

	/* The payload of an event is as the server describes it (shapes.mjs); else whoever waits for a frame hears of it. */
	#look(frame) {
		if (frame.type !== 'event') return
		try { this.api?.event(frame.data) } catch (e) { this.#wrong ??= e }
	}

	/* The next frame for which test(frame) holds; others stay where they are. */
	async next(test = () => true, what = 'a frame', ms = DEADLINE) {
		const wait = async () => {
			for (;;) {
				if (this.#wrong) throw this.#wrong
				const at = this.frames.findIndex(test)
				if (at >= 0) {
					[this.text] = this.texts.splice(at, 1)
					return this.frames.splice(at, 1)[0]
				}
				if (!this.open) throw new Error(`closed while waiting for ${what}`)
				await new Promise((ok) => { this.#wake = ok })
			}
		}
		return within(wait(), what, ms)
	}
	event(test = () => true) {
		return this.next((f) => f.type === 'event' && test(f.data), 'an event').then((f) => {
			if (process.env.BADAL_FAMILY === 'tables' && f.data.payload.$collectionId) delete f.data.payload.$tableId	/* it has both */
			return f.data
		})
	}

	raw(op, data) {
		const b = Buffer.from(data), mask = randomBytes(4), head = b.length < 126 ? Buffer.from([0x80 | op, 0x80 | b.length]) : Buffer.from([0x80 | op, 0xfe, b.length >> 8, b.length & 255])
		this.socket.write(Buffer.concat([head, mask, b.map((c, i) => c ^ mask[i & 3])]))
	}
	send(message) {
		this.raw(1, typeof message === 'string' ? message : JSON.stringify(message))
		return this
	}
	/* Says something and gives the answer. */
	ask(message) {
		this.send(message)
		return this.next((f) => f.type !== 'event', 'an answer')
	}
	async close(code = 1000) {
		this.raw(8, Buffer.from([code >> 8, code & 255]))
		return this.closed
	}
	end() {
		this.socket.destroy()
	}
}

/* An upgraded connection; nothing has been read from it. */
export async function open(server, query, { cookie, headers = {}, path = '/v1/realtime', origin = 'http://localhost' } = {}) {
	const api = await description(server.base), socket = net.connect({ host: server.base.hostname, port: server.port, noDelay: true }), key = randomBytes(16).toString('base64')
	const w = new Socket(socket, api), h = { host: server.base.host, upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': 13, 'sec-websocket-key': key, ...headers }
	if (origin) h.origin ??= origin
	if (cookie) h.cookie = cookie
	if (!/(^|&)since=/.test(query)) w.from = Date.now()	/* who resumes is told of what was before */
	socket.write(`GET ${path}?${query} HTTP/1.1\r\n${Object.entries(h).map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`)
	const head = await within(w.up, 'the upgrade')
	if (!head.includes(createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64'))) throw new Error('wrong accept key')
	return w
}

export const channels = (...names) => names.map((n) => `channels[]=${encodeURIComponent(n)}`).join('&')

/* The same, connected: w.hello is its first frame. */
export async function listen(server, query, options) {
	const w = await open(server, query, options)
	w.hello = await w.next()
	if (w.hello.type !== 'connected') throw new Error(`not connected: ${JSON.stringify(w.hello)}`)
	return w
}
