variable "suite" {
  type        = string
  description = "Debian release that the images are made of, by code name"
  default     = "bookworm"

  validation {
    condition     = contains(["bookworm", "trixie"], var.suite)
    error_message = "suite must be \"bookworm\" or \"trixie\": the images are tested with these only."
  }
}

image "systemd-base" {
  description = "Debian with systemd as PID 1, for services that are no single process"

  bootstrap "debian" {
    suite    = var.suite
    mirror   = "http://deb.debian.org/debian"
    variant  = "essential" # apt stays outside: ibforge installs packages from the build host
    packages = ["systemd", "systemd-sysv", "dbus"]
  }

  prune = {
    "/usr/share/doc/*"      = "documentation is read elsewhere; copyright files are kept by the package archive"
    "/usr/share/man/*"      = "no pager, no man in the image"
  }

  unit "systemd-udevd.service" {
    state  = "masked"
    reason = "devices are the host's business"
  }
}
