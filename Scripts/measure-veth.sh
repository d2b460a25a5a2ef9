#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures Homa, over a socket and over packet rings, against TCP and raw UDP between two network namespaces (veth, MTU 1500), all spinning,
# one core for each side, taking turns in every round; prints the figures of all rounds, their medians
# and the medians of the ratios. Needs root and iproute2; wants a machine that does nothing else.
#
# Usage: Scripts/measure-veth.sh [rounds]          (default 5)
set -uo pipefail

rounds=${1:-5}
homa=$(dirname "$0")/../.build/release/homa
[ -x "$homa" ] || { echo "measure-veth: run 'swift build -c release' first" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "measure-veth: needs root to make network namespaces" >&2; exit 2; }
id=$$ A=homa-ma-$$ B=homa-mb-$$
data=$(mktemp)
server=

cleanup() {
    [ -n "$server" ] && kill "$server" 2>/dev/null
    ip netns del "$A" 2>/dev/null
    ip netns del "$B" 2>/dev/null
    rm -f "$data"
}
trap cleanup EXIT
trap 'exit 2' INT TERM

ip netns add "$A" && ip netns add "$B" || exit 2
ip link add "ma$id" netns "$A" type veth peer name "mb$id" netns "$B" || exit 2
ip -n "$A" addr add 10.78.0.1/24 dev "ma$id" && ip -n "$A" link set "ma$id" up
ip -n "$B" addr add 10.78.0.2/24 dev "mb$id" && ip -n "$B" link set "mb$id" up
sleep 0.3

# measure NAME PROTOCOL COMMAND ARGUMENTS…: one server, one client, one figure appended to the data.
measure() {
    local name=$1 protocol=$2 field=$3 command=$4
    shift 4
    # "packet" is Homa over packet rings.
    local driver=()
    if [ "$protocol" = packet ]; then protocol=homa driver=(--driver packet); fi
    ip netns exec "$B" taskset -c 1 "$homa" serve 4000 --protocol "$protocol" "${driver[@]}" --spin forever >/dev/null 2>&1 &
    server=$!
    sleep 0.3
    ip netns exec "$A" taskset -c 0 timeout 30 "$homa" "$command" 10.78.0.2:4000 --protocol "$protocol" \
        "${driver[@]}" --spin forever --json "$@" 2>/dev/null |
        sed -n "s/.*\"measure\":\"$field\",\"value\":\([0-9.e+]*\),.*/$name \1/p" >>"$data"
    kill "$server"
    wait "$server" 2>/dev/null
    server=
}

for round in $(seq "$rounds"); do
    echo "round $round of $rounds" >&2
    for protocol in udp homa packet tcp; do
        measure "rtt_$protocol" $protocol rtt_p50 ping --size 100 --for 400ms --warm-up 100ms
    done
    for protocol in homa packet; do
        measure "rate_$protocol" $protocol achieved_rate bench --workload 100 --outstanding 64 --for 700ms --warm-up 200ms
    done
    for protocol in homa packet tcp; do
        measure "goodput_$protocol" $protocol goodput bench --workload 500K --outstanding 4 --response-size 100 \
            --for 700ms --warm-up 200ms
    done
done

awk '
    { count[$1]++; value[$1, count[$1]] = $2 }
    function median(list, n,    i, j, t) {
        for (i = 2; i <= n; i++) for (j = i; j > 1 && list[j] < list[j-1]; j--) { t = list[j]; list[j] = list[j-1]; list[j-1] = t }
        return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    function show(name, label, scale,    i, text, list) {
        text = ""
        for (i = 1; i <= count[name]; i++) { list[i] = value[name, i] / scale; text = text sprintf(" %.2f", list[i]) }
        printf "%-34s median %7.2f   rounds%s\n", label, median(list, count[name]), text
    }
    function ratio(one, other, label,    i, n, list) {
        n = count[one] < count[other] ? count[one] : count[other]
        for (i = 1; i <= n; i++) list[i] = value[one, i] / value[other, i]
        printf "%-34s median %7.2f   of %d rounds\n", label, median(list, n), n
    }
    END {
        show("rtt_udp", "raw UDP 100 B round trip (us)", 1000)
        show("rtt_homa", "Homa 100 B round trip (us)", 1000)
        show("rtt_packet", "Homa over packet rings (us)", 1000)
        show("rtt_tcp", "TCP 100 B round trip (us)", 1000)
        show("rate_homa", "Homa 100 B, 64 outstanding (RPC/ms)", 1000)
        show("rate_packet", "Homa over packet rings (RPC/ms)", 1000)
        show("goodput_homa", "Homa 500 KB goodput (Gb/s)", 1e9)
        show("goodput_packet", "Homa over packet rings (Gb/s)", 1e9)
        show("goodput_tcp", "TCP 500 KB goodput (Gb/s)", 1e9)
        ratio("rtt_homa", "rtt_udp", "round trip, Homa / raw UDP")
        ratio("rtt_packet", "rtt_udp", "round trip, packet rings / raw UDP")
        ratio("rate_packet", "rate_homa", "rate of 100 B, packet rings / socket")
        ratio("rtt_homa", "rtt_tcp", "round trip, Homa / TCP")
        ratio("goodput_homa", "goodput_tcp", "goodput, Homa / TCP")
    }' "$data"
