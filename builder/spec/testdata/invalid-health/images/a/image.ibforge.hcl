image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    health {
      command = "true"
      interval = "0s"
      timeout = "1.5s"
      start_period = "25h"
      retries = 0
    }
  }
}
