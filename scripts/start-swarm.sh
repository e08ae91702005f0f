#!/bin/sh
# Starts a swarm in the background and shows it. Arguments go to `gtstore up`:
#   scripts/start-swarm.sh -n 8 --replicas 5
set -eu
gtstore="$(dirname "$0")/../bin/gtstore"

"$gtstore" up --detach "$@"
"$gtstore" status
