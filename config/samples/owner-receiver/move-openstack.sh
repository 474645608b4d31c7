#!/bin/sh
# Moves an address in OpenStack (Neutron) by a static route of the router ROUTER: ADDRESS NODE NODE_ADDRESS PROVIDER_ID
# The nodes' ports have to let the address through (allowed address pairs). Needs the program `openstack` and its rights to
# do what is below.
set -eu
: "${ROUTER:?is not set}"
case $1 in
  *:*) prefix=$1/128 ;;
  *) prefix=$1/32 ;;
esac
has=
for gateway in $(openstack router show "$ROUTER" -f json -c routes | tr -d '\n' | tr '{' '\n' |
  grep -F "\"$prefix\"" | sed -n 's/.*"nexthop": *"\([^"]*\)".*/\1/p'); do
  if [ "$gateway" = "$3" ]; then has=yes; else
    openstack router remove route --route "destination=$prefix,gateway=$gateway" "$ROUTER"
  fi
done
[ -n "$has" ] || openstack router add route --route "destination=$prefix,gateway=$3" "$ROUTER"
