package lab

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// openSMStartLimit is how long opensm may take until it has opened its port.
const openSMStartLimit = time.Minute

// OpenSM is an opensm of this machine, on a host of a fabric.
type OpenSM struct {
	dir  string
	proc *process
	life life
}

// StartOpenSM starts opensm on a host and returns when it discovers the
// fabric; [Fabric.WaitMaster] waits for more. Further arguments, such as "-p",
// "15", are handed on. Its configuration is opensm.conf and partitions.conf in
// [OpenSM.Dir], which need not exist; the machine's own under /etc/opensm take
// no part. There may be one per host.
func (f *Fabric) StartOpenSM(ctx context.Context, host string, args ...string) (*OpenSM, error) {
	if err := Missing(OpenSMTools()...); err != nil {
		return nil, err
	}
	dir, err := makeDir("opensm", filepath.Join(f.dir, "opensm-"+host))
	if err != nil {
		return nil, err
	}
	sm := &OpenSM{dir: dir}
	for range pidClashTries {
		err = sm.start(ctx, f, host, args)
		if err == nil || !strings.Contains(err.Error(), pidClash) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	sm.life.bind(ctx, sm.Stop)
	return sm, nil
}

func (sm *OpenSM) start(ctx context.Context, f *Fabric, host string, args []string) error {
	path, err := findTool("opensm")
	if err != nil {
		return err
	}
	sm.proc, err = startProcess("opensm", command{
		argv: f.argv(path, append([]string{
			"-F", filepath.Join(sm.dir, "opensm.conf"),
			"-P", filepath.Join(sm.dir, "partitions.conf"),
			"-f", sm.LogFile(),
		}, args...)...),
		dir: sm.dir, deathSignal: syscall.SIGKILL,
		env: append([]string{"PATH=" + searchPath, "OSM_TMP_DIR=" + sm.dir, "OSM_CACHE_DIR=" + sm.dir}, f.Environ(host)...),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, openSMStartLimit)
	defer cancel()
	err = poll(ctx, sm.proc, func(context.Context) error {
		if strings.Contains(sm.proc.out.String(), "Entering DISCOVERING state") {
			return nil
		}
		return errNotYet
	})
	if err != nil {
		return failedStart(err, sm.proc.stop(ctx))
	}
	return nil
}

// Dir returns the directory of its configuration, cache and log.
func (sm *OpenSM) Dir() string { return sm.dir }

// LogFile returns the path of its log.
func (sm *OpenSM) LogFile() string { return filepath.Join(sm.dir, "opensm.log") }

// Reload makes it read its configuration again and sweep the fabric, which
// takes up to two seconds.
func (sm *OpenSM) Reload() error {
	if sm.proc.ended() {
		return sm.proc.endedEarly()
	}
	return sm.proc.signal(syscall.SIGHUP)
}

// Kill ends it as a crash does, so that it cannot say farewell to its peers.
// A Stop afterwards does nothing.
func (sm *OpenSM) Kill() error {
	return sm.life.end(sm.proc.kill)
}

// Stop ends it in an orderly way.
func (sm *OpenSM) Stop(ctx context.Context) error {
	return sm.life.end(func() error { return sm.proc.stop(ctx) })
}
