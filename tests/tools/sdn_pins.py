"""Makes the .txt files of tests/tools/sdn anew, with the hashes of the wheels for this system.

Run it after a change of a version, and read the difference before it is
committed. pip-compile would resolve dependencies, of which most are left out
here on purpose.
"""

import html
import pathlib
import re
import subprocess
import sys
import urllib.request

HERE = pathlib.Path(__file__).parent / "sdn"
# Pythons and machines that setup.sh knows of. Wheels of no machine have "any".
TAGS = re.compile(r"-(py2\.py3|py3|cp3\d\d?)-\S*(any|manylinux\S*_(x86_64|aarch64))\.whl$")
OLDER = re.compile(r"-cp3([6-9]|10)-cp3")


def index():
    """The package index that pip uses, whichever that is."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "get", "global.index-url"], text=True, capture_output=True, check=False)
    if done.returncode == 0:
        return done.stdout.strip()
    from pip._internal.models.index import PyPI  # noqa: PLC0415
    return PyPI.simple_url


def hashes(base, name, version):
    with urllib.request.urlopen(f"{base.rstrip('/')}/{re.sub(r'[-_.]+', '-', name).lower()}/", timeout=60) as reply:
        page = html.unescape(reply.read().decode())
    stem = re.compile(re.escape(re.sub(r"[-_.]+", "_", name).lower()) + "-" + re.escape(version) + "-")
    found = {}
    for file, digest in re.findall(r'([^/"]+\.whl)#sha256=([0-9a-f]{64})', page):
        same = stem.match(re.sub(r"[-_.]+", "_", file.split("-")[0]).lower() + "-" + file.split("-", 1)[1])
        if same and TAGS.search(file) and not OLDER.search(file):
            found[file] = digest
    if not found:
        sys.exit(f"{name} {version} has no wheel for this system")
    return [found[file] for file in sorted(found)]


def main():
    base = index()
    for source in sorted(HERE.glob("*.in")):
        lines = ["# Made by tests/tools/sdn_pins.py."]
        for line in source.read_text().splitlines():
            if "==" not in line or line.startswith("#"):
                continue
            name, version = line.strip().split("==")
            lines += [f"{name}=={version} \\"] + [f"    --hash=sha256:{d} \\" for d in hashes(base, name, version)]
            lines[-1] = lines[-1].removesuffix(" \\")
        source.with_suffix(".txt").write_text("\n".join(lines) + "\n")
        print(source.with_suffix(".txt").name)


if __name__ == "__main__":
    main()
