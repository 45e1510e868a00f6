/* Limits that must hold: a bucket cannot be left by spelling its values differently, and a process takes only so many requests at once. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { server, unique } from '../lib/server.mjs'

test('the name of the host and the case of an address choose no other bucket', async (t) => {
	const s = await server({ own: true, conf: { rate_limits: 'on' } })
	t.after(() => s.stop())
	const name = unique('a'), resets = new Set(), codes = []
	for (let i = 0; i < 14; i++) {
		const email = [...name].map((c, k) => (k + i) % 3 ? c : c.toUpperCase()).join('') + '@example.org'
		const r = await s.call('POST', '/account/sessions/email', {
			body: { email, password: 'password-1234' }, headers: { host: `h${i}.example.org`, 'x-forwarded-host': i % 2 ? `f${i}.example.org` : '' } })
		codes.push(r.status)
		resets.add(r.headers['x-ratelimit-reset'])
	}
	/* the window may turn meanwhile */
	if (resets.size === 1) assert.deepEqual(codes, [...Array(10).fill(401), ...Array(4).fill(429)])
})

test('more requests than a process may work on are refused, and the others answered', async (t) => {
	const s = await server({ own: true, conf: { requests_max: 2, web_processes: 1 } })
	t.after(() => s.stop())
	const one = () => s.call('POST', '/account', { body: { userId: 'unique()', email: `${unique()}@example.org`, password: 'password-1234' } })
	const all = await Promise.all(Array.from({ length: 60 }, one))
	const of = (status) => all.filter((r) => r.status === status)
	assert.equal(of(201).length + of(503).length, all.length)
	assert.ok(of(201).length > 0 && of(503).length > 0, `${of(201).length} answered, ${of(503).length} refused`)
	assert.equal(of(503)[0].body.type, 'general_busy')
	assert.equal((await one()).status, 201)
})

test('a flood of invented names and addresses does not fill Redis, and does not open the limits', async (t) => {
	const most = 40, s = await server({ own: true, conf: { rate_limits: 'on', limit_keys_max: most, web_processes: 2 } })
	t.after(() => s.stop())
	const p = await s.project(), u = await p.user(), u2 = await p.user()
	const redis = (...a) => JSON.parse(execFileSync('redis-cli', ['-s', path.join(s.dataDir, 'run', 'redis.sock'), '--json', ...a], { encoding: 'utf8', maxBuffer: 1 << 26 }))
	const buckets = () => redis('KEYS', 'limit:*')
	const guess = (email, password = 'wrong-password') => p.guest('POST', '/account/sessions/email', { body: { email, password }, headers: { 'x-forwarded-for': `2001:db8:${unique().slice(0, 4)}:1::1` } })
	const codes = async (n, email) => { const all = []; for (let i = 0; i < n; i++) all.push((await guess(email)).status); return all }
	const known = redis('KEYS', 'known:*').length
	assert.ok(known > 0)
	for (let i = 0; i < 5; i++) assert.equal((await p.guest('POST', '/account/sessions/anonymous')).status, 201)
	assert.equal(redis('KEYS', 'known:*').length, known, 'nobody guesses at what has no secret')
	await codes(3, u.email)	/* it has a bucket of its own already */
	const before = buckets().length
	for (let i = 0; i < 60; i++)
		await Promise.all(Array.from({ length: 20 }, (_, k) => [
			() => guess(`${unique()}@example.org`), () => guess('x'.repeat(300) + unique()), () => p.guest('PUT', '/account/recovery', { body: { userId: unique(), secret: 's', password: 'password-1234', passwordAgain: 'password-1234' } }),
			() => p.guest('GET', '/account', { cookie: `a_session_${p.id}=${Buffer.from(JSON.stringify({ id: unique(), secret: unique() })).toString('base64')}` }),
		][k % 4]()))
	/* 900 names, 600 networks; shared ones are of few templates */
	const grown = buckets().length - before, own = buckets().filter((k) => !/^limit:\{[^}]*\}:\d+:\d+:[0-9a-f]+:[0-9a-f]+$/.test(k) && k.startsWith(`limit:{${p.id}}:`)).length
	assert.ok(own <= 2 * most + 10, `${own} buckets`)	/* the window may turn meanwhile */
	assert.ok(grown > own / 2, `${grown}`)
	assert.deepEqual(redis('EVAL', "local r = {} for _, k in ipairs(redis.call('KEYS', 'limit:*')) do if redis.call('TTL', k) < 0 then r[#r + 1] = k end end return r", '0'), [], 'these stay')
	assert.ok(Number((await s.call('GET', '/metrics', { root: true })).text.match(/^badal_limits_shared_total (\d+)/m)[1]) > 100)
	/* who had a bucket keeps it; who has none yet is refused with the strangers, sooner or later, and never let guess on */
	if (before > 0) assert.deepEqual([(await codes(12, u.email)).at(-1), (await codes(12, u2.email)).at(-1)], [429, 429])
	/* a flood that has used up all that is shared locks out strangers, not who signs in where they did before */
	const full = "for _, t in ipairs(ARGV) do for i = 0, 4095 do redis.call('SET', t .. string.format('%x', i), 1000, 'EX', 3600) end end return #ARGV"
	const templates = [...new Set(buckets().map((k) => k.match(/^(limit:\{[^}]*\}:\d+:\d+:[0-9a-f]+:)[0-9a-f]+$/)?.[1]).filter(Boolean))]
	assert.equal(redis('EVAL', full, '0', ...templates), templates.length)
	const [home, away] = [await p.guest('POST', '/account/sessions/email', { body: { email: u2.email, password: u2.password } }), await guess(u2.email, u2.password)]
	const turned = Math.floor(Date.now() / 3600e3) * 3600 !== Number(templates[0].split(':')[2])
	if (!turned) assert.deepEqual([home.status, away.status], [201, 429])
})
