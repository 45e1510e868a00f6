// Files: what is served of a directory, how, and what is not, over HTTP/1.1 and HTTP/2, plain and TLS.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { Wire, deadline, skip, startEcho, until } from './lib.mjs';

let s, t, quick, dir;
const big = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7919) & 255));
before(async () => {
  if (skip) return;
  dir = mkdtempSync(join(tmpdir(), 'badal-static-'));
  const root = join(dir, 'www'), cert = join(dir, 'cert.pem'), key = join(dir, 'key.pem');
  for (const d of [root, join(root, 'hashed'), join(root, 'sub'), join(root, '.well-known'), join(root, 'folder.html')]) mkdirSync(d);
  for (const [name, text] of [['index.html', 'home'], ['sub/index.html', 'sub'], ['a.css', 'plain'], ['a.css.br', 'brotli'], ['a.css.gz', 'gzip'], ['old.js', 'new'], ['old.js.gz', 'old'],
    ['hashed/app-1a2b.js', 'app'], ['.secret', 'no'], ['.well-known/x', 'yes'], ['empty.txt', ''], ['ü b.txt', 'umlaut'], ['ten.txt', '0123456789'], ['noext', '?']])
    writeFileSync(join(root, name), text);
  utimesSync(join(root, 'old.js.gz'), 1000, 1000);
  writeFileSync(join(root, 'big.bin'), big);
  writeFileSync(join(dir, 'outside.txt'), 'outside');
  symlinkSync('../outside.txt', join(root, 'out.txt'));
  symlinkSync('..', join(root, 'up'));
  symlinkSync('/', join(root, 'slash'));
  symlinkSync('ten.txt', join(root, 'in.txt'));
  symlinkSync('/proc/self/fd/0', join(root, 'magic.txt'));
  execFileSync('mkfifo', [join(root, 'pipe.txt')]);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  s = await startEcho({ data_dir: root });
  quick = await startEcho({ data_dir: root, transfer_stall: '600ms' });
  t = await startEcho({ data_dir: root, tls_cert: cert, tls_key: key });
});
after(async () => {
  await s?.stop();
  await quick?.stop();
  await t?.stop();
  if (dir) rmSync(dir, { recursive: true });
});

async function get(path, headers = '', method = 'GET') {
  const w = await Wire.open(s.port);
  w.send(Buffer.from(`${method} /file/${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`, 'latin1'));
  const r = await w.response({ head: method === 'HEAD' });
  w.close();
  return r;
}

test('files, indexes, types, links within', { skip }, async () => {
  for (const [path, body, type] of [['', 'home', 'text/html; charset=UTF-8'], ['index.html', 'home', 'text/html; charset=UTF-8'], ['sub/', 'sub', 'text/html; charset=UTF-8'],
    ['ten.txt', '0123456789', 'text/plain; charset=UTF-8'], ['in.txt', '0123456789', 'text/plain; charset=UTF-8'], ['noext', '?', 'application/octet-stream'],
    ['%C3%BC%20b.txt', 'umlaut', 'text/plain; charset=UTF-8'], ['.well-known/x', 'yes', 'application/octet-stream'], ['empty.txt', '', 'text/plain; charset=UTF-8']]) {
    const r = await get(path);
    assert.deepEqual([r.status, r.body.toString(), r.get('content-type'), r.get('content-length')], [200, body, type, String(body.length)], path);
    const h = await get(path, '', 'HEAD');
    assert.deepEqual([h.status, h.get('content-length'), h.get('etag')], [200, String(body.length), r.get('etag')]);
  }
});

test('nothing else: no way out, no hidden files, nothing that is no file', { skip }, async () => {
  for (const path of ['../outside.txt', '%2e%2e/outside.txt', 'sub/../../outside.txt', 'sub/../ten.txt', '..%2Foutside.txt', '%2E%2E%2foutside.txt', '..\\outside.txt', '..%5Coutside.txt',
    'out.txt', 'up/outside.txt', 'slash/etc/passwd', 'magic.txt', 'pipe.txt', '.secret', 'sub', 'folder.html', 'ten.txt/', 'ten.txt%00', 'ten.txt%00.css', '%00', 'a%', 'a%2', 'a%zz', '//ten.txt',
    'sub//index.html', '/etc/passwd', './ten.txt', 'no.txt', 'a'.repeat(5000), 'x/'.repeat(500), '%ff', 'ten.txt%0a'])
    assert.equal((await get(path)).status, 404, path);
});

test('ETag and If-None-Match; what carries a hash never changes', { skip }, async () => {
  const r = await get('ten.txt'), tag = r.get('etag');
  assert.match(tag, /^"[^"]+"$/);
  assert.equal(r.get('cache-control'), 'no-cache');
  assert.equal((await get('hashed/app-1a2b.js')).get('cache-control'), 'public, max-age=31536000, immutable');
  for (const [given, status] of [[tag, 304], [`W/${tag}`, 304], [`"a", ${tag}`, 304], ['*', 304], ['"other"', 200], [tag.slice(0, -1), 200], ['', 200]]) {
    const n = await get('ten.txt', `If-None-Match: ${given}\r\n`);
    assert.equal(n.status, status, given);
    assert.equal(n.get('etag'), tag);
  }
});

