// SPDX-License-Identifier: Apache-2.0

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
        for shard in signals.indices where pool.waitingMessages(shard: shard) > 0 { signals[shard].buffersReturned() }
    }

    /// The descriptor of the memory file, nil for anonymous memory; valid as long as this object.
    public var fileDescriptor: Int32? { memory.fileDescriptor }

    /// Bytes of the region in memory now. Slow.
    public var residentByteCount: Int { memory.residentByteCount() }
}
