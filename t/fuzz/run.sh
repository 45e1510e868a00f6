#!/bin/sh
# Runs the fuzz programs: run.sh [seconds each] [name…], in the build directory or with BUILD naming it. Seeds come from corpus/<name>;
# what is found stays in a temporary directory unless FUZZ_OUT names another. Fails when one of them finds something.
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-.}
seconds=${1:-30}
[ $# -gt 0 ] && shift
out=${FUZZ_OUT:-$(mktemp -d)}
[ $# -gt 0 ] || set -- $(cd "$build/t/fuzz" && ls | sed -n 's/^fuzz_\([a-z0-9]*\)$/\1/p')
bad=0
for name in "$@"; do
	mkdir -p "$out/$name"
	if [ -d "$here/regress/$name" ] && [ -n "$(ls "$here/regress/$name")" ]; then
		"$build/t/fuzz/fuzz_$name" "$here/regress/$name"/* >"$out/$name.log" 2>&1 || { echo "fuzz $name: a known crash is back"; bad=1; }
	fi
	# many short inputs find more here than few long ones
	if "$build/t/fuzz/fuzz_$name" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$out/$name-" "$out/$name" "$here/corpus/$name" >>"$out/$name.log" 2>&1; then
		echo "fuzz $name: $(sed -n 's/.*number_of_executed_units: *//p' "$out/$name.log" | tail -1) runs, nothing found"
	else
		bad=1
		echo "fuzz $name: FOUND (see $out/$name.log)"
		grep -v '^#' "$out/$name.log" | tail -40
	fi
done
[ -n "$FUZZ_OUT" ] || [ $bad = 1 ] || rm -rf "$out"
exit $bad
