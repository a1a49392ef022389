image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  from = image.a
}
