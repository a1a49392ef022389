package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap/socket"
)

const (
	// connections and transfer are what one run of one side carries.
	connections = 5000
	transfer    = 1 << 30

	hookedPort   = 28443 // what the host sees of a server that binds 20443
	plainPort    = 28444
	proxiedPort  = 28445
	insistedPort = 20443
)

// serve is the server of both sides, a child of the benchmark: it answers each
// connection with as many bytes as the client asks for, in decimal on a line.
func serve(out io.Writer, port string) error {
	l, err := net.Listen("tcp4", "127.0.0.1:"+port) //nolint:noctx // it lives as long as its process
	if err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	fmt.Fprintln(out, "listening")
	for {
		c, err := l.Accept()
		if err != nil {
			return fmt.Errorf("serving: %w", err)
		}
		go answer(c)
	}
}

func answer(c net.Conn) {
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return
	}
	n, _ := strconv.Atoi(line[:len(line)-1])
	block := make([]byte, 1<<17)
	for ; n > 0; n -= len(block) {
		if _, err := c.Write(block[:min(n, len(block))]); err != nil {
			return
		}
	}
}

// ask opens a connection, asks for n bytes and reads them.
func ask(ctx context.Context, port, n int, block []byte) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("asking: %w", err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "%d\n", n); err != nil {
		return err
	}
	got := 0
	for {
		k, err := c.Read(block)
		got += k
		if errors.Is(err, io.EOF) && got == n {
			return nil
		}
		if err != nil {
			return fmt.Errorf("port %d: %d of %d bytes: %w", port, got, n, err)
		}
	}
}

// server starts a child that serves on a port, within a cgroup if one is named.
func server(ctx context.Context, cgroup string, port int) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("the server on port %d: %w", port, err)
	}
	argv := []string{self, "-serve", strconv.Itoa(port)}
	if cgroup != "" {
		argv = append([]string{"/bin/sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, cgroup}, argv...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("the server on port %d: %w", port, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("the server on port %d: %w", port, err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "listening\n" {
		return fmt.Errorf("the server on port %d does not come up: %q %w", port, line, err)
	}
	return nil
}

// ports compares a server whose port moves below it with one that is left
// alone, and with docker's proxy for published ports.
func (b *bench) ports(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the servers
	m := contract.PortMap{Version: contract.PortMapVersion, Service: "bench", Cgroup: "/ibforge-bench", Ports: []contract.Port{{
		Name: "https", Protocol: "tcp", Address: "any", Listens: insistedPort, Host: hookedPort, Via: contract.ViaSocket, Unit: "bench.service",
	}}}
	r, err := socket.Attach(m, socket.Options{})
	if err != nil {
		return err
	}
	defer func() {
		cancel()
		err = errors.Join(err, socket.Detach(m.Service, socket.Options{}), removeCgroup(r.Cgroup))
	}()
	if err := server(ctx, r.Cgroup, insistedPort); err != nil {
		return err
	}
	if err := server(ctx, "", plainPort); err != nil {
		return err
	}
	proxy := exec.CommandContext(ctx, "docker-proxy", "-proto", "tcp", "-host-ip", "127.0.0.1", "-host-port", strconv.Itoa(proxiedPort), "-container-ip", "127.0.0.1", "-container-port", strconv.Itoa(plainPort))
	// It tells dockerd on descriptor 3 how its start went, and ends without one.
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	proxy.ExtraFiles = []*os.File{null}
	if err := proxy.Start(); err != nil {
		return fmt.Errorf("docker-proxy: %w", err)
	}
	for deadline := time.Now().Add(10 * time.Second); ask(ctx, proxiedPort, 1, make([]byte, 1)) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return errors.New("docker-proxy does not answer")
		}
	}
	if err := b.comparePorts(ctx); err != nil {
		return err
	}
	first := func(context.Context) (time.Duration, error) {
		start := time.Now()
		if err := socket.Detach(m.Service, socket.Options{}); err != nil {
			return 0, err
		}
		_, err := socket.Attach(m, socket.Options{})
		return time.Since(start), err
	}
	again := func(context.Context) (time.Duration, error) {
		start := time.Now()
		_, err := socket.Attach(m, socket.Options{})
		return time.Since(start), err
	}
	return b.compare(ctx, "hooks taken off and put on", "nothing to do", "<= 50 ms", b.runs, true, first, again)
}

func (b *bench) comparePorts(ctx context.Context) error {
	block := make([]byte, 1<<20)
	opened := func(port int) side {
		return func(ctx context.Context) (time.Duration, error) {
			start := time.Now()
			for range connections {
				if err := ask(ctx, port, 1, block); err != nil {
					return 0, err
				}
			}
			return time.Since(start), nil
		}
	}
	moved := func(port int) side {
		return func(ctx context.Context) (time.Duration, error) {
			start := time.Now()
			err := ask(ctx, port, transfer, block)
			return time.Since(start), err
		}
	}
	for _, c := range []struct {
		work, beside, reach string
		ours, theirs        side
	}{
		{"5000 connections through a socket remap", "no remap", "<= 1.01", opened(hookedPort), opened(plainPort)},
		{"5000 connections through a socket remap", "docker-proxy", "-", opened(hookedPort), opened(proxiedPort)},
		{"1 GiB through a socket remap", "no remap", "<= 1.01", moved(hookedPort), moved(plainPort)},
		{"1 GiB through a socket remap", "docker-proxy", "-", moved(hookedPort), moved(proxiedPort)},
	} {
		if err := b.compare(ctx, c.work, c.beside, c.reach, b.runs, true, c.ours, c.theirs); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroup waits for the last process to be gone.
func removeCgroup(dir string) error {
	for try := 0; ; try++ {
		err := os.Remove(filepath.Clean(dir))
		if err == nil || try == 50 {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
