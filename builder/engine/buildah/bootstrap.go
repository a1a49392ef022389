package buildah

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ibforge/ibforge/builder/plan"
)

// canonicalArchive is what engine.StoreOptions.Mirror replaces.
const canonicalArchive = "http://deb.debian.org"

// debianKeyring holds the archive's signing keys (package debian-archive-keyring).
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// noUsrmerge is an apt_preferences(5) file. init-system-helpers is satisfied by
// usrmerge or usr-is-merged, and apt takes the first, which brings all of Perl
// to do what mmdebstrap's hook has done by then.
const (
	preferences = "ibforge-bootstrap"
	noUsrmerge  = "Package: usrmerge\nPin: release *\nPin-Priority: -1\n"
)

// bootstrap has mmdebstrap(1) fill the empty working container.
func (w *working) bootstrap(ctx context.Context, op plan.Bootstrap) error {
	bin, err := exec.LookPath("mmdebstrap")
	if err != nil {
		return fmt.Errorf("mmdebstrap, which makes a root file system from Debian's packages, is not installed: apt-get install mmdebstrap")
	}
	sources := filepath.Join(w.tmp(), "sources.list")
	if err := os.WriteFile(sources, []byte(w.fetchFrom(op.Sources)), 0o600); err != nil {
		return err
	}
	prefer := filepath.Join(w.tmp(), preferences)
	if err := os.WriteFile(prefer, []byte(noUsrmerge), 0o644); err != nil {
		return err
	}
	argv := []string{
		bin, "--mode=root", "--variant=" + op.Variant, "--format=directory",
		"--keyring=" + debianKeyring,
		// The archive's own machines are trusted by signature only.
		"--aptopt=Acquire::Languages \"none\"",
		// A killed build throws the working container away as a whole.
		"--dpkgopt=force-unsafe-io",
		"--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",
		"--setup-hook=mkdir -p \"$1/etc/apt/preferences.d\"",
		"--setup-hook=copy-in " + prefer + " /etc/apt/preferences.d/",
		"--customize-hook=rm \"$1/etc/apt/preferences.d/" + preferences + "\"",
	}
	if len(op.Packages) > 0 {
		argv = append(argv, "--include="+strings.Join(op.Packages, ","))
	}
	argv = append(argv, op.Suite, w.root, sources)
	env := append(w.hostEnv(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", w.opts.Epoch), "TMPDIR="+w.tmp())
	if err := w.apt(ctx, env, op.Range, argv...); err != nil {
		return err
	}
	return w.afterBootstrap(op)
}

// afterBootstrap replaces what mmdebstrap notes about this build by what holds
// for the image.
func (w *working) afterBootstrap(op plan.Bootstrap) error {
	for _, own := range []string{"etc/apt/sources.list.d/0000sources.list", "etc/apt/apt.conf.d/99mmdebstrap", "etc/dpkg/dpkg.cfg.d/99mmdebstrap"} {
		if err := os.RemoveAll(filepath.Join(w.root, own)); err != nil {
			return err
		}
	}
	list := strings.Join(op.Sources, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(w.root, "etc/apt/sources.list"), []byte(list), 0o644); err != nil {
		return err
	}
	return w.clean(op.Prune)
}

// fetchFrom gives the sources.list to fetch by.
func (s *Store) fetchFrom(sources []string) string {
	list := strings.Join(sources, "\n") + "\n"
	if s.opts.Mirror != "" {
		list = strings.ReplaceAll(list, canonicalArchive, strings.TrimSuffix(s.opts.Mirror, "/"))
	}
	return strings.ReplaceAll(list, "deb http", "deb [signed-by="+debianKeyring+"] http")
}

// hostEnv is the environment of the build host's package tools: what decides
// about proxies, and nothing else that could change the result.
func (s *Store) hostEnv() []string {
	env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	for _, k := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		if v, ok := s.opts.LookupEnv(k); ok {
			env = append(env, k+"="+v)
		}
	}
	return env
}
