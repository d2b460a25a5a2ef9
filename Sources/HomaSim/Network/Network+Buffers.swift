// SPDX-License-Identifier: Apache-2.0

/// Memory of switches: who gets in, what is charged, what is given back.
extension Network {
    /// Why a packet that wants into a queue is dropped; nil when it is let in. Marks it for congestion on the way.
    @inline(__always)
    mutating func refusal(
        _ packet: UnsafeMutablePointer<Packet>, _ port: UnsafeMutablePointer<Port>, _ portIndex: Int,
        _ owner: UnsafeMutablePointer<SwitchState>, charge: Int, at now: UInt64
    ) -> NetworkDrop? {
        let queued = port.pointee.queuedBytes
        if queued >= owner.pointee.selectiveThreshold, packet.pointee.marks.contains(.droppable) { return .selective }
        if queued >= owner.pointee.ecnThreshold, packet.pointee.marks.contains(.takesMarks) {
            packet.pointee.marks.insert(.congested)
        }
        guard owner.pointee.isLimited else { return nil }
        let queue = queues + (portIndex << 3 + Int(packet.pointee.priority))
        guard shortage(queue, port, owner, charge: charge) != nil else { return nil }
        // Ports that nothing made us look at may have sent packets by now that still count.
        advanceAll(of: owner, to: now)
        return shortage(queue, port, owner, charge: charge)
    }

    private mutating func shortage(
        _ queue: UnsafeMutablePointer<PriorityQueue>, _ port: UnsafeMutablePointer<Port>,
        _ owner: UnsafeMutablePointer<SwitchState>, charge: Int
    ) -> NetworkDrop? {
        let before = sharedPart(queue.pointee.bytes, owner.pointee.reserve)
        let extra = sharedPart(queue.pointee.bytes + charge, owner.pointee.reserve) - before
        guard extra > 0 else { return nil }
        let pool = pools + Int(port.pointee.pool)
        let free = pool.pointee.capacity - pool.pointee.used
        if extra > free { return .bufferFull }
        if owner.pointee.alpha.isFinite, Double(before) >= owner.pointee.alpha * Double(free) { return .threshold }
        return nil
    }

    /// What a queue of so many bytes takes of the shared memory: all beyond its reserve.
    @inline(__always)
    private func sharedPart(_ bytes: Int, _ reserve: Int) -> Int { max(0, bytes - reserve) }

    @inline(__always)
    mutating func take(
        _ charge: Int, _ priority: UInt8, _ port: UnsafeMutablePointer<Port>, _ portIndex: Int,
        _ owner: UnsafeMutablePointer<SwitchState>, at now: UInt64
    ) {
        let queue = queues + (portIndex << 3 + Int(priority))
        let before = queue.pointee.bytes
        noteOccupancy(queue, of: port, priority, at: now)
        queue.pointee.bytes = before + charge
        if before + charge > queue.pointee.maximumBytes { queue.pointee.maximumBytes = before + charge }
        if owner.pointee.isLimited {
            let reserve = owner.pointee.reserve
            pools[Int(port.pointee.pool)].used += sharedPart(before + charge, reserve) - sharedPart(before, reserve)
        }
        noteOccupancy(port, at: now)
        port.pointee.queuedBytes += charge
        if port.pointee.queuedBytes > port.pointee.maximumBytes { port.pointee.maximumBytes = port.pointee.queuedBytes }
        if port.pointee.tier == .leafUplink {
            owner.pointee.uplinkBytes += charge
        } else {
            owner.pointee.downlinkBytes += charge
        }
        if isRecord(owner) {
            // Only once it is certain that no packet is counted that has left.
            advanceAll(of: owner, to: now)
            noteRecord(owner)
        }
    }

