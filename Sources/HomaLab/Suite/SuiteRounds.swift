// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaBench
import HomaPosix

/// Runs the steps of the suite in rounds, so that a noisy moment of the machine hits a measure and its rivals alike.
struct SuiteRounds {
    let path: SuitePath
    let times: SuiteStep.Times
    let seed: UInt64
    /// The figure of each run, by step.
    private(set) var samples: [SuiteStep: [Double]] = [:]
    /// Why a step was given up.
    private(set) var failures: [SuiteStep: String] = [:]
    /// Why a step was never begun.
    private(set) var absences: [SuiteStep: String] = [:]
    /// What else there is to say of a step.
    private(set) var remarks: [SuiteStep: String] = [:]
    /// Packets that Homa's clients sent again in the goodput runs.
    private(set) var packetsRetransmitted = 0.0

    init(path: SuitePath, times: SuiteStep.Times, seed: UInt64) {
        self.path = path
        self.times = times
        self.seed = seed
    }

    mutating func run(_ steps: [SuiteStep], rounds: Int) throws(LabError) {
        for step in steps { absences[step] = step.obstacle }
        for round in 1...rounds {
            note("round \(round) of \(rounds)")
            for step in steps where failures[step] == nil && absences[step] == nil {
                try StopSignals.check()
                do {
                    samples[step, default: []].append(try measure(step))
                } catch {
                    note("\(step.rawValue): \(error)")
                    failures[step] = "\(error)"
                }
            }
        }
        try StopSignals.check()
    }

    private mutating func measure(_ step: SuiteStep) throws -> Double {
        if let exchange = step.exchange(times, seed: seed) { return try measure(exchange, step) }
        switch step {
        case .idleMemory: return try idleMemory()
        case .poolOneThread: return try part(.poolOneThread, times.pieces)
        case .poolTwoThreads: return try part(.poolTwoThreads, times.pieces)
        case .core: return try part(.core, times.corePackets)
        default: return try part(.mallocTwoThreads, times.pieces, library: Self.find(step.library))
        }
    }

    // MARK: With a network

    private func serve(
        _ carrier: ProtocolChoice, _ options: [String], sharesCores: Bool = false
    ) throws -> (ChildProcess, address: String) {
        let server = try ChildProcess(
            ["serve", "0", "--protocol", carrier.rawValue, "--bind", path.serverHost, "--for", "60s", "--json"]
                + options, through: path.launcher(isServer: true, sharesCores: sharesCores))
        let line = try server.nextLine()
        guard let port = line.split(separator: " ").last.flatMap({ UInt16($0) }) else {
            throw ChildError(description: "the \(carrier.rawValue) server said '\(line)' instead of its port")
        }
        let isHoma = carrier == .homa
        return (
            server,
            isHoma ? HomaEcho.address(host: path.serverHost, udpPort: port) : "\(path.serverHost):\(port)"
        )
    }

    private mutating func measure(_ exchange: SuiteStep.Exchange, _ step: SuiteStep) throws -> Double {
        let (server, address) = try serve(
            exchange.carrier, exchange.serverOptions, sharesCores: exchange.sharesCores)
        let client = try ChildProcess(
            [exchange.command, address, "--protocol", exchange.carrier.rawValue, "--json"] + exchange.clientOptions,
            through: path.launcher(isServer: false, sharesCores: exchange.sharesCores))
        let said = ChildRecords(try client.finish())
        let told = ChildRecords(try server.stop())
        if step == .goodputHoma { packetsRetransmitted += said.value("packets_retransmitted") ?? 0 }
        for measure in ["errors", "unfinished", "verification_failures"] {
            if let count = said.value(measure), count > 0 {
                throw ChildError(description: "\(fixed(count, 0)) \(measure)")
            }
        }
        guard let value = (exchange.isToldByServer ? told : said).value(exchange.measure), value > 0 else {
            throw ChildError(description: "no \(exchange.measure) was measured")
        }
        return value
    }

    /// Bytes in memory of a node that has just started and has nothing to do: in a program that has nothing but the
    /// library if it was built, and in this one.
    private mutating func idleMemory() throws -> Double {
        let (server, _) = try serve(.homa, [])
        let command = try Self.memory(of: server)
        _ = try server.stop()
        let echo = URL(fileURLWithPath: ChildProcess.ownPath).deletingLastPathComponent().path + "/homa-echo"
        guard FileManager.default.isExecutableFile(atPath: echo) else {
            remarks[.idleMemory] = "that of 'homa serve', as homa-echo was not built; \(command.parts)"
            return command.all
        }
        let program = try ChildProcess([], through: path.launcher(isServer: true), program: echo)
        _ = try program.nextLine()
        let alone = try Self.memory(of: program)
        program.end()
        remarks[.idleMemory] =
            "homa-echo, which has the library alone: \(alone.parts); 'homa serve', which has Foundation and "
            + "the simulator too: \(fixed(command.all / 1e6, 1)) MB, \(command.parts)"
        return alone.all
    }

    /// Bytes in memory of a process half a second later, and what they are, in words.
    private static func memory(of process: ChildProcess) throws -> (all: Double, parts: String) {
        usleep(500_000)
        let status = FileManager.default.contents(atPath: "/proc/\(process.identifier)/status") ?? Data()
        let sizes = sizes(inStatus: String(decoding: status, as: UTF8.self))
        guard let all = sizes["VmRSS"] else {
            throw ChildError(description: "/proc tells nothing of the node's memory")
        }
        let (own, files) = (sizes["RssAnon"] ?? .nan, sizes["RssFile"] ?? .nan)
        return (all, "\(fixed(own / 1e6, 1)) MB of its own, \(fixed(files / 1e6, 1)) MB of files")
    }

    /// Bytes by name, of the lines of `/proc/<pid>/status` that tell kilobytes.
    static func sizes(inStatus text: String) -> [String: Double] {
        var sizes: [String: Double] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count == 3, words[2] == "kB", let count = Double(words[1]) else { continue }
            sizes[String(words[0].dropLast())] = count * 1024
        }
        return sizes
    }

    // MARK: Without

    private func part(_ part: SuitePart, _ count: Int, library: String? = nil) throws -> Double {
        var arguments = ["suite-part", part.rawValue, "--count", "\(count)", "--seed", "\(seed)"]
        var environment: [String: String] = [:]
        if let library {
            arguments += ["--library", String(library.split(separator: "/").last ?? "")]
            environment["LD_PRELOAD"] = library
        }
        let child = try ChildProcess(arguments, environment: environment)
        guard let value = ChildRecords(try child.finish()).value("time") else {
            throw ChildError(description: "\(part.rawValue) said nothing")
        }
        return value
    }

    /// Where a shared library is; nil when it is not installed, or none is asked for.
    static func find(_ library: String?) -> String? {
        guard let library else { return nil }
        let folders = [
            "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib",
        ]
        return folders.map { "\($0)/\(library)" }.first { FileManager.default.fileExists(atPath: $0) }
    }
}
