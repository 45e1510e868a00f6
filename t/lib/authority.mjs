/* An authority that signs certificates of servers, for tests: files in `dir` that anybody may read. */
import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/* { ca, cert, key }: `names` as OpenSSL has them, such as IP:127.0.0.1,DNS:localhost. */
export function authority(dir, name, names) {
	const at = (file) => path.join(dir, `${name}-${file}`), ca = at('ca.pem'), cert = at('cert.pem'), key = at('key.pem')
	const openssl = (...args) => execFileSync('openssl', args, { stdio: 'ignore' })
	openssl('req', '-x509', ...curve, '-days', '2', '-subj', `/CN=${name}`, '-keyout', at('ca-key.pem'), '-out', ca)
	openssl('req', ...curve, '-subj', '/CN=server', '-keyout', key, '-out', at('request.pem'))
	writeFileSync(at('names'), `subjectAltName=${names}\n`)
	openssl('x509', '-req', '-in', at('request.pem'), '-CA', ca, '-CAkey', at('ca-key.pem'), '-CAcreateserial', '-days', '2', '-extfile', at('names'), '-out', cert)
	for (const file of [ca, cert, key]) chmodSync(file, 0o644)
	return { ca, cert, key }
}
