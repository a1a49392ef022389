image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  env = { PASSWORD = local.derived }
  packages = [parseint(var.password, 10)]
  dynamic "unit" {
    for_each = var.list
    labels = [unit.value]
    content { state = "enabled" }
  }
  runtime { modules = [for m in var.list : m.name] }
}
image "b" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  for_each = toset(var.list)
}
