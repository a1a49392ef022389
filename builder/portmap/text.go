package portmap

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ibforge/ibforge/builder/contract"
)

// RewriteText applies all rewrites that ports have for the file path to its
// text at once. Each is looked for with the number that the service insists on
// and with that of the host, because a file may be rewritten already, or in
// part; the sum must be the rewrite's count. Nothing but numbers is replaced,
// and to rewrite the result again changes nothing. text itself is left alone.
//
// What is wrong comes as a *[FaultsError], and then there is no text.
func RewriteText(text []byte, ports []contract.Port, path string) (rewritten []byte, changed bool, err error) {
	var jobs []job
	var faults []Fault
	for _, port := range ports {
		for _, r := range port.Rewrites {
			if r.Path != path {
				continue
			}
			p, err := CompileRewrite(port, r)
			if err != nil {
				faults = append(faults, Fault{Path: path, Port: port.Name, Why: err.Error()})
				continue
			}
			jobs = append(jobs, job{Pattern: p, numbers: record{}.candidates(port)})
		}
	}
	if len(faults) > 0 {
		return nil, false, asError(faults)
	}
	out, err := rewrite(text, jobs)
	if err != nil {
		return nil, false, err
	}
	return out, !bytes.Equal(text, out), nil
}

// job is one rewrite of a text, with the numbers to look for.
type job struct {
	Pattern
	numbers []int
}

// place is where a job found a number.
type place struct {
	span
	job int
}

// rewrite carries out all jobs on one text.
func rewrite(text []byte, jobs []job) ([]byte, error) {
	places, faults := locate(text, jobs)
	if len(faults) > 0 {
		return nil, asError(faults)
	}
	out, moved := splice(text, jobs, places)
	// The next start reads what this one has written. A match that then finds
	// other places, say in a line with two numbers, is refused now and not then.
	next := slices.Clone(jobs)
	for i, j := range jobs {
		next[i].numbers = []int{j.Port.Listens, j.Port.Host}
		if j.Port.Listens == j.Port.Host {
			next[i].numbers = next[i].numbers[1:]
		}
	}
	again, faults := locate(out, next)
	if len(faults) == 0 && slices.Equal(moved, again) {
		return out, nil
	}
	if len(faults) == 0 {
		faults = misplaced(jobs, moved, again)
	}
	for i := range faults {
		faults[i].Why = "so it would be at the next start, when the host's numbers are in the file: let the match say more of what stands around " + contract.PortPlaceholder
	}
	return nil, asError(faults)
}

// misplaced names the jobs that find other places than those just written.
func misplaced(jobs []job, moved, again []place) []Fault {
	var faults []Fault
	for i, j := range jobs {
		of := func(places []place) []place {
			return slices.DeleteFunc(slices.Clone(places), func(p place) bool { return p.job != i })
		}
		if found := of(again); !slices.Equal(of(moved), found) {
			faults = append(faults, j.fault(len(found), ""))
		}
	}
	return faults
}

// locate finds the places of all jobs, in the order of the text.
func locate(text []byte, jobs []job) ([]place, []Fault) {
	var places []place
	var faults []Fault
	for i, j := range jobs {
		var found []place
		var err error
		for _, number := range j.numbers {
			var spans []span
			if spans, err = j.find(text, strconv.Itoa(number)); err != nil {
				break
			}
			for _, s := range spans {
				found = append(found, place{span: s, job: i})
			}
		}
		switch {
		case err != nil:
			faults = append(faults, j.fault(0, err.Error()))
		case len(found) != j.Rewrite.Count:
			faults = append(faults, j.fault(len(found), j.why(text)))
		}
		places = append(places, found...)
	}
	slices.SortStableFunc(places, func(a, b place) int { return a.from - b.from })
	return places, append(faults, overlaps(text, jobs, places)...)
}

// overlaps finds the numbers that two jobs claim. Whole numbers are either the
// same or apart, so that only neighbours need to be looked at.
func overlaps(text []byte, jobs []job, places []place) []Fault {
	var faults []Fault
	for i := 1; i < len(places); i++ {
		a, b := places[i-1], places[i]
		if a.span != b.span || a.job == b.job {
			continue
		}
		found := 0
		for _, p := range places {
			if p.job == b.job {
				found++
			}
		}
		line := 1 + bytes.Count(text[:a.from], []byte("\n"))
		faults = append(faults, jobs[b.job].fault(found, fmt.Sprintf("the %s in line %d is also what match %q of port %s finds: let the two differ",
			text[a.from:a.to], line, jobs[a.job].Rewrite.Match, jobs[a.job].Port.Name)))
	}
	return faults
}

// splice puts the host's numbers into a copy of text, and tells where they are.
func splice(text []byte, jobs []job, places []place) ([]byte, []place) {
	out := make([]byte, 0, len(text)+len(places))
	moved := make([]place, 0, len(places))
	done := 0
	for _, p := range places {
		out = append(out, text[done:p.from]...)
		from := len(out)
		out = strconv.AppendInt(out, int64(jobs[p.job].Port.Host), 10)
		moved = append(moved, place{span: span{from, len(out)}, job: p.job})
		done = p.to
	}
	return append(out, text[done:]...), moved
}

func (j job) fault(found int, why string) Fault {
	return Fault{Path: j.Rewrite.Path, Port: j.Port.Name, Match: j.Rewrite.Match, Want: j.Rewrite.Count, Found: found, Why: why}
}

// why helps with a count that is wrong: what was looked for, and what is there.
func (j job) why(text []byte) string {
	looked := "looked for " + list(j.numbers)
	others, err := j.find(text, "[0-9]+")
	if err != nil {
		return looked
	}
	var seen []int
	for _, s := range others {
		if len(seen) == 5 { // enough to know the file by
			break
		}
		if n, err := strconv.Atoi(string(text[s.from:s.to])); err == nil && !slices.Contains(j.numbers, n) && !slices.Contains(seen, n) {
			seen = append(seen, n)
		}
	}
	switch {
	case len(seen) > 0:
		return fmt.Sprintf("%s, and it holds %s there: if that is this port, put %d back into the file; if not, correct the match or the count in the description", looked, list(seen), j.Port.Listens)
	case bytes.Contains(text, []byte("\r\n")) && strings.HasSuffix(j.Rewrite.Match, "$"):
		return looked + `, and its lines end with \r\n: end the match with "\\s*$", or correct the count in the description`
	}
	return looked + ": compare the file with the match and the count in the description, which are for another version of the service"
}

func list(numbers []int) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ", ")
}
