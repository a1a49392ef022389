image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  for_each = ["a", "b"]
}
image "b" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  for_each = null
}
image "c" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  for_each = var.nothing
}
image "d" {
  description = each.kye
  from = image.c-x
  for_each = {}
}
image "e" {
  description = each.kye
  from = image.c-x
  for_each = toset(["x"])
}
