package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// debianArchive is what a host's package sources name.
const debianArchive = "http://deb.debian.org"

// hostPackages are what a host of any suite has, each with the reason why.
func hostPackages(suite string) []string {
	packages := []string{
		"systemd", "systemd-sysv", "dbus", // PID 1, and who asks it
		"docker.io", "containerd", "podman", "runc", // the engines
		"python3", "python3-docker", "python3-requests", // modules of Ansible
		"ca-certificates", "iproute2", "procps", "kmod", // what roles look with
		"infiniband-diags", "ibsim-utils", "libumad2sim0", // a simulated fabric
	}
	if suite == Trixie {
		packages = append(packages, "docker-cli", "netavark") // apart since Debian 13
	}
	return packages
}

// hostFiles are put into every root file system; part of its key.
func hostFiles() map[string]string {
	return map[string]string{
		"etc/hostname":    "",
		"etc/hosts":       "127.0.0.1 localhost\n",
		"etc/resolv.conf": "",
		"etc/machine-id":  "", // each host makes its own
		// As Kolla-Ansible has it: its services use the host's network.
		"etc/docker/daemon.json": `{"bridge": "none", "iptables": false, "ip6tables": false}` + "\n",
		// The lab may run where root must not raise limits and where version 2
		// has no controllers. crun insists on both.
		"etc/containers/containers.conf.d/50-lab.conf": `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
pids_limit = 0
[engine]
runtime = "runc"
`,
	}
}

// hostMasked would come in between: a test's host changes only by the test.
func hostMasked() []string {
	return []string{"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"}
}

// hostTree returns the root file system that hosts of a suite have in common,
// and makes it if the cache has none. It is found by all that it was made from
// but for the packages' versions: those are of the day it was made. To have
// newer ones, remove its directory while no host runs.
func hostTree(ctx context.Context, opts HostOptions) (string, error) {
	cache, err := makeDir("cache of hosts", opts.Cache)
	if err != nil {
		return "", err
	}
	key := sha256.New()
	// fmt prints maps in the order of their keys.
	_, _ = fmt.Fprintln(key, opts.Suite, hostPackages(opts.Suite), hostFiles(), hostMasked(), hostSources(opts.Suite))
	tree := filepath.Join(cache, opts.Suite+"-"+hex.EncodeToString(key.Sum(nil))[:12])
	unlock, err := lockFile(tree + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(tree); err == nil {
		return tree, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("lab: root file system of a host: %w", err)
	}
	unfinished := tree + ".unfinished"
	if err := errors.Join(os.RemoveAll(unfinished), bootstrapHost(ctx, opts, unfinished)); err != nil {
		return "", errors.Join(err, os.RemoveAll(unfinished))
	}
	if err := os.Rename(unfinished, tree); err != nil {
		return "", fmt.Errorf("lab: root file system of a host: %w", err)
	}
	return tree, nil
}

// hostSources are a host's package sources.
func hostSources(suite string) string {
	return "deb " + debianArchive + "/debian " + suite + " main\n"
}

// bootstrapHost fills tree from packages.
func bootstrapHost(ctx context.Context, opts HostOptions, tree string) error {
	source := strings.TrimSpace(hostSources(opts.Suite))
	if opts.Mirror != "" {
		source = strings.Replace(source, debianArchive, strings.TrimSuffix(opts.Mirror, "/"), 1)
	}
	mmdebstrap, err := findTool("mmdebstrap")
	if err != nil {
		return err
	}
	out, messages, err := runProcess(ctx, mmdebstrap, "--mode=root", "--variant=minbase", "--format=directory",
		"--aptopt=Acquire::Languages \"none\"", "--dpkgopt=force-unsafe-io",
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		"--include="+strings.Join(hostPackages(opts.Suite), ","), opts.Suite, tree, source)
	if err != nil {
		_, _ = messages.Write(out)
		return fmt.Errorf("lab: root file system of a host: mmdebstrap: %w%s", err, messages.quote())
	}
	// Nothing of how it was made stays in it.
	for _, own := range []string{"etc/apt/sources.list.d/0000sources.list", "etc/apt/apt.conf.d/99mmdebstrap", "etc/dpkg/dpkg.cfg.d/99mmdebstrap"} {
		if err := os.RemoveAll(filepath.Join(tree, own)); err != nil {
			return fmt.Errorf("lab: root file system of a host: %w", err)
		}
	}
	files := hostFiles()
	files["etc/apt/sources.list"] = hostSources(opts.Suite)
	return fillTree(tree, files)
}

// fillTree writes files and masks units.
func fillTree(tree string, files map[string]string) error {
	var errs []error
	for name, text := range files {
		path := filepath.Join(tree, name)
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	}
	for _, unit := range hostMasked() {
		link := filepath.Join(tree, "etc/systemd/system", unit)
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		errs = append(errs, os.Symlink("/dev/null", link))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("lab: root file system of a host: %w", err)
	}
	return nil
}

// lockFile waits until no other process holds the lock.
func lockFile(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lab: lock %s: %w", name, err)
	}
	return func() { _ = f.Close() }, nil
}
