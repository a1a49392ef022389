package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap"
)

// The programs that go beside ibforge: both are static, because they run where
// ibforge does not.
const (
	// portsHelper goes into images whose ports are moved.
	portsHelper = "ibforge-ports"
	// portmapAgent goes onto hosts where ports are moved below a service.
	portmapAgent = "ibforge-portmap"
)

// companion is the path of a program beside ibforge.
func (g *globals) companion(name string) string {
	dir := g.env("IBFORGE_LIBEXEC")
	if dir == "" {
		dir = g.Libexec
	}
	return filepath.Join(dir, name)
}

// digestOf is the SHA-256 of a file in hex; empty for a file that is not there.
func digestOf(name string) (string, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// agent describes the agent for Ansible if one of the contracts needs it on its
// hosts; nil if none does. Contracts may be nil.
func (g *globals) agent(contracts ...*contract.Contract) (*companionEntry, error) {
	if !slices.ContainsFunc(contracts, func(c *contract.Contract) bool { return c != nil && portmap.Hooked(c.Ports) }) {
		return nil, nil
	}
	path, err := filepath.Abs(g.companion(portmapAgent))
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w; give IBFORGE_LIBEXEC an absolute path", portmapAgent, err)
	}
	sum, err := digestOf(path)
	if err != nil {
		return nil, err
	}
	if sum == "" {
		return nil, fmt.Errorf("an image has ports that are moved below the service, which takes the program %s on its hosts, and %s does not exist: \"make build\" makes it; IBFORGE_LIBEXEC names another directory", portmapAgent, path)
	}
	return &companionEntry{Path: path, SHA256: sum}, nil
}
