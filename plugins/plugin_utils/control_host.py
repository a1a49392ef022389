# Copyright the ibforge authors
# SPDX-License-Identifier: Apache-2.0
"""Files of the control host, which may be encrypted with Ansible Vault."""

from __future__ import annotations

import os
import tempfile

from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, is_encrypted, match_encrypt_secret


class FileFault(Exception):
    """Why a file cannot be read: what follows its path in a sentence. Never holds what is in it."""


def _secrets(loader):
    # There is no public way to the vaults' passwords, and this one is the same
    # in ansible-core 2.15 to 2.21.
    return loader._vault.secrets or []  # pylint: disable=protected-access


def read(loader, path):
    """Return the bytes in a file, decrypted. Raises FileFault."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise FileFault("is not on the control host") from None
    except OSError as exc:
        raise FileFault(f"cannot be read on the control host ({exc.strerror})") from None
    if not is_encrypted(data):
        return bytes(data)
    try:
        return bytes(VaultLib(_secrets(loader)).decrypt(data))
    except AnsibleError:
        fault = "is encrypted and cannot be decrypted: pass the password of its vault, such as with --vault-password-file"
    raise FileFault(fault)


def write_once(loader, path, data):
    """Write bytes to a file that only its owner can read, unless there is one already.

    They are encrypted where a vault's password was passed, with the one that
    ansible-vault would take (vault_encrypt_identity, or else the first).
    """
    secrets = _secrets(loader)
    if secrets:
        identity, secret = match_encrypt_secret(secrets, encrypt_vault_id=constants.DEFAULT_VAULT_ENCRYPT_IDENTITY)
        data = VaultLib(secrets).encrypt(data, secret=secret, vault_id=identity)
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    # Hosts are worked on in parallel, and may share the file.
    handle, unfinished = tempfile.mkstemp(dir=directory, prefix=".ibforge-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(unfinished, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(unfinished)
