package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/ibforge/ibforge/builder/portmap/socket"
)

const usage = `ibforge-portmap moves and guards the ports of services below them, by BPF programs
on their cgroups. What it attaches stays in force, pinned, until it is detached,
the cgroup is removed or the host reboots.

  ibforge-portmap attach FILE...       put port maps in force; repeatable
  ibforge-portmap attach -all DIR      the same for all DIR/*.json
  ibforge-portmap check FILE...        fail unless exactly these are in force
  ibforge-portmap show [-json]         what is in force
  ibforge-portmap detach [-force] NAME...
                                       put services out of force; -force even if
                                       processes run in their cgroups

FILE is a port map in JSON: {"version":1,"service":NAME,"cgroup":"/PATH","ports":[...]}
with the ports of the image's contract. The service's container is started with
PATH as its cgroup parent.

Flags of all verbs:
  -cgroup-root DIR  mount point of the cgroup v2 tree (default: looked up)
  -pin-root DIR     directory for the pins (default ` + socket.DefaultPinRoot + `)

Exit status: 0 done, 1 failed, and nothing half done of what failed, 2 wrong usage.
`

const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// agent is one run of the program.
type agent struct {
	stdout, stderr io.Writer
	opts           socket.Options
	failed         bool
}

// fail tells of a failure and lets the rest go on.
func (a *agent) fail(err error) {
	a.failed = true
	fmt.Fprintf(a.stderr, "ibforge-portmap: %v\n", err)
}

// verb is one of the program's commands.
type verb struct {
	// flags adds those that only this verb has, and may be nil.
	flags func(f *flag.FlagSet)
	// args says whether the arguments are possible; if not, what is wanted.
	args func(n int) string
	run  func(a *agent, args []string)
}

func verbs() map[string]verb {
	var all string
	var asJSON, force bool
	some := func(what string) func(int) string {
		return func(n int) string {
			if n == 0 {
				return what
			}
			return ""
		}
	}
	return map[string]verb{
		"attach": {
			flags: func(f *flag.FlagSet) { f.StringVar(&all, "all", "", "") },
			args: func(n int) string {
				if (n == 0) == (all == "") {
					return "either files or -all DIR"
				}
				return ""
			},
			run: func(a *agent, args []string) {
				if all != "" {
					a.attachAll(all)
					return
				}
				a.attach(args)
			},
		},
		"check": {args: some("files"), run: (*agent).check},
		"detach": {
			flags: func(f *flag.FlagSet) { f.BoolVar(&force, "force", false, "") },
			args:  some("names of services"),
			run:   func(a *agent, args []string) { a.detach(args, force) },
		},
		"show": {
			flags: func(f *flag.FlagSet) { f.BoolVar(&asJSON, "json", false, "") },
			args: func(n int) string {
				if n > 0 {
					return "no arguments"
				}
				return ""
			},
			run: func(a *agent, _ []string) { a.show(asJSON) },
		},
	}
}

// run does what the arguments say and gives the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	a := &agent{stdout: stdout, stderr: stderr}
	wrong := func(format string, args ...any) int {
		fmt.Fprintf(stderr, "ibforge-portmap: "+format+"; cure: see ibforge-portmap -h\n", args...)
		return exitUsage
	}
	if len(args) == 0 {
		return wrong("a verb is missing")
	}
	if args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help" {
		fmt.Fprint(stdout, usage)
		return exitDone
	}
	v, ok := verbs()[args[0]]
	if !ok {
		return wrong("%q is no verb", args[0])
	}
	f := flag.NewFlagSet(args[0], flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&a.opts.CgroupRoot, "cgroup-root", "", "")
	f.StringVar(&a.opts.PinRoot, "pin-root", "", "")
	if v.flags != nil {
		v.flags(f)
	}
	if err := f.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return exitDone
	} else if err != nil {
		return wrong("%s: %v", args[0], err)
	}
	if want := v.args(f.NArg()); want != "" {
		return wrong("%s wants %s", args[0], want)
	}
	v.run(a, f.Args())
	if a.failed {
		return exitFailed
	}
	return exitDone
}
