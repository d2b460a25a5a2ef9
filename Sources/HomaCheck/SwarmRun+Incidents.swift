// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore

/// What happens to the hosts: how they stop, start, move and heal.
extension SwarmRun {
    func happen(_ incident: SwarmPlan.Incident, _ index: Int) {
        let host = hosts[incident.host]
        guard !isHealed, !host.isDown else { return }
        let until = min(now + incident.length, plan.length)
        let kinds: [SwarmPlan.Incident.Kind: SwarmTrace.Kind] = [
            .pause: .pause, .restart: .crash, .stop: .stop, .clock: .clock, .move: .move, .cut: .cut, .narrow: .narrow,
            .silentlyNarrow: .narrow, .stall: .stall,
        ]
        trace.note(kinds[incident.kind]!, at: now, host: host.index, other: incident.other, first: Int(until / 1000))
        switch incident.kind {
        case .pause:
            host.pausedUntil = max(host.pausedUntil, until)
            host.wasDisturbed = true
        case .restart:
            host.wasDisturbed = true
            crash(host, incident)
            queue.push(.incidentEnd, index, at: until)
        case .stop:
            guard incident.amount & 2 == 2, !host.isDraining else { return stop(host, index) }
            for shard in host.shards { shard.endpoint.beginDraining() }
            host.isDraining = true
            trace.note(.drain, at: now, host: host.index)
            later(
                .stop(host: host.index, life: host.life, incident: index), at: now + (incident.amount >> 8) % 50_000_000
            )
        case .clock:
            host.clockOffset += 1_000 << (incident.amount % 23)
            host.wasDisturbed = true
            wake(host, at: now)
        case .move: move(host, isPort: incident.amount & 1 == 1)
        case .cut:
            ways[incident.host][incident.other].cutUntil = until
            if incident.amount & 1 == 1 { ways[incident.other][incident.host].cutUntil = until }
        case .narrow, .silentlyNarrow:
            for (from, to) in [(incident.host, incident.other), (incident.other, incident.host)] {
                ways[from][to].bytes = 600 + Int(incident.amount % 800)
                ways[from][to].narrowUntil = until
                ways[from][to].isSilent = incident.kind == .silentlyNarrow
            }
        case .stall: host.stalledUntil = max(host.stalledUntil, until)
        }
    }

    func end(_ incident: SwarmPlan.Incident) { startAgain(hosts[incident.host]) }

    private func startAgain(_ host: SwarmHost) {
        guard host.isDown else { return }
        host.isDown = false
        trace.note(.start, at: now, host: host.index)
        do { try host.start(at: now) } catch { breach(.noTrap, "host \(host.index) does not start again: \(error)") }
    }

    /// As a node that is told to stop: what is left ends as aborted, and nothing is kept.
    private func bringToAnEnd(_ host: SwarmHost) {
        for (number, shard) in host.shards.enumerated() {
            shard.endpoint.sendStoredAcks()
            shard.endpoint.releaseEverything(at: host.local(now))
            while let event = shard.endpoint.nextEvent() {
                switch event {
                case .requestArrived, .messageArrived, .requestAbandoned: break
                case .payloadReleased, .callFailed, .responseArrived, .messageSent, .pathWanted:
                    handle(event, host, shard, number)
                }
            }
            guard shard.endpoint.rpcCount > 0 else { continue }
            breach(.recordsGone, "host \(host.index) shard \(number) stops with \(shard.endpoint.rpcCount) RPCs")
        }
        guard violation == nil else { return }
        for (token, payload) in payloads.enumerated() where payload.isHeld && payload.host == host.index {
            breach(.payloadOnce, "host \(host.index) stops and holds token \(token + 1)")
        }
        for (index, call) in calls.enumerated() where call.isOpen && call.operation.client == host.index {
            breach(.endsOnce, "host \(host.index) stops and call \(index) does not end", rpc: call.id)
        }
    }

    func stop(_ host: SwarmHost, _ index: Int) {
        let incident = plan.incidents[index]
        host.wasDisturbed = true
        bringToAnEnd(host)
        crash(host, incident)
        queue.push(.incidentEnd, index, at: min(now + incident.length, max(now, plan.length)))
    }

    private func crash(_ host: SwarmHost, _ incident: SwarmPlan.Incident) {
        host.saysUnreachable = incident.amount & 1 == 1
        crash(host)
    }

    private func crash(_ host: SwarmHost) {
        for index in calls.indices where calls[index].isOpen && calls[index].operation.client == host.index {
            calls[index].isOpen = false
            open -= 1
        }
        for token in payloads.indices where payloads[token].host == host.index { payloads[token].isHeld = false }
        host.end()
    }

    private func move(_ host: SwarmHost, isPort: Bool) {
        current[host.address] = nil
        host.hasMoved = true
        if isPort { host.address.port += 1 } else { host.address.low += 0x0001_0000 }
        current[host.address] = host.index
        owners[host.address] = host.index
    }

    func strangerSpeaks(_ number: Int) {
        guard !isHealed else { return }
        let packet = forges[number].packet(.stranger)
        forge(packet, from: strangerAddresses[number], to: Int(random.next() % UInt64(hosts.count)))
    }

    /// A packet that claims to be from another host. Identifiers of calls cannot be guessed, says the protocol, and are
    /// not: what is forged is about nothing, or begins something.
    func forgerSpeaks() {
        guard !isHealed else { return }
        let target = Int(random.next() % UInt64(hosts.count))
        let claimed = (target + 1 + Int(random.next() % UInt64(hosts.count - 1))) % hosts.count
        forge(forges[forges.count - 1].packet(.stranger), from: hosts[claimed].address, to: target)
    }

    func heal() {
        // What waits for slow links is overtaken from now on.
        if plan.faults.contains(.slow) { dataBeforeHealing = dataSent }
        isHealed = true
        trace.note(.healed, at: now, host: 255)
        for host in hosts {
            if host.isDraining, !host.isDown {
                // It ends now, so that it can be asked again.
                host.wasDisturbed = true
                bringToAnEnd(host)
                crash(host)
            }
            startAgain(host)
            host.stalledUntil = 0
            host.pausedUntil = min(host.pausedUntil, now)
            host.uplinkFree = min(host.uplinkFree, now)
            host.downlinkFree = min(host.downlinkFree, now)
            wake(host, at: now)
        }
        for from in ways.indices { for to in ways[from].indices { ways[from][to] = SwarmWay() } }
    }
}
