package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/engine"
)

// made is what a build hands over for a deployable image.
func made(name, id string) engine.Image {
	return engine.Image{
		Name: name, Reference: "localhost/ibforge/" + name + ":" + id, ID: "sha256:" + id, Digest: "sha256:d" + id,
		Contract: &contract.Contract{Version: contract.Version, Image: name, Init: "systemd"},
	}
}

func readEntries(t *testing.T, file string) map[string]imageEntry {
	t.Helper()
	f, err := readImagesFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return f.Images
}

func TestImagesFileForm(t *testing.T) {
	file := filepath.Join(t.TempDir(), imagesFileName)
	withoutContract := made("base", "1")
	withoutContract.Contract = nil
	if err := updateImagesFile(file, []engine.Image{withoutContract, made("svc", "2")}, nil); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// An image without a contract is only built upon: Ansible cannot deploy it.
	want := imagesFileHeader + `ibforge_images:
  svc:
    reference: localhost/ibforge/svc:2
    id: sha256:2
    digest: sha256:d2
    contract:
`
	if text, rest, _ := strings.Cut(string(got), "      capabilities:"); text != want || rest == "" {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, string(got)))
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the mode is %v, want 0644 (%v): Ansible may run as somebody else", info.Mode(), err)
	}
}

func TestImagesFileMerge(t *testing.T) {
	file := filepath.Join(t.TempDir(), imagesFileName)
	if err := updateImagesFile(file, []engine.Image{made("svc", "1"), made("other", "1")}, nil); err != nil {
		t.Fatal(err)
	}
	for _, dest := range []string{"docker://registry.example:5000/svc:1.0", "docker-archive:/srv/svc.tar:svc:1.0"} {
		if err := notePush(file, made("svc", "1"), dest, "sha256:pushed", nil); err != nil {
			t.Fatal(err)
		}
	}
	const pushed, archive = "registry.example:5000/svc@sha256:pushed", "/srv/svc.tar"
	for _, c := range []struct {
		name            string
		image           engine.Image
		pushed, archive string
	}{
		{"another image is built", made("other", "2"), pushed, archive},
		{"the same image is built again", made("svc", "1"), pushed, archive},
		{"a new image is built", made("svc", "2"), "", ""},
	} {
		if err := updateImagesFile(file, []engine.Image{c.image}, nil); err != nil {
			t.Fatal(err)
		}
		entries := readEntries(t, file)
		if len(entries) != 2 {
			t.Errorf("%s: the file has %d images, want 2", c.name, len(entries))
		}
		if got := entries["svc"]; got.Pushed != c.pushed || got.Archive != c.archive {
			t.Errorf("%s: pushed %q and archive %q, want %q and %q", c.name, got.Pushed, got.Archive, c.pushed, c.archive)
		}
		if got := entries[c.image.Name].ID; got != c.image.ID {
			t.Errorf("%s: the ID is %s, want %s", c.name, got, c.image.ID)
		}
	}
}

// What push notes belongs to the image that was pushed, not to one that an
// earlier build left in the file.
func TestPushOfANewerImage(t *testing.T) {
	file := filepath.Join(t.TempDir(), imagesFileName)
	if err := notePush(file, made("svc", "1"), "docker-archive:/srv/old.tar", "sha256:p1", nil); err != nil {
		t.Fatal(err)
	}
	if err := notePush(file, made("svc", "2"), "docker://registry.example/svc:2", "sha256:p2", nil); err != nil {
		t.Fatal(err)
	}
	got := readEntries(t, file)["svc"]
	if got.ID != "sha256:2" || got.Pushed != "registry.example/svc@sha256:p2" || got.Archive != "" {
		t.Errorf("the entry is %+v", got)
	}
}

