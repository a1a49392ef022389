package deploy

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseResult(t *testing.T, text string) result {
	t.Helper()
	var r result
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFailureMessage(t *testing.T) {
	tests := []struct{ name, result, want string }{
		{"message of many lines", `{"msg":"one\ntwo\n"}`, "one\ntwo"},
		{"list as message", `{"msg":["one","two"]}`, "one\ntwo"},
		{"structure as message", `{"msg":{"a":1,"b":"<x>"}}`, `{"a":1,"b":"<x>"}`},
		{"said once", `{"msg":"no such device","stderr":"no such device\n","rc":0}`, "no such device"},
		{"command", `{"msg":"non-zero return code","cmd":["x","hush"],"rc":2,"stdout":"a\nb","stderr":"c"}`, "non-zero return code\nrc: 2\nstderr: c\nstdout:\n  a\n  b"},
		{"assertion", `{"msg":"Assertion failed","assertion":"a == b","evaluated_to":false}`, "Assertion failed\nassertion: a == b"},
		{"nothing", `{"failed":true}`, "the module gave no reason"},
		{"no_log", `{"censored":"hidden by no_log","msg":"hush"}`, "hidden by no_log"},
		{"no_log, uncensored", `{"_ansible_no_log":true,"msg":"hush"}`, "the output is hidden by no_log"},
		{"no_log on an item", `{"results":[{"ansible_loop_var":"i","i":"hush","failed":true,"censored":"hidden"}]}`, "hidden"},
		{"items", `{"msg":"One or more items failed","results":[
			{"ansible_loop_var":"item","item":"a","failed":false,"msg":"fine"},
			{"ansible_loop_var":"item","item":"b","failed":true,"msg":"bad"},
			{"ansible_loop_var":"item","item":{"k":1},"_ansible_item_label":"c","failed":true,"msg":"bad","rc":1}]}`,
			"b: bad\nc:\n  bad\n  rc: 1"},
		{"results of a module, no loop", `{"msg":"apt failed","results":["x"]}`, "apt failed"},
		{"escape sequences", `{"msg":"red \u001b[31m\u0007 bell\r\nend"}`, "red \\x1b[31m\\x07 bell\nend"},
		{"chained tracebacks", `{"msg":"Traceback (most recent call last):\n  File \"a\", line 1\n    x()\nKeyError: 'k'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"b\"\nOSError: gone\n"}`,
			"KeyError: 'k'\n\nDuring handling of the above exception, another exception occurred:\n\nOSError: gone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, failureMessage(parseResult(t, tt.result), false)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiffText(t *testing.T) {
	tests := []struct{ name, result, want string }{
		{"none", `{}`, ""},
		{"empty", `{"diff":[]}`, ""},
		{"same", `{"diff":{"before":"a\n","after":"a\n"}}`, ""},
		{"prepared", `{"diff":{"prepared":"- a\n+ b\n"}}`, "- a\n+ b\n"},
		{"binary", `{"diff":[{"dst_binary":1,"before":"","after":"x"}]}`, "diff skipped: a side is binary or too large\n"},
		{"no_log", `{"censored":"x","diff":{"before":"hush","after":""}}`, ""},
		{"text", `{"diff":[{"before":"a\nb\n","after":"a\nc","before_header":"/etc/x","after_header":"new"}]}`,
			"--- before: /etc/x\n+++ after: new\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"},
		{"new file", `{"diff":{"before":"","after":"a\n"}}`, "--- before\n+++ after\n@@ -0,0 +1 @@\n+a\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, diffText(parseResult(t, tt.result))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDebugTexts(t *testing.T) {
	tests := []struct {
		result string
		want   []string
	}{
		{`{"action":"ansible.builtin.debug","msg":"a"}`, []string{"a"}},
		{`{"action":"debug","changed":false,"_ansible_verbose_always":true,"ib_port":{"lid":1}}`, []string{`ib_port = {"lid":1}`}},
		{`{"action":"ansible.builtin.assert","msg":"All assertions passed","_ansible_verbose_always":true}`, nil},
		{`{"action":"debug","censored":"hidden"}`, nil},
		{`{"action":"debug","results":[{"ansible_loop_var":"item","item":1,"msg":"a"},{"ansible_loop_var":"item","item":2,"skipped":true}]}`, []string{"a"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, debugTexts(parseResult(t, tt.result))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.result, diff)
		}
	}
}

func TestSplitPath(t *testing.T) {
	for in, want := range map[string]struct {
		path string
		line int
	}{"a/b.yml:12": {"a/b.yml", 12}, "a/b.yml": {"a/b.yml", 0}, "a:b": {"a:b", 0}, "": {"", 0}} {
		if path, line := splitPath(in); path != want.path || line != want.line {
			t.Errorf("%q: %q, %d", in, path, line)
		}
	}
}
