/* The locale service: places by address, and names in all languages of the protocol. */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { mmdb } from '../lib/mmdb.mjs'
import { dataDir, server } from '../lib/server.mjs'

const locales = `af ar as az be bg bh bn bs ca cs da de en eo es fa fi fo fr el ga gu he hi hr hu hy id is it ja jv kn km ko la lb lt lv ml mr ms nb nl nn ne or tl pl pt-br pt-pt
	pa ro ru sa sd si sk sl sn sq sv ta te th tr uk ur vi zh-cn zh-tw`.split(/\s+/)
const lists = { countries: 'countries', 'countries/eu': 'countries', 'countries/phones': 'phones', continents: 'continents', currencies: 'currencies', languages: 'languages', codes: 'localeCodes' }
const dir = dataDir(), file = path.join(dir, 'country.mmdb')
let s, p
before(async () => {
	writeFileSync(file, mmdb([
		['8.8.8.0/24', { iso_code: 'US' }, 'NA'], ['2001:4860::/32', { iso_code: 'US' }, 'NA'], ['81.2.69.0/24', { iso_code: 'GB' }, 'EU'], ['81.2.70.0/24', { iso_code: 'HK' }, 'AS'],
		['81.2.71.0/24', { iso_code: 'TW' }, 'AS'], ['81.2.72.0/24', { iso_code: 'PR' }, 'NA'], ['81.2.73.0/24', { iso_code: 'XK' }, 'EU'], ['81.2.74.0/24', { iso_code: 'DE' }, 'EU'],
		['81.2.75.0/24', { iso_code: 'AQ' }, 'AN'], ['81.2.76.0/24', { iso_code: 'BR' }, 'SA'], ['81.2.77.0/24', { iso_code: 'FJ' }, 'OC'], ['81.2.78.0/24', { iso_code: 'IN' }, 'AS'],
		['81.2.79.0/24', { iso_code: 'XZ' }, 'XX'], ['81.2.80.0/24', { iso_code: 'CH' }], ['81.2.81.0/24', { iso_code: 'EG' }, 'AF'],
	]))
	s = await server({ own: true, conf: { country_db: file, web_processes: 1 } })
	p = await s.project()
})
after(async () => {
	await s.stop()
	rmSync(dir, { recursive: true })
})

const at = async (ip, locale, more = {}) => {
	const r = await p.guest('GET', '/locale', { headers: { ...(ip !== undefined && { 'x-forwarded-for': ip }), ...(locale && { 'x-appwrite-locale': locale }) }, ...more })
	assert.equal(r.status, 200, r.text)
	return r
}
const list = async (what, locale) => {
	const r = await p.guest('GET', `/locale/${what}`, { headers: locale ? { 'x-appwrite-locale': locale } : {} })
	assert.equal(r.status, 200, r.text)
	const all = r.body[lists[what]]
	assert.deepEqual(Object.keys(r.body), ['total', lists[what]])
	assert.equal(r.body.total, all.length)
	return all
}
const nowhere = { countryCode: '--', country: 'Unknown', continentCode: '--', continent: 'Unknown', eu: false, currency: null }
const place = (code, country, continentCode, continent, eu, currency) => ({ countryCode: code, country, continentCode, continent, eu, currency })

