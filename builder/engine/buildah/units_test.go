package buildah

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/plan"
)

// A unit that does not exist is named, with what it may have been meant to be:
// a drop-in for it would guard nothing, and a mask would keep nothing away.
func TestUnknownUnits(t *testing.T) {
	dir := t.TempDir()
	units := filepath.Join(dir, "usr/lib/systemd/system")
	if err := os.MkdirAll(units, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"apache2.service", "opensm@.service"} {
		if err := os.WriteFile(filepath.Join(units, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	at := hcl.Range{Filename: "a.hcl", Start: hcl.Pos{Line: 7}}

	ports := missingPortUnits(root, plan.Ports{Units: []string{"apache2.service", "opensm@1.service", "apache.service", "ufmd.service"}, Range: at})
	states := missingUnits(root, plan.Units{Enable: []string{"apache2.service"}, Mask: []string{"somethingelse.timer"}, Ranges: map[string]hcl.Range{"somethingelse.timer": at}})
	for _, c := range []struct {
		got  hcl.Diagnostics
		want []string
	}{
		{ports, []string{`"apache.service"`, `Did you mean "apache2.service"?`}},
		{ports[1:], []string{`"ufmd.service"`, "A port block says that it listens"}},
		{states, []string{`"somethingelse.timer"`, "rootfs/etc/systemd/system"}},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.got[0].Detail, want) {
				t.Errorf("%q lacks %q", c.got[0].Detail, want)
			}
		}
		if c.got[0].Subject.Start.Line != 7 {
			t.Errorf("shown at %v", c.got[0].Subject)
		}
	}
	if len(ports) != 2 || len(states) != 1 {
		t.Errorf("%d and %d faults, want 2 and 1", len(ports), len(states))
	}
}
