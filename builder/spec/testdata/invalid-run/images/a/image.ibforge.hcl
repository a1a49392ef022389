image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  run "a" {}
  run "b" { command = "make install" }
  run "c" { command = [] }
  run "d" { command = ["", "x"] }
  run "d" {
    command = ["true"]
    network = "bridge"
    env = { "1A" = "x" }
  }
  run "Step One" { command = null }
  run "e" { command = { a = 1 } }
}
