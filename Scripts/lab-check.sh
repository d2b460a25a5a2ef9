#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks `homa lab`: what it makes does what docs/lab.md says, and goes away without a trace. Needs root, iproute2 and
# nftables; under a minute. Exit status 0 when every check passed, 1 when one failed, 2 when it could not run.
#
# Usage: Scripts/lab-check.sh [path of the homa executable]
set -uo pipefail

homa=${1:-$(dirname "$0")/../.build/release/homa}
[ -x "$homa" ] || { echo "lab-check: no executable at $homa; run 'swift build -c release' first" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "lab-check: needs root to make network namespaces" >&2; exit 2; }
command -v ip >/dev/null && command -v tc >/dev/null && command -v nft >/dev/null ||
    { echo "lab-check: needs ip, tc and nft" >&2; exit 2; }

lab=check$$
logs=$(mktemp -d)
failures=0
children=()

cleanup() {
    for pid in "${children[@]+"${children[@]}"}"; do kill "$pid" 2>/dev/null; done
    wait 2>/dev/null
    "$homa" lab down --name "$lab" --force >/dev/null 2>&1
    ip netns del "homa-$lab-h2" 2>/dev/null
    rm -rf "$logs"
}
trap cleanup EXIT
trap 'exit 2' INT TERM

# check NAME COMMAND…: runs a command and reports.
check() {
    local name=$1
    shift
    if "$@" >"$logs/check.out" 2>"$logs/check.err"; then
        echo "ok    $name"
    else
        echo "FAIL  $name (exit $?)"
        sed 's/^/      /' "$logs/check.out" "$logs/check.err"
        failures=$((failures + 1))
    fi
}

# status EXPECTED COMMAND…: true when the command ends with that status.
status() {
    local expected=$1 actual=0
    shift
    "$@" || actual=$?
    [ "$actual" -eq "$expected" ] || { echo "exit status $actual instead of $expected"; return 1; }
}

# background HOST ARGUMENTS…: starts homa in a host until `stop`.
background() {
    local host=homa-$lab-$1
    shift
    ip netns exec "$host" "$homa" "$@" >/dev/null 2>&1 &
    children+=($!)
}

stop() {
    for pid in "${children[@]}"; do kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; done
    children=()
}

in_host() { ip netns exec "homa-$lab-$1" "${@:2}"; }
ping_homa() { in_host h4 timeout 20 "$homa" ping "$1" --for 1500ms --warm-up 300ms --spin 0s "${@:2}"; }

# What of the machine's own network must be the same afterwards.
# Namespaces and labs of others come and go; only those of this lab are looked for.
own_network() {
    ip -o link | sed 's/ state .*//'
    nft list ruleset
    ip netns list | grep "homa-$lab"
    ls "/run/homa-lab/$lab.json" 2>/dev/null
}
own_network >"$logs/before"

echo "== making, refusing, listing"
check "an unknown lab is not removed" status 2 "$homa" lab down --name "$lab"
check "hosts out of range are a usage error" status 64 "$homa" lab up --name "$lab" --hosts 33
ip netns add "homa-$lab-h2"
check "up refuses when a namespace is another's" status 2 "$homa" lab up --name "$lab"
check "… and removes what it had made" sh -c "! ip netns list | grep -q 'homa-$lab-h1'"
check "… but not what it had not" sh -c "ip netns list | grep -q 'homa-$lab-h2'"
ip netns del "homa-$lab-h2"
check "up" "$homa" lab up --name "$lab" --hosts 4 --rate 200Mbit
check "a second of that name is refused" status 2 "$homa" lab up --name "$lab"
check "list shows it" sh -c "'$homa' lab list --json | grep -q '\"lab\":\"$lab\"'"

echo "== strict priorities, with the lowest class of the port to host 2 saturated"
for address in 10.146.0.2 '[fd14:6::2]'; do
    background h2 serve 4000 --spin 0s
    background h2 serve 4001 --protocol tcp --spin 0s
    sleep 0.5
    # Two, because one alone fills the queue of its own link, not that of the switch.
    for host in h1 h3; do
        background $host bench "$address:4001" --protocol tcp --workload 1M --outstanding 4 --connections 4 \
            --response-size 100 --for 20s --warm-up 0s --spin 0s
    done
    sleep 0.5
    check "priority 7 to $address does not wait (p50 under 2 ms)" ping_homa "$address:4000" --threshold 'p50<2ms'
    check "priority 0 to $address waits (TCP p50 over 4 ms)" \
        ping_homa "$address:4001" --protocol tcp --threshold 'p50>4ms'
    stop
done
for priority in 7 0; do
    check "the switch counted packets of priority $priority" \
        sh -c "tc -n homa-$lab-switch -s qdisc show dev port2 | grep -A1 ' 1$priority: ' | grep -qE 'Sent [1-9]'"
done

echo "== a run of each protocol"
check "Homa and TCP, W4, every byte right, nothing fails" \
    "$homa" lab run --name "$lab" --hosts 3 --load 0.4 --for 2s --warm-up 500ms --compare --rounds 1 \
    --threshold 'errors<1'
sed -n 's/^/      /; /short messages, p99 /p' "$logs/check.out"
check "IPv6" "$homa" lab run --name "$lab" --ipv6 --load 0.2 --for 1s --warm-up 200ms --threshold 'errors<1'
check "a threshold missed is status 1" \
    status 1 "$homa" lab run --name "$lab" --load 0.1 --for 500ms --warm-up 100ms --threshold 'p50<1us'
"$homa" lab run --name "$lab" --for 60s >"$logs/interrupted" 2>&1 &
run=$!
sleep 1.5
check "processes run in the lab" sh -c "[ -n \"\$(ip netns pids homa-$lab-h1)\" ]"
check "down refuses meanwhile" status 2 "$homa" lab down --name "$lab"
kill -INT "$run"
wait "$run"
check "an interrupted run ends with status 2" [ $? -eq 2 ]
check "… and leaves no process" sh -c "[ -z \"\$(ip netns pids homa-$lab-h1)\$(ip netns pids homa-$lab-h3)\" ]"
check "down" "$homa" lab down --name "$lab"

echo "== 5 % of all packets lost"
check "up" "$homa" lab up --name "$lab" --hosts 3 --rate 200Mbit --loss 5% --queue-packets 200
check "Homa, every RPC completes" \
    "$homa" lab run --name "$lab" --load 0.1 --for 2s --warm-up 200ms --drain 20s --threshold 'errors<1'
check "packets were lost on purpose" \
    sh -c "ip netns exec homa-$lab-switch nft list table bridge homa_lab | grep -qE 'packets [1-9]'"
check "down" "$homa" lab down --name "$lab"

own_network >"$logs/after"
check "nothing is left" diff "$logs/before" "$logs/after"

if [ "$failures" -gt 0 ]; then
    echo "$failures checks failed"
    exit 1
fi
echo "all checks passed"
