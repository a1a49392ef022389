package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// libexec is where the programs are that go beside ibforge.
func libexec(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(root, "bin"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// companions expects the programs that go beside ibforge.
func companions(t *testing.T) {
	t.Helper()
	for _, name := range []string{"ibforge-ports", "ibforge-portmap"} {
		if _, err := os.Stat(filepath.Join(libexec(t), name)); err != nil {
			t.Fatalf("%v: \"make build\" makes it", err)
		}
	}
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
			agent := exec.CommandContext(context.Background(), filepath.Join(checkout, "bin/ibforge-portmap"), "detach", "-force", name)
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

// Both images keep their contracts on a boot with the stand-ins, and no layer
// has a licence, a private key or anything of the payload.
func TestVerifyProducts(t *testing.T) { //nolint:tparallel // its parts use the same machine
	onMachine(t)
	f := newProducts(t)
	volumes := f.productVolumes(t)
	for _, name := range []string{"ufm", "neo"} {
		t.Run(name, func(t *testing.T) {
			args := []string{"--store", f.store, "--json", "verify", name, "--host", f.Engine.Host()}
			for _, v := range volumes[name] {
				args = append(args, "--volume", v)
			}
			r := run(t, nil, args...)
			var report struct {
				Checks []struct{ ID, Status, Detail string }
			}
			if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
				t.Fatalf("%v: %v", err, r)
			}
			for _, c := range report.Checks {
				if c.Status != "pass" && c.ID != "host.devices" { // no hardware here
					t.Errorf("%s: %s: %s", c.ID, c.Status, c.Detail)
				}
			}
			if len(report.Checks) != 18 {
				t.Errorf("%d checks, want 18", len(report.Checks))
			}
			for path := range layerFiles(t, f.store, name) {
				payload := strings.HasPrefix(path, "neo/") || strings.HasPrefix(path, "ufm-installer/")
				if payload || strings.HasSuffix(path, ".lic") || strings.HasSuffix(path, ".key") {
					t.Errorf("a layer has /%s", path)
				}
			}
		})
	}
}

// productVolumes are what an operator mounts for verify, by image.
func (f products) productVolumes(t *testing.T) map[string][]string {
	t.Helper()
	vars, err := f.ProductVariables()
	if err != nil {
		t.Fatal(err)
	}
	volumes := map[string][]string{}
	for _, name := range []string{"ufm", "neo"} {
		conf := filepath.Join(f.Dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Join(conf, "licenses"), 0o700),
			os.WriteFile(filepath.Join(conf, "admin_password"), []byte(site.AdminPassword+"\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
		volumes[name] = []string{conf + ":/etc/ibforge/" + name + ":ro"}
	}
	licences := filepath.Join(f.Dir, "ufm/licenses")
	if err := errors.Join(os.WriteFile(filepath.Join(licences, "standin.lic"), []byte("stand-in\n"), 0o600),
		os.WriteFile(filepath.Join(f.Dir, "ufm/gv.cfg"), []byte("[*]\nfabric_interface = lo\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	volumes["ufm"] = append(volumes["ufm"], licences+":/opt/ufm/files/licenses:ro")
	extra, isList := vars["ib_ufm_extra_volumes"].([]string)
	if !isList {
		t.Fatalf("ib_ufm_extra_volumes is %v", vars["ib_ufm_extra_volumes"])
	}
	volumes["ufm"] = append(volumes["ufm"], extra...)
	return volumes
}
