/* The texts that are part of the wire contract: clients compare them, so each is provoked by a request and held to the letter. All other words are ours.
 * Without a row: Magic URL's switch, which switches nothing, and `Unsupported authentication route`, `Invalid path`, `Format <f> not available for <t> attributes.` and `Bad structure. <reason>`, which no
 * request can bring about here, since tables and validators exclude what they are said of. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { cookieOf, server, unique } from '../lib/server.mjs'
import { sink } from '../lib/smtp.mjs'
import { collection, database } from './docs.mjs'
import { fails } from './lib.mjs'

const url = 'http://localhost/page', mail = () => `${unique('x')}@example.org`
let s, p, u, db, c

function says(reply, status, type, message) {
	fails(reply, status, type)
	assert.equal(reply.body.message, message)
}

before(async () => {
	s = await server()
	p = await s.project()
	u = await p.user()
	db = await database(p)
	c = await collection(p, db, {
		permissions: ['create("users")', 'read("users")'],
		attributes: {
			text: { type: 'string', size: 8 }, many: { type: 'string', size: 8, array: true }, whole: { type: 'integer', min: -10, max: 10000 }, any: { type: 'integer' }, part: { type: 'float', min: 0.5, max: 1500 },
			yes: { type: 'boolean' }, email: { type: 'email' }, ip: { type: 'ip' }, url: { type: 'url' }, one: { type: 'enum', elements: ['new', 'used'] },
		},
	})
})

describe('parameters: the tails of validators', () => {
	const attribute = (type) => [`${c.path}/attributes/${type}`, { key: 'k', required: false }]
	const rows = () => [	/* route, body, what is wrong, the message */
		[...attribute('string'), { size: 5, default: 5 }, 'Invalid default: Value must be a valid string'],
		['/teams', { teamId: 'unique()' }, { name: 'x'.repeat(129) }, 'Invalid name: Value must be a valid string and no longer than 128 chars'],
		['/teams', { teamId: 'unique()' }, { name: 5 }, 'Invalid name: Value must be a valid string and no longer than 128 chars'],
		['/teams', { teamId: 'unique()' }, {}, 'Param "name" is not optional.'],
		[...attribute('integer'), { min: '5' }, 'Invalid min: Value must be a valid integer'],
		[...attribute('float'), { max: '5.5' }, 'Invalid max: Value must be a valid float'],
		[...attribute('boolean'), { array: 'yes' }, 'Invalid array: Value must be a valid boolean'],
		[...attribute('string'), { size: 0 }, 'Invalid size: Value must be a valid range between 1 and 1,073,741,824'],
		[...attribute('enum'), { elements: [5] }, 'Invalid elements: Value must a valid array and Value must be a valid string and no longer than 4096 chars'],
		[...attribute('email'), { default: 'a@localhost' }, 'Invalid default: Value must be a valid email address'],
		[...attribute('email'), { default: 5 }, 'Invalid default: Value must be a valid email address'],
		[...attribute('email'), { default: 'x@y', array: 5 }, 'Invalid default: Value must be a valid email address'],
		[...attribute('ip'), { default: '1.2.3' }, 'Invalid default: Value must be a valid IP address'],
		[...attribute('ip'), { default: {} }, 'Invalid default: Value must be a valid IP address'],
		[...attribute('url'), { default: 'a.b' }, 'Invalid default: Value must be a valid URL'],
		[...attribute('url'), { default: `http://a.b/${'x'.repeat(2000)}` }, 'Invalid default: Value must be a valid URL'],
		[`${c.path}/indexes`, { key: 'k', attributes: ['text'] }, { type: 'tree' }, 'Invalid type: Value must be one of (key, fulltext, unique, spatial, array, case-insensitive)'],
		['/users', { userId: 'unique()', password: 'password-1', name: 'N' }, { email: 'x' }, 'Invalid email: Value must be a valid email address'],
	]
	test('each', async () => {
		for (const [path, body, wrong, message] of rows()) says(await p.call('POST', path, { body: { ...body, ...wrong } }), 400, 'general_argument_invalid', message)
		for (const total of ['x', 2]) says(await p.call('GET', `${c.path}/attributes?total=${total}`), 400, 'general_argument_invalid', 'Invalid total: Value must be a valid boolean')
	})
	test('to later clients the name is marked', async () => {
		const users = (version, body) => p.call('POST', '/users', { headers: { 'x-appwrite-response-format': version }, body: { userId: 'unique()', ...body } }), type = 'general_argument_invalid'
		for (const [version, name, short] of [['1.4.0', 'email', 'A password has at least 8 characters.'], ['1.5.0', '`email` param', 'Password must be between 8 and 265 characters long.']]) {
			says(await users(version, { email: 'x' }), 400, type, `Invalid ${name}: Value must be a valid email address`)
			says(await users(version, { password: 'x' }), 400, type, `Invalid ${name.replace('email', 'password')}: ${short}`)
			says(await users(version, { userId: undefined }), 400, type, 'Param "userId" is not optional.')
			const r = await p.call('GET', '/users', { headers: { 'x-appwrite-response-format': version }, query: { queries: ['{"method":"equal","attribute":"x","values":[1]}'] } })
			says(r, 400, type, `Invalid ${name.replace('email', 'queries')}: Attribute not found in schema: x.`)
		}
	})
	test('a URL of certain schemes', async () => {
		const r = await p.console.call('POST', `/projects/${p.id}/webhooks`, { body: { name: 'W', events: ['users.*.create'], url: 'ftp://a.b', security: false } })
		says(r, 400, 'general_argument_invalid', 'Invalid url: Value must be a valid URL with following schemes (http, https)')
	})
})

