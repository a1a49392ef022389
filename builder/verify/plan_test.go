package verify

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
)

func opensm() Image {
	return Image{Name: "opensm", ID: "sha256:2f", Contract: contract.Contract{
		Version: contract.Version, Image: "opensm", Init: "systemd", Network: "host", ReadOnly: true, NoNewPrivileges: true,
		Volumes:      []contract.Volume{{Name: "config", Path: "/etc/opensm", Host: "/etc/ibforge/opensm", ReadOnly: true}, {Name: "cache", Path: "/var/cache/opensm"}},
		Tmpfs:        []contract.Tmpfs{{Path: "/run", Options: "rw,nosuid,nodev,mode=755"}, {Path: "/tmp"}},
		Devices:      []contract.Device{{Path: "/dev/infiniband", Permissions: "rw"}, {Path: "/dev/absent", Permissions: "r"}},
		Capabilities: []contract.Capability{{Name: "IPC_LOCK", Reason: "registers memory"}},
		Limits:       contract.Limits{MemoryBytes: 4 << 30, Pids: 512, Nofile: 65536},
		Stop:         contract.Stop{Signal: "SIGRTMIN+3", TimeoutSeconds: 30},
		Health:       &contract.Health{Command: []string{"/usr/libexec/ibforge/opensm-health"}, IntervalSeconds: 30, TimeoutSeconds: 10, StartPeriodSeconds: 20, Retries: 3},
	}}
}

func hostWith(version, driver string) host {
	return host{engine: Engine{CgroupVersion: version, CgroupDriver: driver}, present: func(d string) bool { return d != "/dev/absent" }}
}

// TestDraw shows the whole request to the engine: what is not in the golden
// file is not asked for.
func TestDraw(t *testing.T) {
	for name, tc := range map[string]struct {
		host      host
		overrides []VolumeOverride
	}{
		"plan-cgroup1.json": {host: hostWith("1", "cgroupfs")},
		"plan-cgroup2.json": {host: hostWith("2", "cgroupfs"), overrides: []VolumeOverride{{Host: "/srv/sm", Path: "/etc/opensm", ReadOnly: true}, {Host: "/srv/lib", Path: "/opt/lib"}}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := draw(opensm(), tc.overrides, tc.host, "0a")
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.MarshalIndent(map[string]any{"name": p.name, "config": p.config, "host": p.host, "volumes": p.volumes, "writable": p.writable, "absent": p.absent, "additions": p.additions}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, string(data)+"\n")
		})
	}
}

func TestDrawNewPrivileges(t *testing.T) {
	for want, forbidden := range map[string]bool{"no-new-privileges=true": true, "no-new-privileges=false": false} {
		img := opensm()
		img.Contract.NoNewPrivileges = forbidden
		p, err := draw(img, nil, hostWith("1", "cgroupfs"), "0a")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{want}, p.host.SecurityOpt); diff != "" {
			t.Errorf("a daemon's own default would stay in force (-want +got):\n%s", diff)
		}
	}
}

func TestDrawWithoutHealth(t *testing.T) {
	img := opensm()
	img.Contract.Health = nil
	p, err := draw(img, nil, hostWith("1", "cgroupfs"), "0a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"NONE"}, p.config.Healthcheck.Test); diff != "" {
		t.Errorf("an image's own health check would stay in force (-want +got):\n%s", diff)
	}
}

