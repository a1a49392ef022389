"""NEO's three logs, and the syslog servers that they go to beside."""
import logging
import logging.handlers
import os
import socket

DIRECTORY = "/opt/neo/files/controller/log"
# The names that the syslog settings use, and the files.
FILES = {"web_info_log": "web-info.log", "event_log": "events.log", "controller_log": "controller.log"}


def start():
    for name, file_name in FILES.items():
        log = logging.getLogger(name)
        log.setLevel(logging.INFO)
        log.propagate = False
        handler = logging.handlers.RotatingFileHandler(os.path.join(DIRECTORY, file_name), maxBytes=1 << 24, backupCount=2)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)


def _target(destination):
    """Gives SysLogHandler's arguments; the local syslog without destination."""
    if destination is None:
        return {"address": "/dev/log"}
    kind = socket.SOCK_STREAM if destination.get("protocol") == "tcp" else socket.SOCK_DGRAM
    return {"address": (destination["ip"], int(destination.get("port", 514))), "socktype": kind}


def apply(settings):
    """Puts the syslog settings into effect."""
    for name in FILES:
        log = logging.getLogger(name)
        for handler in list(log.handlers):
            if isinstance(handler, logging.handlers.SysLogHandler):
                log.removeHandler(handler)
                handler.close()
        if not settings[name]["active"]:
            continue
        for destination in settings["destination"] or [None]:
            try:
                handler = logging.handlers.SysLogHandler(**_target(destination))
            except (OSError, IOError) as e:
                logging.getLogger("controller_log").error("syslog %s: %s", destination, e)
                continue
            levels = [settings[name]["severity"], (destination or {}).get("severity", "DEBUG")]
            handler.setLevel(max(logging.getLevelName(level) for level in levels))
            handler.setFormatter(logging.Formatter("neo " + name + ": %(message)s"))
            log.addHandler(handler)


def get(name):
    return logging.getLogger(name)
