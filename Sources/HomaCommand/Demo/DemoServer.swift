// SPDX-License-Identifier: Apache-2.0

/// A serving process on loopback. It occupies a core while it lives, so only one lives at a time.
struct DemoServer {
    private let process: ChildProcess
    private let carrier: ProtocolChoice
    private let address: String

    init(_ carrier: ProtocolChoice) throws {
        self.carrier = carrier
        process = try ChildProcess([
            "serve", "0", "--protocol", carrier.rawValue, "--bind", "127.0.0.1", "--spin", "forever", "--for", "60s",
            "--json",
        ])
        let line = try process.nextLine()
        guard let port = line.split(separator: " ").last.flatMap({ UInt16($0) }) else {
            throw ChildError(description: "the \(carrier.rawValue) server said '\(line)' instead of its port")
        }
        address = carrier == .homa ? ServeCommand.address(host: "127.0.0.1", udpPort: port) : "127.0.0.1:\(port)"
    }

    /// Runs a measuring process against this server, then ends the server.
    func measure(_ command: String, _ arguments: [String]) throws -> (client: ChildRecords, server: ChildRecords) {
        let client = try ChildProcess(
            [command, address, "--protocol", carrier.rawValue, "--spin", "forever", "--json"] + arguments)
        let said = ChildRecords(try client.finish())
        return (said, ChildRecords(try process.stop()))
    }
}
