package lab_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// in runs a shell script in a host and returns what it prints.
func in(t *testing.T, h *lab.Host, script string) string {
	t.Helper()
	out, err := h.Exec(limited(t), "sh", "-ec", script)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestHostEngines runs a container in each engine of each kind of host.
func TestHostEngines(t *testing.T) {
	for _, tc := range []struct {
		name   string
		opts   lab.HostOptions
		driver string
	}{
		{"bookworm", lab.HostOptions{Suite: lab.Bookworm}, ""},
		{"bookworm cgroup v2", lab.HostOptions{Suite: lab.Bookworm, CgroupV2: true}, "systemd 2"},
		{"trixie cgroup v2", lab.HostOptions{Suite: lab.Trixie, CgroupV2: true}, "systemd 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := labtest.Host(t, tc.opts)
			driver := in(t, h, "docker info --format '{{.CgroupDriver}} {{.CgroupVersion}}'")
			if tc.driver != "" && driver != tc.driver {
				t.Errorf("docker's cgroups: %s, want %s", driver, tc.driver)
			}
			if got := in(t, h, "podman info --format '{{.Host.CgroupManager}}' 2>/dev/null"); got != "systemd" {
				t.Errorf("podman's cgroups: %s", got)
			}
			// An image of what every host has: statically linked is ldconfig alone.
			in(t, h, "mkdir -p /root/i/sbin && cp /sbin/ldconfig* /root/i/sbin/ && mv -n /root/i/sbin/ldconfig /root/i/sbin/prog && tar -C /root/i -c . >/root/i.tar")
			for _, engine := range []string{"docker", "podman"} {
				in(t, h, engine+" import /root/i.tar localhost/prog:1 2>&1 >/dev/null")
				if got := in(t, h, engine+" run --rm --network host --entrypoint /sbin/prog localhost/prog:1 --version 2>/dev/null | head -n 1"); !strings.Contains(got, "ldconfig") {
					t.Errorf("%s: the container said %q", engine, got)
				}
			}
		})
	}
}

// A reboot keeps files and starts what is enabled, a crash no less.
func TestHostReboot(t *testing.T) {
	h := labtest.Host(t, lab.HostOptions{CgroupV2: true, Name: "ctl0"})
	unit := "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo boot >>/root/boots'\n[Install]\nWantedBy=multi-user.target\n"
	file := filepath.Join(labtest.Dir(t), "mark.service")
	if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Put(file, "/etc/systemd/system/mark.service"); err != nil {
		t.Fatal(err)
	}
	in(t, h, "systemctl enable --now mark.service; systemd-run --unit loose sleep infinity; touch /run/was-here")
	if got := in(t, h, "hostname; cat /proc/1/comm"); got != "ctl0\nsystemd" {
		t.Errorf("the host says %q", got)
	}
	if err := h.Reboot(limited(t)); err != nil {
		t.Fatal(err)
	}
	if got := in(t, h, "cat /root/boots; systemctl is-active loose || true; ls /run/was-here 2>/dev/null || echo gone"); got != "boot\nboot\ninactive\ngone" {
		t.Errorf("after a reboot: %q", got)
	}
	if err := h.Crash(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Exec(limited(t), "true"); err == nil || !strings.Contains(err.Error(), "is down") {
		t.Errorf("a crashed host answers: %v", err)
	}
	if err := h.Start(limited(t)); err != nil {
		t.Fatal(err)
	}
	if got := in(t, h, "wc -l </root/boots"); got != "3" {
		t.Errorf("%s boots, want 3", got)
	}
}

// Two hosts use the same ports, names, files, pins and cgroups.
func TestHostsDoNotMeet(t *testing.T) {
	a := labtest.Host(t, lab.HostOptions{Name: "a"})
	b := labtest.Host(t, lab.HostOptions{Name: "b", CgroupV2: true})
	for _, h := range []*lab.Host{a, b} {
		in(t, h, "echo "+h.Name()+" >/etc/who; mkdir /sys/fs/bpf/lab-"+h.Name()+
			"; systemd-run --quiet --unit web --working-directory=/etc --slice ibforge-x.slice python3 -m http.server 80")
	}
	for _, h := range []*lab.Host{a, b} {
		const fetch = `for i in $(seq 50); do python3 -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1/who").read().decode(), end="")' 2>/dev/null && break; sleep 0.1; done`
		if got := in(t, h, fetch); got != h.Name() {
			t.Errorf("port 80 of %s answers %q", h.Name(), got)
		}
		if got := in(t, h, "ls /sys/fs/bpf | grep ^lab-"); got != "lab-"+h.Name() {
			t.Errorf("pins of %s: %s", h.Name(), got)
		}
	}
	if got, err := filepath.Glob("/sys/fs/bpf/lab-*"); err != nil || got != nil {
		t.Errorf("pins on the machine: %v %v", got, err)
	}
}

// Stop leaves nothing, after a crash and for one who asks twice.
func TestHostStops(t *testing.T) {
	dir := labtest.Dir(t)
	h := labtest.Host(t, lab.HostOptions{Dir: dir})
	in(t, h, "systemd-run --quiet sleep infinity")
	if err := h.Stop(limited(t)); err != nil {
		t.Fatal(err)
	}
	if err := h.Stop(limited(t)); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("files: %v %v", left, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("mounts are left: %v", err)
	}
	for _, tree := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"} {
		if groups, _ := filepath.Glob(tree + "/" + h.ID()); groups != nil {
			t.Errorf("cgroups are left: %v", groups)
		}
	}
	if _, err := h.Exec(limited(t), "true"); err == nil {
		t.Error("a stopped host answers")
	}
}

func TestHostState(t *testing.T) {
	h := labtest.Host(t, lab.HostOptions{CgroupV2: true})
	state := func() lab.HostState {
		t.Helper()
		s, err := h.State(limited(t))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := state()
	in(t, h, `echo x >/etc/new; cp -a /etc/issue /tmp/; rm /etc/issue; chmod 600 /etc/fstab; echo >>/etc/debian_version
		mkdir /mnt/m /sys/fs/bpf/pin; mount -t tmpfs tmpfs /mnt/m; docker volume create vol >/dev/null; mkdir /sys/fs/cgroup/ibforge-x`)
	var got []string
	for _, line := range before.Diff(state()) {
		got = append(got, strings.Join(strings.Fields(line)[:3], " "))
	}
	want := []string{"+ bpf /pin", "+ cgroup /ibforge-x", "+ docker volume", "+ file /etc/debian_version", "+ file /etc/fstab",
		"+ file /etc/issue", "+ file /etc/new", "+ file /mnt/m", "+ mount /mnt/m"}
	if !slices.Equal(got, want) {
		t.Errorf("changes:\n%q\nwant\n%q", got, want)
	}
	in(t, h, `rm /etc/new; cp -a /tmp/issue /etc/; chmod 644 /etc/fstab; sed -i '$d' /etc/debian_version
		umount /mnt/m; rmdir /mnt/m /sys/fs/bpf/pin /sys/fs/cgroup/ibforge-x; docker volume rm vol >/dev/null`)
	if diff := before.Diff(state()); diff != nil {
		t.Errorf("after all was undone:\n%s", strings.Join(diff, "\n"))
	}
}

func TestStartHostRefuses(t *testing.T) {
	labtest.Need(t, lab.HostTools()...)
	labtest.NeedRoot(t, "a host")
	_, err := lab.StartHost(limited(t), lab.HostOptions{Dir: labtest.Dir(t), Suite: "sarge", Name: "No_Name"})
	for _, want := range []string{`suite "sarge": take "bookworm" or "trixie"`, `name "No_Name"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
