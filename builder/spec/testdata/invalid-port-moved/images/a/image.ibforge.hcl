image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }

  runtime {
    port "no-unit" {
      listens = 80
      host    = 8880
      via     = "socket"
    }
    port "no-service" {
      listens = 81
      host    = 8881
      via     = "socket"
      unit    = "apache2.socket"
    }
    port "no-rewrite" {
      listens = 82
      host    = 8882
      via     = "config"
      unit    = "apache2.service"
    }
    port "not-anchored" {
      listens = 83
      host    = 8883
      via     = "config"
      unit    = "apache2.service"
      rewrite "/etc/apache2/ports.conf" { match = "Listen {port}" }
    }
    port "no-placeholder" {
      listens = 84
      host    = 8884
      via     = "config"
      unit    = "apache2.service"
      rewrite "/etc/apache2/ports.conf" { match = "^Listen 84$" }
    }
    port "no-regexp" {
      listens = 85
      host    = 8885
      via     = "config"
      unit    = "apache2.service"
      rewrite "etc/apache2/ports.conf" { match = "^(Listen {port}" }
    }
    port "no-match" {
      listens = 86
      host    = 8886
      via     = "config"
      unit    = "apache2.service"
      rewrite "/etc/apache2/ports.conf" { count = 0 }
    }
    port "rewrite-of-socket" {
      listens = 87
      host    = 8887
      via     = "socket"
      unit    = "apache2.service"
      rewrite "/etc/apache2/ports.conf" { match = "^Listen {port}$" }
    }
    port "onto-another" {
      listens = 88
      host    = 80
      via     = "socket"
      unit    = "apache2.service"
    }
    port "bound-twice" {
      listens = 88
      host    = 8888
      via     = "socket"
      unit    = "apache2.service"
    }
    port "one-host-port" {
      listens = 89
      host    = 8888
      via     = "socket"
      unit    = "apache2.service"
    }
    port "guarded-by-nobody" {
      listens = 90
      guarded = true
      address = "localhost"
    }
    port "guarded-for-all" {
      listens = 91
      unit    = "apache2.service"
      guarded = true
    }
  }
}
