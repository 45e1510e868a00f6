/* Devices, clients and systems of sessions and log entries: by the rule set of t/rules, by the installed one, and without any. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { cookieOf, dataDir, server, until } from '../lib/server.mjs'

const dir = dataDir(), rules = path.join(dir, 'rules')	/* a copy: whom the server runs as need not reach the sources */
let s, p
before(async () => {
	cpSync(fileURLToPath(new URL('../rules', import.meta.url)), rules, { recursive: true })
	s = await server({ own: true, conf: { agent_rules: rules, web_processes: 1, rate_limits: 'off' } })
	p = await s.project()
})
after(async () => {
	await s.stop()
	rmSync(dir, { recursive: true })
})

const chrome = (inside) => `Mozilla/5.0 (Linux; Android 12; ${inside}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/105.0.0.0 Mobile Safari/537.36`
async function signIn(project, ua) {
	const r = await project.guest('POST', '/account/sessions/anonymous', { headers: { 'user-agent': ua } })
	assert.equal(r.status, 201, r.text)
	return { ...r.body, cookie: cookieOf(r) }
}
const device = (x) => [x.deviceName, x.deviceBrand, x.deviceModel], client = (x) => [x.clientType, x.clientCode, x.clientName, x.clientVersion]
const system = (x) => [x.osCode, x.osName, x.osVersion]
const lines = (t, words) => t.log().split('\n').filter((l) => l.includes(words)).length

test('a phone has its brand and model, in the session and in the log', async () => {
	const u = await p.user(), ua = chrome('OAK_tree_9 Build/1')
	const r = await p.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password }, headers: { 'user-agent': ua } }), cookie = cookieOf(r)
	assert.equal(r.status, 201, r.text)
	for (const x of [r.body, (await p.guest('GET', '/account/sessions/current', { cookie })).body]) {
		assert.deepEqual(device(x), ['smartphone', 'Acorn', 'Oak tree 9'])
		assert.deepEqual(client(x), ['browser', 'CM', 'Chrome Mobile', '105.0'])
		assert.deepEqual(system(x), ['AND', 'Android', '12'])
	}
	await until('the entry', async () => {
		const { logs } = (await p.guest('GET', '/account/logs', { cookie })).body, one = logs.find((l) => l.event === 'session.create' && l.deviceBrand)
		if (one) assert.deepEqual(device(one), ['smartphone', 'Acorn', 'Oak tree 9'])
		return one
	})
	assert.equal(lines(s, 'agent rules read'), 1)
})

test('many at once, each its own', async () => {
	const made = await Promise.all(Array.from({ length: 60 }, (_, i) => signIn(p, chrome(`ACN-T${i % 40}`))))
	made.forEach((x, i) => assert.deepEqual(device(x), ['tablet', 'Acorn', `Leaf ${i % 40}`]))
	assert.deepEqual(client(await signIn(p, `${chrome('ACN-T1')} Telegraph 8.9.1`)), ['mobile app', '', 'The Telegraph', '8.9'])
	assert.deepEqual(system(await signIn(p, 'Teapot OS/3.2.1')), ['', 'Teapot OS', '3.2'])
})

test('texts that are made to be slow, or long, or no text', async () => {
	const evil = Array.from({ length: 30 }, (_, i) => 'x'.repeat(900 + i))
	for (const x of await Promise.all(evil.map((ua) => signIn(p, ua)))) assert.deepEqual(client(x), ['mobile app', '', 'After It', ''])
	assert.deepEqual(device(await signIn(p, `ACN-T1 ${'y'.repeat(3000)}`)), ['', '', ''])	/* over the length that the rules are asked for */
	for (const ua of ['Echo:\x01', 'Echo:\xff', `Echo:${'z'.repeat(65)}`, '$1', "Echo:'; \"\\u0000"]) {
		const r = await p.guest('POST', '/account/sessions/anonymous', { headers: { 'user-agent': ua } }).catch((e) => ({ status: 400, text: e.message }))
		assert.ok(r.status === 201 || r.status === 400, r.text)
	}
})

test('a directory that went away, or is broken: the table answers, and the log says so once', async () => {
	const [broken, gone] = ['broken', 'gone'].map((d) => path.join(dir, d))
	for (const d of [broken, gone]) mkdirSync(d)
	writeFileSync(path.join(broken, 'oss.yml'), '- regex: [')
	for (const at of [gone, broken]) {
		const t = await server({ own: true, conf: { agent_rules: at, web_processes: 1, rate_limits: 'off' } })
		rmSync(gone, { recursive: true, force: true })	/* it is read when the first user agent is looked at */
		try {
			const q = await t.project()
			for (let i = 0; i < 3; i++) assert.deepEqual(device(await signIn(q, chrome(`Pixel ${i}`))), ['smartphone', 'Google', `Pixel ${i}`])
			assert.equal(lines(t, 'no agent rules'), 1)
		} finally {
			await t.stop()
		}
	}
})

const gems = '/usr/share/rubygems-integration/all/gems'
const installed = existsSync(gems) && readdirSync(gems).some((n) => n.startsWith('device_detector-') && existsSync(path.join(gems, n, 'regexes')))
test("Debian's rules are found", { skip: !installed && 'ruby-device-detector is not installed' }, async () => {
	const t = await server({ own: true, conf: { web_processes: 1 } })
	try {
		const x = await signIn(await t.project(), 'Mozilla/5.0 (Linux; Android 8.0.0; SM-G950F Build/R16NW) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/62.0.3202.84 Mobile Safari/537.36')
		assert.deepEqual([x.deviceName, x.deviceBrand], ['smartphone', 'Samsung'])
		assert.match(x.deviceModel, /galaxy s8/i)
		assert.deepEqual(client(x), ['browser', 'CM', 'Chrome Mobile', '62.0'])
		assert.equal(lines(t, 'agent rules read'), 1)
	} finally {
		await t.stop()
	}
})
