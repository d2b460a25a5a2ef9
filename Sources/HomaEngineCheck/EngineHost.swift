// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaIO

/// A host of a run, through all of its lives.
final class EngineHost: @unchecked Sendable {  // used by the thread of its run alone
    enum State {
        case up
        /// It stands still, and its application with it.
        case still
        /// It was told to stop, and will start again.
        case stopping
        case down
        /// It was told to stop for good.
        case ended
    }

    /// A span in which it stood still.
    struct Rest {
        var begin: Instant
        var end: Instant?
    }

    let index: Int
    let settings: MemoryHosts.Settings
    var memory: MemoryHost
    var state = State.up
    /// Counts its starts.
    private(set) var life = 1
    /// When its present life began.
    private(set) var bornAt = Instant.zero
    private(set) var rests: [Rest] = []
    /// Something happened to it that may cost others their calls.
    var wasDisturbed = false
    private var postponed: [() -> Void] = []

    init(_ index: Int, _ settings: MemoryHosts.Settings, _ memory: MemoryHost) {
        self.index = index
        self.settings = settings
        self.memory = memory
    }

    var address: PeerAddress { memory.address }
    var isUp: Bool { state == .up || state == .still }

    /// Does something as its application, once it does not stand still.
    func perform(_ body: @escaping () -> Void) {
        if state == .still { postponed.append(body) } else { body() }
    }

    func stand(at now: Instant) {
        state = .still
        rests.append(Rest(begin: now))
    }

    /// It does not stand still any more, since it goes on or since its life ends.
    func leave(for next: State, at now: Instant) {
        if state == .still { rests[rests.count - 1].end = now }
        state = next
        let bodies = postponed
        postponed = []
        for body in bodies { body() }
    }

    /// The next life has begun.
    func begin(_ memory: MemoryHost, at now: Instant) {
        self.memory = memory
        state = .up
        life += 1
        bornAt = now
    }

    /// How long it stood still of a span, in nanoseconds.
    func rested(from begin: Instant, to end: Instant) -> UInt64 {
        rests.reduce(0) { sum, rest in
            let (first, last) = (max(begin, rest.begin), min(end, rest.end ?? end))
            return last > first ? sum + last.nanoseconds(since: first) : sum
        }
    }
}
