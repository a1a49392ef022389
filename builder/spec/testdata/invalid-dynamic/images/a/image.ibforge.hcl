variable "units" { default = [] }
locals { list = ["a.service"] }
image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  dynamic "unit" {
    for_each = var.untis
    labels = [unit.value]
    content { state = "enabled" }
  }
  dynamic "unit" {
    for_each = local.list
    labels = [unit.value]
    content { state = unit.valeu }
  }
  dynamic "untis" {
    for_each = []
    content {}
  }
  runtime {
    dynamic "port" {
      for_each = ["x"]
      labels = [port.value]
      content { listens = var.nothing }
    }
  }
}
