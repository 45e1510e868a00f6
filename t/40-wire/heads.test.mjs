// What clients make us hold before there is a request, or beside its body: heads and messages that are not complete, large heads, headers of which there
// are many, connections. All of it is charged, comes back, and is bounded by address.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { block, F, frame as h2frame, preface, T } from '../lib/h2.mjs';
import { frame, OP, Sock, Wire, ask, skip, startEcho, until } from './lib.mjs';

const MANY = 40, KIB = 1024;
let s, tight;
before(async () => {
  if (skip) return;
  s = await startEcho({ head_timeout: '60s', rate_min: 0, bytes_per_address: '16m' });
  tight = await startEcho({ head_timeout: '60s', rate_min: 0, bytes_per_address: '300k', connections_per_address: 12 });
});
after(async () => {
  await s?.stop();
  await tight?.stop();
});
const held = async (server = s) => (await ask(server.port, 'GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).json();
afterEach(async () => {
  for (const server of skip ? [] : [s, tight])
    await until(async () => {
      const h = await held(server);
      return h.held === 0 && h.owners === 0 && h.connections === 1;
    }, 'nothing is held');
});

const part = `GET /x HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(50 * KIB)}`;
const cookies = `Host: a\r\n${`Cookie: a=${'b'.repeat(400)}\r\n`.repeat(120)}`;
const bounds = (n, least, most) => assert.ok(n >= least && n <= most, `${n} bytes, not ${least} to ${most}`);

// [what, how it is opened, bytes that each holds at least and at most]
const kinds = [
  ['half a head', async (port) => (await Wire.open(port)).send(part), 50 * KIB, 100 * KIB],
  ['a head with many cookies, whose body is awaited', async (port) => (await Wire.open(port)).send(`POST /x HTTP/1.1\r\n${cookies}Content-Length: 5\r\n\r\n`), 48 * KIB, 400 * KIB],
  ['a head with many cookies, whose answer is awaited', async (port) => (await Wire.open(port)).send(`GET /silent HTTP/1.1\r\n${cookies}\r\n`), 48 * KIB, 400 * KIB],
  ['a frame that is not complete', async (port) => {
    const k = await Sock.open(port);
    k.wire.send(frame(OP.text, 'a'.repeat(50 * KIB)).subarray(0, 40 * KIB));
    return k.wire;
  }, 40 * KIB, 100 * KIB],
  ['a message that is not complete', async (port) => {
    const k = await Sock.open(port);
    k.wire.send(frame(OP.text, 'a'.repeat(50 * KIB), { fin: false }));
    return k.wire;
  }, 50 * KIB, 200 * KIB],
];
for (const [what, open, least, most] of kinds)
  test(`${what} is charged`, { skip }, async () => {
    const ws = await Promise.all(Array.from({ length: MANY }, () => open(s.port)));
    await until(async () => (await held()).held >= least * MANY, 'it is held');
    const h = await held();
    bounds(h.held, least * MANY, most * MANY);
    assert.equal(h.owners, 1);
    for (const w of ws) w.close();
  });

test('hundreds of crumbs of a cookie on HTTP/2 are one cookie, and cost no more than their length', { skip }, async () => {
  const w = await Wire.open(s.port), crumbs = 500, streams = 10;	// more fields are too many
  w.send(preface());
  // the crumb is put into the table of the connection, then named by a byte
  const crumb = Buffer.concat([Buffer.from([0x40, 6]), Buffer.from('cookie'), Buffer.from([3]), Buffer.from('a=1')]);
  for (let i = 0; i < streams; i++)
    w.send(h2frame(T.headers, F.headers, 1 + 2 * i, Buffer.concat([block([[':method', 'POST'], [':path', '/x'], [':scheme', 'http'], [':authority', 'a']]), crumb, Buffer.alloc(crumbs - 1, 0xbe)])));
  await until(async () => (await held()).held > streams * 5 * crumbs, 'they are held');
  bounds((await held()).held, streams * 5 * crumbs, streams * 48 * crumbs);
  w.close();
});

test('many values of one header are joined in order', { skip }, async () => {
  const r = await ask(s.port, `GET /x HTTP/1.1\r\nHost: a\r\n${Array.from({ length: 100 }, (_, i) => `Cookie: c${i}=${i}\r\n`).join('')}\r\n`);
  assert.equal(r.json().headers?.cookie ?? r.json().cookie, Array.from({ length: 100 }, (_, i) => `c${i}=${i}`).join('; '));
});

test('an address has a bound for these, and is told', { skip }, async () => {
  const ws = [];
  for (let i = 0; i < 3; i++) ws.push((await Wire.open(tight.port)).send(part));
  await until(async () => (await held(tight)).held >= 3 * 50 * KIB, 'three are held');
  const before_ = (await held(tight)).refused_address, w = await Wire.open(tight.port);
  ws.push(await Wire.open(tight.port), await Wire.open(tight.port));
  for (const one of [w, ...ws.slice(-2)]) one.send(part);
  await until(async () => (await held(tight)).refused_address > before_, 'one is refused');
  const told = await Promise.race([w, ...ws.slice(-2)].map((one) => one.response()));
  assert.equal(told.status, 429);
  for (const one of [w, ...ws]) one.close();
});

test('an address may have so many connections, and no more', { skip }, async () => {
  const ws = await Promise.all(Array.from({ length: 11 }, () => Wire.open(tight.port)));
  await until(async () => (await held(tight)).connections === 12, 'they are there');	// with this one
  ws.push(await Wire.open(tight.port));
  await until(async () => {
    const w = await Wire.open(tight.port);
    return (await w.end()).length === 0;
  }, 'one more is closed');
  ws.pop().close();
  await until(async () => (await held(tight).catch(() => ({ connections_refused: 0 }))).connections_refused > 0, 'it is counted');
  for (const w of ws) w.close();
});
