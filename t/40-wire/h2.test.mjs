// HTTP/2 in frames that no client sends: floods, drips, contradictions. Whatever comes, the process lives and the connection ends where it should.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { F, T, block, frame, parse, preface, request, settings, u32 } from '../lib/h2.mjs';
import { Wire, ask, held, holdsNothing, skip, startEcho, until } from './lib.mjs';

let s, quick; // quick: with deadlines that are meant to pass
before(async () => {
  if (skip) return;
  s = await startEcho({ head_timeout: '60s', http2_frame_rate: 200, body_max: 1_000_000 });
  quick = await startEcho({ head_timeout: '500ms', transfer_stall: '60s', rate_min: 100_000, keepalive_timeout: '700ms', linger_timeout: '1s' });
});
after(async () => {
  await s?.stop();
  await quick?.stop();
});
afterEach(() => holdsNothing(s, quick));

const open = async (server = s, pairs = []) => (await Wire.open(server.port)).send(preface(pairs));
const frames = (w) => parse(w.data).all;
const find = (w, want, what) => w.until((d) => parse(d).all.find(want), what);
const answer = (w, id) => find(w, (f) => f.type === T.headers && f.stream === id, `an answer on ${id}`);
const bodyOf = async (w, id) => {
  await find(w, (f) => f.stream === id && (f.type === T.data || f.type === T.headers) && f.flags & F.end, 'its end');
  return Buffer.concat(frames(w).filter((f) => f.type === T.data && f.stream === id).map((f) => f.payload)).toString();
};

test('a request and its answer, as a check of the tools', { skip }, async () => {
  const w = await open();
  w.send(request(1, [['x-appwrite-project', 'p']], { path: '/a?b=c' }));
  const j = JSON.parse(await bodyOf(w, 1));
  assert.deepEqual([j.path, j.query, j.headers.host, j.headers['x-appwrite-project']], ['/a', 'b=c', 'a', 'p']);
  w.close();
});

test('two hosts, and a host that contradicts the authority', { skip }, async () => {
  const w = await open();
  let id = 1;
  for (const [pairs, ok] of [[[], true], [[['host', 'a']], true], [[['host', 'A']], true], [[['host', 'b']], false], [[['host', 'a'], ['host', 'a']], false], [[['host', 'b'], ['host', 'a']], false]]) {
    w.send(request(id, pairs));
    await find(w, (f) => f.stream === id && (f.type === T.reset || f.flags & F.end), 'its end'); // nghttp2 resets what has two
    const reset = frames(w).some((f) => f.stream === id && f.type === T.reset), body = reset ? '{"code":400}' : await bodyOf(w, id);
    if (ok) assert.equal(JSON.parse(body).headers.host.toLowerCase(), 'a');
    else assert.equal(JSON.parse(body).code, 400, JSON.stringify(pairs));
    id += 2;
  }
  w.close();
});

