package verify

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/ibforge/ibforge/builder/contract"
)

// capabilityNames by number, from linux/capability.h (6.9).
func capabilityNames() []string {
	return []string{
		"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
		"SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
		"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
		"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
		"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
		"CHECKPOINT_RESTORE",
	}
}

// dockerDefault is what docker gives to every container (moby,
// oci/caps/defaults.go). Other engines give fewer, which is as good.
func dockerDefault() []string {
	return []string{
		"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID",
		"SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
	}
}

// capabilitySet decodes a mask of /proc/pid/status, such as CapBnd's.
func capabilitySet(hex string) ([]string, error) {
	mask, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return nil, fmt.Errorf("capability mask %q: %w", hex, err)
	}
	known := capabilityNames()
	var names []string
	for bit := range 64 {
		if mask&(1<<bit) == 0 {
			continue
		}
		name := fmt.Sprintf("capability %d", bit)
		if bit < len(known) {
			name = known[bit]
		}
		names = append(names, name)
	}
	return names, nil
}

// statusField gives a field of proc_pid_status(5).
func statusField(status, name string) (string, error) {
	for line := range strings.SplitSeq(status, "\n") {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("/proc/1/status has no field %s", name)
}

func (s *session) pid1Capabilities(ctx context.Context) result {
	return s.pid1(ctx, "CapBnd", func(v string) result { return compareBounding(v, s.img.Contract.Capabilities) })
}

func (s *session) pid1Seccomp(ctx context.Context) result {
	return s.pid1(ctx, "Seccomp", compareSeccomp)
}

func (s *session) pid1NewPrivileges(ctx context.Context) result {
	return s.pid1(ctx, "NoNewPrivs", func(v string) result { return compareNewPrivileges(v, s.img.Contract) })
}

func (s *session) pid1(ctx context.Context, field string, compare func(string) result) result {
	out, err := s.exec(ctx, commandLimit, "cat", "/proc/1/status")
	if err != nil {
		return fail("%v", err)
	}
	value, err := statusField(out.text, field)
	if err != nil {
		return fail("%v: %s", err, out.text)
	}
	return compare(value)
}

// compareBounding looks at the bounding set, which no process of the container
// can get beyond, whatever it executes (capabilities(7)).
func compareBounding(mask string, extra []contract.Capability) result {
	have, err := capabilitySet(mask)
	if err != nil {
		return fail("%v", err)
	}
	allowed := dockerDefault()
	for _, c := range extra {
		allowed = append(allowed, c.Name)
	}
	beyond := slices.DeleteFunc(slices.Clone(have), func(name string) bool { return slices.Contains(allowed, name) })
	if len(beyond) > 0 {
		return fail("the bounding set %s has more: %s", mask, strings.Join(beyond, ", "))
	}
	return pass("%d capabilities, %s", len(have), mask)
}

// compareSeccomp wants mode 2, a filter (proc_pid_status(5)).
func compareSeccomp(mode string) result {
	if mode != "2" {
		return fail("its seccomp mode is %s, not 2 (filter): the engine was built or started without its seccomp profile", mode)
	}
	return pass("")
}

// compareNewPrivileges wants the flag as the contract has it, which all that
// PID 1 starts inherits. Set where the contract needs it unset, sudo and its kin
// fail, often long after the boot.
func compareNewPrivileges(flag string, c contract.Contract) result {
	switch {
	case c.NoNewPrivileges && flag != "1":
		return fail("its NoNewPrivs is %s, not 1: set-user-ID programs gain privileges, which the contract forbids", flag)
	case !c.NoNewPrivileges && flag != "0":
		return fail("its NoNewPrivs is %s, not 0, and the service must gain privileges: %s", flag, c.NewPrivilegesReason)
	case !c.NoNewPrivileges:
		return pass("they gain privileges: %s", c.NewPrivilegesReason)
	}
	return pass("")
}

func (s *session) containerSettings(ctx context.Context) result {
	have, err := s.eng.api.ContainerInspect(ctx, s.plan.name)
	if err != nil {
		return fail("asking the engine for the container: %v", err)
	}
	return compareSettings(have.HostConfig, s.img.Contract)
}

// compareSettings holds what the engine recorded against the contract: a
// plugin or a daemon setting may have changed what was asked for.
func compareSettings(h *container.HostConfig, c contract.Contract) result {
	var faults []string
	if h.Privileged {
		faults = append(faults, "the container is privileged")
	}
	var want, have []string
	for _, cap := range c.Capabilities {
		want = append(want, cap.Name)
	}
	for _, cap := range h.CapAdd {
		have = append(have, strings.TrimPrefix(strings.ToUpper(cap), "CAP_"))
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		faults = append(faults, fmt.Sprintf("capabilities added: %v, the contract has %v", have, want))
	}
	for _, o := range h.SecurityOpt {
		if strings.Contains(o, "unconfined") || strings.Contains(o, "disable") {
			faults = append(faults, "security option "+o)
		}
	}
	if h.PidMode.IsHost() {
		faults = append(faults, "the container is in the host's PID namespace")
	}
	if h.ReadonlyRootfs != c.ReadOnly {
		faults = append(faults, fmt.Sprintf("read-only root file system: %t, the contract has %t", h.ReadonlyRootfs, c.ReadOnly))
	}
	faults = append(faults, limitFaults(h, c.Limits)...)
	if len(faults) > 0 {
		return fail("%s", strings.Join(faults, "\n"))
	}
	return pass("capabilities added: %v", have)
}
