package lab_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// limited returns a context for one wait, long enough for a busy machine.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestFabricBecomesManaged(t *testing.T) {
	f := labtest.Fabric(t, lab.FabricOptions{})
	ctx := limited(t)

	if _, err := f.SM(ctx); !errors.Is(err, lab.ErrNoSM) {
		t.Fatalf("a fabric without a subnet manager says %v", err)
	}
	ports, err := f.Ports(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ports {
		if p.LID != 0 {
			t.Errorf("port %v has a LID before a subnet manager came", p)
		}
	}

	labtest.OpenSM(t, f, "Hca1", "-p", "9")
	got, err := f.WaitMaster(ctx)
	if err != nil {
		t.Fatal(err)
	}
	host, err := f.Host(ctx, "Hca1")
	if err != nil {
		t.Fatal(err)
	}
	want := lab.SMInfo{State: lab.SMMaster, Priority: 9, GUID: host.GUID, LID: host.LID}
	if diff := cmp.Diff(want, got); diff != "" || host.LID == 0 {
		t.Errorf("LID of Hca1 is %d\n%s", host.LID, diff)
	}
}

// A change of partitions.conf reaches the ports after Reload.
func TestFabricPartitions(t *testing.T) {
	f := labtest.Fabric(t, lab.FabricOptions{})
	ctx := limited(t)
	sm := labtest.OpenSM(t, f, "Hca1")
	if _, err := f.WaitMaster(ctx); err != nil {
		t.Fatal(err)
	}
	conf := "Default=0x7fff:ALL=limited,SELF=full;\nblue=0x0011:0x2c90300a00011=full;\n"
	if err := os.WriteFile(filepath.Join(sm.Dir(), "partitions.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sm.Reload(); err != nil {
		t.Fatal(err)
	}
	for node, want := range map[string][]uint16{
		"Hca1": {0xffff},
		"Hca2": {0x7fff, 0x8011},
		"Hca3": {0x7fff},
	} {
		awaitPKeys(t, f, node, want)
	}
}

// A subnet manager that was killed leaves its port's IsSM bit, until it is
// buried; one that lives stays.
func TestFabricBuries(t *testing.T) {
	f := labtest.Fabric(t, lab.FabricOptions{})
	ctx := limited(t)
	isSM := func() bool {
		t.Helper()
		out, err := f.Exec(ctx, "Hca1", "smpquery", "-D", "portinfo", "0")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(out), "IsSM\n")
	}
	sm := labtest.OpenSM(t, f, "Hca1")
	if _, err := f.WaitMaster(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.Bury(ctx, "Hca1"); err == nil || !strings.Contains(err.Error(), "lives") || !isSM() {
		t.Fatalf("burying one that lives: %v, IsSM is %t", err, isSM())
	}
	if err := sm.Kill(); err != nil {
		t.Fatal(err)
	}
	if !isSM() {
		t.Fatal("the simulator has noticed by itself: there is no need to bury")
	}
	if err := f.Bury(ctx, "Hca1"); err != nil || isSM() {
		t.Fatalf("burying one that was killed: %v, IsSM is %t", err, isSM())
	}
}

// awaitPKeys waits until a host's port has exactly this partition table.
func awaitPKeys(t *testing.T, f *lab.Fabric, node string, want []uint16) {
	t.Helper()
	ctx := limited(t)
	for {
		got, err := f.PKeys(ctx, node, 0)
		if err != nil {
			t.Fatal(err)
		}
		diff := cmp.Diff(want, got)
		if diff == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("PKeys of %s: %s", node, diff)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func TestTwoFabricsDoNotMeet(t *testing.T) {
	a := labtest.Fabric(t, lab.FabricOptions{})
	b := labtest.Fabric(t, lab.FabricOptions{})
	labtest.OpenSM(t, a, "Hca1")
	if _, err := a.WaitMaster(limited(t)); err != nil {
		t.Fatal(err)
	}
	if sm, err := b.SM(limited(t)); !errors.Is(err, lab.ErrNoSM) {
		t.Errorf("the second fabric sees %v, %v", sm, err)
	}
}

func TestExecExplains(t *testing.T) {
	f := labtest.Fabric(t, lab.FabricOptions{})
	for _, tc := range []struct {
		name, host string
		argv       []string
		want       string
	}{
		{"unknown host", "Hca9", []string{"sminfo"}, "the host is not one of Hca1, Hca2, Hca3, Hca4"},
		{"unknown program", "Hca1", []string{"no-such-program"}, "no-such-program"},
		{"failure", "Hca1", []string{"sh", "-c", "echo reason >&2; exit 4"}, "exit status 4; its last output:\n\treason"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := f.Exec(limited(t), tc.host, tc.argv...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestStartFabricRefuses(t *testing.T) {
	labtest.Need(t, lab.FabricTools()...)
	for name, netlist := range map[string]string{
		"invalid-no-host":     "Switch\t8 \"Switch1\"\n",
		"invalid-port-number": "Switch\t8 \"Switch1\"\n[99]\t\"Hca1\"[1]\n\nCa\t1 \"Hca1\"\n[1]\t\"Switch1\"[1]\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := labtest.Dir(t)
			file := filepath.Join(dir, "net")
			if err := os.WriteFile(file, []byte(netlist), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := lab.StartFabric(limited(t), lab.FabricOptions{Dir: dir, Netfile: file})
			if err == nil {
				t.Error(errors.Join(errors.New("it started"), f.Stop(limited(t))))
			}
		})
	}
}

// The end of the context stops the fabric, and Stop may follow as often as it
// likes.
func TestFabricEndsWithItsContext(t *testing.T) {
	labtest.Need(t, lab.FabricTools()...)
	ctx, cancel := context.WithCancel(context.Background())
	f, err := lab.StartFabric(ctx, lab.FabricOptions{Dir: labtest.Dir(t)})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for range 3 {
		if err := f.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	if out, err := f.Exec(limited(t), "Hca1", "sminfo"); err == nil {
		t.Errorf("the stopped fabric answers %q", out)
	}
}

func TestOpenSMKilled(t *testing.T) {
	f := labtest.Fabric(t, lab.FabricOptions{})
	sm := labtest.OpenSM(t, f, "Hca1")
	if _, err := f.WaitMaster(limited(t)); err != nil {
		t.Fatal(err)
	}
	if err := sm.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := sm.Reload(); err == nil {
		t.Error("a killed opensm can be reloaded")
	}
	if _, err := f.SM(limited(t)); !errors.Is(err, lab.ErrNoSM) {
		t.Errorf("after the kill: %v", err)
	}
}
