/* A build that installs packages: from a registry on this machine, which sandboxes reach because the settings say so. All of it in a network of its own, that goes with it. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import http from 'node:http'
import test, { after } from 'node:test'
import { fileURLToPath } from 'node:url'

const lacking = process.getuid() !== 0 ? 'networks are made by root here' : ['ip', 'npm', 'unshare'].map((p) => spawnSync(p, ['--version']).error && spawnSync(p, ['-V']).error && `${p} is not there`).find(Boolean) ?? false

if (!process.env.ALONE) {
	test('packages of a registry that is allowed, and of folders, are installed, and there in the run', { skip: lacking }, () => {
		const { NODE_TEST_CONTEXT, ...env } = process.env
		const child = spawnSync('unshare', ['--net', process.execPath, fileURLToPath(import.meta.url)], { env: { ...env, ALONE: '1' }, encoding: 'utf8', timeout: 300000 })
		assert.equal(child.status, 0, child.stdout + child.stderr)
	})
} else await inside()

async function inside() {
	const { archive, start } = await import('./executor.mjs'), ip = (...args) => execFileSync('ip', args)
	ip('link', 'set', 'lo', 'up')
	ip('addr', 'add', '10.7.0.1/24', 'dev', 'lo')

	/* What npm asks of a registry: a document about a package, and its archive, in which all is below package/. */
	const packages = {
		left: { version: '1.2.3', bin: { left: 'bin/left.js' }, dependencies: { '@badal/right': '^2.0.0' },
			files: { 'index.js': 'module.exports = ["left", ...require("@badal/right")]', 'bin/left.js': { text: '#!/usr/bin/env node\nconsole.log("left", process.argv[2])', mode: 0o755 } } },
		'@badal/right': { version: '2.4.0', scripts: { postinstall: 'node make.js' }, files: { 'index.js': 'module.exports = ["right", require("./.made/x.json")]',
			'make.js': 'const fs = require("fs"); fs.mkdirSync(".made"); fs.writeFileSync(".made/x.json", JSON.stringify(process.env.TOKEN))' } },
	}
	for (const [name, p] of Object.entries(packages)) {
		const { files, ...about } = p
		p.about = { name, ...about }
		p.bytes = archive(Object.fromEntries(Object.entries({ 'package.json': JSON.stringify(p.about), ...files }).map(([n, t]) => [`package/${n}`, t])))
	}
	const asked = [], registry = http.createServer((q, a) => {
		const [, name, tarball] = /^\/(.*?)(\/-\/x\.tgz)?$/.exec(decodeURIComponent(q.url)), p = packages[name]
		asked.push(decodeURIComponent(q.url))
		if (!p) return a.writeHead(404).end('{}')
		if (tarball) return a.end(p.bytes)
		const dist = { tarball: `http://${q.headers.host}/${name}/-/x.tgz`, integrity: `sha512-${createHash('sha512').update(p.bytes).digest('base64')}` }
		a.setHeader('content-type', 'application/json')
		a.end(JSON.stringify({ name, 'dist-tags': { latest: p.about.version }, versions: { [p.about.version]: { ...p.about, dist } } }))
	})
	await new Promise((ok) => registry.listen(0, '10.7.0.1', ok))
	const { port } = registry.address()
	after(() => { registry.close(); registry.closeAllConnections() })

	const files = {
		'.npmrc': `registry=http://10.7.0.1:${port}/\nfetch-timeout=60000\nfetch-retry-mintimeout=100\n`,
		'package.json': JSON.stringify({ name: 'f', version: '1.0.0', dependencies: { left: '^1.0.0', dep: 'file:./packages/dep' } }),
		'packages/dep/package.json': JSON.stringify({ name: 'dep', version: '1.0.0', bin: 'run.sh' }), 'packages/dep/index.js': 'module.exports = "dep"',
		'packages/dep/run.sh': { text: '#!/bin/sh\necho dep ran "$1"\n', mode: 0o755 }, 'tool': { text: '#!/bin/sh\necho tool\n', mode: 0o755 },
		'index.js': `const run = (...c) => require('child_process').execFileSync(...c).toString()
module.exports = (req, res) => res.json({ left: require('left'), dep: require('dep'), bin: [run('node_modules/.bin/left', ['hi']), run('node_modules/.bin/dep', ['ho']), run('./tool')] })`,
	}
	test('allowed', async () => {
		const x = await start({ executor_allow: `10.7.0.1:${port}`, executor_network_way: 'veth', functions_build_timeout: '120s' })
		const b = await x.build(files, { variables: { TOKEN: 'it\'s "$HOME"' } })
		assert.deepEqual([b.ok, b.why], [true, ''], b.out + b.err + x.log())
		const r = await x.function(b.bytes, { limit_ms: 60000 })()
		assert.deepEqual(JSON.parse(r.text || r.errors), { left: ['left', 'right', 'it\'s "$HOME"'], dep: 'dep', bin: ['left hi\n', 'dep ran ho\n', 'tool\n'] })
		assert.deepEqual([...new Set(asked)].sort(), ['/@badal/right', '/@badal/right/-/x.tgz', '/left', '/left/-/x.tgz'])
	})
	test('not allowed: the build fails, and says what npm says', async () => {
		const x = await start({ executor_network_way: 'veth', functions_build_timeout: '120s' }), before = asked.length
		const b = await x.build({ ...files, '.npmrc': `${files['.npmrc']}fetch-retries=0\n` })
		assert.equal(b.ok, false)
		assert.match(b.err, /ECONNREFUSED/)
		assert.equal(asked.length, before)
	})
}
