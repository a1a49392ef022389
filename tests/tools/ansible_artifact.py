"""Builds the collection's artefact so that the same tree gives the same bytes.

    ansible_artifact.py DIRECTORY    prints the path of the file

ansible-galaxy writes the time of the build into the archive, and lists files in
the order in which the directory has them. Here all members are dated 1970, or
SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/), and
sorted. FILES.json is in MANIFEST.json by its sum, so that is written anew, too.
"""

import gzip
import hashlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
GALAXY = pathlib.Path(sys.executable).with_name("ansible-galaxy")


def build(directory):
    """Have ansible-galaxy build into the directory and return the archive's name."""
    # A home of its own: ansible-galaxy makes files there.
    environment = os.environ | {"ANSIBLE_HOME": str(directory / "home"), "ANSIBLE_COLLECTIONS_PATH": str(directory)}
    subprocess.run([GALAXY, "collection", "build", "--output-path", str(directory), str(ROOT)],
                   env=environment, check=True, stdout=subprocess.DEVNULL)
    return next(directory.glob("*.tar.gz"))


def sort_manifests(contents):
    """Put FILES.json in order, and its new sum into MANIFEST.json."""
    files = json.loads(contents["FILES.json"])
    files["files"].sort(key=lambda entry: entry["name"])
    contents["FILES.json"] = json.dumps(files, indent=1).encode()
    manifest = json.loads(contents["MANIFEST.json"])
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(contents["FILES.json"]).hexdigest()
    contents["MANIFEST.json"] = json.dumps(manifest, indent=1).encode()


def repack(source, target, epoch):
    """Write the archive anew, in order, with one date and without compression's own."""
    with tarfile.open(source) as archive:
        members = {member.name: member for member in archive.getmembers()}
        contents = {name: archive.extractfile(name).read() for name in members if members[name].isfile()}
    sort_manifests(contents)
    with open(target, "wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=epoch) as zipped, \
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive:
        # Galaxy reads the two manifests first.
        for name in sorted(members, key=lambda name: (name not in ("MANIFEST.json", "FILES.json"), name)):
            member = members[name]
            member.mtime, member.pax_headers = epoch, {}
            member.size = len(contents.get(name, b""))
            archive.addfile(member, io.BytesIO(contents[name]) if member.isfile() else None)


def main():
    output = pathlib.Path(sys.argv[1])
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        built = build(pathlib.Path(scratch))
        repack(built, output / built.name, int(os.environ.get("SOURCE_DATE_EPOCH", "0")))
    print(output / built.name)


if __name__ == "__main__":
    main()
