/* Runtimes that come from an image: its interpreter with our server, and its own server by the contract of public images. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test, { after } from 'node:test'
import { lacking, startRegistry } from '../lib/image.mjs'
import { start, until } from './executor.mjs'

/* This machine's node, and what a shell needs to unpack and pack, with what they are linked with, and nothing else. */
function files() {
	const all = new Map()
	for (const program of [process.execPath, ...['sh', 'cp', 'tar', 'gzip', 'nohup'].map((p) => `/bin/${p}`)]) {
		const real = fs.realpathSync(program)
		for (const file of [real, ...execFileSync('ldd', [real], { encoding: 'utf8' }).split('\n').map((l) => /(\/\S+) \(0x/.exec(l)?.[1]).filter(Boolean)]) all.set(file === real ? path.join('/usr/bin', path.basename(program)) : file, file)
	}
	return [...all].map(([at, from]) => [at.slice(1), { body: fs.readFileSync(from), mode: 0o755 }])
}

const place = fs.mkdtempSync(path.join(os.tmpdir(), 'from-image-'))
fs.chmodSync(place, 0o755)
let registry, address, x
const serves = lacking || (process.getuid() !== 0 && 'networks are made by root here')	/* images of their own are spoken to in their network */
const pack = 'tar -czf /tmp/made.tar.gz . && cp /tmp/made.tar.gz code.tar.gz', script = (text) => ({ body: Buffer.from(`#!/bin/sh\n${text}\n`), mode: 0o755 })
const contract = 'usr/local/server'
after(async () => { await registry?.stop(); fs.rmSync(place, { recursive: true }) })
const version = process.versions.node.split('.').slice(0, 2).join('.'), boxed = `boxed-${version}`, speaks = `speaks-${version}`, older = `older-${version}`
if (!lacking) {
	registry = await startRegistry(place)
	address = registry.image('runtime', [...files(), ['etc/of-image', { body: Buffer.from('from an image') }], ['bin', { type: '2', link: 'usr/bin' }], ['mnt', { type: '2', link: '/etc' }],
		[`${contract}/speaks.mjs`, { body: fs.readFileSync(new URL('speaks.mjs', import.meta.url)) }], [`${contract}/seen`, { body: Buffer.from('of the image') }],
		[`${contract}/helpers/build.sh`, script(`cd /mnt/code && echo building && eval "$1" && ${pack}`)],
		[`${contract}/helpers/start.sh`, script(`tar -xzf /mnt/code/code.tar.gz --one-top-level=/${contract}/function && exec $1`)],
		['usr/local/src/build.sh', script(`echo "built by $INTERNAL_RUNTIME_ENTRYPOINT"; [ -z "$FAIL" ] && ${pack}`)],
	], { Env: ['PATH=/usr/bin', 'OF_IMAGE=yes'], WorkingDir: `/${contract}`, Cmd: ['sh', '-c', `tar -xzf /tmp/code.tar.gz -C /usr/code && exec node /${contract}/speaks.mjs`] }, 0)
	fs.mkdirSync(path.join(place, 'runtimes'))
	const conf = (key, text) => fs.writeFileSync(path.join(place, `runtimes/${key}.conf`), `key = ${key}\nname = Boxed\nbase = oci:${address}\nversion = node --version\nentrypoint = index.js\n${text}`)
	conf('boxed', 'server = node/server.mjs\nstart = node /runtime/server.mjs\n')
	conf('speaks', 'contract = v5\nstart = node speaks.mjs\nbuild = echo "$WORD" >made\n')
	conf('older', 'contract = v2\n')
	conf('wrong', 'contract = v3\nstart = x\n')
	fs.writeFileSync(path.join(place, 'runtimes/none.conf'), `key = none\nname = None\nbase = oci:${registry.host}/test/none:1\nversion = x\nstart = x\n`)
	x = await start({ runtimes_dir: path.join(place, 'runtimes'), executor_registry_plain: registry.host, functions_tmp: '8m', functions_instances_max: 3 })
	const there = await until(() => { const all = `${x.announced()?.filter(([n]) => n === 'runtime').map(([, v]) => v)}`; return (serves ? ['boxed-'] : ['boxed-', 'speaks-', 'older-']).every((r) => all.includes(r)) && all }, 'the runtimes', 300000).catch((e) => { throw new Error(`${e.message}\n${x.log()}`) })
	assert.ok(there.includes(address), there)
	assert.match(there, new RegExp(`boxed-${version}`))
}
const stacked = fs.statfsSync(place).type === 0x794c7630	/* overlayfs, as in containers: it has no mounts with mapped ids */
/* What is said of failures is worth more than that there are some. */
const same = (r, [why, text], more = {}) => assert.deepEqual({ why: r.why, text: r.text, ...Object.fromEntries(Object.keys(more).map((k) => [k, r[k]])) }, { why, text, ...more }, `${r.reason} ${r.errors}\n${x.log()}`)

test('a runtime comes from an image, when that has been fetched, and stays', { skip: lacking }, async () => {
	const f = x.function('const fs = require("fs"); module.exports = async (req, res) => res.send([fs.readFileSync("/etc/of-image", "utf8"), process.env.OF_IMAGE, fs.existsSync("/usr/bin/cat"), req.payload].join())', { runtime: boxed })
	same(await f({ data: 'x' }), ['done', 'from an image,yes,false,x'])
	assert.match(x.log(), /the image of a runtime cannot be had .*runtime=none/)
	assert.match(x.log(), /a contract is v2 or v5, and of an image .*contract="v3"/)
})

test('an image builds and serves by the contract of today', { skip: serves }, async () => {
	const built = await x.build({ 'index.js': 'module.exports = async ({ req, res, log, error }) => { log("heard"); error("seen"); return res.text(JSON.stringify([req, require("fs").readFileSync(__dirname + "/made", "utf8"), process.env.WORD, process.env.OF_IMAGE, process.env.OPEN_RUNTIMES_SECRET.length]), req.url === "/no" ? 500 : 207, { "x-mine": "1" }) }' },
		{ runtime: speaks, variables: { WORD: 'a "b" $HOME\n' } })
	assert.deepEqual([built.ok, built.out, built.err], [true, 'building\n', ''], built.why)
	const f = x.function(built.bytes, { runtime: speaks, variables: { WORD: 'a "b" $HOME\n', OPEN_RUNTIMES_SECRET: 'mine' } })
	const r = await f({ method: 'PATCH', path: '/a?b=c', body: 'some', headers: { 'x-told': 'yes' } }), [req, ...rest] = JSON.parse(r.text)
	same(r, ['done', r.text], { status: 207, logs: 'heard\n', errors: 'seen\n', cold: true })
	assert.deepEqual([req.method, req.url, req.bodyText, req.headers['x-told'], Object.keys(req.headers).filter((h) => /^x-(open|badal)/.test(h))], ['PATCH', '/a?b=c', 'some', 'yes', []])
	assert.deepEqual(rest, ['a "b" $HOME\n\n', 'a "b" $HOME\n', 'yes', 32])
	assert.deepEqual(Object.keys(r.headers).filter((h) => h.startsWith('x-')), ['x-mine'])
	const other = await f({ path: '/no', method: 'GET' })
	assert.deepEqual([other.why, other.status, other.logs, other.cold], ['failed', 500, 'heard\n', false])
	const head = await f({ method: 'HEAD' })
	assert.deepEqual([head.why, head.status, head.text, head.headers['x-mine'], head.logs], ['done', 207, '', '1', 'heard\n'], head.errors)
	/* with other variables it is another process */
	const changed = await f({ variables: { WORD: 'new' }, revision: '2' })
	assert.deepEqual([JSON.parse(changed.text)[2], changed.cold], ['new', true])
})

test('an image builds and serves by the contract of 1.0', { skip: serves }, async () => {
	const built = await x.build({ 'index.js': 'module.exports = async (req, res) => { console.log("heard"); if (req.payload === "no") throw new Error("of mine"); res.json({ ...req, there: process.env.WORD }) }' }, { runtime: older })
	assert.deepEqual([built.ok, built.out], [true, 'built by index.js\n'], built.why)
	const f = x.function(built.bytes, { runtime: older, variables: { WORD: 'w' } }), r = await f({ data: 'hello' }), got = JSON.parse(r.text)
	same(r, ['done', r.text], { status: 200, logs: 'heard', errors: 'noted' })
	assert.deepEqual([got.payload, got.variables.WORD, got.variables.APPWRITE_FUNCTION_TRIGGER, got.there], ['hello', 'w', 'http', 'w'])
	const failed = await f({ data: 'no' })
	assert.deepEqual([failed.why, failed.logs], ['failed', 'heard'])
	assert.match(failed.errors, /of mine\n.*index\.js/)
})

test('what cannot be in the environment of an image\'s server is told, and what can is there', { skip: serves }, async () => {
	const code = { 'index.js': 'module.exports = async ({ res }) => res.text(String(process.env.LARGE.length))' }
	const large = { LARGE: 'x'.repeat(200000) }, fits = { LARGE: 'x'.repeat(131000) }, many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`V${i}`, 'x'.repeat(60000)]))
	const one = /^The variable LARGE has 200005 bytes: in the environment of a process one may have 131070, with its name\.$/, all = /^The variables of the function have \d+ KiB: in the environment of a process they may have 1920\.$/
	for (const [variables, why] of [[large, one], [many, all]]) {
		const b = await x.build(code, { runtime: speaks, variables })
		assert.equal(b.ok, false)
		assert.match(b.why, why)
	}
	const built = await x.build(code, { runtime: speaks, variables: fits })
	assert.equal(built.ok, true, built.why)
	const f = x.function(built.bytes, { runtime: speaks, variables: fits })
	same(await f(), ['done', '131000'])
	for (const [variables, why, revision] of [[large, one, '2'], [many, all, '3']]) {
		const r = await f({ variables, revision })
		assert.equal(r.why, 'failed')
		assert.match(r.reason, why)
	}
	/* our own servers are told over a socket: there it has any size */
	const ours = x.function('module.exports = async (req, res) => res.send(String(process.env.LARGE.length + req.variables.LARGE.length))', { runtime: boxed, variables: large })
	same(await ours({ data: '' }), ['done', '400000'])
})

