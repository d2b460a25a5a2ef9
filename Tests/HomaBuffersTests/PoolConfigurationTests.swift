// SPDX-License-Identifier: Apache-2.0

import HomaBuffers
import Testing

@Suite("Pool configuration")
struct PoolConfigurationTests {
    @Test("the defaults are those of docs/tuning.md and are valid")
    func defaults() throws {
        let configuration = PoolConfiguration()
        try configuration.validated()
        #expect(configuration.pages == 1024)
        #expect(configuration.reservedPages == 32)
        #expect(configuration.largestMessage == 1_000_000)
    }

    @Test("the default reserve follows the region, a chosen one does not")
    func reserve() {
        var configuration = PoolConfiguration()
        configuration.regionLength = 10 * 65536
        #expect(configuration.reservedPages == 1)
        configuration.reservedPages = 3
        configuration.regionLength = 64 << 20
        #expect(configuration.reservedPages == 3)
        configuration.regionLength = 5 * 65536
        #expect(configuration.largestMessage == 2 * 65536)
    }

    @Test("each value out of range is refused by name")
    func refusals() {
        #expect(throws: PoolError.invalidBpageSize(3000)) { try PoolConfiguration(bpageSize: 3000).validated() }
        #expect(throws: PoolError.invalidBpageSize(0)) { try PoolConfiguration(bpageSize: 0).validated() }
        #expect(throws: PoolError.invalidBpageSize(2048)) { try PoolConfiguration(bpageSize: 2048).validated() }
        #expect(throws: PoolError.invalidRegionLength(0)) { try PoolConfiguration(regionLength: 0).validated() }
        #expect(throws: PoolError.invalidRegionLength(65537)) { try PoolConfiguration(regionLength: 65537).validated() }
        #expect(throws: PoolError.invalidShards(257)) { try PoolConfiguration(shards: 257).validated() }
        #expect(throws: PoolError.invalidMaximumLeases(0)) { try PoolConfiguration(maximumLeases: 0).validated() }
        #expect(throws: PoolError.invalidLeaseDuration(.seconds(-1))) {
            try PoolConfiguration(leaseDuration: .seconds(-1)).validated()
        }
        #expect(throws: PoolError.invalidReservedPages(1025)) {
            try PoolConfiguration(reservedPages: 1025).validated()
        }
        #expect(throws: PoolError.invalidShards(0)) { _ = try BufferPool(PoolConfiguration(shards: 0)) }
    }
}
