// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaTestKit
import Testing

/// The example of README.md, held against it by a test; this one runs as well.
@Test("the README's example of a test passes")
private func example() async throws {
    let network = TestNetwork(seed: 7, loss: 0.01)
    let (server, client) = (try network.addNode(), try network.addNode())
    try await network.run {
        let socket = try server.openSocket(port: 4000)
        async let serving: Void = socket.serve { request in
            let message = request.message
            try request.respond(copying: message)
        }
        let answer = try await client.call(server.address(port: 4000), sending: [1, 2, 3], deadline: .seconds(1))
        #expect(answer.copyBytes() == [1, 2, 3])
        socket.close()
        try await serving
    }
}
