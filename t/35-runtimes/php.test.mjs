/* The runtime server of PHP: both generations of handlers, what they get, what of theirs is taken, and what they get wrong. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { contextIsKept, start, textsAreKept } from './runtime.mjs'

const run = (files, how = {}) => start(['php', '@php/server.php'], typeof files === 'string' ? { 'index.php': files } : files, { entrypoint: 'index.php', ...how })

test('a handler is taken for what it is', async () => {
	for (const [text, generation, file = 'index.php'] of [
		['<?php return function ($req, $res) { $res->send("yes"); };', 'v2'],
		['<?php return fn ($context) => $context->res->text("yes");', 'v5'],
		['<?php class F { function __invoke($context) { return $context->res->text("yes"); } } return new F;', 'v5', 'src/f.php'],
	]) {
		const f = await run({ [file]: text }, { entrypoint: file })
		assert.deepEqual(f.told, { generation }, text)
		assert.equal(generation === 'v2' ? (await f.old()).response : (await f.ask('GET', '/')).text, 'yes', text)
	}
})

test('($req, $res): what comes, and what goes', async () => {
	const f = await run({ 'index.php': `<?php require __DIR__ . '/lib/beside.php'; $count = 0;
return function ($req, $res) use (&$count) {
	echo "log 1\\n"; print_r([1]); $x = $undefined; $count++;
	$what = json_decode($req['payload'] ?: '{}', true);
	if (isset($what['send'])) return $res->send($what['send'], $what['status'] ?? 200);
	$res->json(['payload' => $req['payload'], 'v' => $req['variables']['NAME'], 'env' => getenv('NAME'), 'header' => $req['headers']['x'] ?? null, 'file' => file_get_contents('data.txt'), 'beside' => beside(), 'count' => $count], $what['status'] ?? 200);
};`, 'data.txt': 'data', 'lib/beside.php': '<?php function beside() { return "beside"; }' }, { variables: { NAME: 'ä "quoted"\n$(x)' } })
	const r = await f.old('{"status":201}', { headers: { x: 'y' } })
	assert.match(r.stderr, /^Warning: Undefined variable \$undefined in .*index\.php:3$/)
	assert.deepEqual({ ...r, stderr: '' }, { status: 201, response: { payload: '{"status":201}', v: 'ä "quoted"\n$(x)', env: 'ä "quoted"\n$(x)', header: 'y', file: 'data', beside: 'beside', count: 1 }, stdout: 'log 1\nArray\n(\n    [0] => 1\n)', stderr: '' })
	assert.equal((await f.old()).response.count, 2, 'the function is kept between runs')
	await textsAreKept(f)
})

test('($context): what comes, and what goes', async () => {
	const f = await run(`<?php return function ($context) {
	$req = $context->req; $res = $context->res;
	$context->log('one', ['a' => 1]); $context->error('two'); echo "three\\n";
	if ($req->path === '/binary') return $res->binary(implode(array_map('chr', range(0, 255))), 200, ['content-type' => 'application/octet-stream', 'x-mine' => 'yes', 'X-Open-Runtimes-Log-Id' => 'no']);
	if ($req->path === '/empty') return $res->empty();
	if ($req->path === '/to') return $res->redirect('https://example.test/', 302);
	if ($req->path === '/text') return $res->text($req->bodyText, 418);
	if ($req->path === '/echo') return $res->binary($req->bodyBinary);
	return $res->json(['method' => $req->method, 'path' => $req->path, 'url' => $req->url, 'query' => $req->query, 'queryString' => $req->queryString, 'host' => $req->host, 'port' => $req->port, 'scheme' => $req->scheme, 'headers' => $req->headers, 'body' => $req->body, 'env' => getenv('NAME')]);
};`, { variables: { NAME: 'value' } })
	await contextIsKept(f)
})

test('what a function gets wrong is told, and what ends PHP ends the process after its answer', async () => {
	for (const [body, told, ends] of [
		['throw new Exception("broken");', /^Exception: broken in .*index\.php:1/], ['', /ended without an answer/], ['not_a_function();', /undefined function not_a_function\(\)/],
		['exit(3);', /exit was called/, true], ['$x = str_repeat("x", PHP_INT_MAX >> 8);', /Allowed memory size|Out of memory|Possible integer overflow/, true],
	]) {
		const f = await run(`<?php return function ($req, $res) { echo "before\\n"; ${body} };`), r = await f.old()
		assert.deepEqual([r.status, r.response, r.stdout], [500, '', 'before'], body)
		assert.match(r.stderr, told)
		assert.doesNotMatch(r.stderr, /server\.php\(/)
		if (ends) await new Promise((ok) => (f.child.exitCode === null ? f.child.on('exit', ok) : ok()))
		const g = await run(`<?php return function ($context) { $context->log("before"); ${body} };`), s = await g.ask('GET', '/')
		assert.deepEqual([s.status, s.text, s.logs], [500, '', 'before\n'], body)
		assert.match(s.errors, /ended without/.test(told) ? /returned no answer/ : told)
	}
	const twice = await run('<?php return function ($req, $res) { $res->send("first"); $res->send("second"); };'), r = await twice.old()
	assert.deepEqual([r.status, r.response], [200, 'first'])
	assert.match(r.stderr, /the first answer counts/)
	for (const [files, told] of [
		[{ 'other.php': '' }, /no file index\.php.*other\.php/], [{ 'index.php': '<?php syntax error here' }, /ParseError|syntax error/], [{ 'index.php': '<?php throw new Exception("at the beginning");' }, /at the beginning/],
		[{ 'index.php': '<?php return 5;' }, /returns no function/], [{ 'index.php': '<?php exit;' }, /ended PHP/],
	]) {
		const f = await run(files, { generation: 'v2' })
		assert.match(f.told.error, told)
	}
})

test('output without an end is cut, and told', async () => {
	const f = await run('<?php return function ($req, $res) { for ($i = 0; $i < 8000; $i++) echo str_repeat("é", 1000); $res->send("done"); };'), r = await f.old()
	assert.equal(r.response, 'done')
	assert.match(r.stdout, /é\n\[11805696 more bytes were dropped\]$/)
})

test('an alarm does not come after the answer, and a fork of the function serves nobody', async () => {
	const f = await run('<?php return function ($context) { if (!function_exists("pcntl_alarm")) return $context->res->text("none"); if ($context->req->path === "/set") { pcntl_async_signals(true); pcntl_signal(SIGALRM, function () { global $rang; $rang = true; }); pcntl_alarm(1); } elseif ($context->req->path === "/fork") return $context->res->text(pcntl_fork() === 0 ? "child" : "parent"); elseif ($context->req->path === "/exit") { if (pcntl_fork() === 0) exit(3); usleep(50000); } else usleep(1200000); return $context->res->text(($GLOBALS["rang"] ?? false) ? "rang" : "quiet"); };')
	const ask = async (at) => (await f.ask('GET', at)).text
	if (await ask('/set') === 'none') return
	assert.equal(await ask('/wait'), 'quiet')
	for (let i = 0; i < 3; i++) {
		assert.equal(await ask('/fork'), 'parent')
		assert.equal(await ask('/exit'), 'quiet')
	}
})

test('what is no answer is told at once, and the process serves on', async () => {
	for (const [answer, told] of [['$context->res->text("x", 99)', /status/], ['$context->res->text("x", 600)', /status/], ['["statusCode" => "ok", "body" => "x"]', /status of an answer .* not ok/], ['$context->res->text("x", 200, ["x a" => "b"])', /header/],
		['$context->res->text("x", 200, ["x-a\\r\\ny" => "b"])', /header/], ['$context->res->text("x", 200, ["b"])', null], ['["statusCode" => 200]', /body/], ['["statusCode" => 200, "body" => "x", "headers" => 5]', /headers/], ['5', /returned no answer/]]) {
		const f = await run(`<?php return function ($context) { echo "before\n"; return $context->req->path === "/fine" ? $context->res->text("fine") : ${answer}; };`), r = await f.ask('GET', '/')
		if (told) {
			assert.deepEqual([r.status, r.text, r.logs], [500, '', 'before\n'], answer)
			assert.match(r.errors, told)
		} else assert.deepEqual([r.status, r.text, r.headers['0']], [200, 'x', 'b'])
		assert.equal((await f.ask('GET', '/fine')).text, 'fine')
	}
	/* no line of an answer's head can be made by a value */
	const f = await run('<?php return fn ($context) => $context->res->text("x", 200, ["x-a" => "b\r\nx-c: d\0"]);'), r = await f.ask('GET', '/')
	assert.deepEqual([r.status, r.headers['x-a'].trimEnd(), r.headers['x-c']], [200, 'b  x-c: d', undefined])
	for (const [answer, told] of [['$res->send("x", 99)', /status/], ['$res->json(NAN)', /no JSON/], ['$res->json(new class implements JsonSerializable { function jsonSerialize(): mixed { throw new Exception("not me"); } })', /not me/]]) {
		const o = await run(`<?php return function ($req, $res) { echo "before\\n"; if ($req["payload"] === "fine") $res->send("fine"); else ${answer}; };`), a = await o.old()
		assert.deepEqual([a.status, a.response, a.stdout], [500, '', 'before'], answer)
		assert.match(a.stderr, told)
		assert.equal((await o.old('fine')).response, 'fine')
	}
})
