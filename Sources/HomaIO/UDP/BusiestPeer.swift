// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import HomaPosix

/// Finds the peer that most datagrams come from, by majority vote (Boyer and Moore): one comparison for each
/// datagram and no table, however many peers there are.
struct BusiestPeer {
    /// Votes of lead at which a peer counts as busiest while there is no other; about 64 round trips.
    static let votesToLead = 64
    /// Votes of lead it takes to replace another peer, so that two equally busy ones do not take turns.
    static let votesToReplace = 4096

    private(set) var candidate = homa_address()
    private(set) var votes = 0
    /// The own address to which its datagrams came last, as the main socket reported it.
    private(set) var target = homa_source()

    /// Takes one datagram from `peer` into account.
    @inline(__always)
    mutating func vote(for peer: homa_address, at address: homa_source = homa_source()) {
        if peer.isSame(as: candidate) {
            votes = min(votes + 1, Self.votesToReplace)
        } else if votes > 0 {
            votes -= 1
            return
        } else {
            candidate = peer
            votes = 1
            target = homa_source()
        }
        if address.low != 0 { target = address }
    }

    /// Its socket did not work: it must earn another one.
    mutating func startOver() { votes = 0 }
}

extension homa_address {
    @inline(__always)
    func isSame(as other: homa_address) -> Bool {
        low == other.low && port == other.port && high == other.high && scope == other.scope
    }
}