test('builds of images that fail say why', { skip: serves }, async () => {
	const none = await x.build({ 'main.js': 'x' }, { runtime: speaks })
	assert.deepEqual([none.ok, none.why], [false, 'There is no file index.js. What there is: main.js.'], none.err)
	assert.equal((await x.build({ 'index.js': 'x' }, { runtime: speaks, entrypoint: 'made' })).ok, true)	/* by the build itself */
	const failed = await x.build({ 'index.js': 'x' }, { runtime: older, variables: { FAIL: '1' } })
	assert.deepEqual([failed.ok, failed.why], [false, 'The build ended with exit code 1.'])
	assert.match((await x.build(Buffer.from('PK\x03\x04'), { runtime: older })).why, /zip file/)
})

/* Not built: what the server of the image unpacks is a function. */
const current = (text, more) => x.function(`module.exports = async ({ req, res, log }) => { const fs = require("fs"); ${text} }`, { runtime: speaks, ...more })

test('a run of an image that ends badly says how, with what it wrote until then', { skip: serves }, async () => {
	const f = current('log("before"); if (req.url === "/exit") process.exit(7); if (req.url === "/throw") throw new Error("of mine"); if (req.url !== "/first") await new Promise((ok) => setTimeout(ok, 600000))')
	await f({ path: '/first' })	/* its process is there, so that its time is that of the run */
	const late = await f({ path: '/', limit_ms: 2500 }), [exited, thrown] = await Promise.all([f({ path: '/exit' }), f({ path: '/throw' })])
	assert.deepEqual([exited.why, exited.logs], ['died', 'before\n'], exited.errors)
	assert.match(exited.errors, /ended with exit code 7/)
	assert.deepEqual([thrown.why, thrown.logs], ['failed', 'before\n'], thrown.errors)
	assert.match(thrown.errors, /of mine\n.*index\.js/)
	assert.deepEqual([late.why, late.logs], ['time', 'before\n'], late.errors)
	assert.match(late.errors, /within its time of 2\.5 s/)
	const missing = await x.function({ 'other.js': 'x' }, { runtime: speaks })()
	assert.deepEqual([missing.why, missing.status], ['failed', 503])
	assert.match(missing.errors, /index\.js/)
})

