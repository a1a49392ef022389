image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
}
