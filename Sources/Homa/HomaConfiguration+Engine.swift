// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaBuffers
internal import HomaCore
package import HomaIO
internal import HomaPosix

extension HomaConfiguration {
    /// Checks what the lower layers do not check themselves, and translates.
    ///
    /// - Throws: code `configuration`, naming the setting, its value and the permitted range.
    package func engineConfiguration() throws(HomaError) -> EngineConfiguration {
        try check("shards", shards, in: 1...64)
        guard shards == 1 || (driver == .socket && carriage == .udp) else {
            throw HomaError(.configuration, "shards is \(shards), but must be 1 except with UDP sockets")
        }
        guard !takesHijackedTCP || carriage == .ip146 else {
            throw HomaError(
                .configuration, "takesHijackedTCP is true, but must be false except with the carriage ip146")
        }
        if pool.shards != shards { try check("pool.shards", pool.shards, in: 1...1) }
        var pool = pool
        pool.shards = shards
        if let mtu { try check("mtu", mtu, in: 156...65_535) }
        try check("receiveBufferBytes", receiveBufferBytes, in: 4096...Int(Int32.max))
        try check("sendBufferBytes", sendBufferBytes, in: 4096...Int(Int32.max))
        try check("packetsPerRound", packetsPerRound, in: 1...512)
        if let core { try check("core", core, in: 0...4095) }
        do throws(PoolError) { try pool.validated() } catch { throw HomaError(setup: error) }

        var result = EngineConfiguration()
        result.endpoint = endpoint
        result.pool = pool
        result.socket.binding = try binding()
        result.socket.receiveBufferBytes = receiveBufferBytes
        result.socket.sendBufferBytes = sendBufferBytes
        result.socket.takesHijackedTCP = takesHijackedTCP
        result.socket.gso = usesSegmentationOffload ? .automatic : .off
        result.socket.gro = usesReceiveOffload ? .automatic : .off
        try check("number of marks", marks.values.count, in: 8...8)
        for value in marks.values { try check("marks (DSCP)", value, in: 0...63) }
        result.socket.trafficClasses = marks.values.map { UInt8($0) << 2 }
        result.socket.usualPriority = endpoint.controlPriority ?? UInt8(min(max(endpoint.priorityLevels - 1, 0), 7))
        result.driver = try engineDriver()
        result.backing = try backing()
        result.receiveMode =
            switch receiveMode {
            case .bpages: .bpages
            case .copyAfterComplete: .copyAfterComplete
            }
        result.spinNanoseconds = spin.nanoseconds
        result.fixedMTU = mtu
        result.core = core
        result.packetsPerRound = packetsPerRound
        result.receivesInPlace = receivesInPlace
        return result
    }

    private func engineDriver() throws(HomaError) -> EngineConfiguration.Driver {
        switch (carriage, driver) {
        case (.udp, .socket): return .udp
        case (.udp, .packet): return .packet
        case (.ip146, .socket): return .raw
        case (.ip146, .packet):
            throw HomaError(.configuration, "driver is packet, but must be socket with the carriage ip146")
        }
    }

    private func binding() throws(HomaError) -> UDPSocketOptions.Binding {
        guard let bindAddress else { return .port(udpPort) }
        let isNumeric = bindAddress.utf8.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ".") }
        guard isNumeric || bindAddress.contains(":") else {
            throw HomaError(.configuration, "bindAddress is \"\(bindAddress)\", but must be a numeric IP address")
        }
        do throws(ResolutionError) {
            guard var address = try AddressResolver.resolve(bindAddress, defaultPort: 1).first else {
                throw .notFound(host: bindAddress, reason: "no IP address")
            }
            address.port = udpPort
            return .address(address)
        } catch {
            throw HomaError(.configuration, "bindAddress: \(error)")
        }
    }

    private func backing() throws(HomaError) -> EngineConfiguration.Backing {
        switch regionBacking {
        case .anonymous: return .anonymous
        case .memoryFile(let name):
            try check("length of regionBacking's name", name.utf8.count, in: 1...249)
            return .memoryFile(name: name)
        }
    }

    private func check(_ name: String, _ value: Int, in range: ClosedRange<Int>) throws(HomaError) {
        guard !range.contains(value) else { return }
        throw HomaError(
            .configuration, "\(name) is \(value), but must be \(range.lowerBound) … \(range.upperBound)")
    }
}
