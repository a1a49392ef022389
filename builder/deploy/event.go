package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Events of the callback ansible.posix.jsonl. It reports a loop as a whole, no
// retries, and not whether a failure is ignored or rescued; only the counts at
// the end know that.
const (
	eventPlay        = "v2_playbook_on_play_start"
	eventTask        = "v2_playbook_on_task_start"
	eventHandler     = "v2_playbook_on_handler_task_start"
	eventHostStart   = "v2_runner_on_start" // strategies other than linear
	eventOK          = "v2_runner_on_ok"
	eventFailed      = "v2_runner_on_failed"
	eventUnreachable = "v2_runner_on_unreachable"
	eventSkipped     = "v2_runner_on_skipped"
	eventStats       = "v2_playbook_on_stats"
)

type event struct {
	Name  string             `json:"_event"`
	Play  entity             `json:"play"`
	Task  entity             `json:"task"`
	Hosts map[string]result  `json:"hosts"`
	Stats map[string]counter `json:"stats"`
}

// entity is a play or a task.
type entity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Path string `json:"path"` // file:line
}

// counter is a host's line of the recap in Ansible's words.
type counter struct {
	OK          int `json:"ok"`
	Changed     int `json:"changed"`
	Unreachable int `json:"unreachable"`
	Failures    int `json:"failures"`
	Skipped     int `json:"skipped"`
	Rescued     int `json:"rescued"`
	Ignored     int `json:"ignored"`
}

// parseEvent returns false for a line that is no event.
func parseEvent(line []byte) (event, bool) {
	var e event
	if !bytes.HasPrefix(line, []byte("{")) {
		return e, false
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber() // a PKey or GUID given as a number shall not turn into 1e+15
	if err := d.Decode(&e); err != nil || e.Name == "" {
		return e, false
	}
	return e, true
}

// result is what a module returned. Modules choose names and types freely,
// so nothing is expected of either.
type result map[string]any

func (r result) flag(key string) bool {
	b, _ := r[key].(bool)
	return b
}

// text returns the value as text: strings as they are, lists of strings as
// lines, everything else as JSON, and nothing for null.
func (r result) text(key string) string { return textOf(r[key]) }

func textOf(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case []any:
		lines := make([]string, len(v))
		for i, item := range v {
			s, ok := item.(string)
			if !ok {
				return jsonOf(value)
			}
			lines[i] = s
		}
		return strings.Join(lines, "\n")
	}
	return jsonOf(value)
}

func jsonOf(value any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSpace(b.String())
}

// hidden says that no_log keeps the result secret.
func (r result) hidden() bool {
	_, censored := r["censored"]
	return censored || r.flag("_ansible_no_log")
}

// items returns the results of a loop, nil if the task had none.
func (r result) items() []result {
	list, _ := r["results"].([]any)
	var items []result
	for _, entry := range list {
		m, ok := entry.(map[string]any)
		if !ok {
			return nil
		}
		if _, ok := m["ansible_loop_var"]; ok {
			items = append(items, m)
		}
	}
	return items
}

// label names a loop item as loop_control.label does.
func (r result) label() string {
	if v, ok := r["_ansible_item_label"]; ok {
		return textOf(v)
	}
	return r.text(r.text("ansible_loop_var"))
}
