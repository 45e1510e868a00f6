/* node probe.mjs PACKAGE web|native|server, with { endpoint, project, key } as JSON in $PROBE: what works with this version of an SDK, unmodified, as one JSON line.
 *
 * Versions differ in the names of methods and in the order of their parameters, or take one object. Both are read off the SDK itself: a method is called with what its
 * own parameters are named. So there is no table of versions, and a version that is added to package.json is tried as it is. */
import { createReadStream, mkdtempSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'

import WebSocket from 'ws'

import { code, step } from '../lib/totp.mjs'
import { echo } from './echo.mjs'

const [name, kind] = process.argv.slice(2), where = JSON.parse(process.env.PROBE)
const sockets = []
class Socket extends WebSocket {
	constructor(url, ...more) { super(url, ...more); sockets.push({ url: String(url), socket: this }) }
}
class Storage {
	items = new Map()
	getItem(k) { return this.items.get(k) ?? null }
	setItem(k, v) { this.items.set(k, String(v)) }
	removeItem(k) { this.items.delete(k) }
}
if (kind !== 'server') {
	globalThis.WebSocket = Socket
	globalThis.localStorage = new Storage()
	globalThis.window = { localStorage, console: { ...console, warn() {}, log() {} }, setTimeout, clearTimeout, setInterval, clearInterval, WebSocket: Socket, location: { host: 'localhost', href: 'http://localhost/' } }
}
/* A telephone keeps cookies itself. */
if (kind === 'native') {
	const { fetch } = globalThis, cookies = new Map()
	globalThis.fetch = async (url, how = {}) => {
		const headers = new Headers(how.headers)
		if (cookies.size > 0) headers.set('cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; '))
		const r = await fetch(url, { ...how, headers })
		for (const c of r.headers.getSetCookie()) {
			const [, name, value] = c.match(/^([^=]+)=([^;]*)/)
			cookies.set(name, value)
		}
		return r
	}
}
console.warn = console.log = console.info = () => {}
const sdk = createRequire(import.meta.url)(name)
const id = () => `x${Math.random().toString(36).slice(2)}`

/* ---- calling by name ---- */

const missing = Symbol('the SDK has no such method')

/* The names that a method gives its parameters; null: it takes one object. */
function parameters(method) {
	const text = method.toString(), list = text.slice(text.indexOf('(') + 1, text.indexOf(')'))
	const names = list.split(',').map((p) => p.trim().split(/[\s=]/)[0].replace(/^\.\.\./, '')).filter(Boolean)
	return names.includes('paramsOrFirst') ? null : names
}

const words = { read: ['role:all'], write: ['role:all'], permission: 'document' }
async function call(service, methods, values, old = {}) {
	const method = methods.find((m) => typeof service?.[m] === 'function')
	if (method === undefined) throw missing
	const names = parameters(service[method]), all = { ...words, ...old, ...values }
	if (names === null) return service[method](values)
	return service[method](...names.map((n) => all[n]))
}

/* ---- the SDK: a client and its services, as it has them ---- */

function client() {
	const Root = sdk.Client ?? sdk.Appwrite ?? sdk.default ?? sdk, c = new Root()
	c.setEndpoint(where.endpoint)
	c.setProject(where.project)
	if (kind === 'server') c.setKey(where.key)
	if (kind === 'native') c.setPlatform(where.app)
	return c
}
function service(c, ...names) {
	for (const n of names) {
		if (c[n.toLowerCase()] && typeof c[n.toLowerCase()] === 'object') return c[n.toLowerCase()]	/* one object had them all */
		if (typeof sdk[n] !== 'function') continue
		/* 0.15 and earlier take the database at the door */
		return n === 'Databases' && parameters(sdk[n].prototype.createDocument ?? (() => {}))?.[0] === 'collectionId' ? new sdk[n](c, 'default') : new sdk[n](c)
	}
	return undefined
}

/* ---- what is tried ---- */

