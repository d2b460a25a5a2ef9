// SPDX-License-Identifier: Apache-2.0

import HomaBench
import HomaWorkloads

/// Runs the demo's measurements. Rivals take turns, so that a noisy moment of the machine hits all of them.
struct DemoRunner {
    let seed: UInt64
    /// Connections of the TCP pool.
    static let poolSize = 8
    private static let rounds = 3
    /// Share of the slower protocol's 500 KB goodput that the mixed load offers in each direction. Echoing
    /// costs both processes twice what one direction does, and an open loop needs room.
    private static let mixedShare = 0.2

    func run() throws -> DemoMeasurements {
        var measurements = DemoMeasurements()
        measurements.roundTrip = try roundTrips()
        measurements.goodput = try goodputs()
        let sizes = SizeDistribution.w4.truncated(to: 1_000_000)
        let slower = min(measurements.goodput[.homa] ?? 0, measurements.goodput[.tcp] ?? 0)
        measurements.rate = (slower * Self.mixedShare / (8 * sizes.mean)).rounded()
        for (name, carrier, connections) in [
            ("Homa", ProtocolChoice.homa, 1), ("TCP, 1 connection", .tcp, 1),
            ("TCP, \(Self.poolSize) connections", .tcp, Self.poolSize),
        ] {
            note("mixed load: \(name)")
            measurements.mixed.append(try mixed(name, carrier, connections, rate: measurements.rate))
        }
        return measurements
    }

    private func roundTrips() throws -> [ProtocolChoice: Double] {
        try medians(of: [.udp, .homa, .tcp]) { carrier in
            note("round trips of 100 bytes: \(carrier.rawValue)")
            return try DemoServer(carrier).measure("ping", ["--for", "400ms", "--warm-up", "100ms"]).client
                .value("rtt_p50")
        }
    }

    private func goodputs() throws -> [ProtocolChoice: Double] {
        try medians(of: [.homa, .tcp]) { carrier in
            note("500 KB requests: \(carrier.rawValue)")
            return try DemoServer(carrier).measure(
                "bench",
                [
                    "--workload", "500K", "--outstanding", "8", "--response-size", "100", "--for", "700ms", "--warm-up",
                    "200ms", "--seed", "\(seed)",
                ]
            ).client.value("goodput")
        }
    }

    private func medians(
        of carriers: [ProtocolChoice], _ measure: (ProtocolChoice) throws -> Double?
    ) throws -> [ProtocolChoice: Double] {
        var values: [ProtocolChoice: [Double]] = [:]
        for _ in 0..<Self.rounds {
            for carrier in carriers { values[carrier, default: []].append(try measure(carrier) ?? .nan) }
        }
        return values.mapValues(DemoMeasurements.median)
    }

    private func mixed(
        _ name: String, _ carrier: ProtocolChoice, _ connections: Int, rate: Double
    ) throws -> DemoMeasurements.Mixed {
        let (client, server) = try DemoServer(carrier).measure(
            "bench",
            [
                "--workload", "w4", "--rate", "\(rate)", "--for", "3s", "--warm-up", "500ms", "--drain", "500ms",
                "--connections", "\(connections)", "--seed", "\(seed)", "--threshold", "errors>=0",
            ])
        return DemoMeasurements.Mixed(name: name, client: client, server: server)
    }
}