const flood = async (server, make) => {
  const before_ = (await (await ask(server.port, 'GET /floods HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).json()).floods;
  const w = await open(server);
  for (let i = 0; !w.ended && i < 5000; i++) {
    w.socket.write(make(i));
    if (i % 50 === 0) await new Promise((ok) => setImmediate(ok));
  }
  await w.end();
  const goaway = parse(w.data).all.find((f) => f.type === T.goaway);
  return { goaway: goaway?.payload.readUInt32BE(4), counted: (await (await ask(server.port, 'GET /floods HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).json()).floods - before_ };
};
const CALM = 11;
const many = (n, one) => Buffer.concat(Array.from({ length: n }, (_, i) => one(i)));
for (const [name, make] of [
  ['pings', () => many(20, () => frame(T.ping, 0, 0, Buffer.alloc(8)))],
  ['acknowledged pings', () => many(20, () => frame(T.ping, F.ack, 0, Buffer.alloc(8)))],
  ['settings', () => many(20, () => settings([[3, 100]]))],
  ['frames of an unknown kind', () => many(2000, () => frame(0x20, 0, 0, 'x'))],
  ['windows for streams that are over', (i) => (i === 0 ? Buffer.concat([request(1, [], { path: '/silent' }), frame(T.reset, 0, 1, u32(8))]) : many(2000, () => frame(T.window, 0, 1, u32(1))))],
  ['windows of a byte', () => many(20, () => frame(T.window, 0, 0, u32(1)))],
  ['priorities', () => many(20, () => frame(2, 0, 1, Buffer.from([0, 0, 0, 0, 1])))],
  ['data without bytes', (i) => (i === 0 ? request(1, [], { method: 'POST', end: false }) : many(20, () => frame(T.data, 0, 1)))],
  ['data of a byte', (i) => (i === 0 ? request(1, [], { method: 'POST', end: false }) : many(20, () => frame(T.data, 0, 1, 'x')))],
  ['resets without an error', (i) => many(10, (k) => Buffer.concat([request(2 * (10 * i + k) + 1, [], { path: '/silent' }), frame(T.reset, 0, 2 * (10 * i + k) + 1, u32(0))]))],
  ['resets', (i) => many(10, (k) => Buffer.concat([request(2 * (10 * i + k) + 1, [], { path: '/silent' }), frame(T.reset, 0, 2 * (10 * i + k) + 1, u32(8))]))],
])
  test(`a flood of ${name} ends the connection, and is counted`, { skip }, async () => {
    const { goaway, counted } = await flood(s, make);
    assert.ok(goaway === CALM || goaway === undefined, `${goaway}`); // a write that fails may lose it
    assert.equal(counted, 1);
  });

// Header blocks that unpack to much more than they are. A field of 4,000 bytes goes into the table once; then a byte names it.
const pseudo = (path = '/small') => block([[':method', 'GET'], [':path', path], [':scheme', 'http'], [':authority', 'a']]);
const remembered = (value) => Buffer.concat([Buffer.from([0x40, 3]), Buffer.from('x-a'), Buffer.from([0x7f, ...((n) => { const out = []; for (; n >= 128; n >>= 7) out.push((n & 127) | 128); return [...out, n]; })(value.length - 127)]), Buffer.from(value)]);
const IT = 0x80 | 62, GZIP = 0x80 | 16; // the newest of the table; a field of the static one
const head = (id, ...parts) => frame(T.headers, F.end | F.headers, id, Buffer.concat([pseudo(), ...parts]));
const filling = head(1, remembered('y'.repeat(4000)));
const hundred = () => many(100, (k) => request(2 * k + 3, [], { path: '/silent' }));
for (const [name, make, most] of [ // most: bytes on the wire
  ['a head that names a large field again and again', (i) => (i === 0 ? Buffer.concat([filling, frame(T.headers, F.end, 3, pseudo())]) : frame(T.continuation, 0, 3, Buffer.alloc(1000, IT))), 100_000],
  ['a head of a thousand small fields, and more', (i) => (i === 0 ? frame(T.headers, F.end, 1, pseudo()) : frame(T.continuation, 0, 1, Buffer.alloc(1000, GZIP))), 100_000],
  ['heads that name a large field often enough', (i) => (i === 0 ? filling : head(2 * i + 1, Buffer.alloc(15, IT))), 300_000],
  ['heads of many small fields', (i) => head(2 * i + 1, Buffer.alloc(500, GZIP)), 1_000_000],
  ['heads of many fields, with trailers', (i) => Buffer.concat([frame(T.headers, F.headers, 2 * i + 1, Buffer.concat([pseudo('/sink')])), frame(T.headers, F.headers | F.end, 2 * i + 1, Buffer.alloc(500, GZIP))]), 1_000_000],
  ['heads of streams that are one too many', (i) => (i === 0 ? Buffer.concat([filling, hundred()]) : head(2 * i + 301, Buffer.alloc(1000, IT))), 300_000],
  ['sizes of the table', (i) => frame(T.headers, F.end | F.headers, 2 * i + 1, Buffer.concat([many(4000, (k) => Buffer.from([0x20 | (k & 1)])), pseudo()])), 10_000_000],
])
  test(`${name}: the connection ends, and is counted`, { skip }, async () => {
    const before_ = (await (await ask(s.port, 'GET /floods HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).json()).floods;
    const w = await open();
    let sent = 0;
    for (let i = 0; !w.ended && sent < most; i++) {
      const d = make(i);
      sent += d.length;
      w.socket.write(d);
      await new Promise((ok) => setImmediate(ok));
    }
    await w.end();
    const goaway = frames(w).find((f) => f.type === T.goaway)?.payload.readUInt32BE(4);
    assert.ok(goaway === CALM || goaway === undefined, `${goaway}`);
    assert.equal((await (await ask(s.port, 'GET /floods HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).json()).floods, before_ + 1);
  });

test('many requests with heads of 30 fields, without packing, are no flood', { skip }, async () => {
  const e = await startEcho({ head_timeout: '60s' });
  const w = await open(e);
  const pairs = Array.from({ length: 30 }, (_, i) => [`x-field-${i}`, 'v'.repeat(60)]);
  for (let i = 0; i < 1500; i++) {
    w.send(request(2 * i + 1, pairs, { path: '/small' }));
    if (i % 50 === 49) await find(w, (f) => f.stream === 2 * i + 1 && f.type === T.data && f.flags & F.end, 'its answer');
  }
  assert.ok(!frames(w).some((f) => f.type === T.goaway));
  w.close();
  await e.stop();
});

test('an answer that is asked for in small windows makes frames, and these count', { skip }, async () => {
  const e = await startEcho({ head_timeout: '60s', http2_frame_rate: 200 });
  const w = await open(e, [[4, 1]]);
  w.send(many(100, (k) => request(2 * k + 1, [], { path: '/text/60000' })));
  for (let i = 2; i < 100 && !w.ended; i++) { // a byte more for each of a hundred
    w.send(settings([[4, i]]));
    await w.until((d) => (w.ended || parse(d).all.filter((f) => f.type === T.settings && f.flags & F.ack).length >= i ? true : undefined), 'it is heard');
  }
  await w.end();
  assert.equal((await (await ask(e.port, 'GET /floods HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).json()).floods, 1);
  await e.stop();
});

test('who was ended for a flood begins with less, for a while, and goes on', { skip }, async () => {
  const e = await startEcho({ head_timeout: '60s', http2_frame_rate: 1000 });
  const windows = async (n) => {
    const w = await open(e);
    w.send(many(n, () => frame(T.window, 0, 0, u32(1))));
    w.send(request(1, [], { path: '/small' }));
    await w.until((d) => (w.ended || parse(d).all.some((f) => f.type === T.goaway || (f.stream === 1 && f.flags & F.end)) ? true : undefined), 'an answer or an end');
    const ended = w.ended || frames(w).some((f) => f.type === T.goaway);
    w.close();
    return ended;
  };
  assert.deepEqual([await windows(3000), await windows(50_000), await windows(3000), await windows(100)], [false, true, true, false]);
  await e.stop();
});

test('continuations without end, in bytes and in frames', { skip }, async () => {
  for (const size of [0, 1, 16000]) {
    const w = await open();
    w.send(frame(T.headers, F.end, 1, block([[':method', 'GET'], [':path', '/'], [':scheme', 'http'], [':authority', 'a']])));
    let sent = 0;
    for (; !w.ended && sent < 20_000; sent++) {
      w.socket.write(frame(T.continuation, 0, 1, size ? block([['x-a', 'y'.repeat(size)]]) : ''));
      if (sent % 50 === 0) await new Promise((ok) => setImmediate(ok));
    }
    await w.end();
    assert.ok(sent < 20_000);
  }
});

test('who moves much may send many frames', { skip }, async () => {
  const w = await open();
  await find(w, (f) => f.type === T.settings, 'its settings');
  w.send(Buffer.concat([frame(T.settings, F.ack, 0), request(1, [], { method: 'POST', path: '/sink', end: false })])); // its windows are those from now on
  const data = frame(T.data, 0, 1, Buffer.alloc(1000, 'x'));
  const window = (stream, initial) => initial + frames(w).filter((f) => f.type === T.window && f.stream === stream).reduce((n, f) => n + f.payload.readUInt32BE(0), 0);
  for (let i = 1; i <= 3000; i++) {
    if (i % 50 === 0) await w.until(() => (Math.min(window(0, 65535), window(1, 256 * 1024)) >= (i + 50) * 1000 || i === 3000 ? true : undefined), 'a window');
    w.socket.write(data);
  }
  w.send(frame(T.data, F.end, 1));
  assert.equal(JSON.parse(await bodyOf(w, 1)).bytes, 3_000_000);
  w.close();
});

test('an answer that is taken byte by byte is given up, small or large, whatever is said besides', { skip }, async () => {
  for (const path of ['/text/60000', '/known/20/60000', '/pieces/20/60000']) {
    const slow = (await held(quick)).slow;
    const w = await open(quick, [[4, 1]]); // a window of one byte
    w.send(request(1, [], { path }));
    const drip = setInterval(() => w.ended || w.socket.write(Buffer.concat([frame(T.window, 0, 1, u32(1)), frame(T.ping, 0, 0, Buffer.alloc(8))])), 50);
    await w.until((d) => (parse(d).all.some((f) => f.type === T.reset && f.stream === 1) ? true : undefined), 'it is reset').finally(() => clearInterval(drip));
    assert.ok((await held(quick)).slow > slow, path);
    w.close();
  }
});

test('an answer that is taken slowly, but fast enough, keeps its connection', { skip }, async () => {
  const e = await startEcho({ head_timeout: '200ms', keepalive_timeout: '200ms', transfer_stall: '60s', rate_min: 0 });
  const w = await open(e, [[4, 3000]]);
  w.send(request(1, [], { path: '/text/60000' }));
  const more = setInterval(() => w.ended || w.socket.write(frame(T.window, 0, 1, u32(3000))), 50);
  assert.equal((await bodyOf(w, 1).finally(() => clearInterval(more))).length, 60000);
  await w.end(); // as any that asks for nothing
  await e.stop();
});

test('pings do not keep a connection that asks for nothing', { skip }, async () => {
  const w = await open(quick);
  w.send(request(1, [], { path: '/small' }));
  await answer(w, 1);
  const pings = setInterval(() => w.ended || w.socket.write(frame(T.ping, 0, 0, Buffer.alloc(8))), 50);
  await w.end().finally(() => clearInterval(pings));
});

test('streams that stay open without a head, a body or an end', { skip }, async () => {
  const w = await open(quick); // a head that does not end
  w.send(frame(T.headers, F.end, 1, block([[':method', 'GET'], [':path', '/']])));
  await w.end();
  const v = await open(quick);
  for (let i = 0; i < 50; i++) v.send(request(2 * i + 1, [['content-length', '5']], { method: 'POST', end: false }));
  await v.until((d) => (parse(d).all.filter((f) => f.type === T.data && f.flags & F.end && /general_request_timeout/.test(f.payload.toString())).length === 50 ? true : undefined), 'all are answered');
  await v.end();
});
