/* GET /v1/account with a session cookie: the way from request to reply when everything is cached.
 * node t/bench/account.mjs [seconds]        needs wrk */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { server } from '../lib/server.mjs'
import { cpuOf, family, report, reportAtLeast, run } from './lib.mjs'

const seconds = Number(process.argv[2] ?? 5)
const s = await server({ own: true, conf: { web_processes: 1, log_level: 'warn' } }), p = await s.project(), user = await p.user()
const script = path.join(s.data, 'wrk.lua'), name = (pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
const badal = family(s.pid).filter((pid) => name(pid).startsWith('badal'))

writeFileSync(script, `wrk.headers["X-Appwrite-Project"] = "${p.id}"; wrk.headers["Cookie"] = "${user.cookie}"`)
const before = cpuOf(badal), out = await run('wrk', ['-t', '1', '-c', '16', '-d', `${seconds}s`, '-s', script, `${s.endpoint}/account`])
const n = Number(out.match(/(\d+) requests in/)[1]), cpu = (cpuOf(badal) - before) / n
if (/Non-2xx/.test(out)) throw new Error(out)
console.log(`${(n / seconds).toFixed(0)} requests a second with one web process, wrk on the same machine`)
report('GET /v1/account: CPU of badal', cpu, 'us', 50)
reportAtLeast('GET /v1/account: requests per core-second', 1e6 / cpu, '/s', 20000)
await s.stop()
