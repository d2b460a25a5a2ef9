// SPDX-License-Identifier: Apache-2.0

import Homa

/// The examples of README.md, held against it by a test. Compiled, not run.
private func server() async throws {
    try await withHomaNode(listening: 4000) { node in
        let socket = try node.openSocket(port: 4000)
        try await socket.serve { request in
            let message = request.message  // lent from the node's region, not copied
            try request.respond(copying: message)
        }
    }
}

private func client() async throws {
    try await withHomaNode { node in
        let reply = try await node.call("10.0.0.2:4000", sending: Array("hello".utf8), deadline: .milliseconds(50))
        let total = reply.withBytes { bytes in
            bytes.withUnsafeBytes { $0.reduce(0) { $0 + Int($1) } }
        }
        print("\(reply.count) bytes, sum \(total)")
    }
}
