// Package standins packs the stand-ins of vendor products, which lie below this
// folder, the way their vendors pack the products: as one .tgz file with one
// directory in it. They are what the descriptions of images are tested with,
// since the real files are licensed. Their READMEs say what they imitate.
package standins

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// epoch is the time of every entry: 2020-01-01, since GNU tar warns of 1970.
const epoch = 1577836800

// Archive packs the directory dir, its own name as the one top directory, and
// gives the .tgz and its SHA-256 in hex. Names are in lexical order, owners and
// times are always the same, and of modes only the executable bit counts, as
// git keeps no other: a tree makes the same archive on every machine with the
// same release of Go, whose compress/gzip may change. It fails on whatever is
// neither directory, regular file nor symbolic link.
func Archive(dir string) (tgz []byte, sum string, err error) {
	var out bytes.Buffer
	hash := sha256.New()
	// The header of gzip holds neither name nor time unless they are set.
	zip := gzip.NewWriter(io.MultiWriter(&out, hash))
	pack := tar.NewWriter(zip)
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return fmt.Errorf("naming an entry: %w", err)
		}
		header, content, err := describe(name, entry)
		if err != nil {
			return err
		}
		header.Name = path.Join(filepath.Base(filepath.Clean(dir)), filepath.ToSlash(rel))
		if entry.IsDir() {
			header.Name += "/"
		}
		if err := pack.WriteHeader(header); err != nil {
			return fmt.Errorf("packing %s: %w", name, err)
		}
		if _, err := pack.Write(content); err != nil {
			return fmt.Errorf("packing %s: %w", name, err)
		}
		return nil
	})
	if err = errors.Join(err, pack.Close(), zip.Close()); err != nil {
		return nil, "", fmt.Errorf("packing the stand-in %s: %w", dir, err)
	}
	return out.Bytes(), hex.EncodeToString(hash.Sum(nil)), nil
}

// describe gives the entry of a file, but for its name, and its content.
func describe(name string, entry fs.DirEntry) (header *tar.Header, content []byte, err error) {
	header = &tar.Header{Mode: 0o755, ModTime: time.Unix(epoch, 0), Format: tar.FormatUSTAR}
	info, err := entry.Info()
	if err != nil {
		return nil, nil, err
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		header.Typeflag = tar.TypeDir
	case mode.IsRegular():
		header.Typeflag = tar.TypeReg
		if mode&0o111 == 0 {
			header.Mode = 0o644
		}
		content, err = os.ReadFile(name)
		header.Size = int64(len(content))
	case mode&fs.ModeSymlink != 0:
		header.Typeflag, header.Mode = tar.TypeSymlink, 0o777
		header.Linkname, err = os.Readlink(name)
	default:
		err = fmt.Errorf("%s is neither directory, regular file nor symbolic link", name)
	}
	return header, content, err
}
