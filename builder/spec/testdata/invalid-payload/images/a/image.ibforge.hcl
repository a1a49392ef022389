variable "installer" {
  type    = string
  default = null
}

image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }

  payload "no-sum" {
    source   = "a.tgz"
    unpack   = "/a"
    supplier = "Example Ltd."
  }
  payload "null-sum" {
    source   = "a.tgz"
    sha256   = null
    unpack   = "/b"
    supplier = "Example Ltd."
  }
  payload "bad-sum" {
    source   = "a.tgz"
    sha256   = "sha256:abc"
    unpack   = "/b"
    supplier = "Example Ltd."
  }
  payload "no-source" {
    unpack   = "/c/../d"
    supplier = " "
  }
  payload "empty-source" {
    source   = ""
    limit    = "lots"
    strip    = 99
    supplier = "Example Ltd."
  }
  payload "Unused" {
    source   = var.installer
    unpack   = "/e"
    supplier = "Example Ltd."
  }

  run "install" {
    command  = ["/a/install.sh"]
    payloads = ["no-sum", "null-sum", "bad-sum", "no-source", "no-sum", "emty-source"]
  }
}
