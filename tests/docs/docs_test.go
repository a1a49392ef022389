// Package docs holds the documentation against the program: it loads every
// description, runs every command line, follows every link, and compares the
// references with the schemas. It reads the repository and writes nothing.
package docs

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// repository is the root of the working tree.
const repository = "../.."

// document is one Markdown file.
type document struct {
	// name is relative to the root of the repository.
	name, text string
}

// block is one fenced block.
type block struct {
	// info is what stands behind the fence, such as "hcl fragment".
	info, text string
	// line is that of the fence.
	line int
}

// documents are those that users and contributors read.
func documents(t *testing.T) []document {
	t.Helper()
	root := os.DirFS(repository)
	var out []document
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/sites/*.md", "configs/*.md", "kayobe/*.md", "images/*/*.md", "roles/*/*.md"} {
		names, err := fs.Glob(root, pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: found %d documents, %v", pattern, len(names), err)
		}
		for _, name := range names {
			out = append(out, read(t, name))
		}
	}
	return out
}

func read(t *testing.T, name string) document {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(repository, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return document{name, string(raw)}
}

// blocks are the fenced blocks, and prose is all lines beside them.
func (d document) blocks() (out []block, prose []string) {
	inside := false
	for i, line := range strings.Split(d.text, "\n") {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !inside:
			out = append(out, block{info: info, line: i + 1})
			inside = true
		case fence:
			inside = false
		case inside:
			out[len(out)-1].text += line + "\n"
		default:
			prose = append(prose, line)
		}
	}
	return out, prose
}

// example is a block and the document that it stands in.
type example struct {
	document
	block
}

// examples are the blocks of all documents that have this info string. That
// there are none would mean that the documents are written otherwise.
func examples(t *testing.T, info string) []example {
	t.Helper()
	var out []example
	for _, d := range documents(t) {
		blocks, _ := d.blocks()
		for _, b := range blocks {
			if b.info == info {
				out = append(out, example{d, b})
			}
		}
	}
	if len(out) == 0 {
		t.Errorf("no document has a block of %q", info)
	}
	return out
}

// place is where the example stands, in a form that suits names of tests.
func (e example) place() string {
	return strings.ReplaceAll(e.name, "/", "_") + ":" + strconv.Itoa(e.line)
}

// section is what stands below a heading, up to the next heading of any level.
func (d document) section(t *testing.T, heading string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^#+ ` + regexp.QuoteMeta(heading) + `$`).FindStringIndex(d.text)
	if m == nil {
		t.Errorf("%s has no heading %q", d.name, heading)
		return ""
	}
	text, _, _ := strings.Cut(d.text[m[1]:], "\n#")
	return text
}

// rows are the names in the first column of the tables of a section.
func rows(section string) []string {
	var out []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		out = append(out, m[1])
	}
	return out
}

// Every fence is closed, and says what is in it: a block that nobody knows is
// one that no test looks at.
func TestBlocksAreKnown(t *testing.T) {
	known := map[string]bool{
		"hcl": true, "hcl fragment": true, "hcl values": true, "json": true, "json description": true,
		"yaml": true, "ini": true, "sh": true, "console": true, "text": true,
	}
	for _, d := range documents(t) {
		if strings.Count("\n"+d.text, "\n```")%2 != 0 {
			t.Errorf("%s: a block is not closed", d.name)
		}
		blocks, _ := d.blocks()
		for _, b := range blocks {
			if !known[b.info] {
				t.Errorf("%s:%d: a block of %q; the tests know others", d.name, b.line, b.info)
			}
		}
	}
}

// Links within the repository lead somewhere, headings included.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	followed := 0
	for _, d := range documents(t) {
		_, prose := d.blocks()
		for _, m := range link.FindAllStringSubmatch(strings.Join(prose, "\n"), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			followed++
			file := d.name
			if target != "" {
				file = path.Join(path.Dir(d.name), target)
			}
			if _, err := os.Stat(filepath.Join(repository, file)); err != nil {
				t.Errorf("%s: the link %s leads nowhere: %v", d.name, m[1], err)
				continue
			}
			if anchor != "" && !read(t, file).hasAnchor(anchor) {
				t.Errorf("%s: the link %s names a heading that %s does not have", d.name, m[1], file)
			}
		}
	}
	if followed < 10 {
		t.Errorf("only %d links were found: the test no longer finds them", followed)
	}
}

// hasAnchor makes anchors of headings as GitHub does.
func (d document) hasAnchor(anchor string) bool {
	_, prose := d.blocks()
	for _, line := range prose {
		heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !ok || !strings.HasPrefix(line, "#") {
			continue
		}
		id := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading), "")
		if strings.ReplaceAll(id, " ", "-") == anchor {
			return true
		}
	}
	return false
}
