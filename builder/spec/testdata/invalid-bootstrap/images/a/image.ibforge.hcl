image "moving" {
  description = "x"
  bootstrap "debian" {
    suite = "stable"
  }
}
image "version" {
  description = "x"
  bootstrap "debian" {
    suite = "12"
  }
}
image "none" {
  description = "x"
  bootstrap "debian" {
  }
}
image "distribution" {
  description = "x"
  bootstrap "debain" {
    suite = "bookworm"
  }
}
image "rest" {
  description = "x"
  bootstrap "debian" {
    suite = "bookworm"
    mirror = "http://me:secret@deb.debian.org/debian"
    components = ["main", "Non Free"]
    variant = "esential"
    packages = ["Systemd"]
  }
}
image "empty" {
  description = "x"
  bootstrap "debian" {
    suite = "bookworm"
    components = []
  }
}
