image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    limits {
      memory = "4 gigs"
      pids   = 0
      nofile = 1048577
    }
  }
}

image "b" {
  description = "B"
  from        = image.a
  runtime {
    limits {
      memory = "4096"
      pids   = 4194305
      nofile = "many"
    }
  }
}

image "c" {
  description = "C"
  from        = image.a
  runtime {
    limits {
      memory  = -1
      nofiles = 1024
      cpus    = 2
    }
  }
}

image "d" {
  description = "D"
  from        = image.a
  runtime {
    limits { pids = 1.5 }
    limits {}
  }
}
