variable "suite" {
  type        = string
  description = "Debian release"
  default     = "bookworm"
}

variable "services" {
  type = list(object({
    name   = string
    port   = number
    udp    = optional(bool, false)
  }))
}

variable "level" {
  type    = number
  default = 1
}

variable "token" {
  type      = string
  sensitive = true
  validation {
    condition     = strlen(var.token) > 3
    error_message = "token is too short."
  }
}

variable "anything" { default = { a = [1, null] } }

locals {
  greeting = "${local.who}, ${upper(var.suite)}"
  who      = trimspace(file("../images/svc/who.txt"))
  devices  = { for s in ["umad0", "issm0"] : "/dev/infiniband/${s}" => "rw" }
}
