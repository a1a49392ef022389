package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Tool is a program, or with a slash in its name a file, that some part of the
// lab needs, and the Debian package that has it.
type Tool struct {
	Name    string
	Package string
}

// MissingError says which tools the machine lacks.
type MissingError struct {
	Tools []Tool
}

// Error names every missing tool with its package, and the cure.
func (e *MissingError) Error() string {
	var names, packages []string
	for _, t := range e.Tools {
		names = append(names, fmt.Sprintf("%s (Debian package %s)", t.Name, t.Package))
		packages = append(packages, t.Package)
	}
	return fmt.Sprintf("lab: not installed: %s; cure: tests/tools/setup.sh apt, or apt-get install --no-install-recommends %s",
		strings.Join(names, ", "), strings.Join(packages, " "))
}

// EngineTools are the tools of [StartEngine].
func EngineTools() []Tool {
	return []Tool{
		{"dockerd", "docker.io"},
		{"containerd", "containerd"},
		{"runc", "runc"},
		{"unshare", "util-linux"},
	}
}

// FabricTools are the tools of [StartFabric] and of a [Fabric]'s queries.
func FabricTools() []Tool {
	return []Tool{
		{"ibsim", "ibsim-utils"},
		{libraryPath(), "libumad2sim0"},
		{"smpquery", "infiniband-diags"},
	}
}

// OpenSMTools are the tools of [Fabric.StartOpenSM].
func OpenSMTools() []Tool { return []Tool{{"opensm", "opensm"}} }

// RegistryTools are the tools of [StartRegistry].
func RegistryTools() []Tool { return []Tool{{"docker-registry", "docker-registry"}} }

// Missing returns a [*MissingError] for those of the tools that are not
// there, and nil when all are.
func Missing(tools ...Tool) error {
	var missing []Tool
	for _, t := range tools {
		if _, err := findTool(t.Name); err != nil {
			missing = append(missing, t)
		}
	}
	if missing == nil {
		return nil
	}
	return &MissingError{Tools: missing}
}

// searchPath is PATH for every child of the lab, and where its programs are
// looked for besides the caller's own PATH: a user's PATH often lacks the sbin
// directories, which is where dockerd, opensm and sminfo are on Debian.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// findTool returns the absolute path of a program, or of a file if the name
// has a slash.
func findTool(name string) (string, error) {
	if strings.Contains(name, "/") {
		if _, err := os.Stat(name); err != nil {
			return "", fmt.Errorf("lab: %w", err)
		}
		return name, nil
	}
	for _, dir := range append([]string{""}, filepath.SplitList(searchPath)...) {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("lab: %s: %w", name, exec.ErrNotFound)
}

// libraryPath is where Debian's libumad2sim0 has the library that turns a
// program's access to /dev/infiniband/umadN into one to ibsim.
func libraryPath() string {
	triplet := runtime.GOARCH + "-linux-gnu"
	switch runtime.GOARCH {
	case "amd64":
		triplet = "x86_64-linux-gnu"
	case "arm64":
		triplet = "aarch64-linux-gnu"
	}
	return "/usr/lib/" + triplet + "/umad2sim/libumad2sim.so"
}
