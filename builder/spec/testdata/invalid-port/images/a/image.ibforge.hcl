image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    port "Web" { listens = 80 }
    port "none" {}
    port "high" { listens = 65536 }
    port "half" { listens = 1.5 }
    port "moved" {
      listens = 81
      host = 8081
    }
    port "taken" {
      listens = 80
      host = 80
    }
    port "free" {
      listens = 80
      protocol = "udp"
    }
    port "free" {
      listens = 82
      protocol = "tpc"
      via = "config"
    }
  }
}
