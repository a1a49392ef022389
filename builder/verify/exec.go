package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// output is what a command in the container left.
type output struct {
	exit int
	// text is the end of standard output and standard error, as it came: it
	// must not reach a terminal without legible.
	text string
}

// errTooLong says that a command did not end within its limit.
var errTooLong = errors.New("did not end in its time")

// runner carries out a command in the container. A limit of 0 means none but
// ctx's. An exit status other than 0 is no error.
type runner func(ctx context.Context, limit time.Duration, argv ...string) (output, error)

// exec is the runner of the session's container. Like the engine's own health
// checks it does not kill a command that runs too long: the API has no call
// for that, and the command goes with the container.
func (s *session) exec(ctx context.Context, limit time.Duration, argv ...string) (output, error) {
	inner := ctx
	if limit > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeoutCause(ctx, limit, errTooLong)
		defer cancel()
	}
	out, err := s.execute(inner, argv)
	if err != nil && inner.Err() != nil {
		err = context.Cause(inner)
	}
	if err != nil {
		return out, fmt.Errorf("%v in the container: %w", argv, err)
	}
	return out, nil
}

func (s *session) execute(ctx context.Context, argv []string) (output, error) {
	api := s.eng.api
	created, err := api.ContainerExecCreate(ctx, s.plan.name, container.ExecOptions{Cmd: argv, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return output{}, fmt.Errorf("preparing it: %w", err)
	}
	conn, err := api.ContainerExecAttach(ctx, created.ID, container.ExecAttachOptions{})
	if err != nil {
		return output{}, fmt.Errorf("starting it: %w", err)
	}
	defer conn.Close()
	// The connection is taken over from HTTP and no longer knows ctx.
	defer context.AfterFunc(ctx, conn.Close)()
	var text tail
	if _, err := stdcopy.StdCopy(&text, &text, conn.Reader); err != nil {
		return output{text: text.String()}, fmt.Errorf("reading what it prints: %w", err)
	}
	// The streams end a moment before the engine has noted the exit.
	for {
		state, err := api.ContainerExecInspect(ctx, created.ID)
		if err != nil {
			return output{text: text.String()}, fmt.Errorf("asking for its exit status: %w", err)
		}
		if !state.Running {
			return output{exit: state.ExitCode, text: text.String()}, nil
		}
		if err := s.opts.Clock.Sleep(ctx, 20*time.Millisecond); err != nil {
			return output{text: text.String()}, err
		}
	}
}

// tail is a writer that keeps the last part of what is written.
type tail struct{ data []byte }

const tailBytes = 64 << 10

// Write keeps at most tailBytes.
func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if n := len(t.data) - tailBytes; n > 0 {
		t.data = append(t.data[:0], t.data[n:]...)
	}
	return len(p), nil
}

// String gives what was kept.
func (t *tail) String() string { return string(t.data) }
