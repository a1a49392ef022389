#!/bin/sh
# Stand-in for UFM: checks and merges UFM's own partitions and the operator's
# extension, and has OpenSM read the result.
set -e
conf=/opt/ufm/files/conf
own=$conf/opensm/partitions.conf.ufm
extension=$conf/partitions.conf.user_ext
target=$conf/opensm/partitions.conf

# The length is the documented limit; of the grammar only the shape of a rule.
awk -v file="$extension" '
	length($0) > 4096 { print file ":" NR ": line is longer than 4096 characters"; bad = 1 }
	!/^[[:space:]]*(#|$)/ && !/^[^#]*:.*;[[:space:]]*(#.*)?$/ { print file ":" NR ": no partition: " $0; bad = 1 }
	END { exit bad }
' "$extension" >&2
cat "$own" "$extension" >"$target.new"
chown ufmapp:ufmapp "$target.new"
mv "$target.new" "$target"
/opt/ufm/scripts/ufmd_ib reload || true
