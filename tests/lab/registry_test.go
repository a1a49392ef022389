package lab_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

func TestRegistryAnswers(t *testing.T) {
	r := labtest.Registry(t)
	req, err := http.NewRequestWithContext(limited(t), http.MethodGet, "http://"+r.Address()+"/v2/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got := resp.Header.Get("Docker-Distribution-Api-Version"); resp.StatusCode != http.StatusOK || got != "registry/2.0" {
		t.Errorf("GET /v2/: %s, version %q", resp.Status, got)
	}
	if !strings.HasPrefix(r.Address(), "127.0.0.1:") {
		t.Errorf("it listens on %s, which others can reach", r.Address())
	}
}

func TestRegistryEndsWithItsContext(t *testing.T) {
	labtest.Need(t, lab.RegistryTools()...)
	ctx, cancel := context.WithCancel(context.Background())
	r, err := lab.StartRegistry(ctx, labtest.Dir(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := r.Stop(ctx); err != nil {
		t.Error(err)
	}
	if conn, err := new(net.Dialer).DialContext(limited(t), "tcp", r.Address()); err == nil {
		t.Errorf("port %s is still open", conn.RemoteAddr())
	}
}
