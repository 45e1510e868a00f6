// WebSocket at byte level: handshake, frames, fragments, closing, slow readers, crowds.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, test } from 'node:test';
import { OP, Sock, Wire, acceptOf, ask, frame, handshake, parseFrame, skip, startEcho, until } from './lib.mjs';

const MAX = 63992;
let s;
before(async () => !skip && (s = await startEcho({ rt_queue_soft: '64k', rt_queue_hard: '1m', rt_queue_frames: 300 })));
after(() => s?.stop());
afterEach(async () => !skip && (await until(async () => (await s.stats()).sockets === 0, 'no socket is left')));

const key = () => randomBytes(16).toString('base64');

test('handshake: exactly three headers, the accept value of the RFC', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send(handshake('dGhlIHNhbXBsZSBub25jZQ==', '/ws', 'Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: a, b\r\n'));
  const r = await w.response();
  assert.equal(r.line, 'HTTP/1.1 101 Switching Protocols');
  assert.deepEqual(r.headers, [['upgrade', 'websocket'], ['connection', 'Upgrade'], ['sec-websocket-accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=']]);
  w.close();
});

test("the upgrade's query and headers are handed over", { skip }, async () => {
  const k = await Sock.open(s.port, '/ws/?channels[]=a%26b&project=p', 'Cookie: x=1\r\nX-Appwrite-Project: q\r\nConnection: keep-alive\r\n');
  const up = JSON.parse((await k.frame()).text);
  assert.deepEqual([up.path, up.query, up.headers.cookie, up.headers['x-appwrite-project']], ['/ws/', 'channels[]=a%26b&project=p', 'x=1', 'q']);
  k.wire.close();
});

test('no WebSocket: 400 with an envelope, and the connection stays', { skip }, async () => {
  const bad = [
    'GET /ws HTTP/1.1\r\nHost: a\r\n\r\n',
    handshake('short'), handshake(''), handshake('dGhlIHNhbXBsZSBub25jZQ='), handshake('!!hlIHNhbXBsZSBub25jZQ=='), handshake(key() + key()),
    handshake(key()).replace('Version: 13', 'Version: 8'), handshake(key()).replace('Upgrade: websocket', 'Upgrade: h2c'),
    handshake(key()).replace('Connection: Upgrade', 'Connection: keep-alive'), handshake(key()).replace(/Sec-WebSocket-Key.*\r\n/, ''),
  ];
  const w = await Wire.open(s.port);
  for (const b of bad) {
    w.send(b);
    const r = await w.response();
    assert.equal(r.status, 400, b);
    assert.deepEqual(Object.keys(r.json()), ['message', 'code', 'type', 'version']);
    assert.equal(r.get('sec-websocket-version'), '13');
  }
  w.close();
  assert.equal((await ask(s.port, handshake(key()).replace('HTTP/1.1', 'HTTP/1.0'))).status, 400);
  assert.equal((await ask(s.port, handshake(key(), '/wsx'))).json().path, '/wsx');
  assert.equal((await ask(s.port, 'POST /ws HTTP/1.1\r\nHost: a\r\n\r\n')).json().method, 'POST');
});

test('the handshake on a connection that served requests before', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
  await w.response();
  const k = await Sock.open(s.port, '/ws', '', w);
  assert.equal((await k.text('hello').frame()).text, 'hello');
  w.close();
});

test('messages of all lengths, text and binary, come back', { skip }, async () => {
  const k = await Sock.open(s.port);
  for (const n of [0, 1, 125, 126, 127, 1000, 65535 - 2000, MAX]) {
    const text = 'é'.repeat(n / 2) + (n % 2 ? 'x' : '');
    for (const op of [OP.text, OP.binary]) {
      const f = await k.send(op, text).frame();
      assert.deepEqual([f.fin, f.op, f.text.length, f.text === text], [1, OP.text, text.length, true]);
    }
  }
  k.wire.close();
});

test('fragments, with a ping between them', { skip }, async () => {
  const k = await Sock.open(s.port);
  k.send(OP.text, 'one ', { fin: false }).send(OP.ping, 'p').send(OP.more, '', { fin: false }).send(OP.more, 'two ', { fin: false }).send(OP.more, 'three');
  const pong = await k.frame();
  assert.deepEqual([pong.op, pong.text], [OP.pong, 'p']);
  assert.equal((await k.frame()).text, 'one two three');
  k.wire.close();
});

