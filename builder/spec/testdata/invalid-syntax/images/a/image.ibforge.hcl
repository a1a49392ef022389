image "a" {
  description = [
}