const results = {}
async function attempt(area, what) {
	try {
		const said = await Promise.race([what(), new Promise((_, no) => setTimeout(no, 60000, new Error('no answer')))])
		results[area] = said === undefined ? 'yes' : said
	} catch (e) {
		results[area] = e === missing ? '–' : e?.response?.type || e?.type || (e?.code === 404 || e?.response?.status === 404 ? 'general_route_not_found' : String(e?.message ?? e).slice(0, 80))
	}
}
const must = (ok, what) => { if (!ok) throw new Error(what) }
const at = { databaseId: 'default', collectionId: 'c' }
const c = client(), account = service(c, 'Account'), documents = service(c, 'Databases', 'Database'), tables = service(c, 'TablesDB'), teams = service(c, 'Teams'), storage = service(c, 'Storage'), functions = service(c, 'Functions'), users = service(c, 'Users')
const email = `${id()}@example.org`, password = 'correct-horse'

async function crud() {
	const documentId = id(), made = await call(documents, ['createDocument'], { ...at, documentId, data: { text: 'hello', number: 7 } })
	const mine = { ...at, documentId: made.$id }
	must(made.text === 'hello', 'what was written is not what comes back')
	must((await call(documents, ['getDocument'], mine)).number === 7, 'get')
	must((await call(documents, ['updateDocument'], { ...mine, data: { number: 8 } })).number === 8, 'update')
	const list = await call(documents, ['listDocuments'], at)
	must((list.total ?? list.sum) > 0 && list.documents.length > 0, 'list')
	await call(documents, ['deleteDocument'], mine)
}
async function queries() {
	const wanted = Math.floor(Math.random() * 1e9)
	for (const number of [wanted, wanted + 1]) await call(documents, ['createDocument'], { ...at, documentId: id(), data: { text: 'asked for', number } })
	const Q = sdk.Query, equal = Q ? [Q.equal('number', wanted)] : undefined
	if (!Q && !parameters(documents?.listDocuments ?? (() => {})).includes('filters')) throw missing
	const list = await call(documents, ['listDocuments'], { ...at, queries: equal }, { filters: [`number=${wanted}`] })
	must(list.documents.length === 1 && list.documents[0].number === wanted, `found ${list.documents.length}`)
}
async function team() {
	const made = await call(teams, ['create'], { teamId: id(), name: 'Red' })
	must(((await call(teams, ['list'], {})).teams ?? []).some((t) => t.$id === made.$id), 'list')
	await call(teams, ['delete'], { teamId: made.$id })
}
async function subscribed() {
	const seen = []
	const rt = sdk.Realtime ? new sdk.Realtime(c) : c
	if (!rt.subscribe) throw missing
	await rt.subscribe(['documents'], (e) => seen.push(e))
	const end = Date.now() + 40000
	while (!seen.some((e) => e.payload?.text === 'heard') && Date.now() < end) {
		await call(documents, ['createDocument'], { ...at, documentId: id(), data: { text: 'heard', number: 1 } }, {}).catch(async () => {
			await fetch(`${where.endpoint}/databases/default/collections/c/documents`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-appwrite-project': where.project, 'x-appwrite-key': where.key },
				body: JSON.stringify({ documentId: id(), data: { text: 'heard', number: 1 }, permissions: ['read("any")'] }) })
		})
		await new Promise((ok) => setTimeout(ok, 30))
	}
	must(seen.some((e) => e.payload?.text === 'heard'), 'nothing was heard')
	return /channels/.test(sockets[0]?.url ?? '') ? 'yes (URL)' : 'yes (messages)'
}

