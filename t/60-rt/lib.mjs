/* A project with a collection and what tests of realtime need. */
import { unique } from '../lib/server.mjs'
import { channels, listen } from '../lib/ws.mjs'

export const role = { any: 'any', guests: 'guests', users: 'users', user: (id) => `user:${id}`, team: (id) => `team:${id}` }
export const read = (r) => `read("${r}")`

/* Documents carry their own permissions and a number. */
export async function library(s) {
	const p = await s.project()
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'd' } })
	p.collection = async (id, permissions = [], documentSecurity = true) => {
		await p.ok('POST', '/databases/d/collections', { body: { collectionId: id, name: id, permissions, documentSecurity } })
		await p.ok('POST', `/databases/d/collections/${id}/attributes/integer`, { body: { key: 'n', required: false } })
		for (let status = ''; status !== 'available';)
			status = (await p.ok('GET', `/databases/d/collections/${id}/attributes/n`)).status
	}
	await p.collection('c')
	p.write = (n, permissions, documentId = unique(), collection = 'c') =>
		p.ok('POST', `/databases/d/collections/${collection}/documents`, { body: { documentId, data: { n }, permissions } })
	p.path = (id, collection = 'c') => `/databases/d/collections/${collection}/documents/${id}`
	p.listen = (names, { as, query = '', ...options } = {}) =>
		listen(s, `project=${p.id}${names.length ? `&${channels(...names)}` : ''}${query}`, { cookie: as?.cookie, ...options })
	/* A document that everybody may read marks the end: what came before it, by number. */
	p.until = async (w, n) => {
		const got = []
		for (;;) {
			const e = await w.event()
			if (e.payload.n === n) return got
			got.push(e.payload.n ?? e.events[0])
		}
	}
	p.mark = 1000000
	p.heard = async (...sockets) => {
		const n = p.mark++
		await p.write(n, [read('any')])
		return Promise.all(sockets.map((w) => p.until(w, n)))
	}
	return p
}
