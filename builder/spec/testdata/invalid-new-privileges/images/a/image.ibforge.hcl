image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    no_new_privileges = false
    new_privileges {}
    new_privileges { reason = "sudo" }
  }
}

image "b" {
  description = "B"
  from        = image.a
  runtime {
    new_privileges { reason = " " }
    seccomp = "unconfined"
  }
}

image "c" {
  description = "C"
  from        = image.a
  runtime {
    new_privileges { reson = "sudo" }
  }
}
