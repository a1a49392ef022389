"""NEO's controller as it is reached inside the container, past the web server."""
from __future__ import print_function

import json
import time

try:
    from http.client import HTTPConnection, HTTPException
except ImportError:  # Python 2
    from httplib import HTTPConnection, HTTPException

# NEO's own neo.conf passes /neo on to this address.
HOST, PORT = "127.0.0.1", 5000
ADMIN = "admin"
PATIENCE = 300  # seconds until it must answer


class Fault(Exception):
    """Something that a person has to put right."""


class Controller(object):
    def __init__(self):
        self._cookie = None

    def ask(self, method, path, value=None):
        """Gives the status, the text and the cookie of an answer."""
        connection = HTTPConnection(HOST, PORT, timeout=30)
        headers = {"Content-Type": "application/json"}
        if self._cookie:
            headers["Cookie"] = self._cookie
        try:
            connection.request(method, path, None if value is None else json.dumps(value), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace"), answer.getheader("Set-Cookie")
        finally:
            connection.close()

    def wait(self):
        """Waits until NEO answers. It may be up before it does."""
        begin, said = time.time(), False
        while True:
            try:
                status, _, _ = self.ask("GET", "/login")
                if status == 200:
                    return
                last = "status %d" % status
            except (EnvironmentError, HTTPException) as e:
                last = str(e)
            waited = time.time() - begin
            if waited > 5 and not said:
                print("waiting for NEO's controller on %s:%d: %s" % (HOST, PORT, last))
                said = True
            if waited > PATIENCE:
                raise Fault("NEO's controller has not answered on %s:%d for %d s, at last: %s. See /opt/neo/files/controller/log. "
                            "The web server stays closed." % (HOST, PORT, PATIENCE, last))
            time.sleep(0.2)

    def log_in(self, password):
        """Tells whether this is admin's password."""
        self._cookie = None
        status, text, cookie = self.ask("POST", "/login", {"username": ADMIN, "password": password})
        # NEO names itself to those whom it lets in (REST API Guide, Login).
        if status != 200 or '"application"' not in text or not cookie:
            return False
        self._cookie = cookie.split(";")[0]
        return True

    def put(self, path, value):
        status, text, _ = self.ask("PUT", path, value)
        if status not in (200, 202, 204):
            raise Fault("NEO answered PUT %s with status %d: %s" % (path, status, text[:500]))
