image "x" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  for_each = { A = 1, b = 2 }
}
image "y" {
  description = "x"
  from = image.x
}
image "z" {
  description = "x"
  from = "image.x"
}
