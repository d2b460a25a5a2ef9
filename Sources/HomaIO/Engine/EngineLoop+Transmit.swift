// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore
internal import HomaWire

/// From the protocol to the network.
extension EngineLoop where Driver: ~Copyable {
    /// Sends what may leave now, at most one round's worth. True when any packet was taken.
    @discardableResult
    func transmit() -> Bool {
        guard flushBacklog() else { return false }
        let limit = packetsThisRound
        let count = withUnsafeTemporaryAllocation(of: OutgoingPacket.self, capacity: 1) { packet in
            var count = 0
            // Whatever is new may be short, and should not wait for more than the train in hand.
            while count < limit, count < Self.smallestBatch || !signal.hasNews, !driver.pointee.isFull,
                state.pointee.endpoint.nextPacket(at: state.pointee.now, into: packet.baseAddress!)
            {
                append(packet.baseAddress!)
                count += 1
                count += appendFollowers(of: packet.baseAddress!, atMost: limit - count)
            }
            return count
        }
        guard count > 0 else { return false }
        flush()
        return true
    }

    /// So many packets are sent whatever is new: short messages are cheap in batches only.
    private static var smallestBatch: Int { 16 }

    /// While short messages come and go, half as much, so that the next one waits for one train and not for two.
    private var packetsThisRound: Int {
        let hasShort = state.pointee.now.nanoseconds(since: state.pointee.lastShort) < 1_000_000
        let limit = engine.configuration.packetsPerRound
        return hasShort ? (limit + 1) / 2 : limit
    }

    @inline(__always)
    private func append(_ packet: UnsafeMutablePointer<OutgoingPacket>) {
        let length = packet.pointee.header.write(into: driver.pointee.reserveHeader())
        if case .data(let data) = packet.pointee.header.body, data.messageLength == data.payloadLength {
            state.pointee.lastShort = state.pointee.now
        }
        let payload =
            packet.pointee.payloadLength > 0
            ? engine.payloadBase(packet.pointee.payload) + packet.pointee.payloadOffset : nil
        driver.pointee.append(
            headerByteCount: length, payload: payload, payloadByteCount: packet.pointee.payloadLength,
            to: packet.pointee.peer, priority: packet.pointee.priority, bundleBytes: packet.pointee.bundleBytes,
            isUnheard: packet.pointee.isUnheard)
    }

    /// The rest of the train that the packet begins; how many packets those are.
    @inline(__always)
    private func appendFollowers(of packet: UnsafeMutablePointer<OutgoingPacket>, atMost limit: Int) -> Int {
        guard packet.pointee.payloadLength > 0 else { return 0 }
        let count = state.pointee.endpoint.continueTrain(
            after: packet, atMost: min(limit, driver.pointee.room), at: state.pointee.now)
        guard count > 0 else { return 0 }
        driver.pointee.appendFollowers(
            count, from: UInt32(packet.pointee.payloadOffset + packet.pointee.payloadLength), to: packet.pointee.peer)
        return count
    }

    /// Tries again to send what the kernel had no room for. True when other packets may leave.
    private func flushBacklog() -> Bool {
        guard driver.pointee.queuedPackets > 0 else { return true }
        flush()
        return state.pointee.backlog.letsOthersPass
    }

    private func flush() {
        state.pointee.backlog = driver.pointee.flush(at: state.pointee.now).remainder
        state.pointee.queuedPackets = driver.pointee.queuedPackets
        state.pointee.appendedPackets = driver.pointee.appendedPackets
        releasePending()
        if driver.pointee.mayHaveErrors { takeNetworkErrors() }
    }

    /// Lets go of payload to which no queued packet points any more.
    private func releasePending() {
        guard state.pointee.releases.count > 0 else { return }
        let oldest = driver.pointee.oldestQueued
        let free = state.pointee.releases.prefix { $0.appendedPackets <= oldest }
        for release in free { release.owner.release() }
        state.pointee.releases.removeFirst(free.count)
    }

    /// Believes a network error when the packet it quotes belongs to an RPC of ours.
    /// True when there was any.
    @discardableResult
    func takeNetworkErrors() -> Bool {
        var hasAny = false
        while let error = driver.pointee.nextError() {
            hasAny = true
            engine.take(error)
        }
        return hasAny
    }
}
