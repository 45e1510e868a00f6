/* Images: made here, kept by Debian's registry on the loopback, fetched, unpacked and run; and those that must not be let in. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import test, { after, before } from 'node:test'
import { lacking, startRegistry } from '../lib/image.mjs'

const build = path.resolve(path.dirname(process.env.BADAL ?? 'build/check/badal')), built = path.join(build, 't/30-sandbox'), init = path.join(build, 'badal-init')
const skip = lacking, withNet = skip || (process.getuid() !== 0 && 'networks are made by root here')
const place = fs.mkdtempSync(path.join(os.tmpdir(), 'image-'))
fs.chmodSync(place, 0o755)
let registry, host, boxes = 0
before(async () => {
	if (skip) return
	registry = await startRegistry(place)
	host = registry.host
})
after(async () => {
	await registry?.stop()
	fs.rmSync(place, { recursive: true })
})

const image = (...what) => registry.image(...what)
const runtime = () => fs.readFileSync(path.join(built, 'runtime'))
const plainImage = (name, more = [], config = {}) => image(name, [['srv/', { type: '5', mode: 0o700 }], ['srv/runtime', { body: runtime(), mode: 0o700 }], ...more],
	{ Env: ['PATH=/srv', 'FROM_IMAGE=a b'], WorkingDir: '/srv', Entrypoint: ['/srv/runtime'], Cmd: ['--as-asked'], ...config })

function begin(options, ...command) {
	const dir = options.at ?? path.join(place, `${boxes}`)
	boxes++
	fs.mkdirSync(dir, { recursive: true })
	const settings = Object.entries({ name: `image-${process.pid}-${boxes}`, plain: host, ...options }).filter(([k]) => k !== 'at').flatMap(([k, v]) => [v].flat().map((x) => `${k}=${x}`))
	const child = spawn(path.join(built, 'box'), [dir, init, ...settings, '--', ...command], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] }), texts = ['', '', '']
	for (const i of [1, 2, 3]) child.stdio[i].setEncoding('utf8').on('data', (d) => { texts[i - 1] += d })
	const done = new Promise((ok) => child.on('close', () => ok({ dir, out: texts[0], err: texts[1], ends: texts[2].trim().split('\n').filter(Boolean).map((l) => JSON.parse(l)) })))
	return { child, dir, done, said: (word) => new Promise((ok, no) => { const look = () => texts[0].includes(word) && ok(texts[0]); child.stdio[1].on('data', look); done.then((d) => no(new Error(JSON.stringify(d)))); look() }) }
}
const box = (options, ...command) => begin(options, ...command).done
const left = (dir) => fs.readdirSync(path.join(dir, 'images'))

test('an image is fetched once, by the digest that was found, and run as it says', { skip }, async () => {
	const address = plainImage('plain'), one = begin({ image: address }, '-'), out = await one.said('up')
	assert.equal(out, '/srv/runtime --as-asked in /srv with a b\nup\n')
	one.child.kill('SIGKILL')
	const [first] = (await one.done).ends
	assert.match(first.digest, /^sha256:[0-9a-f]{64}$/)
	assert.deepEqual(left(one.dir).filter((f) => f.startsWith('.')), [])
	/* it is there now: no registry is asked, whatever it would say */
	plainImage('plain', [['srv/new', { body: Buffer.from('new') }]])
	const two = begin({ image: address, at: one.dir, plain: '' }, '-')
	await two.said('up')
	two.child.kill('SIGKILL')
	assert.deepEqual((await two.done).ends[0], first)
	/* and an address with a digest is that content, or nothing */
	const pinned = `${host}/test/plain@${first.digest}`, three = begin({ image: pinned }, '-')
	await three.said('up')
	three.child.kill('SIGKILL')
	assert.equal((await three.done).ends[0].digest, first.digest)
	assert.match((await box({ image: `${host}/test/plain@sha256:${'0'.repeat(64)}` }, '-')).ends[0].why, /manifest unknown|not found/)
})

for (const [generation, secret, header] of [['v2', 'INTERNAL_RUNTIME_KEY', 'x-internal-challenge'], ['v5', 'OPEN_RUNTIMES_SECRET', 'x-open-runtimes-secret']])
	test(`the contract of public images is spoken at port 3000 in its network: ${generation}`, { skip: withNet }, async () => {
		const address = plainImage(`speaks-${generation}`), shared = path.join(place, `shared-${generation}`), sock = path.join(shared, 's'), code = path.join(shared, 'code.tar.gz')
		fs.mkdirSync(shared)
		fs.writeFileSync(code, 'the archive')
		const one = begin({ image: address, way: 'veth', pool: '198.18.64.0/24', bridge: sock, ro: `${code}:/tmp/code.tar.gz`, env: `${secret}=hush` }, '-')
		await one.said('up')
		const ask = (key, method, url, body) => new Promise((ok, no) => http.request({ socketPath: sock, method, path: url, headers: { [header]: key, 'content-length': body.length } }, (a) => { let x = ''; a.on('data', (d) => { x += d }).on('end', () => ok([a.statusCode, x])) }).on('error', no).end(body))
		if (generation === 'v2') {
			assert.deepEqual(await ask('hush', 'POST', '/', '{"payload":""}'), [200, '{"response":"POST / the archive","stdout":"","stderr":""}'])
			assert.deepEqual(await ask('wrong', 'POST', '/', '{}'), [500, '{"stderr":"Unauthorized"}'])
		} else {
			assert.deepEqual(await ask('hush', 'PATCH', '/a/b?c=d', 'x'.repeat(5000)), [200, 'PATCH /a/b?c=d 5000 the archive'])
			assert.equal((await ask('wrong', 'GET', '/', ''))[0], 500)
		}
		one.child.kill('SIGKILL')
		await one.done
	})

