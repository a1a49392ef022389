image "svc" {
  for_each    = { blue = 1, red = 2 }
  description = "${local.greeting} ${each.key}"
  from        = each.value == 1 ? image.base : "docker://registry.example.org:5000/base@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  packages    = concat(["opensm"], each.key == "red" ? ["ibsim-utils"] : [])
  rootfs      = "rootfs"
  env         = { LEVEL = var.level, SUM = substr(filesha256("who.txt"), 0, 8), HAS = fileexists("nothing") }
  labels      = { "org.example.team" = "fabric" }

  dynamic "unit" {
    for_each = [each.key]
    labels   = ["svc@${unit.value}.service"]
    content { state = "enabled" }
  }
  unit "getty@.service" {
    state  = "masked"
    reason = "no terminal"
  }

  run "cache" {
    command = ["sh", "-c", "ldconfig"]
    env     = { A = "b" }
  }

  runtime {
    modules  = ["ib_umad"]
    excludes = ["subnet-manager"]
    tmpfs "/run" { options = "size=16m" }
    tmpfs "/var/tmp" {}
    volume "log" {
      path = "/var/log/svc"
      host = "/srv/log"
    }
    dynamic "port" {
      for_each = var.services
      iterator = s
      labels   = [s.value.name]
      content {
        listens  = s.value.port
        protocol = s.value.udp ? "udp" : "tcp"
      }
    }
    dynamic "device" {
      for_each = local.devices
      labels   = [device.key]
      content { permissions = device.value }
    }
    capability "NET_ADMIN" { reason = "sets PKeys" }
    new_privileges { reason = "its user calls sudo" }
    limits {
      memory = "1.5GiB"
      pids   = 512
      nofile = 65536
    }
    stop { timeout = "1m30s" }
    health { command = ["/bin/true"] }
  }
}
