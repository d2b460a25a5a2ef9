// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaPosix

/// What it costs to hand out a short piece of memory and to take it back.
///
/// Lengths are drawn evenly from 16 to 1500 bytes, those of short messages. The bytes are not touched.
public struct AllocatorBenchmark: Sendable {
    /// Who is measured.
    public enum Subject: String, Sendable, CaseIterable {
        /// The buffer pool with its default settings.
        case pool
        /// `malloc` and `free` of this process.
        case malloc
        /// Nobody: the loop, the lengths and, with two threads, the ring between them.
        case nothing
    }

    /// Pieces to hand out, rounded up to whole batches.
    public var pieces: Int
    /// Decides the lengths.
    public var seed: UInt64
    /// Pieces held before the first goes back, in the order they were handed out.
    private static let held = 16
    private static let lengthCount = 1024

    public init(pieces: Int, seed: UInt64 = 1) {
        precondition(pieces > 0, "nothing to measure")
        self.pieces = (pieces + PieceRing.batch - 1) / PieceRing.batch * PieceRing.batch
        self.seed = seed
    }

    /// Nanoseconds for a piece on the calling thread alone: handed out, and taken back 16 pieces later.
    public func oneThread(_ subject: Subject) throws -> Double {
        switch subject {
        case .pool: oneThread(try PoolPieces())
        case .malloc: oneThread(MallocPieces())
        case .nothing: oneThread(NoPieces())
        }
    }

    /// Nanoseconds for a piece that one thread hands out and another takes back, both busy all the time.
    public func twoThreads(_ subject: Subject) throws -> Double {
        switch subject {
        case .pool: try twoThreads(try PoolPieces())
        case .malloc: try twoThreads(MallocPieces())
        case .nothing: try twoThreads(NoPieces())
        }
    }

    private func lengths() -> [Int] {
        var random = SeededRandom(seed: seed)
        return (0..<Self.lengthCount).map { _ in Int.random(in: 16...1500, using: &random) }
    }

    private func oneThread(_ allocator: some PieceAllocator) -> Double {
        lengths().withUnsafeBufferPointer { lengths in
            withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Self.held) { held in
                for index in 0..<Self.held { held.initializeElement(at: index, to: allocator.allocate(lengths[index])) }
                let start = MonotonicClock.nanoseconds()
                for index in 0..<pieces {
                    let place = index & (Self.held - 1)
                    allocator.release(held[place])
                    held[place] = allocator.allocate(lengths[index & (Self.lengthCount - 1)])
                }
                let time = MonotonicClock.nanoseconds() - start
                for piece in held { allocator.release(piece) }
                return Double(time) / Double(pieces)
            }
        }
    }

    private func twoThreads(_ allocator: some PieceAllocator) throws -> Double {
        let ring = PieceRing()
        let count = pieces
        let other = try BackgroundThread { ring.read(count) { allocator.release($0) } }
        let lengths = lengths()
        let start = MonotonicClock.nanoseconds()
        lengths.withUnsafeBufferPointer { lengths in
            ring.write(count) { allocator.allocate(lengths[$0 & (Self.lengthCount - 1)]) }
        }
        other.join()
        return Double(MonotonicClock.nanoseconds() - start) / Double(count)
    }
}
