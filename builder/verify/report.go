package verify

// Status is the outcome of a check.
type Status string

// The outcomes. Skip means that nothing was proven either way; Detail says why.
const (
	Pass Status = "pass"
	Fail Status = "fail"
	Skip Status = "skip"
)

// Check is one thing that was looked at.
type Check struct {
	// ID is stable and made for scripts, such as "systemd.running".
	ID string `json:"id"`
	// Title says what holds when the check passes.
	Title  string `json:"title"`
	Status Status `json:"status"`
	// Detail is the reason of a Fail or Skip, what was seen for a Pass; it may
	// be empty and may have many lines.
	Detail string `json:"detail"`
}

// Engine is the container engine that the proof was made with.
type Engine struct {
	// Endpoint is the address, such as "unix:///var/run/docker.sock".
	Endpoint string `json:"endpoint"`
	Version  string `json:"version"`
	// APIVersion is the one in use, after negotiation.
	APIVersion string `json:"api_version"`
	// CgroupVersion is "1" or "2", CgroupDriver "cgroupfs" or "systemd".
	CgroupVersion string `json:"cgroup_version"`
	CgroupDriver  string `json:"cgroup_driver"`
}

// Report is the outcome of [Run]. No list in it is null in JSON.
type Report struct {
	Image     string `json:"image"`
	Reference string `json:"reference"`
	ID        string `json:"id"`
	Engine    Engine `json:"engine"`
	// Additions are what the container had and the contract does not name.
	Additions []string `json:"additions"`
	Checks    []Check  `json:"checks"`
	// Kept are commands that remove what Options.Keep left.
	Kept []string `json:"kept"`
	// Aborted is the error that ended the proof too early, or "".
	Aborted string `json:"aborted,omitempty"`
}

// OK tells that the proof was carried out to the end and no check failed.
func (r Report) OK() bool {
	return r.Aborted == "" && len(r.Checks) > 0 && r.count(Fail) == 0
}

func (r Report) count(s Status) int {
	n := 0
	for _, c := range r.Checks {
		if c.Status == s {
			n++
		}
	}
	return n
}
