// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Packets through output ports.
extension Network {
    /// Brings a switch's port up to `now`: packets that have been sent since are followed by the next ones.
    ///
    /// A packet that arrives at the very moment at which the port chooses comes too late for that choice.
    @inline(__always)
    mutating func advance(_ index: Int, to now: UInt64) {
        let port = ports + index
        while port.pointee.isSending, port.pointee.busyUntil <= now {
            let end = port.pointee.busyUntil
            release(port, index, at: end)
            guard port.pointee.waiting != 0 else { return }
            let next = takeFirst(port, index)
            send(next, port, index, at: end)
        }
    }

    /// Highest priority first, first come first served within it.
    @inline(__always)
    private mutating func takeFirst(_ port: UnsafeMutablePointer<Port>, _ index: Int) -> UInt32 {
        let priority = 7 - port.pointee.waiting.leadingZeroBitCount
        let queue = queues + (index << 3 + priority)
        let packet = queue.pointee.head
        let next = packets.at(packet).pointee.next
        queue.pointee.head = next
        if next == Packet.none {
            queue.pointee.tail = Packet.none
            port.pointee.waiting &= ~(1 << UInt8(priority))
        }
        return packet
    }

    /// Starts to send a packet on the link of a port that is idle.
    @inline(__always)
    mutating func send(_ index: UInt32, _ port: UnsafeMutablePointer<Port>, _ portIndex: Int, at time: UInt64) {
        let packet = packets.at(index)
        if port.pointee.tier == .hostDownlink { noteUse(port, at: time) }
        let duration = port.pointee.picoseconds(packet.pointee.wireBytes)
        let end = time &+ duration
        port.pointee.busyUntil = end
        port.pointee.isSending = true
        port.pointee.busyTime &+= duration
        port.pointee.sendingPriority = packet.pointee.priority
        port.pointee.sendingCharge = packet.pointee.charge
        let queue = queues + (portIndex << 3 + Int(packet.pointee.priority))
        queue.pointee.packets &+= 1
        queue.pointee.wireBytes &+= UInt64(packet.pointee.wireBytes)
        packet.pointee.time = cutThrough ? cutThroughArrival(packet, port, start: time) : end &+ port.pointee.delay
        packet.pointee.next = Packet.none
        hops &+= 1
        if port.pointee.flightHead == Packet.none {
            port.pointee.flightHead = index
            if !port.pointee.hasEvent {
                port.pointee.hasEvent = true
                events.push(packet.pointee.time, UInt32(portIndex))
            }
        } else {
            packets.at(port.pointee.flightTail).pointee.next = index
        }
        port.pointee.flightTail = index
    }

    /// When a cut-through switch can begin to send the packet on.
    private mutating func cutThroughArrival(
        _ packet: UnsafeMutablePointer<Packet>, _ port: UnsafeMutablePointer<Port>, start: UInt64
    ) -> UInt64 {
        let bytes = packet.pointee.wireBytes
        let end = start &+ port.pointee.picoseconds(bytes)
        guard port.pointee.endsAt != .host else { return end &+ port.pointee.delay }
        let header = start &+ port.pointee.picoseconds(min(bytes, Self.headerWireBytes))
        let goesDown = port.pointee.endsAt == .leaf && leafOf[Int(packet.pointee.destination)] == port.pointee.end
        let rate = goesDown ? picosecondsPerKiBHost : picosecondsPerKiBUplink
        let onward = (UInt64(bytes) &* rate &+ 1023) >> 10
        // A faster way out must not run dry in the middle of the packet.
        return max(header, end > onward ? end - onward : 0) &+ port.pointee.delay
    }

    /// Takes the packet that arrives now off the link, and schedules the port's next event.
    @inline(__always)
    mutating func land(_ index: Int, at now: UInt64) -> UInt32 {
        let port = ports + index
        let packet = port.pointee.flightHead
        guard packet != Packet.none, packets.at(packet).pointee.time <= now else { return Packet.none }
        let next = packets.at(packet).pointee.next
        port.pointee.flightHead = next
        if next == Packet.none { port.pointee.flightTail = Packet.none }
        return packet
    }

