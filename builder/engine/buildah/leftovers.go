package buildah

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"go.podman.io/storage"
	"golang.org/x/sys/unix"
)

// removeLeftovers clears away what a build left that was killed. Only a holder
// of the lock makes working containers, and none outlives its build, so all
// that are there now are such.
func (s *Store) removeLeftovers(ctx context.Context) error {
	containers, err := s.store.Containers()
	if err != nil {
		return fmt.Errorf("listing working containers: %w", err)
	}
	if len(containers) > 0 {
		if err := s.endCommands(ctx); err != nil {
			return fmt.Errorf("ending what a killed build left running: %w", err)
		}
	}
	for _, c := range containers {
		if _, err := s.store.Unmount(c.ID, true); err != nil && !errors.Is(err, storage.ErrLayerNotMounted) {
			return fmt.Errorf("unmounting the working container %s of a killed build: %w", c.ID[:12], err)
		}
		if err := s.store.DeleteContainer(c.ID); err != nil {
			return fmt.Errorf("removing the working container %s of a killed build: %w", c.ID[:12], err)
		}
	}
	tmp := s.tmp()
	if err := unmountBelow(tmp); err != nil {
		return err
	}
	left, err := os.ReadDir(tmp)
	if err != nil {
		return err
	}
	for _, e := range left {
		if err := os.RemoveAll(filepath.Join(tmp, e.Name())); err != nil {
			return fmt.Errorf("removing the files of a killed build: %w", err)
		}
	}
	return nil
}

// endCommands has runc kill and forget the containers that run on a root file
// system of this store: a command goes on when the process that waits for it
// is killed.
func (s *Store) endCommands(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, runtimeBinary, "list", "--format", "json").Output()
	if err != nil {
		return fmt.Errorf("%s list: %w", runtimeBinary, err)
	}
	var running []struct {
		ID     string `json:"id"`
		Rootfs string `json:"rootfs"`
	}
	// runc says "null" when there are none.
	if err := json.Unmarshal(out, &running); err != nil {
		return fmt.Errorf("%s list: %w", runtimeBinary, err)
	}
	for _, c := range running {
		if !strings.HasPrefix(c.Rootfs, s.opts.Dir+"/") {
			continue
		}
		if said, err := exec.CommandContext(ctx, runtimeBinary, "delete", "--force", c.ID).CombinedOutput(); err != nil {
			return fmt.Errorf("%s delete --force %s: %w: %s", runtimeBinary, c.ID, err, said)
		}
	}
	return nil
}

// unmountBelow takes away the mounts of buildah's bundles and mmdebstrap's
// chroots, the last one first; what they show must not be removed with them.
func unmountBelow(dir string) error {
	raw, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	lines := strings.Split(string(raw), "\n")
	for _, line := range slices.Backward(lines) {
		f := strings.Fields(line)
		if len(f) < 5 || !strings.HasPrefix(f[4], dir+"/") {
			continue
		}
		if err := unix.Unmount(f[4], unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s, which a killed build left: %w", f[4], err)
		}
	}
	return nil
}
