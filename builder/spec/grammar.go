package spec

import (
	"path"
	"regexp"
	"strings"
)

// The grammars of names. None of these is changed after the start.
var (
	imageName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	// Debian policy 5.6.1: lower case, digits, plus, minus, periods; at least
	// two characters, the first one alphanumeric.
	packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]+$`)
	codeName    = regexp.MustCompile(`^[a-z]+$`)
	component   = regexp.MustCompile(`^[a-z][a-z0-9-]*(/[a-z][a-z0-9-]*)?$`)
	// Without user information: a mirror's URL is written into the image.
	mirrorURL = regexp.MustCompile(`^https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/+-]*)?$`)
	// systemd.unit(5): "ASCII letters, digits, ":", "-", "_", ".", and "\"",
	// with one "@" before the instance.
	unitName   = regexp.MustCompile(`^[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]*)?\.([a-z]+)$`)
	envName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	stepName   = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
	volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
	moduleName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	sumForm    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// distribution/reference: path components of a repository.
	repository = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	devicePerm = regexp.MustCompile(`^r?w?m?$`)
	// Both halves of an engine's -v and --mount syntax use these characters.
	mountable   = regexp.MustCompile(`^[^:,\s[:cntrl:]]+$`)
	realtime    = regexp.MustCompile(`^SIGRT(MIN(\+([1-9]|1[0-5]))?|MAX(-([1-9]|1[0-4]))?)$`)
	durationOne = regexp.MustCompile(`^([0-9]+)(h|ms|m|s|us|µs|ns)`)
)

// movingSuite tells of suites that name another release every other year.
// "sid" is one: it is the code name of "unstable" for ever.
func movingSuite(suite string) bool {
	switch suite {
	case "stable", "oldstable", "oldoldstable", "testing", "unstable", "sid", "experimental", "latest":
		return true
	}
	return false
}

// unitSuffixes are the types of systemd.unit(5).
func unitSuffixes() []string {
	return []string{"automount", "device", "mount", "path", "scope", "service", "slice", "socket", "swap", "target", "timer"}
}

// variants are those of mmdebstrap(1) from which a working image can be made;
// "extract" and "custom" configure no package.
func variants() []string {
	return []string{"apt", "buildd", "debootstrap", "essential", "important", "minbase", "required", "standard"}
}

// signals of signal(7) that can be caught; SIGKILL and SIGSTOP cannot, so no
// program ends in an orderly way on them.
func signals() []string {
	return strings.Fields(`SIGABRT SIGALRM SIGBUS SIGCHLD SIGCONT SIGFPE SIGHUP SIGILL SIGINT SIGIO SIGPIPE
		SIGPROF SIGPWR SIGQUIT SIGRTMAX SIGRTMIN SIGRTMIN+3 SIGSEGV SIGSTKFLT SIGSYS SIGTERM SIGTRAP SIGTSTP SIGTTIN
		SIGTTOU SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ`)
}

// capabilities of capabilities(7), without the CAP_ prefix.
func capabilities() []string {
	return strings.Fields(`AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE
		DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD
		NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN
		SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG
		WAKE_ALARM`)
}

// cleanAbsolute tells of absolute paths in their shortest form, "/" excepted.
func cleanAbsolute(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && p != "/" && !strings.ContainsFunc(p, control)
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// parseSeconds reads a Go duration string of whole seconds; fault completes
// the sentence that begins with the value.
func parseSeconds(s string) (seconds int, fault string) {
	const day = 24 * 60 * 60
	if s == "0" {
		return 0, ""
	}
	if s == "" {
		return 0, "is no duration"
	}
	for rest := s; rest != ""; {
		m := durationOne.FindStringSubmatch(rest)
		if m == nil {
			return 0, "is no duration"
		}
		rest = rest[len(m[0]):]
		var unit int
		switch m[2] {
		case "h":
			unit = 60 * 60
		case "m":
			unit = 60
		case "s":
			unit = 1
		default:
			return 0, "has parts of a second"
		}
		n := 0
		for _, digit := range m[1] {
			if n = 10*n + int(digit-'0'); n > day {
				return 0, "is longer than a day"
			}
		}
		if seconds += n * unit; seconds > day {
			return 0, "is longer than a day"
		}
	}
	return seconds, ""
}
