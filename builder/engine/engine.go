// Package engine carries a plan out. It holds the small interface behind which
// an image store stands, the loop that asks for a step only when its key is
// unknown, and the Recorder that stands in for a store in tests.
//
// engine/buildah is the one implementation, and the only package that imports
// buildah. engine imports plan; cli and tests import engine.
package engine

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/plan"
)

// Engine is an image store that can carry steps out.
//
// All methods may be called again after an error: a step is in the store
// either whole or not at all.
type Engine interface {
	// Has tells whether the step with this key has been done.
	Has(ctx context.Context, key string) (bool, error)
	// Apply does the step upon the result of step.ParentKey and keeps the
	// result under step.Key. What the step's commands print goes to log.
	//
	// A fault of the description, such as a package that does not exist, is
	// returned as hcl.Diagnostics.
	Apply(ctx context.Context, step plan.Step, log io.Writer) error
	// Tag names the result of a key and describes it.
	Tag(ctx context.Context, key, reference string) (Image, error)
}

// Store is what a command needs of a store beside building.
type Store interface {
	Engine
	// Lock keeps other builds out until unlock is called. While another one
	// has the store, waiting is called once with its process number.
	Lock(ctx context.Context, waiting func(pid string)) (unlock func(), err error)
	// Inspect describes an image by its reference, ID or name ("opensm").
	Inspect(ctx context.Context, name string) (Image, error)
	// Push copies an image to dest, in containers-transports(5) form, and
	// returns the digest of the manifest that dest then has.
	Push(ctx context.Context, name, dest string, opts PushOptions) (string, error)
	// DockerArchive writes the image as docker-archive(5) to w.
	DockerArchive(ctx context.Context, name string, w io.Writer) error
	// Close gives the store back.
	Close() error
}

// StoreOptions say which store to open.
type StoreOptions struct {
	// Dir is the store's directory; it is created.
	Dir string
	// RunDir holds what must not survive a reboot, such as mount counts. Empty
	// for a directory of /run that belongs to Dir.
	RunDir string
	// Mirror replaces Debian's canonical archive, http://deb.debian.org, while
	// packages are fetched. It does not enter any image.
	Mirror string
	// Project is the directory from which the relative names of payloads count.
	Project string
	// Helper is the file of the program ibforge-ports, whose sum is
	// plan.Options.Helper; empty where no image needs it.
	Helper string
	// Epoch is plan.Options.Epoch.
	Epoch int64
	// Environ is the environment, NAME=VALUE: of it count the proxies for
	// fetching packages, DOCKER_HOST for pushing to docker-daemon, and
	// XDG_RUNTIME_DIR where RunDir is empty and the user is not root.
	Environ []string
}

// LookupEnv is os.LookupEnv for Environ: the last one counts.
func (o StoreOptions) LookupEnv(name string) (value string, ok bool) {
	for _, entry := range slices.Backward(o.Environ) {
		if value, ok = strings.CutPrefix(entry, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// PushOptions of Store.Push.
type PushOptions struct {
	// Authfile is a containers-auth.json(5); empty for the default places.
	Authfile string
	// PlainHTTP allows a registry without TLS, or with a certificate that
	// nobody signed.
	PlainHTTP bool
	// Progress, if not nil, is told what is copied.
	Progress io.Writer
}

// Image is an image in a store.
type Image struct {
	Name      string `json:"name"`
	Reference string `json:"reference"`
	// ID is the digest of the configuration, "sha256:…": the same in every
	// store and every container engine.
	ID string `json:"id"`
	// Digest is that of the manifest in this store. It changes with the
	// compression of the layers, so it is another one in a registry.
	Digest  string            `json:"digest"`
	Arch    string            `json:"architecture"`
	Created time.Time         `json:"created"`
	Size    int64             `json:"size"`
	Labels  map[string]string `json:"labels"`
	Layers  []Layer           `json:"layers"`
	// Contract is nil where the image has none.
	Contract *contract.Contract `json:"contract,omitempty"`
}

// Layer is one layer, or a history entry without one.
type Layer struct {
	// DiffID is the digest of the unpacked layer; empty where the step made none.
	DiffID string `json:"diff_id,omitempty"`
	// Size of the unpacked layer in bytes.
	Size int64 `json:"size"`
	// Step is the summary of the step that made it.
	Step string `json:"step"`
	// Key of that step; empty for the layers of an imported image.
	Key string `json:"key,omitempty"`
}

// Progress is told how a build goes on. Methods are called one at a time.
type Progress interface {
	// StepStart: n counts from 1 to total within the image.
	StepStart(img plan.Image, step plan.Step, n, total int)
	// StepDone: cached says that the key was known. output is what the step
	// printed; it is worth showing when err is not nil.
	StepDone(img plan.Image, step plan.Step, cached bool, took time.Duration, output []byte, err error)
	// ImageDone: the image has its name.
	ImageDone(img plan.Image, made Image)
}

// StepError says which step of which image failed.
type StepError struct {
	Image string
	Step  plan.Step
	Err   error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("image %q, step %q: %v", e.Image, e.Step.Summary, e.Err)
}

// Unwrap gives the cause.
func (e *StepError) Unwrap() error { return e.Err }
