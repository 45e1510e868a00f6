/* What the README shows works as it is written: the shell commands, the server's script, the page, the links and the names in it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import vm from 'node:vm'

import { binary, run, server as startServer } from '../lib/server.mjs'
import { until, webNew } from './browser.mjs'
import { block, move, page, readme } from './readme.mjs'

const exec = promisify(execFile), top = fileURLToPath(new URL('../..', import.meta.url))
let server, dir

before(async () => {
	server = await startServer({ own: true, conf: { console_signup: 'first' } })
	dir = mkdtempSync(path.join(os.tmpdir(), 'badal-readme-'))
	writeFileSync(path.join(dir, 'package.json'), '{}')
})
after(async () => {
	await server?.stop()
	if (dir) rmSync(dir, { recursive: true, force: true })
})

/* The commands run in one shell and the scripts after them see what it exported, so each test uses what the former made. */
test('first steps: the shell commands, then the script with the key they made', async () => {
	const modules = path.join(dir, 'node_modules')
	mkdirSync(modules)
	symlinkSync(path.join(top, 't/90-compat/node_modules/node-appwrite-new'), path.join(modules, 'node-appwrite'))
	writeFileSync(path.join(dir, 'server.mjs'), move(block('js'), 'localhost:8080', `localhost:${server.port}`))
	const script = `set -e\n${move(block('sh'), 'build/badal', `"${binary}"`)}\nnode server.mjs\n`
	const env = { ...process.env, BADAL_DATA_DIR: server.dataDir, BADAL_PASSWORD: 'correct-horse' }
	for (const name of ['BADAL_ENDPOINT', 'BADAL', 'BADAL_ECHO']) delete env[name]
	await exec('bash', ['-c', script], { cwd: dir, env })
})

test('the page: signs up, subscribes, and shows what its button writes', async () => {
	const text = page(server), code = text.match(/<script type="module">\n(.*)<\/script>/s)[1], seen = [], button = {}
	const shown = { button, pre: { append: (line) => seen.push(line) } }
	assert.ok(/<button>/.test(text) && /<pre>/.test(text))
	assert.ok(existsSync(path.join(top, 't/90-compat', move(text.match(/src="(.*?)"/)[1], '/appwrite/', '/appwrite-new/'))))
	let realtime
	class Realtime extends webNew.Realtime {
		constructor(client) { super(client); realtime = this }
	}
	const names = { Appwrite: { ...webNew, Realtime }, document: { querySelector: (name) => shown[name] } }
	await vm.runInThisContext(`(async ({ Appwrite, document }) => {${code}})`)(names)
	await until('the note', async () => {	/* an SDK's subscription may begin a moment after it says so */
		await button.onclick()
		return seen.find((line) => /^\w+\.app\.(collections|tables)\.notes\.(documents|rows)\.\w+\.create\n {4}Hello, cloud\n$/.test(line))
	})
	await realtime.disconnect()	/* else it would look for the server for ever */
})

test('the first user of the console is the only one', async () => {
	const r = await server.call('POST', '/account', { project: 'console', body: { userId: 'unique()', email: 'second@example.org', password: 'correct-horse' } })
	assert.equal(r.body.type, 'user_count_exceeded')
})

test('names of settings and verbs are those of the program', async () => {
	const config = (await run(['config'])).out, help = (await run(['help'])).out
	const table = readme.slice(readme.indexOf('## Configuration')).match(/^\| `.*$/gm)
	assert.ok(table.length > 5)
	for (const row of table)
		for (const [, name] of row.split('|')[1].matchAll(/`(\w+)`/g)) assert.match(config, new RegExp(`^${name} = `, 'm'), name)
	for (const row of table) {
		const names = [...row.split('|')[1].matchAll(/`(\w+)`/g)].map((m) => m[1]), defaults = row.split('|')[2].split(',').map((s) => s.trim())
		names.forEach((name, i) => {
			const said = defaults[i] ?? defaults[0], real = config.match(new RegExp(`# default: (.*)\n${name} = `))[1]
			if (said !== 'see above') assert.equal(said, real || 'empty', name)
		})
	}
	for (const [, verb] of readme.matchAll(/`badal (\w+)/g)) assert.match(help, new RegExp(`^ {2}${verb}( |$)`, 'm'), verb)
})

test('links and folders lead somewhere', () => {
	const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map((m) => m[1]).filter((to) => !to.includes('://'))
	const folders = [...readme.matchAll(/^\| (`[a-z].*?) \|/gm)].flatMap((m) => [...m[1].matchAll(/`([a-z]+(?:\/[a-z]+)*)`/g)]).map((m) => m[1]).filter((s) => /^(src|include|sql|t)\b/.test(s))
	assert.ok(links.length > 3 && folders.length > 8)
	for (const to of [...links, ...folders]) assert.ok(existsSync(path.join(top, to)), to)
})
