"""Runs Neutron's ML2 plugin with the files of a site, as neutron-server would.

    PYTHONPATH=.cache/sdn/ufm .cache/sdn/venv/bin/python neutron_ml2.py KIND FILE...

Makes a network of that kind (flat or vlan) on physnet_ib, and a port of a bare
metal node on it as Ironic does. Prints one line of JSON: the mechanism drivers
in their order and the port's binding, or the fault. Ends once its standard input
does, so that the driver's thread has the time to send what it has to.
"""

import json
import os
import sys
import traceback

CLIENT_ID = "ff:00:00:00:00:00:02:00:00:02:c9:00:f4:52:14:03:00:28:00:80"


def start(files):
    """Load the configuration and the plugin. Returns the plugin and an administrator's context."""
    from neutron.common import config
    from neutron_lib import context, rpc
    from neutron_lib.plugins import directory
    from oslo_config import cfg

    config.register_common_config_options()
    config.init([argument for file in files for argument in ("--config-file", file)])
    rpc.init(cfg.CONF)
    # Tables, the driver's own among them, without the migrations that lead there.
    from networking_mlnx.db.models import sdn_journal_db, sdn_maintenance_db  # noqa: F401
    from neutron.db.migration.models import head  # noqa: F401
    from neutron_lib.db import api, model_base
    model_base.BASEV2.metadata.create_all(api.get_writer_session().get_bind())

    from neutron import manager, policy
    from neutron.api import extensions
    from neutron_lib.api import attributes
    manager.init()
    policy.init()
    extensions.PluginAwareExtensionManager.get_instance().extend_resources("2.0", attributes.RESOURCES)
    return directory.get_plugin(), context.get_admin_context()


def network(plugin, context, kind):
    from neutron_lib.plugins import utils
    segment = {"provider:network_type": kind, "provider:physical_network": "physnet_ib"}
    if kind == "vlan":
        segment["provider:segmentation_id"] = 0x11
    return utils.create_network(plugin, context, {"network": {"name": "fabric", "tenant_id": "project", "admin_state_up": True, **segment}})


def port(plugin, context, network):
    from neutron_lib.plugins import utils
    owner = {"network_id": network["id"], "tenant_id": "project", "name": "node"}
    utils.create_subnet(plugin, context, {"subnet": {**owner, "ip_version": 4, "cidr": "198.51.100.0/24", "enable_dhcp": False}})
    made = utils.create_port(plugin, context, {"port": {
        **owner, "admin_state_up": True, "device_id": "instance", "device_owner": "compute:nova",
        "binding:host_id": "node", "binding:vnic_type": "baremetal",
        "extra_dhcp_opts": [{"opt_name": "client-id", "opt_value": CLIENT_ID}]}})
    seen = plugin.get_port(context, made["id"])
    return {name: seen[name] for name in ("status", "binding:vif_type")}


def main(kind, *files):
    answer = {}
    try:
        plugin, context = start(files)
        answer["drivers"] = [driver.name for driver in plugin.mechanism_manager.ordered_mech_drivers]
        made = network(plugin, context, kind)
        # With a controller the network alone tells enough, and two threads are
        # more than SQLite takes.
        if os.environ.get("WITHOUT_PORT") is None:
            answer |= port(plugin, context, made)
    except BaseException as fault:  # pylint: disable=broad-exception-caught
        traceback.print_exc()
        answer["fault"] = f"{type(fault).__name__}: {fault}"
    print(json.dumps(answer), flush=True)
    sys.stdin.read()
    # The driver's threads never end.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
