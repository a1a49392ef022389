image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    health { command = ["true"] }
    health { command = ["true"] }
  }
}
