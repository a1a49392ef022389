image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  env = {
    "A-B" = "x"
    OK = 1
    NIL = null
    LIST = []
  }
}
