/* Formats: which one a caller gets, and that a model has the members of its format, in order, and none besides. What each reply of the other tests is held
 * against (lib/shapes.mjs) comes from the server's own tables; the tables here are the contract's. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { before, describe, test } from 'node:test'

import { part, upload } from '../lib/form.mjs'
import { server, unique, until } from '../lib/server.mjs'
import { Misfit, description } from '../lib/shapes.mjs'

let s, p, api
before(async () => {
	s = await server()
	p = await s.project()
	api = await description(s.base)
	await p.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
})
const psql = (of, sql) => execFileSync('psql', ['-h', path.join(of.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
const format = (version) => (version ? { 'x-appwrite-response-format': version } : {})
const sdk = (name, version) => ({ 'x-sdk-name': name, 'x-sdk-version': version })

describe('which format', () => {
	/* what a database says of itself tells */
	const ages = [['status', '1.9.6'], ['type', '1.8'], ['enabled', '1.4']]
	const age = (body) => ages.find(([k]) => k in body)?.[1] ?? '1.0'
	const rows = [
		['who says nothing: that of 1.0', {}, '1.0'],
		['the header', format('1.4.0'), '1.4'], ['the header', format('1.7.9'), '1.4'], ['the header', format('1.8.0'), '1.8'], ['the header', format('1.9.5'), '1.8'],
		['the header', format('2.3.0'), '1.9.6'], ['one that is newer than all', format('9.0'), '1.9.6'],
		['the SDK', sdk('Web', '13.0.2'), '1.4'], ['the SDK', sdk('web', '21.5.0'), '1.8'], ['the SDK', sdk('Web', '28.0.0'), '1.9.6'], ['the SDK', sdk('Web', '10.1.0'), '1.0'],
		['the SDK', sdk('Node.js', '11.1.1'), '1.4'], ['the SDK', sdk('Node.js', '27.1.0'), '1.8'], ['the SDK', sdk('React Native', '0.31.0'), '1.8'],
		['the SDK', sdk('Console', '23.0.0'), '1.8'], ['the SDK', sdk('Command Line', '12.0.1'), '1.8'],
		['an SDK that is newer than all', sdk('Web', '99.0.0'), '1.9.6'],
		['an SDK that is older than those', sdk('Web', '1.0.0'), '1.0'], ['an unknown SDK', sdk('Rust', '5.0.0'), '1.0'], ['no version', sdk('Web', ''), '1.0'],
		['the header before the SDK', { ...format('1.8.0'), ...sdk('Web', '28.0.0') }, '1.8'],
		['the SDK before a header that says nothing', { ...format('0'), ...sdk('Web', '21.0.0') }, '1.8'],
	]
	for (const [what, headers, is] of rows)
		test(`${what}: ${JSON.stringify(headers)}`, async () => {
			const r = await p.call('GET', '/databases/d', { headers })
			assert.equal(age(r.body), is)
			assert.equal(r.headers['x-appwrite-warning'], undefined)
		})
	test('consoles of the 1.3 generation say 1.0.0', async () => {
		const team = (version) => p.console.ok('GET', `/teams/${p.teamId}`, { headers: { ...format('1.0.0'), ...sdk('Console', version) } })
		for (const [version, told] of [['0.1.0', true], ['0.2.0', true], ['0.0.9', false]]) assert.equal('prefs' in await team(version), told, version)
	})
	test('on paths that 1.0 did not have, the newest', async () => {
		assert.equal(age(await p.ok('GET', '/v1/tablesdb/d', { root: true })), '1.9.6')
		assert.equal(age(await p.ok('GET', '/v1/tablesdb/d', { root: true, headers: format('1.8.0') })), '1.8')
		assert.equal(age(await p.ok('GET', '/v1/tablesdb/d', { root: true, headers: sdk('Web', '24.0.0') })), '1.8')
	})
	test('the setting, for who says nothing', async () => {
		const own = await server({ own: true, conf: { response_format: 'newest' } })
		try {
			const q = await own.project()
			await q.ok('POST', '/databases', { body: { databaseId: 'd', name: 'D' } })
			const of = async (headers) => age(await q.ok('GET', '/databases/d', { headers }))
			assert.deepEqual([await of({}), await of(format('1.8.0')), await of(sdk('Web', '13.0.0')), await of(format('1.0.0'))], ['1.9.6', '1.8', '1.4', '1.0'])
			/* the last use of an account is kept, by the day */
			const ada = await q.user({ name: 'Ada' }), schema = psql(own, `SELECT 'p_' || internal FROM badal.projects WHERE id = '${q.id}'`)
			const accessed = async () => (await q.ok('GET', `/users/${ada.id}`)).accessedAt
			const set = async (when) => {
				psql(own, `UPDATE ${schema}.users SET accessed = ${when} WHERE id = '${ada.id}'`)
				await q.ok('PATCH', `/users/${ada.id}/name`, { body: { name: 'Eve' } })	/* what is remembered of its sessions is read anew */
			}
			for (const old of ["now() - interval '25 hours'", 'NULL']) {
				await set(old)
				const was = await accessed()
				await ada.ok('GET', '/account')
				await until('it is noted', async () => await accessed() > was)
				assert.ok(Date.now() - Date.parse(await accessed()) < 3600000)
			}
			await set("now() - interval '1 hour'")
			const was = await accessed()
			await ada.ok('GET', '/account')
			await ada.ok('PATCH', '/account/name', { body: { name: 'Ada' } })
			assert.equal(await accessed(), was)
		} finally {
			await own.stop()
		}
	})
})

