package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/ibforge/ibforge/builder/contract"
)

// imageID finds the image in the engine, after loading it where it is missing.
func (s *session) imageID(ctx context.Context) result {
	have, err := s.eng.api.ImageInspect(ctx, s.img.ID)
	how := "was there already"
	if cerrdefs.IsNotFound(err) {
		names, loadErr := s.load(ctx)
		if loadErr != nil {
			return fail("%v", loadErr)
		}
		how = "loaded as " + strings.Join(names, ", ")
		have, err = s.eng.api.ImageInspect(ctx, s.img.ID)
		if cerrdefs.IsNotFound(err) {
			return s.otherID(ctx, names)
		}
	}
	if err != nil {
		return fail("asking the engine for %s: %v", s.img.ID, err)
	}
	if have.ID != s.img.ID {
		return fail("the engine answers with image %s", have.ID)
	}
	s.usable = have.ID
	return pass("%s%s", how, s.otherName(ctx))
}

// otherID tells what the archive held in place of the image.
func (s *session) otherID(ctx context.Context, names []string) result {
	if len(names) == 0 {
		return fail("the archive holds no image")
	}
	have, err := s.eng.api.ImageInspect(ctx, names[0])
	if err != nil {
		return fail("the archive was loaded as %s, which the engine does not find: %v", names[0], err)
	}
	if s.eng.containerd {
		s.usable = have.ID
		return skip("loaded as %s; the engine keeps images in containerd's store and calls them by manifest digest, so the config digest was not compared", names[0])
	}
	return fail("the archive holds image %s, not %s", have.ID, s.img.ID)
}

// otherName warns when the reference names another image: the proof is of the
// ID, a user may start the name.
func (s *session) otherName(ctx context.Context) string {
	if s.img.Reference == "" {
		return ""
	}
	named, err := s.eng.api.ImageInspect(ctx, s.img.Reference)
	switch {
	case err != nil:
		return "; no image is called " + s.img.Reference + " there"
	case named.ID != s.img.ID:
		return "; " + s.img.Reference + " is another image there: " + named.ID
	}
	return ""
}

// load streams the archive into the engine and gives the names or IDs that the
// engine found in it.
func (s *session) load(ctx context.Context) ([]string, error) {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := s.src.DockerArchive(ctx, w)
		w.CloseWithError(err)
		written <- err
	}()
	names, err := s.loadFrom(ctx, r)
	// Unblocks the source when the engine stopped reading before the end.
	r.CloseWithError(errStoppedReading)
	if sourceErr := <-written; sourceErr != nil && !errors.Is(sourceErr, errStoppedReading) {
		return nil, fmt.Errorf("writing the image as docker-archive: %w", sourceErr)
	}
	if err != nil {
		return nil, fmt.Errorf("loading the image into the engine: %w", err)
	}
	return names, nil
}

var errStoppedReading = errors.New("the engine stopped reading the archive")

func (s *session) loadFrom(ctx context.Context, archive io.Reader) ([]string, error) {
	resp, err := s.eng.api.ImageLoad(ctx, archive)
	if err != nil {
		return nil, fmt.Errorf("sending the archive: %w", err)
	}
	defer resp.Body.Close()
	return loadedNames(resp.Body)
}

// loadedNames reads the engine's stream of messages. A fault comes as a message
// in a response of status 200, and the names only as prose: "Loaded image: X",
// or "Loaded image ID: sha256:…" for an archive without names.
func loadedNames(messages io.Reader) ([]string, error) {
	var names []string
	dec := json.NewDecoder(messages)
	for {
		var m struct {
			Stream string `json:"stream"`
			Error  string `json:"error"`
		}
		err := dec.Decode(&m)
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the engine's answer: %w", err)
		}
		if m.Error != "" {
			return nil, errors.New(m.Error)
		}
		for _, prefix := range []string{"Loaded image: ", "Loaded image ID: "} {
			if name, ok := strings.CutPrefix(m.Stream, prefix); ok {
				names = append(names, strings.TrimSpace(name))
			}
		}
	}
}

func (s *session) imageContract(ctx context.Context) result {
	have, err := s.eng.api.ImageInspect(ctx, s.usable)
	if err != nil {
		return fail("asking the engine for %s: %v", s.usable, err)
	}
	var labels map[string]string
	if have.Config != nil {
		labels = have.Config.Labels
	}
	return compareLabel(labels, s.img.Contract)
}

// compareLabel holds the label against the contract in canonical form.
func compareLabel(labels map[string]string, want contract.Contract) result {
	text, ok := labels[contract.Label]
	if !ok {
		return fail("the image has no label %s", contract.Label)
	}
	got, err := contract.Parse([]byte(text))
	if err != nil {
		return fail("label %s: %v", contract.Label, err)
	}
	gotText, err := got.MarshalCompact()
	if err != nil {
		return fail("%v", err)
	}
	wantText, err := want.MarshalCompact()
	if err != nil {
		return fail("%v", err)
	}
	if bytes.Equal(gotText, wantText) {
		return pass("version %d", got.Version)
	}
	return fail("%s", strings.Join(differences(gotText, wantText), "\n"))
}

// differences lists the contract's fields that are not the same, by name.
func differences(label, given []byte) []string {
	var a, b map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(label, &a), json.Unmarshal(given, &b)); err != nil {
		return []string{err.Error()}
	}
	var lines []string
	for name := range b {
		if !bytes.Equal(a[name], b[name]) {
			lines = append(lines, fmt.Sprintf("%s: the label has %s, the description %s", name, a[name], b[name]))
		}
	}
	slices.Sort(lines)
	return lines
}
