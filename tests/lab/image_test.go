package lab_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/ibforge/ibforge/tests/lab"
)

// run starts a container and returns its ID. The program is found in /bin.
func run(t *testing.T, e *lab.Engine, config container.Config, host container.HostConfig) string {
	t.Helper()
	ctx := limited(t)
	config.Entrypoint = []string{"/bin/" + config.Cmd[0]}
	config.Cmd = config.Cmd[1:]
	c, err := e.Client().ContainerCreate(ctx, &config, &host, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Client().ContainerStart(ctx, c.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// awaitExit returns what the container wrote in its life.
func awaitExit(t *testing.T, e *lab.Engine, id string) string {
	t.Helper()
	ctx := limited(t)
	exited, errs := e.Client().ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case <-exited:
	case err := <-errs:
		t.Fatal(err)
	}
	logs, err := e.Client().ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = logs.Close() }()
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, logs); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// importImage makes the image "tools" of a program of this machine and the libraries
// that it is linked to, with the program in /bin. What the preloaded libraries
// are linked to is in there as well, but not they themselves.
func importImage(t *testing.T, e *lab.Engine, program string, preloaded ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path = "/usr/sbin/" + program
	}
	var ldd []byte
	for _, file := range append(preloaded, path) {
		out, err := exec.CommandContext(limited(t), "ldd", file).Output()
		if err != nil {
			t.Fatalf("ldd %s: %v", file, err)
		}
		ldd = append(ldd, out...)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	addFile(t, w, path, "bin/"+program)
	libraries := regexp.MustCompile(`/\S+`).FindAllString(string(ldd), -1)
	if i := slices.IndexFunc(libraries, func(l string) bool { return filepath.Base(l) == "libpthread.so.0" }); i >= 0 {
		// pthread_cancel, which ends a client of the simulator, loads it.
		libraries = append(libraries, filepath.Join(filepath.Dir(libraries[i]), "libgcc_s.so.1"))
	}
	slices.Sort(libraries)
	for _, library := range slices.Compact(libraries) {
		addFile(t, w, library, strings.TrimPrefix(library, "/"))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	answer, err := e.Client().ImageImport(limited(t), image.ImportSource{Source: &archive, SourceName: "-"}, "tools", image.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	_, err = text.ReadFrom(answer)
	if err := errors.Join(err, answer.Close()); err != nil || strings.Contains(text.String(), "error") {
		t.Fatalf("import: %v: %s", err, &text)
	}
}

func addFile(t *testing.T, w *tar.Writer, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteHeader(&tar.Header{Name: to, Mode: 0o755, Size: int64(len(data))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
}
