package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// registryStartLimit is how long the registry may take until it answers.
const registryStartLimit = time.Minute

// portTries is how often a port is chosen anew because it was taken between
// the choice and the use.
const portTries = 5

// registryHeader is in every answer, with the instance's ID: it tells this
// registry from a stranger that took the port first.
const registryHeader = "X-Ibforge-Lab"

// registryConfig needs the directory, the address and the instance's ID.
const registryConfig = `version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
http:
  addr: %q
  headers:
    ` + registryHeader + `: [%q]
`

// Registry is an image registry without authentication and without TLS on a
// port of the loopback interface.
type Registry struct {
	dir, address string
	proc         *process
	life         life
}

// StartRegistry starts a registry that keeps its blobs in dir, and returns
// when it answers. No privileges are needed. log may be nil.
func StartRegistry(ctx context.Context, dir string, log io.Writer) (*Registry, error) {
	if err := Missing(RegistryTools()...); err != nil {
		return nil, err
	}
	dir, err := makeDir("registry", dir)
	if err != nil {
		return nil, err
	}
	r := &Registry{dir: dir}
	for range portTries {
		err = r.start(ctx, log)
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	r.life.bind(ctx, r.Stop)
	return r, nil
}

func (r *Registry) start(ctx context.Context, log io.Writer) error {
	path, err := findTool("docker-registry")
	if err != nil {
		return err
	}
	r.address, err = freePort(ctx)
	if err != nil {
		return err
	}
	id, config := newID(), filepath.Join(r.dir, "config.yml")
	text := fmt.Sprintf(registryConfig, filepath.Join(r.dir, "data"), r.address, id)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return fmt.Errorf("lab: registry: %w", err)
	}
	r.proc, err = startProcess("docker-registry", command{
		argv: []string{path, "serve", config}, dir: r.dir, log: log, deathSignal: syscall.SIGKILL,
		env: []string{"PATH=" + searchPath},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, registryStartLimit)
	defer cancel()
	if err := poll(ctx, r.proc, func(ctx context.Context) error { return r.answers(ctx, id) }); err != nil {
		return failedStart(err, r.proc.stop(ctx))
	}
	return nil
}

// freePort returns an address of the loopback interface that nobody listens
// on at this moment. docker-registry takes port 0, but does not say which port
// it got.
func freePort(ctx context.Context) (string, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("lab: registry: find a free port: %w", err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("lab: registry: find a free port: %w", err)
	}
	return address, nil
}

// answers returns nil when the registry with the given ID speaks version 2 of
// the distribution API.
func (r *Registry) answers(ctx context.Context, id string) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.address+"/v2/", http.NoBody)
	if err != nil {
		return fmt.Errorf("lab: registry: %w", err)
	}
	// A transport of its own: a proxy of the environment has no business here.
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotYet, err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if got := resp.Header.Get(registryHeader); resp.StatusCode != http.StatusOK || got != id {
		return fmt.Errorf("%w: %s answers %s", errNotYet, req.URL, resp.Status)
	}
	return nil
}

// Address returns "127.0.0.1:PORT", to put before an image's name. dockerd
// takes a registry on 127.0.0.0/8 without TLS as it is; buildah and skopeo
// need to be told.
func (r *Registry) Address() string { return r.address }

// Stop ends the registry. Its blobs stay in its directory.
func (r *Registry) Stop(ctx context.Context) error {
	return r.life.end(func() error { return r.proc.stop(ctx) })
}
