package suggest

import "testing"

func TestNearest(t *testing.T) {
	for given, want := range map[string]string{
		"sevice": "service", "SERVICE": "service", "tcp": "tcp", "tpc": "tcp", "upd": "udp", "sliec": "slice",
		"ALL": "", "x": "", "": "", "completely": "",
	} {
		if got := Nearest(given, []string{"slice", "tcp", "service", "KILL", "udp"}); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}
