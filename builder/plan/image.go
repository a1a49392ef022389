package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/spec"
)

// securityArchive is where Debian publishes security updates beside the main
// archive (https://www.debian.org/security/, sources.list of the debian images).
const securityArchive = "http://deb.debian.org/debian-security"

func (b *builder) image(img *spec.Image) (Image, error) {
	out := Image{Name: img.Name, Description: img.Description, Missing: missing(img)}
	if img.Parent != nil {
		out.Parent = img.Parent.Name
	}
	b.prune = union(b.prune, values(img.Prune))
	b.omit = union(b.omit, values(img.OmitPackages))
	if b.env == nil {
		b.env = map[string]string{}
	}
	maps.Copy(b.env, img.Env)

	ops, err := b.ops(img)
	if err != nil {
		return Image{}, err
	}
	if img.Runtime != nil {
		c := runtimeContract(img)
		out.Contract = &c
		ops = append(ops, b.ports(img, c)...)
	}
	config, err := b.config(img, out.Contract)
	if err != nil {
		return Image{}, err
	}
	for _, op := range append(ops, config) {
		if err := b.add(op); err != nil {
			return Image{}, err
		}
	}
	out.Steps = b.steps
	out.Reference = fmt.Sprintf("%s/%s:%s", Repository, img.Name, b.key[:12])
	return out, nil
}

// ops lists everything but the config step.
func (b *builder) ops(img *spec.Image) ([]Op, error) {
	var ops []Op
	switch {
	case img.Reference != nil:
		ops = append(ops, Import{Reference: img.Reference.String(), Digest: img.Reference.Digest, Range: img.Reference.Range})
	case img.Bootstrap != nil:
		ops = append(ops, b.bootstrap(img.Bootstrap))
	}
	if len(img.Packages) > 0 {
		ops = append(ops, Packages{Install: img.Packages, Omit: b.omit, Prune: b.prune, Range: img.DefRange})
	}
	if img.RootfsFS != nil {
		files, err := readRootfs(img.RootfsFS)
		if err != nil {
			return nil, err
		}
		ops = append(ops, Rootfs{Files: files, FS: img.RootfsFS})
	}
	for _, r := range img.Runs {
		ops = append(ops, Run{Name: r.Name, Command: r.Command, Network: r.Network, Env: orEmpty(r.Env), Payloads: payloads(img, r), Prune: b.prune, Range: r.DefRange})
	}
	// After the commands: a product's installer brings units of its own.
	if len(img.Units) > 0 {
		ops = append(ops, units(img.Units))
	}
	return ops, nil
}

func (b *builder) bootstrap(bs *spec.Bootstrap) Bootstrap {
	comp := ""
	for _, c := range bs.Components {
		comp += " " + c
	}
	return Bootstrap{
		Distribution: bs.Distribution,
		Suite:        bs.Suite,
		Variant:      bs.Variant,
		Sources: []string{
			"deb " + bs.Mirror + " " + bs.Suite + comp,
			"deb " + bs.Mirror + " " + bs.Suite + "-updates" + comp,
			"deb " + securityArchive + " " + bs.Suite + "-security" + comp,
		},
		Packages: slices.Clone(bs.Packages),
		Prune:    b.prune,
		Range:    bs.DefRange,
	}
}

func units(in []spec.Unit) Units {
	out := Units{Enable: []string{}, Disable: []string{}, Mask: []string{}, Ranges: map[string]hcl.Range{}}
	for _, u := range in {
		switch u.State {
		case spec.UnitEnabled:
			out.Enable = append(out.Enable, u.Name)
		case spec.UnitDisabled:
			out.Disable = append(out.Disable, u.Name)
		case spec.UnitMasked:
			out.Mask = append(out.Mask, u.Name)
		}
		out.Ranges[u.Name] = u.DefRange
	}
	return out
}

func (b *builder) config(img *spec.Image, c *contract.Contract) (Config, error) {
	// The labels of the image spec's predefined annotation keys:
	// https://github.com/opencontainers/image-spec/blob/main/annotations.md
	labels := map[string]string{
		"org.opencontainers.image.title":       img.Name,
		"org.opencontainers.image.description": img.Description,
		"io.ibforge.image":                     img.Name,
	}
	maps.Copy(labels, img.Labels)
	cfg := Config{Cmd: []string{}, Env: orEmpty(b.env), Labels: labels, Volumes: []string{}}
	if c == nil {
		return cfg, nil
	}
	raw, err := c.MarshalCompact()
	if err != nil {
		return Config{}, err
	}
	labels[contract.Label] = string(raw)
	cfg.Cmd = []string{"/sbin/init"}
	cfg.StopSignal = c.Stop.Signal
	for _, v := range c.Volumes {
		cfg.Volumes = append(cfg.Volumes, v.Path)
	}
	if h := c.Health; h != nil {
		cfg.Health = &Health{h.Command, h.IntervalSeconds, h.TimeoutSeconds, h.StartPeriodSeconds, h.Retries}
	}
	return cfg, nil
}

// readRootfs lists the files below root in lexical order, which is the order
// in which fs.WalkDir meets them.
func readRootfs(root fs.FS) ([]File, error) {
	files := []File{}
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		f := File{Path: path, Mode: "0644"}
		switch {
		case d.IsDir():
			f.Mode = "0755"
		case d.Type()&fs.ModeSymlink != 0:
			f.Mode = "0777"
			f.Target, err = fs.ReadLink(root, path)
		case d.Type().IsRegular():
			var info fs.FileInfo
			if info, err = d.Info(); err == nil && info.Mode()&0o111 != 0 {
				f.Mode = "0755"
			}
			if err == nil {
				f.SHA256, err = digest(root, path)
			}
		default:
			return fmt.Errorf("rootfs/%s is neither a directory, a regular file nor a symbolic link; a device or socket belongs to the runtime block", path)
		}
		files = append(files, f)
		return err
	})
	return files, err
}

func digest(root fs.FS, path string) (string, error) {
	f, err := root.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading rootfs/%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func values(in []spec.Reasoned) []string {
	out := make([]string, 0, len(in))
	for _, r := range in {
		out = append(out, r.Value)
	}
	return out
}

// union keeps a sorted set, so that the order of a description's map or of its
// ancestors does not change a key.
func union(a, b []string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	if out = slices.Compact(out); out == nil {
		return []string{}
	}
	return out
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return maps.Clone(m)
}
