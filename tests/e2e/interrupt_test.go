package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// interrupted is a host with a subnet manager whose operator pulls the plug.
type interrupted struct {
	t      *testing.T
	dir    string
	host   *lab.Host
	vars   map[string]any
	image  string // "a" or "b"
	change int
}

func newInterrupted(t *testing.T) *interrupted {
	t.Helper()
	store := sharedStore(t)
	i := &interrupted{t: t, dir: labtest.Dir(t), image: "a"}
	project := filepath.Join(i.dir, "b")
	if err := os.CopyFS(filepath.Join(project, "images"), os.DirFS(filepath.Join(root, "images"))); err != nil {
		t.Fatal(err)
	}
	anotherFile(t, filepath.Join(project, "images/opensm"))
	push := func(name, project string) {
		t.Helper()
		ok(t, "-C", project, "--store", store, "push", "opensm", "docker-archive:"+i.dir+"/"+name+".tar", "--images-file", i.dir+"/"+name+".yml")
	}
	push("a", root)
	ok(t, "-C", project, "--store", store, "build", "opensm", "--images-file", i.dir+"/b.yml")
	push("b", project)
	i.host = labtest.Host(t, lab.HostOptions{Name: "ctl0"})
	i.vars = simulated(i.host, labtest.Fabric(t, lab.FabricOptions{Network: i.host.Network()}))
	return i
}

// args are those of a run of a verb.
func (i *interrupted) args(verb string) []string {
	i.t.Helper()
	inventory := filepath.Join(i.dir, "inventory.json")
	writeHosts(i.t, inventory, map[string]any{i.host.Name(): i.vars})
	return []string{"-C", root, "--json", "deploy", "-i", inventory, "--images-file", i.dir + "/" + i.image + ".yml", "--action", verb}
}

// changes runs a verb to its end and gives the number of changes.
func (i *interrupted) changes(verb string) int {
	i.t.Helper()
	r := ok(i.t, i.args(verb)...)
	var recap deploy.Recap
	if err := json.Unmarshal([]byte(r.stdout), &recap); err != nil {
		i.t.Fatalf("%v\n%v", err, r)
	}
	return recap.Hosts[i.host.Name()].Changed
}

// prepare makes work for a verb.
func (i *interrupted) prepare(verb string) {
	i.t.Helper()
	i.change++
	switch verb {
	case "deploy": // all but the volumes
		inHost(i.t, i.host, "docker rm --force ib_opensm; docker image prune --all --force; rm -rf /etc/ibforge")
	case "reconfigure": // files that are read again, and a container that is made anew
		i.vars["ib_opensm_sweep_interval"] = 10 + i.change
		environment, isMap := i.vars["ib_opensm_environment"].(map[string]string)
		if !isMap {
			i.t.Fatalf("ib_opensm_environment is %v", i.vars["ib_opensm_environment"])
		}
		environment["CHANGE"] = strconv.Itoa(i.change)
	case "upgrade":
		i.image = map[string]string{"a": "b", "b": "a"}[i.image]
		inHost(i.t, i.host, "docker image prune --all --force")
	}
}

// killed runs a verb and kills Ansible with all its processes after a while. A
// module that runs on the host dies with them, or goes on until it is done.
func (i *interrupted) killed(verb string, after time.Duration, host bool) {
	i.t.Helper()
	cmd, stdout, stderr := command(i.t, nil, i.args(verb)...)
	if err := cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	time.Sleep(after)
	leader := 0
	for _, p := range processes(i.t) {
		if p.parent == cmd.Process.Pid && p.session == p.id {
			leader = p.id
		}
	}
	if leader == 0 {
		i.t.Logf("%s: no Ansible to kill after %s", verb, after)
	} else {
		i.killSession(leader, host)
	}
	err := cmd.Wait()
	if leader != 0 && (err == nil || !strings.Contains(stderr.String(), "ended with a signal")) {
		i.t.Errorf("ibforge says of a killed Ansible: %v\n%s\n%s", err, stdout, stderr)
	}
	// The operator is slower than what still runs on the host.
	waitFor(i.t, "the last module to end", func() bool {
		for _, p := range processes(i.t) {
			if leader != 0 && p.session == leader {
				return false
			}
		}
		return true
	})
}