func TestDrawRefuses(t *testing.T) {
	for _, tc := range []struct {
		name      string
		overrides []VolumeOverride
		host      host
		want      string
	}{
		{"same path twice", []VolumeOverride{{Host: "/a", Path: "/x"}, {Host: "/b", Path: "/x"}}, hostWith("1", "cgroupfs"), `volumes "/a:/x" and "/b:/x"`},
		{"on a tmpfs", []VolumeOverride{{Host: "/a", Path: "/run"}}, hostWith("1", "cgroupfs"), "tmpfs at /run"},
		{"relative", []VolumeOverride{{Host: "a", Path: "/x"}}, hostWith("1", "cgroupfs"), `"a" is not an absolute path`},
		{"no cgroup driver", nil, hostWith("2", "none"), `version "2" with driver "none"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := draw(opensm(), tc.overrides, tc.host, "0a")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("draw = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestCgroupForm(t *testing.T) {
	for _, tc := range []struct {
		version, driver    string
		own                bool
		parent, bind, made string
	}{
		{"1", "cgroupfs", false, "", "/sys/fs/cgroup:/sys/fs/cgroup:ro", ""},
		{"1", "systemd", false, "", "/sys/fs/cgroup:/sys/fs/cgroup:ro", ""},
		{"1", "cgroupfs", true, "/ibforge-verify-0a", "/sys/fs/cgroup:/sys/fs/cgroup:ro", "/ibforge-verify-0a"},
		{"1", "systemd", true, "ibforge-verify-0a.slice", "/sys/fs/cgroup:/sys/fs/cgroup:ro",
			"/ibforge.slice/ibforge-verify.slice/ibforge-verify-0a.slice"},
		{"2", "cgroupfs", true, "/ibforge-verify-0a", "/sys/fs/cgroup/ibforge-verify-0a:/sys/fs/cgroup/ibforge-verify-0a:rw", "/ibforge-verify-0a"},
		{"2", "systemd", false, "ibforge-verify-0a.slice",
			"/sys/fs/cgroup/ibforge.slice/ibforge-verify.slice/ibforge-verify-0a.slice:/sys/fs/cgroup/ibforge.slice/ibforge-verify.slice/ibforge-verify-0a.slice:rw",
			"/ibforge.slice/ibforge-verify.slice/ibforge-verify-0a.slice"},
	} {
		f, err := cgroupFor(Engine{CgroupVersion: tc.version, CgroupDriver: tc.driver}, "0a", tc.own)
		if err != nil {
			t.Fatal(err)
		}
		if f.parent != tc.parent || f.bind != tc.bind || f.made != tc.made || f.note == "" {
			t.Errorf("v%s %s: %+v", tc.version, tc.driver, f)
		}
	}
}

func TestCgroupTrees(t *testing.T) {
	const hybrid = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime shared:9 - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:10 master:2 - cgroup2 cgroup2 rw
52 31 0:38 /docker/0a /mnt/part rw,relatime - cgroup2 cgroup2 rw
`
	got, err := cgroupTrees(strings.NewReader(hybrid))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseVolumeOverride(t *testing.T) {
	for _, tc := range []struct {
		text string
		want VolumeOverride
		err  string
	}{
		{"/a:/b", VolumeOverride{Host: "/a", Path: "/b"}, ""},
		{"/a:/b:ro", VolumeOverride{Host: "/a", Path: "/b", ReadOnly: true}, ""},
		{"/a:/b:rw", VolumeOverride{Host: "/a", Path: "/b"}, ""},
		{"/a", VolumeOverride{}, "write HOST:CONTAINER"},
		{"/a:/b:z", VolumeOverride{}, "write HOST:CONTAINER"},
		{"a:/b", VolumeOverride{}, `"a" is not an absolute path`},
		{"/a:/b/../c", VolumeOverride{}, "shortest form"},
		{"/a:/", VolumeOverride{}, "cannot be replaced"},
		{"/a:/sys/fs/cgroup", VolumeOverride{}, "cannot be replaced"},
		{"", VolumeOverride{}, "write HOST:CONTAINER"},
	} {
		got, err := ParseVolumeOverride(tc.text)
		switch {
		case tc.err == "" && (err != nil || got != tc.want):
			t.Errorf("%q = %+v, %v", tc.text, got, err)
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
			t.Errorf("%q: error %v, want %q", tc.text, err, tc.err)
		case tc.err == "" && !slices.Contains([]string{tc.text, strings.TrimSuffix(tc.text, ":rw")}, got.String()):
			t.Errorf("%q: String() = %q", tc.text, got)
		}
	}
}