    /// Makes sure that something happens when the port's next packet arrives, or has to be chosen.
    @inline(__always)
    mutating func rearm(_ index: Int) {
        let port = ports + index
        guard !port.pointee.hasEvent else { return }
        if port.pointee.flightHead != Packet.none {
            port.pointee.hasEvent = true
            events.push(packets.at(port.pointee.flightHead).pointee.time, UInt32(index))
        } else if port.pointee.isSending, port.pointee.waiting != 0 || port.pointee.owner < 0 {
            port.pointee.hasEvent = true
            events.push(port.pointee.busyUntil, UInt32(index))
        }
    }

    /// A packet reaches a switch: it goes into the queue of its way out, or is dropped.
    @inline(__always)
    mutating func enter(_ index: UInt32, from link: UnsafeMutablePointer<Port>, at now: UInt64) {
        let packet = packets.at(index)
        enqueue(index, packet, route(packet, at: link.pointee.endsAt, Int(link.pointee.end)), at: now)
    }

    @inline(__always)
    private mutating func route(_ packet: UnsafeMutablePointer<Packet>, at kind: NodeKind, _ node: Int) -> Int {
        let destination = packet.pointee.destination
        let leaf = Int(leafOf[Int(destination)])
        if kind == .spine { return spineDownlink(of: node, to: leaf) }
        if leaf == node { return downlink(to: destination) }
        return uplink(of: node, to: chooseSpine(packet))
    }

    @inline(__always)
    private mutating func chooseSpine(_ packet: UnsafeMutablePointer<Packet>) -> Int {
        let bits: UInt64
        if sprays {
            bits = random.next()
        } else {
            let pair = UInt64(packet.pointee.source) << 48 | UInt64(packet.pointee.destination) << 32
            var hash = SeededRandom(seed: hashSeed ^ pair ^ UInt64(packet.pointee.flow))
            bits = hash.next()
        }
        return Int((bits >> 32 &* UInt64(spines)) >> 32)
    }

    @inline(__always)
    private mutating func enqueue(
        _ index: UInt32, _ packet: UnsafeMutablePointer<Packet>, _ portIndex: Int, at now: UInt64
    ) {
        let port = ports + portIndex
        advance(portIndex, to: now)
        let owner = switches + Int(port.pointee.owner)
        let stored = Int(packet.pointee.wireBytes) - FrameFormat.unstoredBytes
        let cell = owner.pointee.cell
        let charge = cell == 1 ? stored : (stored + cell - 1) / cell * cell
        if let reason = refusal(packet, port, portIndex, owner, charge: charge, at: now) {
            return drop(index, packet, port, reason)
        }
        packet.pointee.charge = UInt32(charge)
        packet.pointee.time = now
        take(charge, packet.pointee.priority, port, portIndex, owner, at: now)
        guard port.pointee.isSending else { return send(index, port, portIndex, at: now) }
        packet.pointee.next = Packet.none
        let queue = queues + (portIndex << 3 + Int(packet.pointee.priority))
        if queue.pointee.tail == Packet.none {
            queue.pointee.head = index
            port.pointee.waiting |= 1 << packet.pointee.priority
        } else {
            packets.at(queue.pointee.tail).pointee.next = index
        }
        queue.pointee.tail = index
        rearm(portIndex)
    }

    private mutating func drop(
        _ index: UInt32, _ packet: UnsafeMutablePointer<Packet>, _ port: UnsafeMutablePointer<Port>,
        _ reason: NetworkDrop
    ) {
        dropped += 1
        dropPackets[Int(reason.rawValue)] += 1
        dropBytes[Int(reason.rawValue)] += UInt64(packet.pointee.wireBytes)
        port.pointee.drops += 1
        packets.give(index)
    }

    /// Packets in queues and on links, counted one by one.
    mutating func countUnderWay() -> UInt64 {
        var count: UInt64 = 0
        for index in 0..<portCount {
            count += length(of: ports[index].flightHead)
            for priority in 0..<8 { count += length(of: queues[index << 3 + priority].head) }
        }
        return count
    }

    private func length(of list: UInt32) -> UInt64 {
        var count: UInt64 = 0
        var packet = list
        while packet != Packet.none {
            count += 1
            packet = packets.at(packet).pointee.next
        }
        return count
    }
}
