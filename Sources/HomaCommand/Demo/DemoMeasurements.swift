// SPDX-License-Identifier: Apache-2.0

/// Everything the demo measured.
struct DemoMeasurements {
    /// One way to carry the mixed load.
    struct Mixed {
        var name: String
        var client: ChildRecords
        var server: ChildRecords

        func value(_ measure: String) -> Double { client.value(measure) ?? .nan }
    }

    /// Median round trips of 100 bytes in nanoseconds: the medians of all rounds.
    var roundTrip: [ProtocolChoice: Double] = [:]
    /// Goodput of 500 KB requests in bits per second.
    var goodput: [ProtocolChoice: Double] = [:]
    /// Requests per second offered in the mixed load.
    var rate = 0.0
    var mixed: [Mixed] = []

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
    }
}
