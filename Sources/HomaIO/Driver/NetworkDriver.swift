// SPDX-License-Identifier: Apache-2.0

internal import HomaBase

/// One of the drivers, chosen when the engine is made.
///
/// Each lies at an address of its own, and a call is a switch and a call of a concrete method: a fraction of a
/// nanosecond, since the branch is always the same.
struct NetworkDriver: ~Copyable {
    private enum Choice {
        case udp(UnsafeMutablePointer<UDPDriver>)
        case packet(UnsafeMutablePointer<PacketDriver>)
        case raw(UnsafeMutablePointer<RawDriver>)
    }

    private let choice: Choice

    init(_ configuration: EngineConfiguration) throws(SystemError) {
        switch configuration.driver {
        case .udp:
            let driver = try UDPDriver(configuration.socket)
            let place = UnsafeMutablePointer<UDPDriver>.allocate(capacity: 1)
            place.initialize(to: driver)
            choice = .udp(place)
        case .packet:
            let driver = try PacketDriver(configuration.socket, rings: configuration.packetRings)
            let place = UnsafeMutablePointer<PacketDriver>.allocate(capacity: 1)
            place.initialize(to: driver)
            choice = .packet(place)
        case .raw:
            let driver = try RawDriver(configuration.socket)
            let place = UnsafeMutablePointer<RawDriver>.allocate(capacity: 1)
            place.initialize(to: driver)
            choice = .raw(place)
        }
    }

    deinit {
        switch choice {
        case .udp(let driver):
            driver.deinitialize(count: 1)
            driver.deallocate()
        case .packet(let driver):
            driver.deinitialize(count: 1)
            driver.deallocate()
        case .raw(let driver):
            driver.deinitialize(count: 1)
            driver.deallocate()
        }
    }

    /// The UDP driver, for what only that one does.
    @inline(__always)
    var udp: UnsafeMutablePointer<UDPDriver>? {
        if case .udp(let driver) = choice { driver } else { nil }
    }
}

/// What every driver does; documented at ``UDPDriver``.
extension NetworkDriver {
    var localAddress: PeerAddress {
        switch choice {
        case .udp(let driver): driver.pointee.localAddress
        case .packet(let driver): driver.pointee.localAddress
        case .raw(let driver): driver.pointee.localAddress
        }
    }

    var fileDescriptor: Int32 {
        switch choice {
        case .udp(let driver): driver.pointee.fileDescriptor
        case .packet(let driver): driver.pointee.fileDescriptor
        case .raw(let driver): driver.pointee.fileDescriptor
        }
    }

    /// Further sockets that have news of arrivals.
    var receiveDescriptors: [Int32] {
        switch choice {
        case .udp: []
        case .packet(let driver): driver.pointee.receiveDescriptors
        case .raw(let driver): driver.pointee.receiveDescriptors
        }
    }

    func pathMTU(to peer: PeerAddress) -> Int? { lookUpPathMTU(to: peer) }

    @inline(__always)
    mutating func receive() -> Int {
        switch choice {
        case .udp(let driver): driver.pointee.receive()
        case .packet(let driver): driver.pointee.receive()
        case .raw(let driver): driver.pointee.receive()
        }
    }

    @inline(__always)
    func datagram(_ index: Int) -> ReceivedDatagram {
        switch choice {
        case .udp(let driver): driver.pointee.datagram(index)
        case .packet(let driver): driver.pointee.datagram(index)
        case .raw(let driver): driver.pointee.datagram(index)
        }
    }

    /// True when the last ``receive()`` went by a ``ScatterPlan``.
    @inline(__always)
    var isScattered: Bool { udp?.pointee.isScattered ?? false }

    @inline(__always)
    var queuedPackets: Int {
        switch choice {
        case .udp(let driver): driver.pointee.queuedPackets
        case .packet(let driver): driver.pointee.queuedPackets
        case .raw(let driver): driver.pointee.queuedPackets
        }
    }

    /// Packets appended so far.
    var appendedPackets: UInt64 {
        switch choice {
        case .udp(let driver): driver.pointee.sendQueue.appendedPackets
        case .packet(let driver): driver.pointee.sendQueue.appendedPackets
        case .raw(let driver): driver.pointee.sendQueue.appendedPackets
        }
    }

