image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    network = "hots"
    read_only = "perhaps"
    modules = ["ib_umad", "ib umad", "ib_umad"]
    excludes = ["Subnet Manager"]
    privileged = true
  }
}
