// SPDX-License-Identifier: Apache-2.0

internal import HomaBase

/// How a ``BufferPool`` cuts its region and whom it serves.
public struct PoolConfiguration: Sendable, Equatable {
    /// Bytes of the region; a whole number of bpages, at most 2²⁴ of them. Default 64 MB: 1000 bpages in the kernel
    /// module's benchmarks, rounded (cp_node, HomaModule 9edb958).
    ///
    /// Costs address space only: low bpages are preferred, so those never needed are never touched.
    public var regionLength: Int
    /// Bytes of a bpage; a power of two from 4 KB to 16 MB. Default 64 KB (HOMA_BPAGE_SIZE, HomaModule 9edb958).
    ///
    /// Messages up to this length are contiguous.
    public var bpageSize: Int
    /// Threads that allocate, each under its own shard number; 1 … 256. Default 1.
    ///
    /// Each may own one partly used bpage.
    public var shards: Int
    /// Messages that may hold buffers at once; 1 … 2²⁴. Default 16384.
    ///
    /// Costs 128 bytes each with the default bpage size, touched as they are first used. Shards claim
    /// them in blocks of up to 64 and keep them, so with several shards one may run out slightly earlier.
    public var maximumLeases: Int
    /// How long an owned bpage is safe from other shards after its last use. Default 10 ms
    /// (bpage_lease_usecs, HomaModule 9edb958).
    public var leaseDuration: Duration
    /// The reserve that was set, or nil for the default, which follows the region's length.
    var chosenReserve: Int?

    /// Bpages that messages longer than one bpage may not take; 0 … all. Default 1/32 of the region, at least one.
    ///
    /// Without a reserve, a few long messages that the application is slow to return would stop the
    /// short ones, whose latency matters most.
    public var reservedPages: Int {
        get { chosenReserve ?? max(1, pages / 32) }
        set { chosenReserve = newValue }
    }

    /// A configuration; every argument has the default that its property names. `reservedPages` nil
    /// means the default share of the region.
    public init(
        regionLength: Int = 64 << 20, bpageSize: Int = 64 << 10, shards: Int = 1, maximumLeases: Int = 16384,
        leaseDuration: Duration = .milliseconds(10), reservedPages: Int? = nil
    ) {
        self.regionLength = regionLength
        self.bpageSize = bpageSize
        self.shards = shards
        self.maximumLeases = maximumLeases
        self.leaseDuration = leaseDuration
        self.chosenReserve = reservedPages
    }

    /// Two configurations are equal when they mean the same, whether or not the reserve was written out.
    public static func == (lhs: PoolConfiguration, rhs: PoolConfiguration) -> Bool {
        lhs.regionLength == rhs.regionLength && lhs.bpageSize == rhs.bpageSize && lhs.shards == rhs.shards
            && lhs.maximumLeases == rhs.maximumLeases && lhs.leaseDuration == rhs.leaseDuration
            && lhs.reservedPages == rhs.reservedPages
    }

    /// Bpages in the region.
    public var pages: Int { bpageSize > 0 ? regionLength / bpageSize : 0 }

    /// Bytes of the longest message that an otherwise empty pool can take, at most the protocol's
    /// longest. A message above this would wait for ever, so its owner should refuse it.
    public var largestMessage: Int {
        let (multiple, overflow) = max(0, pages - reservedPages).multipliedReportingOverflow(by: bpageSize)
        let limit = overflow ? Int.max : max(multiple, bpageSize)
        return min(limit, HomaLimits.maximumMessageLength)
    }

    /// Checks every range given above; throws the first violation.
    public func validated() throws(PoolError) {
        guard bpageSize >= 4096, bpageSize <= 16 << 20, bpageSize & (bpageSize - 1) == 0 else {
            throw .invalidBpageSize(bpageSize)
        }
        guard regionLength >= bpageSize, regionLength % bpageSize == 0, pages <= 1 << 24 else {
            throw .invalidRegionLength(regionLength)
        }
        guard (1...256).contains(shards) else { throw .invalidShards(shards) }
        guard (1...1 << 24).contains(maximumLeases) else { throw .invalidMaximumLeases(maximumLeases) }
        guard leaseDuration >= .zero else { throw .invalidLeaseDuration(leaseDuration) }
        guard (0...pages).contains(reservedPages) else { throw .invalidReservedPages(reservedPages) }
    }
}
