<?php
/* The runtime server of PHP functions: loads a function and serves runs of it over HTTP, in both generations of handlers.
 *
 *   return function ($req, $res) { … }    $req['variables'], ['payload'], ['headers']; $res->send($text, $status), $res->json($value, $status)
 *   return function ($context) { … }      $context->req, ->res, ->log(), ->error(); what $context->res->text() and the like give is returned
 *
 * The contracts are those of contrib/runtimes/node/server.mjs, which describes them. One run at a time: who wants more starts more of these processes. What ends
 * PHP (exit, a fatal error) ends this process, after the run was answered. */
declare(strict_types=1);

namespace Badal;

const BODY_MAX = 20 * 1024 * 1024, OUTPUT_MAX = 4 * 1024 * 1024;	/* bytes of each output of a run; the server keeps a million characters */

/* ---- what a run writes ---- */

final class Output
{
	public string $text = '';
	private int $dropped = 0;

	public function __construct(private ?string $number = null, private string $which = 'l') {}
	public function add(string $text): void
	{
		$room = OUTPUT_MAX - strlen($this->text);
		$this->dropped += max(0, strlen($text) - $room);
		$text = substr($text, 0, max(0, $room));
		$this->text .= $text;
		if ($this->number !== null && $text !== '')	/* for the executor, at once, should the process end before the answer: see server.mjs */
			fwrite(STDOUT, "\x1e$this->number $this->which " . strlen($text) . "\n$text");
	}

	public function __toString(): string
	{
		if ($this->dropped === 0)
			return $this->text;
		return preg_replace('/[\xC0-\xFF][\x80-\xBF]{0,3}$/D', '', $this->text) . "\n[{$this->dropped} more bytes were dropped]";
	}
}

function text(mixed $v): string
{
	return is_string($v) ? $v : (is_scalar($v) || $v instanceof \Stringable ? var_text($v) : (string) json_encode($v, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_PARTIAL_OUTPUT_ON_ERROR));
}
function var_text(mixed $v): string
{
	return is_bool($v) ? ($v ? 'true' : 'false') : (string) $v;
}

/* What was thrown, with the function's own lines. */
function reason(\Throwable $e): string
{
	$lines = [get_class($e) . ': ' . $e->getMessage() . ' in ' . $e->getFile() . ':' . $e->getLine()];
	foreach (explode("\n", $e->getTraceAsString()) as $line)
		if (!str_contains($line, __FILE__))
			$lines[] = $line;
	return implode("\n", $lines) . "\n";
}

/* ---- (req, res) ---- */

final class OldResponse
{
	public ?array $answer = null;

	public function __construct(private Output $errors) {}

	private function once(mixed $response, int $status): void
	{
		if ($this->answer !== null)
			$this->errors->add("The function has answered already: the first answer counts.\n");
		$this->answer ??= [$response, $status];
	}
	public function send(mixed $text = '', int $status = 200): void
	{
		$this->once(text($text), $status);
	}
	public function json(mixed $value = null, int $status = 200): void
	{
		$this->once($value, $status);
	}
}

/* ---- (context) ---- */

final class Request
{
	public string $method, $scheme, $host, $path, $url, $queryString, $bodyBinary, $bodyText, $bodyRaw;
	public int $port;
	public array $query = [], $headers = [];

	public function __construct(string $method, string $target, array $headers, string $body)
	{
		$this->method = $headers['x-badal-method'] ?? $method;
		$this->headers = array_filter($headers, fn ($k) => !preg_match('/^x-(open-runtimes|badal)-/', (string) $k), ARRAY_FILTER_USE_KEY);
		foreach (json_decode(getenv('OPEN_RUNTIMES_HEADERS') ?: '{}', true) ?? [] as $k => $v)
			$this->headers[strtolower($k)] = (string) $v;
		$this->scheme = $this->headers['x-forwarded-proto'] ?? 'http';
		$host = $this->headers['host'] ?? '';
		preg_match('/^(.*?)(?::(\d+))?$/', $host, $m);
		$this->host = $m[1];
		$this->port = (int) ($m[2] ?? ($this->scheme === 'https' ? 443 : 80));
		[$this->path, $this->queryString] = explode('?', $target, 2) + [1 => ''];
		parse_str($this->queryString, $this->query);
		$this->url = "{$this->scheme}://$host$target";
		$this->bodyBinary = $this->bodyText = $this->bodyRaw = $body;
	}
	public function __get(string $name): mixed
	{
		$type = strtolower($this->headers['content-type'] ?? '');
		return match ($name) {
			'bodyJson' => json_decode($this->bodyText === '' ? '{}' : $this->bodyText, true),
			'body' => str_starts_with($type, 'application/json') ? ($this->bodyText === '' ? '' : $this->bodyJson) : $this->bodyText,
			default => throw new \Error("A request has no $name"),
		};
	}
}