test('single bytes, and many frames in one packet', { skip }, async () => {
  const k = await Sock.open(s.port);
  for (const b of frame(OP.text, 'drip by drip'.repeat(20))) {
    k.wire.send(Buffer.from([b]));
    await new Promise((ok) => setImmediate(ok));
  }
  assert.equal((await k.frame()).text, 'drip by drip'.repeat(20));
  k.wire.send(Buffer.concat(Array.from({ length: 200 }, (_, i) => frame(OP.text, `n${i}`))));
  for (let i = 0; i < 200; i++) assert.equal((await k.frame()).text, `n${i}`);
  k.wire.close();
});

test('pings of every length', { skip }, async () => {
  const k = await Sock.open(s.port);
  for (const n of [0, 1, 124, 125]) {
    const f = await k.send(OP.ping, 'p'.repeat(n)).frame();
    assert.deepEqual([f.op, f.text], [OP.pong, 'p'.repeat(n)]);
  }
  k.send(OP.pong, 'unasked').text('still here');
  assert.equal((await k.frame()).text, 'still here');
  k.wire.close();
});

test('a Close is echoed byte for byte, then TCP ends', { skip }, async () => {
  for (const payload of [Buffer.alloc(0), Buffer.from([3, 232]), Buffer.from([0x0f, 0xa1, ...Buffer.from('bye')])]) {
    const k = await Sock.open(s.port);
    const f = await k.send(OP.close, payload).frame();
    assert.deepEqual([f.op, f.payload], [OP.close, payload]);
    assert.equal((await k.wire.end()).length, 0);
  }
});

test('the server closes with a code, or drops after the last message', { skip }, async () => {
  const k = await Sock.open(s.port);
  assert.equal(await k.text('close:1008').closeCode(), 1008);
  k.send(OP.close, Buffer.from([3, 240]));
  await k.wire.end();
  const l = await Sock.open(s.port);
  assert.equal((await l.text('drop:').frame()).text, 'last words');
  assert.equal((await l.wire.end()).length, 0);
});

const broken = [
  ['unmasked', frame(OP.text, 'x', { mask: null })],
  ['reserved bit', frame(OP.text, 'x', { rsv: 0x40 })],
  ['reserved opcode 3', frame(3, 'x')],
  ['reserved opcode 11', frame(11, 'x')],
  ['fragmented ping', frame(OP.ping, 'x', { fin: false })],
  ['long ping', frame(OP.ping, 'x'.repeat(126))],
  ['continuation of nothing', frame(OP.more, 'x')],
  ['a new message inside another', Buffer.concat([frame(OP.text, 'a', { fin: false }), frame(OP.text, 'b')])],
];
for (const [name, bytes] of broken) {
  test(`${name}: 1002`, { skip }, async () => {
    const k = await Sock.open(s.port);
    k.wire.send(bytes);
    assert.equal(await k.closeCode(), 1002);
    await k.wire.end();
  });
}

test('too large, in one frame or in parts, or 2^63: dropped without a Close', { skip }, async () => {
  const half = 'x'.repeat(MAX / 2);
  const cases = [
    frame(OP.text, 'x'.repeat(MAX + 1)),
    frame(OP.text, '', { length: MAX + 1 }),
    Buffer.concat([frame(OP.text, half, { fin: false }), frame(OP.more, half, { fin: false }), frame(OP.more, 'x')]),
    Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
    Buffer.from([0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4]),
  ];
  for (const bytes of cases) {
    const k = await Sock.open(s.port);
    k.wire.socket.on('error', () => {});
    k.wire.send(bytes);
    assert.equal((await k.wire.end()).length, 0);
  }
});

test('order holds through the queue, with tails between', { skip }, async () => {
  const k = await Sock.open(s.port);
  k.wire.socket.pause();
  k.text('flood:200:4000');
  await new Promise((ok) => setTimeout(ok, 100));
  k.wire.socket.resume();
  for (let i = 0; i < 200; i++) {
    const f = await k.frame();
    assert.equal(f.text, 'f'.repeat(4000) + (i % 2 ? i : ''));
  }
  assert.equal((await k.text('after').frame()).text, 'after');
  assert.equal((await s.stats()).lagging, 0);
  k.wire.close();
});

