// SPDX-License-Identifier: Apache-2.0

/// Hosts whose processors take time to copy payload to the application.
extension Simulation {
    /// What waits for a host's processor.
    enum Copying: UInt8 {
        case nothing
        case packets
        case messages

        init(_ topology: TopologyConfiguration) {
            guard topology.hostCopyRate != nil else {
                self = .nothing
                return
            }
            self = topology.hostCopies == .packets ? .packets : .messages
        }
    }

    /// A packet has come to a host that copies packets.
    mutating func copy(packet: UInt32, at host: UInt16) {
        copy(HostProcessors.Job(item: UInt64(packet), bytes: packets.at(packet).pointee.payloadBytes), at: host)
    }

    /// All of a message is with the transport of a host that copies messages.
    mutating func copy(message index: UInt32) {
        let message = messages.at(index).pointee
        copy(HostProcessors.Job(item: messages.token(index), bytes: message.length), at: message.receiver)
    }

    private mutating func copy(_ job: HostProcessors.Job, at host: UInt16) {
        guard let time = processors.add(job, to: host) else { return }
        // What needs no copying goes through an idle processor at once, as it would if there were none.
        if time == 0 { return copyEvent(host) }
        network.events.push(now + time, copyBase + UInt32(host))
    }

    /// A processor has copied what it had to.
    mutating func copyEvent(_ host: UInt16) {
        var next: UInt64?
        repeat {
            let job = processors.finish(host)
            if copying == .packets {
                take(UInt32(truncatingIfNeeded: job.item), by: host)
            } else if messages.isCurrent(job.item) {
                delivered(MessageLedger.index(job.item))
            }
            next = processors.next(host)
        } while next == 0
        if let next { network.events.push(now + next, copyBase + UInt32(host)) }
    }
}
