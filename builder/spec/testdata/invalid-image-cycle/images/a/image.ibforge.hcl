image "c" {
  description = "x"
  from = image.a
}
image "a" {
  description = "x"
  from = image.b
}
image "b" {
  description = "x"
  from = image.c
}
image "tail" {
  description = "x"
  from = image.a
}
image "self" {
  description = "x"
  from = image.self
}
