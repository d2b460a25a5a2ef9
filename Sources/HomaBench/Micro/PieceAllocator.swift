// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase
import HomaBuffers

/// Something that hands out short pieces of memory, each named by one word.
protocol PieceAllocator: Sendable {
    func allocate(_ byteCount: Int) -> UInt64
    func release(_ piece: UInt64)
}

/// The buffer pool of a node with its default settings.
struct PoolPieces: PieceAllocator {
    let pool: BufferPool

    init() throws(PoolError) { pool = try BufferPool(PoolConfiguration()) }

    @inline(__always)
    func allocate(_ byteCount: Int) -> UInt64 {
        guard let lease = pool.allocate(byteCount, shard: 0, at: .zero) else {
            preconditionFailure("the pool has far more room than the benchmark keeps in use")
        }
        return UInt64(lease.slot) << 32 | UInt64(lease.generation)
    }

    @inline(__always)
    func release(_ piece: UInt64) {
        let lease = BufferLease(
            slot: UInt32(truncatingIfNeeded: piece >> 32), generation: UInt32(truncatingIfNeeded: piece))
        guard (try? pool.release(lease)) != nil else { preconditionFailure("a live lease was refused") }
    }
}

/// `malloc` and `free` of whatever library provides them in this process.
struct MallocPieces: PieceAllocator {
    @inline(__always)
    func allocate(_ byteCount: Int) -> UInt64 {
        guard let memory = malloc(byteCount) else { preconditionFailure("out of memory") }
        return UInt64(UInt(bitPattern: memory))
    }

    @inline(__always)
    func release(_ piece: UInt64) { free(UnsafeMutableRawPointer(bitPattern: UInt(piece))) }
}

/// Hands out numbers and does nothing: what the benchmark itself costs.
struct NoPieces: PieceAllocator {
    @inline(__always)
    func allocate(_ byteCount: Int) -> UInt64 { UInt64(truncatingIfNeeded: byteCount) }
    @inline(__always)
    func release(_ piece: UInt64) {}
}
