package overlay

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestRecognise(t *testing.T) {
	file := &fstest.MapFile{Data: []byte("---\n")}
	dir := &fstest.MapFile{Mode: 0o755 | os.ModeDir}
	for name, c := range map[string]struct {
		fsys  fstest.MapFS
		path  string
		found string
		want  string
	}{
		"whole":             {fstest.MapFS{"kolla.yml": file, "inventory/hosts": file}, "/x", ".", ""},
		"empty in place":    {fstest.MapFS{"inventory": dir}, "/x/etc/kayobe", ".", ""},
		"of environments":   {fstest.MapFS{"kolla.yml": file, "environments/a/x.yml": file}, "/x", ".", ""},
		"repository":        {fstest.MapFS{"etc/kayobe/inventory/hosts": file}, "/x", "etc/kayobe", ""},
		"other inventory":   {fstest.MapFS{"inventory/hosts": file, "site.yml": file}, "/x", "", "/x is no Kayobe configuration: it has none of bifrost.yml"},
		"nothing":           {fstest.MapFS{}, "/x", "", "/x is no Kayobe configuration: it has none of bifrost.yml"},
		"without inventory": {fstest.MapFS{"kolla.yml": file}, "/x", "", "it has neither inventory/ nor environments/"},
		"an environment":    {fstest.MapFS{"kolla.yml": file, "inventory/hosts": file}, "/x/environments/prod", "", "--environment prod"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := FindConfiguration(c.fsys, c.path)
			if got != c.found || err != nil && !strings.Contains(err.Error(), c.want) || (err == nil) != (c.want == "") {
				t.Errorf("got %q, %v; want %q, %q", got, err, c.found, c.want)
			}
		})
	}
}

// All faults are told at once, and nothing is written.
func TestFaultsBeforeTheFirstWrite(t *testing.T) {
	outside := t.TempDir()
	for name, c := range map[string]struct {
		files   map[string]string
		prepare func(*os.Root) error
		o       Options
		want    []string
		isUsage bool
	}{
		"Kayobe's OpenSM": {
			files: map[string]string{"opensm.yml": "---\nopensm_enabled: yes\n", "environments/prod/globals.yml": "---\nx: 1\nopensm_enabled: True\n"},
			o:     Options{Environment: "prod"},
			want:  []string{"opensm.yml:2: opensm_enabled is yes", "environments/prod/globals.yml:3: opensm_enabled is True", "set it to false"},
		},
		"environment": {o: Options{Environment: "prud"}, want: []string{`there is no environment "prud"; there are prod, test. Did you mean "prod"?`}, isUsage: true},
		"feature":     {o: Options{Features: []string{"umf"}}, want: []string{`there is no feature "umf"; there are sdn, ufm, virtual. Did you mean "ufm"?`}, isUsage: true},
		"manifest broken": {
			files: map[string]string{".ibforge/overlay.json": "{"}, want: []string{".ibforge/overlay.json is broken: unexpected end of JSON input; take the file from version control"},
		},
		"manifest newer": {
			files: map[string]string{".ibforge/overlay.json": `{"version": 7, "ibforge": "3.0.0"}`},
			want:  []string{".ibforge/overlay.json has format 7, written by ibforge 3.0.0, and this program knows 1; use that release or a newer one"},
		},
		"manifest leads out": {
			files: map[string]string{".ibforge/overlay.json": `{"version": 1, "files": {"../../x": "sha256:0"}}`},
			want:  []string{`the path "../../x" is none within the configuration`},
		},
		"two manifests": {
			files: map[string]string{".ibforge/overlay.json": "[]", "environments/test/.ibforge/overlay.json": "1"},
			want:  []string{".ibforge/overlay.json is broken", "environments/test/.ibforge/overlay.json is broken"},
		},
		"link that leads out": {
			prepare: func(root *os.Root) error { return root.Symlink(outside, "hooks") },
			want:    []string{"hooks/overcloud-service-deploy", "a symbolic link leads out of the configuration"},
		},
		"file in place of a directory": {
			files: map[string]string{"hooks": "x"},
			want:  []string{"hooks/overcloud-service-deploy/post.d/20-ibforge-deploy.yml: a part of the path is a file", "hooks/overcloud-service-stop"},
		},
		"read-only": {
			o:    Options{Writable: func(dir string) error { return fmt.Errorf("%s: read-only", dir) }},
			want: []string{".: read-only", "ansible: read-only", "inventory: read-only"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := configuration(t, c.files)
			if c.prepare != nil {
				if err := c.prepare(root); err != nil {
					t.Fatal(err)
				}
			}
			before := snapshot(t, root)
			p, err := Install(root, one().options(t, c.o))
			if err == nil {
				t.Fatalf("it was taken: %v", p.actions())
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %s", err, want)
				}
			}
			var usage *UsageError
			if errors.As(err, &usage) != c.isUsage {
				t.Errorf("usage: %v", !c.isUsage)
			}
			if after := snapshot(t, root); len(after) != len(before) {
				t.Error("something was written")
			}
			if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
				t.Errorf("something was written outside: %v, %v", entries, err)
			}
		})
	}
}

// A configuration of StackHPC's size, some 2,000 files, none of which is touched.
func TestInstallIntoLargeConfiguration(t *testing.T) {
	files := map[string]string{}
	for i := range 2000 {
		files[fmt.Sprintf("inventory/group_vars/g%d/v%d", i%50, i)] = strings.Repeat("a: 1\n", 50)
		if i < 60 {
			files[fmt.Sprintf("f%d.yml", i)] = "---\n" + strings.Repeat("# A comment.\n", 200) + fmt.Sprintf("v%d: 1\n", i)
		}
	}
	root := configuration(t, files)
	o := one().options(t, Options{})
	began := time.Now()
	install(t, root, o)
	t.Logf("install into %d files took %v", len(files), time.Since(began))
	after := snapshot(t, root)
	for name, text := range files {
		if after[name] != text {
			t.Fatalf("%s was changed", name)
		}
	}
}

func TestSourceContradictsItself(t *testing.T) {
	r := one()
	r.files["hooks.yml"] = "- {command: a, when: after, order: 1, playbook: ibforge-none.yml, feature: x, why: because}\n" +
		"- {command: b, when: pre, order: 1, playbook: ibforge-stop.yml, why: because}\n- {command: b, when: pre, order: 1, playbook: ibforge-stop.yml, why: because}\n"
	r.files["features.yml"] = "a: {description: A, needs: [b]}\n"
	fsys := fstest.MapFS{}
	for name, text := range r.files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	_, err := ReadSource(fsys)
	for _, want := range []string{
		`when is "after"`, "there is no such playbook", `"x" is no feature`, "hooks/b/pre.d/01-ibforge-stop.yml is there twice", `a needs "b", which is no feature`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not told: %v", want, err)
		}
	}
	if _, err := ReadSource(os.DirFS(filepath.Join("..", "..", "kayobe"))); err != nil {
		t.Errorf("what is shipped: %v", err)
	}
}
