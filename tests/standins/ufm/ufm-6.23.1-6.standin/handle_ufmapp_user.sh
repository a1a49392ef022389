#!/bin/sh
# Stand-in for UFM: the user that UFM's main processes run as.
set -e
getent group ufmapp >/dev/null || groupadd --system ufmapp
getent passwd ufmapp >/dev/null ||
	useradd --system --gid ufmapp --home-dir /opt/ufm --no-create-home --shell /bin/bash ufmapp
