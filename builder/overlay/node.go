package overlay

import (
	"crypto/sha256"
	"encoding/hex"
)

// Node is a file or a symbolic link.
type Node struct {
	// Link tells that Text is a link's target.
	Link bool
	// Text is the content. It is empty where Lost.
	Text string
	// Lost tells that only the digest of the text is known.
	Lost bool
	// Other says what is there that is neither file nor link, such as "a directory".
	Other string
	// Digest of Text, "sha256:" and hexadecimal digits.
	Digest string
}

// Tree has nodes by their slash-separated paths. Directories come of themselves.
type Tree map[string]Node

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// File is a node with this content.
func File(text string) Node { return Node{Text: text, Digest: digest(text)} }

// Link is a symbolic link to a target.
func Link(target string) Node { return Node{Link: true, Text: target, Digest: digest(target)} }

// same tells whether two nodes are alike.
func (n Node) same(m Node) bool {
	return n.Link == m.Link && n.Other == m.Other && n.Digest == m.Digest
}

// text tells whether lines of it can be merged: git's rule, a NUL among the
// first 8000 bytes means binary.
func (n Node) text() bool {
	if n.Link || n.Lost || n.Other != "" {
		return false
	}
	for i := range min(len(n.Text), 8000) {
		if n.Text[i] == 0 {
			return false
		}
	}
	return true
}
