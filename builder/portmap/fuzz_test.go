package portmap

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
)

// tokens cuts a text into whole numbers and what is between them.
func tokens(text string) (numbers, between []string) {
	digit := func(i int) bool { return i < len(text) && text[i] >= '0' && text[i] <= '9' }
	for i := 0; i < len(text); {
		from := i
		for i < len(text) && !digit(i) {
			i++
		}
		between = append(between, text[from:i])
		from = i
		for digit(i) {
			i++
		}
		numbers = append(numbers, text[from:i])
	}
	return numbers, between
}

// matches are those of real descriptions, and such as only look right.
func matches() []string {
	return []string{
		listen, `^Listen {port}`, `^Listen .*{port}`, `^.*{port}`, `^{port}$`, `^<VirtualHost (?:\S+):{port}>`,
		`^\[Server\]\n(?:[^\[\n].*\n)*?port\s*=\s*{port}$`, `^.* 80 {port}`, `^.*? {port} `, `^(?s).*{port}`, `^{port}\D*`, `^\d+ {port}`,
	}
}

// counted is a port whose rewrite wants as many places as there are, so that
// the fuzzer is not kept busy by wrong counts.
func counted(text string, p contract.Port) contract.Port {
	if compiled, err := CompileRewrite(p, p.Rewrites[0]); err == nil {
		places, _ := locate([]byte(text), []job{{Pattern: compiled, numbers: record{}.candidates(p)}})
		p.Rewrites[0].Count = max(1, len(places))
	}
	return p
}

// FuzzRewriteText holds that nothing but the numbers changes, and that what was
// rewritten once stays as it is.
func FuzzRewriteText(f *testing.F) {
	f.Add("Listen 80\nListen 443\n<VirtualHost *:443>\n", uint8(0), uint8(5), uint16(8080), uint16(8443))
	f.Add("Listen 8080\r\n Listen 80 80\n443", uint8(3), uint8(4), uint16(80), uint16(1))
	f.Add("[Server]\nx=1\nport = 80\n[Agent]\nport = 443\n443", uint8(6), uint8(4), uint16(443), uint16(80))
	f.Add("1 80 443 8080\n443 80 80", uint8(11), uint8(2), uint16(8), uint16(44))
	f.Fuzz(func(t *testing.T, text string, first, second uint8, h, s uint16) {
		all := matches()
		a, b := http(all[int(first)%len(all)], 1), https(all[int(second)%len(all)], 1)
		a.Host, b.Host = int(h), int(s)
		ports := []contract.Port{counted(text, a), counted(text, b)}
		got, changed, err := RewriteText([]byte(text), ports, file)
		if err != nil {
			if got != nil || changed {
				t.Fatalf("%v, and yet the text %q", err, got)
			}
			return
		}
		moved := onlyNumbers(t, text, string(got), ports)
		if places := ports[0].Rewrites[0].Count + ports[1].Rewrites[0].Count; changed != (moved > 0) || moved > places {
			t.Fatalf("changed is %t, %d numbers of %d places are others", changed, moved, places)
		}
		again, changed, err := RewriteText(got, ports, file)
		if err != nil || changed || !bytes.Equal(again, got) {
			t.Fatalf("again: changed is %t, %v\n%q\n%q", changed, err, got, again)
		}
	})
}

// onlyNumbers counts the numbers that differ, each of which must have been a
// port's own and be its host's now.
func onlyNumbers(t *testing.T, before, after string, ports []contract.Port) (moved int) {
	t.Helper()
	was, wasBetween := tokens(before)
	is, isBetween := tokens(after)
	if diff := cmp.Diff(wasBetween, isBetween); diff != "" {
		t.Fatalf("what is between the numbers (-was +is):\n%s", diff)
	}
	for i := range was {
		if was[i] == is[i] {
			continue
		}
		moved++
		right := false
		for _, p := range ports {
			right = right || was[i] == strconv.Itoa(p.Listens) && is[i] == strconv.Itoa(p.Host)
		}
		if !right {
			t.Fatalf("%s became %s", was[i], is[i])
		}
	}
	return moved
}
