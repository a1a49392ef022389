#!/bin/sh
# Stands in for ssh(1) where Ansible calls it (ansible_ssh_executable): it passes
# over options and the name of the host, and runs the command in the lab host
# whose directory this file is in.
set -eu
while [ $# -gt 0 ]; do
	case $1 in
	-[BbcDEeFIiJLlmOoPpQRSWw]) # options with a value: ssh(1), SYNOPSIS
		shift 2
		;;
	-*) shift ;;
	*) break ;;
	esac
done
# "ssh -o ControlPersist" asks what ssh can do, "ssh -O stop HOST" ends a
# connection.
if [ $# -lt 2 ]; then exit 0; fi
shift
exec "${0%/*}/enter" sh -c "$*"
