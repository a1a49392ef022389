package socket

import (
	"errors"
	"fmt"
	"io/fs"
)

// Reasons why hooks cannot be attached, for errors.Is. Each comes with the
// words that say what to do.
var (
	// ErrMap says that the port map itself is wrong.
	ErrMap = errors.New("invalid port map")
	// ErrNoHooks says that the kernel lacks what the hooks need.
	ErrNoHooks = errors.New("this kernel cannot move ports below a service")
	// ErrNoRights says that the caller may not do it.
	ErrNoRights = errors.New("no rights")
	// ErrNoCgroup says that the cgroup v2 tree, or a usable cgroup, is missing.
	ErrNoCgroup = errors.New("no usable cgroup v2")
	// ErrPinRoot says that links cannot be pinned in the given directory.
	ErrPinRoot = errors.New("no place for pins")
	// ErrNotInForce says that what [Check] was asked for is not, or only partly, there.
	ErrNotInForce = errors.New("not in force")
)

// configCure is what remains where the kernel cannot help.
const configCure = `cure: a newer kernel, or move the ports with via = "config" and leave them unguarded`

// explainRights says what rights are wanted, if their lack is the reason.
func explainRights(err error) error {
	// ErrPermission stands for EPERM and EACCES.
	if !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrNoRights) {
		return err
	}
	return fmt.Errorf("%w: %w; cure: run as root of the host, with CAP_SYS_ADMIN and CAP_NET_ADMIN, and outside of containers", ErrNoRights, err)
}