    /// How many of them were appended before the oldest that is still queued; all, when none is.
    var oldestQueued: UInt64 {
        switch choice {
        case .udp(let driver): driver.pointee.sendQueue.oldestQueued
        case .packet(let driver): driver.pointee.oldestQueued
        case .raw(let driver): driver.pointee.sendQueue.oldestQueued
        }
    }

    @inline(__always)
    var isFull: Bool {
        switch choice {
        case .udp(let driver): driver.pointee.isFull
        case .packet(let driver): driver.pointee.isFull
        case .raw(let driver): driver.pointee.isFull
        }
    }

    @inline(__always)
    func reserveHeader() -> UnsafeMutableRawBufferPointer {
        switch choice {
        case .udp(let driver): driver.pointee.reserveHeader()
        case .packet(let driver): driver.pointee.reserveHeader()
        case .raw(let driver): driver.pointee.reserveHeader()
        }
    }

    @inline(__always)
    mutating func append(
        headerByteCount: Int, payload: UnsafeRawPointer?, payloadByteCount: Int,
        to peer: PeerAddress, priority: UInt8, bundleBytes: UInt32
    ) {
        switch choice {
        case .udp(let driver):
            driver.pointee.append(
                headerByteCount: headerByteCount, payload: payload, payloadByteCount: payloadByteCount, to: peer,
                priority: priority, bundleBytes: bundleBytes)
        case .packet(let driver):
            driver.pointee.append(
                headerByteCount: headerByteCount, payload: payload, payloadByteCount: payloadByteCount, to: peer,
                priority: priority)
        case .raw(let driver):
            driver.pointee.append(
                headerByteCount: headerByteCount, payload: payload, payloadByteCount: payloadByteCount, to: peer,
                priority: priority)
        }
    }

    mutating func flush(at now: Instant) -> FlushResult {
        switch choice {
        case .udp(let driver): driver.pointee.flush(at: now)
        case .packet(let driver): driver.pointee.flush(at: now)
        case .raw(let driver): driver.pointee.flush(at: now)
        }
    }

    var mayHaveErrors: Bool {
        switch choice {
        case .udp(let driver): driver.pointee.mayHaveErrors
        case .packet(let driver): driver.pointee.mayHaveErrors
        case .raw(let driver): driver.pointee.mayHaveErrors
        }
    }

    mutating func nextError() -> DriverError? {
        switch choice {
        case .udp(let driver): driver.pointee.nextError()
        case .packet(let driver): driver.pointee.nextError()
        case .raw(let driver): driver.pointee.nextError()
        }
    }

    var statistics: UDPStatistics {
        switch choice {
        case .udp(let driver): driver.pointee.statistics
        case .packet(let driver): driver.pointee.statistics
        case .raw(let driver): driver.pointee.statistics
        }
    }

    var isUsingGSO: Bool {
        switch choice {
        case .udp(let driver): driver.pointee.isUsingGSO
        case .packet(let driver): driver.pointee.isUsingGSO
        case .raw: false
        }
    }

    /// A packet socket sees a train before the kernel would cut it.
    var isUsingGRO: Bool {
        switch choice {
        case .udp(let driver): driver.pointee.isUsingGRO
        case .packet: true
        case .raw: false
        }
    }
}

/// The busiest peer's socket, which only the UDP driver has.
extension NetworkDriver {
    @inline(__always)
    var wantsToConnect: Bool { udp?.pointee.wantsToConnect ?? false }

    mutating func connectToBusiestPeer() -> Int32? { udp?.pointee.connectToBusiestPeer() }

    mutating func disconnect() { udp?.pointee.disconnect() }
}

/// Homa ports, which a host's nodes share where there is no other port.
extension NetworkDriver {
    /// True when peers have no UDP port and are named by their Homa port.
    var sharesPorts: Bool { if case .raw = choice { true } else { false } }

    /// Takes a Homa port for this node where nodes share them.
    ///
    /// - Throws: `EADDRINUSE` when another node of this host has it.
    mutating func open(_ port: UInt16) throws(SystemError) {
        if case .raw(let driver) = choice { try driver.pointee.open(port) }
    }

    /// Gives a Homa port up.
    mutating func close(_ port: UInt16) { if case .raw(let driver) = choice { driver.pointee.close(port) } }

    /// Bytes of IP and UDP headers in front of a Homa packet to `peer`.
    func headerBytes(to peer: PeerAddress) -> Int {
        let network = peer.isIPv4 ? 20 : 40
        return sharesPorts ? network : network + 8
    }
}
