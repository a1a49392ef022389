variable "suite" { default = "bookworm" }
locals { list = [] }
image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  packages = [var.suit, local.lits, each.key, suite, foo.bar, uper("x"), "x${var["suit"]}"]
  descripton = "x"
  unti "a.service" {}
}

imge "x" {}
