// SPDX-License-Identifier: Apache-2.0

/// Why a pool refused a configuration or a returned lease.
public enum PoolError: Error, Equatable, Sendable {
    /// The bpage size is not a power of two from 4 KB to 16 MB.
    case invalidBpageSize(Int)
    /// The region is not a whole number of bpages, has none, or has more than 2²⁴.
    case invalidRegionLength(Int)
    /// The number of shards is not in 1 … 256.
    case invalidShards(Int)
    /// The number of leases is not in 1 … 2²⁴.
    case invalidMaximumLeases(Int)
    /// The lease duration is negative.
    case invalidLeaseDuration(Duration)
    /// The reserve is negative or larger than the region.
    case invalidReservedPages(Int)
    /// The lease was returned before. Nothing changed.
    case alreadyReturned(BufferLease)
    /// This pool never gave out such a lease. Nothing changed.
    case foreign(BufferLease)
}

extension PoolError: CustomStringConvertible {
    /// One sentence with the offending value.
    public var description: String {
        switch self {
        case .invalidBpageSize(let size):
            "bpage size \(size) is not a power of two from 4096 to 16777216 bytes"
        case .invalidRegionLength(let length):
            "region of \(length) bytes is not a whole number of bpages from 1 to 16777216"
        case .invalidShards(let count): "\(count) shards; 1 to 256 are possible"
        case .invalidMaximumLeases(let count): "\(count) leases; 1 to 16777216 are possible"
        case .invalidLeaseDuration(let duration): "lease duration \(duration) is negative"
        case .invalidReservedPages(let count): "a reserve of \(count) bpages does not fit the region"
        case .alreadyReturned(let lease): "\(lease) was already returned"
        case .foreign(let lease): "\(lease) does not belong to this pool"
        }
    }
}
