package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// workspace is a directory that lives as long as the run and that nobody but
// the caller's user may enter.
type workspace struct {
	dir string
	// extraVars are the arguments for -e, in the caller's order, each @file.
	extraVars []string
	// collections goes in front of the collection path; empty if ProjectDir is
	// no checkout of the collection. link is the collection in it, and target
	// is the checkout.
	collections, link, target string
}

// newWorkspace makes the directory. The caller removes it.
func newWorkspace(o Options) (*workspace, error) {
	dir, err := os.MkdirTemp("", "ibforge-deploy-")
	if err != nil {
		return nil, fmt.Errorf("make a private directory for the run: %w", err)
	}
	w := &workspace{dir: dir}
	if err := errors.Join(w.linkCollection(o.ProjectDir), w.writeExtraVars(o.ExtraVars)); err != nil {
		return nil, errors.Join(err, w.remove())
	}
	return w, nil
}

func (w *workspace) remove() error { return os.RemoveAll(w.dir) }

// linkCollection gives the checkout a path that ends in
// ansible_collections/ibforge/fabric. Ansible finds collections by that path
// only, and a checkout may be called anything.
func (w *workspace) linkCollection(project string) error {
	if project == "" {
		return nil
	}
	file := filepath.Join(project, "galaxy.yml")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the collection's name: %w", err)
	}
	var galaxy struct{ Namespace, Name string }
	if err := yaml.Unmarshal(data, &galaxy); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if galaxy.Namespace != "ibforge" || galaxy.Name != "fabric" {
		return nil
	}
	if w.target, err = filepath.Abs(project); err != nil {
		return fmt.Errorf("resolve the project directory %s: %w", project, err)
	}
	w.collections = filepath.Join(w.dir, "collections")
	w.link = filepath.Join(w.collections, "ansible_collections", "ibforge", "fabric")
	if err := os.MkdirAll(filepath.Dir(w.link), 0o700); err != nil {
		return fmt.Errorf("make the collection path: %w", err)
	}
	if err := os.Symlink(w.target, w.link); err != nil {
		return fmt.Errorf("link the collection: %w", err)
	}
	return nil
}

// display puts the checkout's own path where Ansible names the link, which is
// gone by the time that somebody reads the message.
func (w *workspace) display(text string) string {
	if w.link == "" {
		return text
	}
	return strings.ReplaceAll(text, w.link, w.target)
}

// writeExtraVars puts every value that is not in a file yet into one of mode
// 0600. A value on ansible-playbook's command line could be read by every user
// of the machine in /proc/PID/cmdline (proc(5)), for as long as the run takes,
// and in the command lines of all the workers that it forks.
func (w *workspace) writeExtraVars(vars []string) error {
	var errs []error
	for i, v := range vars {
		if v == "" {
			continue
		}
		if strings.HasPrefix(v, "@") {
			w.extraVars = append(w.extraVars, v)
			continue
		}
		data, err := extraVarsFile(v)
		if err != nil {
			errs = append(errs, fmt.Errorf("extra vars number %d: %w", i+1, err))
			continue
		}
		file := filepath.Join(w.dir, fmt.Sprintf("extra-vars-%d.yml", i+1))
		if err := os.WriteFile(file, data, 0o600); err != nil {
			errs = append(errs, fmt.Errorf("write extra vars: %w", err))
			continue
		}
		w.extraVars = append(w.extraVars, "@"+file)
	}
	return errors.Join(errs...)
}
