package spec

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ibforge/ibforge/builder/suggest"
)

// WriteDiagnostics writes the diagnostics with the source lines that they are
// about. Width 0 means no wrapping.
func WriteDiagnostics(w io.Writer, files map[string]*hcl.File, diags hcl.Diagnostics, width uint, color bool) error {
	if err := hcl.NewDiagnosticTextWriter(w, files, width, color).WriteDiagnostics(diags); err != nil {
		return fmt.Errorf("writing diagnostics: %w", err)
	}
	return nil
}

// DiagnosticJSON is the machine-readable form of one diagnostic.
type DiagnosticJSON struct {
	// Severity is "error" or "warning".
	Severity string `json:"severity"`
	// Summary is the rule, Detail the value and the cure.
	Summary string `json:"summary"`
	Detail  string `json:"detail"`
	// File is relative to the project directory; empty when the diagnostic is
	// about no place in a file, and then Start and End are absent.
	File  string        `json:"file,omitempty"`
	Start *PositionJSON `json:"start,omitempty"`
	End   *PositionJSON `json:"end,omitempty"`
}

// PositionJSON is a place in a file. Both count from 1; columns count
// characters as a reader sees them, not bytes.
type PositionJSON struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// DiagnosticsJSON marshals diagnostics as a JSON array of [DiagnosticJSON],
// "[]" for none.
func DiagnosticsJSON(diags hcl.Diagnostics) ([]byte, error) {
	out := make([]DiagnosticJSON, 0, len(diags))
	for _, d := range diags {
		j := DiagnosticJSON{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			j.Severity = "warning"
		}
		if d.Subject != nil {
			j.File = d.Subject.Filename
			j.Start = &PositionJSON{d.Subject.Start.Line, d.Subject.Start.Column}
			j.End = &PositionJSON{d.Subject.End.Line, d.Subject.End.Column}
		}
		out = append(out, j)
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("marshalling diagnostics: %w", err)
	}
	return b, nil
}

// collector gathers diagnostics.
type collector struct {
	diags hcl.Diagnostics
}

// errorAt adds an error; a nil subject is for what stands in no file.
func (c *collector) errorAt(subject *hcl.Range, summary, format string, args ...any) {
	c.diags = append(c.diags, fault(subject, summary, format, args...))
}

func fault(subject *hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   fmt.Sprintf(format, args...),
		Subject:  subject,
	}
}

// tidy puts diagnostics in the order of the source and leaves out those that
// only repeat or follow from another one at the same place. It also takes care
// that no sensitive value is shown.
func tidy(in hcl.Diagnostics) hcl.Diagnostics {
	var out hcl.Diagnostics
	for _, d := range in {
		out = append(out, conceal(restate(d)))
	}
	slices.SortStableFunc(out, func(a, b *hcl.Diagnostic) int {
		if a.Subject == nil || b.Subject == nil {
			return cmp.Compare(presence(a.Subject), presence(b.Subject))
		}
		return cmp.Or(
			cmp.Compare(a.Subject.Filename, b.Subject.Filename),
			cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte),
		)
	})
	type place struct {
		rng  hcl.Range
		text string
	}
	seen := map[place]bool{}
	occupied := map[hcl.Range]bool{}
	return slices.DeleteFunc(out, func(d *hcl.Diagnostic) bool {
		var rng hcl.Range
		if d.Subject != nil {
			rng = *d.Subject
		}
		key := place{rng, d.Summary + "\n" + d.Detail}
		drop := seen[key] || occupied[rng] && consequential(d.Summary)
		seen[key] = true
		occupied[rng] = occupied[rng] || d.Subject != nil
		return drop
	})
}

func presence(r *hcl.Range) int {
	if r == nil {
		return 0
	}
	return 1
}

// consequential tells of summaries that hcl and dynblock emit for a name that
// was found unknown before, with a suggestion: checkReferences, walkDynamic.
func consequential(summary string) bool {
	switch summary {
	case "Unknown variable", "Unsupported attribute", "Invalid index", "Invalid dynamic block label", "Unsupported block type":
		return true
	}
	return false
}

// restate replaces hcl's message about an unknown function: hcl suggests the
// first close name that map iteration hands it, so its words vary by run.
func restate(d *hcl.Diagnostic) *hcl.Diagnostic {
	extra, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](d)
	if !ok {
		return d
	}
	var known []string
	for ctx := d.EvalContext; ctx != nil; ctx = ctx.Parent() {
		for name := range ctx.Functions {
			known = append(known, name)
		}
	}
	name := extra.CalledFunctionNamespace() + extra.CalledFunctionName()
	return fault(d.Subject, "Unknown function", "There is no function named %q.%s", name, suggest.DidYouMean(name, known))
}

// conceal strips the values from a diagnostic about an expression that uses a
// sensitive one. hcl's writer would print them, and panics on a marked string.
func conceal(d *hcl.Diagnostic) *hcl.Diagnostic {
	if d.Expression == nil || d.EvalContext == nil {
		return d
	}
	sensitive := false
	for _, traversal := range d.Expression.Variables() {
		if v, diags := traversal.TraverseAbs(d.EvalContext); !diags.HasErrors() && v.ContainsMarked() {
			sensitive = true
		}
	}
	if !sensitive {
		return d
	}
	return fault(d.Subject, d.Summary, "The expression uses a sensitive value, so the reason is not shown. Try it with a harmless value in a variable that is not sensitive.")
}
