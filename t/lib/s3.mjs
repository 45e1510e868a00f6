/* A real S3 server on loopback (s3rver, from 90-compat's packages) behind a proxy that spoils what it is told to.
 *
 *   const p = await provider()               p.conf: settings that name it; p.seen: the requests that came; p.objects(): keys that are there
 *   p.spoil('503', { method: 'PUT', times: 2 })
 */
import { createHash, createHmac } from 'node:crypto'
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
	alien: answer(501, 'NotImplemented'),
	/* an upload that somebody began long ago, and one of now */
	stale: (req, res) => res.writeHead(200, { 'content-type': 'application/xml' }).end(`<?xml version="1.0"?><ListMultipartUploadsResult>${[['old', '2020-01-01T00:00:00.000Z'], ['new', new Date().toISOString()]]
		.map(([id, at]) => `<Upload><Key>${/prefix=([^&]*)/.exec(req.url)[1].replaceAll('%2F', '/')}p_1/files/1/aa/aa${id}</Key><UploadId>${id}&amp;id</UploadId><Initiated>${at}</Initiated></Upload>`).join('')}<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>`),
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
	/* the body in twelve pieces, half a second apart */
	drip: (req, res, forward) => forward(async (from) => {
		res.writeHead(from.statusCode, from.headers)
		const all = []
		for await (const d of from) all.push(d)
		const body = Buffer.concat(all), n = Math.ceil(body.length / 12)
		for (let at = 0; at < body.length; at += n) {
			res.write(body.subarray(at, at + n))
			await new Promise((ok) => setTimeout(ok, 500))
		}
		res.end()
	}),
	/* a whole answer although a part was asked for */
	whole: (req, res, forward) => { forward.without = 'range'; forward((from) => { res.writeHead(from.statusCode, from.headers); from.pipe(res) }) },
	/* of a multipart upload that is put together: an error after the head */
	late: (req, res) => { req.resume(); req.on('end', () => res.writeHead(200, { 'content-type': 'application/xml' }).end(error('InternalError'))) },
}

const sha256 = (b) => createHash('sha256').update(b).digest('hex')
const hmac = (key, text) => createHmac('sha256', key).update(text).digest()

