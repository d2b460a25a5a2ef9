// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import HomaSim

/// The other transports.
enum Rival {
    /// TCP and DCTCP on the same network and traffic.
    static func streams(_ homa: Recipe) -> [(String, Recipe)] {
        ["tcp", "dctcp"].map { ($0.uppercased(), stream($0, in: homa)) }
    }

    /// TCP as the published measurements had it: four client ports with a connection each to eight server ports of
    /// every other node (HomaModule, util/cperf.py), and segmentation offload, which sends up to 64 KB of a connection
    /// at once.
    static func stream(_ kind: String, in homa: Recipe, connections: Int = 32) -> Recipe {
        homa.with(
            "transport",
            .object([
                .init("kind", .string(kind)), .init("connections_per_pair", .integer(connections)),
                .init("segments_per_turn", .integer(44)), .init("host_queue_bytes", .integer(131_072)),
            ]))
    }
}
