#!/bin/sh
# Moves an address by a route of the machine that this runs on, a Linux router: ADDRESS NODE NODE_ADDRESS PROVIDER_ID
set -eu
case $1 in
  *:*) ip -6 route replace "$1/128" via "$3" ;;
  *) ip -4 route replace "$1/32" via "$3" ;;
esac