test('nothing in an image leads out of it, has rights, or can be changed', { skip }, async () => {
	const secret = path.join(place, 'secret')
	fs.writeFileSync(secret, 'secret')
	const address = image('hostile', [['srv/', { type: '5', mode: 0o700 }], ['srv/runtime', { body: runtime(), mode: 0o4755 }], ['srv/out', { type: '2', link: secret }], ['srv/up', { type: '2', link: '../../../../../../../..' + secret }],
		['srv/hard', { type: '1', link: 'srv/runtime' }], ['srv/disk', { type: '4', mode: 0o666 }], ['srv/pipe', { type: '6', mode: 0o666 }], ['etc', { type: '2', link: path.dirname(secret) }], ['dir', { type: '2', link: place }], ['dir/inside', { body: Buffer.from('x') }],
		['../../escaped', { body: Buffer.from('x') }], ['srv/private', { body: Buffer.from('mine'), mode: 0o600, uid: 33 }]], { Entrypoint: ['/srv/runtime'] })
	const one = begin({ image: address }, '-')
	let came
	try { came = await one.said('up') } catch (e) { came = e.message }
	one.child.kill('SIGKILL')
	const { ends } = await one.done
	assert.ok(!fs.existsSync(path.join(place, 'inside')) && !fs.existsSync(path.join(one.dir, 'escaped')) && !fs.existsSync(path.join(one.dir, 'images/escaped')), came)
	assert.equal(fs.readFileSync(secret, 'utf8'), 'secret')
	if (ends[0].root) {
		const root = ends[0].root, st = (f) => fs.lstatSync(path.join(root, f), { throwIfNoEntry: false })
		assert.equal(st('srv/runtime').mode & 0o6000, 0)
		assert.equal(st('srv/private').mode & 0o777, 0o644)
		for (const f of ['srv/disk', 'srv/pipe']) assert.ok(!st(f) || st(f).isFile(), f)
		if (process.getuid() === 0) assert.ok(st('srv/runtime').uid >= 700000)
	}
	assert.deepEqual(left(one.dir).filter((f) => f.startsWith('.')), [])
})

test('an image that is too large is refused: by what it says, by what it unpacks to, by its files', { skip }, async () => {
	const noise = Buffer.alloc(3 << 20)
	for (let i = 0; i < noise.length; i += 4) noise.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i)
	assert.match((await box({ image: plainImage('heavy', [['srv/noise', { body: noise }]]), bytes: 1 << 20 }, '-')).ends[0].why, /^it has more than (1024 KiB \()?executor_image_max/)
	const bomb = plainImage('bomb', Array.from({ length: 40 }, (_, i) => [`srv/${i}`, { body: Buffer.alloc(1 << 20) }])), started = await box({ image: bomb, bytes: 20 << 20 }, '-')
	assert.match(started.ends[0].why, /^it has more than 20480 KiB/)
	assert.deepEqual(left(started.dir), [])
	assert.match((await box({ image: plainImage('many', Array.from({ length: 600 }, (_, i) => [`srv/f${i}`, {}])), count: 500 }, '-')).ends[0].why, /^it has more than 500 files/)
})

test('what cannot be had is said', { skip }, async () => {
	for (const [address, words] of [[`${host}/test/none:1`, /manifest unknown|name unknown|not found/], ['127.0.0.1:1/x:1', /refused/], ['--help', /no address/], [`${host}/../x`, /no address/]]) {
		const { ends } = await box({ image: address, plain: `${host} 127.0.0.1:1` }, '-')
		assert.match(ends[0].why, words, address)
	}
	const { ends } = await box({ image: plainImage('tls'), plain: '' }, '-')
	assert.match(ends[0].why, /HTTP response to HTTPS|tls|EOF/)
})

test('a registry that asks who it is gets the sign-in of the file, and nobody else sees it', { skip }, async (t) => {
	plainImage('behind')
	let seen = 0
	const [name, port] = host.split(':'), gate = http.createServer((q, a) => {
		if (q.headers.authorization !== `Basic ${Buffer.from('me:hush').toString('base64')}`) return a.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
		seen++
		q.pipe(http.request({ host: name, port, method: q.method, path: q.url, headers: { ...q.headers, host } }, (b) => { a.writeHead(b.statusCode, b.headers); b.pipe(a) }))
	})
	await new Promise((ok) => gate.listen(0, '127.0.0.1', ok))
	t.after(() => { gate.close(); gate.closeAllConnections() })
	const address = `127.0.0.1:${gate.address().port}/test/behind:1`, auth = path.join(place, 'auth.json'), plain = address.split('/')[0]
	fs.writeFileSync(auth, JSON.stringify({ auths: { [plain]: { auth: Buffer.from('me:hush').toString('base64') } } }), { mode: 0o600 })
	assert.match((await box({ image: address, plain }, '-')).ends[0].why, /unauthorized|authentication required|401/i)
	const one = begin({ image: address, plain, auth }, '-')
	await one.said('up')
	one.child.kill('SIGKILL')
	await one.done
	assert.ok(seen > 0)
	assert.ok(!fs.readdirSync(one.dir, { recursive: true }).includes('auth.json'))
})
