// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

/// One datagram socket as a ``DatagramDriver`` uses it: the system's, or one in memory.
///
/// Nothing blocks. Answers below zero are the system's error codes, negated.
protocol DatagramLane {
    /// Where the socket is connected to; nil for the one that serves every peer.
    var peer: PeerAddress? { get }
    /// The socket's count of datagrams it lost, as last heard.
    var lastOverflowCount: UInt32 { get set }
    /// The last receive call found nothing.
    var isIdle: Bool { get set }

    /// Sends messages, trains as such; how many were taken.
    func send(_ messages: UnsafePointer<homa_outgoing>, _ count: Int) -> Int32
    /// Fills slots with what has arrived; how many.
    func receive(_ slots: UnsafeMutablePointer<homa_incoming>, _ count: Int) -> Int32
    /// Takes one datagram or train into pieces of memory, one behind the other; 1, or an error. The slot is used as far
    /// as a piece names it, and says what was received.
    func receive(
        into pieces: UnsafePointer<iovec>, _ count: Int, _ slot: UnsafeMutablePointer<homa_incoming>
    ) -> Int32
    /// Takes an entry of the error queue; 0, or `EAGAIN`.
    func receiveError(_ record: inout homa_socket_error) -> Int32
}

/// Which of its sockets a ``DatagramDriver`` sends a packet by.
enum LaneKind {
    /// The one that serves every peer.
    case main
    /// The busiest peer's.
    case connected
    /// The one for peers that are heard, once the main one was filled by packets to others.
    case heard
    /// One of those for the others, once they have filled it.
    case spare
}

/// The sockets behind a ``DatagramDriver``.
protocol DatagramSockets: AnyObject {
    associatedtype Lane: DatagramLane

    /// Where packets to the node go.
    var localAddress: PeerAddress { get }
    /// The socket that serves every peer.
    var main: Lane { get }
    /// What the system granted it of what was asked for, and what of it is less, in words.
    var granted: GrantedOptions { get }
    var shortfalls: [String] { get }
    /// Gives a peer a socket of its own, at the same port, in place of another one's; nil when that is refused.
    ///
    /// - Parameter address: the own address at which the peer's packets come in; nil: not known.
    func connect(to peer: PeerAddress, from address: PeerAddress?) -> Lane?
    /// Closes that socket; what it held is lost like packets on the network.
    func disconnect()
    /// Opens one more socket at the port, which sends and receives nothing; nil when that is refused.
    ///
    /// - Parameter isWatched: whether a wait can be for its room.
    func openSender(isWatched: Bool) -> Lane?
    /// Where the packet was going that an error report is about.
    func target(of record: homa_socket_error) -> PeerAddress
    /// Bytes of the longest IP packet that would go to `peer` in one piece; nil when there is no way.
    func pathMTU(to peer: PeerAddress) -> Int?
}

extension DatagramSockets {
    func target(of record: homa_socket_error) -> PeerAddress { PeerAddress(record.peer) }
}
