package buildah

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.podman.io/image/v5/types"
	"go.podman.io/storage"
	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/engine"
)

// Store implements engine.Store.
type Store struct {
	opts  engine.StoreOptions
	store storage.Store
	sys   *types.SystemContext
	// updated are the package sources whose lists this process has refreshed.
	updated map[string]bool
}

var _ engine.Store = (*Store)(nil)

// Open opens the store below o.Dir, making what is missing. It fails when the
// overlay driver cannot be used there.
func Open(o engine.StoreOptions) (*Store, error) {
	if o.RunDir == "" {
		sum := sha256.Sum256([]byte(o.Dir))
		o.RunDir = filepath.Join(runtimeDir(o), "ibforge", hex.EncodeToString(sum[:6]))
	}
	for _, d := range []string{"storage", "blobs", "apt", "tmp", "copies"} {
		if err := os.MkdirAll(filepath.Join(o.Dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("making the store: %w; choose a place that you may write with --store or IBFORGE_STORE", err)
		}
	}
	// Signatures are not in use here: what comes from outside is pinned by
	// digest (plan.Import) or verified by apt. A policy has to be given all the
	// same, and the host's must not decide (containers-policy.json(5)).
	policy := filepath.Join(o.Dir, "policy.json")
	registries := filepath.Join(o.Dir, "registries.conf")
	for name, content := range map[string]string{policy: `{"default":[{"type":"insecureAcceptAnything"}]}` + "\n", registries: ""} {
		if err := writeIfDifferent(name, content); err != nil {
			return nil, fmt.Errorf("making the store: %w", err)
		}
	}
	s, err := storage.GetStore(storage.StoreOptions{
		GraphRoot:       filepath.Join(o.Dir, "storage"),
		RunRoot:         o.RunDir,
		GraphDriverName: "overlay",
	})
	if err != nil {
		return nil, fmt.Errorf("opening the store %s with the overlay driver: %w", o.Dir, err)
	}
	return &Store{
		opts:  o,
		store: s,
		sys: &types.SystemContext{
			SignaturePolicyPath:         policy,
			SystemRegistriesConfPath:    registries,
			SystemRegistriesConfDirPath: filepath.Join(o.Dir, "registries.conf.d"),
			BigFilesTemporaryDir:        filepath.Join(o.Dir, "copies"),
		},
		updated: map[string]bool{},
	}, nil
}

// runtimeDir is a directory that a reboot empties.
func runtimeDir(o engine.StoreOptions) string {
	if os.Geteuid() == 0 {
		return "/run"
	}
	if d, _ := o.LookupEnv("XDG_RUNTIME_DIR"); d != "" {
		return d
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("ibforge-run-%d", os.Geteuid()))
}

func writeIfDifferent(name, content string) error {
	if old, err := os.ReadFile(name); err == nil && string(old) == content {
		return nil
	}
	return os.WriteFile(name, []byte(content), 0o600)
}

// Close implements engine.Store.
func (s *Store) Close() error {
	_, err := s.store.Shutdown(false)
	if errors.Is(err, storage.ErrLayerUsedByContainer) {
		// Another process has a working container mounted; that is its business.
		return nil
	}
	if err != nil {
		return fmt.Errorf("closing the store %s: %w", s.opts.Dir, err)
	}
	return nil
}

// Lock implements engine.Store with flock(2), which the kernel releases when
// the holder dies, however it dies.
func (s *Store) Lock(ctx context.Context, waiting func(pid string)) (func(), error) {
	name := filepath.Join(s.opts.Dir, "build.lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the store: %w", err)
	}
	// Closing gives the lock up; it has no data to lose that anybody needs.
	unlock := func() { _ = f.Close() }
	if err := await(ctx, f, waiting); err != nil {
		unlock()
		return nil, err
	}
	// The number is only for the message of whoever waits. On a full disk it
	// cannot be written, and what fills the disk may be what is removed next.
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err := s.removeLeftovers(ctx); err != nil {
		unlock()
		return nil, err
	}
	// buildah takes the place of its bundles from the environment alone
	// (internal/tmpdir). They have to be where removeLeftovers finds them.
	if err := os.Setenv("TMPDIR", s.tmp()); err != nil { //nolint:forbidigo // see above: it is buildah's only way in
		unlock()
		return nil, err
	}
	return unlock, nil
}

// await takes the lock, once nobody else has it.
func await(ctx context.Context, f *os.File, waiting func(pid string)) error {
	for told := false; ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("locking %s: %w", f.Name(), err)
		}
		if !told {
			told = true
			pid, _ := os.ReadFile(f.Name()) // best effort: the number is only for the message
			waiting(strings.TrimSpace(string(pid)))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// tmp is for the holder of the lock alone, who finds it empty.
func (s *Store) tmp() string { return filepath.Join(s.opts.Dir, "tmp") }

// noSpace adds to ENOSPC which file system it was: the bare words do not say.
func noSpace(err error, dir string) error {
	if err == nil || !errors.Is(err, unix.ENOSPC) && !strings.Contains(err.Error(), "no space left on device") {
		return err
	}
	return fmt.Errorf("%w: the file system of the store %s is full; free some room there, or choose another place with --store or IBFORGE_STORE", err, dir)
}
