#!/usr/bin/env python3
"""Stand-in for UFM: writes its part of Apache's configuration anew.

ufmd runs it at every start, so that whatever somebody changed in the file that
it writes is lost. It leaves ports.conf and the distribution's sites alone.
"""
import configparser
import os
import secrets

GV_CFG = "/opt/ufm/files/conf/gv.cfg"
WEBCLIENT = "/opt/ufm/files/conf/webclient"
USERS = WEBCLIENT + "/users"
PASSPHRASE = WEBCLIENT + "/session.key"

CONTENT = """# Written by ufm_conf_creator.py at every start of ufmd.
RedirectMatch ^/ufm/?$ /ufm_web/
Alias /ufm_web /opt/ufm/media
<Directory /opt/ufm/media>
    Require all granted
</Directory>

# Whoever is let in is told to the internal server by a header.
<LocationMatch "^/(ufmRest|ufmRestV2)/">
    RequestHeader set X-Remote-User "expr=%{{REMOTE_USER}}"
    RequestHeader unset X-Forwarded-Server
</LocationMatch>

# retry belongs to the server, which all three share.
<Location /ufmRest/>
    AuthType Basic
    AuthName "UFM stand-in"
    AuthBasicProvider file
    AuthUserFile {users}
    Require valid-user
    ProxyPass http://127.0.0.1:{rest_port}/ retry=1
</Location>

<LocationMatch "^/(dologin$|ufmRestV2/)">
    AuthType form
    AuthName "UFM stand-in"
    AuthFormProvider file
    AuthUserFile {users}
    Session On
    SessionCookieName session path=/;httponly
    SessionCryptoPassphraseFile {passphrase}
</LocationMatch>
<Location /dologin>
    SetHandler form-login-handler
    AuthFormLoginSuccessLocation /ufm_web/
</Location>
<Location /ufmRestV2/>
    Require valid-user
    ProxyPass http://127.0.0.1:{rest_port}/
</Location>

# The internal server itself looks at the token.
<Location /ufmRestV3/>
    RequestHeader unset X-Remote-User
    ProxyPass http://127.0.0.1:{rest_port}/
</Location>
"""

# With certificates of clients, the file has a virtual host, and the port in it.
CLIENT_CERTIFICATES = """
<VirtualHost _default_:443>
    SSLEngine on
    SSLCertificateFile {webclient}/server.crt
    SSLCertificateKeyFile {webclient}/server.key
    SSLCACertificateFile {webclient}/ca-intermediate.crt
    SSLVerifyClient require
</VirtualHost>
"""


def write(path, text, mode):
    """Replace the file at once: Apache may read it at any time."""
    with open(path + ".new", "w", opener=lambda p, flags: os.open(p, flags, mode)) as f:
        f.write(text)
    os.replace(path + ".new", path)


def get_apache_conf_path():
    """Debian and its kin know conf-enabled, EL knows conf.d."""
    if os.path.isdir("/etc/apache2"):
        return "/etc/apache2/conf-enabled/ufm.conf"
    return "/etc/httpd/conf.d/ufm.conf"


def main():
    """Write the passphrase of sessions once, and the configuration."""
    config = configparser.ConfigParser(interpolation=None, strict=False)
    config.read(GV_CFG)
    if not os.path.exists(PASSPHRASE):
        write(PASSPHRASE, secrets.token_hex(32) + "\n", 0o600)
    text = CONTENT
    if config.getboolean("Server", "client_cert_authentication", fallback=False):
        text += CLIENT_CERTIFICATES
    write(get_apache_conf_path(), text.format(
        users=USERS, passphrase=PASSPHRASE, webclient=WEBCLIENT,
        rest_port=config.getint("Server", "rest_port", fallback=8000)), 0o644)


if __name__ == "__main__":
    main()
