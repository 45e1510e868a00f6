/* That each reply is held against its description (lib/shapes.mjs) is worth something only when the check sees what is wrong. Here replies of
 * the server are spoilt in every way that it must see. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'

import { server, until } from '../lib/server.mjs'
import { Misfit, description, formatOf } from '../lib/shapes.mjs'

let s, p, ada, api, account, list, failure
before(async () => {
	s = await server()
	p = await s.project()
	ada = await p.user({ name: 'Ada' })
	await p.user({ name: 'Bob' })
	api = await description(s.base)
	account = await ada.call('GET', '/account')
	list = await p.call('GET', '/users')
	failure = await p.call('GET', '/users/nobody')
})

const json = 'application/json; charset=UTF-8'
/* The reply with its body changed by `spoil`. */
const spoilt = (reply, spoil) => {
	const body = structuredClone(reply.body)
	spoil(body)
	return { ...reply, body, text: JSON.stringify(body) }
}
const look = (method, path, reply, version) => api.reply(method, new URL(`/v1${path}`, s.base), version, reply)
const refused = (why, method, path, reply, version) => assert.throws(() => look(method, path, reply, version), (e) => e instanceof Misfit && e.message.includes(`${method} /v1${path.split('?')[0]}: ${reply.status}: ${why}`) || assert.fail(e))

describe('the check lets through', () => {
	test('what the server answered', () => {
		look('GET', '/account', account)
		look('GET', '/users', list)
		look('GET', '/users/nobody', failure)
		look('DELETE', '/users/x', { status: 204, headers: {}, text: '' })
		look('HEAD', '/account', { status: 200, headers: { 'content-type': json }, text: '' })
	})
	test('a list that was asked not to count', () => {
		look('GET', '/users?total=false', spoilt(list, (b) => { b.total = 0 }))
		refused(`body.total is ${list.body.total}`, 'GET', '/users?total=false', list)
	})
})

describe('the check finds', () => {
	const members = [
		['a missing member', 'body.email is missing', (b) => { delete b.email }],
		['a member that is not declared', 'body.password is not declared', (b) => { b.password = 'x' }],
		['a wrong type', 'body.status: "yes" is no boolean', (b) => { b.status = 'yes' }],
		['a number for a text', 'body.name: 5 is no string', (b) => { b.name = 5 }],
		['null', 'body.name: null is no string', (b) => { b.name = null }],
		['a date without milliseconds', 'body.$createdAt: "2022-10-10T10:10:10+00:00" is no date-time', (b) => { b.$createdAt = '2022-10-10T10:10:10+00:00' }],
		['a date of another zone', 'body.$createdAt: "2022-10-10T10:10:10.000Z" is no date-time', (b) => { b.$createdAt = '2022-10-10T10:10:10.000Z' }],
		['a day that there is not', 'body.registration: "2022-13-10T10:10:10.000+00:00" is no date-time', (b) => { b.registration = '2022-13-10T10:10:10.000+00:00' }],
		['an empty date where there is always one', 'body.registration: "" is no date-time', (b) => { b.registration = '' }],
		['half a date where there may be none', 'body.passwordUpdate: "2022" is no date-time', (b) => { b.passwordUpdate = '2022' }],
		['an id that is none', 'body.$id: "a b" does not match', (b) => { b.$id = 'a b' }],
		['preferences that are no object', 'body.prefs: "x" is no object', (b) => { b.prefs = 'x' }],
		['a list of something as preferences', 'body.prefs: [1] is no object', (b) => { b.prefs = [1] }],
	]
	for (const [what, why, spoil] of members) test(what, () => refused(why, 'GET', '/account', spoilt(account, spoil)))

	test('a total that is less than what is there', () => refused('body.total is 1 for 2 in the list', 'GET', '/users', spoilt(list, (b) => { b.total = 1; b.users.length = 2 })))
	test('a total that is no number, or below zero', () => {
		refused('body.total: "2" is no integer', 'GET', '/users', spoilt(list, (b) => { b.total = '2' }))
		refused('body.total: -1 is less than 0', 'GET', '/users', spoilt(list, (b) => { b.total = -1 }))
	})
	test('an element of another model', () => refused('body.users[0].password is missing', 'GET', '/users', spoilt(list, (b) => { b.users[0] = account.body })))
	test('a word that is none of those that there are', async () => {
		const logs = await until('an entry', async () => { const r = await ada.call('GET', '/account/logs'); return r.body.total > 0 && r })
		refused('body.logs[0].mode: "god" is none of', 'GET', '/account/logs', spoilt(logs, (b) => { b.logs[0].mode = 'god' }))
	})
	test('an attribute of no kind', () => {
		const one = { key: 'k', type: 'string', status: 'available', required: false, array: false, format: 'email', default: null }
		const path = '/databases/d/collections/c/attributes/k', reply = (body) => ({ status: 200, headers: { 'content-type': json }, text: JSON.stringify(body) })
		look('GET', path, reply(one))
		refused('body.', 'GET', path, reply({ ...one, format: 'mail' }))
		refused('body.', 'GET', path, reply({ ...one, format: undefined }))
		refused('body.', 'GET', path, reply({ ...one, elements: ['a'] }))
	})

	test('a body for 204 and for HEAD, and a missing one', () => {
		refused('a body of 2 characters where none is declared', 'DELETE', '/users/x', { status: 204, headers: {}, text: '{}' })
		refused('a body for HEAD', 'HEAD', '/account', account)
		refused('the body is no JSON', 'GET', '/account', { ...account, text: '' })
	})
	test('a status that is not declared, a path that is not described, another type', () => {
		refused('a status that is not declared', 'GET', '/account', { ...account, status: 201 })
		refused('a path that is not described', 'GET', '/nowhere', account)
		refused('type text/html instead of JSON', 'GET', '/account', { ...account, headers: { 'content-type': 'text/html' } })
		refused('type text/html instead of text/plain', 'GET', '/robots.txt', { status: 200, headers: { 'content-type': 'text/html' }, text: 'x' })
	})
	const errors = [
		['without words', 'body.message: "" is too short', (b) => { b.message = '' }],
		['without a member', 'body.version is missing', (b) => { delete b.version }],
		['with another code than the status', 'body.code is 400', (b) => { b.code = 400 }],
		['with the code as text', 'body.code: "404" is no integer', (b) => { b.code = '404' }],
		['of a type that there is not', 'body.type: "user_lost" is none of', (b) => { b.type = 'user_lost' }],
		['of a type that has another status', 'body.type user_blocked does not go with the status', (b) => { b.type = 'user_blocked' }],
		['with more than that', 'body.detail is not declared', (b) => { b.detail = 'SELECT' }],
	]
	for (const [what, why, spoil] of errors) test(`an error ${what}`, () => refused(why, 'GET', '/users/nobody', spoilt(failure, spoil)))
	test('an error of a path that there is not', () => refused('body.code is 400', 'GET', '/nowhere', { ...spoilt(failure, (b) => { b.code = 400 }) }))

	test('an event whose payload is of another model', () => {
		const event = { events: [`users.${ada.id}.update.name`], channels: ['account'], payload: account.body }
		api.event(event)
		assert.throws(() => api.event({ ...event, payload: { ...account.body, secret: 'x' } }), /payload.secret is not declared/)
		assert.throws(() => api.event({ ...event, events: ['users.x.vanish'] }), /not described/)
		assert.throws(() => api.event({ ...event, channels: 'account' }), /channels is/)
	})
})

