// SPDX-License-Identifier: Apache-2.0

import Benchmark
import HomaBench
import HomaSim

/// Every figure is for a thousand operations at a time, so that the clock costs nothing: divide by 1000 for one.
let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput, .peakMemoryResident], warmupIterations: 2, scalingFactor: .mega,
        maxDuration: .seconds(2), maxIterations: 200)

    for subject in AllocatorBenchmark.Subject.allCases {
        Benchmark("Piece out and back, one thread: \(subject.rawValue)") { benchmark in
            _ = try AllocatorBenchmark(pieces: benchmark.scaledIterations.count).oneThread(subject)
        }
        Benchmark("Piece out and back, two threads: \(subject.rawValue)") { benchmark in
            _ = try AllocatorBenchmark(pieces: benchmark.scaledIterations.count).twoThreads(subject)
        }
    }

    Benchmark("Core: DATA packet of 500 KB messages, out and in") { benchmark in
        var core = try CoreBenchmark()
        _ = try core.run(packets: 10_000)
        benchmark.startMeasurement()
        _ = try core.run(packets: benchmark.scaledIterations.count)
        benchmark.stopMeasurement()
    }

    Benchmark("Wire: write a DATA header") { benchmark in
        let header = DataHeader()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(header.write()) }
        benchmark.stopMeasurement()
    }
    Benchmark("Wire: parse a DATA header") { benchmark in
        let header = DataHeader()
        _ = header.write()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(header.parse()) }
        benchmark.stopMeasurement()
    }

    // A fabric of 144 hosts has about 600 events pending, one of 1152 about 5000.
    for candidate in EventQueueBenchmark.Candidate.allCases {
        for pending in [600, 5000] {
            Benchmark("Event queue: \(candidate.rawValue), \(pending) pending") { benchmark in
                blackHole(
                    EventQueueBenchmark.run(
                        candidate, pending: pending, operations: benchmark.scaledIterations.count, seed: 1))
            }
        }
    }
}
