// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import HomaSim

/// The other transports, as far as the simulator has them.
enum Rival {
    /// The simulator knows the transport.
    static func exists(_ kind: String) -> Bool {
        (try? Scenario(json: .object([.init("transport", .string(kind))]))) != nil
    }

    /// TCP and DCTCP on the same network and traffic; what the simulator does not have is left out.
    static func streams(_ homa: Recipe) -> [(String, Recipe)] {
        var rivals: [(String, Recipe)] = []
        if exists("tcp") { rivals.append(("TCP", homa.with("transport", .object([.init("kind", .string("tcp"))])))) }
        if exists("dctcp") {
            rivals.append(("DCTCP", homa.with("transport", .object([.init("kind", .string("dctcp"))]))))
        }
        return rivals
    }
}