describe('older formats', () => {
	test('are found by the version', () => {
		const name = (v) => formatOf(api.formats, v)?.name
		assert.deepEqual([undefined, '', '0', '1.0.0', '0.15.4', '0.15.3', '0.15', '0.14.0', '0.13.4', '0.12.4', '0.12', '0.11.2', '0.2', 'x'].map(name),
			[undefined, undefined, undefined, undefined, undefined, '0.15', '0.15', '0.14', '0.13', '0.12', '0.12', '0.11', '0.11', '0.11'])
	})
	test("are checked: today's form is none of theirs", async () => {
		const team = await p.call('POST', '/teams', { body: { teamId: 'unique()', name: 'T' } }), path = `/teams/${team.body.$id}`
		const of = (version) => p.call('GET', path, { headers: { 'x-appwrite-response-format': version } })
		for (const version of ['0.11.0', '0.12.0', '0.13.0', '0.14.0', '0.15.0']) look('GET', path, await of(version), version)
		const now = await of('1.0.0')
		refused('body.$createdAt: "', 'GET', path, now, '0.15.0')
		refused('body.$createdAt is not declared', 'GET', path, now, '0.14.0')
		refused('body.sum is missing', 'GET', path, now, '0.12.0')
		refused('body.$createdAt: 1', 'GET', path, await of('0.15.0'), '1.0.0')
		refused('body.type is not declared', 'GET', '/users/nobody', failure, '0.12.0')
	})
})

test('the check knows every operation once, and all that it may ask', () => {
	assert.equal(new Set(api.operations.map((o) => o.name)).size, api.operations.length)
	for (const { name } of api.operations) { const [method, path] = name.split(' '); assert.equal(api.find(method, path.replace(/\{\w+\}/g, '_')).name, name) }
	for (const model of Object.keys(api.models)) for (const format of [undefined, ...api.formats]) assert.doesNotThrow(() => api.misfit(model, {}, format), model)
})
