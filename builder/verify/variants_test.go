package verify_test

import (
	"testing"
	"time"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/verify"
)

// probe is a contract of a small service with one of everything.
func probe() contract.Contract {
	return contract.Contract{
		Version: contract.Version, Image: "probe", Init: "systemd", Network: "host", ReadOnly: true, NoNewPrivileges: true, CgroupVersions: []int{1, 2},
		Volumes: []contract.Volume{
			{Name: "config", Path: "/etc/probe", Host: "/etc/ibforge/probe", ReadOnly: true},
			{Name: "data", Path: "/var/lib/probe"},
		},
		Tmpfs:        []contract.Tmpfs{{Path: "/run"}, {Path: "/run/lock"}, {Path: "/tmp"}},
		Devices:      []contract.Device{{Path: "/dev/ibforge-absent", Permissions: "rw"}},
		Capabilities: []contract.Capability{{Name: "IPC_LOCK", Reason: "registers memory"}},
		Stop:         contract.Stop{Signal: "SIGRTMIN+3", TimeoutSeconds: 10},
		Health:       &contract.Health{Command: []string{"/usr/libexec/probe-health"}, IntervalSeconds: 1, TimeoutSeconds: 5, StartPeriodSeconds: 5, Retries: 2},
		Units:        []string{"probe.service"},
	}
}

const wants = "etc/systemd/system/multi-user.target.wants/"

// probeFiles are the service: it reads what only its config volume has, and
// writes where only its data volume lets it.
func probeFiles() map[string]string {
	return map[string]string{
		"etc/probe/greeting":               "hello\n",
		"var/lib/probe/seed":               "seed\n",
		"etc/systemd/system/probe.service": "[Service]\nExecStart=/bin/sh -c 'cat /etc/probe/greeting /var/lib/probe/seed >/var/lib/probe/state && exec sleep infinity'\n",
		wants + "probe.service":            "-> ../probe.service",
		// A health command may run at the moment of the stop; see compareStop.
		"etc/systemd/system.conf.d/stop.conf": "[Manager]\nDefaultTimeoutStopSec=3s\n",
		"usr/libexec/probe-health":            "#!/bin/sh\nread -r line </var/lib/probe/state && echo \"state: $line\"\n",
	}
}

// variant is an image that differs from the good one, and what must come of it.
type variant struct {
	name     string
	contract func(*contract.Contract)
	files    map[string]string
	config   func(*imageConfig)
	options  verify.Options
	// want maps the checks that are not "pass" to their status.
	want map[string]verify.Status
	// says are texts of the details, by check.
	says map[string]string
}

// afterBoot are skipped when systemd does not come up.
func noBoot() map[string]verify.Status {
	m := map[string]verify.Status{"systemd.running": verify.Fail}
	for _, id := range []string{"pid1.capabilities", "pid1.privileges", "pid1.seccomp", "health", "units.active", "ports.listening", "files.mounts", "files.changed", "stop"} {
		m[id] = verify.Skip
	}
	return m
}

func noCgroup() map[string]verify.Status {
	m := noBoot()
	for _, id := range []string{"ports.hooked", "container.made", "image.leftovers", "container.settings", "systemd.running"} {
		m[id] = verify.Skip
	}
	m["host.cgroup"] = verify.Fail
	return m
}

func one(id string) map[string]verify.Status { return map[string]verify.Status{id: verify.Fail} }

func unit(service string) map[string]string {
	return map[string]string{"etc/systemd/system/extra.service": service, wants + "extra.service": "-> ../extra.service"}
}

