/* The verbs of the shell. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { describe, test } from 'node:test'

import { dataDir, run, server, settings, unique } from '../lib/server.mjs'

const words = (r) => r.out.trim()

describe('without a server', () => {
	test('help, version, manual, config', async () => {
		for (const args of [['help'], ['--help'], ['-h'], []]) {
			const r = await run(args)
			assert.equal(r.code, 0)
			for (const verb of ['serve', 'migrate', 'doctor', 'config', 'user create', 'project create', 'platform create', 'key create', 'version'])
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
			[['user'], /user what\? There is: user create/], [['frobnicate'], /no such verb: frobnicate; there are: serve, migrate/], [['help', 'frobnicate'], /no such verb/],
			[['platform', 'create', '--project=p', '--type=toaster', '--name=A'], /no such type of platform: toaster; there are: web /],
			[['key', 'create', '--project=p', '--name=A', '--scopes=everything.read'], /no such scope: everything\.read; there are: users\.read /],
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
			['user'], ['user', 'destroy'], ['user', 'create'], ['user', 'create', '--email=a@example.org'], ['user', 'create', '--email=nobody', '--password=correct-horse'],
			['user', 'create', '--email=a@example.org', '--password=short'], ['user', 'create', '--email=a@example.org', '--password=correct-horse', '--id=not an id'],
			['project', 'create'], ['project', 'create', '--name='], ['project', 'create', '--name=A', '--id=-bad'], ['project', 'create', `--name=${'x'.repeat(129)}`],
			['platform', 'create', '--project=p', '--type=toaster', '--name=A'], ['key', 'create', '--project=p', '--name=A', '--scopes=everything.read'],
			['key', 'create', '--project=p', '--name=A'],
		]) {
			const r = await run(args)
			assert.equal(r.code, 2, args.join(' '))
			assert.match(r.err, /^badal: /, args.join(' '))
		}
	})
})

describe('beside a running server', () => {
	test('a user, a project, a platform and a key, as the README says; then the key works', async () => {
		const s = await server({ own: true }), at = settings({ data_dir: s.dataDir }), email = `${unique('u')}@example.org`, id = unique('p')
		const verb = async (...args) => {
			const r = await run([...args, ...at])
			assert.equal(r.code, 0, r.err)
			return words(r)
		}
		const none = await run(['project', 'create', '--name=A', ...at])
		assert.equal(none.code, 1)
		assert.match(none.err, /no users yet/)
		const user = await verb('user', 'create', '--email', email, '--password', 'correct-horse')
		const session = await s.call('POST', '/account/sessions/email', { project: 'console', body: { email, password: 'correct-horse' } })
		assert.equal(session.status, 201)
		assert.equal(session.body.userId, user)
		assert.equal(await verb('project', 'create', '--id', id, '--name', 'Demo', '--owner', email), id)
		assert.match(await verb('platform', 'create', '--project', id, '--type', 'web', '--name', 'Local', '--hostname', 'example.test'), /^[0-9a-f]{20}$/)
		const key = await verb('key', 'create', '--project', id, '--name', 'server', '--scopes', 'databases.read,databases.write')
		assert.equal((await s.call('POST', '/databases', { project: id, key, body: { databaseId: 'app', name: 'App' } })).status, 201)
		assert.equal((await s.call('GET', '/users', { project: id, key })).status, 401)
		const all = await verb('key', 'create', '--project', id, '--name', 'all', '--scopes', 'all', '--expire', '2020-01-01')
		assert.equal((await s.call('GET', '/databases', { project: id, key: all })).status, 401)

		const taken = await run(['project', 'create', '--id', id, '--name', 'Demo', ...at])
		assert.equal(taken.code, 1)
		const again = await run(['user', 'create', '--email', email, '--password', 'correct-horse', ...at])
		assert.equal(again.code, 1)
		for (const args of [['key', 'create', '--project=nowhere', '--name=A', '--scopes=all'], ['platform', 'create', '--project=nowhere', '--type=web', '--name=A']])
			assert.equal((await run([...args, ...at])).code, 1)
		const stranger = await run(['project', 'create', '--name=A', '--owner=stranger@example.org', ...at])
		assert.match(stranger.err, /stranger@example\.org/)
		const piped = await run(['user', 'create', '--email', `x${email}`, '--password', '-', ...at], { input: 'correct-horse\n' })
		assert.equal(piped.code, 0)
		const dated = await run(['key', 'create', '--project', id, '--name=A', '--scopes=all', '--expire=someday', ...at])
		assert.equal(dated.code, 1)

		assert.equal((await run(['migrate', ...at])).code, 0)
		const doctor = await run(['doctor', ...at])
		assert.equal(doctor.code, 0, doctor.out)
		for (const line of [/wal_level: logical/, /fsync: on/, /Redis appendonly: yes/, /Redis maxmemory-policy: noeviction/, /event slot: a relay reads it/]) assert.match(doctor.out, line)
		await s.stop()
	})
})
