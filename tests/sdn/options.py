"""Says how oslo.config reads a rendered ml2_conf.ini, by the driver's own definitions.

    PYTHONPATH=.cache/sdn/ufm .cache/sdn/venv/bin/python options.py FILE

Prints JSON: "values" has every option of [sdn] and the lists of drivers of [ml2],
"unknown" the names in [sdn] that the driver does not define, "faults" values that
have the wrong type, "repeated" the options of all sections that have more than
one line and are not made for it, with all their values. oslo.config tells of
none of the last three by itself, before somebody asks for the value.
"""

import json
import sys

from networking_mlnx.plugins.ml2.drivers.sdn import config as sdn
from neutron.conf.plugins.ml2 import config as ml2
from oslo_config import cfg


def read(file):
    conf = cfg.ConfigOpts()
    conf.register_opts(sdn.sdn_opts, "sdn")
    ml2.register_ml2_plugin_opts(conf)
    conf(["--config-file", file])
    sections = {}
    cfg.ConfigParser(file, sections).parse()
    answer = {"values": {}, "faults": [], "unknown": sorted(set(sections.get("sdn", {})) - {option.dest for option in sdn.sdn_opts}), "repeated": {}}
    names = [("sdn", option.dest) for option in sdn.sdn_opts] + [("ml2", "mechanism_drivers"), ("ml2", "type_drivers")]
    for section, name in names:
        try:
            answer["values"][f"{section}.{name}"] = conf[section][name]
        except (cfg.ConfigFileValueError, ValueError) as fault:
            answer["faults"].append(f"{section}.{name}: {fault}")
    for section, options in sections.items():
        for name, lines in options.items():
            if len(lines) > 1 and (section, name) != ("pci", "device_spec"):
                answer["repeated"][f"{section}.{name}"] = lines
    return answer


if __name__ == "__main__":
    print(json.dumps(read(sys.argv[1])))
