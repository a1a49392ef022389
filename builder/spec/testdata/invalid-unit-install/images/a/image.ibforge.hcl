image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  rootfs = "rootfs"
  unit "bare.service" { state = "enabled" }
  unit "good.service" { state = "enabled" }
  unit "port@ib0.service" { state = "enabled" }
  unit "drop.service" { state = "enabled" }
  unit "packaged.service" { state = "enabled" }
}
