/* Databases and collections for the tests of documents. */
import { unique, until } from '../lib/server.mjs'

/* A new database of the project. */
export async function database(p) {
	return (await p.ok('POST', '/databases', { body: { databaseId: unique('d'), name: 'Test' } })).$id
}

/* A new collection whose attributes and indexes are available. attributes: { key: { type, …parameters } }; indexes: { key: { type, attributes } }.
 * Gives its path, the path of its documents, and short ways to write. */
export async function collection(p, db, { permissions = [], documentSecurity = false, attributes = {}, indexes = {} } = {}) {
	const { $id: id } = await p.ok('POST', `/databases/${db}/collections`, { body: { collectionId: unique('c'), name: 'Test', permissions, documentSecurity } })
	const path = `/databases/${db}/collections/${id}`, docs = `${path}/documents`
	for (const [key, { type, ...more }] of Object.entries(attributes))
		await p.ok('POST', `${path}/attributes/${type}`, { body: { key, required: false, ...more } })
	const whole = { query: { queries: [json('limit', undefined, [5000])] } }
	await until('attributes', async () => (await p.ok('GET', `${path}/attributes`, whole)).attributes.every((a) => a.status === 'available'))
	for (const [key, body] of Object.entries(indexes)) await p.ok('POST', `${path}/indexes`, { body: { key, ...body } })
	await until('indexes', async () => (await p.ok('GET', `${path}/indexes`, whole)).indexes.every((x) => x.status === 'available'))
	return {
		id, path, docs, db,
		doc: (data, { id: documentId = unique(), permissions: list } = {}) => p.ok('POST', docs, { body: { documentId, data, permissions: list } }),
	}
}

export const json = (method, attribute, values) => JSON.stringify({ method, attribute, values })
export const list = (caller, c, queries = [], more = {}) => caller('GET', c.docs, { query: { queries, ...more } })
