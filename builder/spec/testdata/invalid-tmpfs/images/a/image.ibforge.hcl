image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    tmpfs "run" {}
    tmpfs "/var/tmp" { options = "size=1m mode=1" }
    tmpfs "/var/tmp" {}
  }
}
