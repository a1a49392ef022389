image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    stop {
      signal = "SIGKILL"
      timeout = 30
    }
  }
}
