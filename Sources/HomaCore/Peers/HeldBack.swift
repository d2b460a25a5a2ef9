// SPDX-License-Identifier: Apache-2.0

/// A line of RPCs that wait before they begin, in the order in which they came.
struct HeldBack: BitwiseCopyable {
    private(set) var first = RPCTable.none
    private var last = RPCTable.none

    var isEmpty: Bool { first == RPCTable.none }

    mutating func append(_ slot: UInt32, _ rpcs: borrowing RPCTable) {
        rpcs.at(slot).pointee.olderCall = last
        rpcs.at(slot).pointee.newerCall = RPCTable.none
        if isEmpty { first = slot } else { rpcs.at(last).pointee.newerCall = slot }
        last = slot
    }

    mutating func remove(_ slot: UInt32, _ rpcs: borrowing RPCTable) {
        let older = rpcs.at(slot).pointee.olderCall
        let newer = rpcs.at(slot).pointee.newerCall
        if older == RPCTable.none { first = newer } else { rpcs.at(older).pointee.newerCall = newer }
        if newer == RPCTable.none { last = older } else { rpcs.at(newer).pointee.olderCall = older }
        rpcs.at(slot).pointee.olderCall = RPCTable.none
        rpcs.at(slot).pointee.newerCall = RPCTable.none
    }

    /// The one with the shortest message among the first few.
    func shortest(among few: Int, _ rpcs: borrowing RPCTable) -> UInt32 {
        var best = first
        var slot = first
        var looked = 0
        while slot != RPCTable.none, looked < few {
            if rpcs.at(slot).pointee.outgoing.length < rpcs.at(best).pointee.outgoing.length { best = slot }
            slot = rpcs.at(slot).pointee.newerCall
            looked += 1
        }
        return best
    }
}
