/* Which indexes PostgreSQL takes for lists of documents, by the plans of the lists themselves. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, test } from 'node:test'

import { psqlArgs } from '../20-serve/lib.mjs'
import { server } from '../lib/server.mjs'
import { collection, database, json } from './docs.mjs'

let s, p, schema, c, table, day
const sql = (text) => execFileSync('psql', [...psqlArgs(s), '-c', text], { encoding: 'utf8' }).trim()
before(async () => {
	s = await server({ own: true, conf: { web_processes: 1 } })
	p = await s.project()
	schema = sql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	c = await collection(p, await database(p), { attributes: { day: { type: 'datetime' }, n: { type: 'integer' } }, indexes: { days: { type: 'key', attributes: ['day'] } } })
	const internal = sql(`SELECT internal FROM ${schema}.collections WHERE id = '${c.id}'`), columns = sql(`SELECT key || '=a_' || internal FROM ${schema}.attributes WHERE collection = ${internal}`)
	table = `c_${internal}`
	day = columns.match(/day=(\S+)/)[1]
	sql(`INSERT INTO ${schema}.${table} (_id, _created, _updated, _perms, _read, ${day}) SELECT 'd' || n, t, t, '{}', '{}', t FROM (SELECT n, now() - make_interval(secs => n % 9000) AS t FROM generate_series(1, 20000) n) x`)
	sql(`VACUUM ANALYZE ${schema}.${table}`)
})
after(() => s.stop())

const ordered = (method, attribute, ...more) => ({ query: { explain: 1, queries: [json(method, attribute), ...more], total: false } })
/* Of a plan: the nodes that read a table, with the index of each. */
const readers = (node) => [...node['Relation Name'] ? [`${node['Node Type']} ${node['Index Name'] ?? ''}`] : [], ...(node.Plans ?? []).flatMap(readers)]

test('an order by a date reads an index and no more of the table', async () => {
	const index = { $createdAt: `${table}_created`, $updatedAt: `${table}_updated`, day: sql(`SELECT indexname FROM pg_indexes WHERE schemaname = '${schema}' AND indexdef ~ '\\(${day}\\y'`) }
	assert.ok(Object.values(index).every((x) => x), JSON.stringify(index))
	for (const [attribute, name] of Object.entries(index))
		for (const method of ['orderDesc', 'orderAsc']) {
			const limit = json('limit', undefined, [25]), page = await p.ok('GET', c.docs, { query: { ...ordered(method, attribute, limit).query, explain: 0 } })
			assert.equal(page.documents.length, 25)
			for (const more of [[], [json('cursorAfter', undefined, [page.documents.at(-1).$id])]]) {
				const { plan } = await p.ok('GET', c.docs, ordered(method, attribute, limit, ...more)), read = readers(plan.Plan ?? plan[0]?.Plan ?? plan)
				assert.ok(read.length > 0 && read.every((r) => /^Index (Only )?Scan /.test(r) && r.endsWith(` ${name}`)), `${method} of ${attribute}: ${read}`)
			}
		}
})
