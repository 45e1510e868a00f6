/* node t/lib/shared.mjs COMMAND…: runs a command with BADAL_ENDPOINT of one server that all its tests share. The server must stop in order.
 * When the command names every file of t/50-api, what they saw is held against the list of operations (t/50-api/coverage.test.mjs). */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { start } from './server.mjs'

const api = fileURLToPath(new URL('../50-api', import.meta.url)), coverage = path.join(api, 'coverage.test.mjs')
const [command, ...args] = process.argv.slice(2), named = new Set(args.map((a) => path.resolve(a)))
const all = readdirSync(api).filter((f) => f.endsWith('.test.mjs')).every((f) => named.has(path.join(api, f)))
const seen = path.join(mkdtempSync(path.join(os.tmpdir(), 'badal-seen-')), 'seen')
process.on('exit', () => rmSync(path.dirname(seen), { recursive: true, force: true }))

const server = await start({ conf: { roles: 'web,relay,jobs,executor' } })
const run = (program, list, env) => new Promise((ok) => {
	const child = spawn(program, list, { stdio: 'inherit', env: { ...process.env, BADAL_ENDPOINT: server.endpoint, ...env } })
	child.once('exit', (c, signal) => ok(signal ? 1 : c))
})
let code = await run(command, args, { BADAL_SEEN: seen })
if (all) code = await run(process.execPath, ['--test', coverage], { BADAL_COVERAGE: seen }) || code
try {
	const text = server.log()
	await server.stop()
	/* a sanitizer's words mean a failure although every answer was right */
	if (/ERROR: \w+Sanitizer|runtime error:/.test(text)) throw new Error(text.slice(-8000))
	if (/ a role ended /.test(text)) throw new Error(`a role crashed\n${text.slice(-8000)}`)
} catch (e) {
	console.error(`not ok - the shared server\n${e.message}`)
	code = 1
}
process.exit(code)