// One flood is more than the kernel takes for a reader that does not read (tcp_wmem and tcp_rmem), and then the bound.
for (const [name, flood] of [['bytes', 'flood:700:60000'], ['messages', 'flood:20000:2000']]) {
  test(`a reader too slow for ${name} is closed with 1013`, { skip }, async () => {
    const before_ = (await s.stats()).slow;
    const k = await Sock.open(s.port);
    k.wire.socket.pause();
    k.text(flood);
    await until(async () => (await s.stats()).slow === before_ + 1, 'the bound is hit');
    k.wire.socket.resume();
    let f;
    do f = await k.frame();
    while (f.op === OP.text);
    assert.equal(f.payload.readUInt16BE(0), 1013);
    k.wire.close();
  });
}

test('one that never reads again is forgotten', { skip }, async () => {
  const k = await Sock.open(s.port);
  k.wire.socket.pause();
  k.text('flood:700:60000');
  await until(async () => (await s.stats()).sockets === 0, 'the socket is forgotten');
  assert.equal((await s.stats()).lagging, 0);
  k.wire.close();
});

test('a flood of pings to one that does not read stays bounded', { skip }, async () => {
  const e = await startEcho({ rt_queue_soft: '64k', rt_queue_hard: '1m', rt_queue_frames: 300, rt_frame_rate: 0 }); // else they are too many before
  const k = await Sock.open(e.port);
  k.wire.socket.on('error', () => {});
  k.wire.socket.pause();
  const before_ = (await e.stats()).slow;
  const many = Buffer.concat(Array.from({ length: 500 }, () => frame(OP.ping, 'p'.repeat(125))));
  const pump = setInterval(() => k.wire.socket.writableLength < 4_000_000 && k.wire.send(many), 1);
  try {
    await until(async () => (await e.stats()).slow > before_ || k.wire.socket.writableLength >= 4_000_000, 'closed or held back');
  } finally {
    clearInterval(pump);
    k.wire.close();
    await e.stop();
  }
});

test('handshake bytes and frames at random', { skip }, async () => {
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      const k = await Sock.open(s.port);
      k.wire.socket.on('error', () => {});
      k.wire.send(randomBytes(1 + Math.floor(Math.random() * 300)));
      await new Promise((ok) => setTimeout(ok, 10));
      k.wire.close();
    }),
  );
});

test('a thousand handshakes at once, none mixed up, and one message to all', { skip }, async () => {
  const n = 1000;
  const wires = await Promise.all(Array.from({ length: n }, () => Wire.open(s.port)));
  const keys = wires.map(key);
  wires.forEach((w, i) => w.send(handshake(keys[i], `/ws?n=${i}`)));
  const socks = await Promise.all(
    wires.map(async (w, i) => {
      const r = await w.response();
      assert.equal(r.get('sec-websocket-accept'), acceptOf(keys[i]));
      const k = new Sock(w);
      assert.equal(JSON.parse((await k.frame()).text).query, `n=${i}`);
      return k;
    }),
  );
  assert.equal((await s.stats()).sockets, n);
  socks[0].text('all:to everybody');
  for (const k of socks) assert.equal((await k.frame()).text, 'to everybody');
  for (const k of socks) k.wire.close();
});

// ---- deadlines: t/00-unit/test_ws.c has the rules by a clock of its own; here, that the clock ticks ----

test('who says nothing is asked; any answer will do, none is the end', { skip }, async () => {
  /* long enough that this process, however busy the machine, answers within it; how late an answer may be is test_ws.c's */
  const d = await startEcho({ rt_ping_interval: '4s' });
  const alive = await Sock.open(d.port);
  const mute = await Sock.open(d.port);
  const ping = await mute.frame();
  assert.deepEqual([ping.fin, ping.op, ping.payload.length], [1, OP.ping, 0]);
  for (let i = 0; i < 2; i++) {
    assert.equal((await alive.frame()).op, OP.ping);
    if (i % 2) alive.send(OP.pong);
    else assert.equal((await alive.text('here').frame()).text, 'here');
  }
  assert.equal(await mute.closeCode(), 3008);
  mute.wire.close();
  alive.wire.close();
  const { pings, silent } = await d.stats();
  assert.ok(pings >= 3, `${pings} pings`);
  assert.equal(silent, 1);
  await d.stop();
});

