/* A sign-in while one address sends 300 of them at once, and while another project's users, imported with bcrypt of cost 15, sign in: how long it takes,
 * against one that is alone. BADAL_BEFORE as in indexes.mjs.
 * node t/bench/signin.mjs */
import { execFile } from 'node:child_process'

import { percentile, report } from './lib.mjs'

const { start } = await import(process.env.BENCH_LIB ?? '../lib/server.mjs')
const CROWD = 300, HONEST = 5, SLOW = 20

async function measure() {
	const s = await start({ conf: { log_level: 'error', web_processes: 1, argon2_memory: '16m', argon2_time: 3, trust_proxy: 'private' } }), p = await s.project({ name: 'Sign-in' })
	const account = (path, body, from) => fetch(`${s.endpoint}/account${path}`, { method: 'POST', body: JSON.stringify(body),
		headers: { 'content-type': 'application/json', 'x-appwrite-project': p.id, 'x-forwarded-for': from } })
	const who = { email: 'honest@localhost.test', password: 'correct horse battery' }
	const signIn = async (from) => {
		const begin = performance.now(), r = await account('/sessions/email', who, from)
		if (r.status !== 201) throw new Error(`sign-in: ${r.status} ${await r.text()}`)
		return performance.now() - begin
	}
	const median = async () => {
		const ms = []
		for (let i = 0; i < HONEST; i++) ms.push(await signIn(`10.0.1.${i}`))
		return percentile(ms, 0.5)
	}
	await account('', { userId: 'honest', ...who }, '10.0.0.1')
	const alone = await median()
	let over = false
	const crowd = Array.from({ length: CROWD }, async () => {
		while (!over) await (await account('/sessions/email', { ...who, password: 'guessed guessed' }, '10.0.0.2')).arrayBuffer()
	})
	await new Promise((ok) => setTimeout(ok, 1000))
	const among = await median()
	over = true
	await Promise.all(crowd)
	/* another project, with costly hashes */
	const q = await s.project({ name: 'Slow' }), hash = '$2a$15$xX/myGbFU.ZSKHSi6EHdBOySTdYm8QxBLXmOPHrYMwV0mHRBBSBOq'
	for (let i = 0; i < SLOW; i++) await q.ok('POST', '/users/bcrypt', { body: { userId: 'unique()', email: `slow${i}@localhost.test`, password: hash } })
		const slow = Array.from({ length: SLOW }, async (_, i) => {
		const r = await fetch(`${s.endpoint}/account/sessions/email`, { method: 'POST', body: JSON.stringify({ email: `slow${i}@localhost.test`, password: 'guessed guessed' }),
			headers: { 'content-type': 'application/json', 'x-appwrite-project': q.id, 'x-forwarded-for': `10.1.0.${i}` } }).catch(() => null)	/* the server goes before they are answered */
		await r?.arrayBuffer()
	})
	await new Promise((ok) => setTimeout(ok, 1000))
	const beside = await median()
	await s.stop().catch(() => {})
	await Promise.allSettled(slow)
	return { alone, among, beside }
}

const now = await measure()
if (process.env.BENCH_JSON) {
	console.log(JSON.stringify(now))
} else {
	report('a sign-in alone', now.alone, 'ms')
	report(`a sign-in beside ${CROWD} of another address / alone`, now.among / now.alone, 'x')
	report(`a sign-in beside ${SLOW} of another project with bcrypt of cost 15 / alone`, now.beside / now.alone, 'x')
	if (process.env.BADAL_BEFORE) {
		const out = await new Promise((ok, no) => execFile(process.execPath, [process.argv[1]], { env: { ...process.env, BADAL: `${process.env.BADAL_BEFORE}/build/check/badal`,
			BENCH_LIB: `${process.env.BADAL_BEFORE}/t/lib/server.mjs`, BENCH_JSON: '1' } }, (e, text) => (e ? no(e) : ok(text)))), before = JSON.parse(out)
		report('the first before', before.among / before.alone, 'x')
		report('the second before', before.beside / before.alone, 'x')
	}
}