/* Rows, as the SDKs of tables call documents; everything that one row may be asked. */
async function rows() {
	const one = { databaseId: 'default', tableId: 'c', rowId: id() }, wanted = Math.floor(Math.random() * 1e9), Q = sdk.Query
	must((await call(tables, ['createRow'], { ...one, data: { text: 'hello', number: wanted } })).$tableId === 'c', 'what was written is not what comes back')
	must((await call(tables, ['getRow'], one)).number === wanted, 'get')
	must((await call(tables, ['updateRow'], { ...one, data: { text: 'bye' } })).text === 'bye', 'update')
	must((await call(tables, ['upsertRow'], { ...one, data: { text: 'again' } })).number === wanted, 'upsert')
	must((await call(tables, ['incrementRowColumn'], { ...one, column: 'number', value: 2 })).number === wanted + 2, 'increment')
	const list = await call(tables, ['listRows'], { ...one, queries: [Q.equal('number', wanted + 2), Q.orderDesc('$createdAt'), Q.limit(5)] })
	must(list.total === 1 && list.rows[0].text === 'again', 'list')
	await call(tables, ['deleteRow'], one)
}
/* A table with columns and an index, made at once where the version can, and many rows at once. */
async function table() {
	const at = { databaseId: 'default', tableId: id() }, Q = sdk.Query, number = { key: 'number', required: true, min: 0, max: 100 }, text = { key: 'text', size: 100, required: false }
	const index = { key: 'by_number', type: 'key' }, inline = /\bcolumns\b/.test(tables?.createTable?.toString())
	await call(tables, ['createTable'], { ...at, name: 'Made', permissions: [], rowSecurity: true,
		...(inline && { columns: [{ ...text, type: 'string' }, { ...number, type: 'integer' }], indexes: [{ ...index, attributes: ['number'] }] }) })
	if (!inline) {
		await call(tables, ['createStringColumn'], { ...at, ...text })
		await call(tables, ['createIntegerColumn'], { ...at, ...number })
		await ready(async () => (await call(tables, ['listColumns'], at)).columns.every((c) => c.status === 'available'), 'the columns')
		await call(tables, ['createIndex'], { ...at, ...index, columns: ['number'] })
		await ready(async () => (await call(tables, ['listIndexes'], at)).indexes.every((i) => i.status === 'available'), 'the index')
	}
	await call(tables, ['createRows'], { ...at, rows: [1, 2, 3].map((n) => ({ $id: `r${n}`, text: 'many', number: n })) })
	await call(tables, ['updateRows'], { ...at, data: { text: 'changed' }, queries: [Q.greaterThan('number', 1)] })
	must((await call(tables, ['listRows'], { ...at, queries: [Q.equal('text', 'changed')] })).total === 2, 'many at once')
	must((await call(tables, ['listColumns'], at)).total === 2 && (await call(tables, ['listIndexes'], at)).indexes[0].columns[0] === 'number', 'columns')
	await call(tables, ['deleteTable'], at)
}
/* A table whose rows lead to those of another: a row is written with the one that it leads to, and read with it. */
async function related() {
	const at = { databaseId: 'default', tableId: id() }, to = { databaseId: 'default', tableId: id() }, Q = sdk.Query
	if (typeof tables?.createRelationshipColumn !== 'function') throw missing
	for (const t of [to, at]) {
		await call(tables, ['createTable'], { ...t, name: 'Made', permissions: [], rowSecurity: false })
		await call(tables, ['createStringColumn'], { ...t, key: 'name', size: 100, required: false })
	}
	await call(tables, ['createRelationshipColumn'], { ...at, relatedTableId: to.tableId, type: 'manyToOne', twoWay: true, key: 'author', twoWayKey: 'books', onDelete: 'setNull' })
	for (const t of [to, at]) await ready(async () => (await call(tables, ['listColumns'], t)).columns.every((c) => c.status === 'available'), 'the columns')
	const book = await call(tables, ['createRow'], { ...at, rowId: id(), data: { name: 'Tales', author: { $id: 'ada', name: 'Ada' } } })
	const list = await call(tables, ['listRows'], { ...at, queries: [Q.select(['name', 'author.name'])] })
	must(list.rows[0].author.name === 'Ada', 'not loaded')
	must((await call(tables, ['getRow'], { ...to, rowId: 'ada', queries: [Q.select(['*', 'books.*'])] })).books[0].$id === book.$id, 'nor from the other side')
	for (const t of [at, to]) await call(tables, ['deleteTable'], t)
}
/* Two writes at once, which nobody sees before, and two that never were. */
async function together() {
	const at = { databaseId: 'default', tableId: 'c' }, one = id(), two = id()
	const begin = async () => (await call(tables, ['createTransaction'], { ttl: 60 })).$id
	const there = async (rowId) => call(tables, ['getRow'], { ...at, rowId }).then(() => true, () => false)
	const both = await begin()
	await call(tables, ['createRow'], { ...at, rowId: one, data: { text: 'staged', number: 1 }, transactionId: both })
	await call(tables, ['createOperations'], { transactionId: both, operations: [{ action: 'create', databaseId: 'default', tableId: 'c', rowId: two, data: { text: 'staged', number: 2 } }] })
	must(!(await there(one)), 'seen too early')
	must((await call(tables, ['updateTransaction'], { transactionId: both, commit: true })).status === 'committed' && await there(one) && await there(two), 'commit')
	const none = await begin()
	await call(tables, ['deleteRow'], { ...at, rowId: one, transactionId: none })
	await call(tables, ['updateTransaction'], { transactionId: none, rollback: true })
	must(await there(one), 'rollback')
	for (const rowId of [one, two]) await call(tables, ['deleteRow'], { ...at, rowId })
}
async function ready(is, what) {
	for (const end = Date.now() + 40000; !(await is());) {
		must(Date.now() < end, `${what}: not ready`)
		await new Promise((ok) => setTimeout(ok, 30))
	}
}

