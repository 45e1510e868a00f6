/* Entries of the event stream, event by event: many of one write may be in one entry, whose id is the place of the last (include/model/event.h, event_pack_add). */

/* Of such a text: { head, body } of each, head as text. */
export function unpacked(text) {
	const b = Buffer.from(text), out = []
	let at = 0, head = ''
	const number = () => {
		const end = b.indexOf(0x20, at), n = Number(b.toString('latin1', at, end))
		at = end + 1
		return n
	}
	const take = (n) => {
		at += n
		return b.toString('utf8', at - n, at)
	}
	while (at < b.length) {
		const kind = b.toString('latin1', at, at + 1)
		if (kind === 'h') {
			at++
			head = take(number())
		} else if (kind === 'e') {
			at++
			const n = number(), place = number(), size = number(), id = take(n)
			out.push({ head: head.replaceAll('\x7f', id) + (place > 0 ? `,"q":${place}}` : '}'), body: take(size) })
		} else {
			const one = take(number()), end = one.indexOf('\n')
			out.push({ head: one.slice(0, end), body: one.slice(end + 1) })
		}
	}
	return out
}

/* Of entries as redis-cli --json gives them: { at: [lsn, index], head, body } of each event, in order. */
export function eventsOf(entries) {
	return entries.flatMap(([id, fields]) => {
		const field = (name) => fields[fields.indexOf(name) + 1], [lsn, last] = id.split('-').map(BigInt)
		const events = fields[0] === 'h' ? [{ head: field('h'), body: field('b') }] : unpacked(field('m'))
		if (fields[0] !== 'h' && events.length !== Number(field('n'))) throw new Error(`entry ${id} has ${events.length} events, not ${field('n')}`)
		return events.map((e, i) => ({ at: [lsn, last - BigInt(events.length - 1 - i)], ...e }))
	})
}
