// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCheck
import HomaIO

/// What happens to the hosts: how they stand still, stop, start, move and heal.
extension EngineRun {
    func happen(_ incident: EnginePlan.Incident) {
        let host = hosts[incident.host]
        guard !isHealed, host.isUp else { return }
        let until = min(world.now.advanced(byNanoseconds: incident.length), plan.heals)
        tracer?.trace.note(
            incident.kind.traced, at: world.now.nanoseconds, host: host.index, other: incident.other,
            first: Int(until.nanoseconds / 1000))
        switch incident.kind {
        case .pause, .sleep: stand(host, sleeps: incident.kind == .sleep, until: until)
        case .leap:
            host.memory.leapClock(byNanoseconds: 1_000 << (incident.amount % 23))
            figures[.leaps, default: 0] += 1
        case .crash: crash(host, isSilent: incident.amount & 1 == 1, until: until)
        case .restart: restart(host, drain: incident.amount & 1 == 1 ? 0 : (incident.amount >> 8) % 50_000_000, until)
        case .end: stopForGood(host, drain: incident.amount & 1 == 1 ? 0 : 2_000_000_000)
        case .move: move(host, isPort: incident.amount & 1 == 1, isSilent: incident.amount & 2 == 2)
        case .cut, .narrow: change(incident, host, hosts[incident.other], until)
        }
    }

    private func stand(_ host: EngineHost, sleeps: Bool, until: Instant) {
        guard host.state == .up else { return }
        figures[.rests, default: 0] += 1
        if sleeps {
            host.memory.fallAsleep(stopsClock: settings.sleepStopsClocks)
        } else {
            host.memory.suspend()
        }
        host.stand(at: world.now)
        figures[.interrupted, default: 0] += calls.indices.count {
            operations[$0].client == host.index && calls[$0].hasBegun && calls[$0].ended == 0
        }
        let number = host.rests.count
        world.at(until) { [unowned self] in
            if host.state == .still, host.rests.count == number { goOn(host) }
        }
    }

    private func goOn(_ host: EngineHost) {
        tracer?.trace.note(.goesOn, at: world.now.nanoseconds, host: host.index)
        figures[.waited, default: 0] += host.memory.resume()
        host.leave(for: .up, at: world.now)
    }

    private func crash(_ host: EngineHost, isSilent: Bool, until: Instant) {
        host.memory.resume()
        host.memory.crash()
        host.leave(for: .down, at: world.now)
        if isSilent { world.network.silent.insert(host.address) }
        let life = host.life
        world.at(until) { [unowned self] in if host.state == .down, host.life == life { startAgain(host) } }
    }

    private func restart(_ host: EngineHost, drain: UInt64, _ until: Instant) {
        guard host.state == .up else { return }
        host.memory.stop(drainNanoseconds: drain)
        host.leave(for: .stopping, at: world.now)
        awaitEnd(of: host, life: host.life, from: until)
    }

    private func awaitEnd(of host: EngineHost, life: Int, from time: Instant) {
        world.at(time) { [unowned self] in
            guard host.state == .stopping, host.life == life else { return }
            if host.memory.isOver { return startAgain(host) }
            awaitEnd(of: host, life: life, from: world.now.advanced(byNanoseconds: EnginePlan.milliseconds))
        }
    }

    private func startAgain(_ host: EngineHost) {
        world.network.silent.remove(host.address)
        do {
            host.begin(try world.addHost(at: host.address, host.settings, after: host.memory), at: world.now)
            try welcome(host)
        } catch {
            isGood(.noTrap, false, "host \(host.index) does not start again: \(error)")
        }
        tracer?.trace.note(.start, at: world.now.nanoseconds, host: host.index)
        figures[.restarts, default: 0] += 1
    }

    func stopForGood(_ host: EngineHost, drain: UInt64) {
        if host.state == .still { host.memory.resume() }
        host.memory.stop(drainNanoseconds: drain)
        host.leave(for: .ended, at: world.now)
    }

    private func move(_ host: EngineHost, isPort: Bool, isSilent: Bool) {
        if isSilent { world.network.silent.insert(host.address) }
        var address = host.address
        if isPort { address.port += 1 } else { address.low += 0x0001_0000 }
        host.memory.move(to: address)
        tracer?.owners[address] = host.index
        figures[.moves, default: 0] += 1
    }

    private func change(_ incident: EnginePlan.Incident, _ host: EngineHost, _ other: EngineHost, _ until: Instant) {
        var way = MemoryWay()
        way.isCut = incident.kind == .cut
        if incident.kind == .narrow {
            way.mtu = 600 + Int((incident.amount >> 8) % 800)
            way.tells = incident.amount & 2 == 2
        }
        let isBoth = incident.kind == .narrow || incident.amount & 1 == 1
        set(way, host, other, isBoth)
        world.at(until) { [unowned self] in if !isHealed { set(MemoryWay(), host, other, isBoth) } }
    }

    private func set(_ way: MemoryWay, _ host: EngineHost, _ other: EngineHost, _ isBoth: Bool) {
        world.network.set(way, from: host.address, to: other.address)
        if isBoth { world.network.set(way, from: other.address, to: host.address) }
    }

    func heal() {
        isHealed = true
        tracer?.trace.note(.healed, at: world.now.nanoseconds, host: Int(SwarmTrace.nobody))
        world.network.heal()
        for host in hosts {
            switch host.state {
            case .up, .ended: break
            case .still: goOn(host)
            case .stopping:
                // It ends now, so that it can be asked again.
                host.memory.crash()
                startAgain(host)
            case .down: startAgain(host)
            }
        }
    }
}

extension EnginePlan.Incident.Kind {
    fileprivate var traced: SwarmTrace.Kind {
        switch self {
        case .pause: .pause
        case .sleep: .sleep
        case .leap: .clock
        case .crash: .crash
        case .restart: .stop
        case .end: .end
        case .move: .move
        case .cut: .cut
        case .narrow: .narrow
        }
    }
}
