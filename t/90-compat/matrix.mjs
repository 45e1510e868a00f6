/* Every version of the SDKs that package.json names "<sdk>-<version>", tried (probe.mjs), and doc/compatibility.md made of what came out. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { form, part } from '../lib/form.mjs'
import { deploy } from '../lib/functions.mjs'
import { until } from '../lib/server.mjs'
import { source } from './echo.mjs'

export const page = fileURLToPath(new URL('../../doc/compatibility.md', import.meta.url))
const kinds = { appwrite: 'web', 'react-native-appwrite': 'native', 'node-appwrite': 'server' }, app = 'org.example.notes'
const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))
export const versions = Object.entries(dependencies).map(([name, from]) => ({ name, m: from.match(/^npm:(appwrite|react-native-appwrite|node-appwrite)@(.+)$/) })).filter((v) => v.m)
	.map(({ name, m }) => ({ name, sdk: m[1], version: m[2], kind: kinds[m[1]] }))
	.sort((a, b) => a.sdk.localeCompare(b.sdk) || a.version.localeCompare(b.version, 'en', { numeric: true }))

/* A project as its owner would prepare it: one collection that everybody may use. The first services of databases knew one database, named default. */
async function prepared(server) {
	const p = await server.project({ name: 'Compatibility' })
	await p.addPlatform({ type: 'android', name: 'App', key: app })
	await p.ok('POST', '/databases', { body: { databaseId: 'default', name: 'Default' } })
	await p.ok('POST', '/databases/default/collections', { body: { collectionId: 'c', name: 'C', permissions: ['read("any")', 'create("any")', 'update("any")', 'delete("any")'], documentSecurity: true } })
	await p.ok('POST', '/databases/default/collections/c/attributes/string', { body: { key: 'text', size: 100, required: false } })
	await p.ok('POST', '/databases/default/collections/c/attributes/integer', { body: { key: 'number', required: false } })
	await until('the attributes', async () => (await p.ok('GET', '/databases/default/collections/c/attributes')).attributes.every((a) => a.status === 'available'))
	await p.ok('POST', '/databases/default/collections/c/indexes', { body: { key: 'by_number', type: 'key', attributes: ['number'] } })
	await until('the index', async () => (await p.ok('GET', '/databases/default/collections/c/indexes/by_number')).status === 'available')
	await deploy(p, source, { id: 'f', execute: ['any'] })
	await p.ok('POST', '/storage/buckets', { body: { bucketId: 'default', name: 'Default', permissions: ['read("any")', 'create("any")', 'delete("any")'] } })
	await p.ok('POST', '/storage/buckets/default/files', form({ fileId: 'hello', file: part('hello.txt', 'hello') }))
	return p
}

function probe(v, server, p) {
	return new Promise((ok, no) => {
		const child = spawn(process.execPath, [fileURLToPath(new URL('probe.mjs', import.meta.url)), v.name, v.kind],
			{ env: { ...process.env, PROBE: JSON.stringify({ endpoint: server.url, project: p.id, key: p.key, app }) }, stdio: ['ignore', 'pipe', 'pipe'] })
		let out = '', err = ''
		child.stdout.on('data', (d) => (out += d))
		child.stderr.on('data', (d) => (err += d))
		const timer = setTimeout(() => child.kill('SIGKILL'), 240000)
		child.on('close', () => {
			clearTimeout(timer)
			try { ok(JSON.parse(out)) } catch { no(new Error(`${v.name}: ${err.slice(-1500)}`)) }
		})
	})
}

/* One after the other in each of three rows. */
export async function tryAll(server) {
	const left = [...versions], found = new Map(), p = await prepared(server)
	const row = async () => {
		for (let v = left.shift(); v; v = left.shift()) found.set(v.name, await probe(v, server, p))
	}
	await Promise.all([row(), row(), row()])
	return versions.map((v) => ({ ...v, results: found.get(v.name) }))
}

/* "–": the SDK has none; an error of the API is one that the program's table names. */
const cell = (r) => (r === 'general_route_not_found' || r === 'Not Found' ? 'not yet' : r.startsWith('yes') || r === '–' ? r : `no: ${r.includes('_') ? `\`${r}\`` : r.replaceAll('|', '/').replaceAll('\n', ' ')}`)
function table(rows) {
	const areas = Object.keys(rows[0].results), line = (cells) => `| ${cells.join(' | ')} |`
	return [line(['Version', ...areas]), line(['---', ...areas.map(() => '---')]), ...rows.map((r) => line([r.version, ...areas.map((a) => cell(r.results[a]))]))].join('\n')
}

export const render = (all) => `# Which SDKs work

<!-- Made by t/90-compat/matrix.test.mjs from what it saw: BADAL_TEST_WRITE=1 writes it anew, without it the test fails when this page is not what it saw. -->

Each version below was run unmodified, as npm has it, against this server: \`yes\` means that all of the area's steps gave what they should. \`–\`: that version has no such
methods. \`not yet\`: the server has no such service. What the steps are stands in \`t/90-compat/probe.mjs\`; the oldest and newest generation go through longer
flows in the other tests there. SDKs of other languages speak the same protocol, but are not run here.

## Web: \`appwrite\`

Account: sign up, sign in, read. Documents: create, read, change, list, delete. Rows, by \`TablesDB\`: create, read, change, upsert, increment, list by queries, delete; of servers make a table with columns and an index, write many rows at once. Relationships: a row written and read with the one that it leads to. Transactions: rows staged, committed, rolled back. Storage: list, read, view (browsers upload in \`t/90-compat/chromium_storage.test.mjs\`); of servers make a bucket, upload, list, download, delete. Functions: run, list the runs; of servers make one, deploy an archive, run, delete. Second factor: an app becomes one, the next sign-in is asked for it and lets in. People, of servers: labels, tokens and sessions for users, targets, identities, factors. Realtime names the form in which the version subscribes: in the URL, or by messages.

${table(all.filter((v) => v.kind === 'web'))}

## React Native: \`react-native-appwrite\`

The same steps, as an app of Android that the project knows. The SDK is run in Node, where \`t/90-compat/native\` stands for what it asks of the telephone.

${table(all.filter((v) => v.kind === 'native'))}

## Server: \`node-appwrite\`

${table(all.filter((v) => v.kind === 'server'))}

## Command line: \`appwrite-cli\`

${dependencies['appwrite-cli-old'].split('@')[1]} and ${dependencies['appwrite-cli-new'].split('@')[1]}: client with a key, a function deployed from a folder and deployed again (what is set of it, its variables and its next run stay), run, lists of deployments and executions,
signed in and out (\`t/90-compat/cli.test.mjs\`). Since 8 it asks for a domain when it pushes a function that is not there yet, which this server gives none of: \`appwrite functions create\` makes it, then
\`appwrite push function\` deploys it; a push that was refused so has made the function, and the next one deploys it.

1.1, 6.2 and 12.0 sign in, make a project by their questions, and move all that a folder says of one: 1.1 deploys and fetches collections, 6.2 and 12.0 push and pull settings, collections or
tables, buckets and teams, pull functions with their code, and topics (of which there are none, and none can be pushed), begin a function by its questions, and 12.0 pulls everything at once and writes types.
\`init project\` of 12.0 with \`--project-id\` of a project that is not there yet sends no name, and is refused; with its questions it makes one. A push that drops a column and with it the only
column of an index finds that index gone, and is to be said again.
`
