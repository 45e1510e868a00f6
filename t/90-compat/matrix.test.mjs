/* doc/compatibility.md says what is true of every version of the public SDKs. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'

import { server as startServer } from '../lib/server.mjs'
import { page, render, tryAll } from './matrix.mjs'

test('the page is what was seen', { timeout: 300000 }, async () => {
	const server = await startServer({ own: true, conf: { roles: 'web,relay,jobs,executor' } }), text = render(await tryAll(server))
	await server.stop()
	if (process.env.BADAL_TEST_WRITE) writeFileSync(page, text)
	assert.equal(existsSync(page) ? readFileSync(page, 'utf8') : '', text, 'stale: BADAL_TEST_WRITE=1 node --test t/90-compat/matrix.test.mjs')
})
