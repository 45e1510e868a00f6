// Bodies in chunks: the same bytes arrive however they are cut, limits hold, and what two readers could read in two ways is refused.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, afterEach, before, test } from 'node:test';
import { Wire, ask, parseResponse, held, holdsNothing, skip, startEcho, until } from './lib.mjs';

let s, quick; // quick: with deadlines that are meant to pass
const limits = { rate_min: 0, body_max: 200_000, bytes_max: '12m', bytes_per_address: '10m' };
before(async () => {
  if (skip) return;
  s = await startEcho({ ...limits, head_timeout: '60s', transfer_stall: '60s' });
  quick = await startEcho({ ...limits, head_timeout: '600ms', transfer_stall: '600ms' });
});
after(async () => {
  await s?.stop();
  await quick?.stop();
});
afterEach(() => holdsNothing(s, quick));

const head = (path, extra = '', line = 'Transfer-Encoding: chunked\r\n') => `POST ${path} HTTP/1.1\r\nHost: a\r\n${extra}${line}\r\n`;
const chunks = (...parts) => Buffer.concat([...parts.flatMap((p) => [Buffer.from(`${Buffer.byteLength(p).toString(16)}\r\n`), Buffer.from(p), Buffer.from('\r\n')]), Buffer.from('0\r\n\r\n')]);
const kept = (r) => r.json().body;
const streamed = (r) => r.json().bytes;

test('kept and in pieces, in one write or byte by byte, one after the other on one connection', { skip }, async () => {
  const w = await Wire.open(s.port);
  for (const cut of [1 << 20, 1, 3]) {
    const whole = chunks('hello', ' ', 'world!');
    for (const [path, of, want] of [['/x', kept, 'hello world!'], ['/sink', streamed, 12]]) {
      const bytes = Buffer.concat([Buffer.from(head(path)), whole]);
      for (let at = 0; at < bytes.length; at += cut) w.send(bytes.subarray(at, at + cut));
      const r = await w.response();
      assert.deepEqual([r.status, of(r), r.get('connection')], [200, want, 'keep-alive']);
    }
  }
  w.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab');
  assert.equal(kept(await w.response()), 'ab');
  w.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(kept(await w.response()), '');
  w.close();
});

test('sizes with zeroes and capitals, extensions and trailers are read over; an empty body is one', { skip }, async () => {
  for (const [body, want] of [
    ['000005\r\nhello\r\n0\r\n\r\n', 'hello'], ['A\r\n0123456789\r\n0\r\n\r\n', '0123456789'], ['5;a=b;c="d e"\r\nhello\r\n0;last\r\n\r\n', 'hello'], ['5 \t ; a=b\r\nhello\r\n0 ;last\r\n\r\n', 'hello'],
    ['5 \r\nhello\r\n0\r\n\r\n', 400], ['0\r\n\r\n', ''], ['0\r\nX-Sum: 1\r\nContent-Length: 7\r\n\r\n', ''], ['00\r\n\r\n', ''],
  ]) {
    const r = await ask(s.port, head('/x') + body);
    assert.equal(r.status === 200 ? kept(r) : r.status, want, body);
  }
});

test('large bodies through a client of Node, which sends chunks when it knows no length', { skip }, async () => {
  const piece = Buffer.alloc(40_000, 'p');
  for (const [path, n, of] of [['/sink', 200, (j) => j.bytes], ['/x', 4, (j) => j.body.length]]) {
    const j = await new Promise((ok, no) => {
      const rq = http.request({ port: s.port, host: '127.0.0.1', path, method: 'POST' }, (r) => {
        let text = '';
        r.on('data', (d) => (text += d)).on('end', () => ok(JSON.parse(text)));
      });
      rq.on('error', no);
      for (let i = 0; i < n; i++) rq.write(piece);
      rq.end();
    });
    assert.equal(of(j), n * piece.length);
  }
});