describe('documents', () => {
	const bad = 'Invalid document structure: '
	test('values', async () => {
		const far = '-9,223,372,036,854,775,808 and 9,223,372,036,854,775,808'
		for (const [key, value, tail, check = 'format'] of [
			['text', 'x'.repeat(9), 'Value must be a valid string and no longer than 8 chars', 'type'], ['text', 5, 'Value must be a valid string and no longer than 8 chars', 'type'],
			['whole', 10001, 'Value must be a valid range between -10 and 10,000'], ['whole', '5.0', 'Value must be a valid range between -10 and 10,000'], ['any', 'x', `Value must be a valid range between ${far}`],
			['part', 0.4, 'Value must be a valid range between 0 and 1,500'], ['yes', 1, 'Value must be a valid boolean', 'type'], ['email', 'a@b', 'Value must be a valid email address'],
			['ip', 'x', 'Value must be a valid IP address'], ['url', 'x', 'Value must be a valid URL'], ['one', 'old', 'Value must be one of (new, used)'], ['one', 5, 'Value must be one of (new, used)'],
		])
			says(await p.call('POST', c.docs, { body: { documentId: 'unique()', data: { [key]: value } } }), 400, 'document_invalid_structure', `${bad}Attribute "${key}" has invalid ${check}. ${tail}`)
		const r = await p.call('POST', c.docs, { body: { documentId: 'unique()', data: { many: ['a', 5] } } })
		says(r, 400, 'document_invalid_structure', `${bad}Attribute "many['1']" has invalid type. Value must be a valid string and no longer than 8 chars`)
		/* an update as well */
		const { $id } = await c.doc({ text: 'a' })
		says(await p.call('PATCH', `${c.docs}/${$id}`, { body: { data: { email: 'a@b' } } }), 400, 'document_invalid_structure', `${bad}Attribute "email" has invalid format. Value must be a valid email address`)
	})
	test('roles that the caller does not hold', async () => {
		const guest = await collection(p, db, { permissions: ['create("any")'], attributes: { a: { type: 'string', size: 8 } } })
		const put = (call, where, permissions) => call('POST', where, { body: { documentId: 'unique()', data: { text: 'a', a: 'a' }, permissions } })
		says(await put(u.call, c.docs, ['read("guests")']), 401, 'user_unauthorized', `Permissions must be one of: (any, users, user:${u.id}, user:${u.id}/unverified, users/unverified)`)
		says(await put(p.guest, guest.docs, ['read("users")']), 401, 'user_unauthorized', 'Permissions must be one of: (any, guests)')
	})
	test('indexes and cursors', async () => {
		const list = (...queries) => p.call('GET', c.docs, { query: { queries } })
		says(await list('equal("text", "a")', 'equal("whole", 1)'), 400, 'general_argument_invalid', 'Index not found: text,whole')
		says(await list('orderAsc("text")', 'orderDesc("whole")'), 400, 'general_argument_invalid', 'Index not found: text,whole')
		for (const where of ['cursorAfter', 'cursorBefore']) says(await list(`${where}("Nobody")`), 400, 'general_cursor_not_found', `Document 'Nobody' for the 'cursor' value not found.`)
	})
})

test('cursors of all lists', async () => {
	const team = unique('t')
	await p.ok('POST', '/teams', { body: { teamId: team, name: 'T' } })
	for (const [entity, call, path] of [['Project', p.console.call, '/projects'], ['Database', p.call, '/databases'], ['Collection', p.call, `/databases/${db}/collections`], ['Team', p.call, '/teams'],
		['Membership', p.call, `/teams/${team}/memberships`], ['User', p.call, '/users']])
		says(await call('GET', path, { query: { queries: ['cursorAfter("nobody")'] } }), 400, 'general_cursor_not_found', `${entity} 'nobody' for the 'cursor' value not found.`)
})

