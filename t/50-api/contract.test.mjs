/* Our description of the API against that of the contract (contract.json: of each model its members with their types, "?" may be missing, "*" any
 * further ones; of each operation its status and model). Where they differ on purpose the reason stands here; a reason that is no longer
 * needed fails as well. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, test } from 'node:test'

import { server } from '../lib/server.mjs'
import { description } from '../lib/shapes.mjs'

const always = (model, ...members) => members.map((m) => [`${model}.${m}`, 'may be missing there: we always have it'])
const object = (...members) => members.map((m) => [m, 'an empty object may be written as an empty list, there too'])
const usage = (model, ...members) => members.map((m) => [`${model}.${m}`, 'a list of lists there; on the wire it is one of metrics'])
const deviations = new Map([
	...['GET /v1/projects/{projectId}/platforms', 'POST /v1/projects/{projectId}/platforms', 'GET /v1/projects/{projectId}/platforms/{platformId}', 'PUT /v1/projects/{projectId}/platforms/{platformId}'].map((m) => [m, 'a kind of platform for clients that speak 1.9.0 or later']),
	['GET /v1/health/db', 'a list for clients that speak 1.9.0 or later'], ['GET /v1/health/cache', 'the same'],
	['error.code', 'a text there; on the wire it is a number'],
	['error.file', 'when the server runs as development'], ['error.line', 'the same'], ['error.trace', 'the same'],
	...['algoArgon2', 'algoBcrypt', 'algoMd5', 'algoPhpass', 'algoScrypt', 'algoScryptModified', 'algoSha'].map((m) => [m, 'hashOptions: what was stored with the hash, whatever it was']),
	['metricList', 'no operation answers with it'],
	...object('account.prefs', 'user.prefs', 'user.hashOptions'),
	...['Boolean', 'Datetime', 'Email', 'Enum', 'Ip', 'String', 'Url'].flatMap((k) => always(`attribute${k}`, 'array', 'default')),
	...['Float', 'Integer'].flatMap((k) => always(`attribute${k}`, 'array', 'default', 'min', 'max')),
	...always('index', 'orders'),
	['attributeList.attributes', 'each of any kind: the model attribute'], ['collection.attributes', 'the same'],
	...usage('usageFunctions', 'executionsTotal', 'executionsFailure', 'executionsSuccess', 'executionsTime', 'buildsTotal', 'buildsFailure', 'buildsSuccess', 'buildsTime'),
	...usage('usageProject', 'requests', 'network', 'executions', 'documents', 'collections', 'users', 'storage'),
	...usage('usageUsers', 'usersCount', 'usersCreate', 'usersRead', 'usersUpdate', 'usersDelete', 'sessionsCreate', 'sessionsProviderCreate', 'sessionsDelete'),
	...['usageDatabases', 'usageDatabase', 'usageCollection'].flatMap((m) => usage(m, 'documentsCount', 'documentsCreate', 'documentsRead', 'documentsUpdate', 'documentsDelete')),
	...['usageDatabases', 'usageDatabase'].flatMap((m) => usage(m, 'collectionsCount', 'collectionsCreate', 'collectionsRead', 'collectionsUpdate', 'collectionsDelete')),
	...['usageBuckets', 'usageStorage'].flatMap((m) => usage(m, 'filesCount', 'filesCreate', 'filesRead', 'filesUpdate', 'filesDelete')), ...usage('usageBuckets', 'filesStorage'),
	...usage('usageStorage', 'storage', 'bucketsCount', 'bucketsCreate', 'bucketsRead', 'bucketsUpdate', 'bucketsDelete'),
	...usage('usageDatabases', 'databasesCount', 'databasesCreate', 'databasesRead', 'databasesUpdate', 'databasesDelete'),
	['GET /v1/databases/{databaseId}/collections/{collectionId}/attributes/{key}', 'any kind of attribute: the model attribute'],
	['GET /v1/databases/{databaseId}/collections/{collectionId}/documents', 'with explain the plan'],
	['POST /v1/databases/{databaseId}/collections/{collectionId}/documents', 'many at once: a list'],
	['GET /v1/functions/{functionId}/executions', 'the later form for clients that speak 1.4.0 or later'],
	['GET /v1/functions/{functionId}/executions/{executionId}', 'the same'],
	['POST /v1/functions/{functionId}/executions', 'the same, and 202 for what runs in the background'],
	['GET /v1/teams/{teamId}/memberships/{membershipId}', 'a list there; what comes is one membership'],
	['PUT /v1/account/sessions/magic-url', '200 there; a session was created, and that is what comes'],
	['PUT /v1/account/sessions/phone', 'the same'],
	...['download', 'view', 'preview'].map((what) => [`GET /v1/storage/buckets/{bucketId}/files/{fileId}/${what}`, 'bytes, whose type is not said there; 206 for a part, 304 for who has them']),
	...['browsers/{code}', 'credit-cards/{code}', 'favicon', 'flags/{code}', 'image', 'initials', 'qr'].map((path) => [`GET /v1/avatars/${path}`, 'a picture, whose type is not said there; 304 for who has it']),
])

let api, contract
before(async () => {
	api = await description((await server()).base)
	contract = JSON.parse(readFileSync(new URL('contract.json', import.meta.url)))
})

const nameOf = (ref) => ref.split('/').at(-1)
function typeOf(s) {
	if (s.$ref) return nameOf(s.$ref)
	if (s.type === 'array') return `[${s.items.$ref ? nameOf(s.items.$ref) : s.items.type}]`
	return s.type ?? s.anyOf?.map((one) => one.type).join('|') ?? 'any'
}
function membersOf(model) {
	const { properties = {}, required = [], additionalProperties, anyOf } = api.models[model]
	if (anyOf) return {}
	/* those that 1.0 has */
	const m = Object.fromEntries(Object.entries(properties).filter(([, s]) => !s['x-since']).map(([k, s]) => [k, typeOf(s) + (required.includes(k) || s['x-until'] ? '' : '?')]))
	return additionalProperties ? { ...m, '*': 'any' } : m
}
/* "201 account", as contract.json has it. */
function answersOf({ responses }) {
	return Object.entries(responses).filter(([status]) => status !== 'default').map(([status, { content = {} }]) => {
		const [type] = Object.keys(content), { schema } = content[type] ?? {}
		return [status, ...(type === 'application/json' ? [(schema.oneOf ?? [schema]).map((s) => nameOf(s.$ref)).join('|')] : type ? [type] : [])].join(' ')
	}).sort()
}
function compare(found, kinds) {
	const known = new Set([...deviations.keys()].filter((k) => kinds(k)))
	assert.deepEqual(found.filter(([what]) => !known.has(what)), [], 'differs without a reason')
	assert.deepEqual([...known].filter((k) => !found.some(([what]) => what === k)), [], 'a reason for what does not differ')
}

test('models: the same members, as required, of the same types', () => {
	const found = []
	for (const [model, theirs] of Object.entries(contract.models)) {
		if (!api.models[model]) { found.push([model, 'missing']); continue }
		const ours = membersOf(model)
		for (const k of new Set([...Object.keys(theirs), ...Object.keys(ours)]))
			if (ours[k] !== theirs[k]) found.push([`${model}.${k}`, `${theirs[k]} there, ${ours[k]} here`])
	}
	compare(found, (k) => !k.includes(' '))
})

test('operations: the same answers', () => {
	const ours = new Map(api.operations.map((o) => [o.name, answersOf(o.operation)])), found = []
	for (const [op, theirs] of Object.entries(contract.operations)) {
		if (`${ours.get(op)}` !== `${theirs}`) found.push([op, `${theirs} there, ${ours.get(op)} here`])
	}
	compare(found, (k) => k.includes(' '))
})
