// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// What happens at each event.
extension Simulation {
    @inline(__always)
    mutating func step() {
        let event = network.events.pop()
        now = event.time
        eventCount &+= 1
        let what = event.payload
        if what < timerBase {
            linkEvent(Int(what))
        } else if what < arrivalBase {
            timerEvent(UInt16(what - timerBase))
        } else if what < copyBase {
            arrival(Int(what - arrivalBase))
        } else if what < occasionBase {
            copyEvent(UInt16(what - copyBase))
        } else {
            occasion(what - occasionBase)
        }
        if messages.hasOutcomes { settle() }
    }

    // MARK: Packets

    @inline(__always)
    private mutating func linkEvent(_ index: Int) {
        let port = network.ports + index
        port.pointee.hasEvent = false
        let packet = network.land(index, at: now)
        if port.pointee.owner < 0 {
            catchUp(UInt16(index), to: now)
        } else {
            network.advance(index, to: now)
        }
        network.rearm(index)
        guard packet != Packet.none else { return }
        if port.pointee.endsAt == .host {
            deliver(packet, to: UInt16(port.pointee.end))
        } else {
            network.enter(packet, from: port, at: now)
        }
    }

    @inline(__always)
    private mutating func deliver(_ packet: UInt32, to host: UInt16) {
        received &+= 1
        if copying == .packets { return copy(packet: packet, at: host) }
        take(packet, by: host)
    }

    /// The host's transport gets the packet.
    @inline(__always)
    mutating func take(_ packet: UInt32, by host: UInt16) {
        catchUp(host, to: now)
        transport.receive(packet, at: host, now: now)
        wake(host)
    }

    /// What the host's network card has sent since it was last looked at is followed by the host's next packets.
    @inline(__always)
    private mutating func catchUp(_ host: UInt16, to time: UInt64) {
        let port = network.ports + Int(host)
        while port.pointee.isSending, port.pointee.busyUntil <= time {
            let end = port.pointee.busyUntil
            port.pointee.isSending = false
            guard transmit(host, port, at: end) else { return }
        }
    }

    /// Asks the host for the next packet; false when it has none.
    @inline(__always)
    private mutating func transmit(_ host: UInt16, _ port: UnsafeMutablePointer<Port>, at time: UInt64) -> Bool {
        let index = transport.nextPacket(host, at: time)
        guard index != Packet.none else { return false }
        let packet = packets.at(index)
        packet.pointee.time = time
        sent &+= 1
        let kind = Int(packet.pointee.kind.rawValue)
        kindPackets[kind] &+= 1
        kindWireBytes[kind] &+= UInt64(packet.pointee.wireBytes)
        kindPayload[kind] &+= UInt64(packet.pointee.payloadBytes)
        network.send(index, port, Int(host), at: time)
        return true
    }

    /// Something has happened to the host: an idle network card asks, and the next timer is set.
    @inline(__always)
    private mutating func wake(_ host: UInt16) {
        let port = network.ports + Int(host)
        if !port.pointee.isSending, transmit(host, port, at: now) { network.rearm(Int(host)) }
        setTimer(host)
        while let other = transport.nextWake() {
            let port = network.ports + Int(other)
            catchUp(other, to: now)
            if !port.pointee.isSending, transmit(other, port, at: now) { network.rearm(Int(other)) }
            setTimer(other)
        }
    }

    // MARK: Timers

    @inline(__always)
    private mutating func setTimer(_ host: UInt16) {
        var due = transport.deadline(host)
        guard due < timers[Int(host)] else { return }
        // What is due already waits for the network card, not for a timer; look again soon, in case it hides one.
        if due <= now { due = now + Self.timerPatience }
        guard due < timers[Int(host)] else { return }
        timers[Int(host)] = due
        network.events.push(due, timerBase + UInt32(host))
    }

    /// 50 µs.
    private static var timerPatience: UInt64 { 50_000_000 }

    private mutating func timerEvent(_ host: UInt16) {
        // One that was set for later than what came up since.
        guard timers[Int(host)] == now else { return }
        timers[Int(host)] = .max
        catchUp(host, to: now)
        transport.expireTimers(host, at: now)
        wake(host)
    }

    // MARK: Messages

    private mutating func arrival(_ sender: Int) {
        guard !measurementEnded || scenario.length.loadsDrain else { return }
        begin(from: UInt16(sender), to: traffic.destination(from: sender), bytes: traffic.size(from: sender))
        let gap = traffic.gap(of: sender)
        if gap != .max { network.events.push(now + gap, arrivalBase + UInt32(sender)) }
    }

