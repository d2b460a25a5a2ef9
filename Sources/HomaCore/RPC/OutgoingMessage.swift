// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// The sending half of an RPC: how far a message has gone, how far it may go, and what must go again.
struct OutgoingMessage: BitwiseCopyable {
    /// The caller's token for the bytes.
    var payload: UInt64 = 0
    var length: UInt32 = 0
    /// Sent without a grant; a packet boundary, and `incoming` in the first packets.
    var unscheduled: UInt32 = 0
    /// Exclusive end of what may be sent.
    var granted: UInt32 = 0
    /// First byte never sent.
    var next: UInt32 = 0
    /// Its first packet goes like a short message, so that its receiver can grant while others are being sent.
    var announcesItself = false
    /// When its first packet left; the first grant will tell how long that takes.
    var begunAt = Instant.zero
    /// When something of it last left for the first time.
    var lastSent = Instant.zero
    /// Most payload bytes in one packet: what its peer's path carried when the message began. A packet that goes again
    /// covers the same bytes as the first time, or several do, when the path carries less by now.
    var segment: UInt32 = 0
    /// Payload of the packets that were last reported to be too long, as the path carries less since.
    var refused = UInt32.max
    /// From where on its receiver last asked for what had left, when, and how often in a row from there, since when.
    var askedFrom = UInt32.max
    var askedTimes: UInt8 = 0
    var askedAt = Instant.zero
    var askedSince = Instant.zero
    /// From where on something was last sent again, when, and how often in a row.
    var sentAgainFrom = UInt32.max
    var sentAgainTimes: UInt8 = 0
    var sentAgainAt = Instant.zero
    /// Its receiver has said before that it does not know of it.
    var wasUnknown = false
    /// Until then that comes as no news: it has been sent again since.
    var ignoresUnknownUntil = Instant.zero
    /// A response of which only what its client has paid for has been sent, as nobody knows whether that is there;
    /// `granted` is then less than `unscheduled`.
    var isHeldBack = false
    /// Level of unscheduled packets; chosen when the message is created.
    var unscheduledPriority: UInt8 = 0
    /// Levels of scheduled packets.
    var levels = GrantedLevels()
    /// Level that the last RESEND asked for.
    var resendPriority: UInt8 = 0
    /// Sent before and to be sent again, in whole packets.
    var resends = RangeList()

    /// True when there is something to transmit now.
    var isSendable: Bool { next < granted || !resends.isEmpty }
    var isFullySent: Bool { next == length }
    /// Needs grants.
    var isLong: Bool { unscheduled < length }
    var remaining: UInt32 { length - next }
    /// Key for shortest-remaining-first.
    var rank: UInt32 { announcesItself && next == 0 ? segment : remaining }

    /// Level of the packet that starts at `offset`, when it goes for the first time.
    func priority(at offset: UInt32) -> UInt8 { offset < unscheduled ? unscheduledPriority : levels.level(at: offset) }

    /// The packet that starts at or contains `offset`: boundaries lie at multiples of `segment`
    /// counted from 0 up to the unscheduled limit, and from that limit on.
    func packet(containing offset: UInt32) -> Range<UInt32> {
        let base = offset < unscheduled ? 0 : unscheduled
        let limit = offset < unscheduled ? unscheduled : length
        let start = base + (offset - base) / segment * segment
        return start..<min(start + segment, limit)
    }

    /// The packet that starts exactly at `offset`, towards a peer whose path carries `most` bytes of payload.
    func packet(startingAt offset: UInt32, atMost most: UInt32) -> Range<UInt32> {
        offset..<min(offset + min(segment, most), offset < unscheduled ? unscheduled : length)
    }
}

/// At which level the bytes go that grants have released: each at that of the grant that released them.
///
/// A grant is seldom more than one ahead of the bytes. Of more than three that wait, the last ones share a level.
struct GrantedLevels: BitwiseCopyable {
    /// Of what lies before the first boundary.
    private var first: UInt8 = 0
    /// From where on another level holds, in order.
    private var bounds = InlineArray<3, UInt32>(repeating: 0)
    private var later = InlineArray<3, UInt8>(repeating: 0)
    private var count = 0

    /// Bytes from `start` on are released; those up to `next` have left.
    mutating func grant(from start: UInt32, at level: UInt8, next: UInt32) {
        while count > 0, bounds[0] <= next { removeFirst() }
        if start <= next {
            count = 0
            first = level
        } else if level != self.level(at: start) {
            if count == bounds.count {
                later[count - 1] = level
            } else {
                bounds[count] = start
                later[count] = level
                count += 1
            }
        }
    }

    private mutating func removeFirst() {
        first = later[0]
        for position in 1..<max(1, count) {
            bounds[position - 1] = bounds[position]
            later[position - 1] = later[position]
        }
        count -= 1
    }

    func level(at offset: UInt32) -> UInt8 {
        var level = first
        for position in 0..<count where bounds[position] <= offset { level = later[position] }
        return level
    }

    /// Where another level begins than that at `offset`; `max`: nowhere.
    func end(after offset: UInt32) -> UInt32 {
        for position in 0..<count where bounds[position] > offset { return bounds[position] }
        return .max
    }
}
