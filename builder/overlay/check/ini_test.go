package check

import (
	"strings"
	"testing"
)

// What oslo_config/iniparser.py of oslo.config 10 makes of these; 3,000 random
// texts of such lines were compared with it.
func TestParseINI(t *testing.T) {
	for text, want := range map[string]string{
		"[ml2]\na = 1\nb: 2\n":                                "ml2|a|1 ml2|b|2",
		"a=b:c\na:b=c":                                        "|a|b:c |a|b=c",
		"a = 1\n  b = 2\n\tc\n":                               "|a|1/b = 2/c",
		"a = 1\n# x\nb = 2":                                   "|a|1 |b|2",
		"a = 'x'\nb = \"y\"\nc = \"\nd = 'x":                  "|a|x |b|y |c| |d|'x",
		"[ ml2 ]\na = 1 # b":                                  " ml2 |a|1 # b",
		"[a] \nx =\n[b]\r\nx = 1\r\n":                         "a|x| b|x|1",
		"{% if x %}\na = 1\n{% else %}\na = 2\n{% endif %}\n": "|a|1 |a|2",
		"{# a = 1\nb = 2 #}\nc = {{ 3 }}\n{% set x =\n 1 %}":  "|c|{{ 3 }}",
	} {
		var got []string
		for _, o := range parseINI("f", text).options {
			got = append(got, o.section+"|"+o.key+"|"+strings.ReplaceAll(o.value, "\n", "/"))
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%q: got %q, want %q", text, g, want)
		}
	}
}

func TestTogether(t *testing.T) {
	f := parseINI("f", "a = 0\n{% if x %}\na = 1\n{% for y in z %}\na = 2\n{% endfor %}\n{% elif w %}\na = 3\n{% endif %}\n{% if v %}\na = 4\n{% endif %}\n")
	branch := map[string]string{}
	for _, o := range f.options {
		branch[o.value] = o.branch
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{{"0", "1", true}, {"0", "4", true}, {"1", "2", true}, {"1", "3", false}, {"2", "3", false}, {"1", "4", false}} {
		if got := together(branch[c.a], branch[c.b]); got != c.want {
			t.Errorf("%s and %s: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
