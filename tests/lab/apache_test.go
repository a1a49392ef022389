package lab_test

import (
	"strings"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

func TestApache(t *testing.T) {
	labtest.Need(t, lab.ApacheTools()...)
	a, err := lab.StartApache(t.Context(), t.TempDir(), 48080, 48443, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Answers(t.Context()); err != nil {
		t.Error(err)
	}
	_, err = lab.StartApache(t.Context(), t.TempDir(), 48080, 48444, nil)
	if err == nil || !strings.Contains(err.Error(), "Address already in use") {
		t.Errorf("a second one on the same port: %v", err)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if a.Answers(t.Context()) == nil {
		t.Error("it answers after its end")
	}
}
