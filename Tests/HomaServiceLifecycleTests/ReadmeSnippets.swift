// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaServiceLifecycle
import Logging
import ServiceLifecycle

/// The example of README.md, held against it by a test. Compiled, not run.
private func service() async throws {
    var configuration = HomaConfiguration()
    configuration.udpPort = 4000
    let node = try HomaNode(configuration: configuration)
    let service = HomaService(node, port: 4000) { socket in
        try await socket.serve { request in
            let message = request.message
            try request.respond(copying: message)
        }
    }
    let logger = Logger(label: "service")
    try await ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm], logger: logger).run()
}
