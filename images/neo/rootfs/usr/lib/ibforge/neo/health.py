"""Asks for NEO's login page the way a client gets it: through the web server,
which passes it on to the controller."""
from __future__ import print_function

import json
import ssl
import sys

try:
    from http.client import HTTPException, HTTPSConnection
except ImportError:  # Python 2
    from httplib import HTTPException, HTTPSConnection

PORTS = "/etc/ibforge/ports.json"
PAGE = "/neo/login"


def https_port():
    """A port that is moved by rewriting files is bound at its other number; one
    that is moved below the service is reached at the number it thinks it has."""
    with open(PORTS) as f:
        port = next(p for p in json.load(f)["ports"] if p["name"] == "https")
    return port["host"] if port["via"] == "config" else port["listens"]


def main():
    port = https_port()
    # The certificate is for the name that clients use, which is not 127.0.0.1.
    connection = HTTPSConnection("127.0.0.1", port, timeout=8, context=ssl._create_unverified_context())
    try:
        connection.request("GET", PAGE)
        status = connection.getresponse().status
    except (EnvironmentError, HTTPException) as e:
        return "https://127.0.0.1:%d%s: %s" % (port, PAGE, e)
    if status != 200:
        return "https://127.0.0.1:%d%s: status %d" % (port, PAGE, status)
    print("port %d: %s answers" % (port, PAGE))
    return 0


if __name__ == "__main__":
    sys.exit(main())
