"""Reads what the operator gave in /etc/ibforge/neo, and finds all its faults.

Valid for Python 2.7 and 3, like all files beside it.
"""
import json
import os
import stat

DIRECTORY = "/etc/ibforge/neo"
PASSWORD = DIRECTORY + "/admin_password"
SYSLOG = DIRECTORY + "/syslog.json"
CERTIFICATE = DIRECTORY + "/tls.crt"
KEY = DIRECTORY + "/tls.key"

# The documented credentials of a fresh NEO (NEO REST API Guide, Login).
VENDORS_PASSWORD = u"123456"

LOGS = (u"web_info_log", u"event_log", u"controller_log")
SEVERITIES = (u"DEBUG", u"INFO", u"WARNING", u"ERROR", u"CRITICAL")
TEXT = type(u"")


class Config(object):
    """What was given; None for what was not. All texts are Unicode."""

    def __init__(self):
        self.faults = []
        self.password = self._password()
        self.syslog = self._syslog()
        self.certificate = self._certificate()
        if self.syslog is not None and self.password is None:
            self.faults.append("%s needs %s beside it: NEO takes settings from its administrator only" % (SYSLOG, PASSWORD))

    def _secret(self, path):
        """Reads a file that nobody but its owner may read."""
        if not os.path.exists(path):
            return None
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if mode & 0o077:
            self.faults.append("%s has the mode %04o, by which others than its owner can read it: chmod 0600 it" % (path, mode))
        with open(path, "rb") as f:
            return f.read()

    def _password(self):
        data = self._secret(PASSWORD)
        if data is None:
            return None
        password = data.decode("utf-8", "replace").rstrip(u"\r\n")
        if password == VENDORS_PASSWORD:
            self.faults.append("%s holds the vendor's default password, which everybody knows: choose another" % PASSWORD)
        # NEO User Manual, GUI Fields Validations. The value is not shown: it
        # may be a password but for one character.
        if not 4 <= len(password) <= 20 or len((u"x" + password).split()) != 1 or password != password.rstrip():
            self.faults.append("%s must hold one line of 4 to 20 characters without white space; it has %d characters" % (PASSWORD, len(password)))
        return password

    def _syslog(self):
        if not os.path.exists(SYSLOG):
            return None
        with open(SYSLOG, "rb") as f:
            data = f.read()
        try:
            settings = json.loads(data.decode("utf-8"))
        except ValueError as e:
            self.faults.append("%s is no JSON: %s" % (SYSLOG, e))
            return None
        self.faults.extend("%s: %s" % (SYSLOG, text) for text in syslog_faults(settings))
        return settings

    def _certificate(self):
        have = [os.path.exists(path) for path in (CERTIFICATE, KEY)]
        if not any(have):
            return None
        if not all(have):
            self.faults.append("%s and %s belong together, and one of them is missing: give both or none" % (CERTIFICATE, KEY))
            return None
        self._secret(KEY)
        return CERTIFICATE, KEY


def _severity(value):
    return isinstance(value, TEXT) and value in SEVERITIES


def syslog_faults(settings):
    """Holds the settings against what NEO documents (REST API Guide, Syslog)."""
    if not isinstance(settings, dict):
        return ["it must be a JSON object"]
    faults = []
    for name in sorted(set(settings) - set(LOGS) - set([u"destination", u"mode"])):
        faults.append('unknown key "%s"; known are %s, destination and mode' % (name, ", ".join(LOGS)))
    if not isinstance(settings.get("mode"), bool):
        faults.append('"mode" must be true or false')
    for name in LOGS:
        log = settings.get(name)
        if not isinstance(log, dict) or not isinstance(log.get("active"), bool) or not _severity(log.get("severity")):
            faults.append('"%s" must be {"active": true or false, "severity": one of %s}' % (name, ", ".join(SEVERITIES)))
    destinations = settings.get("destination")
    if not isinstance(destinations, list) or len(destinations) > 5:
        return faults + ['"destination" must be a list of at most 5 syslog servers; an empty one stands for the container\'s own syslog']
    for i, destination in enumerate(destinations):
        if not _destination(destination):
            faults.append('destination %d must be {"ip": an address, "port": "1" to "65535", "protocol": "udp" or "tcp", "severity": one of %s}'
                          % (i + 1, ", ".join(SEVERITIES)))
    return faults


def _destination(d):
    if not isinstance(d, dict) or set(d) != set(["ip", "port", "protocol", "severity"]):
        return False
    port = d["port"] if isinstance(d["port"], TEXT) else u""
    return (isinstance(d["ip"], TEXT) and d["ip"] != u"" and port.isdigit() and 1 <= int(port) <= 65535
            and d["protocol"] in (u"udp", u"tcp") and _severity(d["severity"]))
