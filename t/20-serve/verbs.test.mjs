/* The verbs of the shell. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'

import { binary, cookieOf, dataDir, run, server, settings, unique, until } from '../lib/server.mjs'

const words = (r) => r.out.trim()

describe('without a server', () => {
	test('help, version, manual, config', async () => {
		for (const args of [['help'], ['--help'], ['-h'], []]) {
			const r = await run(args)
			assert.equal(r.code, 0)
			for (const verb of ['serve', 'migrate', 'doctor', 'config', 'init', 'config check', ...['user', 'project', 'platform', 'key'].flatMap((n) => ['create', 'list', 'delete'].map((v) => `${n} ${v}`)), 'version'])
				assert.ok(r.out.includes(`  ${verb}\n`), verb)
		}
		for (const args of [['help', 'key'], ['key', '--help'], ['key', 'create', '-h']]) {
			const r = await run(args)
			assert.equal(r.code, 0)
			assert.match(r.out, /^ {2}key create\n.*--scopes/ms)
			assert.doesNotMatch(r.out, /^ {2}serve/m)
		}
		assert.match((await run(['version'])).out, /^badal \d+\.\d+\.\d+\n$/)
		assert.match((await run(['--version'])).out, /^badal /)
		assert.match((await run(['manual'])).out, /^\.TH BADAL 1/)
	})
	test('config prints a file that can be read again, and hides secrets', async () => {
		const r = await run(['config', '--db-pool-size=3', '--metrics-token=hush', '--request-timeout', '5s'], { env: { BADAL_LOCALE: 'de' } })
		assert.equal(r.code, 0)
		for (const line of ['db_pool_size = 3', 'locale = de', 'metrics_token = (set)', 'request_timeout = 5000ms']) assert.ok(r.out.includes(`${line}\n`), line)
		assert.ok(!r.out.includes('hush'))
		assert.match((await run(['config', '--secrets', '--metrics-token=hush'])).out, /metrics_token = hush/)
	})
	test('wrong usage says what there is instead', async () => {
		for (const [args, words] of [
			[['user'], /user what\? There is: user create user list user delete/], [['frobnicate'], /no such verb: frobnicate; there are: serve, migrate/], [['help', 'frobnicate'], /no such verb/],
			[['platform', 'create', '--project=p', '--type=toaster', '--name=A'], /--type: Value must be one of \(web, /],
			[['key', 'create', '--project=p', '--name=A', '--scopes=everything.read'], /--scopes: .*users\.read/], [['user', 'create', '--emial=a@example.org'], /no option --emial; did you mean --email\?/],
			[['user', 'create', '--email=a@example.org', '--pasword', 'hush'], /no option --pasword; did you mean --password\?/],
			[['serve', '--prot=1'], /'prot' is not a setting; did you mean port\?/], [['serve', 'prot'], /cannot make sense of prot/],
		]) {
			const r = await run(args)
			assert.equal(r.code, 2, args.join(' '))
			assert.match(r.err, words)
		}
	})
	test('the data is at home when no setting says where', async () => {
		const home = dataDir()
		for (const [env, where] of [[{ HOME: home }, `${home}/.local/share/badal`], [{ HOME: home, XDG_DATA_HOME: `${home}/share` }, `${home}/share/badal`], [{ HOME: home, XDG_DATA_HOME: 'relative' }, `${home}/.local/share/badal`]]) {
			const r = await run(['doctor'], { env })
			assert.ok(r.out.includes(`data directory ${process.getuid() === 0 ? '/var/lib/badal' : where}`), r.out)
		}
		rmSync(home, { recursive: true })
	})
	test('verbs that need a server say so', async () => {
		for (const args of [['migrate'], ['user', 'create', '--email=a@example.org', '--password=correct-horse']]) {
			const r = await run([...args, '--data-dir=/nonexistent/badal', '--master-key=x'])
			assert.equal(r.code, 1, args.join(' '))
			assert.match(r.err, /not reachable|cannot migrate/)
		}
		const r = await run(['doctor', '--data-dir=/nonexistent/badal'])
		assert.match(r.out, /data directory .*No such file/)
	})
	test('wrong usage: status 2', async () => {
		for (const args of [
			['user'], ['user', 'destroy'], ['user', 'create'], ['user', 'create', '--email=a@example.org'], ['user', 'create', '--email=a@example.org', '--password', '--data-dir=/tmp/x'],
			['user', 'create', '--email=a@example.org', '--password-file=/nonexistent'], ['user', 'create', '--email=a@example.org', '--password-file=/dev/null'],
			['user', 'create', '--email=a@example.org', '--password=correct-horse', '--password-file=/dev/null'], ['user', 'delete', '--yes'], ['user', 'delete', '--id=a', '--email=a@example.org', '--yes'], ['user', 'delete', '--id=a'], ['project', 'delete', '--id=a'],
			['init', '--print=all', '--email=a@example.org'], ['init', '--hostname=http://localhost', '--email=a@example.org'], ['init', '--scopes='], ['init', '--project=not an id'],
			...['http://example.org', 'a b', 'example.org/x', '*.*.example.org', '', 'x'.repeat(300), '..'].map((h) => ['platform', 'create', '--project=p', '--type=web', '--name=A', `--hostname=${h}`]),
			['platform', 'create', '--project=p', '--type=web', '--name=A'], ['platform', 'create', '--project=p', '--type=android', '--name=A'], ['platform', 'create', '--project=p', '--type=Web', '--name=A', '--hostname=a'],
			['key', 'create', '--project=p', '--name=A', '--scopes='], ['key', 'create', '--project=p', '--name=A', '--scopes=,'], ['key', 'create', '--project=p', '--name=', '--scopes=all'], ['key', 'create', '--project=p', '--name=A', '--scopes=all', '--expire=someday'],
			['project', 'create', '--name=A', '--team=not an id'], ['project', 'delete', '--id=not an id', '--yes'], ['key', 'delete', '--project=p', '--id='], ['user', 'create', '--email=nobody', '--password=correct-horse'],
			['user', 'create', '--email=a@example.org', '--password=short'], ['user', 'create', '--email=a@example.org', '--password=correct-horse', '--id=not an id'],
			['project', 'create'], ['project', 'create', '--name='], ['project', 'create', '--name=A', '--id=-bad'], ['project', 'create', `--name=${'x'.repeat(129)}`],
			['platform', 'create', '--project=p', '--type=toaster', '--name=A'], ['key', 'create', '--project=p', '--name=A', '--scopes=everything.read'],
			['key', 'create', '--project=p', '--name=A'],
			['user', 'create', '--email=a@example.org', '--email=b@example.org', '--password=correct-horse'], ['user', 'delete', '--id=a', '--id=b', '--yes'],
		]) {
			const r = await run(args)
			assert.equal(r.code, 2, args.join(' '))
			assert.match(r.err, /^badal: /, args.join(' '))
		}
		/* the API takes an empty password for none, and the user could not sign in */
		const dir = dataDir(), file = path.join(dir, 'password')
		writeFileSync(file, '\nx\n')
		for (const verb of [['user', 'create'], ['init']]) {
			for (const [more, input] of [[['--password=']], [[`--password-file=${file}`]], [['--password=-'], '\n'], [['--password=-'], '\r\n']]) {
				const r = await run([...verb, '--email=a@example.org', ...more, '--data-dir=/nonexistent/badal'], { input })
				assert.equal(r.code, 2, `${verb} ${more}`)
				assert.match(r.err, /: the password is empty$/m)
			}
		}
		assert.match((await run(['user', 'create', '--email=a@example.org'], { env: { BADAL_PASSWORD: '' } })).err, /a password is needed/)
		rmSync(dir, { recursive: true })
	})
})

