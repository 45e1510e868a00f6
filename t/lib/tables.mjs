/* The words of tables, rows and columns, so that a test of collections, documents and attributes tests both families of paths: what it sends is
 * said in these words, what it gets is said back. Written by hand, not made from the server's table.
 *
 *   BADAL_FAMILY=tables     lib/server.mjs sends what is for /databases to /tablesdb */
const members = {
	collectionId: 'tableId', documentId: 'rowId', documentSecurity: 'rowSecurity', attributes: 'columns', $collectionId: '$tableId', documents: 'rows', collections: 'tables', relatedCollectionId: 'relatedTableId', relatedCollection: 'relatedTable',
	documentsCount: 'rowsCount', documentsCreate: 'rowsCreate', documentsRead: 'rowsRead', documentsUpdate: 'rowsUpdate', documentsDelete: 'rowsDelete',
	collectionsCount: 'tablesCount', collectionsCreate: 'tablesCreate', collectionsRead: 'tablesRead', collectionsUpdate: 'tablesUpdate', collectionsDelete: 'tablesDelete',
}
const back = Object.fromEntries(Object.entries(members).map(([a, b]) => [b, a]))
const segments = { collections: 'tables', documents: 'rows', attributes: 'columns' }
const errors = [[/^table_/, 'collection_'], [/^row_/, 'document_'], [/^column_index_/, 'index_'], [/^column_/, 'attribute_']]
const ours = /^\/v1\/databases(?=[/?]|$)/

export const isOurs = (path) => ours.test(path)

/* "/v1/databases/d/collections/c/documents/x" */
export function pathIn(path) {
	const [way, ...query] = path.split('?')
	const parts = way.split('/').map((s, i) => (i > 3 && i % 2 === 0 ? segments[s] ?? s : s))
	return [parts.join('/').replace(ours, '/v1/tablesdb'), ...query].join('?')
}

const renamed = (o, names) => Object.fromEntries(Object.entries(o).map(([k, v]) => [names[k] ?? k, v]))

/* The members of the parameters, not those of the data. */
export const bodyIn = (body) => (typeof body === 'string' ? body.replace('"documentId":', '"rowId":') : body !== null && typeof body === 'object' && !Array.isArray(body) && !Buffer.isBuffer(body) ? renamed(body, members) : body)
export const queryIn = (text) => (typeof text === 'string' ? text.replace('"documentSecurity"', '"rowSecurity"').replace(/"attribute":"attributes"/, '"attribute":"columns"') : text)

/* A reply, its lists, and the columns of its tables; the data of a row is its own. */
export function said(value, depth = 0) {
	if (Array.isArray(value)) return value.map((v) => said(v, depth))
	if (value === null || typeof value !== 'object') return value
	if (Object.hasOwn(value, 'rowsTotal')) return value	/* usage of today names both */
	const row = Object.hasOwn(value, '$tableId'), o = row ? renamed(value, { $tableId: '$collectionId' }) : renamed(value, back)
	if (row) for (const [k, v] of Object.entries(o)) if (v !== null && typeof v === 'object' && k !== '$permissions') o[k] = said(v)	/* related rows */
	if (!row && depth < 3) for (const k of ['documents', 'collections', 'attributes', 'indexes']) if (Array.isArray(o[k])) o[k] = said(o[k], depth + 1)
	if (Array.isArray(o.logs)) for (const l of o.logs) l.event = l.event.replace(/^table\./, 'collection.').replace(/^row\./, 'document.').replace(/^column\./, 'attribute.')
	if (typeof o.type === 'string' && typeof o.code === 'number') for (const [from, to] of errors) if (from.test(o.type)) { o.type = o.type.replace(from, to); break }
	return o
}
