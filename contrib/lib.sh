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
		dpkg-query -W -f '${Status}\n' "$name" "${name}t64" 2>/dev/null | grep -q 'ok installed' || echo "$name"	# …t64: as Debian 13 has it
	done < <(grep -v '^#' "$top/contrib/packages")
}

# Debian's package of PostgreSQL makes a cluster of its own and starts it at the next boot, which nobody here asked for: not where PostgreSQL is new.
no_cluster_of_debian() {
	[ -e /etc/postgresql-common ] || case " $* " in *" postgresql "*)
		printf '%s\n' "# written by contrib/up: badal embeds a server of its own" "create_main_cluster = false" |
			as_root sh -c 'mkdir -p /etc/postgresql-common && cat >/etc/postgresql-common/createcluster.conf' ;;
	esac
}

# Installs them. Lists are fetched only when something is missing, once and without translations, and services that packages bring are not started: ours are embedded.
lists_fetched=
install_packages() {
	local missing
	missing=$(missing_packages "$@" | tr '\n' ' ')
	[ -z "${missing// /}" ] && return 0
	say "installing: $missing"
	if [ -z "$lists_fetched" ]; then
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Languages=none -o APT::Get::List-Cleanup=false update >&2 </dev/null ||
			say "the package lists could not be fetched; trying with the old ones"
		lists_fetched=1
	fi
	no_cluster_of_debian "$missing"
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install $missing >&2 </dev/null
}

# Of libraries that are found at run time a build needs the headers alone, and their packages drag a desktop's along: they are unpacked in build/headers, not
# installed. No root is needed.
fetch_headers() {
	local name dir=$top/build/headers
	for name in $(missing_packages headers); do
		[ -e "$dir/$name" ] && continue
		rm -rf "$dir/deb" && mkdir -p "$dir/deb" && (cd "$dir/deb" && apt-get -q download "$name" >&2) && dpkg-deb -x "$dir/deb/$name"_*.deb "$dir" &&
			touch "$dir/$name" || { install_packages headers; return; }
	done
}

# Root does not serve: the system user that it becomes.
make_user() {
	[ "$(id -u)" != 0 ] || id badal >/dev/null 2>&1 ||
		useradd --system --user-group --home-dir /var/lib/badal --no-create-home --shell /usr/sbin/nologin --comment "Badal server" badal
}

# configure_in DIR 'configure arguments' [CC]: once; again when the arguments or configure.ac changed.
configure_in() {
	local dir=$1 arguments=$2 cc=${3:-gcc} stamp headers=$top/build/headers/usr/include
	if [ -d "$headers" ] && [ -n "$(missing_packages headers)" ]; then
		export GM_CFLAGS="-I$headers/GraphicsMagick -I/usr/include/GraphicsMagick -I$headers -I$headers/$(gcc -print-multiarch)" GM_LIBS=-lm
	fi
	command -v ccache >/dev/null && cc="ccache $cc"
	if [ ! -x "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ]; then
		(cd "$top" && autoreconf -fi) || return 1
	fi
	stamp="$arguments|$cc|$(cksum <"$top/configure.ac")"
	[ -f "$dir/Makefile" ] && [ "$(cat "$dir/.configured" 2>/dev/null)" = "$stamp" ] && return 0
	# shellcheck disable=SC2086
	mkdir -p "$dir" && (cd "$dir" && CC=$cc ${idly:-} "$top/configure" $arguments) && printf '%s' "$stamp" >"$dir/.configured"
}

jobs_count() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }
export CCACHE_NOHASHDIR=1