describe('attributes and indexes', () => {
	const rows = [	/* type of attribute, parameters, error type, message */
		['string', { size: 3, default: 'four' }, 'attribute_value_invalid', 'Value must be a valid string and no longer than 3 chars'],
		['string', { size: 3, default: 'abc', required: true }, 'attribute_default_unsupported', 'Cannot set default value for required attribute'],
		['string', { size: 3, default: 'abc', array: true }, 'attribute_default_unsupported', 'Cannot set default value for array attributes'],
		['string', { size: 16383 }, 'attribute_limit_exceeded', 'Attribute limit exceeded'],
		['integer', { min: 5, max: 4 }, 'attribute_value_invalid', 'Minimum value must be lesser than maximum value'],
		['float', { min: 5.5, max: 5.4 }, 'attribute_value_invalid', 'Minimum value must be lesser than maximum value'],
		['integer', { min: 5, max: 4000, default: 4 }, 'attribute_value_invalid', 'Value must be a valid range between 5 and 4,000'],
		['float', { min: 5, max: 6, default: 4.5 }, 'attribute_value_invalid', 'Value must be a valid range between 5 and 6'],
		['enum', { elements: ['a', ''] }, 'attribute_value_invalid', 'Each enum element must not be empty'],
		['enum', { elements: ['a', 'b'], default: 'c' }, 'attribute_value_invalid', 'Default value not found in elements'],
	]
	test('attributes', async () => {
		for (const [type, body, error, message] of rows) says(await p.call('POST', `${c.path}/attributes/${type}`, { body: { key: 'new', required: false, ...body } }), 400, error, message)
	})
	test('indexes', async () => {
		const index = (key, attributes) => p.call('POST', `${c.path}/indexes`, { body: { key, type: 'key', attributes } })
		says(await index('i', ['text', 'nothing']), 400, 'attribute_unknown', 'Unknown attribute: nothing')
		const d = await collection(p, db, { attributes: { a: { type: 'string', size: 8 }, b: { type: 'string', size: 8 } } })
		const make = (key, type, attributes) => p.call('POST', `${d.path}/indexes`, { body: { key, type, attributes } })
		/* a unique index holds the attribute that is deleted: it stays, stuck */
		assert.equal((await make('both', 'unique', ['a', 'b'])).status, 202)
		await p.ok('DELETE', `${d.path}/attributes/a`)
		says(await make('i', 'key', ['a']), 400, 'attribute_not_available', 'Attribute not available: a')
		for (let i = 1; i < 59; i++) assert.equal((await make(`k${i}`, 'key', ['b'])).status, 202)
		says(await make('last', 'key', ['b']), 400, 'index_limit_exceeded', 'Index limit exceeded')
	})
})

describe('accounts', () => {
	test('anonymous sessions', async () => {
		says(await s.call('POST', '/account/sessions/anonymous', { project: 'console', body: {} }), 401, 'user_anonymous_console_prohibited', 'Failed to create anonymous user')
		says(await u.call('POST', '/account/sessions/anonymous', { body: {} }), 401, 'user_session_already_exists', 'Cannot create an anonymous user when logged in')
	})
	test('JWT', async () => {
		const r = await p.guest('GET', '/account', { jwt: 'x' })
		fails(r, 401, 'user_jwt_invalid')
		assert.match(r.body.message, /^Failed to verify JWT\. ./)
	})
	test('without mails and short messages', async () => {
		for (const [call, path, body, type, message] of [[p.guest, '/recovery', { email: u.email, url }, 'smtp', 'SMTP Disabled'], [u.call, '/verification', { url }, 'smtp', 'SMTP Disabled'],
			[p.guest, '/sessions/magic-url', { userId: 'unique()', email: u.email }, 'smtp', 'SMTP disabled'], [p.guest, '/sessions/phone', { userId: 'unique()', phone: '+4930123456' }, 'phone', 'Phone provider not configured']])
			says(await call('POST', `/account${path}`, { body }), 503, `general_${type}_disabled`, message)
	})
	test('ways to sign in that are off', async () => {
		const q = await s.project(), team = unique('t'), v = await q.user()
		await v.ok('POST', '/teams', { body: { teamId: team, name: 'T' } })
		for (const [method, name, call, path, body] of [['email-password', 'Email / Password', q.guest, '/account/sessions/email', {}],
			['anonymous', 'Anonymous', q.guest, '/account/sessions/anonymous', {}], ['invites', 'Invites', v.call, `/teams/${team}/memberships`, {}], ['jwt', 'JWT', v.call, '/account/jwt', {}]]) {
			await q.console.ok('PATCH', `/projects/${q.id}/auth/${method}`, { body: { status: false } })
			says(await call('POST', path, { body }), 501, 'user_auth_method_unsupported', `${name} authentication is disabled for this project`)
		}
	})
})

