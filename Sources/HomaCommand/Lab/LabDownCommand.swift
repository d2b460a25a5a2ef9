// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaLab
import HomaPosix

struct LabDownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "Remove a lab.",
        discussion: """
            Removes what 'homa lab up' made, as far as it is still there, and nothing else. Refuses while processes \
            run in the lab, and when there is no lab of that name.
            """)

    @OptionGroup var lab: LabNameOption

    @Flag(help: "Even while processes run in it; they lose their network.")
    var force = false

    func run() async throws {
        try await orCouldNotRun {
            try SystemTools.requireRoot(to: "remove network namespaces")
            try SystemTools.requireAll()
            StopSignals.catchRequests(second: .isIgnored)
            let store = LabStore()
            let left = try LabBuilder(store: store).remove(try store.load(lab.name), force: force)
            for line in left { note(line) }
            try say("lab '\(lab.name)' is gone")
        }
    }
}

struct LabListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the labs of this machine.")

    @Flag(help: "One JSON object per line.")
    var json = false

    func run() async throws {
        try await orCouldNotRun {
            let store = LabStore()
            for name in store.names() {
                let state = try store.load(name)
                try say(json ? LabListing.jsonLine(state) : LabListing.summary(state))
            }
        }
    }
}
