variable "a b" {}
variable "twice" { default = 1 }
variable "twice" { default = 1 }
variable "none" { type = string }
variable "type" {
  type = strng
  default = 1
}
variable "fit" {
  type = list(number)
  default = ["x"]
}
variable "refer" { default = var.fit }
variable "rule" {
  default = 1
  validation { condition = var.rule > 2 }
  validation {
    condition = var.rule > 2
    error_message = "rule must be above two."
  }
  validation {
    condition = var.ruel > 2
    error_message = "no"
  }
  validation {
    condition = "x"
    error_message = "no"
  }
}
