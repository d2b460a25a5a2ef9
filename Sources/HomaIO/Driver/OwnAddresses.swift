// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import HomaBase

/// The addresses of this host at which packets have come in, by number (``PeerAddress/local``).
///
/// Whoever was called at one of them must answer from it, and the system would choose by the route. The numbers travel
/// with the peers' addresses, so that nothing has to be looked up for a packet that leaves.
///
/// A host with more addresses than there is room for gives numbers to new ones in turn. A peer whose number has become
/// another address's gets answers from the wrong one until its next packet, as one does whose address has gone.
struct OwnAddresses: ~Copyable {
    static let capacity = 256
    /// By number; the first is that of no address. At the same place as long as the value.
    let entries: UnsafeMutablePointer<homa_source>
    private var end = 1
    private var next = 1
    private var last = 0

    init() {
        entries = .allocate(capacity: Self.capacity)
        entries.initialize(repeating: homa_source(), count: Self.capacity)
    }

    deinit { entries.deallocate() }

    /// The number of an address; 0 for none.
    @inline(__always)
    mutating func number(of address: homa_source) -> UInt16 {
        if entries[last].low == address.low, entries[last].high == address.high,
            entries[last].interface == address.interface || entries[last].interface == 0
        {
            return UInt16(truncatingIfNeeded: last)
        }
        return find(address)
    }

    private mutating func find(_ address: homa_source) -> UInt16 {
        guard address.high | address.low != 0 else { return 0 }
        var address = address
        // Elsewhere a route decides on the device, whichever the packet came in by.
        if !PeerAddress(high: address.high, low: address.low, port: 0).isLinkLocal { address.interface = 0 }
        for number in 1..<end where entries[number].isSame(as: address) {
            last = number
            return UInt16(truncatingIfNeeded: number)
        }
        if end < Self.capacity {
            last = end
            end += 1
        } else {
            last = next
            next = next + 1 == Self.capacity ? 1 : next + 1
        }
        entries[last] = address
        return UInt16(truncatingIfNeeded: last)
    }

    /// The address has gone: what would leave from it leaves from another.
    mutating func forget(_ number: UInt16) {
        entries[Int(number)] = homa_source()
        if last == Int(number) { last = 0 }
    }

    /// Where to bind for packets that leave from an address; nil when the system is to choose.
    func address(_ number: UInt16, port: UInt16) -> PeerAddress? {
        let entry = entries[Int(number)]
        guard entry.high | entry.low != 0 else { return nil }
        return PeerAddress(high: entry.high, low: entry.low, scope: entry.interface, port: port)
    }
}

extension homa_source {
    func isSame(as other: homa_source) -> Bool {
        low == other.low && high == other.high && interface == other.interface
    }
}
