variable "suite" {
  type        = string
  description = "Debian release that the images are made of, by code name"
  default     = "bookworm"

  validation {
    condition     = contains(["bookworm", "trixie"], var.suite)
    error_message = "The images are known to boot with \"bookworm\" and \"trixie\" only."
  }
}

locals {
  # What Debian starts on a machine and a container has no use for. Nothing
  # here keeps a boot from succeeding; it would be wasted work, or work on what
  # belongs to the host.
  masked = {
    "getty.target"                         = "nobody logs in on a console"
    "console-getty.service"                = "nobody logs in on a console"
    "systemd-logind.service"               = "nobody logs in"
    "systemd-ask-password-console.path"    = "nobody is there to answer"
    "systemd-ask-password-wall.path"       = "nobody is there to answer"
    "systemd-remount-fs.service"           = "the container engine mounts the root file system"
    "systemd-update-utmp.service"          = "nobody logs in, and /var/log/wtmp is read-only"
    "systemd-update-utmp-runlevel.service" = "nobody logs in, and /var/log/wtmp is read-only"
    "systemd-journal-flush.service"        = "the journal is volatile"
    "systemd-pstore.service"               = "crash records of the kernel belong to the host"
    "systemd-sysusers.service"             = "users are made while the image is built; /etc is read-only afterwards"
    "systemd-initctl.socket"               = "no System V telinit is used"
    "dev-mqueue.mount"                     = "mounting needs CAP_SYS_ADMIN; the engine mounts it"
    "dev-hugepages.mount"                  = "mounting needs CAP_SYS_ADMIN"
    "sys-kernel-debug.mount"               = "the kernel's own file systems belong to the host"
    "sys-kernel-tracing.mount"             = "the kernel's own file systems belong to the host"
    "sys-kernel-config.mount"              = "the kernel's own file systems belong to the host"
    "sys-fs-fuse-connections.mount"        = "the kernel's own file systems belong to the host"
    "proc-sys-fs-binfmt_misc.automount"    = "binary formats belong to the host"
    "fstrim.timer"                         = "file systems belong to the host"
    "dpkg-db-backup.timer"                 = "the package database never changes in a container"
  }
}

image "systemd-base" {
  description = "Debian with systemd as PID 1, to build services upon that are more than one process"

  bootstrap "debian" {
    suite    = var.suite
    variant  = "essential" # without apt: ibforge installs packages from outside
    packages = ["systemd", "systemd-sysv", "dbus"]
  }

  prune = {
    # Every /usr/share/doc/PACKAGE/copyright stays: the licences ask for it.
    "/usr/share/doc/*/[^c]*"     = "nobody reads manuals in a container"
    "/usr/share/doc/*/c[^o]*"    = "nobody reads manuals in a container"
    "/usr/share/man/*"           = "nobody reads manuals in a container"
    "/usr/share/info/*"          = "nobody reads manuals in a container"
    "/usr/share/locale/*"        = "services log in English, C.UTF-8 is built into libc"
    "/usr/lib/*/gconv"           = "libc converts between UTF-8, Latin-1 and ASCII without these modules"
    "/usr/share/lintian"         = "used when Debian packages are made"
    "/usr/share/bash-completion" = "nobody types in a container"
    "/usr/share/zsh"             = "nobody types in a container"
  }

  env = {
    # Tells systemd that it runs in a container of the OCI kind
    # (https://systemd.io/CONTAINER_INTERFACE).
    container = "oci"
  }

  rootfs = "rootfs"

  dynamic "unit" {
    for_each = local.masked
    labels   = [unit.key]
    content {
      state  = "masked"
      reason = unit.value
    }
  }
}