final class Response
{
	public function text(mixed $body = '', int $status = 200, array $headers = []): array
	{
		return ['body' => $body, 'statusCode' => $status, 'headers' => $headers];
	}
	public function send(mixed $body = '', int $status = 200, array $headers = []): array
	{
		return $this->text($body, $status, $headers);
	}
	public function binary(string $bytes, int $status = 200, array $headers = []): array
	{
		return $this->text($bytes, $status, $headers);
	}
	public function json(mixed $value, int $status = 200, array $headers = []): array
	{
		return $this->text(json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR), $status, ['content-type' => 'application/json'] + $headers);
	}
	public function empty(): array
	{
		return $this->text('', 204);
	}
	public function redirect(string $url, int $status = 301, array $headers = []): array
	{
		return $this->text('', $status, ['location' => $url] + $headers);
	}
}

final class Context
{
	public function __construct(public Request $req, public Response $res, private Output $logs, private Output $errors) {}

	private static function words(array $args): string
	{
		return implode(' ', array_map(text(...), $args)) . "\n";
	}
	public function log(mixed ...$args): void
	{
		$this->logs->add(self::words($args));
	}
	public function error(mixed ...$args): void
	{
		$this->errors->add(self::words($args));
	}
}

/* ---- the function and its runs ---- */

final class Server
{
	private static ?string $secret = null, $generation = null, $broken = null;
	private static mixed $handler = null;
	private static ?Output $logs = null, $errors = null;	/* of the run that is served */
	private static int $pid = 0;				/* of the server itself */
	private static ?\Closure $lastWords = null;		/* answers the run when PHP ends in the middle of it */

	/* Each write goes to the run at once: a fatal error throws away what waits in a buffer. */
	private static function capture(): void
	{
		ob_start(function (string $text): string {
			self::$logs?->add($text);
			return '';
		}, 1);
	}

	private static function load(string $code, string $entrypoint): callable
	{
		if (!is_file("$code/$entrypoint"))
			throw new \Exception("There is no file $entrypoint. What there is: " . implode(', ', array_slice(array_values(array_diff(scandir($code), ['.', '..'])), 0, 20)));
		$handler = (static fn () => require "$code/$entrypoint")();
		return is_callable($handler) ? $handler : throw new \Exception("$entrypoint returns no function: return function (\$context) { … };");
	}

	private static function start(array $told): array
	{
		foreach ($told['variables'] ?? [] as $k => $v) {
			putenv("$k=$v");
			$_ENV[$k] = $v;
		}
		$code = realpath($told['code'] ?? '/code');
		chdir($code);
		self::$secret = $told['secret'] ?? null;
		self::$errors = self::$logs = new Output();
		try {
			ob_start();
			self::$lastWords = fn () => self::$broken ??= 'The file ended PHP: ' . (error_get_last()['message'] ?? 'exit was called');
			self::$handler = self::load($code, $told['entrypoint']);
		} catch (\Throwable $e) {
			self::$broken = reason($e);
		}
		ob_end_clean();
		self::$errors = self::$logs = self::$lastWords = null;
		$asked = $told['generation'] ?? 'arity';
		$arity = self::$handler === null ? 1 : (new \ReflectionFunction(\Closure::fromCallable(self::$handler)))->getNumberOfRequiredParameters();
		self::$generation = in_array($asked, ['v2', 'v5'], true) ? $asked : ($arity >= 2 ? 'v2' : 'v5');
		return ['generation' => self::$generation] + (self::$broken === null ? [] : ['error' => self::$broken]);
	}

