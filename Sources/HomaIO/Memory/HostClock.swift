// SPDX-License-Identifier: Apache-2.0

package import HomaBase
internal import Synchronization

/// The clock of a host in memory: the network's, but that it can be made to stand still, and to leap forward.
///
/// Any thread may read it; what changes it does so under the hosts' exclusion.
package final class HostClock: EngineClock, @unchecked Sendable {
    private let network: VirtualClock
    /// How far it is ahead of the network's; negative after it stood still.
    private let lead = Atomic<Int64>(0)
    /// What it shows while it stands still; the largest number while it runs.
    private let still = Atomic<UInt64>(.max)
    /// From when on, by either clock, it has had the same lead.
    private var changes: [(own: Instant, network: Instant)] = [(.zero, .zero)]

    init(_ network: VirtualClock) { self.network = network }

    package func now() -> Instant {
        let shown = still.load(ordering: .relaxed)
        guard shown == .max else { return Instant(nanoseconds: shown) }
        let time = Int64(bitPattern: network.now().nanoseconds) &+ lead.load(ordering: .relaxed)
        return Instant(nanoseconds: UInt64(bitPattern: time))
    }

    func stop() { still.store(now().nanoseconds, ordering: .relaxed) }

    func goOn() {
        let shown = still.exchange(.max, ordering: .relaxed)
        guard shown != .max else { return }
        begin(at: Instant(nanoseconds: shown))
    }

    func leap(byNanoseconds distance: UInt64) { begin(at: now().advanced(byNanoseconds: distance)) }

    private func begin(at time: Instant) {
        let now = network.now()
        lead.store(
            Int64(bitPattern: time.nanoseconds) &- Int64(bitPattern: now.nanoseconds), ordering: .relaxed)
        changes.append((time, now))
    }

    /// When this one shows `time`, or did for the last time, by the network's clock, if nothing happens to it.
    func networkTime(at time: Instant) -> Instant {
        guard time != .distantFuture, let last = changes.last(where: { $0.own <= time }) else { return time }
        return last.network.advanced(byNanoseconds: time.nanoseconds(since: last.own))
    }
}
