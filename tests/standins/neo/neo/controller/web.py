"""The controller's HTTP side, which the web server passes /neo on to."""
import json
import os
import socket
import threading

import cloudx
import logs
import settings
from cloudx import Fault

try:
    from http.server import BaseHTTPRequestHandler
    from urllib.parse import parse_qs, quote, unquote
except ImportError:  # Python 2
    from BaseHTTPServer import BaseHTTPRequestHandler
    from urllib import quote, unquote
    from urlparse import parse_qs

PAGE = u"<!DOCTYPE html>\n<title>NEO (stand-in)</title>\n<p>%s</p>\n"
LOGIN = PAGE % u'<form method="post">User <input name="username"> Password <input name="password" type="password"> <button>Log in</button></form>'


class Sessions(object):
    """Who is logged in, by cookie; forgotten with the process."""

    def __init__(self):
        self.lock, self.users = threading.Lock(), {}

    def new(self, user=None):
        token = "".join("%02x" % b for b in bytearray(os.urandom(16)))
        with self.lock:
            self.users[token] = user
        return token

    def user(self, header):
        for part in (header or "").split(";"):
            name, _, token = part.strip().partition("=")
            if name == "session":
                return self.users.get(token)
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # state, sessions and version are attributes of the server.

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", content_type="application/json", headers=()):
        if not isinstance(body, bytes):
            body = body.encode("utf-8")
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def outside(self, path):
        """Gives the URL by which the client sees path."""
        prefix = self.headers.get("X-Script-Name", "").rstrip("/")
        host = self.headers.get("Host", "127.0.0.1")
        return "%s://%s%s%s" % (self.headers.get("X-Scheme", "http"), host, prefix, path)

    def body(self):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            return dict((k, v[0]) for k, v in parse_qs(data.decode("utf-8")).items())
        if not data:
            return {}
        try:
            return json.loads(data.decode("utf-8"))
        except ValueError:
            raise Fault(400, "the body is no JSON")

    def route(self):
        method, (url, _, query) = self.command, self.path.partition("?")
        # Two slashes are one: the driver's URL may end with one.
        path = [unquote(p) for p in url.split("/") if p]
        body = self.body()
        user = self.server.sessions.user(self.headers.get("Cookie"))
        if path == ["login"]:
            return self.login(method, body)
        if user is None:
            if method != "GET" or path:
                raise Fault(401, "log in first")
            seen = self.headers.get("X-Script-Name", "").rstrip("/") + "/"
            cookie = ("Set-Cookie", "session=%s; HttpOnly; Path=/" % self.server.sessions.new())
            return self.answer(302, headers=[("Location", self.outside("/login?next=" + quote(seen, safe=""))), cookie])
        if not path:
            return self.answer(200, PAGE % u"A stand-in for tests.", "text/html")
        if len(path) in (2, 3) and path[1] in ("Network", "Port"):
            return self.cloudx(method, path, body, user)
        return self.api(method, path, query, body)

    def login(self, method, body):
        if method == "GET":
            cookie = ("Set-Cookie", "session=%s; HttpOnly; Path=/" % self.server.sessions.new())
            return self.answer(200, LOGIN, "text/html", [cookie])
        if method != "POST":
            raise Fault(405, "POST the user name and the password")
        name = body.get("username", u"")
        if not self.server.state.knows(name, body.get("password", u"")):
            logs.get("event_log").warning("login of %s refused", name)
            raise Fault(401, "wrong user name or password")
        cookie = ("Set-Cookie", "session=%s; HttpOnly; Path=/" % self.server.sessions.new(name))
        self.answer(200, json.dumps({
            "application": {"version": self.server.version, "name": "Mellanox NEO"}, "next": "/neo",
            "server": {"ip": self.headers.get("Host", "").split(":")[0], "name": socket.gethostname()},
        }), headers=[cookie])

    def cloudx(self, method, path, body, user):
        if method not in ("POST", "PUT", "DELETE"):
            raise Fault(405, "%s is not for CloudX" % method)
        kind = path[1]
        logs.get("web_info_log").warning("%s %s %s", method, self.path, json.dumps(body, sort_keys=True))
        job = cloudx.change(self.server.state, method, kind, path[2] if len(path) == 3 else None, body, user)
        headers = [("Location", self.outside("/app/jobs/" + job))]
        if kind == "Port" and method == "POST":
            # The one answer that is HTML.
            return self.answer(202, PAGE % (u'<a href="/app/jobs/%s">' % job), "text/html", headers)
        self.answer(202, json.dumps("app/jobs/" + job), headers=headers)

    def jobs(self, numbers, query):
        state = self.server.state
        wanted = numbers.split(",") if numbers else sorted(state.data["jobs"], key=int)
        found = [j for j in (state.job(n) for n in wanted) if j]
        objects = parse_qs(query).get("object_ids")
        if objects:
            found = [j for j in found if set(j["RelatedObjects"]) & set(objects[0].split(","))]
        if "parent_id" in parse_qs(query) and parse_qs(query)["parent_id"] != ["null"]:
            found = []  # no job has parts
        return found[0] if numbers and len(wanted) == 1 and found else found

    def api(self, method, path, query, body):
        state = self.server.state
        if path[:2] == ["app", "users"] and len(path) <= 3:
            status, value = settings.users(state, method, path[2] if len(path) == 3 else None, body)
        elif path == ["app", "settings", "syslog"]:
            status, value = settings.syslog(state, method, body, logs.apply)
        elif method != "GET":
            raise Fault(501, "the stand-in does not imitate this")
        elif path[:2] == ["app", "jobs"] and len(path) <= 3:
            status, value = 200, self.jobs(path[2] if len(path) == 3 else None, query)
        elif path == ["app", "version"]:
            major, minor, patch = self.server.version.split(".")
            status, value = 200, {"disply_string": self.server.version, "major": int(major), "minor": int(minor), "patch": int(patch), "update": 0}
        elif len(path) == 2 and path[0] == "resources":
            status, value = 200, []
        else:
            raise Fault(404, "there is nothing at this address")
        self.answer(status, b"" if status == 204 else json.dumps(value))

    def handle_request(self):
        try:
            self.route()
        except Fault as e:
            self.answer(e.status, json.dumps({"error": e.text}))

    do_GET = do_POST = do_PUT = do_DELETE = handle_request
