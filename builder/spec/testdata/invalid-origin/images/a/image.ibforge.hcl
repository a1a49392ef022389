image "none" {
  description = "x"
}
image "both" {
  description = "x"
  from = image.none
  bootstrap "debian" { suite = "bookworm" }
}
image "digest" {
  description = "x"
  digest = "sha256:00"
  bootstrap "debian" { suite = "bookworm" }
}
image "own" {
  description = "x"
  from = image.none
  digest = "sha256:00"
}
