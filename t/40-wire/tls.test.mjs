// TLS and HTTP/2: the same requests, in other clothes.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { OP, Sock, Wire, deadline, skip, startEcho, until } from './lib.mjs';

let s, plain, dir;
before(async () => {
  if (skip) return;
  dir = mkdtempSync(join(tmpdir(), 'badal-tls-'));
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  s = await startEcho({ tls_cert: cert, tls_key: key, body_max: 200000, head_timeout: '1500ms' });
  plain = await startEcho({ body_max: 200000, head_timeout: '1500ms', keepalive_timeout: '1500ms' });
});
after(async () => {
  await s?.stop();
  await plain?.stop();
  if (dir) rmSync(dir, { recursive: true });
});

async function secure(options = {}) {
  const socket = tls.connect({ port: s.port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await deadline(new Promise((ok, no) => (socket.once('secureConnect', ok), socket.once('error', no))), 'TLS');
  return new Wire(socket);
}

function session(target) {
  const c = http2.connect(target === 'plain' ? `http://127.0.0.1:${plain.port}` : `https://127.0.0.1:${s.port}`, { rejectUnauthorized: false });
  c.on('error', () => {});
  return c;
}

function request(c, headers, body) {
  return deadline(
    new Promise((ok, no) => {
      const st = c.request(headers, { endStream: body === undefined });
      const chunks = [];
      let head;
      st.on('response', (h) => (head = h));
      st.on('data', (d) => chunks.push(d));
      st.on('error', no);
      st.on('end', () => ok({ head, status: head?.[':status'], text: Buffer.concat(chunks).toString(), json: () => JSON.parse(Buffer.concat(chunks)) }));
      if (body !== undefined) st.end(body);
    }),
    `answer to ${headers[':path']}`,
  );
}

test('HTTP/1.1 over TLS: requests, large bodies, keep-alive, close_notify', { skip }, async () => {
  const w = await secure({ ALPNProtocols: ['http/1.1'] });
  assert.equal(w.socket.alpnProtocol, 'http/1.1');
  w.send(`POST /x HTTP/1.1\r\nHost: a\r\nX-Appwrite-Project: p\r\nContent-Length: 100000\r\n\r\n${'b'.repeat(100000)}`);
  const r = (await w.response()).json();
  assert.deepEqual([r.tls, r.version, r.body.length, r.headers['x-appwrite-project']], [true, 11, 100000, 'p']);
  w.send('GET /text/5000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  assert.equal((await w.response()).body.length, 5000000);
  await w.end();
});

test('no ALPN means HTTP/1.1; pipelining and broken heads end the connection here too', { skip }, async () => {
  const w = await secure();
  assert.equal(w.socket.alpnProtocol, false);
  w.send('GET /delay/20 HTTP/1.1\r\n\r\nGET /delay/20 HTTP/1.1\r\n\r\n');
  assert.equal((await w.response()).get('connection'), 'close');
  await w.end();
  const v = await secure();
  v.send('nonsense\r\n\r\n');
  assert.equal((await v.response()).status, 400);
  await v.end();
});

test('plain text at the TLS port, an unfinished handshake, old TLS', { skip }, async () => {
  const w = await Wire.open(s.port);
  w.send('G'); // one byte is enough to know
  const r = await w.response();
  assert.deepEqual([r.status, r.get('content-type'), r.get('connection')], [400, 'text/plain', 'close']);
  assert.match(r.body.toString(), /TLS/);
  await w.end();
  const silent = await Wire.open(s.port);
  await silent.end();
  await assert.rejects(secure({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }));
});

test('TLS 1.2 with forward secrecy and authenticated ciphers only, and no renegotiation', { skip }, async () => {
  const v12 = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
  for (const ciphers of ['AES128-GCM-SHA256', 'AES256-SHA', 'ECDHE-ECDSA-AES128-SHA256', 'ECDHE-ECDSA-AES256-SHA', 'DHE-RSA-AES128-GCM-SHA256', 'PSK'])
    await assert.rejects(secure({ ...v12, ciphers: `${ciphers}:@SECLEVEL=0` }), undefined, ciphers);
  for (const ciphers of ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305']) (await secure({ ...v12, ciphers })).close();
  const w = await secure(v12);
  await assert.rejects(new Promise((ok, no) => {
    w.socket.on('error', no).on('close', () => no(new Error('closed')));
    w.socket.renegotiate({ rejectUnauthorized: false }, (e) => (e ? no(e) : ok()));
  }));
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) (await secure({ minVersion: maxVersion, maxVersion })).close();
});

test('WebSocket over TLS', { skip }, async () => {
  const k = await Sock.open(0, '/ws?a=b', '', await secure());
  assert.equal(JSON.parse((await k.frame()).text).tls, true);
  for (const n of [1, 1000, 60000]) assert.equal((await k.text('t'.repeat(n)).frame()).text.length, n);
  k.text('flood:100:30000');
  for (let i = 0; i < 100; i++) assert.ok((await k.frame()).text.startsWith('ffff'));
  assert.equal(await k.text('close:1000').closeCode(), 1000);
  k.send(OP.close, Buffer.from([3, 232]));
  await k.wire.end();
});

for (const target of ['tls', 'plain']) {
  test(`HTTP/2 (${target}): every header, raw path and query`, { skip }, async () => {
    const c = session(target);
    const path = `/v1/a%2Fb/../c?queries[]=${encodeURIComponent('equal("a",["x&y"])')}&q=%zz+`;
    const r = await request(c, {
      ':path': path, 'x-appwrite-project': 'p', 'x-appwrite-key': 'k', 'x-appwrite-jwt': 'j', 'x-fallback-cookies': '{}',
      cookie: ['a=1', 'b=2'], origin: 'http://x', 'x-unknown': '1',
    });
    const j = r.json();
    assert.equal(`${j.path}?${j.query}`, path);
    assert.deepEqual(
      [j.version, j.headers['x-appwrite-project'], j.headers['x-appwrite-key'], j.headers['x-appwrite-jwt'], j.headers['x-fallback-cookies'], j.headers.cookie, j.headers.origin],
      [20, 'p', 'k', 'j', '{}', 'a=1; b=2', 'http://x'],
    );
    assert.match(j.headers.host, /^127/);
    assert.equal(r.head['content-length'], String(r.text.length));
    c.close();
  });

  test(`HTTP/2 (${target}): methods, bodies with and without a length, HEAD, 204, awkward headers`, { skip }, async () => {
    const c = session(target);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
      for (const extra of [{}, { 'content-length': 150000 }]) {
        const r = (await request(c, { ':method': method, ':path': '/m', ...extra }, 'b'.repeat(150000))).json();
        assert.deepEqual([r.method, r.body.length], [method, 150000]);
      }
    assert.equal((await request(c, { ':method': 'HEAD', ':path': '/text/9' })).head['content-length'], '9');
    assert.equal((await request(c, { ':path': '/status/204' })).status, 204);
    const h = await request(c, { ':path': '/headers' });
    assert.deepEqual([h.status, h.head['x-one'], h.head['set-cookie'], h.head['x-evil'], h.text], [201, '1', ['a=1', 'b=2'], undefined, 'made']);
    c.close();
  });

  test(`HTTP/2 (${target}): many streams at once, late and large`, { skip }, async () => {
    const c = session(target);
    const all = await Promise.all(Array.from({ length: 200 }, (_, i) => request(c, { ':path': i % 3 ? `/delay/${i % 20}?${i}` : `/text/${i * 1000}` })));
    all.forEach((r, i) => (i % 3 ? assert.equal(r.json().query, String(i)) : assert.equal(r.text.length, i * 1000)));
    c.close();
  });

  test(`HTTP/2 (${target}): limits`, { skip }, async () => {
    const c = session(target);
    assert.equal((await request(c, { ':method': 'POST', ':path': '/', 'content-length': 300000 }, Buffer.alloc(0)).catch(() => ({ status: 413 }))).status, 413);
    const big = await request(c, { ':method': 'POST', ':path': '/' }, 'b'.repeat(300000)).catch(() => ({ status: 413 }));
    assert.equal(big.status, 413);
    c.close();
    const d = session(target);
    const st = d.request({ ':method': 'POST', ':path': '/stall', 'content-length': 10 }, { endStream: false });
    st.on('error', () => {});
    st.write('ab');
    const status = new Promise((ok) => st.once('response', (h) => ok(h[':status'])));
    st.resume();
    await deadline(new Promise((ok) => st.once('close', ok)), 'a stalled stream is answered, and ends');
    assert.equal(await status, 408);
    d.close();
  });
}

test('HTTP/2: a cancelled stream cancels its request', { skip }, async () => {
  const c = session('plain');
  const gone = (await plain.stats()).gone;
  for (const path of ['/silent', '/delay/60000']) {
    const st = c.request({ ':path': path });
    st.on('error', () => {});
    await until(async () => (await plain.stats()).open === 2, 'the request is open');
    st.close(http2.constants.NGHTTP2_CANCEL);
  }
  await until(async () => (await plain.stats()).gone === gone + 2, 'both are gone');
  c.destroy();
});

test('HTTP/2: resets without end make the server say enough', { skip }, async () => {
  const c = session('plain');
  let ended = false;
  c.on('close', () => (ended = true));
  const gone = new Promise((ok) => c.once('close', ok));
  while (!ended) {
    for (let i = 0; i < 50 && !ended; i++) {
      try {
        const st = c.request({ ':path': '/silent' });
        st.on('error', () => {});
        st.close(http2.constants.NGHTTP2_CANCEL);
      } catch {
        ended = true;
      }
    }
    await new Promise((ok) => setImmediate(ok));
  }
  await deadline(gone, 'GOAWAY');
  await until(async () => (await plain.stats()).open === 1, 'nothing is left');
});

test('HTTP/2: idle connections are closed, broken ones too', { skip }, async () => {
  const c = session('plain');
  await request(c, { ':path': '/' });
  await deadline(new Promise((ok) => c.once('close', ok)), 'an idle session ends');
  const w = await Wire.open(plain.port);
  w.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nand now something else entirely, not a frame at all');
  await w.end();
  const v = await Wire.open(plain.port);
  for (const b of 'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n') v.send(b);
  await v.end();
});

test('HTTP/2: a client that reads nothing does not grow the server', { skip }, async () => {
  const c = http2.connect(`http://127.0.0.1:${plain.port}`, { settings: { initialWindowSize: 0 } });
  c.on('error', () => {});
  const st = Array.from({ length: 20 }, () => c.request({ ':path': '/text/1000000' }));
  st.forEach((x) => x.on('error', () => {}));
  await deadline(new Promise((ok) => c.once('close', ok)), 'it is given up');
});

test('HTTP/2: draining lets open streams finish', { skip }, async () => {
  const d = await startEcho();
  const c = http2.connect(`http://127.0.0.1:${d.port}`);
  c.on('error', () => {});
  const late = request(c, { ':path': '/delay/300' });
  await until(async () => (await d.stats()).open === 2, 'it is open');
  const stopped = d.stop();
  assert.equal((await late).status, 200);
  await stopped;
  c.destroy();
});

test('handshakes that do not end have a bound, which others get back', { skip }, async () => {
  const e = await startEcho({ tls_cert: join(dir, 'cert.pem'), tls_key: join(dir, 'key.pem'), bytes_max: '1m', head_timeout: '60s' });
  const open = new Set();
  const all = Array.from({ length: 60 }, () => {
    const c = net.connect(e.port, '127.0.0.1');
    open.add(c);
    c.on('error', () => {});
    c.on('close', () => open.delete(c));
    c.write(Buffer.from([22, 3, 1, 2, 0, 1, 0]));
    return c;
  });
  await until(() => open.size <= 21);
  assert.equal(open.size, 21); // 1 MiB of 48 KiB each
  for (const c of all) c.destroy();
  await until(async () => {
    const c = tls.connect({ port: e.port, host: '127.0.0.1', rejectUnauthorized: false });
    const ok = await new Promise((done) => (c.once('secureConnect', () => done(true)), c.once('error', () => done(false)), c.once('close', () => done(false))));
    c.destroy();
    return ok;
  });
  /* a complete one counts no longer */
  const some = [];
  for (let i = 0; i < 40; i++) {
    const socket = tls.connect({ port: e.port, host: '127.0.0.1', rejectUnauthorized: false });
    await deadline(new Promise((ok, no) => (socket.once('secureConnect', ok), socket.once('error', no))), 'TLS');
    const w = new Wire(socket);
    w.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await w.response()).status, 200);
    some.push(socket);
  }
  for (const c of some) c.destroy();
  await e.stop();
});

test('a client that asks for new keys again and again is ended, and counted; one that does so now and then is not', { skip }, async () => {
  const e = await startEcho({ tls_cert: join(dir, 'cert.pem'), tls_key: join(dir, 'key.pem'), head_timeout: '60s' }); // not ended for want of a request
  const floods = async () => {
    const w = await secure({ ALPNProtocols: ['http/1.1'], port: e.port });
    w.send('GET /floods HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const n = (await w.response()).json().floods;
    w.close();
    return n;
  };
  const updates = async (most) => { // openssl reads one command at a time
    const before_ = await floods();
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${e.port}`, '-tls1_3'], { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '', ended = false;
    for (const pipe of [child.stdout, child.stderr]) pipe.on('data', (d) => (out += d));
    child.stdin.on('error', () => {});
    child.on('exit', () => (ended = true));
    await until(() => /Verify return code/.test(out), 'a connection');
    for (let i = 0; i < most && !ended; i++) {
      child.stdin.write('K\n');
      await new Promise((ok) => setImmediate(ok));
    }
    if (most < 100) await until(() => out.includes('KEYUPDATE'), 'they were sent');
    if (most < 100) child.kill();
    await until(() => ended, 'its end');
    return (await floods()) - before_;
  };
  assert.equal(await updates(20), 0);
  assert.equal(await updates(5000), 1);
  await e.stop();
});
