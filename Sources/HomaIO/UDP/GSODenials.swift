// SPDX-License-Identifier: Apache-2.0

internal import HomaBase

/// Peers towards which the kernel refuses trains, for example because the path is encrypted.
///
/// A handful is remembered; more than that means that the machine cannot do it at all. After a while all of it is
/// forgotten: a path can become another one, and to try costs one call.
struct GSODenials {
    static let capacity = 8
    /// Nanoseconds.
    static let lifetime: UInt64 = 60_000_000_000
    /// When all is forgotten.
    private(set) var expiry = Instant.distantFuture
    private var peers: InlineArray<8, PeerAddress> = .init(repeating: PeerAddress(high: 0, low: 0, port: 0))
    private(set) var count = 0

    @inline(__always)
    func contains(_ peer: PeerAddress) -> Bool {
        guard count > 0 else { return false }
        for i in 0..<count where peers[i] == peer { return true }
        return false
    }

    /// False when there is no room left.
    mutating func insert(_ peer: PeerAddress, at now: Instant) -> Bool {
        if expiry == .distantFuture { expiry = now.advanced(byNanoseconds: Self.lifetime) }
        guard !contains(peer) else { return true }
        guard count < Self.capacity else { return false }
        peers[count] = peer
        count += 1
        return true
    }
}