test('neighbours that are compressed already', { skip }, async () => {
  const plain = await get('a.css');
  assert.deepEqual([plain.body.toString(), plain.get('vary'), plain.get('content-encoding')], ['plain', 'Accept-Encoding', undefined]);
  for (const [accept, body, coding] of [['br', 'brotli', 'br'], ['gzip', 'gzip', 'gzip'], ['gzip, deflate, br', 'brotli', 'br'], ['br;q=0, gzip;q=0.5', 'gzip', 'gzip'],
    ['br;q=0.0', 'plain', undefined], ['brr', 'plain', undefined], ['BR ; q=1', 'brotli', 'br'], ['identity', 'plain', undefined]]) {
    const r = await get('a.css', `Accept-Encoding: ${accept}\r\n`);
    assert.deepEqual([r.body.toString(), r.get('content-encoding'), r.get('content-type')], [body, coding, 'text/css; charset=UTF-8'], accept);
    assert.equal(r.get('etag') === plain.get('etag'), coding === undefined);
  }
  const old = await get('old.js', 'Accept-Encoding: gzip\r\n'); // older than the file: of another
  assert.deepEqual([old.body.toString(), old.get('content-encoding')], ['new', undefined]);
});

test('one range of bytes', { skip }, async () => {
  for (const [range, status, body, shown] of [['bytes=0-3', 206, '0123', 'bytes 0-3/10'], ['bytes=8-', 206, '89', 'bytes 8-9/10'], ['bytes=-3', 206, '789', 'bytes 7-9/10'], ['bytes=-30', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=2-99', 206, '23456789', 'bytes 2-9/10'], ['BYTES= 4-4 ', 206, '4', 'bytes 4-4/10'], ['bytes=2-9223372036854775807', 206, '23456789', 'bytes 2-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'], ['bytes=-0', 416, '', 'bytes */10'], ['bytes=99-100', 416, '', 'bytes */10'],
    ['bytes=3-2', 200], ['bytes=4 - 4', 200], ['bytes=0-1,3-4', 200], ['lines=0-1', 200], ['bytes=a-b', 200], ['bytes=-', 200], ['bytes=', 200], ['bytes=0-99999999999999999999', 200], ['bytes=--1', 200]]) {
    const r = await get('ten.txt', `Range: ${range}\r\n`);
    assert.deepEqual([r.status, r.body.toString(), r.get('content-range')], [status, body ?? '0123456789', shown], range);
  }
  assert.equal((await get('empty.txt', 'Range: bytes=0-\r\n')).status, 416);
  assert.ok((await get('big.bin', 'Range: bytes=1000000-2999999\r\n')).body.equals(big.subarray(1_000_000)));
});

test('a large file whole: plain, TLS, HTTP/2; the connection lives on', { skip }, async () => {
  const w = await Wire.open(s.port), socket = tls.connect({ port: t.port, host: '127.0.0.1', rejectUnauthorized: false });
  await deadline(new Promise((ok) => socket.once('secureConnect', ok)), 'TLS');
  for (const x of [w, new Wire(socket)]) {
    for (let i = 0; i < 2; i++) {
      x.send('GET /file/big.bin HTTP/1.1\r\nHost: a\r\n\r\n');
      assert.ok((await x.response()).body.equals(big));
    }
    x.close();
  }
  for (const url of [`http://127.0.0.1:${s.port}`, `https://127.0.0.1:${t.port}`]) {
    const c = http2.connect(url, { rejectUnauthorized: false }), all = [];
    for (let i = 0; i < 3; i++)
      all.push(
        deadline(
          new Promise((ok, no) => {
            const parts = [], st = c.request({ ':path': '/file/big.bin' });
            st.on('data', (d) => parts.push(d)).on('end', () => ok(Buffer.concat(parts))).on('error', no);
          }),
          'the file',
        ),
      );
    for (const d of await Promise.all(all)) assert.ok(d.equals(big));
    c.close();
  }
});

test('a reader that stops, or leaves, or a file that shrinks meanwhile', { skip }, async () => {
  const path = join(dir, 'www', 'huge.bin'), fd = openSync(path, 'w'), idle = async (server = s) => (await (await fetch(`http://127.0.0.1:${server.port}/held`)).json()).fibers === 0;
  ftruncateSync(fd, 200_000_000);
  closeSync(fd);
  const held = async () => (await fetch(`http://127.0.0.1:${quick.port}/held`)).json(), was = (await held()).slow, w = await Wire.open(quick.port);
  w.socket.pause();
  w.send('GET /file/huge.bin HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(async () => { const h = await held(); return h.fibers > 0 || h.slow > was; }, 'it is underway, or was');
  await until(() => idle(quick), 'it is given up');
  w.close();
  const v = await Wire.open(s.port);
  v.send('GET /file/huge.bin HTTP/1.1\r\nHost: a\r\n\r\n');
  await v.until((d) => d.length > 100_000 || undefined, 'some of it');
  v.socket.resetAndDestroy();
  await until(() => idle(), 'it is gone');
  const u = await Wire.open(s.port);
  u.send('GET /file/huge.bin HTTP/1.1\r\nHost: a\r\n\r\n');
  await u.until((d) => d.length > 0 || undefined, 'it is underway, and its length is told');
  u.socket.pause();
  truncateSync(path, 1000);
  u.socket.resume();
  assert.ok((await u.end()).length < 200_000_000);
  await until(() => idle(), 'it is cut');
});
