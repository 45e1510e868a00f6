/* Relationships where the data space is not as a process knows it: what another one has changed, or left behind. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { after, before, test } from 'node:test'
import { psqlArgs } from '../20-serve/lib.mjs'
import { server, until } from '../lib/server.mjs'
import { json } from './docs.mjs'
import { fails } from './lib.mjs'

let s, p, schema, n = 0
const sql = (text) => execFileSync('psql', [...psqlArgs(s), '-c', text], { encoding: 'utf8' }).trim()
const call = (method, path, body, query) => p.call(method, `/databases/d${path}`, { body, query, headers: { 'x-appwrite-response-format': '1.9.6' } })
async function ok(...args) {
	const r = await call(...args)
	assert.ok(r.status < 300, r.text)
	return r.body
}
before(async () => {
	s = await server({ own: true, conf: { web_processes: 1 } })
	p = await s.project()
	schema = sql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${p.id}'`)
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
})
after(() => s.stop())

async function place(...more) {
	const id = `c${++n}`, path = `/collections/${id}`
	await ok('POST', '/collections', { collectionId: id, name: id, attributes: ['name', 'spare', ...more].map((key) => ({ key, type: 'string', size: 50 })) })
	return { id, path, docs: `${path}/documents`, internal: sql(`SELECT internal FROM ${schema}.collections WHERE id = '${id}'`), doc: (documentId, data) => ok('POST', `${path}/documents`, { documentId, data }) }
}
const relate = (a, b, key, more) => ok('POST', `${a.path}/attributes/relationship`, { relatedCollectionId: b.id, type: 'manyToOne', key, ...more })
/* Behind the back of everybody who has seen the collection. */
function drop(c, key) {
	const one = `FROM ${schema}.attributes WHERE collection = ${c.internal} AND key = '${key}'`
	sql(`DO $$ BEGIN EXECUTE (SELECT 'ALTER TABLE ${schema}.c_${c.internal} DROP COLUMN a_' || internal ${one}); DELETE ${one}; END $$`)
}

test('a related collection that is older in memory than its table is read anew', async () => {
	const a = await place(), b = await place(), c = await place('k1', 'k2')
	await relate(a, b, 'to')
	await relate(b, c, 'c')
	await a.doc('a', { to: { $id: 'b', name: 'B', c: { $id: 'c', name: 'C' } } })
	const all = { queries: [json('select', undefined, ['*', 'to.*', 'to.c.*'])] }
	const asks = [
		['what a write links to', b, 'spare', () => call('POST', a.docs, { documentId: 'x', data: { to: { $id: 'b', name: 'C' } } }), (d) => d.to.name],
		['what is below it', c, 'spare', () => call('PATCH', `${a.docs}/a`, { data: { to: { $id: 'b', c: { $id: 'c', name: 'C' } } } }), (d) => d.to.c.name],
		['what its reply has', c, 'k1', () => call('POST', a.docs, { documentId: 'y', data: { to: 'b' } }), (d) => d.to.c.name],
		['what a read loads', c, 'k2', () => call('GET', `${a.docs}/a`, undefined, all), (d) => d.to.c.name]
	]
	for (const [what, of, key, ask, name] of asks) {
		await ok('GET', `${a.docs}/a`, undefined, all)
		drop(of, key)
		const r = await ask()
		assert.ok(r.status < 300, `${what}: ${r.text}`)
		assert.equal(name(r.body), 'C', what)
	}
})

test('a link to a document that is gone does not keep who has it', async () => {
	const a = await place(), b = await place()
	await relate(a, b, 'to', { type: 'oneToMany', onDelete: 'restrict' })
	const links = `${schema}.r_${sql(`SELECT relation FROM ${schema}.attributes WHERE collection = ${a.internal} AND key = 'to'`)}`
	const doc = await a.doc('a', { to: [{ $id: 'b' }] })
	sql(`INSERT INTO ${links} (parent, child) VALUES (${doc.$sequence}, 1000000)`)
	fails(await call('DELETE', `${a.docs}/a`), 403, 'document_delete_restricted')
	await ok('DELETE', `${b.docs}/b`)
	await ok('DELETE', `${a.docs}/a`)
	assert.equal(sql(`SELECT count(*) FROM ${links}`), '0')
})

/* Holds the collection until somebody waits for it, then changes it by these statements. */
async function meanwhile(a, request, statements) {
	const other = spawn('psql', psqlArgs(s), { stdio: ['pipe', 'pipe', 'inherit'] }), over = new Promise((ok) => other.on('exit', ok))
	let out = '', answer
	other.stdout.on('data', (d) => (out += d))
	other.stdin.write(`BEGIN; SELECT 'held' FROM ${schema}.collections WHERE id = '${a.id}' FOR UPDATE;\n`)
	await until('the lock', () => out.includes('held'))
	const asked = request().then((r) => (answer = r))
	await until('who waits for it', () => answer || sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") !== '0')
	other.stdin.end(`${statements}; COMMIT;\n`)
	await over
	return asked
}
const rekey = (a, from, to) => `UPDATE ${schema}.attributes SET key = '${to}' WHERE collection = ${a.internal} AND key = '${from}'`

test('an attribute that has become a relationship in between is not deleted on one side alone', async () => {
	const a = await place(), b = await place()
	await relate(a, b, 'to', { twoWay: true, twoWayKey: 'from' })
	fails(await meanwhile(a, () => call('DELETE', `${a.path}/attributes/spare`), `${rekey(a, 'spare', 'was')}; ${rekey(a, 'to', 'spare')}`), 503, 'general_busy')
	assert.equal(sql(`SELECT count(*) FROM ${schema}.attributes WHERE relation IS NOT NULL AND collection IN (${a.internal}, ${b.internal})`), '2')
})

test('a relationship that is another one by now, or none, is not changed', async () => {
	const a = await place(), b = await place(), c = await place(), change = (key) => () => call('PATCH', `${a.path}/attributes/${key}/relationship`, { onDelete: 'cascade' })
	await relate(a, b, 'to')
	await relate(a, c, 'other')
	fails(await meanwhile(a, change('to'), `${rekey(a, 'to', 'was')}; ${rekey(a, 'other', 'to')}`), 503, 'general_busy')
	fails(await meanwhile(a, change('other'), rekey(a, 'spare', 'other')), 503, 'general_busy')
	fails(await change('spare')(), 400, 'attribute_type_invalid')
	assert.equal(sql(`SELECT count(*) FROM ${schema}.attributes WHERE on_delete = 'cascade' AND collection = ${a.internal}`), '0')
})
