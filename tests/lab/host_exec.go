package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Name is the host's name.
func (h *Host) Name() string { return h.name }

// Network is the path of the host's network namespace. It stays the same when
// the host reboots.
func (h *Host) Network() string { return h.netPath }

// Root is where the machine sees the root directory of the running host, with
// all that is mounted in it. It changes when the host boots. Absolute symbolic
// links in it lead out of the host: use [os.OpenRoot] where there may be some.
func (h *Host) Root() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	pid, err := h.pid()
	if err != nil {
		return "", err
	}
	return filepath.Join("/proc", strconv.Itoa(pid), "root"), nil
}

// Enter is a program on the machine that runs its arguments in the host. Its
// exit status is theirs, or 255 if the host is down.
func (h *Host) Enter() string { return filepath.Join(h.dir, "enter") }

// Exec runs a program in the host, as root with a login's environment, and
// returns its standard output. The error quotes both output and standard error.
func (h *Host) Exec(ctx context.Context, argv ...string) ([]byte, error) {
	if len(argv) == 0 {
		return nil, errors.New("lab: nothing to run in the host: name a program")
	}
	return h.exec(ctx, argv...)
}

func (h *Host) exec(ctx context.Context, argv ...string) ([]byte, error) {
	out, messages, err := runProcess(ctx, append([]string{h.Enter()}, argv...)...)
	if err != nil {
		_, _ = messages.Write(out)
		err = fmt.Errorf("lab: in host %s: %s: %w%s", h.name, strings.Join(argv, " "), err, messages.quote())
	}
	return out, err
}

// runProcess runs a program of the machine to its end.
func runProcess(ctx context.Context, argv ...string) ([]byte, *tail, error) {
	var out bytes.Buffer
	p, err := startProcess(filepath.Base(argv[0]), command{
		argv: argv, dir: "/", stdout: &out, deathSignal: syscall.SIGKILL, env: []string{"PATH=" + searchPath},
	})
	if err != nil {
		return nil, &tail{}, err
	}
	select {
	case <-p.done:
		err = p.err
	case <-ctx.Done():
		err = errors.Join(context.Cause(ctx), p.kill())
	}
	return out.Bytes(), p.out, err
}

// Variables are what an Ansible inventory says of the host. Ansible believes to
// use ssh; what it calls enters the host's namespaces instead, which takes
// neither a server, keys nor a network, and unlike the connection of
// community.docker.nsenter brings none of the machine's environment along.
func (h *Host) Variables() map[string]any {
	return map[string]any{
		"ansible_connection":         "ssh",
		"ansible_host":               h.name,
		"ansible_user":               "root",
		"ansible_ssh_executable":     filepath.Join(h.dir, "ssh"),
		"ansible_ssh_args":           "",
		"ansible_pipelining":         true,
		"ansible_python_interpreter": "/usr/bin/python3",
		// Files go through the command as well.
		"ansible_ssh_transfer_method": "piped",
	}
}

// Put copies a file of the machine, such as an image's archive, to a path in the
// running host, with its permissions. The directory has to be there.
func (h *Host) Put(from, to string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("lab: put %s into host %s: %w", from, h.name, err)
		}
	}()
	path, err := h.Root()
	if err != nil {
		return err
	}
	// An absolute link in the host leads nowhere on the machine.
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := root.OpenFile(strings.TrimLeft(to, "/"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// ID is the name of the host's cgroup on the machine, in every hierarchy.
func (h *Host) ID() string { return h.id }
