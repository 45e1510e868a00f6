/* badal doctor tries sandboxes part by part, and says of each that does not hold why, and the way out. The machines that cannot are made of namespaces. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test, { after } from 'node:test'

const badal = path.resolve(process.env.BADAL ?? 'build/check/badal'), root = process.getuid() === 0, skip = !root && 'such machines are made by root'
const place = fs.mkdtempSync(path.join(os.tmpdir(), 'doctor-'))
fs.chmodSync(place, 0o1777)
after(() => fs.rmSync(place, { recursive: true }))

/* Runs doctor in namespaces of its own, as `user`, after the commands of `before`: the lines about sandboxes. */
const doctor = (before, { user = 0, own = [], env = {} } = {}) => new Promise((ok) => execFile('unshare', ['-m', '-n', ...own, 'sh', '-c', `ip link set lo up; ${before}; exec ${user ? `setpriv --reuid=${user} --regid=${user} --clear-groups` : 'env'} "$0" doctor --data-dir=/nonexistent/badal`, badal],
	{ encoding: 'utf8', env: { ...process.env, TMPDIR: place, BADAL_ROLES: 'web,executor', ...env }, timeout: 120000 }, (e, out, err) => ok({ code: e?.code ?? 0, lines: `${out}${err}`.split(/\n(?! )/).filter((l) => /sandbox|images|badal-doctor/.test(l)) })))
const stacked = fs.statfsSync(place).type === 0x794c7630	/* overlayfs, as in containers: it has no mounts with mapped ids, and lies on another once at most */
const held = (lines) => lines.every((l) => l.startsWith('ok '))
const none = (lines, words, advice) => {
	assert.match(lines[0], words)
	assert.match(lines[0], /^WRONG /)
	assert.match(lines[0], advice)
	assert.match(lines[0], /functions are off/)
	assert.equal(lines.length, 1)
}

test('a machine that can is told so, and nothing is left of the trial', { skip }, async () => {
	const { lines } = await doctor('true')
	assert.ok(held(lines.filter((l) => !stacked || !/one user outside/.test(l))), lines.join('\n'))
	for (const words of [/namespaces, mounts, no capabilities, filter of system calls/, /memory is bounded/, /processes are bounded/, /processors can be bounded/, /another user outside/, stacked ? /one user outside/ : /roots of images can be written to, each in a layer of its own/, /network by veth; the API is at http:\/\/127\.0\.0\.54\/v1/]) assert.ok(lines.some((l) => words.test(l)), `${words} ${lines.join('\n')}`)
	assert.deepEqual(fs.readdirSync(place), [])
})

test('a machine that drops what is forwarded is told, unless it lets sandboxes through', { skip }, async () => {
	const drop = "nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'"
	const told = async (before) => (await doctor(before)).lines.filter((l) => /drops what is forwarded/.test(l))
	const [line] = await told(drop)
	assert.match(line ?? '', /^warn .*\n +-> iptables -I FORWARD -i 'bdl\+'/)
	assert.deepEqual(await told(`${drop}; nft 'add rule ip filter FORWARD iifname "bdl*" counter accept'`), [])
})

test('without bubblewrap', { skip }, async () => none((await doctor('mount --bind /dev/null /usr/bin/bwrap')).lines, /bubblewrap is not installed/, /-> apt-get install bubblewrap/))

test('without user namespaces', { skip }, async () => {
	none((await doctor('echo 0 >/proc/sys/user/max_user_namespaces', { own: ['-U', '-r'] })).lines, /user namespaces are switched off \(user\.max_user_namespaces is 0\)/, /-> sysctl user\.max_user_namespaces=/)
})

test('where /proc is masked, as in a container', { skip }, async () => {
	none((await doctor('mount -t tmpfs none /proc/scsi 2>/dev/null || mount -t tmpfs none /proc/fs; mount --bind /dev/null /proc/kcore', { user: 65534 })).lines, /parts of \/proc are hidden|hides parts of \/proc/, /systempaths=unconfined|unmask/)
})

test('where control groups cannot be written, limits are what functions would lack', { skip }, async () => {
	/* and files that cannot be shown as another user's: overlayfs has no such mounts */
	const over = `mount -t tmpfs none /mnt && mkdir -m 1777 /mnt/up /mnt/work && mount -t overlay -o lowerdir=${place},upperdir=/mnt/up,workdir=/mnt/work none ${place}`
	const { code, lines } = await doctor(`umount -R /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup; ${over}`)
	assert.equal(code, 1)
	for (const [words, mark] of [[/memory is not bounded: one function can take all memory.*functions are off\n +-> .*(Delegate=yes|control groups)/, 'WRONG'], [/processes are not bounded/, 'WRONG'], [/processors cannot be bounded.*accepted by executor_accept/, 'warn'],
		[stacked ? /no root can be written to/ : /one user outside: files cannot be shown as another user's here\n +-> Linux 5\.19/, 'warn']]) {
		const line = lines.find((l) => words.test(l))
		assert.ok(line?.startsWith(mark), lines.join('\n'))
	}
	const accepted = await doctor('umount -R /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup', { env: { BADAL_EXECUTOR_ACCEPT: 'memory,processes,processors' } })
	assert.ok(!accepted.lines.some((l) => l.startsWith('WRONG')), accepted.lines.join('\n'))
})

test('as a user without rights: what it cannot is told, with the way to it', { skip }, async () => {
	const { lines } = await doctor('true', { user: 65534, env: { BADAL_EXECUTOR_ACCEPT: 'memory,processes,processors,identity,network' } })
	assert.ok(lines.some((l) => /^ok .*namespaces, mounts/.test(l)), lines.join('\n'))
	assert.ok(lines.some((l) => /^warn .*we are not root: sandboxes are the same user outside.*\n +-> run the executor as root/.test(l)), lines.join('\n'))
	assert.ok(lines.some((l) => /^ok .*roots of images can be written to/.test(l)), lines.join('\n'))
	assert.ok(lines.some((l) => /^(warn|ok) .*network/.test(l)), lines.join('\n'))
	assert.ok(lines.some((l) => /^warn .*processes are not bounded/.test(l)), lines.join('\n'))	/* the groups of root are of no use */
})

test('where this machine is not to run functions, it is only told', { skip }, async () => {
	const { lines } = await doctor('mount --bind /dev/null /usr/bin/bwrap', { env: { BADAL_ROLES: 'web' } })
	assert.match(lines[0], /^warn .*bubblewrap is not installed/)
})
