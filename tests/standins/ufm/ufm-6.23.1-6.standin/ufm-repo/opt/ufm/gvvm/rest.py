"""Stand-in for UFM: the internal REST server, which Apache puts in front of users.

It believes the header X-Remote-User, as documented of UFM; of the others it
wants a token.
"""
import http.server
import json
import logging
import re
import urllib.parse

from store import Refused

VERSION = "/opt/ufm/version/release"


class Server(http.server.ThreadingHTTPServer):
    """Serves on an address with the partitions and users of a store."""

    daemon_threads = True

    def __init__(self, address, store):
        super().__init__(address, Handler)
        self.store = store


class Handler(http.server.BaseHTTPRequestHandler):
    """One request. A route takes the match of its path, the query and the body."""

    protocol_version = "HTTP/1.1"
    server_version = "UFM-stand-in"
    sys_version = ""

    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def do_PUT(self):
        self.answer("PUT")

    def do_DELETE(self):
        self.answer("DELETE")

    def answer(self, method):
        """Route, and send what came of it as JSON."""
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        url = urllib.parse.urlsplit(self.path)
        # A client that is given a URL with a trailing slash doubles slashes.
        path = "/" + "/".join(part for part in url.path.split("/") if part)
        self.user = self.headers.get("X-Remote-User") or self.server.store.user_of(self.token())
        try:
            status, body = self.route(method, path, urllib.parse.parse_qs(url.query), raw)
        except Refused as e:
            status, body = 400, {"error": str(e)}
        text = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def token(self):
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        return token if kind == "Basic" else ""

    def route(self, method, path, query, raw):
        if not self.user:
            return 401, {"error": "Unauthorized"}
        known = False
        for verb, pattern, function in ROUTES:
            match = re.fullmatch(pattern, path)
            if match:
                known = True
                if verb == method:
                    return function(self, match, query, self.body(raw))
        return (405, {"error": "Method Not Allowed"}) if known else (404, {"error": "Not Found"})

    def body(self, raw):
        try:
            body = json.loads(raw) if raw.strip() else {}
        except ValueError as e:
            raise Refused("no JSON: %s" % e) from e
        if not isinstance(body, dict):
            raise Refused("the body must be a JSON object")
        return body

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        logging.info("%s %s", getattr(self, "user", None), format % args)

    def version(self, _match, _query, _body):
        with open(VERSION, encoding="ascii") as f:
            return 200, {"ufm_release_version": f.read().strip(), "opensm": "distribution", "sharp": "", "plugins": {}}

    def list_tokens(self, _match, _query, _body):
        return 200, self.server.store.tokens(self.user)

    def add_token(self, _match, _query, _body):
        return 200, self.server.store.add_token(self.user)

    def change_user(self, match, _query, body):
        self.server.store.set_password(match[1], body.get("password"))
        return 200, {"name": match[1]}

    def list_pkeys(self, _match, query, _body):
        return 200, self.server.store.pkeys(query.get("guids_data") == ["true"])

    def one_pkey(self, match, _query, _body):
        return 200, self.server.store.one(match[1])

    def new_pkey(self, _match, _query, body):
        self.server.store.create(body)
        return 200, None

    def add_guids(self, _match, _query, body):
        self.server.store.add_guids(body, replace=False)
        return 200, None

    def set_guids(self, _match, _query, body):
        self.server.store.add_guids(body, replace=True)
        return 200, None

    def remove_guids(self, _match, _query, body):
        self.server.store.remove_guids(body.get("pkey"), body.get("guids"))
        return 200, None

    def delete_guids(self, match, _query, _body):
        self.server.store.remove_guids(match[1], match[2].split(","))
        return 200, None

    def delete_pkey(self, match, _query, _body):
        self.server.store.delete(match[1])
        return 200, None


PKEYS = "/resources/pkeys"
ROUTES = (
    ("GET", "/app/ufm_version", Handler.version),
    ("GET", "/app/tokens", Handler.list_tokens),
    ("POST", "/app/tokens", Handler.add_token),
    ("PUT", r"/app/users/(\w+)", Handler.change_user),
    ("GET", PKEYS, Handler.list_pkeys),
    ("POST", PKEYS, Handler.add_guids),
    ("PUT", PKEYS, Handler.set_guids),
    ("POST", PKEYS + "/add", Handler.new_pkey),
    ("GET", PKEYS + "/(0[xX][0-9a-fA-F]+)", Handler.one_pkey),
    ("DELETE", PKEYS + "/(0[xX][0-9a-fA-F]+)", Handler.delete_pkey),
    ("DELETE", PKEYS + "/(0[xX][0-9a-fA-F]+)/guids/([0-9a-fA-FxX,]+)", Handler.delete_guids),
    ("POST", "/actions/remove_guids_from_pkey", Handler.remove_guids),
)
