/* Countries of sessions and log entries, by a database made here. */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { mmdb } from '../lib/mmdb.mjs'
import { cookieOf, dataDir, server, until } from '../lib/server.mjs'

const dir = dataDir(), file = (name) => path.join(dir, name)
let s, p
before(async () => {
	writeFileSync(file('country.mmdb'), mmdb([['81.2.69.0/24', { iso_code: 'GB', names: { en: 'not asked for' } }], ['2001:db8::/32', { iso_code: 'JP' }], ['81.2.70.0/24', { iso_code: 'U1' }], ['81.2.71.0/24', { iso_code: 'XK' }], ['81.2.72.0/24', { iso_code: 'XZ' }]]))
	s = await server({ own: true, conf: { country_db: file('country.mmdb'), web_processes: 1 } })
	p = await s.project()
})
after(async () => {
	await s.stop()
	rmSync(dir, { recursive: true })
})

const from = (ip, locale) => ({ headers: { 'x-forwarded-for': ip, ...(locale && { 'x-appwrite-locale': locale }) } })
async function signIn(u, ip, locale) {
	const r = await p.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password }, ...from(ip, locale) })
	assert.equal(r.status, 201, r.text)
	return { ...r.body, cookie: cookieOf(r) }
}
const country = (x) => [x.countryCode, x.countryName]

test('of sessions, in the language of who asks', async () => {
	const u = await p.user()
	for (const [ip, locale, code, name] of [
		['81.2.69.142', undefined, 'gb', 'United Kingdom'], ['81.2.69.1', 'de', 'gb', 'Vereinigtes Königreich'], ['81.2.69.1', 'pt-br', 'gb', 'Reino Unido'],
		['81.2.69.1', 'fr', 'gb', 'Royaume-Uni'], ['81.2.69.1', 'de-AT', 'gb', 'Vereinigtes Königreich'], ['81.2.69.1', 'la', 'gb', 'United Kingdom'], ['2001:db8::1', undefined, 'jp', 'Japan'], ['10.0.0.1', 'de', '--', 'Unbekannt'], ['127.0.0.1', undefined, '--', 'Unknown'],
		['8.8.8.8', undefined, '--', 'Unknown'], ['81.2.70.1', undefined, '--', 'Unknown'], ['81.2.71.1', undefined, 'xk', 'Kosovo'], ['81.2.72.1', undefined, 'xz', 'Unknown'], ['not an address', undefined, '--', 'Unknown'],
	])
		assert.deepEqual(country(await signIn(u, ip, locale)), [code, name], ip)
	const made = await signIn(u, '81.2.69.142', 'de'), mine = (o) => p.guest('GET', `/account/sessions/${made.$id}`, { cookie: made.cookie, ...o })
	assert.deepEqual(country((await mine({})).body), ['gb', 'United Kingdom'])
	assert.deepEqual(country((await mine(from('10.0.0.1', 'de'))).body), ['gb', 'Vereinigtes Königreich'])
	const all = (await p.ok('GET', `/users/${u.id}/sessions`, { headers: { 'x-appwrite-locale': 'de' } })).sessions
	assert.deepEqual(country(all.at(-1)), ['gb', 'Vereinigtes Königreich'])
	assert.deepEqual(country(all.find((x) => x.ip === '2001:db8::1')), ['jp', 'Japan'])
})

test('of log entries', async () => {
	const u = await p.user(), { cookie } = await signIn(u, '81.2.69.142')
	await until('the entry', async () => {
		const { logs } = await p.guest('GET', '/account/logs', { cookie, headers: { 'x-appwrite-locale': 'de' } }).then((r) => r.body)
		const one = logs.find((l) => l.ip === '81.2.69.142')
		if (one) assert.deepEqual(country(one), ['gb', 'Vereinigtes Königreich'])
		return one
	})
})

test('a database that cannot be read: all are unknown, and the log says so', async () => {
	writeFileSync(file('bad.mmdb'), 'nothing of the kind')
	const t = await server({ own: true, conf: { country_db: file('bad.mmdb'), web_processes: 1 } })
	try {
		const q = await t.project(), u = await q.user()
		const r = await q.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password }, ...from('81.2.69.142') })
		assert.deepEqual(country(r.body), ['--', 'Unknown'])
		await until('the log says so', () => t.log().includes('no countries'))
	} finally {
		await t.stop()
	}
})
