"""Users and the syslog settings."""
from cloudx import Fault

LOGS = ("web_info_log", "event_log", "controller_log")
SEVERITIES = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def check_password(password):
    # 4 to 20 characters, no space.
    if not isinstance(password, type(u"")) or not 4 <= len(password) <= 20 or u" " in password:
        raise Fault(400, "a password has 4 to 20 characters and no space")


def users(state, method, name, body):
    """Answers /app/users[/NAME]: (status, JSON value)."""
    have = state.data["users"]
    if method == "POST" and not name:
        check_password(body.get("password"))
        state.set_user(body["username"], body["password"], body.get("role", "user"))
        return 200, ""
    if name and name not in have:
        raise Fault(404, "no user %s" % name)
    if method == "GET":
        return 200, [{"username": n, "role": u["role"]} for n, u in sorted(have.items()) if name in (None, n)]
    if method == "PUT" and name:
        if "password" in body:
            check_password(body["password"])
            if not state.knows(name, body.get("old_password") or u""):
                raise Fault(400, "old_password is wrong")
        state.set_user(name, body.get("password"), body.get("role"))
        return 200, ""
    if method == "DELETE" and name:
        if name == "admin":
            raise Fault(400, "admin stays")
        with state.lock:
            del have[name]
            state.save()
        return 204, None
    raise Fault(405, "%s is not for users" % method)


def check_syslog(body):
    for name in LOGS:
        log = body.get(name)
        if not isinstance(log, dict) or not isinstance(log.get("active"), bool) or log.get("severity") not in SEVERITIES:
            raise Fault(400, "%s needs active and severity" % name)
    destinations = body.get("destination")
    if not isinstance(destinations, list) or len(destinations) > 5:
        raise Fault(400, "destination is a list of at most 5")
    for d in destinations:
        if not isinstance(d, dict) or not d.get("ip") or d.get("protocol", "udp") not in ("udp", "tcp"):
            raise Fault(400, "a destination has an ip, and the protocol udp or tcp")


def syslog(state, method, body, apply):
    """Answers /app/settings/syslog."""
    if method == "GET":
        return 200, state.data["syslog"]
    if method != "PUT":
        raise Fault(405, "%s is not for settings" % method)
    check_syslog(body)
    with state.lock:
        state.data["syslog"] = body
        state.save()
    apply(body)
    return 200, ""
