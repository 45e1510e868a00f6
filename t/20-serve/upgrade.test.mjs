/* A database of an earlier version is brought up to date at the start, and what its indexes held is built anew. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { dataDir, server, until } from '../lib/server.mjs'

const at = '/databases/d/collections/c', search = (word) => ({ query: { queries: [JSON.stringify({ method: 'search', attribute: 't', values: [word] })] } })
const psql = (s, sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()

/* The migrations as they were before this one of the projects. */
function before(number, to) {
	cpSync(fileURLToPath(new URL('../../sql', import.meta.url)), to, { recursive: true })
	for (const f of readdirSync(path.join(to, 'project'))) if (Number(f.slice(0, 4)) >= number) rmSync(path.join(to, 'project', f))
	return to
}

test('words of every script are found after an upgrade', { timeout: 120000 }, async () => {
	const data = dataDir()
	try {
		let s = await server({ own: true, data, conf: { sql_dir: before(8, path.join(data, 'sql')) } })
		const p = await s.project()
		await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
		await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C' } })
		await p.ok('POST', `${at}/attributes/string`, { body: { key: 't', size: 100, required: false } })
		await until('the attribute', async () => (await p.ok('GET', `${at}/attributes/t`)).status === 'available')
		await p.ok('POST', `${at}/indexes`, { body: { key: 'words', type: 'fulltext', attributes: ['t'] } })
		await until('the index', async () => (await p.ok('GET', `${at}/indexes/words`)).status === 'available')
		for (const t of ['बादल', 'cloud']) await p.ok('POST', `${at}/documents`, { body: { documentId: 'unique()', data: { t } } })
		assert.equal((await p.ok('GET', `${at}/documents`, search('बादल'))).total, 0)
		await s.stop()

		s = await server({ own: true, data })
		for (const word of ['बादल', 'cloud'])
			assert.deepEqual((await s.ok('GET', `${at}/documents`, { project: p.id, key: p.key, ...search(word) })).documents.map((d) => d.t), [word])
		/* by the index alone */
		const schema = psql(s, `SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
		const [table, column] = psql(s, `SELECT '${schema}.c_' || collection, 'a_' || internal FROM ${schema}.attributes`).split('|')
		assert.equal(psql(s, `SET enable_seqscan = off; SELECT count(*) FROM ${table} WHERE ${schema}.words(${column}) @@ ${schema}.wanted('बादल')`), '1')
		await s.stop()
	} finally {
		rmSync(data, { recursive: true, force: true })
	}
})
