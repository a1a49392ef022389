image "a" {
  bootstrap "debian" { suite = "bookworm" }
}
image "b" {
  description = "  "
  bootstrap "debian" { suite = "bookworm" }
}
image "c" {
  description = null
  bootstrap "debian" { suite = "bookworm" }
}
