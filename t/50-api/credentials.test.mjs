/* Who calls, as clients of today say it: keys of each kind, a key beside a session, tokens; keys that manage keys. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { before, describe, test } from 'node:test'
import { cookieOf, server, unique, until } from '../lib/server.mjs'
import { fails, keysOf } from './lib.mjs'

let s, p, owner
const format = (v) => ({ headers: { 'x-appwrite-response-format': v } })
const today = format('1.9.5'), old = format('1.8.0')
const admin = (m, path, body, o = {}) => p.admin(m, path, { body, ...today, ...o })
const by = (key, m, path, body, o = {}) => p.guest(m, path, { body, key, ...today, ...o })

before(async () => {
	s = await server()
	p = await s.project({ name: 'Credentials' })
	owner = p.console
})

describe('keys of the own project', () => {
	const body = (more = {}) => ({ keyId: unique('k'), name: 'K', scopes: ['users.read'], ...more })
	const make = async (more) => { const r = await admin('POST', '/project/keys', body(more)); assert.equal(r.status, 201, r.text); return r.body }

	test('life', async () => {
		const id = unique('k'), made = await make({ keyId: id, expire: null })
		keysOf(made, '$id $createdAt $updatedAt name expire scopes secret accessedAt sdks')
		assert.match(made.secret, /^standard_[0-9a-f]{256}$/)
		assert.equal(made.$id, id)
		fails(await admin('POST', '/project/keys', body({ keyId: id.toUpperCase() })), 409, 'key_already_exists')
		assert.equal((await by(made.secret, 'GET', '/users')).status, 200)
		assert.deepEqual((await admin('GET', `/project/keys/${id}`)).body.$id, id)
		const now = (await admin('PUT', `/project/keys/${id}`, { name: 'L', scopes: null, expire: '2099-01-01' })).body
		assert.deepEqual([now.name, now.scopes, now.expire, now.secret], ['L', [], '2099-01-01T00:00:00.000+00:00', made.secret])
		fails(await by(made.secret, 'GET', '/users'), 401, 'general_unauthorized_scope')
		await admin('PUT', `/project/keys/${id}`, { name: 'L', scopes: ['users.read'], expire: '2020-01-01' })
		fails(await by(made.secret, 'GET', '/users'), 401, 'project_key_expired')
		assert.equal((await admin('DELETE', `/project/keys/${id}`)).status, 204)
		fails(await by(made.secret, 'GET', '/users'), 401, 'user_unauthorized')
		for (const m of ['GET', 'DELETE']) fails(await admin(m, `/project/keys/${id}`), 404, 'key_not_found')
		fails(await admin('PUT', `/project/keys/${id}`, { name: 'x', scopes: [] }), 404, 'key_not_found')
	})

	test('another project may have a key of that id', async () => {
		const id = unique('k'), q = await s.project()
		await make({ keyId: id })
		assert.equal((await q.admin('POST', '/project/keys', { body: body({ keyId: id }), ...today })).status, 201)
		assert.equal((await q.admin('DELETE', `/project/keys/${id}`, today)).status, 204)
		assert.equal((await admin('GET', `/project/keys/${id}`)).status, 200)
	})

	test('lists', async () => {
		const name = unique('n'), one = await make({ name }), list = async (...queries) => (await admin('GET', '/project/keys', undefined, { query: { queries: queries.map((x) => JSON.stringify(x)) } })).body
		await make({ name, scopes: ['teams.read', 'teams.write'], expire: '2099-01-01' })
		assert.equal((await list({ method: 'equal', attribute: 'name', values: [name] })).total, 2)
		assert.deepEqual((await list({ method: 'equal', attribute: 'name', values: [name] }, { method: 'isNull', attribute: 'expire' })).keys.map((k) => k.$id), [one.$id])
		assert.equal((await list({ method: 'equal', attribute: 'name', values: [name] }, { method: 'contains', attribute: 'scopes', values: ['teams.read'] })).total, 1)
		assert.equal((await list({ method: 'limit', values: [1] })).keys.length, 1)
		assert.equal((await list({ method: 'isNull', attribute: 'accessedAt' }, { method: 'equal', attribute: 'name', values: [name] })).total, 2)
		const all = (await admin('GET', '/project/keys')).body
		assert.ok(all.total >= 3 && all.keys.length === all.total)
		assert.equal((await admin('GET', '/project/keys', undefined, { query: { total: 'false' } })).body.total, 0)
		fails(await admin('GET', '/project/keys', undefined, { query: { queries: ['{"method":"equal","attribute":"secret","values":["x"]}'] } }), 400, 'general_argument_invalid')
		const console = await owner.ok('GET', `/projects/${p.id}/keys`, { query: { queries: [JSON.stringify({ method: 'equal', attribute: 'name', values: [name] })] }, ...old })
		assert.equal(console.total, 2)
	})

	test('what is refused', async () => {
		for (const bad of [{ keyId: undefined }, { keyId: 'a b' }, { name: undefined }, { name: 'n'.repeat(129) }, { scopes: undefined }, { scopes: ['everything'] }, { expire: 'whenever' }])
			fails(await admin('POST', '/project/keys', body(bad)), 400, 'general_argument_invalid')
		for (const [m, path, b] of [['POST', '', body()], ['GET', ''], ['GET', '/x'], ['PUT', '/x', body()], ['DELETE', '/x'], ['POST', '/ephemeral', { scopes: [], duration: 1 }]])
			for (const call of [p.guest, (await p.user()).call]) fails(await call(m, `/project/keys${path}`, { body: b, ...today }), 401, 'general_unauthorized_scope')
		fails(await owner.call('GET', '/project/keys', { mode: 'admin', ...today }), 401, 'general_unauthorized_scope')
	})

	test('all scopes of today', async () => {
		const scopes = ['project', 'keys', 'platforms', 'mocks', 'project.policies', 'project.oauth2', 'templates', 'stages', 'users', 'sessions', 'teams', 'databases', 'tables', 'columns', 'indexes', 'rows', 'collections',
			'attributes', 'documents', 'buckets', 'files', 'tokens', 'functions', 'executions', 'sites', 'log', 'providers', 'topics', 'subscribers', 'targets', 'messages', 'rules', 'webhooks', 'migrations', 'schedules', 'vcs',
			'insights', 'reports', 'presences', 'policies', 'execution'].flatMap((x) => [`${x}.read`, `${x}.write`])
		scopes.push('embeddings.write', 'locale.read', 'avatars.read', 'health.read', 'assistant.read')
		assert.equal(scopes.length, 87)
		assert.deepEqual((await make({ scopes })).scopes, scopes)
		const twice = [...scopes, ...scopes].slice(0, 200)
		assert.equal((await admin('POST', '/project/keys', body({ scopes: [...twice, ...twice] }))).status, 400)
	})

	test('a key gets nobody further than it is itself', async () => {
		const little = await make({ scopes: ['keys.read', 'keys.write', 'users.read'] }), great = await make({ scopes: ['users.write'] }), equal = await make({ scopes: ['users.read'] })
		fails(await by(little.secret, 'POST', '/project/keys', body()), 403, 'key_creation_denied')
		const seen = (await by(little.secret, 'GET', '/project/keys')).body.keys, of = (k) => seen.find((x) => x.$id === k.$id)
		assert.deepEqual([of(great).secret, of(equal).secret, of(little).secret], ['', equal.secret, little.secret])
		assert.equal((await by(little.secret, 'GET', `/project/keys/${great.$id}`)).body.secret, '')
		fails(await by(little.secret, 'PUT', `/project/keys/${little.$id}`, { name: 'x', scopes: ['users.write'] }), 403, 'key_creation_denied')
		fails(await by(little.secret, 'PUT', `/project/keys/${great.$id}`, { name: 'x', scopes: ['users.read'] }), 403, 'key_creation_denied')
		assert.equal((await by(little.secret, 'PUT', `/project/keys/${equal.$id}`, { name: 'y', scopes: [] })).body.name, 'y')
		fails(await by(little.secret, 'POST', '/project/keys/ephemeral', { scopes: ['users.write'], duration: 60 }), 403, 'key_creation_denied')
		assert.equal((await by(little.secret, 'POST', '/project/keys/ephemeral', { scopes: ['users.read'], duration: 60 })).status, 201)
		assert.equal((await by(little.secret, 'DELETE', `/project/keys/${great.$id}`)).status, 204)
		fails(await by(little.secret, 'PUT', `/project/keys/${great.$id}`, { name: 'x', scopes: [] }), 404, 'key_not_found')
	})

	test('nor longer than it is', async () => {
		const scopes = ['keys.read', 'keys.write', 'users.read'], end = new Date(Date.now() + 600e3).toISOString(), time = (k) => Date.parse(k.expire)
		const ends = await make({ scopes, expire: end }), stays = await make(), longer = await make({ expire: '2099-01-01' }), shorter = await make({ expire: '2020-01-01' })
		const put = (key, k, expire, more = {}) => by(key, 'PUT', `/project/keys/${k.$id}`, { name: 'x', scopes: k.scopes, expire, ...more })
		for (const expire of [null, undefined, '2099-01-01']) fails(await put(ends.secret, ends, expire), 403, 'key_creation_denied')
		for (const k of [stays, longer]) fails(await put(ends.secret, k, end), 403, 'key_creation_denied')
		assert.equal((await put(ends.secret, shorter, end)).status, 200)
		const seen = (await by(ends.secret, 'GET', '/project/keys')).body.keys, of = (k) => seen.find((x) => x.$id === k.$id).secret
		assert.deepEqual([stays, longer, shorter, ends].map(of), ['', '', shorter.secret, ends.secret])
		assert.equal((await by(ends.secret, 'GET', `/project/keys/${stays.$id}`)).body.secret, '')
		const lent = (await by(ends.secret, 'POST', '/project/keys/ephemeral', { scopes, duration: 3600 })).body
		assert.ok(time(lent) <= time(ends), lent.expire)
		assert.ok(JSON.parse(Buffer.from(lent.secret.split('.')[1], 'base64url')).exp * 1000 <= time(ends))
		/* a key that cannot be called back makes none, changes none and is shown none */
		for (const key of [lent.secret, (await admin('POST', '/project/keys/ephemeral', { scopes, duration: 3600 })).body.secret]) {
			fails(await by(key, 'POST', '/project/keys/ephemeral', { scopes, duration: 60 }), 403, 'key_creation_denied')
			fails(await by(key, 'POST', '/project/keys', body()), 403, 'key_creation_denied')
			for (const k of [stays, shorter]) fails(await put(key, k, '2020-01-01', { scopes: [] }), 403, 'key_creation_denied')
			for (const k of [stays, shorter]) fails(await by(key, 'DELETE', `/project/keys/${k.$id}`), 403, 'key_creation_denied')
			const r = await by(key, 'GET', '/project/keys')
			assert.ok(r.status === 200 && r.body.keys.length > 3 && r.body.keys.every((k) => k.secret === ''))
			assert.equal((await by(key, 'GET', `/project/keys/${shorter.$id}`)).body.secret, '')
		}
	})

	test('there are a thousand at most, however many are made at once', async (t) => {
		const own = await server({ own: true })
		t.after(() => own.stop())
		const q = await own.project(), one = (m, path, o = {}) => q.admin(m, path, { ...o, ...today })
		const psql = (sql) => execFileSync('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
		const project = `(SELECT internal FROM badal.projects WHERE id = '${q.id}')`, count = () => Number(psql(`SELECT count(*) FROM badal.platforms WHERE project = ${project}`))
		await one('POST', '/project/platforms/web', { body: { platformId: 'first', name: 'x', hostname: 'a.example.org' } })
		const columns = psql("SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns WHERE table_schema = 'badal' AND table_name = 'platforms' AND column_name NOT IN ('internal', 'id')")
		psql(`INSERT INTO badal.platforms (id, ${columns}) SELECT 'n' || n, ${columns} FROM badal.platforms, generate_series(1, ${999 - count()}) n WHERE project = ${project} AND id = 'first'`)
		assert.equal(count(), 999)
		const made = await Promise.all(Array.from({ length: 6 }, () => one('POST', '/project/platforms/web', { body: { platformId: unique('p'), name: 'x', hostname: 'a.example.org' } })))
		assert.deepEqual(made.map((r) => r.status).sort(), [201, 400, 400, 400, 400, 400])
		assert.equal(count(), 1000)
	})

	test('the use of a key is noted by one of many requests', async (t) => {
		const own = await server({ own: true })
		t.after(() => own.stop())
		const q = await own.project({ name: 'Uses' }), key = await q.addKey(['users.read'])
		const psql = (sql) => execFileSync('psql', ['-h', path.join(own.dataDir, 'run'), '-U', 'badal', '-d', 'postgres', '-Atq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim()
		psql(`CREATE TABLE public.uses (id text);
			CREATE FUNCTION public.used() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO public.uses VALUES (NEW.id); PERFORM pg_sleep(0.2); RETURN NEW; END $$;
			CREATE TRIGGER used AFTER UPDATE ON badal.keys FOR EACH ROW EXECUTE FUNCTION public.used()`)
		const all = await Promise.all(Array.from({ length: 12 }, () => q.guest('GET', '/users', { key })))
		assert.ok(all.every((r) => r.status === 200))
		assert.equal(psql('SELECT count(*) FROM public.uses'), '1')
		/* and a new SDK's by one more */
		await Promise.all(Array.from({ length: 12 }, () => q.guest('GET', '/users', { key, headers: { 'x-sdk-name': 'node.js' } })))
		assert.equal(psql('SELECT count(*) FROM public.uses'), '2')
	})

	test('a key that is deleted while it is used is over at once', async () => {
		const k = await make(), codes = []
		let over = false
		const users = Array.from({ length: 8 }, async () => { while (!over) codes.push((await by(k.secret, 'GET', '/users')).status) })
		await until('it is used', () => codes.length > 20)
		await admin('DELETE', `/project/keys/${k.$id}`)
		for (let i = 0; i < 10; i++) fails(await by(k.secret, 'GET', '/users'), 401, 'user_unauthorized')
		over = true
		await Promise.all(users)
		assert.deepEqual([...new Set(codes)].filter((c) => c !== 200 && c !== 401), [])
	})
})

describe('keys that end by themselves', () => {
	test('life', async () => {
		const made = (await admin('POST', '/project/keys/ephemeral', { scopes: ['users.read'], duration: 60 })).body
		keysOf(made, '$id $createdAt $updatedAt name expire scopes secret accessedAt sdks')
		assert.match(made.secret, /^ephemeral_[\w-]+\.[\w-]+\.[\w-]+$/)
		const { projectId, scopes, exp } = JSON.parse(Buffer.from(made.secret.split('.')[1], 'base64url'))
		assert.deepEqual([projectId, scopes, Math.abs(exp * 1000 - Date.parse(made.expire)) < 1000], [p.id, ['users.read'], true])
		for (const k of [made.secret, made.secret.replace('ephemeral_', 'dynamic_')]) {
			assert.equal((await by(k, 'GET', '/users')).status, 200)
			fails(await by(k, 'POST', '/users', { userId: unique() }), 401, 'general_unauthorized_scope')
			assert.equal((await p.guest('GET', '/users', { key: k })).status, 200)
		}
		assert.equal((await admin('GET', '/project/keys')).body.keys.some((k) => k.secret === made.secret), false)
		const q = await s.project()
		fails(await q.guest('GET', '/users', { key: made.secret, ...today }), 401, 'general_unauthorized_scope')
		for (const bad of [made.secret.slice(0, -3) + (made.secret.endsWith('AAA') ? 'BBB' : 'AAA'), 'ephemeral_x', 'ephemeral_', 'foreign_x'])
			fails(await by(bad, 'GET', '/users'), 401, 'general_unauthorized_scope')
		const short = (await admin('POST', '/project/keys/ephemeral', { scopes: ['users.read'], duration: 1 })).body
		await until('it is over', async () => (await by(short.secret, 'GET', '/users')).status === 401)
		for (const bad of [{ duration: 0 }, { duration: 3601 }, { duration: undefined }, { scopes: ['x'] }, { scopes: undefined }])
			fails(await admin('POST', '/project/keys/ephemeral', { scopes: [], duration: 60, ...bad }), 400, 'general_argument_invalid')
	})

	test('no other token of the server is one, and it is no other', async () => {
		const u = await p.user(), { jwt } = await u.ok('POST', '/account/jwts', today)
		fails(await by(`ephemeral_${jwt}`, 'GET', '/users'), 401, 'general_unauthorized_scope')
		const { secret } = (await admin('POST', '/project/keys/ephemeral', { scopes: ['users.read'], duration: 60 })).body
		fails(await p.guest('GET', '/account', { jwt: secret.slice(10), ...today }), 401, 'general_unauthorized_scope')
	})

	test('a project that has the id of one that is gone has none of its keys', async () => {
		const q = await s.project(), k = (await q.admin('POST', '/project/keys/ephemeral', { body: { scopes: ['users.read'], duration: 3600 }, ...today })).body.secret
		assert.equal((await q.guest('GET', '/users', { key: k, ...today })).status, 200)
		await owner.ok('DELETE', `/projects/${q.id}`, { body: { password: owner.password } })
		await s.project({ id: q.id })
		fails(await q.guest('GET', '/users', { key: k, ...today }), 401, 'general_unauthorized_scope')
	})

	test('as clients before 1.9.3 know them', async () => {
		const made = await owner.ok('POST', `/projects/${p.id}/jwts`, { body: { scopes: ['users.read'] }, status: 201, ...old })
		keysOf(made, 'scopes projectId jwt')
		assert.equal((await p.guest('GET', '/users', { key: made.jwt, ...old })).status, 200)
		assert.ok((await owner.ok('POST', `/projects/${p.id}/jwts`, { body: { scopes: ['users.read'], duration: 60 }, ...today })).secret.startsWith('ephemeral_'))
		const own = await p.admin('POST', '/project/keys/ephemeral', { body: { scopes: ['users.read'], duration: 60 }, headers: { 'x-appwrite-response-format': '1.9.2' } })
		assert.equal(own.status, 201, own.text)
		keysOf(own.body, 'scopes projectId jwt')
		assert.ok(own.body.jwt.startsWith('ephemeral_'))
		fails(await owner.call('POST', `/projects/${p.id}/jwts`, { body: { scopes: [], duration: 3601 }, ...old }), 400, 'general_argument_invalid')
		fails(await (await s.user()).call('POST', `/projects/${p.id}/jwts`, { body: { scopes: [] }, ...old }), 404, 'project_not_found')
	})
})

describe('who calls', () => {
	test('a key that is none is no guest', async () => {
		fails(await by('nothing', 'GET', '/health/version'), 401, 'user_unauthorized')
		fails(await by('standard_nothing', 'GET', '/locale/currencies'), 401, 'user_unauthorized')
		assert.equal((await s.call('GET', '/health', { key: p.key, project: p.id, ...today })).status, 200)
		fails(await s.call('GET', '/health/version', { key: 'nothing', query: { project: p.id }, ...today }), 403, 'project_id_missing')
		fails(await by('organization_x', 'GET', '/locale/currencies'), 403, 'organization_id_missing')
		fails(await by('account_x', 'GET', '/locale/currencies'), 403, 'user_id_missing')
		fails(await by('organization_x', 'GET', '/locale/currencies', undefined, { headers: { ...today.headers, 'x-appwrite-organization': p.teamId } }), 401, 'user_unauthorized')
		fails(await by('account_x', 'GET', '/locale/currencies', undefined, { headers: { ...today.headers, 'x-appwrite-user': owner.id } }), 401, 'user_unauthorized')
		/* 1.0 takes all of them for guests */
		for (const key of ['nothing', 'standard_nothing', 'organization_x', 'account_x', 'foreign_x', 'ephemeral_x'])
			for (const o of [{}, old]) assert.equal((await p.guest('GET', '/locale/currencies', { key, ...o })).status, 200)
	})

	test('a key beside a session decides, but for the account', async () => {
		const u = await p.user(), key = await p.addKey(['users.read']), both = (m, path, o = {}) => u.call(m, path, { key, ...today, ...o })
		assert.equal((await both('GET', '/users')).status, 200)
		assert.equal((await both('GET', '/account')).body.$id, u.id)
		assert.equal((await both('PATCH', '/account/name', { body: { name: 'New' } })).body.name, 'New')
		fails(await both('GET', '/teams'), 401, 'general_unauthorized_scope')
		assert.equal((await u.call('GET', '/teams', today)).status, 200)
		const { jwt } = await u.ok('POST', '/account/jwts', today)
		assert.equal((await p.guest('GET', '/users', { key, jwt, ...today })).status, 200)
		assert.equal((await p.guest('GET', '/account', { key, jwt, ...today })).body.$id, u.id)
		/* a key of no kind takes the session along */
		fails(await both('GET', '/account', { key: 'foreign_x' }), 401, 'general_unauthorized_scope')
		fails(await both('GET', '/account', { key: 'nothing' }), 401, 'user_unauthorized')
		/* for others it is the session */
		for (const o of [{}, old]) {
			fails(await u.call('GET', '/users', { key, ...o }), 401, 'general_unauthorized_scope')
			assert.equal((await u.call('GET', '/teams', { key, ...o })).status, 200)
		}
		/* blocked people are no matter of the key's */
		await p.ok('PATCH', `/users/${u.id}/status`, { body: { status: false } })
		assert.equal((await both('GET', '/users')).status, 200)
		fails(await both('GET', '/account'), 403, 'user_blocked')
	})

	test('a token beside a session', async () => {
		const u = await p.user(), { jwt } = await u.ok('POST', '/account/jwts', today)
		fails(await u.call('GET', '/account', { jwt, ...today }), 403, 'user_jwt_and_cookie_set')
		for (const o of [{}, old]) assert.equal((await u.call('GET', '/account', { jwt, ...o })).status, 200)
		assert.equal((await p.guest('GET', '/account', { jwt, ...today })).status, 200)
		fails(await p.guest('POST', '/account/jwts', { jwt, ...today }), 403, 'user_jwt_creation_denied')
		fails(await p.guest('POST', '/account/jwt', { jwt, ...old }), 404, 'user_session_not_found')
		/* one that is over is none */
		const dead = { cookie: u.cookie }
		await u.ok('DELETE', `/account/sessions/${u.session.$id}`)
		fails(await p.guest('GET', '/account', { jwt, ...dead, ...today }), 401, 'general_unauthorized_scope')
	})

	test('mode admin without being in the team', async () => {
		const stranger = await s.user(), of = (o) => s.call('GET', '/locale/currencies', { project: p.id, mode: 'admin', cookie: stranger.cookie, ...o })
		fails(await of(today), 401, 'user_unauthorized')
		for (const o of [{}, old]) assert.equal((await of(o)).status, 200)
	})

	test('a server tells whose browser it is', async () => {
		const key = await p.addKey(['sessions.write']), u = await p.user(), agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0'
		const sign = (o) => p.guest('POST', '/account/sessions/email', { body: { email: u.email, password: u.password }, ...o, headers: { ...today.headers, 'user-agent': 'server', 'x-forwarded-user-agent': agent } })
		assert.equal((await sign({ key })).body.clientName, 'Firefox')
		const r = await sign({})
		assert.notEqual(r.body.clientName, 'Firefox')
		assert.ok(cookieOf(r))
	})
})

describe('platforms of the own project', () => {
	const kinds = { web: 'hostname', apple: 'bundleIdentifier', android: 'applicationId', windows: 'packageIdentifierName', linux: 'packageName' }
	const value = (kind) => (kind === 'web' ? `${unique('h')}.example.org` : `org.example.${unique('a')}`)

	test('life, of each kind', async () => {
		for (const [kind, name] of Object.entries(kinds)) {
			const id = unique('f'), v = value(kind), make = (body) => admin('POST', `/project/platforms/${kind}`, { platformId: id, name: 'F', [name]: v, ...body })
			const r = await make()
			assert.equal(r.status, 201, r.text)
			keysOf(r.body, `$id $createdAt $updatedAt name type ${name}${kind === 'web' ? ' key' : ''}`)
			assert.deepEqual([r.body.$id, r.body.type, r.body[name]], [id, kind, v])
			fails(await make(), 409, 'platform_already_exists')
			for (const bad of [{ platformId: undefined }, { platformId: 'a b' }, { name: undefined }, { name: 'n'.repeat(129) }, { [name]: undefined }, { [name]: 'x'.repeat(300) }, { name: ' \t' }, ...(kind === 'web' ? [{ key: ' ' }] : [{ [name]: '  ' }])])
				fails(await make({ platformId: unique('f'), ...bad }), 400, 'general_argument_invalid')
			assert.deepEqual((await admin('GET', `/project/platforms/${id}`)).body, r.body)
			const before = { headers: { 'x-appwrite-response-format': '1.8.0' } }, old = await admin('GET', `/project/platforms/${id}`, undefined, before)
			keysOf(old.body, '$id $createdAt $updatedAt name type key store hostname httpUser httpPass')
			assert.equal(old.body[kind === 'web' ? 'hostname' : 'key'], v)
			assert.deepEqual((await admin('GET', '/project/platforms', undefined, before)).body.platforms.find((x) => x.$id === id), old.body)
			fails(await admin('PUT', `/project/platforms/${kind}/${id}`, { name: '  ', [name]: v }), 400, 'general_argument_invalid')
			const other = value(kind), now = (await admin('PUT', `/project/platforms/${kind}/${id}`, { name: 'G', [name]: other })).body
			assert.deepEqual([now.name, now.type, now[name]], ['G', kind, other])
			fails(await admin('PUT', `/project/platforms/${kind}/${id}`, { name: 'G' }), 400, 'general_argument_invalid')
			for (const [another, field] of Object.entries(kinds).filter(([k]) => k !== kind))
				fails(await admin('PUT', `/project/platforms/${another}/${id}`, { name: 'G', [field]: 'x.example' }), 400, 'platform_method_unsupported')
			const list = (await admin('GET', '/project/platforms', undefined, { query: { queries: [JSON.stringify({ method: 'equal', attribute: name, values: [other] }), JSON.stringify({ method: 'equal', attribute: 'type', values: [kind] })] } })).body
			assert.deepEqual([list.total, list.platforms.map((x) => x.$id)], [1, [id]])
			assert.equal((await admin('DELETE', `/project/platforms/${id}`)).status, 204)
			for (const m of ['GET', 'DELETE']) fails(await admin(m, `/project/platforms/${id}`), 404, 'platform_not_found')
			fails(await admin('PUT', `/project/platforms/${kind}/${id}`, { name: 'G', [name]: other }), 404, 'platform_not_found')
		}
	})

	test('by keys with the scope, and nobody else', async () => {
		const read = await p.addKey(['platforms.read']), write = await p.addKey(['platforms.write']), body = () => ({ platformId: unique('f'), name: 'F', hostname: 'k.example.org' })
		assert.equal((await by(write, 'POST', '/project/platforms/web', body())).status, 201)
		assert.equal((await by(read, 'GET', '/project/platforms')).status, 200)
		fails(await by(read, 'POST', '/project/platforms/web', body()), 401, 'general_unauthorized_scope')
		fails(await by(write, 'GET', '/project/platforms'), 401, 'general_unauthorized_scope')
		for (const [m, path] of [['GET', ''], ['GET', '/x'], ['DELETE', '/x'], ...Object.keys(kinds).flatMap((k) => [['POST', `/${k}`], ['PUT', `/${k}/x`]])])
			fails(await (await p.user()).call(m, `/project/platforms${path}`, { ...today, ...(m === 'GET' ? {} : { body: {} }) }), 401, 'general_unauthorized_scope')
		fails(await admin('GET', '/project/platforms', undefined, { query: { queries: ['{"method":"equal","attribute":"store","values":["x"]}'] } }), 400, 'general_argument_invalid')
	})

	test('each client is told the kind in its words', async () => {
		const of = { 'flutter-web': 'web', 'flutter-ios': 'apple', 'flutter-macos': 'apple', 'apple-watchos': 'apple', 'react-native-ios': 'apple', android: 'android', 'react-native-android': 'android', 'flutter-windows': 'windows', 'flutter-linux': 'linux' }
		const path = `/projects/${p.id}/platforms`
		for (const [type, kind] of Object.entries(of)) {
			const made = await owner.ok('POST', path, { body: { type, name: 'x', key: 'org.example.x', hostname: 'x.example.org', store: 's' }, ...old })
			keysOf(made, '$id $createdAt $updatedAt name type key store hostname httpUser httpPass')
			assert.equal(made.type, type)
			const now = await owner.ok('GET', `${path}/${made.$id}`, today)
			assert.deepEqual([now.type, now[kinds[kind]]], [kind, kind === 'web' ? 'x.example.org' : 'org.example.x'])
			assert.equal((await owner.ok('GET', path, today)).platforms.find((x) => x.$id === made.$id).type, kind)
			assert.equal((await owner.ok('GET', path, old)).platforms.find((x) => x.$id === made.$id).type, type)
			const list = (await admin('GET', '/project/platforms', undefined, { query: { queries: [JSON.stringify({ method: 'equal', attribute: 'type', values: [kind] }), JSON.stringify({ method: 'limit', values: [100] })] } })).body.platforms
			assert.ok(list.some((x) => x.$id === made.$id) && list.every((x) => x.type === kind))
			assert.equal((await owner.ok('PUT', `${path}/${made.$id}`, { body: { name: 'y', key: 'z' }, ...today })).name, 'y')
		}
		for (const [kind, before] of [['apple', 'apple-ios'], ['windows', 'flutter-windows'], ['linux', 'flutter-linux']]) {
			const made = (await admin('POST', `/project/platforms/${kind}`, { platformId: 'unique()', name: 'x', [kinds[kind]]: 'org.example.y' })).body
			assert.deepEqual((({ type, key, hostname }) => [type, key, hostname])(await owner.ok('GET', `${path}/${made.$id}`, old)), [before, 'org.example.y', ''])
		}
		const twin = (await admin('POST', '/project/platforms/web', { platformId: 'unique()', name: 'x', type: 'flutter-android', key: 'org.example.old' })).body
		assert.deepEqual([twin.type, twin.applicationId], ['android', 'org.example.old'])
		fails(await admin('POST', '/project/platforms/web', { platformId: 'unique()', name: 'x', type: 'phone', key: 'k' }), 400, 'general_bad_request')
	})
})

describe('origins, as clients of today are told', () => {
	const wrong = (what, host, kind) => `Invalid ${what}. Register your new client (${host}) as a new ${kind} platform on your project console dashboard`
	const scheme = (s, what, text) => `Invalid Scheme. The scheme used (${s}) in the ${what} (${text}) is not supported. If you are using a custom scheme, please change it to \`appwrite-callback-<PROJECT_ID>\``
	let q
	before(async () => {
		q = await s.project()
		await q.addPlatform({ hostname: '*.example.org' })
		await q.addPlatform({ hostname: 'abcdefghijklmnop' })
		for (const [type, key] of [['react-native-android', 'org.example.rn'], ['apple-tvos', 'org.example.tv']]) await q.addPlatform({ type, hostname: '', key })
		await q.admin('POST', '/project/platforms/apple', { body: { platformId: 'unique()', name: 'x', bundleIdentifier: 'org.example.mac' }, ...today })
	})
	const good = () => ['http://localhost:3000', 'http://127.0.0.1:5173', 'http://[::1]', 'https://a.example.org', 'chrome-extension://abcdefghijklmnop', 'tauri://localhost', 'appwrite-android://org.example.rn', 'appwrite-tvos://org.example.tv', 'appwrite-macos://org.example.mac',
		'appwrite-ios://org.example.mac', `appwrite-callback-${q.id}://`, `appwrite-callback-${q.id}://back`]
	const bad = (what) => [['https://evil.example:8443', wrong(what, 'evil.example', 'Web')], ['chrome-extension://other', wrong(what, 'other', 'Web')], ['appwrite-android://org.example.tv', wrong(what, 'org.example.tv', 'Android')], ['appwrite-watchos://x.y', wrong(what, 'x.y', 'watchOS')],
		['appwrite-windows://org.example.mac', wrong(what, 'org.example.mac', 'Windows')], ['gopher://a.example.org', scheme('gopher', what, 'gopher://a.example.org')], ['appwrite-callback-other://', scheme('appwrite-callback-other', what, 'appwrite-callback-other://')],
		['javascript://a.example.org', scheme('javascript', what, 'javascript://a.example.org')], ['null', `Invalid ${what}.`], ['example.org', `Invalid ${what}.`], ['http://localhost@evil.example', `Invalid ${what}.`], ['http://a$b.example.org', `Invalid ${what}.`]]

	test('of each method, by the header Origin alone', async () => {
		for (const m of ['GET', 'POST']) {
			const send = (headers) => q.guest(m, m === 'GET' ? '/health/version' : '/account/sessions/anonymous', { headers: { ...today.headers, ...headers }, ...(m === 'GET' ? {} : { body: {} }) })
			for (const origin of good()) {
				const r = await send({ origin })
				assert.equal(r.status, m === 'GET' ? 200 : 201, origin + r.text)
				if (!origin.startsWith('appwrite-callback')) assert.equal(r.headers['access-control-allow-origin'], origin)
			}
			for (const [origin, words] of bad('Origin')) {
				const r = await send({ origin })
				fails(r, 403, 'general_unknown_origin')
				assert.equal(r.body.message, words)
			}
			assert.equal((await send({ referer: 'https://evil.example/' })).status, m === 'GET' ? 200 : 201)
		}
		assert.equal((await q.guest('GET', '/health/version', { headers: { origin: 'https://evil.example' } })).status, 200, 'others are asked of writes alone')
		assert.equal((await q.call('GET', '/users', { headers: { ...today.headers, origin: 'https://evil.example' } })).status, 200)
		const u = await q.user()
		fails(await u.call('GET', '/account', { key: q.key, headers: { ...today.headers, origin: 'https://evil.example' } }), 403, 'general_unknown_origin')
		fails(await u.call('PATCH', '/account/name', { body: { name: 'Eve' }, headers: { ...today.headers, referer: 'https://evil.example/' } }), 403, 'general_unknown_origin')
	})

	test('who is sent back where', async () => {
		const u = await q.user(), go = (url, o = today) => q.guest('GET', '/account/sessions/oauth2/mock', { query: { success: url, failure: url }, ...o })
		for (const url of good()) for (const o of [today, {}]) assert.notEqual((await go(url, o)).status, 400, url)
		for (const [url, words] of bad('URI')) {
			for (const o of url.startsWith('gopher') ? [today] : [today, {}]) assert.equal((await go(url, o)).status, 400, url)
			const r = await u.call('POST', '/account/recovery', { body: { email: u.email, url }, ...today })
			fails(r, 400, 'general_argument_invalid')
			assert.equal(r.body.message, `Invalid \`url\` param: ${words}`)
		}
		fails(await u.call('POST', '/account/recovery', { body: { email: u.email, url: 'https://evil.example' }, ...today }), 400, 'general_argument_invalid')
	})
})

describe('keys of developers', () => {
	const at = () => `/projects/${p.id}/dev-keys`, later = () => new Date(Date.now() + 3600e3).toISOString()

	test('life', async () => {
		const made = await owner.ok('POST', at(), { body: { name: 'D', expire: later() }, status: 201, ...old })
		keysOf(made, '$id $createdAt $updatedAt name expire secret accessedAt sdks')
		assert.match(made.secret, /^[0-9a-f]{256}$/)
		assert.deepEqual(await owner.ok('GET', `${at()}/${made.$id}`, old), made)
		assert.ok((await owner.ok('GET', at(), old)).devKeys.some((k) => k.$id === made.$id))
		assert.ok((await owner.ok('GET', `/projects/${p.id}`, old)).devKeys.some((k) => k.secret === made.secret))
		assert.equal((await owner.ok('GET', at(), { query: { queries: [JSON.stringify({ method: 'equal', attribute: 'name', values: ['nobody'] })] }, ...old })).total, 0)
		const year = new Date(Date.now() + 365 * 86400e3).toISOString().replace('Z', '+00:00'), now = await owner.ok('PUT', `${at()}/${made.$id}`, { body: { name: 'E', expire: year }, ...old })
		assert.deepEqual([now.name, now.expire, now.secret], ['E', year, made.secret])
		for (const [m, tail] of [['POST', ''], ['PUT', `/${made.$id}`]]) {
			const r = await owner.call(m, at() + tail, { body: { name: 'F', expire: new Date(Date.now() + 368 * 86400e3).toISOString() }, ...old })
			fails(r, 400, 'general_argument_invalid')
			assert.match(r.body.message, /within a year/)
		}
		assert.equal((await owner.call('DELETE', `${at()}/${made.$id}`, old)).status, 204)
		for (const [m, body] of [['GET'], ['DELETE'], ['PUT', { name: 'x', expire: later() }]]) fails(await owner.call(m, `${at()}/${made.$id}`, { body, ...old }), 404, 'key_not_found')
		for (const body of [{ name: 'x' }, { expire: later() }, { name: 'n'.repeat(129), expire: later() }, { name: 'x', expire: 'whenever' }, { name: 'x', expire: null }])
			fails(await owner.call('POST', at(), { body, ...old }), 400, 'general_argument_invalid')
		const stranger = await s.user()
		for (const [m, tail, body] of [['POST', '', { name: 'x', expire: later() }], ['GET', ''], ['GET', '/x'], ['PUT', '/x', { name: 'x', expire: later() }], ['DELETE', '/x']])
			fails(await stranger.call(m, at() + tail, { body, ...old }), 404, 'project_not_found')
	})

	test('let any page in, with no right that a guest has not, and not with what its browser adds by itself', async () => {
		const { secret } = await owner.ok('POST', at(), { body: { name: 'D', expire: later() }, ...old }), origin = 'https://preview.example'
		const dev = (m, t, o = {}) => p.guest(m, t, { ...o, headers: { 'x-appwrite-dev-key': secret, origin, ...o.headers } })
		for (const o of [{}, today]) {
			const r = await dev('POST', '/account/sessions/anonymous', { body: {}, headers: o.headers })
			assert.equal(r.status, 201, r.text)
			assert.equal(r.headers['access-control-allow-origin'], origin)
			assert.equal(r.headers['set-cookie'], undefined)
			assert.ok(r.headers['x-fallback-cookies'])
			assert.equal((await dev('GET', '/account', { headers: { ...o.headers, 'x-fallback-cookies': r.headers['x-fallback-cookies'] } })).status, 200)
			fails(await dev('GET', '/users', { headers: o.headers }), 401, 'general_unauthorized_scope')
		}
		const u = await p.user()
		fails(await dev('GET', '/account', { cookie: u.cookie }), 401, 'general_unauthorized_scope')
		assert.equal((await dev('GET', '/account', { cookie: u.cookie, headers: { origin: 'http://localhost' } })).status, 200)
		/* where it would be sent back without the key, to which it leads no further */
		for (const route of ['sessions', 'tokens']) {
			assert.equal((await dev('GET', `/account/${route}/oauth2/mock`, { query: { success: 'https://preview.example/x', devKey: secret } })).status, 400)
			assert.notEqual((await dev('GET', `/account/${route}/oauth2/mock`, { query: { success: 'http://127.0.0.1:3000/x', devKey: secret } })).status, 400)
		}
		assert.equal((await p.guest('POST', '/account/sessions/anonymous', { body: { devKey: secret }, headers: { origin, ...today.headers } })).status, 201)
		await until('its use is noted', async () => (await owner.ok('GET', at(), old)).devKeys.find((k) => k.secret === secret).accessedAt !== '')
		/* of another project, wrong, or over: it counts for nothing */
		const q = await s.project(), over = await owner.ok('POST', at(), { body: { name: 'O', expire: '2020-01-01' }, ...old })
		fails(await q.guest('POST', '/account/sessions/anonymous', { body: {}, headers: { 'x-appwrite-dev-key': secret, origin } }), 403, 'general_unknown_origin')
		for (const k of ['x', secret.slice(1), over.secret]) fails(await dev('POST', '/account/sessions/anonymous', { body: {}, headers: { 'x-appwrite-dev-key': k } }), 403, 'general_unknown_origin')
	})

	test('send mails to nobody but developers', async () => {
		const { secret } = await owner.ok('POST', at(), { body: { name: 'D', expire: later() }, ...old }), u = await p.user()
		const recovery = (url, o) => p.guest('POST', '/account/recovery', { body: { email: u.email, url }, headers: { 'x-appwrite-dev-key': secret, ...o.headers } })
		for (const o of [{}, today]) {
			for (const url of ['https://evil.example/', 'http://127.0.0.1.evil.example/', 'http://localhost@evil.example/', 'http://10.0.0.1@evil.example/', 'http://evil.example\\@10.0.0.1/', 'http://8.8.8.8/', 'http://10.0.0.1.evil.example/', 'http://[2600::1]/', 'http://134744072/', 'http://8.8/', 'http://0x8.8.8.8/', 'http://10.1.2.3:5173/x', 'https://192.168.178.20/',
				'http://[fd00::1]/', 'http://[64:ff9b::808:808]/', 'http://[64:ff9b:1::808:808]/', 'http://[::808:808]/', 'http://[2001:0:102:304::1]/', 'http://100.64.1.1/', 'http://198.18.0.1/', 'http://240.0.0.1/', 'http://169.254.1.1/'])
				assert.equal((await recovery(url, o)).body.type, 'general_argument_invalid', url)
			for (const url of ['http://localhost:3000/', 'http://127.0.0.1/', 'http://127.0.0.2:5173/x', 'http://[::1]/'])
				assert.notEqual((await recovery(url, o)).body?.type, 'general_argument_invalid', url)
		}
	})

	test('guess and send no more than others', async (t) => {
		const own = await server({ own: true, conf: { rate_limits: 'on' } })
		t.after(() => own.stop())
		const q = await own.project(), { secret } = await q.console.ok('POST', `/projects/${q.id}/dev-keys`, { body: { name: 'D', expire: later() }, ...old })
		/* nobody who has been here before */
		const u = { id: unique(), email: `${unique()}@example.org` }
		await q.ok('POST', '/users', { body: { userId: u.id, email: u.email, password: 'password-1234' } })
		for (const [m, target, body, wrong] of [['PUT', '/account/sessions/phone', { userId: u.id, secret: '000000' }, 401], ['POST', '/account/sessions/email', { email: u.email, password: 'wrong-password' }, 401]]) {
			const codes = []
			for (let i = 0; i < 12; i++) codes.push((await q.guest(m, target, { body, headers: { 'x-appwrite-dev-key': secret } })).status)
			assert.deepEqual(codes, [...Array(10).fill(wrong), 429, 429], target)
		}
		/* whatever goes to people, or hashes */
		const v = await q.user(), dev = { 'x-appwrite-dev-key': secret, ...today.headers }, team = (await v.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'T' } })).$id
		for (const [m, target, body] of [['POST', '/account/verification', { url: 'http://localhost/' }], ['POST', '/account/verifications/email/otp', {}],
			['POST', '/account/verification/phone', {}], ['POST', `/teams/${team}/memberships`, () => ({ email: `${unique()}@example.org`, roles: [], url: 'http://localhost/' })],
			['PATCH', '/account/password', { password: 'correct-horse', oldPassword: 'correct-horse' }]]) {
			const codes = []
			for (let i = 0; i < 11; i++) codes.push((await v.call(m, target, { body: typeof body === 'function' ? body() : body, headers: dev })).status)
			assert.deepEqual([codes.slice(0, 10).includes(429), codes[10]], [false, 429], `${target} ${codes}`)
		}
	})

	test('have no limits, but wrong passwords are wrong passwords', async (t) => {
		const own = await server({ own: true, conf: { rate_limits: 'on', guess_client: 5 } })
		t.after(() => own.stop())
		const q = await own.project(), { secret } = await q.console.ok('POST', `/projects/${q.id}/dev-keys`, { body: { name: 'D', expire: later() }, ...old })
		const sign = () => q.guest('POST', '/account', { body: { userId: 'unique()', email: `${unique()}@example.org`, password: 'password-1234' }, headers: { 'x-appwrite-dev-key': secret } })
		for (let i = 0; i < 15; i++) assert.equal((await sign()).status, 201)
		const codes = []
		for (let i = 0; i < 7; i++) codes.push((await q.guest('POST', '/account/sessions/email', { body: { email: `${unique()}@example.org`, password: 'password-1234' }, headers: { 'x-appwrite-dev-key': secret } })).status)
		assert.deepEqual(codes, [401, 401, 401, 401, 401, 429, 429])
	})
})

