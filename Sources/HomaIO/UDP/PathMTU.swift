// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase

/// What the kernel believes to be the longest IP packet on the way to `peer`; nil when there is no
/// route. Asks the routing table by connecting a socket of its own; no packet leaves.
func lookUpPathMTU(to peer: PeerAddress) -> Int? {
    var peer = peer
    if peer.port == 0 { peer.port = 9 }
    guard let socket = try? UDPSocket(family: peer.isIPv4 ? AF_INET : AF_INET6), socket.connect(to: peer) else {
        return nil
    }
    return peer.isIPv4
        ? socket.get(Int32(IPPROTO_IP), IP_MTU)
        : socket.get(Int32(IPPROTO_IPV6), IPV6_MTU)
}
