package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/ibforge/ibforge/tests/lab"
)

// execIn runs a command in a container and gives what it prints.
func execIn(t *testing.T, docker *lab.Engine, name string, argv ...string) string {
	t.Helper()
	api := docker.Client()
	created, err := api.ContainerExecCreate(t.Context(), name, container.ExecOptions{Cmd: argv, AttachStdout: true, AttachStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := api.ContainerExecAttach(t.Context(), created.ID, container.ExecAttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, conn.Reader); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return out.String()
}

// listening are the TCP ports that somebody on this machine listens on.
func listening(t *testing.T) map[int]bool {
	t.Helper()
	out := map[int]bool{}
	for _, s := range sockets(t) {
		out[s.port] = true
	}
	return out
}

// socket is one that somebody listens on.
type socket struct {
	port  int
	inode string
}

// sockets are those of TCP on this machine.
func sockets(t *testing.T) []socket {
	t.Helper()
	var out []socket
	for _, table := range []string{"tcp", "tcp6"} {
		raw, err := os.ReadFile("/proc/net/" + table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" {
				continue
			}
			_, hex, _ := strings.Cut(f[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, socket{int(port), f[9]})
		}
	}
	return out
}
