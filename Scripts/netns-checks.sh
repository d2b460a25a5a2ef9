#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the command between two network namespaces that this script makes: IPv4, IPv6, MTU 1500 and
# 9000, packet rings, IP protocol 146 with what hosts of the kernel module do, lost packets, a killed server, a pool that is too small, a hostile sender. Needs root,
# iproute2 and nftables. Removes everything it made. Exit status 0 when every check passed, 1 when one failed, 2 when it
# could not run.
#
# Usage: Scripts/netns-checks.sh [path of the homa executable]
set -uo pipefail

homa=${1:-$(dirname "$0")/../.build/release/homa}
[ -x "$homa" ] || { echo "netns-checks: no executable at $homa; run 'swift build -c release' first" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "netns-checks: needs root to make network namespaces" >&2; exit 2; }
command -v ip >/dev/null && command -v nft >/dev/null || { echo "netns-checks: needs ip and nft" >&2; exit 2; }

id=$$
A=homa-a-$id B=homa-b-$id
logs=$(mktemp -d)
failures=0

cleanup() {
    # Only what runs in the namespaces made here; -9, so that nothing is left to wait for.
    for ns in "$A" "$B"; do
        for pid in $(ip netns pids "$ns" 2>/dev/null); do kill -9 "$pid" 2>/dev/null; done
    done
    wait 2>/dev/null
    ip netns del "$A" 2>/dev/null
    ip netns del "$B" 2>/dev/null
    rm -rf "$logs"
}
trap cleanup EXIT
trap 'exit 2' INT TERM

ip netns add "$A" && ip netns add "$B" || exit 2
ip link add "va$id" netns "$A" type veth peer name "vb$id" netns "$B" || exit 2
for side in a b; do
    ns=homa-$side-$id
    n=$([ $side = a ] && echo 1 || echo 2)
    ip -n "$ns" link set lo up
    ip -n "$ns" addr add "10.77.0.$n/24" dev "v$side$id"
    ip -n "$ns" addr add "fd77::$n/64" dev "v$side$id" nodad
    ip -n "$ns" link set "v$side$id" up
done
sleep 0.5

mtu() { ip -n "$A" link set "va$id" mtu "$1"; ip -n "$B" link set "vb$id" mtu "$1"; }
in_a() { ip netns exec "$A" "$@"; }
in_b() { ip netns exec "$B" "$@"; }

