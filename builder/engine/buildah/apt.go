package buildah

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// apt runs one of apt's programs, or mmdebstrap, which passes apt's words on.
// When it fails because of what the description asks for, its own words come
// back as diagnostics at subject, each once.
func (w *working) apt(ctx context.Context, env []string, subject hcl.Range, argv ...string) error {
	if _, err := exec.LookPath(argv[0]); err != nil {
		return fmt.Errorf("%s is not installed on this machine, which has to be Debian or a derivative to install Debian's packages: apt-get install apt", argv[0])
	}
	var said bytes.Buffer
	run := *w
	run.log = io.MultiWriter(w.log, &said)
	err := outside(ctx, env, run.log, argv...)
	var exit *exec.ExitError
	if err == nil || ctx.Err() != nil || !errors.As(err, &exit) {
		return err
	}
	words := aptErrors(said.String())
	if strings.Contains(words, "No space left on device") {
		return fmt.Errorf("%s: no space left on device", argv[0])
	}
	if words == "" {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), exit)
	}
	summary := "Packages cannot be installed"
	if strings.Contains(words, "Unable to locate package") || strings.Contains(words, "no installation candidate") {
		summary = "No such package"
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   "apt says: " + words,
		Subject:  &subject,
	}}
}

// aptErrors picks apt's and mmdebstrap's own errors out of all the output.
func aptErrors(output string) string {
	errorLine := regexp.MustCompile(`^E: (.*)$`)
	noise := regexp.MustCompile(`^(apt-get .* failed|Sub-process|mmdebstrap failed|.* failed: process exited)`)
	seen := map[string]bool{}
	var out []string
	for _, line := range strings.Split(output, "\n") {
		m := errorLine.FindStringSubmatch(line)
		if m == nil || seen[m[1]] || noise.MatchString(m[1]) {
			continue
		}
		seen[m[1]] = true
		out = append(out, m[1])
	}
	return strings.Join(out, "; ")
}
