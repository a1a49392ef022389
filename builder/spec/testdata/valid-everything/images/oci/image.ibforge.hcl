image "archive" {
  description = "Archive"
  from = "oci-archive:base.tar:v1"
  digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
}
