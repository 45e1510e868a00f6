/* A change of the master key under a server that works: whatever was sealed opens before, meanwhile and after, and nothing stays under the former key. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { form, part } from '../lib/form.mjs'
import { binary, dataDir, run, settings, start, unique, until } from '../lib/server.mjs'

const document = '/databases/d/collections/c/documents'
const quick = { request_timeout: '5s' }
/* Of each kind of sealed value one. */
async function fill(s) {
	const p = await s.project(), user = await p.user()
	const webhook = await p.console.ok('POST', `/projects/${p.id}/webhooks`, { body: { name: 'w', url: 'http://127.0.0.1:9/', events: ['users.*.create'], security: false, httpUser: 'me', httpPass: 'hook-password' } })
	await p.console.ok('PATCH', `/projects/${p.id}/oauth2`, { body: { provider: 'github', appId: 'app', secret: 'provider-secret' } })
	const b = await p.ok('POST', '/storage/buckets', { body: { bucketId: 'sealed', name: 'b', encryption: true, permissions: ['read("any")'] } })
	const f = form({ fileId: 'f', file: part('a.txt', 'sealed bytes') })
	await p.ok('POST', `/storage/buckets/${b.$id}/files`, f)
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
	await p.ok('POST', '/databases/d/collections', { body: { collectionId: 'c', name: 'C' } })
	await p.ok('POST', '/databases/d/collections/c/attributes/text', { body: { key: 's', required: false, encrypt: true } })
	await p.ok('POST', '/databases/d/collections/c/attributes/text', { body: { key: 'l', required: false, encrypt: true, array: true } })
	await p.ok('POST', document, { body: { documentId: 'x', data: { s: 'document-secret', l: ['document-secret', null] } } })
	return { p, user, webhook }
}

async function opens(s, { p, webhook }) {
	const owner = { project: 'console', cookie: p.console.cookie }
	assert.equal((await s.ok('GET', `/projects/${p.id}/webhooks/${webhook.$id}`, owner)).httpPass, 'hook-password')
	assert.ok((await s.ok('GET', `/projects/${p.id}/keys`, owner)).keys.every((k) => k.secret.length > 20))
	assert.equal((await s.ok('GET', `/projects/${p.id}`, owner)).providerGithubSecret, 'provider-secret')
	const doc = await s.ok('GET', `${document}/x`, { project: p.id, key: p.key })
	assert.deepEqual([doc.s, doc.l], ['document-secret', ['document-secret', null]])
	assert.equal((await s.call('GET', '/storage/buckets/sealed/files/f/download', { project: p.id, key: p.key })).text, 'sealed bytes')
}

test('at work, stopped and gone on with', async () => {
	const data = dataDir(), s = await start({ data, conf: quick }), file = path.join(s.dataDir, 'master.key'), before = readFileSync(file, 'utf8')
	const args = ['key', 'rotate-master', ...settings({ data_dir: s.dataDir, ...quick })]
	try {
		const world = await fill(s), jwt = (await world.user.call('POST', '/account/jwt')).body.jwt
		await opens(s, world)
		const psql = (sql) => execFileSync('psql', ['-h', path.join(s.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-c', sql], { encoding: 'utf8' }).trim()
		const schema = psql(`SELECT 'p_' || internal FROM badal.projects WHERE id = '${world.p.id}'`), rows = psql(`SELECT t::text FROM ${schema}.c_1 t`)
		assert.ok(rows.includes(',v1:') && !rows.includes('document-secret'), rows)

		/* killed after the new key is there */
		const stopped = spawn(binary, args, { stdio: 'ignore' }), ended = once(stopped, 'exit')
		await until('the new key is there', () => readFileSync(file, 'utf8') !== before)
		const between = readFileSync(file, 'utf8')
		assert.equal(readFileSync(`${file}.old`, 'utf8'), before)
		assert.equal((await world.p.guest('GET', '/account', { jwt })).status, 200)
		stopped.kill('SIGKILL')
		assert.deepEqual(await ended, [null, 'SIGKILL'])
		const later = await fill(s)	/* sealed with the new one, by whoever has it */
		await Promise.all([opens(s, world), opens(s, later)])

		const writing = (async () => { for (let i = 0; i < 40; i++) await world.p.addKey(['users.read']) })()
		const done = await run(args, { ms: 60000 })
		await writing
		assert.equal(done.code, 0, done.err + done.out)
		assert.match(done.out, /going on with a rotation/)
		assert.match(done.out, /\d+ sealed anew, \d+ under the new key/)
		assert.ok(!existsSync(`${file}.old`))
		assert.equal(readFileSync(file, 'utf8'), between)
		await Promise.all([opens(s, world), opens(s, later)])
		await s.stop()

		const again = await start({ data, conf: quick })
		await Promise.all([opens(again, world), opens(again, later)])
		await again.stop()
	} finally {
		rmSync(data, { recursive: true, force: true })
	}
})

test('several at once: one works, the others say so and touch nothing', async () => {
	const data = dataDir(), s = await start({ data, conf: quick }), file = path.join(s.dataDir, 'master.key'), args = ['key', 'rotate-master', ...settings({ data_dir: s.dataDir, ...quick })]
	try {
		const world = await fill(s)
		for (let round = 0; round < 2; round++) {
			const before = readFileSync(file, 'utf8'), all = await Promise.all(Array.from({ length: 4 }, () => run(args)))
			assert.deepEqual(all.map((r) => r.code).sort(), [0, 1, 1, 1], all.map((r) => r.out + r.err).join(''))
			for (const r of all) if (r.code === 1) assert.deepEqual([r.out, r.err], ['', 'badal: another badal key rotate-master is at work\n'])
			assert.notEqual(readFileSync(file, 'utf8'), before)
			assert.ok(!existsSync(`${file}.old`))
			await opens(s, world)
		}
	} finally {
		await s.stop()
		rmSync(data, { recursive: true, force: true })
	}
})

test('a key of the settings: the operator hands it out', async () => {
	const first = { ...quick, master_key: 'the first one' }, second = { ...quick, master_key: 'the second one' }, data = dataDir()
	try {
		let s = await start({ data, conf: first })
		const world = await fill(s)
		const bare = await run(['key', 'rotate-master', ...settings({ data_dir: s.dataDir, ...second })])
		assert.equal(bare.code, 2)
		assert.match(bare.err, /master_key_old/)
		await s.stop()
		s = await start({ data, conf: { ...second, master_key_old: 'of long ago,the first one' } })
		await opens(s, world)
		const done = await run(['key', 'rotate-master', ...settings({ data_dir: s.dataDir, ...second, master_key_old: 'the first one' })])
		assert.equal(done.code, 0, done.err + done.out)
		assert.ok(!existsSync(path.join(s.dataDir, 'master.key')))
		await s.stop()
		s = await start({ data, conf: second })
		await opens(s, world)
		await s.stop()
	} finally {
		rmSync(data, { recursive: true, force: true })
	}
})
