image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  prune = {
    "usr/share/doc" = "no"
    "/usr/../share" = "no"
    "/" = "no"
    "/usr/[a" = "no"
    "/usr/share/doc/*/[!c]*" = "no"
    "/usr/share/man/*" = " "
  }
}
