/* Schedules: the next time as another implementation (croner) has it, for the forms of the contract and for schedules made at random. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import test from 'node:test'
import { Cron } from 'croner'
import { binary } from '../lib/server.mjs'

const program = path.join(path.dirname(binary), 't/90-compat/cron_lines')
const ours = (rows) => execFileSync(program, { input: rows.map(([ms, text]) => `${ms} ${text}\n`).join('') }).toString().trimEnd().split('\n')
/* Later than the minute of `ms`; "?" restricts nothing, and has another meaning there. */
const theirs = ([ms, text]) => String(new Cron(text.replaceAll('?', '*'), { timezone: 'UTC' }).nextRun(new Date(ms - ms % 60000 + 59000)).getTime())

function compare(rows) {
	const got = ours(rows)
	rows.forEach((row, i) => assert.equal(got[i], theirs(row), `${row[1]} after ${new Date(row[0]).toISOString()}`))
}

test('the forms of the contract, after days of several kinds', () => {
	const forms = ['0 0 L * 5L', '0 0 15W * *', '0 0 1W * *', '0 0 31W * *', '30 4 * * 2#2', '0 0 * * 5L', '0 0 ? * ?', '0 0 * * 7', '0 0 * * sun', '0 0 1 JAN-MAR MON',
		'@HOURLY', '@daily', '@weekly', '@monthly', '@yearly', '0 0 29 2 *', '0 0 29 2 1', '*/15 9-17 * * 1-5', '0 0 13 * 5', '0,30 22-23 L * 0#5']
	const days = ['2022-02-28T23:59:30Z', '2024-02-28T00:00:00Z', '2026-01-31T23:59:59.999Z', '2096-02-29T12:00:00Z', '2026-05-01T00:00:00Z'].map(Date.parse)
	compare(days.flatMap((ms) => forms.map((text) => [ms, text])))
	assert.deepEqual(ours([[0, '5/15 * * * *'], [0, '0 0 * * fri-sun'], [0, ' \t0   0\t1 1 * ']]), ours([[0, '5-59/15 * * * *'], [0, '0 0 * * 5-7'], [0, '@yearly']]))
})

test('schedules at random', () => {
	let state = 20221004
	const below = (n) => (state = (state * 48271) % 2147483647) % n, pick = (...v) => v[below(v.length)], within = (a, b) => a + below(b - a + 1)
	const range = (a, b) => { const from = within(a, b); return `${from}-${within(from, b)}` }
	const forms = [(a, b) => `${within(a, b)}`, range, (a, b) => `${range(a, b)}/${within(1, 5)}`, () => `*/${within(1, 7)}`]
	const field = (a, b, ...more) => Array.from({ length: within(1, 3) }, () => pick(...forms, ...more)(a, b)).join(',')
	const row = () => [within(0, 2000000000) * 2000, [
		pick('*', field(0, 59)), pick('*', field(0, 23)), pick('*', '?', field(1, 31, () => 'L', () => `${within(1, 31)}W`)),
		pick('*', field(1, 12, () => pick('JAN', 'feb', 'Dec'))), pick('*', '?', field(0, 7, () => pick('SUN', 'mon', 'Sat'), () => `${within(0, 7)}L`, () => `${within(0, 7)}#${within(1, 5)}`)),
	].join(' ')]
	compare(Array.from({ length: 3000 }, row))
})

test('what is no schedule, or never comes', () => {
	const bad = ['', ' ', '*', '* * * *', '* * * * * *', '60 * * * *', '* 24 * * *', '* * 0 * *', '* * 32 * *', '* * * 0 *', '* * * 13 *', '* * * * 8', '5-1 * * * *', '*/0 * * * *', '*/60 * * * *', '1,,2 * * * *',
		', * * * *', '-1 * * * *', '1- * * * *', 'a * * * *', '* * * jam *', '* * * * su', '* * W * *', '* * 32W * *', '* * 0W * *', '* * * * #1', '* * * * 1#0', '* * * * 1#6', '* * * * 9L', '? * * * *', '* ? * * *', '* * * ? *',
		'L * * * *', '* * * * 1W', '@', '@reboot', '@every 5m', '0 0 30 2 *', '0 0 31 4,6 *', '99999999999999999999 * * * *', '1/1/1 * * * *', '* * 15WW * *', '* * * * 1#1#1', '* * 1-15W * *', '* * * * mon-friL']
	assert.deepEqual(ours(bad.map((text) => [0, text])), bad.map(() => '-'))
})
