// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// How hosts and switches are connected: one switch, or leaves and spines.
///
/// Time of one hop: serialisation on the link, ``linkDelay``, then ``switchDelay`` (towards a switch) or
/// ``hostReceiveDelay`` (towards a host). Before its first link a packet takes ``hostSendDelay`` + ``nicDelay``
/// from the moment the transport lets go of it. With a ``hostCopyRate`` each host has one processor that copies.
public struct TopologyConfiguration: Equatable, Sendable {
    public enum Shape: Equatable, Sendable {
        /// All hosts on one switch. 2 … 4096 hosts.
        case singleSwitch(hosts: Int)
        /// Every leaf has one link to every spine; hosts number leaf by leaf.
        case leafSpine(leaves: Int, hostsPerLeaf: Int, spines: Int)
    }

    /// When a switch may begin to send a packet on.
    public enum Switching: String, Equatable, Sendable, CaseIterable {
        /// When its last byte has arrived.
        case storeAndForward = "store-and-forward"
        /// When its first 64 bytes have arrived, unless the way out is faster than the way in: then so late that the
        /// packet never has to wait for its own bytes.
        case cutThrough = "cut-through"
    }

    /// What a host's processor copies to the application, one thing after the other.
    public enum HostCopies: String, Equatable, Sendable, CaseIterable {
        /// Each packet's payload when the packet has come. Packets wait in the host until it is their turn, and the
        /// transport has them when they are copied.
        case packets
        /// Each message when all of it has come; the application has it when it is copied.
        case messages
    }

    /// How a leaf chooses the spine.
    public enum PathChoice: String, Equatable, Sendable, CaseIterable {
        /// For every packet at random, uniformly.
        case perPacketSpraying = "spray"
        /// By a hash of sender, receiver and flow: a flow keeps its path.
        case perFlowECMP = "ecmp"
    }

    public var shape: Shape
    /// Links between hosts and their switch.
    public var hostRate: BitRate
    /// Each link between a leaf and a spine; unused with a single switch.
    public var uplinkRate: BitRate
    /// Propagation on every link.
    public var linkDelay: Duration
    /// From a packet's arrival at a switch to its entry into an output queue.
    public var switchDelay: Duration
    /// From the transport to the network card: software.
    public var hostSendDelay: Duration
    /// From the last byte at the network card to the transport: software.
    public var hostReceiveDelay: Duration
    /// Additional time in the sending network card.
    public var nicDelay: Duration
    /// Payload that the one processor of each host copies in a time. Nil: it takes no time.
    public var hostCopyRate: BitRate?
    /// What is copied; means nothing without a rate.
    public var hostCopies: HostCopies
    public var switching: Switching
    public var pathChoice: PathChoice
    /// The only switch, or each leaf.
    public var leafSwitch: SwitchConfiguration
    public var spineSwitch: SwitchConfiguration

    public init(
        shape: Shape, hostRate: BitRate, uplinkRate: BitRate, linkDelay: Duration = .zero,
        switchDelay: Duration = .nanoseconds(250), hostSendDelay: Duration = .nanoseconds(500),
        hostReceiveDelay: Duration = .nanoseconds(500), nicDelay: Duration = .nanoseconds(500),
        hostCopyRate: BitRate? = nil, hostCopies: HostCopies = .packets,
        switching: Switching = .storeAndForward, pathChoice: PathChoice = .perPacketSpraying,
        leafSwitch: SwitchConfiguration = SwitchConfiguration(),
        spineSwitch: SwitchConfiguration = SwitchConfiguration()
    ) {
        self.shape = shape
        self.hostRate = hostRate
        self.uplinkRate = uplinkRate
        self.linkDelay = linkDelay
        self.switchDelay = switchDelay
        self.hostSendDelay = hostSendDelay
        self.hostReceiveDelay = hostReceiveDelay
        self.nicDelay = nicDelay
        self.hostCopyRate = hostCopyRate
        self.hostCopies = hostCopies
        self.switching = switching
        self.pathChoice = pathChoice
        self.leafSwitch = leafSwitch
        self.spineSwitch = spineSwitch
    }

    /// Number of hosts.
    public var hostCount: Int {
        switch shape {
        case .singleSwitch(let hosts): hosts
        case .leafSpine(let leaves, let hostsPerLeaf, _): leaves * hostsPerLeaf
        }
    }

    /// Number of switches that hosts are attached to.
    public var leafCount: Int {
        if case .leafSpine(let leaves, _, _) = shape { leaves } else { 1 }
    }

    /// Number of spine switches; 0 with a single switch.
    public var spineCount: Int {
        if case .leafSpine(_, _, let spines) = shape { spines } else { 0 }
    }

    /// Hosts attached to each leaf.
    public var hostsPerLeaf: Int {
        switch shape {
        case .singleSwitch(let hosts): hosts
        case .leafSpine(_, let hostsPerLeaf, _): hostsPerLeaf
        }
    }

    /// Ports of each leaf: one per host and one per spine.
    public var portsPerLeaf: Int { hostsPerLeaf + spineCount }
}
