package spec

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// local is one attribute of a locals block.
type local struct {
	attr *hcl.Attribute
	dir  string
}

func (l *loader) declareLocals(block *hcl.Block, dir string, locals map[string]*local) {
	attrs, diags := block.Body.JustAttributes()
	l.diags = append(l.diags, diags...)
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		attr := attrs[name]
		if other, ok := locals[name]; ok {
			l.errorAt(&attr.NameRange, "Duplicate local value", "Local value %q was defined at %s already. Remove one of the two.", name, other.attr.NameRange)
			continue
		}
		locals[name] = &local{attr: attr, dir: dir}
	}
}

// localWalk evaluates locals depth first, each after those that it refers to.
type localWalk struct {
	loader *loader
	locals map[string]*local
	// path are the names being evaluated, for cycles.
	path []string
}

func (l *loader) evaluateLocals(locals map[string]*local) {
	w := &localWalk{loader: l, locals: locals}
	for _, name := range slices.Sorted(maps.Keys(locals)) {
		w.visit(name)
	}
}

func (w *localWalk) visit(name string) {
	l := w.loader
	if _, done := l.values.locals[name]; done {
		return
	}
	this := w.locals[name]
	if i := slices.Index(w.path, name); i >= 0 {
		cycle := append(slices.Clone(w.path[i:]), name)
		l.errorAt(&this.attr.NameRange, "Cycle of local values", "The value of %q needs itself: %s. Break the circle.", name, strings.Join(cycle, " -> "))
		for _, member := range cycle {
			l.values.locals[member] = cty.DynamicVal
		}
		return
	}
	w.path = append(w.path, name)
	for _, t := range this.attr.Expr.Variables() {
		if t.RootName() != "local" {
			continue
		}
		other, ok := secondName(t)
		if !ok {
			rng := t.SourceRange()
			l.errorAt(&rng, "Local values as a whole", "A local value may refer to another by local.NAME only: what it needs must be known before it is evaluated.")
			l.values.locals[name] = cty.DynamicVal
			continue
		}
		if _, known := w.locals[other]; known {
			w.visit(other)
		}
	}
	w.path = w.path[:len(w.path)-1]
	if _, spoilt := l.values.locals[name]; spoilt {
		return
	}
	l.values.locals[name] = l.evaluate(this.attr.Expr, w.context(this.dir))
}

// context has all locals by name, those not yet evaluated as unknown, so that
// a suggestion can name them.
func (w *localWalk) context(dir string) *hcl.EvalContext {
	all := map[string]cty.Value{}
	for name := range w.locals {
		all[name] = cty.DynamicVal
	}
	maps.Copy(all, w.loader.values.locals)
	return w.loader.values.context(dir, map[string]map[string]cty.Value{"var": w.loader.values.vars, "local": all})
}
