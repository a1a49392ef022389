package portmap

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/ibforge/ibforge/builder/contract"
)

// numberGroup is the name of the group that stands for the port's number once
// a match is compiled.
const numberGroup = "ibforge_port"

// RewriteError says all that is wrong with one rewrite of a port, in whole
// sentences.
type RewriteError struct {
	// Faults are sentences that name the value and the cure.
	Faults []string
}

// Error gives the sentences one after the other.
func (e *RewriteError) Error() string { return strings.Join(e.Faults, " ") }

// Pattern is a rewrite that is known to be right.
type Pattern struct {
	// Port whose number is rewritten, and Rewrite that says where.
	Port    contract.Port
	Rewrite contract.Rewrite
}

// CompileRewrite judges the match and the count of one rewrite of a port. What
// is wrong comes as a *[RewriteError]. The path is not judged.
func CompileRewrite(port contract.Port, r contract.Rewrite) (Pattern, error) {
	var e RewriteError
	add := func(format string, args ...any) { e.Faults = append(e.Faults, fmt.Sprintf(format, args...)) }
	if !strings.HasPrefix(r.Match, "^") {
		add(`The match %q does not begin with "^", so that it would be found in the middle of a line too. Begin it with "^", or with "^\\s*" for lines that may be indented.`, r.Match)
	}
	placeholders := strings.Count(r.Match, contract.PortPlaceholder)
	if placeholders != 1 {
		add("The match %q holds %s %d times. Write it once, where the number stands.", r.Match, contract.PortPlaceholder, placeholders)
	}
	p := Pattern{Port: port, Rewrite: r}
	tree, err := syntax.Parse(p.expression(strconv.Itoa(port.Listens)), syntax.Perl)
	switch {
	case err != nil:
		add("The match %q is no regular expression that Go knows (RE2): %s.", r.Match, p.syntaxFault(err))
	case len(e.Faults) > 0: // the shape of a match that is wrong says nothing more
	case !beginsLine(tree):
		add(`The match %q can be found in the middle of a line too, by an alternative, or a repetition of its "^". Write alternatives as "^(?:A|B)".`, r.Match)
	case !alwaysHolds(tree):
		add(`The match %q can be found without a number: %s stands in an alternative, a repetition, a class or behind a backslash. Put it outside of these.`, r.Match, contract.PortPlaceholder)
	}
	if r.Count < 1 {
		add("The count is %d. Give the number of places, at least 1.", r.Count)
	}
	if len(e.Faults) > 0 {
		return Pattern{}, &e
	}
	return p, nil
}

// expression is the match with number, itself an expression, in the place of
// its placeholder.
func (p Pattern) expression(number string) string {
	return "(?m)" + strings.Replace(p.Rewrite.Match, contract.PortPlaceholder, group(number), 1)
}

func group(number string) string { return "(?P<" + numberGroup + ">" + number + ")" }

// syntaxFault names the offending part in the words of the description.
func (p Pattern) syntaxFault(err error) string {
	var s *syntax.Error
	if !errors.As(err, &s) {
		return err.Error()
	}
	part := strings.ReplaceAll(strings.TrimPrefix(s.Expr, "(?m)"), group(strconv.Itoa(p.Port.Listens)), contract.PortPlaceholder)
	return fmt.Sprintf("%s at %q", s.Code, part)
}

// beginsLine tells whether what an expression finds begins where a line does.
func beginsLine(tree *syntax.Regexp) bool {
	switch tree.Op {
	case syntax.OpBeginLine:
		return true
	case syntax.OpConcat:
		return beginsLine(tree.Sub[0])
	case syntax.OpAlternate:
		return !slices.ContainsFunc(tree.Sub, func(sub *syntax.Regexp) bool { return !beginsLine(sub) })
	default:
		return false
	}
}

// alwaysHolds tells whether all that an expression finds holds the number once.
func alwaysHolds(tree *syntax.Regexp) bool {
	switch tree.Op {
	case syntax.OpCapture:
		return tree.Name == numberGroup || alwaysHolds(tree.Sub[0])
	case syntax.OpConcat:
		return slices.ContainsFunc(tree.Sub, alwaysHolds)
	default:
		return false
	}
}

// span is a part of a text, from its first byte to the one behind its last.
type span struct{ from, to int }

// find gives the places where number, an expression, stands as the pattern
// says, in their order. It must be the whole number there: with RE2, which has
// no look-around, "^Listen {port}" would otherwise find 80 in "Listen 8080".
func (p Pattern) find(text []byte, number string) ([]span, error) {
	re, err := regexp.Compile(p.expression(number))
	if err != nil {
		return nil, fmt.Errorf("the match %q of port %q: %w", p.Rewrite.Match, p.Port.Name, err)
	}
	at := 2 * re.SubexpIndex(numberGroup)
	var out []span
	for _, m := range re.FindAllSubmatchIndex(text, -1) {
		if s := (span{m[at], m[at+1]}); !isDigit(text, s.from-1) && !isDigit(text, s.to) {
			out = append(out, s)
		}
	}
	return out, nil
}

func isDigit(text []byte, at int) bool {
	return at >= 0 && at < len(text) && text[at] >= '0' && text[at] <= '9'
}
