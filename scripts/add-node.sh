#!/bin/sh
# Adds nodes, one after another: one, or as many as the first argument says.
#   scripts/add-node.sh 3
set -eu
gtstore="$(dirname "$0")/../bin/gtstore"

count="${1:-1}"
while [ "$count" -gt 0 ]; do
  "$gtstore" node add
  count=$((count - 1))
done
