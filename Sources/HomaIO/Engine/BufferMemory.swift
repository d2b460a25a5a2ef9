// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Memory for outgoing messages.
///
/// The allocator of the C library returns long blocks to the system when they are freed, and the
/// page faults of the next one cost about as much as sending it. So long blocks are kept and used
/// again, the last freed first, since it is the one most likely in the cache.
enum BufferMemory {
    /// Blocks from this size on are kept; they come in multiples of it.
    private static let unit = 65_536
    /// Sixteen sizes, up to the longest message.
    private static let classes = 16
    /// Bytes kept at most, over all sizes and nodes of the process: what calls under way to many peers take. A peak
    /// leaves no more behind.
    static let keptLimit = 64 << 20

    private struct Kept: @unchecked Sendable {
        var blocks = [[UnsafeMutableRawPointer]](repeating: [], count: classes)
        var byteCount = 0
    }

    private static let kept = Mutex(Kept())

    static func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
        guard let size = sizeClass(byteCount) else {
            return .allocate(byteCount: max(byteCount, 1), alignment: 16)
        }
        let block = kept.withLock { kept -> UnsafeMutableRawPointer? in
            guard let block = kept.blocks[size].popLast() else { return nil }
            kept.byteCount -= (size + 1) * unit
            return block
        }
        if let block { return block }
        return .allocate(byteCount: (size + 1) * unit, alignment: 4096)
    }

    /// - Parameter byteCount: the same as when `block` was allocated.
    static func free(_ block: UnsafeMutableRawPointer, byteCount: Int) {
        guard let size = sizeClass(byteCount) else { return block.deallocate() }
        let isKept = kept.withLock { kept in
            let blockBytes = (size + 1) * unit
            guard kept.byteCount + blockBytes <= keptLimit else { return false }
            kept.blocks[size].append(block)
            kept.byteCount += blockBytes
            return true
        }
        if !isKept { block.deallocate() }
    }

    /// Bytes kept now.
    static var keptByteCount: Int { kept.withLock { $0.byteCount } }

    private static func sizeClass(_ byteCount: Int) -> Int? {
        let size = (byteCount - 1) / unit
        return byteCount > unit / 2 && size < classes ? size : nil
    }
}