    /// The packet being sent has been sent.
    @inline(__always)
    mutating func release(_ port: UnsafeMutablePointer<Port>, _ portIndex: Int, at time: UInt64) {
        port.pointee.isSending = false
        guard port.pointee.owner >= 0 else { return }
        let owner = switches + Int(port.pointee.owner)
        let charge = Int(port.pointee.sendingCharge)
        let queue = queues + (portIndex << 3 + Int(port.pointee.sendingPriority))
        let before = queue.pointee.bytes
        noteOccupancy(queue, of: port, port.pointee.sendingPriority, at: time)
        queue.pointee.bytes = before - charge
        if owner.pointee.isLimited {
            let reserve = owner.pointee.reserve
            pools[Int(port.pointee.pool)].used -= sharedPart(before, reserve) - sharedPart(before - charge, reserve)
        }
        noteOccupancy(port, at: time)
        port.pointee.queuedBytes -= charge
        if port.pointee.tier == .leafUplink {
            owner.pointee.uplinkBytes -= charge
        } else {
            owner.pointee.downlinkBytes -= charge
        }
    }

    mutating func advanceAll(of owner: UnsafeMutablePointer<SwitchState>, to now: UInt64) {
        for index in owner.pointee.downlinks { advance(index, to: now) }
        for index in owner.pointee.uplinks { advance(index, to: now) }
    }

    // MARK: Measured

    /// Accounts the occupancy since the last change; before it changes.
    @inline(__always)
    mutating func noteOccupancy(_ port: UnsafeMutablePointer<Port>, at time: UInt64) {
        let elapsed = time &- port.pointee.lastChange
        guard elapsed > 0 else { return }
        port.pointee.area += Double(port.pointee.queuedBytes) * Double(elapsed)
        tierOccupancy[Int(port.pointee.tier.rawValue)].add(UInt64(port.pointee.queuedBytes), weight: elapsed)
        port.pointee.lastChange = time
    }

    /// The same for one priority of the port.
    @inline(__always)
    mutating func noteOccupancy(
        _ queue: UnsafeMutablePointer<PriorityQueue>, of port: UnsafeMutablePointer<Port>, _ priority: UInt8,
        at time: UInt64
    ) {
        let elapsed = time &- queue.pointee.lastChange
        guard elapsed > 0 else { return }
        queue.pointee.area += Double(queue.pointee.bytes) * Double(elapsed)
        let level = Int(port.pointee.tier.rawValue) << 3 + Int(priority)
        priorityOccupancy[level].add(UInt64(queue.pointee.bytes), weight: elapsed)
        queue.pointee.lastChange = time
    }

    @inline(__always)
    private func isRecord(_ owner: UnsafeMutablePointer<SwitchState>) -> Bool {
        let down = owner.pointee.downlinkBytes
        let up = owner.pointee.uplinkBytes
        return down + up > owner.pointee.maximumBytes || down > owner.pointee.maximumDownlinkBytes
            || up > owner.pointee.maximumUplinkBytes
    }

    private func noteRecord(_ owner: UnsafeMutablePointer<SwitchState>) {
        let down = owner.pointee.downlinkBytes
        let up = owner.pointee.uplinkBytes
        owner.pointee.maximumBytes = max(owner.pointee.maximumBytes, down + up)
        owner.pointee.maximumDownlinkBytes = max(owner.pointee.maximumDownlinkBytes, down)
        owner.pointee.maximumUplinkBytes = max(owner.pointee.maximumUplinkBytes, up)
    }

    /// A host downlink begins to send: until now it may have been idle while a message wanted it.
    @inline(__always)
    mutating func noteUse(_ port: UnsafeMutablePointer<Port>, at time: UInt64) {
        let host = Int(port.pointee.end)
        guard wanting[host] > 0 else { return }
        let idleSince = max(wantNoted[host], port.pointee.busyUntil)
        if time > idleSince { wasted += Double(time &- idleSince) }
        wantNoted[host] = time
    }

    /// One message more, or less, has bytes for the host that its sender has not sent.
    mutating func changeWanting(_ host: UInt16, by difference: Int32, at now: UInt64) {
        let index = downlink(to: host)
        advance(index, to: now)
        let port = ports + index
        if !port.pointee.isSending { noteUse(port, at: now) }
        if wanting[Int(host)] == 0 { wantNoted[Int(host)] = now }
        wanting[Int(host)] = UInt32(Int32(wanting[Int(host)]) + difference)
    }
}
