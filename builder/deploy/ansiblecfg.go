package deploy

import (
	"os"
	"path/filepath"
	"strings"
)

// findConfig returns the ansible.cfg that Ansible reads: ANSIBLE_CONFIG, the
// working directory unless everybody may write to it, the home directory,
// /etc (docs.ansible.com, "Ansible Configuration Settings"). Empty if none.
func findConfig(environ []string, cwd string) string {
	home := getenv(environ, "HOME")
	var files []string
	if v := getenv(environ, "ANSIBLE_CONFIG"); v != "" {
		if rest, ok := strings.CutPrefix(v, "~/"); ok {
			v = filepath.Join(home, rest)
		}
		if info, err := os.Stat(v); err == nil && info.IsDir() {
			v = filepath.Join(v, "ansible.cfg")
		}
		files = append(files, v)
	}
	if info, err := os.Stat(cwd); err == nil && info.Mode()&0o002 == 0 {
		files = append(files, filepath.Join(cwd, "ansible.cfg"))
	}
	files = append(files, filepath.Join(home, ".ansible.cfg"), "/etc/ansible/ansible.cfg")
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && !info.IsDir() {
			if abs, err := filepath.Abs(f); err == nil {
				return abs
			}
		}
	}
	return ""
}

// readDefaults returns the [defaults] section of an ansible.cfg. A file that
// cannot be read has none: Ansible reads it too, and says what is wrong.
func readDefaults(file string) map[string]string {
	values := map[string]string{}
	if file == "" {
		return values
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return values
	}
	section, key := "", ""
	for _, line := range strings.Split(string(data), "\n") {
		line, _, _ = strings.Cut(line, " ;") // the only comment sign that may follow a value
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
		case text[0] == '[':
			section, key = strings.Trim(text, "[]"), ""
		case section != "defaults":
		case line[0] == ' ' || line[0] == '\t': // a value goes on in indented lines
			if key != "" {
				values[key] += text
			}
		default:
			i := strings.IndexAny(text, "=:")
			if i < 0 {
				continue
			}
			key = strings.ToLower(strings.TrimSpace(text[:i]))
			values[key] = strings.TrimSpace(text[i+1:])
		}
	}
	return values
}

// currentDir is only for finding ansible.cfg; a working directory that is gone
// holds none.
func currentDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	return dir
}
