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
    /// At most this many blocks of each size are kept: 64 MB of the largest.
    private static let keptPerClass = 64

    private struct Kept: @unchecked Sendable {
        var blocks = [[UnsafeMutableRawPointer]](repeating: [], count: classes)
    }

    private static let kept = Mutex(Kept())

    static func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
        guard let size = sizeClass(byteCount) else {
            return .allocate(byteCount: max(byteCount, 1), alignment: 16)
        }
        if let block = kept.withLock({ $0.blocks[size].popLast() }) { return block }
        return .allocate(byteCount: (size + 1) * unit, alignment: 4096)
    }

    /// - Parameter byteCount: the same as when `block` was allocated.
    static func free(_ block: UnsafeMutableRawPointer, byteCount: Int) {
        guard let size = sizeClass(byteCount) else { return block.deallocate() }
        let isKept = kept.withLock { kept in
            guard kept.blocks[size].count < keptPerClass else { return false }
            kept.blocks[size].append(block)
            return true
        }
        if !isKept { block.deallocate() }
    }

    private static func sizeClass(_ byteCount: Int) -> Int? {
        let size = (byteCount - 1) / unit
        return byteCount > unit / 2 && size < classes ? size : nil
    }
}
