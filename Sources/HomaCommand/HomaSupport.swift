// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import HomaBench
import HomaBuffers
import HomaPosix
import Logging

extension NodeOptions {
    /// The node these options describe.
    func configuration(udpPort: UInt16 = 0, bind: String? = nil) -> HomaConfiguration {
        var configuration = HomaConfiguration()
        configuration.udpPort = udpPort
        configuration.bindAddress = bind
        configuration.driver = driver == .packet ? .packet : .socket
        configuration.takesHijackedTCP = takesHijackedTCP
        configuration.carriage = carriage == .ip146 ? .ip146 : .udp
        if let dscp { configuration.marks = .dscp(dscp.values) }
        configuration.endpoint = preset.configuration
        configuration.endpoint.linkRate = link?.rate
        if let region { configuration.pool = PoolConfiguration(regionLength: region.bytes) }
        configuration.spin = spin.duration.map { .for($0) } ?? .forever
        configuration.mtu = mtu
        configuration.shards = shards
        configuration.receivesInPlace = inPlace
        configuration.receiveMode = receiveMode == .bpages ? .bpages : .copyAfterComplete
        configuration.logger.logLevel = .warning
        return configuration
    }
}

extension BenchCommand {
    func measureHoma(_ plan: LoadPlan, _ server: String) async throws -> LoadResult {
        try await HomaLoadClient(server: server, configuration: node.configuration()).run(plan)
    }
}

extension ServeCommand {
    func serveHoma() async throws {
        try await withHomaNode(node.configuration(udpPort: port, bind: bind)) { node in
            // Over IP protocol 146 there is no UDP port, and the Homa port is the one asked for.
            let port = self.node.carriage == .ip146 ? self.port : node.udpPort
            // A free UDP port may lie above the server ports; then clients must name this one.
            let socket = try node.openSocket(port: port < HomaLimits.firstClientPort ? port : HomaEcho.fallbackPort)
            try announce(port)
            let framing = framing.framing
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await socket.serveInline { HomaEcho.answer($0, framing: framing) } }
                group.addTask { await StopSignals.wait(atMost: lifetime?.duration) }
                await group.next()
                // Whoever asks now hears that another server may be asked.
                await node.drain(for: .seconds(5))
                group.cancelAll()
            }
            if json { for record in counterRecords(node.statistics) { try say(record.jsonLine) } }
        }
    }
}
