/* multipart/form-data as the SDKs send it.
 *
 *   form({ fileId: 'unique()', file: part('a.txt', 'bytes'), permissions: ['read("any")'] })   { body, headers }
 *
 * Fields are written in the order of the object; a list is name[] several times. */
export const part = (filename, bytes, type = 'application/octet-stream') => ({ filename, bytes: Buffer.from(bytes), type })

export function form(fields, boundary = 'badal-test-boundary') {
	const pieces = []
	const add = (head, bytes) => pieces.push(Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`), Buffer.from(bytes), Buffer.from('\r\n'))
	for (const [name, v] of Object.entries(fields)) {
		if (v?.filename !== undefined) add(`name="${name}"; filename="${v.filename}"\r\nContent-Type: ${v.type}`, v.bytes)
		else if (Array.isArray(v)) for (const one of v) add(`name="${name}[]"`, one)
		else if (v !== undefined) add(`name="${name}"`, String(v))
	}
	pieces.push(Buffer.from(`--${boundary}--\r\n`))
	return { body: Buffer.concat(pieces), headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } }
}

/* An upload by `call` (of a project, user, guest): the whole file, or bytes [start, end) of `total`, marked as clients of 2022 mark the last chunk (`old`) or as RFC 9110
 * has it. `id`: of the upload that it goes on with. */
export function upload(call, bucket, fileId, file, { permissions, start, total, id, old = false, headers = {}, ...options } = {}) {
	const f = form({ fileId, file, permissions })
	if (start !== undefined) {
		const end = start + file.bytes.length
		f.headers['content-range'] = `bytes ${start}-${old && end === total ? end : end - 1}/${total}`
	}
	if (id !== undefined) f.headers['x-appwrite-id'] = id
	return call('POST', `/storage/buckets/${bucket}/files`, { ...options, body: f.body, headers: { ...f.headers, ...headers } })
}

/* The same in chunks, one after the other; gives the last answer. */
export async function uploadChunks(call, bucket, fileId, name, bytes, size, { old = false, ...options } = {}) {
	let r, id
	for (let at = 0; at < bytes.length; at += size) {
		r = await upload(call, bucket, fileId, part(name, bytes.subarray(at, at + size)), { ...options, start: at, total: bytes.length, id, old })
		if (r.status !== 201) return r
		id = r.body.$id
	}
	return r
}