// killSession kills the processes of a session, first its leader, until there
// are none. Those within the host are in another PID namespace.
func (i *interrupted) killSession(leader int, host bool) {
	i.t.Helper()
	own, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		i.t.Fatal(err)
	}
	_ = syscall.Kill(leader, syscall.SIGKILL)
	for left := true; left; {
		left = false
		for _, p := range processes(i.t) {
			ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", p.id))
			if p.session == leader && err == nil && (host || ns == own) {
				left = true
				_ = syscall.Kill(p.id, syscall.SIGKILL)
			}
		}
	}
}

// proc is what proc_pid_stat(5) says of a process that is no zombie.
type proc struct{ id, parent, session int }

func processes(t *testing.T) []proc {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var out []proc
	for _, entry := range entries {
		stat, err := os.ReadFile(entry)
		if err != nil {
			continue // it has ended
		}
		// The name may hold blanks and parentheses.
		f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(f) < 4 || f[0] == "Z" {
			continue
		}
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(entry)))
		parent, _ := strconv.Atoi(f[1])
		session, _ := strconv.Atoi(f[3])
		out = append(out, proc{id, parent, session})
	}
	return out
}

// kept is what an interruption may not change: one container, the volumes since
// they were made, what is in them, and no more than that. Ansible unpacks its
// modules to places of its own, which stay where a module is killed.
func (i *interrupted) kept() string {
	i.t.Helper()
	return inHost(i.t, i.host, `docker ps --all --format '{{.Names}} {{.State}}'
		docker volume inspect $(docker volume ls --quiet | sort) --format '{{.Name}} {{.CreatedAt}}'
		docker image ls --quiet | wc -l
		cat /var/lib/docker/volumes/ibforge_opensm_cache/_data/marker
		find /tmp /var/tmp /var/lib -maxdepth 1 -name '*ibforge*' ! -name 'ansible_*_payload_*'
		find /etc/ibforge | sort`)
}

// Ansible is killed at ten moments spread over deploy, reconfigure and upgrade.
// The next run finishes the job, one more has nothing to do, and nothing is
// doubled, lost or left.
func TestInterrupted(t *testing.T) {
	if os.Getenv(matrixEnv) == "" {
		t.Skip("plays that are killed take some minutes of both processors: make test-matrix runs it")
	}
	t.Parallel()
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number does
	moments := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	i := newInterrupted(t)
	verbs := []string{"deploy", "reconfigure", "upgrade"}
	takes := map[string]time.Duration{}
	for _, verb := range verbs {
		i.prepare(verb)
		start := time.Now()
		if n := i.changes(verb); n == 0 {
			t.Fatalf("%s has nothing to do, and so cannot be interrupted", verb)
		}
		takes[verb] = time.Since(start)
	}
	t.Logf("uninterrupted: %v", takes)
	inHost(t, i.host, "echo of the operator >/var/lib/docker/volumes/ibforge_opensm_cache/_data/marker; docker image prune --all --force")
	want := i.kept()
	for round := range 10 {
		verb := verbs[round%len(verbs)]
		// One moment in each quarter of a run.
		after := time.Duration((float64(round/len(verbs)) + moments.Float64()) / 4 * float64(takes[verb]))
		host := moments.IntN(2) == 0
		i.prepare(verb)
		i.killed(verb, after, host)
		first := i.changes(verb)
		second := i.changes(verb)
		t.Logf("%s killed after %s, its module too: %v; then %d changes", verb, after.Round(time.Millisecond), host, first)
		if second != 0 {
			t.Errorf("after %s was killed at %s and run again, one more run changes %d things", verb, after, second)
		}
		inHost(t, i.host, "docker image prune --all --force")
		if got := i.kept(); got != want {
			t.Errorf("after %s was killed at %s and run again, there is\n%s\nwant\n%s", verb, after, got, want)
		}
	}
	t.Logf("Ansible's own leftovers: %s", inHost(t, i.host, "du -sk /root/.ansible/tmp; ls /root/.ansible/tmp | wc -l"))
}
