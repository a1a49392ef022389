#!/bin/sh
# Stand-in for UFM: takes the installation away again.
set -e
[ "$(id -u)" = 0 ] || { echo "uninstall.sh: must be run as root" >&2 && exit 1; }
/etc/init.d/ufmd stop || true
rm -rf /opt/ufm /etc/init.d/ufmd /etc/sudoers.d/ufmapp /usr/bin/ufmlicense /usr/lib/systemd/system/ufm-enterprise.service
rm -f /etc/apache2/conf-enabled/ufm.conf /etc/httpd/conf.d/ufm.conf
