#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the command on hosts as they are, in network namespaces that this script makes: several addresses, addresses that
# change, outages that a router announces, a firewall of one's own, paths that are narrower in the middle. Needs root,
# iproute2 and nftables. Removes everything it made. Exit status 0 when every check passed, 1 when one failed, 2 when it
# could not run.
#
# Usage: Scripts/edge-checks.sh [path of the homa executable]
set -uo pipefail

homa=${1:-$(dirname "$0")/../.build/release/homa}
[ -x "$homa" ] || { echo "edge-checks: no executable at $homa; run 'swift build -c release' first" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "edge-checks: needs root to make network namespaces" >&2; exit 2; }
command -v ip >/dev/null && command -v nft >/dev/null || { echo "edge-checks: needs ip and nft" >&2; exit 2; }

id=$$
# A client, a router and a server; the server is a neighbor of the client as well, on another link.
A=homa-a-$id R=homa-r-$id B=homa-b-$id
logs=$(mktemp -d)
failures=0

cleanup() {
    # Only what runs in the namespaces made here; -9, so that nothing is left to wait for.
    for ns in "$A" "$R" "$B"; do
        for pid in $(ip netns pids "$ns" 2>/dev/null); do kill -9 "$pid" 2>/dev/null; done
    done
    wait 2>/dev/null
    for ns in "$A" "$R" "$B"; do ip netns del "$ns" 2>/dev/null; done
    rm -rf "$logs"
}
trap cleanup EXIT
trap 'exit 2' INT TERM

# link NAME NAMESPACE ADDRESSES… -- NAMESPACE ADDRESSES…: a pair of devices of that name, with addresses.
link() {
    local name=$1 first=$2 mine=() other address
    shift 2
    while [ "$1" != -- ]; do mine+=("$1"); shift; done
    other=$2
    shift 2
    ip link add "$name" netns "$first" type veth peer name "$name" netns "$other" || exit 2
    # An IPv6 address of a link can be used at once, not only when nobody has objected for a second.
    for ns in "$first" "$other"; do ip netns exec "$ns" sysctl -qw "net.ipv6.conf.$name.accept_dad=0"; done
    for address in "${mine[@]}"; do ip -n "$first" addr add "$address" dev "$name" || exit 2; done
    for address in "$@"; do ip -n "$other" addr add "$address" dev "$name" || exit 2; done
    ip -n "$first" link set "$name" up
    ip -n "$other" link set "$name" up
}

for ns in "$A" "$R" "$B"; do ip netns add "$ns" && ip -n "$ns" link set lo up || exit 2; done
link near "$A" 10.78.0.1/24 fd78::1/64 -- "$B" 10.78.0.2/24 10.78.0.3/24 fd78::2/64 fd78::3/64
link left "$A" 10.78.1.1/24 fd78:1::1/64 -- "$R" 10.78.1.254/24 fd78:1::fe/64
link right "$B" 10.78.2.1/24 fd78:2::1/64 -- "$R" 10.78.2.254/24 fd78:2::fe/64
ip netns exec "$R" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
# Else one report a second would be all.
for ns in "$R" "$B"; do ip netns exec "$ns" sysctl -qw net.ipv4.icmp_ratelimit=0; done
ip -n "$A" route add 10.78.2.0/24 via 10.78.1.254
ip -n "$B" route add 10.78.1.0/24 via 10.78.2.254
ip -n "$A" route add fd78:2::/64 via fd78:1::fe
ip -n "$B" route add fd78:1::/64 via fd78:2::fe
sleep 0.5

in_a() { ip netns exec "$A" "$@"; }
in_b() { ip netns exec "$B" "$@"; }
in_r() { ip netns exec "$R" "$@"; }

# serve NAME ARGUMENTS…: starts a server in namespace B and waits until it serves; sets $server.
serve() {
    local name=$1
    shift
    : >"$logs/$name.out"
    ip netns exec "$B" "$homa" serve "$@" >"$logs/$name.out" 2>"$logs/$name.err" &
    server=$!
    for _ in $(seq 100); do
        grep -q '^serving' "$logs/$name.out" && return 0
        sleep 0.05
    done
    echo "edge-checks: the server '$name' did not start:" >&2
    cat "$logs/$name.err" >&2
    return 1
}

