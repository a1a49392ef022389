locals {
  a = local.b
  b = "${local.c}x"
  c = [local.a]
  d = local.d
  e = local
  f = local.zz
  g = upper(local.f)
}
locals {
  g = 1
}
image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  packages = local.c
}
