/* The build of an index ends, whatever is killed in the middle of it: the index is there and used, and no half of one is left. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { until } from '../lib/server.mjs'
import { schemaServer } from './lib.mjs'

const ROWS = 100000
let s, p, psql, halves, children
before(async () => { ({ s, p, psql, halves, children } = await schemaServer()) })
after(() => s?.stop())

/* A collection with many documents, and where its table is. */
async function filled(id) {
	const at = `/databases/d/collections/${id}`
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: id, name: id, permissions: ['read("any")'], documentSecurity: false } })
	await p.ok('POST', `${at}/attributes/string`, { body: { key: 'text', size: 200, required: false } })
	const known = await until('the attribute', async () => {
		const a = await p.ok('GET', `${at}/attributes/text`)
		return a.status === 'available'
	})
	assert.ok(known)
	const schema = await psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	const [internal, column] = (await psql(`SELECT collection, 'a_' || a.internal FROM ${schema}.attributes a JOIN ${schema}.collections c ON c.internal = a.collection WHERE c.id = '${id}'`)).split('|')
	const table = `${schema}.c_${internal}`
	await psql(`INSERT INTO ${table} (_id, _created, _updated, _perms, _read, ${column})
		SELECT 'doc' || n, now(), now(), '{}', '{}', 'number' || n || ' of many words that are alike' FROM generate_series(1, ${ROWS}) n`)
	return { at, table }
}

for (const victim of ['badal-jobs', 'postgres'])
	test(`${victim} is killed while an index is built`, { timeout: 300000 }, async () => {
		const { at, table } = await filled(victim)
		await p.ok('POST', `${at}/indexes`, { body: { key: 'words', type: 'fulltext', attributes: ['text'] } })
		await until('the build is on its way', async () =>
			(await psql(`SELECT count(*) FROM pg_stat_progress_create_index WHERE relid = '${table}'::regclass AND phase LIKE 'building%'`)) !== '0', 60000)
		assert.equal(await halves(table), '1')
		const pids = children(victim)
		assert.ok(pids.length > 0, `${victim} runs`)
		for (const pid of pids) process.kill(pid, 'SIGKILL')
		/* writers do not wait for any of it */
		await until('a write', async () =>
			(await p.call('POST', `${at}/documents`, { body: { documentId: 'late', data: { text: 'afterwards' } } }).catch(() => ({}))).status === 201, 60000)
		await until('the index is available', async () => (await p.ok('GET', `${at}/indexes/words`).catch(() => ({}))).status === 'available', 240000)
		assert.equal(await halves(table), '0')
		assert.equal(await psql(`SELECT count(*) FROM pg_indexes WHERE schemaname || '.' || tablename = '${table}' AND indexname LIKE 'i\\_%'`), '1')
		for (const [word, id] of [['afterwards', 'late'], ['number777', 'doc777']]) {
			/* PostgreSQL knows nothing of so many rows yet, and may read them all: on a busy machine that takes longer than a request may */
			const found = await until('an answer', async () => { const r = await p.call('GET', `${at}/documents`, { query: { queries: [`search("text", "${word}")`, 'limit(1)'] } }); return r.status !== 503 && r }, 240000)
			assert.deepEqual(found.body.documents.map((d) => d.$id), [id], found.text)
		}
		const plan = await p.ok('GET', `${at}/documents`, { query: { queries: ['search("text", "afterwards")'], explain: '1' } })
		assert.ok(plan.indexes.includes('words'), JSON.stringify(plan.indexes))
	})
