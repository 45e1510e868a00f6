// Bodies and answers in pieces, over HTTP/1.1 and HTTP/2: back-pressure, deadlines, cancellation, and a budget that comes back to zero.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { after, afterEach, before, test } from 'node:test';
import { DEADLINE, Wire, ask, deadline, parseResponse, skip, startEcho, until } from './lib.mjs';

let s, quick; // quick: with deadlines that are meant to pass
const limits = { rate_min: 0, body_max: 8_000_000, bytes_max: '12m', bytes_per_address: '10m', head_timeout: '60s', transfer_stall: '60s' };
before(async () => {
  if (skip) return;
  s = await startEcho(limits);
  quick = await startEcho({ ...limits, head_timeout: '600ms', transfer_stall: '600ms' });
});
after(async () => {
  await s?.stop();
  await quick?.stop();
});

const held = async (server = s) => (await ask(server.port, 'GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).json();
const clean = async (server = s) =>
  until(async () => {
    const h = await held(server);
    return h.held === 0 && h.owners === 0 && h.fibers === 0;
  }, 'nothing is held, nobody waits');
afterEach(async () => !skip && (await clean(), await clean(quick)));

function fnv(data) {
  let h = 2166136261;
  for (const c of data) h = Math.imul(h ^ c, 16777619) >>> 0;
  return h;
}
const noise = (n) => Buffer.from(Array.from({ length: n }, (_, i) => (i * 7919 + (i >> 8)) & 255));
const post = (path, n, extra = '') => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${n}\r\n${extra}\r\n`;
const letters = (n, size) => Buffer.concat(Array.from({ length: n }, () => Buffer.from(Array.from({ length: size }, (_, i) => 97 + (i % 26)))));

// Takes chunked apart; undefined until the last chunk is there.
function parseChunked(d) {
  const parts = [];
  for (let at = d.indexOf('\r\n\r\n') + 4; at >= 4; ) {
    const eol = d.indexOf('\r\n', at);
    if (eol < 0) return undefined;
    const n = parseInt(d.subarray(at, eol).toString('latin1'), 16);
    if (d.length < eol + 2 + n + 2) return undefined;
    assert.equal(d.subarray(eol + 2 + n, eol + 4 + n).toString(), '\r\n');
    if (n === 0) return { head: parseResponse(d.subarray(0, d.indexOf('\r\n\r\n') + 4), true), body: Buffer.concat(parts), size: eol + 4, n: parts.length };
    parts.push(d.subarray(eol + 2, eol + 2 + n));
    at = eol + 4 + n;
  }
  return undefined;
}
async function chunked(w) {
  const r = await w.until(parseChunked, 'a chunked answer');
  w.data = w.data.subarray(r.size);
  return r;
}

// ---- bodies ----

test('a body in pieces arrives whole, in one write or many; the connection lives on', { skip }, async () => {
  const w = await Wire.open(s.port), body = noise(300_000);
  w.send(Buffer.concat([Buffer.from(post('/sink', body.length)), body]));
  let r = (await w.response()).json();
  assert.deepEqual([r.bytes, r.sum], [body.length, fnv(body)]);
  assert.ok(r.pieces > 1 && r.biggest <= 256 * 1024, JSON.stringify(r));
  w.send(post('/sink', 1000));
  for (let i = 0; i < 1000; i++) w.send(body.subarray(i, i + 1));
  r = (await w.response()).json();
  assert.deepEqual([r.bytes, r.sum], [1000, fnv(body.subarray(0, 1000))]);
  w.send('POST /sink HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await w.response()).json().bytes, 0);
  w.close();
});

/* What is read in one turn of the loop is seen by stopping the server until everything has come, the request behind all of the pieces. */
test('a request does not wait until the bodies of all others were read', { skip }, async () => {
  const many = 150, size = 60_000, begin = 40_000, piece = Buffer.alloc(size, 'x'), wires = [], small = await Wire.open(s.port);
  const ask1 = async () => (small.send('GET /held HTTP/1.1\r\nHost: a\r\n\r\n'), (await small.response()).json());
  for (let i = 0; i < many; i++) wires.push(await Wire.open(s.port));
  for (const w of wires) w.send(post('/sink/1', begin + size + 1) + 'x'.repeat(begin));
  await until(async () => { const h = await ask1(); return h.bulk === many && h.held === 0; }, 'all bodies go on');
  process.kill(s.pid, 'SIGSTOP');
  try {
    await Promise.all(wires.map((w) => new Promise((ok) => w.socket.write(piece, ok))));
    small.send('GET /held HTTP/1.1\r\nHost: a\r\n\r\n');
  } finally {
    process.kill(s.pid, 'SIGCONT');
  }
  const h = (await small.response()).json();
  assert.ok(h.held < (many * size) / 2, `${h.held} bytes of ${many * size} had been read`);
  for (const w of wires) w.send('x');
  for (const w of wires) assert.equal((await w.response()).json().bytes, begin + size + 1);
  await until(async () => (await ask1()).bulk === 0, 'none is left');
  for (const w of [small, ...wires]) w.close();
});

test('nor until the handlers of all others have taken what came', { skip }, async () => {
  const many = 150, begin = 1000, size = 20_000, piece = Buffer.alloc(size, 'x'), wires = [], small = await Wire.open(s.port);
  const sunk = async () => (small.send('GET /sunk HTTP/1.1\r\nHost: a\r\n\r\n'), (await small.response()).json().sunk);
  for (let i = 0; i < many; i++) wires.push(await Wire.open(s.port));
  const before = await sunk();
  for (const w of wires) w.send(post('/sink', begin + size + 1) + 'x'.repeat(begin));
  await until(async () => (await sunk()) >= before + many, 'all wait for more');
  const waiting = await sunk();
  process.kill(s.pid, 'SIGSTOP');
  try {
    await Promise.all(wires.map((w) => new Promise((ok) => w.socket.write(piece, ok))));
    small.send('GET /sunk HTTP/1.1\r\nHost: a\r\n\r\n');
  } finally {
    process.kill(s.pid, 'SIGCONT');
  }
  const taken = (await small.response()).json().sunk - waiting;
  assert.ok(taken < many / 2, `${taken} of ${many} pieces had been taken`);
  for (const w of wires) w.send('x');
  for (const w of wires) assert.equal((await w.response()).json().bytes, begin + size + 1);
  for (const w of [small, ...wires]) w.close();
});

test('a handler that does not ask stops its client, and holds little', { skip }, async () => {
  const w = await Wire.open(s.port), n = 64_000_000;
  w.send(post('/sink/20', n));
  /* all of it: a kernel's buffers may take some millions of bytes by themselves */
  const piece = Buffer.alloc(1_000_000, 'x');
  for (let sent = 0; sent < n; sent += piece.length) w.socket.write(piece);
  await until(async () => {
    const h = await held();
    assert.ok(h.held <= 1_000_000, `held ${h.held}`);
    return h.fibers === 1 && h.held > 0 && w.socket.writableLength > 0;
  }, 'the client is stopped');
  w.close();
});

test('Expect: 100-continue is answered when the handler asks, and not when it refuses', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send(post('/sink', 5, 'Expect: 100-continue\r\n'));
  assert.equal((await w.response()).status, 100);
  w.send('hello');
  assert.equal((await w.response()).json().bytes, 5);
  w.send(post('/early/404', 5, 'Expect: 100-continue\r\n'));
  const r = await w.response();
  assert.deepEqual([r.status, r.get('connection')], [404, 'close']);
  await w.end();
});

test('refused at the head: a little of the body is skipped, much of it ends the connection', { skip }, async () => {
  const w = await Wire.open(s.port);
  for (const split of [0, 1, 500]) {
    const body = Buffer.alloc(1000, 'y');
    w.send(post('/early/404', body.length));
    assert.equal((await w.response()).get('connection'), 'keep-alive'); // before any of the body was sent
    w.send(body.subarray(0, split));
    w.send(Buffer.concat([body.subarray(split), Buffer.from('GET /small HTTP/1.1\r\nHost: a\r\n\r\n')]));
    assert.equal((await w.response()).status, 200);
  }
  w.send(post('/early/413', 10_000_000));
  const r = await w.response();
  assert.deepEqual([r.status, r.get('connection')], [413, 'close']);
  await w.end();
});

test('pipelined behind a streamed body: the first is answered, then the end', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send(`${post('/sink', 5)}hello${post('/sink', 5)}again`);
  const d = await w.end(), r = parseResponse(d, false);
  assert.deepEqual([r.json().bytes, r.get('connection'), d.length], [5, 'close', r.size]);
});

test('a body longer than announced, and one shorter', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send(`${post('/sink', 5)}hello!`);
  const r = await w.response();
  assert.deepEqual([r.json().bytes, r.get('connection')], [5, 'close']);
  await w.end();
  const before_ = (await held()).cancelled, v = await Wire.open(s.port);
  v.send(`${post('/sink', 50)}hello`);
  await until(async () => (await held()).fibers === 1, 'it waits');
  v.socket.resetAndDestroy();
  await until(async () => (await held()).cancelled === before_ + 1, 'it is cancelled');
});

test('a body that stops: the handler is told, and answers 408', { skip }, async () => {
  const slow = (await held(quick)).slow, w = await Wire.open(quick.port);
  w.send(`${post('/sink', 50)}hello`);
  const r = await w.response();
  assert.deepEqual([r.status, r.body.toString(), r.get('connection')], [408, 'REQUEST_TIMEOUT', 'close']);
  await w.end();
  assert.equal((await held(quick)).slow, slow + 1);
});

test('the clock of the request stands still while it waits for its client', { skip }, async () => {
  const w = await Wire.open(s.port); // /sink has two seconds of its own
  w.send(post('/sink', 8));
  for (let i = 0; i < 8; i++) {
    await new Promise((ok) => setTimeout(ok, 350));
    w.send('x');
  }
  assert.equal((await w.response()).json().bytes, 8);
  w.close();
});

test('too slow on average, or too long as a whole: 408, in pieces or kept', { skip }, async () => {
  for (const conf of [{ rate_min: 100 }, { rate_min: 0, body_timeout: '1s', transfer_timeout: '1s' }]) {
    const e = await startEcho({ head_timeout: '600ms', ...conf });
    await Promise.all(
      ['/sink', '/kept'].map(async (path) => {
        const w = await Wire.open(e.port);
        w.send(post(path, 1000));
        const drip = setInterval(() => w.send('x'), 100);
        const r = await w.response();
        clearInterval(drip);
        assert.equal(r.status, 408, path);
        w.close();
      }),
    );
    await clean(e);
    await e.stop();
  }
});

// ---- the budget ----

test('bodies that are kept: 429 for one address, 503 for all, nothing for those who only announce', { skip }, async () => {
  const before_ = await held(), all = [];
  for (let i = 0; i < 8; i++) {
    const w = await Wire.open(s.port);
    all.push(w.send(post('/kept', 7_000_000)));
  }
  await until(async () => (await s.stats()).connections >= 9, 'all are there');
  assert.equal((await held()).held, 0);
  all[0].send(Buffer.alloc(6_900_000));
  await until(async () => (await held()).held >= 6_900_000, 'one is kept');
  assert.equal((await held()).owners, 1);
  assert.equal((await ask(s.port, post('/kept', 7_000_000))).status, 429); // at the head
  all[1].send(Buffer.alloc(6_900_000));
  const r = await all[1].response(); // underway
  assert.deepEqual([r.status, r.json().type], [429, 'general_rate_limit_exceeded']);
  assert.equal((await held()).refused_address, before_.refused_address + 2);
  for (const w of all) w.close();
  await clean();
  const e = await startEcho({ ...limits, bytes_max: 7_050_000, bytes_per_address: '100m' }), w = await Wire.open(e.port);
  w.send(post('/kept', 7_000_000)).send(Buffer.alloc(6_900_000));
  await until(async () => (await held(e)).held >= 6_900_000, 'one is kept');
  assert.equal((await ask(e.port, post('/kept', 7_000_000))).status, 503);
  assert.equal((await ask(e.port, `${post('/kept', 10)}0123456789`)).status, 200); // small ones find room
  const v = await Wire.open(e.port);
  v.send(post('/sink/1000', 4_000_000)).send(Buffer.alloc(4_000_000));
  assert.equal((await v.response()).status, 503); // pieces count as well
  assert.ok((await held(e)).refused >= 2);
  w.close();
  v.close();
  await clean(e);
  await e.stop();
});

test('an answer for which there is no room is a 503', { skip }, async () => {
  const r = await ask(s.port, 'GET /text/20000000 HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(r.status, 503);
});

// ---- answers ----

test('pieces without a length: chunked, or until the end for HTTP/1.0', { skip }, async () => {
  const w = await Wire.open(s.port);
  for (const [n, size] of [[0, 1], [3, 10], [10, 100_000]]) {
    w.send(`GET /pieces/${n}/${size} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const r = await chunked(w);
    assert.deepEqual([r.head.get('transfer-encoding'), r.head.get('content-length'), r.head.get('connection')], ['chunked', undefined, 'keep-alive']);
    assert.ok(r.body.equals(letters(n, size)));
    assert.equal(r.n, n * Math.ceil(size / 65536));
  }
  w.send('HEAD /pieces/3/10 HTTP/1.1\r\nHost: a\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await w.response({ head: true })).status, 200);
  w.close();
  const v = await Wire.open(s.port);
  v.send('GET /pieces/3/100000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  const d = await v.end(), at = d.indexOf('\r\n\r\n') + 4, head = d.subarray(0, at).toString();
  assert.match(head, /Connection: close/);
  assert.doesNotMatch(head, /chunked|Content-Length/);
  assert.ok(d.subarray(at).equals(letters(3, 100_000)));
});

test('pieces of a known length; HEAD; headers in order', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send('GET /known/5/70000 HTTP/1.1\r\nHost: a\r\n\r\n');
  const r = await w.response();
  assert.deepEqual(r.headers.map(([k]) => k), ['content-type', 'content-length', 'date', 'connection']);
  assert.ok(r.body.equals(letters(5, 70000)));
  w.send('HEAD /known/5/70000 HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await w.response({ head: true })).get('content-length'), '350000');
  w.send('GET /small HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await w.response()).status, 200);
  w.close();
});

test('an answer that breaks off breaks the connection', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send('GET /cut/2/1000 HTTP/1.1\r\nHost: a\r\n\r\n');
  const d = await w.end();
  assert.ok(d.length < 3000 && d.includes('Content-Length: 3000'));
});

test('a reader that is slow stops the handler; one that stops is given up; both hold little', { skip }, async () => {
  const before_ = await held(quick), w = await Wire.open(quick.port);
  w.socket.pause();
  w.send('GET /pieces/1000/100000 HTTP/1.1\r\nHost: a\r\n\r\n');
  let last = -1;
  await until(async () => {
    const h = await held(quick), stopped = h.written === last && h.written > before_.written;
    assert.ok(h.held <= 200_000, `held ${h.held}`);
    last = h.written;
    return stopped;
  }, 'it stops writing');
  assert.ok(last - before_.written < 900);
  await until(async () => (await held(quick)).slow > before_.slow, 'it is given up');
  w.close();
  await clean(quick);
  const v = await Wire.open(s.port), end = Date.now() + 2000;
  v.socket.on('data', () => {
    if (Date.now() > end) return;
    v.socket.pause();
    setTimeout(() => v.socket.resume(), 100);
  });
  v.send('GET /known/300/100000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  assert.equal((await v.response()).body.length, 30_000_000);
  await v.end();
});

test('a client that leaves in the middle cancels what runs', { skip }, async () => {
  for (const path of ['/pieces/100000/100000', '/known/100000/100000']) {
    const before_ = (await held()).cancelled, w = await Wire.open(s.port);
    w.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await w.until((d) => d.length > 100_000 || undefined, 'some of it');
    w.socket.resetAndDestroy();
    await until(async () => (await held()).cancelled === before_ + 1, 'it is cancelled');
  }
});

test('a body that comes while the answer is given is not read', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send(post('/pieces/300/100000', 50_000_000));
  w.socket.write(Buffer.alloc(2_000_000));
  const r = await chunked(w);
  assert.deepEqual([r.head.get('connection'), r.body.length], ['close', 30_000_000]);
  await w.end();
});

test('draining lets an answer in pieces finish', { skip }, async () => {
  const d = await startEcho(limits), w = await Wire.open(d.port);
  w.socket.pause();
  w.send('GET /known/140/100000 HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(async () => (await held(d)).written > 0, 'it is underway');
  const stopped = d.stop();
  w.socket.resume();
  assert.equal((await w.response()).body.length, 14_000_000);
  await w.end();
  await stopped;
});

test('stopping at once with transfers both ways', { skip }, async () => {
  const d = await startEcho(limits), a = await Wire.open(d.port), b = await Wire.open(d.port);
  for (const w of [a, b]) w.socket.on('error', () => {});
  a.send(`${post('/sink', 500)}hello`);
  b.socket.pause();
  b.send('GET /pieces/100000/100000 HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(async () => (await held(d)).fibers === 2, 'both are underway');
  d.signal('SIGINT');
  const e = await d.exit;
  assert.equal(e.signal, null, d.stderr());
  a.close();
  b.close();
});

// ---- HTTP/2 ----

function session(server = s) {
  const c = http2.connect(`http://127.0.0.1:${server.port}`);
  c.on('error', () => {});
  return c;
}
function answer(st) {
  return deadline(
    new Promise((ok, no) => {
      const parts = [];
      let head;
      st.on('response', (h) => (head = h));
      st.on('data', (d) => parts.push(d));
      st.on('error', no);
      st.on('end', () => ok({ head, status: head?.[':status'], body: Buffer.concat(parts), json: () => JSON.parse(Buffer.concat(parts)) }));
    }),
    'an answer',
  );
}

test('HTTP/2: bodies in pieces, with and without a length, several at once', { skip }, async () => {
  const c = session(), body = noise(2_000_000);
  const all = Array.from({ length: 8 }, (_, i) => {
    const st = c.request({ ':method': 'POST', ':path': '/sink', ...(i % 2 ? { 'content-length': body.length } : {}) });
    const r = answer(st);
    st.end(body);
    return r;
  });
  for (const r of await Promise.all(all)) assert.deepEqual([r.json().bytes, r.json().sum], [body.length, fnv(body)]);
  c.close();
});

test('HTTP/2: a handler that does not ask stops its stream alone', { skip }, async () => {
  const c = session(), before_ = (await held()).cancelled, st = c.request({ ':method': 'POST', ':path': '/sink/500' });
  st.on('error', () => {});
  st.write(Buffer.alloc(8_000_000));
  await until(async () => (await held()).held > 100_000, 'its window is full');
  const r = c.request({ ':method': 'POST', ':path': '/sink' }), got = answer(r);
  r.end(noise(2_000_000));
  assert.equal((await got).json().bytes, 2_000_000);
  assert.ok((await held()).held <= 300_000);
  st.close(http2.constants.NGHTTP2_CANCEL);
  await until(async () => (await held()).cancelled === before_ + 1, 'it is cancelled');
  c.close();
});

test('HTTP/2: answered before its body has come: the stream ends without an error', { skip }, async () => {
  const c = session(), st = c.request({ ':method': 'POST', ':path': '/early/404' }), r = answer(st);
  st.write(Buffer.alloc(1000));
  assert.equal((await r).status, 404);
  await deadline(new Promise((ok) => (st.closed ? ok() : st.once('close', ok))), 'it is closed');
  assert.equal(st.rstCode, http2.constants.NGHTTP2_NO_ERROR);
  assert.equal((await answer(c.request({ ':path': '/small' }))).status, 200);
  c.close();
});

test('HTTP/2: a body that stops', { skip }, async () => {
  const c = session(quick), st = c.request({ ':method': 'POST', ':path': '/sink' }), r = answer(st);
  st.write('hello');
  assert.equal((await r).status, 408);
  c.close();
});

test('HTTP/2: pieces, HEAD, and an answer that breaks off', { skip }, async () => {
  const c = session();
  for (const [path, length] of [['/pieces/10/100000', undefined], ['/known/10/100000', '1000000']]) {
    const r = await answer(c.request({ ':path': path }));
    assert.equal(r.head['content-length'], length);
    assert.ok(r.body.equals(letters(10, 100_000)));
  }
  assert.equal((await answer(c.request({ ':path': '/pieces/0/1' }))).body.length, 0);
  assert.equal((await answer(c.request({ ':method': 'HEAD', ':path': '/known/10/100000' }))).head['content-length'], '1000000');
  await assert.rejects(answer(c.request({ ':path': '/cut/2/1000' })), /INTERNAL_ERROR/);
  assert.equal((await answer(c.request({ ':path': '/small' }))).status, 200);
  c.close();
});

test('HTTP/2: readers that stop, a stream or the socket, are given up; a stream that is cancelled cancels', { skip }, async () => {
  const before_ = await held(quick), c = session(quick), st = c.request({ ':path': '/pieces/10000/1000' });
  st.on('error', () => {});
  st.pause();
  await until(async () => (await held(quick)).written > before_.written, 'it is underway');
  assert.ok((await held(quick)).held <= 400_000);
  assert.equal((await answer(c.request({ ':path': '/small' }))).status, 200);
  await until(async () => (await held(quick)).slow > before_.slow, 'it is given up');
  const next = c.request({ ':path': '/pieces/100000/100000' }), cancelled = (await held(quick)).cancelled;
  next.on('error', () => {});
  next.once('data', () => next.close(http2.constants.NGHTTP2_CANCEL));
  await until(async () => (await held(quick)).cancelled > cancelled, 'it is cancelled');
  c.destroy();
});

test('HTTP/2: a whole answer that nobody takes is given up, while the connection goes on', { skip }, async () => {
  const c = http2.connect(`http://127.0.0.1:${quick.port}`, { settings: { initialWindowSize: 0 } }), st = c.request({ ':path': '/text/1000000' });
  c.on('error', () => {});
  st.on('error', () => {});
  await deadline(new Promise((ok) => st.once('close', ok)), 'it is reset', DEADLINE);
  assert.equal((await answer(c.request({ ':method': 'HEAD', ':path': '/small' }))).status, 200);
  c.close();
});

test('the next request may come as soon as the answer is there, though its handler is not done', { skip }, async () => {
  const w = await Wire.open(s.port);
  for (let i = 0; i < 5; i++) {
    w.send(`${i % 2 ? 'GET' : 'HEAD'} /late/3/50000 HTTP/1.1\r\nHost: a\r\n\r\n`);
    const r = await w.response({ head: i % 2 === 0 });
    assert.equal(r.status, 200);
    assert.equal(r.body.length, i % 2 ? 150_000 : 0);
  }
  w.socket.destroy();
});

// More than the kernel buffers on both sides.
const LARGE = 11_000_000, small = 'GET /small HTTP/1.1\r\nHost: a\r\n\r\n', large = (extra = '') => `GET /text/${LARGE} HTTP/1.1\r\nHost: a\r\n${extra}\r\n`;
async function deafClient(server, bytes) {
  const w = await Wire.open(server.port);
  w.socket.pause();
  w.send(bytes);
  await until(async () => (await held(server)).held > 0, 'an answer waits');
  return w;
}

test('who asks on and reads nothing gets no more answers, and is given up', { skip }, async () => {
  const { slow } = await held(quick), w = await deafClient(quick, large()), one = (await held(quick)).held;
  const asked = async () => (await quick.stats()).requests, n = await asked();
  w.send(large());
  let most = 0, own = 0;
  await until(async () => {
    const h = await held(quick);
    most = Math.max(most, h.held);
    own++;
    return h.slow > slow;
  }, 'it is given up');
  assert.ok(most <= one, `${most} held, ${one} of the first`);
  assert.equal(await asked(), n + own + 1); // none but those of this test itself
  w.close();
});

test('who asks on before it has read is answered when it has', { skip }, async () => {
  const both = Buffer.concat([Buffer.from(post(`/large/${LARGE}`, 10)), Buffer.from(`0123456789${small}`)]);
  for (const [first, then] of [[large(), small], [both, '']]) { // in a read of its own, and in one with the last
    const w = await deafClient(s, first);
    w.send(then);
    w.socket.resume();
    assert.equal((await w.response()).body.length, LARGE);
    const r = await w.response();
    assert.deepEqual([r.json().status, r.get('connection')], ['pass', 'keep-alive']);
    w.close();
  }
});

test('who takes a whole answer little by little is given up by its average, whether the connection ends with it or not', { skip }, async () => {
  const e = await startEcho({ ...limits, bytes_max: '100m', bytes_per_address: '100m', head_timeout: '600ms', rate_min: '1g' });
  for (const extra of ['', 'Connection: close\r\n']) {
    const { slow } = await held(e), w = await deafClient(e, large(extra));
    let taken = 0, over = false;
    w.socket.on('data', (d) => {
      taken += d.length;
      w.socket.pause();
      setTimeout(() => w.socket.resume(), 20);
    });
    w.socket.once('close', () => (over = true));
    w.socket.resume();
    await until(async () => over || (await held(e)).slow > slow, 'it is given up');
    assert.equal((await held(e)).slow, slow + 1, `${taken} taken`);
    assert.ok(taken < LARGE);
    w.close();
  }
  await clean(e);
  await e.stop();
});
