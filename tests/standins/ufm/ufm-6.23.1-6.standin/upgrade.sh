#!/bin/sh
# Stand-in for UFM: the installer has a script of this name; this one does nothing.
echo "upgrade.sh: the stand-in does not imitate this" >&2
exit 1
