/* A function that answers what it was told, for handlers of both generations. */
import { archive } from '../lib/tar.mjs'

export const source = `module.exports = async (first, res) => {
	const text = res ? first.payload : first.req.bodyText
	if (res) console.log('you said ' + text)	/* all that the first clients are told */
	return (res ?? first.res)[res ? 'send' : 'text']('you said ' + text)
}`
export const echo = archive({ 'index.js': source })
