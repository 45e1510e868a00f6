/* The runtime server of Ruby: both generations of handlers, what they get, what of theirs is taken, and what they get wrong. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { contextIsKept, once, runsAreApart, start, textsAreKept, timeIsTold } from './runtime.mjs'

const run = (files, how = {}) => start(['ruby', '@ruby/server.rb'], typeof files === 'string' ? { 'index.rb': files } : files, { entrypoint: 'index.rb', ...how })

test('a handler is taken for what it is', async () => {
	for (const [text, generation, file = 'index.rb'] of [
		['def main(req, res)\n  res.send("yes")\nend', 'v2'],
		['def main(req, res)\n  return res.json("yes")\nend', 'v2', 'src/function.rb'],
		['def main(context)\n  return context.res.text("yes")\nend', 'v5'],
	]) {
		const f = await run({ [file]: text }, { entrypoint: file })
		assert.deepEqual(f.told, { generation }, text)
		assert.equal(generation === 'v2' ? (await f.old()).response : (await f.ask('GET', '/')).text, 'yes', text)
	}
})

test('(req, res): what comes, and what goes', async () => {
	const f = await run({ 'index.rb': `require "json"
require_relative "lib/beside"
def main(req, res)
  puts "log 1"; print "a", "b\\n"; p [1]; warn "err"; $stderr.puts "err 2"
  Thread.new { puts "thread" }.join
  what = JSON.parse(req.payload.empty? ? "{}" : req.payload)
  return res.send(what["send"], what["status"] || 200) if what.key?("send")
  res.json({ payload: req.payload, v: req.variables["NAME"], env: ENV["NAME"], header: req.headers["x"], file: File.read("data.txt"), beside: beside }, what["status"] || 200)
end`, 'data.txt': 'data', 'lib/beside.rb': 'def beside = "beside"' }, { variables: { NAME: 'ä "quoted"\n$(x)' } })
	assert.deepEqual(await f.old('{"status":201}', { headers: { x: 'y' } }), { status: 201, response: { payload: '{"status":201}', v: 'ä "quoted"\n$(x)', env: 'ä "quoted"\n$(x)', header: 'y', file: 'data', beside: 'beside' }, stdout: 'log 1\nab\n[1]\nthread', stderr: 'err\nerr 2' })
	await textsAreKept(f)
})

test('(context): what comes, and what goes', async () => {
	const f = await run(`def main(context)
  req, res = context.req, context.res
  context.log("one", { "a" => 1 }); context.error("two"); puts "three"
  case req.path
  when "/binary" then res.binary((0..255).to_a.pack("C*"), 200, { "content-type" => "application/octet-stream", "x-mine" => "yes", "X-Open-Runtimes-Log-Id" => "no" })
  when "/empty" then res.empty
  when "/to" then res.redirect("https://example.test/", 302)
  when "/text" then res.text(req.body_text, 418)
  when "/echo" then res.binary(req.body_binary)
  else res.json({ method: req.method, path: req.path, url: req.url, query: req.query, queryString: req.query_string, host: req.host, port: req.port, scheme: req.scheme, headers: req.headers, body: req.body, env: ENV["NAME"] })
  end
end`, { variables: { NAME: 'value' } })
	await contextIsKept(f)
})

test('what a function gets wrong is told', async () => {
	for (const [body, told] of [['raise "broken"', /^.*index\.rb:3:in `main': broken \(RuntimeError\)/], ['exit 7', /exit \(SystemExit\)/], ['nil', /ended without an answer/], ['raise Interrupt', /Interrupt/]]) {
		const f = await run(`def main(req, res)\n  puts "before"\n  ${body}\nend`), r = await f.old()
		assert.deepEqual([r.status, r.response, r.stdout], [500, '', 'before'], body)
		assert.match(r.stderr, told)
		assert.doesNotMatch(r.stderr, /server\.rb/)
		const g = await run(`def main(context)\n  context.log("before")\n  ${body}\nend`), s = await g.ask('GET', '/')
		assert.deepEqual([s.status, s.text, s.logs], [500, '', 'before\n'], body)
		assert.match(s.errors, /ended without/.test(told) ? /returned no answer/ : told)
	}
	const twice = await run('def main(req, res)\n  res.send("first")\n  res.send("second")\nend'), r = await twice.old()
	assert.deepEqual([r.status, r.response], [200, 'first'])
	assert.match(r.stderr, /the first answer counts/)
	for (const [files, told] of [
		[{ 'other.rb': '' }, /no file index\.rb.*other\.rb/], [{ 'index.rb': 'def ( syntax error' }, /SyntaxError/], [{ 'index.rb': 'raise "at the beginning"' }, /at the beginning/],
		[{ 'index.rb': 'x = 5' }, /no method main/], [{ 'index.rb': 'require "not_there_at_all"' }, /cannot load such file -- not_there_at_all/], [{ 'index.rb': 'exit 3' }, /SystemExit/],
	]) {
		const f = await run(files, { generation: 'v2' })
		assert.match(f.told.error, told)
		assert.match((await f.old()).stderr, told)
	}
	await timeIsTold(() => run('def main(context)\n  context.log("begun")\n  sleep\nend'))
})

test('runs that overlap have answers and output of their own', async () => {
	const f = await run('def main(req, res)\n  20.times { puts req.payload; sleep 0.001 }\n  res.send(req.payload)\nend')
	await runsAreApart(f)
})

test('output without an end is cut, and told', async () => {
	const f = await run('def main(req, res)\n  8000.times { $stdout.write("é" * 1000); $stderr.write("é" * 1000) }\n  res.send("done")\nend'), r = await f.old()
	assert.equal(r.response, 'done')
	for (const o of [r.stdout, r.stderr]) assert.match(o, /é\n\[3805696 more characters were dropped\]$/)
})

test('threads that go on after the answer are told, and that the process is not to serve again', async () => {
	for (const [what, left] of [
		['Thread.new { loop { sleep 0.01 } }', '1 × thread'], ['q = Queue.new; Thread.new { Thread.new { sleep }; q << 1; sleep }; q.pop', '2 × thread'], ['Thread.new { sleep 0.005 }'], ['Thread.new {}.join'],
		['require "timeout"; Timeout.timeout(60) { 1 }'],
	]) {
		const r = await once(() => run(`def main(context)\n  ${what}\n  context.res.text("yes")\nend`), left)
		assert.deepEqual([r.text, r.errors, r.headers['x-badal-left']], ['yes', left ? `The function went on with work after its answer (${left}): that ends with the run.\n` : '', left && '1'], what)
	}
	const old = await run('def main(req, res)\n  Thread.new { sleep }\n  res.send("yes")\nend')
	assert.equal((await old.old()).stderr, 'The function went on with work after its answer (1 × thread): that ends with the run.')
})

test('what is no answer is told at once, and harms no other run', async () => {
	for (const [answer, told] of [
		['context.res.text("x", "ok")', /status/], ['context.res.text("x", 99)', /status/], ['context.res.text("x", 200, { "x-a" => "\\xff" })', /UTF-8/], ['context.res.text("x", 200, { "x a" => "b" })', /header/],
		['{ statusCode: 200, body: "x", headers: 5 }', /5/], ['{ statusCode: 200, body: { a: Float::NAN } }', /NaN/],
	]) {
		const f = await run(`def main(context)\n  context.log("before")\n  return context.res.text("yes") if context.req.path == "/good"\n  ${answer}\nend`), r = await f.ask('GET', '/')
		assert.deepEqual([r.status, r.text, r.logs], [500, '', 'before\n'], answer)
		assert.match(r.errors, told)
		assert.equal((await f.ask('GET', '/good')).text, 'yes')
		f.child.kill('SIGKILL')
	}
})
