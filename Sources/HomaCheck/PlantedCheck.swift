// SPDX-License-Identifier: Apache-2.0

@_spi(Testing) import HomaCore

/// Looks whether the judge sees: each fault that is planted in the core has to break its rule in some seed that is good
/// without it.
public enum PlantedCheck {
    /// What came of one fault.
    public struct Outcome: Sendable {
        public var fault: String
        public var rule: Rule
        /// The first seed that shows it; nil: none did.
        public var seed: UInt64?
        /// Seeds that were run.
        public var tried: Int

        /// One object.
        public var json: String {
            "{\"fault\":\"\(fault)\",\"rule\":\"\(rule.rawValue)\",\"found\":\(seed != nil),"
                + "\"seed\":\(seed.map(String.init) ?? "null"),\"tried\":\(tried)}"
        }

        /// For a person.
        public var text: String {
            seed.map { "\(fault): breaks \(rule.rawValue) in seed \($0), after \(tried)" }
                ?? "\(fault): NOT FOUND in \(tried) seeds (should break \(rule.rawValue))"
        }
    }

    /// False in a build without `HOMA_PLANTED_FAULTS`.
    public static var isPossible: Bool { EndpointConfiguration.takesPlantedFaults }

    /// The names of all faults.
    public static var faults: [String] { PlantedFault.allCases.map(\.rawValue) }

    /// Runs seeds from `first` on until one shows the fault, at most `most`.
    public static func find(_ name: String, from first: UInt64 = 1, most: Int = 2_000) -> Outcome? {
        guard let fault = PlantedFault(rawValue: name) else { return nil }
        var outcome = Outcome(fault: name, rule: rule(of: fault), seed: nil, tried: 0)
        let (plain, planted) = (settings(nil), settings(fault))
        let limits = limits(for: outcome.rule)
        for seed in first..<first + UInt64(most) {
            outcome.tried += 1
            guard Swarm.run(seed: seed, limits: limits, settings: planted).violation?.rule == outcome.rule,
                Swarm.run(seed: seed, limits: limits, settings: plain).violation == nil
            else { continue }
            outcome.seed = seed
            return outcome
        }
        return outcome
    }

    /// A seed with a fault in it, cut down as long as it breaks its rule.
    public static func shrunk(_ name: String, seed: UInt64) -> SwarmOutcome? {
        guard let fault = PlantedFault(rawValue: name) else { return nil }
        return Swarm.shrink(Swarm.run(seed: seed, settings: settings(fault)), settings: settings(fault))
    }

    /// Where the rule is judged: the other seeds cannot show anything.
    private static func limits(for rule: Rule) -> SwarmLimits {
        var limits = SwarmLimits()
        if rule == .boundedPackets { limits.faults = FaultSet([]) }
        return limits
    }

    private static func settings(_ fault: PlantedFault?) -> SwarmSettings {
        var settings = SwarmSettings()
        // What is sent twice is to be seen against the goal, whatever the default.
        settings.packetFactor = 1.1
        settings.replyFactor = .infinity
        // With a fault in it a run may well have no end.
        settings.mostEvents = 400_000
        settings.plant = fault
        return settings
    }

    private static func rule(of fault: PlantedFault) -> Rule {
        switch fault {
        case .endsTwice: .endsOnce
        case .storesAside: .intact
        case .mixesCalls: .ownResponse
        case .forgetsFinished: .ranTwice
        case .ignoresIdentity: .ranTwice
        case .ignoresRestart: .ranInTwoLives
        case .forgetsMessages: .messageTwice
        case .reportsEarly: .messageLost
        case .waitsForever: .endsInTime
        case .losesTimer: .nextStep
        case .missesDeadline: .deadlineKept
        case .keepsLease: .regionFree
        case .releasesTwice: .payloadOnce
        case .repeatsOnGrant: .boundedPackets
        case .marksForAll: .noMarksForKernels
        case .refusesProof: .answersAfterHealing
        case .runsRefused: .refusedNotRun
        case .hidesFailure: .failureMarked
        case .ignoresRemaining: .deadlineHeard
        case .abandonsTwice: .abandonedOnce
        }
    }
}