test('over the limit: refused when it is announced, and when it adds up', { skip }, async () => {
  let w = await Wire.open(s.port);
  w.send(head('/x') + '30d41\r\nonly this'); // 200001
  assert.equal((await w.response()).status, 413);
  w.close();
  w = await Wire.open(s.port);
  w.send(head('/x'));
  for (let i = 0; i < 5; i++) w.send(`c350\r\n${'y'.repeat(50_000)}\r\n`);
  assert.equal((await w.response()).status, 413);
  w.close();
});

test('Expect: 100-continue', { skip }, async () => {
  const w = await Wire.open(s.port);
  for (const [path, of] of [['/x', (r) => kept(r).length], ['/sink', streamed]]) {
    w.send(head(path, 'Expect: 100-continue\r\n'));
    assert.equal((await w.response()).status, 100);
    w.send(chunks('hello'));
    assert.equal(of(await w.response()), 5);
  }
  w.send(head('/early/404', 'Expect: 100-continue\r\n'));
  const r = await w.response();
  assert.deepEqual([r.status, r.get('connection')], [404, 'close']);
  await w.end();
});

test('one request at a time: what follows the last chunk is not begun', { skip }, async () => {
  for (const path of ['/delay/50', '/sink']) {
    const w = await Wire.open(s.port);
    w.send(head(path) + chunks('hello') + head(path) + chunks('again'));
    const d = await w.end(), r = parseResponse(d, false);
    assert.deepEqual([r.status, r.get('connection'), d.length], [200, 'close', r.size]);
  }
});

test('refused at the head: a little is skipped, much of it ends the connection', { skip }, async () => {
  const w = await Wire.open(s.port);
  for (const split of [0, 1, 9, 500]) {
    const body = chunks('y'.repeat(1000), 'z'.repeat(30));
    w.send(head('/early/404'));
    assert.equal((await w.response()).status, 404);
    w.send(body.subarray(0, split));
    w.send(Buffer.concat([body.subarray(split), Buffer.from('GET /small HTTP/1.1\r\nHost: a\r\n\r\n')]));
    assert.equal((await w.response()).status, 200);
  }
  w.send(head('/early/404'));
  assert.equal((await w.response()).status, 404);
  for (let i = 0; i < 5; i++) w.send(`c350\r\n${'y'.repeat(50_000)}\r\n`);
  await w.end();
  const v = await Wire.open(s.port);
  v.send(head('/early/404') + 'zz\r\n'); // nobody knows where it ends
  assert.equal((await v.response()).status, 404);
  await v.end();
});

