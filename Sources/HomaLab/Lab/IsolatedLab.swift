// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A lab for the lifetime of this value, without a name that others see, and without root where the system lets
/// everybody have namespaces.
///
/// Another process holds it, and ends when this one does, even by SIGKILL. Nothing is left to be removed.
final class IsolatedLab {
    /// How the right to make a network was had.
    enum Right: String, Codable, CaseIterable, Sendable {
        /// Root makes network namespaces.
        case root = "network-namespaces"
        /// Anybody is root of a user namespace of their own.
        case userNamespace = "user-namespace"
    }

    let description: LabDescription
    let right: Right
    private let process: ChildProcess

    /// Makes it, as root or else in a user namespace.
    ///
    /// - Parameter rights: what to try, in this order.
    /// - Throws: what kept the last of them from working.
    static func make(_ description: LabDescription, rights: [Right]) throws(LabError) -> IsolatedLab {
        try SystemTools.require(SystemTools.forLossless)
        var problem = LabError("nothing was tried")
        for right in rights {
            do { return try IsolatedLab(description, right) } catch { problem = error }
        }
        throw problem
    }

    private init(_ description: LabDescription, _ right: Right) throws(LabError) {
        let tools = ["unshare", "ip", "sh"].map { (name: $0, path: SystemTools.path(of: $0)) }
        if let missing = tools.first(where: { $0.path == nil }) { throw LabError("not installed: \(missing.name)") }
        let paths = tools.compactMap(\.path)
        self.description = description
        self.right = right
        // Foundation cannot wait for processes in a network without loopback, so that comes first. `ip`, then `homa`
        // and its arguments, are words of their own to the shell.
        let launcher =
            [paths[0], "--mount", "--net"] + (right == .userNamespace ? ["--user", "--map-root-user"] : []) + [
                paths[2], "-c", "\"$0\" link set lo up && exec \"$@\"", paths[1],
            ]
        do {
            process = try ChildProcess(["lab", "inside"], through: launcher, input: .pipe, isQuiet: true)
        } catch { throw LabError("\(error)") }
        _ = try ask(description)
    }

    /// The process whose descendants do all the work.
    var processIdentifier: Int32 { process.identifier }

    /// Carries out a run in which every host calls every other one.
    func run(_ job: LabJob) throws(LabError) -> LabRunReport {
        guard let report = try ask(job).report else { throw LabError("the lab's process had nothing to report") }
        return report
    }

    private func ask(_ question: some Encodable) throws(LabError) -> LabAnswer {
        let answer: LabAnswer
        do {
            process.say(String(decoding: try JSONEncoder().encode(question), as: UTF8.self))
            answer = try JSONDecoder().decode(LabAnswer.self, from: Data(try process.nextLine().utf8))
        } catch {
            throw LabError(right == .root ? "namespaces cannot be made here" : "user namespaces are not permitted here")
        }
        if let error = answer.error { throw LabError(error) }
        return answer
    }

    /// The network is gone when this returns.
    func end() { process.end() }
}
