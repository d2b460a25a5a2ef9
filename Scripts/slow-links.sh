#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Long messages over links far slower than the settings are made for, between two network namespaces with a queue of 2 MB in
# front of each direction: goodput as a part of the link's rate, packets that went again, and what TCP does on the same link in
# the same run. Needs root and iproute2. Removes everything it made. Exit status 0 when Homa's goodput is 85 % of the link or
# more on those of 40 Mb/s and at most a tenth of the packets went again on any, 1 when not, 2 when it could not run.
#
# Usage: Scripts/slow-links.sh [path of the homa executable]
set -uo pipefail

homa=${1:-$(dirname "$0")/../.build/release/homa}
[ -x "$homa" ] || { echo "slow-links: no executable at $homa; run 'swift build -c release' first" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "slow-links: needs root to make network namespaces" >&2; exit 2; }
command -v tc >/dev/null || { echo "slow-links: needs iproute2" >&2; exit 2; }

id=$$
A=homa-a-$id B=homa-b-$id
failures=0
servers=()

cleanup() {
    for pid in "${servers[@]:-}"; do [ -n "$pid" ] && kill "$pid" 2>/dev/null; done
    wait 2>/dev/null
    ip netns del "$A" 2>/dev/null
    ip netns del "$B" 2>/dev/null
}
trap cleanup EXIT
trap 'exit 2' INT TERM

ip netns add "$A" && ip netns add "$B" || exit 2
ip link add left netns "$A" type veth peer name right netns "$B" || exit 2
ip -n "$A" addr add 10.9.1.1/24 dev left
ip -n "$B" addr add 10.9.1.2/24 dev right
for side in "$A left" "$B right"; do
    read -r ns device <<<"$side"
    ip -n "$ns" link set lo up
    ip -n "$ns" link set "$device" up
    ip netns exec "$ns" tc qdisc add dev "$device" root tbf rate 1mbit burst 20000 limit 2000000 || exit 2
done
ip netns exec "$B" "$homa" serve 4000 >/dev/null 2>&1 &
servers+=($!)
ip netns exec "$B" "$homa" serve 4001 --protocol tcp >/dev/null 2>&1 &
servers+=($!)
sleep 1

# figure RECORDS MEASURE: the value of one measure in records of JSON.
figure() { sed -n "s/.*\"measure\":\"$2\",\"value\":\([0-9.]*\).*/\1/p" <<<"$1" | head -1; }

# run RATE (Mb/s) MESSAGE OUTSTANDING SECONDS LEAST (% of the link, 0: none)
run() {
    local rate=$1 message=$2 outstanding=$3 seconds=$4 least=$5 protocol records goodput again packets share
    for side in "$A left" "$B right"; do
        read -r ns device <<<"$side"
        ip netns exec "$ns" tc qdisc change dev "$device" root tbf rate "${rate}mbit" burst 20000 limit 2000000
    done
    for protocol in homa tcp; do
        records=$(ip netns exec "$A" "$homa" bench "10.9.1.2:$([ $protocol = tcp ] && echo 4001 || echo 4000)" \
            --protocol $protocol --workload "$message" --outstanding "$outstanding" --warm-up 2s --for "${seconds}s" \
            --threshold 'errors<1000' --json 2>/dev/null)
        goodput=$(figure "$records" goodput)
        again=$(figure "$records" packets_retransmitted)
        share=$((${goodput%.*} * 100 / (rate * 1000000)))
        packets=$((rate * 125000 * (seconds + 2) / 1500))
        printf '%3d Mb/s, %s each way, %d at once: %-4s %3d %% of the link, %s failed' \
            "$rate" "$message" "$outstanding" "$protocol" "$share" "$(figure "$records" errors)"
        if [ $protocol = homa ]; then
            printf ', %s packets again of about %d' "$again" "$packets"
            if [ "$share" -lt "$least" ] || [ $((again * 10)) -gt "$packets" ] || [ "$(figure "$records" errors)" != 0 ]; then
                printf '  FAILED'
                failures=$((failures + 1))
            fi
        fi
        echo
    done
}

run 40 200K 8 5 85
run 40 1M 4 8 0
run 4 1M 1 20 0
run 4 1M 4 40 0
[ "$failures" = 0 ] || { echo "$failures of 4 missed what is wanted"; exit 1; }
