#!/usr/bin/env bash
# A job on two Ray nodes of this machine: what a cluster does, before you have one. In the
# environment in which the package is installed:
#
#   infra/local/two_nodes.sh python -m jobs.score --catalog survey.parquet --model model --output predictions
#
# Its exit code is the job's. Ray stops with it; other Rays of this machine go on.
#
# Ray listens on every address of a machine (it replaces --node-ip-address=127.0.0.1). So all of this runs in a
# network of its own, made by `unshare`, in which there is nothing but loopback: neither
# can anybody reach it nor does it reach anything else, such as an object store.
#
# Change, by variables: CPUS_PER_NODE; TWO_NODES_NETWORK=host to use this machine's network,
# for stores, or where `unshare` is not allowed. Its other hosts can then knock at Ray's
# ports, and stand before the token.
set -euo pipefail

CPUS_PER_NODE=${CPUS_PER_NODE:-2}
START_TIMEOUT_S=${START_TIMEOUT_S:-120}
HEAD_PORT=${HEAD_PORT:-6390} # not 6379, where another Ray may be
address=127.0.0.1:$HEAD_PORT

if [ "$#" -eq 0 ]; then
    echo "usage: $0 python -m jobs.NAME FLAGS" >&2
    exit 2
fi

case ${TWO_NODES_NETWORK:-own} in
own)
    export TWO_NODES_NETWORK=made
    exec unshare --user --map-root-user --net -- "$0" "$@"
    ;;
made) # with an address that Ray can take for this host's
    ip link set lo up
    ip address add 10.0.0.1/32 dev lo
    ip route add default dev lo
    ;;
host) ;;
*)
    echo "TWO_NODES_NETWORK=$TWO_NODES_NETWORK: choose own or host" >&2
    exit 2
    ;;
esac

folder=$(mktemp -d /tmp/ray-XXXXXX) # short: the paths of sockets may not be long
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH="$folder/token"
(
    umask 077
    python -c 'import secrets; print(secrets.token_hex(32), end="")' >"$RAY_AUTH_TOKEN_PATH"
)

# Not `ray stop`, which would stop every Ray of this machine.
nodes=()
# shellcheck disable=SC2329 # the trap below calls it
stop_nodes() {
    trap '' INT TERM
    [ "${#nodes[@]}" -eq 0 ] || kill "${nodes[@]}" 2>/dev/null || true
    wait
    rm -rf "$folder"
}
trap stop_nodes EXIT
trap 'exit 130' INT TERM

# start_node NAME FLAG…: start a node, and wait until it stands.
start_node() {
    local log="$folder/$1.log"
    : >"$log"
    ray start --block --disable-usage-stats --num-cpus="$CPUS_PER_NODE" "${@:2}" \
        >"$log" 2>&1 &
    nodes+=("$!")
    local deadline=$((SECONDS + START_TIMEOUT_S))
    until grep -q "Ray runtime started" "$log"; do
        if ! kill -0 "$!" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            cat "$log" >&2
            echo "the Ray node '$1' did not start" >&2
            exit 1
        fi
        sleep 0.2
    done
}

start_node head --head --port="$HEAD_PORT" \
    --dashboard-host=127.0.0.1 --dashboard-port=$((HEAD_PORT + 1)) \
    --ray-client-server-port=$((HEAD_PORT + 2)) \
    --dashboard-agent-listen-port=$((HEAD_PORT + 3)) --temp-dir="$folder"
start_node worker --address="$address" --dashboard-agent-listen-port=$((HEAD_PORT + 4))

code=0
RAY_ADDRESS=$address RAY_API_SERVER_ADDRESS=http://127.0.0.1:$((HEAD_PORT + 1)) "$@" ||
    code=$?
exit "$code"
