package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// manyHosts is how many hosts an unchanged deployment is measured on beside one.
const manyHosts = 20

// inotify is where the kernel limits the inotify instances of a user, of which
// every systemd takes a handful, in a host and in a container (inotify(7)).
const inotify = "/proc/sys/fs/inotify/max_user_instances"

// plainTask is what an operator would write for a service who has no roles.
const plainTask = `    - name: Run %[1]s
      community.docker.docker_container:
        name: plain_%[1]s
        image: %[2]s
        command: [sleep, infinity]
        network_mode: host
        restart_policy: unless-stopped
        state: started
`

// withCloud has lab hosts for a measurement, with the images of these services.
func (b *bench) withCloud(ctx context.Context, images []string, measure func(*cloud) error) (err error) {
	c, err := newCloud(filepath.Join(b.dir, strings.Join(images, "-")))
	if err != nil {
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
		err = errors.Join(err, c.stop(context.WithoutCancel(ctx)), os.WriteFile(inotify, before, 0))
	}()
	if err := c.build(ctx, b.store(), images...); err != nil {
		return err
	}
	return measure(c)
}

// products measures what the playbooks cost where there is nothing to do: UFM
// and NEO on one host beside a play of two tasks that does the same. OpenSM and
// UFM exclude each other on a host.
func (b *bench) products(ctx context.Context) error {
	return b.withCloud(ctx, []string{"ufm", "neo"}, func(c *cloud) error { return b.twoProducts(ctx, c) })
}

func (b *bench) twoProducts(ctx context.Context, c *cloud) error {
	if err := c.add(ctx, "ctl"); err != nil {
		return err
	}
	inventory, err := c.inventory("products", []string{"ctl"}, "ib_ufm", "ib_neo")
	if err != nil {
		return err
	}
	var tasks strings.Builder
	fmt.Fprint(&tasks, "- hosts: all\n  gather_facts: false\n  tasks:\n")
	for _, name := range []string{"ufm", "neo"} {
		fmt.Fprintf(&tasks, plainTask, name, c.ids[name])
	}
	playbook := filepath.Join(c.dir, "plain.yml")
	if err := os.WriteFile(playbook, []byte(tasks.String()), 0o600); err != nil {
		return err
	}
	if _, _, err := c.play(ctx, inventory, "deploy"); err != nil {
		return err
	}
	plain := func(ctx context.Context) (time.Duration, error) {
		took, _, err := timed(ctx, nil, ".cache/venv/bin/ansible-playbook", "-i", inventory, playbook)
		return took, err
	}
	if err := b.compare(ctx, "unchanged deploy of UFM and NEO, 1 host", "two docker_container tasks", "<= 2", b.runs, true, c.side(inventory, "deploy"), plain); err != nil {
		return err
	}
	_, recap, err := c.play(ctx, inventory, "deploy")
	if err != nil {
		return err
	}
	stats := recap.Hosts["ctl"]
	if stats.Changed > 0 {
		return fmt.Errorf("a deployment with nothing to do has changed %d things", stats.Changed)
	}
	b.rows = append(b.rows, row{work: "tasks of it per service: run, skipped", ours: fmt.Sprintf("%d, %d", stats.OK/2, stats.Skipped/2), theirs: "1, 0", reach: "-"})
	return b.alone(ctx, c, "precheck of UFM and NEO, 1 host", inventory, "precheck", "<= 10 s")
}

// crowd measures many hosts with OpenSM beside one of them.
func (b *bench) crowd(ctx context.Context) error {
	return b.withCloud(ctx, []string{"opensm"}, func(c *cloud) error { return b.manyBesideOne(ctx, c) })
}

func (b *bench) manyBesideOne(ctx context.Context, c *cloud) error {
	var names []string
	for i := range manyHosts {
		names = append(names, fmt.Sprintf("sm%02d", i+1))
		if err := c.add(ctx, names[i]); err != nil {
			return err
		}
	}
	one, err := c.inventory("one", names[:1], "ib_opensm")
	if err != nil {
		return err
	}
	many, err := c.inventory("many", names, "ib_opensm")
	if err != nil {
		return err
	}
	if _, _, err := c.play(ctx, many, "deploy"); err != nil {
		return err
	}
	if err := b.alone(ctx, c, "precheck of OpenSM, 1 host", one, "precheck", "<= 10 s"); err != nil {
		return err
	}
	return b.compare(ctx, fmt.Sprintf("unchanged deploy of OpenSM, %d hosts, 10 forks", manyHosts), "1 host", "<= 4", min(b.runs, 3), true,
		c.side(many, "deploy"), c.side(one, "deploy"))
}

// alone adds a row that has nothing beside it.
func (b *bench) alone(ctx context.Context, c *cloud, work, inventory, action, reach string) error {
	var took []time.Duration
	for range b.runs {
		t, _, err := c.play(ctx, inventory, action)
		if err != nil {
			return err
		}
		took = append(took, t)
	}
	b.rows = append(b.rows, row{
		work: fmt.Sprintf("%s (n=%d)", work, b.runs), ours: fmt.Sprintf("%s, at most %s", show(median(took)), show(slices.Max(took))), theirs: "-", reach: reach,
	})
	return nil
}
