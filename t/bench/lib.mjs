/* Measuring: CPU and memory of processes from /proc, percentiles, wrk and pgbench runs. Linux only. */
import { execFile, execFileSync } from 'node:child_process'
import { chmodSync, closeSync, openSync, readFileSync, readdirSync, writeSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const TICK = 1e6 / Number(execFileSync('getconf', ['CLK_TCK']).toString())

/* User and system time of the processes so far, in microseconds. */
export function cpuOf(pids) {
	let ticks = 0
	for (const pid of pids) {
		try {
			const stat = readFileSync(`/proc/${pid}/stat`, 'utf8'), f = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
			ticks += Number(f[11]) + Number(f[12]) + Number(f[13]) + Number(f[14])	/* the last two: of children that ended */
		} catch { /* gone */ }
	}
	return ticks * TICK
}

/* A process and all that descend from it. */
export function family(pid) {
	const children = new Map()
	for (const p of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
		try {
			const stat = readFileSync(`/proc/${p}/stat`, 'utf8'), parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
			if (!children.has(parent)) children.set(parent, [])
			children.get(parent).push(Number(p))
		} catch { /* gone */ }
	}
	const all = [], walk = (p) => { all.push(p); for (const c of children.get(p) ?? []) walk(c) }
	walk(Number(pid))
	return all
}

/* Proportional set size of the processes in KiB: shared pages are divided among those that share them. */
export function pssOf(pids) {
	let kib = 0
	for (const pid of pids) {
		try { kib += Number(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').match(/^Pss:\s+(\d+)/m)[1]) } catch { /* gone */ }
	}
	return kib
}

export const percentile = (values, p) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))]
export const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms))

export function run(command, args, options = {}) {
	return new Promise((ok, no) => execFile(command, args, { maxBuffer: 1 << 26, ...options }, (e, stdout, stderr) => e ? no(new Error(`${command}: ${stderr || e.message}`)) : ok(stdout)))
}

/* What a server sees of its own loop (turns.c): what to start it with, and per process the nanoseconds and counts since they were last set to zero. `dir` is for that alone. */
const SEEN = ['longest', 'over', 'overTwo', 'turns', 'wall']
export function turnsEnv(dir) {
	const preload = path.join(dir, 'turns.so')
	chmodSync(dir, 0o777)	/* the server's user writes there */
	execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', preload, fileURLToPath(new URL('turns.c', import.meta.url)), '-ldl'])
	return { LD_PRELOAD: preload, TURNS: dir }
}
export function turnsReset(file) {
	const fd = openSync(file, 'r+')	/* not truncated: it is mapped */
	writeSync(fd, Buffer.alloc(8 * SEEN.length), 0, 8 * SEEN.length, 0)
	closeSync(fd)
}
export function turnsRead(file) {
	const b = readFileSync(file)
	return Object.fromEntries(SEEN.map((k, i) => [k, Number(b.readBigUInt64LE(8 * i))]))
}

/* "target" is the bound that the figure should keep; the line says whether it does. */
export function report(name, value, unit, target) {
	const verdict = target === undefined ? '' : value <= target ? `  ok (<= ${target})` : `  OVER ${target}`
	console.log(`${name.padEnd(58)} ${value.toFixed(2).padStart(10)} ${unit}${verdict}`)
}
export function reportAtLeast(name, value, unit, target) {
	console.log(`${name.padEnd(58)} ${value.toFixed(2).padStart(10)} ${unit}  ${value >= target ? `ok (>= ${target})` : `UNDER ${target}`}`)
}
