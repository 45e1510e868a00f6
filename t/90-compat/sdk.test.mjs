/* The unmodified public SDKs, an old and the newest generation, do the main job: a server prepares a collection, people sign up and in,
 * write, read what they may, and receive what others write. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { server as startServer } from '../lib/server.mjs'
import { as, until } from './browser.mjs'
import { generations } from './dialects.mjs'

let server
before(async () => { server = await startServer() })
after(async () => { await server?.stop() })

const password = 'correct-horse'
const rejects = (promise, type) => assert.rejects(promise, (e) => (assert.equal(e.type, type), true))

for (const g of generations) {
	describe(g.name, () => {
		const { ID, Permission, Role, Query } = g.web, q = g.queries(Query)
		let project, databases, alice, bob

		const person = (name) => {
			const client = new g.web.Client().setEndpoint(server.url).setProject(project.id)
			return { name, client, account: new g.web.Account(client), databases: new g.web.Databases(client), email: `${name}@example.org` }
		}

		before(async () => {
			project = await server.project({ name: 'Compat' })
			const client = new g.server.Client().setEndpoint(server.url).setProject(project.id)
				.setKey(await project.addKey(['databases.read', 'databases.write', 'collections.read', 'collections.write', 'attributes.read', 'attributes.write',
					'indexes.read', 'indexes.write', 'documents.read', 'documents.write', 'users.read', 'users.write']))
			databases = new g.server.Databases(client)
			alice = person('alice')
			bob = person('bob')
		})

		test('a server makes a database, a collection and all nine kinds of attributes', async () => {
			await databases.create('shop', 'Shop')
			const c = await databases.createCollection('shop', 'items', 'Items',
				[g.server.Permission.create(g.server.Role.users()), g.server.Permission.read(g.server.Role.team('nobody'))], true)
			assert.equal(c.documentSecurity, true)
			await databases.createStringAttribute('shop', 'items', 'title', 100, true)
			await databases.createEmailAttribute('shop', 'items', 'contact', false)
			await databases.createEnumAttribute('shop', 'items', 'state', ['new', 'used'], false, 'new')
			await databases.createIpAttribute('shop', 'items', 'host', false)
			await databases.createUrlAttribute('shop', 'items', 'link', false)
			await databases.createIntegerAttribute('shop', 'items', 'stock', false, 0, 1000, 1)
			await databases.createFloatAttribute('shop', 'items', 'price', false, 0, 1e6)
			await databases.createBooleanAttribute('shop', 'items', 'listed', false, true)
			await databases.createDatetimeAttribute('shop', 'items', 'since', false)
			await databases.createStringAttribute('shop', 'items', 'tags', 20, false, undefined, true)
			await until('all attributes are available', async () => {
				const list = await databases.listAttributes('shop', 'items')
				return list.total === 10 && list.attributes.every((a) => a.status === 'available')
			})
		})

		test('people sign up, sign in and see their account', async () => {
			for (const p of [alice, bob]) {
				as(p.name)
				const made = await g.signUp(p.account, ID.unique(), p.email, password, p.name)
				assert.equal(made.email, p.email)
				const session = await g.signIn(p.account, p.email, password)
				assert.equal(session.provider, 'email')
				p.id = made.$id
				assert.equal((await p.account.get()).$id, made.$id)
				await p.account.updatePrefs({ theme: 'dark' })
				assert.deepEqual({ ...(await p.account.getPrefs()) }, { theme: 'dark' })
				assert.ok((await g.jwt(p.account)).jwt.split('.').length === 3)
			}
			as('mallory')
			await rejects(g.signIn(person('mallory').account, alice.email, 'wrong-password'), 'user_invalid_credentials')
			await rejects(person('mallory').account.get(), 'general_unauthorized_scope')
		})

		test('documents: defaults, permissions between two people, update, validation', async () => {
			as('alice')
			const mine = await alice.databases.createDocument('shop', 'items', 'lamp', { title: 'Lamp', price: 9.5, tags: ['a', 'b'], since: '2022-10-04' })
			assert.equal(mine.state, 'new')
			assert.equal(mine.stock, 1)
			assert.equal(mine.listed, true)
			assert.deepEqual([...mine.tags], ['a', 'b'])
			assert.equal(mine.since, '2022-10-04T00:00:00.000+00:00')
			await alice.databases.createDocument('shop', 'items', 'open', { title: 'For all' }, [Permission.read(Role.any()), Permission.update(Role.users())])
			await rejects(alice.databases.createDocument('shop', 'items', 'bad', { title: 'x', stock: 5000 }), 'document_invalid_structure')
			await rejects(alice.databases.createDocument('shop', 'items', 'lamp', { title: 'again' }), 'document_already_exists')
			as('bob')
			await rejects(bob.databases.getDocument('shop', 'items', 'lamp'), 'document_not_found')
			await rejects(bob.databases.updateDocument('shop', 'items', 'lamp', { title: 'stolen' }), 'user_unauthorized')
			assert.equal((await bob.databases.updateDocument('shop', 'items', 'open', { title: 'Changed by bob' })).title, 'Changed by bob')
			assert.deepEqual((await bob.databases.listDocuments('shop', 'items')).documents.map((d) => d.$id), ['open'])
			as('alice')
			assert.equal((await alice.databases.listDocuments('shop', 'items')).total, 2)
		})

		test('queries: filters, order, limit, cursors', async () => {
			if (g.needsIndex) {
				await databases.createIndex('shop', 'items', 'by_stock', 'key', ['stock'])
				await until('the index is available', async () => (await databases.getIndex('shop', 'items', 'by_stock')).status === 'available')
			}
			for (let i = 0; i < 12; i++)
				await databases.createDocument('shop', 'items', `n${i}`, { title: `N${i}`, stock: 100 + i }, [g.server.Permission.read(g.server.Role.any())])
			as('bob')
			const list = (queries) => bob.databases.listDocuments('shop', 'items', queries).then((l) => l.documents.map((d) => d.$id))
			assert.deepEqual(await list([q.greater('stock', 108)]), ['n9', 'n10', 'n11'])
			assert.deepEqual(await list([q.desc('stock'), q.limit(2)]), ['n11', 'n10'])
			assert.deepEqual(await list([q.desc('stock'), q.limit(2), q.after('n10')]), ['n9', 'n8'])
			assert.deepEqual(await list([q.equal('stock', [103, 105])]), ['n3', 'n5'])
			await rejects(list([q.equal('nothing', ['x'])]), g.needsIndex ? 'general_argument_invalid' : 'general_query_invalid')
		})

		test('realtime: each receives what is readable, after signing in', async (context) => {
			const seen = { alice: [], bob: [] }, stop = []
			/* an SDK that lost its server connects again and again: it must not outlive a failure */
			context.after(async () => {
				for (const s of stop) await s()
				g.socketOf(alice.client)?.close()
				g.socketOf(bob.client)?.close()
			})
			for (const p of [alice, bob]) {
				as(p.name)
				stop.push(await g.subscribe(p.client, ['documents', 'account'], (e) => seen[p.name].push(e)))
				/* subscribed means: one of our own writes comes back */
				await until(`${p.name} is subscribed`, async () => {
					as(p.name)
					await p.account.updatePrefs({ at: Math.random() })
					return seen[p.name].some((e) => e.events.includes(`users.${p.id}.update.prefs`))
				})
			}
			seen.alice.length = seen.bob.length = 0	/* what was written before may be told late */
			as('alice')
			await alice.databases.createDocument('shop', 'items', 'secret', { title: 'Only mine' })
			await alice.databases.createDocument('shop', 'items', 'public', { title: 'Everybody' }, [Permission.read(Role.users()), Permission.delete(Role.user(alice.id))])
			const ids = (who) => seen[who].filter((e) => e.channels.includes('documents')).map((e) => e.payload.$id)
			await until('both received the public one', () => ids('alice').includes('public') && ids('bob').includes('public'))
			assert.deepEqual(ids('alice'), ['secret', 'public'])
			assert.deepEqual(ids('bob'), ['public'])
			await alice.databases.deleteDocument('shop', 'items', 'public')
			await until('the delete arrives', () => seen.bob.some((e) => e.events.includes('databases.shop.collections.items.documents.public.delete')))
		})

		test('signing out ends the session at once', async () => {
			as('bob')
			await bob.account.deleteSession('current')
			await rejects(bob.account.get(), 'general_unauthorized_scope')
			as('alice')
			await alice.account.deleteSessions()
			await rejects(alice.account.get(), 'general_unauthorized_scope')
		})

		test('a guest, when asked for an anonymous session', async () => {
			as('guest')
			const guest = person('guest')
			assert.equal((await guest.account.createAnonymousSession()).provider, 'anonymous')
			assert.equal((await guest.account.get()).email, '')
		})
	})
}
