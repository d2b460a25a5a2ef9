// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore
internal import Synchronization

/// The engines of one node: how each stands, and the way from one to another.
///
/// Each engine writes a line of memory of its own and reads the others', so that there is no lock and no line that
/// two write. The engines are held until the thread of the last one has ended.
final class ShardGroup: @unchecked Sendable {
    let count: Int
    private let lines: UnsafeMutablePointer<Atomic<UInt64>>
    private var engines: [Engine] = []
    private let remaining: Atomic<Int>

    /// Words of a line: two cache lines, since processors fetch them in pairs.
    private static var stride: Int { 16 }
    private static var load: Int { 0 }
    private static var nextID: Int { 1 }
    private static var passedOn: Int { 2 }

    init(count: Int) {
        self.count = count
        remaining = Atomic(count)
        lines = .allocate(capacity: count * Self.stride)
        for word in 0..<count * Self.stride { (lines + word).initialize(to: Atomic(0)) }
    }

    deinit {
        lines.deinitialize(count: count * Self.stride)
        lines.deallocate()
    }

    /// Before the first engine starts.
    func complete(_ engines: [Engine]) { self.engines = engines }

    subscript(shard: Int) -> Engine { engines[shard] }

    /// An engine's thread has ended, or never began: it needs the others no more.
    func leave() {
        if remaining.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { engines = [] }
    }

    /// Makes known how one engine stands. By its own thread.
    func publish(_ summary: ShardSummary, of shard: Int) {
        let line = lines + shard * Self.stride
        let load = UInt64(summary.activeMessages) << 1 | (summary.isSending ? 1 : 0)
        // Others' caches lose the line only when something has changed.
        if line[Self.load].load(ordering: .relaxed) != load { line[Self.load].store(load, ordering: .relaxed) }
        let id = summary.nextID.rawValue
        if line[Self.nextID].load(ordering: .relaxed) != id { line[Self.nextID].store(id, ordering: .relaxed) }
    }

    /// How the others stood a moment ago.
    func summaries(of shard: Int) -> ShardSummaries {
        var result = ShardSummaries()
        for other in 0..<count where other != shard {
            let line = lines + other * Self.stride
            let load = line[Self.load].load(ordering: .relaxed)
            let id = RPCID(rawValue: line[Self.nextID].load(ordering: .relaxed))
            result.add(ShardSummary(activeMessages: Int(load >> 1), isSending: load & 1 == 1, nextID: id))
        }
        return result
    }

    /// Gives a packet to the engine it belongs to; false when too many wait for that one already.
    func pass(_ packet: UnsafeRawBufferPointer, from peer: PeerAddress, to shard: Int) -> Bool {
        let waiting = lines + shard * Self.stride + Self.passedOn
        guard waiting.pointee.load(ordering: .relaxed) < Self.mostPassedOn else { return false }
        waiting.pointee.add(1, ordering: .relaxed)
        return engines[shard].post(.take([UInt8](packet), peer))
    }

    /// An engine has taken a packet that another passed on.
    func taken(by shard: Int) { (lines + shard * Self.stride + Self.passedOn).pointee.subtract(1, ordering: .relaxed) }

    private static var mostPassedOn: UInt64 { 1024 }
}
