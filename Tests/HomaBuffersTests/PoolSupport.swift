// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import Testing

/// Milliseconds on the pool's clock.
func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

func makePool(
    pages: Int, bpageSize: Int = 64 << 10, shards: Int = 1, leases: Int = 16384, reserved: Int = 0
) throws -> BufferPool {
    try BufferPool(
        PoolConfiguration(
            regionLength: pages * bpageSize, bpageSize: bpageSize, shards: shards, maximumLeases: leases,
            reservedPages: reserved))
}

extension BufferPool {
    /// All pieces of a message, in message order.
    func pieces(of lease: BufferLease) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var offset = 0
        while offset < length(of: lease) {
            let (start, count) = piece(of: lease, at: offset)
            result.append(start..<start + count)
            offset += count
        }
        return result
    }

    /// Checks that nothing is held, apart from at most one owned page a shard.
    func expectEmpty() {
        let statistics = statistics
        #expect(statistics.leasesLive == 0)
        #expect(statistics.pagesInUse <= configuration.shards)
        #expect(
            statistics.availableBytes == configuration.regionLength - statistics.pagesInUse * configuration.bpageSize)
    }
}
