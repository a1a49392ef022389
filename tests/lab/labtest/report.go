package labtest

import (
	"fmt"
	"os"
	"testing"
)

// ReportVariable names a file that gets a line for each [Report].
const ReportVariable = "IBFORGE_TEST_REPORT"

// Report adds a line to the report when the test is over: how it ended, and
// what was tried. make test prints the report at its end.
func Report(tb testing.TB, what string) {
	tb.Helper()
	name := os.Getenv(ReportVariable)
	if name == "" {
		return
	}
	tb.Cleanup(func() {
		how := "pass"
		switch {
		case tb.Failed():
			how = "FAIL"
		case tb.Skipped():
			how = "left to make test-matrix"
		}
		file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			tb.Error(err)
			return
		}
		defer file.Close()
		if _, err := fmt.Fprintf(file, "%-60s  %s\n", what, how); err != nil {
			tb.Error(err)
		}
	})
}
