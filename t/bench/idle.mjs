/* Memory at rest: all badal processes together after a start and a few requests, as proportional set size.
 * node t/bench/idle.mjs */
import { readFileSync } from 'node:fs'

import { server } from '../lib/server.mjs'
import { family, pssOf, report, sleep } from './lib.mjs'

const s = await server({ own: true }), p = await s.project()
await p.ok('GET', '/users')
await sleep(3000)
const name = (pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim(), pids = family(s.pid).filter((pid) => name(pid).startsWith('badal'))
for (const pid of pids) console.log(name(pid).padEnd(20), `${pssOf([pid])} KiB`)
report('all badal processes at rest, PSS', pssOf(pids) / 1024, 'MiB', 60)
await s.stop()
