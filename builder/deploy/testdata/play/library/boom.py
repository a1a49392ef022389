#!/usr/bin/python
"""A module that ends with a Python exception, which no module should."""


def main():
    print("before the end")
    raise ValueError("the device vanished")


if __name__ == "__main__":
    main()
