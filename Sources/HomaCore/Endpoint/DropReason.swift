// SPDX-License-Identifier: Apache-2.0

/// Why a well-formed packet was not accepted. One counter each in ``EndpointStatistics``.
@frozen
public enum DropReason: UInt8, Sendable, CaseIterable {
    /// A request for a port nobody listens on.
    case noSuchPort
    /// Belongs to no RPC of this host.
    case unknownRPC
    /// The RPC exists but with another peer or other ports.
    case wrongPeer
    /// Not a packet that the RPC's role or state allows.
    case wrongState
    /// Every byte of it was here already.
    case duplicate
    /// A request that has run before, or may have.
    case finishedBefore
    /// The message has no buffers yet; it will be asked for again.
    case noBuffers
    /// Announces another message length than the first packet did.
    case lengthMismatch
    /// Would leave more gaps in the message than the limit.
    case tooManyGaps
    /// The RPC table is full, or the peer's share of it.
    case tooManyRPCs
    /// The peer table is full of peers in use, or that of clients.
    case tooManyPeers
    /// From an address we have no dealings with: CUTOFFS, an acknowledgement, or a probe about a call of ours.
    case unknownPeer
    /// The message is longer than the whole receive buffer region, or the packet longer than a bpage.
    case tooLong
    /// FREEZE is a debugging aid of the kernel implementation, and not obeyed.
    case freezeIgnored
    /// A request of a peer that keeps beginning requests and not finishing them.
    case distrustedPeer
    /// From an address where nobody is known to hear us: a request which may be a duplicate from before this host's
    /// memory began, or for which strangers have too much already; or a grant or RESEND for more than was paid for.
    case unprovenClient
    /// A new request to a host that is about to end.
    case draining
}