stop() {
    kill "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

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

ping() { in_a timeout 30 "$homa" ping "$@" --for 300ms --warm-up 50ms; }
# fails_saying TEXT ARGUMENTS…: a short ping that fails, and says why.
fails_saying() {
    local text=$1
    shift
    in_a timeout 30 "$homa" ping "$@" --for 300ms --warm-up 0ms >"$logs/says.out" 2>&1 && return 1
    cat "$logs/says.out"
    grep -q "$text" "$logs/says.out"
}

echo "== a server with several addresses answers from the one it was called at"
link_local=$(ip -n "$B" -6 addr show dev near scope link | awk '/inet6/ { sub("/.*", "", $2); print $2 }')
has_macvlan=false
if ip -n "$B" link add above link near type macvlan mode bridge 2>/dev/null; then
    has_macvlan=true
    ip -n "$B" addr add 10.78.0.4/24 dev above && ip -n "$B" link set above up
fi
for kind in '--driver socket' '--driver packet' '--carriage ip146'; do
    # shellcheck disable=SC2086
    serve several 4000 $kind || exit 2
    for address in 10.78.0.2 10.78.0.3 '[fd78::2]' '[fd78::3]' "[$link_local%near]"; do
        # shellcheck disable=SC2086
        check "$kind, $address" ping "$address:4000" $kind
    done
    # shellcheck disable=SC2086
    if $has_macvlan; then check "$kind, 10.78.0.4 of a device above the other" ping 10.78.0.4:4000 $kind; fi
    stop "$server"
done
serve shards 4000 --shards 2 || exit 2
check "two shards, the second address" ping 10.78.0.3:4000
stop "$server"
serve own 4000 || exit 2
check "127.0.0.2" in_b timeout 30 "$homa" ping 127.0.0.2:4000 --for 300ms
stop "$server"

echo "== addresses that change while calls go on"
# after_change NAME SERVER-ADDRESS DRIVER CHANGE: calls that begin a while after the change succeed.
after_change() {
    local server_address=$1 driver=$2 change=$3
    # Long enough with one peer that it has a socket of its own.
    ip netns exec "$A" timeout 60 "$homa" bench "$server_address" --driver "$driver" --workload 100 --rate 500 \
        --for 1s --warm-up 3s --drain 2s --threshold 'errors<1' &
    local load=$!
    sleep 1.5
    $change
    wait $load
}
new_client_address() {
    ip -n "$A" addr add 10.78.0.77/24 dev near
    ip -n "$A" addr del 10.78.0.1/24 dev near
    # The second address goes with the first one where that is the custom.
    ip -n "$A" addr add 10.78.0.77/24 dev near 2>/dev/null
}
old_client_address() { ip -n "$A" addr flush dev near scope global; ip -n "$A" addr add 10.78.0.1/24 dev near; }
server_address_moves_back() {
    ip -n "$B" addr del 10.78.0.2/24 dev near
    ip -n "$B" addr add 10.78.0.99/24 dev near
    ip -n "$B" addr add 10.78.0.2/24 dev near
}
for driver in socket packet; do
    serve moves 4000 --driver "$driver" || exit 2
    check "$driver, the client's address is replaced" after_change 10.78.0.2:4000 "$driver" new_client_address
    old_client_address
    check "$driver, the server has another first address" \
        after_change 10.78.0.2:4000 "$driver" server_address_moves_back
    stop "$server"
done
ip -n "$A" addr add fd78::1/64 dev near

echo "== outages that are announced"
serve far 4000 || exit 2
outage() { in_r ip route add unreachable 10.78.2.1; sleep 0.2; in_r ip route del unreachable 10.78.2.1; }
during_outage() {
    ip netns exec "$A" timeout 60 "$homa" bench 10.78.2.1:4000 --workload 100 --rate 200 --for 1s --warm-up 200ms \
        --drain 3s --threshold 'errors<1' &
    local load=$!
    sleep 0.6
    outage
    wait $load
}
check "a router without a way for 200 ms costs no call" during_outage
in_r ip route add unreachable 10.78.2.1
check "… and one without a way at all is named" fails_saying 'hostUnreachable: 10.78.1.254 says' 10.78.2.1:4000
in_r ip route del unreachable 10.78.2.1
ip -n "$A" route del 10.78.2.0/24 via 10.78.1.254
check "no way from this host" fails_saying 'hostUnreachable: this host has no way' 10.78.2.1:4000
ip -n "$A" route add 10.78.2.0/24 via 10.78.1.254
check "a port without a node" fails_saying 'portUnreachable: no node listens' 10.78.2.1:4444

echo "== a firewall of one's own"
in_a nft -f - <<RULES
table inet edge { chain o { type filter hook output priority 0; udp dport 4000 drop; }; }
RULES
check "what this host refuses to send is told as that" \
    fails_saying 'sendRefused: this host refuses.*EPERM' 10.78.2.1:4000
in_a nft delete table inet edge
check "… and everything works once it is permitted" ping 10.78.2.1:4000
in_b nft -f - <<RULES
table inet edge { chain i { type filter hook input priority 0; udp dport 4000 reject with icmpx admin-prohibited; }; }
RULES
check "who forbids it is named" \
    fails_saying '10.78.2.1 says that packets to the server are prohibited' 10.78.2.1:4000
in_b nft delete table inet edge

echo "== a path that is narrower in the middle"
forget_paths() {
    for ns in "$A" "$B"; do
        ip netns exec "$ns" sysctl -qw net.ipv4.route.flush=1 net.ipv6.route.flush=1
        ip -n "$ns" route flush cache 2>/dev/null
        ip -n "$ns" -6 route flush cache 2>/dev/null
    done
}
# All of a message's sizes, requests and answers alike, since they are echoed.
narrow() {
    in_a timeout 60 "$homa" bench "$1" --workload "$2" --outstanding 1 --for 1s --warm-up 0ms --threshold 'errors<1'
}
for side in right left; do
    in_r ip link set "$side" mtu 1400
    for address in 10.78.2.1:4000 '[fd78:2::1]:4000'; do
        for size in 1400 20000 500000; do
            forget_paths
            check "1400 bytes at the $side, $address, $size bytes" narrow "$address" $size
        done
    done
    in_r ip link set "$side" mtu 1500
done
forget_paths
in_r nft -f - <<RULES
table inet edge {
    chain o {
        type filter hook output priority 0;
        icmp type destination-unreachable drop
        icmpv6 type packet-too-big drop
    }
}
RULES
in_r ip link set right mtu 1400
for address in 10.78.2.1:4000 '[fd78:2::1]:4000'; do
    check "… and nobody says so, $address" narrow "$address" 20000
done
in_r ip link set right mtu 1500
in_r nft delete table inet edge
forget_paths
stop "$server"

echo "== a network that drops what it keeps for itself"
for side in A B; do
    ip netns exec "${!side}" nft -f - <<RULES
table netdev edge { chain i { type filter hook ingress device "near" priority 0; ip dscp { cs6, cs7 } drop; }; }
RULES
done
serve marks 4000 --dscp none || exit 2
check "no marks" in_a timeout 30 "$homa" bench 10.78.0.2:4000 --dscp none --workload 100K --outstanding 2 --for 500ms \
    --warm-up 100ms --threshold 'errors<1'
stop "$server"
serve marks 4000 --dscp 0,8,16,24,32,40,40,40 || exit 2
check "other marks" in_a timeout 30 "$homa" bench 10.78.0.2:4000 --dscp 0,8,16,24,32,40,40,40 --workload 100K \
    --outstanding 2 --for 500ms --warm-up 100ms --threshold 'errors<1'
stop "$server"
serve marks 4000 || exit 2
check "… and without them nothing arrives" fails_saying timedOut 10.78.0.2:4000
stop "$server"
for side in A B; do ip netns exec "${!side}" nft delete table netdev edge; done

echo "== a port that is taken"
for shards in '1 2' '2 1' '2 2' '3 2'; do
    serve taken 4000 --shards "${shards% *}" || exit 2
    check "of ${shards% *} shards, by ${shards#* }" sh -c \
        "ip netns exec $B timeout 5 '$homa' serve 4000 --shards ${shards#* } 2>&1 | grep -q 'in use'"
    stop "$server"
done

echo "== less than was asked for"
# The limits are the whole machine's, so they are read and not set.
limit=$(cat /proc/sys/net/core/rmem_max)
if [ "$limit" -lt 8388608 ] && command -v setpriv >/dev/null; then
    unprivileged=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all)
    ip netns exec "$B" "${unprivileged[@]}" "$homa" serve 4000 --json --for 500ms >"$logs/less.out" 2>"$logs/less.err"
    check "smaller buffers are told of" grep -q 'net.core.rmem_max' "$logs/less.err"
    check "… and counted" grep -q '"measure":"receive_buffer_granted"' "$logs/less.out"
fi
serve enough 4000 || exit 2
stop "$server"
check "enough is not told of" sh -c "! grep -q 'rmem_max' '$logs/enough.err'"

if [ "$failures" -gt 0 ]; then
    echo "$failures checks failed"
    exit 1
fi
echo "all checks passed"
