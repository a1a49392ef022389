package overlay

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errKilled = errors.New("killed")

// dying is a disk on which every write fails from the nth on, as for a process
// that is killed there. The nth write of a file is cut short.
type dying struct {
	*os.Root
	left int
}

func (d *dying) may() error {
	d.left--
	if d.left < 0 {
		return errKilled
	}
	return nil
}

func (d *dying) Mkdir(name string, perm fs.FileMode) error {
	return errors.Join(d.may(), d.alive(func() error { return d.Root.Mkdir(name, perm) }))
}

func (d *dying) WriteFile(name string, data []byte, perm fs.FileMode) error {
	if d.left == 0 {
		data = data[:len(data)/2]
		d.left--
		return errors.Join(errKilled, d.Root.WriteFile(name, data, perm))
	}
	return errors.Join(d.may(), d.alive(func() error { return d.Root.WriteFile(name, data, perm) }))
}

func (d *dying) Symlink(target, name string) error {
	return errors.Join(d.may(), d.alive(func() error { return d.Root.Symlink(target, name) }))
}

func (d *dying) Rename(from, to string) error {
	return errors.Join(d.may(), d.alive(func() error { return d.Root.Rename(from, to) }))
}

func (d *dying) Remove(name string) error {
	return errors.Join(d.may(), d.alive(func() error { return d.Root.Remove(name) }))
}

func (d *dying) RemoveAll(name string) error {
	return errors.Join(d.may(), d.alive(func() error { return d.Root.RemoveAll(name) }))
}

// alive does it while the process lives.
func (d *dying) alive(do func() error) error {
	if d.left < 0 {
		return nil
	}
	return do()
}

// killed runs do until it is not cut off any more, each time some writes later
// on a configuration that prepare has made, and has after look at what is left.
func killed(t *testing.T, step int, prepare func(*os.Root), do func(Disk) error, after func(*os.Root)) int {
	t.Helper()
	for n := 0; ; n += step {
		root := configuration(t, nil)
		prepare(root)
		err := do(&dying{Root: root, left: n})
		if err == nil {
			return n
		}
		if !errors.Is(err, errKilled) {
			t.Fatalf("write %d: %v", n, err)
		}
		after(root)
		if t.Failed() {
			t.Fatalf("it was killed at write %d", n)
		}
	}
}

// step is small for what differs most, and larger where it is much of the same.
func step(scene string) int {
	switch scene {
	case "root":
		return 1
	case "environment":
		return 2
	}
	return 7
}

func run(d Disk, o Options, plan func(Disk, Options) (*Plan, error)) error {
	p, err := plan(d, o)
	if err != nil {
		return err
	}
	return p.Apply(d)
}

func TestKilledInstall(t *testing.T) {
	for name, o := range scenes() {
		t.Run(name, func(t *testing.T) {
			o, again := one().options(t, o), one().options(t, o)
			root := configuration(t, nil)
			before := snapshot(t, root)
			install(t, root, o)
			whole := snapshot(t, root)
			nothing := func(*os.Root) {}
			do := func(d Disk) error { return run(d, o, Install) }
			n := killed(t, step(name), nothing, do, func(root *os.Root) {
				install(t, root, again)
				if diff := cmp.Diff(whole, snapshot(t, root)); diff != "" {
					t.Errorf("installed once more:\n%s", diff)
				}
			})
			if n < 20 {
				t.Errorf("there were only %d writes", n)
			}
			// And who does not want it any more gets rid of it.
			killed(t, step(name), nothing, do, func(root *os.Root) {
				uninstall(t, root, again)
				if diff := cmp.Diff(before, visibleDirs(snapshot(t, root))); diff != "" {
					t.Errorf("removed after that:\n%s", diff)
				}
			})
		})
	}
}

// visibleDirs leaves out records that were killed before there was a manifest.
func visibleDirs(all map[string]string) map[string]string {
	if _, ok := all[".ibforge/overlay.json"]; ok {
		return all
	}
	return visible(all)
}

func TestKilledUpdate(t *testing.T) {
	prepare := func(root *os.Root) {
		install(t, root, one().options(t, Options{Features: []string{"ufm"}}))
		edit(t, root, "ibforge.yml", "---\n# a\nb: 1\n# c\n#d:\n# e\n#f:\n")
		edit(t, root, "inventory/ibforge", "[ib-opensm]\nhost1\n")
		if err := root.Remove("ansible/ibforge-deploy.yml"); err != nil {
			t.Fatal(err)
		}
	}
	o := two().options(t, Options{Without: []string{"ufm"}})
	root := configuration(t, nil)
	prepare(root)
	install(t, root, o)
	whole := snapshot(t, root)
	killed(t, 1, prepare, func(d Disk) error { return run(d, o, Install) }, func(root *os.Root) {
		install(t, root, o)
		if diff := cmp.Diff(whole, snapshot(t, root)); diff != "" {
			t.Errorf("installed once more:\n%s", diff)
		}
	})
}

func TestKilledRemove(t *testing.T) {
	for name, o := range scenes() {
		t.Run(name, func(t *testing.T) {
			o := one().options(t, o)
			root := configuration(t, nil)
			before := snapshot(t, root)
			install(t, root, o)
			whole := snapshot(t, root)
			prepare := func(root *os.Root) { install(t, root, o) }
			do := func(d Disk) error { return run(d, o, Uninstall) }
			killed(t, step(name), prepare, do, func(root *os.Root) {
				uninstall(t, root, o)
				if diff := cmp.Diff(before, snapshot(t, root)); diff != "" {
					t.Errorf("removed once more:\n%s", diff)
				}
			})
			killed(t, step(name), prepare, do, func(root *os.Root) {
				install(t, root, o)
				if diff := cmp.Diff(whole, snapshot(t, root)); diff != "" {
					t.Errorf("installed again:\n%s", diff)
				}
			})
		})
	}
}
