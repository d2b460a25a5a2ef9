// SPDX-License-Identifier: Apache-2.0

/// What may go wrong in a run. Each kind is drawn from a stream of its own, so that a run without one of them is
/// otherwise the same: that is what lets a failing run be made smaller.
public enum FaultKind: String, CaseIterable, Sendable {
    case loss, duplication, reordering, lateness, truncation
    /// Hosts that stand still, stop and start again, and whose clocks leap forward.
    case pause, restart, clock
    /// Ways that are cut, become narrow or slow, and hosts whose address changes.
    case partition, narrowing, slow, move
    /// Applications that are slow to answer and to return their buffers.
    case stall
    /// Packets from nobody: under addresses of their own, and under those of the hosts.
    case strangers, forgery
    /// What a system refuses: messages for which a device or a socket has no room, and destinations that are forbidden;
    /// and destinations that routers have no way to.
    case refusal, fullness, denial, outage
    /// Machines that sleep and hear nothing meanwhile, and hosts that end for good.
    case sleep, end
}

/// Kinds of faults.
public struct FaultSet: Equatable, Sendable {
    private var bits: UInt32 = 0

    public init(_ kinds: some Sequence<FaultKind>) { for kind in kinds { insert(kind) } }

    public static let all = FaultSet(FaultKind.allCases)
    public static let none = FaultSet([])
    /// What can go wrong between hosts that are endpoints, in the order in which a run draws them.
    public static let ofEndpoints = FaultSet(FaultKind.allCases.filter { !beyondEndpoints.contains($0) })
    /// What can go wrong with whole engines.
    public static let ofEngines = FaultSet(
        [.loss, .duplication, .reordering, .lateness, .truncation, .pause, .restart, .clock, .partition, .narrowing]
            + [.move] + beyondEndpoints)
    private static let beyondEndpoints: [FaultKind] = [.refusal, .fullness, .denial, .outage, .sleep, .end]

    private static func bit(_ kind: FaultKind) -> UInt32 { 1 << UInt32(FaultKind.allCases.firstIndex(of: kind)!) }

    public func contains(_ kind: FaultKind) -> Bool { bits & Self.bit(kind) != 0 }
    public mutating func insert(_ kind: FaultKind) { bits |= Self.bit(kind) }
    public mutating func remove(_ kind: FaultKind) { bits &= ~Self.bit(kind) }
    public var kinds: [FaultKind] { FaultKind.allCases.filter(contains) }
    public var isEmpty: Bool { bits == 0 }

    package func intersection(_ other: FaultSet) -> FaultSet { FaultSet(kinds.filter(other.contains)) }
    package func isDisjoint(with other: FaultSet) -> Bool { bits & other.bits == 0 }
    package func isSubset(of other: FaultSet) -> Bool { bits & ~other.bits == 0 }

    /// As an option of the command takes it.
    public var text: String { isEmpty ? "none" : kinds.map(\.rawValue).joined(separator: ",") }
}

/// What a run is cut down to; nil leaves what the seed draws.
public struct SwarmLimits: Equatable, Sendable {
    /// Hosts, 2 … 6.
    public var hosts: Int?
    /// The first so many calls and messages.
    public var calls: Int?
    public var faults: FaultSet?
    /// The first so many incidents.
    public var incidents: Int?
    /// Nanoseconds until the network heals.
    public var length: UInt64?

    public init() {}

    /// Such as ` --hosts 2 --faults loss`; empty for a run that is not cut down.
    public var arguments: String {
        var text = ""
        if let hosts { text += " --hosts \(hosts)" }
        if let calls { text += " --calls \(calls)" }
        if let faults { text += " --faults \(faults.text)" }
        if let incidents { text += " --incidents \(incidents)" }
        if let length { text += " --length \((length + 999) / 1000)us" }
        return text
    }
}
