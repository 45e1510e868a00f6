/* Locale, avatars and health by the unmodified SDKs, an old and the newest generation. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { png } from '../lib/png.mjs'
import { server as startServer } from '../lib/server.mjs'
import { as, serverNew, serverOld, webNew, webOld } from './browser.mjs'

let server, project
before(async () => {
	server = await startServer({ own: true, conf: { web_processes: 1, avatar_private: 'on' } })
	project = await server.project({ scopes: ['locale.read', 'avatars.read', 'health.read'] })
})
after(async () => { await server?.stop() })

const generations = [
	{ name: 'appwrite 10.1.0 and node-appwrite 8.2.0', web: webOld, server: serverOld },
	{ name: 'appwrite 28.0.0 and node-appwrite 27.1.0', web: webNew, server: serverNew, objects: true },
]
/* Names of arguments, for the generation that wants objects. */
const names = {
	getFlag: ['code', 'width', 'height', 'quality'], getBrowser: ['code', 'width', 'height', 'quality'], getCreditCard: ['code', 'width', 'height', 'quality'], getQR: ['text', 'size', 'margin', 'download'],
	getInitials: ['name', 'width', 'height', 'background'], getImage: ['url', 'width', 'height'], getFavicon: ['url'],
}

for (const g of generations)
	describe(g.name, () => {
		const call = (service, method, ...args) => {
			const given = args.filter((v) => v !== undefined)
			return g.objects && given.length > 0 ? service[method](Object.fromEntries(names[method].map((n, i) => [n, args[i]]).filter(([, v]) => v !== undefined))) : service[method](...args)
		}
		const flag = () => `${server.url}/avatars/flags/fr?project=${project.id}`
		const asked = () => [['getFlag', [100, 100], 'de'], ['getFlag', [60, 40], 'fr', 60, 40, 90], ['getBrowser', [100, 100], 'ff'], ['getCreditCard', [100, 100], 'visa'], ['getCreditCard', [30, 20], 'mastercard', 30, 20],
			['getQR', [400, 400], 'hello'], ['getQR', [200, 200], 'hello', 200, 4, true], ['getInitials', [500, 500], 'John Doe'], ['getInitials', [50, 60], 'Ада', 50, 60, 'ff8800'], ['getImage', [400, 400], flag()], ['getImage', [20, 10], flag(), 20, 10]]

		test('a browser shows avatars', async () => {
			as('nobody')
			const avatars = new g.web.Avatars(new g.web.Client().setEndpoint(server.url).setProject(project.id))
			for (const [method, size, ...args] of asked()) {
				const address = String(call(avatars, method, ...args)), r = await fetch(address)
				assert.deepEqual([r.status, r.headers.get('content-type')], [200, 'image/png'], address)
				const i = png(Buffer.from(await r.arrayBuffer()))
				assert.deepEqual([i.width, i.height], size, address)
			}
			assert.equal((await fetch(String(call(avatars, 'getFavicon', `${server.base.origin}/humans.txt`)))).status, 404)
		})
		test('a server takes them', async () => {
			const avatars = new g.server.Avatars(new g.server.Client().setEndpoint(server.url).setProject(project.id).setKey(project.key))
			for (const [method, size, ...args] of asked()) {
				const i = png(Buffer.from(await call(avatars, method, ...args)))
				assert.deepEqual([i.width, i.height], size, method)
			}
			await assert.rejects(call(avatars, 'getFavicon', `${server.base.origin}/humans.txt`))
		})
		test('places', async () => {
			as('nobody')
			for (const sdk of [g.web, g.server]) {
				const client = new sdk.Client().setEndpoint(server.url).setProject(project.id).setLocale('de-AT'), locale = new sdk.Locale(client)
				if (sdk === g.server) client.setKey(project.key)
				assert.deepEqual(Object.keys(await locale.get()), ['ip', 'countryCode', 'country', 'continentCode', 'continent', 'eu', 'currency'])
				for (const [list, key, n] of [['listContinents', 'continents', 7], ['listCountries', 'countries', 194], ['listCountriesEU', 'countries', 27], ['listCountriesPhones', 'phones', 194], ['listCurrencies', 'currencies', 117],
					['listLanguages', 'languages', 184], ['listCodes', 'localeCodes', 131]]) {
					if (!locale[list]) continue
					const all = await locale[list]()
					assert.deepEqual([all.total, all[key].length], [n, n], list)
				}
				assert.ok((await locale.listCountries()).countries.some((c) => c.name === 'Österreich'))
			}
		})
		test('health', { skip: !g.server.Health && 'this generation has none' }, async () => {
			const health = new g.server.Health(new g.server.Client().setEndpoint(server.url).setProject(project.id).setKey(project.key))
			for (const method of ['get', 'getDB', 'getCache', 'getStorageLocal']) assert.equal((await health[method]()).status, 'pass', method)
			assert.equal((await health.getTime()).diff, 0)
			assert.equal((await health.getAntivirus()).status, 'disabled')
			for (const method of ['getQueueWebhooks', 'getQueueLogs', 'getQueueCertificates', 'getQueueFunctions']) assert.equal((await health[method](...(method === 'getQueueCertificates' && g.objects ? [{}] : []))).size, 0, method)
		})
	})
