image "opensm" {
  description = "OpenSM, the open-source InfiniBand subnet manager, one process per fabric port"
  from        = image.systemd-base

  packages = ["opensm", "infiniband-diags"]
  omit_packages = {
    # infiniband-diags: check_lft_balance, ibfindnodesusing and ibidsverify are
    # Perl; opensm, sminfo, ibstat, smpquery,
    # saquery and ibnetdiscover are not. Perl is 50 MB.
    "perl" = "only three seldom used diagnostic scripts are written in it"
  }

  rootfs = "rootfs"

  unit "opensm.service" {
    state  = "masked"
    reason = "skips silently without /sys/class/infiniband_mad and is wanted only by network-online.target, which nothing pulls in here; opensm-ports.service takes its place"
  }
  unit "opensm-ports.service" {
    state = "enabled"
  }
  unit "opensm-watch.timer" {
    state = "enabled"
  }

  runtime {
    network   = "host" # umad devices belong to the initial network namespace
    read_only = true

    volume "config" {
      path      = "/etc/opensm"
      host      = "/etc/ibforge/opensm"
      read_only = true
    }
    volume "cache" { path = "/var/cache/opensm" } # guid2lid and its kin survive a restart
    volume "log" { path = "/var/log/opensm" }

    device "/dev/infiniband" {} # umadN to send MADs, issmN to raise IsSM

    health {
      command      = ["/usr/libexec/ibforge/opensm-health"]
      interval     = "30s"
      timeout      = "10s"
      start_period = "20s"
      retries      = 3
    }

    modules  = ["ib_umad"]
    excludes = ["subnet-manager"]
  }
}
