package plan_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/plan"
)

const productHCL = `variable "installer" {
  type    = string
  default = null
}
variable "sum" {
  type    = string
  default = null
}
image "product" {
  description = "Product"
  bootstrap "debian" { suite = "bookworm" }
  payload "installer" {
    source   = var.installer
    sha256   = var.sum
    unpack   = "/installer"
    strip    = 1
    supplier = "Example Ltd. has it."
  }
  run "prepare" { command = ["/bin/true"] }
  run "install" {
    command  = ["/installer/install.sh"]
    payloads = ["installer"]
  }
  runtime {
    port "https" {
      listens = 443
      host    = 8443
      via     = "config"
      unit    = "apache2.service"
      rewrite "/etc/apache2/ports.conf" { match = "^Listen {port}$" }
    }
    port "rest" {
      listens = 8000
      unit    = "product.service"
      address = "loopback"
      guarded = true
    }
    port "agent" { listens = 6306 }
  }
}
image "child" {
  description = "Child"
  from        = image.product
}
`

func product(t *testing.T, values ...string) plan.Plan {
	t.Helper()
	fsys := fstest.MapFS{"images/product/image.ibforge.hcl": {Data: []byte(productHCL)}}
	for i, name := range []string{"installer", "sum"}[:len(values)] {
		old := `variable "` + name + "\" {\n  type    = string\n  default = null"
		data := strings.Replace(string(fsys["images/product/image.ibforge.hcl"].Data), old, strings.Replace(old, "null", `"`+values[i]+`"`, 1), 1)
		fsys["images/product/image.ibforge.hcl"] = &fstest.MapFile{Data: []byte(data)}
	}
	return mustMake(t, fsys, plan.Options{Arch: "amd64", Helper: "abc"})
}

func TestMissingPayload(t *testing.T) {
	p := product(t)
	for _, name := range []string{"product", "child"} {
		missing := mustImage(t, p, name).Missing
		if len(missing) != 1 {
			t.Fatalf("%s lacks %+v, want the installer", name, missing)
		}
		got := missing[0].Diagnostic()
		for _, want := range []string{`Image "product"`, `payload "installer"`, "Example Ltd. has it.", "--var installer=FILE"} {
			if !strings.Contains(got.Detail, want) {
				t.Errorf("%q lacks %q", got.Detail, want)
			}
		}
		if got.Subject.Start.Line != 12 {
			t.Errorf("the fault is shown at line %d", got.Subject.Start.Line)
		}
	}
	if m := mustImage(t, product(t, "p.tgz", strings.Repeat("a", 64)), "child").Missing; len(m) > 0 {
		t.Errorf("with the file, %+v is missing", m)
	}
}

// The same file elsewhere makes the same image; another file makes another one
// from the command on that sees it.
func TestPayloadAndKeys(t *testing.T) {
	one := mustImage(t, product(t, "p.tgz", strings.Repeat("a", 64)), "product")
	moved := mustImage(t, product(t, "/srv/p.tgz", strings.Repeat("a", 64)), "product")
	other := mustImage(t, product(t, "p.tgz", strings.Repeat("b", 64)), "product")
	if one.Key() != moved.Key() {
		t.Error("the key depends on where the payload lies")
	}
	for i, s := range one.Steps {
		sees := i >= 2 // bootstrap, prepare, install…
		if (other.Steps[i].Key != s.Key) != sees {
			t.Errorf("step %d, %s: the key changes with the sum: %t, want %t", i, s.Summary, !sees, sees)
		}
	}
}

func TestPortsStep(t *testing.T) {
	p := product(t, "p.tgz", strings.Repeat("a", 64))
	got := op[plan.Ports](t, p, "product")
	if diff := cmp.Diff([]string{"apache2.service", "product.service"}, got.Units); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
	if got.Helper != "abc" || got.Map.Service != "product" || len(got.Map.Ports) != 3 {
		t.Errorf("%+v", got)
	}
	steps := mustImage(t, p, "product").Steps
	want := "ports https 443 to 8443 by config, rest 8000 guarded, agent 6306"
	if s := steps[len(steps)-2]; s.Summary != want {
		t.Errorf("%q, want %q", s.Summary, want)
	}
	for _, s := range mustImage(t, p, "child").Steps {
		if s.Kind == plan.KindPorts {
			t.Error("an image without a runtime block has a ports step")
		}
	}
}
