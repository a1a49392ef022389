variable "ufm_installer" {
  type        = string
  description = "UFM's installer for standalone servers, ufm-VERSION.tgz"
  default     = null
}

variable "ufm_installer_sha256" {
  type        = string
  description = "SHA-256 of the installer"
  default     = null
}

variable "ufm_form" {
  type        = string
  description = "What the vendor's file is: the installer, or the image that is then the base"
  default     = "installer"

  validation {
    condition     = contains(["image", "installer"], var.ufm_form)
    error_message = "The vendor hands out UFM as an \"installer\" and as an \"image\"."
  }
}

variable "ufm_base" {
  type        = string
  description = "What UFM is installed upon: an image of the distribution that the installer is made for, with systemd. Or the vendor's own image, docker-archive:FILE"
  default     = "image.systemd-base"
}

variable "ufm_base_digest" {
  type        = string
  description = "Digest of a base that is no docker:// reference, which has its own"
  default     = null
}

variable "ufm_family" {
  type        = string
  description = "Family of the base: how packages are installed, and where the web server has its files"
  default     = "debian"

  validation {
    condition     = contains(["debian", "el", "ubuntu"], var.ufm_family)
    error_message = "The vendor has installers for \"ubuntu\" and \"el\"; \"debian\" is what the stand-in of the tests is built upon."
  }
}

variable "ufm_web" {
  type        = string
  description = "How the web server's ports are moved: by its own files, or below it"
  default     = "config"

  validation {
    condition     = contains(["config", "socket"], var.ufm_web)
    error_message = "The web server's ports are moved via \"config\" or via \"socket\"."
  }
}

variable "ufm_host_ports" {
  type = object({
    http  = optional(number, 7080)
    https = optional(number, 7443) # NVIDIA's own for a second UFM on one host
    # For the internal ones, the vendor's number and 10000.
    rest      = optional(number, 18000)
    aux       = optional(number, 18084) # 18080 is cAdvisor's in Kolla
    sm        = optional(number, 18081)
    sm2       = optional(number, 18082)
    aux2      = optional(number, 18083)
    history   = optional(number, 18089)
    telemetry = optional(number, 19001)
  })
  description = "Where UFM's ports land on the host"
  default     = {}
}