describe('the description of a format', () => {
	const of = (version) => s.ok('GET', '/openapi.json', { query: version === undefined ? {} : { format: version } })
	test('has its members and no others, each of them required', async () => {
		const [whole, old, later, newest] = await Promise.all([undefined, '1.0.0', '1.7.0', 'newest'].map(of))
		const db = (d) => d.components.schemas.database
		assert.deepEqual(Object.keys(db(old).properties), ['$id', 'name', '$createdAt', '$updatedAt'])
		assert.deepEqual(Object.keys(db(later).properties), ['$id', 'name', '$createdAt', '$updatedAt', 'enabled', 'policies', 'archives'])
		assert.deepEqual(db(newest).required, ['$id', 'name', '$createdAt', '$updatedAt', 'enabled', 'type', 'status'])
		assert.deepEqual([db(whole).properties.type['x-since'], db(newest).properties.type['x-since']], ['1.8.0', undefined])
		assert.deepEqual([old, later, newest].map((d) => d.info.version), ['1.0.0', '1.7.0', '2.3.0'])
		assert.deepEqual([whole, old, later, newest].map((d) => '/v1/tablesdb/{databaseId}' in d.paths), [true, false, false, true])
		assert.ok('type' in db(await of('1.8.3')).properties)
		assert.deepEqual(await of('0.15.0'), old)
	})
	test('what is no version is refused', async () => {
		const r = await s.call('GET', '/openapi.json', { query: { format: 'x' } })
		assert.deepEqual([r.status, r.body.type], [400, 'general_argument_invalid'])
	})
	test('each x-since and x-until has a document of its own', async () => {
		const known = new Set(), add = (o) => { for (const k of ['x-since', 'x-until']) if (o[k]) known.add(o[k]) }
		const whole = await of()
		for (const m of Object.values(whole.components.schemas)) for (const k of Object.values(m.properties ?? {})) add(k)
		for (const path of Object.values(whole.paths)) for (const o of Object.values(path)) add(o)
		for (const v of known) assert.equal((await of(v)).info.version, v)
		assert.ok(known.size > 4)
	})
})

