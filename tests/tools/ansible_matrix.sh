#!/usr/bin/env bash
# Runs those of tests/roles that call Ansible under several releases of
# ansible-core, and ends with a table of what ran on what.
#
#	ansible_matrix.sh all         every release in ansible/releases
#	ansible_matrix.sh ends        the oldest and the newest, without the deployments:
#	                              what make test has the time for
#	ansible_matrix.sh RELEASE...
#
# PYTEST_ADDOPTS chooses tests, as ever. A release that no Python here can run is
# in the table with its reason; IBFORGE_TEST_REQUIRE makes that a failure.
set -euo pipefail
cd "$(dirname "$0")/../.."
table=tests/tools/ansible/releases
known=$(awk '/^[0-9]/ { print $1 }' "$table")
only=
case ${1:-} in
all) releases=$known ;;
ends) releases=$(sed -n '1p;$p' <<<"$known") only='test_collection or test_precheck' ;;
'') echo "matrix: name releases; cure: all, ends, or some of $(xargs <<<"$known")" >&2 && exit 2 ;;
*) releases=$* ;;
esac

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
trap 'trap - INT TERM; kill 0; wait; exit 130' INT TERM

# run RELEASE leaves its row of the table in $logs/RELEASE.row.
run() {
	local release=$1 from home=.cache/ansible/$1 start=$SECONDS status=0 python docker
	from=.cache/ansible/collections-$(awk -v name="$release" '$1 == name { print $3 }' "$table")
	IBFORGE_ANSIBLE_BIN=$PWD/$home/bin IBFORGE_ANSIBLE_COLLECTIONS=$PWD/$from \
		.cache/venv/bin/pytest -q -p no:cacheprovider -k "$only" tests/roles >"$logs/$release.log" 2>&1 || status=$?
	python=$("$home/bin/python3" -V)
	docker=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$from/ansible_collections/community/docker/MANIFEST.json")
	printf '%-9s %-8s %-17s %4ss  %s\n' "$release" "${python#* }" "$docker" $((SECONDS - start)) \
		"$(tail -n 1 "$logs/$release.log")" >"$logs/$release.row"
	[ $status -eq 0 ] || cat "$logs/$release.log"
	return $status
}

status=0 ready=
for release in $releases; do
	if tests/tools/ansible_setup.sh "$release"; then
		ready="$ready $release"
	else
		printf '%-9s NOT RUN, the reason is above\n' "$release" >"$logs/$release.row"
		[ -z "${IBFORGE_TEST_REQUIRE:-}" ] || status=1
	fi
done

# Two at a time: a run is one process after another, most of the time.
for release in $ready; do
	run "$release" &
	while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || status=1; done
done
while [ -n "$(jobs -p)" ]; do wait -n || status=1; done

echo
echo "core      python   community.docker   time  tests/roles"
for release in $releases; do cat "$logs/$release.row"; done
exit $status
