image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    stop {
      signal = "TERM"
      timeout = "500ms"
    }
  }
}
