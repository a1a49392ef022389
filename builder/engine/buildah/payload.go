package buildah

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/plan"
)

// mountPayloads unpacks the payloads of a command and says where they are
// mounted. release removes them, and the mount points that the mounts left in
// the working container, so that no layer has anything of them.
func (w *working) mountPayloads(ctx context.Context, payloads []plan.Payload) (binds []specs.Mount, release func() error, err error) {
	if len(payloads) == 0 {
		return nil, func() error { return nil }, nil
	}
	root, err := os.OpenRoot(w.root)
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp(w.tmp(), "payload-")
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	var made []string
	release = func() error {
		err := os.RemoveAll(dir)
		for _, name := range made {
			// Not RemoveAll: a command may have put the product beside it.
			if e := root.Remove(name); e != nil && !errors.Is(e, fs.ErrNotExist) && !errors.Is(e, unix.ENOTEMPTY) {
				err = errors.Join(err, e)
			}
		}
		return errors.Join(err, root.Close())
	}
	for _, p := range payloads {
		at := filepath.Join(dir, p.Name)
		if err := w.unpackPayload(ctx, p, at); err != nil {
			return nil, nil, errors.Join(err, release())
		}
		made = append(made, missingParts(root, p.Unpack[1:])...)
		binds = append(binds, specs.Mount{Destination: p.Unpack, Type: "bind", Source: at, Options: []string{"rbind", "rw"}})
	}
	return binds, release, nil
}

// missingParts are the directories of a path that are not there, the deepest
// first.
func missingParts(root *os.Root, name string) []string {
	var missing []string
	for p := name; p != "."; p = path.Dir(p) {
		if _, err := root.Lstat(p); err == nil {
			break
		}
		missing = append(missing, p)
	}
	return missing
}

// unpackPayload checks the file's sum and unpacks it below dir. The sum is
// taken before, so that nothing of a wrong file is looked at, and again while
// unpacking, so that what is unpacked is what was checked.
func (w *working) unpackPayload(ctx context.Context, p plan.Payload, dir string) error {
	source := p.Source
	if !filepath.IsAbs(source) {
		source = filepath.Join(w.opts.Project, source)
	}
	f, err := os.Open(source)
	if err != nil {
		why := "It cannot be opened: " + err.Error() + "."
		if errors.Is(err, fs.ErrNotExist) {
			why = "There is no such file. A relative name counts from the project directory."
		}
		return payloadFault(p, "Payload cannot be read", "%q is the file of payload %q. %s", source, p.Name, why)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return payloadFault(p, "Payload cannot be read", "%q, the file of payload %q, is no regular file.", source, p.Name)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, contextReader{ctx, f}); err != nil {
		return fmt.Errorf("reading payload %q: %w", p.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != p.SHA256 {
		return payloadFault(p, "Payload has another SHA-256", "%q has the SHA-256 %s, and %s is wanted. It is another file, or was damaged on its way: compare with what its supplier publishes.", source, got, p.SHA256)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading payload %q: %w", p.Name, err)
	}
	sum.Reset()
	raw := io.TeeReader(contextReader{ctx, f}, sum)
	if err := unpack(raw, dir, p); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return payloadFault(p, "Payload cannot be unpacked", "%q, the file of payload %q: %v.", source, p.Name, err)
	}
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return fmt.Errorf("reading payload %q: %w", p.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != p.SHA256 {
		return payloadFault(p, "Payload changed", "%q was changed by another process while it was read. Build again.", source)
	}
	return nil
}

// unpack takes the compression off and hands the rest on.
func unpack(raw io.Reader, dir string, p plan.Payload) error {
	buffered := bufio.NewReader(raw)
	head, err := buffered.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("its first bytes: %w", err)
	}
	archive := io.Reader(buffered)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return truncated(err)
		}
		defer z.Close()
		archive = z
	case bytes.HasPrefix(head, []byte("PK")), bytes.HasPrefix(head, []byte("\xfd7zXZ")), bytes.HasPrefix(head, []byte("BZh")), bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return errors.New("it is compressed with something else than gzip; unpack it and pack it again with \"tar -czf\", or take the supplier's .tar.gz")
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	u := unpacker{root: root, strip: p.Strip, limit: p.Limit}
	return errors.Join(u.all(archive), root.Close())
}

// payloadFault is a fault of the file that the user gave.
func payloadFault(p plan.Payload, summary, format string, args ...any) error {
	r := p.Range
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &r}}
}

// contextReader ends when ctx does: a payload can take minutes to read.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p) //nolint:wrapcheck // an io.Reader hands io.EOF on as it is
}