/* An authenticator app becomes a second factor, and the next sign-in asks for it. */
async function secondFactor() {
	const { secret } = await call(account, ['createMFAAuthenticator', 'createMfaAuthenticator'], { type: 'totp' }), now = step()
	await call(account, ['updateMFAAuthenticator', 'updateMfaAuthenticator', 'verifyMfaAuthenticator'], { type: 'totp', otp: code(secret, now) })
	await call(account, ['updateMFA'], { mfa: true })
	await call(account, ['deleteSession'], { sessionId: 'current' })
	await call(account, ['createEmailPasswordSession'], { email, password })
	const refused = await call(account, ['get'], {}).then(() => 'let in', (e) => e.type)
	must(refused === 'user_more_factors_required', refused)
	const c = await call(account, ['createMFAChallenge', 'createMfaChallenge', 'createChallenge'], { factor: 'totp' })
	await call(account, ['updateMFAChallenge', 'updateMfaChallenge', 'updateChallenge'], { challengeId: c.$id, otp: code(secret, now + 1) })	/* each is good once */
	must((await call(account, ['get'], {})).mfa === true, 'not let in')
	await call(account, ['updateMFA'], { mfa: false })
}
/* What servers do with people since 1.5: labels, tokens and sessions for them, where they can be reached. */
async function people() {
	const { $id: userId } = await call(users, ['create'], { userId: id(), email: `3${email}`, password, name: 'Ada' })
	must((await call(users, ['updateLabels'], { userId, labels: ['vip'] })).labels[0] === 'vip', 'labels')
	must((await call(users, ['createToken'], { userId, length: 8 })).secret.length === 8, 'token')
	must((await call(users, ['createSession'], { userId })).secret !== '', 'session')
	must((await call(users, ['listTargets'], { userId })).total === 1, 'targets')
	must((await call(users, ['listIdentities'], {})).total === 0, 'identities')
	must((await call(users, ['listMFAFactors', 'listMfaFactors', 'listFactors'], { userId })).totp === false, 'factors')
	await call(users, ['delete'], { userId })
}

const isBytes = (r) => r instanceof ArrayBuffer || ArrayBuffer.isView(r)
const text = async (r) => (typeof r === 'string' ? r : Buffer.from(isBytes(r) ? r : await (r.arrayBuffer ? r : new Response(r)).arrayBuffer()).toString())
async function files() {
	const list = await call(storage, ['listFiles'], { bucketId: 'default' })
	must(list.files.some((f) => f.$id === 'hello'), 'list')
	must((await call(storage, ['getFile'], { bucketId: 'default', fileId: 'hello' })).name === 'hello.txt', 'get')
	const view = await call(storage, ['getFileView'], { bucketId: 'default', fileId: 'hello' })	/* an address, or the bytes */
	must(await text(isBytes(view) ? view : await fetch(String(view?.href ?? view))) === 'hello', 'view')
}
/* What a version takes for a file: an object of its own, a stream, or a path. */
function input(called = 'hello.txt', bytes = 'hello') {
	const require = createRequire(import.meta.url), file = path.join(mkdtempSync(path.join(os.tmpdir(), 'badal-probe-')), called)
	writeFileSync(file, bytes)
	let I = sdk.InputFile
	if (!I) try { I = require(`${name}/file`).InputFile } catch { /* it takes a stream */ }
	return I ? [I.fromPath(file, called)] : [createReadStream(file), file]
}
/* Both forms of an execution are asked for: a version takes what it knows. */
async function ran(functionId) {
	let e = await call(functions, ['createExecution'], { functionId, data: 'hello', body: 'hello', async: false, xasync: false, path: '/', xpath: '/', method: 'POST', headers: {} })
	for (const end = Date.now() + 40000; /^(waiting|processing)$/.test(e.status) && Date.now() < end;)	/* the first ones do not wait for the end */
		e = await call(functions, ['getExecution'], { functionId, executionId: e.$id })
	const said = e.response ?? e.responseBody ?? e.stdout
	must(e.status === 'completed' && said?.trim() === 'you said hello', `${e.status}: ${said}`)
	must((await call(functions, ['listExecutions'], { functionId })).executions.some((x) => x.$id === e.$id), 'executions')
}
async function deployed() {
	const { $id: functionId } = await call(functions, ['create'], { functionId: id(), name: 'Echo', runtime: 'node-18.0', execute: ['any'], events: [], schedule: '', timeout: 15, enabled: true })
	let d, wrong
	for (const code of input('code.tar.gz', echo)) if (!d) d = await call(functions, ['createDeployment', 'createTag'], { functionId, entrypoint: 'index.js', code, activate: true, command: 'node index.js' }).catch((e) => { wrong = e })
	if (!d) throw wrong
	const live = async () => { const now = await call(functions, ['get'], { functionId }); return (now.deploymentId ?? now.deployment) === d.$id }
	await ready(live, 'the build')
	await ran(functionId)
	await call(functions, ['delete'], { functionId })
}
async function upload() {
	let bucketId = 'default'
	if (storage?.createBucket) {
		bucketId = (await call(storage, ['createBucket'], { bucketId: id(), name: 'Made', permissions: ['read("any")'] }, { permission: 'bucket' })).$id
		must((await call(storage, ['listBuckets'], {})).buckets.some((b) => b.$id === bucketId), 'buckets')
	}
	let f, wrong
	for (const file of input()) if (!f) f = await call(storage, ['createFile'], { bucketId, fileId: id(), file, permissions: ['read("any")'] }).catch((e) => { wrong = e })
	if (!f) throw wrong
	must(f.sizeOriginal === 5, 'size')
	must(await text(await call(storage, ['getFileDownload'], { bucketId, fileId: f.$id })) === 'hello', 'download')
	await call(storage, ['deleteFile'], { bucketId, fileId: f.$id })
	must(!(await call(storage, ['listFiles'], { bucketId })).files.some((x) => x.$id === f.$id), 'delete')
}

