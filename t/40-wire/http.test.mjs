// HTTP/1.1 as it should be: what arrives, what is answered, keep-alive.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import { after, before, test } from 'node:test';
import { Wire, ask, skip, startEcho, until } from './lib.mjs';

let s;
before(async () => !skip && (s = await startEcho()));
after(() => s?.stop());

const get = (path, extra = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${extra}\r\n`;

test('path and query arrive byte by byte', { skip }, async () => {
  const many = Array.from({ length: 400 }, (_, i) => `queries[]=${i}`).join('&');
  const targets = [
    '/v1/x', '/', '//double//slash', '/a/../b/./c', '/a%2Fb%00c%zz%', '/a?', '/a??b?c', '/a?b=%26&c=a+b;d', `/q?${many}`,
    `/a?queries[]=${encodeURIComponent('equal("a",["x&y;=+ü"])')}`, '/a?q=%', '/x;y=1/z', '/caf\xc3\xa9?\xff',
  ];
  for (const t of targets) {
    const r = (await ask(s.port, Buffer.from(get(t), 'latin1'))).json();
    const [path, ...rest] = t.split('?');
    assert.equal(r.path, path);
    assert.equal(r.query, rest.join('?'));
  }
});

test('an absolute target names the host', { skip }, async () => {
  const r = (await ask(s.port, get('http://other:81/p/q?r=1'))).json();
  assert.deepEqual([r.path, r.query, r.headers.host], ['/p/q', 'r=1', 'other:81']);
  assert.deepEqual((await ask(s.port, get('http://other?z'))).json().path, '/');
});

test('every method, with and without a body', { skip }, async () => {
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'BREW']) {
    const r = await ask(s.port, `${method} /m HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nb\0dy`);
    assert.equal(r.status, 200);
    assert.deepEqual([r.json().method, r.json().body], [method, 'b\0dy']);
    assert.equal((await ask(s.port, `${method} /m HTTP/1.1\r\nHost: a\r\n\r\n`)).json().body, '');
  }
  assert.equal((await ask(s.port, 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n')).json().path, '*');
});

test('HEAD, 204 and 304 carry no body', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send('HEAD /text/500 HTTP/1.1\r\nHost: a\r\n\r\n');
  const r = await w.response({ head: true });
  assert.equal(r.get('content-length'), '500');
  for (const status of [204, 304]) {
    w.send(get(`/status/${status}`));
    const e = await w.response();
    assert.equal(e.status, status);
    assert.equal(e.get('content-length'), undefined);
  }
  w.send(get('/text/3'));
  assert.equal((await w.response()).body.toString(), 'xxx');
  w.close();
});

test('every header of the table is read', { skip }, async () => {
  const names = [
    'Origin', 'Referer', 'Cookie', 'User-Agent', 'Content-Type', 'Content-Range', 'Range', 'Accept', 'Accept-Encoding', 'Accept-Language',
    'Authorization', 'If-None-Match', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Forwarded-Port', 'X-Appwrite-Project',
    'X-Appwrite-Key', 'X-Appwrite-JWT', 'X-Appwrite-Mode', 'X-Appwrite-Locale', 'X-Appwrite-Session', 'X-Appwrite-Response-Format',
    'X-Fallback-Cookies', 'X-Appwrite-ID', 'X-SDK-Name', 'X-SDK-Version',
  ];
  const lines = names.map((n, i) => `${i % 2 ? n : n.toUpperCase()}: \t value ${i} \t\r\n`).join('');
  const r = (await ask(s.port, get('/', `${lines}X-Unknown: 1\r\nX-Appwrite: 2\r\nX-Appwrite-Projects: 3\r\nEmpty:\r\n`))).json();
  names.forEach((n, i) => assert.equal(r.headers[n.toLowerCase()], `value ${i}`, n));
  assert.equal(Object.keys(r.headers).length, names.length + 1);
  const twice = (await ask(s.port, get('/', 'Cookie: a=1\r\nX-Appwrite-Project: one\r\nCookie: b=2\r\nX-Appwrite-Project: two\r\n'))).json();
  assert.equal(twice.headers.cookie, 'a=1; b=2');
  assert.equal(twice.headers['x-appwrite-project'], 'two');
  const lists = (await ask(s.port, get('/', 'X-Forwarded-For: 1\r\nOrigin: http://a\r\nX-Forwarded-For: 2\r\nOrigin: http://b\r\nAccept: a\r\nAccept: b\r\n'))).json();
  assert.deepEqual([lists.headers['x-forwarded-for'], lists.headers.origin, lists.headers.accept], ['1, 2', 'http://b', 'a']);
  for (const name of ['Host', 'Authorization'])
    assert.equal((await ask(s.port, `GET / HTTP/1.1\r\n${name}: a\r\n${name}: a\r\n\r\n`)).status, 400, name);
  assert.equal((await ask(s.port, 'GET / HTTP/1.1\r\n\r\n')).json().headers.host, undefined);
});

test('answers: headers in order, no injection, the standard ones', { skip }, async () => {
  const r = await ask(s.port, get('/headers'));
  assert.equal(r.line, 'HTTP/1.1 201 Created');
  assert.deepEqual(r.headers.slice(0, 4), [['x-one', '1'], ['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x-last', 'end']]);
  assert.equal(r.get('x-evil'), undefined);
  assert.match(r.get('date'), /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
  assert.equal(r.get('connection'), 'keep-alive');
  assert.equal(r.get('content-length'), '4');
});

test('keep-alive: many requests on one connection, late ones too', { skip }, async () => {
  const w = await Wire.open(s.port);
  for (let i = 0; i < 200; i++) {
    w.send(i % 20 ? get(`/n/${i}`) : `POST /delay/1?${i} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`);
    const r = await w.response();
    assert.equal(r.status, 200);
    assert.equal(i % 20 ? r.json().path : r.json().query, i % 20 ? `/n/${i}` : String(i));
  }
  w.send(get('/', 'Connection: close\r\n'));
  assert.equal((await w.response()).get('connection'), 'close');
  await w.end();
});

test('HTTP/1.0 closes, unless it asks to stay', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send('GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n');
  assert.equal((await w.response()).get('connection'), 'keep-alive');
  w.send('GET / HTTP/1.0\r\n\r\n');
  assert.equal((await w.response()).get('connection'), 'close');
  await w.end();
});

test('a request in single bytes', { skip }, async () => {
  const w = await Wire.open(s.port);
  for (const c of 'POST /slow?x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello') {
    w.send(c);
    await new Promise((ok) => setImmediate(ok));
  }
  const r = (await w.response()).json();
  assert.deepEqual([r.path, r.query, r.body], ['/slow', 'x', 'hello']);
  w.close();
});

test('empty lines before a request are skipped', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send('\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nz\r\n');
  assert.equal((await w.response()).json().body, 'z');
  w.send(get('/second'));
  assert.equal((await w.response()).json().path, '/second');
  w.close();
});

test('large bodies both ways, to a slow reader', { skip }, async () => {
  const body = Buffer.alloc(6_000_000, 'é');
  const w = await Wire.open(s.port);
  w.send(`POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`);
  assert.equal((await w.response()).status, 100);
  w.send(body);
  assert.equal((await w.response()).json().body, body.toString('latin1'));
  w.socket.pause();
  w.send(get('/text/20000000'));
  await until(async () => (await s.stats()).requests > 1, 'the answer is on its way');
  w.socket.resume();
  const r = await w.response();
  assert.equal(r.body.length, 20_000_000);
  w.send(get('/after'));
  assert.equal((await w.response()).json().path, '/after');
  w.close();
});

// The server gives a connection that it closes five seconds to take what is left, anew whenever it takes some.
test('an answer that ends the connection is whole, however slowly it is read', { skip }, async () => {
  const w = await Wire.open(s.port);
  const end = Date.now() + 8000;
  w.socket.on('data', () => {
    if (Date.now() > end) return;
    w.socket.pause();
    setTimeout(() => w.socket.resume(), 50);
  });
  w.send('GET /text/40000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  assert.equal((await w.response()).body.length, 40_000_000);
  await w.end();
});

test('a connection whose client says nothing is probed', { skip }, async () => {
  const w = await Wire.open(s.port);
  const hex = (n) => n.toString(16).toUpperCase().padStart(4, '0');
  const ours = `:${hex(s.port)} `, theirs = `:${hex(w.socket.localPort)} 01 `;
  const line = () => readFileSync('/proc/net/tcp', 'latin1').split('\n').find((l) => l.includes(ours) && l.includes(theirs));
  await until(line, 'the connection is there');
  assert.match(line().trim().split(/\s+/)[5], /^02:/); // the keep-alive timer
  w.close();
});

test("node's own client is content", { skip }, async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  const one = (i) =>
    new Promise((ok, no) => {
      const rq = http.request({ port: s.port, agent, path: `/delay/${i % 5}?${i}`, method: 'PUT' }, (res) => {
        let t = '';
        res.on('data', (d) => (t += d));
        res.on('end', () => ok(JSON.parse(t)));
      });
      rq.on('error', no);
      rq.setHeader('content-length', 2);
      rq.end(`${i % 10}!`);
    });
  const all = await Promise.all(Array.from({ length: 200 }, (_, i) => one(i)));
  all.forEach((r, i) => assert.deepEqual([r.query, r.body], [String(i), `${i % 10}!`]));
  agent.destroy();
});

test('a client that leaves cancels its request', { skip }, async () => {
  const before_ = await s.stats();
  for (const path of ['/silent', '/delay/60000']) {
    const w = await Wire.open(s.port);
    w.send(get(path));
    await until(async () => (await s.stats()).open === 2, 'the request is open');
    w.close();
    await until(async () => (await s.stats()).open === 1, 'the request is gone');
  }
  assert.equal((await s.stats()).gone, before_.gone + 2);
});

test('several processes share the port', { skip }, async () => {
  const more = [await startEcho({}, s.port), await startEcho({}, s.port)];
  const pids = new Set();
  await until(async () => pids.add((await s.stats()).pid).size === 3, 'all three answer');
  await more[0].stop();
  await more[1].stop();
});

test('a head of 60 KiB is read', { skip }, async () => {
  const s = await startEcho();
  const r = await ask(s.port, `GET /alive HTTP/1.1\r\nHost: a\r\nCookie: a=${'b'.repeat(60 * 1024)}\r\nConnection: close\r\n\r\n`);
  assert.equal(r.status, 200);
  await s.stop();
});

test('where nothing is said, both families are heard', { skip }, async () => {
  const families = Object.values(os.networkInterfaces()).flat().filter((a) => a.internal).map((a) => a.address);
  for (const listen of ['::', '*', '']) {
    const s = await startEcho({ listen });
    for (const host of ['127.0.0.1', '::1'].filter((a) => families.includes(a))) {
      const c = net.connect(s.port, host);
      c.end('GET /alive HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      assert.match(Buffer.concat(await c.toArray()).toString(), /^HTTP\/1\.1 200 /, `${listen} ${host}`);
    }
    await s.stop();
  }
});
