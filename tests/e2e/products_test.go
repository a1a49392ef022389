package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
	"github.com/ibforge/ibforge/tests/lab/site"
)

// built are UFM's and NEO's images, made from their stand-ins once.
var built struct { //nolint:gochecknoglobals // as the shared store that they are in
	once  sync.Once
	flags []string
	err   error
}

// productStore gives the shared store with the products' images in it, and the
// flags by which they were built.
func productStore(t *testing.T) (store string, flags []string) {
	t.Helper()
	store = sharedStore(t)
	companions(t)
	built.once.Do(func() {
		if built.flags, built.err = site.Payloads(filepath.Join(root, "tests/standins"), store); built.err != nil {
			return
		}
		args := append([]string{"-C", root, "--store", store, "build", "--images-file", filepath.Join(store, "products.yml"), "ufm", "neo"}, built.flags...)
		if r := run(t, nil, args...); r.code != 0 {
			built.err = errors.New(r.String())
		}
	})
	if built.err != nil {
		t.Fatalf("building the products' images: %v", built.err)
	}
	return store, built.flags
}

// companions points ibforge to the programs that go beside it.
func companions(t *testing.T) {
	t.Helper()
	libexec, err := filepath.Abs(filepath.Join(root, "bin"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ibforge-ports", "ibforge-portmap"} {
		if _, err := os.Stat(filepath.Join(libexec, name)); err != nil {
			t.Fatalf("%v: \"make build\" makes it", err)
		}
	}
	t.Setenv("IBFORGE_LIBEXEC", libexec)
}

// products is a site with UFM and NEO on one host.
type products struct {
	site.Site
	store, inventory, imgfile, root string
}

func newProducts(t *testing.T) products {
	t.Helper()
	store, _ := productStore(t)
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := labtest.Dir(t)
	f := products{
		Site: site.Site{
			Dir: dir, Python: filepath.Join(checkout, ".cache/venv/bin/python"),
			Engine: labtest.Engine(t, lab.EngineOptions{}),
			Fabric: labtest.Fabric(t, lab.FabricOptions{}),
		},
		store: store, inventory: dir + "/inventory.yml", imgfile: dir + "/ibforge-images.yml", root: checkout,
	}
	vars, err := f.ProductVariables()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.WriteGroups(f.inventory, vars, "ib_ufm", "ib_neo"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ufm", "neo"} {
		ok(t, "-C", root, "--store", store, "push", name, "docker-archive:"+dir+"/"+name+".tar", "--images-file", f.imgfile)
	}
	// A failure in the middle must not leave hooks on the machine.
	t.Cleanup(func() {
		for _, name := range []string{"ib_ufm", "ib_neo"} {
			agent := exec.CommandContext(context.Background(), filepath.Join(checkout, "bin/ibforge-portmap"), "detach", name) //nolint:usetesting // the test's own context has ended
			if out, err := agent.CombinedOutput(); err != nil {
				t.Errorf("detaching %s: %v: %s", name, err, out)
			}
			for _, file := range []string{"/etc/ibforge/portmap.d/" + name + ".json", "/usr/local/libexec/ibforge/ibforge-portmap"} {
				if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Error(err)
				}
			}
		}
	})
	return f
}

// deploy runs a playbook.
func (f products) deploy(t *testing.T, args ...string) (result, deploy.Recap) {
	t.Helper()
	r := run(t, nil, append([]string{"-C", root, "--store", f.store, "--json", "deploy", "-i", f.inventory, "--images-file", f.imgfile}, args...)...)
	var recap deploy.Recap
	if r.stdout != "" {
		if err := json.Unmarshal([]byte(r.stdout), &recap); err != nil {
			t.Fatalf("%v\n%v", err, r)
		}
	}
	return r, recap
}

// changed expects success and gives the number of changes.
func (f products) changed(t *testing.T, args ...string) int {
	t.Helper()
	r, recap := f.deploy(t, args...)
	if r.code != 0 {
		t.Fatal(r)
	}
	return recap.Hosts["localhost"].Changed
}
