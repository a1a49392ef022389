package verify

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
)

func TestLoadedNames(t *testing.T) {
	for _, tc := range []struct {
		name, stream string
		want         []string
		err          string
	}{
		{"named", `{"status":"Loading layer","progressDetail":{}}` + "\n" + `{"stream":"Loaded image: opensm:1\n"}`, []string{"opensm:1"}, ""},
		{"unnamed", `{"stream":"Loaded image ID: sha256:2f\n"}`, []string{"sha256:2f"}, ""},
		{"nothing", ``, nil, ""},
		{"fault in a good response", `{"errorDetail":{"message":"no space left"},"error":"no space left"}`, nil, "no space left"},
		{"cut", `{"stream":"Loaded`, nil, "reading the engine's answer"},
	} {
		got, err := loadedNames(strings.NewReader(tc.stream))
		if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestCompareLabel(t *testing.T) {
	c := opensm().Contract
	text, err := c.MarshalCompact()
	if err != nil {
		t.Fatal(err)
	}
	var spaced bytes.Buffer
	if err := json.Indent(&spaced, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(text), `"read_only":true`, `"read_only":false`, 1)
	for _, tc := range []struct {
		name   string
		labels map[string]string
		status Status
		says   string
	}{
		{"equal", map[string]string{contract.Label: string(text)}, Pass, "version 1"},
		{"written differently", map[string]string{contract.Label: spaced.String()}, Pass, ""},
		{"none", nil, Fail, "no label io.ibforge.runtime"},
		{"newer", map[string]string{contract.Label: `{"version":2}`}, Fail, "use a newer ibforge"},
		{"other", map[string]string{contract.Label: other}, Fail, "read_only: the label has false, the description true"},
	} {
		if got := compareLabel(tc.labels, c); got.status != tc.status || !strings.Contains(got.detail, tc.says) {
			t.Errorf("%s: got %+v, want %s with %q", tc.name, got, tc.status, tc.says)
		}
	}
}