describe('where the caller is', () => {
	test('by the address, with names and currency', async () => {
		for (const [ip, ...is] of [
			['8.8.8.8', 'US', 'United States', 'NA', 'North America', false, 'USD'], ['81.2.69.142', 'GB', 'United Kingdom', 'EU', 'Europe', false, 'GBP'],
			['81.2.70.1', 'HK', 'Hong Kong SAR China', 'AS', 'Asia', false, 'HKD'], ['81.2.71.1', 'TW', 'Taiwan', 'AS', 'Asia', false, 'TWD'],
			['81.2.72.1', 'PR', 'Puerto Rico', 'NA', 'North America', false, 'USD'], ['81.2.73.1', 'XK', 'Kosovo', 'EU', 'Europe', false, 'EUR'],
			['81.2.74.1', 'DE', 'Germany', 'EU', 'Europe', true, 'EUR'], ['81.2.76.1', 'BR', 'Brazil', 'SA', 'South America', false, 'BRL'],
			['81.2.77.1', 'FJ', 'Fiji', 'OC', 'Oceania', false, 'FJD'], ['81.2.78.1', 'IN', 'India', 'AS', 'Asia', false, 'INR'],
			['81.2.80.1', 'CH', 'Switzerland', '--', 'Unknown', false, 'CHF'], ['81.2.81.1', 'EG', 'Egypt', 'AF', 'Africa', false, 'EGP'],
			['81.2.75.1', 'AQ', 'Antarctica', 'AN', 'Antarctica', false, null], ['81.2.79.1', 'XZ', 'Unknown', '--', 'Unknown', false, null],
		]) assert.deepEqual((await at(ip)).body, { ip, ...place(...is) }, ip)
	})
	test('an address with a port, in brackets, in a list', async () => {
		for (const [sent, ip] of [['8.8.8.8:51234', '8.8.8.8'], ['[2001:4860:4860::8888]:443', '2001:4860:4860::8888'], ['[2001:4860:4860::8888]', '2001:4860:4860::8888'], ['2001:4860:4860::8888', '2001:4860:4860::8888'],
			['8.8.8.8, 10.0.0.1', '8.8.8.8'], ['8.8.8.8:80,10.0.0.1', '8.8.8.8'], [' 8.8.8.8 ', '8.8.8.8']])
			assert.deepEqual((await at(sent)).body, { ip, ...place('US', 'United States', 'NA', 'North America', false, 'USD') }, sent)
	})
	test('junk, private and reserved addresses are nowhere', async () => {
		for (const ip of ['10.0.0.1', '127.0.0.1', '192.168.7.7', '::1', 'fd00::1', '203.0.113.5']) assert.deepEqual((await at(ip)).body, { ip, ...nowhere }, ip)
		for (const junk of ['garbage', '', ',', ', ,', '999.999.999.999', '[::1', '8.8.8.8.8', "8.8.8.8'--", '::ffff:999.1.1.1', 'x'.repeat(2000), '-1', '1e3', '%00'])
			assert.deepEqual({ ...(await at(junk)).body, ip: '' }, { ip: '', ...nowhere }, junk)
		assert.deepEqual({ ...(await at()).body, ip: '' }, { ip: '', ...nowhere })
	})
	test('in the language of the caller; regions fall back to their language', async () => {
		for (const [sent, ip, country, continent] of [
			['de', '81.2.69.1', 'Vereinigtes Königreich', 'Europa'], ['de-AT', '81.2.69.1', 'Vereinigtes Königreich', 'Europa'], ['de_CH', '81.2.69.1', 'Vereinigtes Königreich', 'Europa'], ['DE', '81.2.69.1', 'Vereinigtes Königreich', 'Europa'],
			['en-US', '81.2.69.1', 'United Kingdom', 'Europe'], ['pt-BR', '8.8.8.8', 'Estados Unidos', 'América do Norte'], ['pt', '8.8.8.8', 'Estados Unidos', 'América do Norte'], ['pt-AO', '8.8.8.8', 'Estados Unidos', 'América do Norte'],
			['zh', '8.8.8.8', '美国', '北美洲'], ['zh-Hant-HK', '8.8.8.8', '美國', '北美洲'], ['zh-HK', '8.8.8.8', '美國', '北美洲'], ['zh-Hans-SG', '8.8.8.8', '美国', '北美洲'], ['az', '81.2.74.1', 'Almaniya', 'Avropa'],
			['es-419', '10.0.0.1', 'Desconocido', 'Desconocido'], ['de', '10.0.0.1', 'Unbekannt', 'Unbekannt'], ['fr', '10.0.0.1', 'Inconnu', 'Inconnu'], ['pt-br', '10.0.0.1', 'Desconhecido', 'Desconhecido'],
			['xx', '81.2.69.1', 'United Kingdom', 'Europe'], ['e', '81.2.69.1', 'United Kingdom', 'Europe'], ['-', '81.2.69.1', 'United Kingdom', 'Europe'], ['de'.repeat(500), '81.2.69.1', 'United Kingdom', 'Europe'],
		]) assert.deepEqual([(await at(ip, sent)).body.country, (await at(ip, sent)).body.continent], [country, continent], sent)
		assert.equal((await p.guest('GET', '/locale', { query: { locale: 'fr' }, headers: { 'x-forwarded-for': '81.2.74.1', 'x-appwrite-locale': 'de' } })).body.country, 'Allemagne')
	})
	test('no cache that others share keeps it', async () => {
		const { headers } = await at('8.8.8.8')
		assert.equal(headers['cache-control'], 'private, max-age=3888000')
		assert.match(headers.vary, /X-Appwrite-Locale, X-Appwrite-Response-Format/)
		const life = Date.parse(headers.expires) - Date.now()
		assert.ok(life > 3887000e3 && life <= 3889000e3, headers.expires)
		for (const what of Object.keys(lists)) assert.equal((await p.guest('GET', `/locale/${what}`)).headers['cache-control'], undefined)
	})
})

