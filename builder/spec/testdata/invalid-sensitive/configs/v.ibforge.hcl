variable "password" {
  type = string
  sensitive = true
  validation {
    condition = length(regexall("^[a-z]+$", var.password)) > 0
    error_message = "password ${var.password} must be lower case."
  }
}
variable "list" {
  type = list(string)
  sensitive = true
}
variable "count" {
  type = number
  sensitive = true
}
locals { derived = "x-${var.password}" }
