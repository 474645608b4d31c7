#!/bin/sh
# Moves an address in AWS: ADDRESS NODE NODE_ADDRESS PROVIDER_ID
# With ROUTE_TABLE set: a route to the node's instance, for an address that is in no subnet of the VPC (the instances need
# their source/destination check off). Without it: as a secondary address of the instance's first interface, for an
# address of the subnet. Needs the program `aws` and its rights to do what is below.
set -eu
address=$1
instance=${4##*/} # aws:///eu-west-1a/i-0123456789abcdef0
if [ -n "${ROUTE_TABLE:-}" ]; then
  case $address in
    *:*) destination="--destination-ipv6-cidr-block $address/128" ;;
    *) destination="--destination-cidr-block $address/32" ;;
  esac
  # shellcheck disable=SC2086
  aws ec2 replace-route --route-table-id "$ROUTE_TABLE" $destination --instance-id "$instance" ||
    aws ec2 create-route --route-table-id "$ROUTE_TABLE" $destination --instance-id "$instance"
  exit
fi
interface=$(aws ec2 describe-instances --instance-ids "$instance" \
  --query 'Reservations[0].Instances[0].NetworkInterfaces[?Attachment.DeviceIndex==`0`].NetworkInterfaceId' --output text)
case $address in
  *:*) # Of IPv6 no interface takes an address that another one has.
    holder=$(aws ec2 describe-network-interfaces --filters "Name=ipv6-addresses.ipv6-address,Values=$address" \
      --query 'NetworkInterfaces[0].NetworkInterfaceId' --output text)
    [ "$holder" = "$interface" ] && exit 0
    [ "$holder" = None ] || aws ec2 unassign-ipv6-addresses --network-interface-id "$holder" --ipv6-addresses "$address"
    aws ec2 assign-ipv6-addresses --network-interface-id "$interface" --ipv6-addresses "$address"
    ;;
  *)
    aws ec2 assign-private-ip-addresses --network-interface-id "$interface" \
      --private-ip-addresses "$address" --allow-reassignment
    ;;
esac
