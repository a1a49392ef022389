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
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/site"
)

// cloud is lab hosts with a fabric each, and the images that they run.
type cloud struct {
	dir     string
	hosts   map[string]*lab.Host
	fabrics map[string]*lab.Fabric
	vars    map[string]map[string]any
	ids     map[string]string // of images
}

func newCloud(dir string) (*cloud, error) {
	c := &cloud{dir: dir, hosts: map[string]*lab.Host{}, fabrics: map[string]*lab.Fabric{}, vars: map[string]map[string]any{}, ids: map[string]string{}}
	return c, os.MkdirAll(dir, 0o700)
}

// add boots a host that is ready for any of the services.
func (c *cloud) add(ctx context.Context, name string) error {
	h, err := lab.StartHost(ctx, lab.HostOptions{
		Dir: filepath.Join(c.dir, name), Cache: ".cache/lab", Mirror: os.Getenv("IBFORGE_MIRROR"), Name: name,
	})
	if err != nil {
		return err
	}
	c.hosts[name] = h
	f, err := lab.StartFabric(ctx, lab.FabricOptions{Dir: filepath.Join(c.dir, name+"-fabric"), Network: h.Network()})
	if err != nil {
		return err
	}
	c.fabrics[name] = f
	vars, err := site.Site{Dir: filepath.Join(c.dir, name+"-fabric"), Fabric: f}.OnHost(h)
	if err != nil {
		return err
	}
	vars["ib_opensm_fabric"], vars["ib_ufm_fabric"] = name, name
	c.vars[name] = vars
	return nil
}

func (c *cloud) stop(ctx context.Context) error {
	var errs []error
	for _, f := range c.fabrics {
		errs = append(errs, f.Stop(ctx))
	}
	for _, h := range c.hosts {
		errs = append(errs, h.Stop(ctx))
	}
	return errors.Join(errs...)
}

// build makes the images of all services, UFM and NEO from their stand-ins.
func (c *cloud) build(ctx context.Context, store string, names ...string) error {
	flags, err := site.Payloads("tests/standins", c.dir)
	if err != nil {
		return err
	}
	command := []string{"bin/ibforge", "-C", ".", "--store", store, "-q"}
	if _, _, err := timed(ctx, nil, slices.Concat(command, []string{"build", "--images-file", c.imagesFile()}, names, flags)...); err != nil {
		return err
	}
	for _, name := range names {
		push := []string{"push", name, "docker-archive:" + filepath.Join(c.dir, name+".tar"), "--images-file", c.imagesFile()}
		if _, _, err := timed(ctx, nil, slices.Concat(command, push)...); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(c.imagesFile())
	if err != nil {
		return err
	}
	var found struct {
		Images map[string]struct{ ID string } `yaml:"ibforge_images"`
	}
	if err := yaml.Unmarshal(text, &found); err != nil {
		return fmt.Errorf("reading %s: %w", c.imagesFile(), err)
	}
	for name, image := range found.Images {
		c.ids[name] = image.ID
	}
	return nil
}

func (c *cloud) imagesFile() string { return filepath.Join(c.dir, "images.yml") }

// inventory writes one with hosts in groups, and gives its path.
func (c *cloud) inventory(name string, hosts []string, groups ...string) (string, error) {
	members := map[string]any{}
	for _, host := range hosts {
		members[host] = c.vars[host]
	}
	all := map[string]any{}
	for _, group := range groups {
		all[group] = map[string]any{"hosts": members}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("writing the inventory %s: %w", name, err)
	}
	file := filepath.Join(c.dir, name+".json")
	return file, os.WriteFile(file, text, 0o600)
}

// play runs a playbook with ibforge, ten hosts at a time.
func (c *cloud) play(ctx context.Context, inventory, action string) (time.Duration, deploy.Recap, error) {
	var recap deploy.Recap
	said := filepath.Join(c.dir, "recap.json")
	took, _, err := timed(ctx, []string{"ANSIBLE_FORKS=10", "RECAP=" + said}, "/bin/sh", "-c", `exec "$@" >"$RECAP"`, "sh",
		"bin/ibforge", "-C", ".", "--json", "deploy", "-i", inventory, "--images-file", c.imagesFile(),
		"--action", action, "-e", "ibforge_serial="+strconv.Itoa(manyHosts))
	if err != nil {
		return 0, recap, err
	}
	text, err := os.ReadFile(said)
	if err != nil {
		return 0, recap, err
	}
	if err := json.Unmarshal(text, &recap); err != nil {
		return 0, recap, fmt.Errorf("reading the recap of %s: %w", action, err)
	}
	return took, recap, nil
}

// side makes a side of a row of a play.
func (c *cloud) side(inventory, action string) side {
	return func(ctx context.Context) (time.Duration, error) {
		took, _, err := c.play(ctx, inventory, action)
		return took, err
	}
}
