package verify

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"
)

const mountTable = `1 0 0:9 / / ro,relatime - overlay overlay rw,lowerdir=x
2 1 0:10 / /proc rw,nosuid - proc proc rw
3 1 0:11 / /dev/shm rw,nosuid - tmpfs shm rw
4 1 0:12 / /run rw,nosuid,nodev - tmpfs tmpfs rw
5 1 0:13 /vol /var/my\040data rw,relatime - ext4 /dev/vda rw
6 1 0:13 /hosts /etc/hosts ro,relatime - ext4 /dev/vda rw
7 1 0:14 / /sys/fs/cgroup/x rw - cgroup2 cgroup2 rw
`

func TestCompareMounts(t *testing.T) {
	foreseen := []string{"/run", "/var/my data"}
	writableRoot := strings.ReplaceAll(strings.Replace(mountTable, "/ / ro", "/ / rw", 1), "/etc/hosts ro", "/etc/hosts rw")
	for _, tc := range []struct {
		name, table string
		foreseen    []string
		readOnly    bool
		want        result
	}{
		{"as planned", mountTable, foreseen, true, pass("7 mounts, read-only root: true")},
		{"a volume of the image", mountTable, foreseen[:1], true, fail("writable beside the contract: /var/my data")},
		{"writable root as planned", writableRoot, foreseen, false, pass("7 mounts, read-only root: false")},
		{"writable root against the contract", writableRoot, foreseen, true, fail("writable beside the contract: /, /etc/hosts")},
		{"no table", "cat: not found", nil, true, fail(`/proc/1/mountinfo has the line "cat: not found"`)},
	} {
		if got := compareMounts(tc.table, tc.foreseen, tc.readOnly); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestCompareChanges(t *testing.T) {
	changes := []container.FilesystemChange{
		{Kind: container.ChangeModify, Path: "/var"}, {Kind: container.ChangeModify, Path: "/var/lib"},
		{Kind: container.ChangeAdd, Path: "/var/lib/stray"}, {Kind: container.ChangeDelete, Path: "/var/lib/gone"},
		{Kind: container.ChangeModify, Path: "/etc"}, {Kind: container.ChangeAdd, Path: "/etc/opensm"}, {Kind: container.ChangeAdd, Path: "/etc/opensm-2"},
	}
	want := []string{"A /etc/opensm-2", "A /var/lib/stray", "D /var/lib/gone"}
	if diff := cmp.Diff(want, leaves(changes, []string{"/etc/opensm"})); diff != "" {
		t.Errorf("leaves (-want +got):\n%s", diff)
	}
	if r := compareChanges(changes, nil, true); r.status != Fail || !strings.Contains(r.detail, "A /var/lib/stray") {
		t.Errorf("read-only root: %+v", r)
	}
	if r := compareChanges(changes, nil, false); r.status != Pass || !strings.Contains(r.detail, "A /var/lib/stray") {
		t.Errorf("writable root: %+v", r)
	}
	if r := compareChanges(nil, nil, true); r != pass("") {
		t.Errorf("no changes: %+v", r)
	}
	many := make([]container.FilesystemChange, 25)
	for i := range many {
		many[i] = container.FilesystemChange{Kind: container.ChangeAdd, Path: "/x" + strings.Repeat("y", i)}
	}
	if r := compareChanges(many, nil, true); !strings.HasSuffix(r.detail, "\nand 5 more") {
		t.Errorf("many changes: %+v", r)
	}
}
