"""What the controller remembers over a restart: one JSON file, written whole."""
import hashlib
import json
import os
import tempfile
import threading
import time

PATH = "/opt/neo/files/controller/conf/state.json"
KEPT_JOBS = 1000


def _sum(salt, password):
    return hashlib.sha256((salt + password).encode("utf-8")).hexdigest()


class State(object):
    def __init__(self, path=PATH, job_seconds=0.2):
        self.path, self.job_seconds = path, job_seconds
        self.lock = threading.RLock()
        if os.path.exists(path):
            with open(path) as f:
                self.data = json.load(f)
            return
        self.data = {"users": {}, "networks": {}, "ports": {}, "jobs": {}, "last_job": 0, "syslog": {
            "web_info_log": {"active": False, "severity": "WARNING"},
            "event_log": {"active": False, "severity": "ERROR"},
            "controller_log": {"active": False, "severity": "ERROR"},
            "destination": [], "mode": False,
        }}
        # The documented credentials of a fresh NEO.
        self.set_user("admin", "123456", "administrator")

    def save(self):
        with self.lock:
            fd, name = tempfile.mkstemp(dir=os.path.dirname(self.path))
            with os.fdopen(fd, "w") as f:
                json.dump(self.data, f, indent=1, sort_keys=True)
                f.flush()
                os.fsync(f.fileno())
            os.rename(name, self.path)

    def set_user(self, name, password=None, role=None):
        with self.lock:
            user = self.data["users"].setdefault(name, {"role": "user"})
            if password is not None:
                user["salt"] = hashlib.sha256(os.urandom(16)).hexdigest()[:16]
                user["sum"] = _sum(user["salt"], password)
            if role is not None:
                user["role"] = role
            self.save()

    def knows(self, name, password):
        user = self.data["users"].get(name)
        return user is not None and user["sum"] == _sum(user["salt"], password)

    def add_job(self, operation, description, objects, user):
        """Gives the ID of a new job, which is on disk when this returns."""
        with self.lock:
            self.data["last_job"] += 1
            number = str(self.data["last_job"])
            self.data["jobs"][number] = {
                "ID": number, "Operation": operation, "Description": description, "Summary": "",
                "RelatedObjects": objects, "CreatedBy": user, "Foreground": True, "created": time.time(),
            }
            self.data["jobs"].pop(str(self.data["last_job"] - KEPT_JOBS), None)
            self.save()
            return number

    def job(self, number):
        """Gives a job as it is shown, or None."""
        kept = self.data["jobs"].get(number)
        if kept is None:
            return None
        shown = dict(kept)
        created = shown.pop("created")
        done = time.time() - created >= self.job_seconds
        stamp = "%Y-%m-%d %H:%M:%S"
        shown.update({
            "Status": "Completed" if done else "Running", "Progress": 100 if done else 0,
            "Created": time.strftime(stamp, time.localtime(created)),
            "LastUpdated": time.strftime(stamp, time.localtime(created + (self.job_seconds if done else 0))),
        })
        return shown