test('a message that drips has one deadline, in one frame or in many', { skip }, async () => {
  const d = await startEcho({ rt_message_timeout: '300ms' });
  for (const [begin, more] of [
    [frame(OP.text, '', { length: 1000 }), Buffer.from('x')],
    [frame(OP.text, 'a', { fin: false }), frame(OP.ping)],
    [frame(OP.text, 'a', { fin: false }), frame(OP.more, 'x', { fin: false })],
  ]) {
    const k = await Sock.open(d.port);
    k.wire.socket.on('error', () => {});
    k.wire.send(begin);
    const drip = setInterval(() => k.wire.send(more), 20);
    try {
      let f;
      do f = await k.frame();
      while (f.op === OP.pong);
      assert.deepEqual([f.op, f.payload.readUInt16BE(0)], [OP.close, 3008]);
    } finally {
      clearInterval(drip);
      k.wire.close();
    }
  }
  assert.equal((await d.stats()).late, 3);
  await d.stop();
});

test('draining closes sockets with 1012', { skip }, async () => {
  const d = await startEcho();
  const socks = await Promise.all(Array.from({ length: 20 }, () => Sock.open(d.port)));
  const stopped = d.stop();
  for (const k of socks) {
    assert.equal(await k.closeCode(), 1012);
    k.send(OP.close, Buffer.from([3, 244]));
    await k.wire.end();
  }
  await stopped;
});

test('parser of this test', { skip }, () => assert.equal(parseFrame(frame(OP.text, 'abc', { mask: null })).text, 'abc'));

test('queues are charged to the budget of bytes, and one that finds no room is closed with 1013', { skip }, async () => {
  const e = await startEcho({ bytes_max: '2m', rt_queue_soft: '64k', rt_queue_hard: '100m', rt_queue_frames: 100000 });
  const held = async () => (await ask(e.port, 'GET /held HTTP/1.1\r\nHost: a\r\n\r\n')).json();
  const a = await Sock.open(e.port), b = await Sock.open(e.port);
  for (const k of [a, b]) k.wire.socket.pause();
  a.text('flood:900:60000');
  await until(async () => (await e.stats()).slow === 1, 'there is no room');
  assert.ok((await held()).refused > 0);
  a.wire.close();
  b.wire.close();
  await until(async () => (await held()).held === 0 && (await e.stats()).sockets === 0, 'all of it came back');
  await e.stop();
});

const floods = async () => (await (await ask(s.port, 'GET /floods HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).json()).floods;
for (const [name, first, again] of [
  ['pings', '', frame(OP.ping)],
  ['pings with a word', '', frame(OP.ping, 'p'.repeat(125))],
  ['pongs that nobody asked for', '', frame(OP.pong)],
  ['fragments of nothing', frame(OP.text, 'a', { fin: false }), frame(OP.more, '', { fin: false })],
  ['fragments of a byte', frame(OP.text, 'a', { fin: false }), frame(OP.more, 'b', { fin: false })],
  ['messages of nothing', '', frame(OP.text)],
  ['messages of a byte', '', frame(OP.text, 'x')],
])
  test(`a flood of ${name} is ended with 1008, and counted`, { skip }, async () => {
    const before_ = await floods();
    const k = await Sock.open(s.port);
    const many = Buffer.concat(Array.from({ length: 500 }, () => again));
    if (first) k.wire.send(first);
    for (let i = 0; i < 100 && !k.wire.ended; i++) {
      k.wire.socket.write(many);
      await new Promise((ok) => setImmediate(ok));
    }
    let f;
    do f = await k.frame();
    while (f.op !== OP.close);
    assert.equal(f.payload.readUInt16BE(0), 1008);
    k.wire.close();
    assert.equal(await floods(), before_ + 1);
  });
