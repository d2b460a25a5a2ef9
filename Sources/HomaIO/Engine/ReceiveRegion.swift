// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
public import HomaBuffers
internal import HomaPosix

/// The memory that messages arrive in, with the pool that divides it.
///
/// Every message holds a reference, so the memory stays until the last of them is gone, even when
/// the engine has stopped long before.
public final class ReceiveRegion: @unchecked Sendable {
    /// Keeps the books of the region.
    public let pool: BufferPool
    let memory: MappedRegion
    /// Each shard's engine; complete before the first message arrives, and unchanged from then on.
    private var signals: [EngineSignal] = []

    init(configuration: PoolConfiguration, backing: EngineConfiguration.Backing) throws {
        pool = try BufferPool(configuration)
        switch backing {
        case .anonymous: memory = try MappedRegion(byteCount: configuration.regionLength)
        case .memoryFile(let name): memory = try MappedRegion(sharedByteCount: configuration.regionLength, name: name)
        }
    }

    /// The next shard's engine.
    func attach(_ signal: EngineSignal) { signals.append(signal) }

    /// Gives a message's buffers back, and wakes the engines whose messages wait for some. Any thread.
    func release(_ lease: BufferLease) {
        // A refused return changes nothing and is counted by the pool.
        guard (try? pool.release(lease)) == true else { return }
        wakeWaiting()
    }

    private func wakeWaiting() {
        for shard in signals.indices where pool.waitingMessages(shard: shard) > 0 { signals[shard].buffersReturned() }
    }

    /// Gives memory back that has not been needed of late. One engine's thread.
    func giveBack(_ plan: inout IdleMemory, at now: Instant) {
        guard let floor = plan.begin(pool, at: now) else { return }
        let count = pool.giveBack(above: floor) { memory.discard(offset: $0, byteCount: $1) }
        plan.end(count, at: now)
        if count > 0 { wakeWaiting() }
    }

    /// The descriptor of the memory file, nil for anonymous memory; valid as long as this object.
    public var fileDescriptor: Int32? { memory.fileDescriptor }

    /// Bytes of the region in memory now. Slow.
    public var residentByteCount: Int { memory.residentByteCount() }
}

/// When the region's memory goes back to the system: what was not needed for a period, a little at a time.
///
/// A flood of long messages, honest or not, touches much of the region once. The lowest pages are taken first, so what
/// lies above the most that were in use at once of late takes memory for nothing.
struct IdleMemory {
    /// When to look again; `distantFuture` while there is nothing to give back.
    private(set) var due = Instant.distantFuture
    private var before = 0
    private var floor: Int?

    private static var period: UInt64 { 5_000_000_000 }
    /// Between two parts: the system takes some 100 us for one.
    private static var pause: UInt64 { 10_000_000 }
    /// So much is kept in any case, 1 MB.
    private static var leastPages: Int { 16 }

    /// Looks whether there is anything to give back later. Before every sleep, so it is short.
    @inline(__always)
    mutating func arm(_ pool: BufferPool, at now: Instant) {
        guard due == .distantFuture, pool.touchedPages > Self.leastPages else { return }
        due = now.advanced(byNanoseconds: Self.period)
        before = pool.mostPagesOfLate()
    }

    /// The lowest page whose memory may go back now.
    fileprivate mutating func begin(_ pool: BufferPool, at now: Instant) -> Int? {
        guard now >= due else { return nil }
        if let floor { return floor }
        let most = pool.mostPagesOfLate()
        floor = max(most, before, Self.leastPages)
        before = most
        return floor
    }

    fileprivate mutating func end(_ count: Int, at now: Instant) {
        let isDone = count < BufferPool.mostPagesGivenBack
        due = isDone ? .distantFuture : now.advanced(byNanoseconds: Self.pause)
        if isDone { floor = nil }
    }
}
