// Input from people who mean no good: whatever comes, the process lives, answers where it can, and forgets the connection.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Wire, ask, parseResponse, skip, startEcho, until } from './lib.mjs';

let s;
before(async () => !skip && (s = await startEcho({ head_timeout: '600ms', keepalive_timeout: '1s', body_max: 100000, rate_min: 0 })));
after(() => s?.stop());
afterEach(async () => !skip && assert.equal((await ask(s.port, 'GET /alive HTTP/1.1\r\nHost: a\r\n\r\n')).status, 200));

// Sends, waits for the end; the first answer's status, or 0 for none.
async function refused(bytes, encoding = 'latin1') {
  const w = await Wire.open(s.port);
  w.send(Buffer.from(bytes, encoding));
  const d = await w.end();
  const r = parseResponse(d, false);
  if (r && r.status >= 400) {
    assert.equal(r.get('connection'), 'close');
    assert.equal(r.json().code, r.status);
    assert.deepEqual(Object.keys(r.json()), ['message', 'code', 'type', 'version']);
  }
  return r?.status ?? 0;
}

const h = 'Host: a\r\n';
const cases = [
  ['no version', 'GET /\r\n\r\n', 400],
  ['wrong version', `GET / HTTP/1.2\r\n${h}\r\n`, 400],
  ['version 9', `GET / HTTP/0.9\r\n${h}\r\n`, 400],
  ['no target', `GET HTTP/1.1\r\n${h}\r\n`, 400],
  ['two blanks', `GET  / HTTP/1.1\r\n${h}\r\n`, 400],
  ['blank in the target', `GET /a b HTTP/1.1\r\n${h}\r\n`, 400],
  ['NUL in the target', `GET /a\0b HTTP/1.1\r\n${h}\r\n`, 400],
  ['relative target', `GET a/b HTTP/1.1\r\n${h}\r\n`, 400],
  ['other scheme', `GET ftp://a/b HTTP/1.1\r\n${h}\r\n`, 400],
  ['CONNECT', `CONNECT a:443 HTTP/1.1\r\n${h}\r\n`, 400],
  ['method with odd bytes', `G\x01T / HTTP/1.1\r\n${h}\r\n`, 400],
  ['method without end', `${'G'.repeat(100)} / HTTP/1.1\r\n${h}\r\n`, 400],
  ['header without colon', `GET / HTTP/1.1\r\n${h}nonsense\r\n\r\n`, 400],
  ['header without name', `GET / HTTP/1.1\r\n${h}: x\r\n\r\n`, 400],
  ['blank before the colon', `GET / HTTP/1.1\r\n${h}X-A : x\r\n\r\n`, 400],
  ['folded header', `GET / HTTP/1.1\r\n${h}X-A: x\r\n y\r\n\r\n`, 400],
  ['NUL in a header', `GET / HTTP/1.1\r\n${h}X-A: x\0y\r\n\r\n`, 400],
  ['lone CR in a header', `GET / HTTP/1.1\r\n${h}X-A: x\ry\r\n\r\n`, 400],
  ['lone LF in a header', `GET / HTTP/1.1\r\n${h}X-A: x\nX-B: y\r\n\r\n`, 400],
  ['lines of LF only', 'GET / HTTP/1.1\nHost: a\n\n', 400],
  ['two lengths that differ', `POST / HTTP/1.1\r\n${h}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400],
  ['list of lengths', `POST / HTTP/1.1\r\n${h}Content-Length: 1, 1\r\n\r\na`, 400],
  ['negative length', `POST / HTTP/1.1\r\n${h}Content-Length: -1\r\n\r\n`, 400],
  ['signed length', `POST / HTTP/1.1\r\n${h}Content-Length: +1\r\n\r\na`, 400],
  ['length in hex', `POST / HTTP/1.1\r\n${h}Content-Length: 0x1\r\n\r\na`, 400],
  ['empty length', `POST / HTTP/1.1\r\n${h}Content-Length:\r\n\r\n`, 400],
  ['length past 64 bits', `POST / HTTP/1.1\r\n${h}Content-Length: 99999999999999999999999\r\n\r\n`, 413],
  ['length past the limit', `POST / HTTP/1.1\r\n${h}Content-Length: 100001\r\n\r\n`, 413],
  ['chunked and a length', `POST / HTTP/1.1\r\n${h}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`, 400],
  ['other coding', `POST / HTTP/1.1\r\n${h}Transfer-Encoding: gzip, identity\r\n\r\n`, 400],
  ['head too large', `GET / HTTP/1.1\r\n${h}X-A: ${'a'.repeat(66000)}\r\n\r\n`, 431],
  ['head too large without end', `GET /${'a'.repeat(70000)}`, 431],
  ['too many headers', `GET / HTTP/1.1\r\n${h}${'a:b\r\n'.repeat(200)}\r\n`, 431],
];
for (const [name, bytes, status] of cases) test(name, { skip }, async () => assert.equal(await refused(bytes), status));

test('TLS at a plain port is closed at once, however little of it has come', { skip }, async () => {
  for (const bytes of ['\x16', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n']) {
    const w = await Wire.open(s.port);
    w.send(Buffer.from(bytes, 'latin1'));
    assert.equal((await w.end()).length, 0);
  }
});

test('equal lengths are one', { skip }, async () => {
  const r = await ask(s.port, `POST / HTTP/1.1\r\n${h}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`);
  assert.equal(r.json().body, 'a');
});

test('a long target within the limit', { skip }, async () => {
  const r = await ask(s.port, `GET /${'a'.repeat(15000)} HTTP/1.1\r\n${h}\r\n`);
  assert.equal(r.json().path.length, 15001);
});

test('413 arrives although the body is being sent', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send(`POST / HTTP/1.1\r\n${h}Content-Length: 200000\r\n\r\n${'x'.repeat(200000)}`);
  assert.equal((await w.response()).status, 413);
  await w.end();
});

for (const [name, first] of [
  ['GET', `GET /delay/50 HTTP/1.1\r\n${h}\r\n`],
  ['POST', `POST /delay/50 HTTP/1.1\r\n${h}Content-Length: 2\r\n\r\nab`],
]) {
  test(`pipelined behind an unanswered ${name}: first answer, then the end`, { skip }, async () => {
    const before_ = (await s.stats()).requests;
    const w = await Wire.open(s.port);
    w.send(first + first + first);
    const d = await w.end();
    const r = parseResponse(d, false);
    assert.equal(r.status, 200);
    assert.equal(r.get('connection'), 'close');
    assert.equal(d.length, r.size);
    assert.equal((await s.stats()).requests, before_ + 2);
  });
  test(`pipelined a little later behind a ${name}`, { skip }, async () => {
    const w = await Wire.open(s.port);
    w.send(first);
    await until(async () => (await s.stats()).open === 2, 'the first is open');
    w.send(first);
    const d = await w.end();
    assert.equal(parseResponse(d, false).get('connection'), 'close');
  });
}

test('a body longer than announced', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send(`POST / HTTP/1.1\r\n${h}Content-Length: 2\r\n\r\nabcdef`);
  const r = await w.response();
  assert.deepEqual([r.json().body, r.get('connection')], ['ab', 'close']);
  await w.end();
});

test('a flood behind an unanswered request', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send(`POST /silent HTTP/1.1\r\n${h}Content-Length: 2\r\n\r\nab`);
  w.send(Buffer.alloc(4_000_000, 'x'));
  await w.end();
  await until(async () => (await s.stats()).open === 1, 'the request is gone');
});

test('slow head: 408, silence: closed', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send('GET / HT');
  const drip = setInterval(() => w.send('x'), 100);
  const d = await w.end();
  clearInterval(drip);
  assert.equal(parseResponse(d, false).status, 408);
  assert.equal((await (await Wire.open(s.port)).end()).length, 0);
});

test('slow body: 408; each part counts anew', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send(`POST / HTTP/1.1\r\n${h}Content-Length: 10\r\n\r\nab`);
  const d = await w.end();
  assert.equal(parseResponse(d, false).status, 408);
  /* a machine that is busy for so long that a part is late makes it try again: where parts do not count anew, none of the tries comes to an end */
  for (let i = 0; ; i++) {
    const v = await Wire.open(s.port);
    v.send(`POST / HTTP/1.1\r\n${h}Content-Length: 4\r\n\r\n`);
    for (const c of 'abcd') {
      await new Promise((ok) => setTimeout(ok, 300));
      v.send(c);
    }
    const r = await v.response();
    v.close();
    if (r.status === 408 && i < 20) continue;
    assert.equal(r.json().body, 'abcd');
    break;
  }
});

test('an idle connection is closed', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send(`GET / HTTP/1.1\r\n${h}\r\n`);
  await w.response();
  assert.equal((await w.end()).length, 0);
});

test('half-closed clients get their answer', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.socket.end(`GET /text/10 HTTP/1.1\r\n${h}\r\n`);
  const d = await w.end();
  assert.equal(parseResponse(d, false)?.body.length ?? 10, 10);
});

test('resets at any moment', { skip }, async () => {
  const text = `POST /delay/20 HTTP/1.1\r\n${h}Content-Length: 5\r\n\r\nhello`;
  await Promise.all(
    Array.from({ length: 120 }, async (_, i) => {
      const w = await Wire.open(s.port);
      w.socket.on('error', () => {});
      w.send(text.slice(0, i % (text.length + 1)));
      await new Promise((ok) => setTimeout(ok, i % 40));
      w.socket.resetAndDestroy();
    }),
  );
  await until(async () => (await s.stats()).open === 1, 'all requests are gone');
});

test('random bytes', { skip }, async () => {
  let seed = 12345;
  const rnd = (n) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
  const good = `POST /x?y=1 HTTP/1.1\r\n${h}Content-Length: 5\r\nCookie: a\r\n\r\nhello`;
  await Promise.all(
    Array.from({ length: 200 }, async () => {
      const b = Buffer.from(good);
      for (let k = rnd(6); k >= 0; k--) b[rnd(b.length)] = rnd(256);
      const w = await Wire.open(s.port);
      w.socket.on('error', () => {});
      w.send(b);
      await new Promise((ok) => setTimeout(ok, 20));
      w.close();
    }),
  );
});

test('more connections than allowed are refused, the others stay', { skip }, async () => {
  const s = await startEcho({ connections_max: 300, head_timeout: '60s', keepalive_timeout: '60s' }), all = []; // none goes meanwhile
  for (let i = 0; i < 320; i++) {
    const w = await Wire.open(s.port);
    w.socket.on('error', () => {});
    w.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    all.push(w);
  }
  const ok = await Promise.all(all.map((w) => w.response().then(() => 1, () => 0)));
  const n = ok.reduce((a, b) => a + b);
  assert.ok(n >= 250 && n <= 300, `${n} served`);
  for (const w of all) w.close();
  await until(async () => {
    try {
      return (await s.stats()).connections === 1;
    } catch {
      return false;
    }
  }, 'all are forgotten');
  await s.stop();
});

test('draining: late answers say close, idle connections end, nobody new gets in', { skip }, async () => {
  const d = await startEcho();
  const idle = await Wire.open(d.port);
  idle.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await idle.response();
  const late = await Wire.open(d.port);
  late.send('GET /delay/400 HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(async () => (await d.stats()).open === 2, 'a request is open');
  const stopped = d.stop();
  await idle.end();
  await assert.rejects(Wire.open(d.port));
  const r = await late.response();
  assert.deepEqual([r.status, r.get('connection')], [200, 'close']);
  await late.end();
  await stopped;
});

test('draining: who reads slowly gets the whole of a large answer', { skip }, async () => {
  const size = 16_000_000, d = await startEcho();
  const slow = await Wire.open(d.port);
  slow.socket.pause(); // the answer is more than the kernel buffers on both sides
  slow.send(`GET /text/${size} HTTP/1.1\r\nHost: a\r\n\r\n`);
  let asked = 0;
  await until(async () => (await d.stats()).requests === ++asked + 1, 'it is answered');
  const stopped = d.stop();
  await Promise.race([d.exit, new Promise((ok) => setTimeout(ok, 500))]); // a server that does not wait has ended by now
  slow.socket.resume();
  assert.equal((await slow.response()).body.length, size);
  await slow.end();
  await stopped;
});

test('stopping at once with everything open', { skip }, async () => {
  const d = await startEcho();
  const open = await Promise.all(
    ['GET /silent HTTP/1.1\r\n\r\n', 'GET /delay/60000 HTTP/1.1\r\n\r\n', 'POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab', 'GET / HT', ''].map(
      async (t) => {
        const w = await Wire.open(d.port);
        w.socket.on('error', () => {});
        return w.send(t || Buffer.alloc(0));
      },
    ),
  );
  await until(async () => (await d.stats()).open === 3, 'both are open');
  d.signal('SIGINT');
  const e = await d.exit;
  assert.deepEqual(e, { code: 0, signal: null }, d.stderr());
  for (const w of open) w.close();
});
