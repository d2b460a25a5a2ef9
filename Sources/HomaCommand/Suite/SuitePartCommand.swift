// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import HomaBench
import HomaLab
import HomaPosix

extension SuitePart: ExpressibleByArgument {}

/// A part of `homa bench --suite` that wants a process of its own, whose `malloc` the suite can choose.
struct SuitePartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suite-part", abstract: "A part of 'homa bench --suite', which starts it.", shouldDisplay: false)

    @Argument var part: SuitePart

    @Option(help: "Pieces or packets.", within: .count(1...1_000_000_000))
    var count = 1_000_000

    @Option(help: "Fail unless this library is loaded.")
    var library: String?

    @Option(help: "Decides the order of things.", within: .seed)
    var seed: UInt64 = 1

    func run() throws {
        if let library {
            guard dlopen(library, RTLD_NOW | RTLD_NOLOAD) != nil else {
                note("error: \(library) is not loaded")
                throw ExitCode.couldNotRun
            }
        }
        try say(ResultRecord(measure: "time", value: try part.measure(count: count, seed: seed), unit: "ns").jsonLine)
    }
}
