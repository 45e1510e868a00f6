# Shared by contrib/up and contrib/check: packages, and building out of tree. Sourced by bash, with $top set.

say() { printf '%s\n' "$*" >&2; }

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
		say "this needs root: $*"; return 1
	fi
}

# The packages of these groups (build run test) that are missing.
missing_packages() {
	local group name instead
	while read -r group name instead; do
		case " $* " in *" $group "*) ;; *) continue ;; esac
		case "$instead" in
		-) ;;
		/*) [ -e "$instead" ] && continue ;;
		*) command -v "$instead" >/dev/null && continue ;;
		esac
		dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || echo "$name"
	done < <(grep -v '^#' "$top/contrib/packages")
}

# Installs them. Lists are fetched only when something is missing, and services that packages bring are not started: ours are embedded.
install_packages() {
	local missing
	missing=$(missing_packages "$@" | tr '\n' ' ')
	[ -z "${missing// /}" ] && return 0
	say "installing: $missing"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2 </dev/null || say "the package lists could not be fetched; trying with the old ones"
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -y --no-install-recommends install $missing >&2 </dev/null
}

# Root does not serve: the system user that it becomes.
make_user() {
	[ "$(id -u)" != 0 ] || id badal >/dev/null 2>&1 ||
		useradd --system --user-group --home-dir /var/lib/badal --no-create-home --shell /usr/sbin/nologin --comment "Badal server" badal
}

# configure_in DIR 'configure arguments' [CC]: once; again when the arguments or configure.ac changed.
configure_in() {
	local dir=$1 arguments=$2 cc=${3:-gcc} stamp
	command -v ccache >/dev/null && cc="ccache $cc"
	if [ ! -x "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ]; then
		(cd "$top" && autoreconf -fi) || return 1
	fi
	stamp="$arguments|$cc|$(cksum <"$top/configure.ac")"
	[ -f "$dir/Makefile" ] && [ "$(cat "$dir/.configured" 2>/dev/null)" = "$stamp" ] && return 0
	# shellcheck disable=SC2086
	mkdir -p "$dir" && (cd "$dir" && CC=$cc "$top/configure" $arguments) && printf '%s' "$stamp" >"$dir/.configured"
}

jobs_count() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }
export CCACHE_NOHASHDIR=1
