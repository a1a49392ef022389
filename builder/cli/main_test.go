package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/plan"
)

// project writes descriptions of two images and gives their directory.
func project(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"base": "image \"base\" {\n  description = \"Base\"\n  bootstrap \"debian\" { suite = \"bookworm\" }\n}\n",
		"svc":  "image \"svc\" {\n  description = \"Service\"\n  from = image.base\n  packages = [\"opensm\"]\n  runtime {}\n}\n",
	} {
		file := filepath.Join(dir, "images", name, "image.ibforge.hcl")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// newApp is an App upon recorders.
func newApp(store engine.Store, stdout, stderr io.Writer, environ ...string) App {
	return App{
		Stdout: stdout, Stderr: stderr, Environ: environ, Arch: "amd64",
		Now:       func() time.Time { return time.Unix(0, 0) },
		OpenStore: func(engine.StoreOptions) (engine.Store, error) { return store, nil },
		Deployer:  &deploy.Recorder{},
	}
}

func TestStoreOptions(t *testing.T) {
	dir := project(t)
	for _, c := range []struct {
		name    string
		args    []string
		environ []string
		want    engine.StoreOptions
	}{
		{"flags", []string{"--store", "/srv/a", "--mirror", "http://mirror.example"}, nil, engine.StoreOptions{Dir: "/srv/a", Mirror: "http://mirror.example"}},
		{
			"environment", nil,
			[]string{"IBFORGE_STORE=/srv/a", "IBFORGE_MIRROR=http://mirror.example", "SOURCE_DATE_EPOCH=1700000000"},
			engine.StoreOptions{Dir: "/srv/a", Mirror: "http://mirror.example", Epoch: 1700000000},
		},
		{"flags go first", []string{"--store", "/srv/b"}, []string{"IBFORGE_STORE=/srv/a"}, engine.StoreOptions{Dir: "/srv/b"}},
		{"programs beside it", nil, []string{"IBFORGE_STORE=/srv/a", "IBFORGE_LIBEXEC=/opt/x"}, engine.StoreOptions{Dir: "/srv/a", Helper: "/opt/x/ibforge-ports"}},
		{"the last of the environment counts", nil, []string{"IBFORGE_STORE=/srv/a", "IBFORGE_STORE=/srv/c"}, engine.StoreOptions{Dir: "/srv/c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got engine.StoreOptions
			app := newApp(nil, io.Discard, io.Discard, c.environ...)
			app.Libexec = "/usr/libexec/ibforge"
			app.OpenStore = func(o engine.StoreOptions) (engine.Store, error) {
				got = o
				return nil, errors.New("closed")
			}
			if code := Main(t.Context(), append([]string{"build", "-C", dir}, c.args...), app); code != ExitFailed {
				t.Errorf("the exit code is %d", code)
			}
			c.want.Environ, c.want.Project = app.Environ, dir
			if c.want.Helper == "" {
				c.want.Helper = "/usr/libexec/ibforge/ibforge-ports"
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefaultStore(t *testing.T) {
	g := &globals{App: App{Environ: []string{"HOME=/home/op"}}}
	want := "/home/op/.local/share/ibforge"
	if os.Geteuid() == 0 {
		want = "/var/lib/ibforge"
	}
	if got, err := g.storeDir(); err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

// Ctrl-C is no fault of the description, and is not told as one.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	code := Main(ctx, []string{"build", "-q", "-C", project(t)}, newApp(engine.NewRecorder(), &stdout, &stderr))
	if code != ExitFailed || stdout.Len() != 0 || stderr.String() != "Error: interrupted; what was finished is kept\n" {
		t.Errorf("code %d, stdout %q, stderr %q", code, &stdout, &stderr)
	}
}

// full is a device without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// A result that did not arrive is no success: a script would go on with half
// of it.
func TestResultsThatCannotBeWritten(t *testing.T) {
	for _, args := range [][]string{
		{"validate"},
		{"validate", "--json"},
		{"plan"},
		{"plan", "--json"},
		{"build"},
		{"build", "--json"},
		{"inspect", "svc"},
		{"inspect", "--contract", "svc"},
		{"push", "svc", "oci:/srv/svc"},
		{"version"},
		{"version", "--json"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			dir, store := project(t), engine.NewRecorder()
			if code := Main(t.Context(), []string{"build", "-C", dir}, newApp(store, io.Discard, io.Discard)); code != ExitOK {
				t.Fatalf("the scene cannot be set: %d", code)
			}
			var stderr bytes.Buffer
			code := Main(t.Context(), append(args, "-C", dir), newApp(store, full{}, &stderr))
			if code != ExitFailed || !strings.Contains(stderr.String(), "no space left on device") {
				t.Errorf("the exit code is %d, stderr %q", code, &stderr)
			}
		})
	}
}

func TestStepLine(t *testing.T) {
	img := plan.Image{Name: "svc"}
	for _, c := range []struct{ summary, want string }{
		{"config, 4 labels", "svc            2/4 config, 4 labels"},
		{"packages " + strings.Repeat("ä", 60), "svc            2/4 packages " + strings.Repeat("ä", 37) + "…"},
	} {
		got := line(img, plan.Step{Summary: c.summary}, 2, 4)
		if strings.TrimRight(got, " ") != c.want || len([]rune(got)) != 66 {
			t.Errorf("%q has %d columns, want %q in 66", got, len([]rune(got)), c.want)
		}
	}
}

// Of a long output the end is shown: that is where the reason stands.
func TestTailOfAFailedStep(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b, quiet: true}
	output := []byte("first\n" + strings.Repeat("more\n", 40) + "\nlast\n\n")
	p.StepDone(plan.Image{}, plan.Step{}, false, 0, output, errors.New("exit status 1"))
	want := "  … 3 lines before; -v shows all\n" + strings.Repeat("  | more\n", 38) + "  | last\n"
	if b.String() != want {
		t.Errorf("got %s\nwant %s", &b, want)
	}
}
