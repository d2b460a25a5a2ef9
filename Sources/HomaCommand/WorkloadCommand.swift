// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBase
import HomaBench
import HomaPosix
import HomaWorkloads

struct WorkloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workload", abstract: "Show the message-size distributions.",
        subcommands: [Show.self, List.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Name the published workloads.")

        func run() throws {
            var table = TextTable([.init("name", .left), .init("mean (bytes)"), .init("origin", .left)])
            for workload in Workload.all {
                table.add([workload.name, String(Int(workload.sizes.mean)), workload.origin])
            }
            try say(table.render())
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one workload: origin, mean, deciles, where its bytes are.",
            discussion: "Example: homa workload show w3")

        @Argument(help: "w1 … w5, imc10, websearch, datamining, or a message size such as 500K.")
        var name: String

        @Flag(help: "One JSON object per line.")
        var json = false

        func run() throws {
            let workload = try usage { try Workload.named(name) }
            try json ? printLines(workload) : printTable(workload)
        }

        private static let percentiles: [Double] = [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.9, 100]

        private func printTable(_ workload: Workload) throws {
            let sizes = workload.sizes
            try say("\(workload.name): \(workload.origin)")
            let truncated = sizes.truncated(to: limit)
            try say("mean \(Int(sizes.mean)) bytes; truncated to Homa's limit: \(Int(truncated.mean)) bytes")
            var table = TextTable([.init("percentile"), .init("size (bytes)"), .init("bytes in messages up to it (%)")])
            for percentile in Self.percentiles {
                let size = sizes.quantile(percentile / 100)
                let share = sizes.byteShare(ofMessagesUpTo: size) * 100
                table.add(["\(percentile)", String(size), fixed(share, 2)])
            }
            try say(table.render())
        }

        private func printLines(_ workload: Workload) throws {
            for percentile in Self.percentiles {
                let size = Double(workload.sizes.quantile(percentile / 100))
                try say(
                    ResultRecord(measure: "size_p\(percentile)", value: size, unit: "bytes")
                        .with("workload", workload.name).jsonLine)
            }
        }

        private var limit: Int { HomaLimits.maximumMessageLength }
    }
}