/* The signature as AWS describes it (version 4), over the request as it came; null when it is good, else the provider's complaint. s3rver does not look at it. */
function wrongSignature(req, body, secret, skew) {
	const m = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(req.headers.authorization ?? '')
	if (!m) return 'AccessDenied'
	const [, , day, region, signed, signature] = m, h = req.headers, names = signed.split(';'), url = new URL(req.url, 'http://x')
	const at = h['x-amz-date'], when = Date.parse(at?.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
	if (!at?.startsWith(day) || names.some((n) => !(n in h)) || !names.includes('host') || Object.keys(h).some((n) => (n.startsWith('x-amz-') || n === 'content-md5') && !names.includes(n))) return 'AccessDenied'
	if (!(Math.abs(when - Date.now() - skew) < 15 * 60000)) return 'RequestTimeTooSkewed'
	const encode = (s) => encodeURIComponent(s).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
	const query = [...url.searchParams].map(([k, v]) => `${encode(k)}=${encode(v)}`).sort().join('&'), uri = decodeURIComponent(url.pathname).split('/').map(encode).join('/')
	const request = [req.method, uri, query, ...names.map((n) => `${n}:${h[n].trim().replace(/ +/g, ' ')}`), '', signed, h['x-amz-content-sha256']].join('\n')
	const text = ['AWS4-HMAC-SHA256', at, `${day}/${region}/s3/aws4_request`, sha256(request)].join('\n')
	const key = ['aws4_request'].reduce(hmac, hmac(hmac(hmac(`AWS4${secret}`, day), region), 's3'))
	if (hmac(key, text).toString('hex') !== signature) return 'SignatureDoesNotMatch'
	if (h['x-amz-content-sha256'] !== sha256(body)) return 'XAmzContentSHA256Mismatch'
	if (h['content-md5'] !== undefined && h['content-md5'] !== createHash('md5').update(body).digest('base64')) return 'BadDigest'
	return req.method === 'POST' && /\?delete=/.test(req.url) && h['content-md5'] === undefined ? 'MissingContentMD5' : null
}

function below(dir) {
	let all = []
	try { all = readdirSync(dir, { withFileTypes: true }) } catch { /* it went meanwhile */ }
	return all.flatMap((e) => (e.isDirectory() ? below(path.join(dir, e.name)) : [path.join(dir, e.name)]))
}

export async function provider({ bucket = 'files', prefix = '' } = {}) {
	const S3rver = load('s3rver'), directory = mkdtempSync(path.join(os.tmpdir(), 'badal-s3-'))
	const inner = new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory, vhostBuckets: false, configureBuckets: [{ name: bucket }] })
	const { port: innerPort } = await inner.run()
	const p = { seen: [], rules: [], directory, skew: 0 /* ms that this provider's clock is ahead */ }

	const outer = http.createServer(async (req, res) => {
		const one = { method: req.method, url: req.url, headers: { ...req.headers } }
		p.seen.push(one)
		res.setHeader('date', new Date(Date.now() + p.skew).toUTCString())
		const forward = async (take) => {
			const pieces = []
			for await (const piece of req) pieces.push(piece)
			const body = Buffer.concat(pieces), wrong = wrongSignature(req, body, 'S3RVER', p.skew)
			if (wrong) {
				one.wrong = wrong
				return res.writeHead(wrong === 'BadDigest' ? 400 : 403, { 'content-type': 'application/xml' }).end(error(wrong))
			}
			const out = http.request({ host: '127.0.0.1', port: innerPort, method: req.method, path: req.url, headers: { ...req.headers, ...(forward.without && { [forward.without]: '' }) } }, take)
			out.on('error', () => req.socket.destroy())
			out.end(body)
		}
		const rule = p.rules.find((r) => r.times > 0 && (!r.method || r.method === req.method) && (!r.url || r.url.test(req.url)))
		if (rule) {
			rule.times--
			one.fault = rule.kind
			return faults[rule.kind](req, res, forward)
		}
		forward((from) => {
			/* the one thing that we need and s3rver does not know: to abort an upload */
			one.status = from.statusCode === 405 && req.method === 'DELETE' && /\?uploadId=/.test(req.url) ? 204 : from.statusCode
			if (one.status === 204) { from.resume(); return res.writeHead(204).end() }
			res.writeHead(from.statusCode, { ...from.headers, date: res.getHeader('date') })
			from.pipe(res)
		})
	})
	outer.keepAliveTimeout = 60000
	await new Promise((ok) => outer.listen(0, '127.0.0.1', ok))
	p.port = outer.address().port
	p.conf = { storage_device: 's3', storage_s3_endpoint: `http://127.0.0.1:${p.port}`, storage_s3_bucket: bucket, storage_s3_key: 'S3RVER', storage_s3_secret: 'S3RVER', storage_s3_region: 'us-east-1', storage_s3_prefix: prefix, storage_s3_timeout: '4s' }
	p.spoil = (kind, { method, url, times = 1 } = {}) => { p.rules.push({ kind, method, url, times }) }
	p.heal = () => { p.rules.length = 0 }
	/* keys and sizes of the blobs */
	p.objects = () => below(path.join(directory, bucket)).filter((f) => f.endsWith('._S3rver_object') && !f.endsWith('/installation._S3rver_object')).map((f) => ({ file: f, key: path.relative(path.join(directory, bucket), f).replace(/\._S3rver_object$/, ''), size: statSync(f, { throwIfNoEntry: false })?.size })).filter((o) => o.size !== undefined)	/* it may go meanwhile */
	p.uploads = () => { try { return readdirSync(path.join(directory, bucket, '.uploads')).length } catch { return below(path.join(directory, bucket)).filter((f) => /uploads/.test(f)).length } }
	p.stop = async () => {
		outer.closeAllConnections?.()
		await new Promise((ok) => outer.close(ok))
		await inner.close().catch(() => {})
		rmSync(directory, { recursive: true, force: true })
	}
	return p
}
