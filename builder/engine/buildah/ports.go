package buildah

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/plan"
)

const (
	// portsHelper is where an image keeps the program that goes before the
	// start of a unit whose port is moved.
	portsHelper = "usr/libexec/ibforge/ports"
	portsDropIn = "50-ibforge-ports.conf"
)

// ports writes the helper, the port map, and a drop-in for every unit that
// listens. ExecStartPre has no "+" before it: systemd 219 of EL 7 takes that
// for a part of the path, ignores the line, and the service would start where
// it must not.
func (w *working) ports(op plan.Ports) error {
	root, err := os.OpenRoot(w.root)
	if err != nil {
		return err
	}
	defer root.Close()
	if diags := missingPortUnits(root, op); diags.HasErrors() {
		return diags
	}
	helper, err := w.helper(op.Helper)
	if err != nil {
		return err
	}
	portMap, err := op.Map.MarshalIndented()
	if err != nil {
		return err
	}
	if err := replaceFile(root, portsHelper, helper, 0o755); err != nil {
		return err
	}
	if err := replaceFile(root, contract.PortMapPath[1:], portMap, 0o644); err != nil {
		return err
	}
	for _, unit := range op.Units {
		text := fmt.Sprintf("[Service]\nExecStartPre=/%s start --unit %s\n", portsHelper, unit)
		if err := replaceFile(root, path.Join("etc/systemd/system", unit+".d", portsDropIn), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return w.clean(nil)
}

// helper reads the program whose sum is in the step's key.
func (w *working) helper(sum string) ([]byte, error) {
	if sum == "" {
		return nil, fmt.Errorf("the image's ports are moved or guarded, which takes a program in the image, and %s does not exist: \"make build\" makes it beside ibforge; IBFORGE_LIBEXEC names another directory", w.opts.Helper)
	}
	data, err := os.ReadFile(w.opts.Helper)
	if err != nil {
		return nil, fmt.Errorf("reading the program that moves ports inside the image: %w", err)
	}
	if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
		return nil, fmt.Errorf("%s was replaced since the build was planned: build again", w.opts.Helper)
	}
	return data, nil
}

// missingPortUnits reports units that do not exist: a drop-in for a unit that
// is called otherwise would guard nothing.
func missingPortUnits(root *os.Root, op plan.Ports) hcl.Diagnostics {
	known := knownUnits(root)
	var diags hcl.Diagnostics
	for _, u := range op.Units {
		if d := unknownUnit(known, u, op.Range, "A port block says that it listens: correct the name there."); d != nil {
			diags = diags.Append(d)
		}
	}
	return diags
}

// replaceFile writes a file of the image, whatever was there before.
func replaceFile(root *os.Root, name string, data []byte, mode os.FileMode) (err error) {
	if err := mkdir(root, path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("writing /%s of the image: %w", name, err)
	}
	return f.Chmod(mode)
}