test('runs of an image that overlap have their own output', { skip: serves }, async () => {
	const f = current('log(req.url); await new Promise((ok) => setTimeout(ok, 100)); log(req.url); return res.text(`${req.url} ${process.pid}`)'), all = await Promise.all(Array.from({ length: 9 }, (_, i) => f({ path: `/${i}` })))
	for (const [i, r] of all.entries()) assert.deepEqual([r.why, r.text.split(' ')[0], r.logs, r.errors], ['done', `/${i}`, `/${i}\n/${i}\n`, ''], r.reason)
})

test('the root of an image can be written to, is bounded, and is nobody else\'s', { skip: serves }, async () => {
	const f = current(`
		const at = '/${contract}/'
		if (req.url === '/fill') { try { fs.writeFileSync('/big', Buffer.alloc(20 << 20)) } catch (e) { return res.text(e.code) } }
		const before = [fs.existsSync(at + 'new'), fs.existsSync(at + 'seen'), fs.readFileSync('/etc/of-image', 'utf8')]
		fs.writeFileSync(at + 'new', 'x'); fs.rmSync(at + 'seen', { force: true }); fs.writeFileSync('/etc/of-image', 'changed'); fs.chmodSync(at, 0o700)
		return res.text(JSON.stringify([...before, fs.existsSync(at + 'new'), fs.existsSync(at + 'seen'), fs.readFileSync('/etc/of-image', 'utf8')]))`)
	const fresh = [false, true, 'from an image', true, false, 'changed']
	assert.deepEqual(JSON.parse((await f()).text), fresh)
	assert.deepEqual(JSON.parse((await f()).text), [true, false, 'changed', true, false, 'changed'])
	same(await f({ path: '/fill' }), ['done', 'ENOSPC'])
	assert.deepEqual(JSON.parse((await f({ revision: '2' })).text), fresh)	/* another process of it */
	const [kept] = fs.readdirSync(path.join(x.place, 'images')).filter((d) => d.includes('runtime')).map((d) => path.join(x.place, 'images', d, 'rootfs'))
	assert.deepEqual([fs.readFileSync(path.join(kept, 'etc/of-image'), 'utf8'), fs.existsSync(path.join(kept, contract, 'seen')), fs.existsSync(path.join(kept, contract, 'new'))], ['from an image', true, false])
})

