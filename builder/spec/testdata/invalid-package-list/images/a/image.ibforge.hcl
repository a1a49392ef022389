image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  packages = "opensm"
  prune = ["/x"]
}
