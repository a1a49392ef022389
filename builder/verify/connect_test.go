package verify_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/verify"
)

func TestNoEngine(t *testing.T) {
	endpoint := "unix://" + t.TempDir() + "/nobody"
	r, err := verify.Run(t.Context(), verify.Image{Name: "x", Contract: contract.Contract{Init: "systemd"}}, nil, verify.Options{Host: endpoint})
	var no *verify.NoEngineError
	if !errors.As(err, &no) || no.Endpoint != endpoint {
		t.Fatalf("Run = %v, want a NoEngineError for %s", err, endpoint)
	}
	for _, want := range []string{endpoint, "systemctl start docker", "DOCKER_HOST"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if r.OK() || r.Aborted == "" {
		t.Errorf("the report is OK: %+v", r)
	}
}

func TestNoEndpoint(t *testing.T) {
	_, err := verify.Run(t.Context(), verify.Image{Name: "x", Contract: contract.Contract{Init: "systemd"}}, nil, verify.Options{Host: "nonsense"})
	var no *verify.NoEngineError
	if !errors.As(err, &no) || !strings.Contains(err.Error(), `"nonsense"`) {
		t.Errorf("Run = %v, want a NoEngineError that quotes the endpoint", err)
	}
}

func TestUnfitEngines(t *testing.T) {
	for _, tc := range []struct{ name, api, info, want string }{
		{"old", "1.40", `{}`, "speaks API 1.40, and 1.41 (docker 20.10) is the oldest"},
		{"rootless", "1.41", `{"SecurityOptions":["name=seccomp,profile=default","name=rootless"]}`, "is rootless"},
		{"no cgroup", "1.41", `{"CgroupVersion":"2","CgroupDriver":"none"}`, `cgroup version "2" with driver "none"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Api-Version", tc.api)
				if strings.HasSuffix(r.URL.Path, "/info") {
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprint(w, tc.info)
				}
			}))
			defer srv.Close()
			_, err := verify.Run(t.Context(), verify.Image{Name: "x", Contract: contract.Contract{Init: "systemd"}}, nil,
				verify.Options{Host: strings.Replace(srv.URL, "http://", "tcp://", 1)})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Run = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestUnknownInit(t *testing.T) {
	_, err := verify.Run(t.Context(), verify.Image{Name: "x", Contract: contract.Contract{Init: "runit"}}, nil, verify.Options{})
	if diff := cmp.Diff(`verifying image "x": the contract's init is "runit": only "systemd" can be booted`, err.Error()); diff != "" {
		t.Error(diff)
	}
}
