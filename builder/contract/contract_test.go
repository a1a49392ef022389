package contract_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
)

// full has every field set, and text that careless writers would escape.
func full() contract.Contract {
	return contract.Contract{
		Version: contract.Version, Image: "opensm", Init: "systemd", Network: "host", ReadOnly: true,
		CgroupVersions: []int{1, 2},
		Ports: []contract.Port{
			{Name: "https", Protocol: "tcp", Address: "any", Listens: 443, Host: 8443, Via: "config", Unit: "apache2.service",
				Rewrites: []contract.Rewrite{{Path: "/etc/apache2/ports.conf", Match: `^\s*Listen\s+{port}$`, Count: 1}}},
			{Name: "rest", Protocol: "tcp", Address: "loopback", Listens: 8000, Host: 18000, Via: "socket", Unit: "ufmd.service", Guarded: true, Rewrites: []contract.Rewrite{}},
		},
		Volumes:             []contract.Volume{{Name: "config", Path: "/etc/opensm", Host: "/etc/ibforge/opensm", ReadOnly: true}, {Name: "cache", Path: "/var/cache/opensm"}},
		Tmpfs:               []contract.Tmpfs{{Path: "/run", Options: "rw,nosuid,nodev,mode=755"}, {Path: "/tmp"}},
		Devices:             []contract.Device{{Path: "/dev/infiniband", Permissions: "rw"}},
		Capabilities:        []contract.Capability{{Name: "IPC_LOCK", Reason: "pins <pages> & more"}},
		NewPrivilegesReason: "the service's <user> calls sudo",
		Limits:              contract.Limits{MemoryBytes: 4 << 30, Pids: 4096, Nofile: 65536},
		Stop:                contract.Stop{Signal: "SIGRTMIN+3", TimeoutSeconds: 30},
		Health:              &contract.Health{Command: []string{"/usr/libexec/ibforge/opensm-health"}, IntervalSeconds: 30, TimeoutSeconds: 10, StartPeriodSeconds: 20, Retries: 3},
		Modules:             []string{"ib_umad"},
		Excludes:            []string{"subnet-manager"},
		Units:               []string{"opensm-ports.service"},
	}
}

func TestRoundTrip(t *testing.T) {
	data, err := full().MarshalCompact()
	if err != nil {
		t.Fatal(err)
	}
	golden := "testdata/full.json"
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(golden, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(data)+"\n"); diff != "" {
		t.Errorf("the label's form changed; a reader must still understand version %d (-golden +got):\n%s", contract.Version, diff)
	}
	got, err := contract.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got); diff != "" {
		t.Errorf("Parse(MarshalCompact()) (-want +got):\n%s", diff)
	}
}

func TestListsAreNeverNull(t *testing.T) {
	data, err := contract.Contract{Version: contract.Version}.MarshalCompact()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"version":1,"image":"","init":"","network":"","read_only":false,"cgroup_versions":[],"ports":[],"volumes":[],"tmpfs":[],"devices":[],"capabilities":[],` +
		`"no_new_privileges":false,"limits":{},"stop":{"signal":"","timeout_seconds":0},"health":null,"modules":[],"excludes":[],"units":[]}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("MarshalCompact of an empty contract (-want +got):\n%s", diff)
	}
	c, err := contract.Parse([]byte(`{"version":1,"no_new_privileges":true,"ports":null,"health":{"command":null}}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Ports == nil || c.Volumes == nil || c.Tmpfs == nil || c.Devices == nil || c.Capabilities == nil ||
		c.Modules == nil || c.Excludes == nil || c.Units == nil || c.Health.Command == nil {
		t.Errorf("Parse left a nil list: %#v", c)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"newer version with unknown fields", `{"version":7,"slices":[]}`, "version 7, this ibforge reads version 1: use a newer ibforge"},
		{"older version", `{"version":0}`, "version 0, this ibforge reads version 1: build the image again"},
		{"no version", `{"image":"opensm"}`, `no field "version"`},
		{"unknown field", `{"version":1,"imgae":"opensm"}`, `unknown field "imgae"`},
		{"unknown field below", `{"version":1,"stop":{"singal":"SIGTERM"}}`, `unknown field "singal"`},
		{"trailing object", `{"version":1}{"version":1}`, "not one JSON object"},
		{"list", `[]`, "not one JSON object"},
		{"null", `null`, `no field "version"`},
		{"wrong type", `{"version":1,"units":"a.service"}`, "units"},
		{"nothing", ``, "not one JSON object"},
		{"of before no_new_privileges", `{"version":1,"image":"ufm"}`, `no field "no_new_privileges": an older ibforge wrote it, build the image again`},
		{"no_new_privileges is null", `{"version":1,"no_new_privileges":null}`, `no field "no_new_privileges"`},
		{"no_new_privileges is no bool", `{"version":1,"no_new_privileges":"no"}`, "no_new_privileges"},
		{"unknown limit", `{"version":1,"no_new_privileges":true,"limits":{"cpus":2}}`, `unknown field "cpus"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := contract.Parse([]byte(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Parse(%s) = %v, want an error with %q", tc.text, err, tc.want)
			}
		})
	}
}

func TestVersionErrorIsTyped(t *testing.T) {
	_, err := contract.Parse([]byte(`{"version":2}`))
	var v *contract.VersionError
	if !errors.As(err, &v) {
		t.Fatalf("Parse = %v, want a *contract.VersionError", err)
	}
	if diff := cmp.Diff(contract.VersionError{Got: 2, Known: contract.Version}, *v); diff != "" {
		t.Errorf("VersionError (-want +got):\n%s", diff)
	}
}

// FuzzParse holds that whatever Parse accepts is written in one form, and that
// this form reads back as the same contract.
func FuzzParse(f *testing.F) {
	data, err := full().MarshalCompact()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"no_new_privileges":true}`))
	f.Add([]byte(`{"version":1,"no_new_privileges":false,"limits":{"pids":-1},"Units":["\ud800",null],"health":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := contract.Parse(data)
		if err != nil {
			return
		}
		text, err := first.MarshalCompact()
		if err != nil {
			t.Fatalf("MarshalCompact of %+v: %v", first, err)
		}
		second, err := contract.Parse(text)
		if err != nil {
			t.Fatalf("Parse(%s): %v", text, err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("not the same after a round trip (-first +second):\n%s", diff)
		}
	})
}
