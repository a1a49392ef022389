"""Stand-in for UFM: its databases, the users' file, and partitions.conf."""
import os
import re
import secrets
import sqlite3
import subprocess
import threading
import time

FILES = "/opt/ufm/files"
USERS = FILES + "/conf/webclient/users"
# What UFM has of its own; sync_partitions_conf.sh merges the operator's part.
PARTITIONS = FILES + "/conf/opensm/partitions.conf.ufm"
SYNC = ("sudo", "-n", "/opt/ufm/scripts/sync_partitions_conf.sh")
MANAGEMENT = 0x7FFF
TOKEN_LIFE = 315360000

SCHEMA = """
CREATE TABLE IF NOT EXISTS pkey (pkey INTEGER PRIMARY KEY, name TEXT, ip_over_ib INTEGER);
CREATE TABLE IF NOT EXISTS guid (pkey INTEGER, guid TEXT, membership TEXT, index0 INTEGER, PRIMARY KEY (pkey, guid));
"""
TOKENS = "CREATE TABLE IF NOT EXISTS token (token TEXT PRIMARY KEY, username TEXT, issued INTEGER)"


class Refused(Exception):
    """A request that is wrong; its text tells why."""


def pkey_of(text):
    """Read a PKey: hexadecimal, and between 0x0 and 0x7fff exclusively."""
    if not isinstance(text, str) or not re.fullmatch(r"0[xX][0-9a-fA-F]{1,4}", text):
        raise Refused("pkey %r is no hexadecimal number" % (text,))
    number = int(text, 16)
    if not 0 < number < MANAGEMENT:
        raise Refused("pkey %s is not between 0x0 and 0x7fff" % text)
    return number


def guid_of(text):
    """Read a GUID: 16 to 20 hexadecimal digits; the last 16 are it."""
    if not isinstance(text, str) or not re.fullmatch(r"(0[xX])?[0-9a-fA-F]{16,20}", text):
        raise Refused("%r is no GUID" % (text,))
    return text[-16:].lower()


