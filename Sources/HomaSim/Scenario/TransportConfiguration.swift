// SPDX-License-Identifier: Apache-2.0

public import HomaCore
import HomaBase

/// What moves messages between hosts.
public enum TransportConfiguration: Equatable, Sendable {
    /// The protocol of this package: `HomaCore.Endpoint`, unchanged.
    case homa(HomaTransportConfiguration)
    /// No protocol: the schedule of an all-knowing scheduler. See ``SRPTOracle``.
    case srptOracle
    /// TCP with one of its congestion controls.
    case tcp(TCPConfiguration)
    /// dcPIM: hosts matched like the ports of a switch.
    case dcpim(DCPIMConfiguration)

    /// As scenario files call it.
    public var kind: String {
        switch self {
        case .homa(let homa): homa.isAeolus ? "aeolus" : "homa"
        case .srptOracle: "srpt-oracle"
        case .tcp(let tcp): tcp.congestionControl == .dctcp ? "dctcp" : "tcp"
        case .dcpim: "dcpim"
        }
    }
}

/// Which family of settings a Homa host starts from.
public enum HomaPreset: String, Equatable, Sendable, CaseIterable {
    /// The simulations of the SIGCOMM 2018 paper.
    case sigcomm2018
    /// The kernel implementation's defaults of 2026.
    case linux2026
    /// Those for switches with little buffer.
    case smallBuffers = "small-buffers"
    /// What this package recommends.
    case `default`

    /// The settings; `scheduledLevels` matters to `sigcomm2018` only.
    public func configuration(scheduledLevels: Int) -> EndpointConfiguration {
        switch self {
        case .sigcomm2018: .sigcomm2018(scheduledLevels: scheduledLevels)
        case .linux2026: .linux2026
        case .smallBuffers: .smallBuffers
        case .default: .default
        }
    }
}

/// Where the priority cutoffs of unscheduled packets come from.
public enum CutoffSource: String, Equatable, Sendable, CaseIterable {
    /// `endpoint.unscheduledCutoffs` as they stand.
    case configured
    /// Worked out from the workload's size distribution so that every unscheduled level carries the same bytes.
    case fromWorkload = "workload"
    /// Worked out by each receiver from the traffic it sees.
    case learned
}

/// Homa hosts: the endpoint's own configuration, and what surrounds it.
public struct HomaTransportConfiguration: Equatable, Sendable {
    /// The preset `endpoint` was made from; it also decides on frame sizes, see `HomaFrame`.
    public var preset: HomaPreset
    /// What the preset gives, after overrides. Limits of table sizes are adapted to the topology, and the pacer is off,
    /// because the simulated network card asks for packets one by one.
    public var endpoint: EndpointConfiguration
    public var cutoffs: CutoffSource
    /// Priority levels for scheduled packets, which `sigcomm2018` also uses as its overcommitment, 1 … 7.
    /// Nil: as published for the workload (W1 1, W2 3, W3 4, W4 7, W5 7, others 7).
    public var scheduledLevels: Int?

    /// Homa with Aeolus (Hu et al., SIGCOMM 2020): the endpoint's `probesUnscheduled`. Switches then drop unscheduled
    /// packets early: those that find four full packets in their output port, if the scenario sets no threshold.
    public var isAeolus: Bool {
        get { endpoint.probesUnscheduled }
        set { endpoint.probesUnscheduled = newValue }
    }

    /// - Parameter endpoint: nil takes the preset's.
    public init(
        preset: HomaPreset, endpoint: EndpointConfiguration? = nil, cutoffs: CutoffSource? = nil,
        scheduledLevels: Int? = nil
    ) {
        self.preset = preset
        self.endpoint = endpoint ?? preset.configuration(scheduledLevels: scheduledLevels ?? 7)
        self.cutoffs = cutoffs ?? (preset == .sigcomm2018 ? .fromWorkload : .configured)
        self.scheduledLevels = scheduledLevels
    }
}
