package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// extraVarsFile turns one argument of -e into the content of a file that means
// the same to Ansible. Its errors name keys but no values, since those may be
// secret.
func extraVarsFile(arg string) ([]byte, error) {
	switch arg[0] {
	case '{', '[':
		var node map[string]yaml.Node
		if err := yaml.Unmarshal([]byte(arg), &node); err != nil {
			return nil, errors.New("neither a JSON nor a YAML mapping; check the brackets, commas and quotes")
		}
		return []byte(arg), nil
	case '/', '.':
		return nil, errors.New("looks like the path of a file; put @ in front of it")
	}
	vars, err := parseKeyValues(arg)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(vars)
	if err != nil {
		return nil, fmt.Errorf("writing it as JSON: %w", err)
	}
	return text, nil
}

// parseKeyValues reads the key=value form of -e as Ansible does: pairs are
// separated by blanks, quotes and Jinja expressions hold blanks together, one
// pair of quotes around a value is dropped, and all values are strings
// (docs.ansible.com, "Defining variables at runtime, key=value format").
//
// It differs in one thing: Ansible drops a word without "=" in silence, which
// turns -e msg=two\ words into "two". Here that is an error.
func parseKeyValues(arg string) (map[string]string, error) {
	words, err := splitWords(arg)
	if err != nil {
		return nil, err
	}
	vars := map[string]string{}
	last := ""
	for _, word := range words {
		word = decodeEscapes(word)
		eq := strings.Index(word, "=")
		if eq <= 0 {
			if last == "" {
				return nil, errors.New(`neither key=value, nor a JSON mapping, nor @file`)
			}
			return nil, fmt.Errorf(`a word without "=" follows %s=; quote a value that holds blanks: %s='two words'`, last, last)
		}
		last = strings.TrimSpace(word[:eq])
		vars[last] = unquote(strings.TrimSpace(word[eq+1:]))
	}
	return vars, nil
}

// splitWords splits at blanks and newlines outside quotes and Jinja brackets.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote byte
	depth := map[string]int{}
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		inside := quote != 0 || depth["{{"]+depth["{%"]+depth["{#"] > 0
		if (c == ' ' || c == '\n') && !inside {
			end()
			continue
		}
		if (c == '"' || c == '\'') && (i == 0 || s[i-1] != '\\') {
			switch quote {
			case 0:
				quote = c
			case c:
				quote = 0
			}
		}
		if i+1 < len(s) {
			i += countBracket(depth, s[i:i+2], &word)
		}
		word.WriteByte(s[i])
	}
	end()
	if quote != 0 || depth["{{"]+depth["{%"]+depth["{#"] > 0 {
		return nil, errors.New("a quote or a Jinja bracket is not closed")
	}
	return words, nil
}

// countBracket keeps the depth of Jinja brackets. It writes the first byte of
// a bracket and returns 1 to have the second one written by the caller, else 0.
func countBracket(depth map[string]int, pair string, word *strings.Builder) int {
	opening := map[string]string{"}}": "{{", "%}": "{%", "#}": "{#"}
	switch pair {
	case "{{", "{%", "{#":
		depth[pair]++
	case "}}", "%}", "#}":
		depth[opening[pair]] = max(0, depth[opening[pair]]-1)
	default:
		return 0
	}
	word.WriteByte(pair[0])
	return 1
}

// decodeEscapes knows the escapes of a Python string, save for octal ones and
// names of characters; any other backslash stands for itself.
func decodeEscapes(s string) string {
	var b strings.Builder
	for s != "" {
		if s[0] != '\\' || len(s) == 1 || !strings.ContainsRune(`\'"abfnrtvxuU`, rune(s[1])) {
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		if s[1] == '\'' || s[1] == '"' {
			b.WriteByte(s[1])
			s = s[2:]
			continue
		}
		r, _, rest, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		b.WriteRune(r)
		s = rest
	}
	return b.String()
}

func unquote(s string) string {
	n := len(s)
	if n > 1 && s[0] == s[n-1] && (s[0] == '"' || s[0] == '\'') && s[n-2] != '\\' {
		return s[1 : n-1]
	}
	return s
}
