/* Functions for tests: an archive of some files, deployed, built and live.
 *
 *   const f = await deploy(p, 'module.exports = async (req, res) => res.send("hi")', { execute: ['any'] })
 *   await f.run({ data: 'x' })   the execution, as the API answers it to the key */
import { form, part } from './form.mjs'
import { unique, until } from './server.mjs'
import { archive } from './tar.mjs'

/* `code`: the text of index.js, or files. `vars`: variables. Others are parameters of the function. */
export async function deploy(p, code, { id = unique('f'), entrypoint = 'index.js', runtime = 'node-18.0', vars = {}, live = true, ms = 60000, ...more } = {}) {
	const files = typeof code === 'string' ? { 'index.js': code } : code, path = `/functions/${id}`
	await p.ok('POST', '/functions', { body: { functionId: id, name: id, runtime, execute: [], ...more } })
	for (const [key, value] of Object.entries(vars)) await p.ok('POST', `${path}/variables`, { body: { key, value } })
	const f = form({ entrypoint, code: part('code.tar.gz', archive(files)), activate: String(live) })
	const d = await p.ok('POST', `${path}/deployments`, { body: f.body, headers: f.headers, status: 202 })
	/* clients of 1.4 and later are told of the build by the deployment */
	const state = () => p.ok('GET', `${path}/deployments/${d.$id}`, { headers: { 'x-appwrite-response-format': '1.5.0' } })
	const built = await until('the deployment is built', async () => { const v = await state(); return ['ready', 'failed'].includes(v.status) && v }, ms)
	if (built.status !== 'ready') throw new Error(`not built: ${JSON.stringify(built)}`)
	if (live) await until('the deployment is live', async () => (await p.ok('GET', path)).deployment === d.$id, ms)
	const list = (o = {}) => p.ok('GET', `${path}/executions`, o)
	return { id, path, deployment: d.$id, list,
		run: (body = {}, o = {}) => p.ok('POST', `${path}/executions`, { body, ms, ...o }),
		get: (e, o = {}) => p.ok('GET', `${path}/executions/${e}`, o),
		ended: (e, o = {}) => until(`execution ${e} has ended`, async () => { const x = await p.ok('GET', `${path}/executions/${e}`, o); return ['completed', 'failed'].includes(x.status) && x }, ms),
		/* all that have ended, once there are n */
		all: (n, o = {}) => until(`${n} executions have ended`, async () => {
			const l = (await list({ query: { queries: ['limit(100)'] }, ...o })).executions
			return l.length >= n && l.every((x) => ['completed', 'failed'].includes(x.status)) && l
		}, ms) }
}
