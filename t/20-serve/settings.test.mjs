/* Settings are looked at before anything starts: each kind of mistake ends the start with its place and what there is instead, and makes nothing. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'

import { run, start, until } from '../lib/server.mjs'

const dir = mkdtempSync(path.join(os.tmpdir(), 'badal-t-settings-')), data = path.join(dir, 'data'), file = path.join(dir, 'badal.conf')
chmodSync(dir, 0o755)	/* as root, the servers run as somebody else */
after(() => rmSync(dir, { recursive: true, force: true }))

/* name, value, what is said of it */
const mistakes = [
	['console_signup', 'frist', /must be first or open; did you mean first\?/], ['smtp_secure', 'foo', /must be empty, tls or ssl/], ['env', 'Production', /must be production or development; did you mean production\?/],
	['rt_compat', '2.0', /must be auto or 1\.0/], ['log_level', 'warning', /must be error, warn, info or debug; did you mean warn/], ['log_level', '', /must be error/],
	['port', '70000', /must be 0 to 65535/], ['port', 'many', /must be a number/], ['port', '-1', /must be a number/], ['port', '80 80', /must be a number/], ['port', '', /must be a number/], ['web_processes', '1000', /must be 0 to 256/],
	['db_client_part', '101', /must be 1 to 100/], ['db_pool_size', '0', /must be 1 to/], ['event_shards', '65', /must be 1 to 64/], ['offload_password_threads', '0', /must be 1 to/], ['connections_max', '1', /out of bounds/],
	['request_timeout', '5', /ms, s, m, h or d/], ['request_timeout', '1ms', /must be 1s to 24h/], ['request_timeout', '99999999999999999999s', /must be a number/], ['body_max', '1q', /k, m or g/], ['body_max', '10', /must be 1k to/], ['argon2_memory', '5000g', /must be 8k to 4g/],
	['rate_limits', 'perhaps', /must be on or off/], ['listen', 'not an address', /address of this machine/], ['listen', 'localhost', /address of this machine/],
	['roles', 'web,cook', /list of: web relay jobs/], ['roles', '', /list of: web relay jobs/], ['run_user', 'no-such-user', /no such user/], ['run_user', 'root', /without privileges/],
	['db_url', 'mysql://x', /postgresql:/], ['db_url', 'host=x nonsense=1', /postgresql:/], ['redis_url', 'http://x', /redis:/], ['redis_url', 'redis://x:99999', /redis:/], ['redis_url', 'unix://relative', /absolute path/],
	['tls_cert', '/nonexistent', /No such file/], ['tls_key', dir, /is no file/], ['smtp_ca', '/nonexistent', /No such file/], ['country_db', '/nonexistent', /No such file/], ['sql_dir', '/nonexistent', /No such file/], ['mail_dir', '/etc/passwd', /is no directory/],
	['agent_rules', '/nonexistent', /a directory that is there/], ['console_emails', 'a@example.org,nobody', /list of e-mail addresses/], ['console_ips', '10.0.0.1, ten', /list of addresses/],
	['smtp_host', 'smtp://mail.example.org', /host name, without scheme/], ['domain', 'https://example.org/', /host name, without scheme/], ['domain', 'example.org:8080', /host name, without scheme/], ['domain_target', 'a b', /host name/],
	['smtp_port', '0', /must be 1 to 65535/], ['mail_from', 'nobody', /an e-mail address/], ['mail_from', '', /an e-mail address/], ['sms_provider', 'sms://u:s@nobody', /one of the providers/], ['sms_provider', 'twilio', /sms:/], ['sms_url', 'example.org', /http:/],
	['trust_proxy', 'perhaps', /perhaps is not an address/], ['trust_proxy', '10.0.0.0/33', /10\.0\.0\.0\/33 is not/], ['proxy_headers', 'x-forwarded-for via', /via is no header in which/], ['locale', 'english', /a language/], ['locale', '', /a language/], ['response_format', 'new', /a version/],
	['executor_network', '10.0.0.0', /network of \/16 to \/28/], ['executor_network', '198.19.1.0/16', /network of/], ['executor_network', '198.19.0.0/8', /network of/], ['executor_network_way', 'bridge', /auto, veth/], ['executor_allow', '10.1.2.3:0', /10\.1\.2\.3:0 is not/], ['executor_allow', '10.1.2.3/8 db', /db is not/], ['executor_allow', '[fd00::1', /is not/],
	['executor_dns', '10.0.0.1 ns.example', /three addresses/], ['executor_dns', '10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4', /three addresses/], ['functions_endpoint', 'localhost:8080', /http:/], ['executor_accept', 'memory,everything', /everything is none of memory/],
	['smtp_username', 'me', /needs smtp_password/], ['smtp_password', 'x', /needs smtp_username/], ['rt_queue_soft', '1g', /not be more than rt_queue_hard/], ['mail_from_name', 'a\tb', /one line/],
]
const secret = ['db_url', 'redis_url', 'sms_provider', 'smtp_password']

