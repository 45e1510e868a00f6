/* Images for tests: Debian's registry on the loopback, and images that are made entry by entry, so that they may be such as no tool makes. */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { gzipSync } from 'node:zlib'

import { ownPort } from './server.mjs'

const lacks = ['skopeo', 'umoci', 'docker-registry'].filter((p) => !fs.existsSync(`/usr/bin/${p}`))
export const lacking = lacks.length > 0 && `${lacks} not installed`

/* In the directory `place`: { host, image, stop }. image(name, [[path, { body, type, link, mode, uid }]…], configuration, level of gzip): its address. */
export async function startRegistry(place) {
	const host = await ownPort()
	fs.writeFileSync(path.join(place, 'registry.yml'), `version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: ${place}/registry\nhttp:\n  addr: ${host}\n`)
	const registry = spawn('docker-registry', ['serve', path.join(place, 'registry.yml')], { stdio: 'ignore' })
	const answers = () => new Promise((ok) => http.get(`http://${host}/v2/`, (a) => { a.resume(); ok(true) }).on('error', () => setTimeout(ok, 50, false)))
	const stop = () => new Promise((ok) => { if (registry.exitCode !== null || registry.signalCode !== null) return ok(); registry.on('exit', ok); registry.kill() })
	for (const end = Date.now() + 120000; !(await answers());)
		if (Date.now() > end || registry.exitCode !== null) {
			await stop()	/* whoever is left keeps the file of tests alive */
			throw new Error('the registry does not answer')
		}
	return { host, image: (...what) => image(place, host, ...what), stop }
}

function entry(name, { body = Buffer.alloc(0), type = '0', link = '', mode = 0o644, uid = 0 }) {	/* of a tar archive */
	const h = Buffer.alloc(512), put = (s, at, n) => h.write(s, at, n, 'latin1')
	put(name, 0, 100); put(mode.toString(8).padStart(7, '0'), 100, 8); put(uid.toString(8).padStart(7, '0'), 108, 8); put(uid.toString(8).padStart(7, '0'), 116, 8)
	put(body.length.toString(8).padStart(11, '0'), 124, 12); put('00000000000', 136, 12); put('        ', 148, 8); put(type, 156, 1); put(link, 157, 100); put('ustar\0' + '00', 257, 8)
	put(h.reduce((a, b) => a + b, 0).toString(8).padStart(6, '0') + '\0 ', 148, 8)
	return Buffer.concat([h, body, Buffer.alloc((512 - body.length % 512) % 512)])
}

function image(place, host, name, entries, config = {}, level = 1) {
	const dir = path.join(place, `oci-${name}`), blobs = path.join(dir, 'blobs/sha256'), tar = Buffer.concat([...entries.map(([n, e]) => entry(n, e)), Buffer.alloc(1024)])
	fs.mkdirSync(blobs, { recursive: true })
	const sum = (b) => createHash('sha256').update(b).digest('hex'), blob = (b) => { fs.writeFileSync(path.join(blobs, sum(b)), b); return { digest: `sha256:${sum(b)}`, size: b.length } }
	const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...blob(gzipSync(tar, { level })) }
	const made = { mediaType: 'application/vnd.oci.image.config.v1+json', ...blob(Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config, rootfs: { type: 'layers', diff_ids: [`sha256:${sum(tar)}`] } }))) }
	const manifest = { mediaType: 'application/vnd.oci.image.manifest.v1+json', ...blob(Buffer.from(JSON.stringify({ schemaVersion: 2, config: made, layers: [layer] }))) }
	fs.writeFileSync(path.join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
	fs.writeFileSync(path.join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations: { 'org.opencontainers.image.ref.name': '1' } }] }))
	const address = `${host}/test/${name}:1`
	execFileSync('skopeo', ['--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false', `oci:${dir}:1`, `docker://${address}`], { stdio: 'pipe' })
	return address
}