const broken = [
  ['no size', '\r\nhello\r\n0\r\n\r\n'],
  ['not hexadecimal', 'g\r\nhello\r\n0\r\n\r\n'],
  ['a sign', '-5\r\nhello\r\n0\r\n\r\n'],
  ['a plus', '+5\r\nhello\r\n0\r\n\r\n'],
  ['0x', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['a blank before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
  ['a blank and more digits', '5 0\r\nhello\r\n0\r\n\r\n'],
  ['blanks without end', `5${' '.repeat(70_000)}`],
  ['a blank behind it', '5 \r\nhello\r\n0\r\n\r\n'],
  ['a tab behind it', '5\t\r\nhello\r\n0\r\n\r\n'],
  ['an underscore', '1_0\r\nhello\r\n0\r\n\r\n'],
  ['64 bits and more', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['all ones', 'ffffffffffffffff\r\nhello\r\n0\r\n\r\n'],
  ['zeroes without end', `${'0'.repeat(70_000)}5\r\nhello`],
  ['an extension without end', `5;${'x'.repeat(70_000)}`],
  ['NUL in an extension', '5;a\0b\r\nhello\r\n0\r\n\r\n'],
  ['a line feed in an extension', '5;a\nb\r\nhello\r\n0\r\n\r\n'],
  ['line feeds only', '5\nhello\n0\n\n'],
  ['a carriage return only', '5\rhello\r0\r\r'],
  ['more data than its size', '5\r\nhello!\r\n0\r\n\r\n'],
  ['less data than its size', '6\r\nhello\r\n0\r\n\r\n'],
  ['line feed behind the data', '5\r\nhello\n0\r\n\r\n'],
  ['a folded trailer', '5\r\nhello\r\n0\r\n X: y\r\n\r\n'],
  ['a trailer of line feeds', '5\r\nhello\r\n0\r\nX: y\n\r\n'],
  ['trailers without end', `5\r\nhello\r\n0\r\n${'X: y\r\n'.repeat(3000)}`],
  ['mostly framing', `${`1;${'x'.repeat(1000)}\r\ny\r\n`.repeat(30)}0\r\n\r\n`],
];
for (const [name, body] of broken)
  test(`refused: ${name}`, { skip }, async () => {
    for (const path of ['/x', '/sink']) {
      const w = await Wire.open(s.port);
      w.send(head(path) + body);
      const d = await w.end(), r = parseResponse(d, false);
      assert.deepEqual([r.status, r.get('connection'), d.length], [400, 'close', r.size], path);
    }
  });

for (const [name, lines] of [
  ['with a length', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'],
  ['a length first', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
  ['twice in a list', 'Transfer-Encoding: chunked, chunked\r\n'],
  ['twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'],
  ['identity', 'Transfer-Encoding: identity\r\n'],
  ['identity and chunked', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n'],
  ['compressed', 'Transfer-Encoding: gzip, chunked\r\n'],
  ['chunked first', 'Transfer-Encoding: chunked, identity\r\n'],
  ['another word', 'Transfer-Encoding: xchunked\r\n'],
  ['in quotes', 'Transfer-Encoding: "chunked"\r\n'],
  ['with a parameter', 'Transfer-Encoding: chunked;q=1\r\n'],
  ['with a comma', 'Transfer-Encoding: chunked,\r\n'],
  ['empty', 'Transfer-Encoding:\r\n'],
  ['a blank before the colon', 'Transfer-Encoding : chunked\r\n'],
  ['a vertical tab', 'Transfer-Encoding: \x0bchunked\r\n'],
  ['folded', 'Transfer-Encoding:\r\n chunked\r\n'],
  ['behind a bare line feed', 'X: y\nTransfer-Encoding: chunked\r\n'],
  ['behind a bare carriage return', 'X: y\rTransfer-Encoding: chunked\r\n'],
])
  test(`a coding that is refused: ${name}`, { skip }, async () => {
    const w = await Wire.open(s.port);
    w.send(head('/x', '', lines) + chunks('hello'));
    const d = await w.end(), r = parseResponse(d, false);
    assert.deepEqual([r.status, r.get('connection'), d.length], [400, 'close', r.size]);
  });

test('HTTP/1.0 has no chunks, a WebSocket no body', { skip }, async () => {
  assert.equal((await ask(s.port, `POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks('x')}`)).status, 400);
  const ws = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  assert.equal((await ask(s.port, `GET /ws HTTP/1.1\r\nHost: a\r\n${ws}Transfer-Encoding: chunked\r\n\r\n${chunks('x')}`)).status, 400);
});

test('capitals and blanks around the coding are its own', { skip }, async () => {
  assert.equal(kept(await ask(s.port, head('/x', '', 'transfer-encoding: \t CHUNKED \r\n') + chunks('hello'))), 'hello');
});

test('no last chunk, or one that drips its line: the deadline', { skip }, async () => {
  for (const [path, n] of [['/x', 'general_request_timeout'], ['/sink', 'REQUEST_TIMEOUT']]) {
    const w = await Wire.open(quick.port);
    w.send(`${head(path)}5\r\nhello\r\n5;`);
    const drip = setInterval(() => w.socket.write('x'), 50);
    const r = await w.response();
    clearInterval(drip);
    assert.equal(r.status, 408);
    assert.match(r.body.toString(), new RegExp(n));
    await w.end();
  }
});

test('a client that leaves in the middle', { skip }, async () => {
  const before_ = (await held(s)).cancelled, w = await Wire.open(s.port);
  w.send(`${head('/sink')}5\r\nhel`);
  await until(async () => (await held(s)).fibers === 1, 'it waits');
  w.socket.resetAndDestroy();
  await until(async () => (await held(s)).cancelled === before_ + 1, 'it is cancelled');
  const v = await Wire.open(s.port);
  v.send(`${head('/x')}5\r\nhel`);
  v.socket.resetAndDestroy();
});
