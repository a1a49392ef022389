image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  labels = {
    "io.ibforge.runtime" = "{}"
    "org.opencontainers.image.created" = "now"
    "a b" = "x"
    "org.example.team" = "fabric"
  }
}
