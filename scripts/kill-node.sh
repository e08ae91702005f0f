#!/bin/sh
# Kills a node the hard way (SIGKILL): no goodbye, no donation. Its data is on the other owners, and
# the supervisor starts it again unless the swarm runs with --restart never.
#   scripts/kill-node.sh n3
set -eu
gtstore="$(dirname "$0")/../bin/gtstore"

node="${1:?usage: kill-node.sh NODE, for instance n3}"
# Of a node that is down there is no process: its old pid may be somebody else's by now.
pid="$("$gtstore" status | awk -v node="$node" '$1 == node && $4 != "down" && $3 > 1 { print $3 }')"
if [ -z "$pid" ]; then
  echo "kill-node.sh: no node $node is running: see 'gtstore status'" >&2
  exit 1
fi
kill -KILL "$pid"
echo "killed $node (pid $pid)"
