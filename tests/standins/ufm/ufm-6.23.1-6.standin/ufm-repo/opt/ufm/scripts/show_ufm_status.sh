#!/bin/sh
# Stand-in for UFM: which of its processes run.
status=0
for name in opensm ModelMain; do
	if [ -s "/run/ufm/$name.pid" ] && kill -0 "$(cat "/run/ufm/$name.pid")" 2>/dev/null; then
		printf '%-16s Running\n' "$name"
	else
		printf '%-16s Stopped\n' "$name"
		status=1
	fi
done
exit $status
