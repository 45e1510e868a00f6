/* What the source itself must hold: the arrows between layers, what one room may know of another, and who may name a service. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const top = fileURLToPath(new URL('../../', import.meta.url))
const read = (file) => readFileSync(path.join(top, file), 'utf8')

function files(dir) {
	return readdirSync(path.join(top, dir), { withFileTypes: true }).flatMap((e) =>
		e.isDirectory() ? files(`${dir}/${e.name}`) : /\.[ch]$/.test(e.name) ? [`${dir}/${e.name}`] : [])
}
const sources = [...files('src'), ...files('include')]

/* Without comments; strings stay. */
const code = (file) => read(file).replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (c) => c.replace(/[^\n]/g, ' '))

const rooms = [...read('include/tbl/services.h').matchAll(/^(?:SERVICE|FIXED)\((\w+)/gm)].map((m) => m[1])

/* A layer may include itself and those after it. */
const below = {
	core: [], io: ['core'], model: ['io', 'core'], gate: ['model', 'io', 'core'],
	svc: ['gate', 'model', 'io', 'core'], rt: ['gate', 'model', 'io', 'core'], relay: ['model', 'io', 'core'], jobs: ['model', 'io', 'core'], picture: ['model', 'io', 'core'], scan: ['model', 'io', 'core'], exec: ['gate', 'model', 'io', 'core'],
	main: ['svc', 'rt', 'relay', 'jobs', 'picture', 'scan', 'exec', 'gate', 'model', 'io', 'core'],
}
const layer = (file) => /^(?:src|include)\/(\w+)\//.exec(file)[1]

/* Which rooms a room may know, and why. */
const knows = {
	account: { users: 'it changes the caller\'s own user', messages: 'links and codes' },
	teams: { users: 'an invited person gets an account', messages: 'invitations' },
	users: { teams: 'the memberships of a user' },
	mock: { account: 'the provider that trials of OAuth2 sign in at' },
	webhooks: { messages: 'owners are told that one is switched off' },
	projects: { account: 'what a provider tells of itself', functions: 'their schedules, for consoles', webhooks: 'what was delivered', messages: 'mail servers and words of mails', teams: 'a project belongs to a team of the console', users: 'imported password settings and the owner' },
}

test('arrows point one way', () => {
	for (const file of sources.filter((f) => !f.startsWith('include/tbl/')))
		for (const [, to] of code(file).matchAll(/^#include "(\w+)\/[^"]+"/gm))
			if (to in below) assert.ok(to === layer(file) || below[layer(file)].includes(to), `${file} includes ${to}/`)
})

test('a room knows the rooms that it says it knows', () => {
	const seen = {}
	for (const file of files('src/svc').filter((f) => f.split('/').length > 3)) {
		const room = file.split('/')[2]
		assert.ok(rooms.includes(room), `${file} stands in no room of services.h`)
		for (const [, to] of code(file).matchAll(/^#include "svc\/(\w+)\//gm))
			if (to !== room) {
				assert.ok(knows[room]?.[to], `${file} knows ${to}`)
				seen[`${room} ${to}`] = true
			}
	}
	for (const [room, others] of Object.entries(knows))
		for (const to of Object.keys(others)) assert.ok(seen[`${room} ${to}`], `${room} does not know ${to} any more: take it off the list`)
})

/* Who outside of a room names it (by an include, its description, its paths, or its name as a string): the list of services, and these. */
const sayers = {
	'src/main/main.c': '"storage" is also a verb of the shell',
	'src/main/admin.c': 'verbs of the shell make users, teams and projects',
	'src/main/admin_delete.c': 'and delete them',
	'src/main/init.c': 'and make a first of each',
	'src/main/main.c': 'their options are parameters of these services',
	'src/main/settings.c': 'which providers of short messages a setting may name',
	'src/model/identity.c': '"account" is also the model of the caller\'s own user',
	'src/main/function.c': 'and of what functions wrote',
	'src/main/webhook.c': 'verbs of the shell tell of deliveries',
	'src/model/project_cache.c': 'webhooks are also rows that belong to a project',
	'src/model/project_shape.c': 'and a member of its model',
	'src/rt/channel.c': '"account" is the channel of whoever listens, in the protocol itself',
}
/* These are words of the contract besides: a role, and a parameter of every request. */
const ordinary = ['users', 'locale', 'general']

test('nobody outside of the rooms names a service', () => {
	for (const file of sources.filter((f) => !f.startsWith('src/svc/') && f !== 'include/tbl/services.h' && !(f in sayers)))
		for (const room of rooms) {
			const word = ordinary.includes(room) ? 'no such word' : room
			const said = new RegExp(`svc/${room}/|\\b${room}_service\\b|"${word}"|"/v1/${room}\\b`).exec(code(file))
			assert.equal(said, null, `${file} names ${room}: ${said?.[0]}`)
		}
	for (const file of Object.keys(sayers)) {
		const text = code(file)
		assert.ok(rooms.some((r) => text.includes(`svc/${r}/`) || text.includes(`"${r}"`)), `${file} names none any more: take it off the list`)
	}
})

test('a room is complete: described, built, and its errors are its own', () => {
	for (const room of rooms) {
		assert.match(read(`src/svc/${room}/service.c`), new RegExp(`const struct service ${room}_service = \\{`))
		assert.match(read('src/svc/local.mk'), new RegExp(`include src/svc/${room}/local.mk`))
		const made = read(`src/svc/${room}/local.mk`)
		for (const file of files(`src/svc/${room}`)) assert.ok(made.includes(file), `${file} is not built`)
		read(`src/svc/${room}/errors.h`)
	}
})

test('a static function stands in one file, a handler is named by its service', () => {
	const seen = new Map()
	for (const file of files('src').filter((f) => f.endsWith('.c')))
		for (const [, name] of code(file).matchAll(/^static (?:_Noreturn |inline )?[^\n;={]*?\n([a-z_0-9]+)\(/gm)) {
			assert.ok(!seen.has(name), `${name} is static in ${seen.get(name)} and ${file}`)
			seen.set(name, file)
		}
	const services = rooms.map((r) => `${r}_`)
	for (const file of files('src/svc'))
		for (const [, name] of code(file).matchAll(/^static err_t\n(\w+)\(struct req \*rq, void \*(?:arg|in)\)/gm))
			assert.ok(services.some((s) => name.startsWith(s)), `${name} in ${file} does not begin with its service`)
})

test('every status of an error has its words in a head', () => {
	const words = read('src/io/http.c').match(/^status_text[\s\S]*?^}/m)[0]
	for (const file of ['include/tbl/errors.h', ...rooms.map((r) => `src/svc/${r}/errors.h`)])
		for (const [, status] of read(file).matchAll(/^ERR\(\w+, (\d+)/gm)) assert.match(words, new RegExp(`\\{${status}, `), `${status} of ${file}`)
})

/* badal key rotate-master must find whatever is sealed: columns of shapes, and what is sealed by hand. */
test('a change of the master key knows all that is sealed', () => {
	const table = read('src/model/seal_rotate.c')
	for (const file of sources)
		for (const [, column] of code(file).matchAll(/FIELD\([^)]*?"\w\.(\w+)"[^)]*COL_SEALED/g))
			assert.match(table, new RegExp(`"${column}"\\}`), `${file}: ${column} is sealed, and not in seal_rotate.c`)
	/* the key itself may be in a file, and change */
	for (const file of sources.filter((f) => !f.startsWith('src/main/') && f !== 'src/model/seal.c'))
		assert.doesNotMatch(code(file), /conf\.master_key/, `${file} reads the setting: seal_master has the key`)
	const byHand = {
		'src/model/record.c': 'columns of shapes', 'src/model/blob_keys.c': 'data_keys.secret', 'src/svc/projects/project.c': 'projects.providers', 'src/svc/projects/mail.c': 'projects.smtp_password',
		'src/svc/users/session.c': 'the tokens of sessions', 'src/svc/users/mfa.c': 'users.totp_secret, recovery_codes.code', 'src/svc/users/mfa_challenge.c': 'challenges.code', 'src/svc/users/linked.c': 'identities.access_token, refresh_token', 'src/svc/databases/document_check.c': 'encrypted attributes', 'src/svc/databases/transaction_stage.c': 'transaction_operations.sealed', 'src/svc/account/oauth_state.c': 'it is never stored',
	}
	for (const file of sources.filter((f) => !/seal\w*\.[ch]$/.test(f) && /\bseal_text\(/.test(code(f))))
		assert.ok(file in byHand, `${file} seals something: put its column into seal_rotate.c, and the file on this list`)
})

test('every page of doc/ is installed', () => {
	const made = read('Makefile.am')
	for (const page of readdirSync(path.join(top, 'doc')).filter((f) => f.endsWith('.md')).map((f) => `doc/${f}`)) assert.ok(made.includes(` ${page}`), `${page} is not in dist_pages_DATA`)
})

test('no test asserts when it is over, where nobody counts it', () => {
	for (const file of files('t').filter((f) => f.endsWith('.c'))) {
		const text = code(file)
		for (const [, name] of text.matchAll(/\.fini = (\w+)/g)) {
			const body = new RegExp(`\\n${name}\\(.*\\n\\{([^]*?)\\n\\}`).exec(text)?.[1] ?? ''
			assert.doesNotMatch(body, /cr_(assert|expect)|\bCHECK\(/, `${file}: ${name}`)
		}
	}
})

test('what the program reads at run time is installed', () => {
	for (const [dir, list] of [['sql', 'sql/local.mk'], ['sql/project', 'sql/local.mk'], ['etc/mail', 'etc/local.mk'], ['etc/runtimes.d', 'etc/local.mk']]) {
		const named = read(list).split(/\s+/)
		for (const e of readdirSync(path.join(top, dir), { withFileTypes: true }))
			if (e.isFile() && !e.name.endsWith('.mk')) assert.ok(named.includes(`${dir}/${e.name}`), `${list} does not name ${dir}/${e.name}`)
	}
})
