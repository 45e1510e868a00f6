/* What typed SDKs make of a reply. They read it into classes: a member that is not there, is null or of another type is an exception in the app, whatever the
 * server's own description says. typed.json has the classes as the contract of today lists them: of each model its members with type ("[…]" a list, "a|b" any
 * of these, "a?" or null), the version since which they exist, and 1 where it may be null or missing.
 *
 *   typedSchema(model, language, n)   the JSON schema that the class of this model is in SDKs of that language which ask for version n (versionOf); undefined: none
 *   languages                         how each of them reads */
import { readFileSync } from 'node:fs'

const models = JSON.parse(readFileSync(new URL('typed.json', import.meta.url)))
const plain = new Set(['string', 'integer', 'number', 'boolean', 'object'])

/* `reads`: the plain types that are looked at; `as`: what is taken for one; `whole`: what must be there. */
export const languages = {
	python: { as: {}, whole: true },				/* pydantic: each field of its type */
	php: { as: {}, whole: true },					/* typed constructors: null is a TypeError */
	android: { as: { integer: 'number' }, whole: true },		/* `as Number`, then toLong() */
	ruby: { as: { integer: null, number: null, string: null, boolean: null, object: null }, whole: false },	/* only what is gone through: lists and models in them */
}

function typed(type, language, reference) {
	if (type.startsWith('[')) {
		const items = typed(type.slice(1, -1), language, reference)
		return { type: 'array', ...items && { items } }
	}
	if (type === 'any') return undefined
	if (type.endsWith('?')) { const s = typed(type.slice(0, -1), language, reference); return s && { ...s, nullable: true } }
	if (type.includes('|')) return { anyOf: type.split('|').map((t) => typed(t, language, reference)).filter(Boolean) }
	if (!plain.has(type)) return models[type] && { $ref: reference(type) }
	const as = languages[language].as[type]
	return as === null ? undefined : type === 'object' ? { anyOf: [{ type: 'object' }, { type: 'array', maxItems: 0 }] } : { type: as ?? type }
}

export function typedSchema(model, language, n, versionOf, reference = (name) => `#/${name}`) {
	const members = models[model]
	if (!members) return
	const s = { type: 'object', properties: {}, required: [] }
	for (const [name, type, since, absent] of members) {
		if (n < versionOf(since)) continue
		const schema = typed(type, language, reference)
		if (!schema) { if (languages[language].whole && !absent) s.required.push(name); continue }
		s.properties[name] = absent ? { ...schema, nullable: true } : schema
		if (!absent) s.required.push(name)
	}
	return s
}
