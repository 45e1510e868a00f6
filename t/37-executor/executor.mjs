/* An executor alone, with a Redis of its own, spoken to as the other roles do: HTTP/1.1 over its socket, bodies of records (include/model/exec_wire.h). */
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after } from 'node:test'

const binary = path.resolve(process.env.BADAL ?? 'build/check/badal')

/* ---- records ---- */

export const record = (name, value) => {
	const bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value))
	return Buffer.concat([Buffer.from(`${name} ${bytes.length}\n`), bytes])
}
const pair = (name, n, v) => record(name, Buffer.concat([record('n', n), record('v', v)]))
/* [[name, bytes], …] and what is left behind "end". */
export function records(bytes) {
	const all = []
	for (;;) {
		const nl = bytes.indexOf(10)
		if (nl < 0) throw new Error(`an answer without an end: ${bytes.subarray(0, 200)}`)
		const [name, n] = bytes.subarray(0, nl).toString().split(' '), end = nl + 1 + Number(n)
		if (name === 'end') return { all, rest: bytes.subarray(end) }
		all.push([name, bytes.subarray(nl + 1, end)])
		bytes = bytes.subarray(end)
	}
}
const ask = (fields, { variables = {}, headers = {} } = {}) => Buffer.concat([
	...Object.entries(fields).map(([k, v]) => record(k, v)), ...Object.entries(variables).map(([k, v]) => pair('variable', k, v)),
	...Object.entries(headers).map(([k, v]) => pair('header', k, v)), record('end', '')])

/* ---- archives ---- */

/* tar.gz of { name: text | { text, mode, link } }. */
export function archive(files) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'archive-'))
	for (const [name, what] of Object.entries(files)) {
		const file = path.join(dir, name), { text, mode, link } = typeof what === 'object' && !Buffer.isBuffer(what) ? what : { text: what }
		fs.mkdirSync(path.dirname(file), { recursive: true })
		if (link) fs.symlinkSync(link, file)
		else fs.writeFileSync(file, text)
		if (mode) fs.chmodSync(file, mode)
	}
	const bytes = execFileSync('tar', ['-czf', '-', '-C', dir, ...(Object.keys(files).length ? fs.readdirSync(dir) : ['--files-from', '/dev/null'])], { maxBuffer: 1 << 30 })
	fs.rmSync(dir, { recursive: true })
	return bytes
}

/* ---- the executor ---- */

