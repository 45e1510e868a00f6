/* What the tests of the services share. */
import assert from 'node:assert/strict'

/* The reply must be this error, with a body of the contract. */
export function fails(reply, status, type) {
	assert.equal(reply.status, status, reply.text)
	assert.equal(reply.body.type, type, reply.text)
	assert.equal(reply.body.code, status)
	assert.deepEqual(Object.keys(reply.body), ['message', 'code', 'type', 'version'])
	assert.ok(reply.body.message.length > 0)
	assert.ok(!reply.text.includes('\ufffd'), 'the reply is UTF-8')
}

export const keysOf = (body, list) => assert.deepEqual(Object.keys(body), list.split(' '))
export const isTime = (text) => assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/)

export const account = '$id $createdAt $updatedAt name registration status passwordUpdate email phone emailVerification phoneVerification prefs'
export const user = '$id $createdAt $updatedAt name password hash hashOptions registration status passwordUpdate email phone emailVerification phoneVerification prefs'
export const session = '$id $createdAt userId expire provider providerUid providerAccessToken providerAccessTokenExpiry providerRefreshToken ip osCode osName osVersion clientType clientCode clientName clientVersion clientEngine clientEngineVersion deviceName deviceBrand deviceModel countryCode countryName current'
export const team = '$id $createdAt $updatedAt name total'
export const membership = '$id $createdAt $updatedAt userId userName userEmail teamId teamName invited joined confirm roles'
export const bucket = '$id $createdAt $updatedAt $permissions fileSecurity name enabled maximumFileSize allowedFileExtensions compression encryption antivirus'
export const file = '$id bucketId $createdAt $updatedAt $permissions name signature mimeType sizeOriginal chunksTotal chunksUploaded'
