// SPDX-License-Identifier: Apache-2.0

public import HomaCore

extension Scenario {
    /// The settings that every simulated host runs with: the scenario's, fitted to its workload and topology. Nil for
    /// transports other than Homa.
    ///
    /// For results, which should say what was simulated and not only what was asked for.
    public var endpointInUse: EndpointConfiguration? {
        guard case .homa(let homa) = transport else { return nil }
        return HomaHostSettings.endpoint(for: self, homa)
    }
}
