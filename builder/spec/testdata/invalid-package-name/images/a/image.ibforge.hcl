image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  packages = ["opensm", "OpenSM", "x", "perl-", "opensm=3.3", 7, null, "g++"]
}
