/* Events of executions: on the channels of the contract, to whoever may read them, without what functions wrote. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { deploy } from '../lib/functions.mjs'
import { server } from '../lib/server.mjs'
import { library } from './lib.mjs'

const code = `module.exports = async (req, res) => { console.log('secret'); console.error('secret'); res.send(req.payload) }`
let s, p, f, alice, bob

before(async () => {
	s = await server({ own: true, conf: { web_processes: 1, roles: 'web,relay,jobs,executor' } })
	p = await library(s)
	;[alice, bob] = await Promise.all([p.user({ name: 'Alice' }), p.user({ name: 'Bob' })])
	f = await deploy(p, code, { execute: ['users'], version: 'v2' })
})
after(() => s.stop())

const names = (e, action) => {
	const x = `functions.${f.id}.executions.${e.$id}`, of = [x, 'functions.*.executions.*', `functions.${f.id}.executions.*`, `functions.*.executions.${e.$id}`]
	return [...of.map((n) => `${n}.${action}`), ...of, `functions.${f.id}`, 'functions.*']
}

test('in the background: asked for, and ended', async () => {
	const all = await Promise.all([p.listen(['executions'], { as: alice }), p.listen([`functions.${f.id}`], { as: alice })]), others = await Promise.all([p.listen(['executions', 'documents'], { as: bob }), p.listen(['executions', 'documents'])])
	const asked = await alice.ok('POST', `${f.path}/executions`, { body: { data: 'rt', async: true } }), one = await p.listen([`executions.${asked.$id}`], { as: alice })
	for (const w of all) {
		const begun = await w.event(), ended = await w.event()
		assert.deepEqual(begun.events, names(asked, 'create'))
		assert.deepEqual(begun.channels, ['console', 'executions', `executions.${asked.$id}`, `functions.${f.id}`])
		assert.deepEqual(begun.payload, asked)
		assert.deepEqual(ended.events, names(asked, 'update'))
		assert.deepEqual(ended.payload, { ...await f.get(asked.$id), stdout: '', stderr: '' })
		assert.deepEqual([ended.payload.status, ended.payload.response], ['completed', 'rt'])
	}
	assert.deepEqual(await p.heard(...others), [[], []])
	for (const w of [...all, ...others, one]) w.end()
})

test('while the caller waits: once, when it has ended', async () => {
	const w = await p.listen(['executions', 'documents'], { as: alice }), e = await alice.ok('POST', `${f.path}/executions`, { body: { data: 'now' } }), heard = await w.event()
	assert.deepEqual(heard.events, names(e, 'create'))
	assert.deepEqual(heard.payload, e)
	assert.deepEqual(await p.heard(w), [[]])
	w.end()
})

test('by a key: nobody is told', async () => {
	const w = await p.listen(['executions', 'documents'], { as: alice })
	await f.run({ data: 'x' })
	assert.deepEqual(await p.heard(w), [[]])
	w.end()
})