test('the check of replies sees a member that came too early, and one that is missing', async () => {
	const get = (version) => p.call('GET', '/databases/d', { headers: format(version) }), url = new URL('/v1/databases/d', s.base)
	const early = await get('1.8.0'), late = await get('1.4.0')
	assert.throws(() => api.reply('GET', url, '1.4.0', early), (e) => e instanceof Misfit && /body\.type is not declared/.test(e.message))
	assert.throws(() => api.reply('GET', url, '1.8.0', late), (e) => e instanceof Misfit && /body\.type is missing/.test(e.message))
})

/* Members in their order. "1.5:x": told since then; "1.6-1.9:x", "-1.9:x": up to before the second. */
const models = {
	account: '$id $createdAt $updatedAt name registration status 1.4:labels passwordUpdate email phone emailVerification 1.8:emailCanonical 1.8:emailIsFree 1.8:emailIsDisposable ' +
		'1.8:emailIsCorporate 1.8:emailIsCanonical phoneVerification 1.5:mfa prefs 1.5:targets 1.4:accessedAt 1.9:impersonator 1.9:impersonatorUserId',
	session: '$id $createdAt 1.5:$updatedAt userId expire provider providerUid providerAccessToken providerAccessTokenExpiry providerRefreshToken ip osCode osName osVersion clientType ' +
		'clientCode clientName clientVersion clientEngine clientEngineVersion deviceName deviceBrand deviceModel countryCode countryName current 1.5:factors 1.5:secret 1.5:mfaUpdatedAt',
	team: '$id $createdAt $updatedAt name total 1.3:prefs',
	membership: '$id $createdAt $updatedAt userId userName userEmail 1.9.2:userPhone teamId teamName invited joined confirm 1.5:mfa 1.8:userAccessedAt roles',
	token: '$id $createdAt userId secret expire 1.5:phrase',
	healthStatus: '1.4:name ping status',
	log: 'event userId userEmail userName mode 1.8:userType ip time osCode osName osVersion clientType clientCode clientName clientVersion clientEngine clientEngineVersion deviceName deviceBrand ' +
		'deviceModel countryCode countryName',
	bucket: '$id $createdAt $updatedAt $permissions fileSecurity name enabled maximumFileSize allowedFileExtensions compression encryption antivirus 1.8:transformations 1.8:totalSize',
	file: '$id bucketId $createdAt $updatedAt $permissions name signature mimeType sizeOriginal chunksTotal chunksUploaded 1.9.5:sizeActual 1.8:encryption 1.8:compression 2.0:folder 2.0:key',
	webhook: '$id $createdAt $updatedAt name url events -1.9.1:security -1.9.1:httpUser -1.9.1:httpPass -1.9.1:signatureKey 1.9.1:tls 1.9.1:authUsername 1.9.1:authPassword 1.9.1:secret ' +
		'1.5:enabled 1.5:logs 1.5:attempts',
	function: '$id $createdAt $updatedAt execute name enabled runtime deployment vars events schedule scheduleNext schedulePrevious timeout 1.4:version 1.4:entrypoint 1.4:commands 1.4:logging ' +
		'1.4:keepWarm 1.7:deploymentId 1.4:installationId 1.4:providerRepositoryId 1.4:providerBranch 1.4:providerRootDirectory 1.4:providerSilentMode 1.9.5:providerBranches 1.9.5:providerPaths ' +
		'1.4:live 1.6:scopes 1.5-1.9:specification 1.9:buildSpecification 1.9:runtimeSpecification 1.9:deploymentRetention 1.7:deploymentCreatedAt 1.7:latestDeploymentId ' +
		'1.7:latestDeploymentCreatedAt 1.7:latestDeploymentStatus',
	variable: '$id $createdAt $updatedAt key value functionId 1.4:resourceType 1.4:resourceId 1.7:secret',
	database: '$id name $createdAt $updatedAt 1.4:enabled 1.8:type 1.6-1.9.6:policies 1.6-1.9.6:archives 1.9.6:status',
}
models.user = models.account.replace('name ', 'name password hash hashOptions ')
const asked = ['', '1.0.0', '1.3.0', '1.4.0', '1.5.0', '1.6.0', '1.7.0', '1.8.0', '1.9.0', '1.9.1', '1.9.2', '1.9.5', '2.3.0']
const number = (v) => v.split('.').map(Number).reduce((n, part, i) => n + part * 1000 ** (2 - i), 0)
const membersIn = (model, version) => models[model].split(' ').map((m) => m.split(':')).filter(([range, k]) => {
	const [since, until] = range.split('-'), n = number(version || '1.0')
	return !k || ((!since || n >= number(since)) && (!until || n < number(until)))
}).map((m) => m.at(-1))