describe('variables of a project', () => {
	const make = (more, o) => admin('POST', '/project/variables', { variableId: unique('v'), key: unique('K'), value: 'hush', ...more }, o)

	test('life', async () => {
		const id = unique('v'), key = unique('K'), r = await make({ variableId: id, key, secret: false })
		assert.equal(r.status, 201, r.text)
		keysOf(r.body, '$id $createdAt $updatedAt key value secret resourceType resourceId')
		assert.deepEqual([r.body.$id, r.body.key, r.body.value, r.body.secret, r.body.resourceType], [id, key, 'hush', false, 'project'])
		assert.deepEqual((await admin('GET', `/project/variables/${id}`)).body, r.body)
		fails(await make({ variableId: id }), 409, 'variable_already_exists')
		fails(await make({ key }), 409, 'variable_already_exists')
		const put = (body) => admin('PUT', `/project/variables/${id}`, body)
		assert.equal((await put({ value: '' })).body.value, '')
		assert.equal((await put({ key: `${key}_2`, value: 'x' })).body.key, `${key}_2`)
		fails(await put({}), 400, 'general_argument_invalid')
		fails(await put({ key: null, value: null, secret: null }), 400, 'general_argument_invalid')
		const secret = (await put({ secret: true })).body
		assert.deepEqual([secret.secret, secret.value], [true, ''])
		fails(await put({ secret: false }), 400, 'variable_cannot_unset_secret')
		assert.equal((await put({ value: 'new', secret: true })).body.value, '')
		const other = (await make()).body
		fails(await put({ key: other.key }), 409, 'variable_already_exists')
		const list = (...queries) => admin('GET', '/project/variables', undefined, { query: { queries: queries.map((x) => JSON.stringify(x)) } })
		assert.deepEqual((await list({ method: 'equal', attribute: 'key', values: [`${key}_2`] })).body.variables, [(await admin('GET', `/project/variables/${id}`)).body])
		assert.ok((await admin('GET', '/project/variables')).body.variables.every((v) => v.value === '' || !v.secret))
		assert.equal((await admin('GET', '/project/variables', undefined, { query: { total: false } })).body.total, 0)
		fails(await list({ method: 'equal', attribute: 'value', values: ['new'] }), 400, 'general_argument_invalid')
		assert.equal((await admin('DELETE', `/project/variables/${id}`)).status, 204)
		for (const [m, body] of [['GET'], ['DELETE'], ['PUT', { value: 'x' }]]) fails(await admin(m, `/project/variables/${id}`, body), 404, 'variable_not_found')
	})

	test('a secret one is told to nobody, and what is refused', async () => {
		const v = (await make()).body
		assert.deepEqual([v.secret, v.value], [true, ''])
		for (const bad of [{ variableId: undefined }, { variableId: 'a b' }, { key: undefined }, { key: '1a' }, { key: 'a-b' }, { key: 'k'.repeat(256) }, { value: undefined }, { value: 'v'.repeat(8193) }, { secret: 'true' }])
			fails(await make(bad), 400, 'general_argument_invalid')
		/* clients before 1.7 know no secret ones, those before 1.9 choose no id */
		const before17 = await p.admin('POST', '/project/variables', { body: { key: unique('K'), value: 'open' }, ...format('1.6.0') })
		assert.equal(before17.status, 201, before17.text)
		assert.equal(before17.body.value, 'open')
		assert.ok(!('secret' in before17.body))
	})

	test('by keys with the scope, and nobody else', async () => {
		const read = await p.addKey(['project.read']), write = await p.addKey(['project.write']), body = () => ({ variableId: unique('v'), key: unique('K'), value: 'x' })
		assert.equal((await by(write, 'POST', '/project/variables', body())).status, 201)
		assert.equal((await by(read, 'GET', '/project/variables')).status, 200)
		fails(await by(read, 'POST', '/project/variables', body()), 401, 'general_unauthorized_scope')
		const u = await p.user()
		for (const [m, path, b] of [['POST', '', body()], ['GET', ''], ['GET', '/x'], ['PUT', '/x', { value: 'x' }], ['DELETE', '/x']]) fails(await u.call(m, `/project/variables${path}`, { body: b, ...today }), 401, 'general_unauthorized_scope')
	})

	test('two that are made at once with one key: one is', async () => {
		const key = unique('K'), all = await Promise.all(Array.from({ length: 4 }, () => make({ key })))
		assert.deepEqual(all.map((r) => r.status).sort(), [201, 409, 409, 409])
	})
})
