// SPDX-License-Identifier: Apache-2.0

import Glibc
import Homa

/// `homa-echo [UDP port [Homa port]]` answers every request with itself, until it is ended.
///
/// The smallest program around a node: it links the library and nothing else, so its memory is that of a node.
/// Defaults: UDP port 0, which lets the system choose, and Homa port 4000.
@main
enum HomaEcho {
    static func main() async throws {
        let ports = CommandLine.arguments.dropFirst().map(UInt16.init)
        guard ports.count <= 2, !ports.contains(nil) else {
            print("usage: homa-echo [UDP port [Homa port]]")
            return
        }
        try await withHomaNode(listening: (ports.first ?? 0) ?? 0) { node in
            let socket = try node.openSocket(port: (ports.dropFirst().first ?? 4000) ?? 4000)
            print("serving homa on port \(node.udpPort)")
            fflush(nil)  // whoever waits for that line at the other end of a pipe
            try await socket.serve(on: .engine) { request in
                let message = request.message
                try request.respond(copying: message)
            }
        }
    }
}