describe('members of each format, in order', () => {
	let ada, team, member, cases
	before(async () => {
		ada = await p.user({ name: 'Ada' })
		team = await p.ok('POST', '/teams', { body: { teamId: unique(), name: 'T' } })
		member = await p.ok('POST', `/teams/${team.$id}/memberships`, { body: { email: ada.email, roles: ['owner'], url: 'http://localhost/x' } })
		await p.ok('POST', '/storage/buckets', { body: { bucketId: 'b', name: 'B', permissions: [], compression: 'gzip', encryption: false } })
		await upload(p.call, 'b', 'f', part('f.txt', 'text'))
		await p.console.ok('POST', `/projects/${p.id}/webhooks`, { body: { name: 'w', events: ['users.*.create'], url: 'http://hook.test/', security: true, httpUser: 'u', httpPass: 's' } })
		await p.ok('POST', '/functions', { body: { functionId: 'f', name: 'F', runtime: (await p.ok('GET', '/functions/runtimes')).runtimes[0].$id, execute: [] } })
		await p.ok('POST', '/functions/f/variables', { body: { key: 'K', value: 'v' } })
		await until('an entry of the log', async () => (await ada.ok('GET', '/account/logs')).total > 0)
		cases = [
			['account', (o) => ada.call('GET', '/account', o)],
			['session', (o) => ada.call('GET', '/account/sessions/current', o)],
			['session', (o) => ada.call('GET', '/account/sessions', o), 'sessions'],
			['team', (o) => ada.call('GET', `/teams/${team.$id}`, o)],
			['team', (o) => ada.call('GET', '/teams', o), 'teams'],
			['membership', (o) => ada.call('GET', `/teams/${team.$id}/memberships/${member.$id}`, o)],
			['membership', (o) => ada.call('GET', `/teams/${team.$id}/memberships`, o), 'memberships'],
			['user', (o) => p.call('GET', `/users/${ada.id}`, o)],
			['user', (o) => p.call('GET', '/users', o), 'users'],
			['session', (o) => p.call('GET', `/users/${ada.id}/sessions`, o), 'sessions'],
			['membership', (o) => p.call('GET', `/users/${ada.id}/memberships`, o), 'memberships'],
			['log', (o) => ada.call('GET', '/account/logs', o), 'logs'],
			['bucket', (o) => p.call('GET', '/storage/buckets', o), 'buckets'],
			['file', (o) => p.call('GET', '/storage/buckets/b/files', o), 'files'],
			['webhook', (o) => p.console.call('GET', `/projects/${p.id}/webhooks`, o), 'webhooks'],
			['function', (o) => p.call('GET', '/functions', o), 'functions'],
			['variable', (o) => p.call('GET', '/functions/f/variables', o), 'variables'],
			['database', (o) => p.call('GET', '/databases', o), 'databases'],
			['healthStatus', (o) => p.call('GET', '/health', o)],
			['healthStatus', (o) => p.call('GET', '/health/storage/local', o)],
		]
	})
	for (const version of asked)
		test(version || 'who says nothing', async () => {
			for (const [model, get, list] of cases) {
				const { status, body } = await get({ headers: format(version) })
				assert.equal(status, 200, model)
				for (const one of list ? body[list] : [body]) assert.deepEqual(Object.keys(one), membersIn(model, version), `${model} ${version}`)
			}
		})
	test('neutral and kept values', async () => {
		const newest = { headers: format('2.3.0') }, me = await ada.ok('GET', '/account', newest), s1 = await ada.ok('GET', '/account/sessions/current', newest)
		assert.deepEqual([me.labels, me.mfa, me.targets.map((t) => t.identifier), me.emailCanonical, me.impersonator, me.impersonatorUserId], [[], false, [ada.email], ada.email, false, null])
		assert.equal(me.accessedAt, me.registration)
		assert.deepEqual([s1.factors, s1.secret, s1.mfaUpdatedAt, s1.$updatedAt], [['password'], '', '', s1.$createdAt])
		const later = await ada.ok('PATCH', '/account/sessions/current', newest)
		assert.ok(later.$updatedAt > later.$createdAt)
		assert.equal((await ada.ok('GET', '/account/sessions/current', newest)).$updatedAt, later.$updatedAt)
		const back = await p.admin('POST', '/account/sessions/email', { ...newest, body: { email: ada.email, password: ada.password } })
		const again = await p.guest('GET', '/account', { headers: { 'x-appwrite-session': back.body.secret } })
		assert.deepEqual([back.status, again.body.$id], [201, ada.id])
		const ghost = await p.guest('POST', '/account/sessions/anonymous', newest)
		assert.deepEqual([ghost.body.factors, ghost.body.secret], [['anonymous'], ''])
		/* what is known of a member is for servers */
		const path = `/teams/${team.$id}/memberships/${member.$id}`
		await p.ok('PATCH', `/users/${ada.id}/phone`, { body: { number: '+15550001111' } })
		const theirs = await p.ok('GET', path, newest), hers = await ada.ok('GET', path, newest)
		assert.match(theirs.userPhone, /^\+1555/)
		assert.deepEqual([theirs.mfa, theirs.userAccessedAt, hers.userPhone, hers.userAccessedAt], [false, me.accessedAt, '', ''])
	})
	test('values of the others', async () => {
		const newest = { headers: format('2.3.0') }, [f] = (await p.ok('GET', '/storage/buckets/b/files', newest)).files, [w] = (await p.console.ok('GET', `/projects/${p.id}/webhooks`, newest)).webhooks
		assert.deepEqual([f.encryption, f.compression, f.key, f.folder, f.sizeActual > 0], [false, 'gzip', 'f.txt', '', true])
		assert.deepEqual([w.tls, w.authUsername, w.authPassword], [true, 'u', 's'])
		const old = (await p.console.ok('GET', `/projects/${p.id}/webhooks`, { headers: format('1.9.0') })).webhooks[0]
		assert.deepEqual([old.security, old.httpUser, old.httpPass, old.signatureKey], [true, 'u', 's', w.secret])
		const [mine, hidden] = [await ada.ok('GET', '/account/logs', newest), await p.ok('GET', `/users/${ada.id}/logs`, newest)]
		for (const l of mine.logs) assert.equal(l.userType, l.mode === 'admin' ? 'admin' : 'user')
		for (const l of hidden.logs) assert.equal(l.userType, 'hidden')
	})
	test('parameters of webhooks have the names of the format', async () => {
		const body = { name: 'w2', events: ['users.*.create'], url: 'http://hook.test/' }, later = { tls: true, authUsername: 'n', authPassword: 'x' }
		const make = (version, more) => p.console.ok('POST', `/projects/${p.id}/webhooks`, { headers: format(version), body: { ...body, ...more } })
		const made = await make('1.9.1', later)
		assert.deepEqual([made.tls, made.authUsername, made.authPassword], [true, 'n', 'x'])
		const old = await make('1.9.0', later)
		assert.deepEqual([old.security, old.httpUser, old.httpPass], [false, '', ''])
	})
	test('databases and caches of which there may be several: a list since 1.9', async () => {
		for (const [path, name] of [['/health/db', 'database'], ['/health/cache', 'cache']]) {
			const of = async (version) => (await p.ok('GET', path, { headers: format(version) }))
			assert.deepEqual(Object.keys(await of('')), ['ping', 'status'])
			assert.deepEqual(Object.keys(await of('1.8.0')), ['name', 'ping', 'status'])
			const now = await of('1.9.0')
			assert.deepEqual([now.total, now.statuses.map((x) => [x.name, x.status])], [1, [[name, 'pass']]])
		}
	})
})

