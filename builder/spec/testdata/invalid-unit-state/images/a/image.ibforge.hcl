image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  unit "a.service" {}
  unit "b.service" { state = "enable" }
  unit "c.service" { state = "masked" }
  unit "d.service" {
    state = "disabled"
    reason = ""
  }
  unit "d.service" { state = "enabled" }
}
