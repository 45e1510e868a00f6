/* Large pages, read in slices: however many there are, few connections to PostgreSQL are theirs. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import net from 'node:net'
import { after, before, test } from 'node:test'

import { until } from '../lib/server.mjs'
import { psqlArgs, schemaServer } from './lib.mjs'

const DOCS = 30, SIZE = 600_000, READERS = 6
let s, p, psql, table
const metric = async (name) => Number((await s.call('GET', '/metrics', { root: true })).text.match(new RegExp(`^badal_${name} (\\d+)`, 'm'))[1])

before(async () => {
	({ s, p, psql } = await schemaServer({ web_processes: 1, db_pool_size: 8, db_large_part: 25, list_whole_max: '1m' }))
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C', permissions: ['read("any")'] } })
	await p.ok('POST', '/databases/d/collections/c/attributes/string', { body: { key: 'v', size: SIZE, required: false } })
	await until('the attribute is there', async () => (await p.ok('GET', '/databases/d/collections/c/attributes/v')).status === 'available')
	for (let i = 0; i < DOCS; i++) await p.ok('POST', '/databases/d/collections/c/documents', { body: { documentId: `x${i}`, data: { v: 'y'.repeat(SIZE) } } })
	const schema = await psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	table = `${schema}.c_${await psql(`SELECT internal FROM ${schema}.collections WHERE id = 'c'`)}`
})
after(() => s?.stop())

/* A reader that has stopped in the middle of its page. */
function reader() {
	const c = net.connect(s.port, '127.0.0.1'), r = { c, bytes: 0 }
	c.write(`GET /v1/databases/d/collections/c/documents?queries[]=${encodeURIComponent('limit(100)')} HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: ${p.id}\r\nConnection: close\r\n\r\n`)
	r.begun = new Promise((ok) => c.once('data', (d) => { r.bytes += d.length; c.pause(); ok() }))
	r.ended = new Promise((ok) => c.on('close', ok))
	return r
}

test('they wait for each other, and nobody else for them', { timeout: 60000 }, async () => {
	const readers = Array.from({ length: READERS }, reader)
	await Promise.all(readers.map((r) => r.begun))
	await until('all have stopped', async () => (await metric('db_pool_busy')) === 0)
	const lock = spawn('psql', psqlArgs(s), { stdio: ['pipe', 'ignore', 'inherit'] })
	lock.stdin.write(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE;\n`)
	await until('the table is locked', async () => (await psql(`SELECT count(*) FROM pg_locks WHERE relation = '${table}'::regclass AND mode = 'AccessExclusiveLock' AND granted`)) === '1')
	for (const r of readers) r.c.on('data', (d) => { r.bytes += d.length }).resume()
	await until('the others wait', async () => (await metric('db_pool_waiting')) === READERS - 2 && (await metric('db_pool_busy')) === 2)
	for (let i = 0; i < 10; i++) assert.equal((await p.call('GET', '/teams')).status, 200)
	lock.stdin.end('COMMIT;\n')
	await Promise.all(readers.map((r) => r.ended))
	for (const r of readers) assert.ok(r.bytes > DOCS * SIZE, `${r.bytes} bytes`)
})
