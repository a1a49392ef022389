"""Configures NEO while nobody outside can reach it, then opens the web server.

Whatever goes wrong leaves it closed. What is in order already is left alone, so
that a restart changes nothing.
"""
from __future__ import print_function

import json
import os
import sys

import config
from controller import ADMIN, Controller, Fault

WEB_OPEN = "/run/ibforge/neo-web-open"
CHANGED_SINCE = ("<4>%s has not the password of %s, whose password is not the vendor's either: somebody changed it in NEO. "
                 "Write the one that is in use to the file; until then the syslog settings in %s are not looked at.")
VENDORS_LEFT = ("%s still has the vendor's default password, which everybody knows. Write another one, 4 to 20 characters "
                "without white space, to %s on the host (mode 0600), and start the container again. The web server stays closed.")


def log_in(neo, password):
    """Tells whether admin is logged in, whose password is not the vendor's
    afterwards."""
    if password is not None and neo.log_in(password):
        return True
    if not neo.log_in(config.VENDORS_PASSWORD):
        if password is not None:
            # sd-daemon(3): <4> is a warning.
            print(CHANGED_SINCE % (config.PASSWORD, ADMIN, config.DIRECTORY), file=sys.stderr)
        return False
    if password is None:
        raise Fault(VENDORS_LEFT % (ADMIN, config.PASSWORD))
    neo.put("/app/users/" + ADMIN, {"password": password, "old_password": config.VENDORS_PASSWORD})
    if neo.log_in(config.VENDORS_PASSWORD) or not neo.log_in(password):
        raise Fault("NEO said that it took the password of %s, and did not. The web server stays closed." % config.PASSWORD)
    print("%s has the password of %s now" % (ADMIN, config.PASSWORD))
    return True


def set_syslog(neo, wanted):
    path = "/app/settings/syslog"
    status, text, _ = neo.ask("GET", path)
    if status != 200:
        raise Fault("NEO answered GET %s with status %d: %s" % (path, status, text[:500]))
    have = json.loads(text)
    if all(have.get(key) == value for key, value in wanted.items()):
        return
    neo.put(path, wanted)
    print("NEO has the syslog settings of %s now" % config.SYSLOG)


def open_web():
    directory = os.path.dirname(WEB_OPEN)
    if not os.path.isdir(directory):
        os.mkdir(directory, 0o755)
    open(WEB_OPEN, "w").close()


def main():
    given = config.Config()
    neo = Controller()
    neo.wait()
    if log_in(neo, given.password) and given.syslog is not None:
        set_syslog(neo, given.syslog)
    open_web()


if __name__ == "__main__":
    try:
        main()
    except Fault as e:
        sys.exit(str(e))
