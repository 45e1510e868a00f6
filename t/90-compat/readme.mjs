/* The README's examples, to be run as they are written: only the addresses, and where packages come from, differ here. */
import { readFileSync } from 'node:fs'

export const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/* The block of this language. There is one, or a reader could not tell which is meant. */
export function block(language) {
	const all = [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))]
	if (all.length !== 1) throw new Error(`README.md has ${all.length} blocks of ${language}`)
	return all[0][1]
}

/* Moves an example to this server; `what` must occur in it. */
export function move(text, what, to) {
	if (!text.includes(what)) throw new Error(`README.md: an example does without ${what}`)
	return text.replaceAll(what, to)
}

export const page = (server) => move(block('html'), 'localhost:8080', `localhost:${server.port}`)
