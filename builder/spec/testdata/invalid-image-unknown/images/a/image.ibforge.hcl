image "systemd-base" {
  description = "x"
  bootstrap "debian" { suite = "bookworm" }
}
image "b" {
  description = "x"
  from = image.systemd-bse
}
image "c" {
  description = "x"
  from = "image.systemd-bass"
}
image "d" {
  description = "x"
  from = "systemd-base"
}
image "e" {
  description = "x"
  from = image.nothing-alike
}
image "f" {
  description = image.systemd-base
  from = image.systemd-base
}
