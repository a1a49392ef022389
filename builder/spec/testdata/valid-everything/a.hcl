level = 2
suite = "bookworm"