# serve NAME ARGUMENTS…: starts a server in namespace B and waits until it serves; sets $server.
serve() {
    local name=$1
    shift
    # Else the line of an earlier server of that name would be taken for this one's.
    : >"$logs/$name.out"
    # Not through in_b: a function in the background is a subshell, whose id would hide the server's.
    ip netns exec "$B" "$homa" serve "$@" >"$logs/$name.out" 2>"$logs/$name.err" &
    server=$!
    for _ in $(seq 100); do
        grep -q '^serving' "$logs/$name.out" && return 0
        sleep 0.05
    done
    echo "netns-checks: the server '$name' did not start:" >&2
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

# failed_within SECONDS FILE: how long the first call that failed had taken is in the file, and at most so much.
failed_within() {
    grep 'the first:' "$2"
    awk -v most="$1" '/the first:/ { sub(/.*after /, ""); found = 1; exit !($1 <= most) } END { if (!found) exit 1 }' "$2"
}

# The cap on what is outstanding keeps a pause of the whole machine from becoming an overload afterwards.
bench() { in_a timeout 60 "$homa" bench "$@" --for 2s --warm-up 300ms --drain 10s; }

echo "== both protocols, both families, MTU 1500 and 9000"
for size in 1500 9000; do
    mtu $size
    serve homa 4000 || exit 2
    for address in 10.77.0.2:4000 '[fd77::2]:4000'; do
        check "homa, MTU $size, $address, w3" bench "$address" --workload w3 --rate 5000 --cap 1000 --threshold 'errors<1'
    done
    stop "$server"
    serve tcp 4000 --protocol tcp || exit 2
    for address in 10.77.0.2:4000 '[fd77::2]:4000'; do
        check "tcp, MTU $size, $address, w3" bench "$address" --workload w3 --rate 5000 --cap 1000 --protocol tcp --threshold 'errors<1'
    done
    stop "$server"
done
mtu 1500

echo "== packet rings instead of a socket"
for size in 1500 9000; do
    mtu $size
    serve ring 4000 --driver packet || exit 2
    for address in 10.77.0.2:4000 '[fd77::2]:4000'; do
        check "packet to packet, MTU $size, $address, w3" \
            bench "$address" --driver packet --workload w3 --rate 5000 --cap 1000 --threshold 'errors<1'
        check "packet to packet, MTU $size, $address, 500 KB" \
            bench "$address" --driver packet --workload 500K --outstanding 4 --for 1s --threshold 'errors<1'
        check "socket to packet, MTU $size, $address, 500 KB" \
            bench "$address" --workload 500K --outstanding 4 --for 1s --threshold 'errors<1'
    done
    stop "$server"
    serve socket 4000 || exit 2
    check "packet to socket, MTU $size, 500 KB" \
        bench 10.77.0.2:4000 --driver packet --workload 500K --outstanding 4 --for 1s --threshold 'errors<1'
    stop "$server"
done
mtu 1500
serve ring 4000 --driver packet --json --spin 0s || exit 2
# The rings take packets before the input hook, but after the one at the interface.
for side in a b; do
    ip netns exec "homa-$side-$id" nft -f - <<RULES
table netdev loss {
    chain drop_some {
        type filter hook ingress device "v$side$id" priority 0;
        udp dport 1-65535 numgen random mod 100 < 1 drop
    }
}
RULES
done
check "packet to packet, 1 % loss each way, w3, every RPC completes" \
    bench 10.77.0.2:4000 --driver packet --workload w3 --rate 300 --cap 1000 --threshold 'errors<1'
check "packet to packet, 1 % loss each way, 100 KB over IPv6" \
    bench '[fd77::2]:4000' --driver packet --workload 100K --rate 50 --threshold 'errors<1'
for ns in "$A" "$B"; do ip netns exec "$ns" nft delete table netdev loss; done
check "the kernel keeps nothing for the port" sh -c "! ip netns exec $B cat /proc/net/udp6 | grep -q ':0FA0 .* [0-9A-F]*:0000000[1-9A-F]'"
in_a "$homa" spray 10.77.0.2:4000 --for 2s >"$logs/spray.out" 2>&1
check "packet rings: a hostile sender leaves the server alive" kill -0 "$server"
stop "$server"
check "… and its packets are counted" grep -q '"measure":"dropped_packets"' "$logs/ring.out"
check "a node calls itself, past the rings" in_b bash -c "
    '$homa' serve 4001 --driver packet >/dev/null & self=\$!
    sleep 0.5
    timeout 30 '$homa' bench 10.77.0.2:4001 --driver packet --workload 100 --rate 1000 --for 500ms --warm-up 100ms --threshold 'errors<1'
    status=\$?; kill \$self; exit \$status"
check "a port without a node fails at once" sh -c \
    "ip netns exec $A timeout 20 '$homa' bench 10.77.0.2:4444 --driver packet --workload 100 --outstanding 1 --for 500ms --warm-up 0s \
        --drain 1s 2>&1 | grep -q 'portUnreachable'"
check "without CAP_NET_RAW the error says so" sh -c \
    "ip netns exec $A setpriv --bounding-set -net_raw --inh-caps -net_raw --reuid 65534 --clear-groups \
        timeout 5 '$homa' serve 4555 --driver packet 2>&1 | grep -q CAP_NET_RAW"

echo "== IP protocol 146"
serve raw 4000 --carriage ip146 || exit 2
raw=$server
serve second 4001 --carriage ip146 --json || exit 2
second=$server
for address in 10.77.0.2:4000 '[fd77::2]:4000'; do
    check "protocol 146, $address, w3" \
        bench "$address" --carriage ip146 --workload w3 --rate 2000 --cap 1000 --threshold 'errors<1'
    check "protocol 146, $address, 500 KB" \
        bench "$address" --carriage ip146 --workload 500K --outstanding 4 --for 1s --threshold 'errors<1'
done
ip netns exec "$A" timeout 60 "$homa" bench 10.77.0.2:4001 --carriage ip146 --workload w3 --rate 500 --cap 500 --for 3s \
    --drain 5s --threshold 'errors<1' >"$logs/other.out" 2>&1 &
other=$!
check "protocol 146, two clients and two servers on two hosts" \
    bench 10.77.0.2:4000 --carriage ip146 --workload w3 --rate 500 --cap 500 --threshold 'errors<1'
check "… the other two as well" wait "$other"
check "protocol 146, a port that another node has is refused" sh -c \
    "ip netns exec $B timeout 5 '$homa' serve 4001 --carriage ip146 2>&1 | grep -q 'open already'"
for ns in "$A" "$B"; do
    ip netns exec "$ns" nft -f - <<RULES
table inet loss {
    chain drop_some {
        type filter hook input priority 0;
        meta l4proto 146 numgen random mod 100 < 1 drop
    }
}
RULES
done
check "protocol 146, 1 % loss each way, w3, every RPC completes" \
    bench 10.77.0.2:4000 --carriage ip146 --workload w3 --rate 300 --cap 1000 --threshold 'errors<1'
check "protocol 146, 1 % loss each way, 100 KB over IPv6" \
    bench '[fd77::2]:4000' --carriage ip146 --workload 100K --rate 50 --threshold 'errors<1'
for ns in "$A" "$B"; do ip netns exec "$ns" nft delete table inet loss; done
nobody() {
    ip netns exec "$A" timeout 20 "$homa" bench "$1" --carriage ip146 --workload 100 --outstanding 1 --for 500ms \
        --warm-up 0s --drain 1s --json >"$logs/nobody.out" 2>"$logs/nobody.err"
    cat "$logs/nobody.err" && grep -q 'portUnreachable: no node listens' "$logs/nobody.err" &&
        failed_within 0.1 "$logs/nobody.err"
}
check "protocol 146, a port that nobody has fails at once" nobody 10.77.0.2:4444
check "… over IPv6 too" nobody '[fd77::2]:4444'
stop "$raw"
stop "$second"
check "protocol 146, packets for other nodes are counted" grep -q '"reason":"frame: foreign"' "$logs/second.out"
check "protocol 146, a host without a node fails at once" nobody 10.77.0.2:4000
check "… over IPv6 too" nobody '[fd77::2]:4000'

echo "== as with the kernel module: its benchmark's framing, hijacked TCP headers, all of an MTU of 9000"
mtu 9000
serve kernel 4000 --carriage ip146 --hijack --framing cp-node || exit 2
check "cp-node, echoes" bench 10.77.0.2:4000 --carriage ip146 --framing cp-node --workload w4 --rate 200 --for 1s --threshold 'errors<1'
check "cp-node, answers of 100 bytes" bench '[fd77::2]:4000' --carriage ip146 --framing cp-node --workload w4 --rate 200 --for 1s \
    --response-size 100 --threshold 'errors<1'
# The client's packets leave with the protocol number of TCP, as with hijack_tcp.
in_a nft -f - <<RULES
table ip hijack {
    chain out {
        type filter hook output priority 0;
        meta l4proto 146 ip protocol set 6
    }
}
RULES
if command -v tcpdump >/dev/null; then
    ip netns exec "$B" timeout 20 tcpdump -i "vb$id" -w "$logs/kernel.pcap" 2>"$logs/tcpdump.err" &
    capture=$!
    for _ in $(seq 100); do grep -q listening "$logs/tcpdump.err" && break; sleep 0.05; done
fi
check "hijacked TCP headers" in_a timeout 20 "$homa" ping 10.77.0.2:4000 --carriage ip146 --framing cp-node --size 50K --for 300ms
if command -v tcpdump >/dev/null; then
    sleep 0.3
    kill -INT "$capture"
    wait "$capture"
    "$homa" decode "$logs/kernel.pcap" >"$logs/kernel.txt" 2>"$logs/kernel.notes"
    check "homa decode sees requests in TCP" grep -q '10.77.0.1 > 10.77.0.2 tcp p[0-7] DATA .* \[0, 8924) of 50000' "$logs/kernel.txt"
    check "homa decode sees responses in protocol 146" grep -q '10.77.0.2 > 10.77.0.1 ip146 p[0-7] DATA' "$logs/kernel.txt"
fi
in_a nft delete table ip hijack
stop "$server"
mtu 1500

echo "== lost packets"
serve loss 4000 || exit 2
for percent in 1 5 20; do
    for ns in "$A" "$B"; do
        ip netns exec "$ns" nft -f - <<RULES
table inet loss
delete table inet loss
table inet loss {
    chain drop_some {
        type filter hook input priority 0;
        udp dport 1-65535 numgen random mod 100 < $percent drop
    }
}
RULES
    done
    check "homa, $percent % loss each way, w3, every RPC completes" \
        bench 10.77.0.2:4000 --workload w3 --rate 300 --cap 1000 --threshold 'errors<1'
    check "homa, $percent % loss each way, 100 KB, every RPC completes" \
        bench 10.77.0.2:4000 --workload 100K --rate 50 --threshold 'errors<1'
done
for ns in "$A" "$B"; do ip netns exec "$ns" nft delete table inet loss; done
stop "$server"

echo "== a pool too small for the load (2 MB region, W5)"
serve small 4000 --region 2Mi || exit 2
check "homa, W5 into a 2 MB region, nothing lost" \
    bench 10.77.0.2:4000 --workload w5 --outstanding 16 --threshold 'errors<1'
stop "$server"

echo "== a killed server"
serve first 4000 || exit 2
first=$server
serve second 4001 || exit 2
second=$server
ip netns exec "$A" timeout 60 "$homa" bench 10.77.0.2:4001 --workload 1000 --rate 1000 --for 4s --warm-up 0s --threshold 'errors<1' \
    >"$logs/other.out" 2>&1 &
other=$!
ip netns exec "$A" timeout 60 "$homa" bench 10.77.0.2:4000 --workload 1000 --outstanding 8 --for 3s --warm-up 0s --drain 1s --json \
    >"$logs/victim.out" 2>"$logs/victim.err" &
victim=$!
sleep 1
kill -9 "$first"
wait "$first" 2>/dev/null
sleep 0.7
serve again 4000 || exit 2
wait "$victim"
check "calls to the killed server failed with a clear error" grep -q 'portUnreachable: no node listens' "$logs/victim.err"
check "… within 200 ms" failed_within 0.2 "$logs/victim.err"
check "other servers unaffected" wait "$other"
check "the restarted server is used again at once" bench 10.77.0.2:4000 --workload 1000 --rate 1000 --threshold 'errors<1'
stop "$server"
stop "$second"

echo "== a hostile sender"
serve hostile 4000 --json || exit 2
ip netns exec "$A" "$homa" spray 10.77.0.2:4000 --for 10s >"$logs/spray.out" 2>&1 &
spray=$!
sleep 1
before=$(awk '/VmRSS/ {print $2}' "/proc/$server/status" 2>/dev/null || echo 0)
check "legitimate RPCs go on under a spray of random and mutated packets" \
    in_a timeout 60 "$homa" bench 10.77.0.2:4000 --workload w3 --rate 1000 --cap 1000 --for 7s --warm-up 500ms --drain 5s --threshold 'errors<1'
after=$(awk '/VmRSS/ {print $2}' "/proc/$server/status" 2>/dev/null || echo 0)
wait "$spray"
check "the server lives" kill -0 "$server"
check "its memory did not grow by more than 64 MB (from $before to $after kB)" [ $((after - before)) -lt 65536 ]
stop "$server"
check "drop reasons are counted" grep -q '"measure":"dropped_packets"' "$logs/hostile.out"
sed -n 's/^/      /; /dropped\|malformed/p' "$logs/hostile.out" | head -40

if [ "$failures" -gt 0 ]; then
    echo "$failures checks failed"
    exit 1
fi
echo "all checks passed"
