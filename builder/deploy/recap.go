package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// HostStats counts the tasks of one host by how they ended, as Ansible's own
// recap does: a changed or ignored task is also an ok one.
type HostStats struct {
	OK          int `json:"ok"`
	Changed     int `json:"changed"`
	Unreachable int `json:"unreachable"`
	Failed      int `json:"failed"`
	Skipped     int `json:"skipped"`
	Rescued     int `json:"rescued"`
	Ignored     int `json:"ignored"`
}

// Failure is one task that failed on one host and was neither ignored nor
// rescued, or one host that could not be reached.
type Failure struct {
	Host string `json:"host"`
	Play string `json:"play"`
	// Task is "role : name" for a task of a role.
	Task string `json:"task"`
	// Path and Line say where the task stands; Line is 0 if unknown.
	Path string `json:"path"`
	Line int    `json:"line"`
	// Message is all that the module said, in lines; hidden by no_log.
	Message     string `json:"message"`
	Unreachable bool   `json:"unreachable"`
}

// Recap is how a run ended.
type Recap struct {
	// Hosts is empty if no play matched a host, or Ansible ended before its
	// own recap.
	Hosts map[string]HostStats `json:"hosts"`
	// Failures in the order in which they happened.
	Failures []Failure     `json:"failures"`
	Duration time.Duration `json:"-"`
}

// MarshalJSON writes the duration as "seconds", and never null for a list.
func (r Recap) MarshalJSON() ([]byte, error) {
	type plain Recap
	if r.Hosts == nil {
		r.Hosts = map[string]HostStats{}
	}
	if r.Failures == nil {
		r.Failures = []Failure{}
	}
	return json.Marshal(struct { //nolint:wrapcheck // encoding/json, which calls this, names the type
		plain
		Seconds float64 `json:"seconds"`
	}{plain(r), r.Duration.Seconds()})
}

// names returns the hosts that the condition holds for, sorted.
func (r Recap) names(holds func(HostStats) bool) []string {
	var names []string
	for _, host := range slices.Sorted(maps.Keys(r.Hosts)) {
		if holds(r.Hosts[host]) {
			names = append(names, host)
		}
	}
	return names
}

// Err returns a *HostsError if a host failed or could not be reached, else nil.
func (r Recap) Err() error {
	e := &HostsError{
		Failed:      r.names(func(s HostStats) bool { return s.Failed > 0 }),
		Unreachable: r.names(func(s HostStats) bool { return s.Unreachable > 0 }),
	}
	if len(e.Failed)+len(e.Unreachable) == 0 {
		return nil
	}
	return e
}

// ExitCode is the exit status that ansible-playbook has for such a recap: 0, 2
// if a host failed, 4 if hosts were only unreachable (TaskQueueManager in
// ansible-core; go-ansible's constants say 3 and are of an older Ansible).
func (r Recap) ExitCode() int {
	for _, s := range r.Hosts {
		if s.Failed > 0 {
			return 2
		}
	}
	if r.Err() != nil {
		return 4
	}
	return 0
}

// HostsError names the hosts on which a run did not succeed. Why is in
// Recap.Failures and has been in the progress.
type HostsError struct {
	Failed, Unreachable []string
}

// Error names the hosts once each.
func (e *HostsError) Error() string {
	var parts []string
	if len(e.Failed) > 0 {
		parts = append(parts, "failed on "+strings.Join(e.Failed, ", "))
	}
	if len(e.Unreachable) > 0 {
		parts = append(parts, "could not reach "+strings.Join(e.Unreachable, ", "))
	}
	return "the playbook " + strings.Join(parts, " and ")
}

// NoHostsError says that a run succeeded without touching a single host, which
// is how Ansible treats a group that the inventory does not have.
type NoHostsError struct {
	Playbook  string
	Inventory []string
	Limit     string
}

// Error names the inventory and the cure.
func (e *NoHostsError) Error() string {
	limit := ""
	if e.Limit != "" {
		limit = fmt.Sprintf(" within the limit %q", e.Limit)
	}
	return fmt.Sprintf("no host of %s%s is meant by %s, so nothing was done; add hosts to the groups that its plays name (ansible-inventory -i %s --graph shows them)",
		strings.Join(e.Inventory, ", "), limit, e.Playbook, strings.Join(e.Inventory, " -i "))
}

// AnsibleError says that ansible-playbook itself gave up: the inventory, the
// syntax, an unknown role or option.
type AnsibleError struct {
	Playbook string
	// Status is the exit status, -1 after a signal.
	Status int
	// Words is what Ansible wrote to standard error and what nobody has seen
	// yet. It may have many lines.
	Words string
}

// Error gives Ansible's words whole, and the cure where the words name none.
func (e *AnsibleError) Error() string {
	end := fmt.Sprintf("exit status %d", e.Status)
	if e.Status < 0 {
		end = "a signal"
	}
	text := fmt.Sprintf("ansible-playbook %s ended with %s", e.Playbook, end)
	if e.Words != "" {
		text += ":\n" + e.Words
	}
	if strings.Contains(e.Words, "ansible.posix") && strings.Contains(e.Words, "callback") {
		text += "\nThe progress comes from the collection ansible.posix, 1.5.2 or newer, which is not installed; it is in the package ansible (not ansible-core), or: ansible-galaxy collection install ansible.posix"
	}
	return text
}
