#!/bin/sh
# Installs NEO's stand-in. As of the product's installer, what is known is its
# name, that it lies in neo/ of the archive, what it needs, and what it leaves.
set -eu
cd "$(dirname "$0")"

faults=0
fault() {
	echo "neo-installer: $*" >&2
	faults=1
}

# gates checks what has to be there, and reports everything that is not.
gates() {
	[ "$(id -u)" = 0 ] || fault "must be run as root"
	[ ! -e /opt/neo ] || fault "NEO is installed already in /opt/neo"
	[ -x /bin/python ] || fault "/bin/python is missing"
	if command -v rpm >/dev/null && [ -d /etc/yum.repos.d ]; then
		family=el
		for package in gcc initscripts python-devel which httpd mod_ssl; do
			rpm -q --quiet "$package" || fault "package $package is missing"
		done
	else
		family=debian
		for program in which apache2ctl a2enmod; do
			command -v "$program" >/dev/null || fault "$program is missing"
		done
	fi
	[ "$faults" = 0 ] || exit 1
}

put() { # source destination [mode]
	install -D -m "${3:-0644}" "$1" "$2"
}

common() {
	mkdir -p /opt/neo/files/common/conf /opt/neo/tools/src /opt/neo/providers/common/bin
	for file in $(cd common && find netservices -name '*.py'); do
		put "common/$file" "/opt/neo/common/bin/$file"
	done
	put neoservice /opt/neo/neoservice 0755
}

controller() {
	for file in controller/*.py; do
		put "$file" "/opt/neo/controller/bin/$file"
	done
	put version /opt/neo/controller/version
	put conf/index.html /opt/neo/controller/docs/index.html
	put conf/controller.cfg /opt/neo/files/controller/conf/controller.cfg
	mkdir -p /opt/neo/files/controller/log
	ln -s /opt/neo/files/controller/log /opt/neo/controller/log
}

provider() { # name directory program port
	put provider/provider_service.py "/opt/neo/providers/$2/bin/$2/$3.py"
	mkdir -p "/opt/neo/files/providers/$2/conf" "/opt/neo/files/providers/$2/log"
	{
		printf '[NetService]\nname = %s\nbind_address = 127.0.0.1\nport = %s\n' "$1" "$4"
		printf '\n[Controller]\naddress = 127.0.0.1:7654\n'
		if [ "$2" = dm ]; then
			printf '\n[Traps]\nbind_address = 0.0.0.0\ntrap_port = 162\ntrap_udp_port = 162\n'
		fi
	} >"/opt/neo/files/providers/$2/conf/netservice.cfg"
}

# services installs what the list names, and leaves the list that neoservice
# reads: name, PYTHONPATH, program, log, arguments of the ports validator.
services() {
	mkdir -p /opt/neo/common/conf
	grep -v '^#' services | while read -r name _ directory program port more; do
		path=/opt/neo/common/bin
		if [ "$directory" = controller ]; then
			controller
			echo "$name /opt/neo/controller/bin:$path /opt/neo/controller/bin/controller/$program.pyo" \
				"/opt/neo/files/controller/log/service.log" \
				"-f /opt/neo/files/controller/conf/controller.cfg --exclude-patterns Protocol::[\\w]+"
			continue
		fi
		provider "$name" "$directory" "$program" "$port"
		[ "$more" = - ] || path=$path:$more
		echo "$name /opt/neo/providers/$directory/bin:$path:/opt/neo/providers/common/bin" \
			"/opt/neo/providers/$directory/bin/$directory/$program.pyo" \
			"/opt/neo/files/providers/$directory/log/service.log" \
			"-f /opt/neo/files/providers/$directory/conf/netservice.cfg"
	done >/opt/neo/common/conf/services
}

# compile makes the .pyo files. Python 2 notes the time of the source in them.
compile() {
	find /opt/neo -name '*.py' -exec touch -d "@${SOURCE_DATE_EPOCH:-0}" {} +
	find /opt/neo -name '*.py' -exec /bin/python -O -c '
import py_compile, sys
for source in sys.argv[1:]:
    py_compile.compile(source, cfile=source + "o", doraise=True)
' {} +
}

web() {
	case $family in
	el) put conf/neo.conf /etc/httpd/conf.d/neo.conf ;;
	debian)
		put conf/neo.conf /etc/apache2/conf-available/neo.conf
		a2enmod -q ssl headers proxy proxy_http proxy_balancer
		a2ensite -q default-ssl
		a2enconf -q neo
		;;
	esac
}

gates
common
services
compile
web
echo "NEO $(cat version) (stand-in) is installed in /opt/neo"
