/* A receiver of webhooks on this machine: keeps what it gets, and answers as it is told.
 *
 *   const r = await receiver({ answer: (d, n) => 500 })   a status, {status, headers, body}, a function (rq, rs) that answers itself, or nothing: 200
 *   await r.next()                                         the next delivery that nobody has taken, in the order of arrival
 *   r.all, r.url, r.stop() */
import { createHmac } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'

import { until } from './server.mjs'

export async function receiver({ answer, tls, path = '/hook', port = 0 } = {}) {
	const all = []
	let taken = 0
	const got = (rq, rs) => {
		const parts = []
		rq.on('data', (d) => parts.push(d))
		rq.on('end', () => {
			const d = { method: rq.method, url: rq.url, headers: rq.headers, raw: Buffer.concat(parts), text: Buffer.concat(parts).toString(), at: Date.now() }
			try { d.body = JSON.parse(d.text) } catch { /* the test will see */ }
			all.push(d)
			const a = answer?.(d, all.length)
			if (typeof a === 'function') return a(rq, rs)
			rs.writeHead(a?.status ?? a ?? 200, a?.headers ?? {})
			rs.end(a?.body)
		})
	}
	const s = tls ? https.createServer(tls, got) : http.createServer(got)
	s.keepAliveTimeout = 60000
	await new Promise((ok) => s.listen(port, '127.0.0.1', ok))
	return {
		all, server: s, port: s.address().port, url: `${tls ? 'https' : 'http'}://127.0.0.1:${s.address().port}${path}`,
		async next(ms = 60000) {
			await until('a delivery', () => all.length > taken, ms)
			return all[taken++]
		},
		answer(f) { answer = f },
		stop() {
			s.closeAllConnections()
			return new Promise((ok) => s.close(ok))
		},
	}
}

export const signatureOf = (key, url, body) => createHmac('sha1', key).update(decodeURIComponent(url)).update(body).digest('base64')
