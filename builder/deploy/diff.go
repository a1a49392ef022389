package deploy

import (
	"encoding/json"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// diffText renders what --diff adds to a result as unified diffs. The callback
// passes the two sides on as the module gave them, once per loop item.
func diffText(r result) string {
	if r.hidden() {
		return ""
	}
	var b strings.Builder
	for _, item := range r.items() {
		b.WriteString(diffText(item))
	}
	list, ok := r["diff"].([]any)
	if !ok {
		list = []any{r["diff"]}
	}
	for _, entry := range list {
		if m, ok := entry.(map[string]any); ok {
			b.WriteString(oneDiff(m))
		}
	}
	return b.String()
}

func oneDiff(d result) string {
	if text := d.text("prepared"); text != "" {
		return clean(text)
	}
	for _, key := range []string{"src_binary", "dst_binary", "src_larger", "dst_larger"} {
		if _, ok := d[key]; ok {
			return "diff skipped: a side is binary or too large\n"
		}
	}
	before, after := side(d["before"]), side(d["after"])
	if before == after {
		return ""
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: lines(before), B: lines(after),
		FromFile: header("before", d.text("before_header")),
		ToFile:   header("after", d.text("after_header")),
		Context:  3,
	})
	if err != nil { // only ever the writer's, and it writes to memory
		return ""
	}
	return clean(text)
}

// lines differs from difflib.SplitLines in that no text has no lines, and that
// a last line without a newline gets one instead of sticking to the next.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.SplitAfter(strings.TrimSuffix(text, "\n")+"\n", "\n")[:strings.Count(strings.TrimSuffix(text, "\n"), "\n")+1]
}

func header(name, detail string) string {
	if detail == "" {
		return name
	}
	return name + ": " + detail
}

// side is one side of a diff; a module may give a structure instead of text.
func side(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return textOf(value)
	}
	return string(data) + "\n"
}