	/* Runs `work` with its output captured, whatever it does; `words` answers for it when PHP ends in it. */
	private static function guarded(array $headers, callable $work, callable $words): mixed
	{
		self::$logs = new Output($headers['x-badal-run'] ?? null, 'l');
		self::$errors = new Output($headers['x-badal-run'] ?? null, 'e');
		self::$lastWords = $words(...);
		self::capture();
		try {
			if (self::$broken !== null)
				self::$errors->add(self::$broken);
			else
				return $work();
		} catch (\Throwable $e) {
			self::$errors->add(reason($e));
		} finally {
			while (ob_get_level() > 0)
				ob_end_flush();
			self::$lastWords = null;
			if (getmypid() !== self::$pid)
				exit(0);	/* a fork of the function, that is not to serve */
			if (function_exists('pcntl_alarm'))
				pcntl_alarm(0);	/* nothing of it comes later */
		}
		return null;
	}

	/* Why it cannot be sent; null: it can. */
	private static function oldWrong(mixed $response, int $status): ?string
	{
		if ($status < 200 || $status > 599)
			return "The status of an answer is a number from 200 to 599, not $status.";
		try {
			return json_encode($response, JSON_INVALID_UTF8_SUBSTITUTE) === false ? 'The answer is no JSON: ' . json_last_error_msg() . '.' : null;
		} catch (\Throwable $e) {	/* of its own jsonSerialize */
			return reason($e);
		}
	}

	private static function old(array $headers, string $body): array
	{
		if (($headers['x-internal-challenge'] ?? null) !== self::$secret)
			return self::reply(500, ['stderr' => 'Unauthorized']);
		$asked = json_decode($body === '' ? '{}' : $body, true) ?? [];
		foreach ($asked['variables'] ?? [] as $k => $v)
			if ($k !== 'APPWRITE_FUNCTION_DATA' && $k !== 'APPWRITE_FUNCTION_EVENT_DATA') {
				putenv("$k=$v");
				$_ENV[$k] = $v;
			}
		$req = ['variables' => $asked['variables'] ?? [], 'payload' => $asked['payload'] ?? '', 'headers' => $asked['headers'] ?? []];
		$req['env'] = $req['variables'];
		$res = null;
		$answer = function () use (&$res) {
			[$response, $status] = $res?->answer ?? ['', 500];
			$wrong = self::oldWrong($response, $status);
			if ($wrong !== null) {
				self::$errors->add($wrong . "\n");
				[$response, $status] = ['', 500];
			}
			return self::reply($status, ['response' => $response, 'stdout' => rtrim((string) self::$logs, "\n"), 'stderr' => rtrim((string) self::$errors, "\n")]);
		};
		self::guarded($headers, function () use ($req, &$res) {
			$res = new OldResponse(self::$errors);
			(self::$handler)($req, $res);
			if ($res->answer === null)
				self::$errors->add("The function ended without an answer: it calls \$res->send(…) or \$res->json(…) before it ends.\n");
		}, $answer);
		return $answer();
	}

	private static function headersOf(mixed $given): array
	{
		if (!is_array($given))
			throw new \ValueError('The headers of an answer are an array.');
		$own = [];
		foreach ($given as $k => $v) {
			if (!preg_match("/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/D", (string) $k))
				throw new \ValueError('The name of a header has letters, digits and hyphens.');
			if (!preg_match('/^(x-(open-runtimes|badal)-|content-length$|transfer-encoding$)/i', (string) $k))
				$own[strtolower((string) $k)] = preg_replace('/[\r\n\0]/', ' ', text($v));
		}
		$own['content-type'] ??= 'text/plain';
		if (!str_starts_with($own['content-type'], 'multipart/') && !preg_match('/charset=/i', $own['content-type']))
			$own['content-type'] .= '; charset=utf-8';
		return $own;
	}

