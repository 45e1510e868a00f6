// Starts the echo server and speaks to it in bytes. BADAL_ECHO names the binary.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';

export const echoPath = process.env.BADAL_ECHO;
export const skip = echoPath ? false : 'BADAL_ECHO is not set';
export const DEADLINE = 60000;

// What a failed test leaves running ends with the process, and does not keep it.
const running = new Set();
process.on('exit', () => running.forEach((c) => c.kill('SIGKILL')));

// A running server; stop() fails when it does not end with status 0 (a sanitizer's report ends it otherwise).
export async function startEcho(options = {}, port = 0) {
  const args = Object.entries({ port, listen: '127.0.0.1', ...options }).map(([k, v]) => `${k}=${v}`);
  const child = spawn(echoPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let err = '';
  child.stderr.on('data', (d) => (err += d));
  running.add(child);
  const exit = new Promise((ok) => child.once('exit', (code, signal) => (running.delete(child), ok({ code, signal }))));
  const ready = await new Promise((ok, no) => {
    child.stdout.once('data', ok);
    exit.then((e) => no(new Error(`echo ended ${JSON.stringify(e)}: ${err}`)));
  });
  port = Number(/^ready (\d+)$/m.exec(ready)[1]);
  for (const h of [child, child.stdout, child.stderr]) h.unref();
  const server = {
    port,
    pid: child.pid,
    stderr: () => err,
    get exit() {
      child.ref();
      return exit;
    },
    signal: (s) => child.kill(s),
    stats: async () => (await ask(port, 'GET /stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).json(),
    async stop() {
      child.ref();
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE);
      const e = await exit;
      clearTimeout(timer);
      if (e.code !== 0) throw new Error(`echo ended with ${JSON.stringify(e)}\n${err}`);
    },
  };
  return server;
}

export function deadline(promise, what, ms = DEADLINE) {
  let timer;
  const late = new Promise((_, no) => (timer = setTimeout(() => no(new Error(`too late: ${what}`)), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function until(test, what, ms = DEADLINE) {
  const end = Date.now() + ms;
  for (;;) {
    const v = await test();
    if (v) return v;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((ok) => setTimeout(ok, 10));
  }
}

// A connection that keeps what it got.
export class Wire {
  constructor(socket) {
    this.socket = socket;
    this.data = Buffer.alloc(0);
    this.ended = false;
    this.wake = () => {};
    socket.on('data', (d) => {
      this.append(d);
      this.wake();
    });
    for (const e of ['end', 'close', 'error']) socket.on(e, () => ((this.ended = true), this.wake()));
  }
  // In place while there is room behind what is kept: a large answer comes in hundreds of pieces.
  append(d) {
    const { data } = this;
    if (data.buffer !== this.store?.buffer || data.byteOffset + data.length + d.length > this.store.length) {
      this.store = Buffer.allocUnsafeSlow(2 * (data.length + d.length));
      data.copy(this.store);
      this.data = this.store.subarray(0, data.length);
    }
    const at = this.data.byteOffset, end = at + this.data.length;
    d.copy(this.store, end);
    this.data = this.store.subarray(at, end + d.length);
  }
  static async open(port, host = '127.0.0.1') {
    const s = net.connect({ port, host, noDelay: true, allowHalfOpen: true });
    await deadline(new Promise((ok, no) => (s.once('connect', ok), s.once('error', no))), 'connect');
    return new Wire(s);
  }
  send(data) {
    this.socket.write(data);
    return this;
  }
  // Waits until take(data) gives something other than undefined.
  async until(take, what) {
    return deadline(
      (async () => {
        for (;;) {
          const v = take(this.data);
          if (v !== undefined) return v;
          if (this.ended) throw new Error(`connection ended before: ${what}; got ${JSON.stringify(this.data.toString('latin1').slice(0, 300))}`);
          await new Promise((ok) => (this.wake = ok));
        }
      })(),
      what,
    );
  }
  async response({ head = false } = {}) {
    const r = await this.until((d) => parseResponse(d, head), 'a response');
    this.data = this.data.subarray(r.size);
    return r;
  }
  async end() {
    await deadline(
      (async () => {
        while (!this.ended) await new Promise((ok) => (this.wake = ok));
      })(),
      'end of the connection',
    );
    this.socket.destroy();
    return this.data;
  }
  close() {
    this.socket.destroy();
  }
}

export function parseResponse(d, head) {
  const at = d.indexOf('\r\n\r\n');
  if (at < 0) return undefined;
  const [line, ...lines] = d.subarray(0, at).toString('latin1').split('\r\n');
  const headers = lines.map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]);
  const get = (n) => headers.find(([k]) => k === n)?.[1];
  const status = Number(line.split(' ')[1]);
  const length = head || status < 200 || status === 204 || status === 304 ? 0 : Number(get('content-length') ?? 0);
  if (d.length < at + 4 + length) return undefined;
  const body = d.subarray(at + 4, at + 4 + length);
  return { line, status, headers, get, body, size: at + 4 + length, json: () => JSON.parse(body.toString()) };
}

// One request on a connection of its own.
export async function ask(port, bytes, options) {
  const w = await Wire.open(port);
  w.send(bytes);
  const r = await w.response(options);
  w.close();
  return r;
}

// ---- WebSocket ----

export const OP = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

export function frame(op, payload = '', { fin = true, mask = randomBytes(4), rsv = 0, length } = {}) {
  const p = Buffer.from(payload);
  const n = length ?? p.length;
  const head = [(fin ? 0x80 : 0) | rsv | op];
  const m = mask ? 0x80 : 0;
  if (n < 126) head.push(m | n);
  else if (n < 65536) head.push(m | 126, n >> 8, n & 255);
  else {
    const big = Buffer.alloc(8);
    big.writeBigUInt64BE(BigInt(n));
    head.push(m | 127, ...big);
  }
  const body = mask ? Buffer.from(p.map((c, i) => c ^ mask[i & 3])) : p;
  return Buffer.concat([Buffer.from(head), mask || Buffer.alloc(0), body]);
}

export function parseFrame(d) {
  if (d.length < 2) return undefined;
  let n = d[1] & 127;
  let at = 2;
  if (n === 126) {
    if (d.length < 4) return undefined;
    n = d.readUInt16BE(2);
    at = 4;
  } else if (n === 127) {
    if (d.length < 10) return undefined;
    n = Number(d.readBigUInt64BE(2));
    at = 10;
  }
  if (d.length < at + n) return undefined;
  const payload = d.subarray(at, at + n);
  return { fin: d[0] >> 7, op: d[0] & 15, payload, text: payload.toString(), size: at + n };
}

export const acceptOf = (key) => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

export function handshake(key, path = '/ws', extra = '') {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${extra}\r\n`;
}

export class Sock {
  constructor(wire) {
    this.wire = wire;
  }
  static async open(port, path = '/ws', extra = '', wire = undefined) {
    const key = randomBytes(16).toString('base64');
    wire ||= await Wire.open(port);
    wire.send(handshake(key, path, extra));
    const r = await wire.response();
    if (r.status !== 101) throw new Error(`no upgrade: ${r.line}`);
    if (r.get('sec-websocket-accept') !== acceptOf(key)) throw new Error('wrong Sec-WebSocket-Accept');
    const s = new Sock(wire);
    s.reply = r;
    return s;
  }
  send(op, payload, options) {
    this.wire.send(frame(op, payload, options));
    return this;
  }
  text(payload) {
    return this.send(OP.text, payload);
  }
  async frame() {
    const f = await this.wire.until(parseFrame, 'a frame');
    this.wire.data = this.wire.data.subarray(f.size);
    return f;
  }
  async closeCode() {
    const f = await this.frame();
    if (f.op !== OP.close) throw new Error(`not a Close frame: ${f.op} ${f.text}`);
    return f.payload.length >= 2 ? f.payload.readUInt16BE(0) : 0;
  }
}

// What an echo server holds now.
export const held = async (server) => (await ask(server.port, 'GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).json();

// After each test of a file: none of its servers holds anything.
export async function holdsNothing(...servers) {
  if (skip) return;
  for (const server of servers)
    await until(async () => {
      const h = await held(server);
      return h.held === 0 && h.owners === 0 && h.fibers === 0;
    }, 'nothing is held');
}