describe('lists', () => {
	const bytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))
	test('as long as the contract has them, in its order', async () => {
		for (const [what, n] of Object.entries({ countries: 194, 'countries/eu': 27, 'countries/phones': 194, continents: 7, currencies: 117, languages: 184, codes: 131 }))
			assert.equal((await list(what)).length, n, what)
		for (const what of ['countries', 'countries/eu', 'continents'])
			for (const locale of [undefined, 'de', 'fr', 'ru', 'zh-tw']) {
				const names = (await list(what, locale)).map((c) => c.name)
				assert.deepEqual(names, [...names].sort(bytes), `${what} ${locale}`)
			}
		assert.deepEqual((await list('countries', 'de')).slice(-2).map((c) => c.name), ['Österreich', 'Äthiopien'].sort(bytes))
		const phones = await list('countries/phones')
		assert.deepEqual([phones.slice(0, 3), phones.at(-1)], [[{ code: '+1', countryCode: 'CA', countryName: 'Canada' }, { code: '+1', countryCode: 'US', countryName: 'United States' },
			{ code: '+7', countryCode: 'RU', countryName: 'Russia' }], { code: '+1876', countryCode: 'JM', countryName: 'Jamaica' }])
		const numbers = phones.map((c) => Number(c.code))
		assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b))
		const codes = (await list('languages')).map((l) => l.code)
		assert.deepEqual(codes, [...codes].sort())
	})
	test('English names are those of the contract', async () => {
		const names = Object.fromEntries((await list('countries')).map((c) => [c.code, c.name]))
		for (const [code, name] of Object.entries({ CD: 'DR Congo', CG: 'Republic of the Congo', CI: 'Ivory Coast', CV: 'Cape Verde', CZ: 'Czechia', FM: 'Micronesia', KP: 'North Korea', KR: 'South Korea', MK: 'Macedonia',
			MM: 'Myanmar', ST: 'São Tomé and Príncipe', SZ: 'Swaziland', TL: 'Timor-Leste', TR: 'Turkey', VA: 'Vatican City' })) assert.equal(names[code], name)
		assert.deepEqual(await list('continents'), [['Africa', 'AF'], ['Antarctica', 'AN'], ['Asia', 'AS'], ['Europe', 'EU'], ['North America', 'NA'], ['Oceania', 'OC'], ['South America', 'SA']].map(([name, code]) => ({ name, code })))
	})
	test('currencies: digits, rounding, symbols; their names in the caller\'s language', async () => {
		const all = await list('currencies'), of = Object.fromEntries(all.map((c) => [c.code, c]))
		assert.deepEqual(all[0], { symbol: '$', name: 'US Dollar', symbolNative: '$', decimalDigits: 2, rounding: 0, code: 'USD', namePlural: 'US dollars' })
		assert.deepEqual(all.slice(0, 4).map((c) => c.code), ['USD', 'EUR', 'GBP', 'CAD'])
		assert.deepEqual(all.slice(4).map((c) => c.code), all.slice(4).map((c) => c.code).sort())
		assert.deepEqual(all.filter((c) => c.decimalDigits === 3).map((c) => c.code), 'BHD JOD KWD LYD OMR TND'.split(' '))
		assert.deepEqual(all.filter((c) => c.decimalDigits === 0).map((c) => c.code), 'AFN ALL AMD BIF BYR CLP COP CRC DJF GNF HUF IDR IQD IRR ISK JPY KMF KRW MGA MMK MUR PKR PYG RSD RWF SOS SYP TZS UGX UZS VND XAF XOF YER ZMK'.split(' '))
		assert.deepEqual(all.filter((c) => c.rounding !== 0).map((c) => [c.code, c.rounding]), [['CHF', 0.05]])
		assert.deepEqual([of.INR.symbol, of.INR.symbolNative, of.CAD.symbol, of.SEK.symbolNative], ['Rs', '₹', 'CA$', 'kr'])
		const german = Object.fromEntries((await list('currencies', 'de')).map((c) => [c.code, c]))
		assert.deepEqual([german.USD.name, german.CHF.name, german.USD.symbol, german.USD.decimalDigits], ['US-Dollar', 'Schweizer Franken', '$', 2])
	})
	test('languages, with their own names', async () => {
		const all = await list('languages'), of = (c, l = all) => l.find((x) => x.code === c)
		assert.deepEqual([all[0], all.at(-1)], [{ name: 'Afar', code: 'aa', nativeName: 'Afar' }, { name: 'Zulu', code: 'zu', nativeName: 'isiZulu' }])
		assert.deepEqual(of('uk'), { name: 'Ukrainian', code: 'uk', nativeName: 'Українська' })
		assert.deepEqual(of('de', await list('languages', 'fr')), { name: 'allemand', code: 'de', nativeName: 'Deutsch' })
	})
	test('in every locale of the protocol each has a name', async () => {
		const of = async (what) => new Map((await list(what)).map((c) => [c.code, c.name]))
		const english = { countries: await of('countries'), continents: await of('continents'), currencies: await of('currencies'), languages: await of('languages') }
		for (const locale of locales)
			for (const what of Object.keys(english)) {
				const all = await list(what, locale)
				assert.equal(all.length, english[what].size)
				for (const { code, name } of all) assert.ok(english[what].has(code) && name.length > 0 && (name !== code || english[what].get(code) === code) && !/[{}]/.test(name), `${locale} ${what} ${code} ${name}`)
			}
		assert.equal((await list('countries', 'tl')).length, 194)
	})
	test('codes of templates, with names', async () => {
		const all = await list('codes')
		assert.deepEqual(all[0], { code: 'af', name: 'Afrikaans' })
		assert.deepEqual(all.find((c) => c.code === 'de-at'), { code: 'de-at', name: 'German (Austria)' })
		for (const none of ['ar', 'zh']) assert.ok(!all.some((c) => c.code === none))
	})
})

