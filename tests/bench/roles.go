package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ibforge/ibforge/tests/lab"
)

// manyHosts is how many hosts an unchanged deployment is measured on beside one.
const manyHosts = 20

// inotify is where the kernel limits the inotify instances of a user, of which
// every systemd takes a handful, in a host and in a container (inotify(7)).
const inotify = "/proc/sys/fs/inotify/max_user_instances"

// plainPlay is what an operator would write who has no roles.
const plainPlay = `- hosts: all
  gather_facts: false
  become: true
  tasks:
    - name: Run the container
      community.docker.docker_container:
        name: plain
        image: %s
        command: [sleep, infinity]
        network_mode: host
        restart_policy: unless-stopped
        state: started
`

// site is a set of lab hosts that have a subnet manager and a fabric each.
type site struct {
	dir     string
	hosts   []*lab.Host
	fabrics []*lab.Fabric
	vars    map[string]any
}

// roles measures what the playbooks cost where there is nothing to do: on one
// host beside a play of one task that does the same, and on twenty beside one.
func (b *bench) roles(ctx context.Context) (err error) {
	s := &site{dir: filepath.Join(b.dir, "roles"), vars: map[string]any{}}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	before, err := os.ReadFile(inotify)
	if err != nil {
		return err
	}
	if err := os.WriteFile(inotify, []byte("1024"), 0); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, s.stop(context.WithoutCancel(ctx)), os.WriteFile(inotify, before, 0))
	}()
	for range manyHosts {
		if err := s.add(ctx); err != nil {
			return err
		}
	}
	id, err := b.image(ctx, s)
	if err != nil {
		return err
	}
	if err := errors.Join(s.inventory("one.json", 1), s.inventory("many.json", manyHosts),
		os.WriteFile(filepath.Join(s.dir, "plain.yml"), fmt.Appendf(nil, plainPlay, id), 0o600)); err != nil {
		return err
	}
	if _, err := s.play("many.json", "deploy")(ctx); err != nil {
		return err
	}
	return b.compareRoles(ctx, s)
}

func (b *bench) compareRoles(ctx context.Context, s *site) error {
	plain := func(ctx context.Context) (time.Duration, error) {
		took, _, err := timed(ctx, nil, ".cache/venv/bin/ansible-playbook", "-i", filepath.Join(s.dir, "one.json"), filepath.Join(s.dir, "plain.yml"))
		return took, err
	}
	one := s.play("one.json", "deploy")
	if err := b.compare(ctx, "unchanged deploy of a service, 1 host", "a docker_container task", "<= 2", b.runs, true, one, plain); err != nil {
		return err
	}
	if err := b.compare(ctx, fmt.Sprintf("unchanged deploy, %d hosts, 10 forks", manyHosts), "1 host", "<= 4", min(b.runs, 3), true, s.play("many.json", "deploy"), one); err != nil {
		return err
	}
	var took []time.Duration
	for range b.runs {
		t, err := s.play("one.json", "precheck")(ctx)
		if err != nil {
			return err
		}
		took = append(took, t)
	}
	b.rows = append(b.rows, row{
		work: fmt.Sprintf("precheck, 1 host (n=%d)", b.runs), theirs: "-", reach: "<= 10 s",
		ours: fmt.Sprintf("%s, least %s", show(median(took)), show(slices.Min(took))),
	})
	return nil
}

// add boots a host.
func (s *site) add(ctx context.Context) error {
	name := fmt.Sprintf("sm%02d", len(s.hosts)+1)
	h, err := lab.StartHost(ctx, lab.HostOptions{
		Dir: filepath.Join(s.dir, name), Cache: ".cache/lab", Mirror: os.Getenv("IBFORGE_MIRROR"), Name: name,
	})
	if err != nil {
		return err
	}
	s.hosts = append(s.hosts, h)
	f, err := lab.StartFabric(ctx, lab.FabricOptions{Dir: filepath.Join(s.dir, name+"-fabric"), Network: h.Network()})
	if err != nil {
		return err
	}
	s.fabrics = append(s.fabrics, f)
	env := map[string]string{}
	for _, kv := range f.Environ(f.Hosts()[0]) {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	vars := h.Variables()
	vars["ib_opensm_fabric"] = name
	vars["ib_opensm_image_source"] = "archive"
	vars["ib_opensm_simulated_fabric"] = true
	vars["ib_opensm_environment"] = env
	vars["ib_opensm_extra_volumes"] = []string{f.Library() + ":" + f.Library() + ":ro"}
	s.vars[name] = vars
	return nil
}

func (s *site) stop(ctx context.Context) error {
	var errs []error
	for _, f := range s.fabrics {
		errs = append(errs, f.Stop(ctx))
	}
	for _, h := range s.hosts {
		errs = append(errs, h.Stop(ctx))
	}
	return errors.Join(errs...)
}

// image builds the image of OpenSM and gives its ID.
func (b *bench) image(ctx context.Context, s *site) (string, error) {
	images := filepath.Join(s.dir, "images.yml")
	for _, args := range [][]string{{"build", "opensm"}, {"push", "opensm", "docker-archive:" + filepath.Join(s.dir, "opensm.tar")}} {
		argv := append([]string{"bin/ibforge", "-C", ".", "--store", b.store(), "-q"}, args...)
		if _, _, err := timed(ctx, nil, append(argv, "--images-file", images)...); err != nil {
			return "", err
		}
	}
	text, err := os.ReadFile(images)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if id, found := strings.CutPrefix(strings.TrimSpace(line), "id: "); found {
			return id, nil
		}
	}
	return "", fmt.Errorf("%s has no ID of an image", images)
}

// inventory writes one with the first n hosts.
func (s *site) inventory(name string, n int) error {
	hosts := map[string]any{}
	for _, h := range s.hosts[:n] {
		hosts[h.Name()] = s.vars[h.Name()]
	}
	text, err := json.Marshal(map[string]any{"ib_opensm": map[string]any{"hosts": hosts}})
	if err != nil {
		return fmt.Errorf("writing the inventory %s: %w", name, err)
	}
	return os.WriteFile(filepath.Join(s.dir, name), text, 0o600)
}

// play runs a playbook with ibforge.
func (s *site) play(inventory, action string) side {
	return func(ctx context.Context) (time.Duration, error) {
		took, _, err := timed(ctx, []string{"ANSIBLE_FORKS=10"}, "bin/ibforge", "-C", ".", "--json", "deploy",
			"-i", filepath.Join(s.dir, inventory), "--images-file", filepath.Join(s.dir, "images.yml"),
			"--action", action, "-e", "ibforge_serial="+strconv.Itoa(manyHosts))
		return took, err
	}
}