	/* Status, headers and body of an answer, as they can be sent. */
	private static function partsOf(array $given): array
	{
		$status = $given['statusCode'];
		if (!is_int($status) || $status < 200 || $status > 599)
			throw new \RangeException('The status of an answer is a number from 200 to 599, not ' . text($status) . '.');
		if (!array_key_exists('body', $given))
			throw new \ValueError('An answer has a body.');
		return [$status, self::headersOf($given['headers'] ?? []), text($given['body'] ?? '')];
	}

	private static function answerNew(array $headers, ?array $given): array
	{
		try {
			[$status, $own, $body] = self::partsOf($given ?? ['body' => '', 'statusCode' => self::$broken === null ? 500 : 503]);
		} catch (\Throwable $e) {	/* no answer that can be sent */
			self::$errors->add(get_class($e) . ': ' . $e->getMessage() . "\n");
			[$status, $own, $body] = [500, ['content-type' => 'text/plain; charset=utf-8'], ''];
		}
		if (($headers['x-badal-logs'] ?? '') !== 'inline')
			return [$status, $own, $body];
		[$logs, $errors] = ($headers['x-open-runtimes-logging'] ?? '') === 'disabled' ? ['', ''] : [(string) self::$logs, (string) self::$errors];
		return [200, $own + ['x-badal-status' => (string) $status], $body . $logs . $errors . sprintf('%016x%016x%016x', strlen($body), strlen($logs), strlen($errors))];
	}

	private static function new(string $method, string $target, array $headers, string $body): array
	{
		$seconds = $headers['x-open-runtimes-timeout'] ?? '0';
		if (self::$secret !== null && ($headers['x-open-runtimes-secret'] ?? null) !== self::$secret)
			return self::reply(500, ['message' => 'Unauthorized']);
		if (!is_numeric($seconds))
			return self::reply(500, ['message' => 'x-open-runtimes-timeout is a number of seconds']);
		if (($headers['x-badal-endpoint'] ?? '') !== '')	/* of this run: it says how deep in a chain it is */
			putenv("APPWRITE_FUNCTION_API_ENDPOINT=" . ($_ENV['APPWRITE_FUNCTION_API_ENDPOINT'] = $headers['x-badal-endpoint']));
		$timed = function_exists('pcntl_alarm') && $seconds > 0;
		$given = self::guarded($headers, function () use ($method, $target, $headers, $body, $timed, $seconds) {
			if ($timed) {
				pcntl_async_signals(true);
				pcntl_signal(SIGALRM, fn () => throw new Late());
				pcntl_alarm(max(1, (int) ceil((float) $seconds)));
			}
			try {
				$given = (self::$handler)(new Context(new Request($method, $target, $headers, $body), new Response(), self::$logs, self::$errors));
			} catch (Late) {
				self::$errors->add("Execution timed out.\n");
				return null;
			} finally {
				if ($timed)
					pcntl_alarm(0);
			}
			if (is_array($given) && isset($given['statusCode']))
				return $given;
			self::$errors->add("The function returned no answer: return \$context->res->text(…), json(…), binary(…), empty() or redirect(…).\n");
			return null;
		}, fn () => self::answerNew($headers, null));
		return self::answerNew($headers, $given);
	}