func TestPushThatRolesCannotUse(t *testing.T) {
	base := made("base", "1")
	base.Contract = nil
	for _, c := range []struct {
		image engine.Image
		dest  string
	}{
		{base, "docker://registry.example/base:1"},
		{made("svc", "1"), "docker-daemon:svc:1"},
		{made("svc", "1"), "oci:/srv/svc"},
		{made("svc", "1"), "containers-storage:svc:1"},
	} {
		file := filepath.Join(t.TempDir(), imagesFileName)
		if err := notePush(file, c.image, c.dest, "sha256:p", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("pushing %s to %s has written the images file", c.image.Name, c.dest)
		}
	}
}

// A file of somebody else is not written over, whatever it holds.
func TestForeignImagesFile(t *testing.T) {
	for name, content := range map[string]string{
		"no YAML":          "{ this is: [no yaml",
		"other YAML":       "kolla_base_distro: debian\n",
		"a list":           "- a\n- b\n",
		"an unknown key":   "ibforge_images:\n  svc:\n    image: x\n",
		"empty":            "",
		"more than images": "ibforge_images: {}\nextra: 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, imagesFileName)
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			for what, err := range map[string]error{
				"build": updateImagesFile(file, []engine.Image{made("svc", "1")}, nil),
				"push":  notePush(file, made("svc", "1"), "docker://registry.example/svc", "sha256:p", nil),
			} {
				if err == nil || !strings.HasPrefix(err.Error(), file+" is not as ibforge writes it: ") || !strings.HasSuffix(err.Error(), "; move it away and build again, or name another one with --images-file") || strings.Contains(err.Error(), "cli.") {
					t.Errorf("%s: the error is %v", what, err)
				}
			}
			if got, err := os.ReadFile(file); err != nil || string(got) != content {
				t.Errorf("the file now holds %q, %v", got, err)
			}
			onlyFile(t, dir)
		})
	}
}

// A list without entries is what an editor leaves who has deleted them all.
func TestImagesFileWithoutEntries(t *testing.T) {
	for _, content := range []string{"ibforge_images:\n", "ibforge_images: {}\n", imagesFileHeader + "ibforge_images: ~\n"} {
		file := filepath.Join(t.TempDir(), imagesFileName)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := updateImagesFile(file, []engine.Image{made("svc", "1")}, nil); err != nil {
			t.Errorf("%q: %v", content, err)
		}
		if _, ok := readEntries(t, file)["svc"]; !ok {
			t.Errorf("%q: svc is missing", content)
		}
	}
}

// A reader that has the file open goes on reading the old one, and a write
// that fails leaves the old one and nothing beside it.
func TestImagesFileIsReplacedByRename(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, imagesFileName)
	if err := updateImagesFile(file, []engine.Image{made("svc", "1")}, nil); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	before, err := reader.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := updateImagesFile(file, []engine.Image{made("svc", "2")}, nil); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if os.SameFile(before, after) {
		t.Error("the file was written in place")
	}
	onlyFile(t, dir)

	taken := filepath.Join(t.TempDir(), "taken")
	if err := os.MkdirAll(filepath.Join(taken, "directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeImagesFile(taken, imagesFile{}); err == nil {
		t.Error("a directory was replaced by a file")
	}
	onlyFile(t, filepath.Dir(taken))
}

// onlyFile says that no temporary file was left in dir.
func onlyFile(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%s holds %v, %v; want one entry", dir, entries, err)
	}
}

func TestWithoutTag(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0", 64)
	for in, want := range map[string]string{
		"registry.example/opensm":                   "registry.example/opensm",
		"registry.example/opensm:1.0":               "registry.example/opensm",
		"registry.example:5000/opensm":              "registry.example:5000/opensm",
		"registry.example:5000/ibforge/opensm:1.0":  "registry.example:5000/ibforge/opensm",
		"[::1]:5000/opensm:1.0":                     "[::1]:5000/opensm",
		"registry.example:5000/opensm" + digest:     "registry.example:5000/opensm",
		"registry.example:5000/opensm:1.0" + digest: "registry.example:5000/opensm",
	} {
		if got := withoutTag(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
