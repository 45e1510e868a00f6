/* The runtime server of Python: both generations of handlers, what they get, what of theirs is taken, and what they get wrong. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { contextIsKept, once, runsAreApart, start, textsAreKept, timeIsTold } from './runtime.mjs'

const run = (files, how = {}) => start(['python3', '@python/server.py'], typeof files === 'string' ? { 'main.py': files } : files, { entrypoint: 'main.py', ...how })

test('a handler is taken for what it is', async () => {
	for (const [text, generation, file = 'main.py'] of [
		['def main(req, res):\n    return res.send("yes")', 'v2'],
		['def main(context):\n    return context.res.text("yes")', 'v5'],
		['async def main(context):\n    return context.res.text("yes")', 'v5'],
		['async def main(req, res):\n    res.send("yes")', 'v2', 'src/handler.py'],
	]) {
		const f = await run({ [file]: text }, { entrypoint: file })
		assert.deepEqual(f.told, { generation }, text)
		assert.equal(generation === 'v2' ? (await f.old()).response : (await f.ask('GET', '/')).text, 'yes', text)
	}
})

test('(req, res): what comes, and what goes', async () => {
	const f = await run({ 'main.py': `import json, os, sys, threading
from lib import beside
def main(req, res):
    print('log', 1); print('err', file=sys.stderr); sys.stdout.buffer.write(b'raw\\n')
    t = threading.Thread(target=lambda: print('thread')); t.start(); t.join()
    what = json.loads(req.payload or '{}')
    if 'send' in what: return res.send(what['send'], what.get('status', 200))
    res.json({'payload': req.payload, 'v': req.variables['NAME'], 'env': os.environ['NAME'], 'header': req.headers.get('x'), 'file': open('data.txt').read(), 'beside': beside.word}, what.get('status', 200))`,
	'data.txt': 'data', 'lib/__init__.py': '', 'lib/beside.py': 'word = "beside"' }, { variables: { NAME: 'ä "quoted"\n$(x)' } })
	assert.deepEqual(await f.old('{"status":201}', { headers: { x: 'y' } }), { status: 201, response: { payload: '{"status":201}', v: 'ä "quoted"\n$(x)', env: 'ä "quoted"\n$(x)', header: 'y', file: 'data', beside: 'beside' }, stdout: 'log 1\nraw\nthread', stderr: 'err' })
	await textsAreKept(f)
})

test('(context): what comes, and what goes', async () => {
	const f = await run(`import os
def main(context):
    req, res = context.req, context.res
    context.log('one', {'a': 1}); context.error('two'); print('three')
    if req.path == '/binary': return res.binary(bytes(range(256)), 200, {'content-type': 'application/octet-stream', 'x-mine': 'yes', 'X-Open-Runtimes-Log-Id': 'no'})
    if req.path == '/empty': return res.empty()
    if req.path == '/to': return res.redirect('https://example.test/', 302)
    if req.path == '/text': return res.text(req.body_text, 418)
    if req.path == '/echo': return res.binary(req.body_binary)
    return res.json({'method': req.method, 'path': req.path, 'url': req.url, 'query': req.query, 'queryString': req.query_string, 'host': req.host, 'port': req.port, 'scheme': req.scheme, 'headers': req.headers, 'body': req.body, 'env': os.environ['NAME']})`, { variables: { NAME: 'value' } })
	await contextIsKept(f)
})

test('what a function gets wrong is told', async () => {
	for (const [body, told] of [['raise ValueError("broken")', /File ".*main\.py", line 3, in main\n.*\nValueError: broken/s], ['raise SystemExit(7)', /SystemExit: 7/], ['pass', /ended without an answer/]]) {
		const f = await run(`def main(req, res):\n    print("before")\n    ${body}`), r = await f.old()
		assert.deepEqual([r.status, r.response, r.stdout], [500, '', 'before'], body)
		assert.match(r.stderr, told)
		assert.doesNotMatch(r.stderr, /server\.py/)
		const g = await run(`def main(context):\n    context.log("before")\n    ${body}`), s = await g.ask('GET', '/')
		assert.deepEqual([s.status, s.text, s.logs], [500, '', 'before\n'], body)
		assert.match(s.errors, /ended/.test(told) ? /returned no answer/ : told)
	}
	const twice = await run('def main(req, res):\n    res.send("first")\n    res.send("second")'), r = await twice.old()
	assert.deepEqual([r.status, r.response], [200, 'first'])
	assert.match(r.stderr, /the first answer counts/)
	for (const [files, told] of [
		[{ 'other.py': '' }, /no file main\.py.*other\.py/], [{ 'main.py': 'syntax error here' }, /SyntaxError/], [{ 'main.py': 'raise Exception("at the beginning")' }, /at the beginning/],
		[{ 'main.py': 'main = 5' }, /no function main/], [{ 'main.py': 'import not_there_at_all' }, /No module named 'not_there_at_all'/], [{ 'main.py': 'import sys; sys.exit(3)' }, /SystemExit: 3/],
	]) {
		const f = await run(files, { generation: 'v2' })
		assert.match(f.told.error, told)
		assert.match((await f.old()).stderr, told)
	}
	await timeIsTold(() => run('import time\ndef main(context):\n    context.log("begun")\n    time.sleep(60)'))
})

test('half of a pair is no character', async () => {
	const f = await run('def main(req, res):\n    print("a\\ud800b")\n    return res.send("c\\udc00")\n'), r = await f.old()
	assert.deepEqual([r.stdout, r.response], ['a?b', 'c?'])
	const g = await run('def main(context):\n    context.log("a\\ud800b")\n    return context.res.text("c\\udc00")\n'), s = await g.ask('GET', '/')
	assert.deepEqual([s.logs, s.text], ['a?b\n', 'c?'])
})

test('runs that overlap have answers and output of their own', async () => {
	const f = await run('import time\ndef main(req, res):\n    for i in range(20):\n        print(req.payload)\n        time.sleep(0.001)\n    res.send(req.payload)')
	await runsAreApart(f)
	const g = await run('import asyncio\nasync def main(context):\n    for i in range(20):\n        print(context.req.body_text)\n        await asyncio.sleep(0)\n    return context.res.text(context.req.body_text)')
	const more = await Promise.all(Array.from({ length: 24 }, (_, i) => g.ask('POST', '/', { body: `${i}` })))
	more.forEach((r, i) => assert.deepEqual([r.text, r.logs], [`${i}`, `${i}\n`.repeat(20)]))
})

test('output without an end is cut, and told', async () => {
	const f = await run('import sys\ndef main(req, res):\n    for i in range(8000):\n        sys.stdout.write("é" * 1000); sys.stderr.write("é" * 1000)\n    res.send("done")'), r = await f.old()
	assert.equal(r.response, 'done')
	for (const o of [r.stdout, r.stderr]) assert.match(o, /é\n\[3805696 more characters were dropped\]$/)
})

test('threads that go on after the answer are told, and that the process is not to serve again', async () => {
	const begin = 'import threading, time, concurrent.futures, asyncio\npool = concurrent.futures.ThreadPoolExecutor(2)\ndef work():\n    while True:\n        time.sleep(0.01)\n'
	for (const [what, left] of [
		['threading.Thread(target=work).start()', '1 × thread'], ['threading.Thread(target=work, daemon=True).start(); threading.Timer(60, print).start()', '2 × thread'], ['pool.submit(work)', '1 × thread'],
		['pool.submit(lambda: threading.Thread(target=work, daemon=True).start()).result()', '1 × thread'],
		['threading.Thread(target=lambda: time.sleep(0.005)).start()'], ['pool.submit(int).result()'], ['t = threading.Thread(target=int); t.start(); t.join()'], ['asyncio.run(asyncio.to_thread(int))'],
	]) {
		const r = await once(() => run(`${begin}def main(context):\n    ${what}\n    return context.res.text("yes")`), left)
		assert.deepEqual([r.text, r.errors, r.headers['x-badal-left']], ['yes', left ? `The function went on with work after its answer (${left}): that ends with the run.\n` : '', left && '1'], what)
	}
	const old = await run(`${begin}def main(req, res):\n    threading.Thread(target=work).start()\n    res.send("yes")`)
	assert.equal((await old.old()).stderr, 'The function went on with work after its answer (1 × thread): that ends with the run.')
	const module = await run(`${begin}threading.Thread(target=work, daemon=True).start()\ndef main(context):\n    return context.res.text("yes")`)
	assert.equal((await module.ask('GET', '/')).errors, '', 'what was begun with the module is not of the run')
})

test('what is no answer is told at once, and harms no other run', async () => {
	for (const [answer, told] of [
		['context.res.text("x", "ok")', /status/], ['context.res.text("x", 99)', /status/], ['context.res.text("x", 200, {"x-a": "\\u20ac"})', /latin-1/], ['context.res.text("x", 200, {"x a": "b"})', /header/],
		['{"statusCode": 200}', /body/], ['{"statusCode": 200, "body": "x", "headers": 5}', /int/],
	]) {
		const f = await run(`def main(context):\n    context.log("before")\n    if context.req.path == "/good":\n        return context.res.text("yes")\n    return ${answer}`), r = await f.ask('GET', '/')
		assert.deepEqual([r.status, r.text, r.logs], [500, '', 'before\n'], answer)
		assert.match(r.errors, told)
		assert.equal((await f.ask('GET', '/good')).text, 'yes')
		f.child.kill('SIGKILL')
	}
})
