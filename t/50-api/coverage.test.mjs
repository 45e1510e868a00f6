/* After all others (lib/shared.mjs starts it then): every operation of the description was seen to succeed and to fail, and every error of the
 * table was seen. What cannot be is listed, with the reason. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { server } from '../lib/server.mjs'
import { description } from '../lib/shapes.mjs'

const neverSucceeds = {
	'GET /v1/health/stats': 'nobody has its scope',
	'POST /v1/graphql': 'it is there to fail',
	'GET /dev/messages': 'only with the setting dev: t/20-serve',
	'GET /.well-known/acme-challenge/{token}': 'certificates are not fetched here',
	'PATCH /v1/projects/{projectId}/domains/{domainId}/verification': 'it needs a name in the DNS that points here',
	...Object.fromEntries(['GET', 'PATCH', 'DELETE'].map((m) => [`${m} /v1/projects/{projectId}/templates/sms/{type}/{locale}`, 'short messages have no words of a project: it says so'])),
	'GET /v1/mock/tests/general/400-error': 'it is there to fail',
	'GET /v1/mock/tests/general/500-error': 'it is there to fail',
	'GET /v1/mock/tests/general/502-error': 'it is there to fail',
	'GET /v1/mock/tests/general/oauth2/failure': 'it is there to fail',
}
const neverFails = {}
const page = 'it is shown on pages, which name no type'
const unused = 'of the contract: nothing here causes it'
const elsewhere = (where) => `no request of a client alone causes it: ${where}`
const neverSeen = {
	'400 project_invalid_success_url': page,
	'400 project_invalid_failure_url': page,
	'500 user_oauth2_provider_error': 'it is told in the address of the app alone',
	'400 attribute_format_unsupported': unused,
	'400 project_unknown': unused,
	'400 transaction_failed': elsewhere('an error of PostgreSQL that nothing else explains'),
	'503 general_sandbox_unavailable': unused,
	'408 general_request_timeout': elsewhere('t/40-wire'),
	'431 general_headers_too_large': elsewhere('t/40-wire'),
	'503 general_server_stopping': elsewhere('t/20-serve'),
	'503 general_project_stuck': elsewhere('t/20-serve'),
	'503 general_cancelled': 'whoever would get it has left',
	'503 general_database_down': elsewhere('t/70-fault'),
	'503 general_storage_down': elsewhere('t/10-module'),
	'507 general_storage_full': elsewhere('t/10-module'),
	'503 general_bus_down': elsewhere('t/70-fault'),
}

const file = process.env.BADAL_COVERAGE
const options = { skip: !file && 'it needs what all others saw: lib/shared.mjs runs it after them' }

const seen = new Map()	/* operation -> Set of "200", "404 user_not_found", … */
if (file)
	for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean))
		for (const [op, answers] of Object.entries(JSON.parse(line))) {
			const all = seen.get(op) ?? seen.set(op, new Set()).get(op)
			for (const a of Object.keys(answers)) all.add(a)
		}
const of = (op) => [...(seen.get(op) ?? [])]
const api = async () => description((await server()).base)
/* The paths of before there were several databases are those of a branch: what came later is there as well, and nobody asks for it. */
const asked = (n) => !n.includes(' /v1/database/') || of(n).length > 0 || of(n.replace('/v1/database/', '/v1/databases/{databaseId}/')).length === 0

test('every operation was seen to succeed', options, async () => {
	const without = (await api()).operations.map((o) => o.name).filter(asked).filter((n) => !of(n).some((a) => a < '400')), known = Object.keys(neverSucceeds)
	assert.deepEqual(without.filter((n) => !known.includes(n)), [], 'without a test of success')
	assert.deepEqual(known.filter((n) => !without.includes(n)), [], 'succeeded after all')
})
test('every operation was seen to fail', options, async () => {
	const without = (await api()).operations.map((o) => o.name).filter(asked).filter((n) => !of(n).some((a) => a >= '400')), known = Object.keys(neverFails)
	assert.deepEqual(without.filter((n) => !known.includes(n)), [], 'without a test of failure')
	assert.deepEqual(known.filter((n) => !without.includes(n)), [], 'failed after all')
})
test('every error was seen', options, async () => {
	/* errors of tables, rows and columns are those of collections, documents and attributes by another name: t/50-api/tables */
	const types = Object.entries((await api()).models.error['x-statuses']).filter(([t]) => !/^(table|row|column)_/.test(t)).flatMap(([t, list]) => [...new Set(list)].map((status) => `${status} ${t}`))
	const all = new Set([...seen.values()].flatMap((s) => [...s])), without = types.filter((t) => !all.has(t)), known = Object.keys(neverSeen)
	assert.deepEqual(without.filter((t) => !known.includes(t)), [], 'without a test')
	assert.deepEqual(known.filter((t) => !without.includes(t)), [], 'seen after all')
})