describe('teams', () => {
	let own, box
	before(async () => {
		box = await sink()
		own = await server({ own: true, conf: { smtp_host: '127.0.0.1', smtp_port: box.port, web_processes: 1 } })
	})
	after(async () => {
		await own.stop()
		box.stop()
	})
	test('invitations', async () => {
		const q = await own.project(), [owner, other] = [await q.user(), await q.user()], team = unique('t'), email = mail()
		await owner.ok('POST', '/teams', { body: { teamId: team, name: 'T' } })
		const path = `/teams/${team}/memberships`, invite = (call, to) => call('POST', path, { body: { email: to, roles: ['player'], url } })
		assert.equal((await invite(owner.call, other.email)).status, 201)
		const link = new URL((await box.next(other.email)).link).searchParams, accept = (call, userId) => call('PATCH', `${path}/${link.get('membershipId')}/status`, { body: { userId, secret: link.get('secret') } })
		says(await accept(owner.call, other.id), 401, 'team_invite_mismatch', `Invite does not belong to current user (${owner.email})`)
		says(await accept(other.call, owner.id), 401, 'team_invite_mismatch', `Invite does not belong to current user (${other.email})`)
		/* it proves the address, and ends the sessions of before */
		const cookie = cookieOf(await accept(other.call, other.id)), member = (method, at, body) => q.guest(method, at, { body, cookie })
		says(await member('POST', path, { email, roles: ['player'], url }), 401, 'user_unauthorized', 'User is not allowed to send invitations for this team')
		says(await member('PATCH', `${path}/${link.get('membershipId')}`, { roles: ['owner'] }), 401, 'user_unauthorized', 'User is not allowed to modify roles')
		await q.console.ok('PATCH', `/projects/${q.id}/auth/limit`, { body: { limit: 2 } })
		says(await invite(owner.call, email), 501, 'user_count_exceeded', 'Project registration is restricted. Contact your administrator for more information.')
	})
})

describe('the rest', () => {
	test('what no route serves, and what is for trials', async () => {
		says(await p.call('GET', '/nothing'), 404, 'general_route_not_found', 'Not Found')
		says(await s.call('GET', '/mock/tests/general/400-error'), 400, 'general_mock', 'Mock 400 error')
		says(await s.call('GET', '/mock/tests/general/500-error'), 500, 'general_mock', 'Server Error')
	})
	test('challenges of certificates', async () => {
		const get = (token) => s.call('GET', `/.well-known/acme-challenge/${token}`, { root: true })
		says(await get('a%20b'), 400, 'general_argument_invalid', 'Invalid challenge token.')
		says(await get('unknown'), 404, 'general_route_not_found', 'Unknown path')
	})
	test('the project with the name of the console', async () => {
		const { $id: teamId } = await p.console.ok('POST', '/teams', { body: { teamId: 'unique()', name: 'T' } })
		says(await p.console.call('POST', '/projects', { body: { projectId: 'console', name: 'N', teamId } }), 400, 'project_reserved_project', `'console' is a reserved project.`)
	})
	test('scopes and origins', async () => {
		says(await p.guest('GET', '/users'), 401, 'general_unauthorized_scope', 'User (role: guests) missing scope (users.read)')
		says(await u.call('GET', '/users'), 401, 'general_unauthorized_scope', `${u.email} (role: users) missing scope (users.read)`)
		const later = { headers: { 'x-appwrite-response-format': '1.8.0' } }
		says(await p.guest('GET', '/users', later), 401, 'general_unauthorized_scope', 'User (role: guests) missing scopes (["users.read"])')
		says(await p.call('PUT', '/account/verification', { ...later, body: { userId: 'x', secret: 'x' } }), 401, 'general_unauthorized_scope', `app.${p.id}@service.${s.base.hostname} (role: applications) missing scopes (["public"])`)
		for (const [origin, message] of [['https://evil.example', 'Invalid Origin. Register your new client (evil.example) as a new Web platform on your project console dashboard'],
			['appwrite-ios://evil.example', 'Invalid Origin. Register your new client (evil.example) as a new iOS platform on your project console dashboard'], ['gopher://evil.example', 'Unsupported platform']])
			says(await p.guest('POST', '/account', { headers: { origin }, body: {} }), 403, 'general_unknown_origin', message)
	})
})
