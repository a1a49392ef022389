image "unpinned" {
  description = "x"
  from = "docker://docker.io/library/debian:bookworm"
}
image "short" {
  description = "x"
  from = "docker://debian@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}
image "tagged" {
  description = "x"
  from = "docker://docker.io/library/debian:bookworm@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}
image "cut" {
  description = "x"
  from = "docker://docker.io/library/debian@sha256:abc"
}
image "apart" {
  description = "x"
  from = "docker://docker.io/library/debian"
  digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
}
image "slashes" {
  description = "x"
  from = "docker:docker.io/library/debian@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}
image "upper" {
  description = "x"
  from = "docker://docker.io/Library/debian@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}
image "archive" {
  description = "x"
  from = "oci-archive:base.tar"
}
image "wrong" {
  description = "x"
  from = "oci:base"
  digest = "md5:1"
}
image "nothing" {
  description = "x"
  from = "oci:"
  digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
}
image "transport" {
  description = "x"
  from = "dcoker://docker.io/library/debian@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}
image "plain" {
  description = "x"
  from = "debian"
}
image "number" {
  description = "x"
  from = ["x"]
}
