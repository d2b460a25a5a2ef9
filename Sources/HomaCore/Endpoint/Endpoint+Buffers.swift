// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaBuffers
import HomaWire

/// Receive buffers for arriving messages.
extension Endpoint {
    /// Sets up the receiving half of an RPC from its first packet, with buffers if there are any.
    mutating func beginIncoming(_ slot: UInt32, _ data: DataFields, at now: Instant) {
        let rpc = rpcs.at(slot)
        rpc.pointee.incoming = IncomingMessage()
        rpc.pointee.incoming.length = data.messageLength
        rpc.pointee.incoming.granted = data.incoming
        if data.isRetransmission, peer(of: slot).pointee.speaksExtensions {
            // It says how far it sends again, not how far it has sent before.
            let unscheduled = min(data.messageLength, tuning.unscheduledBytes)
            rpc.pointee.incoming.granted = max(data.incoming, unscheduled)
            rpc.pointee.incoming.tailEnd = tuning.adaptsTimers ? unscheduled : 0
        }
        rpc.pointee.incoming.paceSince = now
        if cutoffs.observe(length: data.messageLength, unscheduled: data.incoming, at: now) {
            granter.cutoffs = cutoffs.current.cutoffs
            counters.cutoffChanges += 1
        }
        if rpc.pointee.isClient { noteUsual(slot, data.incoming) }
        takeBuffers(slot, data, at: now)
        beginUnscheduled(slot, data, at: now)
    }

    private mutating func takeBuffers(_ slot: UInt32, _ data: DataFields, at now: Instant) {
        guard let pool = uncountedPool else { return holdBuffers(slot, BufferLease(slot: 0, generation: 0)) }
        let length = Int(data.messageLength)
        if !waiting.mustWait(length: length),
            let lease = pool._withUnsafeGuaranteedRef({ $0.allocate(length, shard: shard, at: now) })
        {
            if waiting.count > 0 { waiting.overtook(length: length) }
            holdBuffers(slot, lease)
        } else {
            counters.bufferStalls += 1
            rpcs.at(slot).pointee.incoming.buffers = .waiting
            peers.wait(rpcs.at(slot).pointee.peer, 1)
            waiting.insert(slot, length: length)
            pool._withUnsafeGuaranteedRef { $0.setWaiting(waiting.count, shard: shard) }
            // Space may have come back between the attempt and the notice that somebody waits.
            buffersReturned(at: now)
        }
    }

    private mutating func holdBuffers(_ slot: UInt32, _ lease: BufferLease) {
        rpcs.at(slot).pointee.incoming.lease = lease
        rpcs.at(slot).pointee.incoming.buffers = .held
        countHeld(slot, isHeld: true)
        granter.begin(slot)
    }

    /// A request's peer has the use of receive memory, or has it no longer.
    @inline(__always)
    mutating func countHeld(_ slot: UInt32, isHeld: Bool) {
        let rpc = rpcs.at(slot)
        guard !rpc.pointee.isClient else { return }
        let bytes = Int(rpc.pointee.incoming.length)
        peers.hold(rpc.pointee.peer, bytes: isHeld ? bytes : -bytes)
    }

    /// Whether the message is short enough ever to be held, and a packet of it lies in at most two places.
    mutating func fits(_ data: DataFields) -> Bool {
        data.messageLength <= longestMessage && data.payloadLength <= longestPayload
    }

    /// Buffers have come back to the pool: waiting messages get theirs, in the queue's order, and
    /// are asked for from the start.
    public mutating func buffersReturned(at now: Instant) {
        guard waiting.count > 0, let pool else { return }
        while let slot = waiting.next() {
            let rpc = rpcs.at(slot)
            guard let lease = pool.allocate(Int(rpc.pointee.incoming.length), shard: shard, at: now) else { break }
            waiting.served(slot)
            peers.wait(rpc.pointee.peer, -1)
            rpc.pointee.incoming.paceSince = now
            holdBuffers(slot, lease)
            noteProgress(slot, at: now)
            noteAhead(slot)
            rpc.pointee.nextProbe = now.advanced(byNanoseconds: tuning.resendAfter)
            // Not "everything", of which a sender first sends one packet again.
            sendResend(
                slot, offset: 0, length: Int32(max(1, rpc.pointee.incoming.granted)), priority: tuning.highPriority)
        }
        pool.setWaiting(waiting.count, shard: shard)
    }

    /// Where bytes from `offset` on belong.
    mutating func placement(_ lease: BufferLease, offset: UInt32, length: UInt32) -> Placement {
        guard let pool = uncountedPool else { return Placement(regionOffset: 0, byteCount: Int(length)) }
        let first = pool._withUnsafeGuaranteedRef { $0.piece(of: lease, at: Int(offset)) }
        if first.byteCount >= Int(length) {
            return Placement(regionOffset: first.regionOffset, byteCount: Int(length))
        }
        var second = pool._withUnsafeGuaranteedRef { $0.piece(of: lease, at: Int(offset) + first.byteCount) }
        if hasPlanted(.storesAside) { second.regionOffset -= min(8, second.regionOffset) }
        return Placement(
            regionOffset: first.regionOffset, byteCount: first.byteCount, secondRegionOffset: second.regionOffset,
            secondByteCount: Int(length) - first.byteCount)
    }
}
