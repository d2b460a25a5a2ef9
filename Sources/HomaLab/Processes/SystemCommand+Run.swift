// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import HomaPosix

/// The system's programs that a lab needs, and the Debian packages they come from.
package enum SystemTools {
    static let packages = [("ip", "iproute2"), ("tc", "iproute2"), ("nft", "nftables")]
    /// Of which these suffice for a lab that loses nothing on purpose.
    static let forLossless = ["ip", "tc"]
    private static let folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin"]

    static func path(of tool: String) -> String? {
        folders.map { "\($0)/\(tool)" }.first { access($0, X_OK) == 0 }
    }

    /// Throws an error that names the packages to install.
    package static func requireAll() throws(LabError) { try require(packages.map { $0.0 }) }

    /// The same for some of the programs.
    static func require(_ tools: [String]) throws(LabError) {
        let missing = packages.filter { tools.contains($0.0) && path(of: $0.0) == nil }
        guard !missing.isEmpty else { return }
        let names = missing.map { $0.0 }.joined(separator: ", ")
        var packages: [String] = []
        for (_, package) in missing where !packages.contains(package) { packages.append(package) }
        throw LabError("not installed: \(names); on Debian: apt-get install \(packages.joined(separator: " "))")
    }

    /// Network namespaces, queueing disciplines and packet filters belong to root.
    package static func requireRoot(to purpose: String) throws(LabError) {
        guard geteuid() == 0 else {
            throw LabError("root is needed to \(purpose) (CAP_SYS_ADMIN and CAP_NET_ADMIN); try with sudo")
        }
    }
}

extension SystemCommand {
    /// Runs it to its end and returns what it printed.
    ///
    /// - Throws: a ``LabError`` with what it said on standard error, when it cannot be started or fails.
    @discardableResult
    func run() throws(LabError) -> String {
        let outcome = try runToEnd()
        guard outcome.status == 0 else {
            let said = outcome.errors.split(separator: "\n").first.map(String.init) ?? "status \(outcome.status)"
            throw LabError("'\(self)' failed: \(said)")
        }
        return outcome.output
    }

    private func runToEnd() throws(LabError) -> (status: Int32, output: String, errors: String) {
        guard let tool = SystemTools.path(of: arguments[0]) else { throw LabError("\(arguments[0]) is not installed") }
        let process = Process()
        let (input, output, errors) = (Pipe(), Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: tool)
        process.arguments = Array(arguments.dropFirst())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        do { try process.run() } catch { throw LabError("cannot start \(tool): \(error)") }
        if !self.input.isEmpty {
            writeAll(self.input.joined(separator: "\n") + "\n", to: input.fileHandleForWriting.fileDescriptor)
        }
        try? input.fileHandleForWriting.close()
        // None of these programs says more on standard error than a pipe holds.
        let said = (try? output.fileHandleForReading.readToEnd()) ?? nil
        let complaints = (try? errors.fileHandleForReading.readToEnd()) ?? nil
        process.waitUntilExit()
        return (
            process.terminationStatus, String(decoding: said ?? Data(), as: UTF8.self),
            String(decoding: complaints ?? Data(), as: UTF8.self)
        )
    }
}
