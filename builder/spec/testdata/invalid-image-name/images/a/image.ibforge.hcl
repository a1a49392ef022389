image "OpenSM" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
}
