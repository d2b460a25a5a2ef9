// SPDX-License-Identifier: Apache-2.0

extension Scenario {
    /// The scenario as it is run: with what the transport's settings imply for the network.
    ///
    /// DCTCP needs switches that mark, and Aeolus such that drop unscheduled packets early; where the scenario sets no
    /// threshold it gets the usual one. And paths are kept if TCP asks for that. Results carry this scenario, so that
    /// all of it can be seen.
    var resolved: Scenario {
        var resolved = self
        switch transport {
        case .homa(let homa):
            guard homa.isAeolus else { return self }
            let threshold = Self.selectiveFrames * HomaFrame(homa).largestStoredBytes
            resolved.setThresholds(\.selectiveDropThresholdBytes, threshold)
        case .srptOracle, .dcpim: return self
        case .tcp(let tcp):
            if tcp.keepsPaths { resolved.topology.pathChoice = .perFlowECMP }
            guard tcp.congestionControl == .dctcp else { return resolved }
            resolved.setThresholds(\.ecnThresholdBytes, MarkingThreshold.bytes(topology))
        }
        return resolved
    }

    /// From how many full packets in an output port on unscheduled packets are dropped: 6 KB (*Aeolus*, SIGCOMM 2020).
    private static var selectiveFrames: Int { 4 }

    private mutating func setThresholds(_ path: WritableKeyPath<SwitchConfiguration, Int?>, _ bytes: Int) {
        if topology.leafSwitch[keyPath: path] == nil { topology.leafSwitch[keyPath: path] = bytes }
        if topology.spineSwitch[keyPath: path] == nil { topology.spineSwitch[keyPath: path] = bytes }
    }
}
