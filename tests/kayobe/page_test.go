package kayobe

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/tests/lab/site"
)

// pageBlocks are the blocks of docs/kayobe.md of one kind.
func pageBlocks(t *testing.T, info string) []string {
	t.Helper()
	var out []string
	for _, m := range regexp.MustCompile("(?ms)^```"+info+"\n(.*?)^```$").FindAllStringSubmatch(readFile(t, filepath.Join(checkout(t), "docs/kayobe.md")), -1) {
		out = append(out, m[1])
	}
	return out
}

// page gives what stands behind the program's name in a line of docs/kayobe.md,
// with what is called otherwise here, old and new in turns. The page is where
// the tests have their command lines from: one that is not there fails the test,
// and tests/docs looks that none is there which no test takes.
func (d *deployment) page(line string, replace ...string) []string {
	d.t.Helper()
	if !slices.Contains(strings.Split(strings.Join(pageBlocks(d.t, "sh"), ""), "\n"), line) {
		d.t.Fatalf("docs/kayobe.md has no line %q; cure: have the tests run what it has", line)
	}
	words := strings.Fields(line)[1:]
	for i, word := range words {
		words[i] = strings.NewReplacer(append(replace, "$KAYOBE_CONFIG_PATH", d.config, "controller0", controller)...).Replace(word)
	}
	return words
}

// pageBlock gives the block of docs/kayobe.md that begins with these words.
func pageBlock(t *testing.T, info, begin string) string {
	t.Helper()
	blocks := pageBlocks(t, info)
	i := slices.IndexFunc(blocks, func(b string) bool { return strings.HasPrefix(b, begin) })
	if i < 0 {
		t.Fatalf("docs/kayobe.md has no block of %s that begins with %q", info, begin)
	}
	return blocks[i]
}

// settle puts the page's examples of variables into the configuration, with a
// port that the simulated fabric has.
func (d *deployment) settle() {
	d.t.Helper()
	d.write("ibforge.yml", readFile(d.t, filepath.Join(d.config, "ibforge.yml"))+pageBlock(d.t, "yaml", "# ibforge.yml\n"))
	port, err := d.fabric.Host(d.t.Context(), site.SMHost)
	if err != nil {
		d.t.Fatal(err)
	}
	guids := regexp.MustCompile(`0x[0-9a-f]{16}`)
	block := pageBlock(d.t, "yaml", "# inventory/host_vars/controller0:")
	if n := len(guids.FindAllString(block, -1)); n != 1 {
		d.t.Fatalf("docs/kayobe.md names %d GUIDs for a controller, want one:\n%s", n, block)
	}
	var host map[string]any
	if err := yaml.Unmarshal([]byte(guids.ReplaceAllString(block, fmt.Sprintf("0x%016x", port.GUID))), &host); err != nil {
		d.t.Fatal(err)
	}
	d.vars(host)
}

// settled looks for them on the host.
func (d *deployment) settled(t *testing.T) {
	t.Helper()
	if text := d.exec("sh", "-c", "cat /etc/ibforge/opensm/*"); !regexp.MustCompile(`(?m)^Default=0x7fff\b.*\bipoib\b.*\bALL=full`).MatchString(text) {
		t.Errorf("the partition of docs/kayobe.md is not there:\n%s", text)
	}
	port, err := d.fabric.Host(t.Context(), site.SMHost)
	if err != nil {
		t.Fatal(err)
	}
	unit := fmt.Sprintf("opensm@0x%016x.service", port.GUID)
	if out := d.exec("docker", "exec", "ib_opensm", "systemctl", "list-units", "--no-legend", "--state=active", "opensm@*"); !strings.Contains(out, unit) {
		t.Errorf("OpenSM does not serve the port that the host's variables name, %s:\n%s", unit, out)
	}
}
