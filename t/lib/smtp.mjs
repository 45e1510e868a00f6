/* A mail server that keeps what it gets: const box = await sink(); box.port; await box.next(to) gives { from, to, headers, text, html, link }. */
import net from 'node:net'
import tls from 'node:tls'
import { until } from './server.mjs'

const word = (s) => s.replace(/\r\n /g, '').replace(/=\?UTF-8\?B\?([^?]*)\?=/gi, (_, b) => Buffer.from(b, 'base64').toString())

function parse(raw) {
	const [head, ...rest] = raw.split('\r\n\r\n'), headers = {}
	for (const line of head.replace(/\r\n[ \t]/g, ' ').split('\r\n')) headers[line.slice(0, line.indexOf(':')).toLowerCase()] = word(line.slice(line.indexOf(':') + 2).replace(/\?= =\?/g, '?==?'))
	const mark = headers['content-type'].match(/boundary="([^"]+)"/)[1]
	const parts = rest.join('\r\n\r\n').split(`--${mark}`).slice(1, -1).map((p) => Buffer.from(p.split('\r\n\r\n').slice(1).join(''), 'base64').toString())
	return { headers, text: parts[0], html: parts[1], link: parts[0].match(/\S+:\/\/\S+/)?.[0] }
}

/* `reply(line)` may answer a command itself, e.g. '451 later'. `tls` ({ key, cert }) offers STARTTLS; `login` ({ user, password }) demands AUTH. */
export async function sink({ reply = () => null, tls: secrets, login } = {}) {
	const mails = [], commands = []
	function talk(c, state) {
		let buf = '', data = false, mail = { to: [] }
		const say = (s) => c.write(`${s}\r\n`)
		c.on('error', () => {})
		c.on('data', listen)
		function listen(d) {
			buf += d.toString('latin1')
			for (;;) {
				const end = buf.indexOf(data ? '\r\n.\r\n' : '\r\n')
				if (end < 0) return
				const line = buf.slice(0, end)
				buf = buf.slice(end + (data ? 5 : 2))
				if (data) {
					data = false
					const raw = Buffer.from(line.replace(/^\.\./gm, '.'), 'latin1').toString()
					mails.push({ ...mail, raw, secure: state.secure, login: state.login, ...parse(raw) })
					mail = { to: [] }
					say('250 kept')
					continue
				}
				commands.push(line)
				const own = reply(line)
				if (own) say(own)
				else if (/^EHLO/i.test(line)) {
					const can = [secrets && !state.secure && 'STARTTLS', login && 'AUTH PLAIN'].filter(Boolean)
					for (const [i, s] of ['sink', ...can].entries()) say(`250${i === can.length ? ' ' : '-'}${s}`)
				} else if (/^STARTTLS/i.test(line) && secrets && !state.secure) {
					say('220 go on')
					c.off('data', listen)
					const s = new tls.TLSSocket(c, { isServer: true, ...secrets })
					talk(s, { secure: true })
					return
				} else if (/^AUTH PLAIN$/i.test(line) && login) {
					state.asked = true
					say('334 ')
				} else if (login && (state.asked || /^AUTH PLAIN /i.test(line))) {
					const [, user, password] = Buffer.from(line.replace(/^AUTH PLAIN /i, ''), 'base64').toString().split('\0')
					state.asked = false
					state.login = user === login.user && password === login.password
					say(state.login ? '235 welcome' : '535 no')
				} else if (/^MAIL FROM:/i.test(line) && login && !state.login) say('530 log in first')
				else if (/^MAIL FROM:/i.test(line)) { mail.from = line.match(/<(.*?)>/)[1]; say('250 ok') }
				else if (/^RCPT TO:/i.test(line)) { mail.to.push(line.match(/<(.*?)>/)[1]); say('250 ok') }
				else if (/^DATA/i.test(line)) { data = true; say('354 go on') }
				else if (/^QUIT/i.test(line)) { say('221 bye'); c.end() }
				else say('250 ok')
			}
		}
	}
	const srv = net.createServer((c) => { c.write('220 sink\r\n'); talk(c, { secure: false, login: false }) })
	await new Promise((ok) => srv.listen(0, '127.0.0.1', ok))
	srv.unref()
	return { port: srv.address().port, mails, commands, stop: () => srv.close(),
		next: (to) => until(`mail to ${to}`, () => { const i = mails.findIndex((m) => m.to.includes(to)); return i < 0 ? null : mails.splice(i, 1)[0] }) }
}
