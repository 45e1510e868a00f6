/* The public command line, unmodified: a folder is deployed, once and again, run, and looked at. It speaks to this machine alone. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'

import { server as startServer, until } from '../lib/server.mjs'
import { code as shown, step } from '../lib/totp.mjs'
import { source } from './echo.mjs'

const base = mkdtempSync(path.join(os.tmpdir(), 'badal-cli-')), strangers = path.join(base, 'strangers')
let s
before(async () => {
	/* whatever it connects to that is not here is refused, and written down */
	writeFileSync(path.join(base, 'here.cjs'), `const net = require('net'), { connect } = net.Socket.prototype
net.Socket.prototype.connect = function (...a) {
	const o = [a[0]].flat()[0], host = typeof o === 'object' ? o.path ? undefined : o.host : a[1]
	if (![undefined, 'localhost', '127.0.0.1', '::1'].includes(host)) { require('fs').appendFileSync(${JSON.stringify(strangers)}, host + '\\n'); throw new Error('not of this machine: ' + host) }
	return connect.apply(this, a)
}\n`)
	/* where templates of functions come from */
	mkdirSync(path.join(base, 'bin'))
	writeFileSync(path.join(base, 'bin/git'), '#!/bin/sh\n[ "$1" != clone ] || for r in node python php ruby; do mkdir -p .git $r/starter && echo "# Start" >$r/starter/README.md; done\n', { mode: 0o755 })
	s = await startServer({ own: true, conf: { roles: 'web,relay,jobs,executor' } })
})
after(async () => {
	await s.stop()
	rmSync(base, { recursive: true })
})

let shells = 0
/* A person at a shell: a home and a folder of their own. `say`: answers to questions, once they are asked. */
function shell(name, folder = `${name}-${++shells}`) {
	const at = path.join(base, folder), home = path.join(at, 'home'), cwd = path.join(at, 'work'), pkg = createRequire(import.meta.url).resolve(`${name}/package.json`)
	const program = path.join(path.dirname(pkg), JSON.parse(readFileSync(pkg, 'utf8')).bin.appwrite)
	mkdirSync(home, { recursive: true })
	mkdirSync(path.join(cwd, 'code/lib'), { recursive: true })
	const write = (file, what) => writeFileSync(path.join(cwd, file), typeof what === 'string' ? what : JSON.stringify(what, null, 4))
	const run = (args, say = []) => new Promise((ok, no) => {
		const child = spawn(process.execPath, ['--require', path.join(base, 'here.cjs'), program, ...args], { cwd, env: { PATH: `${path.join(base, 'bin')}:${process.env.PATH}`, HOME: home, NO_COLOR: '1', FORCE_COLOR: '0' } }), left = [...say]
		let out = '', seen = 0
		const heard = (d) => {
			out += d
			if (left.length && left[0][0].test(out.slice(seen))) { seen = out.length; child.stdin.write(`${left.shift()[1]}\n`) }
		}
		child.stdout.on('data', heard)
		child.stderr.on('data', heard)
		const timer = setTimeout(() => child.kill('SIGKILL'), 120000)
		child.on('close', (code) => { clearTimeout(timer); code === 0 ? ok(out) : no(new Error(`${args.join(' ')}: ${code} ${out}`)) })
	})
	/* what it prints beside the JSON is for people */
	const json = async (...args) => { const out = await run(['--json', ...args]); return JSON.parse(out.slice(out.indexOf('{'), out.lastIndexOf('}') + 1)) }
	const code = (word) => {
		write('code/index.js', source.replaceAll('you said', `${word} said`).replace('const text', 'require("./lib/more.js"); const text'))
		write('code/lib/more.js', '')
		write('code/.env', "WORD=it's $HOME\n")
	}
	const read = (file) => JSON.parse(readFileSync(path.join(cwd, file), 'utf8'))
	const text = (...files) => readFileSync(files.map((f) => path.join(cwd, f)).find(existsSync), 'utf8')
	const drop = (folder) => rmSync(path.join(cwd, folder), { recursive: true })
	return { write, run, json, code, read, text, drop }
}

const about = { name: 'Echo', runtime: 'node-18.0', execute: ['any'], events: ['users.*.create'], schedule: '0 3 1 1 *', timeout: 20, entrypoint: 'index.js', path: 'code' }
/* What stays when a function is deployed again. */
async function kept(p) {
	const { events, schedule, scheduleNext, execute, timeout } = await p.ok('GET', '/functions/echo'), { variables } = await p.ok('GET', '/functions/echo/variables')
	return { events, schedule, scheduleNext, execute, timeout, variables: variables.map(({ key, value }) => `${key}=${value}`) }
}
async function live(p, n) {
	await until('the deployment is live', async () => {
		const { deployments } = await p.ok('GET', '/functions/echo/deployments'), f = await p.ok('GET', '/functions/echo')
		return deployments.length === n && f.deployment !== '' && f.deployment === deployments.at(-1).$id
	}, 60000)
	return kept(p)
}
const same = { events: about.events, schedule: about.schedule, execute: about.execute, timeout: about.timeout, variables: ["WORD=it's $HOME"] }

