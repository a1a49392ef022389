package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/site"
)

// buildProducts makes UFM's and NEO's images of their stand-ins, as an operator
// makes them of the vendor's files.
func (d *demo) buildProducts(ctx context.Context) error {
	flags, err := site.Payloads("tests/standins", d.dir)
	if err != nil {
		return err
	}
	return d.ibforge(ctx, append([]string{"build", "ufm", "neo"}, flags...)...)
}

// horizon takes the place that Horizon has on a controller. OpenSM makes room
// for UFM, which is a subnet manager too.
func (d *demo) horizon(ctx context.Context) error {
	if err := d.ibforge(ctx, "deploy", "--action", "stop", "--inventory", d.inventory(), "--images-file", d.images()); err != nil {
		return err
	}
	var err error
	d.apache, err = lab.StartApache(ctx, filepath.Join(d.dir, "horizon"), 80, 443, nil)
	if err != nil && strings.Contains(err.Error(), "Address already in use") {
		fmt.Println("this machine has something on port 80 or 443 already, which will do in Horizon's place")
		return nil
	}
	if err == nil {
		fmt.Println("a web server listens on ports 80 and 443")
	}
	return err
}

func (d *demo) deployProducts(ctx context.Context) error {
	vars, err := d.site().ProductVariables()
	if err != nil {
		return err
	}
	if err := d.site().WriteGroups(d.productInventory(), vars, "ib_ufm", "ib_neo"); err != nil {
		return err
	}
	for _, name := range []string{"ufm", "neo"} {
		if err := d.ibforge(ctx, "push", name, "docker-archive:"+filepath.Join(d.dir, name+".tar"), "--images-file", d.images()); err != nil {
			return err
		}
	}
	d.hooked = true
	return d.ibforge(ctx, "deploy", "--inventory", d.productInventory(), "--images-file", d.images())
}

func (d *demo) productInventory() string { return filepath.Join(d.dir, "products.yml") }

// showPorts asks all three, and the kernel who has which port.
func (d *demo) showPorts(ctx context.Context) error {
	fmt.Println("$ bin/ibforge-portmap show")
	cmd := exec.CommandContext(ctx, "bin/ibforge-portmap", "show")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("bin/ibforge-portmap show: %w", err)
	}
	fmt.Println()
	for _, c := range []struct{ who, url string }{
		{"Horizon's place", "https://127.0.0.1/"},
		{"UFM", "https://127.0.0.1:7443/ufmRest/app/ufm_version"},
		{"NEO", "https://127.0.0.1:3443/neo/login"},
	} {
		status, err := d.ask(ctx, c.url)
		if err != nil {
			return err
		}
		fmt.Printf("%-15s  %s  %s\n", c.who, c.url, status)
	}
	if _, err := d.ask(ctx, "http://127.0.0.1:18000/app/ufm_version"); err == nil || !strings.Contains(err.Error(), "operation not permitted") {
		return fmt.Errorf("UFM's internal REST server lets others in: %w", err)
	}
	fmt.Println("UFM's internal REST server, http://127.0.0.1:18000, refuses all but UFM's own processes")
	return nil
}

// ask gives the status of an answer. A server may need a moment.
func (d *demo) ask(ctx context.Context, url string) (string, error) {
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // they sign themselves here
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return "", fmt.Errorf("asking %s: %w", url, err)
		}
		req.SetBasicAuth("admin", site.AdminPassword)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			if time.Now().After(deadline) || strings.Contains(err.Error(), "operation not permitted") {
				return "", fmt.Errorf("asking %s: %w", url, err)
			}
			continue
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return "", err
		}
		if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusUnauthorized {
			return resp.Status, nil
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("%s: %s", url, resp.Status)
		}
	}
}

// removeProducts takes from the machine what the roles have put on it.
func (d *demo) removeProducts(ctx context.Context) error {
	if !d.hooked {
		return nil
	}
	return d.ibforge(ctx, "deploy", "--action", "destroy", "--quiet", "--inventory", d.productInventory(), "--images-file", d.images(),
		"-e", "ib_ufm_destroy_confirm=true", "-e", "ib_neo_destroy_confirm=true")
}
