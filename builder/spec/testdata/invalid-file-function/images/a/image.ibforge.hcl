image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  env = {
    A = file("../../../etc/passwd")
    B = file("/etc/passwd")
    C = file("missing.txt")
    D = file("binary")
    E = filesha256("rootfs")
    F = fileexists("../../..")
    G = file("link")
  }
}
