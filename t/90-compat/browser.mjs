/* What the web SDKs expect of a browser, for Node: a window with a localStorage per person, and WebSocket.
 *
 * The SDKs keep their session in window.localStorage under "cookieFallback"; as(person) says whose it is now. Calls of
 * different people must therefore not overlap, which the tests respect by awaiting each. */
import { createRequire } from 'node:module'
import WebSocket from 'ws'

import { watch, watchSocket } from '../lib/watch.mjs'

const require = createRequire(import.meta.url)
watch(require('undici'))	/* the newest server SDK's own */

class Storage {
	#items = new Map()
	getItem(key) { return this.#items.get(key) ?? null }
	setItem(key, value) { this.#items.set(key, String(value)) }
	removeItem(key) { this.#items.delete(key) }
}

const quiet = { ...console, warn() {} }
globalThis.WebSocket = watchSocket(WebSocket)
globalThis.window = {
	localStorage: new Storage(), console: quiet, setTimeout, clearTimeout, setInterval, clearInterval,
	location: { host: 'localhost', href: 'http://localhost/' },
}

const storages = new Map()
export function as(person) {
	if (!storages.has(person)) storages.set(person, new Storage())
	globalThis.window.localStorage = storages.get(person)
}

export const webOld = require('appwrite-old')
export const webNew = require('appwrite-new')
export const serverOld = require('node-appwrite-old')
export const serverNew = require('node-appwrite-new')

/* Waits for a condition with a deadline. */
export async function until(what, condition, ms = 60000) {
	const end = Date.now() + ms
	for (;;) {
		const value = await condition()
		if (value) return value
		if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`)
		await new Promise((ok) => setTimeout(ok, 15))
	}
}