func variants() []variant {
	return []variant{
		{name: "valid"},
		{name: "valid-writable-root", contract: func(c *contract.Contract) { c.ReadOnly = false },
			files: unit("[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo x >/var/lib/stray'\n"),
			says:  map[string]string{"files.changed": "A /var/lib/stray"}},
		{name: "valid-new-privileges", contract: func(c *contract.Contract) { c.NoNewPrivileges, c.NewPrivilegesReason = false, "calls sudo" },
			says: map[string]string{"pid1.privileges": "they gain privileges: calls sudo"}},
		{name: "valid-limits", contract: func(c *contract.Contract) {
			c.Limits = contract.Limits{MemoryBytes: 512 << 20, Pids: 512, Nofile: 4096}
		}, files: unit("[Service]\nType=oneshot\nExecStart=/bin/sh -ec 'ulimit -Hn | grep -qx 4096'\n")},
		{name: "valid-no-health", contract: func(c *contract.Contract) { c.Health = nil },
			want: map[string]verify.Status{"health": verify.Skip}, says: map[string]string{"health": "no health check"}},
		{name: "invalid-failed-unit", files: unit("[Service]\nExecStart=/bin/sh -c 'echo out of luck; exit 3'\n"),
			want: noBoot(), says: map[string]string{"systemd.running": "out of luck", "stop": "did not boot"}},
		{name: "invalid-writes-to-root", files: unit("[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo x >/var/lib/stray'\n"),
			// The reason itself is in the journal, which the unit may outrun: its
			// process is gone before systemd-journald looks.
			want: noBoot(), says: map[string]string{"systemd.running": "extra.service"}},
		{name: "invalid-port-closed", contract: func(c *contract.Contract) {
			c.Ports = []contract.Port{{Name: "web", Protocol: "tcp", Address: "any", Listens: 42443, Host: 42443, Via: contract.ViaNone}}
		}, want: one("ports.listening"), says: map[string]string{"ports.listening": `port "web": nothing of the container listens on 42443/tcp`}},
		{name: "invalid-port-undeclared", files: unit("[Service]\nExecStart=/usr/bin/systemd-socket-activate -l 42444 /bin/cat\n"),
			want: one("ports.listening"), says: map[string]string{"ports.listening": "not in the contract: 42444/tcp"}},
		{name: "invalid-cgroup-version", contract: func(c *contract.Contract) { c.CgroupVersions = []int{3} },
			want: noCgroup(), says: map[string]string{"host.cgroup": "the image's systemd boots on [3]"}},
		{name: "invalid-logind-on-read-only-root", files: map[string]string{"etc/systemd/system/.wh.systemd-logind.service": ""},
			want: noBoot(), says: map[string]string{"systemd.running": "systemd-logind.service"}},
		{name: "invalid-boot-hangs", files: unit("[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n"),
			options: verify.Options{BootTimeout: 4 * time.Second},
			want:    noBoot(), says: map[string]string{"systemd.running": "extra.service"}},
		{name: "invalid-init-ends", config: func(c *imageConfig) { c.Cmd = []string{"/bin/sh", "-c", "echo no init here; exit 4"} },
			want: noBoot(), says: map[string]string{"systemd.running": "exit code 4 \nno init here"}},
		{name: "invalid-privileges-withheld", contract: func(c *contract.Contract) { c.NoNewPrivileges, c.NewPrivilegesReason = false, "calls sudo" },
			config: func(c *imageConfig) { c.Cmd = []string{"/usr/bin/setpriv", "--no-new-privs", "/sbin/init"} },
			want:   one("pid1.privileges"), says: map[string]string{"pid1.privileges": "not 0, and the service must gain privileges: calls sudo"}},
		{name: "invalid-leftovers", files: map[string]string{
			"var/lib/apt/lists/deb.debian.org_dists_bookworm_InRelease": "lists", "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
			"etc/hostname": "buildhost\n", "etc/apt/sources.list": "deb http://mirror.example.internal/debian bookworm main\n"},
			options: verify.Options{HostMirrors: []string{"mirror.example.internal"}},
			want:    one("image.leftovers"), says: map[string]string{"image.leftovers": "archive hosts of the build machine: /etc/apt/sources.list names mirror.example.internal"}},
		{name: "invalid-health", files: map[string]string{"usr/libexec/probe-health": "#!/bin/sh\necho no subnet manager\nexit 1\n"},
			contract: func(c *contract.Contract) { c.Health.StartPeriodSeconds = 0 },
			want:     one("health"), says: map[string]string{"health": "exit code 1\nno subnet manager"}},
		{name: "invalid-health-hangs", files: map[string]string{"usr/libexec/probe-health": "#!/bin/sh\nexec sleep 60\n"},
			contract: func(c *contract.Contract) { c.Health.StartPeriodSeconds, c.Health.TimeoutSeconds = 0, 1 },
			want:     one("health"), says: map[string]string{"health": "did not end in 1s"}},
		{name: "invalid-health-missing", files: map[string]string{"usr/libexec/.wh.probe-health": "", "usr/libexec/other": "x"},
			contract: func(c *contract.Contract) { c.Health.Command = []string{"/usr/libexec/nothing"} },
			want:     one("health"), says: map[string]string{"health": "no such file or directory"}},
		{name: "invalid-unit-restarts", files: map[string]string{
			"etc/systemd/system/probe.service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nExecStart=/bin/sh -c 'cp /var/lib/probe/seed /var/lib/probe/state; sleep 0.3; exit 1'\n"},
			want: one("units.active"), says: map[string]string{"units.active": "probe.service: "}},
		{name: "invalid-unit-missing", contract: func(c *contract.Contract) { c.Units = append(c.Units, "ghost.service") },
			want: one("units.active"), says: map[string]string{"units.active": "ghost.service: the image has no such unit"}},
		{name: "invalid-volume-of-the-image", config: func(c *imageConfig) { c.Volumes = map[string]struct{}{"/var/stray": {}} },
			want: one("files.mounts"), says: map[string]string{"files.mounts": "/var/stray"}},
		{name: "invalid-ignores-stop", files: unit("[Service]\nTimeoutStopSec=infinity\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 1; done'\n"),
			contract: func(c *contract.Contract) { c.Stop.TimeoutSeconds = 2 },
			want:     one("stop"), says: map[string]string{"stop": "not stopped 2 s after SIGRTMIN+3, so the engine sent SIGKILL"}},
		{name: "invalid-stop-signal", contract: func(c *contract.Contract) { c.Stop = contract.Stop{Signal: "SIGTERM", TimeoutSeconds: 2} },
			want: one("stop"), says: map[string]string{"stop": "SIGKILL"}},
		{name: "invalid-no-label", config: func(c *imageConfig) { c.Labels = nil },
			want: one("image.contract"), says: map[string]string{"image.contract": "no label io.ibforge.runtime"}},
	}
}

func (v variant) image(t *testing.T, base *layer) (verify.Image, *archive) {
	t.Helper()
	c := probe()
	if v.contract != nil {
		v.contract(&c)
	}
	label, err := c.MarshalCompact()
	must(t, err)
	files := probeFiles()
	for path, text := range v.files {
		files[path] = text
	}
	config := imageConfig{Cmd: []string{"/sbin/init"}, Env: []string{"container=docker"}, Labels: map[string]string{contract.Label: string(label)}}
	if v.config != nil {
		v.config(&config)
	}
	a := newArchive(t, "probe:"+v.name, base, files, config)
	return verify.Image{Name: "probe", Reference: a.name, ID: a.id, Contract: c}, a
}
