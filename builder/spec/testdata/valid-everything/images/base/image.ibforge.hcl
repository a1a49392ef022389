image "base" {
  description = "Base"
  bootstrap "debian" {
    suite      = var.suite
    packages   = ["systemd", "g++", "dbus"]
    components = ["main", "non-free-firmware"]
  }
  omit_packages = { perl = "big", aptitude = "unused" }
  prune = { "/usr/share/doc/*" = "read elsewhere" }
}
