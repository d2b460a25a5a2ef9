// SPDX-License-Identifier: Apache-2.0

public import HomaWorkloads

/// Who sends to whom. Hosts count from 0.
public enum TrafficPattern: Equatable, Sendable {
    /// Every host to all others, each message to one of them, uniformly.
    case allToAll
    /// Hosts 1 … senders to host 0. `load` is that of host 0's link.
    case incast(senders: Int)
    /// Every host to one other host, drawn once; nobody receives from two.
    case permutation
    /// Host 0 to hosts 1 … receivers in turn. `load` is that of host 0's link.
    case outcast(receivers: Int)
}

/// When messages begin.
public enum ArrivalProcess: Equatable, Sendable {
    /// Independent exponential gaps per sender.
    case poisson
    /// Equal gaps per sender, all senders at the same moment: repeated incast with `TrafficPattern.incast`.
    case periodic
    /// Each sender keeps so many messages (or RPCs) under way; `load` is ignored.
    case closed(outstanding: Int)
}

/// What one unit of traffic is.
public enum MessageMode: Equatable, Sendable {
    /// A message from sender to receiver; complete when the receiver has all of it.
    case oneWay
    /// A request and a response; complete when the sender has the response. Nil: as long as the request.
    case rpc(responseBytes: Int?)
}

/// What the hosts want from the network.
public struct TrafficConfiguration: Equatable, Sendable {
    /// Message sizes, or request sizes.
    public var sizes: SizeDistribution
    /// Longer messages are cut to so many bytes. Nil: the whole distribution.
    public var sizesTruncatedTo: Int?
    /// Fraction of the bandwidth of the busiest host link that the messages fill, counting every byte on the wire:
    /// headers, gaps, and the grants of one's own receiving. Above 1 only with `allowsOverload`.
    public var load: Double
    public var allowsOverload: Bool
    public var pattern: TrafficPattern
    public var arrivals: ArrivalProcess
    public var mode: MessageMode
    /// Only the first so many hosts take part. Nil: all.
    public var activeHosts: Int?

    public init(
        sizes: SizeDistribution, sizesTruncatedTo: Int? = nil, load: Double = 0.8, allowsOverload: Bool = false,
        pattern: TrafficPattern = .allToAll, arrivals: ArrivalProcess = .poisson, mode: MessageMode = .oneWay,
        activeHosts: Int? = nil
    ) {
        self.sizes = sizes
        self.sizesTruncatedTo = sizesTruncatedTo
        self.load = load
        self.allowsOverload = allowsOverload
        self.pattern = pattern
        self.arrivals = arrivals
        self.mode = mode
        self.activeHosts = activeHosts
    }

    /// The sizes that are drawn: `sizes`, cut at `sizesTruncatedTo`.
    public var effectiveSizes: SizeDistribution {
        if let limit = sizesTruncatedTo { sizes.truncated(to: limit) } else { sizes }
    }
}
