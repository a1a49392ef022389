"""A controller that writes down what it is asked, over TLS with a certificate of the operator's CA."""

import http.server
import json
import pathlib
import ssl
import subprocess
import threading
import time


def certificate(directory, name, ca=None):
    """The file of a certificate and its key: of a CA, or signed by that CA for localhost."""
    configuration, key, file = (pathlib.Path(directory) / f"{name}.{end}" for end in ("cnf", "key", "pem"))
    configuration.write_text("[req]\ndistinguished_name = name\n[name]\n")
    kind = ["-addext", "subjectAltName=DNS:localhost", "-CA", ca, "-CAkey", ca] if ca else ["-addext", "basicConstraints=critical,CA:TRUE"]
    subprocess.run(
        ["openssl", "req", "-x509", "-config", configuration, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "1", "-subj", f"/CN={name}", *kind, "-keyout", key, "-out", file], check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file


class Recorder(http.server.ThreadingHTTPServer):
    """Keeps (method, path, headers, body) of each request, and the number of connections, refused ones too."""

    def __init__(self, file):
        self.requests, self.connections = [], 0
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def verify_request(self, request, client_address):
        self.connections += 1
        return True

    def handle_error(self, request, client_address):
        """A client that does not know our CA hangs up."""

    def wait(self, method, path):
        """The first such request."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            for request in list(self.requests):
                if request[:2] == (method, path):
                    return request
            time.sleep(0.05)
        raise AssertionError(f"no {method} {path}; there were {self.requests}")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append((self.command, self.path, self.headers, body))
        reply = json.dumps({"Status": "Completed"} if self.command == "GET" else "app/jobs/1").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        """Is not of interest."""