describe('callers', () => {
	test('guests, users, keys with the scope, and members', async () => {
		const u = await p.user(), q = await s.project({ scopes: ['locale.read'] }), none = await s.project({ scopes: ['users.read'] })
		for (const what of ['', ...Object.keys(lists).map((l) => `/${l}`)]) {
			assert.equal((await u.call('GET', `/locale${what}`)).status, 200)
			assert.equal((await q.call('GET', `/locale${what}`)).status, 200)
			assert.equal((await p.admin('GET', `/locale${what}`)).status, 200)
			const r = await none.call('GET', `/locale${what}`)
			assert.deepEqual([r.status, r.body.type, r.headers['cache-control']], [401, 'general_unauthorized_scope', 'no-cache, no-store, must-revalidate'])
		}
	})
	test('not where the project has switched it off', async () => {
		const q = await s.project({ scopes: ['locale.read'] })
		await q.console.ok('PATCH', `/projects/${q.id}/service`, { body: { service: 'locale', status: false } })
		assert.deepEqual([(await q.guest('GET', '/locale')).status, (await q.guest('GET', '/locale/countries')).body.type], [503, 'general_service_disabled'])
		assert.equal((await q.call('GET', '/locale')).status, 200)
	})
	test('HEAD is GET without a body', async () => {
		const r = await p.guest('HEAD', '/locale/countries')
		assert.deepEqual([r.status, r.text], [200, ''])
	})
})