	private static function reply(int $status, array $value): array
	{
		return [$status, ['content-type' => 'application/json'], json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PRESERVE_ZERO_FRACTION)];
	}

	private static function serve(string $method, string $target, array $headers, string $body): array
	{
		if ($target === '/__opr/health')
			return [200, [], 'OK'];
		if ($target === '/__badal/start' && self::$generation === null)
			return self::reply(200, self::start(json_decode($body, true)));
		if (self::$generation === null)
			return self::reply(503, ['stderr' => 'The function has not been started.']);
		return self::$generation === 'v2' ? self::old($headers, $body) : self::new($method, $target, $headers, $body);
	}

	/* ---- HTTP ---- */

	/* @return array{string, string, array<string, string>, string}|null: the next request of a connection; null: it has ended */
	private static function read($c): ?array
	{
		$first = fgets($c, 65536);
		if ($first === false || !preg_match('~^([A-Z]+) (\S+) HTTP/1\.[01]\r\n$~', $first, $m))
			return null;
		$headers = [];
		while (($line = fgets($c, 65536)) !== false && $line !== "\r\n")
			if (preg_match('/^([^:\s]+):[ \t]*(.*?)[ \t]*\r\n$/', $line, $h))
				$headers[strtolower($h[1])] = $h[2];
		return [$m[1], $m[2], $headers, self::body($c, $headers)];
	}
	private static function exactly($c, int $n): string
	{
		$body = '';
		while (strlen($body) < $n && !feof($c))
			$body .= (string) fread($c, min(65536, $n - strlen($body)));
		return $body;
	}
	private static function body($c, array $headers): string
	{
		if (!str_contains($headers['transfer-encoding'] ?? '', 'chunked'))
			return self::exactly($c, min((int) ($headers['content-length'] ?? 0), BODY_MAX));
		$body = '';
		while (($n = (int) hexdec(trim((string) fgets($c)))) > 0 && strlen($body) + $n <= BODY_MAX) {
			$body .= self::exactly($c, $n);
			fgets($c);
		}
		fgets($c);
		return $body;
	}
	private static function write($c, string $method, array $answer): void
	{
		[$status, $headers, $body] = $answer;
		$none = $status === 204 || $status === 304;
		$out = "HTTP/1.1 $status \r\n";
		foreach ($headers as $k => $v)
			$out .= "$k: $v\r\n";
		$out .= $none ? "\r\n" : 'content-length: ' . strlen($body) . "\r\n\r\n";
		if (!$none && $method !== 'HEAD')
			$out .= $body;
		for ($n = 0; $n < strlen($out) && ($sent = @fwrite($c, substr($out, $n))) > 0; $n += $sent);
	}

	public static function run(): void
	{
		$path = getenv('BADAL_SOCKET');
		self::$pid = getmypid();
		set_error_handler(function (int $no, string $what, string $file, int $line): bool {
			if ((error_reporting() & $no) === 0)
				return true;	/* @ */
			self::$errors !== null ? self::$errors->add("Warning: $what in $file:$line\n") : fwrite(STDERR, "$what in $file:$line\n");
			return true;
		});
		$server = stream_socket_server($path ? "unix://$path" : 'tcp://0.0.0.0:3000', $e, $why) ?: throw new \Exception($why);
		$all = [$server];
		register_shutdown_function(function () use (&$at) {
			if (self::$lastWords === null || $at === null || getmypid() !== self::$pid)
				return;
			while (ob_get_level() > 0)
				ob_end_flush();
			$last = error_get_last();
			self::$errors?->add($last !== null && in_array($last['type'], [E_ERROR, E_PARSE, E_CORE_ERROR, E_COMPILE_ERROR], true) ? "{$last['message']} in {$last['file']}:{$last['line']}\n" : "The function ended PHP: exit was called.\n");
			$answer = (self::$lastWords)();
			self::write($at[0], $at[1], is_array($answer) ? $answer : self::reply(200, ['generation' => 'v2', 'error' => $answer]));
		});
		for (;;) {
			$ready = $all;
			if (@stream_select($ready, $none, $none, null) === false)
				continue;
			foreach ($ready as $c) {
				if ($c === $server) {
					if ($new = @stream_socket_accept($server, 0))
						$all[] = $new;
					continue;
				}
				$rq = self::read($c);
				if ($rq === null) {
					$all = array_values(array_filter($all, fn ($x) => $x !== $c));
					fclose($c);
					continue;
				}
				$at = [$c, $rq[0]];
				self::write($c, $rq[0], self::serve(...$rq));
				$at = null;
			}
		}
	}
}

final class Late extends \Error {}

ini_set('display_errors', '0');	/* they are told by the handlers */
ini_set('log_errors', '0');
ini_set('html_errors', '0');
error_reporting(E_ALL);
set_time_limit(0);
/* So that who takes too much is told, and not just killed. BADAL_MEMORY: bytes that the sandbox has. */
ini_set('memory_limit', (string) intdiv((int) (getenv('BADAL_MEMORY') ?: 268435456) * 3, 4));
Server::run();
