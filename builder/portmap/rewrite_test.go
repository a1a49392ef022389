package portmap

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
)

const unit = "apache2.service"

func portMap(ports ...contract.Port) contract.PortMap {
	return contract.PortMap{Version: contract.PortMapVersion, Service: "web", Ports: ports}
}

// at gives a port another file.
func at(path string, p contract.Port) contract.Port {
	p.Rewrites = []contract.Rewrite{{Path: path, Match: p.Rewrites[0].Match, Count: p.Rewrites[0].Count}}
	return p
}

func to(host int, p contract.Port) contract.Port {
	p.Host = host
	return p
}

func rewriteOK(t *testing.T, root string, ports ...contract.Port) []string {
	t.Helper()
	changed, err := Rewrite(root, portMap(ports...), unit)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func TestRewrite(t *testing.T) {
	two := []contract.Rewrite{{Path: "/etc/a.conf", Match: listen, Count: 1}, {Path: "/etc/b.conf", Match: `^Port={port}$`, Count: 2}}
	p := http("", 0)
	p.Rewrites = two
	other := at("/etc/c.conf", https(listen, 1))
	other.Unit = "other.service"
	socket := contract.Port{Name: "s", Protocol: "tcp", Listens: 1, Host: 2, Via: contract.ViaSocket, Unit: unit}
	before := map[string]string{"/etc/a.conf": "Listen 80\n", "/etc/b.conf": "Port=80\nPort=80", "/etc/c.conf": "Listen 443\n"}
	root := tree(t, before)

	if diff := cmp.Diff([]string{"/etc/a.conf", "/etc/b.conf"}, rewriteOK(t, root, p, other, socket)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	record := `{"version":1,"written":{"80/tcp":[8080]}}` + "\n"
	after := map[string]string{
		"/etc/a.conf": "Listen 8080\n", "/etc/b.conf": "Port=8080\nPort=8080", "/etc/c.conf": "Listen 443\n",
		"/etc/.a.conf.ibforge-ports": record, "/etc/.b.conf.ibforge-ports": record,
	}
	if diff := cmp.Diff(after, contents(t, root)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	inode := stat(t, root+"/etc/a.conf").Ino
	if changed := rewriteOK(t, root, p, other, socket); changed != nil {
		t.Errorf("a second start changed %v", changed)
	}
	if stat(t, root+"/etc/a.conf").Ino != inode {
		t.Error("a second start wrote the file anew")
	}
	put(t, root, "/etc/b.conf", before["/etc/b.conf"]) // by the service itself
	if diff := cmp.Diff([]string{"/etc/b.conf"}, rewriteOK(t, root, p, other, socket)); diff != "" {
		t.Errorf("after the service wrote one file anew, changed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(after, contents(t, root)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if changed, err := Rewrite(root, portMap(socket), unit); changed != nil || err != nil {
		t.Errorf("a unit without files: %v, %v", changed, err)
	}
}

func stat(t *testing.T, name string) *syscall.Stat_t {
	t.Helper()
	var s syscall.Stat_t
	if err := syscall.Lstat(name, &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

func TestRewriteKeepsAttributes(t *testing.T) {
	root := tree(t, map[string]string{file: "Listen 80\n"})
	name := root + file
	if err := os.Chmod(name, 0o640|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	label := syscall.Setxattr(name, "user.ibforge", []byte("kept"), 0)
	owner := os.Geteuid() == 0
	if owner {
		if err := os.Chown(name, 1234, 4321); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, 0o640|os.ModeSetgid); err != nil {
			t.Fatal(err)
		}
	}
	was := stat(t, name)
	rewriteOK(t, root, http(listen, 1))
	is := stat(t, name)
	if was.Ino == is.Ino {
		t.Error("the file was not replaced as a whole")
	}
	if was.Mode != is.Mode || was.Uid != is.Uid || was.Gid != is.Gid {
		t.Errorf("mode and owner were %o %d:%d, are %o %d:%d", was.Mode, was.Uid, was.Gid, is.Mode, is.Uid, is.Gid)
	}
	if label == nil {
		value := make([]byte, 16)
		if n, err := syscall.Getxattr(name, "user.ibforge", value); err != nil || string(value[:n]) != "kept" {
			t.Errorf("the extended attribute is %q, %v", value[:max(n, 0)], err)
		}
	}
}

// Nothing is written unless all is right, and all that is wrong is said.
func TestRewriteFaults(t *testing.T) {
	right := at("/etc/right", http(listen, 1))
	tests := []struct {
		name  string
		files map[string]string
		port  contract.Port
		want  string
	}{
		{"count", map[string]string{file: "Listen 4430\n"}, https(`^Listen {port}`, 1),
			file + `: port https: match "^Listen {port}": wanted 1, found 0: looked for 443, 8443, and it holds 4430 there: if that is this port, put 443 back into the file; if not, correct the match or the count in the description`},
		{"no file", nil, https(listen, 1),
			file + `: port https: no such file or directory: correct the path in the description, or order the unit after the one that makes the file`},
		{"a directory", map[string]string{file + "/x": ""}, https(listen, 1),
			file + `: port https: is a directory: the path must be that of a file`},
		{"a file as directory", map[string]string{"/etc/apache2": ""}, https(listen, 1),
			file + `: port https: not a directory: correct the path in the description`},
		{"a link to nowhere", map[string]string{file: "-> /gone"}, https(listen, 1),
			file + `: port https: no such file or directory: correct the path in the description, or order the unit after the one that makes the file`},
		{"a loop of links", map[string]string{file: "-> other", "/etc/apache2/other": "-> ports.conf"}, https(listen, 1),
			file + `: port https: too many levels of symbolic links: look where its symbolic links lead`},
		{"too large", map[string]string{file: strings.Repeat("x", maxFile+1)}, https(listen, 1),
			file + `: port https: is larger than 16 MiB, which no configuration is: correct the path`},
		{"a record of somebody else", map[string]string{file: "Listen 443\n", "/etc/apache2/.ports.conf.ibforge-ports": "x"}, https(listen, 1),
			file + `: port https: /etc/apache2/.ports.conf.ibforge-ports is no record of the numbers in it: invalid character 'x' looking for beginning of value: remove it, and put the service's own numbers back into the file`},
		{"a newer record", map[string]string{file: "Listen 443\n", "/etc/apache2/.ports.conf.ibforge-ports": `{"version":2}`}, https(listen, 1),
			file + `: port https: /etc/apache2/.ports.conf.ibforge-ports is no record of the numbers in it: is of version 2, this program reads version 1: remove it, and put the service's own numbers back into the file`},
		{"a record that leads elsewhere", map[string]string{file: "Listen 443\n", "/etc/apache2/.ports.conf.ibforge-ports": "-> /etc/shadow"}, https(listen, 1),
			file + `: port https: /etc/apache2/.ports.conf.ibforge-ports is a symbolic link, which this program did not make: remove it`},
		{"a bad match", map[string]string{file: "Listen 443\n"}, https(`^Listen`, 1),
			file + `: port https: The match "^Listen" holds {port} 0 times. Write it once, where the number stands.`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := with(tt.files, map[string]string{"/etc/right": "Listen 80\n"})
			root := tree(t, before)
			changed, err := Rewrite(root, portMap(right, tt.port), unit)
			if changed != nil || err == nil {
				t.Fatalf("changed %v, %v", changed, err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, contents(t, root)); diff != "" {
				t.Errorf("the files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRewriteSaysAllFaults(t *testing.T) {
	root := tree(t, map[string]string{"/etc/a": "", "/etc/right": "Listen 443\n"})
	p := http(listen, 1)
	p.Rewrites = []contract.Rewrite{{Path: "/etc/gone", Match: listen, Count: 1}, {Path: "/etc/gone", Match: "^x={port}", Count: 1}, {Path: "/etc/a", Match: listen, Count: 1}}
	_, err := Rewrite(root, portMap(p, at("/etc/a", https(listen, 3)), at("/etc/right", https(`^Listen {port}`, 1))), unit)
	var e *FaultsError
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, f := range e.Faults {
		got = append(got, fmt.Sprint(f.Path, " ", f.Port, " ", f.Want, " ", f.Found))
	}
	if diff := cmp.Diff([]string{"/etc/gone http 0 0", "/etc/a http 1 0", "/etc/a https 3 0"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRewriteNamedPipe(t *testing.T) {
	root := tree(t, map[string]string{"/etc/apache2/x": ""})
	if err := syscall.Mkfifo(root+file, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Rewrite(root, portMap(http(listen, 1)), unit)
	if want := file + ": port http: is no regular file but p---------: correct the path"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// systemd starts units side by side, and each knows its own ports only.
func TestRewriteOneFileByManyUnits(t *testing.T) {
	const many = 20
	var ports []contract.Port
	var before, after strings.Builder
	for i := range many {
		p := http(fmt.Sprintf("^Unit %d listens on {port}$", i), 1)
		p.Name, p.Unit, p.Listens, p.Host = fmt.Sprint(i), fmt.Sprintf("u%d.service", i), 1000+i, 2000+i
		ports = append(ports, p)
		fmt.Fprintf(&before, "Unit %d listens on %d\n", i, p.Listens)
		fmt.Fprintf(&after, "Unit %d listens on %d\n", i, p.Host)
	}
	root := tree(t, map[string]string{file: before.String()})
	var wait sync.WaitGroup
	for _, p := range ports {
		wait.Go(func() {
			if _, err := Rewrite(root, portMap(ports...), p.Unit); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if diff := cmp.Diff(after.String(), contents(t, root)[file]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A start that was killed, or a service that may write into the directory,
// leaves something in the place of the files that are made beside it.
func TestRewriteBesides(t *testing.T) {
	root := tree(t, map[string]string{
		file:                                   "Listen 80\n",
		"/etc/shadow":                          "root",
		"/etc/apache2/.ports.conf.ibforge-new": "-> ../shadow",
		"/etc/apache2/..ports.conf.ibforge-ports.ibforge-new": "half a rec",
	})
	rewriteOK(t, root, http(listen, 1))
	want := map[string]string{
		file:                                     "Listen 8080\n",
		"/etc/shadow":                            "root",
		"/etc/apache2/.ports.conf.ibforge-ports": `{"version":1,"written":{"80/tcp":[8080]}}` + "\n",
	}
	if diff := cmp.Diff(want, contents(t, root)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
