// SPDX-License-Identifier: Apache-2.0

/// What a sender knows about the bytes between the first unacknowledged one and the first not sent (RFC 6675).
extension TCPTransport {
    /// Duplicate acknowledgements, ranges, or full segments above it (and one byte) that tell that a segment is lost.
    static var duplicateThreshold: Int { 3 }

    /// The first bytes from `from` on, and before `limit`, that the receiver does not have; at most a segment.
    func hole(_ sender: UnsafeMutablePointer<TCPSender>, from: UInt64, before limit: UInt64) -> ByteRange? {
        var start = from
        var node = sender.pointee.sacked
        while node != RangePool.none {
            let range = ranges.range(node)
            if range.start > start {
                guard start < limit else { return nil }
                return ByteRange(start: start, end: min(start + UInt64(tuning.segment), range.start, limit))
            }
            start = max(start, range.end)
            node = ranges.next(node)
        }
        guard start < limit else { return nil }
        return ByteRange(start: start, end: min(start + UInt64(tuning.segment), limit))
    }

    /// The end of the last range that the receiver has; what is acknowledged, if it has none.
    func highestSacked(_ sender: UnsafeMutablePointer<TCPSender>) -> UInt64 {
        var highest = sender.pointee.acknowledged
        var node = sender.pointee.sacked
        while node != RangePool.none {
            highest = ranges.range(node).end
            node = ranges.next(node)
        }
        return highest
    }

    /// The start of that range.
    func lastSackedStart(_ sender: UnsafeMutablePointer<TCPSender>) -> UInt64 {
        var start = sender.pointee.acknowledged
        var node = sender.pointee.sacked
        while node != RangePool.none {
            start = ranges.range(node).start
            node = ranges.next(node)
        }
        return start
    }

    /// What of a range the receiver does not have: up to the first range that it has. Nil: nothing.
    func missing(_ range: ByteRange, _ sender: UnsafeMutablePointer<TCPSender>) -> ByteRange? {
        hole(sender, from: max(range.start, sender.pointee.acknowledged), before: range.end)
    }

    /// The first retransmission that was lost and is needed still; those before it that are not are forgotten.
    mutating func firstLostAgain(_ sender: UnsafeMutablePointer<TCPSender>) -> ByteRange? {
        while sender.pointee.lostAgain.first != RangePool.none {
            if let hole = missing(ranges.range(sender.pointee.lostAgain.first), sender) { return hole }
            _ = ranges.removeFirst(&sender.pointee.lostAgain)
        }
        return nil
    }

    /// Retransmissions are lost as well when three segments that were sent after them have arrived, as RFC 8985 finds
    /// them by time; RFC 6675 would wait for the retransmission timer.
    mutating func findLostRepeats(_ sender: UnsafeMutablePointer<TCPSender>, arrived order: UInt32) {
        while sender.pointee.repeats.first != RangePool.none {
            let node = sender.pointee.repeats.first
            guard
                ranges.range(node).end <= sender.pointee.acknowledged
                    || Int(ranges.stamp(node)) + Self.duplicateThreshold <= Int(order)
            else { return }
            let range = ranges.removeFirst(&sender.pointee.repeats)
            guard sender.pointee.phase != .open, let hole = missing(range, sender) else { continue }
            ranges.append(hole, stamp: 0, to: &sender.pointee.lostAgain)
        }
    }

    private func lostAgainBytes(_ sender: UnsafeMutablePointer<TCPSender>) -> Int {
        var bytes = 0
        var node = sender.pointee.lostAgain.first
        while node != RangePool.none {
            bytes += missing(ranges.range(node), sender)?.count ?? 0
            node = ranges.next(node)
        }
        return bytes
    }

    /// Takes over what an acknowledgement reports; true when some of it is new.
    mutating func note(_ segment: UnsafeMutablePointer<TCPSegment>, _ sender: UnsafeMutablePointer<TCPSender>) -> Bool {
        var added = 0
        for index in 0..<Int(segment.pointee.blockCount) {
            var range = segment.pointee.blocks[index]
            guard range.end > sender.pointee.acknowledged else { continue }
            range.start = max(range.start, sender.pointee.acknowledged)
            added += ranges.insert(range, ordered: &sender.pointee.sacked)
        }
        guard added > 0 else { return false }
        sender.pointee.sackedBytes += added
        countRanges(sender)
        return true
    }

    /// Everything before `acknowledged` has arrived.
    mutating func forget(before acknowledged: UInt64, _ sender: UnsafeMutablePointer<TCPSender>) {
        guard sender.pointee.sacked != RangePool.none else { return }
        sender.pointee.sackedBytes -= ranges.drop(before: acknowledged, ordered: &sender.pointee.sacked)
        countRanges(sender)
    }

    private func countRanges(_ sender: UnsafeMutablePointer<TCPSender>) {
        var count = 0
        var node = sender.pointee.sacked
        while node != RangePool.none {
            count += 1
            node = ranges.next(node)
        }
        sender.pointee.sackedRanges = count
    }

    /// Below which byte everything missing is lost: with three ranges or more than two segments above it.
    func lossLimit(_ sender: UnsafeMutablePointer<TCPSender>) -> UInt64 {
        var limit = sender.pointee.acknowledged
        var bytes = sender.pointee.sackedBytes
        var count = sender.pointee.sackedRanges
        var node = sender.pointee.sacked
        let enough = (Self.duplicateThreshold - 1) * tuning.segment
        while node != RangePool.none, count >= Self.duplicateThreshold || bytes > enough {
            let range = ranges.range(node)
            limit = range.start
            bytes -= range.count
            count -= 1
            node = ranges.next(node)
        }
        return limit
    }

    /// Counts the bytes in the network anew: sent, not reported as arrived, not lost; and what was sent again.
    func countUnderWay(_ sender: UnsafeMutablePointer<TCPSender>) {
        if sender.pointee.phase == .open {
            sender.pointee.underWay = sender.pointee.outstanding - sender.pointee.sackedBytes
            return
        }
        var total = 0
        var start = sender.pointee.acknowledged
        var node = sender.pointee.sacked
        while node != RangePool.none {
            let range = ranges.range(node)
            total += underWay(ByteRange(start: start, end: max(start, range.start)), sender)
            start = range.end
            node = ranges.next(node)
        }
        total += underWay(ByteRange(start: start, end: sender.pointee.next), sender)
        sender.pointee.underWay = max(0, total - lostAgainBytes(sender))
    }

    private func underWay(_ hole: ByteRange, _ sender: UnsafeMutablePointer<TCPSender>) -> Int {
        var total = 0
        if hole.end > sender.pointee.lostBefore { total += Int(hole.end - max(hole.start, sender.pointee.lostBefore)) }
        let repeated = min(hole.end, sender.pointee.repeatedBefore)
        if repeated > hole.start { total += Int(repeated - hole.start) }
        return total
    }
}