describe('a mistake ends the start, and nothing is made', () => {
	for (const [name, value, words] of mistakes)
		test(`${name} = ${value.slice(0, 40)}`, async () => {
			writeFileSync(file, `# settings\n\n${name} = ${name === 'mail_from_name' ? value : `"${value}"`}\n`)
			const upper = `BADAL_${name.toUpperCase()}`
			for (const [args, env, where] of [[['--config', file], {}, `${file}:3: `], [[], { [upper]: value }, `environment ${upper}: `], [[`--${name.replaceAll('_', '-')}=${value}`], {}, 'command line: ']]) {
				const r = await run(['serve', `--data-dir=${data}`, ...args], { env })
				assert.equal(r.code, 2, r.err)
				assert.ok(r.err.startsWith(`badal: ${where}${name}: `) || r.err.startsWith(`badal: ${where}${name} `), r.err)
				assert.match(r.err, words)
				if (secret.includes(name)) assert.ok(!r.err.includes(`'${value}'`), r.err)
				assert.equal(r.out, '')
			}
			assert.ok(!existsSync(data))
		})

	test('names that there are not: each place, a suggestion, and no value, which may be a secret', async () => {
		writeFileSync(file, 'consol_signup = first\nsmtp_pasword = hush\nport 80\nnonsense = 1\n')
		let r = await run(['serve', `--data-dir=${data}`, '--config', file])
		assert.equal(r.code, 2)
		assert.deepEqual(r.err.trim().split('\n'), [`badal: ${file}:1: 'consol_signup' is not a setting; did you mean console_signup? (see badal config)`,
			`badal: ${file}:2: 'smtp_pasword' is not a setting; did you mean smtp_password? (see badal config)`, `badal: ${file}:3: 'port 80' is not a setting; did you mean port? (see badal config)`,
			`badal: ${file}:4: 'nonsense' is not a setting (see badal config)`])
		for (const [args, words] of [[['--prot=1'], /'prot' is not a setting; did you mean port\?/], [['--smtp-pasword', 'hush'], /'smtp-pasword' is not a setting; did you mean smtp_password/], [['--config', '/nonexistent'], /\/nonexistent: No such file/],
			[['--config', dir], /is a directory/], [['extra'], /cannot make sense of extra/], [['--port'], /value is missing after --port/], [['--port', '--dev'], /value is missing after --port/]]) {
			r = await run(['serve', `--data-dir=${data}`, ...args])
			assert.equal(r.code, 2, args.join(' '))
			assert.match(r.err, words)
			assert.ok(!r.err.includes('hush'))
		}
		r = await run(['serve', `--data-dir=${data}`], { env: { BADAL_PROT: '1' } })
		assert.equal(r.code, 2)
		assert.match(r.err, /environment: 'BADAL_PROT' is not a setting; did you mean port\?/)
		/* what is nothing of ours is only warned of: who runs containers has such names */
		r = await run(['config', 'check'], { env: { BADAL_TCP_ADDR_8080: '10.0.0.1' } })
		assert.equal(r.code, 0)
		assert.match(r.err, /warning: environment BADAL_TCP_ADDR_8080 is not a setting/)
		writeFileSync(file, `locale = ${'x'.repeat(5000)}\n`)
		assert.match((await run(['serve', '--config', file])).err, /:1: the line is too long/)
		/* what ends a text in C must not end a file: the rest would not count */
		writeFileSync(file, 'port = 0\0\nrate_limits = off\n')
		assert.match((await run(['serve', '--config', file])).err, /:1: it holds a NUL/)
		writeFileSync(file, Buffer.from('\ufeffport = 0\nlocale = nowhere\n', 'utf16le'))
		assert.match((await run(['serve', '--config', file])).err, /:1: it holds a NUL/)
		/* editors put a mark of the order of bytes in front */
		writeFileSync(file, '\ufeffport = 0\nlocale = nowhere\n')
		assert.match((await run(['serve', '--config', file])).err, /^badal: \S+:2: locale: [^\n]*\n$/)
		assert.ok(!existsSync(data))
	})
})

test('config check: the same without a start', async () => {
	assert.deepEqual(await run(['config', 'check', '--port=8081']), { code: 0, signal: null, out: 'ok\n', err: '' })
	const r = await run(['config', 'check', '--tls-cert=/nonexistent', '--console-signup=frist'])
	assert.equal(r.code, 2)
	assert.match(r.err, /tls_cert: '\/nonexistent' cannot be used[^]*console_signup: 'frist' is not valid/)
	/* verbs beside a server need not be able to read its files */
	assert.equal((await run(['config', '--tls-cert=/nonexistent', '--tls-key=/nonexistent'])).code, 0)
})

test('config tells which values there are, and what it prints can be read again', async () => {
	const r = await run(['config'])
	for (const words of [/^# values: first or open$/m, /^# values: 0 to 65535$/m, /^# values: empty, tls or ssl$/m, /^# values: on or off$/m]) assert.match(r.out, words)
	writeFileSync(file, r.out)
	assert.equal((await run(['config', 'check', '--config', file])).out, 'ok\n')
	assert.match((await run(['manual'])).out, /Values: first or open\./)
})

test('SIGHUP with a mistake keeps what was, in every process, and says so', async () => {
	writeFileSync(file, 'body_max = 6m\n', { mode: 0o644 })
	const s = await start({ data: dir, args: ['--config', file] })
	for (const [text, words] of [['body_max = 50k\nconsole_signup = frist\n', /badal\.conf:2: console_signup: 'frist'/], ['body_max = 50k\nsmtp_ca = /nonexistent\n', /badal\.conf:2: smtp_ca: .*No such file/], ['body_max = 50k\nsmtp_username = me\n', /badal\.conf:2: smtp_username: it needs smtp_password/]]) {
		writeFileSync(file, text)
		s.kill('SIGHUP')
		await until('the mistake is in the log', () => words.test(s.log()))
	}
	await until('it is said what follows', () => s.log().split('configuration not applied').length === 4)
	const big = await s.call('POST', '/account', { project: 'console', body: { userId: 'x', email: 'no', password: 'x'.repeat(100000) } })
	assert.equal(big.status, 400)
	assert.doesNotMatch(s.log(), /configuration read again/)
	await s.stop()
})
