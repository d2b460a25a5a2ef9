#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# How a server stands forged and hostile traffic, in network namespaces that this script makes: one forged packet that
# would shut a client out, reflection to a victim, a host that starves others, new clients that are locked out,
# forgeries by somebody who sees nothing. Undisturbed and disturbed runs take turns; in the undisturbed ones the same
# packets go to somebody else, so that making them costs the same. Limits: goodput 0.8 of the undisturbed, 99th
# percentile twice, three bytes to a victim for each that was sent, goodput 0.8 again within a second after the
# attack. Needs root, iproute2, nftables and python3; about fifteen minutes for all. Removes everything it made. Exit
# status 0 when every check passed, 1 when a limit was missed, 2 when it could not run or an attack did not arrive.
#
# Usage: Scripts/attacks.sh [path of the homa executable [check…]]
#        Scripts/attacks.sh --list names the checks.
set -uo pipefail

here=$(dirname "$0")
[ "${1:-}" = --list ] && exec python3 "$here/attacks.py" list
homa=${1:-$here/../.build/release/homa}
[ $# -gt 0 ] && shift
[ -x "$homa" ] || { echo "attacks: no executable at $homa; run 'swift build -c release' first" >&2; exit 2; }
homa=$(realpath "$homa")
[ "$(id -u)" = 0 ] || { echo "attacks: needs root to make network namespaces" >&2; exit 2; }
for command in ip bridge nft python3; do
    command -v "$command" >/dev/null || { echo "attacks: needs $command" >&2; exit 2; }
done

id=$$
# A switch with a server, a client, a victim and an attacker. Victim and attacker have no address of their own: packets
# to the addresses that are used in their name reach their link, and nobody answers unless the attacker does.
W=homa-w-$id S=homa-s-$id C=homa-c-$id V=homa-v-$id X=homa-x-$id
logs=$(mktemp -d)

cleanup() {
    # Only what runs in the namespaces made here; -9, so that nothing is left to wait for.
    for ns in "$W" "$S" "$C" "$V" "$X"; do
        for pid in $(ip netns pids "$ns" 2>/dev/null); do kill -9 "$pid" 2>/dev/null; done
    done
    wait 2>/dev/null
    for ns in "$W" "$S" "$C" "$V" "$X"; do ip netns del "$ns" 2>/dev/null; done
    rm -rf "$logs"
}
trap cleanup EXIT
trap 'exit 2' INT TERM

ip netns add "$W" && ip -n "$W" link add switch type bridge mcast_snooping 0 || exit 2
ip netns exec "$W" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
ip -n "$W" link set switch up
# place NAMESPACE PORT LAST-BYTE: a host at the switch; the last byte of its address is that of its link address, too.
place() {
    local ns=$1 port=$2 mac=02:00:00:00:00:$3
    ip netns add "$ns" || exit 2
    ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 \
        net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
    ip link add eth netns "$ns" address "$mac" type veth peer name "$port" netns "$W" || exit 2
    ip -n "$ns" link set lo up
    ip -n "$ns" link set eth arp off up
    ip -n "$W" link set "$port" master switch up
    bridge -n "$W" fdb replace "$mac" dev "$port" master static || exit 2
}
place "$S" server 02
place "$C" client 01
place "$V" victim 03
place "$X" attacker 09
# Trains are cut before they reach the victim and the attacker, so that every packet of them is counted whole.
ip -n "$W" link set victim gso_max_segs 1
ip -n "$W" link set attacker gso_max_segs 1
ip -n "$S" addr add 10.79.0.2/16 dev eth
ip -n "$C" addr add 10.79.0.1/16 dev eth
for ns in "$S" "$C"; do
    for host in 1:01 2:02 9:09 30:03; do
        ip -n "$ns" neigh replace "10.79.0.${host%:*}" lladdr "02:00:00:00:00:${host#*:}" dev eth nud permanent
    done
    # Whoever is not of this network is the victim.
    ip -n "$ns" route add default via 10.79.0.30
done
# What comes from the attacker's link, whatever address it states, and what of the client's, by level.
ip netns exec "$S" nft -f - <<'RULES' || exit 2
table netdev attacks {
    counter forged { }
    counter level0 { }
    counter level1 { }
    counter level2 { }
    counter level3 { }
    counter level4 { }
    counter level5 { }
    counter level6 { }
    counter level7 { }
    chain arriving {
        type filter hook ingress device "eth" priority 0;
        ether saddr 02:00:00:00:00:09 counter name forged accept
        ether saddr != 02:00:00:00:00:01 accept
        ip dscp cs0 counter name level0
        ip dscp cs1 counter name level1
        ip dscp cs2 counter name level2
        ip dscp cs3 counter name level3
        ip dscp cs4 counter name level4
        ip dscp cs5 counter name level5
        ip dscp cs6 counter name level6
        ip dscp cs7 counter name level7
    }
}
RULES

# Not exec: what is made here must be removed.
python3 "$here/attacks.py" measure --homa "$homa" --logs "$logs" \
    --server "$S" --client "$C" --victim "$V" --attacker "$X" "$@"