const ended = (child) => new Promise((ok) => (child.exitCode !== null || child.signalCode !== null ? ok() : child.once('exit', ok)))
async function until(test, what, ms = 120000) {
	for (const end = Date.now() + ms; ; await new Promise((ok) => setTimeout(ok, 10))) {
		const got = await test()
		if (got) return got
		if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`)
	}
}

let codes = 0
export async function start(settings = {}, { user } = {}) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'executor-')), bus = path.join(dir, 'redis.sock'), place = path.join(dir, 'executor'), children = []
	fs.chmodSync(dir, 0o755)
	if (user) fs.chownSync(dir, user, user)
	const as = (...command) => (user ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', ...command] : command)
	const run = (...command) => {
		const [program, ...args] = as(...command), log = fs.openSync(path.join(dir, `log-${children.length}`), 'a')
		const child = spawn(program, args, { stdio: ['ignore', log, log], env: { ...Object.fromEntries(Object.entries(process.env).filter(([k]) => !k.startsWith('BADAL_'))) } })
		fs.closeSync(log)
		children.push(child)
		return child
	}
	const end = async () => {	/* whoever is left keeps the file of tests alive */
		for (const c of children) c.kill('SIGKILL')
		await Promise.all(children.map(ended))
		fs.rmSync(dir, { recursive: true, force: true })
	}
	const log = () => fs.readdirSync(dir).filter((f) => f.startsWith('log-')).map((f) => fs.readFileSync(path.join(dir, f), 'utf8')).join('')
	run('redis-server', '--port', '0', '--unixsocket', bus, '--save', '', '--dir', dir)
	const redis = (...args) => execFileSync('redis-cli', ['-s', bus, '--raw', ...args])
	const settingsOf = Object.entries({ roles: 'executor', data_dir: path.join(dir, 'data'), executor_dir: place, redis_url: `unix://${bus}`,
		master_key: 'k'.repeat(64), ...(process.getuid() === 0 && !user ? { run_user: 'nobody' } : {}), ...settings }).map(([k, v]) => `--${k.replaceAll('_', '-')}=${v}`)
	let badal
	const announced = () => {
		for (const name of redis('SMEMBERS', '{executors}').toString().split('\n').filter(Boolean)) {
			const text = redis('GET', `{executors}:${name}`)
			if (text.length > 1) return records(text).all
		}
		return null
	}
	let here
	try {
		await until(() => fs.existsSync(bus), 'Redis')
		badal = run(binary, 'serve', ...settingsOf)
		here = await until(() => { if (badal.exitCode !== null) throw new Error('it ended'); return announced() }, 'the announcement')
	} catch (e) {
		const said = log()
		await end()
		throw new Error(`${e.message}\n${said}`)
	}
	const socketPath = path.join(place, 'executor.sock')
	const request = (method, url, body, onData, signal) => new Promise((ok, no) => {
		const rq = http.request({ socketPath, method, path: url, signal, headers: { 'content-length': body.length } }, (rs) => {
			const parts = []
			rs.on('data', (d) => { parts.push(d); onData?.(d) })
			rs.on('end', () => ok({ status: rs.statusCode, body: Buffer.concat(parts) }))
			rs.on('error', no)
		})
		rq.on('error', no)
		rq.end(body)
	})
	const text = (all, name) => Buffer.concat(all.filter(([n]) => n === name).map(([, v]) => v)).toString()
	const x = {
		dir, place, log, badal, redis, request, announced,
		/* What it says that it keeps warm: "project/code/revision", … */
		kept: () => recordsLoose(announced()?.find(([n]) => n === 'kept')?.[1] ?? Buffer.alloc(0)).map(([, v]) => v).sort(),
		processes: () => fs.readdirSync(place).filter((d) => /^fn-\d+$/.test(d)).length,
		runtimes: here.filter(([n]) => n === 'runtime').map(([, v]) => Object.fromEntries(recordsLoose(v))), why: text(here, 'why'),
		pid: () => Number(execFileSync('pgrep', ['-P', String(badal.pid)]).toString().trim().split('\n')[0]),
		/* { ok, out, err, why, bytes } */
		async build(files, { runtime = 'node-18.0', entrypoint = 'index.js', ...more } = {}) {
			const rs = await request('POST', '/build', Buffer.concat([ask({ project: 'p', code: `d${codes++}`, function: 'f', deployment: 'd', runtime, entrypoint, ...more.fields }, more),
				Buffer.isBuffer(files) ? files : archive(files)]))
			if (rs.status !== 200) throw new Error(`build: ${rs.status} ${rs.body}`)
			const { all, rest } = records(rs.body)
			return { ok: text(all, 'ok') === '1', out: text(all, 'out'), err: text(all, 'err'), why: text(all, 'why'), bytes: rest }
		},
		/* A function of these files, not built but as they are: call it for runs. */
		function(files, { runtime = 'node-18.0', entrypoint = 'index.js', generation = 0, variables = {}, limit_ms = 15000, name = 'f', revision = '1' } = {}) {
			const code = `c${codes++}`, bytes = Buffer.isBuffer(files) ? files : archive(typeof files === 'string' ? { [entrypoint]: files } : files)
			const call = async (how = {}) => {
				const { headers = {}, variables: v = variables, signal, ...fields } = how
				const body = ask({ project: 'p', code, function: name, deployment: code, runtime, entrypoint, generation, revision, execution: 'e', method: 'POST', path: '/', limit_ms, trigger: 'http',
					...fields }, { variables: v, headers })
				for (let i = 0; i < 2; i++) {
					const rs = await request('POST', '/run', body, undefined, signal)
					if (rs.status === 200) {
						const { all } = records(rs.body), whys = ['done', 'failed', 'time', 'memory', 'died', 'entrypoint', 'lost']
						return { why: whys[Number(text(all, 'why'))], reason: text(all, 'reason'), status: Number(text(all, 'status')), text: text(all, 'body'),
							body: Buffer.concat(all.filter(([n]) => n === 'body').map(([, b]) => b)), logs: text(all, 'logs'), errors: text(all, 'errors'), seconds: Number(text(all, 'seconds')),
							cold: text(all, 'cold') === '1', headers: Object.fromEntries(all.filter(([n]) => n === 'header').map(([, b]) => recordsLoose(b).map(([, t]) => t))) }
					}
					if (rs.status !== 404) throw new Error(`run: ${rs.status} ${rs.body}`)
					const put = await request('PUT', `/code/p/${code}`, bytes)
					if (put.status !== 204) throw new Error(`code: ${put.status} ${put.body}`)
				}
				throw new Error('the code does not stay')
			}
			/* Whether a process of it is to be kept ready: the status. */
			const warm = async (on, how = {}) => {
				const body = ask({ project: 'p', code, function: name, deployment: code, runtime, entrypoint, generation, revision, keep_warm: Number(on), ...how }, { variables: how.variables ?? variables })
				for (let i = 0; ; i++) {
					const rs = await request('POST', '/warm', body)
					if (rs.status !== 404 || i > 0) return rs.status
					const put = await request('PUT', `/code/p/${code}`, bytes)
					if (put.status !== 204) throw new Error(`code: ${put.status} ${put.body}`)
				}
			}
			return Object.assign(call, { code, deployment: code, warm })
		},
		retire: (fields) => request('POST', '/retire', ask({ project: 'p', function: 'f', ...fields })),
		async stop() {
			badal.kill('SIGTERM')
			await ended(badal)
			const said = log()
			await end()
			if (/Sanitizer|Assertion|a role ended/.test(said) && !x.killed) throw new Error(said.slice(-8000))
		},
	}
	after(() => x.stop())
	return x
}
function recordsLoose(bytes) {
	const all = []
	while (bytes.length) {
		const nl = bytes.indexOf(10), [name, n] = bytes.subarray(0, nl).toString().split(' '), end = nl + 1 + Number(n)
		all.push([name, bytes.subarray(nl + 1, end).toString()])
		bytes = bytes.subarray(end)
	}
	return all
}
export { net, until }
