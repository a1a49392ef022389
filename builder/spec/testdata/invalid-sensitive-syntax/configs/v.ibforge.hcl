variable "list" {
  type = list(string)
  sensitive = true
}
