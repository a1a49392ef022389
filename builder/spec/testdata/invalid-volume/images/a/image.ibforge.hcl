image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    volume "a" {}
    volume "b" { path = "var/lib" }
    volume "c" { path = "/var/lib/" }
    volume "d" { path = "/" }
    volume "e" {
      path = "/var/lib/e"
      host = "/srv/../e"
    }
    volume "e" { path = "/var/lib/e" }
    volume "f" { path = "/run" }
    volume "g/h" { path = "/x:rw" }
    tmpfs "/var/lib/e" {}
  }
}
