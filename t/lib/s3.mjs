/* A real S3 server on loopback (s3rver, from 90-compat's packages) behind a proxy that spoils what it is told to.
 *
 *   const p = await provider()               p.conf: settings that name it; p.seen: the requests that came; p.objects(): keys that are there
 *   p.spoil('503', { method: 'PUT', times: 2 })
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const load = createRequire(fileURLToPath(new URL('../90-compat/', import.meta.url)))

const error = (code) => `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>Words of the provider</Message><Resource>/secret/path</Resource></Error>`
const answer = (status, code) => (req, res) => {
	req.resume()
	req.on('end', () => res.writeHead(status, { 'content-type': 'application/xml' }).end(error(code)))
}

/* What can go wrong: (request, response, forward). */
const faults = {
	400: answer(400, 'InvalidRequest'),
	403: answer(403, 'AccessDenied'),
	429: answer(429, 'TooManyRequests'),
	500: answer(500, 'InternalError'),
	503: answer(503, 'SlowDown'),
	skew: answer(403, 'RequestTimeTooSkewed'),
	lost: answer(404, 'NoSuchUpload'),
	bucket: answer(404, 'NoSuchBucket'),
	full: answer(507, 'XMinioStorageFull'),
	cut: (req) => req.socket.destroy(),
	hang: (req) => req.resume(),
	/* the answer is lost after the work was done */
	unanswered: (req, res, forward) => forward((from) => { from.resume(); from.on('end', () => req.socket.destroy()) }),
	/* half of the body, and the connection breaks */
	half: (req, res, forward) => forward((from) => {
		const all = []
		from.on('data', (d) => all.push(d))
		from.on('end', () => {
			const body = Buffer.concat(all)
			res.writeHead(from.statusCode, from.headers)
			res.write(body.subarray(0, body.length >> 1), () => setTimeout(() => req.socket.destroy(), 20))
		})
	}),
	slow: (req, res, forward) => setTimeout(() => forward((from) => { res.writeHead(from.statusCode, from.headers); from.pipe(res) }), 300),
	/* a whole answer although a part was asked for */
	whole: (req, res, forward) => { delete req.headers.range; forward((from) => { res.writeHead(from.statusCode, from.headers); from.pipe(res) }) },
	/* of a multipart upload that is put together: an error after the head */
	late: (req, res) => { req.resume(); req.on('end', () => res.writeHead(200, { 'content-type': 'application/xml' }).end(error('InternalError'))) },
}

function below(dir) {
	return readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? below(path.join(dir, e.name)) : [path.join(dir, e.name)]))
}

export async function provider({ bucket = 'files', prefix = '' } = {}) {
	const S3rver = load('s3rver'), directory = mkdtempSync(path.join(os.tmpdir(), 'badal-s3-'))
	const inner = new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory, vhostBuckets: false, configureBuckets: [{ name: bucket }] })
	const { port: innerPort } = await inner.run()
	const p = { seen: [], rules: [], directory }

	const outer = http.createServer((req, res) => {
		const one = { method: req.method, url: req.url, headers: { ...req.headers } }
		p.seen.push(one)
		const forward = (take) => {
			const out = http.request({ host: '127.0.0.1', port: innerPort, method: req.method, path: req.url, headers: req.headers }, take)
			out.on('error', () => req.socket.destroy())
			req.pipe(out)
		}
		const rule = p.rules.find((r) => r.times > 0 && (!r.method || r.method === req.method) && (!r.url || r.url.test(req.url)))
		if (rule) {
			rule.times--
			one.fault = rule.kind
			return faults[rule.kind](req, res, forward)
		}
		forward((from) => { one.status = from.statusCode; res.writeHead(from.statusCode, from.headers); from.pipe(res) })
	})
	outer.keepAliveTimeout = 60000
	await new Promise((ok) => outer.listen(0, '127.0.0.1', ok))
	p.port = outer.address().port
	p.conf = { storage_device: 's3', storage_s3_endpoint: `http://127.0.0.1:${p.port}`, storage_s3_bucket: bucket, storage_s3_key: 'S3RVER', storage_s3_secret: 'S3RVER', storage_s3_region: 'us-east-1', storage_s3_prefix: prefix, storage_s3_timeout: '1s' }
	p.spoil = (kind, { method, url, times = 1 } = {}) => { p.rules.push({ kind, method, url, times }) }
	p.heal = () => { p.rules.length = 0 }
	/* keys and sizes of the objects */
	p.objects = () => below(path.join(directory, bucket)).filter((f) => f.endsWith('._S3rver_object')).map((f) => ({ file: f, key: path.relative(path.join(directory, bucket), f).replace(/\._S3rver_object$/, ''), size: statSync(f).size }))
	p.uploads = () => { try { return readdirSync(path.join(directory, bucket, '.uploads')).length } catch { return below(path.join(directory, bucket)).filter((f) => /uploads/.test(f)).length } }
	p.stop = async () => {
		outer.closeAllConnections?.()
		await new Promise((ok) => outer.close(ok))
		await inner.close().catch(() => {})
		rmSync(directory, { recursive: true, force: true })
	}
	return p
}
