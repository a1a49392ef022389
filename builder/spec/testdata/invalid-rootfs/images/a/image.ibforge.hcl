image "missing" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  rootfs = "roots"
}
image "above" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  rootfs = "../b"
}
image "absolute" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  rootfs = "/etc"
}
image "file" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  rootfs = "image.ibforge.hcl"
}
image "self" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  rootfs = "."
}
image "unclean" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  rootfs = "rootfs/"
}
image "link" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  rootfs = "link"
}
