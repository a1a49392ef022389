"""How settings are read, merged and written, format by format."""

import importlib.util

import pytest

from test_partition_faults import PLUGINS


def load_settings():
    spec = importlib.util.spec_from_file_location("settings", PLUGINS.parent / "plugin_utils" / "settings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


settings = load_settings()


def merged(kind, *texts):
    result = {}
    for text in texts:
        result = settings.merged(result, settings.read(text, kind))
    return settings.write(result, kind, texts[0])


# The wanted texts are what OverrideConfigParser in merge_configs.py of
# Kolla-Ansible 1a681814e writes for the same texts.
KOLLA = {
    "by section and option": (["[a]\nx = 1\ny=2\n[b]\nz: 3\n", "[b]\nz = 4\nw =\n[c]\nx = 5\n"],
                              "[a]\nx = 1\ny = 2\n\n[b]\nz = 4\nw =\n\n[c]\nx = 5\n\n"),
    "repeated stays a list": (["[a]\nx = 1\nx = 2\ny = 0\n"], "[a]\nx = 1\nx = 2\ny = 0\n\n"),
    "a list is replaced": (["[a]\nx = 1\nx = 2\n", "[a]\nx = 3\n"], "[a]\nx = 3\n\n"),
    "a value is replaced by a list": (["[a]\nx = 1\n", "[a]\nx = 2\nx = 3\n"], "[a]\nx = 2\nx = 3\n\n"),
    "a section in two pieces": (["[a]\nx = 1\n[b]\ny = 1\n[a]\nx = 2\n"], "[a]\nx = 1\nx = 2\n\n[b]\ny = 1\n\n"),
    "continued values": (["[a]\nlong = 1\n   2\n", "[a]\nx = b\n\t= c\n"], "[a]\nlong = 1\n       2\nx = b\n    = c\n\n"),
    "comments are dropped": (["[a]\n# c\nx = 1 # kept\n; d\n\ny = 2\n"], "[a]\nx = 1 # kept\ny = 2\n\n"),
    "unicode": (["[Ä]\nö = ü\u2028v\n"], "[Ä]\nö = ü\u2028v\n\n"),
}


@pytest.mark.parametrize("texts,want", KOLLA.values(), ids=KOLLA)
def test_ini_as_kolla(texts, want):
    assert merged("ini", *texts) == want


def test_ini_is_read_again():
    text = "# head\n; more\n[a]\nx = \"quoted\"\nx = b\n    c\n\n"
    assert merged("ini", text) == text


MERGED = {
    "ini windows": ("ini", ["\ufeff[a]\r\nx = 1\r\n", "[a]\r  # no value\ry = 2\r"], "[a]\nx = 1\ny = 2\n\n"),
    "keyvalue order": ("keyvalue", ["# a\n# b\nlmc 0\n# c\nqos FALSE\n", "qos TRUE\nsweep_interval\t 5 # d\n", "lmc 2\n"],
                       "# a\n# b\nlmc 2\nqos TRUE\nsweep_interval 5\n"),
    "keyvalue null": ("keyvalue", ["routing_engine ftree\n", "routing_engine (null)\n"], "routing_engine (null)\n"),
    # clean_val() in osm_subnet.c takes quotes away, and space outside of them.
    "keyvalue quotes": ("keyvalue", ["a \"b c\"\nd ' e '\nf \"\"\ng \"h'\n"], "a b c\nd ' e '\nf \"\"\ng \"h'\n"),
    "json": ("json", ['{"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}}', '{"a": {"c": [3]}, "d": null, "f": "ü"}'],
             '{\n    "a": {\n        "b": 1,\n        "c": [\n            3\n        ]\n    },\n    "d": null,\n    "f": "ü"\n}\n'),
}


@pytest.mark.parametrize("kind,texts,want", MERGED.values(), ids=MERGED)
def test_merged(kind, texts, want):
    assert merged(kind, *texts) == want


# One text with the faults it has; no value is told.
INVALID = {
    "ini-no-section": ("ini", "x = hunter2\n", ["line 1: the option 'x' stands in no section: write [section] above it"]),
    "ini-no-equals": ("ini", "[a]\nhunter2\n", ["line 2: has no '=': write option = value"]),
    "ini-no-option": ("ini", "[a]\n= hunter2\n", ["line 2: has no name of an option"]),
    "ini-bracket": ("ini", "[hunter2\nx = 1\n y\n[a]\nx\n", ["line 1: is not the name of a section", "line 5: has no '='"]),
    "ini-empty-section": ("ini", "[ ]\n", ["line 1: is not the name of a section"]),
    "ini-continues-nothing": ("ini", "[a]\n  hunter2\n", ["line 2: begins with space but continues no option"]),
    "ini-continues-comment": ("ini", "[a]\nx = 1\n# c\n  hunter2\n", ["line 4: begins with space"]),
    "keyvalue-no-value": ("keyvalue", "qos\nlmc # 1\n", ["line 1: the option 'qos' has no value: write one, or (null)", "line 2: the option 'lmc'"]),
    "keyvalue-twice": ("keyvalue", "qos 1\n\nqos hunter2\n", ["line 3: the option 'qos' is set in line 1 too: keep one"]),
    "keyvalue-long": ("keyvalue", "a " + "ü" * 510 + "\n", ["line 1: the option 'a' is longer than the 1022 bytes"]),
    "json-syntax": ("json", '{"a": "hunter2"\n"b"}', ["line 2: is no JSON from column 1 on"]),
    "json-list": ("json", '["hunter2"]', ["is no JSON object"]),
    "json-twice": ("json", '{"a": {"b": 1, "b": "hunter2"}}', ["the name 'b' is set twice in one object"]),
    "json-constant": ("json", '{"a": NaN}', ["NaN is no number that JSON has"]),
    "json-deep": ("json", "[" * 200000, ["is JSON in too many levels"]),
}


@pytest.mark.parametrize("kind,text,want", INVALID.values(), ids=INVALID)
def test_invalid(kind, text, want):
    with pytest.raises(settings.SettingsFault) as caught:
        settings.read(text, kind)
    assert len(caught.value.faults) == len(want), caught.value.faults
    for fault, fragment in zip(caught.value.faults, want):
        assert fault.startswith(fragment) and "hunter2" not in fault


def test_differing():
    one, other = {"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"x": 1, "y": 3}, "c": 4}
    assert settings.differing(one, other) == [("a", "y")]
    assert settings.differing("one", "one") == [] and settings.differing("one", "other") == [()]
