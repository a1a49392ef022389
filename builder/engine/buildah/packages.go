package buildah

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ibforge/ibforge/builder/plan"
)

// installDir is where the archives and the script are seen from inside.
const installDir = "/run/ibforge"

// packages lets the build host's apt choose, order and download, and dpkg
// inside the working container unpack and configure in that same order.
func (w *working) packages(ctx context.Context, op plan.Packages) error {
	sources, err := os.ReadFile(filepath.Join(w.root, "etc/apt/sources.list"))
	if err != nil {
		return fmt.Errorf("the image has no /etc/apt/sources.list to install from: packages can be installed in images that begin with a debian bootstrap, or keep that file: %w", err)
	}
	a, err := w.aptDir(string(sources), op.Omit)
	if err != nil {
		return err
	}
	env := append(w.hostEnv(), "APT_CONFIG="+filepath.Join(a, "apt.conf"))
	if !w.updated[a] {
		if err := w.apt(ctx, env, op.Range, "apt-get", "-qq", "update"); err != nil {
			return err
		}
		w.updated[a] = true
	}
	var order bytes.Buffer
	install := append([]string{"--yes", "install", "--"}, op.Install...)
	simulate := *w
	simulate.log = io.MultiWriter(w.log, &order)
	if err := simulate.apt(ctx, env, op.Range, append([]string{"apt-get", "-q", "--simulate"}, install...)...); err != nil {
		return err
	}
	if err := w.apt(ctx, env, op.Range, append([]string{"apt-get", "-qq", "--download-only"}, install...)...); err != nil {
		return err
	}
	script, err := dpkgScript(&order, op.Omit)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(a, "archives", "install.sh"), []byte(script), 0o600); err != nil {
		return err
	}
	binds := []specs.Mount{{Destination: installDir, Type: "bind", Source: filepath.Join(a, "archives"), Options: []string{"rbind", "ro"}}}
	noninteractive := []string{"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true"}
	if err := w.inside([]string{"/bin/sh", "-e", installDir + "/install.sh"}, false, noninteractive, binds); err != nil {
		return fmt.Errorf("installing %s: %w", strings.Join(op.Install, " "), err)
	}
	return w.clean(op.Prune)
}

// aptDir prepares apt's own directory for one set of sources and the package
// state of the working container. Lists and archives stay for the next build.
func (w *working) aptDir(sources string, omit []string) (string, error) {
	fetch := w.fetchFrom(strings.Split(strings.TrimSpace(sources), "\n"))
	sum := sha256.Sum256([]byte(fetch))
	dir := filepath.Join(w.opts.Dir, "apt", hex.EncodeToString(sum[:6]))
	for _, d := range []string{"etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d", "lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return "", err
		}
	}
	status, err := os.ReadFile(filepath.Join(w.root, "var/lib/dpkg/status"))
	if err != nil {
		return "", fmt.Errorf("the image has no dpkg database: %w", err)
	}
	// apt takes an omitted package to be installed, in a version that
	// satisfies whoever asks; so it brings neither it nor what it needs.
	arch := dpkgArch(status)
	for _, name := range omit {
		status = fmt.Appendf(status, "\nPackage: %s\nStatus: install ok installed\nArchitecture: %s\nMulti-Arch: allowed\nVersion: 9999+omitted\nMaintainer: ibforge\nDescription: omitted by the description\n", name, arch)
	}
	conf := fmt.Sprintf(`Dir::Etc %[1]q;
Dir::Etc::main "none";
Dir::State %[2]q;
Dir::State::lists %[3]q;
Dir::State::status %[4]q;
Dir::Cache %[2]q;
Dir::Cache::archives %[5]q;
Dir::Log "/dev/null";
APT::Architecture %[6]q;
APT::Architectures { %[6]q; };
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
`, dir+"/etc", dir, dir+"/lists", dir+"/status", dir+"/archives", arch)
	for name, content := range map[string]string{"etc/sources.list": fetch, "status": string(status), "apt.conf": conf} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// dpkgArch is the architecture of dpkg itself, which every Debian image has.
func dpkgArch(status []byte) string {
	sc := bufio.NewScanner(bytes.NewReader(status))
	sc.Buffer(nil, 1<<20)
	inDpkg := false
	for sc.Scan() {
		if pkg, ok := strings.CutPrefix(sc.Text(), "Package: "); ok {
			inDpkg = pkg == "dpkg"
		}
		if arch, ok := strings.CutPrefix(sc.Text(), "Architecture: "); ok && inDpkg {
			return arch
		}
	}
	return "amd64"
}

// dpkgScript turns apt's simulation into the dpkg calls that apt would make.
// The order matters: dpkg does not unpack a package whose pre-dependency is
// not configured yet (Debian policy, 7.2).
func dpkgScript(simulation io.Reader, omit []string) (string, error) {
	// Inst name [old] (version archive… [arch]) …  |  Conf name (version …)
	line := regexp.MustCompile(`^(Inst|Conf) (\S+) (?:\[\S+\] )?\((\S+) .*?\[(\w+)\]\)`)
	options := "--force-unsafe-io"
	if len(omit) > 0 {
		// apt has solved every dependency but those that are omitted.
		// --ignore-depends would name these alone, but does not know perl:any.
		options += " --force-depends"
	}
	var out strings.Builder
	verb := ""
	sc := bufio.NewScanner(simulation)
	for sc.Scan() {
		m := line.FindStringSubmatch(sc.Text())
		if m == nil {
			if strings.HasPrefix(sc.Text(), "Inst ") || strings.HasPrefix(sc.Text(), "Conf ") || strings.HasPrefix(sc.Text(), "Remv ") {
				return "", fmt.Errorf("apt would do something that ibforge does not do to an image: %q", sc.Text())
			}
			continue
		}
		arg, next := m[2], "--configure"
		if m[1] == "Inst" {
			// apt names a downloaded archive so, with the epoch's colon escaped.
			arg, next = fmt.Sprintf("%s/%s_%s_%s.deb", installDir, m[2], strings.ReplaceAll(m[3], ":", "%3a"), m[4]), "--unpack"
		}
		if next != verb {
			fmt.Fprintf(&out, "\ndpkg %s %s", options, next)
			verb = next
		}
		out.WriteString(" " + arg)
	}
	if verb != "" {
		fmt.Fprintf(&out, "\ndpkg %s --configure --pending\n", options)
	}
	return out.String(), sc.Err()
}