class Store:
    """All state. Every change is on disk before the request is answered."""

    def __init__(self, default_membership):
        if default_membership not in ("full", "limited"):
            raise SystemExit("gv.cfg: default_membership %r is neither full nor limited" % default_membership)
        self.default_membership = default_membership
        self.lock = threading.RLock()
        self.gv = sqlite3.connect(FILES + "/sqlite/gv.db", check_same_thread=False)
        self.gv.executescript(SCHEMA)
        self.auth = sqlite3.connect(FILES + "/sqlite/token_based_auth.db", check_same_thread=False)
        self.auth.execute(TOKENS)

    def add_token(self, user):
        token, now = secrets.token_urlsafe(24), int(time.time())
        with self.lock, self.auth:
            self.auth.execute("INSERT INTO token VALUES (?, ?, ?)", (token, user, now))
        return {"access_token": token, "revoked": False, "issued_at": now, "expires_in": TOKEN_LIFE, "username": user}

    def tokens(self, user):
        with self.lock:
            rows = self.auth.execute("SELECT token, issued FROM token WHERE username = ?", (user,)).fetchall()
        return [{"access_token": token, "revoked": False, "issued_at": issued, "expires_in": TOKEN_LIFE, "username": user}
                for token, issued in rows]

    def user_of(self, token):
        with self.lock:
            row = self.auth.execute("SELECT username FROM token WHERE token = ?", (token,)).fetchone()
        return row[0] if row else None

    def set_password(self, user, password):
        """Replace the user's line in the file that Apache authenticates by."""
        if not isinstance(password, str) or not re.fullmatch(r"\w{4,30}", password, re.ASCII):
            raise Refused("a password has 4 to 30 letters, digits and _")
        hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password + "\n",
                                capture_output=True, text=True, check=True).stdout.strip()
        with self.lock:
            with open(USERS, encoding="ascii") as f:
                lines = dict(line.rstrip("\n").split(":", 1) for line in f)
            if user not in lines:
                raise Refused("no user %s" % user)
            lines[user] = hashed
            # In place: the directory is root's, and the group is Apache's.
            with open(USERS, "r+", encoding="ascii") as f:
                f.write("".join("%s:%s\n" % item for item in lines.items()))
                f.truncate()

    def one(self, text):
        return self.pkeys(True).get("0x%x" % int(text, 16), {})

    def pkeys(self, with_guids):
        with self.lock:
            known = self.gv.execute("SELECT pkey, name, ip_over_ib FROM pkey ORDER BY pkey").fetchall()
            guids = self.gv.execute("SELECT pkey, guid, membership, index0 FROM guid ORDER BY guid").fetchall()
        out = {}
        for pkey, name, ipoib in known + [(MANAGEMENT, "management", 1)]:
            one = out["0x%x" % pkey] = {"partition": name, "ip_over_ib": bool(ipoib)}
            if with_guids:
                one["guids"] = [{"guid": guid, "membership": membership, "index0": bool(index0)}
                                for key, guid, membership, index0 in guids if key == pkey]
        return out

    def create(self, body):
        """Make an empty partition."""
        pkey = pkey_of(body.get("pkey"))
        name = body.get("partition_name") or "api_pkey_0x%x" % pkey
        if not re.fullmatch(r"[A-Za-z]\w*", str(name), re.ASCII):
            raise Refused("partition_name %r: a letter, then letters, digits and _" % (name,))
        with self.lock:
            with self.gv:
                self.gv.execute("INSERT OR IGNORE INTO pkey VALUES (?, ?, ?)", (pkey, name, bool(body.get("ip_over_ib", True))))
            self.apply()

    def add_guids(self, body, replace):
        pkey = pkey_of(body.get("pkey"))
        guids = [guid_of(g) for g in self.listed(body.get("guids"))]
        if "membership" in body and "memberships" in body:
            raise Refused("give membership or memberships, not both")
        memberships = body.get("memberships") or [body.get("membership", "full")] * len(guids)
        if len(memberships) != len(guids) or not set(memberships) <= {"full", "limited"}:
            raise Refused("memberships are full or limited, one for each GUID")
        index0 = bool(body.get("index0", False))
        with self.lock:
            with self.gv:
                self.gv.execute("INSERT OR IGNORE INTO pkey VALUES (?, ?, ?)",
                                (pkey, "api_pkey_0x%x" % pkey, bool(body.get("ip_over_ib", True))))
                if replace:
                    self.gv.execute("DELETE FROM guid WHERE pkey = ?", (pkey,))
                self.gv.executemany("INSERT OR REPLACE INTO guid VALUES (?, ?, ?, ?)",
                                    [(pkey, g, m, index0) for g, m in zip(guids, memberships)])
            self.apply()

    def remove_guids(self, text, guids):
        """Remove members; a partition whose last one goes, goes too."""
        pkey, guids = pkey_of(text), [guid_of(g) for g in self.listed(guids)]
        with self.lock:
            with self.gv:
                self.gv.executemany("DELETE FROM guid WHERE pkey = ? AND guid = ?", [(pkey, g) for g in guids])
                self.gv.execute("DELETE FROM pkey WHERE pkey = ? AND NOT EXISTS (SELECT 1 FROM guid WHERE guid.pkey = pkey.pkey)", (pkey,))
            self.apply()

    def delete(self, text):
        pkey = pkey_of(text)
        with self.lock:
            with self.gv:
                self.gv.execute("DELETE FROM guid WHERE pkey = ?", (pkey,))
                self.gv.execute("DELETE FROM pkey WHERE pkey = ?", (pkey,))
            self.apply()

    @staticmethod
    def listed(value):
        if not isinstance(value, list):
            raise Refused("guids must be a list")
        return value

    def apply(self):
        self.write_partitions()
        subprocess.run(SYNC, check=True)

    def write_partitions(self):
        """Write UFM's own partitions in the grammar of opensm(8)."""
        lines = ["management=0x7fff,ipoib,defmember=%s:ALL=%s,SELF=full;" % ((self.default_membership,) * 2)]
        for pkey, data in self.pkeys(True).items():
            if int(pkey, 16) == MANAGEMENT or not data["guids"]:
                continue
            flags = (",ipoib" if data["ip_over_ib"] else "") + (",indx0" if any(g["index0"] for g in data["guids"]) else "")
            members = ",".join("0x%s=%s" % (g["guid"], g["membership"]) for g in data["guids"])
            lines.append("%s=%s%s:%s;" % (data["partition"], pkey, flags, members))
        with open(PARTITIONS + ".new", "w", encoding="ascii") as f:
            f.write("# Written by UFM; the operator's own are in partitions.conf.user_ext.\n" + "\n".join(lines) + "\n")
        os.replace(PARTITIONS + ".new", PARTITIONS)
