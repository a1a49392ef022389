package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
)

// minAPIVersion is docker 20.10's. Before it the engine does not tell its
// cgroup version, without which systemd cannot be given its cgroup, and has no
// cgroup namespace mode (docs.docker.com/reference/api/engine/version-history).
const minAPIVersion = "1.41"

// NoEngineError says that nobody answers at the endpoint.
type NoEngineError struct {
	// Endpoint that was tried.
	Endpoint string
	// Err is why it failed.
	Err error
}

// Error names the endpoint, the cause and the cure.
func (e *NoEngineError) Error() string {
	cure := "start one (systemctl start docker), or name another endpoint in DOCKER_HOST"
	if errors.Is(e.Err, fs.ErrPermission) {
		cure = "use an account that may open it (group docker, or root), or name another endpoint in DOCKER_HOST"
	}
	return fmt.Sprintf("no container engine at %s: %v: %s", e.Endpoint, e.Err, cure)
}

// Unwrap gives the cause.
func (e *NoEngineError) Unwrap() error { return e.Err }

// OldEngineError says that the engine's API is older than docker 20.10's.
type OldEngineError struct {
	Endpoint, APIVersion string
}

// Error names both versions and the cure.
func (e *OldEngineError) Error() string {
	return fmt.Sprintf("the container engine at %s speaks API %s, and %s (docker 20.10) is the oldest that tells its cgroup version: use a newer engine",
		e.Endpoint, e.APIVersion, minAPIVersion)
}

// engine is a connection to an engine that is fit for the proof.
type engine struct {
	Engine
	api *client.Client
	// containerd tells that images are kept in containerd's store, whose IDs
	// are manifest digests.
	containerd bool
}

func connect(ctx context.Context, endpoint string) (*engine, error) {
	// Not client.FromEnv: it would also take DOCKER_API_VERSION, which switches
	// the negotiation off.
	opts := []client.Opt{client.WithTLSClientConfigFromEnv(), client.WithHostFromEnv(), client.WithAPIVersionNegotiation()}
	if endpoint != "" {
		opts = []client.Opt{client.WithHost(endpoint), client.WithAPIVersionNegotiation()}
	}
	api, err := client.NewClientWithOpts(opts...)
	if err != nil {
		if endpoint == "" {
			endpoint = os.Getenv(client.EnvOverrideHost) //nolint:forbidigo // docker's client has read it there
		}
		return nil, &NoEngineError{Endpoint: fmt.Sprintf("%q", endpoint), Err: err}
	}
	eng, err := examine(ctx, api)
	if err != nil {
		return nil, errors.Join(err, api.Close())
	}
	return eng, nil
}

func examine(ctx context.Context, api *client.Client) (*engine, error) {
	ping, err := api.Ping(ctx)
	if err != nil {
		return nil, &NoEngineError{Endpoint: api.DaemonHost(), Err: err}
	}
	if ping.APIVersion == "" || versions.LessThan(ping.APIVersion, minAPIVersion) {
		return nil, &OldEngineError{Endpoint: api.DaemonHost(), APIVersion: orNone(ping.APIVersion)}
	}
	api.NegotiateAPIVersionPing(ping)
	info, err := api.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking the container engine at %s about itself: %w", api.DaemonHost(), err)
	}
	for _, o := range info.SecurityOptions {
		if strings.HasPrefix(o, "name=rootless") {
			return nil, fmt.Errorf("the container engine at %s is rootless: it cannot give systemd a cgroup of its own, nor a fabric service the host's devices: use a rootful engine", api.DaemonHost())
		}
	}
	eng := &engine{api: api, Engine: Engine{
		Endpoint: api.DaemonHost(), Version: info.ServerVersion, APIVersion: api.ClientVersion(),
		CgroupVersion: info.CgroupVersion, CgroupDriver: info.CgroupDriver,
	}}
	for _, kv := range info.DriverStatus {
		eng.containerd = eng.containerd || kv == [2]string{"driver-type", "io.containerd.snapshotter.v1"}
	}
	return eng, nil
}

// local tells that the engine shares this machine's /dev and cgroup tree.
func (e *engine) local() bool { return strings.HasPrefix(e.Endpoint, "unix://") }

// present tells whether the engine's host has the device. A host elsewhere
// cannot be asked: there the engine itself refuses to start the container.
func (e *engine) present(device string) bool {
	if !e.local() {
		return true
	}
	_, err := os.Stat(device)
	return err == nil
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}
