image "a" {
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
  packages = ["opensm", "perl"]
  omit_packages = {
    perl = ""
    "Perl" = "no"
    opensm = "x"
  }
}
