package spec

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
)

// Options says what to load.
type Options struct {
	// FS is the project directory. For symbolic links to be judged it must be
	// an [fs.ReadLinkFS], as the one of os.Root is.
	FS fs.FS
	// Files to read, as slash-separated paths relative to FS. Empty means all
	// of images/*/image.ibforge.hcl and configs/*.ibforge.hcl, and the same
	// with .json appended.
	Files []string
	// Vars are NAME=VALUE in the order of the command line; the last one wins.
	Vars []string
	// VarFiles are slash-separated paths relative to FS of files with
	// name = value lines, or JSON objects; the last one wins.
	VarFiles []string
	// Environ is KEY=VALUE as in os.Environ; IBFORGE_VAR_name is read.
	Environ []string
}

// Result is what Load found.
type Result struct {
	// Project is nil when there are errors.
	Project *Project
	// Files by name, for [WriteDiagnostics]. Values from the command line and
	// the environment appear as files too, except for sensitive ones.
	Files map[string]*hcl.File
}

// Load reads, evaluates and validates the descriptions. The result is never
// nil; its Project is whole if and only if the diagnostics have no errors.
func Load(opts Options) (*Result, hcl.Diagnostics) {
	l := &loader{
		fsys:  opts.FS,
		files: map[string]*hcl.File{},
	}
	if l.fsys == nil {
		l.fsys = noFiles{}
	}
	project := l.load(opts)
	diags := tidy(l.diags)
	if diags.HasErrors() {
		project = nil
	}
	return &Result{Project: project, Files: l.files}, diags
}

// noFiles stands in for a file system that was not given, so that its absence
// is reported like an empty project.
type noFiles struct{}

func (noFiles) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// loader carries one Load through its steps.
type loader struct {
	collector
	fsys  fs.FS
	files map[string]*hcl.File

	variables map[string]*variable
	values    scopeValues
	blocks    []*imageBlock
}

func (l *loader) load(opts Options) *Project {
	names := l.discover(opts.Files)
	bodies := l.parseAll(names)
	if l.diags.HasErrors() {
		// What a half-read file fails to declare would be reported as unknown
		// all over the others.
		return nil
	}
	locals := l.declare(names, bodies)
	l.assign(opts)
	l.evaluateLocals(locals)
	return &Project{
		Images:    l.decodeImages(),
		Variables: l.listVariables(),
	}
}

// discover gives the cleaned and sorted paths to read.
func (l *loader) discover(files []string) []string {
	var names []string
	if len(files) == 0 {
		for _, pattern := range []string{"images/*/image.ibforge.hcl", "configs/*.ibforge.hcl"} {
			for _, suffix := range []string{"", ".json"} {
				// The only error of Glob is a bad pattern.
				found, _ := fs.Glob(l.fsys, pattern+suffix)
				names = append(names, found...)
			}
		}
		if len(names) == 0 {
			l.errorAt(nil, "No descriptions found", "There is neither images/*/image.ibforge.hcl nor configs/*.ibforge.hcl in the project directory. Name the files, or start in the directory that holds images/.")
		}
	}
	for _, name := range files {
		if clean, ok := l.inProject(name); ok {
			names = append(names, clean)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// inProject cleans a path that was given from outside.
func (l *loader) inProject(name string) (string, bool) {
	clean := path.Clean(name)
	if name == "" || !fs.ValidPath(clean) {
		l.errorAt(nil, "File outside of the project", "%q is not a path below the project directory. Give it relative to that directory, without leading \"..\".", name)
		return "", false
	}
	return clean, true
}

// parseAll parses the files, and reports every one that it cannot parse.
func (l *loader) parseAll(names []string) []hcl.Body {
	var bodies []hcl.Body
	for _, name := range names {
		if body := l.parse(name); body != nil {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

func (l *loader) parse(name string) hcl.Body {
	src, err := fs.ReadFile(l.fsys, name)
	if err != nil {
		l.errorAt(nil, "File cannot be read", "%s: %s.", name, plainError(err))
		return nil
	}
	var file *hcl.File
	var diags hcl.Diagnostics
	switch path.Ext(name) {
	case ".json":
		file, diags = json.Parse(src, name)
	case ".hcl":
		file, diags = hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	default:
		l.errorAt(nil, "Unknown kind of file", "%q ends in neither .hcl nor .json, so its syntax is not known.", name)
		return nil
	}
	l.diags = append(l.diags, diags...)
	if file == nil {
		return nil
	}
	// A file with faults is kept all the same: its lines are shown with them.
	file.Bytes = src
	l.files[name] = file
	return file.Body
}

// declare takes the blocks of all files apart. Locals are handed back because
// they can only be evaluated once variables have their values.
func (l *loader) declare(names []string, bodies []hcl.Body) map[string]*local {
	locals := map[string]*local{}
	l.variables = map[string]*variable{}
	l.values = newScopeValues(l.fsys)
	for i, body := range bodies {
		dir := path.Dir(names[i])
		content, diags := body.Content(rootSchema())
		l.diags = append(l.diags, diags...)
		for _, block := range content.Blocks {
			switch block.Type {
			case "variable":
				l.declareVariable(block, dir)
			case "locals":
				l.declareLocals(block, dir, locals)
			case "image":
				l.blocks = append(l.blocks, &imageBlock{
					label: text{value: block.Labels[0], rng: block.LabelRanges[0], ok: true},
					block: block, dir: dir,
				})
			}
		}
	}
	return locals
}

// plainError drops the operation and path that fs adds: the message around it
// names the path already.
func plainError(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return strings.TrimSuffix(err.Error(), ".")
}
