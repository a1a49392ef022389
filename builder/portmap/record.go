package portmap

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/ibforge/ibforge/builder/contract"
)

// record says which numbers of the host this program may have written into one
// file. With it a port is found again after the site has moved it elsewhere.
// It lies beside the file, and so on the same volume: both live and go
// together. No copy of the file is kept, because the service may write it anew
// at any time, and an old copy would undo that.
type record struct {
	Version int `json:"version"`
	// Written has the numbers by the port, see recordKey.
	Written map[string][]int `json:"written"`
}

const recordVersion = 1

// recordKey is what stays of a port when its name or its place changes.
func recordKey(p contract.Port) string { return fmt.Sprintf("%d/%s", p.Listens, p.Protocol) }

func recordName(file string) string { return beside(file, "ibforge-ports") }

// readRecord gives the record beside a file; one that is not there is empty.
func readRecord(root *os.Root, file string) (record, error) {
	r := record{Version: recordVersion, Written: map[string][]int{}}
	name := recordName(file)
	// Whoever may write into the directory could let it lead to what only root
	// may read.
	if info, err := root.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return r, fmt.Errorf("/%s is a symbolic link, which this program did not make: remove it", name)
	}
	o, err := open(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("the record /%s of the numbers in it: %w", name, err)
	}
	defer o.Close()
	if err = json.Unmarshal(o.text, &r); err == nil && (r.Version != recordVersion || r.Written == nil) {
		err = fmt.Errorf("is of version %d, this program reads version %d", r.Version, recordVersion)
	}
	if err != nil {
		return r, fmt.Errorf("/%s is no record of the numbers in it: %w: remove it, and put the service's own numbers back into the file", name, err)
	}
	return r, nil
}

// candidates are the numbers that may stand in the file for a port. That which
// the site wants now is among them, because the record may be lost or the file
// come from elsewhere; but not where it is, by the record, another port's: two
// ports of one file may have changed places.
func (r record) candidates(p contract.Port) []int {
	out := append([]int{p.Listens}, r.Written[recordKey(p)]...)
	taken := false
	for key, written := range r.Written {
		taken = taken || key != recordKey(p) && slices.Contains(written, p.Host)
	}
	if !taken {
		out = append(out, p.Host)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// during is the record while ports are written: the old numbers and the new.
func (r record) during(ports []contract.Port) record {
	out := record{Version: recordVersion, Written: maps.Clone(r.Written)}
	for _, p := range ports {
		written := append([]int{p.Host}, r.Written[recordKey(p)]...)
		slices.Sort(written)
		out.Written[recordKey(p)] = slices.Compact(written)
	}
	return out
}

// after is the record when they have been.
func (r record) after(ports []contract.Port) record {
	out := record{Version: recordVersion, Written: maps.Clone(r.Written)}
	for _, p := range ports {
		out.Written[recordKey(p)] = []int{p.Host}
	}
	return out
}

func (r record) equal(other record) bool {
	return maps.EqualFunc(r.Written, other.Written, slices.Equal[[]int])
}

// write puts the record beside a file.
func (r record) write(root *os.Root, file string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing the record of the numbers in it: %w", err)
	}
	s, err := stage(root, recordName(file), append(data, '\n'), nil)
	if err != nil {
		return err
	}
	return s.commit()
}
