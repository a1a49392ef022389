package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/plan"
)

// op gives the first operation of its kind in an image.
func op[T plan.Op](t *testing.T, p plan.Plan, image string) T {
	t.Helper()
	for _, s := range mustImage(t, p, image).Steps {
		if o, ok := s.Op.(T); ok {
			return o
		}
	}
	var none T
	t.Fatalf("image %q has no %T step", image, none)
	return none
}

func TestChildInherits(t *testing.T) {
	p := mustMake(t, fixture(), plan.Options{Arch: "amd64"})
	both := []string{"/usr/share/doc", "/usr/share/icons", "/usr/share/man"}
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"prune of the parent", op[plan.Bootstrap](t, p, "base").Prune, []string{"/usr/share/doc", "/usr/share/man"}},
		{"prune of the parent's packages", op[plan.Packages](t, p, "base").Prune, []string{"/usr/share/doc", "/usr/share/man"}},
		{"prune of the child's packages", op[plan.Packages](t, p, "svc").Prune, both},
		{"prune of the child's commands", op[plan.Run](t, p, "svc").Prune, both},
		{"omit of the parent", op[plan.Packages](t, p, "base").Omit, []string{"perl"}},
		{"omit of the child", op[plan.Packages](t, p, "svc").Omit, []string{"fonts", "perl"}},
		{"env of the parent", op[plan.Config](t, p, "base").Env, map[string]string{"LANG": "C.UTF-8", "TZ": "UTC"}},
		{"env of the child", op[plan.Config](t, p, "svc").Env, map[string]string{"LANG": "C.UTF-8", "TZ": "CET", "MODE": "a"}},
		{"env of a stranger", op[plan.Config](t, p, "other").Env, map[string]string{}},
		{"env of a command", op[plan.Run](t, p, "svc").Env, map[string]string{}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// Two children of one parent must not see each other.
func TestSiblingsShareNothing(t *testing.T) {
	child := func(name string) string {
		return `image "` + name + `" {
  description   = "Child"
  from          = image.base
  packages      = ["` + name + `"]
  omit_packages = { "omit-` + name + `" = "r" }
  prune         = { "/prune/` + name + `" = "r" }
  env           = { X_` + name + ` = "1" }
}`
	}
	p := mustMake(t, description(map[string]string{
		"base": "image \"base\" {\n description = \"B\"\n bootstrap \"debian\" { suite = \"bookworm\" }\n}",
		"one":  child("one"), "two": child("two"),
	}), plan.Options{Arch: "amd64"})
	for _, name := range []string{"one", "two"} {
		want := plan.Packages{Install: []string{name}, Omit: []string{"omit-" + name}, Prune: []string{"/prune/" + name}}
		got := op[plan.Packages](t, p, name)
		got.Range = want.Range
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(map[string]string{"X_" + name: "1"}, op[plan.Config](t, p, name).Env); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestUnitsOfTheContract(t *testing.T) {
	const (
		enabledA  = "unit \"a.service\" { state = \"enabled\" }\n"
		enabledB  = "unit \"b.service\" { state = \"enabled\" }\n"
		disabledA = "unit \"a.service\" {\n state = \"disabled\"\n reason = \"r\"\n}\n"
		maskedA   = "unit \"a.service\" {\n state = \"masked\"\n reason = \"r\"\n}\n"
	)
	for _, c := range []struct {
		name                     string
		grandparent, parent, own string
		want                     []string
	}{
		{"none", "", "", "", []string{}},
		{"own", "", "", enabledB + enabledA, []string{"b.service", "a.service"}},
		{"the oldest first", enabledA, "", enabledB, []string{"a.service", "b.service"}},
		{"disabled by the child", enabledA, enabledB, disabledA, []string{"b.service"}},
		{"masked by the child", "", enabledA + enabledB, maskedA, []string{"b.service"}},
		{"disabled in between", enabledA, disabledA, enabledB, []string{"b.service"}},
		{"enabled once more", enabledA, maskedA, enabledA, []string{"a.service"}},
		{"enabled in place of a mask", maskedA, "", enabledA, []string{"a.service"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mustMake(t, description(map[string]string{
				"a": "image \"a\" {\n description = \"A\"\n bootstrap \"debian\" { suite = \"bookworm\" }\n" + c.grandparent + "}",
				"b": "image \"b\" {\n description = \"B\"\n from = image.a\n" + c.parent + "}",
				"c": "image \"c\" {\n description = \"C\"\n from = image.b\n" + c.own + "runtime {}\n}",
			}), plan.Options{Arch: "amd64"})
			if diff := cmp.Diff(c.want, mustImage(t, p, "c").Contract.Units); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Every field of the runtime block arrives in the contract under its own name.
func TestRuntimeBecomesContract(t *testing.T) {
	p := mustMake(t, description(map[string]string{"a": `image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    network   = "none"
    read_only = true
    port "rest" { listens = 8000 }
    volume "config" {
      path      = "/etc/a"
      host      = "/etc/ibforge/a"
      read_only = true
    }
    tmpfs "/scratch" { options = "rw,size=1m" }
    device "/dev/infiniband" {}
    capability "IPC_LOCK" { reason = "pins pages" }
    new_privileges { reason = "calls sudo" }
    limits {
      memory = "4GiB"
      pids   = 512
      nofile = 65536
    }
    stop {
      signal  = "SIGTERM"
      timeout = "5s"
    }
    health {
      command      = ["/bin/check"]
      interval     = "11s"
      timeout      = "12s"
      start_period = "13s"
      retries      = 4
    }
    modules  = ["ib_umad"]
    excludes = ["subnet-manager"]
  }
}`}), plan.Options{Arch: "amd64"})
	got := *mustImage(t, p, "a").Contract
	if len(got.Tmpfs) != 4 {
		t.Fatalf("tmpfs: %+v, want systemd's three and one more", got.Tmpfs)
	}
	got.Tmpfs = got.Tmpfs[3:]
	want := contract.Contract{
		Version: 1, Image: "a", Init: "systemd", Network: "none", ReadOnly: true,
		CgroupVersions:      []int{1, 2},
		Ports:               []contract.Port{{Name: "rest", Protocol: "tcp", Address: "any", Listens: 8000, Host: 8000, Via: "none", Rewrites: []contract.Rewrite{}}},
		Volumes:             []contract.Volume{{Name: "config", Path: "/etc/a", Host: "/etc/ibforge/a", ReadOnly: true}},
		Tmpfs:               []contract.Tmpfs{{Path: "/scratch", Options: "rw,size=1m"}},
		Devices:             []contract.Device{{Path: "/dev/infiniband", Permissions: "rw"}},
		Capabilities:        []contract.Capability{{Name: "IPC_LOCK", Reason: "pins pages"}},
		NewPrivilegesReason: "calls sudo",
		Limits:              contract.Limits{MemoryBytes: 4 << 30, Pids: 512, Nofile: 65536},
		Stop:                contract.Stop{Signal: "SIGTERM", TimeoutSeconds: 5},
		Health:              &contract.Health{Command: []string{"/bin/check"}, IntervalSeconds: 11, TimeoutSeconds: 12, StartPeriodSeconds: 13, Retries: 4},
		Modules:             []string{"ib_umad"},
		Excludes:            []string{"subnet-manager"},
		Units:               []string{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	cfg := op[plan.Config](t, p, "a")
	if cfg.StopSignal != "SIGTERM" || len(cfg.Volumes) != 1 || cfg.Volumes[0] != "/etc/a" || cfg.Cmd[0] != "/sbin/init" {
		t.Errorf("the image's own configuration says otherwise: %+v", cfg)
	}
	if diff := cmp.Diff(&plan.Health{Command: []string{"/bin/check"}, Interval: 11, Timeout: 12, StartPeriod: 13, Retries: 4}, cfg.Health); diff != "" {
		t.Errorf("the image's own health check (-want +got):\n%s", diff)
	}
}
