variable "suite" {
  type = string
  default = "bookworm"
  validation {
    condition = contains(["bookworm", "trixie"], var.suite)
    error_message = "suite must be \"bookworm\" or \"trixie\"."
  }
}
variable "ports" {
  type = list(number)
  default = []
}
variable "retries" {
  type = number
  default = 3
}
variable "level" {
  type = number
  default = 3
}
