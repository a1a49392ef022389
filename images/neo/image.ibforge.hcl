variable "neo_installer" {
  type        = string
  description = "NEO's installer, the archive that holds neo/neo-installer.sh"
  default     = null
}

variable "neo_installer_sha256" {
  type        = string
  description = "SHA-256 of the installer"
  default     = null
}

variable "neo_base" {
  type        = string
  description = "What NEO is installed upon: an image with systemd and Python 2, which means one of EL 7"
  default     = "image.systemd-base"
}

variable "neo_base_digest" {
  type        = string
  description = "Digest of a base that is no docker:// reference, which has its own"
  default     = null
}

variable "neo_family" {
  type        = string
  description = "Family of the base: how packages are installed, and where the web server has its files"
  default     = "debian"

  validation {
    condition     = contains(["debian", "el7"], var.neo_family)
    error_message = "NEO is made for \"el7\"; \"debian\" is what the stand-in of the tests is built upon."
  }
}

variable "neo_web" {
  type        = string
  description = "How the web server's ports are moved: by its own files, or below it"
  default     = "config"

  validation {
    condition     = contains(["config", "socket"], var.neo_web)
    error_message = "The web server's ports are moved via \"config\" or via \"socket\"."
  }
}

variable "neo_host_ports" {
  type = object({
    http       = optional(number, 3080) # those of the vendor's own container
    https      = optional(number, 3443) # (NEO SDK 2.7.20, NEO Users)
    controller = optional(number, 15000)
  })
  description = "Where NEO's ports land on the host"
  default     = {}
}

variable "neo_providers" {
  type = map(object({
    listens = number
    host    = number
  }))
  description = "Ports that NEO's providers listen on: the numbers in /opt/neo/files/providers/*/conf/netservice.cfg, and where they land on the host. No public text has the real ones; these are of the stand-in"
  default = {
    access-credentials = { listens = 7662, host = 17662 }
    device-manager     = { listens = 7661, host = 17661 }
    eth-discovery      = { listens = 7663, host = 17663 }
    ib                 = { listens = 7664, host = 17664 }
    ip-discovery       = { listens = 7665, host = 17665 }
    monitor            = { listens = 8086, host = 18086 } # InfluxDB's, which Kolla knows too
    performance        = { listens = 7667, host = 17667 }
    provisioning       = { listens = 7668, host = 17668 }
    solution           = { listens = 7669, host = 17669 }
    virtualization     = { listens = 7670, host = 17670 }
  }
}

locals {
  neo_families = {
    debian = {
      # python-is-python3 for /bin/python, by which NEO's services are started.
      packages = ["apache2", "openssl", "python-is-python3"]
      rpms     = []
      web      = "apache2.service"
      harden   = "ln -s /usr/share/ibforge/neo-httpd.conf /etc/apache2/conf-enabled/zz-ibforge.conf"
      cgroups  = [1, 2]
      http = {
        "/etc/apache2/ports.conf"                       = { match = "^[ \\t]*Listen[ \\t]+{port}[ \\t]*$", count = 1 }
        "/etc/apache2/sites-available/000-default.conf" = { match = "^[ \\t]*<VirtualHost[ \\t]+(?:\\*|_default_):{port}>", count = 1 }
      }
      https = {
        # Once for mod_ssl, once for mod_gnutls.
        "/etc/apache2/ports.conf"                       = { match = "^[ \\t]*Listen[ \\t]+{port}[ \\t]*$", count = 2 }
        "/etc/apache2/sites-available/default-ssl.conf" = { match = "^[ \\t]*<VirtualHost[ \\t]+(?:\\*|_default_):{port}>", count = 1 }
      }
    }
    el7 = {
      packages = []
      # The first line is what StackHPC's recipe found to be missing, the second
      # the web server.
      rpms = concat(["gcc", "initscripts", "python-devel", "which"],
      ["httpd", "mod_ssl", "openssl"])
      web = "httpd.service"
      # welcome.conf has the distribution's test page. The network script of
      # initscripts would set up the interfaces of the host.
      harden  = "ln -s /usr/share/ibforge/neo-httpd.conf /etc/httpd/conf.d/zz-ibforge.conf && : >/etc/httpd/conf.d/welcome.conf && ln -s /dev/null /etc/systemd/system/network.service"
      cgroups = [1] # systemd 219 does not boot on version 2
      http = {
        "/etc/httpd/conf/httpd.conf" = { match = "^[ \\t]*Listen[ \\t]+{port}[ \\t]*$", count = 1 }
      }
      https = {
        "/etc/httpd/conf.d/ssl.conf" = { match = "^[ \\t]*(?:Listen[ \\t]+|<VirtualHost[ \\t]+_default_:){port}(?:[ \\t]+https)?>?[ \\t]*$", count = 2 }
      }
    }
  }
  neo = local.neo_families[var.neo_family]
}

