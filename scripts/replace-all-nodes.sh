#!/bin/sh
# Replaces every node of the swarm by a new one, one after another, while clients go on.
set -eu
gtstore="$(dirname "$0")/../bin/gtstore"

for node in $("$gtstore" status | awk '$1 ~ /^n[0-9]+$/ { print $1 }'); do
  "$gtstore" node replace "$node"
done
"$gtstore" status
