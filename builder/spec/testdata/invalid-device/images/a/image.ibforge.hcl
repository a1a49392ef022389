image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    device "/etc/passwd" {}
    device "/dev/../etc" {}
    device "/dev/infiniband" { permissions = "wr" }
    device "/dev/infiniband" { permissions = "" }
  }
}
