package verify

import (
	"fmt"
	"path"
	"strings"
)

// VolumeOverride mounts a path of the engine's host into the container.
type VolumeOverride struct {
	// Host and Path are absolute paths: on the host and in the container.
	Host, Path string
	ReadOnly   bool
}

// ParseVolumeOverride reads HOST:CTR or HOST:CTR:ro, both absolute paths.
func ParseVolumeOverride(text string) (VolumeOverride, error) {
	parts := strings.Split(text, ":")
	if len(parts) == 3 && (parts[2] == "ro" || parts[2] == "rw") {
		v := VolumeOverride{Host: parts[0], Path: parts[1], ReadOnly: parts[2] == "ro"}
		return v, v.validate()
	}
	if len(parts) != 2 {
		return VolumeOverride{}, fmt.Errorf("volume %q: write HOST:CONTAINER or HOST:CONTAINER:ro, with two absolute paths", text)
	}
	v := VolumeOverride{Host: parts[0], Path: parts[1]}
	return v, v.validate()
}

// String gives the form that ParseVolumeOverride reads.
func (v VolumeOverride) String() string {
	if v.ReadOnly {
		return v.Host + ":" + v.Path + ":ro"
	}
	return v.Host + ":" + v.Path
}

func (v VolumeOverride) validate() error {
	for _, p := range []string{v.Host, v.Path} {
		if !path.IsAbs(p) || path.Clean(p) != p {
			return fmt.Errorf("volume %q: %q is not an absolute path in its shortest form", v, p)
		}
	}
	// These are PID 1's own: a volume there proves something else than the contract.
	for _, own := range []string{"/proc", "/sys", "/dev"} {
		if v.Path == "/" || v.Path == own || strings.HasPrefix(v.Path, own+"/") {
			return fmt.Errorf("volume %q: %s belongs to the container engine and cannot be replaced", v, v.Path)
		}
	}
	return nil
}
