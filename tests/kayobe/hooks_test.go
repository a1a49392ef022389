package kayobe

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// fire runs Kayobe for a hook of ours, which has this play, and gives what the
// hook changed. The error is Kayobe's; a hook that did not run ends the test.
func (d *deployment) fire(t *testing.T, play string, args ...string) (int, error) {
	t.Helper()
	var out string
	var err error
	timed(t, "kayobe "+strings.Join(args, " "), func() { out, err = d.try(args...) })
	if err != nil {
		err = fmt.Errorf("kayobe %q: %w\n%s", args, err, lastLines(out, 60))
		t.Log(err) // before the play is looked for
	}
	n := changes(t, out, play)
	if i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") }); i >= 0 {
		args = args[:i]
	}
	d.fired[strings.Join(args, "-")] = true
	return n, err
}

// fires expects success.
func (d *deployment) fires(t *testing.T, play string, args ...string) int {
	t.Helper()
	n, err := d.fire(t, play, args...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// allFired finds hooks that nothing of this test has had Kayobe run.
func (d *deployment) allFired(t *testing.T) {
	t.Helper()
	var hooks []struct{ Command string }
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(checkout(t), "kayobe/hooks.yml"))), &hooks); err != nil || len(hooks) == 0 {
		t.Fatalf("%d hooks, %v", len(hooks), err)
	}
	for _, h := range hooks {
		if !d.fired[h.Command] {
			t.Errorf("kayobe/hooks.yml has a hook of %s, which Kayobe was not seen to run", h.Command)
		}
	}
}

// hostConfigure is for a host without hardware, which the hook names, after
// what it did for the next boot; and for a simulated fabric, which needs nothing.
// What Kayobe does for its hosts itself wants packages from the network: its
// plays have other tags.
func (d *deployment) hostConfigure(t *testing.T) {
	t.Helper()
	d.galaxy()
	const play, boot = "Make the hosts ready for InfiniBand", "/etc/modules-load.d/ibforge.conf"
	command := append(d.page("kayobe overcloud host configure"), "--tags", "ibforge", "-e")
	// The kernel is that of this machine, for which no modules are loaded here.
	n, err := d.fire(t, play, append(command, `{"_ib_host_modprobe": "true"}`)...)
	if err == nil || n != 2 || !strings.Contains(err.Error(), "kernel module ib_umad is not loaded") {
		t.Errorf("without hardware: %d changes, %v", n, err)
	}
	if text := d.file(boot); !strings.HasSuffix(text, "\nib_umad\nib_ipoib\n") {
		t.Errorf("%s has %q", boot, text)
	}
	d.exec("rm", boot)
	if n := d.fires(t, play, append(command, `{"ib_host_simulated_fabric": true, "ib_host_require_synchronised_clock": false}`)...); n != 0 {
		t.Errorf("with a simulated fabric: %d changes", n)
	}
}

// galaxy puts empty roles in the place of those that Kayobe has from Galaxy.
// Ansible looks for them while it reads the playbooks, whatever the tags are.
func (d *deployment) galaxy() {
	d.t.Helper()
	share := filepath.Join(d.venv, "share/kayobe")
	var wanted struct{ Roles []struct{ Src string } }
	if err := yaml.Unmarshal([]byte(readFile(d.t, filepath.Join(share, "requirements.yml"))), &wanted); err != nil {
		d.t.Fatal(err)
	}
	for _, r := range wanted.Roles {
		d.write(filepath.Join("ansible/roles", r.Src, "tasks/main.yml"), "[]\n")
	}
	collections := regexp.MustCompile(`\b(openstack\.kolla|stackhpc\.linux)\.\w+`)
	for _, pattern := range []string{"ansible/*.yml", "ansible/roles/*/tasks/*.yml"} {
		files, err := filepath.Glob(filepath.Join(share, pattern))
		if err != nil || len(files) == 0 {
			d.t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			for _, name := range collections.FindAllString(readFile(d.t, file), -1) {
				part := strings.Split(name, ".")
				d.write(filepath.Join("ansible/collections/ansible_collections", part[0], part[1], "roles", part[2], "tasks/main.yml"), "[]\n")
			}
		}
	}
}

// upgrade goes to another image. Kayobe's own upgrade begins with fetching
// Kolla-Ansible, for which it wants a network.
func (d *deployment) upgrade(t *testing.T) {
	t.Helper()
	const file = "usr/share/ibforge/another"
	d.images(anotherProject(t, file), "opensm")
	const play = "Upgrade masters"
	if n := d.fires(t, play, append([]string{"overcloud", "service", "upgrade"}, d.release.ours()...)...); n == 0 {
		t.Error("the upgrade has changed nothing")
	}
	d.exec("docker", "exec", "ib_opensm", "cat", "/"+file)
	d.master(t)
	if n := changes(t, d.playbook("upgrade"), play); n != 0 {
		t.Errorf("the second upgrade has changed %d things", n)
	}
}
