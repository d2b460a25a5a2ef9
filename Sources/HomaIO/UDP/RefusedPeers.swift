// SPDX-License-Identifier: Apache-2.0

internal import HomaBase

/// What happens to packets that the kernel has no room for (ENOBUFS, ENOMEM), during one flush.
///
/// Such a refusal says nothing about packets to others: the kernel gives it for a destination whose neighbour it cannot
/// look up, since its table is full, and for a device whose queue is. So the packets to that destination are set aside
/// in their order, and the others go on. Refusals for several destinations in a row mean the device or the system, and
/// end the flush. A packet that has been refused for a while is dropped, as a full queue elsewhere would do.
struct RefusedPeers {
    /// So many destinations refused, and the rest is not even tried.
    private static let limit = 4
    /// So long a packet is tried again: what a device needs for one packet at 12 Mb/s.
    static let patience: UInt64 = 1_000_000

    private var peers = InlineArray<4, PeerAddress>(repeating: PeerAddress(high: 0, low: 0, port: 0))
    private(set) var count = 0
    /// Sockets that had no room for packets to peers that are not heard, and whether that is all of them.
    var fullLanes = 0
    var isUnheardFull = false
    /// The queue's trains that are set aside lie from here on, in places that have become free.
    private let asideStart: Int
    private var asideEnd: Int

    init(_ queue: borrowing SendQueue) {
        asideStart = queue.firstTrain
        asideEnd = asideStart
    }

    var isFull: Bool { count == Self.limit }
    var hasAside: Bool { asideEnd > asideStart }

    /// Whether the next train must wait, since one to the same peer does.
    @inline(__always)
    func holds(_ peer: PeerAddress) -> Bool {
        for index in 0..<count where peers[index] == peer { return true }
        return false
    }

    /// The kernel had no room for the first train. False: that has lasted too long, and the train must be dropped.
    mutating func refuse(_ queue: inout SendQueue, at now: Instant) -> Bool {
        let head = queue.firstTrain
        let since = queue.trains[head].refusedSince ?? now
        queue.trains[head].refusedSince = since
        // When it is in the way of others, it has been there for long enough.
        guard now.nanoseconds(since: since) < Self.patience, !queue.isFull else { return false }
        peers[count] = queue.trains[head].peer
        count += 1
        setAside(&queue)
        return true
    }

    /// Leaves the first train for the next flush.
    mutating func setAside(_ queue: inout SendQueue) {
        let head = queue.firstTrain
        queue.trains[head].isClosed = true
        queue.trains[asideEnd] = queue.trains[head]
        queue.outgoing[asideEnd] = queue.outgoing[head]
        asideEnd += 1
        queue.firstTrain += 1
    }

    /// Puts the trains that were set aside in front of those that the flush did not come to.
    func putBack(_ queue: inout SendQueue) {
        guard hasAside else { return }
        queue.firstTrain -= asideEnd - asideStart
        (queue.trains + queue.firstTrain).update(from: queue.trains + asideStart, count: asideEnd - asideStart)
        (queue.outgoing + queue.firstTrain).update(from: queue.outgoing + asideStart, count: asideEnd - asideStart)
    }
}
