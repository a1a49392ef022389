image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  runtime {
    capability "NET_ADMN" { reason = "x" }
    capability "CAP_SYS_ADMIN" { reason = "x" }
    capability "ALL" { reason = "x" }
    capability "NET_RAW" {}
    capability "NET_RAW" { reason = " " }
  }
}
