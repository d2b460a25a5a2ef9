// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers

/// The receiving half of an RPC: what has arrived, what is missing, what was granted, and where it lies.
struct IncomingMessage: BitwiseCopyable {
    enum Buffers: UInt8 {
        /// No packet has arrived yet.
        case none
        /// Waiting for bpages; data is dropped and will be asked for again.
        case waiting
        /// A lease covers the whole message.
        case held
    }

    /// Where the message stands in the granter's books.
    enum GrantState: UInt8 {
        /// Needs no grant, or nothing is known of it.
        case none
        /// Would like grants, but others come first.
        case queued
        /// One of the few messages being granted to.
        case active
    }

    var length: UInt32 = 0
    /// Distinct bytes received.
    var received: UInt32 = 0
    /// One past the highest byte received.
    var end: UInt32 = 0
    /// Exclusive end of what the sender may transmit.
    var granted: UInt32 = 0
    /// Missing below `end`.
    var gaps = RangeList()
    var lease = BufferLease(slot: 0, generation: 0)
    var buffers = Buffers.none
    var grantState = GrantState.none
    /// The sender fell silent, or brought next to nothing; the message is not granted to nor counted until it brings
    /// something.
    var isStalled = false
    /// Its peer was on trial when it last took its place.
    var isOnTrial = false
    /// It was granted something; before that its sender's word is all there is for `granted`.
    var isGranted = false
    /// When it was last looked whether the sender keeps pace, or what it has to bring began to be on its way, and what
    /// had been received then.
    var paceSince = Instant.zero
    var paceReceived: UInt32 = 0
    /// `Peer.arrived` when the last new bytes of the message came, or were asked for.
    var peerArrived: UInt32 = 0
    /// Bytes that the peer may deliver from then on before the message is late.
    var ahead: UInt32 = 0
    /// What has not come up to there is lost if one packet of it comes that was asked for again; 0: none was.
    var tailEnd: UInt32 = 0
    /// The level of the last grant.
    var grantPriority: UInt8 = 0
    /// What this message contributes to the receiver's total of incoming bytes.
    var counted: UInt32 = 0
    /// What it contributes to its peer's.
    var expected: UInt32 = 0
    /// Counts among those whose unscheduled bytes are on their way until so many bytes are here; 0: does not.
    var unscheduledEnd: UInt32 = 0
    /// Whether the message needed grants when it was first seen.
    var isScheduled = false
    /// A grant let the sender go beyond this offset at that time; its data will tell how long that takes. `max`: none.
    var timedOffset = UInt32.max
    var timedSince = Instant.zero
    /// Bytes that were on their way when it left.
    var timedBehind: UInt32 = 0
    /// Bytes taken for lost and not asked for again: what is missing from `askedEnd` to before `lostEnd`.
    var lost: UInt32 = 0
    /// Those, and those asked for again that have not come: all that is missing before `lostEnd`.
    var missing: UInt32 = 0
    var askedEnd: UInt32 = 0
    var lostEnd: UInt32 = 0
    /// Links in the heap of the peer's queued messages.
    var child = UInt32.max
    var sibling = UInt32.max
    var previous = UInt32.max
    /// Among the messages that may be granted to, by age.
    var ageLinks = SlabLinks()

    var remaining: UInt32 { length - received }
    var isComplete: Bool { received == length }
    /// Permitted and not yet here.
    var outstanding: UInt32 { granted > received + lost ? granted - received - lost : 0 }
    /// Neither are bytes under way, nor are any missing that have been asked for; with gaps, bytes beyond the grant may
    /// have come, and do not make up for those missing.
    var waitsForGrant: Bool { received + lost >= granted && received + lost == end }
    /// Brings what is on its way at the least rate: a part of it since the last look. A byte now and then does not make
    /// up for what the message keeps from others.
    var keepsPace: Bool { received - paceReceived >= max(1, outstanding / Self.paces) }
    /// In so many looks, at `resendAfter` or what the peer usually takes, all that is on its way must have come.
    private static var paces: UInt32 { 16 }
    /// Wants a place among those granted to. Lost bytes keep it until they have come: a burst that was lost must not
    /// come again as a burst, as many short messages would if places were free once all was asked for.
    var needsGrants: Bool { buffers == .held && (granted < length || missing > 0) }
}

/// What the arrival of a packet's bytes meant for a message.
enum Arrival {
    /// So many bytes are new.
    case new(UInt32)
    case duplicate
    case tooManyGaps
}

extension RangePool {
    /// Notes that `range` of the message has arrived.
    mutating func arrive(_ range: Range<UInt32>, in message: inout IncomingMessage, maximumGaps: Int32) -> Arrival {
        if range.lowerBound == message.end {
            message.end = range.upperBound
            message.received += range.upperBound - range.lowerBound
            return .new(range.upperBound - range.lowerBound)
        }
        if range.lowerBound > message.end {
            guard message.gaps.count < maximumGaps, append(message.end..<range.lowerBound, to: &message.gaps) else {
                return .tooManyGaps
            }
            message.end = range.upperBound
            message.received += range.upperBound - range.lowerBound
            return .new(range.upperBound - range.lowerBound)
        }
        guard var fresh = subtract(range, from: &message.gaps, limit: maximumGaps) else { return .tooManyGaps }
        if range.upperBound > message.end {
            fresh += range.upperBound - message.end
            message.end = range.upperBound
        }
        message.received += fresh
        return fresh == 0 ? .duplicate : .new(fresh)
    }
}