describe('labels', () => {
	let ada
	const put = (labels, o = {}) => p.call('PUT', `/users/${ada.id}/labels`, { body: { labels }, ...o })
	before(async () => { ada = await p.user({ name: 'Ada' }) })
	test('are replaced, each once, in the order in which they came', async () => {
		const r = await put(['vip', 'beta2', 'vip'])
		assert.deepEqual([r.status, r.body.labels], [200, ['vip', 'beta2']])
		assert.deepEqual((await ada.ok('GET', '/account', { headers: format('1.4.0') })).labels, ['vip', 'beta2'])
		assert.deepEqual((await put([])).body.labels, [])
		assert.deepEqual(Object.keys((await put(['a'], { headers: format('1.3.0') })).body).includes('labels'), false)
	})
	test('are letters and digits, and not many; for who manages users', async () => {
		for (const bad of [['a b'], [''], ['x'.repeat(37)], ['\u00e9'], ['a/b'], Array.from({ length: 1001 }, (_, i) => `l${i}`), 'a', [1]]) {
			const r = await put(bad)
			assert.deepEqual([r.status, r.body.type], [400, 'general_argument_invalid'], JSON.stringify(bad).slice(0, 50))
		}
		const none = await p.call('PUT', '/users/none/labels', { body: { labels: [] } })
		assert.deepEqual([none.status, none.body.type], [404, 'user_not_found'])
		assert.equal((await ada.call('PUT', `/users/${ada.id}/labels`, { body: { labels: ['x'] } })).status, 401)
		assert.equal((await put(Array.from({ length: 1000 }, (_, i) => `l${i}`))).body.labels.length, 1000)
	})
	test('are found by', async () => {
		await put(['found'])
		for (const [values, total] of [[['found'], 1], [['lost'], 0]])
			assert.equal((await p.ok('GET', '/users', { query: { queries: [JSON.stringify({ method: 'contains', attribute: 'labels', values })] }, headers: format('1.8.0') })).total, total)
	})
	test('are roles, from the next request on', async () => {
		await put([])
		const path = `/databases/d/collections`
		await p.ok('POST', path, { body: { collectionId: 'l', name: 'L', documentSecurity: true, permissions: ['create("label:vip")'] } })
		await p.ok('POST', `${path}/l/attributes/boolean`, { body: { key: 'b', required: false } })
		await until('the attribute', async () => (await p.ok('GET', `${path}/l/attributes/b`)).status === 'available')
		const bob = await p.user({ name: 'Bob' }), write = (who, more) => who.call('POST', `${path}/l/documents`, { body: { documentId: unique(), data: { b: true }, ...more } })
		assert.equal((await write(ada)).status, 401)
		await put(['vip', 'x'])
		const made = await write(ada, { permissions: ['read("label:vip")'] })
		assert.equal(made.status, 201)
		assert.equal((await write(ada, { permissions: ['read("label:gold")'] })).status, 401)
		const read = (who) => who.call('GET', `${path}/l/documents/${made.body.$id}`).then((r) => r.status)
		assert.deepEqual([await read(ada), await read(bob)], [200, 404])
		await put(['x'])
		assert.deepEqual([await read(ada), (await write(ada)).status], [404, 401])
		for (const role of ['label:', 'label:a b', 'label:a/b', `label:${'x'.repeat(37)}`])
			assert.equal((await p.call('PUT', `${path}/l`, { body: { name: 'L', permissions: [`read("${role}")`] } })).status, 400, role)
	})
})

