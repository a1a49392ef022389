package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newVersion(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and those of the libraries that carry the weight",
		Args:  args(),
		RunE: func(*cobra.Command, []string) error {
			v := versions()
			if g.json {
				return g.printJSON(v)
			}
			w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintf(w, "ibforge\t%s\ngo\t%s\n", v.Version, v.Go)
			for _, m := range carriers() {
				fmt.Fprintf(w, "%s\t%s\n", m, v.Modules[m])
			}
			return w.Flush()
		},
	}
}

type versionInfo struct {
	Version string            `json:"version"`
	Go      string            `json:"go"`
	Modules map[string]string `json:"modules"`
}

// carriers are the libraries whose behaviour an operator may have to look up.
func carriers() []string {
	return []string{
		"github.com/containers/buildah", "github.com/apenella/go-ansible/v2",
		"github.com/hashicorp/hcl/v2", "github.com/docker/docker",
	}
}

// versions reads what the Go linker has put into the binary.
func versions() versionInfo {
	v := versionInfo{Version: "(unknown)", Go: runtime.Version(), Modules: map[string]string{}}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Version += " " + s.Value
		}
	}
	for _, want := range carriers() {
		for _, m := range info.Deps {
			if m.Path == want {
				v.Modules[want] = m.Version
			}
		}
	}
	return v
}
