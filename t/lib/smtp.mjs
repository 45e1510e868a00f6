/* A mail server that keeps what it gets: const box = await sink(); box.port; await box.next(to) gives { from, to, headers, text, html, link }. */
import net from 'node:net'
import { until } from './server.mjs'

const word = (s) => s.replace(/\r\n /g, '').replace(/=\?UTF-8\?B\?([^?]*)\?=/gi, (_, b) => Buffer.from(b, 'base64').toString())

function parse(raw) {
	const [head, ...rest] = raw.split('\r\n\r\n'), headers = {}
	for (const line of head.replace(/\r\n[ \t]/g, ' ').split('\r\n')) headers[line.slice(0, line.indexOf(':')).toLowerCase()] = word(line.slice(line.indexOf(':') + 2).replace(/\?= =\?/g, '?==?'))
	const mark = headers['content-type'].match(/boundary="([^"]+)"/)[1]
	const parts = rest.join('\r\n\r\n').split(`--${mark}`).slice(1, -1).map((p) => Buffer.from(p.split('\r\n\r\n').slice(1).join(''), 'base64').toString())
	return { headers, text: parts[0], html: parts[1], link: parts[0].match(/\S+:\/\/\S+/)?.[0] }
}

/* `reply(line)` may answer a command itself, e.g. '451 later'. */
export async function sink({ reply = () => null } = {}) {
	const mails = []
	const srv = net.createServer((c) => {
		let buf = '', data = false, mail = { to: [] }
		const say = (s) => c.write(`${s}\r\n`)
		c.on('error', () => {})
		say('220 sink')
		c.on('data', (d) => {
			buf += d.toString('latin1')
			for (;;) {
				const end = buf.indexOf(data ? '\r\n.\r\n' : '\r\n')
				if (end < 0) return
				const line = buf.slice(0, end)
				buf = buf.slice(end + (data ? 5 : 2))
				if (data) {
					data = false
					mails.push({ ...mail, ...parse(Buffer.from(line.replace(/^\.\./gm, '.'), 'latin1').toString()) })
					mail = { to: [] }
					say('250 kept')
					continue
				}
				const own = reply(line)
				if (own) say(own)
				else if (/^EHLO/i.test(line)) say('250 sink')
				else if (/^MAIL FROM:/i.test(line)) { mail.from = line.match(/<(.*?)>/)[1]; say('250 ok') }
				else if (/^RCPT TO:/i.test(line)) { mail.to.push(line.match(/<(.*?)>/)[1]); say('250 ok') }
				else if (/^DATA/i.test(line)) { data = true; say('354 go on') }
				else if (/^QUIT/i.test(line)) { say('221 bye'); c.end() }
				else say('250 ok')
			}
		})
	})
	await new Promise((ok) => srv.listen(0, '127.0.0.1', ok))
	srv.unref()
	return { port: srv.address().port, mails, stop: () => srv.close(),
		next: (to) => until(`mail to ${to}`, () => { const i = mails.findIndex((m) => m.to.includes(to)); return i < 0 ? null : mails.splice(i, 1)[0] }) }
}