describe('preferences of a team', () => {
	let ada, bob, team
	before(async () => {
		[ada, bob] = [await p.user({ name: 'Ada' }), await p.user({ name: 'Bob' })]
		team = await ada.ok('POST', '/teams', { body: { teamId: unique(), name: 'T' } })
		await p.ok('POST', `/teams/${team.$id}/memberships`, { body: { email: bob.email, roles: ['reader'], url: 'http://localhost/x' } })
	})
	const get = (who, o = {}) => who.call('GET', `/teams/${team.$id}/prefs`, o), put = (who, prefs) => who.call('PUT', `/teams/${team.$id}/prefs`, { body: { prefs } })
	test('are read by its members, and replaced by its owners', async () => {
		assert.deepEqual((await get(ada)).body, {})
		assert.deepEqual((await put(ada, { theme: 'dark', deep: { n: [1, {}] } })).body, { theme: 'dark', deep: { n: [1, {}] } })
		assert.deepEqual((await get(bob)).body, { theme: 'dark', deep: { n: [1, {}] } })
		assert.deepEqual((await p.ok('GET', `/teams/${team.$id}`, { headers: format('1.3.0') })).prefs, { theme: 'dark', deep: { n: [1, {}] } })
		assert.deepEqual((await put(p, { b: 1 })).body, { b: 1 })
		assert.deepEqual((await get(ada)).body, { b: 1 })
		assert.equal((await put(bob, {})).status, 401)
		const eve = await p.user({ name: 'Eve' })
		for (const r of [await get(eve), await put(eve, {})]) assert.deepEqual([r.status, r.body.type], [404, 'team_not_found'])
	})
	test('are an object of at most 64 kB', async () => {
		for (const bad of ['x', 5, { a: 'x'.repeat(65536) }]) assert.equal((await put(ada, bad)).status, 400)
	})
})

