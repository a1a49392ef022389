image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  bootstrap "debian" { suite = "trixie" }
}