describe('the command line', { concurrency: 2, timeout: 600000 }, () => {
	test('of 1.0: a folder deployed, run, deployed again, looked at; and signed in', async () => {
		const p = await s.project(), sh = shell('appwrite-cli-old')
		await sh.run(['client', '--endpoint', s.endpoint, '--projectId', p.id, '--key', p.key])
		sh.code('first')
		sh.write('appwrite.json', { projectId: p.id, projectName: '', functions: [{ $id: 'echo', ...about, variables: { WORD: "it's $HOME" } }] })
		await sh.run(['deploy', 'function', '--functionId', 'echo', '--yes'])
		const first = await live(p, 1)
		assert.match(first.scheduleNext, /-01-01T03:00/)
		assert.deepEqual(first, { ...same, scheduleNext: first.scheduleNext, variables: [] })	/* a new one is given none */
		await p.ok('POST', '/functions/echo/variables', { body: { key: 'OLD', value: 'x' } })
		sh.code('second')
		await sh.run(['deploy', 'function', '--all', '--yes'])
		assert.deepEqual(await live(p, 2), { ...first, variables: same.variables })
		const e = await sh.json('functions', 'createExecution', '--functionId', 'echo', '--data', 'hi')
		assert.deepEqual([e.status, e.response, e.stdout], ['completed', 'second said hi', 'second said hi'])
		assert.deepEqual((await sh.json('functions', 'listDeployments', '--functionId', 'echo')).deployments.map((d) => d.status), ['ready', 'ready'])

		await sh.run(['client', '--reset'])
		await sh.run(['client', '--endpoint', s.endpoint, '--projectId', p.id])
		await sh.run(['login'], [[/email/, p.console.email], [/password/, p.console.password]])
		assert.deepEqual((await sh.json('functions', 'listExecutions', '--functionId', 'echo')).executions.map((x) => x.$id), [e.$id])
		await sh.run(['logout'])
	})

	test('of today: a folder pushed, run, pushed again, looked at; and signed in', async () => {
		const p = await s.project(), sh = shell('appwrite-cli-new'), f = ['--function-id', 'echo']
		await sh.run(['client', '--endpoint', s.endpoint, '--project-id', p.id, '--key', p.key])
		sh.code('first')
		sh.write('appwrite.config.json', { projectId: p.id, endpoint: s.endpoint, functions: [{ $id: 'echo', ...about }] })
		await sh.run(['functions', 'create', ...f, '--name', 'Echo', '--runtime', about.runtime, '--execute', 'any', '--events', ...about.events, '--schedule', about.schedule, '--timeout', '20', '--entrypoint', 'index.js'])
		assert.match(await sh.run(['push', 'function', ...f, '--force', '--async', '--with-variables']), /Successfully pushed 1 functions/)
		const first = await live(p, 1)
		assert.deepEqual(first, { ...same, scheduleNext: first.scheduleNext })

		await sh.run(['login', '--endpoint', s.endpoint, '--email', p.console.email, '--password', p.console.password])
		sh.code('second')
		const again = await sh.run(['push', 'function', ...f, '--force', '--with-variables'])	/* waits for the build, and looks for an address */
		assert.match(again, /Successfully pushed 1 functions/)
		assert.doesNotMatch(again, /Error/)
		assert.deepEqual(await live(p, 2), first)
		const e = await sh.json('functions', 'create-execution', ...f, '--body', 'hi', '--method', 'PUT')
		assert.deepEqual([e.status, e.responseStatusCode, e.responseBody, e.requestMethod], ['completed', 200, 'second said hi', 'PUT'])
		assert.deepEqual((await sh.json('functions', 'list-executions', ...f)).executions.map((x) => x.$id), [e.$id])
		sh.drop('code')
		await sh.run(['pull', 'functions'], [[/Which functions/, 'a'], [/source code/, '']])
		assert.match(sh.text('code/index.js'), /second said/)
	})

	test('of today: signed in by two factors', async () => {
		const u = await s.user(), sh = shell('appwrite-cli-new'), { secret } = await u.ok('POST', '/account/mfa/authenticators/totp')
		await u.ok('PUT', '/account/mfa/authenticators/totp', { body: { otp: shown(secret) } })
		await u.ok('PATCH', '/account/mfa', { body: { mfa: true } })
		const login = (otp) => sh.run(['login', '--endpoint', s.endpoint, '--email', u.email, '--password', u.password, '--mfa', 'totp', '--code', otp])
		await assert.rejects(login(shown(secret, step() - 9)), /The token is unknown, used or expired/)
		assert.match(await login(shown(secret, step() + 1)), new RegExp(`Successfully signed in as ${u.email}`))
		assert.match(await sh.run(['whoami']), new RegExp(u.email))
	})

	/* A project made by answers to questions; all that a folder says of one pushed to it, and pulled into another folder. */
	const security = { duration: 86400, limit: 7, sessionsLimit: 3, passwordHistory: 2, passwordDictionary: true, personalDataCheck: true, sessionAlerts: true, mockNumbers: [{ phone: '+4930123456', otp: '123456' }] }
	const methods = { jwt: false, phone: true, invites: true, anonymous: true, 'email-otp': true, 'magic-url': true, 'email-password': true }
	const columns = [{ key: 'title', type: 'string', required: true, array: false, size: 100, default: null }, { key: 'n', type: 'integer', required: false, array: false, min: 0, max: 10, default: 1 }]
	const bucket = { $id: 'buck', $permissions: [], fileSecurity: false, name: 'Buck', enabled: true, maximumFileSize: 30000000, allowedFileExtensions: [], compression: 'none', encryption: true, antivirus: true }
	const index = { key: 'i', type: 'key', status: 'available', orders: ['ASC'] }, table = { $id: 'tab', $permissions: ['read("any")'], databaseId: 'db', name: 'Tab', enabled: true }
	const kinds = [
		['appwrite-cli-new', 'appwrite.config.json', 'tables', { tablesDB: [{ $id: 'db', name: 'Db', enabled: true }], tables: [{ ...table, rowSecurity: false, columns, indexes: [{ ...index, columns: ['title'] }] }] }],
		['appwrite-cli-mid', 'appwrite.json', 'collections', { databases: [{ $id: 'db', name: 'Db', enabled: true }], collections: [{ ...table, documentSecurity: false, attributes: columns, indexes: [{ ...index, attributes: ['title'] }] }] }],
	]
	for (const [name, file, what, db] of kinds)
		test(`${name}: a project made, and all of it pushed and pulled`, async () => {
			const p = await s.project(), sh = shell(name), { email, password } = p.console, asked = [[/start/, ''], [/organization/i, ''], [/name/i, 'Made here'], [/ID/, '']]
			await sh.run(['login', '--endpoint', s.endpoint, '--email', email, '--password', password])
			await sh.run(['init', 'project'], asked)
			await sh.run(['init', 'function'], [[/like to name/, 'Begun'], [/ID/, 'begun'], [/runtime/, ''], [/specification/, '']])
			const { projectId, functions: [begun] } = sh.read(file)
			assert.deepEqual([begun.$id, begun.name, begun.specification ?? ''], ['begun', 'Begun', ''])
			assert.equal((await s.ok('GET', `/projects/${projectId}`, { project: 'console', cookie: p.console.cookie })).name, 'Made here')
			const of = { projectId, endpoint: s.endpoint }
			sh.write(file, { ...of, projectName: 'Pushed', settings: { auth: { methods, security } }, ...db, buckets: [bucket], teams: [{ $id: 'red', name: 'Red' }] })
			for (const kind of ['settings', what, 'buckets', 'teams']) assert.doesNotMatch(await sh.run(['push', kind, '--force', ...(kind === 'settings' ? [] : ['--all'])]), /Error|failed/i)
			sh.write(file, of)
			for (const kind of ['settings', what, 'buckets', 'teams', 'functions', 'topics']) await sh.run(['pull', kind, ...(kind === what ? ['--all'] : []), ...(kind === 'settings' ? [] : ['--force'])])
			const pulled = sh.read(file)
			assert.equal(pulled.projectName, 'Pushed')
			assert.deepEqual([pulled.settings.auth.methods, pulled.settings.auth.security], [methods, security])
			const [{ columns: cols, attributes = cols, indexes, name: called }] = pulled[what]
			assert.deepEqual([called, attributes.map((a) => [a.key, a.type, a.required, a.size ?? a.max]), indexes.map((x) => x.key)], ['Tab', [['title', 'string', true, 100], ['n', 'integer', false, 10]], ['i']])
			assert.deepEqual([pulled.buckets.map((b) => [b.$id, b.maximumFileSize]), pulled.teams.map((t) => t.name)], [[['buck', 30000000]], ['Red']])
			if (name !== 'appwrite-cli-new') return
			await sh.run(['pull', 'all', '--force'])
			await sh.run(['types', '.', '-l', 'ts'])
			assert.match(sh.text('appwrite.d.ts', 'appwrite.ts'), /title: string/)
		})

	test('of 1.0: a project made, collections deployed and looked at', async () => {
		const p = await s.project(), sh = shell('appwrite-cli-old')
		await sh.run(['client', '--endpoint', s.endpoint])
		await sh.run(['login'], [[/email/, p.console.email], [/password/, p.console.password]])
		await sh.run(['init', 'project'], [[/start/, ''], [/name your project/, 'Made here'], [/ID/, '']])
		const of = sh.read('appwrite.json')
		assert.equal(of.projectName, 'Made here')
		sh.write('appwrite.json', { ...of, databases: [{ $id: 'db', name: 'Db' }], collections: [{ ...table, documentSecurity: false, attributes: [columns[0]], indexes: [] }] })
		await sh.run(['deploy', 'collection', '--all', '--yes'])
		sh.write('appwrite.json', of)
		await sh.run(['init', 'collection', '--all'])
		assert.deepEqual(sh.read('appwrite.json').collections.map((c) => [c.$id, c.attributes.map((a) => a.key)]), [['tab', ['title']]])
	})
})

test('none of them looked for another machine', () => assert.equal(existsSync(strangers) && readFileSync(strangers, 'utf8'), false))
