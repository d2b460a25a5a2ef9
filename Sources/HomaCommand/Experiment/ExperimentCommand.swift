// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import HomaBench
import HomaExperiments
import HomaPosix
import HomaScenarios

struct ExperimentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "experiment",
        abstract: "Check every published claim about Homa's buffers, and answer the open questions.",
        discussion: """
            Each experiment runs simulations on all cores, keeps every finished one, and compares what comes out with \
            what was published. Verdicts are worked out from the figures.

            Examples:
              homa experiment list
              homa experiment run switch-occupancy --quick
              homa experiment run --all --quick --json
              homa experiment report --out report
            """,
        subcommands: [ExperimentListCommand.self, ExperimentRunCommand.self, ExperimentReportCommand.self])
}

struct ExperimentListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the experiments with their questions.",
        discussion: "Example: homa experiment list --json")

    @Flag(help: "One JSON object per line.")
    var json = false

    func run() throws {
        try orCannotRun { try list() }
    }

    private func list() throws {
        for experiment in Experiment.all {
            if json {
                try say(
                    JSONValue.object([
                        .init("experiment", .string(experiment.name)), .init("title", .string(experiment.title)),
                        .init("question", .string(experiment.question)), .init("method", .string(experiment.method)),
                    ]).description)
            } else {
                try say("\(experiment.name)\n    \(experiment.title)\n    \(experiment.question)\n")
            }
        }
    }
}

/// Where finished points are kept, and which of them are good enough.
struct ExperimentStoreOptions: ParsableArguments {
    @Option(help: "Folder of the finished points; made if it is missing, but not what it lies in.")
    var store = "homa-experiments"

    @Flag(help: "Short runs and fewer points: all experiments in under five minutes on two cores.")
    var quick = false

    /// To add points to.
    func make(onlyOwnBuild: Bool = false) throws -> PointStore {
        try OutputFolder.make(store)
        return try open(onlyOwnBuild: onlyOwnBuild)
    }

    /// To read the points of, which has to be there.
    func existing() throws -> PointStore {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: store, isDirectory: &isFolder), isFolder.boolValue else {
            throw CommandError("there is no folder \(store); this makes one: homa experiment run --all --quick")
        }
        return try open()
    }

    private func open(onlyOwnBuild: Bool = false) throws -> PointStore {
        try PointStore(folder: "\(store)/points", build: BuildIdentity.text, onlyOwnBuild: onlyOwnBuild)
    }
}

/// Tells this build of the program from others.
enum BuildIdentity {
    /// Length and time of the program's file: good enough to tell that results may be of another program.
    static let text: String = {
        let path = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "?"
        let facts = try? FileManager.default.attributesOfItem(atPath: path)
        let time = (facts?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        return "\(facts?[.size] ?? 0)-\(Int(time))"
    }()
}
