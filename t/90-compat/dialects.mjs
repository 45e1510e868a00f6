/* One vocabulary over two generations of SDKs, so that every flow is written once and run with both. */
import { serverNew, serverOld, webNew, webOld } from './browser.mjs'

export const generations = [
	{
		name: 'appwrite 10.1.0 and node-appwrite 8.2.0',
		web: webOld, server: serverOld,
		signIn: (account, email, password) => account.createEmailSession(email, password),
		signUp: (account, id, email, password, name) => account.create(id, email, password, name),
		jwt: (account) => account.createJWT(),
		magicStart: (account, id, email, url) => account.createMagicURLSession(id, email, url),
		magicFinish: (account, id, secret) => account.updateMagicURLSession(id, secret),
		phoneStart: (account, id, phone) => account.createPhoneSession(id, phone),
		phoneFinish: (account, id, secret) => account.updatePhoneSession(id, secret),
		verify: (account, url) => account.createVerification(url),
		verified: (account, id, secret) => account.updateVerification(id, secret),
		recovered: (account, id, secret, password) => account.updateRecovery(id, secret, password, password),
		invite: (teams, team, email, roles, url, name) => teams.createMembership(team, email, roles, url, name),
		queries: (Query) => ({
			equal: (a, v) => Query.equal(a, v), desc: (a) => Query.orderDesc(a), asc: (a) => Query.orderAsc(a), limit: (n) => Query.limit(n),
			after: (id) => Query.cursorAfter(id), greater: (a, v) => Query.greaterThan(a, v),
		}),
		/* the text grammar filters by an exactly matching index only */
		needsIndex: true,
		async subscribe(client, channels, callback) {
			return client.subscribe(channels, callback)
		},
		socketOf: (client) => client.realtime?.socket,
	},
	{
		name: 'appwrite 28.0.0 and node-appwrite 27.1.0',
		web: webNew, server: serverNew,
		signIn: (account, email, password) => account.createEmailPasswordSession({ email, password }),
		signUp: (account, id, email, password, name) => account.create({ userId: id, email, password, name }),
		jwt: (account) => account.createJWT(),
		magicStart: (account, id, email, url) => account.createMagicURLToken({ userId: id, email, url }),
		magicFinish: (account, id, secret) => account.createSession({ userId: id, secret }),
		phoneStart: (account, id, phone) => account.createPhoneToken({ userId: id, phone }),
		phoneFinish: (account, id, secret) => account.createSession({ userId: id, secret }),
		verify: (account, url) => account.createEmailVerification({ url }),
		verified: (account, id, secret) => account.updateEmailVerification({ userId: id, secret }),
		recovered: (account, id, secret, password) => account.updateRecovery({ userId: id, secret, password }),
		invite: (teams, team, email, roles, url, name) => teams.createMembership({ teamId: team, email, roles, url, name }),
		queries: (Query) => ({
			equal: (a, v) => Query.equal(a, v), desc: (a) => Query.orderDesc(a), asc: (a) => Query.orderAsc(a), limit: (n) => Query.limit(n),
			after: (id) => Query.cursorAfter(id), greater: (a, v) => Query.greaterThan(a, v),
		}),
		needsIndex: false,
		async subscribe(client, channels, callback) {
			const realtime = new webNew.Realtime(client), s = await realtime.subscribe(channels, callback)
			return async () => { await (s.close?.() ?? s.unsubscribe?.()); await realtime.disconnect?.() }
		},
		socketOf: () => undefined,
	},
]
