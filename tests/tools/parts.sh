#!/usr/bin/env bash
# Runs named parts side by side and tells how each went and how long it took.
#
#	parts.sh NAME COMMAND [NAME COMMAND]...
#
# The output of a part is shown whole once it has ended, so that parts do not
# mix; that of the last part named is shown as it comes. The exit status is 0
# when all parts succeeded. Ctrl-C ends all of them.
set -uo pipefail

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
trap 'trap - INT TERM; kill 0; wait; exit 130' INT TERM

names=() pids=() failed=()

# timed NAME COMMAND runs the command and notes its seconds.
timed() {
	local start=$SECONDS status=0
	bash -euo pipefail -c "$2" || status=$?
	echo $((SECONDS - start)) >"$logs/$1.seconds"
	return "$status"
}

# complaints FILE prints what tests said of their failures once more, without
# the logs of servers: a pipeline shows the end of its output first.
complaints() {
	awk '
		/^(---|[[:space:]]+---) FAIL|^FAIL|^FAILED|^ERROR|^E  |^panic:/ { print substr($0, 1, 400); left = 0; next }
		/_test\.go:[0-9]+: / { left = 12 }
		/\.go:[0-9]+: log of / { left = 0 }
		/^=== |^(---|[[:space:]]+---) (PASS|SKIP)/ { left = 0 }
		left > 0 { print substr($0, 1, 400); left-- }
	' "$1" | tail -n 150
}

while [ $# -gt 2 ]; do
	names+=("$1")
	timed "$1" "$2" >"$logs/$1.log" 2>&1 &
	pids+=($!)
	shift 2
done

last=$1
last_status=0
timed "$last" "$2" 2>&1 | tee "$logs/$last.log" || last_status=$?

for i in "${!names[@]}"; do
	wait "${pids[$i]}" || failed+=("${names[$i]}")
	printf '\n== %s\n' "${names[$i]}"
	cat "$logs/${names[$i]}.log"
done
[ "$last_status" -eq 0 ] || failed+=("$last")

printf '\n== time of each part, side by side\n'
for name in "${names[@]}" "$last"; do
	printf '%5ss  %s\n' "$(cat "$logs/$name.seconds")" "$name"
done
if [ "${#failed[@]}" -gt 0 ]; then
	for name in "${failed[@]}"; do
		printf '\n== what failed in %s\n' "$name"
		complaints "$logs/$name.log"
	done
	printf '\nFAILED: %s\n' "${failed[*]}"
	exit 1
fi
printf '\nall parts passed in %ss\n' "$SECONDS"
