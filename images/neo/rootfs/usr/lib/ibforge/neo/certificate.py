"""Puts certificate and key where the stock web server looks for them."""
import os
import shutil
import socket
import subprocess
import tempfile

# Directory of the web server, its certificate, its key: EL, Debian.
STOCK = (
    ("/etc/httpd", "/etc/pki/tls/certs/localhost.crt", "/etc/pki/tls/private/localhost.key"),
    ("/etc/apache2", "/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/ssl/private/ssl-cert-snakeoil.key"),
)
# One that was made here stays with NEO's files, for those who trust it.
OWN = ("/opt/neo/files/common/conf/ibforge-web.crt", "/opt/neo/files/common/conf/ibforge-web.key")
DAYS = "825"  # the longest that browsers accept


def install(given):
    """Takes the operator's (certificate, key). Without them the site gets one of
    its own at the first start: a key in the image would be everybody's."""
    crt, key = next((crt, key) for directory, crt, key in STOCK if os.path.isdir(directory))
    if not given:
        if not all(os.path.exists(path) for path in OWN):
            _make()
        given = OWN
    _copy(given[0], crt, 0o644)
    _copy(given[1], key, 0o600)


def _make():
    scratch = tempfile.mkdtemp(dir="/run")
    try:
        subprocess.check_output([
            "openssl", "req", "-x509", "-nodes", "-newkey", "rsa:3072", "-sha256", "-days", DAYS, "-subj", "/CN=" + socket.gethostname()[:64],
            "-keyout", scratch + "/key", "-out", scratch + "/crt"], stderr=subprocess.STDOUT)
        _copy(scratch + "/key", OWN[1], 0o600)
        _copy(scratch + "/crt", OWN[0], 0o644)
    finally:
        shutil.rmtree(scratch)
    print("%s: made, signed by itself; for another, give tls.crt and tls.key" % OWN[0])


def _copy(source, path, mode):
    """Writes by rename, with the mode from the first moment."""
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    with open(source, "rb") as f:
        data = f.read()
    fd, new = tempfile.mkstemp(dir=os.path.dirname(path))
    with os.fdopen(fd, "wb") as f:
        os.fchmod(f.fileno(), mode)
        f.write(data)
    os.rename(new, path)
