// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Collects frames for one gathering write.
final class TCPGather {
    private static let maximumVectors = 256
    /// One call is asked to take no more than about this many bytes.
    private static let maximumBytes = 1_048_576

    private let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: maximumVectors)
    private var vectorCount = 0
    /// Bytes collected.
    private(set) var count = 0

    deinit { vectors.deallocate() }

    func reset() {
        vectorCount = 0
        count = 0
    }

    /// Adds a frame without its first `position` bytes. False when there is no room.
    func add(_ frame: FrameMemory.Frame, from position: Int) -> Bool {
        guard vectorCount < Self.maximumVectors, count < Self.maximumBytes else { return false }
        vectors[vectorCount] = iovec(iov_base: frame.memory + position, iov_len: frame.count - position)
        vectorCount += 1
        count += frame.count - position
        return true
    }

    /// Sends what was collected. Returns the bytes taken (0 when the socket is full), -1 when it is broken.
    func send(on file: Int32) -> Int { sendVectors(file, vectors, vectorCount) }
}
