// SPDX-License-Identifier: Apache-2.0

/// Every answered request of a run, for loads that change: histograms cannot tell when a latency was.
///
/// Flat, so that it is small as JSON: intended time, latency, request bytes, response bytes, then the next request.
/// It grows with the run, so it is kept for plans with a profile only.
public struct LoadTimeline: Codable, Sendable, Equatable {
    private var numbers: [UInt64] = []

    /// One answered request; times in nanoseconds, `intended` since the start of the run.
    public struct Entry: Sendable, Equatable {
        public var intended: UInt64
        public var latency: UInt64
        public var requestBytes: Int
        public var responseBytes: Int

        public init(intended: UInt64, latency: UInt64, requestBytes: Int, responseBytes: Int) {
            self.intended = intended
            self.latency = latency
            self.requestBytes = requestBytes
            self.responseBytes = responseBytes
        }

        /// When the response had come.
        public var finished: UInt64 { intended + latency }
        public var isShort: Bool { requestBytes < LoadResult.shortLimit }
    }

    public init() {}

    public mutating func add(_ entry: Entry) {
        numbers += [entry.intended, entry.latency, UInt64(entry.requestBytes), UInt64(entry.responseBytes)]
    }

    public mutating func merge(_ other: LoadTimeline) { numbers += other.numbers }

    /// In the order in which the responses came to each generator.
    public var entries: [Entry] {
        stride(from: 0, to: numbers.count - 3, by: 4).map {
            Entry(
                intended: numbers[$0], latency: numbers[$0 + 1], requestBytes: Int(clamping: numbers[$0 + 2]),
                responseBytes: Int(clamping: numbers[$0 + 3]))
        }
    }
}
