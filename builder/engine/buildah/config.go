package buildah

import (
	"maps"
	"slices"
	"time"

	"github.com/containers/buildah/docker"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/plan"
)

// config sets the image's configuration. The health check exists in Docker's
// format only, which is why images are committed in it: the OCI format drops it.
func (w *working) config(op plan.Config) {
	b := w.builder
	b.UnsetLabel(contract.Label) // an ancestor's contract is not this image's
	for _, k := range slices.Sorted(maps.Keys(op.Labels)) {
		b.SetLabel(k, op.Labels[k])
	}
	for _, k := range slices.Sorted(maps.Keys(op.Env)) {
		b.SetEnv(k, op.Env[k])
	}
	// An image made elsewhere may start as another user, elsewhere, and with an
	// entrypoint that would get the command as its arguments.
	b.SetEntrypoint(nil)
	b.SetUser("")
	b.SetWorkDir("")
	b.SetCmd(op.Cmd)
	b.SetStopSignal(op.StopSignal)
	b.SetHostname("")
	for _, v := range op.Volumes {
		b.AddVolume(v)
	}
	if h := op.Health; h != nil {
		b.SetHealthcheck(&docker.HealthConfig{
			Test:        append([]string{"CMD"}, h.Command...),
			Interval:    time.Duration(h.Interval) * time.Second,
			Timeout:     time.Duration(h.Timeout) * time.Second,
			StartPeriod: time.Duration(h.StartPeriod) * time.Second,
			Retries:     h.Retries,
		})
	}
}
