package lab

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// apacheStartLimit is how long the web server may take until it answers.
const apacheStartLimit = time.Minute

// apacheConfig needs the module directory, the working directory, the HTTP
// port, the HTTPS port and the page.
const apacheConfig = `ServerName horizon.example
ServerRoot %[2]q
LoadModule mpm_event_module %[1]s/mod_mpm_event.so
LoadModule authz_core_module %[1]s/mod_authz_core.so
LoadModule dir_module %[1]s/mod_dir.so
LoadModule socache_shmcb_module %[1]s/mod_socache_shmcb.so
LoadModule ssl_module %[1]s/mod_ssl.so
PidFile "%[2]s/apache.pid"
DefaultRuntimeDir %[2]q
ErrorLog /dev/stderr
Listen %[3]d
Listen %[4]d
DocumentRoot "%[2]s/htdocs"
DirectoryIndex index.html
<VirtualHost *:%[4]d>
  DocumentRoot "%[2]s/htdocs"
  SSLEngine on
  SSLCertificateFile "%[2]s/cert.pem"
  SSLCertificateKeyFile "%[2]s/key.pem"
</VirtualHost>
`

// ApacheTools are the tools of [StartApache].
func ApacheTools() []Tool { return []Tool{{"apache2", "apache2-bin"}} }

// Apache is a web server on ports of all of the machine's addresses. It stands
// where Horizon stands on a controller.
type Apache struct {
	http, https int
	page        string
	proc        *process
	life        life
}

// StartApache starts a web server in dir that answers on these two ports, the
// second one with TLS, and returns when both do. Ports below 1024 take root.
// log may be nil.
func StartApache(ctx context.Context, dir string, httpPort, httpsPort int, log io.Writer) (*Apache, error) {
	if err := Missing(ApacheTools()...); err != nil {
		return nil, err
	}
	path, err := findTool("apache2")
	if err != nil {
		return nil, err
	}
	if dir, err = makeDir("apache", dir); err != nil {
		return nil, err
	}
	a := &Apache{http: httpPort, https: httpsPort, page: "Horizon's place " + newID() + "\n"}
	if err := a.files(dir); err != nil {
		return nil, fmt.Errorf("lab: apache: %w", err)
	}
	a.proc, err = startProcess("apache2", command{
		argv: []string{path, "-f", filepath.Join(dir, "apache.conf"), "-D", "FOREGROUND"}, dir: dir, log: log,
		deathSignal: syscall.SIGTERM, env: []string{"PATH=" + searchPath},
	})
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, apacheStartLimit)
	defer cancel()
	err = poll(waiting, a.proc, func(ctx context.Context) error {
		if err := a.Answers(ctx); err != nil {
			return fmt.Errorf("%w: %w", errNotYet, err)
		}
		return nil
	})
	if err != nil {
		return nil, failedStart(err, a.proc.stop(ctx))
	}
	a.life.bind(ctx, a.Stop)
	return a, nil
}

// files writes the configuration, the page and a certificate.
func (a *Apache) files(dir string) error {
	// Its workers run as another user and read the page.
	htdocs := filepath.Join(dir, "htdocs")
	cert, key, err := certificate()
	if err != nil {
		return err
	}
	config := fmt.Sprintf(apacheConfig, "/usr/lib/apache2/modules", dir, a.http, a.https)
	return errors.Join(os.MkdirAll(htdocs, 0o755), os.Chmod(dir, 0o711), //nolint:gosec // G302: its workers run as another user, and must pass

		os.WriteFile(filepath.Join(htdocs, "index.html"), []byte(a.page), 0o644),
		os.WriteFile(filepath.Join(dir, "cert.pem"), cert, 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), key, 0o600),
		os.WriteFile(filepath.Join(dir, "apache.conf"), []byte(config), 0o600))
}

// certificate makes a self-signed one.
func certificate() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "horizon.example"}, DNSNames: []string{"horizon.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("writing a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), nil
}

// Answers returns nil if this very server answers on both of its ports.
func (a *Apache) Answers(ctx context.Context) error {
	return errors.Join(a.answers(ctx, "http", a.http), a.answers(ctx, "https", a.https))
}

func (a *Apache) answers(ctx context.Context, scheme string, port int) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s://127.0.0.1:%d/", scheme, port), http.NoBody)
	if err != nil {
		return fmt.Errorf("lab: apache: %w", err)
	}
	// A transport of its own: a proxy of the environment has no business here.
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the page tells whose it is
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("lab: apache: %s: %w", req.URL, err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("lab: apache: %s: %w", req.URL, err)
	}
	if string(got) != a.page {
		return fmt.Errorf("lab: apache: %s answers %s %q, not Horizon's page", req.URL, resp.Status, got)
	}
	return nil
}

// PID is the process number of the server's parent.
func (a *Apache) PID() int { return a.proc.cmd.Process.Pid }

// Stop ends the server.
func (a *Apache) Stop(ctx context.Context) error {
	return a.life.end(func() error { return a.proc.stop(ctx) })
}
