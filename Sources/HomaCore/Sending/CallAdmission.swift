// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// What one peer has of our calls and one-way messages: how many are under way, and which wait for admission.
///
/// Lengths are told apart by class, a power of two each. A call is admitted when the admitted ones of its class and
/// below are few enough and short enough together. So a short call never waits for longer ones, those that wait leave
/// shortest first, and what is under way to the peer is a small multiple of one limit.
struct CallAdmission: BitwiseCopyable {
    static let classes = 11

    private(set) var unfinished: UInt32 = 0
    private var queuedCalls: UInt32 = 0
    /// Bytes that the oldest in the queue may have beyond the limit.
    private var oldestCredit: UInt32 = 0
    private var calls = InlineArray<11, UInt16>(repeating: 0)
    private var bytes = InlineArray<11, UInt32>(repeating: 0)
    private var queues = InlineArray<11, SlabList<RPC.Calls>>(repeating: SlabList())

    /// The class of a message: 0 up to 2 KB, then one for each doubling, and the last for all above 1 MB.
    static func sizeClass(_ length: UInt32) -> Int {
        min(classes - 1, max(0, 21 - (length - 1).leadingZeroBitCount))
    }

    /// Calls in the queue.
    var waiting: UInt32 { queuedCalls }
    var hasQueued: Bool { queuedCalls > 0 }
    var isEmpty: Bool { unfinished == 0 && queuedCalls == 0 }

    /// Whether a call of this length may begin now. Mutating, or the compiler copies the record before it asks.
    mutating func mayBegin(_ length: UInt32, _ limits: AdmissionLimits) -> Bool {
        guard unfinished < limits.unfinished else { return false }
        var (callsBelow, bytesBelow, unscheduledBelow) = (UInt32(0), UInt32(0), UInt32(0))
        for size in 0...Self.sizeClass(length) {
            callsBelow += UInt32(calls[size])
            bytesBelow &+= bytes[size]
            unscheduledBelow &+= min(bytes[size], UInt32(calls[size]) &* limits.unscheduled)
        }
        return callsBelow < limits.calls && bytesBelow < limits.bytes && unscheduledBelow < limits.unscheduledTogether
    }

    mutating func admit(_ length: UInt32, oldestEarning: Double) {
        let size = Self.sizeClass(length)
        // No more than the longest message can need.
        if queuedCalls > 0 {
            oldestCredit = min(oldestCredit + UInt32(Double(length) * oldestEarning), UInt32(Int32.max))
        }
        unfinished += 1
        calls[size] += 1
        bytes[size] &+= length
    }

    /// An admitted call counts no more among those under way.
    mutating func handOver(_ length: UInt32) {
        let size = Self.sizeClass(length)
        assert(calls[size] > 0 && bytes[size] >= length, "more calls leave than were admitted")
        calls[size] -= 1
        bytes[size] &-= length
    }

    /// A call that has been handed over is over.
    mutating func finish() {
        assert(unfinished > 0, "more calls end than were admitted")
        unfinished -= 1
    }

    mutating func enqueue(_ slot: UInt32, length: UInt32, _ rpcs: SlabView<RPC>) {
        queues[Self.sizeClass(length)].append(slot, rpcs)
        queuedCalls += 1
    }

    mutating func dequeue(_ slot: UInt32, length: UInt32, _ rpcs: SlabView<RPC>) {
        queues[Self.sizeClass(length)].remove(slot, rpcs)
        queuedCalls -= 1
        if queuedCalls == 0 { oldestCredit = 0 }
    }

    /// The call in the queue that may begin now: the first of the shortest class, or the oldest if it has earned that.
    mutating func next(_ limits: AdmissionLimits, _ rpcs: SlabView<RPC>) -> UInt32? {
        guard queuedCalls > 0, unfinished < limits.unfinished else { return nil }
        if oldestCredit > 0, let oldest = oldest(rpcs), oldestCredit >= rpcs[oldest].pointee.admissionBytes {
            oldestCredit -= rpcs[oldest].pointee.admissionBytes
            return oldest
        }
        guard let size = queues.indices.first(where: { !queues[$0].isEmpty }), let slot = queues[size].first else {
            return nil
        }
        return mayBegin(rpcs[slot].pointee.admissionBytes, limits) ? slot : nil
    }

    /// Traps unless what waits is linked and counted, and what is under way adds up to no more than is unfinished.
    func checkInvariants(_ rpcs: SlabView<RPC>) {
        var queued = 0
        var underWay: UInt32 = 0
        for size in queues.indices {
            queues[size].checkInvariants(rpcs)
            queued += queues[size].count
            underWay += UInt32(calls[size])
            precondition((calls[size] == 0) == (bytes[size] == 0), "calls without bytes under way, or the reverse")
        }
        precondition(queued == Int(queuedCalls), "\(queuedCalls) calls are queued, \(queued) are linked")
        precondition(underWay <= unfinished, "more calls are under way than are unfinished")
    }

    private func oldest(_ rpcs: SlabView<RPC>) -> UInt32? {
        var oldest: UInt32?
        for size in queues.indices {
            guard let slot = queues[size].first else { continue }
            if let best = oldest, rpcs[best].pointee.birth < rpcs[slot].pointee.birth { continue }
            oldest = slot
        }
        return oldest
    }
}
