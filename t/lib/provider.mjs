/* An OAuth2 provider for tests, in the dialect of GitLab: the project's secret names its address, so every step runs against it.
 *
 *   const g = await provider()
 *   g.secret                 what the project stores
 *   g.person = { id, email, name, confirmed_at }    who signs in there
 *   g.answer.token / g.answer.user / g.answer.metadata = (rq, rs) => …   to misbehave
 *   g.keys                   what signs ID tokens: { kid: { alg, publicKey, privateKey } }, published where Apple and Google do; g.addKey(kid, 'ES256')
 *   g.idToken({ iss, aud, … }, { kid, head, sign })     one of them; `head` goes over its header, `sign` signs it instead
 *   g.answer.keys = (rq, rs) => …
 *   g.asked                  the requests it saw: { method, path, query } */
import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto'
import http from 'node:http'

export async function provider() {
	const g = { asked: [], answer: {}, person: null, codes: new Map(), refresh: new Map(), client: 'client-1', password: 'hush', keys: {} }
	const json = (rs, status, body) => { rs.writeHead(status, { 'content-type': 'application/json' }); rs.end(JSON.stringify(body)) }
	const bearer = (rq) => /^Bearer (.*)$/.exec(rq.headers.authorization ?? '')?.[1]
	const grant = (person) => {
		const access = randomBytes(8).toString('hex'), again = randomBytes(8).toString('hex')
		g.codes.set(access, person)
		g.refresh.set(again, person)
		return { access_token: access, refresh_token: again, expires_in: 7200, token_type: 'bearer' }
	}
	const web = http.createServer(async (rq, rs) => {
		const u = new URL(rq.url, 'http://provider'), q = Object.fromEntries(u.searchParams)
		if (rq.headers['content-type'] === 'application/x-www-form-urlencoded') {
			let form = ''
			for await (const piece of rq) form += piece
			Object.assign(q, Object.fromEntries(new URLSearchParams(form)))
		}
		g.asked.push({ method: rq.method, path: u.pathname, query: q, headers: rq.headers })
		if (u.pathname === '/oauth/authorize') {
			const back = new URL(q.redirect_uri)
			back.searchParams.set('state', q.state)
			if (g.person === null) back.searchParams.set('error', 'access_denied')
			else { const code = randomBytes(8).toString('hex'); g.codes.set(code, g.person); back.searchParams.set('code', code) }
			rs.writeHead(302, { location: back.toString() })
			return rs.end()
		}
		if (u.pathname === '/oauth/token' && rq.method === 'POST') {
			if (g.answer.token) return g.answer.token(rq, rs, q)
			if (q.client_id !== g.client || q.client_secret !== g.password) return json(rs, 401, { error: 'invalid_client' })
			if (q.grant_type === 'refresh_token') {
				if (!g.refresh.has(q.refresh_token)) return json(rs, 400, { error: 'invalid_grant' })
				return json(rs, 200, grant(g.refresh.get(q.refresh_token)))
			}
			if (!g.codes.has(q.code)) return json(rs, 400, { error: 'invalid_grant' })
			const person = g.codes.get(q.code)
			g.codes.delete(q.code)
			return json(rs, 200, grant(person))
		}
		if (u.pathname === '/api/v4/user') {
			if (g.answer.user) return g.answer.user(rq, rs, q)
			return g.codes.has(bearer(rq) ?? q.access_token) ? json(rs, 200, g.codes.get(bearer(rq) ?? q.access_token)) : json(rs, 401, { message: '401' })
		}
		if (u.pathname === '/.well-known/openid-configuration') {
			if (g.answer.metadata) return g.answer.metadata(rq, rs)
			return json(rs, 200, { issuer: g.url, authorization_endpoint: `${g.url}/oauth/authorize`, token_endpoint: `${g.url}/oauth/token`, userinfo_endpoint: `${g.url}/api/v4/user` })
		}
		if (u.pathname === '/auth/keys' || u.pathname === '/oauth2/v3/certs') {
			if (g.answer.keys) return g.answer.keys(rq, rs)
			const keys = Object.entries(g.keys).map(([kid, k]) => ({ ...k.publicKey.export({ format: 'jwk' }), kid, alg: k.alg, use: 'sig' }))
			return json(rs, 200, { keys })
		}
		json(rs, 404, {})
	})
	const base64 = (v) => Buffer.from(typeof v === 'string' ? v : JSON.stringify(v)).toString('base64url')
	g.addKey = (kid, alg = 'RS256', options = alg === 'RS256' ? { modulusLength: 2048 } : { namedCurve: 'P-256' }) => {
		g.keys[kid] = { alg, ...generateKeyPairSync(alg === 'RS256' ? 'rsa' : 'ec', options) }
		return g.keys[kid]
	}
	g.idToken = (claims, { kid = Object.keys(g.keys)[0], head = {}, sign } = {}) => {
		const k = g.keys[kid], text = `${base64({ typ: 'JWT', alg: k?.alg, kid, ...head })}.${base64(claims)}`
		const by = sign ?? ((text) => createSign('sha256').update(text).sign({ key: k.privateKey, dsaEncoding: 'ieee-p1363' }))
		return `${text}.${Buffer.from(by(text)).toString('base64url')}`
	}
	await new Promise((ok) => web.listen(0, '127.0.0.1', ok))
	web.unref()
	g.url = `http://127.0.0.1:${web.address().port}`
	g.secret = JSON.stringify({ clientSecret: g.password, endpoint: g.url })
	g.stop = () => { web.closeAllConnections(); web.close() }
	return g
}