image "neo" {
  description = "NEO, Mellanox's network orchestration and management, from the vendor's installer"
  from        = var.neo_base
  digest      = var.neo_base_digest

  packages = local.neo.packages
  rootfs   = "rootfs"
  # Tells systemd that it runs in a container; not every base does.
  env = { container = "oci" }

  prune = {
    "/etc/pki/tls/private/localhost.key" = "a private key in an image is everybody's; neo-configure makes one for each site"
    "/etc/pki/tls/certs/localhost.crt"   = "goes with its key"
  }

  payload "installer" {
    source   = var.neo_installer
    sha256   = var.neo_installer_sha256
    unpack   = "/neo"
    strip    = 1 # neo/
    supplier = "NVIDIA had it for customers with a licence of NEO, in the downloads of the NVIDIA Enterprise Support portal: the archive that holds neo/neo-installer.sh, not the vendor's container image, in which NEO is not installed."
  }

  dynamic "run" {
    for_each = length(local.neo.rpms) > 0 ? ["prerequisites"] : []
    labels   = [run.value]
    content {
      command = concat(["yum", "-y", "install"], local.neo.rpms)
      network = "host" # the base's own repositories
    }
  }

  run "install" {
    command  = ["/neo/neo-installer.sh"]
    payloads = ["installer"]
    # Nothing of the build host is asked or taken for NEO's own.
    network = "none"
  }

  run "harden" {
    # After the installer, which may write the web server's files anew.
    command = ["sh", "-c", local.neo.harden]
  }

  unit "neo.service" { state = "enabled" }
  unit "neo-configure.service" { state = "enabled" }
  unit "neo-password.service" { state = "enabled" }
  dynamic "unit" {
    for_each = [local.neo.web]
    labels   = [unit.value]
    content { state = "enabled" }
  }

  runtime {
    network         = "host" # switches are discovered, and report, by the host's addresses
    cgroup_versions = local.neo.cgroups
    # Not read_only: the web server's files are rewritten in place, and what the
    # real product writes into /opt/neo beside its volumes is not known. A volume
    # over either would keep the files of the last release.

    dynamic "port" {
      for_each = { http = 80, https = 443 }
      labels   = [port.key]
      content {
        listens = port.value
        host    = var.neo_host_ports[port.key]
        via     = var.neo_web
        unit    = local.neo.web

        dynamic "rewrite" {
          for_each = var.neo_web == "config" ? local.neo[port.key] : {}
          labels   = [rewrite.key]
          content {
            match = rewrite.value.match
            count = rewrite.value.count
          }
        }
      }
    }

    port "controller" {
      listens = 5000 # as Keystone
      host    = var.neo_host_ports.controller
      via     = "socket"
      unit    = "neo.service"
      address = "loopback"
      guarded = true # the web server connects to it, and nobody else
    }

    dynamic "port" {
      for_each = var.neo_providers
      labels   = [port.key]
      content {
        listens = port.value.listens
        host    = port.value.host
        via     = port.value.host == port.value.listens ? "none" : "socket"
        unit    = "neo.service"
        address = "loopback"
        guarded = true # NEO's services speak to each other
      }
    }

    # Other machines send to these numbers.
    port "traps" {
      listens  = 162
      protocol = "udp"
    }
    port "traps-tcp" { listens = 162 }
    port "reports" { listens = 7654 }

    # The four of StackHPC's role mlnx-neo, for data that it left behind.
    volume "files" { path = "/opt/neo/files" }
    volume "common_conf" { path = "/opt/neo/files/common/conf" }
    volume "controller_conf" { path = "/opt/neo/files/controller/conf" }
    volume "controller_logs" { path = "/opt/neo/files/controller/log" }
    volume "config" {
      path      = "/etc/ibforge/neo"
      host      = "/etc/ibforge/neo"
      read_only = true
    }

    stop { timeout = "1m" }

    health {
      command      = ["/usr/libexec/ibforge/neo-health"]
      interval     = "30s"
      timeout      = "10s"
      start_period = "5m" # eleven services, one after the other
      retries      = 3
    }
  }
}
