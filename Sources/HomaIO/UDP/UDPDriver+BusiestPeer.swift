// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
public import HomaBase

/// A second socket for the peer that most packets go to.
///
/// It has the same local address and is connected to that peer, so the kernel looks up no route for its packets
/// and finds the socket of those that arrive at once. For two hosts that talk mostly to each other that takes
/// more than half a microsecond off each round trip. Everybody else is served by the main socket as before.
extension UDPDriver {
    /// The peer that has a socket of its own, if any.
    public var connectedPeer: PeerAddress? { connected?.peer }

    /// True when ``connectToBusiestPeer()`` would change something.
    public var wantsToConnect: Bool {
        guard mayConnect else { return false }
        guard let peer = connected?.peer else { return busiestPeer.votes >= BusiestPeer.votesToLead }
        return busiestPeer.votes >= BusiestPeer.votesToReplace && peer != PeerAddress(busiestPeer.candidate)
    }

    /// Gives the busiest peer a socket of its own; another peer's is closed, and what it held is lost like
    /// packets on the network. Call it between two batches: datagrams received before become invalid.
    ///
    /// - Returns: the socket's descriptor, for ``Poller/watch(_:)``; nil when the system refused, and then the
    ///   driver does not try again.
    public mutating func connectToBusiestPeer() -> Int32? {
        let peer = PeerAddress(busiestPeer.candidate)
        closeConnected()
        guard let twin = openTwin(for: peer), twin.connect(to: peer) else {
            mayConnect = false
            return nil
        }
        connected = UDPLane(twin, peer: peer)
        connectedSocket = consume twin
        statistics.connections += 1
        return connected?.descriptor
    }

    /// A socket at the main one's address. Two may share it only while both say so; afterwards the port is
    /// closed to other processes again.
    ///
    /// An IPv4 peer gets an IPv4 socket even beside an IPv6 one, where the kernel would look up the route anew
    /// for every packet to a mapped address.
    private func openTwin(for peer: PeerAddress) -> UDPSocket? {
        let family = peer.isIPv4 ? AF_INET : AF_INET6
        let address =
            peer.isIPv4 && !localAddress.isIPv4 ? PeerAddress(ipv4: 0, port: localAddress.port) : localAddress
        guard let twin = try? UDPSocket(family: family), socket.set(SOL_SOCKET, SO_REUSEPORT, 1) else { return nil }
        defer { socket.set(SOL_SOCKET, SO_REUSEPORT, 0) }
        if family == AF_INET6 {
            let isOnlyIPv6 = socket.get(Int32(IPPROTO_IPV6), IPV6_V6ONLY) ?? 0
            twin.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, Int32(isOnlyIPv6))
        }
        guard twin.set(SOL_SOCKET, SO_REUSEPORT, 1), (try? twin.bind(to: address)) != nil else { return nil }
        twin.set(SOL_SOCKET, SO_REUSEPORT, 0)
        Self.prepare(twin, options)
        return twin
    }

    /// Goes back to the main socket alone, because the connected one does not work any more.
    mutating func disconnect() {
        closeConnected()
        mayConnect = false
    }

    private mutating func closeConnected() {
        connected = nil
        connectedSocket = nil
    }
}
