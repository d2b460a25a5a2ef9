// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Memory for requests on their way over TCP: each lies in its own block, as a user's would, and
/// blocks are used again, the last freed first. The Homa client does the same.
final class FrameMemory {
    /// A length prefix and a message, complete.
    struct Frame {
        var memory: UnsafeMutableRawPointer
        var count: Int
        fileprivate var sizeClass: Int
    }

    private var kept: [[UnsafeMutableRawPointer]] = Array(repeating: [], count: 32)

    deinit {
        for blocks in kept {
            for block in blocks { block.deallocate() }
        }
    }

    /// Writes a message and its prefix.
    func frame(of message: PatternMessage) -> Frame {
        let count = TCPFrame.prefixLength + message.length
        let sizeClass = Int.bitWidth - (max(count, 64) - 1).leadingZeroBitCount
        let memory = kept[sizeClass].popLast() ?? .allocate(byteCount: 1 << sizeClass, alignment: 64)
        TCPFrame.writePrefix(message.length, into: memory)
        MessagePattern.shared.fill(
            UnsafeMutableRawBufferPointer(start: memory + TCPFrame.prefixLength, count: message.length), with: message)
        return Frame(memory: memory, count: count, sizeClass: sizeClass)
    }

    func recycle(_ frame: Frame) { kept[frame.sizeClass].append(frame.memory) }
}
