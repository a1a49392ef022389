#!/bin/sh
# Stand-in for UFM Enterprise: behaves as NVIDIA documents of its installer and
# is no part of that product. The README beside it says what comes from where.
set -e
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common_defines"
. "$here/functions"
. "$here/install_common"

quiet=no
while getopts "qo:" option; do
	case $option in
	q) quiet=yes ;;
	o) [ "$OPTARG" = ib ] || { echo "-o takes: ib" >&2 && exit 1; } ;;
	*) echo "usage: install.sh [-q] [-o ib]" >&2 && exit 1 ;;
	esac
done

[ "$(id -u)" = 0 ] || { echo "install.sh: must be run as root" >&2 && exit 1; }
if [ "$quiet" = no ]; then
	printf 'Install the stand-in for UFM %s to %s [y|n]? ' "$UFM_VERSION" "$UFM_HOME"
	read -r answer
	[ "$answer" = y ] || exit 1
fi

"$here/check_prereq.sh"
"$here/handle_ufmapp_user.sh"
install_files
install_admin
install_certificate
install_apache
echo "The stand-in for UFM $UFM_VERSION is installed. Put a licence into $UFM_HOME/files/licenses, then: systemctl start ufm-enterprise"
