#!/bin/sh
# Kills a node the hard way (SIGKILL): no goodbye, no donation. Its data is on the other owners, and
# the supervisor starts it again unless the swarm runs with --restart never.
#   scripts/kill-node.sh n3
set -eu
gtstore="$(dirname "$0")/../bin/gtstore"

node="${1:?usage: kill-node.sh NODE, for instance n3}"
pid="$("$gtstore" status | awk -v node="$node" '$1 == node { print $3 }')"
if [ -z "$pid" ]; then
  echo "kill-node.sh: there is no node $node: see 'gtstore status'" >&2
  exit 1
fi
kill -KILL "$pid"
echo "killed $node (pid $pid)"
