package deploy

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apenella/go-ansible/v2/pkg/execute/configuration"
	"github.com/apenella/go-ansible/v2/pkg/execute/stdoutcallback"
)

// settings are what a run relies on and what therefore wins over the caller's
// environment and every ansible.cfg. Host key checking, forks, connection and
// vault settings stay the caller's.
func settings() []configuration.ConfigurationSettingsFunc {
	return []configuration.ConfigurationSettingsFunc{
		configuration.WithAnsibleStdoutCallback(stdoutcallback.AnsiblePosixJsonlStdoutCallback),
		configuration.WithAnsibleNocows(),
		configuration.WithAnsibleRetryFilesEnabled("false"),
		// An inventory file that no plugin understands is a mere warning by
		// default, and the play goes on with the hosts that are left.
		configuration.WithAnsibleInventoryAnyUnparsedIsFailed(),
		// Standard output belongs to the callback.
		configuration.WithAnsibleVerboseToStderr("true"),
		configuration.WithoutAnsibleForceColor(),
		// Nobody sits at standard input.
		configuration.WithoutAnsibleAskPass(),
		configuration.WithoutAnsibleAskVaultPass(),
		configuration.WithoutAnsibleBecomeAskPass(),
		configuration.WithoutAnsibleEnableTaskDebugger(),
	}
}

// moreSettings are those for which go-ansible v2.3.0 has no function, or the
// wrong one: it spells the collection path ANSIBLE_COLLECTIONS_PATHS, which
// ansible-core 2.19 removed.
func moreSettings(o Options, w *workspace) map[string]string {
	env := map[string]string{
		// One event per line, whatever ansible.cfg says about json_indent.
		"ANSIBLE_JSON_INDENT": "0",
		// ssh(1): without a terminal ssh would start the program in
		// SSH_ASKPASS and wait for an answer.
		"SSH_ASKPASS_REQUIRE": "never",
	}
	if o.Verbosity == 0 && getenv(o.Environ, "ANSIBLE_DEPRECATION_WARNINGS") == "" {
		// The jsonl callback itself causes one in every run.
		env["ANSIBLE_DEPRECATION_WARNINGS"] = "false"
	}
	if w.collections != "" {
		env["ANSIBLE_COLLECTIONS_PATH"] = w.collections + ":" + collectionsPath(o.Environ, currentDir())
	}
	return env
}

// mergeEnviron puts settings over the caller's environment, whose order it
// keeps: of two entries with one name the last one counts.
func mergeEnviron(environ []string, set map[string]string) []string {
	_, path := set["ANSIBLE_COLLECTIONS_PATH"]
	merged := slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		_, replaced := set[name]
		return replaced || path && name == "ANSIBLE_COLLECTIONS_PATHS"
	})
	for _, name := range slices.Sorted(maps.Keys(set)) {
		merged = append(merged, name+"="+set[name])
	}
	return merged
}

// collectionsPath returns where Ansible would look for collections without us:
// environment, ansible.cfg, default (docs.ansible.com, COLLECTIONS_PATHS). The
// variable that we set hides all three.
func collectionsPath(environ []string, cwd string) string {
	for _, name := range []string{"ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_COLLECTIONS_PATHS"} {
		if v := getenv(environ, name); v != "" {
			return v
		}
	}
	file := findConfig(environ, cwd)
	cfg := readDefaults(file)
	for _, key := range []string{"collections_path", "collections_paths"} {
		if v := cfg[key]; v != "" {
			return absolutePaths(v, filepath.Dir(file))
		}
	}
	home := getenv(environ, "ANSIBLE_HOME")
	if home == "" && cfg["home"] != "" {
		home = absolutePaths(cfg["home"], filepath.Dir(file))
	}
	if home == "" {
		home = "~/.ansible"
	}
	return home + "/collections:/usr/share/ansible/collections"
}

// absolutePaths makes relative entries absolute: in ansible.cfg they are
// relative to the file, in the environment to the working directory.
func absolutePaths(list, dir string) string {
	entries := strings.Split(list, ":")
	for i, e := range entries {
		e = strings.TrimSpace(e)
		if e != "" && !filepath.IsAbs(e) && !strings.HasPrefix(e, "~") && !strings.HasPrefix(e, "$") && !strings.HasPrefix(e, "{{CWD}}") {
			e = filepath.Join(dir, e)
		}
		entries[i] = e
	}
	return strings.Join(entries, ":")
}