    private mutating func begin(from source: UInt16, to destination: UInt16, bytes: Int) {
        let isMeasured = isMeasuring && !measurementEnded
        let message = messages.begin(
            Message(
                start: now, bytes: UInt32(bytes), responseBytes: isRPC ? UInt32(responseBytes ?? bytes) : 0,
                unsent: UInt32(bytes), source: source, destination: destination, isMeasured: isMeasured))
        if isMeasured {
            measuredStarted += 1
            if measuredStarted == wanted { endMeasurement() }
        }
        network.changeWanting(destination, by: 1, at: now)
        catchUp(source, to: now)
        transport.start(message, at: now)
        wake(source)
    }

    /// Deals with what transports told the ledger; dealing with it may add more.
    private mutating func settle() {
        var index = 0
        while index < messages.outcomeCount {
            let outcome = messages.outcome(index)
            index += 1
            switch outcome.kind {
            case .allSent:
                network.changeWanting(messages.at(outcome.message).pointee.receiver, by: -1, at: now)
            case .delivered:
                if copying == .messages { copy(message: outcome.message) } else { delivered(outcome.message) }
            case .failed: failed(outcome.message)
            }
        }
        messages.clearOutcomes()
    }

    /// The application has all of the message's present direction.
    mutating func delivered(_ index: UInt32) {
        let message = messages.at(index).pointee
        if isRPC, !message.isAnswering {
            messages.at(index).pointee.isAnswering = true
            messages.at(index).pointee.unsent = message.responseBytes
            network.changeWanting(message.source, by: 1, at: now)
            if !transport.answersItself {
                catchUp(message.destination, to: now)
                transport.start(index, at: now)
                wake(message.destination)
            }
            return
        }
        if message.isMeasured {
            measuredCompleted += 1
            meter.add(bytes: Int(message.bytes), picoseconds: now - message.start, best: best(message))
        }
        ended(index, message)
    }

    /// The best time of a message or RPC of these sizes between these hosts.
    private mutating func best(_ message: Message) -> UInt64 {
        let source = Int(message.source)
        let destination = Int(message.destination)
        let request = idle.picoseconds(bytes: Int(message.bytes), from: source, to: destination)
        guard isRPC else { return request }
        return request + idle.picoseconds(bytes: Int(message.responseBytes), from: destination, to: source)
    }

    private mutating func failed(_ index: UInt32) {
        let message = messages.at(index).pointee
        if message.unsent > 0 { network.changeWanting(message.receiver, by: -1, at: now) }
        if message.isMeasured { measuredFailed += 1 }
        ended(index, message)
    }

    private mutating func ended(_ index: UInt32, _ message: Message) {
        messages.end(index)
        if isClosed, script.isEmpty { network.events.push(now, arrivalBase + UInt32(message.source)) }
        finishIfComplete()
    }

    private mutating func finishIfComplete() {
        if measurementEnded, measuredCompleted + measuredFailed == measuredStarted { isFinished = true }
    }

    // MARK: Occasions

    private mutating func occasion(_ number: UInt32) {
        guard let occasion = Occasion(rawValue: number) else {
            let message = script[Int(number) - 16]
            return begin(from: message.source, to: message.destination, bytes: message.bytes)
        }
        switch occasion {
        case .beginMeasurement: beginMeasurement()
        case .endMeasurement: if !measurementEnded { endMeasurement() }
        case .sample:
            guard !measurementEnded else { return }
            sampler.sample(&network, at: now)
            schedule(.sample, at: now + SwitchSampler.interval)
        case .record:
            guard !measurementEnded, let interval = scenario.measurement.occupancySeriesInterval else { return }
            sampler.record(&network, at: now)
            schedule(.record, at: now + interval.picoseconds)
        case .giveUp: isFinished = true
        }
    }

    private mutating func beginMeasurement() {
        isMeasuring = true
        network.beginMeasurement(at: now)
        schedule(.sample, at: now)
        if scenario.measurement.occupancySeriesInterval != nil { schedule(.record, at: now) }
        if script.isEmpty, let duration = scenario.length.duration {
            schedule(.endMeasurement, at: now + duration.picoseconds)
        }
    }

    /// The last measured message has begun. With a script buffers are watched to the end.
    private mutating func endMeasurement() {
        measurementEnded = true
        if script.isEmpty { takeNetworkFigures() }
        schedule(.giveUp, at: now + scenario.length.drain.picoseconds)
        finishIfComplete()
    }
}