describe('statuses that changed', () => {
	const told = async (call) => {
		const found = {}
		for (const version of ['', '1.0.0', '1.8.0', '1.9.0', '2.3.0']) {
			const { status, body } = await call({ headers: format(version) })
			assert.equal(body.code, status)
			found[version] = `${status} ${body.type}`
		}
		return [...new Set(Object.values(found))].length === 2 && found[''] === found['1.8.0'] && found['1.9.0'] === found['2.3.0'] ? [found[''], found['2.3.0']] : found
	}
	test('who is blocked', async () => {
		const ada = await p.user()
		await p.ok('PATCH', `/users/${ada.id}/status`, { body: { status: false } })
		const both = ['401 user_blocked', '403 user_blocked']
		assert.deepEqual(await told((o) => ada.call('GET', '/account', o)), both)
		assert.deepEqual(await told((o) => p.guest('POST', '/account/sessions/email', { ...o, body: { email: ada.email, password: ada.password } })), both)
	})
	test('a service that is off, and no more room for users', async () => {
		const q = await s.project()
		await q.console.ok('PATCH', `/projects/${q.id}/auth/limit`, { body: { limit: 1 } })
		await q.user()
		assert.deepEqual(await told((o) => q.guest('POST', '/account/sessions/anonymous', { ...o, body: {} })), ['501 user_count_exceeded', '400 user_count_exceeded'])
		await q.console.ok('PATCH', `/projects/${q.id}/service`, { body: { service: 'account', status: false } })
		assert.deepEqual(await told((o) => q.guest('GET', '/account/prefs', o)), ['503 general_service_disabled', '403 general_service_disabled'])
	})
	test('as the description of each format says', async () => {
		const of = async (version) => (await s.ok('GET', '/openapi.json', { query: { format: version } })).components.schemas.error['x-statuses'].user_blocked
		assert.deepEqual([await of('1.8.0'), await of('1.9.0')], [[401], [403]])
	})
	test('the check of replies knows them', async () => {
		const u = new URL('/v1/account', s.base), bad = { status: 403, headers: { 'content-type': 'application/json; charset=UTF-8' }, text: '{"message":"x","code":403,"type":"user_blocked","version":"1"}' }
		api.reply('GET', u, '1.9.0', bad, true)
		assert.throws(() => api.reply('GET', u, '1.8.0', bad, true), Misfit)
	})
})
