// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import HomaBase
internal import HomaPosix

/// The addresses at which a node receives: the one it is bound to, or all of the host.
///
/// A packet socket sees what arrives at an interface, also what the kernel would not deliver to this node.
struct LocalAddresses: ~Copyable {
    private static let capacity = 256
    /// Nanoseconds between two looks at the host's addresses for the sake of unknown ones.
    private static let refreshInterval: UInt64 = 100_000_000

    private let bound: PeerAddress?
    private let list: UnsafeMutablePointer<homa_address>
    private var count = 0
    private var lastRefresh: Instant?
    private var lastFound = PeerAddress(high: 0, low: 0, port: 0)

    /// - Parameter bound: the one address; nil: all of the host.
    init(bound: PeerAddress?) {
        self.bound = bound
        list = .allocate(capacity: Self.capacity)
        list.initialize(repeating: homa_address(), count: Self.capacity)
    }

    deinit { list.deallocate() }

    /// True when the node receives at one address only.
    var isBound: Bool { bound != nil }

    /// True when packets to `address` are for this node. Its port and scope do not matter.
    @inline(__always)
    mutating func contains(_ address: PeerAddress) -> Bool {
        if let bound { return bound.low == address.low && bound.high == address.high }
        if lastFound.low == address.low && lastFound.high == address.high && lastRefresh != nil { return true }
        return find(address)
    }

    /// Looks at the addresses again, since some may have gone.
    mutating func refresh() {
        lastRefresh = MonotonicClock.process.now()
        count = max(0, Int(homa_local_addresses(list, UInt32(Self.capacity))))
        lastFound = PeerAddress(high: 0, low: 0, port: 0)
    }

    private mutating func find(_ address: PeerAddress) -> Bool {
        if search(address) { return true }
        let now = MonotonicClock.process.now()
        if let lastRefresh, now.nanoseconds(since: lastRefresh) < Self.refreshInterval { return false }
        refresh()
        return search(address)
    }

    private mutating func search(_ address: PeerAddress) -> Bool {
        for i in 0..<count where list[i].low == address.low && list[i].high == address.high {
            lastFound = address
            return true
        }
        return false
    }
}
