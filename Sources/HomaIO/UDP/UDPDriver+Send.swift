// SPDX-License-Identifier: Apache-2.0

public import HomaBase

extension UDPDriver {
    /// Bytes of each header buffer.
    public static var maximumHeaderBytes: Int { SendQueue.headerBytes }

    /// Packets appended and not yet sent or dropped.
    public var queuedPackets: Int { sendQueue.queuedPackets }

    /// True when ``flush()`` must make room before the next packet.
    public var isFull: Bool { sendQueue.isFull }

    /// Where the next packet's header goes; ``maximumHeaderBytes`` long, contents undefined. Valid until
    /// the next append or flush; reserving again without appending gives the same bytes.
    public func reserveHeader() -> UnsafeMutableRawBufferPointer {
        precondition(!sendQueue.isFull, "flush before the queue is full")
        return sendQueue.nextHeader
    }

    /// Queues one packet: the header just filled, and payload that is read where it lies.
    ///
    /// Packets leave in this order. Neighbours to the same peer with the same priority and length (the
    /// last may be shorter) travel to the device as one train.
    ///
    /// - Parameters:
    ///   - headerByteCount: 1 … ``maximumHeaderBytes``.
    ///   - payload: must stay valid and unchanged until a flush has sent it; nil without payload.
    ///   - payloadByteCount: 0 or more. A packet too long for the path is dropped by the flush and
    ///     reported by ``nextError()``.
    ///   - peer: where it goes.
    ///   - priority: 0 … 7; becomes the top three bits of the traffic class.
    ///   - bundleBytes: length of datagrams, at most 65 535, in which the packet may go together with others; 0: it
    ///     goes alone.
    public mutating func append(
        headerByteCount: Int, payload: UnsafeRawPointer?, payloadByteCount: Int,
        to peer: PeerAddress, priority: UInt8, bundleBytes: UInt32 = 0
    ) {
        precondition(!sendQueue.isFull, "flush before the queue is full")
        precondition(headerByteCount > 0 && headerByteCount <= Self.maximumHeaderBytes)
        precondition(payloadByteCount >= 0 && payloadByteCount <= 1 << 20 && (payload != nil || payloadByteCount == 0))
        precondition(priority < HomaLimits.priorityLevels)
        sendQueue.append(
            headerByteCount: headerByteCount, payload: payload, payloadByteCount: payloadByteCount,
            to: peer, priority: priority, mayJoin: isUsingGSO && !deniedPeers.contains(peer),
            bundleBytes: bundleBytes)
    }

    /// Packets that can be appended before the next flush.
    var room: Int { sendQueue.room }

    /// Queues packets that go on with the message of the last one, which had payload: see `Endpoint.continueTrain`.
    ///
    /// - Parameters:
    ///   - count: at most ``room``.
    ///   - offset: of the first of them in the message.
    mutating func appendFollowers(_ count: Int, from offset: UInt32, to peer: PeerAddress) {
        precondition(count <= sendQueue.room && sendQueue.queuedPackets > 0)
        sendQueue.appendFollowers(count, from: offset, mayJoin: isUsingGSO && !deniedPeers.contains(peer))
    }
}