locals {
  ufm_packages = {
    # What the installation guide wants on Ubuntu, and curl for the health check.
    ubuntu = ["acl", "apache2", "bc", "chrpath", "cron", "curl", "logrotate", "openssl", "psmisc", "python3", "snmpd", "sqlite3", "ssl-cert", "sudo", "supervisor"]
    # Debian is no platform of the vendor. The stand-in of the tests takes its
    # subnet manager from the distribution; UFM has its own, and refuses another.
    debian = ["acl", "apache2", "bc", "chrpath", "cron", "curl", "infiniband-diags", "logrotate", "openssl", "opensm", "psmisc", "python3", "snmpd", "sqlite3", "ssl-cert", "sudo", "supervisor"]
    el     = []
  }
  # ibforge installs Debian packages only. The first line is what the
  # installation guide wants on EL 8, the second what 6.23.1 asked for on EL 9.
  ufm_rpms = concat(
    ["bc", "cronie", "httpd", "iptables", "libnsl", "mod_ssl", "net-snmp", "net-snmp-libs", "net-snmp-utils", "openssl", "php", "psmisc", "python3", "sudo", "telnet"],
    ["apr-util-openssl", "cairo", "dos2unix", "lftp", "libxslt", "mod_ldap", "mod_session", "net-tools", "qperf", "rsync", "sqlite", "sshpass", "wget", "zip"],
  )

  ufm_install = var.ufm_form == "installer"

  ufm_el   = var.ufm_family == "el"
  ufm_web  = local.ufm_el ? "httpd.service" : "apache2.service"
  ufm_conf = local.ufm_el ? "/etc/httpd/conf.d" : "/etc/apache2/conf-enabled"

  # The distributions' own files, which UFM leaves as they are: NVIDIA's recipe
  # for a second UFM on one host rewrites the same ones on Ubuntu, before the
  # same "ufmd start". Debian has "*:" where Ubuntu has "_default_:".
  ufm_rewrites = local.ufm_el ? {
    http = {
      "/etc/httpd/conf/httpd.conf" = { match = "^[ \\t]*Listen[ \\t]+{port}[ \\t]*$", count = 1 }
    }
    https = {
      "/etc/httpd/conf.d/ssl.conf" = { match = "^[ \\t]*(?:Listen[ \\t]+|<VirtualHost[ \\t]+_default_:){port}(?:[ \\t]+https)?>?[ \\t]*$", count = 2 }
    }
    } : {
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

  # Ports whose both ends are UFM's own processes, so that to move them costs
  # nothing, and telemetry's, which Designate wants too.
  ufm_internal = {
    aux       = { listens = 8080, host = var.ufm_host_ports.aux }
    sm        = { listens = 8081, host = var.ufm_host_ports.sm }
    sm2       = { listens = 8082, host = var.ufm_host_ports.sm2 }
    aux2      = { listens = 8083, host = var.ufm_host_ports.aux2 }
    history   = { listens = 8089, host = var.ufm_host_ports.history }
    telemetry = { listens = 9001, host = var.ufm_host_ports.telemetry }
  }

  # Services that come with packages that UFM wants for their programs.
  ufm_disabled = local.ufm_el || !local.ufm_install ? {} : {
    "snmpd.service"      = "would take UDP port 161 of the host; UFM wants the package, not the daemon"
    "supervisor.service" = "UFM starts supervisord itself, for its telemetry"
  }
}

image "ufm" {
  description = "UFM Enterprise, NVIDIA's fabric manager, from the vendor's installer"
  from        = var.ufm_base
  digest      = var.ufm_base_digest

  packages = local.ufm_install ? local.ufm_packages[var.ufm_family] : []
  rootfs   = "rootfs"

  # Tells systemd that it runs in a container of the OCI kind, for bases that
  # do not (https://systemd.io/CONTAINER_INTERFACE).
  env = { container = "oci" }

  prune = {
    "/etc/pki/tls/private/ufmlocalhost.key"    = "a private key in an image is everybody's; ufm-configure makes one for each site"
    "/etc/pki/tls/certs/ufmlocalhost.crt"      = "goes with its key"
    "/etc/ssl/private/ssl-cert-snakeoil.key"   = "a private key in an image is everybody's, and no two builds would be equal"
    "/etc/ssl/certs/ssl-cert-snakeoil.pem"     = "goes with its key"
    "/opt/ufm/files/licenses/*"                = "licences are mounted when the container runs, and never part of an image"
    "/opt/ufm/files/conf/webclient/server.key" = "a private key in an image is everybody's"
  }

  dynamic "payload" {
    for_each = local.ufm_install ? ["installer"] : []
    labels   = [payload.value]
    content {
      source   = var.ufm_installer
      sha256   = var.ufm_installer_sha256
      unpack   = "/ufm-installer"
      strip    = 1       # ufm-VERSION/
      limit    = "16GiB" # images of plugins are part of it
      supplier = "NVIDIA hands it to customers with a UFM licence, in the downloads of the NVIDIA Enterprise Support portal: the archive for standalone servers of the base's distribution, ufm-VERSION.DISTRIBUTION.x86_64.tgz."
    }
  }

  dynamic "run" {
    for_each = local.ufm_install && local.ufm_el ? ["prerequisites"] : []
    labels   = [run.value]
    content {
      command = concat(["dnf", "-y", "--setopt=install_weak_deps=False", "install"], local.ufm_rpms)
      network = "host" # the base's own repositories
    }
  }

  dynamic "run" {
    for_each = local.ufm_install ? ["names"] : []
    labels   = [run.value]
    content {
      # The installer wants localhost and its host's own name to resolve. A
      # container engine puts a file of its own in this one's place.
      command = ["sh", "-c", "echo \"127.0.0.1 localhost $(hostname)\" >/etc/hosts"]
    }
  }

  dynamic "run" {
    for_each = local.ufm_install ? ["install"] : []
    labels   = [run.value]
    content {
      command  = ["/ufm-installer/install.sh", "-q"] # yes to all questions
      payloads = ["installer"]
      # The installer refuses ports that somebody holds. Here nobody does,
      # whatever runs on the build host.
      network = "none"
    }
  }

  dynamic "run" {
    for_each = local.ufm_install ? [] : ["wrap"]
    labels   = [run.value]
    content {
      command = ["/usr/libexec/ibforge/ufm-wrap"]
    }
  }

  run "web" {
    # After what brings the directory.
    command = ["ln", "-s", "/usr/share/ibforge/ufm/web.conf", "${local.ufm_conf}/zz-ibforge.conf"]
  }

  unit "ufm-configure.service" { state = "enabled" }
  unit "ufm-enterprise.service" { state = "enabled" } # the installer leaves it to the administrator
  unit "ufm-password.service" { state = "enabled" }

  dynamic "unit" {
    for_each = [local.ufm_web]
    labels   = [unit.value]
    content { state = "enabled" }
  }
  dynamic "unit" {
    for_each = local.ufm_disabled
    labels   = [unit.key]
    content {
      state  = "disabled"
      reason = unit.value
    }
  }

  runtime {
    network = "host" # umad devices belong to the initial network namespace
    # Not read_only: UFM writes into its own tree, which is one of programs and
    # data, into /etc and into root's crontab, and the web server's files are
    # rewritten in place. A volume over any of these would keep the programs of
    # the last release.

    new_privileges {
      reason = "UFM runs as ufmapp and calls sudo, for apachectl and for root's crontab among others"
    }

    dynamic "port" {
      for_each = { http = 80, https = 443 }
      labels   = [port.key]
      content {
        listens = port.value
        host    = var.ufm_host_ports[port.key]
        via     = var.ufm_web
        unit    = local.ufm_web

        dynamic "rewrite" {
          for_each = var.ufm_web == "config" ? local.ufm_rewrites[port.key] : {}
          labels   = [rewrite.key]
          content {
            match = rewrite.value.match
            count = rewrite.value.count
          }
        }
      }
    }

    port "rest" {
      listens = 8000
      host    = var.ufm_host_ports.rest
      via     = "socket"
      unit    = "ufm-enterprise.service"
      address = "loopback"
      guarded = true # whoever connects can name himself administrator
    }

    dynamic "port" {
      for_each = local.ufm_internal
      labels   = [port.key]
      content {
        listens = port.value.listens
        host    = port.value.host
        via     = "socket"
        unit    = "ufm-enterprise.service"
      }
    }

    # Agents on other machines send to these numbers.
    port "monitoring" {
      listens  = 8005
      protocol = "udp"
    }
    port "agents" {
      listens  = 6306
      protocol = "udp"
    }

    volume "config" {
      path      = "/etc/ibforge/ufm"
      host      = "/etc/ibforge/ufm"
      read_only = true
    }
    volume "licenses" {
      path      = "/opt/ufm/files/licenses"
      host      = "/etc/ibforge/ufm/licenses"
      read_only = true
    }
    volume "files" { path = "/opt/ufm/files" } # configuration, databases and logs of UFM

    device "/dev/infiniband" {} # umadN to send MADs, issmN to raise IsSM

    stop { timeout = "2m" }

    health {
      command      = ["/usr/libexec/ibforge/ufm-health"]
      interval     = "30s"
      timeout      = "10s"
      start_period = "10m" # a large fabric takes that long, and longer
      retries      = 3
    }

    modules  = ["ib_umad", "ib_ipoib"]
    excludes = ["subnet-manager"]
  }
}
