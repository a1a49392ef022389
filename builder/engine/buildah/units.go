package buildah

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/plan"
	"github.com/ibforge/ibforge/builder/suggest"
)

// unitDirs are where a unit file may lie (systemd.unit(5), table 1), in order.
func unitDirs() []string {
	return []string{"etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"}
}

// units lets the image's own systemctl enable and disable, since it knows the
// [Install] section's rules, and masks by link.
func (w *working) units(ctx context.Context, op plan.Units) error {
	root, err := os.OpenRoot(w.root)
	if err != nil {
		return err
	}
	defer root.Close()
	if diags := missingUnits(root, op); diags.HasErrors() {
		return diags
	}
	for _, set := range []struct {
		verb  string
		units []string
	}{{"enable", op.Enable}, {"disable", op.Disable}} {
		if len(set.units) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		argv := append([]string{"systemctl", "--root=/", "--no-reload", set.verb, "--"}, set.units...)
		if err := w.inside(argv, false, nil, nil); err != nil {
			return fmt.Errorf("systemctl %s %s: %w", set.verb, strings.Join(set.units, " "), err)
		}
	}
	for _, u := range op.Mask {
		// systemctl mask refuses where a file of the description stands in /etc;
		// so does this, by O_EXCL's kin for links.
		if err := root.Symlink("/dev/null", path.Join("etc/systemd/system", u)); err != nil {
			return fmt.Errorf("masking %s: %w", u, err)
		}
	}
	return w.clean(nil)
}

// missingUnits reports every unit that the image does not have: a typing error
// would otherwise leave a service running that was meant to be masked.
func missingUnits(root *os.Root, op plan.Units) hcl.Diagnostics {
	known := knownUnits(root)
	var diags hcl.Diagnostics
	for _, u := range slices.Concat(op.Enable, op.Disable, op.Mask) {
		if d := unknownUnit(known, u, op.Ranges[u], "Ship it below rootfs/etc/systemd/system, or add the package that has it."); d != nil {
			diags = diags.Append(d)
		}
	}
	return diags
}

// unknownUnit is the fault of a unit that the image does not have, or nil. The
// cure is for where no other unit has a name like it.
func unknownUnit(known []string, unit string, at hcl.Range, cure string) *hcl.Diagnostic {
	if slices.Contains(known, unit) || slices.Contains(known, templateOf(unit)) {
		return nil
	}
	if near := suggest.Nearest(unit, known); near != "" {
		cure = fmt.Sprintf("Did you mean %q?", near)
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "No such unit", Subject: &at,
		Detail: fmt.Sprintf("The image has no unit %q once its packages and rootfs are in place and its commands have run. %s", unit, cure),
	}
}

func knownUnits(root *os.Root) []string {
	var out []string
	for _, dir := range unitDirs() {
		entries, err := fs.ReadDir(root.FS(), dir)
		if err != nil {
			continue // not every image has every directory
		}
		for _, e := range entries {
			out = append(out, e.Name())
		}
	}
	return out
}

// templateOf gives "getty@.service" for "getty@tty1.service".
func templateOf(unit string) string {
	name, rest, ok := strings.Cut(unit, "@")
	if !ok {
		return unit
	}
	return name + "@" + path.Ext(rest)
}