test('what a server of an image could try leads nowhere', { skip: serves }, async () => {
	const secret = path.join(place, 'secret')
	fs.writeFileSync(secret, 'secret')
	const f = current(`
		const tried = (what) => { try { what(); return 'done' } catch (e) { return e.code ?? e.message } }
		fs.symlinkSync('/etc/of-image', '/mnt/logs/' + 'run-2_logs.log'); fs.mkdirSync('/mnt/logs/run-2_errors.log')
		const status = fs.readFileSync('/proc/self/status', 'utf8'), mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8')
		return res.text(JSON.stringify({ caps: /CapBnd:\\s0+\\n/.test(status) && /CapEff:\\s0+\\n/.test(status), closed: /NoNewPrivs:\\s1\\n/.test(status) && /Seccomp:\\s2\\n/.test(status),
			secret: tried(() => fs.readFileSync(${JSON.stringify(secret)})), shadow: tried(() => fs.readFileSync('/etc/shadow')), init: tried(() => fs.writeFileSync('/.init', 'x')),
			archive: tried(() => fs.appendFileSync('/tmp/code.tar.gz', 'x')), out: tried(() => fs.readdirSync('/proc/1/root/w')), socket: fs.existsSync('/run/badal/s'),
			own: fs.statSync('/etc/of-image').uid }))`)
	const r = await f(), other = await current('return res.text("there")')(), got = JSON.parse(r.text)
	assert.deepEqual(got, { caps: true, closed: true, secret: 'ENOENT', shadow: 'ENOENT', init: got.init, archive: got.archive, out: 'ENOENT', socket: false, own: 1000 })
	for (const word of [got.init, got.archive]) assert.match(word, /^(EROFS|EACCES|EBUSY)$/)
	assert.equal(other.text, 'there')
	/* they are different users outside, although they have one image */
	const users = execFileSync('ps', ['--ppid', String(x.pid()), '-o', 'uid=']).toString().trim().split(/\s+/).map(Number).filter((u) => u > 0)
	const one = x.log().includes('the functions of an image are one user outside')
	assert.ok(users.length >= 2 && (one || new Set(users).size === users.length) && users.every((u) => u >= 700000), `${users}`)
	assert.equal(one, stacked)
	/* the links that it left where its logs belong are not followed */
	const next = await f({ path: '/' })
	assert.ok(!`${next.logs}${next.errors}`.includes('from an image'), next.logs)
})
