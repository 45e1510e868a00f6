/* Functions that are kept warm: a process is ready before the first run, and again after whatever ends it, until it is let go. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import test from 'node:test'
import { start, until } from './executor.mjs'

const x = await start({ executor_warm_max: '2', functions_idle: '1s' })
const code = 'module.exports = async (req, res) => { if (req.payload === "die") process.exit(3); res.json({ pid: process.pid, born: global.born, v: process.env.V }) }; global.born = process.hrtime()[0]'
/* Ready: a run is given to the process that is there. */
const ready = (f, how) => until(async () => { const r = await f(how); return !r.cold && r.why === 'done' && JSON.parse(r.text) }, 'a warm run')

test('a process is ready before the first run, and does not end for want of work', async () => {
	const f = x.function(code, { variables: { V: 'one' } })
	assert.equal(x.processes(), 0)
	assert.equal(await f.warm(true), 204)
	assert.deepEqual(x.kept(), [`p/${f.code}/1`])
	await until(() => x.processes() === 1, 'the process')
	assert.equal(await f.warm(true), 204, 'saying it again changes nothing')
	const first = await f()
	assert.deepEqual([first.why, first.cold, JSON.parse(first.text).v], ['done', false, 'one'])
	/* another one, that is not kept, is begun after it and ends for want of work before it */
	const other = x.function(code)
	await other()
	await until(() => x.processes() === 1, 'the end of what is not kept')
	assert.equal(JSON.parse((await f()).text).born, JSON.parse(first.text).born)

	assert.equal((await f({ data: 'die' })).why, 'died')
	await until(() => x.processes() === 1, 'another process')
	await ready(f)

	assert.equal(await f.warm(false), 204)
	assert.deepEqual(x.kept(), [])
	await until(() => x.processes() === 0, 'its end')
})

test('with other variables the former process ends, and a new one is ready', async () => {
	const f = x.function(code, { variables: { V: 'one' } })
	await f.warm(true)
	await ready(f)
	assert.equal(await f.warm(true, { revision: '2', variables: { V: 'two' } }), 204)
	await until(() => x.kept().join() === `p/${f.code}/2`, 'the new one alone')
	await until(() => x.processes() === 1, 'the end of the former one')
	const r = await f({ revision: '2', variables: { V: 'two' } })
	assert.deepEqual([r.cold, JSON.parse(r.text).v], [false, 'two'])
	await x.retire({ function: 'f' })
	await until(() => x.kept().length === 0 && x.processes() === 0, 'nothing of what is deleted')
})

test('as many as may be; who is let go makes room', async () => {
	const [a, b, c] = [1, 2, 3].map(() => x.function(code))
	assert.deepEqual([await a.warm(true), await b.warm(true), await c.warm(true)], [204, 204, 503])
	assert.equal(await a.warm(false), 204)
	assert.equal(await c.warm(true), 204)
	assert.deepEqual(x.kept(), [b, c].map((f) => `p/${f.code}/1`).sort())
	for (const f of [b, c]) await f.warm(false)
})

test('let go before it has begun: it ends all the same', async () => {
	const f = x.function(code)
	for (let i = 0; i < 5; i++) assert.deepEqual(await Promise.all([f.warm(true), f.warm(true), f.warm(false)]).then(() => f.warm(false)), 204)
	await until(() => x.processes() === 0, 'its end')
})

test('one that ends as soon as it begins is begun again later and later, and calls are told why', async () => {
	const f = x.function('process.exit(5)'), begun = new Map()	/* when each of its processes was begun */
	await until(() => x.processes() === 0, 'the end of those before')
	assert.equal(await f.warm(true), 204)
	await until(() => {
		for (const d of fs.readdirSync(x.place)) if (/^fn-\d+$/.test(d) && !begun.has(d)) try { begun.set(d, fs.statSync(`${x.place}/${d}`).mtimeMs) } catch { /* it went meanwhile */ }
		return begun.size === 3
	}, 'three processes')
	const [, second, third] = [...begun.values()]
	assert.ok(third - second > 1000, `the third one ${third - second} ms after the second`)
	assert.match((await f()).reason, /exit code 5/)
	await f.warm(false)
})

test('one that never lasts gives its place to others, and has another chance when it changes', async () => {
	const y = await start({ executor_warm_max: '1', executor_warm_retry: '1ms' }), bad = y.function('process.exit(5)'), good = y.function(code)
	assert.equal(await bad.warm(true), 204)
	assert.equal(await good.warm(true), 503, 'there is one place')
	await until(async () => await bad.warm(true) === 503, 'it is not kept any more')
	assert.deepEqual(y.kept(), [])
	assert.equal(await good.warm(true), 204)
	assert.equal(await good.warm(false), 204)
	assert.equal(await bad.warm(true), 503, 'nor when there is room')
	assert.equal(await bad.warm(true, { revision: '2' }), 204)
	assert.equal(await bad.warm(false, { revision: '2' }), 204)
})
