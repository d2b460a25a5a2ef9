// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

/// How packets to one peer leave.
struct PacketPath {
    let peer: PeerAddress
    /// The headers in front of its packets; nil where the kernel has to send them.
    var headers: FrameHeaders?
    /// Index of the interface they leave by.
    var interface: UInt32 = 0
    /// Longest IP packet.
    var mtu = 0
    /// When the kernel is asked again.
    var expiry: Instant = .zero
    /// Nanoseconds between questions while there is no answer.
    var patience: UInt64 = 0
    /// The next packets go through the socket, so that the kernel finds out whether the neighbor is still there.
    var mustConfirm = false
}

/// The paths to all peers that packets went to lately.
///
/// A fixed table; when it is half full it starts afresh. Answers of the kernel hold for a second.
struct PathTable: ~Copyable {
    private static let capacity = 4096
    private static let lifetime: UInt64 = 1_000_000_000
    /// The kernel needs a round trip to find an unknown neighbor, and longer when nobody answers.
    private static let firstPatience: UInt64 = 200_000

    private let entries: UnsafeMutablePointer<PacketPath?>
    private var count = 0
    private let routes: OwnedDescriptor
    private let source: PeerAddress
    private let sources: UnsafeMutablePointer<homa_source>
    private let seed: UInt64
    private var last: UnsafeMutablePointer<PacketPath?>?

    /// - Parameters:
    ///   - source: where the node is bound, with its port; all zero for every address.
    ///   - sources: what the numbers in peers' addresses stand for (``OwnAddresses``).
    init(source: PeerAddress, sources: UnsafeMutablePointer<homa_source>) throws(SystemError) {
        self.sources = sources
        routes = OwnedDescriptor(try SystemError.check(homa_routes_open(), "socket", "routing table"))
        entries = .allocate(capacity: Self.capacity)
        entries.initialize(repeating: nil, count: Self.capacity)
        self.source = source
        seed = .random(in: 0 ... .max)
    }

    deinit { entries.deallocate() }

    /// The path to `peer` as it is now, asked of the kernel when it is not known or old. Valid until the next call.
    @inline(__always)
    mutating func path(to peer: PeerAddress, at now: Instant) -> UnsafeMutablePointer<PacketPath?> {
        if let last, last.pointee!.peer.isSameWay(as: peer), last.pointee!.expiry > now { return last }
        return find(peer, at: now)
    }

    /// Asks the kernel anew for everything: an interface has gone.
    mutating func forgetAll() {
        entries.update(repeating: nil, count: Self.capacity)
        count = 0
        last = nil
    }

    private mutating func find(_ peer: PeerAddress, at now: Instant) -> UnsafeMutablePointer<PacketPath?> {
        if 2 * count >= Self.capacity { forgetAll() }
        var hash = (peer.low ^ UInt64(peer.port) << 48 ^ UInt64(peer.scope)) &+ seed
        hash = (hash ^ hash >> 32) &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ peer.high) &* 0xD6E8_FEB8_6659_FD93
        var index = Int(truncatingIfNeeded: hash >> 40) & (Self.capacity - 1)
        while let entry = entries[index], !entry.peer.isSameWay(as: peer) { index = (index + 1) & (Self.capacity - 1) }
        if entries[index] == nil {
            entries[index] = PacketPath(peer: peer)
            count += 1
        }
        let entry = entries + index
        if entry.pointee!.expiry <= now { ask(entry, at: now) }
        last = entry
        return entry
    }

    private func ask(_ entry: UnsafeMutablePointer<PacketPath?>, at now: Instant) {
        let peer = entry.pointee!.peer
        var target = peer.shimAddress
        var from = homa_address()
        if source.isIPv4 == peer.isIPv4 { from = source.shimAddress }
        if peer.local != 0 {
            from.high = sources[Int(peer.local)].high
            from.low = sources[Int(peer.local)].low
        }
        var route = homa_route()
        let hasRoute = homa_find_route(routes.value, &target, &from, &route) == 0
        var path = PacketPath(peer: peer)
        var patience = Self.lifetime
        if hasRoute, route.is_ethernet != 0, !peer.isMulticast {
            if route.has_neighbor != 0 {
                var own = PeerAddress(route.source)
                own.port = source.port
                path.headers = FrameHeaders(
                    from: own, to: peer, ownHardware: HardwareAddress(bytes: route.own_hardware),
                    nextHardware: HardwareAddress(bytes: route.neighbor_hardware))
                path.interface = route.interface
                path.mtu = Int(route.mtu)
                path.mustConfirm = route.is_confirmed == 0
            } else {
                patience = min(max(2 * entry.pointee!.patience, Self.firstPatience), Self.lifetime)
                path.patience = patience
            }
        }
        path.expiry = now.advanced(byNanoseconds: patience)
        entry.pointee = path
    }
}

/// A descriptor that is closed with its owner.
struct OwnedDescriptor: ~Copyable {
    let value: Int32

    init(_ value: Int32) { self.value = value }

    deinit { close(value) }
}