/* One server for what is done beside one. */
describe('beside a running server', () => {
	let s, at
	before(async () => {
		s = await server({ own: true, conf: { console_signup: 'first' } })
		at = settings({ data_dir: s.dataDir })
	})
	after(() => s?.stop())
	const verb = async (...args) => {
		const r = await run([...args, ...at])
		assert.equal(r.code, 0, r.err)
		return words(r)
	}
	const fails = async (args, text, more) => {
		const r = await run([...args, ...at], more)
		assert.equal(r.code, 1, r.out)
		assert.match(r.err, text)
	}

	test('init makes all that a first project takes, and prints code that works; again it makes nothing', async () => {
		await fails(['init'], /no user yet.*--email/)
		await fails(['init', '--email=ada@example.org'], /no password/)
		const args = ['init', '--email', 'ada@example.org', '--hostname', 'App.Example.test.', ...at], env = { BADAL_PASSWORD: 'correct-horse' }
		const first = await run(args, { env })
		assert.equal(first.code, 0, first.err)
		assert.match(first.out, /^user {6}ada@example\.org \(made\)\nproject {3}demo \(made\)\nplatform {2}app\.example\.test \(made\)\nkey {7}server \(made\)\n/)
		const endpoint = s.endpoint, key = first.out.match(/\.setKey\('([0-9a-f]{256})'\)/)[1]
		assert.equal(first.out.split(`setEndpoint('${endpoint}').setProject('demo')`).length, 3, first.out)
		assert.match(first.out, /from 'appwrite'[^]*from 'node-appwrite'/)
		const taken = await run(['user', 'create', '--email=Ada@example.org', ...at], { env })
		assert.deepEqual([taken.code, taken.err], [1, 'badal: A user with this id, e-mail or phone exists already.\n'])
		const again = await run(['init', '--hostname=app.example.test', ...at])
		assert.equal(again.out, first.out.replaceAll('(made)', '(was there)'))
		assert.equal(await verb('init', '--hostname=app.example.test', '--print=key'), key)
		for (const list of ['users', 'teams', 'databases', 'storage/buckets', 'functions', 'functions/runtimes', 'locale', 'health'])
			assert.equal((await s.call('GET', `/${list}`, { project: 'demo', key })).status, 200, list)	/* of each service */
		assert.equal((await s.call('POST', '/databases', { project: 'demo', key, body: { databaseId: 'app', name: 'App' } })).status, 201)
		assert.equal((await s.call('POST', '/account/sessions/email', { project: 'console', body: { email: 'ada@example.org', password: 'correct-horse' } })).status, 201)
		/* the page's host, and no other */
		for (const [origin, status] of [['http://app.example.test', 201], ['http://other.test', 403]])
			assert.equal((await s.call('POST', '/account/sessions/anonymous', { project: 'demo', headers: { origin } })).status, status)
		/* part by part */
		const more = await run(['init', '--project=second', '--project-name=Second', '--key=other', ...at])
		assert.match(more.out, /^user {6}ada@example\.org \(was there\)\nproject {3}second \(made\)\nplatform {2}localhost \(made\)\nkey {7}other \(made\)\n/)
	})

	test('passwords from a file, standard input and the environment', async () => {
		const dir = dataDir(), file = path.join(dir, 'password')
		try {
			writeFileSync(file, 'correct-horse\r\nsecond line\n')
			for (const [args, more] of [[['--password-file', file], {}], [['--password', '-'], { input: 'correct-horse\n' }], [[], { env: { BADAL_PASSWORD: 'correct-horse' } }], [['--password=correct-horse'], {}]]) {
				const email = `${unique('u')}@example.org`, r = await run(['user', 'create', '--email', email, ...args, ...at], more)
				assert.equal(r.code, 0, r.err)
				assert.equal(r.err, '')
				assert.equal((await s.call('POST', '/account/sessions/email', { project: 'console', body: { email, password: 'correct-horse' } })).status, 201)
			}
			writeFileSync(file, 'short\n')
			for (const [args, more] of [[['--password-file', file], {}], [['--password=-'], { input: '' }], [['--password=-'], { input: 'x'.repeat(3000) }], [[], { env: { BADAL_PASSWORD: 'short' } }], [[], {}]]) {
				const r = await run(['user', 'create', '--email=x@example.org', ...args, ...at], more)
				assert.equal(r.code, 2)
			}
		} finally {
			rmSync(dir, { recursive: true })
		}
	})

	/* through a terminal of its own, as somebody types */
	test('a password is asked for, and not shown', async () => {
		const email = `${unique('u')}@example.org`, command = [binary, 'user', 'create', '--email', email, ...at].map((a) => `'${a}'`).join(' ')
		const type = (lines) => new Promise((ok) => {
			const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] })
			let out = '', said = 0
			child.stdout.on('data', (d) => {
				out += d
				while (said < lines.length && out.split(/Password: |Once more: /).length > said + 1) child.stdin.write(`${lines[said++]}\n`)
			})
			child.on('close', (code) => ok({ code, out }))
		})
		const different = await type(['correct-horse', 'another-horse'])
		assert.notEqual(different.code, 0)
		assert.match(different.out, /not the same/)
		const r = await type(['correct-horse', 'correct-horse'])
		assert.equal(r.code, 0, r.out)
		assert.ok(!r.out.includes('horse'), r.out)
		assert.equal((await s.call('POST', '/account/sessions/email', { project: 'console', body: { email, password: 'correct-horse' } })).status, 201)
	})

	test('make, list, delete: users, projects, platforms, keys', async () => {
		const email = `${unique('u')}@example.org`, id = unique('p')
		const user = await verb('user', 'create', '--email', email, '--password', 'correct-horse', '--name', 'Ada\x1b[2J\tL')
		assert.ok((await verb('user', 'list')).split('\n').includes(`${user}\t${email}\tAda?[2J?L`))
		await fails(['project', 'create', '--name=A'], /several users/)
		assert.equal(await verb('project', 'create', '--id', id, '--name', 'Demo', '--owner', email), id)
		assert.ok((await verb('project', 'list')).split('\n').some((l) => l.startsWith(`${id}\tDemo\t`)))
		const platform = await verb('platform', 'create', '--project', id, '--type', 'web', '--name', 'Local', '--hostname', ' Example.TEST.:3000 ')
		assert.equal(await verb('platform', 'list', '--project', id), `${platform}\tweb\tLocal\texample.test`)
		const app = await verb('platform', 'create', '--project', id, '--type', 'android', '--name', 'App', '--key', 'org.example.app')
		assert.equal((await verb('platform', 'list', '--project', id)).split('\n')[1], `${app}\tandroid\tApp\torg.example.app`)
		const key = await verb('key', 'create', '--project', id, '--name', 'server', '--scopes', 'databases.read, databases.write')
		assert.equal((await s.call('POST', '/databases', { project: id, key, body: { databaseId: 'app', name: 'App' } })).status, 201)
		assert.equal((await s.call('GET', '/users', { project: id, key })).status, 401)
		const past = await verb('key', 'create', '--project', id, '--name', 'all', '--scopes', 'all', '--expire', '2020-01-01')
		assert.equal((await s.call('GET', '/databases', { project: id, key: past })).status, 401)
		const keys = (await verb('key', 'list', '--project', id)).split('\n').map((l) => l.split('\t'))
		assert.deepEqual(keys.map((k) => k.slice(1, 3)), [['server', 'never ends'], ['all', '2020-01-01T00:00:00.000+00:00']])
		assert.equal(keys[0][3], 'databases.read,databases.write')
		assert.ok(keys.every((k) => !k.join().includes(key)))

		const member = await verb('user', 'create', '--project', id, '--email', email, '--password=correct-horse')
		await fails(['user', 'create', '--project', id, '--email', email, '--password=correct-horse'], /exist/)
		await fails(['project', 'create', '--id', id, '--name', 'Demo', '--owner', email], /exist/)
		for (const args of [['key', 'create', '--project=nowhere', '--name=A', '--scopes=all'], ['platform', 'create', '--project=nowhere', '--type=web', '--name=A', '--hostname=a'], ['key', 'list', '--project=nowhere'], ['user', 'list', '--project=nowhere'],
			['project', 'delete', '--id=nowhere', '--yes'], ['project', 'delete', '--id=console', '--yes'], ['key', 'create', '--project=console', '--name=A', '--scopes=all'], ['platform', 'delete', '--project', id, '--id=none'], ['key', 'delete', '--project', id, '--id=none'],
			['user', 'delete', '--id=nobody', '--yes']])
			await fails(args, /./)
		await fails(['project', 'create', '--name=A', '--owner=stranger@example.org'], /stranger@example\.org/)

		assert.equal(await verb('platform', 'delete', '--project', id, '--id', app), app)
		await verb('key', 'delete', '--project', id, '--id', keys[0][0])
		assert.equal((await s.call('GET', '/databases', { project: id, key })).status, 401)
		const session = await s.call('POST', '/account/sessions/email', { project: id, body: { email, password: 'correct-horse' } })
		assert.equal(await verb('user', 'delete', '--project', id, '--email', email, '--yes'), member)
		assert.equal((await s.call('GET', '/account', { project: id, cookie: cookieOf(session) })).status, 401)
		assert.equal(await verb('user', 'list', '--project', id), '')
		assert.equal(await verb('project', 'delete', '--id', id, '--yes'), id)
		assert.equal((await s.call('GET', '/databases', { project: id, key: past })).status, 404)
		assert.ok(!(await verb('project', 'list')).includes(id))
		/* its team went along, and its data space goes in the background */
		const owner = await s.call('POST', '/account/sessions/email', { project: 'console', body: { email, password: 'correct-horse' } })
		assert.equal((await s.call('GET', '/teams', { project: 'console', cookie: cookieOf(owner) })).body.total, 0)
	})

	test('what was deleted is deleted as the API does it: events, log', async () => {
		const email = `${unique('u')}@example.org`, user = await verb('user', 'create', '--email', email, '--password', 'correct-horse'), id = unique('p')
		await verb('project', 'create', '--id', id, '--name', 'Watched', '--owner', email)
		const cookie = cookieOf(await s.call('POST', '/account/sessions/email', { project: 'console', body: { email, password: 'correct-horse' } }))
		const logs = (await s.ok('GET', '/account/logs', { project: 'console', cookie })).logs
		assert.ok(logs.some((l) => l.event === 'user.create' && l.mode === 'admin' && l.ip === ''), JSON.stringify(logs))
		await verb('user', 'delete', '--id', user, '--yes')
		/* the sessions are known to have ended, in processes that had them at hand: as soon as the event is there */
		await until('the end of the session', async () => (await s.call('GET', '/account', { project: 'console', cookie })).status === 401)
	})

	test('migrate and doctor', async () => {
		assert.equal((await run(['migrate', ...at])).code, 0)
		const doctor = await run(['doctor', ...at])
		assert.equal(doctor.code, 0, doctor.out)
		for (const line of [/wal_level: logical/, /fsync: on/, /Redis appendonly: yes/, /Redis maxmemory-policy: noeviction/, /event slot: a relay reads it/]) assert.match(doctor.out, line)
	})
})
