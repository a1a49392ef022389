package buildah

import (
	"github.com/containers/buildah"
	"go.podman.io/storage/pkg/unshare"
)

// Reexec is the first thing that main calls. It returns true in a process that
// buildah started for a job of its own, which is then done. Without root it
// starts the program again in a user namespace, where it may mount and chown.
func Reexec() bool {
	if buildah.InitReexec() {
		return true
	}
	unshare.MaybeReexecUsingUserNamespace(false)
	return false
}