if (kind !== 'server') {
	await attempt('account', async () => {
		await call(account, ['create'], { userId: id(), email, password, name: 'Ada' })
		await call(account, ['createEmailPasswordSession', 'createEmailSession', 'createSession'], { email, password })
		must((await call(account, ['get'], {})).email === email, 'another account')
	})
	await attempt('preferences', async () => {
		await call(account, ['updatePrefs'], { prefs: { theme: 'dark' } })
		must((await call(account, ['getPrefs'], {})).theme === 'dark', 'not kept')
	})
	await attempt('teams', team)
	await attempt('documents', crud)
	await attempt('queries', queries)
	await attempt('rows', rows)
	await attempt('transactions', together)
	await attempt('realtime', subscribed)
	await attempt('storage', files)
	await attempt('functions', () => ran('f'))
	await attempt('second factor', secondFactor)
} else {
	await attempt('users', async () => {
		const made = await call(users, ['create'], { userId: id(), email, password, name: 'Ada' })
		must((await call(users, ['get'], { userId: made.$id })).email === email, 'another user')
		must(((await call(users, ['list'], {})).users ?? []).length > 0, 'list')
		await call(users, ['delete', 'deleteUser'], { userId: made.$id })
	})
	await attempt('preferences', async () => {
		const made = await call(users, ['create'], { userId: id(), email: `2${email}`, password, name: 'Ada' })
		await call(users, ['updatePrefs'], { userId: made.$id, prefs: { theme: 'dark' } })
		must((await call(users, ['getPrefs'], { userId: made.$id })).theme === 'dark', 'not kept')
	})
	await attempt('people', people)
	await attempt('teams', team)
	await attempt('collections', async () => {
		const collectionId = id(), made = await call(documents, ['createCollection'], { databaseId: 'default', collectionId, name: 'Made', permissions: [], documentSecurity: true }, { rules: [] })
		if (documents.createStringAttribute) await call(documents, ['createStringAttribute'], { databaseId: 'default', collectionId: made.$id, key: 'text', size: 100, required: false })
		await call(documents, ['deleteCollection'], { databaseId: 'default', collectionId: made.$id })
	})
	await attempt('documents', crud)
	await attempt('queries', queries)
	await attempt('tables', table)
	await attempt('rows', rows)
	await attempt('relationships', related)
	await attempt('transactions', together)
	await attempt('storage', upload)
	await attempt('functions', deployed)
}
process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0))
