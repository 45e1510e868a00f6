/* A runtime whose interpreter comes from an image. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test, { after } from 'node:test'
import { lacking, startRegistry } from '../lib/image.mjs'
import { start, until } from './executor.mjs'

/* This machine's node and sh with what they are linked with, and nothing else. */
function files() {
	const all = new Map()
	for (const program of [process.execPath, '/bin/sh']) {
		const real = fs.realpathSync(program)
		for (const file of [real, ...execFileSync('ldd', [real], { encoding: 'utf8' }).split('\n').map((l) => /(\/\S+) \(0x/.exec(l)?.[1]).filter(Boolean)]) all.set(file === real ? path.join('/usr/bin', path.basename(program)) : file, file)
	}
	return [...all].map(([at, from]) => [at.slice(1), { body: fs.readFileSync(from), mode: 0o755 }])
}

test('a runtime comes from an image, when that has been fetched, and stays', { skip: lacking }, async () => {
	const place = fs.mkdtempSync(path.join(os.tmpdir(), 'from-image-'))
	fs.chmodSync(place, 0o755)
	const registry = await startRegistry(place)
	after(async () => { await registry.stop(); fs.rmSync(place, { recursive: true }) })
	const address = registry.image('interpreter', [...files(), ['etc/of-image', { body: Buffer.from('from an image') }]], { Env: ['PATH=/usr/bin', 'OF_IMAGE=yes'] })
	fs.mkdirSync(path.join(place, 'runtimes'))
	fs.writeFileSync(path.join(place, 'runtimes/boxed.conf'), `key = boxed\nname = Boxed\nbase = oci:${address}\nversion = node --version\nentrypoint = index.js\nserver = node/server.mjs\nstart = node /runtime/server.mjs\n`)
	fs.writeFileSync(path.join(place, 'runtimes/none.conf'), `key = none\nname = None\nbase = oci:${registry.host}/test/none:1\nversion = x\nstart = x\n`)
	const x = await start({ runtimes_dir: path.join(place, 'runtimes'), executor_registry_plain: registry.host })
	const there = await until(() => x.announced()?.filter(([n]) => n === 'runtime').map(([, v]) => `${v}`).find((v) => v.includes('boxed-')), 'the runtime', 90000)
	const runtime = /boxed-[\d.]+/.exec(there)[0]
	assert.ok(there.includes(address), there)
	assert.equal(runtime, `boxed-${process.versions.node.split('.').slice(0, 2).join('.')}`)
	const f = x.function('const fs = require("fs"); module.exports = async (req, res) => res.send([fs.readFileSync("/etc/of-image", "utf8"), process.env.OF_IMAGE, fs.existsSync("/usr/bin/cat"), req.payload].join())', { runtime })
	const r = await f({ data: 'x' })
	assert.deepEqual([r.why, r.text], ['done', 'from an image,yes,false,x'], `${r.reason} ${r.errors} ${x.log()}`)
	assert.match(x.log(), /the image of a runtime cannot be had .*runtime=none/)
})
