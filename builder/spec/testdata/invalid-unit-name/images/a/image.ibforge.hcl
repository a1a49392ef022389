image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  unit "opensm" { state = "enabled" }
  unit "opensm.servce" { state = "enabled" }
  unit "a b.service" { state = "enabled" }
  unit "a@b@c.service" { state = "enabled" }
  unit "open/sm.service" { state = "enabled" }
  unit ".service" { state = "enabled" }
}
