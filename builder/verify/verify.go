// Package verify boots an image in a container engine and holds it against its
// Runtime contract: what the image promises is proven, not read.
//
// It speaks the docker API and makes one container from the contract and from
// nothing else; the few things that a host adds (systemd's view of its cgroup,
// volumes in place of host directories) are listed in the [Report]. Only
// builder/cli imports it, and it knows of ibforge the contract and what moves
// its ports.
package verify

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ibforge/ibforge/builder/contract"
)

// Image is what is to be proven.
type Image struct {
	// Name of the description's image block, such as "opensm".
	Name string
	// Reference is the image's name in the engine, such as "opensm:1.0", for
	// the report. May be empty: the container is made from ID.
	Reference string
	// ID is the config digest, "sha256:…", which docker shows as the image ID
	// and which is the same in every transport, unlike the manifest digest.
	ID string
	// Contract that the image is held against.
	Contract contract.Contract
}

// Source gives the image to an engine that does not have it yet.
type Source interface {
	// DockerArchive writes the image as a docker-archive tar, as `docker save`
	// does. It is called at most once, and only when the engine has no image
	// of that ID. It must return when a write fails or ctx is done.
	DockerArchive(ctx context.Context, w io.Writer) error
}

// Clock lets tests of waiting run without waiting.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or returns ctx's error when ctx is done before.
	Sleep(ctx context.Context, d time.Duration) error
}

// Options of one run; the zero value is useful.
type Options struct {
	// Host is the engine's endpoint, such as "unix:///run/docker.sock". Empty
	// means DOCKER_HOST (with DOCKER_CERT_PATH and DOCKER_TLS_VERIFY) of the
	// process, and without that docker's default socket.
	Host string
	// Volumes beyond the contract, or in place of the contract's volume with
	// the same path.
	Volumes []VolumeOverride
	// Keep leaves the stopped container, its volumes and its cgroup for a
	// look; the report names them.
	Keep bool
	// BootTimeout limits the time to systemd's "running"; 0 means one minute.
	BootTimeout time.Duration
	// Clock is the system's when nil.
	Clock Clock
	// HostMirrors are archive hosts of the build machine, such as a company's
	// package mirror, whose names must not be in the image's /etc.
	HostMirrors []string
}

const (
	defaultBootTimeout = time.Minute
	// cleanupTimeout is for removing what was made, also after a cancel.
	cleanupTimeout = 30 * time.Second
)

// Run proves the image and reports every check, also those after a failed one
// if they do not depend on it. A failed check is no error: see [Report.OK].
//
// The error tells that the proof could not be carried out: no engine
// ([NoEngineError]), one that is too old ([OldEngineError]), a faulty option, a
// cancelled ctx, or something made here that could not be removed. The report
// then holds what was found until then, and is not OK.
//
// The container, its volumes and its cgroup are removed in any case but Keep.
// An image that was loaded stays in the engine, so that the next run is quick.
func Run(ctx context.Context, img Image, src Source, opts Options) (Report, error) {
	report := Report{Image: img.Name, Reference: img.Reference, ID: img.ID, Additions: []string{}, Checks: []Check{}, Kept: []string{}}
	err := run(ctx, img, src, opts, &report)
	if err != nil {
		err = fmt.Errorf("verifying image %q: %w", img.Name, err)
		report.Aborted = err.Error()
	}
	return report, err
}

func run(ctx context.Context, img Image, src Source, opts Options, report *Report) (err error) {
	if opts.BootTimeout == 0 {
		opts.BootTimeout = defaultBootTimeout
	}
	if opts.Clock == nil {
		opts.Clock = systemClock{}
	}
	if img.Contract.Init != "systemd" {
		return fmt.Errorf("the contract's init is %q: only \"systemd\" can be booted", img.Contract.Init)
	}
	eng, err := connect(ctx, opts.Host)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.api.Close()) }()
	report.Engine = eng.Engine

	token := make([]byte, 6)
	rand.Read(token) // never fails: crypto/rand.Read documents it
	plan, err := draw(img, opts.Volumes, host{engine: eng.Engine, present: eng.present}, hex.EncodeToString(token))
	if err != nil {
		return err
	}
	report.Additions = plan.additions
	s := &session{eng: eng, img: img, src: src, opts: opts, plan: plan, report: report}
	defer func() {
		// ctx may be the reason why we are here, and must not stop the clean-up.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		err = errors.Join(err, s.remove(late))
	}()
	return s.prove(ctx)
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() } //nolint:forbidigo // this is the clock that is handed in

func (systemClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
