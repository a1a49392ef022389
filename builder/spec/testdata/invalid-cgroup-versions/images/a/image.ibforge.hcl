image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime { cgroup_versions = [1, 3, 1] }
}

image "b" {
  description = "B"
  bootstrap "debian" { suite = "bookworm" }
  runtime { cgroup_versions = [] }
}

image "c" {
  description = "C"
  bootstrap "debian" { suite = "bookworm" }
  runtime { cgroup_versions = 2 }
}
