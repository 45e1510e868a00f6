/* Pictures: a photo of 24 megapixels made 400 wide, against gm convert with the same options, and a preview that is kept against a plain file of its size.
 * node t/bench/pictures.mjs        needs gm (graphicsmagick) and wrk */
import { readFileSync } from 'node:fs'
import path from 'node:path'

import { uploadChunks } from '../lib/form.mjs'
import { dataDir, start } from '../lib/server.mjs'
import { cpuOf, family, report, run } from './lib.mjs'

const TIMES = 20, SECONDS = 4, dir = dataDir(), photo = path.join(dir, 'photo.jpg')

await run('gm', ['convert', '-size', '6000x4000', 'plasma:', '-quality', '88', photo])
const bytes = readFileSync(photo)
const s = await start({ conf: { web_processes: 1, log_level: 'warn', storage_limit: '50m', rate_limits: 'off' } })
const p = await s.project(), ada = await p.user()
await p.ok('POST', '/storage/buckets', { body: { bucketId: 'b', name: 'b', encryption: false, antivirus: false, permissions: ['read("any")', 'create("users")'] } })
async function put(id, content) {
	const r = await uploadChunks(ada.call, 'b', id, 'photo.jpg', content, 5242880)
	if (r.status !== 201) throw new Error(r.text)
	return `/storage/buckets/b/files/${id}`
}
const preview = async (quality) => {
	const r = await p.guest('GET', '/storage/buckets/b/files/photo/preview', { query: { width: 400, quality } })
	if (r.status !== 200) throw new Error(r.text)
	return r.raw
}

/* CPU of gm and of everything that serves, per picture. */
async function made() {
	const url = await put('photo', bytes)
	await preview(50)	/* starts a worker */
	const gm = await run('bash', ['-c', `for q in $(seq ${TIMES}); do gm convert -size 400x267 ${photo} -thumbnail 400x267 -quality $((70 + q)) ${dir}/out.jpg; done; times`])
	const [m, user, m2, sys] = gm.trim().split('\n')[1].match(/[\d.]+/g).map(Number), floor = (m * 60 + user + m2 * 60 + sys) * 1000 / TIMES
	const all = family(s.pid), before = cpuOf(all)
	for (let q = 1; q <= TIMES; q++) await preview(70 + q)
	const ours = (cpuOf(all) - before) / 1000 / TIMES
	console.log(`-- a JPEG of 6000 x 4000, ${(bytes.length / 1e6).toFixed(1)} MB, to 400 x 267, ${TIMES} times`)
	report('gm convert -size 400x267 -thumbnail 400x267', floor, 'ms')
	report('a preview, all processes', ours, 'ms')
	report('ratio', ours / floor, '', 1.15)
	return url
}

/* CPU of the web process per request. */
async function asked(what, pid) {
	const before = cpuOf([pid])
	const out = await run('wrk', ['-t1', '-c8', `-d${SECONDS}s`, '-H', `X-Appwrite-Project: ${p.id}`, `${s.endpoint}${what}`])
	if (/Non-2xx/.test(out)) throw new Error(out)
	return (cpuOf([pid]) - before) / Number(out.match(/(\d+) requests in/)[1])
}
async function kept(url) {
	const small = await preview(88), plain = await put('small', small)
	const pid = family(s.pid).find((n) => readFileSync(`/proc/${n}/comm`, 'utf8').includes('badal-web'))
	await asked(`${plain}/view`, pid)
	const view = await asked(`${plain}/view`, pid), hit = await asked(`${url}/preview?width=400&quality=88`, pid)
	console.log(`-- ${small.length} bytes, ${SECONDS} s each, 8 connections`)
	report('view of a plain file, CPU per request', view, 'µs')
	report('a preview that is kept', hit, 'µs')
	report('ratio', hit / view, '', 1.5)
}

await kept(await made())
await s.stop()
