/* node t/lib/shared.mjs COMMAND…: runs a command with BADAL_ENDPOINT of one server that all its tests share. The server must stop in order. */
import { spawn } from 'node:child_process'

import { start } from './server.mjs'

const server = await start({ ms: 60000 })
const [command, ...args] = process.argv.slice(2)
const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, BADAL_ENDPOINT: server.endpoint } })
let code = await new Promise((ok) => child.once('exit', (c, signal) => ok(signal ? 1 : c)))
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
