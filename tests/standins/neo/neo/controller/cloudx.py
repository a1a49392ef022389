"""The CloudX interface: what Neutron's driver tells of networks and ports.

It remembers networks, their PKeys, and the GUIDs of ports. No fabric is behind
it: a job says Completed and nothing was changed.
"""
PREFIX = "ff:00:00:00:00:00:02:00:00:02:c9:00:"


class Fault(Exception):
    """A request that is refused with an HTTP status."""

    def __init__(self, status, text):
        Exception.__init__(self, text)
        self.status, self.text = status, text


def guid(port):
    """Gives the GUID in the port's client-id; None if it has none."""
    for option in port.get("extra_dhcp_opts") or []:
        value = option.get("opt_value") or ""
        if option.get("opt_name") == "client-id" and value.startswith(PREFIX):
            return value[len(PREFIX):].replace(":", "")
    return None


def change(state, method, kind, number, body, user):
    """Takes a change, and gives the ID of its job."""
    if not isinstance(body, dict):
        raise Fault(400, "the body is no JSON object")
    key = number or body.get("id")
    if not key:
        raise Fault(400, "the %s has no id" % kind)
    kept = state.data["networks" if kind == "Network" else "ports"]
    with state.lock:
        if method == "DELETE":
            if key not in kept:
                raise Fault(404, "no %s %s" % (kind, key))
            del kept[key]
        elif kind == "Network":
            segment = body.get("provider:segmentation_id")
            if not isinstance(segment, int):
                raise Fault(400, "provider:segmentation_id is no integer")
            kept[key] = {"pkey": segment, "name": body.get("name")}
        else:
            # A port of an unknown network is taken: the network may come later,
            # or be gone already.
            kept[key] = {"network": body.get("network_id"), "guid": guid(body)}
        return state.add_job("Virtualization", "%s %s %s" % (method, kind, key), [key], user)
