"""Judges the operator's configuration and places the web server's certificate."""
import sys

import certificate
import config


def main():
    given = config.Config()
    if given.faults:
        sys.exit("\n".join(given.faults))
    certificate.install(given.certificate)


if __name__ == "__main__":
    main()
